/* Deployments: a ReplicaSet a template, their annotations, and a status that sums them up. */
#include "controllers_internal.h"

#define REVISION "deployment.kubernetes.io/revision"
#define DESIRED "deployment.kubernetes.io/desired-replicas"
#define MOST "deployment.kubernetes.io/max-replicas"
#define DEADLINE_NONE INT32_MAX
#define DEADLINE_DEFAULT_S 600
#define HISTORY_DEFAULT 10
#define HASH_LABEL "pod-template-hash"

/* --- its ReplicaSets --- */

static int64_t revision_of(const struct sim_object *object)
{
	const struct o2_doc *annotations = o2_doc_at(object->doc, "/metadata/annotations");

	return strtoll(o2_doc_member_str(annotations, REVISION, "0"), NULL, 10);
}

static void put_number(struct o2_doc *annotations, const char *name, int64_t number)
{
	O2_AUTO(o2_freep) char *text = o2_xasprintf("%lld", (long long)number);

	o2_doc_set_str(annotations, name, text);
}

static struct o2_doc *annotations_of(struct o2_doc *doc)
{
	if (!o2_doc_at(doc, "/metadata/annotations"))
		o2_doc_put(doc, "/metadata/annotations", o2_doc_object_new());
	return o2_doc_at(doc, "/metadata/annotations");
}

static void put_replicas(struct o2_doc *set, int64_t replicas, const struct sim_object *deployment)
{
	int64_t wanted = o2_doc_int(deployment->doc, "/spec/replicas", 1);

	put_number(annotations_of(set), DESIRED, wanted);
	put_number(annotations_of(set), MOST, wanted + sim_rollout_surge(deployment));
	if (o2_doc_int(set, "/spec/replicas", -1) == replicas)
		return;
	o2_doc_set(set, "spec", o2_doc_copy(o2_doc_member(set, "spec")));
	o2_doc_put_int(set, "/spec/replicas", replicas);
}

void sim_replica_set_scale(struct sim_object *set, int64_t replicas,
			   const struct sim_object *deployment)
{
	struct o2_doc *draft = sim_draft(set);

	put_replicas(draft, replicas, deployment);
	sim_write(set, draft);
}

/* What a Deployment says in annotations its ReplicaSet says too; what it no longer says stays there. */
static void copy_annotations(struct o2_doc *set, const struct sim_object *deployment)
{
	static const char *const own[] = { "kubectl.kubernetes.io/last-applied-configuration",
					   REVISION, DESIRED, MOST,
					   "deployment.kubernetes.io/revision-history" };
	const struct o2_doc *from = o2_doc_at(deployment->doc, "/metadata/annotations");

	for (struct o2_doc_iter it = o2_doc_iter(from); o2_doc_next(&it);) {
		bool is_own = false;
		for (size_t i = 0; i < O2_COUNT(own); i++)
			is_own |= strcmp(own[i], it.name) == 0;
		if (!is_own)
			o2_doc_set(annotations_of(set), it.name, o2_doc_copy(it.value));
	}
}

static struct o2_doc *template_with_hash(const struct o2_doc *template, const char *hash)
{
	struct o2_doc *with = o2_doc_object_new();

	o2_doc_set(with, "metadata", o2_doc_copy(o2_doc_member(template, "metadata")));
	o2_doc_put_str(with, "/metadata/labels/" HASH_LABEL, hash);
	o2_doc_set(with, "spec", o2_doc_ref(o2_doc_member(template, "spec")));
	return with;
}

static struct sim_object *create_set(struct sim_object *deployment, int64_t replicas,
				     int64_t revision)
{
	const struct o2_doc *doc = deployment->doc, *template = o2_doc_at(doc, "/spec/template");
	char hash[11];

	sim_template_hash(template, o2_doc_int(doc, "/status/collisionCount", 0), hash);
	O2_AUTO(o2_freep) char *name = o2_xasprintf("%s-%s", deployment->name, hash);
	struct o2_doc *set = sim_object_doc(sim_known.replica_set, deployment->ns, name);
	o2_doc_put(set, "/metadata/labels", o2_doc_copy(o2_doc_at(template, "/metadata/labels")));
	o2_doc_put_str(set, "/metadata/labels/" HASH_LABEL, hash);
	copy_annotations(set, deployment);
	put_number(annotations_of(set), REVISION, revision);
	sim_put_owner(set, deployment);
	o2_doc_put_int(set, "/spec/replicas", replicas);
	put_replicas(set, replicas, deployment);
	sim_put_count(set, "/spec/minReadySeconds", o2_doc_int(doc, "/spec/minReadySeconds", 0));
	o2_doc_put(set, "/spec/selector", o2_doc_copy(o2_doc_at(doc, "/spec/selector")));
	o2_doc_put_str(set, "/spec/selector/matchLabels/" HASH_LABEL, hash);
	o2_doc_put(set, "/spec/template", template_with_hash(template, hash));
	struct sim_object *made =
		sim_create(deployment->cluster, set, SIM_CONTROLLER_MANAGER, NULL);
	if (!made)
		sim_back_off(deployment);
	return made;
}

/* Its ReplicaSets: that of its template, and older ones. */
static void find_sets(struct sim_rollout *rollout)
{
	const struct o2_doc *template = o2_doc_at(rollout->deployment->doc, "/spec/template");
	struct sim_list sets = { 0 };

	sim_gather(rollout->deployment, sim_known.replica_set, NULL, &sets);
	for (size_t i = 0; i < sets.count; i++) {
		struct sim_object *set = sets.items[i];
		bool is_current =
			!rollout->current && !sim_is_deleting(set) &&
			sim_same_template(o2_doc_at(set->doc, "/spec/template"), template);
		if (is_current)
			rollout->current = set;
		else
			sim_list_add(&rollout->old, set);
	}
	sim_list_release(&sets);
}

static bool has_pods(const struct sim_list *sets)
{
	for (size_t i = 0; i < sets->count; i++) {
		if (o2_doc_int(sets->items[i]->doc, "/status/replicas", 0) > 0 ||
		    o2_doc_int(sets->items[i]->doc, "/spec/replicas", 0) > 0)
			return true;
	}
	return false;
}

/* Pods that are ending count: the new ones must not meet them. */
static bool old_pods_are_there(const struct sim_rollout *rollout)
{
	for (const struct sim_object *pod = sim_first(rollout->deployment->cluster, sim_known.pod);
	     pod; pod = sim_next(pod)) {
		for (size_t i = 0; i < rollout->old.count; i++) {
			if (sim_is_controlled_by(pod, rollout->old.items[i]) &&
			    !sim_pod_has_ended(pod))
				return true;
		}
	}
	return false;
}

/* The ReplicaSet of its template, with its annotations and the newest revision. */
static void sync_current(struct sim_rollout *rollout)
{
	struct sim_object *deployment = rollout->deployment;
	bool paused = o2_doc_bool(deployment->doc, "/spec/paused", false);
	int64_t revision = 0;

	for (size_t i = 0; i < rollout->old.count; i++) {
		int64_t one = revision_of(rollout->old.items[i]);
		revision = one > revision ? one : revision;
	}
	if (rollout->current && revision_of(rollout->current) > revision)
		revision = revision_of(rollout->current) - 1;
	revision++;
	if (rollout->current) {
		struct o2_doc *draft = sim_draft(rollout->current);
		copy_annotations(draft, deployment);
		put_number(annotations_of(draft), REVISION, revision);
		sim_write(rollout->current, draft);
	} else if (!paused && !sim_is_backing_off(deployment) &&
		   !(sim_rollout_recreates(deployment) && old_pods_are_there(rollout))) {
		int64_t first = has_pods(&rollout->old) ? 0 : rollout->replicas;
		rollout->current = create_set(deployment, first, revision);
	}
	if (rollout->current && revision_of(deployment) != revision) {
		struct o2_doc *draft = sim_draft(deployment);
		put_number(annotations_of(draft), REVISION, revision);
		sim_write_status(deployment, draft);
	}
}

static void clean_history(struct sim_rollout *rollout)
{
	int64_t limit =
		o2_doc_int(rollout->deployment->doc, "/spec/revisionHistoryLimit", HISTORY_DEFAULT);
	int64_t surplus = (int64_t)rollout->old.count - limit;

	for (size_t i = 0; i < rollout->old.count && surplus > 0; i++) {
		struct sim_object *set = rollout->old.items[i];
		if (o2_doc_int(set->doc, "/spec/replicas", 0) > 0 ||
		    o2_doc_int(set->doc, "/status/replicas", 0) > 0 || sim_is_deleting(set))
			continue;
		sim_delete(set, SIM_BACKGROUND);
		surplus--;
	}
}

/* --- status --- */

static int64_t sum(const struct sim_rollout *rollout, const char *pointer)
{
	int64_t total = rollout->current ? o2_doc_int(rollout->current->doc, pointer, 0) : 0;

	for (size_t i = 0; i < rollout->old.count; i++)
		total += o2_doc_int(rollout->old.items[i]->doc, pointer, 0);
	return total;
}

static void put_counts(const struct sim_rollout *rollout, struct o2_doc *draft)
{
	int64_t available = sum(rollout, "/status/availableReplicas");
	int64_t missing = sum(rollout, "/spec/replicas") - available;
	bool enough = available >= rollout->replicas - sim_rollout_unavailable(rollout->deployment);

	o2_doc_put_int(draft, "/status/observedGeneration",
		       o2_doc_int(draft, "/metadata/generation", 0));
	sim_put_count(draft, "/status/replicas", sum(rollout, "/status/replicas"));
	sim_put_count(draft, "/status/updatedReplicas",
		      rollout->current ? o2_doc_int(rollout->current->doc, "/status/replicas", 0)
				       : 0);
	sim_put_count(draft, "/status/readyReplicas", sum(rollout, "/status/readyReplicas"));
	sim_put_count(draft, "/status/availableReplicas", available);
	sim_put_count(draft, "/status/unavailableReplicas", missing > 0 ? missing : 0);
	sim_set_condition(
		draft, &(struct sim_condition){
			       .type = "Available",
			       .status = enough ? "True" : "False",
			       .reason = enough ? "MinimumReplicasAvailable"
						: "MinimumReplicasUnavailable",
			       .message = enough ? "Deployment has minimum availability."
						 : "Deployment does not have minimum availability.",
			       .has_update_time = true });
}

static bool is_complete(const struct sim_rollout *rollout, const struct o2_doc *draft)
{
	return o2_doc_int(draft, "/status/updatedReplicas", 0) == rollout->replicas &&
	       o2_doc_int(draft, "/status/replicas", 0) == rollout->replicas &&
	       o2_doc_int(draft, "/status/availableReplicas", 0) == rollout->replicas;
}

static bool has_progressed(const struct o2_doc *before, const struct o2_doc *draft)
{
	static const char *const grown[] = { "/status/updatedReplicas", "/status/readyReplicas",
					     "/status/availableReplicas" };

	for (size_t i = 0; i < O2_COUNT(grown); i++) {
		if (o2_doc_int(draft, grown[i], 0) > o2_doc_int(before, grown[i], 0))
			return true;
	}
	int64_t old = o2_doc_int(before, "/status/replicas", 0) -
		      o2_doc_int(before, "/status/updatedReplicas", 0);
	return o2_doc_int(draft, "/status/replicas", 0) -
		       o2_doc_int(draft, "/status/updatedReplicas", 0) <
	       old;
}

/* What is left of its deadline; 0 or less: it is over. */
static int64_t time_left_us(struct sim_object *deployment)
{
	int64_t deadline_s =
		o2_doc_int(deployment->doc, "/spec/progressDeadlineSeconds", DEADLINE_DEFAULT_S);

	return *sim_moment(deployment) + deadline_s * SIM_S - sim_now_us();
}

static void put_progress(struct o2_doc *draft, const char *status, const char *reason,
			 const char *fmt, const char *name)
{
	char message[300];

	snprintf(message, sizeof(message), "ReplicaSet \"%s\" %s", name, fmt);
	sim_set_condition(draft, &(struct sim_condition){ .type = "Progressing",
							  .status = status,
							  .reason = reason,
							  .message = message,
							  .has_update_time = true });
}

static void judge_progress(struct sim_rollout *rollout, struct o2_doc *draft)
{
	struct sim_object *deployment = rollout->deployment;
	const struct o2_doc *condition = sim_condition(draft, "Progressing");
	const char *reason = o2_doc_member_str(condition, "reason", "");
	const char *name = rollout->current ? rollout->current->name : deployment->name;
	int64_t replicas = o2_doc_int(draft, "/status/replicas", 0);
	bool was_complete = strcmp(reason, "NewReplicaSetAvailable") == 0 &&
			    replicas == o2_doc_int(draft, "/status/updatedReplicas", 0);

	if (o2_doc_int(deployment->doc, "/spec/progressDeadlineSeconds", 0) == DEADLINE_NONE) {
		sim_unset_condition(draft, "Progressing");
		return;
	}
	if (!condition && rollout->current) {
		put_progress(draft, "True", "NewReplicaSetCreated", "has been created.", name);
		*sim_moment(deployment) = sim_now_us();
	}
	if (was_complete || !rollout->current ||
	    o2_doc_bool(deployment->doc, "/spec/paused", false))
		return;
	if (is_complete(rollout, draft)) {
		put_progress(draft, "True", "NewReplicaSetAvailable",
			     "has successfully progressed.", name);
	} else if (has_progressed(deployment->doc, draft)) {
		/* Confirmed, so its time of confirmation moves though nothing else does. */
		put_progress(draft, "True", "ReplicaSetUpdated", "is progressing.", name);
		o2_doc_set_str((struct o2_doc *)sim_condition(draft, "Progressing"),
			       "lastUpdateTime", sim_stamp());
		*sim_moment(deployment) = sim_now_us();
	} else if (condition && time_left_us(deployment) <= 0) {
		put_progress(draft, "False", "ProgressDeadlineExceeded",
			     "has timed out progressing.", name);
	}
}

/* A refusal of one of its ReplicaSets is its own. */
static void put_failure(const struct sim_rollout *rollout, struct o2_doc *draft)
{
	const struct o2_doc *failure =
		rollout->current ? sim_condition(rollout->current->doc, "ReplicaFailure") : NULL;

	for (size_t i = 0; i < rollout->old.count && !failure; i++)
		failure = sim_condition(rollout->old.items[i]->doc, "ReplicaFailure");
	if (!failure) {
		sim_unset_condition(draft, "ReplicaFailure");
		return;
	}
	sim_set_condition(draft, &(struct sim_condition){
					 .type = "ReplicaFailure",
					 .status = "True",
					 .reason = o2_doc_member_str(failure, "reason", ""),
					 .message = o2_doc_member_str(failure, "message", ""),
					 .has_update_time = true });
}

static void write_status(struct sim_rollout *rollout)
{
	struct sim_object *deployment = rollout->deployment;
	struct o2_doc *draft = sim_draft(deployment);

	put_counts(rollout, draft);
	judge_progress(rollout, draft);
	put_failure(rollout, draft);
	sim_write_status(deployment, draft);
	const struct o2_doc *condition = sim_condition(deployment->doc, "Progressing");
	const char *reason = o2_doc_member_str(condition, "reason", "");
	if (condition && strcmp(reason, "NewReplicaSetAvailable") != 0 &&
	    strcmp(reason, "ProgressDeadlineExceeded") != 0)
		sim_queue_in(deployment, time_left_us(deployment));
}

/* --- the look --- */

/* Its number of replicas was changed, not its template: no part of a rollout. */
static bool is_scaling(const struct sim_rollout *rollout)
{
	const struct sim_object *set = rollout->current;
	const struct o2_doc *annotations =
		set ? o2_doc_at(set->doc, "/metadata/annotations") : NULL;
	const char *desired = o2_doc_member_str(annotations, DESIRED, NULL);

	return desired && strtoll(desired, NULL, 10) != rollout->replicas;
}

void sim_deployment_look(struct sim_object *deployment)
{
	struct sim_rollout rollout = { .deployment = deployment,
				       .replicas =
					       o2_doc_int(deployment->doc, "/spec/replicas", 1) };
	bool paused = o2_doc_bool(deployment->doc, "/spec/paused", false);

	find_sets(&rollout);
	if (!sim_is_deleting(deployment)) {
		sync_current(&rollout);
		if (rollout.current && !has_pods(&rollout.old) &&
		    !(sim_rollout_recreates(deployment) && old_pods_are_there(&rollout)))
			sim_replica_set_scale(rollout.current, rollout.replicas, deployment);
		else if (rollout.current && is_scaling(&rollout) && paused)
			sim_replica_set_scale(rollout.current, rollout.replicas, deployment);
		else if (!paused)
			sim_rollout_step(&rollout);
		clean_history(&rollout);
	}
	write_status(&rollout);
	sim_list_release(&rollout.old);
}
