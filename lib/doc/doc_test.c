#include "doc/doc_test.h"

static void values_have_their_types(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = json("[null,true,1,1.5,\"x\",[],{}]");

	(void)state;
	for (size_t i = 0; i < o2_doc_count(doc); i++)
		assert_int_equal(o2_doc_type(o2_doc_item(doc, i)), i);
	assert_int_equal(o2_doc_type(NULL), O2_DOC_NULL);
	assert_null(o2_doc_item(doc, 7));
	assert_null(o2_doc_item(NULL, 0));
	assert_int_equal(o2_doc_count(NULL), 0);
	assert_int_equal(o2_doc_count(o2_doc_item(doc, 4)), 0);
}

static void getters_give_the_default_for_another_type(void **state)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *doc =
		json("{\"s\":\"x\",\"i\":7,\"b\":true,\"n\":null,\"r\":7.0,\"f\":false}");

	(void)state;
	assert_string_equal(o2_doc_str(doc, "/s", "d"), "x");
	assert_string_equal(o2_doc_str(doc, "/i", "d"), "d");
	assert_string_equal(o2_doc_str(doc, "/n", "d"), "d");
	assert_null(o2_doc_str(doc, "/missing", NULL));
	assert_string_equal(o2_doc_str(NULL, "/s", "d"), "d");
	assert_int_equal(o2_doc_int(doc, "/i", -1), 7);
	assert_int_equal(o2_doc_int(doc, "/r", -1), -1);
	assert_int_equal(o2_doc_int(doc, "/s", -1), -1);
	assert_true(o2_doc_bool(doc, "/b", false));
	assert_false(o2_doc_bool(doc, "/f", true));
	assert_true(o2_doc_bool(doc, "/n", true));
	assert_true(o2_doc_bool(doc, "/i", true));
	assert_string_equal(o2_doc_member_str(doc, "s", "d"), "x");
	assert_string_equal(o2_doc_member_str(doc, "i", "d"), "d");
	assert_string_equal(o2_doc_member_str(NULL, "s", "d"), "d");
	assert_null(o2_doc_text(o2_doc_member(doc, "i")));
	assert_null(o2_doc_text(NULL));
	assert_int_equal(o2_doc_number(o2_doc_member(doc, "i"), 0), 7);
	assert_int_equal(o2_doc_number(NULL, 5), 5);
}

static void constructors_make_what_they_say(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_array_new();

	(void)state;
	o2_doc_append(doc, o2_doc_null_new());
	o2_doc_append(doc, o2_doc_bool_new(true));
	o2_doc_append(doc, o2_doc_int_new(INT64_MIN));
	o2_doc_append(doc, o2_doc_real_new(0.1));
	o2_doc_append(doc, o2_doc_object_new());
	o2_doc_append_str(doc, "x");
	o2_doc_append_str(doc, NULL);
	o2_doc_append(doc, NULL);
	assert_dumps(doc, "[null,true,-9223372036854775808,0.1,{},\"x\"]");
	o2_doc_remove_item(doc, 0);
	assert_int_equal(o2_doc_count(doc), 5);
	assert_null(o2_doc_str_new(NULL));
}

static void members_are_set_and_unset_by_any_name(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_object_new();

	(void)state;
	o2_doc_set_str(doc, "a/b~", "1");
	o2_doc_set(doc, "", o2_doc_int_new(2));
	o2_doc_set(doc, "a/b~", o2_doc_int_new(3));
	assert_dumps(doc, "{\"a/b~\":3,\"\":2}");
	assert_non_null(o2_doc_member(doc, "a/b~"));
	assert_true(o2_doc_unset(doc, "a/b~"));
	assert_false(o2_doc_unset(doc, "a/b~"));
	o2_doc_set(doc, "", NULL);
	o2_doc_set_str(doc, "x", NULL);
	assert_dumps(doc, "{}");
}

static void text_that_is_not_utf8_is_repaired(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_doc_object_new();

	(void)state;
	o2_doc_set_str(doc, "k\xff", "a\xc3(\xf0\x9f\x98\x80\x80");
	assert_dumps(doc, "{\"k\xef\xbf\xbd\":\"a\xef\xbf\xbd(\xf0\x9f\x98\x80\xef\xbf\xbd\"}");
}

static void a_copy_is_independent(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = json("{\"b\":[1,{\"x\":\"y\"}],\"a\":2.5}");
	O2_AUTO(o2_doc_freep) struct o2_doc *copy = o2_doc_copy(doc);
	O2_AUTO(o2_doc_freep) struct o2_doc *same = o2_doc_ref(doc);

	(void)state;
	assert_dumps(copy, "{\"b\":[1,{\"x\":\"y\"}],\"a\":2.5}");
	o2_doc_put_str(doc, "/b/1/x", "z");
	assert_string_equal(o2_doc_str(copy, "/b/1/x", ""), "y");
	assert_string_equal(o2_doc_str(same, "/b/1/x", ""), "z");
	assert_null(o2_doc_copy(NULL));
	assert_null(o2_doc_ref(NULL));
	o2_doc_free(NULL);
}

static void equality_looks_at_values(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{ "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true },
		{ "[1,2]", "[2,1]", false },
		{ "[1]", "[1,1]", false },
		{ "{\"a\":1}", "{\"a\":1,\"b\":1}", false },
		{ "{\"a\":1}", "{\"b\":1}", false },
		{ "1", "1.0", true },
		{ "1", "1.5", false },
		{ "1", "2", false },
		{ "1.5", "1.5", true },
		{ "9007199254740993", "9007199254740992.0", false },
		{ "9223372036854775807", "9223372036854775808", false },
		{ "-9223372036854775808", "-9223372036854775808.0", true },
		{ "1", "1e300", false },
		{ "1", "\"1\"", false },
		{ "true", "false", false },
		{ "null", "false", false },
		{ "null", "null", true },
		{ "\"a\"", "\"a\"", true },
		{ "\"a\"", "\"ab\"", false },
		{ "[]", "{}", false },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *a = json(cases[i].a);
		O2_AUTO(o2_doc_freep) struct o2_doc *b = json(cases[i].b);
		assert_int_equal(o2_doc_equal(a, b), cases[i].equal);
		assert_int_equal(o2_doc_equal(b, a), cases[i].equal);
		assert_true(o2_doc_equal(a, a));
		assert_false(o2_doc_equal(a, NULL));
	}
	assert_true(o2_doc_equal(NULL, NULL));
}

static void the_current_member_may_be_removed_or_replaced(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = json("{\"a\":1,\"b\":2,\"c\":3,\"d\":4}");
	char seen[8] = "";
	size_t count = 0;

	(void)state;
	for (struct o2_doc_iter it = o2_doc_iter(doc); o2_doc_next(&it);) {
		seen[count++] = it.name[0];
		if (it.name[0] == 'c')
			o2_doc_set_str(doc, "c", "new");
		else if (it.name[0] != 'b')
			o2_doc_unset(doc, it.name);
	}
	assert_string_equal(seen, "abcd");
	assert_dumps(doc, "{\"b\":2,\"c\":\"new\"}");
	struct o2_doc_iter none = o2_doc_iter(NULL);
	assert_false(o2_doc_next(&none));
	none = o2_doc_iter(o2_doc_member(doc, "b"));
	assert_false(o2_doc_next(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_have_their_types),
		cmocka_unit_test(getters_give_the_default_for_another_type),
		cmocka_unit_test(constructors_make_what_they_say),
		cmocka_unit_test(members_are_set_and_unset_by_any_name),
		cmocka_unit_test(text_that_is_not_utf8_is_repaired),
		cmocka_unit_test(a_copy_is_independent),
		cmocka_unit_test(equality_looks_at_values),
		cmocka_unit_test(the_current_member_may_be_removed_or_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
