#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/plan_internal.h"

static void assert_quantity(const char *text, int64_t milli)
{
	struct o2_err err = { 0 };
	int64_t value = -1;

	assert_int_equal(o2_quantity_parse(text, &value, &err), 0);
	assert_int_equal(value, milli);
}

static void test_suffixes(void **state)
{
	(void)state;
	assert_quantity("0", 0);
	assert_quantity("1", 1000);
	assert_quantity("500m", 500);
	assert_quantity("0.5", 500);
	assert_quantity("1.5k", 1500000);
	assert_quantity("1Ki", 1024000);
	assert_quantity("2Gi", INT64_C(2) * 1024 * 1024 * 1024 * 1000);
	assert_quantity("1e3", 1000000);
	assert_quantity("100n", 1); /* finer than a thousandth is rounded up */
}

static void test_what_is_none(void **state)
{
	static const char *const wrong[] = { "",   "m",   "1x",  " 1",   "1 ",
					     "Gi", "nan", "inf", "1GiB", "9E9E" };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(wrong); i++) {
		struct o2_err err = { 0 };
		int64_t value;

		assert_int_equal(o2_quantity_parse(wrong[i], &value, &err), -O2_EINVALID);
		assert_non_null(strstr(err.message, "is not a quantity"));
	}
}

static struct o2_doc *json(const char *text)
{
	struct o2_err err = { 0 };
	struct o2_doc *doc = o2_doc_parse(text, strlen(text), &err);

	if (!doc)
		fail_msg("%s", err.message);
	return doc;
}

static void test_pod_sums(void **state)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *template =
		json("{\"spec\":{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"100m\"},"
		     "\"limits\":{\"cpu\":\"1\"}}},"
		     "{\"resources\":{\"limits\":{\"cpu\":\"200m\",\"memory\":\"1Mi\"}}}],"
		     "\"initContainers\":[{\"resources\":{\"requests\":{\"cpu\":\"900m\"}}}]}}");

	(void)state;
	assert_int_equal(o2_quantity_of_pod(template, "requests", "cpu"),
			 900); /* the init container needs more than the rest together */
	assert_int_equal(o2_quantity_of_pod(template, "limits", "cpu"), 1200);
	assert_int_equal(o2_quantity_of_pod(template, "requests", "memory"),
			 INT64_C(1048576000)); /* an absent request is the limit */
	assert_int_equal(o2_quantity_of_pod(NULL, "requests", "cpu"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suffixes),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_pod_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
