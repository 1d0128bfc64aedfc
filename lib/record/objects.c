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

#define SWAP_ATTEMPTS 20

static int object_error(struct o2_err *err, const struct o2_err *cause)
{
	*err = *cause;
	return err->code;
}

/* Body of a CREATE: the object with label, and with an owner in its namespace. */
static struct o2_doc *owned_body(const struct o2_record *record,
				 const struct o2_record_object *object, bool owned)
{
	struct o2_doc *body = o2_doc_copy(object->object);

	o2_record_mark(record, body, NULL);
	if (owned && object->ns) {
		O2_AUTO(o2_freep) char *name = o2_record_owner_name(record);
		struct o2_doc *owner = o2_doc_object_new();
		const char *uid = o2_doc_member_str(record->owners, object->ns, NULL);

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
static int create_round(struct o2_record *record, struct o2_kube_write *writes, size_t *open,
			size_t *open_count, struct progress *progress, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_TARGET];
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

int o2_record_create_many(struct o2_record *record, struct o2_record_object *objects, size_t count,
			  bool owned, enum o2_record_state state, struct o2_err *err)
{
	struct progress progress = { "creating", 0, count };
	size_t open_count = count;
	int code = o2_record_check(record, state, err);

	if (code < 0 || count == 0)
		return code;
	struct o2_kube_write *writes = o2_xcalloc(count, sizeof(*writes));
	size_t *open = o2_xcalloc(count, sizeof(*open));
	for (size_t i = 0; i < count; i++) {
		open[i] = i;
		writes[i].op = O2_KUBE_DO_CREATE;
		writes[i].kind = objects[i].kind;
		writes[i].ns = objects[i].ns;
		writes[i].name = objects[i].name;
		writes[i].body = owned_body(record, &objects[i], owned);
	}
	while (code == 0 && open_count > 0) {
		code = create_round(record, writes, open, &open_count, &progress, err);
		if (code == 0 && open_count > 0)
			code = o2_cancel_check(err);
	}
	for (size_t i = 0; i < count; i++)
		o2_doc_free((struct o2_doc *)writes[i].body);
	free(writes);
	free(open);
	return code;
}

/* Merge patch that makes the wished change, or NULL if nothing is to be done. Negative code through err: not ours. */
typedef struct o2_doc *patch_fn(struct o2_record *record, const struct o2_record_object *object,
				const struct o2_doc *now, const char *mark, struct o2_err *err);

static struct o2_doc *change_patch(struct o2_record *record, const struct o2_record_object *object,
				   const struct o2_doc *now, const char *mark, struct o2_err *err)
{
	struct o2_doc *patch;

	if (!o2_record_owns(record, now)) {
		o2_fail(err, O2_ECONFLICT, "%s '%s' in %s is no longer this migration's",
			object->kind->kind, object->name, o2_kube_name(record->kube[O2_TARGET]));
		return NULL;
	}
	if (strcmp(o2_doc_str(now, "/metadata/labels/os2os.io~1phase", ""), mark) == 0)
		return NULL;
	patch = o2_doc_copy(object->object);
	o2_doc_put_str(patch, "/metadata/labels/os2os.io~1phase", mark);
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
	if (o2_doc_at(now, "/metadata/labels/os2os.io~1phase"))
		o2_doc_put(patch, "/metadata/labels/os2os.io~1phase", o2_doc_null_new());
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

/* A batch on its way: which objects still have to be swapped, and which the writes of this round are about. */
struct batch {
	struct o2_record_object *objects;
	bool *settled;
	size_t count, open_count;
	bool absent_is_fine;
	patch_fn *make_patch;
	const char *mark;
	struct o2_kube_write *writes;
	size_t *sent; /* the object of each write */
	size_t sent_count;
};

static void settle(struct batch *batch, size_t index)
{
	batch->settled[index] = true;
	batch->open_count--;
}

/* One object as it is now: the swap that it needs, or settled if it needs none. */
static int add_swap(struct o2_record *record, struct batch *batch, size_t index,
		    const struct o2_doc *now, struct o2_err *err)
{
	const struct o2_record_object *object = &batch->objects[index];
	struct o2_doc *patch = batch->make_patch(record, object, now, batch->mark, err);

	if (!patch) {
		if (err->code == 0)
			settle(batch, index);
		return err->code;
	}
	o2_doc_put_str(patch, "/metadata/resourceVersion",
		       o2_doc_str(now, "/metadata/resourceVersion", ""));
	batch->sent[batch->sent_count] = index;
	batch->writes[batch->sent_count++] = (struct o2_kube_write){ .op = O2_KUBE_DO_PATCH_MERGE,
								     .kind = object->kind,
								     .ns = object->ns,
								     .name = object->name,
								     .body = patch };
	return 0;
}

/* One answer of the reading. */
static int take_read(struct o2_record *record, struct batch *batch, size_t index,
		     const struct o2_kube_read *read, struct o2_err *err)
{
	if (read->object)
		return add_swap(record, batch, index, read->object, err);
	if (read->err.code == -O2_ENOTFOUND && batch->absent_is_fine)
		settle(batch, index);
	else if (read->err.code != -O2_ETRANSIENT)
		return object_error(err, &read->err);
	return 0;
}

/* Look at what is open, as it was seen or by reading it, and make the swaps. */
static int read_batch(struct o2_record *record, struct batch *batch, struct o2_err *err)
{
	struct o2_kube_read *reads = o2_xcalloc(batch->open_count, sizeof(*reads));
	size_t *index = o2_xcalloc(batch->open_count, sizeof(*index));
	size_t count = 0;
	int code = 0;

	for (size_t i = 0; i < batch->count && code == 0; i++) {
		struct o2_record_object *object = &batch->objects[i];

		if (batch->settled[i])
			continue;
		if (object->seen) {
			code = add_swap(record, batch, i, object->seen, err);
			object->seen = NULL; /* once: if its version moved, it is read */
			continue;
		}
		index[count] = i;
		reads[count++] = (struct o2_kube_read){ .kind = object->kind,
							.ns = object->ns,
							.name = object->name };
	}
	if (code == 0)
		o2_kube_get_many(record->kube[O2_TARGET], reads, count);
	for (size_t i = 0; i < count; i++) {
		if (code == 0)
			code = take_read(record, batch, index[i], &reads[i], err);
		o2_doc_free(reads[i].object);
	}
	free(reads);
	free(index);
	return code;
}

/* What a round of swaps came to: settled, a failure for good, or an answer that was lost. Frees what the writes hold. */
static int judge_writes(struct batch *batch, struct o2_err *lost, struct o2_err *err)
{
	for (size_t i = 0; i < batch->sent_count; i++) {
		struct o2_kube_write *write = &batch->writes[i];
		int outcome = write->err.code;

		/* Lost: the next read tells, a swap that took effect finds its mark there. */
		if (outcome == 0 && write->result)
			settle(batch, batch->sent[i]);
		else if (outcome == -O2_ETRANSIENT)
			*lost = write->err;
		else if (outcome < 0 && outcome != -O2_ECONFLICT && err->code == 0)
			*err = write->err;
		o2_doc_free((struct o2_doc *)write->body);
		o2_doc_free(write->result);
	}
	return err->code;
}

/* One round: look at what is open, see that R1 is ours, swap. `lost` says that B did not answer for some of it. */
static int swap_round(struct o2_record *record, struct batch *batch, enum o2_record_state state,
		      struct o2_err *lost, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_TARGET];
	int code;

	batch->writes = o2_xcalloc(batch->open_count, sizeof(*batch->writes));
	batch->sent = o2_xcalloc(batch->open_count, sizeof(*batch->sent));
	batch->sent_count = 0;
	code = read_batch(record, batch, err);
	if (code == 0)
		code = o2_record_check(record, state, err);
	if (code == 0)
		o2_kube_write_many(kube, batch->writes, batch->sent_count, false, NULL, NULL);
	code = judge_writes(batch, lost, err);
	if (code == 0 && batch->open_count > 0 && batch->sent_count == 0 && lost->code == 0)
		o2_fail(lost, O2_ETRANSIENT, "%s does not answer", o2_kube_name(kube));
	free(batch->writes);
	free(batch->sent);
	return code;
}

/* Again for those whose version moved or whose answer was lost. */
static int swap_batch(struct o2_record *record, struct batch *batch, enum o2_record_state state,
		      struct o2_err *err)
{
	struct o2_record_wait wait = { 0 };
	int code = 0;

	for (int attempt = 0; batch->open_count > 0 && code == 0; attempt++) {
		struct o2_err lost = { 0 };

		code = swap_round(record, batch, state, &lost, err);
		if (code == 0 && lost.code != 0) {
			*err = lost;
			code = o2_record_wait_again(record, &wait, err);
		} else if (code == 0 && attempt >= SWAP_ATTEMPTS) {
			code = o2_fail(err, O2_ECONFLICT,
				       "%s '%s' in %s is changed by somebody else all the time",
				       batch->objects[0].kind->kind, batch->objects[0].name,
				       o2_kube_name(record->kube[O2_TARGET]));
		}
	}
	return code;
}

static int swap_many(struct o2_record *record, struct batch *batch, enum o2_record_state state,
		     struct o2_err *err)
{
	int code;

	batch->settled = o2_xcalloc(batch->count ? batch->count : 1, sizeof(*batch->settled));
	batch->open_count = batch->count;
	code = swap_batch(record, batch, state, err);
	free(batch->settled);
	return code;
}

int o2_record_change_many(struct o2_record *record, struct o2_record_object *objects, size_t count,
			  const char *mark, enum o2_record_state state, struct o2_err *err)
{
	struct batch batch = {
		.objects = objects, .count = count, .make_patch = change_patch, .mark = mark
	};

	return swap_many(record, &batch, state, err);
}

int o2_record_release_many(struct o2_record *record, struct o2_record_object *objects, size_t count,
			   struct o2_err *err)
{
	struct batch batch = { .objects = objects,
			       .count = count,
			       .make_patch = release_patch,
			       .mark = "",
			       .absent_is_fine = true };

	return swap_many(record, &batch, O2_STATE_COMMITTED, err);
}
