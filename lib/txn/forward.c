/* Forwards: the plan's steps in order, each measured. */
#include "txn/txn_internal.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

/* A fault point before or after a step: "start.before". */
static int fault(const char *step, const char *where, struct o2_err *err)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.%s", step, where);
	return o2_fault_point(name, err);
}

/*
 * The record says how far it came, once a phase; that is for people, no decision rests on it. After the decision it is left
 * out: B must open, whether A still answers or not.
 */
static int enter_phase(struct o2_step_context *context, const char *phase, struct o2_err *err)
{
	o2_log_phase(phase);
	if (o2_record_head(context->record)->state != O2_STATE_OPEN)
		return 0;
	return o2_record_set_phase(context->record, phase, err);
}

/*
 * May a signal interrupt the step? Not the decision, whose outcome would be unknown, and not what follows, since the way is
 * forward then; but a user's command may hang for reasons of its own.
 */
static bool is_interruptible(const struct o2_plan_step *step)
{
	enum o2_step_id id = o2_step_id_of(step->type);

	return id < O2_STEP_DECIDE || id == O2_STEP_SWITCH;
}

static int run_step(struct o2_step_context *context, struct o2_plan_step *step, struct o2_err *err)
{
	bool mask = !is_interruptible(step);
	int64_t begin = o2_clock_ms();
	int code;

	step->state = O2_STEP_RUNNING;
	if (mask)
		o2_cancel_mask(true);
	code = fault(step->type->name, "before", err);
	if (code == 0)
		code = step->type->apply(context, step, err);
	if (code == 0)
		code = fault(step->type->name, "after", err);
	if (mask)
		o2_cancel_mask(false);
	step->actual_ms = o2_clock_ms() - begin;
	step->state = code == 0 ? O2_STEP_DONE : O2_STEP_FAILED;
	return code;
}

int o2_txn_forward(struct o2_step_context *context, struct o2_err *err)
{
	const char *phase = "";

	for (size_t i = 0; i < o2_plan_step_count(context->plan); i++) {
		struct o2_plan_step *step = o2_plan_step(context->plan, i);
		bool decided = o2_record_head(context->record)->state == O2_STATE_COMMITTED;

		/* After the decision the way is forward: only a step's own waiting may be interrupted. */
		if (!decided && o2_cancel_check(err) < 0)
			return err->code;
		if (strcmp(phase, step->type->phase) != 0) {
			phase = step->type->phase;
			if (enter_phase(context, phase, err) < 0)
				return err->code;
		}
		o2_log(O2_DEBUG, "step %s: %s", step->type->name, step->detail);
		if (run_step(context, step, err) < 0)
			return o2_prefix(err, "step '%s' failed", step->type->name);
	}
	return 0;
}

int o2_txn_finish_forward(struct o2_step_context *context, struct o2_err *err)
{
	static const enum o2_step_id steps[] = { O2_STEP_OPEN, O2_STEP_SWITCH, O2_STEP_RELEASE,
						 O2_STEP_FINISH };

	if (o2_record_mirror(context->record, err) < 0)
		return err->code;
	for (size_t i = 0; i < O2_COUNT(steps); i++) {
		struct o2_plan_step step = { .type = o2_step_type(steps[i]), .detail = (char *)"" };

		if (steps[i] == O2_STEP_SWITCH && !context->options->on_switch)
			continue;
		o2_log_phase(step.type->phase);
		if (run_step(context, &step, err) < 0)
			return o2_prefix(err, "step '%s' failed", step.type->name);
	}
	return 0;
}
