/*
 * The text codecs: hex, ids, base64, UTF-8, names in trees. The published
 * vectors are base_selftests; here are their properties and their limits.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/b64.h"
#include "base/goname.h"
#include "base/hex.h"
#include "base/id.h"
#include "base/selftest.h"
#include "base/utf8.h"

/* A text with its length, NULs and all. */
#define TEXT(literal) (literal), sizeof(literal) - 1

/* Bytes that are the same in every run. */
static uint32_t
next_random(uint32_t *seed)
{

	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8);
}

static void
test_selftests(void **state)
{
	const struct selftest *t;
	char detail[64];
	struct err e;

	(void)state;
	for (t = base_selftests; t->name != NULL; t++) {
		err_clear(&e);
		memset(detail, 'x', sizeof(detail));
		if (t->run(detail, sizeof(detail), &e) != 0)
			fail_msg("%s: %s", t->name, e.text);
		assert_non_null(memchr(detail, '\0', sizeof(detail)));
	}
}

static void
test_hex(void **state)
{
	uint8_t bytes[256], back[256];
	char text[513], one[3];
	int i;

	(void)state;
	for (i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	assert_ptr_equal(hex_encode(text, bytes, 256), text);
	assert_int_equal(strlen(text), 512);
	assert_memory_equal(text + 0xa9 * 2, "a9aaab", 6);
	assert_true(hex_decode(back, text, 512));
	assert_memory_equal(bytes, back, 256);

	assert_true(hex_decode(back, "", 0));
	assert_false(hex_decode(back, text, 511));
	for (i = 0; i < 256; i++) {
		one[0] = '0';
		one[1] = (char)i;
		one[2] = '0';
		assert_int_equal(hex_decode(back, one, 2),
		    (i >= '0' && i <= '9') || (i >= 'a' && i <= 'f'));
		assert_int_equal(hex_decode(back, one + 1, 2),
		    (i >= '0' && i <= '9') || (i >= 'a' && i <= 'f'));
	}
}

static void
test_id(void **state)
{
	const char *text = "a948904f2f0f479b8f8197694b30184b"
	    "0d2ed1c1cd2a1ec0fb85d299a192a447";
	char back[ID_HEX + 1], bad[ID_HEX + 1];
	struct id id, other;

	(void)state;
	assert_true(id_parse(&id, text, ID_HEX));
	assert_int_equal(id.b[0], 0xa9);
	assert_int_equal(id.b[31], 0x47);
	assert_string_equal(id_hex(&id, back), text);
	assert_false(id_parse(&other, text, ID_HEX - 2));
	assert_false(id_parse(&other, text, 0));
	strcpy(bad, text);
	bad[63] = 'A';
	assert_false(id_parse(&other, bad, ID_HEX));
}

static void
test_b64(void **state)
{
	uint8_t bytes[100], back[100];
	char text[B64_LEN(100)];
	uint32_t seed = 1;
	size_t n, len, i;
	int c, good;

	(void)state;
	for (len = 0; len <= sizeof(bytes); len++) {
		for (i = 0; i < len; i++)
			bytes[i] = (uint8_t)next_random(&seed);
		n = b64_encode(text, bytes, len);
		assert_int_equal(n, B64_LEN(len));
		assert_int_equal(b64_decode(back, len, text, n), len);
		assert_memory_equal(bytes, back, len);
		if (len > 0) {
			assert_int_equal(b64_decode(back, len - 1, text, n),
			    -1);
			assert_int_equal(b64_decode(back, len, text, n - 1),
			    -1);
		}
	}

	/* 64 characters are known; each has one text for one byte. */
	for (c = good = 0; c < 256; c++) {
		text[0] = text[1] = text[2] = 'A';
		text[3] = (char)c;
		good += b64_decode(back, 3, text, 4) == 3;
	}
	assert_int_equal(good, 64);
	for (c = good = 0; c < 256; c++) {
		memcpy(text, "A?==", 4);
		text[1] = (char)c;
		good += b64_decode(back, 3, text, 4) >= 0;
	}
	assert_int_equal(good, 4);
}

/* Each scalar value comes back, and only the shortest form is taken. */
static void
test_utf8_runes(void **state)
{
	uint32_t rune, back;
	uint8_t p[4], valid;
	int n;

	(void)state;
	for (rune = 0; rune < 0x110000; rune++) {
		n = utf8_encode(rune, p);
		valid = rune < 0xd800 || rune >= 0xe000;
		assert_int_equal(utf8_decode(p, 4, &back), valid ? n : 0);
		if (!valid)
			continue;
		assert_int_equal(back, rune);
		assert_int_equal(utf8_decode(p, (size_t)n, &back), n);
		if (n > 1)
			assert_int_equal(utf8_decode(p, (size_t)n - 1, &back),
			    0);
	}
}

static void
test_utf8_invalid(void **state)
{
	static const char *const bad[] = {
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\xc2",
		"\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xe2\x80", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe",
		"\xf0\x9f\x98",
	};
	uint32_t rune;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(utf8_decode((const uint8_t *)bad[i],
		    strlen(bad[i]), &rune), 0);
		assert_false(utf8_valid((const uint8_t *)bad[i],
		    strlen(bad[i])));
	}
	assert_true(utf8_valid((const uint8_t *)"", 0));
	assert_true(utf8_valid((const uint8_t *)"a\xc3\xbc\xf0\x9f\x98\x80",
	    7));
	assert_false(utf8_valid((const uint8_t *)"abc\xff", 4));
}

/* The counts of restic-format 8.2; the hash is for tools/unicode-table. */
static void
test_printable(void **state)
{
	unsigned runes = 0, ranges = 0;
	bool was = false, is;
	uint32_t rune;

	(void)state;
	for (rune = 0; rune < 0x110000; rune++) {
		is = utf8_printable(rune);
		runes += is;
		ranges += is && !was;
		was = is;
	}
	assert_int_equal(runes, 148998);
	assert_int_equal(ranges, 711);
	assert_false(utf8_printable(0x110000));
	assert_false(utf8_printable(UINT32_MAX));
	assert_true(utf8_printable(' '));
	assert_false(utf8_printable(0xa0));
	assert_true(utf8_printable(0xfffd));
	assert_false(utf8_printable(0xd800));
}

/* Any bytes come back, and the inner form is what it must be. */
/* What a hostile name would do to a terminal; and what does not fit is cut. */
static void
test_show(void **state)
{
	char out[64];
	size_t room;

	(void)state;
	assert_string_equal(utf8_show(out, sizeof(out), ""), "");
	assert_string_equal(utf8_show(out, sizeof(out), "a \\ \xc3\xbc"),
	    "a \\ \xc3\xbc");
	assert_string_equal(utf8_show(out, sizeof(out), "\x1b[2J\n\t\x7f"),
	    "\\x1b[2J\\x0a\\x09\\x7f");
	assert_string_equal(utf8_show(out, sizeof(out), "\xff\xc2\x9b\xe2\x80\xae"),
	    "\\xff\\xc2\\x9b\\xe2\\x80\\xae");
	for (room = 1; room < 12; room++) {
		memset(out, 'x', sizeof(out));
		assert_true(strlen(utf8_show(out, room, "a\xc3\xbc\n\xc3\xbc")) <
		    room);
		assert_int_equal(out[room], 'x');
	}
	assert_string_equal(utf8_show(out, 4, "a\xc3\xbc\n"), "a\xc3\xbc");
	assert_string_equal(utf8_show(out, 3, "a\xc3\xbc\n"), "a");
}

static void
test_goname_round(void **state)
{
	uint8_t raw[64], back[64];
	char text[GONAME_MAX(64)];
	uint32_t seed = 7, rune;
	size_t len, n, i;
	int round;

	(void)state;
	for (round = 0; round < 100000; round++) {
		for (len = 0; len < 60;) {
			switch (next_random(&seed) % 6) {
			case 0:
				raw[len++] = (uint8_t)next_random(&seed);
				break;
			case 1:
				raw[len++] = (uint8_t)"\"\\'\n\t\x7f"[
				    next_random(&seed) % 6];
				break;
			default:
				rune = next_random(&seed) % 0x110000;
				rune >>= next_random(&seed) % 14;
				len += (size_t)utf8_encode(rune, raw + len);
			}
			if (next_random(&seed) % 16 == 0)
				break;
		}
		n = goname_quote(text, raw, len);
		assert_true(n <= GONAME_MAX(len));
		assert_true(utf8_valid((const uint8_t *)text, n));
		for (i = 0; i < n; i++)
			assert_true((uint8_t)text[i] >= 0x20 &&
			    text[i] != 0x7f);
		assert_int_equal(goname_unquote(back, len, text, n), len);
		assert_memory_equal(raw, back, len);
		if (len > 0)
			assert_int_equal(goname_unquote(back, len - 1, text,
			    n), -1);
	}
	memset(raw, 0xff, sizeof(raw));
	assert_int_equal(goname_quote(text, raw, 64), 256);
}

/* What Go reads although it never writes it, and what it refuses. */
static void
test_goname_unquote(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *raw;     /* NULL: refused */
		size_t raw_len;
	} cases[] = {
		{ TEXT(""), TEXT("") },
		{ TEXT("plain"), TEXT("plain") },
		{ TEXT("\\a\\b\\f\\n\\r\\t\\v\\\\\\\""),
		    TEXT("\a\b\f\n\r\t\v\\\"") },
		{ TEXT("\\xAf\\x00"), TEXT("\xaf\0") },
		{ TEXT("\\101\\000\\377"), TEXT("A\0\xff") },
		{ TEXT("\\u0041\\u00e9\\uFFFD"),
		    TEXT("A\xc3\xa9\xef\xbf\xbd") },
		{ TEXT("\\U0001F600\\U0010ffff"),
		    TEXT("\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf") },
		{ TEXT("'"), TEXT("'") },
		{ TEXT("\t\x01\0"), TEXT("\t\x01\0") },
		{ TEXT("a\xff" "b"), TEXT("a\xef\xbf\xbd" "b") },
		{ TEXT("\xe2\x82"), TEXT("\xef\xbf\xbd\xef\xbf\xbd") },
		{ TEXT("\n"), NULL, 0 },
		{ TEXT("a\"b"), NULL, 0 },
		{ TEXT("\\'"), NULL, 0 },
		{ TEXT("\\"), NULL, 0 },
		{ TEXT("\\z"), NULL, 0 },
		{ TEXT("\\\0"), NULL, 0 },
		{ TEXT("\\x"), NULL, 0 },
		{ TEXT("\\x1"), NULL, 0 },
		{ TEXT("\\x1g"), NULL, 0 },
		{ TEXT("\\u123"), NULL, 0 },
		{ TEXT("\\ud800"), NULL, 0 },
		{ TEXT("\\udfff"), NULL, 0 },
		{ TEXT("\\U00110000"), NULL, 0 },
		{ TEXT("\\U0000d800"), NULL, 0 },
		{ TEXT("\\Uffffffff"), NULL, 0 },
		{ TEXT("\\U1234567"), NULL, 0 },
		{ TEXT("\\400"), NULL, 0 },
		{ TEXT("\\08"), NULL, 0 },
		{ TEXT("\\018"), NULL, 0 },
		{ TEXT("\\8"), NULL, 0 },
		{ TEXT("\\07"), NULL, 0 },
	};
	uint8_t raw[64];
	char *exact;
	size_t i;
	ssize_t n;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* In memory of its exact size, for the sanitizer. */
		exact = malloc(cases[i].len + !cases[i].len);
		assert_non_null(exact);
		memcpy(exact, cases[i].text, cases[i].len);
		n = goname_unquote(raw, sizeof(raw), exact, cases[i].len);
		free(exact);
		if (cases[i].raw == NULL) {
			if (n != -1)
				fail_msg("%s is accepted", cases[i].text);
			continue;
		}
		if (n != (ssize_t)cases[i].raw_len ||
		    memcmp(raw, cases[i].raw, (size_t)n) != 0)
			fail_msg("%s is read wrongly", cases[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selftests),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_b64),
		cmocka_unit_test(test_utf8_runes),
		cmocka_unit_test(test_utf8_invalid),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_goname_round),
		cmocka_unit_test(test_goname_unquote),
	};

	return (cmocka_run_group_tests_name("base/text", tests, NULL, NULL));
}
