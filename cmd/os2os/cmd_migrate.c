/*
 * os2os migrate: plan, show, ask, carry out, report.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/log.h"
#include "cmd.h"
#include "journal.h"
#include "output.h"
#include "plan/plan.h"
#include "session.h"
#include "txn/txn.h"
#include "ui.h"

/* --- what was asked for ----------------------------------------------------------------------------------------------- */

static bool is_dry_run(const struct o2_args *args)
{
	return args->dry_run != NULL && strcmp(args->dry_run, "none") != 0;
}

static int usage(const char *text)
{
	o2_log(O2_ERROR, "%s", text);
	return O2_EXIT_USAGE;
}

/* What the table of options can't know. Before anything is read: nobody should wait for a mistake. */
static int check_usage(const struct o2_args *args)
{
	if (args->mode != NULL && strcmp(args->mode, "move") != 0 &&
	    strcmp(args->mode, "copy") != 0)
		return usage("the mode must be move or copy");
	if (!is_dry_run(args) && !args->yes && !o2_ui_can_ask())
		return usage("there is no terminal to ask on: say --yes, or --dry-run");
	return O2_EXIT_DONE;
}

/* Borrows from args and session. Release it with o2_plan_options_release(). */
static void fill_options(const struct o2_args *args, const struct o2_session *session,
			 struct o2_plan_options *out)
{
	bool one_name = args->to_namespace != NULL &&
			!o2_args_overrides(args, "namespace-map", "to-namespace");

	*out = (struct o2_plan_options){
		.mode = args->mode != NULL ? args->mode : "move",
		.source_name = session->name[O2_SOURCE],
		.target_name = session->name[O2_TARGET],
		.volumes_empty = args->volumes != NULL,
		.on_switch = args->on_switch,
		.start_timeout_s = args->start_timeout_s,
		.lost_timeout_s = args->lost_timeout_s,
		.stop_timeout_s = args->stop_timeout_s,
		.job_wait_s = args->job_wait_s,
		.guard = args->guard,
		.missed_runs = args->missed_runs,
		.freeze_timeout_s = args->freeze_timeout_s,
		.no_watchdog = args->no_watchdog,
		.mover_as_root = args->mover_as_root,
		.relay = args->relay,
	};
	o2_session_namespaces(session, args, &out->selection.namespaces);
	out->selection.selector = args->selector;
	for (size_t i = 0; i < args->exclude.count; i++)
		o2_strs_add(&out->selection.exclude_kinds, args->exclude.items[i]);
	for (size_t i = 0; i < args->accept.count; i++)
		o2_strs_add(&out->accept, args->accept.items[i]);
	for (size_t i = 0; !one_name && i < args->namespace_map.count; i++)
		o2_strs_add(&out->rewriting.namespace_map, args->namespace_map.items[i]);
	if (one_name)
		o2_strs_addf(&out->rewriting.namespace_map, "%s:%s",
			     out->selection.namespaces.items[0], args->to_namespace);
	for (size_t i = 0; i < args->storage_class_map.count; i++)
		o2_strs_add(&out->rewriting.storage_class_map, args->storage_class_map.items[i]);
	for (size_t i = 0; i < args->checks.count; i++)
		o2_strs_add(&out->checks, args->checks.items[i]);
}

/* --- plan ------------------------------------------------------------------------------------------------------------- */

static int planning_failed(const struct o2_err *err)
{
	bool precondition =
		err->code == -O2_ENOTFOUND || err->code == -O2_ECONFLICT || err->code == -O2_EBUSY;

	o2_log(O2_ERROR, "%s", err->message);
	return o2_exit_of(err, precondition ? O2_EXIT_PRECONDITION : O2_EXIT_FAILED);
}

/* The plan as the result of a dry run, on stdout. */
static int print_plan(const struct o2_args *args, struct o2_plan *plan)
{
	struct o2_report_style style = o2_output_style(args, stdout);
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	if (o2_output_is_doc(args)) {
		O2_AUTO(o2_doc_freep) struct o2_doc *doc = o2_report_plan_doc(plan, true);
		return o2_output_doc(args, doc);
	}
	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	if (o2_args_output_is(args, "name"))
		o2_report_plan_names(plan, &out);
	else
		o2_report_plan_text(plan, &style, &out);
	return o2_output_text(out.data);
}

/* The plan as something to read before the question, on stderr: stdout is kept for the result. */
static void show_plan(const struct o2_args *args, struct o2_plan *plan)
{
	struct o2_report_style style = o2_output_style(args, stderr);
	O2_AUTO(o2_buf_release) struct o2_buf out = { 0 };

	if (args->quiet && args->yes)
		return;
	o2_buf_init(&out, O2_OUTPUT_MAX_BYTES);
	o2_report_plan_text(plan, &style, &out);
	o2_ui_text(out.data);
}

static void list_blockers(const struct o2_plan *plan)
{
	for (size_t i = 0; i < o2_plan_finding_count(plan); i++) {
		const struct o2_plan_finding *finding = o2_plan_finding(plan, i);
		if (finding->blocks)
			o2_ui_blocker(finding->subject, finding->text, finding->remedy);
	}
}

/* --- carrying it out -------------------------------------------------------------------------------------------------- */

static int confirm(const struct o2_args *args, bool *out_yes, struct o2_err *err)
{
	*out_yes = true;
	if (args->yes)
		return 0;
	return o2_ui_ask(
		"\nDo you want to perform these actions? Only \"yes\" is accepted:", out_yes, err);
}

static int execute(const struct o2_args *args, const struct o2_plan_options *options,
		   struct o2_plan *plan)
{
	O2_AUTO(o2_journal_release) struct o2_journal journal = { 0 };
	O2_AUTO(o2_txn_result_release) struct o2_txn_result result = { 0 };
	struct o2_err err = { 0 };

	o2_journal_begin(&journal, args, options->source_name, options->target_name,
			 &options->selection.namespaces, options->mode);
	o2_ui_undoing_needed(true);
	int rc = o2_txn_run(plan, &result, &err);
	o2_ui_undoing_needed(false);
	struct o2_report_migration migration = {
		.plan = plan,
		.result = &result,
		.cause = rc < 0 ? &err : NULL,
		.exit_code = o2_txn_exit_code(&result, o2_cancel_signal()),
	};
	if (rc < 0)
		o2_log(O2_ERROR, "%s", err.message);
	o2_journal_end(&journal, &migration);
	/* A result that nobody can read changes nothing about what it says. */
	if (o2_output_migration(args, &migration) < 0 && migration.exit_code == O2_EXIT_DONE)
		return O2_EXIT_FAILED;
	return migration.exit_code;
}

static int finish_dry_run(const struct o2_args *args, struct o2_plan *plan)
{
	if (print_plan(args, plan) < 0)
		return O2_EXIT_FAILED;
	if (o2_plan_blocker_count(plan) > 0) {
		list_blockers(plan);
		return O2_EXIT_PRECONDITION;
	}
	return args->detailed_exitcode && o2_plan_create_count(plan) > 0 ? O2_EXIT_PENDING
									 : O2_EXIT_DONE;
}

static int finish_run(const struct o2_args *args, const struct o2_plan_options *options,
		      struct o2_plan *plan)
{
	struct o2_err err = { 0 };
	bool yes = false;

	show_plan(args, plan);
	if (o2_plan_blocker_count(plan) > 0) {
		if (o2_output_is_doc(args) && print_plan(args, plan) < 0)
			return O2_EXIT_FAILED;
		list_blockers(plan);
		return O2_EXIT_PRECONDITION;
	}
	if (confirm(args, &yes, &err) < 0) {
		o2_log(O2_ERROR, "%s; nothing was changed", err.message);
		return o2_exit_of(&err, O2_EXIT_FAILED);
	}
	if (!yes) {
		o2_log(O2_ERROR, "not confirmed; nothing was changed");
		return O2_EXIT_FAILED;
	}
	return execute(args, options, plan);
}

static int plan_and_go(const struct o2_args *args, const struct o2_session *session,
		       const struct o2_plan_options *options)
{
	enum o2_plan_depth depth = args->dry_run != NULL && strcmp(args->dry_run, "client") == 0
					   ? O2_PLAN_CLIENT
					   : O2_PLAN_SERVER;
	struct o2_err err = { 0 };

	o2_log_phase("plan");
	O2_AUTO(o2_plan_freep)
	struct o2_plan *plan =
		o2_plan_new(session->kube[O2_SOURCE], session->kube[O2_TARGET], options, &err);
	if (plan == NULL || o2_plan_check(plan, depth, &err) < 0)
		return planning_failed(&err);
	return is_dry_run(args) ? finish_dry_run(args, plan) : finish_run(args, options, plan);
}

int o2_cmd_migrate(struct o2_args *args)
{
	O2_AUTO(o2_session_release) struct o2_session session = { 0 };
	O2_AUTO(o2_plan_options_release) struct o2_plan_options options = { 0 };
	struct o2_err err = { 0 };
	int code = check_usage(args);

	if (code != O2_EXIT_DONE)
		return code;
	/* Both configurations first: a mistake in the second must not cost a connection to the first. */
	if (o2_session_configure(&session, args, O2_SOURCE, &err) < 0 ||
	    o2_session_configure(&session, args, O2_TARGET, &err) < 0 ||
	    o2_session_open(&session, args, O2_SOURCE, &err) < 0 ||
	    o2_session_open(&session, args, O2_TARGET, &err) < 0)
		return o2_session_exit(&session, &err);
	fill_options(args, &session, &options);
	return plan_and_go(args, &session, &options);
}
