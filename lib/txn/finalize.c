/*
 * finalize: A's frozen application is taken away, after B has it.
 *
 * Everything is named by uid in the write set, so what somebody made anew under an old name stays. Workloads go first, then
 * configuration; the volumes get their reclaim policy back before their claims go, so that what A's class says about them happens.
 */
#include "txn/txn_internal.h"

#include "base/log.h"

static bool is_claim(const struct o2_record_entry *entry)
{
	return strcmp(entry->kind, "PersistentVolumeClaim") == 0;
}

static bool is_of(const struct o2_record_entry *entry, enum o2_step_id id)
{
	return strcmp(entry->step, o2_step_type(id)->name) == 0;
}

static struct o2_record_object object_of(const struct o2_record *record,
					 const struct o2_record_entry *entry)
{
	return (struct o2_record_object){
		.kind = o2_kube_kind_exact(o2_record_kube(record, O2_SOURCE), entry->api_version,
					   entry->kind),
		.ns = entry->ns,
		.name = entry->name,
		.uid = entry->uid,
	};
}

/* Somebody who thawed A by hand uses it: then it is not ours to take away. */
static int see_frozen(struct o2_record *record, struct o2_err *err)
{
	for (size_t i = 0; i < o2_record_entry_count(record); i++) {
		const struct o2_record_entry *entry = o2_record_entry(record, i);
		struct o2_record_object object = object_of(record, entry);

		if (!is_of(entry, O2_STEP_FREEZE) || !object.kind)
			continue;
		O2_AUTO(o2_doc_freep)
		struct o2_doc *now = o2_kube_get(o2_record_kube(record, O2_SOURCE), object.kind,
						 object.ns, object.name, err);
		if (!now && err->code != -O2_ENOTFOUND)
			return err->code;
		o2_err_clear(err);
		if (!now || strcmp(o2_doc_str(now, "/metadata/uid", ""), entry->uid) != 0)
			continue;
		if (!o2_record_is_as_held(record, now))
			return o2_fail(err, O2_ECONFLICT,
				       "%s %s/%s on A is no longer as the migration froze it: "
				       "somebody uses it; delete by hand what is not needed",
				       entry->kind, entry->ns, entry->name);
	}
	return 0;
}

/* What A's volumes are told again: to be deleted with their claims, or whatever their class said. */
static int release_volumes(struct o2_record *record, struct o2_err *err)
{
	struct o2_record_object *objects =
		o2_xcalloc(o2_record_entry_count(record), sizeof(*objects));
	size_t count = 0;
	int code;

	for (size_t i = 0; i < o2_record_entry_count(record); i++) {
		const struct o2_record_entry *entry = o2_record_entry(record, i);

		if (is_of(entry, O2_STEP_RETAIN))
			objects[count++] = object_of(record, entry);
	}
	code = o2_record_restore_many(record, objects, count, O2_STATE_DONE, err);
	free(objects);
	return code;
}

static int retire(struct o2_record *record, bool claims, struct o2_err *err)
{
	struct o2_record_object *objects =
		o2_xcalloc(o2_record_entry_count(record), sizeof(*objects));
	size_t count = 0;
	int code = 0;

	/* Workloads and what was created late come before what they use. */
	for (size_t i = o2_record_entry_count(record); i-- > 0;) {
		const struct o2_record_entry *entry = o2_record_entry(record, i);
		struct o2_record_object object = object_of(record, entry);

		if (strcmp(entry->step, O2_RECORD_RETIRE) == 0 && is_claim(entry) == claims &&
		    object.kind)
			objects[count++] = object;
	}
	o2_log_step(0, (int64_t)count, "deleting %zu %s of A", count,
		    claims ? "claims" : "objects");
	code = o2_record_retire_many(record, objects, count, err);
	free(objects);
	return code;
}

size_t o2_txn_retired_count(const struct o2_record *record)
{
	size_t count = 0;

	for (size_t i = 0; i < o2_record_entry_count(record); i++)
		count += strcmp(o2_record_entry(record, i)->step, O2_RECORD_RETIRE) == 0;
	return count;
}

int o2_txn_finalize(struct o2_record *record, struct o2_err *err)
{
	if (see_frozen(record, err) < 0 || retire(record, false, err) < 0 ||
	    release_volumes(record, err) < 0 || retire(record, true, err) < 0)
		return err->code;
	return o2_record_retired(record, err);
}
