/* The store: objects by kind, versions, finalizers, and the log of changes. */
#include "cluster.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission.h"
#include "base/alloc.h"
#include "controllers.h"
#include "defaults.h"
#include "managed.h"
#include "refusal.h"
#include "world.h"

#define UID_BUCKETS 1024
#define FIRST_VERSION 1000
#define GRACE_DEFAULT_S 30

LIST_HEAD(bucket, sim_object);

struct sim_cluster {
	char *name;
	int64_t version;
	struct sim_objects *objects; /* one list a kind */
	struct bucket uids[UID_BUCKETS];
	struct sim_event *events;
	size_t event_count, event_cap;
	bool keeps_events;
	int64_t oldest; /* version when it began to keep them */
};

static void (*on_change)(struct sim_object *object, enum sim_change change);

void sim_on_change(void (*fn)(struct sim_object *object, enum sim_change change))
{
	on_change = fn;
}

/* --- finding --- */

static size_t kind_index(const struct sim_kind *kind)
{
	size_t count;

	return (size_t)(kind - sim_kinds(&count));
}

struct sim_object *sim_first(const struct sim_cluster *cluster, const struct sim_kind *kind)
{
	return TAILQ_FIRST(&cluster->objects[kind_index(kind)]);
}

struct sim_object *sim_next(const struct sim_object *object)
{
	return TAILQ_NEXT(object, link);
}

struct sim_object *sim_find(const struct sim_cluster *cluster, const struct sim_kind *kind,
			    const char *ns, const char *name)
{
	const char *wanted = kind->namespaced && ns ? ns : "";

	for (struct sim_object *at = sim_first(cluster, kind); at; at = sim_next(at)) {
		if (strcmp(at->name, name) == 0 && strcmp(at->ns, wanted) == 0)
			return at;
	}
	return NULL;
}

static struct bucket *bucket_of(const struct sim_cluster *cluster, const char *uid)
{
	uint64_t hash = 5381;

	for (const char *p = uid; *p; p++)
		hash = hash * 33 + (unsigned char)*p;
	return (struct bucket *)&cluster->uids[hash % UID_BUCKETS];
}

struct sim_object *sim_find_uid(const struct sim_cluster *cluster, const char *uid)
{
	struct sim_object *at;

	LIST_FOREACH(at, bucket_of(cluster, uid), uid_link)
	if (strcmp(sim_uid(at), uid) == 0)
		return at;
	return NULL;
}

const char *sim_uid(const struct sim_object *object)
{
	return o2_doc_str(object->doc, "/metadata/uid", "");
}

const char *sim_label(const struct sim_object *object, const char *key)
{
	return o2_doc_member_str(o2_doc_at(object->doc, "/metadata/labels"), key, "");
}

bool sim_is_deleting(const struct sim_object *object)
{
	return o2_doc_at(object->doc, "/metadata/deletionTimestamp") != NULL;
}

struct sim_object *sim_controller_of(const struct sim_object *object)
{
	const struct o2_doc *owners = o2_doc_at(object->doc, "/metadata/ownerReferences");

	for (size_t i = 0; i < o2_doc_count(owners); i++) {
		const struct o2_doc *owner = o2_doc_item(owners, i);
		if (o2_doc_bool(owner, "/controller", false))
			return sim_find_uid(object->cluster, o2_doc_str(owner, "/uid", ""));
	}
	return NULL;
}

/* --- selectors --- */

static bool is_among(const struct o2_doc *values, const char *value)
{
	for (size_t i = 0; i < o2_doc_count(values); i++) {
		if (strcmp(o2_doc_text(o2_doc_item(values, i)), value) == 0)
			return true;
	}
	return false;
}

static bool expression_holds(const struct o2_doc *expression, const struct o2_doc *labels)
{
	const char *operator= o2_doc_str(expression, "/operator", "");
	const char *value = o2_doc_member_str(labels, o2_doc_str(expression, "/key", ""), NULL);
	const struct o2_doc *values = o2_doc_at(expression, "/values");

	if (strcmp(operator, "In") == 0)
		return value && is_among(values, value);
	if (strcmp(operator, "NotIn") == 0)
		return !value || !is_among(values, value);
	return (strcmp(operator, "Exists") == 0) == (value != NULL);
}

bool sim_selects(const struct o2_doc *selector, const struct o2_doc *labels)
{
	struct o2_doc_iter it = o2_doc_iter(o2_doc_member(selector, "matchLabels"));
	const struct o2_doc *expressions = o2_doc_member(selector, "matchExpressions");

	while (o2_doc_next(&it)) {
		if (strcmp(o2_doc_text(it.value), o2_doc_member_str(labels, it.name, "\x7f")) != 0)
			return false;
	}
	for (size_t i = 0; i < o2_doc_count(expressions); i++) {
		if (!expression_holds(o2_doc_item(expressions, i), labels))
			return false;
	}
	return true;
}

/* --- changes --- */

struct sim_object *sim_hold(struct sim_object *object)
{
	object->uses++;
	return object;
}

void sim_let_go(struct sim_object *object)
{
	if (--object->uses > 0)
		return;
	o2_doc_free(object->doc);
	free(object->ns);
	free(object->name);
	free(object->life);
	free(object);
}

static void set_version(struct sim_cluster *cluster, struct o2_doc *doc)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)++cluster->version);
	o2_doc_put_str(doc, "/metadata/resourceVersion", text);
}

static void tell(struct sim_object *object, enum sim_change change)
{
	struct sim_cluster *cluster = object->cluster;

	if (cluster->keeps_events) {
		O2_GROW(cluster->events, cluster->event_count, cluster->event_cap);
		cluster->events[cluster->event_count++] =
			(struct sim_event){ .change = change,
					    .kind = object->kind,
					    .doc = o2_doc_ref(object->doc),
					    .version = cluster->version };
	}
	sim_controllers_see(object, change);
	if (on_change)
		on_change(object, change);
}

static struct sim_object *insert(struct sim_cluster *cluster, const struct sim_kind *kind,
				 struct o2_doc *doc)
{
	struct sim_object *object = o2_xcalloc(1, sizeof(*object));

	object->cluster = cluster;
	object->kind = kind;
	object->ns = o2_xstrdup(kind->namespaced ? o2_doc_str(doc, "/metadata/namespace", "") : "");
	object->name = o2_xstrdup(o2_doc_str(doc, "/metadata/name", ""));
	object->doc = doc;
	object->uses = 1;
	TAILQ_INSERT_TAIL(&cluster->objects[kind_index(kind)], object, link);
	LIST_INSERT_HEAD(bucket_of(cluster, sim_uid(object)), object, uid_link);
	return object;
}

static void make_uid(char out[37])
{
	unsigned char b[16];

	sim_random_bytes(b, sizeof(b));
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-4%01x%02x-8%01x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6] & 15, b[7], b[8] & 15, b[9], b[10], b[11],
		 b[12], b[13], b[14], b[15]);
}

void sim_make_suffix(char *out, size_t count)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789"; /* as Kubernetes' own */

	for (size_t i = 0; i < count; i++)
		out[i] = letters[sim_random(sizeof(letters) - 1)];
	out[count] = '\0';
}

static void fill_metadata(const struct sim_kind *kind, struct o2_doc *doc)
{
	const char *generate = o2_doc_str(doc, "/metadata/generateName", "");
	char uid[37], suffix[6];

	if (o2_doc_str(doc, "/metadata/name", "")[0] == '\0' && generate[0]) {
		sim_make_suffix(suffix, 5);
		O2_AUTO(o2_freep) char *name = o2_xasprintf("%s%s", generate, suffix);
		o2_doc_put_str(doc, "/metadata/name", name);
	}
	make_uid(uid);
	o2_doc_put_str(doc, "/metadata/uid", uid);
	o2_doc_put_str(doc, "/metadata/creationTimestamp", sim_stamp());
	o2_doc_remove(doc, "/metadata/deletionTimestamp");
	o2_doc_remove(doc, "/metadata/deletionGracePeriodSeconds");
	o2_doc_remove(doc, "/metadata/selfLink");
	if (kind->has_generation)
		o2_doc_put_int(doc, "/metadata/generation", 1);
	else
		o2_doc_remove(doc, "/metadata/generation");
	if (kind->has_status)
		sim_reset_status(kind, doc);
}

bool sim_prepare(struct sim_cluster *cluster, struct o2_doc *doc, const char *manager, bool dry,
		 struct sim_refusal *refusal)
{
	const struct sim_kind *kind = sim_kind_of(doc);

	if (!kind)
		return sim_refuse(refusal, 400, "BadRequest", "no kind \"%s\" is registered",
				  o2_doc_member_str(doc, "kind", ""));
	if (!sim_admit_namespace(cluster, kind, doc, refusal))
		return false;
	sim_fill_defaults(kind, doc);
	if (manager)
		sim_managed_update(NULL, doc, manager, NULL);
	fill_metadata(kind, doc);
	return sim_admit_webhooks(cluster, kind, doc, refusal) &&
	       sim_admit_create(cluster, doc, dry, refusal);
}

struct sim_object *sim_store(struct sim_cluster *cluster, struct o2_doc *doc)
{
	struct sim_object *object;

	set_version(cluster, doc);
	object = insert(cluster, sim_kind_of(doc), doc);
	tell(object, SIM_ADDED);
	return object;
}

struct sim_object *sim_create(struct sim_cluster *cluster, struct o2_doc *doc, const char *manager,
			      struct sim_refusal *refusal)
{
	struct sim_refusal unread;

	if (sim_prepare(cluster, doc, manager, false, refusal ? refusal : &unread))
		return sim_store(cluster, doc);
	o2_doc_free(doc);
	return NULL;
}

/* Nothing but the finalizers keeps an object that is being deleted. */
static bool may_go(const struct sim_object *object)
{
	const struct o2_doc *finalizers = o2_doc_at(object->doc, "/metadata/finalizers");
	bool is_pod = strcmp(object->kind->kind, "Pod") == 0;
	bool is_namespace = strcmp(object->kind->kind, "Namespace") == 0;

	if (o2_doc_count(finalizers) > 0 || is_namespace)
		return false;
	return !is_pod || o2_doc_int(object->doc, "/metadata/deletionGracePeriodSeconds", 0) == 0;
}

void sim_remove(struct sim_object *object)
{
	struct o2_doc *last = o2_doc_copy(object->doc);

	set_version(object->cluster, last);
	o2_doc_free(object->doc);
	object->doc = last;
	object->gone = true;
	TAILQ_REMOVE(&object->cluster->objects[kind_index(object->kind)], object, link);
	LIST_REMOVE(object, uid_link);
	tell(object, SIM_DELETED);
	sim_let_go(object);
}

void sim_put(struct sim_object *object, struct o2_doc *doc)
{
	assert(!object->gone);
	if (o2_doc_equal(object->doc, doc)) {
		o2_doc_free(doc);
		return;
	}
	if (object->kind->has_generation &&
	    !o2_doc_equal(o2_doc_at(object->doc, "/spec"), o2_doc_at(doc, "/spec")))
		o2_doc_put_int(doc, "/metadata/generation",
			       o2_doc_int(object->doc, "/metadata/generation", 0) + 1);
	set_version(object->cluster, doc);
	o2_doc_free(object->doc);
	object->doc = doc;
	if (sim_is_deleting(object) && may_go(object)) {
		sim_remove(object);
		return;
	}
	tell(object, SIM_MODIFIED);
}

static void add_finalizer(struct o2_doc *doc, const char *name)
{
	struct o2_doc *list = o2_doc_at(doc, "/metadata/finalizers");

	if (!list) {
		o2_doc_put(doc, "/metadata/finalizers", o2_doc_array_new());
		list = o2_doc_at(doc, "/metadata/finalizers");
	}
	if (!is_among(list, name))
		o2_doc_append_str(list, name);
}

static int64_t grace_of(const struct sim_object *object, int64_t grace_s)
{
	bool is_pod = strcmp(object->kind->kind, "Pod") == 0;

	if (!is_pod || o2_doc_str(object->doc, "/spec/nodeName", "")[0] == '\0')
		return 0;
	return grace_s >= 0 ? grace_s
			    : o2_doc_int(object->doc, "/spec/terminationGracePeriodSeconds",
					 GRACE_DEFAULT_S);
}

/* Nothing waits for it: it goes without ever having been on its way out. */
static bool goes_at_once(const struct sim_object *object, enum sim_propagation propagation,
			 int64_t grace)
{
	bool is_namespace = strcmp(object->kind->kind, "Namespace") == 0;

	return propagation == SIM_BACKGROUND && grace == 0 && !is_namespace &&
	       o2_doc_count(o2_doc_at(object->doc, "/metadata/finalizers")) == 0;
}

void sim_delete_in(struct sim_object *object, enum sim_propagation propagation, int64_t grace_s)
{
	int64_t grace = grace_of(object, grace_s);
	struct o2_doc *doc;

	if (goes_at_once(object, propagation, grace)) {
		sim_remove(object);
		return;
	}
	doc = o2_doc_copy(object->doc);
	if (propagation == SIM_FOREGROUND)
		add_finalizer(doc, "foregroundDeletion");
	if (propagation == SIM_ORPHAN)
		add_finalizer(doc, "orphan");
	if (!sim_is_deleting(object)) {
		o2_doc_put_str(doc, "/metadata/deletionTimestamp", sim_stamp());
		o2_doc_put_int(doc, "/metadata/deletionGracePeriodSeconds", grace);
		if (strcmp(object->kind->kind, "Namespace") == 0)
			o2_doc_put_str(doc, "/status/phase", "Terminating");
	} else if (grace < o2_doc_int(doc, "/metadata/deletionGracePeriodSeconds", 0)) {
		o2_doc_put_int(doc, "/metadata/deletionGracePeriodSeconds", grace);
	}
	sim_put(object, doc);
}

void sim_delete(struct sim_object *object, enum sim_propagation propagation)
{
	sim_delete_in(object, propagation, -1);
}

/* --- the cluster itself --- */

struct sim_cluster *sim_cluster_new(const char *name)
{
	struct sim_cluster *cluster = o2_xcalloc(1, sizeof(*cluster));
	size_t count;

	sim_kinds(&count);
	cluster->name = o2_xstrdup(name);
	cluster->version = FIRST_VERSION;
	cluster->objects = o2_xcalloc(count, sizeof(*cluster->objects));
	for (size_t i = 0; i < count; i++)
		TAILQ_INIT(&cluster->objects[i]);
	sim_controllers_begin(cluster);
	return cluster;
}

const char *sim_cluster_name(const struct sim_cluster *cluster)
{
	return cluster->name;
}

int64_t sim_cluster_version(const struct sim_cluster *cluster)
{
	return cluster->version;
}

void sim_cluster_keep_events(struct sim_cluster *cluster)
{
	cluster->keeps_events = true;
	cluster->oldest = cluster->version;
}

int64_t sim_cluster_oldest(const struct sim_cluster *cluster)
{
	return cluster->oldest;
}

bool sim_cluster_event(const struct sim_cluster *cluster, size_t index, struct sim_event *out)
{
	if (index >= cluster->event_count)
		return false;
	*out = cluster->events[index];
	return true;
}
