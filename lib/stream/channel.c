#include "stream/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define FLUSH_BYTES ((size_t)128 << 10)
#define IN_BYTES (2 * (O2_WIRE_PAYLOAD_MAX + O2_WIRE_HEADER_BYTES))
#define ALIVE_MS 2000
#define SLICE_MS 500 /* how often a wait looks whether it should stop */

struct o2_channel {
	struct o2_tls *tls;     /* or */
	struct o2_relay *relay; /* borrowed */
	int fd;
	const atomic_bool *stop;
	bool broken;
	struct o2_buf out;
	size_t frame_at; /* of the frame that is being written */
	int64_t wrote_ms, read_ms;
	unsigned char *in;
	size_t in_first, in_len; /* what is in it, and was not given out */
	size_t lent;             /* of which is the frame that was given out last */
};

static struct o2_channel *make(const atomic_bool *stop)
{
	struct o2_channel *channel = o2_xcalloc(1, sizeof(*channel));

	channel->stop = stop;
	channel->in = o2_xmalloc(IN_BYTES);
	channel->wrote_ms = channel->read_ms = o2_clock_ms();
	o2_buf_init(&channel->out, FLUSH_BYTES + IN_BYTES);
	return channel;
}

struct o2_channel *o2_channel_over_tls(struct o2_tls *tls, int fd, const atomic_bool *stop)
{
	struct o2_channel *channel = make(stop);

	channel->tls = tls;
	channel->fd = fd;
	return channel;
}

struct o2_channel *o2_channel_over_relay(struct o2_relay *relay, const atomic_bool *stop)
{
	struct o2_channel *channel = make(stop);

	channel->relay = relay;
	return channel;
}

void o2_channel_free(struct o2_channel *channel)
{
	if (channel == NULL)
		return;
	o2_tls_free(channel->tls);
	o2_buf_release(&channel->out);
	free(channel->in);
	free(channel);
}

bool o2_channel_broken(const struct o2_channel *channel)
{
	return channel->broken;
}

static int stopped(struct o2_err *err)
{
	return o2_fail(err, O2_ECANCELED, "stopped by the driver");
}

/* --- writing --- */

struct o2_buf *o2_channel_begin(struct o2_channel *channel, enum o2_channel_frame type)
{
	channel->frame_at = o2_wire_begin(&channel->out, (uint8_t)type);
	return &channel->out;
}

int o2_channel_flush(struct o2_channel *channel, struct o2_err *err)
{
	struct o2_buf *out = &channel->out;
	int rc;

	if (out->len == 0)
		return 0;
	if (*channel->stop)
		rc = stopped(err);
	else if (channel->broken)
		rc = o2_fail(err, O2_ETRANSIENT, "the connection to the other agent is lost");
	else if (channel->tls)
		rc = o2_tls_write(channel->tls, out->data, out->len, err);
	else
		rc = o2_relay_write(channel->relay, out->data, out->len, O2_CHANNEL_SILENCE_MS,
				    channel->stop, err);
	o2_buf_clear(out);
	channel->wrote_ms = o2_clock_ms();
	if (rc < 0)
		channel->broken = true;
	return rc;
}

int o2_channel_end(struct o2_channel *channel, struct o2_err *err)
{
	struct o2_buf *out = &channel->out;

	if (o2_buf_overflowed(out) ||
	    out->len - channel->frame_at - O2_WIRE_HEADER_BYTES > O2_WIRE_PAYLOAD_MAX) {
		channel->broken = true;
		return o2_fail(err, O2_ELIMIT, "a frame would be longer than any may be");
	}
	o2_wire_end(out, channel->frame_at);
	return out->len >= FLUSH_BYTES ? o2_channel_flush(channel, err) : 0;
}

int o2_channel_alive(struct o2_channel *channel, struct o2_err *err)
{
	int rc;

	if (o2_clock_ms() - channel->wrote_ms < ALIVE_MS)
		return 0;
	o2_channel_begin(channel, O2_FRAME_ALIVE);
	if ((rc = o2_channel_end(channel, err)) < 0)
		return rc;
	return o2_channel_flush(channel, err);
}

/* --- reading --- */

/* Bytes from the connection. 0: none came in time. */
static ptrdiff_t fill_from_tls(struct o2_channel *channel, void *out, size_t cap, int wait_ms,
			       struct o2_err *err)
{
	struct pollfd wait = { .fd = channel->fd, .events = POLLIN };

	if (!o2_tls_pending(channel->tls)) {
		int ready = poll(&wait, 1, wait_ms);
		if (ready < 0 && errno != EINTR)
			return o2_fail_errno(err, errno, "cannot wait for the other agent");
		if (ready <= 0)
			return 0;
	}
	ptrdiff_t len = o2_tls_read(channel->tls, out, cap, err);
	if (len == 0)
		return o2_fail(err, O2_ETRANSIENT, "the other agent closed the connection");
	return len;
}

static ptrdiff_t fill(struct o2_channel *channel, int wait_ms, struct o2_err *err)
{
	ptrdiff_t len;

	if (channel->in_first + channel->in_len == IN_BYTES) {
		memmove(channel->in, channel->in + channel->in_first, channel->in_len);
		channel->in_first = 0;
	}
	unsigned char *at = channel->in + channel->in_first + channel->in_len;
	size_t cap = IN_BYTES - channel->in_first - channel->in_len;
	if (*channel->stop)
		return stopped(err);
	if (channel->tls)
		len = fill_from_tls(channel, at, cap, wait_ms, err);
	else
		len = o2_relay_read(channel->relay, at, cap, wait_ms, channel->stop, err);
	if (len < 0) {
		channel->broken = true;
		return len;
	}
	if (len > 0)
		channel->read_ms = o2_clock_ms();
	channel->in_len += (size_t)len;
	return len;
}

/* The next frame of what is there, ALIVE or not. Returns 1 or 0. */
static int parse(struct o2_channel *channel, struct o2_wire_frame *out, struct o2_err *err)
{
	channel->in_first += channel->lent;
	channel->in_len -= channel->lent;
	channel->lent = 0;
	if (channel->in_len == 0)
		channel->in_first = 0;
	ptrdiff_t size = o2_wire_frame(channel->in + channel->in_first, channel->in_len, out, err);
	if (size < 0 || (size > 0 && (out->type == 0 || out->type >= O2_FRAME_COUNT))) {
		channel->broken = true;
		return size < 0
			       ? (int)size
			       : o2_fail(err, O2_ECORRUPT, "a frame of unknown type %u", out->type);
	}
	channel->lent = (size_t)size;
	return size > 0;
}

int o2_channel_next(struct o2_channel *channel, int wait_ms, struct o2_wire_frame *out,
		    struct o2_err *err)
{
	int64_t start = o2_clock_ms();

	if (channel->broken)
		return o2_fail(err, O2_ETRANSIENT, "the connection to the other agent is lost");
	if (wait_ms < 0)
		channel->read_ms = start;
	for (;;) {
		int rc = parse(channel, out, err);
		if (rc < 0 || (rc > 0 && out->type != O2_FRAME_ALIVE))
			return rc;
		if (rc > 0)
			continue;
		int64_t now = o2_clock_ms();
		int64_t left = wait_ms < 0 ? channel->read_ms + O2_CHANNEL_SILENCE_MS - now
					   : start + wait_ms - now;
		if (left <= 0 && wait_ms < 0) {
			channel->broken = true;
			return o2_fail(err, O2_ETRANSIENT,
				       "nothing came from the other agent for %d s",
				       O2_CHANNEL_SILENCE_MS / 1000);
		}
		ptrdiff_t len = fill(channel,
				     left < 0          ? 0
				     : left < SLICE_MS ? (int)left
						       : SLICE_MS,
				     err);
		if (len < 0)
			return (int)len;
		if (len == 0 && wait_ms >= 0 && left <= 0)
			return 0;
	}
}
