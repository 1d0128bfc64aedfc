/* A run: forwards, and what to do with the state that a failure left. */
#include "txn/txn_internal.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"

static void keep_report(struct o2_txn_result *result, const struct o2_plan *plan)
{
	o2_doc_free(result->report);
	result->report = o2_plan_report(plan);
}

static void mark_undone(struct o2_plan *plan)
{
	for (size_t i = 0; i < o2_plan_step_count(plan); i++) {
		struct o2_plan_step *step = o2_plan_step(plan, i);

		if (step->state == O2_STEP_DONE && step->type->undo)
			step->state = O2_STEP_UNDONE;
	}
}

/* Nothing but locks and perhaps a write set was made. */
static void end_before_record(struct o2_record *record, struct o2_txn_result *result,
			      const struct o2_err *cause)
{
	struct o2_err err = { 0 };
	int code;

	o2_cancel_mask(true);
	code = o2_record_discard(record, &err);
	o2_cancel_mask(false);
	if (code < 0)
		o2_txn_conclude(result, O2_TXN_HALFWAY, record,
				"nothing was begun, but a lock could not be removed (%s): run "
				"'os2os recover %s'",
				err.message, o2_record_id(record));
	else if (cause->code == -O2_EBUSY || cause->code == -O2_ECONFLICT)
		o2_txn_conclude(result, O2_TXN_NOTHING, record, "nothing was changed");
	else
		o2_txn_conclude(result, O2_TXN_UNDONE, record,
				"nothing was changed on B, and A is as before");
}

static void end_undecided(struct o2_plan *plan, struct o2_record *record,
			  struct o2_txn_result *result, const struct o2_err *cause)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *report = o2_plan_report(plan);
	struct o2_err err = { 0 };
	const char *id = o2_record_id(record);

	if (o2_record_head(record)->state == O2_STATE_OPEN && o2_record_is_in_doubt(record)) {
		o2_txn_conclude(
			result, O2_TXN_IN_DOUBT, record,
			"A was lost during the decision: B is started and closed, and stays "
			"so; run 'os2os recover %s' when A answers again",
			id);
		return;
	}
	o2_log(O2_INFO, "undoing: %s", cause->message);
	if (o2_txn_undo(record, cause->message, report, &err) == 0) {
		mark_undone(plan);
		o2_txn_conclude(result, O2_TXN_UNDONE, record,
				o2_plan_freezes(plan)
					? "everything was undone: B is as before, A serves again"
					: "everything was undone: B is as before, A was serving "
					  "all the time");
	} else if (err.code == -O2_ECONFLICT) {
		o2_txn_conclude(result, O2_TXN_HALFWAY, record,
				"%s; this process stopped and leaves it to whoever took over",
				err.message);
	} else {
		o2_txn_conclude(result, O2_TXN_HALFWAY, record,
				"the undo is not complete (%s); run 'os2os recover %s'",
				err.message, id);
	}
}

int o2_txn_run(struct o2_plan *plan, struct o2_txn_result *result, struct o2_err *err)
{
	const struct o2_plan_options *options = o2_plan_options(plan);
	O2_AUTO(o2_record_freep)
	struct o2_record *record = o2_record_new(o2_plan_kube(plan, O2_SOURCE),
						 o2_plan_kube(plan, O2_TARGET), options->mode);
	O2_AUTO(o2_doc_freep) struct o2_doc *ways_in = o2_doc_array_new();
	struct o2_step_context context = {
		.plan = plan, .record = record, .options = options, .ways_in = ways_in
	};
	int64_t begin = o2_clock_ms();
	int code;

	if (options->lost_timeout_s > 0)
		o2_record_set_patience(record, options->lost_timeout_s * 1000);
	o2_log(O2_INFO, "transaction %s", o2_record_id(record));
	code = o2_txn_forward(&context, err);
	o2_step_context_release(&context);
	if (code == 0)
		o2_txn_conclude(
			result, O2_TXN_DONE, record,
			o2_record_head(record)->retirable
				? "B has the application; A keeps it frozen, with its data, "
				  "until 'os2os finalize %s'"
				: "B has the application",
			o2_record_id(record));
	else if (o2_record_head(record)->state == O2_STATE_ABSENT)
		end_before_record(record, result, err);
	else if (o2_record_head(record)->state == O2_STATE_COMMITTED ||
		 o2_record_head(record)->state == O2_STATE_DONE)
		o2_txn_conclude(
			result, O2_TXN_COMMITTED, record,
			"B has the application, but a later step is open; run 'os2os resume %s'",
			o2_record_id(record));
	else
		end_undecided(plan, record, result, err);
	o2_txn_take_ways_in(result, ways_in);
	keep_report(result, plan);
	result->elapsed_ms = o2_clock_ms() - begin;
	return code;
}
