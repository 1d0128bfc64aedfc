#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void o2_buf_init(struct o2_buf *buf, size_t max_bytes)
{
	assert(max_bytes < SIZE_MAX / 2);
	*buf = (struct o2_buf){ .data = o2_xmalloc(1), .cap = 1, .max = max_bytes };
	buf->data[0] = '\0';
}

void o2_buf_release(struct o2_buf *buf)
{
	free(buf->data);
	*buf = (struct o2_buf){ 0 };
}

void o2_buf_clear(struct o2_buf *buf)
{
	buf->len = 0;
	buf->overflowed = false;
	buf->data[0] = '\0';
}

/* Room for `more` bytes and the NUL. After an overflow nothing fits, lest the content has a hole.
 */
static bool reserve(struct o2_buf *buf, size_t more)
{
	if (buf->overflowed || more > buf->max - buf->len) {
		buf->overflowed = true;
		return false;
	}
	size_t need = buf->len + more + 1;
	if (need > buf->cap) {
		size_t cap = buf->cap < 32 ? 64 : buf->cap * 2;
		if (cap > buf->max + 1)
			cap = buf->max + 1;
		if (cap < need)
			cap = need;
		buf->data = o2_xrealloc(buf->data, cap, 1);
		buf->cap = cap;
	}
	return true;
}

void o2_buf_add(struct o2_buf *buf, const void *bytes, size_t len)
{
	if (!reserve(buf, len))
		return;
	if (len > 0)
		memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void o2_buf_adds(struct o2_buf *buf, const char *text)
{
	o2_buf_add(buf, text, strlen(text));
}

void o2_buf_addc(struct o2_buf *buf, char c)
{
	o2_buf_add(buf, &c, 1);
}

void o2_buf_addf(struct o2_buf *buf, const char *fmt, ...)
{
	va_list args, again;

	va_start(args, fmt);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		abort();
	if (reserve(buf, (size_t)len)) {
		vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
		buf->len += (size_t)len;
	}
	va_end(again);
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void o2_buf_add_path(struct o2_buf *buf, const char *segment)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t len = 0;

	for (const char *p = segment; *p != '\0'; p++)
		len += is_unreserved((unsigned char)*p) ? 1 : 3;
	if (!reserve(buf, len))
		return;
	for (const char *p = segment; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		if (is_unreserved(c)) {
			buf->data[buf->len++] = (char)c;
		} else {
			buf->data[buf->len++] = '%';
			buf->data[buf->len++] = hex[c >> 4];
			buf->data[buf->len++] = hex[c & 15];
		}
	}
	buf->data[buf->len] = '\0';
}

bool o2_buf_overflowed(const struct o2_buf *buf)
{
	return buf->overflowed;
}

char *o2_buf_steal(struct o2_buf *buf)
{
	char *data = buf->data;

	o2_buf_init(buf, buf->max);
	return data;
}
