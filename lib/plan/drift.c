/*
 * Did A change since the migration was planned? What B was given is what A held then, so what somebody changed since would be lost.
 *
 * A is read again: before anything is frozen, and once more before the decision. What only holds data is brought up to date in B: there are
 * applications that keep their state in ConfigMaps. Any other difference ends the migration.
 */
#include "plan/plan_internal.h"

#include "base/log.h"

/* A as it is now, beside A as it was planned. */
struct drift {
	struct o2_step_context *context;
	const struct o2_app *then, *now;
	struct o2_record_object *late; /* data to be brought up to date in B */
	size_t late_count;
};

static bool is_same(const struct o2_app_object *a, const struct o2_app_object *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->kind->kind, b->kind->kind) == 0 &&
	       strcmp(a->kind->group, b->kind->group) == 0 &&
	       strcmp(a->ns ? a->ns : "", b->ns ? b->ns : "") == 0;
}

/* likely: where it stands unless something came or went, since the order follows from the objects; A stands still meanwhile. */
static size_t find(const struct o2_app *app, const struct o2_app_object *wanted, size_t likely)
{
	if (likely < o2_app_count(app) && is_same(o2_app_object(app, likely), wanted))
		return likely;
	for (size_t i = 0; i < o2_app_count(app); i++) {
		if (is_same(o2_app_object(app, i), wanted))
			return i;
	}
	return SIZE_MAX;
}

/* The number of pods is its autoscaler's business, on either side. */
static bool is_scaled_by_others(const struct o2_app *app, size_t index)
{
	for (size_t i = 0; i < o2_app_edge_count(app); i++) {
		const struct o2_app_edge *edge = o2_app_edge(app, i);

		if (edge->to == index && strcmp(edge->why, "scaleTarget") == 0)
			return true;
	}
	return false;
}

/* What B would get, with what a freeze changes made equal; that is compared by itself. */
static struct o2_doc *frozen_target(const struct o2_app *app, size_t index,
				    const struct o2_doc *freeze)
{
	struct o2_doc *target = o2_app_target(app, index, O2_APP_FULL);

	if (freeze)
		o2_doc_merge(&target, freeze);
	return target;
}

/* The pods that A wants when it is given back: without what holds it now. */
static int64_t own_replicas(const struct drift *drift, const struct o2_app *app, size_t index)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *source = o2_app_source(app, index);
	O2_AUTO(o2_doc_freep)
	struct o2_doc *note = o2_record_undo_of(drift->context->record, source);

	if (o2_doc_member(note, "undo"))
		o2_doc_merge(&source, o2_doc_member(note, "undo"));
	return o2_doc_int(source, "/spec/replicas", 0);
}

static bool is_scaled(const struct drift *drift, size_t then, size_t now)
{
	return !is_scaled_by_others(drift->then, then) &&
	       own_replicas(drift, drift->then, then) != own_replicas(drift, drift->now, now);
}

static int conflict(const struct drift *drift, size_t index, const char *what, struct o2_err *err)
{
	return o2_fail(err, O2_ECONFLICT,
		       "%s %s on A since this was planned, and that would be lost; migrate again",
		       o2_app_label(drift->then, index), what);
}

/* It holds data and nothing else: what B has of it may follow. */
static bool may_follow(const struct drift *drift, size_t index)
{
	const struct o2_app_object *object = o2_app_object(drift->then, index);

	return object->created == O2_APP_CREATED_EARLY && object->started == O2_APP_STARTED_NEVER &&
	       object->target_ns && !drift->context->plan->adopted[index] &&
	       (strcmp(object->kind->kind, "ConfigMap") == 0 ||
		strcmp(object->kind->kind, "Secret") == 0 ||
		strcmp(object->kind->kind, "Endpoints") == 0 ||
		strcmp(object->kind->kind, "EndpointSlice") == 0);
}

static void follow(struct drift *drift, size_t index, const struct o2_doc *was,
		   const struct o2_doc *is)
{
	const struct o2_app_object *object = o2_app_object(drift->then, index);

	drift->late[drift->late_count++] =
		(struct o2_record_object){ .kind = object->target_kind,
					   .ns = object->target_ns,
					   .name = object->target_name,
					   .object = o2_doc_merge_diff(was, is) };
}

/* One object, then and now. */
static int compare(struct drift *drift, size_t then, struct o2_err *err)
{
	size_t now = find(drift->now, o2_app_object(drift->then, then), then);

	if (now == SIZE_MAX)
		return conflict(drift, then, "was deleted", err);
	if (strcmp(o2_app_object(drift->then, then)->version,
		   o2_app_object(drift->now, now)->version) == 0)
		return 0;
	O2_AUTO(o2_doc_freep) struct o2_doc *freeze = o2_app_freeze(drift->then, then);
	O2_AUTO(o2_doc_freep) struct o2_doc *was = frozen_target(drift->then, then, freeze);
	O2_AUTO(o2_doc_freep) struct o2_doc *is = frozen_target(drift->now, now, freeze);

	if (o2_doc_equal(was, is) && !is_scaled(drift, then, now))
		return 0;
	if (!may_follow(drift, then))
		return conflict(drift, then, "was changed", err);
	follow(drift, then, was, is);
	return 0;
}

static int compare_all(struct drift *drift, struct o2_err *err)
{
	for (size_t i = 0; i < o2_app_count(drift->then); i++) {
		if (compare(drift, i, err) < 0)
			return err->code;
	}
	for (size_t i = 0; i < o2_app_count(drift->now); i++) {
		if (find(drift->then, o2_app_object(drift->now, i), i) == SIZE_MAX)
			return o2_fail(err, O2_ECONFLICT,
				       "%s appeared on A since this was planned, and B would lack "
				       "it; migrate again",
				       o2_app_label(drift->now, i));
	}
	return 0;
}

static int catch_up(struct drift *drift, struct o2_err *err)
{
	char mark[65];

	/* Once with these very contents: a step that is repeated after a crash finds what it wrote itself. */
	o2_app_digest(drift->now, mark);
	mark[16] = '\0';
	o2_log(O2_INFO, "%zu objects of A hold newer data: B gets them too", drift->late_count);
	return o2_record_change_many(drift->context->record, drift->late, drift->late_count, mark,
				     O2_STATE_OPEN, err);
}

int o2_plan_see_drift(struct o2_step_context *context, bool last, struct o2_err *err)
{
	const struct o2_plan *plan = context->plan;
	struct o2_app_rewriting rewriting = plan->options->rewriting;
	struct drift drift = { .context = context, .then = plan->app };
	O2_AUTO(o2_app_freep)
	struct o2_app *now = o2_app_discover(plan->kube[O2_SOURCE], &plan->options->selection, err);
	int code;

	rewriting.same_cluster = plan->same_cluster;
	if (!now || o2_app_rewrite(now, &rewriting, plan->kube[O2_TARGET], err) < 0)
		return o2_prefix(err, "cannot see whether A has changed");
	drift.now = now;
	drift.late = o2_xcalloc(o2_app_count(plan->app) + 1, sizeof(*drift.late));
	code = compare_all(&drift, err);
	if (code == 0 && last && drift.late_count > 0)
		code = catch_up(&drift, err);
	for (size_t i = 0; i < drift.late_count; i++)
		o2_doc_free((struct o2_doc *)drift.late[i].object);
	free(drift.late);
	return code;
}
