/*
 * Guarded writes to many objects of B: create, change, release, remove.
 *
 * A forward write is: read the object, see that R1 is still this process's and in the expected state, compare and swap with
 * the version that was read (PROTOCOL.md U2, in this order). One look at R1 serves a whole batch, since every object of it was
 * read before and is swapped after.
 */
#include "record/record_internal.h"

#include "base/cancel.h"
#include "base/log.h"

#define PHASE "/metadata/labels/os2os.io~1phase"

const char *o2_record_mark_of(const struct o2_doc *object)
{
	return o2_doc_str(object, PHASE, "");
}

/* Body of a CREATE: the object with label, and with an owner in its namespace. */
static struct o2_doc *owned_body(const struct o2_record *record, enum o2_side side,
				 const struct o2_record_object *object, bool owned)
{
	struct o2_doc *body = o2_doc_copy(object->object);

	o2_record_mark(record, body, NULL);
	if (owned && object->ns) {
		O2_AUTO(o2_freep) char *name = o2_record_owner_name(record);
		struct o2_doc *owner = o2_doc_object_new();
		const char *uid = o2_doc_member_str(record->owners[side], object->ns, NULL);

		assert(uid); /* o2_record_create_owner() comes first */
		o2_doc_set_str(owner, "apiVersion", "v1");
		o2_doc_set_str(owner, "kind", "ConfigMap");
		o2_doc_set_str(owner, "name", name);
		o2_doc_set_str(owner, "uid", uid);
		o2_doc_put(body, "/metadata/ownerReferences", o2_doc_array_new());
		o2_doc_append(o2_doc_at(body, "/metadata/ownerReferences"), owner);
	}
	return body;
}

struct progress {
	const char *verb;
	size_t done, total;
};

static void count_done(void *arg, struct o2_kube_write *write)
{
	struct progress *progress = arg;

	(void)write;
	progress->done++;
	if (progress->done % 50 == 0)
		o2_log_step((int64_t)progress->done, (int64_t)progress->total, "%s",
			    progress->verb);
}

/* Send the CREATEs that are still open and settle what was sent; `open` keeps those that were not begun. */
static int create_round(struct o2_record *record, struct o2_kube *kube,
			struct o2_kube_write *writes, size_t *open, size_t *open_count,
			struct progress *progress, struct o2_err *err)
{
	struct o2_kube_write *batch = o2_xcalloc(*open_count, sizeof(*batch));
	size_t left = 0;
	int code = 0;

	for (size_t i = 0; i < *open_count; i++)
		batch[i] = writes[open[i]];
	o2_kube_write_many(kube, batch, *open_count, true, count_done, progress);
	for (size_t i = 0; i < *open_count; i++) {
		if (batch[i].err.code == -O2_ECANCELED)
			open[left++] = open[i];
		else if (code == 0)
			code = o2_record_settle_create(record, kube, &batch[i], NULL, err);
		o2_doc_free(batch[i].result);
	}
	*open_count = left;
	free(batch);
	return code;
}

static int create_on(struct o2_record *record, enum o2_side side, struct o2_record_object *objects,
		     size_t count, bool owned, struct o2_err *err)
{
	struct progress progress = { "creating", 0, count };
	struct o2_kube_write *writes = o2_xcalloc(count, sizeof(*writes));
	size_t *open = o2_xcalloc(count, sizeof(*open));
	size_t open_count = count;
	int code = 0;

	for (size_t i = 0; i < count; i++) {
		open[i] = i;
		writes[i].op = O2_KUBE_DO_CREATE;
		writes[i].kind = objects[i].kind;
		writes[i].ns = objects[i].ns;
		writes[i].name = objects[i].name;
		writes[i].body = owned_body(record, side, &objects[i], owned);
	}
	while (code == 0 && open_count > 0) {
		code = create_round(record, record->kube[side], writes, open, &open_count,
				    &progress, err);
		if (code == 0 && open_count > 0)
			code = o2_cancel_check(err);
	}
	for (size_t i = 0; i < count; i++)
		o2_doc_free((struct o2_doc *)writes[i].body);
	free(writes);
	free(open);
	return code;
}

int o2_record_create_many(struct o2_record *record, struct o2_record_object *objects, size_t count,
			  bool owned, enum o2_record_state state, struct o2_err *err)
{
	int code = o2_record_check(record, state, err);

	return code < 0 || count == 0 ? code
				      : create_on(record, O2_TARGET, objects, count, owned, err);
}

int o2_record_create_helpers(struct o2_record *record, enum o2_side side,
			     struct o2_record_object *objects, size_t count, struct o2_err *err)
{
	struct o2_record_object *marked = o2_xcalloc(count, sizeof(*marked));
	int code = o2_record_check(record, O2_STATE_OPEN, err);

	for (size_t i = 0; i < count; i++) {
		struct o2_doc *body = o2_doc_copy(objects[i].object);

		/* Neither part of the application nor of what a sweep takes for it. */
		o2_record_mark(record, body, O2_RECORD_ROLE_HELPER);
		marked[i] = objects[i];
		marked[i].object = body;
	}
	if (code == 0)
		code = create_on(record, side, marked, count, true, err);
	for (size_t i = 0; i < count; i++)
		o2_doc_free((struct o2_doc *)marked[i].object);
	free(marked);
	return code;
}

static struct o2_doc *change_patch(struct o2_record *record, const struct o2_record_object *object,
				   const struct o2_doc *now, const char *mark, struct o2_err *err)
{
	struct o2_doc *patch;

	if (!o2_record_owns(record, now)) {
		o2_fail(err, O2_ECONFLICT, "%s '%s' in %s is no longer this migration's",
			object->kind->kind, object->name, o2_kube_name(record->kube[O2_TARGET]));
		return NULL;
	}
	if (strcmp(o2_record_mark_of(now), mark) == 0)
		return NULL;
	patch = o2_doc_copy(object->object);
	o2_doc_put_str(patch, PHASE, mark);
	return patch;
}

static struct o2_doc *release_patch(struct o2_record *record, const struct o2_record_object *object,
				    const struct o2_doc *now, const char *mark, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *owner = o2_record_owner_name(record);
	const struct o2_doc *references = o2_doc_at(now, "/metadata/ownerReferences");
	struct o2_doc *patch, *kept;

	(void)object, (void)mark, (void)err;
	if (!o2_record_owns(record, now))
		return NULL;
	patch = o2_doc_object_new();
	kept = o2_doc_array_new();
	o2_doc_put(patch, "/metadata/labels/os2os.io~1txn", o2_doc_null_new());
	if (o2_doc_at(now, PHASE))
		o2_doc_put(patch, PHASE, o2_doc_null_new());
	for (size_t i = 0; i < o2_doc_count(references); i++) {
		struct o2_doc *reference = o2_doc_item(references, i);

		if (strcmp(o2_doc_member_str(reference, "name", ""), owner) != 0)
			o2_doc_append(kept, o2_doc_ref(reference));
	}
	if (o2_doc_count(kept) > 0) {
		o2_doc_put(patch, "/metadata/ownerReferences", kept);
	} else {
		o2_doc_free(kept);
		o2_doc_put(patch, "/metadata/ownerReferences", o2_doc_null_new());
	}
	return patch;
}

int o2_record_change_many(struct o2_record *record, struct o2_record_object *objects, size_t count,
			  const char *mark, enum o2_record_state state, struct o2_err *err)
{
	struct o2_record_batch batch = { .side = O2_TARGET,
					 .objects = objects,
					 .count = count,
					 .make_patch = change_patch,
					 .mark = mark };

	return o2_record_swap_many(record, &batch, state, err);
}

int o2_record_release_many(struct o2_record *record, struct o2_record_object *objects, size_t count,
			   struct o2_err *err)
{
	struct o2_record_batch batch = { .side = O2_TARGET,
					 .objects = objects,
					 .count = count,
					 .make_patch = release_patch,
					 .mark = "",
					 .absent_is_fine = true };

	return o2_record_swap_many(record, &batch, record->head.state, err);
}

/* Of objects that are ours, or held by us: others' status is not ours to write. */
static struct o2_doc *status_patch(struct o2_record *record, const struct o2_record_object *object,
				   const struct o2_doc *now, const char *mark, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *after = o2_doc_copy(now);

	(void)mark, (void)err;
	o2_doc_merge(&after, object->object);
	if ((!o2_record_owns(record, now) &&
	     strcmp(o2_doc_str(now, "/metadata/labels/os2os.io~1held", ""), record->head.id) !=
		     0) ||
	    o2_doc_equal(after, now))
		return NULL;
	return o2_doc_copy(object->object);
}

int o2_record_set_status(struct o2_record *record, enum o2_side side,
			 struct o2_record_object *objects, size_t count, enum o2_record_state state,
			 struct o2_err *err)
{
	struct o2_record_batch batch = { .side = side,
					 .objects = objects,
					 .count = count,
					 .absent_is_fine = true,
					 .make_patch = status_patch,
					 .mark = "",
					 .subresource = "status" };

	return o2_record_swap_many(record, &batch, state, err);
}
