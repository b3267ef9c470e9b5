#ifndef BASE_JSON_H
#define BASE_JSON_H

/*
 * Streaming JSON, both ways. Trees, indexes and imports have no upper size, so
 * there is never a document in memory: the reader hands out one token at a time
 * from a window that its owner refills, the writer appends to a sink.
 *
 * The reader is a pull parser over a byte source. A token's text stays valid
 * until the next call. A string longer than the string ceiling is an error that
 * names line and column, never a longer buffer; every other limit (depth 64, a
 * number's 64 characters) likewise. Tokens and errors depend on the bytes
 * alone, not on the size of the window or of the pieces that the source gives.
 *
 * Members with the same key are all handed out: which one counts is the
 * caller's business, and so is a NUL that came as \u0000.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

enum json_kind {
	JSON_END,            /* the end: only white space followed */
	JSON_OBJECT,         /* { */
	JSON_OBJECT_END,     /* } */
	JSON_ARRAY,          /* [ */
	JSON_ARRAY_END,      /* ] */
	JSON_KEY,            /* a member's name; its value is the next token */
	JSON_STRING,
	JSON_NUMBER,         /* text as written */
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

struct json_token {
	enum json_kind kind;
	const char *text;    /* KEY, STRING (escapes undone), NUMBER; no NUL */
	size_t len;
	unsigned line;       /* of its first character, from 1 */
	unsigned column;     /* in bytes, from 1; stops at UINT_MAX */
	uint64_t offset;     /* of its first character, from 0 */
};

/**
 * json_fill: the byte source.
 * Put up to ${cap} bytes into ${p} and their number into ${*ret}; 0 is the end
 * of the document, and it is not asked again. Return 0 or an ERR_* with ${e}
 * filled.
 */
typedef int json_fill(void *cookie, uint8_t *p, size_t cap, size_t *ret,
    struct err *e);

#define JSON_DEPTH 64
#define JSON_NUMBER_MAX 64

/* Private, but for comments, which the owner sets after json_begin. */
struct json_reader {
	json_fill *fill;
	void *cookie;
	uint8_t *win;        /* the window */
	size_t cap;          /* its size */
	size_t at;           /* next byte to look at */
	size_t end;          /* bytes that are there */
	bool eof;            /* fill said 0 */
	bool comments;       /* accept // and block comments (configuration) */
	char *str;           /* strings that are escaped or cross the window */
	size_t str_max;      /* the string ceiling */
	char num[JSON_NUMBER_MAX]; /* numbers that cross the window */
	unsigned line;
	uint64_t line_start; /* document offset where this line began */
	uint64_t base;       /* document offset of win[0] */
	unsigned depth;      /* of open brackets */
	uint8_t state;       /* what may come next */
	uint8_t after[JSON_DEPTH + 1]; /* and what after a value, by depth */
};

/**
 * json_begin(r, win, win_len, str, str_max, fill, cookie):
 * Start a document. ${win} is the caller's window (4 KiB or more is fast, one
 * byte is enough), ${str} the caller's room for one decoded string or key of at
 * most ${str_max} bytes; both are kept by reference until the last json_next.
 *
 * The document is one value of any kind. Nothing is read beyond the bracket or
 * the quote that ends it until JSON_END is asked for (a number at the top needs
 * the byte after it), so a source may also stand at a value in the midst of
 * another document: the caller just stops after that value, and json_place
 * makes the positions right. Bytes that fill gave beyond it are not given back.
 */
void json_begin(struct json_reader *r, void *win, size_t win_len, char *str,
    size_t str_max, json_fill *fill, void *cookie);

/**
 * json_begin_mem(r, doc, len, str, str_max):
 * The same for a document that lies in memory as a whole.
 */
void json_begin_mem(struct json_reader *r, const void *doc, size_t len,
    char *str, size_t str_max);

/**
 * json_place(r, at):
 * After json_begin: the source does not stand at the document's first byte but
 * where ${at}, a token that an earlier reader of that document handed out,
 * begins. Lines, columns and offsets are counted on from there.
 */
void json_place(struct json_reader *r, const struct json_token *at);

/**
 * json_resume_array(r):
 * After json_begin: the source does not stand at a value but behind an element
 * of an array, at the comma or the bracket that follows. The reader goes on
 * inside that array; it must be left alone after the array's end.
 */
void json_resume_array(struct json_reader *r);

/**
 * json_next(r, ret, e):
 * The next token. RFC 8259, strictly: no trailing commas, one value, valid
 * escapes, no byte order mark; a surrogate half becomes U+FFFD as in Go, raw
 * bytes below 0x20 in a string are refused, bytes that are not UTF-8 are passed
 * as they are. At the end of the document it is JSON_END, again and again.
 * Return 0, or ERR_CORRUPT with "line L, column C: what" in ${e}, or what fill
 * returned. After a failure ${ret} is undefined and every further call returns
 * ERR_CORRUPT.
 */
int json_next(struct json_reader *r, struct json_token *ret, struct err *e);

/**
 * json_skip(r, e):
 * Step over the value that comes next (whole arrays and objects too), whatever
 * its size: strings in it have no ceiling. After a JSON_KEY it is the member's
 * value; where a key comes next, it is the whole member. Where no value comes
 * next (at a closing bracket, at the end) that is ERR_CORRUPT. Returns as
 * json_next.
 */
int json_skip(struct json_reader *r, struct err *e);

/**
 * json_expect(r, kind, ret, e):
 * json_next, and ERR_CORRUPT ("line L, column C: expected a string, found a
 * number") when the token is of another kind; the reader is then in error too.
 */
int json_expect(struct json_reader *r, enum json_kind kind,
    struct json_token *ret, struct err *e);

/**
 * json_offset(r):
 * The document offset just behind the last token.
 */
static inline uint64_t
json_offset(const struct json_reader *r)
{

	return (r->base + r->at);
}

/* The kind in words, with its article: "a string", "the end of an array". */
const char *json_kind_name(enum json_kind kind);

/* Is the token's text (of a KEY or STRING) exactly ${s}? */
static inline bool
json_is(const struct json_token *t, const char *s)
{

	return (t->len == strlen(s) && memcmp(t->text, s, t->len) == 0);
}

/*
 * A NUMBER as a whole number in range, as Go reads one into an integer: false
 * for fractions and exponents (1.0 and 1e3 too), overflow, other kinds, and,
 * for json_u64, a sign.
 */
bool json_u64(const struct json_token *t, uint64_t *ret);
bool json_i64(const struct json_token *t, int64_t *ret);

/**
 * json_quote(b, p, len, e):
 * Append a JSON string with its quotes, byte for byte as Go's encoder writes
 * it (restic-format 8.1): \" \\ \n \r \t, \b and \f short, other bytes below
 * 0x20 as \u00xx, < > & as \u003c \u003e \u0026, U+2028 and U+2029 as \u2028
 * and \u2029, each invalid UTF-8 byte as \ufffd, all else raw. Returns as
 * buf_room; on failure the buffer's contents are unchanged.
 */
int json_quote(struct buf *b, const void *p, size_t len, struct err *e);

/* json_quote of a NUL-terminated text. */
int json_text(struct buf *b, const char *s, struct err *e);

#endif /* BASE_JSON_H */
