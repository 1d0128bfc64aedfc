/*
 * Backwards: B first, by the write set and then by label, so that what recovery does needs neither the plan nor the process that
 * began it.
 */
#include "txn/txn_internal.h"

#include "base/cancel.h"
#include "base/fault.h"
#include "base/log.h"

static int undo_step(struct o2_record *record, enum o2_step_id id, struct o2_err *err)
{
	const struct o2_step_type *type = o2_step_type(id);
	size_t count;
	char point[64];
	int code;

	if (!type->undo)
		return 0;
	O2_AUTO(o2_freep)
	const struct o2_record_entry **entries = o2_step_entries(record, id, &count);
	if (count == 0)
		return 0;
	snprintf(point, sizeof(point), "undo.%s", type->name);
	code = o2_fault_point(point, err);
	if (code == 0) {
		o2_log_step(0, (int64_t)count, "undoing step '%s'", type->name);
		code = type->undo(record, entries, count, err);
	}
	return code < 0 ? o2_prefix(err, "cannot undo step '%s'", type->name) : code;
}

/* What carries our label although no entry names it, or came late. */
struct leftovers {
	struct o2_record_object *items;
	size_t count, cap;
	bool workloads; /* collect only those, or only the others */
};

static int collect(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	struct leftovers *left = arg;

	if (o2_app_is_workload(kind) != left->workloads || strcmp(kind->kind, "Namespace") == 0)
		return 0;
	O2_GROW(left->items, left->count, left->cap);
	left->items[left->count++] = (struct o2_record_object){
		.kind = kind,
		.ns = o2_xstrdup_null(o2_doc_str(item, "/metadata/namespace", NULL)),
		.name = o2_xstrdup(o2_doc_str(item, "/metadata/name", ""))
	};
	return 0;
}

static int remove_leftovers(struct o2_record *record, bool workloads, struct o2_err *err)
{
	struct leftovers left = { .workloads = workloads };
	int code = o2_record_sweep(record, collect, &left, err);

	if (code == 0 && left.count > 0)
		code = o2_record_remove_many(record, left.items, left.count, workloads, err);
	for (size_t i = 0; i < left.count; i++) {
		free((char *)left.items[i].ns);
		free((char *)left.items[i].name);
	}
	free(left.items);
	return code;
}

/* Steps that are undone on A. */
static bool is_on_source(enum o2_step_id id)
{
	return id == O2_STEP_RETAIN || id == O2_STEP_PAUSE || id == O2_STEP_FREEZE;
}

/*
 * A gets back what it had, and is seen to serve; the guard goes with the freeze. Movers only read: they are ordered away first, and seen
 * gone with the other helpers afterwards, for which A does not wait.
 */
static int undo_source(struct o2_record *record, struct o2_err *err)
{
	if (!o2_record_kube(record, O2_SOURCE))
		return 0;
	if (o2_record_dismiss_helper_pods(record, O2_SOURCE, err) < 0)
		return err->code;
	for (int id = O2_STEP_ID_COUNT - 1; id >= 0; id--) {
		if (is_on_source((enum o2_step_id)id) &&
		    undo_step(record, (enum o2_step_id)id, err) < 0)
			return err->code;
	}
	return o2_record_clear_helpers(record, O2_SOURCE, err);
}

/* B's workloads end. */
static int stop_target(struct o2_record *record, struct o2_err *err)
{
	for (int id = O2_STEP_ID_COUNT - 1; id >= O2_STEP_START; id--) {
		if (undo_step(record, (enum o2_step_id)id, err) < 0)
			return err->code;
	}
	return o2_record_clear_helpers(record, O2_TARGET, err);
}

static bool names_target(const struct o2_record *record)
{
	for (size_t i = 0; i < o2_record_entry_count(record); i++) {
		if (o2_record_entry(record, i)->side == O2_TARGET)
			return true;
	}
	return false;
}

/* In the reverse order of the table; what lies about by label goes before its owner and its namespace. */
static int clear_target(struct o2_record *record, struct o2_err *err)
{
	const struct o2_strs *namespaces = &o2_record_head(record)->target_namespaces;

	for (int id = O2_STEP_START - 1; id > O2_STEP_OWNER; id--) {
		if (!is_on_source((enum o2_step_id)id) &&
		    undo_step(record, (enum o2_step_id)id, err) < 0)
			return err->code;
	}
	if (remove_leftovers(record, true, err) < 0 || remove_leftovers(record, false, err) < 0)
		return o2_prefix(err, "cannot remove what is left on B");
	for (int id = O2_STEP_OWNER; id >= 0; id--) {
		if (undo_step(record, (enum o2_step_id)id, err) < 0)
			return err->code;
	}
	/* Where the write set names nothing of B (R1 was lost), the label alone tells which namespaces were made. */
	for (size_t i = 0; i < namespaces->count && !names_target(record); i++) {
		if (o2_record_remove_owner(record, O2_TARGET, namespaces->items[i], err) < 0 ||
		    o2_record_remove_namespace(record, namespaces->items[i], err) < 0)
			return err->code;
	}
	return 0;
}

/*
 * B's workloads end first, so that only one side ever works; then A serves again, and only then the rest of B goes: A does not wait for
 * what it does not need. A B that does not answer, or whose node is lost so that pods can't be seen to end, does not keep A from serving
 * either, since no door on B is open and whoever opens one must read COMMITTED.
 */
static int undo_all(struct o2_record *record, struct o2_err *err)
{
	int stopped;

	o2_record_set_haste(record, true);
	stopped = stop_target(record, err);
	o2_record_set_haste(record, false);
	if (stopped < 0) {
		if (stopped != -O2_ETRANSIENT)
			return stopped;
		o2_log(O2_WARN, "%s; A does not wait for that", err->message);
		o2_err_clear(err);
	}
	if (undo_source(record, err) < 0)
		return err->code;
	if (stopped < 0 && stop_target(record, err) < 0)
		return o2_prefix(err, "A is as before, B has still to be cleaned");
	return clear_target(record, err);
}

int o2_txn_stop_target(struct o2_record *record, struct o2_err *err)
{
	return stop_target(record, err);
}

int o2_txn_thaw(struct o2_record *record, struct o2_err *err)
{
	int code;

	o2_cancel_mask(true);
	code = undo_source(record, err);
	o2_cancel_mask(false);
	return code;
}

/* A sign of life for `os2os cancel`, which waits for the holder; nothing rests on it. */
static void tell_of_undo(struct o2_record *record)
{
	struct o2_err err = { 0 };

	if (o2_record_set_phase(record, O2_TXN_PHASE_UNDO, &err) < 0)
		o2_log(O2_DEBUG, "%s", err.message);
}

int o2_txn_undo(struct o2_record *record, const char *reason, const struct o2_doc *report,
		struct o2_err *err)
{
	int code;

	o2_cancel_mask(true);
	o2_log_phase(O2_TXN_PHASE_UNDO);
	code = o2_fault_point("abort.before", err);
	if (code == 0)
		code = o2_record_abort(record, reason, err);
	if (code == 0)
		tell_of_undo(record);
	if (code == 0)
		code = o2_fault_point("abort.after", err);
	if (code == 0)
		code = undo_all(record, err);
	if (code == 0)
		code = o2_fault_point("close.before", err);
	if (code == 0)
		code = o2_record_close(record, report, err);
	o2_cancel_mask(false);
	return code;
}

int o2_txn_undo_by_label(struct o2_record *record, struct o2_txn_result *result, struct o2_err *err)
{
	int code;

	o2_cancel_mask(true);
	o2_log_phase(O2_TXN_PHASE_UNDO);
	code = undo_all(record, err);
	if (code == 0)
		code = o2_record_close(record, NULL, err);
	o2_cancel_mask(false);
	o2_txn_conclude(result, code == 0 ? O2_TXN_UNDONE : O2_TXN_HALFWAY, record, "%s",
			code == 0 ? "B is as before" : "B is not clean yet; run the command again");
	return code;
}
