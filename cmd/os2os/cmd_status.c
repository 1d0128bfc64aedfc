/*
 * os2os status [ID]: what is not finished or left something frozen behind, or one transaction whatever its state.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmd.h"
#include "output.h"
#include "records.h"

static bool is_shown(const struct o2_txn_entry *entry, const char *id)
{
	return id != NULL ? strcmp(entry->id, id) == 0 : !entry->clean || entry->retirable;
}

static int print(const struct o2_args *args, const struct o2_txn_list *list)
{
	struct o2_report_style style = o2_output_style(args, stdout);
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	if (o2_output_is_doc(args)) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_transactions_doc(list);
		return o2_output_doc(args, doc);
	}
	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	if (o2_args_output_is(args, "name"))
		for (size_t i = 0; i < list->count; i++)
			o2_buf_addf(&out, "%s\n", list->items[i].id);
	else
		o2_report_transactions_text(list, o2_clock_unix(), &style, &out);
	return o2_output_text(out.data);
}

int o2_cmd_status(struct o2_args *args)
{
	const char *id = args->words.count > 0 ? args->words.items[0] : NULL;
	O2_AUTO(o2_session_release) struct o2_session session = { 0 };
	O2_AUTO(o2_txn_list_release) struct o2_txn_list list = { 0 };
	struct o2_txn_list shown = { 0 }; /* borrows from `list` */
	struct o2_err err = { 0 };

	if (o2_records_read(&session, args, &list, &err) < 0)
		return o2_session_exit(&session, &err);
	shown.items = o2_xcalloc(list.count + 1, sizeof(*shown.items));
	for (size_t i = 0; i < list.count; i++)
		if (is_shown(&list.items[i], id))
			shown.items[shown.count++] = list.items[i];
	int rc = print(args, &shown);
	if (shown.count == 0 && id == NULL)
		o2_log(O2_INFO, "No migration is unfinished.");
	bool missing = shown.count == 0 && id != NULL;
	o2_freep(&shown.items);
	if (missing) {
		o2_log(O2_ERROR, "no migration '%s' in the records", id);
		return O2_EXIT_PRECONDITION;
	}
	return rc < 0 ? O2_EXIT_FAILED : O2_EXIT_DONE;
}
