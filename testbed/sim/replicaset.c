/* ReplicaSets: as many pods as they say, and what became of them. */
#include "controllers_internal.h"

static bool is_assigned(const struct sim_object *pod)
{
	return o2_doc_str(pod->doc, "/spec/nodeName", "")[0] != '\0';
}

static int phase_rank(const struct sim_object *pod)
{
	const char *phase = o2_doc_str(pod->doc, "/status/phase", "");

	return strcmp(phase, "Pending") == 0 ? 0 : strcmp(phase, "Running") == 0 ? 2 : 1;
}

/* Which goes first: negative if `a` does. The younger of two that are alike, which is the later one in the list. */
static int compare(const struct sim_object *a, const struct sim_object *b)
{
	if (is_assigned(a) != is_assigned(b))
		return is_assigned(a) ? 1 : -1;
	if (phase_rank(a) != phase_rank(b))
		return phase_rank(a) - phase_rank(b);
	if (sim_pod_is_ready(a) != sim_pod_is_ready(b))
		return sim_pod_is_ready(a) ? 1 : -1;
	return 0;
}

static void delete_pods(const struct sim_list *pods, int64_t count)
{
	for (; count > 0; count--) {
		struct sim_object *first = NULL;

		for (size_t i = 0; i < pods->count; i++) {
			struct sim_object *pod = pods->items[i];
			if (sim_pod_is_active(pod) && (!first || compare(pod, first) <= 0))
				first = pod;
		}
		if (!first)
			return;
		sim_delete(first, SIM_BACKGROUND);
	}
}

/* False if one was refused. */
static bool create_pods(struct sim_object *set, int64_t count, struct sim_refusal *refusal)
{
	const struct o2_doc *template = o2_doc_at(set->doc, "/spec/template");
	O2_AUTO(o2_freep) char *prefix = o2_xasprintf("%s-", set->name);

	for (; count > 0; count--) {
		struct o2_doc *pod = sim_pod_from(set, template);

		o2_doc_put_str(pod, "/metadata/generateName", prefix);
		if (!sim_create_pod(set, pod, refusal))
			return false;
	}
	return true;
}

static void write_status(struct sim_object *set, const struct sim_list *pods,
			 const struct sim_refusal *refusal)
{
	struct o2_doc *draft = sim_draft(set);
	struct sim_pod_counts counts;

	sim_count_pods(pods, set, &counts);
	o2_doc_put_int(draft, "/status/replicas", counts.all);
	sim_put_count(draft, "/status/fullyLabeledReplicas", counts.labelled);
	sim_put_count(draft, "/status/readyReplicas", counts.ready);
	sim_put_count(draft, "/status/availableReplicas", counts.available);
	o2_doc_put_int(draft, "/status/observedGeneration",
		       o2_doc_int(set->doc, "/metadata/generation", 0));
	if (refusal->status)
		sim_set_condition(draft, &(struct sim_condition){ .type = "ReplicaFailure",
								  .status = "True",
								  .reason = "FailedCreate",
								  .message = refusal->message });
	else if (!sim_is_backing_off(set))
		sim_unset_condition(draft, "ReplicaFailure");
	sim_write_status(set, draft);
	sim_await_available(set, counts.ready, counts.available);
}

void sim_replica_set_look(struct sim_object *set)
{
	int64_t wanted = o2_doc_int(set->doc, "/spec/replicas", 1);
	struct sim_refusal refusal = { 0 };
	struct sim_list pods = { 0 };
	struct sim_pod_counts counts;
	bool made = false;

	sim_gather(set, sim_known.pod, NULL, &pods);
	sim_count_pods(&pods, set, &counts);
	if (sim_is_deleting(set))
		wanted = counts.all;
	if (counts.all > wanted)
		delete_pods(&pods, counts.all - wanted);
	else if (counts.all < wanted && !sim_is_backing_off(set))
		made = create_pods(set, wanted - counts.all, &refusal);
	if (made) {
		sim_list_release(&pods);
		sim_gather(set, sim_known.pod, NULL, &pods);
	}
	if (made || counts.all >= wanted)
		sim_forget_refusals(set);
	write_status(set, &pods, &refusal);
	sim_list_release(&pods);
}
