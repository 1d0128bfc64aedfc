/*
 * HTTP: many requests in flight on few connections (libcurl multi), driven by one thread.
 *
 *	struct o2_http *http = o2_http_new();
 *	struct o2_http_host *host = o2_http_host_new(http, &settings, &err);
 *	struct o2_http_request request = { .method = "GET", .path = "/version", .max_answer_bytes = 1 << 20 };
 *	struct o2_http_answer answer = { 0 };
 *	o2_http_do(host, &request, &answer, &err);        // or o2_http_start() with a callback, then o2_http_poll()
 *	o2_http_answer_release(&answer);
 *
 * An answer with any HTTP status is an answer; only what prevents one is an error: O2_ETRANSIENT (no connection, reset,
 * truncated, time-out: the request may or may not have taken effect), O2_EAUTH (a certificate is not accepted, by us or by
 * the server), O2_ELIMIT (larger than allowed), O2_ECANCELED (o2_http_do() and WebSockets only). err->number is libcurl's code and
 * err->reason one of the words of O2_HTTP_*. Redirects are not followed, TLS is 1.2 or newer and never skipped unless asked
 * for, nothing is retried here: a request with a body is never sent twice, not even when a kept connection turns out dead.
 *
 * Every callback runs within o2_http_poll() and may start, abandon and wait for calls.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"

/* Words in err->reason. */
#define O2_HTTP_NO_SUCH_HOST "NoSuchHost"
#define O2_HTTP_REFUSED "ConnectionRefused"
#define O2_HTTP_UNREACHABLE "Unreachable"
#define O2_HTTP_TIMED_OUT "TimedOut"
#define O2_HTTP_LOST "ConnectionLost"
#define O2_HTTP_UNKNOWN_CA "UnknownCA"
#define O2_HTTP_NAME_MISMATCH "NameMismatch"
#define O2_HTTP_SERVER_EXPIRED "ServerCertificateExpired"
#define O2_HTTP_CLIENT_CERT "ClientCertificateRefused"
#define O2_HTTP_NOT_TLS "NotTLS"

struct o2_http;      /* the event loop and its connections */
struct o2_http_host; /* one server: address, TLS, proxy, headers that every request carries */
struct o2_http_call; /* one request in flight */

struct o2_http_settings {
	const char *url;      /* https://host[:port][/prefix]; without a trailing slash */
	const char *ca_pem;   /* certificates to trust; NULL: the system's */
	const char *cert_pem; /* client certificate and key; both or neither */
	const char *key_pem;
	const char *server_name; /* SNI and name to verify, where it differs from the URL's host */
	const char *proxy_url;   /* http, https or socks5; NULL: the environment decides */
	bool insecure;           /* accept any certificate */
	bool disable_compression;
	bool http1; /* never HTTP/2: every request in flight has a connection of its own */
	int connect_timeout_ms; /* 0: 10 s */
};

struct o2_http_request {
	const char *method;
	const char *path; /* begins with '/', percent-encoded, with its query; copied */
	const struct o2_strs *headers; /* "Name: value"; copied; may be NULL */
	const char *body;              /* borrowed until the call is done; may be NULL */
	size_t body_len;
	size_t max_answer_bytes; /* decompressed; 0: 64 MiB */
	int timeout_ms;          /* whole exchange; 0: none (streams) */
	int idle_timeout_ms;     /* without a byte; 0: none */
	/* Streams: called with every piece of a 2xx body instead of collecting it. A negative return ends the call with that code. */
	int (*on_data)(void *arg, const char *bytes, size_t len);
	void *on_data_arg;
};

struct o2_http_answer {
	int status;       /* 200 ...; 0: none arrived */
	int http_version; /* 11 or 20 */
	struct o2_buf body;
	char content_type[128];
	int retry_after_s; /* -1: the header was absent */
	char warning[256]; /* the first Warning header's text, "" if none */
	int64_t elapsed_us;
};

/* `answer` belongs to the callback's owner (release it). err->code is 0 when there is an answer. */
typedef void o2_http_done_fn(void *arg, struct o2_http_answer *answer, const struct o2_err *err);

struct o2_http *o2_http_new(void);
/* No call may be in flight; hosts go with it. */
void o2_http_free(struct o2_http *http);
O2_DEFINE_FREEP(struct o2_http, o2_http_free)

/* Copies the settings. Errors: O2_EINVALID (bad URL, certificate or key that can't be read). Freed with its o2_http. */
O2_MUST_CHECK struct o2_http_host *
o2_http_host_new(struct o2_http *http, const struct o2_http_settings *settings, struct o2_err *err);
struct o2_http *o2_http_host_loop(struct o2_http_host *host);
/* Close the host's connections and use another client certificate from now on (NULLs: none). */
O2_MUST_CHECK int o2_http_host_rekey(struct o2_http_host *host, const char *cert_pem,
				     const char *key_pem, struct o2_err *err);

/* Begin a request; `done` is called from o2_http_poll(), never from here. */
struct o2_http_call *o2_http_start(struct o2_http_host *host, const struct o2_http_request *request,
				   o2_http_done_fn *done, void *arg);
/* Drop a call: `done` is not called any more. */
void o2_http_abandon(struct o2_http_call *call);
/* Move everything in flight on, for at most `timeout_ms` or until something was done; returns the calls still in flight. Wakes early at a signal. */
int o2_http_poll(struct o2_http *http, int timeout_ms);
int o2_http_in_flight(const struct o2_http *http);

/* Call `fn` once from o2_http_poll(), `delay_ms` from now; the timer is gone then. Stop it only before. */
struct o2_http_timer;
struct o2_http_timer *o2_http_timer_start(struct o2_http *http, int delay_ms, void (*fn)(void *arg),
					  void *arg);
void o2_http_timer_stop(struct o2_http *http, struct o2_http_timer *timer);

/* One request, waited for. Other calls in flight move on meanwhile. After a failure there is nothing to release. */
O2_MUST_CHECK int o2_http_do(struct o2_http_host *host, const struct o2_http_request *request,
			     struct o2_http_answer *out_answer, struct o2_err *err);
void o2_http_answer_release(struct o2_http_answer *answer);

/*
 * WebSocket (RFC 6455) over its own connection.
 *
 * protocols   offered sub-protocols, comma separated; the one chosen is in o2_http_ws_protocol().
 * on failure  the HTTP status is in err->number (origin HTTP) and its body, if any, in `out_refusal` (release it).
 */
struct o2_http_ws;
O2_MUST_CHECK struct o2_http_ws *
o2_http_ws_open(struct o2_http_host *host, const struct o2_http_request *request,
		const char *protocols, struct o2_http_answer *out_refusal, struct o2_err *err);
const char *o2_http_ws_protocol(const struct o2_http_ws *ws);
/* Send one binary message and wait until it is out. Reads nothing meanwhile: a peer that does the same blocks both; use offer then. */
O2_MUST_CHECK int o2_http_ws_send(struct o2_http_ws *ws, const void *bytes, size_t len,
				  struct o2_err *err);
/*
 * Begin to send one binary message (copied). Returns 1: taken, o2_http_ws_receive() sends what is left of it; 0: the message
 * before is not out yet; negative: error.
 */
O2_MUST_CHECK int o2_http_ws_offer(struct o2_http_ws *ws, const void *bytes, size_t len,
				   struct o2_err *err);
/*
 * Receive one whole message (pings are answered inside). Returns 1: a message is in `message` (cleared first); 2: no
 * message yet, and what was offered is out; 0: the peer closed; negative: error. O2_ETRANSIENT with number ETIMEDOUT (origin errno) after `timeout_ms` without one.
 */
O2_MUST_CHECK int o2_http_ws_receive(struct o2_http_ws *ws, struct o2_buf *message, int timeout_ms,
				     struct o2_err *err);
/* For who has several of them: send on what was offered and receive, without waiting. read: false holds the peer back. */
enum { O2_HTTP_WS_CLOSED = 0, O2_HTTP_WS_MESSAGE = 1, O2_HTTP_WS_QUIET = 2 };
O2_MUST_CHECK int o2_http_ws_move(struct o2_http_ws *ws, bool read, struct o2_buf *message,
				  struct o2_err *err);
/*
 * Wait until one of them can move, for at most `timeout_ms` (or a signal). Only after o2_http_ws_move() was quiet for each: what
 * TLS has decrypted already wakes nobody. Requests of the first one's loop move on meanwhile.
 */
void o2_http_ws_wait(struct o2_http_ws *const *sockets, const bool *reads, size_t count,
		     int timeout_ms);
/* A sign of life with the next move (a pong that nobody asked for), so that nothing on the way takes the connection for dead. */
void o2_http_ws_beat(struct o2_http_ws *ws);
void o2_http_ws_free(struct o2_http_ws *ws);
O2_DEFINE_FREEP(struct o2_http_ws, o2_http_ws_free)
