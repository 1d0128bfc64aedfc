/*
 * Recovery: find the transaction, look at both records, do what the decision table says. Works from the clusters alone, on any
 * machine, also while the old process still lives: whoever takes over moves the epoch, and the other one stops at its next look.
 */
#include "txn/decision.h"
#include "txn/txn_internal.h"

#include "base/clock.h"
#include "base/log.h"

#define HOLDER_GRACE_MS 15000 /* how long a cancel waits for the holder to undo by itself */
#define HOLDER_UNDO_MS \
	120000 /* and for the undo once it has begun: pods may take their time to end */
#define HOLDER_POLL_MS 500

/* A lock without any record: its transaction died before its first effect, or A lost its record before B had one. */
struct strays {
	struct o2_txn_list *list;
	enum o2_side side;           /* where is looked */
	const struct o2_strs *asked; /* namespaces; NULL: all */
	char cluster[65];            /* A's */
};

/* Where its R1 would be; NULL if that is none of A's business. */
static const char *home_of(const struct strays *strays, const struct o2_record_lock *lock)
{
	/* The source's lock of a migration the other way round lies in B. */
	if (lock->side != strays->side)
		return NULL;
	if (lock->side == O2_SOURCE)
		return lock->ns;
	return lock->source_ns[0] && strcmp(lock->source_cluster, strays->cluster) == 0 &&
			       (!strays->asked || o2_strs_has(strays->asked, lock->source_ns))
		       ? lock->source_ns
		       : NULL;
}

static int see_lock(void *arg, const struct o2_record_lock *lock)
{
	const struct strays *strays = arg;
	struct o2_txn_list *list = strays->list;
	const char *ns = home_of(strays, lock), *id = lock->id;

	if (!ns || id[0] == '\0' || strlen(id) >= O2_RECORD_ID_SIZE)
		return 0;
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].id, id) == 0)
			return 0;
	}
	O2_GROW(list->items, list->count, list->cap);
	struct o2_txn_entry *stray = &list->items[list->count++];
	memset(stray, 0, sizeof(*stray));
	snprintf(stray->id, sizeof(stray->id), "%s", id);
	o2_strs_add(&stray->source_namespaces, ns);
	return 0;
}

/* Something of a transaction that is closed: it arrived late. */
static int see_mark(void *arg, const char *id)
{
	struct o2_txn_list *list = arg;

	for (size_t i = 0; i < list->count; i++) {
		struct o2_txn_entry *entry = &list->items[i];

		if (strcmp(entry->id, id) == 0 && entry->clean) {
			entry->clean = false;
			entry->has_leftovers = true;
		}
	}
	return 0;
}

/* Who may not look into all of B's namespaces does without. */
static int look_for_locks_of_target(struct strays *strays, struct o2_kube *target,
				    struct o2_err *err)
{
	strays->side = O2_TARGET;
	int code = o2_record_find_locks(target, NULL, see_lock, strays, err);

	if (code != -O2_EAUTH)
		return code;
	o2_log(O2_DEBUG, "%s", err->message);
	o2_err_clear(err);
	return 0;
}

static int look_around(struct o2_kube *source, struct o2_kube *target,
		       const struct o2_strs *namespaces, struct o2_txn_list *list,
		       struct o2_err *err)
{
	struct strays strays = { .list = list, .side = O2_SOURCE, .asked = namespaces };

	if (o2_txn_find(source, target, namespaces, list, err) < 0 ||
	    (source && o2_record_find_marks(source, namespaces, see_mark, list, err) < 0) ||
	    (target && o2_record_find_marks(target, NULL, see_mark, list, err) < 0))
		return err->code;
	if (source && o2_record_find_locks(source, namespaces, see_lock, &strays, err) < 0)
		return err->code;
	if (source) /* o2_txn_find() has asked for it */
		(void)!o2_kube_cluster_id(source, strays.cluster, NULL);
	return source && target ? look_for_locks_of_target(&strays, target, err) : 0;
}

/* The one with the id, or the only unfinished one. */
static const struct o2_txn_entry *choose(const struct o2_txn_list *list, const char *id,
					 bool retirable, struct o2_err *err)
{
	const struct o2_txn_entry *chosen = NULL;
	struct o2_strs ids = { 0 };

	for (size_t i = 0; i < list->count && id; i++) {
		if (strcmp(list->items[i].id, id) == 0)
			return &list->items[i];
	}
	if (id) {
		o2_fail(err, O2_ENOTFOUND, "transaction '%s' is not known between these clusters",
			id);
		return NULL;
	}
	for (size_t i = 0; i < list->count; i++) {
		if (retirable ? !list->items[i].retirable : list->items[i].clean)
			continue;
		chosen = &list->items[i];
		o2_strs_add(&ids, chosen->id);
	}
	if (ids.count == 0)
		o2_fail(err, O2_ENOTFOUND,
			retirable ? "no migration left a frozen application behind"
				  : "no unfinished transaction was found");
	else if (ids.count > 1)
		o2_fail(err, O2_ECONFLICT, "%zu transactions %s; name one of them: %s, %s%s",
			ids.count, retirable ? "left something behind" : "are unfinished",
			ids.items[0], ids.items[1], ids.count > 2 ? " ..." : "");
	if (ids.count != 1)
		chosen = NULL;
	o2_strs_release(&ids);
	return chosen;
}

/* What recovery works with. */
struct recovery {
	struct o2_kube *source, *target;
	const struct o2_txn_recovery *wish;
	const struct o2_txn_entry *found;
	struct o2_record *record;
	struct o2_txn_result *result;
};

static int load(struct recovery *recovery, struct o2_err *err)
{
	const struct o2_txn_entry *found = recovery->found;
	bool has_source = recovery->source && found->source_state != O2_STATE_ABSENT;
	const struct o2_strs *namespaces =
		has_source ? &found->source_namespaces : &found->target_namespaces;

	recovery->record = o2_record_load(has_source ? recovery->source : NULL, recovery->target,
					  namespaces->items[0], found->id, err);
	if (!recovery->record)
		return err->code;
	if (recovery->wish->lost_timeout_s > 0)
		o2_record_set_patience(recovery->record, recovery->wish->lost_timeout_s * 1000);
	return 0;
}

struct clearing {
	struct o2_kube *kube;
	const char *id;
	struct o2_err *err;
};

static int clear_lock(void *arg, const struct o2_record_lock *lock)
{
	const struct clearing *clearing = arg;

	return strcmp(lock->id, clearing->id) == 0
		       ? o2_record_clear_strays(clearing->kube, lock->side, lock->ns, lock->id,
						clearing->err)
		       : 0;
}

static int clear_stray(struct recovery *recovery, struct o2_err *err)
{
	struct clearing source = { recovery->source, recovery->found->id, err };
	struct clearing target = { recovery->target, recovery->found->id, err };

	for (size_t i = 0; i < recovery->found->source_namespaces.count; i++) {
		if (o2_record_bar(recovery->source, recovery->found->source_namespaces.items[i],
				  recovery->found->id, err) < 0)
			return err->code;
	}
	/* B's lock is made before R1 too, where its namespace exists. */
	if (o2_record_find_locks(recovery->target, NULL, clear_lock, &target, err) < 0 ||
	    o2_record_find_locks(recovery->source, &recovery->found->source_namespaces, clear_lock,
				 &source, err) < 0)
		return err->code;
	o2_txn_conclude(recovery->result, O2_TXN_UNDONE, NULL,
			"transaction %s died before its first effect: its lock was removed",
			recovery->found->id);
	return 0;
}

static int forward(struct recovery *recovery, struct o2_err *err);

/* words: "is closed", as it was found, or "was closed meanwhile", as the takeover found it. */
static int conclude_closed(struct recovery *recovery, enum o2_record_state state, const char *words)
{
	const char *id = recovery->found->id;

	o2_txn_conclude(recovery->result, state == O2_STATE_ABORTED ? O2_TXN_UNDONE : O2_TXN_DONE,
			NULL, "transaction %s %s; nothing is to be done", id, words);
	snprintf(recovery->result->id, sizeof(recovery->result->id), "%s", id);
	return 0;
}

static int conclude_closed_meanwhile(struct recovery *recovery)
{
	return conclude_closed(recovery, o2_record_head(recovery->record)->state,
			       "was closed meanwhile");
}

/* Whoever asked to go back comes too late. */
static int refuse_backwards(struct recovery *recovery, struct o2_err *err)
{
	o2_txn_conclude(recovery->result, O2_TXN_COMMITTED, recovery->record,
			"finish it with 'os2os resume %s'; to go back, migrate from B to A",
			recovery->found->id);
	return o2_fail(err, O2_ECONFLICT,
		       "transaction %s was decided: B has the application, and it can't be undone",
		       recovery->found->id);
}

/* The takeover found that its former process, or somebody else, had decided since we looked: now only forward. */
static int go_on_decided(struct recovery *recovery, struct o2_err *err)
{
	o2_log(O2_INFO, "transaction %s was decided meanwhile", recovery->found->id);
	return recovery->wish->wish == O2_TXN_ROLLBACK ? refuse_backwards(recovery, err)
						       : forward(recovery, err);
}

static bool is_decided(const struct o2_record *record)
{
	enum o2_record_state state = o2_record_head(record)->state;

	return state == O2_STATE_COMMITTED || state == O2_STATE_DONE;
}

static int undo(struct recovery *recovery, const char *words, struct o2_err *err)
{
	struct o2_record *record = recovery->record;

	if (o2_record_take_over(record, err) < 0)
		return err->code;
	if (o2_record_head(record)->clean)
		return conclude_closed_meanwhile(recovery);
	if (is_decided(record))
		return go_on_decided(recovery, err);
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

/* The options as R1 has them, in a copy of their own: a takeover reads the record anew. */
static struct o2_doc *copy_options(const struct o2_record *record, struct o2_plan_options *out)
{
	struct o2_doc *doc = o2_doc_copy(o2_record_head(record)->options);

	o2_plan_options_from_doc(doc, out);
	return doc;
}

static void tell_of_open_step(struct recovery *recovery)
{
	o2_txn_conclude(recovery->result, O2_TXN_COMMITTED, recovery->record,
			"B has the application, a later step is open; run 'os2os resume %s' again",
			o2_record_id(recovery->record));
}

/* What follows from the decision, as often as it takes. */
static int finish_forward(struct recovery *recovery, struct o2_err *err)
{
	struct o2_record *record = recovery->record;
	struct o2_plan_options options;
	O2_AUTO(o2_doc_freep) struct o2_doc *options_doc = copy_options(record, &options);
	O2_AUTO(o2_doc_freep) struct o2_doc *ways_in = o2_doc_array_new();
	struct o2_step_context context = { .record = record,
					   .options = &options,
					   .ways_in = ways_in };
	bool with_source = o2_record_kube(record, O2_SOURCE) != NULL;
	int code = o2_txn_finish_forward(&context, err);

	o2_plan_options_release(&options);
	o2_txn_take_ways_in(recovery->result, ways_in);
	if (code < 0)
		tell_of_open_step(recovery);
	else if (with_source)
		o2_txn_conclude(recovery->result, O2_TXN_DONE, record, "B has the application");
	else
		o2_txn_conclude(recovery->result, O2_TXN_COMMITTED, record,
				"B has the application and is open; run 'os2os recover %s' when A "
				"answers again, to close its record",
				o2_record_id(record));
	return code;
}

static int forward(struct recovery *recovery, struct o2_err *err)
{
	struct o2_record *record = recovery->record;

	if (o2_record_kube(record, O2_SOURCE)) {
		if (o2_record_take_over(record, err) < 0) {
			tell_of_open_step(recovery);
			return err->code;
		}
		if (o2_record_head(record)->clean)
			return conclude_closed_meanwhile(recovery);
	}
	return finish_forward(recovery, err);
}

/* Run the plan from where it stopped; every step settles what is there. */
static int run_again(struct recovery *recovery, struct o2_plan *plan,
		     const struct o2_plan_options *options, struct o2_err *err)
{
	struct o2_record *record = recovery->record;
	O2_AUTO(o2_doc_freep) struct o2_doc *ways_in = o2_doc_array_new();
	struct o2_step_context context = {
		.plan = plan, .record = record, .options = options, .ways_in = ways_in
	};
	int code = o2_record_take_over(record, err);

	if (code == 0 && o2_record_head(record)->clean)
		return conclude_closed_meanwhile(recovery);
	if (code == 0 && is_decided(record))
		return go_on_decided(recovery, err);
	o2_log(O2_INFO, "the plan is still the same: it goes on");
	if (code == 0)
		code = o2_record_check(record, O2_STATE_OPEN, err);
	/* B may have run on the data that travelled: it stops, and what it wrote is overwritten by the next round. */
	if (code == 0 && o2_plan_freezes(plan))
		code = o2_txn_stop_target(record, err);
	if (code == 0)
		code = o2_plan_choose_helpers(plan, O2_PLAN_SERVER, err);
	if (code == 0)
		code = o2_txn_forward(&context, err);
	o2_step_context_release(&context);
	o2_txn_take_ways_in(recovery->result, ways_in);
	if (code == 0)
		o2_txn_conclude(recovery->result, O2_TXN_DONE, record, "B has the application");
	else if (is_decided(record))
		tell_of_open_step(recovery);
	else
		o2_txn_conclude(recovery->result, O2_TXN_HALFWAY, record,
				"it stopped again; run 'os2os resume %s' or 'os2os rollback %s'",
				o2_record_id(record), o2_record_id(record));
	recovery->result->report = o2_plan_report(plan);
	return code;
}

/* OPEN, and the user wants to go on: the same plan must come out of the same options. */
static int resume_open(struct recovery *recovery, struct o2_err *err)
{
	struct o2_record *record = recovery->record;
	struct o2_plan_options options;
	O2_AUTO(o2_doc_freep) struct o2_doc *options_doc = copy_options(record, &options);
	O2_AUTO(o2_plan_freep)
	struct o2_plan *plan = o2_plan_new(recovery->source, recovery->target, &options, err);
	char digest[65];
	int code = 0;

	if (!plan) {
		code = err->code;
	} else {
		o2_app_digest(o2_plan_app(plan), digest);
		if (strcmp(digest, o2_record_head(record)->plan_digest) == 0) {
			code = run_again(recovery, plan, &options, err);
		} else {
			o2_txn_conclude(
				recovery->result, O2_TXN_NOTHING, record,
				"nothing was changed; run 'os2os rollback %s', then migrate again",
				o2_record_id(record));
			code = o2_fail(
				err, O2_ECONFLICT,
				"the application on A changed since transaction %s was planned",
				o2_record_id(record));
		}
	}
	o2_plan_options_release(&options);
	return code;
}

/* Ask the holder to end it; do it ourselves if nothing moves. */
static int cancel(struct recovery *recovery, struct o2_err *err)
{
	struct o2_record *record = recovery->record;
	int64_t give_up = o2_clock_ms() + HOLDER_GRACE_MS;
	bool undoing = false;

	if (o2_record_abort(record, "canceled by 'os2os cancel'", err) < 0)
		return err->code;
	o2_log(O2_INFO, "transaction %s is aborted; waiting for its process to undo it",
	       o2_record_id(record));
	while (o2_clock_ms() < give_up) {
		struct o2_err lost = { 0 }; /* it shows at the next look */
		O2_AUTO(o2_record_freep)
		struct o2_record *now = o2_record_load(recovery->source, recovery->target,
						       recovery->found->source_namespaces.items[0],
						       recovery->found->id, &lost);

		if (now && o2_record_head(now)->clean) {
			o2_txn_conclude(
				recovery->result, O2_TXN_UNDONE, record,
				"its process undid everything: B is as before, A is serving");
			return 0;
		}
		if (now && !undoing && strcmp(o2_record_head(now)->phase, O2_TXN_PHASE_UNDO) == 0) {
			undoing = true;
			give_up = o2_clock_ms() + HOLDER_UNDO_MS;
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

static int finalize(struct recovery *recovery, struct o2_err *err)
{
	const struct o2_txn_entry *found = recovery->found;
	size_t count;

	if (!recovery->source || found->source_state != O2_STATE_DONE || !found->retirable) {
		o2_txn_conclude(recovery->result, O2_TXN_NOTHING, NULL, "nothing was changed");
		return o2_fail(err, O2_ECONFLICT,
			       !recovery->source ? "A does not answer: nothing can be deleted there"
			       : found->source_state == O2_STATE_DONE
				       ? "transaction %s left nothing behind on A"
				       : "transaction %s is not done: what it froze is not deleted",
			       found->id);
	}
	if (load(recovery, err) < 0)
		return err->code;
	count = o2_txn_retired_count(recovery->record);
	if (o2_txn_finalize(recovery->record, err) < 0) {
		o2_txn_conclude(recovery->result,
				err->code == -O2_ECONFLICT ? O2_TXN_NOTHING : O2_TXN_COMMITTED,
				recovery->record,
				"B has the application; run 'os2os finalize %s' again", found->id);
		return err->code;
	}
	o2_txn_conclude(recovery->result, O2_TXN_DONE, recovery->record,
			"%zu objects of A were deleted; B has the application", count);
	return 0;
}

/* B does not answer: A is given back, and B is cleaned when it is there again. */
static int abort_now(struct recovery *recovery, const struct o2_decision *decision,
		     struct o2_err *err)
{
	struct o2_record *record = recovery->record;

	if (o2_record_take_over(record, err) < 0)
		return err->code;
	if (is_decided(record))
		return halt(recovery, o2_decision_of(O2_STATE_COMMITTED, O2_DECISION_UNREACHABLE),
			    O2_TXN_HALFWAY, err);
	if (o2_record_abort(record, decision->words, err) < 0 || o2_txn_thaw(record, err) < 0)
		return err->code;
	return halt(recovery, decision, O2_TXN_HALFWAY, err);
}

/*
 * Closed, but something of it arrived after its end, or came back with a backup. Undoing and finishing are repeated as a whole: an owner
 * that goes before what it owns was released would take it along.
 */
static int tidy(struct recovery *recovery, struct o2_err *err)
{
	struct o2_record *record = recovery->record;
	int code = o2_record_take_over(record, err);
	bool undone = o2_record_head(record)->state == O2_STATE_ABORTED;

	if (code == 0 && undone)
		code = o2_txn_undo(record, o2_record_head(record)->reason, NULL, err);
	else if (code == 0)
		code = finish_forward(recovery, err);
	if (code == 0)
		o2_txn_conclude(recovery->result, undone ? O2_TXN_UNDONE : O2_TXN_DONE, record,
				"transaction %s was closed already; what arrived late of it was "
				"removed",
				o2_record_id(record));
	return code;
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
		return recovery->source
			       ? undo(recovery, "A lost its record", err)
			       : o2_txn_undo_by_label(recovery->record, recovery->result, err);
	case O2_DECIDE_ABORT_NOW:
		return abort_now(recovery, decision, err);
	case O2_DECIDE_FORWARD:
	case O2_DECIDE_FORWARD_ON_B:
		return wish == O2_TXN_ROLLBACK || wish == O2_TXN_CANCEL
			       ? refuse_backwards(recovery, err)
			       : forward(recovery, err);
	case O2_DECIDE_WAIT_FOR_A:
		return halt(recovery, decision, O2_TXN_IN_DOUBT, err);
	case O2_DECIDE_WAIT_FOR_B:
		return halt(recovery, decision, O2_TXN_HALFWAY, err);
	case O2_DECIDE_HALT_BACKUP:
	case O2_DECIDE_HALT_CORRUPT:
		return halt(recovery, decision, O2_TXN_HALFWAY, err);
	case O2_DECIDE_NOTHING:
	case O2_DECIDE_COUNT:
	default:
		break;
	}
	o2_txn_conclude(recovery->result, O2_TXN_DONE, recovery->record,
			"it is done; nothing is to be done");
	return 0;
}

/* Nothing was found: but not to have asked a cluster is not the same as to know that there is none. */
static int conclude_nothing(struct recovery *recovery, struct o2_err *err)
{
	bool half = !recovery->source || !recovery->target;
	struct o2_err found = *err;

	o2_txn_conclude(recovery->result, O2_TXN_NOTHING, NULL, "nothing was changed");
	if (found.code != -O2_ENOTFOUND || !half)
		return found.code;
	o2_err_clear(err);
	return o2_fail(
		err, O2_ETRANSIENT,
		"%s in %s; %s was not asked and may know of one: run it again when it answers",
		found.message, recovery->source ? "A" : "B", recovery->source ? "B" : "A");
}

/* B is to be tidied or undone, and A answers, but has no record any more. */
static bool is_lost_in_source(const struct recovery *recovery, const struct o2_decision *decision)
{
	return recovery->record && recovery->source &&
	       recovery->found->source_state == O2_STATE_ABSENT &&
	       (decision->action == O2_DECIDE_UNDO_BY_LABEL ||
		decision->action == O2_DECIDE_NOTHING);
}

/* What only waits, or clears what has no record, does without. */
static bool needs_record(enum o2_decision_action action)
{
	return action != O2_DECIDE_CLEAR && action != O2_DECIDE_WAIT_FOR_A &&
	       action != O2_DECIDE_WAIT_FOR_B;
}

static int carry_out(struct recovery *recovery, const struct o2_decision *decision,
		     struct o2_err *err)
{
	const struct o2_txn_entry *found = recovery->found;
	int code = 0;

	if (needs_record(decision->action))
		code = load(recovery, err);
	if (code == 0 && is_lost_in_source(recovery, decision))
		code = o2_txn_renew(recovery->record, recovery->source, err);
	if (code == 0 && recovery->record && o2_record_is_renewed(recovery->record))
		code = o2_txn_find_held(recovery->record, err);
	if (code == 0)
		code = found->has_leftovers && recovery->source && recovery->target
			       ? tidy(recovery, err)
			       : act(recovery, decision, err);
	if (code < 0 && !recovery->result->explanation)
		o2_txn_conclude(recovery->result, O2_TXN_HALFWAY, recovery->record,
				"it is as it was before; run the command again");
	return code;
}

/* What was found is dealt with as the table says. */
static int decide(struct recovery *recovery, struct o2_err *err)
{
	const struct o2_txn_entry *found = recovery->found;
	const struct o2_decision *decision = o2_decision_of(
		recovery->source ? (int)found->source_state : O2_DECISION_UNREACHABLE,
		recovery->target ? (int)found->target_state : O2_DECISION_UNREACHABLE);

	if (found->is_unreadable) {
		o2_txn_conclude(recovery->result, O2_TXN_HALFWAY, NULL, "nothing was changed");
		return o2_fail(err, O2_ECORRUPT,
			       "a record of transaction %s can't be read: look at both", found->id);
	}
	if (recovery->wish->wish == O2_TXN_FINALIZE)
		return finalize(recovery, err);
	if (recovery->wish->wish == O2_TXN_RECOVER)
		o2_log(O2_INFO, "transaction %s: %s", found->id, decision->words);
	return found->clean ? conclude_closed(recovery, found->source_state, "is closed")
			    : carry_out(recovery, decision, err);
}

int o2_txn_recover(struct o2_kube *source, struct o2_kube *target,
		   const struct o2_txn_recovery *wish, struct o2_txn_result *result,
		   struct o2_err *err)
{
	struct recovery recovery = {
		.source = source, .target = target, .wish = wish, .result = result
	};
	struct o2_txn_list list = { 0 };
	int64_t begin = o2_clock_ms();
	int code = look_around(source, target, wish->namespaces, &list, err);

	recovery.found =
		code == 0 ? choose(&list, wish->id, wish->wish == O2_TXN_FINALIZE, err) : NULL;
	code = recovery.found ? decide(&recovery, err) : conclude_nothing(&recovery, err);
	o2_record_free(recovery.record);
	o2_txn_list_release(&list);
	result->elapsed_ms = o2_clock_ms() - begin;
	return code;
}
