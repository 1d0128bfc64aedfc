/* What was there before, object by object, and what is there in the end. */
#include "ends.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "network.h"
#include "oracle.h"

struct kept {
	int side;
	const struct sim_kind *kind;
	char *ns, *name;
	struct o2_doc *doc;
	int64_t ready;  /* pods of a workload */
	bool is_scaled; /* by somebody else, meanwhile */
	bool is_free;   /* somebody else deleted it: it may be there or not */
};

static struct {
	const struct sim_shape *shape;
	struct kept *kept;
	size_t count, cap;
	char target_ns[64];
	bool may_be_retired, is_retired; /* what A kept frozen */
} ends;

const char *sim_target_ns(void)
{
	return ends.target_ns;
}

/* --- before --- */

/* What controllers make and unmake by themselves. */
static bool is_passing(const struct sim_object *object)
{
	static const char *const kinds[] = {
		"Event", "Lease",      "Endpoints", "EndpointSlice", "ControllerRevision",
		"Pod",   "ReplicaSet", "Node"
	};
	const char *kind = object->kind->kind;

	for (size_t i = 0; i < O2_COUNT(kinds); i++) {
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	}
	return sim_controller_of(object) != NULL;
}

static int64_t ready_of(const struct o2_doc *doc)
{
	int64_t ready = o2_doc_int(doc, "/status/readyReplicas", 0);

	return ready ? ready : o2_doc_int(doc, "/status/numberReady", 0);
}

static struct kept *find(int side, const struct sim_kind *kind, const char *ns, const char *name)
{
	for (size_t i = 0; i < ends.count; i++) {
		struct kept *kept = &ends.kept[i];
		if (kept->side == side && kept->kind == kind && strcmp(kept->name, name) == 0 &&
		    strcmp(kept->ns, ns) == 0)
			return kept;
	}
	return NULL;
}

static void keep(int side, const struct sim_object *object)
{
	O2_GROW(ends.kept, ends.count, ends.cap);
	ends.kept[ends.count++] = (struct kept){ .side = side,
						 .kind = object->kind,
						 .ns = o2_xstrdup(object->ns),
						 .name = o2_xstrdup(object->name),
						 .doc = o2_doc_ref(object->doc),
						 .ready = ready_of(object->doc) };
}

void sim_ends_begin(const struct sim_shape *shape)
{
	size_t count;
	const struct sim_kind *kinds = sim_kinds(&count);

	memset(&ends, 0, sizeof(ends));
	ends.shape = shape;
	snprintf(ends.target_ns, sizeof(ends.target_ns), "%s", SIM_SHAPE_NS);
	for (size_t i = 0; shape->options[i]; i++) {
		if (strcmp(shape->options[i], "--to-namespace") == 0)
			snprintf(ends.target_ns, sizeof(ends.target_ns), "%s",
				 shape->options[i + 1]);
	}
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < count; i++) {
			struct sim_object *at = sim_first(sim_side(side), &kinds[i]);
			for (; at; at = sim_next(at)) {
				if (!is_passing(at))
					keep(side, at);
			}
		}
	}
}

void sim_ends_keep_data(void)
{
	const struct sim_kind *kind = sim_kind("", "PersistentVolumeClaim");

	for (int side = 0; side < 2; side++) {
		struct sim_object *at = sim_first(sim_side(side), kind);
		for (; at; at = sim_next(at)) {
			if (!find(side, kind, at->ns, at->name))
				keep(side, at);
		}
	}
}

static struct kept *kept_of(const struct sim_object *object)
{
	return find(sim_side_of(object->cluster), object->kind, object->ns, object->name);
}

void sim_oracle_expect(struct sim_object *object)
{
	struct kept *kept = kept_of(object);

	if (!kept)
		return;
	kept->is_free = object->gone || sim_is_deleting(object);
	o2_doc_free(kept->doc);
	kept->doc = o2_doc_ref(object->doc);
}

/*
 * Somebody scaled a workload. Where it ran that is how it was before, and where it was frozen their number of pods is what is kept.
 */
void sim_oracle_expect_scaled(struct sim_object *object)
{
	struct kept *kept = kept_of(object);
	struct o2_doc *next;

	if (!kept)
		return;
	next = o2_doc_copy(kept->doc);
	kept->ready = o2_doc_int(object->doc, "/spec/replicas", 0);
	o2_doc_put_int(next, "/spec/replicas", kept->ready);
	kept->is_scaled = true;
	o2_doc_free(kept->doc);
	kept->doc = next;
}

void sim_oracle_expect_edited(struct sim_object *object)
{
	struct kept *kept = kept_of(object);
	struct o2_doc *next;

	if (!kept)
		return;
	next = o2_doc_copy(kept->doc);
	o2_doc_put(next, "/metadata/annotations/example.com~1note",
		   o2_doc_copy(o2_doc_at(object->doc, "/metadata/annotations/example.com~1note")));
	o2_doc_free(kept->doc);
	kept->doc = next;
}

void sim_ends_see_deleted(struct sim_object *object)
{
	const struct kept *kept =
		find(sim_side_of(object->cluster), object->kind, object->ns, object->name);
	bool is_data = strcmp(object->kind->kind, "PersistentVolumeClaim") == 0 ||
		       strcmp(object->kind->kind, "PersistentVolume") == 0;

	if (kept && kept->side == 0 && ends.may_be_retired)
		return;
	if (kept && !kept->is_free && is_data)
		sim_violation("I4: %s '%s' of %c was deleted", object->kind->kind, object->name,
			      "AB"[kept->side]);
}

/* --- the same as before? --- */

/* managedFields without times, and without what owns status, which is not compared either. */
static struct o2_doc *owners_of(const struct o2_doc *doc)
{
	const struct o2_doc *list = o2_doc_at(doc, "/metadata/managedFields");
	struct o2_doc *by_name = o2_doc_object_new();

	for (size_t i = 0; i < o2_doc_count(list); i++) {
		const struct o2_doc *entry = o2_doc_item(list, i);
		if (o2_doc_str(entry, "/subresource", "")[0])
			continue;
		O2_AUTO(o2_freep)
		char *name = o2_xasprintf("%s %s %s", o2_doc_str(entry, "/manager", ""),
					  o2_doc_str(entry, "/operation", ""),
					  o2_doc_str(entry, "/apiVersion", ""));
		o2_doc_set(by_name, name, o2_doc_copy(o2_doc_member(entry, "fieldsV1")));
	}
	return by_name;
}

/* What is compared of an object. */
static struct o2_doc *essence(const struct o2_doc *doc)
{
	struct o2_doc *copy = o2_doc_copy(doc);

	o2_doc_remove(copy, "/status");
	o2_doc_remove(copy, "/metadata/resourceVersion");
	o2_doc_remove(copy, "/metadata/generation");
	o2_doc_put(copy, "/metadata/managedFields", owners_of(doc));
	return copy;
}

static bool differs(const struct o2_doc *a, const struct o2_doc *b, char *out, size_t size)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *was = essence(a);
	O2_AUTO(o2_doc_freep) struct o2_doc *is = essence(b);

	if (o2_doc_equal(was, is))
		return false;
	O2_AUTO(o2_doc_freep) struct o2_doc *difference = o2_doc_merge_diff(was, is);
	O2_AUTO(o2_freep) char *text = o2_doc_dump(difference);
	snprintf(out, size, "%.500s", text);
	return true;
}

static void judge_kept(const struct kept *kept)
{
	const struct sim_object *now =
		sim_find(sim_side(kept->side), kept->kind, kept->ns, kept->name);
	char how[512];

	if (kept->is_free)
		return;
	if (!now) {
		sim_violation("I5: %s '%s' of %c is gone", kept->kind->kind, kept->name,
			      "AB"[kept->side]);
		return;
	}
	/* A watchdog gives back what it was told to, whoever scaled meanwhile. */
	if (kept->is_scaled)
		return;
	if (differs(kept->doc, now->doc, how, sizeof(how)))
		sim_violation("I5: %s '%s' of %c changed: %s", kept->kind->kind, kept->name,
			      "AB"[kept->side], how);
	if (ready_of(now->doc) != kept->ready)
		sim_violation("I5: %s '%s' of %c has %lld ready pods, it had %lld",
			      kept->kind->kind, kept->name, "AB"[kept->side],
			      (long long)ready_of(now->doc), (long long)kept -> ready);
}

/* --- what may be there that was not --- */

/* Tombstones; after a move the write set too, which tells `finalize` what to take away. */
static bool is_record(const struct sim_object *object, bool after)
{
	const char *role = sim_label(object, "os2os.io/record");

	return strcmp(object->kind->kind, "ConfigMap") == 0 &&
	       (strcmp(role, "source") == 0 || strcmp(role, "target") == 0 ||
		(after && !ends.is_retired && strcmp(role, "write-set") == 0));
}

/* What every namespace gets by itself. */
static bool is_given(const struct sim_object *object)
{
	return strcmp(object->name, "default") == 0 ||
	       strcmp(object->name, "kube-root-ca.crt") == 0;
}

static bool belongs_to_kept(const struct sim_object *object)
{
	const struct sim_object *owner = object;

	while (sim_controller_of(owner) != NULL)
		owner = sim_controller_of(owner);
	return find(sim_side_of(owner->cluster), owner->kind, owner->ns, owner->name) != NULL;
}

static bool is_move(void)
{
	return strcmp(ends.shape->mode, "move") == 0;
}

/* Who scaled a StatefulSet up made a claim and a volume. */
static bool comes_of_scaling(const struct sim_object *object)
{
	bool is_data = strcmp(object->kind->kind, "PersistentVolumeClaim") == 0 ||
		       strcmp(object->kind->kind, "PersistentVolume") == 0;

	for (size_t i = 0; i < ends.count && is_data; i++) {
		if (ends.kept[i].is_scaled)
			return true;
	}
	return false;
}

static void judge_new(const struct sim_object *object, bool after)
{
	int side = sim_side_of(object->cluster);
	bool ours = sim_label(object, "os2os.io/txn")[0] || sim_label(object, "os2os.io/record")[0];

	if (find(side, object->kind, object->ns, object->name) || belongs_to_kept(object) ||
	    strcmp(object->kind->kind, "Node") == 0 || comes_of_scaling(object))
		return;
	if (is_record(object, after && is_move())) {
		if (o2_doc_count(o2_doc_at(object->doc, "/metadata/finalizers")) > 0)
			sim_violation("I7: record '%s' is not closed", object->name);
		return;
	}
	/* Made just before A lost the record, and before B had one: nothing tells any more whose it is. */
	if (ours && strcmp(object->kind->kind, "Namespace") == 0 && sim_oracle_was_restored(0))
		return;
	if (ours)
		sim_violation("I7: %s '%s' of %c was left behind", object->kind->kind, object->name,
			      "AB"[side]);
	if (o2_doc_at(object->doc, "/metadata/annotations/os2os.io~1undo") ||
	    sim_label(object, "os2os.io/phase")[0])
		sim_violation("I7: %s '%s' of %c keeps a mark of os2os", object->kind->kind,
			      object->name, "AB"[side]);
	if (!(after && side == 1) && !is_given(object))
		sim_violation("I5: %s '%s' of %c was not there before", object->kind->kind,
			      object->name, "AB"[side]);
}

static void judge_rest(bool after)
{
	size_t count;
	const struct sim_kind *kinds = sim_kinds(&count);

	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < count; i++) {
			const struct sim_object *at = sim_first(sim_side(side), &kinds[i]);
			for (; at; at = sim_next(at)) {
				if (strcmp(at->kind->kind, "Event") != 0)
					judge_new(at, after);
			}
		}
	}
}

/* --- as after --- */

static bool is_moved(const struct kept *kept)
{
	const char *wanted = ends.shape->selector;

	if (kept->side != 0 || strcmp(kept->ns, SIM_SHAPE_NS) != 0 ||
	    strcmp(kept->name, "default") == 0 || strcmp(kept->name, "kube-root-ca.crt") == 0)
		return false;
	return !wanted ||
	       strcmp(o2_doc_member_str(o2_doc_at(kept->doc, "/metadata/labels"), "app", ""),
		      wanted) == 0;
}

static void judge_moved(const struct kept *kept)
{
	const struct sim_object *there =
		sim_find(sim_side(1), kept->kind, ends.target_ns, kept->name);
	const char *type = o2_doc_str(kept->doc, "/spec/type", "");

	if (!there) {
		sim_violation("%s '%s' did not come to B", kept->kind->kind, kept->name);
		return;
	}
	/* Who scales at the very moment of the decision does so on A, which is frozen. */
	if (ready_of(there->doc) != kept->ready && !kept->is_scaled)
		sim_violation("%s '%s' has %lld ready pods in B, it had %lld in A",
			      kept->kind->kind, kept->name, (long long)ready_of(there->doc),
			      (long long)kept->ready);
	if (strcmp(o2_doc_str(there->doc, "/spec/type", ""), type) != 0)
		sim_violation("Service '%s' is still closed in B", kept->name);
	if (o2_doc_bool(there->doc, "/spec/suspend", false) !=
	    o2_doc_bool(kept->doc, "/spec/suspend", false))
		sim_violation("%s '%s' is still suspended in B", kept->kind->kind, kept->name);
}

/* A after a move: frozen, complete, and nothing of ours in the way but the marks. */
static void judge_frozen(const struct kept *kept)
{
	const struct sim_object *now = sim_find(sim_side(0), kept->kind, kept->ns, kept->name);

	if (now && ends.is_retired && is_moved(kept))
		sim_violation("%s '%s' of A is still there after finalize", kept->kind->kind,
			      kept->name);
	if (!now && !kept->is_free && !ends.may_be_retired)
		sim_violation("I4: %s '%s' of A is gone before finalize", kept->kind->kind,
			      kept->name);
}

void sim_oracle_expect_retired(void)
{
	ends.may_be_retired = true;
}

void sim_oracle_see_retired(void)
{
	ends.is_retired = true;
}

void sim_ends_judge(bool after)
{
	for (size_t i = 0; i < ends.count; i++) {
		const struct kept *kept = &ends.kept[i];
		if (!after || kept->side == 1 || !is_move())
			judge_kept(kept);
		else
			judge_frozen(kept);
		if (after && is_moved(kept) && !kept->is_free)
			judge_moved(kept);
	}
	judge_rest(after);
}
