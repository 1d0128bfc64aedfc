/*
 * A tree's root, and ways below it that can't lead out.
 *
 * Every path comes from the other side and is hostile. It is walked component by component with O_NOFOLLOW from the root's
 * descriptor, so neither ".." nor a symbolic link, be it put there a moment before, leads elsewhere.
 *
 * Order of paths: a directory before what is in it, names by their bytes: '/' sorts before every other byte. Both sides walk, send
 * and remember in this order; merging two lists of paths is all that a round does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/strs.h"

#define O2_PATH_MAX_BYTES 65535
#define O2_NAME_MAX_BYTES 255

/* A directory's descriptor (O_PATH), shared by reference count between threads. */
struct o2_dir {
	int fd;
	int refs; /* atomic */
};
struct o2_dir *o2_dir_new(int fd);
struct o2_dir *o2_dir_ref(struct o2_dir *dir);
void o2_dir_unref(struct o2_dir *dir);
O2_DEFINE_FREEP(struct o2_dir, o2_dir_unref)

struct o2_tree {
	const char *name; /* borrowed */
	const char *path; /* borrowed */
	bool device;      /* a block device: one file, whose path is "" */
	bool open_up; /* the receiver: give ourselves rwx on the directories that we own and need */
	struct o2_dir *
		root; /* of a device: the descriptor of the device itself, opened for reading and, at the receiver, writing */
	char *at_path; /* the directory that was needed last */
	struct o2_dir *at;
	struct o2_strs touched; /* directories of which mode and times may be off now */
};

/* name and path are borrowed. Errors: O2_ENOTFOUND, O2_EAUTH, O2_EINVALID (neither directory nor block device). */
O2_MUST_CHECK int o2_tree_open(struct o2_tree *tree, const char *name, const char *path,
			       struct o2_err *err);
void o2_tree_close(struct o2_tree *tree);
/* Forget the directory that was needed last: it may have been removed or replaced. */
void o2_tree_forget(struct o2_tree *tree);
/*
 * The directory that holds `path`, and the path's last name.
 *
 * out_dir   a reference; for the root's own path "" it is the root, and the name is ".".
 * out_name  points into `path`, or at ".".
 * Effects   with open_up, directories on the way that we own get u+rwx, and are added to `touched`.
 * Errors    O2_ENOTFOUND (also when a component is no directory), O2_EAUTH, O2_EIO.
 */
O2_MUST_CHECK int o2_tree_parent(struct o2_tree *tree, const char *path, struct o2_dir **out_dir,
				 const char **out_name, struct o2_err *err);
/* The directory dir_fd/name, of that path, may not be read: lend ourselves rwx on it, if it is ours and open_up is set. */
bool o2_tree_open_up(struct o2_tree *tree, int dir_fd, const char *name, const char *path);
/* Remember that the times of this directory, or of the one that holds `path`, will be off. */
void o2_tree_touch(struct o2_tree *tree, const char *path);
void o2_tree_touch_parent(struct o2_tree *tree, const char *path);

/* May a peer name this: relative, no empty, "." or ".." component, no NUL, lengths within limits. "" is the root. */
bool o2_path_valid(const char *path, size_t len);
/* Before, same, after: < 0, 0, > 0. */
int o2_path_compare(const char *a, const char *b);
/* Strictly below the directory. */
bool o2_path_below(const char *path, const char *dir);

/* chmod() without following a link. Returns 0 or an errno. */
int o2_chmod_at(int dir_fd, const char *name, mode_t mode);
/* "/proc/self/fd/N/name": what calls without an *at() variant are given. The size fits any name. */
#define O2_PROC_PATH_SIZE (O2_NAME_MAX_BYTES + 40)
void o2_proc_path(int dir_fd, const char *name, char out[O2_PROC_PATH_SIZE]);
