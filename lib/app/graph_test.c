/*
 * References: what refers to what, what comes first, what is missing, what a label pulls along.
 */
#include "app/app_test.h"

#define POD(spec) \
	"{metadata: {name: web}, spec: {template: {metadata: {labels: {app: web}}, spec: {" spec \
	"}}}}"

/* One row: what refers, what it refers to, and the edge's word; without the referred there is a note with its name. */
struct row {
	const char *kind, *source; /* named "web" */
	const char *to_kind, *to_name;
	const char *why;
	bool quiet; /* nobody misses it */
};

static const struct row rows[] = {
	{ "Deployment", POD("volumes: [{configMap: {name: x}}]"), "ConfigMap", "x", "volume",
	  false },
	{ "Deployment", POD("volumes: [{configMap: {name: x, optional: true}}]"), "ConfigMap", "x",
	  "volume", true },
	{ "Deployment", POD("volumes: [{secret: {secretName: x}}]"), "Secret", "x", "volume",
	  false },
	{ "Deployment", POD("volumes: [{secret: {secretName: x, optional: true}}]"), "Secret", "x",
	  "volume", true },
	{ "Deployment", POD("volumes: [{projected: {sources: [{configMap: {name: x}}]}}]"),
	  "ConfigMap", "x", "volume", false },
	{ "Deployment",
	  POD("volumes: [{projected: {sources: [{serviceAccountToken: {}}, {secret: {name: "
	      "x}}]}}]"),
	  "Secret", "x", "volume", false },
	{ "Deployment", POD("volumes: [{persistentVolumeClaim: {claimName: x}}]"),
	  "PersistentVolumeClaim", "x", "volume", false },
	{ "Deployment", POD("imagePullSecrets: [{name: x}]"), "Secret", "x", "imagePullSecret",
	  false },
	{ "Deployment", POD("serviceAccountName: x"), "ServiceAccount", "x", "serviceAccount",
	  false },
	{ "Deployment", POD("priorityClassName: x"), "PriorityClass", "x", "priorityClass", true },
	{ "Deployment",
	  POD("containers: [{env: [{valueFrom: {secretKeyRef: {name: x, key: k}}}]}]"), "Secret",
	  "x", "env", false },
	{ "Deployment",
	  POD("containers: [{env: [{valueFrom: {configMapKeyRef: {name: x, key: k}}}]}]"),
	  "ConfigMap", "x", "env", false },
	{ "Deployment",
	  POD("containers: [{env: [{valueFrom: {configMapKeyRef: {name: x, optional: true}}}]}]"),
	  "ConfigMap", "x", "env", true },
	{ "Deployment", POD("initContainers: [{envFrom: [{configMapRef: {name: x}}]}]"),
	  "ConfigMap", "x", "env", false },
	{ "DaemonSet", POD("containers: [{envFrom: [{secretRef: {name: x}}]}]"), "Secret", "x",
	  "env", false },
	{ "Job", POD("volumes: [{configMap: {name: x}}]"), "ConfigMap", "x", "volume", false },
	{ "CronJob",
	  "{metadata: {name: web}, spec: {jobTemplate: {spec: {template: {spec: "
	  "{serviceAccountName: x}}}}}}",
	  "ServiceAccount", "x", "serviceAccount", false },
	{ "StatefulSet", "{metadata: {name: web}, spec: {serviceName: x}}", "Service", "x",
	  "serviceName", true },
	{ "HorizontalPodAutoscaler",
	  "{metadata: {name: web}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, "
	  "name: x}}}",
	  "Deployment", "x", "scaleTarget", false },
	{ "Ingress",
	  "{metadata: {name: web}, spec: {rules: [{http: {paths: [{backend: {service: {name: "
	  "x}}}]}}]}}",
	  "Service", "x", "backend", false },
	{ "Ingress", "{metadata: {name: web}, spec: {defaultBackend: {service: {name: x}}}}",
	  "Service", "x", "backend", false },
	{ "Ingress", "{metadata: {name: web}, spec: {tls: [{secretName: x}]}}", "Secret", "x",
	  "tls", false },
	{ "Route", "{metadata: {name: web}, spec: {to: {kind: Service, name: x}}}", "Service", "x",
	  "backend", false },
	{ "RoleBinding",
	  "{metadata: {name: web}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, "
	  "name: x}}",
	  "Role", "x", "roleRef", false },
	{ "RoleBinding",
	  "{metadata: {name: web}, subjects: [{kind: ServiceAccount, name: x, namespace: shop}]}",
	  "ServiceAccount", "x", "subject", false },
	{ "ServiceAccount", "{metadata: {name: web}, imagePullSecrets: [{name: x}]}", "Secret", "x",
	  "imagePullSecret", false },
	{ "Secret", "{metadata: {name: web, annotations: {kubernetes.io/service-account.name: x}}}",
	  "ServiceAccount", "x", "token", false },
};

static const char *const minimal = "{metadata: {name: x}, spec: {template: {spec: {}}}}";

static void check_row(const struct row *row)
{
	O2_AUTO(o2_freep) char *from = o2_xasprintf("%s shop/web", row->kind);
	bool cluster = !test_kind(row->to_kind)->namespaced;
	O2_AUTO(o2_freep)
	char *to = o2_xasprintf(cluster ? "%s %s" : "%s shop/%s", row->to_kind, row->to_name);
	O2_AUTO(o2_freep)
	char *missing =
		o2_xasprintf("refers to %s \"%s\" that is not there", row->to_kind, row->to_name);
	struct o2_app *app = test_app("shop", NULL);

	test_add(app, row->to_kind, minimal);
	test_add(app, row->kind, row->source);
	o2_app_settle(app);
	if (test_find(app, to) == O2_APP_NO_ITEM || !test_has_edge(app, from, to, row->why))
		fail_msg("%s: no edge to %s by %s", row->source, to, row->why);
	assert_int_equal(o2_app_note_count(app), 0);
	o2_app_free(app);

	app = test_app("shop", NULL);
	test_add(app, row->kind, row->source);
	o2_app_settle(app);
	if (test_noted(app, from, missing) == row->quiet)
		fail_msg("%s: note on what is missing should be %d", row->source, !row->quiet);
	o2_app_free(app);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++)
		check_row(&rows[i]);
}

static void test_selectors(void **state)
{
	struct o2_app *app = test_app("shop,other", NULL);

	(void)state;
	test_add(app, "Service", "{metadata: {name: s}, spec: {selector: {app: web}}}");
	test_add(app, "Service", "{metadata: {name: none}, spec: {selector: {app: nobody}}}");
	test_add(app, "Deployment", POD(""));
	test_add(app, "Deployment",
		 "{metadata: {name: web, namespace: other}, spec: {template: {metadata: {labels: "
		 "{app: web}}, spec: {}}}}");
	test_add(app, "Pod", "{metadata: {name: bare, labels: {app: web}}, spec: {}}");
	test_add(app, "PodDisruptionBudget",
		 "{metadata: {name: b}, spec: {selector: {matchExpressions: [{key: app, operator: "
		 "In, values: [web]}]}}}");
	test_add(app, "PodDisruptionBudget",
		 "{metadata: {name: none}, spec: {selector: {matchLabels: {app: nobody}}}}");
	test_add(app, "NetworkPolicy", "{metadata: {name: all}, spec: {podSelector: {}}}");
	o2_app_settle(app);
	assert_true(test_has_edge(app, "Service shop/s", "Deployment shop/web", "selector"));
	assert_true(test_has_edge(app, "Service shop/s", "Pod shop/bare", "selector"));
	assert_false(test_has_edge(app, "Service shop/s", "Deployment other/web", "selector"));
	assert_true(test_has_edge(app, "PodDisruptionBudget shop/b", "Deployment shop/web",
				  "selector"));
	assert_true(test_has_edge(app, "NetworkPolicy shop/all", "Pod shop/bare", "selector"));
	assert_true(test_noted(app, "PodDisruptionBudget shop/none", "selects no workload"));
	assert_false(test_noted(app, "Service shop/none", "selects"));
	o2_app_free(app);
}

/* What is created first: accounts, configuration, workloads, cluster; late: ways in, autoscalers, quotas, webhooks. */
static void test_waves(void **state)
{
	static const struct {
		const char *kind, *label;
		int wave;
		enum o2_app_created created;
	} wanted[] = {
		{ "Deployment", "Deployment shop/x", 2, O2_APP_CREATED_EARLY },
		{ "ServiceAccount", "ServiceAccount shop/x", 0, O2_APP_CREATED_EARLY },
		{ "ConfigMap", "ConfigMap shop/x", 1, O2_APP_CREATED_EARLY },
		{ "Service", "Service shop/x", 1, O2_APP_CREATED_EARLY },
		{ "RoleBinding", "RoleBinding shop/x", 3, O2_APP_CREATED_EARLY },
		{ "Pod", "Pod shop/x", 0, O2_APP_CREATED_LATE },
		{ "Ingress", "Ingress shop/x", 1, O2_APP_CREATED_LATE },
		{ "Widget", "Widget shop/x", 0, O2_APP_CREATED_LATE },
		{ "HorizontalPodAutoscaler", "HorizontalPodAutoscaler shop/x", 2,
		  O2_APP_CREATED_LATE },
		{ "ResourceQuota", "ResourceQuota shop/x", 3, O2_APP_CREATED_LATE },
	};
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	for (size_t i = 0; i < O2_COUNT(wanted); i++)
		test_add(app, wanted[i].kind, minimal);
	o2_app_settle(app);
	for (size_t i = 0; i < O2_COUNT(wanted); i++) {
		const struct o2_app_object *object =
			o2_app_object(app, test_need(app, wanted[i].label));
		if (object->wave != wanted[i].wave || object->created != wanted[i].created)
			fail_msg("%s: wave %d, created %d", wanted[i].label, object->wave,
				 object->created);
		assert_int_equal(object->has_row, strcmp(wanted[i].kind, "Widget") != 0);
	}
	o2_app_free(app);
}

static void add_pair(struct o2_app *app, const char *name, const char *value)
{
	O2_AUTO(o2_freep)
	char *workload =
		o2_xasprintf("{metadata: {name: %s}, spec: {template: {metadata: {labels: {app: "
			     "%s}}, spec: {containers: [{env: [{name: X, value: '%s'}]}]}}}}",
			     name, name, value);
	test_add(app, "Deployment", workload);
}

static void add_services(struct o2_app *app, const char *names)
{
	struct o2_strs list = { 0 };

	o2_strs_split(&list, names, " ");
	for (size_t i = 0; i < list.count; i++) {
		O2_AUTO(o2_freep)
		char *text = o2_xasprintf("{metadata: {name: %s}, spec: {selector: {app: %s}}}",
					  list.items[i], list.items[i]);
		test_add(app, "Service", text);
	}
	o2_strs_release(&list);
}

static int level_of(struct o2_app *app, const char *label)
{
	return o2_app_object(app, test_need(app, label))->level;
}

static void test_levels(void **state)
{
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	add_services(app, "web api db cache");
	add_pair(app, "web", "http://api:8080/v1");
	add_pair(app, "api", "postgres://u:p@db.shop.svc:5432/x");
	add_pair(app, "db", "");
	add_pair(app, "alone", "a web page");
	test_add(app, "ConfigMap",
		 "{metadata: {name: conf}, data: {app.ini: "
		 "'cache.host=x\\nurl=redis://cache:6379\\n'}}");
	test_add(app, "StatefulSet",
		 "{metadata: {name: worker}, spec: {serviceName: worker, template: {spec: "
		 "{containers: [{envFrom: [{configMapRef: {name: conf}}]}]}}}}");
	add_pair(app, "cache", "db");
	o2_app_settle(app);
	assert_int_equal(level_of(app, "Deployment shop/db"), 0);
	assert_int_equal(level_of(app, "Deployment shop/alone"), 0);
	assert_int_equal(level_of(app, "Deployment shop/api"), 1);
	assert_int_equal(level_of(app, "Deployment shop/cache"), 1);
	assert_int_equal(level_of(app, "Deployment shop/web"), 2);
	assert_int_equal(level_of(app, "StatefulSet shop/worker"),
			 2); /* by way of its configuration */
	assert_int_equal(level_of(app, "ConfigMap shop/conf"), 0);
	assert_int_equal(o2_app_note_count(app), 0);
	assert_true(test_has_edge(app, "ConfigMap shop/conf", "Service shop/cache", "host"));
	o2_app_free(app);
}

static void test_circle(void **state)
{
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	add_services(app, "a b c self");
	add_pair(app, "a", "b");
	add_pair(app, "b", "c");
	add_pair(app, "c", "a");
	add_pair(app, "self", "http://self");
	o2_app_settle(app);
	assert_int_equal(level_of(app, "Deployment shop/c"), 0);
	assert_int_equal(level_of(app, "Deployment shop/b"), 1);
	assert_int_equal(level_of(app, "Deployment shop/a"), 2);
	assert_int_equal(level_of(app, "Deployment shop/self"), 0);
	assert_int_equal(o2_app_note_count(app), 1);
	assert_true(test_noted(app, "Deployment shop/c",
			       "needs Deployment shop/a and is needed by it; it starts first"));
	o2_app_free(app);
}

/* As deep as there are objects, without recursion. */
static void test_long_chain(void **state)
{
	enum { LENGTH = 3000 };
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	for (int i = 0; i < LENGTH; i++) {
		O2_AUTO(o2_freep) char *name = o2_xasprintf("w%d", i);
		add_services(app, name);
	}
	for (int i = 0; i < LENGTH; i++) {
		O2_AUTO(o2_freep) char *name = o2_xasprintf("w%d", i);
		O2_AUTO(o2_freep) char *value = o2_xasprintf("w%d", i + 1);
		add_pair(app, name, value);
	}
	o2_app_settle(app);
	assert_int_equal(level_of(app, "Deployment shop/w0"), LENGTH - 1);
	o2_app_free(app);
}

/* ---- selection by label ----------------------------------------------------------------------------------------------- */

static void test_closure(void **state)
{
	struct o2_app *app = test_app("shop", "part=web");

	(void)state;
	test_add(app, "Service", "{metadata: {name: web}, spec: {selector: {app: web}}}");
	test_add(app, "Service", "{metadata: {name: db}, spec: {selector: {app: db}}}");
	test_add(app, "Deployment",
		 "{metadata: {name: web, labels: {part: web}}, spec: {template: {metadata: "
		 "{labels: {app: web}}, spec: {serviceAccountName: web,"
		 " priorityClassName: high, volumes: [{persistentVolumeClaim: {claimName: files}}, "
		 "{configMap: {name: shared}}],"
		 " containers: [{env: [{value: 'db:5432'}]}]}}}}");
	test_add(app, "Deployment",
		 "{metadata: {name: db}, spec: {template: {metadata: {labels: {app: db}}, spec: "
		 "{volumes: [{configMap: {name: shared}}]}}}}");
	test_add(app, "ConfigMap", "{metadata: {name: shared}}");
	test_add(app, "ConfigMap", "{metadata: {name: unrelated}}");
	test_add(app, "PersistentVolumeClaim", "{metadata: {name: files}}");
	test_add(app, "ServiceAccount", "{metadata: {name: web}}");
	test_add(app, "RoleBinding",
		 "{metadata: {name: rb}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: "
		 "Role, name: r},"
		 " subjects: [{kind: ServiceAccount, name: web}]}");
	test_add(app, "Role", "{metadata: {name: r}}");
	test_add(app, "ClusterRoleBinding",
		 "{metadata: {name: crb}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: "
		 "ClusterRole, name: cr},"
		 " subjects: [{kind: ServiceAccount, name: web, namespace: shop}]}");
	test_add(app, "ClusterRole", "{metadata: {name: cr}}");
	test_add(app, "PriorityClass", "{metadata: {name: high}}");
	test_add(app, "Ingress",
		 "{metadata: {name: i}, spec: {rules: [{http: {paths: [{backend: {service: {name: "
		 "web}}}]}}], tls: [{secretName: cert}]}}");
	test_add(app, "Secret", "{metadata: {name: cert}}");
	test_add(app, "ConfigMap", "{metadata: {name: dying, deletionTimestamp: x}}");
	o2_app_settle(app);
	static const char *const along[] = { "Service shop/web",
					     "ConfigMap shop/shared",
					     "PersistentVolumeClaim shop/files",
					     "ServiceAccount shop/web",
					     "RoleBinding shop/rb",
					     "Role shop/r",
					     "ClusterRoleBinding crb",
					     "ClusterRole cr",
					     "PriorityClass high",
					     "Ingress shop/i",
					     "Secret shop/cert" };
	for (size_t i = 0; i < O2_COUNT(along); i++)
		assert_true(o2_app_object(app, test_need(app, along[i]))->by_reference);
	assert_false(o2_app_object(app, test_need(app, "Deployment shop/web"))->by_reference);
	assert_int_equal(o2_app_count(app), O2_COUNT(along) + 1);
	assert_true(test_noted(app, "Deployment shop/web",
			       "refers to Service shop/db, which is not selected"));
	assert_true(test_noted(app, "ConfigMap shop/shared", "is used by Deployment shop/db too"));
	assert_int_equal(o2_app_note_count(app), 2); /* nothing about what was never meant */
	o2_app_free(app);
}

/* A StatefulSet's claims go along, those of pods that were scaled away too; another set's do not. */
static void test_claims(void **state)
{
	struct o2_app *app = test_app("shop", "part=db");

	(void)state;
	test_add(app, "StatefulSet",
		 "{metadata: {name: db, labels: {part: db}}, spec: {replicas: 2, template: {spec: "
		 "{}}, volumeClaimTemplates: [{metadata: {name: data}}]}}");
	static const char *const claims[] = { "data-db-0", "data-db-1",  "data-db-2",
					      "data-db-x", "data-db2-0", "log-db-0" };
	for (size_t i = 0; i < O2_COUNT(claims); i++) {
		O2_AUTO(o2_freep) char *text = o2_xasprintf("{metadata: {name: %s}}", claims[i]);
		test_add(app, "PersistentVolumeClaim", text);
	}
	o2_app_settle(app);
	assert_true(test_has_edge(app, "StatefulSet shop/db",
				  "PersistentVolumeClaim shop/data-db-0", "claim"));
	assert_true(test_has_edge(app, "StatefulSet shop/db",
				  "PersistentVolumeClaim shop/data-db-2", "claim"));
	assert_int_equal(o2_app_count(app), 4);
	assert_int_equal(o2_app_note_count(app), 0);
	o2_app_free(app);
}

/* Of the cluster only what has to do with the namespaces. */
static void test_cluster_objects(void **state)
{
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	test_add(app, "Service", "{metadata: {name: hook}}");
	test_add(app, "ValidatingWebhookConfiguration",
		 "{metadata: {name: ours}, webhooks: [{clientConfig: {service: {name: hook, "
		 "namespace: shop}}}]}");
	test_add(app, "ValidatingWebhookConfiguration",
		 "{metadata: {name: theirs}, webhooks: [{clientConfig: {service: {name: hook, "
		 "namespace: other}}}]}");
	test_add(app, "APIService",
		 "{metadata: {name: v1.x}, spec: {service: {name: hook, namespace: shop}}}");
	test_add(app, "APIService",
		 "{metadata: {name: v1.y, labels: {kube-aggregator.kubernetes.io/automanaged: "
		 "'true'}}, spec: {service: {name: hook, namespace: shop}}}");
	test_add(app, "ClusterRole", "{metadata: {name: unbound}}");
	test_add(app, "ClusterRole",
		 "{metadata: {name: view, labels: {kubernetes.io/bootstrapping: rbac-defaults}}}");
	test_add(app, "ClusterRoleBinding",
		 "{metadata: {name: for-default}, roleRef: {apiGroup: rbac.authorization.k8s.io, "
		 "kind: ClusterRole, name: view},"
		 " subjects: [{kind: ServiceAccount, name: default, namespace: shop}, {kind: "
		 "ServiceAccount, name: x, namespace: other}]}");
	test_add(app, "ServiceAccount", "{metadata: {name: default}}");
	test_add(app, "CustomResourceDefinition", "{metadata: {name: widgets.example.com}}");
	test_add(app, "CustomResourceDefinition", "{metadata: {name: others.example.com}}");
	test_add(app, "Widget", "{metadata: {name: w}}");
	o2_app_settle(app);
	(void)test_need(app, "ValidatingWebhookConfiguration ours");
	(void)test_need(app, "APIService v1.x");
	size_t binding = test_need(app, "ClusterRoleBinding for-default");
	(void)test_need(app, "CustomResourceDefinition widgets.example.com");
	assert_int_equal(o2_app_count(app), 6);
	test_rewrite(app, NULL, NULL, false);
	struct o2_doc *doc = o2_app_target(app, binding, O2_APP_FULL);
	assert_int_equal(o2_doc_count(o2_doc_at(doc, "/subjects")), 1);
	assert_true(test_noted(app, "ClusterRoleBinding for-default", "1 subjects outside"));
	assert_int_equal(o2_app_note_count(app), 1);
	o2_doc_free(doc);
	o2_app_free(app);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_waves),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_circle),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_closure),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_cluster_objects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
