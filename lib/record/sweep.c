/* Everything of a transaction that is on B, found by its label alone. */
#include "record/record_internal.h"

#include "base/log.h"

struct sweep {
	o2_kube_item_fn *fn;
	void *arg;
};

static int offer(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	const struct sweep *sweep = arg;

	if (!item || o2_doc_at(item, "/metadata/labels/os2os.io~1record"))
		return 0;
	return sweep->fn(sweep->arg, kind, item);
}

/* One list a kind and namespace, cluster-scoped kinds once. Returns how many there are. */
static size_t plan_lists(struct o2_record *record, struct sweep *sweep, const char *selector,
			 struct o2_kube_list **out)
{
	struct o2_kube *kube = record->kube[O2_TARGET];
	const struct o2_strs *namespaces = &record->head.target_namespaces;
	size_t count = 0, most = o2_kube_kind_count(kube) * (namespaces->count + 1);
	struct o2_kube_list *lists = o2_xcalloc(most, sizeof(*lists));

	for (size_t i = 0; i < o2_kube_kind_count(kube); i++) {
		const struct o2_kube_kind *kind = o2_kube_kind_at(kube, i);
		unsigned needed = O2_KUBE_LIST | O2_KUBE_CREATE | O2_KUBE_DELETE;

		if (!kind->preferred || (kind->verbs & needed) != needed ||
		    strcmp(kind->kind, "Event") == 0)
			continue;
		for (size_t n = 0; n < (kind->namespaced ? namespaces->count : 1); n++)
			lists[count++] =
				(struct o2_kube_list){ .kind = kind,
						       .ns = kind->namespaced ? namespaces->items[n]
									      : NULL,
						       .selector = selector,
						       .fn = offer,
						       .arg = sweep };
	}
	*out = lists;
	return count;
}

int o2_record_sweep(struct o2_record *record, o2_kube_item_fn *fn, void *arg, struct o2_err *err)
{
	struct sweep sweep = { fn, arg };
	O2_AUTO(o2_freep)
	char *selector = o2_xasprintf("%s=%s", O2_RECORD_LABEL_TXN, record->head.id);
	struct o2_kube_list *lists;
	size_t count = plan_lists(record, &sweep, selector, &lists);
	int code = o2_kube_list_many(record->kube[O2_TARGET], lists, count, err);

	for (size_t i = 0; i < count; i++) {
		int outcome = lists[i].err.code;

		if (outcome == -O2_EAUTH || outcome == -O2_ENOTFOUND)
			o2_log(O2_DEBUG, "%s", lists[i].err.message);
		else if (outcome < 0 && code == 0) {
			*err = lists[i].err;
			code = outcome;
		}
		o2_kube_list_release(&lists[i]);
	}
	free(lists);
	return code;
}
