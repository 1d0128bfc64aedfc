/* How each kind is stopped on A, and that a stopped one is read as if it were not. */
#include "app/app_test.h"

static const struct {
	const char *what, *kind, *object;
	const char *patch; /* NULL: can't be stopped */
} rows[] = {
	{ "a Deployment", "Deployment", "{metadata: {name: web}, spec: {replicas: 3}}",
	  "{spec: {replicas: 0}}" },
	{ "a StatefulSet whose claims stay anyway", "StatefulSet",
	  "{metadata: {name: db}, spec: {replicas: 2, persistentVolumeClaimRetentionPolicy: "
	  "{whenScaled: Retain}}}",
	  "{spec: {replicas: 0}}" },
	{ "a StatefulSet whose claims would be deleted with its pods", "StatefulSet",
	  "{metadata: {name: db}, spec: {replicas: 2, persistentVolumeClaimRetentionPolicy: "
	  "{whenScaled: Delete, whenDeleted: Delete}}}",
	  "{spec: {replicas: 0, persistentVolumeClaimRetentionPolicy: {whenScaled: Retain}}}" },
	{ "a DaemonSet", "DaemonSet", "{metadata: {name: log}, spec: {template: {spec: {}}}}",
	  "{spec: {template: {spec: {nodeSelector: {os2os.io/not-started: 'true'}}}}}" },
	{ "a CronJob", "CronJob", "{metadata: {name: report}, spec: {schedule: '* * * * *'}}",
	  "{spec: {suspend: true}}" },
	{ "a Job", "Job", "{metadata: {name: once}, spec: {suspend: false}}",
	  "{spec: {suspend: true}}" },
	{ "one that has no pods", "Deployment", "{metadata: {name: web}, spec: {replicas: 0}}",
	  "{}" },
	{ "a Pod of its own", "Pod", "{metadata: {name: alone}, spec: {containers: []}}", NULL },
	{ "what has no pods", "ConfigMap", "{metadata: {name: c}, data: {a: b}}", NULL },
};

static void each_kind_is_stopped_in_its_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		struct o2_app *app = test_app("shop", NULL);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *wanted = rows[i].patch ? test_doc(rows[i].patch) : NULL;

		test_add(app, rows[i].kind, rows[i].object);
		o2_app_settle(app);
		O2_AUTO(o2_doc_freep) struct o2_doc *patch = o2_app_freeze(app, 0);
		if (!o2_doc_equal(patch, wanted))
			fail_msg("%s: %s", rows[i].what, o2_doc_dump(patch));
		o2_app_free(app);
	}
}

static void what_is_held_is_read_as_it_was(void **state)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *doc = test_doc(
		"{metadata: {name: web, labels: {app: web, os2os.io/held: x}, annotations: "
		"{os2os.io/undo: "
		"'{\"do\":{\"spec\":{\"replicas\":0}},\"undo\":{\"spec\":{\"replicas\":3}}}'}},"
		" spec: {replicas: 0, paused: true}}");
	O2_AUTO(o2_doc_freep)
	struct o2_doc *wanted = test_doc("{metadata: {name: web, labels: {app: web}}, spec: "
					 "{replicas: 3, paused: true}}");

	(void)state;
	o2_app_read_unfrozen(doc);
	assert_true(o2_doc_equal(doc, wanted));
}

/* An annotation that a controller copied somewhere else says nothing about where it was copied to. */
static void an_undo_without_its_mark_is_left_alone(void **state)
{
	static const char text[] = "{metadata: {name: web, annotations: {os2os.io/undo: "
				   "'{\"undo\":{\"spec\":{\"replicas\":3}}}'}},"
				   " spec: {replicas: 0}}";
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = test_doc(text);
	O2_AUTO(o2_doc_freep) struct o2_doc *wanted = test_doc(text);

	(void)state;
	o2_app_read_unfrozen(doc);
	assert_true(o2_doc_equal(doc, wanted));
}

static void selectors_select(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *labels = test_doc("{app: web, tier: front}");
	O2_AUTO(o2_doc_freep)
	struct o2_doc *by_labels = test_doc("{spec: {selector: {matchLabels: {app: web}}}}");
	O2_AUTO(o2_doc_freep)
	struct o2_doc *by_expression = test_doc("{spec: {selector: {matchExpressions: [{key: tier, "
						"operator: In, values: [back]}]}}}");
	O2_AUTO(o2_doc_freep) struct o2_doc *plain = test_doc("{spec: {selector: {app: web}}}");
	O2_AUTO(o2_doc_freep) struct o2_doc *none = test_doc("{spec: {}}");

	(void)state;
	assert_true(o2_app_selects(by_labels, labels));
	assert_false(o2_app_selects(by_expression, labels));
	assert_true(o2_app_selects(plain, labels));
	assert_false(o2_app_selects(none, labels));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_stopped_in_its_way),
		cmocka_unit_test(what_is_held_is_read_as_it_was),
		cmocka_unit_test(an_undo_without_its_mark_is_left_alone),
		cmocka_unit_test(selectors_select),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
