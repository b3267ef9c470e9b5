#include "base/b64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
b64_encode(char *ret, const uint8_t *p, size_t len)
{
	char *to = ret;
	uint32_t v;

	for (; len >= 3; p += 3, len -= 3) {
		v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		*to++ = alphabet[v >> 18];
		*to++ = alphabet[v >> 12 & 63];
		*to++ = alphabet[v >> 6 & 63];
		*to++ = alphabet[v & 63];
	}
	if (len > 0) {
		v = (uint32_t)p[0] << 16 | (len == 2 ? (uint32_t)p[1] << 8 : 0);
		*to++ = alphabet[v >> 18];
		*to++ = alphabet[v >> 12 & 63];
		*to++ = len == 2 ? alphabet[v >> 6 & 63] : '=';
		*to++ = '=';
	}
	return ((size_t)(to - ret));
}

/* The six bits behind a character, or 64 for a stranger. */
static uint32_t
six(char c)
{

	if (c >= 'A' && c <= 'Z')
		return ((uint32_t)(c - 'A'));
	if (c >= 'a' && c <= 'z')
		return ((uint32_t)(c - 'a') + 26);
	if (c >= '0' && c <= '9')
		return ((uint32_t)(c - '0') + 52);
	return (c == '+' ? 62 : c == '/' ? 63 : 64);
}

ssize_t
b64_decode(uint8_t *ret, size_t max, const char *s, size_t len)
{
	uint32_t v, w, x, y;
	size_t n = 0, i, part;

	if (len % 4 != 0)
		return (-1);
	for (i = 0; i < len; i += 4) {
		/* Only the last group may be padded, and padding ends it. */
		part = 3;
		if (i + 4 == len && s[i + 3] == '=')
			part = s[i + 2] == '=' ? 1 : 2;
		v = six(s[i]);
		w = six(s[i + 1]);
		x = part >= 2 ? six(s[i + 2]) : 0;
		y = part == 3 ? six(s[i + 3]) : 0;
		if ((v | w | x | y) >= 64)
			return (-1);
		v = v << 18 | w << 12 | x << 6 | y;
		/* The bits that padding leaves over must be zero. */
		if (part < 3 && (v & (part == 1 ? 0xffffU : 0xffU)) != 0)
			return (-1);
		if (part > max - n)
			return (-1);
		ret[n++] = (uint8_t)(v >> 16);
		if (part >= 2)
			ret[n++] = (uint8_t)(v >> 8);
		if (part == 3)
			ret[n++] = (uint8_t)v;
	}
	return ((ssize_t)n);
}
