/*
 * Rewriting: a namespace with every reference to it, storage classes, names in one cluster, versions.
 */
#include "app/app_test.h"

struct row {
	const char *what, *kind, *source, *full;
	const char *paths; /* of the recorded changes, space between */
};

/* Namespace shop becomes shop-2; Services db and web are part of the application. */
static const struct row namespace_rows[] = {
	{ "crane#54: subjects of role bindings", "RoleBinding",
	  "{metadata: {name: x}, roleRef: {kind: Role, name: r}, subjects: [{kind: ServiceAccount, "
	  "name: a, namespace: shop},"
	  " {kind: ServiceAccount, name: b, namespace: other}, {kind: User, name: "
	  "'system:serviceaccount:shop:a'},"
	  " {kind: Group, name: 'system:serviceaccounts:shop'}, {kind: Group, name: "
	  "'system:serviceaccounts:shopping'}]}",
	  "{metadata: {name: x}, roleRef: {kind: Role, name: r}, subjects: [{kind: ServiceAccount, "
	  "name: a, namespace: shop-2},"
	  " {kind: ServiceAccount, name: b, namespace: other}, {kind: User, name: "
	  "'system:serviceaccount:shop-2:a'},"
	  " {kind: Group, name: 'system:serviceaccounts:shop-2'}, {kind: Group, name: "
	  "'system:serviceaccounts:shopping'}]}",
	  "/subjects/0/namespace /subjects/2/name /subjects/3/name" },
	{ "crane#732: network policies that select namespaces by name", "NetworkPolicy",
	  "{metadata: {name: x}, spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: "
	  "{matchLabels: {kubernetes.io/metadata.name: shop}}},"
	  " {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}}]}], egress: "
	  "[{to: [{namespaceSelector: {matchExpressions:"
	  " [{key: kubernetes.io/metadata.name, operator: In, values: [shop, other]}, {key: team, "
	  "operator: In, values: [shop]}]}}]}]}}",
	  "{metadata: {name: x}, spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: "
	  "{matchLabels: {kubernetes.io/metadata.name: shop-2}}},"
	  " {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}}]}], egress: "
	  "[{to: [{namespaceSelector: {matchExpressions:"
	  " [{key: kubernetes.io/metadata.name, operator: In, values: [shop-2, other]}, {key: "
	  "team, operator: In, values: [shop]}]}}]}]}}",
	  "/spec/ingress/0/from/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name"
	  " /spec/egress/0/to/0/namespaceSelector/matchExpressions/0/values/0" },
	{ "names in environment and arguments; short names stay", "Deployment",
	  "{metadata: {name: x}, spec: {replicas: 1, template: {spec: {containers: [{image: "
	  "db.shop/x, env: [{name: A, value: 'http://db.shop.svc:80/shop'},"
	  " {name: B, value: db}, {name: C, value: 'db.other.svc'}], args: "
	  "['--db=web.shop.svc.cluster.local,db.shop'], command: [db.shop]}],"
	  " dnsConfig: {searches: [shop.svc.cluster.local, svc.cluster.local]}}}}}",
	  "{metadata: {name: x}, spec: {replicas: 1, template: {spec: {containers: [{image: "
	  "db.shop/x, env: [{name: A, value: 'http://db.shop-2.svc:80/shop'},"
	  " {name: B, value: db}, {name: C, value: 'db.other.svc'}], args: "
	  "['--db=web.shop-2.svc.cluster.local,db.shop-2'], command: [db.shop]}],"
	  " dnsConfig: {searches: [shop-2.svc.cluster.local, svc.cluster.local]}}}}}",
	  "/spec/template/spec/containers/0/env/0/value /spec/template/spec/containers/0/args/0 "
	  "/spec/template/spec/dnsConfig/searches/0" },
	{ "affinity to pods of the namespace", "StatefulSet",
	  "{metadata: {name: x}, spec: {template: {spec: {affinity: {podAntiAffinity: "
	  "{requiredDuringSchedulingIgnoredDuringExecution:"
	  " [{namespaces: [shop, other]}], preferredDuringSchedulingIgnoredDuringExecution: "
	  "[{weight: 1, podAffinityTerm: {namespaceSelector:"
	  " {matchLabels: {kubernetes.io/metadata.name: shop}}}}]}}}}}}",
	  "{metadata: {name: x}, spec: {template: {spec: {affinity: {podAntiAffinity: "
	  "{requiredDuringSchedulingIgnoredDuringExecution:"
	  " [{namespaces: [shop-2, other]}], preferredDuringSchedulingIgnoredDuringExecution: "
	  "[{weight: 1, podAffinityTerm: {namespaceSelector:"
	  " {matchLabels: {kubernetes.io/metadata.name: shop-2}}}}]}}}}}}",
	  "/spec/template/spec/affinity/podAntiAffinity/"
	  "requiredDuringSchedulingIgnoredDuringExecution/0/namespaces/0"
	  " /spec/template/spec/affinity/podAntiAffinity/"
	  "preferredDuringSchedulingIgnoredDuringExecution/0/podAffinityTerm/namespaceSelector"
	  "/matchLabels/kubernetes.io~1metadata.name" },
	{ "velero#8867: names inside configuration files", "ConfigMap",
	  "{metadata: {name: x}, data: {nginx.conf: 'proxy_pass "
	  "http://web.shop.svc.cluster.local:80;\\nresolver db.shop; # shop\\n', user:"
	  " 'system:serviceaccount:shop:x, db.shop'}, binaryData: {x: ZGIuc2hvcA==}}",
	  "{metadata: {name: x}, data: {nginx.conf: 'proxy_pass "
	  "http://web.shop-2.svc.cluster.local:80;\\nresolver db.shop-2; # shop\\n', user:"
	  " 'system:serviceaccount:shop-2:x, db.shop-2'}, binaryData: {x: ZGIuc2hvcA==}}",
	  "/data/nginx.conf /data/user" },
	{ "a Secret's text, exact host names only", "Secret",
	  "{metadata: {name: x}, type: Opaque, data: {url: "
	  "cG9zdGdyZXM6Ly91OnBAZGIuc2hvcC5zdmM6NTQzMi94, plain: c2hvcA==, bin: AAECZGIuc2hvcA==}}",
	  "{metadata: {name: x}, type: Opaque, data: {url: "
	  "cG9zdGdyZXM6Ly91OnBAZGIuc2hvcC0yLnN2Yzo1NDMyL3g=, plain: c2hvcA==, bin: "
	  "AAECZGIuc2hvcA==}}",
	  "/data/url" },
	{ "a certificate is not touched", "Secret",
	  "{metadata: {name: x}, type: kubernetes.io/tls, data: {tls.crt: ZGIuc2hvcA==}}",
	  "{metadata: {name: x}, type: kubernetes.io/tls, data: {tls.crt: ZGIuc2hvcA==}}", "" },
	{ "an alias for a Service", "Service",
	  "{metadata: {name: x}, spec: {type: ExternalName, externalName: "
	  "db.shop.svc.cluster.local}}",
	  "{metadata: {name: x}, spec: {type: ExternalName, externalName: "
	  "db.shop-2.svc.cluster.local}}",
	  "/spec/externalName" },
	{ "an Ingress' annotations, not its hosts", "Ingress",
	  "{metadata: {name: x, annotations: {auth-url: 'http://web.shop.svc/auth'}}, spec: "
	  "{rules: [{host: web.shop}]}}",
	  "{metadata: {name: x, annotations: {auth-url: 'http://web.shop-2.svc/auth'}}, spec: "
	  "{rules: [{host: web.shop}]}}",
	  "/metadata/annotations/auth-url" },
};

static void expect_changes(const struct o2_app *app, const struct row *row, size_t object)
{
	struct o2_strs wanted = { 0 };
	size_t count = 0;

	o2_strs_split(&wanted, row->paths, " ");
	for (size_t i = 0; i < o2_app_change_count(app); i++) {
		const struct o2_app_change *change = o2_app_change(app, i);
		if (change->object != object)
			continue;
		if (!o2_strs_has(&wanted, change->path))
			fail_msg("%s: change of %s", row->what, change->path);
		assert_non_null(strstr(change->reason, " becomes "));
		count++;
	}
	if (count != wanted.count)
		fail_msg("%s: %zu changes, not %zu", row->what, count, wanted.count);
	o2_strs_release(&wanted);
}

static void check_row(const struct row *row, const char *namespaces, const char *classes)
{
	struct o2_app *app = test_app("shop", NULL);
	O2_AUTO(o2_freep) char *label = o2_xasprintf("%s shop/x", row->kind);

	test_add(app, "Service", "{metadata: {name: db}}");
	test_add(app, "Service", "{metadata: {name: web}}");
	test_add(app, row->kind, row->source);
	o2_app_settle(app);
	size_t i = test_need(app, label);
	test_rewrite(app, namespaces, classes, false);
	struct o2_doc *full = o2_app_target(app, i, O2_APP_FULL);
	O2_AUTO(o2_freep) char *expected = o2_xstrdup(row->full);
	struct o2_doc *wanted = test_doc(expected);
	o2_doc_put_str(wanted, "/metadata/namespace", namespaces ? "shop-2" : "shop");
	O2_AUTO(o2_freep) char *with_namespace = o2_doc_dump(wanted);
	test_expect(row->what, test_kind(row->kind), full, with_namespace);
	expect_changes(app, row, i);
	o2_doc_free(wanted);
	o2_doc_free(full);
	o2_app_free(app);
}

static void test_namespace(void **state)
{
	(void)state;
	for (size_t i = 0; i < O2_COUNT(namespace_rows); i++)
		check_row(&namespace_rows[i], "shop:shop-2", NULL);
}

/* Without a map everything stays as it is. */
static void test_identity(void **state)
{
	(void)state;
	for (size_t i = 0; i < O2_COUNT(namespace_rows); i++) {
		struct row same = namespace_rows[i];
		same.full = same.source;
		same.paths = "";
		check_row(&same, NULL, NULL);
	}
}

static const struct row class_rows[] = {
	{ "a claim's class", "PersistentVolumeClaim",
	  "{metadata: {name: x}, spec: {storageClassName: fast}}",
	  "{metadata: {name: x}, spec: {storageClassName: slow}}", "/spec/storageClassName" },
	{ "the default class", "PersistentVolumeClaim", "{metadata: {name: x}, spec: {}}",
	  "{metadata: {name: x}, spec: {storageClassName: std}}", "/spec/storageClassName" },
	{ "no class on purpose", "PersistentVolumeClaim",
	  "{metadata: {name: x}, spec: {storageClassName: ''}}",
	  "{metadata: {name: x}, spec: {storageClassName: ''}}", "" },
	{ "back to the default", "PersistentVolumeClaim",
	  "{metadata: {name: x}, spec: {storageClassName: odd}}", "{metadata: {name: x}, spec: {}}",
	  "/spec/storageClassName" },
	{ "velero: claim templates too, else they and their claims differ", "StatefulSet",
	  "{metadata: {name: x}, spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: "
	  "{storageClassName: fast}}]}}",
	  "{metadata: {name: x}, spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: "
	  "{storageClassName: slow}}]}}",
	  "/spec/volumeClaimTemplates/0/spec/storageClassName" },
	{ "volumes that live with their pod", "Deployment",
	  "{metadata: {name: x}, spec: {template: {spec: {volumes: [{ephemeral: "
	  "{volumeClaimTemplate: {spec: {storageClassName: fast}}}}]}}}}",
	  "{metadata: {name: x}, spec: {template: {spec: {volumes: [{ephemeral: "
	  "{volumeClaimTemplate: {spec: {storageClassName: slow}}}}]}}}}",
	  "/spec/template/spec/volumes/0/ephemeral/volumeClaimTemplate/spec/storageClassName" },
};

static void test_class(void **state)
{
	(void)state;
	for (size_t i = 0; i < O2_COUNT(class_rows); i++)
		check_row(&class_rows[i], NULL, "fast:slow,:std,odd:");
}

static void test_maps(void **state)
{
	static const struct {
		const char *namespaces, *classes, *message;
	} rows[] = {
		{ "shop", NULL, "no pair of namespaces" },
		{ "shop:", NULL, "no pair of namespaces" },
		{ "shop:Shop", NULL, "no pair of namespaces" },
		{ "shop:a b", NULL, "no pair of namespaces" },
		{ "shop:-a", NULL, "no pair of namespaces" },
		{ "typo:a", NULL, "not selected" },
		{ "shop:a,shop:b", NULL, "mapped twice" },
		{ NULL, "fast", "no pair of storage classes" },
		{ NULL, "a:b:c", "no pair of storage classes" },
		{ NULL, "a:b,a:c", "mapped twice" },
		{ "shop:other", NULL,
		  "ConfigMap other/x and ConfigMap shop/x would both become ConfigMap other/x" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		struct o2_app *app = test_app("shop,other", NULL);
		struct o2_app_rewriting rewriting = { 0 };
		struct o2_err err = { 0 };
		test_add(app, "ConfigMap", "{metadata: {name: x}}");
		test_add(app, "ConfigMap", "{metadata: {name: x, namespace: other}}");
		o2_app_settle(app);
		if (rows[i].namespaces)
			o2_strs_split(&rewriting.namespace_map, rows[i].namespaces, ",");
		if (rows[i].classes)
			o2_strs_split(&rewriting.storage_class_map, rows[i].classes, ",");
		assert_int_equal(o2_app_rewrite(app, &rewriting, NULL, &err), -O2_EINVALID);
		if (!strstr(err.message, rows[i].message))
			fail_msg("'%s' is not '%s'", err.message, rows[i].message);
		o2_strs_release(&rewriting.namespace_map);
		o2_strs_release(&rewriting.storage_class_map);
		o2_app_free(app);
	}
}

static void test_same_cluster(void **state)
{
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	test_add(app, "Service",
		 "{metadata: {name: s, annotations: "
		 "{kubectl.kubernetes.io/last-applied-configuration:"
		 " '{\"spec\":{\"ports\":[{\"port\":80,\"nodePort\":30080}]}}'}}, spec: {type: "
		 "NodePort, ports: [{port: 80, nodePort: 30080}]}}");
	test_add(app, "ClusterRoleBinding",
		 "{metadata: {name: b}, roleRef: {kind: ClusterRole, name: cr, apiGroup: "
		 "rbac.authorization.k8s.io},"
		 " subjects: [{kind: ServiceAccount, name: default, namespace: shop}]}");
	test_add(app, "ClusterRole", "{metadata: {name: cr}}");
	test_add(app, "ValidatingWebhookConfiguration",
		 "{metadata: {name: v}, webhooks: [{clientConfig: {service: {name: s, namespace: "
		 "shop}},"
		 " namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}");
	test_add(app, "APIService",
		 "{metadata: {name: v1.x}, spec: {service: {name: s, namespace: shop}}}");
	o2_app_settle(app);
	test_rewrite(app, "shop:shop-2", NULL, true);
	size_t binding = test_need(app, "ClusterRoleBinding b"),
	       hook = test_need(app, "ValidatingWebhookConfiguration v");
	assert_string_equal(o2_app_target_label(app, binding), "ClusterRoleBinding b-shop-2");
	assert_string_equal(o2_app_target_label(app, hook),
			    "ValidatingWebhookConfiguration v-shop-2");
	assert_string_equal(o2_app_target_label(app, test_need(app, "ClusterRole cr")),
			    "ClusterRole cr");
	assert_int_equal(test_find(app, "APIService v1.x"), O2_APP_NO_ITEM);
	assert_true(test_noted(app, "APIService v1.x", "a cluster has one of it"));
	struct o2_doc *doc = o2_app_target(app, hook, O2_APP_FULL);
	assert_string_equal(o2_doc_str(doc, "/metadata/name", ""), "v-shop-2");
	assert_string_equal(o2_doc_str(doc, "/webhooks/0/clientConfig/service/namespace", ""),
			    "shop-2");
	assert_string_equal(
		o2_doc_str(doc,
			   "/webhooks/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name",
			   ""),
		"shop-2");
	o2_doc_free(doc);
	doc = o2_app_target(app, test_need(app, "Service shop/s"), O2_APP_FULL);
	assert_null(o2_doc_at(doc, "/spec/ports/0/nodePort"));
	o2_doc_free(doc);
	assert_string_equal(o2_app_target_namespaces(app)->items[0], "shop-2");
	assert_string_equal(o2_app_source_namespaces(app)->items[0], "shop");
	o2_app_free(app);
}

static void test_helm_release(void **state)
{
	(void)state;
	for (int moved = 0; moved < 2; moved++) {
		struct o2_app *app = test_app("shop", NULL);
		test_add(app, "Secret",
			 "{metadata: {name: sh.helm.release.v1.shop.v1}, type: helm.sh/release.v1, "
			 "data: {release: eA==}}");
		test_add(app, "ConfigMap", "{metadata: {name: c}}");
		o2_app_settle(app);
		test_rewrite(app, moved ? "shop:shop-2" : NULL, NULL, false);
		assert_int_equal(o2_app_count(app), 2 - moved);
		assert_int_equal(o2_app_note_count(app), moved);
		o2_app_free(app);
	}
}

static void test_hints(void **state)
{
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	test_add(app, "Service", "{metadata: {name: db}}");
	test_add(app, "Deployment",
		 "{metadata: {name: a}, spec: {template: {spec: {containers: [{env: [{name: NS, "
		 "value: shop}]}]}}}}");
	test_add(app, "Widget", "{metadata: {name: w}, spec: {url: 'http://db.shop.svc'}}");
	test_add(app, "Widget", "{metadata: {name: quiet}, spec: {shop: shop}}");
	test_add(app, "Secret", "{metadata: {name: s}, data: {url: ZGIuc2hvcA==, ns: c2hvcA==}}");
	o2_app_settle(app);
	test_rewrite(app, "shop:shop-2", NULL, false);
	assert_true(test_noted(app, "Deployment shop/a", "it stays"));
	assert_true(test_noted(app, "Widget shop/w", "names the namespace shop inside"));
	assert_false(test_noted(app, "Widget shop/quiet", "inside"));
	assert_true(test_noted(app, "Secret shop/s", "/data/url names a host"));
	assert_int_equal(o2_app_note_count(app), 3);
	o2_app_free(app);
}

static void test_namespace_object(void **state)
{
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	o2_app_add_namespace(app, "shop",
			     test_doc("{metadata: {name: shop, uid: u, labels: "
				      "{kubernetes.io/metadata.name: shop, team: x,"
				      " pod-security.kubernetes.io/enforce: baseline}, "
				      "annotations: {openshift.io/requester: me,"
				      " openshift.io/sa.scc.uid-range: 1000/10}}, spec: "
				      "{finalizers: [kubernetes]}}"));
	test_add(app, "ConfigMap", "{metadata: {name: c}}");
	o2_app_settle(app);
	test_rewrite(app, "shop:shop-2", NULL, false);
	struct o2_doc *doc = o2_app_target_namespace(app, 0);
	struct o2_doc *wanted = test_doc(
		"{apiVersion: v1, kind: Namespace, metadata: {name: shop-2, labels: {team: x,"
		" pod-security.kubernetes.io/enforce: baseline}, annotations: "
		"{openshift.io/sa.scc.uid-range: 1000/10}}}");
	assert_true(o2_doc_equal(doc, wanted));
	o2_doc_free(doc);
	o2_doc_free(wanted);
	o2_app_free(app);
}

/* velero#5613: the version that both have; else one whose objects look the same; else say so. */
static void test_versions(void **state)
{
	static const struct o2_kube_kind old_budget = { .group = "policy",
							.version = "v1beta1",
							.kind = "PodDisruptionBudget" };
	static const struct o2_kube_kind new_budget = { .group = "policy",
							.version = "v1",
							.kind = "PodDisruptionBudget" };
	static const struct o2_kube_kind old_ingress = { .group = "networking.k8s.io",
							 .version = "v1beta1",
							 .kind = "Ingress" };
	static const struct o2_kube_kind new_ingress = { .group = "networking.k8s.io",
							 .version = "v1",
							 .kind = "Ingress" };

	(void)state;
	assert_ptr_equal(o2_app_version_choose(&old_budget, &old_budget, &new_budget), &old_budget);
	assert_ptr_equal(o2_app_version_choose(&old_budget, NULL, &new_budget), &new_budget);
	assert_ptr_equal(o2_app_version_choose(&new_budget, NULL, &old_budget), &old_budget);
	assert_null(o2_app_version_choose(&old_ingress, NULL, &new_ingress));
	assert_null(o2_app_version_choose(&old_ingress, NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_namespace),    cmocka_unit_test(test_identity),
		cmocka_unit_test(test_class),        cmocka_unit_test(test_maps),
		cmocka_unit_test(test_same_cluster), cmocka_unit_test(test_helm_release),
		cmocka_unit_test(test_hints),        cmocka_unit_test(test_namespace_object),
		cmocka_unit_test(test_versions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
