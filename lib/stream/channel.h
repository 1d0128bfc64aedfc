/*
 * The channel to the other agent: frames over TLS, or over a relay through the driver.
 *
 * One thread uses it. Nobody waits for ever: who expects something gives up after O2_CHANNEL_SILENCE_MS without a byte, and who is busy
 * for long says so by o2_channel_alive(). The sender writes nearly all the time, the receiver hardly; so the sender looks now and then
 * whether something came, and a receiver that failed goes on reading until the sender has noticed. That way neither can block the other.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/tls.h"
#include "stream/relay.h"
#include "stream/wire.h"

#define O2_CHANNEL_SILENCE_MS 20000

enum o2_channel_frame {
	/* sender */
	O2_FRAME_BEGIN = 1, /* version, round, generation that it remembers, trees */
	O2_FRAME_TREE,      /* index */
	O2_FRAME_ENTRY,     /* path, fresh, entry */
	O2_FRAME_BLOCK,     /* index, length, digest, extents, their bytes */
	O2_FRAME_ENTRY_END, /* digest of the entry */
	O2_FRAME_REMOVE,    /* path */
	O2_FRAME_END,       /* generation of what both know now */
	/* receiver; each has the round in front */
	O2_FRAME_READY, /* whether it remembers the same generation; else what it holds follows */
	O2_FRAME_HELD_BLOCKS, /* digests of blocks of the next HELD */
	O2_FRAME_HELD,        /* tree, path, type, size, digest */
	O2_FRAME_HELD_END,
	O2_FRAME_DONE, /* durable and verified */
	/* either */
	O2_FRAME_ERROR, /* round, code, origin, number, message. The sender's ends the round, the receiver's asks it to */
	O2_FRAME_ALIVE,
	O2_FRAME_COUNT
};

struct o2_channel;
/* Takes tls. stop: set by another thread to make every call fail soon; borrowed. */
struct o2_channel *o2_channel_over_tls(struct o2_tls *tls, int fd, const atomic_bool *stop);
struct o2_channel *o2_channel_over_relay(struct o2_relay *relay, const atomic_bool *stop);
void o2_channel_free(struct o2_channel *channel);
O2_DEFINE_FREEP(struct o2_channel, o2_channel_free)
/* After a failure of the connection itself nothing more can go over it. */
bool o2_channel_broken(const struct o2_channel *channel);

/*
 * Write a frame: put it into the buffer between begin and end. What is written goes out when enough is there, or by flush.
 * Errors: O2_ETRANSIENT, O2_ELIMIT (the frame is too large; the channel is broken then), O2_ECANCELED.
 */
struct o2_buf *o2_channel_begin(struct o2_channel *channel, enum o2_channel_frame type);
O2_MUST_CHECK int o2_channel_end(struct o2_channel *channel, struct o2_err *err);
O2_MUST_CHECK int o2_channel_flush(struct o2_channel *channel, struct o2_err *err);
/* If nothing went out for a while: flush, and say that we live. */
O2_MUST_CHECK int o2_channel_alive(struct o2_channel *channel, struct o2_err *err);

/*
 * The next frame that is not ALIVE; it is good until the next call.
 *
 * wait_ms  give up waiting after that, 0: only what is there; -1: O2_CHANNEL_SILENCE_MS from the last byte, which is an error.
 * Returns 1, or 0 if none came in time. Errors: O2_ETRANSIENT, O2_ECORRUPT, O2_ECANCELED.
 */
O2_MUST_CHECK int o2_channel_next(struct o2_channel *channel, int wait_ms,
				  struct o2_wire_frame *out, struct o2_err *err);
