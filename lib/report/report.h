/*
 * Reports: what a plan says, what a migration did, what the records hold; as text and as a document (JSON, YAML).
 *
 *	struct o2_buf out;
 *	o2_buf_init(&out, 64 << 20);
 *	o2_report_plan_text(plan, &(struct o2_report_style){ .wide = false }, &out);
 *	fputs(out.data, stdout);
 *
 * Text is for people and may change, but for the last line of a plan, which is frozen (o2_report_plan_line). Documents are for
 * programs: README.md has their members. Values of Secrets are in none of the structures that are read here, and texts of servers
 * are stripped of control characters. Nothing here makes a request, except for o2_kube_cluster_id() of a plan's clusters.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/app.h"
#include "base/buf.h"
#include "doc/doc.h"
#include "plan/plan.h"
#include "store/store.h"
#include "txn/txn.h"

#define O2_REPORT_API_VERSION "os2os.io/v1"

struct o2_report_style {
	bool wide;  /* every object with its rewritings, every finding */
	bool color; /* ANSI */
};

/* --- plan ------------------------------------------------------------------------------------------------------------- */

void o2_report_plan_text(struct o2_plan *plan, const struct o2_report_style *style,
			 struct o2_buf *out);
/* kind Plan. `objects`: with each of them. Caller frees. */
struct o2_doc *o2_report_plan_doc(struct o2_plan *plan, bool objects);
/* One line an object that would be created: "deployment.apps/shop/web": kubectl's -o name with the namespace in between. */
void o2_report_plan_names(struct o2_plan *plan, struct o2_buf *out);

/* What the frozen last line is made of. */
struct o2_report_totals {
	size_t create, change, remove, volumes;
	int64_t volume_bytes;
	bool volumes_empty; /* claims are made without their data */
	int64_t downtime_ms;
	int64_t downtime_low_ms, downtime_high_ms; /* 90 % interval; high 0: there is none */
};
struct o2_report_totals o2_report_plan_totals(const struct o2_plan *plan);
/*
 * "Plan: 14 to create, 2 to change, 0 to delete, 3 volumes (4.2 GiB), downtime 6.1 s (90 %: 5.2-7.9 s)."
 * The words never change with the numbers, so that programs may rely on them.
 */
void o2_report_plan_line(const struct o2_report_totals *totals, struct o2_buf *out);

/* --- migration -------------------------------------------------------------------------------------------------------- */

/* What a transaction came to. `plan`, with its steps' actual times: NULL for a recovery, which has none. `cause`: NULL if it went well. */
struct o2_report_migration {
	struct o2_plan *plan;
	const struct o2_txn_result *result;
	const struct o2_err *cause;
	int exit_code;
	bool brief; /* the document is without the plan's objects, for the history */
};
const char *o2_report_end_name(enum o2_txn_end end); /* "Done", "Undone" ... */
void o2_report_migration_text(const struct o2_report_migration *migration,
			      const struct o2_report_style *style, struct o2_buf *out);
/* kind Migration. Caller frees. */
struct o2_doc *o2_report_migration_doc(const struct o2_report_migration *migration);

/* --- records and history ---------------------------------------------------------------------------------------------- */

/* now: seconds since 1970, for ages. */
void o2_report_transactions_text(const struct o2_txn_list *list, int64_t now,
				 const struct o2_report_style *style, struct o2_buf *out);
/* kind TransactionList. Caller frees. */
struct o2_doc *o2_report_transactions_doc(const struct o2_txn_list *list);
void o2_report_transaction_text(const struct o2_txn_entry *entry,
				const struct o2_report_style *style, struct o2_buf *out);
/* kind Transaction. Caller frees. */
struct o2_doc *o2_report_transaction_doc(const struct o2_txn_entry *entry);

/* One migration of the past: what this machine remembers of it, what the clusters say, or both. Borrowed. */
struct o2_report_past {
	const struct o2_store_entry *local; /* NULL: this machine knows nothing of it */
	const struct o2_txn_entry *record;  /* NULL: not asked, or the records are gone */
};
void o2_report_history_text(const struct o2_report_past *items, size_t count,
			    const struct o2_report_style *style, struct o2_buf *out);
/* kind HistoryList. Caller frees. */
struct o2_doc *o2_report_history_doc(const struct o2_report_past *items, size_t count);
/* One that only this machine remembers. */
void o2_report_remembered_text(const struct o2_store_entry *entry,
			       const struct o2_report_style *style, struct o2_buf *out);
/* kind HistoryEntry. Caller frees. */
struct o2_doc *o2_report_remembered_doc(const struct o2_store_entry *entry);

/* --- application ------------------------------------------------------------------------------------------------------ */

/* Objects by wave with what they refer to, and notes. `where`: the cluster's name. */
void o2_report_app_text(const struct o2_app *app, const char *where,
			const struct o2_report_style *style, struct o2_buf *out);
/* kind Application. Caller frees. */
struct o2_doc *o2_report_app_doc(const struct o2_app *app, const char *where);
void o2_report_app_names(const struct o2_app *app, struct o2_buf *out);
