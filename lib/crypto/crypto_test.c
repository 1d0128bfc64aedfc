#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "crypto/crypto.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void sha256_gives_the_values_of_fips_180(void **state)
{
	char hex[O2_SHA256_HEX_SIZE];

	(void)state;
	o2_sha256_hex(NULL, 0, hex);
	assert_string_equal(hex, EMPTY_SHA256);
	o2_sha256_hex("abc", 3, hex);
	assert_string_equal(hex, ABC_SHA256);
}

static void sha256_of_pieces_is_that_of_the_whole(void **state)
{
	char hex[O2_SHA256_HEX_SIZE];
	struct o2_sha256 *hash = o2_sha256_new();

	(void)state;
	o2_sha256_add(hash, "a", 1);
	o2_sha256_add(hash, NULL, 0);
	o2_sha256_add(hash, "bc", 2);
	o2_sha256_final(hash, hex);
	assert_string_equal(hex, ABC_SHA256);
}

static void base64_gives_the_values_of_rfc_4648(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(pairs); i++) {
		size_t len;
		O2_AUTO(o2_freep) unsigned char *bytes = NULL;
		O2_AUTO(o2_freep) char *text = o2_base64_encode(pairs[i][0], strlen(pairs[i][0]));
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(o2_base64_decode(text, &bytes, &len, NULL), 0);
		assert_int_equal(len, strlen(pairs[i][0]));
		assert_string_equal((char *)bytes, pairs[i][0]);
	}
}

static void base64_skips_white_space(void **state)
{
	O2_AUTO(o2_freep) unsigned char *bytes = NULL;
	size_t len;

	(void)state;
	assert_int_equal(o2_base64_decode(" Zm\n9v\r\nYg =\t= \n", &bytes, &len, NULL), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(bytes, "foob", 5);
}

static void base64_refuses_what_is_none(void **state)
{
	static const char *const wrong[] = { "Z",    "Zg",   "Zg=",  "Zm8",   "=",    "====",
					     "Z===", "Zg=a", "Zg-=", "Zm9v=", "Z_==", "Zm8==" };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(wrong); i++) {
		struct o2_err err = { 0 };
		unsigned char *bytes = NULL;
		size_t len;
		assert_int_equal(o2_base64_decode(wrong[i], &bytes, &len, &err), -O2_EINVALID);
		assert_null(bytes);
	}
}

static void base64_carries_large_binary_data(void **state)
{
	const size_t size = (7 << 20) + 1;
	O2_AUTO(o2_freep) unsigned char *from = o2_xmalloc(size);
	O2_AUTO(o2_freep) unsigned char *back = NULL;
	size_t len;

	(void)state;
	o2_random_bytes(from, size);
	O2_AUTO(o2_freep) char *text = o2_base64_encode(from, size);
	assert_int_equal(o2_base64_decode(text, &back, &len, NULL), 0);
	assert_int_equal(len, size);
	assert_memory_equal(back, from, size);
}

static void random_bytes_differ(void **state)
{
	unsigned char a[16] = { 0 }, b[16] = { 0 };

	(void)state;
	o2_random_bytes(a, sizeof(a));
	o2_random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

#define CERTIFICATE_END 2110606481
static const char certificate[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBMjCB5aADAgECAhQJDgRrX8HuENpjvn+LX9kZbzhhEzAFBgMrZXAwDzENMAsG\n"
	"A1UEAwwEdGVzdDAeFw0yNjExMjEwNzM0NDFaFw0zNjExMTgwNzM0NDFaMA8xDTAL\n"
	"BgNVBAMMBHRlc3QwKjAFBgMrZXADIQDLmWGWa79I1Kiv7zSzzSPmfbmaOITZQFrA\n"
	"NMpwJezTCKNTMFEwHQYDVR0OBBYEFENU33nmQ5aqVOJrYK8eJOmQnHr0MB8GA1Ud\n"
	"IwQYMBaAFENU33nmQ5aqVOJrYK8eJOmQnHr0MA8GA1UdEwEB/wQFMAMBAf8wBQYD\n"
	"K2VwA0EAqFlmiQvKg8vXq+ccW4tLoBEfYRJetWyQgmgUE9WgSA0TITuv+th/jAjP\n"
	"A9M8wdg8wz+hlag6DBVjQeYDqjVIBg==\n"
	"-----END CERTIFICATE-----\n";
static void certificate_tells_its_end(void **state)
{
	int64_t end = 0;

	(void)state;
	assert_int_equal(o2_certificate_not_after(certificate, strlen(certificate), &end, NULL), 0);
	assert_int_equal(end, CERTIFICATE_END);
}

static void certificate_is_found_behind_other_blocks(void **state)
{
	O2_AUTO(o2_freep)
	char *text = o2_xasprintf("words\n-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
				  "-----END EC PARAMETERS-----\n%s",
				  certificate);
	int64_t end = 0;

	(void)state;
	assert_int_equal(o2_certificate_not_after(text, strlen(text), &end, NULL), 0);
	assert_int_equal(end, CERTIFICATE_END);
}

static void certificate_refuses_what_is_none(void **state)
{
	static const char *const wrong[] = {
		"",
		"text",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n",
	};

	(void)state;
	for (size_t i = 0; i < O2_COUNT(wrong); i++) {
		struct o2_err err = { 0 };
		int64_t end = 0;
		assert_int_equal(o2_certificate_not_after(wrong[i], strlen(wrong[i]), &end, &err),
				 -O2_EINVALID);
		assert_int_equal(err.origin, O2_ORIGIN_OPENSSL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_values_of_fips_180),
		cmocka_unit_test(sha256_of_pieces_is_that_of_the_whole),
		cmocka_unit_test(base64_gives_the_values_of_rfc_4648),
		cmocka_unit_test(base64_skips_white_space),
		cmocka_unit_test(base64_refuses_what_is_none),
		cmocka_unit_test(base64_carries_large_binary_data),
		cmocka_unit_test(random_bytes_differ),
		cmocka_unit_test(certificate_tells_its_end),
		cmocka_unit_test(certificate_is_found_behind_other_blocks),
		cmocka_unit_test(certificate_refuses_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
