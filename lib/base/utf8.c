#include "base/utf8.h"

#include <string.h>

#include "base/alloc.h"

/* RFC 3629, section 4: the second byte's range depends on the first byte. */
static const struct lead {
	unsigned char first, last, len, low, high;
} leads[] = {
	{ 0x00, 0x7f, 1, 0, 0 },       { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf },
	{ 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf }, { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

size_t o2_utf8_char(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	if (len == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	for (size_t i = 1; i < O2_COUNT(leads); i++) {
		const struct lead *lead = &leads[i];
		if (p[0] < lead->first || p[0] > lead->last)
			continue;
		if (len < lead->len || p[1] < lead->low || p[1] > lead->high)
			return 0;
		for (size_t k = 2; k < lead->len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return lead->len;
	}
	return 0;
}

size_t o2_utf8_valid(const char *text, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t step = o2_utf8_char(text + at, len - at);
		if (step == 0)
			break;
		at += step;
	}
	return at;
}

void o2_utf8_one_line(char *text, char mark)
{
	size_t len = strlen(text);

	for (size_t at = 0; at < len;) {
		unsigned char c = (unsigned char)text[at];
		size_t step = o2_utf8_char(text + at, len - at);
		if (step == 0) {
			text[at++] = '?';
			continue;
		}
		if (c < 0x20 || c == 0x7f) {
			text[at] = mark;
		} else if (c == 0xc2 && (unsigned char)text[at + 1] < 0xa0) {
			text[at] = mark;
			text[at + 1] = mark;
		}
		at += step;
	}
}
