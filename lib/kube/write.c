/* Writes. An outcome that is unknown is never repeated here (PROTOCOL.md U9). */
#include "kube/write.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kube/kube_internal.h"

#define WINDOW_FIRST 16
#define WINDOW_MAX 64
#define MAX_ANSWER_BYTES ((size_t)16 << 20)

static const struct {
	const char *method;
	const char *verb;
	const char *content_type;
} operations[O2_KUBE_DO_COUNT] = {
	[O2_KUBE_DO_CREATE] = { "POST", "create", "application/json" },
	[O2_KUBE_DO_REPLACE] = { "PUT", "replace", "application/json" },
	[O2_KUBE_DO_PATCH_JSON] = { "PATCH", "patch", "application/json-patch+json" },
	[O2_KUBE_DO_PATCH_MERGE] = { "PATCH", "patch", "application/merge-patch+json" },
	[O2_KUBE_DO_APPLY] = { "PATCH", "apply", "application/apply-patch+yaml" },
	[O2_KUBE_DO_DELETE] = { "DELETE", "delete", "application/json" },
};

static char *delete_options(const struct o2_kube_write *write)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *options = o2_doc_object_new();

	o2_doc_put_str(options, "/apiVersion", "v1");
	o2_doc_put_str(options, "/kind", "DeleteOptions");
	o2_doc_put_str(options, "/preconditions/uid", write->uid);
	if (write->resource_version)
		o2_doc_put_str(options, "/preconditions/resourceVersion", write->resource_version);
	o2_doc_put_str(options, "/propagationPolicy",
		       write->propagation ? write->propagation : "Background");
	if (write->dry_run) {
		o2_doc_put(options, "/dryRun", o2_doc_array_new());
		o2_doc_append_str(o2_doc_at(options, "/dryRun"), "All");
	}
	return o2_doc_dump(options);
}

static const char *name_of(const struct o2_kube_write *write)
{
	return write->name ? write->name : o2_doc_str(write->body, "/metadata/name", NULL);
}

static void add_queries(struct o2_buf *path, const struct o2_kube_write *write)
{
	if (write->op == O2_KUBE_DO_DELETE)
		return;
	o2_kube_query(path, "fieldManager",
		      write->field_manager ? write->field_manager : O2_KUBE_FIELD_MANAGER);
	if (write->dry_run)
		o2_kube_query(path, "dryRun", "All");
	if (write->op == O2_KUBE_DO_APPLY && write->force)
		o2_kube_query(path, "force", "true");
}

static void fill_write(struct o2_kube *kube, const struct o2_kube_write *write,
		       struct o2_kube_request *request)
{
	struct o2_buf path = { 0 };
	const char *name = name_of(write);
	const char *shown = name ? name : o2_doc_str(write->body, "/metadata/generateName", "");

	assert(write->op < O2_KUBE_DO_COUNT);
	assert(write->op != O2_KUBE_DO_DELETE || (write->uid && write->name));
	assert(write->op != O2_KUBE_DO_REPLACE ||
	       o2_doc_str(write->body, "/metadata/resourceVersion", "")[0]);
	request->method = operations[write->op].method;
	request->content_type = operations[write->op].content_type;
	request->secret = strcmp(write->kind->kind, "Secret") == 0;
	request->max_answer_bytes = MAX_ANSWER_BYTES;
	request->what = o2_kube_what(kube, operations[write->op].verb, write->kind,
				     write->kind->namespaced ? write->ns : NULL, shown);
	bool on_collection = write->op == O2_KUBE_DO_CREATE && write->subresource == NULL;
	if (o2_kube_path(&path, write->kind, write->ns, on_collection ? NULL : name,
			 write->subresource, &request->err) == 0) {
		add_queries(&path, write);
		request->path = o2_buf_steal(&path);
		request->body = write->op == O2_KUBE_DO_DELETE ? delete_options(write)
							       : o2_doc_dump(write->body);
		request->body_len = strlen(request->body);
	}
	o2_buf_release(&path);
}

struct batch {
	struct o2_kube_write *writes;
	bool stop_on_error;
	void (*on_done)(void *arg, struct o2_kube_write *write);
	void *arg;
};

static void begin_write(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct batch *batch = many->arg;

	fill_write(many->kube, &batch->writes[index], request);
}

static bool end_write(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct batch *batch = many->arg;
	struct o2_kube_write *write = &batch->writes[index];

	write->err = request->err;
	if (write->err.code == 0) {
		write->result = o2_kube_request_doc(request, &write->err);
		if (write->result ==
		    NULL) { /* a 2xx: it was done, but what came back can't be trusted */
			write->err.code = -O2_ETRANSIENT;
		}
	}
	if (write->err.code < 0 && batch->stop_on_error)
		many->stop = true;
	if (batch->on_done)
		batch->on_done(batch->arg, write);
	return false;
}

static void skip_write(struct o2_kube_many *many, size_t index)
{
	struct batch *batch = many->arg;
	struct o2_kube_write *write = &batch->writes[index];
	const char *name = name_of(write);

	o2_fail(&write->err, O2_ECANCELED, "%s \"%s\" in %s: not begun", write->kind->kind,
		name ? name : "", many->kube->name);
}

void o2_kube_write_many(struct o2_kube *kube, struct o2_kube_write *writes, size_t count,
			bool stop_on_error, void (*on_done)(void *arg, struct o2_kube_write *write),
			void *arg)
{
	struct batch batch = {
		.writes = writes, .stop_on_error = stop_on_error, .on_done = on_done, .arg = arg
	};
	struct o2_kube_many many = {
		.kube = kube,
		.count = count,
		.window = WINDOW_FIRST,
		.window_max = WINDOW_MAX,
		.writes = true,
		.begin = begin_write,
		.end = end_write,
		.skipped = skip_write,
		.arg = &batch,
	};

	for (size_t i = 0; i < count; i++) {
		writes[i].result = NULL;
		writes[i].err = (struct o2_err){ 0 };
	}
	o2_kube_many_run(&many);
}

int o2_kube_write_one(struct o2_kube *kube, struct o2_kube_write *write, struct o2_err *err)
{
	o2_kube_write_many(kube, write, 1, true, NULL, NULL);
	if (write->err.code < 0 && err)
		*err = write->err;
	return write->err.code;
}
