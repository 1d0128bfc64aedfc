/* Claims: bound to a volume that is there, or to one that is made for them; kept while a pod uses them. */
#include "controllers_internal.h"

#define PROTECTION "kubernetes.io/pvc-protection"
#define PROVISION_LEAST_US (100 * SIM_MS)
#define PROVISION_MOST_US (500 * SIM_MS)

static bool is_used(const struct sim_object *claim)
{
	for (const struct sim_object *pod = sim_first(claim->cluster, sim_known.pod); pod;
	     pod = sim_next(pod)) {
		if (strcmp(pod->ns, claim->ns) == 0 && !sim_pod_has_ended(pod) &&
		    sim_pod_uses_claim(pod, claim->name))
			return true;
	}
	return false;
}

static struct sim_object *class_of(const struct sim_object *claim)
{
	return sim_find(claim->cluster, sim_known.class, NULL,
			o2_doc_str(claim->doc, "/spec/storageClassName", ""));
}

bool sim_claim_waits_for_consumer(const struct sim_object *claim)
{
	const struct sim_object *class = class_of(claim);

	return class && strcmp(o2_doc_str(class->doc, "/volumeBindingMode", ""),
			       "WaitForFirstConsumer") == 0;
}

/* --- volumes that are there --- */

/* Is the volume kept for this claim: by name, and by uid if it says one? */
static bool is_kept_for(const struct sim_object *volume, const struct sim_object *claim)
{
	const struct o2_doc *reference = o2_doc_at(volume->doc, "/spec/claimRef");
	const char *uid = o2_doc_member_str(reference, "uid", "");

	return strcmp(o2_doc_member_str(reference, "name", ""), claim->name) == 0 &&
	       strcmp(o2_doc_member_str(reference, "namespace", ""), claim->ns) == 0 &&
	       (uid[0] == '\0' || strcmp(uid, sim_uid(claim)) == 0);
}

static double bytes_of(const struct o2_doc *doc, const char *pointer)
{
	static const struct {
		const char *suffix;
		double factor;
	} suffixes[] = { { "", 1 },
			 { "Ki", 1024.0 },
			 { "Mi", 1048576.0 },
			 { "Gi", 1073741824.0 },
			 { "Ti", 1099511627776.0 },
			 { "k", 1e3 },
			 { "M", 1e6 },
			 { "G", 1e9 },
			 { "T", 1e12 } };
	char *end;
	double value = strtod(o2_doc_str(doc, pointer, "0"), &end);

	for (size_t i = 0; i < O2_COUNT(suffixes); i++) {
		if (strcmp(end, suffixes[i].suffix) == 0)
			return value * suffixes[i].factor;
	}
	return value;
}

static bool has_modes(const struct sim_object *volume, const struct sim_object *claim)
{
	const struct o2_doc *wanted = o2_doc_at(claim->doc, "/spec/accessModes");
	const struct o2_doc *offered = o2_doc_at(volume->doc, "/spec/accessModes");

	for (size_t i = 0; i < o2_doc_count(wanted); i++) {
		bool found = false;
		for (size_t k = 0; k < o2_doc_count(offered); k++)
			found |= o2_doc_equal(o2_doc_item(wanted, i), o2_doc_item(offered, k));
		if (!found)
			return false;
	}
	return true;
}

static bool suits(const struct sim_object *volume, const struct sim_object *claim)
{
	const struct o2_doc *selector = o2_doc_at(claim->doc, "/spec/selector");

	return !o2_doc_at(volume->doc, "/spec/claimRef") && !sim_is_deleting(volume) &&
	       strcmp(o2_doc_str(volume->doc, "/spec/storageClassName", ""),
		      o2_doc_str(claim->doc, "/spec/storageClassName", "")) == 0 &&
	       strcmp(o2_doc_str(volume->doc, "/spec/volumeMode", "Filesystem"),
		      o2_doc_str(claim->doc, "/spec/volumeMode", "Filesystem")) == 0 &&
	       bytes_of(volume->doc, "/spec/capacity/storage") >=
		       bytes_of(claim->doc, "/spec/resources/requests/storage") &&
	       has_modes(volume, claim) &&
	       (!selector || sim_selects(selector, o2_doc_at(volume->doc, "/metadata/labels")));
}

/* The volume that the claim names, or that is kept for it, or the first that suits it. */
static struct sim_object *find_volume(const struct sim_object *claim)
{
	const char *named = o2_doc_str(claim->doc, "/spec/volumeName", "");
	bool may_choose = !sim_claim_waits_for_consumer(claim) ||
			  o2_doc_at(claim->doc, SIM_SELECTED_NODE) != NULL;
	struct sim_object *suitable = NULL;

	if (named[0]) {
		struct sim_object *volume = sim_find(claim->cluster, sim_known.volume, NULL, named);
		bool is_free = volume && (!o2_doc_at(volume->doc, "/spec/claimRef") ||
					  is_kept_for(volume, claim));
		return is_free ? volume : NULL;
	}
	for (struct sim_object *at = sim_first(claim->cluster, sim_known.volume); at;
	     at = sim_next(at)) {
		if (is_kept_for(at, claim))
			return at;
		if (!suitable && may_choose && suits(at, claim))
			suitable = at;
	}
	return suitable;
}

/* --- binding --- */

static void bind_volume(struct sim_object *volume, const struct sim_object *claim)
{
	struct o2_doc *draft = sim_draft(volume), *spec = o2_doc_copy(o2_doc_member(draft, "spec"));

	if (!o2_doc_at(spec, "/claimRef"))
		o2_doc_put_str(draft, "/metadata/annotations/pv.kubernetes.io~1bound-by-controller",
			       "yes");
	o2_doc_put_str(spec, "/claimRef/apiVersion", "v1");
	o2_doc_put_str(spec, "/claimRef/kind", "PersistentVolumeClaim");
	o2_doc_put_str(spec, "/claimRef/namespace", claim->ns);
	o2_doc_put_str(spec, "/claimRef/name", claim->name);
	o2_doc_put_str(spec, "/claimRef/uid", sim_uid(claim));
	o2_doc_put_str(spec, "/claimRef/resourceVersion",
		       o2_doc_str(claim->doc, "/metadata/resourceVersion", ""));
	o2_doc_set(draft, "spec", spec);
	o2_doc_put_str(draft, "/status/phase", "Bound");
	sim_write(volume, draft);
}

static void bind_claim(struct sim_object *claim, const struct sim_object *volume)
{
	struct o2_doc *draft = sim_draft(claim), *spec = o2_doc_copy(o2_doc_member(draft, "spec"));

	o2_doc_put_str(draft, "/metadata/annotations/pv.kubernetes.io~1bind-completed", "yes");
	if (!o2_doc_at(spec, "/volumeName"))
		o2_doc_put_str(draft, "/metadata/annotations/pv.kubernetes.io~1bound-by-controller",
			       "yes");
	o2_doc_set_str(spec, "volumeName", volume->name);
	o2_doc_set(draft, "spec", spec);
	o2_doc_put_str(draft, "/status/phase", "Bound");
	o2_doc_put(draft, "/status/accessModes",
		   o2_doc_copy(o2_doc_at(volume->doc, "/spec/accessModes")));
	o2_doc_put(draft, "/status/capacity",
		   o2_doc_copy(o2_doc_at(volume->doc, "/spec/capacity")));
	sim_write(claim, draft);
}

/* --- volumes that are made --- */

static struct sim_object *make_volume(const struct sim_object *claim,
				      const struct sim_object *class)
{
	O2_AUTO(o2_freep) char *name = o2_xasprintf("pvc-%s", sim_uid(claim));
	O2_AUTO(o2_freep)
	char *path = o2_xasprintf("/opt/volumes/%s_%s_%s", name, claim->ns, claim->name);
	struct o2_doc *doc = sim_object_doc(sim_known.volume, NULL, name);
	const char *node = o2_doc_str(claim->doc, SIM_SELECTED_NODE, NULL);

	o2_doc_put_str(doc, "/metadata/annotations/pv.kubernetes.io~1provisioned-by",
		       o2_doc_str(class->doc, "/provisioner", ""));
	o2_doc_put(doc, "/metadata/finalizers", o2_doc_array_new());
	o2_doc_append_str(o2_doc_at(doc, "/metadata/finalizers"), "kubernetes.io/pv-protection");
	o2_doc_put(doc, "/spec/accessModes",
		   o2_doc_copy(o2_doc_at(claim->doc, "/spec/accessModes")));
	o2_doc_put_str(doc, "/spec/capacity/storage",
		       o2_doc_str(claim->doc, "/spec/resources/requests/storage", "1Gi"));
	o2_doc_put_str(doc, "/spec/hostPath/path", path);
	if (node)
		o2_doc_put(doc, "/spec/nodeAffinity/required/nodeSelectorTerms",
			   sim_node_terms("matchExpressions", "kubernetes.io/hostname", node));
	o2_doc_put_str(doc, "/spec/persistentVolumeReclaimPolicy",
		       o2_doc_str(class->doc, "/reclaimPolicy", "Delete"));
	o2_doc_put_str(doc, "/spec/storageClassName", class->name);
	o2_doc_put_str(doc, "/spec/volumeMode",
		       o2_doc_str(claim->doc, "/spec/volumeMode", "Filesystem"));
	return sim_create(claim->cluster, doc, o2_doc_str(class->doc, "/provisioner", ""), NULL);
}

/* A provisioner takes its time; the object's slots for waits hold when it is done. */
static void provision(struct sim_object *claim)
{
	struct sim_object *class = class_of(claim), *volume;
	int64_t delay_us =
		PROVISION_LEAST_US + (int64_t)sim_random(PROVISION_MOST_US - PROVISION_LEAST_US);

	if (!class ||
	    strcmp(o2_doc_str(class->doc, "/provisioner", ""), "kubernetes.io/no-provisioner") == 0)
		return;
	if (sim_claim_waits_for_consumer(claim) && !o2_doc_at(claim->doc, SIM_SELECTED_NODE))
		return;
	if (claim->backoff_us == 0) {
		claim->backoff_us = delay_us;
		claim->backoff_until_us = sim_now_us() + delay_us;
		sim_queue_in(claim, delay_us);
		return;
	}
	if (sim_now_us() < claim->backoff_until_us)
		return;
	volume = make_volume(claim, class);
	if (volume) {
		bind_volume(volume, claim);
		bind_claim(claim, volume);
	}
}

/* --- looks --- */

static void lose(struct sim_object *claim)
{
	struct o2_doc *draft;

	if (sim_find(claim->cluster, sim_known.volume, NULL,
		     o2_doc_str(claim->doc, "/spec/volumeName", "")))
		return;
	draft = sim_draft(claim);
	o2_doc_put_str(draft, "/status/phase", "Lost");
	sim_write_status(claim, draft);
}

void sim_claim_look(struct sim_object *claim)
{
	struct sim_object *volume;

	if (sim_is_deleting(claim)) {
		if (!is_used(claim))
			sim_remove_finalizer(claim, PROTECTION);
		return;
	}
	sim_add_finalizer(claim, PROTECTION);
	if (strcmp(o2_doc_str(claim->doc, "/status/phase", ""), "Bound") == 0) {
		lose(claim);
		return;
	}
	volume = find_volume(claim);
	if (volume) {
		bind_volume(volume, claim);
		bind_claim(claim, volume);
	} else if (!o2_doc_at(claim->doc, "/spec/volumeName")) {
		provision(claim);
	}
}

void sim_claim_see(struct sim_object *claim, enum sim_change change)
{
	struct sim_object *volume = sim_find(claim->cluster, sim_known.volume, NULL,
					     o2_doc_str(claim->doc, "/spec/volumeName", ""));

	if (change != SIM_DELETED)
		sim_wake_waiting(claim->cluster, claim->ns);
	else if (volume)
		sim_queue(volume);
}
