#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "orders.h"

#define FUZZ_ROUNDS 20000

static const char good[] = "deadline 1795266822\n"
			   "must PATCH /api/v1/x?y=z application/json-patch+json 7 MARK-1\n"
			   "[{\n\0}]\n"
			   "\n"
			   "may DELETE /api/v1/z application/json 0 -\n"
			   "\n";
#define GOOD_LEN (sizeof(good) - 1)

static void check_good(const struct orders *orders)
{
	assert_non_null(orders);
	assert_int_equal(orders->deadline_unix, 1795266822);
	assert_int_equal(orders->count, 2);
	assert_true(orders->items[0].must);
	assert_string_equal(orders->items[0].method, "PATCH");
	assert_string_equal(orders->items[0].path, "/api/v1/x?y=z");
	assert_string_equal(orders->items[0].content_type, "application/json-patch+json");
	assert_int_equal(orders->items[0].body_len, 7);
	assert_memory_equal(orders->items[0].body, "[{\n\0}]\n", 8);
	assert_string_equal(orders->items[0].mark, "MARK-1");
	assert_false(orders->items[1].must);
	assert_string_equal(orders->items[1].method, "DELETE");
	assert_int_equal(orders->items[1].body_len, 0);
	assert_null(orders->items[1].mark);
}

static void requests_are_read_with_bodies_of_any_bytes(void **state)
{
	char path[] = "/tmp/os2os-orders-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	O2_AUTO(orders_freep) struct orders *orders = orders_parse(good, GOOD_LEN, NULL);
	check_good(orders);
	assert_true(fd >= 0 && write(fd, good, GOOD_LEN) == (ssize_t)GOOD_LEN);
	close(fd);
	O2_AUTO(orders_freep) struct orders *loaded = orders_load(path, NULL);
	unlink(path);
	check_good(loaded);
	struct o2_err err = { 0 };
	assert_null(orders_load(path, &err));
	assert_int_equal(err.code, -O2_ENOTFOUND);
}

/* Whatever is cut off shows. A mover of bytes that stops anywhere must not leave something that can be carried out in part. */
static void what_is_cut_is_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len < GOOD_LEN; len++) {
		struct o2_err err = { 0 };
		O2_AUTO(orders_freep) struct orders *orders = orders_parse(good, len, &err);
		/* Cut between the two requests it is a file with one. */
		if (orders != NULL)
			assert_int_equal(orders->count, 1);
		else
			assert_int_equal(err.code, -O2_EINVALID);
	}
}

static void what_is_wrong_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text;
		const char *line;
	} wrong[] = {
		{ "", "line 1 " },
		{ "deadline 1\n", "line 2 " },
		{ "deadline\nmay GET /a b 0 -\n\n", "line 1 " },
		{ "deadline -1\nmay GET /a b 0 -\n\n", "line 1 " },
		{ "deadline 1 2\nmay GET /a b 0 -\n\n", "line 1 " },
		{ "deadline 9999999999999999\nmay GET /a b 0 -\n\n", "line 1 " },
		{ "deadline 1\r\nmay GET /a b 0 -\n\n", "line 1 " },
		{ "deadline 1\nmight GET /a b 0 -\n\n", "line 2 " },
		{ "deadline 1\nmay get /a b 0 -\n\n", "line 2 " },
		{ "deadline 1\nmay GET a b 0 -\n\n", "line 2 " },
		{ "deadline 1\nmay GET  /a b 0 -\n\n", "line 2 " },
		{ "deadline 1\nmay GET /a b 0\n\n", "line 2 " },
		{ "deadline 1\nmay GET /a b 0 - -\n\n", "line 2 " },
		{ "deadline 1\nmay GET /a b 0 - \n\n", "line 2 " },
		{ "deadline 1\nmay GET /a b -1 -\n\n", "line 2 " },
		{ "deadline 1\nmay GET /a b 0x1 -\nb\n", "line 2 " },
		{ "deadline 1\nmay GET /a b 1 -\n\n", "line 2 " },
		{ "deadline 1\nmay GET /a b 0 -\nb\n", "line 2 " },
		{ "deadline 1\nmay GET /a b 999999999999999 -\nb\n", "line 2 " },
		{ "deadline 1\nmay GET /\303\244 b 0 -\n\n", "line 2 " },
		{ "deadline 1\nmay GET /a b 3 -\n\n\n\n\n\n", "line 7 " },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(wrong); i++) {
		struct o2_err err = { 0 };
		assert_null(orders_parse(wrong[i].text, strlen(wrong[i].text), &err));
		assert_int_equal(err.code, -O2_EINVALID);
		assert_non_null(strstr(err.message, wrong[i].line));
	}
}

static void what_is_too_large_is_refused(void **state)
{
	const size_t len = ORDERS_MAX_BYTES + 1;
	O2_AUTO(o2_freep) char *text = o2_xmalloc(len);
	int head = snprintf(text, len, "deadline 1\nmay GET /a b ");
	char tail[32];

	(void)state;
	memset(text + head, 'x', len - (size_t)head);
	size_t body = len - (size_t)head - strlen("1048540 -\n") - 1;
	int tail_len = snprintf(tail, sizeof(tail), "%zu -\n", body);
	memcpy(text + head, tail, (size_t)tail_len);
	text[len - 1] = '\n';
	assert_null(orders_parse(text, len, NULL));
	/* One byte less is taken, so it was the size. */
	snprintf(tail, sizeof(tail), "%zu -\n", body - 1);
	memcpy(text + head, tail, (size_t)tail_len);
	text[len - 2] = '\n';
	O2_AUTO(orders_freep) struct orders *orders = orders_parse(text, len - 1, NULL);
	assert_non_null(orders);
	assert_int_equal(orders->items[0].body_len, body - 1);
}

/* Nothing that is read may be used beyond its end: for the sanitizers. */
static void random_changes_do_no_harm(void **state)
{
	int taken = 0;

	(void)state;
	srandom(1);
	for (int round = 0; round < FUZZ_ROUNDS; round++) {
		O2_AUTO(o2_freep) char *text = o2_xmalloc(GOOD_LEN);
		size_t len = GOOD_LEN - (random() % 3 == 0 ? (size_t)random() % GOOD_LEN : 0);
		memcpy(text, good, len);
		for (long i = random() % 4; i > 0 && len > 0; i--)
			text[(size_t)random() % len] = "0123456789 \n-/mx\0\377"[random() % 18];
		O2_AUTO(o2_freep) char *exact = o2_xmalloc(len + 1);
		exact = o2_xrealloc(exact, len > 0 ? len : 1, 1);
		memcpy(exact, text, len);
		O2_AUTO(orders_freep) struct orders *orders = orders_parse(exact, len, NULL);
		taken += orders != NULL;
	}
	assert_in_range(taken, FUZZ_ROUNDS / 20, FUZZ_ROUNDS - FUZZ_ROUNDS / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_read_with_bodies_of_any_bytes),
		cmocka_unit_test(what_is_cut_is_refused),
		cmocka_unit_test(what_is_wrong_is_refused_with_its_line),
		cmocka_unit_test(what_is_too_large_is_refused),
		cmocka_unit_test(random_changes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
