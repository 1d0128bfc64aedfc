/* Pods: from a template, counted, compared. */
#include "controllers_internal.h"

struct o2_doc *sim_pod_from(const struct sim_object *owner, const struct o2_doc *template)
{
	struct o2_doc *pod = o2_doc_object_new();
	const struct o2_doc *metadata = o2_doc_member(template, "metadata");

	o2_doc_set_str(pod, "apiVersion", "v1");
	o2_doc_set_str(pod, "kind", "Pod");
	o2_doc_put_str(pod, "/metadata/namespace", owner->ns);
	o2_doc_put(pod, "/metadata/labels", o2_doc_copy(o2_doc_member(metadata, "labels")));
	o2_doc_put(pod, "/metadata/annotations",
		   o2_doc_copy(o2_doc_member(metadata, "annotations")));
	o2_doc_put(pod, "/metadata/finalizers", o2_doc_copy(o2_doc_member(metadata, "finalizers")));
	sim_put_owner(pod, owner);
	o2_doc_set(pod, "spec", o2_doc_copy(o2_doc_member(template, "spec")));
	return pod;
}

void sim_template_hash(const struct o2_doc *template, int64_t collisions, char out[11])
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	O2_AUTO(o2_freep) char *text = o2_doc_dump_canonical(template);
	uint32_t hash = 2166136261;

	for (const char *p = text; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619;
	hash = (hash ^ (uint32_t)collisions) * 16777619;
	snprintf(out, 11, "%u", hash);
	for (char *p = out; *p; p++)
		*p = letters[(unsigned char)*p % (sizeof(letters) - 1)];
}

/* As maps of strings, without the labels that controllers add. */
static bool same_map(const struct o2_doc *a, const struct o2_doc *b)
{
	static const char hash[] = "pod-template-hash";
	size_t count_a = o2_doc_count(a) - (o2_doc_member(a, hash) != NULL);
	size_t count_b = o2_doc_count(b) - (o2_doc_member(b, hash) != NULL);

	if (count_a != count_b)
		return false;
	for (struct o2_doc_iter it = o2_doc_iter(a); o2_doc_next(&it);) {
		if (strcmp(it.name, hash) != 0 &&
		    !o2_doc_equal(it.value, o2_doc_member(b, it.name)))
			return false;
	}
	return true;
}

bool sim_same_template(const struct o2_doc *a, const struct o2_doc *b)
{
	return o2_doc_equal(o2_doc_member(a, "spec"), o2_doc_member(b, "spec")) &&
	       same_map(o2_doc_at(a, "/metadata/labels"), o2_doc_at(b, "/metadata/labels")) &&
	       same_map(o2_doc_at(a, "/metadata/annotations"),
			o2_doc_at(b, "/metadata/annotations"));
}

/* --- pods that are there --- */

bool sim_pod_has_ended(const struct sim_object *pod)
{
	const char *phase = o2_doc_str(pod->doc, "/status/phase", "");

	return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

bool sim_pod_is_active(const struct sim_object *pod)
{
	return !pod->gone && !sim_is_deleting(pod) && !sim_pod_has_ended(pod);
}

bool sim_pod_is_ready(const struct sim_object *pod)
{
	return sim_is_true(pod->doc, "Ready");
}

bool sim_pod_is_available(const struct sim_object *pod, int64_t min_ready_s)
{
	const struct sim_life *life = sim_life_of(pod);

	return sim_pod_is_ready(pod) &&
	       (min_ready_s == 0 || !life || sim_now_us() >= life->ready_us + min_ready_s * SIM_S);
}

struct sim_object *sim_create_pod(struct sim_object *owner, struct o2_doc *pod,
				  struct sim_refusal *refusal)
{
	struct sim_object *made = sim_create(owner->cluster, pod, SIM_CONTROLLER_MANAGER, refusal);

	if (!made)
		sim_back_off(owner);
	return made;
}

/* Does the pod carry every label of the owner's template? */
static bool is_labelled(const struct sim_object *pod, const struct sim_object *owner)
{
	const struct o2_doc *labels = o2_doc_at(owner->doc, "/spec/template/metadata/labels");

	for (struct o2_doc_iter it = o2_doc_iter(labels); o2_doc_next(&it);) {
		if (strcmp(sim_label(pod, it.name), o2_doc_text(it.value)) != 0)
			return false;
	}
	return true;
}

void sim_count_pods(const struct sim_list *pods, const struct sim_object *owner,
		    struct sim_pod_counts *out)
{
	int64_t min_ready_s = o2_doc_int(owner->doc, "/spec/minReadySeconds", 0);

	*out = (struct sim_pod_counts){ 0 };
	for (size_t i = 0; i < pods->count; i++) {
		const struct sim_object *pod = pods->items[i];

		if (!sim_pod_is_active(pod))
			continue;
		out->all++;
		out->labelled += is_labelled(pod, owner);
		out->ready += sim_pod_is_ready(pod);
		out->available += sim_pod_is_available(pod, min_ready_s);
	}
}

void sim_await_available(struct sim_object *owner, int64_t ready, int64_t available)
{
	int64_t min_ready_s = o2_doc_int(owner->doc, "/spec/minReadySeconds", 0);

	if (min_ready_s > 0 && ready > available)
		sim_queue_in(owner, min_ready_s * SIM_S);
}

int64_t sim_share(const struct o2_doc *value, int64_t total, bool round_up, int64_t fallback)
{
	const char *text = o2_doc_text(value);

	if (!text)
		return o2_doc_number(value, fallback);
	return (strtoll(text, NULL, 10) * total + (round_up ? 99 : 0)) / 100;
}
