/*
 * SHA-256 with ARMv8's cryptographic instructions, for 64-bit and, on the same
 * processors, 32-bit programs.
 *
 * sha256h and sha256h2 do four rounds between them: both need the first half of
 * the state as it was before, so it is kept aside for the second.
 */

#include "crypto/accel.h"

#if ACCEL_ARM

#include <arm_neon.h>
#include <sys/auxv.h>

ARM_INLINE uint32x4_t
load_words(const uint8_t *p)
{

	return (vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p))));
}

/* The next four words of the message schedule, from the last sixteen. */
ARM_INLINE uint32x4_t
next_words(uint32x4_t w0, uint32x4_t w1, uint32x4_t w2, uint32x4_t w3)
{

	return (vsha256su1q_u32(vsha256su0q_u32(w0, w1), w2, w3));
}

ARM_TARGET static void
blocks_armv8(uint32_t h[8], const uint8_t *p, size_t n)
{
	uint32x4_t abcd = vld1q_u32(h), efgh = vld1q_u32(h + 4);
	uint32x4_t abcd_was, efgh_was, before, w[4], wk;
	int i;

	for (; n > 0; n--, p += 64) {
		abcd_was = abcd;
		efgh_was = efgh;
#pragma GCC unroll 4
		for (i = 0; i < 4; i++)
			w[i] = load_words(p + 16 * i);
#pragma GCC unroll 16
		for (i = 0; i < 16; i++) {
			wk = vaddq_u32(w[i & 3], vld1q_u32(sha256_k + 4 * i));
			if (i < 12)
				w[i & 3] = next_words(w[i & 3], w[(i + 1) & 3],
				    w[(i + 2) & 3], w[(i + 3) & 3]);
			before = abcd;
			abcd = vsha256hq_u32(abcd, efgh, wk);
			efgh = vsha256h2q_u32(efgh, before, wk);
		}
		abcd = vaddq_u32(abcd, abcd_was);
		efgh = vaddq_u32(efgh, efgh_was);
	}
	vst1q_u32(h, abcd);
	vst1q_u32(h + 4, efgh);
}

const struct sha256_variant *
sha256_accel(void)
{
	static const struct sha256_variant own = { "armv8", blocks_armv8 };

	return ((getauxval(ARM_AUX) & ARM_HAS_SHA2) != 0 ? &own : NULL);
}

#endif
