/*
 * Requests carried through the world in the place of a network: what lib/http/transfer.c and host.c are on a real machine.
 *
 * An exchange leaves, arrives a moment later, takes effect, and its answer comes back a moment later; each of the four may be
 * struck. What was cut off on the way may still take effect later: that is what makes outcomes unknown.
 */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "fault.h"
#include "http/http_internal.h"
#include "network.h"
#include "oracle.h"
#include "strike.h"
#include "task.h"
#include "world.h"

#define LATE_US (90 * SIM_S) /* lands long after everybody gave up waiting */
#define SLOW_US (20 * SIM_S)

enum outcome { ANSWERED, LOST, TIMED_OUT };

struct exchange {
	struct o2_http_call *call; /* NULL: nobody waits for it any more */
	struct sim_task *task;     /* who asked */
	int side;
	char *method, *path, *content_type, *body;
	size_t body_len;
	enum sim_strike strike;
	struct sim_response response;
	enum outcome outcome;
	int uses;
};

/* --- hosts --- */

struct o2_http_host *o2_http_host_new(struct o2_http *http, const struct o2_http_settings *settings,
				      struct o2_err *err)
{
	struct o2_http_host *host = o2_xcalloc(1, sizeof(*host));

	(void)err;
	host->http = http;
	host->base = o2_xstrdup(settings->url);
	host->label = o2_xstrdup(settings->url);
	TAILQ_INSERT_TAIL(&http->hosts, host, link);
	return host;
}

void o2_http_host_free(struct o2_http_host *host)
{
	TAILQ_REMOVE(&host->http->hosts, host, link);
	free(host->base);
	free(host->label);
	free(host);
}

struct o2_http *o2_http_host_loop(struct o2_http_host *host)
{
	return host->http;
}

int o2_http_host_rekey(struct o2_http_host *host, const char *cert_pem, const char *key_pem,
		       struct o2_err *err)
{
	(void)host;
	(void)cert_pem;
	(void)key_pem;
	(void)err;
	return 0;
}

int sim_host_side(const struct o2_http_host *host)
{
	return strstr(host->base, "//a.") ? 0 : 1;
}

/* --- an exchange --- */

static void let_go(struct exchange *exchange)
{
	if (--exchange->uses > 0)
		return;
	sim_response_release(&exchange->response);
	free(exchange->method);
	free(exchange->path);
	free(exchange->content_type);
	free(exchange->body);
	free(exchange);
}

static void later(int64_t delay_us, sim_fn *fn, struct exchange *exchange)
{
	exchange->uses++;
	sim_after(delay_us, fn, exchange);
}

static void finish(struct exchange *exchange, enum outcome outcome)
{
	struct o2_http_call *call = exchange->call;

	if (!call || call->finished)
		return;
	exchange->outcome = outcome;
	call->finished = true;
	o2_http_call_ready(call);
	sim_task_wake(exchange->task);
}

static void be_lost(void *arg)
{
	struct exchange *exchange = arg;

	finish(exchange, LOST);
	let_go(exchange);
}

static void expire(void *arg)
{
	struct exchange *exchange = arg;

	finish(exchange, TIMED_OUT);
	let_go(exchange);
}

/* The answer is back at the client. */
static void deliver(void *arg)
{
	struct exchange *exchange = arg;
	struct o2_http_call *call = exchange->call;

	if (call && !call->finished) {
		O2_AUTO(o2_freep)
		char *text = exchange->response.doc ? o2_doc_dump(exchange->response.doc)
						    : o2_xstrdup_null(exchange->response.text);
		if (!text)
			text = o2_xstrdup("");
		size_t len = strlen(text);
		if (exchange->strike == SIM_STRIKE_TRUNCATED)
			len /= 2; /* and the connection ends in good order, as some proxies do */
		if (exchange->strike == SIM_STRIKE_GARBAGE) {
			snprintf(text, len + 1, "<html>");
			len = strlen(text);
		}
		o2_buf_add(&call->answer.body, text, len);
		finish(exchange, ANSWERED);
	}
	let_go(exchange);
}

static bool is_way_back_cut(int side)
{
	return sim_is_cut(side == 0 ? SIM_FROM_A : SIM_FROM_B);
}

/* It took effect: now the answer. */
static void answer(struct exchange *exchange)
{
	O2_AUTO(o2_freep)
	char *what = o2_xasprintf("%s %s", exchange->method, exchange->path);
	struct sim_point point = { SIM_AT_EFFECT, exchange->side, what };
	enum sim_strike strike = sim_pass_for(exchange->task, &point);

	if (strike != SIM_STRIKE_NONE)
		exchange->strike = strike;
	if (strike == SIM_STRIKE_ERROR_500 || strike == SIM_STRIKE_ERROR_504) {
		sim_response_release(&exchange->response);
		sim_strike_answer(strike, &exchange->response);
	}
	if (strike == SIM_STRIKE_RESET)
		later(sim_latency_us(), be_lost, exchange);
	else if (!is_way_back_cut(exchange->side))
		later(sim_latency_us() + (strike == SIM_STRIKE_SLOW ? SLOW_US : 0), deliver,
		      exchange);
}

/* The request is at the server. */
static void arrive(void *arg)
{
	struct exchange *exchange = arg;
	const struct sim_request request = { .method = exchange->method,
					     .path = exchange->path,
					     .content_type = exchange->content_type,
					     .body = exchange->body,
					     .body_len = exchange->body_len };

	if (sim_is_cut(exchange->side == 0 ? SIM_TO_A : SIM_TO_B)) {
		; /* nothing ever comes of it */
	} else if (sim_strike_answer(exchange->strike, &exchange->response)) {
		later(sim_latency_us(), deliver, exchange);
	} else {
		sim_oracle_see_request(exchange->side, &request);
		sim_serve(sim_side(exchange->side), &request, &exchange->response);
		answer(exchange);
	}
	let_go(exchange);
}

static void send_out(struct exchange *exchange, int timeout_ms)
{
	O2_AUTO(o2_freep)
	char *what = o2_xasprintf("%s %s", exchange->method, exchange->path);
	struct sim_point point = { SIM_AT_REQUEST, exchange->side, what };

	exchange->strike = sim_pass(&point);
	sim_strike_world(exchange->strike);
	if (timeout_ms > 0)
		later(timeout_ms * SIM_MS, expire, exchange);
	if (exchange->strike == SIM_STRIKE_RESET) {
		later(sim_latency_us(), be_lost, exchange);
	} else {
		later(sim_latency_us() + (exchange->strike == SIM_STRIKE_LATE   ? LATE_US
					  : exchange->strike == SIM_STRIKE_SLOW ? SLOW_US
										: 0),
		      arrive, exchange);
	}
}

static const char *header(const struct o2_http_request *request, const char *name)
{
	for (size_t i = 0; request->headers && i < request->headers->count; i++) {
		if (strncmp(request->headers->items[i], name, strlen(name)) == 0)
			return request->headers->items[i] + strlen(name);
	}
	return NULL;
}

/* --- what lib/http/http.c asks for --- */

void o2_http_transfer_open(struct o2_http *http)
{
	(void)http;
}

void o2_http_transfer_close(struct o2_http *http)
{
	(void)http;
}

void o2_http_transfer_begin(struct o2_http_call *call, const struct o2_http_request *request)
{
	struct exchange *exchange = o2_xcalloc(1, sizeof(*exchange));

	*exchange = (struct exchange){
		.call = call,
		.task = sim_task_current(),
		.side = sim_host_side(call->host),
		.method = o2_xstrdup(request->method),
		.path = o2_xstrdup(request->path),
		.content_type = o2_xstrdup_null(header(request, "Content-Type: ")),
		.body = request->body ? o2_xstrndup(request->body, request->body_len) : NULL,
		.body_len = request->body_len,
		.response = { .retry_after_s = -1 },
		.uses = 1,
	};
	call->easy = exchange;
	send_out(exchange, request->timeout_ms);
}

void o2_http_transfer_detach(struct o2_http_call *call)
{
	((struct exchange *)call->easy)->call = NULL;
}

void o2_http_transfer_end(struct o2_http_call *call)
{
	let_go(call->easy);
}

void o2_http_transfer_resume(struct o2_http_call *call)
{
	call->paused = false;
}

void o2_http_transfer_head(struct o2_http_call *call)
{
	const struct exchange *exchange = call->easy;
	struct o2_http_answer *answer = &call->answer;

	answer->retry_after_s = -1;
	if (exchange->outcome != ANSWERED)
		return;
	answer->status = exchange->response.status;
	answer->http_version = 20;
	answer->retry_after_s = exchange->response.retry_after_s;
	snprintf(answer->content_type, sizeof(answer->content_type), "application/json");
	snprintf(answer->warning, sizeof(answer->warning), "%s", exchange->response.warning);
}

int o2_http_transfer_explain(struct o2_http_call *call, struct o2_err *err)
{
	static const struct {
		const char *reason, *words;
	} ends[] = {
		[LOST] = { O2_HTTP_LOST, "the server closed the connection without an answer" },
		[TIMED_OUT] = { O2_HTTP_TIMED_OUT, "no answer in time" },
	};
	enum outcome outcome = ((struct exchange *)call->easy)->outcome;

	if (outcome == ANSWERED)
		return 0;
	o2_fail(err, O2_ETRANSIENT, "%s: %s", call->host->label, ends[outcome].words);
	err->origin = O2_ORIGIN_CURL;
	snprintf(err->reason, sizeof(err->reason), "%s", ends[outcome].reason);
	return err->code;
}

void o2_http_transfer_move(struct o2_http *http)
{
	(void)http; /* everything moves by events */
}

bool o2_http_transfer_wait(struct o2_http *http, const struct pollfd *fds, size_t count,
			   int timeout_ms)
{
	(void)http;
	(void)fds;
	(void)count;
	return sim_task_wait(timeout_ms * SIM_MS);
}
