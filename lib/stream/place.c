#include "stream/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int remove_directory(int dir_fd, const char *name, const char *label, struct o2_err *err);

int o2_place_remove(int dir_fd, const char *name, const char *label, struct o2_err *err)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : o2_fail_errno(err, errno, "cannot look at '%s'", label);
	if (S_ISDIR(st.st_mode))
		return remove_directory(dir_fd, name, label, err);
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return o2_fail_errno(err, errno, "cannot remove '%s' as user %u", label,
				     (unsigned)geteuid());
	return 0;
}

static DIR *open_directory(int dir_fd, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir_fd, name, flags);
	DIR *stream;

	/* What is to be removed may be opened up before, if it is ours. */
	if ((fd < 0 && errno == EACCES) || geteuid() != 0) {
		(void)o2_chmod_at(dir_fd, name, 0700);
		if (fd < 0)
			fd = openat(dir_fd, name, flags);
	}
	if (fd < 0)
		return NULL;
	if ((stream = fdopendir(fd)) == NULL)
		close(fd);
	return stream;
}

static int remove_directory(int dir_fd, const char *name, const char *label, struct o2_err *err)
{
	DIR *stream = open_directory(dir_fd, name);
	struct dirent *item;
	int rc = 0;

	if (stream == NULL)
		return o2_fail_errno(err, errno, "cannot open '%s' to remove it as user %u", label,
				     (unsigned)geteuid());
	while (rc == 0 && (item = readdir(stream)) != NULL)
		if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
			rc = o2_place_remove(dirfd(stream), item->d_name, label, err);
	closedir(stream);
	if (rc == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		rc = o2_fail_errno(err, errno, "cannot remove '%s' as user %u", label,
				   (unsigned)geteuid());
	return rc;
}

static int make_directory(int dir_fd, const char *name, const char *label, struct o2_err *err)
{
	struct stat st;

	if (mkdirat(dir_fd, name, 0700) == 0)
		return 0;
	if (errno == EEXIST && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		int rc = 0;
		if (S_ISDIR(st.st_mode))
			return 0;
		if ((rc = o2_place_remove(dir_fd, name, label, err)) < 0)
			return rc;
		if (mkdirat(dir_fd, name, 0700) == 0)
			return 0;
	}
	return o2_fail_errno(err, errno, "cannot make the directory '%s' as user %u", label,
			     (unsigned)geteuid());
}

static int make_hard_link(struct o2_tree *tree, int dir_fd, const char *name,
			  const struct o2_entry *entry, const char *label, struct o2_err *err)
{
	O2_AUTO(o2_dir_unrefp) struct o2_dir *first_dir = NULL;
	const char *first_name;
	int rc = o2_tree_parent(tree, entry->target, &first_dir, &first_name, err);

	if (rc < 0)
		return o2_prefix(err, "cannot link '%s'", label);
	if (linkat(first_dir->fd, first_name, dir_fd, name, 0) < 0)
		return o2_fail_errno(err, errno, "cannot link '%s' to '%s'", label, entry->target);
	return 0;
}

static int make_node(int dir_fd, const char *name, const struct o2_entry *entry, const char *label,
		     struct o2_err *err)
{
	mode_t kind = entry->type == O2_ENTRY_FIFO        ? S_IFIFO
		      : entry->type == O2_ENTRY_CHARACTER ? S_IFCHR
							  : S_IFBLK;

	if (mknodat(dir_fd, name, kind | 0600, (dev_t)entry->rdev) == 0)
		return 0;
	if (errno == EPERM)
		return o2_fail(err, O2_EAUTH,
			       "cannot make the device node '%s' as user %u: run the mover as "
			       "root: --mover-as-root",
			       label, (unsigned)geteuid());
	return o2_fail_errno(err, errno, "cannot make '%s'", label);
}

int o2_place_make(struct o2_tree *tree, int dir_fd, const char *name, const struct o2_entry *entry,
		  const char *label, int *out_fd, struct o2_err *err)
{
	int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int rc;

	*out_fd = -1;
	if (entry->type == O2_ENTRY_DIRECTORY)
		return make_directory(dir_fd, name, label, err);
	/* Mostly there is nothing; asking first would cost a look for each of many files. */
	if (entry->type == O2_ENTRY_FILE && (*out_fd = openat(dir_fd, name, flags, 0600)) >= 0)
		return 0;
	if ((rc = o2_place_remove(dir_fd, name, label, err)) < 0)
		return rc;
	if (entry->type == O2_ENTRY_HARDLINK)
		return make_hard_link(tree, dir_fd, name, entry, label, err);
	if (entry->type == O2_ENTRY_SYMLINK) {
		if (symlinkat(entry->target, dir_fd, name) < 0)
			return o2_fail_errno(err, errno, "cannot make the link '%s'", label);
		return 0;
	}
	if (entry->type != O2_ENTRY_FILE)
		return make_node(dir_fd, name, entry, label, err);
	*out_fd = openat(dir_fd, name, flags, 0600);
	if (*out_fd < 0)
		return o2_fail_errno(err, errno, "cannot make '%s' as user %u", label,
				     (unsigned)geteuid());
	return 0;
}

int o2_place_open(int dir_fd, const char *name, const char *label, int *out_fd, struct o2_err *err)
{
	int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	struct stat st;
	int fd = openat(dir_fd, name, flags);

	if (fd < 0 && errno == EACCES && o2_chmod_at(dir_fd, name, 0600) == 0)
		fd = openat(dir_fd, name, flags);
	if (fd < 0)
		return o2_fail_errno(err, errno, "cannot open '%s' as user %u", label,
				     (unsigned)geteuid());
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return o2_fail(err, O2_ECONFLICT, "'%s' is no file any more", label);
	}
	*out_fd = fd;
	return 0;
}
