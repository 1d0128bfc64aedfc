/* Steps namespace, owner and create: B gets everything, and nothing of it has an effect yet. */
#include "plan/plan_internal.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "kube/health.h"

#define SETTLE_TIMEOUT_MS 60000 /* a controller manager that fails over takes half of that */
#define SETTLE_POLL_MS 50

O2_STEP_CHECK(o2_step_namespace_check)
{
	(void)step, (void)depth, (void)err;
	for (size_t i = 0; i < plan->new_namespaces.count; i++)
		o2_plan_find(plan, "namespaces", O2_PLAN_PROVED, plan->new_namespaces.items[i], "",
			     "is absent on B and is created");
	return 0;
}

/* Index of a target namespace in the app's list. */
static size_t index_of(const struct o2_plan *plan, const char *ns)
{
	const struct o2_strs *namespaces = o2_app_target_namespaces(plan->app);
	size_t i = 0;

	while (strcmp(namespaces->items[i], ns) != 0)
		i++;
	return i;
}

/* Pods are refused until the controller has made the default service account. */
static int await_service_account(struct o2_kube *kube, const char *ns, struct o2_err *err)
{
	const struct o2_kube_kind *kind = o2_kube_kind_find(kube, "", "ServiceAccount");
	int64_t give_up = o2_clock_ms() + SETTLE_TIMEOUT_MS;

	for (;;) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *account = o2_kube_get(kube, kind, ns, "default", err);

		if (account)
			return 0;
		if (err->code != -O2_ENOTFOUND && err->code != -O2_ETRANSIENT)
			return err->code;
		o2_err_clear(err);
		if (o2_clock_ms() > give_up)
			return o2_fail(
				err, O2_ETRANSIENT,
				"namespace '%s' in %s got no default service account within %d s",
				ns, o2_kube_name(kube), SETTLE_TIMEOUT_MS / 1000);
		if (o2_cancel_check(err) < 0)
			return err->code;
		o2_clock_sleep_ms(SETTLE_POLL_MS);
	}
}

O2_STEP_APPLY(o2_step_namespace_apply)
{
	const struct o2_plan *plan = context->plan;

	(void)step;
	if (o2_record_check(context->record, O2_STATE_OPEN, err) < 0)
		return err->code;
	for (size_t i = 0; i < plan->new_namespaces.count; i++) {
		const char *ns = plan->new_namespaces.items[i];
		O2_AUTO(o2_doc_freep)
		struct o2_doc *body = o2_app_target_namespace(plan->app, index_of(plan, ns));

		if (o2_record_create_namespace(context->record, ns, body, err) < 0 ||
		    o2_record_lock(context->record, O2_TARGET, ns, err) < 0 ||
		    await_service_account(plan->kube[O2_TARGET], ns, err) < 0)
			return err->code;
	}
	return 0;
}

static int create_owners(struct o2_record *record, enum o2_side side,
			 const struct o2_strs *namespaces, struct o2_err *err)
{
	for (size_t i = 0; i < namespaces->count; i++) {
		if (o2_record_create_owner(record, side, namespaces->items[i], err) < 0)
			return err->code;
	}
	return 0;
}

O2_STEP_APPLY(o2_step_owner_apply)
{
	struct o2_app *app = context->plan->app;

	(void)step;
	if (o2_record_check(context->record, O2_STATE_OPEN, err) < 0 ||
	    o2_record_create_mirror(context->record, err) < 0 ||
	    create_owners(context->record, O2_TARGET, o2_app_target_namespaces(app), err) < 0)
		return err->code;
	/* On A only helpers need one, and a copy without volumes has none. */
	if (!o2_plan_freezes(context->plan))
		return 0;
	return create_owners(context->record, O2_SOURCE, o2_app_source_namespaces(app), err);
}

O2_STEP_CHECK(o2_step_create_check)
{
	if (step == o2_plan_first_step(plan, O2_STEP_CREATE)) {
		o2_plan_check_volumes(plan);
		if (o2_plan_check_classes(plan, err) < 0 || o2_plan_check_quota(plan, err) < 0)
			return err->code;
	}
	if (o2_plan_check_collisions(plan, step, err) < 0)
		return err->code;
	return depth == O2_PLAN_SERVER ? o2_plan_check_dry_run(plan, step, err) : 0;
}

static int ignore_item(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	(void)arg, (void)kind, (void)item;
	return 0;
}

/* Is the definition served? Established comes first; the resource itself answers a moment later. */
static int is_served(struct o2_kube *kube, const struct o2_app_object *definition,
		     const struct o2_doc *wanted, bool *out, struct o2_err *err)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *now =
		o2_kube_get(kube, definition->target_kind, NULL, definition->target_name, err);
	struct o2_kube_kind kind = { .group = o2_doc_str(wanted, "/spec/group", ""),
				     .version = o2_doc_str(wanted, "/spec/versions/0/name", ""),
				     .kind = o2_doc_str(wanted, "/spec/names/kind", ""),
				     .resource = o2_doc_str(wanted, "/spec/names/plural", "") };
	struct o2_kube_list list = { .kind = &kind, .selector = "os2os.io/txn=none" };
	int code;

	*out = false;
	if (!now)
		return err->code;
	if (o2_kube_health(now, NULL) == O2_KUBE_HEALTH_FAILED)
		return o2_fail(err, O2_ECONFLICT,
			       "CustomResourceDefinition '%s' is not accepted by %s",
			       definition->target_name, o2_kube_name(kube));
	if (o2_kube_health(now, NULL) != O2_KUBE_HEALTH_READY)
		return 0;
	O2_AUTO(o2_freep) char *api_version = o2_xasprintf("%s/%s", kind.group, kind.version);
	kind.api_version = api_version;
	list.fn = ignore_item;
	code = o2_kube_list(kube, &list, err);
	o2_kube_list_release(&list);
	*out = code == 0;
	if (code == -O2_ENOTFOUND) {
		o2_err_clear(err);
		return 0;
	}
	return code;
}

/* Their resources can be created only once they are served; B's kinds are read anew then. */
static int await_definitions(struct o2_step_context *context, const struct o2_plan_step *step,
			     struct o2_err *err)
{
	struct o2_kube *kube = context->plan->kube[O2_TARGET];
	int64_t give_up = o2_clock_ms() + SETTLE_TIMEOUT_MS;
	bool any = false;

	for (size_t i = 0; i < step->object_count; i++) {
		const struct o2_app_object *object =
			o2_app_object(context->plan->app, step->objects[i]);
		bool served = false;

		if (strcmp(object->kind->kind, "CustomResourceDefinition") != 0)
			continue;
		O2_AUTO(o2_doc_freep)
		struct o2_doc *wanted =
			o2_app_target(context->plan->app, step->objects[i], O2_APP_FULL);
		any = true;
		while (!served) {
			if (is_served(kube, object, wanted, &served, err) < 0 ||
			    o2_cancel_check(err) < 0)
				return err->code;
			if (!served && o2_clock_ms() > give_up)
				return o2_fail(err, O2_ETRANSIENT,
					       "CustomResourceDefinition '%s' is not served by %s "
					       "after %d s",
					       object->target_name, o2_kube_name(kube),
					       SETTLE_TIMEOUT_MS / 1000);
			if (!served)
				o2_clock_sleep_ms(SETTLE_POLL_MS);
		}
	}
	return any ? o2_kube_refresh(kube, err) : 0;
}

O2_STEP_APPLY(o2_step_create_apply)
{
	struct o2_app *app = context->plan->app;
	struct o2_record_object *objects = o2_xcalloc(step->object_count, sizeof(*objects));
	int code;

	for (size_t i = 0; i < step->object_count; i++) {
		const struct o2_app_object *object = o2_app_object(app, step->objects[i]);

		objects[i] =
			(struct o2_record_object){ .kind = object->target_kind,
						   .ns = object->target_ns,
						   .name = object->target_name,
						   .object = o2_app_target(app, step->objects[i],
									   O2_APP_INERT) };
	}
	code = o2_record_create_many(context->record, objects, step->object_count, true,
				     O2_STATE_OPEN, err);
	for (size_t i = 0; i < step->object_count; i++)
		o2_doc_free((struct o2_doc *)objects[i].object);
	free(objects);
	return code < 0 ? code : await_definitions(context, step, err);
}

/* Entries of one wave as objects to remove; kinds that B no longer serves have no objects. */
static int remove_wave(struct o2_record *record, const struct o2_record_entry *const *entries,
		       size_t count, int wave, bool foreground, struct o2_err *err)
{
	struct o2_record_object *objects = o2_xcalloc(count ? count : 1, sizeof(*objects));
	size_t found = 0;
	int code;

	for (size_t i = 0; i < count; i++) {
		const struct o2_kube_kind *kind;

		if (entries[i]->wave != wave)
			continue;
		kind = o2_kube_kind_exact(o2_record_kube(record, O2_TARGET),
					  entries[i]->api_version, entries[i]->kind);
		if (kind)
			objects[found++] = (struct o2_record_object){ .kind = kind,
								      .ns = entries[i]->ns,
								      .name = entries[i]->name };
	}
	code = o2_record_remove_many(record, objects, found, foreground, err);
	free(objects);
	return code;
}

/* What was created last goes first. */
int o2_plan_remove_entries(struct o2_record *record, const struct o2_record_entry *const *entries,
			   size_t count, bool foreground, struct o2_err *err)
{
	int wave = 0;

	for (size_t i = 0; i < count; i++)
		wave = entries[i]->wave > wave ? entries[i]->wave : wave;
	for (; wave >= 0; wave--) {
		if (remove_wave(record, entries, count, wave, foreground, err) < 0)
			return err->code;
	}
	return 0;
}

O2_STEP_UNDO(o2_step_create_undo)
{
	return o2_plan_remove_entries(record, entries, count, false, err);
}

O2_STEP_UNDO(o2_step_owner_undo)
{
	if (o2_record_drop_opening(record, err) < 0)
		return err->code;
	for (size_t i = 0; i < count; i++) {
		if (o2_record_remove_owner(record, O2_TARGET, entries[i]->ns, err) < 0)
			return err->code;
	}
	return 0;
}

O2_STEP_UNDO(o2_step_namespace_undo)
{
	for (size_t i = 0; i < count; i++) {
		if (o2_record_remove_namespace(record, entries[i]->name, err) < 0)
			return err->code;
	}
	return 0;
}
