/*
 * Migrations of the past: what this machine remembers, beside what the clusters' records say.
 */
#include <string.h>

#include "report/report_internal.h"

static const char *or_dash(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : "-";
}

/* How it ended, as far as this machine knows. */
static const char *local_end(const struct o2_store_entry *entry)
{
	if (entry->ended == 0)
		return "Unfinished";
	return or_dash(entry->end);
}

static int64_t started_of(const struct o2_report_past *item)
{
	return item->local != NULL ? item->local->started : item->record->created;
}

static void add_row(struct o2_table *table, const struct o2_report_past *item)
{
	const struct o2_store_entry *local = item->local;
	const struct o2_txn_entry *record = item->record;
	O2_AUTO(o2_doc_freep) struct o2_doc *started = o2_report_time_doc(started_of(item));
	O2_AUTO(o2_buf_release) struct o2_buf namespaces = { 0 };
	char took[O2_AMOUNT_SIZE] = "-";

	o2_buf_init(&namespaces, 1 << 20);
	if (local != NULL)
		o2_buf_adds(&namespaces, or_dash(local->namespaces));
	else
		o2_report_join(&namespaces, &record->source_namespaces, 0);
	if (local != NULL && local->ended >= local->started)
		o2_amount_age(local->ended - local->started, took);
	o2_table_cell(table, "%s", or_dash(local != NULL ? local->id : record->id));
	o2_table_cell(table, "%s", or_dash(o2_doc_text(started)));
	o2_table_cell(table, "%s", took);
	o2_table_cell(table, "%s", local != NULL ? or_dash(local->command) : "-");
	o2_table_cell(table, "%s", or_dash(local != NULL ? local->source : record->source_name));
	o2_table_cell(table, "%s", or_dash(local != NULL ? local->target : record->target_name));
	o2_table_cell(table, "%s", namespaces.data);
	o2_table_cell(table, "%s", local != NULL ? local_end(local) : "-");
	o2_table_cell(table, "%s",
		      record == NULL ? "-"
				     : o2_record_state_name(record->source_state != O2_STATE_ABSENT
								    ? record->source_state
								    : record->target_state));
	o2_table_end_row(table);
}

void o2_report_history_text(const struct o2_report_past *items, size_t count,
			    const struct o2_report_style *style, struct o2_buf *out)
{
	static const char *const header[] = { "ID", "STARTED",   "TOOK", "COMMAND", "FROM",
					      "TO", "NAMESPACE", "END",  "RECORD",  NULL };
	O2_AUTO(o2_table_release) struct o2_table table = { 0 };

	(void)style;
	if (count == 0)
		return;
	o2_table_row(&table, header);
	for (size_t i = 0; i < count; i++)
		add_row(&table, &items[i]);
	o2_table_write(&table, out);
}

static void fill_local(struct o2_doc *doc, const struct o2_store_entry *entry)
{
	o2_report_put(doc, "id", entry->id);
	o2_report_put(doc, "command", entry->command);
	o2_doc_set(doc, "started", o2_report_time_doc(entry->started));
	o2_doc_set(doc, "ended", o2_report_time_doc(entry->ended));
	o2_report_put(doc, "source", entry->source);
	o2_report_put(doc, "target", entry->target);
	o2_report_put(doc, "namespaces", entry->namespaces);
	o2_report_put(doc, "mode", entry->mode);
	o2_doc_set_str(doc, "end", local_end(entry));
	if (entry->ended != 0)
		o2_doc_set(doc, "exitCode", o2_doc_int_new(entry->exit_code));
}

/* What was kept as JSON; NULL if it can't be read. Caller frees. */
static struct o2_doc *kept_report(const struct o2_store_entry *entry)
{
	return entry->report != NULL ? o2_doc_parse(entry->report, strlen(entry->report), NULL)
				     : NULL;
}

struct o2_doc *o2_report_remembered_doc(const struct o2_store_entry *entry)
{
	struct o2_doc *doc = o2_report_doc_new("HistoryEntry");
	struct o2_doc *report = kept_report(entry);

	fill_local(doc, entry);
	if (report != NULL)
		o2_doc_set(doc, "report", report);
	return doc;
}

struct o2_doc *o2_report_history_doc(const struct o2_report_past *items, size_t count)
{
	struct o2_doc *doc = o2_report_doc_new("HistoryList");
	struct o2_doc *array = o2_doc_array_new();

	for (size_t i = 0; i < count; i++) {
		struct o2_doc *item = o2_doc_object_new();
		if (items[i].local != NULL)
			fill_local(item, items[i].local);
		else
			o2_doc_set_str(item, "id", items[i].record->id);
		if (items[i].record != NULL)
			o2_doc_set(item, "record", o2_report_transaction_doc(items[i].record));
		o2_doc_append(array, item);
	}
	o2_doc_set(doc, "items", array);
	return doc;
}

static void add_pair(struct o2_table *table, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	o2_table_cell(table, "%s", name);
	o2_table_cell(table, "%s", value);
	o2_table_end_row(table);
}

void o2_report_remembered_text(const struct o2_store_entry *entry,
			       const struct o2_report_style *style, struct o2_buf *out)
{
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };
	O2_AUTO(o2_doc_freep) struct o2_doc *started = o2_report_time_doc(entry->started);
	O2_AUTO(o2_doc_freep) struct o2_doc *ended = o2_report_time_doc(entry->ended);
	O2_AUTO(o2_doc_freep) struct o2_doc *report = kept_report(entry);

	o2_report_heading(out, style, "Migration %s, as this machine remembers it",
			  entry->id != NULL ? entry->id : "without an id");
	add_pair(&table, "command", entry->command);
	add_pair(&table, "mode", entry->mode);
	add_pair(&table, "from", entry->source);
	add_pair(&table, "to", entry->target);
	add_pair(&table, "namespaces", entry->namespaces);
	add_pair(&table, "started", o2_doc_text(started));
	add_pair(&table, "ended", o2_doc_text(ended));
	add_pair(&table, "end", local_end(entry));
	add_pair(&table, "explanation", o2_doc_str(report, "/explanation", ""));
	add_pair(&table, "error", o2_doc_str(report, "/error/message", ""));
	o2_table_write(&table, out);
	const struct o2_doc *kept = o2_doc_at(report, "/plan") != NULL
					    ? o2_doc_at(report, "/plan")
					    : o2_doc_at(report, "/report");
	if (o2_doc_count(o2_doc_at(kept, "/steps")) > 0) {
		o2_report_heading(out, style, "\nSteps");
		o2_report_kept_steps_text(kept, out);
	}
}
