/* What trees hold, read from the disk; and the digest of what is known. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "stream/stream_internal.h"

struct inventory {
	struct o2_agent *agent;
	size_t index; /* of the tree */
	struct o2_tree *tree;
	struct o2_reader *reader;
	struct o2_scan *scan;
	bool scanned;
	struct o2_block block; /* of larger files */
	unsigned char *digests;
	size_t cap;
	o2_inventory_fn *visit;
	void *arg;
};

static int fill(struct inventory *inventory, struct o2_err *err)
{
	while (!inventory->scanned && o2_reader_room(inventory->reader)) {
		struct o2_found found;
		int rc = o2_scan_next(inventory->scan, &found, err);
		if (rc < 0)
			return rc;
		inventory->scanned = rc == 0;
		if (rc == 0)
			break;
		struct o2_job *job = o2_job_new();
		job->found = found;
		job->from_disk = true;
		job->open_up = true;
		o2_reader_push(inventory->reader, job);
	}
	return 0;
}

static int hash_large(struct inventory *inventory, struct o2_job *job, size_t count,
		      struct o2_err *err)
{
	for (size_t i = 0; i < count; i++) {
		int rc = o2_block_read(job->fd, job->entry.size, i, job->sparse, &inventory->block,
				       &job->read_bytes, err);
		if (rc < 0 || (rc = o2_agent_tick(inventory->agent, err)) < 0)
			return rc;
		memcpy(inventory->digests + i * O2_SHA256_BYTES, inventory->block.digest,
		       O2_SHA256_BYTES);
	}
	(void)posix_fadvise(job->fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

static int record(struct inventory *inventory, struct o2_job *job, struct o2_err *err)
{
	struct o2_agent *agent = inventory->agent;
	struct o2_record record = { .path = job->found.path, .recheck = true };

	if (job->err.code < 0) {
		if (err)
			*err = job->err;
		return o2_prefix(err, "'%s/%s'", inventory->tree->name, job->found.path);
	}
	if (job->gone)
		return 0;
	if (o2_entry_has_content(job->entry.type))
		record.block_count = o2_block_count(job->entry.size);
	if (record.block_count > inventory->cap) {
		inventory->cap = record.block_count;
		inventory->digests =
			o2_xrealloc(inventory->digests, inventory->cap, O2_SHA256_BYTES);
	}
	if (job->fd >= 0) {
		if (hash_large(inventory, job, record.block_count, err) < 0)
			return o2_prefix(err, "'%s/%s'", inventory->tree->name, job->found.path);
	} else if (record.block_count == 1) {
		memcpy(inventory->digests, job->block.digest, O2_SHA256_BYTES);
	}
	record.blocks = inventory->digests;
	o2_record_set(&record, &job->entry, &job->found.st);
	o2_entry_digest(&job->entry, record.blocks, record.block_count, record.digest);
	agent->stats.read_bytes += job->read_bytes;
	return inventory->visit(inventory->arg, inventory->index, &record, err);
}

static int take_tree(struct inventory *inventory, struct o2_err *err)
{
	int rc;

	for (;;) {
		if ((rc = fill(inventory, err)) < 0)
			return rc;
		if (o2_reader_empty(inventory->reader))
			return 0;
		O2_AUTO(o2_job_freep)
		struct o2_job *job =
			o2_reader_pop(inventory->reader, o2_agent_tick, inventory->agent, err);
		if (job == NULL)
			return err->code;
		if ((rc = record(inventory, job, err)) < 0 ||
		    (rc = o2_agent_tick(inventory->agent, err)) < 0)
			return rc;
	}
}

int o2_agent_take_inventory(struct o2_agent *agent, o2_inventory_fn *visit, void *arg,
			    struct o2_err *err)
{
	struct inventory inventory = { .agent = agent, .visit = visit, .arg = arg };
	int rc = 0;

	o2_block_init(&inventory.block);
	for (size_t i = 0; rc == 0 && i < agent->count; i++) {
		inventory.index = i;
		inventory.tree = &agent->trees[i];
		inventory.scanned = false;
		inventory.reader = o2_reader_new();
		inventory.scan = o2_scan_new(inventory.tree, false);
		rc = take_tree(&inventory, err);
		o2_reader_freep(&inventory.reader);
		o2_scan_freep(&inventory.scan);
	}
	o2_block_release(&inventory.block);
	free(inventory.digests);
	return rc;
}

static int remember(void *arg, size_t tree, const struct o2_record *found, struct o2_err *err)
{
	struct o2_agent *agent = arg;

	(void)err;
	o2_memory_add(agent->memories[tree], found);
	return 0;
}

int o2_agent_know(struct o2_agent *agent, struct o2_err *err)
{
	if (o2_agent_remembers(agent))
		return 0;
	o2_agent_forget(agent);
	for (size_t i = 0; i < agent->count; i++)
		agent->memories[i] = o2_memory_new();
	int rc = o2_agent_take_inventory(agent, remember, agent, err);
	if (rc < 0)
		o2_agent_forget(agent);
	return rc;
}

/* --- digests --- */

bool o2_record_counts(const struct o2_record *found)
{
	return found->path[0] != '\0' || found->type == O2_ENTRY_DEVICE;
}

static void add_record(struct o2_sha256 *hash, const struct o2_tree *tree,
		       const struct o2_record *found)
{
	O2_AUTO(o2_freep) char *label = o2_agent_label(tree, found->path);

	o2_sha256_add(hash, label, strlen(label) + 1);
	o2_sha256_add(hash, found->digest, sizeof(found->digest));
}

/* Over the entries' paths and digests, in order, tree by tree. */
int o2_agent_digest(struct o2_agent *agent, struct o2_err *err)
{
	char digest[O2_SHA256_HEX_SIZE];
	struct o2_stream_stats stats = { 0 };
	struct o2_buf frame;
	int rc;

	if ((rc = o2_agent_know(agent, err)) < 0)
		return rc;
	struct o2_sha256 *hash = o2_sha256_new();
	for (size_t i = 0; i < agent->count; i++) {
		struct o2_cursor cursor;
		o2_cursor_init(&cursor, agent->memories[i], false);
		for (; cursor.record; o2_cursor_next(&cursor)) {
			if (!o2_record_counts(cursor.record))
				continue;
			add_record(hash, &agent->trees[i], cursor.record);
			stats.entries++;
			stats.files += o2_entry_has_content(cursor.record->type);
			stats.bytes += cursor.record->size;
		}
		o2_cursor_release(&cursor);
	}
	o2_sha256_final(hash, digest);
	o2_event_begin(&frame, O2_STREAM_DIGEST);
	o2_wire_put_text(&frame, digest);
	o2_stats_put(&frame, &stats);
	return o2_agent_emit(agent, &frame, err);
}

static int tell(struct o2_agent *agent, const char *path, const char *digest, struct o2_err *err)
{
	struct o2_buf frame;

	o2_event_begin(&frame, O2_STREAM_LISTED);
	o2_wire_put_text(&frame, path);
	o2_wire_put_text(&frame, digest);
	return o2_agent_emit(agent, &frame, err);
}

static void to_hex(const unsigned char digest[O2_SHA256_BYTES], char out[O2_SHA256_HEX_SIZE])
{
	for (size_t i = 0; i < O2_SHA256_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

int o2_agent_list(struct o2_agent *agent, struct o2_err *err)
{
	int rc = o2_agent_know(agent, err);

	for (size_t i = 0; rc == 0 && i < agent->count; i++) {
		struct o2_cursor cursor;
		o2_cursor_init(&cursor, agent->memories[i], false);
		for (; rc == 0 && cursor.record; o2_cursor_next(&cursor)) {
			char digest[O2_SHA256_HEX_SIZE];
			if (!o2_record_counts(cursor.record))
				continue;
			O2_AUTO(o2_freep)
			char *label = o2_agent_label(&agent->trees[i], cursor.record->path);
			to_hex(cursor.record->digest, digest);
			if (!agent->stop)
				rc = tell(agent, label, digest, err);
		}
		o2_cursor_release(&cursor);
	}
	return rc < 0 ? rc : tell(agent, "", "", err);
}
