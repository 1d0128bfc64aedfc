#include "doc/doc_test.h"

/* The examples of RFC 6901, section 5. */
static void pointers_of_rfc_6901(void **state)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *doc =
		json("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,"
		     "\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}");
	static const char *const numbers[] = { "/",     "/a~1b", "/c%d", "/e^f", "/g|h",
					       "/i\\j", "/k\"l", "/ ",   "/m~0n" };

	(void)state;
	assert_ptr_equal(o2_doc_at(doc, ""), doc);
	assert_int_equal(o2_doc_count(o2_doc_at(doc, "/foo")), 2);
	assert_string_equal(o2_doc_str(doc, "/foo/0", ""), "bar");
	for (size_t i = 0; i < O2_COUNT(numbers); i++)
		assert_int_equal(o2_doc_int(doc, numbers[i], -1), i);
}

static void what_does_not_exist_is_null(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = json("{\"a\":[1,2],\"b\":{\"0\":3},\"c\":4}");
	static const char *const missing[] = {
		"/x",
		"/a/2",
		"/a/-",
		"/a/01",
		"/a/00",
		"/a/+1",
		"/a/-1",
		"/a/1x",
		"/a/",
		"/a/0/",
		"/b/1",
		"/c/0",
		"/x/y/z",
		"/b/~",
		"/b/~2",
		"/",
		"/a/1e0",
		"/a/18446744073709551616",
		"/a/18446744073709551617",
		"//a",
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(missing); i++)
		assert_null(o2_doc_at(doc, missing[i]));
	assert_int_equal(o2_doc_int(doc, "/b/0", 0), 3);
	assert_null(o2_doc_at(NULL, "/a"));
}

static void names_of_any_length_are_found(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_object_new();
	char name[700];

	(void)state;
	memset(name, '/', sizeof(name));
	for (size_t len = 250; len < sizeof(name); len += 3) {
		struct o2_buf pointer;
		name[len] = '\0';
		o2_buf_init(&pointer, 4096);
		o2_doc_pointer_add(&pointer, name);
		o2_doc_put_int(doc, pointer.data, (int64_t)len);
		assert_int_equal(o2_doc_int(doc, pointer.data, 0), len);
		assert_int_equal(o2_doc_number(o2_doc_member(doc, name), 0), len);
		o2_buf_release(&pointer);
		name[len] = '/';
	}
}

static void validity(void **state)
{
	(void)state;
	assert_true(o2_doc_pointer_valid(""));
	assert_true(o2_doc_pointer_valid("/"));
	assert_true(o2_doc_pointer_valid("/a~0~1/"));
	assert_false(o2_doc_pointer_valid("a"));
	assert_false(o2_doc_pointer_valid("/~"));
	assert_false(o2_doc_pointer_valid("/~2"));
	assert_false(o2_doc_pointer_valid("/a~/b"));
}

static void put_makes_what_is_missing(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_object_new();

	(void)state;
	o2_doc_put_str(doc, "/metadata/labels/app.kubernetes.io~1name", "shop");
	o2_doc_put_int(doc, "/spec/replicas", 3);
	o2_doc_put_bool(doc, "/spec/paused", true);
	o2_doc_put(doc, "/l", o2_doc_array_new());
	o2_doc_put_str(doc, "/l/0", "a");
	o2_doc_put_str(doc, "/l/-", "b");
	o2_doc_put_str(doc, "/l/0", "c");
	o2_doc_put_str(doc, "/l/2/name", "d");
	o2_doc_put_str(doc, "/spec/replicas", NULL);
	o2_doc_put(doc, "/none/at/all", NULL);
	assert_dumps(doc, "{\"metadata\":{\"labels\":{\"app.kubernetes.io/name\":\"shop\"}},"
			  "\"spec\":{\"paused\":true},\"l\":[\"c\",\"b\",{\"name\":\"d\"}]}");
}

static void remove_tells_whether_it_was_there(void **state)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *doc = json("{\"a\":[1,2,3],\"b/c\":{\"d\":1},\"e\":5}");
	static const char *const missing[] = { "", "/x", "/a/3", "/a/-", "/e/f", "/x/y", "/~" };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(missing); i++)
		assert_false(o2_doc_remove(doc, missing[i]));
	assert_true(o2_doc_remove(doc, "/a/1"));
	assert_true(o2_doc_remove(doc, "/b~1c/d"));
	assert_true(o2_doc_remove(doc, "/e"));
	assert_false(o2_doc_remove(NULL, "/e"));
	assert_dumps(doc, "{\"a\":[1,3],\"b/c\":{}}");
}

static void prune_takes_emptied_parents_away(void **state)
{
	static const struct {
		const char *before, *pointer, *after;
	} cases[] = {
		{ "{\"a\":{\"b\":{\"c\":1}},\"d\":2}", "/a/b/c", "{\"d\":2}" },
		{ "{\"a\":{\"b\":{\"c\":1},\"x\":1}}", "/a/b/c", "{\"a\":{\"x\":1}}" },
		{ "{\"a\":{\"b\":1}}", "/a/b", "{}" },
		{ "{\"a\":{}}", "/a/b", "{\"a\":{}}" },
		{ "{\"a\":[{\"b\":1}]}", "/a/0/b", "{\"a\":[{}]}" },
		{ "{\"a\":[1]}", "/a/0", "{\"a\":[]}" },
		{ "{\"a\":1}", "/a", "{}" },
		{ "{\"a\":1}", "", "{\"a\":1}" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = json(cases[i].before);
		o2_doc_prune(doc, cases[i].pointer);
		assert_dumps(doc, cases[i].after);
	}
}

static void tokens_are_escaped(void **state)
{
	struct o2_buf pointer;

	(void)state;
	o2_buf_init(&pointer, 100);
	o2_doc_pointer_add(&pointer, "a~1/b");
	o2_doc_pointer_add(&pointer, "");
	assert_string_equal(pointer.data, "/a~01~1b/");
	o2_buf_release(&pointer);
	o2_buf_init(&pointer, 3);
	o2_doc_pointer_add(&pointer, "a/b");
	assert_true(o2_buf_overflowed(&pointer));
	assert_string_equal(pointer.data, "");
	o2_buf_release(&pointer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers_of_rfc_6901),
		cmocka_unit_test(what_does_not_exist_is_null),
		cmocka_unit_test(names_of_any_length_are_found),
		cmocka_unit_test(validity),
		cmocka_unit_test(put_makes_what_is_missing),
		cmocka_unit_test(remove_tells_whether_it_was_there),
		cmocka_unit_test(prune_takes_emptied_parents_away),
		cmocka_unit_test(tokens_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
