/*
 * What makes a cluster live: the controllers that os2os' protocol leans on, the kubelet, the provisioner.
 *
 * Everything is level-triggered: a change of an object puts it, its owner, and what waits for it into a queue; a moment of the world
 * later (by chance, 2 to 40 ms) its controller looks at it and does what is missing. Delays are virtual, so they cost nothing.
 *
 * Behaviour that os2os depends on, each seen on a real 1.34 cluster:
 *  - Deployment: one ReplicaSet a template (name <deployment>-<hash>, label pod-template-hash), its annotations copied to the ReplicaSet
 *    and never taken back; status of replicas; paused ones make no pods.
 *  - ReplicaSet, StatefulSet (in order, claims from templates, one at a time), DaemonSet (one a node, by nodeSelector), Job (backoffLimit,
 *    suspend, completions, activeDeadlineSeconds), CronJob (a missed run fires at once when resumed, from lastScheduleTime).
 *  - A Job's pod that is deleted before it has ended counts as failed, also when it goes because the Job is suspended: with backoffLimit 0
 *    the Job fails by that.
 *  - A pod with matching labels and no controller is adopted, and deleted if there are too many.
 *  - A controller whose pod is refused backs off: 1 s, doubled, up to 80 s; a change of the controller's own object wakes it in 2 s.
 *  - Owners: a dependent whose owner's uid is gone is collected within a second; never while the owner is still terminating; foreground and
 *    orphan deletion; cluster-scoped dependents of namespaced owners are left alone.
 *  - Namespace: default service account and kube-root-ca.crt appear; a deleted one stays Terminating until it is empty.
 *  - ResourceQuota: status.hard and status.used are filled in by the controller, and only then count in admission.
 *  - Claim: bound at once, or by the first pod that uses it (WaitForFirstConsumer); the volume goes with the claim unless Retain.
 *  - Kubelet: scheduled, started, ready; waits for config maps, secrets and claims that it mounts; ends within the grace period.
 *
 * Deadlines and delays are measured in the world's time; only what CronJobs do, and what is told in stamps, follows the calendar.
 */
#pragma once

#include "cluster.h"

/* Called by the store after every change. */
void sim_controllers_see(struct sim_object *object, enum sim_change change);
/*
 * What a new cluster has: nodes "<letter of the cluster>-1" and "-2", the default storage class "local-path" (WaitForFirstConsumer, volumes
 * on a node), namespaces default and kube-*.
 */
void sim_controllers_begin(struct sim_cluster *cluster);

/*
 * Lives of pods, for shapes and faults. Annotations of the pod template set them:
 *
 *	sim/start-ms        until its containers run (default 800)
 *	sim/ready-ms        from then until it is ready (default 500)
 *	sim/stop-ms         from SIGTERM to the end (default 300)
 *	sim/never-ready     names of clusters where it never becomes ready: "B"
 *	sim/sticky          "true": ignores SIGTERM until the grace period is over
 *	sim/run-ms          ends by itself with success after that (Jobs)
 */

/* The contents of a volume: a few numbers that stand for files. */
#define SIM_VOLUME_FILES 4
struct sim_volume {
	uint64_t files[SIM_VOLUME_FILES];
	uint64_t rows;        /* accepted from clients: never lost */
	uint64_t block_count; /* times it was written by anybody, for change detection */
};
/* Of a PersistentVolume. */
struct sim_volume *sim_volume_of(struct sim_object *volume);
/* Behind a claim that is bound; NULL if it is not. */
struct sim_volume *sim_claim_volume(const struct sim_cluster *cluster, const char *ns,
				    const char *claim);
/* The node is back: it goes on with its pods, and tells how they are. */
void sim_resume_node(const struct sim_cluster *cluster, const char *node);
/* Is the pod's process alive (from the start of its containers to their end, not just by what the API says)? */
bool sim_pod_runs(const struct sim_object *pod);
/* Every process that is alive in a cluster, oldest pod first; also those whose pod is gone while its node is lost. */
void sim_each_process(const struct sim_cluster *cluster,
		      void (*fn)(struct sim_object *pod, void *arg), void *arg);
bool sim_pod_is_ready(const struct sim_object *pod);
/*
 * The node's view of a pod whose object is gone is gone too; a node that is lost keeps its pods: after 40 s they are no longer ready by what
 * the API says, after 340 s they are told to go, and they run on until the node is back.
 */
void sim_node_lose(struct sim_cluster *cluster, const char *node, bool lost);

/* Programs that the simulator runs in pods: called by the kubelet when a container's command names them, and at their end. */
struct sim_program {
	const char *verb; /* the agent's verb: "hold", "watchdog" */
	void (*start)(struct sim_object *pod);
	void (*stop)(struct sim_object *pod); /* not after sim_pod_exit() */
};
void sim_kubelet_add_program(const struct sim_program *program);
/* A program's process ends by itself. */
void sim_pod_exit(struct sim_object *pod, int exit_code);
