#include "defaults.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

/* --- left out when empty or zero --- */

static bool is_zero(const struct o2_doc *value)
{
	switch (o2_doc_type(value)) {
	case O2_DOC_OBJECT:
	case O2_DOC_ARRAY:
		return o2_doc_count(value) == 0;
	case O2_DOC_BOOL:
		return !o2_doc_bool(value, "", false);
	case O2_DOC_INT:
		return o2_doc_number(value, 1) == 0;
	case O2_DOC_STRING:
		return o2_doc_text(value)[0] == '\0';
	case O2_DOC_NULL:
		return true;
	case O2_DOC_REAL:
	case O2_DOC_TYPE_COUNT:
		break;
	}
	return false;
}

static void leave_out(struct o2_doc *map, const char *const *names)
{
	for (; map && *names; names++) {
		const struct o2_doc *value = o2_doc_member(map, *names);
		if (value && is_zero(value))
			o2_doc_unset(map, *names);
	}
}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void leave_out_of_pod(struct o2_doc *spec)
{
	leave_out(spec, NAMES("volumes", "initContainers", "nodeSelector", "nodeName",
			      "hostNetwork", "hostPID", "hostIPC", "imagePullSecrets", "hostname",
			      "subdomain", "tolerations", "hostAliases", "priorityClassName",
			      "serviceAccountName", "serviceAccount"));
}

static void leave_out_zeros(const struct sim_kind *kind, struct o2_doc *doc)
{
	bool is_pod = strcmp(kind->kind, "Pod") == 0;

	leave_out(o2_doc_member(doc, "metadata"),
		  NAMES("labels", "annotations", "finalizers", "ownerReferences", "generateName"));
	leave_out(doc, NAMES("data", "binaryData", "stringData", "secrets", "imagePullSecrets"));
	leave_out(o2_doc_member(doc, "spec"),
		  NAMES("minReadySeconds", "paused", "unschedulable", "externalName",
			"publishNotReadyAddresses", "loadBalancerIP", "externalIPs", "volumeName",
			"selector", "ports"));
	leave_out_of_pod(is_pod ? o2_doc_member(doc, "spec")
				: o2_doc_at(doc, "/spec/template/spec"));
}

/* --- defaults --- */

static void put_default(struct o2_doc *map, const char *name, struct o2_doc *value)
{
	if (o2_doc_member(map, name))
		o2_doc_free(value);
	else
		o2_doc_set(map, name, value);
}

static void put_word(struct o2_doc *map, const char *name, const char *word)
{
	if (!o2_doc_member(map, name))
		o2_doc_set_str(map, name, word);
}

static void put_number(struct o2_doc *map, const char *name, int64_t number)
{
	put_default(map, name, o2_doc_int_new(number));
}

static void fill_job(struct o2_doc *spec)
{
	if (!o2_doc_member(spec, "completions") && !o2_doc_member(spec, "parallelism"))
		put_number(spec, "completions", 1);
	put_number(spec, "parallelism", 1);
	put_number(spec, "backoffLimit", 6);
	put_default(spec, "manualSelector", o2_doc_bool_new(false));
	put_word(spec, "completionMode", "NonIndexed");
	put_default(spec, "suspend", o2_doc_bool_new(false));
	put_word(spec, "podReplacementPolicy", "TerminatingOrFailed");
}

static void fill_cron_job(struct o2_doc *spec)
{
	put_word(spec, "concurrencyPolicy", "Allow");
	put_default(spec, "suspend", o2_doc_bool_new(false));
	put_number(spec, "successfulJobsHistoryLimit", 3);
	put_number(spec, "failedJobsHistoryLimit", 1);
}

static void fill_deployment(struct o2_doc *spec)
{
	struct o2_doc *strategy;

	put_default(spec, "strategy", o2_doc_object_new());
	strategy = o2_doc_member(spec, "strategy");
	put_word(strategy, "type", "RollingUpdate");
	if (strcmp(o2_doc_member_str(strategy, "type", ""), "RollingUpdate") == 0) {
		put_default(strategy, "rollingUpdate", o2_doc_object_new());
		put_word(o2_doc_member(strategy, "rollingUpdate"), "maxUnavailable", "25%");
		put_word(o2_doc_member(strategy, "rollingUpdate"), "maxSurge", "25%");
	}
	put_number(spec, "revisionHistoryLimit", 10);
	put_number(spec, "progressDeadlineSeconds", 600);
}

static void fill_update_strategy(struct o2_doc *spec, bool is_daemon_set)
{
	struct o2_doc *strategy, *rolling;

	put_default(spec, "updateStrategy", o2_doc_object_new());
	strategy = o2_doc_member(spec, "updateStrategy");
	put_word(strategy, "type", "RollingUpdate");
	if (strcmp(o2_doc_member_str(strategy, "type", ""), "RollingUpdate") == 0) {
		put_default(strategy, "rollingUpdate", o2_doc_object_new());
		rolling = o2_doc_member(strategy, "rollingUpdate");
		put_number(rolling, is_daemon_set ? "maxUnavailable" : "partition",
			   is_daemon_set ? 1 : 0);
		if (is_daemon_set)
			put_number(rolling, "maxSurge", 0);
	}
	put_number(spec, "revisionHistoryLimit", 10);
}

static void fill_stateful_set(struct o2_doc *spec)
{
	static const char *const kept[] = { "whenDeleted", "whenScaled" };

	put_word(spec, "podManagementPolicy", "OrderedReady");
	put_default(spec, "persistentVolumeClaimRetentionPolicy", o2_doc_object_new());
	for (size_t i = 0; i < O2_COUNT(kept); i++)
		put_word(o2_doc_member(spec, "persistentVolumeClaimRetentionPolicy"), kept[i],
			 "Retain");
	fill_update_strategy(spec, false);
}

static void fill_service(struct o2_doc *spec)
{
	struct o2_doc *ports = o2_doc_member(spec, "ports");
	bool is_name = strcmp(o2_doc_member_str(spec, "type", ""), "ExternalName") == 0;

	put_word(spec, "sessionAffinity", "None");
	put_word(spec, "type", "ClusterIP");
	if (!is_name)
		put_word(spec, "internalTrafficPolicy", "Cluster");
	for (size_t i = 0; i < o2_doc_count(ports); i++) {
		struct o2_doc *port = o2_doc_item(ports, i);
		put_word(port, "protocol", "TCP");
		put_default(port, "targetPort", o2_doc_copy(o2_doc_member(port, "port")));
	}
}

static void fill_pod(struct o2_doc *spec)
{
	put_word(spec, "restartPolicy", "Always");
	put_number(spec, "terminationGracePeriodSeconds", 30);
}

/* Subjects and roles are of the one group that there is. */
static void fill_binding(struct o2_doc *doc)
{
	static const char group[] = "rbac.authorization.k8s.io";
	struct o2_doc *subjects = o2_doc_member(doc, "subjects");

	if (o2_doc_member(doc, "roleRef"))
		put_word(o2_doc_member(doc, "roleRef"), "apiGroup", group);
	for (size_t i = 0; i < o2_doc_count(subjects); i++) {
		struct o2_doc *subject = o2_doc_item(subjects, i);
		if (strcmp(o2_doc_member_str(subject, "kind", ""), "ServiceAccount") != 0)
			put_word(subject, "apiGroup", group);
	}
}

static const char base64_letters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static struct o2_doc *encoded(const char *text)
{
	size_t len = strlen(text);
	struct o2_buf out;
	struct o2_doc *doc;

	o2_buf_init(&out, 2 * len + 8);
	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)(unsigned char)text[i] << 16;
		bits |= i + 1 < len ? (uint32_t)(unsigned char)text[i + 1] << 8 : 0;
		bits |= i + 2 < len ? (uint32_t)(unsigned char)text[i + 2] : 0;
		for (size_t k = 0; k < 4; k++)
			o2_buf_addc(&out,
				    i + k > len ? '=' : base64_letters[bits >> (18 - 6 * k) & 63]);
	}
	doc = o2_doc_str_new(out.data ? out.data : "");
	o2_buf_release(&out);
	return doc;
}

static void fill_secret(struct o2_doc *doc)
{
	put_word(doc, "type", "Opaque");
	for (struct o2_doc_iter it = o2_doc_iter(o2_doc_member(doc, "stringData"));
	     o2_doc_next(&it);) {
		put_default(doc, "data", o2_doc_object_new());
		o2_doc_set(o2_doc_member(doc, "data"), it.name, encoded(o2_doc_text(it.value)));
	}
	o2_doc_unset(doc, "stringData");
}

static void fill_whole(const struct sim_kind *kind, struct o2_doc *doc)
{
	if (strcmp(kind->kind, "Secret") == 0)
		fill_secret(doc);
	else if (strcmp(kind->kind, "RoleBinding") == 0 ||
		 strcmp(kind->kind, "ClusterRoleBinding") == 0)
		fill_binding(doc);
	else if (strcmp(kind->kind, "Namespace") == 0)
		o2_doc_put_str(doc, "/metadata/labels/kubernetes.io~1metadata.name",
			       o2_doc_str(doc, "/metadata/name", ""));
}

static void fill_daemon_set(struct o2_doc *spec)
{
	fill_update_strategy(spec, true);
}

static void fill_claim(struct o2_doc *spec)
{
	put_word(spec, "volumeMode", "Filesystem");
}

static const struct {
	const char *group, *kind;
	void (*fill)(struct o2_doc *spec);
} specs[] = {
	{ "apps", "Deployment", fill_deployment },    { "apps", "DaemonSet", fill_daemon_set },
	{ "apps", "StatefulSet", fill_stateful_set }, { "batch", "Job", fill_job },
	{ "batch", "CronJob", fill_cron_job },        { "", "Service", fill_service },
	{ "", "PersistentVolumeClaim", fill_claim },  { "", "Pod", fill_pod },
};

void sim_fill_defaults(const struct sim_kind *kind, struct o2_doc *doc)
{
	struct o2_doc *spec = o2_doc_member(doc, "spec");

	leave_out_zeros(kind, doc);
	fill_whole(kind, doc);
	if (spec && kind->has_scale)
		put_number(spec, "replicas", 1);
	for (size_t i = 0; spec && i < O2_COUNT(specs); i++) {
		if (strcmp(specs[i].kind, kind->kind) == 0 &&
		    strcmp(specs[i].group, kind->group) == 0)
			specs[i].fill(spec);
	}
}

/* --- status --- */

/* Numbers that are told even if they are 0. */
static const struct {
	const char *kind, *name;
} counts[] = {
	{ "ReplicaSet", "replicas" },
	{ "StatefulSet", "replicas" },
	{ "StatefulSet", "availableReplicas" },
	{ "DaemonSet", "currentNumberScheduled" },
	{ "DaemonSet", "numberMisscheduled" },
	{ "DaemonSet", "desiredNumberScheduled" },
	{ "DaemonSet", "numberReady" },
	{ "PodDisruptionBudget", "disruptionsAllowed" },
	{ "PodDisruptionBudget", "currentHealthy" },
	{ "PodDisruptionBudget", "desiredHealthy" },
	{ "PodDisruptionBudget", "expectedPods" },
};

void sim_reset_status(const struct sim_kind *kind, struct o2_doc *doc)
{
	struct o2_doc *status = o2_doc_object_new();
	bool has_way_in = strcmp(kind->kind, "Service") == 0 || strcmp(kind->kind, "Ingress") == 0;

	for (size_t i = 0; i < O2_COUNT(counts); i++) {
		if (strcmp(counts[i].kind, kind->kind) == 0)
			put_number(status, counts[i].name, 0);
	}
	if (has_way_in)
		o2_doc_set(status, "loadBalancer", o2_doc_object_new());
	o2_doc_set(doc, "status", status);
}
