/* The entries of metadata.managedFields: read, looked up, put in order, written. */
#include <stdlib.h>
#include <string.h>

#include "managed_internal.h"
#include "world.h"

#define UPDATERS_MAX 10
#define BUCKET "ancient-changes"
#define FIELDS_TYPE "FieldsV1"

static const char *text_of(const struct o2_doc *entry, const char *name)
{
	return o2_doc_member_str(entry, name, "");
}

struct o2_doc *sim_entry_fields(const struct o2_doc *entry)
{
	return o2_doc_member(entry, "fieldsV1");
}

bool sim_entry_is_applied(const struct o2_doc *entry)
{
	return strcmp(text_of(entry, "operation"), "Apply") == 0;
}

static struct sim_writer writer_of(const struct o2_doc *entry)
{
	return (struct sim_writer){ .manager = text_of(entry, "manager"),
				    .operation = text_of(entry, "operation"),
				    .api_version = text_of(entry, "apiVersion"),
				    .subresource = text_of(entry, "subresource") };
}

static bool is_of(const struct o2_doc *entry, const struct sim_writer *writer)
{
	struct sim_writer its = writer_of(entry);

	return strcmp(its.manager, writer->manager) == 0 &&
	       strcmp(its.operation, writer->operation) == 0 &&
	       strcmp(its.subresource, writer->subresource ? writer->subresource : "") == 0 &&
	       (sim_entry_is_applied(entry) || strcmp(its.api_version, writer->api_version) == 0);
}

static bool is_valid(const struct o2_doc *entry)
{
	const char *operation = text_of(entry, "operation");

	return (strcmp(operation, "Apply") == 0 || strcmp(operation, "Update") == 0) &&
	       text_of(entry, "apiVersion")[0] &&
	       strcmp(text_of(entry, "fieldsType"), FIELDS_TYPE) == 0;
}

static void append(struct sim_entries *entries, struct o2_doc *entry)
{
	O2_GROW(entries->items, entries->count, entries->cap);
	entries->items[entries->count++] = entry;
}

void sim_entries_drop(struct sim_entries *entries, size_t index)
{
	o2_doc_free(entries->items[index]);
	memmove(&entries->items[index], &entries->items[index + 1],
		(--entries->count - index) * sizeof(*entries->items));
}

bool sim_entries_read(struct sim_entries *entries, const struct o2_doc *list, bool copy)
{
	for (size_t i = 0; i < o2_doc_count(list); i++) {
		if (!is_valid(o2_doc_item(list, i)))
			return false;
	}
	for (size_t i = 0; i < o2_doc_count(list); i++) {
		struct o2_doc *entry = o2_doc_item(list, i);
		struct sim_writer writer = writer_of(entry);
		struct o2_doc *twin = sim_entries_find(entries, &writer);

		for (size_t j = 0; twin && j < entries->count; j++) {
			if (entries->items[j] == twin)
				sim_entries_drop(entries, j);
		}
		entry = copy ? o2_doc_copy(entry) : o2_doc_ref(entry);
		if (!sim_entry_fields(entry))
			o2_doc_set(entry, "fieldsV1", o2_doc_object_new());
		sim_set_tidy(sim_entry_fields(entry));
		append(entries, entry);
	}
	return true;
}

void sim_entries_release(struct sim_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		o2_doc_free(entries->items[i]);
	free(entries->items);
	*entries = (struct sim_entries){ 0 };
}

void sim_entries_move(struct sim_entries *to, struct sim_entries *from)
{
	for (size_t i = 0; i < from->count; i++)
		append(to, from->items[i]);
	from->count = 0;
	sim_entries_release(from);
}

struct o2_doc *sim_entries_find(const struct sim_entries *entries, const struct sim_writer *writer)
{
	for (size_t i = 0; i < entries->count; i++) {
		if (is_of(entries->items[i], writer))
			return entries->items[i];
	}
	return NULL;
}

void sim_entries_put(struct sim_entries *entries, const struct sim_writer *writer,
		     struct o2_doc *fields, bool now)
{
	struct o2_doc *entry = sim_entries_find(entries, writer);

	if (entry) {
		o2_doc_set_str(entry, "apiVersion", writer->api_version);
		o2_doc_set(entry, "fieldsV1", fields);
		if (now)
			o2_doc_set_str(entry, "time", sim_stamp());
		return;
	}
	entry = o2_doc_object_new();
	o2_doc_set_str(entry, "manager", writer->manager);
	o2_doc_set_str(entry, "operation", writer->operation);
	o2_doc_set_str(entry, "apiVersion", writer->api_version);
	if (now)
		o2_doc_set_str(entry, "time", sim_stamp());
	o2_doc_set_str(entry, "fieldsType", FIELDS_TYPE);
	o2_doc_set(entry, "fieldsV1", fields);
	o2_doc_set_str(entry, "subresource", writer->subresource);
	append(entries, entry);
}

/* Other versions of a custom resource have the same fields here; of the built-in kinds just one is served, but autoscaling's. */
static bool is_served(const struct o2_doc *entry, const struct o2_doc *object)
{
	const char *its = text_of(entry, "apiVersion"), *served = text_of(object, "apiVersion");
	const char *slash = strchr(served, '/');
	bool built_in;

	if (strcmp(its, served) == 0)
		return true;
	(void)sim_type_of(object, &built_in);
	if (built_in || !slash)
		return sim_type_is_group(served, "autoscaling") &&
		       (strcmp(its, "autoscaling/v1") == 0 || strcmp(its, "autoscaling/v2") == 0);
	return strncmp(its, served, (size_t)(slash - served) + 1) == 0;
}

void sim_entries_subtract(struct sim_entries *entries, const struct o2_doc *object,
			  const struct sim_diff *diff, const struct o2_doc *except)
{
	for (size_t i = 0; i < entries->count;) {
		struct o2_doc *entry = entries->items[i];

		if (entry != except) {
			sim_set_remove(sim_entry_fields(entry), diff->changed);
			sim_set_remove(sim_entry_fields(entry), diff->removed);
		}
		if (o2_doc_count(sim_entry_fields(entry)) == 0 || !is_served(entry, object))
			sim_entries_drop(entries, i);
		else
			i++;
	}
}

/* ---- order ---- */

/* Two entries of an array that is sorted, by their texts under `members`, the first that differ. */
static int by_members(const void *a, const void *b, const char *const *members, size_t count)
{
	const struct o2_doc *x = *(struct o2_doc *const *)a, *y = *(struct o2_doc *const *)b;

	for (size_t i = 0; i < count; i++) {
		int order = strcmp(text_of(x, members[i]), text_of(y, members[i]));

		if (order != 0)
			return order;
	}
	return 0;
}

static int by_operation_and_time(const void *a, const void *b)
{
	static const char *const members[] = { "operation", "time", "manager", "apiVersion",
					       "subresource" };

	return by_members(a, b, members, O2_COUNT(members));
}

void sim_entries_write(struct sim_entries *entries, struct o2_doc *object)
{
	struct o2_doc *list = NULL;

	if (entries->count > 0) {
		qsort(entries->items, entries->count, sizeof(*entries->items),
		      by_operation_and_time);
		list = o2_doc_array_new();
	}
	for (size_t i = 0; i < entries->count; i++)
		o2_doc_append(list, o2_doc_ref(entries->items[i]));
	if (list)
		o2_doc_put(object, "/metadata/managedFields", list);
	else
		o2_doc_remove(object, "/metadata/managedFields");
}

/* ---- no more than ten ---- */

/* Oldest first; of the same second by the identity as the server spells it, which begins with the manager. */
static int by_age(const void *a, const void *b)
{
	static const char *const members[] = { "time", "manager", "apiVersion", "subresource" };

	return by_members(a, b, members, O2_COUNT(members));
}

/* Of the entries before `end`, the first that updated this version: the others go into it. */
static struct o2_doc *first_of_version(const struct sim_entries *entries, size_t end,
				       const char *api_version)
{
	for (size_t i = 0; i < end; i++) {
		if (!sim_entry_is_applied(entries->items[i]) &&
		    strcmp(text_of(entries->items[i], "apiVersion"), api_version) == 0)
			return entries->items[i];
	}
	return NULL;
}

static void merge_into(struct o2_doc *bucket, const struct o2_doc *entry)
{
	const char *time = o2_doc_member_str(entry, "time", NULL);

	o2_doc_set_str(bucket, "manager", BUCKET);
	o2_doc_unset(bucket, "subresource");
	o2_doc_set_str(bucket, "time", time);
	sim_set_add(sim_entry_fields(bucket), sim_entry_fields(entry));
}

void sim_entries_cap(struct sim_entries *entries)
{
	size_t updaters = 0;

	for (size_t i = 0; i < entries->count; i++)
		updaters += !sim_entry_is_applied(entries->items[i]);
	if (updaters <= UPDATERS_MAX)
		return;
	qsort(entries->items, entries->count, sizeof(*entries->items), by_age);
	for (size_t i = 0; i < entries->count && updaters > UPDATERS_MAX;) {
		struct o2_doc *entry = entries->items[i];
		struct o2_doc *first = first_of_version(entries, i, text_of(entry, "apiVersion"));

		if (sim_entry_is_applied(entry) || !first) {
			i++;
			continue;
		}
		merge_into(first, entry);
		sim_entries_drop(entries, i);
		updaters--;
	}
}

bool sim_entries_same(const struct o2_doc *a, const struct o2_doc *b)
{
	if (o2_doc_count(a) != o2_doc_count(b))
		return false;
	for (size_t i = 0; i < o2_doc_count(a); i++) {
		const struct o2_doc *x = o2_doc_item(a, i), *y = o2_doc_item(b, i);
		struct sim_writer writer = writer_of(y);

		if (!is_of(x, &writer) ||
		    strcmp(text_of(x, "apiVersion"), writer.api_version) != 0 ||
		    !o2_doc_equal(sim_entry_fields(x), sim_entry_fields(y)))
			return false;
	}
	return true;
}
