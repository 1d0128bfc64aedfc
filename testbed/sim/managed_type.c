/*
 * How the fields of the built-in kinds are owned: which lists have keys, which are sets, which values are owned as a whole.
 *
 * Only what differs from the rule is in the tables: a map is owned member by member, a list as a whole. They are what the server's
 * schema says (client-go v0.34 applyconfigurations/internal), with what its Go types add: a struct held by value is never absent.
 */
#include <string.h>

#include "base/alloc.h"
#include "managed_internal.h"

#define STRUCT(name_, type_) \
	{ \
		.name = name_, .type = type_ \
	}
#define VALUE(name_, type_) \
	{ \
		.name = name_, .type = type_, .never_absent = true \
	}
#define ZERO(name_) \
	{ \
		.name = name_, .never_absent = true, .is_number = true \
	}
#define ATOMIC(name_) \
	{ \
		.name = name_, .how = SIM_ATOMIC \
	}
#define SET(name_) \
	{ \
		.name = name_, .how = SIM_VALUES \
	}
#define KEYED(name_, keys_, type_) \
	{ \
		.name = name_, .how = SIM_KEYED, .keys = keys_, .type = type_ \
	}
#define WHOLES(name_, keys_) \
	{ \
		.name = name_, .how = SIM_KEYED, .keys = keys_, .is_of_wholes = true \
	}
#define CONTAINERS(name_, keys_, type_) \
	{ \
		.name = name_, .how = SIM_KEYED, .keys = keys_, .type = type_, \
		.never_absent = true \
	}
#define UNOWNED(name_) \
	{ \
		.name = name_, .how = SIM_UNOWNED \
	}
#define TYPE(name_, ...) \
	static const struct sim_field name_##_fields[] = { __VA_ARGS__ }; \
	static const struct sim_type name_ = { name_##_fields, O2_COUNT(name_##_fields) }

TYPE(object_meta, SET("finalizers"), WHOLES("ownerReferences", "uid"), UNOWNED("name"),
     UNOWNED("namespace"), UNOWNED("creationTimestamp"), UNOWNED("selfLink"), UNOWNED("uid"),
     UNOWNED("clusterName"), UNOWNED("generation"), UNOWNED("managedFields"),
     UNOWNED("resourceVersion"));
TYPE(conditions, KEYED("conditions", "type", NULL));
TYPE(namespace, VALUE("metadata", &object_meta), VALUE("spec", NULL), VALUE("status", &conditions));
TYPE(node_spec, SET("podCIDRs"));
TYPE(node_daemon_endpoints, VALUE("kubeletEndpoint", NULL));
TYPE(node_status, KEYED("addresses", "type", NULL), KEYED("conditions", "type", NULL),
     VALUE("daemonEndpoints", &node_daemon_endpoints), VALUE("nodeInfo", NULL));
TYPE(node, VALUE("metadata", &object_meta), VALUE("spec", &node_spec),
     VALUE("status", &node_status));
TYPE(node_affinity, ATOMIC("requiredDuringSchedulingIgnoredDuringExecution"));
TYPE(affinity, STRUCT("nodeAffinity", &node_affinity));
TYPE(env_var_source, ATOMIC("configMapKeyRef"), ATOMIC("fieldRef"), ATOMIC("fileKeyRef"),
     ATOMIC("resourceFieldRef"), ATOMIC("secretKeyRef"));
TYPE(env_var, STRUCT("valueFrom", &env_var_source));
TYPE(resource_requirements, KEYED("claims", "name", NULL));
TYPE(container, KEYED("env", "name", &env_var), KEYED("ports", "containerPort,protocol", NULL),
     VALUE("resources", &resource_requirements), KEYED("volumeDevices", "devicePath", NULL),
     KEYED("volumeMounts", "mountPath", NULL));
TYPE(topology_spread_constraint, ATOMIC("labelSelector"));
TYPE(secret_source, ATOMIC("secretRef"));
TYPE(csi_volume_source, ATOMIC("nodePublishSecretRef"));
TYPE(persistent_volume_claim_spec, ATOMIC("dataSource"), VALUE("resources", NULL),
     ATOMIC("selector"));
TYPE(persistent_volume_claim_template, VALUE("metadata", &object_meta),
     VALUE("spec", &persistent_volume_claim_spec));
TYPE(ephemeral_volume_source, STRUCT("volumeClaimTemplate", &persistent_volume_claim_template));
TYPE(volume, STRUCT("cephfs", &secret_source), STRUCT("cinder", &secret_source),
     STRUCT("csi", &csi_volume_source), STRUCT("ephemeral", &ephemeral_volume_source),
     STRUCT("flexVolume", &secret_source), STRUCT("iscsi", &secret_source),
     STRUCT("rbd", &secret_source), STRUCT("scaleIO", &secret_source),
     STRUCT("storageos", &secret_source));
TYPE(pod_spec, STRUCT("affinity", &affinity), CONTAINERS("containers", "name", &container),
     KEYED("ephemeralContainers", "name", &container), KEYED("hostAliases", "ip", NULL),
     WHOLES("imagePullSecrets", "name"), KEYED("initContainers", "name", &container),
     ATOMIC("nodeSelector"), KEYED("resourceClaims", "name", NULL),
     STRUCT("resources", &resource_requirements), KEYED("schedulingGates", "name", NULL),
     KEYED("topologySpreadConstraints", "topologyKey,whenUnsatisfiable",
	   &topology_spread_constraint),
     KEYED("volumes", "name", &volume));
TYPE(pod_status, KEYED("conditions", "type", NULL), KEYED("podIPs", "ip", NULL),
     KEYED("resourceClaimStatuses", "name", NULL));
TYPE(pod, VALUE("metadata", &object_meta), VALUE("spec", &pod_spec), VALUE("status", &pod_status));
TYPE(service_spec, KEYED("ports", "port,protocol", NULL), ATOMIC("selector"));
TYPE(service_status, KEYED("conditions", "type", NULL), VALUE("loadBalancer", NULL));
TYPE(service, VALUE("metadata", &object_meta), VALUE("spec", &service_spec),
     VALUE("status", &service_status));
TYPE(bare, VALUE("metadata", &object_meta));
TYPE(service_account, VALUE("metadata", &object_meta), WHOLES("secrets", "name"));
TYPE(persistent_volume_claim, VALUE("metadata", &object_meta),
     VALUE("spec", &persistent_volume_claim_spec), VALUE("status", &conditions));
TYPE(csi_persistent_volume_source, ATOMIC("controllerExpandSecretRef"),
     ATOMIC("controllerPublishSecretRef"), ATOMIC("nodeExpandSecretRef"),
     ATOMIC("nodePublishSecretRef"), ATOMIC("nodeStageSecretRef"));
TYPE(volume_node_affinity, ATOMIC("required"));
TYPE(persistent_volume_spec, STRUCT("cephfs", &secret_source), STRUCT("cinder", &secret_source),
     ATOMIC("claimRef"), STRUCT("csi", &csi_persistent_volume_source),
     STRUCT("flexVolume", &secret_source), STRUCT("iscsi", &secret_source),
     STRUCT("nodeAffinity", &volume_node_affinity), STRUCT("rbd", &secret_source),
     STRUCT("scaleIO", &secret_source), STRUCT("storageos", &secret_source));
TYPE(persistent_volume, VALUE("metadata", &object_meta), VALUE("spec", &persistent_volume_spec),
     VALUE("status", NULL));
TYPE(resource_quota_spec, ATOMIC("scopeSelector"));
TYPE(resource_quota, VALUE("metadata", &object_meta), VALUE("spec", &resource_quota_spec),
     VALUE("status", NULL));
TYPE(bare_spec, VALUE("metadata", &object_meta), VALUE("spec", NULL));
TYPE(event, ATOMIC("involvedObject"), VALUE("metadata", &object_meta), ATOMIC("related"),
     VALUE("source", NULL));
TYPE(pod_template_spec, VALUE("metadata", &object_meta), VALUE("spec", &pod_spec));
TYPE(deployment_spec, ATOMIC("selector"), VALUE("strategy", NULL),
     VALUE("template", &pod_template_spec));
TYPE(deployment, VALUE("metadata", &object_meta), VALUE("spec", &deployment_spec),
     VALUE("status", &conditions));
TYPE(replica_set_spec, ATOMIC("selector"), VALUE("template", &pod_template_spec));
TYPE(replica_set_status, KEYED("conditions", "type", NULL), ZERO("replicas"));
TYPE(replica_set, VALUE("metadata", &object_meta), VALUE("spec", &replica_set_spec),
     VALUE("status", &replica_set_status));
TYPE(stateful_set_spec, ATOMIC("selector"), VALUE("template", &pod_template_spec),
     VALUE("updateStrategy", NULL));
TYPE(stateful_set_status, ZERO("availableReplicas"), KEYED("conditions", "type", NULL),
     ZERO("replicas"));
TYPE(stateful_set, VALUE("metadata", &object_meta), VALUE("spec", &stateful_set_spec),
     VALUE("status", &stateful_set_status));
TYPE(daemon_set_status, KEYED("conditions", "type", NULL), ZERO("currentNumberScheduled"),
     ZERO("desiredNumberScheduled"), ZERO("numberMisscheduled"), ZERO("numberReady"));
TYPE(daemon_set, VALUE("metadata", &object_meta), VALUE("spec", &stateful_set_spec),
     VALUE("status", &daemon_set_status));
TYPE(controller_revision, ATOMIC("data"), VALUE("metadata", &object_meta));
TYPE(uncounted_terminated_pods, SET("failed"), SET("succeeded"));
TYPE(job_status, STRUCT("uncountedTerminatedPods", &uncounted_terminated_pods));
TYPE(job, VALUE("metadata", &object_meta), VALUE("spec", &replica_set_spec),
     VALUE("status", &job_status));
TYPE(job_template_spec, VALUE("metadata", &object_meta), VALUE("spec", &replica_set_spec));
TYPE(cron_job_spec, VALUE("jobTemplate", &job_template_spec));
TYPE(cron_job, VALUE("metadata", &object_meta), VALUE("spec", &cron_job_spec),
     VALUE("status", NULL));
TYPE(horizontal_pod_autoscaler_spec, VALUE("scaleTargetRef", NULL));
TYPE(horizontal_pod_autoscaler_status, KEYED("conditions", "type", NULL), ZERO("desiredReplicas"));
TYPE(horizontal_pod_autoscaler, VALUE("metadata", &object_meta),
     VALUE("spec", &horizontal_pod_autoscaler_spec),
     VALUE("status", &horizontal_pod_autoscaler_status));
TYPE(pod_disruption_budget_spec, ATOMIC("selector"));
TYPE(pod_disruption_budget_status, KEYED("conditions", "type", NULL), ZERO("currentHealthy"),
     ZERO("desiredHealthy"), ZERO("disruptionsAllowed"), ZERO("expectedPods"));
TYPE(pod_disruption_budget, VALUE("metadata", &object_meta),
     VALUE("spec", &pod_disruption_budget_spec), VALUE("status", &pod_disruption_budget_status));
TYPE(ingress_service_backend, ATOMIC("port"));
TYPE(ingress_backend, ATOMIC("resource"), STRUCT("service", &ingress_service_backend));
TYPE(ingress_spec, STRUCT("defaultBackend", &ingress_backend));
TYPE(ingress_status, VALUE("loadBalancer", NULL));
TYPE(ingress, VALUE("metadata", &object_meta), VALUE("spec", &ingress_spec),
     VALUE("status", &ingress_status));
TYPE(network_policy_spec, ATOMIC("podSelector"));
TYPE(network_policy, VALUE("metadata", &object_meta), VALUE("spec", &network_policy_spec));
TYPE(role_binding, VALUE("metadata", &object_meta), ATOMIC("roleRef"));
TYPE(webhook, VALUE("clientConfig", NULL), KEYED("matchConditions", "name", NULL),
     ATOMIC("namespaceSelector"), ATOMIC("objectSelector"));
TYPE(webhook_configuration, VALUE("metadata", &object_meta), KEYED("webhooks", "name", &webhook));
TYPE(definition_spec, VALUE("names", NULL));
TYPE(definition, VALUE("metadata", &object_meta), VALUE("spec", &definition_spec),
     VALUE("status", &conditions));
TYPE(api_service, VALUE("metadata", &object_meta), VALUE("spec", NULL),
     VALUE("status", &conditions));
TYPE(custom, STRUCT("metadata", &object_meta));

static const struct {
	const char *group;
	const char *kind;
	const struct sim_type *type;
} roots[] = {
	{ "", "Namespace", &namespace },
	{ "", "Node", &node },
	{ "", "Pod", &pod },
	{ "", "Service", &service },
	{ "", "Endpoints", &bare },
	{ "", "ConfigMap", &bare },
	{ "", "Secret", &bare },
	{ "", "ServiceAccount", &service_account },
	{ "", "PersistentVolumeClaim", &persistent_volume_claim },
	{ "", "PersistentVolume", &persistent_volume },
	{ "", "ResourceQuota", &resource_quota },
	{ "", "LimitRange", &bare_spec },
	{ "", "Event", &event },
	{ "apps", "Deployment", &deployment },
	{ "apps", "ReplicaSet", &replica_set },
	{ "apps", "StatefulSet", &stateful_set },
	{ "apps", "DaemonSet", &daemon_set },
	{ "apps", "ControllerRevision", &controller_revision },
	{ "batch", "Job", &job },
	{ "batch", "CronJob", &cron_job },
	{ "autoscaling", "HorizontalPodAutoscaler", &horizontal_pod_autoscaler },
	{ "policy", "PodDisruptionBudget", &pod_disruption_budget },
	{ "networking.k8s.io", "Ingress", &ingress },
	{ "networking.k8s.io", "IngressClass", &bare_spec },
	{ "networking.k8s.io", "NetworkPolicy", &network_policy },
	{ "discovery.k8s.io", "EndpointSlice", &bare },
	{ "rbac.authorization.k8s.io", "Role", &bare },
	{ "rbac.authorization.k8s.io", "RoleBinding", &role_binding },
	{ "rbac.authorization.k8s.io", "ClusterRole", &bare },
	{ "rbac.authorization.k8s.io", "ClusterRoleBinding", &role_binding },
	{ "storage.k8s.io", "StorageClass", &bare },
	{ "scheduling.k8s.io", "PriorityClass", &bare },
	{ "coordination.k8s.io", "Lease", &bare_spec },
	{ "admissionregistration.k8s.io", "ValidatingWebhookConfiguration",
	  &webhook_configuration },
	{ "admissionregistration.k8s.io", "MutatingWebhookConfiguration", &webhook_configuration },
	{ "apiextensions.k8s.io", "CustomResourceDefinition", &definition },
	{ "apiregistration.k8s.io", "APIService", &api_service },
};

/* Is `api_version` of the group ("" for the core group)? */
bool sim_type_is_group(const char *api_version, const char *group)
{
	size_t len = strlen(group);

	return len == 0 ? strchr(api_version, '/') == NULL
			: strncmp(api_version, group, len) == 0 && api_version[len] == '/';
}

const struct sim_type *sim_type_of(const struct o2_doc *object, bool *out_built_in)
{
	const char *api_version = o2_doc_member_str(object, "apiVersion", "");
	const char *kind = o2_doc_member_str(object, "kind", "");

	for (size_t i = 0; i < O2_COUNT(roots); i++) {
		if (strcmp(roots[i].kind, kind) == 0 &&
		    sim_type_is_group(api_version, roots[i].group)) {
			*out_built_in = true;
			return roots[i].type;
		}
	}
	*out_built_in = false;
	return &custom;
}

const struct sim_field *sim_type_field(const struct sim_type *type, const char *name)
{
	static const struct sim_field plain = { .how = SIM_GRANULAR };

	for (size_t i = 0; type && i < type->count; i++) {
		const char *other = type->fields[i].name;

		if (other[0] == name[0] && strcmp(other, name) == 0)
			return &type->fields[i];
	}
	return &plain;
}
