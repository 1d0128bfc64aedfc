/* WebSocket over a connection of its own, by libcurl's WebSocket calls. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "http/http_internal.h"

#define HANDSHAKE_MS 30000
#define MESSAGE_MAX_BYTES ((size_t)64 << 20)
#define CHUNK_BYTES 65536
#define POLL_MS 250
#define PONG_MAX_BYTES 125 /* of any control frame */

struct o2_http_ws {
	struct o2_http_host *host;
	CURL *easy;
	struct curl_slist *headers;
	char error_text[CURL_ERROR_SIZE];
	char protocol[128];
	curl_socket_t fd;
	struct o2_buf out; /* the message that is being sent */
	size_t out_sent;
	bool sending;
	struct o2_buf in;          /* the message that is being received */
	char pong[PONG_MAX_BYTES]; /* the last ping's words, to be sent back */
	size_t pong_len;
	bool pong_due, pong_sending, ping_open;
	struct o2_err
		unsendable; /* why nothing more can be sent; what was received before can still be read */
	bool open;
};

/* --- opening --- */

static size_t read_header(char *bytes, size_t size, size_t count, void *arg)
{
	static const char name[] = "Sec-WebSocket-Protocol:";
	struct o2_http_ws *ws = arg;
	size_t len = size * count;

	if (len > strlen(name) && strncasecmp(bytes, name, strlen(name)) == 0) {
		const char *value = bytes + strlen(name);
		size_t value_len = len - strlen(name);
		while (value_len > 0 && *value == ' ')
			value++, value_len--;
		while (value_len > 0 && strchr(" \r\n", value[value_len - 1]))
			value_len--;
		snprintf(ws->protocol, sizeof(ws->protocol), "%.*s", (int)value_len, value);
	}
	return len;
}

/* libcurl asks often while it waits. */
static int is_canceled(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)arg;
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return o2_cancel_pending() != 0;
}

static void set_up(struct o2_http_ws *ws, const struct o2_http_request *request,
		   const char *protocols)
{
	struct o2_http_host *host = ws->host;
	O2_AUTO(o2_freep) char *url = o2_xasprintf("%s%s", host->ws_base, request->path);
	O2_AUTO(o2_freep)
	char *offer = o2_xasprintf("Sec-WebSocket-Protocol: %s", protocols ? protocols : "");

	o2_http_host_set_up(host, ws->easy);
	if (host->host_header)
		ws->headers = curl_slist_append(ws->headers, host->host_header);
	for (size_t i = 0; request->headers && i < request->headers->count; i++)
		ws->headers = curl_slist_append(ws->headers, request->headers->items[i]);
	if (protocols)
		ws->headers = curl_slist_append(ws->headers, offer);
	curl_easy_setopt(ws->easy, CURLOPT_URL, url);
	curl_easy_setopt(ws->easy, CURLOPT_PROTOCOLS_STR, "wss,ws");
	curl_easy_setopt(ws->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(ws->easy, CURLOPT_ACCEPT_ENCODING, NULL);
	curl_easy_setopt(ws->easy, CURLOPT_CONNECT_ONLY, 2L);
	/* libcurl's own pong would land inside a message that is half sent. */
	curl_easy_setopt(ws->easy, CURLOPT_WS_OPTIONS, (long)CURLWS_NOAUTOPONG);
	curl_easy_setopt(ws->easy, CURLOPT_HTTPHEADER, ws->headers);
	curl_easy_setopt(ws->easy, CURLOPT_HEADERFUNCTION, read_header);
	curl_easy_setopt(ws->easy, CURLOPT_HEADERDATA, ws);
	curl_easy_setopt(ws->easy, CURLOPT_ERRORBUFFER, ws->error_text);
	curl_easy_setopt(ws->easy, CURLOPT_TIMEOUT_MS,
			 (long)(request->timeout_ms ? request->timeout_ms : HANDSHAKE_MS));
	curl_easy_setopt(ws->easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(ws->easy, CURLOPT_XFERINFOFUNCTION, is_canceled);
}

/*
 * libcurl does not read what a refusal says, so the same request is made without the upgrade, which has no effect. Its words
 * count only if it is refused in the same way.
 */
static int explain_refusal(struct o2_http_ws *ws, const struct o2_http_request *request, int status,
			   struct o2_http_answer *out_refusal, struct o2_err *err)
{
	struct o2_http_request plain = *request;
	struct o2_err own = { 0 };

	if (err == NULL)
		err = &own;
	plain.method = "GET";
	plain.timeout_ms = request->timeout_ms ? request->timeout_ms : HANDSHAKE_MS;
	plain.max_answer_bytes = 1 << 20;
	if (o2_http_do(ws->host, &plain, out_refusal, err) == -O2_ECANCELED)
		return err->code;
	o2_err_clear(err);
	o2_fail(err, O2_EINVALID, "%s: refused to open a WebSocket (%d)", ws->host->label, status);
	err->origin = O2_ORIGIN_HTTP;
	err->number = status;
	if (out_refusal->status != status)
		o2_http_answer_release(out_refusal);
	out_refusal->status = status;
	return err->code;
}

static int shake_hands(struct o2_http_ws *ws, const struct o2_http_request *request,
		       struct o2_http_answer *out_refusal, struct o2_err *err)
{
	CURLcode result = curl_easy_perform(ws->easy);
	long status = 0;

	curl_easy_getinfo(ws->easy, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_ABORTED_BY_CALLBACK && o2_cancel_check(err) < 0)
		return -O2_ECANCELED;
	if (status >= 200)
		return explain_refusal(ws, request, (int)status, out_refusal, err);
	if (result == CURLE_OK)
		result = curl_easy_getinfo(ws->easy, CURLINFO_ACTIVESOCKET, &ws->fd);
	if (result != CURLE_OK)
		return o2_http_explain(ws->host, ws->easy, result, ws->error_text, HANDSHAKE_MS,
				       err);
	curl_easy_setopt(ws->easy, CURLOPT_TIMEOUT_MS, 0L);
	ws->open = true;
	return 0;
}

struct o2_http_ws *o2_http_ws_open(struct o2_http_host *host, const struct o2_http_request *request,
				   const char *protocols, struct o2_http_answer *out_refusal,
				   struct o2_err *err)
{
	O2_AUTO(o2_http_ws_freep) struct o2_http_ws *ws = o2_xcalloc(1, sizeof(*ws));

	*out_refusal = (struct o2_http_answer){ .retry_after_s = -1 };
	ws->host = host;
	ws->fd = CURL_SOCKET_BAD;
	o2_buf_init(&ws->out, MESSAGE_MAX_BYTES);
	o2_buf_init(&ws->in, MESSAGE_MAX_BYTES);
	if (o2_cancel_check(err) < 0)
		return NULL;
	ws->easy = curl_easy_init();
	if (ws->easy == NULL)
		abort(); /* no memory */
	set_up(ws, request, protocols);
	if (shake_hands(ws, request, out_refusal, err) < 0)
		return NULL;
	return O2_STEAL(ws);
}

const char *o2_http_ws_protocol(const struct o2_http_ws *ws)
{
	return ws->protocol;
}

void o2_http_ws_free(struct o2_http_ws *ws)
{
	static const char normal[] = { 0x03, (char)0xe8 }; /* 1000 */
	size_t sent = 0;

	if (ws == NULL)
		return;
	if (ws->open && !ws->sending)
		(void)curl_ws_send(ws->easy, normal, sizeof(normal), &sent, 0, CURLWS_CLOSE);
	curl_easy_cleanup(ws->easy);
	curl_slist_free_all(ws->headers);
	o2_buf_release(&ws->out);
	o2_buf_release(&ws->in);
	free(ws);
}

/* --- sending --- */

static int lost(struct o2_http_ws *ws, CURLcode result, struct o2_err *err)
{
	ws->open = false;
	return o2_http_explain(ws->host, ws->easy, result, ws->error_text, 0, err);
}

/* The peer takes no more. Its last words may still be on the way here, so this is told only when there is nothing to read. */
static int fail_sending(struct o2_http_ws *ws, CURLcode result)
{
	ws->sending = ws->pong_due = ws->pong_sending = false;
	return lost(ws, result, &ws->unsendable);
}

static int tell_unsendable(const struct o2_http_ws *ws, struct o2_err *err)
{
	if (err)
		*err = ws->unsendable;
	return ws->unsendable.code;
}

/* Answer a ping, between messages. 1: nothing is left to send; 0: the connection takes no more now. */
static int flush_pong(struct o2_http_ws *ws)
{
	size_t sent = 0;

	if (!ws->pong_due && !ws->pong_sending)
		return 1;
	if (!ws->pong_sending) {
		ws->pong_sending = true;
		ws->pong_due = false;
	}
	CURLcode result = curl_ws_send(ws->easy, ws->pong, ws->pong_len, &sent, 0, CURLWS_PONG);
	if (result != CURLE_OK && result != CURLE_AGAIN)
		return fail_sending(ws, result);
	if (result == CURLE_AGAIN || sent < ws->pong_len) {
		memmove(ws->pong, ws->pong + sent, ws->pong_len - sent);
		ws->pong_len -= sent;
		return 0;
	}
	ws->pong_sending = false;
	return 1;
}

/* Send on. 1: all is out; 0: the connection takes no more now. */
static int flush_out(struct o2_http_ws *ws)
{
	if (ws->unsendable.code < 0)
		return ws->unsendable.code;
	if (!ws->sending || ws->pong_sending) {
		int pong = flush_pong(ws);
		if (pong <= 0)
			return pong;
	}
	while (ws->sending) {
		size_t sent = 0;
		CURLcode result = curl_ws_send(ws->easy, ws->out.data + ws->out_sent,
					       ws->out.len - ws->out_sent, &sent, 0, CURLWS_BINARY);
		ws->out_sent += sent;
		if (result == CURLE_AGAIN)
			return 0;
		if (result != CURLE_OK)
			return fail_sending(ws, result);
		if (ws->out_sent >= ws->out.len)
			ws->sending = false;
		else if (sent == 0)
			return 0;
	}
	return flush_pong(ws);
}

int o2_http_ws_offer(struct o2_http_ws *ws, const void *bytes, size_t len, struct o2_err *err)
{
	int out = flush_out(ws);

	if (out < 0)
		return tell_unsendable(ws, err);
	if (out == 0)
		return 0;
	if (len > MESSAGE_MAX_BYTES)
		return o2_fail(err, O2_ELIMIT, "%s: a message of %zu bytes is too long",
			       ws->host->label, len);
	o2_buf_clear(&ws->out);
	o2_buf_add(&ws->out, bytes, len);
	ws->out_sent = 0;
	ws->sending = true;
	return flush_out(ws) < 0 ? tell_unsendable(ws, err) : 1;
}

int o2_http_ws_send(struct o2_http_ws *ws, const void *bytes, size_t len, struct o2_err *err)
{
	int code = o2_http_ws_offer(ws, bytes, len, err);
	int out;

	while (code == 0) { /* what was offered before goes first */
		if (o2_cancel_check(err) < 0)
			return -O2_ECANCELED;
		o2_http_poll_fd(ws->host->http, ws->fd, POLLOUT, POLL_MS);
		code = o2_http_ws_offer(ws, bytes, len, err);
	}
	if (code < 0)
		return code;
	while ((out = flush_out(ws)) == 0) {
		if (o2_cancel_check(err) < 0)
			return -O2_ECANCELED;
		o2_http_poll_fd(ws->host->http, ws->fd, POLLOUT, POLL_MS);
	}
	return out < 0 ? tell_unsendable(ws, err) : 0;
}

/* --- receiving --- */

/* Pings come one frame each; one that arrives while the last is being answered is not answered: a pong for any will do. */
static void note_ping(struct o2_http_ws *ws, const char *bytes, size_t len, bool whole)
{
	if (ws->pong_sending)
		return;
	if (!ws->ping_open)
		ws->pong_len = 0;
	if (len <= sizeof(ws->pong) - ws->pong_len) {
		memcpy(ws->pong + ws->pong_len, bytes, len);
		ws->pong_len += len;
	}
	ws->ping_open = !whole;
	ws->pong_due = whole;
}

/* One piece. 1: the message is whole; 0: nothing there, or not whole yet (*again says); CLOSED: the peer has closed. */
enum { CLOSED = 2 };

static int read_piece(struct o2_http_ws *ws, bool *again, struct o2_err *err)
{
	char bytes[CHUNK_BYTES];
	const struct curl_ws_frame *frame = NULL;
	size_t len = 0;
	CURLcode result = curl_ws_recv(ws->easy, bytes, sizeof(bytes), &len, &frame);

	*again = result == CURLE_AGAIN;
	if (result == CURLE_AGAIN)
		return 0;
	if (result != CURLE_OK)
		return lost(ws, result, err);
	if (frame->flags & CURLWS_CLOSE)
		return CLOSED;
	if (frame->flags & CURLWS_PING)
		note_ping(ws, bytes, len, frame->bytesleft == 0);
	if (frame->flags & (CURLWS_PING | CURLWS_PONG))
		return 0;
	o2_buf_add(&ws->in, bytes, len);
	if (o2_buf_overflowed(&ws->in))
		return o2_fail(err, O2_ELIMIT, "%s: a message is larger than %zu bytes",
			       ws->host->label, ws->in.max);
	return frame->bytesleft == 0 && !(frame->flags & CURLWS_CONT);
}

static int hand_over(struct o2_http_ws *ws, struct o2_buf *message, struct o2_err *err)
{
	o2_buf_clear(message);
	o2_buf_add(message, ws->in.data, ws->in.len);
	o2_buf_clear(&ws->in);
	if (o2_buf_overflowed(message))
		return o2_fail(err, O2_ELIMIT, "%s: a message is larger than %zu bytes",
			       ws->host->label, message->max);
	return 1;
}

static int timed_out(const struct o2_http_ws *ws, int timeout_ms, struct o2_err *err)
{
	struct o2_err own = { 0 };

	if (err == NULL)
		err = &own;
	o2_fail(err, O2_ETRANSIENT, "%s: nothing came for %d s", ws->host->label,
		timeout_ms / 1000);
	err->origin = O2_ORIGIN_ERRNO;
	err->number = ETIMEDOUT;
	snprintf(err->reason, sizeof(err->reason), "%s", O2_HTTP_TIMED_OUT);
	return err->code;
}

/* Send and receive as much as goes without waiting; *out as flush_out(). */
static int move(struct o2_http_ws *ws, bool read, struct o2_buf *message, int *out,
		struct o2_err *err)
{
	bool again = false;

	for (;;) {
		*out = flush_out(ws);
		int in = read ? read_piece(ws, &again, err) : 0;
		if (in < 0)
			return in;
		if (in == CLOSED) {
			ws->open = false;
			return O2_HTTP_WS_CLOSED;
		}
		if (in == 1)
			return hand_over(ws, message, err);
		if (again || !read)
			return *out < 0 ? tell_unsendable(ws, err) : O2_HTTP_WS_QUIET;
	}
}

int o2_http_ws_move(struct o2_http_ws *ws, bool read, struct o2_buf *message, struct o2_err *err)
{
	int out;

	return move(ws, read, message, &out, err);
}

void o2_http_ws_wait(struct o2_http_ws *const *sockets, const bool *reads, size_t count,
		     int timeout_ms)
{
	struct pollfd *fds;
	size_t asked = 0;

	if (count == 0)
		return;
	fds = o2_xcalloc(count, sizeof(*fds));
	for (size_t i = 0; i < count; i++) {
		const struct o2_http_ws *ws = sockets[i];
		bool writes = ws->sending || ws->pong_due || ws->pong_sending;

		/* One that neither reads nor writes is left out: a hang-up would wake us again and again. */
		if (!reads[i] && !writes)
			continue;
		fds[asked].fd = ws->fd;
		fds[asked++].events = (short)((reads[i] ? POLLIN : 0) | (writes ? POLLOUT : 0));
	}
	o2_http_poll_fds(sockets[0]->host->http, fds, asked, timeout_ms);
	free(fds);
}

void o2_http_ws_beat(struct o2_http_ws *ws)
{
	if (ws->pong_due || ws->pong_sending)
		return;
	ws->pong_len = 0;
	ws->pong_due = true;
}

int o2_http_ws_receive(struct o2_http_ws *ws, struct o2_buf *message, int timeout_ms,
		       struct o2_err *err)
{
	int64_t end_ms = o2_clock_ms() + timeout_ms;
	bool was_sending = ws->sending;

	for (;;) {
		int out;
		int moved = move(ws, true, message, &out, err);
		if (moved != O2_HTTP_WS_QUIET)
			return moved;
		if (was_sending && out == 1)
			return 2;
		if (o2_cancel_check(err) < 0)
			return -O2_ECANCELED;
		if (timeout_ms > 0 && o2_clock_ms() >= end_ms)
			return timed_out(ws, timeout_ms, err);
		int64_t left_ms = timeout_ms > 0 ? end_ms - o2_clock_ms() : POLL_MS;
		o2_http_poll_fd(ws->host->http, ws->fd, (short)(POLLIN | (out == 0 ? POLLOUT : 0)),
				left_ms < POLL_MS ? (int)left_ms : POLL_MS);
	}
}
