/*
 * What is carried: owners, the closure over references, order.
 */
#include "app/app_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- owners ----------------------------------------------------------------------------------------------------------- */

static void follow_owner(struct o2_app *app, size_t i)
{
	struct o2_app_item *item = &app->items[i];
	size_t at = o2_app_find_uid(app, item->owner);

	if (item->rule->flags & O2_APP_KEEPS_OWNED ? !item->owner_is_pod
						   : item->rule->flags & O2_APP_REQUESTED)
		return;
	if (at == O2_APP_NO_ITEM && !item->owner_is_pod) {
		o2_app_note_item(app, i, "",
				 "belongs to %s, which can't be carried; it is carried without it",
				 item->owner_label);
		return;
	}
	item->state = O2_APP_LEFT;
	/* Everybody knows that a CronJob makes Jobs; what an operator makes is less obvious. */
	item->quiet = at == O2_APP_NO_ITEM || app->items[at].view.has_row;
	if (item->matches && !item->quiet)
		o2_app_note_add(app, o2_app_label(app, i), O2_APP_NOTE_LEFT_OUT, "",
				"is made by %s", item->owner_label);
	else if (item->matches && at != O2_APP_NO_ITEM && app->items[at].state == O2_APP_LEFT &&
		 !app->items[at].owner)
		o2_app_note_add(app, o2_app_label(app, i), O2_APP_NOTE_LEFT_OUT, "",
				"belongs to %s, which is not carried", item->owner_label);
}

/* The slowest pod tells how long a workload takes to start. */
static void tell_owners(struct o2_app *app, size_t pod)
{
	size_t at = pod;

	for (int hops = 0; hops < 8 && app->items[at].owner; hops++) {
		at = o2_app_find_uid(app, app->items[at].owner);
		if (at == O2_APP_NO_ITEM || at == pod)
			return;
		if (app->items[at].view.start_ms < app->items[pod].view.start_ms)
			app->items[at].view.start_ms = app->items[pod].view.start_ms;
	}
}

static void resolve_owners(struct o2_app *app)
{
	bool owned = false;

	for (size_t i = 0; i < app->item_count && !owned; i++)
		owned = app->items[i].owner;
	for (size_t i = 0; i < app->item_count && owned; i++)
		o2_app_index_add(&app->by_uid, o2_app_hash(&app->items[i].view.uid, 1), i);
	for (size_t i = 0; i < app->item_count; i++) {
		const struct o2_app_item *item = &app->items[i];
		if (item->view.start_ms >= 0 && item->state != O2_APP_GONE && item->controlled)
			tell_owners(app, i);
		if (item->owner && item->state == O2_APP_CANDIDATE)
			follow_owner(app, i);
	}
	o2_app_index_clear(&app->by_uid);
}

/* ---- closure ---------------------------------------------------------------------------------------------------------- */

/* Links by one of their ends: a list for each item. */
struct adjacency {
	size_t *head, *next; /* link + 1; 0: none */
};

static struct adjacency adjacency_new(const struct o2_app *app, bool by_target)
{
	struct adjacency list = { o2_xcalloc(app->item_count + 1, sizeof(size_t)),
				  o2_xcalloc(app->link_count + 1, sizeof(size_t)) };

	for (size_t i = 0; i < app->link_count; i++) {
		size_t end = by_target ? app->links[i].to : app->links[i].from;
		list.next[i] = list.head[end];
		list.head[end] = i + 1;
	}
	return list;
}

static void adjacency_release(struct adjacency *list)
{
	free(list->head);
	free(list->next);
}

static void take_along(struct o2_app *app, size_t i, size_t *queue, size_t *count)
{
	struct o2_app_item *item = &app->items[i];

	if (item->selected || item->state != O2_APP_CANDIDATE)
		return;
	item->selected = true;
	item->view.by_reference = true;
	queue[(*count)++] = i;
}

static void select_seeds(struct o2_app *app, size_t *queue, size_t *count)
{
	for (size_t i = 0; i < app->item_count; i++) {
		struct o2_app_item *item = &app->items[i];
		bool requested = item->rule->flags & O2_APP_REQUESTED;
		/* A binding got in because it names the namespaces: perhaps an account that every namespace has. */
		bool binds = requested && (item->rule->flags & O2_APP_BOUND) && item->rule->leave &&
			     !app->selector;
		if (item->state != O2_APP_CANDIDATE || (requested ? !binds : !item->matches))
			continue;
		item->selected = true;
		item->view.by_reference = requested;
		queue[(*count)++] = i;
	}
}

static void close_over_references(struct o2_app *app)
{
	size_t *queue = o2_xcalloc(app->item_count + 1, sizeof(*queue)), count = 0;
	struct adjacency out = adjacency_new(app, false), in = adjacency_new(app, true);

	select_seeds(app, queue, &count);
	for (size_t at = 0; at < count; at++) {
		for (size_t i = out.head[queue[at]]; i != 0; i = out.next[i - 1]) {
			if (app->links[i - 1].reference->flags & O2_APP_PULLS)
				take_along(app, app->links[i - 1].to, queue, &count);
		}
		for (size_t i = in.head[queue[at]]; i != 0; i = in.next[i - 1]) {
			if (app->links[i - 1].reference->flags & O2_APP_FOLLOWS)
				take_along(app, app->links[i - 1].from, queue, &count);
		}
	}
	adjacency_release(&out);
	adjacency_release(&in);
	free(queue);
}

/* A link that the selection cuts: worth knowing at both ends. */
static void note_cuts(struct o2_app *app)
{
	bool *told = o2_xcalloc(app->item_count + 1, sizeof(*told));

	for (size_t i = 0; i < app->link_count; i++) {
		size_t from = app->links[i].from, to = app->links[i].to;
		if (app->items[from].selected == app->items[to].selected)
			continue;
		if (app->items[from].selected) {
			o2_app_note_item(app, from, "widen the selection if it is needed on B",
					 "refers to %s, which is not selected",
					 o2_app_label(app, to));
		} else if (!told[to] && !(app->items[from].rule->flags & O2_APP_REQUESTED)) {
			o2_app_note_item(app, to, "", "is used by %s too, which is not selected",
					 o2_app_label(app, from));
			told[to] = true;
		}
	}
	free(told);
}

/* ---- order ------------------------------------------------------------------------------------------------------------ */

static int compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_items(const void *a, const void *b)
{
	const struct o2_app_item *x = a, *y = b;

	if (x->view.created != y->view.created)
		return x->view.created < y->view.created ? -1 : 1;
	if (x->rule->rank != y->rule->rank)
		return x->rule->rank < y->rule->rank ? -1 : 1;
	int order = strcmp(x->view.kind->kind, y->view.kind->kind);
	if (order == 0)
		order = strcmp(x->view.kind->group, y->view.kind->group);
	if (order == 0)
		order = compare_texts(x->view.ns, y->view.ns);
	return order ? order : strcmp(x->view.name, y->view.name);
}

/* New number of each old item; O2_APP_NO_ITEM: dropped. During it `wave` holds the old number. */
static size_t *renumber(struct o2_app *app, bool sort)
{
	size_t *numbers = o2_xcalloc(app->item_count + 1, sizeof(*numbers)), kept = 0;

	for (size_t i = 0; i < app->item_count; i++) {
		struct o2_app_item *item = &app->items[i];
		numbers[i] = O2_APP_NO_ITEM;
		item->view.wave = (int)i;
		if (item->state == O2_APP_CANDIDATE && item->selected)
			app->items[kept++] = *item;
		else
			o2_app_item_release(item);
	}
	app->item_count = kept;
	if (sort && kept > 1)
		qsort(app->items, kept, sizeof(*app->items), compare_items);
	for (size_t i = 0; i < kept; i++)
		numbers[app->items[i].view.wave] = i;
	return numbers;
}

static void renumber_links(struct o2_app *app, const size_t *numbers)
{
	size_t kept = 0;

	for (size_t i = 0; i < app->link_count; i++) {
		struct o2_app_link link = app->links[i];
		link.from = numbers[link.from];
		link.to = numbers[link.to];
		if (link.from != O2_APP_NO_ITEM && link.to != O2_APP_NO_ITEM)
			app->links[kept++] = link;
	}
	app->link_count = kept;
}

static void renumber_notes(struct o2_app *app, const size_t *numbers)
{
	size_t kept = 0;

	for (size_t i = 0; i < app->note_count; i++) {
		struct o2_app_note_entry entry = app->notes[i];
		if (entry.item != O2_APP_NO_ITEM) {
			entry.item = numbers[entry.item];
			if (entry.item == O2_APP_NO_ITEM) {
				free(entry.note.subject);
				free(entry.note.text);
				free(entry.note.remedy);
				continue;
			}
		}
		app->notes[kept++] = entry;
	}
	app->note_count = kept;
}

static void rebuild_indexes(struct o2_app *app)
{
	o2_app_index_clear(&app->by_label);
	o2_app_index_clear(&app->by_name);
	for (size_t i = 0; i < app->item_count; i++) {
		const struct o2_app_object *view = &app->items[i].view;
		const char *parts[] = { view->kind->group, view->kind->kind, view->ns, view->name };
		o2_app_index_add(&app->by_name, o2_app_hash(parts, O2_COUNT(parts)), i);
	}
}

void o2_app_compact(struct o2_app *app, bool sort)
{
	O2_AUTO(o2_freep) size_t *numbers = renumber(app, sort);

	renumber_links(app, numbers);
	renumber_notes(app, numbers);
	rebuild_indexes(app);
	o2_app_graph_edges(app);
}

void o2_app_fill_waves(struct o2_app *app)
{
	int wave = 0;

	for (size_t i = 0; i < app->item_count; i++) {
		struct o2_app_item *item = &app->items[i];
		const struct o2_app_item *before = i > 0 ? &app->items[i - 1] : item;
		if (before->view.created != item->view.created)
			wave = 0;
		else if (before->rule->rank != item->rule->rank)
			wave++;
		item->view.wave = wave;
	}
}

/* ---- all of it -------------------------------------------------------------------------------------------------------- */

static void note_tracked(struct o2_app *app)
{
	size_t count = 0, first = 0;

	for (size_t i = app->item_count; i-- > 0;) {
		if (!app->items[i].tracked)
			continue;
		first = i;
		count++;
	}
	if (count > 0)
		o2_app_note_add(
			app, "GitOps", 0,
			"point the GitOps tool at B once it is done, and stop it from restoring A",
			"a GitOps tool tracks %zu objects, %s for one; its marks are left off on B",
			count, o2_app_label(app, first));
}

void o2_app_settle(struct o2_app *app)
{
	resolve_owners(app);
	o2_app_refs_collect_late(app);
	o2_app_graph_link(app);
	close_over_references(app);
	note_cuts(app);
	for (size_t i = 0; i < app->ref_count; i++)
		o2_app_ref_release(&app->refs[i]);
	app->ref_count = 0;
	o2_app_compact(app, true);
	for (size_t i = 0; i < app->item_count; i++) {
		o2_doc_free(app->items[i].pod_labels);
		app->items[i].pod_labels = NULL;
	}
	o2_app_fill_waves(app);
	o2_app_graph_level(app);
	note_tracked(app);
	app->settled = true;
}
