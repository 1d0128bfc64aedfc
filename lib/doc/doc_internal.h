/*
 * What the files of this module share. A `struct o2_doc` is a json_t of jansson under another name,
 * so that no other module sees jansson.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"
#include "doc/doc.h"

static inline json_t *o2_doc_json(const struct o2_doc *doc)
{
	return (json_t *)(void *)doc;
}

static inline struct o2_doc *o2_doc_of(json_t *json)
{
	return (struct o2_doc *)(void *)json;
}

/* A buffer without a limit of its own, for what is written from a tree in memory. */
#define O2_DOC_NO_MAX ((size_t)1 << 60)

/* A string of `len` bytes; what is not UTF-8 becomes U+FFFD. A NUL must not be in it (asserted). */
json_t *o2_doc_json_string(const char *text, size_t len);

/* Levels of containers: 0 for a scalar, 1 for an empty object. */
size_t o2_doc_depth(const struct o2_doc *doc);

/* Values in the tree, the root included. */
size_t o2_doc_nodes(const struct o2_doc *doc);

/*
 * The shortest decimal text that reads back as the same double. It has a '.' or an exponent, so
 * that it reads back as a real, unless it is a whole number beyond 64 bit.
 */
#define O2_DOC_REAL_SIZE 40
void o2_doc_real_text(double value, char out[O2_DOC_REAL_SIZE]);
/* A decimal text as a double, whatever the process's language; infinite if it is too large. */
double o2_doc_real_parse(const char *text);

/*
 * What a plain (unquoted) YAML scalar stands for; a string if it is nothing else.
 *
 * Returns NULL for a number that JSON has no form for (.inf, .nan, an integer of 400 digits). Real numbers without a
 * fraction become integers where a double is exact, as they do when Go writes them as JSON.
 */
json_t *o2_doc_yaml_plain(const char *text, size_t len);

/* True if some reader of YAML 1.0 to 1.2 could take the plain scalar for something else than a
 * string. */
bool o2_doc_yaml_is_ambiguous(const char *text, size_t len);

/* One token of a JSON Pointer. */
struct o2_doc_token {
	const char *name; /* not NUL-terminated; points into the pointer, `small` or `large` */
	size_t len;
	char small[256];
	char *large; /* for an escaped name that `small` is too short for */
};

/*
 * Take the token that begins at **at (a '/') and move *at behind it.
 *
 * Returns false if the syntax is wrong ("~" without 0 or 1). Release the token in either case; it
 * may be taken anew without initialising, once released.
 */
bool o2_doc_token_take(struct o2_doc_token *token, const char **at);
void o2_doc_token_release(struct o2_doc_token *token);

/* The token as an index below `count`, or O2_DOC_NO_INDEX: digits only, no leading zero. */
#define O2_DOC_NO_INDEX ((size_t)-1)
size_t o2_doc_token_index(const struct o2_doc_token *token, size_t count);
/* The element or member that the token names, or NULL. */
json_t *o2_doc_token_get(const struct o2_doc_token *token, const json_t *container);
