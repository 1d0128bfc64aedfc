#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/strs.h"

static void lists_of_strings(void **state)
{
	struct o2_strs list = { 0 };

	(void)state;
	o2_strs_sort(&list);
	o2_strs_split(&list, ",,b,a;;c,", ",;");
	assert_int_equal(list.count, 3);
	o2_strs_split(&list, "", ",");
	assert_int_equal(list.count, 3);
	assert_false(o2_strs_add_unique(&list, "a"));
	assert_true(o2_strs_add_unique(&list, "0"));
	o2_strs_addf(&list, "%c%d", 'z', 9);
	o2_strs_sort(&list);
	assert_string_equal(list.items[0], "0");
	assert_string_equal(list.items[1], "a");
	assert_string_equal(list.items[4], "z9");
	assert_true(o2_strs_has(&list, "c"));
	assert_false(o2_strs_has(&list, "d"));
	o2_strs_release(&list);
	assert_int_equal(list.count, 0);
	o2_strs_add(&list, "again");
	o2_strs_release(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
