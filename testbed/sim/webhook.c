/*
 * Webhooks that nobody answers: they block what they match. One that has a ready pod behind it lets everything pass, since what it would
 * say is not known here.
 */
#include <string.h>

#include "admission.h"
#include "controllers.h"
#include "refusal.h"

static bool lists(const struct o2_doc *list, const char *word)
{
	for (size_t i = 0; i < o2_doc_count(list); i++) {
		const char *item = o2_doc_text(o2_doc_item(list, i));
		if (strcmp(item, "*") == 0 || strcmp(item, word) == 0)
			return true;
	}
	return false;
}

static bool rule_matches(const struct o2_doc *rule, const struct sim_kind *kind)
{
	return lists(o2_doc_member(rule, "apiGroups"), kind->group) &&
	       lists(o2_doc_member(rule, "apiVersions"), kind->version) &&
	       lists(o2_doc_member(rule, "operations"), "CREATE") &&
	       lists(o2_doc_member(rule, "resources"), kind->resource);
}

static bool hook_matches(const struct sim_cluster *cluster, const struct o2_doc *hook,
			 const struct sim_kind *kind, const struct o2_doc *doc)
{
	const char *ns = o2_doc_str(doc, "/metadata/namespace", "");
	const struct sim_object *space = sim_find(cluster, sim_kind("", "Namespace"), NULL, ns);
	const struct o2_doc *rules = o2_doc_member(hook, "rules");
	const struct o2_doc *labels = o2_doc_at(space ? space->doc : NULL, "/metadata/labels");
	bool any = false;

	for (size_t i = 0; i < o2_doc_count(rules); i++)
		any |= rule_matches(o2_doc_item(rules, i), kind);
	return any && strcmp(o2_doc_member_str(hook, "failurePolicy", "Fail"), "Fail") == 0 &&
	       (!space || sim_selects(o2_doc_member(hook, "namespaceSelector"), labels)) &&
	       sim_selects(o2_doc_member(hook, "objectSelector"),
			   o2_doc_at(doc, "/metadata/labels"));
}

static bool has_ready_pod(const struct sim_cluster *cluster, const struct sim_object *service)
{
	const struct o2_doc *selector = o2_doc_at(service->doc, "/spec/selector");
	O2_AUTO(o2_doc_freep) struct o2_doc *as_labels = o2_doc_object_new();

	o2_doc_set(as_labels, "matchLabels", o2_doc_ref(selector));
	for (struct sim_object *pod = sim_first(cluster, sim_kind("", "Pod")); pod;
	     pod = sim_next(pod)) {
		if (strcmp(pod->ns, service->ns) == 0 && sim_pod_is_ready(pod) &&
		    sim_selects(as_labels, o2_doc_at(pod->doc, "/metadata/labels")))
			return true;
	}
	return false;
}

/* Does anybody answer? */
static bool call(const struct sim_cluster *cluster, const struct o2_doc *hook,
		 struct sim_refusal *refusal)
{
	const struct o2_doc *where = o2_doc_at(hook, "/clientConfig/service");
	const char *name = o2_doc_member_str(where, "name", "");
	const char *ns = o2_doc_member_str(where, "namespace", "");
	const char *path = o2_doc_member_str(where, "path", "/");
	const struct sim_object *service =
		where ? sim_find(cluster, sim_kind("", "Service"), ns, name) : NULL;

	if (!where || (service && has_ready_pod(cluster, service)))
		return true;
	O2_AUTO(o2_freep)
	char *why = service ? o2_xasprintf("no endpoints available for service \"%s\"", name)
			    : o2_xasprintf("service \"%s\" not found", name);
	O2_AUTO(o2_freep)
	char *words = o2_xasprintf("failed calling webhook \"%s\": failed to call webhook: Post "
				   "\"https://%s.%s.svc:%lld%s?timeout=%llds\": %s",
				   o2_doc_member_str(hook, "name", ""), name, ns,
				   (long long)o2_doc_int(where, "/port", 443), path,
				   (long long)o2_doc_int(hook, "/timeoutSeconds", 10), why);
	sim_refuse(refusal, 500, "InternalError", "Internal error occurred: %s", words);
	sim_refusal_add_cause(refusal, "", "", words);
	return false;
}

bool sim_admit_webhooks(const struct sim_cluster *cluster, const struct sim_kind *kind,
			const struct o2_doc *doc, struct sim_refusal *refusal)
{
	static const char group[] = "admissionregistration.k8s.io";
	static const char *const kinds[] = { "MutatingWebhookConfiguration",
					     "ValidatingWebhookConfiguration" };

	for (size_t i = 0; i < O2_COUNT(kinds) && strcmp(kind->group, group) != 0; i++) {
		struct sim_object *at = sim_first(cluster, sim_kind(group, kinds[i]));
		for (; at; at = sim_next(at)) {
			const struct o2_doc *hooks = o2_doc_member(at->doc, "webhooks");
			for (size_t k = 0; k < o2_doc_count(hooks); k++) {
				const struct o2_doc *hook = o2_doc_item(hooks, k);
				if (hook_matches(cluster, hook, kind, doc) &&
				    !call(cluster, hook, refusal))
					return false;
			}
		}
	}
	return true;
}
