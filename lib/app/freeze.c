/* How an object of A is stopped, and how one that is stopped is read as if it were not. */
#include "app/app_internal.h"

#include <string.h>

#define HELD "/metadata/labels/os2os.io~1held"
#define UNDO "/metadata/annotations/os2os.io~1undo"

/* Scaling to 0 must not take the claims along (PROTOCOL.md U11). */
static void keep_claims(struct o2_doc *doc)
{
	static const char pointer[] = "/spec/persistentVolumeClaimRetentionPolicy/whenScaled";

	if (strcmp(o2_doc_str(doc, pointer, ""), "Delete") == 0)
		o2_doc_put_str(doc, pointer, "Retain");
}

struct o2_doc *o2_app_freeze(const struct o2_app *app, size_t index)
{
	const struct o2_app_rule *rule = app->items[index].rule;
	O2_AUTO(o2_doc_freep) struct o2_doc *running = NULL;
	O2_AUTO(o2_doc_freep) struct o2_doc *stopped = NULL;

	if (!rule->pod || !rule->disarm)
		return NULL;
	running = o2_app_source(app, index);
	stopped = o2_doc_copy(running);
	rule->disarm(stopped);
	keep_claims(stopped);
	return o2_doc_merge_diff(running, stopped);
}

void o2_app_read_unfrozen(struct o2_doc *doc)
{
	const char *text = o2_doc_str(doc, UNDO, NULL);
	O2_AUTO(o2_doc_freep) struct o2_doc *note = NULL;
	struct o2_doc *undo;

	if (!text || !o2_doc_at(doc, HELD))
		return;
	note = o2_doc_parse(text, strlen(text), NULL);
	undo = o2_doc_member(note, "undo");
	if (!undo)
		return;
	o2_doc_merge(&doc, undo);
	o2_doc_prune(doc, HELD);
	o2_doc_prune(doc, UNDO);
}

bool o2_app_selects(const struct o2_doc *workload, const struct o2_doc *labels)
{
	const struct o2_doc *selector = o2_doc_at(workload, "/spec/selector");

	if (o2_doc_member(selector, "matchLabels") || o2_doc_member(selector, "matchExpressions"))
		return o2_app_selector_matches(selector, labels);
	return o2_app_selector_map_matches(selector, labels);
}
