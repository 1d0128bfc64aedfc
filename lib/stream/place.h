/*
 * Making and removing what stands at a name: the receiver's hands.
 */
#pragma once

#include "base/err.h"
#include "stream/entry.h"
#include "stream/tree.h"

/* Remove what stands at dir_fd/name, a directory with all that is in it. Nothing there is no error. */
O2_MUST_CHECK int o2_place_remove(int dir_fd, const char *name, const char *label,
				  struct o2_err *err);

/*
 * Make dir_fd/name what the entry says, without its attributes; what stands there and is something else is removed.
 *
 * A directory that is there stays. A file is made anew, empty, and given back open for reading and writing.
 * tree     resolves a hard link's first name.
 * out_fd   of a file, else -1.
 */
O2_MUST_CHECK int o2_place_make(struct o2_tree *tree, int dir_fd, const char *name,
				const struct o2_entry *entry, const char *label, int *out_fd,
				struct o2_err *err);
/* Open the file that stands there for reading and writing. Errors: O2_ECONFLICT (it is no file). */
O2_MUST_CHECK int o2_place_open(int dir_fd, const char *name, const char *label, int *out_fd,
				struct o2_err *err);
