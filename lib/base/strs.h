/*
 * A list of owned strings. Zero-initialise it; release it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct o2_strs {
	char **items;
	size_t count;
	size_t cap;
};

/* Copies. */
void o2_strs_add(struct o2_strs *list, const char *text);
void o2_strs_addf(struct o2_strs *list, const char *fmt, ...) O2_PRINTF(2, 3);
/* Adds only what is not in the list yet; true if it was added. */
bool o2_strs_add_unique(struct o2_strs *list, const char *text);
bool o2_strs_has(const struct o2_strs *list, const char *text);
/* Split at any of the separator characters; empty parts are left out. */
void o2_strs_split(struct o2_strs *list, const char *text, const char *separators);
void o2_strs_sort(struct o2_strs *list);
void o2_strs_release(struct o2_strs *list);
