/*
 * Steps open and switch: after the decision, B's ways in are opened and whoever leads clients there is told.
 *
 * Both work from what the vote stored in B, not from the plan, so that recovery does the same without A.
 */
#include "plan/plan_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"

#define SWITCH_ATTEMPTS 5
#define SWITCH_PAUSE_MS 2000
#define SWITCH_TIMEOUT_MS 120000

O2_STEP_CHECK(o2_step_open_check)
{
	/* Late objects have steps of their own in the vote; what the server says now is worth knowing already. */
	struct o2_plan_step late = { .type = step->type };
	int code = 0;

	late.objects = o2_xcalloc(step->object_count + 1, sizeof(*late.objects));
	for (size_t i = 0; i < step->object_count; i++) {
		if (o2_app_object(plan->app, step->objects[i])->created == O2_APP_CREATED_LATE)
			late.objects[late.object_count++] = step->objects[i];
	}
	code = o2_plan_check_collisions(plan, &late, err);
	if (code == 0 && depth == O2_PLAN_SERVER)
		code = o2_plan_check_dry_run(plan, &late, err);
	free(late.objects);
	return code;
}

static int64_t wave_of(const struct o2_doc *item)
{
	return o2_doc_int(item, "/wave", 0);
}

/*
 * Items of one wave and one operation as objects. A kind that B does not serve is an error, never passed over: something of the application
 * would be missing.
 */
static int select_items(struct o2_kube *kube, const struct o2_doc *items, int64_t wave,
			const char *op, struct o2_record_object *out, size_t *out_count,
			struct o2_err *err)
{
	*out_count = 0;
	for (size_t i = 0; i < o2_doc_count(items); i++) {
		const struct o2_doc *item = o2_doc_item(items, i);
		const char *api_version = o2_doc_member_str(item, "apiVersion", ""),
			   *name = o2_doc_member_str(item, "kind", "");
		const struct o2_kube_kind *kind = o2_kube_kind_exact(kube, api_version, name);

		if (wave_of(item) != wave || strcmp(o2_doc_member_str(item, "op", ""), op) != 0)
			continue;
		if (!kind)
			return o2_fail(err, O2_ENOTFOUND,
				       "%s does not serve %s %s, of which '%s' is to be opened",
				       o2_kube_name(kube), api_version, name,
				       o2_doc_member_str(item, "name", ""));
		out[(*out_count)++] =
			(struct o2_record_object){ .kind = kind,
						   .ns = o2_doc_member_str(item, "namespace", NULL),
						   .name = o2_doc_member_str(item, "name", ""),
						   .object = o2_doc_member(item, "body") };
	}
	return 0;
}

/* What opens together: changes first, since late objects may point at them. */
static int open_wave(struct o2_step_context *context, const struct o2_doc *items, int64_t wave,
		     struct o2_err *err)
{
	struct o2_kube *kube = o2_record_kube(context->record, O2_TARGET);
	/* COMMITTED; DONE, where a restored B is opened once more. */
	enum o2_record_state state = o2_record_head(context->record)->state;
	struct o2_record_object *objects = o2_xcalloc(o2_doc_count(items) + 1, sizeof(*objects));
	size_t count;
	int code = select_items(kube, items, wave, "change", objects, &count, err);

	if (code == 0)
		code = o2_plan_skip_runs(context->record, O2_TARGET, objects, count,
					 context->options, err);
	if (code == 0)
		code = o2_record_change_many(context->record, objects, count, "opened", state, err);
	if (code == 0)
		code = select_items(kube, items, wave, "create", objects, &count, err);
	if (code == 0)
		code = o2_record_create_many(context->record, objects, count, false, state, err);
	free(objects);
	return code;
}

/* Old and new address of each way in. */
static void note_ways_in(struct o2_step_context *context, const struct o2_doc *items)
{
	struct o2_kube *kube = o2_record_kube(context->record, O2_TARGET);

	for (size_t i = 0; i < o2_doc_count(items); i++) {
		const struct o2_doc *item = o2_doc_item(items, i);
		const char *ns = o2_doc_member_str(item, "namespace", NULL),
			   *name = o2_doc_member_str(item, "name", "");
		const char *kind_name = o2_doc_member_str(item, "kind", "");
		const struct o2_kube_kind *kind = o2_kube_kind_exact(
			kube, o2_doc_member_str(item, "apiVersion", ""), kind_name);
		O2_AUTO(o2_doc_freep) struct o2_doc *now = NULL;
		struct o2_doc *way;

		if (!o2_doc_member(item, "old") || !kind)
			continue;
		now = o2_kube_get(kube, kind, ns, name, NULL);
		O2_AUTO(o2_freep) char *new_address = o2_plan_address(now);
		O2_AUTO(o2_freep)
		char *label =
			o2_xasprintf("%s %s%s%s", kind_name, ns ? ns : "", ns ? "/" : "", name);
		way = o2_doc_object_new();
		o2_doc_set_str(way, "object", label);
		o2_doc_set_str(way, "old", o2_doc_member_str(item, "old", ""));
		o2_doc_set_str(way, "new", new_address ? new_address : "");
		o2_doc_append(context->ways_in, way);
	}
}

O2_STEP_APPLY(o2_step_open_apply)
{
	O2_AUTO(o2_doc_freep)
	struct o2_doc *items = o2_record_load_opening(context->record, &context->was_switched, err);
	int64_t last = 0;

	(void)step;
	if (!items)
		return err->code;
	for (size_t i = 0; i < o2_doc_count(items); i++)
		last = wave_of(o2_doc_item(items, i)) > last ? wave_of(o2_doc_item(items, i))
							     : last;
	for (int64_t wave = 0; wave <= last; wave++) {
		if (open_wave(context, items, wave, err) < 0)
			return err->code;
	}
	note_ways_in(context, items);
	return 0;
}

O2_STEP_APPLY(o2_step_switch_apply)
{
	const char *command = context->options->on_switch;
	O2_AUTO(o2_doc_freep) struct o2_doc *input = o2_doc_object_new();
	struct o2_strs env = { 0 };
	int status = 0, code = 0;

	(void)step;
	/* The ways in are no longer known; the command was told them, and said that it was content. */
	if (context->was_switched)
		return 0;
	o2_doc_set_str(input, "transaction", o2_record_id(context->record));
	o2_doc_set(input, "waysIn", o2_doc_ref(context->ways_in));
	O2_AUTO(o2_freep) char *text = o2_doc_dump(input);
	o2_strs_addf(&env, "OS2OS_TRANSACTION=%s", o2_record_id(context->record));
	for (int attempt = 1; attempt <= SWITCH_ATTEMPTS; attempt++) {
		code = o2_process_shell(command, &env, text, SWITCH_TIMEOUT_MS, &status, err);
		if (code == 0 && status == 0)
			break;
		if (code == -O2_ECANCELED || attempt == SWITCH_ATTEMPTS)
			break;
		o2_err_clear(err);
		o2_log(O2_WARN, "--on-switch command ended with status %d; trying again (%d of %d)",
		       status, attempt, SWITCH_ATTEMPTS);
		o2_clock_sleep_ms(SWITCH_PAUSE_MS);
	}
	o2_strs_release(&env);
	if (code == 0 && status != 0)
		code = o2_fail(err, O2_ETRANSIENT,
			       "--on-switch command '%s' ended with status %d, %d times", command,
			       status, SWITCH_ATTEMPTS);
	return code;
}
