#include "app/app_internal.h"

#include <stdlib.h>

uint32_t o2_app_hash(const char *const *parts, size_t count)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < count; i++) {
		for (const char *p = parts[i] ? parts[i] : ""; *p != '\0'; p++)
			hash = (hash ^ (unsigned char)*p) * 16777619U;
		hash = (hash ^ 0xffU) * 16777619U; /* no UTF-8 text has this byte */
	}
	return hash;
}

static void grow_heads(struct o2_app_index *index)
{
	free(index->heads);
	index->head_count = index->head_count ? index->head_count * 2 : 64;
	index->heads = o2_xcalloc(index->head_count, sizeof(*index->heads));
	for (size_t i = 0; i < index->count; i++) {
		struct o2_app_index_entry *entry = &index->entries[i];
		uint32_t *head = &index->heads[entry->hash & (index->head_count - 1)];
		entry->next = *head;
		*head = (uint32_t)i + 1;
	}
}

void o2_app_index_add(struct o2_app_index *index, uint32_t hash, size_t value)
{
	if (index->count >= index->head_count)
		grow_heads(index);
	O2_GROW(index->entries, index->count, index->cap);
	uint32_t *head = &index->heads[hash & (index->head_count - 1)];
	index->entries[index->count] =
		(struct o2_app_index_entry){ .hash = hash, .next = *head, .value = value };
	*head = (uint32_t)++index->count;
}

size_t o2_app_index_next(const struct o2_app_index *index, uint32_t hash, uint32_t *cursor)
{
	if (index->head_count == 0)
		return O2_APP_NO_ITEM;
	uint32_t at = *cursor ? index->entries[*cursor - 1].next
			      : index->heads[hash & (index->head_count - 1)];
	while (at != 0 && index->entries[at - 1].hash != hash)
		at = index->entries[at - 1].next;
	if (at == 0)
		return O2_APP_NO_ITEM;
	*cursor = at;
	return index->entries[at - 1].value;
}

void o2_app_index_clear(struct o2_app_index *index)
{
	free(index->entries);
	free(index->heads);
	*index = (struct o2_app_index){ 0 };
}
