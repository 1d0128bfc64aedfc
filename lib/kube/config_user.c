/* kubeconfig: who we are. */
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "kube/config_internal.h"

#define API_V1 "client.authentication.k8s.io/v1"
#define API_V1BETA1 "client.authentication.k8s.io/v1beta1"

int o2_kube_config_pem(const struct o2_doc *doc, const char *file_member, const char *what,
		       char **out_pem, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *file_pointer = o2_xasprintf("/%s", file_member);
	O2_AUTO(o2_freep) char *data_pointer = o2_xasprintf("/%s-data", file_member);
	const char *file = NULL;
	const char *data = NULL;
	size_t len = 0;

	*out_pem = NULL;
	if (o2_kube_config_text(doc, file_pointer, what, &file, err) < 0 ||
	    o2_kube_config_text(doc, data_pointer, what, &data, err) < 0)
		return err ? err->code : -O2_EINVALID;
	if (file && data)
		return o2_fail(err, O2_EINVALID,
			       "%s in the kubeconfig has both %s and %s-data: remove one", what,
			       file_member, file_member);
	if (file) {
		O2_AUTO(o2_freep) char *name = o2_xasprintf("%s of %s", file_member, what);
		return o2_kube_config_read(file, name, out_pem, err);
	}
	if (data && o2_base64_decode(data, (unsigned char **)out_pem, &len, NULL) < 0)
		return o2_fail(err, O2_EINVALID, "%s-data of %s in the kubeconfig is not base64",
			       file_member, what);
	return 0;
}

static int set_certificate(struct o2_kube_config *config, const struct o2_kube_overrides *overrides,
			   const struct o2_doc *user, struct o2_err *err)
{
	int code;

	if (overrides->client_certificate)
		code = o2_kube_config_read(overrides->client_certificate, "the client certificate",
					   &config->cert_pem, err);
	else
		code = o2_kube_config_pem(user, "client-certificate", "the user", &config->cert_pem,
					  err);
	if (code < 0)
		return code;
	if (overrides->client_key)
		code = o2_kube_config_read(overrides->client_key, "the client key",
					   &config->key_pem, err);
	else
		code = o2_kube_config_pem(user, "client-key", "the user", &config->key_pem, err);
	if (code < 0)
		return code;
	if (config->cert_pem && config->key_pem == NULL)
		return o2_fail(
			err, O2_EINVALID,
			"user '%s' in the kubeconfig has a client certificate, but no client key",
			config->user);
	if (config->key_pem &&
	    config->cert_pem == NULL) { /* client-go takes no notice of a key alone */
		free(config->key_pem);
		config->key_pem = NULL;
	}
	return 0;
}

static void set_password(struct o2_kube_config *config, const char *name, const char *password)
{
	if (name == NULL && password == NULL)
		return;
	config->username = o2_xstrdup(name ? name : "");
	config->password = o2_xstrdup(password ? password : "");
}

static int set_token(struct o2_kube_config *config, const struct o2_kube_overrides *overrides,
		     const struct o2_doc *user, struct o2_err *err)
{
	const char *token = NULL;
	const char *file = NULL;
	const char *name = NULL;
	const char *password = NULL;

	if (o2_kube_config_text(user, "/token", "the user", &token, err) < 0 ||
	    o2_kube_config_text(user, "/tokenFile", "the user", &file, err) < 0 ||
	    o2_kube_config_text(user, "/username", "the user", &name, err) < 0 ||
	    o2_kube_config_text(user, "/password", "the user", &password, err) < 0)
		return err ? err->code : -O2_EINVALID;
	if (overrides->token || overrides->token_file) {
		token = overrides->token;
		file = overrides->token_file;
	}
	bool has_token = token || file;
	if (has_token && (name || password))
		return o2_fail(err, O2_EINVALID,
			       "user '%s' in the kubeconfig has a token and a password: only one "
			       "of them can be meant",
			       config->user);
	config->token = o2_xstrdup_null(token);
	config->token_file = o2_xstrdup_null(token ? NULL : file);
	set_password(config, name, password);
	return 0;
}

/* The plug-ins that were part of kubectl once, and OpenID's token as long as it lasts. */
static int set_provider(struct o2_kube_config *config, const struct o2_doc *provider,
			struct o2_err *err)
{
	const char *name = o2_doc_str(provider, "/name", "");
	const char *token = o2_doc_str(provider, "/config/id-token", "");

	if (strcmp(name, "gcp") == 0)
		return o2_fail(err, O2_EUNSUPPORTED,
			       "user '%s': the auth-provider 'gcp' is gone from Kubernetes: use "
			       "the plug-in gke-gcloud-auth-plugin",
			       config->user);
	if (strcmp(name, "azure") == 0)
		return o2_fail(err, O2_EUNSUPPORTED,
			       "user '%s': the auth-provider 'azure' is gone from Kubernetes: use "
			       "the plug-in kubelogin",
			       config->user);
	if (strcmp(name, "oidc") != 0)
		return o2_fail(err, O2_EUNSUPPORTED, "user '%s': there is no auth-provider '%s'",
			       config->user, name);
	if (token[0] == '\0')
		return o2_fail(err, O2_EUNSUPPORTED,
			       "user '%s': auth-provider 'oidc' has no id-token: log in with "
			       "kubectl, or use an exec plug-in",
			       config->user);
	config->token = o2_xstrdup(token);
	return 0;
}

/* What the plug-in is told about the cluster. */
static char *cluster_info(const struct o2_kube_config *config, const struct o2_doc *cluster)
{
	O2_AUTO(o2_doc_freep) struct o2_doc *info = o2_doc_object_new();
	const struct o2_doc *extensions = o2_doc_at(cluster, "/extensions");

	o2_doc_set_str(info, "server", config->server);
	if (config->tls_server_name)
		o2_doc_set_str(info, "tls-server-name", config->tls_server_name);
	if (config->insecure)
		o2_doc_set(info, "insecure-skip-tls-verify", o2_doc_bool_new(true));
	if (config->ca_pem) {
		O2_AUTO(o2_freep)
		char *data = o2_base64_encode(config->ca_pem, strlen(config->ca_pem));
		o2_doc_set_str(info, "certificate-authority-data", data);
	}
	if (config->proxy_url)
		o2_doc_set_str(info, "proxy-url", config->proxy_url);
	if (config->disable_compression)
		o2_doc_set(info, "disable-compression", o2_doc_bool_new(true));
	for (size_t i = 0; i < o2_doc_count(extensions); i++) {
		const struct o2_doc *extension = o2_doc_item(extensions, i);
		if (strcmp(o2_doc_str(extension, "/name", ""),
			   "client.authentication.k8s.io/exec") == 0)
			o2_doc_set(info, "config", o2_doc_copy(o2_doc_at(extension, "/extension")));
	}
	return o2_doc_dump(info);
}

static int check_plugin(const struct o2_kube_config *config,
			const struct o2_kube_exec_plugin *plugin, struct o2_err *err)
{
	static const char *const modes[] = { "Never", "IfAvailable", "Always" };

	if (plugin->command == NULL)
		return o2_fail(err, O2_EINVALID, "user '%s': the exec plug-in names no command",
			       config->user);
	if (strcmp(plugin->api_version, API_V1) != 0 &&
	    strcmp(plugin->api_version, API_V1BETA1) != 0)
		return o2_fail(err, O2_EINVALID,
			       "user '%s': apiVersion of the exec plug-in must be %s or v1beta1, "
			       "not '%s': update the plug-in",
			       config->user, API_V1, plugin->api_version);
	if (plugin->interactive_mode == NULL)
		return o2_fail(err, O2_EINVALID,
			       "user '%s': the exec plug-in must say its interactiveMode",
			       config->user);
	for (size_t i = 0; i < O2_COUNT(modes); i++)
		if (strcmp(plugin->interactive_mode, modes[i]) == 0)
			return 0;
	return o2_fail(err, O2_EINVALID,
		       "user '%s': interactiveMode of the exec plug-in must be Never, IfAvailable "
		       "or Always",
		       config->user);
}

static int set_plugin_lists(const struct o2_kube_config *config, struct o2_kube_exec_plugin *plugin,
			    const struct o2_doc *exec, struct o2_err *err)
{
	const struct o2_doc *args = o2_doc_at(exec, "/args");
	const struct o2_doc *env = o2_doc_at(exec, "/env");

	for (size_t i = 0; i < o2_doc_count(args); i++) {
		const char *arg = o2_doc_text(o2_doc_item(args, i));
		if (arg == NULL)
			return o2_fail(
				err, O2_EINVALID,
				"user '%s': argument %zu of the exec plug-in is not a string",
				config->user, i + 1);
		o2_strs_add(&plugin->args, arg);
	}
	for (size_t i = 0; i < o2_doc_count(env); i++) {
		const char *name = o2_doc_str(o2_doc_item(env, i), "/name", "");
		const struct o2_doc *given = o2_doc_at(o2_doc_item(env, i), "/value");
		const char *value = o2_doc_type(given) == O2_DOC_NULL ? "" : o2_doc_text(given);
		if (name[0] == '\0' || value == NULL)
			return o2_fail(err, O2_EINVALID,
				       "user '%s': variable %zu of the exec plug-in needs a name "
				       "and a value that are strings",
				       config->user, i + 1);
		o2_strs_addf(&plugin->env, "%s=%s", name, value);
	}
	return 0;
}

static int set_plugin(struct o2_kube_config *config, const struct o2_doc *exec,
		      const struct o2_doc *cluster, struct o2_err *err)
{
	struct o2_kube_exec_plugin *plugin = config->exec = o2_xcalloc(1, sizeof(*plugin));
	const char *command = NULL;
	const char *mode = NULL;
	const char *hint = NULL;

	plugin->api_version = o2_xstrdup(o2_doc_str(exec, "/apiVersion", ""));
	if (o2_kube_config_text(exec, "/command", "the exec plug-in", &command, err) < 0 ||
	    o2_kube_config_text(exec, "/interactiveMode", "the exec plug-in", &mode, err) < 0 ||
	    o2_kube_config_text(exec, "/installHint", "the exec plug-in", &hint, err) < 0)
		return err ? err->code : -O2_EINVALID;
	if (mode == NULL && strcmp(plugin->api_version, API_V1BETA1) == 0)
		mode = "IfAvailable";
	plugin->command = o2_xstrdup_null(command);
	plugin->interactive_mode = o2_xstrdup_null(mode);
	plugin->install_hint = o2_xstrdup_null(hint);
	if (set_plugin_lists(config, plugin, exec, err) < 0)
		return err ? err->code : -O2_EINVALID;
	plugin->provide_cluster_info = o2_doc_bool(exec, "/provideClusterInfo", false);
	if (plugin->provide_cluster_info)
		plugin->cluster_info_json = cluster_info(config, cluster);
	return check_plugin(config, plugin, err);
}

int o2_kube_config_set_user(struct o2_kube_config *config,
			    const struct o2_kube_overrides *overrides, const struct o2_doc *user,
			    const struct o2_doc *cluster, struct o2_err *err)
{
	const struct o2_doc *exec = o2_doc_member(user, "exec");
	const struct o2_doc *provider = o2_doc_member(user, "auth-provider");
	bool has_exec = o2_doc_type(exec) == O2_DOC_OBJECT;
	bool has_provider = o2_doc_type(provider) == O2_DOC_OBJECT;

	if (has_exec && has_provider)
		return o2_fail(err, O2_EINVALID,
			       "user '%s' in the kubeconfig has exec and auth-provider: only one "
			       "of them can be meant",
			       config->user);
	if (strncmp(config->server, "https://", 8) != 0)
		return 0; /* nobody may read credentials on the way */
	if (set_certificate(config, overrides, user, err) < 0 ||
	    set_token(config, overrides, user, err) < 0)
		return err ? err->code : -O2_EINVALID;
	if (config->token || config->token_file || config->username || config->cert_pem)
		return 0;
	if (has_exec)
		return set_plugin(config, exec, cluster, err);
	return has_provider ? set_provider(config, provider, err) : 0;
}
