#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "options.h"

#define ARGV_MAX 24

/* Parse "migrate --from A"; the words may not hold spaces. Returns the code. */
static int parse(struct o2_args *args, const char *line, struct o2_err *err)
{
	O2_AUTO(o2_strs_release) struct o2_strs words = { 0 };
	char *argv[ARGV_MAX + 1] = { 0 };

	o2_strs_add(&words, "os2os");
	o2_strs_split(&words, line, " ");
	assert_true(words.count <= ARGV_MAX);
	for (size_t i = 0; i < words.count; i++)
		argv[i] = words.items[i];
	int verb = o2_args_find_verb((int)words.count, argv);
	assert_int_not_equal(verb, 0);
	const struct o2_cmd *cmd = o2_cmd_find(argv[verb]);
	assert_non_null(cmd);
	int rc = o2_args_read_argv(args, cmd, (int)words.count, argv, verb, err);
	return rc < 0 ? rc : o2_args_check(args, err);
}

static void must_parse(struct o2_args *args, const char *line)
{
	struct o2_err err = { 0 };

	if (parse(args, line, &err) < 0)
		fail_msg("%s: %s", line, err.message);
}

/* The line is refused with a message that contains `part`. */
static void assert_refused(const char *line, const char *part)
{
	O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };
	struct o2_err err = { 0 };

	if (parse(&args, line, &err) != -O2_EINVALID)
		fail_msg("accepted: %s", line);
	if (strstr(err.message, part) == NULL)
		fail_msg("%s: '%s' is not in '%s'", line, part, err.message);
}

/* --- what is understood ----------------------------------------------------------------------------------------------- */

static void test_forms_of_a_value(void **state)
{
	static const char *const lines[] = {
		"migrate --from A --to B --namespace shop",
		"migrate --from=A --to=B --namespace=shop",
		"migrate --from A --to B -n shop",
		"migrate --from A --to B -nshop",
		"migrate --from A --to B -n=shop",
		"migrate --from A --to B -vn shop",
		"-n shop migrate --from A --to B",
		"--from A -v migrate --to B -yvnshop",
		"migrate --from X --from A --to B -n shop",
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(lines); i++) {
		O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };
		must_parse(&args, lines[i]);
		assert_string_equal(args.side[O2_SOURCE].context, "A");
		assert_string_equal(args.side[O2_TARGET].context, "B");
		assert_int_equal(args.namespaces.count, 1);
		assert_string_equal(args.namespaces.items[0], "shop");
	}
}

static void test_lists(void **state)
{
	O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };

	(void)state;
	must_parse(&args,
		   "migrate --from A --to B -n a,b -n c -n a --exclude Job,CronJob.batch "
		   "--check x,y --check z --namespace-map a:b,c:d --storage-class-map :fast");
	assert_int_equal(args.namespaces.count, 3);
	assert_string_equal(args.namespaces.items[2], "c");
	assert_int_equal(args.exclude.count, 2);
	/* A command may hold commas. */
	assert_int_equal(args.checks.count, 2);
	assert_string_equal(args.checks.items[0], "x,y");
	assert_int_equal(args.namespace_map.count, 2);
	assert_string_equal(args.storage_class_map.items[0], ":fast");
}

static void test_optional_value(void **state)
{
	(void)state;
	O2_AUTO(o2_args_release) struct o2_args bare = { .program = "os2os" };
	must_parse(&bare, "migrate --from A --to B --dry-run");
	assert_string_equal(bare.dry_run, "server");
	O2_AUTO(o2_args_release) struct o2_args given = { .program = "os2os" };
	must_parse(&given, "migrate --from A --to B --dry-run=client");
	assert_string_equal(given.dry_run, "client");
}

static void test_flags(void **state)
{
	O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };

	(void)state;
	must_parse(&args, "recover --from A --record-lost --source-fenced=true --yes=false -q");
	assert_true(args.record_lost);
	assert_true(args.source_fenced);
	assert_false(args.yes);
	assert_true(args.quiet);
}

static void test_both_sides(void **state)
{
	O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };

	(void)state;
	must_parse(&args, "migrate --from-kubeconfig a --to-kubeconfig b --as me --to-as you "
			  "--from-as-group g1 --from-as-group g2");
	assert_string_equal(args.side[O2_SOURCE].kubeconfig, "a");
	assert_string_equal(args.side[O2_TARGET].kubeconfig, "b");
	assert_string_equal(args.both.as, "me");
	assert_string_equal(args.side[O2_TARGET].as, "you");
	assert_null(args.side[O2_SOURCE].as);
	assert_int_equal(args.side[O2_SOURCE].as_groups.count, 2);
}

static void test_words_behind_dashes(void **state)
{
	O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };

	(void)state;
	must_parse(&args, "resume --from A -- -n");
	assert_int_equal(args.words.count, 1);
	assert_string_equal(args.words.items[0], "-n");
}

static void test_verb_is_not_a_value(void **state)
{
	char *argv[] = { "os2os", "--from", "migrate", "-n", "help", "status", "x", NULL };

	(void)state;
	assert_int_equal(o2_args_find_verb(7, argv), 5);
	assert_int_equal(o2_args_find_verb(5, argv), 0);
}

/* --- what is refused -------------------------------------------------------------------------------------------------- */

static void test_unknown_options(void **state)
{
	(void)state;
	assert_refused("migrate --frm A", "did you mean '--from'?");
	assert_refused("migrate --namespcae-map a:b", "did you mean '--namespace-map'?");
	assert_refused("migrate --qqqqqqqqqq", "unknown option '--qqqqqqqqqq'");
	assert_refused("migrate -x", "unknown option '-x'");
	assert_refused("migrate -vx", "unknown option '-x' in '-vx'");
	assert_refused("history --yes", "'--yes' does not go with 'history'");
	assert_refused("history -y", "'-y' does not go with 'history'");
	assert_refused("migrate --source-fenced", "does not go with 'migrate'");
	/* Credentials are not taken, however they are called. */
	assert_refused("migrate --token x", "--token-file");
	assert_refused("migrate --from-token=x", "--from-token-file");
}

static void test_missing_values(void **state)
{
	(void)state;
	assert_refused("migrate --to B --from", "'--from' needs a value: CONTEXT");
	assert_refused("migrate --from A --to B -n", "'-n' needs a value");
	assert_refused("migrate --from= --to B", "option '--from': the value is empty");
	assert_refused("migrate --from A --to B -n ,", "the list is empty");
	assert_refused("migrate --from A", "needs the target: --to CONTEXT");
	assert_refused("migrate --to B", "needs the source: --from CONTEXT");
	assert_refused("completion", "needs bash|zsh|fish");
}

static void test_bad_values(void **state)
{
	(void)state;
	assert_refused("migrate --from A --to B --start-timeout 90", "'90' is not a duration");
	assert_refused("migrate --from A --to B --lost-timeout 0s", "shorter than a second");
	assert_refused("migrate --from A --to B --dry-run=serve", "did you mean 'server'?");
	assert_refused("migrate --from A --to B --volumes copy", "is not one of empty");
	assert_refused("migrate --from A --to B -o table",
		       "is not one of text|wide|json|yaml|name");
	assert_refused("version -o wide", "is not one of text|json|yaml");
	assert_refused("migrate --from A --to B --yes=maybe", "neither true nor false");
	assert_refused("migrate --from A --to B --namespace-map a", "'a' is not a pair");
	assert_refused("migrate --from A --to B --namespace-map :b", "is not a pair");
	assert_refused("migrate --from A --to B --namespace-map a:", "is not a pair");
	assert_refused("migrate --from A --to B --namespace-map a:b:c", "is not a pair");
	assert_refused("resume --from A x y", "does not know what to do with 'y'");
	assert_refused("migrate --from A --to B shop", "does not know what to do with 'shop'");
}

static void test_contradictions(void **state)
{
	(void)state;
	assert_refused("migrate --from A --to B -v -q", "contradict");
	assert_refused("migrate --from A --to B --color --no-color", "contradict");
	assert_refused("migrate --from A --to B -n a --to-namespace b --namespace-map a:b",
		       "contradict");
	assert_refused("migrate --from A --to B -n a,b --to-namespace c", "use --namespace-map");
	assert_refused("migrate --from A --to B -n a --from-namespace b", "contradict");
	assert_refused("migrate --from A --from-context B --to C", "contradict");
	assert_refused("migrate --from A --to B --detailed-exitcode", "is for a dry run");
}

/* --- durations -------------------------------------------------------------------------------------------------------- */

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int seconds;
	} good[] = {
		{ "1s", 1 },     { "90s", 90 },         { "5m", 300 },      { "1h30m", 5400 },
		{ "1d", 86400 }, { "1d2h3m4s", 93784 }, { "168h", 604800 }, { "007s", 7 },
	};
	static const char *const bad[] = {
		"",
		"s",
		"5",
		"-5s",
		"5 s",
		" 5s",
		"5S",
		"5ms",
		"5s1m",
		"5s5s",
		"1.5h",
		"5m5",
		"0s",
		"0m0s",
		"169h",
		"8d",
		"99999999999999999999s",
		"5sec",
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(good); i++) {
		int seconds = -1;
		assert_int_equal(o2_duration_parse(good[i].text, &seconds, NULL), 0);
		assert_int_equal(seconds, good[i].seconds);
	}
	for (size_t i = 0; i < O2_COUNT(bad); i++) {
		int seconds = -1;
		if (o2_duration_parse(bad[i], &seconds, NULL) != -O2_EINVALID)
			fail_msg("accepted '%s'", bad[i]);
		assert_int_equal(seconds, -1);
	}
}

/* --- file, environment, argv ------------------------------------------------------------------------------------------ */

static void read_config(struct o2_args *args, const char *verb, const char *yaml,
			struct o2_err *err, int expected)
{
	char path[] = "/tmp/o2-options-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
	close(fd);
	int rc = o2_args_read_config(args, o2_cmd_find(verb), path, err);
	unlink(path);
	if (rc != expected)
		fail_msg("%d instead of %d: %s", rc, expected, err->message);
}

static void test_each_source_overrides(void **state)
{
	O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };
	struct o2_err err = { 0 };

	(void)state;
	read_config(&args, "migrate",
		    "from: file\nto: file\nnamespace: [a, b]\nselector: x=y\nstart-timeout: 5m\n"
		    "yes: true\ncheck:\n- curl 'a,b'\n",
		    &err, 0);
	assert_string_equal(args.side[O2_SOURCE].context, "file");
	assert_int_equal(args.namespaces.count, 2);
	assert_int_equal(args.start_timeout_s, 300);
	assert_true(args.yes);
	assert_string_equal(args.checks.items[0], "curl 'a,b'");

	setenv("OS2OS_TO", "environment", 1);
	setenv("OS2OS_NAMESPACE", "c", 1);
	setenv("OS2OS_START_TIMEOUT", "6m", 1);
	setenv("OS2OS_SELECTOR", "", 1); /* empty is not given */
	assert_int_equal(o2_args_read_environment(&args, o2_cmd_find("migrate"), &err), 0);
	unsetenv("OS2OS_TO");
	unsetenv("OS2OS_NAMESPACE");
	unsetenv("OS2OS_START_TIMEOUT");
	unsetenv("OS2OS_SELECTOR");
	assert_string_equal(args.side[O2_TARGET].context, "environment");
	assert_int_equal(args.namespaces.count, 1);
	assert_string_equal(args.namespaces.items[0], "c");
	assert_string_equal(args.selector, "x=y");

	must_parse(&args, "migrate -n d -n e --start-timeout 7m");
	assert_string_equal(args.side[O2_SOURCE].context, "file");
	assert_int_equal(args.namespaces.count, 2);
	assert_string_equal(args.namespaces.items[0], "d");
	assert_int_equal(args.start_timeout_s, 420);
	assert_int_equal(o2_args_origin(&args, "start-timeout"), O2_FROM_ARGV);
	assert_int_equal(o2_args_origin(&args, "from"), O2_FROM_CONFIG);
	assert_int_equal(o2_args_origin(&args, "volumes"), O2_FROM_NOWHERE);
}

static void test_a_later_source_settles_a_contradiction(void **state)
{
	O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };
	struct o2_err err = { 0 };

	(void)state;
	read_config(&args, "migrate", "namespace-map: a:b\nquiet: true\n", &err, 0);
	must_parse(&args, "migrate --from A --to B -n a --to-namespace c -v");
	assert_true(o2_args_overrides(&args, "to-namespace", "namespace-map"));
	assert_false(o2_args_overrides(&args, "namespace-map", "to-namespace"));
}

static void test_what_is_meant_for_other_verbs(void **state)
{
	O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };
	struct o2_err err = { 0 };

	(void)state;
	/* 'show' has neither volumes nor wide. */
	read_config(&args, "show", "volumes: empty\noutput: wide\nfrom: A\n", &err, 0);
	assert_null(args.output);
	assert_null(args.volumes);
	assert_string_equal(args.side[O2_SOURCE].context, "A");
	assert_true(o2_args_output_is(&args, "text"));
}

static void assert_config_refused(const char *yaml, const char *part)
{
	O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };
	struct o2_err err = { 0 };

	read_config(&args, "migrate", yaml, &err, -O2_EINVALID);
	if (strstr(err.message, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, err.message);
}

static void test_bad_configuration(void **state)
{
	(void)state;
	assert_config_refused("form: A\n", "did you mean 'from'?");
	assert_config_refused("from: [A, B]\n", "key 'from': only one value");
	assert_config_refused("start-timeout: 90\n", "'90' is not a duration");
	assert_config_refused("source-fenced: true\n", "command line only");
	assert_config_refused("- from\n", "one mapping");
	assert_config_refused("from: {a: b}\n", "must be a text");
	assert_config_refused("from: on\n", "put it in quotes");
	assert_config_refused("from: 0123\n", "put it in quotes");
	assert_config_refused("from: A\n---\nto: B\n", "one mapping");
	assert_config_refused("from: [\n", "configuration '/tmp/");
}

static void test_absent_and_empty_configuration(void **state)
{
	O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };
	struct o2_err err = { 0 };

	(void)state;
	assert_int_equal(
		o2_args_read_config(&args, o2_cmd_find("migrate"), "/tmp/o2-no-such-file", &err),
		0);
	read_config(&args, "migrate", "", &err, 0);
	read_config(&args, "migrate", "# nothing\nfrom: null\n", &err, 0);
	assert_null(args.side[O2_SOURCE].context);
}

static void test_bad_environment(void **state)
{
	O2_AUTO(o2_args_release) struct o2_args args = { .program = "os2os" };
	struct o2_err err = { 0 };

	(void)state;
	setenv("OS2OS_LOST_TIMEOUT", "soon", 1);
	assert_int_equal(o2_args_read_environment(&args, o2_cmd_find("migrate"), &err),
			 -O2_EINVALID);
	unsetenv("OS2OS_LOST_TIMEOUT");
	assert_non_null(strstr(err.message, "'OS2OS_LOST_TIMEOUT'"));
	/* What the operator vouches for is said each time. */
	setenv("OS2OS_SOURCE_FENCED", "true", 1);
	assert_int_equal(o2_args_read_environment(&args, o2_cmd_find("recover"), NULL), 0);
	unsetenv("OS2OS_SOURCE_FENCED");
	assert_false(args.source_fenced);
}

/* --- did you mean ----------------------------------------------------------------------------------------------------- */

static void test_nearest(void **state)
{
	static const char *const names[] = { "migrate", "predict", "status", "show" };
	size_t count = O2_COUNT(names);

	(void)state;
	assert_string_equal(o2_nearest("migrat", names, count), "migrate");
	assert_string_equal(o2_nearest("imgrate", names, count), "migrate");
	assert_string_equal(o2_nearest("STATUS", names, count), "status");
	assert_string_equal(o2_nearest("hsow", names, count), "show");
	assert_null(o2_nearest("", names, count));
	assert_null(o2_nearest("xyzzy", names, count));
	assert_null(o2_nearest("migrate", names, 0));
	assert_null(
		o2_nearest("a-word-that-is-much-longer-than-any-name-could-ever-be", names, count));
}

/* --- the tables themselves -------------------------------------------------------------------------------------------- */

static void test_tables_are_sound(void **state)
{
	size_t cmd_count, opt_count;
	const struct o2_cmd *cmds = o2_cmds(&cmd_count);
	const struct o2_opt *opts = o2_opts(&opt_count);

	(void)state;
	for (size_t i = 0; i < opt_count; i++) {
		assert_non_null(opts[i].summary);
		assert_int_not_equal(opts[i].groups, 0);
		assert_int_equal(opts[i].value == NULL, opts[i].type == O2_OPT_FLAG);
		if (opts[i].type == O2_OPT_CHOICE)
			assert_non_null(opts[i].choices);
		for (size_t k = i + 1; k < opt_count; k++) {
			assert_string_not_equal(opts[i].name, opts[k].name);
			if (opts[i].letter != '\0')
				assert_int_not_equal(opts[i].letter, opts[k].letter);
		}
	}
	for (size_t i = 0; i < cmd_count; i++) {
		assert_non_null(cmds[i].run);
		assert_non_null(cmds[i].summary);
		assert_int_equal(cmds[i].outputs != NULL, (cmds[i].groups & O2_GROUP_OUTPUT) != 0);
		assert_int_equal(cmds[i].words != NULL, cmds[i].words_max > 0);
		for (size_t k = i + 1; k < cmd_count; k++)
			assert_string_not_equal(cmds[i].name, cmds[k].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms_of_a_value),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_optional_value),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_both_sides),
		cmocka_unit_test(test_words_behind_dashes),
		cmocka_unit_test(test_verb_is_not_a_value),
		cmocka_unit_test(test_unknown_options),
		cmocka_unit_test(test_missing_values),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_each_source_overrides),
		cmocka_unit_test(test_a_later_source_settles_a_contradiction),
		cmocka_unit_test(test_what_is_meant_for_other_verbs),
		cmocka_unit_test(test_bad_configuration),
		cmocka_unit_test(test_absent_and_empty_configuration),
		cmocka_unit_test(test_bad_environment),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_tables_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
