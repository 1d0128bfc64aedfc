#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "record/record_internal.h"

static struct o2_record *sample(void)
{
	struct o2_record *record = o2_record_new(NULL, NULL, "copy");

	record->head.state = O2_STATE_OPEN;
	o2_strs_add(&record->head.source_namespaces, "shop");
	o2_strs_add(&record->head.source_namespaces, "shop-db");
	o2_strs_add(&record->head.target_namespaces, "store");
	o2_doc_set_str(record->head.options, "mode", "copy");
	record->head.write_set_chunks = 3;
	record->head.created = 1700000000;
	return record;
}

static void test_round_trip(void **state)
{
	O2_AUTO(o2_record_freep) struct o2_record *record = sample();
	O2_AUTO(o2_doc_freep) struct o2_doc *map = o2_record_head_to_doc(record, O2_SOURCE, "s");
	struct o2_record_head head;
	struct o2_err err = { 0 };

	(void)state;
	assert_int_equal(o2_record_head_from_doc(map, &head, &err), 0);
	assert_string_equal(head.id, record->head.id);
	assert_int_equal(head.state, O2_STATE_OPEN);
	assert_int_equal(head.epoch, 1);
	assert_string_equal(head.holder, record->self);
	assert_int_equal(head.source_namespaces.count, 2);
	assert_string_equal(head.source_namespaces.items[1], "shop-db");
	assert_string_equal(head.target_namespaces.items[0], "store");
	assert_string_equal(o2_doc_str(head.options, "/mode", ""), "copy");
	assert_int_equal(head.write_set_chunks, 3);
	assert_int_equal(head.created, 1700000000);
	assert_false(head.clean);
	assert_null(head.report);
	o2_record_head_release(&head);
}

/* A record with work left can't be deleted by accident; a tombstone can. */
static void test_finalizer_until_clean(void **state)
{
	O2_AUTO(o2_record_freep) struct o2_record *record = sample();
	O2_AUTO(o2_doc_freep) struct o2_doc *open = o2_record_head_to_doc(record, O2_SOURCE, "s");

	(void)state;
	assert_string_equal(o2_doc_str(open, "/metadata/finalizers/0", ""), O2_RECORD_FINALIZER);
	record->head.clean = true;
	O2_AUTO(o2_doc_freep) struct o2_doc *clean = o2_record_head_to_doc(record, O2_TARGET, "s");
	assert_null(o2_doc_at(clean, "/metadata/finalizers"));
	assert_string_equal(o2_doc_str(clean, "/metadata/namespace", ""), "store");
}

static void assert_corrupt(const char *pointer, const char *value)
{
	O2_AUTO(o2_record_freep) struct o2_record *record = sample();
	O2_AUTO(o2_doc_freep) struct o2_doc *map = o2_record_head_to_doc(record, O2_SOURCE, "s");
	struct o2_record_head head;
	struct o2_err err = { 0 };

	o2_doc_put_str(map, pointer, value);
	assert_true(o2_record_head_from_doc(map, &head, &err) < 0);
	assert_true(err.message[0] != '\0');
}

static void test_damaged_records_are_refused(void **state)
{
	(void)state;
	assert_corrupt("/data/state", "");
	assert_corrupt("/data/state", "ABSENT");
	assert_corrupt("/data/state", "open");
	assert_corrupt("/data/options", "{");
	assert_corrupt("/metadata/labels/os2os.io~1txn", "");
	assert_corrupt("/metadata/labels/os2os.io~1txn", "an-id-that-is-far-too-long-to-be-one");
}

static void test_ids_differ(void **state)
{
	O2_AUTO(o2_record_freep) struct o2_record *one = sample();
	O2_AUTO(o2_record_freep) struct o2_record *other = sample();

	(void)state;
	assert_string_not_equal(one->head.id, other->head.id);
	assert_string_not_equal(one->self, other->self);
	assert_int_equal(strlen(one->head.id), 8);
}

static void test_ownership_is_by_label(void **state)
{
	O2_AUTO(o2_record_freep) struct o2_record *one = sample();
	O2_AUTO(o2_record_freep) struct o2_record *other = sample();
	O2_AUTO(o2_doc_freep) struct o2_doc *object = o2_doc_object_new();

	(void)state;
	assert_false(o2_record_owns(one, object));
	o2_record_mark(one, object, NULL);
	assert_true(o2_record_owns(one, object));
	assert_false(o2_record_owns(other, object));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_finalizer_until_clean),
		cmocka_unit_test(test_damaged_records_are_refused),
		cmocka_unit_test(test_ids_differ),
		cmocka_unit_test(test_ownership_is_by_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
