#ifndef CRYPTO_POLY1305_H
#define CRYPTO_POLY1305_H

/* Raw Poly1305 (RFC 8439 2.5), incremental; libsodium is behind it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct poly1305 {
	_Alignas(16) uint8_t opaque[256];
};

/* ${key} is r || s; the clamping of r is done here. */
void poly1305_begin(struct poly1305 *c, const uint8_t key[32]);
void poly1305_update(struct poly1305 *c, const void *p, size_t len);
void poly1305_end(struct poly1305 *c, uint8_t tag[16]);

/* Constant-time comparison. */
bool tag_equal(const uint8_t x[16], const uint8_t y[16]);

/* Which implementation runs: "sse2", "donna64", ... */
const char *poly1305_variant(void);

#endif /* CRYPTO_POLY1305_H */
