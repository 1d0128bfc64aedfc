/*
 * Fuzz YAML: what is read must survive writing and reading, as YAML and as JSON.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ilib lib/doc/yaml_fuzz.c
 *lib/doc/[a-z]*.c ...
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

static void need_same(const struct o2_doc *doc)
{
	O2_AUTO(o2_freep) char *yaml = o2_doc_dump_yaml(doc);
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = o2_doc_parse_yaml(yaml, strlen(yaml), NULL);
	need(docs != NULL && o2_doc_count(docs) == 1 && o2_doc_equal(doc, o2_doc_item(docs, 0)));

	O2_AUTO(o2_freep) char *json = o2_doc_dump(doc);
	O2_AUTO(o2_doc_freep) struct o2_doc *back = o2_doc_parse(json, strlen(json), NULL);
	need(back != NULL && o2_doc_equal(doc, back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct o2_err err = { 0 };
	O2_AUTO(o2_doc_freep)
	struct o2_doc *docs = o2_doc_parse_yaml((const char *)data, size, &err);

	need((docs == NULL) == (err.code < 0));
	for (size_t i = 0; i < o2_doc_count(docs); i++)
		need_same(o2_doc_item(docs, i));
	return 0;
}
