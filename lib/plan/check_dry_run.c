/* What the server itself says to each object: dry-run creates, where the namespace exists (elsewhere it would only say that it is absent). */
#include "plan/plan_internal.h"

int o2_plan_check_dry_run(struct o2_plan *plan, struct o2_plan_step *step, struct o2_err *err)
{
	struct o2_kube_trial *trials =
		o2_xcalloc(step->object_count ? step->object_count : 1, sizeof(*trials));
	size_t *index = o2_xcalloc(step->object_count ? step->object_count : 1, sizeof(*index));
	size_t count = 0, refused = 0, unasked = 0;

	(void)err;
	for (size_t i = 0; i < step->object_count; i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, step->objects[i]);

		if (object->target_kind->namespaced &&
		    o2_plan_namespace_is_new(plan, object->target_ns)) {
			unasked++;
			continue;
		}
		index[count] = step->objects[i];
		trials[count++] =
			(struct o2_kube_trial){ .kind = object->target_kind,
						.ns = object->target_ns,
						.object = o2_app_target(plan->app, step->objects[i],
									O2_APP_FULL) };
	}
	o2_kube_try_create_many(plan->kube[O2_TARGET], trials, count);
	for (size_t i = 0; i < count; i++) {
		const char *label = o2_app_target_label(plan->app, index[i]);

		/* AlreadyExists is told by the look for collisions, with its remedy. */
		if (trials[i].err.code < 0 && strcmp(trials[i].err.reason, "AlreadyExists") != 0) {
			refused++;
			o2_plan_block(plan, "accepted by B", O2_PLAN_PROVED, label,
				      "change the object on A or B's policy, then try again", "%s",
				      trials[i].err.message);
		} else if (trials[i].warning[0]) {
			o2_plan_warn(plan, "accepted by B", O2_PLAN_PROVED, label, "", "%s",
				     trials[i].warning);
		}
		o2_doc_free((struct o2_doc *)trials[i].object);
		o2_doc_free(trials[i].result);
	}
	if (count > 0 && refused == 0)
		o2_plan_find(plan, "accepted by B", O2_PLAN_PROVED, "", "",
			     "%zu objects of step %s passed a server dry run", count,
			     step->type->name);
	if (unasked > 0)
		o2_plan_find(plan, "accepted by B", O2_PLAN_UNKNOWN, "", "",
			     "%zu objects of step %s can be asked for only once their namespace is "
			     "there: the vote does it",
			     unasked, step->type->name);
	free(trials);
	free(index);
	return 0;
}
