/*
 * What a step type is: one row of steps.def, and the context that its functions work in.
 */
#pragma once

#include "plan/plan.h"

/* What a step's apply sees. Everything is borrowed. */
struct o2_step_context {
	struct o2_plan *plan; /* NULL when a COMMITTED migration is finished without its plan */
	struct o2_record *record;
	const struct o2_plan_options *options;
	struct o2_doc *ways_in; /* array; filled by `open`: { "object", "old", "new" } */
};

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

/* Declare in the record what the plan's steps will touch; before o2_record_begin(). */
void o2_plan_declare(const struct o2_plan *plan, struct o2_record *record);
/* Steps with names, details, predicted and actual times: { "steps": [...], "predictedMs", "actualMs" }. Caller frees. */
struct o2_doc *o2_plan_report(const struct o2_plan *plan);
