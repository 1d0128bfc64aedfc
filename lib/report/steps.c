/*
 * Steps of a plan, and steps as they were kept, as table and as document.
 */
#include <string.h>

#include "report/report_internal.h"

static void add_header(struct o2_table *table, bool with_actual)
{
	o2_table_cell(table, "STEP");
	o2_table_cell(table, "PHASE");
	if (with_actual)
		o2_table_cell(table, "STATE");
	o2_table_cell(table, "PREDICTED");
	if (with_actual)
		o2_table_cell(table, "ACTUAL");
	o2_table_cell(table, "WHAT");
	o2_table_end_row(table);
}

static void add_time(struct o2_table *table, int64_t ms)
{
	char text[O2_AMOUNT_SIZE];

	o2_amount_ms(ms, text);
	o2_table_cell(table, "%s", text);
}

/* Times of waves of one type stand below each other; sums close the table. */
static void add_sum(struct o2_table *table, const char *name, int64_t predicted_ms,
		    int64_t actual_ms, bool with_actual)
{
	o2_table_cell(table, "%s", name);
	o2_table_cell(table, "%s", "");
	if (with_actual)
		o2_table_cell(table, "%s", "");
	add_time(table, predicted_ms);
	if (with_actual)
		add_time(table, actual_ms);
	o2_table_end_row(table);
}

void o2_report_steps_text(struct o2_plan *plan, bool with_actual, struct o2_buf *out)
{
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };
	int64_t actual_ms = 0, downtime_ms = 0;

	add_header(&table, with_actual);
	for (size_t i = 0; i < o2_plan_step_count(plan); i++) {
		const struct o2_plan_step *step = o2_plan_step(plan, i);
		o2_table_cell(&table, "%s", o2_plan_step_name(step));
		o2_table_cell(&table, "%s", o2_plan_step_phase(step));
		if (with_actual)
			o2_table_cell(&table, "%s", o2_plan_step_state_name(step->state));
		add_time(&table, step->predicted_ms);
		if (with_actual)
			add_time(&table, step->actual_ms);
		if (step->actual_ms > 0)
			actual_ms += step->actual_ms;
		if (step->actual_ms > 0 && o2_plan_is_downtime(plan, step))
			downtime_ms += step->actual_ms;
		o2_table_cell(&table, "%s", step->detail != NULL ? step->detail : "");
		o2_table_end_row(&table);
	}
	add_sum(&table, "total", o2_plan_total_ms(plan), actual_ms, with_actual);
	if (o2_plan_freezes(plan))
		add_sum(&table, "downtime", o2_plan_downtime_ms(plan), downtime_ms, with_actual);
	o2_table_write(&table, out);
}

struct o2_doc *o2_report_steps_doc(struct o2_plan *plan)
{
	struct o2_doc *array = o2_doc_array_new();

	for (size_t i = 0; i < o2_plan_step_count(plan); i++) {
		const struct o2_plan_step *step = o2_plan_step(plan, i);
		struct o2_doc *doc = o2_doc_object_new();
		o2_doc_set_str(doc, "name", o2_plan_step_name(step));
		o2_doc_set_str(doc, "phase", o2_plan_step_phase(step));
		o2_doc_set(doc, "wave", o2_doc_int_new(step->wave));
		o2_doc_set(doc, "objects", o2_doc_int_new((int64_t)step->object_count));
		o2_doc_set_str(doc, "detail", step->detail != NULL ? step->detail : "");
		o2_doc_set(doc, "predictedMs", o2_doc_int_new(step->predicted_ms));
		o2_doc_set(doc, "actualMs",
			   step->actual_ms < 0 ? o2_doc_null_new()
					       : o2_doc_int_new(step->actual_ms));
		o2_doc_set_str(doc, "state", o2_plan_step_state_name(step->state));
		o2_doc_append(array, doc);
	}
	return array;
}

void o2_report_kept_steps_text(const struct o2_doc *report, struct o2_buf *out)
{
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };
	const struct o2_doc *steps = o2_doc_at(report, "/steps");
	int64_t predicted_ms = 0, actual_ms = 0;

	if (o2_doc_count(steps) == 0)
		return;
	add_header(&table, true);
	for (size_t i = 0; i < o2_doc_count(steps); i++) {
		const struct o2_doc *step = o2_doc_item(steps, i);
		int64_t predicted = o2_doc_int(step, "/predictedMs", -1);
		int64_t actual = o2_doc_int(step, "/actualMs", -1);
		o2_table_cell(&table, "%s", o2_doc_str(step, "/name", ""));
		o2_table_cell(&table, "%s", o2_doc_str(step, "/phase", ""));
		o2_table_cell(&table, "%s", o2_doc_str(step, "/state", ""));
		add_time(&table, predicted);
		add_time(&table, actual);
		o2_table_cell(&table, "%s", o2_doc_str(step, "/detail", ""));
		o2_table_end_row(&table);
		predicted_ms += predicted > 0 ? predicted : 0;
		actual_ms += actual > 0 ? actual : 0;
	}
	add_sum(&table, "total", predicted_ms, actual_ms, true);
	if (o2_doc_int(report, "/predictedDowntimeMs", 0) > 0)
		add_sum(&table, "downtime", o2_doc_int(report, "/predictedDowntimeMs", 0),
			o2_doc_int(report, "/actualDowntimeMs", 0), true);
	o2_table_write(&table, out);
}
