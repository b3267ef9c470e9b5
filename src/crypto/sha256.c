#include "crypto/sha256.h"

#include <bearssl.h>
#include <pthread.h>
#include <string.h>

#include "crypto/accel.h"
#include "crypto/wipe.h"

enum {
	BLOCK = 64,
	LEN_AT = 56,         /* of the message's length in the last block */
};

/* FIPS 180-4, 5.3.3: square roots of the first eight primes. */
static const uint32_t initial[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* FIPS 180-4, 4.2.2: cube roots of the first sixty-four. */
_Alignas(16) const uint32_t sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
	0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static struct sha256_variant variants[3];
static pthread_once_t chosen = PTHREAD_ONCE_INIT;

static void
store_be32(uint8_t *p, uint32_t v)
{

	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t
load_be32(const uint8_t *p)
{

	return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | (uint32_t)p[3]);
}

/*
 * BearSSL keeps its block function to itself; what is public is a context whose
 * state can be set and read at a block's border. The detour costs two
 * conversions of eight words a call.
 */
static void
blocks_bearssl(uint32_t h[8], const uint8_t *p, size_t n)
{
	br_sha256_context c;
	uint8_t state[32];
	int i;

	for (i = 0; i < 8; i++)
		store_be32(state + 4 * i, h[i]);
	br_sha256_init(&c);
	br_sha256_set_state(&c, state, 0);
	br_sha256_update(&c, p, n * BLOCK);
	(void)br_sha256_state(&c, state);
	for (i = 0; i < 8; i++)
		h[i] = load_be32(state + 4 * i);
}

static void
choose(void)
{
	const struct sha256_variant *own = sha256_accel();
	size_t n = 0;

	if (own != NULL)
		variants[n++] = *own;
	variants[n].name = "bearssl";
	variants[n].blocks = blocks_bearssl;
}

const struct sha256_variant *
sha256_variants(void)
{

	(void)pthread_once(&chosen, choose);
	return (variants);
}

void
sha256_begin(struct sha256 *c)
{

	memcpy(c->h, initial, sizeof(c->h));
	c->len = 0;
}

void
sha256_update_with(sha256_blocks_fn *blocks, struct sha256 *c, const void *p,
    size_t len)
{
	const uint8_t *from = p;
	size_t part = c->len % BLOCK, n;

	if (len == 0)
		return;
	c->len += len;

	/* Fill up the block that was begun. */
	if (part > 0) {
		n = len < BLOCK - part ? len : BLOCK - part;
		memcpy(c->part + part, from, n);
		if (part + n < BLOCK)
			return;
		blocks(c->h, c->part, 1);
		from += n;
		len -= n;
	}

	/* Whole blocks are read where they lie. */
	if (len >= BLOCK)
		blocks(c->h, from, len / BLOCK);
	memcpy(c->part, from + len / BLOCK * BLOCK, len % BLOCK);
}

void
sha256_end_with(sha256_blocks_fn *blocks, const struct sha256 *c,
    struct id *ret)
{
	size_t part = c->len % BLOCK;
	size_t n = part < LEN_AT ? 1 : 2;
	uint8_t last[2 * BLOCK] = { 0 };
	uint32_t h[8];
	int i;

	memcpy(last, c->part, part);
	last[part] = 0x80;
	store_be64(last + n * BLOCK - 8, c->len * 8);
	memcpy(h, c->h, sizeof(h));
	blocks(h, last, n);
	for (i = 0; i < 8; i++)
		store_be32(ret->b + 4 * i, h[i]);

	/* It may have been the end of a password. */
	wipe(last, sizeof(last));
}

void
sha256_update(struct sha256 *c, const void *p, size_t len)
{

	sha256_update_with(sha256_variants()->blocks, c, p, len);
}

void
sha256_end(const struct sha256 *c, struct id *ret)
{

	sha256_end_with(sha256_variants()->blocks, c, ret);
}

void
sha256(const void *p, size_t len, struct id *ret)
{
	struct sha256 c;

	sha256_begin(&c);
	sha256_update(&c, p, len);
	sha256_end(&c, ret);
	wipe(&c, sizeof(c));
}
