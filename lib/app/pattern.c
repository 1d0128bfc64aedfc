#include "app/app_internal.h"

#include <string.h>

/* Longer than any pointer into a valid object: names have at most 317 bytes, patterns about ten tokens. */
#define POINTER_MAX_BYTES 4096

struct walk {
	struct o2_doc *root;
	struct o2_buf pointer;
	size_t base_len;
	o2_app_visit_fn *visit;
	void *arg;
};

static void walk_value(struct walk *w, struct o2_doc *parent, struct o2_doc *value,
		       const char *pattern);

static void cut(struct o2_buf *pointer, size_t len)
{
	pointer->len = len;
	pointer->data[len] = '\0';
}

static void walk_each(struct walk *w, struct o2_doc *value, const char *rest)
{
	size_t mark = w->pointer.len;

	if (o2_doc_type(value) == O2_DOC_ARRAY) {
		for (size_t i = 0; i < o2_doc_count(value); i++) {
			o2_buf_addf(&w->pointer, "/%zu", i);
			walk_value(w, value, o2_doc_item(value, i), rest);
			cut(&w->pointer, mark);
		}
	} else if (o2_doc_type(value) == O2_DOC_OBJECT) {
		for (struct o2_doc_iter it = o2_doc_iter(value); o2_doc_next(&it);) {
			o2_doc_pointer_add(&w->pointer, it.name);
			walk_value(w, value, it.value, rest);
			cut(&w->pointer, mark);
		}
	}
}

static void walk_value(struct walk *w, struct o2_doc *parent, struct o2_doc *value,
		       const char *pattern)
{
	if (!value || o2_buf_overflowed(&w->pointer))
		return;
	if (*pattern == '\0') {
		struct o2_doc *fresh = w->visit(w->arg, w->pointer.data, parent, value);
		if (fresh)
			o2_doc_put(w->root, w->pointer.data + w->base_len, fresh);
		return;
	}
	size_t len = strcspn(pattern + 1, "/") + 1;
	if (len == 2 && pattern[1] == '*') {
		walk_each(w, value, pattern + len);
		return;
	}
	size_t mark = w->pointer.len;
	o2_buf_add(&w->pointer, pattern, len);
	walk_value(w, value, o2_doc_at(value, w->pointer.data + mark), pattern + len);
	cut(&w->pointer, mark);
}

void o2_app_walk(struct o2_doc *root, const char *base, const char *pattern, o2_app_visit_fn *visit,
		 void *arg)
{
	struct walk w = { .root = root, .visit = visit, .arg = arg };

	o2_buf_init(&w.pointer, POINTER_MAX_BYTES);
	o2_buf_adds(&w.pointer, base);
	w.base_len = w.pointer.len;
	walk_value(&w, NULL, root, pattern);
	o2_buf_release(&w.pointer);
}

/* Would o2_doc_put() have to go through something that is no object? */
static bool is_blocked(const struct o2_doc *doc, const char *pointer)
{
	for (const char *end = pointer; end; end = strchr(end + 1, '/')) {
		O2_AUTO(o2_freep) char *parent = o2_xstrndup(pointer, (size_t)(end - pointer));
		const struct o2_doc *value = o2_doc_at(doc, parent);
		if (value && o2_doc_type(value) != O2_DOC_OBJECT)
			return true;
	}
	return false;
}

void o2_app_put(struct o2_doc *doc, const char *pointer, struct o2_doc *value)
{
	if (is_blocked(doc, pointer))
		o2_doc_free(value);
	else
		o2_doc_put(doc, pointer, value);
}
