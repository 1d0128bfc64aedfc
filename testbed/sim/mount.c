/* What a pod needs from elsewhere before it starts: config maps, secrets, claims. */
#include "controllers_internal.h"

const char *sim_pod_claim(const struct sim_object *pod, size_t volume_index)
{
	const struct o2_doc *volume =
		o2_doc_item(o2_doc_at(pod->doc, "/spec/volumes"), volume_index);

	return o2_doc_str(volume, "/persistentVolumeClaim/claimName", NULL);
}

bool sim_pod_uses_claim(const struct sim_object *pod, const char *claim)
{
	size_t count = o2_doc_count(o2_doc_at(pod->doc, "/spec/volumes"));

	for (size_t i = 0; i < count; i++) {
		const char *name = sim_pod_claim(pod, i);
		if (name && strcmp(name, claim) == 0)
			return true;
	}
	return false;
}

/* Does a container mount the volume of that name, other than for reading? */
static bool container_writes(const struct o2_doc *container, const char *volume)
{
	const struct o2_doc *mounts = o2_doc_member(container, "volumeMounts");
	const struct o2_doc *devices = o2_doc_member(container, "volumeDevices");

	for (size_t i = 0; i < o2_doc_count(mounts); i++) {
		const struct o2_doc *mount = o2_doc_item(mounts, i);
		if (strcmp(o2_doc_member_str(mount, "name", ""), volume) == 0 &&
		    !o2_doc_bool(mount, "/readOnly", false))
			return true;
	}
	for (size_t i = 0; i < o2_doc_count(devices); i++) {
		if (strcmp(o2_doc_member_str(o2_doc_item(devices, i), "name", ""), volume) == 0)
			return true;
	}
	return false;
}

bool sim_pod_writes(const struct sim_object *pod, size_t volume_index)
{
	const struct o2_doc *containers = o2_doc_at(pod->doc, "/spec/containers");
	const struct o2_doc *volume =
		o2_doc_item(o2_doc_at(pod->doc, "/spec/volumes"), volume_index);

	if (o2_doc_bool(volume, "/persistentVolumeClaim/readOnly", false))
		return false;
	for (size_t i = 0; i < o2_doc_count(containers); i++) {
		if (container_writes(o2_doc_item(containers, i),
				     o2_doc_member_str(volume, "name", "")))
			return true;
	}
	return false;
}

/* --- what is missing --- */

/* A search for the first thing that is missing. */
struct search {
	const struct sim_object *pod;
	char *what;
	size_t size;
};

static bool lacks(const struct search *search, const struct sim_kind *kind,
		  const struct o2_doc *reference, const char *member)
{
	const char *name = o2_doc_member_str(reference, member, NULL);

	if (!name || o2_doc_bool(reference, "/optional", false) ||
	    sim_find(search->pod->cluster, kind, search->pod->ns, name))
		return false;
	snprintf(search->what, search->size, "%s \"%s\" not found",
		 kind == sim_known.secret ? "secret" : "configmap", name);
	return true;
}

static bool lacks_claim(const struct search *search, const struct o2_doc *volume)
{
	const char *name = o2_doc_str(volume, "/persistentVolumeClaim/claimName", NULL);
	const struct sim_object *claim =
		name ? sim_find(search->pod->cluster, sim_known.claim, search->pod->ns, name)
		     : NULL;

	if (!name || (claim && strcmp(o2_doc_str(claim->doc, "/status/phase", ""), "Bound") == 0))
		return false;
	snprintf(search->what, search->size, "persistentvolumeclaim \"%s\" is not bound", name);
	return true;
}

static bool volume_lacks(const struct search *search, const struct o2_doc *volume)
{
	const struct o2_doc *sources = o2_doc_at(volume, "/projected/sources");

	for (size_t i = 0; i < o2_doc_count(sources); i++) {
		const struct o2_doc *source = o2_doc_item(sources, i);
		if (lacks(search, sim_known.config_map, o2_doc_member(source, "configMap"),
			  "name") ||
		    lacks(search, sim_known.secret, o2_doc_member(source, "secret"), "name"))
			return true;
	}
	return lacks(search, sim_known.config_map, o2_doc_member(volume, "configMap"), "name") ||
	       lacks(search, sim_known.secret, o2_doc_member(volume, "secret"), "secretName") ||
	       lacks_claim(search, volume);
}

static bool container_lacks(const struct search *search, const struct o2_doc *container)
{
	const struct o2_doc *from = o2_doc_member(container, "envFrom");
	const struct o2_doc *env = o2_doc_member(container, "env");

	for (size_t i = 0; i < o2_doc_count(from); i++) {
		const struct o2_doc *item = o2_doc_item(from, i);
		if (lacks(search, sim_known.config_map, o2_doc_member(item, "configMapRef"),
			  "name") ||
		    lacks(search, sim_known.secret, o2_doc_member(item, "secretRef"), "name"))
			return true;
	}
	for (size_t i = 0; i < o2_doc_count(env); i++) {
		const struct o2_doc *value = o2_doc_member(o2_doc_item(env, i), "valueFrom");
		if (lacks(search, sim_known.config_map, o2_doc_member(value, "configMapKeyRef"),
			  "name") ||
		    lacks(search, sim_known.secret, o2_doc_member(value, "secretKeyRef"), "name"))
			return true;
	}
	return false;
}

bool sim_pod_lacks(const struct sim_object *pod, char *what, size_t size)
{
	static const char *const lists[] = { "/spec/initContainers", "/spec/containers" };
	const struct search search = { .pod = pod, .what = what, .size = size };
	const struct o2_doc *volumes = o2_doc_at(pod->doc, "/spec/volumes");

	for (size_t i = 0; i < o2_doc_count(volumes); i++) {
		if (volume_lacks(&search, o2_doc_item(volumes, i)))
			return true;
	}
	for (size_t l = 0; l < O2_COUNT(lists); l++) {
		const struct o2_doc *list = o2_doc_at(pod->doc, lists[l]);
		for (size_t i = 0; i < o2_doc_count(list); i++) {
			if (container_lacks(&search, o2_doc_item(list, i)))
				return true;
		}
	}
	return false;
}
