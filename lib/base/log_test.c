#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log.h"

struct seen {
	int count;
	struct o2_event last;
	char text[64];
};

static void remember(void *arg, const struct o2_event *event)
{
	struct seen *seen = arg;

	seen->count++;
	seen->last = *event;
	snprintf(seen->text, sizeof(seen->text), "%s", event->text);
}

static void the_sink_gets_one_line_events(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	o2_log(O2_ERROR, "dropped");
	o2_log_phase("dropped");
	o2_log_step(1, 2, "dropped");
	o2_log_set_sink(remember, &seen);
	o2_log(O2_WARN, "a %s\x1b[0m", "b\nc");
	assert_int_equal(seen.last.kind, O2_EVENT_LOG);
	assert_int_equal(seen.last.level, O2_WARN);
	assert_string_equal(seen.text, "a b c [0m");
	o2_log_phase("freeze");
	assert_int_equal(seen.last.kind, O2_EVENT_PHASE);
	assert_string_equal(seen.text, "freeze");
	o2_log_step(3, 4, "volume %d", 5);
	assert_int_equal(seen.last.kind, O2_EVENT_STEP);
	assert_int_equal(seen.last.done, 3);
	assert_int_equal(seen.last.total, 4);
	assert_string_equal(seen.text, "volume 5");
	o2_log_set_sink(NULL, NULL);
	o2_log(O2_ERROR, "dropped");
	assert_int_equal(seen.count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sink_gets_one_line_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
