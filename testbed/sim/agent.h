/*
 * The agent in a mover, as its driver hears it: the protocol of stream/stream.h over volumes whose files are numbers.
 */
#pragma once

#include "address.h"
#include "cluster.h"

struct sim_agent;
typedef void sim_agent_say_fn(void *arg, const void *bytes, size_t len);
typedef void sim_agent_end_fn(void *arg, int exit_code); /* negative: with its pod */

/* Run what the exec's address says (command=...) in a pod; NULL if that is no agent. */
struct sim_agent *sim_agent_open(struct sim_object *pod, const struct sim_address *address,
				 sim_agent_say_fn *tell, sim_agent_end_fn *ended, void *arg);
/* What the driver sends. */
void sim_agent_take(struct sim_agent *agent, const void *bytes, size_t len);
/* The driver is gone: the agent ends, and tells nobody. */
void sim_agent_hang_up(struct sim_agent *agent);

/* Tell the kubelets what movers run. */
void sim_agent_begin(void);
/* End one mover's pod, by force. */
void sim_agent_kill_mover(int side);
/* No mover of this side can write any more; or again. */
void sim_agent_fill_disks(int side, bool full);
