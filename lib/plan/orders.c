/*
 * What the watchdog is to do: requests as text, prepared here, replayed by an agent that knows nothing of Kubernetes.
 *
 * First the compare-and-swap of R1, which must succeed; then the guard is lifted and each frozen object set back, what the application
 * needs first coming first. Marks and managedFields stay for whoever recovers: the watchdog only has A serve again.
 */
#include "plan/plan_internal.h"

static void add_request(struct o2_buf *out, const char *rule, const char *method, const char *path,
			const char *type, const char *body, const char *mark)
{
	o2_buf_addf(out, "%s %s %s %s %zu %s\n%s\n", rule, method, path, type, strlen(body), mark,
		    body);
}

static void add_test(struct o2_doc *ops, const char *op, const char *path, const char *value)
{
	struct o2_doc *item = o2_doc_object_new();

	o2_doc_set_str(item, "op", op);
	o2_doc_set_str(item, "path", path);
	o2_doc_set_str(item, "value", value);
	o2_doc_append(ops, item);
}

/* R1: OPEN -> ABORTED. The stamp tells this write from any other if its answer is lost. */
static void add_abort(struct o2_buf *out, const struct o2_record *record)
{
	const char *ns = o2_record_head(record)->source_namespaces.items[0];
	O2_AUTO(o2_freep)
	char *path = o2_xasprintf("/api/v1/namespaces/%s/configmaps/os2os-txn-%s-source", ns,
				  o2_record_id(record));
	O2_AUTO(o2_freep) char *stamp = o2_xasprintf("watchdog-%s", o2_record_id(record));
	O2_AUTO(o2_doc_freep) struct o2_doc *ops = o2_doc_array_new();

	add_test(ops, "test", "/data/state", o2_record_state_name(O2_STATE_OPEN));
	add_test(ops, "replace", "/data/state", o2_record_state_name(O2_STATE_ABORTED));
	add_test(ops, "replace", "/data/reason",
		 "the freeze took longer than it may: the watchdog gave A back");
	add_test(ops, "replace", "/data/stamp", stamp);
	O2_AUTO(o2_freep) char *body = o2_doc_dump(ops);
	add_request(out, "must", "PATCH", path, "application/json-patch+json", body, stamp);
}

static void add_lift(struct o2_buf *out, const struct o2_plan *plan, const struct o2_record *record)
{
	const struct o2_strs *namespaces = o2_app_source_namespaces(plan->app);
	O2_AUTO(o2_freep) char *name = o2_plan_guard_object(record);

	for (size_t i = 0; i < namespaces->count && plan->guard == O2_PLAN_GUARD_QUOTA; i++) {
		O2_AUTO(o2_freep)
		char *path = o2_xasprintf("/api/v1/namespaces/%s/resourcequotas/%s",
					  namespaces->items[i], name);

		add_request(out, "may", "DELETE", path, "application/json",
			    "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\"}", "-");
	}
}

/*
 * "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=os2os": written in our name, since whoever recovers takes what is ours
 * out of managedFields.
 */
static char *path_of(const struct o2_app_object *object)
{
	const struct o2_kube_kind *kind = object->kind;

	return o2_xasprintf("/%s/%s/namespaces/%s/%s/%s?fieldManager=%s",
			    kind->group[0] ? "apis" : "api", kind->api_version, object->ns,
			    kind->resource, object->name, o2_record_manager());
}

static int add_thaw(struct o2_buf *out, const struct o2_plan *plan, const struct o2_record *record,
		    size_t index, struct o2_err *err)
{
	const struct o2_app_object *object = o2_app_object(plan->app, index);
	O2_AUTO(o2_doc_freep)
	struct o2_doc *now =
		o2_kube_get(plan->kube[O2_SOURCE], object->kind, object->ns, object->name, err);
	O2_AUTO(o2_doc_freep) struct o2_doc *hold = o2_app_freeze(plan->app, index);

	if (!now)
		return err->code;
	O2_AUTO(o2_doc_freep) struct o2_doc *ops = o2_record_thaw_patch(record, now, hold);
	O2_AUTO(o2_freep) char *body = o2_doc_dump(ops);
	O2_AUTO(o2_freep) char *path = path_of(object);
	add_request(out, "may", "PATCH", path, "application/json-patch+json", body, "-");
	return 0;
}

int o2_plan_write_orders(const struct o2_plan *plan, const struct o2_record *record,
			 int64_t deadline, struct o2_buf *out, struct o2_err *err)
{
	o2_buf_addf(out, "deadline %lld\n", (long long)deadline);
	add_abort(out, record);
	add_lift(out, plan, record);
	for (size_t s = plan->step_count; s-- > 0;) {
		const struct o2_plan_step *step = &plan->steps[s];

		if (step->type != o2_step_type(O2_STEP_FREEZE) &&
		    step->type != o2_step_type(O2_STEP_PAUSE))
			continue;
		for (size_t i = 0; i < step->object_count; i++) {
			if (add_thaw(out, plan, record, step->objects[i], err) < 0)
				return o2_prefix(err, "cannot prepare the watchdog");
		}
	}
	if (o2_buf_overflowed(out))
		return o2_fail(err, O2_ELIMIT,
			       "the application has too many workloads for a watchdog; say "
			       "--no-watchdog");
	return 0;
}
