/*
 * JSON Pointers (RFC 6901).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "doc/doc.h"
#include "doc/doc_internal.h"

/* The part of a pointer up to the next '/', copied with ~1 and ~0 put back. */
static bool unescape(const char *from, size_t len, char *out, size_t *out_len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = from[i];
		if (c == '~') {
			i++;
			if (i == len || (from[i] != '0' && from[i] != '1'))
				return false;
			c = from[i] == '0' ? '~' : '/';
		}
		out[n++] = c;
	}
	*out_len = n;
	return true;
}

bool o2_doc_token_take(struct o2_doc_token *token, const char **at)
{
	const char *begin = *at + 1;
	size_t len = strcspn(begin, "/~");
	bool escaped = begin[len] == '~';

	token->large = NULL;
	token->name = begin;
	token->len = len;
	if (escaped) {
		len += strcspn(begin + len, "/");
		char *room = token->small;
		if (len > sizeof(token->small))
			room = token->large = o2_xmalloc(len);
		token->name = room;
		if (!unescape(begin, len, room, &token->len))
			return false;
	}
	*at = begin + len;
	return true;
}

void o2_doc_token_release(struct o2_doc_token *token)
{
	free(token->large);
	token->large = NULL;
}

size_t o2_doc_token_index(const struct o2_doc_token *token, size_t count)
{
	size_t index = 0;

	if (token->len == 0 || token->len > 18 || (token->name[0] == '0' && token->len > 1))
		return O2_DOC_NO_INDEX;
	for (size_t i = 0; i < token->len; i++) {
		if (token->name[i] < '0' || token->name[i] > '9')
			return O2_DOC_NO_INDEX;
		index = index * 10 + (size_t)(token->name[i] - '0');
	}
	return index < count ? index : O2_DOC_NO_INDEX;
}

json_t *o2_doc_token_get(const struct o2_doc_token *token, const json_t *container)
{
	if (json_is_object(container))
		return json_object_getn(container, token->name, token->len);
	if (json_is_array(container))
		return json_array_get(container,
				      o2_doc_token_index(token, json_array_size(container)));
	return NULL;
}

bool o2_doc_pointer_valid(const char *pointer)
{
	if (pointer[0] != '\0' && pointer[0] != '/')
		return false;
	for (const char *p = pointer; (p = strchr(p, '~')) != NULL; p++)
		if (p[1] != '0' && p[1] != '1')
			return false;
	return true;
}

/* Walk `pointer` up to `end`, an address in it where a token begins or the text ends. */
static json_t *walk(json_t *json, const char *pointer, const char *end)
{
	assert(pointer[0] == '\0' || pointer[0] == '/');
	while (json != NULL && pointer < end) {
		struct o2_doc_token token;
		if (o2_doc_token_take(&token, &pointer))
			json = o2_doc_token_get(&token, json);
		else
			json = NULL;
		o2_doc_token_release(&token);
	}
	return json;
}

struct o2_doc *o2_doc_at(const struct o2_doc *doc, const char *pointer)
{
	return o2_doc_of(walk(o2_doc_json(doc), pointer, pointer + strlen(pointer)));
}

const char *o2_doc_str(const struct o2_doc *doc, const char *pointer, const char *fallback)
{
	const char *text = o2_doc_text(o2_doc_at(doc, pointer));

	return text != NULL ? text : fallback;
}

int64_t o2_doc_int(const struct o2_doc *doc, const char *pointer, int64_t fallback)
{
	return o2_doc_number(o2_doc_at(doc, pointer), fallback);
}

bool o2_doc_bool(const struct o2_doc *doc, const char *pointer, bool fallback)
{
	json_t *json = o2_doc_json(o2_doc_at(doc, pointer));

	return json_is_boolean(json) ? json_is_true(json) : fallback;
}

/* Set the member or element that `token` names; takes `value`. */
static void put_token(json_t *container, const struct o2_doc_token *token, json_t *value)
{
	int rc;

	if (json_is_object(container)) {
		O2_AUTO(o2_freep) char *name = o2_xstrndup(token->name, token->len);
		o2_doc_set(o2_doc_of(container), name, o2_doc_of(value));
		return;
	}
	assert(json_is_array(container));
	size_t count = json_array_size(container);
	size_t index = o2_doc_token_index(token, count + 1);
	if (index == count || (token->len == 1 && token->name[0] == '-'))
		rc = json_array_append_new(container, value);
	else
		rc = json_array_set_new(container, index, value);
	assert(rc == 0);
	(void)rc;
}

void o2_doc_put(struct o2_doc *doc, const char *pointer, struct o2_doc *value)
{
	json_t *json = o2_doc_json(doc);
	const char *at = pointer;

	assert(doc != NULL && doc != value && pointer[0] == '/' && o2_doc_pointer_valid(pointer));
	if (value == NULL) {
		o2_doc_remove(doc, pointer);
		return;
	}
	for (;;) {
		struct o2_doc_token token;
		if (!o2_doc_token_take(&token, &at))
			abort();
		bool last = *at == '\0';
		json_t *next = last ? NULL : o2_doc_token_get(&token, json);
		if (last) {
			put_token(json, &token, o2_doc_json(value));
		} else if (next == NULL) {
			next = json_object();
			put_token(json, &token, next);
		}
		o2_doc_token_release(&token);
		if (last)
			return;
		json = next;
	}
}

void o2_doc_put_str(struct o2_doc *doc, const char *pointer, const char *text)
{
	o2_doc_put(doc, pointer, o2_doc_str_new(text));
}

void o2_doc_put_int(struct o2_doc *doc, const char *pointer, int64_t value)
{
	o2_doc_put(doc, pointer, o2_doc_int_new(value));
}

void o2_doc_put_bool(struct o2_doc *doc, const char *pointer, bool value)
{
	o2_doc_put(doc, pointer, o2_doc_bool_new(value));
}

bool o2_doc_remove(struct o2_doc *doc, const char *pointer)
{
	const char *last = strrchr(pointer, '/');
	struct o2_doc_token token;
	bool removed = false;

	if (last == NULL)
		return false;
	json_t *parent = walk(o2_doc_json(doc), pointer, last);
	if (parent == NULL)
		return false;
	if (o2_doc_token_take(&token, &last)) {
		if (json_is_object(parent))
			removed = json_object_deln(parent, token.name, token.len) == 0;
		else
			removed = json_array_remove(
					  parent,
					  o2_doc_token_index(&token, json_array_size(parent))) == 0;
	}
	o2_doc_token_release(&token);
	return removed;
}

void o2_doc_prune(struct o2_doc *doc, const char *pointer)
{
	O2_AUTO(o2_freep) char *path = o2_xstrdup(pointer);
	bool removed = o2_doc_remove(doc, path);

	while (removed) {
		char *slash = strrchr(path, '/');
		*slash = '\0';
		char *above = strrchr(path, '/');
		json_t *parent = walk(o2_doc_json(doc), path, slash);
		/* An empty object in an array stays: removing it would move the elements behind it.
		 */
		if (above == NULL || !json_is_object(parent) || json_object_size(parent) > 0 ||
		    !json_is_object(walk(o2_doc_json(doc), path, above)))
			return;
		removed = o2_doc_remove(doc, path);
	}
}

void o2_doc_pointer_add(struct o2_buf *pointer, const char *name)
{
	size_t len = 1;

	for (const char *p = name; *p != '\0'; p++)
		len += *p == '/' || *p == '~' ? 2 : 1;
	O2_AUTO(o2_freep) char *token = o2_xmalloc(len);
	char *out = token;
	*out++ = '/';
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '/' || *p == '~') {
			*out++ = '~';
			*out++ = *p == '/' ? '1' : '0';
		} else {
			*out++ = *p;
		}
	}
	o2_buf_add(pointer, token, len);
}
