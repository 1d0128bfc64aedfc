#include "stream/relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "stream/wire.h"

#define MESSAGE_MAX_BYTES ((size_t)64 << 10)
#define CREDIT_BYTES (O2_RELAY_WINDOW_BYTES / 8)

enum { DATA, CREDIT };

struct o2_relay {
	o2_relay_emit_fn *emit;
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned char *ring; /* what came and was not read yet; made when it is needed */
	size_t first, count;
	uint64_t consumed, told; /* of what came: read; and said to the other side */
	uint64_t sent, credited; /* of what went: all; and consumed there */
};

struct o2_relay *o2_relay_new(o2_relay_emit_fn *emit, void *arg)
{
	struct o2_relay *relay = o2_xcalloc(1, sizeof(*relay));
	pthread_condattr_t clock;

	relay->emit = emit;
	relay->arg = arg;
	pthread_mutex_init(&relay->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&relay->changed, &clock);
	pthread_condattr_destroy(&clock);
	return relay;
}

void o2_relay_free(struct o2_relay *relay)
{
	if (relay == NULL)
		return;
	pthread_cond_destroy(&relay->changed);
	pthread_mutex_destroy(&relay->lock);
	free(relay->ring);
	free(relay);
}

void o2_relay_reset(struct o2_relay *relay)
{
	pthread_mutex_lock(&relay->lock);
	relay->first = relay->count = 0;
	relay->consumed = relay->told = relay->sent = relay->credited = 0;
	pthread_mutex_unlock(&relay->lock);
}

void o2_relay_wake(struct o2_relay *relay)
{
	pthread_mutex_lock(&relay->lock);
	pthread_cond_broadcast(&relay->changed);
	pthread_mutex_unlock(&relay->lock);
}

static void keep(struct o2_relay *relay, const unsigned char *bytes, size_t len)
{
	if (relay->ring == NULL)
		relay->ring = o2_xmalloc(O2_RELAY_WINDOW_BYTES);
	size_t at = (relay->first + relay->count) % O2_RELAY_WINDOW_BYTES;
	size_t part = O2_RELAY_WINDOW_BYTES - at < len ? O2_RELAY_WINDOW_BYTES - at : len;
	memcpy(relay->ring + at, bytes, part);
	memcpy(relay->ring, bytes + part, len - part);
	relay->count += len;
}

int o2_relay_feed(struct o2_relay *relay, const void *bytes, size_t len, struct o2_err *err)
{
	struct o2_wire wire = { .at = bytes, .left = len };
	uint8_t kind = o2_wire_u8(&wire);
	int rc = 0;

	pthread_mutex_lock(&relay->lock);
	if (kind == CREDIT) {
		uint64_t credited = o2_wire_u64(&wire);
		if (!o2_wire_done(&wire) || credited > relay->sent || credited < relay->credited)
			rc = o2_fail(err, O2_ECORRUPT, "malformed credit on the relay");
		else
			relay->credited = credited;
	} else if (kind != DATA || wire.bad || wire.left > O2_RELAY_WINDOW_BYTES - relay->count) {
		rc = o2_fail(err, O2_ECORRUPT, "more on the relay than its window allows");
	} else {
		keep(relay, wire.at, wire.left);
	}
	pthread_cond_broadcast(&relay->changed);
	pthread_mutex_unlock(&relay->lock);
	return rc;
}

/* Wait for a change, with the lock held; false when the time is over. */
static bool wait_for_change(struct o2_relay *relay, const struct timespec *until)
{
	return pthread_cond_timedwait(&relay->changed, &relay->lock, until) != ETIMEDOUT;
}

static struct timespec from_now(int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return until;
}

/* How much may be sent now; waits for at least one byte. Returns 0 when nothing moved for too long, or on a wish to stop. */
static size_t wait_for_room(struct o2_relay *relay, int silence_ms, const atomic_bool *stop)
{
	struct timespec until = from_now(silence_ms);
	size_t room;

	pthread_mutex_lock(&relay->lock);
	while ((room = O2_RELAY_WINDOW_BYTES - (size_t)(relay->sent - relay->credited)) == 0)
		if (*stop || !wait_for_change(relay, &until))
			break;
	pthread_mutex_unlock(&relay->lock);
	return room;
}

int o2_relay_write(struct o2_relay *relay, const void *bytes, size_t len, int silence_ms,
		   const atomic_bool *stop, struct o2_err *err)
{
	unsigned char message[1 + MESSAGE_MAX_BYTES];
	const unsigned char *at = bytes;
	int rc;

	message[0] = DATA;
	while (len > 0) {
		size_t part = wait_for_room(relay, silence_ms, stop);
		if (*stop)
			return o2_fail(err, O2_ECANCELED, "stopped");
		if (part == 0)
			return o2_fail(err, O2_ETRANSIENT,
				       "the other agent took nothing from the relay for %d s",
				       silence_ms / 1000);
		part = part < len ? part : len;
		part = part < MESSAGE_MAX_BYTES ? part : MESSAGE_MAX_BYTES;
		memcpy(message + 1, at, part);
		pthread_mutex_lock(&relay->lock);
		relay->sent += part;
		pthread_mutex_unlock(&relay->lock);
		if ((rc = relay->emit(relay->arg, message, part + 1, err)) < 0)
			return rc;
		at += part;
		len -= part;
	}
	return 0;
}

static int tell_credit(struct o2_relay *relay, uint64_t consumed, struct o2_err *err)
{
	struct o2_buf message;

	o2_buf_init(&message, 16);
	o2_wire_put_u8(&message, CREDIT);
	o2_wire_put_u64(&message, consumed);
	int rc = relay->emit(relay->arg, message.data, message.len, err);
	o2_buf_release(&message);
	return rc;
}

ptrdiff_t o2_relay_read(struct o2_relay *relay, void *out, size_t cap, int wait_ms,
			const atomic_bool *stop, struct o2_err *err)
{
	struct timespec until = from_now(wait_ms);
	uint64_t credit = 0;
	int rc;

	pthread_mutex_lock(&relay->lock);
	while (relay->count == 0 && !*stop && wait_ms > 0)
		if (!wait_for_change(relay, &until))
			break;
	size_t len = relay->count < cap ? relay->count : cap;
	if (len > O2_RELAY_WINDOW_BYTES - relay->first)
		len = O2_RELAY_WINDOW_BYTES - relay->first;
	if (len > 0)
		memcpy(out, relay->ring + relay->first, len);
	relay->first = (relay->first + len) % O2_RELAY_WINDOW_BYTES;
	relay->count -= len;
	relay->consumed += len;
	if (relay->consumed - relay->told >= CREDIT_BYTES)
		credit = relay->told = relay->consumed;
	pthread_mutex_unlock(&relay->lock);
	if (*stop)
		return o2_fail(err, O2_ECANCELED, "stopped");
	if (credit > 0 && (rc = tell_credit(relay, credit, err)) < 0)
		return rc;
	return (ptrdiff_t)len;
}
