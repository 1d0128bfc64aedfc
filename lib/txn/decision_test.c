#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "txn/decision.h"

#define UNREACHABLE O2_DECISION_UNREACHABLE

static void assert_action(int source, int target, enum o2_decision_action action)
{
	const struct o2_decision *row = o2_decision_of(source, target);

	assert_non_null(row);
	assert_int_equal(row->action, action);
}

/* The rows of the protocol's recovery table, typed in again. */
static void test_rows_of_the_protocol(void **state)
{
	(void)state;
	assert_action(O2_STATE_ABSENT, O2_STATE_ABSENT, O2_DECIDE_CLEAR);
	assert_action(O2_STATE_ABSENT, O2_STATE_OPEN, O2_DECIDE_UNDO_BY_LABEL);
	assert_action(O2_STATE_OPEN, O2_STATE_ABSENT, O2_DECIDE_UNDO);
	assert_action(O2_STATE_OPEN, O2_STATE_OPEN, O2_DECIDE_UNDO);
	assert_action(O2_STATE_ABORTED, O2_STATE_ABSENT, O2_DECIDE_UNDO);
	assert_action(O2_STATE_ABORTED, O2_STATE_OPEN, O2_DECIDE_UNDO);
	assert_action(O2_STATE_ABORTED, O2_STATE_ABORTED, O2_DECIDE_UNDO);
	assert_action(O2_STATE_COMMITTED, O2_STATE_OPEN, O2_DECIDE_FORWARD);
	assert_action(O2_STATE_COMMITTED, O2_STATE_COMMITTED, O2_DECIDE_FORWARD);
	assert_action(O2_STATE_COMMITTED, O2_STATE_DONE, O2_DECIDE_FORWARD);
	assert_action(O2_STATE_OPEN, O2_STATE_COMMITTED, O2_DECIDE_HALT_BACKUP);
	assert_action(O2_STATE_ABSENT, O2_STATE_COMMITTED, O2_DECIDE_HALT_BACKUP);
	assert_action(O2_STATE_ABORTED, O2_STATE_COMMITTED, O2_DECIDE_HALT_CORRUPT);
	assert_action(UNREACHABLE, O2_STATE_COMMITTED, O2_DECIDE_FORWARD_ON_B);
	assert_action(UNREACHABLE, O2_STATE_OPEN, O2_DECIDE_WAIT_FOR_A);
	assert_action(UNREACHABLE, O2_STATE_ABSENT, O2_DECIDE_WAIT_FOR_A);
	assert_action(O2_STATE_OPEN, UNREACHABLE, O2_DECIDE_ABORT_NOW);
	assert_action(O2_STATE_COMMITTED, UNREACHABLE, O2_DECIDE_WAIT_FOR_B);
}

/* A is never started again, and B never undone, once any record says COMMITTED. */
static void test_committed_is_final(void **state)
{
	(void)state;
	for (int other = 0; other <= UNREACHABLE; other++) {
		enum o2_decision_action by_source =
			o2_decision_of(O2_STATE_COMMITTED, other)->action;
		enum o2_decision_action by_target =
			o2_decision_of(other, O2_STATE_COMMITTED)->action;

		assert_int_not_equal(by_source, O2_DECIDE_UNDO);
		assert_int_not_equal(by_source, O2_DECIDE_UNDO_BY_LABEL);
		assert_int_not_equal(by_source, O2_DECIDE_ABORT_NOW);
		assert_int_not_equal(by_target, O2_DECIDE_UNDO);
		assert_int_not_equal(by_target, O2_DECIDE_UNDO_BY_LABEL);
		assert_int_not_equal(by_target, O2_DECIDE_ABORT_NOW);
	}
}

static void test_every_pair_has_a_row(void **state)
{
	(void)state;
	for (int source = 0; source <= UNREACHABLE; source++) {
		for (int target = 0; target <= UNREACHABLE; target++) {
			assert_non_null(o2_decision_of(source, target));
			assert_true(o2_decision_of(source, target)->words[0] != '\0');
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_of_the_protocol),
		cmocka_unit_test(test_committed_is_final),
		cmocka_unit_test(test_every_pair_has_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
