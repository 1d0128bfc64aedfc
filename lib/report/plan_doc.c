/*
 * A plan, as a document.
 */
#include "report/plan_objects.h"
#include "report/report_internal.h"

static struct o2_doc *side_doc(const struct o2_plan *plan, enum o2_side side)
{
	const struct o2_plan_options *options = o2_plan_options(plan);
	const struct o2_app *app = o2_plan_app(plan);
	struct o2_kube *kube = o2_plan_kube(plan, side);
	struct o2_doc *doc = o2_doc_object_new();
	char id[65] = "";

	o2_doc_set_str(doc, "name",
		       side == O2_SOURCE ? options->source_name : options->target_name);
	o2_doc_set_str(doc, "server", o2_kube_server(kube));
	o2_doc_set_str(doc, "version", o2_kube_version(kube));
	if (o2_kube_cluster_id(kube, id, NULL) == 0)
		o2_doc_set_str(doc, "clusterId", id);
	o2_doc_set(doc, "namespaces",
		   o2_report_strs_doc(side == O2_SOURCE ? o2_app_source_namespaces(app)
							: o2_app_target_namespaces(app)));
	return doc;
}

static struct o2_doc *summary_doc(const struct o2_plan *plan)
{
	struct o2_report_totals totals = o2_report_plan_totals(plan);
	struct o2_doc *doc = o2_doc_object_new();

	o2_doc_set(doc, "create", o2_doc_int_new((int64_t)totals.create));
	o2_doc_set(doc, "change", o2_doc_int_new((int64_t)totals.change));
	o2_doc_set(doc, "delete", o2_doc_int_new((int64_t)totals.remove));
	o2_doc_set(doc, "volumes", o2_doc_int_new((int64_t)totals.volumes));
	o2_doc_set(doc, "volumeBytes", o2_doc_int_new(totals.volume_bytes));
	o2_doc_set(doc, "volumesEmpty", o2_doc_bool_new(totals.volumes_empty));
	o2_doc_set(doc, "blockers", o2_doc_int_new((int64_t)o2_plan_blocker_count(plan)));
	o2_doc_set(doc, "predictedMs", o2_doc_int_new(o2_plan_total_ms(plan)));
	o2_doc_set(doc, "downtimeMs", o2_doc_int_new(totals.downtime_ms));
	return doc;
}

static struct o2_doc *changes_doc(const struct o2_report_objects *objects, const struct o2_app *app,
				  size_t index)
{
	struct o2_doc *array = o2_doc_array_new();

	for (size_t i = objects->first[index]; i < objects->first[index + 1]; i++) {
		const struct o2_app_change *change = o2_app_change(app, objects->changes[i]);
		struct o2_doc *doc = o2_doc_object_new();
		o2_doc_set_str(doc, "path", change->path);
		o2_doc_set_str(doc, "reason", change->reason);
		o2_doc_append(array, doc);
	}
	return array;
}

static struct o2_doc *target_doc(const struct o2_app_object *object)
{
	struct o2_doc *doc = o2_doc_object_new();

	if (object->target_kind != NULL)
		o2_doc_set_str(doc, "apiVersion", object->target_kind->api_version);
	o2_report_put(doc, "namespace", object->target_ns);
	o2_report_put(doc, "name", object->target_name);
	return doc;
}

static struct o2_doc *object_doc(const struct o2_report_objects *objects, const struct o2_app *app,
				 size_t index)
{
	const struct o2_app_object *object = o2_app_object(app, index);
	static const char *const started[] = {
		[O2_APP_STARTED_NEVER] = "never",
		[O2_APP_STARTED_CLOSED] = "closed",
		[O2_APP_STARTED_OPEN] = "open",
	};
	struct o2_doc *doc = o2_report_object_doc(object);

	o2_doc_set(doc, "target", target_doc(object));
	o2_doc_set_str(doc, "action", objects->made[index] ? "create" : "keep");
	o2_doc_set_str(doc, "created", object->created == O2_APP_CREATED_EARLY ? "inert" : "late");
	o2_doc_set_str(doc, "started", started[object->started]);
	o2_doc_set(doc, "changes", changes_doc(objects, app, index));
	return doc;
}

static struct o2_doc *objects_doc(struct o2_plan *plan)
{
	const struct o2_app *app = o2_plan_app(plan);
	struct o2_doc *array = o2_doc_array_new();
	struct o2_report_objects objects;

	o2_report_objects_init(&objects, plan);
	for (size_t i = 0; i < o2_app_count(app); i++)
		o2_doc_append(array, object_doc(&objects, app, i));
	o2_report_objects_release(&objects);
	return array;
}

struct o2_doc *o2_report_plan_doc(struct o2_plan *plan, bool objects)
{
	struct o2_doc *doc = o2_report_doc_new("Plan");
	struct o2_report_totals totals = o2_report_plan_totals(plan);
	O2_AUTO(o2_buf_release) struct o2_buf line = { 0 };

	o2_buf_init(&line, 1024);
	o2_report_plan_line(&totals, &line);
	if (line.len > 0)
		line.data[--line.len] = '\0'; /* the newline */
	o2_doc_set_str(doc, "mode", o2_plan_options(plan)->mode);
	o2_doc_set(doc, "source", side_doc(plan, O2_SOURCE));
	o2_doc_set(doc, "target", side_doc(plan, O2_TARGET));
	o2_doc_set(doc, "sameCluster", o2_doc_bool_new(o2_plan_same_cluster(plan)));
	o2_doc_set_str(doc, "line", line.data);
	o2_doc_set(doc, "summary", summary_doc(plan));
	o2_doc_set(doc, "findings", o2_report_findings_doc(plan));
	o2_doc_set(doc, "steps", o2_report_steps_doc(plan));
	o2_doc_set(doc, "leftOut", o2_report_notes_doc(o2_plan_app(plan), true));
	if (objects)
		o2_doc_set(doc, "objects", objects_doc(plan));
	return doc;
}
