#include "help.h"

#include <string.h>

#include "base/alloc.h"
#include "report/table.h"

#define LINE_MAX_LEN 96

/* Break `text` at spaces, each line after `indent` spaces. */
static void add_paragraph(struct o2_buf *out, const char *text, int indent)
{
	size_t column = 0;

	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, " ");
		if (column > 0 && column + 1 + len > LINE_MAX_LEN) {
			o2_buf_addc(out, '\n');
			column = 0;
		}
		if (column > 0)
			o2_buf_addc(out, ' ');
		else
			o2_buf_addf(out, "%*s", indent, "");
		o2_buf_add(out, p, len);
		column = (column > 0 ? column + 1 : (size_t)indent) + len;
		p += len;
		p += strspn(p, " ");
	}
	o2_buf_addc(out, '\n');
}

static void add_exit_codes(struct o2_buf *out)
{
	static const char *const rows[][2] = {
		{ "0", "done, or a dry run without a blocker" },
		{ "1", "failed, and nothing was changed or all was undone" },
		{ "2", "wrong usage" },
		{ "3", "failed half-way and needs 'recover'" },
		{ "4", "a precondition does not hold; nothing was changed" },
		{ "5", "changes pending (--detailed-exitcode only)" },
		{ "6", "committed, a later step is still open: 'resume'" },
		{ "130, 143", "interrupted" },
	};
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };

	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		o2_table_cell(&table, "%s", rows[i][0]);
		o2_table_cell(&table, "%s", rows[i][1]);
		o2_table_end_row(&table);
	}
	o2_buf_adds(out, "\nExit codes:\n");
	o2_table_write(&table, out);
}

void o2_help_all(const char *program, struct o2_buf *out)
{
	size_t count;
	const struct o2_cmd *cmds = o2_cmds(&count);
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };

	o2_buf_addf(out,
		    "Move a running application from one Kubernetes cluster to another, as one "
		    "transaction.\n\nUsage:\n  %s VERB [OPTIONS]\n\nVerbs:\n",
		    program);
	for (size_t i = 0; i < count; i++) {
		if ((cmds[i].flags & O2_CMD_HIDDEN) != 0)
			continue;
		o2_table_cell(&table, "%s", cmds[i].name);
		o2_table_cell(&table, "%s", cmds[i].summary);
		o2_table_end_row(&table);
	}
	o2_table_write(&table, out);
	add_exit_codes(out);
	o2_buf_addf(
		out,
		"\nEvery option can stand in ~/.config/os2os/config.yaml (start-timeout: 5m) and "
		"in "
		"the\nenvironment (OS2OS_START_TIMEOUT=5m). '%s VERB --help' explains a verb.\n",
		program);
}

/* "--dry-run[=none|client|server]", "-n, --namespace NAMESPACE" */
static void add_option(struct o2_table *table, const struct o2_opt *opt, const struct o2_cmd *cmd)
{
	const char *choices = o2_opt_choices(opt, cmd);
	const char *value = choices != NULL ? choices : opt->value;
	char letter[] = "-x, ";

	letter[1] = opt->letter;
	o2_table_cell(table, "%s--%s%s%s%s", opt->letter != '\0' ? letter : "    ", opt->name,
		      value == NULL       ? ""
		      : opt->bare != NULL ? "[="
					  : " ",
		      value != NULL ? value : "", value != NULL && opt->bare != NULL ? "]" : "");
	o2_table_cell(table, "%s", opt->summary);
	o2_table_end_row(table);
}

/* Options of the verb that are in `groups`, those of kubectl or the others. */
static void add_options(struct o2_buf *out, const struct o2_cmd *cmd, const char *title,
			bool kubectl)
{
	size_t count;
	const struct o2_opt *opts = o2_opts(&count);
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };

	for (size_t i = 0; i < count; i++) {
		bool plain = (opts[i].flags & (O2_OPT_HIDDEN | O2_OPT_TWIN)) == 0;
		if (plain && o2_opt_applies(&opts[i], cmd) &&
		    (opts[i].groups == O2_GROUP_KUBECTL) == kubectl)
			add_option(&table, &opts[i], cmd);
	}
	if (table.row_count == 0)
		return;
	o2_buf_addf(out, "\n%s:\n", title);
	o2_table_write(&table, out);
}

static void add_examples(struct o2_buf *out, const char *program, const struct o2_cmd *cmd)
{
	O2_AUTO(o2_strs_release) struct o2_strs lines = { 0 };

	if (cmd->examples == NULL)
		return;
	o2_strs_split(&lines, cmd->examples, "\n");
	o2_buf_adds(out, "\nExamples:\n");
	for (size_t i = 0; i < lines.count; i++)
		o2_buf_addf(out, "  %s %s\n", program, lines.items[i]);
}

void o2_help_verb(const char *program, const struct o2_cmd *cmd, struct o2_buf *out)
{
	unsigned both = O2_GROUP_SOURCE | O2_GROUP_TARGET;

	o2_buf_addf(out, "%s: %s.\n\nUsage:\n  %s %s%s%s [OPTIONS]\n", cmd->name, cmd->summary,
		    program, cmd->name, cmd->words != NULL ? " " : "",
		    cmd->words != NULL ? cmd->words : "");
	if (cmd->text != NULL) {
		o2_buf_addc(out, '\n');
		add_paragraph(out, cmd->text, 0);
	}
	add_examples(out, program, cmd);
	add_options(out, cmd, "Options", false);
	add_options(out, cmd, "Connection, as in kubectl", true);
	if ((cmd->groups & both) == both)
		o2_buf_adds(out,
			    "  Each also as --from-NAME, for the source, and --to-NAME, for the "
			    "target.\n");
	else if ((cmd->groups & both) != 0)
		o2_buf_adds(out, "  Each also as --from-NAME.\n");
}
