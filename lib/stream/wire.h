/*
 * Frames: what both wires (driver and agent, agent and agent) are made of.
 *
 * A frame is a big-endian u32, the length of the payload; one byte, its type; and the payload. Numbers in a payload are
 * big-endian, byte strings have their length in front. What arrives is hostile: each getter checks what is left, and after the
 * first that does not fit all give nothing, so that a parser looks once, at the end (o2_wire_done).
 *
 *	size_t at = o2_wire_begin(&out, TYPE);
 *	o2_wire_put_u32(&out, 7);
 *	o2_wire_end(&out, at);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define O2_WIRE_HEADER_BYTES 5
/* A block of 1 MiB and what stands before it, or an entry with its xattrs. */
#define O2_WIRE_PAYLOAD_MAX (((size_t)1 << 20) + ((size_t)128 << 10))

/* Start a frame at the end of `out`; the result goes to o2_wire_end(), which fills in the length. */
size_t o2_wire_begin(struct o2_buf *out, uint8_t type);
void o2_wire_end(struct o2_buf *out, size_t at);
void o2_wire_put_u8(struct o2_buf *out, uint8_t value);
void o2_wire_put_u16(struct o2_buf *out, uint16_t value);
void o2_wire_put_u32(struct o2_buf *out, uint32_t value);
void o2_wire_put_u64(struct o2_buf *out, uint64_t value);
/* u32 length and the bytes. */
void o2_wire_put_bytes(struct o2_buf *out, const void *bytes, size_t len);
void o2_wire_put_text(struct o2_buf *out, const char *text);

/* A payload that is being read. */
struct o2_wire {
	const unsigned char *at;
	size_t left;
	bool bad; /* something did not fit; sticky */
};

struct o2_wire_frame {
	uint8_t type;
	const unsigned char *payload; /* borrowed from the bytes it was found in */
	size_t len;
};

/*
 * The frame at the start of `bytes`.
 *
 * Returns its size with the header, or 0 if it is not complete yet. Errors: O2_ECORRUPT (longer than any frame may be).
 */
O2_MUST_CHECK ptrdiff_t o2_wire_frame(const void *bytes, size_t len, struct o2_wire_frame *out,
				      struct o2_err *err);
struct o2_wire o2_wire_open(const struct o2_wire_frame *frame);
uint8_t o2_wire_u8(struct o2_wire *wire);
uint16_t o2_wire_u16(struct o2_wire *wire);
uint32_t o2_wire_u32(struct o2_wire *wire);
uint64_t o2_wire_u64(struct o2_wire *wire);
/* `len` bytes as they stand, NULL if there are fewer. */
const unsigned char *o2_wire_take(struct o2_wire *wire, size_t len);
/* A byte string; never NULL. At most `max` long, else it is bad. */
const unsigned char *o2_wire_bytes(struct o2_wire *wire, size_t max, size_t *out_len);
/* The same as a text without NUL bytes. Caller frees; "" if it is bad. */
char *o2_wire_text(struct o2_wire *wire, size_t max);
/* Everything was there, and nothing is left. */
bool o2_wire_done(const struct o2_wire *wire);
/* The same as an error: O2_ECORRUPT, "malformed <what>". */
O2_MUST_CHECK int o2_wire_check(const struct o2_wire *wire, const char *what, struct o2_err *err);
