#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "doc/doc.h"

static struct o2_doc *yaml(const char *text)
{
	struct o2_err err = { 0 };
	struct o2_doc *docs = o2_doc_parse_yaml(text, strlen(text), &err);

	if (docs == NULL)
		fail_msg("%s: %s", text, err.message);
	return docs;
}

static void assert_means(const char *text, const char *expected)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = yaml(text);
	O2_AUTO(o2_freep) char *dumped = o2_doc_dump(docs);

	if (strcmp(dumped, expected) != 0)
		fail_msg("%s: %s instead of %s", text, dumped, expected);
}

static void assert_refuses(const char *text, enum o2_code code, const char *message)
{
	struct o2_err err = { 0 };

	assert_null(o2_doc_parse_yaml(text, strlen(text), &err));
	assert_int_equal(err.code, -(int)code);
	if (strstr(err.message, message) == NULL)
		fail_msg("%.100s: %s", text, err.message);
	assert_null(o2_doc_parse_yaml(text, strlen(text), NULL));
}

static void plain_scalars_have_types(void **state)
{
	static const char *const cases[][2] = {
		{ "[~, null, Null, NULL, \"\"]", "[[null,null,null,null,\"\"]]" },
		{ "[true, True, TRUE, false, False, FALSE]",
		  "[[true,true,true,false,false,false]]" },
		{ "[yes, no, on, off, y, n, tRue, nULL]",
		  "[[true,false,true,false,true,false,\"tRue\",\"nULL\"]]" },
		{ "[0, -0, 12, +12, -12, 1_000]", "[[0,0,12,12,-12,1000]]" },
		{ "[0644, 0o17, 0x1F, 0XfF, 0b101, -0x10, -010, 00]",
		  "[[420,15,31,255,5,-16,-8,0]]" },
		{ "[08, 0778, 0o8, 0xg, 0b2, 0x, 0b, +, -, .]",
		  "[[8,778,\"0o8\",\"0xg\",\"0b2\",\"0x\",\"0b\",\"+\",\"-\",\".\"]]" },
		{ "[9223372036854775807, -9223372036854775808]",
		  "[[9223372036854775807,-9223372036854775808]]" },
		{ "[9223372036854775808, -9223372036854775809, 0x8000000000000000]",
		  "[[9223372036854775808,-9223372036854775808,9223372036854775808]]" },
		{ "[-0x8000000000000000, -0x10000000000000000]",
		  "[[-9223372036854775808,-18446744073709551616]]" },
		{ "[1.5, .5, -.5, +1.25, 1e3, 1.0, 1., 1e-1, 1E+2, 1_0.5, 9007199254740993.0]",
		  "[[1.5,0.5,-0.5,1.25,1000,1,1,0.1,100,10.5,9007199254740992]]" },
		{ "[1e, 1e+, e1, .e1, 1.5.2, 1-2, 1.2.3.4, ._5]",
		  "[[\"1e\",\"1e+\",\"e1\",\".e1\",\"1.5.2\",\"1-2\",\"1.2.3.4\",\"._5\"]]" },
		{ "[2001-01-01, 1:30, 500m, 1Gi, 2001-12-14t21:59:43.10-05:00]",
		  "[[\"2001-01-01\",\"1:30\",\"500m\",\"1Gi\",\"2001-12-14t21:59:43.10-05:00\"]]" },
		{ "['1', \"true\", 'null', \"0x1\"]", "[[\"1\",\"true\",\"null\",\"0x1\"]]" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++)
		assert_means(cases[i][0], cases[i][1]);
	O2_AUTO(o2_freep) char *digits = o2_xmalloc(1001);
	memset(digits, '1', 1000);
	digits[1000] = '\0';
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = yaml(digits);
	assert_string_equal(o2_doc_str(docs, "/0", ""), digits);
}

static void tags_ask_for_types(void **state)
{
	(void)state;
	assert_means("[!!str 1, !!str true, !!int '7', !!float 1, !!bool \"true\", !!null '',"
		     " ! 5, !!timestamp 2001-01-01, !!map {a: !!seq [1]}, !!float 1.5]",
		     "[[\"1\",\"true\",7,1,true,null,\"5\",\"2001-01-01\",{\"a\":[1]},1.5]]");
	assert_refuses("!!int x", O2_EINVALID, "does not fit its value");
	assert_refuses("!!bool maybe", O2_EINVALID, "does not fit its value");
	assert_refuses("!!float .inf", O2_EINVALID, "JSON has no form for");
	assert_refuses("!!binary aGk=", O2_EINVALID, "a tag that is unknown");
	assert_refuses("!own x", O2_EINVALID, "unknown tag");
	assert_refuses("!own [x]", O2_EINVALID, "unknown tag");
	assert_refuses("!!set {a, b}", O2_EINVALID, "unknown tag");
	assert_refuses("!!seq {a: 1}", O2_EINVALID, "unknown tag");
}

static void documents_are_listed_without_the_empty_ones(void **state)
{
	(void)state;
	assert_means("", "[]");
	assert_means("# nothing\n", "[]");
	assert_means("---\n---\n...\n---\n~\n", "[]");
	assert_means("a: 1\n---\n\n---\n# c\n---\nb: 2\n...\n---\n[]\n",
		     "[{\"a\":1},{\"b\":2},[]]");
	assert_means("\xef\xbb\xbf"
		     "a: 1\n",
		     "[{\"a\":1}]");
	assert_means("%YAML 1.1\n---\na: 1\n", "[{\"a\":1}]");
	assert_means("{\"a\": [1, {\"b\": null}]}", "[{\"a\":[1,{\"b\":null}]}]");
	assert_means("a: 1\r\nb: 2\r\n", "[{\"a\":1,\"b\":2}]");
}

static void block_scalars(void **state)
{
	(void)state;
	assert_means("a: |\n  x\n   y\nb: |-\n  x\nc: |+\n  x\n\nd: >\n  x\n  y\n",
		     "[{\"a\":\"x\\n y\\n\",\"b\":\"x\",\"c\":\"x\\n\\n\",\"d\":\"x y\\n\"}]");
	assert_means("a: |2\n   x\n", "[{\"a\":\" x\\n\"}]");
	assert_means("\"a\\tb\\u00e9\\U0001F600\\x41\\\n  c\"", "[\"a\\tb\xc3\xa9\xf0\x9f\x98\x80"
								"Ac\"]");
}

static void keys_become_text(void **state)
{
	(void)state;
	assert_means("{1: a, true: b, 1.5: c, 0x10: d, no: e, '': f}",
		     "[{\"1\":\"a\",\"true\":\"b\",\"1.5\":\"c\",\"16\":\"d\",\"false\":\"e\","
		     "\"\":\"f\"}]");
	assert_means("&k key: 1\nother: {*k : 2}\n", "[{\"key\":1,\"other\":{\"key\":2}}]");
	assert_refuses("~: 1", O2_EINVALID, "a key that is neither");
	assert_refuses("? [a]\n: 1", O2_EINVALID, "a key that is neither");
	assert_refuses("? {a: 1}\n: 1", O2_EINVALID, "a key that is neither");
}

static void duplicate_keys_are_refused(void **state)
{
	(void)state;
	assert_refuses("a: 1\nb: 2\na: 3\n", O2_EINVALID,
		       "invalid YAML at line 3, column 1: a duplicate key");
	assert_refuses("{1: a, '1': b}", O2_EINVALID, "a duplicate key");
	assert_refuses("x: {a: 1, \"a\": 1}", O2_EINVALID, "a duplicate key");
}

static void aliases_are_copies(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = yaml("a: &x {w: [1]}\nb: *x\nc: [*x, *x]\n");

	(void)state;
	o2_doc_put_int(docs, "/0/b/w/0", 2);
	O2_AUTO(o2_freep) char *text = o2_doc_dump(docs);
	assert_string_equal(text, "[{\"a\":{\"w\":[1]},\"b\":{\"w\":[2]},"
				  "\"c\":[{\"w\":[1]},{\"w\":[1]}]}]");
	assert_means("[&a 1, *a, &a 2, *a]", "[[1,1,2,2]]");
	assert_means("[&a [&a 1, *a], *a]", "[[[1,1],1]]");
	assert_means("[&n ~, *n, &s x, *s]", "[[null,null,\"x\",\"x\"]]");
}

static void wrong_aliases_are_refused(void **state)
{
	(void)state;
	assert_refuses("*x", O2_EINVALID, "an alias without an anchor");
	assert_refuses("a: &x 1\n---\nb: *x\n", O2_EINVALID, "line 3, column 4: an alias without");
	assert_refuses("&x [*x]", O2_EINVALID, "an alias inside its anchor");
	assert_refuses("&x {a: {b: *x}}", O2_EINVALID, "an alias inside its anchor");
	assert_refuses("&x {*x : 1}", O2_EINVALID, "an alias inside its anchor");
}

static void merge_keys(void **state)
{
	(void)state;
	assert_means("[&b {x: 1, w: 2}, {<<: *b, w: 3}]",
		     "[[{\"x\":1,\"w\":2},{\"x\":1,\"w\":3}]]");
	assert_means("[&b {x: 1, w: 2}, {w: 3, <<: *b}]",
		     "[[{\"x\":1,\"w\":2},{\"w\":3,\"x\":1}]]");
	assert_means("[&b {x: 1}, &c {x: 2, w: 2}, {<<: [*b, *c, {z: 3}]}]",
		     "[[{\"x\":1},{\"x\":2,\"w\":2},{\"x\":1,\"w\":2,\"z\":3}]]");
	assert_means("{<<: {x: {w: 1}}, z: 1}", "[{\"x\":{\"w\":1},\"z\":1}]");
	assert_means("{'<<': 1, \"a\": <<}", "[{\"<<\":1,\"a\":\"<<\"}]");
	assert_means("{!!merge <<: {x: 1}}", "[{\"x\":1}]");
	assert_means("{<<: []}", "[{}]");
	assert_refuses("{<<: {x: 1}, x: 2, x: 3}", O2_EINVALID, "a duplicate key");
	assert_refuses("{<<: {x: 1}, <<: {w: 1}}", O2_EINVALID, "a second '<<'");
	assert_refuses("{<<: 1}", O2_EINVALID, "'<<' needs");
	assert_refuses("{<<: [{x: 1}, 2]}", O2_EINVALID, "'<<' needs");
}

static void what_json_can_not_hold_is_refused(void **state)
{
	struct o2_err err = { 0 };

	(void)state;
	assert_refuses(".inf", O2_EINVALID, "JSON has no form for");
	assert_refuses("[-.INF]", O2_EINVALID, "JSON has no form for");
	assert_refuses("a: .nan", O2_EINVALID, "line 1, column 4: a number that JSON has no form");
	assert_means("[1e999, 12e4567, .5e999]", "[[\"1e999\",\"12e4567\",\".5e999\"]]");
	O2_AUTO(o2_freep) char *digits = o2_xmalloc(401);
	memset(digits, '1', 400);
	digits[400] = '\0';
	assert_refuses(digits, O2_EINVALID, "JSON has no form for");
	assert_refuses("\"a\\0b\"", O2_EINVALID, "a NUL in a string");
	assert_refuses("{\"a\\0b\": 1}", O2_EINVALID, "a NUL in a string");
	assert_null(o2_doc_parse_yaml("a: b\0c", 6, &err));
	assert_int_equal(err.code, -O2_EINVALID);
}

static void mistakes_have_line_and_column(void **state)
{
	(void)state;
	assert_refuses("a: 1\n b: 2\n", O2_EINVALID, "invalid YAML at line 2, column 3: ");
	assert_refuses("[1, 2", O2_EINVALID, "did not find expected ',' or ']'");
	assert_refuses("a:\n\tb: 1\n", O2_EINVALID, "line 2, column 1: ");
	assert_refuses("\"\\ud800\"", O2_EINVALID, "line 1");
	assert_refuses("a: \xff\n", O2_EINVALID, "invalid YAML at line 1");
	assert_refuses("a: \x01\n", O2_EINVALID, "control characters");
	assert_refuses("%YAML 3.0\n---\na", O2_EINVALID, "line 1");
	assert_refuses("a: hunter2\n  b: @hunter2\n", O2_EINVALID, "line 2");
	assert_refuses("a: 'x\n", O2_EINVALID, "line 2");
}

static void depth_has_a_limit(void **state)
{
	char text[2 * O2_DOC_MAX_DEPTH + 8];
	const size_t max = O2_DOC_MAX_DEPTH;

	(void)state;
	memset(text, '[', max);
	memset(text + max, ']', max);
	text[2 * max] = '\0';
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = yaml(text);
	memset(text, '[', max + 1);
	text[max + 1] = '\0';
	assert_refuses(text, O2_ELIMIT, "column 201: too many levels");
	/* By aliases as well. */
	struct o2_buf nested;
	o2_buf_init(&nested, 10000);
	o2_buf_adds(&nested, "- &a0 []\n");
	for (int i = 1; i <= O2_DOC_MAX_DEPTH; i++)
		o2_buf_addf(&nested, "- &a%d [*a%d]\n", i, i - 1);
	assert_refuses(nested.data, O2_ELIMIT, "too many levels");
	o2_buf_release(&nested);
}

static void expansion_has_a_limit(void **state)
{
	struct o2_buf text;

	(void)state;
	o2_buf_init(&text, 100000);
	o2_buf_adds(&text, "- &a0 [x]\n");
	for (int i = 1; i < 40; i++)
		o2_buf_addf(&text, "- &a%d [*a%d, *a%d]\n", i, i - 1, i - 1);
	assert_refuses(text.data, O2_ELIMIT, "aliases expand to too much");
	o2_buf_clear(&text);
	o2_buf_adds(&text, "- &a [x,x,x,x,x,x,x,x,x]\n");
	for (int i = 0; i < 10000; i++)
		o2_buf_adds(&text, "- *a\n");
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = yaml(text.data);
	o2_buf_adds(&text, "- *a\n");
	assert_refuses(text.data, O2_ELIMIT, "aliases expand to too much");
	o2_buf_release(&text);
}

static void assert_writes(const char *json, const char *expected)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_parse(json, strlen(json), NULL);
	assert_non_null(doc);
	O2_AUTO(o2_freep) char *text = o2_doc_dump_yaml(doc);

	assert_string_equal(text, expected);
	O2_AUTO(o2_doc_freep) struct o2_doc *back = yaml(text);
	assert_true(o2_doc_equal(o2_doc_item(back, 0), doc));
}

static void blocks_are_written(void **state)
{
	(void)state;
	assert_writes(
		"{\"a\":{\"b\":[1,{\"c\":true,\"d\":\"x\"},[2,3]]},\"e\":{},\"f\":[],\"g\":null}",
		"a:\n  b:\n  - 1\n  - c: true\n    d: x\n  - - 2\n    - 3\ne: {}\nf: []\n"
		"g: null\n");
	assert_writes("{\"a\":\"one\\ntwo\\n\",\"b\":\"one\\n\\n  two\"}",
		      "a: |\n  one\n  two\nb: |-\n  one\n\n    two\n");
	assert_writes("[\"caf\\u00e9\"]", "- caf\xc3\xa9\n");
	assert_writes("[1.5,0.1,100.0,1e22,1e-7,18446744073709551616]",
		      "- 1.5\n- 0.1\n- 100.0\n- 1.0e+22\n- 1.0e-07\n- 18446744073709551616\n");
	assert_writes("5", "5\n");
	assert_writes("\"x\"", "x\n");
	assert_writes("{}", "{}\n");
	O2_AUTO(o2_freep) char *nothing = o2_doc_dump_yaml(NULL);
	assert_string_equal(nothing, "null\n");
}

static void what_could_be_misread_is_quoted(void **state)
{
	static const char *const strings[] = {
		"",
		"~",
		"null",
		"NULL",
		"true",
		"False",
		"yes",
		"NO",
		"on",
		"Off",
		"y",
		"N",
		"1",
		"-1",
		"+1",
		"1.5",
		".5",
		"1e3",
		"0x1F",
		"0o17",
		"0644",
		"0b1",
		"1_000",
		"1,000",
		"1:30",
		"190:20:30.15",
		"2001-01-01",
		"2001-12-14t21:59:43.10-05:00",
		"2001-12-14 21:59:43.10 -5",
		"2026-01-02T03:04:05Z",
		".inf",
		"-.Inf",
		".NaN",
		"=",
		"<<",
		"0_x1",
		"-0_b1",
		"---",
		"...",
		"1.",
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(strings); i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_object_new();
		o2_doc_set_str(doc, strings[i], strings[i]);
		O2_AUTO(o2_freep) char *text = o2_doc_dump_yaml(doc);
		O2_AUTO(o2_freep)
		char *expected = o2_xasprintf("\"%s\": \"%s\"\n", strings[i], strings[i]);
		assert_string_equal(text, expected);
		O2_AUTO(o2_doc_freep) struct o2_doc *back = yaml(text);
		assert_true(o2_doc_equal(o2_doc_item(back, 0), doc));
	}
}

static void what_has_a_meaning_in_the_grammar_comes_back(void **state)
{
	static const char *const strings[] = {
		"a: b",
		"a:",
		":a",
		"- a",
		"-",
		"? a",
		"?",
		"#a",
		"a #b",
		"a#b",
		"*a",
		"&a",
		"!a",
		"|",
		">",
		"%a",
		"@a",
		"`a`",
		"{a}",
		"[a]",
		"a,b",
		"'a'",
		"\"a\"",
		" a",
		"a ",
		"\ta",
		"a\t",
		"a\tb",
		"a\rb",
		"\n",
		"\n\n",
		"\na",
		"a\n",
		"a\n\n",
		"a\n b\n",
		" a\nb",
		"a \nb",
		"a\n \nb",
		"a\n\tb",
		"a\n#b",
		"a\r\nb",
		"--- a",
		"a\n---\nb",
		"a\n...\nb",
		"\\",
		"a\\nb",
		"\x7f",
		"\x01\n",
		"\xc2\x85",
		"\xe2\x80\xa8\n",
		("\xef\xbb\xbf"
		 "a"),
		"\xf0\x9f\x98\x80\nb",
		"a:\n  b\n",
		"key: |\n  x\n",
		"500m",
		"1Gi",
		"10.0.0.1/8",
		"sha256:00",
		"v1.2.3",
		"nginx:1.25",
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(strings); i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_object_new();
		o2_doc_set_str(doc, strings[i], strings[i]);
		o2_doc_put(doc, "/list", o2_doc_array_new());
		o2_doc_put_str(doc, "/list/-", strings[i]);
		o2_doc_put_str(doc, "/map/x", strings[i]);
		O2_AUTO(o2_freep) char *text = o2_doc_dump_yaml(doc);
		O2_AUTO(o2_doc_freep) struct o2_doc *back = yaml(text);
		if (!o2_doc_equal(o2_doc_item(back, 0), doc))
			fail_msg("string %zu: %s", i, text);
	}
}

static void long_texts_are_not_folded(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_object_new();
	char text[2000], name[400];

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = i % 7 == 4 ? ' ' : 'x';
	text[sizeof(text) - 1] = '\0';
	memset(name, 'k', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	o2_doc_set_str(doc, "a", text);
	O2_AUTO(o2_freep) char *plain = o2_doc_dump_yaml(doc);
	assert_int_equal(strlen(plain), strlen(text) + 4);
	o2_doc_set_str(doc, name, text);
	O2_AUTO(o2_freep) char *written = o2_doc_dump_yaml(doc);
	O2_AUTO(o2_doc_freep) struct o2_doc *back = yaml(written);
	assert_true(o2_doc_equal(o2_doc_item(back, 0), doc));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_have_types),
		cmocka_unit_test(tags_ask_for_types),
		cmocka_unit_test(documents_are_listed_without_the_empty_ones),
		cmocka_unit_test(block_scalars),
		cmocka_unit_test(keys_become_text),
		cmocka_unit_test(duplicate_keys_are_refused),
		cmocka_unit_test(aliases_are_copies),
		cmocka_unit_test(wrong_aliases_are_refused),
		cmocka_unit_test(merge_keys),
		cmocka_unit_test(what_json_can_not_hold_is_refused),
		cmocka_unit_test(mistakes_have_line_and_column),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(expansion_has_a_limit),
		cmocka_unit_test(blocks_are_written),
		cmocka_unit_test(what_could_be_misread_is_quoted),
		cmocka_unit_test(what_has_a_meaning_in_the_grammar_comes_back),
		cmocka_unit_test(long_texts_are_not_folded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
