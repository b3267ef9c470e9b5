/*
 * The reader holds no more of the document than the window. A token that lies
 * whole in it is handed out where it lies; the common string costs a scan of
 * eight bytes at a time for the three things that can end it. What meets the
 * window's edge goes the slow way: the window is used up first and filled again
 * as a whole, and the token's beginning is kept in str or num. So nothing is
 * ever moved, and one byte of window would do.
 *
 * A raw newline cannot stand inside a token, only between two: lines are
 * counted there, and a column is the distance from the line's first byte.
 */

#include "base/json.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/id.h"
#include "base/utf8.h"

/* What may come next. */
enum {
	VALUE,               /* the document's value */
	OBJECT_FIRST,        /* after {: a key or } */
	OBJECT_NEXT,         /* after a member: a comma and a key, or } */
	COLON,               /* after a key: a colon and a value */
	ARRAY_FIRST,         /* after [: a value or ] */
	ARRAY_NEXT,          /* after an element: a comma and a value, or ] */
	DONE,                /* the document's end */
	BROKEN,              /* nothing more after an error */
};

/* The byte that stands for the end of the document. */
#define END (-1)

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Where something begins, as far as an error has to say it. */
struct mark {
	unsigned line;
	uint64_t line_start;
	uint64_t offset;
};

void
json_begin(struct json_reader *r, void *win, size_t win_len, char *str,
    size_t str_max, json_fill *fill, void *cookie)
{

	memset(r, 0, sizeof(*r));
	r->fill = fill;
	r->cookie = cookie;
	r->win = win;
	r->cap = win_len;
	r->str = str;
	r->str_max = str_max;
	r->line = 1;
	r->state = VALUE;
	r->after[0] = DONE;
}

void
json_begin_mem(struct json_reader *r, const void *doc, size_t len,
    char *str, size_t str_max)
{

	/* Without fill the window is never written to. */
	json_begin(r, (void *)(uintptr_t)(len > 0 ? doc : ""), len, str,
	    str_max, NULL, NULL);
	r->end = len;
	r->eof = true;
}

void
json_place(struct json_reader *r, const struct json_token *at)
{

	r->base = at->offset;
	r->line = at->line;
	r->line_start = at->offset - (at->column - 1);
}

void
json_resume_array(struct json_reader *r)
{

	r->depth = 1;
	r->after[1] = ARRAY_NEXT;
	r->state = ARRAY_NEXT;
}

/* Where the reader stands. */
static struct mark
here(const struct json_reader *r)
{

	return ((struct mark){ r->line, r->line_start, r->base + r->at });
}

static unsigned
column_of(uint64_t line_start, uint64_t offset)
{
	uint64_t column = offset - line_start + 1;

	return (column < UINT_MAX ? (unsigned)column : UINT_MAX);
}

static int fail(struct json_reader *r, const struct mark *at, struct err *e,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The one way into BROKEN for what is wrong with the document. */
static int
fail(struct json_reader *r, const struct mark *at, struct err *e,
    const char *fmt, ...)
{
	char what[256];
	va_list ap;

	r->state = BROKEN;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return (err_set(e, ERR_CORRUPT, "line %u, column %u: %s", at->line,
	    column_of(at->line_start, at->offset), what));
}

/* A byte, or the end, in words that can be printed. */
static const char *
name_of(int c, char ret[32])
{

	if (c == END)
		return ("the end of the document");
	if (c > ' ' && c < 0x7f)
		(void)snprintf(ret, 32, "'%c'", c);
	else
		(void)snprintf(ret, 32, "byte 0x%02x", (unsigned)c);
	return (ret);
}

/* ${c} is what the reader stands at. */
static int
unexpected(struct json_reader *r, int c, const char *wanted, struct err *e)
{
	struct mark at = here(r);
	char name[32];

	return (fail(r, &at, e, "expected %s, found %s", wanted,
	    name_of(c, name)));
}

/* The window is used up: fill it again. Nothing is left of it at the end. */
static int
refill(struct json_reader *r, struct err *e)
{
	size_t n = 0;
	int rc;

	if (r->eof)
		return (0);
	r->base += r->end;
	r->at = r->end = 0;
	if ((rc = r->fill(r->cookie, r->win, r->cap, &n, e)) != 0) {
		r->state = BROKEN;
		return (rc);
	}
	r->end = n;
	r->eof = n == 0;
	return (0);
}

/* The byte that the reader stands at, or END. */
static int
look(struct json_reader *r, int *ret, struct err *e)
{
	int rc;

	if (r->at == r->end && (rc = refill(r, e)) != 0)
		return (rc);
	*ret = r->at < r->end ? r->win[r->at] : END;
	return (0);
}

/* A comment, at whose slash the reader stands. */
static int
skip_comment(struct json_reader *r, struct err *e)
{
	struct mark at = here(r);
	int c, before, rc;

	r->at++;
	if ((rc = look(r, &c, e)) != 0)
		return (rc);
	if (c == '/') {
		/* Up to the newline, which is white space again. */
		do {
			r->at++;
			if ((rc = look(r, &c, e)) != 0)
				return (rc);
		} while (c != '\n' && c != END);
		return (0);
	}
	if (c != '*')
		return (fail(r, &at, e, "a slash begins no comment here"));
	r->at++;
	for (before = 0;; before = c) {
		if ((rc = look(r, &c, e)) != 0)
			return (rc);
		if (c == END)
			return (fail(r, &at, e, "a comment that never ends"));
		r->at++;
		if (c == '\n') {
			r->line++;
			r->line_start = r->base + r->at;
		}
		if (before == '*' && c == '/')
			return (0);
	}
}

/* peek, where it is not as simple as there. */
static int __attribute__((noinline))
skip_space(struct json_reader *r, int *ret, struct err *e)
{
	int rc;

	for (;;) {
		if ((rc = look(r, ret, e)) != 0)
			return (rc);
		switch (*ret) {
		case '\n':
			r->line++;
			r->line_start = r->base + r->at + 1;
			/* FALLTHROUGH */
		case ' ':
		case '\t':
		case '\r':
			r->at++;
			break;
		case '/':
			if (!r->comments)
				return (0);
			if ((rc = skip_comment(r, e)) != 0)
				return (rc);
			break;
		default:
			return (0);
		}
	}
}

/* The next byte, or END, that is not white space; the reader stands at it. */
static inline int
peek(struct json_reader *r, int *ret, struct err *e)
{

	if (r->at < r->end && r->win[r->at] > ' ' && r->win[r->at] != '/') {
		*ret = r->win[r->at];
		return (0);
	}
	return (skip_space(r, ret, e));
}

/*
 * How many of ${n} bytes lie before the first quote, backslash or control
 * character. In a word, a byte that is one of them borrows from its top bit
 * in one of the three differences; the bytes above it may then be wrong, but
 * it is the lowest that counts. Bytes from 0x80 on end nothing.
 */
static inline size_t
plain_len(const uint8_t *p, size_t n)
{
	uint64_t w, hit;
	size_t i;

	for (i = 0; n - i >= 8; i += 8) {
		w = load_le64(p + i);
		hit = (w - EACH(0x20)) | ((w ^ EACH('"')) - EACH(1)) |
		    ((w ^ EACH('\\')) - EACH(1));
		hit &= ~w & EACH(0x80);
		if (hit != 0)
			return (i + (size_t)__builtin_ctzll(hit) / 8);
	}
	while (i < n && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
		i++;
	return (i);
}

/* A string that is put together in pieces, or only stepped over. */
struct pieces {
	bool keep;           /* or it is only stepped over */
	char *to;
	size_t len;
	size_t max;
	uint32_t high;       /* the first half of a surrogate pair, or 0 */
	struct mark start;   /* its opening quote */
};

static int
add(struct json_reader *r, struct pieces *s, const void *p, size_t n,
    struct err *e)
{

	if (!s->keep)
		return (0);
	if (n > s->max - s->len)
		return (fail(r, &s->start, e, "a string longer than %zu bytes",
		    s->max));
	memcpy(s->to + s->len, p, n);
	s->len += n;
	return (0);
}

static int
add_rune(struct json_reader *r, struct pieces *s, uint32_t rune, struct err *e)
{
	uint8_t utf8[4];
	int n = utf8_encode(rune, utf8);

	return (add(r, s, utf8, (size_t)n, e));
}

/* If a first half waits, its second did not come. */
static int
end_half(struct json_reader *r, struct pieces *s, struct err *e)
{

	if (s->high == 0)
		return (0);
	s->high = 0;
	return (add_rune(r, s, 0xfffd, e));
}

/* As look, where the string has not ended yet. */
static int
look_inside(struct json_reader *r, struct pieces *s, int *ret, struct err *e)
{
	int rc;

	if ((rc = look(r, ret, e)) != 0)
		return (rc);
	if (*ret == END)
		return (fail(r, &s->start, e, "a string that never ends"));
	return (0);
}

/* After "\u": four digits, and the surrogates put together. */
static int
unicode_escape(struct json_reader *r, struct pieces *s, struct err *e)
{
	uint32_t v = 0;
	int i, c, rc;

	for (i = 0; i < 4; i++) {
		if ((rc = look_inside(r, s, &c, e)) != 0)
			return (rc);
		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v << 4 | (uint32_t)(c - 'A' + 10);
		else
			return (unexpected(r, c,
			    "four hexadecimal digits after \\u", e));
		r->at++;
	}
	if (s->high != 0 && v >= 0xdc00 && v < 0xe000) {
		v = 0x10000 + ((s->high - 0xd800) << 10) + (v - 0xdc00);
		s->high = 0;
		return (add_rune(r, s, v, e));
	}
	if ((rc = end_half(r, s, e)) != 0)
		return (rc);
	if (v >= 0xd800 && v < 0xdc00) {
		s->high = v;
		return (0);
	}
	return (add_rune(r, s, v >= 0xdc00 && v < 0xe000 ? 0xfffd : v, e));
}

/* An escape, at whose backslash the reader stands. */
static int
escape(struct json_reader *r, struct pieces *s, struct err *e)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	struct mark at = here(r);
	const char *known;
	char name[32];
	int c, rc;

	r->at++;
	if ((rc = look_inside(r, s, &c, e)) != 0)
		return (rc);
	if (c == 'u') {
		r->at++;
		return (unicode_escape(r, s, e));
	}
	if (c == 0 || (known = strchr(from, c)) == NULL)
		return (fail(r, &at, e,
		    "an unknown escape: a backslash and %s", name_of(c, name)));
	r->at++;
	if ((rc = end_half(r, s, e)) != 0)
		return (rc);
	return (add(r, s, &to[known - from], 1, e));
}

/*
 * A string that is escaped, or meets the window's edge, or is wrong. The reader
 * stands behind its opening quote.
 */
static int __attribute__((noinline))
hard_string(struct json_reader *r, struct json_token *t, bool keep,
    struct err *e)
{
	struct pieces s = { .keep = keep, .to = r->str, .max = r->str_max };
	struct mark at;
	char name[32];
	size_t n;
	int c, rc;

	s.start = here(r);
	s.start.offset--;
	for (;;) {
		n = plain_len(r->win + r->at, r->end - r->at);
		if (n > 0 && ((rc = end_half(r, &s, e)) != 0 ||
		    (rc = add(r, &s, r->win + r->at, n, e)) != 0))
			return (rc);
		r->at += n;
		if ((rc = look_inside(r, &s, &c, e)) != 0)
			return (rc);
		if (c == '"')
			break;
		if (c == '\\') {
			if ((rc = escape(r, &s, e)) != 0)
				return (rc);
		} else if (c < 0x20) {
			at = here(r);
			return (fail(r, &at, e,
			    "a control character in a string: %s",
			    name_of(c, name)));
		}
	}
	if ((rc = end_half(r, &s, e)) != 0)
		return (rc);
	r->at++;
	t->text = s.len > 0 ? r->str : "";
	t->len = s.len;
	return (0);
}

/* A string, at whose opening quote the reader stands. */
static inline int
string(struct json_reader *r, struct json_token *t, bool keep, struct err *e)
{
	const uint8_t *p = r->win + ++r->at;
	size_t left = r->end - r->at, n = plain_len(p, left);

	if (n == left || p[n] != '"' || (keep && n > r->str_max))
		return (hard_string(r, t, keep, e));
	t->text = (const char *)p;
	t->len = n;
	r->at += n + 1;
	return (0);
}

/* Is it one of the characters that numbers are made of? */
static bool
in_number(int c)
{

	return ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' ||
	    c == 'e' || c == 'E');
}

/* How many of ${n} characters are digits. */
static size_t
digits(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n && s[i] >= '0' && s[i] <= '9'; i++)
		;
	return (i);
}

/* Is the whole text a number of RFC 8259? */
static bool
is_number(const char *s, size_t n)
{
	const char *end = s + n;

	if (s < end && *s == '-')
		s++;
	if ((n = digits(s, (size_t)(end - s))) == 0 || (n > 1 && *s == '0'))
		return (false);
	s += n;
	if (s < end && *s == '.') {
		s++;
		if ((n = digits(s, (size_t)(end - s))) == 0)
			return (false);
		s += n;
	}
	if (s < end && (*s == 'e' || *s == 'E')) {
		s++;
		if (s < end && (*s == '-' || *s == '+'))
			s++;
		if ((n = digits(s, (size_t)(end - s))) == 0)
			return (false);
		s += n;
	}
	return (s == end);
}

/* A number that meets the window's edge: ${n} characters of it are there. */
static int __attribute__((noinline))
split_number(struct json_reader *r, size_t *ret_len, struct err *e)
{
	struct mark at = here(r);
	size_t n = 0;
	int c, rc;

	for (;;) {
		if ((rc = look(r, &c, e)) != 0)
			return (rc);
		if (c == END || !in_number(c))
			break;
		if (n == sizeof(r->num))
			return (fail(r, &at, e,
			    "a number longer than %zu characters",
			    sizeof(r->num)));
		r->num[n++] = (char)c;
		r->at++;
	}
	*ret_len = n;
	return (0);
}

/* A number, at whose first character the reader stands. */
static inline int
number(struct json_reader *r, struct json_token *t, struct err *e)
{
	const char *p = (const char *)r->win + r->at;
	size_t left = r->end - r->at, n = digits(p, left);
	struct mark at;
	bool plain;
	int rc;

	plain = n > 0 && (n == 1 || *p != '0');
	while (n < left && n <= sizeof(r->num) && in_number(p[n])) {
		plain = false;
		n++;
	}
	at = here(r);
	if (n == left || n > sizeof(r->num)) {
		p = r->num;
		plain = false;
		if ((rc = split_number(r, &n, e)) != 0)
			return (rc);
	} else {
		r->at += n;
	}
	if (!plain && !is_number(p, n))
		return (fail(r, &at, e, "not a number: %.*s", (int)n, p));
	t->kind = JSON_NUMBER;
	t->text = p;
	t->len = n;
	return (0);
}

/* true, false or null, at whose first letter the reader stands. */
static int
word(struct json_reader *r, const char *letters, struct err *e)
{
	const char *s;
	char name[32];
	struct mark at;
	int c, rc;

	for (s = letters + 1, r->at++; *s != '\0'; s++, r->at++) {
		if ((rc = look(r, &c, e)) != 0)
			return (rc);
		if (c != *s) {
			at = here(r);
			return (fail(r, &at, e, "expected %s, found %s",
			    letters, name_of(c, name)));
		}
	}
	return (0);
}

/* Step into an array or object. */
static int
open_bracket(struct json_reader *r, uint8_t first, uint8_t next, struct err *e)
{
	struct mark at = here(r);

	if (r->depth == JSON_DEPTH)
		return (fail(r, &at, e, "nested deeper than %d", JSON_DEPTH));
	r->at++;
	r->after[++r->depth] = next;
	r->state = first;
	return (0);
}

/* And out of it. */
static int
close_bracket(struct json_reader *r)
{

	r->at++;
	r->state = r->after[--r->depth];
	return (0);
}

/* Say where the token begins at whose first byte the reader stands. */
static inline void
place(const struct json_reader *r, struct json_token *t)
{

	t->offset = r->base + r->at;
	t->line = r->line;
	t->column = column_of(r->line_start, t->offset);
}

/* A value, at whose first byte, ${c}, the reader stands. */
static inline int
value(struct json_reader *r, int c, struct json_token *t, bool keep,
    struct err *e)
{
	int rc;

	place(r, t);
	if (c == '"') {
		t->kind = JSON_STRING;
		rc = string(r, t, keep, e);
	} else if ((c >= '0' && c <= '9') || c == '-') {
		rc = number(r, t, e);
	} else {
		t->text = "";
		t->len = 0;
		switch (c) {
		case '{':
			t->kind = JSON_OBJECT;
			return (open_bracket(r, OBJECT_FIRST, OBJECT_NEXT, e));
		case '[':
			t->kind = JSON_ARRAY;
			return (open_bracket(r, ARRAY_FIRST, ARRAY_NEXT, e));
		case 't':
			t->kind = JSON_TRUE;
			rc = word(r, "true", e);
			break;
		case 'f':
			t->kind = JSON_FALSE;
			rc = word(r, "false", e);
			break;
		case 'n':
			t->kind = JSON_NULL;
			rc = word(r, "null", e);
			break;
		default:
			return (unexpected(r, c, "a value", e));
		}
	}
	if (rc == 0)
		r->state = r->after[r->depth];
	return (rc);
}

/* A key, or something else that should have been one. */
static inline int
key(struct json_reader *r, int c, struct json_token *t, bool keep,
    struct err *e)
{
	int rc;

	if (c != '"')
		return (unexpected(r, c, "a key in quotes", e));
	place(r, t);
	t->kind = JSON_KEY;
	if ((rc = string(r, t, keep, e)) == 0)
		r->state = COLON;
	return (rc);
}

/* json_next; without ${keep} strings are checked but not handed out. */
static int
step(struct json_reader *r, struct json_token *t, bool keep, struct err *e)
{
	int c, rc;

	if (r->state == BROKEN)
		return (err_set(e, ERR_CORRUPT,
		    "the document was given up after an earlier error"));
	if ((rc = peek(r, &c, e)) != 0)
		return (rc);
	switch (r->state) {
	case COLON:
		if (c != ':')
			return (unexpected(r, c, "':'", e));
		r->at++;
		if ((rc = peek(r, &c, e)) != 0)
			return (rc);
		return (value(r, c, t, keep, e));
	case OBJECT_FIRST:
		if (c == '}')
			break;
		if (c != '"')
			return (unexpected(r, c, "a key in quotes or '}'", e));
		return (key(r, c, t, keep, e));
	case OBJECT_NEXT:
		if (c == '}')
			break;
		if (c != ',')
			return (unexpected(r, c, "',' or '}'", e));
		r->at++;
		if ((rc = peek(r, &c, e)) != 0)
			return (rc);
		return (key(r, c, t, keep, e));
	case ARRAY_FIRST:
		if (c == ']')
			break;
		return (value(r, c, t, keep, e));
	case ARRAY_NEXT:
		if (c == ']')
			break;
		if (c != ',')
			return (unexpected(r, c, "',' or ']'", e));
		r->at++;
		if ((rc = peek(r, &c, e)) != 0)
			return (rc);
		return (value(r, c, t, keep, e));
	case VALUE:
		return (value(r, c, t, keep, e));
	default:
		if (c != END)
			return (unexpected(r, c, "the end of the document", e));
		break;
	}

	/* What is left are the two closing brackets, and the end. */
	place(r, t);
	t->text = "";
	t->len = 0;
	t->kind = c == '}' ? JSON_OBJECT_END :
	    c == ']' ? JSON_ARRAY_END : JSON_END;
	return (c == END ? 0 : close_bracket(r));
}

int
json_next(struct json_reader *r, struct json_token *ret, struct err *e)
{

	return (step(r, ret, true, e));
}

/* An error about a token that was read well. */
static int
wrong_kind(struct json_reader *r, const struct json_token *t,
    const char *wanted, struct err *e)
{

	r->state = BROKEN;
	return (err_set(e, ERR_CORRUPT,
	    "line %u, column %u: expected %s, found %s", t->line, t->column,
	    wanted, json_kind_name(t->kind)));
}

int
json_skip(struct json_reader *r, struct err *e)
{
	unsigned depth = r->depth;
	struct json_token t;
	int rc;

	if ((rc = step(r, &t, false, e)) != 0)
		return (rc);
	if (t.kind == JSON_END || t.kind == JSON_OBJECT_END ||
	    t.kind == JSON_ARRAY_END)
		return (wrong_kind(r, &t, "a value", e));
	while (r->depth > depth || t.kind == JSON_KEY) {
		if ((rc = step(r, &t, false, e)) != 0)
			return (rc);
	}
	return (0);
}

int
json_expect(struct json_reader *r, enum json_kind kind,
    struct json_token *ret, struct err *e)
{
	int rc;

	if ((rc = json_next(r, ret, e)) != 0)
		return (rc);
	if (ret->kind != kind)
		return (wrong_kind(r, ret, json_kind_name(kind), e));
	return (0);
}

const char *
json_kind_name(enum json_kind kind)
{

	switch (kind) {
	case JSON_END:
		return ("the end of the document");
	case JSON_OBJECT:
		return ("an object");
	case JSON_OBJECT_END:
		return ("the end of an object");
	case JSON_ARRAY:
		return ("an array");
	case JSON_ARRAY_END:
		return ("the end of an array");
	case JSON_KEY:
		return ("a key");
	case JSON_STRING:
		return ("a string");
	case JSON_NUMBER:
		return ("a number");
	case JSON_TRUE:
		return ("true");
	case JSON_FALSE:
		return ("false");
	case JSON_NULL:
		return ("null");
	}
	return ("something else");
}

/* Digits alone, at least one. */
static bool
to_u64(const char *s, size_t len, uint64_t *ret)
{
	uint64_t v = 0;
	unsigned d;
	size_t i;

	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return (false);
		d = (unsigned)(s[i] - '0');
		if (v > (UINT64_MAX - d) / 10)
			return (false);
		v = v * 10 + d;
	}
	*ret = v;
	return (len > 0);
}

bool
json_u64(const struct json_token *t, uint64_t *ret)
{

	return (t->kind == JSON_NUMBER && to_u64(t->text, t->len, ret));
}

bool
json_i64(const struct json_token *t, int64_t *ret)
{
	bool minus;
	uint64_t v;

	if (t->kind != JSON_NUMBER)
		return (false);
	minus = t->text[0] == '-';
	if (!to_u64(t->text + minus, t->len - minus, &v) ||
	    v > (uint64_t)INT64_MAX + minus)
		return (false);
	*ret = minus ? (int64_t)(0 - v) : (int64_t)v;
	return (true);
}

/*
 * How many of ${n} bytes can be written as they are without a look at them as
 * UTF-8: plain_len's method. One bit tells < from > and " from &, so each pair
 * costs one comparison.
 */
static size_t
ascii_len(const uint8_t *p, size_t n)
{
	uint64_t w, hit;
	size_t i;

	for (i = 0; n - i >= 8; i += 8) {
		w = load_le64(p + i);
		hit = w | (w - EACH(0x20)) | ((w ^ EACH('\\')) - EACH(1)) |
		    (((w | EACH('<' ^ '>')) ^ EACH('>')) - EACH(1)) |
		    (((w | EACH('"' ^ '&')) ^ EACH('&')) - EACH(1));
		hit &= EACH(0x80);
		if (hit != 0)
			return (i + (size_t)__builtin_ctzll(hit) / 8);
	}
	while (i < n && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '\\' &&
	    p[i] != '<' && p[i] != '>' && p[i] != '"' && p[i] != '&')
		i++;
	return (i);
}

/* How a character below 0x80 that ascii_len stopped at is written. */
static const char *
escape_of(uint8_t c, char ret[8])
{

	switch (c) {
	case '"':
		return ("\\\"");
	case '\\':
		return ("\\\\");
	case '\b':
		return ("\\b");
	case '\f':
		return ("\\f");
	case '\n':
		return ("\\n");
	case '\r':
		return ("\\r");
	case '\t':
		return ("\\t");
	default:
		(void)snprintf(ret, 8, "\\u%04x", c);
		return (ret);
	}
}

int
json_quote(struct buf *b, const void *p, size_t len, struct err *e)
{
	const uint8_t *at = len > 0 ? p : "", *end = at + len, *raw = at;
	const char *instead;
	size_t was = b->len;
	uint32_t rune;
	char room[8];
	int n, rc;

	if ((rc = buf_add(b, "\"", 1, e)) != 0)
		return (rc);

	/* From raw up to at lies what is still to be copied as it is. */
	while ((at += ascii_len(at, (size_t)(end - at))) < end) {
		if (*at < 0x80) {
			instead = escape_of(*at, room);
			n = 1;
		} else if ((n = utf8_decode(at, (size_t)(end - at),
		    &rune)) == 0) {
			instead = "\\ufffd";
			n = 1;
		} else if (rune == 0x2028 || rune == 0x2029) {
			instead = rune == 0x2028 ? "\\u2028" : "\\u2029";
		} else {
			at += n;
			continue;
		}
		if ((rc = buf_add(b, raw, (size_t)(at - raw), e)) != 0 ||
		    (rc = buf_str(b, instead, e)) != 0)
			goto undo;
		at += n;
		raw = at;
	}
	if ((rc = buf_add(b, raw, (size_t)(end - raw), e)) != 0 ||
	    (rc = buf_add(b, "\"", 1, e)) != 0)
		goto undo;
	return (0);

undo:
	b->len = was;
	return (rc);
}

int
json_text(struct buf *b, const char *s, struct err *e)
{

	return (json_quote(b, s, strlen(s), e));
}
