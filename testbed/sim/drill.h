/*
 * One run: os2os moves a shape while something strikes, and then an operator does what the manual says until nothing is open.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shapes.h"

/* The world from the seed to the moment before os2os is started. kubeconfig: a file that names a.sim and b.sim. */
void sim_drill_prepare(const struct sim_shape *shape, uint64_t seed, const char *folder,
		       const char *kubeconfig);
/* Chance from another seed from here on. */
void sim_drill_run(void);
const struct sim_shape *sim_drill_shape(void);
/* Somebody else starts os2os now, on another machine. */
void sim_drill_start_rival(const char *verb);
