/* One round at the sender: walk the trees beside what is remembered of them, and tell the receiver what differs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "stream/stream_internal.h"

#define LOOK_MS 20           /* how often to look whether the receiver said something */
#define DROP_BYTES (8 << 20) /* of a large file: given back to the system in such pieces */

/* What is known of an entry before it is read: goes with its job. */
struct plan {
	struct o2_strs removed; /* what stood before it and is gone */
	bool same;              /* nothing can have changed */
	bool has_old;
	struct o2_record old; /* with path and blocks of its own */
};

struct sender {
	struct o2_agent *agent;
	struct o2_channel *channel;
	uint32_t round;
	bool final;
	int64_t looked_ms;
	/* of the tree that is being sent */
	struct o2_tree *tree;
	struct o2_scan *scan;
	bool scanned;
	struct o2_reader *reader;
	struct o2_cursor old;
	struct o2_memory *new;
	char *removed_dir; /* what the receiver removed as a whole */
	char *lost_dir;    /* vanished while it was read */
	struct o2_block block;
	unsigned char *digests; /* of the file that is being sent */
	size_t digests_cap;
	bool opened; /* its ENTRY frame was sent */
};

static void free_plan(void *arg)
{
	struct plan *plan = arg;

	o2_strs_release(&plan->removed);
	free((char *)plan->old.path);
	free((unsigned char *)plan->old.blocks);
	free(plan);
}

/* --- what the receiver says meanwhile --- */

static int receiver_failed(struct sender *sender, const struct o2_wire_frame *frame,
			   struct o2_err *err)
{
	struct o2_wire wire = o2_wire_open(frame);
	struct o2_err theirs = { 0 };
	uint32_t round = o2_wire_u32(&wire);
	int rc;

	o2_error_get(&wire, &theirs);
	if ((rc = o2_wire_check(&wire, "error of the receiver", err)) < 0)
		return rc;
	if (round != sender->round)
		return 0;
	if (err)
		*err = theirs;
	return o2_prefix(err, "receiver");
}

/* A frame of this round, or 0. Those of a round that failed are passed over. */
static int next_of_round(struct sender *sender, int wait_ms, struct o2_wire_frame *frame,
			 struct o2_wire *wire, struct o2_err *err)
{
	for (;;) {
		int rc = o2_channel_next(sender->channel, wait_ms, frame, err);
		if (rc <= 0)
			return rc;
		if (frame->type == O2_FRAME_ERROR) {
			if ((rc = receiver_failed(sender, frame, err)) < 0)
				return rc;
			continue;
		}
		*wire = o2_wire_open(frame);
		if (o2_wire_u32(wire) == sender->round && !wire->bad)
			return 1;
	}
}

static int tick(void *arg, struct o2_err *err)
{
	struct sender *sender = arg;
	struct o2_wire_frame frame;
	struct o2_wire wire;
	int64_t now = o2_clock_ms();
	int rc;

	if (now - sender->looked_ms < LOOK_MS)
		return 0;
	sender->looked_ms = now;
	if ((rc = o2_agent_tick(sender->agent, err)) < 0 ||
	    (rc = next_of_round(sender, 0, &frame, &wire, err)) < 0)
		return rc;
	return rc > 0 ? o2_fail(err, O2_ECORRUPT, "the receiver said something out of turn") : 0;
}

/* --- frames --- */

static int send_remove(struct sender *sender, const char *path, struct o2_err *err)
{
	struct o2_buf *out = o2_channel_begin(sender->channel, O2_FRAME_REMOVE);

	o2_wire_put_text(out, path);
	sender->agent->stats.changed_files++;
	return o2_channel_end(sender->channel, err);
}

static int open_entry(struct sender *sender, const struct o2_job *job, bool fresh,
		      struct o2_err *err)
{
	if (sender->opened)
		return 0;
	sender->opened = true;
	struct o2_buf *out = o2_channel_begin(sender->channel, O2_FRAME_ENTRY);
	o2_wire_put_text(out, job->found.path);
	o2_wire_put_u8(out, fresh);
	o2_entry_put(out, &job->entry);
	return o2_channel_end(sender->channel, err);
}

static int send_block(struct sender *sender, size_t index, const struct o2_block *block,
		      struct o2_err *err)
{
	struct o2_buf *out = o2_channel_begin(sender->channel, O2_FRAME_BLOCK);

	o2_wire_put_u64(out, index);
	o2_wire_put_u32(out, (uint32_t)block->len);
	o2_buf_add(out, block->digest, sizeof(block->digest));
	o2_wire_put_u16(out, (uint16_t)block->extent_count);
	for (size_t i = 0; i < block->extent_count; i++) {
		o2_wire_put_u32(out, block->extents[i].offset);
		o2_wire_put_u32(out, block->extents[i].len);
	}
	for (size_t i = 0; i < block->extent_count; i++) {
		o2_buf_add(out, block->bytes + block->extents[i].offset, block->extents[i].len);
		sender->agent->stats.sent_bytes += block->extents[i].len;
	}
	return o2_channel_end(sender->channel, err);
}

static int end_entry(struct sender *sender, const unsigned char digest[O2_SHA256_BYTES],
		     struct o2_err *err)
{
	struct o2_buf *out = o2_channel_begin(sender->channel, O2_FRAME_ENTRY_END);

	o2_buf_add(out, digest, O2_SHA256_BYTES);
	return o2_channel_end(sender->channel, err);
}

/* --- one entry --- */

static int is_final_change(const struct sender *sender, const char *path, const char *what,
			   struct o2_err *err)
{
	return sender->final ? o2_fail(err, O2_ECONFLICT, "'%s/%s' %s in the final round",
				       sender->tree->name, path, what)
			     : 0;
}

/* A block with its digest: send it unless the receiver has the same. */
static int offer_block(struct sender *sender, const struct o2_job *job, const struct plan *plan,
		       bool fresh, size_t index, const struct o2_block *block, struct o2_err *err)
{
	int rc;

	memcpy(sender->digests + index * O2_SHA256_BYTES, block->digest, O2_SHA256_BYTES);
	if (!fresh && index < plan->old.block_count) {
		if (memcmp(plan->old.blocks + index * O2_SHA256_BYTES, block->digest,
			   O2_SHA256_BYTES) == 0)
			return 0;
	} else if (block->extent_count == 0) {
		return 0; /* what a receiver makes longer begins as a hole */
	}
	if ((rc = open_entry(sender, job, fresh, err)) < 0)
		return rc;
	return send_block(sender, index, block, err);
}

static int read_large(struct sender *sender, struct o2_job *job, const struct plan *plan,
		      bool fresh, size_t count, struct o2_err *err)
{
	for (size_t i = 0; i < count; i++) {
		int rc = o2_block_read(job->fd, job->entry.size, i, job->sparse, &sender->block,
				       &job->read_bytes, err);
		if (rc < 0)
			return o2_prefix(err, "'%s/%s'", sender->tree->name, job->found.path);
		job->changed |= sender->block.is_short;
		if ((rc = offer_block(sender, job, plan, fresh, i, &sender->block, err)) < 0 ||
		    (rc = tick(sender, err)) < 0)
			return rc;
		off_t end = (off_t)(i + 1) * (off_t)O2_BLOCK_BYTES;
		if (end % DROP_BYTES == 0)
			(void)posix_fadvise(job->fd, end - DROP_BYTES, DROP_BYTES,
					    POSIX_FADV_DONTNEED);
	}
	job->changed |= o2_job_moved_on(job, job->fd);
	return 0;
}

static int send_content(struct sender *sender, struct o2_job *job, const struct plan *plan,
			bool fresh, size_t count, struct o2_err *err)
{
	int rc = 0;

	if (count > sender->digests_cap) {
		sender->digests_cap = count;
		sender->digests = o2_xrealloc(sender->digests, count, O2_SHA256_BYTES);
	}
	if (job->fd >= 0)
		rc = read_large(sender, job, plan, fresh, count, err);
	else if (count == 1)
		rc = offer_block(sender, job, plan, fresh, 0, &job->block, err);
	if (rc == 0 && job->changed)
		rc = is_final_change(sender, job->found.path, "changed while it was read", err);
	return rc;
}

static void count_entry(struct sender *sender, const struct o2_record *record)
{
	struct o2_stream_stats *stats = &sender->agent->stats;

	if (!o2_record_counts(record))
		return;
	stats->entries++;
	stats->files += o2_entry_has_content(record->type);
	stats->bytes += record->size;
}

static int send_entry(struct sender *sender, struct o2_job *job, const struct plan *plan,
		      struct o2_err *err)
{
	struct o2_stream_stats *stats = &sender->agent->stats;
	struct o2_record record = { .path = job->found.path };
	bool fresh = !plan->has_old || plan->old.type != job->entry.type;
	int rc;

	sender->opened = false;
	if (o2_entry_has_content(job->entry.type)) {
		record.block_count = o2_block_count(job->entry.size);
		if (fresh && (rc = open_entry(sender, job, fresh, err)) < 0)
			return rc;
		rc = send_content(sender, job, plan, fresh, record.block_count, err);
		stats->read_bytes += job->read_bytes;
		if (rc < 0)
			return rc;
		stats->changed_files += sender->opened;
	}
	record.blocks = sender->digests;
	record.recheck = job->changed || job->recent;
	o2_record_set(&record, &job->entry, &job->found.st);
	o2_entry_digest(&job->entry, record.blocks, record.block_count, record.digest);
	if (fresh || sender->opened ||
	    memcmp(record.digest, plan->old.digest, sizeof(record.digest)) != 0) {
		if ((rc = open_entry(sender, job, fresh, err)) < 0 ||
		    (rc = end_entry(sender, record.digest, err)) < 0)
			return rc;
	}
	count_entry(sender, &record);
	o2_memory_add(sender->new, &record);
	return 0;
}

/* It vanished after it was found. What was read of things below it is out of date, too. */
static int lose_entry(struct sender *sender, const struct o2_job *job, const struct plan *plan,
		      struct o2_err *err)
{
	const char *path = job->found.path;
	int rc = is_final_change(sender, path, "vanished", err);

	if (rc < 0)
		return rc;
	if (job->found.type == O2_ENTRY_DIRECTORY) {
		free(sender->lost_dir);
		sender->lost_dir = o2_xstrdup(path);
	}
	return plan->has_old ? send_remove(sender, path, err) : 0;
}

static int process(struct sender *sender, struct o2_job *job, struct o2_err *err)
{
	const struct plan *plan = job->note;
	int rc;

	for (size_t i = 0; i < plan->removed.count; i++)
		if ((rc = send_remove(sender, plan->removed.items[i], err)) < 0)
			return rc;
	if (plan->same) {
		count_entry(sender, &plan->old);
		o2_memory_add(sender->new, &plan->old);
		return 0;
	}
	if (job->err.code < 0) {
		if (err)
			*err = job->err;
		return o2_prefix(err, "'%s/%s'%s", sender->tree->name, job->found.path,
				 job->err.code == -O2_EAUTH
					 ? " (run the mover as root: --mover-as-root)"
					 : "");
	}
	if (job->gone || (sender->lost_dir && o2_path_below(job->found.path, sender->lost_dir)))
		return lose_entry(sender, job, plan, err);
	return send_entry(sender, job, plan, err);
}

/* --- finding what to read --- */

static void set_removed_dir(struct sender *sender, const char *path)
{
	free(sender->removed_dir);
	sender->removed_dir = o2_xstrdup(path);
}

/* Old records before `path` (NULL: all) are of what is gone now. */
static void collect_removed(struct sender *sender, const char *path, struct o2_strs *removed)
{
	const struct o2_record *old;

	while ((old = sender->old.record) != NULL &&
	       (path == NULL || o2_path_compare(old->path, path) < 0)) {
		if (sender->removed_dir == NULL || !o2_path_below(old->path, sender->removed_dir)) {
			o2_strs_add(removed, old->path);
			if (old->type == O2_ENTRY_DIRECTORY)
				set_removed_dir(sender, old->path);
		}
		o2_cursor_next(&sender->old);
	}
}

static bool is_same(const struct o2_record *old, const struct o2_found *found)
{
	const struct stat *st = &found->st;

	/* A device's times say nothing of its content, and a hard link's first name may be another one. */
	return old->type == found->type && found->type != O2_ENTRY_DEVICE &&
	       found->type != O2_ENTRY_HARDLINK && !old->recheck && old->ino == st->st_ino &&
	       old->mtime_s == st->st_mtim.tv_sec &&
	       old->mtime_ns == (uint32_t)st->st_mtim.tv_nsec &&
	       old->ctime_s == st->st_ctim.tv_sec &&
	       old->ctime_ns == (uint32_t)st->st_ctim.tv_nsec &&
	       (found->type != O2_ENTRY_FILE || old->size == (uint64_t)st->st_size);
}

static void keep_old(struct plan *plan, const struct o2_record *old)
{
	unsigned char *blocks = NULL;

	if (old->block_count > 0) {
		blocks = o2_xmalloc(old->block_count * O2_SHA256_BYTES);
		memcpy(blocks, old->blocks, old->block_count * O2_SHA256_BYTES);
	}
	plan->old = *old;
	plan->old.path = o2_xstrdup(old->path);
	plan->old.blocks = blocks;
	plan->has_old = true;
}

/* Beside the memory, in the same order: what is it to what was found? Takes `found`. */
static void plan_entry(struct sender *sender, struct o2_found *found)
{
	struct o2_job *job = o2_job_new();
	struct plan *plan = o2_xcalloc(1, sizeof(*plan));

	job->found = *found;
	job->note = plan;
	job->free_note = free_plan;
	collect_removed(sender, found->path, &plan->removed);
	const struct o2_record *old = sender->old.record;
	if (old && strcmp(old->path, found->path) == 0) {
		plan->same = is_same(old, found);
		keep_old(plan, old);
		if (old->type == O2_ENTRY_DIRECTORY && found->type != O2_ENTRY_DIRECTORY)
			set_removed_dir(sender, old->path);
		o2_cursor_next(&sender->old);
	}
	job->skip = plan->same;
	o2_reader_push(sender->reader, job);
}

static int fill(struct sender *sender, struct o2_err *err)
{
	while (!sender->scanned && o2_reader_room(sender->reader)) {
		struct o2_found found;
		int rc = o2_scan_next(sender->scan, &found, err);
		if (rc < 0)
			return rc;
		sender->scanned = rc == 0;
		if (rc > 0)
			plan_entry(sender, &found);
	}
	return 0;
}

static int send_removed_at_end(struct sender *sender, struct o2_err *err)
{
	O2_AUTO(o2_strs_release) struct o2_strs removed = { 0 };
	int rc = 0;

	collect_removed(sender, NULL, &removed);
	for (size_t i = 0; rc == 0 && i < removed.count; i++)
		rc = send_remove(sender, removed.items[i], err);
	return rc;
}

static int send_entries(struct sender *sender, struct o2_err *err)
{
	int rc;

	for (;;) {
		if ((rc = fill(sender, err)) < 0)
			return rc;
		if (o2_reader_empty(sender->reader))
			return send_removed_at_end(sender, err);
		O2_AUTO(o2_job_freep)
		struct o2_job *job = o2_reader_pop(sender->reader, tick, sender, err);
		if (job == NULL)
			return err->code;
		if ((rc = process(sender, job, err)) < 0 || (rc = tick(sender, err)) < 0)
			return rc;
	}
}

static int send_tree(struct sender *sender, size_t index, struct o2_err *err)
{
	struct o2_agent *agent = sender->agent;
	struct o2_buf *out = o2_channel_begin(sender->channel, O2_FRAME_TREE);
	int rc;

	o2_wire_put_u16(out, (uint16_t)index);
	if ((rc = o2_channel_end(sender->channel, err)) < 0)
		return rc;
	sender->tree = &agent->trees[index];
	sender->scan = o2_scan_new(sender->tree, sender->final);
	sender->scanned = false;
	sender->reader = o2_reader_new();
	sender->new = o2_memory_new();
	o2_cursor_init(&sender->old, agent->memories[index], true);
	rc = send_entries(sender, err);
	o2_cursor_release(&sender->old);
	o2_reader_freep(&sender->reader);
	o2_scan_freep(&sender->scan);
	o2_freep(&sender->removed_dir);
	o2_freep(&sender->lost_dir);
	o2_memory_freep(&agent->memories[index]);
	if (rc == 0)
		agent->memories[index] = O2_STEAL(sender->new);
	o2_memory_freep(&sender->new);
	return rc;
}

/* --- what the receiver holds --- */

struct held {
	struct o2_buf blocks;
	char *last;
	size_t tree;
};

static int remember_held(struct sender *sender, struct held *held, struct o2_wire *wire,
			 struct o2_err *err)
{
	struct o2_record record = { .recheck = true };
	struct o2_agent *agent = sender->agent;
	size_t tree = o2_wire_u16(wire);
	O2_AUTO(o2_freep) char *path = o2_wire_text(wire, O2_PATH_MAX_BYTES);
	record.type = o2_wire_u8(wire);
	record.size = o2_wire_u64(wire);
	const unsigned char *digest = o2_wire_take(wire, O2_SHA256_BYTES);
	size_t blocks = o2_entry_has_content(record.type) ? o2_block_count(record.size) : 0;

	if (!o2_wire_done(wire) || digest == NULL || tree >= agent->count || tree < held->tree ||
	    !o2_path_valid(path, strlen(path)) || record.type == 0 ||
	    record.type >= O2_ENTRY_TYPE_COUNT || held->blocks.len != blocks * O2_SHA256_BYTES)
		return o2_fail(err, O2_ECORRUPT, "malformed inventory of the receiver");
	if (tree == held->tree && held->last && o2_path_compare(held->last, path) >= 0)
		return o2_fail(err, O2_ECORRUPT, "the receiver's inventory is out of order");
	record.path = path;
	record.blocks = (const unsigned char *)held->blocks.data;
	record.block_count = blocks;
	memcpy(record.digest, digest, sizeof(record.digest));
	o2_memory_add(agent->memories[tree], &record);
	held->tree = tree;
	free(held->last);
	held->last = O2_STEAL(path);
	o2_buf_clear(&held->blocks);
	return 0;
}

static int take_held(struct sender *sender, struct held *held, struct o2_err *err)
{
	struct o2_wire_frame frame;
	struct o2_wire wire;
	int rc;

	for (;;) {
		if ((rc = o2_agent_tick(sender->agent, err)) < 0 ||
		    (rc = next_of_round(sender, -1, &frame, &wire, err)) < 0)
			return rc;
		switch (frame.type) {
		case O2_FRAME_HELD_BLOCKS:
			o2_buf_add(&held->blocks, wire.at, wire.left);
			if (o2_buf_overflowed(&held->blocks))
				return o2_fail(err, O2_ECORRUPT,
					       "malformed inventory of the receiver");
			break;
		case O2_FRAME_HELD:
			if ((rc = remember_held(sender, held, &wire, err)) < 0)
				return rc;
			break;
		case O2_FRAME_HELD_END:
			return o2_wire_check(&wire, "inventory of the receiver", err);
		default:
			return o2_fail(err, O2_ECORRUPT, "the receiver said something out of turn");
		}
	}
}

static int learn_held(struct sender *sender, struct o2_err *err)
{
	struct held held = { 0 };

	o2_agent_forget(sender->agent);
	for (size_t i = 0; i < sender->agent->count; i++)
		sender->agent->memories[i] = o2_memory_new();
	o2_buf_init(&held.blocks, (size_t)1 << 30);
	int rc = take_held(sender, &held, err);
	o2_buf_release(&held.blocks);
	free(held.last);
	return rc;
}

/* --- a round --- */

static int begin_round(struct sender *sender, struct o2_err *err)
{
	struct o2_agent *agent = sender->agent;
	struct o2_wire_frame frame;
	struct o2_wire wire;
	int rc;

	if (!o2_agent_remembers(agent))
		o2_agent_forget(agent);
	struct o2_buf *out = o2_channel_begin(sender->channel, O2_FRAME_BEGIN);
	o2_wire_put_u32(out, O2_STREAM_VERSION);
	o2_wire_put_u32(out, sender->round);
	o2_buf_add(out, agent->generation, sizeof(agent->generation));
	o2_wire_put_u16(out, (uint16_t)agent->count);
	for (size_t i = 0; i < agent->count; i++) {
		o2_wire_put_text(out, agent->trees[i].name);
		o2_wire_put_u8(out, agent->trees[i].device);
	}
	if ((rc = o2_channel_end(sender->channel, err)) < 0 ||
	    (rc = o2_channel_flush(sender->channel, err)) < 0 ||
	    (rc = next_of_round(sender, -1, &frame, &wire, err)) < 0)
		return rc;
	bool same = o2_wire_u8(&wire) != 0;
	if (frame.type != O2_FRAME_READY || !o2_wire_done(&wire))
		return o2_fail(err, O2_ECORRUPT,
			       "the receiver is not ready, but said something else");
	return same ? 0 : learn_held(sender, err);
}

static int end_round(struct sender *sender, unsigned char generation[O2_GENERATION_BYTES],
		     struct o2_err *err)
{
	struct o2_wire_frame frame;
	struct o2_wire wire;
	int rc;

	o2_random_bytes(generation, O2_GENERATION_BYTES);
	struct o2_buf *out = o2_channel_begin(sender->channel, O2_FRAME_END);
	o2_buf_add(out, generation, O2_GENERATION_BYTES);
	if ((rc = o2_channel_end(sender->channel, err)) < 0 ||
	    (rc = o2_channel_flush(sender->channel, err)) < 0)
		return rc;
	/* Its signs of life don't come back from the wait, so progress is not told meanwhile: the receiver tells its own. */
	if ((rc = next_of_round(sender, -1, &frame, &wire, err)) < 0)
		return rc;
	if (frame.type != O2_FRAME_DONE || !o2_wire_done(&wire))
		return o2_fail(err, O2_ECORRUPT, "the receiver did not confirm the round");
	return 0;
}

static int run_round(struct sender *sender, struct o2_err *err)
{
	unsigned char generation[O2_GENERATION_BYTES];
	int rc = begin_round(sender, err);

	for (size_t i = 0; rc == 0 && i < sender->agent->count; i++)
		rc = send_tree(sender, i, err);
	if (rc == 0 && (rc = end_round(sender, generation, err)) == 0)
		memcpy(sender->agent->generation, generation, sizeof(generation));
	return rc;
}

/* Our failure ends the round at the receiver too; if the failure was its own, it waits for a word that we heard of it. */
static void tell_failure(struct sender *sender, const struct o2_err *failed)
{
	struct o2_buf *out;

	if (o2_channel_broken(sender->channel))
		return;
	out = o2_channel_begin(sender->channel, O2_FRAME_ERROR);
	o2_wire_put_u32(out, sender->round);
	o2_error_put(out, failed);
	if (o2_channel_end(sender->channel, NULL) == 0)
		(void)!o2_channel_flush(sender->channel, NULL);
}

int o2_agent_send(struct o2_agent *agent, bool final, struct o2_err *err)
{
	struct sender sender = { .agent = agent, .channel = agent->channel, .final = final };
	struct o2_err failed = { 0 };

	if (agent->channel == NULL)
		return o2_fail(err, O2_ETRANSIENT, "there is no connection to the other agent");
	o2_random_bytes(&sender.round, sizeof(sender.round));
	o2_block_init(&sender.block);
	int rc = run_round(&sender, &failed);
	if (rc < 0) {
		tell_failure(&sender, &failed);
		o2_agent_forget(agent);
		if (err)
			*err = failed;
	}
	o2_block_release(&sender.block);
	free(sender.digests);
	return rc;
}
