#include "stream/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "stream/stream.h"
#include "stream/stream_internal.h"

static void what_is_put_comes_back(void **state)
{
	struct o2_buf out;
	struct o2_wire_frame frame;
	size_t len;

	(void)state;
	o2_buf_init(&out, 1024);
	size_t at = o2_wire_begin(&out, 9);
	o2_wire_put_u8(&out, 0xfe);
	o2_wire_put_u16(&out, 0xfedc);
	o2_wire_put_u32(&out, 0xfedcba98);
	o2_wire_put_u64(&out, 0xfedcba9876543210);
	o2_wire_put_text(&out, "text");
	o2_wire_put_bytes(&out, "b\0c", 3);
	o2_wire_end(&out, at);
	for (size_t part = 0; part < out.len; part++)
		assert_int_equal(o2_wire_frame(out.data, part, &frame, NULL), 0);
	assert_int_equal(o2_wire_frame(out.data, out.len, &frame, NULL), out.len);
	assert_int_equal(frame.type, 9);
	struct o2_wire wire = o2_wire_open(&frame);
	assert_int_equal(o2_wire_u8(&wire), 0xfe);
	assert_int_equal(o2_wire_u16(&wire), 0xfedc);
	assert_int_equal(o2_wire_u32(&wire), 0xfedcba98);
	assert_true(o2_wire_u64(&wire) == 0xfedcba9876543210);
	O2_AUTO(o2_freep) char *text = o2_wire_text(&wire, 4);
	assert_string_equal(text, "text");
	assert_false(o2_wire_done(&wire));
	assert_memory_equal(o2_wire_bytes(&wire, 3, &len), "b\0c", 3);
	assert_int_equal(len, 3);
	assert_true(o2_wire_done(&wire));
	assert_int_equal(o2_wire_u8(&wire), 0);
	assert_false(o2_wire_done(&wire));
	o2_buf_release(&out);
}

static void what_does_not_fit_is_bad_for_good(void **state)
{
	static const unsigned char bytes[] = { 0, 0, 0, 4, 'a', 'b', 'c', 0, 0, 0, 1, 'x' };
	size_t len;

	(void)state;
	struct o2_wire longer = { .at = bytes, .left = 7 };
	assert_non_null(o2_wire_bytes(&longer, 100, &len));
	assert_int_equal(len, 0);
	assert_true(longer.bad);
	assert_int_equal(o2_wire_u8(&longer), 0);
	struct o2_wire over = { .at = bytes, .left = sizeof(bytes) };
	o2_wire_bytes(&over, 3, &len);
	assert_true(over.bad);
	struct o2_wire with_nul = { .at = bytes, .left = 8 };
	O2_AUTO(o2_freep) char *text = o2_wire_text(&with_nul, 100);
	assert_string_equal(text, "");
	assert_true(with_nul.bad);
}

static void a_frame_longer_than_any_is_corrupt(void **state)
{
	static const unsigned char bytes[] = { 0x7f, 0xff, 0xff, 0xff, 1 };
	struct o2_wire_frame frame;

	(void)state;
	assert_int_equal(o2_wire_frame(bytes, sizeof(bytes), &frame, NULL), -O2_ECORRUPT);
}

/* --- the driver's end --- */

struct heard {
	unsigned events;
	char fingerprint[O2_STREAM_DIGEST_SIZE];
	struct o2_buf said;
};

static int hear(void *arg, const void *bytes, size_t len, struct o2_err *err)
{
	struct heard *heard = arg;

	(void)err;
	o2_buf_add(&heard->said, bytes, len);
	return 0;
}

static void note(void *arg, const struct o2_stream_event *event)
{
	struct heard *heard = arg;

	heard->events++;
	if (event->type == O2_STREAM_HELLO)
		snprintf(heard->fingerprint, sizeof(heard->fingerprint), "%s", event->fingerprint);
}

static void put_hello(struct o2_buf *out, uint32_t version)
{
	size_t at = o2_wire_begin(out, O2_STREAM_HELLO + 1);

	o2_wire_put_text(out, O2_DRIVER_MAGIC);
	o2_wire_put_u32(out, version);
	o2_wire_put_u32(out, 7);
	o2_wire_put_text(out, "abc");
	o2_wire_put_u64(out, 1);
	o2_wire_end(out, at);
}

static int feed(struct heard *heard, const void *bytes, size_t len, size_t step)
{
	struct o2_stream_control *control = o2_stream_control_new(hear, note, heard);
	const char *at = bytes;
	int rc = 0;

	for (; rc == 0 && len > 0; at += step, len -= step) {
		step = step < len ? step : len;
		rc = o2_stream_control_feed(control, at, step, NULL);
	}
	o2_stream_control_free(control);
	return rc;
}

static void events_come_however_the_bytes_are_cut(void **state)
{
	struct o2_buf bytes;

	(void)state;
	o2_buf_init(&bytes, 65536);
	put_hello(&bytes, O2_STREAM_VERSION);
	for (int i = 0; i < 3; i++) {
		size_t at = o2_wire_begin(&bytes, O2_STREAM_RELAY + 1);
		o2_buf_add(&bytes, "0123456789", (size_t)i * 5);
		o2_wire_end(&bytes, at);
	}
	for (size_t step = 1; step <= bytes.len; step++) {
		struct heard heard = { 0 };
		assert_int_equal(feed(&heard, bytes.data, bytes.len, step), 0);
		assert_int_equal(heard.events, 4);
		assert_string_equal(heard.fingerprint, "abc");
	}
	o2_buf_release(&bytes);
}

static void what_is_no_agent_is_corrupt(void **state)
{
	static const char shell[] = "sh: /agent: not found\n";
	struct heard heard = { 0 };
	struct o2_buf other;

	(void)state;
	assert_int_equal(feed(&heard, shell, strlen(shell), 100), -O2_ECORRUPT);
	o2_buf_init(&other, 1024);
	put_hello(&other, O2_STREAM_VERSION + 1);
	assert_int_equal(feed(&heard, other.data, other.len, 100), -O2_ECORRUPT);
	o2_buf_clear(&other);
	size_t at = o2_wire_begin(&other, O2_STREAM_CONNECTED + 1); /* before its hello */
	o2_wire_end(&other, at);
	assert_int_equal(feed(&heard, other.data, other.len, 100), -O2_ECORRUPT);
	assert_int_equal(heard.events, 0);
	o2_buf_release(&other);
}

/* Seeded, so that a failure comes again. Right frames in which bytes are changed get further than noise. */
static void random_frames_from_an_agent_are_survived(void **state)
{
	unsigned seed = 11;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct heard heard = { 0 };
		struct o2_buf bytes;
		o2_buf_init(&bytes, 65536);
		put_hello(&bytes, O2_STREAM_VERSION);
		for (int j = 0; j < 5; j++) {
			size_t at = o2_wire_begin(&bytes, (uint8_t)(1 + rand_r(&seed) % 11));
			for (int k = rand_r(&seed) % 90; k > 0; k--)
				o2_wire_put_u8(&bytes,
					       rand_r(&seed) % 3 ? 0 : (uint8_t)rand_r(&seed));
			o2_wire_end(&bytes, at);
		}
		if (i % 2)
			bytes.data[(size_t)rand_r(&seed) % bytes.len] ^= (char)(1 << i % 7);
		int rc = feed(&heard, bytes.data, bytes.len, 1 + (size_t)rand_r(&seed) % 50);
		assert_true(rc == 0 || rc == -O2_ECORRUPT);
		o2_buf_release(&bytes);
	}
}

static void the_first_command_says_who_speaks(void **state)
{
	struct heard heard = { 0 };
	struct o2_wire_frame frame;
	struct o2_stream_control *control = o2_stream_control_new(hear, note, &heard);

	(void)state;
	o2_buf_init(&heard.said, 4096);
	assert_int_equal(o2_stream_control_receive(control, NULL), 0);
	assert_int_equal(o2_stream_control_bye(control, NULL), 0);
	ptrdiff_t first = o2_wire_frame(heard.said.data, heard.said.len, &frame, NULL);
	assert_int_equal(frame.type, O2_COMMAND_HELLO);
	ptrdiff_t second = o2_wire_frame(heard.said.data + first, heard.said.len - (size_t)first,
					 &frame, NULL);
	assert_int_equal(frame.type, O2_COMMAND_RECEIVE);
	assert_true(o2_wire_frame(heard.said.data + first + second,
				  heard.said.len - (size_t)(first + second), &frame, NULL) > 0);
	assert_int_equal(frame.type, O2_COMMAND_BYE);
	o2_stream_control_free(control);
	o2_buf_release(&heard.said);
}

/* --- paths --- */

static void paths_are_ordered_as_a_walk_meets_them(void **state)
{
	static const char *const ordered[] = { "", "a", "a/b", "a/b/c", "a/c", "a!", "a.b", "b" };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(ordered); i++)
		for (size_t j = 0; j < O2_COUNT(ordered); j++) {
			int order = o2_path_compare(ordered[i], ordered[j]);
			assert_true(i < j ? order < 0 : i > j ? order > 0 : order == 0);
		}
	assert_true(o2_path_below("a/b", "a"));
	assert_false(o2_path_below("ab", "a"));
	assert_false(o2_path_below("a", "a"));
	assert_true(o2_path_below("a", ""));
}

/* --- memory --- */

static void records_come_back_in_order(void **state)
{
	struct o2_memory *memory = o2_memory_new();
	struct o2_cursor cursor;
	unsigned char blocks[3 * O2_SHA256_BYTES];

	(void)state;
	memset(blocks, 0x5a, sizeof(blocks));
	for (int i = 0; i < 20000; i++) {
		O2_AUTO(o2_freep) char *path = o2_xasprintf("dir/%06d/file", i);
		struct o2_record record = { .path = path,
					    .type = O2_ENTRY_FILE,
					    .size = (uint64_t)i,
					    .blocks = blocks,
					    .block_count = (size_t)i % 4 };
		o2_memory_add(memory, &record);
	}
	for (int consume = 0; consume < 2; consume++) {
		int i = 0;
		o2_cursor_init(&cursor, memory, consume);
		for (; cursor.record; o2_cursor_next(&cursor), i++) {
			O2_AUTO(o2_freep) char *path = o2_xasprintf("dir/%06d/file", i);
			assert_string_equal(cursor.record->path, path);
			assert_int_equal(cursor.record->size, i);
			assert_int_equal(cursor.record->block_count, i % 4);
			assert_memory_equal(cursor.record->blocks, blocks,
					    (size_t)(i % 4) * O2_SHA256_BYTES);
		}
		assert_int_equal(i, 20000);
		o2_cursor_release(&cursor);
	}
	o2_memory_free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_comes_back),
		cmocka_unit_test(what_does_not_fit_is_bad_for_good),
		cmocka_unit_test(a_frame_longer_than_any_is_corrupt),
		cmocka_unit_test(events_come_however_the_bytes_are_cut),
		cmocka_unit_test(what_is_no_agent_is_corrupt),
		cmocka_unit_test(random_frames_from_an_agent_are_survived),
		cmocka_unit_test(the_first_command_says_who_speaks),
		cmocka_unit_test(paths_are_ordered_as_a_walk_meets_them),
		cmocka_unit_test(records_come_back_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
