/*
 * Running a command in a container, over a WebSocket.
 *
 * The first byte of a message is its channel: 0 stdin, 1 stdout, 2 stderr, 3 how it ended, 255 (v5) "this channel is closed".
 * Input is sent while output is read: either side may wait for the other. A command that ends without reading all of its
 * input can leave containerd waiting for it (1.34 with kubectl as well): then no exit status comes, and the time-out ends it.
 */
#include <stdlib.h>
#include <string.h>

#include "kube/kube_internal.h"

#define PROTOCOLS "v5.channel.k8s.io,v4.channel.k8s.io"
#define PIECE_BYTES \
	((size_t)32 * 1024 - 1) /* with its channel a frame of 32 KiB, as kubectl sends */
#define MESSAGE_MAX_BYTES ((size_t)64 << 20)
#define TIMEOUT_MS 60000
#define FAREWELL_MS 1000 /* for output that comes after the exit status, from old servers */

enum { STDIN = 0, STDOUT = 1, STDERR = 2, ENDED = 3, CLOSE = 255 };

/* One command. */
struct session {
	struct o2_kube *kube;
	const struct o2_kube_exec *exec;
	struct o2_http_ws *ws;
	char *what;
	bool can_close; /* v5 */
	size_t sent;    /* of the input */
	bool input_done;
	bool ended;
	int exit_status;
};

static int make_path(const struct o2_kube *kube, const struct o2_kube_exec *exec,
		     struct o2_buf *path, struct o2_err *err)
{
	const struct o2_kube_kind *kind = o2_kube_kind_find(kube, "", "Pod");

	if (kind == NULL)
		return o2_fail(err, O2_EUNSUPPORTED, "%s has no pods", kube->name);
	int code = o2_kube_path(path, kind, exec->ns, exec->pod, "exec", err);
	if (code < 0)
		return code;
	if (exec->container && exec->container[0])
		o2_kube_query(path, "container", exec->container);
	for (const char *const *arg = exec->argv; *arg; arg++)
		o2_kube_query(path, "command", *arg);
	if (exec->input)
		o2_kube_query(path, "stdin", "true");
	o2_kube_query(path, "stdout", "true");
	o2_kube_query(path, "stderr", "true");
	if (o2_buf_overflowed(path))
		return o2_fail(err, O2_ELIMIT, "the command for pod \"%s/%s\" is too long",
			       exec->ns, exec->pod);
	return 0;
}

/* One handshake. 1: refused with 401, and there are other credentials to try. */
static int open_once(struct session *session, const char *path, struct o2_err *err)
{
	struct o2_kube *kube = session->kube;
	struct o2_kube_request refused = { .kube = kube, .what = session->what };
	struct o2_strs headers = { 0 };
	struct o2_err cause = { 0 };

	if (o2_kube_credential_ready(kube->credential, kube->host, err) < 0)
		return err ? o2_prefix(err, "%s", session->what) : -O2_EAUTH;
	int generation = o2_kube_credential_generation(kube->credential);
	o2_kube_identity_headers(kube, &headers);
	struct o2_http_request request = { .method = "GET", .path = path, .headers = &headers };
	session->ws = o2_http_ws_open(kube->host, &request, PROTOCOLS, &refused.answer, &cause);
	o2_strs_release(&headers);
	int code = cause.code;
	if (session->ws) {
		code = 0;
	} else if (code == -O2_ECANCELED) {
		if (err)
			*err = cause;
	} else if (cause.origin != O2_ORIGIN_HTTP) {
		code = o2_kube_transport_fail(&refused, &cause, err);
	} else if (refused.answer.status == 401 &&
		   o2_kube_credential_renew(kube->credential, kube->host, generation, NULL) == 1) {
		code = 1;
	} else {
		code = o2_kube_status_fail(&refused, err);
	}
	o2_http_answer_release(&refused.answer);
	return code;
}

static int open_socket(struct session *session, struct o2_err *err)
{
	struct o2_buf path = { 0 };
	int code = make_path(session->kube, session->exec, &path, err);

	if (code == 0)
		code = open_once(session, path.data, err);
	if (code == 1)
		code = open_once(session, path.data, err);
	o2_buf_release(&path);
	if (code == 1)
		return o2_fail(err, O2_EAUTH, "%s: the credentials are not accepted",
			       session->what);
	if (code == 0)
		session->can_close =
			strcmp(o2_http_ws_protocol(session->ws), "v5.channel.k8s.io") == 0;
	return code;
}

/* Give the connection as much of the input as it takes now. */
static int feed(struct session *session, struct o2_err *err)
{
	static const unsigned char close_input[] = { CLOSE, STDIN };
	const struct o2_kube_exec *exec = session->exec;
	char piece[PIECE_BYTES + 1];

	while (!session->input_done && !session->ended) {
		size_t left = exec->input_len - session->sent;
		size_t len = left < PIECE_BYTES ? left : PIECE_BYTES;
		int taken;
		if (len > 0) {
			piece[0] = STDIN;
			memcpy(piece + 1, (const char *)exec->input + session->sent, len);
			taken = o2_http_ws_offer(session->ws, piece, len + 1, err);
		} else {
			taken = session->can_close ? o2_http_ws_offer(session->ws, close_input,
								      sizeof(close_input), err)
						   : 1;
		}
		if (taken <= 0)
			return taken;
		session->sent += len;
		session->input_done = len == 0;
	}
	return 0;
}

/* {"status":"Success"}, or a Status with the exit code among its causes. */
static int read_end(struct session *session, const char *text, size_t len, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *status = o2_doc_parse(text, len, NULL);
	const struct o2_doc *causes = o2_doc_at(status, "/details/causes");
	const char *message = o2_doc_str(status, "/message", "");

	session->ended = true;
	if (strcmp(o2_doc_str(status, "/status", ""), "Success") == 0) {
		session->exit_status = 0;
		return 0;
	}
	for (size_t i = 0; i < o2_doc_count(causes); i++) {
		const struct o2_doc *cause = o2_doc_item(causes, i);
		if (strcmp(o2_doc_str(cause, "/reason", ""), "ExitCode") != 0)
			continue;
		session->exit_status = (int)strtol(o2_doc_str(cause, "/message", "-1"), NULL, 10);
		return 0;
	}
	if (strstr(message, "no such file") || strstr(message, "not found"))
		return o2_fail(err, O2_ENOTFOUND, "%s: %s", session->what, message);
	return o2_fail(err, O2_EIO, "%s: %s", session->what,
		       message[0] ? message : "it ended in a way that the server does not explain");
}

static int take(struct session *session, const struct o2_buf *message, struct o2_err *err)
{
	const struct o2_kube_exec *exec = session->exec;
	int channel;

	if (message->len == 0)
		return 0;
	channel = (unsigned char)message->data[0];
	if (channel == ENDED)
		return read_end(session, message->data + 1, message->len - 1, err);
	if ((channel != STDOUT && channel != STDERR) || message->len == 1 ||
	    exec->on_output == NULL)
		return 0; /* servers open each channel with an empty message */
	int code = exec->on_output(exec->arg, channel, message->data + 1, message->len - 1);
	if (code < 0)
		return o2_fail(err, (enum o2_code) - code, "%s: stopped by the reader",
			       session->what);
	return 0;
}

static int lost(const struct session *session, const struct o2_err *cause, struct o2_err *err)
{
	struct o2_kube_request request = { .kube = session->kube, .what = session->what };

	if (cause->code == -O2_ECANCELED || cause->origin != O2_ORIGIN_CURL) {
		if (err) {
			*err = *cause;
			return o2_prefix(err, "%s", session->what);
		}
		return cause->code;
	}
	return o2_kube_transport_fail(&request, cause, err);
}

static int converse(struct session *session, struct o2_buf *message, struct o2_err *err)
{
	int timeout_ms = session->exec->timeout_ms ? session->exec->timeout_ms : TIMEOUT_MS;

	for (;;) {
		struct o2_err cause = { 0 };
		if (feed(session, &cause) < 0)
			session->input_done =
				true; /* the command may have ended without wanting all of it */
		o2_err_clear(&cause);
		int got = o2_http_ws_receive(session->ws, message,
					     session->ended ? FAREWELL_MS : timeout_ms, &cause);
		if (got < 0 && session->ended && cause.code != -O2_ECANCELED)
			return 0; /* the answer is known */
		if (got < 0)
			return lost(session, &cause, err);
		if (got == 0 && session->ended)
			return 0;
		if (got == 0)
			return o2_fail(err, O2_ETRANSIENT,
				       "%s: the connection was closed before the command ended",
				       session->what);
		int code = got == 1 ? take(session, message, err) : 0;
		if (code < 0)
			return code;
	}
}

int o2_kube_exec(struct o2_kube *kube, const struct o2_kube_exec *exec, int *out_exit,
		 struct o2_err *err)
{
	struct session session = { .kube = kube, .exec = exec, .input_done = exec->input == NULL };
	O2_AUTO(o2_freep)
	char *what = o2_xasprintf("cannot run '%s' in pod \"%s/%s\" of %s", exec->argv[0], exec->ns,
				  exec->pod, kube->name);
	struct o2_buf message;

	session.what = what;
	int code = open_socket(&session, err);
	if (code < 0)
		return code;
	o2_buf_init(&message, MESSAGE_MAX_BYTES);
	code = converse(&session, &message, err);
	o2_buf_release(&message);
	o2_http_ws_free(session.ws);
	if (code == 0 && out_exit)
		*out_exit = session.exit_status;
	return code;
}
