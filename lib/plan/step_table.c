/* The table of step types, expanded from steps.def. */
#include "plan/plan_internal.h"

static const struct o2_step_type types[O2_STEP_ID_COUNT] = {
#define O2_STEP(id, name, phase, check, apply, undo, cost) \
	[O2_STEP_##id] = { name, phase, check, apply, undo, cost },
#include "plan/steps.def"
#undef O2_STEP
};

const struct o2_step_type *o2_step_type(enum o2_step_id id)
{
	assert((unsigned)id < O2_STEP_ID_COUNT);
	return &types[id];
}

enum o2_step_id o2_step_id_of(const struct o2_step_type *type)
{
	return (enum o2_step_id)(type - types);
}

enum o2_step_id o2_step_id_by_name(const char *name)
{
	unsigned id = 0;

	while (id < O2_STEP_ID_COUNT && strcmp(types[id].name, name) != 0)
		id++;
	return (enum o2_step_id)id;
}
