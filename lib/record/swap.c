/*
 * Compare and swap of R1, and its mirror R2.
 *
 * Every write of a head carries a stamp of its own. After a lost answer the stamp tells whether the write took effect: the same
 * bytes may be sent again, since with one resourceVersion at most one of them can land.
 */
#include "record/record_internal.h"

#include "base/log.h"
#include "crypto/crypto.h"

#include <inttypes.h>

void o2_record_make_stamp(char out[33])
{
	unsigned char bytes[16];

	o2_random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void remember_version(struct o2_record *record, const struct o2_doc *map)
{
	free(record->resource_version);
	record->resource_version = o2_xstrdup(o2_doc_str(map, "/metadata/resourceVersion", ""));
}

/* What another process did to R1, as an error. */
static int lost_to(const struct o2_record *record, const struct o2_record_head *now,
		   struct o2_err *err)
{
	const char *home = o2_kube_name(record->kube[O2_SOURCE]);

	if (now->epoch != record->head.epoch || strcmp(now->holder, record->head.holder) != 0)
		return o2_fail(err, O2_ECONFLICT,
			       "transaction %s was taken over by %s and is %s in %s", now->id,
			       now->holder, o2_record_state_name(now->state), home);
	return o2_fail(err, O2_ECONFLICT, "transaction %s is %s in %s%s%s", now->id,
		       o2_record_state_name(now->state), home, now->reason[0] ? ": " : "",
		       now->reason);
}

/* Somebody asked for the end without taking over: this process still holds the transaction, and undoes it. */
static void adopt_abort(struct o2_record *record, const struct o2_record_head *now)
{
	record->head.state = O2_STATE_ABORTED;
	free(record->head.reason);
	record->head.reason = o2_xstrdup(now->reason);
}

/* After a refused or lost swap: 1 it is ours already, 0 same epoch and state as we believe (swap again), negative otherwise. */
static int look_again(struct o2_record *record, enum o2_record_state before, const char *name,
		      const char *stamp, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_SOURCE];
	struct o2_record_head now = { 0 };
	O2_AUTO(o2_doc_freep)
	struct o2_doc *map = o2_record_get(record, kube, o2_record_kind(kube, "ConfigMap"),
					   o2_record_home(record, O2_SOURCE), name, err);
	int code = 0;

	if (!map)
		return err->code;
	if (strcmp(o2_doc_str(map, "/data/stamp", ""), stamp) == 0) {
		remember_version(record, map);
		return 1;
	}
	if (o2_record_head_from_doc(map, &now, err) < 0)
		return err->code;
	if (now.epoch != record->head.epoch || now.state != before)
		code = lost_to(record, &now, err);
	if (now.epoch == record->head.epoch &&
	    (now.state == before || now.state == O2_STATE_ABORTED))
		remember_version(record, map);
	if (now.epoch == record->head.epoch && now.state == O2_STATE_ABORTED)
		adopt_abort(record, &now);
	o2_record_head_release(&now);
	return code;
}

/* `before`: the state that R1 must still be in. */
static int swap_from(struct o2_record *record, enum o2_record_state before, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_SOURCE];
	struct o2_record_wait wait = { 0 };
	char stamp[33];

	if (record->is_lost)
		return o2_fail(err, O2_ECONFLICT, "transaction %s was taken over by somebody else",
			       record->head.id);
	o2_record_make_stamp(stamp);
	record->head.changed = o2_clock_unix();
	O2_AUTO(o2_doc_freep) struct o2_doc *map = o2_record_head_to_doc(record, O2_SOURCE, stamp);
	const char *name = o2_doc_str(map, "/metadata/name", "");

	for (;;) {
		struct o2_kube_write write = { .op = O2_KUBE_DO_REPLACE,
					       .kind = o2_record_kind(kube, "ConfigMap"),
					       .ns = o2_record_home(record, O2_SOURCE),
					       .name = name,
					       .body = map };
		int code, again;

		o2_doc_put_str(map, "/metadata/resourceVersion", record->resource_version);
		code = o2_kube_write_one(kube, &write, err);
		if (code == 0) {
			remember_version(record, write.result);
			o2_doc_free(write.result);
			return 0;
		}
		if (code == -O2_ETRANSIENT) {
			if (o2_record_wait_again(record, &wait, err) < 0)
				return err->code;
		} else if (code == -O2_ECONFLICT) {
			o2_err_clear(err);
		} else {
			return o2_prefix(err, "cannot write the record of transaction %s",
					 record->head.id);
		}
		again = look_again(record, before, name, stamp, err);
		if (again != 0)
			return again < 0 ? again : 0;
	}
}

int o2_record_swap(struct o2_record *record, struct o2_err *err)
{
	return swap_from(record, record->head.state, err);
}

int o2_record_check(struct o2_record *record, enum o2_record_state state, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *name = o2_record_name(record, "source");
	/* COMMITTED is final: once this process knows it, an A that does not answer stops nothing. */
	bool is_final = state == O2_STATE_COMMITTED && record->head.state == O2_STATE_COMMITTED;
	int patience_ms = record->patience_ms;
	int code;

	assert(record->kube[O2_SOURCE] || is_final);
	if (is_final && (!record->kube[O2_SOURCE] || record->source_lost))
		return 0;
	if (is_final)
		record->patience_ms = 0;
	code = look_again(record, state, name, "-", err);
	record->patience_ms = patience_ms;
	if (is_final && code == -O2_ETRANSIENT) {
		o2_log(O2_WARN, "%s; the decision is known, B is opened all the same",
		       err->message);
		o2_err_clear(err);
		record->source_lost = true;
		return 0;
	}
	if (code == -O2_ENOTFOUND)
		return o2_prefix(err, "the record of transaction %s is gone", record->head.id);
	return code;
}

int o2_record_move_state(struct o2_record *record, enum o2_record_state from,
			 enum o2_record_state to, struct o2_err *err)
{
	int code;

	assert(record->head.state == from);
	/* The CREATE of R1 may have been lost, or landed without our knowing its version. */
	if (record->resource_version[0] == '\0' && o2_record_check(record, from, err) < 0)
		return err->code;
	record->head.state = to;
	code = swap_from(record, from, err);
	if (code < 0 && record->head.state == to)
		record->head.state = from;
	return code;
}

int o2_record_decide(struct o2_record *record, struct o2_err *err)
{
	int code = o2_record_move_state(record, O2_STATE_OPEN, O2_STATE_COMMITTED, err);

	record->in_doubt = code == -O2_ETRANSIENT;
	return code;
}

bool o2_record_is_in_doubt(const struct o2_record *record)
{
	return record->in_doubt;
}

int o2_record_abort(struct o2_record *record, const char *reason, struct o2_err *err)
{
	int code;

	if (record->head.state == O2_STATE_ABORTED)
		return 0;
	free(record->head.reason);
	record->head.reason = o2_xstrdup(reason);
	code = o2_record_move_state(record, O2_STATE_OPEN, O2_STATE_ABORTED, err);
	return code;
}

int o2_record_take_over(struct o2_record *record, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_SOURCE];
	O2_AUTO(o2_freep) char *name = o2_record_name(record, "source");

	/* The swap must start from what is there now, not from what this process believes. */
	O2_AUTO(o2_doc_freep)
	struct o2_doc *map = o2_record_get(record, kube, o2_record_kind(kube, "ConfigMap"),
					   o2_record_home(record, O2_SOURCE), name, err);
	struct o2_record_head now = { 0 };

	if (!map || o2_record_head_from_doc(map, &now, err) < 0)
		return err->code;
	free(now.holder);
	now.holder = o2_xstrdup(record->self);
	o2_record_head_release(&record->head);
	record->head = now;
	remember_version(record, map);

	/* look_again() compares epochs, so a rival that is quicker makes this fail. */
	record->head.epoch++;
	char stamp[33];
	o2_record_make_stamp(stamp);
	O2_AUTO(o2_doc_freep) struct o2_doc *next = o2_record_head_to_doc(record, O2_SOURCE, stamp);
	struct o2_kube_write write = { .op = O2_KUBE_DO_REPLACE,
				       .kind = o2_record_kind(kube, "ConfigMap"),
				       .ns = o2_record_home(record, O2_SOURCE),
				       .name = name,
				       .body = next };
	o2_doc_put_str(next, "/metadata/resourceVersion", record->resource_version);
	int code = o2_kube_write_one(kube, &write, err);
	if (code == 0)
		remember_version(record, write.result);
	else if (code == -O2_ETRANSIENT || code == -O2_ECONFLICT) {
		o2_err_clear(err);
		code = look_again(record, record->head.state, name, stamp, err);
		if (code == 0)
			code = o2_fail(err, O2_ECONFLICT,
				       "transaction %s was taken over by somebody else meanwhile",
				       record->head.id);
		else if (code > 0)
			code = 0;
	}
	o2_doc_free(write.result);
	return code;
}

/* Would R2 go back in time? A slow process must not open again what another has closed. */
static bool is_ahead(const struct o2_doc *map, enum o2_record_state state)
{
	const char *now = o2_doc_str(map, "/data/state", "");
	bool closed = strcmp(o2_doc_str(map, "/data/clean", ""), "true") == 0;

	return state == O2_STATE_COMMITTED && closed &&
	       strcmp(now, o2_record_state_name(O2_STATE_DONE)) == 0;
}

void o2_record_remember_mirror(struct o2_record *record, const char *stamp)
{
	snprintf(record->mirror_stamp, sizeof(record->mirror_stamp), "%s", stamp);
}

/* Before the decision R2 is a fence: what it says must be what this process wrote last, or is about to write. */
static bool is_fenced(const struct o2_record *record, const struct o2_doc *mirror, const char *next)
{
	const char *stamp = o2_doc_str(mirror, "/data/stamp", "");

	return strcmp(stamp, record->mirror_stamp) == 0 || strcmp(stamp, next) == 0;
}

static int fail_fence(const struct o2_record *record, struct o2_err *err)
{
	o2_err_clear(err);
	return o2_fail(err, O2_ECONFLICT,
		       "B's record of transaction %s is not as it was left: B was restored from a "
		       "backup, or somebody changed it",
		       record->head.id);
}

int o2_record_write_mirror(struct o2_record *record, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_TARGET];
	const struct o2_kube_kind *kind = o2_record_kind(kube, "ConfigMap");
	O2_AUTO(o2_freep) char *name = o2_record_name(record, "target");
	struct o2_record_wait wait = { 0 };
	char stamp[33];

	o2_record_make_stamp(stamp);
	for (;;) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *now = o2_record_get(record, kube, kind,
						   o2_record_home(record, O2_TARGET), name, err);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *next = o2_record_head_to_doc(record, O2_TARGET, stamp);
		struct o2_kube_write write = { .op = O2_KUBE_DO_REPLACE,
					       .kind = kind,
					       .ns = o2_record_home(record, O2_TARGET),
					       .name = name,
					       .body = next };
		int code;

		if (!now) {
			if (err->code != -O2_ENOTFOUND)
				return err->code;
			if (record->head.state == O2_STATE_OPEN)
				return fail_fence(record, err);
			o2_err_clear(err);
			return 0;
		}
		if (is_ahead(now, record->head.state))
			return 0;
		if (record->head.state == O2_STATE_OPEN && !is_fenced(record, now, stamp))
			return fail_fence(record, err);
		o2_doc_put_str(next, "/metadata/resourceVersion",
			       o2_doc_str(now, "/metadata/resourceVersion", ""));
		code = o2_kube_write_one(kube, &write, err);
		o2_doc_free(write.result);
		if (code == 0) {
			o2_record_remember_mirror(record, stamp);
			return 0;
		}
		if (code == -O2_ETRANSIENT && o2_record_wait_again(record, &wait, err) < 0)
			return err->code;
		if (code != -O2_ETRANSIENT && code != -O2_ECONFLICT)
			return o2_prefix(err, "cannot write the mirror of transaction %s",
					 record->head.id);
		o2_err_clear(err);
	}
}

int o2_record_check_mirror(struct o2_record *record, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_TARGET];
	O2_AUTO(o2_freep) char *name = o2_record_name(record, "target");
	O2_AUTO(o2_doc_freep)
	struct o2_doc *map = o2_record_get(record, kube, o2_record_kind(kube, "ConfigMap"),
					   o2_record_home(record, O2_TARGET), name, err);

	if (!map && err->code != -O2_ENOTFOUND)
		return err->code;
	return map && is_fenced(record, map, record->mirror_stamp) ? 0 : fail_fence(record, err);
}
