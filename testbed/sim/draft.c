/* How controllers change documents: drafts that share what they leave alone. */
#include "controllers_internal.h"

#include "managed.h"

static struct o2_doc *copy_metadata(const struct o2_doc *from)
{
	struct o2_doc *metadata = o2_doc_object_new();

	for (struct o2_doc_iter it = o2_doc_iter(from); o2_doc_next(&it);) {
		bool shared = strcmp(it.name, "managedFields") == 0;
		o2_doc_set(metadata, it.name,
			   shared ? o2_doc_ref(it.value) : o2_doc_copy(it.value));
	}
	return metadata;
}

struct o2_doc *sim_draft(const struct sim_object *object)
{
	struct o2_doc *draft = o2_doc_object_new();

	for (struct o2_doc_iter it = o2_doc_iter(object->doc); o2_doc_next(&it);) {
		if (strcmp(it.name, "metadata") == 0)
			o2_doc_set(draft, it.name, copy_metadata(it.value));
		else if (strcmp(it.name, "status") == 0)
			o2_doc_set(draft, it.name, o2_doc_copy(it.value));
		else
			o2_doc_set(draft, it.name, o2_doc_ref(it.value));
	}
	return draft;
}

void sim_write_as(struct sim_object *object, struct o2_doc *draft, const char *manager,
		  const char *subresource)
{
	if (o2_doc_equal(object->doc, draft)) {
		o2_doc_free(draft);
		return;
	}
	/* Nobody asks who wrote what of an object that a controller makes and throws away. */
	if (!sim_controller_reference(object))
		sim_managed_update(object->doc, draft, manager, subresource);
	sim_put(object, draft);
}

void sim_write(struct sim_object *object, struct o2_doc *draft)
{
	sim_write_as(object, draft, SIM_CONTROLLER_MANAGER, NULL);
}

void sim_write_status(struct sim_object *object, struct o2_doc *draft)
{
	sim_write_as(object, draft, SIM_CONTROLLER_MANAGER, "status");
}

void sim_put_count(struct o2_doc *draft, const char *pointer, int64_t count)
{
	if (count != 0)
		o2_doc_put_int(draft, pointer, count);
	else
		o2_doc_remove(draft, pointer);
}

struct o2_doc *sim_object_doc(const struct sim_kind *kind, const char *ns, const char *name)
{
	struct o2_doc *doc = o2_doc_object_new();

	o2_doc_set_str(doc, "apiVersion", kind->api_version);
	o2_doc_set_str(doc, "kind", kind->kind);
	o2_doc_put_str(doc, "/metadata/name", name);
	if (kind->namespaced)
		o2_doc_put_str(doc, "/metadata/namespace", ns);
	return doc;
}

int64_t *sim_moment(struct sim_object *object)
{
	if (!object->life)
		object->life = o2_xcalloc(1, sizeof(int64_t));
	return object->life;
}

/* --- finalizers --- */

/* Its place in the list; the list's length if it is not there. */
static size_t finalizer_index(const struct o2_doc *list, const char *name)
{
	size_t i = 0;

	while (i < o2_doc_count(list) && strcmp(o2_doc_text(o2_doc_item(list, i)), name) != 0)
		i++;
	return i;
}

bool sim_has_finalizer(const struct sim_object *object, const char *name)
{
	const struct o2_doc *list = o2_doc_at(object->doc, "/metadata/finalizers");

	return finalizer_index(list, name) < o2_doc_count(list);
}

void sim_add_finalizer(struct sim_object *object, const char *name)
{
	if (sim_has_finalizer(object, name))
		return;
	struct o2_doc *draft = sim_draft(object);
	if (!o2_doc_at(draft, "/metadata/finalizers"))
		o2_doc_put(draft, "/metadata/finalizers", o2_doc_array_new());
	o2_doc_append_str(o2_doc_at(draft, "/metadata/finalizers"), name);
	sim_put(object, draft);
}

void sim_remove_finalizer(struct sim_object *object, const char *name)
{
	if (!sim_has_finalizer(object, name))
		return;
	struct o2_doc *draft = sim_draft(object);
	struct o2_doc *list = o2_doc_at(draft, "/metadata/finalizers");
	o2_doc_remove_item(list, finalizer_index(list, name));
	if (o2_doc_count(list) == 0)
		o2_doc_remove(draft, "/metadata/finalizers");
	sim_write(object, draft);
}
