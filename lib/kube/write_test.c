/* Writes: what goes over the line, what is never sent twice, and what the errors say. */
#include "kube/write.h"

#include <signal.h>

#include "base/cancel.h"
#include "kube/scripted_test.h"

#define MAP "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"uid\":\"u1\"}}"
#define STATUS(code, reason, message) \
	"{\"kind\":\"Status\",\"code\":" #code ",\"reason\":\"" reason "\",\"message\":\"" message \
	"\"}"

static int create(struct scripted *world, const char *kind, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *body = o2_doc_object_new();
	struct o2_kube_write write = { .op = O2_KUBE_DO_CREATE,
				       .kind = o2_kube_kind_find(world->kube, "", kind),
				       .ns = "shop",
				       .body = body };

	o2_doc_put_str(body, "/metadata/name", "a");
	int code = o2_kube_write_one(world->kube, &write, err);
	o2_doc_free(write.result);
	return code;
}

static void test_a_lost_write_is_never_sent_again(void **state)
{
	const struct test_reply script[] = {
		{ .match = "POST ", .bytes = "", .end = TEST_RESET },
		{ .match = "POST ", .bytes = scripted_answer(201, "", MAP) },
	};
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, script, O2_COUNT(script), NULL);
	assert_int_equal(create(&world, "ConfigMap", &err), -O2_ETRANSIENT);
	assert_int_equal(scripted_count(&world), 1);
	expect_words(err.message, "cannot create ConfigMap \"shop/a\" in A: ");
	scripted_stop(&world);
}

static void test_an_answer_that_can_not_be_read_is_an_unknown_outcome(void **state)
{
	const struct test_reply script[] = {
		{ .match = "POST ", .bytes = scripted_answer(201, "", "garbage") },
	};
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, script, O2_COUNT(script), NULL);
	assert_int_equal(create(&world, "ConfigMap", &err), -O2_ETRANSIENT);
	scripted_stop(&world);
}

static void test_a_busy_server_is_asked_again_when_it_says_when(void **state)
{
	const struct test_reply script[] = {
		{ .match = "POST ", .bytes = scripted_answer(429, "Retry-After: 1\r\n", "{}") },
		{ .match = "POST ", .bytes = scripted_answer(503, "Retry-After: 0\r\n", "{}") },
		{ .match = "POST ", .bytes = scripted_answer(201, "", MAP) },
	};
	struct scripted world;
	struct o2_err err = { 0 };
	int64_t begin_ms = o2_clock_ms();

	(void)state;
	scripted_start(&world, script, O2_COUNT(script), NULL);
	assert_int_equal(create(&world, "ConfigMap", &err), 0);
	assert_true(o2_clock_ms() - begin_ms >= 1000);
	assert_int_equal(scripted_count(&world), 3);
	scripted_stop(&world);
}

static void expect_error(const char *answer, const char *kind, int code, const char *reason,
			 const char *message)
{
	const struct test_reply script[] = { { .match = "POST ", .bytes = answer } };
	struct scripted world;
	struct o2_err err = { 0 };

	scripted_start(&world, script, 1, NULL);
	assert_int_equal(create(&world, kind, &err), code);
	assert_string_equal(err.message, message);
	assert_string_equal(err.reason, reason);
	assert_int_equal(scripted_count(&world), 1);
	scripted_stop(&world);
}

static void test_refusals_are_one_clear_line(void **state)
{
	(void)state;
	expect_error(scripted_answer(403, "",
				     STATUS(403, "Forbidden",
					    "configmaps \\\"a\\\" is forbidden: exceeded quota: q, "
					    "requested: configmaps=1")),
		     "ConfigMap", -O2_ELIMIT, "Forbidden",
		     "cannot create ConfigMap \"shop/a\" in A: exceeded quota: q, requested: "
		     "configmaps=1 (403 Forbidden)");
	expect_error(
		scripted_answer(403, "",
				STATUS(403, "Forbidden",
				       "configmaps is forbidden: User \\\"x\\\" cannot create")),
		"ConfigMap", -O2_EAUTH, "Forbidden",
		"cannot create ConfigMap \"shop/a\" in A: configmaps is forbidden: User \"x\" "
		"cannot create (403 Forbidden)");
	expect_error(scripted_answer(
			     409, "",
			     STATUS(409, "AlreadyExists", "configmaps \\\"a\\\" already exists")),
		     "ConfigMap", -O2_ECONFLICT, "AlreadyExists",
		     "cannot create ConfigMap \"shop/a\" in A: already exists (409 AlreadyExists)");
	expect_error(scripted_answer(422, "",
				     STATUS(422, "Invalid",
					    "Secret \\\"a\\\" is invalid: data[k]: Invalid value: "
					    "\\\"hunter2\\\": bad")),
		     "Secret", -O2_EINVALID, "Invalid",
		     "cannot create Secret \"shop/a\" in A: data[k]: Invalid value: ***: bad (422 "
		     "Invalid)");
	expect_error(
		scripted_answer(500, "", STATUS(500, "InternalError", "etcdserver: timed out")),
		"ConfigMap", -O2_ETRANSIENT, "InternalError",
		"cannot create ConfigMap \"shop/a\" in A: etcdserver: timed out (500 "
		"InternalError)");
	expect_error(scripted_answer(413, "", "<html>a proxy</html>"), "ConfigMap", -O2_ELIMIT, "",
		     "cannot create ConfigMap \"shop/a\" in A: refused (413)");
}

static void ring(int signal_number)
{
	o2_cancel_request(signal_number);
}

static void ring_soon(void)
{
	struct sigaction action = { .sa_handler = ring };

	sigaction(SIGALRM, &action, NULL);
	ualarm(100000, 0);
}

static void test_a_cancel_request_waits_a_moment_for_answers(void **state)
{
	const struct test_reply script[] = {
		{ .match = "POST ", .bytes = scripted_answer(201, "", MAP), .delay_ms = 500 },
		{ .match = "POST ", .bytes = "", .end = TEST_HANG },
	};
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, script, O2_COUNT(script), NULL);
	ring_soon();
	assert_int_equal(create(&world, "ConfigMap", &err), 0);
	o2_cancel_request(0);
	ring_soon();
	assert_int_equal(create(&world, "ConfigMap", &err), -O2_ETRANSIENT);
	expect_words(err.message, "the outcome is unknown");
	o2_err_clear(&err);
	assert_int_equal(create(&world, "ConfigMap", &err), -O2_ECANCELED); /* not begun */
	assert_int_equal(scripted_count(&world), 2);
	o2_cancel_request(0);
	scripted_stop(&world);
}

static void count(void *arg, struct o2_kube_write *write)
{
	(void)write;
	++*(int *)arg;
}

static void test_no_further_write_begins_after_a_failure(void **state)
{
	enum {
		COUNT = 1000
	}; /* many more than are on their way at once, in whatever order they are answered */
	const struct test_reply script[] = {
		{ .match = "\"bad\"",
		  .bytes = scripted_answer(422, "", STATUS(422, "Invalid", "no")),
		  .repeat = true },
		{ .match = "\"good\"", .bytes = scripted_answer(201, "", MAP), .repeat = true },
	};
	struct scripted world;
	struct o2_kube_write writes[COUNT];
	O2_AUTO(o2_doc_freep) struct o2_doc *good = o2_doc_object_new();
	O2_AUTO(o2_doc_freep) struct o2_doc *bad = o2_doc_object_new();
	int done = 0;
	int begun = 0;

	(void)state;
	o2_doc_put_str(good, "/metadata/name", "good");
	o2_doc_put_str(bad, "/metadata/name", "bad");
	scripted_start(&world, script, O2_COUNT(script), NULL);
	for (int i = 0; i < COUNT; i++)
		writes[i] = (struct o2_kube_write){ .op = O2_KUBE_DO_CREATE,
						    .kind = o2_kube_kind_find(world.kube, "",
									      "ConfigMap"),
						    .ns = "shop",
						    .body = i == 20 ? bad : good };
	o2_kube_write_many(world.kube, writes, COUNT, true, count, &done);
	for (int i = 0; i < COUNT; i++) {
		begun += writes[i].err.code != -O2_ECANCELED;
		o2_doc_free(writes[i].result);
	}
	assert_int_equal(writes[20].err.code, -O2_EINVALID);
	assert_int_equal(begun, done);
	assert_int_equal(begun, scripted_count(&world));
	assert_true(begun > 20 && begun < COUNT);
	scripted_stop(&world);
}

static void test_writes_say_what_they_mean(void **state)
{
	const struct test_reply script[] = {
		{ .match = "/configmaps", .bytes = scripted_answer(200, "", MAP), .repeat = true },
	};
	static const char *const expected[][2] = {
		{ "PUT /api/v1/namespaces/shop/configmaps/a?fieldManager=os2os&dryRun=All ",
		  "Content-Type: application/json\r\n" },
		{ "PATCH /api/v1/namespaces/shop/configmaps/a?fieldManager=helm&force=true ",
		  "Content-Type: application/apply-patch+yaml\r\n" },
		{ "PATCH /api/v1/namespaces/shop/configmaps/a/status?fieldManager=os2os ",
		  "Content-Type: application/json-patch+json\r\n" },
		{ "DELETE /api/v1/namespaces/shop/configmaps/a ",
		  "\"preconditions\":{\"uid\":\"u1\",\"resourceVersion\":\"7\"},"
		  "\"propagationPolicy\":\"Background\"" },
	};
	struct scripted world;
	O2_AUTO(o2_doc_freep) struct o2_doc *body = o2_doc_object_new();

	(void)state;
	scripted_start(&world, script, 1, NULL);
	const struct o2_kube_kind *kind = o2_kube_kind_find(world.kube, "", "ConfigMap");
	struct o2_kube_write writes[] = {
		{ .op = O2_KUBE_DO_REPLACE, .body = body, .dry_run = true },
		{ .op = O2_KUBE_DO_APPLY, .body = body, .field_manager = "helm", .force = true },
		{ .op = O2_KUBE_DO_PATCH_JSON, .body = body, .subresource = "status" },
		{ .op = O2_KUBE_DO_DELETE, .uid = "u1", .resource_version = "7" },
	};
	o2_doc_put_str(body, "/metadata/resourceVersion", "5");
	for (int i = 0; i < 4; i++) {
		struct o2_err err = { 0 };
		writes[i].kind = kind;
		writes[i].ns = "shop";
		writes[i].name = "a";
		assert_int_equal(o2_kube_write_one(world.kube, &writes[i], &err), 0);
		expect_words(scripted_request(&world, i), expected[i][0]);
		expect_words(scripted_request(&world, i), expected[i][1]);
		o2_doc_free(writes[i].result);
	}
	scripted_stop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_lost_write_is_never_sent_again),
		cmocka_unit_test(test_an_answer_that_can_not_be_read_is_an_unknown_outcome),
		cmocka_unit_test(test_a_busy_server_is_asked_again_when_it_says_when),
		cmocka_unit_test(test_refusals_are_one_clear_line),
		cmocka_unit_test(test_a_cancel_request_waits_a_moment_for_answers),
		cmocka_unit_test(test_no_further_write_begins_after_a_failure),
		cmocka_unit_test(test_writes_say_what_they_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
