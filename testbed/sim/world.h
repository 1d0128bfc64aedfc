/*
 * A world in one process: virtual time, chance from a seed, and what is going to happen in it.
 *
 * There is one world a process, so nothing here takes one as an argument; another world is another process. Nothing is left to the
 * machine: the same seed, the same program and the same faults give the same run, request by request.
 *
 *	sim_world_begin(seed);
 *	sim_after(5000, fire, NULL);      // in 5 ms of the world
 *	while (sim_step())
 *		...;                      // one event after another, by time
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SIM_MS INT64_C(1000)
#define SIM_S INT64_C(1000000)

typedef void sim_fn(void *arg);

/* Time zero, no events, the seed's chance. */
void sim_world_begin(uint64_t seed);
/* Chance goes on from another seed: a world that was prepared once serves many runs. */
void sim_world_seed(uint64_t seed);
/* Microseconds since the world began. */
int64_t sim_now_us(void);
/* Seconds since 1970 by the world's calendar, which faults may turn forwards and back. */
int64_t sim_unix(void);
void sim_turn_calendar(int64_t seconds);
/* RFC 3339 of sim_unix(), in a static buffer that the next call overwrites. */
const char *sim_stamp(void);

/* Call `fn` once, `delay_us` from now. Events of the same moment come in the order in which they were asked for. */
void sim_after(int64_t delay_us, sim_fn *fn, void *arg);
/* Let the next event happen; false if there is none. */
bool sim_step(void);
/* Everything that happens in the next `us`. */
void sim_pass_time(int64_t us);

/* A number below `below` (at least 1). */
uint64_t sim_random(uint64_t below);
/* Bytes from the same source: uids, keys, ids. */
void sim_random_bytes(void *out, unsigned long len);
