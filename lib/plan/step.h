/*
 * What a step type is: one row of steps.def, and the context that its functions work in.
 */
#pragma once

#include "plan/plan.h"

struct o2_volume_set;

/* What a step's apply sees. Everything is borrowed but the volumes. */
struct o2_step_context {
	struct o2_plan *plan; /* NULL when a COMMITTED migration is finished without its plan */
	struct o2_record *record;
	const struct o2_plan_options *options;
	struct o2_doc *ways_in;        /* array; filled by `open`: { "object", "old", "new" } */
	struct o2_volume_set *volumes; /* movers and sessions, from `mover` to `final` */
	bool was_switched;             /* an earlier process came as far as `release` */
};
/* Drop the connections to movers, if there are any; what is in the clusters is the undo's. */
void o2_step_context_release(struct o2_step_context *context);

struct o2_step_type {
	const char *name;
	const char *phase;
	int (*check)(struct o2_plan *plan, struct o2_plan_step *step, enum o2_plan_depth depth,
		     struct o2_err *err);
	int (*apply)(struct o2_step_context *context, struct o2_plan_step *step,
		     struct o2_err *err);
	int (*undo)(struct o2_record *record, const struct o2_record_entry *const *entries,
		    size_t count, struct o2_err *err);
	void (*cost)(const struct o2_plan *plan, struct o2_plan_step *step); /* sets predicted_ms */
};

enum o2_step_id {
#define O2_STEP(id, name, phase, check, apply, undo, cost) O2_STEP_##id,
#include "plan/steps.def"
#undef O2_STEP
	O2_STEP_ID_COUNT
};

/* The row of an id. */
const struct o2_step_type *o2_step_type(enum o2_step_id id);
/* The row's number, by pointer or by name; O2_STEP_ID_COUNT if there is none. */
enum o2_step_id o2_step_id_of(const struct o2_step_type *type);
enum o2_step_id o2_step_id_by_name(const char *name);

/* What the write set says of one step type. Caller frees the array; the entries are the record's. */
const struct o2_record_entry **o2_step_entries(const struct o2_record *record, enum o2_step_id id,
					       size_t *out_count);

/* Declare in the record what the plan's steps will touch; before o2_record_begin(). */
void o2_plan_declare(const struct o2_plan *plan, struct o2_record *record);
/* Steps with names, details, predicted and actual times: { "steps": [...], "predictedMs", "actualMs" }. Caller frees. */
struct o2_doc *o2_plan_report(const struct o2_plan *plan);
