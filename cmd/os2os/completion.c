#include "completion.h"

#include <string.h>

#include "base/alloc.h"

#define CONTEXTS "$(os2os __contexts 2>/dev/null)"

static bool is_hidden(const struct o2_cmd *cmd)
{
	return (cmd->flags & O2_CMD_HIDDEN) != 0;
}

/* Does the verb take the option, and should it be offered? */
static bool is_offered(const struct o2_opt *opt, const struct o2_cmd *cmd)
{
	return (opt->flags & O2_OPT_HIDDEN) == 0 && o2_opt_applies(opt, cmd);
}

static bool takes_value(const struct o2_opt *opt)
{
	return opt->type != O2_OPT_FLAG;
}

static bool takes(const struct o2_opt *opt, const char *value)
{
	return opt->value != NULL && strcmp(opt->value, value) == 0;
}

/* "a|b|c" with another separator. */
static void add_split(struct o2_buf *out, const char *choices, char separator)
{
	for (const char *p = choices; *p != '\0'; p++)
		o2_buf_addc(out, *p == '|' ? separator : *p);
}

static void add_verbs(struct o2_buf *out, char separator)
{
	size_t count;
	const struct o2_cmd *cmds = o2_cmds(&count);
	bool first = true;

	for (size_t i = 0; i < count; i++) {
		if (is_hidden(&cmds[i]))
			continue;
		if (!first)
			o2_buf_addc(out, separator);
		o2_buf_adds(out, cmds[i].name);
		first = false;
	}
}

/* In single quotes for a shell; our texts hold no control characters. */
static void add_quoted(struct o2_buf *out, const char *text)
{
	o2_buf_addc(out, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			o2_buf_adds(out, "'\\''");
		else
			o2_buf_addc(out, *text);
	}
	o2_buf_addc(out, '\'');
}

/* What a verb's word may be, space separated; false: nothing is known of it. */
static bool add_words(struct o2_buf *out, const struct o2_cmd *cmd)
{
	if (cmd->run == o2_cmd_help) {
		add_verbs(out, ' ');
		return true;
	}
	if (cmd->words == NULL || strchr(cmd->words, '|') == NULL)
		return false;
	add_split(out, cmd->words, ' ');
	return true;
}

/* --- bash, and what zsh shares with it -------------------------------------------------------------------------------- */

/* Shell patterns of the options that take `value`: "*:--from|*:--to" */
static void add_patterns(struct o2_buf *out, const char *value)
{
	size_t count;
	const struct o2_opt *opts = o2_opts(&count);
	bool first = true;

	for (size_t i = 0; i < count; i++) {
		if (!takes(&opts[i], value))
			continue;
		o2_buf_addf(out, "%s*:--%s", first ? "" : "|", opts[i].name);
		first = false;
	}
}

/* One case a verb and option with a fixed set of values. */
static void add_choice_cases(struct o2_buf *out)
{
	size_t cmd_count, opt_count;
	const struct o2_cmd *cmds = o2_cmds(&cmd_count);
	const struct o2_opt *opts = o2_opts(&opt_count);

	for (size_t c = 0; c < cmd_count; c++) {
		for (size_t i = 0; i < opt_count; i++) {
			const char *choices = o2_opt_choices(&opts[i], &cmds[c]);
			if (is_hidden(&cmds[c]) || !is_offered(&opts[i], &cmds[c]) ||
			    choices == NULL)
				continue;
			o2_buf_addf(out, "\t%s:--%s", cmds[c].name, opts[i].name);
			if (opts[i].letter != '\0')
				o2_buf_addf(out, "|%s:-%c", cmds[c].name, opts[i].letter);
			o2_buf_adds(out, ") values=\"");
			add_split(out, choices, ' ');
			o2_buf_adds(out, "\" ;;\n");
		}
	}
}

static void add_verb_cases(struct o2_buf *out)
{
	size_t cmd_count, opt_count;
	const struct o2_cmd *cmds = o2_cmds(&cmd_count);
	const struct o2_opt *opts = o2_opts(&opt_count);

	o2_buf_adds(out, "\t\"\") values=\"");
	add_verbs(out, ' ');
	o2_buf_adds(out, " --help\" ;;\n");
	for (size_t c = 0; c < cmd_count; c++) {
		if (is_hidden(&cmds[c]))
			continue;
		o2_buf_addf(out, "\t%s) values=\"", cmds[c].name);
		if (add_words(out, &cmds[c]))
			o2_buf_addc(out, ' ');
		for (size_t i = 0; i < opt_count; i++)
			if (is_offered(&opts[i], &cmds[c]))
				o2_buf_addf(out, "--%s ", opts[i].name);
		o2_buf_adds(out, "\" ;;\n");
	}
}

void o2_completion_bash(struct o2_buf *out)
{
	o2_buf_adds(
		out,
		"# bash completion of os2os, made by `os2os completion bash`\n"
		"_os2os()\n{\n"
		"\tlocal cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
		"\tlocal verb='' values='' i\n"
		"\t# --name=value arrives as three words\n"
		"\tif [ \"$prev\" = = ]; then prev=\"${COMP_WORDS[COMP_CWORD-2]}\"; fi\n"
		"\tif [ \"$cur\" = = ]; then cur=; fi\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tcase \"${COMP_WORDS[i]}\" in\n\t\t");
	add_verbs(out, '|');
	o2_buf_adds(out, ") verb=\"${COMP_WORDS[i]}\"; break ;;\n\t\tesac\n\tdone\n"
			 "\tcase \"$verb:$prev\" in\n\t");
	add_patterns(out, "CONTEXT");
	o2_buf_adds(out, ") values=\"" CONTEXTS "\" ;;\n\t");
	add_patterns(out, "FILE");
	o2_buf_adds(out, ") mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n");
	add_choice_cases(out);
	o2_buf_adds(out, "\tesac\n\tif [ -z \"$values\" ]; then case \"$verb\" in\n");
	add_verb_cases(out);
	o2_buf_adds(out, "\tesac; fi\n"
			 "\tmapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$cur\")\n"
			 "}\ncomplete -F _os2os os2os\n");
}

/* --- zsh -------------------------------------------------------------------------------------------------------------- */

/* Elements of an array for _describe: 'name:summary'. */
static void add_described(struct o2_buf *out, const char *dashes, const char *name,
			  const char *summary)
{
	O2_AUTO(o2_freep) char *text = o2_xasprintf("%s%s:%s", dashes, name, summary);

	o2_buf_addc(out, ' ');
	add_quoted(out, text);
}

static void add_zsh_verb(struct o2_buf *out, const struct o2_cmd *cmd)
{
	size_t count;
	const struct o2_opt *opts = o2_opts(&count);

	o2_buf_addf(out, "\t%s)\n\t\toptions=(", cmd->name);
	for (size_t i = 0; i < count; i++)
		if (is_offered(&opts[i], cmd))
			add_described(out, "--", opts[i].name, opts[i].summary);
	o2_buf_adds(out, " )\n\t\tvalues=\"");
	add_words(out, cmd);
	o2_buf_adds(out, "\"\n\t\t;;\n");
}

void o2_completion_zsh(struct o2_buf *out)
{
	size_t count;
	const struct o2_cmd *cmds = o2_cmds(&count);

	o2_buf_adds(out, "#compdef os2os\n# made by `os2os completion zsh`\n"
			 "_os2os() {\n"
			 "\tlocal verb='' values='' word prev=\"${words[CURRENT-1]}\"\n"
			 "\tlocal -a verbs options\n"
			 "\tfor word in \"${words[@]:1:$((CURRENT - 2))}\"; do\n"
			 "\t\tcase \"$word\" in\n\t\t");
	add_verbs(out, '|');
	o2_buf_adds(out, ") verb=\"$word\"; break ;;\n\t\tesac\n\tdone\n"
			 "\tcase \"$verb:$prev\" in\n\t");
	add_patterns(out, "CONTEXT");
	o2_buf_adds(out, ") values=\"" CONTEXTS "\" ;;\n\t");
	add_patterns(out, "FILE");
	o2_buf_adds(out, ") _files; return ;;\n");
	add_choice_cases(out);
	o2_buf_adds(out, "\tesac\n\tif [ -n \"$values\" ]; then compadd -- ${=values}; return; fi\n"
			 "\tverbs=(");
	for (size_t i = 0; i < count; i++)
		if (!is_hidden(&cmds[i]))
			add_described(out, "", cmds[i].name, cmds[i].summary);
	o2_buf_adds(out, " )\n\tcase \"$verb\" in\n\t\"\") _describe verb verbs; return ;;\n");
	for (size_t i = 0; i < count; i++)
		if (!is_hidden(&cmds[i]))
			add_zsh_verb(out, &cmds[i]);
	o2_buf_adds(out, "\tesac\n\t[ -n \"$values\" ] && compadd -- ${=values}\n"
			 "\t_describe option options\n}\n"
			 "if [ \"$funcstack[1]\" = _os2os ]; then _os2os \"$@\"; else compdef "
			 "_os2os os2os; fi\n");
}

/* --- fish ------------------------------------------------------------------------------------------------------------- */

static void add_fish_option(struct o2_buf *out, const struct o2_cmd *cmd, const struct o2_opt *opt)
{
	const char *choices = o2_opt_choices(opt, cmd);

	o2_buf_addf(out, "complete -c os2os -n '__fish_seen_subcommand_from %s' -l %s", cmd->name,
		    opt->name);
	if (opt->letter != '\0')
		o2_buf_addf(out, " -s %c", opt->letter);
	o2_buf_adds(out, " -d ");
	add_quoted(out, opt->summary);
	if (takes(opt, "FILE"))
		o2_buf_adds(out, " -r -F");
	else if (takes(opt, "CONTEXT"))
		o2_buf_adds(out, " -x -a '(os2os __contexts 2>/dev/null)'");
	else if (takes_value(opt))
		o2_buf_adds(out, opt->bare != NULL ? " -f" : " -x");
	if (choices != NULL) {
		o2_buf_adds(out, " -a '");
		add_split(out, choices, ' ');
		o2_buf_addc(out, '\'');
	}
	o2_buf_addc(out, '\n');
}

void o2_completion_fish(struct o2_buf *out)
{
	size_t cmd_count, opt_count;
	const struct o2_cmd *cmds = o2_cmds(&cmd_count);
	const struct o2_opt *opts = o2_opts(&opt_count);

	o2_buf_adds(out, "# fish completion of os2os, made by `os2os completion fish`\n"
			 "complete -c os2os -f\n");
	for (size_t c = 0; c < cmd_count; c++) {
		if (is_hidden(&cmds[c]))
			continue;
		o2_buf_addf(out, "complete -c os2os -n __fish_use_subcommand -a %s -d ",
			    cmds[c].name);
		add_quoted(out, cmds[c].summary);
		o2_buf_addc(out, '\n');
		O2_AUTO(o2_buf_release) struct o2_buf words = { 0 };
		o2_buf_init(&words, 4096);
		if (add_words(&words, &cmds[c]))
			o2_buf_addf(
				out,
				"complete -c os2os -n '__fish_seen_subcommand_from %s' -a '%s'\n",
				cmds[c].name, words.data);
		for (size_t i = 0; i < opt_count; i++)
			if (is_offered(&opts[i], &cmds[c]))
				add_fish_option(out, &cmds[c], &opts[i]);
	}
}
