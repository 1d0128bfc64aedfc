#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/file.h"

static char *dir;

static int make_dir(void **state)
{
	(void)state;
	dir = o2_xstrdup("/tmp/o2-file-test-XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	O2_AUTO(o2_freep) char *a = o2_xasprintf("%s/a", dir);
	O2_AUTO(o2_freep) char *b = o2_xasprintf("%s/d/e/f", dir);
	unlink(a);
	rmdir(b);
	*strrchr(b, '/') = '\0';
	rmdir(b);
	*strrchr(b, '/') = '\0';
	rmdir(b);
	int rc = rmdir(dir);
	o2_freep(&dir);
	return rc;
}

static size_t entries(void)
{
	DIR *handle = opendir(dir);
	size_t count = 0;

	assert_non_null(handle);
	for (struct dirent *entry = readdir(handle); entry != NULL; entry = readdir(handle))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(handle);
	return count;
}

static void what_is_written_is_read(void **state)
{
	O2_AUTO(o2_freep) char *path = o2_xasprintf("%s/a", dir);
	struct stat st;

	(void)state;
	for (int round = 0; round < 2; round++) {
		O2_AUTO(o2_freep) char *text = NULL;
		const char *content = round == 0 ? "one\0two" : "thr\0ee!";
		size_t len = 0;
		assert_int_equal(o2_file_write_durable(path, content, 7, 0640, NULL), 0);
		assert_int_equal(o2_file_read(path, 7, &text, &len, NULL), 0);
		assert_int_equal(len, 7);
		assert_memory_equal(text, content, 8);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(entries(), 1);
}

static void sizes_around_the_limit(void **state)
{
	O2_AUTO(o2_freep) char *path = o2_xasprintf("%s/a", dir);
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 100000 };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(sizes); i++) {
		O2_AUTO(o2_freep) char *content = o2_xcalloc(sizes[i], 1);
		O2_AUTO(o2_freep) char *text = NULL;
		struct o2_err err = { 0 };
		assert_int_equal(o2_file_write_durable(path, content, sizes[i], 0600, NULL), 0);
		assert_int_equal(o2_file_read(path, sizes[i], &text, NULL, NULL), 0);
		if (sizes[i] == 0)
			continue;
		o2_freep(&text);
		assert_int_equal(o2_file_read(path, sizes[i] - 1, &text, NULL, &err), -O2_ELIMIT);
		assert_null(text);
	}
}

static void a_pipe_is_read_to_its_limit(void **state)
{
	O2_AUTO(o2_freep) char *content = o2_xcalloc(1, 30000);
	int ends[2];

	(void)state;
	for (size_t max = 29999; max <= 30001; max++) {
		O2_AUTO(o2_freep) char *text = NULL;
		size_t len = 0;
		assert_int_equal(pipe(ends), 0);
		assert_int_equal(write(ends[1], content, 30000), 30000);
		close(ends[1]);
		O2_AUTO(o2_freep) char *path = o2_xasprintf("/dev/fd/%d", ends[0]);
		int rc = o2_file_read(path, max, &text, &len, NULL);
		assert_int_equal(rc, max < 30000 ? -O2_ELIMIT : 0);
		assert_int_equal(len, max < 30000 ? 0 : 30000);
		close(ends[0]);
	}
}

static void on_alarm(int signal_number)
{
	o2_cancel_request(signal_number);
}

static void a_signal_ends_the_waiting_for_a_pipe(void **state)
{
	struct sigaction action = { .sa_handler = on_alarm }, old;
	O2_AUTO(o2_freep) char *text = NULL;
	struct o2_err err = { 0 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	O2_AUTO(o2_freep) char *path = o2_xasprintf("/dev/fd/%d", ends[0]);
	sigaction(SIGALRM, &action, &old);
	ualarm(20000, 0);
	assert_int_equal(o2_file_read(path, 100, &text, NULL, &err), -O2_ECANCELED);
	assert_string_equal(err.message, "stopped by signal SIGALRM");
	sigaction(SIGALRM, &old, NULL);
	o2_cancel_request(0);
	close(ends[0]);
	close(ends[1]);
}

static void what_cannot_be_read_is_told(void **state)
{
	O2_AUTO(o2_freep) char *missing = o2_xasprintf("%s/missing", dir);
	O2_AUTO(o2_freep) char *below = o2_xasprintf("%s/a/b", dir);
	struct o2_err err = { 0 };
	char *text = NULL;

	(void)state;
	assert_int_equal(o2_file_read(missing, 9, &text, NULL, &err), -O2_ENOTFOUND);
	assert_non_null(strstr(err.message, missing));
	assert_int_equal(o2_file_read(below, 9, &text, NULL, NULL), -O2_ENOTFOUND);
	assert_int_equal(o2_file_read(dir, 9, &text, NULL, NULL), -O2_EINVALID);
	assert_null(text);
}

static void a_failed_write_leaves_nothing(void **state)
{
	O2_AUTO(o2_freep) char *path = o2_xasprintf("%s/no/a", dir);
	struct o2_err err = { 0 };

	(void)state;
	assert_int_equal(o2_file_write_durable(path, "x", 1, 0600, &err), -O2_ENOTFOUND);
	/* A directory can't be replaced by a file: the last step but one fails. */
	O2_AUTO(o2_freep) char *taken = o2_xasprintf("%s/d", dir);
	assert_int_equal(o2_file_mkdirs(taken, 0700, NULL), 0);
	size_t before = entries();
	o2_err_clear(&err);
	assert_int_equal(o2_file_write_durable(taken, "x", 1, 0600, &err), -O2_EINVALID);
	assert_int_equal(entries(), before);
}

static void a_failed_write_keeps_the_old_content(void **state)
{
	O2_AUTO(o2_freep) char *path = o2_xasprintf("%s/a", dir);
	O2_AUTO(o2_freep) char *text = NULL;
	struct rlimit old, small;
	struct o2_err err = { 0 };
	size_t before = entries();

	(void)state;
	assert_int_equal(o2_file_write_durable(path, "old", 3, 0600, NULL), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 5;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int rc = o2_file_write_durable(path, "new content", 11, 0600, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rc, -O2_ELIMIT);
	assert_int_equal(o2_file_read(path, 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "old");
	assert_int_equal(entries(), before);
}

static void directories_are_made_with_their_parents(void **state)
{
	O2_AUTO(o2_freep) char *path = o2_xasprintf("%s//d/e/f/", dir);
	O2_AUTO(o2_freep) char *file = o2_xasprintf("%s/a", dir);
	O2_AUTO(o2_freep) char *below = o2_xasprintf("%s/a/b", dir);
	struct stat st;

	(void)state;
	assert_int_equal(o2_file_mkdirs(path, 0700, NULL), 0);
	assert_int_equal(o2_file_mkdirs(path, 0700, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(o2_file_mkdirs("/", 0700, NULL), 0);
	assert_int_equal(o2_file_write_durable(file, "", 0, 0600, NULL), 0);
	assert_int_equal(o2_file_mkdirs(file, 0700, NULL), -O2_ECONFLICT);
	assert_int_equal(o2_file_mkdirs(below, 0700, NULL), -O2_ECONFLICT);
}

static void paths_beside_a_file(void **state)
{
	static const char *const cases[][3] = {
		{ "/a/b", "c", "/a/c" }, { "/b", "c", "/c" },         { "b", "c", "c" },
		{ "/a/b", "/c", "/c" },  { "a/b", "../c", "a/../c" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++) {
		O2_AUTO(o2_freep) char *path = o2_file_beside(cases[i][0], cases[i][1]);
		assert_string_equal(path, cases[i][2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(sizes_around_the_limit),
		cmocka_unit_test(a_pipe_is_read_to_its_limit),
		cmocka_unit_test(a_signal_ends_the_waiting_for_a_pipe),
		cmocka_unit_test(what_cannot_be_read_is_told),
		cmocka_unit_test(a_failed_write_leaves_nothing),
		cmocka_unit_test(a_failed_write_keeps_the_old_content),
		cmocka_unit_test(directories_are_made_with_their_parents),
		cmocka_unit_test(paths_beside_a_file),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
