/* Steps lock and record: nobody else works on these namespaces, and everything that will be touched is known beforehand. */
#include "plan/plan_internal.h"

#include "kube/health.h"

static int see_free(struct o2_plan *plan, enum o2_side side, const char *ns, struct o2_err *err)
{
	struct o2_kube *kube = plan->kube[side];
	O2_AUTO(o2_doc_freep)
	struct o2_doc *lock =
		o2_kube_get(kube, o2_kube_kind_find(kube, "", "ConfigMap"), ns, "os2os-lock", err);
	const char *id = o2_doc_str(lock, "/data/transaction", "?");
	O2_AUTO(o2_freep)
	char *remedy = o2_xasprintf(
		"wait for its end, or run 'os2os recover %s' if its process is gone", id);

	if (lock) {
		o2_plan_block(plan, "lock", O2_PLAN_PROVED, ns, remedy,
			      "is held in %s by transaction %s (%s)", o2_kube_name(kube), id,
			      o2_doc_str(lock, "/data/holder", "?"));
		return 0;
	}
	/* Whether it may be read is for the access check to tell. */
	if (err->code != -O2_ENOTFOUND && err->code != -O2_EAUTH)
		return err->code;
	o2_err_clear(err);
	return 0;
}

O2_STEP_CHECK(o2_step_lock_check)
{
	const struct o2_strs *from = o2_app_source_namespaces(plan->app),
			     *to = o2_app_target_namespaces(plan->app);

	(void)step, (void)depth;
	for (size_t i = 0; i < from->count; i++) {
		if (see_free(plan, O2_SOURCE, from->items[i], err) < 0)
			return err->code;
	}
	for (size_t i = 0; i < to->count; i++) {
		if (!o2_plan_namespace_is_new(plan, to->items[i]) &&
		    see_free(plan, O2_TARGET, to->items[i], err) < 0)
			return err->code;
	}
	return 0;
}

O2_STEP_APPLY(o2_step_lock_apply)
{
	const struct o2_plan *plan = context->plan;
	const struct o2_strs *from = o2_app_source_namespaces(plan->app),
			     *to = o2_app_target_namespaces(plan->app);

	(void)step;
	for (size_t i = 0; i < from->count; i++) {
		if (o2_record_lock(context->record, O2_SOURCE, from->items[i], err) < 0)
			return err->code;
	}
	for (size_t i = 0; i < to->count; i++) {
		if (!o2_plan_namespace_is_new(plan, to->items[i]) &&
		    o2_record_lock(context->record, O2_TARGET, to->items[i], err) < 0)
			return err->code;
	}
	return 0;
}

O2_STEP_APPLY(o2_step_record_apply)
{
	const struct o2_plan *plan = context->plan;
	O2_AUTO(o2_doc_freep) struct o2_doc *options = o2_plan_options_to_doc(plan->options);
	char digest[65];

	if (o2_record_head(context->record)->state != O2_STATE_ABSENT)
		return o2_record_check(context->record, O2_STATE_OPEN, err);
	o2_app_digest(plan->app, digest);
	o2_plan_declare(plan, context->record);
	struct o2_record_begin begin = { .source_namespaces = o2_app_source_namespaces(plan->app),
					 .target_namespaces = o2_app_target_namespaces(plan->app),
					 .source_name = plan->options->source_name,
					 .target_name = plan->options->target_name,
					 .options = options,
					 .plan_digest = digest };
	if (o2_record_begin(context->record, &begin, err) < 0)
		return err->code;
	/* A lock that somebody took for a stray between the two is made again, or the conflict ends this transaction here. */
	return o2_step_lock_apply(context, step, err);
}

static void declare(struct o2_record *record, const struct o2_plan_step *step,
		    const char *api_version, const char *kind, const char *ns, const char *name)
{
	struct o2_record_entry entry = { .step = (char *)step->type->name,
					 .side = O2_TARGET,
					 .api_version = (char *)api_version,
					 .kind = (char *)kind,
					 .ns = (char *)ns,
					 .name = (char *)name,
					 .wave = step->wave };

	o2_record_declare(record, &entry);
}

/* One object of A, with its uid: held by a step, or taken away by `finalize`. */
static void declare_source(struct o2_record *record, const struct o2_plan *plan, size_t index,
			   const char *step, int wave)
{
	const struct o2_app_object *object = o2_app_object(plan->app, index);
	O2_AUTO(o2_doc_freep) struct o2_doc *source = o2_app_source(plan->app, index);
	struct o2_record_entry entry = { .step = (char *)step,
					 .side = O2_SOURCE,
					 .api_version = (char *)object->kind->api_version,
					 .kind = (char *)object->kind->kind,
					 .ns = (char *)object->ns,
					 .name = (char *)object->name,
					 .uid = (char *)object->uid,
					 .ready = (int)o2_kube_ready_pods(source),
					 .wave = wave };

	o2_record_declare(record, &entry);
}

static void declare_volumes(struct o2_record *record, const struct o2_plan *plan)
{
	for (size_t i = 0; i < plan->volumes.count; i++) {
		struct o2_record_entry entry = {
			.step = (char *)o2_step_type(O2_STEP_RETAIN)->name,
			.side = O2_SOURCE,
			.api_version = (char *)"v1",
			.kind = (char *)"PersistentVolume",
			.name = plan->volumes.items[i],
		};

		o2_record_declare(record, &entry);
	}
}

/* What A will no longer need: the application's own objects. What it only refers to may be a neighbour's as well. */
static void declare_retired(struct o2_record *record, const struct o2_plan *plan)
{
	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, i);

		if (object->ns && !object->by_reference)
			declare_source(record, plan, i, O2_RECORD_RETIRE, object->wave);
	}
}

void o2_plan_declare(const struct o2_plan *plan, struct o2_record *record)
{
	const struct o2_strs *namespaces = o2_app_target_namespaces(plan->app);

	for (size_t s = 0; s < plan->step_count; s++) {
		const struct o2_plan_step *step = &plan->steps[s];
		enum o2_step_id id = o2_step_id_of(step->type);

		if (!step->type->undo)
			continue;
		for (size_t i = 0; id == O2_STEP_NAMESPACE && i < plan->new_namespaces.count; i++)
			declare(record, step, "v1", "Namespace", NULL,
				plan->new_namespaces.items[i]);
		for (size_t i = 0; id == O2_STEP_OWNER && i < namespaces->count; i++)
			declare(record, step, "v1", "ConfigMap", namespaces->items[i],
				o2_record_id(record));
		for (size_t i = 0; i < step->object_count; i++) {
			const struct o2_app_object *object =
				o2_app_object(plan->app, step->objects[i]);

			if (o2_plan_is_freezing(step)) {
				declare_source(record, plan, step->objects[i], step->type->name,
					       step->wave);
				continue;
			}
			declare(record, step, object->target_kind->api_version,
				object->target_kind->kind, object->target_ns, object->target_name);
		}
	}
	if (o2_plan_freezes(plan)) {
		declare_volumes(record, plan);
		o2_plan_declare_pausers(plan, record);
	}
	if (o2_plan_is_move(plan))
		declare_retired(record, plan);
}
