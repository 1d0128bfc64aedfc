#include "http/http.h"

#include <assert.h>
#include <poll.h>
#include <string.h>
#include <strings.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "http/http_internal.h"

#define DEFAULT_ANSWER_BYTES ((size_t)64 << 20)
#define REFUSAL_BYTES ((size_t)1 << 20) /* of a stream that is not 2xx */
#define POLL_SLICE_MS 250               /* a signal between a test and a wait is seen after this */

struct o2_http_timer {
	TAILQ_ENTRY(o2_http_timer) link;
	int64_t due_ms;
	void (*fn)(void *arg);
	void *arg;
};

struct o2_http *o2_http_new(void)
{
	struct o2_http *http = o2_xcalloc(1, sizeof(*http));

	o2_http_transfer_open(http);
	TAILQ_INIT(&http->hosts);
	TAILQ_INIT(&http->calls);
	TAILQ_INIT(&http->ready);
	TAILQ_INIT(&http->timers);
	return http;
}

void o2_http_free(struct o2_http *http)
{
	struct o2_http_host *host;
	struct o2_http_timer *timer;

	if (http == NULL)
		return;
	assert(http->in_flight == 0);
	while ((timer = TAILQ_FIRST(&http->timers)) != NULL)
		o2_http_timer_stop(http, timer);
	while ((host = TAILQ_FIRST(&http->hosts)) != NULL)
		o2_http_host_free(host);
	o2_http_transfer_close(http);
	free(http);
}

int o2_http_in_flight(const struct o2_http *http)
{
	return http->in_flight;
}

/* --- timers --- */

struct o2_http_timer *o2_http_timer_start(struct o2_http *http, int delay_ms, void (*fn)(void *arg),
					  void *arg)
{
	struct o2_http_timer *timer = o2_xcalloc(1, sizeof(*timer));
	struct o2_http_timer *later;

	timer->due_ms = o2_clock_ms() + delay_ms;
	timer->fn = fn;
	timer->arg = arg;
	TAILQ_FOREACH(later, &http->timers, link)
	if (later->due_ms > timer->due_ms)
		break;
	if (later)
		TAILQ_INSERT_BEFORE(later, timer, link);
	else
		TAILQ_INSERT_TAIL(&http->timers, timer, link);
	return timer;
}

void o2_http_timer_stop(struct o2_http *http, struct o2_http_timer *timer)
{
	if (timer == NULL)
		return;
	TAILQ_REMOVE(&http->timers, timer, link);
	free(timer);
}

static int fire_timers(struct o2_http *http)
{
	struct o2_http_timer *timer;
	int64_t now =
		o2_clock_ms(); /* a timer that is started by one that fires waits for the next round */
	int fired = 0;

	while ((timer = TAILQ_FIRST(&http->timers)) != NULL && timer->due_ms <= now) {
		void (*fn)(void *) = timer->fn;
		void *arg = timer->arg;
		o2_http_timer_stop(http, timer);
		fn(arg);
		fired++;
	}
	return fired;
}

/* --- one call --- */

void o2_http_call_ready(struct o2_http_call *call)
{
	if (call->is_ready)
		return;
	call->is_ready = true;
	TAILQ_INSERT_TAIL(&call->host->http->ready, call, ready_link);
}

struct o2_http_call *o2_http_start(struct o2_http_host *host, const struct o2_http_request *request,
				   o2_http_done_fn *done, void *arg)
{
	struct o2_http_call *call = o2_xcalloc(1, sizeof(*call));
	size_t max = request->max_answer_bytes ? request->max_answer_bytes : DEFAULT_ANSWER_BYTES;

	assert(request->path[0] == '/');
	call->host = host;
	call->done = done;
	call->arg = arg;
	call->timeout_ms = request->timeout_ms;
	call->on_data = request->on_data;
	call->on_data_arg = request->on_data_arg;
	call->started_us = o2_clock_us();
	o2_buf_init(&call->answer.body, call->on_data ? REFUSAL_BYTES : max);
	o2_buf_init(&call->pending, 4 * O2_HTTP_PENDING_BYTES);
	TAILQ_INSERT_TAIL(&host->http->calls, call, link);
	host->http->in_flight++;
	o2_http_transfer_begin(call, request);
	return call;
}

/* Out of libcurl and of the lists; what the answer holds stays. */
static void detach(struct o2_http_call *call)
{
	struct o2_http *http = call->host->http;

	o2_http_transfer_detach(call);
	if (call->is_ready)
		TAILQ_REMOVE(&http->ready, call, ready_link);
	call->is_ready = false;
	TAILQ_REMOVE(&http->calls, call, link);
	http->in_flight--;
}

static void call_free(struct o2_http_call *call)
{
	o2_http_transfer_end(call);
	o2_buf_release(&call->pending);
	o2_http_answer_release(&call->answer);
	free(call);
}

void o2_http_abandon(struct o2_http_call *call)
{
	if (call == NULL)
		return;
	detach(call);
	if (call->busy)
		call->abandoned = true; /* its own callback is running: freed after it */
	else
		call_free(call);
}

/* --- answers --- */

/* Why there is no answer; err stays clear if there is one. */
static void judge(struct o2_http_call *call, struct o2_err *err)
{
	if (call->stream_code < 0) {
		o2_fail(err, (enum o2_code) - call->stream_code, "stopped by the reader");
		return;
	}
	if (o2_buf_overflowed(&call->answer.body)) {
		o2_fail(err, O2_ELIMIT, "%s: the answer is larger than %zu bytes",
			call->host->label, call->answer.body.max);
		return;
	}
	(void)!o2_http_transfer_explain(call, err);
}

/* `call` is gone afterwards. */
static void complete(struct o2_http_call *call)
{
	struct o2_http_answer answer;
	struct o2_err err = { 0 };
	o2_http_done_fn *done = call->done;
	void *arg = call->arg;

	o2_http_transfer_head(call);
	call->answer.elapsed_us = o2_clock_us() - call->started_us;
	judge(call, &err);
	detach(call);
	answer = call->answer;
	call->answer.body = (struct o2_buf){ 0 };
	call_free(call);
	done(arg, &answer, &err);
}

/* Hand a stream's pending bytes over. The buffer is taken out first, since more may arrive while the callback waits for others. */
static void deliver(struct o2_http_call *call)
{
	struct o2_buf bytes = call->pending;

	o2_buf_init(&call->pending, bytes.max);
	call->busy = true;
	int code = call->on_data(call->on_data_arg, bytes.data, bytes.len);
	call->busy = false;
	o2_buf_release(&bytes);
	if (call->abandoned) {
		call_free(call);
		return;
	}
	if (code < 0) {
		call->stream_code = code;
		call->finished = true;
	} else if (call->paused) {
		o2_http_transfer_resume(call);
	}
	if (call->finished || call->pending.len > 0)
		o2_http_call_ready(call);
}

/* Hand over what is there; returns how many callbacks ran. */
static int dispatch(struct o2_http *http)
{
	struct o2_http_call *call;
	int count = 0;

	for (;;) {
		TAILQ_FOREACH(call, &http->ready, ready_link)
		if (!call->busy)
			break;
		if (call == NULL)
			return count;
		TAILQ_REMOVE(&http->ready, call, ready_link);
		call->is_ready = false;
		count++;
		if (call->pending.len > 0 && call->stream_code == 0)
			deliver(call);
		else if (call->finished)
			complete(call);
	}
}

/* How long to wait: until the next timer, and never so long that a signal goes unseen. */
static int wait_ms(const struct o2_http *http, int64_t left_ms)
{
	const struct o2_http_timer *timer = TAILQ_FIRST(&http->timers);

	if (timer && timer->due_ms - o2_clock_ms() < left_ms)
		left_ms = timer->due_ms - o2_clock_ms();
	if (left_ms > POLL_SLICE_MS)
		left_ms = POLL_SLICE_MS;
	return left_ms < 0 ? 0 : (int)left_ms;
}

int o2_http_poll_fds(struct o2_http *http, const struct pollfd *fds, size_t count, int timeout_ms)
{
	int64_t end_ms = o2_clock_ms() + timeout_ms;
	int canceled = o2_cancel_pending();
	bool heard = false; /* from one of the descriptors */

	for (;;) {
		o2_http_transfer_move(http);
		if (fire_timers(http) + dispatch(http) > 0)
			break;
		int64_t left_ms = end_ms - o2_clock_ms();
		if (left_ms <= 0 || o2_cancel_pending() != canceled || heard)
			break;
		heard = o2_http_transfer_wait(http, fds, count, wait_ms(http, left_ms));
	}
	return http->in_flight;
}

int o2_http_poll_fd(struct o2_http *http, int fd, short events, int timeout_ms)
{
	struct pollfd one = { .fd = fd, .events = events };

	return o2_http_poll_fds(http, &one, fd >= 0 ? 1 : 0, timeout_ms);
}

int o2_http_poll(struct o2_http *http, int timeout_ms)
{
	return o2_http_poll_fd(http, -1, 0, timeout_ms);
}

/* --- one request, waited for --- */

struct waiting {
	struct o2_http_answer *answer;
	struct o2_err *err;
	bool done;
};

static void note_answer(void *arg, struct o2_http_answer *answer, const struct o2_err *err)
{
	struct waiting *waiting = arg;

	waiting->done = true;
	*waiting->answer = *answer;
	if (err->code < 0) {
		*waiting->err = *err;
		o2_http_answer_release(waiting->answer);
	}
}

int o2_http_do(struct o2_http_host *host, const struct o2_http_request *request,
	       struct o2_http_answer *out_answer, struct o2_err *err)
{
	struct o2_err own = { 0 };
	struct waiting waiting = { .answer = out_answer, .err = err ? err : &own };
	struct o2_http_call *call;

	*out_answer = (struct o2_http_answer){ .retry_after_s = -1 };
	if (o2_cancel_check(err) < 0)
		return -O2_ECANCELED;
	call = o2_http_start(host, request, note_answer, &waiting);
	while (!waiting.done) {
		if (o2_cancel_pending()) {
			o2_http_abandon(call);
			return o2_cancel_check(err);
		}
		o2_http_poll(host->http, POLL_SLICE_MS);
	}
	return waiting.err->code;
}

void o2_http_answer_release(struct o2_http_answer *answer)
{
	o2_buf_release(&answer->body);
	answer->status = 0;
}
