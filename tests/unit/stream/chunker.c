/*
 * The chunker: the vectors of restic-format 16, cuts that do not depend on how
 * the stream comes, and a slow chunker beside it that is written down from the
 * format, one byte after the other, with nothing skipped.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hex.h"
#include "base/selftest.h"
#include "crypto/aes_ctr.h"
#include "crypto/sha256.h"
#include "stream/chunker.h"
#include "stream/rabin.h"
#include "stream/slab.h"
#include "unit/rng.h"
#include "unit/scratch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIB (1u << 20)
#define POLYNOMIAL 0x3da3358b4dc173

static uint8_t *data;            /* 32 MiB for all */

/* ---- the slow one ---- */

struct slow {
	uint64_t p;
	uint64_t top[256], out[256];
	uint8_t window[64];
	unsigned at;
	uint64_t h;
	size_t count;
};

/* h * x^8 + byte, bit by bit. */
static uint64_t
slow_append(uint64_t p, uint64_t h, uint8_t byte)
{
	int i;

	for (i = 7; i >= 0; i--) {
		h = h << 1 | (byte >> i & 1);
		if (h >> 53)
			h ^= p;
	}
	return (h);
}

static void
slow_reset(struct slow *s)
{

	memset(s->window, 0, sizeof(s->window));
	s->h = 0;
	s->count = 0;
}

static void
slow_init(struct slow *s, uint64_t p)
{
	unsigned b, i;

	s->p = p;
	s->at = 0;
	for (b = 0; b < 256; b++) {
		s->top[b] = slow_append(p, (uint64_t)b << 45, 0);
		s->out[b] = b;
		for (i = 0; i < 64; i++)
			s->out[b] = slow_append(p, s->out[b], 0);
	}
	slow_reset(s);
}

/* One byte more; is it the last of its chunk? */
static bool
slow_byte(struct slow *s, uint8_t byte)
{

	s->h = s->top[s->h >> 45] ^ (s->h << 8 & 0x1fffffffffff00) ^ byte ^
	    s->out[s->window[s->at]];
	s->window[s->at] = byte;
	s->at = (s->at + 1) % 64;
	s->count++;
	return (s->count >= CHUNK_MIN && ((s->h & CHUNK_MASK) == 0 ||
	    s->count == CHUNK_MAX));
}

/* ---- the real one, fed as the reader feeds it ---- */

/* How many bytes the next call gets. */
typedef size_t pieces(uint64_t *seed);

static size_t
whole_slabs(uint64_t *seed)
{

	(void)seed;
	return (SLAB_LEN);
}

static size_t
some_bytes(uint64_t *seed)
{

	switch (rng_below(seed, 3)) {
	case 0:
		return (1 + rng_below(seed, 3));
	case 1:
		return (1 + rng_below(seed, 300));
	default:
		return (1 + rng_below(seed, 40000));
	}
}

/* The positions of the cuts, at most ${max}; how many they are. */
static size_t
run(const struct chunk_tables *t, size_t len, pieces *next, size_t *ret,
    size_t max)
{
	static uint8_t mem[2][SLAB_HEAD + SLAB_LEN];
	size_t pos, fill = SLAB_LEN, n, cut, found = 0;
	unsigned slab = 0;
	uint64_t seed = 7;
	struct chunker c;

	memset(mem, 0xee, sizeof(mem));
	chunker_begin(&c, t);
	for (pos = 0; pos < len; ) {
		if (fill == SLAB_LEN) {
			memcpy(mem[!slab], mem[slab] + SLAB_LEN, SLAB_HEAD);
			slab = !slab;
			fill = 0;
		}
		n = next(&seed);
		if (n > SLAB_LEN - fill)
			n = SLAB_LEN - fill;
		if (n > len - pos)
			n = len - pos;
		memcpy(mem[slab] + SLAB_HEAD + fill, data + pos, n);
		while (n > 0) {
			cut = chunker_scan(&c, mem[slab] + SLAB_HEAD + fill,
			    n);
			assert_true(cut <= n);
			if (cut != 0) {
				assert_true(found < max);
				ret[found++] = pos + cut;
			} else {
				cut = n;
			}
			pos += cut;
			fill += cut;
			n -= cut;
		}
	}
	assert_int_equal(c.pos, len - (found > 0 ? ret[found - 1] : 0));
	return (found);
}

static void
compare(uint64_t polynomial, size_t len, pieces *next)
{
	static struct chunk_tables t;
	static struct slow s;
	size_t cut[70], n, i, pos;

	chunk_tables_init(&t, polynomial);
	slow_init(&s, polynomial);
	n = run(&t, len, next, cut, COUNT(cut));
	for (pos = i = 0; pos < len; pos++) {
		if (!slow_byte(&s, data[pos]))
			continue;
		if (i >= n || cut[i] != pos + 1)
			fail_msg("polynomial %llx, cut %zu of %zu: %zu instead "
			    "of %zu", (unsigned long long)polynomial, i, n,
			    i < n ? cut[i] : 0, pos + 1);
		i++;
		slow_reset(&s);
	}
	assert_int_equal(i, n);
}

/* The vectors: lengths of chunks, the last is what the end of input leaves. */
static void
check_lengths(const uint32_t *want, size_t n_want, size_t len, pieces *next)
{
	static struct chunk_tables t;
	size_t cut[70], n, i, at = 0;

	chunk_tables_init(&t, POLYNOMIAL);
	n = run(&t, len, next, cut, COUNT(cut));
	if (n == 0 || cut[n - 1] != len)
		cut[n++] = len;
	assert_int_equal(n, n_want);
	for (i = 0; i < n; i++) {
		assert_int_equal(cut[i] - at, want[i]);
		at = cut[i];
	}
}

static void
check_sha256(size_t len, const char *hex)
{
	char got[ID_HEX + 1];
	struct id id;

	sha256(data, len, &id);
	assert_string_equal(id_hex(&id, got), hex);
}

/* ---- the inputs ---- */

static void
key_stream(size_t len)
{
	static const uint8_t zero[32];
	struct aes_key k;
	struct aes_ctr c;

	memset(data, 0, len);
	aes_key_init(&k, zero);
	aes_ctr_begin(&c, &k, zero);
	aes_ctr_run(&c, data, len);
}

/*
 * Go's math/rand is y[n] = y[n - 607] + y[n - 273] in 64 bits. Its seeding mixes
 * in the register of the same generator, seeded simply, after 7.8e12 steps: a
 * jump, because x^n modulo x^607 - x^334 - 1 says which sum of the first 607
 * numbers y[n] is.
 */
enum { LAG = 607, TAP = 273 };

static void
poly_reduce(uint64_t a[2 * LAG])
{
	int i;

	for (i = 2 * LAG - 1; i >= LAG; i--) {
		a[i - LAG] += a[i];
		a[i - TAP] += a[i];
		a[i] = 0;
	}
}

/* r = x^n; squares and shifts, from the top bit of n on. */
static void
poly_power(uint64_t r[2 * LAG], uint64_t n)
{
	uint64_t square[2 * LAG];
	int bit, i, j;

	memset(r, 0, 2 * LAG * sizeof(*r));
	r[0] = 1;
	for (bit = 63; bit >= 0; bit--) {
		memset(square, 0, sizeof(square));
		for (i = 0; i < LAG; i++)
			for (j = 0; j < LAG; j++)
				square[i + j] += r[i] * r[j];
		poly_reduce(square);
		memcpy(r, square, sizeof(square));
		if (n >> bit & 1) {
			memmove(r + 1, r, LAG * sizeof(*r));
			r[0] = 0;
			poly_reduce(r);
		}
	}
}

/* A register in the order in which the numbers of ${vec} are used up. */
static size_t
place(uint64_t n)
{

	return ((size_t)((LAG - TAP - 1 + LAG - n % LAG) % LAG));
}

static void
simple_seed(uint64_t vec[LAG], uint32_t seed, int shift)
{
	uint64_t x = seed, u;
	int i, k;

	for (i = -20; i < LAG; i++) {
		x = x * 48271 % 0x7fffffff;
		if (i < 0)
			continue;
		u = x << 2 * shift;
		for (k = 1; k >= 0; k--) {
			x = x * 48271 % 0x7fffffff;
			u ^= x << k * shift;
		}
		vec[i] = u;
	}
}

static void
go_rand(uint32_t seed, size_t len)
{
	static uint64_t y[2 * LAG], power[2 * LAG], cooked[LAG], vec[LAG];
	const uint64_t steps = 7800000000000;
	uint64_t v;
	size_t n, i;

	simple_seed(vec, 1, 10);
	for (n = 0; n < 2 * LAG; n++)
		y[n] = n < LAG ? vec[place(n)] : y[n - LAG] + y[n - TAP];
	poly_power(power, steps);
	for (n = 0; n < LAG; n++) {
		for (v = i = 0; i < LAG; i++)
			v += power[i] * y[n + i];
		cooked[place(steps + n)] = v;
	}
	assert_int_equal(cooked[0], (uint64_t)-4181792142133755926);

	simple_seed(vec, seed, 20);
	for (n = 0; n < LAG; n++)
		vec[n] ^= cooked[n];
	for (n = 0; n < len / 4; n++) {
		v = vec[place(n)] += vec[place(n + LAG - TAP)];
		store_le32(data + 4 * n, (uint32_t)(v >> 31));
	}
}

/* ---- tests ---- */

static int
set_up(void **state)
{

	(void)state;
	return ((data = malloc(32 * MIB)) == NULL);
}

static int
tear_down(void **state)
{

	(void)state;
	free(data);
	return (0);
}

static void
test_tables(void **state)
{
	struct chunk_tables t;

	(void)state;
	chunk_tables_init(&t, POLYNOMIAL);
	assert_int_equal(t.out[0], 0);
	assert_int_equal(t.mod[0], 0);
	assert_int_equal(t.out[1], 0x17eb4232e19216);
	assert_int_equal(t.out[255], 0x0b80b98cecc39a);
	assert_int_equal(t.mod[1], 0x003da3358b4dc173);
	assert_int_equal(t.mod[255], 0x1ff7ac8a5af476a7);
}

static void
test_key_stream(void **state)
{
	static const uint32_t want[] = { 551133, 640712, 2766582, 898583,
	    2782732, 2263350, 531615, 1191198, 3039727, 3056265, 6102139,
	    872917, 919848, 1608882, 1844092, 1605195, 2879462 };
	static const uint64_t digest[] = { 0x167b6ec4c00000, 0x1bea90f1e00000,
	    0x1539bd75300000, 0x15cd4250800000 };
	static struct slow s;
	size_t pos, i = 0;

	(void)state;
	key_stream(32 * MIB);
	check_sha256(32 * MIB, "580881df129d7ef36820a14231d4dab3"
	    "4d306a37ef48c49463da3b05282de687");
	check_lengths(want, COUNT(want), 32 * MIB, whole_slabs);
	check_lengths(want, COUNT(want), 32 * MIB, some_bytes);

	/* That the slow one is right too. */
	slow_init(&s, POLYNOMIAL);
	for (pos = 0; i < COUNT(digest); pos++) {
		assert_true(pos < 5 * MIB);
		if (slow_byte(&s, data[pos])) {
			assert_int_equal(s.count, want[i]);
			assert_int_equal(s.h, digest[i]);
			slow_reset(&s);
			i++;
		}
	}
}

static void
test_go_rand(void **state)
{
	static const uint32_t want[] = { 2163460, 643703, 1528956, 1955808,
	    2222372, 2538687, 609606, 1205738, 959742, 4036109, 1525894,
	    1352720, 811884, 1282314, 1318021, 948640, 645464, 533758,
	    1128303, 800374, 2453512, 2651975, 237392 };

	(void)state;
	go_rand(23, 32 * MIB);
	check_sha256(32 * MIB, "529617b3a6df2372a77f656f14a5baaf"
	    "997dc03c1fc458d196f933fed0a46573");
	check_lengths(want, COUNT(want), 32 * MIB, whole_slabs);
}

static void
test_zeros(void **state)
{
	static const uint32_t want[] = { CHUNK_MIN, CHUNK_MIN, CHUNK_MIN,
	    CHUNK_MIN };
	static const uint32_t more[] = { CHUNK_MIN, 1 };

	(void)state;
	memset(data, 0, 2 * MIB);
	check_lengths(want, COUNT(want), 2 * MIB, whole_slabs);
	check_lengths(want, COUNT(want), 2 * MIB, some_bytes);
	check_lengths(want, 1, CHUNK_MIN, some_bytes);
	check_lengths(want, 1, CHUNK_MIN, whole_slabs);
	check_lengths(more, 2, CHUNK_MIN + 1, some_bytes);
}

/* What has no cut of its own is cut at the most. */
static void
test_most(void **state)
{
	static const uint32_t want[] = { CHUNK_MAX, CHUNK_MAX, 4 * MIB + 5 };

	(void)state;
	memset(data, 'x', 20 * MIB + 5);
	check_lengths(want, COUNT(want), 20 * MIB + 5, whole_slabs);
	check_lengths(want, COUNT(want), 20 * MIB + 5, some_bytes);
	check_lengths(want, 1, CHUNK_MAX, whole_slabs);
	check_lengths(want, 2, 2 * CHUNK_MAX, some_bytes);
}

/* A few bytes of input of each size around the least, cut off anywhere. */
static void
test_short(void **state)
{
	static struct chunk_tables t;
	static const size_t len[] = { 0, 1, 63, 64, 65, CHUNK_MIN - 65,
	    CHUNK_MIN - 64, CHUNK_MIN - 1 };
	size_t cut[1], i;

	(void)state;
	chunk_tables_init(&t, POLYNOMIAL);
	memset(data, 0, CHUNK_MIN);
	for (i = 0; i < COUNT(len); i++) {
		assert_int_equal(run(&t, len[i], whole_slabs, cut, 1), 0);
		assert_int_equal(run(&t, len[i], some_bytes, cut, 1), 0);
	}
}

/*
 * Cuts at each byte of a stretch of lanes: zeros make a hit wherever 64 of them
 * lie together, and nothing else does in so short a stretch.
 */
static void
test_each_lane(void **state)
{
	enum { LONG = 20000 };
	static struct chunk_tables t;
	static uint8_t p[CHUNK_WINDOW + LONG];
	uint64_t seed = 11;
	struct chunker c;
	size_t n, cut, hits, want, a, b, len;

	(void)state;
	chunk_tables_init(&t, POLYNOMIAL);
	for (n = hits = 0; n < 600; n++) {
		rng_fill(&seed, p, sizeof(p));
		/* Two hits, anywhere; behind CHUNK_MIN all count. */
		a = rng_below(&seed, LONG - 70);
		b = rng_below(&seed, LONG - 70);
		memset(p + CHUNK_WINDOW + a, 0, 64);
		if (n % 3 != 0)
			memset(p + CHUNK_WINDOW + b, 0, 64);
		want = a + 64;
		if (n % 3 != 0 && b + 64 < want)
			want = b + 64;
		len = LONG - rng_below(&seed, 5000);
		c.tables = &t;
		c.pos = CHUNK_MIN + 100;
		cut = chunker_scan(&c, p + CHUNK_WINDOW, len);
		/* One in a million bytes is a hit by chance. */
		if (cut != 0 && cut < want) {
			hits++;
			continue;
		}
		if (want > len) {
			assert_int_equal(cut, 0);
			assert_int_equal(c.pos, CHUNK_MIN + 100 + len);
		} else {
			assert_int_equal(cut, want);
			assert_int_equal(c.pos, 0);
		}
	}
	assert_true(hits < 60);
}

static void
test_random(void **state)
{
	uint64_t seed = 3;

	(void)state;
	rng_fill(&seed, data, 12 * MIB);
	compare(POLYNOMIAL, 12 * MIB, some_bytes);
	compare(0x2482734cacca49, 12 * MIB, whole_slabs);
	compare(0x3f000000000a3b | 1, 6 * MIB, some_bytes);
}

/* Mostly zeros, as disk images are: hits in every lane, and many at once. */
static void
test_zero_heavy(void **state)
{
	uint64_t seed = 4;
	size_t at, n;

	(void)state;
	memset(data, 0, 12 * MIB);
	for (at = 0; at < 12 * MIB - 20000; at += n) {
		n = rng_below(&seed, 6000);
		if (rng_below(&seed, 50) == 0)
			n += MIB;
		rng_fill(&seed, data + at, rng_below(&seed, 100));
		n += 100;
	}
	compare(POLYNOMIAL, 12 * MIB, whole_slabs);
	compare(POLYNOMIAL, 12 * MIB, some_bytes);
}

static void
test_repetitive(void **state)
{
	static const size_t period[] = { 2, 3, 64, 65, 4096, 4097, 100000 };
	uint64_t seed = 5;
	size_t i, k;

	(void)state;
	for (k = 0; k < COUNT(period); k++) {
		rng_fill(&seed, data, period[k]);
		for (i = period[k]; i < 10 * MIB; i++)
			data[i] = data[i - period[k]];
		compare(POLYNOMIAL, 10 * MIB, k % 2 ? some_bytes :
		    whole_slabs);
	}
}

static void
test_selftests(void **state)
{
	const struct selftest *t;
	char detail[64];
	struct err e;
	unsigned n = 0;

	(void)state;
	for (t = stream_selftests; t->name != NULL; t++, n++) {
		err_clear(&e);
		memset(detail, 'x', sizeof(detail));
		if (t->run(detail, sizeof(detail), &e) != 0)
			fail_msg("%s: %s", t->name, e.text);
		assert_non_null(memchr(detail, '\0', sizeof(detail)));
	}
	assert_true(n >= 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selftests),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_key_stream),
		cmocka_unit_test(test_go_rand),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_each_lane),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_zero_heavy),
		cmocka_unit_test(test_repetitive),
	};

	return (cmocka_run_group_tests_name("stream/chunker", tests, set_up,
	    tear_down));
}
