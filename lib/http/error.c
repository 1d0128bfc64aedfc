/* What libcurl says went wrong, as an error that people read and callers act on. */
#include <errno.h>
#include <string.h>

#include "http/http_internal.h"

/* X509_V_ERR_*: OpenSSL's numbers, which libcurl passes on. */
enum {
	CERT_NOT_YET_VALID = 9,
	CERT_EXPIRED = 10,
	SELF_SIGNED = 18,
	SELF_SIGNED_IN_CHAIN = 19,
	NO_ISSUER = 20,
	NO_LEAF = 21,
	NAME_MISMATCH = 62,
	ADDRESS_MISMATCH = 64
};

struct meaning {
	enum o2_code code;
	const char *reason;
	const char *text; /* NULL: libcurl's own */
};

static struct meaning certificate_meaning(CURL *easy, const char *text)
{
	long verdict = 0;

	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
	if (verdict == CERT_EXPIRED)
		return (struct meaning){ O2_EAUTH, O2_HTTP_SERVER_EXPIRED,
					 "the server's certificate has expired" };
	if (verdict == CERT_NOT_YET_VALID)
		return (struct meaning){ O2_EAUTH, O2_HTTP_SERVER_EXPIRED,
					 "the server's certificate is not valid yet" };
	if (verdict == SELF_SIGNED || verdict == SELF_SIGNED_IN_CHAIN || verdict == NO_ISSUER ||
	    verdict == NO_LEAF)
		return (struct meaning){
			O2_EAUTH, O2_HTTP_UNKNOWN_CA,
			"the server's certificate is signed by an unknown authority"
		};
	if (verdict == NAME_MISMATCH || verdict == ADDRESS_MISMATCH || strstr(text, "name"))
		return (struct meaning){ O2_EAUTH, O2_HTTP_NAME_MISMATCH, NULL };
	return (struct meaning){ O2_EAUTH, O2_HTTP_UNKNOWN_CA, NULL };
}

/* A handshake, or the first read after it: TLS 1.3 servers refuse a client's certificate only then. */
static struct meaning tls_meaning(const char *text)
{
	if (strstr(text, "wrong version number") || strstr(text, "packet length too long"))
		return (struct meaning){ O2_EINVALID, O2_HTTP_NOT_TLS,
					 "the server does not speak TLS there" };
	if (strstr(text, "alert") && (strstr(text, "certificate") || strstr(text, "unknown ca") ||
				      strstr(text, "access denied")))
		return (struct meaning){ O2_EAUTH, O2_HTTP_CLIENT_CERT, NULL };
	return (struct meaning){ O2_ETRANSIENT, O2_HTTP_LOST, NULL };
}

static struct meaning connect_meaning(CURL *easy)
{
	long number = 0;

	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
	if (number == ECONNREFUSED)
		return (struct meaning){ O2_ETRANSIENT, O2_HTTP_REFUSED, "connection refused" };
	if (number == ENETUNREACH || number == EHOSTUNREACH)
		return (struct meaning){ O2_ETRANSIENT, O2_HTTP_UNREACHABLE,
					 "no route to the host" };
	return (struct meaning){ O2_ETRANSIENT, O2_HTTP_UNREACHABLE, NULL };
}

static struct meaning meaning_of(CURL *easy, CURLcode result, const char *text)
{
	switch ((int)result) {
	case CURLE_URL_MALFORMAT:
		return (struct meaning){ O2_EINVALID, "", NULL };
	case CURLE_COULDNT_RESOLVE_HOST:
		return (struct meaning){ O2_ETRANSIENT, O2_HTTP_NO_SUCH_HOST,
					 "the name can't be resolved" };
	case CURLE_COULDNT_RESOLVE_PROXY:
		return (struct meaning){ O2_ETRANSIENT, O2_HTTP_NO_SUCH_HOST,
					 "the proxy's name can't be resolved" };
	case CURLE_COULDNT_CONNECT:
		return connect_meaning(easy);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return certificate_meaning(easy, text);
	case CURLE_SSL_CERTPROBLEM:
		return (struct meaning){ O2_EINVALID, O2_HTTP_CLIENT_CERT,
					 "the client certificate or its key can't be read, or they "
					 "don't fit together" };
	case CURLE_SSL_CACERT_BADFILE:
		return (struct meaning){ O2_EINVALID, O2_HTTP_UNKNOWN_CA,
					 "the certificate authority can't be read" };
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return tls_meaning(text);
	case CURLE_SEND_FAIL_REWIND:
		return (struct meaning){ O2_ETRANSIENT, O2_HTTP_LOST,
					 "the connection was lost after the request was sent" };
	case CURLE_GOT_NOTHING:
		return (struct meaning){ O2_ETRANSIENT, O2_HTTP_LOST,
					 "the server closed the connection without an answer" };
	case CURLE_PARTIAL_FILE:
		return (struct meaning){ O2_ETRANSIENT, O2_HTTP_LOST, "the answer ends too early" };
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
		return (struct meaning){ O2_EINVALID, O2_HTTP_NOT_TLS,
					 "what answers is not an HTTP server" };
	case CURLE_BAD_CONTENT_ENCODING:
		return (struct meaning){ O2_ECORRUPT, O2_HTTP_LOST,
					 "the compressed answer is damaged" };
	case CURLE_FAILED_INIT:
	case CURLE_BAD_FUNCTION_ARGUMENT:
	case CURLE_UNKNOWN_OPTION:
		return (struct meaning){ O2_EINTERNAL, "", NULL };
	default:
		return (struct meaning){ O2_ETRANSIENT, O2_HTTP_LOST, NULL };
	}
}

/* libcurl's sentence without what we say ourselves. */
static const char *own_words(const char *text, CURLcode result)
{
	static const char *const noise[] = { "SSL certificate problem: ", "SSL: ",
					     "TLS connect error: ", "OpenSSL SSL_read: ",
					     "OpenSSL SSL_connect: " };

	if (text[0] == '\0')
		return curl_easy_strerror(result);
	for (size_t i = 0; i < O2_COUNT(noise); i++)
		if (strncmp(text, noise[i], strlen(noise[i])) == 0)
			return text + strlen(noise[i]);
	return text;
}

static int explain_timeout(const struct o2_http_host *host, CURL *easy, const char *text,
			   int timeout_ms, struct o2_err *err)
{
	curl_off_t connected = 0;

	curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
	if (connected == 0)
		return o2_fail(err, O2_ETRANSIENT, "%s: no connection within %d s", host->label,
			       host->connect_timeout_ms / 1000);
	if (strstr(text, "too slow") || timeout_ms == 0)
		return o2_fail(err, O2_ETRANSIENT, "%s: the answer stopped coming", host->label);
	return o2_fail(err, O2_ETRANSIENT, "%s: no answer within %d s", host->label,
		       timeout_ms / 1000);
}

int o2_http_explain(const struct o2_http_host *host, CURL *easy, CURLcode result, const char *text,
		    int timeout_ms, struct o2_err *err)
{
	struct o2_err own = { 0 };
	struct meaning meaning = { O2_ETRANSIENT, O2_HTTP_TIMED_OUT, NULL };

	if (err == NULL)
		err = &own;
	if (result == CURLE_OPERATION_TIMEDOUT) {
		(void)!explain_timeout(host, easy, text, timeout_ms, err);
	} else {
		meaning = meaning_of(easy, result, text);
		o2_fail(err, meaning.code, "%s: %s", host->label,
			meaning.text ? meaning.text : own_words(text, result));
	}
	err->origin = O2_ORIGIN_CURL;
	err->number = (long)result;
	snprintf(err->reason, sizeof(err->reason), "%s", meaning.reason);
	return err->code;
}
