/*
 * What the files managed*.c share.
 *
 * A set of fields is a document of the form that fieldsV1 has: {"f:spec":{"f:replicas":{}}}. A node is a *member* of its set if it is
 * empty or has ".", so {"f:env":{".":{},"k:{\"name\":\"A\"}":{}}} has two. The root is never one: {} is the empty set. Sets are
 * changed in place, and only where they differ: what costs is the difference of two writes, not the size of the object.
 */
#pragma once

#include "base/strs.h"
#include "cluster.h"
#include "managed.h"

/* ---- types (managed_type.c) ---- */

enum sim_how {
	SIM_GRANULAR, /* maps member by member; lists as a whole */
	SIM_ATOMIC,
	SIM_KEYED,  /* lists element by element, by the values of `keys` */
	SIM_VALUES, /* lists of scalars, each its own key */
	SIM_UNOWNED
};
struct sim_type;
struct sim_field {
	const char *name;
	enum sim_how how;
	bool never_absent; /* what is left out stands for an empty map or list, or 0 */
	bool is_number;
	bool is_of_wholes; /* the elements are owned as a whole */
	const char *keys;  /* sorted, with commas */
	const struct sim_type
		*type; /* of the map or of the list's elements; NULL: nothing special in it */
};
struct sim_type {
	const struct sim_field *fields;
	size_t count;
};
/* Of a custom resource: only its metadata are special. */
const struct sim_type *sim_type_of(const struct o2_doc *object, bool *out_built_in);
/* Never NULL. */
const struct sim_field *sim_type_field(const struct sim_type *type, const char *name);
bool sim_type_is_group(const char *api_version, const char *group);

/* How a value is walked, by its field and by what it is (`a`, `b`: before and after; NULL if absent). */
enum sim_managed_shape { SIM_LEAF, SIM_MAP, SIM_LIST };
enum sim_managed_shape sim_managed_shape(const struct sim_field *field, const struct o2_doc *a,
					 const struct o2_doc *b);
/* The field of a list's elements. */
struct sim_field sim_element(const struct sim_field *list);
/* A list's elements by their keys as fieldsV1 writes them ("k:{\"name\":\"web\"}"); NULL for one that has no key. */
struct sim_keys {
	char **names;
	size_t count;
};
struct sim_keys sim_keys(const struct sim_field *list, const struct o2_doc *value);
void sim_keys_release(struct sim_keys *keys);
#define SIM_NO_KEY ((size_t)-1)
/* From `begin` on; SIM_NO_KEY if it is not there. */
size_t sim_keys_find(const struct sim_keys *keys, const char *name, size_t begin);

/* ---- sets (managed_set.c) ---- */

bool sim_set_is_member(const struct o2_doc *node);
/* Put `child` (taken; NULL: nothing happens) into *set, which is made if it is NULL: by its path element, or as a field of that name. */
void sim_set_put(struct o2_doc **set, const char *element, struct o2_doc *child);
void sim_set_put_field(struct o2_doc **set, const char *name, struct o2_doc *child);
struct o2_doc *sim_set_field(const struct o2_doc *set, const char *name); /* NULL if absent */
/* Make the node a member; makes it if it is NULL. */
void sim_set_mark(struct o2_doc **node);
void sim_set_add(struct o2_doc *set,
		 const struct o2_doc *plus); /* parts of `plus` are shared from then on */
void sim_set_remove(struct o2_doc *set, const struct o2_doc *minus);
/* The field itself, not what is below it. */
void sim_set_disown(struct o2_doc *set, const char *name);
/* Members of both; NULL if there are none. */
struct o2_doc *sim_set_common(const struct o2_doc *a, const struct o2_doc *b);
/* Every field that has something below it becomes a member itself; elements of lists do not. */
void sim_set_mark_fields(struct o2_doc *set);
/* Drop what is no path element. */
void sim_set_tidy(struct o2_doc *set);
/* The members as the server writes paths (".spec.ports[port=80,protocol=\"TCP\"]"), in its order. */
void sim_set_paths(const struct o2_doc *set, struct o2_strs *out);

/* ---- what differs (managed_diff.c) ---- */

/* Sets; NULL if empty. */
struct sim_diff {
	struct o2_doc *changed; /* added or modified */
	struct o2_doc *removed;
};
/*
 * Of two objects; `before` NULL is an object that has nothing yet. What nobody owns by a write of the sub-resource (NULL: of the main
 * resource) is left out.
 */
struct sim_diff sim_diff(const struct o2_doc *before, const struct o2_doc *after,
			 const char *subresource);
void sim_diff_release(struct sim_diff *diff);
/* Is status (of the main resource) or spec (of status) reset by the server in this write? */
bool sim_is_reset(const struct o2_doc *object, const char *subresource, const char *member);

/* ---- entries (managed_entry.c) ---- */

struct sim_entries {
	struct o2_doc **items;
	size_t count, cap;
};
/* Who writes: the identity of an entry. */
struct sim_writer {
	const char *manager;
	const char *operation; /* "Update", "Apply" */
	const char *api_version;
	const char *subresource; /* NULL for the main resource */
};
/* Take the entries of a list in for changing: themselves, or copies. False (and none) if the list is not valid. */
bool sim_entries_read(struct sim_entries *entries, const struct o2_doc *list, bool copy);
/* In the server's order, into metadata.managedFields. */
void sim_entries_write(struct sim_entries *entries, struct o2_doc *object);
void sim_entries_release(struct sim_entries *entries);
/* NULL if there is none. Appliers are the same whatever version they applied. */
struct o2_doc *sim_entries_find(const struct sim_entries *entries, const struct sim_writer *writer);
/* The writer's entry has these fields (taken) and, with `now`, this moment's time. Made if it is not there. */
void sim_entries_put(struct sim_entries *entries, const struct sim_writer *writer,
		     struct o2_doc *fields, bool now);
/* Take sets (NULL: nothing) from every entry but `except`; those that become empty go, and those of versions that are not served. */
void sim_entries_subtract(struct sim_entries *entries, const struct o2_doc *object,
			  const struct sim_diff *diff, const struct o2_doc *except);
/* All of them, even those that `to` has a like of. Releases `from`. */
void sim_entries_move(struct sim_entries *to, struct sim_entries *from);
void sim_entries_drop(struct sim_entries *entries, size_t index);
/* The oldest of more than ten that updated are put together as "ancient-changes". */
void sim_entries_cap(struct sim_entries *entries);
/* Equal but for the times? */
bool sim_entries_same(const struct o2_doc *a, const struct o2_doc *b);
struct o2_doc *sim_entry_fields(const struct o2_doc *entry);
bool sim_entry_is_applied(const struct o2_doc *entry);

/* ---- merging (managed_merge.c) ---- */

/* Every field that a configuration names. */
struct o2_doc *sim_fields_of(const struct o2_doc *object);
struct o2_doc *sim_merge(const struct o2_doc *live, const struct o2_doc *applied);
/* A copy without the members of a set. */
struct o2_doc *sim_without(const struct o2_doc *object, const struct o2_doc *set);
/* The path of a list that names an element twice, "" if there is none. Caller frees. */
char *sim_duplicate_of(const struct o2_doc *object);
