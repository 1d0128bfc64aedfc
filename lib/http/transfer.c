/*
 * Exchanges carried out by libcurl: what http.c asks for, and nothing of what it decides.
 */
#include <string.h>

#include "http/http_internal.h"

#define MAX_CONNECTIONS 128L /* kept open */

void o2_http_transfer_open(struct o2_http *http)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	http->multi = curl_multi_init();
	if (http->multi == NULL)
		abort(); /* no memory */
	curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, MAX_CONNECTIONS);
}

void o2_http_transfer_close(struct o2_http *http)
{
	curl_multi_cleanup(http->multi);
	curl_global_cleanup();
}

/* --- out --- */

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
	if (call->pending.len > O2_HTTP_PENDING_BYTES) {
		call->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	o2_buf_add(&call->pending, bytes, len);
	if (o2_buf_overflowed(&call->pending))
		return CURL_WRITEFUNC_ERROR;
	o2_http_call_ready(call);
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

void o2_http_transfer_begin(struct o2_http_call *call, const struct o2_http_request *request)
{
	O2_AUTO(o2_freep) char *url = o2_xasprintf("%s%s", call->host->base, request->path);

	call->easy = o2_http_host_take(call->host);
	call->generation = call->host->generation;
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
	CURLMcode code = curl_multi_add_handle(call->host->http->multi, call->easy);
	if (code != CURLM_OK) {
		snprintf(call->error_text, sizeof(call->error_text), "%s",
			 curl_multi_strerror(code));
		call->result = CURLE_FAILED_INIT;
		call->finished = true;
		o2_http_call_ready(call);
	}
}

void o2_http_transfer_detach(struct o2_http_call *call)
{
	curl_multi_remove_handle(call->host->http->multi, call->easy);
}

void o2_http_transfer_end(struct o2_http_call *call)
{
	o2_http_host_give(call->host, call->easy, call->generation);
	curl_slist_free_all(call->headers);
}

void o2_http_transfer_resume(struct o2_http_call *call)
{
	call->paused = false;
	curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

/* --- in --- */

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

void o2_http_transfer_head(struct o2_http_call *call)
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
}

int o2_http_transfer_explain(struct o2_http_call *call, struct o2_err *err)
{
	if (call->result == CURLE_OK)
		return 0;
	return o2_http_explain(call->host, call->easy, call->result, call->error_text,
			       call->timeout_ms, err);
}

void o2_http_transfer_move(struct o2_http *http)
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
		o2_http_call_ready(call);
	}
}

/* Has one of them anything to say? */
static bool any_ready(const struct curl_waitfd *waits, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (waits[i].revents != 0)
			return true;
	return false;
}

bool o2_http_transfer_wait(struct o2_http *http, const struct pollfd *fds, size_t count,
			   int timeout_ms)
{
	struct curl_waitfd *waits = o2_xcalloc(count + 1, sizeof(*waits));
	int ready = 0;

	for (size_t i = 0; i < count; i++) {
		waits[i].fd = fds[i].fd;
		waits[i].events = (short)(((fds[i].events & POLLIN) ? CURL_WAIT_POLLIN : 0) |
					  ((fds[i].events & POLLOUT) ? CURL_WAIT_POLLOUT : 0));
	}
	curl_multi_poll(http->multi, waits, (unsigned)count, timeout_ms, &ready);
	bool any = any_ready(waits, count);
	free(waits);
	return any;
}
