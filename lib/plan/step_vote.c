/*
 * Step vote: B is asked for everything that could still fail after the decision, and what is to be done then is stored in B.
 *
 * Pod templates are tried as Pods (a workload with a template that no pod may have is accepted by the server), late objects as
 * dry-run creates, now that namespace and service accounts are there.
 */
#include "plan/plan_internal.h"

O2_STEP_CHECK(o2_step_vote_check)
{
	(void)depth, (void)err;
	if (step->object_count > 0)
		o2_plan_find(plan, "pods", O2_PLAN_UNKNOWN, "", "",
			     "%zu pod templates are tried on B in the vote, and images when they "
			     "start; a failure undoes everything",
			     step->object_count);
	return 0;
}

/* A Pod as the workload's controller would make it. */
static struct o2_doc *pod_of(struct o2_doc *workload, size_t number)
{
	struct o2_doc *pod = o2_doc_copy(o2_app_pod_template(workload));
	const struct o2_doc *claims = o2_doc_at(workload, "/spec/volumeClaimTemplates");
	O2_AUTO(o2_freep) char *name = o2_xasprintf("os2os-vote-%zu", number);

	o2_doc_put_str(pod, "/apiVersion", "v1");
	o2_doc_put_str(pod, "/kind", "Pod");
	o2_doc_put_str(pod, "/metadata/name", name);
	for (size_t i = 0; i < o2_doc_count(claims); i++) {
		const char *template = o2_doc_str(o2_doc_item(claims, i), "/metadata/name", "");
		O2_AUTO(o2_freep)
		char *claim = o2_xasprintf("%s-%s-0", template,
					   o2_doc_str(workload, "/metadata/name", ""));
		struct o2_doc *volume = o2_doc_object_new();

		o2_doc_put_str(volume, "/name", template);
		o2_doc_put_str(volume, "/persistentVolumeClaim/claimName", claim);
		if (!o2_doc_at(pod, "/spec/volumes"))
			o2_doc_put(pod, "/spec/volumes", o2_doc_array_new());
		o2_doc_append(o2_doc_at(pod, "/spec/volumes"), volume);
	}
	return pod;
}

/* Dry-run all trials; the first objection is the error. */
static int try_all(struct o2_kube *kube, struct o2_kube_trial *trials, size_t count,
		   struct o2_app *app, const size_t *index, struct o2_err *err)
{
	int code = 0;

	o2_kube_try_create_many(kube, trials, count);
	for (size_t i = 0; i < count; i++) {
		if (trials[i].err.code < 0 && code == 0 &&
		    strcmp(trials[i].err.reason, "AlreadyExists") != 0) {
			*err = trials[i].err;
			code = o2_prefix(err, "B would refuse %s",
					 o2_app_target_label(app, index[i]));
		}
		o2_doc_free((struct o2_doc *)trials[i].object);
		o2_doc_free(trials[i].result);
	}
	return code;
}

static int try_pods(struct o2_step_context *context, const struct o2_plan_step *step,
		    struct o2_err *err)
{
	struct o2_app *app = context->plan->app;
	struct o2_kube *kube = context->plan->kube[O2_TARGET];
	struct o2_kube_trial *trials = o2_xcalloc(step->object_count + 1, sizeof(*trials));
	size_t *index = o2_xcalloc(step->object_count + 1, sizeof(*index));
	size_t count = 0;
	int code;

	for (size_t i = 0; i < step->object_count; i++) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *workload = o2_app_target(app, step->objects[i], O2_APP_FULL);
		const struct o2_app_object *object = o2_app_object(app, step->objects[i]);

		if (!o2_app_pod_template(workload) || strcmp(object->kind->kind, "Pod") == 0)
			continue;
		index[count] = step->objects[i];
		trials[count] = (struct o2_kube_trial){ .kind = o2_kube_kind_find(kube, "", "Pod"),
							.ns = object->target_ns,
							.object = pod_of(workload, count) };
		count++;
	}
	code = try_all(kube, trials, count, app, index, err);
	free(trials);
	free(index);
	return code;
}

/*
 * What B is asked to create for an object that opens after the decision: itself if it is late, and a Service that is there without its
 * outside ports under another name, since only a CREATE with the ports proves that they are free. NULL: nothing to ask.
 */
static struct o2_doc *opening_trial(const struct o2_plan *plan, size_t index)
{
	const struct o2_app_object *object = o2_app_object(plan->app, index);
	struct o2_doc *full;

	if (!object->target_kind || plan->adopted[index])
		return NULL;
	if (object->created != O2_APP_CREATED_LATE &&
	    (object->started != O2_APP_STARTED_OPEN || strcmp(object->kind->kind, "Service") != 0))
		return NULL;
	full = o2_app_target(plan->app, index, O2_APP_FULL);
	if (object->created != O2_APP_CREATED_LATE) {
		O2_AUTO(o2_freep) char *name = o2_xasprintf("os2os-vote-%zu", index);

		o2_doc_put_str(full, "/metadata/name", name);
	}
	return full;
}

static int try_opening(struct o2_step_context *context, struct o2_err *err)
{
	struct o2_app *app = context->plan->app;
	struct o2_kube_trial *trials = o2_xcalloc(o2_app_count(app) + 1, sizeof(*trials));
	size_t *index = o2_xcalloc(o2_app_count(app) + 1, sizeof(*index));
	size_t count = 0;
	int code;

	for (size_t i = 0; i < o2_app_count(app); i++) {
		const struct o2_app_object *object = o2_app_object(app, i);
		struct o2_doc *trial = opening_trial(context->plan, i);

		if (!trial)
			continue;
		index[count] = i;
		trials[count++] = (struct o2_kube_trial){ .kind = object->target_kind,
							  .ns = object->target_ns,
							  .object = trial };
	}
	code = try_all(context->plan->kube[O2_TARGET], trials, count, app, index, err);
	free(trials);
	free(index);
	return code;
}

/* One item of the opening: create a late object, or arm one that is there. */
static struct o2_doc *opening_item(struct o2_plan *plan, size_t index)
{
	const struct o2_app_object *object = o2_app_object(plan->app, index);
	struct o2_doc *item = o2_doc_object_new();
	bool late = object->created == O2_APP_CREATED_LATE;
	O2_AUTO(o2_doc_freep) struct o2_doc *full = o2_app_target(plan->app, index, O2_APP_FULL);
	O2_AUTO(o2_doc_freep) struct o2_doc *source = o2_app_source(plan->app, index);
	O2_AUTO(o2_freep) char *old_address = o2_plan_address(source);

	o2_doc_set_str(item, "op", late ? "create" : "change");
	/* What is there already is armed first: late objects (webhooks, routes) may point at it. */
	o2_doc_set(item, "wave", o2_doc_int_new(late ? object->wave + 1 : 0));
	o2_doc_set_str(item, "apiVersion", object->target_kind->api_version);
	o2_doc_set_str(item, "kind", object->target_kind->kind);
	if (object->target_ns)
		o2_doc_set_str(item, "namespace", object->target_ns);
	o2_doc_set_str(item, "name", object->target_name);
	if (old_address)
		o2_doc_set_str(item, "old", old_address);
	if (late) {
		o2_doc_set(item, "body", O2_STEAL(full));
	} else {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *inert = o2_app_target(plan->app, index, O2_APP_INERT);

		o2_doc_set(item, "body", o2_doc_merge_diff(inert, full));
	}
	return item;
}

static int store_opening(struct o2_step_context *context, struct o2_err *err)
{
	struct o2_plan *plan = context->plan;
	const struct o2_plan_step *open = o2_plan_first_step(plan, O2_STEP_OPEN);
	O2_AUTO(o2_doc_freep) struct o2_doc *items = o2_doc_array_new();

	for (size_t i = 0; i < open->object_count; i++)
		o2_doc_append(items, opening_item(plan, open->objects[i]));
	return o2_record_store_opening(context->record, items, err);
}

O2_STEP_APPLY(o2_step_vote_apply)
{
	if (try_pods(context, step, err) < 0 || try_opening(context, err) < 0)
		return err->code;
	/* R2 last: a B whose R2 is older than its vote has lost something of what it voted for. */
	if (store_opening(context, err) < 0)
		return err->code;
	return o2_record_mirror(context->record, err);
}
