/*
 * What is known of a tree after a round: for each entry what it looked like, its digest and its blocks' digests.
 *
 * Written in the order of paths and read in that order, never otherwise. So it is a row of packed records in chunks, of which each
 * says only how its path differs from the one before; about 130 bytes for a small file. A round reads the old memory and writes the
 * new one at the same time, and gives the old chunks back as it passes them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "crypto/crypto.h"
#include "stream/entry.h"

struct o2_record {
	const char *path;
	uint8_t type;
	bool recheck; /* may have changed since in a way that its times don't show */
	uint16_t mode;
	uint32_t uid, gid;
	uint64_t size;
	int64_t mtime_s, ctime_s;
	uint32_t mtime_ns, ctime_ns;
	uint64_t ino;
	unsigned char digest[O2_SHA256_BYTES]; /* of the entry with its content */
	const unsigned char *blocks;           /* the digests of the blocks, one after the other */
	size_t block_count;
};

/* The attributes of an entry. ino and ctime are of the disk that `st` is of; NULL: unknown. */
void o2_record_set(struct o2_record *record, const struct o2_entry *entry, const struct stat *st);

struct o2_memory;
struct o2_memory *o2_memory_new(void);
void o2_memory_free(struct o2_memory *memory);
O2_DEFINE_FREEP(struct o2_memory, o2_memory_free)
/* Behind all others. Copies. */
void o2_memory_add(struct o2_memory *memory, const struct o2_record *record);
size_t o2_memory_count(const struct o2_memory *memory);

/*
 * Reading from the start. With `consume` what was passed is given back, and the memory is good for o2_memory_free() only.
 *
 *	struct o2_cursor cursor;
 *	o2_cursor_init(&cursor, memory, false);
 *	for (; cursor.record; o2_cursor_next(&cursor)) ...
 *	o2_cursor_release(&cursor);
 */
struct o2_cursor {
	const struct o2_record *record; /* NULL at the end; good until the next call */
	struct o2_memory *memory;
	struct o2_record current;
	void *chunk;
	size_t offset;
	char *path;
	size_t path_cap;
	bool consume;
};
/* memory may be NULL: nothing in it. */
void o2_cursor_init(struct o2_cursor *cursor, struct o2_memory *memory, bool consume);
void o2_cursor_next(struct o2_cursor *cursor);
void o2_cursor_release(struct o2_cursor *cursor);
