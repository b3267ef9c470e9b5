#include "source/filter.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/utf8.h"

/*
 * A pattern is taken apart once, into pieces of eight bytes; a path is not: its
 * names are found from slash to slash while patterns are held against them.
 *
 * Within a name, what stands behind a * is put at the first place where it fits
 * and never moved again, for a later one gains nothing; only the last must meet
 * the end of the name. So it is with the parts of a pattern and **, but nothing
 * has to meet the end of the path.
 */

enum {
	NOT_UTF8 = 0xfffd,   /* what Go makes of such a byte */
	NAME_LONGEST = 255,  /* of a file system's names: NAME_MAX */
	LOW_NAME = 3 * NAME_LONGEST, /* in lower case: \xff becomes U+FFFD */
	LOW_PATH = 4096,
	LINE_LONGEST = 64 * 1024, /* of a file of patterns; restic's, too */
	NOTED = 32,          /* ends of names that are found only once */
};

enum kind {
	EXACT,               /* these bytes: n of them at bytes[at] */
	ONES,                /* n runes, whatever they are */
	WITHIN,              /* a rune in one of n ranges at ranges[at] */
	OUTSIDE,             /* a rune in none of them */
	STAR,                /* anything */
	GLOB,                /* a part: n of the above at steps[at] */
	DEEP,                /* a part: **, any number of names */
};

struct piece {
	uint32_t at;
	uint32_t n : 28;
	uint32_t kind : 4;
};

struct range {
	uint32_t from, to;   /* runes, both included */
};

struct pattern {
	uint32_t first;      /* of its parts */
	uint16_t parts;
	uint16_t fixed;      /* parts that are not ** */
	uint16_t head;       /* parts before the first ** */
	bool rooted;         /* began with a slash, which is no part */
	bool negated;
};

struct filter {
	bool fold_case;
	bool negates;        /* has a negated pattern */
	size_t total;        /* bytes of all patterns as they were given */
	struct buf patterns, parts, steps, ranges, bytes;
};

/* A path while patterns are held against it. */
struct view {
	const uint8_t *first; /* its first name */
	const uint8_t *end;  /* its NUL */
	size_t depth;        /* names */
	bool rooted;
	bool fold;           /* names are still to be folded */
	uint32_t ends[NOTED]; /* of the first names, from ${first} on */
};

/* ---- lower case ---- */

/*
 * Upper-case letters from first to last and the way to their lower case, modulo
 * 65536. Where that is 1, upper and lower case take turns: every other rune is
 * meant. Unicode 15.0 without ASCII; İ (U+0130) is i, as in Go.
 */
struct letters {
	uint16_t first, last, way;
};

static const struct letters plane_0[] = {
	{ 0xc0, 0xd6, 32 }, { 0xd8, 0xde, 32 }, { 0x100, 0x12e, 1 },
	{ 0x130, 0x130, 65337 }, { 0x132, 0x136, 1 }, { 0x139, 0x147, 1 },
	{ 0x14a, 0x176, 1 }, { 0x178, 0x178, 65415 }, { 0x179, 0x17d, 1 },
	{ 0x181, 0x181, 210 }, { 0x182, 0x184, 1 }, { 0x186, 0x186, 206 },
	{ 0x187, 0x187, 1 }, { 0x189, 0x18a, 205 }, { 0x18b, 0x18b, 1 },
	{ 0x18e, 0x18e, 79 }, { 0x18f, 0x18f, 202 }, { 0x190, 0x190, 203 },
	{ 0x191, 0x191, 1 }, { 0x193, 0x193, 205 }, { 0x194, 0x194, 207 },
	{ 0x196, 0x196, 211 }, { 0x197, 0x197, 209 }, { 0x198, 0x198, 1 },
	{ 0x19c, 0x19c, 211 }, { 0x19d, 0x19d, 213 }, { 0x19f, 0x19f, 214 },
	{ 0x1a0, 0x1a4, 1 }, { 0x1a6, 0x1a6, 218 }, { 0x1a7, 0x1a7, 1 },
	{ 0x1a9, 0x1a9, 218 }, { 0x1ac, 0x1ac, 1 }, { 0x1ae, 0x1ae, 218 },
	{ 0x1af, 0x1af, 1 }, { 0x1b1, 0x1b2, 217 }, { 0x1b3, 0x1b5, 1 },
	{ 0x1b7, 0x1b7, 219 }, { 0x1b8, 0x1b8, 1 }, { 0x1bc, 0x1bc, 1 },
	{ 0x1c4, 0x1c4, 2 }, { 0x1c5, 0x1c5, 1 }, { 0x1c7, 0x1c7, 2 },
	{ 0x1c8, 0x1c8, 1 }, { 0x1ca, 0x1ca, 2 }, { 0x1cb, 0x1db, 1 },
	{ 0x1de, 0x1ee, 1 }, { 0x1f1, 0x1f1, 2 }, { 0x1f2, 0x1f4, 1 },
	{ 0x1f6, 0x1f6, 65439 }, { 0x1f7, 0x1f7, 65480 }, { 0x1f8, 0x21e, 1 },
	{ 0x220, 0x220, 65406 }, { 0x222, 0x232, 1 }, { 0x23a, 0x23a, 10795 },
	{ 0x23b, 0x23b, 1 }, { 0x23d, 0x23d, 65373 }, { 0x23e, 0x23e, 10792 },
	{ 0x241, 0x241, 1 }, { 0x243, 0x243, 65341 }, { 0x244, 0x244, 69 },
	{ 0x245, 0x245, 71 }, { 0x246, 0x24e, 1 }, { 0x370, 0x372, 1 },
	{ 0x376, 0x376, 1 }, { 0x37f, 0x37f, 116 }, { 0x386, 0x386, 38 },
	{ 0x388, 0x38a, 37 }, { 0x38c, 0x38c, 64 }, { 0x38e, 0x38f, 63 },
	{ 0x391, 0x3a1, 32 }, { 0x3a3, 0x3ab, 32 }, { 0x3cf, 0x3cf, 8 },
	{ 0x3d8, 0x3ee, 1 }, { 0x3f4, 0x3f4, 65476 }, { 0x3f7, 0x3f7, 1 },
	{ 0x3f9, 0x3f9, 65529 }, { 0x3fa, 0x3fa, 1 }, { 0x3fd, 0x3ff, 65406 },
	{ 0x400, 0x40f, 80 }, { 0x410, 0x42f, 32 }, { 0x460, 0x480, 1 },
	{ 0x48a, 0x4be, 1 }, { 0x4c0, 0x4c0, 15 }, { 0x4c1, 0x4cd, 1 },
	{ 0x4d0, 0x52e, 1 }, { 0x531, 0x556, 48 }, { 0x10a0, 0x10c5, 7264 },
	{ 0x10c7, 0x10c7, 7264 }, { 0x10cd, 0x10cd, 7264 },
	{ 0x13a0, 0x13ef, 38864 }, { 0x13f0, 0x13f5, 8 },
	{ 0x1c90, 0x1cba, 62528 }, { 0x1cbd, 0x1cbf, 62528 },
	{ 0x1e00, 0x1e94, 1 }, { 0x1e9e, 0x1e9e, 57921 }, { 0x1ea0, 0x1efe, 1 },
	{ 0x1f08, 0x1f0f, 65528 }, { 0x1f18, 0x1f1d, 65528 },
	{ 0x1f28, 0x1f2f, 65528 }, { 0x1f38, 0x1f3f, 65528 },
	{ 0x1f48, 0x1f4d, 65528 }, { 0x1f59, 0x1f59, 65528 },
	{ 0x1f5b, 0x1f5b, 65528 }, { 0x1f5d, 0x1f5d, 65528 },
	{ 0x1f5f, 0x1f5f, 65528 }, { 0x1f68, 0x1f6f, 65528 },
	{ 0x1f88, 0x1f8f, 65528 }, { 0x1f98, 0x1f9f, 65528 },
	{ 0x1fa8, 0x1faf, 65528 }, { 0x1fb8, 0x1fb9, 65528 },
	{ 0x1fba, 0x1fbb, 65462 }, { 0x1fbc, 0x1fbc, 65527 },
	{ 0x1fc8, 0x1fcb, 65450 }, { 0x1fcc, 0x1fcc, 65527 },
	{ 0x1fd8, 0x1fd9, 65528 }, { 0x1fda, 0x1fdb, 65436 },
	{ 0x1fe8, 0x1fe9, 65528 }, { 0x1fea, 0x1feb, 65424 },
	{ 0x1fec, 0x1fec, 65529 }, { 0x1ff8, 0x1ff9, 65408 },
	{ 0x1ffa, 0x1ffb, 65410 }, { 0x1ffc, 0x1ffc, 65527 },
	{ 0x2126, 0x2126, 58019 }, { 0x212a, 0x212a, 57153 },
	{ 0x212b, 0x212b, 57274 }, { 0x2132, 0x2132, 28 },
	{ 0x2160, 0x216f, 16 }, { 0x2183, 0x2183, 1 }, { 0x24b6, 0x24cf, 26 },
	{ 0x2c00, 0x2c2f, 48 }, { 0x2c60, 0x2c60, 1 },
	{ 0x2c62, 0x2c62, 54793 }, { 0x2c63, 0x2c63, 61722 },
	{ 0x2c64, 0x2c64, 54809 }, { 0x2c67, 0x2c6b, 1 },
	{ 0x2c6d, 0x2c6d, 54756 }, { 0x2c6e, 0x2c6e, 54787 },
	{ 0x2c6f, 0x2c6f, 54753 }, { 0x2c70, 0x2c70, 54754 },
	{ 0x2c72, 0x2c72, 1 }, { 0x2c75, 0x2c75, 1 }, { 0x2c7e, 0x2c7f, 54721 },
	{ 0x2c80, 0x2ce2, 1 }, { 0x2ceb, 0x2ced, 1 }, { 0x2cf2, 0x2cf2, 1 },
	{ 0xa640, 0xa66c, 1 }, { 0xa680, 0xa69a, 1 }, { 0xa722, 0xa72e, 1 },
	{ 0xa732, 0xa76e, 1 }, { 0xa779, 0xa77b, 1 }, { 0xa77d, 0xa77d, 30204 },
	{ 0xa77e, 0xa786, 1 }, { 0xa78b, 0xa78b, 1 }, { 0xa78d, 0xa78d, 23256 },
	{ 0xa790, 0xa792, 1 }, { 0xa796, 0xa7a8, 1 }, { 0xa7aa, 0xa7aa, 23228 },
	{ 0xa7ab, 0xa7ab, 23217 }, { 0xa7ac, 0xa7ac, 23221 },
	{ 0xa7ad, 0xa7ad, 23231 }, { 0xa7ae, 0xa7ae, 23228 },
	{ 0xa7b0, 0xa7b0, 23278 }, { 0xa7b1, 0xa7b1, 23254 },
	{ 0xa7b2, 0xa7b2, 23275 }, { 0xa7b3, 0xa7b3, 928 },
	{ 0xa7b4, 0xa7c2, 1 }, { 0xa7c4, 0xa7c4, 65488 },
	{ 0xa7c5, 0xa7c5, 23229 }, { 0xa7c6, 0xa7c6, 30152 },
	{ 0xa7c7, 0xa7c9, 1 }, { 0xa7d0, 0xa7d0, 1 }, { 0xa7d6, 0xa7d8, 1 },
	{ 0xa7f5, 0xa7f5, 1 }, { 0xff21, 0xff3a, 32 },
};

static const struct letters plane_1[] = {
	{ 0x400, 0x427, 40 }, { 0x4b0, 0x4d3, 40 }, { 0x570, 0x57a, 39 },
	{ 0x57c, 0x58a, 39 }, { 0x58c, 0x592, 39 }, { 0x594, 0x595, 39 },
	{ 0xc80, 0xcb2, 64 }, { 0x18a0, 0x18bf, 32 }, { 0x6e40, 0x6e5f, 32 },
	{ 0xe900, 0xe921, 34 },
};

static uint32_t
lower(uint32_t rune)
{
	const struct letters *l;
	unsigned low = rune & 0xffff, from = 0, to, mid;

	if (rune < 0x80)
		return (rune >= 'A' && rune <= 'Z' ? rune + 32 : rune);
	switch (rune >> 16) {
	case 0:
		l = plane_0;
		to = sizeof(plane_0) / sizeof(plane_0[0]);
		break;
	case 1:
		l = plane_1;
		to = sizeof(plane_1) / sizeof(plane_1[0]);
		break;
	default:
		return (rune);
	}

	/* The last row that does not begin after it. */
	while (from < to) {
		mid = (from + to) / 2;
		if (l[mid].first <= low)
			from = mid + 1;
		else
			to = mid;
	}
	if (from == 0)
		return (rune);
	l += from - 1;
	if (low > l->last || (l->way == 1 && (low - l->first) % 2 != 0))
		return (rune);
	return ((rune & ~0xffffu) | ((low + l->way) & 0xffff));
}

/* The rune at ${p}; return its length. */
static size_t
rune_at(const uint8_t *p, size_t len, uint32_t *ret)
{
	int n = utf8_decode(p, len, ret);

	if (n > 0)
		return ((size_t)n);
	*ret = NOT_UTF8;
	return (1);
}

/*
 * Write ${p} in lower case, at most ${cap} bytes; 3 * ${len} always do. Return
 * their number, or -1 when they do not fit.
 */
static ssize_t
fold(uint8_t *to, size_t cap, const uint8_t *p, size_t len)
{
	uint8_t out[4];
	uint32_t rune;
	size_t n = 0, i, more;

	while (len > 0) {
		if (*p < 0x80) {
			if (n == cap)
				return (-1);
			to[n++] = *p >= 'A' && *p <= 'Z' ? *p + 32 : *p;
			p++;
			len--;
			continue;
		}
		i = rune_at(p, len, &rune);
		p += i;
		len -= i;
		more = (size_t)utf8_encode(lower(rune), out);
		if (more > cap - n)
			return (-1);
		memcpy(to + n, out, more);
		n += more;
	}
	return ((ssize_t)n);
}

/* ---- taking a pattern apart ---- */

static int
add_piece(struct buf *to, enum kind kind, size_t at, size_t n, struct err *e)
{
	struct piece piece;

	memset(&piece, 0, sizeof(piece));
	piece.at = (uint32_t)at;
	piece.n = n & 0xfffffff;
	piece.kind = kind;
	return (buf_add(to, &piece, sizeof(piece), e));
}

/* The step added last to the part whose steps begin at ${from}, or NULL. */
static struct piece *
last_step(struct filter *f, size_t from, enum kind kind)
{
	struct piece *last;

	if (f->steps.len == from)
		return (NULL);
	last = (struct piece *)(void *)(f->steps.p + f->steps.len) - 1;
	return (last->kind == kind ? last : NULL);
}

static int
add_byte(struct filter *f, size_t from, uint8_t c, struct err *e)
{
	struct piece *last = last_step(f, from, EXACT);
	int rc;

	if ((rc = buf_add(&f->bytes, &c, 1, e)) != 0)
		return (rc);
	if (last == NULL)
		return (add_piece(&f->steps, EXACT, f->bytes.len - 1, 1, e));
	last->n++;
	return (0);
}

/* One end of a range in a class; something must follow it. */
static int
class_rune(const uint8_t **s, const uint8_t *end, uint32_t *ret, struct err *e)
{
	int n;

	if (*s < end && (**s == '-' || **s == ']'))
		return (err_set(e, ERR_USAGE,
		    "a '%c' in [] needs a backslash before it", **s));
	if (*s < end && **s == '\\')
		++*s;
	if (*s < end) {
		n = utf8_decode(*s, (size_t)(end - *s), ret);
		if (n == 0)
			return (err_set(e, ERR_USAGE,
			    "what stands in [] is not UTF-8"));
		*s += n;
	}
	if (*s >= end)
		return (err_set(e, ERR_USAGE, "a '[' has no ']'"));
	return (0);
}

/* What follows a [, up to and with its ]. */
static int
add_class(struct filter *f, const uint8_t **s, const uint8_t *end,
    struct err *e)
{
	size_t at = f->ranges.len / sizeof(struct range), n = 0;
	enum kind kind = WITHIN;
	struct range range;
	bool first = true;
	int rc;

	if (*s < end && **s == '^') {
		kind = OUTSIDE;
		++*s;
	}
	while (first || **s != ']') {
		first = false;
		if ((rc = class_rune(s, end, &range.from, e)) != 0)
			return (rc);
		range.to = range.from;
		if (**s == '-') {
			++*s;
			if ((rc = class_rune(s, end, &range.to, e)) != 0)
				return (rc);
		}
		if ((rc = buf_add(&f->ranges, &range, sizeof(range), e)) != 0)
			return (rc);
		n++;
	}
	++*s;
	return (add_piece(&f->steps, kind, at, n, e));
}

/* The part of a pattern from ${s} to ${end}. */
static int
add_part(struct filter *f, const uint8_t *s, const uint8_t *end, struct err *e)
{
	size_t from = f->steps.len, n;
	struct piece *last;
	int rc = 0;

	/* There is an empty part only in "/". */
	if (s == end || (end - s == 2 && s[0] == '*' && s[1] == '*'))
		return (add_piece(&f->parts, DEEP, 0, 0, e));

	while (s < end && rc == 0) {
		switch (*s++) {
		case '*':
			if (last_step(f, from, STAR) == NULL)
				rc = add_piece(&f->steps, STAR, 0, 0, e);
			break;
		case '?':
			if ((last = last_step(f, from, ONES)) != NULL)
				last->n++;
			else
				rc = add_piece(&f->steps, ONES, 0, 1, e);
			break;
		case '[':
			rc = add_class(f, &s, end, e);
			break;
		case '\\':
			if (s == end)
				return (err_set(e, ERR_USAGE,
				    "a '\\' with nothing behind it"));
			s++;
			/* FALLTHROUGH */
		default:
			rc = add_byte(f, from, s[-1], e);
		}
	}
	if (rc != 0)
		return (rc);

	/* A text by itself, or a *, needs no steps. */
	n = (f->steps.len - from) / sizeof(struct piece);
	last = (struct piece *)(void *)(f->steps.p + from);
	if (n > 1 || (last->kind != EXACT && last->kind != STAR))
		return (add_piece(&f->parts, GLOB, from / sizeof(*last), n,
		    e));
	f->steps.len = from;
	return (buf_add(&f->parts, last, sizeof(*last), e));
}

/* All of a pattern that has been tidied. */
static int
add_parts(struct filter *f, bool negated, const uint8_t *s, size_t len,
    struct err *e)
{
	const uint8_t *end = s + len, *slash;
	const struct piece *part;
	struct pattern p;
	int rc;

	memset(&p, 0, sizeof(p));
	p.first = (uint32_t)(f->parts.len / sizeof(*part));
	p.negated = negated;
	p.rooted = *s == '/';
	for (s += p.rooted;; s = slash + 1) {
		if ((slash = memchr(s, '/', (size_t)(end - s))) == NULL)
			slash = end;
		if ((rc = add_part(f, s, slash, e)) != 0)
			return (rc);
		part = (struct piece *)(void *)(f->parts.p + f->parts.len) - 1;
		p.parts++;
		p.fixed += part->kind != DEEP;
		if (p.fixed == p.parts)
			p.head++;
		if (slash == end)
			break;
	}
	return (buf_add(&f->patterns, &p, sizeof(p), e));
}

/*
 * Copy a pattern without what means nothing in it: empty parts, ".", and ".."
 * with the part before it. ${to} has room for ${len} bytes and one. Return the
 * length, which is at least 1.
 */
static size_t
tidy(uint8_t *to, const uint8_t *s, size_t len)
{
	const uint8_t *end = s + len, *slash;
	size_t n = 0, least, part;
	bool rooted = len > 0 && *s == '/', up;

	if (rooted)
		to[n++] = '/';
	least = n;	/* .. goes back to here */
	for (; s < end; s = slash + 1) {
		if ((slash = memchr(s, '/', (size_t)(end - s))) == NULL)
			slash = end;
		part = (size_t)(slash - s);
		if (part == 0 || (part == 1 && *s == '.'))
			continue;
		up = part == 2 && s[0] == '.' && s[1] == '.';
		if (up && n > least) {
			while (n > least && to[n - 1] != '/')
				n--;
			if (n > least)
				n--;	/* the slash, too */
			continue;
		}
		if (up && rooted)
			continue;
		if (n > 0 && to[n - 1] != '/')
			to[n++] = '/';
		memcpy(to + n, s, part);
		n += part;
		if (up)
			least = n;
	}
	if (n == 0)
		to[n++] = '.';
	return (n);
}

/* ---- a name against a part ---- */

/*
 * Do ${n} steps without a * fit the beginning of the name? Return how much of
 * it they take, or -1.
 */
static ssize_t
run_fits(const struct filter *f, const struct piece *step, size_t n,
    const uint8_t *name, size_t len)
{
	const struct range *range;
	const uint8_t *p = name, *end = name + len;
	uint32_t rune, i;
	bool within;

	for (; n > 0; n--, step++) {
		switch ((enum kind)step->kind) {
		case EXACT:
			if ((size_t)(end - p) < step->n ||
			    memcmp(p, f->bytes.p + step->at, step->n) != 0)
				return (-1);
			p += step->n;
			break;
		case ONES:
			for (i = 0; i < step->n; i++) {
				if (p == end)
					return (-1);
				p += rune_at(p, (size_t)(end - p), &rune);
			}
			break;
		case WITHIN:
		case OUTSIDE:
			if (p == end)
				return (-1);
			p += rune_at(p, (size_t)(end - p), &rune);
			range = (const struct range *)(const void *)
			    f->ranges.p + step->at;
			within = false;
			for (i = 0; i < step->n && !within; i++)
				within = rune >= range[i].from &&
				    rune <= range[i].to;
			if (within != (step->kind == WITHIN))
				return (-1);
			break;
		default:
			return (-1);
		}
	}
	return (p - name);
}

/*
 * The same behind a *: find the first place where the steps fit; when they are
 * the ${last} of a part, one where they also meet the end of the name. Return
 * where they end, or -1. As in Go a place is a byte: also one amid a rune.
 */
static ssize_t
run_find(const struct filter *f, const struct piece *step, size_t n, bool last,
    const uint8_t *name, size_t len)
{
	const uint8_t *exact, *p;
	size_t at;
	ssize_t got;

	if (n == 1 && step->kind == EXACT) {
		if (len < step->n)
			return (-1);
		exact = f->bytes.p + step->at;
		if (last)
			return (memcmp(name + len - step->n, exact,
			    step->n) == 0 ? (ssize_t)len : -1);
		if ((p = memmem(name, len, exact, step->n)) == NULL)
			return (-1);
		return (p - name + (ssize_t)step->n);
	}
	for (at = 0; at < len; at++) {
		got = run_fits(f, step, n, name + at, len - at);
		if (got >= 0 && (!last || at + (size_t)got == len))
			return ((ssize_t)at + got);
	}
	return (-1);
}

static bool
glob_fits(const struct filter *f, const struct piece *part, const uint8_t *name,
    size_t len)
{
	const struct piece *step, *end, *next;
	ssize_t got;
	bool star;

	step = (const struct piece *)(const void *)f->steps.p + part->at;
	for (end = step + part->n; step < end; step = next) {
		star = step->kind == STAR;
		if (star && ++step == end)
			return (true);
		next = step;
		while (next < end && next->kind != STAR)
			next++;
		got = star ? run_find(f, step, (size_t)(next - step),
		    next == end, name, len) :
		    run_fits(f, step, (size_t)(next - step), name, len);
		if (got < 0)
			return (false);
		name += got;
		len -= (size_t)got;
	}
	return (len == 0);
}

static bool
part_fits(const struct filter *f, const struct piece *part, const uint8_t *name,
    size_t len)
{

	if (part->kind == EXACT)
		return (len == part->n &&
		    memcmp(name, f->bytes.p + part->at, len) == 0);
	return (part->kind == STAR || glob_fits(f, part, name, len));
}

/* The same with a name as the path has it, to be compared in lower case. */
static bool
part_fits_folded(const struct filter *f, const struct piece *part,
    const uint8_t *name, size_t len)
{
	uint8_t low[LOW_NAME];
	ssize_t n;

	/* No file system has a longer name; only * stands for one. */
	if ((n = fold(low, sizeof(low), name, len)) < 0)
		return (part->kind == STAR);
	return (part_fits(f, part, low, (size_t)n));
}

/* ---- a path against a pattern ---- */

/* The end of the name at ${p}, which is the path's ${i}th. */
static const uint8_t *
name_end(const struct view *v, size_t i, const uint8_t *p)
{
	const uint8_t *slash;

	if (i < NOTED)
		return (v->first + v->ends[i]);
	slash = memchr(p, '/', (size_t)(v->end - p));
	return (slash != NULL ? slash : v->end);
}

/*
 * Do ${n} parts that are not ** fit the names from the ${i}th on, which begins
 * at ${p}? So many are there. Return where the name behind them begins or NULL.
 */
static const uint8_t *
names_fit(const struct filter *f, const struct view *v,
    const struct piece *part, size_t n, size_t i, const uint8_t *p)
{
	const uint8_t *end;

	for (; n > 0; n--, part++, i++, p = end + 1) {
		end = name_end(v, i, p);
		if (v->fold ?
		    !part_fits_folded(f, part, p, (size_t)(end - p)) :
		    !part_fits(f, part, p, (size_t)(end - p)))
			return (NULL);
	}
	return (p);
}

static const struct piece *
parts_of(const struct filter *f, const struct pattern *pt)
{

	return ((const struct piece *)(const void *)f->parts.p + pt->first);
}

/*
 * The parts from the first ** on, against the names from the ${i}th on, behind
 * those that the head of the pattern took. Return 1 when they fit, 0 when they
 * do not with the head at its place, -1 when they do not wherever it is.
 *
 * ${room} + 1 is how many names the first ** may take in restic (filter.h), the
 * first two one more, and so on. Taking few early leaves most to those behind:
 * the first fit is the best here as well.
 */
static int
rest_fits(const struct filter *f, const struct pattern *pt,
    const struct view *v, size_t i, const uint8_t *p, ssize_t room)
{
	const struct piece *part = parts_of(f, pt) + pt->head;
	const struct piece *end = parts_of(f, pt) + pt->parts;
	size_t fixed = (size_t)pt->fixed - pt->head, n;
	const uint8_t *next;
	ssize_t taken = 0;

	for (; part < end; part += n) {
		part++;	/* the ** */
		n = 0;
		while (part + n < end && part[n].kind != DEEP)
			n++;
		for (;; i++, taken++) {
			if (i + fixed > v->depth)
				return (-1);
			if ((next = names_fit(f, v, part, n, i, p)) != NULL)
				break;
			p = name_end(v, i, p) + 1;
		}
		if (taken > ++room)
			return (0);
		p = next;
		i += n;
		fixed -= n;
	}
	return (1);
}

/*
 * Can the name from ${p} to ${end} be the part, at a glance? Most are not, and
 * this is what the time of a backup's patterns goes into.
 */
static inline bool
glance(const struct filter *f, const struct view *v, const struct piece *part,
    const uint8_t *p, const uint8_t *end)
{

	return (part->kind != EXACT || v->fold ||
	    ((size_t)(end - p) == part->n && *p == f->bytes.p[part->at]));
}

static bool
pattern_fits(const struct filter *f, const struct pattern *pt,
    const struct view *v)
{
	const struct piece *head = parts_of(f, pt);
	const uint8_t *p, *end, *next;
	ssize_t room;
	size_t i;
	int rc;

	if (pt->rooted && !v->rooted)
		return (false);

	/* To restic the root is a part, in the pattern if it is there, too. */
	room = (ssize_t)(v->depth + v->rooted) -
	    (ssize_t)((size_t)pt->parts + pt->rooted);
	for (i = 0, p = v->first; i < v->depth; i++, p = end + 1) {
		if (i + pt->fixed > v->depth)
			break;
		end = name_end(v, i, p);
		if (pt->head == 0)
			next = p;
		else if (glance(f, v, head, p, end))
			next = names_fit(f, v, head, pt->head, i, p);
		else
			next = NULL;
		if (next != NULL && pt->head == pt->parts)
			return (true);
		if (next != NULL) {
			rc = rest_fits(f, pt, v, i + pt->head, next, room);
			if (rc != 0)
				return (rc > 0);
		}
		if (pt->rooted)
			break;
	}
	return (false);
}

/* Could the pattern fit something below the path? */
static bool
pattern_below(const struct filter *f, const struct pattern *pt,
    const struct view *v)
{
	size_t n = pt->head < v->depth ? pt->head : v->depth;

	if (!pt->rooted)
		return (true);
	if (!v->rooted)
		return (false);
	return (v->first == v->end ||
	    names_fit(f, v, parts_of(f, pt), n, 0, v->first) != NULL);
}

/* Look at ${path}, in ${low} (LOW_PATH bytes) if it fits there and must be. */
static void
view_begin(struct view *v, const struct filter *f, const char *path,
    uint8_t *low)
{
	const uint8_t *p = (const uint8_t *)path, *slash;
	size_t len = strlen(path);
	ssize_t n;

	v->fold = f->fold_case;
	if (v->fold && (n = fold(low, LOW_PATH - 1, p, len)) >= 0) {
		v->fold = false;
		p = low;
		len = (size_t)n;
		low[len] = '\0';
	}
	v->end = p + len;
	v->rooted = *p == '/';
	v->first = p += v->rooted;
	v->depth = 0;
	for (;; p = slash + 1) {
		if ((slash = memchr(p, '/', (size_t)(v->end - p))) == NULL)
			slash = v->end;
		if (v->depth < NOTED)
			v->ends[v->depth] = (uint32_t)(slash - v->first);
		v->depth++;
		if (slash == v->end)
			break;
	}
}

bool
filter_match(const struct filter *f, const char *path, bool *ret_below)
{
	const struct pattern *pt, *end;
	bool matched = false, below = false;
	uint8_t low[LOW_PATH];
	struct view v;

	if (ret_below != NULL)
		*ret_below = false;
	if (filter_empty(f) || *path == '\0')
		return (false);
	view_begin(&v, f, path, low);
	pt = (const struct pattern *)(const void *)f->patterns.p;
	end = pt + f->patterns.len / sizeof(*pt);
	for (; pt < end; pt++) {
		if (pt->negated) {
			if ((matched || below) && pattern_fits(f, pt, &v))
				matched = below = false;
			continue;
		}
		if (!matched)
			matched = pattern_fits(f, pt, &v);
		if (!below && ret_below != NULL)
			below = pattern_below(f, pt, &v);
		if (matched && (below || ret_below == NULL) && !f->negates)
			break;	/* nothing takes it back */
	}
	if (ret_below != NULL)
		*ret_below = below;
	return (matched);
}

/* ---- the list ---- */

int
filter_new(struct filter **ret, bool fold_case, struct err *e)
{
	struct filter *f;

	if ((f = calloc(1, sizeof(*f))) == NULL)
		return (err_nomem(e));
	f->fold_case = fold_case;

	/* Never met: ${total} ends first. */
	f->patterns.max = f->parts.max = f->steps.max = f->ranges.max =
	    f->bytes.max = (size_t)16 * FILTER_TOTAL_MAX;
	*ret = f;
	return (0);
}

void
filter_free(struct filter *f)
{

	if (f == NULL)
		return;
	buf_free(&f->patterns);
	buf_free(&f->parts);
	buf_free(&f->steps);
	buf_free(&f->ranges);
	buf_free(&f->bytes);
	free(f);
}

bool
filter_empty(const struct filter *f)
{

	return (f->patterns.len == 0);
}

/* As add_parts, which leaves nothing behind when it fails or shall only try. */
static int
try_parts(struct filter *f, bool negated, const uint8_t *s, size_t len,
    bool keep, struct err *e)
{
	size_t patterns = f->patterns.len, parts = f->parts.len;
	size_t steps = f->steps.len, ranges = f->ranges.len;
	size_t bytes = f->bytes.len;
	int rc;

	rc = add_parts(f, negated, s, len, e);
	if (rc == 0 && keep)
		return (0);
	f->patterns.len = patterns;
	f->parts.len = parts;
	f->steps.len = steps;
	f->ranges.len = ranges;
	f->bytes.len = bytes;
	return (rc);
}

int
filter_add(struct filter *f, const char *pattern, struct err *e)
{
	size_t whole = strlen(pattern), len, cap;
	bool negated = *pattern == '!';
	uint8_t *text, *low;
	int rc;

	if (whole == 0)
		return (0);
	if (whole > FILTER_PATTERN_MAX)
		return (err_set(e, ERR_LIMIT,
		    "pattern '%.40s...' is longer than %d KiB", pattern,
		    FILTER_PATTERN_MAX / 1024));
	if (whole + 1 > FILTER_TOTAL_MAX - f->total)
		return (err_set(e, ERR_LIMIT, "more than %d KiB of patterns",
		    FILTER_TOTAL_MAX / 1024));

	/* Both forms of the text in one piece of memory. */
	cap = 3 * whole;
	if ((text = malloc(whole + cap)) == NULL)
		return (err_nomem(e));
	low = text + whole;
	len = tidy(text, (const uint8_t *)pattern + negated, whole - negated);
	rc = try_parts(f, negated, text, len, !f->fold_case, e);
	if (rc == 0 && f->fold_case) {
		/* Malformed is what was so in the owner's letters. */
		len = (size_t)fold(low, cap, text, len);
		rc = try_parts(f, negated, low, len, true, e);
	}
	free(text);
	if (rc != 0) {
		(void)err_note(e, "pattern '%.200s'", pattern);
		return (rc);
	}
	f->negates |= negated;
	f->total += whole + 1;
	return (0);
}

/* ---- files of patterns ---- */

enum text_kind { TEXT_BYTES, TEXT_UTF16_BE, TEXT_UTF16_LE };

struct lines {
	FILE *in;
	enum text_kind kind;
	uint8_t ahead[4];    /* read, to be read again */
	unsigned n_ahead;    /* how many; the next is the last of them */
	unsigned number;     /* of the line that was read last */
	struct buf line;     /* which it is, with a NUL that does not count */
};

static int
next_byte(struct lines *l)
{

	return (l->n_ahead > 0 ? l->ahead[--l->n_ahead] : getc(l->in));
}

/* A unit of UTF-16, half of one as U+FFFD, or EOF. */
static int
next_unit(struct lines *l)
{
	int x, y;

	if ((x = next_byte(l)) == EOF)
		return (EOF);
	if ((y = next_byte(l)) == EOF)
		return (NOT_UTF8);
	return (l->kind == TEXT_UTF16_BE ? x << 8 | y : y << 8 | x);
}

/* The next character as bytes of UTF-8, or the next byte: how many, 0 at the
 * end. */
static int
next_text(struct lines *l, uint8_t ret[4])
{
	int x, y;

	if (l->kind == TEXT_BYTES) {
		if ((x = next_byte(l)) == EOF)
			return (0);
		ret[0] = (uint8_t)x;
		return (1);
	}
	if ((x = next_unit(l)) == EOF)
		return (0);
	if (x < 0xd800 || x > 0xdfff)
		return (utf8_encode((uint32_t)x, ret));

	/* Half of a pair; what follows is the other or stands for itself. */
	if ((y = next_unit(l)) != EOF) {
		if (y >= 0xdc00 && y <= 0xdfff)
			return (utf8_encode(x >= 0xdc00 ? NOT_UTF8 : 0x10000 +
			    ((uint32_t)x - 0xd800) * 0x400 +
			    ((uint32_t)y - 0xdc00), ret));
		if (l->kind == TEXT_UTF16_LE)
			y = (y & 0xff) << 8 | y >> 8;
		l->ahead[l->n_ahead++] = (uint8_t)y;
		l->ahead[l->n_ahead++] = (uint8_t)(y >> 8);
	}
	return (utf8_encode(NOT_UTF8, ret));
}

/* Find out what the text is, by the byte order mark that it may begin with. */
static void
look_at_mark(struct lines *l)
{
	int c[3], i;

	for (i = 0; i < 3; i++)
		c[i] = getc(l->in);
	if (c[0] == 0xef && c[1] == 0xbb && c[2] == 0xbf)
		return;
	if (c[0] == 0xfe && c[1] == 0xff)
		l->kind = TEXT_UTF16_BE;
	else if (c[0] == 0xff && c[1] == 0xfe)
		l->kind = TEXT_UTF16_LE;
	for (i = 2; i >= (l->kind == TEXT_BYTES ? 0 : 2); i--)
		if (c[i] != EOF)
			l->ahead[l->n_ahead++] = (uint8_t)c[i];
}

/* Read the next line into l->line: 1, 0 at the end, or ERR_*. */
static int
next_line(struct lines *l, struct err *e)
{
	uint8_t text[4];
	int n, rc;

	l->number++;
	buf_reset(&l->line);
	while ((n = next_text(l, text)) > 0 && text[0] != '\n')
		if ((rc = buf_add(&l->line, text, (size_t)n, e)) != 0)
			return (rc);
	if (n == 0 && ferror(l->in))
		return (err_sys(e, "it cannot be read"));
	if (n == 0 && l->line.len == 0)
		return (0);
	if ((rc = buf_nul(&l->line, e)) != 0)
		return (rc);
	if (strlen((const char *)l->line.p) != l->line.len) {
		(void)err_set(e, ERR_USAGE, "a NUL byte");
		(void)err_hint(e, "is it a list of patterns, in UTF-8?");
		return (ERR_USAGE);
	}
	return (1);
}

/* The length of the white space (Unicode's) at ${s}, a NUL behind it, or 0. */
static size_t
space_at(const char *s)
{
	static const char wide[][4] = {
		"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80",
		"\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83",
		"\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
		"\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89",
		"\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
		"\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
	};
	size_t i, n;

	if (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		return (1);
	for (i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		n = strlen(wide[i]);
		if (strncmp(s, wide[i], n) == 0)
			return (n);
	}
	return (0);
}

/* Cut off the white space around ${s}; return where it begins. */
static char *
trim(char *s)
{
	char *p, *end;
	size_t n;

	while ((n = space_at(s)) > 0)
		s += n;
	for (p = end = s; *p != '\0'; p += n) {
		if ((n = space_at(p)) > 0)
			continue;
		n = 1;
		end = p + 1;
	}
	*end = '\0';
	return (s);
}

/* Letters, digits and _ of ASCII, whatever the locale says. */
static bool
is_word(char c)
{

	return ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') || c == '_');
}

/* The shell's own variables, whose names are one character. */
static bool
is_special(char c)
{

	return (c != '\0' && strchr("*#$@!?-0123456789", c) != NULL);
}

/*
 * The name behind a dollar: ${*ret} and ${*ret_len}, 0 for none. Return how
 * many characters it takes, with its braces; odd braces are taken, too.
 */
static size_t
name_at(char *s, char **ret, size_t *ret_len)
{
	size_t n = 0;
	char *close;

	*ret = s;
	*ret_len = 0;
	if (*s != '{') {
		if (is_special(*s))
			n = 1;
		else
			while (is_word(s[n]))
				n++;
		*ret_len = n;
		return (n);
	}
	if ((close = strchr(s, '}')) == NULL)
		return (1);
	*ret = s + 1;
	*ret_len = (size_t)(close - s - 1);
	return ((size_t)(close - s + 1));
}

/* Replace the variables in ${s}, which is changed on the way. */
static int
expand(struct buf *to, char *s, struct err *e)
{
	const char *value;
	char *name, saved;
	size_t len, n;
	int rc;

	for (; *s != '\0'; s++) {
		if (*s != '$') {
			if ((rc = buf_add(to, s, 1, e)) != 0)
				return (rc);
			continue;
		}
		n = name_at(s + 1, &name, &len);
		value = n == 0 ? "$" : "";
		if (len > 0) {
			saved = name[len];
			name[len] = '\0';
			value = strcmp(name, "$") == 0 ? "$" : getenv(name);
			name[len] = saved;
		}
		if (value != NULL && (rc = buf_str(to, value, e)) != 0)
			return (rc);
		s += n;
	}
	return (buf_nul(to, e));
}

static int
add_line(struct filter *f, char *line, struct err *e)
{
	struct buf pattern = BUF_INIT(FILTER_PATTERN_MAX + 1);
	int rc;

	line = trim(line);
	if (*line == '\0' || *line == '#')
		return (0);
	if ((rc = expand(&pattern, line, e)) == 0)
		rc = filter_add(f, (const char *)pattern.p, e);
	buf_free(&pattern);
	return (rc);
}

int
filter_add_file(struct filter *f, const char *path, struct err *e)
{
	struct lines l = { .line = BUF_INIT(LINE_LONGEST + 1) };
	bool standard = strcmp(path, "-") == 0;
	int rc;

	l.in = standard ? stdin : fopen(path, "re");
	if (l.in == NULL)
		return (err_sys(e, "cannot open '%s'", path));

	look_at_mark(&l);
	while ((rc = next_line(&l, e)) > 0)
		if ((rc = add_line(f, (char *)l.line.p, e)) != 0)
			break;
	if (rc < 0)
		(void)err_note(e, "%s line %u",
		    standard ? "standard input" : path, l.number);

	buf_free(&l.line);
	if (!standard)
		(void)fclose(l.in);
	return (rc);
}
