/*
 * Volumes on their way from A to B: movers, sessions with them, rounds, comparison.
 *
 * A *mover* is a pod that runs the application's own image, as the application's own user, with the agent mounted from
 * ConfigMaps; it mounts all the claims that one application pod mounts together (a *group*). On A it sits on the node where the
 * application's pod runs; on B it goes where that pod may go, so that claims that are bound on first use land there. os2os drives the
 * agent in each mover over exec (stream/stream.h has the protocol). The data go from A's mover to B's over TLS 1.3 with keys made for
 * this session; where neither can connect to the other, through os2os.
 *
 *	o2_record_begin(); ...                                      // owners on both sides, B's claims
 *	struct o2_volume_set *set = o2_volume_open(record, groups, count, &options, &err);
 *	do {
 *		o2_volume_round(set, false, stats, &err);           // the application serves meanwhile
 *	} while (o2_volume_policy(passes, pass_count, budget_us, NULL) == O2_VOLUME_AGAIN);
 *	... freeze A; meanwhile o2_volume_tend(set, 250, &err) ...
 *	o2_volume_round(set, true, stats, &err);
 *	o2_volume_compare(set, &err);
 *	o2_volume_close(set, &err);                                 // nobody reads or writes any more
 *	o2_volume_free(set);
 *
 * After any failure: o2_volume_free(), then o2_record_clear_helpers(), which works from the record alone and so serves recovery as well.
 *
 * A session that breaks is opened again, at most three times a group; what B holds already is not sent again. A mover that is gone is
 * made again once, but not in the final round: A stands still then, and the caller undoes. Every failure is one line: which claims,
 * which side, what the agent said, what to do.
 *
 * Caveats: one thread; all groups are moved in turn by the function that waits. Between calls nobody reads: a pause of more than a
 * minute is bridged by o2_volume_tend().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"
#include "doc/doc.h"
#include "record/record.h"
#include "stream/stream.h"

struct o2_volume_claim {
	char *name[O2_SIDE_COUNT]; /* A's is also the name of the tree */
	bool is_block;
	int64_t capacity_bytes;
};

/* The claims that one application pod mounts together. */
struct o2_volume_group {
	char *name; /* DNS label, unique in the migration: "db-0" */
	char *ns[O2_SIDE_COUNT];
	struct o2_doc *pod[O2_SIDE_COUNT]; /* PodSpec of the application on that side */
	char *container; /* whose image and user are used; NULL: the first that mounts one of the claims */
	char *node; /* A's node where the application's pod runs now; NULL: any */
	struct o2_volume_claim *claims;
	size_t claim_count;
};

struct o2_volume_options {
	int timeout_ms;     /* for all movers to run; 0: 5 min */
	int deadline_s;     /* movers end by themselves after that; 0: a day */
	bool as_root;       /* movers as user 0, with the rights over files */
	bool no_limits;     /* movers without a memory limit */
	bool relay;         /* never straight from mover to mover */
	int groups_at_once; /* 0: 2 */
	/* Set by o2_volume_open(): who names no user is given one that is not root (OpenShift), so no rights of root are asked for. */
	bool user_assigned[O2_SIDE_COUNT];
};

/* What a round of a group came to. */
struct o2_volume_stats {
	struct o2_stream_stats sent, received;
	uint64_t elapsed_us; /* from the order to the last answer */
};

struct o2_volume_set;

/*
 * Make agents and movers on both sides, wait until they run, open sessions and channels.
 *
 * groups  borrowed until o2_volume_free().
 * Effects helpers on both sides (o2_record_create_helpers), also after a failure.
 * Errors  what keeps a mover from running, in its own words (O2_EINVALID: it will not mend itself; O2_ETRANSIENT: time-out);
 *         O2_ECONFLICT: the transaction is somebody else's now; O2_ECANCELED.
 */
O2_MUST_CHECK struct o2_volume_set *
o2_volume_open(struct o2_record *record, const struct o2_volume_group *groups, size_t count,
	       const struct o2_volume_options *options, struct o2_err *err);
/*
 * One pass over all groups. The record is looked at every 2 s.
 *
 * final      A stands still: a file that changes while it is read is an error.
 * out_stats  one a group; may be NULL.
 */
O2_MUST_CHECK int o2_volume_round(struct o2_volume_set *set, bool final,
				  struct o2_volume_stats *out_stats, struct o2_err *err);
/* Keep the sessions alive while something else is waited for; returns after at most `timeout_ms`. What broke is mended by the next round. */
O2_MUST_CHECK int o2_volume_tend(struct o2_volume_set *set, int timeout_ms, struct o2_err *err);
/* After a final round. Errors: O2_ECORRUPT, naming the first path that differs. */
O2_MUST_CHECK int o2_volume_compare(struct o2_volume_set *set, struct o2_err *err);
/*
 * End the sessions, and order the movers away without waiting: their agents have ended, so that nobody reads or writes any more. Pods and
 * ConfigMaps are seen gone by o2_record_clear_helpers(); the decision asks for B's pods.
 *
 * Errors  O2_ETRANSIENT: an agent did not confirm its end.
 */
O2_MUST_CHECK int o2_volume_close(struct o2_volume_set *set, struct o2_err *err);
/* Drops the connections; what is in the clusters stays. */
void o2_volume_free(struct o2_volume_set *set);
O2_DEFINE_FREEP(struct o2_volume_set, o2_volume_free)

/* --- what is pure: for the plan, and for tests --------------------------------------------------------------------------- */

/* Names in the cluster. Callers free. */
char *o2_volume_mover_name(const char *id, enum o2_side side, const struct o2_volume_group *group);
char *o2_volume_agent_name(const char *id, size_t part);

/*
 * The Pod of a mover.
 *
 * id           of the transaction.
 * part_count   how many ConfigMaps hold the agent.
 */
struct o2_doc *o2_volume_mover_pod(const struct o2_volume_group *group, enum o2_side side,
				   const char *id, size_t part_count,
				   const struct o2_volume_options *options);
/* An array of the agent's ConfigMaps for a namespace. */
struct o2_doc *o2_volume_agent_maps(const char *id, const char *ns);
/* As the same with other bytes. */
struct o2_doc *o2_volume_agent_maps_of(const char *id, const char *ns, const void *agent,
				       size_t agent_len, const void *loader, size_t loader_len);

/* One pass over all groups, as the policy sees it. */
struct o2_volume_pass {
	uint64_t elapsed_us;
	uint64_t sent_bytes;
};
enum o2_volume_verdict { O2_VOLUME_AGAIN, O2_VOLUME_ENOUGH };
/*
 * After `count` passes while A served: another one, or the final one?
 *
 * Predicted for the final pass: what the last one needed besides sending, and the time to send what changes during it, at the rate at
 * which things changed during the one before. Enough when that fits the budget, when it no longer shrinks by a fifth, or after five.
 *
 * budget_us      downtime that the copying may take.
 * out_final_us   the prediction; may be NULL.
 */
enum o2_volume_verdict o2_volume_policy(const struct o2_volume_pass *passes, size_t count,
					uint64_t budget_us, uint64_t *out_final_us);
