/* Conditions of a status: one a type, with the time when it last became so. */
#include "controllers_internal.h"

static struct o2_doc *find(const struct o2_doc *doc, const char *type)
{
	const struct o2_doc *list = o2_doc_at(doc, "/status/conditions");

	for (size_t i = 0; i < o2_doc_count(list); i++) {
		struct o2_doc *item = o2_doc_item(list, i);
		if (strcmp(o2_doc_member_str(item, "type", ""), type) == 0)
			return item;
	}
	return NULL;
}

const struct o2_doc *sim_condition(const struct o2_doc *doc, const char *type)
{
	return find(doc, type);
}

bool sim_is_true(const struct o2_doc *doc, const char *type)
{
	return strcmp(o2_doc_member_str(find(doc, type), "status", ""), "True") == 0;
}

static bool says(const struct o2_doc *item, const char *member, const char *text)
{
	return strcmp(o2_doc_member_str(item, member, ""), text ? text : "") == 0;
}

void sim_set_condition(struct o2_doc *draft, const struct sim_condition *condition)
{
	struct o2_doc *item = find(draft, condition->type);
	bool turned = !item || !says(item, "status", condition->status);

	if (!turned && says(item, "reason", condition->reason) &&
	    says(item, "message", condition->message))
		return;
	if (!item) {
		if (!o2_doc_at(draft, "/status/conditions"))
			o2_doc_put(draft, "/status/conditions", o2_doc_array_new());
		item = o2_doc_object_new();
		o2_doc_set_str(item, "type", condition->type);
		o2_doc_append(o2_doc_at(draft, "/status/conditions"), item);
	}
	o2_doc_set_str(item, "status", condition->status);
	if (condition->has_update_time)
		o2_doc_set_str(item, "lastUpdateTime", sim_stamp());
	if (turned)
		o2_doc_set_str(item, "lastTransitionTime", sim_stamp());
	o2_doc_set_str(item, "reason", condition->reason);
	o2_doc_set_str(item, "message", condition->message);
}

void sim_unset_condition(struct o2_doc *draft, const char *type)
{
	struct o2_doc *list = o2_doc_at(draft, "/status/conditions");

	for (size_t i = o2_doc_count(list); i > 0; i--) {
		if (says(o2_doc_item(list, i - 1), "type", type))
			o2_doc_remove_item(list, i - 1);
	}
	if (list && o2_doc_count(list) == 0)
		o2_doc_remove(draft, "/status/conditions");
}
