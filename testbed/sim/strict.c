/*
 * Fields that a kind does not have: at the top of an object and in its metadata. What is below spec and status is taken as it is, since
 * the simulator knows no schemas.
 */
#include <string.h>

#include "api_internal.h"

static const char *const everywhere[] = { "apiVersion", "kind", "metadata" };
static const char *const of_metadata[] = { "name",
					   "generateName",
					   "namespace",
					   "selfLink",
					   "uid",
					   "labels",
					   "resourceVersion",
					   "creationTimestamp",
					   "deletionTimestamp",
					   "generation",
					   "annotations",
					   "ownerReferences",
					   "finalizers",
					   "managedFields",
					   "deletionGracePeriodSeconds" };

/* Kinds that have something else than spec and status; without one that is listed, what is at the top is not looked at. */
static const struct {
	const char *kind;
	const char *fields;
} tops[] = {
	{ "ConfigMap", " data binaryData immutable " },
	{ "Secret", " data stringData type immutable " },
	{ "ServiceAccount", " secrets imagePullSecrets automountServiceAccountToken " },
	{ "Role", " rules " },
	{ "ClusterRole", " rules aggregationRule " },
	{ "RoleBinding", " subjects roleRef " },
	{ "ClusterRoleBinding", " subjects roleRef " },
	{ "Namespace", " spec status " },
	{ "Pod", " spec status " },
	{ "Service", " spec status " },
	{ "PersistentVolume", " spec status " },
	{ "PersistentVolumeClaim", " spec status " },
	{ "ResourceQuota", " spec status " },
	{ "Deployment", " spec status " },
	{ "ReplicaSet", " spec status " },
	{ "StatefulSet", " spec status " },
	{ "DaemonSet", " spec status " },
	{ "Job", " spec status " },
	{ "CronJob", " spec status " },
	{ "Ingress", " spec status " },
	{ "NetworkPolicy", " spec " },
};

static bool is_among(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static bool is_word_of(const char *words, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = words; (at = strstr(at, name)) != NULL; at += len) {
		if (at[-1] == ' ' && at[len] == ' ')
			return true;
	}
	return false;
}

static void drop(struct o2_doc *map, const char *name, const char *prefix, struct o2_buf *out)
{
	o2_buf_addf(out, "%sunknown field \"%s%s\"", out->len > 0 ? ", " : "", prefix, name);
	o2_doc_unset(map, name);
}

void sim_drop_unknown(const struct sim_kind *kind, struct o2_doc *doc, struct o2_buf *out_unknown)
{
	struct o2_doc *metadata = o2_doc_member(doc, "metadata");
	const char *known = NULL;

	for (size_t i = 0; i < O2_COUNT(tops) && !known; i++)
		known = strcmp(tops[i].kind, kind->kind) == 0 ? tops[i].fields : NULL;
	for (struct o2_doc_iter it = o2_doc_iter(doc); known && o2_doc_next(&it);) {
		if (!is_among(it.name, everywhere, O2_COUNT(everywhere)) &&
		    !is_word_of(known, it.name))
			drop(doc, it.name, "", out_unknown);
	}
	for (struct o2_doc_iter it = o2_doc_iter(metadata); o2_doc_next(&it);) {
		if (!is_among(it.name, of_metadata, O2_COUNT(of_metadata)))
			drop(metadata, it.name, "metadata.", out_unknown);
	}
}
