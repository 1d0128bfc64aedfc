/* The lock of a namespace: one ConfigMap of a fixed name, made by CREATE (PROTOCOL.md U13). */
#include "record/record_internal.h"

static struct o2_doc *lock_doc(const struct o2_record *record, const char *ns)
{
	struct o2_doc *map = o2_doc_object_new();

	o2_doc_put_str(map, "/apiVersion", "v1");
	o2_doc_put_str(map, "/kind", "ConfigMap");
	o2_doc_put_str(map, "/metadata/name", O2_RECORD_LOCK_NAME);
	o2_doc_put_str(map, "/metadata/namespace", ns);
	o2_record_mark(record, map, "lock");
	o2_doc_put_str(map, "/data/transaction", record->head.id);
	o2_doc_put_str(map, "/data/holder", record->self);
	return map;
}

/* Who holds it, as the error; O2_ENOTFOUND if it is gone meanwhile. */
static int name_holder(struct o2_record *record, struct o2_kube *kube, const char *ns, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *lock = o2_record_get(record, kube, o2_record_kind(kube, "ConfigMap"), ns, O2_RECORD_LOCK_NAME, err);
	const char *id = o2_doc_str(lock, "/data/transaction", "?");

	if (!lock)
		return err->code;
	return o2_fail(err, O2_EBUSY,
		       "namespace '%s' in %s is held by transaction %s (%s); wait for its end, or run 'os2os recover %s' if its process is gone", ns,
		       o2_kube_name(kube), id, o2_doc_str(lock, "/data/holder", "?"), id);
}

int o2_record_lock(struct o2_record *record, enum o2_side side, const char *ns, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[side];
	O2_AUTO(o2_doc_freep) struct o2_doc *map = lock_doc(record, ns);
	struct o2_kube_write write = { .op = O2_KUBE_DO_CREATE, .kind = o2_record_kind(kube, "ConfigMap"), .ns = ns, .body = map };
	int code;

	(void)!o2_kube_write_one(kube, &write, NULL);
	code = o2_record_settle_create(record, kube, &write, NULL, err);
	o2_doc_free(write.result);
	if (code != -O2_ECONFLICT)
		return code;
	o2_err_clear(err);
	return name_holder(record, kube, ns, err);
}

int o2_record_unlock(struct o2_record *record, enum o2_side side, const char *ns, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[side];

	return o2_record_delete_own(record, kube, o2_record_kind(kube, "ConfigMap"), ns, O2_RECORD_LOCK_NAME, err);
}

int o2_record_remove_stray_locks(struct o2_kube *kube, const struct o2_strs *namespaces, const char *id, struct o2_err *err)
{
	O2_AUTO(o2_record_freep) struct o2_record *record = o2_record_new(kube, kube, "");

	snprintf(record->head.id, sizeof(record->head.id), "%s", id);
	for (size_t i = 0; i < namespaces->count; i++) {
		if (o2_record_unlock(record, O2_SOURCE, namespaces->items[i], err) < 0)
			return err->code;
	}
	return 0;
}
