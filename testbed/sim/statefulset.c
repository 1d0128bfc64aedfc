/* StatefulSets: pods with numbers, one after another, each with claims of its own. */
#include "controllers_internal.h"

#include "base/strs.h"

#define REVISION_LABEL "controller-revision-hash"
#define NAME_SIZE 300

/* One look at a StatefulSet. */
struct look {
	struct sim_object *set;
	int64_t start, replicas;
	bool ordered;
	char current[NAME_SIZE], update[NAME_SIZE]; /* revisions */
	struct sim_list pods;
};

/* The number at the end of the pod's name, -1 if it is none of the set's. */
static int64_t ordinal_of(const struct sim_object *set, const struct sim_object *pod)
{
	size_t len = strlen(set->name);
	char *end;

	if (strncmp(pod->name, set->name, len) != 0 || pod->name[len] != '-' ||
	    pod->name[len + 1] < '0' || pod->name[len + 1] > '9')
		return -1;
	int64_t ordinal = strtoll(pod->name + len + 1, &end, 10);
	return *end ? -1 : ordinal;
}

static bool may_adopt(const struct sim_object *set, const struct sim_object *pod)
{
	return ordinal_of(set, pod) >= 0;
}

static struct sim_object *pod_at(const struct look *look, int64_t ordinal)
{
	for (size_t i = 0; i < look->pods.count; i++) {
		struct sim_object *pod = look->pods.items[i];
		if (!pod->gone && ordinal_of(look->set, pod) == ordinal)
			return pod;
	}
	return NULL;
}

static bool is_wanted(const struct look *look, int64_t ordinal)
{
	return ordinal >= look->start && ordinal < look->start + look->replicas;
}

static bool is_healthy(const struct look *look, const struct sim_object *pod)
{
	return !sim_is_deleting(pod) &&
	       sim_pod_is_available(pod, o2_doc_int(look->set->doc, "/spec/minReadySeconds", 0));
}

/* --- claims --- */

static char *claim_name(const struct look *look, const struct o2_doc *template, int64_t ordinal)
{
	return o2_xasprintf("%s-%s-%lld", o2_doc_str(template, "/metadata/name", ""),
			    look->set->name, (long long)ordinal);
}

static bool deletes(const struct look *look, const char *when)
{
	const struct o2_doc *policy =
		o2_doc_at(look->set->doc, "/spec/persistentVolumeClaimRetentionPolicy");

	return strcmp(o2_doc_member_str(policy, when, "Retain"), "Delete") == 0;
}

/* Who takes the pod's claims along: the set that is deleted, the pod that is scaled away, nobody. */
static void put_claim_owners(const struct look *look, const struct sim_object *pod)
{
	const struct o2_doc *templates = o2_doc_at(look->set->doc, "/spec/volumeClaimTemplates");
	int64_t ordinal = ordinal_of(look->set, pod);
	bool condemned = !is_wanted(look, ordinal), scaled = deletes(look, "whenScaled");

	for (size_t i = 0; i < o2_doc_count(templates); i++) {
		O2_AUTO(o2_freep)
		char *name = claim_name(look, o2_doc_item(templates, i), ordinal);
		struct sim_object *claim =
			sim_find(look->set->cluster, sim_known.claim, look->set->ns, name);
		if (!claim)
			continue;
		struct o2_doc *draft = sim_draft(claim);
		sim_put_reference(draft, look->set,
				  deletes(look, "whenDeleted") && !(condemned && scaled));
		sim_put_reference(draft, pod, condemned && scaled);
		sim_write(claim, draft);
	}
}

/* False if a claim was refused. */
static bool create_claims(const struct look *look, int64_t ordinal)
{
	struct sim_object *set = look->set;
	const struct o2_doc *templates = o2_doc_at(set->doc, "/spec/volumeClaimTemplates");

	for (size_t i = 0; i < o2_doc_count(templates); i++) {
		const struct o2_doc *template = o2_doc_item(templates, i);
		O2_AUTO(o2_freep) char *name = claim_name(look, template, ordinal);
		if (sim_find(set->cluster, sim_known.claim, set->ns, name))
			continue;
		struct o2_doc *claim = sim_object_doc(sim_known.claim, set->ns, name);
		struct o2_doc *labels =
			o2_doc_copy(o2_doc_at(set->doc, "/spec/selector/matchLabels"));
		struct o2_doc *own = o2_doc_at(template, "/metadata/labels");
		for (struct o2_doc_iter it = o2_doc_iter(own); labels && o2_doc_next(&it);)
			o2_doc_set(labels, it.name, o2_doc_copy(it.value));
		o2_doc_put(claim, "/metadata/labels", labels);
		o2_doc_put(claim, "/metadata/annotations",
			   o2_doc_copy(o2_doc_at(template, "/metadata/annotations")));
		o2_doc_set(claim, "spec", o2_doc_copy(o2_doc_member(template, "spec")));
		if (!sim_create(set->cluster, claim, SIM_CONTROLLER_MANAGER, NULL))
			return false;
	}
	return true;
}

/* --- pods --- */

/* A volume of the pod for each claim template, in the place of one of the same name. */
static void put_claims(const struct look *look, struct o2_doc *pod, int64_t ordinal)
{
	const struct o2_doc *templates = o2_doc_at(look->set->doc, "/spec/volumeClaimTemplates");
	const struct o2_doc *others = o2_doc_at(pod, "/spec/volumes");
	struct o2_doc *volumes = o2_doc_array_new();
	struct o2_strs names = { 0 };

	for (size_t i = 0; i < o2_doc_count(templates); i++) {
		const struct o2_doc *template = o2_doc_item(templates, i);
		O2_AUTO(o2_freep) char *claim = claim_name(look, template, ordinal);
		struct o2_doc *volume = o2_doc_object_new();
		const char *name = o2_doc_str(template, "/metadata/name", "");

		o2_strs_add(&names, name);
		o2_doc_set_str(volume, "name", name);
		o2_doc_put_str(volume, "/persistentVolumeClaim/claimName", claim);
		o2_doc_append(volumes, volume);
	}
	for (size_t i = 0; i < o2_doc_count(others); i++) {
		struct o2_doc *volume = o2_doc_item(others, i);
		if (!o2_strs_has(&names, o2_doc_member_str(volume, "name", "")))
			o2_doc_append(volumes, o2_doc_copy(volume));
	}
	o2_doc_put(pod, "/spec/volumes", volumes);
	o2_strs_release(&names);
}

/* While an update is under way, a pod below the part that is updated comes back as it was. */
static const char *revision_for(const struct look *look, int64_t ordinal)
{
	const struct o2_doc *doc = look->set->doc;
	int64_t kept = o2_doc_int(doc, "/spec/updateStrategy/rollingUpdate/partition",
				  o2_doc_int(doc, "/status/currentReplicas", 0));

	return ordinal < look->start + kept ? look->current : look->update;
}

static struct o2_doc *make_pod(const struct look *look, int64_t ordinal)
{
	struct sim_object *set = look->set;
	const char *revision = revision_for(look, ordinal);
	const struct o2_doc *template = sim_revision_template(set, revision);
	O2_AUTO(o2_freep) char *name = o2_xasprintf("%s-%lld", set->name, (long long)ordinal);
	struct o2_doc *pod =
		sim_pod_from(set, template ? template : o2_doc_at(set->doc, "/spec/template"));

	o2_doc_put_str(pod, "/metadata/name", name);
	o2_doc_put_str(pod, "/metadata/labels/statefulset.kubernetes.io~1pod-name", name);
	o2_doc_put_str(pod, "/metadata/labels/apps.kubernetes.io~1pod-index",
		       name + strlen(set->name) + 1);
	o2_doc_put_str(pod, "/metadata/labels/" REVISION_LABEL, revision);
	o2_doc_put_str(pod, "/spec/hostname", name);
	o2_doc_put_str(pod, "/spec/subdomain", o2_doc_str(set->doc, "/spec/serviceName", NULL));
	put_claims(look, pod, ordinal);
	return pod;
}

static void create_pod(struct look *look, int64_t ordinal)
{
	struct sim_object *pod = NULL;

	if (sim_is_backing_off(look->set))
		return;
	if (create_claims(look, ordinal))
		pod = sim_create_pod(look->set, make_pod(look, ordinal), NULL);
	else
		sim_back_off(look->set);
	if (!pod)
		return;
	sim_forget_refusals(look->set);
	put_claim_owners(look, pod);
	sim_list_add(&look->pods, pod);
}

/* False: whatever comes after this pod has to wait for it. */
static bool tend_replica(struct look *look, int64_t ordinal)
{
	struct sim_object *pod = pod_at(look, ordinal);

	if (!pod) {
		create_pod(look, ordinal);
		return !look->ordered;
	}
	if (sim_pod_has_ended(pod) && !sim_is_deleting(pod)) {
		sim_delete(pod, SIM_BACKGROUND);
		return !look->ordered;
	}
	put_claim_owners(look, pod);
	return !look->ordered || is_healthy(look, pod);
}

/* The pod with the highest number below `below` that is not wanted. */
static struct sim_object *next_condemned(const struct look *look, int64_t below)
{
	struct sim_object *found = NULL;
	int64_t highest = -1;

	for (size_t i = 0; i < look->pods.count; i++) {
		int64_t ordinal = ordinal_of(look->set, look->pods.items[i]);
		if (look->pods.items[i]->gone || is_wanted(look, ordinal) || ordinal >= below ||
		    ordinal <= highest)
			continue;
		found = look->pods.items[i];
		highest = ordinal;
	}
	return found;
}

/* The unhealthy pod with the lowest number, NULL if all are well. */
static struct sim_object *first_unhealthy(const struct look *look)
{
	struct sim_object *found = NULL;

	for (size_t i = 0; i < look->pods.count; i++) {
		struct sim_object *pod = look->pods.items[i];
		if (!pod->gone && !is_healthy(look, pod) &&
		    (!found || ordinal_of(look->set, pod) < ordinal_of(look->set, found)))
			found = pod;
	}
	return found;
}

/* From the highest number down; in order, one at a time. */
static bool remove_condemned(struct look *look)
{
	struct sim_object *unhealthy = first_unhealthy(look);
	int64_t below = INT64_MAX;

	for (struct sim_object *pod; (pod = next_condemned(look, below));) {
		below = ordinal_of(look->set, pod);
		put_claim_owners(look, pod);
		if (look->ordered &&
		    (sim_is_deleting(pod) || (!is_healthy(look, pod) && pod != unhealthy)))
			return false;
		if (!sim_is_deleting(pod))
			sim_delete(pod, SIM_BACKGROUND);
		if (look->ordered)
			return false;
	}
	return true;
}

/* The next pod of an older revision goes, from the highest number down, if all after it are well. */
static void update_pods(struct look *look)
{
	const struct o2_doc *doc = look->set->doc;
	int64_t partition = o2_doc_int(doc, "/spec/updateStrategy/rollingUpdate/partition", 0);

	if (strcmp(o2_doc_str(doc, "/spec/updateStrategy/type", ""), "OnDelete") == 0)
		return;
	for (int64_t i = look->start + look->replicas - 1; i >= look->start + partition; i--) {
		struct sim_object *pod = pod_at(look, i);
		if (!pod)
			return;
		if (strcmp(sim_label(pod, REVISION_LABEL), look->update) != 0 &&
		    !sim_is_deleting(pod)) {
			sim_delete(pod, SIM_BACKGROUND);
			return;
		}
		if (!is_healthy(look, pod))
			return;
	}
}

static void act(struct look *look)
{
	for (int64_t i = look->start; i < look->start + look->replicas; i++) {
		if (!tend_replica(look, i))
			return;
	}
	if (remove_condemned(look))
		update_pods(look);
}

/* --- status --- */

static void write_status(struct look *look)
{
	struct o2_doc *draft = sim_draft(look->set);
	int64_t replicas = 0, ready = 0, available = 0, current = 0, updated = 0;
	int64_t min_ready_s = o2_doc_int(look->set->doc, "/spec/minReadySeconds", 0);

	for (size_t i = 0; i < look->pods.count; i++) {
		const struct sim_object *pod = look->pods.items[i];
		const char *revision = sim_label(pod, REVISION_LABEL);

		if (pod->gone)
			continue;
		replicas++;
		ready += sim_pod_is_ready(pod);
		available += sim_pod_is_available(pod, min_ready_s);
		current += !sim_is_deleting(pod) && strcmp(revision, look->current) == 0;
		updated += !sim_is_deleting(pod) && strcmp(revision, look->update) == 0;
	}
	bool rolls = strcmp(o2_doc_str(draft, "/spec/updateStrategy/type", ""), "OnDelete") != 0;
	bool done = rolls && updated == replicas && ready == replicas;
	o2_doc_put_int(draft, "/status/observedGeneration",
		       o2_doc_int(draft, "/metadata/generation", 0));
	o2_doc_put_int(draft, "/status/replicas", replicas);
	sim_put_count(draft, "/status/readyReplicas", ready);
	o2_doc_put_int(draft, "/status/availableReplicas", available);
	sim_put_count(draft, "/status/currentReplicas", done ? updated : current);
	sim_put_count(draft, "/status/updatedReplicas", updated);
	o2_doc_put_str(draft, "/status/currentRevision", done ? look->update : look->current);
	o2_doc_put_str(draft, "/status/updateRevision", look->update);
	o2_doc_put_int(draft, "/status/collisionCount", 0);
	sim_write_status(look->set, draft);
	sim_await_available(look->set, ready, available);
}

void sim_stateful_set_look(struct sim_object *set)
{
	struct look look = { .set = set };
	const struct o2_doc *doc = set->doc;

	look.replicas = o2_doc_int(doc, "/spec/replicas", 1);
	look.start = o2_doc_int(doc, "/spec/ordinals/start", 0);
	look.ordered = strcmp(o2_doc_str(doc, "/spec/podManagementPolicy", ""), "Parallel") != 0;
	sim_gather(set, sim_known.pod, may_adopt, &look.pods);
	/* One that goes must not make a revision again, which it would then wait for. */
	snprintf(look.update, sizeof(look.update), "%s",
		 sim_is_deleting(set) ? o2_doc_str(doc, "/status/updateRevision", "")
				      : sim_revision(set));
	doc = set->doc;
	snprintf(look.current, sizeof(look.current), "%s",
		 o2_doc_str(doc, "/status/currentRevision", look.update));
	if (!sim_is_deleting(set))
		act(&look);
	write_status(&look);
	sim_list_release(&look.pods);
}
