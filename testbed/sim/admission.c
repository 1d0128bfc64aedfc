/* Admission: in the order of the real one, so that the first objection is the same. */
#include "admission.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

#define NAME_MAX_BYTES 253
#define DATA_MAX_BYTES ((size_t)1 << 20)

bool sim_refuse(struct sim_refusal *refusal, int status, const char *reason, const char *fmt, ...)
{
	va_list args;

	refusal->status = status;
	snprintf(refusal->reason, sizeof(refusal->reason), "%s", reason);
	va_start(args, fmt);
	vsnprintf(refusal->message, sizeof(refusal->message), fmt, args);
	va_end(args);
	return false;
}

const char *sim_subject(const struct sim_kind *kind, const char *name)
{
	static char text[400];

	snprintf(text, sizeof(text), "%s%s%s \"%s\"", kind->resource, kind->group[0] ? "." : "",
		 kind->group, name);
	return text;
}

/* --- names --- */

static bool is_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_BYTES || !isalnum((unsigned char)name[0]) ||
	    !isalnum((unsigned char)name[len - 1]))
		return false;
	for (const char *p = name; *p; p++) {
		if (!(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '-' ||
		      *p == '.' || *p == ':'))
			return false;
	}
	return true;
}

static bool check_name(const struct sim_kind *kind, const struct o2_doc *doc,
		       struct sim_refusal *refusal)
{
	const char *name = o2_doc_str(doc, "/metadata/name", "");

	if (name[0] == '\0' && o2_doc_str(doc, "/metadata/generateName", "")[0])
		return true;
	if (name[0] == '\0')
		return sim_refuse(refusal, 422, "Invalid",
				  "%s is invalid: metadata.name: Required value: name or "
				  "generateName is required",
				  sim_subject(kind, ""));
	if (!is_name(name))
		return sim_refuse(
			refusal, 422, "Invalid",
			"%s is invalid: metadata.name: Invalid value: \"%s\": a lowercase "
			"RFC 1123 subdomain must consist of lower case alphanumeric "
			"characters, '-' or '.'",
			sim_subject(kind, name), name);
	return true;
}

/* --- namespaces --- */

static bool check_namespace(struct sim_cluster *cluster, const struct sim_kind *kind,
			    const struct o2_doc *doc, struct sim_refusal *refusal)
{
	const char *ns = o2_doc_str(doc, "/metadata/namespace", "");
	const char *name = o2_doc_str(doc, "/metadata/name", "");
	const struct sim_object *space;

	if (!kind->namespaced)
		return true;
	space = sim_find(cluster, sim_kind("", "Namespace"), NULL, ns);
	if (!space)
		return sim_refuse(refusal, 404, "NotFound", "namespaces \"%s\" not found", ns);
	if (sim_is_deleting(space))
		return sim_refuse(refusal, 403, "Forbidden",
				  "%s is forbidden: unable to create new content in namespace %s "
				  "because it is being terminated",
				  sim_subject(kind, name), ns);
	return true;
}

/* --- quota --- */

static bool scope_matches(const struct o2_doc *quota, const struct o2_doc *pod)
{
	const struct o2_doc *scopes = o2_doc_at(quota, "/spec/scopes");
	bool terminating = o2_doc_at(pod, "/spec/activeDeadlineSeconds") != NULL;

	for (size_t i = 0; i < o2_doc_count(scopes); i++) {
		const char *scope = o2_doc_text(o2_doc_item(scopes, i));
		if (strcmp(scope, "Terminating") == 0 && !terminating)
			return false;
		if (strcmp(scope, "NotTerminating") == 0 && terminating)
			return false;
	}
	return true;
}

bool sim_quota_covers(const struct o2_doc *quota, const struct sim_kind *kind,
		      const struct o2_doc *object)
{
	bool is_pod = strcmp(kind->kind, "Pod") == 0;

	return is_pod ? scope_matches(quota, object) : !o2_doc_at(quota, "/spec/scopes/0");
}

/* A count as quotas write it: "4", or an integer; other quantities are not counted here. */
static int64_t count_of(const struct o2_doc *value, int64_t fallback)
{
	const char *text = o2_doc_text(value);

	return text ? strtoll(text, NULL, 10) : o2_doc_number(value, fallback);
}

/* The names under which a quota counts objects of a kind: "pods", "count/pods". */
static const struct o2_doc *limit_of(const struct o2_doc *hard, const struct sim_kind *kind,
				     char *name, size_t size)
{
	snprintf(name, size, "%s", kind->resource);
	if (!kind->group[0] && o2_doc_member(hard, name))
		return o2_doc_member(hard, name);
	snprintf(name, size, "count/%s%s%s", kind->resource, kind->group[0] ? "." : "",
		 kind->group);
	return o2_doc_member(hard, name);
}

static bool check_quota(struct sim_object *quota, const struct sim_kind *kind,
			const struct o2_doc *doc, bool dry, struct sim_refusal *refusal)
{
	char name[128];
	/* Only what the quota controller has filled in counts. */
	const struct o2_doc *hard = o2_doc_at(quota->doc, "/status/hard");
	const struct o2_doc *limit = limit_of(hard, kind, name, sizeof(name));

	if (!limit || !sim_quota_covers(quota->doc, kind, doc))
		return true;
	int64_t used = count_of(o2_doc_member(o2_doc_at(quota->doc, "/status/used"), name), 0);
	int64_t most = count_of(limit, 0);
	if (used + 1 > most)
		return sim_refuse(refusal, 403, "Forbidden",
				  "%s is forbidden: exceeded quota: %s, requested: %s=1, used: "
				  "%s=%lld, limited: %s=%lld",
				  sim_subject(kind, o2_doc_str(doc, "/metadata/name", "")),
				  quota->name, name, name, (long long)used, name, (long long)most);
	if (!dry) {
		struct o2_doc *next = o2_doc_copy(quota->doc);
		O2_AUTO(o2_freep) char *text = o2_xasprintf("%lld", (long long)used + 1);
		o2_doc_set_str(o2_doc_at(next, "/status/used"), name, text);
		sim_put(quota, next);
	}
	return true;
}

static bool check_quotas(struct sim_cluster *cluster, const struct sim_kind *kind,
			 const struct o2_doc *doc, bool dry, struct sim_refusal *refusal)
{
	const char *ns = o2_doc_str(doc, "/metadata/namespace", "");
	struct sim_object *quota = sim_first(cluster, sim_kind("", "ResourceQuota"));

	for (struct sim_object *next; kind->namespaced && quota; quota = next) {
		next = sim_next(quota);
		if (strcmp(quota->ns, ns) == 0 && !check_quota(quota, kind, doc, dry, refusal))
			return false;
	}
	return true;
}

/* --- contents --- */

static bool check_data(const struct sim_kind *kind, const struct o2_doc *doc,
		       struct sim_refusal *refusal)
{
	size_t bytes = 0;

	if (strcmp(kind->kind, "ConfigMap") != 0 && strcmp(kind->kind, "Secret") != 0)
		return true;
	for (struct o2_doc_iter it = o2_doc_iter(o2_doc_member(doc, "data")); o2_doc_next(&it);)
		bytes += o2_doc_text(it.value) ? strlen(o2_doc_text(it.value)) : 0;
	if (bytes > DATA_MAX_BYTES)
		return sim_refuse(
			refusal, 422, "Invalid",
			"%s is invalid: data: Too long: may not be more than 1048576 bytes",
			sim_subject(kind, o2_doc_str(doc, "/metadata/name", "")));
	return true;
}

static bool check_workload(const struct sim_kind *kind, const struct o2_doc *doc,
			   struct sim_refusal *refusal)
{
	const struct o2_doc *selector = o2_doc_at(doc, "/spec/selector");
	const struct o2_doc *labels = o2_doc_at(doc, "/spec/template/metadata/labels");

	if (strcmp(kind->group, "apps") != 0 || !kind->has_generation)
		return true;
	if (!sim_selects(selector, labels))
		return sim_refuse(refusal, 422, "Invalid",
				  "%s is invalid: spec.template.metadata.labels: Invalid value: "
				  "`selector` does not match template `labels`",
				  sim_subject(kind, o2_doc_str(doc, "/metadata/name", "")));
	return true;
}

/* --- defaults --- */

static void put_default(struct o2_doc *doc, const char *pointer, struct o2_doc *value)
{
	if (o2_doc_at(doc, pointer))
		o2_doc_free(value);
	else
		o2_doc_put(doc, pointer, value);
}

static void fill_workload(const struct sim_kind *kind, struct o2_doc *doc)
{
	bool is_workload = strcmp(kind->group, "apps") == 0 && kind->has_scale;

	if (is_workload)
		put_default(doc, "/spec/replicas", o2_doc_int_new(1));
	if (strcmp(kind->kind, "Job") == 0) {
		put_default(doc, "/spec/parallelism", o2_doc_int_new(1));
		put_default(doc, "/spec/completions", o2_doc_int_new(1));
		put_default(doc, "/spec/backoffLimit", o2_doc_int_new(6));
		put_default(doc, "/spec/suspend", o2_doc_bool_new(false));
	}
	if (strcmp(kind->kind, "CronJob") == 0)
		put_default(doc, "/spec/suspend", o2_doc_bool_new(false));
	if (kind->has_status)
		put_default(doc, "/status", o2_doc_object_new());
}

static void fill_service(struct o2_doc *doc)
{
	char address[32];

	put_default(doc, "/spec/type", o2_doc_str_new("ClusterIP"));
	snprintf(address, sizeof(address), "10.96.%d.%d", (int)sim_random(256),
		 (int)sim_random(254) + 1);
	put_default(doc, "/spec/clusterIP", o2_doc_str_new(address));
}

static void fill_namespace(struct o2_doc *doc)
{
	o2_doc_put_str(doc, "/metadata/labels/kubernetes.io~1metadata.name",
		       o2_doc_str(doc, "/metadata/name", ""));
	put_default(doc, "/spec/finalizers", o2_doc_array_new());
	if (o2_doc_count(o2_doc_at(doc, "/spec/finalizers")) == 0)
		o2_doc_append_str(o2_doc_at(doc, "/spec/finalizers"), "kubernetes");
	o2_doc_put_str(doc, "/status/phase", "Active");
}

static void fill_claim(struct sim_cluster *cluster, struct o2_doc *doc)
{
	struct sim_object *class = sim_first(cluster, sim_kind("storage.k8s.io", "StorageClass"));

	for (; class && !o2_doc_at(doc, "/spec/storageClassName"); class = sim_next(class)) {
		const struct o2_doc *annotations = o2_doc_at(class->doc, "/metadata/annotations");
		if (strcmp(o2_doc_member_str(annotations,
					     "storageclass.kubernetes.io/is-default-class", ""),
			   "true") == 0)
			o2_doc_put_str(doc, "/spec/storageClassName", class->name);
	}
	put_default(doc, "/spec/volumeMode", o2_doc_str_new("Filesystem"));
	o2_doc_put_str(doc, "/status/phase", "Pending");
}

static void fill_pod(struct o2_doc *doc)
{
	put_default(doc, "/spec/restartPolicy", o2_doc_str_new("Always"));
	put_default(doc, "/spec/terminationGracePeriodSeconds", o2_doc_int_new(30));
	put_default(doc, "/spec/serviceAccountName", o2_doc_str_new("default"));
	o2_doc_put_str(doc, "/status/phase", "Pending");
}

static void fill_defaults(struct sim_cluster *cluster, const struct sim_kind *kind,
			  struct o2_doc *doc)
{
	if (kind->has_status)
		o2_doc_remove(doc, "/status");
	fill_workload(kind, doc);
	if (strcmp(kind->kind, "Service") == 0)
		fill_service(doc);
	else if (strcmp(kind->kind, "Namespace") == 0)
		fill_namespace(doc);
	else if (strcmp(kind->kind, "PersistentVolumeClaim") == 0)
		fill_claim(cluster, doc);
	else if (strcmp(kind->kind, "PersistentVolume") == 0)
		put_default(doc, "/status/phase", o2_doc_str_new("Available"));
	else if (strcmp(kind->kind, "Pod") == 0)
		fill_pod(doc);
	else if (strcmp(kind->kind, "Secret") == 0)
		put_default(doc, "/type", o2_doc_str_new("Opaque"));
}

bool sim_admit_create(struct sim_cluster *cluster, struct o2_doc *doc, bool dry,
		      struct sim_refusal *refusal)
{
	const struct sim_kind *kind = sim_kind_of(doc);
	const char *name = o2_doc_str(doc, "/metadata/name", "");
	const char *ns = o2_doc_str(doc, "/metadata/namespace", "");

	if (!kind)
		return sim_refuse(refusal, 400, "BadRequest", "no kind \"%s\" is registered",
				  o2_doc_member_str(doc, "kind", ""));
	if (!check_namespace(cluster, kind, doc, refusal))
		return false;
	fill_defaults(cluster, kind, doc);
	if (!check_name(kind, doc, refusal) || !check_data(kind, doc, refusal) ||
	    !check_workload(kind, doc, refusal))
		return false;
	if (name[0] && sim_find(cluster, kind, ns, name))
		return sim_refuse(refusal, 409, "AlreadyExists", "%s already exists",
				  sim_subject(kind, name));
	return check_quotas(cluster, kind, doc, dry, refusal);
}

/* --- changes --- */

/* What may never change once it is there. */
static const struct {
	const char *group, *kind, *pointer;
} immutable[] = {
	{ "apps", "Deployment", "/spec/selector" },
	{ "apps", "ReplicaSet", "/spec/selector" },
	{ "apps", "DaemonSet", "/spec/selector" },
	{ "apps", "StatefulSet", "/spec/selector" },
	{ "apps", "StatefulSet", "/spec/serviceName" },
	{ "apps", "StatefulSet", "/spec/volumeClaimTemplates" },
	{ "batch", "Job", "/spec/selector" },
	{ "batch", "Job", "/spec/template/spec/containers" },
	{ "", "PersistentVolumeClaim", "/spec/storageClassName" },
	{ "", "PersistentVolumeClaim", "/spec/accessModes" },
	{ "", "Pod", "/spec/nodeName" },
	{ "", "Pod", "/spec/volumes" },
	{ "rbac.authorization.k8s.io", "RoleBinding", "/roleRef" },
	{ "rbac.authorization.k8s.io", "ClusterRoleBinding", "/roleRef" },
	{ "storage.k8s.io", "StorageClass", "/provisioner" },
};

bool sim_admit_change(const struct sim_object *live, const struct o2_doc *next,
		      struct sim_refusal *refusal)
{
	const struct sim_kind *kind = live->kind;

	if (strcmp(o2_doc_str(next, "/metadata/name", ""), live->name) != 0)
		return sim_refuse(refusal, 422, "Invalid",
				  "%s is invalid: metadata.name: Invalid value: field is immutable",
				  sim_subject(kind, live->name));
	for (size_t i = 0; i < O2_COUNT(immutable); i++) {
		if (strcmp(immutable[i].kind, kind->kind) != 0 ||
		    strcmp(immutable[i].group, kind->group) != 0)
			continue;
		const struct o2_doc *was = o2_doc_at(live->doc, immutable[i].pointer);
		const struct o2_doc *is = o2_doc_at(next, immutable[i].pointer);
		if (was && !o2_doc_equal(was, is))
			return sim_refuse(refusal, 422, "Invalid",
					  "%s is invalid: %s: Invalid value: field is immutable",
					  sim_subject(kind, live->name), immutable[i].pointer + 1);
	}
	if (o2_doc_bool(live->doc, "/immutable", false) &&
	    !o2_doc_equal(o2_doc_member(live->doc, "data"), o2_doc_member(next, "data")))
		return sim_refuse(refusal, 422, "Invalid",
				  "%s is invalid: data: Forbidden: field is immutable when "
				  "`immutable` is set",
				  sim_subject(kind, live->name));
	return check_data(kind, next, refusal) && check_workload(kind, next, refusal);
}
