/* Aggregated discovery. Built once: clusters serve the same. */
#include "discovery.h"

#include <string.h>

#include "base/alloc.h"

static const char *const verbs[] = { "create", "delete", "deletecollection", "get",
				     "list",   "patch",  "update",           "watch" };

static struct o2_doc *list_of(const char *const *words, size_t count)
{
	struct o2_doc *list = o2_doc_array_new();

	for (size_t i = 0; i < count; i++)
		o2_doc_append_str(list, words[i]);
	return list;
}

static struct o2_doc *subresource(const char *name)
{
	struct o2_doc *doc = o2_doc_object_new();

	o2_doc_set_str(doc, "subresource", name);
	return doc;
}

static struct o2_doc *resource_of(const struct sim_kind *kind)
{
	struct o2_doc *doc = o2_doc_object_new();
	struct o2_doc *subresources = o2_doc_array_new();

	o2_doc_set_str(doc, "resource", kind->resource);
	o2_doc_put_str(doc, "/responseKind/group", kind->group);
	o2_doc_put_str(doc, "/responseKind/version", kind->version);
	o2_doc_put_str(doc, "/responseKind/kind", kind->kind);
	o2_doc_set_str(doc, "scope", kind->namespaced ? "Namespaced" : "Cluster");
	o2_doc_set(doc, "verbs",
		   kind->is_review ? list_of(verbs, 1) : list_of(verbs, O2_COUNT(verbs)));
	if (strcmp(kind->kind, "Namespace") == 0 && !kind->group[0])
		o2_doc_remove_item(o2_doc_member(doc, "verbs"), 2); /* one at a time */
	if (kind->has_status)
		o2_doc_append(subresources, subresource("status"));
	if (kind->has_scale)
		o2_doc_append(subresources, subresource("scale"));
	o2_doc_set(doc, "subresources", subresources);
	return doc;
}

/* The group's resources: there is one version a group. */
static struct o2_doc *group_of(const struct sim_kind *kinds, size_t count, const char *group)
{
	struct o2_doc *doc = o2_doc_object_new();
	struct o2_doc *version = o2_doc_object_new();
	struct o2_doc *resources = o2_doc_array_new();

	for (size_t i = 0; i < count; i++) {
		if (strcmp(kinds[i].group, group) != 0)
			continue;
		o2_doc_set_str(version, "version", kinds[i].version);
		o2_doc_append(resources, resource_of(&kinds[i]));
	}
	o2_doc_set(version, "resources", resources);
	o2_doc_set_str(version, "freshness", "Current");
	if (group[0])
		o2_doc_put_str(doc, "/metadata/name", group);
	else
		o2_doc_set(doc, "metadata", o2_doc_object_new());
	o2_doc_put(doc, "/versions", o2_doc_array_new());
	o2_doc_append(o2_doc_member(doc, "versions"), version);
	return doc;
}

static struct o2_doc *groups(bool core)
{
	struct o2_doc *doc = o2_doc_object_new();
	struct o2_doc *items = o2_doc_array_new();
	size_t count;
	const struct sim_kind *kinds = sim_kinds(&count);
	const char *last = NULL;

	o2_doc_set_str(doc, "kind", "APIGroupDiscoveryList");
	o2_doc_set_str(doc, "apiVersion", "apidiscovery.k8s.io/v2");
	o2_doc_set(doc, "metadata", o2_doc_object_new());
	for (size_t i = 0; i < count; i++) {
		bool is_new = last == NULL || strcmp(last, kinds[i].group) != 0;
		last = kinds[i].group;
		if (is_new && (last[0] == '\0') == core)
			o2_doc_append(items, group_of(kinds, count, last));
	}
	o2_doc_set(doc, "items", items);
	return doc;
}

void sim_discover(const char *path, struct sim_response *out)
{
	static struct o2_doc *core, *others, *version;

	if (!core) {
		core = groups(true);
		others = groups(false);
		version = o2_doc_object_new();
		o2_doc_set_str(version, "major", "1");
		o2_doc_set_str(version, "minor", "34");
		o2_doc_set_str(version, "gitVersion", "v1.34.4");
	}
	const struct o2_doc *doc = strcmp(path, "/api") == 0       ? core
				   : strcmp(path, "/apis") == 0    ? others
				   : strcmp(path, "/version") == 0 ? version
								   : NULL;
	if (!doc) {
		sim_answer_refusal(out, 404, "NotFound",
				   "the server could not find the requested resource");
		return;
	}
	out->status = 200;
	out->doc = o2_doc_ref(doc);
}
