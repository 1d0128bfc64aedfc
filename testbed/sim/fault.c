/* Points are counted here; what strikes is chosen by the battery. */
#include "fault.h"

#include <string.h>

#include "machine.h"
#include "task.h"

static sim_chooser *chosen;
static const char *last_edge; /* of the first process; NULL: it is spared */
static bool delayed;

bool sim_fault_delayed(void)
{
	return delayed;
}

static const struct {
	const char *name;
	unsigned places;
} strikes[SIM_STRIKE_COUNT] = {
#define SIM_STRIKE(id, name_, places_) [SIM_STRIKE_##id] = { name_, places_ },
#include "strikes.def"
#undef SIM_STRIKE
};

static const char *const places[SIM_PLACE_COUNT] = {
	[SIM_AT_REQUEST] = "request", [SIM_AT_EFFECT] = "effect",   [SIM_AT_MESSAGE] = "message",
	[SIM_AT_STEP] = "step",       [SIM_AT_JOURNAL] = "journal", [SIM_AT_FILE] = "file",
};

const char *sim_strike_name(enum sim_strike strike)
{
	return strikes[strike].name;
}

enum sim_strike sim_strike_by_name(const char *name)
{
	for (int i = 0; i < SIM_STRIKE_COUNT; i++) {
		if (strcmp(strikes[i].name, name) == 0)
			return (enum sim_strike)i;
	}
	return SIM_STRIKE_COUNT;
}

bool sim_strike_fits(enum sim_strike strike, enum sim_place place)
{
	return (strikes[strike].places & (1u << place)) != 0;
}

const char *sim_place_name(enum sim_place place)
{
	return places[place];
}

void sim_fault_choose(sim_chooser *chooser)
{
	chosen = chooser;
}

void sim_fault_kill_first(const char *edge)
{
	last_edge = edge;
}

static enum sim_strike choose(const struct sim_machine *machine, uint64_t number,
			      const struct sim_point *point)
{
	if (machine->run == 0 && last_edge && strcmp(point->what, last_edge) == 0)
		return SIM_STRIKE_KILL;
	return chosen(machine->run, number, point);
}

void sim_fault_watch(struct sim_task *task, int run)
{
	sim_machine_of(task)->run = run;
	sim_machine_of(task)->points = 0;
	sim_machine_of(task)->is_watched = true;
}

enum sim_strike sim_pass_for(struct sim_task *task, const struct sim_point *point)
{
	struct sim_machine *machine = task ? sim_machine_of(task) : NULL;
	enum sim_strike strike;

	if (!machine || !machine->is_watched || !chosen || sim_task_is_over(task))
		return SIM_STRIKE_NONE;
	strike = choose(machine, machine->points++, point);
	delayed |= strike == SIM_STRIKE_LATE || strike == SIM_STRIKE_RESTORED_A ||
		   strike == SIM_STRIKE_RESTORED_B ||
		   (strike >= SIM_STRIKE_CUT_A && strike <= SIM_STRIKE_CUT_B_ANSWERS);
	if (strike == SIM_STRIKE_KILL)
		sim_task_kill(task);
	else if (strike == SIM_STRIKE_STOP)
		sim_task_stop(task);
	else if (strike == SIM_STRIKE_INTERRUPT && machine->signal == 0)
		machine->signal = 2;
	return strike;
}

enum sim_strike sim_pass(const struct sim_point *point)
{
	return sim_pass_for(sim_task_current(), point);
}
