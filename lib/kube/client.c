/* Opening a server, and what is known about it as a whole. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "kube/kube_internal.h"

#define PATH_MAX_BYTES 65536

static struct o2_http_host *make_host(struct o2_http *http, const struct o2_kube_config *config,
				      struct o2_err *err)
{
	struct o2_http_settings settings = {
		.url = config->server,
		.ca_pem = config->ca_pem,
		.cert_pem = config->cert_pem,
		.key_pem = config->key_pem,
		.server_name = config->tls_server_name,
		.proxy_url = config->proxy_url,
		.insecure = config->insecure,
		.disable_compression = config->disable_compression,
	};

	return o2_http_host_new(http, &settings, err);
}

/* What everything else relies on. */
static int check_core(const struct o2_kube *kube, struct o2_err *err)
{
	if (o2_kube_kind_find(kube, "", "ConfigMap") && o2_kube_kind_find(kube, "", "Namespace"))
		return 0;
	return o2_fail(
		err, O2_EINVALID,
		"cannot use %s: %s has no ConfigMaps or Namespaces: is it a Kubernetes API server?",
		kube->name, kube->config->server);
}

struct o2_kube *o2_kube_open(struct o2_http *http, const struct o2_kube_config *config,
			     const char *name, struct o2_err *err)
{
	O2_AUTO(o2_kube_freep) struct o2_kube *kube = o2_xcalloc(1, sizeof(*kube));

	kube->http = http;
	kube->name = o2_xstrdup(name);
	kube->config = o2_kube_config_copy(config);
	kube->credential = o2_kube_credential_new(kube->config, name);
	kube->host = make_host(http, config, err);
	if (kube->host == NULL) {
		if (err)
			(void)!o2_prefix(err, "cannot connect to %s", name);
		return NULL;
	}
	if (o2_kube_discover(kube, err) < 0 || check_core(kube, err) < 0)
		return NULL;
	return O2_STEAL(kube);
}

/* The host stays with its loop: other users of the loop may still wait in it. */
void o2_kube_free(struct o2_kube *kube)
{
	if (kube == NULL)
		return;
	assert(kube->open_count == 0);
	o2_kube_discovery_release(kube);
	o2_kube_credential_free(kube->credential);
	o2_kube_config_free(kube->config);
	free(kube->version);
	free(kube->name);
	free(kube);
}

const char *o2_kube_name(const struct o2_kube *kube)
{
	return kube->name;
}

void o2_kube_set_patience(struct o2_kube *kube, int patience_ms)
{
	kube->patience_ms = patience_ms;
}

const char *o2_kube_server(const struct o2_kube *kube)
{
	return kube->config->server;
}

const char *o2_kube_default_ns(const struct o2_kube *kube)
{
	return kube->config->ns;
}

struct o2_http *o2_kube_loop(const struct o2_kube *kube)
{
	return kube->http;
}

int64_t o2_kube_request_count(const struct o2_kube *kube)
{
	return kube->request_count;
}

int64_t o2_kube_round_trip_us(const struct o2_kube *kube)
{
	if (kube->alone_count > 0)
		return kube->alone_us / kube->alone_count;
	return kube->request_count > 0 ? kube->total_us / kube->request_count : 0;
}

const char *o2_kube_version(struct o2_kube *kube)
{
	struct o2_kube_request request = { .method = "GET", .repeatable = true };
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = NULL;

	if (kube->version)
		return kube->version;
	request.path = o2_xstrdup("/version");
	request.what = o2_xasprintf("cannot read the version of %s", kube->name);
	if (o2_kube_request_wait(kube, &request, false, NULL) == 0)
		doc = o2_kube_request_doc(&request, NULL);
	o2_kube_request_release(&request);
	if (doc == NULL)
		return ""; /* asked again next time */
	kube->version = o2_xstrdup(o2_doc_str(doc, "/gitVersion", ""));
	return kube->version;
}

int o2_kube_cluster_id(struct o2_kube *kube, char out[65], struct o2_err *err)
{
	struct o2_err own = { 0 };

	if (kube->cluster_id[0] == '\0') {
		const struct o2_kube_kind *kind = o2_kube_kind_find(kube, "", "Namespace");
		O2_AUTO(o2_doc_freep)
		struct o2_doc *found = o2_kube_get(kube, kind, NULL, "kube-system", &own);
		if (found) {
			snprintf(kube->cluster_id, sizeof(kube->cluster_id), "%s",
				 o2_doc_str(found, "/metadata/uid", ""));
		} else if (own.number == 403 || own.code == -O2_ENOTFOUND) {
			O2_AUTO(o2_freep)
			char *text = o2_xasprintf("%s\n%s", kube->config->server,
						  kube->config->ca_pem ? kube->config->ca_pem : "");
			o2_sha256_hex(text, strlen(text), kube->cluster_id);
		} else {
			if (err)
				*err = own;
			return own.code;
		}
	}
	memcpy(out, kube->cluster_id, sizeof(kube->cluster_id));
	return 0;
}

/* --- names and paths --- */

char *o2_kube_what(const struct o2_kube *kube, const char *verb, const struct o2_kube_kind *kind,
		   const char *ns, const char *name)
{
	if (name == NULL && ns == NULL)
		return o2_xasprintf("cannot %s %s in %s", verb, kind->resource, kube->name);
	if (name == NULL)
		return o2_xasprintf("cannot %s %s of namespace \"%s\" in %s", verb, kind->resource,
				    ns, kube->name);
	return o2_xasprintf("cannot %s %s \"%s%s%s\" in %s", verb, kind->kind, ns ? ns : "",
			    ns ? "/" : "", name, kube->name);
}

/* Percent-encoding does not touch dots, and "/../" means another path to many servers. */
static bool is_segment(const char *text)
{
	return text[0] != '\0' && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static int add_segment(struct o2_buf *path, const char *text, struct o2_err *err)
{
	if (!is_segment(text))
		return o2_fail(err, O2_EINVALID, "'%s' can't be the name of anything in a cluster",
			       text);
	o2_buf_addc(path, '/');
	o2_buf_add_path(path, text);
	return 0;
}

int o2_kube_path(struct o2_buf *path, const struct o2_kube_kind *kind, const char *ns,
		 const char *name, const char *subresource, struct o2_err *err)
{
	const char *parts[4] = { kind->resource, name, subresource, NULL };
	int code = 0;

	if (path->data == NULL)
		o2_buf_init(path, PATH_MAX_BYTES);
	o2_buf_adds(path, kind->group[0] ? "/apis" : "/api");
	if (kind->group[0])
		code = add_segment(path, kind->group, err);
	if (code == 0)
		code = add_segment(path, kind->version, err);
	if (code == 0 && kind->namespaced && ns) {
		o2_buf_adds(path, "/namespaces");
		code = add_segment(path, ns, err);
	}
	for (size_t i = 0; code == 0 && parts[i]; i++)
		code = add_segment(path, parts[i], err);
	if (code == 0 && o2_buf_overflowed(path))
		return o2_fail(err, O2_ELIMIT, "the name of a %s is too long", kind->kind);
	return code;
}

void o2_kube_query(struct o2_buf *path, const char *name, const char *value)
{
	o2_buf_addc(path, strchr(path->data, '?') ? '&' : '?');
	o2_buf_add_path(path, name);
	o2_buf_addc(path, '=');
	o2_buf_add_path(path, value);
}
