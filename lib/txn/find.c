/*
 * Transactions that clusters know of, merged from R1 and R2.
 *
 * Only transactions between the clusters that were given count, and with namespaces only those that touch one of them. That a
 * record is absent is said only after it was asked for where it must be: R2 in the namespace that R1 names, and the reverse.
 */
#include "base/log.h"
#include "txn/txn_internal.h"

struct gather {
	struct o2_txn_list *list;
	enum o2_side side;               /* which record is looked for */
	char cluster[O2_SIDE_COUNT][65]; /* "": not given */
	const struct o2_strs *asked;     /* NULL: every namespace */
};

static struct o2_txn_entry *find_entry(struct o2_txn_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].id, id) == 0)
			return &list->items[i];
	}
	return NULL;
}

static struct o2_txn_entry *add_entry(struct o2_txn_list *list, const char *id)
{
	struct o2_txn_entry *entry;

	O2_GROW(list->items, list->count, list->cap);
	entry = &list->items[list->count++];
	memset(entry, 0, sizeof(*entry));
	snprintf(entry->id, sizeof(entry->id), "%s", id);
	return entry;
}

static void take(char **to, const char *text)
{
	free(*to);
	*to = o2_xstrdup(text ? text : "");
}

static void take_strs(struct o2_strs *to, const struct o2_strs *from)
{
	o2_strs_release(to);
	for (size_t i = 0; i < from->count; i++)
		o2_strs_add(to, from->items[i]);
}

static bool meets(const struct o2_strs *asked, const struct o2_strs *namespaces)
{
	for (size_t i = 0; i < namespaces->count; i++) {
		if (o2_strs_has(asked, namespaces->items[i]))
			return true;
	}
	return false;
}

/* Is it about the clusters and namespaces that were asked for? A record that can't be read is shown, not hidden. */
static bool is_asked(const struct gather *gather, const struct o2_record_head *head)
{
	const char *clusters[O2_SIDE_COUNT] = { head->source_cluster, head->target_cluster };

	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		if (clusters[side] && gather->cluster[side][0] &&
		    strcmp(clusters[side], gather->cluster[side]) != 0)
			return false;
	}
	return !gather->asked || meets(gather->asked, &head->source_namespaces) ||
	       meets(gather->asked, &head->target_namespaces);
}

/* R1 is the truth where it is there; R2 fills in where it is not. */
static int gather_one(void *arg, enum o2_side side, const struct o2_record_head *head)
{
	struct gather *gather = arg;
	struct o2_txn_entry *entry;
	bool is_new;

	if (side != gather->side || !is_asked(gather, head))
		return 0;
	entry = find_entry(gather->list, head->id);
	is_new = !entry;
	if (is_new)
		entry = add_entry(gather->list, head->id);
	entry->is_unreadable |= head->state == O2_STATE_ABSENT;
	if (side == O2_SOURCE)
		entry->source_state = head->state;
	else
		entry->target_state = head->state;
	if (side == O2_TARGET && !is_new)
		return 0;
	entry->clean = head->clean;
	entry->retirable = head->retirable;
	take(&entry->mode, head->mode);
	take(&entry->phase, head->phase);
	take(&entry->holder, head->holder);
	take(&entry->reason, head->reason);
	take(&entry->source_name, head->source_name);
	take(&entry->target_name, head->target_name);
	take_strs(&entry->source_namespaces, &head->source_namespaces);
	take_strs(&entry->target_namespaces, &head->target_namespaces);
	take(&entry->frozen, head->frozen);
	entry->frozen_since = head->frozen_since;
	entry->deadline = head->deadline;
	entry->created = head->created;
	entry->changed = head->changed;
	o2_doc_free(entry->report);
	entry->report = o2_doc_copy(head->report);
	return 0;
}

static void advise(struct o2_txn_entry *entry)
{
	bool decided = entry->source_state == O2_STATE_COMMITTED ||
		       entry->target_state == O2_STATE_COMMITTED;

	if (entry->clean && entry->retirable)
		entry->next = o2_xasprintf("os2os finalize %s --from %s --to %s", entry->id,
					   entry->source_name, entry->target_name);
	else
		entry->next = entry->clean ? o2_xstrdup("")
					   : o2_xasprintf("os2os %s %s --from %s --to %s",
							  decided ? "resume" : "recover", entry->id,
							  entry->source_name, entry->target_name);
}

static int newest_first(const void *a, const void *b)
{
	const struct o2_txn_entry *left = a, *right = b;

	int by_time = (left->created < right->created) - (left->created > right->created);

	return by_time != 0 ? by_time : strcmp(left->id, right->id);
}

static int look(struct gather *gather, struct o2_kube *kube, enum o2_side side,
		const struct o2_strs *namespaces, struct o2_err *err)
{
	gather->side = side;
	return o2_record_find(kube, namespaces, gather_one, gather, err);
}

/* B's namespaces may be called otherwise than A's, so all are looked through; who may not, sees the asked ones. */
static int look_through_target(struct gather *gather, struct o2_kube *target, struct o2_err *err)
{
	int code = look(gather, target, O2_TARGET, NULL, err);

	if (code != -O2_EAUTH || !gather->asked)
		return code;
	o2_log(O2_DEBUG, "%s", err->message);
	o2_err_clear(err);
	return look(gather, target, O2_TARGET, gather->asked, err);
}

/* The other record of each, where it must be. */
static int look_for_other(struct gather *gather, struct o2_kube *source, struct o2_kube *target,
			  struct o2_err *err)
{
	for (size_t i = 0; i < gather->list->count; i++) {
		struct o2_txn_entry *entry = &gather->list->items[i];
		bool from_target = entry->source_state == O2_STATE_ABSENT;
		struct o2_kube *kube = from_target ? source : target;
		struct o2_strs where = { 0 };
		int code = 0;

		take_strs(&where,
			  from_target ? &entry->source_namespaces : &entry->target_namespaces);
		if (kube && where.count > 0 &&
		    (from_target || entry->target_state == O2_STATE_ABSENT))
			code = look(gather, kube, from_target ? O2_SOURCE : O2_TARGET, &where, err);
		o2_strs_release(&where);
		if (code < 0)
			return code;
	}
	return 0;
}

static int gather_all(struct gather *gather, struct o2_kube *source, struct o2_kube *target,
		      struct o2_err *err)
{
	if ((source && o2_kube_cluster_id(source, gather->cluster[O2_SOURCE], err) < 0) ||
	    (target && o2_kube_cluster_id(target, gather->cluster[O2_TARGET], err) < 0))
		return err->code;
	/* R2 before R1: with the decision taken between the two looks, R2 must not seem to be ahead of R1. */
	if (target && look_through_target(gather, target, err) < 0)
		return err->code;
	if (source && look(gather, source, O2_SOURCE, gather->asked, err) < 0)
		return err->code;
	return look_for_other(gather, source, target, err);
}

int o2_txn_find(struct o2_kube *source, struct o2_kube *target, const struct o2_strs *namespaces,
		struct o2_txn_list *out, struct o2_err *err)
{
	struct gather gather = { .list = out, .asked = namespaces };

	memset(out, 0, sizeof(*out));
	if (gather_all(&gather, source, target, err) < 0) {
		o2_txn_list_release(out);
		return err->code;
	}
	for (size_t i = 0; i < out->count; i++)
		advise(&out->items[i]);
	if (out->count > 0)
		qsort(out->items, out->count, sizeof(*out->items), newest_first);
	return 0;
}

void o2_txn_list_release(struct o2_txn_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct o2_txn_entry *entry = &list->items[i];

		free(entry->mode);
		free(entry->phase);
		free(entry->holder);
		free(entry->reason);
		free(entry->frozen);
		free(entry->source_name);
		free(entry->target_name);
		o2_strs_release(&entry->source_namespaces);
		o2_strs_release(&entry->target_namespaces);
		o2_doc_free(entry->report);
		free(entry->next);
	}
	free(list->items);
	memset(list, 0, sizeof(*list));
}
