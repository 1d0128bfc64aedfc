/*
 * An entry of a tree: all that is carried of it but its path and content.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/crypto.h"
#include "stream/wire.h"

enum o2_entry_type {
	O2_ENTRY_FILE = 1,
	O2_ENTRY_DIRECTORY,
	O2_ENTRY_SYMLINK,
	O2_ENTRY_HARDLINK, /* another name of a file whose path came before */
	O2_ENTRY_FIFO,
	O2_ENTRY_CHARACTER,
	O2_ENTRY_BLOCK,
	O2_ENTRY_DEVICE, /* the content of a block device */
	O2_ENTRY_TYPE_COUNT
};

struct o2_entry {
	uint8_t type;
	uint16_t mode; /* permissions, with the set-id and sticky bits */
	uint32_t uid, gid;
	uint64_t size; /* of content: files and devices */
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint64_t rdev;
	char *target;         /* of symbolic and hard links, else NULL */
	struct o2_buf xattrs; /* name, value as byte strings, sorted by name */
};

/* From what lstat() said. Zero for what has no such type: a socket. */
uint8_t o2_entry_type_of(const struct stat *st);
void o2_entry_init(struct o2_entry *entry, uint8_t type, const struct stat *st);
void o2_entry_release(struct o2_entry *entry);
bool o2_entry_has_content(uint8_t type);

/* Fill target and xattrs from the disk. fd: of it, if it is open, else -1. Errors: O2_ENOTFOUND (it is gone), O2_EAUTH, O2_ELIMIT, O2_EIO. */
O2_MUST_CHECK int o2_entry_read_links(struct o2_entry *entry, int fd, int dir_fd, const char *name,
				      struct o2_err *err);

/* Canonical: equal entries have equal bytes. */
void o2_entry_put(struct o2_buf *out, const struct o2_entry *entry);
/* Fills `entry`, to be released in any case. Bad values make the wire bad. */
void o2_entry_get(struct o2_wire *wire, struct o2_entry *entry);

/*
 * The digest of an entry with its content.
 *
 * blocks  the digests of its blocks, one after the other; count 0 for what has no content.
 */
void o2_entry_digest(const struct o2_entry *entry, const unsigned char *blocks, size_t count,
		     unsigned char out[O2_SHA256_BYTES]);

/*
 * Give what stands at dir_fd/name the owner, xattrs, mode and times of the entry. Nothing is changed that is right already.
 *
 * fd      of it, if it is open, else -1.
 * label   "tree/path", for messages.
 * lenient what may not be changed is left as it is (the root of a tree).
 * Errors  O2_EAUTH: who would be needed, and who we are.
 */
O2_MUST_CHECK int o2_entry_apply(const struct o2_entry *entry, int fd, int dir_fd, const char *name,
				 const char *label, bool lenient, struct o2_err *err);
