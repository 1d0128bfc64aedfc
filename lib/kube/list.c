/* Lists, page by page, several at once. */
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "kube/kube_internal.h"

#define WINDOW 8
#define PAGE_ITEMS 500
#define PAGE_BYTES ((size_t)8 << 20)  /* a larger page is asked for again with fewer items */
#define ITEM_BYTES ((size_t)64 << 20) /* a page of one item */

/* Where a list stands. */
struct progress {
	struct o2_kube_list *list;
	char *resume; /* continue token, NULL on the first page */
	int limit;
	bool restarted;
};

struct lists {
	struct progress *items;
};

int o2_kube_list_path(struct o2_buf *path, const struct o2_kube_list *list, int limit,
		      const char *resume, struct o2_err *err)
{
	char number[16];
	int code = o2_kube_path(path, list->kind, list->ns, NULL, NULL, err);

	if (code < 0)
		return code;
	if (limit > 0) {
		snprintf(number, sizeof(number), "%d", limit);
		o2_kube_query(path, "limit", number);
	}
	if (list->selector && list->selector[0])
		o2_kube_query(path, "labelSelector", list->selector);
	if (list->field_selector && list->field_selector[0])
		o2_kube_query(path, "fieldSelector", list->field_selector);
	if (resume)
		o2_kube_query(path, "continue", resume);
	return 0;
}

static void fill_page(struct o2_kube *kube, struct progress *progress,
		      struct o2_kube_request *request)
{
	struct o2_kube_list *list = progress->list;
	struct o2_buf path = { 0 };

	request->method = "GET";
	request->repeatable = true;
	request->secret = strcmp(list->kind->kind, "Secret") == 0;
	request->max_answer_bytes = progress->limit > 1 ? PAGE_BYTES : ITEM_BYTES;
	request->what = o2_kube_what(kube, "list", list->kind,
				     list->kind->namespaced ? list->ns : NULL, NULL);
	if (o2_kube_list_path(&path, list, progress->limit, progress->resume, &request->err) == 0)
		request->path = o2_buf_steal(&path);
	o2_buf_release(&path);
}

static void begin_list(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct lists *lists = many->arg;

	fill_page(many->kube, &lists->items[index], request);
}

/* Hand the items of a page over. */
static int hand_over(struct progress *progress, const struct o2_kube_page *page, const char *what,
		     struct o2_err *err)
{
	struct o2_kube_list *list = progress->list;

	for (size_t i = 0; i < page->count; i++) {
		struct o2_err cause = { 0 };
		O2_AUTO(o2_doc_freep)
		struct o2_doc *item = o2_kube_page_item_parse(page, i, list->kind, &cause);
		if (item == NULL)
			return o2_fail(err, O2_ECORRUPT, "%s: an item can't be read: %s", what,
				       cause.message);
		int code = list->fn(list->arg, list->kind, item);
		if (code < 0)
			return o2_fail(err, (enum o2_code) - code, "%s: stopped by the reader",
				       what);
	}
	return 0;
}

/* Returns 1 if there is another page. */
static int take_page(struct progress *progress, const struct o2_kube_request *request,
		     struct o2_err *err)
{
	struct o2_kube_list *list = progress->list;
	O2_AUTO(o2_doc_freep) struct o2_doc *head = NULL;
	struct o2_kube_page page;
	struct o2_err cause = { 0 };

	if (o2_kube_page_cut(&page, request->answer.body.data, request->answer.body.len, &head,
			     &cause) < 0)
		return o2_fail(err, O2_ECORRUPT, "%s: the answer is not JSON (%s)", request->what,
			       cause.message);
	int code = hand_over(progress, &page, request->what, err);
	o2_kube_page_release(&page);
	if (code < 0)
		return code;
	free(list->version);
	list->version = o2_xstrdup(o2_doc_str(head, "/metadata/resourceVersion", ""));
	free(progress->resume);
	const char *resume = o2_doc_str(head, "/metadata/continue", "");
	progress->resume = resume[0] ? o2_xstrdup(resume) : NULL;
	return progress->resume ? 1 : 0;
}

/* A failed page that can be asked for in another way. */
static bool adjust(struct progress *progress, const struct o2_err *failure)
{
	struct o2_kube_list *list = progress->list;

	if (failure->code == -O2_ELIMIT && failure->origin == O2_ORIGIN_NONE &&
	    progress->limit > 1) {
		progress->limit = progress->limit > 10 ? progress->limit / 10 : 1;
		return true;
	}
	if (failure->number == 410 && failure->origin == O2_ORIGIN_HTTP && progress->resume &&
	    !progress->restarted) {
		progress->restarted = true;
		free(progress->resume);
		progress->resume = NULL;
		int code = list->fn(list->arg, list->kind, NULL);
		if (code < 0)
			o2_fail(&list->err, (enum o2_code) - code,
				"the list of %s was stopped by the reader", list->kind->resource);
		return code >= 0;
	}
	return false;
}

static bool end_page(struct o2_kube_many *many, size_t index, struct o2_kube_request *request)
{
	struct progress *progress = &((struct lists *)many->arg)->items[index];
	struct o2_kube_list *list = progress->list;
	bool more;

	if (request->err.code < 0) {
		more = adjust(progress, &request->err);
		if (!more && list->err.code == 0)
			list->err = request->err;
	} else {
		more = take_page(progress, request, &list->err) == 1;
	}
	if (!more)
		return false;
	o2_kube_request_release(request);
	fill_page(many->kube, progress, request);
	return true;
}

static void skip_list(struct o2_kube_many *many, size_t index)
{
	struct o2_kube_list *list = ((struct lists *)many->arg)->items[index].list;

	o2_fail(&list->err, O2_ECANCELED, "cannot list %s in %s: interrupted", list->kind->resource,
		many->kube->name);
}

int o2_kube_list_many(struct o2_kube *kube, struct o2_kube_list *lists, size_t count,
		      struct o2_err *err)
{
	struct lists all = { .items = o2_xcalloc(count ? count : 1, sizeof(*all.items)) };
	struct o2_kube_many many = { .kube = kube,
				     .count = count,
				     .window = WINDOW,
				     .begin = begin_list,
				     .end = end_page,
				     .skipped = skip_list,
				     .arg = &all };

	for (size_t i = 0; i < count; i++) {
		all.items[i] = (struct progress){ .list = &lists[i], .limit = PAGE_ITEMS };
		lists[i].err = (struct o2_err){ 0 };
		lists[i].version = NULL;
	}
	o2_kube_many_run(&many);
	for (size_t i = 0; i < count; i++)
		free(all.items[i].resume);
	free(all.items);
	return many.canceled ? o2_cancel_check(err) : 0;
}

int o2_kube_list(struct o2_kube *kube, struct o2_kube_list *list, struct o2_err *err)
{
	int code = o2_kube_list_many(kube, list, 1, err);

	if (code < 0)
		return code;
	if (list->err.code < 0 && err)
		*err = list->err;
	return list->err.code;
}

void o2_kube_list_release(struct o2_kube_list *list)
{
	free(list->version);
	list->version = NULL;
}
