#include "crypto/tls.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "crypto/crypto.h"

#define DAY_SECONDS 86400L
#define GOODBYE_MS 1000
#define READ_AHEAD_BYTES (128U << 10)
/* AES-128-GCM first: both architectures have instructions for it, and its 10 rounds are the fewest. */
#define SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

struct o2_tls_identity {
	EVP_PKEY *key;
	X509 *certificate;
	char fingerprint[O2_SHA256_HEX_SIZE];
};

struct o2_tls {
	SSL *ssl;
	int fd;
	bool failed; /* the state of the connection is unknown: nothing more may be written, not even a goodbye */
};

O2_DEFINE_FREEP(SSL_CTX, SSL_CTX_free)
O2_DEFINE_FREEP(BIO, BIO_free_all)

/* --- identities --------------------------------------------------------------------------------------------------------- */

static void fingerprint_of(X509 *certificate, char out[O2_SHA256_HEX_SIZE])
{
	unsigned char *der = NULL;
	int len = i2d_X509(certificate, &der);

	o2_sha256_hex(der, len > 0 ? (size_t)len : 0, out);
	OPENSSL_free(der);
}

/* Only its digest is ever looked at, so name and dates just have to be well-formed. */
static bool fill_certificate(X509 *certificate, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	int64_t serial;

	o2_random_bytes(&serial, sizeof(serial));
	return X509_set_version(certificate, X509_VERSION_3) &&
	       ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), serial & INT64_MAX) &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_SECONDS) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(certificate), 365 * DAY_SECONDS) != NULL &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"os2os",
					  -1, -1, 0) &&
	       X509_set_issuer_name(certificate, name) && X509_set_pubkey(certificate, key) &&
	       X509_sign(certificate, key, EVP_sha256()) > 0;
}

static int fail_openssl(struct o2_err *err, enum o2_code code, const char *what)
{
	unsigned long why = ERR_peek_last_error();
	const char *words = why != 0 ? ERR_reason_error_string(why) : NULL;
	int rc = o2_fail(err, code, "%s%s%s", what, words ? ": " : "", words ? words : "");

	if (err != NULL && why != 0) {
		err->origin = O2_ORIGIN_OPENSSL;
		err->number = (long)why;
	}
	ERR_clear_error();
	return rc;
}

struct o2_tls_identity *o2_tls_identity_new(struct o2_err *err)
{
	struct o2_tls_identity *identity = o2_xcalloc(1, sizeof(*identity));

	identity->key = EVP_EC_gen("P-256");
	identity->certificate = X509_new();
	if (identity->key == NULL || identity->certificate == NULL ||
	    !fill_certificate(identity->certificate, identity->key)) {
		fail_openssl(err, O2_EINTERNAL, "cannot make a key and its certificate");
		o2_tls_identity_free(identity);
		return NULL;
	}
	fingerprint_of(identity->certificate, identity->fingerprint);
	return identity;
}

void o2_tls_identity_free(struct o2_tls_identity *identity)
{
	if (identity == NULL)
		return;
	EVP_PKEY_free(identity->key);
	X509_free(identity->certificate);
	free(identity);
}

const char *o2_tls_fingerprint(const struct o2_tls_identity *identity)
{
	return identity->fingerprint;
}

/* --- what went wrong ---------------------------------------------------------------------------------------------------- */

/* Reasons that mean "not you": ours about the peer, and the alerts by which a peer says it of us. */
static bool is_about_identity(unsigned long why)
{
	switch (ERR_GET_REASON(why)) {
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return true;
	default:
		return false;
	}
}

/* `saved_errno`: as the call left it. */
static int fail_ssl(struct o2_tls *tls, int result, int saved_errno, const char *what,
		    struct o2_err *err)
{
	int kind = SSL_get_error(tls->ssl, result);
	unsigned long why = ERR_peek_error();

	tls->failed = true;
	if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
		return o2_fail(err, O2_ETRANSIENT, "%s: no answer in time", what);
	if (kind == SSL_ERROR_ZERO_RETURN ||
	    (kind == SSL_ERROR_SSL && ERR_GET_REASON(why) == SSL_R_UNEXPECTED_EOF_WHILE_READING) ||
	    (kind == SSL_ERROR_SYSCALL && saved_errno == 0)) {
		ERR_clear_error();
		return o2_fail(err, O2_ETRANSIENT, "%s: the peer closed the connection", what);
	}
	if (kind == SSL_ERROR_SYSCALL) {
		ERR_clear_error();
		return o2_fail(err, O2_ETRANSIENT, "%s: %s", what, strerror(saved_errno));
	}
	return fail_openssl(err, is_about_identity(why) ? O2_EAUTH : O2_EIO, what);
}

/* --- handshake ---------------------------------------------------------------------------------------------------------- */

/* Replaces the check of the chain; that the peer has the key, the handshake proves. */
static int is_expected_peer(X509_STORE_CTX *context, void *expected)
{
	char hex[O2_SHA256_HEX_SIZE];
	X509 *shown = X509_STORE_CTX_get0_cert(context);

	if (shown != NULL) {
		fingerprint_of(shown, hex);
		if (strcmp(hex, (const char *)expected) == 0)
			return 1;
	}
	X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static SSL_CTX *context_new(int min_version, struct o2_err *err)
{
	O2_AUTO(SSL_CTX_freep) SSL_CTX *context = SSL_CTX_new(TLS_method());

	if (context == NULL || !SSL_CTX_set_min_proto_version(context, min_version) ||
	    !SSL_CTX_set_ciphersuites(context, SUITES)) {
		fail_openssl(err, O2_EINTERNAL, "cannot set up TLS");
		return NULL;
	}
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(context, 0);
	/* Without it every record costs two system calls to read. */
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD_BYTES);
	return O2_STEAL(context);
}

/* Takes fd. */
static struct o2_tls *tls_new(SSL_CTX *context, int fd, struct o2_err *err)
{
	struct o2_tls *tls = o2_xcalloc(1, sizeof(*tls));

	tls->fd = fd;
	tls->failed = true; /* until the handshake is over there is nothing to say goodbye to */
	tls->ssl = SSL_new(context);
	if (tls->ssl == NULL || !SSL_set_fd(tls->ssl, fd)) {
		fail_openssl(err, O2_EINTERNAL, "cannot set up TLS");
		o2_tls_free(tls);
		return NULL;
	}
	return tls;
}

static void set_blocking(int fd, bool blocking)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

/* Wait for what the last call asked for, at most until `deadline_ms`. false: the time is up, or it was another failure. */
static bool wait_wanted(struct o2_tls *tls, int result, int64_t deadline_ms)
{
	int kind = SSL_get_error(tls->ssl, result);
	struct pollfd wait = { .fd = tls->fd,
			       .events = kind == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN };

	if (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE)
		return false;
	for (;;) {
		int64_t left = deadline_ms - o2_clock_ms();
		int ready = left > 0 ? poll(&wait, 1, (int)left) : 0;
		if (ready >= 0 || errno != EINTR)
			return ready > 0;
	}
}

/*
 * In TLS 1.3 a client is through before the server has looked at its certificate. Between our own ends the server therefore
 * sends one byte when it is content, so that a refusal shows here, not in the midst of what follows.
 */
static int greet(struct o2_tls *tls, unsigned char *byte)
{
	return SSL_is_server(tls->ssl) ? SSL_write(tls->ssl, byte, 1) : SSL_read(tls->ssl, byte, 1);
}

/* Frees `tls` and returns NULL if it fails. The deadline is for all of it, however slowly the peer's bytes come. */
static struct o2_tls *handshake(struct o2_tls *tls, bool greeted, int timeout_ms,
				struct o2_err *err)
{
	int64_t deadline_ms = o2_clock_ms() + timeout_ms;
	unsigned char byte = 0;
	int result, saved_errno;
	bool shaken = false;

	set_blocking(tls->fd, false);
	for (;;) {
		ERR_clear_error();
		errno = 0;
		result = shaken ? greet(tls, &byte) : SSL_do_handshake(tls->ssl);
		saved_errno = errno;
		if (result == 1 && (shaken || !greeted))
			break;
		if (result == 1)
			shaken = true;
		else if (!wait_wanted(tls, result, deadline_ms)) {
			fail_ssl(tls, result, saved_errno, "cannot agree on TLS", err);
			o2_tls_free(tls);
			return NULL;
		}
	}
	set_blocking(tls->fd, true);
	tls->failed = false;
	return tls;
}

static struct o2_tls *start_pinned(int fd, const struct o2_tls_identity *self, const char *peer,
				   bool server, int timeout_ms, struct o2_err *err)
{
	O2_AUTO(SSL_CTX_freep) SSL_CTX *context = context_new(TLS1_3_VERSION, err);

	if (context == NULL || SSL_CTX_use_certificate(context, self->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(context, self->key) != 1) {
		if (context != NULL)
			fail_openssl(err, O2_EINTERNAL, "cannot use the key");
		close(fd);
		return NULL;
	}
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(context, is_expected_peer, (void *)peer);
	struct o2_tls *tls = tls_new(context, fd, err);
	if (tls == NULL)
		return NULL;
	if (server)
		SSL_set_accept_state(tls->ssl);
	else
		SSL_set_connect_state(tls->ssl);
	tls = handshake(tls, true, timeout_ms, err);
	/* `peer` was borrowed for this call. */
	SSL_CTX_set_cert_verify_callback(context, is_expected_peer, (void *)"");
	return tls;
}

struct o2_tls *o2_tls_accept(int fd, const struct o2_tls_identity *self,
			     const char *peer_fingerprint, int timeout_ms, struct o2_err *err)
{
	return start_pinned(fd, self, peer_fingerprint, true, timeout_ms, err);
}

struct o2_tls *o2_tls_connect(int fd, const struct o2_tls_identity *self,
			      const char *peer_fingerprint, int timeout_ms, struct o2_err *err)
{
	return start_pinned(fd, self, peer_fingerprint, false, timeout_ms, err);
}

/* --- an authority's servers --------------------------------------------------------------------------------------------- */

static int trust(SSL_CTX *context, const char *ca_pem, struct o2_err *err)
{
	O2_AUTO(BIO_free_allp) BIO *bio = BIO_new_mem_buf(ca_pem, -1);
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	int count = 0;
	X509 *certificate;

	/* The empty password keeps OpenSSL from asking for one on the terminal. */
	while (bio != NULL &&
	       (certificate = PEM_read_bio_X509(bio, NULL, NULL, (void *)"")) != NULL) {
		count += X509_STORE_add_cert(store, certificate);
		X509_free(certificate);
	}
	if (count == 0)
		return fail_openssl(err, O2_EINVALID, "no certificate of an authority to trust");
	ERR_clear_error();
	/* What was given is trusted even if it is not self-signed, as the other clients of Kubernetes do. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	return 0;
}

static bool expect_host(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1)
		return true;
	X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(parameters, host, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct o2_tls *o2_tls_connect_ca(int fd, const char *ca_pem, const char *host, int timeout_ms,
				 struct o2_err *err)
{
	O2_AUTO(SSL_CTX_freep) SSL_CTX *context = context_new(TLS1_2_VERSION, err);

	if (context == NULL || trust(context, ca_pem, err) < 0) {
		close(fd);
		return NULL;
	}
	struct o2_tls *tls = tls_new(context, fd, err);
	if (tls == NULL)
		return NULL;
	if (host[0] == '\0' || !expect_host(tls->ssl, host)) {
		o2_fail(err, O2_EINVALID, "'%s' is no name of a host", host);
		o2_tls_free(tls);
		return NULL;
	}
	SSL_set_connect_state(tls->ssl);
	return handshake(tls, false, timeout_ms, err);
}

/* --- data --------------------------------------------------------------------------------------------------------------- */

int o2_tls_write(struct o2_tls *tls, const void *bytes, size_t len, struct o2_err *err)
{
	size_t written;

	if (len == 0)
		return 0;
	ERR_clear_error();
	errno = 0;
	int result = SSL_write_ex(tls->ssl, bytes, len, &written);
	int saved_errno = errno;
	if (result == 1)
		return 0;
	return fail_ssl(tls, result, saved_errno, "cannot send", err);
}

ptrdiff_t o2_tls_read(struct o2_tls *tls, void *out, size_t cap, struct o2_err *err)
{
	size_t len = 0;

	assert(cap > 0);
	ERR_clear_error();
	errno = 0;
	int result = SSL_read_ex(tls->ssl, out, cap, &len);
	int saved_errno = errno;
	if (result == 1)
		return (ptrdiff_t)len;
	if (SSL_get_error(tls->ssl, result) == SSL_ERROR_ZERO_RETURN)
		return 0;
	return fail_ssl(tls, result, saved_errno, "cannot receive", err);
}

bool o2_tls_pending(const struct o2_tls *tls)
{
	return SSL_has_pending(tls->ssl) == 1;
}

void o2_tls_free(struct o2_tls *tls)
{
	static const struct timeval patience = { .tv_sec = GOODBYE_MS / 1000 };

	if (tls == NULL)
		return;
	if (!tls->failed) {
		/* A peer that does not read any more must not keep us. */
		setsockopt(tls->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		SSL_shutdown(tls->ssl);
	}
	SSL_free(tls->ssl);
	ERR_clear_error();
	close(tls->fd);
	free(tls);
}
