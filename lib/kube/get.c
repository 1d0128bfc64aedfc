/* Reading single objects. */
#include <stdlib.h>
#include <string.h>

#include "kube/kube_internal.h"

#define WINDOW 16

static int fill_get(struct o2_kube *kube, const struct o2_kube_kind *kind, const char *ns,
		    const char *name, struct o2_kube_request *request)
{
	struct o2_buf path = { 0 };

	request->method = "GET";
	request->repeatable = true;
	request->what = o2_kube_what(kube, "get", kind, ns, name);
	if (o2_kube_path(&path, kind, ns, name, NULL, &request->err) == 0)
		request->path = o2_buf_steal(&path);
	o2_buf_release(&path);
	return request->err.code;
}

struct o2_doc *o2_kube_get(struct o2_kube *kube, const struct o2_kube_kind *kind, const char *ns,
			   const char *name, struct o2_err *err)
{
	struct o2_kube_read read = { .kind = kind, .ns = ns, .name = name };

	o2_kube_get_many(kube, &read, 1);
	if (read.err.code < 0 && err)
		*err = read.err;
	return read.object;
}

static void begin_read(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	const struct o2_kube_read *read = &((struct o2_kube_read *)many->arg)[index];

	(void)!fill_get(many->kube, read->kind, read->ns, read->name, request);
}

static bool end_read(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct o2_kube_read *read = &((struct o2_kube_read *)many->arg)[index];

	read->err = request->err;
	if (request->err.code == 0)
		read->object = o2_kube_request_doc(request, &read->err);
	return false;
}

static void skip_read(struct o2_kube_many *many, size_t index)
{
	struct o2_kube_read *read = &((struct o2_kube_read *)many->arg)[index];

	o2_fail(&read->err, O2_ECANCELED, "cannot get %s \"%s\" in %s: interrupted",
		read->kind->kind, read->name, many->kube->name);
}

void o2_kube_get_many(struct o2_kube *kube, struct o2_kube_read *reads, size_t count)
{
	struct o2_kube_many many = { .kube = kube,
				     .count = count,
				     .window = WINDOW,
				     .begin = begin_read,
				     .end = end_read,
				     .skipped = skip_read,
				     .arg = reads };

	for (size_t i = 0; i < count; i++) {
		reads[i].object = NULL;
		reads[i].err = (struct o2_err){ 0 };
	}
	o2_kube_many_run(&many);
}
