/*
 * Recovery: find the transaction, look at both records, do what the decision table says. Works from the clusters alone, on any
 * machine, also while the old process still lives: whoever takes over moves the epoch, and the other one stops at its next look.
 */
#include "txn/decision.h"
#include "txn/txn_internal.h"

#include "base/clock.h"
#include "base/log.h"

#define HOLDER_GRACE_MS 15000 /* how long a cancel waits for the holder to undo by itself */
#define HOLDER_POLL_MS 500

/* The transaction that is recovered, and where its records were seen. */
struct found {
	char id[O2_RECORD_ID_SIZE];
	char *source_ns, *target_ns; /* of R1 and R2; NULL: not there */
	enum o2_record_state source_state, target_state;
	bool clean;
};

struct search {
	struct found *items;
	size_t count, cap;
};

static struct found *found_of(struct search *search, const char *id)
{
	for (size_t i = 0; i < search->count; i++) {
		if (strcmp(search->items[i].id, id) == 0)
			return &search->items[i];
	}
	O2_GROW(search->items, search->count, search->cap);
	struct found *found = &search->items[search->count++];
	memset(found, 0, sizeof(*found));
	snprintf(found->id, sizeof(found->id), "%s", id);
	return found;
}

static int see_record(void *arg, enum o2_side side, const struct o2_record_head *head)
{
	struct found *found = found_of(arg, head->id);
	const struct o2_strs *namespaces =
		side == O2_SOURCE ? &head->source_namespaces : &head->target_namespaces;
	char **ns = side == O2_SOURCE ? &found->source_ns : &found->target_ns;

	if (namespaces->count == 0)
		return 0; /* unreadable: named by status, not touched here */
	free(*ns);
	*ns = o2_xstrdup(namespaces->items[0]);
	if (side == O2_SOURCE) {
		found->source_state = head->state;
		found->clean = head->clean;
	} else {
		found->target_state = head->state;
		found->clean |= head->clean && !found->source_ns;
	}
	return 0;
}

static int see_lock(void *arg, const char *ns, const char *id)
{
	struct search *search = arg;
	size_t before = search->count;
	struct found *found;

	if (strlen(id) == 0 || strlen(id) >= O2_RECORD_ID_SIZE)
		return 0;
	found = found_of(search, id);
	/* Nothing but a lock: remember where. */
	if (search->count > before)
		found->source_ns = o2_xstrdup(ns);
	return 0;
}

static void release_search(struct search *search)
{
	for (size_t i = 0; i < search->count; i++) {
		free(search->items[i].source_ns);
		free(search->items[i].target_ns);
	}
	free(search->items);
}

static int look_around(struct o2_kube *source, struct o2_kube *target,
		       const struct o2_strs *namespaces, struct search *search, struct o2_err *err)
{
	if (source && (o2_record_find(source, namespaces, see_record, search, err) < 0 ||
		       o2_record_find_locks(source, namespaces, see_lock, search, err) < 0))
		return err->code;
	/* B's namespaces may be called otherwise than A's. */
	if (target &&
	    o2_record_find(target, source ? NULL : namespaces, see_record, search, err) < 0)
		return err->code;
	return 0;
}

/* The one with the id, or the only unfinished one. */
static const struct found *choose(const struct search *search, const char *id, struct o2_err *err)
{
	const struct found *chosen = NULL;
	struct o2_buf ids;

	for (size_t i = 0; i < search->count && id; i++) {
		if (strcmp(search->items[i].id, id) == 0)
			return &search->items[i];
	}
	if (id) {
		o2_fail(err, O2_ENOTFOUND, "no cluster that was asked knows transaction '%s'", id);
		return NULL;
	}
	o2_buf_init(&ids, 200);
	size_t open = 0;
	for (size_t i = 0; i < search->count; i++) {
		if (search->items[i].clean)
			continue;
		open++;
		chosen = &search->items[i];
		o2_buf_addf(&ids, " %s", chosen->id);
	}
	if (open == 0)
		o2_fail(err, O2_ENOTFOUND, "no unfinished transaction was found");
	else if (open > 1)
		o2_fail(err, O2_ECONFLICT,
			"several transactions are unfinished, name one of them:%s", ids.data);
	o2_buf_release(&ids);
	return open == 1 ? chosen : NULL;
}

/* What recovery works with. */
struct recovery {
	struct o2_kube *source, *target;
	const struct o2_txn_recovery *wish;
	const struct found *found;
	struct o2_record *record;
	struct o2_txn_result *result;
};

static int load(struct recovery *recovery, struct o2_err *err)
{
	bool has_source = recovery->source && recovery->found->source_state != O2_STATE_ABSENT;
	const char *ns = has_source ? recovery->found->source_ns : recovery->found->target_ns;

	recovery->record = o2_record_load(has_source ? recovery->source : NULL, recovery->target,
					  ns, recovery->found->id, err);
	if (!recovery->record)
		return err->code;
	if (recovery->wish->lost_timeout_s > 0)
		o2_record_set_patience(recovery->record, recovery->wish->lost_timeout_s * 1000);
	return 0;
}

static int clear_stray(struct recovery *recovery, struct o2_err *err)
{
	const struct found *found = recovery->found;

	if (o2_record_clear_strays(recovery->source, found->source_ns, found->id, err) < 0)
		return err->code;
	o2_txn_conclude(recovery->result, O2_TXN_UNDONE, NULL,
			"transaction %s died before its first effect: its lock was removed",
			found->id);
	return 0;
}

static int undo(struct recovery *recovery, const char *words, struct o2_err *err)
{
	struct o2_record *record = recovery->record;

	if (o2_record_take_over(record, err) < 0)
		return err->code;
	if (o2_txn_undo(record, words, NULL, err) < 0) {
		o2_txn_conclude(recovery->result, O2_TXN_HALFWAY, record,
				"the undo is not complete; run 'os2os recover %s' again",
				o2_record_id(record));
		return err->code;
	}
	o2_txn_conclude(recovery->result, O2_TXN_UNDONE, record,
			"everything was undone: B is as before, A is serving");
	return 0;
}

static int forward(struct recovery *recovery, struct o2_err *err)
{
	struct o2_record *record = recovery->record;
	struct o2_plan_options options;
	O2_AUTO(o2_doc_freep) struct o2_doc *ways_in = o2_doc_array_new();
	struct o2_step_context context = { .record = record,
					   .options = &options,
					   .ways_in = ways_in };
	bool with_source = o2_record_kube(record, O2_SOURCE) != NULL;
	int code;

	if (with_source && o2_record_take_over(record, err) < 0)
		return err->code;
	o2_plan_options_from_doc(o2_record_head(record)->options, &options);
	code = o2_txn_finish_forward(&context, err);
	o2_plan_options_release(&options);
	o2_txn_take_ways_in(recovery->result, ways_in);
	if (code < 0)
		o2_txn_conclude(
			recovery->result, O2_TXN_COMMITTED, record,
			"B has the application, a later step is open; run 'os2os resume %s' again",
			o2_record_id(record));
	else if (with_source)
		o2_txn_conclude(recovery->result, O2_TXN_DONE, record, "B has the application");
	else
		o2_txn_conclude(recovery->result, O2_TXN_COMMITTED, record,
				"B has the application and is open; run 'os2os recover %s' when A "
				"answers again, to close its record",
				o2_record_id(record));
	return code;
}

/* OPEN, and the user wants to go on: the same plan must come out of the same options. */
static int resume_open(struct recovery *recovery, struct o2_err *err)
{
	struct o2_record *record = recovery->record;
	struct o2_plan_options options;
	O2_AUTO(o2_doc_freep) struct o2_doc *ways_in = o2_doc_array_new();
	char digest[65];
	int code;

	o2_plan_options_from_doc(o2_record_head(record)->options, &options);
	O2_AUTO(o2_plan_freep)
	struct o2_plan *plan = o2_plan_new(recovery->source, recovery->target, &options, err);
	if (!plan) {
		o2_plan_options_release(&options);
		return err->code;
	}
	o2_app_digest(o2_plan_app(plan), digest);
	if (strcmp(digest, o2_record_head(record)->plan_digest) != 0) {
		o2_txn_conclude(recovery->result, O2_TXN_NOTHING, record,
				"nothing was changed; run 'os2os rollback %s', then migrate again",
				o2_record_id(record));
		code = o2_fail(err, O2_ECONFLICT,
			       "the application on A changed since transaction %s was planned",
			       o2_record_id(record));
	} else {
		struct o2_step_context context = {
			.plan = plan, .record = record, .options = &options, .ways_in = ways_in
		};

		code = o2_record_take_over(record, err);
		if (code == 0)
			code = o2_txn_forward(&context, err);
		if (code == 0) {
			o2_txn_take_ways_in(recovery->result, ways_in);
			o2_txn_conclude(recovery->result, O2_TXN_DONE, record,
					"B has the application");
		} else {
			o2_txn_conclude(
				recovery->result,
				o2_record_head(record)->state == O2_STATE_COMMITTED
					? O2_TXN_COMMITTED
					: O2_TXN_HALFWAY,
				record,
				"it stopped again; run 'os2os resume %s' or 'os2os rollback %s'",
				o2_record_id(record), o2_record_id(record));
		}
		recovery->result->report = o2_plan_report(plan);
	}
	o2_plan_options_release(&options);
	return code;
}

/* Ask the holder to end it; do it ourselves if nothing moves. */
static int cancel(struct recovery *recovery, struct o2_err *err)
{
	struct o2_record *record = recovery->record;
	int64_t give_up = o2_clock_ms() + HOLDER_GRACE_MS;

	if (o2_record_abort(record, "canceled by 'os2os cancel'", err) < 0)
		return err->code;
	o2_log(O2_INFO, "transaction %s is aborted; waiting for its process to undo it",
	       o2_record_id(record));
	while (o2_clock_ms() < give_up) {
		O2_AUTO(o2_record_freep)
		struct o2_record *now =
			o2_record_load(recovery->source, recovery->target,
				       recovery->found->source_ns, recovery->found->id, NULL);

		if (now && o2_record_head(now)->clean) {
			o2_txn_conclude(
				recovery->result, O2_TXN_UNDONE, record,
				"its process undid everything: B is as before, A is serving");
			return 0;
		}
		o2_clock_sleep_ms(HOLDER_POLL_MS);
	}
	o2_log(O2_INFO, "its process does not react; undoing it here");
	return undo(recovery, "canceled by 'os2os cancel'", err);
}

static int halt(struct recovery *recovery, const struct o2_decision *decision, enum o2_txn_end end,
		struct o2_err *err)
{
	o2_txn_conclude(recovery->result, end, NULL, "%s", decision->words);
	snprintf(recovery->result->id, sizeof(recovery->result->id), "%s", recovery->found->id);
	return o2_fail(err, end == O2_TXN_IN_DOUBT ? O2_ETRANSIENT : O2_ECORRUPT,
		       "transaction %s: %s", recovery->found->id, decision->words);
}

static int act(struct recovery *recovery, const struct o2_decision *decision, struct o2_err *err)
{
	enum o2_txn_wish wish = recovery->wish->wish;

	switch (decision->action) {
	case O2_DECIDE_CLEAR:
		return clear_stray(recovery, err);
	case O2_DECIDE_UNDO:
		if (wish == O2_TXN_RESUME && recovery->found->source_state == O2_STATE_OPEN)
			return resume_open(recovery, err);
		if (wish == O2_TXN_CANCEL && recovery->found->source_state == O2_STATE_OPEN)
			return cancel(recovery, err);
		return undo(recovery, "undone by recovery", err);
	case O2_DECIDE_UNDO_BY_LABEL:
		return o2_txn_undo_by_label(recovery->record, recovery->result, err);
	case O2_DECIDE_ABORT_NOW:
		if (o2_record_take_over(recovery->record, err) < 0 ||
		    o2_record_abort(recovery->record, decision->words, err) < 0)
			return err->code;
		return halt(recovery, decision, O2_TXN_HALFWAY, err);
	case O2_DECIDE_FORWARD:
	case O2_DECIDE_FORWARD_ON_B:
		if (wish == O2_TXN_ROLLBACK || wish == O2_TXN_CANCEL) {
			o2_txn_conclude(
				recovery->result, O2_TXN_COMMITTED, recovery->record,
				"finish it with 'os2os resume %s'; to go back, migrate from B to A",
				recovery->found->id);
			return o2_fail(err, O2_ECONFLICT,
				       "transaction %s was decided: B has the application, and it "
				       "can't be undone",
				       recovery->found->id);
		}
		return forward(recovery, err);
	case O2_DECIDE_WAIT_FOR_A:
		return halt(recovery, decision, O2_TXN_IN_DOUBT, err);
	case O2_DECIDE_WAIT_FOR_B:
		return halt(recovery, decision, O2_TXN_HALFWAY, err);
	case O2_DECIDE_HALT_BACKUP:
	case O2_DECIDE_HALT_CORRUPT:
		return halt(recovery, decision, O2_TXN_HALFWAY, err);
	case O2_DECIDE_NOTHING:
	case O2_DECIDE_COUNT:
		break;
	}
	o2_txn_conclude(recovery->result, O2_TXN_DONE, recovery->record,
			"it is done; nothing is to be done");
	return 0;
}

int o2_txn_recover(struct o2_kube *source, struct o2_kube *target,
		   const struct o2_txn_recovery *wish, struct o2_txn_result *result,
		   struct o2_err *err)
{
	struct recovery recovery = {
		.source = source, .target = target, .wish = wish, .result = result
	};
	struct search search = { 0 };
	const struct o2_decision *decision;
	int64_t begin = o2_clock_ms();
	int code = look_around(source, target, wish->namespaces, &search, err);

	recovery.found = code == 0 ? choose(&search, wish->id, err) : NULL;
	if (!recovery.found) {
		release_search(&search);
		o2_txn_conclude(result, O2_TXN_NOTHING, NULL, "nothing was changed");
		return err->code;
	}
	decision = o2_decision_of(
		source ? (int)recovery.found->source_state : O2_DECISION_UNREACHABLE,
		target ? (int)recovery.found->target_state : O2_DECISION_UNREACHABLE);
	o2_log(O2_INFO, "transaction %s: %s", recovery.found->id, decision->words);
	if (recovery.found->clean) {
		o2_txn_conclude(result,
				recovery.found->source_state == O2_STATE_ABORTED ? O2_TXN_UNDONE
										 : O2_TXN_DONE,
				NULL, "transaction %s is closed; nothing is to be done",
				recovery.found->id);
		snprintf(result->id, sizeof(result->id), "%s", recovery.found->id);
	} else {
		if (decision->action != O2_DECIDE_CLEAR && decision->action != O2_DECIDE_WAIT_FOR_A)
			code = load(&recovery, err);
		if (code == 0)
			code = act(&recovery, decision, err);
		if (code < 0 && !result->explanation)
			o2_txn_conclude(result, O2_TXN_HALFWAY, recovery.record,
					"it is as it was before; run the command again");
	}
	o2_record_free(recovery.record);
	release_search(&search);
	result->elapsed_ms = o2_clock_ms() - begin;
	return code;
}
