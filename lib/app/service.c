/*
 * Services: which of the numbers in one did a user choose? Those go along; the others the server of A allocated, and on B
 * they may be taken or out of range.
 *
 * Source  Velero's service_action.go: the last-applied annotation knows, else the managed fields do.
 */
#include "app/app_internal.h"

#include <string.h>

/* What tells about the user's choice; both may be NULL. */
struct told {
	struct o2_doc *applied;
	const struct o2_doc *managed; /* metadata.managedFields */
};

static bool applied_port(const struct o2_doc *applied, const struct o2_doc *port)
{
	const struct o2_doc *ports = o2_doc_at(applied, "/spec/ports");
	const char *name = o2_doc_member_str(port, "name", "");

	for (size_t i = 0; i < o2_doc_count(ports); i++) {
		const struct o2_doc *other = o2_doc_item(ports, i);
		if (o2_doc_int(other, "/nodePort", 0) == 0)
			continue;
		const char *other_name = o2_doc_member_str(other, "name", "");
		if (*name ? strcmp(name, other_name) == 0
			  : o2_doc_int(other, "/port", 0) == o2_doc_int(port, "/port", -1))
			return true;
	}
	return false;
}

/* Does some manager own this field? `pointer` leads into fieldsV1. */
static bool is_managed(const struct o2_doc *managed, const char *pointer)
{
	for (size_t i = 0; i < o2_doc_count(managed); i++) {
		const struct o2_doc *entry = o2_doc_item(managed, i);
		if (*o2_doc_str(entry, "/subresource", "") == '\0' &&
		    o2_doc_at(o2_doc_member(entry, "fieldsV1"), pointer))
			return true;
	}
	return false;
}

static bool managed_port(const struct o2_doc *managed, const struct o2_doc *port)
{
	struct o2_buf pointer;
	O2_AUTO(o2_freep)
	char *key = o2_xasprintf("k:{\"port\":%lld,\"protocol\":\"%s\"}",
				 (long long)o2_doc_int(port, "/port", 0),
				 o2_doc_member_str(port, "protocol", "TCP"));

	o2_buf_init(&pointer, 512);
	o2_buf_adds(&pointer, "/f:spec/f:ports");
	o2_doc_pointer_add(&pointer, key);
	o2_buf_adds(&pointer, "/f:nodePort");
	bool found = is_managed(managed, pointer.data);
	o2_buf_release(&pointer);
	return found;
}

static bool chose_port(const struct told *told, const struct o2_doc *port)
{
	return told->applied ? applied_port(told->applied, port)
			     : managed_port(told->managed, port);
}

static bool chose(const struct told *told, const char *member)
{
	O2_AUTO(o2_freep)
	char *pointer = o2_xasprintf(told->applied ? "/spec/%s" : "/f:spec/f:%s", member);

	return told->applied ? o2_doc_at(told->applied, pointer) != NULL
			     : is_managed(told->managed, pointer);
}

static void clean_ports(const struct told *told, struct o2_doc *spec)
{
	struct o2_doc *ports = o2_doc_member(spec, "ports");

	for (size_t i = 0; i < o2_doc_count(ports); i++) {
		struct o2_doc *port = o2_doc_item(ports, i);
		if (o2_doc_int(port, "/nodePort", 0) != 0 && !chose_port(told, port))
			o2_doc_unset(port, "nodePort");
	}
	if (o2_doc_member(spec, "healthCheckNodePort") && !chose(told, "healthCheckNodePort"))
		o2_doc_unset(spec, "healthCheckNodePort");
}

/* B may have other address families; what A chose by default B chooses by default. */
static void clean_families(const struct told *told, struct o2_doc *spec)
{
	if (!chose(told, "ipFamilies"))
		o2_doc_unset(spec, "ipFamilies");
	if (strcmp(o2_doc_member_str(spec, "ipFamilyPolicy", ""), "SingleStack") == 0 &&
	    !chose(told, "ipFamilyPolicy"))
		o2_doc_unset(spec, "ipFamilyPolicy");
}

void o2_app_clean_service(const struct o2_app_cleaning *cleaning, struct o2_doc *doc)
{
	struct o2_doc *spec = o2_doc_member(doc, "spec");
	struct told told = { .managed = o2_doc_at(doc, "/metadata/managedFields") };
	const char *applied =
		o2_doc_member_str(o2_doc_at(doc, "/metadata/annotations"),
				  "kubectl.kubernetes.io/last-applied-configuration", NULL);
	const char *type = o2_doc_member_str(spec, "type", "ClusterIP");

	if (strcmp(type, "ExternalName") == 0)
		return;
	if (applied) {
		struct o2_err ignored = { 0 };
		told.applied = o2_doc_parse(applied, strlen(applied), &ignored);
	}
	if (strcmp(o2_doc_member_str(spec, "clusterIP", ""), "None") != 0) {
		o2_doc_unset(spec, "clusterIP");
		o2_doc_unset(spec, "clusterIPs");
	}
	clean_ports(&told, spec);
	clean_families(&told, spec);
	if (strcmp(type, "LoadBalancer") == 0) {
		if (o2_doc_member(spec, "externalIPs") && !chose(&told, "externalIPs"))
			o2_doc_unset(spec, "externalIPs");
		const char *address = o2_doc_member_str(spec, "loadBalancerIP", NULL);
		if (address)
			o2_app_note_item(cleaning->app, cleaning->item, "",
					 "asks for the address %s; B must be able to give it",
					 address);
	}
	o2_doc_free(told.applied);
}
