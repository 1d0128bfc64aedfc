/*
 * One value tree for JSON and YAML.
 *
 * A `struct o2_doc` is a reference-counted JSON value. Objects keep the order of their members, so that what is read and
 * written again has the same order. Integers are 64 bit and stay integers; numbers are never rounded.
 *
 *	O2_AUTO(o2_doc_freep) struct o2_doc *pod = o2_doc_parse(text, len, &err);
 *	const char *name = o2_doc_str(pod, "/metadata/name", "");
 *	o2_doc_put_str(pod, "/metadata/labels/app.kubernetes.io~1name", "shop");
 *
 * Paths are JSON Pointers (RFC 6901): "/spec/containers/0/image", with ~1 for '/' and ~0 for '~' inside a member's name.
 * The getters never fail: a missing member, or one of another type, gives the default. (A pointer that neither is empty nor
 * begins with '/' is a programming mistake and asserted; o2_doc_pointer_valid() tells about one from outside.) Trees are not shared between
 * threads, and a tree must not contain itself.
 *
 * Ownership: a function whose name ends in _new, _parse, _copy or _ref returns a reference that the caller frees with
 * o2_doc_free(); a getter returns a value borrowed from its tree until the tree changes; a value given to a put function
 * is *taken* (also on failure). Where a put function takes a value or a text, NULL stands for "absent": what was at that place
 * is removed, and nothing is added; so `o2_doc_set(to, "x", o2_doc_copy(o2_doc_member(from, "x")))` needs no case.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"

struct o2_doc;

enum o2_doc_type {
	O2_DOC_NULL,
	O2_DOC_BOOL,
	O2_DOC_INT,
	O2_DOC_REAL,
	O2_DOC_STRING,
	O2_DOC_ARRAY,
	O2_DOC_OBJECT,
	O2_DOC_TYPE_COUNT
};

/* Limits of what is accepted from outside. */
#define O2_DOC_MAX_DEPTH 200

/*
 * Parse one JSON text.
 *
 * Integers beyond 64 bit become reals, as in Go. A byte order mark at the start is skipped.
 *
 * Errors  O2_EINVALID with line and column (duplicate members, depth, trailing text, a NUL inside a string included). The
 *         message never quotes the text, which may be a Secret's.
 */
O2_MUST_CHECK struct o2_doc *o2_doc_parse(const char *text, size_t len, struct o2_err *err);

/*
 * Parse every document of a YAML stream (1.1 as Kubernetes reads it: yes, no, on, off, y and n are truth values too).
 * 0644 and 0o644 are octal, 1_000 is a number, 1.0 and 1e3 are integers, dates are strings, `<<` merges; keys that
 * are numbers or truth values become text.
 *
 * out_docs  an array value that holds the documents in order; empty documents are left out.
 * Errors    O2_EINVALID with line and column (NULs, .inf and .nan, unknown tags, null as a key included); O2_ELIMIT (depth, more than
 *           100,000 nodes by aliases). Messages never quote the text.
 * Source    sigs.k8s.io/yaml: JSON types only, duplicate keys refused.
 */
O2_MUST_CHECK struct o2_doc *o2_doc_parse_yaml(const char *text, size_t len, struct o2_err *err);

/* Compact JSON, members in order. NULs and invalid UTF-8 can't occur. Never escapes '/' or non-ASCII. Caller frees. */
char *o2_doc_dump(const struct o2_doc *doc);
/* Two-space indented JSON with a final newline. Caller frees. */
char *o2_doc_dump_pretty(const struct o2_doc *doc);
/* Compact JSON with members sorted by name at every depth: the form that digests are taken of. Caller frees. */
char *o2_doc_dump_canonical(const struct o2_doc *doc);
/* Block-style YAML with a final newline; strings are quoted wherever a reader could take them for something else. */
char *o2_doc_dump_yaml(const struct o2_doc *doc);

struct o2_doc *o2_doc_object_new(void);
struct o2_doc *o2_doc_array_new(void);
struct o2_doc *
o2_doc_str_new(const char *text); /* NULL stays NULL; what is not UTF-8 becomes U+FFFD */
struct o2_doc *o2_doc_int_new(int64_t value);
struct o2_doc *o2_doc_real_new(double value);
struct o2_doc *o2_doc_bool_new(bool value);
struct o2_doc *o2_doc_null_new(void);
struct o2_doc *o2_doc_copy(const struct o2_doc *doc); /* deep; NULL stays NULL */
struct o2_doc *o2_doc_ref(const struct o2_doc *doc);  /* one more reference to the same value */
void o2_doc_free(struct o2_doc *doc);                 /* drops a reference; NULL is fine */
O2_DEFINE_FREEP(struct o2_doc, o2_doc_free)

enum o2_doc_type o2_doc_type(const struct o2_doc *doc); /* NULL pointer: O2_DOC_NULL */
bool o2_doc_equal(
	const struct o2_doc *a,
	const struct o2_doc *b); /* member order does not matter; 1 equals 1.0; NULL only NULL */

/* Getters by pointer; `doc` may be NULL. */
struct o2_doc *o2_doc_at(const struct o2_doc *doc, const char *pointer); /* NULL if missing */
const char *o2_doc_str(const struct o2_doc *doc, const char *pointer, const char *fallback);
int64_t o2_doc_int(const struct o2_doc *doc, const char *pointer, int64_t fallback);
bool o2_doc_bool(const struct o2_doc *doc, const char *pointer, bool fallback);
/* Getters by plain member name: no pointer syntax, so any name can be asked for. */
struct o2_doc *o2_doc_member(const struct o2_doc *doc, const char *name);
const char *o2_doc_member_str(const struct o2_doc *doc, const char *name, const char *fallback);
/* The value itself as text, NULL unless it is a string; as number. */
const char *o2_doc_text(const struct o2_doc *doc);
int64_t o2_doc_number(const struct o2_doc *doc, int64_t fallback);

size_t o2_doc_count(const struct o2_doc *doc); /* elements or members; 0 for other types and NULL */
struct o2_doc *o2_doc_item(const struct o2_doc *array, size_t index); /* NULL beyond the end */

/*
 * Walk an object: `for (struct o2_doc_iter it = o2_doc_iter(obj); o2_doc_next(&it);) use(it.name, it.value);`
 * The current member may be replaced or removed during the walk; others may not.
 */
struct o2_doc_iter {
	const char *name;
	struct o2_doc *value;
	void *object_, *next_;
};
struct o2_doc_iter o2_doc_iter(const struct o2_doc *object);
bool o2_doc_next(struct o2_doc_iter *it);

/*
 * Put by pointer: missing objects on the way are made, an array index must exist, or be its length or "-" to append. Takes `value`.
 * Errors (pointer runs through a scalar, index out of range) are programming mistakes and asserted: use o2_doc_patch for input.
 */
void o2_doc_put(struct o2_doc *doc, const char *pointer, struct o2_doc *value);
void o2_doc_put_str(struct o2_doc *doc, const char *pointer, const char *text);
void o2_doc_put_int(struct o2_doc *doc, const char *pointer, int64_t value);
void o2_doc_put_bool(struct o2_doc *doc, const char *pointer, bool value);
/* By plain member name; takes `value`. */
void o2_doc_set(struct o2_doc *object, const char *name, struct o2_doc *value);
void o2_doc_set_str(struct o2_doc *object, const char *name, const char *text);
void o2_doc_append(struct o2_doc *array, struct o2_doc *value);
void o2_doc_append_str(struct o2_doc *array, const char *text);
/* Remove a member or element; true if it was there. */
bool o2_doc_remove(struct o2_doc *doc, const char *pointer);
bool o2_doc_unset(struct o2_doc *object, const char *name);
void o2_doc_remove_item(struct o2_doc *array, size_t index);
/* Remove it, and then each parent object that became empty by it (as the API server leaves out empty maps). */
void o2_doc_prune(struct o2_doc *doc, const char *pointer);

/* True if `pointer` is a JSON Pointer: empty, or begins with '/', and each '~' is followed by 0 or 1. */
bool o2_doc_pointer_valid(const char *pointer);
/* One more pointer token, escaped, at the end of `pointer`. */
void o2_doc_pointer_add(struct o2_buf *pointer, const char *name);

/*
 * JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386). On failure `*doc` is as before.
 *
 * doc     o2_doc_patch() replaces it by a changed copy: values borrowed from it end. o2_doc_merge() changes it in place.
 * Errors  O2_EINVALID (malformed patch, missing target, depth), O2_ECONFLICT (a "test" does not hold), O2_ELIMIT (more than
 *         10,000 operations, or 100,000 nodes by "copy").
 */
O2_MUST_CHECK int o2_doc_patch(struct o2_doc **doc, const struct o2_doc *patch, struct o2_err *err);
void o2_doc_merge(struct o2_doc **doc, const struct o2_doc *merge_patch);
/*
 * The merge patch that turns `from` into `to`; an empty object if they are equal objects. A null inside `to` can't be expressed: the
 * member is left out. Values that are not objects (one of the two, or both) give a copy of `to`.
 */
struct o2_doc *o2_doc_merge_diff(const struct o2_doc *from, const struct o2_doc *to);
