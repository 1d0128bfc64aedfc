/*
 * What the files of lib/http share. libcurl is known here and nowhere else; http.c, which keeps the calls and their order, knows it only
 * through transfer.c. Whoever implements the functions of transfer.c, host.c and ws.c in another way takes libcurl's place: the
 * simulator does.
 *
 * No callback of ours runs inside a callback of libcurl: what arrives is put aside (pending, finished) and handed over by
 * o2_http_poll() afterwards. So a callback may start, abandon and wait for other calls.
 */
#pragma once

#include <curl/curl.h>
#include <poll.h>
#include <sys/queue.h>

#include "http/http.h"

TAILQ_HEAD(o2_http_hosts, o2_http_host);
TAILQ_HEAD(o2_http_calls, o2_http_call);
TAILQ_HEAD(o2_http_timers, o2_http_timer);

struct o2_http {
	CURLM *multi;
	struct o2_http_hosts hosts;
	struct o2_http_calls calls;   /* begun, `done` not called yet */
	struct o2_http_calls ready;   /* of those: something is to be handed over */
	struct o2_http_timers timers; /* the soonest first */
	int in_flight;
};

struct o2_http_host {
	TAILQ_ENTRY(o2_http_host) link;
	struct o2_http *http;
	char *base;        /* what a request's path is appended to */
	char *ws_base;     /* the same for WebSockets */
	char *label;       /* "https://host:port", for messages: never with credentials */
	char *host_header; /* "Host: real-host:port", NULL unless the name in the URL is another */
	struct curl_slist *connect_to;
	char *ca_pem, *cert_pem, *key_pem;
	char *proxy_url;
	bool no_proxy; /* neither proxy_url nor the environment */
	bool insecure, disable_compression, http1;
	int connect_timeout_ms;
	int generation; /* counts identities: a handle of an old one is not used again */
	CURL **idle;    /* easy handles that are set up for this host */
	size_t idle_count, idle_cap;
};

struct o2_http_call {
	TAILQ_ENTRY(o2_http_call) link;
	TAILQ_ENTRY(o2_http_call) ready_link;
	struct o2_http_host *host;
	CURL *easy;
	struct curl_slist *headers;
	char error_text[CURL_ERROR_SIZE];
	const char *body;
	size_t body_len, body_sent;
	int timeout_ms;
	int generation;
	int (*on_data)(void *arg, const char *bytes, size_t len);
	void *on_data_arg;
	struct o2_buf pending; /* of a stream: arrived, not handed over */
	o2_http_done_fn *done;
	void *arg;
	struct o2_http_answer answer;
	int64_t started_us;
	CURLcode result;
	int stream_code; /* what on_data returned, if negative */
	bool is_ready, busy, paused, finished, abandoned;
};

/* Fill in a handle with all that does not depend on the request. `easy` is new. */
void o2_http_host_set_up(struct o2_http_host *host, CURL *easy);
/* A handle that is set up; give it back when its transfer is over. */
CURL *o2_http_host_take(struct o2_http_host *host);
void o2_http_host_give(struct o2_http_host *host, CURL *easy, int generation);
void o2_http_host_free(struct o2_http_host *host);

/* Turn libcurl's result into an error; `timeout_ms` is what the request allowed. Returns err->code. */
int o2_http_explain(const struct o2_http_host *host, CURL *easy, CURLcode result, const char *text,
		    int timeout_ms, struct o2_err *err);

/* As o2_http_poll(), woken by `fd` as well (-1: none; events of poll(2)). */
int o2_http_poll_fd(struct o2_http *http, int fd, short events, int timeout_ms);
/* The same for several; `revents` is not set. */
int o2_http_poll_fds(struct o2_http *http, const struct pollfd *fds, size_t count, int timeout_ms);

/* --- transfer.c: one exchange --- */

#define O2_HTTP_PENDING_BYTES ((size_t)1 << 20) /* of a stream: more waits in the connection */

void o2_http_transfer_open(struct o2_http *http);
void o2_http_transfer_close(struct o2_http *http);
/* Begin. What comes is put into call->answer.body or call->pending, `finished` is set at the end, and o2_http_call_ready() tells. */
void o2_http_transfer_begin(struct o2_http_call *call, const struct o2_http_request *request);
/* Nothing comes any more; then what it holds is given back. */
void o2_http_transfer_detach(struct o2_http_call *call);
void o2_http_transfer_end(struct o2_http_call *call);
/* A stream was paused, since too much was pending: go on. */
void o2_http_transfer_resume(struct o2_http_call *call);
/* Status and headers into call->answer. */
void o2_http_transfer_head(struct o2_http_call *call);
/* Why there is no answer; 0 if there is one. */
int o2_http_transfer_explain(struct o2_http_call *call, struct o2_err *err);
/* Move all of them on without waiting. */
void o2_http_transfer_move(struct o2_http *http);
/* Wait until something can move, or one of the descriptors can; true for the latter. */
bool o2_http_transfer_wait(struct o2_http *http, const struct pollfd *fds, size_t count,
			   int timeout_ms);
/* http.c: there is something to be handed over. */
void o2_http_call_ready(struct o2_http_call *call);
