/*
 * Exec in a pod, carried through the world: what lib/http/ws.c is on a real machine. At the other end is an agent (agent.h).
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "agent.h"
#include "api.h"
#include "controllers.h"
#include "fault.h"
#include "http/http_internal.h"
#include "network.h"
#include "strike.h"
#include "task.h"
#include "world.h"

#define STDOUT 1
#define ENDED 3
#define MESSAGE_MAX_BYTES ((size_t)64 << 20)

struct message {
	STAILQ_ENTRY(message) link;
	char *bytes;
	size_t len;
};

STAILQ_HEAD(messages, message);

/* Both ends of one exec; the client's goes first or last. */
struct o2_http_ws {
	LIST_ENTRY(o2_http_ws) link;
	struct o2_http_host *host;
	struct sim_task *task;
	struct sim_agent *agent; /* NULL: its end is gone */
	int side;
	struct messages in;
	bool closed; /* nothing comes after what is in the queue */
	bool lost;   /* the client is not told why */
	bool freed;
	int uses;
};

LIST_HEAD(channels, o2_http_ws);
static struct channels channels = LIST_HEAD_INITIALIZER(channels);

/* A message on its way, in either direction. */
struct passage {
	struct o2_http_ws *ws;
	char *bytes;
	size_t len;
};

static void let_go(struct o2_http_ws *ws)
{
	struct message *message;

	if (--ws->uses > 0)
		return;
	while ((message = STAILQ_FIRST(&ws->in)) != NULL) {
		STAILQ_REMOVE_HEAD(&ws->in, link);
		free(message->bytes);
		free(message);
	}
	LIST_REMOVE(ws, link);
	free(ws);
}

static struct passage *passage_new(struct o2_http_ws *ws, const void *bytes, size_t len)
{
	struct passage *passage = o2_xcalloc(1, sizeof(*passage));

	ws->uses++;
	*passage = (struct passage){ ws, o2_xmalloc(len), len };
	memcpy(passage->bytes, bytes, len);
	return passage;
}

static void passage_free(struct passage *passage)
{
	let_go(passage->ws);
	free(passage->bytes);
	free(passage);
}

static void lose(struct o2_http_ws *ws)
{
	ws->closed = ws->lost = true;
	if (ws->agent)
		sim_agent_hang_up(ws->agent);
	ws->agent = NULL;
	if (!ws->freed)
		sim_task_wake(ws->task);
}

void sim_channels_lose(int side)
{
	for (struct o2_http_ws *ws = LIST_FIRST(&channels); ws; ws = LIST_NEXT(ws, link)) {
		if (ws->side == side && !ws->closed)
			lose(ws);
	}
}

/* --- from the agent --- */

static void come_in(void *arg)
{
	struct passage *passage = arg;
	struct o2_http_ws *ws = passage->ws;
	struct sim_point point = { SIM_AT_MESSAGE, ws->side, "from agent" };
	bool is_cut = sim_is_cut(ws->side == 0 ? SIM_FROM_A : SIM_FROM_B);

	if (!ws->freed && !ws->closed && !is_cut) {
		enum sim_strike strike = sim_pass_for(ws->task, &point);
		sim_strike_world(strike);
		if (strike == SIM_STRIKE_RESET) {
			lose(ws);
		} else if (!ws->freed) {
			struct message *message = o2_xcalloc(1, sizeof(*message));
			message->bytes = passage->bytes;
			message->len = passage->len;
			passage->bytes = NULL;
			if (strike == SIM_STRIKE_GARBAGE && message->len > 1)
				memset(message->bytes + 1, 'x', message->len - 1);
			STAILQ_INSERT_TAIL(&ws->in, message, link);
			sim_task_wake(ws->task);
		}
	}
	passage_free(passage);
}

/* Messages keep their order: each leaves when it is said, and all ways take the same time. */
#define WAY_US 800

static void hear(void *arg, const void *bytes, size_t len)
{
	struct o2_http_ws *ws = arg;
	O2_AUTO(o2_freep) char *framed = o2_xcalloc(1, len + 1);

	framed[0] = STDOUT;
	memcpy(framed + 1, bytes, len);
	sim_after(WAY_US, come_in, passage_new(ws, framed, len + 1));
}

static void finish(void *arg)
{
	struct o2_http_ws *ws = arg;

	ws->closed = true;
	if (!ws->freed)
		sim_task_wake(ws->task);
	let_go(ws);
}

/* The agent's process ended: with an exit code, or with its pod (negative). */
static void hear_end(void *arg, int exit_code)
{
	struct o2_http_ws *ws = arg;
	char text[160];

	ws->agent = NULL;
	if (exit_code >= 0) {
		int len = snprintf(text, sizeof(text),
				   exit_code == 0
					   ? "%c{\"status\":\"Success\"}"
					   : "%c{\"status\":\"Failure\",\"details\":{\"causes\":"
					     "[{\"reason\":\"ExitCode\",\"message\":\"%d\"}]}}",
				   ENDED, exit_code);
		sim_after(WAY_US, come_in, passage_new(ws, text, (size_t)len));
	} else {
		ws->lost = true;
	}
	ws->uses++;
	sim_after(WAY_US + 1, finish, ws);
}

/* --- opening --- */

static bool refuse(struct o2_http_answer *out_refusal, int status, const char *reason,
		   const char *words)
{
	struct sim_response response = { .retry_after_s = -1 };

	sim_answer_refusal(&response, status, reason, words);
	O2_AUTO(o2_freep) char *text = o2_doc_dump(response.doc);
	o2_buf_init(&out_refusal->body, MESSAGE_MAX_BYTES);
	o2_buf_adds(&out_refusal->body, text);
	out_refusal->status = status;
	sim_response_release(&response);
	return false;
}

/* At the server: is there a container to run it in? */
static bool connect_agent(struct o2_http_ws *ws, const char *path,
			  struct o2_http_answer *out_refusal)
{
	struct sim_address address;
	struct sim_object *pod;

	sim_address_parse(path, &address);
	pod = sim_find(sim_side(ws->side), address.kind, address.ns, address.name);
	if (!pod)
		return refuse(out_refusal, 404, "NotFound", "pods not found");
	if (!sim_pod_runs(pod))
		return refuse(out_refusal, 400, "BadRequest",
			      "unable to upgrade connection: container not found (\"mover\")");
	ws->agent = sim_agent_open(pod, &address, hear, hear_end, ws);
	return ws->agent ? true
			 : refuse(out_refusal, 500, "InternalError",
				  "unable to upgrade connection: no such program");
}

static int explain(const struct o2_http_ws *ws, const char *reason, const char *words,
		   struct o2_err *err)
{
	o2_fail(err, O2_ETRANSIENT, "%s: %s", ws->host->label, words);
	if (err) {
		err->origin = O2_ORIGIN_CURL;
		snprintf(err->reason, sizeof(err->reason), "%s", reason);
	}
	return -O2_ETRANSIENT;
}

struct o2_http_ws *o2_http_ws_open(struct o2_http_host *host, const struct o2_http_request *request,
				   const char *protocols, struct o2_http_answer *out_refusal,
				   struct o2_err *err)
{
	O2_AUTO(o2_freep) char *what = o2_xasprintf("EXEC %s", request->path);
	int side = sim_host_side(host);
	struct sim_point point = { SIM_AT_REQUEST, side, what };
	enum sim_strike strike = sim_pass(&point);
	struct o2_http_ws *ws = o2_xcalloc(1, sizeof(*ws));
	struct sim_response response = { .retry_after_s = -1 };

	(void)protocols;
	*out_refusal = (struct o2_http_answer){ .retry_after_s = -1 };
	*ws = (struct o2_http_ws){
		.host = host, .task = sim_task_current(), .side = side, .uses = 1
	};
	STAILQ_INIT(&ws->in);
	LIST_INSERT_HEAD(&channels, ws, link);
	sim_strike_world(strike);
	sim_task_wait(2 * sim_latency_us());
	bool is_cut = sim_is_cut(side == 0 ? SIM_TO_A : SIM_TO_B) || strike == SIM_STRIKE_LATE;
	if (is_cut)
		sim_task_wait(10 * SIM_S);
	if (sim_is_down(side))
		explain(ws, O2_HTTP_REFUSED, "connection refused", err);
	else if (is_cut || strike == SIM_STRIKE_RESET)
		explain(ws, is_cut ? O2_HTTP_TIMED_OUT : O2_HTTP_LOST, "no connection", err);
	else if (sim_strike_answer(strike, &response))
		refuse(out_refusal, response.status, "", "struck");
	else if (connect_agent(ws, request->path, out_refusal))
		return ws;
	sim_response_release(&response);
	if (out_refusal->status) {
		o2_fail(err, O2_EINVALID, "%s: refused to open a WebSocket (%d)", host->label,
			out_refusal->status);
		err->origin = O2_ORIGIN_HTTP;
		err->number = out_refusal->status;
	}
	let_go(ws);
	return NULL;
}

const char *o2_http_ws_protocol(const struct o2_http_ws *ws)
{
	(void)ws;
	return "v5.channel.k8s.io";
}

void o2_http_ws_free(struct o2_http_ws *ws)
{
	if (!ws)
		return;
	ws->freed = true;
	if (ws->agent)
		sim_agent_hang_up(ws->agent);
	ws->agent = NULL;
	let_go(ws);
}

/* --- to the agent --- */

static void go_out(void *arg)
{
	struct passage *passage = arg;
	struct o2_http_ws *ws = passage->ws;
	bool is_cut = sim_is_cut(ws->side == 0 ? SIM_TO_A : SIM_TO_B);

	if (ws->agent && !is_cut)
		sim_agent_take(ws->agent, passage->bytes, passage->len);
	passage_free(passage);
}

int o2_http_ws_offer(struct o2_http_ws *ws, const void *bytes, size_t len, struct o2_err *err)
{
	const unsigned char *text = bytes;
	struct sim_point point = { SIM_AT_MESSAGE, ws->side, "to agent" };
	enum sim_strike strike = sim_pass(&point);

	sim_strike_world(strike);
	if (strike == SIM_STRIKE_RESET)
		lose(ws);
	if (ws->closed)
		return explain(ws, O2_HTTP_LOST, "the connection is closed", err);
	assert(len > 0);
	if (text[0] != 0)
		return 1; /* the input's end: agents of the world see it when the connection goes */
	sim_after(WAY_US, go_out, passage_new(ws, text + 1, len - 1));
	return 1;
}

int o2_http_ws_send(struct o2_http_ws *ws, const void *bytes, size_t len, struct o2_err *err)
{
	int code = o2_http_ws_offer(ws, bytes, len, err);

	return code < 0 ? code : 0;
}

/* --- at the client --- */

int o2_http_ws_move(struct o2_http_ws *ws, bool read, struct o2_buf *out, struct o2_err *err)
{
	struct message *message = STAILQ_FIRST(&ws->in);

	if (read && message) {
		STAILQ_REMOVE_HEAD(&ws->in, link);
		o2_buf_clear(out);
		o2_buf_add(out, message->bytes, message->len);
		free(message->bytes);
		free(message);
		return O2_HTTP_WS_MESSAGE;
	}
	if (!ws->closed)
		return O2_HTTP_WS_QUIET;
	return ws->lost ? explain(ws, O2_HTTP_LOST, "the connection was lost", err)
			: O2_HTTP_WS_CLOSED;
}

void o2_http_ws_wait(struct o2_http_ws *const *sockets, const bool *reads, size_t count,
		     int timeout_ms)
{
	(void)reads;
	if (count > 0)
		o2_http_poll_fds(sockets[0]->host->http, NULL, 0, timeout_ms);
}

void o2_http_ws_beat(struct o2_http_ws *ws)
{
	(void)ws;
}

/* Commands that are not agents (o2_kube_exec) are not run in the world. */
int o2_http_ws_receive(struct o2_http_ws *ws, struct o2_buf *message, int timeout_ms,
		       struct o2_err *err)
{
	(void)timeout_ms;
	(void)message;
	return explain(ws, O2_HTTP_LOST, "only agents can be talked with", err);
}
