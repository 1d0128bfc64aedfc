#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/file.h"
#include "base/log.h"
#include "ui.h"

/* Run `fn` in a process whose stderr is a file; what it wrote, caller frees. */
static char *stderr_of(void (*fn)(void), int *out_status)
{
	char path[] = "/tmp/o2-ui-XXXXXX";
	char *text = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fd, STDERR_FILENO);
		fn();
		fflush(stderr);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, out_status, 0), pid);
	close(fd);
	assert_int_equal(o2_file_read(path, 1 << 20, &text, NULL, NULL), 0);
	unlink(path);
	return text;
}

static void assert_writes(void (*fn)(void), const char *expected)
{
	int status;
	O2_AUTO(o2_freep) char *text = stderr_of(fn, &status);

	assert_true(WIFEXITED(status));
	assert_string_equal(text, expected);
}

static void say_everything(void)
{
	o2_log(O2_DEBUG, "a detail");
	o2_log(O2_INFO, "news");
	o2_log(O2_WARN, "careful");
	o2_log(O2_ERROR, "cannot do '%s'", "it");
	o2_log_phase("prepare");
	o2_log_phase("prepare");        /* said once */
	o2_log_step(1, 10, "creating"); /* too early for a line of its own */
	o2_log_phase("start");
	o2_ui_wipe();
}

static void normal(void)
{
	o2_ui_init(O2_UI_NORMAL, O2_UI_COLOR_AUTO);
	say_everything();
}

static void quiet(void)
{
	o2_ui_init(O2_UI_QUIET, O2_UI_COLOR_AUTO);
	say_everything();
}

static void verbose(void)
{
	o2_ui_init(O2_UI_VERBOSE, O2_UI_COLOR_ON);
	say_everything();
}

static void test_levels(void **state)
{
	(void)state;
	assert_writes(normal, "news\nwarning: careful\nerror: cannot do 'it'\n"
			      "  0:00  prepare\n  0:00  start\n");
	assert_writes(quiet, "warning: careful\nerror: cannot do 'it'\n");
	assert_writes(verbose,
		      "\033[2mdebug: \033[0ma detail\nnews\n\033[33mwarning: \033[0mcareful\n"
		      "\033[31merror: \033[0mcannot do 'it'\n"
		      "  0:00  \033[1mprepare\033[0m\n  0:00  \033[1mstart\033[0m\n");
}

static void blockers(void)
{
	o2_ui_init(O2_UI_QUIET, O2_UI_COLOR_OFF);
	o2_ui_blocker("Secret shop/a", "is there\033[31m already", "remove it\nnow");
	o2_ui_blocker("", "nothing is selected", "");
}

static void test_blockers(void **state)
{
	(void)state;
	assert_writes(blockers, "error: Secret shop/a: is there [31m already\n"
				"  remedy: remove it now\n"
				"error: nothing is selected\n");
}

static bool colored(enum o2_ui_color color)
{
	o2_ui_init(O2_UI_NORMAL, color);
	o2_log_set_sink(NULL, NULL);
	return o2_ui_colored(stdout);
}

/* The option counts most, then NO_COLOR, then CLICOLOR_FORCE, then the terminal, which a test has not. */
static void test_color(void **state)
{
	(void)state;
	FILE *kept = stdout;
	stdout = fopen("/dev/null", "w");
	assert_non_null(stdout);
	unsetenv("NO_COLOR");
	unsetenv("CLICOLOR_FORCE");
	bool automatic = colored(O2_UI_COLOR_AUTO);
	bool forced = colored(O2_UI_COLOR_ON);
	setenv("CLICOLOR_FORCE", "1", 1);
	bool by_environment = colored(O2_UI_COLOR_AUTO);
	setenv("CLICOLOR_FORCE", "0", 1);
	bool by_zero = colored(O2_UI_COLOR_AUTO);
	setenv("CLICOLOR_FORCE", "1", 1);
	setenv("NO_COLOR", "1", 1);
	bool refused = colored(O2_UI_COLOR_AUTO);
	bool forced_all_the_same = colored(O2_UI_COLOR_ON);
	unsetenv("NO_COLOR");
	bool off = colored(O2_UI_COLOR_OFF);
	unsetenv("CLICOLOR_FORCE");
	fclose(stdout);
	stdout = kept;
	assert_false(automatic);
	assert_true(forced);
	assert_true(by_environment);
	assert_false(by_zero);
	assert_false(refused);
	assert_true(forced_all_the_same);
	assert_false(off);
}

/* --- signals ---------------------------------------------------------------------------------------------------------- */

static void three_signals_while_undoing(void)
{
	o2_ui_init(O2_UI_NORMAL, O2_UI_COLOR_OFF);
	o2_ui_catch_signals();
	o2_ui_undoing_needed(true);
	raise(SIGTERM);
	raise(SIGINT);
	raise(SIGINT);
	raise(SIGPIPE);
	if (o2_cancel_pending() != SIGTERM)
		_exit(1);
}

static void two_signals_while_planning(void)
{
	o2_ui_init(O2_UI_NORMAL, O2_UI_COLOR_OFF);
	o2_ui_catch_signals();
	raise(SIGINT);
	raise(SIGINT);
	_exit(1);
}

static void test_signals(void **state)
{
	int status;

	(void)state;
	O2_AUTO(o2_freep) char *undoing = stderr_of(three_signals_while_undoing, &status);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_string_equal(undoing, "\nundoing, please wait\n");
	/* Nothing is to be undone yet, so the second one ends it: by a code, not by the signal. */
	O2_AUTO(o2_freep) char *planning = stderr_of(two_signals_while_planning, &status);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 130);
	assert_string_equal(planning, "");
}

/* --- question --------------------------------------------------------------------------------------------------------- */

/* Answer from stdin, as the process's exit status: 1 for yes. */
static const char *answer;

static void ask(void)
{
	struct o2_err err = { 0 };
	int fds[2];
	bool yes = false;

	o2_ui_init(O2_UI_NORMAL, O2_UI_COLOR_OFF);
	if (pipe(fds) < 0 || write(fds[1], answer, strlen(answer)) < 0)
		_exit(9);
	close(fds[1]);
	dup2(fds[0], STDIN_FILENO);
	if (o2_ui_ask("Go on?", &yes, &err) < 0)
		_exit(8);
	fflush(stderr);
	_exit(yes ? 1 : 0);
}

static void test_only_yes_is_yes(void **state)
{
	static const char *const others[] = { "y\n",
					      "YES\n",
					      "yes please\n",
					      "\n",
					      "",
					      " yes\n",
					      "a much longer answer than was asked for\n" };
	int status;

	(void)state;
	answer = "yes\n";
	O2_AUTO(o2_freep) char *text = stderr_of(ask, &status);
	assert_string_equal(text, "Go on? ");
	assert_int_equal(WEXITSTATUS(status), 1);
	for (size_t i = 0; i < O2_COUNT(others); i++) {
		answer = others[i];
		O2_AUTO(o2_freep) char *ignored = stderr_of(ask, &status);
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),          cmocka_unit_test(test_blockers),
		cmocka_unit_test(test_color),           cmocka_unit_test(test_signals),
		cmocka_unit_test(test_only_yes_is_yes),
	};

	unsetenv("NO_COLOR");
	unsetenv("CLICOLOR_FORCE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
