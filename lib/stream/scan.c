#include "stream/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/fs.h>

#include "base/buf.h"
#include "stream/entry.h"

#define LISTING_MAX_BYTES ((size_t)1 << 30)

struct name {
	uint32_t at; /* in the level's text */
	ino_t ino;
};

/* A directory that the walk is in. */
struct level {
	struct o2_dir *dir;
	struct o2_buf text; /* names, each with its NUL */
	struct name *names;
	size_t count, cap, next;
	size_t path_len; /* of the directory's own path */
};

/* A file of several names, by its inode. */
struct link {
	dev_t dev;
	ino_t ino;
	char *path;
};

struct o2_scan {
	struct o2_tree *tree;
	bool strict, started;
	struct level *levels;
	size_t depth, cap;
	struct o2_buf path; /* of the directory that the walk is in */
	struct link *links; /* open addressing */
	size_t link_count, link_cap;
};

void o2_found_release(struct o2_found *found)
{
	free(found->path);
	free(found->first_path);
	o2_dir_unref(found->dir);
	*found = (struct o2_found){ 0 };
}

struct o2_scan *o2_scan_new(struct o2_tree *tree, bool strict)
{
	struct o2_scan *scan = o2_xcalloc(1, sizeof(*scan));

	scan->tree = tree;
	scan->strict = strict;
	o2_buf_init(&scan->path, O2_PATH_MAX_BYTES);
	return scan;
}

static void leave(struct o2_scan *scan)
{
	struct level *level = &scan->levels[--scan->depth];

	o2_dir_unref(level->dir);
	o2_buf_release(&level->text);
	free(level->names);
}

void o2_scan_free(struct o2_scan *scan)
{
	if (scan == NULL)
		return;
	while (scan->depth > 0)
		leave(scan);
	free(scan->levels);
	o2_buf_release(&scan->path);
	for (size_t i = 0; i < scan->link_cap; i++)
		free(scan->links[i].path);
	free(scan->links);
	free(scan);
}

/* --- hard links --- */

static struct link *find_link(struct link *links, size_t cap, dev_t dev, ino_t ino)
{
	size_t at = (size_t)((ino ^ dev) * 0x9e3779b97f4a7c15u) & (cap - 1);

	while (links[at].path && (links[at].dev != dev || links[at].ino != ino))
		at = (at + 1) & (cap - 1);
	return &links[at];
}

static void grow_links(struct o2_scan *scan)
{
	size_t cap = scan->link_cap ? scan->link_cap * 2 : 64;
	struct link *links = o2_xcalloc(cap, sizeof(*links));

	for (size_t i = 0; i < scan->link_cap; i++)
		if (scan->links[i].path)
			*find_link(links, cap, scan->links[i].dev, scan->links[i].ino) =
				scan->links[i];
	free(scan->links);
	scan->links = links;
	scan->link_cap = cap;
}

/* The first name of an inode stands for it; later ones refer to that. */
static void note_links(struct o2_scan *scan, struct o2_found *found)
{
	if (found->st.st_nlink < 2 || found->type == O2_ENTRY_DIRECTORY ||
	    found->type == O2_ENTRY_DEVICE)
		return;
	if ((scan->link_count + 1) * 2 > scan->link_cap)
		grow_links(scan);
	struct link *link =
		find_link(scan->links, scan->link_cap, found->st.st_dev, found->st.st_ino);
	if (link->path) {
		found->type = O2_ENTRY_HARDLINK;
		found->first_path = o2_xstrdup(link->path);
		return;
	}
	*link = (struct link){ .dev = found->st.st_dev,
			       .ino = found->st.st_ino,
			       .path = o2_xstrdup(found->path) };
	scan->link_count++;
}

/* --- listing --- */

static int compare_inodes(const void *a, const void *b)
{
	const struct name *left = a;
	const struct name *right = b;

	return left->ino < right->ino ? -1 : left->ino > right->ino;
}

static int compare_names(const void *a, const void *b, void *text)
{
	const struct name *left = a;
	const struct name *right = b;

	return strcmp((char *)text + left->at, (char *)text + right->at);
}

static int list(struct o2_scan *scan, struct level *level, int fd, struct o2_err *err)
{
	DIR *stream = fdopendir(fd);
	struct dirent *item;

	if (stream == NULL) {
		int failed = errno;
		close(fd);
		return o2_fail_errno(err, failed, "cannot list '%s/%s'", scan->tree->name,
				     scan->path.data);
	}
	while ((errno = 0, item = readdir(stream)) != NULL) {
		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0 ||
		    (scan->depth == 1 && strcmp(item->d_name, "lost+found") == 0))
			continue;
		O2_GROW(level->names, level->count, level->cap);
		level->names[level->count++] =
			(struct name){ .at = (uint32_t)level->text.len, .ino = item->d_ino };
		o2_buf_add(&level->text, item->d_name, strlen(item->d_name) + 1);
	}
	int failed = errno;
	closedir(stream);
	if (failed)
		return o2_fail_errno(err, failed, "cannot list '%s/%s'", scan->tree->name,
				     scan->path.data);
	return o2_buf_overflowed(&level->text)
		       ? o2_fail(err, O2_ELIMIT, "too many names in '%s/%s'", scan->tree->name,
				 scan->path.data)
		       : 0;
}

static void sort(struct level *level)
{
	struct stat st;

	if (level->count == 0)
		return;
	qsort(level->names, level->count, sizeof(*level->names), compare_inodes);
	for (size_t i = 0; level->count > 1 && i < level->count; i++)
		(void)!fstatat(level->dir->fd, level->text.data + level->names[i].at, &st,
			       AT_SYMLINK_NOFOLLOW);
	qsort_r(level->names, level->count, sizeof(*level->names), compare_names, level->text.data);
}

static int vanished(const struct o2_scan *scan, const char *path, struct o2_err *err)
{
	return scan->strict ? o2_fail(err, O2_ECONFLICT, "'%s/%s' vanished in the final round",
				      scan->tree->name, path)
			    : 0;
}

/* Into the directory of scan->path, which the fds of `holder` and `name` lead to. */
static int enter(struct o2_scan *scan, const struct o2_dir *holder, const char *name,
		 struct o2_err *err)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(holder->fd, name, flags);

	if (fd < 0 && errno == EACCES) {
		if (o2_tree_open_up(scan->tree, holder->fd, name, scan->path.data))
			fd = openat(holder->fd, name, flags);
		else
			errno = EACCES;
	}
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return vanished(scan, scan->path.data, err);
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0) {
		int failed = errno;
		if (fd >= 0)
			close(fd);
		return o2_fail_errno(err, failed, "cannot open '%s/%s' as user %u",
				     scan->tree->name, scan->path.data, (unsigned)geteuid());
	}
	O2_GROW(scan->levels, scan->depth, scan->cap);
	struct level *level = &scan->levels[scan->depth++];
	*level = (struct level){ .dir = o2_dir_new(copy), .path_len = scan->path.len };
	o2_buf_init(&level->text, LISTING_MAX_BYTES);
	int rc = list(scan, level, fd, err);
	if (rc < 0)
		return rc;
	sort(level);
	return 0;
}

static void cut_path(struct o2_scan *scan, size_t len)
{
	scan->path.len = len;
	scan->path.data[len] = '\0';
	scan->path.overflowed = false;
}

/* --- walking --- */

static int begin(struct o2_scan *scan, struct o2_found *out, struct o2_err *err)
{
	struct o2_tree *tree = scan->tree;
	uint64_t size = 0;

	scan->started = true;
	*out = (struct o2_found){ .path = o2_xstrdup(""), .name = "." };
	out->dir = o2_dir_ref(tree->root);
	if (fstat(tree->root->fd, &out->st) < 0)
		return o2_fail_errno(err, errno, "cannot look at '%s'", tree->path);
	out->type = O2_ENTRY_DIRECTORY;
	if (!tree->device)
		return enter(scan, tree->root, ".", err) < 0 ? err->code : 1;
	if (ioctl(tree->root->fd, BLKGETSIZE64, &size) < 0)
		return o2_fail_errno(err, errno, "cannot measure '%s'", tree->path);
	out->type = O2_ENTRY_DEVICE;
	out->st.st_size = (off_t)size;
	return 1;
}

/* Look at one name. Returns 1, or 0 if it is not to be reported. */
static int look(struct o2_scan *scan, const struct level *level, const char *name,
		struct o2_found *out, struct o2_err *err)
{
	if (fstatat(level->dir->fd, name, &out->st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return vanished(scan, scan->path.data, err);
		return o2_fail_errno(err, errno, "cannot look at '%s/%s' as user %u",
				     scan->tree->name, scan->path.data, (unsigned)geteuid());
	}
	out->type = o2_entry_type_of(&out->st);
	if (out->type == 0)
		return 0; /* a socket: made anew by who listens on it */
	out->path = o2_xstrdup(scan->path.data);
	out->name = out->path + scan->path.len - strlen(name);
	out->dir = o2_dir_ref(level->dir);
	note_links(scan, out);
	return 1;
}

/* One step. Returns 1 with an entry, 0 without; the walk is over when no level is left. */
static int step(struct o2_scan *scan, struct o2_found *out, struct o2_err *err)
{
	struct level *level = &scan->levels[scan->depth - 1];
	int rc;

	cut_path(scan, level->path_len);
	if (level->next == level->count) {
		leave(scan);
		return 0;
	}
	const char *name = level->text.data + level->names[level->next++].at;
	if (scan->path.len > 0)
		o2_buf_addc(&scan->path, '/');
	o2_buf_adds(&scan->path, name);
	if (o2_buf_overflowed(&scan->path))
		return o2_fail(err, O2_ELIMIT, "a path below '%s/%s' is longer than %d bytes",
			       scan->tree->name, scan->path.data, O2_PATH_MAX_BYTES);
	if ((rc = look(scan, level, name, out, err)) <= 0)
		return rc;
	if (out->type == O2_ENTRY_DIRECTORY && (rc = enter(scan, level->dir, name, err)) < 0) {
		o2_found_release(out);
		return rc;
	}
	return 1;
}

int o2_scan_next(struct o2_scan *scan, struct o2_found *out, struct o2_err *err)
{
	struct o2_err own = { 0 };
	int rc = 0;

	if (err == NULL)
		err = &own;
	*out = (struct o2_found){ 0 };
	if (!scan->started) {
		if ((rc = begin(scan, out, err)) < 0)
			o2_found_release(out);
		return rc;
	}
	while (scan->depth > 0 && rc == 0)
		rc = step(scan, out, err);
	return rc;
}
