/*
 * Private to lib/report: which objects of a plan's application are made on B, and which rewritings each has.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "plan/plan.h"

struct o2_report_objects {
	bool *made; /* by index of the object; else B holds an equal one already */
	size_t made_count;
	size_t *changes; /* indexes of all changes, those of one object together */
	size_t *first; /* by index of the object: where its changes begin in `changes`; one more at the end */
	size_t namespaces; /* namespaces that are made besides */
};

/* Look the plan through once. */
void o2_report_objects_init(struct o2_report_objects *objects, struct o2_plan *plan);
void o2_report_objects_release(struct o2_report_objects *objects);
