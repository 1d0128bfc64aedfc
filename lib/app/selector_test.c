#include "app/app_test.h"

static void test_notation(void **state)
{
	static const struct {
		const char *selector, *labels;
		bool matches;
	} rows[] = {
		{ "", "{a: b}", true },
		{ " ", "{}", true },
		{ "a=b", "{a: b}", true },
		{ "a==b", "{a: b}", true },
		{ "a = b , c = d", "{a: b, c: d}", true },
		{ "a=b,c=d", "{a: b}", false },
		{ "a!=b", "{a: c}", true },
		{ "a!=b", "{}", true },
		{ "a!=b", "{a: b}", false },
		{ "a in (b,c)", "{a: c}", true },
		{ "a in (b, c)", "{a: d}", false },
		{ "a notin (b)", "{a: b}", false },
		{ "a notin (b)", "{}", true },
		{ "a", "{a: ''}", true },
		{ "a", "{}", false },
		{ "!a", "{}", true },
		{ "!a", "{a: b}", false },
		{ "in=b", "{in: b}", true },
		{ "app.kubernetes.io/name=x-y_z.1", "{app.kubernetes.io/name: x-y_z.1}", true },
		{ "a=", "{a: ''}", true },
		{ "a in (b),!c", "{a: b}", true },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		struct o2_err err = { 0 };
		struct o2_doc *selector = o2_app_selector_parse(rows[i].selector, &err);
		if (!selector)
			fail_msg("'%s': %s", rows[i].selector, err.message);
		struct o2_doc *labels = test_doc(rows[i].labels);
		if (o2_app_selector_matches(selector, labels) != rows[i].matches)
			fail_msg("'%s' on %s: not %d", rows[i].selector, rows[i].labels,
				 rows[i].matches);
		o2_doc_free(selector);
		o2_doc_free(labels);
	}
}

static void test_malformed(void **state)
{
	static const char *const rows[] = { "=b",   "a in b",     "a in (b", "a=b c=d",
					    "a,,b", "a in (b) c", "a;b",     "!" };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		struct o2_err err = { 0 };
		if (o2_app_selector_parse(rows[i], &err))
			fail_msg("'%s' was taken", rows[i]);
		assert_int_equal(err.code, -O2_EINVALID);
		assert_non_null(strstr(err.message, "character"));
	}
}

static void test_objects(void **state)
{
	static const struct {
		const char *selector, *labels;
		bool matches;
	} rows[] = {
		{ "{}", "{a: b}", true },
		{ "{matchLabels: {a: b}}", "{a: b, c: d}", true },
		{ "{matchLabels: {a: b}, matchExpressions: [{key: c, operator: Exists}]}", "{a: b}",
		  false },
		{ "{matchExpressions: [{key: c, operator: DoesNotExist}]}", "{a: b}", true },
		{ "{matchExpressions: [{key: a, operator: Strange}]}", "{a: b}", false },
		{ "{matchLabels: {a: 5}}", "{a: '5'}", false },
		{ "[]", "{a: b}", false },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		struct o2_doc *selector = test_doc(rows[i].selector),
			      *labels = test_doc(rows[i].labels);
		if (o2_app_selector_matches(selector, labels) != rows[i].matches)
			fail_msg("%s on %s: not %d", rows[i].selector, rows[i].labels,
				 rows[i].matches);
		o2_doc_free(selector);
		o2_doc_free(labels);
	}
	struct o2_doc *empty = test_doc("{}");
	assert_false(o2_app_selector_map_matches(
		empty, empty)); /* a Service with an empty selector selects nothing */
	assert_false(o2_app_selector_matches(NULL, empty));
	o2_doc_free(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notation),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_objects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
