/*
 * R1 again, when A lost it: an API server was restored from a backup of before the transaction, or somebody deleted the record. What is
 * needed to give A back stands on the held objects themselves (PROTOCOL.md U6), so their marks are its write set.
 */
#include "txn/txn_internal.h"

#include "base/log.h"
#include "kube/health.h"

/* Whose undo gives it back. */
static enum o2_step_id step_of(const struct o2_kube_kind *kind)
{
	if (strcmp(kind->kind, "PersistentVolume") == 0)
		return O2_STEP_RETAIN;
	return o2_app_is_workload(kind) ? O2_STEP_FREEZE : O2_STEP_PAUSE;
}

static int declare(void *arg, const struct o2_kube_kind *kind, struct o2_doc *held)
{
	struct o2_record *record = arg;
	O2_AUTO(o2_doc_freep) struct o2_doc *note = o2_record_undo_of(record, held);
	const struct o2_record_entry entry = {
		.step = (char *)o2_step_type(step_of(kind))->name,
		.side = O2_SOURCE,
		.api_version = (char *)o2_doc_member_str(held, "apiVersion", ""),
		.kind = (char *)kind->kind,
		.ns = (char *)o2_doc_str(held, "/metadata/namespace", NULL),
		.name = (char *)o2_doc_str(held, "/metadata/name", ""),
		.ready = (int)o2_doc_int(note, "/ready", 0),
	};

	o2_record_declare(record, &entry);
	return 0;
}

int o2_txn_renew(struct o2_record *record, struct o2_kube *source, struct o2_err *err)
{
	o2_log(O2_WARN, "A lost its record of transaction %s; it is made again from B's",
	       o2_record_id(record));
	o2_record_set_source(record, source);
	return o2_record_renew(record, "A lost its record", err);
}

int o2_txn_find_held(struct o2_record *record, struct o2_err *err)
{
	return o2_record_sweep_held(record, declare, record, err) < 0
		       ? o2_prefix(err, "cannot find what is held in A")
		       : 0;
}
