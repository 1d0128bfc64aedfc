#include "app/app_internal.h"

#include <assert.h>
#include <string.h>

#include "crypto/crypto.h"

struct o2_doc *o2_app_build_target(const struct o2_app *app, size_t item, enum o2_app_form form,
				   struct o2_app *changes)
{
	const struct o2_app_item *it = &app->items[item];
	const struct o2_app_cleaning cleaning = { .item = item, .known = app };
	struct o2_doc *doc = o2_app_item_parse(it);

	o2_app_strip(&cleaning, it->rule, doc);
	o2_app_rewrite_doc(app, item, doc, changes);
	if (form == O2_APP_INERT && it->rule->disarm)
		it->rule->disarm(doc);
	return doc;
}

struct o2_doc *o2_app_target(const struct o2_app *app, size_t index, enum o2_app_form form)
{
	assert(index < app->item_count);
	return o2_app_build_target(app, index, form, NULL);
}

void o2_app_digest(const struct o2_app *app, char out[65])
{
	struct o2_sha256 *hash = o2_sha256_new();

	for (size_t i = 0; i < app->item_count; i++) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *doc = o2_app_build_target(app, i, O2_APP_FULL, NULL);
		O2_AUTO(o2_freep) char *text = o2_doc_dump_canonical(doc);
		o2_sha256_add(hash, text,
			      strlen(text) + 1); /* with the NUL, so that two texts aren't one */
	}
	o2_sha256_final(hash, out);
}

/* ---- namespaces ------------------------------------------------------------------------------------------------------- */

/* What others than A's platform wrote; of OpenShift's annotations those that decide about users and groups. */
static bool is_kept(const char *name)
{
	static const char *const dropped[] = { "kubectl.kubernetes.io/",
					       "kubernetes.io/metadata.name",
					       "argocd.argoproj.io/",
					       "kustomize.toolkit.fluxcd.io/",
					       "helm.toolkit.fluxcd.io/",
					       "openshift.io/",
					       "cattle.io/",
					       "field.cattle.io/",
					       "lifecycle.cattle.io/",
					       "os2os.io/",
					       "olm.operatorgroup.uid/" };
	static const char ranges[] = "openshift.io/sa.scc.";

	if (strncmp(name, ranges, strlen(ranges)) == 0)
		return true;
	for (size_t i = 0; i < O2_COUNT(dropped); i++) {
		if (strncmp(name, dropped[i], strlen(dropped[i])) == 0)
			return false;
	}
	return true;
}

struct o2_doc *o2_app_target_namespace(const struct o2_app *app, size_t index)
{
	static const char *const maps[] = { "labels", "annotations" };
	struct o2_doc *doc = o2_doc_object_new();
	struct o2_doc *metadata = o2_doc_object_new();

	assert(index < app->namespaces.count);
	o2_doc_set_str(doc, "apiVersion", "v1");
	o2_doc_set_str(doc, "kind", "Namespace");
	o2_doc_set(doc, "metadata", metadata);
	o2_doc_set_str(metadata, "name", o2_app_target_ns(app, app->namespaces.items[index]));
	for (size_t m = 0; m < O2_COUNT(maps); m++) {
		const struct o2_doc *from = o2_doc_member(
			o2_doc_member(app->namespace_docs[index], "metadata"), maps[m]);
		struct o2_doc *to = o2_doc_object_new();
		for (struct o2_doc_iter it = o2_doc_iter(from); o2_doc_next(&it);) {
			if (is_kept(it.name))
				o2_doc_set(to, it.name, o2_doc_copy(it.value));
		}
		if (o2_doc_count(to) > 0)
			o2_doc_set(metadata, maps[m], to);
		else
			o2_doc_free(to);
	}
	return doc;
}

const struct o2_strs *o2_app_target_namespaces(const struct o2_app *app)
{
	return app->rewritten ? &app->target_namespaces : &app->namespaces;
}
