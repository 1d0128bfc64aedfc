/* Stacks that are switched by hand (ucontext). */
#include "task.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/alloc.h"
#include "world.h"

#define STACK_BYTES ((size_t)1 << 20) /* touched only as far as it is used */

struct sim_task {
	ucontext_t context;
	const char *name;
	void (*fn)(void *arg);
	void *arg, *data;
	void *stack;
	uint64_t wait_number; /* tells a timer of an earlier wait from the one it is in */
	bool waiting, woken;
	bool stopped, due; /* due: it would run if it were not stopped */
	bool over, killed;
};

static struct {
	ucontext_t scheduler;
	struct sim_task *current;
} tasks;

struct timer {
	struct sim_task *task;
	uint64_t number;
};

static void enter(void *arg)
{
	struct sim_task *task = arg;

	assert(tasks.current == NULL);
	if (task->over)
		return;
	if (task->stopped) {
		task->due = true;
		return;
	}
	tasks.current = task;
	swapcontext(&tasks.scheduler, &task->context);
	tasks.current = NULL;
	if (task->over && task->stack) {
		munmap(task->stack, STACK_BYTES);
		task->stack = NULL;
	}
}

static void leave(struct sim_task *task)
{
	swapcontext(&task->context, &tasks.scheduler);
}

static void run(void)
{
	struct sim_task *task = tasks.current;

	task->fn(task->arg);
	task->over = true;
	leave(task);
	abort(); /* a task that is over is never entered */
}

struct sim_task *sim_task_start(const char *name, void (*fn)(void *arg), void *arg)
{
	struct sim_task *task = o2_xcalloc(1, sizeof(*task));

	task->name = name;
	task->fn = fn;
	task->arg = arg;
	task->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (task->stack == MAP_FAILED)
		abort(); /* no memory */
	getcontext(&task->context);
	task->context.uc_stack.ss_sp = task->stack;
	task->context.uc_stack.ss_size = STACK_BYTES;
	makecontext(&task->context, run, 0);
	sim_after(0, enter, task);
	return task;
}

struct sim_task *sim_task_current(void)
{
	return tasks.current;
}

static void time_out(void *arg)
{
	struct timer *timer = arg;
	struct sim_task *task = timer->task;
	bool is_mine = task->waiting && task->wait_number == timer->number;

	free(timer);
	if (!is_mine)
		return;
	task->waiting = false;
	enter(task);
}

bool sim_task_wait(int64_t timeout_us)
{
	struct sim_task *task = tasks.current;

	assert(task);
	task->waiting = true;
	task->woken = false;
	task->wait_number++;
	if (timeout_us >= 0) {
		struct timer *timer = o2_xcalloc(1, sizeof(*timer));
		*timer = (struct timer){ task, task->wait_number };
		sim_after(timeout_us, time_out, timer);
	}
	leave(task);
	return task->woken;
}

void sim_task_wake(struct sim_task *task)
{
	if (!task->waiting || task->over)
		return;
	task->waiting = false;
	task->woken = true;
	sim_after(0, enter, task);
}

void sim_task_kill(struct sim_task *task)
{
	task->over = task->killed = true;
	task->waiting = false;
	if (task == tasks.current)
		leave(task);
}

void sim_task_stop(struct sim_task *task)
{
	task->stopped = true;
	if (task == tasks.current) {
		task->due = true;
		leave(task);
	}
}

void sim_task_continue(struct sim_task *task)
{
	if (!task->stopped)
		return;
	task->stopped = false;
	if (task->due)
		sim_after(0, enter, task);
	task->due = false;
}

bool sim_task_is_over(const struct sim_task *task)
{
	return task->over;
}

bool sim_task_was_killed(const struct sim_task *task)
{
	return task->killed;
}

bool sim_task_is_stopped(const struct sim_task *task)
{
	return task->stopped;
}

void sim_task_set_data(struct sim_task *task, void *data)
{
	task->data = data;
}

void *sim_task_data(const struct sim_task *task)
{
	return task->data;
}
