/* When pre-copy is enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "volume/volume.h"

#define S 1000000ULL
#define MB 1000000ULL

static void expect(const struct o2_volume_pass *passes, size_t count, uint64_t budget_us,
		   enum o2_volume_verdict verdict)
{
	assert_int_equal(o2_volume_policy(passes, count, budget_us, NULL), verdict);
}

static void test_the_first_pass_is_always_made(void **state)
{
	uint64_t predicted = 1;

	(void)state;
	assert_int_equal(o2_volume_policy(NULL, 0, 1000 * S, &predicted), O2_VOLUME_AGAIN);
	assert_int_equal(predicted, 0);
}

static void test_a_small_volume_needs_no_second(void **state)
{
	const struct o2_volume_pass passes[] = { { 1 * S, 100 * MB } };

	(void)state;
	expect(passes, 1, 2 * S, O2_VOLUME_ENOUGH);
	expect(passes, 1, S / 2, O2_VOLUME_AGAIN);
}

/* 100 MB/s, 10 GB, then 1 % of that changed in 100 s: 2 s of reading, 1 s of sending. */
static void test_the_final_pass_is_predicted(void **state)
{
	const struct o2_volume_pass passes[] = { { 100 * S, 10000 * MB }, { 3 * S, 100 * MB } };
	uint64_t predicted = 0;

	(void)state;
	assert_int_equal(o2_volume_policy(passes, 2, 3 * S, &predicted), O2_VOLUME_ENOUGH);
	/* 1 MB/s changes: 3 MB during the last pass, 0.03 s; and 2 s for looking. */
	assert_in_range(predicted, 2 * S, 2 * S + S / 10);
	expect(passes, 2, S, O2_VOLUME_AGAIN);
}

static void test_what_does_not_shrink_is_enough(void **state)
{
	/* Everything is written over as fast as it is sent. */
	const struct o2_volume_pass hot[] = { { 100 * S, 10000 * MB }, { 95 * S, 9500 * MB } };
	const struct o2_volume_pass falls[] = { { 100 * S, 10000 * MB }, { 50 * S, 5000 * MB } };
	const struct o2_volume_pass stays[] = { { 100 * S, 10000 * MB },
						{ 3 * S, 100 * MB },
						{ 2 * S + S / 10, 4 * MB } };

	(void)state;
	expect(hot, 2, S, O2_VOLUME_ENOUGH);
	expect(falls, 2, S, O2_VOLUME_AGAIN);
	expect(stays, 3, S, O2_VOLUME_ENOUGH);
}

static void test_five_are_enough(void **state)
{
	const struct o2_volume_pass passes[] = { { 64 * S, 6400 * MB },
						 { 32 * S, 3200 * MB },
						 { 16 * S, 1600 * MB },
						 { 8 * S, 800 * MB },
						 { 4 * S, 400 * MB } };

	(void)state;
	for (size_t count = 1; count < 5; count++)
		expect(passes, count, S / 100, O2_VOLUME_AGAIN);
	expect(passes, 5, S / 100, O2_VOLUME_ENOUGH);
}

static void test_passes_without_bytes_or_time(void **state)
{
	const struct o2_volume_pass idle[] = { { 2 * S, 0 }, { 2 * S, 0 } };
	const struct o2_volume_pass nothing[] = { { 0, 0 }, { 0, 0 }, { 0, 0 } };
	uint64_t predicted = 0;

	(void)state;
	assert_int_equal(o2_volume_policy(idle, 2, S, &predicted), O2_VOLUME_ENOUGH);
	assert_int_equal(predicted, 2 * S);
	expect(nothing, 3, 0, O2_VOLUME_ENOUGH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_pass_is_always_made),
		cmocka_unit_test(test_a_small_volume_needs_no_second),
		cmocka_unit_test(test_the_final_pass_is_predicted),
		cmocka_unit_test(test_what_does_not_shrink_is_enough),
		cmocka_unit_test(test_five_are_enough),
		cmocka_unit_test(test_passes_without_bytes_or_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
