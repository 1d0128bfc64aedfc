/* The options as JSON for R1, and back. */
#include "plan/plan_internal.h"

static void put_strs(struct o2_doc *doc, const char *name, const struct o2_strs *list)
{
	struct o2_doc *array = o2_doc_array_new();

	for (size_t i = 0; i < list->count; i++)
		o2_doc_append_str(array, list->items[i]);
	o2_doc_set(doc, name, array);
}

static void get_strs(const struct o2_doc *doc, const char *name, struct o2_strs *out)
{
	const struct o2_doc *array = o2_doc_member(doc, name);

	for (size_t i = 0; i < o2_doc_count(array); i++)
		o2_strs_add(out, o2_doc_text(o2_doc_item(array, i)));
}

static void put_text(struct o2_doc *doc, const char *name, const char *text)
{
	if (text)
		o2_doc_set_str(doc, name, text);
}

struct o2_doc *o2_plan_options_to_doc(const struct o2_plan_options *options)
{
	struct o2_doc *doc = o2_doc_object_new();

	put_text(doc, "mode", options->mode);
	put_strs(doc, "namespaces", &options->selection.namespaces);
	put_text(doc, "selector", options->selection.selector);
	put_strs(doc, "excludeKinds", &options->selection.exclude_kinds);
	put_strs(doc, "accept", &options->accept);
	put_strs(doc, "namespaceMap", &options->rewriting.namespace_map);
	put_strs(doc, "storageClassMap", &options->rewriting.storage_class_map);
	put_text(doc, "sourceName", options->source_name);
	put_text(doc, "targetName", options->target_name);
	o2_doc_set(doc, "volumesEmpty", o2_doc_bool_new(options->volumes_empty));
	put_text(doc, "onSwitch", options->on_switch);
	put_strs(doc, "checks", &options->checks);
	o2_doc_set(doc, "startTimeoutS", o2_doc_int_new(options->start_timeout_s));
	o2_doc_set(doc, "lostTimeoutS", o2_doc_int_new(options->lost_timeout_s));
	put_text(doc, "guard", options->guard);
	o2_doc_set(doc, "stopTimeoutS", o2_doc_int_new(options->stop_timeout_s));
	o2_doc_set(doc, "jobWaitS", o2_doc_int_new(options->job_wait_s));
	o2_doc_set(doc, "freezeTimeoutS", o2_doc_int_new(options->freeze_timeout_s));
	put_text(doc, "missedRuns", options->missed_runs);
	o2_doc_set(doc, "noWatchdog", o2_doc_bool_new(options->no_watchdog));
	o2_doc_set(doc, "moverAsRoot", o2_doc_bool_new(options->mover_as_root));
	o2_doc_set(doc, "relay", o2_doc_bool_new(options->relay));
	return doc;
}

void o2_plan_options_from_doc(const struct o2_doc *doc, struct o2_plan_options *out)
{
	memset(out, 0, sizeof(*out));
	out->mode = o2_doc_member_str(doc, "mode", "copy");
	get_strs(doc, "namespaces", &out->selection.namespaces);
	out->selection.selector = o2_doc_member_str(doc, "selector", NULL);
	get_strs(doc, "excludeKinds", &out->selection.exclude_kinds);
	get_strs(doc, "accept", &out->accept);
	get_strs(doc, "namespaceMap", &out->rewriting.namespace_map);
	get_strs(doc, "storageClassMap", &out->rewriting.storage_class_map);
	out->source_name = o2_doc_member_str(doc, "sourceName", "");
	out->target_name = o2_doc_member_str(doc, "targetName", "");
	out->volumes_empty = o2_doc_bool(doc, "/volumesEmpty", false);
	out->on_switch = o2_doc_member_str(doc, "onSwitch", NULL);
	get_strs(doc, "checks", &out->checks);
	out->start_timeout_s = (int)o2_doc_int(doc, "/startTimeoutS", 0);
	out->lost_timeout_s = (int)o2_doc_int(doc, "/lostTimeoutS", 0);
	out->guard = o2_doc_member_str(doc, "guard", NULL);
	out->stop_timeout_s = (int)o2_doc_int(doc, "/stopTimeoutS", 0);
	out->job_wait_s = (int)o2_doc_int(doc, "/jobWaitS", 0);
	out->freeze_timeout_s = (int)o2_doc_int(doc, "/freezeTimeoutS", 0);
	out->missed_runs = o2_doc_member_str(doc, "missedRuns", NULL);
	out->no_watchdog = o2_doc_bool(doc, "/noWatchdog", false);
	out->mover_as_root = o2_doc_bool(doc, "/moverAsRoot", false);
	out->relay = o2_doc_bool(doc, "/relay", false);
}

void o2_plan_options_release(struct o2_plan_options *options)
{
	o2_strs_release(&options->selection.namespaces);
	o2_strs_release(&options->selection.exclude_kinds);
	o2_strs_release(&options->rewriting.namespace_map);
	o2_strs_release(&options->rewriting.storage_class_map);
	o2_strs_release(&options->accept);
	o2_strs_release(&options->checks);
}

int o2_plan_freeze_timeout_s(const struct o2_plan_options *options)
{
	return options->freeze_timeout_s > 0 ? options->freeze_timeout_s : O2_PLAN_FREEZE_TIMEOUT_S;
}

int o2_plan_lost_timeout_ms(const struct o2_plan_options *options)
{
	return (options->lost_timeout_s > 0 ? options->lost_timeout_s : O2_PLAN_LOST_TIMEOUT_S) *
	       1000;
}

int o2_plan_start_timeout_ms(const struct o2_plan_options *options)
{
	return (options->start_timeout_s > 0 ? options->start_timeout_s : O2_PLAN_START_TIMEOUT_S) *
	       1000;
}
