/*
 * Running a command in a container until it ends.
 *
 * Input is sent while output is read: either side may wait for the other. A command that ends without reading all of its
 * input can leave containerd waiting for it (1.34 with kubectl as well): then no exit status comes, and the time-out ends it.
 */
#include <stdlib.h>
#include <string.h>

#include "kube/kube_internal.h"

#define MESSAGE_MAX_BYTES ((size_t)64 << 20)
#define TIMEOUT_MS 60000
#define FAREWELL_MS 1000 /* for output that comes after the exit status, from old servers */

/* One command. */
struct session {
	struct o2_kube_remote remote;
	size_t sent; /* of the input */
	bool input_done;
};

/* Give the connection as much of the input as it takes now. */
static int feed(struct session *session, struct o2_err *err)
{
	struct o2_kube_remote *remote = &session->remote;
	const struct o2_kube_exec *exec = remote->exec;

	while (!session->input_done && !remote->ended) {
		size_t left = exec->input_len - session->sent;
		size_t len = left < O2_KUBE_PIECE_BYTES ? left : O2_KUBE_PIECE_BYTES;
		int taken = len > 0 ? o2_kube_remote_offer(
					      remote, (const char *)exec->input + session->sent,
					      len, err)
				    : o2_kube_remote_close_input(remote, err);
		if (taken <= 0)
			return taken;
		session->sent += len;
		session->input_done = len == 0;
	}
	return 0;
}

static int converse(struct session *session, struct o2_buf *message, struct o2_err *err)
{
	int timeout_ms =
		session->remote.exec->timeout_ms ? session->remote.exec->timeout_ms : TIMEOUT_MS;

	for (;;) {
		struct o2_err cause = { 0 };
		if (feed(session, &cause) < 0)
			session->input_done =
				true; /* the command may have ended without wanting all of it */
		o2_err_clear(&cause);
		int got = o2_http_ws_receive(session->remote.ws, message,
					     session->remote.ended ? FAREWELL_MS : timeout_ms,
					     &cause);
		if (got < 0 && session->remote.ended && cause.code != -O2_ECANCELED)
			return 0; /* the answer is known */
		if (got < 0)
			return o2_kube_remote_lost(&session->remote, &cause, err);
		if (got == 0 && session->remote.ended)
			return 0;
		if (got == 0)
			return o2_fail(err, O2_ETRANSIENT,
				       "%s: the connection was closed before the command ended",
				       session->remote.what);
		int code = got == 1 ? o2_kube_remote_take(&session->remote, message, err) : 0;
		if (code < 0)
			return code;
	}
}

int o2_kube_exec(struct o2_kube *kube, const struct o2_kube_exec *exec, int *out_exit,
		 struct o2_err *err)
{
	struct session session = { .remote = { .kube = kube, .exec = exec },
				   .input_done = exec->input == NULL };
	struct o2_buf message;
	int code = o2_kube_remote_open(&session.remote, exec->input != NULL, err);

	if (code == 0) {
		o2_buf_init(&message, MESSAGE_MAX_BYTES);
		code = converse(&session, &message, err);
		o2_buf_release(&message);
	}
	o2_kube_remote_release(&session.remote);
	if (code == 0 && out_exit)
		*out_exit = session.remote.exit_status;
	return code;
}
