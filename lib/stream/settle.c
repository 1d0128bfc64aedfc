#include "stream/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct directory {
	char *path;
	uint16_t mode;
	struct timespec mtime;
};

static int compare_paths(const void *a, const void *b)
{
	const char *const *left = a;
	const char *const *right = b;

	return o2_path_compare(*left, *right);
}

/* The directories of which something changed, with what they should be; in order. */
static struct directory *find_touched(struct o2_tree *tree, struct o2_memory *memory,
				      size_t *out_count)
{
	struct o2_strs *touched = &tree->touched;
	struct directory *found = NULL;
	struct o2_cursor cursor;
	size_t cap = 0, at = 0;

	if (touched->count > 1)
		qsort(touched->items, touched->count, sizeof(char *), compare_paths);
	o2_cursor_init(&cursor, memory, false);
	for (; cursor.record && at < touched->count; o2_cursor_next(&cursor)) {
		while (at < touched->count &&
		       o2_path_compare(touched->items[at], cursor.record->path) < 0)
			at++;
		if (at == touched->count || strcmp(touched->items[at], cursor.record->path) != 0 ||
		    cursor.record->type != O2_ENTRY_DIRECTORY)
			continue;
		O2_GROW(found, *out_count, cap);
		found[(*out_count)++] =
			(struct directory){ .path = o2_xstrdup(cursor.record->path),
					    .mode = cursor.record->mode,
					    .mtime = { .tv_sec = cursor.record->mtime_s,
						       .tv_nsec = cursor.record->mtime_ns } };
	}
	o2_cursor_release(&cursor);
	return found;
}

static int settle_directory(struct o2_tree *tree, const struct directory *directory,
			    struct o2_err *err)
{
	O2_AUTO(o2_dir_unrefp) struct o2_dir *dir = NULL;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, directory->mtime };
	bool is_root = directory->path[0] == '\0';
	struct stat st;
	const char *name;
	int failed = 0, rc;

	if ((rc = o2_tree_parent(tree, directory->path, &dir, &name, err)) < 0)
		return rc;
	if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		failed = errno;
	if (!failed && (st.st_mode & 07777) != directory->mode)
		failed = o2_chmod_at(dir->fd, name, directory->mode);
	if (!failed && utimensat(dir->fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		failed = errno;
	if (failed && !is_root)
		return o2_fail_errno(err, failed, "cannot set mode and time of '%s/%s'", tree->name,
				     directory->path);
	return 0;
}

int o2_settle_directories(struct o2_tree *tree, struct o2_memory *memory, struct o2_err *err)
{
	size_t count = 0;
	struct directory *found = find_touched(tree, memory, &count);
	int rc = 0;

	tree->open_up = false;
	for (size_t i = count; i > 0; i--) {
		if (rc == 0)
			rc = settle_directory(tree, &found[i - 1], err);
		free(found[i - 1].path);
	}
	tree->open_up = true;
	o2_tree_forget(tree);
	o2_strs_release(&tree->touched);
	free(found);
	return rc;
}
