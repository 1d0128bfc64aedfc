#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/utf8.h"

static void utf8_is_told_from_other_bytes(void **state)
{
	static const char *const valid[] = {
		"a",
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xef\xbf\xbf",
		"\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf",
	};
	static const char *const wrong[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2\x41",
		"\xe0\x9f\xbf",
		"\xe2\x82",
		"\xe2\x82\x41",
		"\xed\xa0\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf0\x90\x80",
		"\xf0\x90\x80\x41",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(valid); i++)
		assert_int_equal(o2_utf8_char(valid[i], strlen(valid[i])), strlen(valid[i]));
	for (size_t i = 0; i < O2_COUNT(wrong); i++)
		assert_int_equal(o2_utf8_char(wrong[i], strlen(wrong[i])), 0);
	assert_int_equal(o2_utf8_char("", 0), 0);
	assert_int_equal(o2_utf8_char("", 1), 1);
	assert_int_equal(o2_utf8_valid("a\xc3\xa9\xff", 4), 3);
	assert_int_equal(o2_utf8_valid("a\xc3\xa9", 3), 3);
}

static void a_line_cannot_steer_a_terminal(void **state)
{
	char text[] = "a\nb\x1b[2J\x7f\xc2\x9b\xff\xc3\xa9\xc2";

	(void)state;
	o2_utf8_one_line(text, ' ');
	assert_string_equal(text, "a b [2J   ?\xc3\xa9?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_told_from_other_bytes),
		cmocka_unit_test(a_line_cannot_steer_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
