/* Who we are: a token, read again when its file may have changed, or what a credential plug-in says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "crypto/crypto.h"
#include "kube/kube_internal.h"
#include "kube/plugin_internal.h"

#define TOKEN_FILE_MAX_BYTES ((size_t)1 << 20)
#define TOKEN_FILE_FRESH_MS 50000 /* a minute, less ten seconds: client-go's period */

struct o2_kube_credential {
	const struct o2_kube_config *config; /* borrowed from the o2_kube */
	char *name;
	char *authorization; /* "Bearer ..." */
	int64_t read_ms;     /* of the token file; -1: never */
	struct stat file;    /* what was read then */
	bool have;           /* the plug-in has spoken */
	int64_t expires;     /* seconds since 1970; 0: does not say */
	int generation;
};

static void forget(struct o2_kube_credential *credential)
{
	if (credential->authorization)
		explicit_bzero(credential->authorization, strlen(credential->authorization));
	free(credential->authorization);
	credential->authorization = NULL;
}

/* A token goes into a header: a line break in it would be another header. */
static bool is_header_text(const char *token)
{
	for (const char *p = token; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return true;
}

static int set_bearer(struct o2_kube_credential *credential, const char *token, struct o2_err *err)
{
	O2_AUTO(o2_freep) char *value = o2_xasprintf("Bearer %s", token);

	if (!is_header_text(token))
		return o2_fail(
			err, O2_EINVALID,
			"the token of user '%s' holds a line break or another control character",
			credential->config->user);
	if (credential->authorization && strcmp(credential->authorization, value) == 0)
		return 0;
	forget(credential);
	credential->authorization = O2_STEAL(value);
	credential->generation++;
	return 0;
}

static void set_basic(struct o2_kube_credential *credential)
{
	const struct o2_kube_config *config = credential->config;
	O2_AUTO(o2_freep) char *pair = o2_xasprintf("%s:%s", config->username, config->password);
	O2_AUTO(o2_freep) char *code = o2_base64_encode(pair, strlen(pair));

	credential->authorization = o2_xasprintf("Basic %s", code);
}

struct o2_kube_credential *o2_kube_credential_new(const struct o2_kube_config *config,
						  const char *name)
{
	struct o2_kube_credential *credential = o2_xcalloc(1, sizeof(*credential));

	credential->config = config;
	credential->name = o2_xstrdup(name);
	credential->read_ms = -1;
	if (config->username)
		set_basic(credential);
	return credential;
}

void o2_kube_credential_free(struct o2_kube_credential *credential)
{
	if (credential == NULL)
		return;
	forget(credential);
	free(credential->name);
	free(credential);
}

const char *o2_kube_credential_authorization(const struct o2_kube_credential *credential)
{
	return credential->authorization;
}

int o2_kube_credential_generation(const struct o2_kube_credential *credential)
{
	return credential->generation;
}

/* Another file in its place, or other content: a mounted token is replaced by renaming, a login rewrites its own. */
static bool has_rotated(const struct o2_kube_credential *credential, const struct stat *now)
{
	const struct stat *then = &credential->file;

	return now->st_dev != then->st_dev || now->st_ino != then->st_ino ||
	       now->st_size != then->st_size || now->st_mtim.tv_sec != then->st_mtim.tv_sec ||
	       now->st_mtim.tv_nsec != then->st_mtim.tv_nsec;
}

/* A file that is gone or empty for a moment is no reason to give up a token that still works. */
static int read_token_file(struct o2_kube_credential *credential, struct o2_err *err)
{
	const char *path = credential->config->token_file;
	O2_AUTO(o2_freep) char *text = NULL;
	struct o2_err cause = { 0 };
	struct stat info = { 0 };

	if (stat(path, &info) < 0) /* before it is read: what changes meanwhile is read again */
		info = (struct stat){ 0 };
	int code = o2_file_read(path, TOKEN_FILE_MAX_BYTES, &text, NULL, &cause);
	if (code < 0 && credential->authorization)
		return 0;
	if (code < 0)
		return o2_fail(err, O2_EAUTH, "cannot read the token of user '%s': %s",
			       credential->config->user, cause.message);
	char *begin = text + strspn(text, " \t\r\n");
	size_t len = strlen(begin);
	while (len > 0 && strchr(" \t\r\n", begin[len - 1]))
		len--;
	begin[len] = '\0';
	if (len == 0 && credential->authorization)
		return 0;
	if (len == 0)
		return o2_fail(err, O2_EAUTH, "the token file '%s' of user '%s' is empty", path,
			       credential->config->user);
	code = set_bearer(credential, begin, err);
	explicit_bzero(text, strlen(text));
	if (code == 0) {
		credential->read_ms = o2_clock_ms();
		credential->file = info;
	}
	return code;
}

static int ask_plugin(struct o2_kube_credential *credential, struct o2_http_host *host,
		      struct o2_err *err)
{
	const struct o2_kube_config *config = credential->config;
	struct o2_kube_plugin_answer answer = { 0 };
	int code = o2_kube_plugin_run(config->exec, config->user, &answer, err);

	if (code < 0)
		return code;
	if (answer.token)
		code = set_bearer(credential, answer.token, err);
	else
		forget(credential);
	if (code == 0 && answer.cert_pem) {
		code = o2_http_host_rekey(host, answer.cert_pem, answer.key_pem, err);
		credential->generation++;
	}
	credential->have = code == 0;
	credential->expires = answer.expires;
	o2_kube_plugin_answer_release(&answer);
	return code;
}

int o2_kube_credential_ready(struct o2_kube_credential *credential, struct o2_http_host *host,
			     struct o2_err *err)
{
	const struct o2_kube_config *config = credential->config;

	if (config->token_file) {
		struct stat info;
		if (credential->read_ms >= 0 &&
		    o2_clock_ms() - credential->read_ms < TOKEN_FILE_FRESH_MS &&
		    (stat(config->token_file, &info) < 0 || !has_rotated(credential, &info)))
			return 0;
		return read_token_file(credential, err);
	}
	if (config->token)
		return set_bearer(credential, config->token, err);
	if (config->exec == NULL || (credential->have && (credential->expires == 0 ||
							  o2_clock_unix() < credential->expires)))
		return 0;
	return ask_plugin(credential, host, err);
}

int o2_kube_credential_renew(struct o2_kube_credential *credential, struct o2_http_host *host,
			     int generation, struct o2_err *err)
{
	const struct o2_kube_config *config = credential->config;
	int code = 0;

	if (generation != credential->generation)
		return 1; /* another request has seen to it meanwhile */
	if (config->token_file)
		code = read_token_file(credential, err);
	else if (config->exec && !config->token)
		code = ask_plugin(credential, host, err);
	if (code < 0)
		return code;
	return generation != credential->generation ? 1 : 0;
}
