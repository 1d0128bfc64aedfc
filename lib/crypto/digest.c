#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/alloc.h"
#include "crypto/crypto.h"

static void to_hex(const unsigned char digest[O2_SHA256_BYTES], char out[O2_SHA256_HEX_SIZE])
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < O2_SHA256_BYTES; i++) {
		out[2 * i] = hex[digest[i] >> 4];
		out[2 * i + 1] = hex[digest[i] & 15];
	}
	out[O2_SHA256_HEX_SIZE - 1] = '\0';
}

/* OpenSSL fails here only without memory or without its own algorithms; neither can be lived with.
 */
static void need(int ok)
{
	if (ok != 1)
		abort();
}

void o2_crypto_isolate(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

void o2_sha256_hex(const void *bytes, size_t len, char out[O2_SHA256_HEX_SIZE])
{
	unsigned char digest[O2_SHA256_BYTES];

	need(EVP_Digest(len > 0 ? bytes : "", len, digest, NULL, EVP_sha256(), NULL));
	to_hex(digest, out);
}

void o2_sha256_bytes(const void *bytes, size_t len, unsigned char out[O2_SHA256_BYTES])
{
	need(EVP_Digest(len > 0 ? bytes : "", len, out, NULL, EVP_sha256(), NULL));
}

struct o2_sha256 {
	EVP_MD_CTX *context;
};

struct o2_sha256 *o2_sha256_new(void)
{
	struct o2_sha256 *hash = o2_xcalloc(1, sizeof(*hash));

	hash->context = EVP_MD_CTX_new();
	need(hash->context != NULL);
	need(EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL));
	return hash;
}

void o2_sha256_add(struct o2_sha256 *hash, const void *bytes, size_t len)
{
	if (len > 0)
		need(EVP_DigestUpdate(hash->context, bytes, len));
}

void o2_sha256_final(struct o2_sha256 *hash, char out[O2_SHA256_HEX_SIZE])
{
	unsigned char digest[O2_SHA256_BYTES];

	need(EVP_DigestFinal_ex(hash->context, digest, NULL));
	to_hex(digest, out);
	EVP_MD_CTX_free(hash->context);
	free(hash);
}
