/* What each strike does to an answer, or to the world. */
#include "strike.h"

#include <string.h>

#include "agent.h"
#include "backup.h"
#include "controllers.h"
#include "drill.h"
#include "network.h"
#include "oracle.h"
#include "shapes.h"
#include "world.h"

#define YEAR_S INT64_C(31536000)

/* --- answers --- */

static const struct {
	int status;
	const char *reason, *message;
	int retry_after_s;
} answers[SIM_STRIKE_COUNT] = {
	[SIM_STRIKE_ERROR_401] = { 401, "Unauthorized", "Unauthorized", -1 },
	[SIM_STRIKE_ERROR_403] = { 403, "Forbidden", "it is forbidden: no rule allows it", -1 },
	[SIM_STRIKE_ERROR_404] = { 404, "NotFound",
				   "the server could not find the requested resource", -1 },
	[SIM_STRIKE_ERROR_409] = { 409, "Conflict",
				   "Operation cannot be fulfilled: the object has been modified",
				   -1 },
	[SIM_STRIKE_ERROR_410] = { 410, "Expired", "the resource version is too old", -1 },
	[SIM_STRIKE_ERROR_422] = { 422, "Invalid", "it is invalid: a field has an invalid value",
				   -1 },
	[SIM_STRIKE_ERROR_429] = { 429, "TooManyRequests",
				   "too many requests, please try again later", 1 },
	[SIM_STRIKE_ERROR_500] = { 500, "InternalError", "an error on the server", -1 },
	[SIM_STRIKE_ERROR_503] = { 503, "ServiceUnavailable", "the server is currently unable",
				   -1 },
	[SIM_STRIKE_ERROR_504] = { 504, "Timeout", "etcdserver: request timed out", -1 },
};

bool sim_strike_answer(enum sim_strike strike, struct sim_response *out)
{
	if (answers[strike].status == 0)
		return false;
	sim_answer_refusal(out, answers[strike].status, answers[strike].reason,
			   answers[strike].message);
	out->retry_after_s = answers[strike].retry_after_s;
	return true;
}

/* --- cuts --- */

static void mend_ways(void *arg)
{
	(void)arg;
	sim_mend_all();
}

/* For a moment, for longer than a request waits, or until somebody mends it. */
static void last_a_while(void)
{
	static const int64_t lasts_us[] = { 8 * SIM_S, 150 * SIM_S, 0 };
	int64_t last_us = lasts_us[sim_random(O2_COUNT(lasts_us))];

	if (last_us > 0)
		sim_after(last_us, mend_ways, NULL);
}

static void cut(const enum sim_way *ways, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sim_cut(ways[i], true);
	last_a_while();
}

static void take_down(int side)
{
	sim_take_down(side, true);
	sim_channels_lose(side);
	last_a_while();
}

#define CUT(...) \
	do { \
		static const enum sim_way ways[] = { __VA_ARGS__ }; \
		cut(ways, O2_COUNT(ways)); \
	} while (0)

/* The server is stopped, gets an old store, and starts again. */
static void restore(int side)
{
	take_down(side);
	sim_oracle_begin_restore(side);
	sim_backup_restore(side);
	sim_oracle_end_restore(side);
}

/* --- other people --- */

/* A workload of the application in A, by chance. */
static struct sim_object *some_workload(void)
{
	static const char *const kinds[] = { "Deployment", "StatefulSet" };
	const struct sim_shape *shape = sim_drill_shape();
	struct sim_object *found = NULL;
	uint64_t seen = 0;

	for (size_t i = 0; i < O2_COUNT(kinds); i++) {
		struct sim_object *at = sim_first(sim_side(0), sim_kind("apps", kinds[i]));
		for (; at; at = sim_next(at)) {
			bool is_ours = !shape->selector ||
				       strcmp(sim_label(at, "app"), shape->selector) == 0;
			if (is_ours && strcmp(at->ns, SIM_SHAPE_NS) == 0 && sim_random(++seen) == 0)
				found = at;
		}
	}
	return found;
}

static void scale_up(void)
{
	struct sim_object *object = some_workload();

	if (!object || sim_oracle_is_decided())
		return;
	struct o2_doc *next = o2_doc_copy(object->doc);
	o2_doc_put_int(next, "/spec/replicas", o2_doc_int(next, "/spec/replicas", 0) + 1);
	sim_put(object, next);
	sim_oracle_expect_scaled(object);
}

static void edit(void)
{
	struct sim_object *object = some_workload();

	if (!object)
		return;
	struct o2_doc *next = o2_doc_copy(object->doc);
	o2_doc_put_str(next, "/metadata/annotations/example.com~1note", "changed by hand");
	sim_put(object, next);
	sim_oracle_expect_edited(object);
}

/* Something of the application that its pods can do without. */
static void delete_something(void)
{
	static const struct {
		const char *group, *kind;
	} kinds[] = { { "policy", "PodDisruptionBudget" },
		      { "networking.k8s.io", "NetworkPolicy" },
		      { "rbac.authorization.k8s.io", "RoleBinding" } };

	for (size_t i = 0; i < O2_COUNT(kinds); i++) {
		struct sim_object *at =
			sim_first(sim_side(0), sim_kind(kinds[i].group, kinds[i].kind));
		if (!at || strcmp(at->ns, SIM_SHAPE_NS) != 0)
			continue;
		sim_hold(at);
		sim_delete(at, SIM_BACKGROUND);
		sim_oracle_expect(at);
		sim_let_go(at);
		return;
	}
}

static void lose_node(void)
{
	struct sim_object *node = sim_first(sim_side(1), sim_kind("", "Node"));

	if (node)
		sim_node_lose(sim_side(1), node->name, true);
}

void sim_strike_world(enum sim_strike strike)
{
	switch ((int)strike) {
	case SIM_STRIKE_CUT_A:
		CUT(SIM_TO_A, SIM_FROM_A);
		break;
	case SIM_STRIKE_CUT_B:
		CUT(SIM_TO_B, SIM_FROM_B);
		break;
	case SIM_STRIKE_CUT_BOTH:
		CUT(SIM_TO_A, SIM_FROM_A, SIM_TO_B, SIM_FROM_B);
		break;
	case SIM_STRIKE_CUT_A_ANSWERS:
		CUT(SIM_FROM_A);
		break;
	case SIM_STRIKE_CUT_B_ANSWERS:
		CUT(SIM_FROM_B);
		break;
	case SIM_STRIKE_DOWN_A:
		take_down(0);
		break;
	case SIM_STRIKE_DOWN_B:
		take_down(1);
		break;
	case SIM_STRIKE_CUT_MOVERS:
		CUT(SIM_MOVERS);
		break;
	case SIM_STRIKE_MOVER_A:
		sim_agent_kill_mover(0);
		break;
	case SIM_STRIKE_MOVER_B:
		sim_agent_kill_mover(1);
		break;
	case SIM_STRIKE_DISK_B:
		sim_agent_fill_disks(1, true);
		break;
	case SIM_STRIKE_NODE_B:
		lose_node();
		break;
	case SIM_STRIKE_RESTORED_A:
		restore(0);
		break;
	case SIM_STRIKE_RESTORED_B:
		restore(1);
		break;
	case SIM_STRIKE_CLOCK_BACK:
		sim_turn_calendar(-YEAR_S);
		break;
	case SIM_STRIKE_CLOCK_FORTH:
		sim_turn_calendar(YEAR_S);
		break;
	case SIM_STRIKE_SCALED:
		scale_up();
		break;
	case SIM_STRIKE_EDITED:
		edit();
		break;
	case SIM_STRIKE_DELETED:
		delete_something();
		break;
	case SIM_STRIKE_RIVAL:
		sim_drill_start_rival("migrate");
		break;
	case SIM_STRIKE_RECOVERED:
		sim_drill_start_rival("recover");
		break;
	default:
		break;
	}
}

void sim_strike_mend(void)
{
	struct sim_object *node = sim_first(sim_side(1), sim_kind("", "Node"));

	sim_mend_all();
	sim_agent_fill_disks(1, false);
	for (; node; node = sim_next(node))
		sim_node_lose(sim_side(1), node->name, false);
}
