/*
 * The machine that a process of the world runs on: its clock, its chance, its signals, its files and its local history.
 *
 * The program under test is linked with this in the place of lib/base/clock.c, lib/base/cancel.c, lib/base/fault.c, lib/base/process.c,
 * lib/crypto/random.c and lib/store, and with direct.c in the place of what carries HTTP: it is the same program on another machine.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sim_task;

/* Of one process. */
struct sim_machine {
	int run;
	uint64_t points;
	bool is_watched;
	int signal; /* that was asked for; 0: none */
	int masked;
};
/* Made when first asked for; lives as long as the task. */
struct sim_machine *sim_machine_of(struct sim_task *task);
