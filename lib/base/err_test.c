#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/err.h"

static void fail_fills_everything(void **state)
{
	struct o2_err err = { 0 };

	(void)state;
	assert_int_equal(o2_fail(&err, O2_ELIMIT, "quota of '%s' is %d", "shop", 3), -O2_ELIMIT);
	assert_int_equal(err.code, -O2_ELIMIT);
	assert_int_equal(err.origin, O2_ORIGIN_NONE);
	assert_int_equal(err.number, 0);
	assert_string_equal(err.reason, "");
	assert_string_equal(err.message, "quota of 'shop' is 3");
}

static void nobody_need_listen(void **state)
{
	(void)state;
	assert_int_equal(o2_fail(NULL, O2_EBUSY, "x"), -O2_EBUSY);
	assert_int_equal(o2_fail_errno(NULL, ENOENT, "x"), -O2_ENOTFOUND);
	assert_int_equal(o2_prefix(NULL, "x"), -O2_EINTERNAL);
	o2_err_clear(NULL);
}

static void fail_errno_follows_the_number(void **state)
{
	static const struct {
		int errnum;
		int code;
	} cases[] = {
		{ ENOENT, O2_ENOTFOUND }, { EEXIST, O2_ECONFLICT },
		{ EACCES, O2_EAUTH },     { EWOULDBLOCK, O2_EBUSY },
		{ EIO, O2_EIO },          { ENOSPC, O2_ELIMIT },
		{ EISDIR, O2_EINVALID },  { ECONNREFUSED, O2_ETRANSIENT },
		{ EINTR, O2_ECANCELED },  { ENOSYS, O2_EUNSUPPORTED },
		{ 123456, O2_EIO },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++) {
		struct o2_err err = { 0 };
		assert_int_equal(o2_fail_errno(&err, cases[i].errnum, "cannot"), -cases[i].code);
		assert_int_equal(err.origin, O2_ORIGIN_ERRNO);
		assert_int_equal(err.number, cases[i].errnum);
	}
	struct o2_err err = { 0 };
	o2_fail_errno(&err, ENOENT, "cannot open '%s'", "a");
	assert_string_equal(err.message, "cannot open 'a': No such file or directory");
}

static void prefix_puts_context_in_front(void **state)
{
	struct o2_err err = { 0 };

	(void)state;
	o2_fail_errno(&err, ENOENT, "cannot open 'a'");
	assert_int_equal(o2_prefix(&err, "context '%s'", "b"), -O2_ENOTFOUND);
	assert_string_equal(err.message, "context 'b': cannot open 'a': No such file or directory");
	assert_int_equal(err.number, ENOENT);
}

static void a_long_message_is_cut_between_characters(void **state)
{
	char text[2 * O2_ERR_MESSAGE_MAX];

	(void)state;
	/* Whatever the offset, no half of an "é" (2 bytes) or "€" (3) may stay. */
	for (size_t offset = 0; offset < 6; offset++) {
		struct o2_err err = { 0 };
		size_t len = offset;
		memset(text, 'x', offset);
		for (; len + 6 < sizeof(text); len += 5)
			memcpy(text + len, "\xc3\xa9\xe2\x82\xac", 6);
		o2_fail(&err, O2_EINVALID, "%s", text);
		assert_null(strchr(err.message, '?'));
		assert_true(strlen(err.message) >= O2_ERR_MESSAGE_MAX - 4);
		assert_memory_equal(err.message, text, strlen(err.message));
	}
}

static void a_long_prefix_cuts_the_cause(void **state)
{
	struct o2_err err = { 0 };
	char text[O2_ERR_MESSAGE_MAX];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	o2_fail(&err, O2_EINVALID, "%s", text);
	o2_prefix(&err, "context");
	assert_memory_equal(err.message, "context: xxx", 12);
	assert_int_equal(strlen(err.message), O2_ERR_MESSAGE_MAX - 1);
	o2_prefix(&err, "%s", text);
	assert_string_equal(err.message, text);
	assert_int_equal(err.code, -O2_EINVALID);
}

static void control_characters_become_question_marks(void **state)
{
	struct o2_err err = { 0 };

	(void)state;
	o2_fail(&err, O2_EINVALID, "a\nb\x1b[2Jc\x7f\xc2\x9b\xff d\xc3\xa9");
	assert_string_equal(err.message, "a?b?[2Jc???? d\xc3\xa9");
}

static void clear_makes_it_usable_again(void **state)
{
	struct o2_err err = { 0 };

	(void)state;
	o2_fail(&err, O2_EINVALID, "one");
	o2_err_clear(&err);
	assert_int_equal(err.code, 0);
	assert_int_equal(o2_fail(&err, O2_EBUSY, "two"), -O2_EBUSY);
}

static void every_code_has_a_name(void **state)
{
	(void)state;
	for (int code = 0; code < O2_CODE_COUNT; code++) {
		assert_string_not_equal(o2_code_name(code), "unknown");
		assert_string_equal(o2_code_name(code), o2_code_name(-code));
	}
	assert_string_equal(o2_code_name(-O2_ENOTFOUND), "not found");
	assert_string_equal(o2_code_name(O2_CODE_COUNT), "unknown");
}

static void fail_twice(void)
{
	struct o2_err err = { 0 };

	o2_fail(&err, O2_EIO, "one");
	o2_fail(&err, O2_EIO, "two");
}

static void prefix_nothing(void)
{
	struct o2_err err = { 0 };

	o2_prefix(&err, "context");
}

/* The signal that ends a child which calls `wrong`, 0 if it returns. */
static int signal_of(void (*wrong)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		/* The assertion's text would look like a failure of this test. */
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		wrong();
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void mistakes_of_the_caller_are_asserted(void **state)
{
	(void)state;
	assert_int_equal(signal_of(fail_twice), SIGABRT);
	assert_int_equal(signal_of(prefix_nothing), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fail_fills_everything),
		cmocka_unit_test(nobody_need_listen),
		cmocka_unit_test(fail_errno_follows_the_number),
		cmocka_unit_test(prefix_puts_context_in_front),
		cmocka_unit_test(a_long_message_is_cut_between_characters),
		cmocka_unit_test(a_long_prefix_cuts_the_cause),
		cmocka_unit_test(control_characters_become_question_marks),
		cmocka_unit_test(clear_makes_it_usable_again),
		cmocka_unit_test(every_code_has_a_name),
		cmocka_unit_test(mistakes_of_the_caller_are_asserted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
