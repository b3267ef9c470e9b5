#ifndef CRYPTO_SHA256_H
#define CRYPTO_SHA256_H

/*
 * SHA-256 (FIPS 180-4). The block function is chosen once, at the first use:
 * the processor's own instructions where it has them, else BearSSL's.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

struct sha256 {
	uint32_t h[8];
	uint64_t len;        /* bytes so far */
	uint8_t part[64];    /* len % 64 of them wait here */
};

void sha256_begin(struct sha256 *c);
void sha256_update(struct sha256 *c, const void *p, size_t len);

/* The digest of what came so far; the context may go on afterwards. */
void sha256_end(const struct sha256 *c, struct id *ret);

/* All in one. */
void sha256(const void *p, size_t len, struct id *ret);

/**
 * sha256_blocks_fn: run ${n} blocks of 64 bytes at ${p} into ${h}.
 * sha256_variants(): the block functions that this processor can run, the
 * chosen one first, ended by a NULL name. For the self test and the benchmark.
 */
typedef void sha256_blocks_fn(uint32_t h[8], const uint8_t *p, size_t n);
struct sha256_variant {
	const char *name;    /* "sha-ni", "armv8", "bearssl" */
	sha256_blocks_fn *blocks;
};
const struct sha256_variant *sha256_variants(void);

#endif /* CRYPTO_SHA256_H */
