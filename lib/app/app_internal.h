/*
 * The application from inside: items, rules, references. Every file of this folder is a noun of it:
 *
 *	rules.c      the table: one row a kind        pattern.c    JSON Pointers with '*'
 *	keep.c       what is not carried, and why     index.c      hash index of items
 *	strip.c      what B must not be told          selector.c   label selectors
 *	inert.c      how an object is disarmed        host.c       Service names in texts
 *	object.c     items and their documents        note.c       notes and changes
 *	reference.c  what a document refers to        graph.c      edges, levels
 *	selection.c  owners, closure, order           rewrite.c    namespace, storage class, version
 *	discover.c   reading A                        target.c     what B is to hold
 *	freeze.c     stopping on A
 *
 * Without a server: o2_app_new(), o2_app_add_object() for everything (Services first, since texts are searched for their
 * names), o2_app_settle(), o2_app_rewrite().
 */
#pragma once

#include <stdint.h>

#include "app/app.h"
#include "base/buf.h"

#define O2_APP_NO_ITEM SIZE_MAX

/* ---- index ------------------------------------------------------------------------------------------------------------ */

/* Hash to numbers, several for one hash; who asks compares. Zero-initialise it. */
struct o2_app_index {
	struct o2_app_index_entry {
		uint32_t hash, next;
		size_t value;
	} * entries;
	uint32_t *heads; /* entry + 1; 0: none */
	size_t count, cap, head_count;
};

/* Hash of several texts; "ab","c" differs from "a","bc". A NULL counts as "". */
uint32_t o2_app_hash(const char *const *parts, size_t count);
void o2_app_index_add(struct o2_app_index *index, uint32_t hash, size_t value);
/* Walk the numbers of a hash: `*cursor` is 0 at first; O2_APP_NO_ITEM at the end. The newest comes first. */
size_t o2_app_index_next(const struct o2_app_index *index, uint32_t hash, uint32_t *cursor);
void o2_app_index_clear(struct o2_app_index *index);

/* ---- patterns --------------------------------------------------------------------------------------------------------- */

/*
 * Visit every value that a pattern finds: a JSON Pointer in which the token "*" stands for each element or member.
 *
 * base   in front of the pointer that the visitor is told.
 * visit  may return a new value, which takes the place of the old one (ownership goes over), or NULL.
 */
typedef struct o2_doc *o2_app_visit_fn(void *arg, const char *pointer, struct o2_doc *parent,
				       struct o2_doc *value);
void o2_app_walk(struct o2_doc *root, const char *base, const char *pattern, o2_app_visit_fn *visit,
		 void *arg);

/* o2_doc_put() for documents from outside: does nothing if the way leads through something that is no object. */
void o2_app_put(struct o2_doc *doc, const char *pointer, struct o2_doc *value);

/* ---- label selectors -------------------------------------------------------------------------------------------------- */

/* Parse kubectl's notation ("a=b,c!=d,e in (x,y),!f") into a LabelSelector's matchExpressions. NULL text: everything. O2_EINVALID. */
O2_MUST_CHECK struct o2_doc *o2_app_selector_parse(const char *text, struct o2_err *err);
/* Does a LabelSelector (matchLabels, matchExpressions) match? An empty one matches everything, NULL nothing. */
bool o2_app_selector_matches(const struct o2_doc *selector, const struct o2_doc *labels);
/* Does a plain map (Service, ReplicationController) match? An empty one matches nothing. */
bool o2_app_selector_map_matches(const struct o2_doc *map, const struct o2_doc *labels);

/* ---- rules ------------------------------------------------------------------------------------------------------------ */

/* What an object refers to, as data. */
enum o2_app_shape {
	O2_APP_SHAPE_NAME, /* the value is a name in the object's own namespace */
	O2_APP_SHAPE_TYPED, /* an object with kind, name, perhaps apiGroup or apiVersion, perhaps namespace */
	O2_APP_SHAPE_NAMESPACED, /* an object with name and perhaps namespace */
	O2_APP_SHAPE_LABELS,     /* a map that selects pods */
	O2_APP_SHAPE_SELECTOR,   /* a LabelSelector that selects pods */
	O2_APP_SHAPE_ORDINALS, /* the value begins names that end in the object's name and a number */
};

enum {
	O2_APP_PULLS = 1 << 0,   /* a selection by label takes the referred along */
	O2_APP_FOLLOWS = 1 << 1, /* a selection by label takes the referring object along */
	O2_APP_QUIET = 1 << 2,   /* nobody needs to know if it is not there */
};

struct o2_app_reference {
	const char *path; /* pattern, see o2_app_walk(); NULL ends a list */
	enum o2_app_shape shape;
	const char *group,
		*kind; /* kind NULL: a workload (selectors), or said by the value (typed) */
	const char *why;
	unsigned flags;
};

/* leave: is not carried; without a reason nobody needs to know. */
struct o2_app_verdict {
	bool leave;
	const char *reason, *remedy;
};

/* Where cleaning says what it did; app NULL: nobody listens. */
struct o2_app_cleaning {
	struct o2_app *app;
	size_t item;
	const struct o2_app *known; /* what is known besides the document */
};

enum {
	O2_APP_UNLISTED = 1 << 0, /* never looked at: events, leases */
	O2_APP_REQUESTED =
		1
		<< 1, /* cluster-scoped: only what the application refers to, or what refers to it */
	O2_APP_BOUND =
		1
		<< 2, /* cluster-scoped and bound to a namespace: gets a name of its own beside the original */
	O2_APP_MADE =
		1 << 3, /* never carried while it has a controller, even if that can't be seen */
	O2_APP_KEEPS_OWNED =
		1
		<< 4, /* carried although it has an owner, unless that is a Pod: claims hold data */
	O2_APP_CUSTOM = 1 << 5,  /* served by a CustomResourceDefinition */
	O2_APP_ENCODED = 1 << 6, /* its texts are base64, and nobody may see them */
	O2_APP_RARE = 1 << 8,    /* hardly anybody has one, and many may not list them */
	O2_APP_ALLOTS = 1 << 7,  /* holds node ports, which a cluster has once */
};

/* Values that may name hosts. whole: a bare Service name counts if it is the whole value. */
struct o2_app_text {
	const char *path; /* NULL ends a list */
	bool whole;
};

/* One kind. Functions may be NULL. Lists of patterns end with NULL. */
struct o2_app_rule {
	const char *group, *kind;
	int rank; /* order of creation among what is created at the same time */
	enum o2_app_created created;
	enum o2_app_started started; /* unless there is nothing to disarm */
	unsigned flags;
	const char *pod; /* pointer to the pod template; "" if the object is one; NULL: no pods */
	const char *replicas; /* pointer to the number of pods */
	int default_replicas;
	struct o2_app_verdict (*leave)(const struct o2_app *app, const struct o2_doc *doc);
	void (*clean)(const struct o2_app_cleaning *cleaning, struct o2_doc *doc);
	void (*disarm)(struct o2_doc *doc);
	const struct o2_app_reference *references;
	const char *const *namespaces;          /* values that are names of namespaces */
	const char *const *namespace_selectors; /* LabelSelectors of namespaces */
	const struct o2_app_text *texts; /* values that may name hosts and service accounts */
	const char *const *classes;      /* claim specifications, which have a storageClassName */
};

/* The row of a kind; never NULL: kinds without a row share one. */
const struct o2_app_rule *o2_app_rule_find(const char *group, const char *kind);
bool o2_app_rule_is_row(const struct o2_app_rule *rule);
/* The group under which the same objects are served today, or NULL. */
const char *o2_app_rule_current_group(const char *group, const char *kind);
/* The same lists for what is inside a pod template's spec. */
extern const struct o2_app_rule o2_app_pod_rule;

/* strip.c, inert.c, keep.c: referred to by the table. */
#define O2_APP_CLEAN(name) void name(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
#define O2_APP_LEAVE(name) \
	struct o2_app_verdict name(const struct o2_app *app, const struct o2_doc *doc)
O2_APP_CLEAN(o2_app_clean_job);
O2_APP_CLEAN(o2_app_clean_cron_job);
O2_APP_CLEAN(o2_app_clean_service);
O2_APP_CLEAN(o2_app_clean_claim);
O2_APP_CLEAN(o2_app_clean_stateful_set);
O2_APP_CLEAN(o2_app_clean_service_account);
O2_APP_CLEAN(o2_app_clean_secret);
O2_APP_CLEAN(o2_app_clean_pod);
O2_APP_CLEAN(o2_app_clean_endpoints);
O2_APP_CLEAN(o2_app_clean_cluster_role);
O2_APP_CLEAN(o2_app_clean_cluster_role_binding);
O2_APP_CLEAN(o2_app_clean_route);
O2_APP_LEAVE(o2_app_leave_config_map);
O2_APP_LEAVE(o2_app_leave_secret);
O2_APP_LEAVE(o2_app_leave_service);
O2_APP_LEAVE(o2_app_leave_service_account);
O2_APP_LEAVE(o2_app_leave_endpoints);
O2_APP_LEAVE(o2_app_leave_endpoint_slice);
O2_APP_LEAVE(o2_app_leave_job);
O2_APP_LEAVE(o2_app_leave_pod);
O2_APP_LEAVE(o2_app_leave_role_binding);
O2_APP_LEAVE(o2_app_leave_cluster_role_binding);
O2_APP_LEAVE(o2_app_leave_cluster_role);
O2_APP_LEAVE(o2_app_leave_priority_class);
O2_APP_LEAVE(o2_app_leave_api_service);
O2_APP_LEAVE(o2_app_leave_quota);
O2_APP_LEAVE(o2_app_leave_operator);
O2_APP_LEAVE(o2_app_leave_snapshot);
O2_APP_LEAVE(o2_app_leave_built);
void o2_app_disarm_replicas(struct o2_doc *doc);
void o2_app_disarm_daemon_set(struct o2_doc *doc);
void o2_app_disarm_suspend(struct o2_doc *doc);
void o2_app_disarm_service(struct o2_doc *doc);

/* "NAME-token-x7f2q": five characters behind the infix, as the token and pull secret controllers make them. */
bool o2_app_is_made_name(const char *name, const char *infix);
/* The reason for which an object of any kind is not carried, then the row's own. */
struct o2_app_verdict o2_app_keep(const struct o2_app *app, const struct o2_app_rule *rule,
				  const struct o2_doc *doc);
/* Remove what belongs to A. */
void o2_app_strip(const struct o2_app_cleaning *cleaning, const struct o2_app_rule *rule,
		  struct o2_doc *doc);

/* ---- the application -------------------------------------------------------------------------------------------------- */

enum o2_app_state {
	O2_APP_CANDIDATE, /* may be carried */
	O2_APP_LEFT,      /* is not carried */
	O2_APP_GONE,      /* came from a list that had to be read again */
};

struct o2_app_item {
	struct o2_app_object view;
	const struct o2_app_rule *rule;
	char *memory; /* holds name, uid, version and text */
	char *text;   /* compact JSON of the rest; NULL if it is not carried */
	char *owner;  /* uid of the controller, or of the first owner */
	char *owner_label;
	char *label, *target_label, *target_name;
	struct o2_doc *pod_labels; /* of a workload's pods */
	enum o2_app_state state;
	bool selected;
	bool matches; /* the selection's own label selector */
	bool controlled, owner_is_pod;
	bool selects; /* a Service that has a selector */
	bool tracked; /* has marks of a GitOps tool */
	bool quiet;   /* left out without a note: B has its own */
};

struct o2_app_ref {
	size_t from;
	const struct o2_app_reference *reference;
	char *group, *kind, *ns, *name; /* group, kind: of typed ones */
	struct o2_doc *selector;
	bool optional;
};

struct o2_app_note_entry {
	struct o2_app_note note;
	size_t item; /* whose selection decides whether the note stands; O2_APP_NO_ITEM: it does */
};

/* An edge with its rule. */
struct o2_app_link {
	size_t from, to;
	const struct o2_app_reference *reference;
};

struct o2_app {
	struct o2_strs namespaces, target_namespaces;
	struct o2_doc *selector; /* NULL: everything */
	struct o2_strs exclude_kinds;
	struct o2_strs strings;         /* shared texts: namespaces */
	struct o2_doc **namespace_docs; /* as many as namespaces; NULL: may not be read */
	struct o2_strs unreadable;      /* labels of what may exist but can't be read */
	struct o2_app_item *items;
	size_t item_count, item_cap;
	struct o2_app_index by_name, by_uid, by_label;
	struct o2_app_ref *refs;
	size_t ref_count, ref_cap;
	struct o2_app_link *links;
	size_t link_count, link_cap;
	struct o2_app_edge *edges; /* made of the links that are left */
	size_t edge_count;
	struct o2_app_note_entry *notes;
	size_t note_count, note_cap;
	struct o2_app_change *changes;
	size_t change_count, change_cap;
	struct o2_strs class_map; /* pairs: from, to */
	bool same_cluster, settled, rewritten;
};

/* O2_EINVALID: the label selector. */
O2_MUST_CHECK struct o2_app *o2_app_new(const struct o2_app_selection *selection,
					struct o2_err *err);
/* Did the user ask to leave this kind out? */
bool o2_app_excludes(const struct o2_app *app, const char *group, const char *kind);
/* Take an object into account, of whatever kind. `doc` is changed. `kind` must live as long as the app. */
void o2_app_add_object(struct o2_app *app, const struct o2_kube_kind *kind, struct o2_doc *doc);
/* Forget what was added of a kind in a namespace: its list starts over. */
void o2_app_forget(struct o2_app *app, const struct o2_kube_kind *kind, const char *ns);
/* O2_APP_NO_ITEM if there is none. ns NULL: cluster-scoped. */
size_t o2_app_find(const struct o2_app *app, const char *group, const char *kind, const char *ns,
		   const char *name);
/* Only while owners are resolved. */
size_t o2_app_find_uid(const struct o2_app *app, const char *uid);
/* An object that a transaction holds on A is what it is without that: the undo is applied to `doc`, marks go. */
void o2_app_read_unfrozen(struct o2_doc *doc);
/* One copy of each text, as long as the app; NULL stays NULL. */
const char *o2_app_intern(struct o2_app *app, const char *text);
struct o2_doc *o2_app_item_parse(const struct o2_app_item *item);
/* What A's Namespace looks like; takes `doc`. */
void o2_app_add_namespace(struct o2_app *app, const char *ns, struct o2_doc *doc);
void o2_app_item_release(struct o2_app_item *item);
void o2_app_ref_release(struct o2_app_ref *ref);

/* Note on an item that is carried only if the item is. */
void o2_app_note_item(struct o2_app *app, size_t item, const char *remedy, const char *fmt, ...)
	O2_PRINTF(4, 5);
/* Note on a subject. flags: */
enum { O2_APP_NOTE_BLOCKS = 1 << 0, O2_APP_NOTE_LEFT_OUT = 1 << 1 };
void o2_app_note_add(struct o2_app *app, const char *subject, unsigned flags, const char *remedy,
		     const char *fmt, ...) O2_PRINTF(5, 6);
void o2_app_change_add(struct o2_app *app, size_t item, const char *path, const char *reason);

/* Find what a stripped document refers to and remember it. */
void o2_app_refs_collect(struct o2_app *app, size_t item, struct o2_doc *doc);
/* Services that stand for others, once all are known. */
void o2_app_refs_collect_late(struct o2_app *app);
/* References that name an object that nobody added. Walk with i from 0; NULL at the end. */
const struct o2_app_ref *o2_app_ref_missing(const struct o2_app *app, size_t *i);
/* Does the reference hit something; if so, the object, for all but selectors. */
size_t o2_app_ref_target(const struct o2_app *app, const struct o2_app_ref *ref);
const char *o2_app_ref_kind(const struct o2_app_ref *ref);
/* Turn references into links; what leads nowhere is noted. */
void o2_app_graph_link(struct o2_app *app);
/* Links to edges, once only what is carried is left. */
void o2_app_graph_edges(struct o2_app *app);
/* Fill `level`. */
void o2_app_graph_level(struct o2_app *app);
/* Decide what is carried, drop the rest, order it. */
void o2_app_settle(struct o2_app *app);
/* Drop items that are not CANDIDATE and selected; the rest keeps its order unless `sort`. */
void o2_app_compact(struct o2_app *app, bool sort);
void o2_app_fill_waves(struct o2_app *app);

/*
 * Service names in a text.
 *
 * ns     of the object that holds the text.
 * whole  the whole text may be a bare Service name.
 * found  item of the Service, or O2_APP_NO_ITEM for a namespace's own domain ("shop.svc"); at, len: where the namespace
 *        stands in the text, len 0 if it isn't named.
 */
typedef void o2_app_host_fn(void *arg, size_t service, size_t at, size_t len);
void o2_app_hosts_find(const struct o2_app *app, const char *ns, const char *text, bool whole,
		       o2_app_host_fn *fn, void *arg);
/* Visit each text of a document that may name hosts. whole: see above. */
typedef struct o2_doc *o2_app_text_fn(void *arg, const char *pointer, const char *text, bool whole);
void o2_app_texts_visit(const struct o2_app_rule *rule, struct o2_doc *doc, o2_app_text_fn *fn,
			void *arg);
/* Source to target. changes: record what is rewritten. */
struct o2_doc *o2_app_build_target(const struct o2_app *app, size_t item, enum o2_app_form form,
				   struct o2_app *changes);
/* Is the object's namespace another one on B? */
bool o2_app_is_moved(const struct o2_app *app, const struct o2_app_item *item);
/* Change namespaces and the rest inside a stripped document. */
void o2_app_rewrite_doc(const struct o2_app *app, size_t item, struct o2_doc *doc,
			struct o2_app *changes);
/* The namespace on B, or NULL if `ns` is none of the application's. */
const char *o2_app_target_ns(const struct o2_app *app, const char *ns);
/* The version for B: what B has of the same version and what it prefers, both may be NULL. NULL: none will do. */
const struct o2_kube_kind *o2_app_version_choose(const struct o2_kube_kind *source,
						 const struct o2_kube_kind *same,
						 const struct o2_kube_kind *preferred);
