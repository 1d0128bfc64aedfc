/*
 * What is not carried, and why. A verdict without a reason is about what everybody expects: root certificates that every
 * namespace has, endpoints that B computes by itself.
 */
#include "app/app_internal.h"

#include <ctype.h>
#include <string.h>

static struct o2_app_verdict carry(void)
{
	return (struct o2_app_verdict){ 0 };
}

static struct o2_app_verdict leave(const char *reason, const char *remedy)
{
	return (struct o2_app_verdict){ .leave = true, .reason = reason, .remedy = remedy };
}

static struct o2_app_verdict leave_quietly(void)
{
	return (struct o2_app_verdict){ .leave = true };
}

static const char *name_of(const struct o2_doc *doc)
{
	return o2_doc_str(doc, "/metadata/name", "");
}

static const char *annotation(const struct o2_doc *doc, const char *name)
{
	return o2_doc_member_str(o2_doc_at(doc, "/metadata/annotations"), name, NULL);
}

static const char *label(const struct o2_doc *doc, const char *name)
{
	return o2_doc_member_str(o2_doc_at(doc, "/metadata/labels"), name, NULL);
}

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, list[i]) == 0)
			return true;
	}
	return false;
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* ---- every kind ------------------------------------------------------------------------------------------------------- */

struct o2_app_verdict o2_app_keep(const struct o2_app *app, const struct o2_app_rule *rule,
				  const struct o2_doc *doc)
{
	if (o2_doc_at(doc, "/metadata/deletionTimestamp"))
		return leave("is being deleted", "wait until it is gone, or cancel the deletion");
	if (label(doc, O2_LABEL_RECORD))
		return leave_quietly();
	if (strcmp(rule->kind, "ConfigMap") == 0 && starts_with(name_of(doc), "os2os-"))
		return leave("is called like a record of os2os", "");
	if (annotation(doc, "control-plane.alpha.kubernetes.io/leader"))
		return leave("is a lock that a program holds, not configuration", "");
	return rule->leave ? rule->leave(app, doc) : carry();
}

/* ---- configuration ---------------------------------------------------------------------------------------------------- */

struct o2_app_verdict o2_app_leave_config_map(const struct o2_app *app, const struct o2_doc *doc)
{
	static const char *const made[] = { "kube-root-ca.crt", "openshift-service-ca.crt",
					    "istio-ca-root-cert" };

	(void)app;
	return is_one_of(name_of(doc), made, O2_COUNT(made)) ? leave_quietly() : carry();
}

bool o2_app_is_made_name(const char *name, const char *infix)
{
	const char *at = strstr(name, infix);

	if (!at)
		return false;
	const char *suffix = at + strlen(infix);
	if (strlen(suffix) != 5)
		return false;
	for (; *suffix; suffix++) {
		if (!islower((unsigned char)*suffix) && !isdigit((unsigned char)*suffix))
			return false;
	}
	return true;
}

struct o2_app_verdict o2_app_leave_secret(const struct o2_app *app, const struct o2_doc *doc)
{
	const char *type = o2_doc_str(doc, "/type", "");

	(void)app;
	if (strcmp(type, "kubernetes.io/service-account-token") == 0 &&
	    o2_app_is_made_name(name_of(doc), "-token-"))
		return leave_quietly();
	if (starts_with(type, "kubernetes.io/dockercfg") &&
	    (o2_app_is_made_name(name_of(doc), "-dockercfg-") ||
	     annotation(doc, "openshift.io/token-secret.name")))
		return leave_quietly();
	if (annotation(doc, "service.beta.openshift.io/originating-service-name") ||
	    annotation(doc, "service.alpha.openshift.io/originating-service-name"))
		return leave("is a certificate that the platform makes for a Service", "");
	return carry();
}

struct o2_app_verdict o2_app_leave_quota(const struct o2_app *app, const struct o2_doc *doc)
{
	static const char *const made[] = { "gke-resource-quotas" };

	(void)app;
	return is_one_of(name_of(doc), made, O2_COUNT(made)) ? leave_quietly() : carry();
}

/* ---- accounts and roles ----------------------------------------------------------------------------------------------- */

struct o2_app_verdict o2_app_leave_service_account(const struct o2_app *app,
						   const struct o2_doc *doc)
{
	static const char *const made[] = { "default", "builder", "deployer" };
	static const char *const automatic[] = {
		"openshift.io/internal-registry-pull-secret-ref",
		"kubectl.kubernetes.io/last-applied-configuration"
	};

	(void)app;
	if (!is_one_of(name_of(doc), made, O2_COUNT(made)))
		return carry();
	const struct o2_doc *pull = o2_doc_at(doc, "/imagePullSecrets");
	for (size_t i = 0; i < o2_doc_count(pull); i++) {
		if (!o2_app_is_made_name(o2_doc_str(o2_doc_item(pull, i), "/name", ""),
					 "-dockercfg-"))
			return leave("is made by the platform; its pull secrets are not added to "
				     "the one on B",
				     "name the pull secrets in the pods, or add them to the "
				     "service account on B");
	}
	for (struct o2_doc_iter it = o2_doc_iter(o2_doc_at(doc, "/metadata/annotations"));
	     o2_doc_next(&it);) {
		if (!is_one_of(it.name, automatic, O2_COUNT(automatic)))
			return leave("is made by the platform; its annotations are not added to "
				     "the one on B",
				     "annotate the service account on B if its pods need that");
	}
	return leave_quietly();
}

struct o2_app_verdict o2_app_leave_role_binding(const struct o2_app *app, const struct o2_doc *doc)
{
	static const char *const made[] = { "system:image-pullers", "system:image-builders",
					    "system:deployers" };

	(void)app;
	return is_one_of(name_of(doc), made, O2_COUNT(made)) ? leave_quietly() : carry();
}

static bool names_namespace(const struct o2_app *app, const struct o2_doc *subject)
{
	static const char group[] = "system:serviceaccounts:", user[] = "system:serviceaccount:";
	const char *kind = o2_doc_member_str(subject, "kind", "");
	const char *name = o2_doc_member_str(subject, "name", "");

	if (strcmp(kind, "ServiceAccount") == 0)
		return o2_strs_has(&app->namespaces, o2_doc_member_str(subject, "namespace", ""));
	if (strcmp(kind, "Group") == 0 && starts_with(name, group))
		return o2_strs_has(&app->namespaces, name + strlen(group));
	if (strcmp(kind, "User") != 0 || !starts_with(name, user))
		return false;
	const char *ns = name + strlen(user);
	O2_AUTO(o2_freep) char *only = o2_xstrndup(ns, strcspn(ns, ":"));
	return o2_strs_has(&app->namespaces, only);
}

struct o2_app_verdict o2_app_leave_cluster_role_binding(const struct o2_app *app,
							const struct o2_doc *doc)
{
	const struct o2_doc *subjects = o2_doc_at(doc, "/subjects");

	if (label(doc, "kubernetes.io/bootstrapping"))
		return leave_quietly();
	for (size_t i = 0; i < o2_doc_count(subjects); i++) {
		if (names_namespace(app, o2_doc_item(subjects, i)))
			return carry();
	}
	return leave_quietly();
}

void o2_app_clean_cluster_role_binding(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	struct o2_doc *subjects = o2_doc_at(doc, "/subjects");
	size_t dropped = 0;

	for (size_t i = o2_doc_count(subjects); i-- > 0;) {
		if (names_namespace(cleaning->known, o2_doc_item(subjects, i)))
			continue;
		o2_doc_remove_item(subjects, i);
		dropped++;
	}
	if (dropped > 0)
		o2_app_note_item(cleaning->app, cleaning->item, "",
				 "names %zu subjects outside the application; they are left off",
				 dropped);
}

struct o2_app_verdict o2_app_leave_cluster_role(const struct o2_app *app, const struct o2_doc *doc)
{
	(void)app;
	return label(doc, "kubernetes.io/bootstrapping") || starts_with(name_of(doc), "system:")
		       ? leave_quietly()
		       : carry();
}

struct o2_app_verdict o2_app_leave_priority_class(const struct o2_app *app,
						  const struct o2_doc *doc)
{
	(void)app;
	return starts_with(name_of(doc), "system-") ? leave_quietly() : carry();
}

/* ---- network ---------------------------------------------------------------------------------------------------------- */

static bool is_api_server(const struct o2_doc *doc)
{
	return strcmp(name_of(doc), "kubernetes") == 0 &&
	       strcmp(o2_doc_str(doc, "/metadata/namespace", ""), "default") == 0;
}

struct o2_app_verdict o2_app_leave_service(const struct o2_app *app, const struct o2_doc *doc)
{
	(void)app;
	return is_api_server(doc) ? leave_quietly() : carry();
}

/* Endpoints follow from a Service's selector; only those of a Service without one were written by hand. */
struct o2_app_verdict o2_app_leave_endpoints(const struct o2_app *app, const struct o2_doc *doc)
{
	size_t service = o2_app_find(app, "", "Service",
				     o2_doc_str(doc, "/metadata/namespace", NULL), name_of(doc));

	if (service == O2_APP_NO_ITEM || app->items[service].selects)
		return leave_quietly();
	return carry();
}

struct o2_app_verdict o2_app_leave_endpoint_slice(const struct o2_app *app,
						  const struct o2_doc *doc)
{
	const char *manager = label(doc, "endpointslice.kubernetes.io/managed-by");
	const char *service_name = label(doc, "kubernetes.io/service-name");

	if (is_api_server(doc) || !service_name)
		return leave_quietly();
	if (manager && starts_with(manager, "endpointslice"))
		return leave_quietly();
	size_t service = o2_app_find(app, "", "Service",
				     o2_doc_str(doc, "/metadata/namespace", NULL), service_name);
	if (service == O2_APP_NO_ITEM || app->items[service].selects)
		return leave_quietly();
	return carry();
}

struct o2_app_verdict o2_app_leave_api_service(const struct o2_app *app, const struct o2_doc *doc)
{
	if (label(doc, "kube-aggregator.kubernetes.io/automanaged"))
		return leave_quietly();
	return o2_strs_has(&app->namespaces, o2_doc_str(doc, "/spec/service/namespace", ""))
		       ? carry()
		       : leave_quietly();
}

/* ---- workloads -------------------------------------------------------------------------------------------------------- */

struct o2_app_verdict o2_app_leave_job(const struct o2_app *app, const struct o2_doc *doc)
{
	const struct o2_doc *conditions = o2_doc_at(doc, "/status/conditions");

	(void)app;
	if (o2_doc_at(doc, "/status/completionTime"))
		return leave("is complete and would run again", "");
	for (size_t i = 0; i < o2_doc_count(conditions); i++) {
		const struct o2_doc *condition = o2_doc_item(conditions, i);
		if (strcmp(o2_doc_member_str(condition, "type", ""), "Failed") == 0 &&
		    strcmp(o2_doc_member_str(condition, "status", ""), "True") == 0)
			return leave("has failed and would run again", "");
	}
	return carry();
}

struct o2_app_verdict o2_app_leave_pod(const struct o2_app *app, const struct o2_doc *doc)
{
	const char *phase = o2_doc_str(doc, "/status/phase", "");

	(void)app;
	if (annotation(doc, "kubernetes.io/config.mirror"))
		return leave("belongs to its node", "");
	if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
		return leave("has ended and would run again", "");
	return carry();
}

struct o2_app_verdict o2_app_leave_operator(const struct o2_app *app, const struct o2_doc *doc)
{
	(void)app;
	(void)doc;
	return leave("belongs to the operator lifecycle manager of A",
		     "install the operator on B first");
}

struct o2_app_verdict o2_app_leave_snapshot(const struct o2_app *app, const struct o2_doc *doc)
{
	(void)app;
	(void)doc;
	return leave("stands for data in A's storage", "");
}

struct o2_app_verdict o2_app_leave_built(const struct o2_app *app, const struct o2_doc *doc)
{
	(void)app;
	(void)doc;
	return leave("is a result of a build on A", "");
}
