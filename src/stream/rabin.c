#include "stream/rabin.h"

#include "base/rand.h"

int
rabin_degree(uint64_t p)
{

	return (p == 0 ? -1 : 63 - __builtin_clzll(p));
}

uint64_t
rabin_mod(uint64_t x, uint64_t p)
{
	int dp = rabin_degree(p), dx;

	while ((dx = rabin_degree(x)) >= dp)
		x ^= p << (dx - dp);
	return (x);
}

/* x * y mod p, for x and y already reduced and p of degree <= 62. */
static uint64_t
mul_mod(uint64_t x, uint64_t y, uint64_t p)
{
	uint64_t top = 1ULL << rabin_degree(p), r = 0;

	for (; y != 0; y >>= 1) {
		if (y & 1)
			r ^= x;
		x <<= 1;
		if (x & top)
			x ^= p;
	}
	return (r);
}

static uint64_t
gcd(uint64_t x, uint64_t y)
{
	uint64_t t;

	while (y != 0) {
		t = rabin_mod(x, y);
		x = y;
		y = t;
	}
	return (x);
}

bool
rabin_irreducible(uint64_t p)
{
	int d = rabin_degree(p), i;
	uint64_t power = 2;	/* x^(2^i) mod p */

	if (d < 1 || d > 62)
		return (false);
	/* A factor of degree i divides x^(2^i) - x: look for each in turn. */
	for (i = 1; i <= d / 2; i++) {
		power = mul_mod(power, power, p);
		if (gcd(p, power ^ 2) != 1)
			return (false);
	}
	return (true);
}

int
rabin_random(uint64_t *ret, struct err *e)
{
	uint64_t p;
	int i, rc;

	/* About one in 27 is irreducible: 10,000 misses mean a broken box. */
	for (i = 0; i < 10000; i++) {
		if ((rc = rand_bytes(&p, sizeof(p), e)) != 0)
			return (rc);
		p &= (1ULL << (RABIN_DEGREE + 1)) - 1;
		p |= 1ULL << RABIN_DEGREE | 1;
		if (rabin_irreducible(p)) {
			*ret = p;
			return (0);
		}
	}
	return (err_set(e, ERR_FAIL,
	    "the random generator yields no irreducible polynomial"));
}
