#include "kube/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define APPS "apiVersion: apps/v1, "
#define SEEN "metadata: {generation: 3}, "
#define CONDITION(type, status, reason) "{type: " type ", status: '" status "', reason: " reason "}"

enum { PROGRESSING, READY, FAILED, TERMINATING };

struct given {
	const char *yaml; /* the members of the object, in flow style */
	int health;
	const char *why; /* a part of it */
};

static void expect(const struct given *cases, size_t count)
{
	struct o2_buf why;

	o2_buf_init(&why, 4096);
	for (size_t i = 0; i < count; i++) {
		O2_AUTO(o2_freep) char *text = o2_xasprintf("{%s}", cases[i].yaml);
		struct o2_err err = { 0 };
		O2_AUTO(o2_doc_freep)
		struct o2_doc *docs = o2_doc_parse_yaml(text, strlen(text), &err);
		if (docs == NULL)
			fail_msg("%s: %s", err.message, text);
		int health = (int)o2_kube_health(o2_doc_item(docs, 0), &why);
		if (health != cases[i].health || strstr(why.data, cases[i].why) == NULL)
			fail_msg("case %zu: %d '%s': %s", i, health, why.data, text);
		assert_int_equal(o2_kube_health(o2_doc_item(docs, 0), NULL), health);
	}
	o2_buf_release(&why);
}

#define EXPECT(...) \
	do { \
		static const struct given cases_[] = { __VA_ARGS__ }; \
		expect(cases_, O2_COUNT(cases_)); \
	} while (0)

static void test_rules_for_every_kind(void **state)
{
#define OTHER "apiVersion: x.io/v1, kind: Thing, "
	(void)state;
	EXPECT({ OTHER "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}", TERMINATING,
		 "is being deleted" },
	       { OTHER SEEN "status: {observedGeneration: 2}", PROGRESSING,
		 "has not seen the last" },
	       { OTHER SEEN "status: {observedGeneration: 3}", READY, "current" },
	       { OTHER SEEN "spec: {}", READY, "current" },
	       { OTHER "status: {conditions: [" CONDITION("Reconciling", "True", "x") "]}",
		 PROGRESSING, "reconciling" },
	       { OTHER "status: {conditions: [{type: Stalled, status: 'True', message: 'no key'}]}",
		 FAILED, "no key" },
	       { OTHER "status: {conditions: [" CONDITION("Ready", "True", "x") "]}", READY, "" },
	       { OTHER "status: {conditions: [" CONDITION("Ready", "Unknown", "x") "]}",
		 PROGRESSING, "is not ready" },
	       { OTHER "status: {conditions: [{type: Ready, status: 'False', message: 'wait'}]}",
		 PROGRESSING, "wait" });
}

static void test_deployments(void **state)
{
#define DEPLOYMENT APPS "kind: Deployment, " SEEN
#define FULL "replicas: 2, updatedReplicas: 2, availableReplicas: 2, readyReplicas: 2"
#define GOOD \
	CONDITION("Available", "True", "x") \
	", " CONDITION("Progressing", "True", "NewReplicaSetAvailable")
	(void)state;
	EXPECT({ DEPLOYMENT "spec: {replicas: 0}", PROGRESSING, "has not seen it yet" },
	       { DEPLOYMENT "spec: {progressDeadlineSeconds: 600, replicas: 2}, status: "
			    "{observedGeneration: 3, " FULL ", conditions: [" GOOD "]}",
		 READY, "2 pods ready" },
	       { APPS "kind: Deployment, spec: {replicas: 2}, status: {" FULL
		      ", conditions: [" CONDITION("Available", "True", "x") "]}",
		 READY, "" }, /* no deadline: nobody keeps Progressing */
	       { APPS
		 "kind: Deployment, spec: {replicas: 2, paused: true, progressDeadlineSeconds: "
		 "600}, status: {" FULL ", conditions: [" CONDITION("Available", "True", "x") "]}",
		 READY, "" },
	       { APPS "kind: Deployment, spec: {replicas: 2, progressDeadlineSeconds: 600}, "
		      "status: {" FULL ", conditions: [" CONDITION("Available", "True", "x") "]}",
		 PROGRESSING, "new pods are not available" },
	       { APPS "kind: Deployment, spec: {replicas: 2}, status: {" FULL "}", PROGRESSING,
		 "not available yet" },
	       { APPS
		 "kind: Deployment, status: {conditions: [{type: Progressing, status: 'False', "
		 "reason: ProgressDeadlineExceeded, message: 'timed out'}]}",
		 FAILED, "timed out" },
	       { APPS "kind: Deployment, spec: {replicas: 3}, status: {replicas: 1}", PROGRESSING,
		 "1 of 3 pods made" },
	       { APPS "kind: Deployment, status: {conditions: [{type: ReplicaFailure, status: "
		      "'True', message: 'exceeded quota'}]}",
		 PROGRESSING, "0 of 1 pods made: exceeded quota" },
	       { APPS "kind: Deployment, spec: {paused: true}", PROGRESSING, "it is paused" },
	       { APPS "kind: Deployment, status: {replicas: 1}", PROGRESSING,
		 "0 of 1 pods updated" },
	       { APPS "kind: Deployment, status: {replicas: 2, updatedReplicas: 1}", PROGRESSING,
		 "1 pod too many" },
	       { APPS "kind: Deployment, status: {replicas: 1, updatedReplicas: 1}", PROGRESSING,
		 "0 of 1 pods available" },
	       { APPS "kind: Deployment, status: {replicas: 1, updatedReplicas: 1, "
		      "availableReplicas: 1}",
		 PROGRESSING, "0 of 1 pods ready" },
	       { "apiVersion: extensions/v1beta1, kind: Deployment", PROGRESSING, "made" },
	       { "apiVersion: other.io/v1, kind: Deployment", READY, "current" });
}

static void test_stateful_sets(void **state)
{
#define STATEFUL APPS "kind: StatefulSet, "
#define ROLLING(partition) "updateStrategy: {rollingUpdate: {partition: " partition "}}"
	(void)state;
	EXPECT({ STATEFUL SEEN "spec: {replicas: 0}", PROGRESSING, "has not seen it yet" },
	       { STATEFUL "spec: {replicas: 2}, status: {replicas: 1}", PROGRESSING,
		 "1 of 2 pods made" },
	       { STATEFUL "spec: {replicas: 2}, status: {replicas: 2, readyReplicas: 1}",
		 PROGRESSING, "1 of 2 pods ready" },
	       { STATEFUL "status: {replicas: 3, readyReplicas: 3}", PROGRESSING,
		 "2 pods too many" },
	       { STATEFUL "spec: {" ROLLING("0") "}, status: {replicas: 1, readyReplicas: 1}",
		 PROGRESSING, "0 of 1 pods updated" },
	       { STATEFUL "spec: {replicas: 3, " ROLLING(
			 "2") "}, status: {replicas: 3, "
			      "readyReplicas: 3, updatedReplicas: 1, currentRevision: a, "
			      "updateRevision: b}",
		 READY, "3 pods ready" },
	       { STATEFUL "status: {replicas: 1, readyReplicas: 1}", PROGRESSING, "current" },
	       { STATEFUL "status: {replicas: 1, readyReplicas: 1, currentReplicas: 1, "
			  "currentRevision: a, updateRevision: b}",
		 PROGRESSING, "new revision" },
	       { STATEFUL "status: {replicas: 1, readyReplicas: 1, currentReplicas: 1, "
			  "currentRevision: a, updateRevision: a}",
		 READY, "1 pod ready" },
	       { STATEFUL "spec: {updateStrategy: {type: OnDelete}}, status: {replicas: 1, "
			  "readyReplicas: 1, currentRevision: a, updateRevision: b}",
		 READY, "" },
	       { STATEFUL "spec: {updateStrategy: {type: OnDelete}}", PROGRESSING, "made" });
}

static void test_daemon_sets_and_replica_sets(void **state)
{
#define DAEMON APPS "kind: DaemonSet, " SEEN "status: {observedGeneration: 3, "
#define REPLICA APPS "kind: ReplicaSet, "
	(void)state;
	EXPECT({ APPS "kind: DaemonSet", PROGRESSING, "not scheduled yet" },
	       { DAEMON "x: 1}", PROGRESSING, "not scheduled yet" },
	       { DAEMON "desiredNumberScheduled: 0}", READY, "0 pods ready" },
	       { DAEMON "desiredNumberScheduled: 2, currentNumberScheduled: 1}", PROGRESSING,
		 "1 of 2 pods scheduled" },
	       { DAEMON "desiredNumberScheduled: 2, currentNumberScheduled: 2}", PROGRESSING,
		 "0 of 2 pods updated" },
	       { DAEMON "desiredNumberScheduled: 1, currentNumberScheduled: 1, "
			"updatedNumberScheduled: 1, numberAvailable: 1}",
		 PROGRESSING, "0 of 1 pods ready" },
	       { DAEMON "desiredNumberScheduled: 1, currentNumberScheduled: 1, "
			"updatedNumberScheduled: 1, numberAvailable: 1, numberReady: 1}",
		 READY, "" },
	       { REPLICA
		 "status: {replicas: 1, conditions: [{type: ReplicaFailure, status: 'True', "
		 "message: 'denied'}]}",
		 PROGRESSING, "denied" },
	       { REPLICA "status: {replicas: 1}", PROGRESSING, "labelled" },
	       { REPLICA "status: {replicas: 1, fullyLabeledReplicas: 1}", PROGRESSING,
		 "available" },
	       { REPLICA "status: {replicas: 1, fullyLabeledReplicas: 1, availableReplicas: 1}",
		 PROGRESSING, "ready" },
	       { REPLICA "status: {replicas: 2, fullyLabeledReplicas: 2, availableReplicas: 2, "
			 "readyReplicas: 2}",
		 PROGRESSING, "1 pod too many" },
	       { REPLICA "spec: {replicas: 2}, status: {replicas: 2, fullyLabeledReplicas: 2, "
			 "availableReplicas: 2, readyReplicas: 2}",
		 READY, "2 pods ready" },
	       { "apiVersion: v1, kind: ReplicationController", PROGRESSING, "0 of 1 pods made" });
}

static void test_jobs(void **state)
{
#define JOB "apiVersion: batch/v1, kind: Job, "
	(void)state;
	EXPECT({ JOB "status: {}", PROGRESSING, "not started" },
	       { JOB "status: {startTime: 'x'}", READY, "running" },
	       { JOB
		 "status: {startTime: 'x', conditions: [" CONDITION("Complete", "True", "x") "]}",
		 READY, "complete" },
	       { JOB "status: {conditions: [{type: Failed, status: 'True', message: 'too often'}]}",
		 FAILED, "too often" },
	       { JOB "spec: {suspend: true}, status: {conditions: [" CONDITION("Suspended", "True",
									       "x") "]}",
		 READY, "suspended" },
	       { JOB "spec: {suspend: true}", PROGRESSING, "not started" },
	       { "apiVersion: batch.volcano.sh/v1, kind: Job", READY, "current" });
}

static void test_the_other_kinds(void **state)
{
#define CLAIM "apiVersion: v1, kind: PersistentVolumeClaim, "
#define SERVICE "apiVersion: v1, kind: Service, "
#define CRD "apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, "
#define ROUTE "apiVersion: route.openshift.io/v1, kind: Route, "
#define CONFIG "apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, "
#define NOT_READY "status: {conditions: [" CONDITION("Ready", "False", "x") "]}"
	(void)state;
	EXPECT({ CLAIM "status: {phase: Bound}", READY, "Bound" },
	       { CLAIM "status: {phase: Lost}", PROGRESSING, "Lost" },
	       { CLAIM "spec: {}", PROGRESSING, "Pending" },
	       { SERVICE "spec: {type: LoadBalancer}", PROGRESSING, "no cluster IP" },
	       { SERVICE "spec: {type: LoadBalancer, clusterIP: '10.0.0.1'}", READY, "" },
	       { SERVICE "spec: {type: ExternalName}", READY, "" },
	       { "apiVersion: serving.knative.dev/v1, kind: Service, " NOT_READY, PROGRESSING, "" },
	       { CRD "status: {}", PROGRESSING, "not established yet" },
	       { CRD "status: {conditions: [" CONDITION("Established", "True", "x") "]}", READY,
		 "" },
	       { CRD "status: {conditions: [" CONDITION("Established", "False", "Installing") "]}",
		 PROGRESSING, "" },
	       { CRD "status: {conditions: [" CONDITION("Established", "False", "NotAccepted") "]}",
		 FAILED, "not established" },
	       { CRD
		 "status: {conditions: [{type: NamesAccepted, status: 'False', message: 'taken'}]}",
		 FAILED, "taken" },
	       { "apiVersion: policy/v1, kind: PodDisruptionBudget, " NOT_READY, READY, "" },
	       { "apiVersion: v1, kind: Secret, " NOT_READY, READY, "" },
	       { "apiVersion: v1, kind: ConfigMap, " NOT_READY, READY, "" },
	       { "apiVersion: batch/v1, kind: CronJob, " NOT_READY, READY, "" },
	       { ROUTE "spec: {}", PROGRESSING, "no router has seen it" },
	       { ROUTE
		 "status: {ingress: [{conditions: [" CONDITION("Admitted", "True", "x") "]}]}",
		 READY, "admitted" },
	       { ROUTE
		 "status: {ingress: [{conditions: [{type: Admitted, status: 'False', message: "
		 "'host taken'}]}]}",
		 PROGRESSING, "host taken" },
	       { CONFIG "status: {latestVersion: 0}", PROGRESSING, "not rolled out" },
	       { CONFIG "spec: {replicas: 1}, status: {latestVersion: 2}", PROGRESSING,
		 "0 of 1 pods made" },
	       { CONFIG "spec: {replicas: 2}, status: {latestVersion: 2, " FULL
			", conditions: [" CONDITION("Available", "True", "x") "]}",
		 READY, "2 pods ready" });
}

static void test_pods(void **state)
{
#define POD "apiVersion: v1, kind: Pod, "
#define RUNNING POD "status: {phase: Running, containerStatuses: ["
#define WAITING(name, reason) "{name: " name ", state: {waiting: {reason: " reason "}}}"
	(void)state;
	EXPECT({ POD "spec: {}", PROGRESSING, "is starting" },
	       { POD "status: {phase: Succeeded}", READY, "succeeded" },
	       { POD "status: {phase: Failed, reason: Evicted, message: 'low on memory'}", FAILED,
		 "low on memory" },
	       { POD "status: {phase: Running, conditions: [" CONDITION("Ready", "True", "x") "]}",
		 READY, "ready" },
	       { POD
		 "status: {phase: Running, conditions: [{type: Ready, status: 'False', message: "
		 "'containers with unready status: [web]'}]}",
		 PROGRESSING, "[web]" },
	       { POD "status: {phase: Running}", PROGRESSING, "is running, not ready yet" },
	       { POD "status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', "
		     "reason: Unschedulable, message: '0/1 nodes'}]}",
		 PROGRESSING, "no node takes it: 0/1 nodes" },
	       { POD "status: {phase: Pending, conditions: [" CONDITION("PodScheduled", "False",
									"SchedulingGated") "]}",
		 PROGRESSING, "scheduling gates" },
	       { POD "status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}, "
		     "metadata: {deletionTimestamp: x}",
		 TERMINATING, "" });
}

static void test_why_pods_do_not_start(void **state)
{
	(void)state;
	EXPECT({ POD "status: {phase: Pending, containerStatuses: [{name: web, state: {waiting: "
		     "{reason: ImagePullBackOff, message: 'no such image'}}}]}",
		 FAILED, "container 'web': ImagePullBackOff: no such image" },
	       { POD "status: {phase: Pending, initContainerStatuses: [" WAITING(
			 "init", "CreateContainerConfigError") "]}",
		 FAILED, "container 'init': CreateContainerConfigError" },
	       { RUNNING WAITING("a", "ErrImagePull") "]}", FAILED, "ErrImagePull" },
	       { RUNNING WAITING("a", "InvalidImageName") "]}", FAILED, "" },
	       { RUNNING WAITING("a", "ErrImageNeverPull") "]}", FAILED, "" },
	       { RUNNING WAITING("a", "CreateContainerError") "]}", FAILED, "" },
	       { RUNNING WAITING("a", "RunContainerError") "]}", FAILED, "" },
	       { RUNNING WAITING("a", "ContainerCreating") "]}", PROGRESSING, "is running" },
	       { RUNNING "{name: web, state: {waiting: {reason: CrashLoopBackOff}}, lastState: "
			 "{terminated: {exitCode: 137, reason: OOMKilled}}}]}",
		 PROGRESSING,
		 "container 'web': CrashLoopBackOff (last exit status 137, OOMKilled)" },
	       { RUNNING "{name: web, state: {terminated: {exitCode: 2, reason: Error}}}]}",
		 PROGRESSING, "container 'web' has ended (last exit status 2)" },
	       /* the worst counts, not the first */
	       { RUNNING WAITING("a", "CrashLoopBackOff") ", " WAITING("b", "ErrImagePull") "]}",
		 FAILED, "container 'b'" },
	       { RUNNING WAITING("a", "CrashLoopBackOff") ", " WAITING("b",
								       "CrashLoopBackOff") "]}",
		 PROGRESSING, "container 'a'" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_for_every_kind),
		cmocka_unit_test(test_deployments),
		cmocka_unit_test(test_stateful_sets),
		cmocka_unit_test(test_daemon_sets_and_replica_sets),
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_the_other_kinds),
		cmocka_unit_test(test_pods),
		cmocka_unit_test(test_why_pods_do_not_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
