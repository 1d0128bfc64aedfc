/*
 * The agent's watchdog runs as it is; what it asks of its machine is answered here: its orders from the ConfigMap that its pod mounts, its
 * credentials, and requests to its own cluster's API server.
 */
#include "watchdog.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "../../cmd/agent/agent.h"
#include "../../cmd/agent/https.h"
#include "api.h"
#include "base/alloc.h"
#include "base/file.h"
#include "controllers.h"
#include "fault.h"
#include "network.h"
#include "task.h"
#include "world.h"

/* One watchdog's process. */
struct watch {
	struct sim_object *pod;
	struct sim_task *task;
};

static struct watch *watches[64];

static struct watch *watch_of(const struct sim_task *task)
{
	for (size_t i = 0; task && i < O2_COUNT(watches); i++) {
		if (watches[i] && watches[i]->task == task)
			return watches[i];
	}
	return NULL;
}

/* --- its files --- */

int __real_o2_file_read(const char *path, size_t max_bytes, char **out, size_t *out_len,
			struct o2_err *err);
int __wrap_o2_file_read(const char *path, size_t max_bytes, char **out, size_t *out_len,
			struct o2_err *err);

static int give(const char *text, char **out, size_t *out_len)
{
	*out = o2_xstrdup(text);
	if (out_len)
		*out_len = strlen(text);
	return 0;
}

/* The ConfigMap behind the mount that the path is in. */
static const char *mounted(const struct sim_object *pod, const char *path)
{
	const struct o2_doc *volumes = o2_doc_at(pod->doc, "/spec/volumes");
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < o2_doc_count(volumes); i++) {
		const char *name = o2_doc_str(o2_doc_item(volumes, i), "/configMap/name", "");
		const struct sim_object *map =
			sim_find(pod->cluster, sim_kind("", "ConfigMap"), pod->ns, name);
		const char *text =
			map ? o2_doc_member_str(o2_doc_member(map->doc, "data"), slash + 1, NULL)
			    : NULL;
		if (text)
			return text;
	}
	return NULL;
}

int __wrap_o2_file_read(const char *path, size_t max_bytes, char **out, size_t *out_len,
			struct o2_err *err)
{
	const struct watch *watch = watch_of(sim_task_current());
	const char *text = watch && !watch->pod->gone ? mounted(watch->pod, path) : NULL;
	struct sim_point point = { SIM_AT_FILE, -1, path };

	if (text)
		return give(text, out, out_len);
	if (watch)
		return strstr(path, "orders") ? o2_fail(err, O2_ENOTFOUND, "no orders")
					      : give("credential", out, out_len);
	if (sim_pass(&point) == SIM_STRIKE_IO_ERROR)
		return o2_fail(err, O2_EIO, "cannot read '%s': input/output error", path);
	return __real_o2_file_read(path, max_bytes, out, out_len, err);
}

/* --- its requests --- */

int https_send(const struct https_server *server, const struct https_request *request,
	       struct https_answer *out, struct o2_err *err)
{
	const struct watch *watch = watch_of(sim_task_current());
	struct sim_request asked = { .method = request->method,
				     .path = request->path,
				     .content_type = request->content_type,
				     .body = request->body,
				     .body_len = request->body_len };
	struct sim_response response;

	(void)server;
	assert(watch);
	sim_task_wait(sim_latency_us());
	if (sim_is_down(sim_side_of(watch->pod->cluster)))
		return o2_fail(err, O2_ETRANSIENT, "connection refused");
	sim_serve(watch->pod->cluster, &asked, &response);
	out->status = response.status;
	out->body = response.doc ? o2_doc_dump(response.doc) : o2_xstrdup("");
	out->len = strlen(out->body);
	sim_response_release(&response);
	sim_task_wait(sim_latency_us());
	return 0;
}

void https_answer_release(struct https_answer *answer)
{
	free(answer->body);
	*answer = (struct https_answer){ 0 };
}

void agent_say(const char *fmt, ...)
{
	(void)fmt;
}

/* --- its life --- */

static void run(void *arg)
{
	struct watch *watch = arg;
	const struct o2_doc *command = o2_doc_at(watch->pod->doc, "/spec/containers/0/command");
	char *argv[] = { (char *)o2_doc_text(o2_doc_item(command, 2)), NULL };
	int code = agent_watchdog(1, argv);

	if (!watch->pod->gone)
		sim_pod_exit(watch->pod, code);
}

static void pod_starts(struct sim_object *pod)
{
	struct watch *watch = o2_xcalloc(1, sizeof(*watch));
	size_t i = 0;

	while (i + 1 < O2_COUNT(watches) && watches[i])
		i++;
	watches[i] = watch;
	watch->pod = sim_hold(pod);
	watch->task = sim_task_start("watchdog", run, watch);
}

static void pod_stops(struct sim_object *pod)
{
	for (size_t i = 0; i < O2_COUNT(watches); i++) {
		if (watches[i] && watches[i]->pod == pod && !sim_task_is_over(watches[i]->task))
			sim_task_kill(watches[i]->task);
	}
}

void sim_watchdog_begin(void)
{
	static const struct sim_program program = { .verb = "watchdog",
						    .start = pod_starts,
						    .stop = pod_stops };

	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	sim_kubelet_add_program(&program);
}
