/*
 * What B must not be told: what A's server and A's controllers wrote into an object. What a user wrote stays, and what the
 * server filled in as a default stays too, since B's defaults may differ.
 */
#include "app/app_internal.h"

#include <string.h>

/* ---- every kind ------------------------------------------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool starts_with_any(const char *text, const char *const *prefixes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (starts_with(text, prefixes[i]))
			return true;
	}
	return false;
}

static void drop_prefixed(struct o2_doc *doc, const char *map_pointer, const char *const *prefixes,
			  size_t count)
{
	struct o2_doc *map = o2_doc_at(doc, map_pointer);

	for (struct o2_doc_iter it = o2_doc_iter(map); o2_doc_next(&it);) {
		if (starts_with_any(it.name, prefixes, count))
			o2_doc_unset(map, it.name);
	}
	if (map && o2_doc_count(map) == 0)
		o2_doc_prune(doc, map_pointer);
}

/* Finalizers that the platform adds again by itself. */
static bool is_automatic(const char *finalizer)
{
	static const char *const automatic[] = { "kubernetes.io/pvc-protection",
						 "kubernetes.io/pv-protection",
						 "service.kubernetes.io/load-balancer-cleanup",
						 "foregroundDeletion",
						 "orphan",
						 "batch.kubernetes.io/job-tracking",
						 "customresourcecleanup.apiextensions.k8s.io" };

	return starts_with_any(finalizer, automatic, O2_COUNT(automatic));
}

/* On B nobody may be there to take one away, and what can't be deleted can't be undone. */
static void strip_finalizers(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	struct o2_doc *finalizers = o2_doc_at(doc, "/metadata/finalizers");

	for (size_t i = 0; i < o2_doc_count(finalizers); i++) {
		const char *name = o2_doc_text(o2_doc_item(finalizers, i));
		if (name && !is_automatic(name))
			o2_app_note_item(cleaning->app, cleaning->item, "",
					 "finalizer \"%s\" is left to its controller on B", name);
	}
	o2_doc_remove(doc, "/metadata/finalizers");
}

static void strip_tracking(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	static const char *const marks[] = { "argocd.argoproj.io/instance",
					     "argocd.argoproj.io/tracking-id",
					     "argocd.argoproj.io/installation-id",
					     "kustomize.toolkit.fluxcd.io/name",
					     "kustomize.toolkit.fluxcd.io/checksum",
					     "helm.toolkit.fluxcd.io/name",
					     "fluxcd.io/sync" };
	const struct o2_doc *maps[] = { o2_doc_at(doc, "/metadata/labels"),
					o2_doc_at(doc, "/metadata/annotations") };

	for (size_t m = 0; m < O2_COUNT(maps) && cleaning->app; m++) {
		for (struct o2_doc_iter it = o2_doc_iter(maps[m]); o2_doc_next(&it);) {
			if (starts_with_any(it.name, marks, O2_COUNT(marks)))
				cleaning->app->items[cleaning->item].tracked = true;
		}
	}
	drop_prefixed(doc, "/metadata/labels", marks, O2_COUNT(marks));
	drop_prefixed(doc, "/metadata/annotations", marks, O2_COUNT(marks));
}

/* What os2os wrote into the object itself; what a user wishes of os2os stays. */
static void strip_own(struct o2_doc *doc, const char *pointer)
{
	struct o2_doc *map = o2_doc_at(doc, pointer);

	for (struct o2_doc_iter it = o2_doc_iter(map); o2_doc_next(&it);) {
		if (starts_with(it.name, O2_ANNOTATION_PREFIX) &&
		    strcmp(it.name, O2_ANNOTATION_START) != 0)
			o2_doc_unset(map, it.name);
	}
	if (map && o2_doc_count(map) == 0)
		o2_doc_prune(doc, pointer);
}

static void strip_metadata(struct o2_doc *doc)
{
	static const char *const members[] = {
		"/metadata/uid",
		"/metadata/resourceVersion",
		"/metadata/generation",
		"/metadata/creationTimestamp",
		"/metadata/deletionTimestamp",
		"/metadata/deletionGracePeriodSeconds",
		"/metadata/managedFields",
		"/metadata/selfLink",
		"/metadata/clusterName",
		"/metadata/ownerReferences",
		"/status",
	};
	static const char *const annotations[] = {
		"kubectl.kubernetes.io/last-applied-configuration",
		"deployment.kubernetes.io/",
		"deprecated.daemonset.template.generation",
		"deprecated.deployment.rollback.to",
		"autoscaling.alpha.kubernetes.io/",
		"batch.kubernetes.io/job-tracking",
		"batch.kubernetes.io/cronjob-scheduled-timestamp",
		"endpoints.kubernetes.io/last-change-trigger-time",
		"cni.projectcalico.org/",
		"k8s.v1.cni.cncf.io/network-status",
		"k8s.ovn.org/",
		"openshift.io/internal-registry-pull-secret-ref",
	};

	for (size_t i = 0; i < O2_COUNT(members); i++)
		o2_doc_remove(doc, members[i]);
	drop_prefixed(doc, "/metadata/annotations", annotations, O2_COUNT(annotations));
	strip_own(doc, "/metadata/annotations");
	strip_own(doc, "/metadata/labels");
}

static struct o2_doc *drop_time(void *arg, const char *pointer, struct o2_doc *parent,
				struct o2_doc *value)
{
	(void)arg;
	(void)pointer;
	(void)parent;
	o2_doc_unset(value, "creationTimestamp");
	o2_doc_unset(value, "uid");
	return NULL;
}

void o2_app_strip(const struct o2_app_cleaning *cleaning, const struct o2_app_rule *rule,
		  struct o2_doc *doc)
{
	/* The row's own function first: it looks into what is dropped here. */
	if (rule->clean)
		rule->clean(cleaning, doc);
	strip_finalizers(cleaning, doc);
	strip_tracking(cleaning, doc);
	strip_metadata(doc);
	if (rule->pod && *rule->pod) {
		o2_app_walk(doc, "", "/spec/template/metadata", drop_time, NULL);
		o2_app_walk(doc, "", "/spec/jobTemplate/metadata", drop_time, NULL);
		o2_app_walk(doc, "", "/spec/jobTemplate/spec/template/metadata", drop_time, NULL);
	}
}

/* ---- workloads -------------------------------------------------------------------------------------------------------- */

static void drop_labels(struct o2_doc *labels, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		o2_doc_unset(labels, names[i]);
}

/* The selector that the server makes from the Job's uid; one that a user wrote stays. */
void o2_app_clean_job(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	static const char *const made[] = { "controller-uid", "batch.kubernetes.io/controller-uid",
					    "job-name", "batch.kubernetes.io/job-name" };
	static const char *const places[] = { "/metadata/labels",
					      "/spec/template/metadata/labels" };

	if (o2_doc_int(doc, "/status/active", 0) > 0)
		o2_app_note_item(cleaning->app, cleaning->item,
				 "let it end first if it may not run twice",
				 "is running; on B it starts over");
	if (o2_doc_bool(doc, "/spec/manualSelector", false))
		return;
	o2_doc_remove(doc, "/spec/selector");
	for (size_t i = 0; i < O2_COUNT(places); i++) {
		struct o2_doc *labels = o2_doc_at(doc, places[i]);
		drop_labels(labels, made, O2_COUNT(made));
		if (labels && o2_doc_count(labels) == 0)
			o2_doc_remove(doc, places[i]);
	}
}

void o2_app_clean_cron_job(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	if (o2_doc_count(o2_doc_at(doc, "/status/active")) > 0)
		o2_app_note_item(cleaning->app, cleaning->item, "",
				 "a run is under way; it is not carried");
}

static struct o2_doc *clean_template(void *arg, const char *pointer, struct o2_doc *parent,
				     struct o2_doc *value)
{
	(void)arg;
	(void)pointer;
	(void)parent;
	o2_doc_unset(value, "status");
	o2_doc_remove(value, "/metadata/creationTimestamp");
	if (o2_doc_count(o2_doc_member(value, "metadata")) == 0)
		o2_doc_unset(value, "metadata");
	return NULL;
}

void o2_app_clean_stateful_set(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	(void)cleaning;
	o2_app_walk(doc, "", "/spec/volumeClaimTemplates/*", clean_template, NULL);
}

static bool is_token_volume(const char *name)
{
	return starts_with(name, "kube-api-access-") || o2_app_is_made_name(name, "-token-");
}

static void drop_named(struct o2_doc *list, bool (*named)(const char *))
{
	for (size_t i = o2_doc_count(list); i-- > 0;) {
		if (named(o2_doc_member_str(o2_doc_item(list, i), "name", "")))
			o2_doc_remove_item(list, i);
	}
}

static bool is_pull_secret(const char *name)
{
	return o2_app_is_made_name(name, "-dockercfg-");
}

static struct o2_doc *drop_token_mounts(void *arg, const char *pointer, struct o2_doc *parent,
					struct o2_doc *value)
{
	(void)arg;
	(void)pointer;
	struct o2_doc *mounts = o2_doc_member(value, "volumeMounts");

	(void)parent;
	drop_named(mounts, is_token_volume);
	if (mounts && o2_doc_count(mounts) == 0)
		o2_doc_unset(value, "volumeMounts");
	return NULL;
}

/* What admission and the scheduler wrote into a pod; left in, B's admission refuses it or its node does not exist. */
void o2_app_clean_pod(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	static const char *const written[] = { "/spec/nodeName", "/spec/priority",
					       "/spec/preemptionPolicy", "/spec/overhead",
					       "/spec/ephemeralContainers" };
	static const char *const lists[] = { "/spec/volumes", "/spec/imagePullSecrets" };

	for (size_t i = 0; i < O2_COUNT(written); i++)
		o2_doc_remove(doc, written[i]);
	drop_named(o2_doc_at(doc, lists[0]), is_token_volume);
	drop_named(o2_doc_at(doc, lists[1]), is_pull_secret);
	for (size_t i = 0; i < O2_COUNT(lists); i++) {
		struct o2_doc *list = o2_doc_at(doc, lists[i]);
		if (list && o2_doc_count(list) == 0)
			o2_doc_remove(doc, lists[i]);
	}
	o2_app_walk(doc, "", "/spec/containers/*", drop_token_mounts, NULL);
	o2_app_walk(doc, "", "/spec/initContainers/*", drop_token_mounts, NULL);
	o2_app_note_item(cleaning->app, cleaning->item, "put it under a Deployment or StatefulSet",
			 "no controller makes this pod, so it can't be started closed: it is "
			 "created after the decision");
}

/* ---- storage, accounts, roles ----------------------------------------------------------------------------------------- */

/* The claim is bound anew on B; whatever ties it to a volume or a node of A goes. volumeMode stays: block stays block. */
void o2_app_clean_claim(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	static const char *const annotations[] = { "pv.kubernetes.io/", "volume.kubernetes.io/",
						   "volume.beta.kubernetes.io/" };
	static const char *const origins[] = { "/spec/dataSource", "/spec/dataSourceRef",
					       "/spec/selector",
					       "/spec/volumeAttributesClassName" };
	O2_AUTO(o2_freep)
	char *old_class =
		o2_xstrdup_null(o2_doc_member_str(o2_doc_at(doc, "/metadata/annotations"),
						  "volume.beta.kubernetes.io/storage-class", NULL));
	const char *asked = o2_doc_str(doc, "/spec/resources/requests/storage", "");
	const char *got = o2_doc_str(doc, "/status/capacity/storage", asked);
	const char *phase = o2_doc_str(doc, "/status/phase", "Bound");

	if (old_class && !o2_doc_at(doc, "/spec/storageClassName"))
		o2_app_put(doc, "/spec/storageClassName", o2_doc_str_new(old_class));
	if (strcmp(asked, got) != 0)
		o2_app_note_item(cleaning->app, cleaning->item, "", "asks for %s and has %s", asked,
				 got);
	if (strcmp(phase, "Lost") == 0)
		o2_app_note_item(cleaning->app, cleaning->item, "",
				 "has lost its volume: there are no data to carry");
	for (size_t i = 0; i < O2_COUNT(origins); i++) {
		if (o2_doc_remove(doc, origins[i]))
			o2_app_note_item(cleaning->app, cleaning->item, "",
					 "%s is left off: it leads to a volume of A", origins[i]);
	}
	o2_doc_remove(doc, "/spec/volumeName");
	drop_prefixed(doc, "/metadata/annotations", annotations, O2_COUNT(annotations));
}

static bool is_made_secret(const char *account, const char *name)
{
	size_t len = strlen(account);

	return strncmp(name, account, len) == 0 &&
	       (starts_with(name + len, "-token-") || starts_with(name + len, "-dockercfg-"));
}

void o2_app_clean_service_account(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	static const char *const lists[] = { "secrets", "imagePullSecrets" };
	const char *account = o2_doc_str(doc, "/metadata/name", "");

	(void)cleaning;
	for (size_t l = 0; l < O2_COUNT(lists); l++) {
		struct o2_doc *list = o2_doc_member(doc, lists[l]);
		for (size_t i = o2_doc_count(list); i-- > 0;) {
			if (is_made_secret(account,
					   o2_doc_member_str(o2_doc_item(list, i), "name", "")))
				o2_doc_remove_item(list, i);
		}
		if (list && o2_doc_count(list) == 0)
			o2_doc_unset(doc, lists[l]);
	}
}

/* A token that a user asked for is asked for again: B's controller fills it. */
void o2_app_clean_secret(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	static const char *const filled[] = {
		"/data/token", "/data/ca.crt", "/data/service-ca.crt", "/data/namespace",
		"/metadata/annotations/kubernetes.io~1service-account.uid"
	};

	if (strcmp(o2_doc_str(doc, "/type", ""), "kubernetes.io/service-account-token") != 0)
		return;
	for (size_t i = 0; i < O2_COUNT(filled); i++)
		o2_doc_remove(doc, filled[i]);
	if (o2_doc_count(o2_doc_member(doc, "data")) == 0)
		o2_doc_unset(doc, "data");
	o2_app_note_item(cleaning->app, cleaning->item,
			 "tell those who hold the old token the new one",
			 "is a token of A; B makes another one");
}

void o2_app_clean_cluster_role(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	if (o2_doc_at(doc, "/aggregationRule"))
		o2_app_note_item(
			cleaning->app, cleaning->item, "",
			"collects its rules from other roles by label; those are not carried");
}

/* ---- network ---------------------------------------------------------------------------------------------------------- */

void o2_app_clean_endpoints(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	(void)doc;
	o2_app_note_item(cleaning->app, cleaning->item, "",
			 "names fixed addresses; they must be reachable from B");
}

/* A host name that A's router chose lies in A's domain. */
void o2_app_clean_route(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	const char *generated = o2_doc_member_str(o2_doc_at(doc, "/metadata/annotations"),
						  "openshift.io/host.generated", "");

	if (strcmp(generated, "true") != 0)
		return;
	o2_doc_remove(doc, "/spec/host");
	o2_doc_prune(doc, "/metadata/annotations/openshift.io~1host.generated");
	o2_app_note_item(cleaning->app, cleaning->item, "",
			 "its host name was made by A; B makes another one");
}
