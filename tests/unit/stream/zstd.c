/*
 * zstd in pieces: round trips through spans of any size, texts of several
 * frames, texts that are cut, too wide, or no zstd at all.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stream/zstd.h"
#include "unit/rng.h"
#include "unit/scratch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIB (1u << 20)

enum { MOST = 2 * MIB };

static uint8_t *plain, *packed, *back;

static int
set_up(void **state)
{

	(void)state;
	plain = malloc(MOST);
	packed = malloc(2 * MOST);
	back = malloc(MOST);
	return (plain == NULL || packed == NULL || back == NULL);
}

static int
tear_down(void **state)
{

	(void)state;
	free(plain);
	free(packed);
	free(back);
	return (0);
}

/* Words and noise, so that there is something to compress. */
static void
fill(uint64_t *seed, uint8_t *p, size_t len)
{
	size_t n, at;

	for (at = 0; at < len; at += n) {
		n = 1 + rng_below(seed, 300);
		if (n > len - at)
			n = len - at;
		if (at > n && rng_below(seed, 3) != 0)
			memcpy(p + at, p + rng_below(seed, at - n + 1), n);
		else
			rng_fill(seed, p + at, n);
	}
}

/* 1, or up to ${most}, bytes of what is left. */
static size_t
span_len(uint64_t *seed, size_t most, size_t left)
{
	size_t n = most == 1 ? 1 : rng_below(seed, most + 1);

	return (n < left ? n : left);
}

/* Compress plain[0..len) to ${at} of packed; where it ends. */
static size_t
pack(struct zstd_pack *z, size_t len, uint64_t pledge, size_t at, size_t most,
    uint64_t *seed)
{
	struct err e = ERR_INIT;
	size_t from = 0;
	int rc;

	zstd_pack_begin(z, pledge);
	for (;;) {
		size_t n = span_len(seed, most, len - from);
		bool end = from + n == len;
		struct span in = { plain + from, n, 0 };

		do {
			struct span out = { packed + at, most == 1 ? 1 :
			    1 + rng_below(seed, most), 0 };

			rc = zstd_pack_run(z, &in, &out, end, &e);
			if (rc < 0)
				fail_msg("%s", e.text);
			if (rc == 0)
				assert_int_equal(out.at, out.len);
			at += out.at;
		} while (rc == 0);
		assert_int_equal(in.at, in.len);
		from += n;
		if (end)
			return (at);
	}
}

/*
 * Decompress packed[0..len) into back, ${room} bytes large, in spans of at most
 * ${most}. Return 1 with the length, or ERR_*.
 */
static int
unpack(struct zstd_unpack *z, size_t len, size_t room, size_t most,
    size_t *ret, uint64_t *seed, struct err *e)
{
	size_t from = 0, at = 0, n, o;
	int rc;

	zstd_unpack_begin(z);
	while (from < len) {
		n = span_len(seed, most, len - from);
		struct span in = { packed + from, n, 0 };

		do {
			o = 1 + span_len(seed, most, MOST);
			if (o > room - at)
				o = room - at;
			struct span out = { back + at, o, 0 };

			rc = zstd_unpack_run(z, &in, &out, e);
			at += out.at;
			if (rc < 0)
				return (rc);
			if (rc == 0 && at == room) {
				/* All is out: no more may be waiting. */
				struct span none = { back, 0, 0 };

				rc = zstd_unpack_run(z, &in, &none, e);
				if (rc == 0 && in.at == in.len)
					rc = 1;
				if (rc <= 0)
					return (rc < 0 ? rc : ERR_LIMIT);
			}
		} while (rc == 0);
		assert_int_equal(rc, 1);
		assert_int_equal(in.at, in.len);
		from += n;
	}
	*ret = at;
	return (1);
}

static void
test_round_trips(void **state)
{
	static const size_t lens[] = { 0, 1, 2, 100, 255, 256, 5000, 65791,
	    65792, 131072, 131073, 700000, MOST };
	struct zstd_unpack *u;
	struct zstd_pack *z;
	struct err e = ERR_INIT;
	uint64_t seed = 1, pledge;
	size_t i, len, most, n, got;
	int round;

	(void)state;
	assert_ok(zstd_pack_new(&z, 3, ZSTD_WINDOW_LOG, &e), &e);
	assert_ok(zstd_unpack_new(&u, 1u << ZSTD_WINDOW_LOG, &e), &e);
	for (i = 0; i < COUNT(lens); i++) {
		for (round = 0; round < 6; round++) {
			len = lens[i];
			if (round >= 2 && len > 140000)
				break;
			most = (size_t[]){ 70000, 300, 1 }[round / 2];
			pledge = round % 2 != 0 ? len : UINT64_MAX;
			fill(&seed, plain, len);
			n = pack(z, len, pledge, 0, most, &seed);
			assert_true(n <= zstd_pack_bound(len));
			assert_rc(unpack(u, n, len, most, &got, &seed, &e), 1,
			    &e);
			assert_true(zstd_unpack_whole(u));
			assert_int_equal(got, len);
			assert_memory_equal(back, plain, len);
			assert_ok(zstd_unpack_once(back, MOST, packed, n, &got,
			    &e), &e);
			assert_int_equal(got, len);
			assert_memory_equal(back, plain, len);
		}
	}
	zstd_pack_free(z);
	zstd_unpack_free(u);
	zstd_pack_free(NULL);
	zstd_unpack_free(NULL);
}

/* No frame is wider than it was told; restic's readers count on it. */
static void
test_window(void **state)
{
	struct zstd_pack *z;
	struct err e = ERR_INIT;
	uint64_t seed = 2, window;
	int log;

	(void)state;
	fill(&seed, plain, MOST);
	for (log = 10; log <= ZSTD_WINDOW_LOG; log++) {
		assert_ok(zstd_pack_new(&z, 3, log, &e), &e);
		(void)pack(z, MOST, UINT64_MAX, 0, 100000, &seed);
		assert_memory_equal(packed, "\x28\xb5\x2f\xfd", 4);
		assert_int_equal(packed[4] & 0x20, 0);
		assert_int_equal(packed[4] & 0x04, 0); /* no checksum */
		window = 1ull << (10 + (packed[5] >> 3));
		window += window / 8 * (packed[5] & 7);
		assert_true(window <= 1ull << log);
		(void)pack(z, MOST, MOST, 0, 100000, &seed);
		if ((packed[4] & 0x20) == 0) {
			window = 1ull << (10 + (packed[5] >> 3));
			window += window / 8 * (packed[5] & 7);
		} else {
			window = MOST;
		}
		assert_true(window <= 1ull << log);
		zstd_pack_free(z);
	}
}

static void
test_pledge_broken(void **state)
{
	struct span in = { plain, 1000, 0 }, out = { packed, 2000, 0 };
	struct zstd_unpack *u;
	struct zstd_pack *z;
	struct err e = ERR_INIT;
	uint64_t seed = 3;
	size_t n, got;

	(void)state;
	assert_ok(zstd_pack_new(&z, 3, ZSTD_WINDOW_LOG, &e), &e);
	assert_ok(zstd_unpack_new(&u, 1u << ZSTD_WINDOW_LOG, &e), &e);
	fill(&seed, plain, 1000);
	/* In two pieces: of one that comes whole the library sees the length. */
	zstd_pack_begin(z, 1001);
	in.len = 500;
	assert_rc(zstd_pack_run(z, &in, &out, false, &e), 1, &e);
	in.len = 1000;
	assert_rc(zstd_pack_run(z, &in, &out, true, &e), ERR_FAIL, &e);
	/* And a frame that was never ended is forgotten. */
	in.at = out.at = 0;
	zstd_pack_begin(z, UINT64_MAX);
	assert_rc(zstd_pack_run(z, &in, &out, false, &e), 1, &e);
	n = pack(z, 1000, 1000, 0, 100, &seed);
	assert_rc(unpack(u, n, 1000, 100, &got, &seed, &e), 1, &e);
	assert_int_equal(got, 1000);
	assert_memory_equal(back, plain, 1000);
	zstd_pack_free(z);
	zstd_unpack_free(u);
}

static size_t
put(size_t at, const char *bytes, size_t len)
{

	memcpy(packed + at, bytes, len);
	return (at + len);
}
#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

/* Empty frames, skippable ones, a checksum, raw and RLE: all are one text. */
static void
test_frames(void **state)
{
	struct zstd_unpack *u;
	struct zstd_pack *z;
	struct err e = ERR_INIT;
	uint64_t seed = 4;
	size_t n, got, most, len, i;

	(void)state;
	assert_ok(zstd_pack_new(&z, 1, ZSTD_WINDOW_LOG, &e), &e);
	assert_ok(zstd_unpack_new(&u, 1u << ZSTD_WINDOW_LOG, &e), &e);
	for (most = 1; most <= 10000; most = most * 10 - 3) {
		fill(&seed, plain, 3000);
		/* skippable: of nothing, of five bytes */
		n = PUT(0, "\x50\x2a\x4d\x18\0\0\0\0");
		n = PUT(n, "\x5f\x2a\x4d\x18\5\0\0\0hello");
		n = pack(z, 3000, UINT64_MAX, n, most, &seed);
		n = pack(z, 3000, 3000, n, most, &seed);
		n = pack(z, 0, UINT64_MAX, n, most, &seed);
		n = pack(z, 0, 0, n, most, &seed);
		/* no size, window 512 KiB: one raw block */
		n = PUT(n, "\x28\xb5\x2f\xfd\0\x48\x11\0\0" "ab");
		/* single segment, a size of one byte, 255 x 'x' */
		n = PUT(n, "\x28\xb5\x2f\xfd\x20\xff\xfb\x07\0x");
		/* "x" with the content's checksum */
		n = PUT(n, "\x28\xb5\x2f\xfd\x24\1\x09\0\0x\x23\x11\x04\x83");
		n = PUT(n, "\x51\x2a\x4d\x18\1\0\0\0!");
		len = 3000 + 3000 + 2 + 255 + 1;
		assert_rc(unpack(u, n, len, most, &got, &seed, &e), 1, &e);
		assert_true(zstd_unpack_whole(u));
		assert_int_equal(got, len);
		assert_memory_equal(back, plain, 3000);
		assert_memory_equal(back + 3000, plain, 3000);
		assert_memory_equal(back + 6000, "ab", 2);
		for (i = 0; i < 256; i++)
			assert_int_equal(back[6002 + i], 'x');
		assert_ok(zstd_unpack_once(back, len, packed, n, &got, &e),
		    &e);
		assert_int_equal(got, len);
	}
	/* The checksum counts. */
	n = PUT(0, "\x28\xb5\x2f\xfd\x24\1\x09\0\0x\x23\x11\x04\x84");
	assert_rc(unpack(u, n, 10, 10, &got, &seed, &e), ERR_CORRUPT, &e);
	zstd_pack_free(z);
	zstd_unpack_free(u);
}

/* A text that ends anywhere but behind a frame is not whole, and no error. */
static void
test_cut(void **state)
{
	struct zstd_unpack *u;
	struct zstd_pack *z;
	struct err e = ERR_INIT;
	uint64_t seed = 5;
	size_t n, first, got, cut;
	bool whole;

	(void)state;
	assert_ok(zstd_pack_new(&z, 1, ZSTD_WINDOW_LOG, &e), &e);
	assert_ok(zstd_unpack_new(&u, 1u << ZSTD_WINDOW_LOG, &e), &e);
	fill(&seed, plain, 300);
	first = n = pack(z, 300, 300, 0, 1000, &seed);
	n = PUT(n, "\x50\x2a\x4d\x18\5\0\0\0hello");
	for (cut = 0; cut <= n; cut++) {
		assert_rc(unpack(u, cut, 1000, cut % 2 != 0 ? 1 : 1000, &got,
		    &seed, &e), 1, &e);
		whole = cut == 0 || cut == first || cut == n;
		assert_int_equal(zstd_unpack_whole(u), whole);
		if (!whole)
			assert_rc(zstd_unpack_once(back, MOST, packed, cut,
			    &got, &e), ERR_CORRUPT, &e);
	}
	zstd_pack_free(z);
	zstd_unpack_free(u);
}

/* Behind the last frame nothing but frames may follow. */
static void
test_behind(void **state)
{
	static const char *const tail[] = { "x", "\x28", "\x28\xb5",
	    "\x28\xb5\x2f", "xy", "xyz", "{}\n\n", "hello world" };
	struct zstd_unpack *u;
	struct zstd_pack *z;
	struct err e = ERR_INIT;
	uint64_t seed = 6;
	size_t n, got, i, most;
	int rc;

	(void)state;
	assert_ok(zstd_pack_new(&z, 1, ZSTD_WINDOW_LOG, &e), &e);
	assert_ok(zstd_unpack_new(&u, 1u << ZSTD_WINDOW_LOG, &e), &e);
	fill(&seed, plain, 300);
	for (i = 0; i < COUNT(tail); i++) {
		for (most = 1; most < 1000; most += 499) {
			n = pack(z, 300, 300, 0, 1000, &seed);
			n = put(n, tail[i], strlen(tail[i]));
			rc = unpack(u, n, 1000, most, &got, &seed, &e);
			assert_true(rc == 1 || rc == ERR_CORRUPT);
			assert_false(zstd_unpack_whole(u));
			if (strlen(tail[i]) >= 4)
				assert_int_equal(rc, ERR_CORRUPT);
			assert_rc(zstd_unpack_once(back, MOST, packed, n, &got,
			    &e), ERR_CORRUPT, &e);
		}
	}
	zstd_pack_free(z);
	zstd_unpack_free(u);
}

static void
test_limit(void **state)
{
	struct zstd_unpack *u;
	struct zstd_pack *z;
	struct err e = ERR_INIT;
	uint64_t seed = 7;
	size_t n, got;
	int log;

	(void)state;
	fill(&seed, plain, MOST);
	assert_ok(zstd_pack_new(&z, 1, 21, &e), &e);
	n = pack(z, MOST, UINT64_MAX, 0, 100000, &seed);
	for (log = 19; log <= 23; log++) {
		assert_ok(zstd_unpack_new(&u, (size_t)1 << log, &e), &e);
		assert_rc(unpack(u, n, MOST, 100000, &got, &seed, &e),
		    log < 21 ? ERR_LIMIT : 1, &e);
		if (log >= 21)
			assert_memory_equal(back, plain, MOST);
		zstd_unpack_free(u);
	}
	/* The widest there is, in a header of 6 bytes, costs no memory. */
	assert_ok(zstd_unpack_new(&u, 1u << 20, &e), &e);
	n = PUT(0, "\x28\xb5\x2f\xfd\0\xff\x11\0\0" "ab");
	assert_rc(unpack(u, n, 10, 1, &got, &seed, &e), ERR_LIMIT, &e);
	n = PUT(0, "\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\x7f"
	    "\x11\0\0" "ab");
	assert_rc(unpack(u, n, 10, 1, &got, &seed, &e), ERR_LIMIT, &e);
	/* An error ends the text; the next begins anew. */
	n = pack(z, 1000, 1000, 0, 1000, &seed);
	assert_rc(unpack(u, n, 1000, 1, &got, &seed, &e), 1, &e);
	assert_memory_equal(back, plain, 1000);
	zstd_unpack_free(u);
	zstd_pack_free(z);
}

/* Bytes at random, and frames with a byte at random: an answer, no crash. */
static void
test_garbage(void **state)
{
	struct zstd_unpack *u;
	struct zstd_pack *z;
	struct err e = ERR_INIT;
	uint64_t seed = 8;
	size_t n, got, len;
	int round, rc, good = 0;

	(void)state;
	assert_ok(zstd_pack_new(&z, 5, ZSTD_WINDOW_LOG, &e), &e);
	assert_ok(zstd_unpack_new(&u, 1u << ZSTD_WINDOW_LOG, &e), &e);
	assert_rc(zstd_unpack_once(back, MOST, "garbage", 7, &got, &e),
	    ERR_CORRUPT, &e);
	for (round = 0; round < 200; round++) {
		rng_fill(&seed, packed, 100);
		assert_rc(unpack(u, 100, MOST, 1 + (size_t)round, &got, &seed,
		    &e), ERR_CORRUPT, &e);
	}
	for (round = 0; round < 1500; round++) {
		len = 1 + rng_below(&seed, 3000);
		fill(&seed, plain, len);
		n = pack(z, len, round % 2 ? len : UINT64_MAX, 0, 5000, &seed);
		packed[rng_below(&seed, n)] ^=
		    (uint8_t)(1 << rng_below(&seed, 8));
		rc = unpack(u, n, MOST, 1 + rng_below(&seed, 2000), &got,
		    &seed, &e);
		assert_true(rc == 1 || rc == ERR_CORRUPT || rc == ERR_LIMIT);
		good += rc == 1;
		rc = zstd_unpack_once(back, MOST, packed, n, &got, &e);
		assert_true(rc == 0 || rc == ERR_CORRUPT);
	}
	assert_in_range(good, 1, 1499);
	/* Too little room is not overrun. */
	n = pack(z, len, len, 0, 5000, &seed);
	if (len > 1) {
		uint8_t *exact = malloc(len - 1);

		assert_non_null(exact);
		assert_rc(zstd_unpack_once(exact, len - 1, packed, n, &got,
		    &e), ERR_CORRUPT, &e);
		free(exact);
	}
	zstd_pack_free(z);
	zstd_unpack_free(u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_pledge_broken),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_garbage),
	};

	return (cmocka_run_group_tests_name("stream/zstd", tests, set_up,
	    tear_down));
}
