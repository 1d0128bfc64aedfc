#include "kube/kube.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "kube/scripted_test.h"

#define STREAM "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
#define LIST "GET /api/v1/namespaces/shop/configmaps?limit=500"
#define WATCH(version) \
	"GET /api/v1/namespaces/shop/configmaps?watch=1&allowWatchBookmarks=true&" \
	"resourceVersion=" version "&timeoutSeconds=300"
#define OBJECT(name, uid, version) \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"shop\",\"uid\":\"" uid \
	"\",\"resourceVersion\":\"" version "\"}}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define HEAD(version) "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":["
#define GONE \
	EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":" \
		       "\"too old\"}")

/* What the watch told, a line each: "ADDED a/1". */
struct story {
	struct scripted world;
	struct o2_kube_watch *watch;
	struct o2_buf text;
	struct o2_err err;
	int count;
	int free_at; /* free the watch in this call */
	int ask_at;  /* wait for another request in this call */
};

static void note(void *arg, enum o2_kube_event event, struct o2_doc *object,
		 const struct o2_err *err)
{
	static const char *const names[] = { "ADDED", "MODIFIED", "DELETED", "SYNCED", "FAILED" };
	struct story *story = arg;

	o2_buf_addf(&story->text, "%s", names[event]);
	if (object)
		o2_buf_addf(&story->text, " %s/%s", o2_doc_str(object, "/metadata/name", "?"),
			    o2_doc_str(object, "/metadata/resourceVersion", "?"));
	o2_buf_addc(&story->text, '\n');
	if (err)
		story->err = *err;
	story->count++;
	if (story->count == story->ask_at) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *got = o2_kube_get(
			story->world.kube, o2_kube_kind_find(story->world.kube, "", "ConfigMap"),
			"shop", "other", NULL);
		assert_non_null(got);
	}
	if (story->count == story->free_at) {
		o2_kube_watch_free(story->watch);
		story->watch = NULL;
	}
}

static void begin(struct story *story, const struct test_reply *replies, size_t count)
{
	*story = (struct story){ 0 };
	o2_buf_init(&story->text, 1 << 20);
	scripted_start(&story->world, replies, count, NULL);
	story->watch = o2_kube_watch_new(story->world.kube,
					 o2_kube_kind_find(story->world.kube, "", "ConfigMap"),
					 "shop", NULL, note, story);
	assert_int_equal(story->count, 0);
}

static void run(struct story *story, int count)
{
	int64_t end_ms = o2_clock_ms() + 5000;

	while (story->count < count && o2_clock_ms() < end_ms)
		o2_http_poll(story->world.http, 50);
}

static void run_until_requests(struct story *story, int count)
{
	int64_t end_ms = o2_clock_ms() + 5000;

	while (scripted_count(&story->world) < count && o2_clock_ms() < end_ms)
		o2_http_poll(story->world.http, 10);
	assert_int_equal(scripted_count(&story->world), count);
}

static void finish(struct story *story, const char *expected)
{
	o2_http_poll(story->world.http, 30); /* nothing may follow */
	assert_string_equal(story->text.data, expected);
	o2_kube_watch_free(story->watch);
	o2_buf_release(&story->text);
	scripted_stop(&story->world);
}

static void test_a_list_comes_first_then_changes(void **state)
{
	const struct test_reply script[] = {
		{ .match = WATCH("5"),
		  .bytes = STREAM EVENT("MODIFIED", OBJECT("a", "u1", "6"))
			  EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"9\"}}")
				  EVENT("ADDED", OBJECT("c", "u3", "10"))
					  EVENT("DELETED", OBJECT("b", "u2", "11")),
		  .end = TEST_HANG },
		{ .match = LIST,
		  .bytes = scripted_answer(
			  200, "",
			  HEAD("5") OBJECT("a", "u1", "1") "," OBJECT("b", "u2", "2") "]}") },
	};
	struct story story;

	(void)state;
	begin(&story, script, O2_COUNT(script));
	run(&story, 6);
	finish(&story, "ADDED a/1\nADDED b/2\nSYNCED\nMODIFIED a/6\nADDED c/10\nDELETED b/11\n");
}

/* Every split of the stream gives the same story. */
static void test_events_may_be_split_anywhere(void **state)
{
	static const char stream[] = STREAM EVENT("ADDED", OBJECT("a", "u1", "6")) EVENT(
		"MODIFIED", OBJECT("a", "u1", "7")) "\n" EVENT("DELETED", OBJECT("a", "u1", "8"));

	(void)state;
	for (size_t piece = 1; piece < 64; piece += 7) {
		const struct test_reply script[] = {
			{ .match = WATCH("5"), .bytes = stream, .piece = piece, .end = TEST_HANG },
			{ .match = LIST, .bytes = scripted_answer(200, "", HEAD("5") "]}") },
		};
		struct story story;

		begin(&story, script, O2_COUNT(script));
		run(&story, 4);
		finish(&story, "SYNCED\nADDED a/6\nMODIFIED a/7\nDELETED a/8\n");
	}
}

/* After `broken` the watch lists again, and tells what it missed. */
static void expect_mended(const char *broken, enum test_end end)
{
	const struct test_reply script[] = {
		{ .match = WATCH("5"), .bytes = broken, .end = end },
		{ .match = WATCH("9"), .bytes = STREAM, .end = TEST_HANG },
		{ .match = LIST,
		  .bytes = scripted_answer(
			  200, "",
			  HEAD("5") OBJECT("a", "u1", "1") "," OBJECT("b", "u2", "2") "," OBJECT(
				  "c", "u3", "3") "]}") },
		{ .match = LIST,
		  .bytes = scripted_answer(
			  200, "",
			  HEAD("9") OBJECT("a", "u1", "1") "," OBJECT("b", "u9", "7") "," OBJECT(
				  "d", "u4", "8") "]}") },
	};
	struct story story;

	begin(&story, script, O2_COUNT(script));
	run(&story, 8);
	run_until_requests(&story, 4);
	finish(&story,
	       "ADDED a/1\nADDED b/2\nADDED c/3\nSYNCED\nDELETED b/2\nADDED b/7\nADDED d/8\n"
	       "DELETED c/3\n");
}

static void test_losses_are_mended_by_listing_again(void **state)
{
	(void)state;
	expect_mended(STREAM, TEST_RESET);
	expect_mended("", TEST_RESET);
	expect_mended(STREAM GONE, TEST_HANG);
	expect_mended(STREAM "{\"type\":\"ADDED\",\"obj", TEST_CLOSE);
	expect_mended(STREAM "{\"type\":\"ADDED\",\"obj", TEST_RESET);
	expect_mended(STREAM "<html>\n", TEST_HANG);
	expect_mended(STREAM EVENT("NEWS", OBJECT("x", "u7", "8")), TEST_HANG);
	expect_mended(STREAM "{\"type\":\"ADDED\"}\n", TEST_HANG);
	expect_mended("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", TEST_KEEP);
	expect_mended("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", TEST_KEEP);
	expect_mended("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"typ",
		      TEST_CLOSE);
}

static void test_the_servers_end_of_a_stream_is_followed_by_the_next(void **state)
{
	const struct test_reply script[] = {
		{ .match = WATCH("5"),
		  .bytes = STREAM EVENT("ADDED", OBJECT("a", "u1", "6")),
		  .end = TEST_CLOSE },
		{ .match = WATCH("6"),
		  .bytes = STREAM EVENT("DELETED", OBJECT("a", "u1", "7")),
		  .end = TEST_HANG },
		{ .match = LIST, .bytes = scripted_answer(200, "", HEAD("5") "]}") },
	};
	struct story story;

	(void)state;
	begin(&story, script, O2_COUNT(script));
	run(&story, 3);
	finish(&story, "SYNCED\nADDED a/6\nDELETED a/7\n");
}

static void test_a_list_in_pages_may_start_over(void **state)
{
	const struct test_reply script[] = {
		{ .match = WATCH("9"), .bytes = STREAM, .end = TEST_HANG },
		{ .match = LIST "&continue=next",
		  .bytes = scripted_answer(410, "",
					   "{\"kind\":\"Status\",\"code\":410,\"reason\":"
					   "\"Expired\",\"message\":\"x\"}") },
		{ .match = LIST,
		  .bytes = scripted_answer(
			  200, "",
			  "{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"next\"},"
			  "\"items\":[" OBJECT("a", "u1", "1") "," OBJECT("b", "u2", "2") "]}") },
		{ .match = LIST,
		  .bytes = scripted_answer(
			  200, "",
			  HEAD("9") OBJECT("a", "u1", "1") "," OBJECT("c", "u3", "8") "]}") },
	};
	struct story story;

	(void)state;
	begin(&story, script, O2_COUNT(script));
	run(&story, 5);
	finish(&story, "ADDED a/1\nADDED b/2\nADDED c/8\nDELETED b/2\nSYNCED\n");
}

static void expect_refused(const char *list, const char *stream, const char *story_text,
			   const char *words)
{
	const struct test_reply script[] = {
		{ .match = WATCH("5"), .bytes = stream },
		{ .match = LIST, .bytes = list },
	};
	struct story story;

	begin(&story, script, O2_COUNT(script));
	run(&story, story_text[0] == 'S' ? 2 : 1);
	expect_words(story.err.message, words);
	finish(&story, story_text);
}

static void test_a_refusal_is_the_end(void **state)
{
	const char *forbidden = scripted_answer(
		403, "",
		"{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\",\"message\":\"no\"}");

	(void)state;
	expect_refused(forbidden, "", "FAILED\n",
		       "cannot list configmaps of namespace \"shop\" in A: no (403 Forbidden)");
	expect_refused(scripted_answer(200, "", HEAD("5") "]}"), forbidden, "SYNCED\nFAILED\n",
		       "cannot watch configmaps of namespace \"shop\" in A: no (403 Forbidden)");
}

static void test_a_list_is_asked_for_until_it_comes(void **state)
{
	const struct test_reply script[] = {
		{ .match = WATCH("5"), .bytes = STREAM, .end = TEST_HANG },
		{ .match = LIST, .bytes = "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n" },
		{ .match = LIST, .bytes = scripted_answer(200, "", "garbage") },
		{ .match = LIST, .bytes = scripted_answer(200, "", HEAD("5") "{]}") },
		{ .match = LIST,
		  .bytes = scripted_answer(200, "", HEAD("5") OBJECT("a", "u1", "1") "]}") },
	};
	struct story story;

	(void)state;
	begin(&story, script, O2_COUNT(script));
	run(&story, 2);
	finish(&story, "ADDED a/1\nSYNCED\n");
}

/* Freed in its callback number `at`, then or after a wait for another request. */
static void expect_freed(int at, bool after_waiting)
{
	const struct test_reply script[] = {
		{ .match = WATCH("5"),
		  .bytes = STREAM EVENT("ADDED", OBJECT("c", "u3", "6"))
			  EVENT("DELETED", OBJECT("a", "u1", "7")) GONE,
		  .end = TEST_HANG },
		{ .match = LIST,
		  .bytes = scripted_answer(
			  200, "",
			  HEAD("5") OBJECT("a", "u1", "1") "," OBJECT("b", "u2", "2") "]}") },
		{ .match = LIST, .bytes = scripted_answer(200, "", HEAD("8") "]}") },
		{ .match = "/configmaps/other ",
		  .bytes = scripted_answer(200, "", OBJECT("other", "u5", "5")) },
	};
	struct story story;

	begin(&story, script, O2_COUNT(script));
	story.free_at = at;
	story.ask_at = after_waiting ? at : 0;
	run(&story, at);
	o2_http_poll(story.world.http, 100);
	assert_int_equal(story.count, at);
	assert_null(story.watch);
	assert_int_equal(o2_http_in_flight(story.world.http), 0);
	o2_buf_release(&story.text);
	scripted_stop(&story.world);
}

static void test_it_may_be_freed_at_any_time(void **state)
{
	struct story story;

	(void)state;
	for (int at = 1; at <= 7; at++) {
		expect_freed(at, false);
		expect_freed(at, true);
	}
	begin(&story, NULL, 0); /* before anything came */
	finish(&story, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_list_comes_first_then_changes),
		cmocka_unit_test(test_events_may_be_split_anywhere),
		cmocka_unit_test(test_losses_are_mended_by_listing_again),
		cmocka_unit_test(test_the_servers_end_of_a_stream_is_followed_by_the_next),
		cmocka_unit_test(test_a_list_in_pages_may_start_over),
		cmocka_unit_test(test_a_refusal_is_the_end),
		cmocka_unit_test(test_a_list_is_asked_for_until_it_comes),
		cmocka_unit_test(test_it_may_be_freed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
