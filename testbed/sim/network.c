#include "network.h"

#include <string.h>

#include "world.h"

static struct {
	struct sim_cluster *sides[2];
	bool cut[SIM_WAY_COUNT], down[2];
} network;

void sim_network_begin(struct sim_cluster *a, struct sim_cluster *b)
{
	memset(&network, 0, sizeof(network));
	network.sides[0] = a;
	network.sides[1] = b;
}

struct sim_cluster *sim_side(int side)
{
	return network.sides[side];
}

int sim_side_of(const struct sim_cluster *cluster)
{
	return cluster == network.sides[0] ? 0 : 1;
}

void sim_cut(enum sim_way way, bool is_cut)
{
	network.cut[way] = is_cut;
}

bool sim_is_cut(enum sim_way way)
{
	return network.cut[way];
}

void sim_take_down(int side, bool is_down)
{
	network.down[side] = is_down;
}

bool sim_is_down(int side)
{
	return network.down[side];
}

void sim_mend_all(void)
{
	memset(network.cut, 0, sizeof(network.cut));
	memset(network.down, 0, sizeof(network.down));
}

int64_t sim_latency_us(void)
{
	return 300 + (int64_t)sim_random(900);
}
