#ifndef RANDOM_H
#define RANDOM_H

/* Bytes and numbers that look random and are the same in every run. */

#include <stddef.h>
#include <stdint.h>

static inline uint32_t
random_next(uint32_t *seed)
{

	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8);
}

static inline void
random_fill(uint32_t *seed, void *p, size_t len)
{
	uint8_t *b = p;

	while (len-- > 0)
		*b++ = (uint8_t)(random_next(seed) >> 8);
}

/* At most ${max}; often next to nothing, where the borders are. */
static inline size_t
random_len(uint32_t *seed, size_t max)
{
	size_t most = random_next(seed) % 2 == 0 && max > 70 ? 70 : max;

	return (random_next(seed) % (most + 1));
}

#endif /* RANDOM_H */
