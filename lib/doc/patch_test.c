#include "doc/doc_test.h"

static void assert_patches(const char *before, const char *patch_text, const char *after)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = json(before);
	O2_AUTO(o2_doc_freep) struct o2_doc *patch = json(patch_text);
	struct o2_err err = { 0 };

	if (o2_doc_patch(&doc, patch, &err) < 0)
		fail_msg("%s on %s: %s", patch_text, before, err.message);
	assert_dumps(doc, after);
}

static void assert_fails(const char *before, const char *patch_text, enum o2_code code)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = json(before);
	O2_AUTO(o2_doc_freep) struct o2_doc *patch = json(patch_text);
	struct o2_err err = { 0 };

	if (o2_doc_patch(&doc, patch, &err) != -(int)code)
		fail_msg("%s on %s: %s", patch_text, before, err.message);
	assert_int_equal(err.code, -(int)code);
	assert_dumps(doc, before);
	assert_int_equal(o2_doc_patch(&doc, patch, NULL), -(int)code);
}

#define OP(op, rest) "[{\"op\":\"" op "\"," rest "}]"
#define PV(path, value) "\"path\":\"" path "\",\"value\":" value
#define PF(from, path) "\"from\":\"" from "\",\"path\":\"" path "\""
#define P(path) "\"path\":\"" path "\""

/* RFC 6902, appendix A. */
static void examples_of_rfc_6902(void **state)
{
	(void)state;
	assert_patches("{\"foo\":\"bar\"}", OP("add", PV("/baz", "\"qux\"")),
		       "{\"foo\":\"bar\",\"baz\":\"qux\"}");
	assert_patches("{\"foo\":[\"bar\",\"baz\"]}", OP("add", PV("/foo/1", "\"qux\"")),
		       "{\"foo\":[\"bar\",\"qux\",\"baz\"]}");
	assert_patches("{\"baz\":\"qux\",\"foo\":\"bar\"}", OP("remove", P("/baz")),
		       "{\"foo\":\"bar\"}");
	assert_patches("{\"foo\":[\"bar\",\"qux\",\"baz\"]}", OP("remove", P("/foo/1")),
		       "{\"foo\":[\"bar\",\"baz\"]}");
	assert_patches("{\"baz\":\"qux\",\"foo\":\"bar\"}", OP("replace", PV("/baz", "\"boo\"")),
		       "{\"baz\":\"boo\",\"foo\":\"bar\"}");
	assert_patches("{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"g\"}}",
		       OP("move", PF("/foo/waldo", "/qux/thud")),
		       "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"g\",\"thud\":\"fred\"}}");
	assert_patches("{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
		       OP("move", PF("/foo/1", "/foo/3")),
		       "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}");
	assert_patches("{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
		       "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},"
		       "{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",
		       "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}");
	assert_fails("{\"baz\":\"qux\"}", OP("test", PV("/baz", "\"bar\"")), O2_ECONFLICT);
	assert_patches("{\"foo\":\"bar\"}", OP("add", PV("/child", "{\"grandchild\":{}}")),
		       "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}");
	assert_patches("{\"foo\":\"bar\"}", OP("add", PV("/baz", "\"qux\"") ",\"xyz\":123"),
		       "{\"foo\":\"bar\",\"baz\":\"qux\"}");
	assert_fails("{\"foo\":\"bar\"}", OP("add", PV("/baz/bat", "\"qux\"")), O2_EINVALID);
	assert_patches("{\"/\":9,\"~1\":10}", OP("test", PV("/~01", "10")), "{\"/\":9,\"~1\":10}");
	assert_fails("{\"/\":9,\"~1\":10}", OP("test", PV("/~01", "\"10\"")), O2_ECONFLICT);
	assert_patches("{\"foo\":[\"bar\"]}", OP("add", PV("/foo/-", "[\"abc\",\"def\"]")),
		       "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}");
}

static void add_and_replace(void **state)
{
	(void)state;
	assert_patches("{\"a\":1}", "[]", "{\"a\":1}");
	assert_patches("[]", OP("add", PV("/0", "1")), "[1]");
	assert_patches("[1]", OP("add", PV("/1", "2")), "[1,2]");
	assert_patches("{}", OP("add", PV("/", "1")), "{\"\":1}");
	assert_patches("{\"a\":1}", OP("add", PV("/a", "null")), "{\"a\":null}");
	assert_patches("{\"a\":1,\"b\":2}", OP("add", PV("/a", "3")), "{\"a\":3,\"b\":2}");
	assert_patches("{}", OP("add", PV("", "[1]")), "[1]");
	assert_patches("1", OP("replace", PV("", "{\"a\":null}")), "{\"a\":null}");
	assert_patches("{\"a\":[1,2]}", OP("replace", PV("/a/0", "[3]")), "{\"a\":[[3],2]}");
	assert_patches("{\"a\":null}", OP("replace", PV("/a", "true")), "{\"a\":true}");
	assert_patches("{\"e/f~\":1}", OP("replace", PV("/e~1f~0", "2")), "{\"e/f~\":2}");
	assert_fails("[1]", OP("add", PV("/2", "1")), O2_EINVALID);
	assert_fails("[1]", OP("add", PV("/01", "1")), O2_EINVALID);
	assert_fails("[1]", OP("add", PV("/1e0", "1")), O2_EINVALID);
	assert_fails("[1]", OP("add", PV("/a", "1")), O2_EINVALID);
	assert_fails("[1]", OP("add", PV("/-1", "1")), O2_EINVALID);
	assert_fails("[1]", OP("replace", PV("/-", "1")), O2_EINVALID);
	assert_fails("[1]", OP("replace", PV("/1", "1")), O2_EINVALID);
	assert_fails("{\"a\":1}", OP("replace", PV("/b", "1")), O2_EINVALID);
	assert_fails("{\"a\":1}", OP("replace", PV("/a/b", "1")), O2_EINVALID);
	assert_fails("{\"a\":\"x\"}", OP("add", PV("/a/0", "1")), O2_EINVALID);
	assert_fails("1", OP("add", PV("/a", "1")), O2_EINVALID);
}

static void remove_move_and_copy(void **state)
{
	(void)state;
	assert_patches("[1,[2,3]]", OP("remove", P("/1/0")), "[1,[3]]");
	assert_fails("{\"a\":1}", OP("remove", P("/b")), O2_EINVALID);
	assert_fails("[1]", OP("remove", P("/1")), O2_EINVALID);
	assert_fails("[1]", OP("remove", P("/-")), O2_EINVALID);
	assert_fails("[1]", OP("remove", P("/1e0")), O2_EINVALID);
	assert_fails("[1]", OP("remove", P("")), O2_EINVALID);
	assert_patches("{\"a\":1,\"b\":[2]}", OP("move", PF("/a", "/b/-")), "{\"b\":[2,1]}");
	assert_patches("{\"a\":{\"b\":1}}", OP("move", PF("/a/b", "/a")), "{\"a\":1}");
	assert_patches("{\"a\":{\"b\":1}}", OP("move", PF("/a/b", "")), "1");
	assert_patches("{\"a\":1,\"b\":2}", OP("move", PF("/a", "/a")), "{\"a\":1,\"b\":2}");
	assert_fails("{\"a\":{\"b\":1}}", OP("move", PF("/a", "/a/b/c")), O2_EINVALID);
	assert_fails("{\"a\":{}}", OP("move", PF("", "/a")), O2_EINVALID);
	assert_patches("{\"a\":1}", OP("move", PF("/a", "/ab")), "{\"ab\":1}");
	assert_fails("{\"a\":1}", OP("move", PF("/b", "/c")), O2_EINVALID);
	assert_fails("{\"a\":1}", OP("move", PF("/a", "/a/b")), O2_EINVALID);
	assert_fails("[1,2]", OP("move", PF("/0", "/2")), O2_EINVALID);
	assert_patches("{\"a\":[1]}", OP("copy", PF("/a", "/b")), "{\"a\":[1],\"b\":[1]}");
	assert_patches("{\"a\":1}", OP("copy", PF("", "/b")), "{\"a\":1,\"b\":{\"a\":1}}");
	assert_fails("{\"a\":1}", OP("copy", PF("/b", "/c")), O2_EINVALID);
	/* The copy is one: a later change of the one does not reach the other. */
	assert_patches("{\"a\":{\"x\":1}}",
		       "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"},"
		       "{\"op\":\"replace\",\"path\":\"/b/x\",\"value\":2}]",
		       "{\"a\":{\"x\":1},\"b\":{\"x\":2}}");
}

static void test_compares_values(void **state)
{
	(void)state;
	assert_patches("{\"a\":{\"x\":1,\"y\":[2]}}", OP("test", PV("/a", "{\"y\":[2],\"x\":1.0}")),
		       "{\"a\":{\"x\":1,\"y\":[2]}}");
	assert_patches("{\"a\":null}", OP("test", PV("/a", "null")), "{\"a\":null}");
	assert_patches("{\"a\":1}", OP("test", PV("", "{\"a\":1}")), "{\"a\":1}");
	assert_fails("{\"a\":[1,2]}", OP("test", PV("/a", "[2,1]")), O2_ECONFLICT);
	assert_fails("{\"a\":1}", OP("test", PV("/a", "null")), O2_ECONFLICT);
	assert_fails("{\"a\":1}", OP("test", PV("/b", "null")), O2_EINVALID);
}

static void malformed_patches_are_refused(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"null",
		"\"x\"",
		"[1]",
		"[{}]",
		"[{\"op\":\"add\",\"value\":1}]",
		"[{\"op\":\"add\",\"path\":null,\"value\":1}]",
		"[{\"op\":\"add\",\"path\":\"/b\"}]",
		"[{\"op\":\"replace\",\"path\":\"/a\"}]",
		"[{\"op\":\"test\",\"path\":\"/a\"}]",
		"[{\"op\":\"add\",\"path\":\"b\",\"value\":1}]",
		"[{\"op\":\"add\",\"path\":\"/~2\",\"value\":1}]",
		"[{\"op\":\"add\",\"path\":\"/b~\",\"value\":1}]",
		"[{\"op\":\"move\",\"path\":\"/b\"}]",
		"[{\"op\":\"copy\",\"from\":1,\"path\":\"/b\"}]",
		"[{\"op\":\"copy\",\"from\":\"a\",\"path\":\"/b\"}]",
		"[{\"op\":\"spam\",\"path\":\"/a\"}]",
		"[{\"op\":1,\"path\":\"/a\"}]",
		"[{\"path\":\"/a\",\"value\":1}]",
		"[{\"op\":\"ADD\",\"path\":\"/a\",\"value\":1}]",
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(wrong); i++)
		assert_fails("{\"a\":1}", wrong[i], O2_EINVALID);
}

static void a_failing_operation_undoes_those_before(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = json("{\"a\":{\"b\":1}}");
	O2_AUTO(o2_doc_freep)
	struct o2_doc *patch = json(
		"[{\"op\":\"remove\",\"path\":\"/a/b\"},{\"op\":\"add\",\"path\":\"/c\",\"value\":"
		"1},{\"op\":\"remove\",\"path\":\"/x\"}]");
	struct o2_err err = { 0 };

	(void)state;
	assert_int_equal(o2_doc_patch(&doc, patch, &err), -O2_EINVALID);
	assert_string_equal(err.message, "operation 3 of the patch: '/x' does not exist");
	assert_dumps(doc, "{\"a\":{\"b\":1}}");
}

static void growth_is_bounded(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doubling = o2_doc_array_new();
	O2_AUTO(o2_doc_freep) struct o2_doc *many = o2_doc_array_new();
	O2_AUTO(o2_doc_freep) struct o2_doc *deep = o2_doc_array_new();
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = json("{\"a\":[]}");
	struct o2_buf path;

	(void)state;
	for (int i = 0; i < 40; i++)
		o2_doc_append(doubling,
			      json("{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}"));
	assert_int_equal(o2_doc_patch(&doc, doubling, NULL), -O2_ELIMIT);
	for (int i = 0; i < 10001; i++)
		o2_doc_append(many, json("{\"op\":\"test\",\"path\":\"/a\",\"value\":[]}"));
	assert_int_equal(o2_doc_patch(&doc, many, NULL), -O2_ELIMIT);
	o2_doc_remove_item(many, 0);
	assert_int_equal(o2_doc_patch(&doc, many, NULL), 0);

	o2_buf_init(&path, 1000);
	for (int i = 0; i < O2_DOC_MAX_DEPTH; i++) {
		struct o2_doc *operation = json("{\"op\":\"add\",\"value\":{}}");
		o2_buf_adds(&path, "/a");
		o2_doc_set_str(operation, "path", path.data);
		o2_doc_append(deep, operation);
	}
	o2_buf_release(&path);
	assert_int_equal(o2_doc_patch(&doc, deep, NULL), -O2_EINVALID);
	o2_doc_remove_item(deep, O2_DOC_MAX_DEPTH - 1);
	assert_int_equal(o2_doc_patch(&doc, deep, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_rfc_6902),
		cmocka_unit_test(add_and_replace),
		cmocka_unit_test(remove_move_and_copy),
		cmocka_unit_test(test_compares_values),
		cmocka_unit_test(malformed_patches_are_refused),
		cmocka_unit_test(a_failing_operation_undoes_those_before),
		cmocka_unit_test(growth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
