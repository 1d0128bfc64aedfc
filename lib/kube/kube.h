/*
 * A Kubernetes API server, read side: discovery, get, list, watch, exec, logs, reviews, server dry runs.
 *
 *	struct o2_http *http = o2_http_new();
 *	struct o2_kube *kube = o2_kube_open(http, config, "A", &err);    // one request: discovery
 *	const struct o2_kube_kind *kind = o2_kube_kind_find(kube, "apps", "Deployment");
 *	struct o2_doc *web = o2_kube_get(kube, kind, "shop", "web", &err);
 *
 * What writes stands in kube/write.h, which lib/record alone includes. Every failure is one clear line that says
 * which object, in which cluster, and the server's words; err->reason holds the server's machine word and err->number the
 * HTTP status. A retry happens only where the protocol allows it: 429 and 5xx with Retry-After (the server says that nothing
 * happened), and reads after a lost connection; at most 10 times, waiting as told (at most 30 s each), never after a cancel request.
 * On 401 the credentials are refreshed once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/strs.h"
#include "doc/doc.h"
#include "http/http.h"
#include "kube/config.h"

struct o2_kube;

/*
 * Connect and read discovery (aggregated where the server has it).
 *
 * name    the side's name in messages: "A", "B", or the context's.
 * config  copied.
 * Errors  O2_EAUTH (credentials, certificate, expired: the message says which and until when it was valid), O2_ETRANSIENT (unreachable), O2_EINVALID.
 */
O2_MUST_CHECK struct o2_kube *o2_kube_open(struct o2_http *http,
					   const struct o2_kube_config *config, const char *name,
					   struct o2_err *err);
void o2_kube_free(struct o2_kube *kube);
O2_DEFINE_FREEP(struct o2_kube, o2_kube_free)

const char *o2_kube_name(const struct o2_kube *kube);
const char *o2_kube_server(const struct o2_kube *kube); /* URL */
const char *o2_kube_default_ns(const struct o2_kube *kube);
struct o2_http *o2_kube_loop(const struct o2_kube *kube);
/* "v1.34.4"; "" if the server did not say. */
const char *o2_kube_version(struct o2_kube *kube);
/*
 * The caller waits for a lost server by itself, for this long (0: it does not, as at first). Then a request that was lost is asked again
 * only once here, and none takes longer than half of it.
 */
void o2_kube_set_patience(struct o2_kube *kube, int patience_ms);
/* What tells clusters apart: the uid of namespace kube-system, or a digest of server and CA where that may not be read. */
O2_MUST_CHECK int o2_kube_cluster_id(struct o2_kube *kube, char out[65], struct o2_err *err);
/* Mean round trip of the requests made so far, microseconds; 0 before any. Feeds the cost model. */
int64_t o2_kube_round_trip_us(const struct o2_kube *kube);
int64_t o2_kube_request_count(const struct o2_kube *kube);

/*
 * Read discovery anew: kinds were added. Pointers to kinds that were given out stay valid. After a failure the server has no kinds
 * until it is called again with success.
 */
O2_MUST_CHECK int o2_kube_refresh(struct o2_kube *kube, struct o2_err *err);

/* Kinds. */
enum o2_kube_verb {
	O2_KUBE_GET = 1 << 0,
	O2_KUBE_LIST = 1 << 1,
	O2_KUBE_WATCH = 1 << 2,
	O2_KUBE_CREATE = 1 << 3,
	O2_KUBE_UPDATE = 1 << 4,
	O2_KUBE_PATCH = 1 << 5,
	O2_KUBE_DELETE = 1 << 6,
};

/* One resource in one version, as discovery tells. Lives as long as its o2_kube. */
struct o2_kube_kind {
	const char *group; /* "" for the core group */
	const char *version;
	const char *api_version; /* "v1", "apps/v1" */
	const char *kind;        /* "Deployment" */
	const char *resource;    /* "deployments" */
	bool namespaced;
	bool preferred; /* the version to use unless there is a reason */
	unsigned verbs; /* enum o2_kube_verb */
	bool has_scale, has_status;
};

size_t o2_kube_kind_count(const struct o2_kube *kube);
const struct o2_kube_kind *
o2_kube_kind_at(const struct o2_kube *kube,
		size_t index); /* every version, preferred first within a group */
/* The preferred version of a kind; NULL if the server has none. group "" is the core group. */
const struct o2_kube_kind *o2_kube_kind_find(const struct o2_kube *kube, const char *group,
					     const char *kind);
/* That version exactly ("apps/v1", "Deployment"), else NULL. */
const struct o2_kube_kind *o2_kube_kind_exact(const struct o2_kube *kube, const char *api_version,
					      const char *kind);
/* Group versions whose discovery failed ("metrics.k8s.io/v1beta1"): kinds that can't be seen. */
const struct o2_strs *o2_kube_discovery_gaps(const struct o2_kube *kube);

/* Read one object. Errors: O2_ENOTFOUND, O2_EAUTH, O2_ETRANSIENT, O2_ELIMIT. ns NULL for cluster-scoped. */
O2_MUST_CHECK struct o2_doc *o2_kube_get(struct o2_kube *kube, const struct o2_kube_kind *kind,
					 const char *ns, const char *name, struct o2_err *err);

/*
 * List in pages of 500; a page is parsed, handed over item by item, and forgotten.
 *
 * ns          NULL: all namespaces, or cluster-scoped.
 * selector    label selector or NULL; field_selector likewise.
 * fn          gets each item (with apiVersion and kind filled in), borrowed for the call; a negative return ends the list with that code.
 * out_version resourceVersion of the list, caller frees; may be NULL.
 * Behaviour   410 on a later page: starts over once from the beginning (fn gets `restarted` through a call with item == NULL: forget what came).
 */
typedef int o2_kube_item_fn(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item);
struct o2_kube_list {
	const struct o2_kube_kind *kind;
	const char *ns;
	const char *selector;
	const char *field_selector;
	o2_kube_item_fn *fn;
	void *arg;
	char *version;     /* out, o2_kube_list_release() */
	struct o2_err err; /* out: this list's failure, code 0 if none */
};
O2_MUST_CHECK int o2_kube_list(struct o2_kube *kube, struct o2_kube_list *list, struct o2_err *err);
/* Several lists, up to 8 in flight. Each list has its own err; returns O2_ECANCELED if interrupted, else 0. */
O2_MUST_CHECK int o2_kube_list_many(struct o2_kube *kube, struct o2_kube_list *lists, size_t count,
				    struct o2_err *err);
void o2_kube_list_release(struct o2_kube_list *list);

/* Several GETs in flight at once; each has its own result. */
struct o2_kube_read {
	const struct o2_kube_kind *kind;
	const char *ns, *name;
	struct o2_doc *object; /* out, caller frees; NULL on failure */
	struct o2_err err;     /* out */
};
void o2_kube_get_many(struct o2_kube *kube, struct o2_kube_read *reads, size_t count);

/*
 * Watch a kind: a list first (ADDED for each, then SYNCED), then changes, with bookmarks; lost connections and 410 are
 * mended inside by listing again (what vanished meanwhile comes as DELETED). Moves on within o2_http_poll().
 * FAILED: the list or the stream is refused (err says why); the watch is dead then, and still to be freed.
 * object: borrowed for the call; NULL with SYNCED (which comes once) and FAILED; of what vanished unseen apiVersion, kind and
 * metadata (name, namespace, uid, resourceVersion) only. The callback may free the watch, and may wait for other calls.
 */
enum o2_kube_event {
	O2_KUBE_ADDED,
	O2_KUBE_MODIFIED,
	O2_KUBE_DELETED,
	O2_KUBE_SYNCED,
	O2_KUBE_FAILED
};
typedef void o2_kube_watch_fn(void *arg, enum o2_kube_event event, struct o2_doc *object,
			      const struct o2_err *err);
struct o2_kube_watch;
struct o2_kube_watch *o2_kube_watch_new(struct o2_kube *kube, const struct o2_kube_kind *kind,
					const char *ns, const char *selector, o2_kube_watch_fn *fn,
					void *arg);
void o2_kube_watch_free(struct o2_kube_watch *watch);
O2_DEFINE_FREEP(struct o2_kube_watch, o2_kube_watch_free)

/*
 * Server dry runs: everything but persistence. 0 if the server would accept; the server's objections otherwise.
 * out_object  what it would become, caller frees; may be NULL. Unknown fields are errors (fieldValidation=Strict).
 */
struct o2_kube_trial {
	const struct o2_kube_kind *kind;
	const char *ns;
	const struct o2_doc *object;
	struct o2_doc *result; /* out, caller frees */
	char warning[256];     /* out: the server's first warning, "" if none */
	struct o2_err err;     /* out */
};
void o2_kube_try_create_many(struct o2_kube *kube, struct o2_kube_trial *trials, size_t count);

/* SelfSubjectAccessReviews, in flight together. */
struct o2_kube_access {
	const char *verb, *group, *resource, *subresource, *ns, *name; /* NULL or "": any */
	bool allowed;                                                  /* out */
	char reason[128];                                              /* out, "" if none */
	struct o2_err err;                                             /* out */
};
void o2_kube_can_many(struct o2_kube *kube, struct o2_kube_access *reviews, size_t count);

/* The last lines of a container's log. Caller frees. */
O2_MUST_CHECK char *o2_kube_log_tail(struct o2_kube *kube, const char *ns, const char *pod,
				     const char *container, int lines, bool previous,
				     struct o2_err *err);

/*
 * Run a command in a container (WebSocket v5.channel.k8s.io, or v4 from servers before 1.29, where stdin can't be closed).
 *
 * input        may be NULL (no stdin).
 * on_output    channel 1 stdout, 2 stderr; a negative return ends the exchange with that code.
 * out_exit     the command's exit status.
 * timeout_ms   without any message; 0: 60 s.
 */
struct o2_kube_exec {
	const char *ns, *pod, *container;
	const char *const *argv; /* NULL-terminated */
	const void *input;
	size_t input_len;
	int (*on_output)(void *arg, int channel, const void *bytes, size_t len);
	void *arg;
	int timeout_ms;
};
O2_MUST_CHECK int o2_kube_exec(struct o2_kube *kube, const struct o2_kube_exec *exec, int *out_exit,
			       struct o2_err *err);

/*
 * The same, talked with while it runs; several at once in one thread.
 *
 *	struct o2_kube_pipe *pipe = o2_kube_pipe_open(kube, &exec, &err);
 *	o2_kube_pipe_send(pipe, "hello\n", 6, &err);
 *	while (!o2_kube_pipe_over(pipe, &exit_status, &err) && o2_kube_pipe_pump(&pipe, 1, 250, &err) == 0)
 *		...                                     // on_output was called for what came
 *	o2_kube_pipe_free(pipe);
 *
 * exec  copied but for `argv`, which is borrowed for the call. on_output is given stdout alone (channel 1), from within
 *       o2_kube_pipe_pump(); it may send, hold and look, not free. stderr goes to the log at debug level, and its last line into the error
 *       of an unexpected end. input and timeout_ms are not used.
 */
struct o2_kube_pipe;
O2_MUST_CHECK struct o2_kube_pipe *
o2_kube_pipe_open(struct o2_kube *kube, const struct o2_kube_exec *exec, struct o2_err *err);
/* Ends the connection; a command that reads its input sees the end of it. */
void o2_kube_pipe_free(struct o2_kube_pipe *pipe);
O2_DEFINE_FREEP(struct o2_kube_pipe, o2_kube_pipe_free)
/* Queue input. Copies. Errors: O2_ELIMIT (more than 16 MiB would wait), O2_ETRANSIENT (it is over). */
O2_MUST_CHECK int o2_kube_pipe_send(struct o2_kube_pipe *pipe, const void *bytes, size_t len,
				    struct o2_err *err);
/* Bytes that wait to be sent. */
size_t o2_kube_pipe_backlog(const struct o2_kube_pipe *pipe);
/* No more input after what is queued. Servers of v4 are not told: the command must not wait for it there. */
void o2_kube_pipe_close_input(struct o2_kube_pipe *pipe);
/* Stop reading, or go on (back-pressure). While it is held a lost connection is not noticed. */
void o2_kube_pipe_hold(struct o2_kube_pipe *pipe, bool hold);
/* Milliseconds since something came. */
int64_t o2_kube_pipe_silent_ms(const struct o2_kube_pipe *pipe);
/*
 * Move several pipes on (NULLs and those that are over are passed over), for at most `timeout_ms` or until something moved.
 * Requests of the same loop move on meanwhile. 0, or O2_ECANCELED.
 */
O2_MUST_CHECK int o2_kube_pipe_pump(struct o2_kube_pipe *const *pipes, size_t count, int timeout_ms,
				    struct o2_err *err);
/*
 * Did it end? out_exit: the exit status, -1 if the connection was lost (O2_ETRANSIENT) or on_output stopped it (its code).
 * out_failure: filled unless the exit status is 0. Both may be NULL.
 */
bool o2_kube_pipe_over(const struct o2_kube_pipe *pipe, int *out_exit, struct o2_err *out_failure);
