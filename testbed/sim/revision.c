/* ControllerRevisions: what the templates of StatefulSets and DaemonSets have been. */
#include "controllers_internal.h"

#define TEMPLATE "/data/spec/template"

static struct o2_doc *revision_doc(struct sim_object *owner, const char *name, const char *hash)
{
	struct o2_doc *doc = sim_object_doc(sim_known.revision, owner->ns, name);
	const struct o2_doc *template = o2_doc_at(owner->doc, "/spec/template");
	struct o2_doc *kept = o2_doc_object_new();

	o2_doc_put(doc, "/metadata/labels", o2_doc_copy(o2_doc_at(template, "/metadata/labels")));
	o2_doc_put_str(doc,
		       owner->kind == sim_known.daemon_set
			       ? "/metadata/labels/controller-revision-hash"
			       : "/metadata/labels/controller.kubernetes.io~1hash",
		       hash);
	sim_put_owner(doc, owner);
	o2_doc_set_str(kept, "$patch", "replace");
	o2_doc_set(kept, "metadata", o2_doc_ref(o2_doc_member(template, "metadata")));
	o2_doc_set(kept, "spec", o2_doc_ref(o2_doc_member(template, "spec")));
	o2_doc_put(doc, TEMPLATE, kept);
	return doc;
}

const char *sim_revision(struct sim_object *owner)
{
	const struct o2_doc *template = o2_doc_at(owner->doc, "/spec/template");
	struct sim_object *same = NULL;
	struct sim_list revisions = { 0 };
	static char name[300];
	int64_t last = 0;
	char hash[11];

	sim_gather(owner, sim_known.revision, NULL, &revisions);
	for (size_t i = 0; i < revisions.count; i++) {
		struct sim_object *revision = revisions.items[i];
		int64_t number = o2_doc_int(revision->doc, "/revision", 0);

		last = number > last ? number : last;
		if (sim_same_template(o2_doc_at(revision->doc, TEMPLATE), template))
			same = revision;
	}
	if (!same) {
		sim_template_hash(template, 0, hash);
		snprintf(name, sizeof(name), "%s-%s", owner->name, hash);
		struct o2_doc *doc = revision_doc(owner, name, hash);
		o2_doc_put_int(doc, "/revision", last + 1);
		sim_create(owner->cluster, doc, SIM_CONTROLLER_MANAGER, NULL);
	} else {
		snprintf(name, sizeof(name), "%s", same->name);
	}
	/* Gone back to what it has been once: that is the newest again. */
	if (same && o2_doc_int(same->doc, "/revision", 0) < last) {
		struct o2_doc *draft = sim_draft(same);
		o2_doc_put_int(draft, "/revision", last + 1);
		sim_write(same, draft);
	}
	sim_list_release(&revisions);
	return name;
}

const char *sim_revision_hash(const struct sim_object *owner, const char *revision)
{
	return revision + strlen(owner->name) + 1;
}

const struct o2_doc *sim_revision_template(const struct sim_object *owner, const char *name)
{
	const struct sim_object *revision =
		sim_find(owner->cluster, sim_known.revision, owner->ns, name);

	return revision ? o2_doc_at(revision->doc, TEMPLATE) : NULL;
}
