/* The agent's state: events to the driver, signs of life, time. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "stream/stream_internal.h"

#define EMIT_SILENCE_MS 60000
#define PROGRESS_MS 250
#define ASIDE_SLICE_MS 100

void o2_stats_put(struct o2_buf *out, const struct o2_stream_stats *stats)
{
	o2_wire_put_u64(out, stats->files);
	o2_wire_put_u64(out, stats->entries);
	o2_wire_put_u64(out, stats->bytes);
	o2_wire_put_u64(out, stats->changed_files);
	o2_wire_put_u64(out, stats->read_bytes);
	o2_wire_put_u64(out, stats->sent_bytes);
	o2_wire_put_u64(out, stats->elapsed_us);
	o2_wire_put_u64(out, stats->verify_us);
}

void o2_stats_get(struct o2_wire *wire, struct o2_stream_stats *stats)
{
	stats->files = o2_wire_u64(wire);
	stats->entries = o2_wire_u64(wire);
	stats->bytes = o2_wire_u64(wire);
	stats->changed_files = o2_wire_u64(wire);
	stats->read_bytes = o2_wire_u64(wire);
	stats->sent_bytes = o2_wire_u64(wire);
	stats->elapsed_us = o2_wire_u64(wire);
	stats->verify_us = o2_wire_u64(wire);
}

void o2_error_put(struct o2_buf *out, const struct o2_err *error)
{
	o2_wire_put_u8(out, (uint8_t)-error->code);
	o2_wire_put_u8(out, (uint8_t)error->origin);
	o2_wire_put_u64(out, (uint64_t)error->number);
	o2_wire_put_text(out, error->message);
}

void o2_error_get(struct o2_wire *wire, struct o2_err *error)
{
	uint8_t code = o2_wire_u8(wire);
	uint8_t origin = o2_wire_u8(wire);
	uint64_t number = o2_wire_u64(wire);
	O2_AUTO(o2_freep) char *message = o2_wire_text(wire, O2_ERR_MESSAGE_MAX);

	if (code == O2_OK || code >= O2_CODE_COUNT || origin >= O2_ORIGIN_COUNT)
		wire->bad = true;
	if (wire->bad)
		return;
	o2_err_clear(error);
	(void)!o2_fail(error, (enum o2_code)code, "%s", message);
	error->origin = (enum o2_origin)origin;
	error->number = (long)number;
}

char *o2_agent_label(const struct o2_tree *tree, const char *path)
{
	return o2_xasprintf("%s%s%s", tree->name, path[0] ? "/" : "", path);
}

void o2_agent_forget(struct o2_agent *agent)
{
	for (size_t i = 0; i < agent->count; i++)
		o2_memory_freep(&agent->memories[i]);
	memset(agent->generation, 0, sizeof(agent->generation));
}

bool o2_agent_remembers(const struct o2_agent *agent)
{
	for (size_t i = 0; i < agent->count; i++)
		if (agent->memories[i] == NULL)
			return false;
	return true;
}

/* --- events --- */

void o2_event_begin(struct o2_buf *frame, enum o2_stream_event_type type)
{
	o2_buf_init(frame, O2_WIRE_PAYLOAD_MAX + O2_WIRE_HEADER_BYTES);
	o2_wire_begin(frame, (uint8_t)(type + 1));
}

static int write_all(struct o2_agent *agent, const char *at, size_t len, struct o2_err *err)
{
	struct pollfd wait = { .fd = agent->out_fd, .events = POLLOUT };

	while (len > 0) {
		int ready = poll(&wait, 1, EMIT_SILENCE_MS);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return o2_fail(err, O2_ETRANSIENT, "the driver took nothing for %d s",
				       EMIT_SILENCE_MS / 1000);
		/* Of a pipe that is ready PIPE_BUF bytes at least can be written without blocking. */
		ssize_t done = write(agent->out_fd, at, len);
		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done < 0)
			return o2_fail_errno(err, errno, "cannot write to the driver");
		at += done;
		len -= (size_t)done;
	}
	return 0;
}

int o2_agent_emit(struct o2_agent *agent, struct o2_buf *frame, struct o2_err *err)
{
	o2_wire_end(frame, 0);
	pthread_mutex_lock(&agent->out_lock);
	int rc = write_all(agent, frame->data, frame->len, err);
	pthread_mutex_unlock(&agent->out_lock);
	o2_buf_release(frame);
	if (rc < 0)
		agent->stop = true;
	return rc;
}

int o2_agent_emit_stats(struct o2_agent *agent, enum o2_stream_event_type type, struct o2_err *err)
{
	struct o2_buf frame;

	agent->stats.elapsed_us = (uint64_t)(o2_clock_ms() - agent->start_ms) * 1000;
	o2_event_begin(&frame, type);
	o2_stats_put(&frame, &agent->stats);
	return o2_agent_emit(agent, &frame, err);
}

void o2_agent_start_round(struct o2_agent *agent)
{
	agent->stats = (struct o2_stream_stats){ 0 };
	agent->start_ms = o2_clock_ms();
	agent->progress_ms = agent->start_ms;
}

int o2_agent_tick(void *arg, struct o2_err *err)
{
	struct o2_agent *agent = arg;
	int64_t now = o2_clock_ms();
	int rc;

	if (agent->stop)
		return o2_fail(err, O2_ECANCELED, "stopped by the driver");
	if (agent->channel && !o2_channel_broken(agent->channel) &&
	    (rc = o2_channel_alive(agent->channel, err)) < 0)
		return rc;
	if (now - agent->progress_ms < PROGRESS_MS)
		return 0;
	agent->progress_ms = now;
	return o2_agent_emit_stats(agent, O2_STREAM_PROGRESS, err);
}

/* --- work that can't look up --- */

struct aside {
	int (*fn)(void *arg, struct o2_err *err);
	void *arg;
	struct o2_err err;
	int rc;
	atomic_bool done;
};

static void *run_aside(void *arg)
{
	struct aside *aside = arg;

	aside->rc = aside->fn(aside->arg, &aside->err);
	aside->done = true;
	return NULL;
}

/* A wish to stop is heeded after `fn` only: what it waits for, the disk, can't be told to stop. */
int o2_agent_aside(struct o2_agent *agent, int (*fn)(void *arg, struct o2_err *err), void *arg,
		   struct o2_err *err)
{
	struct aside aside = { .fn = fn, .arg = arg };
	struct o2_err failed = { 0 };
	pthread_t thread;
	int pause_ms = 1;
	int rc = 0;

	if (pthread_create(&thread, NULL, run_aside, &aside) != 0)
		return fn(arg, err);
	while (!aside.done) {
		o2_clock_sleep_ms(pause_ms);
		pause_ms = pause_ms * 2 < ASIDE_SLICE_MS ? pause_ms * 2 : ASIDE_SLICE_MS;
		if (rc == 0)
			rc = o2_agent_tick(agent, &failed);
	}
	pthread_join(thread, NULL);
	if (aside.rc < 0)
		failed = aside.err;
	if (failed.code < 0 && err)
		*err = failed;
	return aside.rc < 0 ? aside.rc : rc;
}
