/*
 * A command in a container that is talked with: several at once, in one thread.
 *
 * What is sent is queued and goes out piece by piece as the connection takes it. What arrives is handed over at once, unless the
 * pipe is told to hold: then TCP holds the peer back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/kube_internal.h"

#define MESSAGE_MAX_BYTES ((size_t)64 << 20)
#define QUEUE_MAX_BYTES ((size_t)16 << 20)
#define LINE_MAX_BYTES ((size_t)400)
#define TURN_MESSAGES 32 /* of one pipe, before it is the next one's turn */
#define BEAT_MS 15000    /* load balancers close what is silent for a minute */

struct o2_kube_pipe {
	struct o2_kube_remote remote;
	struct o2_kube_exec exec; /* ours: errors are taken apart from the output */
	int (*on_output)(void *arg, int channel, const void *bytes, size_t len);
	void *arg;
	struct o2_buf queue;
	size_t queue_sent;
	struct o2_buf message;
	struct o2_buf line;    /* of stderr, not ended yet */
	char *last_line;       /* of stderr; NULL: it said nothing */
	bool closing, closed;  /* the input: end wanted; end sent */
	bool held;             /* not read: back-pressure */
	bool over;             /* nothing comes any more */
	struct o2_err failure; /* why, code 0 if the command ended by itself */
	int64_t heard_ms, beat_ms;
};

/* --- stderr --- */

static void end_line(struct o2_kube_pipe *pipe)
{
	if (pipe->line.len == 0)
		return;
	free(pipe->last_line);
	pipe->last_line = o2_buf_steal(&pipe->line);
	o2_log_sanitize(pipe->last_line);
	o2_log(O2_DEBUG, "%s/%s: %s", pipe->exec.ns, pipe->exec.pod, pipe->last_line);
}

static void note_error_text(struct o2_kube_pipe *pipe, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n' || pipe->line.len == LINE_MAX_BYTES)
			end_line(pipe);
		if (text[i] != '\n' && text[i] != '\0')
			o2_buf_addc(&pipe->line, text[i]);
	}
}

static int sort_output(void *arg, int channel, const void *bytes, size_t len)
{
	struct o2_kube_pipe *pipe = arg;

	if (channel == O2_KUBE_STDERR) {
		note_error_text(pipe, bytes, len);
		return 0;
	}
	return pipe->on_output(pipe->arg, channel, bytes, len);
}

/* --- opening and closing --- */

struct o2_kube_pipe *o2_kube_pipe_open(struct o2_kube *kube, const struct o2_kube_exec *exec,
				       struct o2_err *err)
{
	O2_AUTO(o2_kube_pipe_freep) struct o2_kube_pipe *pipe = o2_xcalloc(1, sizeof(*pipe));

	pipe->exec = (struct o2_kube_exec){ .ns = o2_xstrdup(exec->ns),
					    .pod = o2_xstrdup(exec->pod),
					    .container = o2_xstrdup_null(exec->container),
					    .argv = exec->argv,
					    .on_output = sort_output,
					    .arg = pipe };
	pipe->on_output = exec->on_output;
	pipe->arg = exec->arg;
	pipe->remote = (struct o2_kube_remote){ .kube = kube, .exec = &pipe->exec };
	o2_buf_init(&pipe->queue, QUEUE_MAX_BYTES);
	o2_buf_init(&pipe->message, MESSAGE_MAX_BYTES);
	o2_buf_init(&pipe->line, LINE_MAX_BYTES);
	if (o2_kube_remote_open(&pipe->remote, true, err) < 0)
		return NULL;
	pipe->exec.argv = NULL; /* the caller's */
	pipe->heard_ms = pipe->beat_ms = o2_clock_ms();
	return O2_STEAL(pipe);
}

void o2_kube_pipe_free(struct o2_kube_pipe *pipe)
{
	if (pipe == NULL)
		return;
	o2_kube_remote_release(&pipe->remote);
	o2_buf_release(&pipe->queue);
	o2_buf_release(&pipe->message);
	o2_buf_release(&pipe->line);
	free(pipe->last_line);
	free((char *)pipe->exec.ns);
	free((char *)pipe->exec.pod);
	free((char *)pipe->exec.container);
	free(pipe);
}

/* --- sending --- */

size_t o2_kube_pipe_backlog(const struct o2_kube_pipe *pipe)
{
	return pipe->queue.len - pipe->queue_sent;
}

int o2_kube_pipe_send(struct o2_kube_pipe *pipe, const void *bytes, size_t len, struct o2_err *err)
{
	size_t left = o2_kube_pipe_backlog(pipe);

	if (pipe->over || pipe->closing)
		return o2_fail(err, O2_ETRANSIENT, "%s: it takes no more input", pipe->remote.what);
	if (left + len > QUEUE_MAX_BYTES)
		return o2_fail(err, O2_ELIMIT, "%s: more than %zu bytes wait to be sent",
			       pipe->remote.what, QUEUE_MAX_BYTES);
	/* Moved up only when that much is gone, so that a byte is moved once on average. */
	if (pipe->queue_sent > left) {
		memmove(pipe->queue.data, pipe->queue.data + pipe->queue_sent, left);
		pipe->queue.len = left;
		pipe->queue_sent = 0;
	}
	if (pipe->queue.len + len > QUEUE_MAX_BYTES) {
		memmove(pipe->queue.data, pipe->queue.data + pipe->queue_sent, left);
		pipe->queue.len = left;
		pipe->queue_sent = 0;
	}
	o2_buf_add(&pipe->queue, bytes, len);
	return 0;
}

void o2_kube_pipe_close_input(struct o2_kube_pipe *pipe)
{
	pipe->closing = true;
}

/* 1: something went out; 0: nothing to send, or the connection takes no more now. A peer that takes no more tells why when it is read. */
static int send_piece(struct o2_kube_pipe *pipe)
{
	size_t left = o2_kube_pipe_backlog(pipe);
	size_t len = left < O2_KUBE_PIECE_BYTES ? left : O2_KUBE_PIECE_BYTES;
	int taken;

	if (len > 0)
		taken = o2_kube_remote_offer(&pipe->remote, pipe->queue.data + pipe->queue_sent,
					     len, NULL);
	else if (pipe->closing && !pipe->closed)
		taken = o2_kube_remote_close_input(&pipe->remote, NULL);
	else
		return 0;
	if (taken <= 0)
		return 0;
	pipe->closed = len == 0;
	pipe->queue_sent += len;
	if (pipe->queue_sent == pipe->queue.len) {
		o2_buf_clear(&pipe->queue);
		pipe->queue_sent = 0;
	}
	return 1;
}

/* --- moving --- */

/* The end of a pipe that failed: with what the command said last, if it said anything. */
static void end_with(struct o2_kube_pipe *pipe, const struct o2_err *cause)
{
	end_line(pipe);
	pipe->over = true;
	pipe->failure = *cause;
	if (pipe->last_line && cause->code != -O2_ECANCELED) {
		struct o2_err own = { 0 };
		o2_fail(&own, (enum o2_code) - cause->code, "%s; its last words: %s",
			cause->message, pipe->last_line);
		memcpy(pipe->failure.message, own.message, sizeof(own.message));
	}
}

static void end_lost(struct o2_kube_pipe *pipe, const struct o2_err *cause)
{
	struct o2_err failure = { 0 };

	if (pipe->remote.ended) { /* the answer is known */
		pipe->over = true;
		return;
	}
	if (cause->code < 0)
		(void)!o2_kube_remote_lost(&pipe->remote, cause, &failure);
	else
		o2_fail(&failure, O2_ETRANSIENT,
			"%s: the connection was closed before the command ended",
			pipe->remote.what);
	end_with(pipe, &failure);
}

/* Read one message. 1: there may be more. */
static int read_message(struct o2_kube_pipe *pipe)
{
	struct o2_err cause = { 0 };
	int moved = o2_http_ws_move(pipe->remote.ws, !pipe->held, &pipe->message, &cause);

	if (moved == O2_HTTP_WS_QUIET)
		return 0;
	if (moved != O2_HTTP_WS_MESSAGE) {
		end_lost(pipe, &cause);
		return 1;
	}
	pipe->heard_ms = o2_clock_ms();
	if (o2_kube_remote_take(&pipe->remote, &pipe->message, &cause) < 0)
		end_with(pipe, &cause);
	if (pipe->remote.ended)
		pipe->over = true;
	return 1;
}

/* True if anything moved. */
static bool turn(struct o2_kube_pipe *pipe)
{
	bool moved = false;

	if (o2_clock_ms() - pipe->beat_ms > BEAT_MS) {
		o2_http_ws_beat(pipe->remote.ws);
		pipe->beat_ms = o2_clock_ms();
	}
	for (int i = 0; i < TURN_MESSAGES && !pipe->over; i++) {
		int sent = send_piece(pipe);
		int got = read_message(pipe);
		moved = moved || sent || got;
		if (!sent && !got)
			break;
	}
	return moved;
}

int o2_kube_pipe_pump(struct o2_kube_pipe *const *pipes, size_t count, int timeout_ms,
		      struct o2_err *err)
{
	struct o2_http_ws **sockets = o2_xcalloc(count + 1, sizeof(struct o2_http_ws *));
	bool *reads = o2_xcalloc(count + 1, sizeof(*reads));
	size_t open = 0;
	bool moved = false;

	for (size_t i = 0; i < count; i++) {
		if (pipes[i] == NULL || pipes[i]->over)
			continue;
		moved = turn(pipes[i]) || moved;
		if (pipes[i]->over)
			continue;
		reads[open] = !pipes[i]->held;
		sockets[open++] = pipes[i]->remote.ws;
	}
	if (!moved && open > 0)
		o2_http_ws_wait(sockets, reads, open, timeout_ms);
	else if (!moved) /* nothing can come: whoever waits for something else asks again */
		o2_clock_sleep_ms(timeout_ms);
	free(sockets);
	free(reads);
	return o2_cancel_check(err);
}

void o2_kube_pipe_hold(struct o2_kube_pipe *pipe, bool hold)
{
	pipe->held = hold;
}

int64_t o2_kube_pipe_silent_ms(const struct o2_kube_pipe *pipe)
{
	return o2_clock_ms() - pipe->heard_ms;
}

bool o2_kube_pipe_over(const struct o2_kube_pipe *pipe, int *out_exit, struct o2_err *out_failure)
{
	if (!pipe->over)
		return false;
	if (out_exit)
		*out_exit = pipe->failure.code < 0 ? -1 : pipe->remote.exit_status;
	if (out_failure && pipe->failure.code < 0)
		*out_failure = pipe->failure;
	else if (out_failure && pipe->remote.exit_status != 0)
		o2_fail(out_failure, O2_EIO, "%s: it ended with exit status %d%s%s",
			pipe->remote.what, pipe->remote.exit_status,
			pipe->last_line ? "; its last words: " : "",
			pipe->last_line ? pipe->last_line : "");
	return true;
}
