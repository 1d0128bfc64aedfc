/* The end of a container's log. */
#include <stdlib.h>

#include "kube/kube_internal.h"

#define LOG_BYTES ((size_t)1 << 20)

static void add_queries(struct o2_buf *path, const char *container, int lines, bool previous)
{
	char number[16];

	if (container && container[0])
		o2_kube_query(path, "container", container);
	snprintf(number, sizeof(number), "%d", lines);
	o2_kube_query(path, "tailLines", number);
	snprintf(number, sizeof(number), "%zu", LOG_BYTES);
	o2_kube_query(path, "limitBytes", number);
	if (previous)
		o2_kube_query(path, "previous", "true");
}

char *o2_kube_log_tail(struct o2_kube *kube, const char *ns, const char *pod, const char *container,
		       int lines, bool previous, struct o2_err *err)
{
	const struct o2_kube_kind *kind = o2_kube_kind_find(kube, "", "Pod");
	struct o2_kube_request request = {
		.method = "GET",
		.accept = "*/*",
		.repeatable = true,
		.max_answer_bytes = 2 * LOG_BYTES, /* the server counts roughly */
	};
	struct o2_buf path = { 0 };
	char *text = NULL;

	if (kind == NULL) {
		o2_fail(err, O2_EUNSUPPORTED, "%s has no pods", kube->name);
		return NULL;
	}
	request.what = o2_kube_what(kube, "read the log of", kind, ns, pod);
	if (o2_kube_path(&path, kind, ns, pod, "log", err) == 0) {
		add_queries(&path, container, lines, previous);
		request.path = o2_buf_steal(&path);
		if (o2_kube_request_wait(kube, &request, false, err) == 0)
			text = o2_buf_steal(&request.answer.body);
	}
	o2_buf_release(&path);
	o2_kube_request_release(&request);
	return text;
}
