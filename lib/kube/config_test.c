#include "kube/config.h"

#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "crypto/crypto.h"

#define PEM "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
#define PEM_BASE64 "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCngKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

static char dir[64];

static char *in_dir(const char *name)
{
	return o2_xasprintf("%s/%s", dir, name);
}

static void put_file(const char *name, const char *text)
{
	O2_AUTO(o2_freep) char *path = in_dir(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void expect_words(const char *text, const char *words)
{
	if (strstr(text, words) == NULL)
		fail_msg("'%s' is not in '%s'", words, text);
}

/* A kubeconfig with context c of cluster k and user u, whose members are given in flow style. */
static void put_config(const char *name, const char *cluster, const char *user)
{
	O2_AUTO(o2_freep)
	char *text = o2_xasprintf("current-context: c\n"
				  "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
				  "clusters: [{name: k, cluster: {%s}}]\n"
				  "users: [{name: u, user: {%s}}]\n",
				  cluster, user);

	put_file(name, text);
}

static struct o2_kube_config *load(const struct o2_kube_overrides *overrides)
{
	static const struct o2_kube_overrides none = { 0 };
	struct o2_err err = { 0 };
	struct o2_kube_config *config = o2_kube_config_load(overrides ? overrides : &none, &err);

	if (config == NULL)
		fail_msg("%s", err.message);
	return config;
}

static void expect_failure(const struct o2_kube_overrides *overrides, int code, const char *words)
{
	static const struct o2_kube_overrides none = { 0 };
	struct o2_err err = { 0 };

	assert_null(o2_kube_config_load(overrides ? overrides : &none, &err));
	expect_words(err.message, words);
	assert_int_equal(err.code, -code);
	assert_null(strstr(err.message, "s3cret"));
}

/* One file with that cluster and user, and nothing else. */
static void expect_refused(const char *cluster, const char *user, int code, const char *words)
{
	put_config("one", cluster, user);
	expect_failure(NULL, code, words);
}

static struct o2_kube_config *load_one(const char *cluster, const char *user,
				       const struct o2_kube_overrides *overrides)
{
	put_config("one", cluster, user);
	return load(overrides);
}

static int set_up(void **state)
{
	(void)state;
	O2_AUTO(o2_freep) char *one = NULL;

	snprintf(dir, sizeof(dir), "/tmp/config_test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	one = in_dir("one");
	setenv("KUBECONFIG", one, 1);
	setenv("HOME", dir, 1);
	unsetenv("KUBERNETES_SERVICE_HOST");
	return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
	(void)info;
	(void)type;
	(void)place;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- 1, 2: files --- */

static void test_one_file_that_is_named_stands_alone(void **state)
{
	O2_AUTO(o2_freep) char *named = in_dir("named");
	struct o2_kube_overrides overrides = { .kubeconfig = named };

	(void)state;
	put_config("one", "server: 'https://one'", "");
	expect_failure(&overrides, O2_ENOTFOUND, "named");
	put_config("named", "server: 'https://named'", "");
	O2_AUTO(o2_kube_config_freep) struct o2_kube_config *config = load(&overrides);
	assert_string_equal(config->server, "https://named");
	put_file("named", "current-context: nowhere\n");
	expect_failure(&overrides, O2_ENOTFOUND, "context 'nowhere' does not exist");
}

static void test_files_are_merged_and_the_first_wins(void **state)
{
	O2_AUTO(o2_freep)
	char *variable = o2_xasprintf("%s/missing::%s/one:%s/two:%s/one", dir, dir, dir, dir);

	(void)state;
	put_file("one", "clusters: [{name: k, cluster: {server: 'https://one'}}]\n"
			"contexts: [{name: d, context: {cluster: k}}]\n");
	put_file("two",
		 "current-context: c\n"
		 "clusters: [{name: k, cluster: {server: 'https://two', tls-server-name: two}}]\n"
		 "contexts: [{name: c, context: {cluster: k, namespace: shop}}]\n");
	setenv("KUBECONFIG", variable, 1);
	O2_AUTO(o2_kube_config_freep) struct o2_kube_config *config = load(NULL);
	assert_string_equal(config->server, "https://one");
	assert_null(config->tls_server_name); /* no member comes from the second */
	assert_string_equal(config->context, "c");
	assert_string_equal(config->ns, "shop");
	assert_true(config->ns_given);

	struct o2_strs names = { 0 };
	assert_int_equal(o2_kube_config_contexts(NULL, &names, NULL), 0);
	assert_int_equal(names.count, 2);
	assert_string_equal(names.items[0], "c");
	assert_string_equal(names.items[1], "d");
	o2_strs_release(&names);
}

static void test_home_is_looked_into_last(void **state)
{
	O2_AUTO(o2_freep) char *folder = in_dir(".kube");

	(void)state;
	unsetenv("KUBECONFIG");
	assert_int_equal(mkdir(folder, 0700), 0);
	expect_failure(NULL, O2_ENOTFOUND, "no kubeconfig: '");
	put_config(".kube/config", "server: 'https://home'", "");
	O2_AUTO(o2_kube_config_freep) struct o2_kube_config *config = load(NULL);
	assert_string_equal(config->server, "https://home");
	assert_string_equal(config->ns, "default");
	assert_false(config->ns_given);
}

static void test_a_file_that_is_no_kubeconfig_is_an_error(void **state)
{
	(void)state;
	put_file("one", "users: [{name: u, user: {token: s3cret");
	expect_failure(NULL, O2_EINVALID, "can't be read");
	put_file("one", "- just\n- a list\n");
	expect_failure(NULL, O2_EINVALID, "holds no mapping");
	put_file("one", "clusters: [{cluster: {}}]\n");
	expect_failure(NULL, O2_EINVALID, "entry 1 of 'clusters' has no name");
	put_file("one", "users: [{name: u}, {name: u}]\n");
	expect_failure(NULL, O2_EINVALID, "names 'u' twice");
	put_file("one", "clusters: {k: {}}\n");
	expect_failure(NULL, O2_EINVALID, "'clusters' is not a list");
	expect_refused("server: 'https://h'", "token: 12345", O2_EINVALID,
		       "'token' of the user in the kubeconfig is not a string");
}

static void test_json_and_an_empty_file_are_read(void **state)
{
	O2_AUTO(o2_kube_config_freep) struct o2_kube_config *config = NULL;

	(void)state;
	put_file("one", "{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":"
			"{\"cluster\":\"k\"}}],\"clusters\":[{\"name\":\"k\",\"cluster\":"
			"{\"server\":\"https://json\"}}]}");
	config = load(NULL);
	assert_string_equal(config->server, "https://json");
	put_file("one", "");
	expect_failure(NULL, O2_ENOTFOUND, "no context is chosen");
}

/* --- 3: paths --- */

static void test_paths_are_relative_to_their_file(void **state)
{
	O2_AUTO(o2_freep) char *folder = in_dir("sub");
	O2_AUTO(o2_freep) char *path = in_dir("sub/config");
	O2_AUTO(o2_freep) char *token = in_dir("sub/tokens/t");
	O2_AUTO(o2_freep) char *plugin = in_dir("sub/./plugin");
	struct o2_kube_overrides overrides = { .kubeconfig = path };

	(void)state;
	assert_int_equal(mkdir(folder, 0700), 0);
	put_file("sub/ca", PEM);
	put_file("sub/cert", "cert");
	put_file("sub/key", "key");
	put_config("sub/config", "server: 'https://h', certificate-authority: ca",
		   "client-certificate: cert, client-key: key, tokenFile: tokens/t");
	O2_AUTO(o2_kube_config_freep) struct o2_kube_config *config = load(&overrides);
	assert_string_equal(config->ca_pem, PEM);
	assert_string_equal(config->cert_pem, "cert");
	assert_string_equal(config->key_pem, "key");
	assert_string_equal(config->token_file, token);

#define EXEC(command) \
	"exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, " \
	"command: " command "}"
	put_config("sub/config", "server: 'https://h'", EXEC("./plugin"));
	O2_AUTO(o2_kube_config_freep) struct o2_kube_config *beside = load(&overrides);
	assert_string_equal(beside->exec->command, plugin);
	put_config("sub/config", "server: 'https://h'", EXEC("plugin"));
	O2_AUTO(o2_kube_config_freep) struct o2_kube_config *in_path = load(&overrides);
	assert_string_equal(in_path->exec->command, "plugin");
	put_config("sub/config", "server: 'https://h', certificate-authority: gone", "");
	expect_failure(&overrides, O2_EINVALID, "certificate-authority of the cluster");
}

/* --- 4: names --- */

static void test_what_is_named_must_exist(void **state)
{
	(void)state;
	put_config("one", "server: 'https://h'", "");
	expect_failure(&(struct o2_kube_overrides){ .context = "x" }, O2_ENOTFOUND,
		       "context 'x' does not exist");
	expect_failure(&(struct o2_kube_overrides){ .context = "x" }, O2_ENOTFOUND, "there are: c");
	expect_failure(&(struct o2_kube_overrides){ .cluster = "x" }, O2_ENOTFOUND,
		       "cluster 'x' does not exist");
	expect_failure(&(struct o2_kube_overrides){ .user = "x" }, O2_ENOTFOUND,
		       "user 'x' does not exist");
	expect_refused("tls-server-name: x", "", O2_EINVALID, "names no cluster that has a server");
}

static void test_a_context_may_name_its_file(void **state)
{
	O2_AUTO(o2_freep) char *context = in_dir("two:c");

	(void)state;
	put_config("one", "server: 'https://one'", "");
	put_config("two", "server: 'https://two'", "");
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *config = load(&(struct o2_kube_overrides){ .context = context });
	assert_string_equal(config->server, "https://two");
	put_file("one", "contexts: [{name: 'a:b', context: {cluster: k}}]\n"
			"clusters: [{name: k, cluster: {server: 'https://colon'}}]\n");
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *colon = load(&(struct o2_kube_overrides){ .context = "a:b" });
	assert_string_equal(colon->server, "https://colon");
}

static void test_parts_can_be_overridden(void **state)
{
	(void)state;
	put_file("one", "current-context: c\n"
			"contexts: [{name: c, context: {cluster: k, user: u, namespace: shop}}]\n"
			"clusters: [{name: k, cluster: {server: 'https://k'}},\n"
			"  {name: l, cluster: {server: 'https://l'}}]\n"
			"users: [{name: u, user: {token: a}}, {name: v, user: {token: b}}]\n");
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *config = load(&(struct o2_kube_overrides){
		.cluster = "l", .user = "v", .ns = "other", .request_timeout_ms = 7000 });
	assert_string_equal(config->server, "https://l");
	assert_string_equal(config->token, "b");
	assert_string_equal(config->user, "v");
	assert_string_equal(config->ns, "other");
	assert_int_equal(config->request_timeout_ms, 7000);
}

/* --- 5, 6: trust --- */

static void test_a_server_that_is_given_forgets_the_others_tls_name(void **state)
{
	static const char cluster[] = "server: 'https://h', tls-server-name: name";

	(void)state;
	O2_AUTO(o2_kube_config_freep) struct o2_kube_config *plain = load_one(cluster, "", NULL);
	assert_string_equal(plain->tls_server_name, "name");
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *other =
		load_one(cluster, "", &(struct o2_kube_overrides){ .server = "https://i" });
	assert_string_equal(other->server, "https://i");
	assert_null(other->tls_server_name);
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *named = load_one(
		cluster, "",
		&(struct o2_kube_overrides){ .server = "https://i", .tls_server_name = "m" });
	assert_string_equal(named->tls_server_name, "m");
}

static void test_trust_that_is_given_replaces_all_of_it(void **state)
{
	static const char with_ca[] =
		"server: 'https://h', certificate-authority-data: " PEM_BASE64;
	O2_AUTO(o2_freep) char *ca = in_dir("ca");

	(void)state;
	put_file("ca", "other");
	O2_AUTO(o2_kube_config_freep) struct o2_kube_config *plain = load_one(with_ca, "", NULL);
	assert_string_equal(plain->ca_pem, PEM);
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *insecure = load_one(
		with_ca, "", &(struct o2_kube_overrides){ .insecure_skip_tls_verify = true });
	assert_true(insecure->insecure);
	assert_null(insecure->ca_pem);
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *given =
		load_one("server: 'https://h', insecure-skip-tls-verify: true", "",
			 &(struct o2_kube_overrides){ .certificate_authority = ca });
	assert_false(given->insecure);
	assert_string_equal(given->ca_pem, "other");
}

static void test_contradictions_are_errors(void **state)
{
	(void)state;
	put_file("ca", PEM);
	expect_refused("server: 'https://h', certificate-authority: ca, "
		       "certificate-authority-data: " PEM_BASE64,
		       "", O2_EINVALID,
		       "both certificate-authority and certificate-authority-data");
	expect_refused("server: 'https://h', certificate-authority: ca, "
		       "insecure-skip-tls-verify: true",
		       "", O2_EINVALID, "together with insecure-skip-tls-verify");
	expect_refused("server: 'https://h'", "client-key: a, client-key-data: Yg==", O2_EINVALID,
		       "both client-key and client-key-data");
	expect_refused("server: 'https://h'", "client-certificate-data: Yg==", O2_EINVALID,
		       "has a client certificate, but no client key");
	expect_refused("server: 'https://h'", "token: s3cret, username: me, password: s3cret",
		       O2_EINVALID, "has a token and a password");
	expect_refused("server: 'https://h'", EXEC("x") ", auth-provider: {name: oidc}",
		       O2_EINVALID, "has exec and auth-provider");
	expect_refused("server: 'https://h'", "as-uid: '7'", O2_EINVALID, "say as whom");
	expect_refused("server: 'https://h', certificate-authority-data: '%s3cret'", "",
		       O2_EINVALID, "is not base64");
}

/* --- 7, 9: credentials --- */

static void test_credentials_are_for_https_only(void **state)
{
	static const char user[] = "token: t, client-certificate-data: Yw==, client-key-data: aw==";

	(void)state;
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *plain = load_one("server: 'http://h'", user, NULL);
	assert_null(plain->token);
	assert_null(plain->cert_pem);
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *tls = load_one("server: 'https://h'", user, NULL);
	assert_string_equal(tls->token, "t");
	assert_string_equal(tls->cert_pem, "c");
	assert_string_equal(tls->key_pem, "k");
}

static void test_the_order_of_credentials(void **state)
{
	static const char both[] = "token: t, tokenFile: /file";

	(void)state;
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *token = load_one("server: 'https://h'", both, NULL);
	assert_string_equal(token->token, "t");
	assert_null(token->token_file);
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *given_file = load_one(
		"server: 'https://h'", both, &(struct o2_kube_overrides){ .token_file = "/given" });
	assert_null(given_file->token);
	assert_string_equal(given_file->token_file, "/given");
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *given =
		load_one("server: 'https://h'", both,
			 &(struct o2_kube_overrides){ .token = "g", .token_file = "/given" });
	assert_string_equal(given->token, "g");
	assert_null(given->token_file);
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *no_plugin =
		load_one("server: 'https://h'", "token: t, " EXEC("x"), NULL);
	assert_null(no_plugin->exec);
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *password =
		load_one("server: 'https://h'", "username: me, password: p, " EXEC("x"), NULL);
	assert_string_equal(password->username, "me");
	assert_null(password->exec);
}

static void test_a_certificate_that_is_given_replaces_the_files(void **state)
{
	O2_AUTO(o2_freep) char *cert = in_dir("cert");
	O2_AUTO(o2_freep) char *key = in_dir("key");

	(void)state;
	put_file("cert", "C");
	put_file("key", "K");
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *config = load_one(
		"server: 'https://h'", "client-certificate-data: Yw==, client-key-data: aw==",
		&(struct o2_kube_overrides){ .client_certificate = cert, .client_key = key });
	assert_string_equal(config->cert_pem, "C");
	assert_string_equal(config->key_pem, "K");
}

static void test_auth_providers_are_mostly_gone(void **state)
{
	(void)state;
	expect_refused("server: 'https://h'", "auth-provider: {name: gcp}", O2_EUNSUPPORTED,
		       "gke-gcloud-auth-plugin");
	expect_refused("server: 'https://h'", "auth-provider: {name: azure}", O2_EUNSUPPORTED,
		       "kubelogin");
	expect_refused("server: 'https://h'", "auth-provider: {name: oidc}", O2_EUNSUPPORTED,
		       "no id-token");
	expect_refused("server: 'https://h'", "auth-provider: {name: x}", O2_EUNSUPPORTED,
		       "there is no auth-provider 'x'");
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *config = load_one(
		"server: 'https://h'", "auth-provider: {name: oidc, config: {id-token: t}}", NULL);
	assert_string_equal(config->token, "t");
}

/* --- 8: plug-ins --- */

#define PLUGIN(version, rest) \
	"exec: {apiVersion: client.authentication.k8s.io/" version ", command: p" rest "}"

static void test_plugins_are_checked(void **state)
{
	(void)state;
	expect_refused("server: 'https://h'", PLUGIN("v1", ""), O2_EINVALID,
		       "must say its interactiveMode");
	expect_refused("server: 'https://h'",
		       PLUGIN("v1", ", interactiveMode: Never, env: [{name: X, value: 1}]"),
		       O2_EINVALID, "variable 1 of the exec plug-in");
	expect_refused("server: 'https://h'", PLUGIN("v1alpha1", ""), O2_EINVALID,
		       "apiVersion of the exec plug-in must be");
	expect_refused("server: 'https://h'", PLUGIN("v1", ", interactiveMode: Sometimes"),
		       O2_EINVALID, "Never, IfAvailable");
	expect_refused(
		"server: 'https://h'",
		"exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}",
		O2_EINVALID, "names no command");
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *beta = load_one("server: 'https://h'", PLUGIN("v1beta1", ""), NULL);
	assert_string_equal(beta->exec->interactive_mode, "IfAvailable");
	assert_null(beta->exec->cluster_info_json);
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *full = load_one(
		"server: 'https://h/p', certificate-authority-data: " PEM_BASE64
		", extensions: [{name: client.authentication.k8s.io/exec, extension: {a: 1}}]",
		PLUGIN("v1",
		       ", args: [x, z], env: [{name: NAME, value: v}], interactiveMode: Never, "
		       "provideClusterInfo: true, installHint: 'get it'"),
		NULL);
	assert_string_equal(full->exec->args.items[1], "z");
	assert_string_equal(full->exec->env.items[0], "NAME=v");
	assert_string_equal(full->exec->install_hint, "get it");
	assert_string_equal(
		full->exec->cluster_info_json,
		"{\"server\":\"https://h/p\",\"certificate-authority-data\":\"" PEM_BASE64
		"\",\"config\":{\"a\":1}}");
}

/* --- 10, 13: addresses; impersonation --- */

static void test_addresses_are_made_whole(void **state)
{
	static const struct {
		const char *cluster, *server;
	} cases[] = {
		{ "server: 'https://h/prefix/?a=b#c'", "https://h/prefix" },
		{ "server: 'h:6443'", "http://h:6443" },
		{ "server: 'h:6443', insecure-skip-tls-verify: true", "https://h:6443" },
		{ "server: 'https://[::1]:6443'", "https://[::1]:6443" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(cases); i++) {
		O2_AUTO(o2_kube_config_freep)
		struct o2_kube_config *config = load_one(cases[i].cluster, "", NULL);
		assert_string_equal(config->server, cases[i].server);
	}
}

static void test_proxies(void **state)
{
	(void)state;
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *config = load_one(
		"server: 'https://h', proxy-url: 'socks5://p:1', disable-compression: true", "",
		NULL);
	assert_string_equal(config->proxy_url, "socks5://p:1");
	assert_true(config->disable_compression);
	expect_refused("server: 'https://h', proxy-url: 'ftp://user:s3cret@p'", "", O2_EINVALID,
		       "proxy-url in the kubeconfig must begin with");
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *given =
		load_one("server: 'https://h', proxy-url: 'socks5://p:1'", "",
			 &(struct o2_kube_overrides){ .proxy_url = "http://q" });
	assert_string_equal(given->proxy_url, "http://q");
}

static void test_acting_as_somebody_else(void **state)
{
	struct o2_strs groups = { 0 };

	(void)state;
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *config =
		load_one("server: 'https://h'",
			 "as: x, as-uid: '7', as-groups: [g, h], as-user-extra: {k: [v, w]}", NULL);
	assert_string_equal(config->as, "x");
	assert_string_equal(config->as_uid, "7");
	assert_string_equal(config->as_groups.items[1], "h");
	assert_string_equal(config->as_extra.items[1], "k=w");
	o2_strs_add(&groups, "only");
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *given = load_one(
		"server: 'https://h'", "as: x, as-groups: [g, h]",
		&(struct o2_kube_overrides){ .as = "y", .as_uid = "8", .as_groups = &groups });
	assert_string_equal(given->as, "y");
	assert_string_equal(given->as_uid, "8");
	assert_int_equal(given->as_groups.count, 1);
	o2_strs_release(&groups);
}

/* --- 11, 12: in a cluster --- */

#define SECRETS "/run/secrets"
#define ACCOUNT SECRETS "/kubernetes.io/serviceaccount"

static void put_account_file(const char *name, const char *text)
{
	O2_AUTO(o2_freep) char *path = o2_xasprintf(ACCOUNT "/%s", name);

	assert_int_equal(o2_file_write_durable(path, text, strlen(text), 0600, NULL), 0);
}

/* Own mounts, so that /var/run/secrets can be what it is in a pod. Says no where that is not allowed. */
static bool enter_pod(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("pod", "/run", "tmpfs", 0, NULL) < 0)
		return false;
	assert_int_equal(o2_file_mkdirs(ACCOUNT, 0755, NULL), 0);
	put_account_file("token", "pod-token\n");
	put_account_file("ca.crt", PEM);
	put_account_file("namespace", "pod-ns\n");
	return true;
}

static void test_in_a_pod_its_account_is_used(void **state)
{
	(void)state;
	if (!enter_pod())
		skip();
	setenv("KUBECONFIG", "/nowhere", 1);
	expect_failure(NULL, O2_ENOTFOUND, "no kubeconfig"); /* the environment says nothing */
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	O2_AUTO(o2_kube_config_freep) struct o2_kube_config *pod = load(NULL);
	assert_string_equal(pod->server, "https://[fd00::1]:443");
	assert_string_equal(pod->token_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
	assert_string_equal(pod->ca_pem, PEM);
	assert_string_equal(pod->ns, "pod-ns");
	assert_false(pod->ns_given);
	setenv("POD_NAMESPACE", "env-ns", 1);
	O2_AUTO(o2_kube_config_freep) struct o2_kube_config *env = load(NULL);
	assert_string_equal(env->ns, "env-ns");
	unsetenv("POD_NAMESPACE");

	O2_AUTO(o2_freep) char *one = in_dir("one"); /* a kubeconfig goes first */
	setenv("KUBECONFIG", one, 1);
	O2_AUTO(o2_kube_config_freep)
	struct o2_kube_config *file = load_one("server: 'https://file'", "token: t", NULL);
	assert_string_equal(file->server, "https://file");
	assert_string_equal(file->token, "t");
	assert_string_equal(file->ns, "pod-ns");
	umount("/run");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_one_file_that_is_named_stands_alone),
		TEST(test_files_are_merged_and_the_first_wins),
		TEST(test_home_is_looked_into_last),
		TEST(test_a_file_that_is_no_kubeconfig_is_an_error),
		TEST(test_json_and_an_empty_file_are_read),
		TEST(test_paths_are_relative_to_their_file),
		TEST(test_what_is_named_must_exist),
		TEST(test_a_context_may_name_its_file),
		TEST(test_parts_can_be_overridden),
		TEST(test_a_server_that_is_given_forgets_the_others_tls_name),
		TEST(test_trust_that_is_given_replaces_all_of_it),
		TEST(test_contradictions_are_errors),
		TEST(test_credentials_are_for_https_only),
		TEST(test_the_order_of_credentials),
		TEST(test_a_certificate_that_is_given_replaces_the_files),
		TEST(test_auth_providers_are_mostly_gone),
		TEST(test_plugins_are_checked),
		TEST(test_addresses_are_made_whole),
		TEST(test_proxies),
		TEST(test_acting_as_somebody_else),
		TEST(test_in_a_pod_its_account_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
