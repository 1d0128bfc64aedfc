/* What becomes of requests: retries, credentials, answers that are none, cancel requests. */
#include "kube/kube.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "base/cancel.h"
#include "kube/plugin_internal.h"
#include "kube/scripted_test.h"
#include "kube/write.h"

#define STATUS(code, reason, message) \
	"{\"kind\":\"Status\",\"code\":" #code ",\"reason\":\"" reason "\",\"message\":\"" message \
	"\"}"
/* Of an object; a 404 that names none is about the kind. */
#define ABSENT \
	"{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":" \
	"\"configmaps \\\"m\\\" not found\",\"details\":{\"name\":\"m\",\"kind\":\"configmaps\"}}"
#define MAP "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"m\"}}"

static const struct o2_kube_kind *kind_of(const struct scripted *world, const char *kind)
{
	const struct o2_kube_kind *found = o2_kube_kind_find(world->kube, "", kind);

	assert_non_null(found);
	return found;
}

static int get(struct scripted *world, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *doc = o2_kube_get(world->kube, kind_of(world, "ConfigMap"), "s", "m", err);

	assert_int_equal(doc == NULL, err->code < 0);
	assert_null(strstr(err->message, "s3cret"));
	return err->code;
}

static struct o2_kube_write create_of(const struct scripted *world, const char *kind,
				      const struct o2_doc *body)
{
	return (struct o2_kube_write){
		.op = O2_KUBE_DO_CREATE, .kind = kind_of(world, kind), .ns = "s", .body = body
	};
}

static int create(struct scripted *world, const char *kind, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *body = o2_doc_parse(MAP, strlen(MAP), NULL);
	struct o2_kube_write write = create_of(world, kind, body);
	int code = o2_kube_write_one(world->kube, &write, err);

	o2_doc_free(write.result);
	return code;
}

/* One GET, answered by `reply`. */
static void expect_get(const struct test_reply *reply, int code, const char *message)
{
	struct test_reply one = *reply;
	struct scripted world;
	struct o2_err err = { 0 };

	one.match = "/namespaces/s/";
	scripted_start(&world, &one, 1, NULL);
	assert_int_equal(get(&world, &err), -code);
	expect_words(err.message, message);
	assert_int_equal(scripted_count(&world), 1);
	scripted_stop(&world);
}

/* One create, answered by `reply`; nothing is sent twice. */
static void expect_create(const char *kind, const struct test_reply *reply, int code,
			  const char *message)
{
	struct test_reply one = *reply;
	struct scripted world;
	struct o2_err err = { 0 };

	one.match = "/namespaces/s/";
	scripted_start(&world, &one, 1, NULL);
	assert_int_equal(create(&world, kind, &err), -code);
	expect_words(err.message, message);
	assert_int_equal(scripted_count(&world), 1);
	scripted_stop(&world);
}

#define ANSWER(...) (&(struct test_reply){ .bytes = scripted_answer(__VA_ARGS__) })

/* --- answers --- */

/* A server that starts may not know a kind yet: it is asked again before that is believed. */
static void test_a_kind_that_is_not_served_is_asked_for_again(void **state)
{
	const struct test_reply unserved = *ANSWER(404, "", "404 page not found");
	struct test_reply script[3] = { unserved, unserved, unserved };
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(script); i++)
		script[i].match = "/namespaces/s/";
	scripted_start(&world, script, O2_COUNT(script), NULL);
	assert_int_equal(get(&world, &err), -O2_ENOTFOUND);
	assert_int_equal(scripted_count(&world), 3);
	scripted_stop(&world);

	script[1].bytes = scripted_answer(200, "", MAP);
	o2_err_clear(&err);
	scripted_start(&world, script, O2_COUNT(script), NULL);
	assert_int_equal(get(&world, &err), 0);
	assert_int_equal(scripted_count(&world), 2);
	scripted_stop(&world);
}

static void test_a_status_becomes_one_line(void **state)
{
	(void)state;
	expect_get(ANSWER(404, "", ABSENT), O2_ENOTFOUND,
		   "cannot get ConfigMap \"s/m\" in A: not found (404 NotFound)");
	expect_get(ANSWER(403, "",
			  STATUS(403, "Forbidden",
				 "configmaps \\\"m\\\" is forbidden: User x "
				 "may\\nnot")),
		   O2_EAUTH, "cannot get ConfigMap \"s/m\" in A: User x may not (403 Forbidden)");
	expect_get(
		ANSWER(403, "", STATUS(403, "Forbidden", "pods is forbidden: exceeded quota: q")),
		O2_ELIMIT, "exceeded quota");
	expect_get(ANSWER(502, "", "<html>proxy</html>"), O2_ETRANSIENT, "refused (502)");
	expect_get(ANSWER(302, "Location: /login\r\n", ""), O2_EINVALID, "answers with a redirect");
	expect_create("ConfigMap",
		      ANSWER(409, "",
			     STATUS(409, "AlreadyExists", "configmaps \\\"m\\\" already exists")),
		      O2_ECONFLICT,
		      "cannot create ConfigMap \"s/m\" in A: already exists (409 AlreadyExists)");
	expect_create("ConfigMap",
		      ANSWER(422, "",
			     STATUS(422, "Invalid",
				    "data: Invalid value: "
				    "\\\"open\\\": bad")),
		      O2_EINVALID, "Invalid value: \"open\": bad (422 Invalid)");
	expect_create(
		"Secret",
		ANSWER(422, "", STATUS(422, "Invalid", "data: Invalid value: \\\"s3cret\\\": bad")),
		O2_EINVALID, "Invalid value: ***: bad (422 Invalid)");
}

static void test_answers_that_are_none(void **state)
{
	(void)state;
	expect_get(ANSWER(200, "", "garbage"), O2_ECORRUPT, "the answer is not JSON");
	expect_get(ANSWER(200, "", "{\"metadata\":"), O2_ECORRUPT, "the answer is not JSON");
	expect_get(&(struct test_reply){ .bytes = "SSH-2.0-x\r\n", .end = TEST_CLOSE }, O2_EINVALID,
		   "not an HTTP server");
	expect_create("ConfigMap", ANSWER(201, "", "garbage"), O2_ETRANSIENT, "is not JSON");
	expect_create("ConfigMap", &(struct test_reply){ .bytes = "", .end = TEST_RESET },
		      O2_ETRANSIENT, "cannot create ConfigMap \"s/m\" in A");
	expect_create(
		"ConfigMap",
		&(struct test_reply){ .bytes = "HTTP/1.1 201 x\r\nContent-Length: 50\r\n\r\n{",
				      .end = TEST_CLOSE },
		O2_ETRANSIENT, "ends too early");
}

/* --- retries --- */

static void test_reads_survive_lost_connections(void **state)
{
	const struct test_reply script[] = {
		{ .match = "/configmaps/m", .bytes = "", .end = TEST_RESET },
		{ .match = "/configmaps/m",
		  .bytes = "HTTP/1.1 200 x\r\nContent-Length: 50\r\n\r\n{",
		  .end = TEST_CLOSE },
		{ .match = "/configmaps/m", .bytes = scripted_answer(200, "", MAP) },
	};
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, script, O2_COUNT(script), NULL);
	assert_int_equal(get(&world, &err), 0);
	assert_int_equal(scripted_count(&world), 3);
	scripted_stop(&world);
}

static void test_a_server_that_asks_to_come_back_is_asked_again(void **state)
{
	const struct test_reply script[] = {
		{ .match = "/configmaps", .bytes = scripted_answer(429, "Retry-After: 0\r\n", "") },
		{ .match = "/configmaps", .bytes = scripted_answer(503, "Retry-After: 0\r\n", "") },
		{ .match = "/configmaps", .bytes = scripted_answer(201, "", MAP) },
	};
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, script, O2_COUNT(script), NULL);
	assert_int_equal(create(&world, "ConfigMap", &err), 0);
	assert_int_equal(scripted_count(&world), 3);
	expect_words(scripted_request(&world, 2),
		     "POST /api/v1/namespaces/s/configmaps?fieldManager=os2os HTTP/1.1");
	scripted_stop(&world);
}

static void test_nothing_else_is_asked_again(void **state)
{
	(void)state;
	expect_create("ConfigMap", ANSWER(500, "", STATUS(500, "InternalError", "etcd")),
		      O2_ETRANSIENT, "etcd (500 InternalError)");
	expect_create("ConfigMap", ANSWER(429, "", ""), O2_ETRANSIENT, "(429)");
	expect_get(ANSWER(500, "", ""), O2_ETRANSIENT, "(500)");
	expect_get(ANSWER(409, "Retry-After: 1\r\n", ""), O2_ECONFLICT, "(409)");
}

/* --- lists --- */

struct items {
	int count, restarts;
};

static int count_item(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	struct items *items = arg;

	if (item == NULL) {
		items->restarts++;
		items->count = 0;
		return 0;
	}
	assert_string_equal(o2_doc_str(item, "/kind", ""), kind->kind);
	items->count++;
	return 0;
}

#define PAGE(resume, items) \
	"{\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"" resume "\"},\"items\":[" items \
	"]}"

static int list(struct scripted *world, struct items *items, struct o2_err *err)
{
	struct o2_kube_list list = { .kind = kind_of(world, "ConfigMap"),
				     .fn = count_item,
				     .arg = items,
				     .selector = "a=b" };
	int code = o2_kube_list(world->kube, &list, err);

	if (code == 0)
		assert_string_equal(list.version, "7");
	o2_kube_list_release(&list);
	return code;
}

static void test_a_list_that_expires_starts_over_once(void **state)
{
	const char *gone = scripted_answer(410, "", STATUS(410, "Expired", "too old"));
	const char *first = scripted_answer(200, "", PAGE("x/y", "{},{}"));
	const struct test_reply script[] = {
		{ .match = "continue=x%2Fy", .bytes = gone },
		{ .match = "continue=x%2Fy", .bytes = scripted_answer(200, "", PAGE("", "{}")) },
		{ .match = "limit=500&labelSelector=a%3Db HTTP", .bytes = first, .repeat = true },
	};
	const struct test_reply twice[] = {
		{ .match = "continue=", .bytes = gone, .repeat = true },
		{ .match = "limit=", .bytes = first, .repeat = true },
	};
	struct scripted world;
	struct items items = { 0 };
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, script, O2_COUNT(script), NULL);
	assert_int_equal(list(&world, &items, &err), 0);
	assert_int_equal(items.count, 3);
	assert_int_equal(items.restarts, 1);
	scripted_stop(&world);

	items = (struct items){ 0 };
	scripted_start(&world, twice, O2_COUNT(twice), NULL);
	assert_int_equal(list(&world, &items, &err), -O2_ETRANSIENT);
	assert_int_equal(items.restarts, 1);
	expect_words(err.message, "cannot list configmaps in A: too old (410 Expired)");
	scripted_stop(&world);
}

static void test_a_page_that_is_too_large_comes_in_smaller_ones(void **state)
{
	size_t len = (size_t)9 << 20;
	char *body = o2_xmalloc(len + 1);
	struct scripted world;
	struct items items = { 0 };
	struct o2_err err = { 0 };

	(void)state;
	memset(body, ' ', len);
	body[len] = '\0';
	const struct test_reply script[] = {
		{ .match = "limit=500", .bytes = scripted_answer(200, "", body) },
		{ .match = "limit=50&", .bytes = scripted_answer(200, "", PAGE("", "{}")) },
	};
	scripted_start(&world, script, O2_COUNT(script), NULL);
	assert_int_equal(list(&world, &items, &err), 0);
	assert_int_equal(items.count, 1);
	scripted_stop(&world);
	free(body);
}

static void test_lists_that_are_damaged(void **state)
{
	static const char *const bodies[] = { "",
					      "{",
					      "{\"items\":[{]}",
					      "{\"items\":[{}",
					      "{\"items\":[{},,{}]}",
					      "{\"items\":[1]}",
					      "{\"items\":[{}}]}" };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(bodies); i++) {
		const struct test_reply script[] = { { .bytes = scripted_answer(200, "",
										bodies[i]) } };
		struct scripted world;
		struct items items = { 0 };
		struct o2_err err = { 0 };

		scripted_start(
			&world,
			(struct test_reply[]){ { .match = "limit=", .bytes = script[0].bytes } }, 1,
			NULL);
		assert_int_equal(list(&world, &items, &err), -O2_ECORRUPT);
		scripted_stop(&world);
	}
}

/* --- credentials --- */

static char path[64];

static void put_file(const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/retry_test.XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

#define WITH(token) "Authorization: Bearer " token "\r\n"

static void test_a_token_file_is_read_again_when_it_rotates(void **state)
{
	const char *good = scripted_answer(200, "", MAP);
	const struct test_reply script[] = {
		{ .match = "GET /api ", .bytes = scripted_answer(200, "", SCRIPTED_API) },
		{ .match = "GET /apis ", .bytes = scripted_answer(200, "", SCRIPTED_APIS) },
		{ .match = WITH("one"), .bytes = good },
		{ .match = WITH("two"), .bytes = good, .repeat = true },
	};
	char user[] = "u";
	const struct o2_kube_config config = { .user = user, .token_file = path };
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	put_file(" one\n", 0600);
	scripted_start(&world, script, O2_COUNT(script), &config);
	assert_int_equal(get(&world, &err), 0);
	put_file("\ttwo\n\n", 0600);
	assert_int_equal(get(&world, &err), 0);
	put_file("", 0600); /* for a moment: what works is kept */
	assert_int_equal(get(&world, &err), 0);
	assert_int_equal(scripted_count(&world), 3);
	scripted_stop(&world);
}

/* A plug-in that says token 1, 2, ... on each run, valid for so long. */
static void put_plugin(const char *expires)
{
	O2_AUTO(o2_freep)
	char *text = o2_xasprintf(
		"#!/bin/sh\n"
		"echo x >>%s.runs\n"
		"test -n \"$KUBERNETES_EXEC_INFO\" || exit 9\n"
		"echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/"
		"v1\",\"status\":{\"token\":\"s3cret'$(wc -l <%s.runs)'\"%s%s%s}}'\n",
		path, path, expires ? ",\"expirationTimestamp\":\"" : "", expires ? expires : "",
		expires ? "\"" : "");

	put_file(text, 0700);
}

static struct o2_kube_exec_plugin plugin_at(char *command)
{
	static char version[] = "client.authentication.k8s.io/v1";
	static char never[] = "Never";
	static char hint[] = "get\033it";

	return (struct o2_kube_exec_plugin){
		.api_version = version,
		.command = command,
		.interactive_mode = never,
		.install_hint = hint,
	};
}

static void remove_runs(void)
{
	O2_AUTO(o2_freep) char *runs = o2_xasprintf("%s.runs", path);

	unlink(runs);
}

/* Requests after the opening, with a plug-in whose tokens expire at `expires`: the tokens that are used. */
static void expect_tokens(const char *expires, const struct test_reply *replies, size_t count,
			  int repeats, const char *const *tokens)
{
	char user[] = "u";
	struct o2_kube_exec_plugin plugin = plugin_at(path);
	const struct o2_kube_config config = { .user = user, .exec = &plugin };
	struct scripted world;

	put_plugin(expires);
	scripted_start(&world, replies, count, &config);
	for (int i = 0; i < repeats; i++) {
		struct o2_err err = { 0 };
		assert_int_equal(get(&world, &err), 0);
	}
	for (int i = 0; tokens[i]; i++)
		expect_words(scripted_request(&world, i), tokens[i]);
	scripted_stop(&world);
	remove_runs();
}

static void test_a_plugin_is_asked_once_until_its_token_expires(void **state)
{
	const struct test_reply good = { .match = "/configmaps/m",
					 .bytes = scripted_answer(200, "", MAP),
					 .repeat = true };

	(void)state;
	expect_tokens(NULL, &good, 1, 2,
		      (const char *const[]){ WITH("s3cret1"), WITH("s3cret1"), NULL });
	expect_tokens("2999-01-01T00:00:00Z", &good, 1, 2,
		      (const char *const[]){ WITH("s3cret1"), WITH("s3cret1"), NULL });
	/* Expired from the start: two runs for discovery, and one more each time. */
	expect_tokens("2001-01-01T00:00:00Z", &good, 1, 2,
		      (const char *const[]){ WITH("s3cret3"), WITH("s3cret4"), NULL });
}

static void test_a_401_renews_the_credentials_once(void **state)
{
	const struct test_reply script[] = {
		{ .match = "/configmaps/m", .bytes = scripted_answer(401, "", "") },
		{ .match = WITH("s3cret2"), .bytes = scripted_answer(200, "", MAP) },
	};
	const struct test_reply never = { .match = "/configmaps/m",
					  .bytes = scripted_answer(401, "", ""),
					  .repeat = true };
	char user[] = "u";
	char token[] = "s3cret";
	const struct o2_kube_config config = { .user = user, .token = token };
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	expect_tokens(NULL, script, O2_COUNT(script), 1,
		      (const char *const[]){ WITH("s3cret1"), WITH("s3cret2"), NULL });
	scripted_start(&world, &never, 1, &config); /* nothing to renew: asked once */
	assert_int_equal(get(&world, &err), -O2_EAUTH);
	assert_int_equal(scripted_count(&world), 1);
	expect_words(err.message, "does not accept the credentials of user 'u': log in again");
	scripted_stop(&world);
}

static void expect_plugin(const char *script, int code, const char *words)
{
	struct o2_kube_plugin_answer answer = { 0 };
	struct o2_err err = { 0 };

	put_file(script, 0700);
	struct o2_kube_exec_plugin plugin = plugin_at(path);
	assert_int_equal(o2_kube_plugin_run(&plugin, "u", &answer, &err), -code);
	expect_words(err.message, words);
	assert_null(strstr(err.message, "s3cret"));
	o2_kube_plugin_answer_release(&answer);
}

#define SAYS(version, status) \
	"#!/bin/sh\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" \
	"client.authentication.k8s.io/" version "\",\"status\":{" status "}}'\n"

static void test_what_plugins_do_wrong(void **state)
{
	struct o2_kube_plugin_answer answer = { 0 };
	struct o2_err err = { 0 };
	char missing[] = "/nowhere/plugin";
	struct o2_kube_exec_plugin plugin = plugin_at(missing);

	(void)state;
	expect_plugin("#!/bin/sh\necho s3cret\nexit 3\n", O2_EAUTH, "failed (exit status 3)");
	expect_plugin("#!/bin/sh\nkill -9 $$\n", O2_EAUTH, "failed (signal 9)");
	expect_plugin("#!/bin/sh\necho s3cret\n", O2_EAUTH,
		      "did not answer with an ExecCredential");
	expect_plugin(SAYS("v1beta1", "\"token\":\"s3cret\""), O2_EAUTH, "answers in version");
	expect_plugin(SAYS("v1", ""), O2_EAUTH, "neither a token nor a client certificate");
	expect_plugin(SAYS("v1", "\"clientKeyData\":\"s3cret\""), O2_EAUTH, "without its key");
	expect_plugin(SAYS("v1", "\"token\":\"s3cret\",\"expirationTimestamp\":\"soon\""), O2_EAUTH,
		      "time of expiry");
	assert_int_equal(o2_kube_plugin_run(&plugin, "u", &answer, &err), -O2_ENOTFOUND);
	expect_words(err.message, "is not installed: get it");
}

static void test_acting_as_somebody_else(void **state)
{
	const struct test_reply good = { .match = "/configmaps/m",
					 .bytes = scripted_answer(200, "", MAP) };
	char as[] = "x";
	char group[] = "g";
	char extra[] = "Some/Key=v";
	char *groups[] = { group };
	char *extras[] = { extra };
	const struct o2_kube_config config = { .as = as,
					       .as_groups = { groups, 1, 1 },
					       .as_extra = { extras, 1, 1 } };
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, &good, 1, &config);
	assert_int_equal(get(&world, &err), 0);
	expect_words(scripted_request(&world, 0), "Impersonate-User: x\r\n");
	expect_words(scripted_request(&world, 0), "Impersonate-Group: g\r\n");
	expect_words(scripted_request(&world, 0), "Impersonate-Extra-Some%2FKey: v\r\n");
	scripted_stop(&world);
}

/* --- cancel requests, time limits --- */

static void ring(int signal_number)
{
	o2_cancel_request(signal_number);
}

static void cancel_soon(void)
{
	struct sigaction action = { .sa_handler = ring };
	struct itimerval timer = { .it_value.tv_usec = 100000 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void test_a_cancel_request_ends_the_wait(void **state)
{
	const struct test_reply hang = { .match = "/configmaps", .bytes = "", .end = TEST_HANG };
	const struct test_reply busy = { .match = "/configmaps",
					 .bytes = scripted_answer(429, "Retry-After: 20\r\n", ""),
					 .repeat = true };
	const struct {
		const struct test_reply *reply;
		bool write;
		int code, within_ms;
	} cases[] = {
		{ &hang, false, O2_ECANCELED, 1000 },
		{ &hang, true, O2_ETRANSIENT,
		  4500 }, /* it may have taken effect: a moment of grace */
		{ &busy, false, O2_ECANCELED, 1000 },
		{ &busy, true, O2_ECANCELED, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++) {
		struct scripted world;
		struct o2_err err = { 0 };

		scripted_start(&world, cases[i].reply, 1, NULL);
		cancel_soon();
		int64_t begin_ms = o2_clock_ms();
		int code = cases[i].write ? create(&world, "ConfigMap", &err) : get(&world, &err);
		assert_true(o2_clock_ms() - begin_ms < cases[i].within_ms);
		assert_int_equal(code, -cases[i].code);
		assert_int_equal(get(&world, &(struct o2_err){ 0 }), -O2_ECANCELED);
		o2_cancel_request(0);
		assert_int_equal(scripted_count(&world), 1);
		scripted_stop(&world);
	}
}

static void test_the_time_limit_that_was_given_counts(void **state)
{
	const struct test_reply hang = {
		.match = "/configmaps", .bytes = "", .end = TEST_HANG, .repeat = true
	};
	const struct o2_kube_config config = { .request_timeout_ms = 300 };
	struct scripted world;
	struct o2_err err = { 0 };
	int64_t begin_ms = o2_clock_ms();

	(void)state;
	scripted_start(&world, &hang, 1, &config);
	assert_int_equal(get(&world, &err), -O2_ETRANSIENT);
	assert_true(o2_clock_ms() - begin_ms < 2000);
	assert_string_equal(err.reason, O2_HTTP_TIMED_OUT);
	scripted_stop(&world);
}

/* --- writes --- */

static void test_a_delete_names_what_it_means(void **state)
{
	const struct test_reply good = { .match = "DELETE /api/v1/namespaces/s/configmaps/m HTTP",
					 .bytes = scripted_answer(200, "", MAP) };
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, &good, 1, NULL);
	struct o2_kube_write write = { .op = O2_KUBE_DO_DELETE,
				       .kind = kind_of(&world, "ConfigMap"),
				       .ns = "s",
				       .name = "m",
				       .uid = "u1",
				       .resource_version = "7" };
	assert_int_equal(o2_kube_write_one(world.kube, &write, &err), 0);
	expect_words(scripted_request(&world, 0),
		     "\"preconditions\":{\"uid\":\"u1\",\"resourceVersion\":\"7\"},"
		     "\"propagationPolicy\":\"Background\"");
	o2_doc_free(write.result);
	write.name = "..";
	assert_int_equal(o2_kube_write_one(world.kube, &write, &err), -O2_EINVALID);
	assert_int_equal(scripted_count(&world), 1);
	scripted_stop(&world);
}

int main(void)
{
#define WITH_FILE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_kind_that_is_not_served_is_asked_for_again),
		cmocka_unit_test(test_a_status_becomes_one_line),
		cmocka_unit_test(test_answers_that_are_none),
		cmocka_unit_test(test_reads_survive_lost_connections),
		cmocka_unit_test(test_a_server_that_asks_to_come_back_is_asked_again),
		cmocka_unit_test(test_nothing_else_is_asked_again),
		cmocka_unit_test(test_a_list_that_expires_starts_over_once),
		cmocka_unit_test(test_a_page_that_is_too_large_comes_in_smaller_ones),
		cmocka_unit_test(test_lists_that_are_damaged),
		WITH_FILE(test_a_token_file_is_read_again_when_it_rotates),
		WITH_FILE(test_a_plugin_is_asked_once_until_its_token_expires),
		WITH_FILE(test_a_401_renews_the_credentials_once),
		WITH_FILE(test_what_plugins_do_wrong),
		cmocka_unit_test(test_acting_as_somebody_else),
		cmocka_unit_test(test_a_cancel_request_ends_the_wait),
		cmocka_unit_test(test_the_time_limit_that_was_given_counts),
		cmocka_unit_test(test_a_delete_names_what_it_means),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
