/*
 * The watchdog of a frozen A: the agent's own code (cmd/agent/watchdog.c) in a pod of the world.
 */
#pragma once

/* Tell the kubelets what runs a watchdog. */
void sim_watchdog_begin(void);
