/*
 * What is carried and what is not, with what is said about it.
 */
#include "app/app_test.h"

struct row {
	const char *kind, *source;
	bool carried;
	const char *note; /* NULL: nothing is said */
};

static const struct row rows[] = {
	{ "ConfigMap", "{metadata: {name: c}}", true, NULL },
	{ "ConfigMap", "{metadata: {name: kube-root-ca.crt}}", false, NULL },
	{ "ConfigMap", "{metadata: {name: openshift-service-ca.crt}}", false, NULL },
	{ "ConfigMap",
	  "{metadata: {name: leader, annotations: {control-plane.alpha.kubernetes.io/leader: "
	  "'{}'}}}",
	  false, "lock" },
	{ "ConfigMap", "{metadata: {name: c, deletionTimestamp: '2026-01-01T00:00:00Z'}}", false,
	  "being deleted" },
	{ "ConfigMap", "{metadata: {name: os2os-lock}}", false, "called like a record" },
	{ "Secret", "{metadata: {name: x, labels: {os2os.io/record: owner}}}", false, NULL },
	{ "Secret",
	  "{metadata: {name: web-token-x7f2q}, type: kubernetes.io/service-account-token}", false,
	  NULL },
	{ "Secret", "{metadata: {name: ci}, type: kubernetes.io/service-account-token}", true,
	  "B makes another one" },
	{ "Secret", "{metadata: {name: web-dockercfg-x7f2q}, type: kubernetes.io/dockercfg}", false,
	  NULL },
	{ "Secret", "{metadata: {name: registry}, type: kubernetes.io/dockerconfigjson}", true,
	  NULL },
	{ "Secret", "{metadata: {name: my-token-cache}, type: Opaque}", true, NULL },
	{ "Secret",
	  "{metadata: {name: s, annotations: {service.beta.openshift.io/originating-service-name: "
	  "x}}}",
	  false, "certificate" },
	{ "Secret", "{metadata: {name: sh.helm.release.v1.shop.v1}, type: helm.sh/release.v1}",
	  true, NULL },
	{ "ServiceAccount", "{metadata: {name: default}}", false, NULL },
	{ "ServiceAccount", "{metadata: {name: default}, imagePullSecrets: [{name: registry}]}",
	  false, "pull secrets" },
	{ "ServiceAccount",
	  "{metadata: {name: default}, imagePullSecrets: [{name: default-dockercfg-abcde}]}", false,
	  NULL },
	{ "ServiceAccount", "{metadata: {name: default, annotations: {iam: role}}}", false,
	  "annotations" },
	{ "ServiceAccount", "{metadata: {name: web}}", true, NULL },
	{ "RoleBinding", "{metadata: {name: 'system:image-pullers'}}", false, NULL },
	{ "Event", "{metadata: {name: e}}", false, NULL },
	{ "Lease", "{metadata: {name: l}}", false, NULL },
	{ "Subscription", "{metadata: {name: s}}", false, "operator lifecycle manager" },
	{ "Service", "{metadata: {name: kubernetes}}", true, NULL },
	{ "Service", "{metadata: {name: kubernetes, namespace: default}}", false, NULL },
	{ "Endpoints", "{metadata: {name: nobody}}", false, NULL },
	{ "EndpointSlice", "{metadata: {name: s, labels: {kubernetes.io/service-name: s}}}", false,
	  NULL },
	{ "Job", "{metadata: {name: j}, status: {completionTime: '2026-01-01T00:00:00Z'}}", false,
	  "complete" },
	{ "Job", "{metadata: {name: j}, status: {conditions: [{type: Failed, status: 'True'}]}}",
	  false, "failed" },
	{ "Job",
	  "{metadata: {name: j, annotations: {helm.sh/hook: pre-install}}, status: {active: 1}}",
	  true, "starts over" },
	{ "Pod", "{metadata: {name: p}, status: {phase: Succeeded}}", false, "has ended" },
	{ "Pod", "{metadata: {name: p}, status: {phase: Running}}", true, "after the decision" },
	{ "Pod", "{metadata: {name: p, annotations: {kubernetes.io/config.mirror: x}}}", false,
	  "node" },
	{ "Pod",
	  "{metadata: {name: p, ownerReferences: [{controller: true, kind: ReplicaSet, name: gone, "
	  "uid: g}]}}",
	  false, NULL },
	{ "ReplicaSet",
	  "{metadata: {name: p, ownerReferences: [{controller: true, kind: Deployment, name: gone, "
	  "uid: g}]}}",
	  false, NULL },
	{ "ConfigMap",
	  "{metadata: {name: c, ownerReferences: [{kind: Cluster, name: main, uid: g}]}}", true,
	  "carried without it" },
	{ "ConfigMap", "{metadata: {name: c, finalizers: [example.com/x]}}", true, "finalizer" },
	{ "ConfigMap", "{metadata: {name: c, finalizers: [foregroundDeletion]}}", true, NULL },
	{ "PersistentVolumeClaim",
	  "{metadata: {name: d, ownerReferences: [{kind: StatefulSet, name: db, uid: g}]}}", true,
	  NULL },
	{ "PersistentVolumeClaim",
	  "{metadata: {name: d, ownerReferences: [{kind: Pod, name: db, uid: g}]}}", false, NULL },
	{ "PersistentVolumeClaim", "{metadata: {name: d}, spec: {selector: {matchLabels: {a: b}}}}",
	  true, "/spec/selector is left off" },
	{ "PersistentVolumeClaim",
	  "{metadata: {name: d}, spec: {resources: {requests: {storage: 1Gi}}}, status: {capacity: "
	  "{storage: 5Gi}}}",
	  true, "has 5Gi" },
	{ "PersistentVolumeClaim", "{metadata: {name: d}, status: {phase: Lost}}", true, "lost" },
	{ "CronJob", "{metadata: {name: c}, spec: {}, status: {active: [{name: x}]}}", true,
	  "under way" },
	{ "APIService",
	  "{metadata: {name: v1.example.com}, spec: {service: {name: s, namespace: other}}}", false,
	  NULL },
	{ "ClusterRoleBinding",
	  "{metadata: {name: b}, subjects: [{kind: ServiceAccount, name: s, namespace: other}]}",
	  false, NULL },
	{ "ClusterRoleBinding",
	  "{metadata: {name: b}, roleRef: {kind: ClusterRole, name: view, apiGroup: "
	  "rbac.authorization.k8s.io},"
	  " subjects: [{kind: Group, name: 'system:serviceaccounts:shop'}]}",
	  true, "\"view\" that is not there" },
	{ "Widget", "{metadata: {name: w}}", true, NULL },
};

static void check_row(const struct row *row)
{
	struct o2_app *app = test_app("shop,default", NULL);

	test_add(app, row->kind, row->source);
	o2_app_settle(app);
	if ((o2_app_count(app) == 1) != row->carried)
		fail_msg("%s %s: carried should be %d", row->kind, row->source, row->carried);
	if (!row->note && o2_app_note_count(app) > 0)
		fail_msg("%s %s: noted: %s", row->kind, row->source, o2_app_note(app, 0)->text);
	if (row->note) {
		if (o2_app_note_count(app) != 1 || !strstr(o2_app_note(app, 0)->text, row->note))
			fail_msg("%s %s: %zu notes, not one with '%s'", row->kind, row->source,
				 o2_app_note_count(app), row->note);
		assert_int_equal(o2_app_note(app, 0)->left_out, !row->carried);
		assert_false(o2_app_note(app, 0)->blocks);
	}
	o2_app_free(app);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++)
		check_row(&rows[i]);
}

static void test_endpoints_follow_their_service(void **state)
{
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	test_add(app, "Service", "{metadata: {name: outside}, spec: {type: ClusterIP}}");
	test_add(app, "Service", "{metadata: {name: inside}, spec: {selector: {a: b}}}");
	test_add(app, "Endpoints", "{metadata: {name: outside}}");
	test_add(app, "Endpoints", "{metadata: {name: inside}}");
	test_add(app, "EndpointSlice",
		 "{metadata: {name: by-hand, labels: {kubernetes.io/service-name: outside}}}");
	test_add(app, "EndpointSlice",
		 "{metadata: {name: mirrored, labels: {kubernetes.io/service-name: outside,"
		 " endpointslice.kubernetes.io/managed-by: "
		 "endpointslicemirroring-controller.k8s.io}}}");
	test_add(app, "EndpointSlice",
		 "{metadata: {name: inside-1, labels: {kubernetes.io/service-name: inside}}}");
	o2_app_settle(app);
	(void)test_need(app, "Endpoints shop/outside");
	(void)test_need(app, "EndpointSlice shop/by-hand");
	assert_int_equal(o2_app_count(app), 4);
	o2_app_free(app);
}

static void test_owned(void **state)
{
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	test_add(app, "Deployment", "{metadata: {name: web, uid: d}, spec: {replicas: 2}}");
	test_add(app, "ReplicaSet",
		 "{metadata: {name: web-1, uid: r, ownerReferences: [{controller: true, kind: "
		 "Deployment, name: web, uid: d}]}}");
	test_add(app, "Pod",
		 "{metadata: {name: web-1-a, uid: p1, creationTimestamp: '2026-01-01T00:00:00Z', "
		 "ownerReferences: [{controller: true,"
		 " kind: ReplicaSet, name: web-1, uid: r}]}, status: {conditions: [{type: Ready, "
		 "status: 'True',"
		 " lastTransitionTime: '2026-01-01T00:00:07Z'}]}}");
	/* Waited for its volume until :10, prepared for 2 s, and was ready 9 s after its container started. */
	test_add(
		app, "Pod",
		"{metadata: {name: web-1-c, uid: p3, creationTimestamp: '2026-01-01T00:00:00Z', "
		"ownerReferences: [{controller: true,"
		" kind: ReplicaSet, name: web-1, uid: r}]}, status: {conditions: [{type: Ready, "
		"status: 'True', lastTransitionTime: '2026-01-01T00:00:21Z'}],"
		" initContainerStatuses: [{state: {terminated: {startedAt: '2026-01-01T00:00:10Z', "
		"finishedAt: '2026-01-01T00:00:12Z'}}}],"
		" containerStatuses: [{state: {running: {startedAt: '2026-01-01T00:00:12Z'}}}]}}");
	test_add(app, "Pod",
		 "{metadata: {name: web-1-b, uid: p2, creationTimestamp: '2026-01-01T00:00:00Z', "
		 "ownerReferences: [{controller: true,"
		 " kind: ReplicaSet, name: web-1, uid: r}]}, status: {conditions: [{type: Ready, "
		 "status: 'True',"
		 " lastTransitionTime: '2026-01-02T00:00:00Z'}]}}");
	test_add(app, "Widget", "{metadata: {name: w, uid: w}}");
	test_add(app, "Secret",
		 "{metadata: {name: made, ownerReferences: [{controller: true, kind: Widget, name: "
		 "w, uid: w}]}}");
	test_add(app, "CronJob", "{metadata: {name: c, uid: c}, spec: {}}");
	test_add(app, "Job",
		 "{metadata: {name: c-1, ownerReferences: [{controller: true, kind: CronJob, name: "
		 "c, uid: c}]}}");
	o2_app_settle(app);
	assert_int_equal(o2_app_count(app), 3);
	const struct o2_app_object *web = o2_app_object(app, test_need(app, "Deployment shop/web"));
	assert_int_equal(web->start_ms, 11000); /* the second pod became ready again a day later */
	assert_int_equal(web->replicas, 2);
	assert_int_equal(o2_app_object(app, test_need(app, "CronJob shop/c"))->start_ms, -1);
	assert_true(test_noted(app, "Secret shop/made", "is made by Widget w"));
	assert_int_equal(o2_app_note_count(app), 1);
	o2_app_free(app);
}

static void test_excluded(void **state)
{
	struct o2_app_selection selection = { 0 };
	struct o2_err err = { 0 };

	(void)state;
	o2_strs_add(&selection.namespaces, "shop");
	o2_strs_add(&selection.exclude_kinds, "Deployment.apps");
	o2_strs_add(&selection.exclude_kinds, "Secret");
	struct o2_app *app = o2_app_new(&selection, &err);
	test_add(app, "Deployment", "{metadata: {name: web, uid: d}}");
	test_add(app, "ReplicaSet",
		 "{metadata: {name: web-1, ownerReferences: [{controller: true, kind: Deployment, "
		 "name: web, uid: d}]}}");
	test_add(app, "Secret", "{metadata: {name: s}}");
	test_add(app, "StatefulSet",
		 "{metadata: {name: db}, spec: {template: {spec: {volumes: [{secret: {secretName: "
		 "s}}]}}}}");
	o2_app_settle(app);
	assert_int_equal(o2_app_count(app), 1);
	assert_true(test_noted(app, "StatefulSet shop/db", "left out as you asked"));
	o2_app_free(app);
	o2_strs_release(&selection.namespaces);
	o2_strs_release(&selection.exclude_kinds);
}

static void test_tracked(void **state)
{
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	test_add(app, "ConfigMap",
		 "{metadata: {name: a, labels: {argocd.argoproj.io/instance: x}}}");
	test_add(app, "ConfigMap",
		 "{metadata: {name: b, annotations: {argocd.argoproj.io/tracking-id: x}}}");
	o2_app_settle(app);
	assert_true(test_noted(app, "GitOps", "2 objects, ConfigMap shop/a for one"));
	o2_app_free(app);
}

/* A list that is read again must not leave what it brought the first time. */
static void test_forget(void **state)
{
	struct o2_app *app = test_app("shop,other", NULL);

	(void)state;
	test_add(app, "ConfigMap", "{metadata: {name: a, uid: u}}");
	test_add(app, "ConfigMap", "{metadata: {name: a, namespace: other}}");
	o2_app_forget(app, test_kind("ConfigMap"), "shop");
	test_add(app, "ConfigMap", "{metadata: {name: a, uid: u}, data: {new: 'yes'}}");
	o2_app_settle(app);
	assert_int_equal(o2_app_count(app), 2);
	struct o2_doc *doc = o2_app_source(app, test_need(app, "ConfigMap shop/a"));
	assert_string_equal(o2_doc_str(doc, "/data/new", ""), "yes");
	o2_doc_free(doc);
	o2_app_free(app);
}

/* A server may say anything. */
static void test_odd_documents(void **state)
{
	static const char *const odd[] = {
		"{}",
		"{metadata: []}",
		"{metadata: {name: 5, namespace: shop}}",
		"{metadata: {name: x, namespace: shop, labels: 3, annotations: [1]}}",
		"{metadata: {name: x, namespace: shop, ownerReferences: {a: b}}}",
		"{metadata: {name: x, namespace: shop, ownerReferences: [1, {}]}}",
		"{metadata: {name: x, namespace: shop, finalizers: {a: b}}}",
		"{metadata: {name: x, namespace: shop}, spec: []}",
		"{metadata: {name: x, namespace: shop}, spec: {template: [], selector: 3, ports: "
		"{a: b}, volumes: x, replicas: many}}",
		"{metadata: {name: x, namespace: shop}, spec: {template: {spec: {containers: "
		"[null, 3, {env: {a: b}, args: x}], volumes: [[]]}}}}",
		"{metadata: {name: x, namespace: shop}, data: [a], status: 3, subjects: {a: b}, "
		"webhooks: 3, roleRef: x, secrets: [x, {name: 3}]}",
		"{metadata: {name: x, namespace: shop}, spec: {replicas: -3, ports: [3, {nodePort: "
		"x}], clusterIP: 7, type: 3}}",
	};

	(void)state;
	for (size_t k = 0; k < O2_COUNT(test_kinds); k++) {
		for (size_t i = 0; i < O2_COUNT(odd); i++) {
			struct o2_app *app = test_app("shop", NULL);
			struct o2_doc *doc = test_doc(odd[i]);
			o2_app_add_object(app, &test_kinds[k], doc);
			o2_doc_free(doc);
			o2_app_settle(app);
			test_rewrite(app, "shop:shop-2", "fast:slow", true);
			for (size_t o = 0; o < o2_app_count(app); o++) {
				o2_doc_free(o2_app_target(app, o, O2_APP_FULL));
				o2_doc_free(o2_app_target(app, o, O2_APP_INERT));
			}
			o2_app_free(app);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_endpoints_follow_their_service),
		cmocka_unit_test(test_owned),
		cmocka_unit_test(test_excluded),
		cmocka_unit_test(test_tracked),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_odd_documents),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
