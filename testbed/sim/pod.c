/*
 * The kubelet and the scheduler's part of a pod: from its creation to its end, stage by stage.
 *
 * A stage lasts until its time (due_us) or until something that it waits for; then the pod is looked at again. What a lost node would do
 * waits until it is back.
 */
#include "controllers_internal.h"

#define KUBELET "kubelet"
#define START_MS 800
#define READY_MS 500
#define STOP_MS 300
#define RESTART_LEAST_US (1 * SIM_S)
#define RESTART_SECOND_US (10 * SIM_S)
#define RESTART_MOST_US (300 * SIM_S)
#define STREAK_US (600 * SIM_S)
#define EXIT_TERMINATED 143
#define EXIT_KILLED 137

static void write_status(struct sim_life *life, const char *phase, const char *reason,
			 const char *message)
{
	struct o2_doc *draft = sim_draft(life->pod);

	sim_put_pod_status(draft, life, phase, reason, message);
	sim_write_as(life->pod, draft, KUBELET, "status");
}

/* The stage's next step is in that time. */
static void set_due(struct sim_life *life, int64_t delay_us)
{
	life->due_us = sim_now_us() + delay_us;
	sim_queue_in(life->pod, delay_us);
}

static bool is_due(const struct sim_life *life)
{
	return sim_now_us() >= life->due_us;
}

/* --- from nothing to running --- */

static void tell_unschedulable(struct sim_life *life, const char *why)
{
	bool gated = o2_doc_count(o2_doc_at(life->pod->doc, "/spec/schedulingGates")) > 0;
	struct o2_doc *draft = sim_draft(life->pod);

	sim_set_condition(draft, &(struct sim_condition){ .type = "PodScheduled",
							  .status = "False",
							  .reason = gated ? "SchedulingGated"
									  : "Unschedulable",
							  .message = why });
	sim_write_as(life->pod, draft, "kube-scheduler", "status");
}

static void wait_for_mounts(struct sim_life *life)
{
	char what[300];

	if (sim_pod_lacks(life->pod, what, sizeof(what)))
		return;
	life->stage = SIM_STARTING;
	set_due(life, sim_pod_delay_us(life->pod, "sim/start-ms", START_MS));
}

static void bind_to(struct sim_life *life, const char *node)
{
	struct sim_object *pod = life->pod;
	struct o2_doc *draft = sim_draft(pod), *spec = o2_doc_copy(o2_doc_member(draft, "spec"));
	int64_t deadline_s = o2_doc_int(pod->doc, "/spec/activeDeadlineSeconds", 0);

	life->node = o2_xstrdup(node);
	life->stage = SIM_WAITING;
	if (deadline_s > 0) {
		life->deadline_us = sim_now_us() + deadline_s * SIM_S;
		sim_queue_in(pod, deadline_s * SIM_S);
	}
	o2_doc_set_str(spec, "nodeName", node);
	o2_doc_set(draft, "spec", spec);
	sim_put_pod_status(draft, life, "Pending", NULL, NULL);
	sim_write_as(pod, draft, KUBELET, "status");
	wait_for_mounts(life);
}

static void find_node(struct sim_life *life)
{
	struct sim_object *pod = life->pod;
	const char *given = o2_doc_str(pod->doc, "/spec/nodeName", "");
	struct sim_object *node;
	char why[400];

	if (given[0]) {
		O2_AUTO(o2_freep) char *name = o2_xstrdup(given);
		bind_to(life, name);
		return;
	}
	node = sim_schedule(pod, why, sizeof(why));
	if (node)
		bind_to(life, node->name);
	else
		tell_unschedulable(life, why);
}

static void begin(struct sim_life *life)
{
	struct sim_object *pod = life->pod;
	int64_t run_us = sim_pod_delay_us(pod, "sim/run-ms", -1);

	if (!is_due(life))
		return;
	if (!life->address[0])
		sim_new_pod_address(pod->cluster, life->node, life->address, sizeof(life->address));
	life->stage = SIM_RUNNING;
	sim_life_begin(life);
	if (run_us >= 0)
		sim_queue_in(pod, run_us);
	set_due(life, sim_pod_delay_us(pod, "sim/ready-ms", READY_MS));
	write_status(life, "Running", NULL, NULL);
}

/* --- its end by itself --- */

static bool restarts(const struct sim_life *life)
{
	const char *policy = o2_doc_str(life->pod->doc, "/spec/restartPolicy", "Always");

	return strcmp(policy, "Always") == 0 ||
	       (strcmp(policy, "OnFailure") == 0 && life->exit_code != 0);
}

static void end_by_itself(struct sim_life *life)
{
	int64_t wait_us = RESTART_LEAST_US;

	life->exited = false;
	if (!restarts(life)) {
		life->stage = SIM_ENDED;
		write_status(life, life->exit_code == 0 ? "Succeeded" : "Failed", NULL, NULL);
		return;
	}
	if (sim_now_us() - life->began_us > STREAK_US)
		life->streak = 0;
	/* The first time at once; then after 10 s, 20 s, 40 s ... */
	if (life->streak > 0)
		wait_us = RESTART_SECOND_US << (life->streak < 6 ? life->streak - 1 : 5);
	life->streak++;
	life->restart_count++;
	life->stage = SIM_CRASHED;
	set_due(life, wait_us < RESTART_MOST_US ? wait_us : RESTART_MOST_US);
	write_status(life, "Running", NULL, NULL);
}

static void run(struct sim_life *life)
{
	int64_t run_us = sim_pod_delay_us(life->pod, "sim/run-ms", -1);

	if (run_us >= 0 && sim_now_us() >= life->began_us + run_us) {
		life->exited = true;
		sim_life_end(life, 0);
		end_by_itself(life);
	} else if (is_due(life) && life->ready_us == 0 && !sim_pod_never_ready(life->pod)) {
		life->ready_us = sim_now_us();
		write_status(life, "Running", NULL, NULL);
	}
}

/* --- its end by others --- */

static void run_out(struct sim_life *life)
{
	sim_life_end(life, EXIT_KILLED);
	life->stage = SIM_ENDED;
	write_status(life, "Failed", "DeadlineExceeded",
		     "Pod was active on the node longer than the specified deadline");
}

/* The node has nothing of it any more: that is the last that is told of it. */
static void finish(struct sim_life *life)
{
	struct sim_object *pod = life->pod;
	struct o2_doc *draft = sim_draft(pod);

	sim_life_end(life, sim_pod_is_sticky(pod) ? EXIT_KILLED : EXIT_TERMINATED);
	if (!sim_pod_has_ended(pod)) {
		life->stage = SIM_ENDED;
		sim_put_pod_status(draft, life,
				   life->began[0] && life->exit_code == 0 ? "Succeeded" : "Failed",
				   NULL, NULL);
	}
	o2_doc_put_int(draft, "/metadata/deletionGracePeriodSeconds", 0);
	sim_write_as(pod, draft, KUBELET, "status");
}

static void stop(struct sim_life *life)
{
	struct sim_object *pod = life->pod;
	int64_t grace_us = o2_doc_int(pod->doc, "/metadata/deletionGracePeriodSeconds", 0) * SIM_S;
	int64_t stop_us = sim_pod_delay_us(pod, "sim/stop-ms", STOP_MS);

	if (stop_us > grace_us || sim_pod_is_sticky(pod))
		stop_us = grace_us;
	/* One that came back with an old store: its node knows nothing of it. */
	if (!life->node && o2_doc_str(pod->doc, "/spec/nodeName", "")[0])
		life->node = o2_xstrdup(o2_doc_str(pod->doc, "/spec/nodeName", ""));
	if (!life->node)
		return;
	if (!life->alive) {
		finish(life);
	} else if (life->stage != SIM_STOPPING || sim_now_us() + stop_us < life->due_us) {
		life->stage = SIM_STOPPING;
		set_due(life, stop_us);
	} else if (is_due(life)) {
		finish(life);
	}
}

/* --- looks --- */

/* A Job's pod that has no Job any more is not counted by anybody. */
static bool is_left_by_job(const struct sim_object *pod)
{
	return sim_has_finalizer(pod, SIM_JOB_TRACKING) && !sim_controller_of(pod);
}

static void step(struct sim_life *life)
{
	switch (life->stage) {
	case SIM_UNBOUND:
		find_node(life);
		break;
	case SIM_WAITING:
		wait_for_mounts(life);
		break;
	case SIM_STARTING:
	case SIM_CRASHED:
		begin(life);
		break;
	case SIM_RUNNING:
		run(life);
		break;
	case SIM_STOPPING:
	case SIM_ENDED:
		break;
	}
}

void sim_pod_look(struct sim_object *pod)
{
	struct sim_life *life = sim_life_of(pod);

	if (!life && pod->gone)
		return;
	if (!life)
		life = sim_life_new(pod);
	if (life->node && sim_node_is_lost(pod->cluster, life->node))
		return;
	if (pod->gone) {
		sim_life_end(life, EXIT_KILLED);
		sim_life_free(life);
		return;
	}
	if (is_left_by_job(pod))
		sim_remove_finalizer(pod, SIM_JOB_TRACKING);
	if (pod->gone)
		return;
	if (sim_is_deleting(pod))
		stop(life);
	else if (life->exited)
		end_by_itself(life);
	else if (life->deadline_us && sim_now_us() >= life->deadline_us && life->stage != SIM_ENDED)
		run_out(life);
	else
		step(life);
}

/* Claims that are to be deleted wait for the last pod that uses them. */
static void queue_claims(const struct sim_object *pod)
{
	size_t count = o2_doc_count(o2_doc_at(pod->doc, "/spec/volumes"));

	for (size_t i = 0; i < count; i++) {
		const char *name = sim_pod_claim(pod, i);
		struct sim_object *claim =
			name ? sim_find(pod->cluster, sim_known.claim, pod->ns, name) : NULL;
		if (claim && sim_is_deleting(claim))
			sim_queue(claim);
	}
}

void sim_pod_see(struct sim_object *pod, enum sim_change change)
{
	struct sim_life *life = sim_life_of(pod);

	if (change == SIM_DELETED && life) {
		/* A node that can't be reached goes on with what it has. */
		if (!life->node || !sim_node_is_lost(pod->cluster, life->node))
			sim_life_end(life, EXIT_KILLED);
		sim_queue(pod);
	}
	if (change != SIM_DELETED && !sim_controller_reference(pod))
		sim_queue_adopters(pod);
	if (change == SIM_DELETED || sim_pod_has_ended(pod))
		queue_claims(pod);
}

void sim_wake_waiting(const struct sim_cluster *cluster, const char *ns)
{
	struct sim_life *life;

	for (life = TAILQ_FIRST(&sim_lives); life; life = TAILQ_NEXT(life, link)) {
		if (life->stage <= SIM_WAITING && life->pod->cluster == cluster &&
		    !life->pod->gone && (!ns || strcmp(life->pod->ns, ns) == 0))
			sim_queue(life->pod);
	}
}

void sim_resume_node(const struct sim_cluster *cluster, const char *node)
{
	struct sim_life *life;

	for (life = TAILQ_FIRST(&sim_lives); life; life = TAILQ_NEXT(life, link)) {
		if (life->pod->cluster != cluster || !life->node || strcmp(life->node, node) != 0)
			continue;
		if (!life->pod->gone && life->stage == SIM_RUNNING && life->alive)
			write_status(life, "Running", NULL, NULL);
		sim_queue(life->pod);
	}
}
