/* Configurations that are applied: which fields they name, what becomes of an object by them, and an object without some fields. */
#include <string.h>

#include "managed_internal.h"

/* ---- the fields that a configuration names ---- */

static struct o2_doc *fields_of(const struct sim_field *field, const struct o2_doc *value);

static struct o2_doc *fields_of_map(const struct sim_type *type, const struct o2_doc *map)
{
	struct o2_doc *set = NULL;

	for (struct o2_doc_iter it = o2_doc_iter(map); o2_doc_next(&it);) {
		const struct sim_field *field = sim_type_field(type, it.name);

		if (field->how != SIM_UNOWNED)
			sim_set_put_field(&set, it.name, fields_of(field, it.value));
	}
	return set;
}

static struct o2_doc *fields_of_list(const struct sim_field *list, const struct o2_doc *value)
{
	struct sim_field element = sim_element(list);
	struct sim_keys keys = sim_keys(list, value);
	struct o2_doc *set = NULL;

	for (size_t i = 0; i < keys.count; i++) {
		const char *name = keys.names[i];
		struct o2_doc *child = NULL;
		bool twin = name && (sim_keys_find(&keys, name, i + 1) != SIM_NO_KEY ||
				     sim_keys_find(&keys, name, 0) != i);

		if (!name || (twin && o2_doc_member(set, name)))
			continue;
		if (!twin)
			child = fields_of(&element, o2_doc_item(value, i));
		sim_set_mark(&child);
		sim_set_put(&set, name, child);
	}
	sim_keys_release(&keys);
	return set;
}

static struct o2_doc *fields_of(const struct sim_field *field, const struct o2_doc *value)
{
	enum o2_doc_type type = o2_doc_type(value);

	if (field->how == SIM_ATOMIC || (type != O2_DOC_OBJECT && type != O2_DOC_ARRAY))
		return o2_doc_object_new();
	if (type == O2_DOC_OBJECT)
		return o2_doc_count(value) == 0 ? o2_doc_object_new()
						: fields_of_map(field->type, value);
	if (field->how == SIM_KEYED || field->how == SIM_VALUES)
		return fields_of_list(field, value);
	return o2_doc_object_new();
}

struct o2_doc *sim_fields_of(const struct o2_doc *object)
{
	bool built_in;
	struct o2_doc *set = fields_of_map(sim_type_of(object, &built_in), object);

	if (!set)
		set = o2_doc_object_new();
	o2_doc_unset(set, "f:apiVersion");
	o2_doc_unset(set, "f:kind");
	return set;
}

static char *duplicate_below(const struct sim_field *field, const struct o2_doc *value);

static char *duplicate_in_list(const struct sim_field *list, const struct o2_doc *value)
{
	struct sim_field element = sim_element(list);
	struct sim_keys keys = sim_keys(list, value);
	char *found = NULL;

	for (size_t i = 0; !found && i < keys.count; i++) {
		if (keys.names[i] && sim_keys_find(&keys, keys.names[i], i + 1) != SIM_NO_KEY)
			found = o2_xasprintf(": duplicate entries for key %s", keys.names[i]);
		else
			found = duplicate_below(&element, o2_doc_item(value, i));
	}
	sim_keys_release(&keys);
	return found;
}

static char *duplicate_below(const struct sim_field *field, const struct o2_doc *value)
{
	enum sim_managed_shape shape = sim_managed_shape(field, value, value);
	char *found = NULL;

	if (shape == SIM_LIST)
		return duplicate_in_list(field, value);
	if (shape == SIM_LEAF)
		return NULL;
	for (struct o2_doc_iter it = o2_doc_iter(value); !found && o2_doc_next(&it);) {
		O2_AUTO(o2_freep)
		char *below = duplicate_below(sim_type_field(field->type, it.name), it.value);

		if (below)
			found = o2_xasprintf(".%s%s", it.name, below);
	}
	return found;
}

char *sim_duplicate_of(const struct o2_doc *object)
{
	bool built_in;
	const struct sim_field root = { .type = sim_type_of(object, &built_in) };
	char *found = duplicate_below(&root, object);

	return found ? found : o2_xstrdup("");
}

/* ---- merging ---- */

static struct o2_doc *merge(const struct sim_field *field, const struct o2_doc *a,
			    const struct o2_doc *b);

static struct o2_doc *merge_maps(const struct sim_type *type, const struct o2_doc *a,
				 const struct o2_doc *b)
{
	struct o2_doc *out = o2_doc_object_new();

	for (struct o2_doc_iter it = o2_doc_iter(a); o2_doc_next(&it);)
		o2_doc_set(
			out, it.name,
			merge(sim_type_field(type, it.name), it.value, o2_doc_member(b, it.name)));
	for (struct o2_doc_iter it = o2_doc_iter(b); o2_doc_next(&it);) {
		if (!o2_doc_member(a, it.name))
			o2_doc_set(out, it.name,
				   merge(sim_type_field(type, it.name), NULL, it.value));
	}
	return out;
}

/* Two lists on the way into one. `next`: the place in b's list of the next element that a has too. */
struct zip {
	const struct sim_field *list;
	const struct o2_doc *a, *b;
	struct sim_keys a_keys, b_keys;
	size_t i, j, next;
	struct o2_doc *out;
};

static void find_next_shared(struct zip *zip, size_t from)
{
	for (zip->next = from; zip->next < zip->b_keys.count; zip->next++) {
		if (sim_keys_find(&zip->a_keys, zip->b_keys.names[zip->next], 0) != SIM_NO_KEY)
			return;
	}
}

static void take_b(struct zip *zip)
{
	struct sim_field element = sim_element(zip->list);
	const char *name = zip->b_keys.names[zip->j];
	size_t at = sim_keys_find(&zip->a_keys, name, 0);
	bool twins = at != SIM_NO_KEY && sim_keys_find(&zip->a_keys, name, at + 1) != SIM_NO_KEY;
	const struct o2_doc *a = at == SIM_NO_KEY || twins ? NULL : o2_doc_item(zip->a, at);

	o2_doc_append(zip->out, merge(&element, a, o2_doc_item(zip->b, zip->j)));
	if (zip->next == zip->j)
		find_next_shared(zip, zip->j + 1);
	zip->j++;
}

/* One step of the zip, at a's element `name` (NULL: a is through), which b has at `in_b`. */
static void zip_one(struct zip *zip, const char *name, size_t in_b)
{
	bool b_is_through = zip->j == zip->b_keys.count;

	if (name && in_b == SIM_NO_KEY) {
		o2_doc_append(zip->out, o2_doc_copy(o2_doc_item(zip->a, zip->i++)));
	} else if (name && in_b == zip->j) {
		take_b(zip);
		zip->i++;
	} else if (name && !b_is_through && zip->next < zip->b_keys.count && in_b != zip->next) {
		zip->i++; /* where b has it: later, or taken already */
	} else {
		if (name && in_b < zip->j)
			zip->i++;
		if (!b_is_through)
			take_b(zip);
	}
}

/* Like b where b says something, the rest like a. */
static struct o2_doc *merge_lists(const struct sim_field *list, const struct o2_doc *a,
				  const struct o2_doc *b)
{
	struct zip zip = { .list = list,
			   .a = a,
			   .b = b,
			   .a_keys = sim_keys(list, a),
			   .b_keys = sim_keys(list, b),
			   .out = o2_doc_array_new() };

	find_next_shared(&zip, 0);
	while (zip.i < zip.a_keys.count || zip.j < zip.b_keys.count) {
		const char *name = zip.i < zip.a_keys.count ? zip.a_keys.names[zip.i] : NULL;

		zip_one(&zip, name, name ? sim_keys_find(&zip.b_keys, name, 0) : SIM_NO_KEY);
	}
	sim_keys_release(&zip.a_keys);
	sim_keys_release(&zip.b_keys);
	return zip.out;
}

static struct o2_doc *merge(const struct sim_field *field, const struct o2_doc *a,
			    const struct o2_doc *b)
{
	struct o2_doc *out = NULL;

	if (!b)
		return o2_doc_copy(a);
	switch (sim_managed_shape(field, a, b)) {
	case SIM_LEAF:
		return o2_doc_copy(b);
	case SIM_MAP:
		out = merge_maps(field->type, a, b);
		break;
	case SIM_LIST:
		out = merge_lists(field, a, b);
		break;
	}
	if (o2_doc_count(out) == 0) {
		o2_doc_free(out);
		return NULL;
	}
	return out;
}

struct o2_doc *sim_merge(const struct o2_doc *live, const struct o2_doc *applied)
{
	bool built_in;

	return merge_maps(sim_type_of(applied, &built_in), live, applied);
}

/* ---- an object without some fields ---- */

static struct o2_doc *without(const struct sim_field *field, const struct o2_doc *value,
			      const struct o2_doc *set);

/* A copy of the child, without what the set has of it; NULL if it is in the set itself. An empty one becomes null. */
static struct o2_doc *child_without(const struct sim_field *field, const struct o2_doc *value,
				    const struct o2_doc *node)
{
	if (!node)
		return o2_doc_copy(value);
	if (sim_set_is_member(node))
		return NULL;
	return without(field, value, node);
}

static struct o2_doc *list_without(const struct sim_field *list, const struct o2_doc *value,
				   const struct o2_doc *set)
{
	struct sim_field element = sim_element(list);
	struct sim_keys keys = sim_keys(list, value);
	struct o2_doc *out = o2_doc_array_new();

	for (size_t i = 0; i < keys.count; i++)
		o2_doc_append(out, child_without(&element, o2_doc_item(value, i),
						 keys.names[i] ? o2_doc_member(set, keys.names[i])
							       : NULL));
	sim_keys_release(&keys);
	return out;
}

static struct o2_doc *map_without(const struct sim_type *type, const struct o2_doc *value,
				  const struct o2_doc *set)
{
	struct o2_doc *out = o2_doc_object_new();

	for (struct o2_doc_iter it = o2_doc_iter(value); o2_doc_next(&it);) {
		const struct o2_doc *node = sim_set_field(set, it.name);
		const struct sim_field *field = sim_type_field(type, it.name);

		o2_doc_set(out, it.name, child_without(field, it.value, node));
	}
	return out;
}

static struct o2_doc *without(const struct sim_field *field, const struct o2_doc *value,
			      const struct o2_doc *set)
{
	struct o2_doc *out = NULL;
	enum sim_managed_shape shape = sim_managed_shape(field, value, value);

	if (shape == SIM_LEAF && o2_doc_type(value) != O2_DOC_OBJECT &&
	    o2_doc_type(value) != O2_DOC_ARRAY)
		return o2_doc_copy(value);
	if (shape == SIM_MAP)
		out = map_without(field->type, value, set);
	else if (shape == SIM_LIST)
		out = list_without(field, value, set);
	if (o2_doc_count(out) == 0) {
		o2_doc_free(out);
		return o2_doc_null_new();
	}
	return out;
}

struct o2_doc *sim_without(const struct o2_doc *object, const struct o2_doc *set)
{
	bool built_in;

	return map_without(sim_type_of(object, &built_in), object, set);
}
