/*
 * The garbage collector: dependents whose owners are gone, and owners whose deletion waits for their dependents.
 *
 * It knows every reference from a dependent to an owner's uid, whether or not there is such an owner. What it decides, it decides when it
 * looks, from the documents as they then are.
 */
#include "controllers_internal.h"

#define BUCKETS 512
#define LEAST_US (100 * SIM_MS)
#define MOST_US (900 * SIM_MS)
#define FOREGROUND "foregroundDeletion"
#define ORPHAN "orphan"

/* One ownerReference. */
struct edge {
	LIST_ENTRY(edge) link;
	struct sim_object *dependent; /* held */
	char owner[40];               /* uid */
};
LIST_HEAD(bucket, edge);
static struct bucket edges[BUCKETS];

static struct bucket *bucket_of(const char *uid)
{
	uint64_t hash = 5381;

	for (const char *p = uid; *p; p++)
		hash = hash * 33 + (unsigned char)*p;
	return &edges[hash % BUCKETS];
}

static void drop(struct edge *edge)
{
	LIST_REMOVE(edge, link);
	sim_let_go(edge->dependent);
	free(edge);
}

static struct edge *find_edge(const char *uid, const struct sim_object *dependent)
{
	struct edge *edge;

	for (edge = LIST_FIRST(bucket_of(uid)); edge; edge = LIST_NEXT(edge, link)) {
		if (edge->dependent == dependent && strcmp(edge->owner, uid) == 0)
			return edge;
	}
	return NULL;
}

/* Those that refer to the owner, or did. */
static void list_dependents(const struct sim_object *owner, struct sim_list *out)
{
	const char *uid = sim_uid(owner);
	struct edge *edge;

	for (edge = LIST_FIRST(bucket_of(uid)); edge; edge = LIST_NEXT(edge, link)) {
		if (strcmp(edge->owner, uid) == 0 && !edge->dependent->gone &&
		    edge->dependent->cluster == owner->cluster)
			sim_list_add(out, edge->dependent);
	}
}

static bool has_dependents(const struct sim_object *owner)
{
	struct sim_list list = { 0 };
	bool any;

	list_dependents(owner, &list);
	any = list.count > 0;
	sim_list_release(&list);
	return any;
}

/* --- what a reference is worth --- */

enum worth { SOLID, DANGLING, WAITING, UNKNOWN };

static const struct sim_kind *kind_of(const struct o2_doc *reference)
{
	const char *api_version = o2_doc_member_str(reference, "apiVersion", "");
	const char *slash = strchr(api_version, '/');
	char group[128];

	snprintf(group, sizeof(group), "%.*s", slash ? (int)(slash - api_version) : 0, api_version);
	return sim_kind(group, o2_doc_member_str(reference, "kind", ""));
}

/* The owner is looked for where the reference says: by kind and name in the dependent's namespace; what is there must be that very object. */
static enum worth worth_of(const struct sim_object *dependent, const struct o2_doc *reference)
{
	const struct sim_kind *kind = kind_of(reference);
	const struct sim_object *owner;

	/* A cluster-scoped object can't have a namespaced owner: nobody knows in which namespace to look. */
	if (!kind || (kind->namespaced && !dependent->kind->namespaced))
		return UNKNOWN;
	owner = sim_find(dependent->cluster, kind, dependent->ns,
			 o2_doc_member_str(reference, "name", ""));
	if (!owner || strcmp(sim_uid(owner), o2_doc_member_str(reference, "uid", "")) != 0)
		return DANGLING;
	return sim_is_deleting(owner) && sim_has_finalizer(owner, FOREGROUND) ? WAITING : SOLID;
}

/* --- dependents --- */

/* One owner is enough to live: the references to others go. */
static void keep_solid(struct sim_object *dependent)
{
	struct o2_doc *draft = sim_draft(dependent);
	struct o2_doc *list = o2_doc_at(draft, "/metadata/ownerReferences");

	for (size_t i = o2_doc_count(list); i > 0; i--) {
		enum worth worth = worth_of(dependent, o2_doc_item(list, i - 1));
		if (worth == DANGLING || worth == WAITING)
			o2_doc_remove_item(list, i - 1);
	}
	sim_write(dependent, draft);
}

static enum sim_propagation way_of(struct sim_object *dependent, bool waited_for)
{
	if (sim_has_finalizer(dependent, ORPHAN))
		return SIM_ORPHAN;
	if (sim_has_finalizer(dependent, FOREGROUND) || (waited_for && has_dependents(dependent)))
		return SIM_FOREGROUND;
	return SIM_BACKGROUND;
}

static void judge(void *arg)
{
	struct sim_object *dependent = arg;
	const struct o2_doc *list = o2_doc_at(dependent->doc, "/metadata/ownerReferences");
	size_t counts[UNKNOWN + 1] = { 0 };

	for (size_t i = 0; i < o2_doc_count(list); i++)
		counts[worth_of(dependent, o2_doc_item(list, i))]++;
	if (dependent->gone || sim_is_deleting(dependent) ||
	    counts[DANGLING] + counts[WAITING] == 0 || counts[UNKNOWN] > 0)
		;
	else if (counts[SOLID] > 0)
		keep_solid(dependent);
	else
		sim_delete(dependent, way_of(dependent, counts[WAITING] > 0));
	sim_let_go(dependent);
}

static void judge_later(struct sim_object *dependent)
{
	sim_after(LEAST_US + (int64_t)sim_random(MOST_US - LEAST_US), judge, sim_hold(dependent));
}

/* --- owners --- */

static bool blocks(const struct sim_object *dependent, const struct sim_object *owner)
{
	const struct o2_doc *list = o2_doc_at(dependent->doc, "/metadata/ownerReferences");

	for (size_t i = 0; i < o2_doc_count(list); i++) {
		const struct o2_doc *reference = o2_doc_item(list, i);
		if (strcmp(o2_doc_member_str(reference, "uid", ""), sim_uid(owner)) == 0)
			return o2_doc_bool(reference, "/blockOwnerDeletion", false);
	}
	return false;
}

static void delete_dependents(struct sim_object *owner)
{
	struct sim_list list = { 0 };
	size_t blocking = 0;

	list_dependents(owner, &list);
	for (size_t i = 0; i < list.count; i++) {
		if (!blocks(list.items[i], owner))
			continue;
		blocking++;
		if (!sim_is_deleting(list.items[i]))
			judge_later(list.items[i]);
	}
	sim_list_release(&list);
	if (blocking == 0)
		sim_remove_finalizer(owner, FOREGROUND);
}

static void orphan_dependents(struct sim_object *owner)
{
	struct sim_list list = { 0 };

	list_dependents(owner, &list);
	for (size_t i = 0; i < list.count; i++) {
		struct o2_doc *draft = sim_draft(list.items[i]);
		sim_put_reference(draft, owner, false);
		sim_write(list.items[i], draft);
	}
	sim_list_release(&list);
	sim_remove_finalizer(owner, ORPHAN);
}

static void tend_owner(void *arg)
{
	struct sim_object *owner = arg;

	if (!owner->gone && sim_has_finalizer(owner, ORPHAN))
		orphan_dependents(owner);
	if (!owner->gone && sim_has_finalizer(owner, FOREGROUND))
		delete_dependents(owner);
	sim_let_go(owner);
}

static void tend_later(struct sim_object *owner)
{
	if (sim_is_deleting(owner) &&
	    (sim_has_finalizer(owner, FOREGROUND) || sim_has_finalizer(owner, ORPHAN)))
		sim_after(LEAST_US + (int64_t)sim_random(MOST_US - LEAST_US), tend_owner,
			  sim_hold(owner));
}

/* --- what it sees --- */

static void see_references(struct sim_object *dependent)
{
	const struct o2_doc *list = o2_doc_at(dependent->doc, "/metadata/ownerReferences");
	bool lacks = false;

	for (size_t i = 0; i < o2_doc_count(list); i++) {
		const char *uid = o2_doc_member_str(o2_doc_item(list, i), "uid", "");

		lacks |= !sim_find_uid(dependent->cluster, uid);
		if (find_edge(uid, dependent))
			continue;
		struct edge *edge = o2_xcalloc(1, sizeof(*edge));
		edge->dependent = sim_hold(dependent);
		snprintf(edge->owner, sizeof(edge->owner), "%s", uid);
		LIST_INSERT_HEAD(bucket_of(uid), edge, link);
	}
	if (lacks)
		judge_later(dependent);
}

/* A dependent is gone: an owner that waits for it may go too. */
static void forget_references(const struct sim_object *dependent)
{
	const struct o2_doc *list = o2_doc_at(dependent->doc, "/metadata/ownerReferences");

	for (size_t i = 0; i < o2_doc_count(list); i++) {
		const char *uid = o2_doc_member_str(o2_doc_item(list, i), "uid", "");
		struct edge *edge = find_edge(uid, dependent);
		struct sim_object *owner = sim_find_uid(dependent->cluster, uid);

		if (edge)
			drop(edge);
		if (owner)
			tend_later(owner);
	}
}

static void see_owner_go(const struct sim_object *owner)
{
	const char *uid = sim_uid(owner);
	struct edge *edge, *next;

	for (edge = LIST_FIRST(bucket_of(uid)); edge; edge = next) {
		next = LIST_NEXT(edge, link);
		if (strcmp(edge->owner, uid) != 0 || edge->dependent->cluster != owner->cluster)
			continue;
		if (!edge->dependent->gone)
			judge_later(edge->dependent);
		drop(edge);
	}
}

void sim_collector_see(struct sim_object *object, enum sim_change change)
{
	if (change == SIM_DELETED) {
		forget_references(object);
		see_owner_go(object);
		return;
	}
	see_references(object);
	tend_later(object);
}
