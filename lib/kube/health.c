/*
 * Readiness: the rules of kstatus, a row a kind, and what keeps a pod from starting.
 *
 * Stricter than kstatus where a migration would open a way in too early: a workload that its controller has never looked at is
 * not ready, a StatefulSet that is updated by hand (OnDelete) still needs its pods, and a pod that failed has failed.
 */
#include "kube/health.h"

#include <stdarg.h>
#include <string.h>

static enum o2_kube_health say(struct o2_buf *why, enum o2_kube_health health, const char *fmt, ...)
	O2_PRINTF(3, 4);

static enum o2_kube_health say(struct o2_buf *why, enum o2_kube_health health, const char *fmt, ...)
{
	va_list args;

	if (why) {
		va_start(args, fmt);
		O2_AUTO(o2_freep) char *text = o2_xvasprintf(fmt, args);
		va_end(args);
		o2_buf_clear(why);
		o2_buf_adds(why, text);
	}
	return health;
}

static const struct o2_doc *condition(const struct o2_doc *object, const char *type)
{
	const struct o2_doc *conditions = o2_doc_at(object, "/status/conditions");

	for (size_t i = 0; i < o2_doc_count(conditions); i++) {
		if (strcmp(o2_doc_member_str(o2_doc_item(conditions, i), "type", ""), type) == 0)
			return o2_doc_item(conditions, i);
	}
	return NULL;
}

static bool is_true(const struct o2_doc *object, const char *type)
{
	return strcmp(o2_doc_member_str(condition(object, type), "status", ""), "True") == 0;
}

static bool has_reason(const struct o2_doc *object, const char *type, const char *reason)
{
	return strcmp(o2_doc_member_str(condition(object, type), "reason", ""), reason) == 0;
}

static const char *message_of(const struct o2_doc *object, const char *type, const char *fallback)
{
	const char *message = o2_doc_member_str(condition(object, type), "message", "");

	return message[0] ? message : fallback;
}

static enum o2_kube_health progress(struct o2_buf *why, int64_t have, int64_t want,
				    const char *what)
{
	return say(why, O2_KUBE_HEALTH_PROGRESSING, "%lld of %lld pods %s", (long long)have,
		   (long long)want, what);
}

static enum o2_kube_health too_many(struct o2_buf *why, int64_t count)
{
	return say(why, O2_KUBE_HEALTH_PROGRESSING, "%lld %s too many", (long long)count,
		   count == 1 ? "pod" : "pods");
}

static enum o2_kube_health all_ready(struct o2_buf *why, int64_t count)
{
	return say(why, O2_KUBE_HEALTH_READY, "%lld %s ready", (long long)count,
		   count == 1 ? "pod" : "pods");
}

/* The first of some counts that is below `want`. `counts`: pointer and word in turn, up to a NULL. */
static bool lacks(const struct o2_doc *object, int64_t want, const char *const counts[][2],
		  struct o2_buf *why)
{
	for (size_t i = 0; counts[i][0]; i++) {
		int64_t have = o2_doc_int(object, counts[i][0], 0);

		if (have < want) {
			progress(why, have, want, counts[i][1]);
			return true;
		}
	}
	return false;
}

/* No pods because they are refused (quota, admission), or because nobody makes any: better words than a count. */
static enum o2_kube_health not_made(const struct o2_doc *object, int64_t want, struct o2_buf *why)
{
	int64_t have = o2_doc_int(object, "/status/replicas", 0);

	if (is_true(object, "ReplicaFailure"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "%lld of %lld pods made: %s",
			   (long long)have, (long long)want,
			   message_of(object, "ReplicaFailure", "pods are refused"));
	if (o2_doc_bool(object, "/spec/paused", false))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "%lld of %lld pods made: it is paused",
			   (long long)have, (long long)want);
	return progress(why, have, want, "made");
}

static enum o2_kube_health deployment(const struct o2_doc *object, struct o2_buf *why)
{
	static const char *const counts[][2] = { { "/status/updatedReplicas", "updated" },
						 { NULL } };
	static const char *const late[][2] = { { "/status/readyReplicas", "ready" }, { NULL } };
	int64_t want = o2_doc_int(object, "/spec/replicas", 1);
	int64_t replicas = o2_doc_int(object, "/status/replicas", 0);
	int64_t updated = o2_doc_int(object, "/status/updatedReplicas", 0);
	int64_t available = o2_doc_int(object, "/status/availableReplicas", 0);
	int64_t deadline = o2_doc_int(object, "/spec/progressDeadlineSeconds", INT32_MAX);
	bool paused = o2_doc_bool(object, "/spec/paused", false);

	if (has_reason(object, "Progressing", "ProgressDeadlineExceeded"))
		return say(why, O2_KUBE_HEALTH_FAILED, "%s",
			   message_of(object, "Progressing", "made no progress in time"));
	if (replicas < want)
		return not_made(object, want, why);
	if (lacks(object, want, counts, why))
		return O2_KUBE_HEALTH_PROGRESSING;
	if (replicas > want)
		return too_many(why, replicas - want);
	if (updated > available)
		return progress(why, available, updated, "available");
	if (lacks(object, want, late, why))
		return O2_KUBE_HEALTH_PROGRESSING;
	/* Without a deadline, or paused, nobody keeps the condition. */
	if (deadline < INT32_MAX && !paused &&
	    !(is_true(object, "Progressing") &&
	      has_reason(object, "Progressing", "NewReplicaSetAvailable")))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "its new pods are not available yet");
	if (!is_true(object, "Available"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "%s",
			   message_of(object, "Available", "not available yet"));
	return all_ready(why, want);
}

static enum o2_kube_health deployment_config(const struct o2_doc *object, struct o2_buf *why)
{
	static const char *const counts[][2] = { { "/status/replicas", "made" },
						 { "/status/updatedReplicas", "updated" },
						 { "/status/availableReplicas", "available" },
						 { "/status/readyReplicas", "ready" },
						 { NULL } };
	int64_t want = o2_doc_int(object, "/spec/replicas", 1);
	int64_t replicas = o2_doc_int(object, "/status/replicas", 0);

	if (has_reason(object, "Progressing", "ProgressDeadlineExceeded"))
		return say(why, O2_KUBE_HEALTH_FAILED, "%s",
			   message_of(object, "Progressing", "made no progress in time"));
	if (o2_doc_int(object, "/status/latestVersion", 0) == 0)
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "not rolled out yet");
	if (lacks(object, want, counts, why))
		return O2_KUBE_HEALTH_PROGRESSING;
	if (replicas > want)
		return too_many(why, replicas - want);
	if (want > 0 && !is_true(object, "Available"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "%s",
			   message_of(object, "Available", "not available yet"));
	return all_ready(why, want);
}

static enum o2_kube_health stateful_set(const struct o2_doc *object, struct o2_buf *why)
{
	static const char *const counts[][2] = { { "/status/replicas", "made" },
						 { "/status/readyReplicas", "ready" },
						 { NULL } };
	static const char *const current[][2] = { { "/status/currentReplicas", "current" },
						  { NULL } };
	int64_t want = o2_doc_int(object, "/spec/replicas", 1);
	int64_t replicas = o2_doc_int(object, "/status/replicas", 0);
	int64_t updated = o2_doc_int(object, "/status/updatedReplicas", 0);
	int64_t partition = o2_doc_int(object, "/spec/updateStrategy/rollingUpdate/partition", -1);

	if (lacks(object, want, counts, why))
		return O2_KUBE_HEALTH_PROGRESSING;
	if (replicas > want)
		return too_many(why, replicas - want);
	if (strcmp(o2_doc_str(object, "/spec/updateStrategy/type", ""), "OnDelete") == 0)
		return all_ready(why, want);
	if (partition >= 0) {
		if (updated < want - partition)
			return progress(why, updated, want - partition, "updated");
		return all_ready(why, want);
	}
	if (lacks(object, want, current, why))
		return O2_KUBE_HEALTH_PROGRESSING;
	if (strcmp(o2_doc_str(object, "/status/currentRevision", ""),
		   o2_doc_str(object, "/status/updateRevision", "")) != 0)
		return say(why, O2_KUBE_HEALTH_PROGRESSING,
			   "the new revision is not everywhere yet");
	return all_ready(why, want);
}

static enum o2_kube_health daemon_set(const struct o2_doc *object, struct o2_buf *why)
{
	static const char *const counts[][2] = { { "/status/currentNumberScheduled", "scheduled" },
						 { "/status/updatedNumberScheduled", "updated" },
						 { "/status/numberAvailable", "available" },
						 { "/status/numberReady", "ready" },
						 { NULL } };
	int64_t want = o2_doc_int(object, "/status/desiredNumberScheduled", -1);

	if (want < 0 || !o2_doc_at(object, "/metadata/generation") ||
	    !o2_doc_at(object, "/status/observedGeneration"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "not scheduled yet");
	if (lacks(object, want, counts, why))
		return O2_KUBE_HEALTH_PROGRESSING;
	return all_ready(why, want);
}

static enum o2_kube_health replica_set(const struct o2_doc *object, struct o2_buf *why)
{
	static const char *const counts[][2] = { { "/status/fullyLabeledReplicas", "labelled" },
						 { "/status/availableReplicas", "available" },
						 { "/status/readyReplicas", "ready" },
						 { NULL } };
	int64_t want = o2_doc_int(object, "/spec/replicas", 1);
	int64_t replicas = o2_doc_int(object, "/status/replicas", 0);

	if (is_true(object, "ReplicaFailure") || replicas < want)
		return not_made(object, want, why);
	if (lacks(object, want, counts, why))
		return O2_KUBE_HEALTH_PROGRESSING;
	if (replicas > want)
		return too_many(why, replicas - want);
	return all_ready(why, want);
}

static enum o2_kube_health job(const struct o2_doc *object, struct o2_buf *why)
{
	if (is_true(object, "Complete"))
		return say(why, O2_KUBE_HEALTH_READY, "complete");
	if (is_true(object, "Failed"))
		return say(why, O2_KUBE_HEALTH_FAILED, "%s",
			   message_of(object, "Failed", "the Job failed"));
	if (o2_doc_bool(object, "/spec/suspend", false) && is_true(object, "Suspended"))
		return say(why, O2_KUBE_HEALTH_READY, "suspended");
	if (!o2_doc_at(object, "/status/startTime"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "not started yet");
	return say(why, O2_KUBE_HEALTH_READY, "running");
}

static enum o2_kube_health claim(const struct o2_doc *object, struct o2_buf *why)
{
	const char *phase = o2_doc_str(object, "/status/phase", "Pending");

	return say(why,
		   strcmp(phase, "Bound") == 0 ? O2_KUBE_HEALTH_READY : O2_KUBE_HEALTH_PROGRESSING,
		   "%s", phase);
}

static enum o2_kube_health definition(const struct o2_doc *object, struct o2_buf *why)
{
	const struct o2_doc *established = condition(object, "Established");
	const struct o2_doc *names = condition(object, "NamesAccepted");

	if (strcmp(o2_doc_member_str(names, "status", ""), "False") == 0)
		return say(why, O2_KUBE_HEALTH_FAILED, "%s",
			   message_of(object, "NamesAccepted", "its names are not accepted"));
	if (is_true(object, "Established"))
		return say(why, O2_KUBE_HEALTH_READY, "established");
	if (strcmp(o2_doc_member_str(established, "status", ""), "False") == 0 &&
	    strcmp(o2_doc_member_str(established, "reason", ""), "Installing") != 0)
		return say(why, O2_KUBE_HEALTH_FAILED, "%s",
			   message_of(object, "Established", "it is not established"));
	return say(why, O2_KUBE_HEALTH_PROGRESSING, "not established yet");
}

static enum o2_kube_health service(const struct o2_doc *object, struct o2_buf *why)
{
	if (strcmp(o2_doc_str(object, "/spec/type", ""), "LoadBalancer") == 0 &&
	    o2_doc_str(object, "/spec/clusterIP", "")[0] == '\0')
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "it has no cluster IP yet");
	return say(why, O2_KUBE_HEALTH_READY, "current");
}

static enum o2_kube_health route(const struct o2_doc *object, struct o2_buf *why)
{
	const struct o2_doc *ingress = o2_doc_at(object, "/status/ingress");

	for (size_t i = 0; i < o2_doc_count(ingress); i++) {
		const struct o2_doc *conditions =
			o2_doc_member(o2_doc_item(ingress, i), "conditions");
		bool admitted = false;
		const char *message = "";

		for (size_t k = 0; k < o2_doc_count(conditions); k++) {
			const struct o2_doc *it = o2_doc_item(conditions, k);
			if (strcmp(o2_doc_member_str(it, "type", ""), "Admitted") != 0)
				continue;
			admitted = strcmp(o2_doc_member_str(it, "status", ""), "True") == 0;
			message = o2_doc_member_str(it, "message", "");
		}
		if (!admitted)
			return say(why, O2_KUBE_HEALTH_PROGRESSING,
				   "a router has not admitted it%s%s", message[0] ? ": " : "",
				   message);
	}
	if (o2_doc_count(ingress) == 0)
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "no router has seen it yet");
	return say(why, O2_KUBE_HEALTH_READY, "admitted");
}

static enum o2_kube_health always(const struct o2_doc *object, struct o2_buf *why)
{
	(void)object;
	return say(why, O2_KUBE_HEALTH_READY, "current");
}

/* `controlled`: not ready before its controller has looked at it once. */
static const struct rule {
	const char *group, *kind;
	enum o2_kube_health (*judge)(const struct o2_doc *object, struct o2_buf *why);
	bool controlled;
} rules[] = {
	{ "apps", "Deployment", deployment, true },
	{ "extensions", "Deployment", deployment, true },
	{ "apps", "StatefulSet", stateful_set, true },
	{ "apps", "DaemonSet", daemon_set, true },
	{ "extensions", "DaemonSet", daemon_set, true },
	{ "apps", "ReplicaSet", replica_set, true },
	{ "extensions", "ReplicaSet", replica_set, true },
	{ "", "ReplicationController", replica_set, true },
	{ "apps.openshift.io", "DeploymentConfig", deployment_config, true },
	{ "route.openshift.io", "Route", route, false },
	{ "batch", "Job", job, false },
	{ "batch", "CronJob", always, false },
	{ "", "Pod", o2_kube_pod_health, false },
	{ "", "PersistentVolumeClaim", claim, false },
	{ "", "Service", service, false },
	{ "", "Secret", always, false },
	{ "", "ConfigMap", always, false },
	{ "policy", "PodDisruptionBudget", always, false },
	{ "apiextensions.k8s.io", "CustomResourceDefinition", definition, false },
};

/* Others have kinds of the same names, which mean something else. */
static const struct rule *rule_of(const struct o2_doc *object)
{
	const char *kind = o2_doc_str(object, "/kind", "");
	const char *api_version = o2_doc_str(object, "/apiVersion", "");
	const char *slash = strchr(api_version, '/');
	size_t len = slash ? (size_t)(slash - api_version) : 0;

	for (size_t i = 0; i < O2_COUNT(rules); i++)
		if (strcmp(rules[i].kind, kind) == 0 && strlen(rules[i].group) == len &&
		    strncmp(rules[i].group, api_version, len) == 0)
			return &rules[i];
	return NULL;
}

enum o2_kube_health o2_kube_health(const struct o2_doc *object, struct o2_buf *why)
{
	const struct rule *rule = rule_of(object);
	int64_t generation = o2_doc_int(object, "/metadata/generation", -1);
	int64_t observed = o2_doc_int(object, "/status/observedGeneration", -1);

	if (o2_doc_at(object, "/metadata/deletionTimestamp"))
		return say(why, O2_KUBE_HEALTH_TERMINATING, "is being deleted");
	if (generation >= 0 && observed >= 0 && generation != observed)
		return say(why, O2_KUBE_HEALTH_PROGRESSING,
			   "its controller has not seen the last change");
	if (generation >= 0 && observed < 0 && rule && rule->controlled)
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "its controller has not seen it yet");
	if (is_true(object, "Reconciling"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "%s",
			   message_of(object, "Reconciling", "is reconciling"));
	if (is_true(object, "Stalled"))
		return say(why, O2_KUBE_HEALTH_FAILED, "%s",
			   message_of(object, "Stalled", "is stalled"));
	if (rule)
		return rule->judge(object, why);
	if (condition(object, "Ready") && !is_true(object, "Ready"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "%s",
			   message_of(object, "Ready", "is not ready"));
	return say(why, O2_KUBE_HEALTH_READY, "current");
}

/* --- pods --- */

/* Reasons of a waiting container, and whether waiting can mend them. */
static const struct {
	const char *reason;
	enum o2_kube_health health;
} waiting_reasons[] = {
	{ "ErrImagePull", O2_KUBE_HEALTH_FAILED },
	{ "ImagePullBackOff", O2_KUBE_HEALTH_FAILED },
	{ "InvalidImageName", O2_KUBE_HEALTH_FAILED },
	{ "ErrImageNeverPull", O2_KUBE_HEALTH_FAILED },
	{ "ImageInspectError", O2_KUBE_HEALTH_FAILED },
	{ "SignatureValidationFailed", O2_KUBE_HEALTH_FAILED },
	{ "CreateContainerConfigError", O2_KUBE_HEALTH_FAILED },
	{ "CreateContainerError", O2_KUBE_HEALTH_FAILED },
	{ "RunContainerError", O2_KUBE_HEALTH_FAILED },
	{ "RegistryUnavailable", O2_KUBE_HEALTH_PROGRESSING },
	{ "PostStartHookError", O2_KUBE_HEALTH_PROGRESSING },
	{ "CrashLoopBackOff", O2_KUBE_HEALTH_PROGRESSING },
};

/* " (last exit status 137, OOMKilled)"; "" if it never ended. Caller frees. */
static char *last_end(const struct o2_doc *terminated)
{
	const char *reason = o2_doc_member_str(terminated, "reason", "");

	if (terminated == NULL)
		return o2_xstrdup("");
	return o2_xasprintf(" (last exit status %lld%s%s)",
			    (long long)o2_doc_int(terminated, "/exitCode", 0),
			    reason[0] && strcmp(reason, "Error") != 0 ? ", " : "",
			    strcmp(reason, "Error") != 0 ? reason : "");
}

/* READY: nothing is wrong with the container. */
static enum o2_kube_health container(const struct o2_doc *status, struct o2_buf *why)
{
	const char *name = o2_doc_member_str(status, "name", "?");
	const char *reason = o2_doc_str(status, "/state/waiting/reason", "");
	const char *message = o2_doc_str(status, "/state/waiting/message", "");

	for (size_t i = 0; i < O2_COUNT(waiting_reasons); i++) {
		if (strcmp(waiting_reasons[i].reason, reason) != 0)
			continue;
		O2_AUTO(o2_freep)
		char *end = last_end(o2_doc_at(status, "/lastState/terminated"));
		return say(why, waiting_reasons[i].health, "container '%s': %s%s%s%s", name, reason,
			   message[0] ? ": " : "", message, end);
	}
	if (o2_doc_int(status, "/state/terminated/exitCode", 0) != 0) {
		O2_AUTO(o2_freep) char *end = last_end(o2_doc_at(status, "/state/terminated"));
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "container '%s' has ended%s", name,
			   end);
	}
	return O2_KUBE_HEALTH_READY;
}

/* The worst of the containers: one that can't be mended goes before one that may. */
static enum o2_kube_health containers(const struct o2_doc *object, struct o2_buf *why)
{
	static const char *const lists[] = { "/status/initContainerStatuses",
					     "/status/containerStatuses" };
	enum o2_kube_health worst = O2_KUBE_HEALTH_READY;

	for (size_t k = 0; k < O2_COUNT(lists); k++) {
		const struct o2_doc *statuses = o2_doc_at(object, lists[k]);

		for (size_t i = 0; i < o2_doc_count(statuses); i++) {
			const struct o2_doc *status = o2_doc_item(statuses, i);
			enum o2_kube_health health = container(status, NULL);

			if (health == O2_KUBE_HEALTH_READY ||
			    (worst != O2_KUBE_HEALTH_READY && health != O2_KUBE_HEALTH_FAILED))
				continue;
			worst = container(status, why);
			if (worst == O2_KUBE_HEALTH_FAILED)
				return worst;
		}
	}
	return worst;
}

static enum o2_kube_health not_scheduled(const struct o2_doc *pod, struct o2_buf *why)
{
	if (has_reason(pod, "PodScheduled", "SchedulingGated"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "held by its scheduling gates");
	return say(why, O2_KUBE_HEALTH_PROGRESSING, "no node takes it: %s",
		   message_of(pod, "PodScheduled", "unschedulable"));
}

enum o2_kube_health o2_kube_pod_health(const struct o2_doc *pod, struct o2_buf *why)
{
	const char *phase = o2_doc_str(pod, "/status/phase", "");
	bool running = strcmp(phase, "Running") == 0;
	enum o2_kube_health health;

	if (o2_doc_at(pod, "/metadata/deletionTimestamp"))
		return say(why, O2_KUBE_HEALTH_TERMINATING, "is being deleted");
	if (strcmp(phase, "Succeeded") == 0)
		return say(why, O2_KUBE_HEALTH_READY, "succeeded");
	if (strcmp(phase, "Failed") == 0)
		return say(why, O2_KUBE_HEALTH_FAILED, "%s",
			   o2_doc_str(pod, "/status/message",
				      o2_doc_str(pod, "/status/reason", "failed")));
	if (running && is_true(pod, "Ready"))
		return say(why, O2_KUBE_HEALTH_READY, "ready");
	health = containers(pod, why);
	if (health != O2_KUBE_HEALTH_READY)
		return health;
	if (strcmp(o2_doc_member_str(condition(pod, "PodScheduled"), "status", ""), "False") == 0)
		return not_scheduled(pod, why);
	if (running)
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "%s",
			   message_of(pod, "Ready", "is running, not ready yet"));
	return say(why, O2_KUBE_HEALTH_PROGRESSING, "is starting");
}

int64_t o2_kube_ready_pods(const struct o2_doc *object)
{
	return o2_doc_int(object, "/status/readyReplicas",
			  o2_doc_int(object, "/status/numberReady", 0));
}
