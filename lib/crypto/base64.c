#include <string.h>

#include <openssl/evp.h>

#include "base/alloc.h"
#include "crypto/crypto.h"

char *o2_base64_encode(const void *bytes, size_t len)
{
	const unsigned char *from = bytes;
	unsigned char *text = o2_xmalloc((len + 2) / 3 * 4 + 1);
	unsigned char *to = text;

	*to = '\0';
	while (len > 0) {
		/* A multiple of 3, so that padding comes only at the end; EVP counts in int. */
		int part = len < (3 << 20) ? (int)len : 3 << 20;
		to += EVP_EncodeBlock(to, from, part);
		from += part;
		len -= (size_t)part;
	}
	return (char *)text;
}

/* 0 to 63, -1 for another character. */
static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

static const char white[] = " \t\r\n\v\f";

/* By hand, since EVP_DecodeUpdate() takes a '-' for the end of the text. */
int o2_base64_decode(const char *text, unsigned char **out_bytes, size_t *out_len,
		     struct o2_err *err)
{
	O2_AUTO(o2_freep) unsigned char *bytes = o2_xmalloc(strlen(text) / 4 * 3 + 4);
	const char *p = text + strspn(text, white);
	size_t len = 0, digits = 0, padding = 0;
	unsigned bits = 0;

	for (; *p != '\0' && *p != '='; p++, p += strspn(p, white)) {
		int value = digit_value(*p);
		if (value < 0)
			return o2_fail(err, O2_EINVALID, "invalid base64: byte %zu is none of its",
				       (size_t)(p - text) + 1);
		bits = (bits << 6 | (unsigned)value) & 0xffffff;
		if (++digits % 4 == 0) {
			bytes[len++] = (unsigned char)(bits >> 16);
			bytes[len++] = (unsigned char)(bits >> 8);
			bytes[len++] = (unsigned char)bits;
		}
	}
	for (; *p == '='; p++, p += strspn(p, white))
		padding++;
	if (*p != '\0' || (digits + padding) % 4 != 0 || padding > 2)
		return o2_fail(err, O2_EINVALID, "invalid base64: the end or its padding is wrong");
	if (padding > 0)
		bytes[len++] = (unsigned char)(padding == 2 ? bits >> 4 : bits >> 10);
	if (padding == 1)
		bytes[len++] = (unsigned char)(bits >> 2);
	bytes[len] = '\0';
	*out_bytes = O2_STEAL(bytes);
	*out_len = len;
	return 0;
}
