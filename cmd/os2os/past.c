#include "past.h"

#include <stdlib.h>

#include "base/log.h"

static int remember(void *arg, const struct o2_store_entry *entry)
{
	struct o2_past *past = arg;

	O2_GROW(past->items, past->count, past->cap);
	o2_store_entry_copy(entry, &past->items[past->count++]);
	return 0;
}

void o2_past_read(struct o2_past *past, const char *id, size_t limit)
{
	struct o2_err err = { 0 };
	O2_AUTO(o2_store_freep) struct o2_store *store = o2_store_open(NULL, O2_STORE_READ, &err);

	if (store == NULL && err.code == -O2_ENOTFOUND)
		return;
	if (store == NULL || o2_store_list(store, id, limit, remember, past, &err) < 0)
		o2_log(O2_WARN, "%s", err.message);
}

void o2_past_release(struct o2_past *past)
{
	for (size_t i = 0; i < past->count; i++)
		o2_store_entry_release(&past->items[i]);
	free(past->items);
	*past = (struct o2_past){ 0 };
}
