/*
 * "Did you mean ...?"
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "options.h"

#define NAME_MAX_LEN 48

/* Edit distance (Damerau, restricted): insert, delete, replace, swap neighbours; case does not count. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][NAME_MAX_LEN + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			bool same = strncasecmp(a + i - 1, b + j - 1, 1) == 0;
			size_t best = last[j - 1] + (same ? 0 : 1);
			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
		size_t *oldest = before;
		before = last;
		last = row;
		row = oldest;
	}
	return last[b_len];
}

const char *o2_nearest(const char *text, const char *const *names, size_t count)
{
	size_t len = strlen(text);
	const char *best = NULL;
	size_t best_distance = len / 3 + 2; /* further away it is no typing error */

	if (len == 0 || len > NAME_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t name_len = strlen(names[i]);
		if (name_len > NAME_MAX_LEN)
			continue;
		size_t d = distance(text, len, names[i], name_len);
		/* What shares nothing is not near, however short. */
		if (d < best_distance && d < name_len) {
			best = names[i];
			best_distance = d;
		}
	}
	return best;
}
