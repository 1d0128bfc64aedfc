#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"

static void allocation_helpers(void **state)
{
	int *numbers = NULL;
	size_t count = 0, cap = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		O2_GROW(numbers, count, cap);
		numbers[count++] = i;
	}
	assert_int_equal(numbers[99], 99);
	assert_int_equal(cap, 128);
	o2_freep(&numbers);
	assert_null(numbers);
	O2_AUTO(o2_freep) char *cut = o2_xstrndup("abc\0def", 2);
	assert_string_equal(cut, "ab");
	O2_AUTO(o2_freep) char *short_one = o2_xstrndup("abc", 10);
	assert_string_equal(short_one, "abc");
	assert_null(o2_xstrdup_null(NULL));
	O2_AUTO(o2_freep) char *format = o2_xasprintf("%s-%d", "a", 1);
	assert_string_equal(format, "a-1");
	O2_AUTO(o2_freep) void *nothing = o2_xmalloc(0);
	assert_non_null(nothing);
	O2_AUTO(o2_freep) char *taken = O2_STEAL(cut);
	assert_null(cut);
	assert_string_equal(taken, "ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocation_helpers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
