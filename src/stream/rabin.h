#ifndef STREAM_RABIN_H
#define STREAM_RABIN_H

/*
 * Polynomials over GF(2), bit i the coefficient of x^i: what restic's chunker is
 * made of. Each repository has its own, of degree 53 (restic-format 9).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define RABIN_DEGREE 53

/* The degree of the highest term; -1 for the zero polynomial. */
int rabin_degree(uint64_t p);

/* The remainder of x divided by p (p is not zero). */
uint64_t rabin_mod(uint64_t x, uint64_t p);

/* Is it irreducible? Ben-Or's test; exact, no false answers. */
bool rabin_irreducible(uint64_t p);

/* A random irreducible polynomial of degree 53. Return 0 or ERR_FAIL. */
int rabin_random(uint64_t *ret, struct err *e);

#endif /* STREAM_RABIN_H */
