/*
 * Applications that the battery moves: objects in shapes/<file>.yaml, and how os2os is called for them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sim_shape {
	const char *name;
	const char *file;
	const char *mode;           /* "move" or "copy" */
	const char *const *options; /* more words of the command line, NULL at the end */
	const char *const *
		present; /* namespaces that B has already, NULL at the end; "ns/name": with a ConfigMap of that name */
	const char *ledger;   /* the claim that clients write to; NULL: none */
	const char *selector; /* app label of what moves; NULL: everything in the namespace */
	const char *
		killed_at; /* the migration dies at this step's edge, "start.after"; NULL: it does not */
	const char *const *
		after; /* what the operator runs next, where strikes are tried then; NULL: nothing */
};

#define SIM_SHAPE_NS "shop"

const struct sim_shape *sim_shapes(size_t *out_count);
const struct sim_shape *sim_shape(const char *name); /* NULL if there is none */
/* Create its objects in A, and what B has; runs the world until all is ready. */
void sim_shape_raise(const struct sim_shape *shape, const char *folder);
