/*
 * For the tests of this folder: documents from literals, compared as text.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "doc/doc.h"

/* Parse a literal; the test fails if it can't be. The caller frees. */
static inline struct o2_doc *json(const char *text)
{
	struct o2_err err = { 0 };
	struct o2_doc *doc = o2_doc_parse(text, strlen(text), &err);

	if (doc == NULL)
		fail_msg("%s: %s", text, err.message);
	return doc;
}

static inline void assert_dumps(const struct o2_doc *doc, const char *expected)
{
	O2_AUTO(o2_freep) char *text = o2_doc_dump(doc);

	assert_string_equal(text, expected);
}
