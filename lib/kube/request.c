/* One request, with the retries that are allowed, and a window of many. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/kube_internal.h"

#define TIMEOUT_MS 60000
#define TIMEOUT_MIN_MS 2000
#define ATTEMPTS 10
#define ATTEMPTS_REFUSED \
	5 /* a server that restarts; longer than that is the caller's to wait for */
#define ATTEMPTS_PATIENT 2 /* where the caller waits by itself */
#define WAIT_MAX_MS 30000
#define ATTEMPTS_UNSERVED 3 /* 0.3 s in all */
#define GRACE_MS 3000       /* for writes in flight at a cancel request */
#define POLL_MS 250

static void send_request(struct o2_kube_request *request);

static void count_in_flight(const struct o2_kube_request *request, int by)
{
	request->kube->open_count += by;
	if (request->on_data)
		request->kube->stream_count += by;
}

static void finish(struct o2_kube_request *request)
{
	count_in_flight(request, -1);
	request->done(request);
}

static void fire(void *arg)
{
	struct o2_kube_request *request = arg;

	request->timer = NULL;
	send_request(request);
}

static void send_later(struct o2_kube_request *request, int64_t delay_ms)
{
	o2_http_answer_release(&request->answer);
	request->timer = o2_http_timer_start(request->kube->http, (int)delay_ms, fire, request);
}

/* 0.1 s, doubled each time, up to 5 s. */
static int64_t backoff_ms(int attempts)
{
	return attempts > 6 ? 5000 : (int64_t)100 << (attempts - 1);
}

/* The server's wish, within reason; a wish of 0 still means later. */
static int64_t told_ms(int retry_after_s)
{
	int64_t ms = (int64_t)retry_after_s * 1000;

	return ms < 100 ? 100 : ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms;
}

/* No answer came. Sending again is only for what has no effect. */
static bool retry_lost(struct o2_kube_request *request, const struct o2_err *cause)
{
	bool refused = strcmp(cause->reason, O2_HTTP_REFUSED) == 0;
	int most = request->kube->patience_ms > 0 ? ATTEMPTS_PATIENT
		   : refused                      ? ATTEMPTS_REFUSED
						  : ATTEMPTS;

	if (!request->repeatable || request->on_data || o2_cancel_pending() ||
	    cause->code != -O2_ETRANSIENT)
		return false;
	if (request->attempts >= most ||
	    (refused ? !request->kube->answered : strcmp(cause->reason, O2_HTTP_LOST) != 0))
		return false;
	o2_log(O2_DEBUG, "%s: asking again: %s", request->kube->name, cause->message);
	send_later(request, backoff_ms(request->attempts));
	return true;
}

/*
 * A 404 that names no object is about the path: the server does not serve the kind. It may not do so yet (it is starting, or another
 * one behind the same address is), so that is believed only when it says so again: to take what is there for gone is the worst mistake.
 */
static bool is_unserved(const struct o2_http_answer *answer)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *status = answer->status == 404
					? o2_doc_parse(answer->body.data, answer->body.len, NULL)
					: NULL;

	return answer->status == 404 && o2_doc_str(status, "/details/name", "")[0] == '\0';
}

/* An answer that says that nothing happened: credentials out of date, a server that asks to come back, or that may not be ready. */
static bool retry_answer(struct o2_kube_request *request)
{
	struct o2_kube *kube = request->kube;
	const struct o2_http_answer *answer = &request->answer;

	if (o2_cancel_pending())
		return false;
	if (answer->status == 401 && !request->renewed) {
		request->renewed = true;
		if (o2_kube_credential_renew(kube->credential, kube->host, request->generation,
					     &request->err) != 1)
			return false;
		o2_http_answer_release(&request->answer);
		send_request(request);
		return true;
	}
	if (!request->on_data && request->attempts < ATTEMPTS_UNSERVED && is_unserved(answer)) {
		send_later(request, backoff_ms(request->attempts));
		return true;
	}
	if (answer->status == 429)
		request->throttled = true;
	if ((answer->status != 429 && answer->status < 500) || answer->retry_after_s < 0 ||
	    request->attempts >= ATTEMPTS)
		return false;
	o2_log(O2_DEBUG, "%s: busy (%d), asking again in %d s", kube->name, answer->status,
	       answer->retry_after_s);
	send_later(request, told_ms(answer->retry_after_s));
	return true;
}

static void count_round_trip(struct o2_kube_request *request)
{
	struct o2_kube *kube = request->kube;

	kube->answered = true;
	if (request->on_data)
		return;
	kube->total_us += request->answer.elapsed_us;
	kube->request_count++;
	if (request->alone) {
		kube->alone_us += request->answer.elapsed_us;
		kube->alone_count++;
	}
}

static void take_answer(void *arg, struct o2_http_answer *answer, const struct o2_err *err)
{
	struct o2_kube_request *request = arg;

	request->call = NULL;
	request->answer = *answer;
	if (err->code < 0) {
		if (retry_lost(request, err))
			return;
		(void)!o2_kube_transport_fail(request, err, &request->err);
	} else {
		count_round_trip(request);
		bool good = answer->status >= 200 && answer->status < 300;
		if (!good && retry_answer(request))
			return;
		if (!good && request->err.code == 0)
			(void)!o2_kube_status_fail(request, &request->err);
		else if (!good)
			(void)!o2_prefix(&request->err, "%s", request->what);
	}
	finish(request);
}

static void finish_early(void *arg)
{
	struct o2_kube_request *request = arg;

	request->timer = NULL;
	finish(request);
}

/* Half of the caller's patience, so that a server that hangs is asked at least twice within it. */
static int time_limit_ms(const struct o2_kube *kube)
{
	int limit_ms =
		kube->config->request_timeout_ms ? kube->config->request_timeout_ms : TIMEOUT_MS;
	int half_ms =
		kube->patience_ms / 2 > TIMEOUT_MIN_MS ? kube->patience_ms / 2 : TIMEOUT_MIN_MS;

	return kube->patience_ms > 0 && half_ms < limit_ms ? half_ms : limit_ms;
}

static void send_request(struct o2_kube_request *request)
{
	struct o2_kube *kube = request->kube;
	struct o2_strs headers = { 0 };

	request->attempts++;
	if (o2_kube_credential_ready(kube->credential, kube->host, &request->err) < 0) {
		(void)!o2_prefix(&request->err, "%s", request->what);
		request->timer =
			o2_http_timer_start(kube->http, 0, finish_early,
					    request); /* `done` never runs from the start */
		return;
	}
	request->generation = o2_kube_credential_generation(kube->credential);
	o2_strs_addf(&headers, "Accept: %s",
		     request->accept ? request->accept : "application/json");
	if (request->body)
		o2_strs_addf(&headers, "Content-Type: %s",
			     request->content_type ? request->content_type : "application/json");
	o2_kube_identity_headers(kube, &headers);
	struct o2_http_request http = {
		.method = request->method,
		.path = request->path,
		.headers = &headers,
		.body = request->body,
		.body_len = request->body_len,
		.max_answer_bytes = request->max_answer_bytes,
		.timeout_ms = request->timeout_ms,
		.idle_timeout_ms = request->idle_timeout_ms,
		.on_data = request->on_data,
		.on_data_arg = request->arg,
	};
	if (http.timeout_ms == 0 && request->on_data == NULL)
		http.timeout_ms = time_limit_ms(kube);
	request->call = o2_http_start(kube->host, &http, take_answer, request);
	o2_strs_release(&headers);
}

void o2_kube_request_start(struct o2_kube *kube, struct o2_kube_request *request)
{
	assert(request->path && request->what && request->err.code == 0);
	request->kube = kube;
	request->attempts = 0;
	request->renewed = false;
	request->alone = kube->open_count == kube->stream_count;
	count_in_flight(request, 1);
	send_request(request);
}

void o2_kube_request_drop(struct o2_kube_request *request)
{
	if (request->kube == NULL || (request->call == NULL && request->timer == NULL))
		return;
	o2_http_abandon(request->call);
	o2_http_timer_stop(request->kube->http, request->timer);
	request->call = NULL;
	request->timer = NULL;
	count_in_flight(request, -1);
}

void o2_kube_request_release(struct o2_kube_request *request)
{
	o2_kube_request_drop(request);
	free(request->path);
	free(request->body);
	free(request->what);
	o2_http_answer_release(&request->answer);
	*request = (struct o2_kube_request){ 0 };
}

struct o2_doc *o2_kube_request_doc(const struct o2_kube_request *request, struct o2_err *err)
{
	struct o2_err cause = { 0 };
	struct o2_doc *doc =
		o2_doc_parse(request->answer.body.data, request->answer.body.len, &cause);

	if (doc == NULL)
		o2_fail(err, O2_ECORRUPT,
			"%s: the answer is not JSON (%s): is %s a Kubernetes API server?",
			request->what, cause.message, o2_kube_server(request->kube));
	return doc;
}

void o2_kube_identity_headers(const struct o2_kube *kube, struct o2_strs *headers)
{
	const struct o2_kube_config *config = kube->config;
	const char *authorization = o2_kube_credential_authorization(kube->credential);

	o2_strs_add(headers, "User-Agent: os2os/" O2_VERSION);
	if (authorization)
		o2_strs_addf(headers, "Authorization: %s", authorization);
	if (config->as == NULL)
		return;
	o2_strs_addf(headers, "Impersonate-User: %s", config->as);
	if (config->as_uid)
		o2_strs_addf(headers, "Impersonate-Uid: %s", config->as_uid);
	for (size_t i = 0; i < config->as_groups.count; i++)
		o2_strs_addf(headers, "Impersonate-Group: %s", config->as_groups.items[i]);
	for (size_t i = 0; i < config->as_extra.count; i++) {
		const char *item = config->as_extra.items[i];
		const char *equals = strchr(item, '=');
		O2_AUTO(o2_freep)
		char *key = o2_xstrndup(item, equals ? (size_t)(equals - item) : strlen(item));
		struct o2_buf name;
		o2_buf_init(&name, 4096);
		o2_buf_add_path(&name, key);
		o2_strs_addf(headers, "Impersonate-Extra-%s: %s", name.data,
			     equals ? equals + 1 : "");
		o2_buf_release(&name);
	}
}

/* --- many --- */

struct o2_kube_slot {
	struct o2_kube_request request;
	struct o2_kube_many *many;
	size_t index;
	bool used;
};

static void end_task(struct o2_kube_slot *slot);

/* AIMD: one more for each window full of answers, half of it at a 429. */
static void adapt(struct o2_kube_many *many, bool throttled)
{
	if (throttled) {
		many->window = many->window > 2 ? many->window / 2 : 1;
		many->since_growth = 0;
	} else if (many->window < many->window_max && ++many->since_growth >= many->window / 4) {
		many->window++;
		many->since_growth = 0;
	}
}

static void slot_done(struct o2_kube_request *request)
{
	struct o2_kube_slot *slot = request->arg;

	adapt(slot->many, request->throttled);
	end_task(slot);
}

static void start_slot(struct o2_kube_slot *slot)
{
	slot->request.done = slot_done;
	slot->request.arg = slot;
	o2_kube_request_start(slot->many->kube, &slot->request);
}

static void end_task(struct o2_kube_slot *slot)
{
	struct o2_kube_many *many = slot->many;
	bool again = many->end(many, slot->index, &slot->request);

	if (again && slot->request.err.code == 0 && !many->canceled) {
		start_slot(slot);
		return;
	}
	if (again) { /* refilled, but it may or can not be sent */
		if (slot->request.err.code == 0)
			o2_fail(&slot->request.err, O2_ECANCELED, "interrupted");
		many->end(many, slot->index, &slot->request);
	}
	o2_kube_request_release(&slot->request);
	slot->used = false;
	many->open--;
}

static void begin_task(struct o2_kube_many *many)
{
	size_t i = 0;

	while (many->slots[i].used)
		i++;
	struct o2_kube_slot *slot = &many->slots[i];
	*slot = (struct o2_kube_slot){ .many = many, .index = many->next++, .used = true };
	many->open++;
	many->begin(many, slot->index, &slot->request);
	if (slot->request.err.code < 0)
		end_task(slot);
	else
		start_slot(slot);
}

/* End what is in flight. `lost`: writes whose answer will not be waited for any longer. */
static void cancel_open(struct o2_kube_many *many, bool lost)
{
	for (size_t i = 0; i < many->window_max; i++) {
		struct o2_kube_slot *slot = &many->slots[i];
		struct o2_kube_request *request = &slot->request;
		if (!slot->used)
			continue;
		bool sent = request->call != NULL;
		if (many->writes && sent && !lost)
			continue;
		o2_kube_request_drop(request);
		if (many->writes && sent)
			o2_fail(&request->err, O2_ETRANSIENT,
				"%s: interrupted before the answer came: the outcome is unknown",
				request->what);
		else
			(void)!o2_cancel_check(&request->err);
		if (request->err.code == 0)
			o2_fail(&request->err, O2_ECANCELED, "%s: interrupted", request->what);
		end_task(slot);
	}
}

static void look_for_cancel(struct o2_kube_many *many, int64_t *canceled_ms)
{
	if (o2_cancel_pending() && !many->canceled) {
		many->canceled = many->stop = true;
		*canceled_ms = o2_clock_ms();
		cancel_open(many, false);
	} else if (many->canceled && o2_clock_ms() - *canceled_ms > GRACE_MS) {
		cancel_open(many, true);
	}
}

void o2_kube_many_run(struct o2_kube_many *many)
{
	int64_t canceled_ms = 0;

	if (many->window_max < many->window)
		many->window_max = many->window;
	if (many->window_max > many->count)
		many->window_max = many->count;
	if (many->window > many->window_max)
		many->window = many->window_max;
	if (many->count == 0)
		return;
	many->slots = o2_xcalloc(many->window_max, sizeof(*many->slots));
	while ((many->next < many->count && !many->stop) || many->open > 0) {
		look_for_cancel(many, &canceled_ms);
		while (!many->stop && many->next < many->count && many->open < many->window)
			begin_task(many);
		if (many->open > 0)
			o2_http_poll(many->kube->http, POLL_MS);
	}
	while (many->next < many->count && many->skipped)
		many->skipped(many, many->next++);
	free(many->slots);
	many->slots = NULL;
}

/* --- one, waited for --- */

static void move_in(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct o2_kube_request *mine = many->arg;

	(void)index;
	*request = *mine;
	*mine = (struct o2_kube_request){ 0 };
}

static bool move_out(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct o2_kube_request *mine = many->arg;

	(void)index;
	*mine = *request;
	*request = (struct o2_kube_request){ 0 };
	return false;
}

static void never_begun(struct o2_kube_many *many, size_t index)
{
	struct o2_kube_request *mine = many->arg;

	(void)index;
	if (o2_cancel_check(&mine->err) == 0)
		o2_fail(&mine->err, O2_ECANCELED, "interrupted");
}

int o2_kube_request_wait(struct o2_kube *kube, struct o2_kube_request *request, bool writes,
			 struct o2_err *err)
{
	struct o2_kube_many many = { .kube = kube,
				     .count = 1,
				     .window = 1,
				     .writes = writes,
				     .begin = move_in,
				     .end = move_out,
				     .skipped = never_begun,
				     .arg = request };

	o2_kube_many_run(&many);
	request->kube = kube;
	if (request->err.code < 0 && err)
		*err = request->err;
	return request->err.code;
}
