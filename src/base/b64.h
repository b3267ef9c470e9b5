#ifndef BASE_B64_H
#define BASE_B64_H

/* Standard Base64 (RFC 4648, alphabet with + and /, padded, no line breaks). */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define B64_LEN(n) (((n) + 2) / 3 * 4)

/**
 * b64_encode(ret, p, len):
 * Write B64_LEN(len) characters (no NUL) into ${ret}; return that number.
 */
size_t b64_encode(char *ret, const uint8_t *p, size_t len);

/**
 * b64_decode(ret, max, s, len):
 * Decode into at most ${max} bytes. Return the number of bytes, or -1 when the
 * text is not canonical Base64 (wrong length, alphabet, padding or stray bits)
 * or would not fit.
 */
ssize_t b64_decode(uint8_t *ret, size_t max, const char *s, size_t len);

#endif /* BASE_B64_H */
