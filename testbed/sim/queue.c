/* What controllers are going to look at, and when; and how long they wait after a refusal. */
#include "controllers_internal.h"
#include "network.h"

#define TIMED_LEAST_US (100 * SIM_MS)
#define SOON_LEAST_US (2 * SIM_MS)
#define SOON_MOST_US (40 * SIM_MS)
#define BACKOFF_LEAST_US (1 * SIM_S)
#define BACKOFF_MOST_US (80 * SIM_S)
#define WOKEN_US (2 * SIM_S)
#define DOWN_US (1 * SIM_S) /* how often one tries to reach a server that is not there */

static const struct sim_object *looking;

bool sim_is_looking(const struct sim_object *object)
{
	return looking == object;
}

static void look(struct sim_object *object)
{
	if (sim_is_down(sim_side_of(object->cluster))) {
		sim_queue_in(object, DOWN_US);
		sim_let_go(object);
		return;
	}
	looking = object;
	sim_look(object);
	looking = NULL;
	sim_let_go(object);
}

static void look_queued(void *arg)
{
	struct sim_object *object = arg;

	object->queued = false;
	look(object);
}

static void look_timed(void *arg)
{
	look(arg);
}

void sim_queue(struct sim_object *object)
{
	if (object->queued || !sim_has_controller(object))
		return;
	object->queued = true;
	sim_after(SOON_LEAST_US + (int64_t)sim_random(SOON_MOST_US - SOON_LEAST_US), look_queued,
		  sim_hold(object));
}

void sim_queue_in(struct sim_object *object, int64_t delay_us)
{
	/* Never at this very moment again: a look that asks for another one would go on for ever. */
	sim_after(delay_us > TIMED_LEAST_US ? delay_us : TIMED_LEAST_US, look_timed,
		  sim_hold(object));
}

void sim_queue_all(const struct sim_cluster *cluster, const struct sim_kind *kind, const char *ns)
{
	for (struct sim_object *at = sim_first(cluster, kind); at; at = sim_next(at)) {
		if (!ns || strcmp(at->ns, ns) == 0)
			sim_queue(at);
	}
}

void sim_back_off(struct sim_object *object)
{
	int64_t next = object->backoff_us * 2;

	if (next < BACKOFF_LEAST_US)
		next = BACKOFF_LEAST_US;
	object->backoff_us = next > BACKOFF_MOST_US ? BACKOFF_MOST_US : next;
	object->backoff_until_us = sim_now_us() + object->backoff_us;
	sim_queue_in(object, object->backoff_us);
}

bool sim_is_backing_off(const struct sim_object *object)
{
	return sim_now_us() < object->backoff_until_us;
}

void sim_forget_refusals(struct sim_object *object)
{
	object->backoff_us = 0;
	object->backoff_until_us = 0;
}

void sim_wake(struct sim_object *object)
{
	if (object->backoff_until_us <= sim_now_us() + WOKEN_US)
		return;
	object->backoff_until_us = sim_now_us() + WOKEN_US;
	sim_queue_in(object, WOKEN_US);
}
