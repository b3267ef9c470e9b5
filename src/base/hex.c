#include "base/hex.h"

/*
 * The value of a digit. 0x10 marks what is none, so that a whole text can be
 * decoded first and judged once, by the OR of all it met: ids are decoded by
 * the million out of trees and indexes.
 */
static const uint8_t value[256] = {
#define X4 0x10, 0x10, 0x10, 0x10
#define X16 X4, X4, X4, X4
	X16, X16, X16,
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x10, X4,
	X16, X16,
	0x10, 10, 11, 12, 13, 14, 15, 0x10, X4, X4,
	X16, X16, X16, X16, X16, X16, X16, X16, X16,
#undef X16
#undef X4
};

char *
hex_encode(char *ret, const uint8_t *p, size_t len)
{
	static const char digit[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		ret[2 * i] = digit[p[i] >> 4];
		ret[2 * i + 1] = digit[p[i] & 15];
	}
	ret[2 * len] = '\0';
	return (ret);
}

bool
hex_decode(uint8_t *ret, const char *s, size_t len)
{
	unsigned high, low, seen = 0;
	size_t i;

	if (len % 2 != 0)
		return (false);
	for (i = 0; i < len; i += 2) {
		high = value[(uint8_t)s[i]];
		low = value[(uint8_t)s[i + 1]];
		seen |= high | low;
		ret[i / 2] = (uint8_t)(high << 4 | low);
	}
	return (seen < 0x10);
}
