/*
 * Is B's quota large enough for the sum of what the plan creates? A server's dry run does not add objects up, so it is computed here: from
 * the quotas' status on B and the application's own sums.
 */
#include "plan/plan_internal.h"

struct demand {
	struct o2_plan *plan;
	const char *ns;
	size_t seen;
};

/* Pods that a workload makes at most at once: its replicas and what a rolling update does not add at the first start. */
static int64_t pods_of(const struct o2_app_object *object)
{
	return o2_app_is_workload(object->kind) ? object->replicas : 0;
}

static int64_t sum_of_pods(const struct demand *demand, const char *which, const char *resource)
{
	int64_t sum = 0;

	for (size_t i = 0; i < o2_app_count(demand->plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(demand->plan->app, i);

		if (!object->target_ns || strcmp(object->target_ns, demand->ns) != 0 ||
		    pods_of(object) == 0)
			continue;
		O2_AUTO(o2_doc_freep)
		struct o2_doc *doc = o2_app_target(demand->plan->app, i, O2_APP_FULL);
		int64_t one = which ? o2_quantity_of_pod(o2_app_pod_template(doc), which, resource)
				    : 1000;

		sum += one * pods_of(object);
	}
	return sum;
}

static int64_t sum_of_kind(const struct demand *demand, const char *kind, const char *pointer)
{
	int64_t sum = 0;

	for (size_t i = 0; i < o2_app_count(demand->plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(demand->plan->app, i);
		int64_t milli = 1000;

		if (!object->target_ns || strcmp(object->target_ns, demand->ns) != 0 ||
		    strcmp(object->kind->kind, kind) != 0)
			continue;
		if (pointer) {
			O2_AUTO(o2_doc_freep)
			struct o2_doc *doc = o2_app_target(demand->plan->app, i, O2_APP_FULL);

			if (o2_quantity_parse(o2_doc_str(doc, pointer, "0"), &milli, NULL) < 0)
				milli = 0;
		}
		sum += milli;
	}
	return sum;
}

/* "count/deployments.apps", and the older plain names. */
static int64_t sum_of_resource(const struct demand *demand, const char *resource)
{
	size_t len = strcspn(resource, ".");
	int64_t sum = 0;

	for (size_t i = 0; i < o2_app_count(demand->plan->app); i++) {
		const struct o2_app_object *object = o2_app_object(demand->plan->app, i);

		if (object->target_ns && object->target_kind &&
		    strcmp(object->target_ns, demand->ns) == 0 &&
		    strlen(object->target_kind->resource) == len &&
		    strncmp(object->target_kind->resource, resource, len) == 0)
			sum += 1000;
	}
	/* The transaction's own record: R2, owner, lock, opening. */
	return strncmp(resource, "configmaps", len) == 0 ? sum + 4000 : sum;
}

/* What the plan needs of one quota resource, thousandths; -1: not known here. */
static int64_t needed(const struct demand *demand, const char *resource)
{
	if (strcmp(resource, "pods") == 0 || strcmp(resource, "count/pods") == 0)
		return sum_of_pods(demand, NULL, NULL);
	if (strncmp(resource, "requests.storage", 16) == 0)
		return sum_of_kind(demand, "PersistentVolumeClaim",
				   "/spec/resources/requests/storage");
	if (strncmp(resource, "requests.", 9) == 0)
		return sum_of_pods(demand, "requests", resource + 9);
	if (strncmp(resource, "limits.", 7) == 0)
		return sum_of_pods(demand, "limits", resource + 7);
	if (strcmp(resource, "cpu") == 0 || strcmp(resource, "memory") == 0 ||
	    strcmp(resource, "ephemeral-storage") == 0)
		return sum_of_pods(demand, "requests", resource);
	if (strncmp(resource, "count/", 6) == 0)
		return sum_of_resource(demand, resource + 6);
	/* services.nodeports, class.storageclass.storage.k8s.io/...: rare, and told as unknown */
	return strchr(resource, '.') || strchr(resource, '/') ? -1
							      : sum_of_resource(demand, resource);
}

static void check_resource(struct demand *demand, const struct o2_doc *quota, const char *resource,
			   const char *hard_text)
{
	const char *name = o2_doc_str(quota, "/metadata/name", "?");
	const struct o2_doc *used_doc = o2_doc_at(quota, "/status/used");
	const char *used_text = o2_doc_member_str(used_doc, resource, "0");
	O2_AUTO(o2_freep) char *subject = o2_xasprintf("ResourceQuota %s/%s", demand->ns, name);
	int64_t hard, used, need = needed(demand, resource);

	if (need < 0 || o2_quantity_parse(hard_text, &hard, NULL) < 0 ||
	    o2_quantity_parse(used_text, &used, NULL) < 0) {
		o2_plan_find(demand->plan, "quota", O2_PLAN_UNKNOWN, subject, "",
			     "'%s' is not computed beforehand", resource);
		return;
	}
	if (need > 0 && used + need > hard)
		o2_plan_block(demand->plan, "quota", O2_PLAN_COMPUTED, subject,
			      "raise the quota on B, or free some of it",
			      "allows %s of '%s', %s are used and %lld.%03lld more are needed",
			      hard_text, resource, used_text, (long long)(need / 1000),
			      (long long)(need % 1000));
}

static int check_one(void *arg, const struct o2_kube_kind *kind, struct o2_doc *quota)
{
	struct demand *demand = arg;
	O2_AUTO(o2_freep) char *subject = NULL;

	(void)kind;
	if (!quota)
		return 0;
	demand->seen++;
	subject = o2_xasprintf("ResourceQuota %s/%s", demand->ns,
			       o2_doc_str(quota, "/metadata/name", "?"));
	if (o2_doc_at(quota, "/spec/scopes") || o2_doc_at(quota, "/spec/scopeSelector")) {
		o2_plan_find(demand->plan, "quota", O2_PLAN_UNKNOWN, subject, "",
			     "counts only some pods by its scopes; not computed beforehand");
		return 0;
	}
	for (struct o2_doc_iter it = o2_doc_iter(o2_doc_at(quota, "/spec/hard")); o2_doc_next(&it);)
		check_resource(demand, quota, it.name,
			       o2_doc_text(it.value) ? o2_doc_text(it.value) : "");
	return 0;
}

int o2_plan_check_quota(struct o2_plan *plan, struct o2_err *err)
{
	const struct o2_strs *namespaces = o2_app_target_namespaces(plan->app);
	const struct o2_kube_kind *kind =
		o2_kube_kind_find(plan->kube[O2_TARGET], "", "ResourceQuota");

	for (size_t i = 0; i < namespaces->count && kind; i++) {
		struct demand demand = { .plan = plan, .ns = namespaces->items[i] };
		struct o2_kube_list list = {
			.kind = kind, .ns = demand.ns, .fn = check_one, .arg = &demand
		};
		int code;

		if (o2_plan_namespace_is_new(plan, demand.ns))
			continue;
		code = o2_kube_list(plan->kube[O2_TARGET], &list, err);
		o2_kube_list_release(&list);
		if (code == -O2_EAUTH) {
			o2_err_clear(err);
			o2_plan_find(plan, "quota", O2_PLAN_UNKNOWN, demand.ns, "",
				     "quotas may not be listed on B");
		} else if (code < 0) {
			return code;
		} else if (demand.seen == 0) {
			o2_plan_find(plan, "quota", O2_PLAN_PROVED, demand.ns, "",
				     "has no quota on B");
		} else {
			o2_plan_find(plan, "quota", O2_PLAN_COMPUTED, demand.ns, "",
				     "%zu quotas were added up", demand.seen);
		}
	}
	return 0;
}
