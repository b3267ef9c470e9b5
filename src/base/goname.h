#ifndef BASE_GONAME_H
#define BASE_GONAME_H

/*
 * The inner form of a node's name: the text between the quotes of Go's
 * strconv.Quote. In a tree it is then encoded once more as a JSON string.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The longest inner form of ${n} raw bytes: each may become \xHH. */
#define GONAME_MAX(n) (4 * (n))

/**
 * goname_quote(ret, p, len):
 * Quote ${len} raw bytes into ${ret}, which has room for GONAME_MAX(len).
 * Return the number of characters; there is no NUL.
 */
size_t goname_quote(char *ret, const uint8_t *p, size_t len);

/**
 * goname_unquote(ret, max, s, len):
 * The way back: the escapes \a \b \f \n \r \t \v \\ \" \xHH \uHHHH \UHHHHHHHH
 * and \ooo (exactly so many digits; hex in either case). Return the number of
 * raw bytes, or -1 for what Go refuses too (a raw newline, a bare quote, \',
 * surrogates, runes beyond U+10FFFF, \400 and above, unknown or cut escapes) or
 * when more than ${max} bytes would be needed. A raw byte that is not UTF-8
 * becomes U+FFFD, as in Go: no writer of names makes one. ${max} >= 3 * ${len}
 * always suffices, and ${len} does for whatever goname_quote wrote.
 */
ssize_t goname_unquote(uint8_t *ret, size_t max, const char *s, size_t len);

#endif /* BASE_GONAME_H */
