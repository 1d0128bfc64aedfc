/* Answers that are not what was asked for, as errors: a code to act on and one line to read. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "kube/kube_internal.h"

#define SERVER_WORDS_MAX 4096

static enum o2_code code_of(int status, const char *reason, const char *words)
{
	if (strstr(words, "exceeded quota"))
		return O2_ELIMIT;
	switch (status) {
	case 400:
	case 422:
		return O2_EINVALID;
	case 401:
	case 403:
		return O2_EAUTH;
	case 404:
		return O2_ENOTFOUND;
	case 405:
	case 406:
	case 415:
	case 501:
		return O2_EUNSUPPORTED;
	case 409:
		return O2_ECONFLICT;
	case 413:
		return O2_ELIMIT;
	default:
		break;
	}
	if (strcmp(reason, "NotAcceptable") == 0)
		return O2_EUNSUPPORTED;
	if (status >= 500 || status == 408 || status == 410 || status == 429)
		return O2_ETRANSIENT;
	return O2_EINVALID;
}

/*
 * What the server says begins with the object's name again (`deployments.apps "web" is forbidden: `); the rest is new.
 */
static const char *without_subject(const char *words)
{
	static const char *const ends[] = { "\" is forbidden: ", "\" is invalid: ", "\" not found",
					    "\" already exists",
					    "\": the object has been modified" };
	const char *quote = strchr(words, '"');
	const char *space = strchr(words, ' ');

	if (quote == NULL || space == NULL || space + 1 != quote)
		return words;
	const char *close = strchr(quote + 1, '"');
	for (size_t i = 0; close && i < O2_COUNT(ends); i++) {
		size_t len = strlen(ends[i]);
		if (strncmp(close, ends[i], len) != 0)
			continue;
		return ends[i][len - 1] == ' ' ? close + len
					       : close + 2; /* "not found" itself is the news */
	}
	return words;
}

/* `Invalid value: "..."` may repeat what a Secret holds. */
static void mask_values(char *words)
{
	static const char mark[] = "Invalid value: ";

	for (char *p = words; (p = strstr(p, mark)) != NULL;) {
		p += strlen(mark);
		char *end = *p == '"' ? p + 1 : p;
		while (*end && (*p == '"' ? *end != '"' : *end != ':')) {
			if (*end == '\\' && end[1])
				end++;
			end++;
		}
		if (*p == '"' && *end)
			end++;
		char *to = p;
		for (int i = 0; i < 3 && to < end; i++)
			*to++ = '*';
		memmove(to, end, strlen(end) + 1);
		p = to;
	}
}

static int fail_with(int status, const char *reason, const char *message, bool secret,
		     const char *what, struct o2_err *err)
{
	struct o2_err own = { 0 };
	O2_AUTO(o2_freep) char *words = o2_xstrndup(message, SERVER_WORDS_MAX);

	if (err == NULL)
		err = &own;
	o2_log_sanitize(words);
	if (secret)
		mask_values(words);
	const char *news = without_subject(words);
	o2_fail(err, code_of(status, reason, words), "%s: %s (%d%s%s)", what,
		news[0] ? news : "refused", status, reason[0] ? " " : "", reason);
	err->origin = O2_ORIGIN_HTTP;
	err->number = status;
	snprintf(err->reason, sizeof(err->reason), "%s", reason);
	return err->code;
}

int o2_kube_status_doc_fail(const struct o2_doc *status, int http_status, bool secret,
			    const char *what, struct o2_err *err)
{
	int code = (int)o2_doc_int(status, "/code", http_status);

	return fail_with(code, o2_doc_str(status, "/reason", ""),
			 o2_doc_str(status, "/message", ""), secret, what, err);
}

bool o2_kube_certificate_expired(const struct o2_kube *kube, char *out, size_t size)
{
	const struct o2_kube_config *config = kube->config;
	int64_t not_after = 0;
	char date[O2_CLOCK_TEXT_SIZE];

	if (config->cert_pem == NULL ||
	    o2_certificate_not_after(config->cert_pem, strlen(config->cert_pem), &not_after, NULL) <
		    0 ||
	    not_after > o2_clock_unix())
		return false;
	o2_clock_text(not_after, date);
	snprintf(out, size,
		 "client certificate of user '%s' expired on %.10s: renew it in the kubeconfig",
		 config->user ? config->user : "", date);
	return true;
}

static int fail_unauthorized(const struct o2_kube_request *request, struct o2_err *err)
{
	const struct o2_kube *kube = request->kube;
	const struct o2_kube_config *config = kube->config;
	bool known = config->token || config->token_file || config->cert_pem || config->exec ||
		     config->username;
	char expired[256];

	if (o2_kube_certificate_expired(kube, expired, sizeof(expired)))
		o2_fail(err, O2_EAUTH, "%s: %s", request->what, expired);
	else if (!known)
		o2_fail(err, O2_EAUTH,
			"%s: no credentials: context '%s' names no user that has any (401 "
			"Unauthorized)",
			request->what, config->context);
	else
		o2_fail(err, O2_EAUTH,
			"%s: %s does not accept the credentials of user '%s': log in again (401 "
			"Unauthorized)",
			request->what, config->server, config->user ? config->user : "");
	err->origin = O2_ORIGIN_HTTP;
	err->number = 401;
	snprintf(err->reason, sizeof(err->reason), "Unauthorized");
	return err->code;
}

/* Not from the API server itself: a proxy's page, or another program that listens there. */
static int fail_foreign(const struct o2_kube_request *request, struct o2_err *err)
{
	const struct o2_http_answer *answer = &request->answer;
	bool plain = answer->content_type[0] == '\0' ||
		     strncmp(answer->content_type, "text/plain", 10) == 0;
	O2_AUTO(o2_freep)
	char *text = o2_xstrndup(plain && !request->secret ? answer->body.data : "", 200);
	size_t len = strlen(text);
	bool doubtful = answer->status == 400 || answer->status == 404 || answer->status == 405;

	while (len > 0 && strchr(" \r\n", text[len - 1]))
		text[--len] = '\0';
	int code = fail_with(answer->status, "", text, request->secret, request->what, err);
	if (doubtful) {
		struct o2_err plain_err = *err;
		o2_err_clear(err);
		o2_fail(err, (enum o2_code) - code, "%s; is %s a Kubernetes API server?",
			plain_err.message, request->kube->config->server);
		err->origin = plain_err.origin;
		err->number = plain_err.number;
	}
	return code;
}

int o2_kube_status_fail(const struct o2_kube_request *request, struct o2_err *err)
{
	const struct o2_http_answer *answer = &request->answer;
	O2_AUTO(o2_doc_freep) struct o2_doc *doc = NULL;
	struct o2_err own = { 0 };

	if (err == NULL)
		err = &own;
	if (answer->status == 401)
		return fail_unauthorized(request, err);
	if (answer->status >= 300 && answer->status < 400) {
		o2_fail(err, O2_EINVALID,
			"%s: %s answers with a redirect (%d), which is not followed: is the "
			"server's address right?",
			request->what, request->kube->config->server, answer->status);
		err->origin = O2_ORIGIN_HTTP;
		err->number = answer->status;
		return err->code;
	}
	doc = o2_doc_parse(answer->body.data, answer->body.len, NULL);
	if (strcmp(o2_doc_str(doc, "/kind", ""), "Status") == 0)
		return o2_kube_status_doc_fail(doc, answer->status, request->secret, request->what,
					       err);
	return fail_foreign(request, err);
}

static const char *remedy_of(const char *reason)
{
	static const struct {
		const char *reason, *remedy;
	} remedies[] = {
		{ O2_HTTP_REFUSED,
		  "is the API server running, and the address in the kubeconfig right?" },
		{ O2_HTTP_NO_SUCH_HOST, "check the address in the kubeconfig and the name server" },
		{ O2_HTTP_UNREACHABLE, "check the network, VPN and proxy" },
		{ O2_HTTP_TIMED_OUT, "check the network, VPN and proxy" },
		{ O2_HTTP_UNKNOWN_CA,
		  "set certificate-authority in the kubeconfig to the cluster's" },
		{ O2_HTTP_NAME_MISMATCH,
		  "use a name that the certificate has, or set tls-server-name in the kubeconfig" },
		{ O2_HTTP_SERVER_EXPIRED, "renew it on the server, or check this machine's clock" },
		{ O2_HTTP_CLIENT_CERT,
		  "check client-certificate and client-key in the kubeconfig" },
		{ O2_HTTP_NOT_TLS, "check scheme and port of the address in the kubeconfig" },
	};

	for (size_t i = 0; i < O2_COUNT(remedies); i++)
		if (strcmp(remedies[i].reason, reason) == 0)
			return remedies[i].remedy;
	return NULL;
}

int o2_kube_transport_fail(const struct o2_kube_request *request, const struct o2_err *cause,
			   struct o2_err *err)
{
	const char *remedy = remedy_of(cause->reason);
	struct o2_err own = { 0 };
	char expired[256];

	if (err == NULL)
		err = &own;
	if (strcmp(cause->reason, O2_HTTP_CLIENT_CERT) == 0 &&
	    o2_kube_certificate_expired(request->kube, expired, sizeof(expired)))
		o2_fail(err, O2_EAUTH, "%s: %s", request->what, expired);
	else
		o2_fail(err, (enum o2_code) - cause->code, "%s: %s%s%s", request->what,
			cause->message, remedy ? "; " : "", remedy ? remedy : "");
	err->origin = cause->origin;
	err->number = cause->number;
	memcpy(err->reason, cause->reason, sizeof(err->reason));
	return err->code;
}
