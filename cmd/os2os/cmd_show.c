/*
 * os2os show [ID]: one migration in detail.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cmd.h"
#include "output.h"
#include "past.h"
#include "records.h"

static int print_record(const struct o2_args *args, const struct o2_txn_entry *entry)
{
	struct o2_report_style style = o2_output_style(args, stdout);
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	if (o2_output_is_doc(args)) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_transaction_doc(entry);
		return o2_output_doc(args, doc);
	}
	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	o2_report_transaction_text(entry, &style, &out);
	return o2_output_text(out.data);
}

static int print_past(const struct o2_args *args, const struct o2_store_entry *entry)
{
	struct o2_report_style style = o2_output_style(args, stdout);
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	if (o2_output_is_doc(args)) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_remembered_doc(entry);
		return o2_output_doc(args, doc);
	}
	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	o2_report_remembered_text(entry, &style, &out);
	return o2_output_text(out.data);
}

/* The records come first, they are the truth; what this machine remembers serves where they are gone or were not asked. */
int o2_cmd_show(struct o2_args *args)
{
	const char *id = args->words.count > 0 ? args->words.items[0] : NULL;
	O2_AUTO(o2_session_release) struct o2_session session = { 0 };
	O2_AUTO(o2_txn_list_release) struct o2_txn_list list = { 0 };
	O2_AUTO(o2_past_release) struct o2_past past = { 0 };
	const struct o2_txn_entry *record = NULL;
	struct o2_err err = { 0 };
	int rc;

	if (o2_records_wanted(args)) {
		if (o2_records_read(&session, args, &list, &err) < 0)
			return o2_session_exit(&session, &err);
		if (id != NULL)
			record = o2_records_find(&list, id);
		else if (list.count > 0)
			record = &list.items[0];
	}
	if (record == NULL)
		o2_past_read(&past, id, 1);
	if (record != NULL) {
		rc = print_record(args, record);
	} else if (past.count > 0) {
		rc = print_past(args, &past.items[0]);
	} else {
		o2_log(O2_ERROR, "no migration%s%s%s is known%s", id != NULL ? " '" : "",
		       id != NULL ? id : "", id != NULL ? "'" : "",
		       o2_records_wanted(args)
			       ? ""
			       : " on this machine; say --from and --to to ask the clusters");
		return O2_EXIT_PRECONDITION;
	}
	return rc < 0 ? O2_EXIT_FAILED : O2_EXIT_DONE;
}
