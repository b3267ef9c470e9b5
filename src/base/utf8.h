#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * utf8_decode(p, len, ret):
 * Decode the rune at ${p} (${len} >= 1 bytes are there). Return its length,
 * 1..4, or 0 when the bytes are not UTF-8 as Go's decoder sees it: overlong
 * forms, surrogates, beyond U+10FFFF, cut short. The caller then steps over one
 * byte.
 */
int utf8_decode(const uint8_t *p, size_t len, uint32_t *ret);

/**
 * utf8_encode(rune, ret):
 * Write up to 4 bytes; return how many. ${rune} must be a scalar value.
 */
int utf8_encode(uint32_t rune, uint8_t ret[4]);

/* Is the whole text valid UTF-8? */
bool utf8_valid(const uint8_t *p, size_t len);

/**
 * utf8_printable(rune):
 * Go's strconv.IsPrint for Unicode 15.0: letters, marks, numbers, punctuation,
 * symbols and the space U+0020. It decides the bytes of every tree
 * (restic-format 8.2), so it is a table and not the C library's opinion.
 */
bool utf8_printable(uint32_t rune);

/**
 * utf8_show(ret, room, s):
 * Copy a text so that a terminal survives it: each byte of what is not printable
 * becomes \xNN. What does not fit the ${room} bytes of ${ret} with a NUL is cut.
 * Return ${ret}.
 */
char *utf8_show(char *ret, size_t room, const char *s);

#endif /* BASE_UTF8_H */
