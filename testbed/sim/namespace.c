/* Namespaces: what each has from its beginning, and its end, which waits until it is empty. */
#include "controllers_internal.h"

#define ROOT_CA "kube-root-ca.crt"

static void fill(struct sim_object *space)
{
	struct o2_doc *doc;

	if (!sim_find(space->cluster, sim_known.account, space->name, "default"))
		sim_create(space->cluster,
			   sim_object_doc(sim_known.account, space->name, "default"),
			   SIM_CONTROLLER_MANAGER, NULL);
	if (!sim_find(space->cluster, sim_known.config_map, space->name, ROOT_CA)) {
		doc = sim_object_doc(sim_known.config_map, space->name, ROOT_CA);
		o2_doc_put_str(
			doc, "/metadata/annotations/kubernetes.io~1description",
			"Contains a CA bundle that can be used to verify the kube-apiserver when "
			"using internal endpoints such as the internal service IP or "
			"kubernetes.default.svc. No other usage is guaranteed across distributions "
			"of Kubernetes clusters.");
		o2_doc_put_str(doc, "/data/ca.crt", "-----BEGIN CERTIFICATE-----\n");
		sim_create(space->cluster, doc, SIM_CONTROLLER_MANAGER, NULL);
	}
}

/* Tell all of a kind to go. Returns how many are still there. */
static size_t empty_kind(const struct sim_object *space, const struct sim_kind *kind)
{
	struct sim_object *next;
	size_t left = 0;

	for (struct sim_object *at = sim_first(space->cluster, kind); at; at = next) {
		next = sim_next(at);
		if (strcmp(at->ns, space->name) != 0)
			continue;
		sim_hold(at);
		if (!sim_is_deleting(at))
			sim_delete(at, SIM_BACKGROUND);
		left += !at->gone;
		sim_let_go(at);
	}
	return left;
}

static void empty(struct sim_object *space)
{
	size_t count, left = 0;
	const struct sim_kind *kinds = sim_kinds(&count);
	char message[120];

	for (size_t i = 0; i < count; i++) {
		if (kinds[i].namespaced && !kinds[i].is_review)
			left += empty_kind(space, &kinds[i]);
	}
	if (left == 0) {
		sim_remove(space);
		return;
	}
	struct o2_doc *draft = sim_draft(space);
	o2_doc_put_str(draft, "/status/phase", "Terminating");
	snprintf(message, sizeof(message),
		 "Some resources are remaining: %zu resource instances are left", left);
	sim_set_condition(draft, &(struct sim_condition){ .type = "NamespaceContentRemaining",
							  .status = "True",
							  .reason = "SomeResourcesRemain",
							  .message = message });
	sim_write_status(space, draft);
}

void sim_namespace_look(struct sim_object *space)
{
	if (sim_is_deleting(space))
		empty(space);
	else
		fill(space);
}
