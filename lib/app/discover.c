/*
 * Reading A: which kinds there are, their objects, and the cluster's objects that these need.
 *
 * Services come first, since what else is read is searched for their names. Namespaces are read whole even where a label
 * selects: the closure and the notes need what is beside the selection.
 */
#include "app/app_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/log.h"

struct reading {
	struct o2_kube *kube;
	struct o2_app *app;
	struct o2_err *err;
	struct o2_kube_list *lists;
	size_t count, cap;
};

/* ---- namespaces ------------------------------------------------------------------------------------------------------- */

static int collect_name(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	(void)kind;
	if (item)
		o2_strs_add(arg, o2_doc_str(item, "/metadata/name", ""));
	return 0;
}

static void join(struct o2_buf *out, const struct o2_strs *names)
{
	for (size_t i = 0; i < names->count; i++)
		o2_buf_addf(out, "%s%s", i ? ", " : "", names->items[i]);
}

static int no_namespace(struct reading *r, const struct o2_kube_kind *kind, const char *ns)
{
	struct o2_strs names = { 0 };
	struct o2_kube_list list = { .kind = kind, .fn = collect_name, .arg = &names };
	struct o2_err ignored = { 0 };
	struct o2_buf there;
	int rc;

	o2_buf_init(&there, 16384);
	if (o2_kube_list(r->kube, &list, &ignored) == 0 && names.count > 0) {
		o2_strs_sort(&names);
		join(&there, &names);
		rc = o2_fail(r->err, O2_ENOTFOUND,
			     "there is no namespace '%s' on %s; there are: %s", ns,
			     o2_kube_name(r->kube), there.data);
	} else {
		rc = o2_fail(r->err, O2_ENOTFOUND, "there is no namespace '%s' on %s", ns,
			     o2_kube_name(r->kube));
	}
	o2_kube_list_release(&list);
	o2_strs_release(&names);
	o2_buf_release(&there);
	return rc;
}

static int take_namespace(struct reading *r, struct o2_kube_read *read)
{
	if (read->err.code == -O2_ENOTFOUND)
		return no_namespace(r, read->kind, read->name);
	if (read->err.code == -O2_EAUTH && read->err.number == 403)
		return 0; /* who may not read the namespace may still read what is in it */
	if (read->err.code < 0) {
		*r->err = read->err;
		return r->err->code;
	}
	const char *phase = o2_doc_str(read->object, "/status/phase", "Active");
	if (strcmp(phase, "Active") != 0) {
		O2_AUTO(o2_freep) char *subject = o2_xasprintf("Namespace %s", read->name);
		o2_app_note_add(r->app, subject, O2_APP_NOTE_BLOCKS, "wait until it is gone",
				"is %s", phase);
	}
	o2_app_add_namespace(r->app, read->name, O2_STEAL(read->object));
	return 0;
}

static int read_namespaces(struct reading *r)
{
	const struct o2_strs *names = &r->app->namespaces;
	const struct o2_kube_kind *kind = o2_kube_kind_find(r->kube, "", "Namespace");
	int rc = 0;

	if (!kind)
		return o2_fail(r->err, O2_EUNSUPPORTED, "%s has no namespaces",
			       o2_kube_name(r->kube));
	struct o2_kube_read *reads = o2_xcalloc(names->count + 1, sizeof(*reads));
	for (size_t i = 0; i < names->count; i++)
		reads[i] = (struct o2_kube_read){ .kind = kind, .name = names->items[i] };
	o2_kube_get_many(r->kube, reads, names->count);
	for (size_t i = 0; i < names->count; i++) {
		if (rc == 0)
			rc = take_namespace(r, &reads[i]);
		o2_doc_free(reads[i].object);
	}
	free(reads);
	return rc;
}

/* ---- lists ------------------------------------------------------------------------------------------------------------ */

struct target_list {
	struct o2_app *app;
	const struct o2_kube_kind *kind;
	const char *ns;
};

static int take_item(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	const struct target_list *list = arg;

	if (item)
		o2_app_add_object(list->app, list->kind, item);
	else
		o2_app_forget(list->app, kind, list->ns);
	return 0;
}

static void add_list(struct reading *r, const struct o2_kube_kind *kind, const char *ns)
{
	struct target_list *list = o2_xcalloc(1, sizeof(*list));

	*list = (struct target_list){ .app = r->app, .kind = kind, .ns = ns };
	O2_GROW(r->lists, r->count, r->cap);
	r->lists[r->count++] =
		(struct o2_kube_list){ .kind = kind, .ns = ns, .fn = take_item, .arg = list };
}

static bool is_superseded(struct reading *r, const struct o2_kube_kind *kind)
{
	const char *group = o2_app_rule_current_group(kind->group, kind->kind);

	return group && o2_kube_kind_find(r->kube, group, kind->kind);
}

static bool is_wanted(struct reading *r, const struct o2_kube_kind *kind)
{
	const unsigned verbs = O2_KUBE_LIST | O2_KUBE_CREATE;
	const struct o2_app_rule *rule = o2_app_rule_find(kind->group, kind->kind);

	if ((kind->verbs & verbs) != verbs || (rule->flags & O2_APP_UNLISTED) ||
	    is_superseded(r, kind))
		return false;
	if (kind != o2_kube_kind_find(r->kube, kind->group, kind->kind))
		return false; /* another version of it is read */
	/* Of the cluster's objects only those that may lead into the namespaces; the others are asked for by name. */
	return kind->namespaced ||
	       ((rule->flags & O2_APP_REQUESTED) && (rule->flags & O2_APP_BOUND)) ||
	       strcmp(kind->kind, "APIService") == 0;
}

static void note_excluded(struct reading *r, const struct o2_kube_kind *kind)
{
	O2_AUTO(o2_freep)
	char *subject = o2_xasprintf("%s%s%s", kind->kind, *kind->group ? "." : "", kind->group);

	o2_app_note_add(r->app, subject, O2_APP_NOTE_LEFT_OUT, "", "is left out as you asked");
}

static void plan_lists(struct reading *r, bool services)
{
	for (size_t k = 0; k < o2_kube_kind_count(r->kube); k++) {
		const struct o2_kube_kind *kind = o2_kube_kind_at(r->kube, k);
		bool is_service = strcmp(kind->kind, "Service") == 0 && *kind->group == '\0';
		if (is_service != services || !is_wanted(r, kind))
			continue;
		if (o2_app_excludes(r->app, kind->group, kind->kind)) {
			note_excluded(r, kind);
			continue;
		}
		for (size_t i = 0; kind->namespaced && i < r->app->namespaces.count; i++)
			add_list(r, kind, r->app->namespaces.items[i]);
		if (!kind->namespaced)
			add_list(r, kind, NULL);
	}
}

/* 0 if the reading can go on. */
static int judge_list(struct reading *r, const struct o2_kube_list *list)
{
	const struct o2_kube_kind *kind = list->kind;
	const struct o2_err *failure = &list->err;
	unsigned flags = o2_app_rule_find(kind->group, kind->kind)->flags;
	bool custom = flags & O2_APP_CUSTOM;

	if (failure->code == 0 || failure->code == -O2_EUNSUPPORTED || failure->number == 405)
		return 0; /* it can't be listed after all */
	/* 404: the server named the kind a moment ago. Whether it went for good or the answer is a mistake, nothing is left out in silence. */
	bool refused = failure->code == -O2_ENOTFOUND ||
		       (failure->code == -O2_EAUTH && failure->number == 403);
	if (!refused && !(custom && failure->number == 503)) {
		*r->err = *failure;
		return r->err->code;
	}
	O2_AUTO(o2_freep)
	char *full = o2_xasprintf("%s%s%s", kind->kind, *kind->group ? "." : "", kind->group);
	O2_AUTO(o2_freep)
	char *subject = list->ns ? o2_xasprintf("%s in %s", full, list->ns) : o2_xstrdup(full);
	O2_AUTO(o2_freep)
	char *remedy =
		failure->code == -O2_ENOTFOUND
			? o2_xasprintf("try again, or leave them out: --exclude-kind %s", full)
			: o2_xasprintf(
				  "get the right to list %s, or leave them out: --exclude-kind %s",
				  kind->resource, full);
	if (list->ns)
		o2_app_note_add(r->app, subject, flags & O2_APP_RARE ? 0 : O2_APP_NOTE_BLOCKS,
				remedy, "can't be listed: %s", failure->message);
	else
		o2_app_note_add(r->app, subject, 0, remedy,
				"can't be listed, so it is unknown which of them concern the "
				"application: %s",
				failure->message);
	return 0;
}

static int read_lists(struct reading *r, bool services)
{
	plan_lists(r, services);
	int rc = o2_kube_list_many(r->kube, r->lists, r->count, r->err);
	for (size_t i = 0; i < r->count; i++) {
		if (rc == 0)
			rc = judge_list(r, &r->lists[i]);
		free(r->lists[i].arg);
		o2_kube_list_release(&r->lists[i]);
	}
	r->count = 0;
	return rc;
}

static void note_gaps(struct reading *r)
{
	const struct o2_strs *gaps = o2_kube_discovery_gaps(r->kube);

	for (size_t i = 0; i < gaps->count; i++) {
		const char *slash = strchr(gaps->items[i], '/');
		O2_AUTO(o2_freep)
		char *group = slash ? o2_xstrndup(gaps->items[i], (size_t)(slash - gaps->items[i]))
				    : o2_xstrdup("");
		O2_AUTO(o2_freep)
		char *remedy = o2_xasprintf(
			"mend what serves it, or leave it out: --exclude-kind '*.%s'", group);
		if (strstr(group, "metrics.k8s.io") || o2_app_excludes(r->app, group, "*"))
			continue;
		o2_app_note_add(r->app, gaps->items[i], O2_APP_NOTE_BLOCKS, remedy,
				"does not answer, so it is unknown whether the application has "
				"objects of it");
	}
}

/* ---- objects of the cluster that are referred to ---------------------------------------------------------------------- */

static void want(struct reading *r, struct o2_kube_read **reads, size_t *count, size_t *cap,
		 const struct o2_app_ref *ref)
{
	const struct o2_kube_kind *kind = o2_kube_kind_find(
		r->kube, ref->group ? ref->group : ref->reference->group, o2_app_ref_kind(ref));

	if (!kind || kind->namespaced || ref->ns)
		return;
	for (size_t i = 0; i < *count; i++) {
		if ((*reads)[i].kind == kind && strcmp((*reads)[i].name, ref->name) == 0)
			return;
	}
	O2_GROW(*reads, *count, *cap);
	(*reads)[(*count)++] = (struct o2_kube_read){ .kind = kind, .name = ref->name };
}

static int take_requested(struct reading *r, struct o2_kube_read *read)
{
	O2_AUTO(o2_freep) char *label = o2_xasprintf("%s %s", read->kind->kind, read->name);

	if (read->object) {
		o2_app_add_object(r->app, read->kind, read->object);
		return 0;
	}
	if (read->err.code == -O2_ENOTFOUND)
		return 0;
	if (read->err.code != -O2_EAUTH || read->err.number != 403) {
		*r->err = read->err;
		return r->err->code;
	}
	o2_strs_add_unique(&r->app->unreadable, label);
	o2_app_note_add(r->app, label, 0, "see to it that it is on B",
			"is referred to and can't be read: %s", read->err.message);
	return 0;
}

/* Roles may be bound by bindings, which refer to nothing further; so one round is enough. */
static int read_requested(struct reading *r)
{
	struct o2_kube_read *reads = NULL;
	size_t count = 0, cap = 0, at = 0;
	const struct o2_app_ref *ref;
	int rc = 0;

	while ((ref = o2_app_ref_missing(r->app, &at)) != NULL)
		want(r, &reads, &count, &cap, ref);
	/* The names belong to references, and adding objects may move those: nothing is added before all is read. */
	struct o2_strs names = { 0 };
	for (size_t i = 0; i < count; i++)
		o2_strs_add(&names, reads[i].name);
	for (size_t i = 0; i < count; i++)
		reads[i].name = names.items[i];
	if (count > 0)
		o2_kube_get_many(r->kube, reads, count);
	for (size_t i = 0; i < count; i++) {
		if (rc == 0)
			rc = take_requested(r, &reads[i]);
		o2_doc_free(reads[i].object);
	}
	free(reads);
	o2_strs_release(&names);
	return rc;
}

/* ---- all of it -------------------------------------------------------------------------------------------------------- */

/* Some of what there would be, for who mistyped the label. */
static void list_candidates(const struct o2_app *app, struct o2_buf *out)
{
	size_t shown = 0;

	for (size_t i = 0; i < app->item_count && shown < 8; i++) {
		if (app->items[i].state != O2_APP_CANDIDATE || !app->items[i].rule->pod)
			continue;
		o2_buf_addf(out, "%s%s", shown ? ", " : "; there are: ", o2_app_label(app, i));
		shown++;
	}
}

/* Nothing is there, or nothing may be seen. */
static int nothing(struct reading *r, const char *namespaces)
{
	for (size_t i = 0; i < r->app->note_count; i++) {
		const struct o2_app_note *note = &r->app->notes[i].note;
		if (note->blocks)
			return o2_fail(r->err, O2_EAUTH, "nothing can be seen in %s on %s: %s %s",
				       namespaces, o2_kube_name(r->kube), note->subject,
				       note->text);
	}
	return o2_fail(r->err, O2_ENOTFOUND, "there is nothing to carry in %s on %s", namespaces,
		       o2_kube_name(r->kube));
}

static int settle(struct reading *r, const struct o2_app_selection *selection)
{
	struct o2_buf there, namespaces;
	int rc = 0;

	o2_buf_init(&there, 4096);
	o2_buf_init(&namespaces, 4096);
	list_candidates(r->app, &there);
	join(&namespaces, &r->app->namespaces);
	o2_app_settle(r->app);
	if (r->app->item_count == 0 && r->app->selector)
		rc = o2_fail(r->err, O2_ENOTFOUND, "nothing in %s matches '%s'%s", namespaces.data,
			     selection->selector, there.data);
	else if (r->app->item_count == 0)
		rc = nothing(r, namespaces.data);
	o2_buf_release(&there);
	o2_buf_release(&namespaces);
	return rc;
}

struct o2_app *o2_app_discover(struct o2_kube *source, const struct o2_app_selection *selection,
			       struct o2_err *err)
{
	O2_AUTO(o2_app_freep) struct o2_app *app = o2_app_new(selection, err);
	struct reading r = { .kube = source, .app = app, .err = err };

	if (!app)
		return NULL;
	if (app->namespaces.count == 0) {
		(void)o2_fail(err, O2_EINVALID, "no namespace is selected");
		return NULL;
	}
	int rc = read_namespaces(&r);
	if (rc == 0)
		rc = read_lists(&r, true);
	if (rc == 0)
		rc = read_lists(&r, false);
	free(r.lists);
	note_gaps(&r);
	if (rc == 0)
		rc = read_requested(&r);
	if (rc == 0)
		rc = settle(&r, selection);
	if (rc < 0)
		return NULL;
	o2_log(O2_DEBUG, "%zu objects in %zu namespaces", app->item_count, app->namespaces.count);
	return O2_STEAL(app);
}
