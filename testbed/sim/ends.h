/*
 * The two good ends: B as before and A as it was (I5), or B with the whole application and A frozen; nothing left over in either (I7).
 */
#pragma once

#include "cluster.h"
#include "shapes.h"

void sim_ends_begin(const struct sim_shape *shape);
/* I4, U11: what holds data may not be deleted before `finalize`. */
void sim_ends_see_deleted(struct sim_object *object);
/* The claims that are there now are to stay, on both sides. */
void sim_ends_keep_data(void);
void sim_ends_judge(bool after);
/* The namespace in B. */
const char *sim_target_ns(void);
