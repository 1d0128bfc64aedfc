/*
 * What is on B already: an object with a name that the plan would create is a blocker; a cluster-scoped one that is equal is adopted.
 */
#include "plan/plan_internal.h"

/* Everything that matters is equal: all members but metadata and status. */
static bool is_equal(const struct o2_doc *wanted, const struct o2_doc *there)
{
	for (struct o2_doc_iter it = o2_doc_iter(wanted); o2_doc_next(&it);) {
		if (strcmp(it.name, "metadata") == 0 || strcmp(it.name, "status") == 0)
			continue;
		if (!o2_doc_equal(it.value, o2_doc_member(there, it.name)))
			return false;
	}
	return true;
}

int o2_plan_adopt(struct o2_plan *plan, struct o2_err *err)
{
	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, i);

		if (!object->target_kind || object->target_kind->namespaced)
			continue;
		O2_AUTO(o2_doc_freep)
		struct o2_doc *there = o2_kube_get(plan->kube[O2_TARGET], object->target_kind, NULL,
						   object->target_name, err);
		if (!there && err->code == -O2_ENOTFOUND) {
			o2_err_clear(err);
			continue;
		}
		if (!there)
			return err->code;
		O2_AUTO(o2_doc_freep)
		struct o2_doc *wanted = o2_app_target(plan->app, i, O2_APP_FULL);
		if (is_equal(wanted, there)) {
			plan->adopted[i] = true;
			o2_plan_find(plan, "cluster objects", O2_PLAN_PROVED,
				     o2_app_target_label(plan->app, i), "",
				     "is on B already, equal: it is used as it is");
		} else {
			o2_plan_block(plan, "cluster objects", O2_PLAN_PROVED,
				      o2_app_target_label(plan->app, i),
				      "make them equal, or leave the kind out with --exclude",
				      "is on B already and differs");
		}
	}
	return 0;
}

int o2_plan_check_collisions(struct o2_plan *plan, struct o2_plan_step *step, struct o2_err *err)
{
	struct o2_kube_read *reads =
		o2_xcalloc(step->object_count ? step->object_count : 1, sizeof(*reads));
	size_t count = 0;
	int code = 0;

	for (size_t i = 0; i < step->object_count; i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, step->objects[i]);

		if (object->target_kind->namespaced &&
		    !o2_plan_namespace_is_new(plan, object->target_ns))
			reads[count++] = (struct o2_kube_read){ .kind = object->target_kind,
								.ns = object->target_ns,
								.name = object->target_name };
	}
	o2_kube_get_many(plan->kube[O2_TARGET], reads, count);
	for (size_t i = 0; i < count; i++) {
		O2_AUTO(o2_freep)
		char *subject =
			o2_xasprintf("%s %s/%s", reads[i].kind->kind, reads[i].ns, reads[i].name);

		if (reads[i].object)
			o2_plan_block(plan, "new on B", O2_PLAN_PROVED, subject,
				      "remove it, choose another namespace with --to-namespace, or "
				      "leave the kind out with --exclude",
				      "is in %s already", o2_kube_name(plan->kube[O2_TARGET]));
		else if (reads[i].err.code != -O2_ENOTFOUND && code == 0) {
			*err = reads[i].err;
			code = err->code;
		}
		o2_doc_free(reads[i].object);
	}
	if (code == 0 && count > 0)
		o2_plan_find(plan, "new on B", O2_PLAN_PROVED, "", "",
			     "%zu names were looked up on B", count);
	free(reads);
	return code;
}
