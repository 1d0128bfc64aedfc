/* Objects that others own: references, adoption, letting go. */
#include "controllers_internal.h"

void sim_list_add(struct sim_list *list, struct sim_object *object)
{
	O2_GROW(list->items, list->count, list->cap);
	list->items[list->count++] = sim_hold(object);
}

void sim_list_release(struct sim_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		sim_let_go(list->items[i]);
	free(list->items);
	*list = (struct sim_list){ 0 };
}

/* --- references --- */

static struct o2_doc *reference_new(const struct sim_object *owner)
{
	struct o2_doc *reference = o2_doc_object_new();

	o2_doc_set_str(reference, "apiVersion", owner->kind->api_version);
	o2_doc_set_str(reference, "kind", owner->kind->kind);
	o2_doc_set_str(reference, "name", owner->name);
	o2_doc_set_str(reference, "uid", sim_uid(owner));
	return reference;
}

struct o2_doc *sim_owner_reference(const struct sim_object *owner)
{
	struct o2_doc *reference = reference_new(owner);

	o2_doc_put_bool(reference, "/controller", true);
	o2_doc_put_bool(reference, "/blockOwnerDeletion", true);
	return reference;
}

static void append_reference(struct o2_doc *doc, struct o2_doc *reference)
{
	if (!o2_doc_at(doc, "/metadata/ownerReferences"))
		o2_doc_put(doc, "/metadata/ownerReferences", o2_doc_array_new());
	o2_doc_append(o2_doc_at(doc, "/metadata/ownerReferences"), reference);
}

void sim_put_owner(struct o2_doc *doc, const struct sim_object *owner)
{
	append_reference(doc, sim_owner_reference(owner));
}

/* Its place among the references; their number if it is not there. */
static size_t reference_index(const struct o2_doc *list, const struct sim_object *owner)
{
	size_t i = 0;

	while (i < o2_doc_count(list) &&
	       strcmp(o2_doc_member_str(o2_doc_item(list, i), "uid", ""), sim_uid(owner)) != 0)
		i++;
	return i;
}

void sim_put_reference(struct o2_doc *draft, const struct sim_object *owner, bool wanted)
{
	struct o2_doc *list = o2_doc_at(draft, "/metadata/ownerReferences");
	size_t i = reference_index(list, owner);
	bool there = i < o2_doc_count(list);

	if (wanted && !there)
		append_reference(draft, reference_new(owner));
	if (!wanted && there)
		o2_doc_remove_item(list, i);
	if (!wanted && there && o2_doc_count(list) == 0)
		o2_doc_remove(draft, "/metadata/ownerReferences");
}

const struct o2_doc *sim_controller_reference(const struct sim_object *object)
{
	const struct o2_doc *list = o2_doc_at(object->doc, "/metadata/ownerReferences");

	for (size_t i = 0; i < o2_doc_count(list); i++) {
		if (o2_doc_bool(o2_doc_item(list, i), "/controller", false))
			return o2_doc_item(list, i);
	}
	return NULL;
}

bool sim_is_controlled_by(const struct sim_object *object, const struct sim_object *owner)
{
	return strcmp(o2_doc_member_str(sim_controller_reference(object), "uid", ""),
		      sim_uid(owner)) == 0;
}

/* --- adoption --- */

static bool is_selected(const struct sim_object *owner, const struct sim_object *object)
{
	const struct o2_doc *selector = o2_doc_at(owner->doc, "/spec/selector");

	return selector && sim_selects(selector, o2_doc_at(object->doc, "/metadata/labels"));
}

static void adopt(struct sim_object *owner, struct sim_object *object)
{
	struct o2_doc *draft = sim_draft(object);

	sim_put_owner(draft, owner);
	sim_write(object, draft);
}

static void release(struct sim_object *owner, struct sim_object *object)
{
	struct o2_doc *draft = sim_draft(object);

	sim_put_reference(draft, owner, false);
	sim_write(object, draft);
}

/* True if the object is the owner's, from now on at the latest. */
static bool claim(struct sim_object *owner, struct sim_object *object,
		  bool (*may_adopt)(const struct sim_object *owner,
				    const struct sim_object *object))
{
	const struct o2_doc *reference = sim_controller_reference(object);
	bool selected = is_selected(owner, object) || !o2_doc_at(owner->doc, "/spec/selector");

	if (reference && !sim_is_controlled_by(object, owner))
		return false;
	if (reference && !selected && !sim_is_deleting(owner)) {
		release(owner, object);
		return false;
	}
	if (reference)
		return selected;
	if (!is_selected(owner, object) || sim_is_deleting(owner) || sim_is_deleting(object) ||
	    sim_pod_has_ended(object) || (may_adopt && !may_adopt(owner, object)))
		return false;
	adopt(owner, object);
	return true;
}

void sim_gather(struct sim_object *owner, const struct sim_kind *kind,
		bool (*may_adopt)(const struct sim_object *owner, const struct sim_object *object),
		struct sim_list *out)
{
	struct sim_object *next;

	for (struct sim_object *at = sim_first(owner->cluster, kind); at; at = next) {
		next = sim_next(at);
		if (strcmp(at->ns, owner->ns) == 0 && claim(owner, at, may_adopt))
			sim_list_add(out, at);
	}
}

void sim_queue_adopters(const struct sim_object *object)
{
	const struct sim_kind *const of_pods[] = { sim_known.replica_set, sim_known.stateful_set,
						   sim_known.daemon_set, sim_known.job, NULL };
	const struct sim_kind *const of_sets[] = { sim_known.deployment, NULL };
	const struct sim_kind *const *kinds = object->kind == sim_known.pod ? of_pods : of_sets;

	for (; *kinds; kinds++) {
		for (struct sim_object *at = sim_first(object->cluster, *kinds); at;
		     at = sim_next(at)) {
			if (strcmp(at->ns, object->ns) == 0 && is_selected(at, object))
				sim_queue(at);
		}
	}
}
