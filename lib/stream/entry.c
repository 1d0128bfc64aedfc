#include "stream/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "stream/tree.h"

#define XATTRS_MAX_BYTES ((size_t)768 << 10) /* all of an entry: must fit into a frame */
#define NAMES_MAX_BYTES 65536
#define VALUE_MAX_BYTES 65536
#define TARGET_MAX_BYTES O2_PATH_MAX_BYTES
#define REMEDY "run the mover as root: --mover-as-root"

uint8_t o2_entry_type_of(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return O2_ENTRY_FILE;
	case S_IFDIR:
		return O2_ENTRY_DIRECTORY;
	case S_IFLNK:
		return O2_ENTRY_SYMLINK;
	case S_IFIFO:
		return O2_ENTRY_FIFO;
	case S_IFCHR:
		return O2_ENTRY_CHARACTER;
	case S_IFBLK:
		return O2_ENTRY_BLOCK;
	default:
		return 0;
	}
}

bool o2_entry_has_content(uint8_t type)
{
	return type == O2_ENTRY_FILE || type == O2_ENTRY_DEVICE;
}

static bool is_special(uint8_t type)
{
	return type == O2_ENTRY_CHARACTER || type == O2_ENTRY_BLOCK;
}

void o2_entry_init(struct o2_entry *entry, uint8_t type, const struct stat *st)
{
	*entry = (struct o2_entry){ .type = type };
	o2_buf_init(&entry->xattrs, XATTRS_MAX_BYTES);
	if (type == O2_ENTRY_HARDLINK || st == NULL)
		return; /* the first name says the rest */
	if (o2_entry_has_content(type))
		entry->size = (uint64_t)st->st_size;
	if (type == O2_ENTRY_DEVICE)
		return; /* a device node's owner and times say nothing about its content */
	entry->mode = type == O2_ENTRY_SYMLINK ? 0777 : st->st_mode & 07777;
	entry->uid = st->st_uid;
	entry->gid = st->st_gid;
	entry->mtime_s = st->st_mtim.tv_sec;
	entry->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	if (is_special(type))
		entry->rdev = st->st_rdev;
}

void o2_entry_release(struct o2_entry *entry)
{
	free(entry->target);
	if (entry->xattrs.data)
		o2_buf_release(&entry->xattrs);
	*entry = (struct o2_entry){ 0 };
}

/* --- extended attributes --- */

static bool is_carried(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
	       strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "system.posix_acl_default") == 0;
}

/* An open file is asked by its descriptor, which spares a walk; all else by its name. */
struct where {
	int fd; /* or -1 */
	char proc[O2_PROC_PATH_SIZE];
};

static void find(struct where *where, int fd, int dir_fd, const char *name)
{
	where->fd = fd;
	o2_proc_path(dir_fd, name, where->proc);
}

static ssize_t list_at(const struct where *where, char *out, size_t cap)
{
	return where->fd >= 0 ? flistxattr(where->fd, out, cap) : llistxattr(where->proc, out, cap);
}

static ssize_t get_at(const struct where *where, const char *name, void *out, size_t cap)
{
	return where->fd >= 0 ? fgetxattr(where->fd, name, out, cap)
			      : lgetxattr(where->proc, name, out, cap);
}

static int set_at(const struct where *where, const char *name, const void *value, size_t len)
{
	return where->fd >= 0 ? fsetxattr(where->fd, name, value, len, 0)
			      : lsetxattr(where->proc, name, value, len, 0);
}

static int remove_at(const struct where *where, const char *name)
{
	return where->fd >= 0 ? fremovexattr(where->fd, name) : lremovexattr(where->proc, name);
}

static int compare_names(const void *a, const void *b)
{
	const char *const *left = a;
	const char *const *right = b;

	return strcmp(*left, *right);
}

/* The carried names, sorted; out_names points into out_text. A file system without xattrs has none. */
static int list_names(const struct where *where, char **out_text, const char ***out_names,
		      size_t *out_count)
{
	ssize_t len = list_at(where, NULL, 0);
	size_t cap = 0;

	if (len == 0 || (len < 0 && (errno == ENOTSUP || errno == ENOSYS)))
		return 0;
	if (len > 0) {
		*out_text = o2_xmalloc(NAMES_MAX_BYTES);
		len = list_at(where, *out_text, NAMES_MAX_BYTES);
	}
	if (len < 0)
		return errno;
	for (const char *name = *out_text; name < *out_text + len; name += strlen(name) + 1) {
		if (!is_carried(name))
			continue;
		O2_GROW(*out_names, *out_count, cap);
		(*out_names)[(*out_count)++] = name;
	}
	if (*out_count > 1)
		qsort(*out_names, *out_count, sizeof(**out_names), compare_names);
	return 0;
}

static int read_xattrs(struct o2_entry *entry, const struct where *where, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *text = NULL;
	O2_AUTO(o2_freep) const char **names = NULL;
	O2_AUTO(o2_freep) char *value = NULL;
	size_t count = 0;
	int failed = list_names(where, &text, &names, &count);

	if (failed)
		return o2_fail_errno(err, failed, "cannot list extended attributes");
	for (size_t i = 0; i < count; i++) {
		if (value == NULL)
			value = o2_xmalloc(VALUE_MAX_BYTES);
		ssize_t len = get_at(where, names[i], value, VALUE_MAX_BYTES);
		if (len < 0 && errno == ENODATA)
			continue;
		if (len < 0)
			return o2_fail_errno(err, errno, "cannot read extended attribute '%s'",
					     names[i]);
		o2_wire_put_text(&entry->xattrs, names[i]);
		o2_wire_put_bytes(&entry->xattrs, value, (size_t)len);
	}
	if (o2_buf_overflowed(&entry->xattrs))
		return o2_fail(err, O2_ELIMIT, "more than %zu bytes of extended attributes",
			       XATTRS_MAX_BYTES);
	return 0;
}

int o2_entry_read_links(struct o2_entry *entry, int fd, int dir_fd, const char *name,
			struct o2_err *err)
{
	struct where where;
	char target[PATH_MAX];

	if (entry->type == O2_ENTRY_HARDLINK || entry->type == O2_ENTRY_DEVICE)
		return 0;
	if (entry->type == O2_ENTRY_SYMLINK) {
		ssize_t len = readlinkat(dir_fd, name, target, sizeof(target));
		if (len < 0)
			return o2_fail_errno(err, errno, "cannot read the link");
		free(entry->target);
		entry->target = o2_xstrndup(target, (size_t)len);
		return 0; /* user.* and ACLs don't exist on links */
	}
	o2_buf_clear(&entry->xattrs);
	find(&where, fd, dir_fd, name);
	return read_xattrs(entry, &where, err);
}

/* --- wire and digest --- */

void o2_entry_put(struct o2_buf *out, const struct o2_entry *entry)
{
	o2_wire_put_u8(out, entry->type);
	o2_wire_put_u16(out, entry->mode);
	o2_wire_put_u32(out, entry->uid);
	o2_wire_put_u32(out, entry->gid);
	o2_wire_put_u64(out, entry->size);
	o2_wire_put_u64(out, (uint64_t)entry->mtime_s);
	o2_wire_put_u32(out, entry->mtime_ns);
	o2_wire_put_u64(out, entry->rdev);
	o2_wire_put_text(out, entry->target ? entry->target : "");
	o2_wire_put_bytes(out, entry->xattrs.data, entry->xattrs.len);
}

/* Names sorted, each one that we carry, nothing left over. */
static bool are_valid_xattrs(const unsigned char *bytes, size_t len)
{
	struct o2_wire wire = { .at = bytes, .left = len };
	O2_AUTO(o2_freep) char *last = NULL;

	while (wire.left > 0 && !wire.bad) {
		size_t value_len;
		char *name = o2_wire_text(&wire, O2_NAME_MAX_BYTES);
		o2_wire_bytes(&wire, VALUE_MAX_BYTES, &value_len);
		bool good = is_carried(name) && (last == NULL || strcmp(last, name) < 0);
		free(last);
		last = name;
		if (!good)
			return false;
	}
	return !wire.bad;
}

void o2_entry_get(struct o2_wire *wire, struct o2_entry *entry)
{
	size_t len;

	o2_entry_init(entry, o2_wire_u8(wire), NULL);
	entry->mode = o2_wire_u16(wire);
	entry->uid = o2_wire_u32(wire);
	entry->gid = o2_wire_u32(wire);
	entry->size = o2_wire_u64(wire);
	entry->mtime_s = (int64_t)o2_wire_u64(wire);
	entry->mtime_ns = o2_wire_u32(wire);
	entry->rdev = o2_wire_u64(wire);
	entry->target = o2_wire_text(wire, TARGET_MAX_BYTES);
	const unsigned char *xattrs = o2_wire_bytes(wire, XATTRS_MAX_BYTES, &len);

	bool is_link = entry->type == O2_ENTRY_SYMLINK || entry->type == O2_ENTRY_HARDLINK;
	if (entry->type == 0 || entry->type >= O2_ENTRY_TYPE_COUNT || entry->mode > 07777 ||
	    entry->size > INT64_MAX || entry->mtime_ns >= 1000000000 ||
	    is_link != (entry->target[0] != '\0') || !are_valid_xattrs(xattrs, len))
		wire->bad = true;
	else
		o2_buf_add(&entry->xattrs, xattrs, len);
}

void o2_entry_digest(const struct o2_entry *entry, const unsigned char *blocks, size_t count,
		     unsigned char out[O2_SHA256_BYTES])
{
	struct o2_buf canonical;

	o2_buf_init(&canonical, O2_WIRE_PAYLOAD_MAX);
	o2_entry_put(&canonical, entry);
	if (o2_entry_has_content(entry->type)) {
		unsigned char content[O2_SHA256_BYTES];
		o2_sha256_bytes(blocks, count * O2_SHA256_BYTES, content);
		o2_buf_add(&canonical, content, sizeof(content));
	}
	o2_sha256_bytes(canonical.data, canonical.len, out);
	o2_buf_release(&canonical);
}

/* --- putting it on what stands on the disk --- */

struct target {
	const struct o2_entry *entry;
	int dir_fd;
	const char *name, *label;
	struct where where;
	bool lenient;
};

/* Not allowed: forgiven, or an error that says who would be. */
static int denied(const struct target *target, int failed, const char *what, struct o2_err *err)
{
	bool is_right = failed == EPERM || failed == EACCES;

	if (target->lenient && (is_right || failed == ENOTSUP || failed == EROFS))
		return 0;
	if (is_right)
		return o2_fail(err, O2_EAUTH, "cannot set %s of '%s' as user %u: %s", what,
			       target->label, (unsigned)geteuid(), REMEDY);
	return o2_fail_errno(err, failed, "cannot set %s of '%s'", what, target->label);
}

static int apply_owner(const struct target *target, const struct stat *st, struct o2_err *err)
{
	const struct o2_entry *entry = target->entry;
	uid_t uid = st->st_uid == entry->uid ? (uid_t)-1 : entry->uid;
	gid_t gid = st->st_gid == entry->gid ? (gid_t)-1 : entry->gid;
	char what[64];

	if (uid == (uid_t)-1 && gid == (gid_t)-1)
		return 0;
	if (fchownat(target->dir_fd, target->name, uid, gid, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	snprintf(what, sizeof(what), "owner %u:%u", entry->uid, entry->gid);
	return denied(target, errno, what, err);
}

static int set_xattrs(const struct target *target, struct o2_err *err)
{
	struct o2_wire wire = { .at = (const unsigned char *)target->entry->xattrs.data,
				.left = target->entry->xattrs.len };
	char what[O2_NAME_MAX_BYTES + 32];

	while (wire.left > 0) {
		size_t len;
		O2_AUTO(o2_freep) char *name = o2_wire_text(&wire, O2_NAME_MAX_BYTES);
		const unsigned char *value = o2_wire_bytes(&wire, VALUE_MAX_BYTES, &len);
		if (set_at(&target->where, name, value, len) == 0)
			continue;
		snprintf(what, sizeof(what), "extended attribute '%s'", name);
		int rc = denied(target, errno, what, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool has_name(const struct o2_buf *xattrs, const char *wanted)
{
	struct o2_wire wire = { .at = (const unsigned char *)xattrs->data, .left = xattrs->len };

	while (wire.left > 0 && !wire.bad) {
		size_t len;
		O2_AUTO(o2_freep) char *name = o2_wire_text(&wire, O2_NAME_MAX_BYTES);
		o2_wire_bytes(&wire, VALUE_MAX_BYTES, &len);
		if (strcmp(name, wanted) == 0)
			return true;
	}
	return false;
}

static int apply_xattrs(const struct target *target, struct o2_err *err)
{
	O2_AUTO(o2_entry_release) struct o2_entry now;
	int rc;

	o2_entry_init(&now, target->entry->type, NULL);
	if (read_xattrs(&now, &target->where, err) < 0)
		return o2_prefix(err, "'%s'", target->label);
	if (now.xattrs.len == target->entry->xattrs.len &&
	    memcmp(now.xattrs.data, target->entry->xattrs.data, now.xattrs.len) == 0)
		return 0;
	struct o2_wire wire = { .at = (const unsigned char *)now.xattrs.data,
				.left = now.xattrs.len };
	while (wire.left > 0) {
		size_t len;
		O2_AUTO(o2_freep) char *name = o2_wire_text(&wire, O2_NAME_MAX_BYTES);
		o2_wire_bytes(&wire, VALUE_MAX_BYTES, &len);
		if (has_name(&target->entry->xattrs, name))
			continue;
		if (remove_at(&target->where, name) < 0 && errno != ENODATA &&
		    (rc = denied(target, errno, "extended attributes", err)) < 0)
			return rc;
	}
	return set_xattrs(target, err);
}

static int look(const struct target *target, struct stat *out, struct o2_err *err)
{
	int rc = target->where.fd >= 0
			 ? fstat(target->where.fd, out)
			 : fstatat(target->dir_fd, target->name, out, AT_SYMLINK_NOFOLLOW);

	return rc < 0 ? o2_fail_errno(err, errno, "cannot look at '%s'", target->label) : 0;
}

static int apply_mode(const struct target *target, struct stat *st, struct o2_err *err)
{
	mode_t mode = target->entry->mode;
	int failed = 0;

	if ((st->st_mode & 07777) == mode)
		return 0;
	if (target->where.fd < 0)
		failed = o2_chmod_at(target->dir_fd, target->name, mode);
	else if (fchmod(target->where.fd, mode) < 0)
		failed = errno;
	return failed ? denied(target, failed, "the mode", err) : 0;
}

static int apply_time(const struct target *target, const struct stat *st, struct o2_err *err)
{
	const struct o2_entry *entry = target->entry;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
				     { .tv_sec = entry->mtime_s, .tv_nsec = entry->mtime_ns } };
	int rc;

	if (st->st_mtim.tv_sec == entry->mtime_s && st->st_mtim.tv_nsec == entry->mtime_ns)
		return 0;
	rc = target->where.fd >= 0
		     ? futimens(target->where.fd, times)
		     : utimensat(target->dir_fd, target->name, times, AT_SYMLINK_NOFOLLOW);
	return rc < 0 ? denied(target, errno, "the time", err) : 0;
}

/* Owner and xattrs first: a change of owner takes set-id bits and capabilities away. Times last. */
int o2_entry_apply(const struct o2_entry *entry, int fd, int dir_fd, const char *name,
		   const char *label, bool lenient, struct o2_err *err)
{
	struct target target = {
		.entry = entry, .dir_fd = dir_fd, .name = name, .label = label, .lenient = lenient
	};
	struct stat st;
	int rc;

	find(&target.where, fd, dir_fd, name);
	if ((rc = look(&target, &st, err)) < 0 || (rc = apply_owner(&target, &st, err)) < 0)
		return rc;
	if (entry->type != O2_ENTRY_SYMLINK) {
		bool owned = st.st_uid == entry->uid && st.st_gid == entry->gid;
		if ((rc = apply_xattrs(&target, err)) < 0 ||
		    ((!owned || entry->xattrs.len > 0) && (rc = look(&target, &st, err)) < 0) ||
		    (rc = apply_mode(&target, &st, err)) < 0)
			return rc;
	}
	return apply_time(&target, &st, err);
}
