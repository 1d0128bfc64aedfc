/*
 * What a transaction came to.
 */
#include <string.h>

#include "report/report_internal.h"

const char *o2_report_end_name(enum o2_txn_end end)
{
	static const char *const names[O2_TXN_END_COUNT] = {
		[O2_TXN_NOTHING] = "NothingDone", [O2_TXN_DONE] = "Done",
		[O2_TXN_UNDONE] = "Undone",       [O2_TXN_COMMITTED] = "Committed",
		[O2_TXN_HALFWAY] = "Halfway",     [O2_TXN_IN_DOUBT] = "InDoubt",
	};

	return end < O2_TXN_END_COUNT ? names[end] : "Unknown";
}

static const char *headline(enum o2_txn_end end)
{
	static const char *const lines[O2_TXN_END_COUNT] = {
		[O2_TXN_NOTHING] = "Nothing was changed",
		[O2_TXN_DONE] = "Done",
		[O2_TXN_UNDONE] = "Undone",
		[O2_TXN_COMMITTED] = "Committed, but not finished",
		[O2_TXN_HALFWAY] = "Half-way",
		[O2_TXN_IN_DOUBT] = "In doubt",
	};

	return end < O2_TXN_END_COUNT ? lines[end] : "Unknown";
}

static void add_ways_in(const struct o2_txn_result *result, const struct o2_report_style *style,
			struct o2_buf *out)
{
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };

	if (result->way_in_count == 0)
		return;
	o2_report_heading(out, style, "\nWays in");
	for (size_t i = 0; i < result->way_in_count; i++) {
		const struct o2_txn_way_in *way = &result->ways_in[i];
		const char *old = way->old_address != NULL ? way->old_address : "";
		const char *new = way->new_address != NULL ? way->new_address : "";
		o2_table_cell(&table, "%s", way->object);
		o2_table_cell(&table, "%s -> %s", old[0] != '\0' ? old : "(none)",
			      new[0] != '\0' ? new : "(none yet)");
		o2_table_end_row(&table);
	}
	o2_table_write(&table, out);
}

void o2_report_migration_text(const struct o2_report_migration *migration,
			      const struct o2_report_style *style, struct o2_buf *out)
{
	const struct o2_txn_result *result = migration->result;
	bool good = migration->exit_code == 0;
	char elapsed[O2_AMOUNT_SIZE];

	if (result->end != O2_TXN_NOTHING && migration->plan != NULL) {
		o2_report_heading(out, style, "Steps, predicted and actual");
		o2_report_steps_text(migration->plan, true, out);
	} else if (o2_doc_count(o2_doc_at(result->report, "/steps")) > 0) {
		o2_report_heading(out, style, "Steps, predicted and actual");
		o2_report_kept_steps_text(result->report, out);
	}
	add_ways_in(result, style, out);
	o2_amount_ms(result->elapsed_ms, elapsed);
	if (out->len > 0)
		o2_buf_addc(out, '\n');
	o2_buf_addf(out, "%s%s%s", o2_report_on(style, good ? O2_GREEN : O2_RED),
		    headline(result->end), o2_report_off(style));
	o2_report_addf(out, "%s%s in %s: %s.\n", result->id[0] != '\0' ? ", migration " : "",
		       result->id, elapsed,
		       result->explanation != NULL ? result->explanation : "no explanation");
}

static struct o2_doc *ways_in_doc(const struct o2_txn_result *result)
{
	struct o2_doc *array = o2_doc_array_new();

	for (size_t i = 0; i < result->way_in_count; i++) {
		const struct o2_txn_way_in *way = &result->ways_in[i];
		struct o2_doc *doc = o2_doc_object_new();
		o2_doc_set_str(doc, "object", way->object);
		o2_report_put(doc, "old", way->old_address);
		o2_report_put(doc, "new", way->new_address);
		o2_doc_append(array, doc);
	}
	return array;
}

struct o2_doc *o2_report_migration_doc(const struct o2_report_migration *migration)
{
	const struct o2_txn_result *result = migration->result;
	struct o2_doc *doc = o2_report_doc_new("Migration");

	o2_report_put(doc, "id", result->id);
	o2_doc_set_str(doc, "end", o2_report_end_name(result->end));
	o2_doc_set(doc, "exitCode", o2_doc_int_new(migration->exit_code));
	o2_report_put(doc, "explanation", result->explanation);
	o2_doc_set(doc, "elapsedMs", o2_doc_int_new(result->elapsed_ms));
	if (migration->cause != NULL && migration->cause->code != 0) {
		struct o2_doc *error = o2_doc_object_new();
		o2_doc_set_str(error, "code", o2_code_name(migration->cause->code));
		o2_report_put(error, "reason", migration->cause->reason);
		o2_doc_set_str(error, "message", migration->cause->message);
		o2_doc_set(doc, "error", error);
	}
	o2_doc_set(doc, "waysIn", ways_in_doc(result));
	if (migration->plan != NULL)
		o2_doc_set(doc, "plan", o2_report_plan_doc(migration->plan, !migration->brief));
	else if (result->report != NULL)
		o2_doc_set(doc, "report", o2_doc_copy(result->report));
	return doc;
}
