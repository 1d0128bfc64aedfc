/*
 * Disarming: the object is there, and nothing happens.
 *
 * What is changed here is undone by the merge patch from the inert to the full form, so whole members are set or removed, never
 * elements of a list (a Service's ports are replaced as a whole: nobody else writes them).
 */
#include "app/app_internal.h"

#include <string.h>

void o2_app_disarm_replicas(struct o2_doc *doc)
{
	o2_app_put(doc, "/spec/replicas", o2_doc_int_new(0));
}

void o2_app_disarm_daemon_set(struct o2_doc *doc)
{
	o2_app_put(doc, "/spec/template/spec/nodeSelector/os2os.io~1not-started",
		   o2_doc_str_new("true"));
}

void o2_app_disarm_suspend(struct o2_doc *doc)
{
	o2_app_put(doc, "/spec/suspend", o2_doc_bool_new(true));
}

/* Others act on these when they see them: names and certificates would be moved before the decision. */
static bool tells_the_world(const char *annotation)
{
	static const char *const prefixes[] = { "external-dns.alpha.kubernetes.io/",
						"cert-manager.io/", "kubernetes.io/tls-acme",
						"dns.gardener.cloud/", "cert.gardener.cloud/" };

	for (size_t i = 0; i < O2_COUNT(prefixes); i++) {
		if (strncmp(annotation, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return false;
}

static void withhold_annotations(struct o2_doc *doc)
{
	struct o2_doc *annotations = o2_doc_at(doc, "/metadata/annotations");

	for (struct o2_doc_iter it = o2_doc_iter(annotations); o2_doc_next(&it);) {
		if (tells_the_world(it.name))
			o2_doc_unset(annotations, it.name);
	}
	if (annotations && o2_doc_count(annotations) == 0)
		o2_doc_prune(doc, "/metadata/annotations");
}

/* Only ClusterIP is closed: a load balancer, a node port or an external address lets clients in. */
void o2_app_disarm_service(struct o2_doc *doc)
{
	static const char *const ways_in[] = {
		"externalIPs",
		"externalTrafficPolicy",
		"healthCheckNodePort",
		"allocateLoadBalancerNodePorts",
		"loadBalancerIP",
		"loadBalancerClass",
		"loadBalancerSourceRanges",
	};
	struct o2_doc *spec = o2_doc_member(doc, "spec");
	const char *type = o2_doc_member_str(spec, "type", "ClusterIP");

	withhold_annotations(doc);
	if (strcmp(type, "ExternalName") == 0 || o2_doc_type(spec) != O2_DOC_OBJECT)
		return;
	if (strcmp(type, "ClusterIP") != 0)
		o2_doc_set_str(spec, "type", "ClusterIP");
	for (size_t i = 0; i < O2_COUNT(ways_in); i++)
		o2_doc_unset(spec, ways_in[i]);
	struct o2_doc *ports = o2_doc_member(spec, "ports");
	for (size_t i = 0; i < o2_doc_count(ports); i++)
		o2_doc_unset(o2_doc_item(ports, i), "nodePort");
}
