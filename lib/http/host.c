/* One server: what the settings say, turned into what libcurl wants to hear. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "http/http_internal.h"

#define CONNECT_TIMEOUT_MS 10000
#define MAX_IDLE_HANDLES 128

static char *part(CURLU *url, CURLUPart what, unsigned flags)
{
	char *text = NULL;
	char *copy;

	if (curl_url_get(url, what, &text, flags) != CURLUE_OK || text == NULL)
		return NULL;
	copy = o2_xstrdup(text);
	curl_free(text);
	return copy;
}

static void url_freep(CURLU **url)
{
	curl_url_cleanup(*url);
}

/* A URL in its parts. */
struct address {
	char *scheme, *name, *port, *path;
};

/* "127.0.0.1", "localhost", "[::1]": no proxy can reach those for us. */
static bool is_loopback(const char *name)
{
	return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
	       strncmp(name, "127.", 4) == 0;
}

/*
 * The addresses. libcurl has no knob for the name in SNI and certificate alone, so a name that differs from the URL's
 * goes into the URL, the connection is sent to the real host, and the Host header says the real one.
 */
static void write_addresses(struct o2_http_host *host, const struct address *address,
			    const char *server_name)
{
	const char *name = address->name;
	const char *path = address->path ? address->path : "";
	const char *ws = strcmp(address->scheme, "https") == 0 ? "wss" : "ws";
	size_t path_len = strlen(path);

	while (path_len > 0 && path[path_len - 1] == '/')
		path_len--;
	bool other_name = server_name && server_name[0] && strcmp(server_name, name) != 0;
	const char *shown = other_name ? server_name : name;
	host->base = o2_xasprintf("%s://%s:%s%.*s", address->scheme, shown, address->port,
				  (int)path_len, path);
	host->ws_base =
		o2_xasprintf("%s://%s:%s%.*s", ws, shown, address->port, (int)path_len, path);
	host->label = o2_xasprintf("%s://%s:%s", address->scheme, name, address->port);
	if (other_name) {
		O2_AUTO(o2_freep)
		char *to = o2_xasprintf("%s:%s:%s:%s", shown, address->port, name, address->port);
		host->connect_to = curl_slist_append(NULL, to);
		host->host_header = o2_xasprintf("Host: %s:%s", name, address->port);
	}
}

static bool read_address(struct address *address, const char *text, struct o2_err *err)
{
	O2_AUTO(url_freep) CURLU *url = curl_url();
	O2_AUTO(o2_freep) char *user = NULL;

	if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK) {
		address->scheme = part(url, CURLUPART_SCHEME, 0);
		address->name = part(url, CURLUPART_HOST, 0);
		address->port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
		address->path = part(url, CURLUPART_PATH, 0);
		user = part(url, CURLUPART_USER, 0);
	}
	if (user) {
		o2_fail(err, O2_EINVALID,
			"the address of server '%s' holds a user name, which is not supported",
			address->name ? address->name : "");
		return false;
	}
	if (address->scheme == NULL || address->name == NULL || address->port == NULL) {
		o2_fail(err, O2_EINVALID, "server address '%s' is not a URL", text);
		return false;
	}
	if (strcmp(address->scheme, "https") != 0 && strcmp(address->scheme, "http") != 0) {
		o2_fail(err, O2_EINVALID, "server address '%s' is neither https nor http", text);
		return false;
	}
	return true;
}

static int set_addresses(struct o2_http_host *host, const struct o2_http_settings *settings,
			 struct o2_err *err)
{
	struct address address = { 0 };
	bool good = read_address(&address, settings->url, err);

	if (good) {
		write_addresses(host, &address, settings->server_name);
		host->no_proxy = settings->proxy_url == NULL && is_loopback(address.name);
	}
	free(address.scheme);
	free(address.name);
	free(address.port);
	free(address.path);
	return good ? 0 : err ? err->code : -O2_EINVALID;
}

static int check_pem(const char *pem, const char *begin, const char *what, const char *label,
		     struct o2_err *err)
{
	if (pem == NULL || strstr(pem, begin))
		return 0;
	return o2_fail(err, O2_EINVALID, "%s for %s is not in PEM form", what, label);
}

static int set_identity(struct o2_http_host *host, const char *cert_pem, const char *key_pem,
			struct o2_err *err)
{
	if ((cert_pem == NULL) != (key_pem == NULL))
		return o2_fail(err, O2_EINVALID,
			       "a client certificate for %s needs its key, and the reverse",
			       host->label);
	if (check_pem(cert_pem, "-----BEGIN CERTIFICATE-----", "the client certificate",
		      host->label, err) < 0 ||
	    check_pem(key_pem, "PRIVATE KEY-----", "the client key", host->label, err) < 0)
		return err ? err->code : -O2_EINVALID;
	free(host->cert_pem);
	free(host->key_pem);
	host->cert_pem = o2_xstrdup_null(cert_pem);
	host->key_pem = o2_xstrdup_null(key_pem);
	return 0;
}

struct o2_http_host *o2_http_host_new(struct o2_http *http, const struct o2_http_settings *settings,
				      struct o2_err *err)
{
	struct o2_http_host *host = o2_xcalloc(1, sizeof(*host));

	host->http = http;
	host->ca_pem = o2_xstrdup_null(settings->ca_pem);
	host->proxy_url = o2_xstrdup_null(settings->proxy_url);
	host->insecure = settings->insecure;
	host->disable_compression = settings->disable_compression;
	host->http1 = settings->http1;
	host->connect_timeout_ms =
		settings->connect_timeout_ms ? settings->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	TAILQ_INSERT_TAIL(&http->hosts, host, link);
	if (set_addresses(host, settings, err) < 0 ||
	    set_identity(host, settings->cert_pem, settings->key_pem, err) < 0 ||
	    check_pem(host->ca_pem, "-----BEGIN ", "the certificate authority", host->label, err) <
		    0) {
		o2_http_host_free(host);
		return NULL;
	}
	return host;
}

static void drop_idle(struct o2_http_host *host)
{
	for (size_t i = 0; i < host->idle_count; i++)
		curl_easy_cleanup(host->idle[i]);
	host->idle_count = 0;
}

void o2_http_host_free(struct o2_http_host *host)
{
	TAILQ_REMOVE(&host->http->hosts, host, link);
	drop_idle(host);
	free(host->idle);
	curl_slist_free_all(host->connect_to);
	free(host->base);
	free(host->ws_base);
	free(host->label);
	free(host->host_header);
	free(host->ca_pem);
	free(host->cert_pem);
	if (host->key_pem)
		explicit_bzero(host->key_pem, strlen(host->key_pem));
	free(host->key_pem);
	free(host->proxy_url);
	free(host);
}

struct o2_http *o2_http_host_loop(struct o2_http_host *host)
{
	return host->http;
}

/*
 * libcurl compares the certificate before it takes a kept connection, so handles with the new one never use an old connection;
 * those close by age.
 */
int o2_http_host_rekey(struct o2_http_host *host, const char *cert_pem, const char *key_pem,
		       struct o2_err *err)
{
	int code = set_identity(host, cert_pem, key_pem, err);

	if (code == 0) {
		drop_idle(host);
		host->generation++;
	}
	return code;
}

static void set_blob(CURL *easy, CURLoption option, char *pem)
{
	struct curl_blob blob = { .flags = CURL_BLOB_COPY };

	if (pem == NULL)
		return;
	blob.data = pem;
	blob.len = strlen(pem);
	curl_easy_setopt(easy, option, &blob);
}

static void set_tls(struct o2_http_host *host, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, host->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, host->insecure ? 0L : 2L);
	/* A session belongs to the identity it was made for: never resume one. */
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	set_blob(easy, CURLOPT_CAINFO_BLOB, host->ca_pem);
	set_blob(easy, CURLOPT_SSLCERT_BLOB, host->cert_pem);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, host->key_pem);
}

void o2_http_host_set_up(struct o2_http_host *host, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
			 1L); /* don't wait for a name server when dropped */
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 15L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)host->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 (long)(host->http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, host->http1 ? 0L : 1L);
	if (!host->disable_compression)
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	if (host->connect_to)
		curl_easy_setopt(easy, CURLOPT_CONNECT_TO, host->connect_to);
	if (host->proxy_url)
		curl_easy_setopt(easy, CURLOPT_PROXY, host->proxy_url);
	if (host->proxy_url)
		curl_easy_setopt(easy, CURLOPT_NOPROXY,
				 ""); /* asked for: the environment's exceptions don't count */
	else if (host->no_proxy)
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	set_tls(host, easy);
}

CURL *o2_http_host_take(struct o2_http_host *host)
{
	CURL *easy;

	if (host->idle_count > 0)
		return host->idle[--host->idle_count];
	easy = curl_easy_init();
	if (easy == NULL)
		abort(); /* no memory */
	o2_http_host_set_up(host, easy);
	return easy;
}

void o2_http_host_give(struct o2_http_host *host, CURL *easy, int generation)
{
	if (host->idle_count >= MAX_IDLE_HANDLES || generation != host->generation) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	O2_GROW(host->idle, host->idle_count, host->idle_cap);
	host->idle[host->idle_count++] = easy;
}
