/*
 * The tar writer against a small reader that believes nothing: checksums, octal,
 * lengths of records, padding, and that every way to say a name says the same.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "archive/tar.h"
#include "unit/rng.h"
#include "unit/scratch.h"

enum { OUT_MAX = 8 << 20, TEXT_MAX = 8192, RECORDS = 64 };

static uint8_t out[OUT_MAX];
static size_t out_len;
static int calls_left; /* before the sink fails; -1: never */

static int
sink(void *cookie, const void *p, size_t len, struct err *e)
{

	assert_ptr_equal(cookie, out);
	if (calls_left == 0)
		return (err_set(e, ERR_SPACE, "full"));
	if (calls_left > 0)
		calls_left--;
	assert_true(len <= sizeof(out) - out_len);
	memcpy(out + out_len, p, len);
	out_len += len;
	return (0);
}

static void
begin(struct tar *t)
{

	out_len = 0;
	calls_left = -1;
	tar_open(t, sink, out);
}

/* ---- the reader ---- */

struct record {
	char key[300];
	const uint8_t *value;
	size_t len;
};

struct entry {
	char type;
	const uint8_t *h;    /* the header itself */
	const uint8_t *bytes;
	uint64_t size;       /* as the header's field says */
	const uint8_t *long_name, *long_target; /* L and K, or NULL */
	size_t long_name_len, long_target_len;
	struct record rec[RECORDS];
	size_t n_rec;
};

/* A number: octal digits and a NUL, or base 256. */
static uint64_t
number(const uint8_t *p, size_t len)
{
	uint64_t v = 0;
	size_t i;

	if (p[0] == 0x80) {
		for (i = 1; i < len; i++)
			v = v << 8 | p[i];
		return (v);
	}
	for (i = 0; i < len - 1; i++) {
		assert_in_range(p[i], '0', '7');
		v = v << 3 | (uint64_t)(p[i] - '0');
	}
	assert_int_equal(p[len - 1], 0);
	return (v);
}

static void
check_sum(const uint8_t *h)
{
	unsigned sum = 0, i;

	for (i = 0; i < TAR_BLOCK_LEN; i++)
		sum += i >= 148 && i < 156 ? ' ' : h[i];
	assert_int_equal(number(h + 148, 7), sum);
	assert_int_equal(h[155], ' ');
	assert_memory_equal(h + 257, "ustar\00000", 8);
}

/* "LENGTH KEY=VALUE\n", again and again, and nothing else. */
static void
read_records(struct entry *x, const uint8_t *p, size_t len)
{
	const uint8_t *eq;
	struct record *r;
	size_t all, at;

	for (; len > 0; p += all, len -= all) {
		assert_true(x->n_rec < RECORDS);
		r = &x->rec[x->n_rec++];
		for (all = 0, at = 0; at < len && p[at] != ' '; at++) {
			assert_in_range(p[at], '0', '9');
			all = 10 * all + (size_t)(p[at] - '0');
		}
		assert_true(at > 0 && all <= len && all > at + 3);
		assert_int_equal(p[all - 1], '\n');
		assert_non_null(eq = memchr(p + at, '=', all - at));
		assert_true((size_t)(eq - p) - at - 1 < sizeof(r->key));
		memcpy(r->key, p + at + 1, (size_t)(eq - p) - at - 1);
		r->key[(size_t)(eq - p) - at - 1] = '\0';
		r->value = eq + 1;
		r->len = all - 1 - (size_t)(eq + 1 - p);
	}
}

static const struct record *
record(const struct entry *x, const char *key)
{
	size_t i;

	for (i = 0; i < x->n_rec; i++)
		if (strcmp(x->rec[i].key, key) == 0)
			return (&x->rec[i]);
	return (NULL);
}

/* The next entry, with what stands before it: false at the two zero blocks. */
static bool
next_entry(size_t *at, struct entry *x)
{
	static const uint8_t zeros[2 * TAR_BLOCK_LEN];
	const uint8_t *h, *data;
	uint64_t size, whole, i;

	memset(x, 0, sizeof(*x));
	for (;;) {
		assert_true(*at + TAR_BLOCK_LEN <= out_len);
		h = out + *at;
		if (memcmp(h, zeros, TAR_BLOCK_LEN) == 0) {
			assert_int_equal(x->n_rec, 0);
			assert_int_equal(*at + sizeof(zeros), out_len);
			assert_memory_equal(h, zeros, sizeof(zeros));
			return (false);
		}
		check_sum(h);
		size = number(h + 124, 12);
		data = h + TAR_BLOCK_LEN;
		whole = (size + 511) / 512 * 512;
		assert_true(whole <= out_len - *at - TAR_BLOCK_LEN);
		for (i = size; i < whole; i++)
			assert_int_equal(data[i], 0);
		*at += TAR_BLOCK_LEN + (size_t)whole;
		switch (h[156]) {
		case 'x':
			assert_int_equal(x->n_rec, 0);
			read_records(x, data, (size_t)size);
			continue;
		case 'L':
			x->long_name = data;
			x->long_name_len = (size_t)size - 1;
			assert_int_equal(data[size - 1], 0);
			continue;
		case 'K':
			x->long_target = data;
			x->long_target_len = (size_t)size - 1;
			assert_int_equal(data[size - 1], 0);
			continue;
		default:
			x->type = (char)h[156];
			x->h = h;
			x->bytes = data;
			x->size = size;
			return (true);
		}
	}
}

/* A text field, of a header, that may end without a NUL. */
static size_t
field(const struct entry *x, size_t at, size_t max, char *ret)
{
	size_t n = strnlen((const char *)x->h + at, max);

	memcpy(ret, x->h + at, n);
	return (n);
}

/* What the entry is called, for a reader of pax, of GNU, and of ustar alone. */
static void
check_name(const struct entry *x, const char *name, size_t len, bool plain)
{
	const struct record *r = record(x, "path");
	char text[300];
	size_t n = 0;

	if (r != NULL) {
		assert_int_equal(r->len, len);
		assert_memory_equal(r->value, name, len);
	}
	if (x->long_name != NULL) {
		assert_int_equal(x->long_name_len, len);
		assert_memory_equal(x->long_name, name, len);
	}
	if (x->h[345] != '\0') {
		n = field(x, 345, 155, text);
		text[n++] = '/';
	}
	n += field(x, 0, 100, text + n);
	if (r == NULL && x->long_name == NULL)
		assert_int_equal(n, len);
	assert_true(n <= len);
	assert_memory_equal(text, name, n);
	if (plain)
		assert_true(r == NULL && x->long_name == NULL);
}

static void
check_target(const struct entry *x, const char *target, size_t len)
{
	const struct record *r = record(x, "linkpath");
	char text[300];
	size_t n;

	if (r != NULL) {
		assert_int_equal(r->len, len);
		assert_memory_equal(r->value, target, len);
	}
	if (x->long_target != NULL) {
		assert_int_equal(x->long_target_len, len);
		assert_memory_equal(x->long_target, target, len);
	}
	n = field(x, 157, 100, text);
	if (r == NULL && x->long_target == NULL)
		assert_int_equal(n, len);
	assert_memory_equal(text, target, n);
}

static void
check_value(const struct entry *x, const char *key, const char *want)
{
	const struct record *r = record(x, key);

	if (want == NULL) {
		assert_null(r);
		return;
	}
	if (r == NULL)
		fail_msg("there is no record %s", key);
	assert_int_equal(r->len, strlen(want));
	assert_memory_equal(r->value, want, r->len);
}

/* ---- tests ---- */

static struct tar_entry
plain_file(const char *name)
{
	struct tar_entry x = { .kind = TAR_FILE, .name = name,
	    .name_len = strlen(name), .mode = 0644,
	    .mtime = { 1700000000, 0, 0 } };

	return (x);
}

static void
put(struct tar *t, const struct tar_entry *x, const void *bytes)
{
	struct err e = ERR_INIT;

	assert_ok(tar_begin(t, x, &e), &e);
	if (x->kind == TAR_FILE)
		assert_ok(tar_write(t, bytes, (size_t)x->size, &e), &e);
	assert_ok(tar_end(t, &e), &e);
}

static void
finish(struct tar *t)
{
	struct err e = ERR_INIT;

	assert_ok(tar_finish(t, &e), &e);
	tar_close(t);
}

/* What fits is ustar to the byte, without any extended header. */
static void
test_plain(void **state)
{
	struct tar_entry x = plain_file("a/b");
	struct entry got;
	struct tar t;
	size_t at = 0;

	(void)state;
	begin(&t);
	x.mode = 04755;
	x.uid = 1000;
	x.gid = 07777777;
	x.user = "somebody";
	x.group = "1234567890123456789012345678901";
	x.size = 5;
	put(&t, &x, "hello");
	x = plain_file("folder");
	x.kind = TAR_DIR;
	put(&t, &x, NULL);
	finish(&t);

	assert_true(next_entry(&at, &got));
	assert_int_equal(at, 1024);
	assert_int_equal(got.n_rec, 0);
	assert_int_equal(got.type, '0');
	check_name(&got, "a/b", 3, true);
	assert_string_equal((const char *)got.h + 100, "0004755");
	assert_string_equal((const char *)got.h + 108, "0001750");
	assert_string_equal((const char *)got.h + 116, "7777777");
	assert_string_equal((const char *)got.h + 124, "00000000005");
	assert_string_equal((const char *)got.h + 136, "14524770400");
	assert_string_equal((const char *)got.h + 265, "somebody");
	assert_string_equal((const char *)got.h + 297,
	    "1234567890123456789012345678901");
	assert_memory_equal(got.bytes, "hello", 5);
	assert_true(next_entry(&at, &got));
	assert_int_equal(got.type, '5');
	check_name(&got, "folder/", 7, true);
	assert_false(next_entry(&at, &got));
	assert_int_equal(out_len, 5 * 512);
}

/* Names of all lengths and alphabets are whole for every reader of them. */
static void
name_of(uint64_t *seed, unsigned alphabet, size_t len, char *ret)
{
	static const char *const letter[] = { "a", "\xc3\xa9", "\xff",
	    "e\xcc\x81" };
	const char *l = letter[alphabet];
	size_t at;

	for (at = 0; at < len; at++) {
		ret[at] = rng_below(seed, 20) == 0 && at > 0 &&
		    ret[at - 1] != '/' ? '/' : 'a';
		if (alphabet > 0 && at + strlen(l) <= len &&
		    rng_below(seed, 4) == 0) {
			memcpy(ret + at, l, strlen(l));
			at += strlen(l) - 1;
		}
	}
	ret[len] = '\0';
}

static void
one_name(uint64_t *seed, unsigned alphabet, size_t len)
{
	static char name[TEXT_MAX], target[TEXT_MAX];
	struct tar_entry x = plain_file(name);
	struct entry got;
	struct tar t;
	size_t at = 0;

	name_of(seed, alphabet, len, name);
	name_of(seed, alphabet, len, target);
	begin(&t);
	x.kind = TAR_SYMLINK;
	x.name_len = len;
	x.target = target;
	x.target_len = len;
	put(&t, &x, NULL);
	finish(&t);
	assert_true(next_entry(&at, &got));
	check_name(&got, name, len, len <= 100 && alphabet == 0);
	check_target(&got, target, len);
	if (len > 100 && len <= 4094)
		assert_non_null(got.long_target);
	if (len > 4094)	/* BusyBox gives up on those */
		assert_true(got.long_name == NULL && got.long_target == NULL);
	/* What a reader might change is raw; if that must be said, it is. */
	check_value(&got, "hdrcharset", len > 4094 && alphabet >= 2 ?
	    "BINARY" : NULL);
	assert_false(next_entry(&at, &got));
}

static void
test_names(void **state)
{
	uint64_t seed = 1;
	unsigned alphabet;
	size_t len;

	(void)state;
	for (alphabet = 0; alphabet < 4; alphabet++) {
		for (len = 1; len < 300; len++)
			one_name(&seed, alphabet, len);
		for (len = 4080; len < 4110; len++)
			one_name(&seed, alphabet, len);
		one_name(&seed, alphabet, TEXT_MAX - 1);
	}
}

/* A name that splits at a slash needs nothing more, up to 256 bytes. */
static void
test_split(void **state)
{
	char name[300] = "";
	struct tar_entry x = plain_file(name);
	struct entry got;
	struct tar t;
	size_t at, cut;

	(void)state;
	for (cut = 1; cut < 256; cut++) {
		memset(name, 'n', 256);
		name[256] = '\0';
		name[cut] = '/';
		x.name_len = 256;
		begin(&t);
		put(&t, &x, "");
		finish(&t);
		at = 0;
		assert_true(next_entry(&at, &got));
		check_name(&got, name, 256, cut == 155);
		assert_int_equal(got.long_name == NULL, cut == 155);
	}
}

/* The length of a record counts its own digits: all lengths around a new one. */
static void
test_record_lengths(void **state)
{
	static uint8_t value[100100];
	struct err e = ERR_INIT;
	struct tar_entry x = plain_file("f");
	struct entry got;
	struct tar t;
	size_t len, at;

	(void)state;
	memset(value, '=', sizeof(value));
	for (len = 0; len < 100100; len += len < 1100 ? 1 : len < 9900 ? 631 :
	    len < 10100 ? 1 : len < 99900 ? 8999 : 1) {
		begin(&t);
		assert_ok(tar_xattr(&t, "user.x", value, len, &e), &e);
		put(&t, &x, "");
		finish(&t);
		at = 0;
		assert_true(next_entry(&at, &got));
		assert_int_equal(got.n_rec, 1);
		assert_string_equal(got.rec[0].key, "SCHILY.xattr.user.x");
		assert_int_equal(got.rec[0].len, len);
		assert_memory_equal(got.rec[0].value, value, len);
	}
}

static void
test_numbers(void **state)
{
	struct tar_entry x = plain_file("f");
	struct err e = ERR_INIT;
	struct entry got;
	struct tar t;
	size_t at = 0;

	(void)state;
	begin(&t);
	x.kind = TAR_BLOCKDEV;
	x.uid = 010000000;
	x.gid = 4294967294;
	x.dev_major = 4095;
	x.dev_minor = 1048575;
	x.size = 12345;	/* no file: has none */
	put(&t, &x, NULL);
	x = plain_file("g");
	x.size = 0100000000000;
	assert_ok(tar_begin(&t, &x, &e), &e);
	tar_close(&t);

	assert_true(next_entry(&at, &got));
	assert_int_equal(number(got.h + 108, 8), 010000000);
	check_value(&got, "uid", "2097152");
	assert_int_equal(number(got.h + 116, 8), 4294967294);
	check_value(&got, "gid", "4294967294");
	assert_int_equal(number(got.h + 329, 8), 4095);
	assert_int_equal(number(got.h + 337, 8), 1048575);
	check_value(&got, "size", NULL);
	assert_int_equal(got.size, 0);
	/* The large one's header alone. */
	at += 1024;
	check_sum(out + at);
	assert_int_equal(number(out + at + 124, 12), 0100000000000);
	assert_memory_equal(out + at - 512, "19 size=8589934592\n", 19);
}

static void
test_times(void **state)
{
	static const struct {
		struct when w;
		uint64_t field;
		const char *text;
	} table[] = {
		{ { 0, 0, 0 }, 0, NULL },
		{ { 1, 0, 7200 }, 1, NULL },
		{ { 077777777777, 0, 0 }, 077777777777, NULL },
		{ { 0100000000000, 0, 0 }, 077777777777, "8589934592" },
		{ { 5, 500000000, 0 }, 5, "5.5" },
		{ { 5, 1, 0 }, 5, "5.000000001" },
		{ { 1700000000, 123456789, 0 }, 1700000000,
		    "1700000000.123456789" },
		{ { -1, 0, 0 }, 0, "-1" },
		{ { -1, 500000000, 0 }, 0, "-0.5" },
		{ { -2, 999999999, 0 }, 0, "-1.000000001" },
		{ { INT64_MIN, 0, 0 }, 0, "-9223372036854775808" },
	};
	struct tar_entry x = plain_file("f");
	struct entry got;
	struct tar t;
	size_t i, at = 0;

	(void)state;
	begin(&t);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		x.mtime = table[i].w;
		x.atime = i % 2 ? &table[i].w : NULL;
		x.ctime = i % 3 ? &table[i].w : NULL;
		put(&t, &x, "");
	}
	finish(&t);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_true(next_entry(&at, &got));
		assert_int_equal(number(got.h + 136, 12), table[i].field);
		check_value(&got, "mtime", table[i].text);
		assert_int_equal(record(&got, "atime") != NULL, i % 2 != 0);
		assert_int_equal(record(&got, "ctime") != NULL, i % 3 != 0);
		if (i % 2 && table[i].text != NULL)
			check_value(&got, "atime", table[i].text);
	}
	assert_false(next_entry(&at, &got));
}

static void
test_xattrs(void **state)
{
	struct tar_entry x = plain_file("f");
	struct err e = ERR_INIT;
	struct entry got;
	struct tar t;
	size_t at = 0;

	(void)state;
	begin(&t);
	assert_ok(tar_xattr(&t, "user.a=b%c", "v\0w\n", 4, &e), &e);
	assert_ok(tar_xattr(&t, "user.empty", "", 0, &e), &e);
	put(&t, &x, "");
	put(&t, &x, "");	/* they were the first one's */
	finish(&t);
	assert_true(next_entry(&at, &got));
	assert_int_equal(got.n_rec, 2);
	assert_string_equal(got.rec[0].key, "SCHILY.xattr.user.a%3Db%25c");
	assert_memory_equal(got.rec[0].value, "v\0w\n", 4);
	check_value(&got, "SCHILY.xattr.user.empty", "");
	assert_true(next_entry(&at, &got));
	assert_int_equal(got.n_rec, 0);
}

static void
test_acls(void **state)
{
	static const uint8_t acl[] = {
		2, 0, 0, 0,
		1, 0, 6, 0, 255, 255, 255, 255,
		2, 0, 7, 0, 0xe8, 3, 0, 0,
		4, 0, 4, 0, 255, 255, 255, 255,
		8, 0, 5, 0, 0xfe, 255, 255, 255,
		0x10, 0, 7, 0, 255, 255, 255, 255,
		0x20, 0, 0, 0, 255, 255, 255, 255,
	};
	static const uint8_t odd_tag[] = { 2, 0, 0, 0, 3, 0, 7, 0, 0, 0, 0, 0 };
	struct tar_entry x = plain_file("f");
	struct err e = ERR_INIT;
	struct entry got;
	struct tar t;
	size_t at = 0, len;

	(void)state;
	begin(&t);
	assert_ok(tar_xattr(&t, "system.posix_acl_access", acl, sizeof(acl),
	    &e), &e);
	assert_ok(tar_xattr(&t, "system.posix_acl_default", acl, 12, &e), &e);
	put(&t, &x, "");
	finish(&t);
	assert_true(next_entry(&at, &got));
	check_value(&got, "SCHILY.acl.access", "user::rw-\nuser:1000:rwx\n"
	    "group::r--\ngroup:4294967294:r-x\nmask::rwx\nother::---\n");
	check_value(&got, "SCHILY.acl.default", "user::rw-\n");

	/* What is none stays what it is. */
	for (len = 0; len < 12; len++) {
		if (len == 4)
			continue;
		begin(&t);
		assert_ok(tar_xattr(&t, "system.posix_acl_access",
		    len == 11 ? odd_tag : acl, len == 11 ? 12 : len, &e), &e);
		put(&t, &x, "");
		finish(&t);
		at = 0;
		assert_true(next_entry(&at, &got));
		assert_int_equal(got.n_rec, 1);
		assert_string_equal(got.rec[0].key,
		    "SCHILY.xattr.system.posix_acl_access");
	}
}

/* A header that would grow beyond its ceiling: the attribute is left out. */
static void
test_limit(void **state)
{
	static uint8_t big[1 << 20];
	static char huge[TAR_HEADER_MAX];
	struct tar_entry x = plain_file("f");
	struct err e = ERR_INIT;
	char key[400];
	struct entry got;
	struct tar t;
	size_t at = 0;

	(void)state;
	begin(&t);
	assert_ok(tar_xattr(&t, "user.1", big, sizeof(big), &e), &e);
	assert_ok(tar_xattr(&t, "user.2", big, sizeof(big), &e), &e);
	assert_rc(tar_xattr(&t, "user.3", big, sizeof(big), &e), ERR_LIMIT,
	    &e);
	assert_ok(tar_xattr(&t, "user.4", big, 10, &e), &e);
	memset(key, '=', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	assert_rc(tar_xattr(&t, key, big, 1, &e), ERR_LIMIT, &e);
	put(&t, &x, "");
	memset(huge, 'h', sizeof(huge));
	x.name = huge;
	x.name_len = sizeof(huge);
	at = out_len;
	assert_rc(tar_begin(&t, &x, &e), ERR_LIMIT, &e);
	assert_int_equal(out_len, at);
	x = plain_file("g");
	put(&t, &x, "");
	finish(&t);
	at = 0;
	assert_true(next_entry(&at, &got));
	assert_int_equal(got.n_rec, 3);
	assert_true(next_entry(&at, &got));
	check_name(&got, "g", 1, true);
	assert_false(next_entry(&at, &got));
}

static void
test_misuse(void **state)
{
	struct tar_entry x = plain_file("f");
	struct err e = ERR_INIT;
	struct entry got;
	struct tar t;
	size_t at = 0;

	(void)state;
	begin(&t);
	assert_rc(tar_write(&t, "x", 1, &e), ERR_FAIL, &e);
	x.size = 3;
	assert_ok(tar_begin(&t, &x, &e), &e);
	assert_rc(tar_write(&t, "xxxx", 4, &e), ERR_FAIL, &e);
	assert_ok(tar_write(&t, "xx", 2, &e), &e);
	assert_rc(tar_end(&t, &e), ERR_FAIL, &e);
	assert_rc(tar_begin(&t, &x, &e), ERR_FAIL, &e);
	assert_rc(tar_finish(&t, &e), ERR_FAIL, &e);
	assert_ok(tar_write(&t, "x", 1, &e), &e);
	assert_rc(tar_begin(&t, &x, &e), ERR_FAIL, &e);
	assert_ok(tar_end(&t, &e), &e);
	finish(&t);
	assert_true(next_entry(&at, &got));
	assert_memory_equal(got.bytes, "xxx", 3);
	assert_false(next_entry(&at, &got));
}

/* The sink's failure comes out, wherever it happens. */
static void
test_full(void **state)
{
	char name[400] = "";
	struct tar_entry x = plain_file(name);
	struct err e = ERR_INIT;
	struct tar t;
	int fails, rc;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	x.name_len = sizeof(name) - 1;
	x.size = 10;
	for (fails = 0;; fails++) {
		begin(&t);
		calls_left = fails;
		if ((rc = tar_begin(&t, &x, &e)) == 0 &&
		    (rc = tar_write(&t, "0123456789", 10, &e)) == 0 &&
		    (rc = tar_end(&t, &e)) == 0)
			rc = tar_finish(&t, &e);
		tar_close(&t);
		if (rc == 0)
			break;
		assert_int_equal(rc, ERR_SPACE);
	}
	assert_in_range(fails, 8, 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_record_lengths),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_xattrs),
		cmocka_unit_test(test_acls),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_full),
	};

	return (cmocka_run_group_tests_name("archive/tar", tests, NULL, NULL));
}
