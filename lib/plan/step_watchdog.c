/*
 * Step watchdog: a Job in A that ends the freeze should nobody else do it. It runs the agent in an image of the application, with an
 * account that may do exactly what its orders say.
 */
#include "plan/plan_internal.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/health.h"

#define READY_TIMEOUT_MS 120000
#define POLL_MS 300
#define AFTERLIFE_S 604800 /* it tries again for that long after its deadline */
#define ORDERS_MAX_BYTES ((size_t)900 * 1024)
#define ORDERS_PATH "/os2os-orders"

/* ---- may there be one? ------------------------------------------------------------------------------------------------ */

static const struct {
	const char *group, *resource;
} needed[] = {
	{ "batch", "jobs" },
	{ "", "serviceaccounts" },
	{ "rbac.authorization.k8s.io", "roles" },
	{ "rbac.authorization.k8s.io", "rolebindings" },
};

static int is_allowed(struct o2_plan *plan, bool *out, struct o2_err *err)
{
	const char *ns = o2_app_source_namespaces(plan->app)->items[0];
	static const char *const verbs[] = { "create", "delete" };

	struct o2_kube_access accesses[O2_COUNT(needed) * O2_COUNT(verbs)];
	size_t count = 0;

	for (size_t i = 0; i < O2_COUNT(needed); i++) {
		for (size_t v = 0; v < O2_COUNT(verbs); v++)
			accesses[count++] = (struct o2_kube_access){ .verb = verbs[v],
								     .group = needed[i].group,
								     .resource = needed[i].resource,
								     .ns = ns };
	}
	return o2_plan_may(plan, O2_SOURCE, accesses, count, out, err);
}

int o2_plan_choose_watchdog(struct o2_plan *plan, enum o2_plan_depth depth, struct o2_err *err)
{
	static const char without[] =
		"if this machine dies during the freeze, the application stays down until "
		"'os2os recover' is run from anywhere";
	bool allowed = true;

	plan->has_watchdog = !plan->options->no_watchdog;
	if (!plan->has_watchdog) {
		o2_plan_warn(plan, "watchdog", O2_PLAN_COMPUTED, "", "", "--no-watchdog: %s",
			     without);
		return 0;
	}
	if (depth == O2_PLAN_SERVER && is_allowed(plan, &allowed, err) < 0)
		return err->code;
	plan->has_watchdog = allowed;
	if (allowed)
		o2_plan_find(plan, "watchdog",
			     depth == O2_PLAN_SERVER ? O2_PLAN_PROVED : O2_PLAN_UNKNOWN, "", "",
			     "a Job in A gives the application back if the freeze lasts longer "
			     "than %d s",
			     o2_plan_freeze_timeout_s(plan->options));
	else
		o2_plan_warn(plan, "watchdog", O2_PLAN_PROVED, "",
			     "have the right to make Jobs, ServiceAccounts, Roles and RoleBindings "
			     "granted",
			     "it may not be made: %s", without);
	return 0;
}

/* ---- what it is made of ----------------------------------------------------------------------------------------------- */

static char *name_of(const struct o2_record *record)
{
	return o2_xasprintf("os2os-watchdog-%s", o2_record_id(record));
}

static struct o2_doc *object_new(const char *api_version, const char *kind, const char *ns,
				 const char *name)
{
	struct o2_doc *doc = o2_doc_object_new();

	o2_doc_put_str(doc, "/apiVersion", api_version);
	o2_doc_put_str(doc, "/kind", kind);
	o2_doc_put_str(doc, "/metadata/name", name);
	o2_doc_put_str(doc, "/metadata/namespace", ns);
	return doc;
}

/* One rule of its Role: these verbs on this very object. */
static void allow(struct o2_doc *rules, const char *group, const char *resource, const char *name,
		  const char *const *verbs)
{
	struct o2_doc *rule = o2_doc_object_new(), *list = o2_doc_array_new();

	for (size_t i = 0; verbs[i]; i++)
		o2_doc_append_str(list, verbs[i]);
	o2_doc_set(rule, "verbs", list);
	o2_doc_set(rule, "apiGroups", o2_doc_array_new());
	o2_doc_append_str(o2_doc_member(rule, "apiGroups"), group);
	o2_doc_set(rule, "resources", o2_doc_array_new());
	o2_doc_append_str(o2_doc_member(rule, "resources"), resource);
	o2_doc_set(rule, "resourceNames", o2_doc_array_new());
	o2_doc_append_str(o2_doc_member(rule, "resourceNames"), name);
	o2_doc_append(rules, rule);
}

static struct o2_doc *make_role(const struct o2_step_context *context, const char *ns,
				const char *name)
{
	static const char *const swap[] = { "get", "patch", NULL },
				 *const lift[] = { "delete", NULL },
				 *const thaw[] = { "get", "patch", NULL };
	const struct o2_plan *plan = context->plan;
	struct o2_doc *role = object_new("rbac.authorization.k8s.io/v1", "Role", ns, name);
	struct o2_doc *rules = o2_doc_array_new();
	O2_AUTO(o2_freep)
	char *record = o2_xasprintf("os2os-txn-%s-source", o2_record_id(context->record));
	O2_AUTO(o2_freep) char *guard = o2_plan_guard_object(context->record);

	if (strcmp(ns, o2_app_source_namespaces(plan->app)->items[0]) == 0)
		allow(rules, "", "configmaps", record, swap);
	if (plan->guard == O2_PLAN_GUARD_QUOTA)
		allow(rules, "", "resourcequotas", guard, lift);
	for (size_t s = 0; s < plan->step_count; s++) {
		const struct o2_plan_step *step = &plan->steps[s];

		for (size_t i = 0; o2_plan_is_freezing(step) && i < step->object_count; i++) {
			const struct o2_app_object *object =
				o2_app_object(plan->app, step->objects[i]);

			if (strcmp(object->ns, ns) == 0)
				allow(rules, object->kind->group, object->kind->resource,
				      object->name, thaw);
		}
	}
	o2_doc_set(role, "rules", rules);
	return role;
}

static struct o2_doc *make_binding(const char *ns, const char *name, const char *home)
{
	struct o2_doc *binding =
		object_new("rbac.authorization.k8s.io/v1", "RoleBinding", ns, name);
	struct o2_doc *subject = o2_doc_object_new();

	o2_doc_put_str(binding, "/roleRef/apiGroup", "rbac.authorization.k8s.io");
	o2_doc_put_str(binding, "/roleRef/kind", "Role");
	o2_doc_put_str(binding, "/roleRef/name", name);
	o2_doc_set_str(subject, "kind", "ServiceAccount");
	o2_doc_set_str(subject, "name", name);
	o2_doc_set_str(subject, "namespace", home);
	o2_doc_put(binding, "/subjects", o2_doc_array_new());
	o2_doc_append(o2_doc_at(binding, "/subjects"), subject);
	return binding;
}

/* An object of the application whose image can be run; its namespace is the watchdog's. */
static size_t choose_workload(const struct o2_plan *plan)
{
	for (size_t s = 0; s < plan->step_count; s++) {
		const struct o2_plan_step *step = &plan->steps[s];

		if (o2_plan_is_freezing(step) && step->object_count > 0)
			return step->objects[0];
	}
	return SIZE_MAX;
}

/* The mover's pod without claims, with another command, an account, and its orders. */
static struct o2_doc *make_pod(const struct o2_step_context *context, size_t workload,
			       const char *name, size_t parts)
{
	const struct o2_app *app = context->plan->app;
	const struct o2_app_object *object = o2_app_object(app, workload);
	O2_AUTO(o2_doc_freep) struct o2_doc *source = o2_app_source(app, workload);
	struct o2_doc *spec = o2_doc_at(o2_app_pod_template(source), "/spec");
	struct o2_volume_group group = { .name = (char *)"watchdog",
					 .ns = { (char *)object->ns, (char *)object->target_ns },
					 .pod = { spec, spec },
					 .container = (char *)o2_doc_str(spec, "/containers/0/name",
									 NULL) };
	struct o2_volume_options options = { .deadline_s = AFTERLIFE_S };
	struct o2_doc *pod = o2_volume_mover_pod(&group, O2_SOURCE, o2_record_id(context->record),
						 parts, &options);
	struct o2_doc *command = o2_doc_array_new(), *volume = o2_doc_object_new(),
		      *mount = o2_doc_object_new();

	o2_doc_append_str(command, "/os2os/loader");
	o2_doc_append_str(command, "watchdog");
	o2_doc_append_str(command, ORDERS_PATH "/orders");
	o2_doc_put(pod, "/spec/containers/0/command", command);
	o2_doc_put_str(pod, "/spec/serviceAccountName", name);
	o2_doc_put_bool(pod, "/spec/automountServiceAccountToken", true);
	o2_doc_put_str(pod, "/spec/restartPolicy", "OnFailure");
	o2_doc_set_str(volume, "name", "orders");
	o2_doc_put_str(volume, "/configMap/name", name);
	o2_doc_append(o2_doc_at(pod, "/spec/volumes"), volume);
	o2_doc_set_str(mount, "name", "orders");
	o2_doc_set_str(mount, "mountPath", ORDERS_PATH);
	o2_doc_append(o2_doc_at(pod, "/spec/containers/0/volumeMounts"), mount);
	return pod;
}

static struct o2_doc *make_job(const struct o2_step_context *context, size_t workload,
			       const char *ns, const char *name, size_t parts)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *pod = make_pod(context, workload, name, parts);
	struct o2_doc *job = object_new("batch/v1", "Job", ns, name);

	o2_doc_put_int(job, "/spec/backoffLimit", 1000);
	o2_doc_put_int(job, "/spec/activeDeadlineSeconds", AFTERLIFE_S);
	o2_doc_put(job, "/spec/template/metadata/labels",
		   o2_doc_copy(o2_doc_at(pod, "/metadata/labels")));
	if (o2_doc_at(pod, "/metadata/annotations"))
		o2_doc_put(job, "/spec/template/metadata/annotations",
			   o2_doc_copy(o2_doc_at(pod, "/metadata/annotations")));
	/* Deleted with everything else that serves the transaction, also if its Job is already gone. */
	o2_doc_put_str(job, "/spec/template/metadata/labels/os2os.io~1record", "helper");
	o2_doc_put_str(job, "/spec/template/metadata/labels/os2os.io~1txn",
		       o2_record_id(context->record));
	o2_doc_put(job, "/spec/template/spec", o2_doc_copy(o2_doc_at(pod, "/spec")));
	return job;
}

/* ---- making it -------------------------------------------------------------------------------------------------------- */

static int create(struct o2_step_context *context, const char *ns, struct o2_doc *doc,
		  struct o2_err *err)
{
	struct o2_record_object object = {
		.kind = o2_kube_kind_exact(context->plan->kube[O2_SOURCE],
					   o2_doc_member_str(doc, "apiVersion", ""),
					   o2_doc_member_str(doc, "kind", "")),
		.ns = ns,
		.name = o2_doc_str(doc, "/metadata/name", ""),
		.object = doc,
	};
	int code = object.kind
			   ? o2_record_create_helpers(context->record, O2_SOURCE, &object, 1, err)
			   : o2_fail(err, O2_EUNSUPPORTED, "A does not serve %s",
				     o2_doc_member_str(doc, "kind", ""));

	o2_doc_free(doc);
	return code;
}

static int create_rights(struct o2_step_context *context, const char *home, const char *name,
			 struct o2_err *err)
{
	const struct o2_strs *namespaces = o2_app_source_namespaces(context->plan->app);

	if (create(context, home, object_new("v1", "ServiceAccount", home, name), err) < 0)
		return err->code;
	for (size_t i = 0; i < namespaces->count; i++) {
		const char *ns = namespaces->items[i];

		if (create(context, ns, make_role(context, ns, name), err) < 0 ||
		    create(context, ns, make_binding(ns, name, home), err) < 0)
			return err->code;
	}
	return 0;
}

static int create_agent(struct o2_step_context *context, const char *home, size_t *out_parts,
			struct o2_err *err)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *maps = o2_volume_agent_maps(o2_record_id(context->record), home);

	*out_parts = o2_doc_count(maps);
	for (size_t i = 0; i < *out_parts; i++) {
		if (create(context, home, o2_doc_copy(o2_doc_item(maps, i)), err) < 0)
			return err->code;
	}
	return 0;
}

static int create_orders(struct o2_step_context *context, const char *home, const char *name,
			 int64_t deadline, struct o2_err *err)
{
	struct o2_doc *map = object_new("v1", "ConfigMap", home, name);
	O2_AUTO(o2_buf_release) struct o2_buf orders = { 0 };

	o2_buf_init(&orders, ORDERS_MAX_BYTES);
	if (o2_plan_write_orders(context->plan, context->record, deadline, &orders, err) < 0) {
		o2_doc_free(map);
		return err->code;
	}
	o2_doc_put_str(map, "/data/orders", orders.data);
	return create(context, home, map, err);
}

struct sight {
	bool runs;
	struct o2_buf why;
};

static int see_pod(void *arg, const struct o2_kube_kind *kind, struct o2_doc *pod)
{
	struct sight *sight = arg;

	(void)kind;
	if (pod)
		sight->runs |= o2_kube_pod_health(pod, &sight->why) == O2_KUBE_HEALTH_READY;
	return 0;
}

/* Nothing is frozen before it runs. */
static int await_running(struct o2_step_context *context, const char *home, const char *name,
			 struct o2_err *err)
{
	struct o2_kube *kube = context->plan->kube[O2_SOURCE];
	O2_AUTO(o2_freep) char *selector = o2_xasprintf("job-name=%s", name);
	int64_t give_up = o2_clock_ms() + READY_TIMEOUT_MS;
	struct sight sight = { 0 };
	int code = 0;

	o2_buf_init(&sight.why, 1024);
	while (code == 0) {
		struct o2_kube_list list = { .kind = o2_kube_kind_find(kube, "", "Pod"),
					     .ns = home,
					     .selector = selector,
					     .fn = see_pod,
					     .arg = &sight };

		code = o2_kube_list(kube, &list, err);
		o2_kube_list_release(&list);
		if (code < 0 || sight.runs)
			break;
		if (o2_clock_ms() > give_up)
			code = o2_fail(err, O2_ETRANSIENT,
				       "the watchdog did not start within %d s: %s; mend that, or "
				       "say --no-watchdog",
				       READY_TIMEOUT_MS / 1000,
				       sight.why.len > 0 ? sight.why.data : "it has no pod");
		if (code == 0)
			code = o2_cancel_check(err);
		if (code == 0 && context->volumes)
			code = o2_volume_tend(context->volumes, POLL_MS, err);
		else if (code == 0)
			o2_clock_sleep_ms(POLL_MS);
	}
	o2_buf_release(&sight.why);
	return code;
}

/* "1 Deployment; 1 Deployment, 1 StatefulSet": wave by wave. Caller frees. */
static char *describe_frozen(const struct o2_plan *plan)
{
	struct o2_buf text;

	o2_buf_init(&text, 1 << 20);
	for (size_t s = 0; s < plan->step_count; s++) {
		const struct o2_plan_step *step = &plan->steps[s];

		if (o2_plan_is_freezing(step) && step->object_count > 0)
			o2_buf_addf(&text, "%s%s", text.len > 0 ? "; " : "", step->detail);
	}
	char *what = o2_buf_steal(&text);
	o2_buf_release(&text);
	return what;
}

O2_STEP_APPLY(o2_step_watchdog_apply)
{
	const struct o2_plan *plan = context->plan;
	size_t workload = choose_workload(plan), parts = 0;
	O2_AUTO(o2_freep) char *name = name_of(context->record);
	O2_AUTO(o2_freep) char *what = describe_frozen(plan);
	int64_t now = o2_clock_unix();
	int64_t deadline = now + o2_plan_freeze_timeout_s(context->options);

	(void)step;
	if (!plan->has_watchdog || workload == SIZE_MAX)
		return o2_record_set_freeze(context->record, now, 0, what, err);
	const char *home = o2_app_object(plan->app, workload)->ns;
	if (create_agent(context, home, &parts, err) < 0 ||
	    create_rights(context, home, name, err) < 0 ||
	    create_orders(context, home, name, deadline, err) < 0 ||
	    create(context, home, make_job(context, workload, home, name, parts), err) < 0 ||
	    await_running(context, home, name, err) < 0)
		return o2_prefix(err, "cannot set up the watchdog");
	return o2_record_set_freeze(context->record, now, deadline, what, err);
}
