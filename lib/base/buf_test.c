#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void content_grows_and_ends_with_nul(void **state)
{
	struct o2_buf buf;

	(void)state;
	o2_buf_init(&buf, 1000);
	assert_string_equal(buf.data, "");
	o2_buf_adds(&buf, "ab");
	o2_buf_addc(&buf, 'c');
	o2_buf_add(&buf, "d\0e", 3);
	o2_buf_add(&buf, NULL, 0);
	o2_buf_addf(&buf, "%d%%", 42);
	assert_int_equal(buf.len, 9);
	assert_memory_equal(buf.data, "abcd\0e42%", 10);
	for (int i = 0; i < 900; i++)
		o2_buf_addc(&buf, 'x');
	assert_int_equal(buf.len, 909);
	assert_false(o2_buf_overflowed(&buf));
	o2_buf_release(&buf);
	o2_buf_release(&buf);
}

static void the_maximum_can_be_reached(void **state)
{
	struct o2_buf buf;

	(void)state;
	o2_buf_init(&buf, 4);
	o2_buf_adds(&buf, "ab");
	o2_buf_addf(&buf, "%s", "cd");
	assert_false(o2_buf_overflowed(&buf));
	assert_string_equal(buf.data, "abcd");
	o2_buf_release(&buf);
	o2_buf_init(&buf, 0);
	o2_buf_adds(&buf, "");
	assert_false(o2_buf_overflowed(&buf));
	o2_buf_release(&buf);
}

static void an_overflow_adds_nothing_and_is_sticky(void **state)
{
	struct o2_buf buf;

	(void)state;
	for (int way = 0; way < 4; way++) {
		o2_buf_init(&buf, 4);
		o2_buf_adds(&buf, "ab");
		if (way == 0)
			o2_buf_adds(&buf, "cde");
		else if (way == 1)
			o2_buf_addf(&buf, "%d", 345);
		else if (way == 2)
			o2_buf_add_path(&buf, "/");
		else
			o2_buf_add(&buf, "cde", SIZE_MAX);
		assert_true(o2_buf_overflowed(&buf));
		o2_buf_addc(&buf, 'c');
		assert_string_equal(buf.data, "ab");
		o2_buf_clear(&buf);
		assert_false(o2_buf_overflowed(&buf));
		o2_buf_adds(&buf, "abcd");
		assert_string_equal(buf.data, "abcd");
		o2_buf_release(&buf);
	}
}

static void paths_are_percent_encoded(void **state)
{
	struct o2_buf buf;

	(void)state;
	o2_buf_init(&buf, 100);
	o2_buf_add_path(&buf, "aZ09-._~");
	o2_buf_add_path(&buf, "/ ?#%+&=:\xc3\xa9\n");
	assert_string_equal(buf.data, "aZ09-._~%2F%20%3F%23%25%2B%26%3D%3A%C3%A9%0A");
	o2_buf_release(&buf);
}

static void stealing_leaves_an_empty_buffer(void **state)
{
	struct o2_buf buf;

	(void)state;
	o2_buf_init(&buf, 8);
	o2_buf_adds(&buf, "abc");
	O2_AUTO(o2_freep) char *text = o2_buf_steal(&buf);
	assert_string_equal(text, "abc");
	assert_string_equal(buf.data, "");
	o2_buf_adds(&buf, "12345678");
	assert_false(o2_buf_overflowed(&buf));
	o2_buf_release(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_grows_and_ends_with_nul),
		cmocka_unit_test(the_maximum_can_be_reached),
		cmocka_unit_test(an_overflow_adds_nothing_and_is_sticky),
		cmocka_unit_test(paths_are_percent_encoded),
		cmocka_unit_test(stealing_leaves_an_empty_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
