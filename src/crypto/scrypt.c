/*
 * The shape of the thing: PBKDF2 makes p blocks of 128 r bytes out of password
 * and salt, each is mixed with N blocks of memory, and PBKDF2 again makes the
 * key out of the password with the mixed blocks as its salt. Both ends are
 * HMACs that can be fed in pieces, so one block at a time is enough, whatever p
 * is.
 */

#include "crypto/scrypt.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "crypto/salsa.h"
#include "crypto/sha256.h"
#include "crypto/wipe.h"

enum {
	STRIDE_MAX = 64,
	HMAC_BLOCK = 64,
	CORE = 64,           /* bytes of one Salsa20 block */
};

/*
 * What a run needs beside V: three blocks of 128 r. An odd r in a hostile key
 * file must not make them larger than V may be, unless they are small anyway.
 */
#define WORK_SMALL (64 * 1024)

struct hmac {
	struct sha256 inner;
	struct sha256 outer;
};

/* The memory and the measures of one run; a block is 32 r words. */
struct mixer {
	uint32_t *v;         /* every stride-th of the N blocks */
	uint32_t *x, *y, *z; /* the block in work, and two to compute in */
	uint32_t n, r, stride;
	size_t words;        /* of a block */
};

static void
hmac_begin(struct hmac *h, const void *key, size_t len)
{
	uint8_t pad[HMAC_BLOCK] = { 0 };
	struct id digest;
	int i;

	/* A key longer than a block is replaced by its hash. */
	if (len > HMAC_BLOCK) {
		sha256(key, len, &digest);
		key = digest.b;
		len = sizeof(digest.b);
	}
	if (len > 0)
		memcpy(pad, key, len);
	for (i = 0; i < HMAC_BLOCK; i++)
		pad[i] ^= 0x36;
	sha256_begin(&h->inner);
	sha256_update(&h->inner, pad, HMAC_BLOCK);
	for (i = 0; i < HMAC_BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	sha256_begin(&h->outer);
	sha256_update(&h->outer, pad, HMAC_BLOCK);
	wipe(pad, sizeof(pad));
	wipe(&digest, sizeof(digest));
}

static void
hmac_end(struct hmac *h, struct id *ret)
{

	sha256_end(&h->inner, ret);
	sha256_update(&h->outer, ret->b, ID_LEN);
	sha256_end(&h->outer, ret);
	wipe(h, sizeof(*h));
}

/*
 * PBKDF2 with one iteration: block i of the output is the HMAC of salt and i,
 * counted from 1. ${salted} is keyed with the password and has had the salt.
 */
static void
pbkdf2_block(const struct hmac *salted, uint32_t i, struct id *ret)
{
	uint8_t number[4] = { (uint8_t)(i >> 24), (uint8_t)(i >> 16),
	    (uint8_t)(i >> 8), (uint8_t)i };
	struct hmac h = *salted;

	sha256_update(&h.inner, number, sizeof(number));
	hmac_end(&h, ret);
}

/* ${len} bytes of that output, from block ${first} on. */
static void
pbkdf2(const struct hmac *salted, uint32_t first, uint8_t *ret, size_t len)
{
	struct id block;
	size_t n;

	for (; len > 0; len -= n, ret += n, first++) {
		n = len < ID_LEN ? len : ID_LEN;
		pbkdf2_block(salted, first, &block);
		memcpy(ret, block.b, n);
	}
	wipe(&block, sizeof(block));
}

/*
 * scryptBlockMix of in, or of in ^ also: chain the 2 r pieces through the core,
 * the even results into the first half of ${out}, the odd ones into the second.
 */
SALSA void
block_mix(uint32_t *out, const uint32_t *in, const uint32_t *also, uint32_t r)
{
	struct salsa x, piece;
	size_t i, half = (size_t)r * 16, last = 2 * half - 16;

	x = salsa_get(in + last);
	if (also != NULL)
		x = salsa_xor(x, salsa_get(also + last));
	for (i = 0; i < 2 * half; i += 16) {
		piece = salsa_get(in + i);
		if (also != NULL)
			piece = salsa_xor(piece, salsa_get(also + i));
		x = salsa_core(salsa_xor(x, piece));
		salsa_put(out + i / 32 * 16 + (i & 16 ? half : 0), x);
	}
}

static void
mix(uint32_t *out, const uint32_t *in, uint32_t r)
{

	block_mix(out, in, NULL, r);
}

static void
mix_sum(uint32_t *out, const uint32_t *in, const uint32_t *also, uint32_t r)
{

	block_mix(out, in, also, r);
}

static void
swap(uint32_t **p, uint32_t **q)
{
	uint32_t *was = *p;

	*p = *q;
	*q = was;
}

/* The first half of ROMix: V_i is the i-th state of x; keep every stride-th. */
static void
fill(struct mixer *m)
{
	uint32_t i;

	for (i = 0; i < m->n; i++) {
		if (i % m->stride == 0)
			memcpy(m->v + i / m->stride * m->words, m->x,
			    m->words * sizeof(*m->x));
		mix(m->y, m->x, m->r);
		swap(&m->x, &m->y);
	}
}

/*
 * A V that was kept lies anywhere, and the mixing would wait for each of its
 * cache lines in turn: ask for them all at once.
 */
static void
prefetch(const uint32_t *v, size_t words)
{
	size_t i;

	for (i = 0; i < words; i += CORE / sizeof(*v))
		__builtin_prefetch(v + i);
}

/* V_j: as it was kept, or computed forward from the last one kept before it. */
static const uint32_t *
recall(struct mixer *m, uint32_t j)
{
	const uint32_t *kept = m->v + j / m->stride * m->words;
	uint32_t missing = j % m->stride;

	prefetch(kept, m->words);
	if (missing == 0)
		return (kept);
	mix(m->z, kept, m->r);
	while (--missing > 0) {
		mix(m->y, m->z, m->r);
		swap(&m->z, &m->y);
	}
	return (m->z);
}

/*
 * The second half: N times, add the V that the last piece of x names. N is a
 * power of two within 32 bits, so of Integerify's number the first word counts.
 */
static void
mix_in(struct mixer *m)
{
	const uint32_t *v;
	uint32_t i, j;

	for (i = 0; i < m->n; i++) {
		j = m->x[m->words - 16] & (m->n - 1);
		v = recall(m, j);
		mix_sum(m->y, m->x, v, m->r);
		swap(&m->x, &m->y);
	}
}

/* Bytes into x, each piece in the core's order, and back. */
static void
load(struct mixer *m, const uint8_t *p)
{
	size_t i;

	for (i = 0; i < m->words; i++)
		m->x[i] = load_le32(p + i / 16 * CORE +
		    4 * (size_t)salsa_order[i % 16]);
}

static void
store(const struct mixer *m, uint8_t *p)
{
	size_t i;

	for (i = 0; i < m->words; i++)
		store_le32(p + i / 16 * CORE + 4 * (size_t)salsa_order[i % 16],
		    m->x[i]);
}

/* Block ${i} of p, from the salted HMAC into the one that makes the key. */
static void
run_block(struct mixer *m, const struct hmac *salted, uint32_t i,
    struct hmac *last)
{
	size_t len = m->words * sizeof(*m->x);

	pbkdf2(salted, i * (uint32_t)(len / ID_LEN) + 1, (uint8_t *)m->z, len);
	load(m, (uint8_t *)m->z);
	fill(m);
	mix_in(m);
	store(m, (uint8_t *)m->z);
	sha256_update(&last->inner, m->z, len);
}

/* RFC 7914's bounds, those of restic-format 3, and no overflow on the way. */
static int
check(uint32_t n, uint32_t r, uint32_t p, struct err *e)
{

	if (n < 2 || (n & (n - 1)) != 0 || r == 0 || p == 0 ||
	    r > INT32_MAX / 128 / n || (uint64_t)r * p >= UINT64_C(1) << 30)
		return (err_set(e, ERR_USAGE,
		    "scrypt cannot be run with N = %u, r = %u, p = %u",
		    (unsigned)n, (unsigned)r, (unsigned)p));
	return (0);
}

static uint64_t
blocks_kept(uint32_t n, uint32_t stride)
{

	return (n > stride ? n / stride : 1);
}

/* The smallest stride with which V fits, or 0. */
static uint32_t
choose_stride(uint32_t n, uint32_t r, size_t budget)
{
	uint64_t block = UINT64_C(128) * r;
	uint32_t t;

	if (3 * block > budget && 3 * block > WORK_SMALL)
		return (0);
	for (t = 1; t <= STRIDE_MAX; t *= 2)
		if (blocks_kept(n, t) * block <= budget)
			return (t);
	return (0);
}

int
scrypt(const void *pass, size_t pass_len, const void *salt, size_t salt_len,
    uint32_t n, uint32_t r, uint32_t p, size_t budget, uint8_t *ret,
    size_t ret_len, struct err *e)
{
	struct hmac salted, last;
	struct mixer m;
	uint64_t total;
	uint32_t i;
	size_t kept;
	int rc;

	if ((rc = check(n, r, p, e)) != 0)
		return (rc);
	if ((m.stride = choose_stride(n, r, budget)) == 0)
		return (err_set(e, ERR_LIMIT, "scrypt with N = %u, r = %u "
		    "needs more than the %zu bytes allowed here",
		    (unsigned)n, (unsigned)r, budget));
	m.n = n;
	m.r = r;
	m.words = (size_t)r * 32;
	kept = (size_t)blocks_kept(n, m.stride) * m.words;
	total = ((uint64_t)kept + 3 * m.words) * sizeof(*m.v);
	if (total > PTRDIFF_MAX ||
	    (m.v = aligned_alloc(CORE, (size_t)total)) == NULL)
		return (err_nomem(e));
	m.x = m.v + kept;
	m.y = m.x + m.words;
	m.z = m.y + m.words;

	hmac_begin(&salted, pass, pass_len);
	last = salted;
	sha256_update(&salted.inner, salt, salt_len);
	for (i = 0; i < p; i++)
		run_block(&m, &salted, i, &last);
	pbkdf2(&last, 1, ret, ret_len);

	wipe(m.v, (size_t)total);
	free(m.v);
	wipe(&salted, sizeof(salted));
	wipe(&last, sizeof(last));
	return (0);
}
