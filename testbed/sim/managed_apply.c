/* Server-side apply: the merged object, what is taken out of it, and who owns what afterwards. */
#include <stdlib.h>
#include <string.h>

#include "managed_internal.h"
#include "refusal.h"

#define LIST "/metadata/managedFields"
#define LAST_APPLIED "kubectl.kubernetes.io~1last-applied-configuration"

struct apply {
	const struct o2_doc *live;
	const struct o2_doc *applied;
	struct sim_writer writer;
	bool force;
	struct sim_entries entries;
	struct sim_refusal *refusal;
};

/* ---- what the manager no longer applies ---- */

/* Fields that have others below them become members too; but metadata never goes. */
static void mark_fields(struct o2_doc *set)
{
	sim_set_mark_fields(set);
	sim_set_disown(set, "f:metadata");
}

static struct o2_doc *all_fields_of(const struct o2_doc *object)
{
	struct o2_doc *set = sim_fields_of(object);

	mark_fields(set);
	return set;
}

/* What is in the object and not in `kept` nor owned by anybody goes. */
static struct o2_doc *with_owned(const struct o2_doc *merged, const struct o2_doc *kept,
				 const struct sim_entries *entries)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *gone = all_fields_of(merged);
	O2_AUTO(o2_doc_freep) struct o2_doc *stay = all_fields_of(kept);

	sim_set_remove(gone, stay);
	for (size_t i = 0; i < entries->count; i++) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *owned = o2_doc_copy(sim_entry_fields(entries->items[i]));

		mark_fields(owned);
		sim_set_remove(gone, owned);
	}
	return sim_without(merged, gone);
}

/* Take out of *merged what the manager applied last time, does not this time, and nobody else owns. */
static void prune(struct o2_doc **merged, const struct o2_doc *last, const struct o2_doc *own,
		  const struct sim_entries *entries)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *former = o2_doc_copy(last);
	O2_AUTO(o2_doc_freep) struct o2_doc *given_up = o2_doc_copy(last);
	O2_AUTO(o2_doc_freep) struct o2_doc *pruned = NULL;
	O2_AUTO(o2_doc_freep) struct o2_doc *gone = NULL;

	sim_set_remove(given_up, sim_entry_fields(own));
	if (o2_doc_count(given_up) == 0)
		return;
	mark_fields(former);
	O2_AUTO(o2_doc_freep) struct o2_doc *bare = sim_without(*merged, former);
	pruned = with_owned(*merged, bare, entries);
	/* Only what was the manager's own goes. */
	O2_AUTO(o2_doc_freep) struct o2_doc *difference = all_fields_of(*merged);
	O2_AUTO(o2_doc_freep) struct o2_doc *stay = all_fields_of(pruned);
	sim_set_remove(difference, stay);
	gone = sim_set_common(difference, former);
	if (!gone)
		return;
	struct o2_doc *result = sim_without(*merged, gone);
	o2_doc_free(*merged);
	*merged = result;
}

/* ---- conflicts ---- */

static void describe(const struct o2_doc *entry, struct o2_buf *text)
{
	const char *subresource = o2_doc_member_str(entry, "subresource", NULL);

	o2_buf_addf(text, "\"%s\"", o2_doc_member_str(entry, "manager", ""));
	if (subresource)
		o2_buf_addf(text, " with subresource \"%s\"", subresource);
	if (!sim_entry_is_applied(entry))
		o2_buf_addf(text, " using %s", o2_doc_member_str(entry, "apiVersion", ""));
}

struct conflict {
	const struct o2_doc *entry;
	struct o2_strs paths;
};

static int by_manager(const void *a, const void *b)
{
	const struct conflict *x = a, *y = b;

	return strcmp(o2_doc_member_str(x->entry, "manager", ""),
		      o2_doc_member_str(y->entry, "manager", ""));
}

/* A cause a field. */
static void add_causes(struct apply *apply, struct conflict *conflicts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct o2_buf text;

		o2_buf_init(&text, 1024);
		o2_buf_adds(&text, "conflict with ");
		describe(conflicts[i].entry, &text);
		for (size_t p = 0; p < conflicts[i].paths.count; p++)
			sim_refusal_add_cause(apply->refusal, "FieldManagerConflict",
					      conflicts[i].paths.items[p], text.data);
		o2_buf_release(&text);
	}
}

static void refuse_conflicts(struct apply *apply, struct conflict *conflicts, size_t count,
			     size_t paths)
{
	struct o2_buf text;

	qsort(conflicts, count, sizeof(*conflicts), by_manager);
	o2_buf_init(&text, (size_t)1 << 20);
	o2_buf_addf(&text, "Apply failed with %zu conflict%s: ", paths, paths == 1 ? "" : "s");
	for (size_t i = 0; i < count; i++) {
		o2_buf_adds(&text, paths == 1 ? "conflict with " : "conflicts with ");
		describe(conflicts[i].entry, &text);
		o2_buf_adds(&text, paths == 1 ? ": " : ":\n- ");
		for (size_t p = 0; p < conflicts[i].paths.count; p++)
			o2_buf_addf(&text, "%s%s", p > 0 ? "\n- " : "",
				    conflicts[i].paths.items[p]);
		if (i + 1 < count)
			o2_buf_adds(&text, "\n");
	}
	sim_refuse(apply->refusal, 409, "Conflict", "%s", text.data);
	o2_buf_release(&text);
	add_causes(apply, conflicts, count);
}

/* kubectl may take over what it applied itself before applying was the server's: the part of its note that still holds. */
static struct o2_doc *allowed_by_note(const struct apply *apply)
{
	const char *text = o2_doc_str(apply->live, "/metadata/annotations/" LAST_APPLIED, NULL);
	O2_AUTO(o2_doc_freep) struct o2_doc *note = NULL;
	struct o2_doc *allowed;
	struct sim_diff diff;

	if (strcmp(apply->writer.manager, "kubectl") != 0 || !text)
		return NULL;
	note = o2_doc_parse(text, strlen(text), NULL);
	if (strcmp(o2_doc_member_str(note, "apiVersion", ""), apply->writer.api_version) != 0)
		return NULL;
	allowed = sim_fields_of(note);
	diff = sim_diff(note, apply->live, NULL);
	sim_set_remove(allowed, diff.changed);
	sim_set_remove(allowed, diff.removed);
	sim_diff_release(&diff);
	return allowed;
}

/* True if somebody else owns what changes, and that is not forced. */
static bool conflicts(struct apply *apply, const struct o2_doc *changed, const struct o2_doc *own)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *allowed = allowed_by_note(apply);
	struct conflict *found = o2_xcalloc(apply->entries.count + 1, sizeof(*found));
	size_t count = 0, paths = 0;

	for (size_t i = 0; changed && i < apply->entries.count; i++) {
		const struct o2_doc *entry = apply->entries.items[i];
		O2_AUTO(o2_doc_freep)
		struct o2_doc *common =
			entry == own ? NULL : sim_set_common(sim_entry_fields(entry), changed);

		sim_set_remove(common, allowed);
		if (o2_doc_count(common) == 0)
			continue;
		found[count].entry = entry;
		sim_set_paths(common, &found[count].paths);
		paths += found[count++].paths.count;
	}
	if (count > 0)
		refuse_conflicts(apply, found, count, paths);
	for (size_t i = 0; i < count; i++)
		o2_strs_release(&found[i].paths);
	free(found);
	return count > 0;
}

/* ---- applying ---- */

static bool check(const struct o2_doc *applied, struct sim_refusal *refusal)
{
	if (o2_doc_at(applied, LIST))
		return sim_refuse(refusal, 400, "BadRequest", "metadata.managedFields must be nil");
	O2_AUTO(o2_freep) char *duplicate = sim_duplicate_of(applied);
	if (duplicate[0]) {
		O2_AUTO(o2_freep)
		char *text = o2_xasprintf("failed to create typed patch object: %s", duplicate);
		return sim_refuse(refusal, 500, "InternalError", "%s", text);
	}
	return true;
}

/* An object that nobody is recorded for: all it has is owned by "before-first-apply". */
static void begin_record(struct apply *apply)
{
	struct sim_writer first = { "before-first-apply", "Update", apply->writer.api_version,
				    NULL };
	struct sim_diff diff;

	if (!sim_entries_read(&apply->entries, o2_doc_at(apply->live, LIST), true))
		sim_entries_release(&apply->entries);
	if (apply->entries.count > 0 || !apply->live)
		return;
	diff = sim_diff(NULL, apply->live, NULL);
	if (diff.changed)
		sim_entries_put(&apply->entries, &first, o2_doc_ref(diff.changed), true);
	sim_diff_release(&diff);
}

static struct o2_doc *fields_to_own(const struct apply *apply)
{
	struct o2_doc *fields = sim_fields_of(apply->applied);

	if (sim_is_reset(apply->applied, NULL, "status"))
		o2_doc_unset(fields, "f:status");
	/* Named without anything in it: nobody owns metadata itself. */
	if (o2_doc_count(o2_doc_member(fields, "f:metadata")) == 0)
		o2_doc_unset(fields, "f:metadata");
	return fields;
}

/* Nulls stood for what became empty. */
static void drop_nulls(struct o2_doc *value)
{
	for (struct o2_doc_iter it = o2_doc_iter(value); o2_doc_next(&it);) {
		if (o2_doc_type(it.value) == O2_DOC_NULL)
			o2_doc_unset(value, it.name);
		else
			drop_nulls(it.value);
	}
	for (size_t i = 0; o2_doc_type(value) == O2_DOC_ARRAY && i < o2_doc_count(value); i++)
		drop_nulls(o2_doc_item(value, i));
}

/* kubectl's note follows what kubectl applies. */
static void renew_note(const struct apply *apply, struct o2_doc *merged)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *note = o2_doc_copy(apply->applied);

	if (strcmp(apply->writer.manager, "kubectl") != 0 ||
	    !o2_doc_at(merged, "/metadata/annotations/" LAST_APPLIED))
		return;
	o2_doc_remove(note, "/metadata/annotations/" LAST_APPLIED);
	O2_AUTO(o2_freep) char *text = o2_doc_dump_canonical(note);
	O2_AUTO(o2_freep) char *line = o2_xasprintf("%s\n", text);
	o2_doc_put_str(merged, "/metadata/annotations/" LAST_APPLIED, line);
}

static bool run(struct apply *apply, struct o2_doc **out_object)
{
	struct o2_doc *own, *merged;
	O2_AUTO(o2_doc_freep) struct o2_doc *last = NULL;
	struct sim_diff diff;
	bool same, refused;

	begin_record(apply);
	own = sim_entries_find(&apply->entries, &apply->writer);
	last = own ? o2_doc_ref(sim_entry_fields(own)) : NULL;
	sim_entries_put(&apply->entries, &apply->writer, fields_to_own(apply), false);
	own = sim_entries_find(&apply->entries, &apply->writer);
	merged = sim_merge(apply->live, apply->applied);
	if (last)
		prune(&merged, last, own, &apply->entries);
	same = apply->live && o2_doc_equal(apply->live, merged);
	diff = sim_diff(apply->live, merged, NULL);
	refused = !apply->force && conflicts(apply, diff.changed, own);
	if (!refused) {
		if (!same)
			sim_entries_put(&apply->entries, &apply->writer,
					o2_doc_ref(sim_entry_fields(own)), true);
		sim_entries_subtract(&apply->entries, merged, &diff, own);
		drop_nulls(merged);
		renew_note(apply, merged);
		sim_entries_write(&apply->entries, merged);
		*out_object = O2_STEAL(merged);
	}
	o2_doc_free(merged);
	sim_diff_release(&diff);
	return !refused;
}

bool sim_managed_apply(const struct o2_doc *live, const struct o2_doc *applied, const char *manager,
		       bool force, struct o2_doc **out_object, struct sim_refusal *refusal)
{
	struct sim_refusal ignored = { 0 };
	struct apply apply = { .live = live,
			       .applied = applied,
			       .writer = { manager, "Apply",
					   o2_doc_member_str(applied, "apiVersion", ""), NULL },
			       .force = force,
			       .refusal = refusal ? refusal : &ignored };
	bool ok;

	*out_object = NULL;
	ok = check(applied, apply.refusal) && run(&apply, out_object);
	sim_entries_release(&apply.entries);
	return ok;
}
