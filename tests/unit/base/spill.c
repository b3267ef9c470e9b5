/*
 * The spill stack against a plain array, with windows from one byte on, and
 * what is left of it when its folder is gone or full.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/spill.h"
#include "unit/rng.h"
#include "unit/scratch.h"

enum { MODEL_MAX = 64 * 1024 };

static char dir[SCRATCH_PATH];
static uint8_t model[MODEL_MAX], got[MODEL_MAX], piece[MODEL_MAX];

static int
set_up(void **state)
{

	(void)state;
	scratch_make(dir);
	return (0);
}

static int
tear_down(void **state)
{

	(void)state;
	scratch_remove(dir);
	return (0);
}

/* A length that is small, about ${cap}, or large. */
static size_t
some_len(uint64_t *seed, size_t cap)
{

	switch (rng_below(seed, 4)) {
	case 0:
		return (rng_below(seed, 4));
	case 1:
		return (cap - rng_below(seed, cap < 3 ? cap : 3) +
		    rng_below(seed, 3));
	case 2:
		return (rng_below(seed, cap + 1));
	default:
		return (rng_below(seed, 4 * cap + 10));
	}
}

static void
compare_all(struct spill *s, size_t len)
{
	struct err e = ERR_INIT;

	assert_int_equal(spill_top(s), len);
	assert_ok(spill_read(s, 0, got, len, &e), &e);
	assert_memory_equal(got, model, len);
}

static void
run_model(size_t cap, unsigned rounds)
{
	struct err e = ERR_INIT;
	uint64_t seed = cap;
	size_t len = 0, n, at;
	struct spill s;

	assert_ok(spill_open(&s, dir, cap, &e), &e);
	while (rounds-- > 0) {
		n = some_len(&seed, cap);
		if (n > sizeof(model) - len)
			n = sizeof(model) - len;
		at = rng_below(&seed, len + 1);
		switch (rng_below(&seed, 8)) {
		case 0:
		case 1:
		case 2:
			rng_fill(&seed, piece, n);
			assert_ok(spill_push(&s, piece, n, &e), &e);
			memcpy(model + len, piece, n);
			len += n;
			break;
		case 3:
			/* Mostly what is young, as a folder that ends. */
			if (rng_below(&seed, 10) != 0)
				at = len - at % (len < cap ? len + 1 : cap);
			spill_cut(&s, at);
			len = at;
			break;
		case 4:
			if (n > len - at)
				n = len - at;
			rng_fill(&seed, piece, n);
			assert_ok(spill_patch(&s, at, piece, n, &e), &e);
			memcpy(model + at, piece, n);
			break;
		default:
			if (n > len - at)
				n = len - at;
			assert_ok(spill_read(&s, at, got, n, &e), &e);
			assert_memory_equal(got, model + at, n);
		}
		assert_int_equal(spill_top(&s), len);
		assert_true(s.len <= cap);
		if (rounds % 64 == 0)
			compare_all(&s, len);
	}
	compare_all(&s, len);
	spill_close(&s);
	spill_close(&s);
}

static void
test_model(void **state)
{
	size_t cap;

	(void)state;
	for (cap = 1; cap <= 64; cap++)
		run_model(cap, 1500);
	run_model(4096, 4000);
}

static void
test_bounds(void **state)
{
	struct err e = ERR_INIT;
	struct spill s;
	uint8_t b[100] = { 0 };

	(void)state;
	memset(&s, 0, sizeof(s));
	spill_close(&s);
	assert_ok(spill_open(&s, dir, 16, &e), &e);
	assert_ok(spill_read(&s, 0, b, 0, &e), &e);
	assert_rc(spill_read(&s, 0, b, 1, &e), ERR_FAIL, &e);
	assert_rc(spill_read(&s, 1, b, 0, &e), ERR_FAIL, &e);
	assert_ok(spill_push(&s, b, 40, &e), &e);
	assert_rc(spill_read(&s, 1, b, 40, &e), ERR_FAIL, &e);
	assert_rc(spill_read(&s, UINT64_MAX, b, 2, &e), ERR_FAIL, &e);
	assert_rc(spill_read(&s, 2, b, SIZE_MAX, &e), ERR_FAIL, &e);
	assert_rc(spill_patch(&s, 1, b, 40, &e), ERR_FAIL, &e);
	assert_rc(spill_patch(&s, UINT64_MAX - 1, b, 40, &e), ERR_FAIL, &e);
	spill_cut(&s, 41);
	assert_int_equal(spill_top(&s), 40);
	spill_cut(&s, UINT64_MAX);
	assert_int_equal(spill_top(&s), 40);
	spill_close(&s);
}

/* What stays in memory needs no folder; nothing of it is ever in a listing. */
static void
test_lazy(void **state)
{
	struct err e = ERR_INIT;
	uint8_t b[64] = { 0 };
	struct spill s;
	int i;

	(void)state;
	assert_ok(spill_open(&s, "/nonexistent/folder", 64, &e), &e);
	for (i = 0; i < 1000; i++) {
		assert_ok(spill_push(&s, b, 64, &e), &e);
		spill_cut(&s, 0);
	}
	assert_int_equal(s.fd, -1);
	assert_ok(spill_push(&s, "0123456789", 10, &e), &e);

	/* No folder: the stack is as it was, and goes on. */
	assert_rc(spill_push(&s, b, 60, &e), ERR_ABSENT, &e);
	assert_rc(spill_push(&s, b, 64, &e), ERR_ABSENT, &e);
	assert_rc(spill_push(&s, piece, 1000, &e), ERR_ABSENT, &e);
	assert_int_equal(spill_top(&s), 10);
	assert_ok(spill_read(&s, 0, b, 10, &e), &e);
	assert_memory_equal(b, "0123456789", 10);
	assert_ok(spill_push(&s, "abcdef", 6, &e), &e);
	spill_cut(&s, 0);
	assert_rc(spill_push(&s, piece, 1000, &e), ERR_ABSENT, &e);
	assert_int_equal(spill_top(&s), 0);
	spill_close(&s);
}

/* A disk that is full in the middle: whatever was pushed before is there. */
static void
test_full(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 9;
	size_t len = 0, n, cap;
	struct spill s;
	int rc, refused;

	(void)state;
	if (!scratch_small_disk(dir, 24))
		skip();
	for (cap = 100; cap <= 6000; cap += 1475) {
		assert_ok(spill_open(&s, dir, cap, &e), &e);
		for (len = 0, refused = 0; refused < 20; ) {
			n = rng_below(&seed, 3000);
			rng_fill(&seed, model + len, n);
			rc = spill_push(&s, model + len, n, &e);
			if (rc == 0) {
				len += n;
				assert_int_equal(spill_top(&s), len);
				continue;
			}
			assert_int_equal(rc, ERR_SPACE);
			refused++;
			compare_all(&s, len);
			if (refused % 5 == 0) {
				len /= 2;
				spill_cut(&s, len);
				compare_all(&s, len);
			}
			assert_true(len < 40000);
		}
		spill_close(&s);
	}
	(void)umount(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_lazy),
		cmocka_unit_test(test_full),
	};

	return (cmocka_run_group_tests_name("base/spill", tests, set_up,
	    tear_down));
}
