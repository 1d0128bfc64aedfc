/*
 * Compare and swap of many objects: read, see that R1 is still this process's and in the expected state, swap with the
 * version that was read (PROTOCOL.md U2, in this order). One look at R1 serves a whole batch, since every object of it was read
 * before and is swapped after.
 */
#include "record/record_internal.h"

#define SWAP_ATTEMPTS 20

static void settle(struct o2_record_batch *batch, size_t index)
{
	batch->settled[index] = true;
	batch->open_count--;
}

/* One object as it is now: the swap that it needs, or settled if it needs none. */
static int add_swap(struct o2_record *record, struct o2_record_batch *batch, size_t index,
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
	batch->writes[batch->sent_count++] =
		(struct o2_kube_write){ .op = O2_KUBE_DO_PATCH_MERGE,
					.kind = object->kind,
					.ns = object->ns,
					.name = object->name,
					.subresource = batch->subresource,
					.body = patch };
	return 0;
}

/* One answer of the reading. */
static int take_read(struct o2_record *record, struct o2_record_batch *batch, size_t index,
		     const struct o2_kube_read *read, struct o2_err *err)
{
	if (read->object)
		return add_swap(record, batch, index, read->object, err);
	if (read->err.code == -O2_ENOTFOUND && batch->absent_is_fine)
		settle(batch, index);
	else if (read->err.code != -O2_ETRANSIENT)
		return *err = read->err, err->code;
	return 0;
}

/* Look at what is open, as it was seen or by reading it, and make the swaps. */
static int read_batch(struct o2_record *record, struct o2_record_batch *batch, struct o2_err *err)
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
		o2_kube_get_many(record->kube[batch->side], reads, count);
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
static int judge_writes(struct o2_record_batch *batch, struct o2_err *lost, struct o2_err *err)
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
static int swap_round(struct o2_record *record, struct o2_record_batch *batch,
		      enum o2_record_state state, struct o2_err *lost, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[batch->side];
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
	if (code == 0 && batch->open_count > 0 && batch->sent_count == 0)
		o2_fail(lost, O2_ETRANSIENT, "%s does not answer", o2_kube_name(kube));
	free(batch->writes);
	free(batch->sent);
	return code;
}

/* Again for those whose version moved or whose answer was lost. */
static int swap_batch(struct o2_record *record, struct o2_record_batch *batch,
		      enum o2_record_state state, struct o2_err *err)
{
	struct o2_record_wait wait = { 0 };
	int code = 0;

	for (int attempt = 0; batch->open_count > 0 && code == 0; attempt++) {
		struct o2_err lost = { 0 };

		code = swap_round(record, batch, state, &lost, err);
		if (code == 0 && lost.code != 0) {
			*err = lost;
			code = o2_record_wait_again(record, &wait, err);
		} else if (code == 0 && batch->open_count > 0 && attempt >= SWAP_ATTEMPTS) {
			code = o2_fail(err, O2_ECONFLICT,
				       "%s '%s' in %s is changed by somebody else all the time",
				       batch->objects[0].kind->kind, batch->objects[0].name,
				       o2_kube_name(record->kube[batch->side]));
		}
	}
	return code;
}

int o2_record_swap_many(struct o2_record *record, struct o2_record_batch *batch,
			enum o2_record_state state, struct o2_err *err)
{
	int code;

	batch->settled = o2_xcalloc(batch->count, sizeof(*batch->settled));
	batch->open_count = batch->count;
	code = swap_batch(record, batch, state, err);
	free(batch->settled);
	return code;
}
