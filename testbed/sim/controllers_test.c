/* Workloads on the real store: what their controllers make of them. */
#include "controllers_test.h"

/* --- Deployments --- */

static void deployment_makes_pods(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);

	(void)state;
	pass(5 * SIM_S);
	struct sim_object *set = nth(a, "apps", "ReplicaSet", 0);
	const char *hash = sim_label(set, "pod-template-hash");
	O2_AUTO(o2_freep) char *name = o2_xasprintf("web-%s", hash);
	assert_string_equal(set->name, name);
	assert_true(strlen(hash) > 5);
	assert_ptr_equal(sim_controller_of(set), web);
	assert_true(o2_doc_bool(set->doc, "/metadata/ownerReferences/0/blockOwnerDeletion", false));
	assert_int_equal(count_pods(a), 2);
	struct sim_object *one = nth(a, "", "Pod", 0);
	assert_ptr_equal(sim_controller_of(one), set);
	assert_int_equal(strncmp(one->name, set->name, strlen(set->name)), 0);
	assert_int_equal(strlen(one->name), strlen(set->name) + 6);
	assert_string_equal(sim_label(one, "pod-template-hash"), hash);
	assert_string_equal(phase(one), "Running");
	assert_true(o2_doc_str(one->doc, "/status/podIP", "")[0] != '\0');
	assert_health(one, READY);
	assert_health(set, READY);
	assert_health(web, READY);
	assert_int_equal(o2_doc_int(web->doc, "/status/observedGeneration", 0),
			 o2_doc_int(web->doc, "/metadata/generation", 0));
}

static void annotations_stay_on_the_replica_set(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);

	(void)state;
	pass(3 * SIM_S);
	struct sim_object *set = nth(a, "apps", "ReplicaSet", 0);
	assert_string_equal(o2_doc_str(set->doc, "/metadata/annotations/color", ""), "blue");
	patch(web, "metadata: {annotations: {color: null, undo: note}}");
	pass(3 * SIM_S);
	assert_string_equal(o2_doc_str(set->doc, "/metadata/annotations/color", ""), "blue");
	assert_string_equal(o2_doc_str(set->doc, "/metadata/annotations/undo", ""), "note");
	assert_int_equal(count(a, "apps", "ReplicaSet"), 1);
}

static void paused_deployment_makes_no_pods(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, "apiVersion: apps/v1\n"
					 "kind: Deployment\n"
					 "metadata: {name: web, namespace: shop}\n"
					 "spec:\n"
					 "  paused: true\n"
					 "  selector: {matchLabels: {app: web}}\n"
					 "  template:\n"
					 "    metadata: {labels: {app: web}}\n"
					 "    spec: {containers: [{name: web, image: 'web:1'}]}\n");

	(void)state;
	pass(5 * SIM_S);
	assert_int_equal(count(a, "apps", "ReplicaSet"), 0);
	assert_health(web, PROGRESSING);
	patch(web, "spec: {paused: null}");
	pass(5 * SIM_S);
	assert_int_equal(count_pods(a), 1);
	assert_health(web, READY);
}

static void deployment_scales_to_nothing_and_back(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);

	(void)state;
	pass(5 * SIM_S);
	patch(web, "spec: {replicas: 0}");
	pass(1 * SIM_S);
	assert_int_equal(count_pods(a), 0);
	pass(1 * SIM_S);
	assert_health(web, READY);
	patch(web, "spec: {replicas: 2}");
	pass(500 * SIM_MS);
	assert_health(web, PROGRESSING);
	pass(3 * SIM_S);
	assert_health(web, READY);
	assert_int_equal(count(a, "apps", "ReplicaSet"), 1);
	assert_int_equal(count_pods(a), 2);
}

static void deployment_of_nothing_starts_when_told(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);

	(void)state;
	patch(web, "spec: {replicas: 0}");
	pass(5 * SIM_S);
	assert_int_equal(count_pods(a), 0);
	assert_health(web, READY);
	patch(web, "spec: {replicas: 1}");
	pass(5 * SIM_S);
	assert_int_equal(count_pods(a), 1);
	assert_health(web, READY);
}

static int ready_pods(struct sim_cluster *cluster)
{
	int ready = 0;

	for (int i = 0; i < count_pods(cluster); i++)
		ready += sim_pod_is_ready(nth(cluster, "", "Pod", i));
	return ready;
}

static void rolling_update_keeps_serving(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);

	(void)state;
	patch(web, "spec: {replicas: 4}");
	pass(5 * SIM_S);
	patch(web, "spec: {template: {spec: {containers: [{name: web, image: 'web:2'}]}}}");
	for (int i = 0; i < 200; i++) {
		pass(50 * SIM_MS);
		assert_true(ready_pods(a) >= 3);
		assert_true(count_pods(a) <= 8);
	}
	assert_int_equal(count(a, "apps", "ReplicaSet"), 2);
	assert_int_equal(count_pods(a), 4);
	for (int i = 0; i < 4; i++)
		assert_string_equal(
			o2_doc_str(nth(a, "", "Pod", i)->doc, "/spec/containers/0/image", ""),
			"web:2");
	assert_health(web, READY);
	assert_string_equal(o2_doc_str(web->doc,
				       "/metadata/annotations/deployment.kubernetes.io~1revision",
				       ""),
			    "2");
}

static void recreate_never_runs_both(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);

	(void)state;
	patch(web, "spec: {strategy: {type: Recreate}}");
	pass(5 * SIM_S);
	patch(web, "spec: {template: {spec: {containers: [{name: web, image: 'web:2'}]}}}");
	for (int i = 0; i < 100; i++) {
		pass(50 * SIM_MS);
		assert_true(count_pods(a) <= 2);
	}
	assert_health(web, READY);
	assert_int_equal(count(a, "apps", "ReplicaSet"), 2);
}

static void progress_has_a_deadline(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);

	(void)state;
	patch(web, "spec: {progressDeadlineSeconds: 20, template: {metadata: {annotations: "
		   "{sim/never-ready: 'B,A'}}}}");
	pass(15 * SIM_S);
	assert_health(web, PROGRESSING);
	pass(10 * SIM_S);
	assert_health(web, O2_KUBE_HEALTH_FAILED);
}

/* --- ReplicaSets --- */

#define STRAY \
	"apiVersion: v1\n" \
	"kind: Pod\n" \
	"metadata: {name: stray, namespace: shop, labels: {app: web}}\n" \
	"spec: {containers: [{name: c, image: 'c:1'}]}\n"

static void matching_pod_is_adopted_and_deleted(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);

	(void)state;
	pass(5 * SIM_S);
	struct sim_object *set = nth(a, "apps", "ReplicaSet", 0);
	patch(web, "spec: {replicas: 0}");
	pass(3 * SIM_S);
	struct sim_object *stray = make(a, STRAY);
	patch(stray, "metadata: {labels: {pod-template-hash: none}}");
	pass(3 * SIM_S);
	assert_non_null(pod(a, "stray"));
	assert_null(sim_controller_reference(stray));
	O2_AUTO(o2_freep)
	char *labels = o2_xasprintf("metadata: {labels: {pod-template-hash: %s}}",
				    sim_label(set, "pod-template-hash"));
	patch(stray, labels);
	pass(2 * SIM_S);
	assert_true(stray->gone);
}

static void refused_pods_are_tried_again(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);
	struct sim_object *quota = make(a, "apiVersion: v1\n"
					   "kind: ResourceQuota\n"
					   "metadata: {name: guard, namespace: shop}\n"
					   "spec: {hard: {pods: '0'}, scopes: [NotTerminating]}\n");

	(void)state;
	patch(web, "spec: {replicas: 0}");
	pass(3 * SIM_S);
	patch(web, "spec: {replicas: 2}");
	pass(40 * SIM_S);
	struct sim_object *set = nth(a, "apps", "ReplicaSet", 0);
	assert_int_equal(count_pods(a), 0);
	assert_true(sim_is_true(set->doc, "ReplicaFailure"));
	assert_non_null(
		strstr(o2_doc_str(sim_condition(set->doc, "ReplicaFailure"), "/message", ""),
		       "exceeded quota: guard"));
	assert_true(sim_is_true(web->doc, "ReplicaFailure"));
	assert_int_equal(set->backoff_us, 32 * SIM_S);
	sim_delete(quota, SIM_BACKGROUND);
	pass(5 * SIM_S);
	assert_int_equal(count_pods(a), 0);
	patch(set, "metadata: {annotations: {touched: 'yes'}}");
	patch(set, "metadata: {annotations: {touched: null}}");
	pass(1500 * SIM_MS);
	assert_int_equal(count_pods(a), 0);
	pass(600 * SIM_MS);
	assert_int_equal(count_pods(a), 2);
	pass(3 * SIM_S);
	assert_false(sim_is_true(set->doc, "ReplicaFailure"));
	assert_health(web, READY);
	assert_int_equal(set->backoff_us, 0);
}

static void lost_pods_are_replaced(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *web = make(a, WEB);

	(void)state;
	pass(5 * SIM_S);
	sim_delete(nth(a, "", "Pod", 0), SIM_BACKGROUND);
	pass(100 * SIM_MS);
	assert_int_equal(count_pods(a), 3);
	pass(5 * SIM_S);
	assert_int_equal(count_pods(a), 2);
	assert_health(web, READY);
	sim_delete(web, SIM_BACKGROUND);
	pass(5 * SIM_S);
	assert_int_equal(count_pods(a), 0);
	assert_int_equal(count(a, "apps", "ReplicaSet"), 0);
}

/* --- StatefulSets --- */

static void stateful_set_starts_in_order(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *db = make(a, DB);

	(void)state;
	for (int i = 0; i < 200; i++) {
		pass(20 * SIM_MS);
		if (pod(a, "db-1"))
			assert_true(sim_pod_is_ready(pod(a, "db-0")));
	}
	pass(5 * SIM_S);
	assert_health(db, READY);
	assert_int_equal(count_pods(a), 2);
	struct sim_object *claim = find(a, "", "PersistentVolumeClaim", "data-db-1");
	assert_string_equal(phase(claim), "Bound");
	assert_string_equal(sim_label(claim, "app"), "db");
	assert_string_equal(o2_doc_str(pod(a, "db-1")->doc,
				       "/spec/volumes/0/persistentVolumeClaim/claimName", ""),
			    "data-db-1");
	assert_string_equal(sim_label(pod(a, "db-1"), "statefulset.kubernetes.io/pod-name"),
			    "db-1");
	assert_string_equal(sim_label(pod(a, "db-1"), "controller-revision-hash"),
			    o2_doc_str(db->doc, "/status/currentRevision", "none"));
	assert_int_equal(count(a, "apps", "ControllerRevision"), 1);
}

static void stateful_set_stops_from_the_end_and_keeps_claims(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *db = make(a, DB);

	(void)state;
	pass(10 * SIM_S);
	patch(db, "spec: {replicas: 0}");
	for (int i = 0; i < 200; i++) {
		pass(20 * SIM_MS);
		if (pod(a, "db-0") && sim_is_deleting(pod(a, "db-0")))
			assert_null(pod(a, "db-1"));
	}
	assert_int_equal(count_pods(a), 0);
	assert_health(db, READY);
	assert_int_equal(count(a, "", "PersistentVolumeClaim"), 2);
	struct sim_volume kept = *sim_claim_volume(a, "shop", "data-db-0");
	patch(db, "spec: {replicas: 1}");
	pass(5 * SIM_S);
	assert_true(sim_claim_volume(a, "shop", "data-db-0")->block_count > kept.block_count);
	assert_health(db, READY);
}

static void scaled_away_claims_go_if_the_policy_says_so(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *db = make(a, DB);

	(void)state;
	patch(db, "spec: {persistentVolumeClaimRetentionPolicy: {whenScaled: Delete}}");
	pass(10 * SIM_S);
	patch(db, "spec: {replicas: 1}");
	pass(5 * SIM_S);
	assert_int_equal(count(a, "", "PersistentVolumeClaim"), 1);
	assert_int_equal(count(a, "", "PersistentVolume"), 1);
	assert_non_null(find(a, "", "PersistentVolumeClaim", "data-db-0"));
}

static void stateful_set_updates_from_the_end(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *db = make(a, DB);

	(void)state;
	pass(10 * SIM_S);
	patch(db, "spec: {template: {metadata: {annotations: {note: new}}}}");
	for (int i = 0; i < 50 && !sim_is_deleting(pod(a, "db-1")); i++)
		pass(20 * SIM_MS);
	assert_true(sim_is_deleting(pod(a, "db-1")));
	assert_false(sim_is_deleting(pod(a, "db-0")));
	assert_health(db, PROGRESSING);
	pass(15 * SIM_S);
	assert_health(db, READY);
	assert_string_equal(o2_doc_str(pod(a, "db-0")->doc, "/metadata/annotations/note", ""),
			    "new");
	assert_string_equal(o2_doc_str(db->doc, "/status/currentRevision", ""),
			    o2_doc_str(db->doc, "/status/updateRevision", "none"));
	assert_int_equal(count(a, "apps", "ControllerRevision"), 2);
}

static void pod_of_its_name_is_adopted_and_deleted(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *db = make(a, DB);

	(void)state;
	patch(db, "spec: {replicas: 0}");
	pass(2 * SIM_S);
	struct sim_object *stray = make(a, "apiVersion: v1\n"
					   "kind: Pod\n"
					   "metadata: {name: db-0, namespace: shop, "
					   "labels: {app: db}}\n"
					   "spec: {containers: [{name: c, image: 'c:1'}]}\n");
	pass(2 * SIM_S);
	assert_true(stray->gone);
}

static void refused_stateful_pods_are_tried_again(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *quota = make(a, "apiVersion: v1\n"
					   "kind: ResourceQuota\n"
					   "metadata: {name: guard, namespace: shop}\n"
					   "spec: {hard: {pods: '0'}}\n");

	(void)state;
	pass(1 * SIM_S);
	struct sim_object *db = make(a, DB);
	pass(20 * SIM_S);
	assert_int_equal(count_pods(a), 0);
	sim_delete(quota, SIM_BACKGROUND);
	patch(db, "metadata: {annotations: {touched: 'yes'}}");
	pass(8 * SIM_S);
	assert_health(db, READY);
}

/* --- DaemonSets --- */

static void daemon_set_is_on_every_node(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *log = make(a, "apiVersion: apps/v1\n"
					 "kind: DaemonSet\n"
					 "metadata: {name: log, namespace: shop}\n"
					 "spec:\n"
					 "  selector: {matchLabels: {app: log}}\n"
					 "  template:\n"
					 "    metadata: {labels: {app: log}}\n"
					 "    spec: {containers: [{name: log, image: 'log:1'}]}\n");

	(void)state;
	pass(5 * SIM_S);
	assert_int_equal(count_pods(a), 2);
	assert_string_not_equal(o2_doc_str(nth(a, "", "Pod", 0)->doc, "/spec/nodeName", ""),
				o2_doc_str(nth(a, "", "Pod", 1)->doc, "/spec/nodeName", ""));
	assert_health(log, READY);
	patch(log, "spec: {template: {spec: {nodeSelector: {os2os.io/not-started: 'true'}}}}");
	pass(3 * SIM_S);
	assert_int_equal(count_pods(a), 0);
	assert_int_equal(count(a, "apps", "ControllerRevision"), 2);
	assert_int_equal(o2_doc_int(log->doc, "/status/desiredNumberScheduled", -1), 0);
	patch(log, "spec: {template: {spec: {nodeSelector: null}}}");
	pass(5 * SIM_S);
	assert_int_equal(count_pods(a), 2);
	assert_int_equal(count(a, "apps", "ControllerRevision"), 2);
	assert_health(log, READY);
	patch(log, "spec: {template: {spec: {containers: [{name: log, image: 'log:2'}]}}}");
	pass(10 * SIM_S);
	assert_int_equal(count_pods(a), 2);
	assert_int_equal(o2_doc_int(log->doc, "/status/updatedNumberScheduled", -1), 2);
}

/* --- Jobs --- */

#define IMPORT(spec, annotations) \
	"apiVersion: batch/v1\n" \
	"kind: Job\n" \
	"metadata: {name: import, namespace: shop}\n" \
	"spec:\n" \
	"  " spec "\n" \
	"  template:\n" \
	"    metadata: {annotations: {" annotations "}}\n" \
	"    spec: {restartPolicy: Never, containers: [{name: c, image: 'c:1'}]}\n"

static void job_runs_to_its_end(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *job = make(a, IMPORT("completions: 2", "sim/run-ms: '2000'"));

	(void)state;
	pass(2 * SIM_S);
	assert_int_equal(o2_doc_int(job->doc, "/status/active", 0), 1);
	assert_string_equal(sim_label(nth(a, "", "Pod", 0), "job-name"), "import");
	assert_string_equal(sim_label(nth(a, "", "Pod", 0), "batch.kubernetes.io/controller-uid"),
			    sim_uid(job));
	assert_health(job, READY);
	pass(10 * SIM_S);
	assert_true(sim_is_true(job->doc, "Complete"));
	assert_int_equal(o2_doc_int(job->doc, "/status/succeeded", 0), 2);
	assert_int_equal(o2_doc_int(job->doc, "/status/active", 0), 0);
	assert_int_equal(count_pods(a), 2);
	sim_delete(job, SIM_BACKGROUND);
	pass(5 * SIM_S);
	assert_int_equal(count_pods(a), 0);
}

static void job_is_suspended_and_resumed(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *job = make(a, IMPORT("parallelism: 1", "sim/run-ms: '20000'"));

	(void)state;
	pass(3 * SIM_S);
	patch(job, "spec: {suspend: true}");
	pass(2 * SIM_S);
	assert_int_equal(count_pods(a), 0);
	assert_true(sim_is_true(job->doc, "Suspended"));
	assert_int_equal(o2_doc_int(job->doc, "/status/active", 0), 0);
	assert_null(o2_doc_at(job->doc, "/status/startTime"));
	patch(job, "spec: {suspend: false}");
	pass(15 * SIM_S);
	assert_int_equal(count_pods(a), 1);
	assert_false(sim_is_true(job->doc, "Suspended"));
	pass(30 * SIM_S);
	assert_true(sim_is_true(job->doc, "Complete"));
}

static void suspending_counts_as_a_failure(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *job = make(a, IMPORT("backoffLimit: 0", "sim/run-ms: '20000'"));

	(void)state;
	pass(3 * SIM_S);
	patch(job, "spec: {suspend: true}");
	pass(3 * SIM_S);
	assert_true(sim_is_true(job->doc, "Failed"));
}

static void job_gives_up(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *job = make(a, IMPORT("backoffLimit: 1", "x: 'y'"));

	(void)state;
	pass(3 * SIM_S);
	sim_pod_exit(nth(a, "", "Pod", 0), 3);
	pass(5 * SIM_S);
	assert_int_equal(o2_doc_int(job->doc, "/status/failed", 0), 1);
	assert_int_equal(o2_doc_int(job->doc, "/status/active", 0), 0);
	pass(8 * SIM_S);
	assert_int_equal(o2_doc_int(job->doc, "/status/active", 0), 1);
	sim_pod_exit(nth(a, "", "Pod", 1), 3);
	pass(2 * SIM_S);
	assert_health(job, O2_KUBE_HEALTH_FAILED);
	assert_string_equal(o2_doc_str(sim_condition(job->doc, "Failed"), "/reason", ""),
			    "BackoffLimitExceeded");
}

static void job_has_a_deadline(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *job = make(a, IMPORT("activeDeadlineSeconds: 10", "x: 'y'"));

	(void)state;
	pass(8 * SIM_S);
	assert_false(sim_is_true(job->doc, "Failed"));
	pass(5 * SIM_S);
	assert_true(sim_is_true(job->doc, "Failed"));
	assert_string_equal(o2_doc_str(sim_condition(job->doc, "Failed"), "/reason", ""),
			    "DeadlineExceeded");
	assert_int_equal(count_pods(a), 0);
}

static void indexed_job_goes_on_where_it_was(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *job =
		make(a, IMPORT("completions: 5\n  completionMode: Indexed\n  suspend: true",
			       "sim/run-ms: '1000'"));

	(void)state;
	pass(1 * SIM_S);
	patch(job, "status: {completedIndexes: '0-2', succeeded: 3}");
	patch(job, "spec: {suspend: false}");
	pass(2 * SIM_S);
	assert_string_equal(
		sim_label(nth(a, "", "Pod", 0), "batch.kubernetes.io/job-completion-index"), "3");
	pass(10 * SIM_S);
	assert_true(sim_is_true(job->doc, "Complete"));
	assert_string_equal(o2_doc_str(job->doc, "/status/completedIndexes", ""), "0-4");
	assert_int_equal(count_pods(a), 2);
}

/* --- CronJobs --- */

#define NIGHTLY \
	"apiVersion: batch/v1\n" \
	"kind: CronJob\n" \
	"metadata: {name: tick, namespace: shop}\n" \
	"spec:\n" \
	"  schedule: '*/5 * * * *'\n" \
	"  jobTemplate:\n" \
	"    spec:\n" \
	"      template:\n" \
	"        metadata: {annotations: {sim/run-ms: '1000'}}\n" \
	"        spec: {restartPolicy: Never, containers: [{name: c, image: 'c:1'}]}\n"

static void cron_job_runs_at_its_times(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *tick = make(a, NIGHTLY);

	(void)state;
	pass(290 * SIM_S);
	assert_int_equal(count(a, "batch", "Job"), 0);
	pass(20 * SIM_S);
	assert_int_equal(count(a, "batch", "Job"), 1);
	O2_AUTO(o2_freep)
	char *name = o2_xasprintf("tick-%lld", (long long)(sim_unix() / 300) * 5);
	assert_string_equal(nth(a, "batch", "Job", 0)->name, name);
	assert_string_equal(o2_doc_str(tick->doc, "/status/lastScheduleTime", ""),
			    "2026-01-01T00:05:00Z");
	assert_true(o2_doc_str(tick->doc, "/status/lastSuccessfulTime", "")[0] != '\0');
	pass(3600 * SIM_S);
	assert_int_equal(count(a, "batch", "Job"), 3);
}

static void missed_run_is_made_up(void **state)
{
	struct sim_cluster *a = begin();
	struct sim_object *tick = make(a, NIGHTLY);

	(void)state;
	pass(310 * SIM_S);
	patch(tick, "spec: {suspend: true}");
	pass(600 * SIM_S);
	assert_int_equal(count(a, "batch", "Job"), 1);
	patch(tick, "spec: {suspend: false}");
	pass(1 * SIM_S);
	assert_int_equal(count(a, "batch", "Job"), 2);
	assert_string_equal(o2_doc_str(tick->doc, "/status/lastScheduleTime", ""),
			    "2026-01-01T00:15:00Z");
	patch(tick, "spec: {suspend: true}");
	pass(600 * SIM_S);
	O2_AUTO(o2_freep)
	char *now = o2_xasprintf("status: {lastScheduleTime: '%s'}", sim_stamp());
	patch(tick, now);
	patch(tick, "spec: {suspend: false}");
	pass(1 * SIM_S);
	assert_int_equal(count(a, "batch", "Job"), 2);
	pass(300 * SIM_S);
	assert_int_equal(count(a, "batch", "Job"), 3);
}

static void cron_expressions(void **state)
{
	const int64_t thursday = 1767225600; /* 2026-01-01 00:00 */

	(void)state;
	assert_int_equal(sim_cron_next("* * * * *", thursday), thursday + 60);
	assert_int_equal(sim_cron_next("@hourly", thursday), thursday + 3600);
	assert_int_equal(sim_cron_next("30 2 * * *", thursday), thursday + 9000);
	assert_int_equal(sim_cron_next("0 0 * * 0", thursday), thursday + 259200);
	assert_int_equal(sim_cron_next("0 0 * * 7", thursday), thursday + 259200);
	assert_int_equal(sim_cron_next("0 0 3,2 * 0", thursday), thursday + 86400);
	assert_int_equal(sim_cron_next("1-10/3 0 * * *", thursday + 60), thursday + 240);
	assert_int_equal(sim_cron_next("0 0 30 2 *", thursday), -1);
	assert_int_equal(sim_cron_next("0 0 * *", thursday), -1);
	assert_int_equal(sim_cron_next("61 0 * * *", thursday), -1);
	assert_int_equal(sim_cron_last("*/5 * * * *", thursday, thursday + 1000), thursday + 900);
	assert_int_equal(sim_cron_last("0 0 1 1 *", thursday - 1, thursday + 17280000), thursday);
	assert_int_equal(sim_cron_last("0 0 * * *", thursday, thursday + 80000), -1);
}

/* The whole story of a world, twice. */
static char *story(void)
{
	struct sim_cluster *a = begin();
	struct o2_buf text;

	make(a, WEB);
	make(a, DB);
	make(a, NIGHTLY);
	pass(400 * SIM_S);
	o2_buf_init(&text, 1 << 22);
	for (int i = 0; i < count_pods(a); i++) {
		O2_AUTO(o2_freep) char *dump = o2_doc_dump(nth(a, "", "Pod", i)->doc);
		o2_buf_adds(&text, dump);
	}
	o2_buf_addf(&text, "%lld %llu", (long long)sim_cluster_version(a),
		    (unsigned long long)sim_claim_volume(a, "shop", "data-db-0")->files[0]);
	char *all = o2_buf_steal(&text);
	o2_buf_release(&text);
	return all;
}

static void the_same_seed_gives_the_same_world(void **state)
{
	O2_AUTO(o2_freep) char *once = story();
	O2_AUTO(o2_freep) char *again = story();

	(void)state;
	assert_string_equal(once, again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deployment_makes_pods),
		cmocka_unit_test(annotations_stay_on_the_replica_set),
		cmocka_unit_test(paused_deployment_makes_no_pods),
		cmocka_unit_test(deployment_scales_to_nothing_and_back),
		cmocka_unit_test(deployment_of_nothing_starts_when_told),
		cmocka_unit_test(rolling_update_keeps_serving),
		cmocka_unit_test(recreate_never_runs_both),
		cmocka_unit_test(progress_has_a_deadline),
		cmocka_unit_test(matching_pod_is_adopted_and_deleted),
		cmocka_unit_test(refused_pods_are_tried_again),
		cmocka_unit_test(lost_pods_are_replaced),
		cmocka_unit_test(stateful_set_starts_in_order),
		cmocka_unit_test(stateful_set_stops_from_the_end_and_keeps_claims),
		cmocka_unit_test(scaled_away_claims_go_if_the_policy_says_so),
		cmocka_unit_test(stateful_set_updates_from_the_end),
		cmocka_unit_test(pod_of_its_name_is_adopted_and_deleted),
		cmocka_unit_test(refused_stateful_pods_are_tried_again),
		cmocka_unit_test(daemon_set_is_on_every_node),
		cmocka_unit_test(job_runs_to_its_end),
		cmocka_unit_test(job_is_suspended_and_resumed),
		cmocka_unit_test(suspending_counts_as_a_failure),
		cmocka_unit_test(job_gives_up),
		cmocka_unit_test(job_has_a_deadline),
		cmocka_unit_test(indexed_job_goes_on_where_it_was),
		cmocka_unit_test(cron_job_runs_at_its_times),
		cmocka_unit_test(missed_run_is_made_up),
		cmocka_unit_test(cron_expressions),
		cmocka_unit_test(the_same_seed_gives_the_same_world),
	};

	return cmocka_run_group_tests_name("workloads", tests, NULL, NULL);
}
