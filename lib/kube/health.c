/* Readiness: the rules of kstatus, a row a kind, and what keeps a pod from starting. */
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

static enum o2_kube_health progress(struct o2_buf *why, int64_t have, int64_t want,
				    const char *what)
{
	return say(why, O2_KUBE_HEALTH_PROGRESSING, "%lld of %lld pods %s", (long long)have,
		   (long long)want, what);
}

static enum o2_kube_health deployment(const struct o2_doc *object, struct o2_buf *why)
{
	int64_t want = o2_doc_int(object, "/spec/replicas", 1);
	int64_t replicas = o2_doc_int(object, "/status/replicas", 0);
	int64_t updated = o2_doc_int(object, "/status/updatedReplicas", 0);
	int64_t available = o2_doc_int(object, "/status/availableReplicas", 0);
	int64_t ready = o2_doc_int(object, "/status/readyReplicas", 0);
	const struct o2_doc *progressing = condition(object, "Progressing");

	if (strcmp(o2_doc_member_str(progressing, "reason", ""), "ProgressDeadlineExceeded") == 0)
		return say(why, O2_KUBE_HEALTH_FAILED, "%s",
			   o2_doc_member_str(progressing, "message", "made no progress in time"));
	if (replicas < want)
		return progress(why, replicas, want, "made");
	if (updated < want)
		return progress(why, updated, want, "updated");
	if (replicas > want)
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "%lld pods too many",
			   (long long)(replicas - want));
	if (updated > available)
		return progress(why, available, updated, "available");
	if (ready < want)
		return progress(why, ready, want, "ready");
	if (want > 0 && !is_true(object, "Available"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "not available yet");
	return say(why, O2_KUBE_HEALTH_READY, "%lld pods ready", (long long)ready);
}

static enum o2_kube_health stateful_set(const struct o2_doc *object, struct o2_buf *why)
{
	int64_t want = o2_doc_int(object, "/spec/replicas", 1);
	int64_t replicas = o2_doc_int(object, "/status/replicas", 0);
	int64_t ready = o2_doc_int(object, "/status/readyReplicas", 0);
	int64_t partition = o2_doc_int(object, "/spec/updateStrategy/rollingUpdate/partition", 0);

	if (replicas < want)
		return progress(why, replicas, want, "made");
	if (ready < want)
		return progress(why, ready, want, "ready");
	if (replicas > want)
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "%lld pods too many",
			   (long long)(replicas - want));
	if (strcmp(o2_doc_str(object, "/spec/updateStrategy/type", ""), "OnDelete") == 0)
		return say(why, O2_KUBE_HEALTH_READY, "%lld pods ready", (long long)ready);
	if (partition > 0) {
		int64_t updated = o2_doc_int(object, "/status/updatedReplicas", 0);

		if (updated < want - partition)
			return progress(why, updated, want - partition, "updated");
	} else if (strcmp(o2_doc_str(object, "/status/currentRevision", ""),
			  o2_doc_str(object, "/status/updateRevision", "")) != 0) {
		return say(why, O2_KUBE_HEALTH_PROGRESSING,
			   "the new revision is not everywhere yet");
	}
	return say(why, O2_KUBE_HEALTH_READY, "%lld pods ready", (long long)ready);
}

static enum o2_kube_health daemon_set(const struct o2_doc *object, struct o2_buf *why)
{
	static const char *const counts[] = { "/status/currentNumberScheduled",
					      "/status/updatedNumberScheduled",
					      "/status/numberAvailable", "/status/numberReady" };
	int64_t want = o2_doc_int(object, "/status/desiredNumberScheduled", -1);

	if (want < 0 || !o2_doc_at(object, "/status/observedGeneration"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "not scheduled yet");
	for (size_t i = 0; i < O2_COUNT(counts); i++) {
		int64_t have = o2_doc_int(object, counts[i], 0);

		if (have < want)
			return progress(why, have, want, "ready");
	}
	return say(why, O2_KUBE_HEALTH_READY, "%lld pods ready", (long long)want);
}

static enum o2_kube_health replica_set(const struct o2_doc *object, struct o2_buf *why)
{
	int64_t want = o2_doc_int(object, "/spec/replicas", 1);
	int64_t ready = o2_doc_int(object, "/status/readyReplicas", 0);

	if (is_true(object, "ReplicaFailure"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "%s",
			   o2_doc_member_str(condition(object, "ReplicaFailure"), "message",
					     "pods are refused"));
	if (ready < want || o2_doc_int(object, "/status/availableReplicas", 0) < want)
		return progress(why, ready, want, "ready");
	if (o2_doc_int(object, "/status/replicas", 0) > want)
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "pods too many");
	return say(why, O2_KUBE_HEALTH_READY, "%lld pods ready", (long long)ready);
}

static enum o2_kube_health job(const struct o2_doc *object, struct o2_buf *why)
{
	if (is_true(object, "Complete"))
		return say(why, O2_KUBE_HEALTH_READY, "complete");
	if (is_true(object, "Failed"))
		return say(why, O2_KUBE_HEALTH_FAILED, "%s",
			   o2_doc_member_str(condition(object, "Failed"), "message",
					     "the Job failed"));
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
			   o2_doc_member_str(names, "message", "its names are not accepted"));
	if (is_true(object, "Established"))
		return say(why, O2_KUBE_HEALTH_READY, "established");
	if (strcmp(o2_doc_member_str(established, "status", ""), "False") == 0 &&
	    strcmp(o2_doc_member_str(established, "reason", ""), "Installing") != 0)
		return say(why, O2_KUBE_HEALTH_FAILED, "%s",
			   o2_doc_member_str(established, "message", "it is not established"));
	return say(why, O2_KUBE_HEALTH_PROGRESSING, "not established yet");
}

static enum o2_kube_health pod(const struct o2_doc *object, struct o2_buf *why)
{
	return o2_kube_pod_health(object, why);
}

static const struct {
	const char *kind;
	enum o2_kube_health (*judge)(const struct o2_doc *object, struct o2_buf *why);
} rules[] = {
	{ "Deployment", deployment },
	{ "StatefulSet", stateful_set },
	{ "DaemonSet", daemon_set },
	{ "ReplicaSet", replica_set },
	{ "ReplicationController", replica_set },
	{ "Job", job },
	{ "Pod", pod },
	{ "PersistentVolumeClaim", claim },
	{ "CustomResourceDefinition", definition },
};

enum o2_kube_health o2_kube_health(const struct o2_doc *object, struct o2_buf *why)
{
	const char *kind = o2_doc_str(object, "/kind", "");
	int64_t generation = o2_doc_int(object, "/metadata/generation", -1);
	int64_t observed = o2_doc_int(object, "/status/observedGeneration", -1);
	const struct o2_doc *ready = condition(object, "Ready");

	if (o2_doc_at(object, "/metadata/deletionTimestamp"))
		return say(why, O2_KUBE_HEALTH_TERMINATING, "is being deleted");
	if (generation >= 0 && observed >= 0 && generation != observed)
		return say(why, O2_KUBE_HEALTH_PROGRESSING,
			   "its controller has not seen the last change");
	if (is_true(object, "Reconciling"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "is reconciling");
	if (is_true(object, "Stalled"))
		return say(
			why, O2_KUBE_HEALTH_FAILED, "%s",
			o2_doc_member_str(condition(object, "Stalled"), "message", "is stalled"));
	for (size_t i = 0; i < O2_COUNT(rules); i++) {
		if (strcmp(rules[i].kind, kind) == 0)
			return rules[i].judge(object, why);
	}
	if (ready && !is_true(object, "Ready"))
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "%s",
			   o2_doc_member_str(ready, "message", "is not ready"));
	return say(why, O2_KUBE_HEALTH_READY, "%s", "current");
}

/* Reasons of a waiting container, and whether waiting can mend them. */
static const struct {
	const char *reason;
	enum o2_kube_health health;
} waiting_reasons[] = {
	{ "ErrImagePull", O2_KUBE_HEALTH_FAILED },
	{ "ImagePullBackOff", O2_KUBE_HEALTH_FAILED },
	{ "InvalidImageName", O2_KUBE_HEALTH_FAILED },
	{ "ErrImageNeverPull", O2_KUBE_HEALTH_FAILED },
	{ "CreateContainerConfigError", O2_KUBE_HEALTH_FAILED },
	{ "CreateContainerError", O2_KUBE_HEALTH_FAILED },
	{ "RunContainerError", O2_KUBE_HEALTH_FAILED },
	{ "CrashLoopBackOff", O2_KUBE_HEALTH_PROGRESSING },
};

/* READY: nothing is wrong with the container. */
static enum o2_kube_health container(const struct o2_doc *status, struct o2_buf *why)
{
	const char *name = o2_doc_member_str(status, "name", "?");
	const char *reason = o2_doc_str(status, "/state/waiting/reason", "");
	const char *message = o2_doc_str(status, "/state/waiting/message", "");

	for (size_t i = 0; i < O2_COUNT(waiting_reasons); i++) {
		if (strcmp(waiting_reasons[i].reason, reason) == 0)
			return say(why, waiting_reasons[i].health, "container '%s': %s%s%s", name,
				   reason, message[0] ? ": " : "", message);
	}
	return O2_KUBE_HEALTH_READY;
}

static enum o2_kube_health containers(const struct o2_doc *object, const char *pointer,
				      struct o2_buf *why)
{
	const struct o2_doc *statuses = o2_doc_at(object, pointer);

	for (size_t i = 0; i < o2_doc_count(statuses); i++) {
		enum o2_kube_health health = container(o2_doc_item(statuses, i), why);

		if (health != O2_KUBE_HEALTH_READY)
			return health;
	}
	return O2_KUBE_HEALTH_READY;
}

enum o2_kube_health o2_kube_pod_health(const struct o2_doc *object, struct o2_buf *why)
{
	const char *phase = o2_doc_str(object, "/status/phase", "");
	const struct o2_doc *scheduled = condition(object, "PodScheduled");
	enum o2_kube_health health;

	if (o2_doc_at(object, "/metadata/deletionTimestamp"))
		return say(why, O2_KUBE_HEALTH_TERMINATING, "is being deleted");
	if (strcmp(phase, "Succeeded") == 0)
		return say(why, O2_KUBE_HEALTH_READY, "succeeded");
	if (strcmp(phase, "Failed") == 0)
		return say(why, O2_KUBE_HEALTH_FAILED, "%s",
			   o2_doc_str(object, "/status/message",
				      o2_doc_str(object, "/status/reason", "failed")));
	health = containers(object, "/status/initContainerStatuses", why);
	if (health == O2_KUBE_HEALTH_READY)
		health = containers(object, "/status/containerStatuses", why);
	if (health != O2_KUBE_HEALTH_READY)
		return health;
	if (is_true(object, "Ready"))
		return say(why, O2_KUBE_HEALTH_READY, "ready");
	if (strcmp(o2_doc_member_str(scheduled, "reason", ""), "Unschedulable") == 0)
		return say(why, O2_KUBE_HEALTH_PROGRESSING, "no node takes it: %s",
			   o2_doc_member_str(scheduled, "message", "unschedulable"));
	return say(why, O2_KUBE_HEALTH_PROGRESSING, "%s",
		   strcmp(phase, "Running") == 0 ? "is running, not ready yet" : "is starting");
}
