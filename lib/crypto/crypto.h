/*
 * Digests, base64 and random bytes (OpenSSL).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define O2_SHA256_HEX_SIZE 65 /* 64 digits and the NUL */

/*
 * Never read the machine's openssl.cnf, which can name libraries to load: for a program that runs among somebody else's files.
 * Call it before anything else of this module.
 */
void o2_crypto_isolate(void);

/* Lower-case hex SHA-256 of `len` bytes. */
void o2_sha256_hex(const void *bytes, size_t len, char out[O2_SHA256_HEX_SIZE]);

/* The same as 32 bytes, for digests that are kept by the million. */
#define O2_SHA256_BYTES 32
void o2_sha256_bytes(const void *bytes, size_t len, unsigned char out[O2_SHA256_BYTES]);

/* A digest over several pieces. Free it with o2_sha256_final(), which also gives the result. */
struct o2_sha256;
struct o2_sha256 *o2_sha256_new(void);
void o2_sha256_add(struct o2_sha256 *hash, const void *bytes, size_t len);
void o2_sha256_final(struct o2_sha256 *hash, char out[O2_SHA256_HEX_SIZE]);

/* Standard base64 with padding. Caller frees. */
char *o2_base64_encode(const void *bytes, size_t len);

/*
 * Decode standard base64; white space is skipped.
 *
 * out_bytes  caller frees; a NUL follows the last byte and is not counted.
 * Errors     O2_EINVALID.
 */
O2_MUST_CHECK int o2_base64_decode(const char *text, unsigned char **out_bytes, size_t *out_len,
				   struct o2_err *err);

/* Fill with random bytes; aborts if the system has none. */
void o2_random_bytes(void *out, size_t len);

/*
 * The end of validity of the first certificate in a PEM text, seconds since 1970.
 *
 * Errors  O2_EINVALID.
 */
O2_MUST_CHECK int o2_certificate_not_after(const char *pem, size_t len, int64_t *out_unix,
					   struct o2_err *err);
