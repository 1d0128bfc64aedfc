#include "stream/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- paths --- */

bool o2_path_valid(const char *path, size_t len)
{
	const char *at = path;
	const char *end = path + len;

	if (len > O2_PATH_MAX_BYTES || memchr(path, '\0', len))
		return false;
	if (len == 0)
		return true;
	while (at <= end) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		size_t part = (size_t)((slash ? slash : end) - at);
		if (part == 0 || part > O2_NAME_MAX_BYTES || (part == 1 && at[0] == '.') ||
		    (part == 2 && at[0] == '.' && at[1] == '.'))
			return false;
		if (slash == NULL)
			return true;
		at = slash + 1;
	}
	return false;
}

static int rank(char c)
{
	return c == '\0' ? 0 : c == '/' ? 1 : (unsigned char)c + 2;
}

int o2_path_compare(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return rank(*a) - rank(*b);
}

bool o2_path_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 0)
		return path[0] != '\0';
	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

void o2_proc_path(int dir_fd, const char *name, char out[O2_PROC_PATH_SIZE])
{
	snprintf(out, O2_PROC_PATH_SIZE, "/proc/self/fd/%d/%s", dir_fd, name);
}

int o2_chmod_at(int dir_fd, const char *name, mode_t mode)
{
	char proc[O2_PROC_PATH_SIZE];
	struct stat st;
	int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	int failed = fstat(fd, &st) < 0              ? errno
		     : S_ISLNK(st.st_mode)           ? ELOOP
		     : chmod(proc, mode & 07777) < 0 ? errno
						     : 0;
	close(fd);
	return failed;
}

/* --- directories --- */

struct o2_dir *o2_dir_new(int fd)
{
	struct o2_dir *dir = o2_xmalloc(sizeof(*dir));

	*dir = (struct o2_dir){ .fd = fd, .refs = 1 };
	return dir;
}

struct o2_dir *o2_dir_ref(struct o2_dir *dir)
{
	__atomic_add_fetch(&dir->refs, 1, __ATOMIC_RELAXED);
	return dir;
}

void o2_dir_unref(struct o2_dir *dir)
{
	if (dir == NULL || __atomic_sub_fetch(&dir->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	close(dir->fd);
	free(dir);
}

/* --- trees --- */

int o2_tree_open(struct o2_tree *tree, const char *name, const char *path, struct o2_err *err)
{
	struct stat st;
	int fd;

	*tree = (struct o2_tree){ .name = name, .path = path };
	if (stat(path, &st) < 0)
		return o2_fail_errno(err, errno, "cannot look at '%s' for '%s'", path, name);
	tree->device = S_ISBLK(st.st_mode);
	if (!tree->device && !S_ISDIR(st.st_mode))
		return o2_fail(err, O2_EINVALID,
			       "'%s' for '%s' is neither a directory nor a block device", path,
			       name);
	fd = open(path, tree->device ? O_RDWR | O_CLOEXEC : O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && tree->device && (errno == EROFS || errno == EACCES || errno == EPERM))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return o2_fail_errno(err, errno, "cannot open '%s' for '%s'", path, name);
	tree->root = o2_dir_new(fd);
	return 0;
}

void o2_tree_forget(struct o2_tree *tree)
{
	o2_freep(&tree->at_path);
	o2_dir_unrefp(&tree->at);
}

void o2_tree_close(struct o2_tree *tree)
{
	o2_tree_forget(tree);
	o2_dir_unrefp(&tree->root);
	o2_strs_release(&tree->touched);
}

static void touch(struct o2_tree *tree, const char *path, size_t len)
{
	struct o2_strs *list = &tree->touched;

	if (list->count > 0) {
		const char *last = list->items[list->count - 1];
		if (strlen(last) == len && memcmp(last, path, len) == 0)
			return;
	}
	O2_AUTO(o2_freep) char *copy = o2_xstrndup(path, len);
	o2_strs_add(list, copy);
}

void o2_tree_touch(struct o2_tree *tree, const char *path)
{
	touch(tree, path, strlen(path));
}

void o2_tree_touch_parent(struct o2_tree *tree, const char *path)
{
	const char *slash = strrchr(path, '/');

	touch(tree, path, slash ? (size_t)(slash - path) : 0);
}

/* Root may do everything anyhow; an owner may give himself the right, which is taken back when the round ends. */
static void open_up(struct o2_tree *tree, int fd, const char *path, size_t len)
{
	char proc[O2_PROC_PATH_SIZE];
	struct stat st;

	if (geteuid() == 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
	    (st.st_mode & 0700) == 0700)
		return;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (chmod(proc, (st.st_mode & 07777) | 0700) == 0)
		touch(tree, path, len);
}

bool o2_tree_open_up(struct o2_tree *tree, int dir_fd, const char *name, const char *path)
{
	struct stat st;

	if (!tree->open_up || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    o2_chmod_at(dir_fd, name, (st.st_mode & 07777) | 0700) != 0)
		return false;
	touch(tree, path, strlen(path));
	return true;
}

/* Walk to the directory whose path is the first `len` bytes. */
static int walk(struct o2_tree *tree, const char *path, size_t len, struct o2_err *err)
{
	struct o2_dir *dir = o2_dir_ref(tree->root);
	size_t at = 0;

	while (at < len) {
		char name[O2_NAME_MAX_BYTES + 1];
		const char *slash = memchr(path + at, '/', len - at);
		size_t end = slash ? (size_t)(slash - path) : len;
		snprintf(name, sizeof(name), "%.*s", (int)(end - at), path + at);
		if (tree->open_up)
			open_up(tree, dir->fd, path, at > 0 ? at - 1 : 0);
		int fd = openat(dir->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int failed = errno;
		o2_dir_unref(dir);
		if (fd < 0)
			return o2_fail_errno(err, failed == ELOOP ? ENOTDIR : failed,
					     "cannot enter '%s/%.*s'", tree->name, (int)end, path);
		dir = o2_dir_new(fd);
		at = end + 1;
	}
	if (tree->open_up)
		open_up(tree, dir->fd, path, len);
	o2_tree_forget(tree);
	tree->at = dir;
	tree->at_path = o2_xstrndup(path, len);
	return 0;
}

int o2_tree_parent(struct o2_tree *tree, const char *path, struct o2_dir **out_dir,
		   const char **out_name, struct o2_err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	int rc;

	if (tree->at == NULL || strlen(tree->at_path) != len ||
	    memcmp(tree->at_path, path, len) != 0)
		if ((rc = walk(tree, path, len, err)) < 0)
			return rc;
	*out_dir = o2_dir_ref(tree->at);
	*out_name = path[0] == '\0' ? "." : slash ? slash + 1 : path;
	return 0;
}
