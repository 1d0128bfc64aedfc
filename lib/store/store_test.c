#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strs.h"
#include "store/store.h"

struct place {
	char dir[64];
	char *path;
	struct o2_strs warnings;
};

static void keep_warnings(void *arg, const struct o2_event *event)
{
	struct place *place = arg;

	if (event->kind == O2_EVENT_LOG && event->level == O2_WARN)
		o2_strs_add(&place->warnings, event->text);
}

static int set_up(void **state)
{
	struct place *place = o2_xcalloc(1, sizeof(*place));

	snprintf(place->dir, sizeof(place->dir), "/tmp/o2-store-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	assert_int_equal(chmod(place->dir, 0755), 0);
	place->path = o2_xasprintf("%s/state/os2os/history.db", place->dir);
	o2_log_set_sink(keep_warnings, place);
	*state = place;
	return 0;
}

static void remove_matching(const char *pattern)
{
	glob_t found;

	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			remove(found.gl_pathv[i]);
	globfree(&found);
}

static int tear_down(void **state)
{
	struct place *place = *state;
	static const char *const parts[] = { "/state/os2os/*", "/state/os2os", "/state", "" };

	o2_log_set_sink(NULL, NULL);
	for (size_t i = 0; i < O2_COUNT(parts); i++) {
		O2_AUTO(o2_freep) char *pattern = o2_xasprintf("%s%s", place->dir, parts[i]);
		remove_matching(pattern);
	}
	o2_strs_release(&place->warnings);
	free(place->path);
	free(place);
	return 0;
}

static struct o2_store *must_open(const struct place *place)
{
	struct o2_err err = { 0 };
	struct o2_store *store = o2_store_open(place->path, O2_STORE_WRITE, &err);

	if (store == NULL)
		fail_msg("%s", err.message);
	return store;
}

static int64_t must_begin(struct o2_store *store, const char *id)
{
	int64_t number = 0;

	assert_int_equal(o2_store_begin(store,
					&(struct o2_store_entry){
						.id = (char *)id,
						.command = "migrate",
						.started = 1000,
						.source = "A",
						.target = "B",
						.namespaces = "shop, web",
						.mode = "copy",
					},
					&number, NULL),
			 0);
	return number;
}

struct found {
	struct o2_store_entry entries[8];
	size_t count;
};

static int keep(void *arg, const struct o2_store_entry *entry)
{
	struct found *found = arg;

	assert_true(found->count < O2_COUNT(found->entries));
	o2_store_entry_copy(entry, &found->entries[found->count++]);
	return 0;
}

static void found_release(struct found *found)
{
	for (size_t i = 0; i < found->count; i++)
		o2_store_entry_release(&found->entries[i]);
}

static void test_write_and_read(void **state)
{
	O2_AUTO(o2_store_freep) struct o2_store *store = must_open(*state);
	O2_AUTO(found_release) struct found found = { 0 };
	const struct o2_store_step steps[] = {
		{ "create", "prepare", 0, 14, 800, 912, "done" },
		{ "start", "start", 0, 2, 6000, -1, "pending" },
	};

	int64_t first = must_begin(store, NULL);
	int64_t second = must_begin(store, "second");
	assert_true(second > first);
	assert_int_equal(o2_store_end(store, first,
				      &(struct o2_store_entry){ .id = "first",
								.ended = 1012,
								.end = "Done",
								.exit_code = 0,
								.report = "{\"a\":\"'\"}" },
				      steps, 2, NULL),
			 0);
	assert_int_equal(o2_store_list(store, NULL, 0, keep, &found, NULL), 0);
	assert_int_equal(found.count, 2);
	assert_string_equal(found.entries[0].id, "second");
	assert_int_equal(found.entries[0].ended, 0);
	assert_null(found.entries[0].end);
	assert_string_equal(found.entries[1].id, "first");
	assert_int_equal(found.entries[1].ended, 1012);
	assert_string_equal(found.entries[1].namespaces, "shop, web");
	assert_string_equal(found.entries[1].report, "{\"a\":\"'\"}");
}

static void test_limit_and_id(void **state)
{
	O2_AUTO(o2_store_freep) struct o2_store *store = must_open(*state);
	O2_AUTO(found_release) struct found newest = { 0 };
	O2_AUTO(found_release) struct found one = { 0 };

	must_begin(store, "a");
	must_begin(store, "b");
	must_begin(store, "a");
	assert_int_equal(o2_store_list(store, NULL, 2, keep, &newest, NULL), 0);
	assert_int_equal(newest.count, 2);
	assert_string_equal(newest.entries[1].id, "b");
	assert_int_equal(o2_store_list(store, "a", 1, keep, &one, NULL), 0);
	assert_int_equal(one.count, 1);
	assert_int_equal(one.entries[0].number, newest.entries[0].number);
}

static int stop(void *arg, const struct o2_store_entry *entry)
{
	(void)entry;
	++*(int *)arg;
	return -O2_ECANCELED;
}

static void test_reading_can_stop(void **state)
{
	O2_AUTO(o2_store_freep) struct o2_store *store = must_open(*state);
	int calls = 0;

	must_begin(store, "a");
	must_begin(store, "b");
	assert_int_equal(o2_store_list(store, NULL, 0, stop, &calls, NULL), -O2_ECANCELED);
	assert_int_equal(calls, 1);
}

static void test_end_of_unknown_number(void **state)
{
	O2_AUTO(o2_store_freep) struct o2_store *store = must_open(*state);
	struct o2_err err = { 0 };

	assert_int_equal(
		o2_store_end(store, 77, &(struct o2_store_entry){ .end = "Done" }, NULL, 0, &err),
		-O2_ENOTFOUND);
	/* The failure left no transaction open. */
	must_begin(store, "a");
}

static void test_file_is_private(void **state)
{
	struct place *place = *state;
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	O2_AUTO(o2_store_freep) struct o2_store *store = must_open(place);
	struct stat st;

	must_begin(store, "a");
	for (size_t i = 0; i < O2_COUNT(suffixes); i++) {
		O2_AUTO(o2_freep) char *path = o2_xasprintf("%s%s", place->path, suffixes[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void test_wide_mode_is_narrowed(void **state)
{
	struct place *place = *state;
	struct stat st;

	o2_store_free(must_open(place));
	assert_int_equal(chmod(place->path, 0644), 0);
	o2_store_free(must_open(place));
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_survives_reopening(void **state)
{
	struct place *place = *state;
	O2_AUTO(found_release) struct found found = { 0 };
	struct o2_store *store = must_open(place);

	must_begin(store, "a");
	o2_store_free(store);
	store = o2_store_open(place->path, O2_STORE_READ, NULL);
	assert_non_null(store);
	assert_int_equal(o2_store_list(store, NULL, 0, keep, &found, NULL), 0);
	assert_int_equal(found.count, 1);
	o2_store_free(store);
}

static void test_two_processes(void **state)
{
	O2_AUTO(o2_store_freep) struct o2_store *a = must_open(*state);
	O2_AUTO(o2_store_freep) struct o2_store *b = must_open(*state);
	O2_AUTO(found_release) struct found found = { 0 };

	must_begin(a, "a");
	must_begin(b, "b");
	assert_int_equal(o2_store_list(a, NULL, 0, keep, &found, NULL), 0);
	assert_int_equal(found.count, 2);
}

static void test_reading_what_is_not_there(void **state)
{
	struct place *place = *state;
	struct o2_err err = { 0 };

	assert_null(o2_store_open(place->path, O2_STORE_READ, &err));
	assert_int_equal(err.code, -O2_ENOTFOUND);
	assert_int_not_equal(access(place->path, F_OK), 0);
}

/* --- damage ----------------------------------------------------------------------------------------------------------- */

static void overwrite(const char *path, off_t offset, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, offset), len);
	assert_int_equal(close(fd), 0);
}

static void assert_set_aside(const struct place *place)
{
	O2_AUTO(o2_freep) char *pattern = o2_xasprintf("%s.damaged-*", place->path);
	glob_t found;

	assert_int_equal(place->warnings.count, 1);
	assert_non_null(strstr(place->warnings.items[0], "is damaged"));
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	globfree(&found);
}

static void test_not_a_database(void **state)
{
	struct place *place = *state;
	O2_AUTO(found_release) struct found found = { 0 };
	static const char text[] =
		"this is not a database, however long it may be; and it is long enough "
		"to be more than the hundred bytes of a header";

	o2_store_free(must_open(place));
	assert_int_equal(o2_file_write_durable(place->path, text, sizeof(text), 0600, NULL), 0);
	struct o2_store *store = must_open(place);
	assert_set_aside(place);
	must_begin(store, "a");
	assert_int_equal(o2_store_list(store, NULL, 0, keep, &found, NULL), 0);
	assert_int_equal(found.count, 1);
	o2_store_free(store);
}

static void test_damaged_page(void **state)
{
	struct place *place = *state;
	struct o2_store *store = must_open(place);
	char garbage[2048];

	for (int i = 0; i < 64; i++)
		must_begin(store, "a");
	o2_store_free(store); /* the log is written back */
	memset(garbage, 0x5a, sizeof(garbage));
	overwrite(place->path, 4096, garbage, sizeof(garbage));
	store = must_open(place);
	assert_set_aside(place);
	must_begin(store, "b");
	o2_store_free(store);
}

static void test_reader_sets_damage_aside_too(void **state)
{
	struct place *place = *state;
	O2_AUTO(found_release) struct found found = { 0 };

	o2_store_free(must_open(place));
	overwrite(place->path, 0, "garbage", 7);
	struct o2_store *store = o2_store_open(place->path, O2_STORE_READ, NULL);
	assert_non_null(store);
	assert_set_aside(place);
	assert_int_equal(o2_store_list(store, NULL, 0, keep, &found, NULL), 0);
	assert_int_equal(found.count, 0);
	o2_store_free(store);
}

static void test_newer_version(void **state)
{
	struct place *place = *state;
	struct o2_err err = { 0 };
	static const unsigned char version[] = { 0, 0, 0, 9 };

	o2_store_free(must_open(place));
	overwrite(place->path, 60, version, sizeof(version)); /* user_version in the header */
	assert_null(o2_store_open(place->path, O2_STORE_WRITE, &err));
	assert_int_equal(err.code, -O2_EUNSUPPORTED);
	assert_int_equal(place->warnings.count, 0);
}

/* --- places that can't be written ------------------------------------------------------------------------------------- */

static void test_directory_is_a_file(void **state)
{
	struct place *place = *state;
	struct o2_err err = { 0 };
	O2_AUTO(o2_freep) char *file = o2_xasprintf("%s/state", place->dir);

	assert_int_equal(o2_file_write_durable(file, "", 0, 0600, NULL), 0);
	assert_null(o2_store_open(place->path, O2_STORE_WRITE, &err));
	assert_true(err.code < 0);
	assert_int_equal(place->warnings.count, 0);
}

static void test_read_only_directory(void **state)
{
	struct place *place = *state;
	struct o2_err err = { 0 };
	bool root = geteuid() == 0;

	assert_int_equal(chmod(place->dir, 0555), 0);
	/* root may write anywhere: be nobody for a moment. */
	if (root)
		assert_int_equal(seteuid(65534), 0);
	struct o2_store *store = o2_store_open(place->path, O2_STORE_WRITE, &err);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(place->dir, 0755), 0);
	assert_null(store);
	assert_int_equal(err.code, -O2_EAUTH);
}

static void test_default_path(void **state)
{
	(void)state;
	setenv("XDG_STATE_HOME", "/x/state", 1);
	O2_AUTO(o2_freep) char *xdg = o2_store_default_path();
	assert_string_equal(xdg, "/x/state/os2os/history.db");
	unsetenv("XDG_STATE_HOME");
	setenv("HOME", "/home/u", 1);
	O2_AUTO(o2_freep) char *home = o2_store_default_path();
	assert_string_equal(home, "/home/u/.local/state/os2os/history.db");
	/* A relative path is invalid by the XDG specification and passed over. */
	setenv("XDG_STATE_HOME", "state", 1);
	O2_AUTO(o2_freep) char *relative = o2_store_default_path();
	assert_string_equal(relative, "/home/u/.local/state/os2os/history.db");
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	assert_null(o2_store_default_path());
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_write_and_read),
		TEST(test_limit_and_id),
		TEST(test_reading_can_stop),
		TEST(test_end_of_unknown_number),
		TEST(test_file_is_private),
		TEST(test_wide_mode_is_narrowed),
		TEST(test_survives_reopening),
		TEST(test_two_processes),
		TEST(test_reading_what_is_not_there),
		TEST(test_not_a_database),
		TEST(test_damaged_page),
		TEST(test_reader_sets_damage_aside_too),
		TEST(test_newer_version),
		TEST(test_directory_is_a_file),
		TEST(test_read_only_directory),
		TEST(test_default_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
