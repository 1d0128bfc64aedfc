/*
 * What the files of lib/kube share.
 *
 *	request   one request with its retries, as kube.h states them
 *	many      a window of requests in flight over a list of tasks
 *	status    the server's answer as an error
 *	credential  who we are, renewed where that is possible
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"
#include "doc/doc.h"
#include "http/http.h"
#include "kube/config.h"
#include "kube/kube.h"

struct o2_kube_credential;

struct o2_kube {
	struct o2_http *http;
	struct o2_http_host *host;
	struct o2_kube_config *config;
	struct o2_kube_credential *credential;
	char *name;
	struct o2_kube_kind **kinds; /* by group, preferred version first */
	size_t kind_count, kind_cap;
	struct o2_kube_kind *
		*retired; /* of earlier discoveries: pointers to them are still about */
	size_t retired_count, retired_cap;
	struct o2_strs gaps;
	char *version;       /* NULL: not asked yet */
	char cluster_id[65]; /* "": not asked yet */
	bool answered;       /* it was there once, so that a refused connection may mend itself */
	int open_count;      /* requests in flight */
	int stream_count;    /* of those: watches, which load nothing */
	int patience_ms; /* how long the caller waits for a lost server by itself; 0: it does not */
	int64_t request_count, total_us;
	int64_t alone_count, alone_us; /* of requests that nothing else was in flight with */
};

/* --- request --- */

struct o2_kube_request {
	/* The caller's, before the start. */
	const char *method;
	char *path;               /* with its query; owned */
	const char *accept;       /* NULL: application/json */
	const char *content_type; /* of the body */
	char *body;               /* owned */
	size_t body_len;
	size_t max_answer_bytes; /* 0: as lib/http */
	int timeout_ms;          /* 0: 60 s, unless on_data is set */
	int idle_timeout_ms;
	bool repeatable; /* has no effect on the server: may be sent again after a lost connection */
	bool secret;     /* concerns a Secret: values that the server repeats are masked */
	char *what;      /* "cannot get Deployment \"shop/web\" in B"; owned */
	int (*on_data)(void *arg, const char *bytes, size_t len);
	void (*done)(struct o2_kube_request *request); /* may release, refill and start it again */
	void *arg;
	/* The result, when done is called. */
	struct o2_err err; /* code 0: the answer is a 2xx */
	struct o2_http_answer answer;
	bool throttled; /* 429 came at least once */
	/* The request's own. */
	struct o2_kube *kube;
	struct o2_http_call *call; /* NULL while waiting for `timer` */
	struct o2_http_timer *timer;
	int attempts;
	int generation; /* of the credentials it was sent with */
	bool renewed, alone;
};

void o2_kube_request_start(struct o2_kube *kube, struct o2_kube_request *request);
/* Give up: `done` is not called. */
void o2_kube_request_drop(struct o2_kube_request *request);
/* Free what it holds and zero it. */
void o2_kube_request_release(struct o2_kube_request *request);
/* Start it and wait; `done` is set by this. Returns err->code. `writes`: see o2_kube_many. */
int o2_kube_request_wait(struct o2_kube *kube, struct o2_kube_request *request, bool writes,
			 struct o2_err *err);
/* The answer's body as one document; NULL with `err` (which names `what`) if it is none. */
struct o2_doc *o2_kube_request_doc(const struct o2_kube_request *request, struct o2_err *err);
/* The headers that say who we are, and as whom we act. */
void o2_kube_identity_headers(const struct o2_kube *kube, struct o2_strs *headers);

/* --- many requests --- */

/*
 * Run tasks 0 .. count-1 with a window of requests in flight.
 *
 * begin   fill in the request of a task; an err set here ends the task at once.
 * end     take the result; true: the request was refilled and is sent again (next page).
 * writes  at a cancel request what is in flight gets GRACE_MS to be answered and is then O2_ETRANSIENT (outcome unknown);
 *         reads are dropped with O2_ECANCELED. Tasks that were never begun: `skipped`.
 */
struct o2_kube_many {
	struct o2_kube *kube;
	size_t count;
	size_t window, window_max; /* grows up to window_max while nothing is throttled */
	bool writes;
	bool stop; /* begin no more */
	void (*begin)(struct o2_kube_many *many, size_t index, struct o2_kube_request *request);
	bool (*end)(struct o2_kube_many *many, size_t index, struct o2_kube_request *request);
	void (*skipped)(struct o2_kube_many *many, size_t index);
	void *arg;
	/* its own */
	struct o2_kube_slot *slots;
	size_t next, open, since_growth;
	bool canceled;
};
void o2_kube_many_run(struct o2_kube_many *many);

/* --- answers and names --- */

/* The error of an answer that is not 2xx: code, number, reason, and one line. */
int o2_kube_status_fail(const struct o2_kube_request *request, struct o2_err *err);
/* The error of a lost exchange (`cause` is lib/http's), with what to do about it. */
int o2_kube_transport_fail(const struct o2_kube_request *request, const struct o2_err *cause,
			   struct o2_err *err);
/* A failed Status document as code and words; for exec's last message and watch's ERROR event. */
int o2_kube_status_doc_fail(const struct o2_doc *status, int http_status, bool secret,
			    const char *what, struct o2_err *err);
/* "client certificate of user 'x' expired on 2026-01-02", or false. */
bool o2_kube_certificate_expired(const struct o2_kube *kube, char *out, size_t size);

/* "cannot <verb> <kind> "ns/name" in <side>"; name NULL: the kind in plural words. Caller frees. */
char *o2_kube_what(const struct o2_kube *kube, const char *verb, const struct o2_kube_kind *kind,
		   const char *ns, const char *name);
/*
 * "/apis/apps/v1/namespaces/shop/deployments/web/scale"; NULL members are left out.
 * Errors  O2_EINVALID: a name that can't be one (".." or empty).
 */
O2_MUST_CHECK int o2_kube_path(struct o2_buf *path, const struct o2_kube_kind *kind, const char *ns,
			       const char *name, const char *subresource, struct o2_err *err);
/* One more query parameter; `first` says '?' or '&'. */
void o2_kube_query(struct o2_buf *path, const char *name, const char *value);

/* --- a command in a container --- */

/* First byte of a message. */
enum {
	O2_KUBE_STDIN = 0,
	O2_KUBE_STDOUT = 1,
	O2_KUBE_STDERR = 2,
	O2_KUBE_ENDED = 3,
	O2_KUBE_CLOSE = 255
};
/* With its channel a frame of 32 KiB, as kubectl sends. */
#define O2_KUBE_PIECE_BYTES ((size_t)32 * 1024 - 1)

/* What lib/kube/exec.c and pipe.c share: the connection. `kube` and `exec` (borrowed) are set by the caller, the rest is zero. */
struct o2_kube_remote {
	struct o2_kube *kube;
	const struct o2_kube_exec *exec;
	struct o2_http_ws *ws;
	char *what;
	bool can_close; /* v5 */
	bool ended;     /* the exit status came */
	int exit_status;
};
/* On failure too the caller releases it. */
O2_MUST_CHECK int o2_kube_remote_open(struct o2_kube_remote *remote, bool input,
				      struct o2_err *err);
void o2_kube_remote_release(struct o2_kube_remote *remote);
/* Send at most O2_KUBE_PIECE_BYTES of input, and its end (nothing to servers of v4); results as o2_http_ws_offer(). */
O2_MUST_CHECK int o2_kube_remote_offer(struct o2_kube_remote *remote, const void *bytes, size_t len,
				       struct o2_err *err);
O2_MUST_CHECK int o2_kube_remote_close_input(struct o2_kube_remote *remote, struct o2_err *err);
/* Take a message: output goes to exec->on_output. */
O2_MUST_CHECK int o2_kube_remote_take(struct o2_kube_remote *remote, const struct o2_buf *message,
				      struct o2_err *err);
/* The connection was lost (`cause` is lib/http's), as an error of this command. */
O2_MUST_CHECK int o2_kube_remote_lost(const struct o2_kube_remote *remote,
				      const struct o2_err *cause, struct o2_err *err);

/* --- discovery --- */
int o2_kube_discover(struct o2_kube *kube, struct o2_err *err);
void o2_kube_discovery_release(struct o2_kube *kube);

/* --- pages of a list --- */

/*
 * A page cut into its items, so that no more than one of them is ever a tree.
 *
 * out_head  the list without its items.
 * items     a pair of offsets each: begin and end in `text`.
 */
struct o2_kube_page {
	const char *text;
	size_t (*items)[2];
	size_t count, cap;
};
O2_MUST_CHECK int o2_kube_page_cut(struct o2_kube_page *page, const char *text, size_t len,
				   struct o2_doc **out_head, struct o2_err *err);
void o2_kube_page_release(struct o2_kube_page *page);
/* Parse item `index` and fill in apiVersion and kind. */
struct o2_doc *o2_kube_page_item_parse(const struct o2_kube_page *page, size_t index,
				       const struct o2_kube_kind *kind, struct o2_err *err);
/* Path of one page. `limit`: 0 for none. `resume`: the continue token, NULL for the first. */
int o2_kube_list_path(struct o2_buf *path, const struct o2_kube_list *list, int limit,
		      const char *resume, struct o2_err *err);

/* --- credentials --- */
struct o2_kube_credential *o2_kube_credential_new(const struct o2_kube_config *config,
						  const char *name);
void o2_kube_credential_free(struct o2_kube_credential *credential);
/* Have something valid at hand: reads the token file again, runs the plug-in; may change the host's client certificate. */
O2_MUST_CHECK int o2_kube_credential_ready(struct o2_kube_credential *credential,
					   struct o2_http_host *host, struct o2_err *err);
/* Counts what changed. */
int o2_kube_credential_generation(const struct o2_kube_credential *credential);
/* After a 401 to a request of `generation`: 1 there is something new to try, 0 there is not, negative: error. */
O2_MUST_CHECK int o2_kube_credential_renew(struct o2_kube_credential *credential,
					   struct o2_http_host *host, int generation,
					   struct o2_err *err);
/* "Bearer ...", NULL if there is none. Never to be shown. */
const char *o2_kube_credential_authorization(const struct o2_kube_credential *credential);

struct o2_kube_config *o2_kube_config_copy(const struct o2_kube_config *config);
