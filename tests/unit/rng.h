#ifndef RNG_H
#define RNG_H

/* Numbers and bytes that look random and are the same in every run (splitmix). */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t
rng_next(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31);
}

/* 0..n-1; n is not 0. */
static inline size_t
rng_below(uint64_t *seed, size_t n)
{

	return ((size_t)(rng_next(seed) % n));
}

static inline void
rng_fill(uint64_t *seed, void *p, size_t len)
{
	uint8_t *b = p;
	uint64_t v;

	for (; len >= 8; b += 8, len -= 8) {
		v = rng_next(seed);
		memcpy(b, &v, 8);
	}
	v = rng_next(seed);
	memcpy(b, &v, len);
}

#endif /* RNG_H */
