/*
 * Marks against a plain array of bits, with less memory than they need.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "state/marks.h"
#include "unit/rng.h"
#include "unit/scratch.h"

static char dir[SCRATCH_PATH];

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

static void
run_model(uint64_t n, size_t mem, unsigned rounds)
{
	uint8_t *model = calloc(1, n + 1);
	struct err e = ERR_INIT;
	uint64_t seed = n + mem, pos;
	struct marks *m;

	assert_non_null(model);
	assert_ok(marks_new(&m, dir, n, mem, &e), &e);
	while (rounds-- > 0) {
		/* Mostly near the borders of pages, and the end. */
		switch (rng_below(&seed, 3)) {
		case 0:
			pos = rng_below(&seed, n);
			break;
		case 1:
			pos = rng_below(&seed, n / 32768 + 1) * 32768 +
			    rng_below(&seed, 3) - 1;
			break;
		default:
			pos = n - 1 - rng_below(&seed, 3);
		}
		if (pos >= n)
			continue;
		if (rng_below(&seed, 2) != 0) {
			assert_rc(marks_set(m, pos, &e), !model[pos], &e);
			model[pos] = 1;
		}
		assert_rc(marks_test(m, pos, &e), model[pos], &e);
	}
	for (pos = 0; pos < n; pos += 1 + n / 20000)
		assert_rc(marks_test(m, pos, &e), model[pos], &e);
	assert_rc(marks_test(m, n, &e), ERR_FAIL, &e);
	assert_rc(marks_set(m, n, &e), ERR_FAIL, &e);
	assert_rc(marks_set(m, UINT64_MAX, &e), ERR_FAIL, &e);
	marks_free(m);
	free(model);
}

static void
test_model(void **state)
{
	static const uint64_t n[] = { 1, 2, 8, 32767, 32768, 32769, 1000000 };
	static const size_t mem[] = { 0, 4096, 3 * 4096, 1 << 20 };
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(n) / sizeof(n[0]); i++)
		for (k = 0; k < sizeof(mem) / sizeof(mem[0]); k++)
			run_model(n[i], mem[k], 5000);
}

static void
test_none(void **state)
{
	struct err e = ERR_INIT;
	struct marks *m;

	(void)state;
	assert_ok(marks_new(&m, dir, 0, 4096, &e), &e);
	assert_rc(marks_test(m, 0, &e), ERR_FAIL, &e);
	assert_rc(marks_set(m, 0, &e), ERR_FAIL, &e);
	marks_free(m);
	marks_free(NULL);
	assert_rc(marks_new(&m, "/nonexistent/folder", 1, 4096, &e),
	    ERR_ABSENT, &e);
}

/* A set over ten thousand million costs what is marked of it. */
static void
test_sparse(void **state)
{
	const uint64_t n = 10000000000;
	struct err e = ERR_INIT;
	struct marks *m;
	uint64_t pos;
	int i;

	(void)state;
	if (!scratch_small_disk(dir, 1024))
		skip();
	assert_ok(marks_new(&m, dir, n, 4096, &e), &e);
	for (i = 0; i < 50; i++)
		assert_rc(marks_set(m, n / 50 * (unsigned)i, &e), 1, &e);
	for (i = 0; i < 50; i++) {
		assert_rc(marks_test(m, n / 50 * (unsigned)i, &e), 1, &e);
		assert_rc(marks_test(m, n / 50 * (unsigned)i + 1, &e), 0, &e);
	}
	/* Until the disk is full: what is in memory then stays there. */
	for (pos = 0; (i = marks_set(m, pos, &e)) >= 0; pos += 40000)
		assert_true(pos < n - 40000);
	assert_int_equal(i, ERR_SPACE);
	assert_rc(marks_test(m, pos - 40000, &e), 1, &e);
	marks_free(m);
	(void)umount(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_sparse),
	};

	return (cmocka_run_group_tests_name("state/marks", tests, set_up,
	    tear_down));
}
