#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cancel.h"

static void a_signal_cancels_unless_masked(void **state)
{
	struct o2_err err = { 0 };

	(void)state;
	assert_int_equal(o2_cancel_check(&err), 0);
	o2_cancel_mask(true);
	o2_cancel_mask(true);
	o2_cancel_request(SIGTERM);
	o2_cancel_request(SIGINT);
	o2_cancel_mask(false);
	assert_int_equal(o2_cancel_pending(), 0);
	assert_int_equal(o2_cancel_signal(), SIGTERM);
	assert_int_equal(o2_cancel_check(&err), 0);
	o2_cancel_mask(false);
	assert_int_equal(o2_cancel_pending(), SIGTERM);
	assert_int_equal(o2_cancel_check(&err), -O2_ECANCELED);
	assert_string_equal(err.message, "stopped by signal SIGTERM");
	o2_cancel_request(0);
	assert_int_equal(o2_cancel_signal(), 0);
	o2_cancel_request(200);
	o2_err_clear(&err);
	assert_int_equal(o2_cancel_check(&err), -O2_ECANCELED);
	assert_string_equal(err.message, "stopped by signal 200");
	o2_cancel_request(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_cancels_unless_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
