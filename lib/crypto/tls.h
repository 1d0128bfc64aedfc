/*
 * TLS 1.3 over a connected socket (OpenSSL).
 *
 * Two ends that know each other's fingerprint beforehand need no authority: each makes an identity for one use, tells its fingerprint
 * over a channel that is trusted already, and accepts exactly the other's.
 *
 *	struct o2_tls_identity *self = o2_tls_identity_new(&err);    // P-256 key and certificate, in memory only
 *	... o2_tls_fingerprint(self) goes to the peer, the peer's comes here ...
 *	struct o2_tls *tls = o2_tls_accept(fd, self, peer, 10000, &err);
 *	o2_tls_write(tls, bytes, len, &err);
 *	o2_tls_free(tls);                                            // sends close_notify, closes fd
 *
 * Caveats: blocking sockets; one thread reads while another may write only if the caller serialises them. Time-outs are the
 * handshake's, and afterwards whatever SO_RCVTIMEO and SO_SNDTIMEO the caller set on the socket. The process ignores SIGPIPE.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/err.h"
#include "crypto/crypto.h"

struct o2_tls_identity;
/* A P-256 key and a certificate for it, which exist in memory only. Errors: O2_EINTERNAL. */
struct o2_tls_identity *o2_tls_identity_new(struct o2_err *err);
void o2_tls_identity_free(struct o2_tls_identity *identity);
O2_DEFINE_FREEP(struct o2_tls_identity, o2_tls_identity_free)
/* Lower-case hex SHA-256 of the certificate (DER). Borrowed from the identity. */
const char *o2_tls_fingerprint(const struct o2_tls_identity *identity);

struct o2_tls;
/*
 * Server and client handshake with a peer of a known fingerprint, TLS 1.3 only, both sides show a certificate. When either
 * returns, the peer has accepted us, too: the server says so by one byte of its own, so both ends must be these functions.
 *
 * fd      taken: closed by o2_tls_free(), also when this fails.
 * Errors  O2_EAUTH (another fingerprint), O2_ETRANSIENT (time-out, reset), O2_EIO.
 */
O2_MUST_CHECK struct o2_tls *o2_tls_accept(int fd, const struct o2_tls_identity *self,
					   const char *peer_fingerprint, int timeout_ms,
					   struct o2_err *err);
O2_MUST_CHECK struct o2_tls *o2_tls_connect(int fd, const struct o2_tls_identity *self,
					    const char *peer_fingerprint, int timeout_ms,
					    struct o2_err *err);
/*
 * Client handshake with a server that an authority vouches for (TLS 1.2 or 1.3).
 * ca_pem  one or more certificates.
 * host    a DNS name or an IP address; the certificate must be for it.
 * fd, errors  as above; O2_EAUTH: the certificate is not for `host` or not from the authority. O2_EINVALID: no certificate in ca_pem.
 */
O2_MUST_CHECK struct o2_tls *o2_tls_connect_ca(int fd, const char *ca_pem, const char *host,
					       int timeout_ms, struct o2_err *err);
/* Sends close_notify unless the connection has failed, waits at most a second for that, closes the socket. NULL is ignored. */
void o2_tls_free(struct o2_tls *tls);
O2_DEFINE_FREEP(struct o2_tls, o2_tls_free)
/* All of it. Errors: O2_ETRANSIENT (reset, time-out). */
O2_MUST_CHECK int o2_tls_write(struct o2_tls *tls, const void *bytes, size_t len,
			       struct o2_err *err);
/* At least one byte, at most `cap`; 0 at the peer's orderly end. A connection cut without close_notify is O2_ETRANSIENT. */
O2_MUST_CHECK ptrdiff_t o2_tls_read(struct o2_tls *tls, void *out, size_t cap, struct o2_err *err);
/* Whether bytes were taken from the socket that o2_tls_read() has not given out: ask before waiting for the socket by poll().
 * What is there may be part of a record only, so that the read waits for the rest. */
bool o2_tls_pending(const struct o2_tls *tls);
