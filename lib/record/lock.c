/* The lock of a namespace: one ConfigMap of a fixed name, made by CREATE (PROTOCOL.md U13). */
#include "record/record_internal.h"

/* Whose lock it is: B's outlives A's record where A is restored from a backup, and A alone can tell that there is none. */
static void put_home(const struct o2_record *record, struct o2_doc *map)
{
	char cluster[65] = "";

	/* The source's locks come first, and the plan has asked for the cluster's id. */
	assert(record->locks[O2_SOURCE].count > 0);
	(void)!o2_kube_cluster_id(record->kube[O2_SOURCE], cluster, NULL);
	o2_doc_put_str(map, "/data/sourceCluster", cluster);
	o2_doc_put_str(map, "/data/sourceNamespace", record->locks[O2_SOURCE].items[0]);
}

static struct o2_doc *lock_doc(const struct o2_record *record, enum o2_side side, const char *ns)
{
	struct o2_doc *map = o2_doc_object_new();

	o2_doc_put_str(map, "/apiVersion", "v1");
	o2_doc_put_str(map, "/kind", "ConfigMap");
	o2_doc_put_str(map, "/metadata/name", O2_RECORD_LOCK_NAME);
	o2_doc_put_str(map, "/metadata/namespace", ns);
	o2_record_mark(record, map, "lock");
	o2_doc_put_str(map, "/data/transaction", record->head.id);
	o2_doc_put_str(map, "/data/holder", record->self);
	o2_doc_put_str(map, "/data/side", side == O2_SOURCE ? "source" : "target");
	if (side == O2_TARGET)
		put_home(record, map);
	return map;
}

/* Who holds it, as the error; O2_ENOTFOUND if it is gone meanwhile. */
static int name_holder(struct o2_record *record, struct o2_kube *kube, const char *ns,
		       struct o2_err *err)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *lock = o2_record_get(record, kube, o2_record_kind(kube, "ConfigMap"), ns,
					    O2_RECORD_LOCK_NAME, err);
	const char *id = o2_doc_str(lock, "/data/transaction", "?");

	if (!lock)
		return err->code;
	return o2_fail(err, O2_EBUSY,
		       "namespace '%s' in %s is held by transaction %s (%s); wait for its end, or "
		       "run 'os2os recover %s' if its process is gone",
		       ns, o2_kube_name(kube), id, o2_doc_str(lock, "/data/holder", "?"), id);
}

int o2_record_lock(struct o2_record *record, enum o2_side side, const char *ns, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[side];
	O2_AUTO(o2_doc_freep) struct o2_doc *map = lock_doc(record, side, ns);
	int code = o2_record_create_one(record, side, "ConfigMap", map, NULL, err);

	/* Also if nobody knows whether it was made: then it is looked for in the end. */
	if (code == 0 || code == -O2_ETRANSIENT || code == -O2_ECANCELED)
		o2_strs_add_unique(&record->locks[side], ns);
	if (code != -O2_ECONFLICT)
		return code;
	o2_err_clear(err);
	return name_holder(record, kube, ns, err);
}

int o2_record_unlock(struct o2_record *record, enum o2_side side, const char *ns,
		     struct o2_err *err)
{
	struct o2_kube *kube = record->kube[side];

	return o2_record_delete_own(record, kube, o2_record_kind(kube, "ConfigMap"), ns,
				    O2_RECORD_LOCK_NAME, err);
}

int o2_record_discard(struct o2_record *record, struct o2_err *err)
{
	assert(record->head.state == O2_STATE_ABSENT);
	if (record->head.source_namespaces.count > 0 && o2_record_write_set_drop(record, err) < 0)
		return err->code;
	for (int side = O2_TARGET; side >= O2_SOURCE; side--) {
		for (size_t i = 0; i < record->locks[side].count; i++) {
			if (o2_record_unlock(record, (enum o2_side)side,
					     record->locks[side].items[i], err) < 0)
				return err->code;
		}
	}
	return 0;
}

/*
 * The transaction may be about to write its R1: a closed one in that name keeps it from that. Locks are made first, so R1 would be in one
 * of the namespaces that are locked.
 */
static int bar_record(struct o2_record *record, const char *ns, struct o2_err *err)
{
	char stamp[33];

	o2_strs_add(&record->head.source_namespaces, ns);
	record->head.state = O2_STATE_ABORTED;
	record->head.clean = true;
	record->head.created = record->head.changed = o2_clock_unix();
	o2_record_make_stamp(stamp);
	O2_AUTO(o2_doc_freep) struct o2_doc *map = o2_record_head_to_doc(record, O2_SOURCE, stamp);
	struct o2_doc *there = NULL;
	int code = o2_record_create_one(record, O2_SOURCE, "ConfigMap", map, &there, err);

	if (code < 0)
		return code;
	/* Who bars it writes a closed one; one with work left has a write set that is still needed. */
	if (strcmp(o2_doc_str(there, "/data/state", ""), "ABORTED") != 0 ||
	    strcmp(o2_doc_str(there, "/data/clean", ""), "true") != 0)
		code = o2_fail(
			err, O2_EBUSY,
			"transaction %s has a record that is not finished: it began meanwhile, "
			"or its clusters are known here by other names",
			record->head.id);
	o2_doc_free(there);
	return code;
}

int o2_record_bar(struct o2_kube *kube, const char *ns, const char *id, struct o2_err *err)
{
	O2_AUTO(o2_record_freep) struct o2_record *record = o2_record_new(kube, kube, "");

	snprintf(record->head.id, sizeof(record->head.id), "%s", id);
	return bar_record(record, ns, err);
}

int o2_record_clear_chunks(struct o2_record *record, const char *ns, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_SOURCE];
	const struct o2_kube_kind *kind = o2_record_kind(kube, "ConfigMap");

	for (int number = 0;; number++) {
		O2_AUTO(o2_freep) char *suffix = o2_xasprintf("ws-%d", number);
		O2_AUTO(o2_freep) char *name = o2_record_name(record, suffix);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *chunk = o2_record_get(record, kube, kind, ns, name, err);

		if (!chunk && err->code != -O2_ENOTFOUND)
			return err->code;
		if (!chunk)
			break;
		if (o2_record_delete_own(record, kube, kind, ns, name, err) < 0)
			return err->code;
	}
	o2_err_clear(err);
	return 0;
}

int o2_record_clear_strays(struct o2_kube *kube, enum o2_side side, const char *ns, const char *id,
			   struct o2_err *err)
{
	O2_AUTO(o2_record_freep) struct o2_record *record = o2_record_new(kube, kube, "");

	snprintf(record->head.id, sizeof(record->head.id), "%s", id);
	if (o2_record_clear_chunks(record, ns, err) < 0 ||
	    (side == O2_TARGET && o2_record_remove_namespace(record, ns, err) < 0))
		return err->code;
	return o2_record_delete_own(record, kube, o2_record_kind(kube, "ConfigMap"), ns,
				    O2_RECORD_LOCK_NAME, err);
}
