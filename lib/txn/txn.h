/*
 * The transaction: executes a plan forwards, or undoes it; recovers what an earlier process left (PROTOCOL.md).
 *
 *	struct o2_txn_result result = { 0 };
 *	int code = o2_txn_run(plan, &result, &err);
 *	return o2_txn_exit_code(code, &result);
 *	o2_txn_result_release(&result);
 *
 * What the user is told about the end is derived from the records, never assumed.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "plan/plan.h"

enum o2_txn_end {
	O2_TXN_NOTHING, /* nothing was begun: a precondition did not hold, or the lock is somebody else's */
	O2_TXN_DONE,      /* B has the application */
	O2_TXN_UNDONE,    /* failed, and everything was undone and seen to be */
	O2_TXN_COMMITTED, /* decided, but a later step is open: resume */
	O2_TXN_HALFWAY,  /* needs `os2os recover`: a cluster was lost, or somebody else took over */
	O2_TXN_IN_DOUBT, /* A is unreachable and may have decided: wait for it */
	O2_TXN_END_COUNT
};

/* Where clients reach the application: one way in, on A and on B. */
struct o2_txn_way_in {
	char *object;      /* "Service shop/front" */
	char *old_address; /* "" if it has none yet */
	char *new_address;
};

struct o2_txn_result {
	enum o2_txn_end end;
	char id[O2_RECORD_ID_SIZE];
	char *explanation; /* one line: what the records say and what to do next */
	struct o2_txn_way_in *ways_in;
	size_t way_in_count;
	int64_t elapsed_ms;
	struct o2_doc *report; /* steps with predicted and actual times; may be NULL */
};
void o2_txn_result_release(struct o2_txn_result *result);

/* Exit code of DESIGN part 4 for an end. `signal` is the signal that was asked for, 0 if none. */
int o2_txn_exit_code(const struct o2_txn_result *result, int signal);

/*
 * Execute a plan without blockers. On any failure before the decision everything is undone, under a masked cancel.
 * Returns 0 if B has the application, else the cause in `err` and the end in `result`.
 */
O2_MUST_CHECK int o2_txn_run(struct o2_plan *plan, struct o2_txn_result *result,
			     struct o2_err *err);

/* What to do with a transaction that was found. */
enum o2_txn_wish {
	O2_TXN_RECOVER, /* what the decision table of PROTOCOL.md says */
	O2_TXN_RESUME, /* forwards: go on with an OPEN one if its plan is still the same, finish a COMMITTED one */
	O2_TXN_ROLLBACK, /* backwards: undo an OPEN one; a COMMITTED one can't be undone */
	O2_TXN_FINALIZE, /* what is frozen on A is deleted: B has the application */
	O2_TXN_CANCEL, /* as ROLLBACK, but lets the process that holds it do the undoing, if it is alive */
};
struct o2_txn_recovery {
	enum o2_txn_wish wish;
	const char *id;                   /* NULL: the only unfinished one */
	const struct o2_strs *namespaces; /* where to look; NULL: everywhere */
	bool record_lost;                 /* --record-lost */
	bool source_fenced;               /* --source-fenced: the operator vouches that A is off */
	int lost_timeout_s;
};
/*
 * source may be NULL (A is unreachable), or target (B is).
 * Errors  O2_ENOTFOUND (nothing unfinished), O2_ECONFLICT (several: the message lists them; wish does not fit the state).
 */
O2_MUST_CHECK int o2_txn_recover(struct o2_kube *source, struct o2_kube *target,
				 const struct o2_txn_recovery *recovery,
				 struct o2_txn_result *result, struct o2_err *err);

/* What is known of transactions in one or two clusters, newest first; namespaces: NULL, or some. */
struct o2_txn_entry {
	char id[O2_RECORD_ID_SIZE];
	enum o2_record_state source_state, target_state; /* ABSENT where not found or not asked */
	bool clean;
	bool is_unreadable; /* one of its records is: nothing is known then */
	bool has_leftovers; /* closed, but something of it arrived after its end (recovery only) */
	bool retirable;     /* A still has the frozen application */
	char *mode, *phase, *holder, *reason;
	char *source_name, *target_name;
	struct o2_strs source_namespaces, target_namespaces;
	int64_t created, changed;
	int64_t frozen_since, deadline; /* 0: A is not frozen; there is no watchdog */
	char *frozen;                   /* what of A is */
	struct o2_doc *report;          /* may be NULL */
	char *next;                     /* what to do: "os2os recover ..." or "" */
};
struct o2_txn_list {
	struct o2_txn_entry *items;
	size_t count, cap;
};
O2_MUST_CHECK int o2_txn_find(struct o2_kube *source, struct o2_kube *target,
			      const struct o2_strs *namespaces, struct o2_txn_list *out,
			      struct o2_err *err);
void o2_txn_list_release(struct o2_txn_list *list);
