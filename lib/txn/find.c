/* Transactions that clusters know of, merged from R1 and R2, with what to do next. */
#include "txn/txn_internal.h"

struct gather {
	struct o2_txn_list *list;
};

static struct o2_txn_entry *entry_of(struct o2_txn_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].id, id) == 0)
			return &list->items[i];
	}
	O2_GROW(list->items, list->count, list->cap);
	struct o2_txn_entry *entry = &list->items[list->count++];
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

/* R1 is the truth where it is there; R2 fills in where it is not. */
static int gather(void *arg, enum o2_side side, const struct o2_record_head *head)
{
	struct gather *gathered = arg;
	struct o2_txn_entry *entry = entry_of(gathered->list, head->id);
	bool is_new = !entry->mode;

	if (side == O2_SOURCE)
		entry->source_state = head->state;
	else
		entry->target_state = head->state;
	if (side == O2_TARGET && !is_new)
		return 0;
	entry->clean = head->clean;
	take(&entry->mode, head->mode);
	take(&entry->phase, head->phase);
	take(&entry->holder, head->holder);
	take(&entry->reason, head->reason);
	take(&entry->source_name, head->source_name);
	take(&entry->target_name, head->target_name);
	take_strs(&entry->source_namespaces, &head->source_namespaces);
	take_strs(&entry->target_namespaces, &head->target_namespaces);
	entry->created = head->created;
	entry->changed = head->changed;
	o2_doc_free(entry->report);
	entry->report = o2_doc_copy(head->report);
	return 0;
}

static void advise(struct o2_txn_entry *entry)
{
	const char *verb = entry->clean ? NULL
			   : entry->source_state == O2_STATE_COMMITTED ||
					   entry->target_state == O2_STATE_COMMITTED
				   ? "resume"
				   : "recover";

	entry->next = verb ? o2_xasprintf("os2os %s %s --from %s --to %s", verb, entry->id,
					  entry->source_name, entry->target_name)
			   : o2_xstrdup("");
}

static int newest_first(const void *a, const void *b)
{
	const struct o2_txn_entry *left = a, *right = b;

	if (left->created != right->created)
		return left->created < right->created ? 1 : -1;
	return strcmp(left->id, right->id);
}

int o2_txn_find(struct o2_kube *source, struct o2_kube *target, const struct o2_strs *namespaces,
		struct o2_txn_list *out, struct o2_err *err)
{
	struct gather gathered = { out };

	memset(out, 0, sizeof(*out));
	/* The target's namespaces may have other names: there, all that may be read are looked through unless A and B are one. */
	if ((source && o2_record_find(source, namespaces, gather, &gathered, err) < 0) ||
	    (target && target != source &&
	     o2_record_find(target, source ? NULL : namespaces, gather, &gathered, err) < 0)) {
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
