/*
 * Private to lib/plan: the plan's parts, and what its checks and steps share.
 */
#pragma once

#include <assert.h>

#include "base/buf.h"
#include "plan/step.h"
#include "volume/volume.h"

enum o2_plan_guard { O2_PLAN_GUARD_WATCH, O2_PLAN_GUARD_QUOTA };

/* An object outside the application that would undo the freeze, and what pauses it. */
struct o2_plan_paused {
	const struct o2_kube_kind *kind;
	char *ns, *name, *uid;
	struct o2_doc *patch;
};

struct o2_plan {
	const struct o2_plan_options *options;
	struct o2_kube *kube[O2_SIDE_COUNT];
	struct o2_app *app;
	bool same_cluster;
	bool *adopted;                 /* per object: B holds an equal one, nothing is done */
	struct o2_strs new_namespaces; /* target namespaces that are absent on B */
	struct o2_strs volumes;        /* A's volumes behind the claims (move) */
	enum o2_plan_guard guard;
	bool has_watchdog;
	struct o2_plan_paused *paused;
	size_t paused_count, paused_cap;
	struct o2_volume_group *groups; /* the claims whose data travel */
	size_t group_count;
	struct o2_plan_step *steps;
	size_t step_count, step_cap;
	struct o2_plan_finding *findings;
	size_t finding_count, finding_cap;
};

#define O2_PLAN_START_TIMEOUT_S 300
#define O2_PLAN_LOST_TIMEOUT_S 60
#define O2_PLAN_JOB_WAIT_S 60
#define O2_PLAN_STOP_MARGIN_S 60 /* beyond the pods' own grace */
#define O2_PLAN_FREEZE_TIMEOUT_S 1200
#define O2_PLAN_COMPARE_MS 200

/* Append a finding; texts are copied, NULL is "". */
void o2_plan_find(struct o2_plan *plan, const char *check, enum o2_plan_proof proof,
		  const char *subject, const char *remedy, const char *fmt, ...) O2_PRINTF(6, 7);
void o2_plan_warn(struct o2_plan *plan, const char *check, enum o2_plan_proof proof,
		  const char *subject, const char *remedy, const char *fmt, ...) O2_PRINTF(6, 7);
void o2_plan_block(struct o2_plan *plan, const char *check, enum o2_plan_proof proof,
		   const char *subject, const char *remedy, const char *fmt, ...) O2_PRINTF(6, 7);

/* Round trip to a side in microseconds, at least 500. */
int64_t o2_plan_rtt_us(const struct o2_plan *plan, enum o2_side side);
/* Predicted time of `count` writes in flight together on B, ms. */
int64_t o2_plan_writes_ms(const struct o2_plan *plan, size_t count);
bool o2_plan_namespace_is_new(const struct o2_plan *plan, const char *ns);
int o2_plan_start_timeout_ms(const struct o2_plan_options *options);
int o2_plan_lost_timeout_ms(const struct o2_plan_options *options);

/* Workloads that are waited for, on one side. */
struct o2_plan_awaited {
	const struct o2_kube_kind *kind;
	const char *ns, *name;
	int ready;        /* this many ready pods are enough; -1: ready in every respect */
	const char *mark; /* the transaction's mark that it must carry; NULL: any */
};
struct o2_plan_await {
	struct o2_kube *kube;
	const char *side; /* for messages: "B" */
	const struct o2_plan_awaited *items;
	size_t count;
	int timeout_ms, lost_timeout_ms;
	bool is_patient; /* pods that look broken get all the time there is */
	/* Asked every two seconds, may be NULL; negative ends the waiting. */
	int (*look)(void *arg, struct o2_err *err);
	void *look_arg;
};
/* Wait until all are ready. Errors: O2_ETRANSIENT, with the first that is not, its pods' reason and a remedy; O2_ECANCELED. */
O2_MUST_CHECK int o2_plan_await_ready(const struct o2_plan_await *await, struct o2_err *err);
/* "app=web,tier=front" of a workload's selector; NULL if it has no plain one. Caller frees. */
char *o2_plan_pod_selector(const struct o2_doc *workload);

/* The pods of a freeze step's workloads end; never forced. */
O2_MUST_CHECK int o2_plan_await_stopped(struct o2_step_context *context,
					const struct o2_plan_step *step, struct o2_err *err);
/* A moved application is as the freeze left it: held, unchanged, without pods. Errors: O2_ECONFLICT, naming what changed. */
O2_MUST_CHECK int o2_plan_see_frozen(struct o2_step_context *context, struct o2_err *err);

/*
 * B is still what voted: its record is there, and what was started is ready, or becomes it again. Errors: O2_ECONFLICT if B lost its record
 * (restored from a backup); else those of o2_plan_await_ready().
 */
O2_MUST_CHECK int o2_plan_see_started(struct o2_step_context *context, struct o2_err *err);

/*
 * A is still what was planned. Errors: O2_ECONFLICT, naming what changed.
 * last  before the decision: data that changed in ConfigMaps and the like are brought up to date in B.
 */
O2_MUST_CHECK int o2_plan_see_drift(struct o2_step_context *context, bool last, struct o2_err *err);

/*
 * Before the guard goes with the other helpers: it kept A's pods away, and whoever scaled A up past the last look before the decision would
 * have both run then.
 */
O2_MUST_CHECK int o2_plan_keep_frozen(struct o2_record *record, struct o2_err *err);

/* Which claims travel together: fills plan->groups. Reads where A's pods run. */
O2_MUST_CHECK int o2_plan_make_groups(struct o2_plan *plan, struct o2_err *err);
void o2_plan_group_release(struct o2_volume_group *group);

/* May there be a watchdog? A finding says so. */
O2_MUST_CHECK int o2_plan_choose_watchdog(struct o2_plan *plan, enum o2_plan_depth depth,
					  struct o2_err *err);
/* Its orders: the agent's format (cmd/agent/orders.h). deadline: seconds since 1970. */
O2_MUST_CHECK int o2_plan_write_orders(const struct o2_plan *plan, const struct o2_record *record,
				       int64_t deadline, struct o2_buf *out, struct o2_err *err);
int o2_plan_freeze_timeout_s(const struct o2_plan_options *options);
/* Does the step stop objects of the application? */
bool o2_plan_is_freezing(const struct o2_plan_step *step);

/* Who would undo the freeze: found on A (findings say so), held in the step `pause`, declared with it. */
O2_MUST_CHECK int o2_plan_find_pausers(struct o2_plan *plan, struct o2_err *err);
O2_MUST_CHECK int o2_plan_hold_pausers(struct o2_step_context *context, struct o2_err *err);
void o2_plan_declare_pausers(const struct o2_plan *plan, struct o2_record *record);
void o2_plan_release_pausers(struct o2_plan *plan);
/* Pods of A that the freeze would not stop are blockers: they would go on working beside B. */
O2_MUST_CHECK int o2_plan_check_strays(struct o2_plan *plan, struct o2_err *err);

/* CronJobs among the objects, before they are resumed: what they missed is skipped, if the user did not wish otherwise. */
O2_MUST_CHECK int o2_plan_skip_runs(struct o2_record *record, enum o2_side side,
				    const struct o2_record_object *objects, size_t count,
				    const struct o2_plan_options *options, struct o2_err *err);
/* A's CronJobs are suspended: when they last ran is told to B's, if what was missed is to be made up. */
O2_MUST_CHECK int o2_plan_carry_runs(struct o2_step_context *context,
				     const struct o2_plan_step *step, struct o2_err *err);

/* The guard of the freeze: chosen by what is selected and allowed (a finding says which), raised, lifted. */
O2_MUST_CHECK int o2_plan_choose_guard(struct o2_plan *plan, enum o2_plan_depth depth,
				       struct o2_err *err);
char *o2_plan_guard_object(const struct o2_record *record); /* its name; caller frees */
O2_MUST_CHECK int o2_plan_raise_guard(struct o2_step_context *context, struct o2_err *err);
O2_MUST_CHECK int o2_plan_lift_guard(struct o2_record *record, struct o2_err *err);

/* Kubernetes quantities ("500m", "1Gi") in thousandths. -1 and O2_EINVALID if it is none. Source: apimachinery resource.Quantity. */
O2_MUST_CHECK int o2_quantity_parse(const char *text, int64_t *out_milli, struct o2_err *err);
/* Sum of a pod template's effective requests or limits of one resource, thousandths: max(sum of containers, each init container). */
int64_t o2_quantity_of_pod(const struct o2_doc *template, const char *which, const char *resource);

/* The first step of a type, NULL if the plan has none. */
struct o2_plan_step *o2_plan_first_step(const struct o2_plan *plan, enum o2_step_id id);
/* The address of a way in ("10.0.0.7", "node port 30080", "shop.example.com"), "" if it has none yet, NULL if it is no way in. Caller frees. */
char *o2_plan_address(const struct o2_doc *object);
/* Remove what entries of a write set name, highest wave first, and see it gone. */
O2_MUST_CHECK int o2_plan_remove_entries(struct o2_record *record,
					 const struct o2_record_entry *const *entries, size_t count,
					 bool foreground, struct o2_err *err);

/* Checks that several steps share or that are long enough for a file of their own. */
O2_MUST_CHECK int o2_plan_check_access(struct o2_plan *plan, struct o2_err *err);
O2_MUST_CHECK int o2_plan_check_collisions(struct o2_plan *plan, struct o2_plan_step *step,
					   struct o2_err *err);
O2_MUST_CHECK int o2_plan_check_dry_run(struct o2_plan *plan, struct o2_plan_step *step,
					struct o2_err *err);
O2_MUST_CHECK int o2_plan_check_quota(struct o2_plan *plan, struct o2_err *err);
O2_MUST_CHECK int o2_plan_check_classes(struct o2_plan *plan, struct o2_err *err);
void o2_plan_check_volumes(struct o2_plan *plan);
/* Are all of these allowed on a side? Asked in one go. */
O2_MUST_CHECK int o2_plan_may(const struct o2_plan *plan, enum o2_side side,
			      struct o2_kube_access *accesses, size_t count, bool *out,
			      struct o2_err *err);
void o2_plan_check_notes(struct o2_plan *plan);

/* Is what B holds under a cluster-scoped name equal to what the app would create? */
O2_MUST_CHECK int o2_plan_adopt(struct o2_plan *plan, struct o2_err *err);

/* The step functions of steps.def. */
#define O2_STEP_CHECK(fn) \
	int fn(struct o2_plan *plan, struct o2_plan_step *step, enum o2_plan_depth depth, \
	       struct o2_err *err)
#define O2_STEP_APPLY(fn) \
	int fn(struct o2_step_context *context, struct o2_plan_step *step, struct o2_err *err)
#define O2_STEP_UNDO(fn) \
	int fn(struct o2_record *record, const struct o2_record_entry *const *entries, \
	       size_t count, struct o2_err *err)
#define O2_STEP_COST(fn) void fn(const struct o2_plan *plan, struct o2_plan_step *step)

O2_STEP_CHECK(o2_step_lock_check);
O2_STEP_CHECK(o2_step_namespace_check);
O2_STEP_CHECK(o2_step_create_check);
O2_STEP_CHECK(o2_step_vote_check);
O2_STEP_CHECK(o2_step_mover_check);
O2_STEP_CHECK(o2_step_freeze_check);
O2_STEP_CHECK(o2_step_start_check);
O2_STEP_CHECK(o2_step_open_check);
O2_STEP_APPLY(o2_step_lock_apply);
O2_STEP_APPLY(o2_step_record_apply);
O2_STEP_APPLY(o2_step_namespace_apply);
O2_STEP_APPLY(o2_step_owner_apply);
O2_STEP_APPLY(o2_step_create_apply);
O2_STEP_APPLY(o2_step_vote_apply);
O2_STEP_APPLY(o2_step_mover_apply);
O2_STEP_APPLY(o2_step_copy_apply);
O2_STEP_APPLY(o2_step_watchdog_apply);
O2_STEP_APPLY(o2_step_final_apply);
O2_STEP_APPLY(o2_step_thaw_apply);
O2_STEP_APPLY(o2_step_retain_apply);
O2_STEP_APPLY(o2_step_pause_apply);
O2_STEP_APPLY(o2_step_freeze_apply);
O2_STEP_APPLY(o2_step_start_apply);
O2_STEP_APPLY(o2_step_try_apply);
O2_STEP_APPLY(o2_step_decide_apply);
O2_STEP_APPLY(o2_step_open_apply);
O2_STEP_APPLY(o2_step_switch_apply);
O2_STEP_APPLY(o2_step_release_apply);
O2_STEP_APPLY(o2_step_finish_apply);
O2_STEP_UNDO(o2_step_namespace_undo);
O2_STEP_UNDO(o2_step_owner_undo);
O2_STEP_UNDO(o2_step_create_undo);
O2_STEP_UNDO(o2_step_retain_undo);
O2_STEP_UNDO(o2_step_pause_undo);
O2_STEP_UNDO(o2_step_freeze_undo);
O2_STEP_UNDO(o2_step_start_undo);
O2_STEP_COST(o2_step_lock_cost);
O2_STEP_COST(o2_step_record_cost);
O2_STEP_COST(o2_step_namespace_cost);
O2_STEP_COST(o2_step_owner_cost);
O2_STEP_COST(o2_step_create_cost);
O2_STEP_COST(o2_step_vote_cost);
O2_STEP_COST(o2_step_mover_cost);
O2_STEP_COST(o2_step_copy_cost);
O2_STEP_COST(o2_step_watchdog_cost);
O2_STEP_COST(o2_step_final_cost);
O2_STEP_COST(o2_step_thaw_cost);
O2_STEP_COST(o2_step_retain_cost);
O2_STEP_COST(o2_step_pause_cost);
O2_STEP_COST(o2_step_freeze_cost);
O2_STEP_COST(o2_step_start_cost);
O2_STEP_COST(o2_step_try_cost);
O2_STEP_COST(o2_step_decide_cost);
O2_STEP_COST(o2_step_open_cost);
O2_STEP_COST(o2_step_switch_cost);
O2_STEP_COST(o2_step_release_cost);
O2_STEP_COST(o2_step_finish_cost);
