/* One task of all groups: as many at once as wished, all moved by one loop, what breaks mended. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "volume/volume_internal.h"

#define AT_ONCE 2
#define REOPEN_MAX 3
#define REOPEN_PAUSE_MS 1000
#define PUMP_MS 100
#define SILENCE_MS 180000 /* an agent at work is heard from several times a second */
#define STEP_MS 500
#define SIGNAL_EXIT 128

/* --- what breaks ---------------------------------------------------------------------------------------------------------- */

/* What became of the execs, for the pair to know. An agent that was killed may be started again. */
static void note_pipes(struct o2_volume_member *member)
{
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		struct o2_volume_end *end = &member->pair.ends[side];
		const struct o2_kube_pipe *pipe = member->pipes[side];
		int status = 0;

		if (pipe == NULL || end->failure.code < 0)
			continue;
		if (o2_kube_pipe_over(pipe, &status, &end->failure)) {
			if (end->failure.code == 0)
				o2_fail(&end->failure, O2_ETRANSIENT,
					"the agent ended before its time");
			else if (status > SIGNAL_EXIT)
				end->failure.code = -O2_ETRANSIENT;
		} else if (member->pair.stage > O2_VOLUME_READY && !end->done && !end->held &&
			   o2_kube_pipe_silent_ms(pipe) > SILENCE_MS &&
			   o2_clock_ms() - member->pair.since_ms > SILENCE_MS) {
			o2_fail(&end->failure, O2_ETRANSIENT,
				"nothing came from the agent for %d s", SILENCE_MS / 1000);
		}
	}
}

bool o2_volume_can_mend(int code)
{
	return code == -O2_ETRANSIENT || code == -O2_EINTERNAL || code == -O2_ENOTFOUND;
}

/* New sessions after a failure; `err` holds it, and on success nothing. */
static int reopen(struct o2_volume_set *set, struct o2_volume_member *member, struct o2_err *err)
{
	for (;;) {
		o2_volume_sessions_drop(member);
		if (member->reopened == REOPEN_MAX)
			return o2_prefix(err, "the session broke more than %d times", REOPEN_MAX);
		member->reopened++;
		o2_log(O2_WARN, "%s; opening the session again (%d of %d)", err->message,
		       member->reopened, REOPEN_MAX);
		o2_err_clear(err);
		o2_clock_sleep_ms(REOPEN_PAUSE_MS);
		if (o2_volume_check(set, err) < 0)
			return err->code;
		if (o2_volume_mover_mend(set, member, O2_SOURCE, err) == 0 &&
		    o2_volume_mover_mend(set, member, O2_TARGET, err) == 0 &&
		    o2_volume_sessions_open(set, member, err) == 0)
			return 0;
		if (!o2_volume_can_mend(err->code))
			return err->code;
	}
}

/* --- one member ----------------------------------------------------------------------------------------------------------- */

static int begin(struct o2_volume_set *set, struct o2_volume_member *member, struct o2_err *err)
{
	member->begun = true;
	member->begun_ms = o2_clock_ms();
	switch (set->task) {
	case O2_VOLUME_TASK_ROUND:
		return o2_volume_pair_round(&member->pair, set->final, err);
	case O2_VOLUME_TASK_DIGEST:
		return o2_volume_pair_digest(&member->pair, err);
	case O2_VOLUME_TASK_LIST:
		return o2_volume_pair_list(&member->pair, err);
	case O2_VOLUME_TASK_OPEN:
		break;
	}
	return 0;
}

static void finish(struct o2_volume_set *set, struct o2_volume_member *member)
{
	member->finished = true;
	if (set->task != O2_VOLUME_TASK_ROUND)
		return;
	member->stats.sent = member->pair.ends[O2_SOURCE].stats;
	member->stats.received = member->pair.ends[O2_TARGET].stats;
	member->stats.elapsed_us = (uint64_t)(o2_clock_ms() - member->begun_ms) * 1000;
	member->reopened = 0; /* what went well says that the next break is another one */
}

/* Go on with one. What can be mended is. */
static int advance(struct o2_volume_set *set, struct o2_volume_member *member, struct o2_err *err)
{
	bool opening =
		member->pair.stage == O2_VOLUME_LISTEN || member->pair.stage == O2_VOLUME_CONNECT;
	int code;

	note_pipes(member);
	code = o2_volume_pair_step(&member->pair, err);
	if (code == 1 && !member->begun && set->task != O2_VOLUME_TASK_OPEN)
		code = begin(set, member, err);
	else if (code == 1)
		finish(set, member);
	if (code >= 0)
		return 0;
	member->begun = false;
	if (opening && code == -O2_ENOTFOUND) {
		o2_err_clear(err);
		code = o2_volume_sessions_open(set, member, err);
	}
	return code == -O2_ETRANSIENT ? reopen(set, member, err) : code;
}

/* --- all of them ---------------------------------------------------------------------------------------------------------- */

static void tell_progress(struct o2_volume_set *set)
{
	int64_t done = 0, total = 0;

	if (set->task != O2_VOLUME_TASK_ROUND || o2_clock_ms() < set->next_step_ms)
		return;
	set->next_step_ms = o2_clock_ms() + STEP_MS;
	for (size_t i = 0; i < set->count; i++) {
		const struct o2_volume_member *member = &set->members[i];
		const struct o2_stream_stats *stats = member->finished
							      ? &member->stats.sent
							      : &member->pair.ends[O2_SOURCE].stats;
		done += (int64_t)stats->read_bytes;
		total += (int64_t)stats->bytes;
	}
	/* Later rounds read little of what there is: how much, is not known before. */
	o2_log_step(done, set->rounds == 1 && total >= done ? total : 0, "copying volumes, %s %d",
		    set->final ? "last round," : "round", set->rounds);
}

/* A turn of everybody whose turn it is; *out_left: who is not finished. */
static int turn(struct o2_volume_set *set, size_t at_once, size_t *out_left, struct o2_err *err)
{
	size_t active = 0;

	*out_left = 0;
	for (size_t i = 0; i < set->count; i++) {
		struct o2_volume_member *member = &set->members[i];

		if (!member->finished && active < at_once) {
			active++;
			if (advance(set, member, err) < 0)
				return o2_prefix(err, "cannot copy the volumes of '%s'",
						 member->pair.group->name);
		}
		*out_left += !member->finished;
	}
	return 0;
}

static int pump(struct o2_volume_set *set, int timeout_ms, struct o2_err *err)
{
	size_t count;
	struct o2_kube_pipe **pipes = o2_volume_pipes(set, &count);
	int code = o2_kube_pipe_pump(pipes, count, timeout_ms, err);

	free(pipes);
	return code;
}

int o2_volume_run(struct o2_volume_set *set, enum o2_volume_task task, struct o2_err *err)
{
	int wished = set->options.groups_at_once;
	size_t at_once = task == O2_VOLUME_TASK_OPEN ? set->count
			 : wished > 0                ? (size_t)wished
						     : AT_ONCE;
	size_t left = set->count;

	set->task = task;
	for (size_t i = 0; i < set->count; i++)
		set->members[i].begun = set->members[i].finished = false;
	while (left > 0) {
		if (o2_volume_check(set, err) < 0 || turn(set, at_once, &left, err) < 0)
			return err->code;
		tell_progress(set);
		if (left > 0 && pump(set, PUMP_MS, err) < 0)
			return err->code;
	}
	return 0;
}

int o2_volume_tend(struct o2_volume_set *set, int timeout_ms, struct o2_err *err)
{
	int64_t end_ms = o2_clock_ms() + timeout_ms;

	do {
		int64_t left_ms = end_ms - o2_clock_ms();
		if (pump(set, left_ms > PUMP_MS ? PUMP_MS : (int)left_ms, err) < 0)
			return err->code;
	} while (o2_clock_ms() < end_ms);
	return 0;
}
