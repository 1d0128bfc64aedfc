#include "app/app_internal.h"

#include <string.h>

struct collect {
	struct o2_app *app;
	size_t item;
	const struct o2_app_reference *reference;
};

/* Named in a text, so nobody pulls it along and nobody wonders if it is missing. */
static const struct o2_app_reference host_reference = {
	.kind = "Service", .group = "", .why = "host", .flags = O2_APP_QUIET
};
static const struct o2_app_reference definition_reference = {
	.kind = "CustomResourceDefinition",
	.group = "apiextensions.k8s.io",
	.why = "definition",
	.flags = O2_APP_PULLS | O2_APP_QUIET,
};

static struct o2_app_ref *ref_new(struct o2_app *app, size_t item,
				  const struct o2_app_reference *reference)
{
	O2_GROW(app->refs, app->ref_count, app->ref_cap);
	struct o2_app_ref *ref = &app->refs[app->ref_count++];
	*ref = (struct o2_app_ref){ .from = item, .reference = reference };
	return ref;
}

static void add_name(const struct collect *c, const char *name, bool optional)
{
	if (!name || *name == '\0')
		return;
	struct o2_app_ref *ref = ref_new(c->app, c->item, c->reference);
	bool cluster = strcmp(c->reference->kind, "PriorityClass") == 0;
	ref->ns = cluster ? NULL : o2_xstrdup_null(c->app->items[c->item].view.ns);
	ref->name = o2_xstrdup(name);
	ref->optional = optional;
}

/* What a StatefulSet's claims are called, but for the number. */
static void add_ordinals(const struct collect *c, const char *prefix)
{
	if (!prefix)
		return;
	O2_AUTO(o2_freep)
	char *name = o2_xasprintf("%s-%s-", prefix, c->app->items[c->item].view.name);
	add_name(c, name, false);
}

/* group: apiGroup, Gateway's group, or what is in front of '/' in apiVersion. */
static char *group_of(const struct o2_doc *value, const char *fallback)
{
	const char *group =
		o2_doc_member_str(value, "apiGroup", o2_doc_member_str(value, "group", NULL));
	const char *api_version = o2_doc_member_str(value, "apiVersion", NULL);

	if (group)
		return o2_xstrdup(group);
	if (!api_version)
		return o2_xstrdup(fallback);
	const char *slash = strchr(api_version, '/');
	return slash ? o2_xstrndup(api_version, (size_t)(slash - api_version)) : o2_xstrdup("");
}

static void add_typed(const struct collect *c, const struct o2_doc *value)
{
	const struct o2_app_reference *reference = c->reference;
	const char *kind = o2_doc_member_str(value, "kind", reference->kind);
	const char *name = o2_doc_member_str(value, "name", NULL);

	if (!kind || !name || (reference->kind && strcmp(kind, reference->kind) != 0))
		return;
	struct o2_app_ref *ref = ref_new(c->app, c->item, reference);
	bool cluster = strncmp(kind, "Cluster", strlen("Cluster")) == 0 &&
		       strcmp(reference->why, "roleRef") == 0;
	ref->group = group_of(value, reference->group);
	ref->kind = o2_xstrdup(kind);
	ref->name = o2_xstrdup(name);
	ref->ns = cluster ? NULL
			  : o2_xstrdup_null(o2_doc_member_str(value, "namespace",
							      c->app->items[c->item].view.ns));
}

static void add_namespaced(const struct collect *c, const struct o2_doc *value)
{
	const char *ns = o2_doc_member_str(value, "namespace", "");

	/* A cluster object may name Services of anybody; those of others are none of ours. */
	if (!o2_strs_has(&c->app->namespaces, ns))
		return;
	struct o2_app_ref *ref = ref_new(c->app, c->item, c->reference);
	ref->ns = o2_xstrdup(ns);
	ref->name = o2_xstrdup(o2_doc_member_str(value, "name", ""));
}

static void add_selector(const struct collect *c, const struct o2_doc *value)
{
	if (c->reference->shape == O2_APP_SHAPE_LABELS && o2_doc_count(value) == 0)
		return;
	struct o2_app_ref *ref = ref_new(c->app, c->item, c->reference);
	ref->ns = o2_xstrdup_null(c->app->items[c->item].view.ns);
	ref->selector = o2_doc_copy(value);
}

static struct o2_doc *collect_value(void *arg, const char *pointer, struct o2_doc *parent,
				    struct o2_doc *value)
{
	const struct collect *c = arg;

	(void)pointer;
	switch (c->reference->shape) {
	case O2_APP_SHAPE_NAME:
		add_name(c, o2_doc_text(value), o2_doc_bool(parent, "/optional", false));
		break;
	case O2_APP_SHAPE_ORDINALS:
		add_ordinals(c, o2_doc_text(value));
		break;
	case O2_APP_SHAPE_TYPED:
		add_typed(c, value);
		break;
	case O2_APP_SHAPE_NAMESPACED:
		add_namespaced(c, value);
		break;
	case O2_APP_SHAPE_LABELS:
	case O2_APP_SHAPE_SELECTOR:
		add_selector(c, value);
		break;
	}
	return NULL;
}

static void collect_all(struct o2_app *app, size_t item, const struct o2_app_reference *references,
			struct o2_doc *root, const char *base)
{
	for (; references && references->path; references++) {
		struct collect c = { .app = app, .item = item, .reference = references };
		o2_app_walk(root, base, references->path, collect_value, &c);
	}
}

static void collect_host(void *arg, size_t service, size_t at, size_t len)
{
	const struct collect *c = arg;

	(void)at;
	(void)len;
	if (service == O2_APP_NO_ITEM || service == c->item)
		return;
	struct o2_app_ref *ref = ref_new(c->app, c->item, c->reference);
	ref->ns = o2_xstrdup_null(c->app->items[service].view.ns);
	ref->name = o2_xstrdup(c->app->items[service].view.name);
}

static struct o2_doc *collect_text(void *arg, const char *pointer, const char *text, bool whole)
{
	const struct collect *c = arg;

	(void)pointer;
	o2_app_hosts_find(c->app, c->app->items[c->item].view.ns, text, whole, collect_host, arg);
	return NULL;
}

void o2_app_refs_collect(struct o2_app *app, size_t item, struct o2_doc *doc)
{
	const struct o2_app_rule *rule = app->items[item].rule;
	struct collect hosts = { .app = app, .item = item, .reference = &host_reference };

	collect_all(app, item, rule->references, doc, "");
	if (rule->pod)
		collect_all(app, item, o2_app_pod_rule.references, o2_doc_at(doc, rule->pod),
			    rule->pod);
	o2_app_texts_visit(rule, doc, collect_text, &hosts);
	if (rule->flags & O2_APP_CUSTOM) {
		struct o2_app_ref *ref = ref_new(app, item, &definition_reference);
		const struct o2_kube_kind *kind = app->items[item].view.kind;
		ref->name = o2_xasprintf("%s.%s", kind->resource, kind->group);
	}
}

void o2_app_refs_collect_late(struct o2_app *app)
{
	size_t count = app->item_count;

	for (size_t i = 0; i < count; i++) {
		const struct o2_app_item *item = &app->items[i];
		if (item->state != O2_APP_CANDIDATE || !(item->rule->flags & O2_APP_ALLOTS) ||
		    !strstr(item->text, "\"externalName\""))
			continue;
		struct collect hosts = { .app = app, .item = i, .reference = &host_reference };
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_app_item_parse(item);
		o2_app_texts_visit(item->rule, doc, collect_text, &hosts);
	}
}

const char *o2_app_ref_kind(const struct o2_app_ref *ref)
{
	return ref->kind ? ref->kind : ref->reference->kind;
}

size_t o2_app_ref_target(const struct o2_app *app, const struct o2_app_ref *ref)
{
	const char *group = ref->group ? ref->group : ref->reference->group;

	return ref->selector ? O2_APP_NO_ITEM
			     : o2_app_find(app, group, o2_app_ref_kind(ref), ref->ns, ref->name);
}

const struct o2_app_ref *o2_app_ref_missing(const struct o2_app *app, size_t *i)
{
	while (*i < app->ref_count) {
		const struct o2_app_ref *ref = &app->refs[(*i)++];
		if (!ref->selector && app->items[ref->from].state == O2_APP_CANDIDATE &&
		    o2_app_ref_target(app, ref) == O2_APP_NO_ITEM)
			return ref;
	}
	return NULL;
}
