/*
 * os2os: the command. Finds the verb, reads its options from file, environment and command line, runs it.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cmd.h"
#include "help.h"
#include "options.h"
#include "output.h"
#include "ui.h"

/* As a plugin of kubectl the program is known by another name. */
static const char *program_name(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	const char *base = slash != NULL ? slash + 1 : argv0;

	return strcmp(base, "kubectl-os2os") == 0 ? "kubectl os2os" : "os2os";
}

static int usage_error(const struct o2_args *args, const struct o2_err *err)
{
	bool verb = args->cmd != NULL;

	O2_AUTO(o2_freep)
	char *hint = o2_xasprintf("See '%s%s%s --help'.\n", args->program, verb ? " " : "",
				  verb ? args->cmd->name : "");
	o2_log(O2_ERROR, "%s", err->message);
	o2_ui_text(hint);
	return O2_EXIT_USAGE;
}

static int unknown_verb(const struct o2_args *args, const char *name)
{
	const char *meant = o2_cmd_nearest(name);
	struct o2_err err = { 0 };

	if (meant != NULL)
		o2_fail(&err, O2_EINVALID, "unknown verb '%s'; did you mean '%s'?", name, meant);
	else
		o2_fail(&err, O2_EINVALID, "unknown verb '%s'", name);
	return usage_error(args, &err);
}

/* No verb: `os2os --help`, `os2os --version`, or something that is wrong. */
static int without_verb(struct o2_args *args, int argc, char **argv)
{
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };
	struct o2_err err = { 0 };

	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	o2_help_all(args->program, &out);
	if (argc > 1 && strcmp(argv[1], "--version") == 0)
		return o2_cmd_version(args);
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return o2_output_text(out.data) < 0 ? O2_EXIT_FAILED : O2_EXIT_DONE;
	if (argc > 1) {
		o2_fail(&err, O2_EINVALID, "no verb is given");
		return usage_error(args, &err);
	}
	o2_ui_text(out.data);
	return O2_EXIT_USAGE;
}

/* Later sources override earlier ones, so the command line comes last; but whether help is wanted must be known first. */
static int read_args(struct o2_args *args, const struct o2_cmd *cmd, int argc, char **argv,
		     int verb, struct o2_err *err)
{
	int rc = o2_args_read_argv(args, cmd, argc, argv, verb, err);

	if (rc < 0 || args->help || (cmd->flags & O2_CMD_PLAIN) != 0)
		return rc;
	const char *program = args->program;
	o2_args_release(args);
	*args = (struct o2_args){ .program = program };
	rc = o2_args_read_config(args, cmd, NULL, err);
	if (rc == 0)
		rc = o2_args_read_environment(args, cmd, err);
	if (rc == 0)
		rc = o2_args_read_argv(args, cmd, argc, argv, verb, err);
	return rc;
}

static void apply_globals(const struct o2_args *args)
{
	bool color =
		args->color && !(args->no_color && o2_args_overrides(args, "no-color", "color"));
	bool quiet = args->quiet && !(args->verbose && o2_args_overrides(args, "verbose", "quiet"));

	o2_ui_init(quiet           ? O2_UI_QUIET
		   : args->verbose ? O2_UI_VERBOSE
				   : O2_UI_NORMAL,
		   color            ? O2_UI_COLOR_ON
		   : args->no_color ? O2_UI_COLOR_OFF
				    : O2_UI_COLOR_AUTO);
}

static int run(struct o2_args *args, int argc, char **argv)
{
	int verb = o2_args_find_verb(argc, argv);
	struct o2_err err = { 0 };

	if (verb == 0)
		return without_verb(args, argc, argv);
	const struct o2_cmd *cmd = o2_cmd_find(argv[verb]);
	if (cmd == NULL)
		return unknown_verb(args, argv[verb]);
	int rc = read_args(args, cmd, argc, argv, verb, &err);
	apply_globals(args);
	if (rc == 0 && !args->help)
		rc = o2_args_check(args, &err);
	if (rc == -O2_EINVALID)
		return usage_error(args, &err);
	if (rc < 0) {
		o2_log(O2_ERROR, "%s", err.message);
		return O2_EXIT_FAILED;
	}
	if (args->help) {
		O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };
		o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
		o2_help_verb(args->program, cmd, &out);
		return o2_output_text(out.data) < 0 ? O2_EXIT_FAILED : O2_EXIT_DONE;
	}
	return cmd->run(args);
}

int main(int argc, char **argv)
{
	O2_AUTO(o2_args_release)
	struct o2_args args = {
		.program = program_name(argc > 0 ? argv[0] : ""),
	};

	o2_ui_init(O2_UI_NORMAL, O2_UI_COLOR_AUTO);
	o2_ui_catch_signals();
	int code = run(&args, argc, argv);
	o2_ui_wipe();
	return code;
}
