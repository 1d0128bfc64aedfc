/*
 * What the tests of this folder share: an application made of YAML texts, without a server.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "app/app_internal.h"

#define ALL_VERBS (O2_KUBE_GET | O2_KUBE_LIST | O2_KUBE_CREATE | O2_KUBE_PATCH | O2_KUBE_DELETE)
#define KIND(g, v, k, r, ns) \
	{ \
		.group = g, .version = v, .api_version = sizeof(g) > 1 ? g "/" v : v, .kind = k, \
		.resource = r, .namespaced = ns, .preferred = true, .verbs = ALL_VERBS \
	}

static const struct o2_kube_kind test_kinds[] = {
	KIND("", "v1", "ConfigMap", "configmaps", true),
	KIND("", "v1", "Secret", "secrets", true),
	KIND("", "v1", "Service", "services", true),
	KIND("", "v1", "ServiceAccount", "serviceaccounts", true),
	KIND("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true),
	KIND("", "v1", "Pod", "pods", true),
	KIND("", "v1", "Endpoints", "endpoints", true),
	KIND("", "v1", "Event", "events", true),
	KIND("", "v1", "ResourceQuota", "resourcequotas", true),
	KIND("", "v1", "LimitRange", "limitranges", true),
	KIND("apps", "v1", "Deployment", "deployments", true),
	KIND("apps", "v1", "StatefulSet", "statefulsets", true),
	KIND("apps", "v1", "DaemonSet", "daemonsets", true),
	KIND("apps", "v1", "ReplicaSet", "replicasets", true),
	KIND("batch", "v1", "Job", "jobs", true),
	KIND("batch", "v1", "CronJob", "cronjobs", true),
	KIND("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true),
	KIND("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
	KIND("networking.k8s.io", "v1", "Ingress", "ingresses", true),
	KIND("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", true),
	KIND("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", true),
	KIND("coordination.k8s.io", "v1", "Lease", "leases", true),
	KIND("rbac.authorization.k8s.io", "v1", "Role", "roles", true),
	KIND("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true),
	KIND("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false),
	KIND("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false),
	KIND("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", false),
	KIND("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
	     false),
	KIND("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration",
	     "validatingwebhookconfigurations", false),
	KIND("apiregistration.k8s.io", "v1", "APIService", "apiservices", false),
	KIND("route.openshift.io", "v1", "Route", "routes", true),
	KIND("operators.coreos.com", "v1alpha1", "Subscription", "subscriptions", true),
	KIND("example.com", "v1", "Widget", "widgets", true),
};

__attribute__((unused)) static const struct o2_kube_kind *test_kind(const char *kind)
{
	for (size_t i = 0; i < O2_COUNT(test_kinds); i++) {
		if (strcmp(test_kinds[i].kind, kind) == 0)
			return &test_kinds[i];
	}
	fail_msg("no kind %s", kind);
	return test_kinds;
}

__attribute__((unused)) static struct o2_doc *test_doc(const char *yaml)
{
	struct o2_err err = { 0 };
	struct o2_doc *docs = o2_doc_parse_yaml(yaml, strlen(yaml), &err);

	if (!docs)
		fail_msg("%s: %s", err.message, yaml);
	struct o2_doc *doc = o2_doc_ref(o2_doc_item(docs, 0));
	o2_doc_free(docs);
	return doc;
}

__attribute__((unused)) static struct o2_app *test_app(const char *namespaces, const char *selector)
{
	struct o2_app_selection selection = { .selector = selector };
	struct o2_err err = { 0 };

	o2_strs_split(&selection.namespaces, namespaces, ",");
	struct o2_app *app = o2_app_new(&selection, &err);
	if (!app)
		fail_msg("%s", err.message);
	o2_strs_release(&selection.namespaces);
	return app;
}

/* yaml: without apiVersion and kind; the namespace is "shop" unless it is said. */
__attribute__((unused)) static void test_add(struct o2_app *app, const char *kind, const char *yaml)
{
	struct o2_doc *doc = test_doc(yaml);
	const struct o2_kube_kind *k = test_kind(kind);

	if (k->namespaced && !o2_doc_at(doc, "/metadata/namespace"))
		o2_doc_put_str(doc, "/metadata/namespace", "shop");
	o2_app_add_object(app, k, doc);
	o2_doc_free(doc);
}

/* maps: "from:to" of namespaces, comma between; NULL: none. */
__attribute__((unused)) static void test_rewrite(struct o2_app *app, const char *maps,
						 const char *classes, bool same_cluster)
{
	struct o2_app_rewriting rewriting = { .same_cluster = same_cluster };
	struct o2_err err = { 0 };

	if (maps)
		o2_strs_split(&rewriting.namespace_map, maps, ",");
	if (classes)
		o2_strs_split(&rewriting.storage_class_map, classes, ",");
	if (o2_app_rewrite(app, &rewriting, NULL, &err) < 0)
		fail_msg("%s", err.message);
	o2_strs_release(&rewriting.namespace_map);
	o2_strs_release(&rewriting.storage_class_map);
}

__attribute__((unused)) static size_t test_find(const struct o2_app *app, const char *label)
{
	for (size_t i = 0; i < o2_app_count(app); i++) {
		if (strcmp(o2_app_label(app, i), label) == 0)
			return i;
	}
	return O2_APP_NO_ITEM;
}

__attribute__((unused)) static size_t test_need(const struct o2_app *app, const char *label)
{
	size_t i = test_find(app, label);

	if (i == O2_APP_NO_ITEM)
		fail_msg("%s is not carried", label);
	return i;
}

/* Is there a note on the subject whose text contains this? */
__attribute__((unused)) static bool test_noted(const struct o2_app *app, const char *subject,
					       const char *text)
{
	for (size_t i = 0; i < o2_app_note_count(app); i++) {
		const struct o2_app_note *note = o2_app_note(app, i);
		if (strcmp(note->subject, subject) == 0 && strstr(note->text, text))
			return true;
	}
	return false;
}

__attribute__((unused)) static bool test_has_edge(const struct o2_app *app, const char *from,
						  const char *to, const char *why)
{
	size_t a = test_need(app, from), b = test_need(app, to);

	for (size_t i = 0; i < o2_app_edge_count(app); i++) {
		const struct o2_app_edge *edge = o2_app_edge(app, i);
		if (edge->from == a && edge->to == b && strcmp(edge->why, why) == 0)
			return true;
	}
	return false;
}

/* expected: without apiVersion, kind and metadata.namespace, which every object has. */
__attribute__((unused)) static void test_expect(const char *what, const struct o2_kube_kind *kind,
						struct o2_doc *actual, const char *expected)
{
	struct o2_doc *wanted = test_doc(expected);

	o2_doc_set_str(wanted, "apiVersion", kind->api_version);
	o2_doc_set_str(wanted, "kind", kind->kind);
	if (kind->namespaced && !o2_doc_at(wanted, "/metadata/namespace"))
		o2_doc_put_str(wanted, "/metadata/namespace", "shop");
	if (!o2_doc_equal(actual, wanted)) {
		O2_AUTO(o2_freep) char *a = o2_doc_dump_canonical(actual);
		O2_AUTO(o2_freep) char *b = o2_doc_dump_canonical(wanted);
		fail_msg("%s:\n  is     %s\n  should %s", what, a, b);
	}
	o2_doc_free(wanted);
}
