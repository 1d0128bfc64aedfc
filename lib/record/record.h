/*
 * The transaction's record, and every write that a transaction makes: lock, R1, R2, write set, owner, guarded writes.
 * This is the only module that writes to a cluster (a check proves it).
 *
 * Calling sequence of a run that goes well:
 *
 *	o2_record_new(); o2_record_lock();           // A, and B where its namespaces exist
 *	o2_record_declare(); o2_record_begin();      // write set, then R1 = OPEN: from here on recovery knows everything
 *	o2_record_create_many();                     // inert, owned; namespaces, R2 and owner first
 *	o2_record_check(); o2_record_change_many();  // forward writes, each read - R1 is mine - compare and swap
 *	o2_record_decide();                          // R1: OPEN -> COMMITTED, the decision
 *	o2_record_mirror(); o2_record_change_many(); // R2, then B is opened
 *	o2_record_release_many(); o2_record_finish();
 *
 * Recovery: o2_record_find(), o2_record_load(), o2_record_take_over(), then the same functions forwards, or o2_record_abort(),
 * o2_record_remove_many(), o2_record_close() backwards.
 *
 * Caveats: everything here may be repeated after a crash at any instruction. An unknown outcome is settled by reading
 * (PROTOCOL.md U9), for as long as `patience_ms`; after that O2_ETRANSIENT names the cluster that was lost.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/strs.h"
#include "doc/doc.h"
#include "kube/kube.h"

#define O2_RECORD_ID_SIZE 16

enum o2_side { O2_SOURCE, O2_TARGET, O2_SIDE_COUNT };

enum o2_record_state {
	O2_STATE_ABSENT,
	O2_STATE_OPEN,
	O2_STATE_COMMITTED,
	O2_STATE_DONE,
	O2_STATE_ABORTED,
	O2_STATE_COUNT
};
const char *o2_record_state_name(enum o2_record_state state); /* "OPEN" */

/* What R1 says besides its state. Owned by the record. */
struct o2_record_head {
	char id[O2_RECORD_ID_SIZE];
	enum o2_record_state state;
	int epoch;                             /* counts takeovers, from 1 */
	char *holder;                          /* who works on it: "host:pid:nonce" */
	char *mode;                            /* "copy" */
	char *source_name, *target_name;       /* context names as the user gave them */
	char *source_cluster, *target_cluster; /* o2_kube_cluster_id */
	struct o2_strs source_namespaces, target_namespaces;
	struct o2_doc
		*options;  /* what the command line asked for, enough to build the plan again */
	char *plan_digest; /* o2_app_digest of what was planned */
	char *write_set_digest;
	int write_set_chunks;
	char *phase;          /* last phase that was reached */
	char *reason;         /* why it was aborted, "" otherwise */
	bool clean;           /* nothing is left to undo or to finish */
	bool retirable;       /* DONE, and A still has the frozen application: `os2os finalize` */
	int64_t frozen_since; /* seconds since 1970; 0: A is not, or no longer, frozen */
	char *frozen;         /* what is, for people: "2 Deployment, 1 StatefulSet" */
	int64_t deadline;     /* when the watchdog gives A back; 0: there is none */
	int64_t created;      /* seconds since 1970 */
	int64_t changed;
	struct o2_doc *report; /* steps with predicted and actual times; NULL before the end */
};

/* One thing that the transaction touches, as the write set lists it. */
struct o2_record_entry {
	char *step; /* name of the step type that touches it; its undo is asked later */
	enum o2_side side;
	char *api_version, *kind;
	char *ns; /* NULL for cluster-scoped */
	char *name;
	char *uid; /* of what is A's; NULL for what the transaction makes */
	int ready; /* ready pods of a workload of A, as they were */
	int wave;  /* undone in falling order */
};

/* The step of entries that name what `finalize` takes away on A. */
#define O2_RECORD_RETIRE "retire"

struct o2_record;

/* A fresh transaction with an id of its own; nothing is written. `source` and `target` may be the same cluster, not the same namespace. */
struct o2_record *o2_record_new(struct o2_kube *source, struct o2_kube *target, const char *mode);
void o2_record_free(struct o2_record *record);
O2_DEFINE_FREEP(struct o2_record, o2_record_free)
/* How long a lost cluster is waited for. Default 60,000. */
void o2_record_set_patience(struct o2_record *record, int patience_ms);
/*
 * In haste the target gets only moments: a few seconds to answer, and less than a minute to end what it is told to end, after which a
 * call fails with O2_ETRANSIENT. For whatever keeps the source from serving.
 */
void o2_record_set_haste(struct o2_record *record, bool haste);

const struct o2_record_head *o2_record_head(const struct o2_record *record);
const char *o2_record_id(const struct o2_record *record);
struct o2_kube *o2_record_kube(const struct o2_record *record, enum o2_side side);

/* --- forwards ------------------------------------------------------------------------------------------------------- */

/*
 * CREATE the lock in a namespace (PROTOCOL.md U13).
 * Errors  O2_EBUSY, naming the transaction that holds it and what to do. A lock of this transaction is success.
 */
O2_MUST_CHECK int o2_record_lock(struct o2_record *record, enum o2_side side, const char *ns,
				 struct o2_err *err);

/* Add an entry to the write set; what is added after o2_record_begin() is known to this process only. Copies. */
void o2_record_declare(struct o2_record *record, const struct o2_record_entry *entry);

/*
 * Write the write set, then R1 = OPEN, into the first source namespace.
 * options  copied; no secret values.
 */
struct o2_record_begin {
	const struct o2_strs *source_namespaces, *target_namespaces;
	const char *source_name, *target_name;
	const struct o2_doc *options;
	const char *plan_digest;
};
O2_MUST_CHECK int o2_record_begin(struct o2_record *record, const struct o2_record_begin *begin,
				  struct o2_err *err);

/*
 * Read R1: is it still this process's, and in `state`?
 * Errors  O2_ECONFLICT: taken over, aborted or committed by somebody else (the message says by whom); O2_ETRANSIENT: A is lost. An abort that
 *         somebody asked for without taking over (`os2os cancel`) is in the head's state afterwards: the undoing is this process's.
 * Without A (source NULL) only COMMITTED can be checked, which is final: from R2's word.
 */
O2_MUST_CHECK int o2_record_check(struct o2_record *record, enum o2_record_state state,
				  struct o2_err *err);

/* CREATE a target namespace (labelled; `object` may carry labels and annotations to set). O2_ECONFLICT if somebody else made it. */
O2_MUST_CHECK int o2_record_create_namespace(struct o2_record *record, const char *ns,
					     const struct o2_doc *object, struct o2_err *err);
/* R2 = OPEN in the first target namespace; the owner in every one. Repeatable. */
O2_MUST_CHECK int o2_record_create_mirror(struct o2_record *record, struct o2_err *err);
O2_MUST_CHECK int o2_record_create_owner(struct o2_record *record, enum o2_side side,
					 const char *ns, struct o2_err *err);

/*
 * CREATE objects on B with label and, if namespaced and `owned`, an ownerReference to the owner of their namespace.
 * R1 is read once before the first (U2). An object of this transaction that is there already is success (repeat after a crash).
 *
 * Errors  the first failure, prefixed with its object; O2_ECONFLICT if an object is there that is not ours. Objects made before
 *         the failure stay: the undo knows them.
 */
struct o2_record_object {
	const struct o2_kube_kind *kind;
	const char *ns, *name;
	/* Full body for create; merge patch for change; NULL for remove and release. */
	const struct o2_doc *object;
	/* Release: metadata as a sweep saw it, which saves reading it; NULL otherwise. Cleared once used. */
	const struct o2_doc *seen;
	const char *uid; /* retire: only the one with this uid */
};
O2_MUST_CHECK int o2_record_create_many(struct o2_record *record, struct o2_record_object *objects,
					size_t count, bool owned, enum o2_record_state state,
					struct o2_err *err);

/*
 * Patch objects of this transaction: read - R1 is mine and in `state` - compare and swap, repeated while controllers move the version.
 * `mark` is written as label os2os.io/phase in the same write; an object that carries it already is left alone (U7). A
 * label, since the Deployment controller copies annotations to ReplicaSets and never takes them back.
 * Objects that do not carry this transaction's label are O2_ECONFLICT.
 */
O2_MUST_CHECK int o2_record_change_many(struct o2_record *record, struct o2_record_object *objects,
					size_t count, const char *mark, enum o2_record_state state,
					struct o2_err *err);
/* The mark that an object carries, "" if none. Borrowed from it. */
const char *o2_record_mark_of(const struct o2_doc *object);

/*
 * Objects that only serve the transaction (movers, the guard, the watchdog), on either side: created with label and owner, so
 * that what comes late after the end is collected. Neither a sweep nor a discovery sees them. One that is there already is success.
 */
O2_MUST_CHECK int o2_record_create_helpers(struct o2_record *record, enum o2_side side,
					   struct o2_record_object *objects, size_t count,
					   struct o2_err *err);
/* DELETE those that are ours, by uid, and wait until they are gone. Absent is success. */
O2_MUST_CHECK int o2_record_remove_helpers(struct o2_record *record, enum o2_side side,
					   struct o2_record_object *objects, size_t count,
					   struct o2_err *err);
/* The same without waiting. What is not answered for goes at the latest with o2_record_clear_helpers(). */
O2_MUST_CHECK int o2_record_dismiss_helpers(struct o2_record *record, enum o2_side side,
					    struct o2_record_object *objects, size_t count,
					    struct o2_err *err);
/*
 * Every helper of a side, found by its label: pods, jobs, accounts, roles, config, quotas in the side's namespaces, admission
 * policies in cluster scope. For recovery, which has no plan, and to prove that nothing is left (I7).
 */
O2_MUST_CHECK int o2_record_clear_helpers(struct o2_record *record, enum o2_side side,
					  struct o2_err *err);

/* The same of pods only; dismiss orders them away and does not wait. */
O2_MUST_CHECK int o2_record_dismiss_helper_pods(struct o2_record *record, enum o2_side side,
						struct o2_err *err);
O2_MUST_CHECK int o2_record_clear_helper_pods(struct o2_record *record, enum o2_side side,
					      struct o2_err *err);

/*
 * Hold objects of A: the merge patch in `object` is applied, and in the same write the undo is put into an annotation (U6), with the
 * managedFields as they were and the number of ready pods. An object that this transaction holds already is left alone.
 *
 * state   OPEN.
 * Errors  O2_ECONFLICT: another transaction holds it; O2_ENOTFOUND: it is gone.
 */
O2_MUST_CHECK int o2_record_hold_many(struct o2_record *record, struct o2_record_object *objects,
				      size_t count, struct o2_err *err);
/* What is held, and was changed by somebody else so that it holds no longer, is held again (COMMITTED). Absent is success. */
O2_MUST_CHECK int o2_record_hold_again(struct o2_record *record, struct o2_record_object *objects,
				       size_t count, struct o2_err *err);
/*
 * Give back what is held: the undo is applied, field by field where nobody else changed it meanwhile (those are warned about and stay as
 * they are), then marks go and managedFields return (U15). What is not held is touched instead: two writes that move its version, so
 * that a late write of a former process finds another one (U4). Absent is success.
 *
 * state    ABORTED in an undo, OPEN when a copy thaws A, COMMITTED when volumes are given back before they are retired.
 */
O2_MUST_CHECK int o2_record_restore_many(struct o2_record *record, struct o2_record_object *objects,
					 size_t count, enum o2_record_state state,
					 struct o2_err *err);
/*
 * Two writes that change nothing in the end, so that the version moves and controllers look again (U14); what their copies of a held
 * object's annotations left behind goes as well. Absent is success.
 */
O2_MUST_CHECK int o2_record_touch_many(struct o2_record *record, struct o2_record_object *objects,
				       size_t count, enum o2_record_state state,
				       struct o2_err *err);
/* Is this object of A held by this transaction? Its undo, to be freed; NULL if not. { "undo": merge patch, "ready": pods, ... } */
struct o2_doc *o2_record_undo_of(const struct o2_record *record, const struct o2_doc *object);
/* Does this transaction hold it, and is it still as that left it? */
bool o2_record_is_as_held(const struct o2_record *record, const struct o2_doc *object);
/* The annotation's value and label's name, for whoever reads A while it is held. */
#define O2_RECORD_HELD_LABEL "os2os.io/held"
#define O2_RECORD_UNDO_ANNOTATION "os2os.io/undo"
/*
 * JSON Patch that thaws `object` as it is now, should nobody else be there to do it: a test of the mark, then the change back. Its
 * marks stay for whoever recovers. Caller frees.
 */
struct o2_doc *o2_record_thaw_patch(const struct o2_record *record, const struct o2_doc *object,
				    const struct o2_doc *hold);
/* The name by which managedFields tells the writes of os2os; whoever writes for it has to use the same. */
const char *o2_record_manager(void);
/* DELETE objects of A for good, by the uid each names, and wait until they are gone (finalize). */
O2_MUST_CHECK int o2_record_retire_many(struct o2_record *record, struct o2_record_object *objects,
					size_t count, struct o2_err *err);
/* Nothing is left to retire: the write set goes. R1 stays as the tombstone. */
O2_MUST_CHECK int o2_record_retired(struct o2_record *record, struct o2_err *err);

/*
 * Merge patch of the status of objects that this transaction made or holds (a CronJob's lastScheduleTime). Absent is success, and so is an
 * object that is neither.
 */
O2_MUST_CHECK int o2_record_set_status(struct o2_record *record, enum o2_side side,
				       struct o2_record_object *objects, size_t count,
				       enum o2_record_state state, struct o2_err *err);

/* The decision: R1 OPEN -> COMMITTED by compare and swap. O2_ECONFLICT: somebody decided otherwise. A lost answer is read back. */
O2_MUST_CHECK int o2_record_decide(struct o2_record *record, struct o2_err *err);
/* Was it sent, and is unknown whether it was taken? */
bool o2_record_is_in_doubt(const struct o2_record *record);
/*
 * R2 becomes as R1 is known to be, with the phase: after the decision, so that B knows of it; before, so that a B that is older than
 * what the decision rests on can be told by its R2.
 */
O2_MUST_CHECK int o2_record_mirror(struct o2_record *record, struct o2_err *err);
/* Take labels and ownerReference of the transaction off. Objects that are gone or already clean are passed over. */
O2_MUST_CHECK int o2_record_release_many(struct o2_record *record, struct o2_record_object *objects,
					 size_t count, struct o2_err *err);
/* Owners and locks removed, finalizers taken off, R1 and R2 = DONE. `report` is kept in R1; copied. */
O2_MUST_CHECK int o2_record_finish(struct o2_record *record, const struct o2_doc *report,
				   struct o2_err *err);
/* Remember the phase in R1 (compare and swap). */
O2_MUST_CHECK int o2_record_set_phase(struct o2_record *record, const char *phase,
				      struct o2_err *err);

/* Remember since when what of A is frozen, and until when it may be (compare and swap). */
O2_MUST_CHECK int o2_record_set_freeze(struct o2_record *record, int64_t since, int64_t deadline,
				       const char *what, struct o2_err *err);

/* --- backwards ------------------------------------------------------------------------------------------------------ */

/* R1 OPEN -> ABORTED with the reason, then R2 the same. Success if it is ABORTED already; O2_ECONFLICT if it is COMMITTED. */
O2_MUST_CHECK int o2_record_abort(struct o2_record *record, const char *reason, struct o2_err *err);
/*
 * DELETE objects that carry this transaction's label, by uid, and wait until they are gone (at most `patience` per object).
 * Objects that are absent or not ours are passed over. Workloads go with their pods (foreground), claims with their volumes.
 */
O2_MUST_CHECK int o2_record_remove_many(struct o2_record *record, struct o2_record_object *objects,
					size_t count, bool foreground, struct o2_err *err);
O2_MUST_CHECK int o2_record_remove_owner(struct o2_record *record, enum o2_side side,
					 const char *ns, struct o2_err *err);
O2_MUST_CHECK int o2_record_remove_namespace(struct o2_record *record, const char *ns,
					     struct o2_err *err);
O2_MUST_CHECK int o2_record_unlock(struct o2_record *record, enum o2_side side, const char *ns,
				   struct o2_err *err);
/* Everything is undone: R1 (and R2, if its namespace is still there) become clean tombstones. */
O2_MUST_CHECK int o2_record_close(struct o2_record *record, const struct o2_doc *report,
				  struct o2_err *err);

/* --- recovery ------------------------------------------------------------------------------------------------------- */

/* Called for each record found; `head` is borrowed. side: which record it is (R1 or R2). A negative return ends the search with it. */
typedef int o2_record_found_fn(void *arg, enum o2_side side, const struct o2_record_head *head);
/* All records in a cluster's namespaces (NULL: all namespaces, or what may be read). */
O2_MUST_CHECK int o2_record_find(struct o2_kube *kube, const struct o2_strs *namespaces,
				 o2_record_found_fn *fn, void *arg, struct o2_err *err);

/*
 * Read an existing record and its write set. `ns`: the namespace of R1.
 *
 * source  NULL: A is unreachable or R1 is lost. Then `ns` is that of R2, the head is R2's, and the write set is empty.
 * target  NULL: B is unreachable; nothing that touches B may be called.
 * Errors  O2_ENOTFOUND, O2_ECORRUPT (the write set does not match its digest).
 */
O2_MUST_CHECK struct o2_record *o2_record_load(struct o2_kube *source, struct o2_kube *target,
					       const char *ns, const char *id, struct o2_err *err);
/* A of a record that was loaded without it, since R1 is lost. Borrowed. */
void o2_record_set_source(struct o2_record *record, struct o2_kube *source);
/*
 * R1 is lost, R2 is not: write R1 as R2 has it, ABORTED where that is OPEN, with no write set.
 * Errors  O2_ECONFLICT: there is an R1 meanwhile.
 */
O2_MUST_CHECK int o2_record_renew(struct o2_record *record, const char *reason, struct o2_err *err);
/* R1 was made again: what is held stands only on the objects. */
bool o2_record_is_renewed(const struct o2_record *record);
/* Is R2 as o2_record_mirror() left it last? Errors: O2_ECONFLICT, if it is not (B was restored from a backup); O2_ETRANSIENT. */
O2_MUST_CHECK int o2_record_check_mirror(struct o2_record *record, struct o2_err *err);
/* Become the holder: CAS epoch + 1 (U3). */
O2_MUST_CHECK int o2_record_take_over(struct o2_record *record, struct o2_err *err);
size_t o2_record_entry_count(const struct o2_record *record);
const struct o2_record_entry *o2_record_entry(const struct o2_record *record, size_t index);
/*
 * Nothing was begun: remove what lies about without an R1 (locks of this process, chunks of the write set). Only while the state is ABSENT.
 */
O2_MUST_CHECK int o2_record_discard(struct o2_record *record, struct o2_err *err);
/* A lock that was found. Borrowed for the call. */
struct o2_record_lock {
	const char *ns, *id; /* id: of its transaction */
	enum o2_side side;
	const char *source_cluster,
		*source_ns; /* of one on B: where R1 is, if it is anywhere; "" if it does not say */
};
/* Called for each lock. A negative return ends the search with it. */
typedef int o2_record_lock_fn(void *arg, const struct o2_record_lock *lock);
O2_MUST_CHECK int o2_record_find_locks(struct o2_kube *kube, const struct o2_strs *namespaces,
				       o2_record_lock_fn *fn, void *arg, struct o2_err *err);
/*
 * The transactions of locks, owners and labelled namespaces: what a request that was long on its way leaves behind, if it arrives after the end.
 * fn may be told of an id several times.
 */
O2_MUST_CHECK int o2_record_find_marks(struct o2_kube *kube, const struct o2_strs *namespaces,
				       int (*fn)(void *arg, const char *id), void *arg,
				       struct o2_err *err);
/*
 * Remove the lock of a transaction that has neither R1 nor R2, and what it made before them: on A its write set, on B the namespace, if it
 * carries its label.
 */
O2_MUST_CHECK int o2_record_clear_strays(struct o2_kube *kube, enum o2_side side, const char *ns,
					 const char *id, struct o2_err *err);
/*
 * Before o2_record_clear_strays(): see to it that a transaction that holds the lock of a namespace of A, and has no R1, never writes one there.
 * Errors  O2_EBUSY: it has one now.
 */
O2_MUST_CHECK int o2_record_bar(struct o2_kube *kube, const char *ns, const char *id,
				struct o2_err *err);

/* --- what is kept on B ------------------------------------------------------------------------------------------------ */

/*
 * The opening: what is to be done on B after the decision, kept in B itself, so that it can be finished even when A is lost.
 *
 * items  array of { "op": "create"|"change", "wave": n, "apiVersion", "kind", "namespace", "name", "body": object or merge patch,
 *        "old": address on A, if it is a way in }. Stored in chunks, owned, so that an abort collects them. No Secrets: those are created early.
 */
O2_MUST_CHECK int o2_record_store_opening(struct o2_record *record, const struct o2_doc *items,
					  struct o2_err *err);
/* NULL on failure. out_dropped: there is none any more (or there never was one), which is told by an empty array as well. Caller frees. */
O2_MUST_CHECK struct o2_doc *o2_record_load_opening(struct o2_record *record, bool *out_dropped,
						    struct o2_err *err);
O2_MUST_CHECK int o2_record_drop_opening(struct o2_record *record, struct o2_err *err);

/*
 * Everything on B that carries this transaction's label, by asking for every listable kind: in the target namespaces and in cluster scope.
 * The records themselves (R2, lock, owner, opening) are left out. fn gets each object; kinds that may not be listed are passed over.
 */
O2_MUST_CHECK int o2_record_sweep(struct o2_record *record, o2_kube_item_fn *fn, void *arg,
				  struct o2_err *err);
/* The same of everything on A that this transaction holds, in the source namespaces and in cluster scope. */
O2_MUST_CHECK int o2_record_sweep_held(struct o2_record *record, o2_kube_item_fn *fn, void *arg,
				       struct o2_err *err);
