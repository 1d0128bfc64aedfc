/*
 * What the clusters' records say of transactions.
 */
#include <string.h>

#include "report/report_internal.h"

/* The state that counts: the source's record holds the decision; where it was not seen, the target's. */
static const char *state_of(const struct o2_txn_entry *entry)
{
	enum o2_record_state state =
		entry->source_state != O2_STATE_ABSENT ? entry->source_state : entry->target_state;

	return o2_record_state_name(state);
}

/* OPEN says it by itself. */
static bool is_left_open(const struct o2_txn_entry *entry)
{
	return !entry->clean && strcmp(state_of(entry), o2_record_state_name(O2_STATE_OPEN)) != 0;
}

static const char *or_dash(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : "-";
}

static void add_namespaces(struct o2_table *table, const struct o2_txn_entry *entry)
{
	O2_AUTO(o2_buf_release) struct o2_buf text = { 0 };

	o2_buf_init(&text, 1 << 20);
	o2_report_join(&text, &entry->source_namespaces, 3);
	o2_table_cell(table, "%s", or_dash(text.data));
}

/* What stands still, since when, and when it would be given back without anybody's doing. */
static void add_frozen(const struct o2_txn_entry *entry, int64_t now, struct o2_buf *out)
{
	char since[O2_AMOUNT_SIZE], left[O2_AMOUNT_SIZE];

	if (entry->frozen_since == 0)
		return;
	o2_amount_age(now - entry->frozen_since, since);
	o2_buf_addf(out, "\n%s: A has been frozen for %s (%s)", entry->id, since,
		    or_dash(entry->frozen));
	if (entry->deadline > now) {
		o2_amount_age(entry->deadline - now, left);
		o2_buf_addf(out, "; the watchdog gives it back in %s", left);
	} else if (entry->deadline > 0) {
		o2_buf_adds(out, "; the watchdog's time has come, it gives A back");
	} else if (!entry->clean) {
		o2_buf_adds(out, "; no watchdog gives it back");
	}
	o2_buf_addc(out, '\n');
}

void o2_report_transactions_text(const struct o2_txn_list *list, int64_t now,
				 const struct o2_report_style *style, struct o2_buf *out)
{
	static const char *const narrow[] = { "ID",        "STATE", "PHASE", "FROM", "TO",
					      "NAMESPACE", "AGE",   "NEXT",  NULL };
	static const char *const wide[] = { "ID",  "STATE",  "PHASE",  "FROM", "TO", "NAMESPACE",
					    "AGE", "TARGET", "HOLDER", "NEXT", NULL };
	O2_AUTO(o2_table_release) struct o2_table table = { 0 };

	if (list->count == 0)
		return;
	o2_table_row(&table, style->wide ? wide : narrow);
	for (size_t i = 0; i < list->count; i++) {
		const struct o2_txn_entry *entry = &list->items[i];
		char age[O2_AMOUNT_SIZE];
		o2_amount_age(now - entry->created, age);
		o2_table_cell(&table, "%s", entry->id);
		o2_table_cell(&table, "%s%s", state_of(entry),
			      is_left_open(entry) ? ", unfinished" : "");
		o2_table_cell(&table, "%s", or_dash(entry->phase));
		o2_table_cell(&table, "%s", or_dash(entry->source_name));
		o2_table_cell(&table, "%s", or_dash(entry->target_name));
		add_namespaces(&table, entry);
		o2_table_cell(&table, "%s", age);
		if (style->wide) {
			o2_table_cell(&table, "%s", o2_record_state_name(entry->target_state));
			o2_table_cell(&table, "%s", or_dash(entry->holder));
		}
		o2_table_cell(&table, "%s", or_dash(entry->next));
		o2_table_end_row(&table);
	}
	o2_table_write(&table, out);
	for (size_t i = 0; i < list->count; i++)
		add_frozen(&list->items[i], now, out);
}

static void fill_doc(struct o2_doc *doc, const struct o2_txn_entry *entry)
{
	o2_doc_set_str(doc, "id", entry->id);
	o2_doc_set_str(doc, "state", state_of(entry));
	o2_doc_set_str(doc, "sourceState", o2_record_state_name(entry->source_state));
	o2_doc_set_str(doc, "targetState", o2_record_state_name(entry->target_state));
	o2_doc_set(doc, "clean", o2_doc_bool_new(entry->clean));
	o2_report_put(doc, "mode", entry->mode);
	o2_report_put(doc, "phase", entry->phase);
	o2_report_put(doc, "holder", entry->holder);
	o2_report_put(doc, "reason", entry->reason);
	o2_report_put(doc, "source", entry->source_name);
	o2_report_put(doc, "target", entry->target_name);
	o2_doc_set(doc, "sourceNamespaces", o2_report_strs_doc(&entry->source_namespaces));
	o2_doc_set(doc, "targetNamespaces", o2_report_strs_doc(&entry->target_namespaces));
	o2_doc_set(doc, "created", o2_report_time_doc(entry->created));
	o2_doc_set(doc, "changed", o2_report_time_doc(entry->changed));
	if (entry->frozen_since > 0) {
		o2_doc_set(doc, "frozenSince", o2_report_time_doc(entry->frozen_since));
		o2_report_put(doc, "frozen", entry->frozen);
	}
	if (entry->deadline > 0)
		o2_doc_set(doc, "watchdogActs", o2_report_time_doc(entry->deadline));
	o2_report_put(doc, "next", entry->next);
	if (entry->report != NULL)
		o2_doc_set(doc, "report", o2_doc_copy(entry->report));
}

struct o2_doc *o2_report_transaction_doc(const struct o2_txn_entry *entry)
{
	struct o2_doc *doc = o2_report_doc_new("Transaction");

	fill_doc(doc, entry);
	return doc;
}

struct o2_doc *o2_report_transactions_doc(const struct o2_txn_list *list)
{
	struct o2_doc *doc = o2_report_doc_new("TransactionList");
	struct o2_doc *items = o2_doc_array_new();

	for (size_t i = 0; i < list->count; i++) {
		struct o2_doc *item = o2_doc_object_new();
		fill_doc(item, &list->items[i]);
		o2_doc_append(items, item);
	}
	o2_doc_set(doc, "items", items);
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

static void add_time(struct o2_table *table, const char *name, int64_t unix_seconds)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *time = o2_report_time_doc(unix_seconds);

	add_pair(table, name, o2_doc_text(time));
}

static void add_names(struct o2_table *table, const char *name, const struct o2_strs *list)
{
	O2_AUTO(o2_buf_release) struct o2_buf text = { 0 };

	o2_buf_init(&text, 1 << 20);
	o2_report_join(&text, list, 0);
	add_pair(table, name, text.data);
}

void o2_report_transaction_text(const struct o2_txn_entry *entry,
				const struct o2_report_style *style, struct o2_buf *out)
{
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };

	o2_report_heading(out, style, "Migration %s", entry->id);
	add_pair(&table, "state", state_of(entry));
	add_pair(&table, "on the target", o2_record_state_name(entry->target_state));
	add_pair(&table, "clean", entry->clean ? "yes" : "no");
	add_pair(&table, "mode", entry->mode);
	add_pair(&table, "phase", entry->phase);
	add_pair(&table, "reason", entry->reason);
	add_pair(&table, "from", entry->source_name);
	add_names(&table, "namespaces", &entry->source_namespaces);
	add_pair(&table, "to", entry->target_name);
	add_names(&table, "namespaces", &entry->target_namespaces);
	add_pair(&table, "holder", entry->holder);
	add_time(&table, "created", entry->created);
	add_time(&table, "changed", entry->changed);
	add_pair(&table, "next", entry->next);
	o2_table_write(&table, out);
	if (o2_doc_count(o2_doc_at(entry->report, "/steps")) > 0) {
		o2_report_heading(out, style, "\nSteps");
		o2_report_kept_steps_text(entry->report, out);
	}
}
