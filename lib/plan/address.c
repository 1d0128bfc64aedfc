/* Where clients reach an object from outside its namespace: the address of a way in. */
#include "plan/plan_internal.h"

static char *service_address(const struct o2_doc *service)
{
	const char *type = o2_doc_str(service, "/spec/type", "ClusterIP");
	const struct o2_doc *ingress = o2_doc_at(service, "/status/loadBalancer/ingress/0");
	const char *host =
		o2_doc_member_str(ingress, "ip", o2_doc_member_str(ingress, "hostname", NULL));
	const struct o2_doc *ports = o2_doc_at(service, "/spec/ports");
	struct o2_buf text;

	if (strcmp(type, "LoadBalancer") == 0 && host)
		return o2_xstrdup(host);
	if (strcmp(type, "LoadBalancer") != 0 && strcmp(type, "NodePort") != 0)
		return NULL;
	o2_buf_init(&text, 4096);
	for (size_t i = 0; i < o2_doc_count(ports); i++) {
		int64_t port = o2_doc_int(o2_doc_item(ports, i), "/nodePort", 0);

		if (port > 0)
			o2_buf_addf(&text, "%snode port %lld", text.len > 0 ? ", " : "",
				    (long long)port);
	}
	char *address = o2_buf_steal(&text);
	o2_buf_release(&text);
	return address;
}

static char *ingress_address(const struct o2_doc *object)
{
	const struct o2_doc *rules = o2_doc_at(object, "/spec/rules");
	const struct o2_doc *ingress = o2_doc_at(object, "/status/loadBalancer/ingress/0");
	const char *at =
		o2_doc_member_str(ingress, "ip", o2_doc_member_str(ingress, "hostname", NULL));
	struct o2_buf text;

	o2_buf_init(&text, 65536);
	for (size_t i = 0; i < o2_doc_count(rules); i++) {
		const char *host = o2_doc_member_str(o2_doc_item(rules, i), "host", NULL);

		if (host)
			o2_buf_addf(&text, "%s%s", text.len > 0 ? ", " : "", host);
	}
	if (at)
		o2_buf_addf(&text, "%s%s", text.len > 0 ? " at " : "", at);
	char *address = o2_buf_steal(&text);
	o2_buf_release(&text);
	return address;
}

char *o2_plan_address(const struct o2_doc *object)
{
	const char *kind = o2_doc_str(object, "/kind", "");

	if (strcmp(kind, "Service") == 0)
		return service_address(object);
	if (strcmp(kind, "Ingress") == 0)
		return ingress_address(object);
	return NULL;
}
