/*
 * A page of a list, cut into items.
 *
 * A tree costs twelve bytes a byte, so a page never becomes one: the text is cut at the commas of the top-level member "items",
 * and each piece is parsed when it is handed over. The cut looks at strings and brackets only; whatever it would get wrong
 * is not JSON, and the parser refuses a piece then.
 */
#include <stdlib.h>
#include <string.h>

#include "kube/kube_internal.h"

#define HEAD_MAX_BYTES ((size_t)1 << 20)

struct cutter {
	const char *text;
	size_t len, at;
};

static void skip_space(struct cutter *cutter)
{
	while (cutter->at < cutter->len && strchr(" \t\r\n", cutter->text[cutter->at]))
		cutter->at++;
}

/* Past the string that begins here. */
static bool skip_string(struct cutter *cutter)
{
	for (cutter->at++; cutter->at < cutter->len; cutter->at++) {
		if (cutter->text[cutter->at] == '\\')
			cutter->at++;
		else if (cutter->text[cutter->at] == '"')
			return cutter->at++, true;
	}
	return false;
}

/* Past the value that begins here: up to a comma or closing bracket on its own level. */
static bool skip_value(struct cutter *cutter)
{
	size_t depth = 0;

	while (cutter->at < cutter->len) {
		char c = cutter->text[cutter->at];
		if (c == '"') {
			if (!skip_string(cutter))
				return false;
			continue;
		}
		if (depth == 0 && (c == ',' || c == ']' || c == '}'))
			return true;
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		cutter->at++;
	}
	return false;
}

/* The array's items; afterwards behind its ']'. */
static bool cut_items(struct cutter *cutter, struct o2_kube_page *page)
{
	cutter->at++;
	skip_space(cutter);
	if (cutter->at < cutter->len && cutter->text[cutter->at] == ']')
		return cutter->at++, true;
	for (;;) {
		skip_space(cutter);
		size_t begin = cutter->at;
		if (!skip_value(cutter) || cutter->at == begin || cutter->text[cutter->at] == '}')
			return false;
		O2_GROW(page->items, page->count, page->cap);
		page->items[page->count][0] = begin;
		page->items[page->count++][1] = cutter->at;
		if (cutter->text[cutter->at++] == ']')
			return true;
	}
}

/* Find "items" among the members of the outermost object. `out_begin`, `out_end`: the array with its brackets. */
static bool find_items(struct cutter *cutter, struct o2_kube_page *page, size_t *out_begin,
		       size_t *out_end)
{
	skip_space(cutter);
	if (cutter->at >= cutter->len || cutter->text[cutter->at] != '{')
		return false;
	do {
		cutter->at++; /* '{' or ',' */
		skip_space(cutter);
		size_t name = cutter->at;
		if (cutter->at >= cutter->len || cutter->text[cutter->at] != '"' ||
		    !skip_string(cutter))
			return false;
		bool items =
			cutter->at - name == 7 && memcmp(cutter->text + name, "\"items\"", 7) == 0;
		skip_space(cutter);
		if (cutter->at >= cutter->len || cutter->text[cutter->at++] != ':')
			return false;
		skip_space(cutter);
		if (items && cutter->at < cutter->len && cutter->text[cutter->at] == '[') {
			*out_begin = cutter->at;
			if (!cut_items(cutter, page))
				return false;
			*out_end = cutter->at;
			return true;
		}
		if (!skip_value(cutter))
			return false;
	} while (cutter->text[cutter->at] == ',');
	return false;
}

int o2_kube_page_cut(struct o2_kube_page *page, const char *text, size_t len,
		     struct o2_doc **out_head, struct o2_err *err)
{
	struct cutter cutter = { .text = text, .len = len };
	struct o2_buf head;
	size_t begin = 0;
	size_t end = 0;

	*page = (struct o2_kube_page){ .text = text };
	*out_head = NULL;
	o2_buf_init(&head, HEAD_MAX_BYTES);
	if (find_items(&cutter, page, &begin, &end)) {
		o2_buf_add(&head, text, begin);
		o2_buf_adds(&head, "[]");
		o2_buf_add(&head, text + end, len - end);
	} else {
		page->count = 0; /* "items": null, or no list at all: the parser tells */
		o2_buf_add(&head, text, len);
	}
	*out_head = o2_buf_overflowed(&head) ? NULL : o2_doc_parse(head.data, head.len, err);
	if (o2_buf_overflowed(&head))
		o2_fail(err, O2_ECORRUPT, "what surrounds a list's items is larger than %zu bytes",
			head.max);
	o2_buf_release(&head);
	if (*out_head)
		return 0;
	o2_kube_page_release(page);
	return err ? err->code : -O2_EINVALID;
}

void o2_kube_page_release(struct o2_kube_page *page)
{
	free(page->items);
	*page = (struct o2_kube_page){ 0 };
}

struct o2_doc *o2_kube_page_item_parse(const struct o2_kube_page *page, size_t index,
				       const struct o2_kube_kind *kind, struct o2_err *err)
{
	const size_t *item = page->items[index];
	struct o2_doc *doc = o2_doc_parse(page->text + item[0], item[1] - item[0], err);

	if (doc == NULL)
		return NULL;
	if (o2_doc_type(doc) != O2_DOC_OBJECT) {
		o2_doc_free(doc);
		o2_fail(err, O2_ECORRUPT, "an item of a list is not an object");
		return NULL;
	}
	if (o2_doc_member(doc, "apiVersion") == NULL)
		o2_doc_set_str(doc, "apiVersion", kind->api_version);
	if (o2_doc_member(doc, "kind") == NULL)
		o2_doc_set_str(doc, "kind", kind->kind);
	return doc;
}
