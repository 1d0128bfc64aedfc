/*
 * An application: objects by wave with what they refer to.
 */
#include <stdlib.h>
#include <string.h>

#include "report/report_internal.h"

/* Indexes of the edges, those from one object together. */
struct needs {
	size_t *edges;
	size_t *first; /* by object; one more at the end */
};

static void needs_release(struct needs *needs)
{
	free(needs->edges);
	free(needs->first);
}

static void needs_init(struct needs *needs, const struct o2_app *app)
{
	size_t count = o2_app_count(app), edge_count = o2_app_edge_count(app);
	O2_AUTO(o2_freep) size_t *next = o2_xcalloc(count + 1, sizeof(*next));

	needs->edges = o2_xcalloc(edge_count + 1, sizeof(*needs->edges));
	needs->first = o2_xcalloc(count + 1, sizeof(*needs->first));
	for (size_t i = 0; i < edge_count; i++)
		needs->first[o2_app_edge(app, i)->from + 1]++;
	for (size_t i = 0; i < count; i++)
		needs->first[i + 1] += needs->first[i];
	for (size_t i = 0; i < count; i++)
		next[i] = needs->first[i];
	for (size_t i = 0; i < edge_count; i++)
		needs->edges[next[o2_app_edge(app, i)->from]++] = i;
}

struct o2_doc *o2_report_object_doc(const struct o2_app_object *object)
{
	struct o2_doc *doc = o2_doc_object_new();

	o2_doc_set_str(doc, "apiVersion", object->kind->api_version);
	o2_doc_set_str(doc, "kind", object->kind->kind);
	o2_report_put(doc, "namespace", object->ns);
	o2_doc_set_str(doc, "name", object->name);
	o2_doc_set(doc, "wave", o2_doc_int_new(object->wave));
	o2_doc_set(doc, "level", o2_doc_int_new(object->level));
	o2_doc_set(doc, "replicas", o2_doc_int_new(object->replicas));
	o2_doc_set(doc, "byReference", o2_doc_bool_new(object->by_reference));
	return doc;
}

static int last_wave(const struct o2_app *app)
{
	int last = 0;

	for (size_t i = 0; i < o2_app_count(app); i++)
		if (o2_app_object(app, i)->wave > last)
			last = o2_app_object(app, i)->wave;
	return last;
}

static void add_object(struct o2_buf *out, const struct o2_app *app, const struct needs *needs,
		       size_t index)
{
	const struct o2_app_object *object = o2_app_object(app, index);

	o2_report_addf(out, "  %s", o2_app_label(app, index));
	if (object->replicas > 0)
		o2_buf_addf(out, ", %d replicas", object->replicas);
	if (object->by_reference)
		o2_buf_adds(out, ", reached by reference");
	if (!object->has_row)
		o2_buf_adds(out, ", of a kind without rules");
	o2_buf_addc(out, '\n');
	for (size_t i = needs->first[index]; i < needs->first[index + 1]; i++) {
		const struct o2_app_edge *edge = o2_app_edge(app, needs->edges[i]);
		o2_report_addf(out, "    needs %s (%s)\n", o2_app_label(app, edge->to), edge->why);
	}
}

/* Objects of one wave that are created before the decision, or after it. Waves of both count from 0. */
static void add_wave(struct o2_buf *out, const struct o2_app *app, const struct needs *needs,
		     int wave, enum o2_app_created created, const struct o2_report_style *style)
{
	bool headed = false;

	for (size_t i = 0; i < o2_app_count(app); i++) {
		const struct o2_app_object *object = o2_app_object(app, i);
		if (object->wave != wave || object->created != created)
			continue;
		if (!headed)
			o2_report_heading(out, style, "\nWave %d%s", wave,
					  created == O2_APP_CREATED_LATE ? ", after the decision"
									 : "");
		headed = true;
		add_object(out, app, needs, i);
	}
}

void o2_report_app_text(const struct o2_app *app, const char *where,
			const struct o2_report_style *style, struct o2_buf *out)
{
	O2_AUTO(needs_release) struct needs needs = { 0 };
	O2_AUTO(o2_buf_release) struct o2_buf names = { 0 };
	int last = last_wave(app);

	needs_init(&needs, app);
	o2_buf_init(&names, 1 << 20);
	o2_report_join(&names, o2_app_source_namespaces(app), 0);
	o2_report_heading(out, style, "Application in namespace %s of %s", names.data, where);
	o2_buf_addf(out, "  %zu objects, %zu references\n", o2_app_count(app),
		    o2_app_edge_count(app));
	for (int wave = 0; wave <= last; wave++)
		add_wave(out, app, &needs, wave, O2_APP_CREATED_EARLY, style);
	for (int wave = 0; wave <= last; wave++)
		add_wave(out, app, &needs, wave, O2_APP_CREATED_LATE, style);
	o2_report_notes_text(app, true, style, out);
	o2_report_notes_text(app, false, style, out);
}

struct o2_doc *o2_report_app_doc(const struct o2_app *app, const char *where)
{
	struct o2_doc *doc = o2_report_doc_new("Application");
	struct o2_doc *objects = o2_doc_array_new();
	struct o2_doc *references = o2_doc_array_new();

	for (size_t i = 0; i < o2_app_count(app); i++)
		o2_doc_append(objects, o2_report_object_doc(o2_app_object(app, i)));
	for (size_t i = 0; i < o2_app_edge_count(app); i++) {
		const struct o2_app_edge *edge = o2_app_edge(app, i);
		struct o2_doc *reference = o2_doc_object_new();
		o2_doc_set_str(reference, "from", o2_app_label(app, edge->from));
		o2_doc_set_str(reference, "to", o2_app_label(app, edge->to));
		o2_doc_set_str(reference, "why", edge->why);
		o2_doc_append(references, reference);
	}
	o2_doc_set_str(doc, "cluster", where);
	o2_doc_set(doc, "namespaces", o2_report_strs_doc(o2_app_source_namespaces(app)));
	o2_doc_set(doc, "objects", objects);
	o2_doc_set(doc, "references", references);
	o2_doc_set(doc, "leftOut", o2_report_notes_doc(app, true));
	o2_doc_set(doc, "notes", o2_report_notes_doc(app, false));
	return doc;
}

void o2_report_app_names(const struct o2_app *app, struct o2_buf *out)
{
	for (size_t i = 0; i < o2_app_count(app); i++) {
		const struct o2_app_object *object = o2_app_object(app, i);
		o2_report_object_name(object->kind, object->ns, object->name, out);
	}
}
