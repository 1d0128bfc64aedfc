/*
 * Holding objects of A, and giving them back (PROTOCOL.md U4, U6, U15).
 *
 * Effect and undo are one write. Giving back takes two: the first changes the fields back, the second takes the marks off and restores
 * managedFields, which a server ignores in a write that changes what they are about. A crash between the two leaves
 * the marks, so whoever comes next does the second.
 */
#include "record/record_internal.h"

#include "base/log.h"
#include "kube/health.h"

#define HELD "/metadata/labels/os2os.io~1held"
#define UNDO "/metadata/annotations/os2os.io~1undo"
#define TOUCHED "/metadata/annotations/os2os.io~1touched"
#define ROUNDS_MAX 5

static bool is_held(const struct o2_record *record, const struct o2_doc *object)
{
	return strcmp(o2_doc_str(object, HELD, ""), record->head.id) == 0;
}

struct o2_doc *o2_record_undo_of(const struct o2_record *record, const struct o2_doc *object)
{
	const char *text = o2_doc_str(object, UNDO, NULL);

	return is_held(record, object) && text ? o2_doc_parse(text, strlen(text), NULL) : NULL;
}

bool o2_record_is_as_held(const struct o2_record *record, const struct o2_doc *object)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *note = o2_record_undo_of(record, object);
	O2_AUTO(o2_doc_freep) struct o2_doc *as_held = o2_doc_copy(object);

	if (o2_doc_member(note, "do"))
		o2_doc_merge(&as_held, o2_doc_member(note, "do"));
	return note && o2_doc_equal(as_held, object);
}

/* ---- holding ---------------------------------------------------------------------------------------------------------- */

/*
 * The merge patch that undoes a merge patch, member by member, so that what others put beside a member meanwhile does not keep it
 * from being undone. A map that was made for it stays behind empty, which a server leaves out.
 */
static struct o2_doc *reverse_of(const struct o2_doc *now, const struct o2_doc *patch)
{
	struct o2_doc *undo = o2_doc_object_new();

	for (struct o2_doc_iter it = o2_doc_iter(patch); o2_doc_next(&it);) {
		const struct o2_doc *was = o2_doc_member(now, it.name);

		if (o2_doc_type(it.value) == O2_DOC_OBJECT &&
		    (!was || o2_doc_type(was) == O2_DOC_OBJECT)) {
			struct o2_doc *inner = reverse_of(was, it.value);

			if (o2_doc_count(inner) > 0)
				o2_doc_set(undo, it.name, inner);
			else
				o2_doc_free(inner);
		} else if (was && !o2_doc_equal(was, it.value)) {
			o2_doc_set(undo, it.name, o2_doc_copy(was));
		} else if (!was && o2_doc_type(it.value) != O2_DOC_NULL) {
			o2_doc_set(undo, it.name, o2_doc_null_new());
		}
	}
	return undo;
}

static struct o2_doc *hold_patch(struct o2_record *record, const struct o2_record_object *object,
				 const struct o2_doc *now, const char *mark, struct o2_err *err)
{
	const char *holder = o2_doc_str(now, HELD, "");
	const struct o2_doc *fields = o2_doc_at(now, "/metadata/managedFields");
	struct o2_doc *patch;

	(void)mark;
	if (is_held(record, now))
		return NULL;
	if (holder[0]) {
		o2_fail(err, O2_ECONFLICT,
			"%s '%s' in %s is held by transaction %s; run 'os2os finalize %s' or "
			"'os2os recover %s' first",
			object->kind->kind, object->name, o2_kube_name(record->kube[O2_SOURCE]),
			holder, holder, holder);
		return NULL;
	}
	O2_AUTO(o2_doc_freep) struct o2_doc *note = o2_doc_object_new();
	o2_doc_set(note, "do", o2_doc_copy(object->object));
	o2_doc_set(note, "undo", reverse_of(now, object->object));
	o2_doc_set(note, "ready", o2_doc_int_new(o2_kube_ready_pods(now)));
	if (fields)
		o2_doc_set(note, "managedFields", o2_doc_copy(fields));
	O2_AUTO(o2_freep) char *text = o2_doc_dump(note);
	patch = o2_doc_copy(object->object);
	o2_doc_put_str(patch, HELD, record->head.id);
	o2_doc_put_str(patch, UNDO, text);
	return patch;
}

int o2_record_hold_many(struct o2_record *record, struct o2_record_object *objects, size_t count,
			struct o2_err *err)
{
	struct o2_record_batch batch = { .side = O2_SOURCE,
					 .objects = objects,
					 .count = count,
					 .make_patch = hold_patch,
					 .mark = "" };

	return o2_record_swap_many(record, &batch, O2_STATE_OPEN, err);
}

/* ---- giving back ------------------------------------------------------------------------------------------------------ */

static bool same_value(const struct o2_doc *ours, const struct o2_doc *now)
{
	return o2_doc_type(ours) == O2_DOC_NULL ? !now : o2_doc_equal(ours, now);
}

/* Of the undo what nobody else changed meanwhile; counts the rest. */
static struct o2_doc *still_ours(const struct o2_doc *undo, const struct o2_doc *ours,
				 const struct o2_doc *now, size_t *foreign)
{
	struct o2_doc *back = o2_doc_object_new();

	for (struct o2_doc_iter it = o2_doc_iter(undo); o2_doc_next(&it);) {
		const struct o2_doc *did = o2_doc_member(ours, it.name);
		const struct o2_doc *is = o2_doc_member(now, it.name);

		if (o2_doc_type(it.value) == O2_DOC_OBJECT && o2_doc_type(did) == O2_DOC_OBJECT) {
			struct o2_doc *inner = still_ours(it.value, did, is, foreign);

			if (o2_doc_count(inner) > 0)
				o2_doc_set(back, it.name, inner);
			else
				o2_doc_free(inner);
		} else if (same_value(did, is)) {
			o2_doc_set(back, it.name, o2_doc_copy(it.value));
		} else {
			/* Undone already, by this transaction's watchdog or its former process, or somebody's own wish. */
			*foreign += !same_value(it.value, is);
		}
	}
	return back;
}

static struct o2_doc *back_patch(struct o2_record *record, const struct o2_record_object *object,
				 const struct o2_doc *now, const char *mark, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *note = o2_record_undo_of(record, now);
	O2_AUTO(o2_doc_freep) struct o2_doc *back = NULL;
	size_t foreign = 0;

	(void)mark;
	if (!is_held(record, now))
		return NULL;
	if (!note) {
		o2_fail(err, O2_ECORRUPT,
			"%s '%s' in %s is held, but its annotation '%s' can't be read; set back by "
			"hand what was changed and take its label '%s' off",
			object->kind->kind, object->name, o2_kube_name(record->kube[O2_SOURCE]),
			O2_RECORD_UNDO, O2_RECORD_LABEL_HELD);
		return NULL;
	}
	back = still_ours(o2_doc_member(note, "undo"), o2_doc_member(note, "do"), now, &foreign);
	if (foreign > 0)
		o2_log(O2_WARN,
		       "%s '%s' in %s was changed by somebody else meanwhile; that is kept",
		       object->kind->kind, object->name, o2_kube_name(record->kube[O2_SOURCE]));
	return o2_doc_count(back) > 0 ? O2_STEAL(back) : NULL;
}

static bool same_manager(const struct o2_doc *a, const struct o2_doc *b)
{
	static const char *const members[] = { "manager", "operation", "subresource",
					       "apiVersion" };

	for (size_t i = 0; i < O2_COUNT(members); i++) {
		if (strcmp(o2_doc_member_str(a, members[i], ""),
			   o2_doc_member_str(b, members[i], "")) != 0)
			return false;
	}
	return true;
}

static bool has_manager(const struct o2_doc *list, const struct o2_doc *entry)
{
	for (size_t i = 0; i < o2_doc_count(list); i++) {
		if (same_manager(o2_doc_item(list, i), entry))
			return true;
	}
	return false;
}

static bool is_status(const struct o2_doc *entry)
{
	return strcmp(o2_doc_member_str(entry, "subresource", ""), "status") == 0;
}

/* Who owns what as before; what others own since then stays theirs, and status is its controller's business. */
static struct o2_doc *former_fields(const struct o2_doc *before, const struct o2_doc *now)
{
	struct o2_doc *fields = o2_doc_array_new();

	for (size_t i = 0; i < o2_doc_count(before); i++) {
		struct o2_doc *entry = o2_doc_item(before, i);

		if (!is_status(entry))
			o2_doc_append(fields, o2_doc_copy(entry));
	}
	for (size_t i = 0; i < o2_doc_count(now); i++) {
		struct o2_doc *entry = o2_doc_item(now, i);
		const char *manager = o2_doc_member_str(entry, "manager", "");

		if (is_status(entry) ||
		    (strcmp(manager, O2_KUBE_FIELD_MANAGER) != 0 && !has_manager(before, entry)))
			o2_doc_append(fields, o2_doc_copy(entry));
	}
	return fields;
}

static struct o2_doc *unmark_patch(struct o2_record *record, const struct o2_record_object *object,
				   const struct o2_doc *now, const char *mark, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *note = o2_record_undo_of(record, now);
	const struct o2_doc *before = o2_doc_member(note, "managedFields");
	struct o2_doc *patch;

	(void)object, (void)mark, (void)err;
	if (!is_held(record, now))
		return NULL;
	patch = o2_doc_object_new();
	o2_doc_put(patch, HELD, o2_doc_null_new());
	o2_doc_put(patch, UNDO, o2_doc_null_new());
	if (before)
		o2_doc_put(patch, "/metadata/managedFields",
			   former_fields(before, o2_doc_at(now, "/metadata/managedFields")));
	return patch;
}

/* ---- touching --------------------------------------------------------------------------------------------------------- */

static struct o2_doc *touch_patch(struct o2_record *record, const struct o2_record_object *object,
				  const struct o2_doc *now, const char *mark, struct o2_err *err)
{
	struct o2_doc *patch;

	(void)object, (void)mark, (void)err;
	if (is_held(record, now) || strcmp(o2_doc_str(now, TOUCHED, ""), record->head.id) == 0)
		return NULL;
	patch = o2_doc_object_new();
	o2_doc_put_str(patch, TOUCHED, record->head.id);
	return patch;
}

/* An undo that nobody holds: a Deployment's controller copies annotations, but not labels, to its ReplicaSets and never takes them back. */
static bool has_copied_undo(const struct o2_doc *now)
{
	return o2_doc_at(now, UNDO) && !o2_doc_at(now, HELD);
}

/* Such copies are taken along. Another transaction's undo is never touched. */
static struct o2_doc *untouch_patch(struct o2_record *record, const struct o2_record_object *object,
				    const struct o2_doc *now, const char *mark, struct o2_err *err)
{
	struct o2_doc *patch;

	(void)object, (void)mark, (void)err;
	if (is_held(record, now) || (!o2_doc_at(now, TOUCHED) && !has_copied_undo(now)))
		return NULL;
	patch = o2_doc_object_new();
	o2_doc_put(patch, TOUCHED, o2_doc_null_new());
	if (has_copied_undo(now))
		o2_doc_put(patch, UNDO, o2_doc_null_new());
	return patch;
}

static int pass(struct o2_record *record, struct o2_record_object *objects, size_t count,
		o2_record_patch_fn *make_patch, enum o2_record_state state, struct o2_err *err)
{
	struct o2_record_batch batch = { .side = O2_SOURCE,
					 .objects = objects,
					 .count = count,
					 .make_patch = make_patch,
					 .mark = "",
					 .absent_is_fine = true };

	return o2_record_swap_many(record, &batch, state, err);
}

static struct o2_doc *again_patch(struct o2_record *record, const struct o2_record_object *object,
				  const struct o2_doc *now, const char *mark, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *note = o2_record_undo_of(record, now);

	(void)mark, (void)err;
	if (!note || o2_record_is_as_held(record, now))
		return NULL;
	o2_log(O2_WARN, "%s '%s' in %s was started while it is frozen; it is stopped again",
	       object->kind->kind, object->name, o2_kube_name(record->kube[O2_SOURCE]));
	return o2_doc_copy(o2_doc_member(note, "do"));
}

int o2_record_hold_again(struct o2_record *record, struct o2_record_object *objects, size_t count,
			 struct o2_err *err)
{
	return pass(record, objects, count, again_patch, record->head.state, err);
}

int o2_record_touch_many(struct o2_record *record, struct o2_record_object *objects, size_t count,
			 enum o2_record_state state, struct o2_err *err)
{
	int code = pass(record, objects, count, touch_patch, state, err);

	return code < 0 ? code : pass(record, objects, count, untouch_patch, state, err);
}

/* How many of them are held now; negative if A does not answer. The others go behind those that are. */
static int held_first(struct o2_record *record, struct o2_record_object *objects, size_t count,
		      size_t *out_held, struct o2_err *err)
{
	*out_held = 0;
	for (size_t i = 0; i < count; i++) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *now = o2_record_get(record, record->kube[O2_SOURCE], objects[i].kind,
						   objects[i].ns, objects[i].name, err);

		if (!now && err->code != -O2_ENOTFOUND)
			return err->code;
		if (!now) {
			o2_err_clear(err);
		} else if (is_held(record, now)) {
			struct o2_record_object held = objects[i];

			objects[i] = objects[*out_held];
			objects[(*out_held)++] = held;
		}
	}
	return 0;
}

int o2_record_restore_many(struct o2_record *record, struct o2_record_object *objects, size_t count,
			   enum o2_record_state state, struct o2_err *err)
{
	size_t held = 0, before = count;

	/* A former process may hold one more between the look and the touch, never after the touch. */
	for (int round = 0; round < ROUNDS_MAX; round++) {
		if (held_first(record, objects, count, &held, err) < 0)
			return err->code;
		if (round > 0 && held == 0)
			return 0;
		if (pass(record, objects, held, back_patch, state, err) < 0 ||
		    pass(record, objects, held, unmark_patch, state, err) < 0)
			return err->code;
		if (before == count &&
		    o2_record_touch_many(record, objects + held, count - held, state, err) < 0)
			return err->code;
		before = held;
	}
	return o2_fail(err, O2_ECONFLICT, "objects of %s are held again and again",
		       o2_kube_name(record->kube[O2_SOURCE]));
}

/* ---- for whoever has only prepared requests --------------------------------------------------------------------------- */

static char *below(const char *pointer, const char *name)
{
	struct o2_buf text;

	o2_buf_init(&text, 4096);
	o2_buf_adds(&text, pointer);
	o2_doc_pointer_add(&text, name);
	char *path = o2_buf_steal(&text);
	o2_buf_release(&text);
	return path;
}

/* A merge patch as operations on what `held` has there: an object that is gone from it comes back as a whole. */
static void add_ops(struct o2_doc *ops, const struct o2_doc *undo, const struct o2_doc *held,
		    const char *pointer)
{
	for (struct o2_doc_iter it = o2_doc_iter(undo); o2_doc_next(&it);) {
		O2_AUTO(o2_freep) char *path = below(pointer, it.name);
		bool gone = o2_doc_type(it.value) == O2_DOC_NULL;
		struct o2_doc *op;

		const struct o2_doc *there = o2_doc_member(held, it.name);
		if (o2_doc_type(it.value) == O2_DOC_OBJECT && o2_doc_type(there) == O2_DOC_OBJECT) {
			add_ops(ops, it.value, there, path);
			continue;
		}
		op = o2_doc_object_new();
		o2_doc_set_str(op, "op", gone ? "remove" : "add");
		o2_doc_set_str(op, "path", path);
		if (!gone)
			o2_doc_set(op, "value", o2_doc_copy(it.value));
		o2_doc_append(ops, op);
	}
}

const char *o2_record_manager(void)
{
	return O2_KUBE_FIELD_MANAGER;
}

struct o2_doc *o2_record_thaw_patch(const struct o2_record *record, const struct o2_doc *object,
				    const struct o2_doc *hold)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *undo = reverse_of(object, hold);
	O2_AUTO(o2_doc_freep) struct o2_doc *held = o2_doc_copy(object);
	struct o2_doc *ops = o2_doc_array_new(), *test = o2_doc_object_new();

	o2_doc_set_str(test, "op", "test");
	o2_doc_set_str(test, "path", HELD);
	o2_doc_set_str(test, "value", record->head.id);
	o2_doc_append(ops, test);
	o2_doc_merge(&held, hold);
	add_ops(ops, undo, held, "");
	return ops;
}
