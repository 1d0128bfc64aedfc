/*
 * A growing byte buffer with a maximum that is stated when it is made.
 *
 *	struct o2_buf path;
 *	o2_buf_init(&path, 4096);
 *	o2_buf_addf(&path, "/api/v1/namespaces/");
 *	o2_buf_add_path(&path, namespace);         // percent-encoded
 *	if (o2_buf_overflowed(&path)) ...          // sticky: check once, at the end
 *	o2_buf_release(&path);
 *
 * What would exceed the maximum is not added, not even in part, and the buffer says so from then on. The content always
 * ends with a NUL that is not counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/err.h"

struct o2_buf {
	char *data; /* NUL-terminated; never NULL after init */
	size_t len; /* without the NUL */
	size_t cap;
	size_t max; /* largest len */
	bool overflowed;
};

void o2_buf_init(struct o2_buf *buf, size_t max_bytes);
void o2_buf_release(struct o2_buf *buf);
/* Empty it, keep the memory, forget an overflow. */
void o2_buf_clear(struct o2_buf *buf);
void o2_buf_add(struct o2_buf *buf, const void *bytes, size_t len);
void o2_buf_adds(struct o2_buf *buf, const char *text);
void o2_buf_addc(struct o2_buf *buf, char c);
void o2_buf_addf(struct o2_buf *buf, const char *fmt, ...) O2_PRINTF(2, 3);
/* Percent-encode everything but RFC 3986 unreserved characters: one path segment, or one query value. */
void o2_buf_add_path(struct o2_buf *buf, const char *segment);
bool o2_buf_overflowed(const struct o2_buf *buf);
/* Hand the content to the caller (free()); the buffer is empty and usable afterwards. */
char *o2_buf_steal(struct o2_buf *buf);
