#ifndef CRYPTO_SEAL_H
#define CRYPTO_SEAL_H

/*
 * restic's envelope: IV (16) || AES-256-CTR ciphertext || Poly1305 tag (16).
 * The tag's one-time key is r || AES-128(K, IV), its message the ciphertext
 * alone. Everything streams: sealing gives IV, pieces, tag; opening is two
 * passes over the ciphertext, first the tag, then the plaintext, so that not a
 * byte is used that was not authenticated.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/aes_ctr.h"
#include "crypto/poly1305.h"

#define SEAL_IV  16
#define SEAL_TAG 16
#define SEAL_OVERHEAD (SEAL_IV + SEAL_TAG)
#define SEAL_KEY_LEN 64 /* enc (32) || K (16) || R (16), as scrypt gives it */

/* Expanded keys: read-only after the init, shared by threads. */
struct seal_key {
	struct aes_key enc;
	uint8_t k[16];
	uint8_t r[16];
};

void seal_key_init(struct seal_key *ret, const uint8_t raw[SEAL_KEY_LEN]);
void seal_key_wipe(struct seal_key *k);

/* One envelope in the making, or being opened. */
struct seal {
	struct aes_ctr ctr;
	struct poly1305 mac;
};

/**
 * seal_begin(s, k, iv): start an envelope under a fresh random ${iv}, which the
 * caller has written in front. seal_update encrypts in place and authenticates;
 * seal_end gives the tag to write behind.
 */
void seal_begin(struct seal *s, const struct seal_key *k,
    const uint8_t iv[SEAL_IV]);
void seal_update(struct seal *s, void *p, size_t len);
void seal_end(struct seal *s, uint8_t tag[SEAL_TAG]);

/**
 * unseal_begin, then unseal_mac over all of the ciphertext, then unseal_check
 * with the stored tag: true says that it is ours and whole. Then unseal_run
 * over the same bytes in the same order decrypts in place.
 */
void unseal_begin(struct seal *s, const struct seal_key *k,
    const uint8_t iv[SEAL_IV]);
void unseal_mac(struct seal *s, const void *p, size_t len);
bool unseal_check(struct seal *s, const uint8_t tag[SEAL_TAG]);
void unseal_run(struct seal *s, void *p, size_t len);

/**
 * seal_whole(k, iv, p, len, ret): a small document at once; ${ret} has room for
 * len + SEAL_OVERHEAD and may not overlap ${p}.
 * unseal_whole(k, p, len): check and decrypt in place; on true the plaintext is
 * the len - SEAL_OVERHEAD bytes at p + SEAL_IV. False: shorter than an
 * envelope, or not sealed with this key, and nothing was changed.
 */
void seal_whole(const struct seal_key *k, const uint8_t iv[SEAL_IV],
    const void *p, size_t len, uint8_t *ret);
bool unseal_whole(const struct seal_key *k, uint8_t *p, size_t len);

#endif /* CRYPTO_SEAL_H */
