#include "app/app_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Pods that took longer were waiting for something else, or became ready again much later. */
#define PLAUSIBLE_START_S 600

/* ---- the application -------------------------------------------------------------------------------------------------- */

struct o2_app *o2_app_new(const struct o2_app_selection *selection, struct o2_err *err)
{
	struct o2_app *app = o2_xcalloc(1, sizeof(*app));

	for (size_t i = 0; i < selection->namespaces.count; i++)
		o2_strs_add_unique(&app->namespaces, selection->namespaces.items[i]);
	for (size_t i = 0; i < selection->exclude_kinds.count; i++)
		o2_strs_add_unique(&app->exclude_kinds, selection->exclude_kinds.items[i]);
	app->namespace_docs = o2_xcalloc(app->namespaces.count + 1, sizeof(struct o2_doc *));
	if (selection->selector && *selection->selector) {
		app->selector = o2_app_selector_parse(selection->selector, err);
		if (!app->selector) {
			o2_app_free(app);
			return NULL;
		}
	}
	return app;
}

void o2_app_item_release(struct o2_app_item *item)
{
	free(item->memory);
	free(item->owner);
	free(item->owner_label);
	free(item->label);
	free(item->target_label);
	free(item->target_name);
	o2_doc_free(item->pod_labels);
}

void o2_app_ref_release(struct o2_app_ref *ref)
{
	free(ref->group);
	free(ref->kind);
	free(ref->ns);
	free(ref->name);
	o2_doc_free(ref->selector);
}

static void release_notes(struct o2_app *app)
{
	for (size_t i = 0; i < app->note_count; i++) {
		free(app->notes[i].note.subject);
		free(app->notes[i].note.text);
		free(app->notes[i].note.remedy);
	}
	for (size_t i = 0; i < app->change_count; i++) {
		free(app->changes[i].path);
		free(app->changes[i].reason);
	}
	free(app->notes);
	free(app->changes);
}

void o2_app_free(struct o2_app *app)
{
	if (!app)
		return;
	for (size_t i = 0; i < app->item_count; i++)
		o2_app_item_release(&app->items[i]);
	for (size_t i = 0; i < app->ref_count; i++)
		o2_app_ref_release(&app->refs[i]);
	for (size_t i = 0; i < app->namespaces.count; i++)
		o2_doc_free(app->namespace_docs[i]);
	release_notes(app);
	o2_app_index_clear(&app->by_name);
	o2_app_index_clear(&app->by_uid);
	o2_app_index_clear(&app->by_label);
	o2_strs_release(&app->namespaces);
	o2_strs_release(&app->target_namespaces);
	o2_strs_release(&app->exclude_kinds);
	o2_strs_release(&app->strings);
	o2_strs_release(&app->unreadable);
	o2_strs_release(&app->class_map);
	o2_doc_free(app->selector);
	free(app->namespace_docs);
	free(app->items);
	free(app->refs);
	free(app->links);
	free(app->edges);
	free(app);
}

const char *o2_app_intern(struct o2_app *app, const char *text)
{
	if (!text)
		return NULL;
	for (size_t i = 0; i < app->strings.count; i++) {
		if (strcmp(app->strings.items[i], text) == 0)
			return app->strings.items[i];
	}
	o2_strs_add(&app->strings, text);
	return app->strings.items[app->strings.count - 1];
}

bool o2_app_excludes(const struct o2_app *app, const char *group, const char *kind)
{
	O2_AUTO(o2_freep) char *full = o2_xasprintf("%s.%s", kind, group);
	O2_AUTO(o2_freep) char *all = o2_xasprintf("*.%s", group);

	return o2_strs_has(&app->exclude_kinds, kind) || o2_strs_has(&app->exclude_kinds, full) ||
	       o2_strs_has(&app->exclude_kinds, all);
}

void o2_app_add_namespace(struct o2_app *app, const char *ns, struct o2_doc *doc)
{
	for (size_t i = 0; i < app->namespaces.count; i++) {
		if (strcmp(app->namespaces.items[i], ns) != 0)
			continue;
		o2_doc_free(app->namespace_docs[i]);
		app->namespace_docs[i] = doc;
		return;
	}
	o2_doc_free(doc);
}

/* ---- finding ---------------------------------------------------------------------------------------------------------- */

static uint32_t name_hash(const char *group, const char *kind, const char *ns, const char *name)
{
	const char *parts[] = { group, kind, ns, name };

	return o2_app_hash(parts, O2_COUNT(parts));
}

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

size_t o2_app_find(const struct o2_app *app, const char *group, const char *kind, const char *ns,
		   const char *name)
{
	uint32_t hash = name_hash(group, kind, ns, name), cursor = 0;
	size_t i;

	while ((i = o2_app_index_next(&app->by_name, hash, &cursor)) != O2_APP_NO_ITEM) {
		const struct o2_app_item *item = &app->items[i];
		if (item->state != O2_APP_GONE && same(item->view.name, name) &&
		    same(item->view.ns, ns) && same(item->view.kind->kind, kind) &&
		    same(item->view.kind->group, group))
			return i;
	}
	return O2_APP_NO_ITEM;
}

size_t o2_app_find_uid(const struct o2_app *app, const char *uid)
{
	uint32_t hash = o2_app_hash(&uid, 1), cursor = 0;
	size_t i;

	while ((i = o2_app_index_next(&app->by_uid, hash, &cursor)) != O2_APP_NO_ITEM) {
		if (app->items[i].state != O2_APP_GONE && strcmp(app->items[i].view.uid, uid) == 0)
			return i;
	}
	return O2_APP_NO_ITEM;
}

/* ---- adding ----------------------------------------------------------------------------------------------------------- */

static void read_owner(struct o2_app_item *item, const struct o2_doc *doc)
{
	const struct o2_doc *owners = o2_doc_at(doc, "/metadata/ownerReferences");
	const struct o2_doc *owner = o2_doc_item(owners, 0);

	for (size_t i = 0; i < o2_doc_count(owners); i++) {
		if (!o2_doc_bool(o2_doc_item(owners, i), "/controller", false))
			continue;
		owner = o2_doc_item(owners, i);
		item->controlled = true;
	}
	if (!owner)
		return;
	const char *kind = o2_doc_str(owner, "/kind", "object");
	item->owner = o2_xstrdup(o2_doc_str(owner, "/uid", ""));
	item->owner_label = o2_xasprintf("%s %s", kind, o2_doc_str(owner, "/name", ""));
	item->owner_is_pod = strcmp(kind, "Pod") == 0;
}

static char *put_text(char *at, const char *text)
{
	size_t size = strlen(text) + 1;

	memcpy(at, text, size);
	return at + size;
}

/* Name, uid, version and later the document in one piece of memory: there may be a hundred thousand of these. */
static void set_names(struct o2_app_item *item, const char *name, const char *uid,
		      const char *version, const char *text)
{
	char *memory = o2_xmalloc(strlen(name) + strlen(uid) + strlen(version) + strlen(text) + 4);

	item->view.name = item->view.target_name = memory;
	item->view.uid = put_text(memory, name);
	item->view.version = put_text((char *)item->view.uid, uid);
	char *rest = put_text((char *)item->view.version, version);
	item->text = *text ? rest : NULL;
	(void)put_text(rest, text);
	free(item->memory);
	item->memory = memory;
}

/* Share the members of one object with another, but those of a list that ends with NULL. */
static void share_members(struct o2_doc *to, const struct o2_doc *from, const char *const *but)
{
	for (struct o2_doc_iter it = o2_doc_iter(from); o2_doc_next(&it);) {
		size_t i = 0;
		while (but[i] && strcmp(but[i], it.name) != 0)
			i++;
		if (!but[i])
			o2_doc_set(to, it.name, o2_doc_ref(it.value));
	}
}

/* Without what the item knows anyway. */
static void keep_text(struct o2_app_item *item, const struct o2_doc *doc)
{
	static const char *const known[] = { "apiVersion", "kind", "metadata", NULL };
	static const char *const known_metadata[] = { "name", "namespace", "uid", "resourceVersion",
						      NULL };
	O2_AUTO(o2_doc_freep) struct o2_doc *rest = o2_doc_object_new();
	struct o2_doc *metadata = o2_doc_object_new();

	o2_doc_set(rest, "metadata", metadata);
	share_members(metadata, o2_doc_member(doc, "metadata"), known_metadata);
	share_members(rest, doc, known);
	O2_AUTO(o2_freep) char *text = o2_doc_dump(rest);
	set_names(item, item->view.name, item->view.uid, item->view.version, text);
}

static int64_t time_at(const struct o2_doc *doc, const char *pointer)
{
	return o2_clock_parse(o2_doc_str(doc, pointer, ""));
}

/* When the last of its containers started; -1 unknown. */
static int64_t pod_started(const struct o2_doc *pod)
{
	const struct o2_doc *statuses = o2_doc_at(pod, "/status/containerStatuses");
	int64_t last = -1;

	for (size_t i = 0; i < o2_doc_count(statuses); i++) {
		int64_t started = time_at(o2_doc_item(statuses, i), "/state/running/startedAt");

		last = started > last ? started : last;
	}
	return last;
}

/* What its init containers took, seconds. */
static int64_t pod_init_s(const struct o2_doc *pod)
{
	const struct o2_doc *statuses = o2_doc_at(pod, "/status/initContainerStatuses");
	int64_t sum = 0;

	for (size_t i = 0; i < o2_doc_count(statuses); i++) {
		const struct o2_doc *status = o2_doc_item(statuses, i);
		int64_t begin = time_at(status, "/state/terminated/startedAt"),
			end = time_at(status, "/state/terminated/finishedAt");

		sum += begin >= 0 && end > begin ? end - begin : 0;
	}
	return sum;
}

/*
 * How long a pod's containers took to become ready; -1 unknown. Not from the pod's creation, if it tells: on A it may have waited for its
 * image or for a new volume, which B has by then.
 */
static int pod_start_ms(const struct o2_doc *pod)
{
	const struct o2_doc *conditions = o2_doc_at(pod, "/status/conditions");
	int64_t began = pod_started(pod);

	if (began < 0)
		began = time_at(pod, "/metadata/creationTimestamp");
	for (size_t i = 0; i < o2_doc_count(conditions) && began >= 0; i++) {
		const struct o2_doc *condition = o2_doc_item(conditions, i);
		if (strcmp(o2_doc_str(condition, "/type", ""), "Ready") != 0 ||
		    strcmp(o2_doc_str(condition, "/status", ""), "True") != 0)
			continue;
		int64_t ready = time_at(condition, "/lastTransitionTime");
		if (ready >= began && ready - began < PLAUSIBLE_START_S)
			return (int)(ready - began + pod_init_s(pod)) * 1000;
	}
	return -1;
}

static int count_replicas(const struct o2_app_rule *rule, const struct o2_doc *doc)
{
	if (!rule->replicas || o2_doc_bool(doc, "/spec/suspend", false))
		return 0;
	int64_t count = o2_doc_int(doc, rule->replicas, rule->default_replicas);
	return count < 0 || count > INT32_MAX ? 0 : (int)count;
}

static enum o2_app_started when_started(const struct o2_app_rule *rule, const struct o2_doc *doc)
{
	if (!rule->disarm)
		return rule->started;
	O2_AUTO(o2_doc_freep) struct o2_doc *inert = o2_doc_copy(doc);
	rule->disarm(inert);
	if (o2_doc_equal(inert, doc))
		return O2_APP_STARTED_NEVER;
	const char *wish =
		o2_doc_member_str(o2_doc_at(doc, "/metadata/annotations"), O2_ANNOTATION_START, "");
	return strcmp(wish, "after-decision") == 0 ? O2_APP_STARTED_OPEN : rule->started;
}

static void index_pod_labels(struct o2_app *app, size_t i, struct o2_doc *doc)
{
	struct o2_app_item *item = &app->items[i];
	struct o2_doc *labels = o2_doc_at(o2_doc_at(doc, item->rule->pod), "/metadata/labels");

	item->pod_labels = labels ? o2_doc_copy(labels) : o2_doc_object_new();
	for (struct o2_doc_iter it = o2_doc_iter(item->pod_labels); o2_doc_next(&it);) {
		const char *parts[] = { item->view.ns, it.name, o2_doc_text(it.value) };
		o2_app_index_add(&app->by_label, o2_app_hash(parts, O2_COUNT(parts)), i);
	}
}

/* What is asked of an object again and again is taken out of its document while that is at hand. */
static void describe(struct o2_app *app, size_t i, struct o2_doc *doc)
{
	struct o2_app_item *item = &app->items[i];
	struct o2_app_cleaning cleaning = { .app = app, .item = i, .known = app };

	item->view.replicas = count_replicas(item->rule, doc);
	item->selects = o2_doc_count(o2_doc_at(doc, "/spec/selector")) > 0;
	/* Service ports need the managed fields to be told apart, nothing else does, and they are half of an object. */
	if (!(item->rule->flags & O2_APP_ALLOTS))
		o2_doc_remove(doc, "/metadata/managedFields");
	keep_text(item, doc);
	o2_app_strip(&cleaning, item->rule, doc);
	item->view.started = when_started(item->rule, doc);
	if (item->rule->pod)
		index_pod_labels(app, i, doc);
	o2_app_refs_collect(app, i, doc);
}

static void leave_out(struct o2_app *app, size_t i, const struct o2_app_verdict *verdict)
{
	struct o2_app_item *item = &app->items[i];

	item->state = O2_APP_LEFT;
	item->quiet = !verdict->reason;
	if (verdict->reason && item->matches)
		o2_app_note_add(app, o2_app_label(app, i), O2_APP_NOTE_LEFT_OUT, verdict->remedy,
				"%s", verdict->reason);
}

static size_t item_new(struct o2_app *app, const struct o2_kube_kind *kind,
		       const struct o2_app_rule *rule, struct o2_doc *doc)
{
	O2_GROW(app->items, app->item_count, app->item_cap);
	struct o2_app_item *item = &app->items[app->item_count];
	*item = (struct o2_app_item){ .rule = rule };
	set_names(item, o2_doc_str(doc, "/metadata/name", ""), o2_doc_str(doc, "/metadata/uid", ""),
		  o2_doc_str(doc, "/metadata/resourceVersion", ""), "");
	item->view.kind = item->view.target_kind = kind;
	item->view.ns = item->view.target_ns =
		o2_app_intern(app, o2_doc_str(doc, "/metadata/namespace", NULL));
	item->view.created = rule->created;
	item->view.has_row = o2_app_rule_is_row(rule);
	item->view.start_ms = -1;
	item->matches = !app->selector ||
			o2_app_selector_matches(app->selector, o2_doc_at(doc, "/metadata/labels"));
	read_owner(item, doc);
	o2_app_index_add(&app->by_name,
			 name_hash(kind->group, kind->kind, item->view.ns, item->view.name),
			 app->item_count);
	return app->item_count++;
}

void o2_app_add_object(struct o2_app *app, const struct o2_kube_kind *kind, struct o2_doc *doc)
{
	const struct o2_app_rule *rule = o2_app_rule_find(kind->group, kind->kind);
	const char *ns = o2_doc_str(doc, "/metadata/namespace", NULL);

	assert(!app->settled);
	if ((rule->flags & O2_APP_UNLISTED) || o2_app_excludes(app, kind->group, kind->kind))
		return;
	if (*o2_doc_str(doc, "/metadata/name", "") == '\0')
		return;
	if (kind->namespaced ? !ns || !o2_strs_has(&app->namespaces, ns)
			     : !(rule->flags & O2_APP_REQUESTED))
		return;
	const char *held_by =
		o2_app_intern(app, o2_doc_str(doc, "/metadata/labels/os2os.io~1held", NULL));
	o2_app_read_unfrozen(doc);
	o2_doc_set_str(doc, "apiVersion", kind->api_version);
	o2_doc_set_str(doc, "kind", kind->kind);
	size_t i = item_new(app, kind, rule, doc);
	struct o2_app_item *item = &app->items[i];
	item->view.held_by = held_by;
	if (strcmp(kind->kind, "Pod") == 0)
		item->view.start_ms = pod_start_ms(doc);
	if ((rule->flags & O2_APP_MADE) && item->controlled) {
		item->state = O2_APP_LEFT;
		item->quiet = true;
		return;
	}
	struct o2_app_verdict verdict = o2_app_keep(app, rule, doc);
	if (verdict.leave)
		leave_out(app, i, &verdict);
	else
		describe(app, i, doc);
}

void o2_app_forget(struct o2_app *app, const struct o2_kube_kind *kind, const char *ns)
{
	for (size_t i = 0; i < app->item_count; i++) {
		if (app->items[i].view.kind == kind && (!ns || same(app->items[i].view.ns, ns)))
			app->items[i].state = O2_APP_GONE;
	}
}

static void set_known(struct o2_doc *object, const char *name, const char *text)
{
	if (text && *text)
		o2_doc_set_str(object, name, text);
}

struct o2_doc *o2_app_item_parse(const struct o2_app_item *item)
{
	static const char *const placed[] = { "metadata", NULL }, *const none[] = { NULL };
	struct o2_err err = { 0 };
	O2_AUTO(o2_doc_freep)
	struct o2_doc *rest = o2_doc_parse(item->text, strlen(item->text), &err);
	struct o2_doc *doc = o2_doc_object_new(), *metadata = o2_doc_object_new();

	assert(rest); /* it was written by o2_doc_dump() */
	set_known(doc, "apiVersion", item->view.kind->api_version);
	set_known(doc, "kind", item->view.kind->kind);
	o2_doc_set(doc, "metadata", metadata);
	set_known(metadata, "name", item->view.name);
	set_known(metadata, "namespace", item->view.ns);
	set_known(metadata, "uid", item->view.uid);
	set_known(metadata, "resourceVersion", item->view.version);
	share_members(metadata, o2_doc_member(rest, "metadata"), none);
	share_members(doc, rest, placed);
	return doc;
}

/* ---- what others ask -------------------------------------------------------------------------------------------------- */

size_t o2_app_count(const struct o2_app *app)
{
	return app->item_count;
}

const struct o2_app_object *o2_app_object(const struct o2_app *app, size_t index)
{
	return index < app->item_count ? &app->items[index].view : NULL;
}

static char *label_new(const struct o2_kube_kind *kind, const char *ns, const char *name)
{
	return ns ? o2_xasprintf("%s %s/%s", kind->kind, ns, name)
		  : o2_xasprintf("%s %s", kind->kind, name);
}

const char *o2_app_label(const struct o2_app *app, size_t index)
{
	struct o2_app_item *item = &app->items[index];

	if (!item->label)
		item->label = label_new(item->view.kind, item->view.ns, item->view.name);
	return item->label;
}

const char *o2_app_target_label(const struct o2_app *app, size_t index)
{
	struct o2_app_item *item = &app->items[index];

	if (item->view.target_name == item->view.name && item->view.target_ns == item->view.ns)
		return o2_app_label(app, index);
	if (!item->target_label)
		item->target_label =
			label_new(item->view.kind, item->view.target_ns, item->view.target_name);
	return item->target_label;
}

struct o2_doc *o2_app_source(const struct o2_app *app, size_t index)
{
	return o2_app_item_parse(&app->items[index]);
}

const struct o2_strs *o2_app_source_namespaces(const struct o2_app *app)
{
	return &app->namespaces;
}
