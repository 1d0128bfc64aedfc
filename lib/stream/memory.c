#include "stream/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "stream/tree.h"

#define CHUNK_BYTES ((size_t)128 << 10)

/* As it lies in a chunk; the rest of the path and the blocks' digests follow. */
struct packed {
	uint16_t shared, rest; /* bytes of the path: as before, of its own */
	uint16_t mode;
	uint8_t type, recheck;
	uint32_t uid, gid, mtime_ns, ctime_ns;
	uint64_t size, ino;
	int64_t mtime_s, ctime_s;
	uint64_t block_count;
	unsigned char digest[O2_SHA256_BYTES];
} __attribute__((packed));

struct chunk {
	struct chunk *next;
	size_t len, cap;
	unsigned char bytes[];
};

struct o2_memory {
	struct chunk *first, *last;
	size_t count;
	char *last_path;
	size_t last_cap;
};

void o2_record_set(struct o2_record *record, const struct o2_entry *entry, const struct stat *st)
{
	record->type = entry->type;
	record->mode = entry->mode;
	record->uid = entry->uid;
	record->gid = entry->gid;
	record->size = entry->size;
	record->mtime_s = entry->mtime_s;
	record->mtime_ns = entry->mtime_ns;
	record->ino = st ? st->st_ino : 0;
	record->ctime_s = st ? st->st_ctim.tv_sec : 0;
	record->ctime_ns = st ? (uint32_t)st->st_ctim.tv_nsec : 0;
}

struct o2_memory *o2_memory_new(void)
{
	return o2_xcalloc(1, sizeof(struct o2_memory));
}

void o2_memory_free(struct o2_memory *memory)
{
	if (memory == NULL)
		return;
	while (memory->first) {
		struct chunk *chunk = memory->first;
		memory->first = chunk->next;
		free(chunk);
	}
	free(memory->last_path);
	free(memory);
}

size_t o2_memory_count(const struct o2_memory *memory)
{
	return memory->count;
}

/* Make `*text` hold `len` bytes and a NUL. */
static void hold(char **text, size_t *cap, size_t len)
{
	if (len + 1 > *cap) {
		*cap = (len + 1) * 2;
		*text = o2_xrealloc(*text, *cap, 1);
	}
}

static unsigned char *room(struct o2_memory *memory, size_t len)
{
	struct chunk *chunk = memory->last;

	if (chunk == NULL || len > chunk->cap - chunk->len) {
		size_t cap = len > CHUNK_BYTES ? len : CHUNK_BYTES;
		chunk = o2_xmalloc(sizeof(*chunk) + cap);
		*chunk = (struct chunk){ .cap = cap };
		if (memory->last)
			memory->last->next = chunk;
		else
			memory->first = chunk;
		memory->last = chunk;
	}
	chunk->len += len;
	return chunk->bytes + chunk->len - len;
}

void o2_memory_add(struct o2_memory *memory, const struct o2_record *record)
{
	size_t len = strlen(record->path);
	size_t shared = 0;
	size_t blocks = record->block_count * O2_SHA256_BYTES;

	assert(len <= O2_PATH_MAX_BYTES);
	assert(memory->count == 0 || o2_path_compare(memory->last_path, record->path) < 0);
	if (memory->count > 0)
		while (shared < len && memory->last_path[shared] == record->path[shared])
			shared++;
	struct packed packed = { .shared = (uint16_t)shared,
				 .rest = (uint16_t)(len - shared),
				 .mode = record->mode,
				 .type = record->type,
				 .recheck = record->recheck,
				 .uid = record->uid,
				 .gid = record->gid,
				 .mtime_ns = record->mtime_ns,
				 .ctime_ns = record->ctime_ns,
				 .size = record->size,
				 .ino = record->ino,
				 .mtime_s = record->mtime_s,
				 .ctime_s = record->ctime_s,
				 .block_count = record->block_count };
	memcpy(packed.digest, record->digest, sizeof(packed.digest));
	unsigned char *at = room(memory, sizeof(packed) + packed.rest + blocks);
	memcpy(at, &packed, sizeof(packed));
	memcpy(at + sizeof(packed), record->path + shared, packed.rest);
	if (blocks > 0)
		memcpy(at + sizeof(packed) + packed.rest, record->blocks, blocks);
	hold(&memory->last_path, &memory->last_cap, len);
	memcpy(memory->last_path, record->path, len + 1);
	memory->count++;
}

void o2_cursor_init(struct o2_cursor *cursor, struct o2_memory *memory, bool consume)
{
	*cursor = (struct o2_cursor){ .memory = memory, .consume = consume };
	cursor->chunk = memory ? memory->first : NULL;
	hold(&cursor->path, &cursor->path_cap, 64);
	o2_cursor_next(cursor);
}

/* To the chunk in which the next record lies. */
static const struct chunk *advance(struct o2_cursor *cursor)
{
	struct chunk *chunk = cursor->chunk;

	while (chunk && cursor->offset == chunk->len) {
		cursor->chunk = chunk->next;
		cursor->offset = 0;
		if (cursor->consume) {
			cursor->memory->first = chunk->next;
			free(chunk);
		}
		chunk = cursor->chunk;
	}
	return chunk;
}

void o2_cursor_next(struct o2_cursor *cursor)
{
	const struct chunk *chunk = advance(cursor);
	struct packed packed;

	cursor->record = NULL;
	if (chunk == NULL)
		return;
	const unsigned char *at = chunk->bytes + cursor->offset;
	memcpy(&packed, at, sizeof(packed));
	hold(&cursor->path, &cursor->path_cap, (size_t)packed.shared + packed.rest);
	memcpy(cursor->path + packed.shared, at + sizeof(packed), packed.rest);
	cursor->path[packed.shared + packed.rest] = '\0';
	cursor->current = (struct o2_record){ .path = cursor->path,
					      .type = packed.type,
					      .recheck = packed.recheck,
					      .mode = packed.mode,
					      .uid = packed.uid,
					      .gid = packed.gid,
					      .size = packed.size,
					      .mtime_s = packed.mtime_s,
					      .ctime_s = packed.ctime_s,
					      .mtime_ns = packed.mtime_ns,
					      .ctime_ns = packed.ctime_ns,
					      .ino = packed.ino,
					      .blocks = at + sizeof(packed) + packed.rest,
					      .block_count = packed.block_count };
	memcpy(cursor->current.digest, packed.digest, sizeof(packed.digest));
	cursor->record = &cursor->current;
	cursor->offset += sizeof(packed) + packed.rest + packed.block_count * O2_SHA256_BYTES;
}

void o2_cursor_release(struct o2_cursor *cursor)
{
	o2_freep(&cursor->path);
	cursor->record = NULL;
}
