/*
 * What the user can say, as data: one row an option, shared by the configuration file, the environment and the command line,
 * each of which overrides the one before.
 *
 *	struct o2_args args = { .program = "os2os" };
 *	const struct o2_cmd *cmd = o2_cmd_find("migrate");
 *	o2_args_read_config(&args, cmd, path, &err);
 *	o2_args_read_environment(&args, cmd, &err);
 *	o2_args_read_argv(&args, cmd, argc, argv, &err);
 *	...
 *	o2_args_release(&args);
 *
 * An option `--start-timeout` is the key `start-timeout` of the file and OS2OS_START_TIMEOUT in the environment. A list that
 * is given by a later source replaces an earlier one. Values for options that the verb does not take are passed over in file and
 * environment (both are shared by all verbs) and are errors on the command line.
 *
 * Credentials are never taken: tokens come from a file, or the kubeconfig.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strs.h"
#include "cmd.h"
#include "record/record.h"

enum o2_opt_type {
	O2_OPT_FLAG,    /* bool */
	O2_OPT_TEXT,    /* char *; `choices`, if any, are only suggested */
	O2_OPT_CHOICE,  /* char *, one of `choices` */
	O2_OPT_SECONDS, /* int, from "90s", "5m", "1h30m" */
	O2_OPT_LIST,    /* struct o2_strs, one element each time it is given */
	O2_OPT_WORDS,   /* struct o2_strs, may be given repeatedly and with commas */
	O2_OPT_PAIRS,   /* struct o2_strs of "from:to", likewise */
};

enum o2_opt_flag {
	O2_OPT_ARGV_ONLY = 1 << 0,  /* a decision of the moment: never from file or environment */
	O2_OPT_HIDDEN = 1 << 1,     /* left out of help and completion */
	O2_OPT_EMPTY_LEFT = 1 << 2, /* a pair may have nothing before the colon */
	O2_OPT_TWIN = 1 << 3, /* --from-x or --to-x of a plain --x: the help says so once for all */
};

struct o2_opt {
	const char *name; /* without dashes */
	char letter;      /* 'n' for -n; 0: none */
	enum o2_opt_type type;
	unsigned flags;      /* enum o2_opt_flag */
	unsigned groups;     /* enum o2_opt_group */
	size_t offset;       /* into struct o2_args */
	const char *value;   /* its value's name in the help, "CONTEXT" */
	const char *bare;    /* value when given without one (`--dry-run`); NULL: one is needed */
	const char *choices; /* "none|client|server"; NULL: anything */
	const char *summary;
};

/* Where a value came from; later ones override. */
enum o2_origin_of_value { O2_FROM_NOWHERE, O2_FROM_CONFIG, O2_FROM_ENVIRONMENT, O2_FROM_ARGV };

/* How to reach a cluster: `--from-x`, `--to-x`, or `--x` for both. */
struct o2_cluster_args {
	char *context;
	char *kubeconfig;
	char *cluster;
	char *user;
	char *server;
	char *tls_server_name;
	char *certificate_authority;
	char *client_certificate;
	char *client_key;
	char *token_file;
	char *proxy_url;
	char *as;
	char *as_uid;
	struct o2_strs as_groups;
	bool insecure;
};

#define O2_OPT_MAX 96

struct o2_args {
	const char *program; /* "os2os", or "kubectl os2os" */
	const struct o2_cmd *cmd;
	struct o2_strs words; /* what stands beside the options */

	struct o2_cluster_args side[O2_SIDE_COUNT], both;
	struct o2_strs namespaces;
	struct o2_strs from_namespaces;
	char *selector;
	struct o2_strs exclude;
	struct o2_strs accept;
	char *to_namespace;
	struct o2_strs namespace_map;
	struct o2_strs storage_class_map;
	char *mode;
	char *volumes;
	char *on_switch;
	struct o2_strs checks;
	int start_timeout_s, lost_timeout_s; /* 0: not given */
	int stop_timeout_s, job_wait_s, freeze_timeout_s;
	bool no_watchdog, mover_as_root, relay;
	char *guard, *missed_runs;
	char *dry_run; /* NULL: not given */
	bool detailed_exitcode;
	bool yes;
	bool record_lost, source_fenced;
	char *output; /* NULL: not given */
	bool help, verbose, quiet, color, no_color;

	unsigned char origin[O2_OPT_MAX]; /* enum o2_origin_of_value by index of the option */
};

/* The rows. */
const struct o2_opt *o2_opts(size_t *out_count);
/* Does the verb take the option? cmd NULL: any verb. */
bool o2_opt_applies(const struct o2_opt *opt, const struct o2_cmd *cmd);
/* What its value may be for this verb ("text|json"), NULL if anything. */
const char *o2_opt_choices(const struct o2_opt *opt, const struct o2_cmd *cmd);

/*
 * The verb of a command line: the first word that is neither option nor an option's value.
 * Returns its index in argv, 0 if there is none.
 */
int o2_args_find_verb(int argc, char *const *argv);

/*
 * Read the command line. argv[verb] (0: none) is the verb and is passed over.
 * Errors  O2_EINVALID: unknown option (with what was probably meant), missing or malformed value, too few or many words.
 */
O2_MUST_CHECK int o2_args_read_argv(struct o2_args *args, const struct o2_cmd *cmd, int argc,
				    char *const *argv, int verb, struct o2_err *err);
/* Read OS2OS_* variables. Errors: O2_EINVALID, naming the variable. */
O2_MUST_CHECK int o2_args_read_environment(struct o2_args *args, const struct o2_cmd *cmd,
					   struct o2_err *err);
/*
 * Read the configuration file, if it exists. path NULL: ${XDG_CONFIG_HOME:-~/.config}/os2os/config.yaml.
 * Errors  O2_EINVALID, naming file and key; what o2_file_read() gives for a file that can't be read.
 */
O2_MUST_CHECK int o2_args_read_config(struct o2_args *args, const struct o2_cmd *cmd,
				      const char *path, struct o2_err *err);
/* What contradicts itself over several options. Errors: O2_EINVALID. */
O2_MUST_CHECK int o2_args_check(const struct o2_args *args, struct o2_err *err);
/* Where the option's value came from. `name` must be an option's. */
enum o2_origin_of_value o2_args_origin(const struct o2_args *args, const char *name);
/* Did `name` come from a later source than `other`? For options of which only one can count. */
bool o2_args_overrides(const struct o2_args *args, const char *name, const char *other);
/* Is the output format the one named? */
bool o2_args_output_is(const struct o2_args *args, const char *format);
void o2_args_release(struct o2_args *args);
/*
 * Set one option from text.
 *
 * origin  a list that an earlier source gave is replaced, one of the same source is added to.
 * Errors  O2_EINVALID without the option's name: the caller puts it in front.
 */
O2_MUST_CHECK int o2_args_set(struct o2_args *args, const struct o2_opt *opt, const char *value,
			      enum o2_origin_of_value origin, struct o2_err *err);

/*
 * "90s", "5m", "1h30m": whole numbers with a unit, largest first.
 * Errors  O2_EINVALID: no unit, unknown unit, nothing, less than a second, more than a week.
 */
O2_MUST_CHECK int o2_duration_parse(const char *text, int *out_seconds, struct o2_err *err);

/* Of `count` names the one that was probably meant by `text`, NULL if none is near. */
const char *o2_nearest(const char *text, const char *const *names, size_t count);
