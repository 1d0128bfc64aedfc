/*
 * The history of this machine around one verb that changes clusters. Whatever fails here is a warning and nothing more.
 *
 *	O2_AUTO(o2_journal_release) struct o2_journal journal = { 0 };
 *	o2_journal_begin(&journal, args, ...);
 *	... o2_txn_run() ...
 *	o2_journal_end(&journal, &migration);
 */
#pragma once

#include "options.h"
#include "report/report.h"
#include "store/store.h"

struct o2_journal {
	struct o2_store *store; /* NULL: there is none */
	int64_t number;
};

/* source and target: names; may be NULL. namespaces: on the source; may be NULL. */
void o2_journal_begin(struct o2_journal *journal, const struct o2_args *args, const char *source,
		      const char *target, const struct o2_strs *namespaces, const char *mode);
void o2_journal_end(struct o2_journal *journal, const struct o2_report_migration *migration);
void o2_journal_release(struct o2_journal *journal);
