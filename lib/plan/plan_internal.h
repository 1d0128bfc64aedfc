/*
 * Private to lib/plan: the plan's parts, and what its checks and steps share.
 */
#pragma once

#include <assert.h>

#include "base/buf.h"
#include "plan/step.h"

struct o2_plan {
	const struct o2_plan_options *options;
	struct o2_kube *kube[O2_SIDE_COUNT];
	struct o2_app *app;
	bool same_cluster;
	bool *adopted;                 /* per object: B holds an equal one, nothing is done */
	struct o2_strs new_namespaces; /* target namespaces that are absent on B */
	struct o2_plan_step *steps;
	size_t step_count, step_cap;
	struct o2_plan_finding *findings;
	size_t finding_count, finding_cap;
};

#define O2_PLAN_START_TIMEOUT_S 300
#define O2_PLAN_LOST_TIMEOUT_S 60

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
O2_STEP_CHECK(o2_step_start_check);
O2_STEP_CHECK(o2_step_open_check);
O2_STEP_APPLY(o2_step_lock_apply);
O2_STEP_APPLY(o2_step_record_apply);
O2_STEP_APPLY(o2_step_namespace_apply);
O2_STEP_APPLY(o2_step_owner_apply);
O2_STEP_APPLY(o2_step_create_apply);
O2_STEP_APPLY(o2_step_vote_apply);
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
O2_STEP_UNDO(o2_step_start_undo);
O2_STEP_COST(o2_step_lock_cost);
O2_STEP_COST(o2_step_record_cost);
O2_STEP_COST(o2_step_namespace_cost);
O2_STEP_COST(o2_step_owner_cost);
O2_STEP_COST(o2_step_create_cost);
O2_STEP_COST(o2_step_vote_cost);
O2_STEP_COST(o2_step_start_cost);
O2_STEP_COST(o2_step_try_cost);
O2_STEP_COST(o2_step_decide_cost);
O2_STEP_COST(o2_step_open_cost);
O2_STEP_COST(o2_step_switch_cost);
O2_STEP_COST(o2_step_release_cost);
O2_STEP_COST(o2_step_finish_cost);
