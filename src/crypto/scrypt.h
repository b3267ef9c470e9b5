#ifndef CRYPTO_SCRYPT_H
#define CRYPTO_SCRYPT_H

/*
 * scrypt (RFC 7914) that fits a budget: of the N blocks of V only every t-th is
 * kept and the others are computed again when they are asked for, so memory is
 * 128 r N / t and time grows to 1 + (t - 1) / 4 of the plain run
 * (restic-format 15b).
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/**
 * scrypt(pass, pass_len, salt, salt_len, n, r, p, budget, ret, ret_len, e):
 * Derive ${ret_len} bytes. ${n} is a power of two >= 2; ${r}, ${p} >= 1;
 * ${budget} is the most memory in bytes for V; the smallest stride of 1, 2, 4,
 * 8, ... (a power of two) that fits is taken. Beside V three blocks of 128 r are
 * needed, whatever ${p} is. What was allocated is wiped and freed. Return 0,
 * ERR_USAGE for bad parameters (128 r N above 2^31 - 1, r p at or above 2^30),
 * ERR_LIMIT when even stride 64 does not fit, or when the three blocks are
 * larger than both 64 KiB and ${budget}, or ERR_NOMEM.
 */
int scrypt(const void *pass, size_t pass_len, const void *salt,
    size_t salt_len, uint32_t n, uint32_t r, uint32_t p, size_t budget,
    uint8_t *ret, size_t ret_len, struct err *e);

#endif /* CRYPTO_SCRYPT_H */
