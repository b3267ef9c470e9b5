#ifndef CRYPTO_ACCEL_H
#define CRYPTO_ACCEL_H

/*
 * Private to this folder: what the dispatchers (sha256.c, aes_ctr.c) and the
 * files that use a processor's own instructions say to each other. One of those
 * files takes part in a build at most, and whether it does is decided here.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/enabled.h"
#include "crypto/aes_ctr.h"
#include "crypto/sha256.h"

/*
 * clang's arm_neon.h hides the cryptographic intrinsics unless the whole file
 * is compiled for a processor that has them; gcc lets a single function ask.
 * The soft-float ABI has no NEON at all, and a big-endian ARM would number the
 * lanes the other way.
 */
#if !IS_ENABLED(CONFIG_ACCEL)
#define ACCEL_X86 0
#define ACCEL_ARM 0
#elif defined(__x86_64__) || defined(__i386__)
#define ACCEL_X86 1
#define ACCEL_ARM 0
#elif defined(__clang__) && !defined(__ARM_FEATURE_CRYPTO)
#define ACCEL_X86 0
#define ACCEL_ARM 0
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
#define ACCEL_X86 0
#define ACCEL_ARM 1
#elif defined(__arm__) && !defined(__SOFTFP__) && !defined(__ARMEB__)
#define ACCEL_X86 0
#define ACCEL_ARM 1
#else
#define ACCEL_X86 0
#define ACCEL_ARM 0
#endif

/*
 * The attribute under which gcc accepts ARMv8's AES and SHA-2 instructions, and
 * where the kernel says whether the processor has them: a 64-bit process finds
 * the bits in AT_HWCAP, a 32-bit one (also on a 64-bit kernel) in AT_HWCAP2.
 */
#if defined(__aarch64__)
#define ARM_TARGET __attribute__((target("+crypto")))
#define ARM_AUX AT_HWCAP
#define ARM_HAS_AES (1UL << 3)
#define ARM_HAS_SHA2 (1UL << 6)
#elif defined(__arm__)
#define ARM_TARGET __attribute__((target("arch=armv8-a+crypto")))
#define ARM_AUX AT_HWCAP2
#define ARM_HAS_AES (1UL << 0)
#define ARM_HAS_SHA2 (1UL << 3)
#endif

#define ARM_INLINE ARM_TARGET __attribute__((always_inline)) static inline

/* The 64 round constants of FIPS 180-4. */
extern const uint32_t sha256_k[64];

/*
 * As sha256_update and sha256_end, with a block function of the caller's
 * choice: the self test runs every variant through the whole path.
 */
void sha256_update_with(sha256_blocks_fn *blocks, struct sha256 *c,
    const void *p, size_t len);
void sha256_end_with(sha256_blocks_fn *blocks, const struct sha256 *c,
    struct id *ret);

/* Room for a variant's expanded key: aes_key less a pointer, kept aligned. */
#define AES_SCHED 496

struct aes_variant {
	/**
	 * expand(sched, key, len):
	 * Make the schedule of a key of ${len} bytes, 16 or 32, in the
	 * AES_SCHED bytes (16-byte aligned) at ${sched}.
	 */
	void (*expand)(void *sched, const uint8_t *key, size_t len);

	/**
	 * run(sched, iv, cc, p, n):
	 * XOR the key stream onto the ${n} >= 1 blocks at ${p}. A counter
	 * block is the 12 bytes at ${iv} and a big-endian number, ${cc} for
	 * the first; the number does not pass 2^32 - 1 within a call.
	 */
	void (*run)(const void *sched, const uint8_t iv[12], uint32_t cc,
	    uint8_t *p, size_t n);
};

/* A schedule as FIPS 197 numbers it, for variants of our own. */
struct aes_rounds {
	uint8_t key[15][16];
	unsigned n;          /* 10 or 14; key[0..n] are in use */
};

/* Fill ${ret} from a key; ${sub} is the S-box on each byte of a word. */
void aes_rounds_expand(struct aes_rounds *ret, const uint8_t *key, size_t len,
    uint32_t (*sub)(uint32_t));

/* As aes128_block, by one of the variants. */
void aes128_block_with(const struct aes_variant *v, const uint8_t key[16],
    const uint8_t in[16], uint8_t ret[16]);

/* The variant of this architecture, or NULL when the processor has none. */
#if ACCEL_X86 || ACCEL_ARM
const struct sha256_variant *sha256_accel(void);
const struct aes_variant_name *aes_accel(void);
#else
static inline const struct sha256_variant *
sha256_accel(void)
{

	return (NULL);
}

static inline const struct aes_variant_name *
aes_accel(void)
{

	return (NULL);
}
#endif

#endif /* CRYPTO_ACCEL_H */
