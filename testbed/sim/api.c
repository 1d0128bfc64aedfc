/* A request, taken to the store and back: answers, bodies, creation, and who does the rest. */
#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"
#include "base/alloc.h"
#include "discovery.h"
#include "list.h"
#include "managed.h"

#define MANAGER_UNKNOWN "unknown"
#define UNKNOWN_MAX_BYTES 4096

/* --- answers --- */

void sim_answer_status(struct sim_response *out, const struct sim_refusal *refusal)
{
	out->status = refusal->status;
	out->doc = sim_refusal_doc(refusal);
}

void sim_answer_refusal(struct sim_response *out, int status, const char *reason,
			const char *message)
{
	struct sim_refusal refusal;

	*out = (struct sim_response){ .retry_after_s = -1 };
	sim_refuse(&refusal, status, reason, "%s", message);
	sim_answer_status(out, &refusal);
}

void sim_answer_object(struct sim_response *out, int status, struct o2_doc *doc)
{
	out->status = status;
	out->doc = o2_doc_ref(doc);
}

void sim_answer_absent(struct serving *serving)
{
	struct sim_refusal refusal;

	sim_refuse_absent(&refusal, serving->address.kind, serving->address.name);
	sim_answer_status(serving->out, &refusal);
}

void sim_answer_conflict(struct serving *serving, const char *words)
{
	const struct sim_address *address = &serving->address;
	struct sim_refusal refusal;

	sim_refuse_object(&refusal, 409, "Conflict", address->kind, address->name,
			  "Operation cannot be fulfilled on %s: %s",
			  sim_subject(address->kind, address->name), words);
	sim_answer_status(serving->out, &refusal);
}

void sim_answer_method(struct serving *serving)
{
	struct sim_refusal refusal;

	sim_refuse(&refusal, 405, "MethodNotAllowed",
		   "the server does not allow this method on the requested resource");
	refusal.has_details = true;
	sim_answer_status(serving->out, &refusal);
}

/* --- bodies --- */

static struct o2_doc *parse_yaml(const struct sim_request *request, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *docs = o2_doc_parse_yaml(request->body, request->body_len, err);

	return docs ? o2_doc_ref(o2_doc_item(docs, 0)) : NULL;
}

struct o2_doc *sim_read_body(struct serving *serving)
{
	struct o2_err err = { 0 };
	const struct sim_request *request = serving->request;
	bool is_yaml = request->content_type && strstr(request->content_type, "yaml") &&
		       request->body_len > 0 && request->body[0] != '{';
	struct o2_doc *doc =
		is_yaml ? parse_yaml(request, &err)
			: o2_doc_parse(request->body ? request->body : "", request->body_len, &err);

	if (request->content_type && strstr(request->content_type, "protobuf"))
		sim_answer_refusal(serving->out, 415, "UnsupportedMediaType",
				   "the body of the request was in an unknown format");
	else if (!doc)
		sim_answer_refusal(serving->out, 400, "BadRequest",
				   err.message[0] ? err.message : "no body");
	return doc;
}

/* "rbac" of rbac.authorization.k8s.io: what the server's own types are called. Static buffer. */
static const char *package_of(const struct sim_kind *kind)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s", kind->group[0] ? kind->group : "core");
	text[strcspn(text, ".")] = '\0';
	return text;
}

static bool check_kind(struct serving *serving, struct o2_doc *doc)
{
	const struct sim_kind *kind = serving->address.kind;
	const char *name = o2_doc_member_str(doc, "kind", kind->kind);
	const char *api_version = o2_doc_member_str(doc, "apiVersion", kind->api_version);
	const char *slash = strchr(api_version, '/');
	const char *version = slash ? slash + 1 : api_version;
	O2_AUTO(o2_freep) char *words = NULL;

	if (strcmp(name, kind->kind) == 0 && strcmp(api_version, kind->api_version) == 0) {
		o2_doc_set_str(doc, "apiVersion", kind->api_version);
		o2_doc_set_str(doc, "kind", kind->kind);
		return true;
	}
	words = o2_xasprintf(
		"%s in version \"%s\" cannot be handled as a %s: converting (%s.%s) to "
		"(%s.%s): unknown conversion",
		name, version, kind->kind, version, name, package_of(kind), kind->kind);
	sim_answer_refusal(serving->out, 400, "BadRequest", words);
	return false;
}

/* Of a patch the patch itself is what is wrong. */
static void answer_strict_patch(struct serving *serving, const char *unknown)
{
	const struct sim_request *request = serving->request;
	struct sim_refusal refusal;
	O2_AUTO(o2_freep) char *body = o2_xstrndup(request->body, request->body_len);
	O2_AUTO(o2_doc_freep) struct o2_doc *text = o2_doc_str_new(body);
	O2_AUTO(o2_freep) char *quoted = o2_doc_dump(text);
	O2_AUTO(o2_freep)
	char *words = o2_xasprintf("Invalid value: %s: strict decoding error: %s", quoted, unknown);

	sim_refuse(&refusal, 422, "Invalid", " \"\" is invalid: patch: %s", words);
	sim_refusal_add_cause(&refusal, "FieldValueInvalid", "patch", words);
	sim_answer_status(serving->out, &refusal);
}

static bool check_fields(struct serving *serving, struct o2_doc *doc)
{
	O2_AUTO(o2_freep)
	char *validation = sim_address_query(&serving->address, "fieldValidation", 0);
	const struct sim_kind *kind = serving->address.kind;
	struct o2_buf unknown;
	bool refused;

	o2_buf_init(&unknown, UNKNOWN_MAX_BYTES);
	sim_drop_unknown(kind, doc, &unknown);
	refused = unknown.len > 0 && validation && strcmp(validation, "Strict") == 0;
	if (refused) {
		O2_AUTO(o2_freep)
		char *words = o2_xasprintf("%s in version \"%s\" cannot be handled as a %s: strict "
					   "decoding error: %s",
					   kind->kind, kind->version, kind->kind, unknown.data);
		if (strcmp(serving->request->method, "PATCH") == 0)
			answer_strict_patch(serving, unknown.data);
		else
			sim_answer_refusal(serving->out, 400, "BadRequest", words);
	}
	o2_buf_release(&unknown);
	return !refused;
}

bool sim_check_body(struct serving *serving, struct o2_doc *doc)
{
	const struct sim_address *address = &serving->address;
	const char *ns = o2_doc_str(doc, "/metadata/namespace", "");

	if (!check_kind(serving, doc))
		return false;
	if (ns[0] && strcmp(ns, address->ns) != 0) {
		sim_answer_refusal(serving->out, 400, "BadRequest",
				   "the namespace of the provided object does not match the "
				   "namespace sent on the request");
		return false;
	}
	if (!o2_doc_member(doc, "metadata"))
		o2_doc_set(doc, "metadata", o2_doc_object_new());
	if (address->kind->namespaced)
		o2_doc_put_str(doc, "/metadata/namespace", address->ns);
	return check_fields(serving, doc);
}

/* --- create --- */

static const char *denied; /* the one resource that nobody may touch; NULL: there is none */

void sim_deny_reviews(const char *resource)
{
	denied = resource;
}

static void answer_review(struct serving *serving, struct o2_doc *review)
{
	const char *asked = o2_doc_str(review, "/spec/resourceAttributes/resource", "");

	o2_doc_put_bool(review, "/status/allowed", !denied || strcmp(asked, denied) != 0);
	sim_answer_object(serving->out, 201, review);
}

static void create(struct serving *serving)
{
	struct sim_refusal refusal;
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = sim_read_body(serving);

	if (!doc || !sim_check_body(serving, doc))
		return;
	if (serving->address.kind->is_review)
		answer_review(serving, doc);
	else if (o2_doc_str(doc, "/metadata/resourceVersion", "")[0])
		sim_answer_refusal(serving->out, 500, "",
				   "resourceVersion should not be set on objects to be created");
	else if (!sim_prepare(serving->cluster, doc, serving->manager, serving->dry, &refusal))
		sim_answer_status(serving->out, &refusal);
	else if (serving->dry)
		sim_answer_object(serving->out, 201, doc);
	else
		sim_answer_object(serving->out, 201,
				  sim_store(serving->cluster, O2_STEAL(doc))->doc);
}

/* --- which of them --- */

/* What needs an object. */
static void serve_present(struct serving *serving)
{
	const char *method = serving->request->method;

	if (strcmp(serving->address.subresource, "scale") == 0)
		sim_serve_scale(serving);
	else if (strcmp(serving->address.subresource, "log") == 0)
		*serving->out = (struct sim_response){ .status = 200,
						       .text = o2_xstrdup(""),
						       .retry_after_s = -1 };
	else if (strcmp(method, "GET") == 0)
		sim_answer_object(serving->out, 200, serving->object->doc);
	else if (strcmp(method, "PUT") == 0)
		sim_serve_put(serving);
	else if (strcmp(method, "PATCH") == 0)
		sim_serve_patch(serving);
	else if (strcmp(method, "DELETE") == 0)
		sim_serve_delete(serving);
	else
		sim_answer_method(serving);
}

static void serve_object(struct serving *serving)
{
	const char *method = serving->request->method;
	bool is_patch = strcmp(method, "PATCH") == 0 && !serving->address.subresource[0];

	if (strcmp(method, "POST") == 0)
		sim_answer_method(serving);
	else if (serving->object)
		serve_present(serving);
	else if (is_patch) /* an apply makes it */
		sim_serve_patch(serving);
	else
		sim_answer_absent(serving);
}

static void serve_collection(struct serving *serving)
{
	const char *method = serving->request->method;

	if (strcmp(method, "POST") == 0)
		create(serving);
	else if (strcmp(method, "GET") == 0)
		sim_list(serving->cluster, &serving->address, serving->out);
	else if (strcmp(method, "DELETE") == 0)
		sim_serve_delete_all(serving);
	else
		sim_answer_method(serving);
}

static bool is_dry(const struct sim_address *address)
{
	O2_AUTO(o2_freep) char *dry = sim_address_query(address, "dryRun", 0);

	return dry && strcmp(dry, "All") == 0;
}

/* A resource that its group does not have; a group that the server does not have is not even told of in JSON. */
static void answer_unknown(struct sim_response *out, const struct sim_address *address)
{
	struct sim_refusal refusal;

	if (!address->is_served) {
		out->status = 404;
		out->text = o2_xstrdup("404 page not found\n");
		return;
	}
	sim_refuse(&refusal, 404, "NotFound", "the server could not find the requested resource");
	refusal.has_details = true;
	sim_answer_status(out, &refusal);
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
		answer_unknown(out, &serving.address);
		return;
	}
	serving.manager = sim_address_query(&serving.address, "fieldManager", 0);
	serving.names_manager = serving.manager != NULL;
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
