#include "stream/wire.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

static void store_u32(unsigned char *at, uint32_t value)
{
	at[0] = (unsigned char)(value >> 24);
	at[1] = (unsigned char)(value >> 16);
	at[2] = (unsigned char)(value >> 8);
	at[3] = (unsigned char)value;
}

static uint32_t load_u32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

size_t o2_wire_begin(struct o2_buf *out, uint8_t type)
{
	size_t at = out->len;

	o2_wire_put_u32(out, 0);
	o2_wire_put_u8(out, type);
	return at;
}

void o2_wire_end(struct o2_buf *out, size_t at)
{
	if (o2_buf_overflowed(out))
		return;
	size_t len = out->len - at - O2_WIRE_HEADER_BYTES;
	assert(len <= O2_WIRE_PAYLOAD_MAX);
	store_u32((unsigned char *)out->data + at, (uint32_t)len);
}

void o2_wire_put_u8(struct o2_buf *out, uint8_t value)
{
	o2_buf_add(out, &value, 1);
}

void o2_wire_put_u16(struct o2_buf *out, uint16_t value)
{
	unsigned char bytes[2] = { (unsigned char)(value >> 8), (unsigned char)value };

	o2_buf_add(out, bytes, sizeof(bytes));
}

void o2_wire_put_u32(struct o2_buf *out, uint32_t value)
{
	unsigned char bytes[4];

	store_u32(bytes, value);
	o2_buf_add(out, bytes, sizeof(bytes));
}

void o2_wire_put_u64(struct o2_buf *out, uint64_t value)
{
	o2_wire_put_u32(out, (uint32_t)(value >> 32));
	o2_wire_put_u32(out, (uint32_t)value);
}

void o2_wire_put_bytes(struct o2_buf *out, const void *bytes, size_t len)
{
	assert(len <= UINT32_MAX);
	o2_wire_put_u32(out, (uint32_t)len);
	o2_buf_add(out, bytes, len);
}

void o2_wire_put_text(struct o2_buf *out, const char *text)
{
	o2_wire_put_bytes(out, text, strlen(text));
}

ptrdiff_t o2_wire_frame(const void *bytes, size_t len, struct o2_wire_frame *out,
			struct o2_err *err)
{
	const unsigned char *at = bytes;

	if (len < O2_WIRE_HEADER_BYTES)
		return 0;
	size_t payload = load_u32(at);
	if (payload > O2_WIRE_PAYLOAD_MAX)
		return o2_fail(err, O2_ECORRUPT, "a frame of %zu bytes, which none may have",
			       payload);
	if (len - O2_WIRE_HEADER_BYTES < payload)
		return 0;
	*out = (struct o2_wire_frame){ .type = at[4],
				       .payload = at + O2_WIRE_HEADER_BYTES,
				       .len = payload };
	return (ptrdiff_t)(O2_WIRE_HEADER_BYTES + payload);
}

struct o2_wire o2_wire_open(const struct o2_wire_frame *frame)
{
	return (struct o2_wire){ .at = frame->payload, .left = frame->len };
}

const unsigned char *o2_wire_take(struct o2_wire *wire, size_t len)
{
	if (wire->bad || len > wire->left) {
		wire->bad = true;
		return NULL;
	}
	const unsigned char *at = wire->at;
	wire->at += len;
	wire->left -= len;
	return at;
}

uint8_t o2_wire_u8(struct o2_wire *wire)
{
	const unsigned char *at = o2_wire_take(wire, 1);

	return at ? at[0] : 0;
}

uint16_t o2_wire_u16(struct o2_wire *wire)
{
	const unsigned char *at = o2_wire_take(wire, 2);

	return at ? (uint16_t)(at[0] << 8 | at[1]) : 0;
}

uint32_t o2_wire_u32(struct o2_wire *wire)
{
	const unsigned char *at = o2_wire_take(wire, 4);

	return at ? load_u32(at) : 0;
}

uint64_t o2_wire_u64(struct o2_wire *wire)
{
	uint64_t high = o2_wire_u32(wire);

	return high << 32 | o2_wire_u32(wire);
}

const unsigned char *o2_wire_bytes(struct o2_wire *wire, size_t max, size_t *out_len)
{
	size_t len = o2_wire_u32(wire);
	const unsigned char *at = NULL;

	if (len > max)
		wire->bad = true;
	else
		at = o2_wire_take(wire, len);
	*out_len = at ? len : 0;
	return at ? at : (const unsigned char *)"";
}

char *o2_wire_text(struct o2_wire *wire, size_t max)
{
	size_t len;
	const unsigned char *at = o2_wire_bytes(wire, max, &len);

	if (len > 0 && memchr(at, '\0', len)) {
		wire->bad = true;
		len = 0;
	}
	return o2_xstrndup((const char *)at, len);
}

bool o2_wire_done(const struct o2_wire *wire)
{
	return !wire->bad && wire->left == 0;
}

int o2_wire_check(const struct o2_wire *wire, const char *what, struct o2_err *err)
{
	return o2_wire_done(wire) ? 0 : o2_fail(err, O2_ECORRUPT, "malformed %s", what);
}
