/* Selectors as text, pages, and the answer's shape. */
#include "list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strs.h"

/* --- one requirement: "a", "!a", "a=b", "a==b", "a!=b", "a in (b,c)", "a notin (b,c)" --- */

static void trim(char *text)
{
	size_t lead = strspn(text, " ");
	size_t len;

	memmove(text, text + lead, strlen(text + lead) + 1);
	for (len = strlen(text); len > 0 && text[len - 1] == ' '; len--)
		text[len - 1] = '\0';
}

/* "(b, c)" holds it? */
static bool set_holds(const char *set, const char *value)
{
	struct o2_strs items = { 0 };
	O2_AUTO(o2_freep) char *inner = o2_xstrndup(set + 1, strlen(set) > 1 ? strlen(set) - 2 : 0);
	bool found = false;

	o2_strs_split(&items, inner, ",");
	for (size_t i = 0; i < items.count && !found; i++) {
		O2_AUTO(o2_freep) char *item = o2_xstrdup(items.items[i]);
		trim(item);
		found = strcmp(item, value) == 0;
	}
	o2_strs_release(&items);
	return found;
}

static bool label_requirement(char *text, const struct o2_doc *labels)
{
	char *sign = strchr(text, '=');
	char *in = strstr(text, " in ");
	char *notin = strstr(text, " notin ");
	const char *value;

	if (in || notin) {
		char *set = in ? in + 4 : notin + 7;
		*(in ? in : notin) = '\0';
		trim(text);
		trim(set);
		value = o2_doc_member_str(labels, text, NULL);
		return in ? value && set_holds(set, value) : !value || !set_holds(set, value);
	}
	if (!sign) {
		bool absent = text[0] == '!';
		return (o2_doc_member(labels, text + absent) == NULL) == absent;
	}
	bool differs = sign > text && sign[-1] == '!';
	char *wanted = sign + 1 + (sign[1] == '=');
	sign[differs ? -1 : 0] = '\0';
	trim(text);
	trim(wanted);
	value = o2_doc_member_str(labels, text, NULL);
	return differs ? !value || strcmp(value, wanted) != 0 : value && strcmp(value, wanted) == 0;
}

static bool field_requirement(char *text, const struct o2_doc *doc)
{
	char *sign = strchr(text, '=');
	struct o2_buf pointer;

	if (!sign)
		return true;
	bool differs = sign > text && sign[-1] == '!';
	char *wanted = sign + 1 + (sign[1] == '=');
	sign[differs ? -1 : 0] = '\0';
	o2_buf_init(&pointer, 1024);
	for (const char *p = text; *p; p++) {
		if (p == text || *p == '.')
			o2_buf_addc(&pointer, '/');
		if (*p != '.')
			o2_buf_addc(&pointer, *p);
	}
	bool same = strcmp(o2_doc_str(doc, pointer.data ? pointer.data : "", ""), wanted) == 0;
	o2_buf_release(&pointer);
	return same != differs;
}

/* Requirements are apart by commas, but not by those inside brackets. */
static bool all_hold(const char *selector, const struct o2_doc *doc,
		     bool (*holds)(char *text, const struct o2_doc *doc))
{
	for (const char *at = selector; at && *at;) {
		size_t len = 0;
		int depth = 0;
		for (; at[len] && (at[len] != ',' || depth > 0); len++)
			depth += at[len] == '(' ? 1 : at[len] == ')' ? -1 : 0;
		O2_AUTO(o2_freep) char *text = o2_xstrndup(at, len);
		trim(text);
		if (text[0] && !holds(text, doc))
			return false;
		at += len + (at[len] == ',');
	}
	return true;
}

bool sim_list_shows(const struct sim_address *address, const char *label_selector,
		    const char *field_selector, const struct o2_doc *doc)
{
	const char *ns = o2_doc_str(doc, "/metadata/namespace", "");

	return (address->ns[0] == '\0' || strcmp(ns, address->ns) == 0) &&
	       (address->name[0] == '\0' ||
		strcmp(o2_doc_str(doc, "/metadata/name", ""), address->name) == 0) &&
	       all_hold(label_selector, o2_doc_at(doc, "/metadata/labels"), label_requirement) &&
	       all_hold(field_selector, doc, field_requirement);
}

/* --- the answer --- */

/* Items of built-in kinds are shown without apiVersion and kind. */
static struct o2_doc *item_of(const struct o2_doc *doc)
{
	struct o2_doc *item = o2_doc_object_new();

	for (struct o2_doc_iter it = o2_doc_iter(doc); o2_doc_next(&it);) {
		if (strcmp(it.name, "apiVersion") != 0 && strcmp(it.name, "kind") != 0)
			o2_doc_set(item, it.name, o2_doc_ref(it.value));
	}
	return item;
}

static int by_name(const void *a, const void *b)
{
	const struct sim_object *const *x = a, *const *y = b;
	int order = strcmp((*x)->ns, (*y)->ns);

	return order ? order : strcmp((*x)->name, (*y)->name);
}

/* All that is shown, in etcd's order. Caller frees. */
static struct sim_object **collect(struct sim_cluster *cluster, const struct sim_address *address,
				   size_t *out_count)
{
	O2_AUTO(o2_freep) char *labels = sim_address_query(address, "labelSelector", 0);
	O2_AUTO(o2_freep) char *fields = sim_address_query(address, "fieldSelector", 0);
	struct sim_object **found = NULL;
	size_t count = 0, cap = 0;

	for (struct sim_object *at = sim_first(cluster, address->kind); at; at = sim_next(at)) {
		if (!sim_list_shows(address, labels, fields, at->doc))
			continue;
		O2_GROW(found, count, cap);
		found[count++] = at;
	}
	if (count > 1)
		qsort(found, count, sizeof(*found), by_name);
	*out_count = count;
	return found;
}

/* Besides name and namespace, which all have. */
static const struct {
	const char *kind, *fields;
} selectable[] = {
	{ "Pod", " spec.nodeName spec.restartPolicy spec.schedulerName spec.serviceAccountName "
		 "spec.hostNetwork status.phase status.podIP status.podIPs "
		 "status.nominatedNodeName " },
	{ "Secret", " type " },
	{ "Namespace", " status.phase " },
	{ "Node", " spec.unschedulable " },
	{ "Job", " status.successful " },
	{ "ReplicaSet", " status.replicas " },
	{ "Service", " spec.clusterIP spec.type " },
	{ "Event", " involvedObject.kind involvedObject.namespace involvedObject.name "
		   "involvedObject.uid involvedObject.apiVersion involvedObject.resourceVersion "
		   "involvedObject.fieldPath reason reportingComponent source type " },
};

static bool is_selectable(const struct sim_kind *kind, const char *field)
{
	O2_AUTO(o2_freep) char *word = o2_xasprintf(" %s ", field);

	if (strstr(" metadata.name metadata.namespace ", word))
		return true;
	for (size_t i = 0; i < O2_COUNT(selectable); i++) {
		if (strcmp(selectable[i].kind, kind->kind) == 0)
			return strstr(selectable[i].fields, word) != NULL;
	}
	return false;
}

/* Answered with 400 if the request makes no sense. */
static bool can_list(const struct sim_address *address, const char *fields, const char *resume,
		     struct sim_response *out)
{
	struct o2_strs terms = { 0 };
	bool good = true;

	if (resume && resume[strspn(resume, "0123456789")]) {
		sim_answer_refusal(out, 400, "BadRequest", "continue key is not valid");
		return false;
	}
	o2_strs_split(&terms, fields ? fields : "", ",");
	for (size_t i = 0; i < terms.count && good; i++) {
		O2_AUTO(o2_freep)
		char *name = o2_xstrndup(terms.items[i], strcspn(terms.items[i], "!="));
		if (is_selectable(address->kind, name))
			continue;
		O2_AUTO(o2_freep) char *words = o2_xasprintf("field label not supported: %s", name);
		sim_answer_refusal(out, 400, "BadRequest", words);
		good = false;
	}
	o2_strs_release(&terms);
	return good;
}

void sim_list(struct sim_cluster *cluster, const struct sim_address *address,
	      struct sim_response *out)
{
	O2_AUTO(o2_freep) char *limit_text = sim_address_query(address, "limit", 0);
	O2_AUTO(o2_freep) char *resume = sim_address_query(address, "continue", 0);
	O2_AUTO(o2_freep) char *labels = sim_address_query(address, "labelSelector", 0);
	O2_AUTO(o2_freep) char *fields = sim_address_query(address, "fieldSelector", 0);
	bool selects = (labels && labels[0]) || (fields && fields[0]);
	size_t limit = limit_text ? strtoul(limit_text, NULL, 10) : 0;
	size_t begin = resume ? strtoul(resume, NULL, 10) : 0;
	size_t count;
	O2_AUTO(o2_freep) struct sim_object **found = collect(cluster, address, &count);
	size_t end = limit > 0 && begin + limit < count ? begin + limit : count;
	struct o2_doc *items = o2_doc_array_new();
	O2_AUTO(o2_freep) char *kind = o2_xasprintf("%sList", address->kind->kind);
	O2_AUTO(o2_freep)
	char *version = o2_xasprintf("%lld", (long long)sim_cluster_version(cluster));

	if (!can_list(address, fields, resume, out)) {
		o2_doc_free(items);
		return;
	}
	out->status = 200;
	out->doc = o2_doc_object_new();
	o2_doc_set_str(out->doc, "kind", kind);
	o2_doc_set_str(out->doc, "apiVersion", address->kind->api_version);
	o2_doc_put_str(out->doc, "/metadata/resourceVersion", version);
	if (end < count) {
		O2_AUTO(o2_freep) char *token = o2_xasprintf("%zu", end);
		o2_doc_put_str(out->doc, "/metadata/continue", token);
		if (!selects)
			o2_doc_put_int(out->doc, "/metadata/remainingItemCount",
				       (int64_t)(count - end));
	}
	for (size_t i = begin; i < end; i++)
		o2_doc_append(items, item_of(found[i]->doc));
	o2_doc_set(out->doc, "items", items);
}
