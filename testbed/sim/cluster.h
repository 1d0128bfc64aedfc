/*
 * One cluster: its objects as etcd keeps them, and what an API server does to them.
 *
 * Objects are whole documents. Every change gives the object the cluster's next resourceVersion and is told to watchers and
 * controllers. Deleting follows finalizers: an object that has some gets a deletionTimestamp and goes when the last is taken off.
 *
 *	struct sim_cluster *a = sim_cluster_new("A");
 *	struct sim_object *web = sim_find(a, sim_kind("apps", "Deployment"), "shop", "web");
 *	struct o2_doc *next = o2_doc_copy(web->doc);
 *	o2_doc_put_int(next, "/spec/replicas", 0);
 *	sim_put(web, next);
 *
 * Callers inside the simulator (controllers, other actors, the oracle) use these functions; os2os comes in through
 * sim_serve() (api.h), which ends in the same ones.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "doc/doc.h"

/*
 * An object is never changed in place: its document is replaced. So documents may be referred to (o2_doc_ref) as what was, by logs
 * and answers.
 */
struct sim_cluster;

/* What a kind is; rows of kinds.def. */
struct sim_kind {
	const char *group;       /* "" for the core group */
	const char *version;     /* "v1" */
	const char *api_version; /* "apps/v1" */
	const char *kind;
	const char *resource;
	bool namespaced;
	bool has_status, has_scale;
	bool has_generation; /* metadata.generation grows when spec changes */
	bool is_review;      /* answered, never stored */
};
/* NULL if there is none. */
const struct sim_kind *sim_kind(const char *group, const char *kind);
const struct sim_kind *sim_kind_of(const struct o2_doc *object); /* by apiVersion and kind */
const struct sim_kind *sim_kinds(size_t *out_count);

struct sim_object {
	TAILQ_ENTRY(sim_object) link;
	LIST_ENTRY(sim_object) uid_link;
	struct sim_cluster *cluster;
	const struct sim_kind *kind;
	char *ns; /* "" for cluster-scoped */
	char *name;
	struct o2_doc
		*doc; /* replaced as a whole by every change; borrow from it only until then */
	bool gone;    /* removed from the store; freed when nobody refers to it (uses) */
	int uses;
	bool queued; /* a controller is going to look at it */
	void *life;  /* the kubelet's (pods), the storage's (volumes); NULL elsewhere */
	int64_t backoff_us, backoff_until_us; /* of a controller that was refused */
};
TAILQ_HEAD(sim_objects, sim_object);

/* Objects of a kind, oldest first. `#define`d walk: for (o = sim_first(c, k); o; o = sim_next(o)) with the current one removable by sim_delete(). */
struct sim_object *sim_first(const struct sim_cluster *cluster, const struct sim_kind *kind);
struct sim_object *sim_next(const struct sim_object *object);
/* ns NULL or "" for cluster-scoped; NULL if absent. */
struct sim_object *sim_find(const struct sim_cluster *cluster, const struct sim_kind *kind,
			    const char *ns, const char *name);
struct sim_object *sim_find_uid(const struct sim_cluster *cluster, const char *uid);

const char *sim_uid(const struct sim_object *object);
const char *sim_label(const struct sim_object *object, const char *key); /* "" if absent */
bool sim_is_deleting(const struct sim_object *object);
/* The owner with controller: true, NULL if none or gone. */
struct sim_object *sim_controller_of(const struct sim_object *object);
/* Does a LabelSelector ({matchLabels, matchExpressions}), or a plain map with `plain`, match the labels of an object or template? */
bool sim_selects(const struct o2_doc *selector, const struct o2_doc *labels);

/* Why something was refused: what the API server's Status says. refusal.h fills it. */
struct sim_refusal {
	int status;      /* 403 ... */
	char reason[64]; /* "Forbidden" */
	char message[1024];
	bool has_details;
	const char *group,
		*kind; /* kind: the resource, or the kind in a 422; NULL: none. Never freed */
	char name[256];
	char uid[40];
	char causes[1024]; /* lines: reason, field and words with tabs between */
};

/*
 * CREATE as a controller or another actor: names by generateName, defaults, admission (quota, namespace lifecycle). Takes `doc`.
 * NULL if refused; `refusal` may be NULL.
 */
struct sim_object *sim_create(struct sim_cluster *cluster, struct o2_doc *doc, const char *manager,
			      struct sim_refusal *refusal);
/*
 * What a request to create comes to, short of storing it: `doc` is filled in.
 * manager  NULL: ownership is settled already (an apply).
 * dry      nothing is counted.
 * Returns  false with the refusal filled in.
 */
bool sim_prepare(struct sim_cluster *cluster, struct o2_doc *doc, const char *manager, bool dry,
		 struct sim_refusal *refusal);
/* Store what was prepared (taken). */
struct sim_object *sim_store(struct sim_cluster *cluster, struct o2_doc *doc);
/* The object becomes `doc` (taken): next resourceVersion, generation if spec changed. A `doc` that is equal changes nothing. An object that is being deleted and has no finalizer left goes. */
void sim_put(struct sim_object *object, struct o2_doc *doc);
/* DELETE. orphan/foreground as the API's propagationPolicy; background is the default. A pod gets its grace period and goes when the kubelet says so. */
enum sim_propagation { SIM_BACKGROUND, SIM_FOREGROUND, SIM_ORPHAN };
void sim_delete(struct sim_object *object, enum sim_propagation propagation);
/* The same of a pod with another grace period than its own (negative: its own). */
void sim_delete_in(struct sim_object *object, enum sim_propagation propagation, int64_t grace_s);
/* Letters for generated names, as Kubernetes makes them; `out` holds count + 1. */
void sim_make_suffix(char *out, size_t count);
/* Out of the store at once, whatever it carries: the end of a deletion. */
void sim_remove(struct sim_object *object);

/* One more reference to an object that may go meanwhile (gone says so); give it back. */
struct sim_object *sim_hold(struct sim_object *object);
void sim_let_go(struct sim_object *object);

/* What happened to an object, for controllers and watchers. */
enum sim_change { SIM_ADDED, SIM_MODIFIED, SIM_DELETED };
/* Called after every change, once controllers were told. One at most; NULL: nobody. */
void sim_on_change(void (*fn)(struct sim_object *object, enum sim_change change));

struct sim_cluster *sim_cluster_new(const char *name);
const char *sim_cluster_name(const struct sim_cluster *cluster);
/* Remember changes from now on, for watches. */
void sim_cluster_keep_events(struct sim_cluster *cluster);
/* What changed, for watches: event `index` from the beginning of the world; false if there is none yet. `doc` is borrowed. */
struct sim_event {
	enum sim_change change;
	const struct sim_kind *kind;
	struct o2_doc *doc;
	int64_t version;
};
bool sim_cluster_event(const struct sim_cluster *cluster, size_t index, struct sim_event *out);
/* The version from which on changes are remembered. */
int64_t sim_cluster_oldest(const struct sim_cluster *cluster);
/* The last version that was given out. */
int64_t sim_cluster_version(const struct sim_cluster *cluster);
