/*
 * Private to lib/txn: running a plan forwards, undoing by the write set, telling the end.
 */
#pragma once

#include <assert.h>

#include "plan/step.h"
#include "txn/txn.h"

#define O2_TXN_PHASE_UNDO "undo" /* in R1 while the holder undoes */

/*
 * Execute the plan's steps in order. Stops at the first failure. `record` may be a fresh one or one that was taken over: every step
 * settles what is there already.
 */
O2_MUST_CHECK int o2_txn_forward(struct o2_step_context *context, struct o2_err *err);
/* After the decision, with or without a plan: mirror, open, switch, release, finish. */
O2_MUST_CHECK int o2_txn_finish_forward(struct o2_step_context *context, struct o2_err *err);
/*
 * R1 to ABORTED, then undo every entry of the write set, what was done last first, look for what is left, close the record. A cancel is
 * masked meanwhile.
 * Errors  O2_ETRANSIENT (a cluster is lost: the record stays, recover goes on from it), O2_ECONFLICT (it is no longer this process's).
 */
O2_MUST_CHECK int o2_txn_undo(struct o2_record *record, const char *reason,
			      const struct o2_doc *report, struct o2_err *err);

/* B's workloads end, and its movers go. */
O2_MUST_CHECK int o2_txn_stop_target(struct o2_record *record, struct o2_err *err);
/* Only A is given back, since B does not answer; R1 is ABORTED, and not clean. */
O2_MUST_CHECK int o2_txn_thaw(struct o2_record *record, struct o2_err *err);

/* R1 is lost: make it again from R2, with which `record` was loaded. */
O2_MUST_CHECK int o2_txn_renew(struct o2_record *record, struct o2_kube *source,
			       struct o2_err *err);
/* Of a record that was made again: declare what it holds, by the marks on A. */
O2_MUST_CHECK int o2_txn_find_held(struct o2_record *record, struct o2_err *err);
/* The same without R1 and write set: B is cleaned of everything that carries the label. `record` was loaded from R2. */
O2_MUST_CHECK int o2_txn_undo_by_label(struct o2_record *record, struct o2_txn_result *result,
				       struct o2_err *err);

/* A's frozen application is deleted for good; R1 is DONE. Errors: O2_ECONFLICT (A is no longer frozen; nothing was deleted). Repeatable. */
O2_MUST_CHECK int o2_txn_finalize(struct o2_record *record, struct o2_err *err);
/* How many objects that is. */
size_t o2_txn_retired_count(const struct o2_record *record);

/* Fill the result from what the record says now; `explanation` by format. */
void o2_txn_conclude(struct o2_txn_result *result, enum o2_txn_end end,
		     const struct o2_record *record, const char *fmt, ...) O2_PRINTF(4, 5);
/* The ways in of a context into the result. */
void o2_txn_take_ways_in(struct o2_txn_result *result, const struct o2_doc *ways_in);
