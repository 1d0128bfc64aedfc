#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"

static void times_are_written_in_rfc_3339(void **state)
{
	char text[O2_CLOCK_TEXT_SIZE];

	(void)state;
	o2_clock_text(1767323045, text);
	assert_string_equal(text, "2026-01-02T03:04:05Z");
	o2_clock_text(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
	o2_clock_text(INT64_C(253402300799), text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	o2_clock_text(INT64_MAX, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
	o2_clock_text(INT64_MIN, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
}

static void times_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t unix_seconds;
	} cases[] = {
		{ "2026-01-02T03:04:05Z", 1767323045 },
		{ "2026-01-02t03:04:05.999999z", 1767323045 },
		{ "2026-01-02T04:34:05+01:30", 1767323045 },
		{ "2026-01-01T22:04:05-05:00", 1767323045 },
		{ "2024-02-29T00:00:00Z", 1709164800 },
		{ "2016-12-31T23:59:60Z", 1483228800 },
		{ "0001-01-01T00:00:00Z", INT64_C(-62135596800) },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++)
		assert_int_equal(o2_clock_parse(cases[i].text), cases[i].unix_seconds);
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"2026-01-02",
		"2026-01-02T03:04:05",
		"2026-01-02T03:04:05Zx",
		"2026-01-02T03:04:05.Z",
		"2026-01-02T03:04:05+0100",
		"2026-01-02T03:04:05+24:00",
		"2026-01-02T03:04:05+01:60",
		"2026-01-02 03:04:05Z",
		"2026-13-02T03:04:05Z",
		"2026-00-02T03:04:05Z",
		"2026-02-29T03:04:05Z",
		"2026-04-31T03:04:05Z",
		"2026-01-00T03:04:05Z",
		"2026-01-02T24:04:05Z",
		"2026-01-02T03:60:05Z",
		"2026-01-02T03:04:61Z",
		"26-01-02T03:04:05Z",
		"2026-1-02T03:04:05Z",
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(wrong); i++)
		assert_int_equal(o2_clock_parse(wrong[i]), -1);
}

static void sleeping_takes_its_time(void **state)
{
	int64_t begin = o2_clock_ms();

	(void)state;
	o2_clock_sleep_ms(-5);
	o2_clock_sleep_ms(0);
	o2_clock_sleep_ms(15);
	assert_true(o2_clock_ms() - begin >= 15);
	assert_true(o2_clock_unix() > 1700000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_in_rfc_3339),
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(sleeping_takes_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
