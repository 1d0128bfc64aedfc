#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "completion.h"
#include "help.h"

static void assert_contains(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("'%s' is not in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		fail_msg("'%s' is in:\n%s", part, text);
}

static char *help_of(const char *program, const char *verb)
{
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	o2_buf_init(&out, 1 << 20);
	if (verb == NULL)
		o2_help_all(program, &out);
	else
		o2_help_verb(program, o2_cmd_find(verb), &out);
	assert_false(o2_buf_overflowed(&out));
	return o2_buf_steal(&out);
}

static void test_all_verbs(void **state)
{
	O2_AUTO(o2_freep) char *text = help_of("os2os", NULL);

	(void)state;
	assert_contains(text, "Usage:\n  os2os VERB [OPTIONS]\n");
	assert_contains(text, "\n  migrate      move an application");
	assert_contains(text, "\n  130, 143   interrupted\n");
	assert_lacks(text, "__contexts");
	/* Verbs of later versions are no promises yet. */
	assert_lacks(text, "snapshot");
	assert_lacks(text, "\t");
}

static void test_as_plugin(void **state)
{
	O2_AUTO(o2_freep) char *all = help_of("kubectl os2os", NULL);
	O2_AUTO(o2_freep) char *one = help_of("kubectl os2os", "migrate");

	(void)state;
	assert_contains(all, "  kubectl os2os VERB [OPTIONS]\n");
	assert_contains(one, "  kubectl os2os migrate [OPTIONS]\n");
	assert_contains(one, "  kubectl os2os migrate --from A --to B -n shop");
}

static void test_migrate(void **state)
{
	O2_AUTO(o2_freep) char *text = help_of("os2os", "migrate");

	(void)state;
	assert_contains(text, "\n  -n, --namespace NAMESPACE ");
	assert_contains(text, "\n      --dry-run[=none|client|server] ");
	assert_contains(text, "\n  -o, --output text|wide|json|yaml|name ");
	assert_contains(text, "\n      --as-group GROUP ");
	assert_contains(text,
			"Each also as --from-NAME, for the source, and --to-NAME, for the target.");
	/* The twins are told of in that one line. */
	assert_lacks(text, "--from-kubeconfig");
	assert_lacks(text, "--source-fenced");
	assert_lacks(text, "--token ");
}

static void test_other_verbs(void **state)
{
	O2_AUTO(o2_freep) char *recover = help_of("os2os", "recover");
	O2_AUTO(o2_freep) char *version = help_of("os2os", "version");
	O2_AUTO(o2_freep) char *inspect = help_of("os2os", "inspect");

	(void)state;
	assert_contains(recover, "os2os recover [ID] [OPTIONS]\n");
	assert_contains(recover, "--source-fenced");
	assert_contains(version, "--output text|json|yaml ");
	assert_lacks(version, "--kubeconfig");
	assert_contains(inspect, "Each also as --from-NAME.\n");
	assert_lacks(inspect, "--to ");
}

/* Every verb's help holds each of its options once, and no line is endless. */
static void test_every_verb(void **state)
{
	size_t count;
	const struct o2_cmd *cmds = o2_cmds(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		O2_AUTO(o2_freep) char *text = help_of("os2os", cmds[i].name);
		assert_contains(text, "--help");
		assert_lacks(text, "(null)");
		for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
			assert_true(strcspn(line, "\n") <= 140);
	}
}

/* --- completion ------------------------------------------------------------------------------------------------------- */

/* A skip leaves the test at once, so it comes before anything that would have to be freed. */
static void skip_without(const char *shell)
{
	O2_AUTO(o2_strs_release) struct o2_strs places = { 0 };
	bool found = false;

	o2_strs_split(&places, getenv("PATH") != NULL ? getenv("PATH") : "", ":");
	for (size_t i = 0; i < places.count && !found; i++) {
		O2_AUTO(o2_freep) char *path = o2_xasprintf("%s/%s", places.items[i], shell);
		found = access(path, X_OK) == 0;
	}
	o2_strs_release(&places);
	if (!found)
		skip();
}

/* Give `script` to a shell on stdin; its exit status. */
static int run_shell(const char *const *argv, const char *script)
{
	int pipe_fds[2];
	int status;

	assert_int_equal(pipe(pipe_fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipe_fds[0], STDIN_FILENO);
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(pipe_fds[0]);
	for (const char *p = script; *p != '\0';) {
		ssize_t len = write(pipe_fds[1], p, strlen(p));
		if (len < 0)
			break; /* no such shell */
		p += len;
	}
	close(pipe_fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static char *completion_of(void (*write)(struct o2_buf *))
{
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	o2_buf_init(&out, 1 << 20);
	write(&out);
	assert_false(o2_buf_overflowed(&out));
	return o2_buf_steal(&out);
}

static void test_bash(void **state)
{
	static const char *const bash[] = { "bash", "-eu", NULL };
	static const char asks[] = "expect() { COMP_WORDS=(os2os \"${@:2}\"); COMP_CWORD=$#; "
				   "COMPREPLY=(); COMP_CWORD=$(($# - 1));"
				   " _os2os; [ \"${COMPREPLY[*]}\" = \"$1\" ] || { echo \"$*: "
				   "${COMPREPLY[*]}\" >&2; exit 1; }; }\n"
				   "os2os() { echo A; echo B; }\n"
				   "expect 'migrate' mig\n"
				   "expect 'A B' migrate --from ''\n"
				   "expect 'json' migrate -o j\n"
				   "expect 'json' migrate --output = j\n"
				   "expect '--to-namespace' migrate --to-name\n"
				   "expect '' version --to-name\n"
				   "expect 'bash' completion b\n"
				   "expect 'status' help sta\n";
	O2_AUTO(o2_freep) char *text = completion_of(o2_completion_bash);
	O2_AUTO(o2_freep) char *script = o2_xasprintf("%s%s", text, asks);

	(void)state;
	assert_contains(text, "complete -F _os2os os2os\n");
	assert_lacks(text, "|__contexts");
	assert_int_equal(run_shell(bash, script), 0);
}

static void test_zsh(void **state)
{
	O2_AUTO(o2_freep) char *text = completion_of(o2_completion_zsh);

	(void)state;
	assert_contains(text, "#compdef os2os\n");
	assert_contains(text, " 'migrate:move an application");
}

static void test_zsh_reads_it(void **state)
{
	static const char *const zsh[] = { "zsh", "-n", NULL };

	(void)state;
	skip_without("zsh");
	O2_AUTO(o2_freep) char *text = completion_of(o2_completion_zsh);
	assert_int_equal(run_shell(zsh, text), 0);
}

static void test_fish(void **state)
{
	O2_AUTO(o2_freep) char *text = completion_of(o2_completion_fish);

	(void)state;
	assert_contains(text, "complete -c os2os -n __fish_use_subcommand -a migrate -d 'move ");
	assert_contains(text, "-l output -s o -d 'format of the result' -x -a 'text json yaml'\n");
}

static void test_fish_reads_it(void **state)
{
	static const char *const fish[] = { "fish", "-n", "/dev/stdin", NULL };

	(void)state;
	skip_without("fish");
	O2_AUTO(o2_freep) char *text = completion_of(o2_completion_fish);
	assert_int_equal(run_shell(fish, text), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_verbs),  cmocka_unit_test(test_as_plugin),
		cmocka_unit_test(test_migrate),    cmocka_unit_test(test_other_verbs),
		cmocka_unit_test(test_every_verb), cmocka_unit_test(test_bash),
		cmocka_unit_test(test_zsh),        cmocka_unit_test(test_zsh_reads_it),
		cmocka_unit_test(test_fish),       cmocka_unit_test(test_fish_reads_it),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
