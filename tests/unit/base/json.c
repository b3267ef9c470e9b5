/*
 * JSON both ways. Every document is read whole in memory and through windows of
 * many sizes from a source that gives pieces of many sizes: tokens, positions
 * and errors must not depend on that.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/json.h"

#define STR_MAX 32              /* the string ceiling of most tests */

/* A text with its length, NULs and all. */
#define TEXT(literal) (literal), sizeof(literal) - 1

struct source {
	const char *doc;
	size_t len, at;
	size_t piece;        /* the most it gives at once */
	size_t fail_at;      /* fails once these bytes are given; 0: never */
	unsigned calls;
};

static int
source_fill(void *cookie, uint8_t *p, size_t cap, size_t *ret, struct err *e)
{
	struct source *s = cookie;
	size_t n = s->len - s->at;

	s->calls++;
	if (s->fail_at != 0 && s->at >= s->fail_at)
		return (err_set(e, ERR_DENIED, "the disk is on fire"));
	if (n > cap)
		n = cap;
	if (n > s->piece)
		n = s->piece;
	if (s->fail_at != 0 && n > s->fail_at - s->at)
		n = s->fail_at - s->at;
	memcpy(p, s->doc + s->at, n);
	s->at += n;
	*ret = n;
	return (0);
}

/*
 * The document as one line: "{ k:a 1 [ s:b ] }", and "! text" for an error.
 * With ${places}, each token is followed by @line.column.offset.
 */
static void
render(struct json_reader *r, bool places, struct buf *ret)
{
	static const char *const form[] = { "END", "{", "}", "[", "]", "k:",
	    "s:", "", "true", "false", "null" };
	struct err e = ERR_INIT;
	struct json_token t;
	size_t i;
	int rc;

	buf_reset(ret);
	do {
		if ((rc = json_next(r, &t, &e)) != 0) {
			assert_int_equal(rc, ERR_CORRUPT);
			assert_int_equal(e.code, ERR_CORRUPT);
			assert_int_equal(buf_printf(ret, NULL, "! %s", e.text),
			    0);
			/* It stays so. */
			assert_int_equal(json_next(r, &t, &e), ERR_CORRUPT);
			assert_int_equal(json_skip(r, NULL), ERR_CORRUPT);
			break;
		}
		assert_int_equal(buf_str(ret, form[t.kind], NULL), 0);
		if (t.kind == JSON_KEY || t.kind == JSON_STRING ||
		    t.kind == JSON_NUMBER) {
			for (i = 0; i < t.len; i++)
				assert_int_equal(buf_printf(ret, NULL,
				    (uint8_t)t.text[i] < 0x20 ? "<%02x>" : "%c",
				    t.text[i]), 0);
		} else {
			assert_int_equal(t.len, 0);
		}
		if (places)
			assert_int_equal(buf_printf(ret, NULL, "@%u.%u.%llu",
			    t.line, t.column, (unsigned long long)t.offset), 0);
		if (t.kind != JSON_END)
			assert_int_equal(buf_str(ret, " ", NULL), 0);
	} while (t.kind != JSON_END);
	if (rc == 0) {
		assert_int_equal(json_next(r, &t, &e), 0);
		assert_int_equal(t.kind, JSON_END);
	}
	assert_int_equal(buf_nul(ret, NULL), 0);
}

/* Read it in every way; each must give ${want}. */
static void
check_with(const char *doc, size_t len, bool comments, bool places,
    const char *want)
{
	static const size_t windows[] = { 1, 2, 3, 5, 8, 16, 64, 65, 4096 };
	static const size_t pieces[] = { 1, 7, 4096 };
	struct buf got = BUF_INIT(1 << 20);
	struct json_reader r;
	struct source s;
	char *exact, *str = malloc(STR_MAX);
	uint8_t *win;
	size_t i, j;

	/* Memory of the exact size each, for the sanitizer. */
	exact = malloc(len + !len);
	assert_non_null(str);
	assert_non_null(exact);
	memcpy(exact, doc, len);
	json_begin_mem(&r, exact, len, str, STR_MAX);
	r.comments = comments;
	render(&r, places, &got);
	assert_string_equal((char *)got.p, want);
	free(exact);

	for (i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		for (j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++) {
			s = (struct source){ .doc = doc, .len = len,
			    .piece = pieces[j] };
			win = malloc(windows[i]);
			assert_non_null(win);
			json_begin(&r, win, windows[i], str, STR_MAX,
			    source_fill, &s);
			r.comments = comments;
			render(&r, places, &got);
			assert_string_equal((char *)got.p, want);
			free(win);
		}
	}
	free(str);
	buf_free(&got);
}

static void
check(const char *doc, const char *want)
{

	check_with(doc, strlen(doc), false, false, want);
}

static void
test_tokens(void **state)
{

	(void)state;
	check("{}", "{ } END");
	check("[]", "[ ] END");
	check(" \t\r\n[ ] \n", "[ ] END");
	check("true", "true END");
	check("false", "false END");
	check(" null", "null END");
	check("\"\"", "s: END");
	check("0", "0 END");
	check("-12.50e+07 ", "-12.50e+07 END");
	check("[0,-0,1E9,1e-9,0.5,10]", "[ 0 -0 1E9 1e-9 0.5 10 ] END");
	check("{\"a\":1,\"b\":[true,{\"c\":null}],\"a\":\"\"}",
	    "{ k:a 1 k:b [ true { k:c null } ] k:a s: } END");
	check("{ \"a\" : [ ] , \"\" : { } }", "{ k:a [ ] k: { } } END");
	check("{\"nodes\":[{\"name\":\"q\\\\\\\"\\\\xff\","
	    "\"content\":null}]}\n",
	    "{ k:nodes [ { k:name s:q\\\"\\xff k:content null } ] } END");
}

static void
test_strings(void **state)
{

	(void)state;
	check("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
	    "s:\"\\/<08><0c><0a><0d><09> END");
	check("\"plain and \\u00e9\\u20AC, then plain\"",
	    "s:plain and \xc3\xa9\xe2\x82\xac, then plain END");
	check("\"\\u0000\"", "s:<00> END");
	check("\"\\ud83d\\ude00\"", "s:\xf0\x9f\x98\x80 END");
	check("\"\\uDBFF\\uDFFF\"", "s:\xf4\x8f\xbf\xbf END");
	/* Halves, as Go sees them. */
	check("\"\\ud83d\"", "s:\xef\xbf\xbd END");
	check("\"\\ude00\\ud83d\"", "s:\xef\xbf\xbd\xef\xbf\xbd END");
	check("\"\\ud83dx\"", "s:\xef\xbf\xbdx END");
	check("\"\\ud83d\\n\"", "s:\xef\xbf\xbd<0a> END");
	check("\"\\ud83d\\u0041\"", "s:\xef\xbf\xbd" "A END");
	check("\"\\ud83d\\ud83d\\ude00\"",
	    "s:\xef\xbf\xbd\xf0\x9f\x98\x80 END");
	/* Bytes that are not UTF-8, and 0x7f, pass. */
	check("\"\xff\x80\x7f\xed\xa0\x80\"", "s:\xff\x80\x7f\xed\xa0\x80 END");
}

static void
test_places(void **state)
{

	(void)state;
	check_with(TEXT("{\"a\": [1,\n\n  -2.5,\"\\n\"],\r\n\t\"b\":true}\n "),
	    false, true,
	    "{@1.1.0 k:a@1.2.1 [@1.7.6 1@1.8.7 -2.5@3.3.13 s:<0a>@3.8.18"
	    " ]@3.12.22 k:b@4.2.27 true@4.6.31 }@4.10.35 END@5.2.38");
}

static void
test_errors(void **state)
{
	static const struct {
		const char *doc;
		const char *want;
	} cases[] = {
		{ "", "! line 1, column 1: expected a value,"
		    " found the end of the document" },
		{ "\n ", "! line 2, column 2: expected a value,"
		    " found the end of the document" },
		{ "{", "{ ! line 1, column 2: expected a key in quotes or '}',"
		    " found the end of the document" },
		{ "{a:1}", "{ ! line 1, column 2: expected a key in quotes or"
		    " '}', found 'a'" },
		{ "{\"a\" 1}", "{ k:a ! line 1, column 6: expected ':',"
		    " found '1'" },
		{ "{\"a\":}", "{ k:a ! line 1, column 6: expected a value,"
		    " found '}'" },
		{ "{\"a\":1,}", "{ k:a 1 ! line 1, column 8: expected a key in"
		    " quotes, found '}'" },
		{ "{\"a\":1\n\"b\"}", "{ k:a 1 ! line 2, column 1: expected"
		    " ',' or '}', found '\"'" },
		{ "{\"a\":1]", "{ k:a 1 ! line 1, column 7: expected"
		    " ',' or '}', found ']'" },
		{ "[1 2]", "[ 1 ! line 1, column 4: expected"
		    " ',' or ']', found '2'" },
		{ "[1,]", "[ 1 ! line 1, column 4: expected a value,"
		    " found ']'" },
		{ "[,]", "[ ! line 1, column 2: expected a value,"
		    " found ','" },
		{ "[1}", "[ 1 ! line 1, column 3: expected"
		    " ',' or ']', found '}'" },
		{ "[1", "[ 1 ! line 1, column 3: expected"
		    " ',' or ']', found the end of the document" },
		{ "]", "! line 1, column 1: expected a value, found ']'" },
		{ "1 2", "1 ! line 1, column 3: expected the end of the"
		    " document, found '2'" },
		{ "{}\n}", "{ } ! line 2, column 1: expected the end of the"
		    " document, found '}'" },
		{ "\xef\xbb\xbf{}", "! line 1, column 1: expected a value,"
		    " found byte 0xef" },
		{ "\x01", "! line 1, column 1: expected a value,"
		    " found byte 0x01" },
		{ "'a'", "! line 1, column 1: expected a value,"
		    " found '''" },
		{ "// x\n1", "! line 1, column 1: expected a value,"
		    " found '/'" },
		{ "trux", "! line 1, column 4: expected true, found 'x'" },
		{ "[nul", "[ ! line 1, column 5: expected null,"
		    " found the end of the document" },
		{ "True", "! line 1, column 1: expected a value, found 'T'" },
		{ "[truex]", "[ true ! line 1, column 6: expected"
		    " ',' or ']', found 'x'" },
		{ "\"abc", "! line 1, column 1: a string that never ends" },
		{ " \"abc\\", "! line 1, column 2: a string that never ends" },
		{ "\"abc\\u12", "! line 1, column 1: a string that never"
		    " ends" },
		{ "\"ab\ncd\"", "! line 1, column 4: a control character in a"
		    " string: byte 0x0a" },
		{ "\"0123456789\x1f\"", "! line 1, column 12: a control"
		    " character in a string: byte 0x1f" },
		{ "\"ab\\x41\"", "! line 1, column 4: an unknown escape:"
		    " a backslash and 'x'" },
		{ "\"\\\n\"", "! line 1, column 2: an unknown escape:"
		    " a backslash and byte 0x0a" },
		{ "\"ab\\u00g0\"", "! line 1, column 8: expected four"
		    " hexadecimal digits after \\u, found 'g'" },
		{ "\"\\u12\"", "! line 1, column 6: expected four"
		    " hexadecimal digits after \\u, found '\"'" },
		{ "{\"ab\\q\":1}", "{ ! line 1, column 5: an unknown escape:"
		    " a backslash and 'q'" },
		{ "[01]", "[ ! line 1, column 2: not a number: 01" },
		{ "-", "! line 1, column 1: not a number: -" },
		{ "[-a]", "[ ! line 1, column 2: not a number: -" },
		{ "[ +1]", "[ ! line 1, column 3: expected a value,"
		    " found '+'" },
		{ "1.", "! line 1, column 1: not a number: 1." },
		{ ".5", "! line 1, column 1: expected a value, found '.'" },
		{ "1.e5", "! line 1, column 1: not a number: 1.e5" },
		{ "[1e]", "[ ! line 1, column 2: not a number: 1e" },
		{ "1e+", "! line 1, column 1: not a number: 1e+" },
		{ "-01.5", "! line 1, column 1: not a number: -01.5" },
		{ "1-2", "! line 1, column 1: not a number: 1-2" },
		{ "1.5.2", "! line 1, column 1: not a number: 1.5.2" },
		{ "0x10", "0 ! line 1, column 2: expected the end of the"
		    " document, found 'x'" },
		{ "NaN", "! line 1, column 1: expected a value, found 'N'" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(cases[i].doc, cases[i].want);
	check_with(TEXT("[\0]"), false, false, "[ ! line 1, column 2:"
	    " expected a value, found byte 0x00");
	check_with(TEXT("\"a\0\""), false, false, "! line 1, column 3:"
	    " a control character in a string: byte 0x00");
	check_with(TEXT("\"\\\0\""), false, false, "! line 1, column 2:"
	    " an unknown escape: a backslash and byte 0x00");
}

static void
test_ceilings(void **state)
{
	char doc[300], want[400];
	int i;

	(void)state;
	/* A string of exactly the ceiling, and of one more byte. */
	check("[\"0123456789abcdef0123456789abcdef\"]",
	    "[ s:0123456789abcdef0123456789abcdef ] END");
	check("[\"0123456789abcdef0123456789abcde\\u0041\"]",
	    "[ s:0123456789abcdef0123456789abcdeA ] END");
	check("[\"0123456789abcdef0123456789abcdefg\"]",
	    "[ ! line 1, column 2: a string longer than 32 bytes");
	check("[\"0123456789abcdef0123456789abcdef\\n\"]",
	    "[ ! line 1, column 2: a string longer than 32 bytes");
	check("[\"0123456789abcdef0123456789abcde\\u00e9\"]",
	    "[ ! line 1, column 2: a string longer than 32 bytes");
	check("[\"0123456789abcdef0123456789abcde\\ud800\"]",
	    "[ ! line 1, column 2: a string longer than 32 bytes");
	check("{\"0123456789abcdef0123456789abcdefg\":1}",
	    "{ ! line 1, column 2: a string longer than 32 bytes");
	/* What comes first is said: the ceiling, then the defect. */
	check("\"0123456789abcdef0123456789abcdefg\n",
	    "! line 1, column 1: a string longer than 32 bytes");

	/* 64 characters are a number, 65 are none, wherever they end. */
	memset(doc, '7', 64);
	doc[64] = '\0';
	snprintf(want, sizeof(want), "%s END", doc);
	check(doc, want);
	memcpy(doc + 64, "]", 2);
	memmove(doc + 1, doc, 66);
	doc[0] = '[';
	snprintf(want, sizeof(want), "[ %.64s ] END", doc + 1);
	check(doc, want);
	memset(doc, '7', 65);
	doc[65] = '\0';
	check(doc, "! line 1, column 1: a number longer than 64 characters");
	memset(doc, 'e', 200);
	doc[0] = '1';
	doc[200] = '\0';
	check(doc, "! line 1, column 1: a number longer than 64 characters");

	/* 64 open brackets are well, 65 are not. */
	memset(doc, '[', 64);
	memset(doc + 64, ']', 64);
	doc[128] = '\0';
	for (i = 0, want[0] = '\0'; i < 128; i++)
		strcat(want, i < 64 ? "[ " : "] ");
	strcat(want, "END");
	check(doc, want);
	doc[64] = '{';
	want[128] = '\0';
	strcat(want, "! line 1, column 65: nested deeper than 64");
	check(doc, want);
}

static void
test_comments(void **state)
{

	(void)state;
	check_with(TEXT("// one\n{ /* two\n ** / */ \"a\" /**/ : // x\n"
	    "\"// no\" /***/, // \n \"b\":[/*1*/]}//"), true, true,
	    "{@2.1.7 k:a@3.10.25 s:// no@4.1.41 k:b@5.2.61 [@5.6.65"
	    " ]@5.12.71 }@5.13.72 END@5.16.75");
	check_with(TEXT("/"), true, false,
	    "! line 1, column 1: a slash begins no comment here");
	check_with(TEXT("[1/2]"), true, false,
	    "[ 1 ! line 1, column 3: a slash begins no comment here");
	check_with(TEXT("\n /* \n\n *"), true, false,
	    "! line 2, column 2: a comment that never ends");
	check_with(TEXT("/*/"), true, false,
	    "! line 1, column 1: a comment that never ends");
	check_with(TEXT("//"), true, false,
	    "! line 1, column 3: expected a value, found the end of the"
	    " document");
	check_with(TEXT("tr/**/ue"), true, false,
	    "! line 1, column 3: expected true, found '/'");
	check_with(TEXT("[1,/* \n */ x]"), true, false,
	    "[ 1 ! line 2, column 5: expected a value, found 'x'");
}

/* A string that lies whole in the window is not copied. */
static void
test_views(void **state)
{
	const char *doc = "[\"abcdefgh\",\"0123456789\",\"a\\n\"]";
	struct source s = { .doc = doc, .len = strlen(doc), .piece = 16 };
	struct json_reader r;
	struct json_token t;
	uint8_t win[16];
	char str[16];

	(void)state;
	json_begin_mem(&r, doc, strlen(doc), str, sizeof(str));
	assert_int_equal(json_next(&r, &t, NULL), 0);
	assert_int_equal(json_next(&r, &t, NULL), 0);
	assert_ptr_equal(t.text, doc + 2);
	assert_int_equal(json_next(&r, &t, NULL), 0);
	assert_ptr_equal(t.text, doc + 13);
	assert_int_equal(json_next(&r, &t, NULL), 0);
	assert_ptr_equal(t.text, str);

	json_begin(&r, win, sizeof(win), str, sizeof(str), source_fill, &s);
	assert_int_equal(json_next(&r, &t, NULL), 0);
	assert_int_equal(json_next(&r, &t, NULL), 0);
	assert_ptr_equal(t.text, win + 2);
	assert_int_equal(json_next(&r, &t, NULL), 0);
	assert_ptr_equal(t.text, str);
	assert_true(json_is(&t, "0123456789"));

	/* Without room there are only empty strings, and what is skipped. */
	json_begin_mem(&r, "[\"\",\"x\"]", 8, NULL, 0);
	assert_int_equal(json_next(&r, &t, NULL), 0);
	assert_int_equal(json_next(&r, &t, NULL), 0);
	assert_int_equal(t.len, 0);
	assert_int_equal(json_next(&r, &t, NULL), ERR_CORRUPT);
	json_begin_mem(&r, "[\"\",\"x\\n\"]", 10, NULL, 0);
	assert_int_equal(json_skip(&r, NULL), 0);
	json_begin_mem(&r, NULL, 0, NULL, 0);
	assert_int_equal(json_next(&r, &t, NULL), ERR_CORRUPT);
}

/* The source's error is handed on, and then it is over. */
static void
test_fill_error(void **state)
{
	const char *doc = "{ \"key\\n\" : [ -12.5 , true ] } ";
	struct err e = ERR_INIT;
	struct json_reader r;
	struct json_token t;
	struct source s;
	uint8_t win[4];
	char str[16];
	size_t at;
	int rc;

	(void)state;
	for (at = 1; at < strlen(doc); at++) {
		s = (struct source){ .doc = doc, .len = strlen(doc),
		    .piece = 3, .fail_at = at };
		json_begin(&r, win, sizeof(win), str, sizeof(str), source_fill,
		    &s);
		while ((rc = json_next(&r, &t, &e)) == 0)
			assert_int_not_equal(t.kind, JSON_END);
		assert_int_equal(rc, ERR_DENIED);
		assert_string_equal(e.text, "the disk is on fire");
		assert_int_equal(json_next(&r, &t, &e), ERR_CORRUPT);
	}
}

/* The end of the document is not asked for before JSON_END is. */
static void
test_no_read_ahead(void **state)
{
	static const char *const docs[] = { "[1,2]", "{\"a\":[]}", "\"a\\n\"",
	    "true" };
	struct json_reader r;
	struct json_token t;
	struct source s;
	uint8_t win[1];
	char str[16];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		s = (struct source){ .doc = docs[i], .len = strlen(docs[i]),
		    .piece = 1, .fail_at = strlen(docs[i]) };
		json_begin(&r, win, 1, str, sizeof(str), source_fill, &s);
		assert_int_equal(json_skip(&r, NULL), 0);
		assert_int_equal(s.calls, strlen(docs[i]));
		assert_int_equal(json_offset(&r), strlen(docs[i]));
		assert_int_equal(json_next(&r, &t, NULL), ERR_DENIED);
	}

	/* And once the source has ended, it is left in peace. */
	s = (struct source){ .doc = "1", .len = 1, .piece = 1 };
	json_begin(&r, win, 1, str, sizeof(str), source_fill, &s);
	for (i = 0; i < 5; i++)
		assert_int_equal(json_next(&r, &t, NULL), 0);
	assert_int_equal(t.kind, JSON_END);
	assert_int_equal(s.calls, 2);
}

static void
test_skip(void **state)
{
	static const char doc[] = "{\"a\":[1,{\"b\":\"\\u0041\"}],\"c\":{},"
	    "\"d\":\"a string that is longer than the ceiling, with \\n\","
	    "\"0123456789abcdef0123456789abcdef0123\":null,\"e\":-1,\"f\":2}";
	struct err e = ERR_INIT;
	struct json_reader r;
	struct json_token t;
	struct source s;
	uint8_t win[64];
	char str[STR_MAX];
	size_t cap;
	int i;

	(void)state;
	for (cap = 1; cap <= sizeof(win); cap++) {
		s = (struct source){ .doc = doc, .len = sizeof(doc) - 1,
		    .piece = 100 };
		json_begin(&r, win, cap, str, sizeof(str), source_fill, &s);
		assert_int_equal(json_expect(&r, JSON_OBJECT, &t, &e), 0);
		for (i = 0; i < 3; i++) {
			assert_int_equal(json_expect(&r, JSON_KEY, &t, &e), 0);
			assert_int_equal(json_skip(&r, &e), 0);
		}
		/* A whole member, whose key is too long to be handed out. */
		assert_int_equal(json_skip(&r, &e), 0);
		assert_int_equal(json_expect(&r, JSON_KEY, &t, &e), 0);
		assert_true(json_is(&t, "e"));
		assert_int_equal(json_next(&r, &t, &e), 0);
		assert_int_equal(t.kind, JSON_NUMBER);
		assert_int_equal(json_skip(&r, &e), 0);
		assert_int_equal(json_skip(&r, &e), ERR_CORRUPT);
		assert_string_equal(e.text, "line 1, column 144: expected a"
		    " value, found the end of an object");
		assert_int_equal(json_next(&r, &t, &e), ERR_CORRUPT);
	}

	/* It is no less strict than json_next. */
	json_begin_mem(&r, "[\"a\nb\"]", 7, str, sizeof(str));
	assert_int_equal(json_skip(&r, &e), ERR_CORRUPT);
	assert_string_equal(e.text, "line 1, column 4: a control character in"
	    " a string: byte 0x0a");
	json_begin_mem(&r, "[1,2", 4, str, sizeof(str));
	assert_int_equal(json_skip(&r, &e), ERR_CORRUPT);
	json_begin_mem(&r, "7 ", 2, str, sizeof(str));
	assert_int_equal(json_skip(&r, &e), 0);
	assert_int_equal(json_skip(&r, &e), ERR_CORRUPT);
	assert_string_equal(e.text, "line 1, column 3: expected a value,"
	    " found the end of the document");
}

/* A value in the midst of a document, read again from its offset. */
static void
test_place(void **state)
{
	static const char doc[] = "{\"x\":1,\n  \"list\": [1, 2],\n \"y\": ?}";
	struct json_token at, t;
	struct err e = ERR_INIT;
	struct json_reader r;
	struct source s;
	uint8_t win[8];
	char str[8];

	(void)state;
	json_begin_mem(&r, doc, sizeof(doc) - 1, str, sizeof(str));
	do {
		assert_int_equal(json_next(&r, &at, &e), 0);
	} while (at.kind != JSON_ARRAY);
	assert_int_equal(json_next(&r, &t, &e), 0);

	s = (struct source){ .doc = doc, .len = sizeof(doc) - 1, .piece = 5,
	    .at = at.offset };
	json_begin(&r, win, sizeof(win), str, sizeof(str), source_fill, &s);
	json_place(&r, &at);
	assert_int_equal(json_expect(&r, JSON_ARRAY, &t, &e), 0);
	assert_int_equal(t.line, 2);
	assert_int_equal(t.column, 11);
	assert_int_equal(t.offset, at.offset);
	assert_int_equal(json_expect(&r, JSON_NUMBER, &t, &e), 0);
	assert_int_equal(json_expect(&r, JSON_NUMBER, &t, &e), 0);
	assert_int_equal(t.column, 15);
	assert_int_equal(json_expect(&r, JSON_ARRAY_END, &t, &e), 0);
	assert_int_equal(json_offset(&r), t.offset + 1);
	assert_memory_equal(doc + t.offset, "],", 2);

	/* Beyond it, the outer document is no part of this one. */
	assert_int_equal(json_next(&r, &t, &e), ERR_CORRUPT);
	assert_string_equal(e.text, "line 2, column 17: expected the end of"
	    " the document, found ','");
}

static void
test_expect(void **state)
{
	struct err e = ERR_INIT;
	struct json_reader r;
	struct json_token t;
	char str[8];

	(void)state;
	json_begin_mem(&r, "\n [1]", 5, str, sizeof(str));
	assert_int_equal(json_expect(&r, JSON_ARRAY, &t, &e), 0);
	assert_int_equal(json_expect(&r, JSON_STRING, &t, &e), ERR_CORRUPT);
	assert_string_equal(e.text,
	    "line 2, column 3: expected a string, found a number");
	assert_int_equal(json_next(&r, &t, &e), ERR_CORRUPT);
	assert_string_equal(e.text,
	    "the document was given up after an earlier error");
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool is_u64, is_i64;
		uint64_t u64;
		int64_t i64;
	} cases[] = {
		{ "0", true, true, 0, 0 },
		{ "420", true, true, 420, 420 },
		{ "-0", false, true, 0, 0 },
		{ "-1", false, true, 0, -1 },
		{ "9223372036854775807", true, true, INT64_MAX, INT64_MAX },
		{ "9223372036854775808", true, false,
		    UINT64_C(9223372036854775808), 0 },
		{ "-9223372036854775808", false, true, 0, INT64_MIN },
		{ "-9223372036854775809", false, false, 0, 0 },
		{ "18446744073709551615", true, false, UINT64_MAX, 0 },
		{ "18446744073709551616", false, false, 0, 0 },
		{ "18446744073709551620", false, false, 0, 0 },
		{ "99999999999999999999", false, false, 0, 0 },
		{ "1.0", false, false, 0, 0 },
		{ "1e3", false, false, 0, 0 },
		{ "\"1\"", false, false, 0, 0 },
		{ "true", false, false, 0, 0 },
	};
	struct json_reader r;
	struct json_token t;
	uint64_t u;
	int64_t n;
	char str[8];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_begin_mem(&r, cases[i].text, strlen(cases[i].text), str,
		    sizeof(str));
		assert_int_equal(json_next(&r, &t, NULL), 0);
		assert_int_equal(json_u64(&t, &u), cases[i].is_u64);
		if (cases[i].is_u64)
			assert_true(u == cases[i].u64);
		assert_int_equal(json_i64(&t, &n), cases[i].is_i64);
		if (cases[i].is_i64)
			assert_true(n == cases[i].i64);
	}
}

static void
test_is(void **state)
{
	const struct json_token t = { .kind = JSON_KEY, .text = "name",
	    .len = 4 };

	(void)state;
	assert_true(json_is(&t, "name"));
	assert_false(json_is(&t, "nam"));
	assert_false(json_is(&t, "names"));
	assert_false(json_is(&t, ""));
}

/* A text that does not fit leaves what was there; one that just fits, fits. */
static void
test_quote_limit(void **state)
{
	struct buf b;
	size_t max;
	int rc;

	(void)state;
	for (max = 3; max < 40; max++) {
		b = (struct buf)BUF_INIT(max);
		assert_int_equal(buf_str(&b, "old", NULL), 0);
		rc = json_text(&b, "a<b\xff\n\xc3\xbc", NULL);
		if (max < 3 + 20) {
			assert_int_equal(rc, ERR_LIMIT);
			assert_int_equal(b.len, 3);
		} else {
			assert_int_equal(rc, 0);
			assert_int_equal(b.len, 3 + 20);
			assert_memory_equal(b.p,
			    "old\"a\\u003cb\\ufffd\\n\xc3\xbc\"", 23);
		}
		buf_free(&b);
	}
	b = (struct buf)BUF_INIT(2);
	assert_int_equal(json_quote(&b, NULL, 0, NULL), 0);
	assert_memory_equal(b.p, "\"\"", 2);
	buf_free(&b);
}

/* Each byte at each distance from the word that the scans step by. */
static void
test_quote_bytes(void **state)
{
	struct buf b = BUF_INIT(256);
	struct json_reader r;
	struct json_token t;
	char raw[24], str[64];
	size_t at, len;
	int c;

	(void)state;
	for (c = 0; c < 128; c++) {
		for (len = 1; len <= sizeof(raw); len++) {
			for (at = 0; at < len; at++) {
				memset(raw, 'x', len);
				raw[at] = (char)c;
				buf_reset(&b);
				assert_int_equal(json_quote(&b, raw, len, NULL),
				    0);
				assert_null(memchr(b.p, '<', b.len));
				json_begin_mem(&r, b.p, b.len, str,
				    sizeof(str));
				assert_int_equal(json_expect(&r, JSON_STRING,
				    &t, NULL), 0);
				assert_int_equal(t.len, len);
				assert_memory_equal(t.text, raw, len);
			}
		}
	}
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_fill_error),
		cmocka_unit_test(test_no_read_ahead),
		cmocka_unit_test(test_skip),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_is),
		cmocka_unit_test(test_quote_limit),
		cmocka_unit_test(test_quote_bytes),
	};

	return (cmocka_run_group_tests_name("base/json", tests, NULL, NULL));
}
