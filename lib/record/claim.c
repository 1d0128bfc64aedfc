/*
 * Volumes of the claims that the transaction made: what a provisioner made for them goes with them, also where the class retains.
 *
 * A volume is another's object, made for our claim. It is changed only while it is bound to exactly that claim, by uid.
 */
#include "record/record_internal.h"

#include "base/log.h"

/* Made by a provisioner for this very claim, and kept by its class when the claim goes? */
static bool would_stay(const struct o2_doc *volume, const char *claim_uid)
{
	return strcmp(o2_doc_str(volume, "/spec/claimRef/uid", ""), claim_uid) == 0 &&
	       o2_doc_at(volume, "/metadata/annotations/pv.kubernetes.io~1provisioned-by") &&
	       strcmp(o2_doc_str(volume, "/spec/persistentVolumeReclaimPolicy", ""), "Retain") == 0;
}

static void reclaim(struct o2_record *record, const struct o2_doc *claim)
{
	struct o2_kube *kube = record->kube[O2_TARGET];
	const struct o2_kube_kind *kind = o2_record_kind(kube, "PersistentVolume");
	const char *name = o2_doc_str(claim, "/spec/volumeName", "");
	O2_AUTO(o2_doc_freep) struct o2_doc *patch = o2_doc_object_new();
	O2_AUTO(o2_doc_freep) struct o2_doc *volume = NULL;
	struct o2_kube_write write = {
		.op = O2_KUBE_DO_PATCH_MERGE, .kind = kind, .name = name, .body = patch
	};
	struct o2_err err = { 0 };

	if (name[0] == '\0')
		return;
	volume = o2_record_get(record, kube, kind, NULL, name, &err);
	if (!volume || !would_stay(volume, o2_doc_str(claim, "/metadata/uid", "?")))
		goto told;
	o2_doc_put_str(patch, "/metadata/resourceVersion",
		       o2_doc_str(volume, "/metadata/resourceVersion", ""));
	o2_doc_put_str(patch, "/spec/persistentVolumeReclaimPolicy", "Delete");
	(void)!o2_kube_write_one(kube, &write, &err);
	o2_doc_free(write.result);
told:
	/* The undo goes on: a volume that stays costs room, not data. But it is said. */
	if (err.code < 0 && err.code != -O2_ENOTFOUND)
		o2_log(O2_WARN, "volume '%s' in %s may stay behind: %s", name, o2_kube_name(kube),
		       err.message);
}

void o2_record_reclaim_volumes(struct o2_record *record, const struct o2_record_object *objects,
			       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		O2_AUTO(o2_doc_freep) struct o2_doc *claim = NULL;
		struct o2_err err = { 0 };

		if (strcmp(objects[i].kind->kind, "PersistentVolumeClaim") != 0)
			continue;
		claim = o2_record_get(record, record->kube[O2_TARGET], objects[i].kind,
				      objects[i].ns, objects[i].name, &err);
		if (claim && o2_record_owns(record, claim))
			reclaim(record, claim);
	}
}
