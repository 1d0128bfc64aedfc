/*
 * What becomes of runs of CronJobs that fall into the time in which neither side runs them.
 *
 * A CronJob that is resumed starts at once what it missed since its lastScheduleTime. So that runs are skipped, that time is moved to now
 * before it is resumed; so that the last missed one is made up, B is told A's, and a run that A made is not made again.
 */
#include "plan/plan_internal.h"

#include "base/clock.h"

#define LAST_RUN "/status/lastScheduleTime"

static bool is_cron_job(const struct o2_kube_kind *kind)
{
	return kind && strcmp(kind->kind, "CronJob") == 0;
}

static bool skips(const struct o2_plan_options *options)
{
	return !options->missed_runs || strcmp(options->missed_runs, "skip") == 0;
}

static struct o2_doc *patch_new(const char *time)
{
	struct o2_doc *patch = o2_doc_object_new();

	o2_doc_put_str(patch, LAST_RUN, time);
	return patch;
}

static struct o2_doc *patch_now(void)
{
	char now[O2_CLOCK_TEXT_SIZE];

	o2_clock_text(o2_clock_unix(), now);
	return patch_new(now);
}

int o2_plan_skip_runs(struct o2_record *record, enum o2_side side,
		      const struct o2_record_object *objects, size_t count,
		      const struct o2_plan_options *options, struct o2_err *err)
{
	struct o2_record_object *jobs = o2_xcalloc(count + 1, sizeof(*jobs));
	O2_AUTO(o2_doc_freep) struct o2_doc *patch = patch_now();
	size_t job_count = 0;
	int code = 0;

	for (size_t i = 0; i < count && skips(options); i++) {
		if (!is_cron_job(objects[i].kind))
			continue;
		jobs[job_count] = objects[i];
		jobs[job_count++].object = patch;
	}
	if (job_count > 0)
		code = o2_record_set_status(record, side, jobs, job_count,
					    o2_record_head(record)->state, err);
	free(jobs);
	return code;
}

int o2_plan_carry_runs(struct o2_step_context *context, const struct o2_plan_step *step,
		       struct o2_err *err)
{
	const struct o2_plan *plan = context->plan;

	for (size_t i = 0; i < step->object_count && !skips(context->options); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, step->objects[i]);

		if (!is_cron_job(object->kind) || !object->target_kind)
			continue;
		/* Only now, while it is suspended, does A's time no longer move. */
		O2_AUTO(o2_doc_freep)
		struct o2_doc *now = o2_kube_get(plan->kube[O2_SOURCE], object->kind, object->ns,
						 object->name, err);
		const char *last = o2_doc_str(now, LAST_RUN, NULL);
		if (!now)
			return err->code;
		if (!last)
			continue;
		O2_AUTO(o2_doc_freep) struct o2_doc *patch = patch_new(last);
		struct o2_record_object target = { .kind = object->target_kind,
						   .ns = object->target_ns,
						   .name = object->target_name,
						   .object = patch };
		if (o2_record_set_status(context->record, O2_TARGET, &target, 1, O2_STATE_OPEN,
					 err) < 0)
			return err->code;
	}
	return 0;
}
