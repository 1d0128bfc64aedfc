/* Admission: in the order of the real one, so that the first objection is the same. */
#include "admission.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "refusal.h"
#include "world.h"

#define NAME_MAX_BYTES 253
#define DATA_MAX_BYTES ((size_t)1 << 20)
#define NAME_RULE \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' " \
	"or " \
	"'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex " \
	"used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

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

	if (name[0] == '\0')
		return sim_refuse_field(refusal, kind, "", "metadata.name", "FieldValueRequired",
					"Required value: name or generateName is required");
	if (!is_name(name))
		return sim_refuse_field(refusal, kind, name, "metadata.name", "FieldValueInvalid",
					"Invalid value: \"%s\": " NAME_RULE, name);
	return true;
}

/* --- namespaces --- */

bool sim_admit_namespace(struct sim_cluster *cluster, const struct sim_kind *kind,
			 const struct o2_doc *doc, struct sim_refusal *refusal)
{
	const char *ns = o2_doc_str(doc, "/metadata/namespace", "");
	const char *name = o2_doc_str(doc, "/metadata/name", "");
	const struct sim_object *space;

	if (!kind->namespaced)
		return true;
	space = sim_find(cluster, sim_kind("", "Namespace"), NULL, ns);
	if (!space)
		return sim_refuse_absent(refusal, sim_kind("", "Namespace"), ns);
	if (sim_is_deleting(space)) {
		O2_AUTO(o2_freep)
		char *words = o2_xasprintf("namespace %s is being terminated", ns);
		sim_refuse_object(refusal, 403, "Forbidden", kind, name,
				  "%s is forbidden: unable to create new content in namespace %s "
				  "because it is being terminated",
				  sim_subject(kind, name), ns);
		sim_refusal_add_cause(refusal, "NamespaceTerminating", "metadata.namespace", words);
		return false;
	}
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
		return sim_refuse_object(
			refusal, 403, "Forbidden", kind, o2_doc_str(doc, "/metadata/name", ""),
			"%s is forbidden: exceeded quota: %s, requested: %s=1, used: "
			"%s=%lld, limited: %s=%lld",
			sim_subject(kind, o2_doc_str(doc, "/metadata/name", "")), quota->name, name,
			name, (long long)used, name, (long long)most);
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
		return sim_refuse_field(refusal, kind, o2_doc_str(doc, "/metadata/name", ""),
					"data", "FieldValueTooLong",
					"Too long: may not be more than 1048576 bytes");
	return true;
}

static bool check_workload(const struct sim_kind *kind, const struct o2_doc *doc,
			   struct sim_refusal *refusal)
{
	const struct o2_doc *selector = o2_doc_at(doc, "/spec/selector");
	const struct o2_doc *labels = o2_doc_at(doc, "/spec/template/metadata/labels");

	if (strcmp(kind->group, "apps") != 0 || !kind->has_generation)
		return true;
	if (!sim_selects(selector, labels)) {
		O2_AUTO(o2_freep) char *text = o2_doc_dump_canonical(labels);
		return sim_refuse_field(refusal, kind, o2_doc_str(doc, "/metadata/name", ""),
					"spec.template.metadata.labels", "FieldValueInvalid",
					"Invalid value: %s: `selector` does not match template "
					"`labels`",
					labels ? text : "null");
	}
	return true;
}

bool sim_admit_contents(const struct sim_kind *kind, const struct o2_doc *doc,
			struct sim_refusal *refusal)
{
	return check_data(kind, doc, refusal) && check_workload(kind, doc, refusal);
}

/* --- what the server adds --- */

static void put_default(struct o2_doc *doc, const char *pointer, struct o2_doc *value)
{
	if (o2_doc_at(doc, pointer))
		o2_doc_free(value);
	else
		o2_doc_put(doc, pointer, value);
}

static void add_finalizer(struct o2_doc *doc, const char *name)
{
	put_default(doc, "/metadata/finalizers", o2_doc_array_new());
	o2_doc_append_str(o2_doc_at(doc, "/metadata/finalizers"), name);
}

static struct o2_doc *list_of(const char *word)
{
	struct o2_doc *list = o2_doc_array_new();

	o2_doc_append_str(list, word);
	return list;
}

static void complete_service(struct o2_doc *doc)
{
	char address[32];

	if (strcmp(o2_doc_str(doc, "/spec/type", ""), "ExternalName") == 0)
		return;
	snprintf(address, sizeof(address), "10.96.%d.%d", (int)sim_random(256),
		 (int)sim_random(254) + 1);
	put_default(doc, "/spec/clusterIP", o2_doc_str_new(address));
	put_default(doc, "/spec/clusterIPs", list_of(o2_doc_str(doc, "/spec/clusterIP", "")));
	put_default(doc, "/spec/ipFamilies", list_of("IPv4"));
	put_default(doc, "/spec/ipFamilyPolicy", o2_doc_str_new("SingleStack"));
}

static void complete_claim(struct sim_cluster *cluster, struct o2_doc *doc)
{
	struct sim_object *class = sim_first(cluster, sim_kind("storage.k8s.io", "StorageClass"));

	for (; class && !o2_doc_at(doc, "/spec/storageClassName"); class = sim_next(class)) {
		const struct o2_doc *annotations = o2_doc_at(class->doc, "/metadata/annotations");
		if (strcmp(o2_doc_member_str(annotations,
					     "storageclass.kubernetes.io/is-default-class", ""),
			   "true") == 0)
			o2_doc_put_str(doc, "/spec/storageClassName", class->name);
	}
	add_finalizer(doc, "kubernetes.io/pvc-protection");
	o2_doc_put_str(doc, "/status/phase", "Pending");
}

static void complete_pod(struct o2_doc *doc)
{
	put_default(doc, "/spec/serviceAccountName", o2_doc_str_new("default"));
	o2_doc_put_int(doc, "/metadata/generation", 1);
	o2_doc_put_str(doc, "/status/phase", "Pending");
}

/* A Job's pods are told by its uid. */
static void complete_job(struct o2_doc *doc)
{
	static const char *const prefixes[] = { "batch.kubernetes.io~1", "" };
	const char *uid = o2_doc_str(doc, "/metadata/uid", "");

	if (o2_doc_bool(doc, "/spec/manualSelector", false))
		return;
	for (size_t i = 0; i < O2_COUNT(prefixes); i++) {
		O2_AUTO(o2_freep)
		char *by_uid = o2_xasprintf("/spec/template/metadata/labels/%scontroller-uid",
					    prefixes[i]);
		O2_AUTO(o2_freep)
		char *by_name =
			o2_xasprintf("/spec/template/metadata/labels/%sjob-name", prefixes[i]);
		put_default(doc, by_uid, o2_doc_str_new(uid));
		put_default(doc, by_name, o2_doc_str_new(o2_doc_str(doc, "/metadata/name", "")));
	}
	if (!o2_doc_at(doc, "/metadata/labels"))
		o2_doc_put(doc, "/metadata/labels",
			   o2_doc_copy(o2_doc_at(doc, "/spec/template/metadata/labels")));
	put_default(doc, "/spec/selector/matchLabels/batch.kubernetes.io~1controller-uid",
		    o2_doc_str_new(uid));
}

static void complete(struct sim_cluster *cluster, const struct sim_kind *kind, struct o2_doc *doc)
{
	if (strcmp(kind->kind, "Service") == 0) {
		complete_service(doc);
	} else if (strcmp(kind->kind, "Namespace") == 0) {
		put_default(doc, "/spec/finalizers", list_of("kubernetes"));
		o2_doc_put_str(doc, "/status/phase", "Active");
	} else if (strcmp(kind->kind, "PersistentVolumeClaim") == 0) {
		complete_claim(cluster, doc);
	} else if (strcmp(kind->kind, "PersistentVolume") == 0) {
		o2_doc_put_str(doc, "/status/phase", "Available");
	} else if (strcmp(kind->kind, "Pod") == 0) {
		complete_pod(doc);
	} else if (strcmp(kind->kind, "Job") == 0) {
		complete_job(doc);
	}
}

bool sim_admit_create(struct sim_cluster *cluster, struct o2_doc *doc, bool dry,
		      struct sim_refusal *refusal)
{
	const struct sim_kind *kind = sim_kind_of(doc);
	const char *name = o2_doc_str(doc, "/metadata/name", "");
	const char *ns = o2_doc_str(doc, "/metadata/namespace", "");
	const struct sim_object *there;

	complete(cluster, kind, doc);
	if (!check_name(kind, doc, refusal) || !sim_admit_contents(kind, doc, refusal) ||
	    !check_quotas(cluster, kind, doc, dry, refusal))
		return false;
	there = sim_find(cluster, kind, ns, name);
	return !there ||
	       sim_refuse_object(refusal, 409, "AlreadyExists", kind, name, "%s%s already exists",
				 sim_is_deleting(there) ? "object is being deleted: " : "",
				 sim_subject(kind, name));
}
