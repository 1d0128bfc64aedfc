/* Two real agents, each in a process of its own behind a socket pair, driven through a round and what may go wrong. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "volume/volume_internal.h"

#define WAIT_MS 30000
#define TREES 2

/* One agent. */
struct agent {
	pid_t pid;
	int fd;
	struct o2_buf queue;
	bool held;
};

struct world {
	char *root;
	struct o2_volume_claim claims[TREES];
	struct o2_volume_group group;
	struct o2_volume_pair pair;
	struct agent agents[O2_SIDE_COUNT];
};

/* --- files ---------------------------------------------------------------------------------------------------------------- */

static char *path_in(const struct world *world, enum o2_side side, const char *path)
{
	return o2_xasprintf("%s/%c/%s", world->root, "ab"[side], path);
}

static void put(const struct world *world, enum o2_side side, const char *path, const char *text,
		size_t times)
{
	O2_AUTO(o2_freep) char *full = path_in(world, side, path);
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	for (size_t i = 0; i < times; i++)
		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void expect_same(const struct world *world, const char *path)
{
	O2_AUTO(o2_freep) char *a = path_in(world, O2_SOURCE, path);
	O2_AUTO(o2_freep) char *b = path_in(world, O2_TARGET, path);
	O2_AUTO(o2_freep) char *a_text = NULL;
	O2_AUTO(o2_freep) char *b_text = NULL;
	size_t a_len = 0, b_len = 0;
	struct o2_err err = { 0 };

	if (o2_file_read(a, 64 << 20, &a_text, &a_len, &err) < 0 ||
	    o2_file_read(b, 64 << 20, &b_text, &b_len, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(a_len, b_len);
	assert_memory_equal(a_text, b_text, a_len);
}

/* --- agents --------------------------------------------------------------------------------------------------------------- */

static void flush_queue(struct agent *agent)
{
	while (agent->queue.len > 0) {
		ssize_t sent = send(agent->fd, agent->queue.data, agent->queue.len, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		memmove(agent->queue.data, agent->queue.data + sent,
			agent->queue.len - (size_t)sent);
		agent->queue.len -= (size_t)sent;
	}
}

static int wire_send(void *arg, const void *bytes, size_t len, struct o2_err *err)
{
	struct agent *agent = arg;

	o2_buf_add(&agent->queue, bytes, len);
	flush_queue(agent);
	if (o2_buf_overflowed(&agent->queue))
		return o2_fail(err, O2_ELIMIT, "the queue is full");
	return 0;
}

static size_t wire_backlog(const void *arg)
{
	return ((const struct agent *)arg)->queue.len;
}

static void wire_hold(void *arg, bool hold)
{
	((struct agent *)arg)->held = hold;
}

static void stop_agent(struct agent *agent)
{
	if (agent->pid <= 0)
		return;
	close(agent->fd);
	kill(agent->pid, SIGKILL);
	waitpid(agent->pid, NULL, 0);
	o2_buf_release(&agent->queue);
	*agent = (struct agent){ 0 };
}

static void start_agent(struct world *world, enum o2_side side)
{
	struct agent *agent = &world->agents[side];
	struct o2_stream_tree trees[TREES];
	struct o2_err err = { 0 };
	int fds[2];

	stop_agent(agent);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	for (size_t i = 0; i < TREES; i++)
		trees[i] = (struct o2_stream_tree){ world->claims[i].name[O2_SOURCE],
						    path_in(world, side,
							    world->claims[i].name[O2_SOURCE]) };
	agent->pid = fork();
	if (agent->pid == 0) {
		close(fds[0]);
		_exit(o2_stream_session(trees, TREES, fds[1], fds[1], NULL) < 0 ? 1 : 0);
	}
	close(fds[1]);
	for (size_t i = 0; i < TREES; i++)
		free((char *)trees[i].path);
	agent->fd = fds[0];
	fcntl(agent->fd, F_SETFL, O_NONBLOCK);
	o2_buf_init(&agent->queue, 32 << 20);
	struct o2_volume_wire wire = {
		.send = wire_send, .backlog = wire_backlog, .hold = wire_hold, .arg = agent
	};
	if (o2_volume_end_open(&world->pair.ends[side], &wire, &err) < 0)
		fail_msg("%s", err.message);
}

static void start_agents(struct world *world)
{
	o2_volume_pair_close(&world->pair);
	start_agent(world, O2_SOURCE);
	start_agent(world, O2_TARGET);
	o2_volume_pair_start(&world->pair);
}

static void pump(struct world *world)
{
	struct pollfd fds[O2_SIDE_COUNT];
	static char bytes[65536];

	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		const struct agent *agent = &world->agents[side];
		fds[side].fd = agent->fd;
		fds[side].events =
			(short)((agent->held ? 0 : POLLIN) | (agent->queue.len > 0 ? POLLOUT : 0));
	}
	poll(fds, O2_SIDE_COUNT, 20);
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		struct agent *agent = &world->agents[side];
		flush_queue(agent);
		ssize_t len = agent->held ? 0 : recv(agent->fd, bytes, sizeof(bytes), 0);
		if (len > 0)
			(void)o2_volume_end_take(&world->pair.ends[side], bytes, (size_t)len);
		else if (len == 0 && !agent->held && world->pair.ends[side].failure.code == 0)
			o2_fail(&world->pair.ends[side].failure, O2_ETRANSIENT, "it is gone");
	}
}

/* Until the pair is ready, or fails. */
static int go_on(struct world *world, struct o2_err *err)
{
	int64_t end_ms = o2_clock_ms() + WAIT_MS;
	int code;

	while ((code = o2_volume_pair_step(&world->pair, err)) == 0) {
		if (o2_clock_ms() > end_ms)
			fail_msg("stage %d does not end", world->pair.stage);
		pump(world);
	}
	return code;
}

static void expect_ready(struct world *world)
{
	struct o2_err err = { 0 };

	if (go_on(world, &err) < 0)
		fail_msg("%s", err.message);
}

static void expect_round(struct world *world, bool final)
{
	struct o2_err err = { 0 };

	if (o2_volume_pair_round(&world->pair, final, &err) < 0)
		fail_msg("%s", err.message);
	expect_ready(world);
}

static void expect_digest(struct world *world, bool same)
{
	struct o2_err err = { 0 };

	if (o2_volume_pair_digest(&world->pair, &err) < 0)
		fail_msg("%s", err.message);
	expect_ready(world);
	assert_int_equal(strlen(world->pair.ends[O2_SOURCE].digest), 64);
	assert_int_equal(o2_volume_agrees(&world->pair), same);
}

/* --- the world ------------------------------------------------------------------------------------------------------------ */

static int set_up(void **state)
{
	static char pattern[] = "/tmp/os2os-pair-XXXXXX";
	struct world *world = o2_xcalloc(1, sizeof(*world));
	static const char *const names[TREES] = { "data", "wal" };
	struct o2_err err = { 0 };

	memcpy(pattern + strlen(pattern) - 6, "XXXXXX", 6);
	world->root = o2_xstrdup(mkdtemp(pattern));
	for (size_t i = 0; i < TREES; i++) {
		for (int side = 0; side < O2_SIDE_COUNT; side++) {
			O2_AUTO(o2_freep) char *path = path_in(world, (enum o2_side)side, names[i]);
			world->claims[i].name[side] = (char *)names[i];
			if (o2_file_mkdirs(path, 0755, &err) < 0)
				fail_msg("%s", err.message);
		}
	}
	world->group = (struct o2_volume_group){ .name = (char *)"db-0",
						 .claims = world->claims,
						 .claim_count = TREES };
	o2_volume_pair_init(&world->pair, &world->group);
	for (int side = 0; side < O2_SIDE_COUNT; side++)
		o2_strs_add(&world->pair.addresses[side], "127.0.0.1");
	put(world, O2_SOURCE, "data/base", "0123456789abcdef", 200000);
	put(world, O2_SOURCE, "data/small", "x", 1);
	put(world, O2_SOURCE, "wal/0001", "log", 5000);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	O2_AUTO(o2_freep) char *command = o2_xasprintf("rm -rf '%s'", world->root);
	struct o2_err err = { 0 };
	int status = -1;

	o2_volume_pair_close(&world->pair);
	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		stop_agent(&world->agents[side]);
		o2_strs_release(&world->pair.addresses[side]);
	}
	assert_int_equal(o2_process_shell(command, NULL, NULL, 0, &status, &err), 0);
	assert_int_equal(status, 0);
	free(world->root);
	free(world);
	return 0;
}

/* --- tests ---------------------------------------------------------------------------------------------------------------- */

static void test_straight_from_one_to_the_other(void **state)
{
	struct world *world = *state;

	start_agents(world);
	expect_ready(world);
	assert_int_equal(world->pair.route, O2_VOLUME_A_TO_B);
	expect_round(world, false);
	assert_true(world->pair.ends[O2_SOURCE].stats.sent_bytes >= 3200000);
	assert_int_equal(world->pair.ends[O2_SOURCE].stats.files, 3);
	put(world, O2_SOURCE, "data/small", "yz", 1);
	put(world, O2_SOURCE, "wal/0002", "log", 10);
	expect_round(world, true);
	assert_true(world->pair.ends[O2_SOURCE].stats.sent_bytes < 100000);
	expect_same(world, "data/base");
	expect_same(world, "data/small");
	expect_same(world, "wal/0001");
	expect_same(world, "wal/0002");
	expect_digest(world, true);
}

static void test_the_other_direction_when_only_that_opens(void **state)
{
	struct world *world = *state;
	struct o2_err err = { 0 };

	/* Nobody has an address of this block; there is no way to it. */
	o2_strs_release(&world->pair.addresses[O2_TARGET]);
	o2_strs_add(&world->pair.addresses[O2_TARGET], "240.0.0.1");
	start_agents(world);
	assert_int_equal(go_on(world, &err), -O2_ENOTFOUND);
	assert_int_equal(world->pair.route, O2_VOLUME_B_TO_A);
	start_agents(world);
	expect_ready(world);
	assert_int_equal(world->pair.route, O2_VOLUME_B_TO_A);
	expect_round(world, true);
	expect_same(world, "data/base");
	expect_digest(world, true);
}

static void test_through_the_driver_when_nothing_else_goes(void **state)
{
	struct world *world = *state;
	struct o2_err err = { 0 };

	for (int side = 0; side < O2_SIDE_COUNT; side++) {
		o2_strs_release(&world->pair.addresses[side]);
		o2_strs_add(&world->pair.addresses[side], "240.0.0.1");
	}
	put(world, O2_SOURCE, "data/large", "0123456789abcde\n", 1500000);
	for (int i = 0; i < 2; i++) {
		start_agents(world);
		o2_err_clear(&err);
		assert_int_equal(go_on(world, &err), -O2_ENOTFOUND);
	}
	start_agents(world);
	expect_ready(world);
	assert_int_equal(world->pair.route, O2_VOLUME_RELAYED);
	expect_round(world, false);
	put(world, O2_SOURCE, "data/small", "abc", 1);
	expect_round(world, true);
	expect_same(world, "data/large");
	expect_same(world, "data/small");
	expect_digest(world, true);
}

static void test_a_new_session_sends_nothing_again(void **state)
{
	struct world *world = *state;
	struct o2_err err = { 0 };

	start_agents(world);
	expect_ready(world);
	expect_round(world, false);
	kill(world->agents[O2_TARGET].pid, SIGKILL);
	assert_int_equal(o2_volume_pair_round(&world->pair, false, &err), 0);
	assert_int_equal(go_on(world, &err), -O2_ETRANSIENT);
	start_agents(world);
	expect_ready(world);
	expect_round(world, true);
	assert_int_equal(world->pair.ends[O2_SOURCE].stats.sent_bytes, 0);
	expect_digest(world, true);
}

static void test_what_differs_is_named(void **state)
{
	struct world *world = *state;
	struct o2_err err = { 0 };

	start_agents(world);
	expect_ready(world);
	expect_round(world, true);
	expect_digest(world, true);
	put(world, O2_TARGET, "data/small", "?", 1);
	/* Agents that remember nothing look for themselves. */
	start_agents(world);
	expect_ready(world);
	expect_digest(world, false);
	assert_int_equal(o2_volume_pair_list(&world->pair, &err), 0);
	expect_ready(world);
	assert_int_equal(o2_volume_first_difference(&world->pair.ends[O2_SOURCE],
						    &world->pair.ends[O2_TARGET], &err),
			 -O2_ECORRUPT);
	assert_non_null(strstr(err.message, "'data/small' is not the same"));
}

static void test_a_failure_says_which_claim_and_side(void **state)
{
	struct world *world = *state;
	struct o2_err err = { 0 };
	O2_AUTO(o2_freep) char *wal = path_in(world, O2_TARGET, "wal");

	if (rmdir(wal) < 0)
		fail();
	start_agents(world);
	assert_true(go_on(world, &err) < 0);
	assert_non_null(strstr(err.message, "claims 'data', 'wal' in B: "));
	assert_int_not_equal(err.code, -O2_ETRANSIENT);
}

static void test_lists_are_compared_path_by_path(void **state)
{
	struct o2_volume_listed left[] = { { (char *)"t/b", "1" }, { (char *)"t/a", "1" } };
	struct o2_volume_listed more[] = { { (char *)"t/a", "1" },
					   { (char *)"t/b", "1" },
					   { (char *)"t/c", "1" } };
	struct o2_volume_end a = { .listed = left, .listed_count = 2, .listed_all = true };
	struct o2_volume_end b = { .listed = more, .listed_count = 3, .listed_all = true };
	struct o2_err err = { 0 };

	(void)state;
	assert_int_equal(o2_volume_first_difference(&a, &b, &err), -O2_ECORRUPT);
	assert_string_equal(err.message, "'t/c' is in B and not in A");
	o2_err_clear(&err);
	assert_int_equal(o2_volume_first_difference(&b, &a, &err), -O2_ECORRUPT);
	assert_string_equal(err.message, "'t/c' is in A and not in B");
	o2_err_clear(&err);
	b.listed_count = 2;
	b.listed_all = false;
	assert_int_equal(o2_volume_first_difference(&a, &b, &err), -O2_ECORRUPT);
	assert_non_null(strstr(err.message, "beyond the first 2"));
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(test_straight_from_one_to_the_other),
		IN_A_WORLD(test_the_other_direction_when_only_that_opens),
		IN_A_WORLD(test_through_the_driver_when_nothing_else_goes),
		IN_A_WORLD(test_a_new_session_sends_nothing_again),
		IN_A_WORLD(test_what_differs_is_named),
		IN_A_WORLD(test_a_failure_says_which_claim_and_side),
		cmocka_unit_test(test_lists_are_compared_path_by_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
