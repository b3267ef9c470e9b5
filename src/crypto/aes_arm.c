/*
 * AES-CTR with ARMv8's cryptographic instructions, for 64-bit and, on the same
 * processors, 32-bit programs.
 *
 * aese adds the round key before it substitutes, so the last round is an aese
 * with the last key but one and a plain XOR. Several blocks are in flight: four
 * hide the latency of small cores, eight that of big ones, which have the
 * registers for it in 64-bit mode.
 *
 * Cortex-A57 and A72 in 32-bit mode (errata 1742098 and 1655431) may run an
 * aese twice when an interrupt comes after it and the last thing written to its
 * input was a single lane. Recent kernels hide the instructions from 32-bit
 * programs there, older ones do not; so a counter's lane is never set in the
 * block itself, but in a vector of its own that is XORed in.
 */

#include "crypto/accel.h"

#if ACCEL_ARM

#include <arm_neon.h>
#include <string.h>
#include <sys/auxv.h>

enum {
	WIDE = sizeof(void *) >= 8 ? 8 : 4,
};

/*
 * The S-box on four bytes: with the word in all four columns, aese's turning of
 * the rows changes nothing, and a zero key adds nothing.
 */
ARM_TARGET static uint32_t
sub_word(uint32_t w)
{
	uint8x16_t x = vreinterpretq_u8_u32(vdupq_n_u32(w));

	x = vaeseq_u8(x, vdupq_n_u8(0));
	return (vgetq_lane_u32(vreinterpretq_u32_u8(x), 0));
}

static void
expand_armv8(void *sched, const uint8_t *key, size_t len)
{

	aes_rounds_expand(sched, key, len, sub_word);
}

/* Apply the key stream of ${width} blocks, counted from ${cc}; iv ends in 0. */
ARM_INLINE void
apply(const struct aes_rounds *s, uint32x4_t iv, uint32_t cc, uint8_t *p,
    int width)
{
	uint8x16_t x[WIDE], key;
	uint32x4_t count;
	unsigned i;
	int j;

#pragma GCC unroll 8
	for (j = 0; j < width; j++) {
		count = vsetq_lane_u32(__builtin_bswap32(cc + (uint32_t)j),
		    vdupq_n_u32(0), 3);
		x[j] = vreinterpretq_u8_u32(veorq_u32(iv, count));
	}
	for (i = 0; i + 1 < s->n; i++) {
		key = vld1q_u8(s->key[i]);
#pragma GCC unroll 8
		for (j = 0; j < width; j++)
			x[j] = vaesmcq_u8(vaeseq_u8(x[j], key));
	}
	key = vld1q_u8(s->key[i]);
#pragma GCC unroll 8
	for (j = 0; j < width; j++)
		x[j] = vaeseq_u8(x[j], key);
	key = vld1q_u8(s->key[i + 1]);
#pragma GCC unroll 8
	for (j = 0; j < width; j++)
		vst1q_u8(p + 16 * j,
		    veorq_u8(veorq_u8(x[j], key), vld1q_u8(p + 16 * j)));
}

ARM_TARGET static void
run_armv8(const void *sched, const uint8_t iv[12], uint32_t cc, uint8_t *p,
    size_t n)
{
	const struct aes_rounds *s = sched;
	uint8_t block[16] = { 0 };
	uint32x4_t base;

	memcpy(block, iv, 12);
	base = vreinterpretq_u32_u8(vld1q_u8(block));
	for (; n >= WIDE; n -= WIDE, cc += WIDE, p += 16 * WIDE)
		apply(s, base, cc, p, WIDE);
	for (; n > 0; n--, cc++, p += 16)
		apply(s, base, cc, p, 1);
}

const struct aes_variant_name *
aes_accel(void)
{
	static const struct aes_variant variant = { expand_armv8, run_armv8 };
	static const struct aes_variant_name own = { "armv8", &variant };

	return ((getauxval(ARM_AUX) & ARM_HAS_AES) != 0 ? &own : NULL);
}

#endif
