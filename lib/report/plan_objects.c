#include "report/plan_objects.h"

#include <stdlib.h>

#include "base/alloc.h"

/* Counting sort by object: 100,000 objects have no quadratic report. */
static void sort_changes(struct o2_report_objects *objects, const struct o2_app *app)
{
	size_t count = o2_app_count(app), change_count = o2_app_change_count(app);
	O2_AUTO(o2_freep) size_t *next = o2_xcalloc(count + 1, sizeof(*next));

	objects->first = o2_xcalloc(count + 1, sizeof(*objects->first));
	objects->changes = o2_xcalloc(change_count + 1, sizeof(*objects->changes));
	for (size_t i = 0; i < change_count; i++)
		objects->first[o2_app_change(app, i)->object + 1]++;
	for (size_t i = 0; i < count; i++)
		objects->first[i + 1] += objects->first[i];
	for (size_t i = 0; i < count; i++)
		next[i] = objects->first[i];
	for (size_t i = 0; i < change_count; i++)
		objects->changes[next[o2_app_change(app, i)->object]++] = i;
}

void o2_report_objects_init(struct o2_report_objects *objects, struct o2_plan *plan)
{
	const struct o2_app *app = o2_plan_app(plan);
	size_t count = o2_app_count(app);

	*objects = (struct o2_report_objects){ .made = o2_xcalloc(count + 1, sizeof(bool)) };
	for (size_t s = 0; s < o2_plan_step_count(plan); s++) {
		const struct o2_plan_step *step = o2_plan_step(plan, s);
		for (size_t i = 0; i < step->object_count; i++)
			if (step->objects[i] < count)
				objects->made[step->objects[i]] = true;
	}
	for (size_t i = 0; i < count; i++)
		objects->made_count += objects->made[i];
	size_t create = o2_plan_create_count(plan);
	objects->namespaces = create > objects->made_count ? create - objects->made_count : 0;
	sort_changes(objects, app);
}

void o2_report_objects_release(struct o2_report_objects *objects)
{
	free(objects->made);
	free(objects->changes);
	free(objects->first);
	*objects = (struct o2_report_objects){ 0 };
}
