#include "http/http.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "http/server_test.h"

#define OK "HTTP/1.1 200 OK\r\n"

struct world {
	struct test_server *server;
	struct o2_http *http;
	struct o2_http_host *host;
};

static void start(struct world *world, const struct test_reply *replies, size_t count)
{
	char url[64];
	struct o2_err err = { 0 };
	struct o2_http_settings settings = { .url = url };

	world->server = test_server_start(replies, count);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/prefix/", world->server->port);
	world->http = o2_http_new();
	world->host = o2_http_host_new(world->http, &settings, &err);
	assert_non_null(world->host);
}

static void stop(struct world *world)
{
	o2_http_free(world->http);
	test_server_stop(world->server);
}

static int get(struct world *world, const char *path, struct o2_http_answer *answer,
	       struct o2_err *err)
{
	struct o2_http_request request = {
		.method = "GET", .path = path, .max_answer_bytes = 4096, .timeout_ms = 2000
	};

	return o2_http_do(world->host, &request, answer, err);
}

static void test_an_answer_comes_with_its_headers(void **state)
{
	static const struct test_reply script[] = {
		{ .match = "GET /prefix/a?x=1 ",
		  .bytes = "HTTP/1.1 429 Slow\r\nContent-Type: text/plain\r\nRetry-After: 7\r\n"
			   "Warning: 299 - \"old \\\"API\\\"\"\r\nContent-Length: 4\r\n\r\nbody" },
		{ .match = "GET /prefix/b ", .bytes = OK "Content-Length: 0\r\n\r\n" },
	};
	struct world world;
	struct o2_http_answer answer;
	struct o2_err err = { 0 };

	(void)state;
	start(&world, script, 2);
	assert_int_equal(get(&world, "/a?x=1", &answer, &err), 0);
	assert_int_equal(answer.status, 429);
	assert_int_equal(answer.http_version, 11);
	assert_string_equal(answer.body.data, "body");
	assert_string_equal(answer.content_type, "text/plain");
	assert_string_equal(answer.warning, "old \"API\"");
	assert_int_equal(answer.retry_after_s, 7);
	o2_http_answer_release(&answer);
	assert_int_equal(get(&world, "/b", &answer, &err), 0);
	assert_int_equal(answer.retry_after_s, -1);
	assert_string_equal(answer.warning, "");
	assert_int_equal(world.server->seen->connections, 1);
	o2_http_answer_release(&answer);
	stop(&world);
}

static void expect_failure(const struct test_reply *reply, int code, const char *words)
{
	struct world world;
	struct o2_http_answer answer;
	struct o2_err err = { 0 };

	start(&world, reply, 1);
	assert_int_equal(get(&world, "/x", &answer, &err), code);
	if (strstr(err.message, words) == NULL)
		fail_msg("'%s' is not in '%s'", words, err.message);
	o2_http_answer_release(&answer);
	stop(&world);
}

static void test_broken_answers_are_errors(void **state)
{
	(void)state;
	expect_failure(&(struct test_reply){ .bytes = "", .end = TEST_RESET }, -O2_ETRANSIENT,
		       "reset");
	expect_failure(&(struct test_reply){ .bytes = "", .end = TEST_CLOSE }, -O2_ETRANSIENT,
		       "without an answer");
	expect_failure(&(struct test_reply){ .bytes = OK "Content-Length: 9\r\n\r\nshort",
					     .end = TEST_CLOSE },
		       -O2_ETRANSIENT, "ends too early");
	expect_failure(
		&(struct test_reply){ .bytes = OK "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
				      .end = TEST_CLOSE },
		-O2_ETRANSIENT, "");
	expect_failure(&(struct test_reply){ .bytes = OK "Content-Length: 9\r\n\r\nshort",
					     .end = TEST_HANG },
		       -O2_ETRANSIENT, "no answer within 2 s");
	expect_failure(&(struct test_reply){ .bytes = "SSH-2.0-OpenSSH_9\r\n", .end = TEST_CLOSE },
		       -O2_EINVALID, "not an HTTP server");
}

static void test_a_redirect_is_not_followed(void **state)
{
	static const struct test_reply script[] = {
		{ .bytes = "HTTP/1.1 302 Found\r\nLocation: /prefix/other\r\nContent-Length: "
			   "0\r\n\r\n" },
	};
	struct world world;
	struct o2_http_answer answer;
	struct o2_err err = { 0 };

	(void)state;
	start(&world, script, 1);
	assert_int_equal(get(&world, "/x", &answer, &err), 0);
	assert_int_equal(answer.status, 302);
	assert_int_equal(world.server->seen->count, 1);
	o2_http_answer_release(&answer);
	stop(&world);
}

static void test_a_large_answer_is_cut_off(void **state)
{
	static char bytes[40000];
	int head = snprintf(bytes, sizeof(bytes), OK "Content-Length: 20000\r\n\r\n");

	(void)state;
	memset(bytes + head, 'x', 20000);
	expect_failure(&(struct test_reply){ .bytes = bytes, .len = (size_t)head + 20000 },
		       -O2_ELIMIT, "larger than 4096 bytes");
}

static void test_the_limit_counts_what_was_decompressed(void **state)
{
	/* 64 KiB of zeros, compressed */
	static const unsigned char packed[] = {
		0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc1, 0x01, 0x01,
		0x00, 0x00, 0x00, 0x80, 0x90, 0xfe, 0xaf, 0xee, 0x08, 0x0a, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x6a, 0xeb, 0x8e, 0x97, 0xd7, 0x00, 0x00, 0x01, 0x00
	};
	char bytes[1024];
	int head = snprintf(bytes, sizeof(bytes),
			    OK "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
			    sizeof(packed));

	(void)state;
	memcpy(bytes + head, packed, sizeof(packed));
	expect_failure(&(struct test_reply){ .bytes = bytes, .len = (size_t)head + sizeof(packed) },
		       -O2_ELIMIT, "larger than 4096 bytes");
}

static void test_nobody_listens(void **state)
{
	struct o2_http *http = o2_http_new();
	struct o2_err err = { 0 };
	struct o2_http_answer answer;
	struct o2_http_settings settings = { .url = "http://127.0.0.1:1" };
	struct o2_http_host *host = o2_http_host_new(http, &settings, &err);
	struct o2_http_request request = { .method = "GET", .path = "/", .timeout_ms = 2000 };

	(void)state;
	assert_int_equal(o2_http_do(host, &request, &answer, &err), -O2_ETRANSIENT);
	assert_string_equal(err.message, "http://127.0.0.1:1: connection refused");
	assert_string_equal(err.reason, O2_HTTP_REFUSED);
	o2_http_free(http);
}

/* A kept connection that dies: the body must not go out a second time. */
static void test_a_body_is_never_sent_twice(void **state)
{
	static const struct test_reply script[] = {
		{ .match = "POST /prefix/a ", .bytes = OK "Content-Length: 0\r\n\r\n" },
		{ .match = "POST /prefix/b ", .bytes = "", .end = TEST_RESET },
		{ .match = "POST /prefix/b ", .bytes = OK "Content-Length: 0\r\n\r\n" },
	};
	struct world world;
	struct o2_http_answer answer;
	struct o2_err err = { 0 };
	struct o2_http_request request = {
		.method = "POST", .path = "/a", .body = "payload", .body_len = 7, .timeout_ms = 2000
	};

	(void)state;
	start(&world, script, 3);
	assert_int_equal(o2_http_do(world.host, &request, &answer, &err), 0);
	assert_non_null(strstr(world.server->seen->requests[0], "\r\n\r\npayload"));
	o2_http_answer_release(&answer);
	request.path = "/b";
	assert_int_equal(o2_http_do(world.host, &request, &answer, &err), -O2_ETRANSIENT);
	assert_int_equal(world.server->seen->count, 2);
	o2_http_answer_release(&answer);
	stop(&world);
}

/* The same handle without a body: a read may be sent again by libcurl, and nothing of the earlier call is touched. */
static void test_a_read_survives_a_dead_connection(void **state)
{
	static const struct test_reply script[] = {
		{ .match = "POST /prefix/a ", .bytes = OK "Content-Length: 0\r\n\r\n" },
		{ .match = "GET /prefix/b ", .bytes = "", .end = TEST_RESET },
		{ .match = "GET /prefix/b ", .bytes = OK "Content-Length: 2\r\n\r\nok" },
	};
	struct world world;
	struct o2_http_answer answer;
	struct o2_err err = { 0 };
	struct o2_http_request request = {
		.method = "POST", .path = "/a", .body = "payload", .body_len = 7, .timeout_ms = 2000
	};

	(void)state;
	start(&world, script, 3);
	assert_int_equal(o2_http_do(world.host, &request, &answer, &err), 0);
	o2_http_answer_release(&answer);
	assert_int_equal(get(&world, "/b", &answer, &err), 0);
	assert_string_equal(answer.body.data, "ok");
	assert_int_equal(world.server->seen->count, 3);
	o2_http_answer_release(&answer);
	stop(&world);
}

struct stream {
	struct world *world;
	char text[4096];
	size_t len;
	int calls, inner;
	bool done;
	int code;
};

static int take(void *arg, const char *bytes, size_t len)
{
	struct stream *stream = arg;
	struct o2_http_answer answer;
	struct o2_err err = { 0 };

	memcpy(stream->text + stream->len, bytes, len);
	stream->len += len;
	if (stream->calls++ == 0) { /* waiting for another call is allowed here */
		assert_int_equal(get(stream->world, "/inner", &answer, &err), 0);
		stream->inner = answer.status;
		o2_http_answer_release(&answer);
	}
	return 0;
}

static void note_end(void *arg, struct o2_http_answer *answer, const struct o2_err *err)
{
	struct stream *stream = arg;

	stream->done = true;
	stream->code = err->code;
	o2_http_answer_release(answer);
}

static void test_a_stream_comes_in_pieces(void **state)
{
	static const struct test_reply script[] = {
		{ .match = "/stream",
		  .bytes = OK
		  "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
		  .piece = 3 },
		{ .match = "/inner", .bytes = OK "Content-Length: 0\r\n\r\n" },
	};
	struct world world;
	struct stream stream = { .world = &world };
	struct o2_http_request request = {
		.method = "GET", .path = "/stream", .on_data = take, .on_data_arg = &stream
	};

	(void)state;
	start(&world, script, 2);
	o2_http_start(world.host, &request, note_end, &stream);
	while (!stream.done)
		o2_http_poll(world.http, 100);
	assert_int_equal(stream.code, 0);
	assert_int_equal(stream.inner, 200);
	assert_int_equal(stream.len, 11);
	assert_memory_equal(stream.text, "hello world", 11);
	assert_int_equal(o2_http_in_flight(world.http), 0);
	stop(&world);
}

static int refuse(void *arg, const char *bytes, size_t len)
{
	(void)arg;
	(void)bytes;
	(void)len;
	return -O2_ECORRUPT;
}

static void test_a_reader_may_end_a_stream(void **state)
{
	static const struct test_reply script[] = { { .bytes = OK "Content-Length: 100\r\n\r\nsome",
						      .end = TEST_HANG } };
	struct world world;
	struct stream stream = { .world = &world };
	struct o2_http_request request = {
		.method = "GET", .path = "/stream", .on_data = refuse, .on_data_arg = &stream
	};

	(void)state;
	start(&world, script, 1);
	o2_http_start(world.host, &request, note_end, &stream);
	while (!stream.done)
		o2_http_poll(world.http, 100);
	assert_int_equal(stream.code, -O2_ECORRUPT);
	stop(&world);
}

static void ring(int signal_number)
{
	o2_cancel_request(signal_number);
}

static void test_a_signal_ends_the_wait(void **state)
{
	static const struct test_reply script[] = { { .bytes = "", .end = TEST_HANG } };
	struct world world;
	struct o2_http_answer answer;
	struct o2_err err = { 0 };
	int64_t begin = o2_clock_ms();
	struct sigaction action = { .sa_handler = ring };

	(void)state;
	start(&world, script, 1);
	sigaction(SIGALRM, &action, NULL);
	ualarm(100000, 0);
	struct o2_http_request request = { .method = "GET", .path = "/x", .timeout_ms = 20000 };
	assert_int_equal(o2_http_do(world.host, &request, &answer, &err), -O2_ECANCELED);
	assert_true(o2_clock_ms() - begin < 1000);
	o2_cancel_request(0);
	o2_http_answer_release(&answer);
	stop(&world);
}

static void count(void *arg)
{
	++*(int *)arg;
}

static void test_timers_run_in_order(void **state)
{
	struct o2_http *http = o2_http_new();
	int fired = 0;
	int stopped = 0;

	(void)state;
	o2_http_timer_start(http, 20, count, &fired);
	o2_http_timer_start(http, 1, count, &fired);
	struct o2_http_timer *timer = o2_http_timer_start(http, 10, count, &stopped);
	o2_http_timer_stop(http, timer);
	o2_http_poll(http, 1000);
	assert_int_equal(fired, 1);
	o2_http_poll(http, 1000);
	assert_int_equal(fired, 2);
	assert_int_equal(stopped, 0);
	o2_http_free(http);
}

static void test_settings_are_checked(void **state)
{
	struct o2_http *http = o2_http_new();
	static const struct o2_http_settings bad[] = {
		{ .url = "not a url" },
		{ .url = "ftp://host" },
		{ .url = "https://user:word@host" },
		{ .url = "https://host", .cert_pem = "-----BEGIN CERTIFICATE-----" },
		{ .url = "https://host", .ca_pem = "garbage" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct o2_err err = { 0 };
		assert_null(o2_http_host_new(http, &bad[i], &err));
		assert_int_equal(err.code, -O2_EINVALID);
		assert_null(strstr(err.message, "word"));
	}
	o2_http_free(http);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_comes_with_its_headers),
		cmocka_unit_test(test_broken_answers_are_errors),
		cmocka_unit_test(test_a_redirect_is_not_followed),
		cmocka_unit_test(test_a_large_answer_is_cut_off),
		cmocka_unit_test(test_the_limit_counts_what_was_decompressed),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_a_body_is_never_sent_twice),
		cmocka_unit_test(test_a_read_survives_a_dead_connection),
		cmocka_unit_test(test_a_stream_comes_in_pieces),
		cmocka_unit_test(test_a_reader_may_end_a_stream),
		cmocka_unit_test(test_a_signal_ends_the_wait),
		cmocka_unit_test(test_timers_run_in_order),
		cmocka_unit_test(test_settings_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
