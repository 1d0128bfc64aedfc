/*
 * The content of files, block by block.
 *
 * A block is 1 MiB: its digest costs 32 bytes of memory a MiB on both sides (32 MiB for a TiB), hashing and sending run at full speed, and a
 * single changed byte costs no more than 10 ms of a gigabit link. Smaller blocks would pay for scattered small writes, and cost memory
 * in proportion.
 *
 * Holes read as zeros for the digest. They are neither read nor sent, and are holes at the receiver.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/crypto.h"

#define O2_BLOCK_BYTES ((size_t)1 << 20)
#define O2_EXTENTS_MAX 64

struct o2_extent {
	uint32_t offset, len; /* within the block */
};

struct o2_block {
	unsigned char *bytes; /* O2_BLOCK_BYTES; holes are zeros */
	size_t len;
	struct o2_extent extents[O2_EXTENTS_MAX]; /* what is data, in order */
	size_t extent_count;                      /* 0: all of it is a hole */
	bool is_short; /* the file ended before: zeros were put in its place */
	unsigned char digest[O2_SHA256_BYTES];
};
void o2_block_init(struct o2_block *block);
void o2_block_release(struct o2_block *block);

size_t o2_block_count(uint64_t size);
/* Length of block `index` of a file of `size` bytes. */
size_t o2_block_length(uint64_t size, size_t index);
/* The digest of a block of zeros of that length. */
void o2_block_zero_digest(size_t len, unsigned char out[O2_SHA256_BYTES]);

/*
 * Read a block with its digest.
 *
 * sparse          the file may have holes: look for them.
 * inout_read      bytes read from the disk are added.
 * Errors          O2_EIO.
 */
O2_MUST_CHECK int o2_block_read(int fd, uint64_t size, size_t index, bool sparse,
				struct o2_block *block, uint64_t *inout_read, struct o2_err *err);
