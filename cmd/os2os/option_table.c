/*
 * The rows of the option table. Order is that of the help.
 */
#include "options.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"

#define AT(member) offsetof(struct o2_args, member)

/* One setting of a connection: for the source, for the target, and kubectl's own name for both. */
#define CONNECTION(name_, letter_, type_, member_, value_, bare_, summary_) \
	{ .name = name_, \
	  .letter = letter_, \
	  .type = type_, \
	  .groups = O2_GROUP_KUBECTL, \
	  .offset = AT(both.member_), \
	  .value = value_, \
	  .bare = bare_, \
	  .summary = summary_ }, \
		{ .name = "from-" name_, \
		  .type = type_, \
		  .flags = O2_OPT_TWIN, \
		  .groups = O2_GROUP_SOURCE, \
		  .offset = AT(side[O2_SOURCE].member_), \
		  .value = value_, \
		  .bare = bare_, \
		  .summary = "the same, for the source only" }, \
	{ \
		.name = "to-" name_, .type = type_, .flags = O2_OPT_TWIN, \
		.groups = O2_GROUP_TARGET, .offset = AT(side[O2_TARGET].member_), .value = value_, \
		.bare = bare_, .summary = "the same, for the target only" \
	}

static const struct o2_opt opts[] = {
	/* Which clusters. */
	{ .name = "from",
	  .type = O2_OPT_TEXT,
	  .groups = O2_GROUP_SOURCE,
	  .offset = AT(side[O2_SOURCE].context),
	  .value = "CONTEXT",
	  .summary = "the source: a kubeconfig context, or file:context" },
	{ .name = "to",
	  .type = O2_OPT_TEXT,
	  .groups = O2_GROUP_TARGET,
	  .offset = AT(side[O2_TARGET].context),
	  .value = "CONTEXT",
	  .summary = "the target: a kubeconfig context, or file:context" },

	/* Which application, and what becomes of it. */
	{ .name = "namespace",
	  .letter = 'n',
	  .type = O2_OPT_WORDS,
	  .groups = O2_GROUP_NAMESPACE,
	  .offset = AT(namespaces),
	  .value = "NAMESPACE",
	  .summary = "namespaces, repeatable or with commas; else the context's own" },
	{ .name = "selector",
	  .letter = 'l',
	  .type = O2_OPT_TEXT,
	  .groups = O2_GROUP_SELECT,
	  .offset = AT(selector),
	  .value = "SELECTOR",
	  .summary = "only objects with these labels, and what they refer to" },
	{ .name = "exclude",
	  .type = O2_OPT_WORDS,
	  .groups = O2_GROUP_SELECT,
	  .offset = AT(exclude),
	  .value = "KIND",
	  .summary = "leave out a kind, \"Kind\" or \"Kind.group\", repeatable" },
	{ .name = "accept",
	  .type = O2_OPT_WORDS,
	  .groups = O2_GROUP_REWRITE,
	  .offset = AT(accept),
	  .value = "KIND",
	  .summary = "carry a kind of custom resources that os2os knows nothing of; repeatable" },
	{ .name = "to-namespace",
	  .type = O2_OPT_TEXT,
	  .groups = O2_GROUP_REWRITE,
	  .offset = AT(to_namespace),
	  .value = "NAMESPACE",
	  .summary = "the one namespace's name on the target" },
	{ .name = "namespace-map",
	  .type = O2_OPT_PAIRS,
	  .groups = O2_GROUP_REWRITE,
	  .offset = AT(namespace_map),
	  .value = "A:B",
	  .summary = "namespaces and their names on the target, a:b,c:d" },
	{ .name = "storage-class-map",
	  .type = O2_OPT_PAIRS,
	  .flags = O2_OPT_EMPTY_LEFT,
	  .groups = O2_GROUP_REWRITE,
	  .offset = AT(storage_class_map),
	  .value = "A:B",
	  .summary = "storage classes and their names on the target; nothing before the colon: "
		     "the default class" },

	/* How it is to be done. */
	{ .name = "mode",
	  .type = O2_OPT_TEXT,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(mode),
	  .value = "MODE",
	  .choices = "move|copy",
	  .summary = "move (default): the source is frozen, and thawed if anything fails; copy: it "
		     "goes on running" },
	{ .name = "volumes",
	  .type = O2_OPT_CHOICE,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(volumes),
	  .value = "HOW",
	  .choices = "empty",
	  .summary = "empty: claims are made empty on the target, their data are not copied" },
	{ .name = "check",
	  .type = O2_OPT_LIST,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(checks),
	  .value = "COMMAND",
	  .summary = "must exit 0 before the decision, else all is undone; repeatable" },
	{ .name = "on-switch",
	  .type = O2_OPT_TEXT,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(on_switch),
	  .value = "COMMAND",
	  .summary = "is told the old and new addresses as JSON, until it exits 0" },
	{ .name = "start-timeout",
	  .type = O2_OPT_SECONDS,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(start_timeout_s),
	  .value = "DURATION",
	  .summary = "for one wave of workloads to become ready (5m)" },
	{ .name = "stop-timeout",
	  .type = O2_OPT_SECONDS,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(stop_timeout_s),
	  .value = "DURATION",
	  .summary = "for the source's pods to end (their own grace and a minute)" },
	{ .name = "job-wait",
	  .type = O2_OPT_SECONDS,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(job_wait_s),
	  .value = "DURATION",
	  .summary = "for running Jobs of the source to end (60s)" },
	{ .name = "missed-runs",
	  .type = O2_OPT_CHOICE,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(missed_runs),
	  .value = "HOW",
	  .choices = "skip|run",
	  .summary = "runs of CronJobs that fall into the freeze: skipped (default), or the last "
		     "one made up" },
	{ .name = "guard",
	  .type = O2_OPT_CHOICE,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(guard),
	  .value = "HOW",
	  .choices = "auto|quota|watch",
	  .summary = "what keeps pods out of the frozen source: a quota, or watching it" },
	{ .name = "freeze-timeout",
	  .type = O2_OPT_SECONDS,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(freeze_timeout_s),
	  .value = "DURATION",
	  .summary = "after that the watchdog gives the frozen source back (20m)" },
	{ .name = "no-watchdog",
	  .type = O2_OPT_FLAG,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(no_watchdog),
	  .summary = "no Job in the source that ends the freeze should this machine die" },
	{ .name = "mover-as-root",
	  .type = O2_OPT_FLAG,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(mover_as_root),
	  .summary = "read and write volumes as root, for files that are not the application's "
		     "own" },
	{ .name = "relay",
	  .type = O2_OPT_FLAG,
	  .groups = O2_GROUP_PLAN,
	  .offset = AT(relay),
	  .summary = "volumes travel through this machine, never straight between the clusters" },
	{ .name = "lost-timeout",
	  .type = O2_OPT_SECONDS,
	  .groups = O2_GROUP_PLAN | O2_GROUP_LOST,
	  .offset = AT(lost_timeout_s),
	  .value = "DURATION",
	  .summary = "how long a cluster that does not answer is waited for (60s)" },
	{ .name = "record-lost",
	  .type = O2_OPT_FLAG,
	  .flags = O2_OPT_ARGV_ONLY,
	  .groups = O2_GROUP_RECOVERY,
	  .offset = AT(record_lost),
	  .summary = "the source's record is gone for good: undo by the labels alone" },
	{ .name = "source-fenced",
	  .type = O2_OPT_FLAG,
	  .flags = O2_OPT_ARGV_ONLY,
	  .groups = O2_GROUP_RECOVERY,
	  .offset = AT(source_fenced),
	  .summary = "you vouch that the source is off and stays off" },
	{ .name = "dry-run",
	  .type = O2_OPT_CHOICE,
	  .groups = O2_GROUP_DRY_RUN,
	  .offset = AT(dry_run),
	  .value = "HOW",
	  .bare = "server",
	  .choices = "none|client|server",
	  .summary = "only show the plan; client: read no more than needed" },
	{ .name = "detailed-exitcode",
	  .type = O2_OPT_FLAG,
	  .groups = O2_GROUP_DRY_RUN,
	  .offset = AT(detailed_exitcode),
	  .summary = "a dry run exits 5 if there is something to do" },
	{ .name = "yes",
	  .letter = 'y',
	  .type = O2_OPT_FLAG,
	  .groups = O2_GROUP_CONFIRM,
	  .offset = AT(yes),
	  .summary = "do not ask; needed where there is no terminal" },

	/* kubectl's own. */
	CONNECTION("kubeconfig", 0, O2_OPT_TEXT, kubeconfig, "FILE", NULL,
		   "one kubeconfig file; else $KUBECONFIG, ~/.kube/config"),
	CONNECTION("context", 0, O2_OPT_TEXT, context, "CONTEXT", NULL, "kubeconfig context"),
	CONNECTION("cluster", 0, O2_OPT_TEXT, cluster, "NAME", NULL, "kubeconfig cluster"),
	CONNECTION("user", 0, O2_OPT_TEXT, user, "NAME", NULL, "kubeconfig user"),
	CONNECTION("server", 's', O2_OPT_TEXT, server, "URL", NULL, "address of the API server"),
	CONNECTION("tls-server-name", 0, O2_OPT_TEXT, tls_server_name, "NAME", NULL,
		   "name to verify in the server's certificate"),
	CONNECTION("certificate-authority", 0, O2_OPT_TEXT, certificate_authority, "FILE", NULL,
		   "certificates to trust"),
	CONNECTION("client-certificate", 0, O2_OPT_TEXT, client_certificate, "FILE", NULL,
		   "client certificate"),
	CONNECTION("client-key", 0, O2_OPT_TEXT, client_key, "FILE", NULL, "its key"),
	CONNECTION("token-file", 0, O2_OPT_TEXT, token_file, "FILE", NULL,
		   "file with a bearer token"),
	CONNECTION("insecure-skip-tls-verify", 0, O2_OPT_FLAG, insecure, NULL, NULL,
		   "accept any certificate"),
	CONNECTION("proxy-url", 0, O2_OPT_TEXT, proxy_url, "URL", NULL,
		   "http, https or socks5 proxy"),
	CONNECTION("as", 0, O2_OPT_TEXT, as, "USER", NULL, "user to impersonate"),
	CONNECTION("as-group", 0, O2_OPT_LIST, as_groups, "GROUP", NULL,
		   "group to impersonate, repeatable"),
	CONNECTION("as-uid", 0, O2_OPT_TEXT, as_uid, "UID", NULL, "uid to impersonate"),
	{ .name = "from-namespace",
	  .type = O2_OPT_WORDS,
	  .flags = O2_OPT_TWIN,
	  .groups = O2_GROUP_SOURCE,
	  .offset = AT(from_namespaces),
	  .value = "NAMESPACE",
	  .summary = "as -n" },

	/* How it is said. */
	{ .name = "output",
	  .letter = 'o',
	  .type = O2_OPT_CHOICE,
	  .groups = O2_GROUP_OUTPUT,
	  .offset = AT(output),
	  .value = "FORMAT",
	  .choices = "text|wide|json|yaml|name", /* a row of the command table narrows it */
	  .summary = "format of the result" },
	{ .name = "verbose",
	  .letter = 'v',
	  .type = O2_OPT_FLAG,
	  .groups = O2_GROUP_GLOBAL,
	  .offset = AT(verbose),
	  .summary = "say more" },
	{ .name = "quiet",
	  .letter = 'q',
	  .type = O2_OPT_FLAG,
	  .groups = O2_GROUP_GLOBAL,
	  .offset = AT(quiet),
	  .summary = "say only warnings, errors and the result" },
	{ .name = "color",
	  .type = O2_OPT_FLAG,
	  .groups = O2_GROUP_GLOBAL,
	  .offset = AT(color),
	  .summary = "colours, also where there is no terminal" },
	{ .name = "no-color",
	  .type = O2_OPT_FLAG,
	  .groups = O2_GROUP_GLOBAL,
	  .offset = AT(no_color),
	  .summary = "no colours; so does NO_COLOR in the environment" },
	{ .name = "help",
	  .letter = 'h',
	  .type = O2_OPT_FLAG,
	  .flags = O2_OPT_ARGV_ONLY,
	  .groups = O2_GROUP_GLOBAL,
	  .offset = AT(help),
	  .summary = "this text" },
};

_Static_assert(O2_COUNT(opts) <= O2_OPT_MAX, "o2_args.origin is too small");

const struct o2_opt *o2_opts(size_t *out_count)
{
	*out_count = O2_COUNT(opts);
	return opts;
}

bool o2_opt_applies(const struct o2_opt *opt, const struct o2_cmd *cmd)
{
	return cmd == NULL || (opt->groups & (cmd->groups | O2_GROUP_GLOBAL)) != 0;
}

const char *o2_opt_choices(const struct o2_opt *opt, const struct o2_cmd *cmd)
{
	bool narrowed = (opt->groups & O2_GROUP_OUTPUT) != 0 && cmd != NULL && cmd->outputs != NULL;

	return narrowed ? cmd->outputs : opt->choices;
}
