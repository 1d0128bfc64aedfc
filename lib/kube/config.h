/*
 * kubeconfig: which server, as whom, in which namespace. The rules are client-go's, to the letter
 * (tools/clientcmd): files and their merging, contexts, overrides, in-cluster, credentials.
 *
 *	struct o2_kube_overrides overrides = { .context = "A" };
 *	struct o2_kube_config *config = o2_kube_config_load(&overrides, &err);
 */
#pragma once

#include <stdbool.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/strs.h"

/* What the command line says; every member may be NULL (not given). Borrowed for the call. */
struct o2_kube_overrides {
	const char *
		kubeconfig; /* one file, no merging; else $KUBECONFIG, else ~/.kube/config, else in-cluster */
	const char *context; /* "name", or "file:name" for one file of its own */
	const char *cluster;
	const char *user;
	const char *ns;
	const char *server;
	const char *token;
	const char *
		token_file; /* read again when it may have changed; goes before the kubeconfig's token, not before `token` */
	const char *tls_server_name;
	const char *certificate_authority;
	const char *client_certificate;
	const char *client_key;
	const char *proxy_url;
	bool insecure_skip_tls_verify;
	const char *as;
	const char *as_uid;
	const struct o2_strs *as_groups;
	int request_timeout_ms; /* 0: not given */
};

/* An exec credential plug-in as the kubeconfig names it. */
struct o2_kube_exec_plugin {
	char *api_version;
	char *command; /* resolved against its file if it contains '/' */
	struct o2_strs args;
	struct o2_strs env; /* NAME=value */
	char *interactive_mode;
	char *install_hint;
	bool provide_cluster_info;
	char *cluster_info_json; /* spec.cluster as JSON, NULL unless provide_cluster_info */
};

/* A resolved configuration. Files that it names are read, except the token file, which is read again when it is used. */
struct o2_kube_config {
	char *context; /* "" for in-cluster */
	char *user;    /* its name in the kubeconfig, for messages; "" if it has none */
	char *server;
	char *tls_server_name;
	char *ca_pem;
	char *cert_pem, *key_pem;
	char *token;
	char *token_file; /* read again when it is another, once a minute, and after a 401; never together with `token` */
	char *username, *password;
	char *proxy_url;
	char *ns; /* never NULL: "default" if nothing says otherwise */
	char *as, *as_uid;
	struct o2_strs as_groups;
	struct o2_strs as_extra;          /* "key=value" */
	struct o2_kube_exec_plugin *exec; /* NULL: none */
	int request_timeout_ms;           /* of one exchange, streams aside; 0: 60 s */
	bool insecure;
	bool disable_compression;
	bool ns_given; /* by -n or the context, not by default */
};

/*
 * Errors  O2_ENOTFOUND (file or context: the message lists the contexts there are); O2_EINVALID (malformed, contradicting
 *         settings); O2_EAUTH (a file that may not be read).
 */
O2_MUST_CHECK struct o2_kube_config *o2_kube_config_load(const struct o2_kube_overrides *overrides,
							 struct o2_err *err);
void o2_kube_config_free(struct o2_kube_config *config);
O2_DEFINE_FREEP(struct o2_kube_config, o2_kube_config_free)

/* Names of all contexts of the merged files, sorted. For completion and messages. */
O2_MUST_CHECK int o2_kube_config_contexts(const char *kubeconfig, struct o2_strs *out,
					  struct o2_err *err);
