/* Pods, volumes, owners, namespaces, quotas on the real store: what a cluster makes of them. */
#include "controllers_test.h"

#define POD(name, annotations, spec) \
	"apiVersion: v1\n" \
	"kind: Pod\n" \
	"metadata: {name: " name ", namespace: shop, annotations: {" annotations "}}\n" \
	"spec:\n" \
	"  " spec "\n" \
	"  containers: [{name: c, image: 'c:1', command: [/os2os/loader, hold], " \
	"volumeMounts: [{name: data, mountPath: /data}]}]\n"
#define CLAIM(name, class) \
	"apiVersion: v1\n" \
	"kind: PersistentVolumeClaim\n" \
	"metadata: {name: " name ", namespace: shop}\n" \
	"spec: {" class "accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
#define MOUNTS "volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]"
#define CONFIG(name, owners) \
	"apiVersion: v1\n" \
	"kind: ConfigMap\n" \
	"metadata: {name: " name ", namespace: shop" owners "}\n" \
	"data: {a: b}\n"

static const char *waiting_for(const struct sim_object *object)
{
	return o2_doc_str(object->doc, "/status/containerStatuses/0/state/waiting/reason", "");
}

static void cluster_has_what_a_new_one_has(void **state)
{
	struct sim_cluster *a = begin();

	(void)state;
	pass(1 * SIM_S);
	assert_int_equal(count(a, "", "Node"), 2);
	assert_int_equal(count(a, "storage.k8s.io", "StorageClass"), 1);
	assert_non_null(find(a, "", "ServiceAccount", "default"));
	assert_non_null(find(a, "", "ConfigMap", "kube-root-ca.crt"));
	sim_delete(find(a, "", "ConfigMap", "kube-root-ca.crt"), SIM_BACKGROUND);
	pass(1 * SIM_S);
	assert_non_null(find(a, "", "ConfigMap", "kube-root-ca.crt"));
}

/* --- pods --- */

static void pod_lives_and_ends(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(
		a, POD("web", "sim/start-ms: '2000', sim/ready-ms: '3000', sim/stop-ms: '4000'",
		       "terminationGracePeriodSeconds: 10"));

	(void)state;
	pass(1 * SIM_S);
	assert_string_equal(phase(web), "Pending");
	assert_string_equal(waiting_for(web), "ContainerCreating");
	assert_false(sim_pod_runs(web));
	pass(2 * SIM_S);
	assert_string_equal(phase(web), "Running");
	assert_true(sim_pod_runs(web));
	assert_false(sim_pod_is_ready(web));
	pass(3 * SIM_S);
	assert_true(sim_pod_is_ready(web));
	assert_true(o2_doc_bool(web->doc, "/status/containerStatuses/0/ready", false));
	sim_delete(web, SIM_BACKGROUND);
	pass(3500 * SIM_MS);
	assert_false(web->gone);
	assert_true(sim_pod_runs(web));
	pass(1 * SIM_S);
	assert_true(web->gone);
	assert_false(sim_pod_runs(web));
}

static void sticky_pod_takes_its_grace_period(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web =
		make(a, POD("web", "sim/sticky: 'true'", "terminationGracePeriodSeconds: 10"));

	(void)state;
	pass(5 * SIM_S);
	sim_delete(web, SIM_BACKGROUND);
	pass(9 * SIM_S);
	assert_true(sim_pod_runs(web));
	pass(2 * SIM_S);
	assert_true(web->gone);
}

static void forced_pod_goes_at_once(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, POD("web", "", "restartPolicy: Always"));

	(void)state;
	pass(5 * SIM_S);
	sim_delete_in(web, SIM_BACKGROUND, 0);
	assert_true(web->gone);
	assert_false(sim_pod_runs(web));
}

static void pod_never_becomes_ready_where_it_is_said(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *here = make(a, POD("here", "sim/never-ready: 'A'", "hostname: x"));
	struct sim_object *there = make(a, POD("there", "sim/never-ready: 'B'", "hostname: x"));

	(void)state;
	pass(20 * SIM_S);
	assert_true(sim_pod_runs(here));
	assert_false(sim_pod_is_ready(here));
	assert_true(sim_pod_is_ready(there));
}

static void pod_waits_for_what_it_mounts(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web =
		make(a, POD("web", "",
			    "volumes: [{name: a, projected: {sources: [{configMap: {name: early}}, "
			    "{secret: {name: may, optional: true}}]}}, "
			    "{name: b, secret: {secretName: late}}]"));

	(void)state;
	make(a, CONFIG("early", ""));
	pass(10 * SIM_S);
	assert_string_equal(waiting_for(web), "ContainerCreating");
	make(a, "apiVersion: v1\nkind: Secret\nmetadata: {name: late, namespace: shop}\n");
	pass(3 * SIM_S);
	assert_true(sim_pod_is_ready(web));
}

static void pod_ends_at_its_deadline(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, POD("web", "", "activeDeadlineSeconds: 10"));

	(void)state;
	pass(9 * SIM_S);
	assert_true(sim_pod_runs(web));
	pass(2 * SIM_S);
	assert_false(sim_pod_runs(web));
	assert_string_equal(phase(web), "Failed");
	assert_string_equal(o2_doc_str(web->doc, "/status/reason", ""), "DeadlineExceeded");
}

static void exits_are_restarted(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, POD("web", "", "restartPolicy: Always"));
	struct sim_object *once = make(a, POD("once", "", "restartPolicy: Never"));

	(void)state;
	pass(5 * SIM_S);
	sim_pod_exit(web, 1);
	sim_pod_exit(once, 0);
	pass(3 * SIM_S);
	assert_string_equal(phase(once), "Succeeded");
	assert_true(sim_pod_runs(web));
	sim_pod_exit(web, 1);
	pass(3 * SIM_S);
	assert_false(sim_pod_runs(web));
	assert_string_equal(waiting_for(web), "CrashLoopBackOff");
	assert_int_equal(o2_doc_int(web->doc,
				    "/status/containerStatuses/0/lastState/terminated/exitCode", 0),
			 1);
	pass(10 * SIM_S);
	assert_true(sim_pod_is_ready(web));
	assert_int_equal(o2_doc_int(web->doc, "/status/containerStatuses/0/restartCount", 0), 2);
}

static int starts, stops;

static void start_program(struct sim_object *object)
{
	(void)object;
	starts++;
}

static void stop_program(struct sim_object *object)
{
	(void)object;
	stops++;
}

static void programs_are_started_and_stopped(void **state)
{
	static const struct sim_program program = { .verb = "hold",
						    .start = start_program,
						    .stop = stop_program };
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, POD("web", "", "restartPolicy: Never"));
	struct sim_object *other = make(a, POD("other", "", "restartPolicy: Never"));

	(void)state;
	sim_kubelet_add_program(&program);
	pass(5 * SIM_S);
	assert_int_equal(starts, 2);
	sim_delete(web, SIM_BACKGROUND);
	sim_pod_exit(other, 0);
	pass(2 * SIM_S);
	/* What ends by itself knows that. */
	assert_int_equal(stops, 1);
}

static void pod_goes_where_it_may(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *pinned = make(
		a, POD("pinned", "",
		       "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
		       "{nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, "
		       "values: [a-2]}]}]}}}"));
	struct sim_object *nowhere =
		make(a, POD("nowhere", "", "nodeSelector: {os2os.io/not-started: 'true'}"));

	(void)state;
	pass(5 * SIM_S);
	assert_string_equal(o2_doc_str(pinned->doc, "/spec/nodeName", ""), "a-2");
	assert_string_equal(phase(nowhere), "Pending");
	assert_string_equal(o2_doc_str(sim_condition(nowhere->doc, "PodScheduled"), "/reason", ""),
			    "Unschedulable");
	sim_delete(nowhere, SIM_BACKGROUND);
	assert_true(nowhere->gone);
}

static void count_process(struct sim_object *object, void *arg)
{
	(void)object;
	++*(int *)arg;
}

static int processes(struct sim_cluster *cluster)
{
	int number = 0;

	sim_each_process(cluster, count_process, &number);
	return number;
}

static void lost_node_keeps_its_pods(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, POD("web", "", "nodeName: a-1"));
	struct sim_object *forced = make(a, POD("forced", "", "nodeName: a-1"));
	struct sim_object *node = sim_find(a, sim_known.node, NULL, "a-1");

	(void)state;
	pass(5 * SIM_S);
	sim_node_lose(a, "a-1", true);
	sim_delete_in(forced, SIM_BACKGROUND, 0);
	pass(60 * SIM_S);
	assert_false(sim_is_true(node->doc, "Ready"));
	assert_false(sim_pod_is_ready(web));
	assert_true(forced->gone);
	assert_int_equal(processes(a), 2);
	pass(300 * SIM_S);
	assert_true(sim_is_deleting(web));
	assert_int_equal(processes(a), 2);
	sim_node_lose(a, "a-1", false);
	pass(3 * SIM_S);
	assert_int_equal(processes(a), 0);
	assert_true(web->gone);
	assert_true(sim_is_true(node->doc, "Ready"));
}

static void node_that_comes_back_tells_how_its_pods_are(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, POD("web", "", "nodeName: a-1"));

	(void)state;
	pass(5 * SIM_S);
	sim_node_lose(a, "a-1", true);
	pass(60 * SIM_S);
	assert_false(sim_pod_is_ready(web));
	sim_node_lose(a, "a-1", false);
	pass(1 * SIM_S);
	assert_true(sim_pod_is_ready(web));
	assert_null(o2_doc_at(sim_find(a, sim_known.node, NULL, "a-1")->doc, "/spec"));
	pass(600 * SIM_S);
	assert_true(sim_pod_is_ready(web));
}

/* --- volumes --- */

static void claim_is_bound_by_its_first_pod(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *claim = make(a, CLAIM("data", ""));

	(void)state;
	pass(5 * SIM_S);
	assert_string_equal(phase(claim), "Pending");
	assert_null(sim_claim_volume(a, "shop", "data"));
	struct sim_object *web = make(a, POD("web", "", MOUNTS));
	pass(5 * SIM_S);
	assert_true(sim_pod_is_ready(web));
	assert_string_equal(phase(claim), "Bound");
	struct sim_object *volume =
		sim_find(a, sim_known.volume, NULL, o2_doc_str(claim->doc, "/spec/volumeName", ""));
	assert_non_null(volume);
	assert_string_equal(o2_doc_str(volume->doc, "/spec/claimRef/uid", ""), sim_uid(claim));
	assert_string_equal(phase(volume), "Bound");
	assert_string_equal(o2_doc_str(volume->doc, "/spec/persistentVolumeReclaimPolicy", ""),
			    "Delete");
	/* Another pod of the claim goes where the volume is. */
	struct sim_object *other = make(a, POD("other", "", MOUNTS));
	pass(5 * SIM_S);
	assert_string_equal(o2_doc_str(other->doc, "/spec/nodeName", "none"),
			    o2_doc_str(web->doc, "/spec/nodeName", ""));
}

static void claim_of_an_immediate_class_is_bound_at_once(void **state)
{
	struct sim_cluster *a = begin();

	(void)state;
	make(a, "apiVersion: storage.k8s.io/v1\n"
		"kind: StorageClass\n"
		"metadata: {name: net}\n"
		"provisioner: net.example\n"
		"reclaimPolicy: Retain\n"
		"volumeBindingMode: Immediate\n");
	struct sim_object *claim = make(a, CLAIM("data", "storageClassName: net, "));
	pass(2 * SIM_S);
	assert_string_equal(phase(claim), "Bound");
	sim_delete(claim, SIM_BACKGROUND);
	pass(2 * SIM_S);
	assert_true(claim->gone);
	assert_int_equal(count(a, "", "PersistentVolume"), 1);
	struct sim_object *volume = sim_first(a, sim_known.volume);
	assert_string_equal(phase(volume), "Released");
	/* It is given to another claim by hand. */
	sim_volume_of(volume)->rows = 7;
	patch(volume, "spec: {claimRef: {uid: null, name: again}}");
	make(a, CLAIM("again", "storageClassName: net, "));
	pass(2 * SIM_S);
	assert_int_equal(sim_claim_volume(a, "shop", "again")->rows, 7);
}

static void volume_goes_with_its_claim(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *claim = make(a, CLAIM("data", ""));
	struct sim_object *web = make(a, POD("web", "", MOUNTS));

	(void)state;
	pass(5 * SIM_S);
	sim_delete(claim, SIM_BACKGROUND);
	pass(5 * SIM_S);
	assert_false(claim->gone);
	assert_true(sim_pod_is_ready(web));
	sim_delete(web, SIM_BACKGROUND);
	pass(3 * SIM_S);
	assert_true(claim->gone);
	assert_int_equal(count(a, "", "PersistentVolume"), 0);
}

static void running_pods_write(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = NULL, *mover = NULL;

	(void)state;
	make(a, CLAIM("data", ""));
	mover = make(a, POD("mover", "", MOUNTS));
	patch(mover, "metadata: {labels: {os2os.io/txn: x}}");
	pass(10 * SIM_S);
	assert_int_equal(sim_claim_volume(a, "shop", "data")->block_count, 0);
	web = make(a, POD("web", "", MOUNTS));
	pass(12 * SIM_S);
	assert_in_range(sim_claim_volume(a, "shop", "data")->block_count, 38, 48);
	sim_delete(web, SIM_BACKGROUND);
	pass(2 * SIM_S);
	struct sim_volume still = *sim_claim_volume(a, "shop", "data");
	pass(20 * SIM_S);
	assert_memory_equal(&still, sim_claim_volume(a, "shop", "data"), sizeof(still));
}

/* --- owners --- */

static struct sim_object *make_owned(struct sim_cluster *cluster, const char *name,
				     const struct sim_object *owner)
{
	O2_AUTO(o2_freep)
	char *yaml = o2_xasprintf("apiVersion: v1\nkind: Secret\n"
				  "metadata: {name: %s, namespace: shop, ownerReferences: ["
				  "{apiVersion: v1, kind: ConfigMap, name: %s, uid: %s, "
				  "blockOwnerDeletion: true}]}\n",
				  name, owner->name, sim_uid(owner));

	return make(cluster, yaml);
}

static void late_dependents_are_collected(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *owner = make(a, CONFIG("owner", ", finalizers: [os2os.io/keep]"));
	struct sim_object *early = make_owned(a, "early", owner);

	(void)state;
	pass(2 * SIM_S);
	sim_delete(owner, SIM_BACKGROUND);
	pass(10 * SIM_S);
	assert_false(owner->gone);
	assert_false(early->gone);
	patch(owner, "metadata: {finalizers: null}");
	assert_true(owner->gone);
	struct sim_object *late = make_owned(a, "late", owner);
	pass(1 * SIM_S);
	assert_true(early->gone);
	assert_true(late->gone);
	/* An owner of that name is not that owner. */
	struct sim_object *other = make(a, CONFIG("owner", ""));
	struct sim_object *later = make_owned(a, "later", owner);
	pass(1 * SIM_S);
	assert_true(later->gone);
	assert_false(other->gone);
}

static void one_owner_is_enough(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *first = make(a, CONFIG("first", "")), *second;
	struct sim_object *owned = make_owned(a, "owned", first);

	(void)state;
	second = make(a, CONFIG("second", ""));
	struct o2_doc *next = o2_doc_copy(owned->doc);
	sim_put_owner(next, second);
	sim_put(owned, next);
	sim_delete(first, SIM_BACKGROUND);
	pass(2 * SIM_S);
	assert_false(owned->gone);
	assert_int_equal(o2_doc_count(o2_doc_at(owned->doc, "/metadata/ownerReferences")), 1);
	sim_delete(second, SIM_BACKGROUND);
	pass(2 * SIM_S);
	assert_true(owned->gone);
}

static void foreground_waits_for_dependents(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);

	(void)state;
	pass(5 * SIM_S);
	struct sim_object *set = sim_hold(nth(a, "apps", "ReplicaSet", 0));
	sim_delete(web, SIM_FOREGROUND);
	for (int i = 0; i < 100 && !web->gone; i++) {
		pass(50 * SIM_MS);
		assert_true(set->gone || !web->gone);
		assert_true(count_pods(a) == 0 || !set->gone);
	}
	assert_true(web->gone);
	assert_true(set->gone);
	assert_int_equal(count_pods(a), 0);
	sim_let_go(set);
}

static void foreground_ends_for_stateful_sets_too(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *db = make(a, DB);

	(void)state;
	pass(8 * SIM_S);
	sim_delete(db, SIM_FOREGROUND);
	pass(5 * SIM_S);
	assert_true(db->gone);
	assert_int_equal(count(a, "apps", "ControllerRevision"), 0);
	assert_int_equal(count(a, "", "PersistentVolumeClaim"), 2);
}

static void orphans_stay(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);

	(void)state;
	pass(5 * SIM_S);
	sim_delete(web, SIM_ORPHAN);
	pass(5 * SIM_S);
	assert_true(web->gone);
	assert_int_equal(count_pods(a), 2);
	assert_null(sim_controller_reference(nth(a, "apps", "ReplicaSet", 0)));
	/* Who comes after it takes them over. */
	struct sim_object *again = make(a, WEB);
	pass(5 * SIM_S);
	assert_int_equal(count(a, "apps", "ReplicaSet"), 1);
	assert_ptr_equal(sim_controller_of(nth(a, "apps", "ReplicaSet", 0)), again);
	assert_int_equal(count_pods(a), 2);
}

static void cluster_scoped_dependents_are_left_alone(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *owner = make(a, CONFIG("owner", ""));
	O2_AUTO(o2_freep)
	char *yaml = o2_xasprintf("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n"
				  "metadata: {name: wide, ownerReferences: [{apiVersion: v1, "
				  "kind: ConfigMap, name: owner, uid: %s}]}\n",
				  sim_uid(owner));
	struct sim_object *wide = make(a, yaml);

	(void)state;
	sim_delete(owner, SIM_BACKGROUND);
	pass(10 * SIM_S);
	assert_true(owner->gone);
	assert_false(wide->gone);
}

/* --- namespaces and quotas --- */

static void namespace_ends_when_it_is_empty(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *space = sim_hold(sim_find(a, sim_known.namespace, NULL, "shop"));
	struct sim_object *kept = make(a, CONFIG("kept", ", finalizers: [os2os.io/keep]"));

	(void)state;
	make(a, WEB);
	make(a, DB);
	make(a, "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: shop}\n"
		"spec: {template: {spec: {restartPolicy: Never, "
		"containers: [{name: c, image: 'c:1'}]}}}\n");
	pass(10 * SIM_S);
	sim_delete(space, SIM_BACKGROUND);
	pass(10 * SIM_S);
	assert_false(space->gone);
	assert_string_equal(phase(space), "Terminating");
	assert_int_equal(count_pods(a), 0);
	assert_int_equal(count(a, "", "PersistentVolumeClaim"), 0);
	assert_int_equal(count(a, "", "PersistentVolume"), 0);
	assert_int_equal(count(a, "apps", "ReplicaSet"), 0);
	patch(kept, "metadata: {finalizers: null}");
	pass(1 * SIM_S);
	assert_true(space->gone);
	sim_let_go(space);
}

static void quota_counts_once_its_controller_has_seen_it(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_refusal refusal = { 0 };
	struct sim_object *quota = make(a, "apiVersion: v1\n"
					   "kind: ResourceQuota\n"
					   "metadata: {name: q, namespace: shop}\n"
					   "spec: {hard: {pods: '2', count/jobs.batch: '1'}}\n");

	(void)state;
	make(a, POD("one", "", "restartPolicy: Never"));
	make(a, POD("two", "", "restartPolicy: Never"));
	struct sim_object *three = make(a, POD("three", "", "restartPolicy: Never"));
	pass(1 * SIM_S);
	assert_string_equal(o2_doc_str(quota->doc, "/status/hard/pods", ""), "2");
	assert_string_equal(o2_doc_str(quota->doc, "/status/used/pods", ""), "3");
	assert_string_equal(
		o2_doc_str(o2_doc_at(quota->doc, "/status/used"), "/count~1jobs.batch", ""), "0");
	struct o2_doc *four = sim_object_doc(sim_known.pod, "shop", "four");
	assert_null(sim_create(a, four, "kubectl", &refusal));
	assert_int_equal(refusal.status, 403);
	pass(3 * SIM_S);
	sim_pod_exit(three, 0);
	sim_delete(pod(a, "two"), SIM_BACKGROUND);
	pass(3 * SIM_S);
	assert_string_equal(o2_doc_str(quota->doc, "/status/used/pods", ""), "1");
	four = sim_object_doc(sim_known.pod, "shop", "four");
	assert_non_null(sim_create(a, four, "kubectl", &refusal));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cluster_has_what_a_new_one_has),
		cmocka_unit_test(pod_lives_and_ends),
		cmocka_unit_test(sticky_pod_takes_its_grace_period),
		cmocka_unit_test(forced_pod_goes_at_once),
		cmocka_unit_test(pod_never_becomes_ready_where_it_is_said),
		cmocka_unit_test(pod_waits_for_what_it_mounts),
		cmocka_unit_test(pod_ends_at_its_deadline),
		cmocka_unit_test(exits_are_restarted),
		cmocka_unit_test(programs_are_started_and_stopped),
		cmocka_unit_test(pod_goes_where_it_may),
		cmocka_unit_test(lost_node_keeps_its_pods),
		cmocka_unit_test(node_that_comes_back_tells_how_its_pods_are),
		cmocka_unit_test(claim_is_bound_by_its_first_pod),
		cmocka_unit_test(claim_of_an_immediate_class_is_bound_at_once),
		cmocka_unit_test(volume_goes_with_its_claim),
		cmocka_unit_test(running_pods_write),
		cmocka_unit_test(late_dependents_are_collected),
		cmocka_unit_test(one_owner_is_enough),
		cmocka_unit_test(foreground_waits_for_dependents),
		cmocka_unit_test(foreground_ends_for_stateful_sets_too),
		cmocka_unit_test(orphans_stay),
		cmocka_unit_test(cluster_scoped_dependents_are_left_alone),
		cmocka_unit_test(namespace_ends_when_it_is_empty),
		cmocka_unit_test(quota_counts_once_its_controller_has_seen_it),
	};

	return cmocka_run_group_tests_name("kubelet", tests, NULL, NULL);
}
