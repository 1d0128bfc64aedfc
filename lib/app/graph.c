#include "app/app_internal.h"

#include <stdlib.h>
#include <string.h>

/* A server that claims more pods than this is not believed. */
#define ORDINALS_MAX 100000

/* ---- references to links ---------------------------------------------------------------------------------------------- */

static void link_new(struct o2_app *app, const struct o2_app_ref *ref, size_t to)
{
	if (ref->from == to)
		return;
	O2_GROW(app->links, app->link_count, app->link_cap);
	app->links[app->link_count++] =
		(struct o2_app_link){ .from = ref->from, .to = to, .reference = ref->reference };
}

static bool selects(const struct o2_app *app, const struct o2_app_ref *ref, size_t i)
{
	const struct o2_app_item *item = &app->items[i];

	if (item->state != O2_APP_CANDIDATE || !item->pod_labels || !item->view.ns ||
	    strcmp(item->view.ns, ref->ns) != 0)
		return false;
	return ref->reference->shape == O2_APP_SHAPE_LABELS
		       ? o2_app_selector_map_matches(ref->selector, item->pod_labels)
		       : o2_app_selector_matches(ref->selector, item->pod_labels);
}

/* Through the index of labels where the selector demands at least one, else over everything. */
static size_t link_selected(struct o2_app *app, const struct o2_app_ref *ref)
{
	const struct o2_doc *map = ref->reference->shape == O2_APP_SHAPE_LABELS
					   ? ref->selector
					   : o2_doc_member(ref->selector, "matchLabels");
	struct o2_doc_iter first = o2_doc_iter(map);
	size_t before = app->link_count;

	if (o2_doc_next(&first)) {
		const char *parts[] = { ref->ns, first.name, o2_doc_text(first.value) };
		uint32_t hash = o2_app_hash(parts, O2_COUNT(parts)), cursor = 0;
		size_t i;
		while ((i = o2_app_index_next(&app->by_label, hash, &cursor)) != O2_APP_NO_ITEM) {
			if (selects(app, ref, i))
				link_new(app, ref, i);
		}
	} else {
		for (size_t i = 0; i < app->item_count; i++) {
			if (selects(app, ref, i))
				link_new(app, ref, i);
		}
	}
	return app->link_count - before;
}

/* Claims are numbered without a gap, but those of pods that were scaled away are there too. */
static void link_ordinals(struct o2_app *app, const struct o2_app_ref *ref)
{
	int replicas = app->items[ref->from].view.replicas;

	for (int i = 0, missing = 0; (missing == 0 || i < replicas) && i < ORDINALS_MAX; i++) {
		O2_AUTO(o2_freep) char *name = o2_xasprintf("%s%d", ref->name, i);
		size_t to = o2_app_find(app, ref->reference->group, ref->reference->kind, ref->ns,
					name);
		missing = to == O2_APP_NO_ITEM;
		if (!missing && app->items[to].state == O2_APP_CANDIDATE)
			link_new(app, ref, to);
	}
}

static void note_missing(struct o2_app *app, const struct o2_app_ref *ref)
{
	const char *kind = o2_app_ref_kind(ref);
	O2_AUTO(o2_freep) char *label = o2_xasprintf("%s %s", kind, ref->name);

	if (strcmp(kind, "ServiceAccount") == 0 && strcmp(ref->name, "default") == 0)
		return; /* every namespace has it, whether it may be seen or not */
	if (ref->optional || (ref->reference->flags & O2_APP_QUIET) ||
	    o2_strs_has(&app->unreadable, label))
		return;
	if (ref->ns && !o2_strs_has(&app->namespaces, ref->ns))
		o2_app_note_item(
			app, ref->from, "",
			"refers to %s \"%s\" of namespace %s, which is not part of the migration",
			kind, ref->name, ref->ns);
	else if (o2_app_excludes(app, ref->group ? ref->group : ref->reference->group, kind))
		o2_app_note_item(app, ref->from, "",
				 "refers to %s \"%s\", a kind that is left out as you asked", kind,
				 ref->name);
	else
		o2_app_note_item(app, ref->from, "", "refers to %s \"%s\" that is not there", kind,
				 ref->name);
}

/* B has its own of what every cluster or namespace has; a Secret has content that B's can't have. */
static void note_left(struct o2_app *app, const struct o2_app_ref *ref, size_t to)
{
	const struct o2_app_item *item = &app->items[to];
	const char *kind = item->view.kind->kind;

	if (ref->optional || strcmp(kind, "ServiceAccount") == 0 ||
	    (item->quiet && strcmp(kind, "Secret") != 0))
		return;
	o2_app_note_item(app, ref->from, "", "refers to %s \"%s\", which is not carried", kind,
			 item->view.name);
}

void o2_app_graph_link(struct o2_app *app)
{
	for (size_t r = 0; r < app->ref_count; r++) {
		const struct o2_app_ref *ref = &app->refs[r];
		if (app->items[ref->from].state != O2_APP_CANDIDATE)
			continue;
		if (ref->selector) {
			if (link_selected(app, ref) == 0 && !(ref->reference->flags & O2_APP_QUIET))
				o2_app_note_item(app, ref->from, "",
						 "selects no workload of the application");
			continue;
		}
		if (ref->reference->shape == O2_APP_SHAPE_ORDINALS) {
			link_ordinals(app, ref);
			continue;
		}
		size_t to = o2_app_ref_target(app, ref);
		if (to == O2_APP_NO_ITEM)
			note_missing(app, ref);
		else if (app->items[to].state == O2_APP_LEFT)
			note_left(app, ref, to);
		else
			link_new(app, ref, to);
	}
}

/* ---- links to edges --------------------------------------------------------------------------------------------------- */

static int compare_edges(const void *a, const void *b)
{
	const struct o2_app_edge *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return strcmp(x->why, y->why);
}

void o2_app_graph_edges(struct o2_app *app)
{
	size_t count = 0;

	free(app->edges);
	app->edges = o2_xcalloc(app->link_count + 1, sizeof(*app->edges));
	for (size_t i = 0; i < app->link_count; i++)
		app->edges[i] = (struct o2_app_edge){ .from = app->links[i].from,
						      .to = app->links[i].to,
						      .why = app->links[i].reference->why };
	if (app->link_count > 1)
		qsort(app->edges, app->link_count, sizeof(*app->edges), compare_edges);
	for (size_t i = 0; i < app->link_count; i++) {
		if (count == 0 || compare_edges(&app->edges[count - 1], &app->edges[i]) != 0)
			app->edges[count++] = app->edges[i];
	}
	app->edge_count = count;
}

size_t o2_app_edge_count(const struct o2_app *app)
{
	return app->edge_count;
}

const struct o2_app_edge *o2_app_edge(const struct o2_app *app, size_t index)
{
	return index < app->edge_count ? &app->edges[index] : NULL;
}

/* ---- levels ----------------------------------------------------------------------------------------------------------- */

enum colour { WHITE, GREY, BLACK };

struct walk {
	struct o2_app *app;
	size_t *first; /* of item i's edges; item_count + 1 entries */
	size_t *next;  /* the edge of item i that is looked at next */
	int *need;     /* level that item i needs of itself */
	unsigned char *colour;
	size_t *stack;
	size_t depth;
};

static void index_edges(struct walk *w)
{
	const struct o2_app *app = w->app;
	size_t at = 0;

	for (size_t i = 0; i <= app->item_count; i++) {
		while (at < app->edge_count && app->edges[at].from < i)
			at++;
		w->first[i] = at;
	}
	memcpy(w->next, w->first, app->item_count * sizeof(*w->next));
}

static bool is_started(const struct o2_app_item *item)
{
	return item->rule->pod;
}

/* The nearest workload on the way to what is looked at, at or below `depth`. */
static size_t workload_at(const struct walk *w, size_t depth)
{
	for (; depth > 0; depth--) {
		if (is_started(&w->app->items[w->stack[depth - 1]]))
			return w->stack[depth - 1];
	}
	return O2_APP_NO_ITEM;
}

/* The way leads back to `to`: the reference is not followed. Worth a word only if two workloads are on the circle. */
static void cut(const struct walk *w, size_t to)
{
	size_t at = w->depth, last = workload_at(w, w->depth), first = O2_APP_NO_ITEM;

	while (at > 0 && w->stack[at - 1] != to)
		at--;
	for (size_t i = at; i > 0 && i <= w->depth && first == O2_APP_NO_ITEM; i++) {
		if (is_started(&w->app->items[w->stack[i - 1]]))
			first = w->stack[i - 1];
	}
	if (last == O2_APP_NO_ITEM || first == O2_APP_NO_ITEM || first == last)
		return;
	o2_app_note_item(w->app, last, "", "needs %s and is needed by it; it starts first",
			 o2_app_label(w->app, first));
}

static void enter(struct walk *w, size_t i)
{
	w->colour[i] = GREY;
	w->stack[w->depth++] = i;
}

/* One step of a depth-first walk without recursion: look at the top's next edge, or leave it. */
static void step(struct walk *w)
{
	size_t top = w->stack[w->depth - 1];

	if (w->next[top] < w->first[top + 1]) {
		size_t to = w->app->edges[w->next[top]].to;
		if (w->colour[to] == WHITE) {
			enter(w, to); /* the edge is looked at again when `to` is done */
			return;
		}
		w->next[top]++;
		if (w->colour[to] == GREY) {
			cut(w, to);
			return;
		}
		int level = w->need[to] + (is_started(&w->app->items[to]) ? 1 : 0);
		if (level > w->need[top])
			w->need[top] = level;
		return;
	}
	w->colour[top] = BLACK;
	w->depth--;
}

void o2_app_graph_level(struct o2_app *app)
{
	size_t n = app->item_count;
	struct walk w = { .app = app };

	w.first = o2_xcalloc(n + 1, sizeof(*w.first));
	w.next = o2_xcalloc(n + 1, sizeof(*w.next));
	w.need = o2_xcalloc(n + 1, sizeof(*w.need));
	w.colour = o2_xcalloc(n + 1, 1);
	w.stack = o2_xcalloc(n + 1, sizeof(*w.stack));
	index_edges(&w);
	for (size_t i = 0; i < n; i++) {
		if (w.colour[i] == WHITE)
			enter(&w, i);
		while (w.depth > 0)
			step(&w);
		app->items[i].view.level = is_started(&app->items[i]) ? w.need[i] : 0;
	}
	free(w.first);
	free(w.next);
	free(w.need);
	free(w.colour);
	free(w.stack);
}
