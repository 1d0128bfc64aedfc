#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "report/amount.h"
#include "report/report.h"
#include "report/table.h"

static const struct o2_report_style plain = { 0 };

/* --- amounts ---------------------------------------------------------------------------------------------------------- */

static void test_times(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ -1, "-" },
		{ 0, "0 s" },
		{ 1, "1 ms" },
		{ 49, "49 ms" },
		{ 50, "0.1 s" },
		{ 812, "0.8 s" },
		{ 6100, "6.1 s" },
		{ 59949, "59.9 s" },
		{ 59950, "1 min 0 s" },
		{ 125000, "2 min 5 s" },
		{ 3599600, "1 h 0 min" },
		{ 3840000, "1 h 4 min" },
	};
	char text[O2_AMOUNT_SIZE];

	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		o2_amount_ms(rows[i].ms, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void test_sizes(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} rows[] = {
		{ -1, "-" },
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1048575, "1.0 MiB" },
		{ INT64_C(4509715660), "4.2 GiB" },
		{ INT64_MAX, "8.0 EiB" },
	};
	char text[O2_AMOUNT_SIZE];

	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		o2_amount_bytes(rows[i].bytes, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void test_ages(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = { { -5, "-" },      { 0, "0s" },    { 119, "119s" }, { 120, "2m" },
		     { 7199, "119m" }, { 7200, "2h" }, { 172800, "2d" } };
	char text[O2_AMOUNT_SIZE];

	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		o2_amount_age(rows[i].seconds, text);
		assert_string_equal(text, rows[i].text);
	}
}

/* --- table ------------------------------------------------------------------------------------------------------------ */

static void assert_table(const struct o2_table *table, const char *expected)
{
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	o2_buf_init(&out, 1 << 16);
	o2_table_write(table, &out);
	assert_string_equal(out.data, expected);
}

static void add_row(struct o2_table *table, const char *a, const char *b, const char *c)
{
	const char *const cells[] = { a, b, c, NULL };

	o2_table_row(table, cells);
}

static void test_columns(void **state)
{
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };

	(void)state;
	assert_table(&table, "");
	add_row(&table, "NAME", "STATE", "WHAT");
	add_row(&table, "create", "done", "14 objects");
	add_row(&table, "x", "", "");
	add_row(&table, "", "late", NULL);
	assert_table(&table, "  NAME     STATE   WHAT\n"
			     "  create   done    14 objects\n"
			     "  x\n"
			     "           late\n");
}

static void test_last_cell_does_not_widen(void **state)
{
	O2_AUTO(o2_table_release) struct o2_table table = { 0 };

	(void)state;
	add_row(&table, "a long line with nothing behind it", NULL, NULL);
	add_row(&table, "a", "b", "c");
	assert_table(&table, "a long line with nothing behind it\na   b   c\n");
}

static void test_characters_and_controls(void **state)
{
	O2_AUTO(o2_table_release) struct o2_table table = { 0 };

	(void)state;
	add_row(&table, "\xc3\xa9t\xc3\xa9", "1", NULL); /* 3 characters, 5 bytes */
	add_row(&table, "a\033[31mb\tc\nd", "2", NULL);
	assert_table(&table, "\xc3\xa9t\xc3\xa9"
			     "           1\n"
			     "a [31mb c d   2\n");
}

/* --- plan ------------------------------------------------------------------------------------------------------------- */

static void assert_line(const struct o2_report_totals *totals, const char *expected)
{
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	o2_buf_init(&out, 1024);
	o2_report_plan_line(totals, &out);
	assert_string_equal(out.data, expected);
}

/* Programs read this line: whoever changes it breaks them. */
static void test_frozen_line(void **state)
{
	(void)state;
	assert_line(
		&(struct o2_report_totals){ .create = 14, .volumes = 3 },
		"Plan: 14 to create, 0 to change, 0 to delete, 3 volumes (0 B), downtime 0 s.\n");
	assert_line(
		&(struct o2_report_totals){ .create = 14, .volumes = 3, .volumes_empty = true },
		"Plan: 14 to create, 0 to change, 0 to delete, 3 volumes (empty), downtime 0 s.\n");
	assert_line(
		&(struct o2_report_totals){ .create = 1, .volumes = 1 },
		"Plan: 1 to create, 0 to change, 0 to delete, 1 volumes (0 B), downtime 0 s.\n");
	assert_line(&(struct o2_report_totals){ .create = 14,
						.change = 2,
						.volumes = 3,
						.volume_bytes = INT64_C(4509715660),
						.downtime_ms = 6100,
						.downtime_low_ms = 5200,
						.downtime_high_ms = 7900 },
		    "Plan: 14 to create, 2 to change, 0 to delete, 3 volumes (4.2 GiB), "
		    "downtime 6.1 s (90 %: 5.2-7.9 s).\n");
}

/* --- migration -------------------------------------------------------------------------------------------------------- */

static struct o2_txn_way_in ways[] = {
	{ "Service shop/front", "10.1.0.4:80", "10.2.0.9:80" },
	{ "Ingress shop/web", "", NULL },
};

static void test_migration_text(void **state)
{
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };
	struct o2_txn_result result = { .end = O2_TXN_DONE,
					.id = "6k2v9x",
					.explanation = "B has\033[1m the application",
					.ways_in = ways,
					.way_in_count = 2,
					.elapsed_ms = 12300 };

	(void)state;
	o2_buf_init(&out, 1 << 16);
	o2_report_migration_text(&(struct o2_report_migration){ .result = &result }, &plain, &out);
	assert_string_equal(out.data,
			    "\nWays in\n"
			    "  Service shop/front   10.1.0.4:80 -> 10.2.0.9:80\n"
			    "  Ingress shop/web     (none) -> (none yet)\n"
			    "\n"
			    "Done, migration 6k2v9x in 12.3 s: B has [1m the application.\n");
}

static void test_migration_doc(void **state)
{
	struct o2_txn_result result = { .end = O2_TXN_UNDONE,
					.id = "6k2v9x",
					.explanation = "undone",
					.ways_in = ways,
					.way_in_count = 1 };
	struct o2_err cause = { 0 };
	struct o2_report_migration migration = { .result = &result,
						 .cause = &cause,
						 .exit_code = 1 };

	(void)state;
	o2_fail(&cause, O2_EBUSY, "it is locked");
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_migration_doc(&migration);
	assert_string_equal(o2_doc_str(doc, "/apiVersion", ""), "os2os.io/v1");
	assert_string_equal(o2_doc_str(doc, "/kind", ""), "Migration");
	assert_string_equal(o2_doc_str(doc, "/end", ""), "Undone");
	assert_int_equal(o2_doc_int(doc, "/exitCode", -1), 1);
	assert_string_equal(o2_doc_str(doc, "/error/code", ""), "busy");
	assert_string_equal(o2_doc_str(doc, "/error/message", ""), "it is locked");
	assert_string_equal(o2_doc_str(doc, "/waysIn/0/new", ""), "10.2.0.9:80");
	assert_null(o2_doc_at(doc, "/plan"));
}

static void test_every_end_has_a_name(void **state)
{
	(void)state;
	for (int end = 0; end < O2_TXN_END_COUNT; end++)
		assert_non_null(o2_report_end_name(end));
}

/* --- records ---------------------------------------------------------------------------------------------------------- */

/* What the record of a finished migration keeps. Caller frees. */
static struct o2_doc *kept_report(void)
{
	static const char text[] = "{\"steps\":[{\"name\":\"create\",\"phase\":\"prepare\","
				   "\"state\":\"done\",\"detail\":\"14 "
				   "objects\",\"predictedMs\":800,\"actualMs\":912},"
				   "{\"name\":\"start\",\"phase\":\"start\",\"state\":\"pending\","
				   "\"detail\":\"2 workloads\","
				   "\"predictedMs\":6000,\"actualMs\":null}]}";

	return o2_doc_parse(text, strlen(text), NULL);
}

static void fill_entry(struct o2_txn_entry *entry)
{
	*entry = (struct o2_txn_entry){
		.id = "6k2v9x",
		.source_state = O2_STATE_OPEN,
		.target_state = O2_STATE_ABSENT,
		.mode = "copy",
		.phase = "prepare",
		.holder = "host:1:2",
		.reason = "",
		.source_name = "A",
		.target_name = "B",
		.created = 1000000,
		.changed = 1000060,
		.next = "os2os recover --from A --to B",
	};
	o2_strs_add(&entry->source_namespaces, "shop");
	o2_strs_add(&entry->target_namespaces, "shop-2");
}

static void entry_release(struct o2_txn_entry *entry)
{
	o2_strs_release(&entry->source_namespaces);
	o2_strs_release(&entry->target_namespaces);
	o2_doc_free(entry->report);
}

static void test_transactions(void **state)
{
	O2_AUTO(entry_release) struct o2_txn_entry entry;
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };
	struct o2_txn_list list = { .items = &entry, .count = 1 };

	(void)state;
	fill_entry(&entry);
	o2_buf_init(&out, 1 << 16);
	o2_report_transactions_text(&list, 1000300, &plain, &out);
	assert_string_equal(out.data,
			    "ID       STATE   PHASE     FROM   TO   NAMESPACE   AGE   NEXT\n"
			    "6k2v9x   OPEN    prepare   A      B    shop        5m    os2os "
			    "recover --from A --to B\n");
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_transactions_doc(&list);
	assert_string_equal(o2_doc_str(doc, "/kind", ""), "TransactionList");
	assert_string_equal(o2_doc_str(doc, "/items/0/state", ""), "OPEN");
	assert_string_equal(o2_doc_str(doc, "/items/0/created", ""), "1970-01-12T13:46:40Z");
	assert_false(o2_doc_bool(doc, "/items/0/clean", true));
}

static void test_no_transactions(void **state)
{
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };
	struct o2_txn_list none = { 0 };

	(void)state;
	o2_buf_init(&out, 1 << 16);
	o2_report_transactions_text(&none, 0, &plain, &out);
	assert_string_equal(out.data, "");
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_transactions_doc(&none);
	assert_int_equal(o2_doc_type(o2_doc_at(doc, "/items")), O2_DOC_ARRAY);
}

static void test_one_transaction(void **state)
{
	O2_AUTO(entry_release) struct o2_txn_entry entry;
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	(void)state;
	fill_entry(&entry);
	entry.report = kept_report();
	entry.source_state = O2_STATE_ABSENT;
	entry.target_state = O2_STATE_COMMITTED;
	o2_buf_init(&out, 1 << 16);
	o2_report_transaction_text(&entry, &plain, &out);
	assert_non_null(strstr(out.data, "\n  state           COMMITTED\n"));
	assert_null(strstr(out.data, "reason"));
	assert_non_null(strstr(out.data,
			       "  STEP     PHASE     STATE     PREDICTED   ACTUAL   WHAT\n"
			       "  create   prepare   done      0.8 s       0.9 s    14 objects\n"
			       "  start    start     pending   6.0 s       -        2 workloads\n"
			       "  total                        6.8 s       0.9 s\n"));
}

/* --- history ---------------------------------------------------------------------------------------------------------- */

static void test_history(void **state)
{
	O2_AUTO(entry_release) struct o2_txn_entry record;
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };
	struct o2_store_entry local = { .id = "6k2v9x",
					.command = "migrate",
					.started = 1000000,
					.ended = 1000012,
					.source = "A",
					.target = "B",
					.namespaces = "shop",
					.end = "Done" };
	struct o2_store_entry killed = { .command = "migrate", .started = 900000 };
	const struct o2_report_past items[] = {
		{ &local, NULL },
		{ NULL, &record },
		{ &killed, NULL },
	};

	(void)state;
	fill_entry(&record);
	o2_buf_init(&out, 1 << 16);
	o2_report_history_text(items, 3, &plain, &out);
	assert_string_equal(out.data, "ID       STARTED                TOOK   COMMAND   FROM   TO  "
				      " NAMESPACE   END          RECORD\n"
				      "6k2v9x   1970-01-12T13:46:40Z   12s    migrate   A      B   "
				      " shop        Done         -\n"
				      "6k2v9x   1970-01-12T13:46:40Z   -      -         A      B   "
				      " shop        -            OPEN\n"
				      "-        1970-01-11T10:00:00Z   -      migrate   -      -   "
				      " -           Unfinished   -\n");
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_history_doc(items, 3);
	assert_int_equal(o2_doc_count(o2_doc_at(doc, "/items")), 3);
	assert_string_equal(o2_doc_str(doc, "/items/1/record/state", ""), "OPEN");
	assert_string_equal(o2_doc_str(doc, "/items/2/end", ""), "Unfinished");
	assert_null(o2_doc_at(doc, "/items/2/exitCode"));
}

static void test_remembered(void **state)
{
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };
	O2_AUTO(o2_doc_freep) struct o2_doc *report = o2_doc_object_new();
	struct o2_store_entry entry = {
		.id = "6k2v9x", .command = "migrate", .started = 1, .ended = 2
	};

	(void)state;
	o2_doc_set(report, "plan", kept_report());
	o2_doc_set_str(report, "explanation", "undone");
	O2_AUTO(o2_freep) char *json = o2_doc_dump(report);
	entry.report = json;
	o2_buf_init(&out, 1 << 16);
	o2_report_remembered_text(&entry, &plain, &out);
	assert_non_null(strstr(out.data, "explanation   undone\n"));
	assert_non_null(strstr(out.data, "  create   prepare   done "));
	/* What was kept by another version and can't be read is passed over. */
	entry.report = "no JSON";
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_remembered_doc(&entry);
	assert_null(o2_doc_at(doc, "/report"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_last_cell_does_not_widen),
		cmocka_unit_test(test_characters_and_controls),
		cmocka_unit_test(test_frozen_line),
		cmocka_unit_test(test_migration_text),
		cmocka_unit_test(test_migration_doc),
		cmocka_unit_test(test_every_end_has_a_name),
		cmocka_unit_test(test_transactions),
		cmocka_unit_test(test_no_transactions),
		cmocka_unit_test(test_one_transaction),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
