/* Steps start and try: B's workloads run, with every way in withheld, until they are ready and the user's commands agree. */
#include "plan/plan_internal.h"

#include "base/process.h"

#define STARTED "started" /* the mark of what was armed */

O2_STEP_CHECK(o2_step_start_check)
{
	size_t pods = 0;

	(void)depth, (void)err;
	for (size_t i = 0; i < step->object_count; i++)
		pods += (size_t)o2_app_object(plan->app, step->objects[i])->replicas;
	o2_plan_find(plan, "room for pods", O2_PLAN_UNKNOWN, "", "",
		     "%zu pods have to find room on B's nodes in wave %d; seen when they start",
		     pods, step->wave);
	return 0;
}

/* Patches that arm the workloads: what INERT took away from FULL. */
static int arm(struct o2_step_context *context, const struct o2_plan_step *step, struct o2_err *err)
{
	struct o2_app *app = context->plan->app;
	struct o2_record_object *objects = o2_xcalloc(step->object_count + 1, sizeof(*objects));
	int code;

	for (size_t i = 0; i < step->object_count; i++) {
		const struct o2_app_object *object = o2_app_object(app, step->objects[i]);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *full = o2_app_target(app, step->objects[i], O2_APP_FULL);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *inert = o2_app_target(app, step->objects[i], O2_APP_INERT);

		objects[i] = (struct o2_record_object){ .kind = object->target_kind,
							.ns = object->target_ns,
							.name = object->target_name,
							.object = o2_doc_merge_diff(inert, full) };
	}
	code = o2_record_change_many(context->record, objects, step->object_count, STARTED,
				     O2_STATE_OPEN, err);
	for (size_t i = 0; i < step->object_count; i++)
		o2_doc_free((struct o2_doc *)objects[i].object);
	free(objects);
	return code;
}

/* The wave as what is waited for. Caller frees the array. */
static struct o2_plan_awaited *awaited(const struct o2_plan *plan, const struct o2_plan_step *step)
{
	struct o2_plan_awaited *items = o2_xcalloc(step->object_count + 1, sizeof(*items));

	for (size_t i = 0; i < step->object_count; i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, step->objects[i]);

		items[i] = (struct o2_plan_awaited){
			.kind = object->target_kind,
			.ns = object->target_ns,
			.name = object->target_name,
			.ready = -1,
			.mark = STARTED,
		};
	}
	return items;
}

static int see_transaction(void *arg, struct o2_err *err)
{
	struct o2_step_context *context = arg;

	if (o2_record_check(context->record, O2_STATE_OPEN, err) < 0)
		return err->code;
	/* An A that does not answer for a moment is no change on A; the decision asks again. */
	if (o2_plan_see_frozen(context, err) == -O2_ETRANSIENT)
		o2_err_clear(err);
	return err->code;
}

static int await_wave(struct o2_step_context *context, const struct o2_plan_step *step,
		      struct o2_err *err)
{
	O2_AUTO(o2_freep) struct o2_plan_awaited *items = awaited(context->plan, step);
	struct o2_plan_await await = {
		.kube = context->plan->kube[O2_TARGET],
		.side = "B",
		.items = items,
		.count = step->object_count,
		.timeout_ms = o2_plan_start_timeout_ms(context->options),
		.lost_timeout_ms = o2_plan_lost_timeout_ms(context->options),
		.look = see_transaction,
		.look_arg = context,
	};

	return o2_plan_await_ready(&await, err);
}

O2_STEP_APPLY(o2_step_start_apply)
{
	if (arm(context, step, err) < 0)
		return err->code;
	return await_wave(context, step, err);
}

int o2_plan_see_started(struct o2_step_context *context, struct o2_err *err)
{
	const struct o2_plan *plan = context->plan;

	if (o2_record_check_mirror(context->record, err) < 0)
		return err->code;
	for (size_t i = 0; i < plan->step_count; i++) {
		if (plan->steps[i].type == o2_step_type(O2_STEP_START) &&
		    await_wave(context, &plan->steps[i], err) < 0)
			return err->code;
	}
	return 0;
}

O2_STEP_UNDO(o2_step_start_undo)
{
	/* Foreground: a workload is gone only after its pods are. What ran must have ended before anything else is undone. */
	return o2_plan_remove_entries(record, entries, count, true, err);
}

O2_STEP_APPLY(o2_step_try_apply)
{
	const struct o2_plan_options *options = context->options;
	struct o2_strs env = { 0 };
	int code = 0;

	(void)step;
	o2_strs_addf(&env, "OS2OS_TRANSACTION=%s", o2_record_id(context->record));
	o2_strs_addf(&env, "OS2OS_NAMESPACE=%s",
		     o2_record_head(context->record)->target_namespaces.items[0]);
	o2_strs_addf(&env, "OS2OS_TARGET=%s", options->target_name);
	for (size_t i = 0; i < options->checks.count && code == 0; i++) {
		int status = 0;

		code = o2_process_shell(options->checks.items[i], &env, NULL,
					o2_plan_start_timeout_ms(options), &status, err);
		if (code < 0)
			code = o2_prefix(err, "check '%s'", options->checks.items[i]);
		else if (status != 0)
			code = o2_fail(err, O2_EINVALID, "check '%s' ended with status %d",
				       options->checks.items[i], status);
	}
	o2_strs_release(&env);
	return code;
}
