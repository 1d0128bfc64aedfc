/*
 * Ways between the machine of os2os, A and B: how long a message takes, and what is cut.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cluster.h"

enum sim_way {
	SIM_TO_A,   /* requests to A's API server */
	SIM_FROM_A, /* its answers */
	SIM_TO_B,
	SIM_FROM_B,
	SIM_MOVERS, /* between A's and B's pods */
	SIM_WAY_COUNT
};

void sim_network_begin(struct sim_cluster *a, struct sim_cluster *b);
struct sim_cluster *sim_side(int side); /* 0 A, 1 B */
int sim_side_of(const struct sim_cluster *cluster);
/* What is cut swallows without a word. */
void sim_cut(enum sim_way way, bool is_cut);
bool sim_is_cut(enum sim_way way);
/* The API server of a side is not there: it refuses connections, the open ones end, and its controllers wait. Pods go on. */
void sim_take_down(int side, bool is_down);
bool sim_is_down(int side);
/* Execs in that side's pods end, as when its API server goes (channel.c). */
void sim_channels_lose(int side);
/* Ways and servers. */
void sim_mend_all(void);
/* One way, microseconds: 0.3 to 1.2 ms. */
int64_t sim_latency_us(void);
