/* Steps decide, release and finish: the one write that decides, and what follows from it. */
#include "plan/plan_internal.h"

O2_STEP_APPLY(o2_step_decide_apply)
{
	(void)step;
	if (o2_record_head(context->record)->state != O2_STATE_OPEN)
		return o2_record_mirror(context->record, err);
	/* No mover of B is left that could write (PROTOCOL.md I3, I7). */
	if (o2_plan_freezes(context->plan) &&
	    o2_record_clear_helper_pods(context->record, O2_TARGET, err) < 0)
		return err->code;
	if (o2_record_check(context->record, O2_STATE_OPEN, err) < 0 ||
	    (o2_plan_is_move(context->plan) && o2_plan_see_drift(context, true, err) < 0) ||
	    o2_plan_see_started(context, err) < 0 || o2_plan_see_frozen(context, err) < 0 ||
	    o2_record_decide(context->record, err) < 0)
		return err->code;
	return o2_record_mirror(context->record, err);
}

/* What the sweep finds: names, and of each the metadata that its release needs. */
struct found {
	struct o2_record_object *items;
	struct o2_doc **metadata;
	size_t count, cap, metadata_cap;
};

static int keep(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	struct found *found = arg;
	struct o2_doc *seen = o2_doc_object_new();
	size_t number = found->count;

	o2_doc_set(seen, "metadata", o2_doc_ref(o2_doc_member(item, "metadata")));
	O2_GROW(found->metadata, found->count, found->metadata_cap);
	found->metadata[number] = seen;
	O2_GROW(found->items, found->count, found->cap);
	found->items[found->count++] = (struct o2_record_object){
		.kind = kind,
		.ns = o2_xstrdup_null(o2_doc_str(item, "/metadata/namespace", NULL)),
		.name = o2_xstrdup(o2_doc_str(item, "/metadata/name", "")),
		.seen = seen
	};
	o2_doc_unset(o2_doc_member(seen, "metadata"), "managedFields");
	return 0;
}

static void release_found(struct found *found)
{
	for (size_t i = 0; i < found->count; i++) {
		free((char *)found->items[i].ns);
		free((char *)found->items[i].name);
		o2_doc_free(found->metadata[i]);
	}
	free(found->items);
	free(found->metadata);
}

O2_STEP_APPLY(o2_step_release_apply)
{
	struct found found = { 0 };
	/*
	 * The opening goes first: it says that something is still to be opened, and who comes later would look for what is opened by the label
	 * that is taken off here.
	 */
	int code = o2_record_drop_opening(context->record, err);

	(void)step;
	/* Before the owner goes: an object that still refers to it would be collected with it. */
	if (code == 0)
		code = o2_record_sweep(context->record, keep, &found, err);
	if (code == 0)
		code = o2_record_release_many(context->record, found.items, found.count, err);
	release_found(&found);
	return code;
}

O2_STEP_APPLY(o2_step_finish_apply)
{
	if (o2_record_kube(context->record, O2_SOURCE) &&
	    o2_plan_keep_frozen(context->record, err) < 0)
		return err->code;
	/* The report goes into the record with the very write that ends it, so this step can only say of itself that it is done. */
	step->state = O2_STEP_DONE;
	O2_AUTO(o2_doc_freep)
	struct o2_doc *report = context->plan ? o2_plan_report(context->plan) : NULL;

	return o2_record_finish(context->record, report, err);
}

struct o2_doc *o2_plan_report(const struct o2_plan *plan)
{
	struct o2_doc *report = o2_doc_object_new(), *steps = o2_doc_array_new();
	int64_t actual = 0, downtime = 0;

	for (size_t i = 0; i < plan->step_count; i++) {
		const struct o2_plan_step *step = &plan->steps[i];
		struct o2_doc *row = o2_doc_object_new();

		o2_doc_set_str(row, "name", step->type->name);
		o2_doc_set_str(row, "phase", step->type->phase);
		o2_doc_set(row, "wave", o2_doc_int_new(step->wave));
		o2_doc_set(row, "objects", o2_doc_int_new((int64_t)step->object_count));
		o2_doc_set_str(row, "detail", step->detail);
		o2_doc_set_str(row, "state", o2_plan_step_state_name(step->state));
		o2_doc_set(row, "predictedMs", o2_doc_int_new(step->predicted_ms));
		o2_doc_set(row, "actualMs",
			   step->actual_ms < 0 ? o2_doc_null_new()
					       : o2_doc_int_new(step->actual_ms));
		actual += step->actual_ms < 0 ? 0 : step->actual_ms;
		if (o2_plan_is_downtime(plan, step) && step->actual_ms > 0)
			downtime += step->actual_ms;
		o2_doc_append(steps, row);
	}
	o2_doc_set(report, "steps", steps);
	o2_doc_set(report, "predictedMs", o2_doc_int_new(o2_plan_total_ms(plan)));
	o2_doc_set(report, "actualMs", o2_doc_int_new(actual));
	o2_doc_set(report, "predictedDowntimeMs", o2_doc_int_new(o2_plan_downtime_ms(plan)));
	o2_doc_set(report, "actualDowntimeMs", o2_doc_int_new(downtime));
	return report;
}
