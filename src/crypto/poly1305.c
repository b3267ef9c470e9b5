/*
 * Our build compiles libsodium's one-time authenticator and its look at the
 * processor, and nothing else of it: no sodium_init, which would bring the
 * random generator, the allocator and every other primitive. What sodium_init
 * does for the authenticator are two calls that are not in the public headers.
 * They are declared here, weakly, because a shared libsodium hides them and has
 * sodium_init in their place.
 *
 * sodium_runtime_has_sse2 on the contrary is declared weak in libsodium's
 * header, which would leave its file in the archive and a null pointer in the
 * caller. Here it is declared plainly, and that header is not included.
 */

#include "crypto/poly1305.h"

#include <assert.h>
#include <pthread.h>
#include <sodium/crypto_onetimeauth.h>

#include "crypto/wipe.h"

int _sodium_runtime_get_cpu_features(void) __attribute__((weak));
int _crypto_onetimeauth_poly1305_pick_best_implementation(void)
    __attribute__((weak));
int sodium_init(void) __attribute__((weak));
int sodium_runtime_has_sse2(void);

/* The vectorised implementation, when it was compiled; only its address is. */
extern const char crypto_onetimeauth_poly1305_sse2_implementation[]
    __attribute__((weak));

static pthread_once_t chosen = PTHREAD_ONCE_INIT;

static_assert(sizeof(struct poly1305) ==
    sizeof(crypto_onetimeauth_poly1305_state),
    "a poly1305 has room for libsodium's state");

/* Should none of it work, the portable code is what libsodium starts with. */
static void
choose(void)
{
	int rc = 0;

	if (_sodium_runtime_get_cpu_features != NULL)
		(void)_sodium_runtime_get_cpu_features();
	if (_crypto_onetimeauth_poly1305_pick_best_implementation != NULL)
		rc = _crypto_onetimeauth_poly1305_pick_best_implementation();
	else if (sodium_init != NULL)
		rc = sodium_init();
	(void)rc;
}

void
poly1305_begin(struct poly1305 *c, const uint8_t key[32])
{

	(void)pthread_once(&chosen, choose);
	(void)crypto_onetimeauth_poly1305_init((void *)c, key);
}

void
poly1305_update(struct poly1305 *c, const void *p, size_t len)
{

	(void)crypto_onetimeauth_poly1305_update((void *)c, p, len);
}

void
poly1305_end(struct poly1305 *c, uint8_t tag[16])
{

	(void)crypto_onetimeauth_poly1305_final((void *)c, tag);
	wipe(c, sizeof(*c));
}

bool
tag_equal(const uint8_t x[16], const uint8_t y[16])
{
	unsigned differ = 0;
	int i;

	for (i = 0; i < 16; i++) {
		differ |= x[i] ^ y[i];

		/* Without knowing it so far, nobody can leave early. */
		__asm__ __volatile__("" : "+r"(differ));
	}
	return (differ == 0);
}

/*
 * A shared libsodium has the vectorised code on every x86-64; our own build has
 * it where the symbol is. The portable code takes 64-bit limbs where a product
 * of 128 bits exists.
 */
const char *
poly1305_variant(void)
{
	bool compiled =
	    _crypto_onetimeauth_poly1305_pick_best_implementation == NULL ||
	    crypto_onetimeauth_poly1305_sse2_implementation != NULL;

	(void)pthread_once(&chosen, choose);
	if (compiled && sodium_runtime_has_sse2())
		return ("sse2");
#ifdef __SIZEOF_INT128__
	return ("donna64");
#else
	return ("donna32");
#endif
}
