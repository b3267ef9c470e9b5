/*
 * The sorter against qsort: records of all lengths in many runs and levels, the
 * order of equals, and how much memory it takes for that.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/id.h"
#include "base/sort.h"
#include "unit/rng.h"
#include "unit/scratch.h"

enum { KIB = 1024, LEAST = 64 * KIB };

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

/* ---- what must come out ---- */

struct model {
	uint8_t *bytes;      /* records behind each other */
	size_t len, cap;
	struct rec {
		size_t at, len;
	} *rec;
	size_t n, max;
};

static struct model *sorting; /* qsort has no argument to spare */
static sort_cmp *sorting_by;

static void
model_open(struct model *m, size_t max, size_t cap)
{

	memset(m, 0, sizeof(*m));
	m->max = max;
	m->cap = cap;
	m->bytes = malloc(cap);
	m->rec = malloc(max * sizeof(*m->rec));
	assert_non_null(m->bytes);
	assert_non_null(m->rec);
}

static void
model_close(struct model *m)
{

	free(m->bytes);
	free(m->rec);
}

static void
model_add(struct model *m, const void *p, size_t len)
{

	assert_true(m->n < m->max && len <= m->cap - m->len);
	m->rec[m->n].at = m->len;
	m->rec[m->n++].len = len;
	memcpy(m->bytes + m->len, p, len);
	m->len += len;
}

static int
model_cmp(const void *x, const void *y)
{
	const struct rec *a = x, *b = y;
	int c = sorting_by(sorting->bytes + a->at, a->len,
	    sorting->bytes + b->at, b->len);

	return (c != 0 ? c : a->at < b->at ? -1 : a->at > b->at);
}

/* Read the sorter to its end: the model, sorted, and equals as they came. */
static void
compare(struct sorter *s, struct model *m, sort_cmp *cmp)
{
	struct err e = ERR_INIT;
	const void *p;
	size_t len, i;
	int rc;

	sorting = m;
	sorting_by = cmp;
	qsort(m->rec, m->n, sizeof(*m->rec), model_cmp);
	for (i = 0; i < m->n; i++) {
		assert_rc(sorter_next(s, &p, &len, &e), 1, &e);
		if (len != m->rec[i].len ||
		    memcmp(p, m->bytes + m->rec[i].at, len) != 0)
			fail_msg("record %zu of %zu is wrong", i, m->n);
	}
	for (i = 0; i < 3; i++) {
		rc = sorter_next(s, &p, &len, &e);
		assert_int_equal(rc, 0);
	}
}

/* Equal in the first byte is equal. */
static int
first_byte(const void *x, size_t x_len, const void *y, size_t y_len)
{
	int a = x_len > 0 ? *(const uint8_t *)x : -1;
	int b = y_len > 0 ? *(const uint8_t *)y : -1;

	return (a - b);
}

/* ---- tests ---- */

static void
add_random(struct sorter *s, struct model *m, uint64_t *seed, size_t n,
    size_t max_len)
{
	uint8_t rec[SORT_RECORD_MAX];
	struct err e = ERR_INIT;
	size_t len;

	while (n-- > 0) {
		len = rng_below(seed, max_len + 1);
		rng_fill(seed, rec, len);
		if (len > 0)
			rec[0] &= 15;	/* so that there are equals */
		assert_ok(sorter_add(s, rec, len, &e), &e);
		model_add(m, rec, len);
	}
}

static void
test_small(void **state)
{
	static const size_t n[] = { 0, 1, 2, 3, 7, 100, 1000, 5000 };
	struct err e = ERR_INIT;
	uint64_t seed = 1;
	struct sorter *s;
	struct model m;
	size_t i;

	(void)state;
	assert_ok(sorter_new(&s, dir, 128 * KIB, sort_bytes, &e), &e);
	for (i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		model_open(&m, 5000, 5000 * 64);
		add_random(s, &m, &seed, n[i], 60);
		compare(s, &m, sort_bytes);
		model_close(&m);
		sorter_reset(s);
	}
	sorter_free(s);
	sorter_free(NULL);
}

/* What fits in memory needs no folder. */
static void
test_lazy(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 2;
	struct sorter *s;
	struct model m;
	int rc, n;

	(void)state;
	assert_ok(sorter_new(&s, "/nonexistent/folder", LEAST, sort_bytes,
	    &e), &e);
	model_open(&m, 100, 100 * KIB);
	add_random(s, &m, &seed, 40, 500);
	compare(s, &m, sort_bytes);
	model_close(&m);

	/* Without one, too much is an error, and a reset forgets it. */
	sorter_reset(s);
	for (n = rc = 0; rc == 0 && n < 1000000; n++)
		rc = sorter_add(s, &n, sizeof(n), &e);
	assert_int_equal(rc, ERR_ABSENT);
	sorter_reset(s);
	model_open(&m, 100, 100 * KIB);
	add_random(s, &m, &seed, 40, 500);
	compare(s, &m, sort_bytes);
	model_close(&m);
	sorter_free(s);
}

static void
test_limits(void **state)
{
	uint8_t rec[SORT_RECORD_MAX + 1] = { 0 };
	struct err e = ERR_INIT;
	struct sorter *s;
	struct model m;
	int i;

	(void)state;
	assert_ok(sorter_new(&s, dir, LEAST, sort_bytes, &e), &e);
	assert_rc(sorter_add(s, rec, SORT_RECORD_MAX + 1, &e), ERR_LIMIT, &e);
	model_open(&m, 1000, 1000 * SORT_RECORD_MAX);
	for (i = 0; i < 1000; i++) {
		store_le32(rec, (uint32_t)i * 2654435761u);
		assert_ok(sorter_add(s, rec, SORT_RECORD_MAX, &e), &e);
		model_add(&m, rec, SORT_RECORD_MAX);
	}
	compare(s, &m, sort_bytes);
	model_close(&m);
	sorter_free(s);
}

/* Records without a byte, and without a difference. */
static void
test_equal(void **state)
{
	struct err e = ERR_INIT;
	struct sorter *s;
	struct model m;
	uint8_t rec[8] = { 0 };
	uint32_t i;

	(void)state;
	assert_ok(sorter_new(&s, dir, LEAST, first_byte, &e), &e);
	model_open(&m, 200000, 200000 * 8);
	for (i = 0; i < 100000; i++) {
		assert_ok(sorter_add(s, rec, 0, &e), &e);
		model_add(&m, rec, 0);
		store_le32(rec + 1, i);
		assert_ok(sorter_add(s, rec, 5 + i % 3, &e), &e);
		model_add(&m, rec, 5 + i % 3);
	}
	compare(s, &m, first_byte);
	model_close(&m);
	sorter_free(s);
}

/* Every number of runs on both sides of the fan, in one sorter. */
static void
test_runs(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 3;
	struct sorter *s;
	struct model m;
	size_t n;

	(void)state;
	assert_ok(sorter_new(&s, dir, LEAST, sort_bytes, &e), &e);
	for (n = 1; n < 3000; n += 1 + n / 12) {
		model_open(&m, n, n * 2000);
		add_random(s, &m, &seed, n, 2000);
		compare(s, &m, sort_bytes);
		model_close(&m);
		sorter_reset(s);
	}
	sorter_free(s);
}

/* Several levels deep; lengths from nothing to the largest, mostly short. */
static void
test_levels(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 4;
	struct sorter *s;
	struct model m;
	int i;

	(void)state;
	assert_ok(sorter_new(&s, dir, 128 * KIB, first_byte, &e), &e);
	model_open(&m, 400000, 48 << 20);
	for (i = 0; i < 1000; i++) {
		add_random(s, &m, &seed, 300, 60);
		add_random(s, &m, &seed, 3, SORT_RECORD_MAX);
	}
	compare(s, &m, first_byte);
	model_close(&m);
	sorter_free(s);
}

/* In the middle of reading, a reset begins anew. */
static void
test_reset(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 5;
	struct sorter *s;
	struct model m;
	const void *p;
	size_t len;
	int i;

	(void)state;
	assert_ok(sorter_new(&s, dir, LEAST, sort_bytes, &e), &e);
	for (i = 0; i < 4; i++) {
		model_open(&m, 2000, 2000 * 200);
		add_random(s, &m, &seed, i % 2 != 0 ? 2000 : 10, 200);
		assert_rc(sorter_next(s, &p, &len, &e), 1, &e);
		assert_rc(sorter_next(s, &p, &len, &e), 1, &e);
		sorter_reset(s);
		assert_rc(sorter_next(s, &p, &len, &e), 0, &e);
		sorter_reset(s);
		model_close(&m);
	}
	sorter_free(s);
}

static void
test_full(void **state)
{
	uint8_t rec[1000] = { 0 };
	struct err e = ERR_INIT;
	struct sorter *s;
	const void *p;
	size_t len;
	int n, rc;

	(void)state;
	if (!scratch_small_disk(dir, 512))
		skip();
	assert_ok(sorter_new(&s, dir, LEAST, sort_bytes, &e), &e);
	for (n = rc = 0; rc == 0 && n < 10000; n++)
		rc = sorter_add(s, rec, sizeof(rec), &e);
	assert_int_equal(rc, ERR_SPACE);
	sorter_reset(s);
	for (n = 0; n < 300; n++)
		assert_ok(sorter_add(s, rec, sizeof(rec), &e), &e);
	for (n = 0; n < 300; n++)
		assert_rc(sorter_next(s, &p, &len, &e), 1, &e);
	assert_rc(sorter_next(s, &p, &len, &e), 0, &e);
	sorter_free(s);
	(void)umount(dir);
}

/* The descriptor of the unlinked file in our folder. */
static int
scratch_fd(void)
{
	char name[40], target[2 * SCRATCH_PATH];
	ssize_t n;
	int fd;

	for (fd = 3; fd < 64; fd++) {
		(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		n = readlink(name, target, sizeof(target));
		if (n > 0 && (size_t)n > strlen(dir) &&
		    memcmp(target, dir, strlen(dir)) == 0)
			return (fd);
	}
	return (-1);
}

/* A flash that forgets what was put aside: wrong lengths stay in their file. */
static void
test_damaged(void **state)
{
	static const uint8_t fill[] = { 0xff, 0x7f, 0x01 };
	static uint8_t bad[3 * LEAST];
	struct err e = ERR_INIT;
	uint64_t seed = 7;
	struct sorter *s;
	const void *p;
	size_t len, i, n;
	int rc;

	(void)state;
	assert_ok(sorter_new(&s, dir, LEAST, sort_bytes, &e), &e);
	for (i = 0; i < sizeof(fill); i++) {
		for (n = 0; n < 1000; n++)
			assert_ok(sorter_add(s, bad, rng_below(&seed, 200),
			    &e), &e);
		memset(bad, fill[i], sizeof(bad));
		assert_true(scratch_fd() != -1);
		assert_int_equal(pwrite(scratch_fd(), bad, sizeof(bad), 0),
		    sizeof(bad));
		while ((rc = sorter_next(s, &p, &len, &e)) > 0)
			assert_true(len <= SORT_RECORD_MAX);
		assert_int_equal(rc, ERR_FAIL);
		sorter_reset(s);
	}
	sorter_free(s);
}

/* ---- memory ---- */

/* Bytes that are allocated; known to the address sanitizer alone. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));
#define allocated __sanitizer_get_current_allocated_bytes

static void
test_memory(void **state)
{
	static const size_t mem[] = { LEAST, 128 * KIB, 1024 * KIB };
	uint8_t rec[SORT_RECORD_MAX];
	struct err e = ERR_INIT;
	size_t before, most, len, i, n;
	uint64_t seed = 6;
	struct sorter *s;
	const void *p;

	(void)state;
	if (allocated == NULL)
		skip();
	for (i = 0; i < sizeof(mem) / sizeof(mem[0]); i++) {
		before = allocated();
		assert_ok(sorter_new(&s, dir, mem[i], sort_bytes, &e), &e);
		most = allocated();
		for (n = 0; n < 20000; n++) {
			len = rng_below(&seed, 400);
			rng_fill(&seed, rec, len);
			assert_ok(sorter_add(s, rec, len, &e), &e);
			if (allocated() > most)
				most = allocated();
		}
		for (; sorter_next(s, &p, &len, &e) > 0; n--)
			if (allocated() > most)
				most = allocated();
		assert_int_equal(n, 0);
		sorter_free(s);
		assert_int_equal(allocated(), before);
		/* malloc's own word aside. */
		if (most - before > mem[i] + 64)
			fail_msg("%zu bytes instead of %zu", most - before,
			    mem[i]);
	}
}

static void
test_bytes(void **state)
{

	(void)state;
	assert_int_equal(sort_bytes("", 0, "", 0), 0);
	assert_true(sort_bytes("", 0, "a", 1) < 0);
	assert_true(sort_bytes("ab", 2, "a", 1) > 0);
	assert_true(sort_bytes("a\0", 2, "a", 1) > 0);
	assert_true(sort_bytes("\x7f", 1, "\x80", 1) < 0);
	assert_int_equal(sort_bytes("ab", 2, "ab", 2), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_lazy),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_memory),
	};

	return (cmocka_run_group_tests_name("base/sort", tests, set_up,
	    tear_down));
}
