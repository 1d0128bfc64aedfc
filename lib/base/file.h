/*
 * Files, read with a limit and written durably.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Read a whole file.
 *
 * max_bytes  a larger file is O2_ELIMIT; nothing is read beyond it.
 * out_text   NUL-terminated; caller frees. out_len may be NULL.
 * Errors     O2_ENOTFOUND, O2_EAUTH (EACCES), O2_EIO, O2_EINVALID (a directory), O2_ELIMIT,
 *            O2_ECANCELED (a signal while waiting for a pipe).
 */
O2_MUST_CHECK int o2_file_read(const char *path, size_t max_bytes, char **out_text, size_t *out_len,
			       struct o2_err *err);

/*
 * Replace a file so that after a crash it is either the old or the new one: exclusive temporary file in the same directory,
 * write, fsync, rename, fsync of the directory.
 *
 * Effects  on failure the temporary file is removed and the old content stands; only if the last step, the fsync of the
 *          directory, fails, the new content stands and may be lost in a crash. A symbolic link is replaced, not followed.
 */
O2_MUST_CHECK int o2_file_write_durable(const char *path, const void *bytes, size_t len,
					mode_t mode, struct o2_err *err);

/* Make a directory and its missing parents. */
O2_MUST_CHECK int o2_file_mkdirs(const char *path, mode_t mode, struct o2_err *err);

/* Join directory of `base_file` and `path`, unless `path` is absolute. Caller frees. */
char *o2_file_beside(const char *base_file, const char *path);
