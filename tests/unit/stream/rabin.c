/*
 * Polynomials over GF(2): the lists of restic-format 16, and every polynomial
 * of a small degree against trial division.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "stream/rabin.h"
#include "unit/rng.h"
#include "unit/scratch.h"

static void
test_degree(void **state)
{
	int i;

	(void)state;
	assert_int_equal(rabin_degree(0), -1);
	for (i = 0; i < 64; i++) {
		assert_int_equal(rabin_degree(1ull << i), i);
		assert_int_equal(rabin_degree((2ull << i) - 1), i);
	}
}

/* x * y without reduction, for small ones. */
static uint64_t
mul(uint64_t x, uint64_t y)
{
	uint64_t r = 0;

	for (; y != 0; y >>= 1, x <<= 1)
		if (y & 1)
			r ^= x;
	return (r);
}

static void
test_mod(void **state)
{
	uint64_t seed = 1, x, p, q, r;
	int i;

	(void)state;
	assert_int_equal(rabin_mod(0, 1), 0);
	assert_int_equal(rabin_mod(UINT64_MAX, 1), 0);
	assert_int_equal(rabin_mod(5, 7), 2);
	for (i = 0; i < 10000; i++) {
		/* x = q p + r, with r below p: r is what must come back. */
		p = 1 + (rng_next(&seed) >> (33 + rng_below(&seed, 30)));
		q = rng_next(&seed) >> 33;
		r = rng_next(&seed);
		if (rabin_degree(p) == 0)
			r = 0;
		while (rabin_degree(r) >= rabin_degree(p))
			r >>= 1;
		x = mul(q, p) ^ r;
		assert_int_equal(rabin_mod(x, p), r);
	}
}

static bool
has_factor(uint64_t p)
{
	uint64_t f;

	for (f = 2; 2 * rabin_degree(f) <= rabin_degree(p); f++)
		if (rabin_mod(p, f) == 0)
			return (true);
	return (false);
}

static void
test_small(void **state)
{
	/* How many there are of degree 1, 2, ... is known (OEIS A001037). */
	static const unsigned number[] = { 0, 2, 1, 2, 3, 6, 9, 18, 30, 56, 99,
	    186, 335, 630 };
	unsigned found[14] = { 0 };
	uint64_t p;

	(void)state;
	assert_false(rabin_irreducible(0));
	assert_false(rabin_irreducible(1));
	for (p = 2; p < 1 << 14; p++) {
		assert_int_equal(rabin_irreducible(p), !has_factor(p));
		found[rabin_degree(p)] += rabin_irreducible(p);
	}
	assert_memory_equal(found, number, sizeof(number));
}

static void
test_lists(void **state)
{
	static const uint64_t yes[] = { 0x3da3358b4dc173, 0x2482734cacca49 };
	static const uint64_t no[] = { 0x38f1e565e288df, 0x30a8295b9d5c91,
	    0x255f4350b962cb, 0x267f776110a235, 0x2f4dae10d41227,
	    0x312daf4b284899, 0x29dfb6553d01d1, 0x3548245eb26257 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(rabin_irreducible(yes[i]));
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(rabin_irreducible(no[i]));
	/* x^61 + x^5 + x^2 + x + 1 is; times x or a square, nothing is. */
	assert_true(rabin_irreducible(1ull << 61 | 0x27));
	assert_false(rabin_irreducible(1ull << 62 | 0x4e));
	assert_false(rabin_irreducible(mul(0x4000003, 0x4000003)));
	assert_false(rabin_irreducible(UINT64_MAX));
	assert_false(rabin_irreducible(1ull << 63 | 3));
}

static void
test_random(void **state)
{
	struct err e = ERR_INIT;
	uint64_t p, last = 0;
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		assert_ok(rabin_random(&p, &e), &e);
		assert_int_equal(rabin_degree(p), RABIN_DEGREE);
		assert_true(rabin_irreducible(p));
		assert_int_not_equal(p, last);
		last = p;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_degree),
		cmocka_unit_test(test_mod),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_random),
	};

	return (cmocka_run_group_tests_name("stream/rabin", tests, NULL,
	    NULL));
}
