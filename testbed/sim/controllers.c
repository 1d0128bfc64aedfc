/* Which controller a kind has, what a change wakes, and what a new cluster begins with. */
#include "controllers_internal.h"

struct sim_known sim_known;

/* `see` is told of every change at once, and only queues; `look` comes later. */
static const struct row {
	const struct sim_kind **kind;
	void (*look)(struct sim_object *object);
	void (*see)(struct sim_object *object, enum sim_change change);
} rows[] = {
	{ &sim_known.pod, sim_pod_look, sim_pod_see },
	{ &sim_known.replica_set, sim_replica_set_look, NULL },
	{ &sim_known.deployment, sim_deployment_look, NULL },
	{ &sim_known.stateful_set, sim_stateful_set_look, NULL },
	{ &sim_known.daemon_set, sim_daemon_set_look, NULL },
	{ &sim_known.job, sim_job_look, NULL },
	{ &sim_known.cron_job, sim_cron_job_look, NULL },
	{ &sim_known.claim, sim_claim_look, sim_claim_see },
	{ &sim_known.volume, sim_volume_look, sim_volume_see },
	{ &sim_known.namespace, sim_namespace_look, NULL },
	{ &sim_known.quota, sim_quota_look, NULL },
};

static const struct row *row_of(const struct sim_object *object)
{
	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		if (*rows[i].kind == object->kind)
			return &rows[i];
	}
	return NULL;
}

void sim_look(struct sim_object *object)
{
	const struct row *row = row_of(object);

	/* A pod's node may still have it when the object is gone. */
	if (row && (!object->gone || object->kind == sim_known.pod))
		row->look(object);
}

bool sim_has_controller(const struct sim_object *object)
{
	return row_of(object) != NULL;
}

/* --- what a change wakes --- */

/* What counts objects of its namespace counts again. */
static void see_quotas(const struct sim_object *object, enum sim_change change)
{
	if (object->kind->namespaced && object->kind != sim_known.quota &&
	    (change != SIM_MODIFIED ||
	     (object->kind == sim_known.pod && sim_pod_has_ended(object))))
		sim_queue_all(object->cluster, sim_known.quota, object->ns);
}

/* A namespace that ends waits for its last object; one that lives gets back what belongs to it. */
static void see_space(const struct sim_object *object)
{
	struct sim_object *space =
		object->kind->namespaced
			? sim_find(object->cluster, sim_known.namespace, NULL, object->ns)
			: NULL;

	if (space && (sim_is_deleting(space) || object->kind == sim_known.account ||
		      object->kind == sim_known.config_map))
		sim_queue(space);
}

static void see_source(const struct sim_object *object, enum sim_change change)
{
	if (change == SIM_ADDED &&
	    (object->kind == sim_known.config_map || object->kind == sim_known.secret))
		sim_wake_waiting(object->cluster, object->ns);
	if (object->kind == sim_known.node) {
		sim_queue_all(object->cluster, sim_known.daemon_set, NULL);
		sim_wake_waiting(object->cluster, NULL);
	}
	if (change == SIM_ADDED && object->kind == sim_known.class)
		sim_queue_all(object->cluster, sim_known.claim, NULL);
	if (change != SIM_DELETED && object->kind == sim_known.replica_set &&
	    !sim_controller_reference(object))
		sim_queue_adopters(object);
}

/* What a controller does to its own object is no news to it, unless that object is to go. */
static void see_itself(struct sim_object *object, const struct row *row, enum sim_change change)
{
	if (change != SIM_DELETED && (!sim_is_looking(object) || sim_is_deleting(object))) {
		sim_wake(object);
		sim_queue(object);
	}
	if (row->see)
		row->see(object, change);
}

void sim_controllers_see(struct sim_object *object, enum sim_change change)
{
	const struct row *row = row_of(object);
	struct sim_object *owner = sim_controller_of(object);

	sim_collector_see(object, change);
	if (row)
		see_itself(object, row, change);
	if (owner && (change == SIM_DELETED || !sim_is_looking(owner)))
		sim_queue(owner);
	/* A Deployment that recreates waits until the pods of its ReplicaSets are gone. */
	if (owner && change == SIM_DELETED && object->kind == sim_known.pod &&
	    sim_controller_of(owner))
		sim_queue(sim_controller_of(owner));
	see_quotas(object, change);
	see_source(object, change);
	if (change == SIM_DELETED)
		see_space(object);
}

/* --- a new cluster --- */

static void know_kinds(void)
{
	sim_known = (struct sim_known){
		.namespace = sim_kind("", "Namespace"),
		.node = sim_kind("", "Node"),
		.pod = sim_kind("", "Pod"),
		.config_map = sim_kind("", "ConfigMap"),
		.secret = sim_kind("", "Secret"),
		.account = sim_kind("", "ServiceAccount"),
		.claim = sim_kind("", "PersistentVolumeClaim"),
		.volume = sim_kind("", "PersistentVolume"),
		.quota = sim_kind("", "ResourceQuota"),
		.deployment = sim_kind("apps", "Deployment"),
		.replica_set = sim_kind("apps", "ReplicaSet"),
		.stateful_set = sim_kind("apps", "StatefulSet"),
		.daemon_set = sim_kind("apps", "DaemonSet"),
		.revision = sim_kind("apps", "ControllerRevision"),
		.job = sim_kind("batch", "Job"),
		.cron_job = sim_kind("batch", "CronJob"),
		.class = sim_kind("storage.k8s.io", "StorageClass"),
	};
}

static void make_class(struct sim_cluster *cluster)
{
	struct o2_doc *class = sim_object_doc(sim_known.class, NULL, "local-path");

	o2_doc_put_str(class, "/metadata/annotations/storageclass.kubernetes.io~1is-default-class",
		       "true");
	o2_doc_put_str(class, "/provisioner", "rancher.io/local-path");
	o2_doc_put_str(class, "/reclaimPolicy", "Delete");
	o2_doc_put_str(class, "/volumeBindingMode", "WaitForFirstConsumer");
	sim_create(cluster, class, "kubectl", NULL);
}

void sim_controllers_begin(struct sim_cluster *cluster)
{
	static const char *const spaces[] = { "default", "kube-system", "kube-public",
					      "kube-node-lease" };

	know_kinds();
	for (size_t i = 0; i < O2_COUNT(spaces); i++)
		sim_create(cluster, sim_object_doc(sim_known.namespace, NULL, spaces[i]),
			   "kube-apiserver", NULL);
	sim_make_nodes(cluster);
	make_class(cluster);
}
