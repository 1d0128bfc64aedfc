#include "doc/doc.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "doc/doc_internal.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

static void *allocate(size_t size)
{
	return o2_xmalloc(size);
}

/* jansson answers NULL when memory runs out, which every caller would have to tell from other
 * failures. */
__attribute__((constructor)) static void use_aborting_allocator(void)
{
	json_set_alloc_funcs(allocate, free);
}

static char *repair(const char *text, size_t len)
{
	struct o2_buf out;

	o2_buf_init(&out, O2_DOC_NO_MAX);
	while (len > 0) {
		size_t valid = o2_utf8_valid(text, len);
		o2_buf_add(&out, text, valid);
		text += valid;
		len -= valid;
		if (len > 0) {
			o2_buf_adds(&out, replacement);
			text++;
			len--;
		}
	}
	return out.data;
}

json_t *o2_doc_json_string(const char *text, size_t len)
{
	assert(memchr(text, '\0', len) == NULL);
	json_t *json = json_stringn(text, len);
	if (json == NULL) {
		O2_AUTO(o2_freep) char *repaired = repair(text, len);
		json = json_string_nocheck(repaired);
	}
	return json;
}

struct o2_doc *o2_doc_object_new(void)
{
	return o2_doc_of(json_object());
}

struct o2_doc *o2_doc_array_new(void)
{
	return o2_doc_of(json_array());
}

struct o2_doc *o2_doc_str_new(const char *text)
{
	return text != NULL ? o2_doc_of(o2_doc_json_string(text, strlen(text))) : NULL;
}

struct o2_doc *o2_doc_int_new(int64_t value)
{
	return o2_doc_of(json_integer(value));
}

struct o2_doc *o2_doc_real_new(double value)
{
	assert(isfinite(value));
	return o2_doc_of(json_real(value));
}

struct o2_doc *o2_doc_bool_new(bool value)
{
	return o2_doc_of(json_boolean(value));
}

struct o2_doc *o2_doc_null_new(void)
{
	return o2_doc_of(json_null());
}

/* Scalars can't be changed once made, so that copies may share them. */
static json_t *copy(json_t *json)
{
	if (json_is_object(json)) {
		json_t *object = json_object();
		for (void *at = json_object_iter(json); at != NULL;
		     at = json_object_iter_next(json, at))
			json_object_setn_new_nocheck(object, json_object_iter_key(at),
						     json_object_iter_key_len(at),
						     copy(json_object_iter_value(at)));
		return object;
	}
	if (json_is_array(json)) {
		json_t *array = json_array();
		for (size_t i = 0; i < json_array_size(json); i++)
			json_array_append_new(array, copy(json_array_get(json, i)));
		return array;
	}
	return json_incref(json);
}

struct o2_doc *o2_doc_copy(const struct o2_doc *doc)
{
	return doc != NULL ? o2_doc_of(copy(o2_doc_json(doc))) : NULL;
}

struct o2_doc *o2_doc_ref(const struct o2_doc *doc)
{
	return o2_doc_of(json_incref(o2_doc_json(doc)));
}

void o2_doc_free(struct o2_doc *doc)
{
	json_decref(o2_doc_json(doc));
}

enum o2_doc_type o2_doc_type(const struct o2_doc *doc)
{
	if (doc == NULL)
		return O2_DOC_NULL;
	switch (json_typeof(o2_doc_json(doc))) {
	case JSON_OBJECT:
		return O2_DOC_OBJECT;
	case JSON_ARRAY:
		return O2_DOC_ARRAY;
	case JSON_STRING:
		return O2_DOC_STRING;
	case JSON_INTEGER:
		return O2_DOC_INT;
	case JSON_REAL:
		return O2_DOC_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return O2_DOC_BOOL;
	case JSON_NULL:
	default:
		return O2_DOC_NULL;
	}
}

/* Exact: an integer that no double can hold equals no real. */
static bool numbers_equal(json_t *a, json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b))
		return json_integer_value(a) == json_integer_value(b);
	if (json_is_real(a) && json_is_real(b))
		return json_real_value(a) >= json_real_value(b) &&
		       json_real_value(a) <= json_real_value(b);
	if (json_is_real(a))
		return numbers_equal(b, a);

	double real = json_real_value(b);
	if (real < -0x1p63 || real >= 0x1p63)
		return false;
	return (json_int_t)real == json_integer_value(a) && !(real > trunc(real)) &&
	       !(real < trunc(real));
}

static bool equal(json_t *a, json_t *b)
{
	if (a == b)
		return true;
	if (a == NULL || b == NULL)
		return false;
	if (json_is_number(a) && json_is_number(b))
		return numbers_equal(a, b);
	if (json_typeof(a) != json_typeof(b))
		return false;
	if (json_is_string(a))
		return json_string_length(a) == json_string_length(b) &&
		       memcmp(json_string_value(a), json_string_value(b), json_string_length(a)) ==
			       0;
	if (json_is_array(a)) {
		if (json_array_size(a) != json_array_size(b))
			return false;
		for (size_t i = 0; i < json_array_size(a); i++)
			if (!equal(json_array_get(a, i), json_array_get(b, i)))
				return false;
		return true;
	}
	if (!json_is_object(a))
		return true;
	if (json_object_size(a) != json_object_size(b))
		return false;
	for (void *at = json_object_iter(a); at != NULL; at = json_object_iter_next(a, at))
		if (!equal(json_object_iter_value(at),
			   json_object_getn(b, json_object_iter_key(at),
					    json_object_iter_key_len(at))))
			return false;
	return true;
}

bool o2_doc_equal(const struct o2_doc *a, const struct o2_doc *b)
{
	return equal(o2_doc_json(a), o2_doc_json(b));
}

size_t o2_doc_depth(const struct o2_doc *doc)
{
	json_t *json = o2_doc_json(doc);
	size_t deepest = 0;

	if (!json_is_object(json) && !json_is_array(json))
		return 0;
	for (size_t i = 0; i < json_array_size(json); i++) {
		size_t depth = o2_doc_depth(o2_doc_of(json_array_get(json, i)));
		deepest = depth > deepest ? depth : deepest;
	}
	for (void *at = json_object_iter(json); at != NULL; at = json_object_iter_next(json, at)) {
		size_t depth = o2_doc_depth(o2_doc_of(json_object_iter_value(at)));
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

size_t o2_doc_nodes(const struct o2_doc *doc)
{
	json_t *json = o2_doc_json(doc);
	size_t nodes = 1;

	for (size_t i = 0; i < json_array_size(json); i++)
		nodes += o2_doc_nodes(o2_doc_of(json_array_get(json, i)));
	for (void *at = json_object_iter(json); at != NULL; at = json_object_iter_next(json, at))
		nodes += o2_doc_nodes(o2_doc_of(json_object_iter_value(at)));
	return nodes;
}

struct o2_doc *o2_doc_member(const struct o2_doc *doc, const char *name)
{
	return o2_doc_of(json_object_get(o2_doc_json(doc), name));
}

const char *o2_doc_member_str(const struct o2_doc *doc, const char *name, const char *fallback)
{
	const char *text = o2_doc_text(o2_doc_member(doc, name));

	return text != NULL ? text : fallback;
}

const char *o2_doc_text(const struct o2_doc *doc)
{
	return json_string_value(o2_doc_json(doc));
}

int64_t o2_doc_number(const struct o2_doc *doc, int64_t fallback)
{
	return json_is_integer(o2_doc_json(doc)) ? json_integer_value(o2_doc_json(doc)) : fallback;
}

size_t o2_doc_count(const struct o2_doc *doc)
{
	json_t *json = o2_doc_json(doc);

	return json_is_object(json) ? json_object_size(json) : json_array_size(json);
}

struct o2_doc *o2_doc_item(const struct o2_doc *array, size_t index)
{
	return o2_doc_of(json_array_get(o2_doc_json(array), index));
}

struct o2_doc_iter o2_doc_iter(const struct o2_doc *object)
{
	json_t *json = o2_doc_json(object);

	return (struct o2_doc_iter){ .object_ = json, .next_ = json_object_iter(json) };
}

bool o2_doc_next(struct o2_doc_iter *it)
{
	if (it->next_ == NULL)
		return false;
	it->name = json_object_iter_key(it->next_);
	it->value = o2_doc_of(json_object_iter_value(it->next_));
	/* Ahead of the caller, who may remove this member. */
	it->next_ = json_object_iter_next(it->object_, it->next_);
	return true;
}

void o2_doc_set(struct o2_doc *object, const char *name, struct o2_doc *value)
{
	json_t *json = o2_doc_json(object);

	assert(json_is_object(json) && object != value);
	if (value == NULL) {
		json_object_del(json, name);
		return;
	}
	size_t len = strlen(name);
	if (o2_utf8_valid(name, len) == len) {
		json_object_setn_new_nocheck(json, name, len, o2_doc_json(value));
	} else {
		O2_AUTO(o2_freep) char *repaired = repair(name, len);
		json_object_set_new_nocheck(json, repaired, o2_doc_json(value));
	}
}

void o2_doc_set_str(struct o2_doc *object, const char *name, const char *text)
{
	o2_doc_set(object, name, o2_doc_str_new(text));
}

void o2_doc_append(struct o2_doc *array, struct o2_doc *value)
{
	assert(json_is_array(o2_doc_json(array)) && array != value);
	if (value != NULL)
		json_array_append_new(o2_doc_json(array), o2_doc_json(value));
}

void o2_doc_append_str(struct o2_doc *array, const char *text)
{
	o2_doc_append(array, o2_doc_str_new(text));
}

bool o2_doc_unset(struct o2_doc *object, const char *name)
{
	return json_object_del(o2_doc_json(object), name) == 0;
}

void o2_doc_remove_item(struct o2_doc *array, size_t index)
{
	int rc = json_array_remove(o2_doc_json(array), index);

	assert(rc == 0);
	(void)rc;
}
