/*
 * The table: what is known of a kind is one row here, and nowhere else.
 *
 * Ranks, early: accounts and limits, configuration, workloads, then what is cluster-scoped and what binds to it (made last,
 * since no owner collects it). Late: pods and custom resources, ways in, autoscalers, quotas (they would refuse movers), and
 * at the very end webhooks and APIServices, which can block every other creation.
 */
#include "app/app_internal.h"

#include <string.h>

#define EARLY O2_APP_CREATED_EARLY
#define LATE O2_APP_CREATED_LATE
#define NEVER O2_APP_STARTED_NEVER
#define CLOSED O2_APP_STARTED_CLOSED
#define OPEN O2_APP_STARTED_OPEN

enum { RANK_ACCOUNT, RANK_CONFIG, RANK_WORKLOAD, RANK_CLUSTER, RANK_BINDING };
enum { RANK_LATE_OBJECT, RANK_WAY_IN, RANK_SCALER, RANK_QUOTA, RANK_HOOK };

#define NAME O2_APP_SHAPE_NAME
#define TYPED O2_APP_SHAPE_TYPED
#define NAMESPACED O2_APP_SHAPE_NAMESPACED
#define LABELS O2_APP_SHAPE_LABELS
#define SELECTOR O2_APP_SHAPE_SELECTOR
#define ORDINALS O2_APP_SHAPE_ORDINALS
#define PULLS O2_APP_PULLS
#define FOLLOWS O2_APP_FOLLOWS
#define QUIET O2_APP_QUIET

#define RBAC "rbac.authorization.k8s.io"
#define GATEWAY "gateway.networking.k8s.io"

/* ---- references ------------------------------------------------------------------------------------------------------- */

#define CONTAINER_REFERENCES(list) \
	{ "/spec/" list "/*/env/*/valueFrom/configMapKeyRef/name", \
	  NAME, \
	  "", \
	  "ConfigMap", \
	  "env", \
	  PULLS }, \
		{ "/spec/" list "/*/env/*/valueFrom/secretKeyRef/name", \
		  NAME, \
		  "", \
		  "Secret", \
		  "env", \
		  PULLS }, \
		{ "/spec/" list "/*/envFrom/*/configMapRef/name", \
		  NAME, \
		  "", \
		  "ConfigMap", \
		  "env", \
		  PULLS }, \
	{ \
		"/spec/" list "/*/envFrom/*/secretRef/name", NAME, "", "Secret", "env", PULLS \
	}

static const struct o2_app_reference pod_references[] = {
	{ "/spec/volumes/*/configMap/name", NAME, "", "ConfigMap", "volume", PULLS },
	{ "/spec/volumes/*/secret/secretName", NAME, "", "Secret", "volume", PULLS },
	{ "/spec/volumes/*/projected/sources/*/configMap/name", NAME, "", "ConfigMap", "volume",
	  PULLS },
	{ "/spec/volumes/*/projected/sources/*/secret/name", NAME, "", "Secret", "volume", PULLS },
	{ "/spec/volumes/*/persistentVolumeClaim/claimName", NAME, "", "PersistentVolumeClaim",
	  "volume", PULLS },
	{ "/spec/volumes/*/csi/nodePublishSecretRef/name", NAME, "", "Secret", "volume", PULLS },
	{ "/spec/imagePullSecrets/*/name", NAME, "", "Secret", "imagePullSecret", PULLS },
	{ "/spec/serviceAccountName", NAME, "", "ServiceAccount", "serviceAccount", PULLS },
	{ "/spec/priorityClassName", NAME, "scheduling.k8s.io", "PriorityClass", "priorityClass",
	  PULLS | QUIET },
	{ "/spec/resourceClaims/*/resourceClaimTemplateName", NAME, "resource.k8s.io",
	  "ResourceClaimTemplate", "resourceClaim", PULLS },
	CONTAINER_REFERENCES("containers"),
	CONTAINER_REFERENCES("initContainers"),
	{ .path = NULL },
};

static const struct o2_app_reference stateful_set_references[] = {
	{ "/spec/serviceName", NAME, "", "Service", "serviceName", PULLS | QUIET },
	{ "/spec/volumeClaimTemplates/*/metadata/name", ORDINALS, "", "PersistentVolumeClaim",
	  "claim", PULLS | QUIET },
	{ .path = NULL },
};

static const struct o2_app_reference service_references[] = {
	{ "/spec/selector", LABELS, "", NULL, "selector", FOLLOWS | QUIET },
	{ .path = NULL },
};

static const struct o2_app_reference endpoints_references[] = {
	{ "/metadata/name", NAME, "", "Service", "endpoints", FOLLOWS },
	{ .path = NULL },
};

static const struct o2_app_reference slice_references[] = {
	{ "/metadata/labels/kubernetes.io~1service-name", NAME, "", "Service", "endpoints",
	  FOLLOWS },
	{ .path = NULL },
};

static const struct o2_app_reference budget_references[] = {
	{ "/spec/selector", SELECTOR, "", NULL, "selector", FOLLOWS },
	{ .path = NULL },
};

static const struct o2_app_reference policy_references[] = {
	{ "/spec/podSelector", SELECTOR, "", NULL, "selector", FOLLOWS | QUIET },
	{ .path = NULL },
};

static const struct o2_app_reference scaler_references[] = {
	{ "/spec/scaleTargetRef", TYPED, "apps", NULL, "scaleTarget", FOLLOWS },
	{ .path = NULL },
};

static const struct o2_app_reference account_references[] = {
	{ "/secrets/*/name", NAME, "", "Secret", "secrets", PULLS },
	{ "/imagePullSecrets/*/name", NAME, "", "Secret", "imagePullSecret", PULLS },
	{ .path = NULL },
};

static const struct o2_app_reference secret_references[] = {
	{ "/metadata/annotations/kubernetes.io~1service-account.name", NAME, "", "ServiceAccount",
	  "token", PULLS },
	{ .path = NULL },
};

static const struct o2_app_reference binding_references[] = {
	{ "/roleRef", TYPED, RBAC, NULL, "roleRef", PULLS },
	{ "/subjects/*", TYPED, "", "ServiceAccount", "subject", FOLLOWS },
	{ .path = NULL },
};

static const struct o2_app_reference ingress_references[] = {
	{ "/spec/defaultBackend/service/name", NAME, "", "Service", "backend", FOLLOWS },
	{ "/spec/rules/*/http/paths/*/backend/service/name", NAME, "", "Service", "backend",
	  FOLLOWS },
	{ "/spec/tls/*/secretName", NAME, "", "Secret", "tls", PULLS },
	{ .path = NULL },
};

static const struct o2_app_reference route_references[] = {
	{ "/spec/to", TYPED, "", "Service", "backend", FOLLOWS },
	{ "/spec/alternateBackends/*", TYPED, "", "Service", "backend", FOLLOWS },
	{ .path = NULL },
};

static const struct o2_app_reference gateway_references[] = {
	{ "/spec/listeners/*/tls/certificateRefs/*", TYPED, "", "Secret", "tls", PULLS },
	{ .path = NULL },
};

static const struct o2_app_reference gateway_route_references[] = {
	{ "/spec/rules/*/backendRefs/*", TYPED, "", "Service", "backend", FOLLOWS },
	{ "/spec/rules/*/filters/*/requestMirror/backendRef", TYPED, "", "Service", "mirror", 0 },
	{ "/spec/parentRefs/*", TYPED, GATEWAY, "Gateway", "gateway", PULLS | QUIET },
	{ .path = NULL },
};

static const struct o2_app_reference webhook_references[] = {
	{ "/webhooks/*/clientConfig/service", NAMESPACED, "", "Service", "webhook", FOLLOWS },
	{ .path = NULL },
};

static const struct o2_app_reference api_references[] = {
	{ "/spec/service", NAMESPACED, "", "Service", "apiService", FOLLOWS },
	{ .path = NULL },
};

static const struct o2_app_reference definition_references[] = {
	{ "/spec/conversion/webhook/clientConfig/service", NAMESPACED, "", "Service", "conversion",
	  QUIET },
	{ .path = NULL },
};

/* ---- values that name namespaces, hosts, classes ---------------------------------------------------------------------- */

#define AFFINITY(kind) \
	"/spec/affinity/" kind "/requiredDuringSchedulingIgnoredDuringExecution/*/namespaces/*", \
		"/spec/affinity/" kind \
		"/preferredDuringSchedulingIgnoredDuringExecution/*/podAffinityTerm/namespaces/*"
#define AFFINITY_SELECTOR(kind) \
	"/spec/affinity/" kind \
	"/requiredDuringSchedulingIgnoredDuringExecution/*/namespaceSelector", \
		"/spec/affinity/" kind "/preferredDuringSchedulingIgnoredDuringExecution/*/" \
		"podAffinityTerm/namespaceSelector"

static const char *const pod_namespaces[] = { AFFINITY("podAffinity"), AFFINITY("podAntiAffinity"),
					      NULL };
static const char *const pod_namespace_selectors[] = { AFFINITY_SELECTOR("podAffinity"),
						       AFFINITY_SELECTOR("podAntiAffinity"), NULL };
static const struct o2_app_text pod_texts[] = {
	{ "/spec/containers/*/env/*/value", true }, { "/spec/containers/*/args/*", true },
	{ "/spec/containers/*/command/*", true },   { "/spec/initContainers/*/env/*/value", true },
	{ "/spec/initContainers/*/args/*", true },  { "/spec/initContainers/*/command/*", true },
	{ "/spec/dnsConfig/searches/*", false },    { .path = NULL },
};
static const char *const pod_classes[] = { "/spec/volumes/*/ephemeral/volumeClaimTemplate/spec",
					   NULL };
static const struct o2_app_text config_texts[] = { { "/data/*", true }, { .path = NULL } };
static const struct o2_app_text external_name_texts[] = { { "/spec/externalName", true },
							  { .path = NULL } };
static const struct o2_app_text annotation_texts[] = { { "/metadata/annotations/*", false },
						       { .path = NULL } };
static const struct o2_app_text subject_texts[] = { { "/subjects/*/name", false },
						    { .path = NULL } };
static const char *const subject_namespaces[] = { "/subjects/*/namespace", NULL };
static const char *const policy_namespace_selectors[] = {
	"/spec/ingress/*/from/*/namespaceSelector", "/spec/egress/*/to/*/namespaceSelector", NULL
};
static const char *const webhook_namespaces[] = { "/webhooks/*/clientConfig/service/namespace",
						  NULL };
static const char *const webhook_namespace_selectors[] = { "/webhooks/*/namespaceSelector", NULL };
static const char *const api_namespaces[] = { "/spec/service/namespace", NULL };
static const char *const definition_namespaces[] = {
	"/spec/conversion/webhook/clientConfig/service/namespace", NULL
};
static const char *const gateway_namespaces[] = {
	"/spec/parentRefs/*/namespace", "/spec/rules/*/backendRefs/*/namespace",
	"/spec/listeners/*/tls/certificateRefs/*/namespace", NULL
};
static const char *const claim_classes[] = { "/spec", NULL };
static const char *const template_classes[] = { "/spec/volumeClaimTemplates/*/spec", NULL };

const struct o2_app_rule o2_app_pod_rule = {
	.kind = "PodTemplate",
	.references = pod_references,
	.namespaces = pod_namespaces,
	.namespace_selectors = pod_namespace_selectors,
	.texts = pod_texts,
	.classes = pod_classes,
};

/* ---- rows ------------------------------------------------------------------------------------------------------------- */

#define WORKLOAD(g, k, start, ...) \
	{ \
		.group = g, .kind = k, .rank = RANK_WORKLOAD, .created = EARLY, .started = start, \
		.pod = "/spec/template", __VA_ARGS__ \
	}
#define SPEC_REPLICAS .replicas = "/spec/replicas", .default_replicas = 1
#define CONFIG(k, ...) \
	{ \
		.group = "", .kind = k, .rank = RANK_CONFIG, .created = EARLY, __VA_ARGS__ \
	}
#define ROUTE(g, k, ...) \
	{ \
		.group = g, .kind = k, .rank = RANK_WAY_IN, .created = LATE, __VA_ARGS__ \
	}
#define GATEWAY_ROUTE(k) \
	ROUTE(GATEWAY, k, .flags = O2_APP_CUSTOM, .references = gateway_route_references, \
	      .namespaces = gateway_namespaces)
#define UNSEEN(g, k) \
	{ \
		.group = g, .kind = k, .flags = O2_APP_UNLISTED \
	}
#define LEFT(g, k, why) \
	{ \
		.group = g, .kind = k, .leave = why \
	}
#define HOOK(k) \
	{ \
		.group = "admissionregistration.k8s.io", .kind = k, .rank = RANK_HOOK, \
		.created = LATE, .flags = O2_APP_REQUESTED | O2_APP_BOUND, \
		.references = webhook_references, .namespaces = webhook_namespaces, \
		.namespace_selectors = webhook_namespace_selectors \
	}

static const struct o2_app_rule rules[] = {
	WORKLOAD("apps", "Deployment", CLOSED, .disarm = o2_app_disarm_replicas, SPEC_REPLICAS),
	WORKLOAD("apps", "StatefulSet", CLOSED, .disarm = o2_app_disarm_replicas, SPEC_REPLICAS,
		 .clean = o2_app_clean_stateful_set, .references = stateful_set_references,
		 .classes = template_classes),
	WORKLOAD("apps", "DaemonSet", CLOSED, .disarm = o2_app_disarm_daemon_set,
		 .replicas = "/status/desiredNumberScheduled"),
	WORKLOAD("apps", "ReplicaSet", CLOSED, .disarm = o2_app_disarm_replicas, SPEC_REPLICAS,
		 .flags = O2_APP_MADE),
	WORKLOAD("", "ReplicationController", CLOSED, .disarm = o2_app_disarm_replicas,
		 SPEC_REPLICAS, .flags = O2_APP_MADE),
	WORKLOAD("apps.openshift.io", "DeploymentConfig", CLOSED, .disarm = o2_app_disarm_replicas,
		 SPEC_REPLICAS),
	WORKLOAD("batch", "Job", CLOSED, .disarm = o2_app_disarm_suspend, .leave = o2_app_leave_job,
		 .clean = o2_app_clean_job, .flags = O2_APP_MADE, .replicas = "/spec/parallelism",
		 .default_replicas = 1),
	{ .group = "batch",
	  .kind = "CronJob",
	  .rank = RANK_WORKLOAD,
	  .created = EARLY,
	  .started = OPEN,
	  .pod = "/spec/jobTemplate/spec/template",
	  .disarm = o2_app_disarm_suspend,
	  .clean = o2_app_clean_cron_job },
	{ .group = "",
	  .kind = "Pod",
	  .rank = RANK_LATE_OBJECT,
	  .created = LATE,
	  .pod = "",
	  .flags = O2_APP_MADE,
	  .replicas = "/spec/replicas",
	  .default_replicas = 1,
	  .leave = o2_app_leave_pod,
	  .clean = o2_app_clean_pod },

	CONFIG("ConfigMap", .leave = o2_app_leave_config_map, .texts = config_texts),
	CONFIG("Secret", .leave = o2_app_leave_secret, .clean = o2_app_clean_secret,
	       .references = secret_references, .texts = config_texts, .flags = O2_APP_ENCODED),
	CONFIG("PersistentVolumeClaim", .clean = o2_app_clean_claim, .classes = claim_classes,
	       .flags = O2_APP_KEEPS_OWNED),
	CONFIG("PodTemplate", .flags = O2_APP_RARE),
	CONFIG("Service", .started = OPEN, .leave = o2_app_leave_service,
	       .clean = o2_app_clean_service, .flags = O2_APP_ALLOTS,
	       .disarm = o2_app_disarm_service, .references = service_references,
	       .texts = external_name_texts),
	{ .group = "",
	  .kind = "Endpoints",
	  .rank = RANK_WORKLOAD,
	  .leave = o2_app_leave_endpoints,
	  .clean = o2_app_clean_endpoints,
	  .references = endpoints_references },
	{ .group = "discovery.k8s.io",
	  .kind = "EndpointSlice",
	  .rank = RANK_WORKLOAD,
	  .flags = O2_APP_MADE,
	  .leave = o2_app_leave_endpoint_slice,
	  .clean = o2_app_clean_endpoints,
	  .references = slice_references },
	{ .group = "policy",
	  .kind = "PodDisruptionBudget",
	  .rank = RANK_CONFIG,
	  .references = budget_references },
	{ .group = "networking.k8s.io",
	  .kind = "NetworkPolicy",
	  .rank = RANK_CONFIG,
	  .references = policy_references,
	  .namespace_selectors = policy_namespace_selectors },
	{ .group = "resource.k8s.io",
	  .kind = "ResourceClaimTemplate",
	  .rank = RANK_CONFIG,
	  .flags = O2_APP_RARE },

	{ .group = "",
	  .kind = "ServiceAccount",
	  .rank = RANK_ACCOUNT,
	  .leave = o2_app_leave_service_account,
	  .clean = o2_app_clean_service_account,
	  .references = account_references },
	{ .group = "", .kind = "LimitRange", .rank = RANK_ACCOUNT },
	{ .group = RBAC, .kind = "Role", .rank = RANK_CONFIG },
	{ .group = RBAC,
	  .kind = "RoleBinding",
	  .rank = RANK_BINDING,
	  .leave = o2_app_leave_role_binding,
	  .references = binding_references,
	  .namespaces = subject_namespaces,
	  .texts = subject_texts },
	{ .group = RBAC,
	  .kind = "ClusterRole",
	  .rank = RANK_CLUSTER,
	  .flags = O2_APP_REQUESTED,
	  .leave = o2_app_leave_cluster_role,
	  .clean = o2_app_clean_cluster_role },
	{ .group = RBAC,
	  .kind = "ClusterRoleBinding",
	  .rank = RANK_BINDING,
	  .flags = O2_APP_REQUESTED | O2_APP_BOUND,
	  .leave = o2_app_leave_cluster_role_binding,
	  .clean = o2_app_clean_cluster_role_binding,
	  .references = binding_references,
	  .namespaces = subject_namespaces,
	  .texts = subject_texts },
	{ .group = "scheduling.k8s.io",
	  .kind = "PriorityClass",
	  .rank = RANK_CLUSTER,
	  .flags = O2_APP_REQUESTED,
	  .leave = o2_app_leave_priority_class },
	{ .group = "apiextensions.k8s.io",
	  .kind = "CustomResourceDefinition",
	  .rank = RANK_CLUSTER,
	  .flags = O2_APP_REQUESTED,
	  .references = definition_references,
	  .namespaces = definition_namespaces },

	{ .group = "",
	  .kind = "ResourceQuota",
	  .rank = RANK_QUOTA,
	  .created = LATE,
	  .leave = o2_app_leave_quota },
	{ .group = "autoscaling",
	  .kind = "HorizontalPodAutoscaler",
	  .rank = RANK_SCALER,
	  .created = LATE,
	  .references = scaler_references },
	ROUTE("networking.k8s.io", "Ingress", .references = ingress_references,
	      .texts = annotation_texts),
	ROUTE("route.openshift.io", "Route", .references = route_references,
	      .clean = o2_app_clean_route),
	ROUTE(GATEWAY, "Gateway", .flags = O2_APP_CUSTOM, .references = gateway_references,
	      .namespaces = gateway_namespaces),
	GATEWAY_ROUTE("HTTPRoute"),
	GATEWAY_ROUTE("GRPCRoute"),
	GATEWAY_ROUTE("TLSRoute"),
	GATEWAY_ROUTE("TCPRoute"),
	GATEWAY_ROUTE("UDPRoute"),
	HOOK("ValidatingWebhookConfiguration"),
	HOOK("MutatingWebhookConfiguration"),
	{ .group = "apiregistration.k8s.io",
	  .kind = "APIService",
	  .rank = RANK_HOOK,
	  .created = LATE,
	  .flags = O2_APP_REQUESTED,
	  .leave = o2_app_leave_api_service,
	  .references = api_references,
	  .namespaces = api_namespaces },

	UNSEEN("", "Event"),
	UNSEEN("events.k8s.io", "Event"),
	UNSEEN("coordination.k8s.io", "Lease"),
	UNSEEN("coordination.k8s.io", "LeaseCandidate"),
	UNSEEN("apps", "ControllerRevision"),
	UNSEEN("storage.k8s.io", "CSIStorageCapacity"),
	UNSEEN("resource.k8s.io", "ResourceClaim"),
	UNSEEN("image.openshift.io", "ImageStreamTag"),
	UNSEEN("image.openshift.io", "ImageTag"),
	UNSEEN("template.openshift.io", "TemplateInstance"),
	UNSEEN("authorization.openshift.io", "RoleBindingRestriction"),
	LEFT("snapshot.storage.k8s.io", "VolumeSnapshot", o2_app_leave_snapshot),
	LEFT("build.openshift.io", "Build", o2_app_leave_built),
	LEFT("operators.coreos.com", "Subscription", o2_app_leave_operator),
	LEFT("operators.coreos.com", "InstallPlan", o2_app_leave_operator),
	LEFT("operators.coreos.com", "ClusterServiceVersion", o2_app_leave_operator),
	LEFT("operators.coreos.com", "CatalogSource", o2_app_leave_operator),
	LEFT("operators.coreos.com", "OperatorGroup", o2_app_leave_operator),
	LEFT("operators.coreos.com", "OperatorCondition", o2_app_leave_operator),
};

/* Custom resources of which nothing is known. Whoever watches them on B acts at once, so they come after the decision. */
static const struct o2_app_rule no_row = {
	.group = "",
	.kind = "",
	.rank = RANK_LATE_OBJECT,
	.created = LATE,
	.started = NEVER,
	.flags = O2_APP_CUSTOM,
};

/* ---- lookup ----------------------------------------------------------------------------------------------------------- */

const struct o2_app_rule *o2_app_rule_find(const char *group, const char *kind)
{
	for (size_t i = 0; i < O2_COUNT(rules); i++) {
		if (strcmp(rules[i].kind, kind) == 0 && strcmp(rules[i].group, group) == 0)
			return &rules[i];
	}
	return &no_row;
}

bool o2_app_rule_is_row(const struct o2_app_rule *rule)
{
	return rule != &no_row;
}

const char *o2_app_rule_current_group(const char *group, const char *kind)
{
	static const struct {
		const char *old_group, *kind, *group;
	} moved[] = {
		{ "extensions", "Ingress", "networking.k8s.io" },
		{ "extensions", "NetworkPolicy", "networking.k8s.io" },
		{ "extensions", "Deployment", "apps" },
		{ "extensions", "DaemonSet", "apps" },
		{ "extensions", "ReplicaSet", "apps" },
		{ "authorization.openshift.io", "Role", RBAC },
		{ "authorization.openshift.io", "RoleBinding", RBAC },
		{ "authorization.openshift.io", "ClusterRole", RBAC },
		{ "authorization.openshift.io", "ClusterRoleBinding", RBAC },
		{ "events.k8s.io", "Event", "" },
	};

	for (size_t i = 0; i < O2_COUNT(moved); i++) {
		if (strcmp(moved[i].kind, kind) == 0 && strcmp(moved[i].old_group, group) == 0)
			return moved[i].group;
	}
	return NULL;
}

/* ---- what others ask -------------------------------------------------------------------------------------------------- */

bool o2_app_is_workload(const struct o2_kube_kind *kind)
{
	return o2_app_rule_find(kind->group, kind->kind)->pod;
}

struct o2_doc *o2_app_pod_template(struct o2_doc *object)
{
	const char *api_version = o2_doc_member_str(object, "apiVersion", "");
	const char *slash = strchr(api_version, '/');
	O2_AUTO(o2_freep)
	char *group =
		slash ? o2_xstrndup(api_version, (size_t)(slash - api_version)) : o2_xstrdup("");
	const struct o2_app_rule *rule =
		o2_app_rule_find(group, o2_doc_member_str(object, "kind", ""));

	return rule->pod ? o2_doc_at(object, rule->pod) : NULL;
}
