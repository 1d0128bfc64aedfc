#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/step.h"

/* What R1 stores must build the same plan again: every option that was given comes back. */
static void test_round_trip(void **state)
{
	struct o2_plan_options options = { .mode = "copy",
					   .source_name = "A",
					   .target_name = "B",
					   .volumes_empty = true,
					   .on_switch = "true",
					   .start_timeout_s = 7,
					   .lost_timeout_s = 9 };
	struct o2_plan_options back;

	(void)state;
	o2_strs_add(&options.selection.namespaces, "shop");
	options.selection.selector = "app=web";
	o2_strs_add(&options.selection.exclude_kinds, "Lease");
	o2_strs_add(&options.rewriting.namespace_map, "shop:shop-2");
	o2_strs_add(&options.rewriting.storage_class_map, "a:b");
	o2_strs_add(&options.accept, "Widget.example.com");
	o2_strs_add(&options.checks, "curl web");
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_plan_options_to_doc(&options);
	o2_plan_options_from_doc(doc, &back);
	O2_AUTO(o2_doc_freep) struct o2_doc *again = o2_plan_options_to_doc(&back);
	assert_true(o2_doc_equal(doc, again));
	assert_string_equal(back.selection.selector, "app=web");
	assert_true(back.volumes_empty);
	assert_string_equal(back.checks.items[0], "curl web");
	o2_plan_options_release(&options);
	o2_plan_options_release(&back);
}

static void test_absent_options_stay_absent(void **state)
{
	struct o2_plan_options options = { .mode = "copy" }, back;
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_plan_options_to_doc(&options);

	(void)state;
	o2_plan_options_from_doc(doc, &back);
	assert_null(back.selection.selector);
	assert_null(back.on_switch);
	assert_int_equal(back.checks.count, 0);
	assert_false(back.volumes_empty);
	o2_plan_options_release(&back);
}

/* Names are in records of clusters: they are unique, and every type with an undo stands before the decision. */
static void test_step_table(void **state)
{
	(void)state;
	for (unsigned id = 0; id < O2_STEP_ID_COUNT; id++) {
		const struct o2_step_type *type = o2_step_type((enum o2_step_id)id);

		assert_int_equal(o2_step_id_by_name(type->name), id);
		assert_int_equal(o2_step_id_of(type), id);
		assert_non_null(type->apply);
		assert_non_null(type->cost);
		if (id >= O2_STEP_DECIDE)
			assert_null(type->undo);
	}
	assert_int_equal(o2_step_id_by_name("nonsense"), O2_STEP_ID_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_absent_options_stay_absent),
		cmocka_unit_test(test_step_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
