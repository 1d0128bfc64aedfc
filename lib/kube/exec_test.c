/* Commands in containers, against a WebSocket whose frames stand in the script. */
#include "kube/kube_internal.h"

#include "kube/scripted_test.h"

#define UPGRADE(protocol) \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: " protocol "\r\n\r\n"
#define V5 UPGRADE("v5.channel.k8s.io")
#define SUCCESS "\x82\x15\x03{\"status\":\"Success\"}"
#define CLOSED "\x88\x02\x03\xe8"

struct output {
	char text[2][256];
	size_t len[2];
	int code; /* what the reader returns */
};

static int note(void *arg, int channel, const void *bytes, size_t len)
{
	struct output *output = arg;
	int i = channel - 1;

	assert_true(channel == 1 || channel == 2);
	memcpy(output->text[i] + output->len[i], bytes, len);
	output->len[i] += len;
	return output->code;
}

static int run(const struct test_reply *script, size_t count, const char *input,
	       struct output *output, int *exit_status, struct o2_err *err)
{
	static const char *const argv[] = { "sh", "-c", "a b&c", NULL };
	struct scripted world;

	scripted_start(&world, script, count, NULL);
	struct o2_kube_exec exec = { .ns = "shop",
				     .pod = "web",
				     .container = "main",
				     .argv = argv,
				     .input = input,
				     .input_len = input ? strlen(input) : 0,
				     .on_output = note,
				     .arg = output,
				     .timeout_ms = 1000 };
	int code = o2_kube_exec(world.kube, &exec, exit_status, err);
	expect_words(
		scripted_request(&world, 0),
		"GET /api/v1/namespaces/shop/pods/web/exec?container=main&command=sh&command=-c"
		"&command=a%20b%26c&");
	scripted_stop(&world);
	return code;
}

#define EXEC_REPLY(text) .match = "/exec?", REPLY(text)
#define REPLY(text) .bytes = (text), .len = sizeof(text) - 1

static void expect_run(const struct test_reply *reply, int exit_status, const char *out,
		       const char *errors)
{
	struct output output = { 0 };
	struct o2_err err = { 0 };
	int got = -1;

	if (run(reply, 1, NULL, &output, &got, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(got, exit_status);
	assert_string_equal(output.text[0], out);
	assert_string_equal(output.text[1], errors);
}

static void test_output_and_exit_status_come_apart(void **state)
{
	static const char text[] = V5 "\x82\x01\x01"             /* the channel is open */
				      "\x82\x03\x01hi"           /* stdout */
				      "\x89\x02yo"               /* ping */
				      "\x02\x04\x02oop\x80\x01s" /* stderr, in two fragments */
				      "\x82\x03\x01!\n" SUCCESS CLOSED;

	(void)state;
	expect_run(&(struct test_reply){ EXEC_REPLY(text) }, 0, "hi!\n", "oops");
	expect_run(&(struct test_reply){ EXEC_REPLY(text), .piece = 1 }, 0, "hi!\n", "oops");
	expect_run(&(struct test_reply){ EXEC_REPLY(text), .piece = 7 }, 0, "hi!\n", "oops");
}

static void test_an_exit_status_is_found_among_the_causes(void **state)
{
	static const char text[] = V5 "\x82\x7e\x00\x80\x03{\"status\":\"Failure\",\"reason\":"
				      "\"NonZeroExitCode\",\"details\":"
				      "{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"42\"}]}}"
				      "                          " CLOSED;

	(void)state;
	expect_run(&(struct test_reply){ EXEC_REPLY(text) }, 42, "", "");
}

static void test_input_is_sent_and_closed(void **state)
{
	static const char text[] = V5 SUCCESS CLOSED;
	const struct test_reply script[] = { { REPLY(text), .match = "&stdin=true&" } };
	struct output output = { 0 };
	struct o2_err err = { 0 };
	int got = -1;

	(void)state;
	assert_int_equal(run(script, 1, "input", &output, &got, &err), 0);
	assert_int_equal(got, 0);
}

static void expect_failure(const struct test_reply *reply, int code, const char *words)
{
	struct output output = { .code = code == -O2_EBUSY ? code : 0 };
	struct o2_err err = { 0 };
	int got = -1;

	assert_int_equal(run(reply, 1, NULL, &output, &got, &err), code);
	expect_words(err.message, "cannot run 'sh' in pod \"shop/web\" of A: ");
	expect_words(err.message, words);
	assert_int_equal(got, -1);
}

static void test_what_goes_wrong_is_told(void **state)
{
	static const char lost[] = V5 "\x82\x03\x01hi";
	static const char closed[] = V5 "\x82\x03\x01hi" CLOSED;
	static const char failed[] = V5 "\x82\x43\x03{\"status\":\"Failure\",\"message\":\"exec: "
					"\\\"sh\\\": no such file\"}            " CLOSED;

	(void)state;
	expect_failure(&(struct test_reply){ EXEC_REPLY(lost), .end = TEST_CLOSE }, -O2_ETRANSIENT,
		       "");
	expect_failure(&(struct test_reply){ EXEC_REPLY(closed) }, -O2_ETRANSIENT,
		       "closed before the command ended");
	expect_failure(&(struct test_reply){ EXEC_REPLY(lost), .end = TEST_HANG }, -O2_ETRANSIENT,
		       "nothing came for 1 s");
	expect_failure(&(struct test_reply){ EXEC_REPLY(failed) }, -O2_ENOTFOUND, "no such file");
	expect_failure(&(struct test_reply){ EXEC_REPLY(closed) }, -O2_EBUSY,
		       "stopped by the reader");
}

static void test_a_refusal_has_the_servers_words(void **state)
{
	const struct test_reply forbidden = {
		.match = "/exec?",
		.bytes = scripted_answer(403, "",
					 "{\"kind\":\"Status\",\"reason\":\"Forbidden\","
					 "\"message\":\"pods \\\"web\\\" is forbidden: no\"}"),
		.repeat = true,
	};

	(void)state;
	expect_failure(&forbidden, -O2_EAUTH, "no (403 Forbidden)");
}

static void test_the_log_is_plain_text(void **state)
{
	const struct test_reply script[] = {
		{ .match = "/pods/web/"
			   "log?container=main&tailLines=5&limitBytes=1048576&previous=true ",
		  .bytes = scripted_answer(200, "", "one\ntwo\n") },
	};
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, script, 1, NULL);
	O2_AUTO(o2_freep)
	char *text = o2_kube_log_tail(world.kube, "shop", "web", "main", 5, true, &err);
	assert_string_equal(text, "one\ntwo\n");
	scripted_stop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_and_exit_status_come_apart),
		cmocka_unit_test(test_an_exit_status_is_found_among_the_causes),
		cmocka_unit_test(test_input_is_sent_and_closed),
		cmocka_unit_test(test_what_goes_wrong_is_told),
		cmocka_unit_test(test_a_refusal_has_the_servers_words),
		cmocka_unit_test(test_the_log_is_plain_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
