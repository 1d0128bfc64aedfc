/* Sessions with the agents of a group: an exec in each of its two movers. */
#include <stdlib.h>

#include "volume/volume_internal.h"

static int send_bytes(void *arg, const void *bytes, size_t len, struct o2_err *err)
{
	return o2_kube_pipe_send(arg, bytes, len, err);
}

static size_t backlog(const void *arg)
{
	return o2_kube_pipe_backlog(arg);
}

static void hold(void *arg, bool on)
{
	o2_kube_pipe_hold(arg, on);
}

static int take_output(void *arg, int channel, const void *bytes, size_t len)
{
	(void)channel;
	return o2_volume_end_take(arg, bytes, len);
}

/* loader session NAME=PATH ... */
static void make_command(const struct o2_volume_group *group, struct o2_strs *argv)
{
	o2_strs_add(argv, O2_VOLUME_LOADER);
	o2_strs_add(argv, "session");
	for (size_t i = 0; i < group->claim_count; i++) {
		O2_AUTO(o2_freep) char *path = o2_volume_tree_path(&group->claims[i]);
		o2_strs_addf(argv, "%s=%s", group->claims[i].name[O2_SOURCE], path);
	}
}

static int open_one(struct o2_volume_set *set, struct o2_volume_member *member, enum o2_side side,
		    struct o2_err *err)
{
	const struct o2_volume_group *group = member->pair.group;
	struct o2_volume_end *end = &member->pair.ends[side];
	struct o2_strs words = { 0 };

	make_command(group, &words);
	const char **argv = o2_xcalloc(words.count + 1, sizeof(const char *));
	for (size_t i = 0; i < words.count; i++)
		argv[i] = words.items[i];
	struct o2_kube_exec exec = { .ns = group->ns[side],
				     .pod = member->pods[side],
				     .container = O2_VOLUME_CONTAINER,
				     .argv = argv,
				     .on_output = take_output,
				     .arg = end };
	member->pipes[side] = o2_kube_pipe_open(o2_record_kube(set->record, side), &exec, err);
	free((void *)argv);
	o2_strs_release(&words);
	if (member->pipes[side] == NULL)
		return err->code;
	struct o2_volume_wire wire = {
		.send = send_bytes, .backlog = backlog, .hold = hold, .arg = member->pipes[side]
	};
	return o2_volume_end_open(end, &wire, err);
}

void o2_volume_sessions_drop(struct o2_volume_member *member)
{
	o2_volume_pair_close(&member->pair);
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		o2_kube_pipe_free(member->pipes[side]);
		member->pipes[side] = NULL;
	}
}

int o2_volume_sessions_open(struct o2_volume_set *set, struct o2_volume_member *member,
			    struct o2_err *err)
{
	o2_volume_sessions_drop(member);
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		if (open_one(set, member, (enum o2_side)side, err) < 0) {
			o2_volume_sessions_drop(member);
			return err->code;
		}
	}
	o2_volume_pair_start(&member->pair);
	return 0;
}

struct o2_kube_pipe **o2_volume_pipes(const struct o2_volume_set *set, size_t *out_count)
{
	struct o2_kube_pipe **pipes =
		o2_xcalloc(set->count * O2_SIDE_COUNT + 1, sizeof(struct o2_kube_pipe *));

	*out_count = 0;
	for (size_t i = 0; i < set->count; i++)
		for (int side = 0; side < O2_SIDE_COUNT; side++)
			pipes[(*out_count)++] = set->members[i].pipes[side];
	return pipes;
}
