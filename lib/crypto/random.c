/* Chance that nobody can guess. A simulator that has to repeat itself brings another file in the place of this one. */
#include "crypto/crypto.h"

#include <openssl/rand.h>
#include <stdlib.h>

#define PART_BYTES (1 << 20)

void o2_random_bytes(void *out, size_t len)
{
	unsigned char *p = out;

	while (len > 0) {
		int part = len < PART_BYTES ? (int)len : PART_BYTES;
		if (RAND_bytes(p, part) != 1)
			abort(); /* without chance there are no keys */
		p += part;
		len -= (size_t)part;
	}
}
