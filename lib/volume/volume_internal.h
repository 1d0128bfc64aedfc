/*
 * What the files of lib/volume share.
 *
 *	end    one agent, as its driver sees it: what it said, and where its words go
 *	pair   the two ends of a group, and the one task that they are at: a state machine without waiting
 *	set    all groups: their movers, sessions, and the loop that moves them
 */
#pragma once

#include "base/buf.h"
#include "kube/kube.h"
#include "volume/volume.h"

#define O2_VOLUME_AGENT_PATH "/os2os"
#define O2_VOLUME_LOADER "/os2os/loader"
/* Not below the agent's folder, which is read-only: nothing could be mounted there. */
#define O2_VOLUME_TREES_PATH "/os2os-volumes"
#define O2_VOLUME_CONTAINER "mover"

size_t o2_volume_agent_part_count(size_t agent_len);
/* Where the claim is in the mover, on either side. Caller frees. */
char *o2_volume_tree_path(const struct o2_volume_claim *claim);

/* --- end ----------------------------------------------------------------------------------------------------------------- */

/* How bytes get to an agent: an exec, or a socket in tests. */
struct o2_volume_wire {
	int (*send)(void *arg, const void *bytes, size_t len, struct o2_err *err);
	size_t (*backlog)(const void *arg);
	void (*hold)(void *arg, bool hold);
	void *arg;
};

/* "tree/path" and its digest. */
struct o2_volume_listed {
	char *path;
	char digest[O2_STREAM_DIGEST_SIZE];
};

struct o2_volume_pair;
struct o2_volume_end {
	struct o2_volume_pair *pair;
	enum o2_side side;
	struct o2_volume_wire wire;
	struct o2_stream_control *control;
	char *fingerprint; /* NULL: it has not said hello */
	int uid;
	int port;
	bool connected;
	bool done; /* with its part of the task */
	struct o2_stream_stats stats;
	char digest[O2_STREAM_DIGEST_SIZE];
	struct o2_volume_listed *listed;
	size_t listed_count, listed_cap;
	bool listed_all;       /* false: there was more than is kept */
	bool held;             /* the other takes its bytes too slowly */
	struct o2_err failure; /* what it said, or what was wrong with what it said */
};

/* Begin a session; `wire` is copied. */
O2_MUST_CHECK int o2_volume_end_open(struct o2_volume_end *end, const struct o2_volume_wire *wire,
				     struct o2_err *err);
/* Take what the agent sent: negative if it is not the protocol; `failure` says why. */
int o2_volume_end_take(struct o2_volume_end *end, const void *bytes, size_t len);
/* Forget the session; the wire is the caller's to close. */
void o2_volume_end_close(struct o2_volume_end *end);
void o2_volume_end_forget_list(struct o2_volume_end *end);

/* --- pair ---------------------------------------------------------------------------------------------------------------- */

/* Ways to a channel, in the order they are tried. */
enum o2_volume_route { O2_VOLUME_A_TO_B, O2_VOLUME_B_TO_A, O2_VOLUME_RELAYED, O2_VOLUME_ROUTES };

enum o2_volume_stage {
	O2_VOLUME_CLOSED,  /* no sessions */
	O2_VOLUME_HELLO,   /* waiting for both to say hello */
	O2_VOLUME_LISTEN,  /* one was told to listen */
	O2_VOLUME_CONNECT, /* the other was told to connect */
	O2_VOLUME_READY,   /* the channel is open */
	O2_VOLUME_ROUND,
	O2_VOLUME_DIGEST,
	O2_VOLUME_LIST
};

struct o2_volume_pair {
	const struct o2_volume_group *group;
	struct o2_volume_end ends[O2_SIDE_COUNT];
	struct o2_strs addresses[O2_SIDE_COUNT]; /* of the movers */
	enum o2_volume_route route;
	enum o2_volume_stage stage;
	int64_t since_ms;  /* when the stage began */
	int64_t failed_ms; /* when the first of the two failed; 0: none did */
};

void o2_volume_pair_init(struct o2_volume_pair *pair, const struct o2_volume_group *group);
/* Forget both sessions. The route stays: it is where the next try begins. */
void o2_volume_pair_close(struct o2_volume_pair *pair);
/* Both ends were opened: towards a channel. */
void o2_volume_pair_start(struct o2_volume_pair *pair);
/* From READY; each is over when the pair is READY again. */
O2_MUST_CHECK int o2_volume_pair_round(struct o2_volume_pair *pair, bool final, struct o2_err *err);
O2_MUST_CHECK int o2_volume_pair_digest(struct o2_volume_pair *pair, struct o2_err *err);
O2_MUST_CHECK int o2_volume_pair_list(struct o2_volume_pair *pair, struct o2_err *err);
/*
 * Go on after what came. Returns 1 if the pair is READY, 0 if something is under way. Errors: what an agent said (the message says which
 * one); O2_ENOTFOUND while the channel is being opened: this route does not go, and pair->route is the next one; the sessions have to
 * be opened anew, since who listens hears nothing else.
 */
O2_MUST_CHECK int o2_volume_pair_step(struct o2_volume_pair *pair, struct o2_err *err);
/* "claims 'data-db-0', 'wal-db-0'"; caller frees. */
char *o2_volume_pair_claims(const struct o2_volume_pair *pair, enum o2_side side);

/* --- set ----------------------------------------------------------------------------------------------------------------- */

enum o2_volume_task {
	O2_VOLUME_TASK_OPEN,
	O2_VOLUME_TASK_ROUND,
	O2_VOLUME_TASK_DIGEST,
	O2_VOLUME_TASK_LIST
};

/* A group and its movers. */
struct o2_volume_member {
	struct o2_volume_pair pair;
	struct o2_kube_pipe *pipes[O2_SIDE_COUNT];
	char *pods[O2_SIDE_COUNT];
	bool running[O2_SIDE_COUNT]; /* the mover was seen to run */
	int64_t broken_ms
		[O2_SIDE_COUNT];    /* since when it looks as if it never would; 0: it does not */
	int reopened;               /* sessions that broke */
	bool remade[O2_SIDE_COUNT]; /* its mover was gone once */
	bool begun, finished;       /* the task that the set is at */
	int64_t begun_ms;
	struct o2_volume_stats stats;
};

struct o2_volume_set {
	struct o2_record *record;
	struct o2_volume_options options;
	struct o2_volume_member *members;
	size_t count;
	size_t part_count;
	enum o2_volume_task task;
	bool final;
	int rounds;             /* that were begun */
	int64_t next_record_ms; /* when the record is looked at again */
	int64_t next_step_ms;   /* when progress is told again */
};

/* compare.c. Always an error: O2_ECORRUPT. Sorts the lists. */
bool o2_volume_agrees(const struct o2_volume_pair *pair);
O2_MUST_CHECK int o2_volume_first_difference(struct o2_volume_end *a, struct o2_volume_end *b,
					     struct o2_err *err);

/* movers.c: the pods. All of them awaited together. */
O2_MUST_CHECK int o2_volume_movers_make(struct o2_volume_set *set, struct o2_err *err);
O2_MUST_CHECK int o2_volume_movers_await(struct o2_volume_set *set, struct o2_err *err);
/* Movers and agents of this set, known by their names; B first: its movers hold volumes that the application wants. */
O2_MUST_CHECK int o2_volume_movers_dismiss(struct o2_volume_set *set, struct o2_err *err);
/* After a session broke: see that the mover of this side runs; if it is gone, and may be, make it again. */
O2_MUST_CHECK int o2_volume_mover_mend(struct o2_volume_set *set, struct o2_volume_member *member,
				       enum o2_side side, struct o2_err *err);
/* The record is still ours, and nobody asked to stop. Looks at most every 2 s. */
O2_MUST_CHECK int o2_volume_check(struct o2_volume_set *set, struct o2_err *err);

/* sessions.c: exec in the movers. */
O2_MUST_CHECK int o2_volume_sessions_open(struct o2_volume_set *set,
					  struct o2_volume_member *member, struct o2_err *err);
void o2_volume_sessions_drop(struct o2_volume_member *member);
/* All pipes of the set, for the pump; NULLs among them. Caller frees. */
struct o2_kube_pipe **o2_volume_pipes(const struct o2_volume_set *set, size_t *out_count);

/* run.c: one task of all members. */
/* May it go better with a new session? */
bool o2_volume_can_mend(int code);
O2_MUST_CHECK int o2_volume_run(struct o2_volume_set *set, enum o2_volume_task task,
				struct o2_err *err);
