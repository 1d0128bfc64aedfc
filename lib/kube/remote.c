/*
 * A command in a container at the other end of a WebSocket.
 *
 * The first byte of a message is its channel: 0 stdin, 1 stdout, 2 stderr, 3 how it ended, 255 (v5) "this channel is closed".
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kube/kube_internal.h"

#define PROTOCOLS "v5.channel.k8s.io,v4.channel.k8s.io"

static int make_path(const struct o2_kube *kube, const struct o2_kube_exec *exec, bool input,
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
	if (input)
		o2_kube_query(path, "stdin", "true");
	o2_kube_query(path, "stdout", "true");
	o2_kube_query(path, "stderr", "true");
	if (o2_buf_overflowed(path))
		return o2_fail(err, O2_ELIMIT, "the command for pod \"%s/%s\" is too long",
			       exec->ns, exec->pod);
	return 0;
}

/* One handshake. 1: refused with 401, and there are other credentials to try. */
static int open_once(struct o2_kube_remote *remote, const char *path, struct o2_err *err)
{
	struct o2_kube *kube = remote->kube;
	struct o2_kube_request refused = { .kube = kube, .what = remote->what };
	struct o2_strs headers = { 0 };
	struct o2_err cause = { 0 };

	if (o2_kube_credential_ready(kube->credential, kube->host, err) < 0)
		return err ? o2_prefix(err, "%s", remote->what) : -O2_EAUTH;
	int generation = o2_kube_credential_generation(kube->credential);
	o2_kube_identity_headers(kube, &headers);
	struct o2_http_request request = { .method = "GET", .path = path, .headers = &headers };
	remote->ws = o2_http_ws_open(kube->host, &request, PROTOCOLS, &refused.answer, &cause);
	o2_strs_release(&headers);
	int code = cause.code;
	if (remote->ws) {
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

int o2_kube_remote_open(struct o2_kube_remote *remote, bool input, struct o2_err *err)
{
	const struct o2_kube_exec *exec = remote->exec;
	struct o2_buf path = { 0 };
	int code;

	remote->what = o2_xasprintf("cannot run '%s' in pod \"%s/%s\" of %s", exec->argv[0],
				    exec->ns, exec->pod, remote->kube->name);
	code = make_path(remote->kube, exec, input, &path, err);
	if (code == 0)
		code = open_once(remote, path.data, err);
	if (code == 1)
		code = open_once(remote, path.data, err);
	o2_buf_release(&path);
	if (code == 1)
		return o2_fail(err, O2_EAUTH, "%s: the credentials are not accepted", remote->what);
	if (code == 0)
		remote->can_close =
			strcmp(o2_http_ws_protocol(remote->ws), "v5.channel.k8s.io") == 0;
	return code;
}

int o2_kube_remote_offer(struct o2_kube_remote *remote, const void *bytes, size_t len,
			 struct o2_err *err)
{
	char piece[O2_KUBE_PIECE_BYTES + 1];

	assert(len > 0 && len <= O2_KUBE_PIECE_BYTES);
	piece[0] = O2_KUBE_STDIN;
	memcpy(piece + 1, bytes, len);
	return o2_http_ws_offer(remote->ws, piece, len + 1, err);
}

int o2_kube_remote_close_input(struct o2_kube_remote *remote, struct o2_err *err)
{
	static const unsigned char close_input[] = { O2_KUBE_CLOSE, O2_KUBE_STDIN };

	if (!remote->can_close)
		return 1;
	return o2_http_ws_offer(remote->ws, close_input, sizeof(close_input), err);
}

/* {"status":"Success"}, or a Status with the exit code among its causes. */
static int read_end(struct o2_kube_remote *remote, const char *text, size_t len, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *status = o2_doc_parse(text, len, NULL);
	const struct o2_doc *causes = o2_doc_at(status, "/details/causes");
	const char *message = o2_doc_str(status, "/message", "");

	remote->ended = true;
	if (strcmp(o2_doc_str(status, "/status", ""), "Success") == 0) {
		remote->exit_status = 0;
		return 0;
	}
	for (size_t i = 0; i < o2_doc_count(causes); i++) {
		const struct o2_doc *cause = o2_doc_item(causes, i);
		if (strcmp(o2_doc_str(cause, "/reason", ""), "ExitCode") != 0)
			continue;
		remote->exit_status = (int)strtol(o2_doc_str(cause, "/message", "-1"), NULL, 10);
		return 0;
	}
	if (strstr(message, "no such file") || strstr(message, "not found"))
		return o2_fail(err, O2_ENOTFOUND, "%s: %s", remote->what, message);
	return o2_fail(err, O2_EIO, "%s: %s", remote->what,
		       message[0] ? message : "it ended in a way that the server does not explain");
}

int o2_kube_remote_take(struct o2_kube_remote *remote, const struct o2_buf *message,
			struct o2_err *err)
{
	const struct o2_kube_exec *exec = remote->exec;
	int channel;

	if (message->len == 0)
		return 0;
	channel = (unsigned char)message->data[0];
	if (channel == O2_KUBE_ENDED)
		return read_end(remote, message->data + 1, message->len - 1, err);
	if ((channel != O2_KUBE_STDOUT && channel != O2_KUBE_STDERR) || message->len == 1 ||
	    exec->on_output == NULL)
		return 0; /* servers open each channel with an empty message */
	int code = exec->on_output(exec->arg, channel, message->data + 1, message->len - 1);
	if (code < 0)
		return o2_fail(err, (enum o2_code) - code, "%s: stopped by the reader",
			       remote->what);
	return 0;
}

int o2_kube_remote_lost(const struct o2_kube_remote *remote, const struct o2_err *cause,
			struct o2_err *err)
{
	struct o2_kube_request request = { .kube = remote->kube, .what = remote->what };

	if (cause->code == -O2_ECANCELED || cause->origin != O2_ORIGIN_CURL) {
		if (err) {
			*err = *cause;
			return o2_prefix(err, "%s", remote->what);
		}
		return cause->code;
	}
	return o2_kube_transport_fail(&request, cause, err);
}

void o2_kube_remote_release(struct o2_kube_remote *remote)
{
	o2_http_ws_free(remote->ws);
	free(remote->what);
	remote->ws = NULL;
	remote->what = NULL;
}
