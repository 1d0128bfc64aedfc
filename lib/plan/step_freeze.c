/*
 * Steps retain, pause and freeze: A stops, and every change of it carries its own undo. Their undos give back, and see A serve.
 */
#include "plan/plan_internal.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"

#define JOB_POLL_MS 1000

/* ---- checks ----------------------------------------------------------------------------------------------------------- */

/* What another migration left frozen on A is not the application any more: that is where it was moved to. */
static void check_held(struct o2_plan *plan, struct o2_strs *told, size_t index)
{
	const struct o2_app_object *object = o2_app_object(plan->app, index);

	if (!object->held_by || !o2_strs_add_unique(told, object->held_by))
		return;
	O2_AUTO(o2_freep)
	char *remedy = o2_xasprintf("run 'os2os finalize %s' or 'os2os recover %s' first",
				    object->held_by, object->held_by);
	o2_plan_block(plan, "freeze", O2_PLAN_PROVED, o2_app_label(plan->app, index), remedy,
		      "is kept frozen on A by migration %s, as is what goes with it",
		      object->held_by);
}

O2_STEP_CHECK(o2_step_freeze_check)
{
	struct o2_strs told = { 0 };

	(void)depth;
	if (step != o2_plan_first_step(plan, O2_STEP_FREEZE))
		return 0;
	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, i);

		check_held(plan, &told, i);
		if (strcmp(object->kind->kind, "Pod") == 0 && object->kind->group[0] == '\0')
			o2_plan_block(plan, "freeze", O2_PLAN_COMPUTED, o2_app_label(plan->app, i),
				      "put it under a Deployment, say --mode copy, or leave it "
				      "behind with --exclude Pod",
				      "has no controller: it can't be stopped and given back");
	}
	o2_strs_release(&told);
	return o2_plan_check_strays(plan, err);
}

bool o2_plan_is_freezing(const struct o2_plan_step *step)
{
	return step->type == o2_step_type(O2_STEP_FREEZE) ||
	       step->type == o2_step_type(O2_STEP_PAUSE);
}

/* Volumes are cluster-scoped, and many may not change them. Nothing of os2os deletes one before `finalize`; this keeps others from it. */
static int choose_retain(struct o2_plan *plan, enum o2_plan_depth depth, struct o2_err *err)
{
	struct o2_kube_access access = { .verb = "patch", .resource = "persistentvolumes" };
	struct o2_plan_step *step = o2_plan_first_step(plan, O2_STEP_RETAIN);

	bool may;

	if (plan->volumes.count == 0 || depth != O2_PLAN_SERVER)
		return 0;
	if (o2_plan_may(plan, O2_SOURCE, &access, 1, &may, err) < 0)
		return err->code;
	if (may)
		return 0;
	o2_strs_release(&plan->volumes);
	if (step) {
		free(step->detail);
		step->detail = o2_xstrdup("nothing: volumes may not be changed");
	}
	o2_plan_warn(
		plan, "volumes", O2_PLAN_PROVED, "",
		"have the right to patch persistentvolumes granted",
		"A's volumes may not be told to outlive their claims meanwhile: whoever deletes a "
		"claim deletes its data");
	return 0;
}

int o2_plan_choose_helpers(struct o2_plan *plan, enum o2_plan_depth depth, struct o2_err *err)
{
	if (!o2_plan_freezes(plan))
		return 0;
	if (choose_retain(plan, depth, err) < 0 || o2_plan_choose_guard(plan, depth, err) < 0)
		return err->code;
	return o2_plan_choose_watchdog(plan, depth, err);
}

/* ---- holding ---------------------------------------------------------------------------------------------------------- */

/* Hold the step's objects of the application by what stops each. */
static int hold_step(struct o2_step_context *context, const struct o2_plan_step *step,
		     struct o2_err *err)
{
	const struct o2_app *app = context->plan->app;
	struct o2_record_object *objects = o2_xcalloc(step->object_count + 1, sizeof(*objects));
	int code;

	for (size_t i = 0; i < step->object_count; i++) {
		const struct o2_app_object *object = o2_app_object(app, step->objects[i]);

		objects[i] =
			(struct o2_record_object){ .kind = object->kind,
						   .ns = object->ns,
						   .name = object->name,
						   .object = o2_app_freeze(app, step->objects[i]) };
	}
	code = o2_record_hold_many(context->record, objects, step->object_count, err);
	for (size_t i = 0; i < step->object_count; i++)
		o2_doc_free((struct o2_doc *)objects[i].object);
	free(objects);
	return code;
}

O2_STEP_APPLY(o2_step_retain_apply)
{
	const struct o2_plan *plan = context->plan;
	O2_AUTO(o2_doc_freep) struct o2_doc *patch = o2_doc_object_new();
	struct o2_record_object *objects = o2_xcalloc(plan->volumes.count + 1, sizeof(*objects));
	int code;

	(void)step;
	o2_doc_put_str(patch, "/spec/persistentVolumeReclaimPolicy", "Retain");
	for (size_t i = 0; i < plan->volumes.count; i++)
		objects[i] = (struct o2_record_object){
			.kind = o2_kube_kind_find(plan->kube[O2_SOURCE], "", "PersistentVolume"),
			.name = plan->volumes.items[i],
			.object = patch
		};
	code = o2_record_hold_many(context->record, objects, plan->volumes.count, err);
	free(objects);
	return code;
}

/* Jobs that run. Those that a CronJob made count too: they write into the same volumes. */
struct running {
	const struct o2_plan *plan;
	size_t count, loose_count; /* loose: the freeze does not suspend it */
	char *name;                /* of one of them, a loose one if there is any */
};

static bool is_of_application(const struct o2_plan *plan, const struct o2_doc *job)
{
	const char *uid = o2_doc_str(job, "/metadata/uid", "");

	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		if (strcmp(o2_app_object(plan->app, i)->uid, uid) == 0)
			return true;
	}
	return false;
}

static int see_job(void *arg, const struct o2_kube_kind *kind, struct o2_doc *job)
{
	struct running *running = arg;
	bool loose;

	(void)kind;
	if (!job || o2_doc_int(job, "/status/active", 0) == 0 ||
	    o2_doc_at(job, "/metadata/labels/os2os.io~1record"))
		return 0;
	loose = !is_of_application(running->plan, job);
	if (running->count++ == 0 || (loose && running->loose_count == 0)) {
		free(running->name);
		running->name =
			o2_xasprintf("Job %s/%s", o2_doc_str(job, "/metadata/namespace", ""),
				     o2_doc_str(job, "/metadata/name", "?"));
	}
	running->loose_count += loose;
	return 0;
}

static int count_jobs(const struct o2_plan *plan, struct running *running, struct o2_err *err)
{
	const struct o2_strs *namespaces = o2_app_source_namespaces(plan->app);
	struct o2_kube *kube = plan->kube[O2_SOURCE];

	for (size_t i = 0; i < namespaces->count; i++) {
		struct o2_kube_list list = { .kind = o2_kube_kind_find(kube, "batch", "Job"),
					     .ns = namespaces->items[i],
					     .selector = plan->options->selection.selector,
					     .fn = see_job,
					     .arg = running };
		int code = list.kind ? o2_kube_list(kube, &list, err) : 0;

		o2_kube_list_release(&list);
		if (code < 0)
			return code;
	}
	return 0;
}

/* Running Jobs get their time; what still runs then is stopped by the freeze, and starts over. */
static int await_jobs(struct o2_step_context *context, struct o2_err *err)
{
	int64_t wait_ms =
		1000 * (int64_t)(context->options->job_wait_s > 0 ? context->options->job_wait_s
								  : O2_PLAN_JOB_WAIT_S);
	int64_t give_up = o2_clock_ms() + wait_ms;

	for (;;) {
		struct running running = { .plan = context->plan };
		int code = count_jobs(context->plan, &running, err);
		O2_AUTO(o2_freep) char *name = running.name;

		if (code < 0 || running.count == 0)
			return code;
		o2_log_step(-1, -1, "waiting for %zu jobs to end: %s", running.count, name);
		if (o2_clock_ms() > give_up && running.loose_count == 0) {
			o2_log(O2_WARN,
			       "%s still runs: it is stopped, and starts over where it is given "
			       "back",
			       name);
			return 0;
		}
		if (o2_clock_ms() > give_up)
			return o2_fail(err, O2_ECONFLICT,
				       "%s still runs after %lld s; wait for its end, or give it "
				       "longer with --job-wait",
				       name, (long long)(wait_ms / 1000));
		if (o2_cancel_check(err) < 0 ||
		    o2_record_check(context->record, O2_STATE_OPEN, err) < 0)
			return err->code;
		o2_clock_sleep_ms(JOB_POLL_MS);
	}
}

O2_STEP_APPLY(o2_step_pause_apply)
{
	/* What changed while the data travelled shows before A stands still. */
	if ((o2_plan_is_move(context->plan) && o2_plan_see_drift(context, false, err) < 0) ||
	    o2_plan_hold_pausers(context, err) < 0 || hold_step(context, step, err) < 0 ||
	    await_jobs(context, err) < 0)
		return err->code;
	return o2_plan_carry_runs(context, step, err);
}

O2_STEP_APPLY(o2_step_freeze_apply)
{
	if (step == o2_plan_first_step(context->plan, O2_STEP_FREEZE) &&
	    o2_plan_raise_guard(context, err) < 0)
		return err->code;
	if (hold_step(context, step, err) < 0)
		return err->code;
	return o2_plan_await_stopped(context, step, err);
}

/* ---- giving back ------------------------------------------------------------------------------------------------------ */

/* Entries as objects of A; those whose kind A no longer serves are left out. Caller frees. */
static struct o2_record_object *objects_of(const struct o2_record *record,
					   const struct o2_record_entry *const *entries,
					   size_t count, size_t *out_count)
{
	struct o2_record_object *objects = o2_xcalloc(count + 1, sizeof(*objects));

	*out_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct o2_kube_kind *kind =
			o2_kube_kind_exact(o2_record_kube(record, O2_SOURCE),
					   entries[i]->api_version, entries[i]->kind);

		if (kind)
			objects[(*out_count)++] = (struct o2_record_object){
				.kind = kind, .ns = entries[i]->ns, .name = entries[i]->name
			};
	}
	return objects;
}

int o2_plan_keep_frozen(struct o2_record *record, struct o2_err *err)
{
	static const enum o2_step_id stopping[] = { O2_STEP_PAUSE, O2_STEP_FREEZE };
	int code = 0;

	for (size_t s = 0; s < O2_COUNT(stopping) && code == 0; s++) {
		size_t count, object_count;
		O2_AUTO(o2_freep)
		const struct o2_record_entry **entries =
			o2_step_entries(record, stopping[s], &count);
		struct o2_record_object *objects =
			objects_of(record, entries, count, &object_count);

		code = o2_record_hold_again(record, objects, object_count, err);
		free(objects);
	}
	return code;
}

/* The options as R1 has them. The strings belong to the document. */
static struct o2_doc *options_of(const struct o2_record *record, struct o2_plan_options *out)
{
	struct o2_doc *doc = o2_doc_copy(o2_record_head(record)->options);

	o2_plan_options_from_doc(doc, out);
	return doc;
}

static int give_back(struct o2_record *record, const struct o2_record_entry *const *entries,
		     size_t count, struct o2_err *err)
{
	size_t object_count;
	struct o2_record_object *objects = objects_of(record, entries, count, &object_count);
	O2_AUTO(o2_plan_options_release) struct o2_plan_options options = { 0 };
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = options_of(record, &options);
	int code = o2_plan_skip_runs(record, O2_SOURCE, objects, object_count, &options, err);

	if (code == 0)
		code = o2_record_restore_many(record, objects, object_count,
					      o2_record_head(record)->state, err);
	free(objects);
	return code;
}

O2_STEP_UNDO(o2_step_retain_undo)
{
	return give_back(record, entries, count, err);
}

O2_STEP_UNDO(o2_step_pause_undo)
{
	return give_back(record, entries, count, err);
}

/* ReplicaSets of the namespaces: their controller may be waiting long before it tries again, and they may carry copied annotations. */
struct sets {
	struct o2_record_object *items;
	size_t count, cap;
	bool with_pods; /* all that want pods, not only those with copied annotations */
};

static int see_set(void *arg, const struct o2_kube_kind *kind, struct o2_doc *set)
{
	struct sets *sets = arg;
	bool has_copy = o2_doc_at(set, "/metadata/annotations/os2os.io~1undo") != NULL;

	if (!set || !(has_copy || (sets->with_pods && o2_doc_int(set, "/spec/replicas", 0) > 0)))
		return 0;
	O2_GROW(sets->items, sets->count, sets->cap);
	sets->items[sets->count++] = (struct o2_record_object){
		.kind = kind,
		.ns = o2_xstrdup(o2_doc_str(set, "/metadata/namespace", "")),
		.name = o2_xstrdup(o2_doc_str(set, "/metadata/name", ""))
	};
	return 0;
}

static int wake_controllers(struct o2_record *record, bool with_pods, struct o2_err *err)
{
	const struct o2_strs *namespaces = &o2_record_head(record)->source_namespaces;
	struct o2_kube *kube = o2_record_kube(record, O2_SOURCE);
	struct sets sets = { .with_pods = with_pods };
	int code = 0;

	for (size_t i = 0; i < namespaces->count && code == 0; i++) {
		struct o2_kube_list list = { .kind = o2_kube_kind_find(kube, "apps", "ReplicaSet"),
					     .ns = namespaces->items[i],
					     .fn = see_set,
					     .arg = &sets };

		code = o2_kube_list(kube, &list, err);
		o2_kube_list_release(&list);
	}
	/* Who may not change ReplicaSets has to wait for their back-off to end. */
	if (code == 0 && sets.count > 0)
		code = o2_record_touch_many(record, sets.items, sets.count,
					    o2_record_head(record)->state, err);
	if (code == -O2_EAUTH) {
		o2_log(O2_DEBUG, "%s", err->message);
		o2_err_clear(err);
		code = 0;
	}
	for (size_t i = 0; i < sets.count; i++) {
		free((char *)sets.items[i].ns);
		free((char *)sets.items[i].name);
	}
	free(sets.items);
	return code;
}

/* As many pods ready as before, workload by workload (U14). */
static int see_serving(struct o2_record *record, const struct o2_record_entry *const *entries,
		       size_t count, struct o2_err *err)
{
	struct o2_kube *kube = o2_record_kube(record, O2_SOURCE);
	O2_AUTO(o2_freep)
	struct o2_plan_awaited *items = o2_xcalloc(count + 1, sizeof(*items));
	O2_AUTO(o2_plan_options_release) struct o2_plan_options options = { 0 };
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = options_of(record, &options);
	struct o2_plan_await await = { .kube = kube, .side = "A", .items = items };

	await.timeout_ms = o2_plan_start_timeout_ms(&options);
	await.lost_timeout_ms = o2_plan_lost_timeout_ms(&options);
	await.is_patient = true;
	for (size_t i = 0; i < count; i++) {
		const struct o2_kube_kind *kind =
			o2_kube_kind_exact(kube, entries[i]->api_version, entries[i]->kind);

		if (kind && entries[i]->ready > 0)
			items[await.count++] =
				(struct o2_plan_awaited){ .kind = kind,
							  .ns = entries[i]->ns,
							  .name = entries[i]->name,
							  .ready = entries[i]->ready };
	}
	return o2_plan_await_ready(&await, err);
}

/* What the application needs first comes back first: the last wave that was frozen is the lowest level. */
static size_t select_wave(const struct o2_record_entry *const *entries, size_t count, int wave,
			  const struct o2_record_entry **out)
{
	size_t selected = 0;

	for (size_t i = 0; i < count; i++) {
		if (entries[i]->wave == wave)
			out[selected++] = entries[i];
	}
	return selected;
}

O2_STEP_UNDO(o2_step_freeze_undo)
{
	O2_AUTO(o2_freep)
	const struct o2_record_entry **wave = o2_xcalloc(count + 1, sizeof(*wave));
	int last = 0, code = o2_plan_lift_guard(record, err);

	for (size_t i = 0; i < count; i++)
		last = entries[i]->wave > last ? entries[i]->wave : last;
	for (int number = last; number >= 0 && code == 0; number--) {
		size_t selected = select_wave(entries, count, number, wave);

		if (selected == 0)
			continue;
		code = give_back(record, wave, selected, err);
		if (code == 0)
			code = wake_controllers(record, true, err);
		if (code == 0)
			code = see_serving(record, wave, selected, err);
	}
	/* A controller that had lost its server may have copied the undo once more from what it remembered. */
	return code < 0 ? code : wake_controllers(record, false, err);
}

/* A copy has the data: A goes on. */
O2_STEP_APPLY(o2_step_thaw_apply)
{
	static const enum o2_step_id order[] = { O2_STEP_FREEZE, O2_STEP_PAUSE, O2_STEP_RETAIN };

	(void)step;
	if (o2_record_clear_helpers(context->record, O2_SOURCE, err) < 0)
		return err->code;
	for (size_t i = 0; i < O2_COUNT(order); i++) {
		size_t count;
		O2_AUTO(o2_freep)
		const struct o2_record_entry **entries =
			o2_step_entries(context->record, order[i], &count);

		if (o2_step_type(order[i])->undo(context->record, entries, count, err) < 0)
			return err->code;
	}
	return o2_record_set_freeze(context->record, 0, 0, "", err);
}
