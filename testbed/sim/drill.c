/* The operator's conduct. */
#include "drill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "backup.h"
#include "base/alloc.h"
#include "cluster.h"
#include "fault.h"
#include "network.h"
#include "oracle.h"
#include "strike.h"
#include "task.h"
#include "watchdog.h"
#include "world.h"

#define WORDS_MAX 32
#define PROCESSES_MAX 32
#define RUN_LIMIT_US (INT64_C(10800) * SIM_S) /* of one process: longer is for ever */
#define SETTLE_US (180 * SIM_S)
#define RECOVERIES_MAX 8

int o2_main(int argc, char **argv);

/* One os2os. */
struct process {
	struct sim_task *task;
	const char *verb;
	char *words[WORDS_MAX];
	int count;
	int exit_code; /* -1: it never ended */
};

static struct {
	const struct sim_shape *shape;
	const char *kubeconfig;
	struct process processes[PROCESSES_MAX];
	size_t count;
	int runs; /* those whose points are counted */
} drill;

const struct sim_shape *sim_drill_shape(void)
{
	return drill.shape;
}

/* --- processes --- */

static void run_os2os(void *arg)
{
	struct process *process = arg;

	process->exit_code = o2_main(process->count, process->words);
	if (drill.count == 1) /* the record is nobody else's */
		sim_oracle_see_exit(process->verb, process->exit_code);
}

static void add(struct process *process, const char *word)
{
	process->words[process->count++] = o2_xstrdup(word);
}

static struct process *new_process(const char *verb)
{
	struct process *process = &drill.processes[drill.count++];

	if (drill.count == PROCESSES_MAX) {
		sim_violation("I6: no end to it: %d processes were started", PROCESSES_MAX);
		drill.count--;
	}
	*process = (struct process){ .verb = verb, .exit_code = -1 };
	add(process, "os2os");
	add(process, verb);
	add(process, "--kubeconfig");
	add(process, drill.kubeconfig);
	return process;
}

static struct process *start(const char *verb, bool watched)
{
	struct process *process = new_process(verb);

	add(process, "--from");
	add(process, "a");
	add(process, "--to");
	add(process, "b");
	if (strcmp(verb, "migrate") == 0) {
		add(process, "-n");
		add(process, SIM_SHAPE_NS);
		add(process, "--mode");
		add(process, drill.shape->mode);
		add(process, "--yes");
		for (size_t i = 0; drill.shape->options[i]; i++)
			add(process, drill.shape->options[i]);
	}
	process->task = sim_task_start(verb, run_os2os, process);
	if (watched)
		sim_fault_watch(process->task, drill.runs++);
	return process;
}

void sim_drill_start_rival(const char *verb)
{
	if (drill.count < PROCESSES_MAX / 2)
		start(verb, false);
}

/* What the operator of this shape runs next, by its words. */
static struct process *start_after(const char *const *words)
{
	struct process *process = new_process(words[0]);

	for (size_t i = 1; words[i]; i++)
		add(process, words[i]);
	process->task = sim_task_start(words[0], run_os2os, process);
	sim_fault_watch(process->task, drill.runs++);
	return process;
}

/* Does it still do something? */
static bool is_busy(const struct process *process)
{
	return !sim_task_is_over(process->task) && !sim_task_is_stopped(process->task);
}

static void await(const struct process *process)
{
	int64_t limit = sim_now_us() + RUN_LIMIT_US;

	while (is_busy(process) && sim_now_us() < limit && sim_step())
		;
	if (is_busy(process))
		sim_violation("I6: '%s' does not end", process->verb);
}

/* --- the operator --- */

/* After what `process` said: is there anything left to do? */
static bool is_settled(const struct process *process)
{
	if (sim_task_was_killed(process->task) || sim_task_is_stopped(process->task))
		return false;
	if (strcmp(process->verb, "migrate") == 0)
		return process->exit_code == 0 || process->exit_code == 1 ||
		       process->exit_code == 4 || process->exit_code == 130;
	return process->exit_code == 0 || process->exit_code == 4;
}

static void recover(void)
{
	for (int i = 0; i < RECOVERIES_MAX; i++) {
		struct process *process = start("recover", true);
		await(process);
		if (is_settled(process) || sim_oracle_is_torn())
			return;
		sim_pass_time((int64_t)(1 + sim_random(60)) * SIM_S);
		if (i > 0) /* told twice that a cluster is lost, somebody looks after it */
			sim_strike_mend();
	}
	sim_violation("I6: %d recoveries were not enough", RECOVERIES_MAX);
}

/* What of A was kept frozen is taken away, until it is gone or nothing is to be taken away. */
static void finalize(void)
{
	for (int i = 0; i < RECOVERIES_MAX; i++) {
		struct process *process = start_after(drill.shape->after);
		if (sim_oracle_is_decided())
			sim_oracle_expect_retired();
		await(process);
		if (process->exit_code == 0)
			sim_oracle_see_retired();
		if (is_settled(process))
			return;
		sim_pass_time((int64_t)(1 + sim_random(60)) * SIM_S);
		sim_strike_mend();
	}
	sim_violation("I6: %d times was not enough to finalize", RECOVERIES_MAX);
}

/* Beside what the manual says after a failure, there is what this shape's operator does. */
static void go_on(void)
{
	if (!drill.shape->after)
		return;
	if (strcmp(drill.shape->after[0], "finalize") == 0)
		finalize();
	else
		await(start_after(drill.shape->after));
}

static void await_rivals(void)
{
	for (size_t i = 1; i < drill.count; i++) {
		if (!sim_task_is_stopped(drill.processes[i].task))
			await(&drill.processes[i]);
	}
}

static bool wake_zombies(void)
{
	bool any = false;

	for (size_t i = 0; i < drill.count; i++) {
		struct process *process = &drill.processes[i];
		if (!sim_task_is_stopped(process->task))
			continue;
		sim_task_continue(process->task);
		await(process);
		any = true;
	}
	return any;
}

/* How long somebody takes to notice: at once, soon, or after the watchdog acted. */
static int64_t notice_us(void)
{
	static const int64_t delays[] = { 0, 40 * SIM_S, 1500 * SIM_S };

	return delays[sim_random(O2_COUNT(delays))];
}

void sim_drill_run(void)
{
	struct process *first = start("migrate", true);
	bool settled;

	await(first);
	go_on();
	await_rivals();
	settled = is_settled(first);
	if (!settled || drill.count > 1) {
		sim_pass_time(notice_us());
		sim_strike_mend();
		sim_pass_time(5 * SIM_S);
		recover();
	}
	if (wake_zombies()) {
		sim_strike_mend();
		recover();
	}
	sim_strike_mend();
	sim_pass_time(SETTLE_US);
	/* What was long on its way arrives after the end, and waits for somebody who looks. */
	if (sim_fault_delayed()) {
		recover();
		sim_strike_mend();
		sim_pass_time(SETTLE_US);
	}
	sim_oracle_end();
}

void sim_drill_prepare(const struct sim_shape *shape, uint64_t seed, const char *folder,
		       const char *kubeconfig)
{
	memset(&drill, 0, sizeof(drill));
	drill.shape = shape;
	drill.kubeconfig = kubeconfig;
	sim_world_begin(seed);
	sim_agent_begin();
	sim_fault_kill_first(shape->killed_at);
	sim_watchdog_begin();
	struct sim_cluster *a = sim_cluster_new("A");
	struct sim_cluster *b = sim_cluster_new("B");
	sim_network_begin(a, b);
	sim_shape_raise(shape, folder);
	sim_backups_begin();
	sim_oracle_begin(shape);
}
