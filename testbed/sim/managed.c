/* Who owns what after a write that is no apply. */
#include <string.h>

#include "managed_internal.h"

#define LIST "/metadata/managedFields"

/* [] and [{}] mean: forget. */
static bool is_reset(const struct o2_doc *list)
{
	if (o2_doc_type(list) != O2_DOC_ARRAY)
		return false;
	return o2_doc_count(list) == 0 ||
	       (o2_doc_count(list) == 1 && o2_doc_count(o2_doc_item(list, 0)) == 0);
}

/* What the request brought, if that can be used; what was there otherwise. */
static void take_in(struct sim_entries *entries, const struct o2_doc *before,
		    const struct o2_doc *after, const char *subresource)
{
	const struct o2_doc *was = o2_doc_at(before, LIST), *given = o2_doc_at(after, LIST);

	if (!subresource) {
		if (is_reset(given))
			return;
		if (sim_entries_read(entries, given, given == was) && entries->count > 0)
			return;
	}
	if (!sim_entries_read(entries, was, true))
		sim_entries_release(entries);
}

/* The writer owns what it changed, besides what it had. */
static void add_own(struct sim_entries *entries, const struct sim_writer *writer,
		    struct o2_doc *changed)
{
	struct o2_doc *entry = sim_entries_find(entries, writer);
	struct o2_doc *fields = entry ? o2_doc_ref(sim_entry_fields(entry)) : NULL;

	if (fields)
		sim_set_add(fields, changed);
	sim_entries_put(entries, writer, fields ? fields : o2_doc_ref(changed), true);
}

/* A write that changed nothing leaves the times alone too. */
static void keep_times(const struct o2_doc *before, const struct o2_doc *after)
{
	const struct o2_doc *was = o2_doc_at(before, LIST), *is = o2_doc_at(after, LIST);

	if (was == is || !sim_entries_same(was, is))
		return;
	for (size_t i = 0; i < o2_doc_count(is); i++)
		o2_doc_set_str(o2_doc_item(is, i), "time",
			       o2_doc_member_str(o2_doc_item(was, i), "time", NULL));
}

static void update(const struct o2_doc *before, struct o2_doc *after,
		   const struct sim_writer *writer)
{
	struct sim_entries entries = { 0 };
	struct sim_diff diff;

	take_in(&entries, before, after, writer->subresource);
	if (before && entries.count == 0) {
		/* Nobody is recorded until somebody applies. */
		o2_doc_remove(after, LIST);
		return;
	}
	diff = sim_diff(before, after, writer->subresource);
	sim_entries_subtract(&entries, after, &diff, NULL);
	if (diff.changed) {
		add_own(&entries, writer, diff.changed);
		sim_entries_cap(&entries);
	}
	sim_entries_write(&entries, after);
	if (!diff.changed && !diff.removed)
		keep_times(before, after);
	sim_entries_release(&entries);
	sim_diff_release(&diff);
}

/* ---- scale ---- */

static struct o2_doc *replicas_set(void)
{
	struct o2_doc *set = o2_doc_object_new();

	o2_doc_put(set, "/f:spec/f:replicas", o2_doc_object_new());
	return set;
}

static bool owns_replicas(const struct o2_doc *entry)
{
	return o2_doc_at(sim_entry_fields(entry), "/f:spec/f:replicas") != NULL;
}

/* The replicas of an entry that is found again only by its name: an entry of its own, without a time. */
static void split_replicas(struct sim_entries *split, const struct o2_doc *entry)
{
	struct sim_writer its = { .manager = o2_doc_member_str(entry, "manager", ""),
				  .operation = "Update",
				  .api_version = o2_doc_member_str(entry, "apiVersion", ""),
				  .subresource = o2_doc_member_str(entry, "subresource", NULL) };

	sim_entries_put(split, &its, replicas_set(), false);
}

/*
 * The server keeps the owners of a Scale as entries of another version and puts them back afterwards, so an updater's entry is not
 * found again: its replicas are split off, even if the number stayed as it is. 0 is absent in a Scale, and what is absent has no owner.
 */
static void update_scale(const struct o2_doc *before, struct o2_doc *after,
			 const struct sim_writer *writer)
{
	int64_t was = o2_doc_int(before, "/spec/replicas", 0);
	int64_t is = o2_doc_int(after, "/spec/replicas", 0);
	O2_AUTO(o2_doc_freep) struct o2_doc *replicas = replicas_set();
	struct sim_entries entries = { 0 }, split = { 0 };
	bool was_owned = false;

	if (!sim_entries_read(&entries, o2_doc_at(before, LIST), true))
		sim_entries_release(&entries);
	for (size_t i = 0; i < entries.count; i++) {
		struct o2_doc *entry = entries.items[i];

		if (!owns_replicas(entry))
			continue;
		was_owned = true;
		if (was == is && sim_entry_is_applied(entry))
			continue;
		sim_set_remove(sim_entry_fields(entry), replicas);
		if (was == is)
			split_replicas(&split, entry);
	}
	if (was != is && is != 0 && was_owned)
		sim_entries_put(&split, writer, replicas_set(), false);
	sim_entries_subtract(&entries, after, &(struct sim_diff){ 0 }, NULL);
	sim_entries_move(&entries, &split);
	sim_entries_write(&entries, after);
	sim_entries_release(&entries);
}

void sim_managed_update(const struct o2_doc *before, struct o2_doc *after, const char *manager,
			const char *subresource)
{
	struct sim_writer writer = { .manager = manager && manager[0] ? manager : "unknown",
				     .operation = "Update",
				     .api_version = o2_doc_member_str(after, "apiVersion", ""),
				     .subresource = subresource };

	if (subresource && strcmp(subresource, "scale") == 0)
		update_scale(before, after, &writer);
	else
		update(before, after, &writer);
}
