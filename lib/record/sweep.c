/* Everything of a transaction, found by its labels alone: what it made on B, what it holds on A. */
#include "record/record_internal.h"

#include "base/log.h"

struct sweep {
	enum o2_side side;
	const char *label;
	unsigned needed; /* what must be possible with objects of a kind for one to be ours */
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
	struct o2_kube *kube = record->kube[sweep->side];
	const struct o2_strs *namespaces = sweep->side == O2_SOURCE
						   ? &record->head.source_namespaces
						   : &record->head.target_namespaces;
	size_t count = 0, most = o2_kube_kind_count(kube) * (namespaces->count + 1);
	struct o2_kube_list *lists = o2_xcalloc(most, sizeof(*lists));

	for (size_t i = 0; i < o2_kube_kind_count(kube); i++) {
		const struct o2_kube_kind *kind = o2_kube_kind_at(kube, i);

		if (!kind->preferred || (kind->verbs & sweep->needed) != sweep->needed ||
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

bool o2_record_may_never_list(struct o2_record *record, enum o2_side side,
			      const struct o2_kube_kind *kind, const char *ns)
{
	struct o2_kube_access access = {
		.verb = "list", .group = kind->group, .resource = kind->resource, .ns = ns
	};

	o2_kube_can_many(record->kube[side], &access, 1);
	return access.err.code == 0 && !access.allowed;
}

/* Did the transaction mean to make objects of this kind? */
static bool is_expected(const struct o2_record *record, enum o2_side side,
			const struct o2_kube_kind *kind)
{
	for (size_t i = 0; i < record->entry_count; i++) {
		const struct o2_record_entry *entry = &record->entries[i];

		if (entry->side == side && strcmp(entry->kind, kind->kind) == 0)
			return true;
	}
	return false;
}

/*
 * Of a kind that may not be listed nothing was made, unless the write set names it: then its objects are there, and to pass them over would
 * leave them behind, or leave them to the owner's end. A kind that is not served (any more) has none.
 */
static bool may_pass_over(struct o2_record *record, enum o2_side side,
			  const struct o2_kube_list *list)
{
	bool refused = list->err.code == -O2_EAUTH && list->err.number == 403;

	return list->err.code == -O2_ENOTFOUND ||
	       (refused && !is_expected(record, side, list->kind) &&
		o2_record_may_never_list(record, side, list->kind, list->ns));
}

static int carry_out(struct o2_record *record, struct sweep *sweep, struct o2_err *err)
{
	O2_AUTO(o2_freep)
	char *selector = o2_xasprintf("%s=%s", sweep->label, record->head.id);
	struct o2_kube_list *lists;
	size_t count = plan_lists(record, sweep, selector, &lists);
	int code = o2_kube_list_many(record->kube[sweep->side], lists, count, err);

	for (size_t i = 0; i < count; i++) {
		int outcome = lists[i].err.code;

		if (outcome < 0 && may_pass_over(record, sweep->side, &lists[i]))
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

int o2_record_sweep(struct o2_record *record, o2_kube_item_fn *fn, void *arg, struct o2_err *err)
{
	struct sweep sweep = { .side = O2_TARGET,
			       .label = O2_RECORD_LABEL_TXN,
			       .needed = O2_KUBE_LIST | O2_KUBE_CREATE | O2_KUBE_DELETE,
			       .fn = fn,
			       .arg = arg };

	return carry_out(record, &sweep, err);
}

int o2_record_sweep_held(struct o2_record *record, o2_kube_item_fn *fn, void *arg,
			 struct o2_err *err)
{
	struct sweep sweep = { .side = O2_SOURCE,
			       .label = O2_RECORD_LABEL_HELD,
			       .needed = O2_KUBE_LIST | O2_KUBE_PATCH,
			       .fn = fn,
			       .arg = arg };

	return carry_out(record, &sweep, err);
}
