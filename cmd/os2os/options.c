/*
 * Reading options from the command line, the environment and the configuration file.
 */
#include "options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "doc/doc.h"

#define CONFIG_MAX_BYTES ((size_t)64 * 1024)

static const struct o2_opt *find_by_name(const char *name, size_t len)
{
	size_t count;
	const struct o2_opt *opts = o2_opts(&count);

	for (size_t i = 0; i < count; i++)
		if (strlen(opts[i].name) == len && memcmp(opts[i].name, name, len) == 0)
			return &opts[i];
	return NULL;
}

static const struct o2_opt *find_by_letter(char letter)
{
	size_t count;
	const struct o2_opt *opts = o2_opts(&count);

	for (size_t i = 0; i < count; i++)
		if (opts[i].letter == letter)
			return &opts[i];
	return NULL;
}

/* The option of this verb that was probably meant. */
static const char *nearest_name(const char *name, const struct o2_cmd *cmd)
{
	const char *names[O2_OPT_MAX];
	size_t count, found = 0;
	const struct o2_opt *opts = o2_opts(&count);

	for (size_t i = 0; i < count; i++)
		if (o2_opt_applies(&opts[i], cmd) && (opts[i].flags & O2_OPT_HIDDEN) == 0)
			names[found++] = opts[i].name;
	return o2_nearest(name, names, found);
}

/* --- command line ----------------------------------------------------------------------------------------------------- */

static bool takes_next(const struct o2_opt *opt)
{
	return opt->type != O2_OPT_FLAG && opt->bare == NULL;
}

/* Does argv[i], an option, take the word behind it as its value? Unknown options don't. */
static bool swallows_next(const char *word)
{
	if (word[1] == '-') {
		const struct o2_opt *opt = find_by_name(word + 2, strlen(word + 2));
		return opt != NULL && takes_next(opt);
	}
	for (const char *p = word + 1; *p != '\0'; p++) {
		const struct o2_opt *opt = find_by_letter(*p);
		if (opt == NULL)
			return false;
		if (takes_next(opt))
			return p[1] == '\0';
	}
	return false;
}

int o2_args_find_verb(int argc, char *const *argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return 0;
		if (argv[i][0] != '-' || argv[i][1] == '\0')
			return i;
		if (swallows_next(argv[i]))
			i++;
	}
	return 0;
}

struct reader {
	struct o2_args *args;
	const struct o2_cmd *cmd;
	int argc;
	char *const *argv;
	int at;   /* the word being read */
	int verb; /* the word to pass over */
	bool only_words;
};

static int unknown_option(const struct reader *reader, const char *name, size_t len,
			  struct o2_err *err)
{
	O2_AUTO(o2_freep) char *text = o2_xstrndup(name, len);
	const struct o2_opt *opt = find_by_name(name, len);

	if (strcmp(text, "token") == 0 || strcmp(text, "from-token") == 0 ||
	    strcmp(text, "to-token") == 0)
		return o2_fail(
			err, O2_EINVALID,
			"'--%s' is not taken, since everybody can read arguments: use --%s-file, "
			"or the kubeconfig",
			text, text);
	if (opt != NULL)
		return o2_fail(err, O2_EINVALID, "option '--%s' does not go with '%s'", text,
			       reader->cmd->name);
	const char *meant = nearest_name(text, reader->cmd);
	if (meant != NULL)
		return o2_fail(err, O2_EINVALID, "unknown option '--%s'; did you mean '--%s'?",
			       text, meant);
	return o2_fail(err, O2_EINVALID, "unknown option '--%s'", text);
}

/* `value` NULL: none was attached; the next word is taken if one is needed. `shown`: the option as it was written. */
static int read_option(struct reader *reader, const struct o2_opt *opt, const char *value,
		       const char *shown, struct o2_err *err)
{
	if (value == NULL && opt->type == O2_OPT_FLAG)
		value = "true";
	if (value == NULL)
		value = opt->bare;
	if (value == NULL) {
		if (reader->at + 1 >= reader->argc)
			return o2_fail(err, O2_EINVALID, "option '%s' needs a value: %s", shown,
				       opt->value);
		value = reader->argv[++reader->at];
	}
	if (o2_args_set(reader->args, opt, value, O2_FROM_ARGV, err) < 0)
		return o2_prefix(err, "option '%s'", shown);
	return 0;
}

/* --name, --name=value */
static int read_long(struct reader *reader, const char *word, struct o2_err *err)
{
	const char *name = word + 2;
	size_t len = strcspn(name, "=");
	const struct o2_opt *opt = find_by_name(name, len);

	if (opt == NULL || !o2_opt_applies(opt, reader->cmd))
		return unknown_option(reader, name, len, err);
	O2_AUTO(o2_freep) char *shown = o2_xasprintf("--%s", opt->name);
	return read_option(reader, opt, name[len] == '=' ? name + len + 1 : NULL, shown, err);
}

/* -n value, -nvalue, -n=value, -vy */
static int read_letters(struct reader *reader, const char *word, struct o2_err *err)
{
	for (const char *p = word + 1; *p != '\0'; p++) {
		const char shown[] = { '-', *p, '\0' };
		const struct o2_opt *opt = find_by_letter(*p);

		if (opt == NULL)
			return o2_fail(err, O2_EINVALID, "unknown option '%s' in '%s'", shown,
				       word);
		if (!o2_opt_applies(opt, reader->cmd))
			return o2_fail(err, O2_EINVALID, "option '%s' does not go with '%s'", shown,
				       reader->cmd->name);
		if (p[1] == '=' || (takes_next(opt) && p[1] != '\0'))
			return read_option(reader, opt, p + (p[1] == '=' ? 2 : 1), shown, err);
		int rc = read_option(reader, opt, NULL, shown, err);
		if (rc < 0)
			return rc;
		if (takes_next(opt))
			return 0;
	}
	return 0;
}

static int read_word(struct reader *reader, const char *word, struct o2_err *err)
{
	if (!reader->only_words && strcmp(word, "--") == 0) {
		reader->only_words = true;
		return 0;
	}
	if (!reader->only_words && word[0] == '-' && word[1] != '\0')
		return word[1] == '-' ? read_long(reader, word, err)
				      : read_letters(reader, word, err);
	o2_strs_add(&reader->args->words, word);
	return 0;
}

static int check_words(const struct o2_args *args, const struct o2_cmd *cmd, struct o2_err *err)
{
	if (args->help)
		return 0;
	if (args->words.count < cmd->words_min)
		return o2_fail(err, O2_EINVALID, "'%s' needs %s", cmd->name, cmd->words);
	if (args->words.count > cmd->words_max)
		return o2_fail(err, O2_EINVALID, "'%s' does not know what to do with '%s'",
			       cmd->name, args->words.items[cmd->words_max]);
	return 0;
}

int o2_args_read_argv(struct o2_args *args, const struct o2_cmd *cmd, int argc, char *const *argv,
		      int verb, struct o2_err *err)
{
	struct reader reader = {
		.args = args, .cmd = cmd, .argc = argc, .argv = argv, .verb = verb
	};

	args->cmd = cmd;
	for (reader.at = 1; reader.at < argc; reader.at++) {
		if (reader.at == verb)
			continue;
		int rc = read_word(&reader, argv[reader.at], err);
		if (rc < 0)
			return rc;
	}
	return check_words(args, cmd, err);
}

/* --- environment ------------------------------------------------------------------------------------------------------ */

/* "start-timeout" -> "OS2OS_START_TIMEOUT"; the caller frees it. */
static char *variable_of(const struct o2_opt *opt)
{
	char *name = o2_xasprintf("OS2OS_%s", opt->name);

	for (char *p = name; *p != '\0'; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return name;
}

int o2_args_read_environment(struct o2_args *args, const struct o2_cmd *cmd, struct o2_err *err)
{
	size_t count;
	const struct o2_opt *opts = o2_opts(&count);

	args->cmd = cmd;
	for (size_t i = 0; i < count; i++) {
		if (!o2_opt_applies(&opts[i], cmd) || (opts[i].flags & O2_OPT_ARGV_ONLY) != 0)
			continue;
		O2_AUTO(o2_freep) char *variable = variable_of(&opts[i]);
		const char *value = getenv(variable);
		if (value == NULL || value[0] == '\0')
			continue;
		if (o2_args_set(args, &opts[i], value, O2_FROM_ENVIRONMENT, err) < 0)
			return o2_prefix(err, "environment variable '%s'", variable);
	}
	return 0;
}

/* --- configuration file ----------------------------------------------------------------------------------------------- */

/* NULL if neither XDG_CONFIG_HOME nor HOME is set. */
static char *default_config_path(void)
{
	const char *base = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (base != NULL && base[0] == '/')
		return o2_xasprintf("%s/os2os/config.yaml", base);
	return home != NULL ? o2_xasprintf("%s/.config/os2os/config.yaml", home) : NULL;
}

/* YAML reads `on`, `y` and 0123 as something else than was written: a text that is not a string is not guessed at. */
static int set_scalar(struct o2_args *args, const struct o2_opt *opt, const struct o2_doc *value,
		      struct o2_err *err)
{
	enum o2_doc_type type = o2_doc_type(value);
	O2_AUTO(o2_freep) char *number = NULL;
	const char *text = NULL;

	if (type == O2_DOC_NULL)
		return 0;
	if (type == O2_DOC_STRING)
		text = o2_doc_text(value);
	else if (type == O2_DOC_BOOL && opt->type == O2_OPT_FLAG)
		text = o2_doc_bool(value, "", false) ? "true" : "false";
	else if (type == O2_DOC_INT && opt->type == O2_OPT_SECONDS)
		number = o2_xasprintf("%lld", (long long)o2_doc_number(value, 0));
	else
		return o2_fail(err, O2_EINVALID, "the value must be a text; put it in quotes");
	return o2_args_set(args, opt, number != NULL ? number : text, O2_FROM_CONFIG, err);
}

static int set_from_config(struct o2_args *args, const struct o2_opt *opt,
			   const struct o2_doc *value, struct o2_err *err)
{
	bool list =
		opt->type == O2_OPT_LIST || opt->type == O2_OPT_WORDS || opt->type == O2_OPT_PAIRS;

	if (o2_doc_type(value) != O2_DOC_ARRAY)
		return set_scalar(args, opt, value, err);
	if (!list)
		return o2_fail(err, O2_EINVALID, "only one value is possible");
	for (size_t i = 0; i < o2_doc_count(value); i++) {
		int rc = set_scalar(args, opt, o2_doc_item(value, i), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_config_member(struct o2_args *args, const struct o2_cmd *cmd, const char *name,
			      const struct o2_doc *value, struct o2_err *err)
{
	if (strcmp(name, "true") == 0)
		name = "yes"; /* which YAML reads as a truth value */
	const struct o2_opt *opt = find_by_name(name, strlen(name));
	if (opt == NULL) {
		const char *meant = nearest_name(name, NULL);
		return o2_fail(err, O2_EINVALID, "unknown key '%s'%s%s%s", name,
			       meant ? "; did you mean '" : "", meant ? meant : "",
			       meant ? "'?" : "");
	}
	if ((opt->flags & O2_OPT_ARGV_ONLY) != 0)
		return o2_fail(err, O2_EINVALID, "'%s' is taken from the command line only", name);
	if (!o2_opt_applies(opt, cmd))
		return 0;
	if (set_from_config(args, opt, value, err) < 0)
		return o2_prefix(err, "key '%s'", name);
	return 0;
}

static int read_config_text(struct o2_args *args, const struct o2_cmd *cmd, const char *text,
			    size_t len, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = o2_doc_parse_yaml(text, len, err);

	if (docs == NULL)
		return err->code;
	if (o2_doc_count(docs) == 0)
		return 0;
	const struct o2_doc *top = o2_doc_item(docs, 0);
	if (o2_doc_count(docs) > 1 || o2_doc_type(top) != O2_DOC_OBJECT)
		return o2_fail(err, O2_EINVALID,
			       "it must be one mapping of option names to values");
	for (struct o2_doc_iter it = o2_doc_iter(top); o2_doc_next(&it);) {
		int rc = read_config_member(args, cmd, it.name, it.value, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int o2_args_read_config(struct o2_args *args, const struct o2_cmd *cmd, const char *path,
			struct o2_err *err)
{
	O2_AUTO(o2_freep) char *default_path = path == NULL ? default_config_path() : NULL;
	O2_AUTO(o2_freep) char *text = NULL;
	struct o2_err detail = { 0 };
	size_t len = 0;

	args->cmd = cmd;
	if (path == NULL)
		path = default_path;
	if (path == NULL)
		return 0;
	if (o2_file_read(path, CONFIG_MAX_BYTES, &text, &len, &detail) < 0) {
		if (detail.code == -O2_ENOTFOUND)
			return 0;
		*err = detail;
		return o2_prefix(err, "configuration");
	}
	if (read_config_text(args, cmd, text, len, err) < 0)
		return o2_prefix(err, "configuration '%s'", path);
	return 0;
}

/* --- what contradicts itself ------------------------------------------------------------------------------------------ */

/* Said by one and the same source; of two sources the later counts. */
static bool said_together(const struct o2_args *args, const char *a, const char *b)
{
	return o2_args_origin(args, a) != O2_FROM_NOWHERE &&
	       o2_args_origin(args, a) == o2_args_origin(args, b);
}

static int check_sides(const struct o2_args *args, struct o2_err *err)
{
	static const char *const options[O2_SIDE_COUNT] = { "--from", "--to" };
	static const char *const names[O2_SIDE_COUNT] = { "source", "target" };
	static const unsigned needs[O2_SIDE_COUNT] = { O2_CMD_NEEDS_SRC, O2_CMD_NEEDS_DST };

	for (int i = 0; i < O2_SIDE_COUNT; i++) {
		const struct o2_cluster_args *side = &args->side[i];
		if ((args->cmd->flags & needs[i]) == 0 || args->both.context != NULL)
			continue;
		if (side->context == NULL && side->kubeconfig == NULL && side->cluster == NULL &&
		    side->server == NULL)
			return o2_fail(err, O2_EINVALID, "'%s' needs the %s: %s CONTEXT",
				       args->cmd->name, names[i], options[i]);
	}
	return 0;
}

int o2_args_check(const struct o2_args *args, struct o2_err *err)
{
	static const char *const pairs[][2] = {
		{ "verbose", "quiet" },
		{ "color", "no-color" },
		{ "to-namespace", "namespace-map" },
		{ "namespace", "from-namespace" },
		{ "from", "from-context" },
		{ "to", "to-context" },
	};
	const struct o2_strs *namespaces =
		args->from_namespaces.count > 0 ? &args->from_namespaces : &args->namespaces;

	for (size_t i = 0; i < O2_COUNT(pairs); i++)
		if (said_together(args, pairs[i][0], pairs[i][1]))
			return o2_fail(err, O2_EINVALID, "'--%s' and '--%s' contradict each other",
				       pairs[i][0], pairs[i][1]);
	if (args->to_namespace != NULL && namespaces->count > 1)
		return o2_fail(err, O2_EINVALID,
			       "'--to-namespace' is for one namespace; %zu are given: use "
			       "--namespace-map",
			       namespaces->count);
	if (o2_args_origin(args, "detailed-exitcode") == O2_FROM_ARGV && args->dry_run == NULL &&
	    (args->cmd->flags & O2_CMD_MUTATES) != 0)
		return o2_fail(err, O2_EINVALID, "'--detailed-exitcode' is for a dry run");
	return check_sides(args, err);
}
