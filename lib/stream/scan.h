/*
 * A walk over a tree in the order of paths.
 *
 * The tree may change meanwhile: what vanishes between its listing and its lstat() is not reported. Names come sorted; before that
 * their inodes are looked at in the order in which they lie on the disk, which is what a cold cache wants.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "stream/tree.h"

struct o2_found {
	char *path;
	struct o2_dir *dir; /* holds it */
	const char *name;   /* points into path, or "." */
	struct stat st;
	uint8_t type;     /* enum o2_entry_type; a hard link's later names are O2_ENTRY_HARDLINK */
	char *first_path; /* of a hard link */
};
void o2_found_release(struct o2_found *found);

struct o2_scan;
/*
 * strict  what vanishes is an error (O2_ECONFLICT): nobody should be writing any more.
 * The tree is borrowed until o2_scan_free().
 */
struct o2_scan *o2_scan_new(struct o2_tree *tree, bool strict);
void o2_scan_free(struct o2_scan *scan);
O2_DEFINE_FREEP(struct o2_scan, o2_scan_free)
/* The next entry; the first is the root itself. Returns 1, or 0 at the end. Errors: O2_EAUTH, O2_EIO, O2_ELIMIT (a path too long). */
O2_MUST_CHECK int o2_scan_next(struct o2_scan *scan, struct o2_found *out, struct o2_err *err);
