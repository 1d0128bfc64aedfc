/*
 * What the preconditions turned out to be, and what discovery had to remark.
 */
#include <stdlib.h>
#include <string.h>

#include "report/report_internal.h"

#define NOTES_SHOWN 10

static const char *verdict(const struct o2_plan_finding *finding)
{
	return finding->blocks ? "blocks" : finding->warns ? "warns" : "holds";
}

static bool is_counted(const struct o2_plan_finding *finding)
{
	return finding->blocks || !finding->warns;
}

static void add_row(struct o2_table *table, const struct o2_plan_finding *finding)
{
	o2_table_cell(table, "[%s]", o2_plan_proof_name(finding->proof));
	o2_table_cell(table, "%s", verdict(finding));
	o2_table_cell(table, "%s", finding->check);
	o2_table_cell(table, "%s%s%s", finding->subject, finding->subject[0] != '\0' ? ": " : "",
		      finding->text);
	o2_table_end_row(table);
}

/* Findings by verdict, check and proof; there are few of these, however many findings there are. */
struct groups {
	struct group {
		const struct o2_plan_finding *first;
		size_t count;
	} * items;
	size_t count, cap;
};

static void groups_release(struct groups *groups)
{
	free(groups->items);
}

static void group(struct groups *groups, const struct o2_plan_finding *finding)
{
	for (size_t i = 0; i < groups->count; i++) {
		const struct o2_plan_finding *first = groups->items[i].first;
		if (first->proof != finding->proof || first->blocks != finding->blocks ||
		    strcmp(first->check, finding->check) != 0)
			continue;
		groups->items[i].count++;
		return;
	}
	O2_GROW(groups->items, groups->count, groups->cap);
	groups->items[groups->count++] = (struct group){ .first = finding, .count = 1 };
}

static void add_group(struct o2_table *table, const struct group *shown)
{
	if (shown->count == 1) {
		add_row(table, shown->first);
		return;
	}
	o2_table_cell(table, "[%s]", o2_plan_proof_name(shown->first->proof));
	o2_table_cell(table, "%s", verdict(shown->first));
	o2_table_cell(table, "%s", shown->first->check);
	o2_table_cell(table, "%zu times", shown->count);
	o2_table_end_row(table);
}

/* Concise: what holds, and what blocks, is counted by check, since the command lists each blocker besides; warnings stand one by one. */
static void add_concise(struct o2_table *table, const struct o2_plan *plan)
{
	O2_AUTO(groups_release) struct groups groups = { 0 };
	size_t count = o2_plan_finding_count(plan);

	for (size_t i = 0; i < count; i++)
		if (is_counted(o2_plan_finding(plan, i)))
			group(&groups, o2_plan_finding(plan, i));
	for (size_t i = 0; i < groups.count; i++)
		if (!groups.items[i].first->blocks)
			add_group(table, &groups.items[i]);
	for (size_t i = 0; i < count; i++)
		if (!is_counted(o2_plan_finding(plan, i)))
			add_row(table, o2_plan_finding(plan, i));
	for (size_t i = 0; i < groups.count; i++)
		if (groups.items[i].first->blocks)
			add_group(table, &groups.items[i]);
}

void o2_report_findings_text(const struct o2_plan *plan, const struct o2_report_style *style,
			     struct o2_buf *out)
{
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };

	if (!style->wide)
		add_concise(&table, plan);
	for (size_t i = 0; style->wide && i < o2_plan_finding_count(plan); i++)
		add_row(&table, o2_plan_finding(plan, i));
	if (table.row_count == 0)
		return;
	o2_report_heading(out, style, "\nChecks");
	o2_table_write(&table, out);
}

struct o2_doc *o2_report_findings_doc(const struct o2_plan *plan)
{
	struct o2_doc *array = o2_doc_array_new();

	for (size_t i = 0; i < o2_plan_finding_count(plan); i++) {
		const struct o2_plan_finding *finding = o2_plan_finding(plan, i);
		struct o2_doc *doc = o2_doc_object_new();
		o2_doc_set_str(doc, "check", finding->check);
		o2_doc_set_str(doc, "proof", o2_plan_proof_name(finding->proof));
		o2_doc_set_str(doc, "verdict", verdict(finding));
		o2_report_put(doc, "subject", finding->subject);
		o2_doc_set_str(doc, "text", finding->text);
		o2_report_put(doc, "remedy", finding->remedy);
		o2_doc_append(array, doc);
	}
	return array;
}

/* --- notes ------------------------------------------------------------------------------------------------------------ */

void o2_report_notes_text(const struct o2_app *app, bool left_out,
			  const struct o2_report_style *style, struct o2_buf *out)
{
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };
	size_t count = 0;

	for (size_t i = 0; i < o2_app_note_count(app); i++) {
		const struct o2_app_note *note = o2_app_note(app, i);
		if (note->left_out != left_out || (++count > NOTES_SHOWN && !style->wide))
			continue;
		o2_table_cell(&table, "%s", note->subject);
		o2_table_cell(&table, "%s%s", note->text, note->blocks ? " (blocks)" : "");
		o2_table_end_row(&table);
	}
	if (count == 0)
		return;
	o2_report_heading(out, style, left_out ? "\nLeft out" : "\nNotes");
	o2_table_write(&table, out);
	if (count > table.row_count)
		o2_buf_addf(out, "  and %zu more; -o wide lists them\n", count - table.row_count);
}

struct o2_doc *o2_report_notes_doc(const struct o2_app *app, bool left_out)
{
	struct o2_doc *array = o2_doc_array_new();

	for (size_t i = 0; i < o2_app_note_count(app); i++) {
		const struct o2_app_note *note = o2_app_note(app, i);
		if (note->left_out != left_out)
			continue;
		struct o2_doc *doc = o2_doc_object_new();
		o2_doc_set_str(doc, "subject", note->subject);
		o2_doc_set_str(doc, "text", note->text);
		o2_report_put(doc, "remedy", note->remedy);
		o2_doc_set(doc, "blocks", o2_doc_bool_new(note->blocks));
		o2_doc_append(array, doc);
	}
	return array;
}
