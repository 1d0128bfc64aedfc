/*
 * Memory and clean-up.
 *
 * Memory that runs out ends the process (abort): recovery starts from the clusters alone, and a crash at any instruction
 * is a tested case, so an unwinding that is hardly ever run would be the greater risk. What is fed from outside is
 * bounded where it is read (o2_buf, file and answer limits), not here.
 *
 *	O2_AUTO(o2_freep) char *text = o2_xstrdup("x");   // freed at the end of the scope
 *	return O2_STEAL(text);                             // handed to the caller instead
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"

void *o2_xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *o2_xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *o2_xrealloc(void *ptr, size_t count, size_t size) __attribute__((returns_nonnull));
char *o2_xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
char *o2_xstrndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull));
char *o2_xasprintf(const char *fmt, ...) O2_PRINTF(1, 2) __attribute__((malloc, returns_nonnull));
char *o2_xvasprintf(const char *fmt, va_list args) __attribute__((malloc, returns_nonnull));

/* NULL stays NULL. */
char *o2_xstrdup_null(const char *text);

/* free(*ptr); *ptr = NULL. For O2_AUTO on any malloc'ed pointer. */
void o2_freep(void *ptr);

/* Declare with a destructor that takes the variable's address. Always initialise. */
#define O2_AUTO(destroy) __attribute__((cleanup(destroy)))

/* Take the value out of an O2_AUTO variable, which then holds NULL. */
#define O2_STEAL(var) \
	({ \
		__typeof__(var) o2_taken_ = (var); \
		(var) = NULL; \
		o2_taken_; \
	})

/* Define `static inline name##p(T **)` from `void name(T *)`, for O2_AUTO. */
#define O2_DEFINE_FREEP(type, name) \
	static inline void name##p(type **ptr) \
	{ \
		name(*ptr); \
		*ptr = NULL; \
	}

/* Make room for one more element in a growing array; doubles the capacity. `array`, `count`, `cap`: lvalues. */
#define O2_GROW(array, count, cap) ((array) = o2_grow((array), (count), &(cap), sizeof(*(array))))
void *o2_grow(void *array, size_t count, size_t *cap, size_t size);

#define O2_COUNT(array) (sizeof(array) / sizeof((array)[0]))
