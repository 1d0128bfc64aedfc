#include "base/strs.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void take(struct o2_strs *list, char *text)
{
	O2_GROW(list->items, list->count, list->cap);
	list->items[list->count++] = text;
}

void o2_strs_add(struct o2_strs *list, const char *text)
{
	take(list, o2_xstrdup(text));
}

void o2_strs_addf(struct o2_strs *list, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	take(list, o2_xvasprintf(fmt, args));
	va_end(args);
}

bool o2_strs_has(const struct o2_strs *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

bool o2_strs_add_unique(struct o2_strs *list, const char *text)
{
	if (o2_strs_has(list, text))
		return false;
	o2_strs_add(list, text);
	return true;
}

void o2_strs_split(struct o2_strs *list, const char *text, const char *separators)
{
	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, separators);
		if (len > 0)
			take(list, o2_xstrndup(p, len));
		p += len;
		p += strspn(p, separators);
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void o2_strs_sort(struct o2_strs *list)
{
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), compare);
}

void o2_strs_release(struct o2_strs *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct o2_strs){ 0 };
}
