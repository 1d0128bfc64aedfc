/*
 * What the transaction makes for itself: in B namespaces and the mirror R2, on both sides an owner in each namespace.
 *
 * Every namespaced object of prepare, and every helper, refers to the owner, so that a CREATE which arrives after the abort is collected by the
 * cluster itself (PROTOCOL.md, Records).
 */
#include "record/record_internal.h"

#include "base/log.h"

char *o2_record_owner_name(const struct o2_record *record)
{
	return o2_xasprintf("os2os-own-%s", record->head.id);
}

static struct o2_doc *config_map(const char *ns, const char *name)
{
	struct o2_doc *map = o2_doc_object_new();

	o2_doc_put_str(map, "/apiVersion", "v1");
	o2_doc_put_str(map, "/kind", "ConfigMap");
	o2_doc_put_str(map, "/metadata/name", name);
	o2_doc_put_str(map, "/metadata/namespace", ns);
	return map;
}

/*
 * These have no owner that would collect them. So who made one looks at R1 once more: if somebody else ended the transaction meanwhile, it
 * takes back what it made.
 */
static int create_watched(struct o2_record *record, enum o2_side side, const char *kind,
			  const struct o2_doc *body, struct o2_doc **out, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[side];
	struct o2_err taken = { 0 };

	if (o2_record_create_one(record, side, kind, body, out, err) < 0)
		return err->code;
	if (o2_record_check(record, O2_STATE_OPEN, err) == 0)
		return 0;
	if (out) {
		o2_doc_free(*out);
		*out = NULL;
	}
	if (err->code == -O2_ECONFLICT &&
	    o2_record_delete_own(record, kube, o2_record_kind(kube, kind),
				 o2_doc_str(body, "/metadata/namespace", NULL),
				 o2_doc_str(body, "/metadata/name", ""), &taken) < 0)
		o2_log(O2_WARN, "%s", taken.message);
	return err->code;
}

int o2_record_create_namespace(struct o2_record *record, const char *ns,
			       const struct o2_doc *object, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *body = object ? o2_doc_copy(object) : o2_doc_object_new();

	o2_doc_put_str(body, "/apiVersion", "v1");
	o2_doc_put_str(body, "/kind", "Namespace");
	o2_doc_put_str(body, "/metadata/name", ns);
	o2_record_mark(record, body, NULL);
	return create_watched(record, O2_TARGET, "Namespace", body, NULL, err);
}

int o2_record_create_mirror(struct o2_record *record, struct o2_err *err)
{
	char stamp[33];

	o2_record_make_stamp(stamp);
	O2_AUTO(o2_doc_freep) struct o2_doc *map = o2_record_head_to_doc(record, O2_TARGET, stamp);
	struct o2_doc *made = NULL;
	int code = create_watched(record, O2_TARGET, "ConfigMap", map, &made, err);

	/* Whoever resumes finds the one of the process before. */
	o2_record_remember_mirror(record, o2_doc_str(made, "/data/stamp", ""));
	o2_doc_free(made);
	return code;
}

int o2_record_create_owner(struct o2_record *record, enum o2_side side, const char *ns,
			   struct o2_err *err)
{
	O2_AUTO(o2_freep) char *name = o2_record_owner_name(record);
	O2_AUTO(o2_doc_freep) struct o2_doc *map = config_map(ns, name);
	struct o2_doc *made = NULL;

	o2_record_mark(record, map, "owner");
	/* Not collected while it is still needed, should somebody delete it by hand. */
	o2_doc_put(map, "/metadata/finalizers", o2_doc_array_new());
	o2_doc_append_str(o2_doc_at(map, "/metadata/finalizers"), O2_RECORD_FINALIZER);
	if (create_watched(record, side, "ConfigMap", map, &made, err) < 0)
		return err->code;
	o2_doc_set_str(record->owners[side], ns, o2_doc_str(made, "/metadata/uid", ""));
	o2_doc_free(made);
	return 0;
}

int o2_record_remove_owner(struct o2_record *record, enum o2_side side, const char *ns,
			   struct o2_err *err)
{
	O2_AUTO(o2_freep) char *name = o2_record_owner_name(record);
	struct o2_kube *kube = record->kube[side];

	return o2_record_delete_own(record, kube, o2_record_kind(kube, "ConfigMap"), ns, name, err);
}

int o2_record_remove_namespace(struct o2_record *record, const char *ns, struct o2_err *err)
{
	struct o2_kube *kube = record->kube[O2_TARGET];
	const struct o2_kube_kind *kind = o2_record_kind(kube, "Namespace");
	O2_AUTO(o2_doc_freep) struct o2_doc *now = o2_record_get(record, kube, kind, NULL, ns, err);

	if (!now && err->code == -O2_ENOTFOUND) {
		o2_err_clear(err);
		return 0;
	}
	if (!now)
		return err->code;
	if (!o2_record_owns(record, now))
		return 0;
	/* Our finalizers would keep the namespace terminating for ever: what carries them goes first. */
	O2_AUTO(o2_freep) char *mirror = o2_record_name(record, "target");
	if (o2_record_remove_owner(record, O2_TARGET, ns, err) < 0 ||
	    o2_record_delete_own(record, kube, o2_record_kind(kube, "ConfigMap"), ns, mirror, err) <
		    0)
		return err->code;
	return o2_record_delete_own(record, kube, kind, NULL, ns, err);
}
