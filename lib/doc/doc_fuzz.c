/*
 * Fuzz JSON, patches and merge patches: what is read must survive writing and reading in each form.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ilib lib/doc/doc_fuzz.c
 *lib/doc/[a-z]*.c ...
 *
 * A text of the form {"d": document, "p": patch} also has the patch applied.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "doc/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void need_same(const struct o2_doc *doc, char *(*dump)(const struct o2_doc *))
{
	O2_AUTO(o2_freep) char *text = dump(doc);
	O2_AUTO(o2_doc_freep) struct o2_doc *back = o2_doc_parse(text, strlen(text), NULL);

	need(back != NULL && o2_doc_equal(doc, back));
}

static void need_same_yaml(const struct o2_doc *doc)
{
	O2_AUTO(o2_freep) char *text = o2_doc_dump_yaml(doc);
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = o2_doc_parse_yaml(text, strlen(text), NULL);

	need(docs != NULL);
	if (o2_doc_type(doc) == O2_DOC_NULL)
		need(o2_doc_count(docs) == 0);
	else
		need(o2_doc_count(docs) == 1 && o2_doc_equal(doc, o2_doc_item(docs, 0)));
}

static void apply(const struct o2_doc *document, const struct o2_doc *patch)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_copy(document);
	struct o2_err err = { 0 };

	if (o2_doc_patch(&doc, patch, &err) < 0)
		need(o2_doc_equal(doc, document));
	else
		need_same(doc, o2_doc_dump);
	O2_AUTO(o2_doc_freep) struct o2_doc *merged = o2_doc_copy(document);
	o2_doc_merge(&merged, patch);
	need_same(merged, o2_doc_dump_canonical);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct o2_err err = { 0 };
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_parse((const char *)data, size, &err);

	need((doc == NULL) == (err.code < 0));
	if (doc == NULL)
		return 0;
	need_same(doc, o2_doc_dump);
	need_same(doc, o2_doc_dump_pretty);
	need_same(doc, o2_doc_dump_canonical);
	need_same_yaml(doc);
	if (o2_doc_member(doc, "d") != NULL && o2_doc_member(doc, "p") != NULL)
		apply(o2_doc_member(doc, "d"), o2_doc_member(doc, "p"));
	return 0;
}
