/*
 * What the controllers share: the queue, owners, conditions, templates, and who looks at what.
 *
 * sim_controllers_see() only queues. A controller's look at its object happens in an event of its own, reads the store as it then is, and
 * writes through sim_write(). Its own writes of its own object don't queue it again.
 */
#pragma once

#include <sys/queue.h>

#include "cluster.h"

#include "controllers.h"
#include "world.h"

#define SIM_CONTROLLER_MANAGER "kube-controller-manager"
#define SIM_JOB_TRACKING \
	"batch.kubernetes.io/job-tracking" /* finalizer of a pod that is not counted yet */
#define SIM_SELECTED_NODE "/metadata/annotations/volume.kubernetes.io~1selected-node"
/* Of a pod's spec. */
#define SIM_NODE_TERMS \
	"/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms"
/* Terms of one requirement, "key in (value)"; matcher: "matchFields" or "matchExpressions". Caller frees. */
struct o2_doc *sim_node_terms(const char *matcher, const char *key, const char *value);

/* The kinds that controllers deal with, looked up once. */
struct sim_known {
	const struct sim_kind *namespace, *node, *pod, *config_map, *secret, *account, *claim,
		*volume, *quota, *deployment, *replica_set, *stateful_set, *daemon_set, *revision,
		*job, *cron_job, *class;
};
extern struct sim_known sim_known;

/* --- controllers.c: which controller it is --- */

/* The controller of the object's kind looks at it; nothing happens if none does. */
void sim_look(struct sim_object *object);
bool sim_has_controller(const struct sim_object *object);

/* --- queue.c --- */

/* Its controller looks at it in a moment; once, however often it is asked. */
void sim_queue(struct sim_object *object);
/* A look in that time, whatever else happens meanwhile. */
void sim_queue_in(struct sim_object *object, int64_t delay_us);
/* All of a kind in a namespace (NULL: everywhere). */
void sim_queue_all(const struct sim_cluster *cluster, const struct sim_kind *kind, const char *ns);
/* Is its controller looking at it just now? */
bool sim_is_looking(const struct sim_object *object);
/* What its controller wanted to create was refused: it tries again later, and later still. */
void sim_back_off(struct sim_object *object);
bool sim_is_backing_off(const struct sim_object *object);
/* It went well: the next refusal waits for a short time again. */
void sim_forget_refusals(struct sim_object *object);
/* Somebody changed the object itself: that ends a long wait. */
void sim_wake(struct sim_object *object);

/* --- draft.c: changed documents --- */

/* The object's document to be changed: metadata and status are copies (managedFields are nobody's to change); all else is shared and may only be replaced as a whole. */
struct o2_doc *sim_draft(const struct sim_object *object);
/* The object becomes the draft (taken), written by that manager. `subresource`: NULL or "status". */
void sim_write_as(struct sim_object *object, struct o2_doc *draft, const char *manager,
		  const char *subresource);
/* By the controller manager, if there is a difference. */
void sim_write(struct sim_object *object, struct o2_doc *draft);
void sim_write_status(struct sim_object *object, struct o2_doc *draft);
/* Of an object that counts: put it, or leave it out if it is 0. */
void sim_put_count(struct o2_doc *draft, const char *pointer, int64_t count);
struct o2_doc *sim_object_doc(const struct sim_kind *kind, const char *ns, const char *name);

/*
 * A moment of the world that a controller remembers of its object: when a Job was started, when a Deployment last made progress. Durations
 * are measured from it, since the calendar may be turned.
 */
int64_t *sim_moment(struct sim_object *object);

bool sim_has_finalizer(const struct sim_object *object, const char *name);
/* As admission puts one there: nobody owns it. */
void sim_add_finalizer(struct sim_object *object, const char *name);
void sim_remove_finalizer(struct sim_object *object, const char *name);

/* --- condition.c --- */

struct sim_condition {
	const char *type;
	const char *status;           /* "True", "False", "Unknown" */
	const char *reason, *message; /* may be NULL */
	bool has_update_time;         /* a Deployment's tell when they were last confirmed */
};
/* Its times only change with it. */
void sim_set_condition(struct o2_doc *draft, const struct sim_condition *condition);
void sim_unset_condition(struct o2_doc *draft, const char *type);
const struct o2_doc *sim_condition(const struct o2_doc *doc, const char *type);
bool sim_is_true(const struct o2_doc *doc, const char *type);

/* --- dependents.c: objects that others own --- */

/* Each is held, so that one that goes meanwhile can still be looked at. */
struct sim_list {
	struct sim_object **items;
	size_t count, cap;
};
void sim_list_add(struct sim_list *list, struct sim_object *object);
void sim_list_release(struct sim_list *list);

/* An ownerReference: controller and blockOwnerDeletion. */
struct o2_doc *sim_owner_reference(const struct sim_object *owner);
void sim_put_owner(struct o2_doc *doc, const struct sim_object *owner);
const struct o2_doc *sim_controller_reference(const struct sim_object *object);
bool sim_is_controlled_by(const struct sim_object *object, const struct sim_object *owner);
/* A reference to `owner` that is no controller's is added or taken off; `draft` is the dependent's. */
void sim_put_reference(struct o2_doc *draft, const struct sim_object *owner, bool wanted);
/*
 * The owner's dependents of a kind, oldest first. Those without a controller that its selector matches become its own, unless `may_adopt`
 * says no (NULL: all may); those that it does not match any more are let go.
 */
void sim_gather(struct sim_object *owner, const struct sim_kind *kind,
		bool (*may_adopt)(const struct sim_object *owner, const struct sim_object *object),
		struct sim_list *out);
/* Queue what would adopt the object. */
void sim_queue_adopters(const struct sim_object *object);

/* --- template.c: pods from templates --- */

/* A pod that `owner` will control: labels, annotations, a copy of the spec. Without a name. */
struct o2_doc *sim_pod_from(const struct sim_object *owner, const struct o2_doc *template);
/* FNV-1a of its canonical text, in the letters of Kubernetes' hashes. */
void sim_template_hash(const struct o2_doc *template, int64_t collisions, char out[11]);
bool sim_same_template(const struct o2_doc *a, const struct o2_doc *b);
bool sim_pod_is_active(const struct sim_object *pod); /* has not ended, is not being deleted */
bool sim_pod_has_ended(const struct sim_object *pod); /* Succeeded or Failed */
bool sim_pod_is_available(const struct sim_object *pod, int64_t min_ready_s);
/* A controller creates a pod (taken): NULL and a back-off of `owner` if it is refused. */
struct sim_object *sim_create_pod(struct sim_object *owner, struct o2_doc *pod,
				  struct sim_refusal *refusal);
/* What it counts of its pods. */
struct sim_pod_counts {
	int64_t all, ready, available, labelled;
};
void sim_count_pods(const struct sim_list *pods, const struct sim_object *owner,
		    struct sim_pod_counts *out);
/* Where ready pods count as available only after a while: look again when they do. */
void sim_await_available(struct sim_object *owner, int64_t ready, int64_t available);
/* "25%" or 1, of `total`. */
int64_t sim_share(const struct o2_doc *value, int64_t total, bool round_up, int64_t fallback);

/* --- revision.c: histories of StatefulSets and DaemonSets --- */

/* The name of the revision of the owner's template; it is made if there is none yet. In a static buffer. */
const char *sim_revision(struct sim_object *owner);
/* Only its hash, as it stands in the label. */
const char *sim_revision_hash(const struct sim_object *owner, const char *revision);
/* The template of a revision; NULL if it is not there. */
const struct o2_doc *sim_revision_template(const struct sim_object *owner, const char *name);

/* --- node.c --- */

void sim_make_nodes(struct sim_cluster *cluster);
bool sim_node_is_lost(const struct sim_cluster *cluster, const char *node);
void sim_new_pod_address(const struct sim_cluster *cluster, const char *node, char *out,
			 size_t size);
const char *sim_node_address(const struct sim_object *node);
/* nodeSelector, required node affinity, cordon. */
bool sim_node_takes(const struct sim_object *node, const struct o2_doc *pod_spec);
/* Terms of a node selector: any of them. */
bool sim_node_matches(const struct sim_object *node, const struct o2_doc *terms);

/* --- scheduler.c --- */

/* A node for the pod, once its claims are bound; NULL and why not. */
struct sim_object *sim_schedule(struct sim_object *pod, char *why, size_t size);

/* --- mount.c: what a pod needs from elsewhere --- */

/* True and in words what is missing of the pod's config maps, secrets and claims. */
bool sim_pod_lacks(const struct sim_object *pod, char *what, size_t size);
bool sim_pod_uses_claim(const struct sim_object *pod, const char *claim);
/* Each claim that the pod's volumes name. */
const char *sim_pod_claim(const struct sim_object *pod, size_t volume_index);
/* Is the volume mounted so that it can be written? */
bool sim_pod_writes(const struct sim_object *pod, size_t volume_index);

/* --- pod.c, life.c: the kubelet --- */

enum sim_stage {
	SIM_UNBOUND,  /* no node yet */
	SIM_WAITING,  /* for what it mounts */
	SIM_STARTING, /* its image is pulled, its containers are made */
	SIM_RUNNING,
	SIM_CRASHED,  /* until it is restarted */
	SIM_STOPPING, /* was told to end */
	SIM_ENDED,
};
/* A pod as its node knows it. */
struct sim_life {
	TAILQ_ENTRY(sim_life) link;
	struct sim_object *pod; /* held */
	char *node;             /* NULL: none yet */
	enum sim_stage stage;
	int64_t due_us;      /* when the stage's next step is */
	int64_t deadline_us; /* activeDeadlineSeconds; 0: none */
	int64_t began_us;    /* its containers, this time */
	int64_t ready_us;    /* since when it is ready; 0: it is not */
	bool alive;          /* its process */
	bool exited;         /* by itself, and the kubelet has not seen it */
	bool ticking;
	int exit_code;
	int restart_count;
	int streak; /* of exits, one soon after the other */
	char address[32];
	char began[24], ended[24]; /* stamps of its containers; "" if not */
	const struct sim_program *program;
	struct sim_list volumes; /* PersistentVolumes that it writes */
};
struct sim_life *sim_life_of(const struct sim_object *pod); /* NULL before the kubelet knows it */
/* All lives: of every cluster, also those whose pod is gone while its node is lost. */
TAILQ_HEAD(sim_lives, sim_life);
extern struct sim_lives sim_lives;

struct sim_life *sim_life_new(struct sim_object *pod);
void sim_life_free(struct sim_life *life);
/* Its process: from now on it runs; it is no more. */
void sim_life_begin(struct sim_life *life);
void sim_life_end(struct sim_life *life, int exit_code);
/* What the annotations of the pod say about its life. */
int64_t sim_pod_delay_us(const struct sim_object *pod, const char *what, int64_t fallback_ms);
bool sim_pod_is_sticky(const struct sim_object *pod);
bool sim_pod_never_ready(const struct sim_object *pod);

void sim_pod_look(struct sim_object *pod);
void sim_pod_see(struct sim_object *pod, enum sim_change change);
/* Pods of the namespace that wait for something look again. */
void sim_wake_waiting(const struct sim_cluster *cluster, const char *ns);

/* --- pod_status.c --- */

/* The status as the life is, in `draft`. reason and message: the pod's own, may be NULL. */
void sim_put_pod_status(struct o2_doc *draft, const struct sim_life *life, const char *phase,
			const char *reason, const char *message);

/* --- cron.c --- */

/* The first time after `after` that a cron expression names (UTC); -1: none in four years, or it can't be read. */
int64_t sim_cron_next(const char *expression, int64_t after);
/* The last one after `after` that is not later than `now`; -1: none. */
int64_t sim_cron_last(const char *expression, int64_t after, int64_t now);

/* --- one file each --- */

void sim_deployment_look(struct sim_object *deployment);
void sim_replica_set_look(struct sim_object *set);
void sim_stateful_set_look(struct sim_object *set);
void sim_daemon_set_look(struct sim_object *set);
bool sim_job_is_over(const struct o2_doc *job); /* Complete or Failed */
void sim_job_look(struct sim_object *job);
void sim_cron_job_look(struct sim_object *cron_job);
bool sim_claim_waits_for_consumer(const struct sim_object *claim);
void sim_claim_look(struct sim_object *claim);
void sim_claim_see(struct sim_object *claim, enum sim_change change);
void sim_volume_look(struct sim_object *volume);
void sim_volume_see(struct sim_object *volume, enum sim_change change);
void sim_namespace_look(struct sim_object *space);
void sim_quota_look(struct sim_object *quota);
void sim_collector_see(struct sim_object *object, enum sim_change change);

/* A Deployment's rolling update: what each of its ReplicaSets should have. rollout.c */
struct sim_rollout {
	struct sim_object *deployment;
	struct sim_object *current; /* the ReplicaSet of its template; NULL: none yet */
	struct sim_list old;
	int64_t replicas;
};
void sim_rollout_step(struct sim_rollout *rollout);
void sim_replica_set_scale(struct sim_object *set, int64_t replicas,
			   const struct sim_object *deployment);
bool sim_rollout_recreates(const struct sim_object *deployment);
int64_t sim_rollout_surge(const struct sim_object *deployment);
int64_t sim_rollout_unavailable(const struct sim_object *deployment);

/* The process that a container's command names, NULL if none is registered. programs.c */
const struct sim_program *sim_program_of(const struct sim_object *pod);
