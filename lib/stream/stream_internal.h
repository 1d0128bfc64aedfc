/*
 * What the files of this module share: the agent's state, and the driver's wire.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "stream/channel.h"
#include "stream/memory.h"
#include "stream/reader.h"
#include "stream/stream.h"
#include "stream/tree.h"

/* --- the driver's wire --- */

#define O2_DRIVER_MAGIC "os2os agent"

enum o2_command {
	O2_COMMAND_HELLO = 1, /* magic, version */
	O2_COMMAND_LISTEN,    /* fingerprint */
	O2_COMMAND_CONNECT,   /* fingerprint, port, time-out, addresses */
	O2_COMMAND_RELAY,
	O2_COMMAND_RELAY_BYTES,
	O2_COMMAND_SEND, /* final */
	O2_COMMAND_RECEIVE,
	O2_COMMAND_DIGEST,
	O2_COMMAND_LIST,
	O2_COMMAND_BYE,
	O2_COMMAND_COUNT
};
/* What the agent says has the type enum o2_stream_event_type + 1. */

void o2_stats_put(struct o2_buf *out, const struct o2_stream_stats *stats);
void o2_stats_get(struct o2_wire *wire, struct o2_stream_stats *stats);
/* code, origin, number, message. */
void o2_error_put(struct o2_buf *out, const struct o2_err *error);
void o2_error_get(struct o2_wire *wire, struct o2_err *error);

/* --- the agent --- */

#define O2_GENERATION_BYTES 16

struct o2_agent {
	struct o2_tree *trees;
	struct o2_memory **memories; /* one a tree; NULL: nothing is known */
	size_t count;
	unsigned char
		generation[O2_GENERATION_BYTES]; /* of what both sides know; zeros: of nothing */
	atomic_bool stop;
	int out_fd;
	pthread_mutex_t out_lock;
	struct o2_tls_identity *identity;
	struct o2_relay *relay;
	struct o2_channel *channel;
	pthread_mutex_t socket_lock;
	int socket; /* of the channel, or being opened; shut down by a stop. -1: none */
	struct o2_stream_stats stats; /* of the round */
	int64_t start_ms, progress_ms;
};

/* Forget what the trees hold. */
void o2_agent_forget(struct o2_agent *agent);
bool o2_agent_remembers(const struct o2_agent *agent);
/* An event to the driver; `frame` is built by o2_event_begin() and ended here. Errors: O2_ETRANSIENT (the driver is gone). */
void o2_event_begin(struct o2_buf *frame, enum o2_stream_event_type type);
O2_MUST_CHECK int o2_agent_emit(struct o2_agent *agent, struct o2_buf *frame, struct o2_err *err);
O2_MUST_CHECK int o2_agent_emit_stats(struct o2_agent *agent, enum o2_stream_event_type type,
				      struct o2_err *err);
/* To be called often while working: looks at the wish to stop, keeps the channel alive, reports progress. arg: the agent. */
O2_MUST_CHECK int o2_agent_tick(void *arg, struct o2_err *err);
/* Run `fn` in a thread of its own while the channel is kept alive. */
O2_MUST_CHECK int o2_agent_aside(struct o2_agent *agent, int (*fn)(void *arg, struct o2_err *err),
				 void *arg, struct o2_err *err);
void o2_agent_start_round(struct o2_agent *agent);
/* The file system of a tree runs out of space, and similar: which tree and path. */
char *o2_agent_label(const struct o2_tree *tree, const char *path);

/* Open the channel: connection.c */
O2_MUST_CHECK int o2_agent_listen(struct o2_agent *agent, const char *fingerprint,
				  struct o2_err *err);
O2_MUST_CHECK int o2_agent_connect(struct o2_agent *agent, char *const *addresses, size_t count,
				   int port, const char *fingerprint, int timeout_ms,
				   struct o2_err *err);
void o2_agent_close_channel(struct o2_agent *agent);

/* The receiver's lock of every tree, for as long as the session lasts. Errors: O2_EBUSY, O2_ECANCELED. */
O2_MUST_CHECK int o2_agent_lock(struct o2_agent *agent, struct o2_err *err);
/* One round: send.c, receive.c */
O2_MUST_CHECK int o2_agent_send(struct o2_agent *agent, bool final, struct o2_err *err);
O2_MUST_CHECK int o2_agent_receive(struct o2_agent *agent, struct o2_err *err);

/*
 * Read trees as they are: inventory.c
 *
 * visit  called for each entry, in order, with what is to be remembered of it.
 */
typedef int o2_inventory_fn(void *arg, size_t tree, const struct o2_record *record,
			    struct o2_err *err);
O2_MUST_CHECK int o2_agent_take_inventory(struct o2_agent *agent, o2_inventory_fn *visit, void *arg,
					  struct o2_err *err);
/* Take one for ourselves unless the trees are known. */
O2_MUST_CHECK int o2_agent_know(struct o2_agent *agent, struct o2_err *err);
/* "tree/path" of a record; the record of a tree's root directory is not part of digests and lists. */
bool o2_record_counts(const struct o2_record *record);
O2_MUST_CHECK int o2_agent_digest(struct o2_agent *agent, struct o2_err *err);
O2_MUST_CHECK int o2_agent_list(struct o2_agent *agent, struct o2_err *err);
