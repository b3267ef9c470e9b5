/*
 * Tables against plain arrays, with less memory than they need.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/id.h"
#include "base/table.h"
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
expect(struct table *t, const uint8_t *model, size_t len, uint64_t no)
{
	struct err e = ERR_INIT;
	const void *p;

	assert_ok(table_get(t, no, &p, &e), &e);
	assert_memory_equal(p, model + no * len, len);
}

static void
run_model(size_t n, size_t len, size_t mem, unsigned rounds)
{
	uint8_t *model = calloc(n, len);
	struct err e = ERR_INIT;
	uint64_t seed = n + len + mem;
	struct table *t;
	size_t no;
	void *p;

	assert_non_null(model);
	assert_ok(table_new(&t, dir, len, mem, &e), &e);
	while (rounds-- > 0) {
		no = rng_below(&seed, n);
		if (rng_below(&seed, 2) != 0) {
			assert_ok(table_put(t, no, &p, &e), &e);
			assert_memory_equal(p, model + no * len, len);
			rng_fill(&seed, p, len);
			memcpy(model + no * len, p, len);
		}
		expect(t, model, len, rng_below(&seed, n));
	}
	for (no = 0; no < n; no++)
		expect(t, model, len, no);
	table_free(t);
	free(model);
}

static void
test_model(void **state)
{
	static const size_t lens[] = { 1, 4, 7, 56, 64, 4095, 4096 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		run_model(1, lens[i], 0, 20);
		run_model(1000, lens[i], 4096, 3000);
		run_model(1000, lens[i], 3 * 4096, 3000);
		run_model(1000, lens[i], 1 << 22, 3000);
	}
}

/* What was never written is zeros, however far away, and costs nothing. */
static void
test_far(void **state)
{
	static const uint8_t zeros[64];
	struct err e = ERR_INIT;
	const void *p;
	struct table *t;
	void *w;

	(void)state;
	assert_ok(table_new(&t, dir, 64, 4096, &e), &e);
	assert_ok(table_get(t, 1ull << 40, &p, &e), &e);
	assert_memory_equal(p, zeros, 64);
	assert_ok(table_put(t, 1ull << 30, &w, &e), &e);
	memset(w, 7, 64);
	assert_ok(table_get(t, 3, &p, &e), &e);
	assert_memory_equal(p, zeros, 64);
	assert_ok(table_get(t, (1ull << 30) + 1, &p, &e), &e);
	assert_memory_equal(p, zeros, 64);
	assert_ok(table_get(t, 1ull << 30, &p, &e), &e);
	assert_int_equal(*(const uint8_t *)p, 7);
	table_free(t);
	table_free(NULL);
}

/* A full disk is an error, and what is in memory stays. */
static void
test_full(void **state)
{
	struct err e = ERR_INIT;
	const void *p;
	struct table *t;
	uint64_t no;
	void *w;
	int rc = 0;

	(void)state;
	if (!scratch_small_disk(dir, 64)) {
		skip();
		return;
	}
	assert_ok(table_new(&t, dir, 64, 4096, &e), &e);
	for (no = 0; no < 4096; no++) {
		if ((rc = table_put(t, no, &w, &e)) != 0)
			break;
		store_le64(w, no + 1);
	}
	assert_int_equal(rc, ERR_SPACE);
	assert_ok(table_get(t, no - 1, &p, &e), &e);
	assert_int_equal(load_le64(p), no);
	table_free(t);
	assert_int_equal(umount(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_far),
		cmocka_unit_test(test_full),
	};

	return (cmocka_run_group_tests(tests, set_up, tear_down));
}
