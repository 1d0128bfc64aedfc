#include "stream/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTES_MAX_BYTES ((size_t)1 << 30)

void o2_written_init(struct o2_written *written)
{
	*written = (struct o2_written){ 0 };
	o2_buf_init(&written->notes, NOTES_MAX_BYTES);
}

void o2_written_release(struct o2_written *written)
{
	if (written->notes.data)
		o2_buf_release(&written->notes);
}

void o2_written_entry(struct o2_written *written, size_t number, const char *target)
{
	o2_wire_put_u64(&written->notes, number);
	o2_wire_put_text(&written->notes, target ? target : "");
	written->blocks_at = written->notes.len;
	written->blocks = 0;
	o2_wire_put_u32(&written->notes, 0);
}

void o2_written_block(struct o2_written *written, size_t index)
{
	o2_wire_put_u64(&written->notes, index);
	written->blocks++;
}

void o2_written_end(struct o2_written *written)
{
	struct o2_buf number;

	if (o2_buf_overflowed(&written->notes))
		return;
	o2_buf_init(&number, 4);
	o2_wire_put_u32(&number, written->blocks);
	memcpy(written->notes.data + written->blocks_at, number.data, 4);
	o2_buf_release(&number);
}

int o2_verify_sync(void *arg, struct o2_err *err)
{
	const struct o2_agent *agent = arg;

	for (size_t i = 0; i < agent->count; i++) {
		const struct o2_tree *tree = &agent->trees[i];
		int rc = tree->device ? fsync(tree->root->fd) : syncfs(tree->root->fd);
		if (rc < 0)
			return o2_fail_errno(err, errno, "cannot make '%s' durable", tree->name);
	}
	return 0;
}

/* What is expected of an entry: goes with its job. */
struct expected {
	unsigned char digest[O2_SHA256_BYTES];
	unsigned char *blocks;
	size_t block_count;
	size_t *written;
	size_t written_count;
};

static void free_expected(void *arg)
{
	struct expected *expected = arg;

	free(expected->blocks);
	free(expected->written);
	free(expected);
}

struct verify {
	struct o2_agent *agent;
	struct o2_tree *tree;
	struct o2_cursor cursor;
	size_t number; /* of the cursor's record */
	struct o2_wire notes;
	struct o2_reader *reader;
	struct o2_block block;
};

static struct expected *expect(struct verify *verify, const struct o2_record *record,
			       uint32_t count)
{
	struct expected *expected = o2_xcalloc(1, sizeof(*expected));

	memcpy(expected->digest, record->digest, sizeof(expected->digest));
	expected->block_count = record->block_count;
	expected->blocks = o2_xmalloc(record->block_count * O2_SHA256_BYTES + 1);
	memcpy(expected->blocks, record->blocks, record->block_count * O2_SHA256_BYTES);
	expected->written = o2_xmalloc((size_t)count * sizeof(size_t) + 1);
	for (uint32_t i = 0; i < count; i++)
		expected->written[expected->written_count++] = o2_wire_u64(&verify->notes);
	return expected;
}

/* A hard link has the inode of its first name. */
static int check_hard_link(struct verify *verify, const struct o2_found *found, const char *target,
			   struct o2_err *err)
{
	O2_AUTO(o2_dir_unrefp) struct o2_dir *dir = NULL;
	const char *name;
	struct stat st;

	if (o2_tree_parent(verify->tree, target, &dir, &name, NULL) == 0 &&
	    fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == found->st.st_ino && st.st_dev == found->st.st_dev)
		return 0;
	return o2_fail(err, O2_EIO, "'%s/%s' is not the same file as '%s' on the disk",
		       verify->tree->name, found->path, target);
}

static int push(struct verify *verify, const struct o2_record *record, const char *target,
		uint32_t count, struct o2_err *err)
{
	O2_AUTO(o2_job_freep) struct o2_job *job = o2_job_new();
	struct o2_found *found = &job->found;
	const char *name;
	int rc;

	found->path = o2_xstrdup(record->path);
	found->type = record->type;
	job->note = expect(verify, record, count);
	job->free_note = free_expected;
	job->from_disk = true;
	job->open_up = true;
	if ((rc = o2_tree_parent(verify->tree, found->path, &found->dir, &name, err)) < 0)
		return rc;
	found->name = name;
	if (record->type == O2_ENTRY_DEVICE) {
		found->st.st_size = (off_t)record->size;
	} else if (fstatat(found->dir->fd, name, &found->st, AT_SYMLINK_NOFOLLOW) < 0) {
		return o2_fail_errno(err, errno, "cannot look at '%s/%s'", verify->tree->name,
				     found->path);
	} else if (record->type == O2_ENTRY_HARDLINK) {
		found->first_path = o2_xstrdup(target);
		if ((rc = check_hard_link(verify, found, target, err)) < 0)
			return rc;
	} else if (o2_entry_type_of(&found->st) != record->type) {
		return o2_fail(err, O2_EIO, "'%s/%s' is something else on the disk than was sent",
			       verify->tree->name, found->path);
	}
	o2_reader_push(verify->reader, O2_STEAL(job));
	return 0;
}

static int fill(struct verify *verify, struct o2_err *err)
{
	int rc = 0;

	while (rc == 0 && verify->notes.left > 0 && o2_reader_room(verify->reader)) {
		size_t number = o2_wire_u64(&verify->notes);
		O2_AUTO(o2_freep) char *target = o2_wire_text(&verify->notes, O2_PATH_MAX_BYTES);
		uint32_t count = o2_wire_u32(&verify->notes);
		for (; verify->cursor.record && verify->number < number; verify->number++)
			o2_cursor_next(&verify->cursor);
		if (verify->cursor.record == NULL || verify->notes.bad)
			return o2_fail(err, O2_EINTERNAL, "a note of what was written is wrong");
		rc = push(verify, verify->cursor.record, target, count, err);
	}
	return rc;
}

static int differs(const struct verify *verify, const struct o2_job *job, size_t index,
		   struct o2_err *err)
{
	return o2_fail(err, O2_EIO,
		       "'%s/%s' reads back from the disk otherwise than it was written (block %zu)",
		       verify->tree->name, job->found.path, index);
}

static int check_blocks(struct verify *verify, struct o2_job *job, struct o2_err *err)
{
	const struct expected *expected = job->note;
	int rc;

	if (job->entry.size > 0 && o2_block_count(job->entry.size) != expected->block_count)
		return differs(verify, job, expected->block_count, err);
	if (job->fd < 0) {
		if (expected->block_count == 1 &&
		    (job->block.bytes == NULL ||
		     memcmp(job->block.digest, expected->blocks, O2_SHA256_BYTES) != 0))
			return differs(verify, job, 0, err);
		return 0;
	}
	for (size_t i = 0; i < expected->written_count; i++) {
		size_t index = expected->written[i];
		if ((rc = o2_block_read(job->fd, job->entry.size, index, job->sparse,
					&verify->block, &job->read_bytes, err)) < 0)
			return rc;
		if (memcmp(verify->block.digest, expected->blocks + index * O2_SHA256_BYTES,
			   O2_SHA256_BYTES) != 0)
			return differs(verify, job, index, err);
		if ((rc = o2_agent_tick(verify->agent, err)) < 0)
			return rc;
	}
	(void)posix_fadvise(job->fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

static int check(struct verify *verify, struct o2_job *job, struct o2_err *err)
{
	const struct expected *expected = job->note;
	unsigned char digest[O2_SHA256_BYTES];
	int rc;

	if (job->err.code < 0) {
		*err = job->err;
		return o2_prefix(err, "'%s/%s'", verify->tree->name, job->found.path);
	}
	if (job->gone)
		return o2_fail(err, O2_EIO, "'%s/%s' vanished after it was written",
			       verify->tree->name, job->found.path);
	if ((rc = check_blocks(verify, job, err)) < 0)
		return rc;
	verify->agent->stats.read_bytes += job->read_bytes;
	if (!*job->found.path && job->found.type == O2_ENTRY_DIRECTORY)
		return 0; /* the root's attributes are carried as far as we may */
	o2_entry_digest(&job->entry, expected->blocks, expected->block_count, digest);
	if (memcmp(digest, expected->digest, sizeof(digest)) != 0)
		return o2_fail(err, O2_EIO,
			       "'%s/%s' has other attributes on the disk than were sent",
			       verify->tree->name, job->found.path);
	return 0;
}

static int run(struct verify *verify, struct o2_err *err)
{
	int rc;

	for (;;) {
		if ((rc = fill(verify, err)) < 0)
			return rc;
		if (o2_reader_empty(verify->reader))
			return 0;
		O2_AUTO(o2_job_freep)
		struct o2_job *job =
			o2_reader_pop(verify->reader, o2_agent_tick, verify->agent, err);
		if (job == NULL)
			return err->code;
		if ((rc = check(verify, job, err)) < 0 ||
		    (rc = o2_agent_tick(verify->agent, err)) < 0)
			return rc;
	}
}

int o2_verify_tree(struct o2_agent *agent, size_t tree, struct o2_memory *memory,
		   const struct o2_written *written, struct o2_err *err)
{
	struct verify verify = { .agent = agent,
				 .tree = &agent->trees[tree],
				 .notes = { .at = (const unsigned char *)written->notes.data,
					    .left = written->notes.len } };

	if (o2_buf_overflowed(&written->notes))
		return o2_fail(err, O2_ELIMIT,
			       "too much was written in one round to keep count of it");
	o2_cursor_init(&verify.cursor, memory, false);
	o2_block_init(&verify.block);
	verify.reader = o2_reader_new();
	int rc = run(&verify, err);
	o2_reader_free(verify.reader);
	o2_block_release(&verify.block);
	o2_cursor_release(&verify.cursor);
	return rc;
}
