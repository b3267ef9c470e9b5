#include "crypto/seal.h"

#include <string.h>

#include "crypto/wipe.h"

/*
 * Cipher and authenticator take turns on pieces of this size, so that the
 * second finds in the processor's first cache what the first has just written.
 */
#define TURN 8192

void
seal_key_init(struct seal_key *ret, const uint8_t raw[SEAL_KEY_LEN])
{

	aes_key_init(&ret->enc, raw);
	memcpy(ret->k, raw + 32, sizeof(ret->k));
	memcpy(ret->r, raw + 48, sizeof(ret->r));
}

void
seal_key_wipe(struct seal_key *k)
{

	wipe(k, sizeof(*k));
}

/* Sealing and opening begin alike: r || AES-128(K, IV) is the one-time key. */
void
seal_begin(struct seal *s, const struct seal_key *k, const uint8_t iv[SEAL_IV])
{
	uint8_t once[32];

	memcpy(once, k->r, 16);
	aes128_block(k->k, iv, once + 16);
	poly1305_begin(&s->mac, once);
	aes_ctr_begin(&s->ctr, &k->enc, iv);
	wipe(once, sizeof(once));
}

void
seal_update(struct seal *s, void *p, size_t len)
{
	uint8_t *at = p;
	size_t n;

	for (; len > 0; len -= n, at += n) {
		n = len < TURN ? len : TURN;
		aes_ctr_run(&s->ctr, at, n);
		poly1305_update(&s->mac, at, n);
	}
}

void
seal_end(struct seal *s, uint8_t tag[SEAL_TAG])
{

	poly1305_end(&s->mac, tag);
	wipe(s, sizeof(*s));
}

void
unseal_begin(struct seal *s, const struct seal_key *k,
    const uint8_t iv[SEAL_IV])
{

	seal_begin(s, k, iv);
}

void
unseal_mac(struct seal *s, const void *p, size_t len)
{

	poly1305_update(&s->mac, p, len);
}

bool
unseal_check(struct seal *s, const uint8_t tag[SEAL_TAG])
{
	uint8_t made[SEAL_TAG];

	poly1305_end(&s->mac, made);
	return (tag_equal(made, tag));
}

void
unseal_run(struct seal *s, void *p, size_t len)
{

	aes_ctr_run(&s->ctr, p, len);
}

void
seal_whole(const struct seal_key *k, const uint8_t iv[SEAL_IV], const void *p,
    size_t len, uint8_t *ret)
{
	struct seal s;

	memcpy(ret, iv, SEAL_IV);
	if (len > 0)
		memcpy(ret + SEAL_IV, p, len);
	seal_begin(&s, k, iv);
	seal_update(&s, ret + SEAL_IV, len);
	seal_end(&s, ret + SEAL_IV + len);
}

bool
unseal_whole(const struct seal_key *k, uint8_t *p, size_t len)
{
	struct seal s;
	bool ours;

	if (len < SEAL_OVERHEAD)
		return (false);
	unseal_begin(&s, k, p);
	unseal_mac(&s, p + SEAL_IV, len - SEAL_OVERHEAD);
	if ((ours = unseal_check(&s, p + len - SEAL_TAG)))
		unseal_run(&s, p + SEAL_IV, len - SEAL_OVERHEAD);
	wipe(&s, sizeof(s));
	return (ours);
}
