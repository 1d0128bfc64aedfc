/*
 * The texts of an object that may name hosts: found by the table's patterns, decoded where they are a Secret's.
 */
#include "app/app_internal.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"

/* Longer values are files, not configuration. */
#define SECRET_TEXT_MAX_BYTES 65536

struct visit {
	o2_app_text_fn *fn;
	void *arg;
	bool whole, encoded;
};

static bool is_text(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\t')
			return false;
		if (bytes[i] >= 0x7f)
			return false;
	}
	return len > 0;
}

/* Forget a value that nobody may see. */
static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static struct o2_doc *visit_encoded(const struct visit *v, const char *pointer, const char *base64)
{
	struct o2_err ignored = { 0 };
	unsigned char *bytes = NULL;
	size_t len = 0;
	struct o2_doc *fresh = NULL;

	if (strlen(base64) > SECRET_TEXT_MAX_BYTES ||
	    o2_base64_decode(base64, &bytes, &len, &ignored) < 0)
		return NULL;
	if (is_text(bytes, len))
		fresh = v->fn(v->arg, pointer, (const char *)bytes, v->whole);
	wipe((char *)bytes);
	if (!fresh)
		return NULL;
	const char *text = o2_doc_text(fresh);
	O2_AUTO(o2_freep) char *again = o2_base64_encode(text, strlen(text));
	o2_doc_free(fresh);
	return o2_doc_str_new(again);
}

static struct o2_doc *visit_text(void *arg, const char *pointer, struct o2_doc *parent,
				 struct o2_doc *value)
{
	const struct visit *v = arg;
	const char *text = o2_doc_text(value);
	size_t len = strlen(pointer);

	(void)parent;
	if (!text)
		return NULL;
	if (len > 10 && strcmp(pointer + len - 10, "/command/0") == 0)
		return NULL; /* a program, not a host */
	return v->encoded ? visit_encoded(v, pointer, text)
			  : v->fn(v->arg, pointer, text, v->whole);
}

static void visit_all(const struct o2_app_text *texts, bool encoded, struct o2_doc *root,
		      const char *base, o2_app_text_fn *fn, void *arg)
{
	for (; texts && texts->path; texts++) {
		struct visit v = {
			.fn = fn, .arg = arg, .whole = texts->whole, .encoded = encoded
		};
		o2_app_walk(root, base, texts->path, visit_text, &v);
	}
}

/* Certificates, registry credentials and Helm's own records hold no hosts of Services that could be told from the rest. */
static bool is_opaque(const struct o2_doc *doc)
{
	static const char *const others[] = { "kubernetes.io/tls",
					      "kubernetes.io/dockercfg",
					      "kubernetes.io/dockerconfigjson",
					      "kubernetes.io/service-account-token",
					      "kubernetes.io/ssh-auth",
					      "helm.sh/release.v1" };
	const char *type = o2_doc_member_str(doc, "type", "Opaque");

	for (size_t i = 0; i < O2_COUNT(others); i++) {
		if (strcmp(type, others[i]) == 0)
			return false;
	}
	return true;
}

void o2_app_texts_visit(const struct o2_app_rule *rule, struct o2_doc *doc, o2_app_text_fn *fn,
			void *arg)
{
	bool encoded = rule->flags & O2_APP_ENCODED;

	if (!encoded || is_opaque(doc))
		visit_all(rule->texts, encoded, doc, "", fn, arg);
	if (rule->pod)
		visit_all(o2_app_pod_rule.texts, false, o2_doc_at(doc, rule->pod), rule->pod, fn,
			  arg);
}
