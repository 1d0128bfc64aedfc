/* PUT and PATCH: of the main resource, of status, of scale. */
#include <ctype.h>
#include <string.h>

#include "admission.h"
#include "api_internal.h"
#include "base/alloc.h"
#include "defaults.h"
#include "managed.h"
#include "world.h"

#define MODIFIED \
	"the object has been modified; please apply your changes to the latest version and try " \
	"again"

/* --- what all of them come to --- */

/* What the server keeps whatever a client says. */
static void keep_server_fields(const struct sim_object *live, struct o2_doc *next, bool main)
{
	static const char *const kept[] = { "uid",
					    "creationTimestamp",
					    "deletionTimestamp",
					    "deletionGracePeriodSeconds",
					    "generation",
					    "resourceVersion",
					    "generateName" };
	const struct o2_doc *was = o2_doc_member(live->doc, "metadata");

	for (size_t i = 0; i < O2_COUNT(kept); i++)
		o2_doc_set(o2_doc_member(next, "metadata"), kept[i],
			   o2_doc_copy(o2_doc_member(was, kept[i])));
	if (main && live->kind->has_status)
		o2_doc_put(next, "/status", o2_doc_copy(o2_doc_at(live->doc, "/status")));
}

/* Addresses stay with a Service that says nothing of them. */
static void keep_addresses(const struct sim_object *live, struct o2_doc *next)
{
	static const char *const kept[] = { "/spec/clusterIP", "/spec/clusterIPs",
					    "/spec/ipFamilies", "/spec/ipFamilyPolicy" };

	if (strcmp(live->kind->kind, "Service") != 0 ||
	    strcmp(o2_doc_str(next, "/spec/type", ""), "ExternalName") == 0)
		return;
	for (size_t i = 0; i < O2_COUNT(kept); i++) {
		if (!o2_doc_at(next, kept[i]))
			o2_doc_put(next, kept[i], o2_doc_copy(o2_doc_at(live->doc, kept[i])));
	}
}

/* A new spec is a new generation; of a Deployment new annotations are one too. */
static void count_generation(const struct sim_object *live, struct o2_doc *next)
{
	bool is_deployment = strcmp(live->kind->kind, "Deployment") == 0;
	bool is_pod = strcmp(live->kind->kind, "Pod") == 0;

	if (!live->kind->has_generation && !is_pod)
		return;
	if (!o2_doc_equal(o2_doc_member(live->doc, "spec"), o2_doc_member(next, "spec")) ||
	    (is_deployment && !o2_doc_equal(o2_doc_at(live->doc, "/metadata/annotations"),
					    o2_doc_at(next, "/metadata/annotations"))))
		o2_doc_put_int(next, "/metadata/generation",
			       o2_doc_int(live->doc, "/metadata/generation", 0) + 1);
}

static bool is_number(const char *text)
{
	for (; isdigit((unsigned char)*text); text++)
		;
	return *text == '\0';
}

/* Is it a change of what is there? Answered if not. */
static bool is_current(struct serving *serving, const struct o2_doc *wished)
{
	struct sim_object *object = serving->object;
	const char *version = o2_doc_str(wished, "/metadata/resourceVersion", "");
	O2_AUTO(o2_freep) char *words = NULL;

	if (!is_number(version)) {
		words = o2_xasprintf("strconv.ParseUint: parsing \"%s\": invalid syntax", version);
		sim_answer_refusal(serving->out, 500, "", words);
	} else if (version[0] &&
		   strcmp(version, o2_doc_str(object->doc, "/metadata/resourceVersion", "")) != 0) {
		sim_answer_conflict(serving, MODIFIED);
	} else {
		return true;
	}
	return false;
}

/* Settled and allowed: the object becomes `next` (taken). */
static void write(struct serving *serving, struct o2_doc *next)
{
	struct sim_object *object = serving->object;

	if (serving->dry) {
		sim_answer_object(serving->out, 200, next);
		o2_doc_free(next);
		return;
	}
	sim_hold(object);
	sim_put(object, next);
	sim_answer_object(serving->out, 200, object->doc);
	sim_let_go(object);
}

/* The main resource is to become `next` (taken). */
static void change(struct serving *serving, struct o2_doc *next, bool is_apply)
{
	struct sim_object *object = serving->object;
	struct sim_refusal refusal;

	if (!sim_check_body(serving, next) || !is_current(serving, next)) {
		o2_doc_free(next);
		return;
	}
	keep_server_fields(object, next, true);
	sim_fill_defaults(object->kind, next);
	keep_addresses(object, next);
	if (!sim_admit_change(object, next, &refusal)) {
		o2_doc_free(next);
		sim_answer_status(serving->out, &refusal);
		return;
	}
	if (!is_apply) /* that knows its owners already */
		sim_managed_update(object->doc, next, serving->manager, NULL);
	count_generation(object, next);
	write(serving, next);
}

/* Most kinds let a write of the status change what they have besides their spec; pods no owners, Deployments no labels. */
static void take_metadata(const struct sim_kind *kind, struct o2_doc *next,
			  const struct o2_doc *wished)
{
	static const char *const free_ones[] = { "labels", "annotations", "finalizers",
						 "ownerReferences" };
	const struct o2_doc *metadata = o2_doc_member(wished, "metadata");

	for (size_t i = 0; i < O2_COUNT(free_ones); i++) {
		if ((strcmp(kind->kind, "Deployment") == 0 && i == 0) ||
		    (strcmp(kind->kind, "Pod") == 0 && i == 3))
			continue;
		o2_doc_set(o2_doc_member(next, "metadata"), free_ones[i],
			   o2_doc_copy(o2_doc_member(metadata, free_ones[i])));
	}
}

/* Only the status is to become that of `wished` (taken), and what goes with it. */
static void change_status(struct serving *serving, struct o2_doc *wished)
{
	struct sim_object *object = serving->object;
	struct o2_doc *next;

	if (!sim_check_body(serving, wished) || !is_current(serving, wished)) {
		o2_doc_free(wished);
		return;
	}
	next = o2_doc_copy(object->doc);
	o2_doc_set(next, "status", o2_doc_copy(o2_doc_member(wished, "status")));
	if (!o2_doc_member(next, "status"))
		sim_reset_status(object->kind, next);
	take_metadata(object->kind, next, wished);
	o2_doc_free(wished);
	sim_managed_update(object->doc, next, serving->manager, "status");
	write(serving, next);
}

static void change_any(struct serving *serving, struct o2_doc *wished, bool is_apply)
{
	if (strcmp(serving->address.subresource, "status") == 0)
		change_status(serving, wished);
	else
		change(serving, wished, is_apply);
}

/* --- PUT --- */

/* A body that names another object than the address does. Answered then. */
static bool is_named_so(struct serving *serving, const struct o2_doc *doc)
{
	const struct sim_address *address = &serving->address;
	const char *name = o2_doc_str(doc, "/metadata/name", "");
	O2_AUTO(o2_freep) char *words = NULL;

	if (strcmp(name, address->name) == 0)
		return true;
	words = o2_xasprintf("the name of the object (%s) does not match the name on the URL (%s)",
			     name, address->name);
	sim_answer_refusal(serving->out, 400, "BadRequest", words);
	return false;
}

/* A PUT that names a uid is for that object alone. Answered if it is another. */
static bool is_of_uid(struct serving *serving, const struct o2_doc *doc)
{
	const char *uid = o2_doc_str(doc, "/metadata/uid", "");
	const struct sim_address *address = &serving->address;

	if (!uid[0] || strcmp(uid, sim_uid(serving->object)) == 0)
		return true;
	O2_AUTO(o2_freep)
	char *words =
		o2_xasprintf("StorageError: invalid object, Code: 4, Key: /registry/%s/%s%s%s, "
			     "ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
			     "UID in precondition: %s, UID in object meta: %s",
			     address->kind->resource, address->ns, address->ns[0] ? "/" : "",
			     address->name, uid, sim_uid(serving->object));
	sim_answer_conflict(serving, words);
	return false;
}

void sim_serve_put(struct serving *serving)
{
	struct o2_doc *doc = sim_read_body(serving);

	if (!doc)
		return;
	if (!sim_check_body(serving, doc) || !is_named_so(serving, doc) ||
	    !is_of_uid(serving, doc)) {
		o2_doc_free(doc);
		return;
	}
	change_any(serving, doc, false);
}

/* --- PATCH --- */

static void apply(struct serving *serving, const struct o2_doc *wished)
{
	O2_AUTO(o2_freep) char *force = sim_address_query(&serving->address, "force", 0);
	struct sim_object *object = serving->object;
	struct sim_refusal refusal;
	struct o2_doc *next = NULL;

	if (!is_named_so(serving, wished))
		return;
	if (!sim_managed_apply(object ? object->doc : NULL, wished, serving->manager,
			       force && strcmp(force, "true") == 0, &next, &refusal)) {
		sim_answer_status(serving->out, &refusal);
		return;
	}
	if (object) {
		change(serving, next, true);
		return;
	}
	if (!sim_check_body(serving, next)) {
		o2_doc_free(next);
	} else if (!sim_prepare(serving->cluster, next, NULL, serving->dry, &refusal)) {
		o2_doc_free(next);
		sim_answer_status(serving->out, &refusal);
	} else if (serving->dry) {
		sim_answer_object(serving->out, 201, next);
		o2_doc_free(next);
	} else {
		sim_answer_object(serving->out, 201, sim_store(serving->cluster, next)->doc);
	}
}

/* `doc` (taken) with a patch done to it; NULL, and answered, if it can't be. */
static struct o2_doc *patched(struct serving *serving, struct o2_doc *doc,
			      const struct o2_doc *patch, bool is_merge)
{
	struct sim_refusal refusal;
	struct o2_err err = { 0 };

	if (is_merge) {
		o2_doc_merge(&doc, patch);
		return doc;
	}
	if (o2_doc_patch(&doc, patch, &err) == 0)
		return doc;
	o2_doc_free(doc);
	sim_refuse(&refusal, 422, "Invalid", "%s",
		   "the server rejected our request due to an error in our request");
	refusal.has_details = true;
	sim_answer_status(serving->out, &refusal);
	return NULL;
}

/* A uid is nobody's to change, and said so twice. */
static bool keeps_uid(struct serving *serving, const struct o2_doc *next)
{
	const char *uid = o2_doc_str(next, "/metadata/uid", "");
	O2_AUTO(o2_freep)
	char *words = o2_xasprintf("Invalid value: \"%s\": field is immutable", uid);
	struct sim_refusal refusal;

	if (!uid[0] || strcmp(uid, sim_uid(serving->object)) == 0)
		return true;
	sim_refuse_field(&refusal, serving->address.kind, serving->address.name, "metadata.uid",
			 "FieldValueInvalid", "%s", words);
	sim_refusal_add_cause(&refusal, "FieldValueInvalid", "metadata.uid", words);
	sim_answer_status(serving->out, &refusal);
	return false;
}

static void patch_with(struct serving *serving, const struct o2_doc *patch, bool is_merge)
{
	struct o2_doc *next = patched(serving, o2_doc_copy(serving->object->doc), patch, is_merge);

	if (!next)
		return;
	if (!is_named_so(serving, next) || !keeps_uid(serving, next)) {
		o2_doc_free(next);
		return;
	}
	change_any(serving, next, false);
}

static const char merge_type[] = "application/merge-patch+json";
static const char json_type[] = "application/json-patch+json";
static const char apply_type[] = "application/apply-patch+yaml";

static const char *type_of(const struct serving *serving)
{
	return serving->request->content_type ? serving->request->content_type : "";
}

static void refuse_type(struct serving *serving)
{
	O2_AUTO(o2_freep)
	char *words = o2_xasprintf("the body of the request was in an unknown format - accepted "
				   "media types include: %s, %s, application/apply-patch+yaml",
				   json_type, merge_type);

	sim_answer_refusal(serving->out, 415, "UnsupportedMediaType", words);
}

static void refuse_nameless(struct serving *serving)
{
	struct sim_refusal refusal;
	static const char words[] = "Required value: is required for apply patch";

	sim_refuse(&refusal, 422, "Invalid",
		   "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: %s", words);
	refusal.group = "meta.k8s.io";
	refusal.kind = "PatchOptions";
	sim_refusal_add_cause(&refusal, "FieldValueRequired", "fieldManager", words);
	sim_answer_status(serving->out, &refusal);
}

void sim_serve_patch(struct serving *serving)
{
	bool is_merge = strcmp(type_of(serving), merge_type) == 0;
	bool is_apply = strcmp(type_of(serving), apply_type) == 0;

	if (!is_merge && !is_apply && strcmp(type_of(serving), json_type) != 0) {
		refuse_type(serving);
		return;
	}
	if (is_apply && !serving->names_manager) {
		refuse_nameless(serving);
		return;
	}
	if (!serving->object && !is_apply) {
		sim_answer_absent(serving);
		return;
	}
	O2_AUTO(o2_doc_freep) struct o2_doc *body = sim_read_body(serving);
	if (!body)
		return;
	if (is_apply)
		apply(serving, body);
	else
		patch_with(serving, body, is_merge);
}

/* --- scale --- */

/* A LabelSelector as text: "app=web". Caller frees. */
static char *selector_text(const struct o2_doc *selector)
{
	struct o2_buf text;

	o2_buf_init(&text, 4096);
	for (struct o2_doc_iter it = o2_doc_iter(o2_doc_member(selector, "matchLabels"));
	     o2_doc_next(&it);)
		o2_buf_addf(&text, "%s%s=%s", text.len > 0 ? "," : "", it.name,
			    o2_doc_text(it.value));
	return text.data ? text.data : o2_xstrdup("");
}

static struct o2_doc *scale_of(const struct o2_doc *object)
{
	static const char *const same[] = { "name", "namespace", "uid", "resourceVersion",
					    "creationTimestamp" };
	struct o2_doc *scale = o2_doc_object_new();
	const struct o2_doc *metadata = o2_doc_member(object, "metadata");
	int64_t replicas = o2_doc_int(object, "/spec/replicas", 0);
	O2_AUTO(o2_freep) char *selector = selector_text(o2_doc_at(object, "/spec/selector"));

	o2_doc_set_str(scale, "kind", "Scale");
	o2_doc_set_str(scale, "apiVersion", "autoscaling/v1");
	o2_doc_set(scale, "metadata", o2_doc_object_new());
	for (size_t i = 0; i < O2_COUNT(same); i++)
		o2_doc_set(o2_doc_member(scale, "metadata"), same[i],
			   o2_doc_copy(o2_doc_member(metadata, same[i])));
	o2_doc_set(scale, "spec", o2_doc_object_new());
	if (replicas != 0)
		o2_doc_put_int(scale, "/spec/replicas", replicas);
	o2_doc_put_int(scale, "/status/replicas", o2_doc_int(object, "/status/replicas", 0));
	o2_doc_put_str(scale, "/status/selector", selector);
	return scale;
}

/* The Scale that a request asks for; NULL, and answered, if it can't be had. */
static struct o2_doc *wished_scale(struct serving *serving)
{
	bool is_merge = strcmp(type_of(serving), merge_type) == 0;
	O2_AUTO(o2_doc_freep) struct o2_doc *body = NULL;

	if (strcmp(serving->request->method, "PUT") == 0)
		return sim_read_body(serving);
	if (!is_merge && strcmp(type_of(serving), json_type) != 0) {
		refuse_type(serving);
		return NULL;
	}
	body = sim_read_body(serving);
	return body ? patched(serving, scale_of(serving->object->doc), body, is_merge) : NULL;
}

static void change_scale(struct serving *serving)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *wished = wished_scale(serving);
	struct o2_doc *next, *changed;

	if (!wished || !is_current(serving, wished))
		return;
	next = o2_doc_copy(serving->object->doc);
	o2_doc_put_int(next, "/spec/replicas", o2_doc_int(wished, "/spec/replicas", 0));
	sim_managed_update(serving->object->doc, next, serving->manager, "scale");
	write(serving, next);
	changed = serving->out->doc;
	serving->out->doc = scale_of(changed);
	o2_doc_free(changed);
}

void sim_serve_scale(struct serving *serving)
{
	if (strcmp(serving->request->method, "GET") == 0) {
		serving->out->status = 200;
		serving->out->doc = scale_of(serving->object->doc);
	} else {
		change_scale(serving);
	}
}
