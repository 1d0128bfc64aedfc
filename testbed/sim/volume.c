/* Volumes: what becomes of one when its claim goes, and what stands in it. */
#include "controllers_internal.h"

#define PROTECTION "kubernetes.io/pv-protection"

static struct sim_object *claim_of(const struct sim_object *volume)
{
	const struct o2_doc *reference = o2_doc_at(volume->doc, "/spec/claimRef");

	return reference ? sim_find(volume->cluster, sim_known.claim,
				    o2_doc_member_str(reference, "namespace", ""),
				    o2_doc_member_str(reference, "name", ""))
			 : NULL;
}

static bool is_bound(const struct sim_object *volume)
{
	const struct sim_object *claim = claim_of(volume);

	return claim &&
	       strcmp(o2_doc_str(volume->doc, "/spec/claimRef/uid", ""), sim_uid(claim)) == 0;
}

static void set_phase(struct sim_object *volume, const char *phase)
{
	struct o2_doc *draft = sim_draft(volume);

	o2_doc_put_str(draft, "/status/phase", phase);
	sim_write_status(volume, draft);
}

void sim_volume_look(struct sim_object *volume)
{
	const char *uid = o2_doc_str(volume->doc, "/spec/claimRef/uid", "");
	const char *policy =
		o2_doc_str(volume->doc, "/spec/persistentVolumeReclaimPolicy", "Retain");

	if (sim_is_deleting(volume)) {
		if (!is_bound(volume))
			sim_remove_finalizer(volume, PROTECTION);
	} else if (uid[0] == '\0') {
		set_phase(volume, "Available");
	} else if (is_bound(volume)) {
		set_phase(volume, "Bound");
	} else if (strcmp(policy, "Delete") == 0) {
		sim_delete(volume, SIM_BACKGROUND);
	} else {
		set_phase(volume, "Released");
	}
}

void sim_volume_see(struct sim_object *volume, enum sim_change change)
{
	struct sim_object *claim = claim_of(volume);

	if (claim)
		sim_queue(claim);
	else if (change == SIM_ADDED)
		sim_queue_all(volume->cluster, sim_known.claim, NULL);
}

/* --- contents --- */

struct sim_volume *sim_volume_of(struct sim_object *volume)
{
	if (!volume->life)
		volume->life = o2_xcalloc(1, sizeof(struct sim_volume));
	return volume->life;
}

struct sim_volume *sim_claim_volume(const struct sim_cluster *cluster, const char *ns,
				    const char *claim)
{
	const struct sim_object *found = sim_find(cluster, sim_known.claim, ns, claim);
	struct sim_object *volume;

	if (!found || strcmp(o2_doc_str(found->doc, "/status/phase", ""), "Bound") != 0)
		return NULL;
	volume = sim_find(cluster, sim_known.volume, NULL,
			  o2_doc_str(found->doc, "/spec/volumeName", ""));
	return volume ? sim_volume_of(volume) : NULL;
}
