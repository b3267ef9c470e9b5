#ifndef BASE_UTF8_PRINT_H
#define BASE_UTF8_PRINT_H

/*
 * The printable runes as ranges, for utf8.c alone. No range leaves its plane of
 * 65536, so 16 bits an end are enough: those of plane p are the rows
 * utf8_print_plane[p] up to, not with, utf8_print_plane[p + 1].
 */

#include <stdint.h>

#define UTF8_PRINT_PLANES 17

extern const uint16_t utf8_print_range[][2];
extern const uint16_t utf8_print_plane[UTF8_PRINT_PLANES + 1];

#endif /* BASE_UTF8_PRINT_H */
