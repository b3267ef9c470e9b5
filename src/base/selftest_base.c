/*
 * The floor's own vectors: of the RFCs, of restic-format section 16, and of
 * Go's encoders, whose bytes a tree's id covers.
 */

#include <stdio.h>
#include <string.h>

#include "base/b64.h"
#include "base/goname.h"
#include "base/json.h"
#include "base/selftest.h"
#include "base/when.h"

#define ROOM 128                /* more than any vector needs */

/* A vector's bytes, which may hold NULs, without the literal's own. */
#define BYTES(literal) (literal), sizeof(literal) - 1

static void
no_detail(char *ret, size_t len)
{

	if (len > 0)
		ret[0] = '\0';
}

/* Raw name bytes, and what stands in the tree. */
static const struct {
	const char *raw;
	size_t len;
	const char *json;
} names[] = {
	{ BYTES("n\xff\xfe\tname"), "\"n\\\\xff\\\\xfe\\\\tname\"" },
	{ BYTES("ctl\x01\x7f\nq\"\\b"),
	    "\"ctl\\\\x01\\\\x7f\\\\nq\\\\\\\"\\\\\\\\b\"" },
	{ BYTES("nbsp\xc2\xa0\xe2\x80\xa8ls\xef\xbb\xbf" "bom\xc2\xadshy"),
	    "\"nbsp\\\\u00a0\\\\u2028ls\\\\ufeffbom\\\\u00adshy\"" },
	{ BYTES("\xc3\xbcml<&>"), "\"\xc3\xbcml\\u003c\\u0026\\u003e\"" },
	{ BYTES("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"" },
	{ BYTES("\xf3\xa0\x80\x81'\xed\xa0\x80"),
	    "\"\\\\U000e0001'\\\\xed\\\\xa0\\\\x80\"" },
	/* The last rune that 15.0 brought, and one that 15.1 did. */
	{ BYTES("\xf0\xb2\x8e\xaf\xf0\xae\xaf\xb0"),
	    "\"\xf0\xb2\x8e\xaf\\\\U0002ebf0\"" },
};

static int
names_run(char *ret_detail, size_t len, struct err *e)
{
	char quoted[GONAME_MAX(ROOM)], str[ROOM];
	struct buf b = BUF_INIT(ROOM);
	struct json_reader r;
	struct json_token t;
	uint8_t raw[ROOM];
	ssize_t n;
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		n = (ssize_t)goname_quote(quoted,
		    (const uint8_t *)names[i].raw, names[i].len);
		buf_reset(&b);
		if ((rc = json_quote(&b, quoted, (size_t)n, e)) != 0)
			goto done;
		if (b.len != strlen(names[i].json) ||
		    memcmp(b.p, names[i].json, b.len) != 0) {
			rc = err_set(e, ERR_FAIL,
			    "vector %zu is quoted as %.*s", i, (int)b.len,
			    (const char *)b.p);
			goto done;
		}
		json_begin_mem(&r, b.p, b.len, str, sizeof(str));
		if ((rc = json_expect(&r, JSON_STRING, &t, e)) != 0)
			goto done;
		n = goname_unquote(raw, sizeof(raw), t.text, t.len);
		if (n != (ssize_t)names[i].len ||
		    memcmp(raw, names[i].raw, names[i].len) != 0) {
			rc = err_set(e, ERR_FAIL,
			    "vector %zu does not come back", i);
			goto done;
		}
	}
	(void)snprintf(ret_detail, len, "unicode 15.0");
done:
	buf_free(&b);
	return (rc);
}

/* Bytes, the JSON string that Go makes of them, and what is read from that. */
static const struct {
	const char *raw;
	size_t len;
	const char *json;
	const char *back;
	size_t back_len;
} strings[] = {
	{ BYTES("bad\xfftarget"), "\"bad\\ufffdtarget\"",
	    BYTES("bad\xef\xbf\xbdtarget") },
	{ BYTES("\b\f\n\r\t\v\x1f\x7f/'"),
	    "\"\\b\\f\\n\\r\\t\\u000b\\u001f\x7f/'\"",
	    BYTES("\b\f\n\r\t\v\x1f\x7f/'") },
	{ BYTES("a\0b\"c\\d"), "\"a\\u0000b\\\"c\\\\d\"",
	    BYTES("a\0b\"c\\d") },
	{ BYTES("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"),
	    "\"\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\"",
	    BYTES("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa") },
	{ BYTES("0123456789abcdef<0123456>01234567&"),
	    "\"0123456789abcdef\\u003c0123456\\u003e01234567\\u0026\"",
	    BYTES("0123456789abcdef<0123456>01234567&") },
	{ BYTES(""), "\"\"", BYTES("") },
};

static int
strings_run(char *ret_detail, size_t len, struct err *e)
{
	struct buf b = BUF_INIT(ROOM);
	struct json_reader r;
	struct json_token t;
	char str[ROOM];
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		buf_reset(&b);
		if ((rc = json_quote(&b, strings[i].raw, strings[i].len,
		    e)) != 0)
			goto done;
		if (b.len != strlen(strings[i].json) ||
		    memcmp(b.p, strings[i].json, b.len) != 0) {
			rc = err_set(e, ERR_FAIL,
			    "vector %zu is written as %.*s", i, (int)b.len,
			    (const char *)b.p);
			goto done;
		}
		json_begin_mem(&r, b.p, b.len, str, sizeof(str));
		if ((rc = json_expect(&r, JSON_STRING, &t, e)) != 0)
			goto done;
		if (t.len != strings[i].back_len ||
		    memcmp(t.text, strings[i].back, t.len) != 0) {
			rc = err_set(e, ERR_FAIL,
			    "vector %zu does not come back", i);
			goto done;
		}
	}
	no_detail(ret_detail, len);
done:
	buf_free(&b);
	return (rc);
}

/* RFC 4648 section 10, and the target of restic-format 16. */
static const struct {
	const char *raw;
	const char *text;
} base64s[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "bad\xfftarget", "YmFk/3RhcmdldA==" },
	{ "\xfb\xff\xbf", "+/+/" },
};

/* What is not canonical. */
static const char *const not_base64[] = {
	"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z===", "====", "Zm8-",
	"Zm8=\n", "=m8=", "Z=8=",
};

static int
base64_run(char *ret_detail, size_t len, struct err *e)
{
	char text[B64_LEN(ROOM)];
	uint8_t raw[ROOM];
	size_t i, n, raw_len;

	for (i = 0; i < sizeof(base64s) / sizeof(base64s[0]); i++) {
		raw_len = strlen(base64s[i].raw);
		n = b64_encode(text, (const uint8_t *)base64s[i].raw, raw_len);
		if (n != strlen(base64s[i].text) ||
		    memcmp(text, base64s[i].text, n) != 0)
			return (err_set(e, ERR_FAIL, "%s is encoded as %.*s",
			    base64s[i].text, (int)n, text));
		if (b64_decode(raw, raw_len, text, n) != (ssize_t)raw_len ||
		    memcmp(raw, base64s[i].raw, raw_len) != 0)
			return (err_set(e, ERR_FAIL, "%s does not come back",
			    base64s[i].text));
	}
	for (i = 0; i < sizeof(not_base64) / sizeof(not_base64[0]); i++) {
		if (b64_decode(raw, sizeof(raw), not_base64[i],
		    strlen(not_base64[i])) >= 0)
			return (err_set(e, ERR_FAIL, "%s is accepted",
			    not_base64[i]));
	}
	no_detail(ret_detail, len);
	return (0);
}

/* Times as Go's time.Parse and Format(RFC3339Nano) see them. */
static const struct {
	const char *text;
	int64_t sec;
	int32_t nsec;
	int32_t offset_s;
} times[] = {
	{ "1970-01-01T00:00:00Z", 0, 0, 0 },
	{ "2023-11-14T22:13:20.1234567Z", 1700000000, 123456700, 0 },
	{ "2024-01-02T03:04:05.678901234Z", 1704164645, 678901234, 0 },
	{ "1969-12-31T23:59:59.5Z", -1, 500000000, 0 },
	{ "0000-01-01T00:00:00Z", -62167219200, 0, 0 },
	{ "0001-01-01T00:00:00Z", -62135596800, 0, 0 },
	{ "9999-12-31T23:59:59.999999999Z", 253402300799, 999999999, 0 },
	{ "2000-02-29T23:30:00.000000001+05:30", 951847200, 1, 19800 },
	{ "1900-03-01T00:00:00-08:00", -2203862400, 0, -28800 },
	{ "2038-01-19T03:14:08Z", 2147483648, 0, 0 },
};

static const char *const not_times[] = {
	"1900-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z",
	"2023-00-01T00:00:00Z", "2023-04-31T00:00:00Z", "2023-04-00T00:00:00Z",
	"2023-04-30T24:00:00Z", "2023-04-30T23:60:00Z", "2016-12-31T23:59:60Z",
	"2023-04-30t00:00:00Z", "2023-04-30T00:00:00z", "2023-04-30 00:00:00Z",
	"2023-04-30T00:00:00.Z", "2023-04-30T00:00:00,5Z",
	"2023-04-30T00:00:00", "2023-04-30T00:00:00+0200",
	"2023-04-30T00:00:00+24:00", "2023-04-30T00:00:00+02:60",
	"2023-04-30T00:00:00Z ",
};

static int
times_run(char *ret_detail, size_t len, struct err *e)
{
	char text[WHEN_TEXT];
	struct when w;
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		if (!when_parse(&w, times[i].text, strlen(times[i].text)) ||
		    w.sec != times[i].sec || w.nsec != times[i].nsec ||
		    w.offset_s != times[i].offset_s)
			return (err_set(e, ERR_FAIL, "%s is read wrongly",
			    times[i].text));
		if (strcmp(when_format(&w, text), times[i].text) != 0)
			return (err_set(e, ERR_FAIL, "%s is written as %s",
			    times[i].text, text));
	}
	for (i = 0; i < sizeof(not_times) / sizeof(not_times[0]); i++) {
		if (when_parse(&w, not_times[i], strlen(not_times[i])))
			return (err_set(e, ERR_FAIL, "%s is accepted",
			    not_times[i]));
	}
	no_detail(ret_detail, len);
	return (0);
}

const struct selftest base_selftests[] = {
	{ "names in trees", names_run },
	{ "json strings", strings_run },
	{ "base64", base64_run },
	{ "times", times_run },
	{ NULL, NULL },
};
