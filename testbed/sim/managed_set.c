/* Sets of fields, as documents in the form of fieldsV1. */
#include <stdlib.h>
#include <string.h>

#include "managed_internal.h"

static bool is_self(const char *name)
{
	return name[0] == '.' && name[1] == '\0';
}

bool sim_set_is_member(const struct o2_doc *node)
{
	return o2_doc_count(node) == 0 || o2_doc_member(node, ".");
}

static bool has_children(const struct o2_doc *node)
{
	return o2_doc_count(node) > (o2_doc_member(node, ".") ? 1 : 0);
}

void sim_set_put(struct o2_doc **set, const char *element, struct o2_doc *child)
{
	if (!child)
		return;
	if (!*set)
		*set = o2_doc_object_new();
	o2_doc_set(*set, element, child);
}

/* "f:" and the name, in `small` or, if that is too short, in *large, which the caller frees. */
static const char *field_name(const char *name, char small[256], char **large)
{
	size_t len = strlen(name);
	char *full = small;

	if (len + 3 > 256)
		full = *large = o2_xmalloc(len + 3);
	memcpy(full, "f:", 2);
	memcpy(full + 2, name, len + 1);
	return full;
}

void sim_set_put_field(struct o2_doc **set, const char *name, struct o2_doc *child)
{
	char small[256];
	O2_AUTO(o2_freep) char *large = NULL;

	if (child)
		sim_set_put(set, field_name(name, small, &large), child);
}

struct o2_doc *sim_set_field(const struct o2_doc *set, const char *name)
{
	char small[256];
	O2_AUTO(o2_freep) char *large = NULL;

	return o2_doc_member(set, field_name(name, small, &large));
}

void sim_set_mark(struct o2_doc **node)
{
	if (!*node)
		*node = o2_doc_object_new();
	else if (!sim_set_is_member(*node))
		o2_doc_set(*node, ".", o2_doc_object_new());
}

static void add_below(struct o2_doc *node, const struct o2_doc *plus);

static void add_node(struct o2_doc *parent, const char *name, const struct o2_doc *plus)
{
	struct o2_doc *node = o2_doc_member(parent, name);

	if (!node) {
		o2_doc_set(parent, name, o2_doc_ref(plus));
		return;
	}
	if (o2_doc_count(node) == 0 && o2_doc_count(plus) > 0)
		o2_doc_set(node, ".", o2_doc_object_new());
	add_below(node, plus);
	if (sim_set_is_member(plus))
		sim_set_mark(&node);
}

static void add_below(struct o2_doc *node, const struct o2_doc *plus)
{
	for (struct o2_doc_iter it = o2_doc_iter(plus); o2_doc_next(&it);) {
		if (!is_self(it.name))
			add_node(node, it.name, it.value);
	}
}

void sim_set_add(struct o2_doc *set, const struct o2_doc *plus)
{
	add_below(set, plus);
}

static void remove_below(struct o2_doc *node, const struct o2_doc *minus);

/* True if nothing is left of the node. */
static bool remove_node(struct o2_doc *node, const struct o2_doc *minus)
{
	bool stays_member = sim_set_is_member(node) && !sim_set_is_member(minus);

	remove_below(node, minus);
	if (!stays_member || !has_children(node))
		o2_doc_unset(node, ".");
	return !stays_member && o2_doc_count(node) == 0;
}

static void remove_below(struct o2_doc *node, const struct o2_doc *minus)
{
	for (struct o2_doc_iter it = o2_doc_iter(minus); o2_doc_next(&it);) {
		struct o2_doc *child = is_self(it.name) ? NULL : o2_doc_member(node, it.name);

		if (child && remove_node(child, it.value))
			o2_doc_unset(node, it.name);
	}
}

void sim_set_remove(struct o2_doc *set, const struct o2_doc *minus)
{
	if (minus)
		remove_below(set, minus);
}

void sim_set_disown(struct o2_doc *set, const char *name)
{
	struct o2_doc *node = o2_doc_member(set, name);

	o2_doc_unset(node, ".");
	if (node && o2_doc_count(node) == 0)
		o2_doc_unset(set, name);
}

struct o2_doc *sim_set_common(const struct o2_doc *a, const struct o2_doc *b)
{
	struct o2_doc *common = NULL;

	for (struct o2_doc_iter it = o2_doc_iter(b); o2_doc_next(&it);) {
		const struct o2_doc *other = is_self(it.name) ? NULL : o2_doc_member(a, it.name);
		struct o2_doc *child;

		if (!other)
			continue;
		child = sim_set_common(other, it.value);
		if (sim_set_is_member(other) && sim_set_is_member(it.value))
			sim_set_mark(&child);
		sim_set_put(&common, it.name, child);
	}
	return common;
}

void sim_set_mark_fields(struct o2_doc *set)
{
	for (struct o2_doc_iter it = o2_doc_iter(set); o2_doc_next(&it);) {
		if (is_self(it.name))
			continue;
		sim_set_mark_fields(it.value);
		if (it.name[0] == 'f')
			sim_set_mark(&it.value);
	}
}

void sim_set_tidy(struct o2_doc *set)
{
	for (struct o2_doc_iter it = o2_doc_iter(set); o2_doc_next(&it);) {
		bool known = strchr("fkvi", it.name[0]) && it.name[0] && it.name[1] == ':';

		if (known)
			sim_set_tidy(it.value);
		else if (!is_self(it.name))
			o2_doc_unset(set, it.name);
	}
}

/* ---- as text ---- */

/* k:{"port":80,"protocol":"TCP"} as [port=80,protocol="TCP"] */
static void add_key(struct o2_buf *path, const char *text)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *key = o2_doc_parse(text, strlen(text), NULL);
	const char *separator = "[";

	for (struct o2_doc_iter it = o2_doc_iter(key); o2_doc_next(&it);) {
		O2_AUTO(o2_freep) char *value = o2_doc_dump(it.value);

		o2_buf_addf(path, "%s%s=%s", separator, it.name, value);
		separator = ",";
	}
	o2_buf_adds(path, "]");
}

static char *path_below(const char *path, const char *name)
{
	struct o2_buf text;

	o2_buf_init(&text, 4096);
	o2_buf_adds(&text, path);
	if (name[0] == 'f')
		o2_buf_addf(&text, ".%s", name + 2);
	else if (name[0] == 'k')
		add_key(&text, name + 2);
	else
		o2_buf_addf(&text, name[0] == 'v' ? "[=%s]" : "[%s]", name + 2);
	char *below = o2_buf_steal(&text);
	o2_buf_release(&text);
	return below;
}

static int by_element(const void *a, const void *b)
{
	static const char order[] = "fkvi";
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;

	if (x[0] != y[0])
		return strchr(order, x[0]) < strchr(order, y[0]) ? -1 : 1;
	return strcmp(x, y);
}

static void add_paths(const struct o2_doc *set, const char *prefix, struct o2_strs *out)
{
	struct o2_strs names = { 0 };

	for (struct o2_doc_iter it = o2_doc_iter(set); o2_doc_next(&it);) {
		if (!is_self(it.name))
			o2_strs_add(&names, it.name);
	}
	if (names.count > 0)
		qsort(names.items, names.count, sizeof(names.items[0]), by_element);
	for (int children = 0; children < 2; children++) {
		for (size_t i = 0; i < names.count; i++) {
			const struct o2_doc *node = o2_doc_member(set, names.items[i]);
			O2_AUTO(o2_freep) char *path = path_below(prefix, names.items[i]);

			if (children)
				add_paths(node, path, out);
			else if (sim_set_is_member(node))
				o2_strs_add(out, path);
		}
	}
	o2_strs_release(&names);
}

void sim_set_paths(const struct o2_doc *set, struct o2_strs *out)
{
	add_paths(set, "", out);
}
