/* Asking the server what it would do: dry-run creates, and what this user may do. Nothing is written. */
#include <stdlib.h>
#include <string.h>

#include "kube/kube_internal.h"

#define WINDOW 16
#define MAX_ANSWER_BYTES ((size_t)16 << 20)

static void begin_trial(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	const struct o2_kube_trial *trial = &((struct o2_kube_trial *)many->arg)[index];
	const char *name = o2_doc_str(trial->object, "/metadata/name", "");
	struct o2_buf path = { 0 };

	request->method = "POST";
	request->content_type = "application/json";
	request->repeatable = true;
	request->secret = strcmp(trial->kind->kind, "Secret") == 0;
	request->max_answer_bytes = MAX_ANSWER_BYTES;
	request->what = o2_kube_what(many->kube, "create (dry run)", trial->kind,
				     trial->kind->namespaced ? trial->ns : NULL, name);
	if (o2_kube_path(&path, trial->kind, trial->ns, NULL, NULL, &request->err) == 0) {
		o2_kube_query(&path, "dryRun", "All");
		o2_kube_query(&path, "fieldValidation", "Strict");
		o2_kube_query(&path, "fieldManager", "os2os");
		request->path = o2_buf_steal(&path);
		request->body = o2_doc_dump(trial->object);
		request->body_len = strlen(request->body);
	}
	o2_buf_release(&path);
}

static bool end_trial(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct o2_kube_trial *trial = &((struct o2_kube_trial *)many->arg)[index];

	trial->err = request->err;
	if (request->err.code == 0)
		trial->result = o2_kube_request_doc(request, &trial->err);
	snprintf(trial->warning, sizeof(trial->warning), "%s", request->answer.warning);
	return false;
}

static void skip_trial(struct o2_kube_many *many, size_t index)
{
	struct o2_kube_trial *trial = &((struct o2_kube_trial *)many->arg)[index];

	o2_fail(&trial->err, O2_ECANCELED, "cannot try %s in %s: interrupted", trial->kind->kind,
		many->kube->name);
}

void o2_kube_try_create_many(struct o2_kube *kube, struct o2_kube_trial *trials, size_t count)
{
	struct o2_kube_many many = { .kube = kube,
				     .count = count,
				     .window = WINDOW,
				     .window_max = WINDOW,
				     .begin = begin_trial,
				     .end = end_trial,
				     .skipped = skip_trial,
				     .arg = trials };

	for (size_t i = 0; i < count; i++) {
		trials[i].result = NULL;
		trials[i].warning[0] = '\0';
		trials[i].err = (struct o2_err){ 0 };
	}
	o2_kube_many_run(&many);
}

static void put(struct o2_doc *review, const char *pointer, const char *text)
{
	if (text && text[0])
		o2_doc_put_str(review, pointer, text);
}

static void begin_review(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	const struct o2_kube_access *access = &((struct o2_kube_access *)many->arg)[index];
	O2_AUTO(o2_doc_freep) struct o2_doc *review = o2_doc_object_new();

	put(review, "/apiVersion", "authorization.k8s.io/v1");
	put(review, "/kind", "SelfSubjectAccessReview");
	o2_doc_put(review, "/spec/resourceAttributes", o2_doc_object_new());
	put(review, "/spec/resourceAttributes/verb", access->verb);
	put(review, "/spec/resourceAttributes/group", access->group);
	put(review, "/spec/resourceAttributes/resource", access->resource);
	put(review, "/spec/resourceAttributes/subresource", access->subresource);
	put(review, "/spec/resourceAttributes/namespace", access->ns);
	put(review, "/spec/resourceAttributes/name", access->name);
	request->method = "POST";
	request->content_type = "application/json";
	request->repeatable = true;
	request->path = o2_xstrdup("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
	request->what = o2_xasprintf("cannot ask what is allowed in %s", many->kube->name);
	request->body = o2_doc_dump(review);
	request->body_len = strlen(request->body);
}

static bool end_review(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct o2_kube_access *access = &((struct o2_kube_access *)many->arg)[index];
	O2_AUTO(o2_doc_freep) struct o2_doc *review = NULL;

	access->err = request->err;
	if (request->err.code == 0)
		review = o2_kube_request_doc(request, &access->err);
	access->allowed = o2_doc_bool(review, "/status/allowed", false);
	snprintf(access->reason, sizeof(access->reason), "%s",
		 o2_doc_str(review, "/status/reason", ""));
	return false;
}

static void skip_review(struct o2_kube_many *many, size_t index)
{
	struct o2_kube_access *access = &((struct o2_kube_access *)many->arg)[index];

	o2_fail(&access->err, O2_ECANCELED, "cannot ask what is allowed in %s: interrupted",
		many->kube->name);
}

void o2_kube_can_many(struct o2_kube *kube, struct o2_kube_access *reviews, size_t count)
{
	struct o2_kube_many many = { .kube = kube,
				     .count = count,
				     .window = WINDOW,
				     .window_max = WINDOW,
				     .begin = begin_review,
				     .end = end_review,
				     .skipped = skip_review,
				     .arg = reviews };

	for (size_t i = 0; i < count; i++) {
		reviews[i].allowed = false;
		reviews[i].reason[0] = '\0';
		reviews[i].err = (struct o2_err){ 0 };
	}
	o2_kube_many_run(&many);
}
