/*
 * Where something can go wrong, and what does.
 *
 * The program passes *points*: before a request leaves, after it took effect and before its answer, before and after a message to an agent,
 * at each step's edge, at each write of the local history, at each reading of a file. At every one the battery may let something
 * *strike*. Points are numbered from 0 in the order in which they are passed, so that a number and a strike repeat a run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_place {
	SIM_AT_REQUEST, /* before it leaves */
	SIM_AT_EFFECT,  /* it took effect; the answer is not on its way yet */
	SIM_AT_MESSAGE, /* to or from an agent, before it leaves */
	SIM_AT_STEP,    /* a named fault point of the program */
	SIM_AT_JOURNAL, /* a write of the local history, before it and after it */
	SIM_AT_FILE,    /* a local file is read */
	SIM_PLACE_COUNT
};

/* SIM_STRIKE(id, name, places): at which places it makes sense; R request, E effect, M message, S step, J journal, F file. */
enum sim_strike {
#define SIM_STRIKE(id, name, places) SIM_STRIKE_##id,
#include "strikes.def"
#undef SIM_STRIKE
	SIM_STRIKE_COUNT
};

struct sim_point {
	enum sim_place place;
	int side;         /* 0 A, 1 B, -1: neither */
	const char *what; /* "PATCH /apis/apps/v1/..." or a step's edge; borrowed for the call */
};

/*
 * Pass a point: what strikes here? Kills and stops happen inside (a killed process does not come back). Points count only in
 * processes that were marked by sim_fault_watch().
 */
enum sim_strike sim_pass(const struct sim_point *point);
/* The same for a point that a process reaches through what it asked for (an effect): it may not be the current task. */
struct sim_task;
enum sim_strike sim_pass_for(struct sim_task *task, const struct sim_point *point);

/* Count the points of this process, as its `run`: 0 the first that was started. */
void sim_fault_watch(struct sim_task *task, int run);
/* The first process dies at this step's edge, whoever decides what else strikes. NULL: it does not. */
void sim_fault_kill_first(const char *edge);
/* Who decides; asked at every counted point. NULL: nothing strikes. */
typedef enum sim_strike sim_chooser(int run, uint64_t number, const struct sim_point *point);
void sim_fault_choose(sim_chooser *chooser);

/* Was anything kept on its way for long, or brought back? What arrives after everything has ended is then no surprise. */
bool sim_fault_delayed(void);

const char *sim_strike_name(enum sim_strike strike);
/* SIM_STRIKE_COUNT if there is none. */
enum sim_strike sim_strike_by_name(const char *name);
bool sim_strike_fits(enum sim_strike strike, enum sim_place place);
const char *sim_place_name(enum sim_place place);
