/*
 * Writes whose outcome is settled: an answer that was lost is read back, never assumed and never blindly repeated
 * (PROTOCOL.md U1, U9).
 */
#include "record/record_internal.h"

#include "base/cancel.h"
#include "base/log.h"

/* A deletion may take as long as the pods' graceful termination; it is given up only after this. */
#define GONE_TIMEOUT_MS 300000
#define PAUSE_FIRST_MS 200
#define PAUSE_MAX_MS 2000
#define GONE_POLL_MS 2 /* most deletions are done when they are answered */

int o2_record_wait_again(const struct o2_record *record, struct o2_record_wait *wait,
			 struct o2_err *err)
{
	int64_t now = o2_clock_ms();
	int patience_ms = o2_record_patience_ms(record);

	assert(err->code == -O2_ETRANSIENT);
	if (patience_ms == 0)
		return err->code;
	if (wait->since_ms == 0) {
		wait->since_ms = now;
		wait->pause_ms = PAUSE_FIRST_MS;
		o2_log(O2_WARN, "%s; trying again for up to %d s", err->message,
		       patience_ms / 1000);
	}
	if (now - wait->since_ms >= patience_ms)
		return o2_prefix(err, "no answer for %lld s",
				 (long long)((now - wait->since_ms) / 1000));
	if (o2_cancel_pending())
		return err->code;
	o2_clock_sleep_ms(wait->pause_ms);
	if (wait->pause_ms < PAUSE_MAX_MS)
		wait->pause_ms *= 2;
	o2_err_clear(err);
	return 0;
}

struct o2_doc *o2_record_get(const struct o2_record *record, struct o2_kube *kube,
			     const struct o2_kube_kind *kind, const char *ns, const char *name,
			     struct o2_err *err)
{
	struct o2_record_wait wait = { 0 };

	for (;;) {
		struct o2_doc *object = o2_kube_get(kube, kind, ns, name, err);

		if (object || err->code != -O2_ETRANSIENT)
			return object;
		if (o2_record_wait_again(record, &wait, err) < 0)
			return NULL;
	}
}

/* After an unknown or an AlreadyExists answer: 1 it is there and ours, 0 it is not there, negative otherwise. */
static int read_back(const struct o2_record *record, struct o2_kube *kube,
		     const struct o2_kube_write *write, const char *name,
		     struct o2_doc **out_object, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *object = o2_record_get(record, kube, write->kind, write->ns, name, err);

	if (!object) {
		if (err->code != -O2_ENOTFOUND)
			return err->code;
		o2_err_clear(err);
		return 0;
	}
	if (!o2_record_owns(record, object)) {
		o2_fail(err, O2_ECONFLICT,
			"%s '%s%s%s' already exists in %s and is not this migration's",
			write->kind->kind, write->ns ? write->ns : "", write->ns ? "/" : "", name,
			o2_kube_name(kube));
		return err->code;
	}
	if (out_object)
		*out_object = O2_STEAL(object);
	return 1;
}

int o2_record_settle_create(const struct o2_record *record, struct o2_kube *kube,
			    struct o2_kube_write *write, struct o2_doc **out_object,
			    struct o2_err *err)
{
	struct o2_record_wait wait = { 0 };
	const char *name =
		write->name ? write->name : o2_doc_str(write->body, "/metadata/name", "?");

	for (;;) {
		bool exists = write->err.code == -O2_ECONFLICT &&
			      strcmp(write->err.reason, "AlreadyExists") == 0;
		bool unknown = write->err.code == -O2_ETRANSIENT;
		int found;

		if (write->err.code == 0) {
			if (out_object)
				*out_object = o2_doc_ref(write->result);
			return 0;
		}
		if (!exists && !unknown) {
			*err = write->err;
			return err->code;
		}
		found = read_back(record, kube, write, name, out_object, err);
		if (found != 0)
			return found < 0 ? found : 0;
		if (unknown) {
			*err = write->err;
			if (o2_record_wait_again(record, &wait, err) < 0)
				return err->code;
		}
		o2_doc_free(O2_STEAL(write->result));
		o2_err_clear(&write->err);
		/* A CREATE with a fixed name may be sent again: at most one of them takes effect (U1). */
		(void)!o2_kube_write_one(kube, write, NULL);
	}
}

int o2_record_create_one(const struct o2_record *record, enum o2_side side, const char *kind,
			 const struct o2_doc *body, struct o2_doc **out_object, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[side];
	struct o2_kube_write write = { .op = O2_KUBE_DO_CREATE,
				       .kind = o2_record_kind(kube, kind),
				       .ns = o2_doc_str(body, "/metadata/namespace", NULL),
				       .body = body };
	int code;

	(void)!o2_kube_write_one(kube, &write, NULL);
	code = o2_record_settle_create(record, kube, &write, out_object, err);
	o2_doc_free(write.result);
	return code;
}

/* Take our finalizer off, so that the deletion can end. */
static int drop_finalizer(struct o2_kube *kube, const struct o2_kube_kind *kind, const char *ns,
			  const char *name, struct o2_doc *object, struct o2_err *err)
{
	struct o2_doc *finalizers = o2_doc_at(object, "/metadata/finalizers");
	struct o2_kube_write write = {
		.op = O2_KUBE_DO_REPLACE, .kind = kind, .ns = ns, .name = name, .body = object
	};
	bool found = false;
	int code;

	for (size_t i = o2_doc_count(finalizers); i-- > 0;) {
		if (strcmp(o2_doc_str(o2_doc_item(finalizers, i), "", ""), O2_RECORD_FINALIZER) ==
		    0) {
			o2_doc_remove_item(finalizers, i);
			found = true;
		}
	}
	if (!found)
		return 0;
	code = o2_kube_write_one(kube, &write, err);
	o2_doc_free(write.result);
	return code;
}

int o2_record_delete_own(struct o2_record *record, struct o2_kube *kube,
			 const struct o2_kube_kind *kind, const char *ns, const char *name,
			 struct o2_err *err)
{
	int64_t give_up = o2_clock_ms() + GONE_TIMEOUT_MS, pause = GONE_POLL_MS;
	struct o2_record_wait wait = { 0 };

	for (;;) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *object = o2_record_get(record, kube, kind, ns, name, err);
		struct o2_kube_write write = {
			.op = O2_KUBE_DO_DELETE, .kind = kind, .ns = ns, .name = name
		};
		int code;

		if (!object) {
			if (err->code != -O2_ENOTFOUND)
				return err->code;
			o2_err_clear(err);
			return 0;
		}
		if (!o2_record_owns(record, object))
			return 0;
		code = drop_finalizer(kube, kind, ns, name, object, err);
		if (code == 0 && !o2_doc_at(object, "/metadata/deletionTimestamp")) {
			write.uid = o2_doc_str(object, "/metadata/uid", "");
			code = o2_kube_write_one(kube, &write, err);
			o2_doc_free(write.result);
		}
		if (code == -O2_ETRANSIENT) {
			if (o2_record_wait_again(record, &wait, err) < 0)
				return err->code;
			continue;
		}
		/* Gone meanwhile, or changed by somebody: the next read tells. */
		if (code < 0 && code != -O2_ENOTFOUND && code != -O2_ECONFLICT)
			return code;
		o2_err_clear(err);
		if (o2_clock_ms() > give_up)
			return o2_fail(err, O2_ETRANSIENT,
				       "%s '%s' in %s is still being deleted after %d s",
				       kind->kind, name, o2_kube_name(kube),
				       GONE_TIMEOUT_MS / 1000);
		o2_clock_sleep_ms(pause);
		pause = pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause * 2;
	}
}
