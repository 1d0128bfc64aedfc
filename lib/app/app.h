/*
 * The application: the objects that a selection reaches, what they refer to, and what each becomes on B.
 *
 *	struct o2_app_selection selection = { .namespaces = namespaces };
 *	struct o2_app *app = o2_app_discover(kube_a, &selection, &err);   // reads A, nothing else
 *	o2_app_rewrite(app, &rewriting, kube_b, &err);                    // computes; reads nothing
 *	for (size_t i = 0; i < o2_app_count(app); i++) {
 *		O2_AUTO(o2_doc_freep) struct o2_doc *inert = o2_app_target(app, i, O2_APP_INERT);
 *		...
 *	}
 *
 * What is known of a kind is one row of one table (app/rules.c): whether it is carried, what is stripped, how it is made
 * inert, when it is created and started. An object is kept as compact JSON and becomes a tree only while it is looked at,
 * so that thousands cost little memory.
 *
 * The order is fixed by the table and the reference graph: `wave` for creating (what is referred to comes first), `level`
 * for starting (what a workload needs is ready before it). A cycle of references between workloads is cut and reported.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/strs.h"
#include "doc/doc.h"
#include "kube/kube.h"

/* Names that os2os writes into clusters. */
#define O2_LABEL_TXN "os2os.io/txn"       /* on everything that a transaction creates */
#define O2_LABEL_RECORD "os2os.io/record" /* "source", "target", "write-set", "lock", "owner" */
#define O2_ANNOTATION_PREFIX "os2os.io/"
#define O2_ANNOTATION_START "os2os.io/start" /* user's wish on a workload: "after-decision" */

enum o2_app_created {
	O2_APP_CREATED_EARLY, /* in prepare, inert */
	O2_APP_CREATED_LATE,  /* only after the decision; proved by a server dry run before */
};

enum o2_app_started {
	O2_APP_STARTED_NEVER,  /* nothing to start: config, RBAC ... */
	O2_APP_STARTED_CLOSED, /* before the decision, ways in withheld: workloads, Jobs */
	O2_APP_STARTED_OPEN, /* after the decision: ways in, CronJobs, workloads annotated after-decision */
};

enum o2_app_form {
	O2_APP_FULL,  /* what B shall hold in the end */
	O2_APP_INERT, /* the same, disarmed; equal to FULL where there is nothing to disarm */
};

/* One object of the application. Borrowed from its o2_app. */
struct o2_app_object {
	const struct o2_kube_kind *kind; /* on A, in the version it was read */
	const struct o2_kube_kind
		*target_kind; /* on B; NULL: B has no version in common (a blocker) */
	const char *ns;       /* on A; NULL for cluster-scoped */
	const char *name;
	const char *uid;
	const char *version;   /* resourceVersion on A */
	const char *target_ns; /* on B */
	const char *target_name;
	enum o2_app_created created;
	enum o2_app_started started;
	int wave;            /* 0 first; within prepare, or within the opening for LATE */
	int level;           /* 0 first; within the start; 0 for objects that are not started */
	bool by_reference;   /* reached by a reference, not by the selection itself */
	bool has_row;        /* false: a custom resource without per-kind knowledge */
	int replicas;        /* desired pods of a workload on A (Job: parallelism), 0 otherwise */
	const char *held_by; /* the transaction that keeps it frozen on A; NULL: none */
	int start_ms; /* how long the containers of its slowest pod took to be ready on A; -1 unknown */
};

struct o2_app_selection {
	struct o2_strs namespaces;
	const char *selector;         /* label selector; NULL: everything in the namespaces */
	struct o2_strs exclude_kinds; /* "Kind" or "Kind.group", user's wish */
};

struct o2_app_rewriting {
	struct o2_strs namespace_map;     /* "from:to"; absent: same name */
	struct o2_strs storage_class_map; /* "from:to"; "" is the default class */
	bool same_cluster; /* cluster objects bound to the namespace get a name of their own */
};

/* Why something is not carried, or what the reader should know. `blocks`: the migration can't go on as asked. */
struct o2_app_note {
	char *subject; /* "Secret shop/default-token-x" */
	char *text;    /* "is made by the platform" */
	char *remedy;  /* "" if there is none or none is needed */
	bool blocks;
	bool left_out; /* the subject is on A and is not carried */
};

/* A rewriting that was applied inside an object; that its own namespace changes is told by target_ns. */
struct o2_app_change {
	size_t object;
	char *path;   /* JSON Pointer */
	char *reason; /* "namespace shop becomes shop-2" */
};

/* One reference: `from` needs `to`. */
struct o2_app_edge {
	size_t from, to;
	const char *why; /* "env", "volume", "selector", "serviceAccount" ...; static */
};

struct o2_app;

/*
 * Read A and build the graph.
 *
 * Every listable kind that discovery shows is listed, in pages, several at once; kinds that may not be listed become notes that
 * block unless excluded. Owned objects are left out unless their owner is; so is what the platform makes.
 * Errors  O2_ENOTFOUND (a namespace, or nothing is selected: the message lists what is there), O2_EAUTH, O2_ETRANSIENT.
 */
O2_MUST_CHECK struct o2_app *o2_app_discover(struct o2_kube *source,
					     const struct o2_app_selection *selection,
					     struct o2_err *err);
void o2_app_free(struct o2_app *app);
O2_DEFINE_FREEP(struct o2_app, o2_app_free)

/*
 * Decide what each object becomes on B: namespace with every reference to it, storage class, version. Fills target_*, wave and level.
 * Once only. Objects that can't follow (Helm's records of another namespace) are dropped with a note, so indexes may change.
 *
 * target  NULL: every kind counts as served.
 * Errors  O2_EINVALID (a malformed map, two objects with one target name).
 */
O2_MUST_CHECK int o2_app_rewrite(struct o2_app *app, const struct o2_app_rewriting *rewriting,
				 const struct o2_kube *target, struct o2_err *err);

size_t o2_app_count(const struct o2_app *app);
const struct o2_app_object *o2_app_object(const struct o2_app *app, size_t index);
/* "Deployment shop/web", or "ClusterRole viewer"; on A, and on B. Valid as long as the app. */
const char *o2_app_label(const struct o2_app *app, size_t index);
const char *o2_app_target_label(const struct o2_app *app, size_t index);
/* As read from A, but without managedFields (half of the memory; only Services keep them). Caller frees. */
struct o2_doc *o2_app_source(const struct o2_app *app, size_t index);
/* What B is to hold, without any mark of a transaction. Caller frees. */
struct o2_doc *o2_app_target(const struct o2_app *app, size_t index, enum o2_app_form form);
/*
 * The merge patch that stops an object on A: replicas 0, suspended, on no node; NULL for what has no pods or can't be stopped
 * without being deleted (a Pod of its own). Caller frees.
 */
struct o2_doc *o2_app_freeze(const struct o2_app *app, size_t index);
/* Digest of the FULL target of everything, in order: equal applications have equal digests. */
void o2_app_digest(const struct o2_app *app, char out[65]);

size_t o2_app_note_count(const struct o2_app *app);
const struct o2_app_note *o2_app_note(const struct o2_app *app, size_t index);
size_t o2_app_change_count(const struct o2_app *app);
const struct o2_app_change *o2_app_change(const struct o2_app *app, size_t index);
size_t o2_app_edge_count(const struct o2_app *app);
const struct o2_app_edge *o2_app_edge(const struct o2_app *app, size_t index);

/* The target namespaces, in the order of the selection; and the source namespace that each comes from. */
const struct o2_strs *o2_app_target_namespaces(const struct o2_app *app);
const struct o2_strs *o2_app_source_namespaces(const struct o2_app *app);

/* The Namespace object for B: name, and the labels and annotations that are the user's or decide about rights. Caller frees. */
struct o2_doc *o2_app_target_namespace(const struct o2_app *app, size_t index);

/* Pod template of a workload's document, NULL if it has none (/spec/template, CronJob's, Pod itself). Borrowed from `object`. */
struct o2_doc *o2_app_pod_template(struct o2_doc *object);
/* Does a workload's selector select pods with these labels? */
bool o2_app_selects(const struct o2_doc *workload, const struct o2_doc *labels);
/* Has the kind a pod template? */
bool o2_app_is_workload(const struct o2_kube_kind *kind);
