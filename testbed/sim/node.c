/* Nodes: what they take, where they are, and how they are lost. */
#include "controllers_internal.h"

#include <ctype.h>

#define NODE_COUNT 2
#define UNREACHABLE "node.kubernetes.io/unreachable"
#define NOTICE_US (40 * SIM_S)
#define EVICT_US (300 * SIM_S)

/* What stands behind the Node's object. */
struct node {
	bool lost;
	unsigned loss;    /* how often it was lost: tells one loss from the next */
	unsigned address; /* the last that a pod got */
};

static struct node *node_of(struct sim_object *node)
{
	if (!node->life)
		node->life = o2_xcalloc(1, sizeof(struct node));
	return node->life;
}

static struct sim_object *find(const struct sim_cluster *cluster, const char *name)
{
	return sim_find(cluster, sim_known.node, NULL, name);
}

/* --- making them --- */

static void put_ready(struct o2_doc *doc, bool ready)
{
	sim_set_condition(doc, &(struct sim_condition){
				       .type = "Ready",
				       .status = ready ? "True" : "Unknown",
				       .reason = ready ? "KubeletReady" : "NodeStatusUnknown",
				       .message = ready ? "kubelet is posting ready status"
							: "Kubelet stopped posting node status." });
}

static void put_capacity(struct o2_doc *doc)
{
	static const char *const lists[] = { "/status/capacity", "/status/allocatable" };
	static const struct {
		const char *resource, *amount;
	} amounts[] = { { "cpu", "64" }, { "memory", "256Gi" }, { "pods", "250" } };

	for (size_t i = 0; i < O2_COUNT(lists); i++) {
		struct o2_doc *list = o2_doc_object_new();
		for (size_t k = 0; k < O2_COUNT(amounts); k++)
			o2_doc_set_str(list, amounts[k].resource, amounts[k].amount);
		o2_doc_put(doc, lists[i], list);
	}
}

static void make_node(struct sim_cluster *cluster, int number)
{
	char name[64], address[32];
	char letter = (char)tolower((unsigned char)sim_cluster_name(cluster)[0]);

	snprintf(name, sizeof(name), "%c-%d", letter, number);
	snprintf(address, sizeof(address), "10.%d.0.%d", letter, number);
	struct o2_doc *doc = sim_object_doc(sim_known.node, NULL, name);
	o2_doc_put_str(doc, "/metadata/labels/kubernetes.io~1hostname", name);
	o2_doc_put_str(doc, "/metadata/labels/kubernetes.io~1os", "linux");
	o2_doc_put_str(doc, "/metadata/labels/kubernetes.io~1arch", "amd64");
	struct sim_object *node = sim_create(cluster, doc, "kubelet", NULL);
	if (!node)
		return;
	struct o2_doc *draft = sim_draft(node);
	struct o2_doc *place = o2_doc_object_new();
	o2_doc_set_str(place, "type", "InternalIP");
	o2_doc_set_str(place, "address", address);
	o2_doc_put(draft, "/status/addresses", o2_doc_array_new());
	o2_doc_append(o2_doc_at(draft, "/status/addresses"), place);
	put_capacity(draft);
	o2_doc_put_str(draft, "/status/nodeInfo/kubeletVersion", "v1.34.4");
	o2_doc_put_str(draft, "/status/nodeInfo/architecture", "amd64");
	put_ready(draft, true);
	sim_write_as(node, draft, "kubelet", "status");
}

void sim_make_nodes(struct sim_cluster *cluster)
{
	for (int i = 1; i <= NODE_COUNT; i++)
		make_node(cluster, i);
}

const char *sim_node_address(const struct sim_object *node)
{
	return o2_doc_str(node->doc, "/status/addresses/0/address", "");
}

void sim_new_pod_address(const struct sim_cluster *cluster, const char *node, char *out,
			 size_t size)
{
	struct sim_object *found = find(cluster, node);
	unsigned number = found ? ++node_of(found)->address : 0;
	int letter = tolower((unsigned char)sim_cluster_name(cluster)[0]);
	const char *dash = strrchr(node, '-');

	snprintf(out, size, "10.%d.%ld.%u", letter, dash ? strtol(dash + 1, NULL, 10) % 256 : 0,
		 number % 254 + 1);
}

/* --- what they take --- */

/* Fields are but the name. */
static bool field_holds(const struct sim_object *node, const struct o2_doc *field)
{
	const struct o2_doc *values = o2_doc_member(field, "values");
	bool found = false;

	for (size_t i = 0; i < o2_doc_count(values); i++)
		found |= strcmp(o2_doc_text(o2_doc_item(values, i)), node->name) == 0;
	return found == (strcmp(o2_doc_member_str(field, "operator", ""), "In") == 0);
}

bool sim_node_matches(const struct sim_object *node, const struct o2_doc *terms)
{
	const struct o2_doc *labels = o2_doc_at(node->doc, "/metadata/labels");

	for (size_t i = 0; i < o2_doc_count(terms); i++) {
		const struct o2_doc *term = o2_doc_item(terms, i);
		const struct o2_doc *fields = o2_doc_member(term, "matchFields");
		bool holds = sim_selects(term, labels);

		for (size_t k = 0; k < o2_doc_count(fields); k++)
			holds &= field_holds(node, o2_doc_item(fields, k));
		if (holds)
			return true;
	}
	return false;
}

struct o2_doc *sim_node_terms(const char *matcher, const char *key, const char *value)
{
	struct o2_doc *terms = o2_doc_array_new(), *term = o2_doc_object_new(),
		      *requirement = o2_doc_object_new(), *values = o2_doc_array_new(),
		      *requirements = o2_doc_array_new();

	o2_doc_set_str(requirement, "key", key);
	o2_doc_set_str(requirement, "operator", "In");
	o2_doc_append_str(values, value);
	o2_doc_set(requirement, "values", values);
	o2_doc_append(requirements, requirement);
	o2_doc_set(term, matcher, requirements);
	o2_doc_append(terms, term);
	return terms;
}

bool sim_node_takes(const struct sim_object *node, const struct o2_doc *pod_spec)
{
	const struct o2_doc *selector = o2_doc_member(pod_spec, "nodeSelector");
	const struct o2_doc *labels = o2_doc_at(node->doc, "/metadata/labels");
	const struct o2_doc *terms = o2_doc_at(pod_spec, SIM_NODE_TERMS);
	const char *name = o2_doc_member_str(pod_spec, "nodeName", "");

	if (name[0])
		return strcmp(name, node->name) == 0;
	for (struct o2_doc_iter it = o2_doc_iter(selector); o2_doc_next(&it);) {
		if (strcmp(o2_doc_member_str(labels, it.name, "\x7f"), o2_doc_text(it.value)) != 0)
			return false;
	}
	return !terms || sim_node_matches(node, terms);
}

/* --- losing them --- */

bool sim_node_is_lost(const struct sim_cluster *cluster, const char *node)
{
	struct sim_object *object = node ? find(cluster, node) : NULL;

	return object && node_of(object)->lost;
}

static void each_pod(const struct sim_object *node, void (*fn)(struct sim_object *pod))
{
	struct sim_object *next;

	for (struct sim_object *pod = sim_first(node->cluster, sim_known.pod); pod; pod = next) {
		next = sim_next(pod);
		if (strcmp(o2_doc_str(pod->doc, "/spec/nodeName", ""), node->name) == 0)
			fn(pod);
	}
}

static void doubt(struct sim_object *pod)
{
	struct o2_doc *draft = sim_draft(pod);

	sim_set_condition(draft, &(struct sim_condition){ .type = "Ready", .status = "False" });
	sim_write_status(pod, draft);
}

static void evict(struct sim_object *pod)
{
	if (!sim_is_deleting(pod))
		sim_delete(pod, SIM_BACKGROUND);
}

static void put_taint(struct o2_doc *draft, bool wanted)
{
	struct o2_doc *spec = o2_doc_copy(o2_doc_member(draft, "spec"));

	if (!spec)
		spec = o2_doc_object_new();
	o2_doc_unset(spec, "taints");
	if (wanted) {
		struct o2_doc *taint = o2_doc_object_new();
		o2_doc_set_str(taint, "key", UNREACHABLE);
		o2_doc_set_str(taint, "effect", "NoExecute");
		o2_doc_set(spec, "taints", o2_doc_array_new());
		o2_doc_append(o2_doc_member(spec, "taints"), taint);
	}
	o2_doc_set(draft, "spec", spec);
	if (o2_doc_count(spec) == 0)
		o2_doc_unset(draft, "spec");
}

/* One loss of one node. */
struct loss {
	struct sim_object *node; /* held */
	unsigned number;
	bool noticed;
};

/* Nothing was heard of it for a while; and then for so long that its pods are given up. */
static void notice(void *arg)
{
	struct loss *loss = arg;
	struct sim_object *node = loss->node;
	bool lasts = !node->gone && node_of(node)->lost && node_of(node)->loss == loss->number;

	if (lasts && !loss->noticed) {
		struct o2_doc *draft = sim_draft(node);
		put_ready(draft, false);
		put_taint(draft, true);
		sim_write_status(node, draft);
		each_pod(node, doubt);
		loss->noticed = true;
		sim_after(EVICT_US, notice, loss);
		return;
	}
	if (lasts)
		each_pod(node, evict);
	sim_let_go(node);
	free(loss);
}

void sim_node_lose(struct sim_cluster *cluster, const char *node, bool lost)
{
	struct sim_object *object = find(cluster, node);

	if (!object || node_of(object)->lost == lost)
		return;
	node_of(object)->lost = lost;
	if (lost) {
		struct loss *loss = o2_xcalloc(1, sizeof(*loss));
		loss->node = sim_hold(object);
		loss->number = ++node_of(object)->loss;
		sim_after(NOTICE_US, notice, loss);
		return;
	}
	struct o2_doc *draft = sim_draft(object);
	put_ready(draft, true);
	put_taint(draft, false);
	sim_write_as(object, draft, "kubelet", "status");
	sim_resume_node(cluster, node);
}
