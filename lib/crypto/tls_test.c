#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "crypto/crypto.h"
#include "crypto/tls.h"

#define PATIENCE_MS 10000

/* One end of a pinned handshake, in a thread of its own. */
struct end {
	int fd;
	const struct o2_tls_identity *self;
	const char *peer;
	struct o2_tls *tls;
	struct o2_err err;
	pthread_t thread;
};

static void *run_accept(void *arg)
{
	struct end *end = arg;

	end->tls = o2_tls_accept(end->fd, end->self, end->peer, PATIENCE_MS, &end->err);
	return NULL;
}

static void socket_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

/* Both handshakes; what each came to is in ends[0] (server) and ends[1] (client). */
static void shake(struct end ends[2])
{
	int fds[2];

	socket_pair(fds);
	ends[0].fd = fds[0];
	ends[1].fd = fds[1];
	assert_int_equal(pthread_create(&ends[0].thread, NULL, run_accept, &ends[0]), 0);
	ends[1].tls =
		o2_tls_connect(ends[1].fd, ends[1].self, ends[1].peer, PATIENCE_MS, &ends[1].err);
	assert_int_equal(pthread_join(ends[0].thread, NULL), 0);
}

static void pair(struct end ends[2], struct o2_tls_identity *a, struct o2_tls_identity *b)
{
	ends[0] = (struct end){ .self = a, .peer = o2_tls_fingerprint(b) };
	ends[1] = (struct end){ .self = b, .peer = o2_tls_fingerprint(a) };
	shake(ends);
	assert_non_null(ends[0].tls);
	assert_non_null(ends[1].tls);
}

static void read_exactly(struct o2_tls *tls, unsigned char *out, size_t len)
{
	struct o2_err err = { 0 };

	for (size_t at = 0; at < len;) {
		ptrdiff_t got = o2_tls_read(tls, out + at, len - at, &err);
		assert_true(got > 0);
		at += (size_t)got;
	}
}

static void identities_differ_and_show_a_digest(void **state)
{
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *a = o2_tls_identity_new(NULL);
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *b = o2_tls_identity_new(NULL);

	(void)state;
	assert_int_equal(strlen(o2_tls_fingerprint(a)), 64);
	assert_int_equal(strspn(o2_tls_fingerprint(a), "0123456789abcdef"), 64);
	assert_string_not_equal(o2_tls_fingerprint(a), o2_tls_fingerprint(b));
}

struct load {
	struct o2_tls *tls;
	const unsigned char *bytes;
	size_t len;
	int rc;
};

static void *run_write(void *arg)
{
	struct load *load = arg;

	load->rc = o2_tls_write(load->tls, load->bytes, load->len, NULL);
	return NULL;
}

static void bytes_arrive_in_both_directions_and_the_end_is_orderly(void **state)
{
	const size_t size = (3 << 20) + 7;
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *a = o2_tls_identity_new(NULL);
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *b = o2_tls_identity_new(NULL);
	O2_AUTO(o2_freep) unsigned char *sent = o2_xmalloc(size);
	O2_AUTO(o2_freep) unsigned char *got = o2_xmalloc(size);
	struct o2_err err = { 0 };
	struct end ends[2];

	(void)state;
	o2_random_bytes(sent, size);
	pair(ends, a, b);
	for (int from = 0; from < 2; from++) {
		struct load load = { .tls = ends[from].tls, .bytes = sent, .len = size };
		pthread_t thread;
		memset(got, 0, size);
		assert_int_equal(pthread_create(&thread, NULL, run_write, &load), 0);
		read_exactly(ends[1 - from].tls, got, size);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(load.rc, 0);
		assert_memory_equal(got, sent, size);
	}
	assert_int_equal(o2_tls_write(ends[0].tls, "", 0, &err), 0);
	o2_tls_free(ends[0].tls);
	assert_int_equal(o2_tls_read(ends[1].tls, got, size, &err), 0);
	assert_int_equal(o2_tls_read(ends[1].tls, got, size, &err), 0);
	o2_tls_free(ends[1].tls);
}

static void what_was_taken_but_not_given_out_is_pending(void **state)
{
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *a = o2_tls_identity_new(NULL);
	unsigned char bytes[3];
	struct end ends[2];

	(void)state;
	pair(ends, a, a);
	assert_false(o2_tls_pending(ends[1].tls));
	assert_int_equal(o2_tls_write(ends[0].tls, "abc", 3, NULL), 0);
	read_exactly(ends[1].tls, bytes, 1);
	assert_true(o2_tls_pending(ends[1].tls));
	read_exactly(ends[1].tls, bytes + 1, 2);
	assert_false(o2_tls_pending(ends[1].tls));
	o2_tls_free(ends[0].tls);
	o2_tls_free(ends[1].tls);
}

/* `wrong`: the end that expects somebody else. Both must learn it in the handshake. */
static void refuse(int wrong)
{
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *a = o2_tls_identity_new(NULL);
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *b = o2_tls_identity_new(NULL);
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *c = o2_tls_identity_new(NULL);
	struct end ends[2] = { { .self = a, .peer = o2_tls_fingerprint(b) },
			       { .self = b, .peer = o2_tls_fingerprint(a) } };

	ends[wrong].peer = o2_tls_fingerprint(c);
	shake(ends);
	assert_null(ends[0].tls);
	assert_null(ends[1].tls);
	assert_int_equal(ends[0].err.code, -O2_EAUTH);
	assert_int_equal(ends[1].err.code, -O2_EAUTH);
}

static void server_refuses_another_client(void **state)
{
	(void)state;
	refuse(0);
}

static void client_refuses_another_server(void **state)
{
	(void)state;
	refuse(1);
}

/* A server whose own expectation is "" must not take everybody. */
static void empty_fingerprint_matches_nobody(void **state)
{
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *a = o2_tls_identity_new(NULL);
	struct end ends[2] = { { .self = a, .peer = "" },
			       { .self = a, .peer = o2_tls_fingerprint(a) } };

	(void)state;
	shake(ends);
	assert_null(ends[0].tls);
	assert_int_equal(ends[0].err.code, -O2_EAUTH);
}

static void silent_and_trickling_peers_are_given_up(void **state)
{
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *a = o2_tls_identity_new(NULL);

	(void)state;
	for (int bytes = 0; bytes < 2; bytes++) {
		struct o2_err err = { 0 };
		int fds[2];
		socket_pair(fds);
		int64_t start_ms = o2_clock_ms();
		if (bytes > 0)
			assert_int_equal(write(fds[1], "\x16\x03\x01", 3), 3);
		assert_null(o2_tls_accept(fds[0], a, o2_tls_fingerprint(a), 100, &err));
		assert_int_equal(err.code, -O2_ETRANSIENT);
		assert_in_range(o2_clock_ms() - start_ms, 95, 5000);
		close(fds[1]);
	}
}

static void peers_that_speak_something_else_are_no_transient_failure(void **state)
{
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *a = o2_tls_identity_new(NULL);
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	struct o2_err err = { 0 };
	int fds[2];

	(void)state;
	socket_pair(fds);
	assert_int_equal(write(fds[1], request, strlen(request)), strlen(request));
	assert_null(o2_tls_accept(fds[0], a, o2_tls_fingerprint(a), PATIENCE_MS, &err));
	assert_int_equal(err.code, -O2_EIO);
	close(fds[1]);
}

static void peers_that_hang_up_in_the_handshake_are_transient(void **state)
{
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *a = o2_tls_identity_new(NULL);
	struct o2_err err = { 0 };
	int fds[2];

	(void)state;
	socket_pair(fds);
	close(fds[1]);
	assert_null(o2_tls_accept(fds[0], a, o2_tls_fingerprint(a), PATIENCE_MS, &err));
	assert_int_equal(err.code, -O2_ETRANSIENT);
}

static void cut_is_told_from_an_orderly_end(void **state)
{
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *a = o2_tls_identity_new(NULL);
	struct o2_err err = { 0 };
	struct end ends[2];
	char byte;

	(void)state;
	pair(ends, a, a);
	assert_int_equal(shutdown(ends[0].fd, SHUT_WR), 0);
	assert_int_equal(o2_tls_read(ends[1].tls, &byte, 1, &err), -O2_ETRANSIENT);
	o2_tls_free(ends[1].tls);
	o2_err_clear(&err);
	assert_int_equal(o2_tls_write(ends[0].tls, "a", 1, &err), -O2_ETRANSIENT);
	o2_tls_free(ends[0].tls);
}

static void sockets_own_time_out_holds_after_the_handshake(void **state)
{
	O2_AUTO(o2_tls_identity_freep) struct o2_tls_identity *a = o2_tls_identity_new(NULL);
	static const struct timeval patience = { .tv_usec = 50000 };
	struct o2_err err = { 0 };
	struct end ends[2];
	char byte;

	(void)state;
	pair(ends, a, a);
	setsockopt(ends[1].fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(o2_tls_read(ends[1].tls, &byte, 1, &err), -O2_ETRANSIENT);
	o2_tls_free(ends[0].tls);
	o2_tls_free(ends[1].tls);
}

/* --- servers that an authority vouches for ---------------------------------------------------------------------------- */

struct authority {
	EVP_PKEY *key;
	X509 *certificate;
	SSL_CTX *context;
	int fd;
	pthread_t thread;
};

/* A self-signed certificate with these names is its own authority. */
static void authority_init(struct authority *authority, const char *alternative_names, long days)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);
	X509_EXTENSION *names =
		X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alternative_names);

	authority->key = EVP_EC_gen("P-256");
	X509_set_version(certificate, X509_VERSION_3);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"kube", -1, -1,
				   0);
	X509_set_issuer_name(certificate, name);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86400L);
	X509_set_pubkey(certificate, authority->key);
	X509_add_ext(certificate, names, -1);
	X509_EXTENSION_free(names);
	assert_true(X509_sign(certificate, authority->key, EVP_sha256()) > 0);
	authority->certificate = certificate;
	authority->context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(authority->context, certificate);
	SSL_CTX_use_PrivateKey(authority->context, authority->key);
}

static void authority_release(struct authority *authority)
{
	SSL_CTX_free(authority->context);
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
}

static char *authority_pem(const struct authority *authority)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;

	PEM_write_bio_X509(bio, authority->certificate);
	long len = BIO_get_mem_data(bio, &bytes);
	char *pem = o2_xasprintf("some words\n%.*s", (int)len, bytes);
	BIO_free(bio);
	return pem;
}

/* Echo what is read once. */
static void *run_authority(void *arg)
{
	struct authority *authority = arg;
	SSL *ssl = SSL_new(authority->context);
	char bytes[64];

	SSL_set_fd(ssl, authority->fd);
	int len = SSL_accept(ssl) == 1 ? SSL_read(ssl, bytes, sizeof(bytes)) : 0;
	if (len > 0)
		SSL_write(ssl, bytes, len);
	SSL_free(ssl);
	close(authority->fd);
	return NULL;
}

/* 0 if `host` was believed and answered. */
static int ask(struct authority *authority, const char *pem, const char *host)
{
	struct o2_err err = { 0 };
	char echo[3] = { 0 };
	int fds[2];

	socket_pair(fds);
	authority->fd = fds[0];
	assert_int_equal(pthread_create(&authority->thread, NULL, run_authority, authority), 0);
	struct o2_tls *tls = o2_tls_connect_ca(fds[1], pem, host, PATIENCE_MS, &err);
	if (tls != NULL) {
		assert_int_equal(o2_tls_write(tls, "abc", 3, &err), 0);
		read_exactly(tls, (unsigned char *)echo, 3);
		assert_memory_equal(echo, "abc", 3);
	}
	o2_tls_free(tls);
	assert_int_equal(pthread_join(authority->thread, NULL), 0);
	assert_true(tls != NULL || err.code < 0);
	return err.code;
}

#define NAMES "DNS:kubernetes.default.svc,IP:10.96.0.1,IP:fd00::1"

static void servers_are_held_against_authority_and_name(void **state)
{
	struct authority ours, other, expired;

	(void)state;
	authority_init(&ours, NAMES, 1);
	authority_init(&other, NAMES, 1);
	authority_init(&expired, NAMES, -1);
	O2_AUTO(o2_freep) char *pem = authority_pem(&ours);
	O2_AUTO(o2_freep) char *other_pem = authority_pem(&other);
	O2_AUTO(o2_freep) char *expired_pem = authority_pem(&expired);
	O2_AUTO(o2_freep) char *both = o2_xasprintf("%s%s", other_pem, pem);
	assert_int_equal(ask(&ours, pem, "kubernetes.default.svc"), 0);
	assert_int_equal(ask(&ours, pem, "10.96.0.1"), 0);
	assert_int_equal(ask(&ours, pem, "fd00::1"), 0);
	assert_int_equal(ask(&ours, both, "10.96.0.1"), 0);
	assert_int_equal(ask(&ours, pem, "10.96.0.2"), -O2_EAUTH);
	assert_int_equal(ask(&ours, pem, "kubernetes.default"), -O2_EAUTH);
	assert_int_equal(ask(&ours, other_pem, "10.96.0.1"), -O2_EAUTH);
	assert_int_equal(ask(&expired, expired_pem, "10.96.0.1"), -O2_EAUTH);
	assert_int_equal(ask(&ours, "no certificate", "10.96.0.1"), -O2_EINVALID);
	assert_int_equal(ask(&ours, pem, ""), -O2_EINVALID);
	authority_release(&ours);
	authority_release(&other);
	authority_release(&expired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identities_differ_and_show_a_digest),
		cmocka_unit_test(bytes_arrive_in_both_directions_and_the_end_is_orderly),
		cmocka_unit_test(what_was_taken_but_not_given_out_is_pending),
		cmocka_unit_test(server_refuses_another_client),
		cmocka_unit_test(client_refuses_another_server),
		cmocka_unit_test(empty_fingerprint_matches_nobody),
		cmocka_unit_test(silent_and_trickling_peers_are_given_up),
		cmocka_unit_test(peers_that_speak_something_else_are_no_transient_failure),
		cmocka_unit_test(peers_that_hang_up_in_the_handshake_are_transient),
		cmocka_unit_test(cut_is_told_from_an_orderly_end),
		cmocka_unit_test(sockets_own_time_out_holds_after_the_handshake),
		cmocka_unit_test(servers_are_held_against_authority_and_name),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
