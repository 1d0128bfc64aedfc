/* The driver's end of a session: frames in, events out; commands out. */
#include <stdlib.h>
#include <string.h>

#include "stream/stream_internal.h"

#define ADDRESSES_MAX 64

struct o2_stream_control {
	o2_stream_write_fn *write;
	o2_stream_event_fn *event;
	void *arg;
	struct o2_buf in; /* what is not a whole frame yet */
	bool greeted;     /* the agent said hello */
	bool said_hello;
};

struct o2_stream_control *o2_stream_control_new(o2_stream_write_fn *write,
						o2_stream_event_fn *event, void *arg)
{
	struct o2_stream_control *control = o2_xcalloc(1, sizeof(*control));

	control->write = write;
	control->event = event;
	control->arg = arg;
	o2_buf_init(&control->in, O2_WIRE_PAYLOAD_MAX + O2_WIRE_HEADER_BYTES);
	return control;
}

void o2_stream_control_free(struct o2_stream_control *control)
{
	if (control == NULL)
		return;
	o2_buf_release(&control->in);
	free(control);
}

/* --- events --- */

/* An agent that can't even begin says why in the place of its hello. */
static int parse_hello(struct o2_stream_control *control, struct o2_wire *wire,
		       struct o2_stream_event *event, char **out_text, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *magic = o2_wire_text(wire, 64);

	if (strcmp(magic, O2_DRIVER_MAGIC) != 0)
		return o2_fail(err, O2_ECORRUPT, "what answers is not an agent");
	event->version = (int)o2_wire_u32(wire);
	if (event->version != O2_STREAM_VERSION)
		return o2_fail(err, O2_ECORRUPT, "the agent speaks version %d, this program %d",
			       event->version, O2_STREAM_VERSION);
	event->uid = (int)o2_wire_u32(wire);
	event->fingerprint = *out_text = o2_wire_text(wire, O2_SHA256_HEX_SIZE);
	event->free_bytes = o2_wire_u64(wire);
	control->greeted = true;
	return 0;
}

/* out_text, out_more: what the event borrows. */
static int parse(struct o2_stream_control *control, struct o2_wire *wire,
		 struct o2_stream_event *event, char **out_text, char **out_more,
		 struct o2_err *err)
{
	switch (event->type) {
	case O2_STREAM_HELLO:
		return parse_hello(control, wire, event, out_text, err);
	case O2_STREAM_LISTENING:
		event->port = o2_wire_u16(wire);
		return 0;
	case O2_STREAM_PROGRESS:
	case O2_STREAM_SENT:
	case O2_STREAM_RECEIVED:
		o2_stats_get(wire, &event->stats);
		return 0;
	case O2_STREAM_DIGEST:
		event->digest = *out_text = o2_wire_text(wire, O2_STREAM_DIGEST_SIZE);
		o2_stats_get(wire, &event->stats);
		return 0;
	case O2_STREAM_LISTED:
		event->path = *out_more = o2_wire_text(wire, O2_PATH_MAX_BYTES + 512);
		event->digest = *out_text = o2_wire_text(wire, O2_STREAM_DIGEST_SIZE);
		return 0;
	case O2_STREAM_RELAY:
		event->len = wire->left;
		event->bytes = o2_wire_take(wire, wire->left);
		return 0;
	case O2_STREAM_FAILED:
		o2_error_get(wire, &event->error);
		return 0;
	case O2_STREAM_CONNECTED:
	case O2_STREAM_EVENT_COUNT:
		break;
	}
	return 0;
}

static int take_frame(struct o2_stream_control *control, const struct o2_wire_frame *frame,
		      struct o2_err *err)
{
	struct o2_stream_event event = { 0 };
	struct o2_wire wire = o2_wire_open(frame);
	O2_AUTO(o2_freep) char *text = NULL;
	O2_AUTO(o2_freep) char *more = NULL;
	int rc;

	if (frame->type == 0 || frame->type > O2_STREAM_EVENT_COUNT)
		return o2_fail(err, O2_ECORRUPT, "what answers is not an agent");
	event.type = (enum o2_stream_event_type)(frame->type - 1);
	if (!control->greeted && event.type != O2_STREAM_HELLO && event.type != O2_STREAM_FAILED)
		return o2_fail(err, O2_ECORRUPT, "what answers is not an agent");
	if ((rc = parse(control, &wire, &event, &text, &more, err)) < 0 ||
	    (rc = o2_wire_check(&wire, "message of the agent", err)) < 0)
		return rc;
	control->event(control->arg, &event);
	return 0;
}

/* Only what is not complete is copied: a relayed stream passes here. */
int o2_stream_control_feed(struct o2_stream_control *control, const void *bytes, size_t len,
			   struct o2_err *err)
{
	const unsigned char *at = bytes;

	for (;;) {
		struct o2_wire_frame frame;
		bool kept = control->in.len > 0;
		size_t part = 0;
		ptrdiff_t size;
		if (kept) { /* as much as completes the frame, but no more */
			size_t want = O2_WIRE_HEADER_BYTES;
			if (control->in.len >= want) {
				struct o2_wire head = {
					.at = (const unsigned char *)control->in.data, .left = 4
				};
				want += o2_wire_u32(&head);
			}
			part = want - control->in.len < len ? want - control->in.len : len;
			o2_buf_add(&control->in, at, part);
			at += part;
			len -= part;
		}
		size = kept ? o2_wire_frame(control->in.data, control->in.len, &frame, err)
			    : o2_wire_frame(at, len, &frame, err);
		if (size < 0)
			return (int)size;
		if (size == 0 && kept && len > 0)
			continue;
		if (size == 0)
			break;
		int rc = take_frame(control, &frame, err);
		if (rc < 0)
			return rc;
		if (kept) {
			o2_buf_clear(&control->in);
		} else {
			at += size;
			len -= (size_t)size;
		}
	}
	o2_buf_add(&control->in, at, len);
	return 0;
}

/* --- commands --- */

static void begin(struct o2_stream_control *control, struct o2_buf *out, enum o2_command command,
		  size_t *out_at)
{
	o2_buf_init(out, 2 * (O2_WIRE_PAYLOAD_MAX + O2_WIRE_HEADER_BYTES));
	if (!control->said_hello) {
		size_t at = o2_wire_begin(out, O2_COMMAND_HELLO);
		o2_wire_put_text(out, O2_DRIVER_MAGIC);
		o2_wire_put_u32(out, O2_STREAM_VERSION);
		o2_wire_end(out, at);
		control->said_hello = true;
	}
	*out_at = o2_wire_begin(out, (uint8_t)command);
}

static int finish(struct o2_stream_control *control, struct o2_buf *out, size_t at,
		  struct o2_err *err)
{
	o2_wire_end(out, at);
	int rc = control->write(control->arg, out->data, out->len, err);
	o2_buf_release(out);
	return rc;
}

static int say(struct o2_stream_control *control, enum o2_command command, struct o2_err *err)
{
	struct o2_buf out;
	size_t at;

	begin(control, &out, command, &at);
	return finish(control, &out, at, err);
}

int o2_stream_control_listen(struct o2_stream_control *control, const char *peer_fingerprint,
			     struct o2_err *err)
{
	struct o2_buf out;
	size_t at;

	begin(control, &out, O2_COMMAND_LISTEN, &at);
	o2_wire_put_text(&out, peer_fingerprint);
	return finish(control, &out, at, err);
}

int o2_stream_control_connect(struct o2_stream_control *control, const char *const *addresses,
			      size_t count, int port, const char *peer_fingerprint, int timeout_ms,
			      struct o2_err *err)
{
	struct o2_buf out;
	size_t at;

	if (count > ADDRESSES_MAX)
		count = ADDRESSES_MAX;
	begin(control, &out, O2_COMMAND_CONNECT, &at);
	o2_wire_put_text(&out, peer_fingerprint);
	o2_wire_put_u16(&out, (uint16_t)port);
	o2_wire_put_u32(&out, (uint32_t)timeout_ms);
	o2_wire_put_u16(&out, (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		o2_wire_put_text(&out, addresses[i]);
	return finish(control, &out, at, err);
}

int o2_stream_control_relay(struct o2_stream_control *control, struct o2_err *err)
{
	return say(control, O2_COMMAND_RELAY, err);
}

int o2_stream_control_relay_bytes(struct o2_stream_control *control, const void *bytes, size_t len,
				  struct o2_err *err)
{
	struct o2_buf out;
	size_t at;

	if (len > O2_WIRE_PAYLOAD_MAX)
		return o2_fail(err, O2_EINVALID, "a relayed message of %zu bytes", len);
	begin(control, &out, O2_COMMAND_RELAY_BYTES, &at);
	o2_buf_add(&out, bytes, len);
	return finish(control, &out, at, err);
}

int o2_stream_control_send(struct o2_stream_control *control, bool final, struct o2_err *err)
{
	struct o2_buf out;
	size_t at;

	begin(control, &out, O2_COMMAND_SEND, &at);
	o2_wire_put_u8(&out, final);
	return finish(control, &out, at, err);
}

int o2_stream_control_receive(struct o2_stream_control *control, struct o2_err *err)
{
	return say(control, O2_COMMAND_RECEIVE, err);
}

int o2_stream_control_digest(struct o2_stream_control *control, struct o2_err *err)
{
	return say(control, O2_COMMAND_DIGEST, err);
}

int o2_stream_control_list(struct o2_stream_control *control, struct o2_err *err)
{
	return say(control, O2_COMMAND_LIST, err);
}

int o2_stream_control_bye(struct o2_stream_control *control, struct o2_err *err)
{
	return say(control, O2_COMMAND_BYE, err);
}
