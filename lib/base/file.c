#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cancel.h"

/* read() until `len` bytes or the end; a wish to stop ends the waiting for a pipe. */
static int read_some(int fd, const char *path, char *out, size_t len, size_t *out_got,
		     struct o2_err *err)
{
	size_t got = 0;

	while (got < len) {
		ssize_t part = read(fd, out + got, len - got);
		if (part == 0)
			break;
		if (part > 0) {
			got += (size_t)part;
			continue;
		}
		if (errno != EINTR)
			return o2_fail_errno(err, errno, "cannot read '%s'", path);
		int rc = o2_cancel_check(err);
		if (rc < 0)
			return rc;
	}
	*out_got = got;
	return 0;
}

/* Read to the end in growing pieces: the size that stat() tells is a hint only (pipes, /proc). */
static int read_all(int fd, const char *path, size_t hint, size_t max_bytes, char **out_text,
		    size_t *out_len, struct o2_err *err)
{
	size_t cap = hint + 1 < 4096 ? 4096 : hint + 1;
	size_t len = 0;

	if (cap > max_bytes + 1)
		cap = max_bytes + 1;
	O2_AUTO(o2_freep) char *text = o2_xmalloc(cap + 1);
	for (;;) {
		size_t got = 0;
		int rc = read_some(fd, path, text + len, cap - len, &got, err);
		if (rc < 0)
			return rc;
		len += got;
		if (len > max_bytes)
			return o2_fail(err, O2_ELIMIT, "'%s' is larger than %zu bytes", path,
				       max_bytes);
		if (len < cap)
			break;
		cap = cap <= (max_bytes + 1) / 2 ? cap * 2 : max_bytes + 1;
		text = o2_xrealloc(text, cap + 1, 1);
	}
	text[len] = '\0';
	*out_text = O2_STEAL(text);
	if (out_len != NULL)
		*out_len = len;
	return 0;
}

int o2_file_read(const char *path, size_t max_bytes, char **out_text, size_t *out_len,
		 struct o2_err *err)
{
	struct stat st;
	int rc;

	if (max_bytes > SIZE_MAX / 4)
		max_bytes = SIZE_MAX / 4;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return o2_fail_errno(err, errno, "cannot open '%s'", path);

	if (fstat(fd, &st) < 0)
		rc = o2_fail_errno(err, errno, "cannot examine '%s'", path);
	else if (S_ISDIR(st.st_mode))
		rc = o2_fail(err, O2_EINVALID, "'%s' is a directory", path);
	else if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max_bytes)
		rc = o2_fail(err, O2_ELIMIT, "'%s' is larger than %zu bytes", path, max_bytes);
	else
		rc = read_all(fd, path, S_ISREG(st.st_mode) ? (size_t)st.st_size : 0, max_bytes,
			      out_text, out_len, err);
	close(fd);
	return rc;
}

/* The directory part, "." if there is none; the caller frees it. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return o2_xstrdup(".");
	return o2_xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int write_all(int fd, const char *path, const char *bytes, size_t len, struct o2_err *err)
{
	while (len > 0) {
		ssize_t part = write(fd, bytes, len);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return o2_fail_errno(err, errno, "cannot write '%s'", path);
		bytes += part;
		len -= (size_t)part;
	}
	return 0;
}

/* Write, set the mode, sync and close; `fd` is closed in any case. */
static int fill_and_close(int fd, const char *path, const void *bytes, size_t len, mode_t mode,
			  struct o2_err *err)
{
	int rc = write_all(fd, path, bytes, len, err);

	if (rc == 0 && fchmod(fd, mode) < 0)
		rc = o2_fail_errno(err, errno, "cannot set the mode of '%s'", path);
	if (rc == 0 && fsync(fd) < 0)
		rc = o2_fail_errno(err, errno, "cannot sync '%s'", path);
	if (close(fd) < 0 && rc == 0)
		rc = o2_fail_errno(err, errno, "cannot close '%s'", path);
	return rc;
}

static int sync_directory(const char *path, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *dir = directory_of(path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return o2_fail_errno(err, errno, "cannot open directory '%s'", dir);
	/* Some file systems can't sync a directory and say EINVAL: they have no more to give. */
	if (fsync(fd) < 0 && errno != EINVAL)
		rc = o2_fail_errno(err, errno, "cannot sync directory '%s'", dir);
	close(fd);
	return rc;
}

int o2_file_write_durable(const char *path, const void *bytes, size_t len, mode_t mode,
			  struct o2_err *err)
{
	const char *slash = strrchr(path, '/');
	int dir_len = slash != NULL ? (int)(slash - path) + 1 : 0;
	/* The name is not part of the temporary one, which would make a long name too long. */
	O2_AUTO(o2_freep) char *temporary = o2_xasprintf("%.*s.o2-XXXXXX", dir_len, path);

	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return o2_fail_errno(err, errno, "cannot create a file beside '%s'", path);
	int rc = fill_and_close(fd, temporary, bytes, len, mode, err);
	if (rc == 0 && rename(temporary, path) < 0)
		rc = o2_fail_errno(err, errno, "cannot replace '%s'", path);
	if (rc < 0) {
		unlink(temporary);
		return rc;
	}
	return sync_directory(path, err);
}

static int make_one(const char *path, mode_t mode, struct o2_err *err)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	int why = errno;
	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode)
			       ? 0
			       : o2_fail(err, O2_ECONFLICT, "'%s' is not a directory", path);
	return o2_fail_errno(err, why, "cannot make directory '%s'", path);
}

int o2_file_mkdirs(const char *path, mode_t mode, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *upto = o2_xstrdup(path);

	for (char *p = upto + strspn(upto, "/"); *p != '\0';) {
		p += strcspn(p, "/");
		char kept = *p;
		*p = '\0';
		int rc = make_one(upto, mode, err);
		if (rc < 0)
			return rc;
		*p = kept;
		p += strspn(p, "/");
	}
	return 0;
}

char *o2_file_beside(const char *base_file, const char *path)
{
	const char *slash = strrchr(base_file, '/');

	if (path[0] == '/' || slash == NULL)
		return o2_xstrdup(path);
	return o2_xasprintf("%.*s%s", (int)(slash - base_file) + 1, base_file, path);
}
