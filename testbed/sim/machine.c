/* What lib/ asks of a machine, answered by the world. */
#include "machine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/process.h"
#include "crypto/crypto.h"
#include "fault.h"
#include "store/store.h"
#include "task.h"
#include "volume/agent_image.h"
#include "world.h"

struct sim_machine *sim_machine_of(struct sim_task *task)
{
	static struct sim_machine outside; /* of who runs no process */

	if (!task)
		return &outside;
	if (!sim_task_data(task))
		sim_task_set_data(task, o2_xcalloc(1, sizeof(struct sim_machine)));
	return sim_task_data(task);
}

/* --- lib/base/clock.c --- */

int64_t o2_clock_us(void)
{
	return sim_now_us();
}

int64_t o2_clock_ms(void)
{
	return sim_now_us() / SIM_MS;
}

int64_t o2_clock_unix(void)
{
	return sim_unix();
}

void o2_clock_sleep_ms(int64_t ms)
{
	sim_task_wait(ms * SIM_MS);
}

/* --- lib/crypto/random.c --- */

void o2_random_bytes(void *out, size_t len)
{
	sim_random_bytes(out, len);
}

/* --- lib/base/cancel.c: one a process --- */

static struct sim_machine *here(void)
{
	return sim_machine_of(sim_task_current());
}

void o2_cancel_request(int signal_number)
{
	if (signal_number == 0 || here()->signal == 0)
		here()->signal = signal_number;
}

int o2_cancel_pending(void)
{
	return here()->masked > 0 ? 0 : here()->signal;
}

int o2_cancel_signal(void)
{
	return here()->signal;
}

void o2_cancel_mask(bool on)
{
	here()->masked += on ? 1 : -1;
}

int o2_cancel_check(struct o2_err *err)
{
	int signal = o2_cancel_pending();

	return signal == 0 ? 0 : o2_fail(err, O2_ECANCELED, "interrupted by signal %d", signal);
}

/* --- lib/base/fault.c --- */

int o2_fault_point(const char *name, struct o2_err *err)
{
	struct sim_point point = { .place = SIM_AT_STEP, .side = -1, .what = name };

	return sim_pass(&point) == SIM_STRIKE_FAIL
		       ? o2_fail(err, O2_EINTERNAL, "fault point '%s' was armed to fail", name)
		       : 0;
}

/* --- lib/volume/agent_image.c: movers of the world run a program of their own, so only the number of its parts matters --- */

const size_t o2_agent_part_bytes = 2;

static const unsigned char image[] = "of five p", loader[] = "loader";

const unsigned char *o2_agent_bytes(size_t *out_len)
{
	*out_len = sizeof(image);
	return image;
}

const unsigned char *o2_agent_loader_bytes(size_t *out_len)
{
	*out_len = sizeof(loader);
	return loader;
}

/* --- lib/base/process.c: commands of the world take a moment of its time, and say yes or no --- */

int o2_process_shell(const char *command, const struct o2_strs *env, const char *input,
		     int timeout_ms, int *out_exit, struct o2_err *err)
{
	(void)env;
	(void)input;
	(void)timeout_ms;
	(void)err;
	assert(strcmp(command, "true") == 0 || strcmp(command, "false") == 0);
	o2_clock_sleep_ms(20);
	*out_exit = strcmp(command, "true") == 0 ? 0 : 1;
	return 0;
}

/* --- lib/store: a history that nobody reads; what counts is that it may fail, and that processes die around it --- */

struct o2_store {
	int64_t next;
};

static int write_history(const char *what, struct o2_err *err)
{
	struct sim_point point = { .place = SIM_AT_JOURNAL, .side = -1, .what = what };
	enum sim_strike strike = sim_pass(&point);

	if (strike == SIM_STRIKE_IO_ERROR || strike == SIM_STRIKE_NO_SPACE)
		return o2_fail(err, O2_EIO, "cannot write the history: %s",
			       strike == SIM_STRIKE_IO_ERROR ? "input/output error"
							     : "no space left on device");
	sim_pass(&point); /* written, and not returned yet */
	return 0;
}

struct o2_store *o2_store_open(const char *path, enum o2_store_access access, struct o2_err *err)
{
	(void)path;
	(void)access;
	return write_history("open", err) == 0 ? o2_xcalloc(1, sizeof(struct o2_store)) : NULL;
}

void o2_store_free(struct o2_store *store)
{
	free(store);
}

int o2_store_begin(struct o2_store *store, const struct o2_store_entry *entry, int64_t *out_number,
		   struct o2_err *err)
{
	(void)entry;
	*out_number = ++store->next;
	return write_history("begin", err);
}

int o2_store_end(struct o2_store *store, int64_t number, const struct o2_store_entry *entry,
		 const struct o2_store_step *steps, size_t step_count, struct o2_err *err)
{
	(void)store;
	(void)number;
	(void)entry;
	(void)steps;
	(void)step_count;
	return write_history("end", err);
}

int o2_store_list(struct o2_store *store, const char *id, size_t limit, o2_store_entry_fn *fn,
		  void *arg, struct o2_err *err)
{
	(void)store;
	(void)id;
	(void)limit;
	(void)fn;
	(void)arg;
	return o2_fail(err, O2_EUNSUPPORTED, "this history is never read");
}

void o2_store_entry_copy(const struct o2_store_entry *entry, struct o2_store_entry *out)
{
	*out = (struct o2_store_entry){ .number = entry->number };
}

void o2_store_entry_release(struct o2_store_entry *entry)
{
	(void)entry;
}
