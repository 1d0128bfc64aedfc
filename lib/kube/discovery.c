/*
 * Which kinds a server has.
 *
 * Two requests (/api, /apis) where the server aggregates (1.26 and newer); else one a group version. A group version whose
 * discovery failed, or is stale because its own server is away, is a gap.
 */
#include <stdlib.h>
#include <string.h>

#include "kube/kube_internal.h"

#define ACCEPT_AGGREGATED \
	"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," \
	"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/" \
	"json"
#define WINDOW 8
#define MAX_ANSWER_BYTES ((size_t)32 << 20)

static unsigned verb_of(const char *verb)
{
	static const struct {
		const char *name;
		unsigned verb;
	} verbs[] = { { "get", O2_KUBE_GET },       { "list", O2_KUBE_LIST },
		      { "watch", O2_KUBE_WATCH },   { "create", O2_KUBE_CREATE },
		      { "update", O2_KUBE_UPDATE }, { "patch", O2_KUBE_PATCH },
		      { "delete", O2_KUBE_DELETE } };

	for (size_t i = 0; i < O2_COUNT(verbs); i++)
		if (strcmp(verbs[i].name, verb) == 0)
			return verbs[i].verb;
	return 0;
}

static unsigned verbs_of(const struct o2_doc *list)
{
	unsigned verbs = 0;

	for (size_t i = 0; i < o2_doc_count(list); i++) {
		const char *verb = o2_doc_text(o2_doc_item(list, i));
		verbs |= verb ? verb_of(verb) : 0;
	}
	return verbs;
}

static struct o2_kube_kind *add_kind(struct o2_kube *kube, const char *group, const char *version,
				     const char *kind, const char *resource)
{
	struct o2_kube_kind *new = o2_xcalloc(1, sizeof(*new));

	new->group = o2_xstrdup(group);
	new->version = o2_xstrdup(version);
	new->api_version = group[0] ? o2_xasprintf("%s/%s", group, version) : o2_xstrdup(version);
	new->kind = o2_xstrdup(kind);
	new->resource = o2_xstrdup(resource);
	new->preferred = o2_kube_kind_find(kube, group, kind) ==
			 NULL; /* versions come in the server's order of preference */
	O2_GROW(kube->kinds, kube->kind_count, kube->kind_cap);
	kube->kinds[kube->kind_count++] = new;
	return new;
}

static void add_gap(struct o2_kube *kube, const char *group, const char *version)
{
	O2_AUTO(o2_freep) char *gap = o2_xasprintf("%s%s%s", group, group[0] ? "/" : "", version);

	o2_strs_add_unique(&kube->gaps, gap);
}

/* --- aggregated --- */

static void add_aggregated_version(struct o2_kube *kube, const char *group,
				   const struct o2_doc *version)
{
	const char *name = o2_doc_str(version, "/version", "");
	const struct o2_doc *resources = o2_doc_at(version, "/resources");

	if (strcmp(o2_doc_str(version, "/freshness", "Current"), "Stale") == 0) {
		add_gap(kube, group, name);
		return;
	}
	for (size_t i = 0; i < o2_doc_count(resources); i++) {
		const struct o2_doc *resource = o2_doc_item(resources, i);
		const char *kind = o2_doc_str(resource, "/responseKind/kind", "");
		const char *plural = o2_doc_str(resource, "/resource", "");
		if (kind[0] == '\0' || plural[0] == '\0')
			continue;
		struct o2_kube_kind *new = add_kind(kube, group, name, kind, plural);
		new->namespaced = strcmp(o2_doc_str(resource, "/scope", ""), "Namespaced") == 0;
		new->verbs = verbs_of(o2_doc_at(resource, "/verbs"));
		const struct o2_doc *subresources = o2_doc_at(resource, "/subresources");
		for (size_t k = 0; k < o2_doc_count(subresources); k++) {
			const char *sub =
				o2_doc_str(o2_doc_item(subresources, k), "/subresource", "");
			new->has_scale |= strcmp(sub, "scale") == 0;
			new->has_status |= strcmp(sub, "status") == 0;
		}
	}
}

static void add_aggregated(struct o2_kube *kube, const struct o2_doc *list)
{
	const struct o2_doc *groups = o2_doc_at(list, "/items");

	for (size_t i = 0; i < o2_doc_count(groups); i++) {
		const struct o2_doc *group = o2_doc_item(groups, i);
		const struct o2_doc *versions = o2_doc_at(group, "/versions");
		for (size_t k = 0; k < o2_doc_count(versions); k++)
			add_aggregated_version(kube, o2_doc_str(group, "/metadata/name", ""),
					       o2_doc_item(versions, k));
	}
}

/* --- one group version after the other --- */

struct group_version {
	char *group, *version;
	struct o2_doc *resources;
};

struct plain {
	struct group_version *items;
	size_t count, cap;
};

static void plan_version(struct plain *plain, const char *group, const char *version)
{
	for (size_t i = 0; i < plain->count; i++)
		if (strcmp(plain->items[i].group, group) == 0 &&
		    strcmp(plain->items[i].version, version) == 0)
			return;
	O2_GROW(plain->items, plain->count, plain->cap);
	plain->items[plain->count++] = (struct group_version){ .group = o2_xstrdup(group),
							       .version = o2_xstrdup(version) };
}

/* APIVersions {versions: [v1]}, or APIGroupList {groups: [{name, versions: [{version}], preferredVersion}]}. */
static void plan_versions(struct plain *plain, const struct o2_doc *doc)
{
	const struct o2_doc *versions = o2_doc_at(doc, "/versions");
	const struct o2_doc *groups = o2_doc_at(doc, "/groups");

	for (size_t i = 0; i < o2_doc_count(versions); i++) {
		const char *version = o2_doc_text(o2_doc_item(versions, i));
		if (version)
			plan_version(plain, "", version);
	}
	for (size_t i = 0; i < o2_doc_count(groups); i++) {
		const struct o2_doc *group = o2_doc_item(groups, i);
		const char *name = o2_doc_str(group, "/name", "");
		const char *preferred = o2_doc_str(group, "/preferredVersion/version", "");
		const struct o2_doc *list = o2_doc_at(group, "/versions");
		if (preferred[0])
			plan_version(plain, name, preferred);
		for (size_t k = 0; k < o2_doc_count(list); k++)
			plan_version(plain, name, o2_doc_str(o2_doc_item(list, k), "/version", ""));
	}
}

static void begin_plain(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct plain *plain = many->arg;
	const struct group_version *item = &plain->items[index];
	struct o2_buf path;

	o2_buf_init(&path, 4096);
	o2_buf_adds(&path, item->group[0] ? "/apis/" : "/api/");
	o2_buf_add_path(&path, item->group);
	o2_buf_adds(&path, item->group[0] ? "/" : "");
	o2_buf_add_path(&path, item->version);
	request->method = "GET";
	request->path = o2_buf_steal(&path);
	request->repeatable = true;
	request->what = o2_xasprintf("cannot read the kinds of %s/%s in %s", item->group,
				     item->version, many->kube->name);
	o2_buf_release(&path);
}

static bool end_plain(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct plain *plain = many->arg;
	struct group_version *item = &plain->items[index];

	if (request->err.code == 0)
		item->resources = o2_kube_request_doc(request, NULL);
	return false;
}

static void add_plain_version(struct o2_kube *kube, const struct group_version *item)
{
	const struct o2_doc *resources = o2_doc_at(item->resources, "/resources");

	if (item->resources == NULL) {
		add_gap(kube, item->group, item->version);
		return;
	}
	size_t first = kube->kind_count;
	for (size_t i = 0; i < o2_doc_count(resources); i++) {
		const struct o2_doc *resource = o2_doc_item(resources, i);
		const char *name = o2_doc_str(resource, "/name", "");
		if (name[0] == '\0' || strchr(name, '/'))
			continue;
		struct o2_kube_kind *new = add_kind(kube, item->group, item->version,
						    o2_doc_str(resource, "/kind", ""), name);
		new->namespaced = o2_doc_bool(resource, "/namespaced", false);
		new->verbs = verbs_of(o2_doc_at(resource, "/verbs"));
	}
	for (size_t i = 0; i < o2_doc_count(resources); i++) {
		const char *name = o2_doc_str(o2_doc_item(resources, i), "/name", "");
		const char *slash = strchr(name, '/');
		for (size_t k = first; slash && k < kube->kind_count; k++) {
			if (strncmp(kube->kinds[k]->resource, name, (size_t)(slash - name)) != 0 ||
			    kube->kinds[k]->resource[slash - name])
				continue;
			kube->kinds[k]->has_scale |= strcmp(slash, "/scale") == 0;
			kube->kinds[k]->has_status |= strcmp(slash, "/status") == 0;
		}
	}
}

static void discover_plain(struct o2_kube *kube, const struct o2_doc *doc)
{
	struct plain plain = { 0 };

	plan_versions(&plain, doc);
	struct o2_kube_many many = { .kube = kube,
				     .count = plain.count,
				     .window = WINDOW,
				     .begin = begin_plain,
				     .end = end_plain,
				     .arg = &plain };
	o2_kube_many_run(&many);
	for (size_t i = 0; i < plain.count; i++) {
		add_plain_version(kube, &plain.items[i]);
		free(plain.items[i].group);
		free(plain.items[i].version);
		o2_doc_free(plain.items[i].resources);
	}
	free(plain.items);
}

/* --- both roots --- */

struct roots {
	struct o2_doc *docs[2];
	struct o2_err err;
};

static void begin_root(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	request->method = "GET";
	request->path = o2_xstrdup(index == 0 ? "/api" : "/apis");
	request->accept = ACCEPT_AGGREGATED;
	request->max_answer_bytes = MAX_ANSWER_BYTES;
	request->repeatable = true;
	request->what = o2_xasprintf("cannot connect to %s", many->kube->name);
}

static bool end_root(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct roots *roots = many->arg;

	if (request->err.code == 0)
		roots->docs[index] = o2_kube_request_doc(request, &request->err);
	if (request->err.code < 0 && roots->err.code == 0) {
		roots->err = request->err;
		many->stop = true;
	}
	return false;
}

static void skip_root(struct o2_kube_many *many, size_t index)
{
	struct roots *roots = many->arg;

	(void)index;
	if (roots->err.code == 0)
		o2_fail(&roots->err, O2_ECANCELED, "cannot connect to %s: interrupted",
			many->kube->name);
}

int o2_kube_discover(struct o2_kube *kube, struct o2_err *err)
{
	struct roots roots = { 0 };
	struct o2_kube_many many = { .kube = kube,
				     .count = 2,
				     .window = 2,
				     .begin = begin_root,
				     .end = end_root,
				     .skipped = skip_root,
				     .arg = &roots };

	o2_kube_many_run(&many);
	for (size_t i = 0; i < 2 && roots.err.code == 0; i++) {
		if (strcmp(o2_doc_str(roots.docs[i], "/kind", ""), "APIGroupDiscoveryList") == 0)
			add_aggregated(kube, roots.docs[i]);
		else
			discover_plain(kube, roots.docs[i]);
	}
	o2_doc_free(roots.docs[0]);
	o2_doc_free(roots.docs[1]);
	if (roots.err.code < 0 && err)
		*err = roots.err;
	return roots.err.code;
}

static void free_kinds(struct o2_kube_kind **kinds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct o2_kube_kind *kind = kinds[i];

		o2_freep(&kind->group);
		o2_freep(&kind->version);
		o2_freep(&kind->api_version);
		o2_freep(&kind->kind);
		o2_freep(&kind->resource);
		free(kind);
	}
	free(kinds);
}

void o2_kube_discovery_release(struct o2_kube *kube)
{
	free_kinds(kube->kinds, kube->kind_count);
	free_kinds(kube->retired, kube->retired_count);
	kube->kinds = kube->retired = NULL;
	kube->kind_count = kube->kind_cap = 0;
	kube->retired_count = kube->retired_cap = 0;
	o2_strs_release(&kube->gaps);
}

int o2_kube_refresh(struct o2_kube *kube, struct o2_err *err)
{
	for (size_t i = 0; i < kube->kind_count; i++) {
		O2_GROW(kube->retired, kube->retired_count, kube->retired_cap);
		kube->retired[kube->retired_count++] = kube->kinds[i];
	}
	kube->kind_count = 0;
	o2_strs_release(&kube->gaps);
	return o2_kube_discover(kube, err);
}

size_t o2_kube_kind_count(const struct o2_kube *kube)
{
	return kube->kind_count;
}

const struct o2_kube_kind *o2_kube_kind_at(const struct o2_kube *kube, size_t index)
{
	return index < kube->kind_count ? kube->kinds[index] : NULL;
}

const struct o2_kube_kind *o2_kube_kind_find(const struct o2_kube *kube, const char *group,
					     const char *kind)
{
	for (size_t i = 0; i < kube->kind_count; i++) {
		const struct o2_kube_kind *it = kube->kinds[i];
		if (it->preferred && strcmp(it->kind, kind) == 0 && strcmp(it->group, group) == 0)
			return it;
	}
	return NULL;
}

const struct o2_kube_kind *o2_kube_kind_exact(const struct o2_kube *kube, const char *api_version,
					      const char *kind)
{
	for (size_t i = 0; i < kube->kind_count; i++) {
		const struct o2_kube_kind *it = kube->kinds[i];
		if (strcmp(it->kind, kind) == 0 && strcmp(it->api_version, api_version) == 0)
			return it;
	}
	return NULL;
}

const struct o2_strs *o2_kube_discovery_gaps(const struct o2_kube *kube)
{
	return &kube->gaps;
}
