/*
 * AES-CTR with VAES: the AES instructions on two blocks at a time. All
 * processors that have them have them in 256 bits (Zen 3 and Alder Lake have no
 * wider ones), and those with 512 bits do these twice as often, so one width
 * serves all.
 *
 * Eight registers are in flight, because a round takes three to four cycles and
 * two can start in each. The round keys come from memory: a broadcast costs no
 * more than a load.
 */

#include "crypto/accel.h"

#if ACCEL_X86

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#include "base/id.h"

#define TARGET __attribute__((target("vaes,avx2,aes")))
#define TARGET_INLINE TARGET __attribute__((always_inline)) static inline

enum {
	WIDE = 8,            /* registers in flight, two blocks each */
};

TARGET static uint32_t
sub_word(uint32_t w)
{
	__m128i x = _mm_set1_epi32((int)w);

	return ((uint32_t)_mm_cvtsi128_si32(_mm_aeskeygenassist_si128(x, 0)));
}

TARGET static void
expand_vaes(void *sched, const uint8_t *key, size_t len)
{

	aes_rounds_expand(sched, key, len, sub_word);
}

TARGET_INLINE __m256i
round_key(const struct aes_rounds *s, unsigned i)
{

	return (_mm256_broadcastsi128_si256(
	    _mm_loadu_si128((const __m128i *)s->key[i])));
}

/*
 * Key stream of 2 * ${width} blocks into ${x}. ${ctr} holds the next two
 * counter blocks, each byte by byte reversed, so that counting is an addition
 * to a lane.
 */
TARGET_INLINE void
make_stream(const struct aes_rounds *s, __m256i *ctr, __m256i *x, int width)
{
	const __m256i two = _mm256_setr_epi32(2, 0, 0, 0, 2, 0, 0, 0);
	const __m256i swap = _mm256_broadcastsi128_si256(_mm_set_epi8(
	    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
	__m256i key = round_key(s, 0);
	unsigned i;
	int j;

#pragma GCC unroll 8
	for (j = 0; j < width; j++) {
		x[j] = _mm256_xor_si256(_mm256_shuffle_epi8(*ctr, swap), key);
		*ctr = _mm256_add_epi32(*ctr, two);
	}
	for (i = 1; i < s->n; i++) {
		key = round_key(s, i);
#pragma GCC unroll 8
		for (j = 0; j < width; j++)
			x[j] = _mm256_aesenc_epi128(x[j], key);
	}
	key = round_key(s, i);
#pragma GCC unroll 8
	for (j = 0; j < width; j++)
		x[j] = _mm256_aesenclast_epi128(x[j], key);
}

/* Apply the key stream of 2 * ${width} blocks; return what is after them. */
TARGET_INLINE uint8_t *
apply(const struct aes_rounds *s, __m256i *ctr, uint8_t *p, int width)
{
	__m256i x[WIDE], *at = (__m256i *)(void *)p;
	int j;

	make_stream(s, ctr, x, width);
#pragma GCC unroll 8
	for (j = 0; j < width; j++)
		_mm256_storeu_si256(at + j,
		    _mm256_xor_si256(x[j], _mm256_loadu_si256(at + j)));
	return (p + 32 * width);
}

TARGET static void
run_vaes(const void *sched, const uint8_t iv[12], uint32_t cc, uint8_t *p,
    size_t n)
{
	const struct aes_rounds *s = sched;
	__m128i *last, first = _mm_setr_epi32((int)cc,
	    (int)__builtin_bswap32(load_le32(iv + 8)),
	    (int)__builtin_bswap32(load_le32(iv + 4)),
	    (int)__builtin_bswap32(load_le32(iv)));
	__m256i ctr = _mm256_add_epi32(_mm256_broadcastsi128_si256(first),
	    _mm256_setr_epi32(0, 0, 0, 0, 1, 0, 0, 0)), x;

	for (; n >= 2 * WIDE; n -= 2 * WIDE)
		p = apply(s, &ctr, p, WIDE);
	for (; n >= 2; n -= 2)
		p = apply(s, &ctr, p, 1);
	if (n > 0) {
		last = (__m128i *)(void *)p;
		make_stream(s, &ctr, &x, 1);
		_mm_storeu_si128(last, _mm_xor_si128(_mm_loadu_si128(last),
		    _mm256_castsi256_si128(x)));
	}
}

/* XCR0: the kernel saves the registers' upper halves with the thread. */
static int
ymm_is_saved(void)
{
	const unsigned sse_and_avx = 6;
	unsigned low, high;

	__asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	(void)high;
	return ((low & sse_and_avx) == sse_and_avx);
}

/*
 * Two blocks at once must be what one and one are. QEMU 7.2, when it emulates,
 * claims the instructions and makes something else of the upper block.
 */
static int
halves_agree(void)
{
	static const uint8_t iv[12], key[32];
	uint8_t wide[32] = { 0 }, narrow[32] = { 0 };
	struct aes_rounds s;

	expand_vaes(&s, key, sizeof(key));
	run_vaes(&s, iv, 1, wide, 2);
	run_vaes(&s, iv, 1, narrow, 1);
	run_vaes(&s, iv, 2, narrow + 16, 1);
	return (memcmp(wide, narrow, sizeof(wide)) == 0);
}

const struct aes_variant_name *
aes_accel(void)
{
	static const struct aes_variant variant = { expand_vaes, run_vaes };
	static const struct aes_variant_name own = { "vaes", &variant };
	const unsigned need = bit_AES | bit_OSXSAVE | bit_AVX;
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & need) != need ||
	    !ymm_is_saved())
		return (NULL);
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) ||
	    (b & bit_AVX2) == 0 || (c & bit_VAES) == 0 || !halves_agree())
		return (NULL);
	return (&own);
}

#endif
