/* The status of a pod, as its node reports it. */
#include "controllers_internal.h"

#define CRASH_LOOP_US (10 * SIM_S)

static void put_condition(struct o2_doc *draft, const char *type, bool holds, const char *reason)
{
	sim_set_condition(draft, &(struct sim_condition){ .type = type,
							  .status = holds ? "True" : "False",
							  .reason = holds ? NULL : reason });
}

static struct o2_doc *terminated(const struct sim_life *life)
{
	struct o2_doc *state = o2_doc_object_new();

	o2_doc_put_int(state, "/terminated/exitCode", life->exit_code);
	o2_doc_put_str(state, "/terminated/reason", life->exit_code == 0 ? "Completed" : "Error");
	o2_doc_put_str(state, "/terminated/startedAt", life->began);
	o2_doc_put_str(state, "/terminated/finishedAt", life->ended);
	return state;
}

static struct o2_doc *waiting(const char *reason, const char *message)
{
	struct o2_doc *state = o2_doc_object_new();

	o2_doc_put_str(state, "/waiting/reason", reason);
	o2_doc_put_str(state, "/waiting/message", message);
	return state;
}

static struct o2_doc *crashed(const struct sim_life *life, const char *container)
{
	int64_t wait_us = life->due_us - sim_now_us();

	if (wait_us < CRASH_LOOP_US)
		return terminated(life);
	O2_AUTO(o2_freep)
	char *message = o2_xasprintf("back-off %llds restarting failed container=%s pod=%s_%s(%s)",
				     (long long)(wait_us / SIM_S), container, life->pod->name,
				     life->pod->ns, sim_uid(life->pod));
	return waiting("CrashLoopBackOff", message);
}

static struct o2_doc *state_of(const struct sim_life *life, const char *container, bool initial)
{
	struct o2_doc *state;

	if (life->alive && !initial) {
		state = o2_doc_object_new();
		o2_doc_put_str(state, "/running/startedAt", life->began);
		return state;
	}
	if (life->stage == SIM_CRASHED && !initial)
		return crashed(life, container);
	if (life->ended[0] || (initial && life->began[0]))
		return terminated(life);
	return waiting(initial || !o2_doc_at(life->pod->doc, "/spec/initContainers")
			       ? "ContainerCreating"
			       : "PodInitializing",
		       NULL);
}

static struct o2_doc *container_status(const struct sim_life *life, const struct o2_doc *container,
				       bool initial)
{
	struct o2_doc *status = o2_doc_object_new();
	const char *name = o2_doc_member_str(container, "name", "");
	bool done = initial && life->began[0];
	struct sim_life first = *life;

	/* What ran before the containers went well: they run. */
	if (initial) {
		first.exit_code = 0;
		memcpy(first.ended, first.began, sizeof(first.ended));
	}
	o2_doc_set_str(status, "name", name);
	o2_doc_set(status, "state", state_of(initial ? &first : life, name, initial));
	o2_doc_set(status, "lastState",
		   !initial && life->restart_count > 0 && life->stage == SIM_CRASHED
			   ? terminated(life)
			   : o2_doc_object_new());
	o2_doc_put_bool(status, "/ready", initial ? done : life->alive && life->ready_us > 0);
	o2_doc_put_int(status, "/restartCount", initial ? 0 : life->restart_count);
	o2_doc_set_str(status, "image", o2_doc_member_str(container, "image", ""));
	o2_doc_set_str(status, "imageID",
		       life->began[0] ? o2_doc_member_str(container, "image", "") : "");
	o2_doc_put_bool(status, "/started", initial ? false : life->alive);
	return status;
}

static void put_containers(struct o2_doc *draft, const struct sim_life *life)
{
	static const struct {
		const char *spec, *status;
		bool initial;
	} lists[] = {
		{ "/spec/initContainers", "/status/initContainerStatuses", true },
		{ "/spec/containers", "/status/containerStatuses", false },
	};

	for (size_t l = 0; l < O2_COUNT(lists); l++) {
		const struct o2_doc *containers = o2_doc_at(draft, lists[l].spec);
		struct o2_doc *statuses = o2_doc_array_new();

		for (size_t i = 0; i < o2_doc_count(containers); i++)
			o2_doc_append(statuses, container_status(life, o2_doc_item(containers, i),
								 lists[l].initial));
		if (o2_doc_count(statuses) == 0) {
			o2_doc_free(statuses);
			statuses = NULL;
		}
		o2_doc_put(draft, lists[l].status, statuses);
	}
}

void sim_put_pod_status(struct o2_doc *draft, const struct sim_life *life, const char *phase,
			const char *reason, const char *message)
{
	const struct sim_object *node =
		sim_find(life->pod->cluster, sim_known.node, NULL, life->node);
	bool over = strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
	bool ready = life->alive && life->ready_us > 0;
	const char *why = over ? "PodCompleted" : "ContainersNotReady";

	o2_doc_put_str(draft, "/status/phase", phase);
	o2_doc_put_str(draft, "/status/reason", reason);
	o2_doc_put_str(draft, "/status/message", message);
	put_condition(draft, "PodReadyToStartContainers", life->alive, NULL);
	put_condition(draft, "Initialized", life->began[0] || over, "ContainersNotInitialized");
	put_condition(draft, "Ready", ready, why);
	put_condition(draft, "ContainersReady", ready, why);
	put_condition(draft, "PodScheduled", true, NULL);
	o2_doc_put_str(draft, "/status/hostIP", node ? sim_node_address(node) : NULL);
	if (life->address[0]) {
		struct o2_doc *addresses = o2_doc_array_new(), *address = o2_doc_object_new();
		o2_doc_set_str(address, "ip", life->address);
		o2_doc_append(addresses, address);
		o2_doc_put_str(draft, "/status/podIP", life->address);
		o2_doc_put(draft, "/status/podIPs", addresses);
	}
	if (!o2_doc_at(draft, "/status/startTime"))
		o2_doc_put_str(draft, "/status/startTime", sim_stamp());
	if (!o2_doc_at(draft, "/status/qosClass"))
		o2_doc_put_str(draft, "/status/qosClass", "Burstable");
	put_containers(draft, life);
}
