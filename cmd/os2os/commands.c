/*
 * The table of commands.
 */
#include <string.h>

#include "base/alloc.h"
#include "cmd.h"
#include "options.h"

#define CLUSTERS (O2_GROUP_SOURCE | O2_GROUP_TARGET | O2_GROUP_KUBECTL)
#define APPLICATION (O2_GROUP_NAMESPACE | O2_GROUP_SELECT | O2_GROUP_REWRITE | O2_GROUP_PLAN)
#define RECORDS (CLUSTERS | O2_GROUP_NAMESPACE | O2_GROUP_OUTPUT)
#define REPAIR (RECORDS | O2_GROUP_LOST | O2_GROUP_CONFIRM)

static const struct o2_cmd cmds[] = {
	{ .name = "migrate",
	  .run = o2_cmd_migrate,
	  .flags = O2_CMD_NEEDS_SRC | O2_CMD_NEEDS_DST | O2_CMD_MUTATES,
	  .groups = CLUSTERS | APPLICATION | O2_GROUP_DRY_RUN | O2_GROUP_CONFIRM | O2_GROUP_OUTPUT,
	  .outputs = "text|wide|json|yaml|name",
	  .summary = "move an application from one cluster to another, as one transaction",
	  .text = "Shows the plan, asks, and carries it out. On any failure before the decision "
		  "everything is undone: the target is as it was, the source as well. Source and "
		  "target may be the same cluster if the namespace gets another name.",
	  .examples = "migrate --from A --to B -n shop --dry-run\n"
		      "migrate --from A --to B -n shop --check './smoke-test' --yes\n"
		      "migrate --from A --to A -n shop --to-namespace shop-2 --mode copy" },
	{ .name = "predict",
	  .run = o2_cmd_predict,
	  .flags = O2_CMD_NEEDS_SRC | O2_CMD_NEEDS_DST,
	  .groups = CLUSTERS | APPLICATION | O2_GROUP_DRY_RUN | O2_GROUP_OUTPUT,
	  .outputs = "text|wide|json|yaml|name",
	  .summary = "what a migration would do, what blocks it, how long it takes",
	  .text = "The same as migrate --dry-run: changes nothing.",
	  .examples = "predict --from A --to B -n shop\n"
		      "predict --from A --to B -n shop --mode copy -o json" },
	{ .name = "status",
	  .run = o2_cmd_status,
	  .groups = RECORDS,
	  .outputs = "text|wide|json|yaml|name",
	  .words = "[ID]",
	  .words_max = 1,
	  .summary = "migrations that are not finished, as the clusters' records say",
	  .text = "Reads the records in the clusters that --from and --to name, or of the "
		  "kubeconfig's current context.",
	  .examples = "status --from A --to B\n"
		      "status --from A -n shop -o json" },
	{ .name = "history",
	  .run = o2_cmd_history,
	  .groups = RECORDS,
	  .outputs = "text|wide|json|yaml|name",
	  .summary = "migrations of the past, newest first",
	  .text = "What this machine remembers; with --from or --to also what the clusters' "
		  "records "
		  "say.",
	  .examples = "history\n"
		      "history --from A --to B -o json" },
	{ .name = "show",
	  .run = o2_cmd_show,
	  .groups = RECORDS,
	  .outputs = "text|json|yaml",
	  .words = "[ID]",
	  .words_max = 1,
	  .summary = "one migration in detail; without an ID the newest",
	  .text = "Reads the clusters that --from and --to name; without them, what this machine "
		  "remembers.",
	  .examples = "show 6k2v9x\n"
		      "show 6k2v9x --from A --to B" },
	{ .name = "resume",
	  .run = o2_cmd_resume,
	  .flags = O2_CMD_MUTATES,
	  .groups = REPAIR,
	  .outputs = "text|json|yaml|name",
	  .words = "[ID]",
	  .words_max = 1,
	  .summary = "go forwards with a migration that stopped half-way",
	  .text = "Without an ID: the only one that is not finished.",
	  .examples = "resume --from A --to B" },
	{ .name = "rollback",
	  .run = o2_cmd_rollback,
	  .flags = O2_CMD_MUTATES,
	  .groups = REPAIR,
	  .outputs = "text|json|yaml|name",
	  .words = "[ID]",
	  .words_max = 1,
	  .summary = "undo a migration that stopped half-way",
	  .text = "Possible until the decision; after it, going back is a new migration.",
	  .examples = "rollback --from A --to B 6k2v9x" },
	{ .name = "recover",
	  .run = o2_cmd_recover,
	  .flags = O2_CMD_MUTATES,
	  .groups = REPAIR | O2_GROUP_RECOVERY,
	  .outputs = "text|json|yaml|name",
	  .words = "[ID]",
	  .words_max = 1,
	  .summary = "finish or undo, whichever the clusters' records ask for",
	  .text = "Works from the clusters alone, on any machine, and is safe while the process "
		  "that "
		  "began the migration still lives. With only --from or only --to the other "
		  "cluster is "
		  "taken for unreachable.",
	  .examples = "recover --from A --to B\n"
		      "recover --to B --source-fenced" },
	{ .name = "cancel",
	  .run = o2_cmd_cancel,
	  .flags = O2_CMD_MUTATES,
	  .groups = REPAIR,
	  .outputs = "text|json|yaml|name",
	  .words = "[ID]",
	  .words_max = 1,
	  .summary = "tell a running migration to undo itself",
	  .text = "The process that runs it does the undoing, if it is alive; else this one.",
	  .examples = "cancel --from A --to B" },
	{ .name = "finalize",
	  .run = o2_cmd_finalize,
	  .flags = O2_CMD_MUTATES,
	  .groups = REPAIR,
	  .outputs = "text|json|yaml|name",
	  .words = "[ID]",
	  .words_max = 1,
	  .summary = "after a move: delete what is frozen on the source, its volumes last",
	  .text = "Deletes exactly the objects that were moved, by their uid. Until then the "
		  "source keeps them, frozen, with their data. Without an ID: the only move that "
		  "left something behind.",
	  .examples = "finalize --from A --to B" },
	{ .name = "inspect",
	  .run = o2_cmd_inspect,
	  .groups = O2_GROUP_SOURCE | O2_GROUP_KUBECTL | O2_GROUP_NAMESPACE | O2_GROUP_SELECT |
		    O2_GROUP_OUTPUT,
	  .outputs = "text|wide|json|yaml|name",
	  .summary = "what belongs to an application, and what refers to what",
	  .text = "Reads the cluster that --from names, or the kubeconfig's current context.",
	  .examples = "inspect --from A -n shop\n"
		      "inspect -n shop -l app=web -o json" },
	{ .name = "completion",
	  .run = o2_cmd_completion,
	  .flags = O2_CMD_PLAIN,
	  .words = "bash|zsh|fish",
	  .words_min = 1,
	  .words_max = 1,
	  .summary = "print a script that completes verbs and options in a shell",
	  .examples = "completion bash > ~/.local/share/bash-completion/completions/os2os\n"
		      "completion zsh > ~/.zfunc/_os2os\n"
		      "completion fish > ~/.config/fish/completions/os2os.fish" },
	{ .name = "version",
	  .run = o2_cmd_version,
	  .flags = O2_CMD_PLAIN,
	  .groups = O2_GROUP_OUTPUT,
	  .outputs = "text|json|yaml",
	  .summary = "print the version" },
	{ .name = "help",
	  .run = o2_cmd_help,
	  .flags = O2_CMD_PLAIN,
	  .words = "[VERB]",
	  .words_max = 1,
	  .summary = "help, also of one verb" },
	{ .name = "__contexts",
	  .run = o2_cmd_contexts,
	  .flags = O2_CMD_PLAIN | O2_CMD_HIDDEN,
	  .groups = O2_GROUP_KUBECTL,
	  .summary = "names of kubeconfig contexts, for completion" },
};

const struct o2_cmd *o2_cmds(size_t *out_count)
{
	*out_count = O2_COUNT(cmds);
	return cmds;
}

const struct o2_cmd *o2_cmd_find(const char *name)
{
	for (size_t i = 0; i < O2_COUNT(cmds); i++)
		if (strcmp(cmds[i].name, name) == 0)
			return &cmds[i];
	return NULL;
}

const char *o2_cmd_nearest(const char *name)
{
	const char *names[O2_COUNT(cmds)];
	size_t count = 0;

	for (size_t i = 0; i < O2_COUNT(cmds); i++)
		if ((cmds[i].flags & O2_CMD_HIDDEN) == 0)
			names[count++] = cmds[i].name;
	return o2_nearest(name, names, count);
}
