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

const struct o2_record_entry **o2_step_entries(const struct o2_record *record, enum o2_step_id id,
					       size_t *out_count)
{
	const struct o2_record_entry **entries =
		o2_xcalloc(o2_record_entry_count(record) + 1, sizeof(*entries));

	*out_count = 0;
	for (size_t i = 0; i < o2_record_entry_count(record); i++) {
		const struct o2_record_entry *entry = o2_record_entry(record, i);

		if (strcmp(entry->step, o2_step_type(id)->name) == 0)
			entries[(*out_count)++] = entry;
	}
	return entries;
}
