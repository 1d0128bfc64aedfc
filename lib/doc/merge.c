/*
 * JSON Merge Patch (RFC 7386).
 */
#include "doc/doc.h"
#include "doc/doc_internal.h"

/* Merge into `target`, an object. */
static void merge_members(json_t *target, json_t *patch)
{
	for (void *at = json_object_iter(patch); at != NULL;
	     at = json_object_iter_next(patch, at)) {
		const char *name = json_object_iter_key(at);
		json_t *value = json_object_iter_value(at);
		if (json_is_null(value)) {
			json_object_del(target, name);
			continue;
		}
		if (!json_is_object(value)) {
			json_object_set_new_nocheck(target, name,
						    o2_doc_json(o2_doc_copy(o2_doc_of(value))));
			continue;
		}
		json_t *below = json_object_get(target, name);
		if (!json_is_object(below)) {
			/* Not a copy of `value`: the nulls in it are not to arrive. */
			json_object_set_new_nocheck(target, name, json_object());
			below = json_object_get(target, name);
		}
		merge_members(below, value);
	}
}

void o2_doc_merge(struct o2_doc **doc, const struct o2_doc *merge_patch)
{
	json_t *patch = o2_doc_json(merge_patch);

	if (!json_is_object(patch)) {
		struct o2_doc *replaced = *doc;
		*doc = o2_doc_copy(merge_patch);
		o2_doc_free(replaced);
		return;
	}
	if (o2_doc_type(*doc) != O2_DOC_OBJECT) {
		o2_doc_free(*doc);
		*doc = o2_doc_object_new();
	}
	merge_members(o2_doc_json(*doc), patch);
}

struct o2_doc *o2_doc_merge_diff(const struct o2_doc *from, const struct o2_doc *to)
{
	if (o2_doc_type(from) != O2_DOC_OBJECT || o2_doc_type(to) != O2_DOC_OBJECT)
		return o2_doc_copy(to);

	struct o2_doc *diff = o2_doc_object_new();
	for (struct o2_doc_iter it = o2_doc_iter(from); o2_doc_next(&it);)
		if (o2_doc_member(to, it.name) == NULL)
			o2_doc_set(diff, it.name, o2_doc_null_new());
	for (struct o2_doc_iter it = o2_doc_iter(to); o2_doc_next(&it);) {
		const struct o2_doc *old = o2_doc_member(from, it.name);
		if (!o2_doc_equal(old, it.value))
			o2_doc_set(diff, it.name, o2_doc_merge_diff(old, it.value));
	}
	return diff;
}
