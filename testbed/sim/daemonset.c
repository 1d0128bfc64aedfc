/* DaemonSets: a pod on every node that its template's selector takes. */
#include "controllers_internal.h"

#define HASH_LABEL "controller-revision-hash"

/* One look at a DaemonSet. */
struct look {
	struct sim_object *set;
	char hash[300];
	struct sim_list pods;
	int64_t wanted, current, ready, available, updated, misplaced;
};

/* The node that a pod is made for; it is bound to it a little later. */
static const char *node_of(const struct sim_object *pod)
{
	static const char field[] = "/spec" SIM_NODE_TERMS "/0/matchFields/0/values/0";
	const char *bound = o2_doc_str(pod->doc, "/spec/nodeName", "");

	return bound[0] ? bound : o2_doc_str(pod->doc, field, "");
}

static struct o2_doc *make_pod(const struct look *look, const char *node)
{
	struct sim_object *set = look->set;
	struct o2_doc *pod = sim_pod_from(set, o2_doc_at(set->doc, "/spec/template"));
	O2_AUTO(o2_freep) char *prefix = o2_xasprintf("%s-", set->name);
	O2_AUTO(o2_freep)
	char *generation =
		o2_xasprintf("%lld", (long long)o2_doc_int(set->doc, "/metadata/generation", 1));

	o2_doc_put_str(pod, "/metadata/generateName", prefix);
	o2_doc_put_str(pod, "/metadata/labels/" HASH_LABEL, look->hash);
	o2_doc_put_str(pod, "/metadata/labels/pod-template-generation", generation);
	o2_doc_put(pod, "/spec" SIM_NODE_TERMS,
		   sim_node_terms("matchFields", "metadata.name", node));
	return pod;
}

static void count_pod(struct look *look, const struct sim_object *pod)
{
	int64_t min_ready_s = o2_doc_int(look->set->doc, "/spec/minReadySeconds", 0);

	look->current++;
	look->ready += sim_pod_is_ready(pod);
	look->available += sim_pod_is_available(pod, min_ready_s);
	look->updated += strcmp(sim_label(pod, HASH_LABEL), look->hash) == 0;
}

/* One pod, no more, where it is wanted; none where it is not. */
static void tend_node(struct look *look, const struct sim_object *node)
{
	bool wanted = sim_node_takes(node, o2_doc_at(look->set->doc, "/spec/template/spec"));
	bool found = false;

	look->wanted += wanted;
	for (size_t i = 0; i < look->pods.count; i++) {
		struct sim_object *pod = look->pods.items[i];

		if (pod->gone || strcmp(node_of(pod), node->name) != 0)
			continue;
		if (sim_is_deleting(pod)) {
			found = true; /* its place is not free yet */
			continue;
		}
		if (!wanted || found || sim_pod_has_ended(pod)) {
			look->misplaced += !wanted;
			sim_delete(pod, SIM_BACKGROUND);
		} else {
			count_pod(look, pod);
		}
		found = true;
	}
	if (wanted && !found && !sim_is_backing_off(look->set) &&
	    sim_create_pod(look->set, make_pod(look, node->name), NULL)) {
		look->current++;
		look->updated++;
		sim_forget_refusals(look->set);
	}
}

/* One pod of an older template goes at a time, and only while as many others serve as may be missed. */
static void update_pods(struct look *look)
{
	const struct o2_doc *doc = look->set->doc;
	int64_t slack =
		sim_share(o2_doc_at(doc, "/spec/updateStrategy/rollingUpdate/maxUnavailable"),
			  look->wanted, true, 1);
	int64_t missing = look->wanted - look->available;

	if (strcmp(o2_doc_str(doc, "/spec/updateStrategy/type", ""), "OnDelete") == 0)
		return;
	for (size_t i = 0; i < look->pods.count; i++) {
		struct sim_object *pod = look->pods.items[i];

		if (pod->gone || !sim_pod_is_active(pod) ||
		    strcmp(sim_label(pod, HASH_LABEL), look->hash) == 0)
			continue;
		/* One that serves nobody costs nothing. */
		if (sim_pod_is_ready(pod) && missing++ >= slack)
			return;
		sim_delete(pod, SIM_BACKGROUND);
	}
}

static void write_status(struct look *look)
{
	struct o2_doc *draft = sim_draft(look->set);

	o2_doc_put_int(draft, "/status/observedGeneration",
		       o2_doc_int(draft, "/metadata/generation", 0));
	o2_doc_put_int(draft, "/status/currentNumberScheduled", look->current);
	o2_doc_put_int(draft, "/status/desiredNumberScheduled", look->wanted);
	o2_doc_put_int(draft, "/status/numberMisscheduled", look->misplaced);
	o2_doc_put_int(draft, "/status/numberReady", look->ready);
	sim_put_count(draft, "/status/updatedNumberScheduled", look->updated);
	sim_put_count(draft, "/status/numberAvailable", look->available);
	sim_put_count(draft, "/status/numberUnavailable", look->wanted - look->available);
	sim_write_status(look->set, draft);
}

void sim_daemon_set_look(struct sim_object *set)
{
	struct look look = { .set = set };

	if (sim_is_deleting(set))
		return;
	snprintf(look.hash, sizeof(look.hash), "%s", sim_revision_hash(set, sim_revision(set)));
	sim_gather(set, sim_known.pod, NULL, &look.pods);
	for (struct sim_object *node = sim_first(set->cluster, sim_known.node); node;
	     node = sim_next(node))
		tend_node(&look, node);
	update_pods(&look);
	write_status(&look);
	sim_await_available(set, look.ready, look.available);
	sim_list_release(&look.pods);
}
