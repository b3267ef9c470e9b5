#include "base/sum.h"

#include "base/id.h"

#define MULTIPLIER 0x9e3779b97f4a7c15ull /* 2^64 / golden ratio, odd */

/* Four lanes, because a multiplication has latency. */
uint64_t
sum64(const void *bytes, size_t len, uint64_t seed)
{
	const uint8_t *p = bytes;
	uint64_t h[4] = { seed, ~seed, len, seed ^ len };
	size_t i;
	unsigned k;

	for (i = 0; i + 32 <= len; i += 32) {
		for (k = 0; k < 4; k++) {
			h[k] = (h[k] ^ load_le64(p + i + 8 * k)) * MULTIPLIER;
			h[k] ^= h[k] >> 29;
		}
	}
	for (; i < len; i++)
		h[i & 3] = (h[i & 3] ^ p[i]) * MULTIPLIER;
	for (k = 0; k < 3; k++)
		h[k + 1] = (h[k + 1] ^ h[k] ^ h[k] >> 32) * MULTIPLIER;
	return (h[3] ^ h[3] >> 32);
}
