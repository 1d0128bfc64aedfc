/* Which node a pod gets, and that its claims are bound before it gets one. */
#include "controllers_internal.h"

#define NODES_MAX 64

static bool tolerates_cordon(const struct o2_doc *spec)
{
	const struct o2_doc *list = o2_doc_member(spec, "tolerations");

	for (size_t i = 0; i < o2_doc_count(list); i++) {
		const char *key = o2_doc_member_str(o2_doc_item(list, i), "key", "");
		if (key[0] == '\0' || strcmp(key, "node.kubernetes.io/unschedulable") == 0)
			return true;
	}
	return false;
}

/* A claim that is bound wants the nodes of its volume. */
static bool suits_claims(const struct sim_object *node, const struct sim_object *pod)
{
	const struct o2_doc *volumes = o2_doc_at(pod->doc, "/spec/volumes");

	for (size_t i = 0; i < o2_doc_count(volumes); i++) {
		const char *name = sim_pod_claim(pod, i);
		const struct sim_object *claim =
			name ? sim_find(pod->cluster, sim_known.claim, pod->ns, name) : NULL;
		const struct sim_object *volume =
			claim ? sim_find(pod->cluster, sim_known.volume, NULL,
					 o2_doc_str(claim->doc, "/spec/volumeName", ""))
			      : NULL;
		const struct o2_doc *terms =
			volume ? o2_doc_at(volume->doc,
					   "/spec/nodeAffinity/required/nodeSelectorTerms")
			       : NULL;
		const char *selected = claim ? o2_doc_str(claim->doc, SIM_SELECTED_NODE, "") : "";

		if (terms && !sim_node_matches(node, terms))
			return false;
		if (!volume && selected[0] && strcmp(selected, node->name) != 0)
			return false;
	}
	return true;
}

static bool is_open(const struct sim_object *node, const struct o2_doc *spec)
{
	if (!sim_is_true(node->doc, "Ready"))
		return false;
	return !o2_doc_bool(node->doc, "/spec/unschedulable", false) || tolerates_cordon(spec);
}

/* False, and why: a claim is not there, or not bound. Claims that wait for a consumer are told the node. */
static bool claims_are_bound(struct sim_object *pod, const struct sim_object *node, char *why,
			     size_t size)
{
	const struct o2_doc *volumes = o2_doc_at(pod->doc, "/spec/volumes");
	bool bound = true;

	for (size_t i = 0; i < o2_doc_count(volumes); i++) {
		const char *name = sim_pod_claim(pod, i);
		struct sim_object *claim =
			name ? sim_find(pod->cluster, sim_known.claim, pod->ns, name) : NULL;

		if (name && (!claim || sim_is_deleting(claim))) {
			snprintf(why, size,
				 claim ? "persistentvolumeclaim \"%s\" is being deleted"
				       : "persistentvolumeclaim \"%s\" not found",
				 name);
			return false;
		}
		if (!name || strcmp(o2_doc_str(claim->doc, "/status/phase", ""), "Bound") == 0)
			continue;
		bound = false;
		snprintf(why, size, "pod has unbound immediate PersistentVolumeClaims");
		if (node && sim_claim_waits_for_consumer(claim) &&
		    !o2_doc_at(claim->doc, SIM_SELECTED_NODE)) {
			struct o2_doc *draft = sim_draft(claim);
			o2_doc_put_str(draft, SIM_SELECTED_NODE, node->name);
			sim_write_as(claim, draft, "kube-scheduler", NULL);
		}
	}
	return bound;
}

static struct sim_object *choose_node(const struct sim_object *pod)
{
	const struct o2_doc *spec = o2_doc_member(pod->doc, "spec");
	struct sim_object *fitting[NODES_MAX];
	size_t count = 0;

	for (struct sim_object *node = sim_first(pod->cluster, sim_known.node);
	     node && count < NODES_MAX; node = sim_next(node)) {
		if (is_open(node, spec) && sim_node_takes(node, spec) && suits_claims(node, pod))
			fitting[count++] = node;
	}
	return count > 0 ? fitting[sim_random(count)] : NULL;
}

static size_t count_nodes(const struct sim_cluster *cluster)
{
	size_t count = 0;

	for (struct sim_object *at = sim_first(cluster, sim_known.node); at; at = sim_next(at))
		count++;
	return count;
}

struct sim_object *sim_schedule(struct sim_object *pod, char *why, size_t size)
{
	struct sim_object *node = choose_node(pod);
	size_t count = count_nodes(pod->cluster);
	char reason[200] = "";

	why[0] = '\0';
	if (o2_doc_count(o2_doc_at(pod->doc, "/spec/schedulingGates")) > 0) {
		snprintf(why, size, "Scheduling is blocked due to non-empty scheduling gates");
		return NULL;
	}
	if (!claims_are_bound(pod, node, reason, sizeof(reason))) {
		snprintf(why, size, "0/%zu nodes are available: %s.", count, reason);
		return NULL;
	}
	if (!node)
		snprintf(why, size,
			 "0/%zu nodes are available: %zu node(s) didn't match Pod's node "
			 "affinity/selector.",
			 count, count);
	return node;
}
