#ifndef CRYPTO_SALSA_H
#define CRYPTO_SALSA_H

/*
 * Private to scrypt.c: the Salsa20/8 core on blocks of sixteen words. In memory
 * a block's words lie in an order that suits the processor, salsa_order; word 0
 * is the first in either. Between salsa_get and salsa_put a block lives in
 * registers, which holds only while everything here is inlined, at -Os too.
 */

#include <stdint.h>

#define SALSA static inline __attribute__((always_inline))

#if defined(__SSE2__)

#include <emmintrin.h>

/*
 * Read as a square of four by four, the block is kept by its diagonals: a round
 * on the columns works on whole registers, and turning three of them by one,
 * two and three lanes makes rows of the columns.
 */
static const uint8_t salsa_order[16] = {
	0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11,
};

struct salsa {
	__m128i a, b, c, d;
};

SALSA struct salsa
salsa_get(const uint32_t *p)
{
	const __m128i *v = (const __m128i *)(const void *)p;

	return ((struct salsa){ _mm_load_si128(v), _mm_load_si128(v + 1),
	    _mm_load_si128(v + 2), _mm_load_si128(v + 3) });
}

SALSA void
salsa_put(uint32_t *p, struct salsa s)
{
	__m128i *v = (__m128i *)(void *)p;

	_mm_store_si128(v, s.a);
	_mm_store_si128(v + 1, s.b);
	_mm_store_si128(v + 2, s.c);
	_mm_store_si128(v + 3, s.d);
}

SALSA struct salsa
salsa_xor(struct salsa s, struct salsa t)
{

	return ((struct salsa){ _mm_xor_si128(s.a, t.a),
	    _mm_xor_si128(s.b, t.b), _mm_xor_si128(s.c, t.c),
	    _mm_xor_si128(s.d, t.d) });
}

SALSA struct salsa
salsa_sum(struct salsa s, struct salsa t)
{

	return ((struct salsa){ _mm_add_epi32(s.a, t.a),
	    _mm_add_epi32(s.b, t.b), _mm_add_epi32(s.c, t.c),
	    _mm_add_epi32(s.d, t.d) });
}

/* to ^ ((x + y) turned left by n bits) */
SALSA __m128i
salsa_step(__m128i to, __m128i x, __m128i y, int n)
{
	__m128i sum = _mm_add_epi32(x, y);

	to = _mm_xor_si128(to, _mm_slli_epi32(sum, n));
	return (_mm_xor_si128(to, _mm_srli_epi32(sum, 32 - n)));
}

/* The four columns at once; then b and d change places and rows are columns. */
SALSA struct salsa
salsa_round(struct salsa s)
{

	s.b = salsa_step(s.b, s.a, s.d, 7);
	s.c = salsa_step(s.c, s.b, s.a, 9);
	s.d = salsa_step(s.d, s.c, s.b, 13);
	s.a = salsa_step(s.a, s.d, s.c, 18);
	return ((struct salsa){ s.a, _mm_shuffle_epi32(s.d, 0x39),
	    _mm_shuffle_epi32(s.c, 0x4e), _mm_shuffle_epi32(s.b, 0x93) });
}

SALSA struct salsa
salsa_double_round(struct salsa s)
{

	return (salsa_round(salsa_round(s)));
}

#else

static const uint8_t salsa_order[16] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
};

struct salsa {
	uint32_t w[16];
};

/* The loops are unrolled by force: an array that is indexed stays in memory. */
SALSA struct salsa
salsa_get(const uint32_t *p)
{
	struct salsa s;
	int i;

#pragma GCC unroll 16
	for (i = 0; i < 16; i++)
		s.w[i] = p[i];
	return (s);
}

SALSA void
salsa_put(uint32_t *p, struct salsa s)
{
	int i;

#pragma GCC unroll 16
	for (i = 0; i < 16; i++)
		p[i] = s.w[i];
}

SALSA struct salsa
salsa_xor(struct salsa s, struct salsa t)
{
	int i;

#pragma GCC unroll 16
	for (i = 0; i < 16; i++)
		s.w[i] ^= t.w[i];
	return (s);
}

SALSA struct salsa
salsa_sum(struct salsa s, struct salsa t)
{
	int i;

#pragma GCC unroll 16
	for (i = 0; i < 16; i++)
		s.w[i] += t.w[i];
	return (s);
}

SALSA uint32_t
salsa_turn(uint32_t x, int n)
{

	return (x << n | x >> (32 - n));
}

/* One column, or row, of the square, beginning on its diagonal. */
SALSA void
salsa_quarter(struct salsa *s, int a, int b, int c, int d)
{

	s->w[b] ^= salsa_turn(s->w[a] + s->w[d], 7);
	s->w[c] ^= salsa_turn(s->w[b] + s->w[a], 9);
	s->w[d] ^= salsa_turn(s->w[c] + s->w[b], 13);
	s->w[a] ^= salsa_turn(s->w[d] + s->w[c], 18);
}

SALSA struct salsa
salsa_double_round(struct salsa s)
{

	salsa_quarter(&s, 0, 4, 8, 12);
	salsa_quarter(&s, 5, 9, 13, 1);
	salsa_quarter(&s, 10, 14, 2, 6);
	salsa_quarter(&s, 15, 3, 7, 11);
	salsa_quarter(&s, 0, 1, 2, 3);
	salsa_quarter(&s, 5, 6, 7, 4);
	salsa_quarter(&s, 10, 11, 8, 9);
	salsa_quarter(&s, 15, 12, 13, 14);
	return (s);
}

#endif

/* Salsa20/8: four double rounds, and what went in added to what comes out. */
SALSA struct salsa
salsa_core(struct salsa s)
{
	struct salsa was = s;
	int i;

	for (i = 0; i < 4; i++)
		s = salsa_double_round(s);
	return (salsa_sum(s, was));
}

#endif /* CRYPTO_SALSA_H */
