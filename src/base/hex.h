#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * hex_encode(ret, p, len):
 * Write 2 * ${len} lower-case digits and a NUL into ${ret}; return ${ret}.
 */
char *hex_encode(char *ret, const uint8_t *p, size_t len);

/**
 * hex_decode(ret, s, len):
 * Decode ${len} (even) lower-case digits into ${len} / 2 bytes. Return false
 * when a character is not 0-9a-f or ${len} is odd.
 */
bool hex_decode(uint8_t *ret, const char *s, size_t len);

#endif /* BASE_HEX_H */
