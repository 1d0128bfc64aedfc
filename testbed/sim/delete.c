/* DELETE of an object and of a collection. */
#include <string.h>

#include "api_internal.h"
#include "base/alloc.h"
#include "list.h"

/* Kinds whose last state is the answer, where others answer with a Status. */
static bool is_shown(const struct sim_kind *kind)
{
	static const char *const shown[] = { "Pod",
					     "Service",
					     "ServiceAccount",
					     "PersistentVolumeClaim",
					     "PersistentVolume",
					     "ResourceQuota" };

	for (size_t i = 0; i < O2_COUNT(shown) && !kind->group[0]; i++) {
		if (strcmp(shown[i], kind->kind) == 0)
			return true;
	}
	return false;
}

static enum sim_propagation propagation_of(const struct serving *serving,
					   const struct o2_doc *options)
{
	O2_AUTO(o2_freep)
	char *asked = sim_address_query(&serving->address, "propagationPolicy", 0);
	const char *policy = o2_doc_str(options, "/propagationPolicy", asked ? asked : "");

	/* What a client said of "orphanDependents" is long out of use. */
	return strcmp(policy, "Foreground") == 0 ? SIM_FOREGROUND
	       : strcmp(policy, "Orphan") == 0   ? SIM_ORPHAN
						 : SIM_BACKGROUND;
}

/* NULL, and answered, if they can't be read. */
static struct o2_doc *read_options(struct serving *serving)
{
	return serving->request->body_len > 0 ? sim_read_body(serving) : o2_doc_object_new();
}

/* As the body or the query has it; -1: the object's own. */
static int64_t grace_of(const struct serving *serving, const struct o2_doc *options)
{
	O2_AUTO(o2_freep)
	char *asked = sim_address_query(&serving->address, "gracePeriodSeconds", 0);

	return o2_doc_int(options, "/gracePeriodSeconds", asked ? strtoll(asked, NULL, 10) : -1);
}

/* Here the server names the kind in the place of the resource. */
static void answer_conflict(struct serving *serving, const char *words)
{
	struct sim_kind kind = *serving->address.kind;
	struct sim_refusal refusal;

	kind.resource = kind.kind;
	sim_refuse_object(&refusal, 409, "Conflict", &kind, serving->address.name,
			  "Operation cannot be fulfilled on %s: %s",
			  sim_subject(&kind, serving->address.name), words);
	sim_answer_status(serving->out, &refusal);
}

static bool meets(struct serving *serving, const struct o2_doc *options)
{
	const struct sim_object *object = serving->object;
	const char *uid = o2_doc_str(options, "/preconditions/uid", "");
	const char *version = o2_doc_str(options, "/preconditions/resourceVersion", "");
	const char *has = o2_doc_str(object->doc, "/metadata/resourceVersion", "");
	O2_AUTO(o2_freep) char *words = NULL;

	if (uid[0] && strcmp(uid, sim_uid(object)) != 0)
		words = o2_xasprintf("the UID in the precondition (%s) does not match the UID in "
				     "record (%s). The object might have been deleted and then "
				     "recreated",
				     uid, sim_uid(object));
	else if (version[0] && strcmp(version, has) != 0)
		words = o2_xasprintf(
			"the ResourceVersion in the precondition (%s) does not match "
			"the ResourceVersion in record (%s). The object might have been "
			"modified",
			version, has);
	if (words)
		answer_conflict(serving, words);
	return !words;
}

static void answer_gone(struct serving *serving)
{
	struct sim_refusal done = { .status = 200,
				    .has_details = true,
				    .group = serving->address.kind->group,
				    .kind = serving->address.kind->resource };

	snprintf(done.name, sizeof(done.name), "%s", serving->object->name);
	snprintf(done.uid, sizeof(done.uid), "%s", sim_uid(serving->object));
	sim_answer_status(serving->out, &done);
}

void sim_serve_delete(struct serving *serving)
{
	struct sim_object *object = serving->object;
	O2_AUTO(o2_doc_freep) struct o2_doc *options = read_options(serving);
	bool dry = serving->dry || o2_doc_at(options, "/dryRun/0");

	if (!options || !meets(serving, options))
		return;
	sim_hold(object);
	if (!dry)
		sim_delete_in(object, propagation_of(serving, options), grace_of(serving, options));
	if ((object->gone || dry) && !is_shown(object->kind))
		answer_gone(serving);
	else
		sim_answer_object(serving->out, 200, object->doc);
	sim_let_go(object);
}

void sim_serve_delete_all(struct serving *serving)
{
	O2_AUTO(o2_freep) char *labels = sim_address_query(&serving->address, "labelSelector", 0);
	O2_AUTO(o2_freep) char *fields = sim_address_query(&serving->address, "fieldSelector", 0);
	O2_AUTO(o2_doc_freep) struct o2_doc *options = read_options(serving);
	struct sim_object *next;

	if (!options)
		return;
	sim_list(serving->cluster, &serving->address, serving->out);
	if (serving->dry || serving->out->status != 200)
		return;
	for (struct sim_object *at = sim_first(serving->cluster, serving->address.kind); at;
	     at = next) {
		next = sim_next(at);
		if (sim_list_shows(&serving->address, labels, fields, at->doc))
			sim_delete_in(at, propagation_of(serving, options),
				      grace_of(serving, options));
	}
}
