/*
 * The plan: a migration as data. One constructor builds it; every command is an interpreter over it: predict sums the costs
 * and evaluates the preconditions, show prints it, txn executes it forwards or backwards.
 *
 *	struct o2_plan *plan = o2_plan_new(source, target, &options, &err);  // reads both clusters
 *	o2_plan_check(plan, O2_PLAN_SERVER, &err);                           // preconditions: changes nothing
 *	if (o2_plan_blocker_count(plan) == 0)
 *		o2_txn_run(plan, ...);
 *
 * A step is one row type of plan/steps.def with the objects it is about: "create 14 objects", "start 2 workloads". Steps
 * are in the order in which they run. A new capability is a new row.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/app.h"
#include "base/err.h"
#include "doc/doc.h"
#include "kube/kube.h"
#include "record/record.h"

struct o2_plan_options {
	const char *mode; /* "move", "copy" */
	struct o2_app_selection selection;
	struct o2_app_rewriting rewriting;
	const char *source_name, *target_name; /* how the user calls the sides */
	bool volumes_empty;    /* claims are made empty on B instead of being a blocker */
	const char *on_switch; /* command that is told the new addresses; NULL */
	struct o2_strs
		accept; /* "Kind" or "Kind.group" of custom resources without a row that are carried all the same */
	struct o2_strs checks; /* user's commands that must exit 0 before the decision */
	int start_timeout_s;   /* for one wave of workloads to become ready; 0: 300 */
	int lost_timeout_s;    /* how long a lost cluster is waited for; 0: 60 */
	const char *guard;     /* "auto" (NULL), "quota", "watch" */
	int stop_timeout_s;    /* for A's pods to end; 0: their grace and a minute */
	int job_wait_s;        /* for running Jobs to end before they are stopped; 0: 60 */
	int freeze_timeout_s; /* how long A may stand still before the watchdog gives it back; 0: 1,200 */
	const char *missed_runs; /* of CronJobs: "skip" (NULL), "run" */
	bool no_watchdog;
	bool mover_as_root; /* movers as user 0, for files that are not the application's own */
	bool relay;         /* volumes go through this machine, never straight */
};
/* As JSON for R1, and back: what is needed to build the same plan again. The result owns its strings through `doc`. */
struct o2_doc *o2_plan_options_to_doc(const struct o2_plan_options *options);
void o2_plan_options_from_doc(
	const struct o2_doc *doc,
	struct o2_plan_options *out); /* strings borrowed from doc; release the lists */
void o2_plan_options_release(struct o2_plan_options *options);

/* How far a statement of the plan can be trusted. */
enum o2_plan_proof {
	O2_PLAN_PROVED,   /* the server was asked and said so */
	O2_PLAN_COMPUTED, /* follows from what was read */
	O2_PLAN_UNKNOWN,  /* can't be known beforehand */
	O2_PLAN_PROOF_COUNT
};
const char *o2_plan_proof_name(enum o2_plan_proof proof); /* "proved" */

/* The outcome of one precondition. */
struct o2_plan_finding {
	const char *check; /* "objects are new on B", static */
	enum o2_plan_proof proof;
	bool blocks; /* false: it holds, or is only worth knowing */
	bool warns;
	char *subject; /* object or resource; "" if it is about the whole */
	char *text;    /* evidence, one line */
	char *remedy;  /* what to do, "" if nothing is to be done */
};

enum o2_plan_step_state {
	O2_STEP_PENDING,
	O2_STEP_RUNNING,
	O2_STEP_DONE,
	O2_STEP_FAILED,
	O2_STEP_UNDONE,
	O2_STEP_STATE_COUNT
};
const char *o2_plan_step_state_name(enum o2_plan_step_state state);

struct o2_step_type; /* plan/step.h */

struct o2_plan_step {
	const struct o2_step_type *type;
	int wave;
	size_t *objects; /* indexes into the app; NULL if the step is not about objects */
	size_t object_count;
	char *detail; /* what a person reads: "14 objects: 5 ConfigMaps, ..." */
	int64_t predicted_ms;
	int64_t actual_ms; /* -1 until it ran */
	enum o2_plan_step_state state;
};

struct o2_plan;

/*
 * Discover, rewrite, and order into steps. Reads A's application and B's discovery; changes nothing.
 * options  borrowed for the plan's life.
 * Errors   as o2_app_discover().
 */
O2_MUST_CHECK struct o2_plan *o2_plan_new(struct o2_kube *source, struct o2_kube *target,
					  const struct o2_plan_options *options,
					  struct o2_err *err);
void o2_plan_free(struct o2_plan *plan);
O2_DEFINE_FREEP(struct o2_plan, o2_plan_free)

/* How much may be asked of the servers. */
enum o2_plan_depth {
	O2_PLAN_CLIENT, /* only what must be read */
	O2_PLAN_SERVER, /* access reviews and dry runs too; still changes nothing */
};
/* Evaluate every step's precondition. Findings are in the plan afterwards; an error means that a check could not be made at all. */
O2_MUST_CHECK int o2_plan_check(struct o2_plan *plan, enum o2_plan_depth depth, struct o2_err *err);

const struct o2_plan_options *o2_plan_options(const struct o2_plan *plan);
struct o2_kube *o2_plan_kube(const struct o2_plan *plan, enum o2_side side);
struct o2_app *o2_plan_app(const struct o2_plan *plan);
bool o2_plan_same_cluster(const struct o2_plan *plan);
size_t o2_plan_step_count(const struct o2_plan *plan);
struct o2_plan_step *o2_plan_step(struct o2_plan *plan, size_t index);
const char *o2_plan_step_name(const struct o2_plan_step *step);  /* "create" */
const char *o2_plan_step_phase(const struct o2_plan_step *step); /* "prepare" */
size_t o2_plan_finding_count(const struct o2_plan *plan);
const struct o2_plan_finding *o2_plan_finding(const struct o2_plan *plan, size_t index);
size_t o2_plan_blocker_count(const struct o2_plan *plan);
/* Sum of the predicted times; downtime: from the freeze to the opening (0 for copy without volumes). */
int64_t o2_plan_total_ms(const struct o2_plan *plan);
int64_t o2_plan_downtime_ms(const struct o2_plan *plan);
/* Sum of the claims' sizes, which is an upper bound of what travels. */
int64_t o2_plan_claim_bytes(const struct o2_plan *plan);
bool o2_plan_is_move(const struct o2_plan *plan);
/* Does A stand still for a while? Always in a move, in a copy if data travel. */
bool o2_plan_freezes(const struct o2_plan *plan);
/* What helps a freeze, chosen by what is allowed; findings say which. Part of o2_plan_check(); a run without checks calls it. */
O2_MUST_CHECK int o2_plan_choose_helpers(struct o2_plan *plan, enum o2_plan_depth depth,
					 struct o2_err *err);
/* Is A stopped, and B not open yet, while this step runs? */
bool o2_plan_is_downtime(const struct o2_plan *plan, const struct o2_plan_step *step);
/* Counts for the last line: objects to create, claims to make. */
size_t o2_plan_create_count(const struct o2_plan *plan);
size_t o2_plan_claim_count(const struct o2_plan *plan);
