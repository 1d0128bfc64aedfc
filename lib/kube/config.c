/* kubeconfig: which server, from which file. The user's part stands in config_user.c. */
#include "kube/config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "kube/config_internal.h"
#include "kube/kube_internal.h"

#define ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount/"
#define FILE_MAX_BYTES ((size_t)16 << 20)

int o2_kube_config_text(const struct o2_doc *doc, const char *pointer, const char *what,
			const char **out, struct o2_err *err)
{
	const struct o2_doc *value = o2_doc_at(doc, pointer);
	const char *text = o2_doc_text(value);

	*out = text && text[0] ? text : NULL;
	if (text || o2_doc_type(value) == O2_DOC_NULL)
		return 0;
	return o2_fail(err, O2_EINVALID,
		       "'%s' of %s in the kubeconfig is not a string: put it in quotes",
		       pointer + 1, what);
}

int o2_kube_config_read(const char *path, const char *what, char **out, struct o2_err *err)
{
	struct o2_err cause = { 0 };

	if (o2_file_read(path, FILE_MAX_BYTES, out, NULL, &cause) == 0)
		return 0;
	return o2_fail(err, cause.code == -O2_EAUTH ? O2_EAUTH : O2_EINVALID, "cannot read %s: %s",
		       what, cause.message);
}

static bool is_file(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

/* --- the cluster's part --- */

/* The address of the server of the cluster that this runs in; NULL if it does not run in one. Caller frees. */
static char *in_cluster_server(void)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");

	if (host == NULL || host[0] == '\0' || port == NULL || port[0] == '\0' ||
	    !is_file(ACCOUNT_DIR "token"))
		return NULL;
	bool v6 = strchr(host, ':') != NULL;
	return o2_xasprintf("https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

static bool in_cluster_possible(void)
{
	O2_AUTO(o2_freep) char *server = in_cluster_server();

	return server != NULL;
}

static void set_in_cluster(struct o2_kube_config *config, const struct o2_kube_overrides *overrides)
{
	config->server = in_cluster_server();
	if (overrides->token)
		config->token = o2_xstrdup(overrides->token);
	else
		config->token_file = o2_xstrdup(overrides->token_file ? overrides->token_file
								      : ACCOUNT_DIR "token");
	config->user = o2_xstrdup("service account");
	config->tls_server_name = o2_xstrdup_null(overrides->tls_server_name);
	(void)!o2_file_read(ACCOUNT_DIR "ca.crt", FILE_MAX_BYTES, &config->ca_pem, NULL,
			    NULL); /* else the system's */
}

static int set_trust(struct o2_kube_config *config, const struct o2_kube_overrides *overrides,
		     const struct o2_doc *cluster, struct o2_err *err)
{
	bool replaced = overrides->insecure_skip_tls_verify || overrides->certificate_authority;

	config->insecure = replaced ? overrides->insecure_skip_tls_verify
				    : o2_doc_bool(cluster, "/insecure-skip-tls-verify", false);
	if (overrides->certificate_authority) {
		if (o2_kube_config_read(overrides->certificate_authority,
					"the certificate authority", &config->ca_pem, err) < 0)
			return err ? err->code : -O2_EINVALID;
	} else if (!replaced && o2_kube_config_pem(cluster, "certificate-authority", "the cluster",
						   &config->ca_pem, err) < 0) {
		return err ? err->code : -O2_EINVALID;
	}
	if (config->insecure && config->ca_pem)
		return o2_fail(err, O2_EINVALID,
			       "a certificate authority together with insecure-skip-tls-verify: "
			       "only one of them can be meant");
	return 0;
}

/* "host:port" alone gets a scheme as client-go gives it; query and fragment go, a path stays. */
static char *full_url(const char *server, bool tls)
{
	O2_AUTO(o2_freep)
	char *url = strstr(server, "://")
			    ? o2_xstrdup(server)
			    : o2_xasprintf("%s%s", tls ? "https://" : "http://", server);
	size_t len = strcspn(url, "?#");

	while (len > 0 && url[len - 1] == '/')
		len--;
	return o2_xstrndup(url, len);
}

static int check_proxy(const char *url, struct o2_err *err)
{
	static const char *const schemes[] = { "http://", "https://", "socks5://" };

	for (size_t i = 0; i < O2_COUNT(schemes); i++)
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
			return 0;
	return o2_fail(
		err, O2_EINVALID,
		"proxy-url in the kubeconfig must begin with http://, https:// or socks5://");
}

static int set_cluster(struct o2_kube_config *config, const struct o2_kube_overrides *overrides,
		       const struct o2_doc *cluster, struct o2_err *err)
{
	const char *server = NULL;
	const char *tls_name = NULL;
	const char *proxy = NULL;

	if (o2_kube_config_text(cluster, "/server", "the cluster", &server, err) < 0 ||
	    o2_kube_config_text(cluster, "/tls-server-name", "the cluster", &tls_name, err) < 0 ||
	    o2_kube_config_text(cluster, "/proxy-url", "the cluster", &proxy, err) < 0 ||
	    set_trust(config, overrides, cluster, err) < 0)
		return err ? err->code : -O2_EINVALID;
	if (overrides->server) {
		server = overrides->server;
		tls_name = NULL; /* it belonged to the other server */
	}
	if (overrides->tls_server_name)
		tls_name = overrides->tls_server_name;
	if (overrides->proxy_url)
		proxy = overrides->proxy_url;
	if (proxy && check_proxy(proxy, err) < 0)
		return err ? err->code : -O2_EINVALID;
	config->server = full_url(server ? server : "", config->ca_pem || config->insecure);
	config->tls_server_name = o2_xstrdup_null(tls_name);
	config->proxy_url = o2_xstrdup_null(proxy);
	config->disable_compression = o2_doc_bool(cluster, "/disable-compression", false);
	return 0;
}

/* --- names --- */

/* What was chosen: members of the merged files, NULL where nothing is named. */
struct choice {
	const char *context_name;
	const struct o2_doc *context, *cluster, *user;
};

static int not_found(const struct o2_kube_merged *merged, const char *what, const char *name,
		     const struct o2_doc *among, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *names = o2_kube_merged_names(among);

	return o2_fail(err, O2_ENOTFOUND, "%s '%s' does not exist in %s; there are: %s", what, name,
		       merged->files, names);
}

static int choose_member(const struct o2_kube_merged *merged, const char *given, const char *member,
			 const struct choice *choice, const struct o2_doc *among,
			 const struct o2_doc **out, struct o2_err *err)
{
	const char *name = given;
	O2_AUTO(o2_freep) char *pointer = o2_xasprintf("/%s", member);

	if (name == NULL &&
	    o2_kube_config_text(choice->context, pointer, "the context", &name, err) < 0)
		return err ? err->code : -O2_EINVALID;
	*out = name ? o2_doc_member(among, name) : NULL;
	if (name == NULL || *out)
		return 0;
	return not_found(merged, member, name, among, err);
}

static int choose(const struct o2_kube_merged *merged, const struct o2_kube_overrides *overrides,
		  const char *context, struct choice *choice, struct o2_err *err)
{
	const char *name = context ? context : merged->current;

	*choice = (struct choice){ .context_name = name };
	if (name[0]) {
		choice->context = o2_doc_member(merged->contexts, name);
		if (choice->context == NULL)
			return not_found(merged, "context", name, merged->contexts, err);
	}
	if (choose_member(merged, overrides->cluster, "cluster", choice, merged->clusters,
			  &choice->cluster, err) < 0 ||
	    choose_member(merged, overrides->user, "user", choice, merged->users, &choice->user,
			  err) < 0)
		return err ? err->code : -O2_ENOTFOUND;
	return 0;
}

/* -n, the context's, the pod's own, "default". */
static int set_namespace(struct o2_kube_config *config, const struct o2_kube_overrides *overrides,
			 const struct o2_doc *context, struct o2_err *err)
{
	const char *ns = overrides->ns;
	O2_AUTO(o2_freep) char *mounted = NULL;

	if (ns == NULL && o2_kube_config_text(context, "/namespace", "the context", &ns, err) < 0)
		return err ? err->code : -O2_EINVALID;
	config->ns_given = ns != NULL;
	if (ns == NULL && in_cluster_possible()) {
		ns = getenv("POD_NAMESPACE");
		if ((ns == NULL || ns[0] == '\0') &&
		    o2_file_read(ACCOUNT_DIR "namespace", 4096, &mounted, NULL, NULL) == 0) {
			mounted[strcspn(mounted, " \r\n\t")] = '\0';
			ns = mounted;
		}
	}
	config->ns = o2_xstrdup(ns && ns[0] ? ns : "default");
	return 0;
}

static const char *text_or_empty(const struct o2_doc *value)
{
	const char *text = o2_doc_text(value);

	return text ? text : "";
}

static void add_groups(struct o2_kube_config *config, const struct o2_kube_overrides *overrides,
		       const struct o2_doc *groups)
{
	const struct o2_strs *given = overrides->as_groups;

	for (size_t i = 0; given && i < given->count; i++)
		o2_strs_add(&config->as_groups, given->items[i]);
	if (given && given->count > 0)
		return;
	for (size_t i = 0; i < o2_doc_count(groups); i++)
		o2_strs_add(&config->as_groups, text_or_empty(o2_doc_item(groups, i)));
}

static void add_extra(struct o2_kube_config *config, const struct o2_doc *extra)
{
	for (struct o2_doc_iter it = o2_doc_iter(extra); o2_doc_next(&it);)
		for (size_t i = 0; i < o2_doc_count(it.value); i++)
			o2_strs_addf(&config->as_extra, "%s=%s", it.name,
				     text_or_empty(o2_doc_item(it.value, i)));
}

static int set_impersonation(struct o2_kube_config *config,
			     const struct o2_kube_overrides *overrides, const struct o2_doc *user,
			     struct o2_err *err)
{
	const char *as = NULL;
	const char *uid = NULL;

	if (o2_kube_config_text(user, "/as", "the user", &as, err) < 0 ||
	    o2_kube_config_text(user, "/as-uid", "the user", &uid, err) < 0)
		return err ? err->code : -O2_EINVALID;
	config->as = o2_xstrdup_null(overrides->as ? overrides->as : as);
	config->as_uid = o2_xstrdup_null(overrides->as_uid ? overrides->as_uid : uid);
	add_groups(config, overrides, o2_doc_at(user, "/as-groups"));
	add_extra(config, o2_doc_at(user, "/as-user-extra"));
	if (config->as == NULL &&
	    (config->as_uid || config->as_groups.count > 0 || config->as_extra.count > 0))
		return o2_fail(err, O2_EINVALID,
			       "to act with another uid or group, say as whom (--as, or 'as' in "
			       "the kubeconfig)");
	return 0;
}

/* --- the whole --- */

static int no_server(const struct o2_kube_merged *merged, const struct choice *choice,
		     struct o2_err *err)
{
	O2_AUTO(o2_freep) char *names = o2_kube_merged_names(merged->contexts);

	if (merged->found == 0)
		return o2_fail(
			err, O2_ENOTFOUND,
			"no kubeconfig: %s is not there; set KUBECONFIG or give --kubeconfig",
			merged->files);
	if (choice->context_name[0] == '\0')
		return o2_fail(err, O2_ENOTFOUND, "no context is chosen in %s; there are: %s",
			       merged->files, names);
	return o2_fail(err, O2_EINVALID, "context '%s' in %s names no cluster that has a server",
		       choice->context_name, merged->files);
}

static int resolve(struct o2_kube_config *config, const struct o2_kube_merged *merged,
		   const struct o2_kube_overrides *overrides, const char *context,
		   struct o2_err *err)
{
	struct choice choice;

	if (choose(merged, overrides, context, &choice, err) < 0)
		return err ? err->code : -O2_ENOTFOUND;
	bool empty =
		overrides->server == NULL && o2_doc_str(choice.cluster, "/server", "")[0] == '\0';
	config->context = o2_xstrdup(choice.context_name);
	config->request_timeout_ms = overrides->request_timeout_ms;
	if (set_namespace(config, overrides, choice.context, err) < 0 ||
	    set_impersonation(config, overrides, choice.user, err) < 0)
		return err ? err->code : -O2_EINVALID;
	if (empty && choice.context == NULL && in_cluster_possible()) {
		set_in_cluster(config, overrides);
		return 0;
	}
	if (empty)
		return no_server(merged, &choice, err);
	if (set_cluster(config, overrides, choice.cluster, err) < 0)
		return err ? err->code : -O2_EINVALID;
	config->user = o2_xstrdup(overrides->user ? overrides->user
						  : o2_doc_str(choice.context, "/user", ""));
	return o2_kube_config_set_user(config, overrides, choice.user, choice.cluster, err);
}

/* "file:name", at the first colon where a file ends: names of contexts may hold colons, too. */
static const char *split_context(const char *context, char **out_file)
{
	for (const char *colon = strchr(context, ':'); colon; colon = strchr(colon + 1, ':')) {
		char *file = o2_xstrndup(context, (size_t)(colon - context));
		if (colon[1] && is_file(file)) {
			*out_file = file;
			return colon + 1;
		}
		free(file);
	}
	return context;
}

struct o2_kube_config *o2_kube_config_load(const struct o2_kube_overrides *overrides,
					   struct o2_err *err)
{
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *config = o2_xcalloc(1, sizeof(*config));
	O2_AUTO(o2_freep) char *file = NULL;
	struct o2_kube_merged merged;
	const char *context = overrides->context;
	int code;

	o2_kube_merged_init(&merged);
	code = o2_kube_merged_load(&merged, overrides->kubeconfig, err);
	if (code == 0 && context && o2_doc_member(merged.contexts, context) == NULL) {
		context = split_context(context, &file);
		if (file) {
			o2_kube_merged_release(&merged);
			o2_kube_merged_init(&merged);
			code = o2_kube_merged_load(&merged, file, err);
		}
	}
	if (code == 0)
		code = resolve(config, &merged, overrides, context, err);
	o2_kube_merged_release(&merged);
	return code == 0 ? O2_STEAL(config) : NULL;
}

int o2_kube_config_contexts(const char *kubeconfig, struct o2_strs *out, struct o2_err *err)
{
	struct o2_kube_merged merged;

	o2_kube_merged_init(&merged);
	int code = o2_kube_merged_load(&merged, kubeconfig, err);
	for (struct o2_doc_iter it = o2_doc_iter(merged.contexts); o2_doc_next(&it);)
		o2_strs_add(out, it.name);
	o2_strs_sort(out);
	o2_kube_merged_release(&merged);
	return code;
}

static void free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void o2_kube_config_free(struct o2_kube_config *config)
{
	if (config == NULL)
		return;
	if (config->exec) {
		free(config->exec->api_version);
		free(config->exec->command);
		o2_strs_release(&config->exec->args);
		o2_strs_release(&config->exec->env);
		free(config->exec->interactive_mode);
		free(config->exec->install_hint);
		free(config->exec->cluster_info_json);
		free(config->exec);
	}
	free(config->context);
	free(config->user);
	free(config->server);
	free(config->tls_server_name);
	free(config->ca_pem);
	free(config->cert_pem);
	free_secret(config->key_pem);
	free_secret(config->token);
	free(config->token_file);
	free(config->username);
	free_secret(config->password);
	free(config->proxy_url);
	free(config->ns);
	free(config->as);
	free(config->as_uid);
	o2_strs_release(&config->as_groups);
	o2_strs_release(&config->as_extra);
	free(config);
}

static void copy_strs(struct o2_strs *to, const struct o2_strs *from)
{
	*to = (struct o2_strs){ 0 };
	for (size_t i = 0; i < from->count; i++)
		o2_strs_add(to, from->items[i]);
}

struct o2_kube_config *o2_kube_config_copy(const struct o2_kube_config *config)
{
	struct o2_kube_config *copy = o2_xmalloc(sizeof(*copy));

	*copy = *config;
	copy->context = o2_xstrdup(config->context ? config->context : "");
	copy->user = o2_xstrdup(config->user ? config->user : "");
	copy->server = o2_xstrdup(config->server);
	copy->tls_server_name = o2_xstrdup_null(config->tls_server_name);
	copy->ca_pem = o2_xstrdup_null(config->ca_pem);
	copy->cert_pem = o2_xstrdup_null(config->cert_pem);
	copy->key_pem = o2_xstrdup_null(config->key_pem);
	copy->token = o2_xstrdup_null(config->token);
	copy->token_file = o2_xstrdup_null(config->token_file);
	copy->username = o2_xstrdup_null(config->username);
	copy->password = o2_xstrdup_null(config->password);
	copy->proxy_url = o2_xstrdup_null(config->proxy_url);
	copy->ns = o2_xstrdup(config->ns ? config->ns : "default");
	copy->as = o2_xstrdup_null(config->as);
	copy->as_uid = o2_xstrdup_null(config->as_uid);
	copy_strs(&copy->as_groups, &config->as_groups);
	copy_strs(&copy->as_extra, &config->as_extra);
	if (config->exec) {
		copy->exec = o2_xmalloc(sizeof(*copy->exec));
		*copy->exec = *config->exec;
		copy->exec->api_version = o2_xstrdup_null(config->exec->api_version);
		copy->exec->command = o2_xstrdup_null(config->exec->command);
		copy_strs(&copy->exec->args, &config->exec->args);
		copy_strs(&copy->exec->env, &config->exec->env);
		copy->exec->interactive_mode = o2_xstrdup_null(config->exec->interactive_mode);
		copy->exec->install_hint = o2_xstrdup_null(config->exec->install_hint);
		copy->exec->cluster_info_json = o2_xstrdup_null(config->exec->cluster_info_json);
	}
	return copy;
}
