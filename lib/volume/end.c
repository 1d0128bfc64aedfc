/* One agent, as its driver sees it. */
#include <stdlib.h>
#include <string.h>

#include "volume/volume_internal.h"

#define LISTED_MAX 2000000

static void note_listed(struct o2_volume_end *end, const struct o2_stream_event *event)
{
	struct o2_volume_listed *listed;

	if (event->path[0] == '\0') {
		end->done = true;
		return;
	}
	if (end->listed_count == LISTED_MAX) {
		end->listed_all = false;
		return;
	}
	O2_GROW(end->listed, end->listed_count, end->listed_cap);
	listed = &end->listed[end->listed_count++];
	listed->path = o2_xstrdup(event->path);
	snprintf(listed->digest, sizeof(listed->digest), "%s", event->digest);
}

/* What one agent sends to the other through us. */
static void relay(struct o2_volume_end *end, const struct o2_stream_event *event)
{
	struct o2_volume_end *other = &end->pair->ends[!end->side];

	if (other->control == NULL)
		return; /* it is gone, which the pair will notice */
	if (o2_stream_control_relay_bytes(other->control, event->bytes, event->len,
					  other->failure.code ? NULL : &other->failure) < 0)
		end->done = false;
}

static void note(void *arg, const struct o2_stream_event *event)
{
	struct o2_volume_end *end = arg;

	switch (event->type) {
	case O2_STREAM_HELLO:
		free(end->fingerprint);
		end->fingerprint = o2_xstrdup(event->fingerprint);
		end->uid = event->uid;
		break;
	case O2_STREAM_LISTENING:
		end->port = event->port;
		break;
	case O2_STREAM_CONNECTED:
		end->connected = true;
		break;
	case O2_STREAM_PROGRESS:
		end->stats = event->stats;
		break;
	case O2_STREAM_SENT:
	case O2_STREAM_RECEIVED:
		end->stats = event->stats;
		end->done = true;
		break;
	case O2_STREAM_DIGEST:
		snprintf(end->digest, sizeof(end->digest), "%s", event->digest);
		end->stats = event->stats;
		end->done = true;
		break;
	case O2_STREAM_LISTED:
		note_listed(end, event);
		break;
	case O2_STREAM_RELAY:
		relay(end, event);
		break;
	case O2_STREAM_FAILED:
		if (end->failure.code == 0)
			end->failure = event->error;
		break;
	case O2_STREAM_EVENT_COUNT:
		break;
	}
}

static int send_bytes(void *arg, const void *bytes, size_t len, struct o2_err *err)
{
	const struct o2_volume_end *end = arg;

	return end->wire.send(end->wire.arg, bytes, len, err);
}

int o2_volume_end_open(struct o2_volume_end *end, const struct o2_volume_wire *wire,
		       struct o2_err *err)
{
	o2_volume_end_close(end);
	end->wire = *wire;
	end->listed_all = true;
	end->control = o2_stream_control_new(send_bytes, note, end);
	if (end->control == NULL)
		return o2_fail(err, O2_EINTERNAL, "cannot begin a session");
	return 0;
}

int o2_volume_end_take(struct o2_volume_end *end, const void *bytes, size_t len)
{
	struct o2_err failure = { 0 };
	int code = o2_stream_control_feed(end->control, bytes, len, &failure);

	if (code < 0 && end->failure.code == 0)
		end->failure = failure;
	return code;
}

void o2_volume_end_forget_list(struct o2_volume_end *end)
{
	for (size_t i = 0; i < end->listed_count; i++)
		free(end->listed[i].path);
	free(end->listed);
	end->listed = NULL;
	end->listed_count = end->listed_cap = 0;
	end->listed_all = true;
}

void o2_volume_end_close(struct o2_volume_end *end)
{
	o2_volume_end_forget_list(end);
	if (end->control)
		o2_stream_control_free(end->control);
	free(end->fingerprint);
	*end = (struct o2_volume_end){ .pair = end->pair, .side = end->side };
}
