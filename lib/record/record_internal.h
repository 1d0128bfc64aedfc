/*
 * Private to lib/record: the record as this process holds it, and the pieces its files share.
 */
#pragma once

#include <assert.h>

#include "base/buf.h"
#include "base/clock.h"
#include "kube/write.h"
#include "record/record.h"

#define O2_RECORD_FINALIZER "os2os.io/record"
#define O2_RECORD_LABEL_TXN "os2os.io/txn"
#define O2_RECORD_LABEL_ROLE "os2os.io/record"
#define O2_RECORD_ROLE_HELPER "helper"
#define O2_RECORD_LABEL_HELD O2_RECORD_HELD_LABEL
#define O2_RECORD_UNDO O2_RECORD_UNDO_ANNOTATION
#define O2_RECORD_LOCK_NAME "os2os-lock"
#define O2_RECORD_CHUNK_MAX ((size_t)900 * 1024)

struct o2_record {
	struct o2_kube *kube[O2_SIDE_COUNT];
	struct o2_record_head head;
	char *self; /* this process, as a holder: "host:pid:nonce" */
	struct o2_record_entry *entries;
	size_t entry_count, entry_cap;
	struct o2_doc *owners[O2_SIDE_COUNT]; /* namespace -> uid of its owner */
	char *resource_version;               /* of R1, as last read or written */
	char mirror_stamp[33];                /* of R2, as last written here; "": never */
	bool in_doubt;                        /* the decision was sent, and its answer never came */
	bool is_lost; /* somebody else has it since before it was known here */
	struct o2_strs locks[O2_SIDE_COUNT]; /* namespaces that this process locked */
	bool source_lost; /* A did not answer after the decision; it is not asked again */
	int patience_ms;
	bool haste;
};

/* What is waited for a cluster that does not answer. */
int o2_record_patience_ms(const struct o2_record *record);

/* Names: "os2os-txn-<id>-source", "-target", "-ws-<n>", "os2os-own-<id>". Caller frees. */
char *o2_record_name(const struct o2_record *record, const char *suffix);
char *o2_record_owner_name(const struct o2_record *record);

/* Namespace that holds R1; that holds R2. Borrowed. */
const char *o2_record_home(const struct o2_record *record, enum o2_side side);

/* The head as a ConfigMap of one side, and back. `stamp` tells one write of this process from any other. */
struct o2_doc *o2_record_head_to_doc(const struct o2_record *record, enum o2_side side,
				     const char *stamp);
O2_MUST_CHECK int o2_record_head_from_doc(const struct o2_doc *map, struct o2_record_head *out,
					  struct o2_err *err);
void o2_record_head_release(struct o2_record_head *head);

/* Kinds of the records' own objects, from discovery. */
const struct o2_kube_kind *o2_record_kind(struct o2_kube *kube, const char *kind);

/* Does the object carry this transaction's label? */
bool o2_record_owns(const struct o2_record *record, const struct o2_doc *object);
/* Labels: this transaction, and the role if not NULL. */
void o2_record_mark(const struct o2_record *record, struct o2_doc *object, const char *role);

/*
 * Waiting for a cluster that does not answer: call it after each O2_ETRANSIENT. Sleeps (0.2 s growing to 2 s) and returns 0
 * to try again, or puts the time that was waited into `err` and returns its code when the patience is used up.
 */
struct o2_record_wait {
	int64_t since_ms; /* 0 before the first failure */
	int64_t pause_ms;
};
O2_MUST_CHECK int o2_record_wait_again(const struct o2_record *record, struct o2_record_wait *wait,
				       struct o2_err *err);

/* GET that outlasts a lost cluster for as long as the patience. */
O2_MUST_CHECK struct o2_doc *o2_record_get(const struct o2_record *record, struct o2_kube *kube,
					   const struct o2_kube_kind *kind, const char *ns,
					   const char *name, struct o2_err *err);
/* There is none: no chunk, and the digest of nothing. */
void o2_record_write_set_forget(struct o2_record *record);
/* Chunks of this transaction's write set in `ns` of A that no R1 speaks of. */
O2_MUST_CHECK int o2_record_clear_chunks(struct o2_record *record, const char *ns,
					 struct o2_err *err);
/* R2 was left with this stamp. */
void o2_record_remember_mirror(struct o2_record *record, const char *stamp);
/* CREATE one ConfigMap or Namespace, and settle it as below. The object made is the caller's. */
O2_MUST_CHECK int o2_record_create_one(const struct o2_record *record, enum o2_side side,
				       const char *kind, const struct o2_doc *body,
				       struct o2_doc **out_object, struct o2_err *err);
/*
 * CREATE whose outcome is settled. out_object may be NULL. An object that is there already is success only if it carries this
 * transaction's label, O2_ECONFLICT otherwise.
 */
O2_MUST_CHECK int o2_record_settle_create(const struct o2_record *record, struct o2_kube *kube,
					  struct o2_kube_write *write, struct o2_doc **out_object,
					  struct o2_err *err);
/*
 * DELETE by uid and wait until it is gone. Absent is success; an object without this transaction's label is left alone. Finalizers of
 * ours are taken off first.
 */
O2_MUST_CHECK int o2_record_delete_own(struct o2_record *record, struct o2_kube *kube,
				       const struct o2_kube_kind *kind, const char *ns,
				       const char *name, struct o2_err *err);

/*
 * Merge patch that makes the wished change, without a version; NULL with err->code 0 if nothing is to be done, with a code if it
 * can't be.
 */
typedef struct o2_doc *o2_record_patch_fn(struct o2_record *record,
					  const struct o2_record_object *object,
					  const struct o2_doc *now, const char *mark,
					  struct o2_err *err);

/* A batch on its way: which objects still have to be swapped, and which the writes of this round are about. */
struct o2_record_batch {
	enum o2_side side;
	struct o2_record_object *objects;
	size_t count;
	bool absent_is_fine;
	o2_record_patch_fn *make_patch;
	const char *mark;        /* for make_patch */
	const char *subresource; /* NULL: the object itself */
	/* From here on private to batch.c. */
	bool *settled;
	size_t open_count;
	struct o2_kube_write *writes;
	size_t *sent; /* the object of each write */
	size_t sent_count;
};
/* Read, check R1, swap, until make_patch has nothing more to do for any object or a failure is for good. */
O2_MUST_CHECK int o2_record_swap_many(struct o2_record *record, struct o2_record_batch *batch,
				      enum o2_record_state state, struct o2_err *err);

/* Compare and swap R1 with the head as it stands in memory; the caller changed the head. On failure the head is read again. */
O2_MUST_CHECK int o2_record_swap(struct o2_record *record, struct o2_err *err);
/* Random hex, different for every write of a head. */
void o2_record_make_stamp(char out[33]);
/* Write the head to R2 as it stands in memory; R2 absent is success. */
O2_MUST_CHECK int o2_record_write_mirror(struct o2_record *record, struct o2_err *err);
/* R1 from one state to another by compare and swap; in memory it moves only if that succeeded. */
O2_MUST_CHECK int o2_record_move_state(struct o2_record *record, enum o2_record_state from,
				       enum o2_record_state to, struct o2_err *err);

/* The write set as ConfigMap chunks beside R1: stored before it, checked against its digest when loaded, dropped at the end. */
O2_MUST_CHECK int o2_record_write_set_store(struct o2_record *record, struct o2_err *err);
O2_MUST_CHECK int o2_record_write_set_load(struct o2_record *record, struct o2_err *err);
O2_MUST_CHECK int o2_record_write_set_drop(struct o2_record *record, struct o2_err *err);

/* Have the volumes of those claims among the objects that are ours go with their claims. Failures are warnings. */
void o2_record_reclaim_volumes(struct o2_record *record, const struct o2_record_object *objects,
			       size_t count);

/* Is a refusal to list what this user's rights say? What they may never list they can't have made. False if that can't be asked. */
bool o2_record_may_never_list(struct o2_record *record, enum o2_side side,
			      const struct o2_kube_kind *kind, const char *ns);
