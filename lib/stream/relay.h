/*
 * A byte stream to the other agent that goes through the driver, with a window, so that the driver never has to hold more than that for a
 * slow receiver.
 *
 * What the driver carries is a message: one byte, 0 for data, 1 for a u64: all that was consumed so far.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"

#define O2_RELAY_WINDOW_BYTES ((size_t)4 << 20)

struct o2_relay;
/* Gives a message to the driver; may be called from any thread. */
typedef int o2_relay_emit_fn(void *arg, const void *bytes, size_t len, struct o2_err *err);
struct o2_relay *o2_relay_new(o2_relay_emit_fn *emit, void *arg);
void o2_relay_free(struct o2_relay *relay);
O2_DEFINE_FREEP(struct o2_relay, o2_relay_free)
/* A new stream begins; what is left of an old one is dropped. */
void o2_relay_reset(struct o2_relay *relay);
/* A message that the driver brought. Errors: O2_ECORRUPT (beyond the window). */
O2_MUST_CHECK int o2_relay_feed(struct o2_relay *relay, const void *bytes, size_t len,
				struct o2_err *err);
/* Wake who waits, so that he sees that he should stop. */
void o2_relay_wake(struct o2_relay *relay);
/* All of it, or O2_ETRANSIENT if nothing is consumed for silence_ms, O2_ECANCELED if *stop. */
O2_MUST_CHECK int o2_relay_write(struct o2_relay *relay, const void *bytes, size_t len,
				 int silence_ms, const atomic_bool *stop, struct o2_err *err);
/* What is there, at most cap; 0 if nothing came within wait_ms. */
O2_MUST_CHECK ptrdiff_t o2_relay_read(struct o2_relay *relay, void *out, size_t cap, int wait_ms,
				      const atomic_bool *stop, struct o2_err *err);
