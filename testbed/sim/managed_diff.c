/* What one write changed: the fields of two objects that differ. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "managed_internal.h"

static bool is_scalar(const struct o2_doc *value)
{
	enum o2_doc_type type = o2_doc_type(value);

	return type != O2_DOC_NULL && type != O2_DOC_ARRAY && type != O2_DOC_OBJECT;
}

enum sim_managed_shape sim_managed_shape(const struct sim_field *field, const struct o2_doc *a,
					 const struct o2_doc *b)
{
	enum o2_doc_type a_type = o2_doc_type(a), b_type = o2_doc_type(b);
	enum o2_doc_type type = a_type == O2_DOC_NULL ? b_type : a_type;

	if (field->how == SIM_ATOMIC || is_scalar(a) || is_scalar(b))
		return SIM_LEAF;
	if (a_type != b_type && a_type != O2_DOC_NULL && b_type != O2_DOC_NULL)
		return SIM_LEAF;
	/* An empty one and an absent one are told apart, so emptiness is owned. */
	if (o2_doc_count(a) == 0 && o2_doc_count(b) == 0)
		return SIM_LEAF;
	if (type == O2_DOC_OBJECT)
		return SIM_MAP;
	return field->how == SIM_KEYED || field->how == SIM_VALUES ? SIM_LIST : SIM_LEAF;
}

struct sim_field sim_element(const struct sim_field *list)
{
	return (struct sim_field){ .how = list->is_of_wholes ? SIM_ATOMIC : SIM_GRANULAR,
				   .type = list->type };
}

/* ---- keys of lists ---- */

static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\')
			return false;
	}
	return true;
}

static void add_scalar(struct o2_buf *text, const struct o2_doc *value)
{
	const char *plain = o2_doc_text(value);

	if (plain && is_plain(plain)) {
		o2_buf_addc(text, '"');
		o2_buf_adds(text, plain);
		o2_buf_addc(text, '"');
	} else {
		O2_AUTO(o2_freep) char *dumped = o2_doc_dump(value);
		o2_buf_adds(text, dumped);
	}
}

/* False if the element has none of the keys. */
static bool add_key(struct o2_buf *text, const char *keys, const struct o2_doc *element)
{
	const char *separator = "\"";
	bool found = false;

	o2_buf_adds(text, "k:{");
	for (const char *at = keys; *at;) {
		size_t len = strcspn(at, ",");
		char name[64];
		const struct o2_doc *value;

		assert(len < sizeof(name));
		memcpy(name, at, len);
		name[len] = '\0';
		at += len + (at[len] == ',');
		value = o2_doc_member(element, name);
		/* The one key that the schema has a default for. */
		if (!value && strcmp(name, "protocol") != 0)
			continue;
		o2_buf_adds(text, separator);
		o2_buf_adds(text, name);
		o2_buf_adds(text, "\":");
		if (value)
			add_scalar(text, value);
		else
			o2_buf_adds(text, "\"TCP\"");
		separator = ",\"";
		found = true;
	}
	o2_buf_adds(text, "}");
	return found;
}

static char *key_of(const struct sim_field *list, const struct o2_doc *element)
{
	struct o2_buf text;
	bool ok = true;

	o2_buf_init(&text, (size_t)1 << 20);
	if (list->how == SIM_KEYED) {
		ok = add_key(&text, list->keys, element);
	} else {
		o2_buf_adds(&text, "v:");
		add_scalar(&text, element);
	}
	char *key = ok ? o2_buf_steal(&text) : NULL;
	o2_buf_release(&text);
	return key;
}

struct sim_keys sim_keys(const struct sim_field *list, const struct o2_doc *value)
{
	struct sim_keys keys = { .count = o2_doc_type(value) == O2_DOC_ARRAY ? o2_doc_count(value)
									     : 0 };

	keys.names = o2_xcalloc(keys.count + 1, sizeof(*keys.names));
	for (size_t i = 0; i < keys.count; i++)
		keys.names[i] = key_of(list, o2_doc_item(value, i));
	return keys;
}

void sim_keys_release(struct sim_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		free(keys->names[i]);
	free(keys->names);
	*keys = (struct sim_keys){ 0 };
}

size_t sim_keys_find(const struct sim_keys *keys, const char *name, size_t begin)
{
	for (size_t i = begin; i < keys->count; i++) {
		if (keys->names[i] && strcmp(keys->names[i], name) == 0)
			return i;
	}
	return SIM_NO_KEY;
}

/* ---- comparing ---- */

static struct sim_diff compare(const struct sim_field *field, const struct o2_doc *a,
			       const struct o2_doc *b);

static void attach(struct sim_diff *to, const char *element, struct sim_diff diff)
{
	sim_set_put(&to->changed, element, diff.changed);
	sim_set_put(&to->removed, element, diff.removed);
}

/* Never changed, never freed. */
static const struct o2_doc *empty_map(void)
{
	static struct o2_doc *map;

	if (!map)
		map = o2_doc_object_new();
	return map;
}

/* What an absent field stands for in an object that is there. */
static const struct o2_doc *absent(const struct sim_field *field, const struct o2_doc *parent)
{
	static struct o2_doc *list, *zero;

	if (!parent || !field->never_absent)
		return NULL;
	if (!list) {
		list = o2_doc_array_new();
		zero = o2_doc_int_new(0);
	}
	return field->is_number ? zero : field->how == SIM_KEYED ? list : empty_map();
}

static void compare_member(struct sim_diff *to, const struct sim_type *type, const char *name,
			   const struct o2_doc *a_map, const struct o2_doc *a,
			   const struct o2_doc *b_map, const struct o2_doc *b)
{
	const struct sim_field *field = sim_type_field(type, name);
	struct sim_diff diff;

	if (field->how == SIM_UNOWNED)
		return;
	if (!a)
		a = absent(field, a_map);
	if (!b)
		b = absent(field, b_map);
	diff = compare(field, a, b);
	sim_set_put_field(&to->changed, name, diff.changed);
	sim_set_put_field(&to->removed, name, diff.removed);
}

static struct sim_diff compare_maps(const struct sim_type *type, const struct o2_doc *a,
				    const struct o2_doc *b)
{
	struct sim_diff diff = { 0 };

	for (struct o2_doc_iter it = o2_doc_iter(a); o2_doc_next(&it);)
		compare_member(&diff, type, it.name, a, it.value, b, o2_doc_member(b, it.name));
	for (struct o2_doc_iter it = o2_doc_iter(b); o2_doc_next(&it);) {
		if (!o2_doc_member(a, it.name))
			compare_member(&diff, type, it.name, a, NULL, b, it.value);
	}
	return diff;
}

/* Two lists, their elements by key. */
struct lists {
	struct sim_field element;
	const struct o2_doc *a, *b;
	struct sim_keys a_keys, b_keys;
};

/* The elements that have a key: usually one. */
struct same_key {
	size_t first, count;
};

static struct same_key same_key(const struct sim_keys *keys, const char *name)
{
	struct same_key same = { .first = sim_keys_find(keys, name, 0) };

	for (size_t i = same.first; i != SIM_NO_KEY; i = sim_keys_find(keys, name, i + 1))
		same.count++;
	return same;
}

static bool twins_equal(const struct lists *lists, const char *name)
{
	size_t i = sim_keys_find(&lists->a_keys, name, 0);
	size_t j = sim_keys_find(&lists->b_keys, name, 0);

	while (i != SIM_NO_KEY && j != SIM_NO_KEY) {
		if (!o2_doc_equal(o2_doc_item(lists->a, i), o2_doc_item(lists->b, j)))
			return false;
		i = sim_keys_find(&lists->a_keys, name, i + 1);
		j = sim_keys_find(&lists->b_keys, name, j + 1);
	}
	return i == j;
}

/* An element that is there twice is owned as a whole. */
static struct sim_diff compare_key(const struct lists *lists, const char *name)
{
	struct same_key in_a = same_key(&lists->a_keys, name);
	struct same_key in_b = same_key(&lists->b_keys, name);
	const struct o2_doc *a = o2_doc_item(lists->a, in_a.first);
	const struct o2_doc *b = o2_doc_item(lists->b, in_b.first);
	struct sim_diff diff = { 0 };

	if (in_a.count <= 1 && in_b.count <= 1)
		return compare(&lists->element, a, b);
	if (in_a.count <= 1) {
		diff = compare(&lists->element, a, NULL);
		sim_set_mark(&diff.changed);
	} else if (in_b.count <= 1) {
		diff = compare(&lists->element, NULL, b);
		sim_set_mark(&diff.removed);
	} else if (!twins_equal(lists, name)) {
		diff.changed = o2_doc_object_new();
	}
	return diff;
}

static struct sim_diff compare_lists(const struct sim_field *list, const struct o2_doc *a,
				     const struct o2_doc *b)
{
	struct sim_diff diff = { 0 };

	if (a && b && o2_doc_equal(a, b))
		return diff;
	struct lists lists = { .element = sim_element(list),
			       .a = a,
			       .b = b,
			       .a_keys = sim_keys(list, a),
			       .b_keys = sim_keys(list, b) };
	for (size_t i = 0; i < lists.a_keys.count; i++) {
		const char *name = lists.a_keys.names[i];

		if (name && sim_keys_find(&lists.a_keys, name, 0) == i)
			attach(&diff, name, compare_key(&lists, name));
	}
	for (size_t i = 0; i < lists.b_keys.count; i++) {
		const char *name = lists.b_keys.names[i];

		if (name && sim_keys_find(&lists.b_keys, name, 0) == i &&
		    sim_keys_find(&lists.a_keys, name, 0) == SIM_NO_KEY)
			attach(&diff, name, compare_key(&lists, name));
	}
	sim_keys_release(&lists.a_keys);
	sim_keys_release(&lists.b_keys);
	return diff;
}

static struct sim_diff compare(const struct sim_field *field, const struct o2_doc *a,
			       const struct o2_doc *b)
{
	struct sim_diff diff = { 0 };

	if (!a && !b)
		return diff;
	switch (sim_managed_shape(field, a, b)) {
	case SIM_LEAF:
		if (a && b && o2_doc_equal(a, b))
			return diff;
		sim_set_mark(b ? &diff.changed : &diff.removed);
		return diff;
	case SIM_MAP:
		diff = compare_maps(field->type, a, b);
		break;
	case SIM_LIST:
		diff = compare_lists(field, a, b);
		break;
	}
	if (!a)
		sim_set_mark(&diff.changed);
	else if (!b)
		sim_set_mark(&diff.removed);
	return diff;
}

/* ---- objects ---- */

bool sim_is_reset(const struct o2_doc *object, const char *subresource, const char *member)
{
	if (subresource && strcmp(subresource, "status") == 0)
		return strcmp(member, "spec") == 0;
	const struct sim_kind *kind = strcmp(member, "status") == 0 ? sim_kind_of(object) : NULL;
	return kind && kind->has_status;
}

/* Nobody owns metadata itself. */
static void disown_metadata(struct o2_doc **set)
{
	sim_set_disown(*set, "f:metadata");
	if (o2_doc_count(*set) > 0)
		return;
	o2_doc_free(*set);
	*set = NULL;
}

struct sim_diff sim_diff(const struct o2_doc *before, const struct o2_doc *after,
			 const char *subresource)
{
	bool built_in;
	const struct sim_type *type = sim_type_of(after, &built_in);
	const struct o2_doc *from = before ? before : empty_map();
	struct sim_diff diff = { 0 };

	for (int side = 0; side < 2; side++) {
		for (struct o2_doc_iter it = o2_doc_iter(side ? after : from); o2_doc_next(&it);) {
			const char *name = it.name;

			if (strcmp(name, "apiVersion") == 0 || strcmp(name, "kind") == 0 ||
			    (side && o2_doc_member(from, name)) ||
			    sim_is_reset(after, subresource, name))
				continue;
			compare_member(&diff, type, name, from, o2_doc_member(from, name), after,
				       o2_doc_member(after, name));
		}
	}
	disown_metadata(&diff.changed);
	disown_metadata(&diff.removed);
	return diff;
}

void sim_diff_release(struct sim_diff *diff)
{
	o2_doc_free(diff->changed);
	o2_doc_free(diff->removed);
	*diff = (struct sim_diff){ 0 };
}
