/*
 * A plan, as text: concise by default, every object with its rewritings when wide.
 */
#include <string.h>

#include "report/plan_objects.h"
#include "report/report_internal.h"

#define NAMES_SHOWN 5

static void add_side(struct o2_table *table, const struct o2_plan *plan, enum o2_side side)
{
	const struct o2_plan_options *options = o2_plan_options(plan);
	const struct o2_app *app = o2_plan_app(plan);
	const struct o2_strs *namespaces =
		side == O2_SOURCE ? o2_app_source_namespaces(app) : o2_app_target_namespaces(app);
	struct o2_kube *kube = o2_plan_kube(plan, side);
	O2_AUTO(o2_buf_release) struct o2_buf names = { 0 };
	char id[65] = "";

	if (o2_kube_cluster_id(kube, id, NULL) < 0)
		snprintf(id, sizeof(id), "unknown");
	o2_buf_init(&names, 64 << 10);
	o2_report_join(&names, namespaces, NAMES_SHOWN);
	o2_table_cell(table, side == O2_SOURCE ? "from" : "to");
	o2_table_cell(table, "%s", side == O2_SOURCE ? options->source_name : options->target_name);
	o2_table_cell(table, "namespace %s", names.data);
	o2_table_cell(table, "%s", o2_kube_server(kube));
	o2_table_cell(table, "%s", o2_kube_version(kube));
	o2_table_cell(table, "cluster %s", id);
	o2_table_end_row(table);
}

static void add_header(struct o2_plan *plan, const struct o2_report_style *style,
		       struct o2_buf *out)
{
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };

	o2_report_heading(out, style, "Migration, mode %s%s", o2_plan_options(plan)->mode,
			  o2_plan_same_cluster(plan) ? ", within one cluster" : "");
	add_side(&table, plan, O2_SOURCE);
	add_side(&table, plan, O2_TARGET);
	o2_table_write(&table, out);
}

/* Kind, count and names of the objects that are made, or that are not. */
static void add_kinds(struct o2_table *table, const char *mark, const struct o2_app *app,
		      const bool *made, bool which)
{
	O2_AUTO(o2_strs_release) struct o2_strs kinds = { 0 };

	for (size_t i = 0; i < o2_app_count(app); i++)
		if (made[i] == which)
			o2_strs_add_unique(&kinds, o2_app_object(app, i)->kind->kind);
	for (size_t k = 0; k < kinds.count; k++) {
		O2_AUTO(o2_strs_release) struct o2_strs names = { 0 };
		O2_AUTO(o2_buf_release) struct o2_buf text = { 0 };
		for (size_t i = 0; i < o2_app_count(app); i++)
			if (made[i] == which &&
			    strcmp(o2_app_object(app, i)->kind->kind, kinds.items[k]) == 0)
				o2_strs_add(&names, o2_app_object(app, i)->target_name);
		o2_buf_init(&text, 1 << 20);
		o2_report_join(&text, &names, NAMES_SHOWN);
		o2_table_cell(table, "%s %s", mark, kinds.items[k]);
		o2_table_cell(table, "%zu", names.count);
		o2_table_cell(table, "%s", text.data);
		o2_table_end_row(table);
	}
}

static void add_new_namespaces(struct o2_table *table, const struct o2_report_objects *objects,
			       const struct o2_app *app)
{
	const struct o2_strs *namespaces = o2_app_target_namespaces(app);
	O2_AUTO(o2_buf_release) struct o2_buf text = { 0 };

	if (objects->namespaces == 0)
		return;
	o2_buf_init(&text, 1 << 20);
	if (objects->namespaces == namespaces->count)
		o2_report_join(&text, namespaces, NAMES_SHOWN);
	o2_table_cell(table, "+ Namespace");
	o2_table_cell(table, "%zu", objects->namespaces);
	o2_table_cell(table, "%s", text.data);
	o2_table_end_row(table);
}

/* One object of the wide form, and below it what is rewritten. */
static void add_object(struct o2_buf *out, const struct o2_report_objects *objects,
		       const struct o2_app *app, size_t index)
{
	const struct o2_app_object *object = o2_app_object(app, index);
	static const char *const started[] = { "", ", started closed", ", started when open" };

	o2_report_addf(out, "  %s %s   wave %d, %s%s%s", objects->made[index] ? "+" : "=",
		       o2_app_target_label(app, index), object->wave,
		       object->created == O2_APP_CREATED_EARLY ? "created inert"
							       : "created after the decision",
		       started[object->started],
		       object->by_reference ? ", reached by reference" : "");
	if (object->replicas > 0)
		o2_buf_addf(out, ", %d replicas", object->replicas);
	o2_buf_addc(out, '\n');
	for (size_t i = objects->first[index]; i < objects->first[index + 1]; i++) {
		const struct o2_app_change *change = o2_app_change(app, objects->changes[i]);
		o2_report_addf(out, "      ~ %s: %s\n", change->path, change->reason);
	}
}

static void add_objects(struct o2_plan *plan, const struct o2_report_style *style,
			struct o2_buf *out)
{
	const struct o2_app *app = o2_plan_app(plan);
	struct o2_report_objects objects;
	O2_AUTO(o2_table_release) struct o2_table table = { .indent = 2 };

	o2_report_objects_init(&objects, plan);
	o2_report_heading(out, style, "\nObjects to create on %s",
			  o2_plan_options(plan)->target_name);
	add_new_namespaces(&table, &objects, app);
	add_kinds(&table, "+", app, objects.made, true);
	if (objects.made_count < o2_app_count(app))
		add_kinds(&table, "= equal already:", app, objects.made, false);
	o2_table_write(&table, out);
	if (style->wide) {
		o2_report_heading(out, style,
				  "\nEach object (+ made, = equal already, ~ rewritten)");
		for (size_t i = 0; i < o2_app_count(app); i++)
			add_object(out, &objects, app, i);
	} else if (o2_app_change_count(app) > 0) {
		o2_buf_addf(out, "  %zu rewritings; -o wide lists them\n",
			    o2_app_change_count(app));
	}
	o2_report_objects_release(&objects);
}

struct o2_report_totals o2_report_plan_totals(const struct o2_plan *plan)
{
	return (struct o2_report_totals){
		.create = o2_plan_create_count(plan),
		.volumes = o2_plan_claim_count(plan),
		.volume_bytes = o2_plan_claim_bytes(plan),
		.volumes_empty =
			o2_plan_options(plan)->volumes_empty && o2_plan_claim_count(plan) > 0,
		.downtime_ms = o2_plan_downtime_ms(plan),
	};
}

void o2_report_plan_line(const struct o2_report_totals *totals, struct o2_buf *out)
{
	char bytes[O2_AMOUNT_SIZE], downtime[O2_AMOUNT_SIZE];

	o2_amount_bytes(totals->volume_bytes, bytes);
	o2_amount_ms(totals->downtime_ms, downtime);
	o2_buf_addf(
		out,
		"Plan: %zu to create, %zu to change, %zu to delete, %zu volumes (%s), downtime %s",
		totals->create, totals->change, totals->remove, totals->volumes,
		totals->volumes_empty ? "empty" : bytes, downtime);
	if (totals->downtime_high_ms > 0)
		o2_buf_addf(out, " (90 %%: %.1f-%.1f s)", (double)totals->downtime_low_ms / 1000,
			    (double)totals->downtime_high_ms / 1000);
	o2_buf_adds(out, ".\n");
}

void o2_report_plan_text(struct o2_plan *plan, const struct o2_report_style *style,
			 struct o2_buf *out)
{
	struct o2_report_totals totals = o2_report_plan_totals(plan);

	add_header(plan, style, out);
	add_objects(plan, style, out);
	o2_report_notes_text(o2_plan_app(plan), true, style, out);
	o2_report_findings_text(plan, style, out);
	o2_report_heading(out, style, "\nSteps");
	o2_report_steps_text(plan, false, out);
	o2_buf_addc(out, '\n');
	if (totals.volumes_empty)
		o2_buf_addf(out,
			    "%sThe claims are made empty on %s: their data are not copied "
			    "(--volumes=empty).%s\n\n",
			    o2_report_on(style, O2_YELLOW), o2_plan_options(plan)->target_name,
			    o2_report_off(style));
	o2_report_plan_line(&totals, out);
}

void o2_report_plan_names(struct o2_plan *plan, struct o2_buf *out)
{
	const struct o2_app *app = o2_plan_app(plan);
	struct o2_report_objects objects;

	o2_report_objects_init(&objects, plan);
	for (size_t i = 0; i < o2_app_count(app); i++) {
		const struct o2_app_object *object = o2_app_object(app, i);
		if (objects.made[i])
			o2_report_object_name(object->target_kind != NULL ? object->target_kind
									  : object->kind,
					      object->target_ns, object->target_name, out);
	}
	o2_report_objects_release(&objects);
}
