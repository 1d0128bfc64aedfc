/*
 * Golden transforms: what each kind becomes on B. A row is an object as A's server shows it, and what is to come of it. What
 * names a peer's complaint (velero#..., crane#...) is there because somebody's tool got it wrong.
 */
#include "app/app_test.h"

struct row {
	const char *what, *kind, *source, *full;
	const char *inert; /* merge patch from full to inert; NULL: equal */
};

static const struct row rows[] = {
	{ "server's metadata, status, owners, last-applied go; what users wrote stays", "ConfigMap",
	  "{metadata: {name: c, namespace: shop, uid: u1, resourceVersion: '5', generation: 3, "
	  "creationTimestamp: '2026-01-01T00:00:00Z',"
	  " selfLink: /x, managedFields: [{manager: kubectl}], ownerReferences: [{uid: gone, kind: "
	  "Node, name: n}], labels: {app: shop},"
	  " annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}', note: keep}}, "
	  "data: {a: b}, binaryData: {x: AAE=}}",
	  "{metadata: {name: c, labels: {app: shop}, annotations: {note: keep}}, data: {a: b}, "
	  "binaryData: {x: AAE=}}",
	  NULL },
	{ "an annotation map that becomes empty is left out", "ConfigMap",
	  "{metadata: {name: c, annotations: {kubectl.kubernetes.io/last-applied-configuration: "
	  "'{}'}}}",
	  "{metadata: {name: c}}", NULL },
	{ "velero#7848: marks of Argo CD and Flux would make them delete the object", "ConfigMap",
	  "{metadata: {name: c, labels: {argocd.argoproj.io/instance: x, "
	  "kustomize.toolkit.fluxcd.io/name: y, app: z},"
	  " annotations: {argocd.argoproj.io/tracking-id: x}}}",
	  "{metadata: {name: c, labels: {app: z}}}", NULL },
	{ "what os2os wrote into it goes, what is asked of os2os stays", "ConfigMap",
	  "{metadata: {name: c, labels: {os2os.io/txn: x}, annotations: {os2os.io/undo: '[]', "
	  "os2os.io/start: after-decision}}}",
	  "{metadata: {name: c, annotations: {os2os.io/start: after-decision}}}", NULL },
	{ "finalizers are withheld", "ConfigMap",
	  "{metadata: {name: c, finalizers: [example.com/x]}}", "{metadata: {name: c}}", NULL },

	{ "a Deployment starts with no pods", "Deployment",
	  "{metadata: {name: web, annotations: {deployment.kubernetes.io/revision: '4'}}, spec: "
	  "{replicas: 3, selector: {matchLabels: {a: b}},"
	  " template: {metadata: {creationTimestamp: null, labels: {a: b}}, spec: {containers: "
	  "[{name: c, image: i}]}}}, status: {replicas: 3}}",
	  "{metadata: {name: web}, spec: {replicas: 3, selector: {matchLabels: {a: b}},"
	  " template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}",
	  "{spec: {replicas: 0}}" },
	{ "a Deployment without a number of replicas has one", "Deployment",
	  "{metadata: {name: web}, spec: {template: {spec: {}}}}",
	  "{metadata: {name: web}, spec: {template: {spec: {}}}}", "{spec: {replicas: 0}}" },
	{ "a StatefulSet's claim templates lose their status", "StatefulSet",
	  "{metadata: {name: db}, spec: {replicas: 2, serviceName: db, template: {spec: {}}, "
	  "volumeClaimTemplates: [{apiVersion: v1, kind:"
	  " PersistentVolumeClaim, metadata: {name: data, creationTimestamp: null}, spec: "
	  "{storageClassName: fast, volumeMode: Block},"
	  " status: {phase: Pending}}]}}",
	  "{metadata: {name: db}, spec: {replicas: 2, serviceName: db, template: {spec: {}}, "
	  "volumeClaimTemplates: [{apiVersion: v1, kind:"
	  " PersistentVolumeClaim, metadata: {name: data}, spec: {storageClassName: fast, "
	  "volumeMode: Block}}]}}",
	  "{spec: {replicas: 0}}" },
	{ "a DaemonSet finds no node", "DaemonSet",
	  "{metadata: {name: log, annotations: {deprecated.daemonset.template.generation: '2'}}, "
	  "spec: {template: {spec: {nodeSelector: {disk: ssd}}}}}",
	  "{metadata: {name: log}, spec: {template: {spec: {nodeSelector: {disk: ssd}}}}}",
	  "{spec: {template: {spec: {nodeSelector: {os2os.io/not-started: 'true'}}}}}" },
	{ "a bare ReplicaSet is a workload", "ReplicaSet",
	  "{metadata: {name: rs}, spec: {replicas: 2, template: {spec: {}}}}",
	  "{metadata: {name: rs}, spec: {replicas: 2, template: {spec: {}}}}",
	  "{spec: {replicas: 0}}" },
	{ "a Job loses the selector and labels that the server made", "Job",
	  "{metadata: {name: j, labels: {controller-uid: u, batch.kubernetes.io/controller-uid: u, "
	  "job-name: j, app: x}}, spec: {selector:"
	  " {matchLabels: {batch.kubernetes.io/controller-uid: u}}, parallelism: 2, suspend: "
	  "false, template: {metadata: {labels: {controller-uid: u,"
	  " batch.kubernetes.io/job-name: j}}, spec: {}}}, status: {active: 1}}",
	  "{metadata: {name: j, labels: {app: x}}, spec: {parallelism: 2, suspend: false, "
	  "template: {metadata: {}, spec: {}}}}",
	  "{spec: {suspend: true}}" },
	{ "a Job with a selector of its own keeps it", "Job",
	  "{metadata: {name: j}, spec: {manualSelector: true, selector: {matchLabels: {a: b}}, "
	  "template: {metadata: {labels: {a: b}}, spec: {}}}}",
	  "{metadata: {name: j}, spec: {manualSelector: true, selector: {matchLabels: {a: b}}, "
	  "template: {metadata: {labels: {a: b}}, spec: {}}}}",
	  "{spec: {suspend: true}}" },
	{ "a CronJob waits", "CronJob",
	  "{metadata: {name: c}, spec: {schedule: '* * * * *', suspend: false, jobTemplate: "
	  "{metadata: {creationTimestamp: null}, spec: {template:"
	  " {metadata: {creationTimestamp: null}, spec: {}}}}}, status: {lastScheduleTime: "
	  "'2026-01-01T00:00:00Z'}}",
	  "{metadata: {name: c}, spec: {schedule: '* * * * *', suspend: false, jobTemplate: "
	  "{metadata: {}, spec: {template: {metadata: {}, spec: {}}}}}}",
	  "{spec: {suspend: true}}" },
	{ "a bare pod forgets its node, its priority, its token and what was put into it later",
	  "Pod",
	  "{metadata: {name: p}, spec: {nodeName: a-1, priority: 0, preemptionPolicy: "
	  "PreemptLowerPriority, ephemeralContainers: [{name: e}],"
	  " nodeSelector: {disk: ssd}, volumes: [{name: kube-api-access-x7f2q, projected: {}}, "
	  "{name: data, emptyDir: {}}],"
	  " containers: [{name: c, volumeMounts: [{name: kube-api-access-x7f2q, mountPath: /s}, "
	  "{name: data, mountPath: /d}]}],"
	  " initContainers: [{name: i, volumeMounts: [{name: kube-api-access-x7f2q, mountPath: "
	  "/s}]}]}, status: {phase: Running}}",
	  "{metadata: {name: p}, spec: {nodeSelector: {disk: ssd}, volumes: [{name: data, "
	  "emptyDir: {}}],"
	  " containers: [{name: c, volumeMounts: [{name: data, mountPath: /d}]}], initContainers: "
	  "[{name: i}]}}",
	  NULL },

	{ "a Service gets a new address; crane: clusterIPs as well", "Service",
	  "{metadata: {name: s}, spec: {type: ClusterIP, clusterIP: 10.0.0.7, clusterIPs: "
	  "[10.0.0.7], ipFamilies: [IPv4], ipFamilyPolicy: SingleStack,"
	  " ports: [{port: 80, protocol: TCP}], selector: {a: b}}, status: {loadBalancer: {}}}",
	  "{metadata: {name: s}, spec: {type: ClusterIP, ports: [{port: 80, protocol: TCP}], "
	  "selector: {a: b}}}",
	  NULL },
	{ "a headless Service stays headless", "Service",
	  "{metadata: {name: s}, spec: {type: ClusterIP, clusterIP: None, clusterIPs: [None], "
	  "ports: [{port: 80}]}}",
	  "{metadata: {name: s}, spec: {type: ClusterIP, clusterIP: None, clusterIPs: [None], "
	  "ports: [{port: 80}]}}",
	  NULL },
	{ "a Service of a foreign name is untouched", "Service",
	  "{metadata: {name: s}, spec: {type: ExternalName, externalName: example.com}}",
	  "{metadata: {name: s}, spec: {type: ExternalName, externalName: example.com}}", NULL },
	{ "velero#3419: allocated node ports go, and the door stays shut until the opening",
	  "Service",
	  "{metadata: {name: s}, spec: {type: NodePort, clusterIP: 10.0.0.7, "
	  "externalTrafficPolicy: Cluster, ports: [{port: 80, nodePort: 30123}]}}",
	  "{metadata: {name: s}, spec: {type: NodePort, externalTrafficPolicy: Cluster, ports: "
	  "[{port: 80}]}}",
	  "{spec: {type: ClusterIP, externalTrafficPolicy: null}}" },
	{ "a node port that a user applied stays, by number of the unnamed port", "Service",
	  "{metadata: {name: s, annotations: {kubectl.kubernetes.io/last-applied-configuration: "
	  "'{\"spec\":{\"ports\":[{\"port\":80,\"nodePort\":30080},{\"name\":\"x\",\"port\":81}]}}'"
	  "}},"
	  " spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}, {name: x, port: 81, "
	  "nodePort: 31999}]}}",
	  "{metadata: {name: s}, spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}, "
	  "{name: x, port: 81}]}}",
	  "{spec: {type: ClusterIP, ports: [{port: 80}, {name: x, port: 81}]}}" },
	{ "velero: without last-applied the managed fields tell; and the health check port as well",
	  "Service",
	  "{metadata: {name: s, managedFields: [{manager: helm, fieldsV1: {'f:spec': "
	  "{'f:healthCheckNodePort': {}, 'f:ports':"
	  " {'k:{\"port\":80,\"protocol\":\"TCP\"}': {'f:nodePort': {}}}}}}]},"
	  " spec: {type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 32000, "
	  "externalIPs: [1.2.3.4],"
	  " ports: [{port: 80, protocol: TCP, nodePort: 30080}, {port: 81, protocol: TCP, "
	  "nodePort: 30081}]}}",
	  "{metadata: {name: s}, spec: {type: LoadBalancer, externalTrafficPolicy: Local, "
	  "healthCheckNodePort: 32000,"
	  " ports: [{port: 80, protocol: TCP, nodePort: 30080}, {port: 81, protocol: TCP}]}}",
	  "{spec: {type: ClusterIP, externalTrafficPolicy: null, healthCheckNodePort: null, ports: "
	  "[{port: 80, protocol: TCP}, {port: 81, protocol: TCP}]}}" },
	{ "velero#6376: a health check port that the server chose goes", "Service",
	  "{metadata: {name: s}, spec: {type: LoadBalancer, externalTrafficPolicy: Local, "
	  "healthCheckNodePort: 32000, ports: [{port: 80}]}}",
	  "{metadata: {name: s}, spec: {type: LoadBalancer, externalTrafficPolicy: Local, ports: "
	  "[{port: 80}]}}",
	  "{spec: {type: ClusterIP, externalTrafficPolicy: null}}" },
	{ "an external address is a way in, whatever the type", "Service",
	  "{metadata: {name: s}, spec: {type: ClusterIP, externalIPs: [1.2.3.4], ports: [{port: "
	  "80}]}}",
	  "{metadata: {name: s}, spec: {type: ClusterIP, externalIPs: [1.2.3.4], ports: [{port: "
	  "80}]}}",
	  "{spec: {externalIPs: null}}" },
	{ "names in public DNS are told after the decision", "Service",
	  "{metadata: {name: s, annotations: {external-dns.alpha.kubernetes.io/hostname: "
	  "shop.example.com}}, spec: {type: ClusterIP}}",
	  "{metadata: {name: s, annotations: {external-dns.alpha.kubernetes.io/hostname: "
	  "shop.example.com}}, spec: {type: ClusterIP}}",
	  "{metadata: {annotations: null}}" },

	{ "velero#4428, crane: a claim forgets volume and node, keeps its mode",
	  "PersistentVolumeClaim",
	  "{metadata: {name: d, finalizers: [kubernetes.io/pvc-protection], annotations: "
	  "{pv.kubernetes.io/bind-completed: 'yes',"
	  " pv.kubernetes.io/bound-by-controller: 'yes', volume.kubernetes.io/selected-node: a-1, "
	  "volume.kubernetes.io/storage-provisioner: x,"
	  " volume.beta.kubernetes.io/storage-provisioner: x, mine: y}}, spec: {volumeName: pvc-1, "
	  "volumeMode: Block, storageClassName: fast,"
	  " accessModes: [ReadWriteOnce], dataSource: {kind: VolumeSnapshot, name: s}, "
	  "dataSourceRef: {kind: VolumeSnapshot, name: s},"
	  " resources: {requests: {storage: 1Gi}}}, status: {phase: Bound, capacity: {storage: "
	  "1Gi}}}",
	  "{metadata: {name: d, annotations: {mine: y}}, spec: {volumeMode: Block, "
	  "storageClassName: fast, accessModes: [ReadWriteOnce],"
	  " resources: {requests: {storage: 1Gi}}}}",
	  NULL },
	{ "the class in the old annotation becomes a field", "PersistentVolumeClaim",
	  "{metadata: {name: d, annotations: {volume.beta.kubernetes.io/storage-class: slow}}, "
	  "spec: {resources: {requests: {storage: 1Gi}}}}",
	  "{metadata: {name: d}, spec: {storageClassName: slow, resources: {requests: {storage: "
	  "1Gi}}}}",
	  NULL },
	{ "a service account loses the tokens that were made for it", "ServiceAccount",
	  "{metadata: {name: web}, secrets: [{name: web-token-x7f2q}, {name: web-dockercfg-abcde}, "
	  "{name: mine}],"
	  " imagePullSecrets: [{name: web-dockercfg-abcde}]}",
	  "{metadata: {name: web}, secrets: [{name: mine}]}", NULL },
	{ "a token that a user asked for is filled by B", "Secret",
	  "{metadata: {name: ci, annotations: {kubernetes.io/service-account.name: web, "
	  "kubernetes.io/service-account.uid: u}},"
	  " type: kubernetes.io/service-account-token, data: {token: eA==, ca.crt: eA==, "
	  "namespace: eA==}}",
	  "{metadata: {name: ci, annotations: {kubernetes.io/service-account.name: web}}, type: "
	  "kubernetes.io/service-account-token}",
	  NULL },
	{ "a Route's host that A made up goes", "Route",
	  "{metadata: {name: r, annotations: {openshift.io/host.generated: 'true'}}, spec: {host: "
	  "r-shop.apps.a, to: {kind: Service, name: s}}, status: {}}",
	  "{metadata: {name: r}, spec: {to: {kind: Service, name: s}}}", NULL },
	{ "a custom resource loses metadata and status only", "Widget",
	  "{metadata: {name: w, uid: u}, spec: {size: 3, list: []}, status: {ok: true}}",
	  "{metadata: {name: w}, spec: {size: 3, list: []}}", NULL },
	{ "an autoscaler", "HorizontalPodAutoscaler",
	  "{metadata: {name: h, annotations: {autoscaling.alpha.kubernetes.io/conditions: '[]'}}, "
	  "spec: {maxReplicas: 3}, status: {currentReplicas: 1}}",
	  "{metadata: {name: h}, spec: {maxReplicas: 3}}", NULL },
};

static void check_row(const struct row *row)
{
	struct o2_app *app = test_app("shop", NULL);
	const struct o2_kube_kind *kind = test_kind(row->kind);

	test_add(app, row->kind, row->source);
	o2_app_settle(app);
	if (o2_app_count(app) != 1)
		fail_msg("%s: not carried", row->what);
	test_rewrite(app, NULL, NULL, false);
	struct o2_doc *full = o2_app_target(app, 0, O2_APP_FULL);
	struct o2_doc *inert = o2_app_target(app, 0, O2_APP_INERT);
	test_expect(row->what, kind, full, row->full);
	struct o2_doc *patch = o2_doc_merge_diff(full, inert);
	struct o2_doc *wanted = test_doc(row->inert ? row->inert : "{}");
	if (!o2_doc_equal(patch, wanted)) {
		O2_AUTO(o2_freep) char *is = o2_doc_dump_canonical(patch);
		fail_msg("%s: disarmed by %s, not by %s", row->what, is,
			 row->inert ? row->inert : "{}");
	}
	/* Activation is the way back, and starting is needed exactly where something was disarmed. */
	struct o2_doc *activation = o2_doc_merge_diff(inert, full);
	o2_doc_merge(&inert, activation);
	assert_true(o2_doc_equal(inert, full));
	assert_int_equal(o2_app_object(app, 0)->started != O2_APP_STARTED_NEVER,
			 row->inert != NULL);
	o2_doc_free(full);
	o2_doc_free(inert);
	o2_doc_free(patch);
	o2_doc_free(wanted);
	o2_doc_free(activation);
	o2_app_free(app);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < O2_COUNT(rows); i++)
		check_row(&rows[i]);
}

static void test_source_is_as_read(void **state)
{
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	test_add(app, "ConfigMap",
		 "{metadata: {name: c, uid: u1, resourceVersion: '7'}, data: {a: b}}");
	o2_app_settle(app);
	struct o2_doc *doc = o2_app_source(app, 0);
	assert_string_equal(o2_doc_str(doc, "/metadata/uid", ""), "u1");
	assert_string_equal(o2_app_object(app, 0)->uid, "u1");
	assert_string_equal(o2_app_object(app, 0)->version, "7");
	assert_string_equal(o2_app_label(app, 0), "ConfigMap shop/c");
	o2_doc_free(doc);
	o2_app_free(app);
}

static void test_digest(void **state)
{
	char digests[3][65];
	static const char *const values[] = { "b", "b", "c" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct o2_app *app = test_app("shop", NULL);
		O2_AUTO(o2_freep)
		char *text =
			o2_xasprintf("{metadata: {name: c, resourceVersion: '%zu'}, data: {a: %s}}",
				     i, values[i]);
		test_add(app, "ConfigMap", text);
		o2_app_settle(app);
		test_rewrite(app, NULL, NULL, false);
		o2_app_digest(app, digests[i]);
		o2_app_free(app);
	}
	assert_string_equal(digests[0], digests[1]);
	assert_string_not_equal(digests[0], digests[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_source_is_as_read),
		cmocka_unit_test(test_digest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
