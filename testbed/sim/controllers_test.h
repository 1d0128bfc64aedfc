/* What the tests of the controllers share: a cluster of its own, objects from YAML, and time that passes. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controllers_internal.h"
#include "kube/health.h"

/* What tests made: it can be looked at when it is gone. */
static struct sim_list made;

/* So late nothing of a test is under way any more. */
#define ENDED_US (20000 * SIM_S)

/* A new world with one cluster, namespace "shop". */
static inline struct sim_cluster *begin(void)
{
	static struct sim_cluster *worlds[64]; /* they live as long as the process */
	static size_t world_count;
	struct sim_cluster *cluster;

	while (world_count > 0 && sim_now_us() < ENDED_US && sim_step())
		;
	sim_list_release(&made);
	sim_world_begin(7);
	cluster = sim_cluster_new("A");
	assert_true(world_count < O2_COUNT(worlds));
	worlds[world_count++] = cluster;
	sim_create(cluster, sim_object_doc(sim_known.namespace, NULL, "shop"), "kubectl", NULL);
	return cluster;
}

static inline void ring(void *arg)
{
	*(bool *)arg = true;
}

/* Let so much of the world's time pass. */
static inline void pass(int64_t us)
{
	static bool over;

	over = false;
	sim_after(us, ring, &over);
	while (!over)
		assert_true(sim_step());
}

static inline struct sim_object *make(struct sim_cluster *cluster, const char *yaml)
{
	struct o2_err err = { 0 };
	struct sim_refusal refusal = { 0 };
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = o2_doc_parse_yaml(yaml, strlen(yaml), &err);
	struct sim_object *object;

	if (!docs)
		fail_msg("%s", err.message);
	object = sim_create(cluster, o2_doc_copy(o2_doc_item(docs, 0)), "kubectl", &refusal);
	if (!object)
		fail_msg("refused: %s", refusal.message);
	sim_list_add(&made, object);
	return object;
}

/* A merge patch in YAML. */
static inline void patch(struct sim_object *object, const char *yaml)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *docs = o2_doc_parse_yaml(yaml, strlen(yaml), NULL);
	struct o2_doc *next = o2_doc_copy(object->doc);

	assert_non_null(docs);
	o2_doc_merge(&next, o2_doc_item(docs, 0));
	sim_put(object, next);
}

static inline struct sim_object *find(struct sim_cluster *cluster, const char *group,
				      const char *kind, const char *name)
{
	return sim_find(cluster, sim_kind(group, kind), "shop", name);
}

static inline struct sim_object *pod(struct sim_cluster *cluster, const char *name)
{
	return find(cluster, "", "Pod", name);
}

/* How many of a kind there are in the namespace. */
static inline int count(struct sim_cluster *cluster, const char *group, const char *kind)
{
	int number = 0;

	for (struct sim_object *at = sim_first(cluster, sim_kind(group, kind)); at;
	     at = sim_next(at))
		number += !at->kind->namespaced || strcmp(at->ns, "shop") == 0;
	return number;
}

static inline int count_pods(struct sim_cluster *cluster)
{
	return count(cluster, "", "Pod");
}

/* The n-th of a kind in the namespace; it must be there. */
static inline struct sim_object *nth(struct sim_cluster *cluster, const char *group,
				     const char *kind, int n)
{
	for (struct sim_object *at = sim_first(cluster, sim_kind(group, kind)); at;
	     at = sim_next(at)) {
		if (strcmp(at->ns, "shop") == 0 && n-- == 0)
			return at;
	}
	fail_msg("there is no such %s", kind);
	abort();
}

static inline const char *phase(const struct sim_object *object)
{
	return o2_doc_str(object->doc, "/status/phase", "");
}

static inline void assert_health(const struct sim_object *object, enum o2_kube_health wanted)
{
	struct o2_buf why;
	enum o2_kube_health health;

	o2_buf_init(&why, 4096);
	health = o2_kube_health(object->doc, &why);
	if (health != wanted)
		print_error("%s %s: %s\n", object->kind->kind, object->name, why.data);
	o2_buf_release(&why);
	assert_int_equal(health, wanted);
}

#define READY O2_KUBE_HEALTH_READY
#define PROGRESSING O2_KUBE_HEALTH_PROGRESSING

#define WEB \
	"apiVersion: apps/v1\n" \
	"kind: Deployment\n" \
	"metadata: {name: web, namespace: shop, annotations: {color: blue}}\n" \
	"spec:\n" \
	"  replicas: 2\n" \
	"  selector: {matchLabels: {app: web}}\n" \
	"  template:\n" \
	"    metadata: {labels: {app: web}}\n" \
	"    spec:\n" \
	"      containers: [{name: web, image: 'web:1'}]\n"

#define DB \
	"apiVersion: apps/v1\n" \
	"kind: StatefulSet\n" \
	"metadata: {name: db, namespace: shop}\n" \
	"spec:\n" \
	"  replicas: 2\n" \
	"  serviceName: db\n" \
	"  selector: {matchLabels: {app: db}}\n" \
	"  template:\n" \
	"    metadata: {labels: {app: db}}\n" \
	"    spec:\n" \
	"      containers:\n" \
	"      - {name: db, image: 'db:1', volumeMounts: [{name: data, mountPath: /data}]}\n" \
	"  volumeClaimTemplates:\n" \
	"  - metadata: {name: data}\n" \
	"    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
