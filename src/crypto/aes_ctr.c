/*
 * BearSSL's counter classes count in the last 32 bits alone, which is what TLS
 * wants; restic counts in all 128. So a variant is asked for runs in which the
 * low 32 bits do not wrap, and the carry is made here, between runs, for all of
 * them.
 */

#include "crypto/aes_ctr.h"

#include <assert.h>
#include <bearssl.h>
#include <pthread.h>
#include <string.h>

#include "base/id.h"
#include "crypto/accel.h"
#include "crypto/wipe.h"

enum {
	BLOCK = 16,
	CC_AT = 12,          /* of the 32 counting bits in a counter block */
};

/* What lies in an aes_key. */
struct schedule {
	const struct aes_variant *variant;
	_Alignas(16) uint8_t own[AES_SCHED];
};

static_assert(sizeof(struct schedule) <= sizeof(struct aes_key),
    "an aes_key has room for its schedule");
static_assert(sizeof(br_aes_x86ni_ctr_keys) <= AES_SCHED &&
    sizeof(br_aes_ct64_ctr_keys) <= AES_SCHED &&
    sizeof(br_aes_ct_ctr_keys) <= AES_SCHED &&
    sizeof(struct aes_rounds) <= AES_SCHED,
    "a schedule has room for every variant's");

/* Its own, the x86 one of BearSSL, the portable one, the end. */
static struct aes_variant_name variants[4];
static pthread_once_t chosen = PTHREAD_ONCE_INIT;

/* A BearSSL context begins with the pointer to its class. */
static void
run_bearssl(const void *sched, const uint8_t iv[12], uint32_t cc, uint8_t *p,
    size_t n)
{
	const br_block_ctr_class *const *c = sched;

	(void)(*c)->run(c, iv, cc, p, n * BLOCK);
}

static void
expand_x86ni(void *sched, const uint8_t *key, size_t len)
{

	br_aes_x86ni_ctr_get_vtable()->init(sched, key, len);
}

/*
 * Constant-time, bitsliced: four blocks at once in 64-bit words, or two in
 * 32-bit words where the processor has no others.
 */
static void
expand_portable(void *sched, const uint8_t *key, size_t len)
{

	if (sizeof(void *) >= 8)
		br_aes_ct64_ctr_init(sched, key, len);
	else
		br_aes_ct_ctr_init(sched, key, len);
}

static const struct aes_variant x86ni = { expand_x86ni, run_bearssl };
static const struct aes_variant portable = { expand_portable, run_bearssl };

static void
choose(void)
{
	const struct aes_variant_name *own = aes_accel();
	size_t n = 0;

	if (own != NULL)
		variants[n++] = *own;
	if (ACCEL_X86 && br_aes_x86ni_ctr_get_vtable() != NULL) {
		variants[n].name = "bearssl-aes-ni";
		variants[n++].variant = &x86ni;
	}
	variants[n].name = sizeof(void *) >= 8 ? "bearssl-ct64" : "bearssl-ct";
	variants[n].variant = &portable;
}

const struct aes_variant_name *
aes_variants(void)
{

	(void)pthread_once(&chosen, choose);
	return (variants);
}

/* FIPS 197, 5.2; on a word whose lowest byte is the first, as they lie. */
void
aes_rounds_expand(struct aes_rounds *ret, const uint8_t *key, size_t len,
    uint32_t (*sub)(uint32_t))
{
	uint8_t *w = ret->key[0];
	size_t nk = len / 4, i;
	uint32_t t, rcon = 1;

	ret->n = (unsigned)nk + 6;
	memcpy(w, key, len);
	for (i = nk; i < 4 * (ret->n + 1); i++) {
		t = load_le32(w + 4 * (i - 1));
		if (i % nk == 0) {
			t = sub(t >> 8 | t << 24) ^ rcon;
			rcon = rcon << 1 ^ (rcon >> 7) * 0x11b;
		} else if (nk > 6 && i % nk == 4) {
			t = sub(t);
		}
		store_le32(w + 4 * i, load_le32(w + 4 * (i - nk)) ^ t);
	}
}

static void
expand(struct aes_key *k, const struct aes_variant *v, const uint8_t *key,
    size_t len)
{
	struct schedule *s = (struct schedule *)(void *)k->opaque;

	s->variant = v;
	v->expand(s->own, key, len);
}

void
aes_key_init_with(struct aes_key *k, const struct aes_variant *v,
    const uint8_t key[32])
{

	expand(k, v, key, 32);
}

void
aes_key_init(struct aes_key *k, const uint8_t key[32])
{

	expand(k, aes_variants()->variant, key, 32);
}

/* Add ${n} to the counter block, one big-endian number. */
static void
counter_add(uint8_t counter[16], uint64_t n)
{
	uint64_t low = load_be64(counter + 8) + n;

	store_be64(counter + 8, low);
	if (low < n)
		store_be64(counter, load_be64(counter) + 1);
}

/* Whole blocks, in runs that end where the low 32 bits do. */
static void
run_blocks(const struct aes_key *k, uint8_t counter[16], uint8_t *p, size_t n)
{
	const struct schedule *s =
	    (const struct schedule *)(const void *)k->opaque;
	uint64_t room;
	uint32_t cc;
	size_t now;

	for (; n > 0; n -= now, p += now * BLOCK) {
		cc = (uint32_t)load_be64(counter + CC_AT - 4);
		room = (UINT64_C(1) << 32) - cc;
		now = n < room ? n : (size_t)room;
		s->variant->run(s->own, counter, cc, p, now);
		counter_add(counter, now);
	}
}

void
aes_ctr_begin(struct aes_ctr *c, const struct aes_key *k, const uint8_t iv[16])
{

	c->key = k;
	memcpy(c->counter, iv, BLOCK);
	c->used = BLOCK;
}

/* XOR key stream that is left over onto at most ${len} bytes; say how many. */
static size_t
spend_left(struct aes_ctr *c, uint8_t *p, size_t len)
{
	size_t n = BLOCK - c->used, i;

	if (n > len)
		n = len;
	for (i = 0; i < n; i++)
		p[i] ^= c->left[c->used + i];
	c->used += (unsigned)n;
	return (n);
}

void
aes_ctr_run(struct aes_ctr *c, void *p, size_t len)
{
	uint8_t *at = p;
	size_t n;

	if (len == 0)
		return;

	/* The rest of the block begun, whole blocks, the begin of another. */
	n = spend_left(c, at, len);
	at += n;
	len -= n;
	run_blocks(c->key, c->counter, at, len / BLOCK);
	at += len / BLOCK * BLOCK;
	len %= BLOCK;
	if (len > 0) {
		memset(c->left, 0, BLOCK);
		run_blocks(c->key, c->counter, c->left, 1);
		c->used = 0;
		(void)spend_left(c, at, len);
	}
}

/* The key stream of one block is what the cipher makes of the counter. */
void
aes128_block_with(const struct aes_variant *v, const uint8_t key[16],
    const uint8_t in[16], uint8_t ret[16])
{
	uint8_t counter[BLOCK], out[BLOCK] = { 0 };
	struct aes_key k;

	expand(&k, v, key, 16);
	memcpy(counter, in, BLOCK);
	run_blocks(&k, counter, out, 1);
	memcpy(ret, out, BLOCK);
	wipe(&k, sizeof(k));
	wipe(out, sizeof(out));
}

void
aes128_block(const uint8_t key[16], const uint8_t in[16], uint8_t ret[16])
{

	aes128_block_with(aes_variants()->variant, key, in, ret);
}
