#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "https.h"

#define FUZZ_ROUNDS 20000

/* Bytes that come in pieces. */
struct wire {
	const char *bytes;
	size_t len, at, piece;
};

static ptrdiff_t read_wire(void *arg, void *out, size_t cap, struct o2_err *err)
{
	struct wire *wire = arg;
	size_t len = wire->len - wire->at;

	(void)err;
	len = len < cap ? len : cap;
	len = wire->piece > 0 && len > wire->piece ? wire->piece : len;
	memcpy(out, wire->bytes + wire->at, len);
	wire->at += len;
	return (ptrdiff_t)len;
}

static int read_bytes(const char *bytes, size_t len, size_t piece, struct https_answer *out,
		      struct o2_err *err)
{
	struct wire wire = { .bytes = bytes, .len = len, .piece = piece };

	return https_read_answer(read_wire, &wire, out, err);
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void answers_are_read_whatever_their_pieces(void **state)
{
	static const struct {
		const char *bytes;
		int status;
		const char *body;
	} good[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", 200, "hello" },
		{ "HTTP/1.1 200\r\ncontent-length:5 \r\n\r\nhello", 200, "hello" },
		{ "HTTP/1.1 404 Not Found\n\nto the end", 404, "to the end" },
		{ "HTTP/1.0 500 no\r\nContent-Length: 0\r\n\r\n", 500, "" },
		{ "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", 204, "" },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 409 Conflict\r\n\r\nx", 409, "x" },
		{ CHUNKED "3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\n\r\n", 200, "abc0123456789" },
		{ CHUNKED "1\r\na\r\n000\r\nTrailer: x\r\n\r\n", 200, "a" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(good); i++) {
		for (size_t piece = 0; piece < 4; piece++) {
			O2_AUTO(https_answer_release) struct https_answer answer = { 0 };
			assert_int_equal(read_bytes(good[i].bytes, strlen(good[i].bytes), piece,
						    &answer, NULL),
					 0);
			assert_int_equal(answer.status, good[i].status);
			assert_int_equal(answer.len, strlen(good[i].body));
			assert_string_equal(answer.body, good[i].body);
		}
	}
}

static void what_is_wrong_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		int code;
	} wrong[] = {
		{ "", O2_ETRANSIENT },
		{ "HTTP/1.1 200 OK\r\nA: b\r\n", O2_ETRANSIENT },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", O2_ETRANSIENT },
		{ CHUNKED "3\r\nab", O2_ETRANSIENT },
		{ CHUNKED "3\r\nabc\r\n", O2_ETRANSIENT },
		{ CHUNKED "3\r\nabc\r\n0\r\n", O2_ETRANSIENT },
		{ CHUNKED "3\r\nabcd\r\n0\r\n\r\n", O2_ECORRUPT },
		{ CHUNKED "-3\r\nabc\r\n0\r\n\r\n", O2_ECORRUPT },
		{ CHUNKED "\r\n", O2_ECORRUPT },
		{ CHUNKED "ffffffffffffffff\r\nabc", O2_ECORRUPT },
		{ CHUNKED "fffffffff\r\nabc", O2_ELIMIT },
		{ "SSH-2.0-x\r\n\r\n", O2_ECORRUPT },
		{ "HTTP/2 200\r\n\r\n", O2_ECORRUPT },
		{ "HTTP/1.1 20\r\n\r\n", O2_ECORRUPT },
		{ "HTTP/1.1 2000\r\n\r\n", O2_ECORRUPT },
		{ "HTTP/1.1 099 x\r\n\r\n", O2_ECORRUPT },
		{ "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", O2_ECORRUPT },
		{ "HTTP/1.1 200 OK\r\n: b\r\n\r\n", O2_ECORRUPT },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", O2_ECORRUPT },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1 2\r\n\r\nabc", O2_ECORRUPT },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc",
		  O2_ECORRUPT },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", O2_ECORRUPT },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 4194305\r\n\r\nabc", O2_ELIMIT },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(wrong); i++) {
		struct https_answer answer = { 0 };
		struct o2_err err = { 0 };
		assert_int_equal(
			read_bytes(wrong[i].bytes, strlen(wrong[i].bytes), 0, &answer, &err),
			-wrong[i].code);
		assert_null(answer.body);
	}
}

static void repeat(struct o2_buf *out, const char *text, size_t count)
{
	while (count-- > 0)
		o2_buf_adds(out, text);
}

/* What a server sends without end is given up. */
static int read_endless(const char *head, const char *again, size_t count)
{
	O2_AUTO(o2_buf_release) struct o2_buf bytes = { 0 };
	O2_AUTO(https_answer_release) struct https_answer answer = { 0 };

	o2_buf_init(&bytes, 64 << 20);
	o2_buf_adds(&bytes, head);
	repeat(&bytes, again, count);
	return read_bytes(bytes.data, bytes.len, 0, &answer, NULL);
}

#define KIB_64 (64 << 10)

static void what_is_endless_is_given_up(void **state)
{
	(void)state;
	assert_int_equal(read_endless("HTTP/1.1 200 ", "x", KIB_64), -O2_ELIMIT);
	assert_int_equal(read_endless("HTTP/1.1 200 OK\r\n", "a: b\r\n", KIB_64), -O2_ELIMIT);
	assert_int_equal(read_endless("HTTP/1.1 200 OK\r\n\r\n", "x", HTTPS_BODY_MAX_BYTES), 0);
	assert_int_equal(read_endless("HTTP/1.1 200 OK\r\n\r\n", "x", HTTPS_BODY_MAX_BYTES + 1),
			 -O2_ELIMIT);
	assert_int_equal(read_endless(CHUNKED, "4\r\nabcd\r\n", HTTPS_BODY_MAX_BYTES / 4 + 1),
			 -O2_ELIMIT);
	assert_int_equal(read_endless(CHUNKED "0\r\n", "a: b\r\n", KIB_64), -O2_ELIMIT);
	assert_int_equal(read_endless("", "HTTP/1.1 100 Continue\r\n\r\n", 1000), -O2_ECORRUPT);
}

static void random_changes_do_no_harm(void **state)
{
	static const char good[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n"
				   "3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n";
	int taken = 0;

	(void)state;
	srandom(1);
	for (int round = 0; round < FUZZ_ROUNDS; round++) {
		char text[sizeof(good)];
		size_t len = sizeof(good) - 1;
		memcpy(text, good, sizeof(good));
		for (long i = random() % 4; i > 0; i--)
			text[(size_t)random() % len] = "0123456789af\r\n :;\0"[random() % 18];
		O2_AUTO(https_answer_release) struct https_answer answer = { 0 };
		taken += read_bytes(text, len, (size_t)random() % 5, &answer, NULL) == 0;
	}
	assert_in_range(taken, FUZZ_ROUNDS / 20, FUZZ_ROUNDS - FUZZ_ROUNDS / 20);
}

#define LOOPBACK \
	{ \
		.address = "127.0.0.1", .port = 1 \
	}

static void nothing_is_sent_that_would_change_the_request(void **state)
{
	static const struct {
		struct https_server server;
		struct https_request request;
	} wrong[] = {
		{ LOOPBACK, { .method = "GET", .path = "/a b" } },
		{ LOOPBACK, { .method = "GET", .path = "/a\r\nHost: b" } },
		{ LOOPBACK, { .method = "GET\n", .path = "/" } },
		{ LOOPBACK, { .method = "GET", .path = "/", .content_type = "a\rb" } },
		{ { .address = "127.0.0.1", .port = 1, .token = "a\nb" },
		  { .method = "GET", .path = "/" } },
		{ { .address = "localhost", .port = 1 }, { .method = "GET", .path = "/" } },
		{ { .address = "127.0.0.1", .port = 65536 }, { .method = "GET", .path = "/" } },
		{ { .address = "::1", .port = 0 }, { .method = "GET", .path = "/" } },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(wrong); i++) {
		struct https_answer answer = { 0 };
		struct o2_err err = { 0 };
		assert_int_equal(https_send(&wrong[i].server, &wrong[i].request, &answer, &err),
				 -O2_EINVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_read_whatever_their_pieces),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(what_is_endless_is_given_up),
		cmocka_unit_test(random_changes_do_no_harm),
		cmocka_unit_test(nothing_is_sent_that_would_change_the_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
