#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request for nothing still has an address of its own, so that NULL never means success. */
static size_t at_least_one(size_t size)
{
	return size != 0 ? size : 1;
}

void *o2_xmalloc(size_t size)
{
	void *ptr = malloc(at_least_one(size));

	if (ptr == NULL)
		abort();
	return ptr;
}

void *o2_xcalloc(size_t count, size_t size)
{
	void *ptr = calloc(at_least_one(count), at_least_one(size));

	if (ptr == NULL)
		abort();
	return ptr;
}

void *o2_xrealloc(void *ptr, size_t count, size_t size)
{
	void *moved = reallocarray(ptr, at_least_one(count), at_least_one(size));

	if (moved == NULL)
		abort();
	return moved;
}

void *o2_grow(void *array, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return array;
	*cap = *cap ? *cap * 2 : 8;
	return o2_xrealloc(array, *cap, size);
}

char *o2_xstrdup(const char *text)
{
	return o2_xstrndup(text, strlen(text));
}

char *o2_xstrndup(const char *text, size_t len)
{
	size_t used = strnlen(text, len);
	char *copy = o2_xmalloc(used + 1);

	memcpy(copy, text, used);
	copy[used] = '\0';
	return copy;
}

char *o2_xstrdup_null(const char *text)
{
	return text != NULL ? o2_xstrdup(text) : NULL;
}

char *o2_xvasprintf(const char *fmt, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, args) < 0 || text == NULL)
		abort();
	return text;
}

char *o2_xasprintf(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	char *text = o2_xvasprintf(fmt, args);
	va_end(args);
	return text;
}

void o2_freep(void *ptr)
{
	void **slot = ptr;

	free(*slot);
	*slot = NULL;
}
