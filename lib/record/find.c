/* Looking for records of transactions in a cluster. */
#include "record/record_internal.h"

#include "base/log.h"

struct search {
	o2_record_found_fn *fn;
	void *arg;
};

static int offer(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	const struct search *search = arg;
	struct o2_record_head head = { 0 };
	enum o2_side side;
	int code;

	(void)kind;
	if (!item)
		return 0; /* the list began anew: whoever collects is told of an id twice, which changes nothing */
	side = strcmp(o2_doc_str(item, "/metadata/labels/os2os.io~1record", ""), "source") == 0
		       ? O2_SOURCE
		       : O2_TARGET;
	/* A record that can't be read is shown, not hidden: it may be the one that is looked for. */
	if (o2_record_head_from_doc(item, &head, NULL) < 0) {
		snprintf(head.id, sizeof(head.id), "%s",
			 o2_doc_str(item, "/metadata/labels/os2os.io~1txn", "?"));
		head.reason = o2_xstrdup("the record can't be read");
	}
	if (side == O2_SOURCE && head.source_namespaces.count == 0)
		o2_strs_add(&head.source_namespaces, o2_doc_str(item, "/metadata/namespace", ""));
	code = search->fn(search->arg, side, &head);
	o2_record_head_release(&head);
	return code;
}

/* List the records with certain roles, in the given namespaces or in all. */
static int list_roles(struct o2_kube *kube, const struct o2_strs *namespaces, const char *selector,
		      o2_kube_item_fn *fn, void *arg, struct o2_err *err)
{
	size_t count = namespaces ? namespaces->count : 1;

	for (size_t i = 0; i < count; i++) {
		struct o2_kube_list list = { .kind = o2_record_kind(kube, "ConfigMap"),
					     .ns = namespaces ? namespaces->items[i] : NULL,
					     .selector = selector,
					     .fn = fn,
					     .arg = arg };
		int code = o2_kube_list(kube, &list, err);

		o2_kube_list_release(&list);
		if (code < 0)
			return code;
	}
	return 0;
}

int o2_record_find(struct o2_kube *kube, const struct o2_strs *namespaces, o2_record_found_fn *fn,
		   void *arg, struct o2_err *err)
{
	struct search search = { fn, arg };

	return list_roles(kube, namespaces, O2_RECORD_LABEL_ROLE " in (source,target)", offer,
			  &search, err);
}

/* The transaction's id of each. */
struct mark_search {
	int (*fn)(void *arg, const char *id);
	void *arg;
};

static int offer_mark(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	const struct mark_search *search = arg;

	(void)kind;
	return item ? search->fn(search->arg,
				 o2_doc_str(item, "/metadata/labels/os2os.io~1txn", ""))
		    : 0;
}

int o2_record_find_marks(struct o2_kube *kube, const struct o2_strs *namespaces,
			 int (*fn)(void *arg, const char *id), void *arg, struct o2_err *err)
{
	struct mark_search search = { fn, arg };
	struct o2_kube_list spaces = { .kind = o2_record_kind(kube, "Namespace"),
				       .selector = O2_RECORD_LABEL_TXN,
				       .fn = offer_mark,
				       .arg = &search };
	int code = list_roles(kube, namespaces, O2_RECORD_LABEL_ROLE " in (lock,owner)", offer_mark,
			      &search, err);

	if (code == 0)
		code = o2_kube_list(kube, &spaces, err);
	o2_kube_list_release(&spaces);
	if (code != -O2_EAUTH)
		return code;
	/* Who may not list them all never made one. */
	o2_log(O2_DEBUG, "%s", err->message);
	o2_err_clear(err);
	return 0;
}

struct lock_search {
	o2_record_lock_fn *fn;
	void *arg;
};

static int offer_lock(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	const struct lock_search *search = arg;

	(void)kind;
	if (!item)
		return 0;
	bool on_source = strcmp(o2_doc_str(item, "/data/side", ""), "source") == 0;
	const struct o2_record_lock lock = {
		.ns = o2_doc_str(item, "/metadata/namespace", ""),
		.id = o2_doc_str(item, "/data/transaction", ""),
		.side = on_source ? O2_SOURCE : O2_TARGET,
		.source_cluster = o2_doc_str(item, "/data/sourceCluster", ""),
		.source_ns = o2_doc_str(item, "/data/sourceNamespace", ""),
	};
	return search->fn(search->arg, &lock);
}

int o2_record_find_locks(struct o2_kube *kube, const struct o2_strs *namespaces,
			 o2_record_lock_fn *fn, void *arg, struct o2_err *err)
{
	struct lock_search search = { fn, arg };

	return list_roles(kube, namespaces, O2_RECORD_LABEL_ROLE "=lock", offer_lock, &search, err);
}
