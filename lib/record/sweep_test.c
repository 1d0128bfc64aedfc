/* What a server is asked for: each kind once, in the version that it prefers, and in its scope. */
#include "kube/scripted_test.h"
#include "record/record_internal.h"

#define THINGS(version) \
	"{\"version\":\"" version \
	"\",\"resources\":[" SCRIPTED_KIND("Thing", "things", "Namespaced") "]}"
#define TWO_VERSIONS \
	"{\"kind\":\"APIGroupDiscoveryList\",\"items\":[{\"metadata\":{\"name\":\"example.com\"}," \
	"\"versions\":[" THINGS("v2") "," THINGS("v1") "]}]}"
#define ONE_THING \
	"{\"kind\":\"ThingList\",\"metadata\":{},\"items\":[{\"metadata\":{\"name\":\"x\"}}]}"
#define NO_ITEMS "{\"kind\":\"List\",\"metadata\":{},\"items\":[]}"

static int count(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	assert_string_equal(kind->kind, "Thing");
	assert_non_null(item);
	++*(int *)arg;
	return 0;
}

static void a_kind_is_asked_for_once(void **state)
{
	const struct test_reply replies[] = {
		{ .match = "GET /apis ",
		  .bytes = scripted_answer(200, "", TWO_VERSIONS),
		  .repeat = true },
		{ .match = "GET /apis/example.com/v2/",
		  .bytes = scripted_answer(200, "", ONE_THING),
		  .repeat = true },
		{ .match = "GET /api/v1/",
		  .bytes = scripted_answer(200, "", NO_ITEMS),
		  .repeat = true },
	};
	struct scripted world;
	struct o2_err err = { 0 };
	int items = 0;

	(void)state;
	scripted_start(&world, replies, O2_COUNT(replies), NULL);
	struct o2_record *record = o2_record_new(world.kube, world.kube, "move");
	o2_strs_add(&record->head.target_namespaces, "shop");
	assert_int_equal(o2_record_sweep(record, count, &items, &err), 0);
	assert_int_equal(items, 1);
	/* ConfigMaps, Secrets, Pods, Namespaces, and Things of v2 */
	assert_int_equal(scripted_count(&world), 5);
	o2_record_free(record);
	scripted_stop(&world);
}

#define POLICIES \
	"{\"kind\":\"APIGroupDiscoveryList\",\"items\":[{\"metadata\":{\"name\":" \
	"\"admissionregistration.k8s.io\"},\"versions\":[{\"version\":\"v1\",\"resources\":" \
	"[" SCRIPTED_KIND("ValidatingAdmissionPolicy", "validatingadmissionpolicies", \
			  "Cluster") "]}]}]}"

/* Helpers of cluster scope are looked for once, those in namespaces in each. */
static void helpers_are_looked_for_in_their_scope(void **state)
{
	const struct test_reply replies[] = {
		{ .match = "GET /apis ",
		  .bytes = scripted_answer(200, "", POLICIES),
		  .repeat = true },
		{ .match = "labelSelector",
		  .bytes = scripted_answer(200, "", NO_ITEMS),
		  .repeat = true },
	};
	struct scripted world;
	struct o2_err err = { 0 };

	(void)state;
	scripted_start(&world, replies, O2_COUNT(replies), NULL);
	struct o2_record *record = o2_record_new(world.kube, world.kube, "move");
	o2_strs_add(&record->head.target_namespaces, "shop");
	o2_strs_add(&record->head.target_namespaces, "till");
	assert_int_equal(o2_record_clear_helpers(record, O2_TARGET, &err), 0);
	/* Pods and ConfigMaps of two namespaces, and policies */
	assert_int_equal(scripted_count(&world), 5);
	expect_words(scripted_request(&world, 2),
		     "GET /apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies?");
	o2_record_free(record);
	scripted_stop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kind_is_asked_for_once),
		cmocka_unit_test(helpers_are_looked_for_in_their_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
