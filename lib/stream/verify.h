/*
 * Reading back what a round wrote, from the disk.
 *
 * While the round runs, what it writes is noted: o2_written_entry() in the order of the tree's new memory, o2_written_block() for the
 * blocks of the entry noted last. At the end all is synced, and compared with what the sender said it is.
 */
#pragma once

#include "stream/stream_internal.h"

struct o2_written {
	struct o2_buf notes;
	size_t blocks_at; /* where the number of the entry's blocks stands */
	uint32_t blocks;
};
void o2_written_init(struct o2_written *written);
void o2_written_release(struct o2_written *written);
/* number: of the record in the memory, from 0. target: a hard link's, else NULL. */
void o2_written_entry(struct o2_written *written, size_t number, const char *target);
void o2_written_block(struct o2_written *written, size_t index);
void o2_written_end(struct o2_written *written);

/* Make durable all that was written to the trees' file systems. arg: the agent. */
O2_MUST_CHECK int o2_verify_sync(void *arg, struct o2_err *err);
/* Errors: O2_EIO (what is on the disk is not what was sent: names the path). */
O2_MUST_CHECK int o2_verify_tree(struct o2_agent *agent, size_t tree, struct o2_memory *memory,
				 const struct o2_written *written, struct o2_err *err);
