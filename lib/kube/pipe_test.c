/* Commands that are talked with, against a WebSocket that echoes. */
#include "base/cancel.h"
#include "kube/kube_internal.h"

#include "kube/scripted_test.h"

#define UPGRADE(protocol) \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: " protocol "\r\n\r\n"
#define V5 UPGRADE("v5.channel.k8s.io")
#define V4 UPGRADE("v4.channel.k8s.io")
#define PIPES 3
#define MIB ((size_t)1 << 20)

/* What came back. Bytes are compared with what byte_at() says of their place. */
struct echo {
	size_t len;
	bool wrong;
	int code;
	int id;
};

static unsigned char byte_at(int id, size_t at)
{
	return (unsigned char)((at * 7 + at / 251 + (size_t)id) % 251 + 1) | 0x80;
}

static int compare(void *arg, int channel, const void *bytes, size_t len)
{
	struct echo *echo = arg;

	assert_int_equal(channel, 1);
	for (size_t i = 0; i < len; i++)
		if (((const unsigned char *)bytes)[i] != byte_at(echo->id, echo->len + i))
			echo->wrong = true;
	echo->len += len;
	return echo->code;
}

static struct o2_kube_pipe *open_pipe(struct scripted *world, struct echo *echo, struct o2_err *err)
{
	static const char *const argv[] = { "cat", NULL };
	struct o2_kube_exec exec = {
		.ns = "shop", .pod = "mover", .argv = argv, .on_output = compare, .arg = echo
	};

	return o2_kube_pipe_open(world->kube, &exec, err);
}

static void send_bytes(struct o2_kube_pipe *pipe, int id, size_t from, size_t len)
{
	O2_AUTO(o2_freep) unsigned char *bytes = o2_xmalloc(len);
	struct o2_err err = { 0 };

	for (size_t i = 0; i < len; i++)
		bytes[i] = byte_at(id, from + i);
	if (o2_kube_pipe_send(pipe, bytes, len, &err) < 0)
		fail_msg("%s", err.message);
}

static void pump(struct o2_kube_pipe *const *pipes, size_t count)
{
	struct o2_err err = { 0 };

	if (o2_kube_pipe_pump(pipes, count, 50, &err) < 0)
		fail_msg("%s", err.message);
}

/* Until it is over, at most 10 s. */
static void finish(struct o2_kube_pipe *pipe, int *out_exit, struct o2_err *failure)
{
	int64_t end_ms = o2_clock_ms() + 10000;

	while (!o2_kube_pipe_over(pipe, out_exit, failure)) {
		assert_true(o2_clock_ms() < end_ms);
		pump(&pipe, 1);
	}
}

static void test_several_pipes_move_at_once(void **state)
{
	const struct test_reply script[] = {
		{ .match = "&stdin=true&", .bytes = V5, .repeat = true, .echo = true },
	};
	struct scripted world;
	struct echo echo[PIPES] = { 0 };
	struct o2_kube_pipe *pipes[PIPES];
	struct o2_err err = { 0 };
	int64_t end_ms = o2_clock_ms() + 20000;
	bool done = false;

	(void)state;
	scripted_start(&world, script, 1, NULL);
	for (int i = 0; i < PIPES; i++) {
		echo[i].id = i;
		pipes[i] = open_pipe(&world, &echo[i], &err);
		if (!pipes[i])
			fail_msg("%s", err.message);
		for (size_t at = 0; at < 2 * MIB; at += 100001)
			send_bytes(pipes[i], i, at, 100001);
		assert_true(o2_kube_pipe_backlog(pipes[i]) > 2 * MIB);
		o2_kube_pipe_close_input(pipes[i]);
	}
	while (!done && o2_clock_ms() < end_ms) {
		pump(pipes, PIPES);
		done = true;
		for (int i = 0; i < PIPES; i++)
			done = done && o2_kube_pipe_over(pipes[i], NULL, NULL);
	}
	for (int i = 0; i < PIPES; i++) {
		int got = -1;
		assert_true(o2_kube_pipe_over(pipes[i], &got, &err));
		assert_int_equal(got, 0);
		assert_int_equal(err.code, 0);
		assert_int_equal(echo[i].len, 21 * 100001);
		assert_false(echo[i].wrong);
		o2_kube_pipe_free(pipes[i]);
	}
	scripted_stop(&world);
}

static void test_one_that_is_held_is_not_read(void **state)
{
	const struct test_reply script[] = { { .match = "/exec?", .bytes = V5, .echo = true } };
	struct scripted world;
	struct echo echo = { 0 };
	struct o2_err err = { 0 };
	int got = -1;

	(void)state;
	scripted_start(&world, script, 1, NULL);
	struct o2_kube_pipe *pipe = open_pipe(&world, &echo, &err);
	assert_non_null(pipe);
	o2_kube_pipe_hold(pipe, true);
	for (size_t i = 0; i < 15; i++)
		send_bytes(pipe, 0, i * MIB, MIB);
	for (int i = 0; i < 200 && o2_kube_pipe_backlog(pipe) > 14 * MIB; i++)
		pump(&pipe, 1);
	assert_true(o2_kube_pipe_backlog(pipe) <= 14 * MIB);
	assert_int_equal(echo.len, 0);
	o2_kube_pipe_hold(pipe, false);
	o2_kube_pipe_close_input(pipe);
	finish(pipe, &got, &err);
	assert_int_equal(got, 0);
	assert_int_equal(echo.len, 15 * MIB);
	assert_false(echo.wrong);
	assert_int_equal(o2_kube_pipe_send(pipe, "x", 1, &err), -O2_ETRANSIENT);
	o2_kube_pipe_free(pipe);
	scripted_stop(&world);
}

static void test_the_queue_has_an_end(void **state)
{
	const struct test_reply script[] = { { .match = "/exec?", .bytes = V4, .echo = true } };
	struct scripted world;
	struct echo echo = { 0 };
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, script, 1, NULL);
	struct o2_kube_pipe *pipe = open_pipe(&world, &echo, &err);
	assert_non_null(pipe);
	for (size_t i = 0; i < 16; i++)
		send_bytes(pipe, 0, i * MIB, MIB);
	assert_int_equal(o2_kube_pipe_send(pipe, "x", 1, &err), -O2_ELIMIT);
	while (o2_kube_pipe_backlog(pipe) > 0)
		pump(&pipe, 1);
	send_bytes(pipe, 0, 16 * MIB, MIB);
	while (echo.len < 17 * MIB)
		pump(&pipe, 1);
	assert_false(echo.wrong);
	o2_kube_pipe_free(pipe);
	scripted_stop(&world);
}

static void expect_end(const struct test_reply *reply, const char *input, struct echo echo,
		       int code, const char *words)
{
	struct scripted world;
	struct o2_err err = { 0 }, failure = { 0 };
	int got = 0;

	scripted_start(&world, reply, 1, NULL);
	struct o2_kube_pipe *pipe = open_pipe(&world, &echo, &err);
	if (!pipe)
		fail_msg("%s", err.message);
	assert_int_equal(o2_kube_pipe_send(pipe, input, strlen(input), &err), 0);
	finish(pipe, &got, &failure);
	assert_int_equal(failure.code, code);
	expect_words(failure.message, words);
	expect_words(failure.message, "cannot run 'cat' in pod \"shop/mover\" of A: ");
	o2_kube_pipe_free(pipe);
	scripted_stop(&world);
}

#define REPLY(text) .bytes = (text), .len = sizeof(text) - 1

static void test_an_end_is_told_with_the_last_words(void **state)
{
	static const char dies[] =
		V5 "\x82\x13\x02one\nno space left\n\x82\x50\x03{\"status\":\"Failure\",\"details\""
		   ":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}";
	static const char vanishes[] = V5 "\x82\x06\x02"
					  "argh\n";
	struct echo stops = { .code = -O2_ECORRUPT };

	(void)state;
	expect_end(&(struct test_reply){ .match = "/exec?", REPLY(dies) }, "x", (struct echo){ 0 },
		   -O2_EIO, "exit status 3; its last words: no space left");
	expect_end(&(struct test_reply){ .match = "/exec?", REPLY(vanishes), .end = TEST_CLOSE },
		   "x", (struct echo){ 0 }, -O2_ETRANSIENT, "; its last words: argh");
	expect_end(&(struct test_reply){ .match = "/exec?", .bytes = V5, .echo = true }, "!",
		   (struct echo){ 0 }, -O2_ETRANSIENT, "");
	expect_end(&(struct test_reply){ .match = "/exec?", .bytes = V5, .echo = true }, "hello",
		   stops, -O2_ECORRUPT, "stopped by the reader");
}

static void test_a_cancel_request_ends_the_pumping(void **state)
{
	const struct test_reply script[] = { { .match = "/exec?", .bytes = V5, .echo = true } };
	struct scripted world;
	struct echo echo = { 0 };
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, script, 1, NULL);
	struct o2_kube_pipe *pipe = open_pipe(&world, &echo, &err);
	assert_non_null(pipe);
	o2_cancel_request(SIGINT);
	assert_int_equal(o2_kube_pipe_pump(&pipe, 1, 50, &err), -O2_ECANCELED);
	o2_cancel_request(0);
	o2_kube_pipe_free(pipe);
	scripted_stop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_several_pipes_move_at_once),
		cmocka_unit_test(test_one_that_is_held_is_not_read),
		cmocka_unit_test(test_the_queue_has_an_end),
		cmocka_unit_test(test_an_end_is_told_with_the_last_words),
		cmocka_unit_test(test_a_cancel_request_ends_the_pumping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
