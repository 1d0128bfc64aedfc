/*
 * May this user do all that the plan needs, on both sides, the undo included? The server is asked for each verb beforehand
 * (SelfSubjectAccessReview), so that nothing is begun that can't be ended.
 */
#include "plan/plan_internal.h"

struct wishes {
	struct o2_kube_access *items;
	size_t count, cap;
};

static void wish(struct wishes *wishes, const struct o2_kube_kind *kind, const char *ns,
		 const char *verb)
{
	for (size_t i = 0; i < wishes->count; i++) {
		const struct o2_kube_access *known = &wishes->items[i];
		bool same_ns =
			(!known->ns && !ns) || (known->ns && ns && strcmp(known->ns, ns) == 0);

		if (same_ns && !known->subresource && strcmp(known->verb, verb) == 0 &&
		    strcmp(known->group, kind->group) == 0 &&
		    strcmp(known->resource, kind->resource) == 0)
			return;
	}
	O2_GROW(wishes->items, wishes->count, wishes->cap);
	wishes->items[wishes->count++] = (struct o2_kube_access){
		.verb = verb, .group = kind->group, .resource = kind->resource, .ns = ns
	};
}

static void wish_exec(struct wishes *wishes, const char *ns)
{
	for (size_t i = 0; i < wishes->count; i++) {
		if (wishes->items[i].subresource && strcmp(wishes->items[i].ns, ns) == 0)
			return;
	}
	O2_GROW(wishes->items, wishes->count, wishes->cap);
	wishes->items[wishes->count++] = (struct o2_kube_access){
		.verb = "create", .group = "", .resource = "pods", .subresource = "exec", .ns = ns
	};
}

static void wish_all(struct wishes *wishes, const struct o2_kube_kind *kind, const char *ns)
{
	static const char *const verbs[] = { "create", "get", "patch", "delete" };

	for (size_t i = 0; i < O2_COUNT(verbs); i++)
		wish(wishes, kind, ns, verbs[i]);
}

/* What stops is read and patched. */
static void wish_freeze(struct wishes *source, const struct o2_plan *plan)
{
	for (size_t s = 0; s < plan->step_count; s++) {
		const struct o2_plan_step *step = &plan->steps[s];

		for (size_t i = 0; o2_plan_is_freezing(step) && i < step->object_count; i++) {
			const struct o2_app_object *object =
				o2_app_object(plan->app, step->objects[i]);

			wish(source, object->kind, object->ns, "get");
			wish(source, object->kind, object->ns, "patch");
		}
	}
}

/* Movers are pods, and their agents are spoken with by exec. */
static void wish_movers(struct wishes *wishes, const struct o2_plan *plan, enum o2_side side)
{
	const struct o2_kube_kind *pod = o2_kube_kind_find(plan->kube[side], "", "Pod");

	for (size_t i = 0; i < plan->group_count; i++) {
		const char *ns = plan->groups[i].ns[side];

		wish_all(wishes, pod, ns);
		wish(wishes, pod, ns, "list");
		wish_exec(wishes, ns);
	}
}

static int ask(struct o2_plan *plan, enum o2_side side, struct wishes *wishes, struct o2_err *err)
{
	struct o2_kube *kube = plan->kube[side];
	size_t refused = 0;

	o2_kube_can_many(kube, wishes->items, wishes->count);
	for (size_t i = 0; i < wishes->count; i++) {
		const struct o2_kube_access *review = &wishes->items[i];
		O2_AUTO(o2_freep)
		char *subject = o2_xasprintf("%s %s%s%s%s%s", review->verb, review->resource,
					     review->subresource ? "/" : "",
					     review->subresource ? review->subresource : "",
					     review->group[0] ? "." : "", review->group);

		if (review->err.code < 0) {
			*err = review->err;
			free(wishes->items);
			return o2_prefix(err, "cannot ask what is allowed in %s",
					 o2_kube_name(kube));
		}
		if (review->allowed)
			continue;
		refused++;
		o2_plan_block(
			plan, "access", O2_PLAN_PROVED, subject,
			"have the cluster's administrator grant it with a Role and RoleBinding",
			"is not allowed in %s%s of %s%s%s",
			review->ns ? "namespace " : "the cluster scope",
			review->ns ? review->ns : "", o2_kube_name(kube),
			review->reason[0] ? ": " : "", review->reason);
	}
	if (refused == 0)
		o2_plan_find(plan, "access", O2_PLAN_PROVED, o2_kube_name(kube), "",
			     "%zu permissions were asked for, all are granted", wishes->count);
	free(wishes->items);
	return 0;
}

int o2_plan_check_access(struct o2_plan *plan, struct o2_err *err)
{
	const struct o2_strs *from = o2_app_source_namespaces(plan->app),
			     *to = o2_app_target_namespaces(plan->app);
	const struct o2_kube_kind *map_a =
		o2_kube_kind_find(plan->kube[O2_SOURCE], "", "ConfigMap");
	const struct o2_kube_kind *map_b =
		o2_kube_kind_find(plan->kube[O2_TARGET], "", "ConfigMap");
	struct wishes source = { 0 }, target = { 0 };

	for (size_t i = 0; i < from->count; i++) {
		wish_all(&source, map_a, from->items[i]);
		wish(&source, map_a, from->items[i], "update");
	}
	for (size_t i = 0; i < to->count; i++) {
		wish_all(&target, map_b, to->items[i]);
		wish(&target, map_b, to->items[i], "update");
	}
	if (plan->new_namespaces.count > 0)
		wish_all(&target, o2_kube_kind_find(plan->kube[O2_TARGET], "", "Namespace"), NULL);
	for (size_t i = 0; i < o2_app_count(plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, i);

		if (object->target_kind && !plan->adopted[i])
			wish_all(&target, object->target_kind, object->target_ns);
	}
	wish_freeze(&source, plan);
	wish_movers(&source, plan, O2_SOURCE);
	wish_movers(&target, plan, O2_TARGET);
	if (ask(plan, O2_SOURCE, &source, err) < 0) {
		free(target.items);
		return err->code;
	}
	return ask(plan, O2_TARGET, &target, err);
}

int o2_plan_may(const struct o2_plan *plan, enum o2_side side, struct o2_kube_access *accesses,
		size_t count, bool *out, struct o2_err *err)
{
	o2_kube_can_many(plan->kube[side], accesses, count);
	*out = true;
	for (size_t i = 0; i < count; i++) {
		if (accesses[i].err.code < 0) {
			*err = accesses[i].err;
			return err->code;
		}
		*out = *out && accesses[i].allowed;
	}
	return 0;
}
