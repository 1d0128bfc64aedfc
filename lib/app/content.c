/*
 * Rewriting inside an object: names of namespaces wherever the table says that one stands, host names and service account
 * names in texts, storage classes.
 */
#include "app/app_internal.h"

#include <string.h>

struct edit {
	const struct o2_app *app;
	size_t item;
	struct o2_app *changes;
};

static void record(const struct edit *e, const char *pointer, const char *from, const char *to)
{
	if (!e->changes)
		return;
	O2_AUTO(o2_freep) char *reason = o2_xasprintf("namespace %s becomes %s", from, to);
	o2_app_change_add(e->changes, e->item, pointer, reason);
}

/* ---- names of namespaces ---------------------------------------------------------------------------------------------- */

static struct o2_doc *edit_namespace(void *arg, const char *pointer, struct o2_doc *parent,
				     struct o2_doc *value)
{
	const struct edit *e = arg;
	const char *ns = o2_doc_text(value);
	const char *to = ns ? o2_app_target_ns(e->app, ns) : NULL;

	(void)parent;
	if (!to || strcmp(to, ns) == 0)
		return NULL;
	record(e, pointer, ns, to);
	return o2_doc_str_new(to);
}

/* Only the label that every namespace has by itself names one; others are for people to put on B's. */
static struct o2_doc *edit_selector(void *arg, const char *pointer, struct o2_doc *parent,
				    struct o2_doc *value)
{
	static const char label[] = "kubernetes.io/metadata.name";
	const struct edit *e = arg;

	(void)parent;
	o2_app_walk(value, pointer, "/matchLabels/kubernetes.io~1metadata.name", edit_namespace,
		    arg);
	const struct o2_doc *expressions = o2_doc_member(value, "matchExpressions");
	for (size_t i = 0; i < o2_doc_count(expressions); i++) {
		struct o2_doc *expression = o2_doc_item(expressions, i);
		if (strcmp(o2_doc_member_str(expression, "key", ""), label) != 0)
			continue;
		O2_AUTO(o2_freep) char *base = o2_xasprintf("%s/matchExpressions/%zu", pointer, i);
		o2_app_walk(expression, base, "/values/*", edit_namespace, arg);
	}
	for (struct o2_doc_iter it = o2_doc_iter(o2_doc_member(value, "matchLabels"));
	     o2_doc_next(&it);) {
		if (strcmp(it.name, label) != 0 && e->changes)
			o2_app_note_item(e->changes, e->item, "label the namespaces on B",
					 "selects namespaces by the label %s", it.name);
	}
	return NULL;
}

static void edit_lists(struct edit *e, const struct o2_app_rule *rule, struct o2_doc *root,
		       const char *base)
{
	for (const char *const *pattern = rule->namespaces; pattern && *pattern; pattern++)
		o2_app_walk(root, base, *pattern, edit_namespace, e);
	for (const char *const *pattern = rule->namespace_selectors; pattern && *pattern; pattern++)
		o2_app_walk(root, base, *pattern, edit_selector, e);
}

/* ---- texts ------------------------------------------------------------------------------------------------------------ */

/* A text while parts of it are replaced from left to right. */
struct text_edit {
	struct edit *edit;
	const char *text;
	struct o2_buf out;
	size_t done;           /* of `text` */
	const char *from, *to; /* of the last replacement */
	bool account;
};

static void replace(struct text_edit *t, size_t at, size_t len)
{
	const struct o2_app *app = t->edit->app;
	O2_AUTO(o2_freep) char *ns = o2_xstrndup(t->text + at, len);
	const char *to = o2_app_target_ns(app, ns);

	if (!to || strcmp(to, ns) == 0 || at < t->done)
		return;
	o2_buf_add(&t->out, t->text + t->done, at - t->done);
	o2_buf_adds(&t->out, to);
	t->done = at + len;
	t->to = to;
	for (size_t i = 0; i < app->namespaces.count; i++) {
		if (strcmp(app->namespaces.items[i], ns) == 0)
			t->from = app->namespaces.items[i];
	}
}

static void replace_host(void *arg, size_t service, size_t at, size_t len)
{
	(void)service;
	if (len > 0)
		replace(arg, at, len);
}

/* "system:serviceaccount:NS:NAME" and "system:serviceaccounts:NS" */
static void replace_accounts(struct text_edit *t)
{
	static const char user[] = "system:serviceaccount:", group[] = "system:serviceaccounts:";
	const char *at = t->text;

	while ((at = strstr(at, "system:serviceaccount")) != NULL) {
		bool is_user = strncmp(at, user, strlen(user)) == 0;
		bool is_group = strncmp(at, group, strlen(group)) == 0;
		at += is_user    ? strlen(user)
		      : is_group ? strlen(group)
				 : strlen("system:serviceaccount");
		size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-");
		if ((is_user && at[len] == ':') || (is_group && at[len] != ':'))
			replace(t, (size_t)(at - t->text), len);
	}
}

/* The text after one kind of replacement, or NULL if nothing was to be done. */
static char *replaced(struct text_edit *t)
{
	if (t->done == 0)
		return NULL;
	o2_buf_adds(&t->out, t->text + t->done);
	return o2_buf_steal(&t->out);
}

static struct o2_doc *edit_text(void *arg, const char *pointer, const char *text, bool whole)
{
	struct edit *e = arg;
	const struct o2_app_item *item = &e->app->items[e->item];
	size_t max = strlen(text) * 64 + 64; /* a namespace has 63 characters at most */
	struct text_edit hosts = { .edit = e, .text = text }, accounts = { .edit = e };

	o2_buf_init(&hosts.out, max);
	o2_app_hosts_find(e->app, item->view.ns, text, whole, replace_host, &hosts);
	O2_AUTO(o2_freep) char *with_hosts = replaced(&hosts);
	o2_buf_release(&hosts.out);
	accounts.text = with_hosts ? with_hosts : text;
	o2_buf_init(&accounts.out, max * 64);
	replace_accounts(&accounts);
	O2_AUTO(o2_freep) char *with_accounts = replaced(&accounts);
	o2_buf_release(&accounts.out);
	if (!with_hosts && !with_accounts) {
		bool seen = whole && !(item->rule->flags & O2_APP_ENCODED);
		const char *to = seen ? o2_app_target_ns(e->app, text) : NULL;
		if (to && strcmp(to, text) != 0)
			o2_app_note_item(
				e->changes, e->item,
				"change it by a rule of your own if it means the namespace",
				"%s is \"%s\", as the namespace is called; it stays", pointer,
				text);
		return NULL;
	}
	const struct text_edit *last = with_accounts ? &accounts : &hosts;
	record(e, pointer, last->from, last->to);
	if (item->rule->flags & O2_APP_ENCODED)
		o2_app_note_item(e->changes, e->item, "",
				 "%s names a host in the old namespace; it is rewritten", pointer);
	return o2_doc_str_new(with_accounts ? with_accounts : with_hosts);
}

/* ---- storage classes -------------------------------------------------------------------------------------------------- */

static struct o2_doc *edit_class(void *arg, const char *pointer, struct o2_doc *parent,
				 struct o2_doc *value)
{
	const struct edit *e = arg;
	const char *class = o2_doc_member_str(value, "storageClassName", NULL);
	const struct o2_strs *map = &e->app->class_map;

	(void)parent;
	if (o2_doc_type(value) != O2_DOC_OBJECT || (class && *class == '\0'))
		return NULL; /* a claim on a volume that was made by hand: no class on purpose */
	for (size_t i = 0; i + 1 < map->count; i += 2) {
		const char *from = map->items[i], *to = map->items[i + 1];
		if (strcmp(from, class ? class : "") != 0 || strcmp(from, to) == 0)
			continue;
		if (*to)
			o2_doc_set_str(value, "storageClassName", to);
		else
			o2_doc_unset(value, "storageClassName");
		if (e->changes) {
			O2_AUTO(o2_freep) char *path = o2_xasprintf("%s/storageClassName", pointer);
			O2_AUTO(o2_freep)
			char *reason =
				o2_xasprintf("storage class %s becomes %s",
					     *from ? from : "(default)", *to ? to : "(default)");
			o2_app_change_add(e->changes, e->item, path, reason);
		}
		return NULL;
	}
	return NULL;
}

static void edit_classes(struct edit *e, const struct o2_app_rule *rule, struct o2_doc *root,
			 const char *base)
{
	for (const char *const *pattern = rule->classes; pattern && *pattern; pattern++)
		o2_app_walk(root, base, *pattern, edit_class, e);
}

/* ---- what one cluster has once ---------------------------------------------------------------------------------------- */

static struct o2_doc *drop_node_port(void *arg, const char *pointer, struct o2_doc *parent,
				     struct o2_doc *value)
{
	const struct edit *e = arg;
	O2_AUTO(o2_freep) char *path = o2_xasprintf("%s/nodePort", pointer);

	(void)parent;
	if (o2_doc_unset(value, "nodePort"))
		o2_app_change_add(e->changes, e->item, path,
				  "the port is taken by the original in the same cluster");
	return NULL;
}

static void edit_beside(struct edit *e, struct o2_doc *doc)
{
	const struct o2_app_item *item = &e->app->items[e->item];

	if (!e->app->same_cluster || !o2_app_is_moved(e->app, item) ||
	    !(item->rule->flags & O2_APP_ALLOTS))
		return;
	o2_app_walk(doc, "", "/spec/ports/*", drop_node_port, e);
	if (o2_doc_remove(doc, "/spec/healthCheckNodePort"))
		o2_app_change_add(e->changes, e->item, "/spec/healthCheckNodePort",
				  "the port is taken by the original in the same cluster");
}

/* A custom resource may name its namespace anywhere; only its author knows where. */
static void note_unknown(struct edit *e)
{
	const struct o2_app_item *item = &e->app->items[e->item];

	if (!e->changes || item->view.has_row || !o2_app_is_moved(e->app, item))
		return;
	O2_AUTO(o2_freep) char *quoted = o2_xasprintf(".%s.svc", item->view.ns);
	O2_AUTO(o2_freep) char *whole = o2_xasprintf("\"namespace\":\"%s\"", item->view.ns);
	const char *first = strstr(item->text, whole); /* its own */
	if (strstr(item->text, quoted) || (first && strstr(first + 1, whole)))
		o2_app_note_item(e->changes, e->item, "change it by a rule of your own",
				 "names the namespace %s inside, and nothing is known of its kind: "
				 "that stays",
				 item->view.ns);
}

void o2_app_rewrite_doc(const struct o2_app *app, size_t item, struct o2_doc *doc,
			struct o2_app *changes)
{
	const struct o2_app_item *it = &app->items[item];
	struct edit e = { .app = app, .item = item, .changes = changes };
	struct o2_doc *template = it->rule->pod ? o2_doc_at(doc, it->rule->pod) : NULL;

	if (!app->rewritten)
		return;
	if (it->view.target_kind)
		o2_doc_set_str(doc, "apiVersion", it->view.target_kind->api_version);
	if (it->view.target_ns)
		o2_doc_put_str(doc, "/metadata/namespace", it->view.target_ns);
	o2_doc_put_str(doc, "/metadata/name", it->view.target_name);
	edit_lists(&e, it->rule, doc, "");
	edit_classes(&e, it->rule, doc, "");
	if (template) {
		edit_lists(&e, &o2_app_pod_rule, template, it->rule->pod);
		edit_classes(&e, &o2_app_pod_rule, template, it->rule->pod);
	}
	o2_app_texts_visit(it->rule, doc, edit_text, &e);
	edit_beside(&e, doc);
	note_unknown(&e);
}
