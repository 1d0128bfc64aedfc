#include "doc/doc_test.h"

/* RFC 7386, appendix A. */
static void examples_of_rfc_7386(void **state)
{
	static const char *const cases[][3] = {
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
		  "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
		{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
		{ "{\"a\":\"foo\"}", "null", "null" },
		{ "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = json(cases[i][0]);
		O2_AUTO(o2_doc_freep) struct o2_doc *patch = json(cases[i][1]);
		o2_doc_merge(&doc, patch);
		assert_dumps(doc, cases[i][2]);
		assert_dumps(patch, cases[i][1]);
	}
}

static void the_patch_is_not_shared_with_the_document(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = json("{}");
	O2_AUTO(o2_doc_freep) struct o2_doc *patch = json("{\"a\":[1],\"b\":{\"c\":[2]}}");

	(void)state;
	o2_doc_merge(&doc, patch);
	o2_doc_put_int(doc, "/a/0", 3);
	o2_doc_put_int(doc, "/b/c/0", 3);
	assert_dumps(patch, "{\"a\":[1],\"b\":{\"c\":[2]}}");
}

static void a_difference_turns_the_one_into_the_other(void **state)
{
	static const char *const cases[][3] = {
		{ "{\"a\":1}", "{\"a\":1}", "{}" },
		{ "{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":4}", "{\"a\":null,\"b\":3,\"c\":4}" },
		{ "{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"x\":1}}", "{\"a\":{\"y\":null}}" },
		{ "{\"a\":{\"x\":1}}", "{\"a\":{}}", "{\"a\":{\"x\":null}}" },
		{ "{\"a\":[1,2]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "{\"a\":[1]}", "{\"a\":{\"x\":1}}", "{\"a\":{\"x\":1}}" },
		{ "{\"a\":1}", "{\"a\":{}}", "{\"a\":{}}" },
		{ "{\"a\":1}", "[1]", "[1]" },
		{ "1", "{\"a\":1}", "{\"a\":1}" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *from = json(cases[i][0]);
		O2_AUTO(o2_doc_freep) struct o2_doc *to = json(cases[i][1]);
		O2_AUTO(o2_doc_freep) struct o2_doc *diff = o2_doc_merge_diff(from, to);
		assert_dumps(diff, cases[i][2]);
		o2_doc_merge(&from, diff);
		assert_true(o2_doc_equal(from, to));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_rfc_7386),
		cmocka_unit_test(the_patch_is_not_shared_with_the_document),
		cmocka_unit_test(a_difference_turns_the_one_into_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
