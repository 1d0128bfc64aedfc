/*
 * Watching a kind: a list, then a stream of changes; whatever goes wrong is mended by listing again.
 *
 *	LIST (page by page) --> STREAM --> STREAM (the server ends each after some minutes, without loss)
 *	  ^                       |
 *	  +------- pause <--------+  lost connection, cut-off event, "410 Gone", anything that is not understood
 *
 * What was told is remembered by name (`known`), so that a list tells only what is new, and what is missing in it as deleted.
 * Nothing waits here: every step begins in a callback of lib/http. The watch may be freed in any of its own callbacks: it is
 * only marked then, and goes when the outermost of them returns (enter, leave).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kube/kube_internal.h"

#define PAGE_ITEMS 500
#define PAGE_BYTES ((size_t)8 << 20)
#define EVENT_BYTES ((size_t)64 << 20) /* an event, or a page of one item */
#define STREAM_S 300                   /* the server ends a stream after this */
#define STREAM_LONG_MS 10000           /* one that lived so long was no failure */
#define STREAM_SHORT_MS 1000 /* a stream that ends sooner is not followed by the next at once */
#define IDLE_MS 150000       /* bookmarks come once a minute */
#define PAUSE_MAX_MS 30000

struct o2_kube_watch {
	struct o2_kube *kube;
	const struct o2_kube_kind *kind;
	char *ns, *selector;
	o2_kube_watch_fn *fn;
	void *arg;
	struct o2_kube_request request; /* the page or the stream that is under way */
	struct o2_http_timer *pause;
	struct o2_doc *known; /* "ns/name" -> what identify() says, of all that was told */
	struct o2_doc *seen;  /* those of them that the list under way has, taken out of `known` */
	char *version;        /* where the next stream begins */
	char *resume;         /* continue token of the next page */
	int limit;            /* items in a page */
	struct o2_buf line;   /* the beginning of an event */
	int64_t began_ms;     /* the stream */
	int failures;         /* in a row */
	bool synced, busy, freed;
};

static void start_list(struct o2_kube_watch *watch);
static void start_stream(struct o2_kube_watch *watch);

/* --- life --- */

static void destroy(struct o2_kube_watch *watch)
{
	o2_kube_request_release(&watch->request);
	o2_http_timer_stop(watch->kube->http, watch->pause);
	o2_doc_free(watch->known);
	o2_doc_free(watch->seen);
	o2_buf_release(&watch->line);
	free(watch->version);
	free(watch->resume);
	free(watch->ns);
	free(watch->selector);
	free(watch);
}

void o2_kube_watch_free(struct o2_kube_watch *watch)
{
	if (watch == NULL)
		return;
	o2_kube_request_drop(&watch->request);
	if (watch->busy)
		watch->freed = true;
	else
		destroy(watch);
}

static void enter(struct o2_kube_watch *watch)
{
	assert(!watch->busy);
	watch->busy = true;
}

static void leave(struct o2_kube_watch *watch)
{
	watch->busy = false;
	if (watch->freed)
		destroy(watch);
}

/* Tell the caller; nothing is told after it has freed the watch. */
static void tell(struct o2_kube_watch *watch, enum o2_kube_event event, struct o2_doc *object,
		 const struct o2_err *err)
{
	if (!watch->freed)
		watch->fn(watch->arg, event, object, err);
}

/* --- what went wrong --- */

static void end_pause(void *arg)
{
	struct o2_kube_watch *watch = arg;

	watch->pause = NULL;
	enter(watch);
	start_list(watch);
	leave(watch);
}

static void end_pause_of_stream(void *arg)
{
	struct o2_kube_watch *watch = arg;

	watch->pause = NULL;
	enter(watch);
	start_stream(watch);
	leave(watch);
}

/* At once the first time, then after 0.1 s, doubled each time. */
static void pause_then(struct o2_kube_watch *watch, void (*next)(void *arg))
{
	int shift = watch->failures < 10 ? watch->failures : 10;
	int delay_ms = watch->failures == 0 ? 0 : 50 << shift;

	watch->failures++;
	watch->pause = o2_http_timer_start(
		watch->kube->http, delay_ms < PAUSE_MAX_MS ? delay_ms : PAUSE_MAX_MS, next, watch);
}

static bool is_gone(const struct o2_err *err)
{
	return err->origin == O2_ORIGIN_HTTP && err->number == 410;
}

/* Asking again would be answered in the same way. */
static bool is_refusal(const struct o2_err *err)
{
	return !is_gone(err) && (err->code == -O2_EAUTH || err->code == -O2_ENOTFOUND ||
				 err->code == -O2_EINVALID || err->code == -O2_EUNSUPPORTED);
}

static void handle_failure(struct o2_kube_watch *watch, const struct o2_err *err)
{
	if (is_refusal(err)) {
		tell(watch, O2_KUBE_FAILED, NULL, err);
		return;
	}
	o2_log(O2_DEBUG, "%s: listing %s again: %s", watch->kube->name, watch->kind->resource,
	       err->message);
	pause_then(watch, end_pause);
}

/* --- what is known --- */

/* All that is kept of an object, and told of it when it is found to be missing. */
static struct o2_doc *identify(const struct o2_kube_watch *watch, const struct o2_doc *object)
{
	static const char *const members[] = { "name", "namespace", "uid", "resourceVersion" };
	struct o2_doc *id = o2_doc_object_new();
	struct o2_doc *metadata = o2_doc_object_new();

	for (size_t i = 0; i < O2_COUNT(members); i++)
		o2_doc_set_str(
			metadata, members[i],
			o2_doc_member_str(o2_doc_member(object, "metadata"), members[i], NULL));
	o2_doc_set_str(id, "apiVersion", watch->kind->api_version);
	o2_doc_set_str(id, "kind", watch->kind->kind);
	o2_doc_set(id, "metadata", metadata);
	return id;
}

static char *key_of(const struct o2_doc *object)
{
	return o2_xasprintf("%s/%s", o2_doc_str(object, "/metadata/namespace", ""),
			    o2_doc_str(object, "/metadata/name", ""));
}

static bool same(const struct o2_doc *a, const struct o2_doc *b, const char *pointer)
{
	return strcmp(o2_doc_str(a, pointer, ""), o2_doc_str(b, pointer, "")) == 0;
}

/* Tell what is new about an object, and remember it in `into`. */
static void take_object(struct o2_kube_watch *watch, struct o2_doc *object, struct o2_doc *into)
{
	O2_AUTO(o2_freep) char *key = key_of(object);
	O2_AUTO(o2_doc_freep) struct o2_doc *before = o2_doc_ref(o2_doc_member(watch->known, key));

	o2_doc_unset(watch->known, key);
	o2_doc_set(into, key, identify(watch, object));
	if (before && !same(before, object, "/metadata/uid")) {
		tell(watch, O2_KUBE_DELETED, before, NULL);
		tell(watch, O2_KUBE_ADDED, object, NULL);
	} else if (before == NULL) {
		tell(watch, O2_KUBE_ADDED, object, NULL);
	} else if (!same(before, object, "/metadata/resourceVersion")) {
		tell(watch, O2_KUBE_MODIFIED, object, NULL);
	}
}

static void set_version(struct o2_kube_watch *watch, const struct o2_doc *object)
{
	const char *version = o2_doc_str(object, "/metadata/resourceVersion", "");

	if (version[0] == '\0')
		return;
	free(watch->version);
	watch->version = o2_xstrdup(version);
}

/* --- the list --- */

static void page_done(struct o2_kube_request *request);

/* The path of this watch's list; `limit` 0: without one. */
static int fill_path(struct o2_kube_watch *watch, int limit)
{
	struct o2_kube_request *request = &watch->request;
	const struct o2_kube_list list = { .kind = watch->kind,
					   .ns = watch->ns,
					   .selector = watch->selector };
	struct o2_buf path = { 0 };

	if (o2_kube_list_path(&path, &list, limit, limit ? watch->resume : NULL, &request->err) ==
	    0)
		request->path = o2_buf_steal(&path);
	o2_buf_release(&path);
	return request->err.code;
}

static void request_page(struct o2_kube_watch *watch)
{
	struct o2_kube_request *request = &watch->request;

	o2_kube_request_release(request);
	request->method = "GET";
	request->repeatable = true;
	request->secret = strcmp(watch->kind->kind, "Secret") == 0;
	request->max_answer_bytes = watch->limit > 1 ? PAGE_BYTES : EVENT_BYTES;
	request->what = o2_kube_what(watch->kube, "list", watch->kind,
				     watch->kind->namespaced ? watch->ns : NULL, NULL);
	request->done = page_done;
	request->arg = watch;
	if (fill_path(watch, watch->limit) == 0)
		o2_kube_request_start(watch->kube, request);
	else
		handle_failure(watch, &request->err);
}

static void start_list(struct o2_kube_watch *watch)
{
	for (struct o2_doc_iter it = o2_doc_iter(watch->seen); o2_doc_next(&it);)
		o2_doc_set(watch->known, it.name, o2_doc_ref(it.value));
	o2_doc_free(watch->seen);
	watch->seen = o2_doc_object_new();
	free(watch->resume);
	watch->resume = NULL;
	watch->limit = PAGE_ITEMS;
	request_page(watch);
}

/* What the list does not have any more. */
static void end_list(struct o2_kube_watch *watch)
{
	for (struct o2_doc_iter it = o2_doc_iter(watch->known); o2_doc_next(&it);)
		tell(watch, O2_KUBE_DELETED, it.value, NULL);
	o2_doc_free(watch->known);
	watch->known = O2_STEAL(watch->seen);
	if (!watch->synced)
		tell(watch, O2_KUBE_SYNCED, NULL, NULL);
	watch->synced = true;
	if (!watch->freed)
		start_stream(watch);
}

static int take_items(struct o2_kube_watch *watch, const struct o2_kube_page *page,
		      struct o2_err *err)
{
	for (size_t i = 0; i < page->count && !watch->freed; i++) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *item = o2_kube_page_item_parse(page, i, watch->kind, err);
		if (item == NULL)
			return err->code;
		take_object(watch, item, watch->seen);
	}
	return 0;
}

static int take_page(struct o2_kube_watch *watch, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *head = NULL;
	const struct o2_buf *body = &watch->request.answer.body;
	struct o2_kube_page page;
	struct o2_err cause = { 0 };
	int code = o2_kube_page_cut(&page, body->data, body->len, &head, &cause);

	if (code == 0) {
		code = take_items(watch, &page, &cause);
		o2_kube_page_release(&page);
	}
	if (code < 0)
		return o2_fail(err, O2_ECORRUPT, "%s: the answer can't be read: %s",
			       watch->request.what, cause.message);
	const char *resume = o2_doc_str(head, "/metadata/continue", "");
	free(watch->resume);
	watch->resume = resume[0] ? o2_xstrdup(resume) : NULL;
	set_version(watch, head);
	return 0;
}

static void page_done(struct o2_kube_request *request)
{
	struct o2_kube_watch *watch = request->arg;
	struct o2_err err = request->err;

	enter(watch);
	if (err.code == 0)
		(void)!take_page(watch, &err);
	if (watch->freed) {
		leave(watch);
		return;
	}
	if (err.code == -O2_ELIMIT && err.origin == O2_ORIGIN_NONE && watch->limit > 1) {
		watch->limit = watch->limit > 10 ? watch->limit / 10 : 1;
		request_page(watch);
	} else if (err.code < 0) {
		handle_failure(watch, &err);
	} else if (watch->resume) {
		request_page(watch);
	} else {
		end_list(watch);
	}
	leave(watch);
}

/* --- the stream --- */

/* A negative code ends the stream; the list follows. */
static int take_error(struct o2_kube_watch *watch, const struct o2_doc *status)
{
	struct o2_err err = { 0 };

	(void)!o2_kube_status_doc_fail(status, 500, watch->request.secret, watch->request.what,
				       &err);
	if (is_gone(&err))
		watch->failures = 0; /* it just happens: the server forgets old changes */
	return -O2_ETRANSIENT;
}

static int take_event(struct o2_kube_watch *watch, const char *text, size_t len)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *event = o2_doc_parse(text, len, NULL);
	const char *type = o2_doc_str(event, "/type", "");
	struct o2_doc *object = o2_doc_at(event, "/object");

	if (strcmp(type, "ERROR") == 0)
		return take_error(watch, object);
	if (o2_doc_type(object) != O2_DOC_OBJECT)
		return -O2_ECORRUPT;
	if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0) {
		take_object(watch, object, watch->known);
	} else if (strcmp(type, "DELETED") == 0) {
		O2_AUTO(o2_freep) char *key = key_of(object);
		if (o2_doc_unset(watch->known, key))
			tell(watch, O2_KUBE_DELETED, object, NULL);
	} else if (strcmp(type, "BOOKMARK") != 0) {
		return -O2_ECORRUPT;
	}
	set_version(watch, object);
	watch->failures = 0;
	return 0;
}

/* Pieces of any length; an event is a line. */
static int take_bytes(void *arg, const char *bytes, size_t len)
{
	struct o2_kube_watch *watch = arg;
	int code = 0;

	enter(watch);
	while (len > 0 && code == 0 && !watch->freed) {
		const char *end = memchr(bytes, '\n', len);
		size_t part = end ? (size_t)(end - bytes) : len;

		o2_buf_add(&watch->line, bytes, part);
		if (o2_buf_overflowed(&watch->line))
			code = -O2_ELIMIT;
		else if (end && watch->line.len > 0)
			code = take_event(watch, watch->line.data, watch->line.len);
		if (end)
			o2_buf_clear(&watch->line);
		bytes += part + (end != NULL);
		len -= part + (end != NULL);
	}
	leave(watch);
	return code;
}

static void stream_done(struct o2_kube_request *request)
{
	struct o2_kube_watch *watch = request->arg;
	struct o2_err err = request->err;
	int64_t lived_ms = o2_clock_ms() - watch->began_ms;

	enter(watch);
	if (lived_ms >= STREAM_LONG_MS)
		watch->failures = 0;
	if (err.code == 0 && watch->line.len > 0)
		o2_fail(&err, O2_ECORRUPT, "an event was cut off");
	if (err.code < 0)
		handle_failure(watch, &err);
	else if (lived_ms < STREAM_SHORT_MS)
		pause_then(watch, end_pause_of_stream);
	else
		start_stream(watch);
	leave(watch);
}

static void start_stream(struct o2_kube_watch *watch)
{
	struct o2_kube_request *request = &watch->request;
	struct o2_buf path;

	o2_kube_request_release(request);
	o2_buf_clear(&watch->line);
	watch->began_ms = o2_clock_ms();
	request->method = "GET";
	request->secret = strcmp(watch->kind->kind, "Secret") == 0;
	request->idle_timeout_ms = IDLE_MS;
	request->what = o2_kube_what(watch->kube, "watch", watch->kind,
				     watch->kind->namespaced ? watch->ns : NULL, NULL);
	request->on_data = take_bytes;
	request->done = stream_done;
	request->arg = watch;
	if (fill_path(watch, 0) == 0) {
		o2_buf_init(&path, 65536);
		o2_buf_adds(&path, request->path);
		o2_kube_query(&path, "watch", "1");
		o2_kube_query(&path, "allowWatchBookmarks", "true");
		if (watch->version)
			o2_kube_query(&path, "resourceVersion", watch->version);
		o2_buf_addf(&path, "&timeoutSeconds=%d", STREAM_S);
		free(request->path);
		request->path = o2_buf_steal(&path);
		o2_buf_release(&path);
		o2_kube_request_start(watch->kube, request);
	} else {
		handle_failure(watch, &request->err);
	}
}

struct o2_kube_watch *o2_kube_watch_new(struct o2_kube *kube, const struct o2_kube_kind *kind,
					const char *ns, const char *selector, o2_kube_watch_fn *fn,
					void *arg)
{
	struct o2_kube_watch *watch = o2_xcalloc(1, sizeof(*watch));

	watch->kube = kube;
	watch->kind = kind;
	watch->ns = o2_xstrdup_null(ns);
	watch->selector = o2_xstrdup_null(selector);
	watch->fn = fn;
	watch->arg = arg;
	watch->known = o2_doc_object_new();
	o2_buf_init(&watch->line, EVENT_BYTES);
	watch->pause = o2_http_timer_start(kube->http, 0, end_pause,
					   watch); /* nothing is told from here */
	return watch;
}
