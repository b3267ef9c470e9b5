#ifndef CRYPTO_AES_CTR_H
#define CRYPTO_AES_CTR_H

/*
 * AES-256-CTR as restic uses it: the initial counter block is the whole 16-byte
 * IV, incremented as one big-endian 128-bit number. And the single AES-128
 * block that makes the Poly1305 nonce.
 */

#include <stddef.h>
#include <stdint.h>

/* A key schedule: read-only after aes_key_init, shared by threads. */
struct aes_key {
	_Alignas(16) uint8_t opaque[512];
};

void aes_key_init(struct aes_key *k, const uint8_t key[32]);

/* One stream: encrypting and decrypting are the same. */
struct aes_ctr {
	const struct aes_key *key;
	uint8_t counter[16]; /* of the next block to make */
	uint8_t left[16];    /* key stream of a block begun */
	unsigned used;       /* how much of it is spent; 16 = none is left */
};

void aes_ctr_begin(struct aes_ctr *c, const struct aes_key *k,
    const uint8_t iv[16]);

/* En- or decrypt ${len} bytes in place; pieces of any size. */
void aes_ctr_run(struct aes_ctr *c, void *p, size_t len);

/* One block of AES-128-ECB: ret = AES(key, in). */
void aes128_block(const uint8_t key[16], const uint8_t in[16],
    uint8_t ret[16]);

/**
 * The implementations that this processor can run, the chosen one first, ended
 * by a NULL name. aes_key_init_with makes a schedule for one of them; run and
 * begin follow the schedule.
 */
struct aes_variant;
struct aes_variant_name {
	const char *name;    /* "vaes", "armv8", "bearssl-ct64", ... */
	const struct aes_variant *variant;
};
const struct aes_variant_name *aes_variants(void);
void aes_key_init_with(struct aes_key *k, const struct aes_variant *v,
    const uint8_t key[32]);

#endif /* CRYPTO_AES_CTR_H */
