#include "http/http.h"

#include <assert.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "http/http_internal.h"

#define DEFAULT_ANSWER_BYTES ((size_t)64 << 20)
#define REFUSAL_BYTES ((size_t)1 << 20) /* of a stream that is not 2xx */
#define PENDING_BYTES ((size_t)1 << 20) /* of a stream: more waits in the connection */
#define MAX_CONNECTIONS 128L            /* kept open */
#define POLL_SLICE_MS 250               /* a signal between a test and a wait is seen after this */

struct o2_http_timer {
	TAILQ_ENTRY(o2_http_timer) link;
	int64_t due_ms;
	void (*fn)(void *arg);
	void *arg;
};

int64_t o2_http_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct o2_http *o2_http_new(void)
{
	struct o2_http *http = o2_xcalloc(1, sizeof(*http));

	curl_global_init(CURL_GLOBAL_DEFAULT);
	http->multi = curl_multi_init();
	if (http->multi == NULL)
		abort(); /* no memory */
	TAILQ_INIT(&http->hosts);
	TAILQ_INIT(&http->calls);
	TAILQ_INIT(&http->ready);
	TAILQ_INIT(&http->timers);
	curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, MAX_CONNECTIONS);
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
	curl_multi_cleanup(http->multi);
	curl_global_cleanup();
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

static void make_ready(struct o2_http_call *call)
{
	if (call->is_ready)
		return;
	call->is_ready = true;
	TAILQ_INSERT_TAIL(&call->host->http->ready, call, ready_link);
}

static bool is_stream_data(struct o2_http_call *call)
{
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	return call->on_data && status >= 200 && status < 300;
}

/* libcurl's write callback: put aside. */
static size_t take_bytes(char *bytes, size_t size, size_t count, void *arg)
{
	struct o2_http_call *call = arg;
	size_t len = size * count;

	if (!is_stream_data(call)) {
		o2_buf_add(&call->answer.body, bytes, len);
		return o2_buf_overflowed(&call->answer.body) ? CURL_WRITEFUNC_ERROR : len;
	}
	if (call->pending.len > PENDING_BYTES) {
		call->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	o2_buf_add(&call->pending, bytes, len);
	if (o2_buf_overflowed(&call->pending))
		return CURL_WRITEFUNC_ERROR;
	make_ready(call);
	return len;
}

/* libcurl's read callback: the request's body. */
static size_t give_bytes(char *out, size_t size, size_t count, void *arg)
{
	struct o2_http_call *call = arg;
	size_t room = size * count;
	size_t left = call->body_len - call->body_sent;
	size_t len = left < room ? left : room;

	memcpy(out, call->body + call->body_sent, len);
	call->body_sent += len;
	return len;
}

/*
 * libcurl wants to send the body again because a kept connection turned out dead, or the server refused the stream. Once a byte
 * of it was handed out the server may have acted on it, so that sending it again is not ours to decide (U9).
 */
static int refuse_rewind(void *arg, curl_off_t offset, int origin)
{
	struct o2_http_call *call = arg;

	(void)offset;
	(void)origin;
	return call->body_sent == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static void set_headers(struct o2_http_call *call, const struct o2_http_request *request)
{
	if (call->host->host_header)
		call->headers = curl_slist_append(call->headers, call->host->host_header);
	for (size_t i = 0; request->headers && i < request->headers->count; i++)
		call->headers = curl_slist_append(call->headers, request->headers->items[i]);
	if (request->body)
		call->headers = curl_slist_append(call->headers, "Expect:");
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
}

static void set_body(struct o2_http_call *call, const struct o2_http_request *request)
{
	CURL *easy = call->easy;

	/* Without a body as well: the handle may have had one for an earlier call, which is gone. */
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_bytes);
	curl_easy_setopt(easy, CURLOPT_READDATA, call);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, refuse_rewind);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, call);
	if (request->body == NULL) {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
		return;
	}
	call->body = request->body;
	call->body_len = request->body_len;
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
}

struct o2_http_call *o2_http_start(struct o2_http_host *host, const struct o2_http_request *request,
				   o2_http_done_fn *done, void *arg)
{
	struct o2_http_call *call = o2_xcalloc(1, sizeof(*call));
	struct o2_http *http = host->http;
	size_t max = request->max_answer_bytes ? request->max_answer_bytes : DEFAULT_ANSWER_BYTES;
	O2_AUTO(o2_freep) char *url = o2_xasprintf("%s%s", host->base, request->path);

	assert(request->path[0] == '/');
	call->host = host;
	call->easy = o2_http_host_take(host);
	call->generation = host->generation;
	call->done = done;
	call->arg = arg;
	call->timeout_ms = request->timeout_ms;
	call->on_data = request->on_data;
	call->on_data_arg = request->on_data_arg;
	call->started_us = o2_http_now_us();
	o2_buf_init(&call->answer.body, call->on_data ? REFUSAL_BYTES : max);
	o2_buf_init(&call->pending, 4 * PENDING_BYTES);
	curl_easy_setopt(call->easy, CURLOPT_URL, url);
	curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, call->error_text);
	curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_LIMIT, request->idle_timeout_ms ? 1L : 0L);
	curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_TIME,
			 (request->idle_timeout_ms + 999L) / 1000);
	set_body(call, request);
	set_headers(call, request);

	TAILQ_INSERT_TAIL(&http->calls, call, link);
	http->in_flight++;
	CURLMcode code = curl_multi_add_handle(http->multi, call->easy);
	if (code != CURLM_OK) {
		snprintf(call->error_text, sizeof(call->error_text), "%s",
			 curl_multi_strerror(code));
		call->result = CURLE_FAILED_INIT;
		call->finished = true;
		make_ready(call);
	}
	return call;
}

/* Out of libcurl and of the lists; what the answer holds stays. */
static void detach(struct o2_http_call *call)
{
	struct o2_http *http = call->host->http;

	curl_multi_remove_handle(http->multi, call->easy);
	if (call->is_ready)
		TAILQ_REMOVE(&http->ready, call, ready_link);
	call->is_ready = false;
	TAILQ_REMOVE(&http->calls, call, link);
	http->in_flight--;
}

static void call_free(struct o2_http_call *call)
{
	o2_http_host_give(call->host, call->easy, call->generation);
	curl_slist_free_all(call->headers);
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

/* The text of `299 - "text"`. */
static void read_warning(const char *header, char *out, size_t size)
{
	const char *p = strchr(header, '"');
	size_t len = 0;

	for (p = p ? p + 1 : ""; *p && *p != '"' && len + 1 < size; p++) {
		if (*p == '\\' && p[1])
			p++;
		out[len++] = *p;
	}
	out[len] = '\0';
}

static void read_answer_head(struct o2_http_call *call)
{
	struct o2_http_answer *answer = &call->answer;
	struct curl_header *header;
	const char *type = NULL;
	curl_off_t retry_after = 0;
	long number = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &number);
	answer->status = (int)number;
	curl_easy_getinfo(call->easy, CURLINFO_HTTP_VERSION, &number);
	answer->http_version = number == CURL_HTTP_VERSION_2_0   ? 20
			       : number == CURL_HTTP_VERSION_1_0 ? 10
								 : 11;
	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
	snprintf(answer->content_type, sizeof(answer->content_type), "%s", type ? type : "");
	answer->retry_after_s = -1;
	if (curl_easy_header(call->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) ==
		    CURLHE_OK &&
	    curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK)
		answer->retry_after_s = retry_after > 86400 ? 86400 : (int)retry_after;
	if (curl_easy_header(call->easy, "Warning", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		read_warning(header->value, answer->warning, sizeof(answer->warning));
	answer->elapsed_us = o2_http_now_us() - call->started_us;
}

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
	if (call->result != CURLE_OK)
		(void)!o2_http_explain(call->host, call->easy, call->result, call->error_text,
				       call->timeout_ms, err);
}

/* `call` is gone afterwards. */
static void complete(struct o2_http_call *call)
{
	struct o2_http_answer answer;
	struct o2_err err = { 0 };
	o2_http_done_fn *done = call->done;
	void *arg = call->arg;

	read_answer_head(call);
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
		call->paused = false;
		curl_easy_pause(call->easy, CURLPAUSE_CONT);
	}
	if (call->finished || call->pending.len > 0)
		make_ready(call);
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

static void perform(struct o2_http *http)
{
	int running = 0;
	int left = 0;
	CURLMsg *message;

	curl_multi_perform(http->multi, &running);
	while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
		struct o2_http_call *call = NULL;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		call->result = message->data.result;
		call->finished = true;
		make_ready(call);
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

/* Has one of them anything to say? */
static bool any_ready(const struct curl_waitfd *waits, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (waits[i].revents != 0)
			return true;
	return false;
}

int o2_http_poll_fds(struct o2_http *http, const struct pollfd *fds, size_t count, int timeout_ms)
{
	int64_t end_ms = o2_clock_ms() + timeout_ms;
	int canceled = o2_cancel_pending();
	struct curl_waitfd *waits = o2_xcalloc(count + 1, sizeof(*waits));
	int ready = 0;

	for (size_t i = 0; i < count; i++) {
		waits[i].fd = fds[i].fd;
		waits[i].events = (short)(((fds[i].events & POLLIN) ? CURL_WAIT_POLLIN : 0) |
					  ((fds[i].events & POLLOUT) ? CURL_WAIT_POLLOUT : 0));
	}
	for (;;) {
		perform(http);
		if (fire_timers(http) + dispatch(http) > 0)
			break;
		int64_t left_ms = end_ms - o2_clock_ms();
		if (left_ms <= 0 || o2_cancel_pending() != canceled || any_ready(waits, count))
			break;
		curl_multi_poll(http->multi, waits, (unsigned)count, wait_ms(http, left_ms),
				&ready);
	}
	free(waits);
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
