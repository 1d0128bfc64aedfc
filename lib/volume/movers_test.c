/* Movers that are awaited and mended, against an API server that answers from a script. */
#include <stdlib.h>

#include "volume/volume_internal.h"

#include "kube/scripted_test.h"

#define A_POD "GET /api/v1/namespaces/shop/pods/mover-a "
#define B_POD "GET /api/v1/namespaces/store/pods/mover-b "
#define POD(status) "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"m\"},\"status\":" status "}"
#define RUNNING(addresses) \
	POD("{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]" \
	    "," addresses "}")
#define TWO "\"podIP\":\"10.1.0.9\",\"podIPs\":[{\"ip\":\"10.1.0.9\"},{\"ip\":\"fd00::9\"}]"
#define ONE "\"podIP\":\"10.2.0.9\""
#define PENDING \
	POD("{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":" \
	    "\"False\"," \
	    "\"reason\":\"Unschedulable\",\"message\":\"no node has the volume\"}]}")
#define ENDED POD("{\"phase\":\"Succeeded\"}")
#define NO_POD \
	"{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"NotFound\",\"message\":\"pods " \
	"not found\",\"details\":{\"name\":\"mover\",\"kind\":\"pods\"}}"

/* A set of one group, and a record that is not looked at. */
struct world {
	struct scripted scripted;
	struct o2_volume_claim claim;
	struct o2_volume_group group;
	struct o2_volume_member member;
	struct o2_volume_set set;
};

static void start(struct world *world, const struct test_reply *replies, size_t count)
{
	*world = (struct world){ .claim = { .name = { (char *)"data", (char *)"data" } } };
	scripted_start(&world->scripted, replies, count, NULL);
	world->group = (struct o2_volume_group){ .name = (char *)"db-0",
						 .ns = { (char *)"shop", (char *)"store" },
						 .claims = &world->claim,
						 .claim_count = 1 };
	o2_volume_pair_init(&world->member.pair, &world->group);
	world->member.pods[O2_SOURCE] = (char *)"mover-a";
	world->member.pods[O2_TARGET] = (char *)"mover-b";
	world->set = (struct o2_volume_set){ .record = o2_record_new(world->scripted.kube,
								     world->scripted.kube, "copy"),
					     .options = { .timeout_ms = 600 },
					     .members = &world->member,
					     .count = 1,
					     .next_record_ms = INT64_MAX };
}

static void stop(struct world *world)
{
	for (int side = 0; side < O2_SIDE_COUNT; side++)
		o2_strs_release(&world->member.pair.addresses[side]);
	o2_record_free(world->set.record);
	scripted_stop(&world->scripted);
}

static void test_both_sides_are_awaited(void **state)
{
	const struct test_reply replies[] = {
		{ .match = A_POD, .bytes = scripted_answer(200, "", PENDING) },
		{ .match = A_POD, .bytes = scripted_answer(200, "", RUNNING(TWO)) },
		{ .match = B_POD, .bytes = scripted_answer(200, "", PENDING) },
		{ .match = B_POD, .bytes = scripted_answer(200, "", PENDING) },
		{ .match = B_POD, .bytes = scripted_answer(200, "", RUNNING(ONE)) },
	};
	struct world world;
	struct o2_err err = { 0 };

	(void)state;
	start(&world, replies, O2_COUNT(replies));
	world.set.options.timeout_ms = 20000;
	if (o2_volume_movers_await(&world.set, &err) < 0)
		fail_msg("%s", err.message);
	const struct o2_strs *a = &world.member.pair.addresses[O2_SOURCE];
	const struct o2_strs *b = &world.member.pair.addresses[O2_TARGET];
	assert_int_equal(a->count, 2);
	assert_string_equal(a->items[0], "10.1.0.9");
	assert_string_equal(a->items[1], "fd00::9");
	assert_int_equal(b->count, 1);
	assert_string_equal(b->items[0], "10.2.0.9");
	/* One that runs is not asked again. */
	assert_int_equal(scripted_count(&world.scripted), 5);
	stop(&world);
}

static void test_a_time_out_says_what_it_waited_for(void **state)
{
	const struct test_reply replies[] = {
		{ .match = A_POD, .bytes = scripted_answer(200, "", RUNNING(TWO)) },
		{ .match = B_POD, .bytes = scripted_answer(200, "", PENDING), .repeat = true },
	};
	struct world world;
	struct o2_err err = { 0 };

	(void)state;
	start(&world, replies, O2_COUNT(replies));
	assert_int_equal(o2_volume_movers_await(&world.set, &err), -O2_ETRANSIENT);
	expect_words(err.message, "the mover of claim 'data' in A does not run: pod 'mover-b': ");
	expect_words(err.message, "no node has the volume");
	stop(&world);
}

/* Mend side B, whose pod is as `reply` says. */
static int mend(struct world *world, const char *answer, bool final, bool remade,
		struct o2_err *err)
{
	const struct test_reply replies[] = { { .match = B_POD, .bytes = answer } };
	int code;

	start(world, replies, 1);
	world->set.final = final;
	world->member.remade[O2_TARGET] = remade;
	code = o2_volume_mover_mend(&world->set, &world->member, O2_TARGET, err);
	return code;
}

static void test_a_mover_that_runs_needs_no_mending(void **state)
{
	struct world world;
	struct o2_err err = { 0 };

	(void)state;
	assert_int_equal(mend(&world, scripted_answer(200, "", RUNNING(ONE)), true, true, &err), 0);
	assert_int_equal(err.code, 0);
	/* Its address may be another one. */
	assert_string_equal(world.member.pair.addresses[O2_TARGET].items[0], "10.2.0.9");
	stop(&world);
}

static void test_one_that_is_gone_is_not_made_again_in_the_final_round(void **state)
{
	static const struct {
		int status;
		const char *body;
		bool final, remade;
		const char *words;
	} cases[] = {
		{ 404, NO_POD, true, false, "it is gone" },
		{ 404, NO_POD, false, true, "it is gone" },
		{ 200, ENDED, true, false, "succeeded" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++) {
		struct world world;
		struct o2_err err = { 0 };
		const char *answer = scripted_answer(cases[i].status, "", cases[i].body);

		assert_int_equal(mend(&world, answer, cases[i].final, cases[i].remade, &err),
				 -O2_EIO);
		expect_words(err.message, "the mover of claim 'data' in A does not run: ");
		expect_words(err.message, cases[i].words);
		stop(&world);
	}
}

static void test_names_of_the_helpers(void **state)
{
	const struct o2_volume_group group = { .name = (char *)"db-0" };
	O2_AUTO(o2_freep) char *a = o2_volume_mover_name("x1", O2_SOURCE, &group);
	O2_AUTO(o2_freep) char *b = o2_volume_mover_name("x1", O2_TARGET, &group);
	O2_AUTO(o2_freep) char *map = o2_volume_agent_name("x1", 3);

	(void)state;
	assert_string_equal(a, "os2os-mover-x1-a-db-0");
	assert_string_equal(b, "os2os-mover-x1-b-db-0");
	assert_string_equal(map, "os2os-agent-x1-3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_sides_are_awaited),
		cmocka_unit_test(test_a_time_out_says_what_it_waited_for),
		cmocka_unit_test(test_a_mover_that_runs_needs_no_mending),
		cmocka_unit_test(test_one_that_is_gone_is_not_made_again_in_the_final_round),
		cmocka_unit_test(test_names_of_the_helpers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
