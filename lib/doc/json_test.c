#include "doc/doc_test.h"

static void text_comes_back_as_it_was(void **state)
{
	static const char *const same[] = {
		"null",
		"true",
		"\"\"",
		"[]",
		"{}",
		"-1",
		"9223372036854775807",
		"-9223372036854775808",
		"18446744073709551616",
		"0.1",
		"1.0",
		"-0.5",
		"1e+300",
		"123456789012.25",
		"{\"b\":1,\"a\":[{},[],null,false],\"\":{\"x\":\"y\"}}",
		("\"\\\"\\\\/"
		 "\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\""),
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(same); i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = json(same[i]);
		assert_dumps(doc, same[i]);
	}
	assert_dumps(NULL, "null");
}

static void other_spellings_mean_the_same(void **state)
{
	static const char *const pairs[][2] = {
		{ " [ 1 , 2 ] \n", "[1,2]" },
		{ "\"\\u00e9\\/\\ud83d\\ude00\"", "\"\xc3\xa9/\xf0\x9f\x98\x80\"" },
		{ "\xef\xbb\xbf{}", "{}" },
		{ "1E2", "100.0" },
		{ "0.10", "0.1" },
		{ "[18446744073709551615,1]", "[18446744073709551616,1]" },
		{ "{\"99999999999999999999\":-9223372036854775809}",
		  "{\"99999999999999999999\":-9223372036854775808}" },
		{ "[\"\\\"18446744073709551615\",9223372036854775808,9223372036854775807]",
		  "[\"\\\"18446744073709551615\",9223372036854775808,9223372036854775807]" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(pairs); i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = json(pairs[i][0]);
		assert_dumps(doc, pairs[i][1]);
	}
}

static void reals_have_the_shortest_text(void **state)
{
	static const double reals[] = { 0.1,     1.0 / 3, 5e-324, 1.7976931348623157e308,
					-2.5e-7, 1e21,    1e22,   123456.789,
					0x1p63,  -0x1p70 };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(reals); i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_real_new(reals[i]);
		O2_AUTO(o2_freep) char *text = o2_doc_dump(doc);
		O2_AUTO(o2_doc_freep) struct o2_doc *back = json(text);
		assert_int_equal(o2_doc_type(back), O2_DOC_REAL);
		assert_true(o2_doc_equal(doc, back));
	}
}

static void mistakes_have_line_and_column(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "", "line 1, column 0" },
		{ "[1,\n 2,]", "line 2, column 4" },
		{ "{\"a\":1,\"a\":2}", "duplicate object key" },
		{ "{\"a\":1} x", "column 9: end of file expected" },
		{ "\"a\\u0000b\"", ": \\u0000 is not allowed" },
		{ "{\"a\\u0000b\":1}", "line 1, column 1" },
		{ "\"\xff\"", "line 1" },
		{ "\"\\ud800\"", "line 1" },
		{ "\"\n\"", "line 1" },
		{ "1e999", "overflow" },
		{ "01", "line 1" },
		{ "{a:1}", "line 1" },
		{ "[1", "line 1" },
		{ "'a'", "line 1" },
		{ "NaN", "line 1" },
		{ "\"abc", "line 1" },
		{ "\"abc\\", "line 1" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++) {
		struct o2_err err = { 0 };
		assert_null(o2_doc_parse(cases[i].text, strlen(cases[i].text), &err));
		assert_int_equal(err.code, -O2_EINVALID);
		if (strstr(err.message, cases[i].message) == NULL)
			fail_msg("%s: %s", cases[i].text, err.message);
		assert_null(o2_doc_parse(cases[i].text, strlen(cases[i].text), NULL));
	}
}

static void a_raw_nul_is_refused(void **state)
{
	struct o2_err err = { 0 };

	(void)state;
	assert_null(o2_doc_parse("[1]\0", 4, &err));
	assert_int_equal(err.code, -O2_EINVALID);
	assert_null(o2_doc_parse("[18446744073709551616,\0]", 24, NULL));
	assert_null(o2_doc_parse(NULL, 0, NULL));
}

static void messages_do_not_quote_the_text(void **state)
{
	static const char *const secrets[] = {
		"{\"password\":\"hunter2\",}",
		"{\"password\":\"hunter2\\x\"}",
		"{\"password\":hunter2}",
		"{\"password\":\"hunter2\" \"hunter2\"}",
		"{\"hunter2\":1,\"hunter2\":2}",
		"[\"hunter2\\u0000\"]",
		"\"hunter2",
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(secrets); i++) {
		struct o2_err err = { 0 };
		assert_null(o2_doc_parse(secrets[i], strlen(secrets[i]), &err));
		assert_null(strstr(err.message, "hunter2"));
	}
}

static void nest(char *text, size_t depth)
{
	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	text[2 * depth] = '\0';
}

static void depth_has_a_limit(void **state)
{
	char text[2 * O2_DOC_MAX_DEPTH + 8];
	struct o2_err err = { 0 };

	(void)state;
	nest(text, O2_DOC_MAX_DEPTH);
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = json(text);
	assert_dumps(doc, text);
	nest(text, O2_DOC_MAX_DEPTH + 1);
	assert_null(o2_doc_parse(text, strlen(text), &err));
	assert_string_equal(err.message,
			    "invalid JSON at line 1, column 201: more than 200 levels");
	/* Brackets in strings do not count, nor does what was closed. */
	O2_AUTO(o2_freep) char *many = o2_xmalloc(2000);
	memset(many, '[', 1999);
	many[0] = many[1998] = '"';
	many[1999] = '\0';
	O2_AUTO(o2_doc_freep) struct o2_doc *brackets = json(many);
	for (size_t i = 0; i < 999; i++)
		memcpy(many + 2 * i, i == 0 ? "[1" : ",1", 2);
	memcpy(many + 1998, "]", 2);
	O2_AUTO(o2_doc_freep) struct o2_doc *flat = json(many);
	assert_int_equal(o2_doc_count(flat), 999);
}

static void the_pretty_form(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = json("{\"b\":[1,{\"x\":2}],\"a\":{},\"c\":[]}");
	O2_AUTO(o2_freep) char *text = o2_doc_dump_pretty(doc);

	(void)state;
	assert_string_equal(text, "{\n  \"b\": [\n    1,\n    {\n      \"x\": 2\n    }\n  ],\n"
				  "  \"a\": {},\n  \"c\": []\n}\n");
}

static void the_canonical_form(void **state)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *doc =
		json("{\"b\":[{\"z\":1,\"y\":2}],\"aa\":1,\"a\":{},\"\":0,\"\xc3\xa9\":3,\"B\":4}");
	O2_AUTO(o2_freep) char *text = o2_doc_dump_canonical(doc);

	(void)state;
	assert_string_equal(text, "{\"\":0,\"B\":4,\"a\":{},\"aa\":1,\"b\":[{\"y\":2,\"z\":1}],"
				  "\"\xc3\xa9\":3}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_comes_back_as_it_was),
		cmocka_unit_test(other_spellings_mean_the_same),
		cmocka_unit_test(reals_have_the_shortest_text),
		cmocka_unit_test(mistakes_have_line_and_column),
		cmocka_unit_test(a_raw_nul_is_refused),
		cmocka_unit_test(messages_do_not_quote_the_text),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(the_pretty_form),
		cmocka_unit_test(the_canonical_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
