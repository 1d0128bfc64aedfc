#include "stream/content.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

void o2_block_init(struct o2_block *block)
{
	*block = (struct o2_block){ .bytes = o2_xmalloc(O2_BLOCK_BYTES) };
}

void o2_block_release(struct o2_block *block)
{
	free(block->bytes);
	*block = (struct o2_block){ 0 };
}

size_t o2_block_count(uint64_t size)
{
	return (size_t)(size / O2_BLOCK_BYTES + (size % O2_BLOCK_BYTES > 0));
}

size_t o2_block_length(uint64_t size, size_t index)
{
	uint64_t start = (uint64_t)index * O2_BLOCK_BYTES;

	if (size <= start)
		return 0;
	return size - start < O2_BLOCK_BYTES ? (size_t)(size - start) : O2_BLOCK_BYTES;
}

static unsigned char full_zero_digest[O2_SHA256_BYTES];

static void hash_zeros(size_t len, unsigned char out[O2_SHA256_BYTES])
{
	O2_AUTO(o2_freep) unsigned char *zeros = o2_xcalloc(1, len > 0 ? len : 1);

	o2_sha256_bytes(zeros, len, out);
}

static void hash_full(void)
{
	hash_zeros(O2_BLOCK_BYTES, full_zero_digest);
}

void o2_block_zero_digest(size_t len, unsigned char out[O2_SHA256_BYTES])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (len < O2_BLOCK_BYTES) {
		hash_zeros(len, out);
		return;
	}
	pthread_once(&once, hash_full);
	memcpy(out, full_zero_digest, O2_SHA256_BYTES);
}

/* The data of a block; where the file system can't say, all of it. */
static void find_extents(int fd, off_t start, bool sparse, struct o2_block *block)
{
	off_t end = start + (off_t)block->len;
	off_t at = start;

	block->extent_count = 0;
	while (sparse && at < end && block->extent_count + 1 < O2_EXTENTS_MAX) {
		off_t data = lseek(fd, at, SEEK_DATA);
		if ((data < 0 && errno == ENXIO) || data >= end)
			return;
		off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			break;
		if (hole > end)
			hole = end;
		block->extents[block->extent_count++] =
			(struct o2_extent){ .offset = (uint32_t)(data - start),
					    .len = (uint32_t)(hole - data) };
		at = hole;
	}
	if (at < end)
		block->extents[block->extent_count++] =
			(struct o2_extent){ .offset = (uint32_t)(at - start),
					    .len = (uint32_t)(end - at) };
}

static int read_extent(int fd, off_t start, const struct o2_extent *extent, struct o2_block *block,
		       uint64_t *inout_read, struct o2_err *err)
{
	size_t done = 0;

	while (done < extent->len) {
		size_t at = extent->offset + done;
		ssize_t got = pread(fd, block->bytes + at, extent->len - done, start + (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return o2_fail_errno(err, errno, "cannot read at byte %lld",
					     (long long)start + (long long)at);
		if (got == 0) {
			memset(block->bytes + at, 0, extent->len - done);
			block->is_short = true;
			return 0;
		}
		done += (size_t)got;
		*inout_read += (uint64_t)got;
	}
	return 0;
}

int o2_block_read(int fd, uint64_t size, size_t index, bool sparse, struct o2_block *block,
		  uint64_t *inout_read, struct o2_err *err)
{
	off_t start = (off_t)((uint64_t)index * O2_BLOCK_BYTES);
	size_t at = 0;
	int rc;

	block->len = o2_block_length(size, index);
	block->is_short = false;
	find_extents(fd, start, sparse, block);
	if (block->extent_count == 0) {
		memset(block->bytes, 0, block->len);
		o2_block_zero_digest(block->len, block->digest);
		return 0;
	}
	for (size_t i = 0; i < block->extent_count; i++) {
		const struct o2_extent *extent = &block->extents[i];
		memset(block->bytes + at, 0, extent->offset - at);
		if ((rc = read_extent(fd, start, extent, block, inout_read, err)) < 0)
			return rc;
		at = extent->offset + extent->len;
	}
	memset(block->bytes + at, 0, block->len - at);
	o2_sha256_bytes(block->bytes, block->len, block->digest);
	return 0;
}
