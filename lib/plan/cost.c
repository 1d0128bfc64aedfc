/*
 * The cost model: predicted time of each step type, milliseconds.
 *
 * Round trips are measured on the requests that made the plan; what a pod needs until it is ready is what it needed on A. The
 * constants were measured on a two-core machine with both clusters on it and are what a first run starts from.
 */
#include "plan/plan_internal.h"

#define ROUND_TRIP_MIN_US 500
#define WRITE_US 1100     /* one write where the server is the bottleneck */
#define WRITE_WINDOW 16   /* writes in flight */
#define POD_START_MS 6000 /* where A tells nothing: scheduling, image at hand, start */
#define POD_PLACE_MS 1500 /* from a workload's change to its containers' start, images at hand */
#define POD_STOP_MS 900   /* of one that ends when it is told */
#define NAMESPACE_SETTLE_MS 400
#define MOVER_START_MS 3000 /* a pod of an image that is at hand, and what it mounts */
#define USED_SHARE 10       /* of a claim's size */
#define COPY_BYTES_PER_MS 100000
#define PROVISION_MS 6000 /* of B's volumes */
#define FINAL_MS 300      /* a round in which little changed */
#define HELPERS_GONE_MS 3000

int64_t o2_plan_rtt_us(const struct o2_plan *plan, enum o2_side side)
{
	int64_t rtt = o2_kube_round_trip_us(plan->kube[side]);

	return rtt < ROUND_TRIP_MIN_US ? ROUND_TRIP_MIN_US : rtt;
}

int64_t o2_plan_writes_ms(const struct o2_plan *plan, size_t count)
{
	int64_t rtt = o2_plan_rtt_us(plan, O2_TARGET);
	int64_t each = rtt / WRITE_WINDOW > WRITE_US ? rtt / WRITE_WINDOW : WRITE_US;

	return count == 0 ? 0 : (rtt + (int64_t)count * each) / 1000 + 1;
}

static int64_t trips_ms(const struct o2_plan *plan, enum o2_side side, int64_t count)
{
	return count * o2_plan_rtt_us(plan, side) / 1000 + 1;
}

static int64_t namespace_count(const struct o2_plan *plan)
{
	return (int64_t)o2_app_target_namespaces(plan->app)->count;
}

O2_STEP_COST(o2_step_lock_cost)
{
	step->predicted_ms = trips_ms(plan, O2_SOURCE, namespace_count(plan)) +
			     trips_ms(plan, O2_TARGET, namespace_count(plan));
}

O2_STEP_COST(o2_step_record_cost)
{
	step->predicted_ms = trips_ms(plan, O2_SOURCE, 4);
}

O2_STEP_COST(o2_step_namespace_cost)
{
	step->predicted_ms = trips_ms(plan, O2_TARGET, 4 * (int64_t)plan->new_namespaces.count) +
			     NAMESPACE_SETTLE_MS;
}

O2_STEP_COST(o2_step_owner_cost)
{
	step->predicted_ms = trips_ms(plan, O2_TARGET, 2 + namespace_count(plan));
}

O2_STEP_COST(o2_step_create_cost)
{
	step->predicted_ms =
		trips_ms(plan, O2_SOURCE, 1) + o2_plan_writes_ms(plan, step->object_count);
}

O2_STEP_COST(o2_step_vote_cost)
{
	step->predicted_ms = o2_plan_writes_ms(plan, step->object_count);
}

O2_STEP_COST(o2_step_mover_cost)
{
	step->predicted_ms = trips_ms(plan, O2_SOURCE, 30) + trips_ms(plan, O2_TARGET, 30) +
			     MOVER_START_MS + PROVISION_MS;
}

/* How much of a claim is used shows when its mover looks; until then a share of its size is assumed. */
O2_STEP_COST(o2_step_copy_cost)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < plan->group_count; i++) {
		for (size_t c = 0; c < plan->groups[i].claim_count; c++)
			bytes += plan->groups[i].claims[c].capacity_bytes / USED_SHARE;
	}
	step->predicted_ms = bytes / COPY_BYTES_PER_MS + 1000;
}

O2_STEP_COST(o2_step_watchdog_cost)
{
	step->predicted_ms = trips_ms(plan, O2_SOURCE, 20) + MOVER_START_MS;
}

O2_STEP_COST(o2_step_final_cost)
{
	step->predicted_ms = FINAL_MS * (int64_t)plan->group_count + O2_PLAN_COMPARE_MS;
}

O2_STEP_COST(o2_step_thaw_cost)
{
	step->predicted_ms = trips_ms(plan, O2_SOURCE, 20) + POD_START_MS +
			     o2_plan_writes_ms(plan, 2 * step->object_count);
}

O2_STEP_COST(o2_step_retain_cost)
{
	step->predicted_ms =
		trips_ms(plan, O2_SOURCE, 3) + o2_plan_writes_ms(plan, 2 * plan->volumes.count);
}

O2_STEP_COST(o2_step_pause_cost)
{
	step->predicted_ms =
		trips_ms(plan, O2_SOURCE, 4) + o2_plan_writes_ms(plan, 2 * step->object_count);
}

O2_STEP_COST(o2_step_freeze_cost)
{
	step->predicted_ms = trips_ms(plan, O2_SOURCE, 6) + POD_STOP_MS +
			     o2_plan_writes_ms(plan, 2 * step->object_count);
}

O2_STEP_COST(o2_step_start_cost)
{
	int64_t slowest = 0;

	for (size_t i = 0; i < step->object_count; i++) {
		const struct o2_app_object *object = o2_app_object(plan->app, step->objects[i]);
		int64_t needed =
			object->start_ms >= 0 ? object->start_ms + POD_PLACE_MS : POD_START_MS;

		if (object->replicas == 0)
			needed = 0;
		/* The pods of a StatefulSet start one after another. */
		if (strcmp(object->kind->kind, "StatefulSet") == 0 && object->replicas > 1)
			needed *= object->replicas;
		if (needed > slowest)
			slowest = needed;
	}
	step->predicted_ms = slowest + o2_plan_writes_ms(plan, 2 * step->object_count);
}

O2_STEP_COST(o2_step_try_cost)
{
	step->predicted_ms = 1000 * (int64_t)plan->options->checks.count;
}

O2_STEP_COST(o2_step_decide_cost)
{
	step->predicted_ms = trips_ms(plan, O2_SOURCE, 1) + trips_ms(plan, O2_TARGET, 2);
}

O2_STEP_COST(o2_step_open_cost)
{
	step->predicted_ms =
		trips_ms(plan, O2_SOURCE, 1) + o2_plan_writes_ms(plan, 2 * step->object_count);
}

O2_STEP_COST(o2_step_switch_cost)
{
	(void)plan;
	step->predicted_ms = 1000;
}

O2_STEP_COST(o2_step_release_cost)
{
	step->predicted_ms =
		trips_ms(plan, O2_TARGET, 10) + o2_plan_writes_ms(plan, 2 * step->object_count);
}

O2_STEP_COST(o2_step_finish_cost)
{
	step->predicted_ms = trips_ms(plan, O2_SOURCE, 6) +
			     trips_ms(plan, O2_TARGET, 4 + 3 * namespace_count(plan)) +
			     (o2_plan_freezes(plan) ? HELPERS_GONE_MS : 0);
}
