/* Movers as documents: what goes in, what comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "volume/agent_image.h"
#include "volume/volume_internal.h"

#define ID "k3j9x2"

static const struct o2_volume_options plain = { 0 };

static struct o2_doc *yaml(const char *text)
{
	struct o2_err err = { 0 };
	struct o2_doc *docs = o2_doc_parse_yaml(text, strlen(text), &err);

	if (docs == NULL)
		fail_msg("%s", err.message);
	struct o2_doc *doc = o2_doc_ref(o2_doc_item(docs, 0));
	o2_doc_free(docs);
	return doc;
}

static void expect_doc(const struct o2_doc *got, const char *text)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *wished = yaml(text);

	if (o2_doc_equal(got, wished))
		return;
	O2_AUTO(o2_freep) char *is = o2_doc_dump_yaml(got);
	O2_AUTO(o2_freep) char *should = o2_doc_dump_yaml(wished);
	fail_msg("it is:\n%s\nit should be:\n%s", is, should);
}

/* The mover of a pod with claims "data-db-0" (B: "data-db-0") and, if `device`, "raw" as a block device. */
static struct o2_doc *mover(const char *pod, enum o2_side side, const char *node, bool device,
			    const struct o2_volume_options *options)
{
	struct o2_volume_claim claims[] = {
		{ .name = { (char *)"data-db-0", (char *)"data-db-0" } },
		{ .name = { (char *)"raw", (char *)"raw-b" }, .is_block = true },
	};
	struct o2_doc *spec = yaml(pod);
	const struct o2_volume_group group = { .name = (char *)"db-0",
					       .ns = { (char *)"shop", (char *)"store" },
					       .pod = { spec, spec },
					       .node = (char *)node,
					       .claims = claims,
					       .claim_count = device ? 2 : 1 };
	struct o2_doc *made = o2_volume_mover_pod(&group, side, ID, 2, options);

	o2_doc_free(spec);
	return made;
}

static const char postgres[] =
	"serviceAccountName: db\n"
	"hostNetwork: true\n"
	"nodeSelector: {disk: ssd}\n"
	"priorityClassName: high\n"
	"runtimeClassName: kata\n"
	"schedulerName: other\n"
	"imagePullSecrets: [{name: pull}]\n"
	"tolerations: [{key: db, operator: Exists}]\n"
	"topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone}]\n"
	"affinity:\n"
	"  nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: "
	"[]}}\n"
	"  podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: []}\n"
	"securityContext:\n"
	"  runAsNonRoot: true\n"
	"  runAsUser: 70\n"
	"  fsGroup: 70\n"
	"  fsGroupChangePolicy: Always\n"
	"  supplementalGroups: [7]\n"
	"  seLinuxOptions: {level: 's0:c1,c2'}\n"
	"  seccompProfile: {type: Localhost, localhostProfile: p.json}\n"
	"  sysctls: [{name: a, value: b}]\n"
	"initContainers: [{name: init, image: busybox}]\n"
	"containers:\n"
	"- name: exporter\n"
	"  image: exporter:1\n"
	"- name: postgres\n"
	"  image: postgres:17\n"
	"  imagePullPolicy: IfNotPresent\n"
	"  command: [postgres]\n"
	"  env: [{name: PASSWORD, value: secret}]\n"
	"  ports: [{containerPort: 5432}]\n"
	"  livenessProbe: {exec: {command: [x]}}\n"
	"  securityContext: {privileged: true, runAsGroup: 70}\n"
	"  volumeMounts: [{name: data, mountPath: /var/lib/postgresql}]\n";

static const char postgres_mover[] =
	"apiVersion: v1\n"
	"kind: Pod\n"
	"metadata:\n"
	"  name: os2os-mover-" ID "-b-db-0\n"
	"  namespace: store\n"
	"  labels:\n"
	"    os2os.io/helper: mover\n"
	"    sidecar.istio.io/inject: 'false'\n"
	"  annotations:\n"
	"    sidecar.istio.io/inject: 'false'\n"
	"    linkerd.io/inject: disabled\n"
	"spec:\n"
	"  imagePullSecrets: [{name: pull}]\n"
	"  serviceAccountName: db\n"
	"  tolerations: [{key: db, operator: Exists}]\n"
	"  runtimeClassName: kata\n"
	"  schedulerName: other\n"
	"  priorityClassName: high\n"
	"  nodeSelector: {disk: ssd}\n"
	"  affinity:\n"
	"    nodeAffinity:\n"
	"      requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}\n"
	"  automountServiceAccountToken: false\n"
	"  enableServiceLinks: false\n"
	"  restartPolicy: Never\n"
	"  activeDeadlineSeconds: 86400\n"
	"  terminationGracePeriodSeconds: 1\n"
	"  securityContext:\n"
	"    runAsUser: 70\n"
	"    runAsNonRoot: true\n"
	"    fsGroup: 70\n"
	"    fsGroupChangePolicy: OnRootMismatch\n"
	"    supplementalGroups: [7]\n"
	"    seLinuxOptions: {level: 's0:c1,c2'}\n"
	"    seccompProfile: {type: RuntimeDefault}\n"
	"  containers:\n"
	"  - name: mover\n"
	"    image: postgres:17\n"
	"    imagePullPolicy: IfNotPresent\n"
	"    command: [/os2os/loader, hold]\n"
	"    env: [{name: OS2OS_AGENT_DIR, value: /os2os-scratch}]\n"
	"    resources:\n"
	"      requests: {cpu: 10m, memory: 32Mi}\n"
	"      limits: {memory: 128Mi}\n"
	"    securityContext:\n"
	"      runAsGroup: 70\n"
	"      allowPrivilegeEscalation: false\n"
	"      readOnlyRootFilesystem: true\n"
	"      capabilities: {drop: [ALL]}\n"
	"    volumeMounts:\n"
	"    - {name: os2os-agent, mountPath: /os2os, readOnly: true}\n"
	"    - {name: os2os-scratch, mountPath: /os2os-scratch}\n"
	"    - {name: claim-0, mountPath: /os2os-volumes/data-db-0}\n"
	"    volumeDevices:\n"
	"    - {name: claim-1, devicePath: /os2os-volumes/raw}\n"
	"  volumes:\n"
	"  - name: os2os-agent\n"
	"    projected:\n"
	"      defaultMode: 365\n"
	"      sources:\n"
	"      - configMap: {name: os2os-agent-" ID "-0}\n"
	"      - configMap: {name: os2os-agent-" ID "-1}\n"
	"  - name: os2os-scratch\n"
	"    emptyDir: {sizeLimit: 64Mi}\n"
	"  - name: claim-0\n"
	"    persistentVolumeClaim: {claimName: data-db-0}\n"
	"  - name: claim-1\n"
	"    persistentVolumeClaim: {claimName: raw-b}\n";

static void test_a_mover_goes_where_the_pod_may_go(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *pod = mover(postgres, O2_TARGET, "n1", true, &plain);

	(void)state;
	expect_doc(pod, postgres_mover);
}

static void test_on_a_it_sits_on_the_node_and_only_reads(void **state)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *pod = mover(postgres, O2_SOURCE, "n1", false, &plain);

	(void)state;
	assert_string_equal(o2_doc_str(pod, "/metadata/name", ""), "os2os-mover-" ID "-a-db-0");
	assert_string_equal(o2_doc_str(pod, "/metadata/namespace", ""), "shop");
	assert_null(o2_doc_at(pod, "/spec/nodeSelector"));
	assert_null(o2_doc_at(pod, "/spec/nodeName"));
	expect_doc(o2_doc_at(pod, "/spec/affinity"),
		   "nodeAffinity:\n"
		   "  requiredDuringSchedulingIgnoredDuringExecution:\n"
		   "    nodeSelectorTerms:\n"
		   "    - matchFields:\n"
		   "      - {key: metadata.name, operator: In, values: [n1]}\n");
	expect_doc(o2_doc_at(pod, "/spec/tolerations"), "- {key: db, operator: Exists}\n"
							"- {key: node.kubernetes.io/unschedulable, "
							"operator: Exists, effect: NoSchedule}\n");
	assert_true(o2_doc_bool(pod, "/spec/containers/0/volumeMounts/2/readOnly", false));

	O2_AUTO(o2_doc_freep)
	struct o2_doc *free_pod = mover(postgres, O2_SOURCE, NULL, false, &plain);
	assert_string_equal(o2_doc_str(free_pod, "/spec/nodeSelector/disk", ""), "ssd");
	assert_null(o2_doc_at(free_pod, "/spec/affinity/podAntiAffinity"));
}

static void test_rights_follow_the_user(void **state)
{
	static const char added[] =
		"drop: [ALL]\nadd: [CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD, SETFCAP]";
	static const char none[] = "drop: [ALL]";
	static const struct {
		const char *pod, *container, *rights;
	} cases[] = {
		{ "{}", "{}", added }, /* the image says who: it may be root */
		{ "{runAsUser: 0}", "{}", added },
		{ "{runAsUser: 5}", "{}", none },
		{ "{runAsNonRoot: true}", "{}", none },
		{ "{runAsUser: 5}", "{runAsUser: 0}", added },
		{ "{runAsUser: 0}", "{runAsUser: 5}", none },
		{ "{runAsNonRoot: true}", "{runAsNonRoot: false}", added },
		{ "{}", "{capabilities: {drop: [ALL]}}", none },
		{ "{}", "{capabilities: {drop: [ALL], add: [CHOWN]}}",
		  "drop: [ALL]\nadd: [CHOWN]" },
		{ "{}", "{capabilities: {drop: [MKNOD]}}",
		  "drop: [ALL]\nadd: [CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP]" },
	};
	const struct o2_volume_options root = { .as_root = true, .no_limits = true };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++) {
		O2_AUTO(o2_freep)
		char *text = o2_xasprintf("{securityContext: %s, containers: [{name: c, image: i, "
					  "securityContext: %s}]}",
					  cases[i].pod, cases[i].container);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *pod = mover(text, O2_TARGET, NULL, false, &plain);
		O2_AUTO(o2_doc_freep)
		struct o2_doc *as_root = mover(text, O2_TARGET, NULL, false, &root);
		const struct o2_doc *security =
			o2_doc_at(as_root, "/spec/containers/0/securityContext");

		expect_doc(o2_doc_at(pod, "/spec/containers/0/securityContext/capabilities"),
			   cases[i].rights);
		expect_doc(o2_doc_at(security, "/capabilities"), added);
		assert_int_equal(o2_doc_int(security, "/runAsUser", -1), 0);
		assert_false(o2_doc_bool(security, "/runAsNonRoot", true));
		assert_false(o2_doc_bool(security, "/allowPrivilegeEscalation", true));
		assert_null(o2_doc_at(as_root, "/spec/containers/0/resources/limits"));
	}
}

static void test_an_assigned_user_asks_for_no_rights(void **state)
{
	static const char text[] = "{containers: [{name: c, image: i}]}";
	const struct o2_volume_options options = { .user_assigned = { false, true } };
	O2_AUTO(o2_doc_freep) struct o2_doc *a = mover(text, O2_SOURCE, NULL, false, &options);
	O2_AUTO(o2_doc_freep) struct o2_doc *b = mover(text, O2_TARGET, NULL, false, &options);

	(void)state;
	assert_non_null(o2_doc_at(a, "/spec/containers/0/securityContext/capabilities/add"));
	assert_null(o2_doc_at(b, "/spec/containers/0/securityContext/capabilities/add"));
}

static void expect_image(const char *pod, const char *container, const char *image)
{
	struct o2_volume_claim claim = { .name = { (char *)"data-db-0", (char *)"data-db-0" } };
	O2_AUTO(o2_doc_freep) struct o2_doc *spec = yaml(pod);
	const struct o2_volume_group group = { .name = (char *)"g",
					       .ns = { (char *)"a", (char *)"b" },
					       .pod = { spec, spec },
					       .container = (char *)container,
					       .claims = &claim,
					       .claim_count = 1 };
	O2_AUTO(o2_doc_freep)
	struct o2_doc *made = o2_volume_mover_pod(&group, O2_TARGET, ID, 1, &plain);

	assert_string_equal(o2_doc_str(made, "/spec/containers/0/image", ""), image);
}

static void test_the_container_that_mounts_the_claim_lends_its_image(void **state)
{
	static const char two[] = "volumes:\n"
				  "- {name: data, emptyDir: {}}\n"
				  "- {name: x, persistentVolumeClaim: {claimName: data-db-0}}\n"
				  "containers:\n"
				  "- {name: one, image: i1, volumeMounts: [{name: data}]}\n"
				  "- {name: two, image: i2, volumeMounts: [{name: x}]}\n";
	static const char device[] = "containers:\n"
				     "- {name: one, image: i1, volumeMounts: [{name: dat}]}\n"
				     "- {name: two, image: i2, volumeDevices: [{name: data}]}\n";

	(void)state;
	expect_image(two, NULL, "i2");
	expect_image(two, "one", "i1");
	expect_image(two, "absent", "i1");
	expect_image(device, NULL, "i2");
	expect_image("containers: [{name: one, image: i1}, {name: two, image: i2}]", NULL, "i1");
}

/* Joined again the parts are the program. */
static void test_the_agent_is_cut_into_maps_that_fit(void **state)
{
	const size_t len = 2 * o2_agent_part_bytes + 17;
	O2_AUTO(o2_freep) unsigned char *agent = o2_xmalloc(len);
	struct o2_err err = { 0 };
	size_t at = 0;

	(void)state;
	o2_random_bytes(agent, len);
	O2_AUTO(o2_doc_freep)
	struct o2_doc *maps = o2_volume_agent_maps_of(ID, "shop", agent, len, "loader", 6);
	assert_int_equal(o2_doc_count(maps), 3);
	for (size_t i = 0; i < 3; i++) {
		const struct o2_doc *map = o2_doc_item(maps, i);
		O2_AUTO(o2_freep) char *name = o2_xasprintf("os2os-agent-" ID "-%zu", i);
		O2_AUTO(o2_freep) char *key = o2_xasprintf("/binaryData/agent-%zu", i);
		O2_AUTO(o2_freep) unsigned char *part = NULL;
		size_t part_len = 0;

		assert_string_equal(o2_doc_str(map, "/metadata/name", ""), name);
		assert_string_equal(o2_doc_str(map, "/metadata/namespace", ""), "shop");
		assert_true(o2_doc_bool(map, "/immutable", false));
		assert_int_equal(o2_doc_count(o2_doc_at(map, "/binaryData")), i == 0 ? 2 : 1);
		if (o2_base64_decode(o2_doc_str(map, key, ""), &part, &part_len, &err) < 0)
			fail_msg("%s", err.message);
		assert_true(at + part_len <= len);
		assert_memory_equal(part, agent + at, part_len);
		at += part_len;
	}
	assert_int_equal(at, len);
	assert_string_equal(o2_doc_str(maps, "/0/binaryData/loader", ""), "bG9hZGVy");

	O2_AUTO(o2_doc_freep)
	struct o2_doc *exact =
		o2_volume_agent_maps_of(ID, "shop", agent, o2_agent_part_bytes, "l", 1);
	assert_int_equal(o2_doc_count(exact), 1);
	O2_AUTO(o2_doc_freep) struct o2_doc *real = o2_volume_agent_maps(ID, "shop");
	assert_true(o2_doc_count(real) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_mover_goes_where_the_pod_may_go),
		cmocka_unit_test(test_on_a_it_sits_on_the_node_and_only_reads),
		cmocka_unit_test(test_rights_follow_the_user),
		cmocka_unit_test(test_an_assigned_user_asks_for_no_rights),
		cmocka_unit_test(test_the_container_that_mounts_the_claim_lends_its_image),
		cmocka_unit_test(test_the_agent_is_cut_into_maps_that_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
