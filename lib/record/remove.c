/* Deleting what the transaction made: by uid, in many at once, and seen to be gone. */
#include "record/record_internal.h"

#include "base/log.h"

#define POLL_FIRST_MS 100
#define POLL_MAX_MS 1000
/* Pods may take their graceful termination, volumes their detaching. */
#define GONE_TIMEOUT_MS 300000
#define GONE_HASTE_MS 45000 /* a usual grace and a bit; only a node that is lost takes longer */

/* Ours by label, or the very one that was named by uid. */
static bool is_meant(const struct o2_record *record, const struct o2_record_object *object,
		     const struct o2_doc *now)
{
	if (object->uid)
		return strcmp(o2_doc_str(now, "/metadata/uid", ""), object->uid) == 0;
	return o2_record_owns(record, now);
}

/* What is still there and ours. `gone` marks those that need no more looking at; returns how many are left. */
static size_t look(struct o2_record *record, enum o2_side side, struct o2_record_object *objects,
		   size_t count, bool *gone, struct o2_kube_read *reads, struct o2_err *lost)
{
	size_t left = 0, asked = 0;
	struct o2_kube_read *asks = o2_xcalloc(count, sizeof(*asks));

	for (size_t i = 0; i < count; i++) {
		if (!gone[i])
			asks[asked++] = (struct o2_kube_read){ .kind = objects[i].kind,
							       .ns = objects[i].ns,
							       .name = objects[i].name };
	}
	o2_kube_get_many(record->kube[side], asks, asked);
	asked = 0;
	for (size_t i = 0; i < count; i++) {
		if (gone[i])
			continue;
		reads[i] = asks[asked++];
		if (!reads[i].object && reads[i].err.code != -O2_ENOTFOUND)
			*lost = reads[i].err;
		gone[i] = (!reads[i].object && reads[i].err.code == -O2_ENOTFOUND) ||
			  (reads[i].object && !is_meant(record, &objects[i], reads[i].object));
		left += !gone[i];
	}
	free(asks);
	return left;
}

/* DELETE what is not being deleted yet. */
static int order_deletion(struct o2_record *record, enum o2_side side,
			  struct o2_record_object *objects, size_t count, const bool *gone,
			  const struct o2_kube_read *reads, bool foreground, struct o2_err *err)
{
	struct o2_kube_write *writes = o2_xcalloc(count, sizeof(*writes));
	size_t asked = 0;
	int code = 0;

	for (size_t i = 0; i < count; i++) {
		if (gone[i] || !reads[i].object ||
		    o2_doc_at(reads[i].object, "/metadata/deletionTimestamp"))
			continue;
		writes[asked++] =
			(struct o2_kube_write){ .op = O2_KUBE_DO_DELETE,
						.kind = objects[i].kind,
						.ns = objects[i].ns,
						.name = objects[i].name,
						.uid = o2_doc_str(reads[i].object, "/metadata/uid",
								  ""),
						.propagation = foreground ? "Foreground" : NULL };
	}
	o2_kube_write_many(record->kube[side], writes, asked, false, NULL, NULL);
	for (size_t i = 0; i < asked; i++) {
		int outcome = writes[i].err.code;

		/* Lost, gone or replaced meanwhile: the next look tells. */
		if (outcome < 0 && outcome != -O2_ETRANSIENT && outcome != -O2_ENOTFOUND &&
		    outcome != -O2_ECONFLICT && code == 0) {
			*err = writes[i].err;
			code = outcome;
		}
		o2_doc_free(writes[i].result);
	}
	free(writes);
	return code;
}

static void free_reads(struct o2_kube_read *reads, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		o2_doc_free(reads[i].object);
		reads[i].object = NULL;
	}
}

static int remove_on(struct o2_record *record, enum o2_side side, struct o2_record_object *objects,
		     size_t count, bool foreground, struct o2_err *err)
{
	bool *gone = o2_xcalloc(count, sizeof(*gone));
	struct o2_kube_read *reads = o2_xcalloc(count, sizeof(*reads));
	int64_t timeout_ms = record->haste ? GONE_HASTE_MS : GONE_TIMEOUT_MS;
	int64_t give_up = o2_clock_ms() + timeout_ms, pause = POLL_FIRST_MS;
	struct o2_record_wait wait = { 0 };
	size_t left = count;
	int code = 0;

	while (left > 0 && code == 0) {
		struct o2_err lost = { 0 };

		left = look(record, side, objects, count, gone, reads, &lost);
		if (left > 0)
			code = order_deletion(record, side, objects, count, gone, reads, foreground,
					      err);
		free_reads(reads, count);
		if (left == 0 || code < 0)
			break;
		if (lost.code == -O2_ETRANSIENT) {
			*err = lost;
			code = o2_record_wait_again(record, &wait, err);
			continue;
		}
		if (lost.code < 0) {
			*err = lost;
			code = lost.code;
			break;
		}
		o2_log_step((int64_t)(count - left), (int64_t)count, "removing");
		if (o2_clock_ms() > give_up)
			code = o2_fail(err, O2_ETRANSIENT,
				       "%zu objects in %s are still being deleted after %lld s",
				       left, o2_kube_name(record->kube[side]),
				       (long long)(timeout_ms / 1000));
		o2_clock_sleep_ms(pause);
		pause = pause * 2 > POLL_MAX_MS ? POLL_MAX_MS : pause * 2;
	}
	free(gone);
	free(reads);
	return code;
}

int o2_record_remove_many(struct o2_record *record, struct o2_record_object *objects, size_t count,
			  bool foreground, struct o2_err *err)
{
	o2_record_reclaim_volumes(record, objects, count);
	return remove_on(record, O2_TARGET, objects, count, foreground, err);
}

int o2_record_remove_helpers(struct o2_record *record, enum o2_side side,
			     struct o2_record_object *objects, size_t count, struct o2_err *err)
{
	return remove_on(record, side, objects, count, false, err);
}

int o2_record_dismiss_helpers(struct o2_record *record, enum o2_side side,
			      struct o2_record_object *objects, size_t count, struct o2_err *err)
{
	bool *gone = o2_xcalloc(count, sizeof(*gone));
	struct o2_kube_read *reads = o2_xcalloc(count, sizeof(*reads));
	struct o2_err lost = { 0 };
	int code = 0;

	if (look(record, side, objects, count, gone, reads, &lost) > 0)
		code = order_deletion(record, side, objects, count, gone, reads, false, err);
	free_reads(reads, count);
	free(gone);
	free(reads);
	return code;
}

int o2_record_retire_many(struct o2_record *record, struct o2_record_object *objects, size_t count,
			  struct o2_err *err)
{
	for (size_t i = 0; i < count; i++)
		assert(objects[i].uid && objects[i].uid[0]);
	return remove_on(record, O2_SOURCE, objects, count, true, err);
}
