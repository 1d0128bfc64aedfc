/* Helpers of a side, found by their label alone: movers, guard, watchdog and what they need. None outlives the transaction (I7). */
#include "record/record_internal.h"

#include "base/log.h"

/* What helpers are made of; those that make pods first, so that none comes again. */
static const struct {
	const char *group, *kind;
} kinds[] = {
	{ "batch", "Job" },
	{ "", "Pod" },
	{ "", "ResourceQuota" },
	{ "admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding" },
	{ "admissionregistration.k8s.io", "ValidatingAdmissionPolicy" },
	{ "rbac.authorization.k8s.io", "RoleBinding" },
	{ "rbac.authorization.k8s.io", "Role" },
	{ "", "ServiceAccount" },
	{ "", "ConfigMap" },
};

struct found {
	struct o2_record_object *items;
	size_t count, cap;
};

static int keep(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	struct found *found = arg;

	if (!item)
		return 0;
	O2_GROW(found->items, found->count, found->cap);
	found->items[found->count++] = (struct o2_record_object){
		.kind = kind,
		.ns = o2_xstrdup_null(o2_doc_str(item, "/metadata/namespace", NULL)),
		.name = o2_xstrdup(o2_doc_str(item, "/metadata/name", ""))
	};
	return 0;
}

static void release(struct found *found)
{
	for (size_t i = 0; i < found->count; i++) {
		free((char *)found->items[i].ns);
		free((char *)found->items[i].name);
	}
	free(found->items);
}

/* One kind in one namespace (NULL: cluster scope). */
static int find(struct o2_record *record, enum o2_side side, const struct o2_kube_kind *kind,
		const char *ns, struct found *found, struct o2_err *err)
{
	O2_AUTO(o2_freep)
	char *selector = o2_xasprintf("%s=%s,%s=%s", O2_RECORD_LABEL_TXN, record->head.id,
				      O2_RECORD_LABEL_ROLE, O2_RECORD_ROLE_HELPER);
	struct o2_record_wait wait = { 0 };

	for (;;) {
		struct o2_kube_list list = {
			.kind = kind, .ns = ns, .selector = selector, .fn = keep, .arg = found
		};
		size_t before = found->count;
		int code = o2_kube_list(record->kube[side], &list, err);

		o2_kube_list_release(&list);
		if (code == -O2_ENOTFOUND ||
		    (code == -O2_EAUTH && o2_record_may_never_list(record, side, kind, ns))) {
			o2_err_clear(err);
			return 0;
		}
		if (code != -O2_ETRANSIENT)
			return code;
		while (found->count > before) {
			free((char *)found->items[--found->count].ns);
			free((char *)found->items[found->count].name);
		}
		if (o2_record_wait_again(record, &wait, err) < 0)
			return err->code;
	}
}

/* Those of one kind, in all namespaces of the side. */
static int clear_kind(struct o2_record *record, enum o2_side side, const char *group,
		      const char *name, bool wait, struct o2_err *err)
{
	const struct o2_strs *namespaces = side == O2_SOURCE ? &record->head.source_namespaces
							     : &record->head.target_namespaces;
	const struct o2_kube_kind *kind = o2_kube_kind_find(record->kube[side], group, name);
	struct found found = { 0 };
	int code = 0;

	for (size_t n = 0; kind && code == 0 && n < (kind->namespaced ? namespaces->count : 1); n++)
		code = find(record, side, kind, kind->namespaced ? namespaces->items[n] : NULL,
			    &found, err);
	if (code == 0 && found.count > 0)
		code = wait ? o2_record_remove_helpers(record, side, found.items, found.count, err)
			    : o2_record_dismiss_helpers(record, side, found.items, found.count,
							err);
	release(&found);
	return code < 0 ? o2_prefix(err, "cannot remove the helpers in %s",
				    o2_kube_name(record->kube[side]))
			: code;
}

int o2_record_clear_helpers(struct o2_record *record, enum o2_side side, struct o2_err *err)
{
	for (size_t k = 0; k < O2_COUNT(kinds); k++) {
		if (clear_kind(record, side, kinds[k].group, kinds[k].kind, true, err) < 0)
			return err->code;
	}
	return 0;
}

int o2_record_clear_helper_pods(struct o2_record *record, enum o2_side side, struct o2_err *err)
{
	return clear_kind(record, side, "", "Pod", true, err);
}

int o2_record_dismiss_helper_pods(struct o2_record *record, enum o2_side side, struct o2_err *err)
{
	return clear_kind(record, side, "", "Pod", false, err);
}
