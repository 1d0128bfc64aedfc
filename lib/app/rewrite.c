/*
 * Deciding what each object becomes on B: names, namespaces, storage classes, versions. What is changed inside an object
 * stands in content.c.
 */
#include "app/app_internal.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- maps ------------------------------------------------------------------------------------------------------------- */

static bool is_dns_label(const char *text, size_t len)
{
	if (len == 0 || len > 63 || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) &&
		    text[i] != '-')
			return false;
	}
	return true;
}

static size_t namespace_index(const struct o2_app *app, const char *ns, size_t len)
{
	for (size_t i = 0; i < app->namespaces.count; i++) {
		if (strlen(app->namespaces.items[i]) == len &&
		    memcmp(app->namespaces.items[i], ns, len) == 0)
			return i;
	}
	return O2_APP_NO_ITEM;
}

static int map_namespace(struct o2_app *app, char **targets, const char *pair, struct o2_err *err)
{
	const char *colon = strchr(pair, ':');

	if (!colon || !is_dns_label(pair, (size_t)(colon - pair)) ||
	    !is_dns_label(colon + 1, strlen(colon + 1)))
		return o2_fail(err, O2_EINVALID, "'%s' is no pair of namespaces FROM:TO", pair);
	size_t i = namespace_index(app, pair, (size_t)(colon - pair));
	if (i == O2_APP_NO_ITEM)
		return o2_fail(err, O2_EINVALID,
			       "namespace map '%s' names a namespace that is not selected", pair);
	if (targets[i])
		return o2_fail(err, O2_EINVALID, "namespace '%s' is mapped twice",
			       app->namespaces.items[i]);
	targets[i] = o2_xstrdup(colon + 1);
	return 0;
}

static int map_namespaces(struct o2_app *app, const struct o2_strs *map, struct o2_err *err)
{
	char **targets = o2_xcalloc(app->namespaces.count + 1, sizeof(*targets));
	int rc = 0;

	for (size_t i = 0; i < map->count && rc == 0; i++)
		rc = map_namespace(app, targets, map->items[i], err);
	for (size_t i = 0; i < app->namespaces.count; i++) {
		if (rc == 0)
			o2_strs_add(&app->target_namespaces,
				    targets[i] ? targets[i] : app->namespaces.items[i]);
		free(targets[i]);
	}
	free(targets);
	return rc;
}

static int map_classes(struct o2_app *app, const struct o2_strs *map, struct o2_err *err)
{
	for (size_t i = 0; i < map->count; i++) {
		const char *colon = strchr(map->items[i], ':');
		if (!colon || strchr(colon + 1, ':'))
			return o2_fail(err, O2_EINVALID,
				       "'%s' is no pair of storage classes FROM:TO", map->items[i]);
		O2_AUTO(o2_freep)
		char *from = o2_xstrndup(map->items[i], (size_t)(colon - map->items[i]));
		for (size_t k = 0; k < app->class_map.count; k += 2) {
			if (strcmp(app->class_map.items[k], from) == 0)
				return o2_fail(err, O2_EINVALID,
					       "storage class '%s' is mapped twice", from);
		}
		o2_strs_add(&app->class_map, from);
		o2_strs_add(&app->class_map, colon + 1);
	}
	return 0;
}

const char *o2_app_target_ns(const struct o2_app *app, const char *ns)
{
	size_t i = namespace_index(app, ns, strlen(ns));

	if (i == O2_APP_NO_ITEM)
		return NULL;
	return app->rewritten ? app->target_namespaces.items[i] : app->namespaces.items[i];
}

bool o2_app_is_moved(const struct o2_app *app, const struct o2_app_item *item)
{
	const char *to = item->view.ns ? o2_app_target_ns(app, item->view.ns) : NULL;

	return to && strcmp(to, item->view.ns) != 0;
}

/* ---- versions --------------------------------------------------------------------------------------------------------- */

/* Versions whose documents differ in apiVersion alone, as far as an object read from the older one can hold. */
static bool is_only_renamed(const char *group, const char *from, const char *to)
{
	static const struct {
		const char *group, *from, *to;
	} renamed[] = {
		{ "policy", "v1beta1", "v1" },
		{ "batch", "v1beta1", "v1" },
		{ "autoscaling", "v2beta2", "v2" },
		{ "rbac.authorization.k8s.io", "v1beta1", "v1" },
		{ "scheduling.k8s.io", "v1beta1", "v1" },
		{ "apiregistration.k8s.io", "v1beta1", "v1" },
		{ "gateway.networking.k8s.io", "v1beta1", "v1" },
	};

	for (size_t i = 0; i < O2_COUNT(renamed); i++) {
		if (strcmp(renamed[i].group, group) != 0)
			continue;
		if ((strcmp(renamed[i].from, from) == 0 && strcmp(renamed[i].to, to) == 0) ||
		    (strcmp(renamed[i].from, to) == 0 && strcmp(renamed[i].to, from) == 0))
			return true;
	}
	return false;
}

const struct o2_kube_kind *o2_app_version_choose(const struct o2_kube_kind *source,
						 const struct o2_kube_kind *same,
						 const struct o2_kube_kind *preferred)
{
	if (same)
		return same;
	if (preferred && is_only_renamed(source->group, source->version, preferred->version))
		return preferred;
	return NULL;
}

/* A kind whose definition goes along is served by B as soon as that is there. */
static bool brings_definition(const struct o2_app *app, const struct o2_kube_kind *kind)
{
	O2_AUTO(o2_freep) char *name = o2_xasprintf("%s.%s", kind->resource, kind->group);

	return o2_app_find(app, "apiextensions.k8s.io", "CustomResourceDefinition", NULL, name) !=
	       O2_APP_NO_ITEM;
}

static void choose_version(struct o2_app *app, size_t i, const struct o2_kube *target)
{
	struct o2_app_object *view = &app->items[i].view;
	const struct o2_kube_kind *kind = view->kind;

	if (!target)
		return;
	const struct o2_kube_kind *preferred = o2_kube_kind_find(target, kind->group, kind->kind);
	view->target_kind = o2_app_version_choose(
		kind, o2_kube_kind_exact(target, kind->api_version, kind->kind), preferred);
	if (view->target_kind)
		return;
	if (!preferred && (app->items[i].rule->flags & O2_APP_CUSTOM) &&
	    brings_definition(app, kind)) {
		view->target_kind = kind;
		return;
	}
	O2_AUTO(o2_freep)
	char *served = preferred ? o2_xasprintf("serves it as %s", preferred->api_version)
				 : o2_xstrdup("does not serve this kind");
	O2_AUTO(o2_freep)
	char *remedy =
		o2_xasprintf("install what serves it on %s, or leave it out: --exclude-kind %s",
			     o2_kube_name(target), kind->kind);
	o2_app_note_add(app, o2_app_label(app, i), O2_APP_NOTE_BLOCKS, remedy,
			"is %s on the source; %s %s", kind->api_version, o2_kube_name(target),
			served);
}

/* ---- names ------------------------------------------------------------------------------------------------------------ */

static struct o2_doc *first_namespace(void *arg, const char *pointer, struct o2_doc *parent,
				      struct o2_doc *value)
{
	const char **found = arg;

	(void)pointer;
	(void)parent;
	if (!*found)
		*found = o2_doc_text(value);
	return NULL;
}

/* In one cluster an object that binds a namespace stands beside the original under a name of its own. */
static void name_beside(struct o2_app *app, struct o2_app_item *item)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_app_item_parse(item);
	const char *ns = NULL;

	for (const char *const *pattern = item->rule->namespaces; pattern && *pattern; pattern++)
		o2_app_walk(doc, "", *pattern, first_namespace, &ns);
	const char *to = ns ? o2_app_target_ns(app, ns) : NULL;
	if (!to || strcmp(to, ns) == 0)
		return;
	item->target_name = o2_xasprintf("%s-%s", item->view.name, to);
	item->view.target_name = item->target_name;
}

static bool moves_any(const struct o2_app *app)
{
	for (size_t i = 0; i < app->namespaces.count; i++) {
		if (strcmp(app->namespaces.items[i], app->target_namespaces.items[i]) != 0)
			return true;
	}
	return false;
}

/* Objects that can't follow into another namespace. */
static const char *stays(const struct o2_app *app, const struct o2_app_item *item)
{
	if (strcmp(item->view.kind->kind, "Secret") == 0 &&
	    strncmp(item->view.name, "sh.helm.release.v1.", 19) == 0 && o2_app_is_moved(app, item))
		return "is Helm's record of a release in the old namespace";
	if (strcmp(item->view.kind->kind, "APIService") == 0 && app->same_cluster && moves_any(app))
		return "a cluster has one of it, and it leads to the old namespace";
	return NULL;
}

static void drop_what_stays(struct o2_app *app)
{
	bool dropped = false;

	for (size_t i = 0; i < app->item_count; i++) {
		const char *reason = stays(app, &app->items[i]);
		if (!reason)
			continue;
		o2_app_note_add(app, o2_app_label(app, i), O2_APP_NOTE_LEFT_OUT, "", "%s", reason);
		app->items[i].state = O2_APP_LEFT;
		dropped = true;
	}
	if (dropped)
		o2_app_compact(app, false);
}

static int check_unique(const struct o2_app *app, struct o2_err *err)
{
	struct o2_app_index index = { 0 };
	int rc = 0;

	for (size_t i = 0; i < app->item_count && rc == 0; i++) {
		const struct o2_app_object *view = &app->items[i].view;
		const char *parts[] = { view->kind->group, view->kind->kind, view->target_ns,
					view->target_name };
		uint32_t hash = o2_app_hash(parts, O2_COUNT(parts)), cursor = 0;
		size_t other;
		while (rc == 0 &&
		       (other = o2_app_index_next(&index, hash, &cursor)) != O2_APP_NO_ITEM) {
			if (strcmp(o2_app_target_label(app, other), o2_app_target_label(app, i)) ==
				    0 &&
			    strcmp(app->items[other].view.kind->group, view->kind->group) == 0)
				rc = o2_fail(err, O2_EINVALID, "%s and %s would both become %s",
					     o2_app_label(app, other), o2_app_label(app, i),
					     o2_app_target_label(app, i));
		}
		o2_app_index_add(&index, hash, i);
	}
	o2_app_index_clear(&index);
	return rc;
}

/* ---- all of it -------------------------------------------------------------------------------------------------------- */

int o2_app_rewrite(struct o2_app *app, const struct o2_app_rewriting *rewriting,
		   const struct o2_kube *target, struct o2_err *err)
{
	assert(app->settled && !app->rewritten);
	int rc = map_namespaces(app, &rewriting->namespace_map, err);
	if (rc == 0)
		rc = map_classes(app, &rewriting->storage_class_map, err);
	if (rc < 0)
		return rc;
	app->same_cluster = rewriting->same_cluster;
	app->rewritten = true;
	drop_what_stays(app);
	for (size_t i = 0; i < app->item_count; i++) {
		struct o2_app_item *item = &app->items[i];
		if (item->view.ns)
			item->view.target_ns =
				o2_app_intern(app, o2_app_target_ns(app, item->view.ns));
		if (app->same_cluster && (item->rule->flags & O2_APP_BOUND))
			name_beside(app, item);
		choose_version(app, i, target);
	}
	rc = check_unique(app, err);
	if (rc < 0)
		return rc;
	if (!moves_any(app) && app->class_map.count == 0)
		return 0;
	for (size_t i = 0; i < app->item_count; i++)
		o2_doc_free(o2_app_build_target(app, i, O2_APP_FULL, app));
	return 0;
}
