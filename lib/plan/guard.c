/*
 * The guard of the freeze: what keeps application pods from appearing in a frozen namespace (PROTOCOL.md, Guards).
 *
 * A quota of 0 pods with scope NotTerminating refuses ordinary pods and admits those that bound their own life: movers and
 * the watchdog. It hits every pod of the namespace, so it is used only where all of them are the application's.
 */
#include "plan/plan_internal.h"

char *o2_plan_guard_object(const struct o2_record *record)
{
	return o2_xasprintf("os2os-guard-%s", o2_record_id(record));
}

static struct o2_doc *quota(const char *ns, const char *name)
{
	struct o2_doc *doc = o2_doc_object_new();

	o2_doc_put_str(doc, "/apiVersion", "v1");
	o2_doc_put_str(doc, "/kind", "ResourceQuota");
	o2_doc_put_str(doc, "/metadata/name", name);
	o2_doc_put_str(doc, "/metadata/namespace", ns);
	o2_doc_put_str(doc, "/spec/hard/pods", "0");
	o2_doc_put(doc, "/spec/scopes", o2_doc_array_new());
	o2_doc_append_str(o2_doc_at(doc, "/spec/scopes"), "NotTerminating");
	return doc;
}

/* Would anybody else in the namespaces lose pods by it? */
static bool covers_namespaces(const struct o2_plan *plan)
{
	const struct o2_app_selection *selection = &plan->options->selection;

	return !(selection->selector && selection->selector[0]) &&
	       selection->exclude_kinds.count == 0;
}

static int may_make_quotas(struct o2_plan *plan, bool *out, struct o2_err *err)
{
	const struct o2_strs *namespaces = o2_app_source_namespaces(plan->app);
	static const char *const verbs[] = { "create", "delete", "get", "list" };

	struct o2_kube_access *accesses =
		o2_xcalloc(namespaces->count * O2_COUNT(verbs) + 1, sizeof(*accesses));
	size_t count = 0;
	int code;

	for (size_t i = 0; i < namespaces->count; i++) {
		for (size_t v = 0; v < O2_COUNT(verbs); v++)
			accesses[count++] = (struct o2_kube_access){ .verb = verbs[v],
								     .resource = "resourcequotas",
								     .ns = namespaces->items[i] };
	}
	code = o2_plan_may(plan, O2_SOURCE, accesses, count, out, err);
	free(accesses);
	return code;
}

int o2_plan_choose_guard(struct o2_plan *plan, enum o2_plan_depth depth, struct o2_err *err)
{
	const char *wish = plan->options->guard ? plan->options->guard : "auto";
	bool covers = covers_namespaces(plan), may = true;

	plan->guard = O2_PLAN_GUARD_WATCH;
	if (strcmp(wish, "watch") == 0) {
		o2_plan_find(plan, "guard", O2_PLAN_COMPUTED, "", "",
			     "the frozen application is only watched (--guard=watch): a pod that "
			     "appears before the decision undoes the migration");
		return 0;
	}
	if (depth == O2_PLAN_SERVER && may_make_quotas(plan, &may, err) < 0)
		return err->code;
	if (covers && may) {
		plan->guard = O2_PLAN_GUARD_QUOTA;
		o2_plan_find(plan, "guard",
			     depth == O2_PLAN_SERVER ? O2_PLAN_PROVED : O2_PLAN_UNKNOWN, "", "",
			     "a quota keeps pods out of A's frozen namespaces");
	} else if (strcmp(wish, "quota") == 0) {
		o2_plan_block(plan, "guard", O2_PLAN_PROVED, "",
			      covers ? "have the right to create, list and delete resourcequotas "
				       "granted, or say --guard=watch"
				     : "select whole namespaces, or say --guard=watch",
			      covers ? "resourcequotas may not be made in A's namespaces"
				     : "a quota would refuse pods of others in A's namespaces too");
	} else {
		o2_plan_warn(plan, "guard", O2_PLAN_PROVED, "", "",
			     covers ? "resourcequotas may not be made in A's namespaces: the "
				      "frozen application is only watched, and a pod that appears "
				      "before the decision undoes the migration"
				    : "others live in A's namespaces, so no quota keeps pods out: "
				      "the frozen application is only watched, and a pod of it "
				      "that appears before the decision undoes the migration");
	}
	return 0;
}

int o2_plan_raise_guard(struct o2_step_context *context, struct o2_err *err)
{
	const struct o2_plan *plan = context->plan;
	const struct o2_strs *namespaces = o2_app_source_namespaces(plan->app);
	const struct o2_kube_kind *kind =
		o2_kube_kind_find(plan->kube[O2_SOURCE], "", "ResourceQuota");
	O2_AUTO(o2_freep) char *name = o2_plan_guard_object(context->record);

	if (plan->guard != O2_PLAN_GUARD_QUOTA)
		return 0;
	for (size_t i = 0; i < namespaces->count; i++) {
		const char *ns = namespaces->items[i];
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = quota(ns, name);
		struct o2_record_object object = {
			.kind = kind, .ns = ns, .name = name, .object = doc
		};

		if (o2_record_create_helpers(context->record, O2_SOURCE, &object, 1, err) < 0)
			return o2_prefix(err, "cannot guard namespace '%s'", ns);
	}
	return 0;
}

int o2_plan_lift_guard(struct o2_record *record, struct o2_err *err)
{
	const struct o2_strs *namespaces = &o2_record_head(record)->source_namespaces;
	const struct o2_kube_kind *kind =
		o2_kube_kind_find(o2_record_kube(record, O2_SOURCE), "", "ResourceQuota");
	O2_AUTO(o2_freep) char *name = o2_plan_guard_object(record);
	struct o2_record_object *objects = o2_xcalloc(namespaces->count + 1, sizeof(*objects));
	int code;

	for (size_t i = 0; i < namespaces->count; i++)
		objects[i] = (struct o2_record_object){ .kind = kind,
							.ns = namespaces->items[i],
							.name = name };
	code = o2_record_remove_helpers(record, O2_SOURCE, objects, namespaces->count, err);
	free(objects);
	/* Who may not even read quotas could not make one. */
	if (code == -O2_EAUTH) {
		o2_err_clear(err);
		code = 0;
	}
	return code;
}
