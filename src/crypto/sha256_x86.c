/*
 * SHA-256 with the x86 SHA extensions.
 *
 * The instructions want the eight working words in two registers, as a, b, e, f
 * and c, d, g, h (a register's name spells its lanes, the highest first), so
 * the state is brought into that order once a call and put back at its end.
 * sha256rnds2 does two rounds with the two lowest words of its third operand,
 * hence the shuffle between the two that make four rounds; the two registers
 * swap roles with each, and nothing is ever moved.
 */

#include "crypto/accel.h"

#if ACCEL_X86

#include <cpuid.h>
#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))
#define TARGET_INLINE TARGET __attribute__((always_inline)) static inline

/* One load for the sixteen message bytes, as four big-endian words. */
TARGET_INLINE __m128i
load_words(const uint8_t *p)
{
	const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11,
	    4, 5, 6, 7, 0, 1, 2, 3);

	return (_mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p), swap));
}

/* The next four words of the message schedule, from the last sixteen. */
TARGET_INLINE __m128i
next_words(__m128i w0, __m128i w1, __m128i w2, __m128i w3)
{
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1),
	    _mm_alignr_epi8(w3, w2, 4));

	return (_mm_sha256msg2_epu32(sum, w3));
}

TARGET static void
blocks_sha_ni(uint32_t h[8], const uint8_t *p, size_t n)
{
	const __m128i *k = (const __m128i *)(const void *)sha256_k;
	__m128i *state = (__m128i *)(void *)h;
	__m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(state), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(state + 1), 0x1b);
	__m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
	__m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
	__m128i abef_was, cdgh_was, feba, dchg, w[4], wk;
	int i;

	for (; n > 0; n--, p += 64) {
		abef_was = abef;
		cdgh_was = cdgh;
#pragma GCC unroll 4
		for (i = 0; i < 4; i++)
			w[i] = load_words(p + 16 * i);
#pragma GCC unroll 16
		for (i = 0; i < 16; i++) {
			wk = _mm_add_epi32(w[i & 3], _mm_load_si128(k + i));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
			wk = _mm_shuffle_epi32(wk, 0x0e);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, wk);
			if (i < 12)
				w[i & 3] = next_words(w[i & 3], w[(i + 1) & 3],
				    w[(i + 2) & 3], w[(i + 3) & 3]);
		}
		abef = _mm_add_epi32(abef, abef_was);
		cdgh = _mm_add_epi32(cdgh, cdgh_was);
	}

	/* Back from the instructions' order into a, b, c, d, e, f, g, h. */
	feba = _mm_shuffle_epi32(abef, 0x1b);
	dchg = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128(state, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128(state + 1, _mm_alignr_epi8(dchg, feba, 8));
}

const struct sha256_variant *
sha256_accel(void)
{
	static const struct sha256_variant own = { "sha-ni", blocks_sha_ni };
	const unsigned need = bit_SSSE3 | bit_SSE4_1;
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & need) != need)
		return (NULL);
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & bit_SHA) == 0)
		return (NULL);
	return (&own);
}

#endif
