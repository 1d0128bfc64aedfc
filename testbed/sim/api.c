/* A request, taken to the store and back. */
#include "api.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "admission.h"
#include "base/alloc.h"
#include "discovery.h"
#include "list.h"
#include "managed.h"
#include "world.h"

#define MANAGER_UNKNOWN "unknown"

/* What of a request is needed while it is carried out. */
struct serving {
	struct sim_cluster *cluster;
	const struct sim_request *request;
	struct sim_address address;
	struct sim_object *object; /* at the address; NULL if absent */
	char *manager;
	bool dry, is_apply;
	struct sim_response *out;
};

/* --- answers --- */

static void answer_status(struct sim_response *out, const struct sim_refusal *refusal)
{
	out->status = refusal->status;
	out->doc = o2_doc_object_new();
	o2_doc_set_str(out->doc, "kind", "Status");
	o2_doc_set_str(out->doc, "apiVersion", "v1");
	o2_doc_set(out->doc, "metadata", o2_doc_object_new());
	o2_doc_set_str(out->doc, "status", refusal->status < 300 ? "Success" : "Failure");
	if (refusal->message[0])
		o2_doc_set_str(out->doc, "message", refusal->message);
	if (refusal->reason[0])
		o2_doc_set_str(out->doc, "reason", refusal->reason);
	o2_doc_put_int(out->doc, "/code", refusal->status);
}

void sim_answer_refusal(struct sim_response *out, int status, const char *reason,
			const char *message)
{
	struct sim_refusal refusal = { .status = status };

	snprintf(refusal.reason, sizeof(refusal.reason), "%s", reason);
	snprintf(refusal.message, sizeof(refusal.message), "%s", message);
	answer_status(out, &refusal);
}

static void answer_object(struct sim_response *out, int status, struct o2_doc *doc)
{
	out->status = status;
	out->doc = o2_doc_ref(doc);
}

static void answer_not_found(struct serving *serving)
{
	const struct sim_address *address = &serving->address;
	O2_AUTO(o2_freep)
	char *words = o2_xasprintf("%s not found", sim_subject(address->kind, address->name));

	sim_answer_refusal(serving->out, 404, "NotFound", words);
	if (address->kind->group[0])
		o2_doc_put_str(serving->out->doc, "/details/group", address->kind->group);
	o2_doc_put_str(serving->out->doc, "/details/kind", address->kind->resource);
	o2_doc_put_str(serving->out->doc, "/details/name", address->name);
}

static void answer_conflict(struct serving *serving, const char *words)
{
	O2_AUTO(o2_freep)
	char *message =
		o2_xasprintf("Operation cannot be fulfilled on %s: %s",
			     sim_subject(serving->address.kind, serving->address.name), words);

	sim_answer_refusal(serving->out, 409, "Conflict", message);
}

static struct o2_doc *read_body(struct serving *serving)
{
	struct o2_err err = { 0 };
	const struct sim_request *request = serving->request;
	struct o2_doc *doc =
		o2_doc_parse(request->body ? request->body : "", request->body_len, &err);

	if (!doc)
		sim_answer_refusal(serving->out, 400, "BadRequest", err.message);
	return doc;
}

/* --- create --- */

static void answer_review(struct serving *serving, struct o2_doc *review)
{
	o2_doc_put_bool(review, "/status/allowed", true);
	answer_object(serving->out, 201, review);
	o2_doc_free(review);
}

static void create(struct serving *serving)
{
	const struct sim_kind *kind = serving->address.kind;
	struct sim_refusal refusal;
	struct o2_doc *doc = read_body(serving);
	struct sim_object *made;

	if (!doc)
		return;
	if (kind->is_review) {
		answer_review(serving, doc);
		return;
	}
	if (sim_kind_of(doc) != kind || o2_doc_str(doc, "/metadata/resourceVersion", "")[0]) {
		o2_doc_free(doc);
		sim_answer_refusal(serving->out, 400, "BadRequest",
				   "the object provided is unrecognized (must be of type of the "
				   "address, without resourceVersion)");
		return;
	}
	if (kind->namespaced)
		o2_doc_put_str(doc, "/metadata/namespace", serving->address.ns);
	if (serving->dry) {
		if (sim_admit_create(serving->cluster, doc, true, &refusal))
			answer_object(serving->out, 201, doc);
		else
			answer_status(serving->out, &refusal);
		o2_doc_free(doc);
		return;
	}
	made = sim_create(serving->cluster, doc, serving->manager, &refusal);
	if (made)
		answer_object(serving->out, 201, made->doc);
	else
		answer_status(serving->out, &refusal);
}

/* --- change --- */

/* What the server keeps whatever a client says. */
static void keep_server_fields(const struct sim_object *live, struct o2_doc *next,
			       const char *subresource)
{
	static const char *const kept[] = { "/metadata/uid",
					    "/metadata/creationTimestamp",
					    "/metadata/deletionTimestamp",
					    "/metadata/deletionGracePeriodSeconds",
					    "/metadata/generation",
					    "/metadata/resourceVersion" };

	for (size_t i = 0; i < O2_COUNT(kept); i++)
		o2_doc_put(next, kept[i], o2_doc_copy(o2_doc_at(live->doc, kept[i])));
	if (!subresource[0] && live->kind->has_status)
		o2_doc_put(next, "/status", o2_doc_copy(o2_doc_at(live->doc, "/status")));
}

/* A write of a sub-resource changes nothing else. Takes `wished`. */
static struct o2_doc *narrow(const struct sim_object *live, const char *subresource,
			     struct o2_doc *wished)
{
	struct o2_doc *next;

	if (!subresource[0])
		return wished;
	next = o2_doc_copy(live->doc);
	if (strcmp(subresource, "status") == 0)
		o2_doc_set(next, "status", o2_doc_copy(o2_doc_member(wished, "status")));
	o2_doc_free(wished);
	return next;
}

/* An empty map or list of labels and the like is not kept. */
static void drop_empty(struct o2_doc *doc)
{
	static const char *const optional[] = { "/metadata/labels", "/metadata/annotations",
						"/metadata/finalizers", "/metadata/ownerReferences",
						"/spec/template/spec/nodeSelector" };

	for (size_t i = 0; i < O2_COUNT(optional); i++) {
		if (o2_doc_at(doc, optional[i]) && o2_doc_count(o2_doc_at(doc, optional[i])) == 0)
			o2_doc_remove(doc, optional[i]);
	}
}

/* The object is to become `wished` (taken). */
static void change(struct serving *serving, struct o2_doc *wished)
{
	struct sim_object *object = serving->object;
	const char *subresource = serving->address.subresource;
	struct sim_refusal refusal;

	assert(object);
	const char *version = o2_doc_str(wished, "/metadata/resourceVersion", "");
	const char *uid = o2_doc_str(wished, "/metadata/uid", "");

	if ((version[0] &&
	     strcmp(version, o2_doc_str(object->doc, "/metadata/resourceVersion", "")) != 0) ||
	    (uid[0] && strcmp(uid, sim_uid(object)) != 0)) {
		o2_doc_free(wished);
		answer_conflict(serving, "the object has been modified; please apply your changes "
					 "to the latest version and try again");
		return;
	}
	struct o2_doc *next = narrow(object, subresource, wished);
	keep_server_fields(object, next, subresource);
	drop_empty(next);
	if (!sim_admit_change(object, next, &refusal)) {
		o2_doc_free(next);
		answer_status(serving->out, &refusal);
		return;
	}
	if (!serving->is_apply) /* that knows its owners already */
		sim_managed_update(object->doc, next, serving->manager,
				   subresource[0] ? subresource : NULL);
	if (serving->dry) {
		answer_object(serving->out, 200, next);
		o2_doc_free(next);
		return;
	}
	sim_hold(object);
	sim_put(object, next);
	answer_object(serving->out, 200, object->doc);
	sim_let_go(object);
}

static void replace(struct serving *serving)
{
	struct o2_doc *doc = read_body(serving);

	if (!doc)
		return;
	if (sim_kind_of(doc) != serving->address.kind) {
		o2_doc_free(doc);
		sim_answer_refusal(serving->out, 400, "BadRequest",
				   "the object provided is not of the address' kind");
		return;
	}
	if (serving->address.kind->namespaced)
		o2_doc_put_str(doc, "/metadata/namespace", serving->address.ns);
	change(serving, doc);
}

static void apply(struct serving *serving, struct o2_doc *wished)
{
	O2_AUTO(o2_freep) char *force = sim_address_query(&serving->address, "force", 0);
	struct sim_object *object = serving->object;
	struct sim_refusal refusal;
	struct o2_doc *next = NULL;

	serving->is_apply = true;
	if (!sim_managed_apply(object ? object->doc : NULL, wished, serving->manager,
			       force && strcmp(force, "true") == 0, &next, &refusal)) {
		answer_status(serving->out, &refusal);
		return;
	}
	if (object) {
		change(serving, next);
		return;
	}
	struct sim_object *made = sim_create(serving->cluster, next, serving->manager, &refusal);
	if (made)
		answer_object(serving->out, 201, made->doc);
	else
		answer_status(serving->out, &refusal);
}

/* A patch of an object that is there. Takes nothing. */
static void patch_with(struct serving *serving, const struct o2_doc *patch, bool is_merge)
{
	struct o2_err err = { 0 };

	assert(serving->object);
	struct o2_doc *next = o2_doc_copy(serving->object->doc);

	/* A patch without a version applies to whatever is there. */
	o2_doc_remove(next, "/metadata/resourceVersion");
	if (is_merge) {
		o2_doc_merge(&next, patch);
	} else if (o2_doc_patch(&next, patch, &err) < 0) {
		o2_doc_free(next);
		sim_answer_refusal(serving->out, 422, "Invalid", err.message);
		return;
	}
	change(serving, next);
}

static void patch(struct serving *serving)
{
	const char *type = serving->request->content_type ? serving->request->content_type : "";
	bool is_merge = strcmp(type, "application/merge-patch+json") == 0;
	bool is_apply = strcmp(type, "application/apply-patch+yaml") == 0;

	if (!is_merge && !is_apply && strcmp(type, "application/json-patch+json") != 0) {
		sim_answer_refusal(serving->out, 415, "UnsupportedMediaType",
				   "the body of the request was in an unknown format");
		return;
	}
	if (!serving->object && !is_apply) {
		answer_not_found(serving);
		return;
	}
	O2_AUTO(o2_doc_freep) struct o2_doc *body = read_body(serving);
	if (!body)
		return;
	if (is_apply)
		apply(serving, body);
	else
		patch_with(serving, body, is_merge);
}

/* --- delete --- */

static enum sim_propagation propagation_of(const struct o2_doc *options)
{
	const char *policy = o2_doc_str(options, "/propagationPolicy", "Background");

	return strcmp(policy, "Foreground") == 0 ? SIM_FOREGROUND
	       : strcmp(policy, "Orphan") == 0   ? SIM_ORPHAN
						 : SIM_BACKGROUND;
}

static void delete_object(struct serving *serving)
{
	struct sim_object *object = serving->object;
	O2_AUTO(o2_doc_freep)
	struct o2_doc *options =
		serving->request->body_len > 0 ? read_body(serving) : o2_doc_object_new();
	const char *uid = o2_doc_str(options, "/preconditions/uid", "");
	const char *version = o2_doc_str(options, "/preconditions/resourceVersion", "");
	bool dry = serving->dry || o2_doc_at(options, "/dryRun/0");

	assert(object);
	if (!options)
		return;
	if (uid[0] && strcmp(uid, sim_uid(object)) != 0) {
		answer_conflict(serving, "the UID in the precondition does not match the UID in "
					 "record");
		return;
	}
	if (version[0] &&
	    strcmp(version, o2_doc_str(object->doc, "/metadata/resourceVersion", "")) != 0) {
		answer_conflict(serving, "the ResourceVersion in the precondition does not match "
					 "the ResourceVersion in record");
		return;
	}
	sim_hold(object);
	if (!dry)
		sim_delete_in(object, propagation_of(options),
			      o2_doc_int(options, "/gracePeriodSeconds", -1));
	if (object->gone || dry)
		sim_answer_refusal(serving->out, 200, "", "");
	else
		answer_object(serving->out, 200, object->doc);
	sim_let_go(object);
}

/* --- scale --- */

static void answer_scale(struct serving *serving)
{
	const struct sim_object *object = serving->object;
	struct o2_doc *scale = o2_doc_object_new();
	static const char *const same[] = { "name", "namespace", "uid", "resourceVersion",
					    "creationTimestamp" };

	assert(object);
	o2_doc_set_str(scale, "kind", "Scale");
	o2_doc_set_str(scale, "apiVersion", "autoscaling/v1");
	o2_doc_set(scale, "metadata", o2_doc_object_new());
	for (size_t i = 0; i < O2_COUNT(same); i++)
		o2_doc_set(o2_doc_member(scale, "metadata"), same[i],
			   o2_doc_copy(
				   o2_doc_member(o2_doc_member(object->doc, "metadata"), same[i])));
	o2_doc_put_int(scale, "/spec/replicas", o2_doc_int(object->doc, "/spec/replicas", 0));
	o2_doc_put_int(scale, "/status/replicas", o2_doc_int(object->doc, "/status/replicas", 0));
	serving->out->status = 200;
	serving->out->doc = scale;
}

static void change_scale(struct serving *serving)
{
	struct o2_doc *body = read_body(serving);
	struct o2_doc *next;

	assert(serving->object);
	if (!body)
		return;
	next = o2_doc_copy(serving->object->doc);
	o2_doc_put_int(next, "/spec/replicas",
		       o2_doc_int(body, "/spec/replicas", o2_doc_int(next, "/spec/replicas", 0)));
	if (o2_doc_at(body, "/metadata/resourceVersion"))
		o2_doc_put_str(next, "/metadata/resourceVersion",
			       o2_doc_str(body, "/metadata/resourceVersion", ""));
	o2_doc_free(body);
	serving->address.subresource[0] = '\0';
	change(serving, next);
	if (serving->out->status == 200) {
		o2_doc_free(serving->out->doc);
		answer_scale(serving);
	}
}

/* --- which of them --- */

static void serve_scale(struct serving *serving)
{
	if (strcmp(serving->request->method, "GET") == 0)
		answer_scale(serving);
	else
		change_scale(serving);
}

static void serve_object(struct serving *serving)
{
	const char *method = serving->request->method;

	if (!serving->object && strcmp(method, "PATCH") != 0)
		answer_not_found(serving);
	else if (serving->object && strcmp(serving->address.subresource, "scale") == 0)
		serve_scale(serving);
	else if (strcmp(serving->address.subresource, "log") == 0)
		*serving->out = (struct sim_response){ .status = 200,
						       .text = o2_xstrdup(""),
						       .retry_after_s = -1 };
	else if (serving->object && strcmp(method, "GET") == 0)
		answer_object(serving->out, 200, serving->object->doc);
	else if (strcmp(method, "PUT") == 0)
		replace(serving);
	else if (strcmp(method, "PATCH") == 0)
		patch(serving);
	else if (strcmp(method, "DELETE") == 0)
		delete_object(serving);
	else
		sim_answer_refusal(
			serving->out, 405, "MethodNotAllowed",
			"the server does not allow this method on the requested resource");
}

static void serve_collection(struct serving *serving)
{
	const char *method = serving->request->method;

	if (strcmp(method, "POST") == 0)
		create(serving);
	else if (strcmp(method, "GET") == 0)
		sim_list(serving->cluster, &serving->address, serving->out);
	else
		sim_answer_refusal(
			serving->out, 405, "MethodNotAllowed",
			"the server does not allow this method on the requested resource");
}

static bool is_dry(const struct sim_address *address)
{
	O2_AUTO(o2_freep) char *dry = sim_address_query(address, "dryRun", 0);

	return dry && strcmp(dry, "All") == 0;
}

void sim_serve(struct sim_cluster *cluster, const struct sim_request *request,
	       struct sim_response *out)
{
	struct serving serving = { .cluster = cluster, .request = request, .out = out };

	*out = (struct sim_response){ .retry_after_s = -1 };
	sim_address_parse(request->path, &serving.address);
	if (serving.address.root[0]) {
		sim_discover(serving.address.root, out);
		return;
	}
	if (!serving.address.kind) {
		sim_answer_refusal(out, 404, "NotFound",
				   "the server could not find the requested resource");
		return;
	}
	serving.manager = sim_address_query(&serving.address, "fieldManager", 0);
	if (!serving.manager)
		serving.manager = o2_xstrdup(MANAGER_UNKNOWN);
	serving.dry = is_dry(&serving.address);
	if (serving.address.name[0]) {
		serving.object = sim_find(cluster, serving.address.kind, serving.address.ns,
					  serving.address.name);
		serve_object(&serving);
	} else {
		serve_collection(&serving);
	}
	free(serving.manager);
}

void sim_response_release(struct sim_response *response)
{
	o2_doc_free(response->doc);
	free(response->text);
	*response = (struct sim_response){ .retry_after_s = -1 };
}
