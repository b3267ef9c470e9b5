#include "base/goname.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static const char digit[] = "0123456789abcdef";

/* The letter after the backslash of a short form, or 0 (restic-format 8.2). */
static char
letter_of(uint32_t rune)
{

	switch (rune) {
	case '"':
		return ('"');
	case '\\':
		return ('\\');
	case '\a':
		return ('a');
	case '\b':
		return ('b');
	case '\f':
		return ('f');
	case '\n':
		return ('n');
	case '\r':
		return ('r');
	case '\t':
		return ('t');
	case '\v':
		return ('v');
	default:
		return (0);
	}
}

/* And the other way; -1 for a letter that is none. */
static int
byte_of(char letter)
{

	switch (letter) {
	case '"':
		return ('"');
	case '\\':
		return ('\\');
	case 'a':
		return ('\a');
	case 'b':
		return ('\b');
	case 'f':
		return ('\f');
	case 'n':
		return ('\n');
	case 'r':
		return ('\r');
	case 't':
		return ('\t');
	case 'v':
		return ('\v');
	default:
		return (-1);
	}
}

/* \xHH, \uHHHH or \UHHHHHHHH */
static char *
put_hex(char *to, char kind, uint32_t v, int digits)
{

	*to++ = '\\';
	*to++ = kind;
	while (digits-- > 0)
		*to++ = digit[v >> 4 * digits & 15];
	return (to);
}

size_t
goname_quote(char *ret, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	uint32_t rune;
	char *to = ret, letter;
	int n;

	while (p < end) {
		n = utf8_decode(p, (size_t)(end - p), &rune);
		if (n == 0) {
			to = put_hex(to, 'x', *p++, 2);
		} else if ((letter = letter_of(rune)) != 0) {
			*to++ = '\\';
			*to++ = letter;
			p += n;
		} else if (utf8_printable(rune)) {
			while (n-- > 0)
				*to++ = (char)*p++;
		} else {
			p += n;
			if (rune < 0x80)
				to = put_hex(to, 'x', rune, 2);
			else if (rune < 0x10000)
				to = put_hex(to, 'u', rune, 4);
			else
				to = put_hex(to, 'U', rune, 8);
		}
	}
	return ((size_t)(to - ret));
}

/*
 * ${digits} digits of the base 1 << ${bits} at ${s}, upper or lower case;
 * false when there are fewer.
 */
static bool
get_digits(const char *s, const char *end, int digits, int bits, uint32_t *ret)
{
	uint32_t v = 0, d;

	if (end - s < digits)
		return (false);
	for (; digits > 0; digits--, s++) {
		if (*s >= '0' && *s <= '9')
			d = (uint32_t)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			d = (uint32_t)(*s - 'a') + 10;
		else if (*s >= 'A' && *s <= 'F')
			d = (uint32_t)(*s - 'A') + 10;
		else
			return (false);
		if (d >> bits != 0)
			return (false);
		v = v << bits | d;
	}
	*ret = v;
	return (true);
}

/*
 * One escape, whose backslash lies before ${s}. Put its bytes into ${out},
 * their number into ${*ret_n}; return where the text goes on, or NULL.
 */
static const char *
get_escape(const char *s, const char *end, uint8_t out[4], int *ret_n)
{
	uint32_t v;
	int n, b;

	if (s == end)
		return (NULL);
	*ret_n = 1;
	switch (*s) {
	case 'x':
		if (!get_digits(s + 1, end, 2, 4, &v))
			return (NULL);
		out[0] = (uint8_t)v;
		return (s + 3);
	case 'u':
	case 'U':
		n = *s == 'u' ? 4 : 8;
		if (!get_digits(s + 1, end, n, 4, &v) || v > 0x10ffff ||
		    (v >= 0xd800 && v < 0xe000))
			return (NULL);
		*ret_n = utf8_encode(v, out);
		return (s + 1 + n);
	case '0': case '1': case '2': case '3':
	case '4': case '5': case '6': case '7':
		if (!get_digits(s, end, 3, 3, &v) || v > 255)
			return (NULL);
		out[0] = (uint8_t)v;
		return (s + 3);
	default:
		if ((b = byte_of(*s)) < 0)
			return (NULL);
		out[0] = (uint8_t)b;
		return (s + 1);
	}
}

ssize_t
goname_unquote(uint8_t *ret, size_t max, const char *s, size_t len)
{
	const char *end = s + len;
	uint32_t rune;
	uint8_t out[4];
	size_t done = 0;
	int n;

	while (s < end) {
		/* Nearly all names are plain ASCII. */
		while (s < end && done < max && *s > ' ' && *s < 0x7f &&
		    *s != '\\' && *s != '"')
			ret[done++] = (uint8_t)*s++;
		if (s == end)
			break;
		if (*s == '\\') {
			if ((s = get_escape(s + 1, end, out, &n)) == NULL)
				return (-1);
		} else if (*s == '"' || *s == '\n') {
			return (-1);
		} else if ((n = utf8_decode((const uint8_t *)s,
		    (size_t)(end - s), &rune)) > 0) {
			memcpy(out, s, (size_t)n);
			s += n;
		} else {
			n = utf8_encode(0xfffd, out);
			s++;
		}
		if ((size_t)n > max - done)
			return (-1);
		memcpy(ret + done, out, (size_t)n);
		done += (size_t)n;
	}
	return ((ssize_t)done);
}
