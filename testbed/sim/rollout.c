/* A Deployment's rolling update: so many more pods than wanted, and so many fewer available ones, as its strategy allows. */
#include "controllers_internal.h"

static int64_t wanted(const struct sim_object *deployment)
{
	return o2_doc_int(deployment->doc, "/spec/replicas", 1);
}

bool sim_rollout_recreates(const struct sim_object *deployment)
{
	return strcmp(o2_doc_str(deployment->doc, "/spec/strategy/type", ""), "Recreate") == 0;
}

static int64_t quarter(int64_t total, bool round_up)
{
	return (total + (round_up ? 3 : 0)) / 4;
}

int64_t sim_rollout_surge(const struct sim_object *deployment)
{
	int64_t total = wanted(deployment);

	if (sim_rollout_recreates(deployment))
		return 0;
	return sim_share(o2_doc_at(deployment->doc, "/spec/strategy/rollingUpdate/maxSurge"), total,
			 true, quarter(total, true));
}

int64_t sim_rollout_unavailable(const struct sim_object *deployment)
{
	int64_t total = wanted(deployment);

	if (sim_rollout_recreates(deployment) || total == 0)
		return 0;
	int64_t share =
		sim_share(o2_doc_at(deployment->doc, "/spec/strategy/rollingUpdate/maxUnavailable"),
			  total, false, quarter(total, false));
	/* Without any slack nothing would ever move. */
	if (share == 0 && sim_rollout_surge(deployment) == 0)
		share = 1;
	return share < total ? share : total;
}

static int64_t spec_replicas(const struct sim_object *set)
{
	return o2_doc_int(set->doc, "/spec/replicas", 0);
}

static int64_t available(const struct sim_object *set)
{
	return o2_doc_int(set->doc, "/status/availableReplicas", 0);
}

/* True if the new ReplicaSet changed. */
static bool scale_new(struct sim_rollout *rollout, int64_t total)
{
	int64_t now = spec_replicas(rollout->current);
	int64_t room = rollout->replicas + sim_rollout_surge(rollout->deployment) - total;
	int64_t lacking = rollout->replicas - now;

	if (lacking < 0) {
		sim_replica_set_scale(rollout->current, rollout->replicas, rollout->deployment);
		return true;
	}
	lacking = room < lacking ? room : lacking;
	if (lacking <= 0)
		return false;
	sim_replica_set_scale(rollout->current, now + lacking, rollout->deployment);
	return true;
}

/* Old ReplicaSets lose at most `budget` pods; with `unhealthy_only`, only those that serve nobody. */
static int64_t scale_old(struct sim_rollout *rollout, int64_t budget, bool unhealthy_only)
{
	for (size_t i = 0; i < rollout->old.count && budget > 0; i++) {
		struct sim_object *set = rollout->old.items[i];
		int64_t now = spec_replicas(set);
		int64_t less = unhealthy_only ? now - available(set) : now;

		less = less < budget ? less : budget;
		if (less <= 0)
			continue;
		sim_replica_set_scale(set, now - less, rollout->deployment);
		budget -= less;
	}
	return budget;
}

void sim_rollout_step(struct sim_rollout *rollout)
{
	int64_t old_total = 0, old_available = 0;

	for (size_t i = 0; i < rollout->old.count; i++) {
		old_total += spec_replicas(rollout->old.items[i]);
		old_available += available(rollout->old.items[i]);
	}
	if (sim_rollout_recreates(rollout->deployment)) {
		scale_old(rollout, old_total, false);
		return;
	}
	if (!rollout->current || scale_new(rollout, old_total + spec_replicas(rollout->current)))
		return;
	int64_t now = spec_replicas(rollout->current), serving = available(rollout->current);
	int64_t least = rollout->replicas - sim_rollout_unavailable(rollout->deployment);
	int64_t budget = old_total + now - least - (now - serving);
	if (budget <= 0)
		return;
	int64_t cleaned = budget - scale_old(rollout, budget, true);
	int64_t surplus = old_available + serving - least;
	budget -= cleaned;
	scale_old(rollout, surplus < budget ? surplus : budget, false);
}
