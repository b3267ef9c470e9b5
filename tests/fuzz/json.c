/*
 * The JSON reader and the writers, against hostile bytes.
 *
 * The input is read in memory, through windows of several sizes and in pieces:
 * the tokens or the error must be the same each time, and json_skip must come
 * to the same verdict. Then the same bytes are a name, a text and a time: what
 * is written must come back.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/goname.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/when.h"

/* Small enough that inputs of a fuzzer's size meet it. */
#define STR_MAX 48

#define MUST(cond) do {							\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
		abort();						\
	}								\
} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

struct source {
	const uint8_t *p;
	size_t left;
	size_t piece;
};

static int
source_fill(void *cookie, uint8_t *p, size_t cap, size_t *ret, struct err *e)
{
	struct source *s = cookie;
	size_t n = s->left;

	(void)e;
	if (n > cap)
		n = cap;
	if (n > s->piece)
		n = s->piece;
	if (n > 0)
		memcpy(p, s->p, n);
	s->p += n;
	s->left -= n;
	*ret = n;
	return (0);
}

static uint64_t
mix(uint64_t h, const void *p, size_t len)
{
	const uint8_t *at = p;

	for (; len > 0; len--)
		h = (h ^ *at++) * UINT64_C(0x100000001b3);
	return (h);
}

/* All tokens and the error as one number, and whether it was an error. */
static uint64_t
digest(struct json_reader *r, const uint8_t *doc, size_t len, bool *ret_bad)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325), was = 0;
	struct err e = ERR_INIT;
	struct json_token t;
	unsigned depth = 0;
	int rc;

	*ret_bad = false;
	do {
		if ((rc = json_next(r, &t, &e)) != 0) {
			MUST(rc == ERR_CORRUPT && e.code == ERR_CORRUPT);
			MUST(strncmp(e.text, "line ", 5) == 0);
			*ret_bad = true;
			return (mix(h, e.text, strlen(e.text)));
		}

		/* What every reader of tokens relies on. */
		MUST(t.offset <= len && t.offset >= was);
		MUST(t.line >= 1 && t.column >= 1);
		MUST(t.len <= (t.kind == JSON_NUMBER ? JSON_NUMBER_MAX :
		    STR_MAX));
		MUST(json_offset(r) > t.offset || t.kind == JSON_END);
		switch (t.kind) {
		case JSON_OBJECT:
			MUST(doc[t.offset] == '{');
			depth++;
			break;
		case JSON_ARRAY:
			MUST(doc[t.offset] == '[');
			depth++;
			break;
		case JSON_OBJECT_END:
			MUST(doc[t.offset] == '}' && depth-- > 0);
			break;
		case JSON_ARRAY_END:
			MUST(doc[t.offset] == ']' && depth-- > 0);
			break;
		case JSON_KEY:
		case JSON_STRING:
			MUST(doc[t.offset] == '"');
			break;
		case JSON_NUMBER:
			MUST(memcmp(doc + t.offset, t.text, t.len) == 0);
			break;
		default:
			break;
		}
		MUST(depth <= JSON_DEPTH);
		was = t.offset;

		h = mix(h, &t.kind, sizeof(t.kind));
		h = mix(h, &t.len, sizeof(t.len));
		h = mix(h, t.text, t.len);
		h = mix(h, &t.line, sizeof(t.line));
		h = mix(h, &t.column, sizeof(t.column));
		h = mix(h, &t.offset, sizeof(t.offset));
	} while (t.kind != JSON_END);
	MUST(depth == 0);
	return (h);
}

/* ${win} bytes of window, of exactly that size for the sanitizer. */
static void
through_window(const uint8_t *doc, size_t len, size_t win, size_t piece,
    bool comments, uint64_t want, bool want_bad)
{
	struct source s = { .p = doc, .left = len, .piece = piece };
	struct json_reader r;
	uint8_t *window = malloc(win);
	char *str = malloc(STR_MAX);
	bool bad;

	MUST(window != NULL && str != NULL);
	json_begin(&r, window, win, str, STR_MAX, source_fill, &s);
	r.comments = comments;
	MUST(digest(&r, doc, len, &bad) == want && bad == want_bad);
	free(window);
	free(str);
}

static void
read_all_ways(const uint8_t *doc, size_t len, bool comments)
{
	static const size_t windows[] = { 1, 2, 7, 8, 64, 4096 };
	struct err e = ERR_INIT;
	struct json_reader r;
	struct json_token t;
	struct source s;
	char str[STR_MAX];
	uint8_t win[16];
	uint64_t want;
	size_t i;
	bool bad;
	int rc;

	json_begin_mem(&r, doc, len, str, sizeof(str));
	r.comments = comments;
	want = digest(&r, doc, len, &bad);
	for (i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		through_window(doc, len, windows[i], SIZE_MAX, comments, want,
		    bad);
		through_window(doc, len, windows[i], 3, comments, want, bad);
	}

	/* Skipping knows no ceiling for strings, and no other mercy. */
	s = (struct source){ .p = doc, .left = len, .piece = SIZE_MAX };
	json_begin(&r, win, sizeof(win), NULL, 0, source_fill, &s);
	r.comments = comments;
	if ((rc = json_skip(&r, &e)) == 0)
		rc = json_expect(&r, JSON_END, &t, &e);
	MUST(bad || rc == 0);
	json_begin_mem(&r, doc, len, str, sizeof(str));
	r.comments = comments;
	while (json_next(&r, &t, &e) == 0 && t.kind != JSON_END)
		;
	if (rc != 0)
		MUST(e.code == ERR_CORRUPT);
	else if (bad)
		MUST(strstr(e.text, "a string longer") != NULL);
}

/* As a name: any bytes come back, and so does what any text means. */
static void
names(const uint8_t *p, size_t len)
{
	char *text = malloc(GONAME_MAX(len) + 1);
	uint8_t *raw = malloc(3 * len + 1), *again = malloc(3 * len + 1);
	size_t n, max;
	ssize_t m;

	MUST(text != NULL && raw != NULL && again != NULL);
	n = goname_quote(text, p, len);
	MUST(n <= GONAME_MAX(len) && utf8_valid((const uint8_t *)text, n));
	MUST(goname_unquote(raw, len, text, n) == (ssize_t)len);
	MUST(len == 0 || memcmp(raw, p, len) == 0);
	MUST(len == 0 || goname_unquote(raw, len - 1, text, n) == -1);

	if ((m = goname_unquote(raw, 3 * len, (const char *)p, len)) >= 0) {
		max = (size_t)m;
		text = realloc(text, GONAME_MAX(max) + 1);
		MUST(text != NULL);
		n = goname_quote(text, raw, max);
		MUST(goname_unquote(again, max, text, n) == m);
		MUST(memcmp(raw, again, max) == 0);
	}
	free(text);
	free(raw);
	free(again);
}

/* As a text: it comes back, but for U+FFFD where it is not UTF-8. */
static void
texts(const uint8_t *p, size_t len)
{
	struct buf b = BUF_INIT(6 * len + 2);
	char *str = malloc(3 * len + 1);
	struct json_reader r;
	struct json_token t;
	const char *at;
	uint32_t rune;
	size_t i;
	int n;

	MUST(str != NULL);
	MUST(json_quote(&b, p, len, NULL) == 0);
	MUST(utf8_valid(b.p, b.len));
	json_begin_mem(&r, b.p, b.len, str, 3 * len);
	MUST(json_expect(&r, JSON_STRING, &t, NULL) == 0);
	for (i = 0, at = t.text; i < len; i += n > 0 ? (size_t)n : 1) {
		n = utf8_decode(p + i, len - i, &rune);
		MUST(memcmp(at, n > 0 ? (const char *)p + i : "\xef\xbf\xbd",
		    n > 0 ? (size_t)n : 3) == 0);
		at += n > 0 ? n : 3;
	}
	MUST(at == t.text + t.len);
	MUST(json_expect(&r, JSON_END, &t, NULL) == 0);
	buf_free(&b);
	free(str);
}

/* As a time: what is read and written is read as the same. */
static void
times(const uint8_t *p, size_t len)
{
	char text[WHEN_TEXT];
	struct when w, back;

	if (!when_parse(&w, (const char *)p, len))
		return;
	when_format(&w, text);
	MUST(when_parse(&back, text, strlen(text)));
	MUST(when_cmp(&w, &back) == 0 || w.sec < INT64_C(-62167219200) ||
	    w.sec > INT64_C(253402300799));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{

	read_all_ways(p, len, false);
	read_all_ways(p, len, true);
	names(p, len);
	texts(p, len);
	times(p, len);
	return (0);
}
