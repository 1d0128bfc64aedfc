/*
 * A process of the world: os2os, a watchdog. It runs code that believes to block, on a stack of its own; what it waits for is an
 * event of the world.
 *
 *	struct sim_task *os2os = sim_task_start("os2os", run, &arg);
 *	while (!sim_task_is_over(os2os) && sim_step())
 *		;
 *
 * Killed processes never run again: what they held in memory is lost to us as well as to them. Stopped ones sleep until they
 * are continued, and then find the world as it is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sim_task;

/* Begins with the next event. The task lives as long as the world. */
struct sim_task *sim_task_start(const char *name, void (*fn)(void *arg), void *arg);
/* NULL outside of any. */
struct sim_task *sim_task_current(void);

/* Of the current task: wait for sim_task_wake(), at most `timeout_us` (negative: for ever). True if it was woken. */
bool sim_task_wait(int64_t timeout_us);
void sim_task_wake(struct sim_task *task);

/* A current task that kills or stops itself does not come back from it (or only once it is continued). */
void sim_task_kill(struct sim_task *task);
void sim_task_stop(struct sim_task *task);
void sim_task_continue(struct sim_task *task);

bool sim_task_is_over(const struct sim_task *task); /* returned, or killed */
bool sim_task_was_killed(const struct sim_task *task);
bool sim_task_is_stopped(const struct sim_task *task);
/* A slot for who owns the task. */
void sim_task_set_data(struct sim_task *task, void *data);
void *sim_task_data(const struct sim_task *task);
