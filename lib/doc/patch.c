/*
 * JSON Patch (RFC 6902).
 */
#include <string.h>

#include "doc/doc.h"
#include "doc/doc_internal.h"

/* As the API server bounds them: a row of "copy" can double a document at each step. */
#define MAX_OPERATIONS 10000
#define MAX_COPIED_NODES 100000

struct patch {
	json_t *root; /* a copy of the document, replaced when all is done */
	size_t copied_nodes;
	struct o2_err *err;
};

/* A place in the document: the container and the name in it. Without a parent: the whole document.
 */
struct place {
	json_t *parent;
	struct o2_doc_token token;
	size_t depth; /* containers above the place */
};

static void place_release(struct place *place)
{
	o2_doc_token_release(&place->token);
}

/* Find the container that `pointer` ends in; the last token need not exist. */
static int place_find(struct patch *patch, const char *pointer, struct place *place)
{
	const char *at = pointer;

	if (!o2_doc_pointer_valid(pointer))
		return o2_fail(patch->err, O2_EINVALID, "'%s' is not a JSON pointer", pointer);
	while (*at != '\0') {
		json_t *above = place->parent == NULL
					? patch->root
					: o2_doc_token_get(&place->token, place->parent);
		o2_doc_token_release(&place->token);
		if (!json_is_object(above) && !json_is_array(above))
			return o2_fail(patch->err, O2_EINVALID, "'%.*s' is no object or array",
				       (int)(at - pointer), pointer);
		place->parent = above;
		place->depth++;
		o2_doc_token_take(&place->token, &at);
	}
	return 0;
}

/* The value at `pointer`, borrowed. */
static json_t *value_at(struct patch *patch, const char *pointer)
{
	O2_AUTO(place_release) struct place place = { 0 };

	if (place_find(patch, pointer, &place) < 0)
		return NULL;
	if (place.parent == NULL)
		return patch->root;
	json_t *value = o2_doc_token_get(&place.token, place.parent);
	if (value == NULL)
		o2_fail(patch->err, O2_EINVALID, "'%s' does not exist", pointer);
	return value;
}

/* Set a member; takes `value`. */
static void set_member(const struct place *place, json_t *value)
{
	json_object_setn_new_nocheck(place->parent, place->token.name, place->token.len, value);
}

/* "add" at a place that was found; takes `value`. */
static int add_at(struct patch *patch, const char *pointer, const struct place *place,
		  json_t *value)
{
	if (place->parent == NULL) {
		json_decref(patch->root);
		patch->root = value;
		return 0;
	}
	if (json_is_object(place->parent)) {
		set_member(place, value);
		return 0;
	}
	size_t count = json_array_size(place->parent);
	bool at_end = place->token.len == 1 && place->token.name[0] == '-';
	size_t index = at_end ? count : o2_doc_token_index(&place->token, count + 1);
	if (index != O2_DOC_NO_INDEX) {
		json_array_insert_new(place->parent, index, value);
		return 0;
	}
	json_decref(value);
	return o2_fail(patch->err, O2_EINVALID, "'%s' is no index of an array of %zu", pointer,
		       count);
}

/* Takes `value`. */
static int add(struct patch *patch, const char *pointer, json_t *value)
{
	O2_AUTO(place_release) struct place place = { 0 };
	O2_AUTO(json_decrefp) json_t *owned = value;
	int rc = place_find(patch, pointer, &place);

	if (rc < 0)
		return rc;
	if (place.depth + o2_doc_depth(o2_doc_of(value)) > O2_DOC_MAX_DEPTH)
		return o2_fail(patch->err, O2_EINVALID, "'%s' gets more than %d levels", pointer,
			       O2_DOC_MAX_DEPTH);
	return add_at(patch, pointer, &place, O2_STEAL(owned));
}

static int take_away(struct patch *patch, const char *pointer)
{
	O2_AUTO(place_release) struct place place = { 0 };
	int rc = place_find(patch, pointer, &place);

	if (rc < 0)
		return rc;
	if (place.parent == NULL)
		return o2_fail(patch->err, O2_EINVALID, "the whole document can't be removed");
	if (json_is_object(place.parent))
		rc = json_object_deln(place.parent, place.token.name, place.token.len);
	else
		rc = json_array_remove(
			place.parent,
			o2_doc_token_index(&place.token, json_array_size(place.parent)));
	if (rc < 0)
		return o2_fail(patch->err, O2_EINVALID, "'%s' does not exist", pointer);
	return 0;
}

/* Takes `value`. Keeps the place in the order of members, as removing and adding would not. */
static int replace(struct patch *patch, const char *pointer, json_t *value)
{
	O2_AUTO(place_release) struct place place = { 0 };
	O2_AUTO(json_decrefp) json_t *owned = value;
	int rc;

	if (value_at(patch, pointer) == NULL)
		return patch->err->code;
	rc = place_find(patch, pointer, &place);
	if (rc < 0)
		return rc;
	if (!json_is_array(place.parent))
		return add(patch, pointer, O2_STEAL(owned));
	if (place.depth + o2_doc_depth(o2_doc_of(value)) > O2_DOC_MAX_DEPTH)
		return o2_fail(patch->err, O2_EINVALID, "'%s' gets more than %d levels", pointer,
			       O2_DOC_MAX_DEPTH);
	json_array_set_new(place.parent,
			   o2_doc_token_index(&place.token, json_array_size(place.parent)),
			   O2_STEAL(owned));
	return 0;
}

static int move(struct patch *patch, const char *from, const char *pointer)
{
	size_t len = strlen(from);
	json_t *value = value_at(patch, from);

	if (value == NULL)
		return patch->err->code;
	if (strcmp(from, pointer) == 0)
		return 0;
	if (strncmp(from, pointer, len) == 0 && pointer[len] == '/')
		return o2_fail(patch->err, O2_EINVALID, "'%s' can't be moved into itself", from);
	json_incref(value);
	int rc = take_away(patch, from);
	if (rc < 0) {
		json_decref(value);
		return rc;
	}
	return add(patch, pointer, value);
}

static int copy(struct patch *patch, const char *from, const char *pointer)
{
	json_t *value = value_at(patch, from);

	if (value == NULL)
		return patch->err->code;
	patch->copied_nodes += o2_doc_nodes(o2_doc_of(value));
	if (patch->copied_nodes > MAX_COPIED_NODES)
		return o2_fail(patch->err, O2_ELIMIT, "the copies grow too large");
	return add(patch, pointer, o2_doc_json(o2_doc_copy(o2_doc_of(value))));
}

static int test(struct patch *patch, const char *pointer, json_t *expected)
{
	json_t *value = value_at(patch, pointer);

	if (value == NULL)
		return patch->err->code;
	if (!o2_doc_equal(o2_doc_of(value), o2_doc_of(expected)))
		return o2_fail(patch->err, O2_ECONFLICT, "'%s' has another value", pointer);
	return 0;
}

static int apply(struct patch *patch, const struct o2_doc *operation)
{
	const char *op = o2_doc_member_str(operation, "op", NULL);
	const char *path = o2_doc_member_str(operation, "path", NULL);
	const char *from = o2_doc_member_str(operation, "from", NULL);
	const struct o2_doc *value = o2_doc_member(operation, "value");

	if (op == NULL)
		return o2_fail(patch->err, O2_EINVALID, "there is no text member 'op'");
	if (path == NULL)
		return o2_fail(patch->err, O2_EINVALID, "there is no text member 'path'");
	bool moves = strcmp(op, "move") == 0, copies = strcmp(op, "copy") == 0;
	if (moves || copies) {
		if (from == NULL)
			return o2_fail(patch->err, O2_EINVALID, "there is no text member 'from'");
		return moves ? move(patch, from, path) : copy(patch, from, path);
	}
	if (strcmp(op, "remove") == 0)
		return take_away(patch, path);
	bool adds = strcmp(op, "add") == 0, replaces = strcmp(op, "replace") == 0;
	if (!adds && !replaces && strcmp(op, "test") != 0)
		return o2_fail(patch->err, O2_EINVALID, "unknown operation '%s'", op);
	if (value == NULL)
		return o2_fail(patch->err, O2_EINVALID, "there is no member 'value'");
	if (adds)
		return add(patch, path, o2_doc_json(o2_doc_copy(value)));
	if (replaces)
		return replace(patch, path, o2_doc_json(o2_doc_copy(value)));
	return test(patch, path, o2_doc_json(value));
}

int o2_doc_patch(struct o2_doc **doc, const struct o2_doc *patch, struct o2_err *err)
{
	struct o2_err own = { 0 };
	struct patch state = { .err = err != NULL ? err : &own };
	size_t count = o2_doc_count(patch);
	int rc = 0;

	if (o2_doc_type(patch) != O2_DOC_ARRAY)
		return o2_fail(err, O2_EINVALID, "a JSON patch must be an array");
	if (count > MAX_OPERATIONS)
		return o2_fail(err, O2_ELIMIT, "a JSON patch of %zu operations", count);
	state.root = o2_doc_json(o2_doc_copy(*doc));
	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = apply(&state, o2_doc_item(patch, i));
		if (rc < 0)
			o2_prefix(state.err, "operation %zu of the patch", i + 1);
	}
	if (rc < 0) {
		json_decref(state.root);
		return rc;
	}
	o2_doc_free(*doc);
	*doc = o2_doc_of(state.root);
	return 0;
}
