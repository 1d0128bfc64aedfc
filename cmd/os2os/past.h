/*
 * What this machine remembers of past migrations.
 */
#pragma once

#include "store/store.h"

struct o2_past {
	struct o2_store_entry *items; /* newest first */
	size_t count, cap;
};

/* id NULL: all. A history that is not there yet is empty; one that can't be read is empty too, with a warning. */
void o2_past_read(struct o2_past *past, const char *id, size_t limit);
void o2_past_release(struct o2_past *past);
