/* One round at the receiver: write what the sender says differs, sync, read back, confirm. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "stream/place.h"
#include "stream/settle.h"
#include "stream/stream_internal.h"
#include "stream/verify.h"

#define WRITE_OUT_BYTES \
	((uint64_t)8 << 20) /* of a large file: sent on its way to the disk in such pieces */

/* The entry that is being received. */
struct incoming {
	bool open;
	char *path, *label;
	struct o2_dir *dir;
	const char *name;
	bool fresh;
	struct o2_entry entry;
	int fd;
	unsigned char *blocks;
	size_t block_count;
	int64_t last_block;
	uint64_t unwritten_from;
};

struct receiver {
	struct o2_agent *agent;
	struct o2_channel *channel;
	uint32_t round;
	bool ended, heard; /* the sender's END, or its ERROR */
	size_t next_tree;  /* index of the tree that may begin next */
	struct o2_tree *tree;
	struct o2_cursor old;
	struct o2_memory *new;
	struct o2_memory **finished;
	struct o2_written *written; /* one a tree */
	char *last_path, *gone_dir;
	struct incoming in;
	unsigned char generation[O2_GENERATION_BYTES];
};

static int malformed(struct o2_err *err, const char *what)
{
	return o2_fail(err, O2_ECORRUPT, "the sender sent %s", what);
}

static void close_incoming(struct incoming *in)
{
	if (in->fd >= 0)
		close(in->fd);
	free(in->path);
	free(in->label);
	free(in->blocks);
	o2_dir_unref(in->dir);
	o2_entry_release(&in->entry);
	*in = (struct incoming){ .fd = -1, .last_block = -1 };
}

/* --- beside the memory --- */

/* Take over what the sender passed without a word: it is unchanged, unless it stood below what is gone. */
static void pass_to(struct receiver *receiver, const char *path)
{
	const struct o2_record *old;

	while ((old = receiver->old.record) != NULL &&
	       (path == NULL || o2_path_compare(old->path, path) < 0)) {
		if (receiver->gone_dir == NULL || !o2_path_below(old->path, receiver->gone_dir))
			o2_memory_add(receiver->new, old);
		o2_cursor_next(&receiver->old);
	}
}

static const struct o2_record *old_at(const struct receiver *receiver, const char *path)
{
	const struct o2_record *old = receiver->old.record;

	if (old == NULL || strcmp(old->path, path) != 0 ||
	    (receiver->gone_dir && o2_path_below(path, receiver->gone_dir)))
		return NULL;
	return old;
}

static void set_gone(struct receiver *receiver, const char *path)
{
	free(receiver->gone_dir);
	receiver->gone_dir = o2_xstrdup(path);
	o2_tree_forget(receiver->tree);
}

/* A path from the sender: one that can't lead out, and comes after the last. Takes it. */
static int accept_path(struct receiver *receiver, char *path, struct o2_err *err)
{
	if (receiver->tree == NULL || receiver->in.open || !o2_path_valid(path, strlen(path)) ||
	    (receiver->last_path && o2_path_compare(receiver->last_path, path) >= 0)) {
		free(path);
		return malformed(err, "a path out of turn, or one that leads out of the tree");
	}
	free(receiver->last_path);
	receiver->last_path = path;
	pass_to(receiver, path);
	return 0;
}

/* --- frames --- */

static void finish_tree(struct receiver *receiver)
{
	if (receiver->tree == NULL)
		return;
	size_t index = receiver->next_tree - 1;
	pass_to(receiver, NULL);
	o2_cursor_release(&receiver->old);
	o2_memory_freep(&receiver->agent->memories[index]);
	receiver->finished[index] = O2_STEAL(receiver->new);
	receiver->tree = NULL;
	o2_freep(&receiver->last_path);
	o2_freep(&receiver->gone_dir);
}

static int take_tree(struct receiver *receiver, struct o2_wire *wire, struct o2_err *err)
{
	size_t index = o2_wire_u16(wire);

	if (!o2_wire_done(wire) || receiver->in.open || index != receiver->next_tree ||
	    index >= receiver->agent->count)
		return malformed(err, "trees out of turn");
	finish_tree(receiver);
	receiver->next_tree++;
	receiver->tree = &receiver->agent->trees[index];
	receiver->new = o2_memory_new();
	o2_cursor_init(&receiver->old, receiver->agent->memories[index], true);
	return 0;
}

static int take_remove(struct receiver *receiver, struct o2_wire *wire, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *path = o2_wire_text(wire, O2_PATH_MAX_BYTES);
	O2_AUTO(o2_dir_unrefp) struct o2_dir *dir = NULL;
	struct o2_err absent = { 0 };
	const char *name;
	int rc;

	if (!o2_wire_done(wire) || path[0] == '\0')
		return malformed(err, "a malformed removal");
	if ((rc = accept_path(receiver, O2_STEAL(path), err)) < 0)
		return rc;
	path = o2_xstrdup(receiver->last_path);
	if (old_at(receiver, path))
		o2_cursor_next(&receiver->old);
	receiver->agent->stats.changed_files++;
	rc = o2_tree_parent(receiver->tree, path, &dir, &name, &absent);
	if (rc == -O2_ENOTFOUND)
		return 0;
	if (rc < 0) {
		*err = absent;
		return rc;
	}
	O2_AUTO(o2_freep) char *label = o2_agent_label(receiver->tree, path);
	o2_tree_touch_parent(receiver->tree, path);
	rc = o2_place_remove(dir->fd, name, label, err);
	set_gone(receiver, path);
	return rc;
}

static int check_device(const struct receiver *receiver, const struct incoming *in,
			struct o2_err *err)
{
	off_t size = lseek(receiver->tree->root->fd, 0, SEEK_END);

	if (size < 0 || (uint64_t)size < in->entry.size)
		return o2_fail(err, O2_ELIMIT,
			       "the device of '%s' has %lld bytes, of %llu that it should hold",
			       in->label, (long long)size, (unsigned long long)in->entry.size);
	return 0;
}

/* The digests of what the file holds before the first block comes: the old ones, zeros for what is new. */
static void start_blocks(struct incoming *in, const struct o2_record *old)
{
	size_t known = 0;

	in->block_count = o2_block_count(in->entry.size);
	in->blocks = o2_xmalloc(in->block_count * O2_SHA256_BYTES + 1);
	if (old && !in->fresh) {
		known = old->block_count < in->block_count ? old->block_count : in->block_count;
		if (known > 0)
			memcpy(in->blocks, old->blocks, known * O2_SHA256_BYTES);
	}
	for (size_t i = known; i < in->block_count; i++)
		o2_block_zero_digest(o2_block_length(in->entry.size, i),
				     in->blocks + i * O2_SHA256_BYTES);
}

/* The descriptor that the content goes to. */
static int need_fd(struct receiver *receiver, struct o2_err *err)
{
	struct incoming *in = &receiver->in;

	if (in->fd >= 0)
		return 0;
	if (in->entry.type == O2_ENTRY_DEVICE) {
		in->fd = fcntl(receiver->tree->root->fd, F_DUPFD_CLOEXEC, 0);
		return in->fd < 0 ? o2_fail_errno(err, errno, "cannot open '%s'", in->label) : 0;
	}
	return o2_place_open(in->dir->fd, in->name, in->label, &in->fd, err);
}

static int start_entry(struct receiver *receiver, const struct o2_record *old, struct o2_err *err)
{
	struct incoming *in = &receiver->in;
	int rc = 0;

	if (in->entry.type == O2_ENTRY_DEVICE) {
		if ((rc = check_device(receiver, in, err)) < 0)
			return rc;
	} else if (in->path[0] == '\0') {
		return 0;
	} else if (in->fresh || in->entry.type != O2_ENTRY_FILE) {
		o2_tree_touch_parent(receiver->tree, in->path);
		if ((rc = o2_place_make(receiver->tree, in->dir->fd, in->name, &in->entry,
					in->label, &in->fd, err)) < 0)
			return rc;
		if (in->entry.type != O2_ENTRY_DIRECTORY)
			set_gone(receiver, in->path); /* if a directory stood there */
	}
	if (!o2_entry_has_content(in->entry.type))
		return 0;
	start_blocks(in, old);
	if (in->entry.type == O2_ENTRY_DEVICE ||
	    in->entry.size == (in->fresh || old == NULL ? 0 : old->size))
		return 0;
	if ((rc = need_fd(receiver, err)) < 0)
		return rc;
	if (ftruncate(in->fd, (off_t)in->entry.size) < 0)
		return o2_fail_errno(err, errno, "cannot set the length of '%s'", in->label);
	return 0;
}

static bool is_sensible(const struct receiver *receiver, const struct incoming *in,
			const struct o2_record *old)
{
	uint8_t type = in->entry.type;

	if (receiver->tree->device || type == O2_ENTRY_DEVICE)
		return receiver->tree->device && type == O2_ENTRY_DEVICE && in->path[0] == '\0';
	if (in->path[0] == '\0')
		return type == O2_ENTRY_DIRECTORY;
	if (type == O2_ENTRY_HARDLINK &&
	    (!o2_path_valid(in->entry.target, strlen(in->entry.target)) ||
	     o2_path_compare(in->entry.target, in->path) >= 0))
		return false;
	return in->fresh || (old && old->type == type);
}

static int take_entry(struct receiver *receiver, struct o2_wire *wire, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *path = o2_wire_text(wire, O2_PATH_MAX_BYTES);
	bool fresh = o2_wire_u8(wire) != 0;
	struct incoming *in = &receiver->in;
	O2_AUTO(o2_entry_release) struct o2_entry entry;
	int rc;

	o2_entry_get(wire, &entry);
	if (!o2_wire_done(wire))
		return malformed(err, "a malformed entry");
	if ((rc = accept_path(receiver, O2_STEAL(path), err)) < 0)
		return rc;
	in->open = true;
	in->path = o2_xstrdup(receiver->last_path);
	in->label = o2_agent_label(receiver->tree, in->path);
	in->entry = entry;
	entry = (struct o2_entry){ 0 };
	in->fresh = fresh;
	const struct o2_record *old = old_at(receiver, in->path);
	if (!is_sensible(receiver, in, old))
		return malformed(err, "an entry that can't be");
	if (!receiver->tree->device &&
	    (rc = o2_tree_parent(receiver->tree, in->path, &in->dir, &in->name, err)) < 0)
		return rc;
	rc = start_entry(receiver, old, err);
	o2_written_entry(&receiver->written[receiver->next_tree - 1],
			 o2_memory_count(receiver->new), in->entry.target);
	if (old)
		o2_cursor_next(&receiver->old);
	return rc;
}

/* --- content --- */

static int write_at(const struct incoming *in, const unsigned char *bytes, size_t len, off_t at,
		    struct o2_err *err)
{
	while (len > 0) {
		ssize_t done = pwrite(in->fd, bytes, len, at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return o2_fail_errno(err, errno, "cannot write '%s'", in->label);
		bytes += done;
		at += done;
		len -= (size_t)done;
	}
	return 0;
}

/* What became a hole: of a file that was there before; a new one is all holes. */
static int make_hole(const struct incoming *in, off_t at, size_t len, struct o2_err *err)
{
	if (len == 0 || in->fresh)
		return 0;
	if (fallocate(in->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, (off_t)len) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)
		return o2_fail_errno(err, errno, "cannot make a hole in '%s'", in->label);
	O2_AUTO(o2_freep) unsigned char *zeros = o2_xcalloc(1, len);
	return write_at(in, zeros, len, at, err);
}

static int write_block(struct receiver *receiver, off_t start, size_t len, size_t count,
		       struct o2_wire *wire, struct o2_err *err)
{
	const struct incoming *in = &receiver->in;
	struct o2_wire data = *wire;
	size_t at = 0;
	int rc;

	(void)o2_wire_take(&data, count * 8);
	for (size_t i = 0; i < count; i++) {
		uint32_t offset = o2_wire_u32(wire);
		uint32_t part = o2_wire_u32(wire);
		const unsigned char *bytes = o2_wire_take(&data, part);
		if (wire->bad || bytes == NULL || offset < at || part > len || offset > len - part)
			return malformed(err, "a malformed block");
		if ((rc = make_hole(in, start + (off_t)at, offset - at, err)) < 0 ||
		    (rc = write_at(in, bytes, part, start + (off_t)offset, err)) < 0)
			return rc;
		receiver->agent->stats.sent_bytes += part;
		at = offset + part;
	}
	if (!o2_wire_done(&data))
		return malformed(err, "a malformed block");
	return make_hole(in, start + (off_t)at, len - at, err);
}

static int take_block(struct receiver *receiver, struct o2_wire *wire, struct o2_err *err)
{
	struct incoming *in = &receiver->in;
	uint64_t index = o2_wire_u64(wire);
	size_t len = o2_wire_u32(wire);
	const unsigned char *digest = o2_wire_take(wire, O2_SHA256_BYTES);
	size_t count = o2_wire_u16(wire);
	int rc;

	if (wire->bad || !in->open || index >= in->block_count ||
	    len != o2_block_length(in->entry.size, index) || count > O2_EXTENTS_MAX ||
	    in->last_block >= (int64_t)index)
		return malformed(err, "a block out of turn");
	in->last_block = (int64_t)index;
	if ((rc = need_fd(receiver, err)) < 0)
		return rc;
	uint64_t start = index * O2_BLOCK_BYTES;
	if ((rc = write_block(receiver, (off_t)start, len, count, wire, err)) < 0)
		return rc;
	memcpy(in->blocks + index * O2_SHA256_BYTES, digest, O2_SHA256_BYTES);
	o2_written_block(&receiver->written[receiver->next_tree - 1], index);
	/* The disk works while the network does. */
	if (start + len - in->unwritten_from >= WRITE_OUT_BYTES) {
		(void)sync_file_range(in->fd, (off_t)in->unwritten_from,
				      (off_t)(start + len - in->unwritten_from),
				      SYNC_FILE_RANGE_WRITE);
		in->unwritten_from = start + len;
	}
	return 0;
}

static int apply_attributes(struct receiver *receiver, struct o2_err *err)
{
	const struct incoming *in = &receiver->in;

	if (in->entry.type == O2_ENTRY_HARDLINK || in->entry.type == O2_ENTRY_DEVICE)
		return 0;
	if (in->entry.type == O2_ENTRY_DIRECTORY)
		o2_tree_touch(receiver->tree, in->path);
	return o2_entry_apply(&in->entry, in->fd, in->dir->fd, in->name, in->label,
			      in->path[0] == '\0', err);
}

static int take_entry_end(struct receiver *receiver, struct o2_wire *wire, struct o2_err *err)
{
	struct incoming *in = &receiver->in;
	const unsigned char *digest = o2_wire_take(wire, O2_SHA256_BYTES);
	struct o2_record record = { .path = in->path,
				    .blocks = in->blocks,
				    .block_count = in->block_count };
	int rc;

	if (!o2_wire_done(wire) || digest == NULL || !in->open)
		return malformed(err, "the end of an entry out of turn");
	o2_record_set(&record, &in->entry, NULL);
	o2_entry_digest(&in->entry, in->blocks, in->block_count, record.digest);
	if (memcmp(record.digest, digest, sizeof(record.digest)) != 0)
		return o2_fail(err, O2_ECORRUPT, "what came of '%s' is not what was sent",
			       in->label);
	if ((rc = apply_attributes(receiver, err)) < 0)
		return rc;
	if (in->fd >= 0 && in->entry.type == O2_ENTRY_FILE) {
		rc = close(in->fd);
		in->fd = -1;
		if (rc < 0)
			return o2_fail_errno(err, errno, "cannot close '%s'", in->label);
	}
	receiver->agent->stats.changed_files += o2_entry_has_content(in->entry.type);
	o2_written_end(&receiver->written[receiver->next_tree - 1]);
	o2_memory_add(receiver->new, &record);
	close_incoming(in);
	return 0;
}

static int take_end(struct receiver *receiver, struct o2_wire *wire, struct o2_err *err)
{
	const unsigned char *generation = o2_wire_take(wire, O2_GENERATION_BYTES);

	if (!o2_wire_done(wire) || generation == NULL || receiver->in.open ||
	    receiver->next_tree != receiver->agent->count)
		return malformed(err, "the end of a round out of turn");
	memcpy(receiver->generation, generation, O2_GENERATION_BYTES);
	finish_tree(receiver);
	receiver->ended = true;
	return 0;
}

static int sender_failed(struct receiver *receiver, struct o2_wire *wire, struct o2_err *err)
{
	struct o2_err theirs = { 0 };
	int rc;

	(void)o2_wire_u32(wire);
	o2_error_get(wire, &theirs);
	receiver->heard = true; /* nothing more of this round will come */
	if ((rc = o2_wire_check(wire, "error of the sender", err)) < 0)
		return rc;
	*err = theirs;
	return o2_prefix(err, "sender");
}

static int take_frame(struct receiver *receiver, const struct o2_wire_frame *frame,
		      struct o2_err *err)
{
	struct o2_wire wire = o2_wire_open(frame);

	switch ((enum o2_channel_frame)frame->type) {
	case O2_FRAME_TREE:
		return take_tree(receiver, &wire, err);
	case O2_FRAME_REMOVE:
		return take_remove(receiver, &wire, err);
	case O2_FRAME_ENTRY:
		return take_entry(receiver, &wire, err);
	case O2_FRAME_BLOCK:
		return take_block(receiver, &wire, err);
	case O2_FRAME_ENTRY_END:
		return take_entry_end(receiver, &wire, err);
	case O2_FRAME_END:
		return take_end(receiver, &wire, err);
	case O2_FRAME_ERROR:
		return sender_failed(receiver, &wire, err);
	case O2_FRAME_BEGIN:
	case O2_FRAME_READY:
	case O2_FRAME_HELD_BLOCKS:
	case O2_FRAME_HELD:
	case O2_FRAME_HELD_END:
	case O2_FRAME_DONE:
	case O2_FRAME_ALIVE:
	case O2_FRAME_COUNT:
		break;
	}
	return malformed(err, "a frame that is not a sender's");
}

static int take_frames(struct receiver *receiver, struct o2_err *err)
{
	struct o2_wire_frame frame;
	int rc = 0;

	while (rc >= 0 && !receiver->ended) {
		if ((rc = o2_agent_tick(receiver->agent, err)) < 0 ||
		    (rc = o2_channel_next(receiver->channel, -1, &frame, err)) < 0)
			return rc;
		rc = take_frame(receiver, &frame, err);
	}
	return rc;
}

/* --- beginning --- */

static int send_held(void *arg, size_t tree, const struct o2_record *record, struct o2_err *err)
{
	static const size_t part_max = ((size_t)512 << 10) / O2_SHA256_BYTES;
	struct receiver *receiver = arg;
	struct o2_buf *out;
	int rc;

	o2_memory_add(receiver->agent->memories[tree], record);
	for (size_t i = 0; i < record->block_count; i += part_max) {
		size_t part =
			record->block_count - i < part_max ? record->block_count - i : part_max;
		out = o2_channel_begin(receiver->channel, O2_FRAME_HELD_BLOCKS);
		o2_wire_put_u32(out, receiver->round);
		o2_buf_add(out, record->blocks + i * O2_SHA256_BYTES, part * O2_SHA256_BYTES);
		if ((rc = o2_channel_end(receiver->channel, err)) < 0)
			return rc;
	}
	out = o2_channel_begin(receiver->channel, O2_FRAME_HELD);
	o2_wire_put_u32(out, receiver->round);
	o2_wire_put_u16(out, (uint16_t)tree);
	o2_wire_put_text(out, record->path);
	o2_wire_put_u8(out, record->type);
	o2_wire_put_u64(out, record->size);
	o2_buf_add(out, record->digest, sizeof(record->digest));
	return o2_channel_end(receiver->channel, err);
}

static int tell_held(struct receiver *receiver, struct o2_err *err)
{
	struct o2_agent *agent = receiver->agent;
	int rc;

	o2_agent_forget(agent);
	for (size_t i = 0; i < agent->count; i++)
		agent->memories[i] = o2_memory_new();
	if ((rc = o2_agent_take_inventory(agent, send_held, receiver, err)) < 0)
		return rc;
	struct o2_buf *out = o2_channel_begin(receiver->channel, O2_FRAME_HELD_END);
	o2_wire_put_u32(out, receiver->round);
	return o2_channel_end(receiver->channel, err);
}

/* Both sides must mean the same trees. */
static int check_trees(struct receiver *receiver, struct o2_wire *wire, struct o2_err *err)
{
	const struct o2_agent *agent = receiver->agent;
	size_t count = o2_wire_u16(wire);
	bool same = count == agent->count;

	for (size_t i = 0; same && i < count; i++) {
		O2_AUTO(o2_freep) char *name = o2_wire_text(wire, O2_NAME_MAX_BYTES);
		bool device = o2_wire_u8(wire) != 0;
		same = strcmp(name, agent->trees[i].name) == 0 && device == agent->trees[i].device;
	}
	if (!same)
		return o2_fail(err, O2_EINVALID,
			       "sender and receiver were not given the same trees");
	return o2_wire_check(wire, "beginning of a round", err);
}

static int begin(struct receiver *receiver, struct o2_err *err)
{
	static const unsigned char none[O2_GENERATION_BYTES];
	const struct o2_agent *agent = receiver->agent;
	struct o2_wire_frame frame;
	int rc = o2_channel_next(receiver->channel, -1, &frame, err);

	if (rc < 0)
		return rc;
	struct o2_wire wire = o2_wire_open(&frame);
	uint32_t version = o2_wire_u32(&wire);
	receiver->round = o2_wire_u32(&wire);
	const unsigned char *generation = o2_wire_take(&wire, O2_GENERATION_BYTES);
	if (frame.type != O2_FRAME_BEGIN || generation == NULL)
		return malformed(err, "something else than the beginning of a round");
	if (version != O2_STREAM_VERSION)
		return o2_fail(err, O2_EUNSUPPORTED,
			       "the sender speaks version %u, the receiver %d", version,
			       O2_STREAM_VERSION);
	bool same = memcmp(generation, none, sizeof(none)) != 0 &&
		    memcmp(generation, agent->generation, sizeof(none)) == 0 &&
		    o2_agent_remembers(agent);
	if ((rc = check_trees(receiver, &wire, err)) < 0)
		return rc;
	struct o2_buf *out = o2_channel_begin(receiver->channel, O2_FRAME_READY);
	o2_wire_put_u32(out, receiver->round);
	o2_wire_put_u8(out, same);
	if ((rc = o2_channel_end(receiver->channel, err)) < 0 ||
	    (!same && (rc = tell_held(receiver, err)) < 0))
		return rc;
	return o2_channel_flush(receiver->channel, err);
}

/* --- ending --- */

static void count_all(struct receiver *receiver)
{
	struct o2_stream_stats *stats = &receiver->agent->stats;

	for (size_t i = 0; i < receiver->agent->count; i++) {
		struct o2_cursor cursor;
		o2_cursor_init(&cursor, receiver->finished[i], false);
		for (; cursor.record; o2_cursor_next(&cursor)) {
			if (!o2_record_counts(cursor.record))
				continue;
			stats->entries++;
			stats->files += o2_entry_has_content(cursor.record->type);
			stats->bytes += cursor.record->size;
		}
		o2_cursor_release(&cursor);
	}
}

static int finish(struct receiver *receiver, struct o2_err *err)
{
	struct o2_agent *agent = receiver->agent;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < agent->count; i++)
		rc = o2_settle_directories(&agent->trees[i], receiver->finished[i], err);
	if (rc < 0 || (rc = o2_agent_aside(agent, o2_verify_sync, agent, err)) < 0)
		return rc;
	int64_t start = o2_clock_ms();
	for (size_t i = 0; rc == 0 && i < agent->count; i++) {
		rc = o2_verify_tree(agent, i, receiver->finished[i], &receiver->written[i], err);
		if (rc == 0)
			rc = o2_settle_directories(&agent->trees[i], receiver->finished[i], err);
	}
	agent->stats.verify_us = (uint64_t)(o2_clock_ms() - start) * 1000;
	if (rc < 0)
		return rc;
	count_all(receiver);
	for (size_t i = 0; i < agent->count; i++)
		agent->memories[i] = O2_STEAL(receiver->finished[i]);
	memcpy(agent->generation, receiver->generation, sizeof(agent->generation));
	struct o2_buf *out = o2_channel_begin(receiver->channel, O2_FRAME_DONE);
	o2_wire_put_u32(out, receiver->round);
	if ((rc = o2_channel_end(receiver->channel, err)) < 0)
		return rc;
	return o2_channel_flush(receiver->channel, err);
}

/* Tell the sender, and read on until it has heard: it may be in the middle of a write. */
static void tell_failure(struct receiver *receiver, const struct o2_err *failed)
{
	struct o2_wire_frame frame = { 0 };
	struct o2_buf *out;

	if (o2_channel_broken(receiver->channel))
		return;
	out = o2_channel_begin(receiver->channel, O2_FRAME_ERROR);
	o2_wire_put_u32(out, receiver->round);
	o2_error_put(out, failed);
	if (o2_channel_end(receiver->channel, NULL) < 0 ||
	    o2_channel_flush(receiver->channel, NULL) < 0)
		return;
	while (frame.type != O2_FRAME_ERROR)
		if (o2_agent_tick(receiver->agent, NULL) < 0 ||
		    o2_channel_next(receiver->channel, -1, &frame, NULL) < 0)
			return;
}

int o2_agent_receive(struct o2_agent *agent, struct o2_err *err)
{
	struct receiver receiver = { .agent = agent, .channel = agent->channel };
	struct o2_err failed = { 0 };
	int rc;

	if (agent->channel == NULL)
		return o2_fail(err, O2_ETRANSIENT, "there is no connection to the other agent");
	receiver.finished = o2_xcalloc(agent->count, sizeof(struct o2_memory *));
	receiver.written = o2_xcalloc(agent->count, sizeof(*receiver.written));
	receiver.in.fd = -1;
	close_incoming(&receiver.in);
	for (size_t i = 0; i < agent->count; i++) {
		o2_written_init(&receiver.written[i]);
		agent->trees[i].open_up = true;
	}
	if ((rc = o2_agent_lock(agent, &failed)) == 0 && (rc = begin(&receiver, &failed)) == 0 &&
	    (rc = take_frames(&receiver, &failed)) == 0)
		rc = finish(&receiver, &failed);
	if (rc < 0) {
		if (!receiver.heard)
			tell_failure(&receiver, &failed);
		o2_agent_forget(agent);
		if (err)
			*err = failed;
	}
	close_incoming(&receiver.in);
	if (receiver.tree)
		o2_cursor_release(&receiver.old);
	for (size_t i = 0; i < agent->count; i++) {
		o2_memory_free(receiver.finished[i]);
		o2_written_release(&receiver.written[i]);
		o2_tree_forget(&agent->trees[i]);
		o2_strs_release(&agent->trees[i].touched);
		agent->trees[i].open_up = false;
	}
	o2_memory_free(receiver.new);
	free(receiver.finished);
	free(receiver.written);
	free(receiver.last_path);
	free(receiver.gone_dir);
	return rc;
}
