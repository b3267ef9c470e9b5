#include "base/utf8.h"

#include <string.h>

#include "base/utf8_print.h"

/* Is it one of the bytes that continue a rune? */
static bool
follows(uint8_t c)
{

	return ((c & 0xc0) == 0x80);
}

int
utf8_decode(const uint8_t *p, size_t len, uint32_t *ret)
{
	uint32_t rune;

	if (p[0] < 0x80) {
		*ret = p[0];
		return (1);
	}
	if (p[0] < 0xc2)	/* a stray follower, or an overlong form */
		return (0);
	if (p[0] < 0xe0) {
		if (len < 2 || !follows(p[1]))
			return (0);
		*ret = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
		return (2);
	}
	if (p[0] < 0xf0) {
		if (len < 3 || !follows(p[1]) || !follows(p[2]))
			return (0);
		rune = (uint32_t)(p[0] & 0x0f) << 12 |
		    (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
		if (rune < 0x800 || (rune >= 0xd800 && rune < 0xe000))
			return (0);
		*ret = rune;
		return (3);
	}
	if (p[0] < 0xf5) {
		if (len < 4 || !follows(p[1]) || !follows(p[2]) ||
		    !follows(p[3]))
			return (0);
		rune = (uint32_t)(p[0] & 0x07) << 18 |
		    (uint32_t)(p[1] & 0x3f) << 12 |
		    (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
		if (rune < 0x10000 || rune > 0x10ffff)
			return (0);
		*ret = rune;
		return (4);
	}
	return (0);
}

int
utf8_encode(uint32_t rune, uint8_t ret[4])
{

	if (rune < 0x80) {
		ret[0] = (uint8_t)rune;
		return (1);
	}
	if (rune < 0x800) {
		ret[0] = (uint8_t)(0xc0 | rune >> 6);
		ret[1] = (uint8_t)(0x80 | (rune & 0x3f));
		return (2);
	}
	if (rune < 0x10000) {
		ret[0] = (uint8_t)(0xe0 | rune >> 12);
		ret[1] = (uint8_t)(0x80 | (rune >> 6 & 0x3f));
		ret[2] = (uint8_t)(0x80 | (rune & 0x3f));
		return (3);
	}
	ret[0] = (uint8_t)(0xf0 | rune >> 18);
	ret[1] = (uint8_t)(0x80 | (rune >> 12 & 0x3f));
	ret[2] = (uint8_t)(0x80 | (rune >> 6 & 0x3f));
	ret[3] = (uint8_t)(0x80 | (rune & 0x3f));
	return (4);
}

bool
utf8_valid(const uint8_t *p, size_t len)
{
	uint32_t rune;
	int n;

	while (len > 0) {
		if ((n = utf8_decode(p, len, &rune)) == 0)
			return (false);
		p += n;
		len -= (size_t)n;
	}
	return (true);
}

char *
utf8_show(char *ret, size_t room, const char *s)
{
	static const char digit[] = "0123456789abcdef";
	size_t len = strlen(s), at = 0, need;
	uint32_t rune;
	int n, i;

	for (; len > 0; s += n, len -= (size_t)n) {
		n = utf8_decode((const uint8_t *)s, len, &rune);
		if (n == 0)
			rune = 0;
		n = n == 0 ? 1 : n;
		need = (size_t)n * (utf8_printable(rune) ? 1 : 4);
		if (need >= room - at)
			break;
		if (utf8_printable(rune))
			memcpy(ret + at, s, need);
		for (i = 0; need > (size_t)n && i < n; i++) {
			ret[at + 4 * (size_t)i] = '\\';
			ret[at + 4 * (size_t)i + 1] = 'x';
			ret[at + 4 * (size_t)i + 2] = digit[(uint8_t)s[i] >> 4];
			ret[at + 4 * (size_t)i + 3] = digit[s[i] & 15];
		}
		at += need;
	}
	ret[at] = '\0';
	return (ret);
}

bool
utf8_printable(uint32_t rune)
{
	unsigned plane = rune >> 16, low = rune & 0xffff, from, to, mid;

	if (rune < 0x7f)
		return (rune >= 0x20);
	if (plane >= UTF8_PRINT_PLANES)
		return (false);

	/* The last range of its plane that does not begin after it. */
	from = utf8_print_plane[plane];
	to = utf8_print_plane[plane + 1];
	while (from < to) {
		mid = (from + to) / 2;
		if (utf8_print_range[mid][0] <= low)
			from = mid + 1;
		else
			to = mid;
	}
	return (from > utf8_print_plane[plane] &&
	    low <= utf8_print_range[from - 1][1]);
}
