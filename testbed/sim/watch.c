/* What a watcher is told of each change: whether the object came into its sight, changed there, or left it. */
#include "watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strs.h"
#include "list.h"
#include "world.h"

#define BOOKMARK_US (60 * SIM_S) /* about as often as the API server's */
#define INITIAL_END "k8s.io~1initial-events-end"

/* An object as it was told of last. */
struct seen {
	struct o2_doc *doc;
};

struct sim_watch {
	struct sim_cluster *cluster;
	struct sim_address address;
	char *labels, *fields;
	struct seen *seen; /* what is in its sight */
	size_t seen_count, seen_cap;
	struct o2_strs ready; /* lines that are still to be told */
	size_t told;          /* of them */
	size_t next;          /* event to look at */
	int64_t version;      /* up to which everything was told */
	int64_t bookmark_us;  /* when the next one is due; 0: none are wanted */
	int64_t end_us;       /* 0: never */
	bool failed;
};

static bool is_set(const struct sim_address *address, const char *name)
{
	O2_AUTO(o2_freep) char *value = sim_address_query(address, name, 0);

	return value && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

bool sim_watch_asked(const struct sim_address *address)
{
	return is_set(address, "watch");
}

/* --- lines --- */

/* Takes `object`. */
static void say(struct sim_watch *watch, const char *type, struct o2_doc *object)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *event = o2_doc_object_new();

	o2_doc_set_str(event, "type", type);
	o2_doc_set(event, "object", object);
	O2_AUTO(o2_freep) char *text = o2_doc_dump(event);
	o2_strs_addf(&watch->ready, "%s\n", text);
}

static void say_bookmark(struct sim_watch *watch, bool ends_initial)
{
	struct o2_doc *mark = o2_doc_object_new();
	O2_AUTO(o2_freep) char *version = o2_xasprintf("%lld", (long long)watch->version);

	o2_doc_set_str(mark, "kind", watch->address.kind->kind);
	o2_doc_set_str(mark, "apiVersion", watch->address.kind->api_version);
	o2_doc_put_str(mark, "/metadata/resourceVersion", version);
	if (ends_initial)
		o2_doc_put_str(mark, "/metadata/annotations/" INITIAL_END, "true");
	say(watch, "BOOKMARK", mark);
}

static void say_expired(struct sim_watch *watch, int64_t version)
{
	struct sim_response response;
	O2_AUTO(o2_freep)
	char *words = o2_xasprintf("too old resource version: %lld (%lld)", (long long)version,
				   (long long)sim_cluster_version(watch->cluster));

	sim_answer_refusal(&response, 410, "Expired", words);
	say(watch, "ERROR", response.doc);
	watch->failed = true;
}

/* --- what is in sight --- */

static struct seen *find_seen(struct sim_watch *watch, const struct o2_doc *doc)
{
	const char *uid = o2_doc_str(doc, "/metadata/uid", "");

	for (size_t i = 0; i < watch->seen_count; i++) {
		if (strcmp(o2_doc_str(watch->seen[i].doc, "/metadata/uid", ""), uid) == 0)
			return &watch->seen[i];
	}
	return NULL;
}

/* True if it is new. */
static bool remember(struct sim_watch *watch, struct o2_doc *doc)
{
	struct seen *seen = find_seen(watch, doc);

	if (seen) {
		o2_doc_free(seen->doc);
		seen->doc = o2_doc_ref(doc);
		return false;
	}
	O2_GROW(watch->seen, watch->seen_count, watch->seen_cap);
	watch->seen[watch->seen_count++] = (struct seen){ o2_doc_ref(doc) };
	return true;
}

/* What it looked like; the caller frees it. NULL if it was not in sight. */
static struct o2_doc *forget(struct sim_watch *watch, const struct o2_doc *doc)
{
	struct seen *seen = find_seen(watch, doc);
	struct o2_doc *last;

	if (!seen)
		return NULL;
	last = seen->doc;
	*seen = watch->seen[--watch->seen_count];
	return last;
}

static bool shows(const struct sim_watch *watch, const struct o2_doc *doc)
{
	return sim_list_shows(&watch->address, watch->labels, watch->fields, doc);
}

/* What is out of sight is told of as it was, with the version at which it went. */
static void say_gone(struct sim_watch *watch, const struct sim_event *event)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *last = forget(watch, event->doc);
	struct o2_doc *told;

	if (!last)
		return;
	told = o2_doc_copy(event->change == SIM_DELETED ? event->doc : last);
	o2_doc_put_str(told, "/metadata/resourceVersion",
		       o2_doc_str(event->doc, "/metadata/resourceVersion", ""));
	say(watch, "DELETED", told);
}

static void tell(struct sim_watch *watch, const struct sim_event *event)
{
	if (event->kind != watch->address.kind)
		return;
	if (event->change != SIM_DELETED && shows(watch, event->doc))
		say(watch, remember(watch, event->doc) ? "ADDED" : "MODIFIED",
		    o2_doc_ref(event->doc));
	else
		say_gone(watch, event);
}

/* What is there now. */
static void begin_with_all(struct sim_watch *watch)
{
	for (struct sim_object *at = sim_first(watch->cluster, watch->address.kind); at;
	     at = sim_next(at)) {
		if (!shows(watch, at->doc))
			continue;
		remember(watch, at->doc);
		say(watch, "ADDED", o2_doc_ref(at->doc));
	}
	watch->version = sim_cluster_version(watch->cluster);
	if (is_set(&watch->address, "sendInitialEvents"))
		say_bookmark(watch, true);
}

/* What was in sight at the version. */
static void replay_sight(struct sim_watch *watch, struct sim_event *event)
{
	struct sim_event first;

	/* Objects of before the first event are told of by nobody but the store. */
	for (struct sim_object *at = sim_first(watch->cluster, watch->address.kind); at;
	     at = sim_next(at)) {
		const char *version = o2_doc_str(at->doc, "/metadata/resourceVersion", "");
		if (sim_cluster_event(watch->cluster, 0, &first) &&
		    strtoll(version, NULL, 10) < first.version && shows(watch, at->doc))
			remember(watch, at->doc);
	}
	for (; sim_cluster_event(watch->cluster, watch->next, event) &&
	       event->version <= watch->version;
	     watch->next++) {
		if (event->kind != watch->address.kind)
			continue;
		if (event->change != SIM_DELETED && shows(watch, event->doc))
			remember(watch, event->doc);
		else
			o2_doc_free(forget(watch, event->doc));
	}
}

static void begin(struct sim_watch *watch)
{
	O2_AUTO(o2_freep)
	char *text = sim_address_query(&watch->address, "resourceVersion", 0);
	int64_t version = text ? strtoll(text, NULL, 10) : 0;
	struct sim_event event;

	if (version == 0 || is_set(&watch->address, "sendInitialEvents")) {
		begin_with_all(watch);
		while (sim_cluster_event(watch->cluster, watch->next, &event) &&
		       event.version <= watch->version)
			watch->next++;
		return;
	}
	if (version < sim_cluster_oldest(watch->cluster)) {
		say_expired(watch, version);
		return;
	}
	watch->version = version;
	replay_sight(watch, &event);
}

struct sim_watch *sim_watch_open(struct sim_cluster *cluster, const struct sim_address *address)
{
	struct sim_watch *watch = o2_xcalloc(1, sizeof(*watch));
	O2_AUTO(o2_freep) char *timeout = sim_address_query(address, "timeoutSeconds", 0);

	watch->cluster = cluster;
	watch->address = *address;
	watch->address.query = o2_xstrdup(address->query);
	watch->labels = sim_address_query(address, "labelSelector", 0);
	watch->fields = sim_address_query(address, "fieldSelector", 0);
	if (timeout)
		watch->end_us = sim_now_us() + strtoll(timeout, NULL, 10) * SIM_S;
	if (is_set(address, "allowWatchBookmarks"))
		watch->bookmark_us = sim_now_us() + BOOKMARK_US;
	begin(watch);
	return watch;
}

/* --- what comes --- */

static void collect(struct sim_watch *watch)
{
	struct sim_event event;

	for (; sim_cluster_event(watch->cluster, watch->next, &event); watch->next++) {
		tell(watch, &event);
		watch->version = event.version;
	}
	if (watch->bookmark_us > 0 && sim_now_us() >= watch->bookmark_us) {
		say_bookmark(watch, false);
		watch->bookmark_us = sim_now_us() + BOOKMARK_US;
	}
}

char *sim_watch_next(struct sim_watch *watch)
{
	if (!watch->failed && watch->told == watch->ready.count)
		collect(watch);
	if (watch->told < watch->ready.count) {
		size_t index = watch->told++;
		return O2_STEAL(watch->ready.items[index]);
	}
	watch->ready.count = watch->told = 0; /* all of them were given away */
	return NULL;
}

bool sim_watch_is_over(const struct sim_watch *watch)
{
	return watch->told == watch->ready.count &&
	       (watch->failed || (watch->end_us > 0 && sim_now_us() >= watch->end_us));
}

void sim_watch_free(struct sim_watch *watch)
{
	if (!watch)
		return;
	while (watch->seen_count > 0)
		o2_doc_free(watch->seen[--watch->seen_count].doc);
	free(watch->seen);
	o2_strs_release(&watch->ready);
	free((char *)watch->address.query);
	free(watch->labels);
	free(watch->fields);
	free(watch);
}
