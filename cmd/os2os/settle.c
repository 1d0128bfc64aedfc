#include "settle.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/log.h"
#include "journal.h"
#include "output.h"
#include "session.h"
#include "ui.h"

/* A side that does not answer is left out: recovery knows what can be done without it. Everything else is a failure. */
static int open_side(struct o2_session *session, const struct o2_args *args, enum o2_side side,
		     struct o2_err *err)
{
	static const char *const options[O2_SIDE_COUNT] = { "--from", "--to" };

	if (!o2_session_named(args, side) && args->both.context == NULL) {
		o2_log(O2_INFO, "%s is not given: that cluster is taken for unreachable",
		       options[side]);
		return 0;
	}
	int rc = o2_session_open(session, args, side, err);
	if (rc == -O2_ETRANSIENT) {
		o2_log(O2_WARN, "%s", err->message);
		o2_log(O2_WARN, "going on without '%s'", session->name[side]);
		o2_err_clear(err);
		return 0;
	}
	return rc;
}

static int open_sides(struct o2_session *session, const struct o2_args *args, struct o2_err *err)
{
	int rc = open_side(session, args, O2_SOURCE, err);

	if (rc == 0)
		rc = open_side(session, args, O2_TARGET, err);
	if (rc == 0 && session->kube[O2_SOURCE] == NULL && session->kube[O2_TARGET] == NULL)
		rc = o2_fail(err, O2_ETRANSIENT, "no cluster answers");
	return rc;
}

static bool is_any_side_named(const struct o2_args *args)
{
	return o2_session_named(args, O2_SOURCE) || o2_session_named(args, O2_TARGET) ||
	       args->both.context != NULL;
}

/* Undoing is a failure of a migration, but what rollback, recover and cancel are for. */
static int exit_code_of(int rc, const struct o2_err *err, const struct o2_txn_result *result,
			enum o2_txn_wish wish)
{
	bool precondition =
		err->code == -O2_ENOTFOUND || err->code == -O2_ECONFLICT || err->code == -O2_EBUSY;

	if (rc < 0 && result->end == O2_TXN_NOTHING)
		return o2_exit_of(err, precondition ? O2_EXIT_PRECONDITION : O2_EXIT_FAILED);
	if (rc == 0 && result->end == O2_TXN_UNDONE && wish != O2_TXN_RESUME)
		return O2_EXIT_DONE;
	return o2_txn_exit_code(result, o2_cancel_signal());
}

/* Only afterwards: that nothing was found is no history. */
static void note(const struct o2_args *args, const struct o2_session *session,
		 const struct o2_txn_recovery *recovery,
		 const struct o2_report_migration *migration)
{
	O2_AUTO(o2_journal_release) struct o2_journal journal = { 0 };

	o2_journal_begin(&journal, args, session->name[O2_SOURCE], session->name[O2_TARGET],
			 recovery->namespaces, NULL);
	o2_journal_end(&journal, migration);
}

static int carry_out(const struct o2_args *args, struct o2_session *session,
		     const struct o2_txn_recovery *recovery)
{
	O2_AUTO(o2_txn_result_release) struct o2_txn_result result = { 0 };
	struct o2_err err = { 0 };

	o2_ui_undoing_needed(true);
	int rc = o2_txn_recover(session->kube[O2_SOURCE], session->kube[O2_TARGET], recovery,
				&result, &err);
	o2_ui_undoing_needed(false);
	struct o2_report_migration migration = {
		.result = &result,
		.cause = rc < 0 ? &err : NULL,
		.exit_code = exit_code_of(rc, &err, &result, recovery->wish),
	};
	if (rc < 0)
		o2_log(O2_ERROR, "%s", err.message);
	if (result.end != O2_TXN_NOTHING)
		note(args, session, recovery, &migration);
	if (o2_output_migration(args, &migration) < 0 && migration.exit_code == O2_EXIT_DONE)
		return O2_EXIT_FAILED;
	return migration.exit_code;
}

int o2_settle(const struct o2_args *args, enum o2_txn_wish wish)
{
	O2_AUTO(o2_session_release) struct o2_session session = { 0 };
	const struct o2_strs *namespaces =
		args->from_namespaces.count > 0 ? &args->from_namespaces : &args->namespaces;
	struct o2_txn_recovery recovery = {
		.wish = wish,
		.id = args->words.count > 0 ? args->words.items[0] : NULL,
		.namespaces = namespaces->count > 0 ? namespaces : NULL,
		.record_lost = args->record_lost,
		.source_fenced = args->source_fenced,
		.lost_timeout_s = args->lost_timeout_s,
	};
	struct o2_err err = { 0 };

	if (!is_any_side_named(args)) {
		o2_log(O2_ERROR, "'%s' needs --from CONTEXT, --to CONTEXT or both",
		       args->cmd->name);
		return O2_EXIT_USAGE;
	}
	if (open_sides(&session, args, &err) < 0)
		return o2_session_exit(&session, &err);
	return carry_out(args, &session, &recovery);
}
