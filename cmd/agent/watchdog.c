/*
 * Undoes a migration whose os2os is gone: waits for the deadline, then replays the requests against the API server.
 *
 * The first is usually the decision, a compare-and-swap. Who loses it stops: nothing of what follows may be done then. An answer
 * that was lost makes the second try look like a loss, so the object is asked for the mark that this very request leaves.
 */
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "https.h"
#include "orders.h"

#define LOOK_MS 2000
#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 10000
#define CREDENTIAL_MAX_BYTES (1 << 20)
#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

/* What becomes of the orders after one of them. */
enum outcome { GO_ON, STOP };

static int read_credential(const char *name, char **out, struct o2_err *err)
{
	const char *folder = getenv("OS2OS_SERVICE_ACCOUNT");
	O2_AUTO(o2_freep)
	char *path = o2_xasprintf("%s/%s", folder ? folder : SERVICE_ACCOUNT, name);

	return o2_file_read(path, CREDENTIAL_MAX_BYTES, out, NULL, err);
}

/* Credentials are rotated, so they are read for every request. */
static int ask(const struct https_request *request, struct https_answer *answer, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *ca = NULL, *token = NULL;
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");

	if (host == NULL || port == NULL)
		return o2_fail(err, O2_EINVALID,
			       "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
	int rc = read_credential("ca.crt", &ca, err);
	if (rc == 0)
		rc = read_credential("token", &token, err);
	if (rc != 0)
		return rc;
	token[strcspn(token, " \t\r\n")] = '\0';
	const struct https_server server = {
		.address = host, .port = (int)strtol(port, NULL, 10), .ca_pem = ca, .token = token
	};
	return https_send(&server, request, answer, err);
}

/* Ask until there is an answer that says something: 2xx, or one of 404, 409 and 422. */
static void ask_until_clear(const struct https_request *request, struct https_answer *answer)
{
	for (int64_t pause_ms = PAUSE_MIN_MS;; pause_ms *= 2) {
		struct o2_err err = { 0 };
		if (pause_ms > PAUSE_MAX_MS)
			pause_ms = PAUSE_MAX_MS;
		if (ask(request, answer, &err) < 0) {
			agent_say("%s %s: %s", request->method, request->path, err.message);
		} else {
			int status = answer->status;
			agent_say("%s %s %d", request->method, request->path, status);
			if (status / 100 == 2 || status == 404 || status == 409 || status == 422)
				return;
			https_answer_release(answer);
		}
		o2_clock_sleep_ms(pause_ms);
	}
}

/* Whether the object shows that this order was carried out, and by us. */
static bool is_marked(const struct order *order)
{
	const struct https_request get = { .method = "GET", .path = order->path };
	O2_AUTO(https_answer_release) struct https_answer answer = { 0 };

	if (order->mark == NULL)
		return false;
	ask_until_clear(&get, &answer);
	return answer.status / 100 == 2 &&
	       memmem(answer.body, answer.len, order->mark, strlen(order->mark)) != NULL;
}

static enum outcome carry_out(const struct order *order)
{
	const struct https_request request = {
		.method = order->method,
		.path = order->path,
		.content_type = order->content_type,
		.body = order->body,
		.body_len = order->body_len,
	};
	O2_AUTO(https_answer_release) struct https_answer answer = { 0 };

	ask_until_clear(&request, &answer);
	if (answer.status / 100 == 2 || !order->must)
		return GO_ON;
	if (is_marked(order))
		return GO_ON;
	agent_say("the decision was made by somebody else");
	return STOP;
}

/* The newest version that makes sense; NULL: there never was one. */
static struct orders *await_deadline(const char *path)
{
	struct orders *orders = NULL;
	bool complained = false;

	for (;;) {
		struct o2_err err = { 0 };
		struct orders *newer = orders_load(path, &err);
		if (newer != NULL) {
			orders_free(orders);
			orders = newer;
		} else if (!complained) {
			agent_say("%s", err.message);
		}
		complained = newer == NULL;
		if (orders == NULL)
			return NULL;
		int64_t left = orders->deadline_unix - o2_clock_unix();
		if (left <= 0)
			return orders;
		o2_clock_sleep_ms(left * 1000 < LOOK_MS ? left * 1000 : LOOK_MS);
	}
}

static void leave(int signal_number)
{
	_exit(128 + signal_number);
}

int agent_watchdog(int argc, char **argv)
{
	if (argc != 1) {
		agent_say("os2os-agent: watchdog takes one file");
		return AGENT_EXIT_USAGE;
	}
	/* Process 1 has no default actions. The exit code says that the work isn't done: the Job starts another, which does it. */
	signal(SIGTERM, leave);
	signal(SIGINT, leave);
	O2_AUTO(orders_freep) struct orders *orders = await_deadline(argv[0]);
	if (orders == NULL)
		return AGENT_EXIT_FAILED;
	for (size_t i = 0; i < orders->count; i++)
		if (carry_out(&orders->items[i]) == STOP)
			break;
	return AGENT_EXIT_DONE;
}
