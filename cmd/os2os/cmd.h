/*
 * Commands: one row of one table (commands.c) a verb, one file cmd_<verb>.c a row.
 *
 * Help, usage errors and shell completion are generated from the rows. A verb's `run` gets the parsed arguments and returns the
 * exit code; it never exits. What it prints on stdout is its result, everything else goes through o2_log() to stderr.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct o2_args;

enum o2_exit {
	O2_EXIT_DONE = 0,
	O2_EXIT_FAILED = 1, /* nothing was changed, or all was undone */
	O2_EXIT_USAGE = 2,
	O2_EXIT_HALFWAY = 3,      /* needs `os2os recover` */
	O2_EXIT_PRECONDITION = 4, /* blocker, drift, conflict; nothing was changed */
	O2_EXIT_PENDING = 5,      /* --detailed-exitcode only */
	O2_EXIT_OPEN = 6,         /* committed, a later step is open: `os2os resume` */
	O2_EXIT_SIGNAL = 128,     /* and the signal's number */
};

/* What a row says about its verb. */
enum o2_cmd_flag {
	O2_CMD_NEEDS_SRC = 1 << 0, /* --from (or another way to name the source) must be given */
	O2_CMD_NEEDS_DST = 1 << 1,
	O2_CMD_MUTATES = 1 << 2, /* changes clusters */
	O2_CMD_HIDDEN = 1 << 3,  /* left out of help and completion */
	O2_CMD_PLAIN =
		1
		<< 4, /* reads neither configuration file nor environment: always works, at once */
};

/* Groups of options; an option names the groups it belongs to, a verb the groups it takes. */
enum o2_opt_group {
	O2_GROUP_GLOBAL = 1 << 0,    /* every verb: --help, --verbose ... */
	O2_GROUP_OUTPUT = 1 << 1,    /* -o */
	O2_GROUP_SOURCE = 1 << 2,    /* --from, --from-* */
	O2_GROUP_TARGET = 1 << 3,    /* --to, --to-* */
	O2_GROUP_KUBECTL = 1 << 4,   /* kubectl's plain flags: both sides */
	O2_GROUP_NAMESPACE = 1 << 5, /* -n */
	O2_GROUP_SELECT = 1 << 6,    /* which objects */
	O2_GROUP_REWRITE = 1 << 7,   /* what becomes of them */
	O2_GROUP_PLAN = 1 << 8,      /* how it is to be done */
	O2_GROUP_DRY_RUN = 1 << 9,
	O2_GROUP_CONFIRM = 1 << 10,  /* --yes */
	O2_GROUP_RECOVERY = 1 << 11, /* --record-lost, --source-fenced */
	O2_GROUP_LOST = 1 << 12,     /* --lost-timeout */
};

struct o2_cmd {
	const char *name;
	int (*run)(struct o2_args *args);
	unsigned flags;  /* enum o2_cmd_flag */
	unsigned groups; /* enum o2_opt_group; GLOBAL is understood */
	const char *
		outputs; /* what -o takes here, "text|json"; the first is the default; NULL: no -o */
	const char *words; /* what stands beside the options, "[ID]"; NULL: nothing may */
	size_t words_min, words_max;
	const char *summary;  /* one line, no full stop */
	const char *text;     /* the rest of the help, paragraphs; may be NULL */
	const char *examples; /* lines, each without the program's name; may be NULL */
};

/* The table. */
const struct o2_cmd *o2_cmds(size_t *out_count);
/* NULL if there is none of that name. */
const struct o2_cmd *o2_cmd_find(const char *name);
/* The verb that was probably meant; NULL if none is near. */
const char *o2_cmd_nearest(const char *name);

/* The verbs. */
int o2_cmd_migrate(struct o2_args *args);
int o2_cmd_predict(struct o2_args *args);
int o2_cmd_status(struct o2_args *args);
int o2_cmd_history(struct o2_args *args);
int o2_cmd_show(struct o2_args *args);
int o2_cmd_resume(struct o2_args *args);
int o2_cmd_finalize(struct o2_args *args);
int o2_cmd_rollback(struct o2_args *args);
int o2_cmd_recover(struct o2_args *args);
int o2_cmd_cancel(struct o2_args *args);
int o2_cmd_inspect(struct o2_args *args);
int o2_cmd_completion(struct o2_args *args);
int o2_cmd_version(struct o2_args *args);
int o2_cmd_help(struct o2_args *args);
int o2_cmd_contexts(struct o2_args *args);
