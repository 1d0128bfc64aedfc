/* All groups of a migration: open, round, close. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "volume/volume_internal.h"

#define FAREWELL_MS 3000

static struct o2_volume_set *set_new(struct o2_record *record, const struct o2_volume_group *groups,
				     size_t count, const struct o2_volume_options *options)
{
	struct o2_volume_set *set = o2_xcalloc(1, sizeof(*set));

	set->record = record;
	set->options = *options;
	for (int side = 0; side < O2_SIDE_COUNT; side++)
		set->options.user_assigned[side] =
			o2_kube_kind_find(o2_record_kube(record, (enum o2_side)side),
					  "security.openshift.io",
					  "SecurityContextConstraints") != NULL;
	set->members = o2_xcalloc(count + 1, sizeof(*set->members));
	set->count = count;
	for (size_t i = 0; i < count; i++) {
		struct o2_volume_member *member = &set->members[i];

		o2_volume_pair_init(&member->pair, &groups[i]);
		member->pair.route = options->relay ? O2_VOLUME_RELAYED : O2_VOLUME_A_TO_B;
		for (int side = 0; side < O2_SIDE_COUNT; side++)
			member->pods[side] = o2_volume_mover_name(o2_record_id(record),
								  (enum o2_side)side, &groups[i]);
	}
	return set;
}

struct o2_volume_set *o2_volume_open(struct o2_record *record, const struct o2_volume_group *groups,
				     size_t count, const struct o2_volume_options *options,
				     struct o2_err *err)
{
	O2_AUTO(o2_volume_freep)
	struct o2_volume_set *set = set_new(record, groups, count, options);

	if (o2_volume_movers_make(set, err) < 0 || o2_volume_movers_await(set, err) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (o2_volume_sessions_open(set, &set->members[i], err) == 0)
			continue;
		if (!o2_volume_can_mend(err->code))
			return NULL;
		o2_log(O2_WARN, "%s", err->message); /* the run opens what is not open */
		o2_err_clear(err);
	}
	if (o2_volume_run(set, O2_VOLUME_TASK_OPEN, err) < 0)
		return NULL;
	return O2_STEAL(set);
}

void o2_volume_free(struct o2_volume_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count; i++) {
		struct o2_volume_member *member = &set->members[i];

		o2_volume_sessions_drop(member);
		for (int side = 0; side < O2_SIDE_COUNT; side++) {
			o2_strs_release(&member->pair.addresses[side]);
			free(member->pods[side]);
		}
	}
	free(set->members);
	free(set);
}

int o2_volume_round(struct o2_volume_set *set, bool final, struct o2_volume_stats *out_stats,
		    struct o2_err *err)
{
	int code;

	set->final = final;
	set->rounds++;
	code = o2_volume_run(set, O2_VOLUME_TASK_ROUND, err);
	for (size_t i = 0; code == 0 && out_stats && i < set->count; i++)
		out_stats[i] = set->members[i].stats;
	return code;
}

/* Every agent is told that it may go; those that do not answer go with their pods. */
static int say_bye(struct o2_volume_set *set, struct o2_err *err)
{
	int64_t end_ms = o2_clock_ms() + FAREWELL_MS;
	size_t count;
	struct o2_kube_pipe **pipes;
	bool left = true;
	int code = 0;

	for (size_t i = 0; i < set->count; i++)
		for (int side = 0; side < O2_SIDE_COUNT; side++)
			if (set->members[i].pair.ends[side].control)
				(void)!o2_stream_control_bye(
					set->members[i].pair.ends[side].control, NULL);
	pipes = o2_volume_pipes(set, &count);
	while (left && code == 0 && o2_clock_ms() < end_ms) {
		left = false;
		for (size_t i = 0; i < count; i++)
			left = left || (pipes[i] && !o2_kube_pipe_over(pipes[i], NULL, NULL));
		if (left)
			code = o2_kube_pipe_pump(pipes, count, 100, err);
	}
	free(pipes);
	if (code == 0 && left)
		code = o2_fail(err, O2_ETRANSIENT, "an agent did not end within %d s",
			       FAREWELL_MS / 1000);
	return code;
}

int o2_volume_close(struct o2_volume_set *set, struct o2_err *err)
{
	int code = say_bye(set, err);

	for (size_t i = 0; i < set->count; i++)
		o2_volume_sessions_drop(&set->members[i]);
	return code < 0 ? code : o2_volume_movers_dismiss(set, err);
}
