/* ResourceQuotas: what of their limits is used. Only what stands in their status counts when something is created. */
#include "controllers_internal.h"

#include "admission.h"

/* The kind that a quota counts under a name: "pods", "count/jobs.batch"; NULL if none. */
static const struct sim_kind *counted_kind(const char *name)
{
	bool prefixed = strncmp(name, "count/", 6) == 0;
	const char *rest = prefixed ? name + 6 : name;
	size_t count;
	const struct sim_kind *kinds = sim_kinds(&count);

	for (size_t i = 0; i < count; i++) {
		const char *group = kinds[i].group;
		size_t len = strlen(kinds[i].resource);

		if (strncmp(rest, kinds[i].resource, len) != 0 || (group[0] && !prefixed))
			continue;
		if (group[0] ? rest[len] == '.' && strcmp(rest + len + 1, group) == 0
			     : rest[len] == '\0')
			return &kinds[i];
	}
	return NULL;
}

static int64_t count_used(const struct sim_object *quota, const char *name)
{
	const struct sim_kind *kind = counted_kind(name);
	int64_t used = 0;

	if (!kind || kind->is_review)
		return 0;
	for (const struct sim_object *at = sim_first(quota->cluster, kind); at; at = sim_next(at)) {
		if (strcmp(at->ns, quota->ns) == 0 && sim_quota_covers(quota->doc, kind, at->doc) &&
		    !(kind == sim_known.pod && sim_pod_has_ended(at)))
			used++;
	}
	return used;
}

void sim_quota_look(struct sim_object *quota)
{
	const struct o2_doc *hard = o2_doc_at(quota->doc, "/spec/hard");
	struct o2_doc *draft = sim_draft(quota), *used = o2_doc_object_new();

	for (struct o2_doc_iter it = o2_doc_iter(hard); o2_doc_next(&it);) {
		O2_AUTO(o2_freep)
		char *text = o2_xasprintf("%lld", (long long)count_used(quota, it.name));
		o2_doc_set_str(used, it.name, text);
	}
	o2_doc_put(draft, "/status/hard", o2_doc_copy(hard));
	o2_doc_put(draft, "/status/used", used);
	sim_write_status(quota, draft);
}
