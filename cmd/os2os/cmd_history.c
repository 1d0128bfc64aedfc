/*
 * os2os history: what this machine remembers, merged with the clusters' records.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cmd.h"
#include "output.h"
#include "past.h"
#include "records.h"

struct merged {
	struct o2_report_past *items;
	size_t count, cap;
};

static void add(struct merged *merged, const struct o2_store_entry *local,
		const struct o2_txn_entry *record)
{
	O2_GROW(merged->items, merged->count, merged->cap);
	merged->items[merged->count++] =
		(struct o2_report_past){ .local = local, .record = record };
}

static bool is_known(const struct o2_past *past, const char *id)
{
	for (size_t i = 0; i < past->count; i++)
		if (past->items[i].id != NULL && strcmp(past->items[i].id, id) == 0)
			return true;
	return false;
}

static int64_t started(const struct o2_report_past *item)
{
	return item->local != NULL ? item->local->started : item->record->created;
}

static int newest_first(const void *a, const void *b)
{
	int64_t x = started(a), y = started(b);

	return x < y ? 1 : x > y ? -1 : 0;
}

static void merge(struct merged *merged, const struct o2_past *past, const struct o2_txn_list *list)
{
	for (size_t i = 0; i < past->count; i++)
		add(merged, &past->items[i],
		    past->items[i].id != NULL ? o2_records_find(list, past->items[i].id) : NULL);
	for (size_t i = 0; i < list->count; i++)
		if (!is_known(past, list->items[i].id))
			add(merged, NULL, &list->items[i]);
	if (merged->count > 1)
		qsort(merged->items, merged->count, sizeof(*merged->items), newest_first);
}

static int print(const struct o2_args *args, const struct merged *merged)
{
	struct o2_report_style style = o2_output_style(args, stdout);
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	if (o2_output_is_doc(args)) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *doc = o2_report_history_doc(merged->items, merged->count);
		return o2_output_doc(args, doc);
	}
	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	if (o2_args_output_is(args, "name")) {
		for (size_t i = 0; i < merged->count; i++) {
			const struct o2_report_past *item = &merged->items[i];
			const char *id = item->local != NULL ? item->local->id : item->record->id;
			if (id != NULL)
				o2_buf_addf(&out, "%s\n", id);
		}
	} else {
		o2_report_history_text(merged->items, merged->count, &style, &out);
	}
	return o2_output_text(out.data);
}

int o2_cmd_history(struct o2_args *args)
{
	O2_AUTO(o2_session_release) struct o2_session session = { 0 };
	O2_AUTO(o2_txn_list_release) struct o2_txn_list list = { 0 };
	O2_AUTO(o2_past_release) struct o2_past past = { 0 };
	struct merged merged = { 0 };
	struct o2_err err = { 0 };

	if (o2_records_wanted(args) && o2_records_read(&session, args, &list, &err) < 0)
		return o2_session_exit(&session, &err);
	o2_past_read(&past, NULL, 0);
	merge(&merged, &past, &list);
	int rc = print(args, &merged);
	if (merged.count == 0)
		o2_log(O2_INFO, "No migration is remembered.");
	free(merged.items);
	return rc < 0 ? O2_EXIT_FAILED : O2_EXIT_DONE;
}
