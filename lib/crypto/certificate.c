#include <limits.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/alloc.h"
#include "crypto/crypto.h"

/* Without it OpenSSL would ask on the terminal for the password of an encrypted block. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

int o2_certificate_not_after(const char *pem, size_t len, int64_t *out_unix, struct o2_err *err)
{
	struct tm tm;

	if (len > INT_MAX)
		return o2_fail(err, O2_EINVALID, "the certificate is too large");
	BIO *bio = BIO_new_mem_buf(len > 0 ? pem : "", (int)len);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
	int ok = certificate != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm);
	unsigned long why = ERR_peek_last_error();
	X509_free(certificate);
	BIO_free(bio);
	ERR_clear_error();
	if (ok) {
		*out_unix = (int64_t)timegm(&tm);
		return 0;
	}
	int rc = o2_fail(err, O2_EINVALID, "no valid certificate in the PEM text");
	if (err != NULL) {
		err->origin = O2_ORIGIN_OPENSSL;
		err->number = (long)why;
	}
	return rc;
}
