/*
 * What the few files taken from libsodium expect of the many that are not.
 */

#include <stdlib.h>

#include "core.h"
#include "randombytes.h"

int _sodium_runtime_get_cpu_features(void);
int _crypto_onetimeauth_poly1305_pick_best_implementation(void);

/* The library's one public way to choose the fastest code; safe to repeat. */
int
sodium_init(void)
{

	_sodium_runtime_get_cpu_features();
	return (_crypto_onetimeauth_poly1305_pick_best_implementation());
}

/* Reached only by parts that we do not call: key generation, guarded heap. */
void
randombytes_buf(void *const p, const size_t len)
{

	(void)p;
	(void)len;
	abort();
}

uint32_t
randombytes_random(void)
{

	abort();
}

void
sodium_misuse(void)
{

	abort();
}
