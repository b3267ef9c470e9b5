/*
 * What a prune decides, rule by rule.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "run/plan.h"
#include "run/prune.h"
#include "unit/rng.h"
#include "unit/scratch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((uint64_t)1 << 20)

enum { MOST = 4000 };

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

/* ---- a repository that is only numbers ---- */

static struct pack_use packs[MOST];
static enum fate fates[MOST];
static unsigned n;
static struct plan_stats stats;
static struct plan_opts opts;

static void
begin(void)
{

	n = 0;
	memset(&stats, 0, sizeof(stats));
	opts = (struct plan_opts){ .unused = UNUSED_SHARE,
	    .unused_share = 0.05, .max_repack = UINT64_MAX, .v2 = true };
}

/* A pack of ${mib} MiB of data of which ${used} percent are used. */
static struct pack_use *
add(uint64_t mib, unsigned used)
{
	struct pack_use *u = &packs[n++];

	assert_true(n <= MOST);
	memset(u, 0, sizeof(*u));
	u->size = mib * MIB;
	u->used = used == 100 ? u->size : u->size / 100 * used;
	u->unused = u->size - u->used;
	u->used_n = used;
	u->unused_n = 100 - used;
	u->data = true;
	return (u);
}

static void
add_many(unsigned count, uint64_t mib, unsigned used)
{

	while (count-- > 0)
		(void)add(mib, used);
}

static int
on_decided(void *cookie, uint32_t no, enum fate fate, struct err *e)
{

	(void)cookie;
	(void)e;
	assert_true(no < n);
	assert_int_equal(fates[no], FATE_LATER);
	assert_true(fate == FATE_KEEP || fate == FATE_REPACK);
	fates[no] = fate;
	return (0);
}

static void
decide(void)
{
	struct err e = ERR_INIT;
	struct plan *p;
	unsigned i;

	for (i = 0; i < n; i++) {
		stats.bytes.used += packs[i].used;
		stats.bytes.unused += packs[i].unused;
		stats.blobs.used += packs[i].used_n;
		stats.blobs.unused += packs[i].unused_n;
	}
	assert_ok(plan_new(&p, dir, &opts, &stats, &e), &e);
	for (i = 0; i < n; i++)
		assert_ok(plan_size(p, packs[i].size, &e), &e);
	for (i = 0; i < n; i++)
		assert_ok(plan_add(p, i, &packs[i], &fates[i], &e), &e);
	assert_ok(plan_decide(p, on_decided, NULL, &e), &e);
	plan_free(p);
	for (i = 0; i < n; i++)
		assert_int_not_equal(fates[i], FATE_LATER);
}

static unsigned
count(enum fate fate)
{
	unsigned i, k = 0;

	for (i = 0; i < n; i++)
		k += fates[i] == fate;
	return (k);
}

/* ---- the rules ---- */

static void
test_simple(void **state)
{

	(void)state;
	begin();
	decide();	/* an empty repository */
	assert_int_equal(stats.packs.keep, 0);
	begin();
	(void)add(16, 100);
	(void)add(16, 0);
	(void)add(16, 50);
	add(16, 0)->missing = true;
	decide();
	assert_int_equal(fates[0], FATE_KEEP);
	assert_int_equal(fates[1], FATE_REMOVE);
	assert_int_equal(fates[2], FATE_REPACK);
	assert_int_equal(fates[3], FATE_FORGET);
	assert_int_equal(stats.packs.used, 1);
	assert_int_equal(stats.packs.unused, 1);
	assert_int_equal(stats.packs.partly_used, 1);
	assert_int_equal(stats.packs.keep, 1);
	assert_int_equal(stats.packs.remove, 1);
	assert_int_equal(stats.packs.repack, 1);
	assert_int_equal(stats.blobs.remove, 200);
	assert_int_equal(stats.bytes.remove, 2 * 16 * MIB);
	assert_int_equal(stats.blobs.repack, 100);
	assert_int_equal(stats.blobs.repack_remove, 50);
	assert_int_equal(stats.bytes.repack, 16 * MIB);
}

/* The worst go first, until little enough is left. */
static void
test_worst_first(void **state)
{
	unsigned i;

	(void)state;
	begin();
	for (i = 0; i < 50; i++)
		(void)add(16, 50 + i % 50);
	decide();
	assert_in_range(count(FATE_REPACK), 25, 45);
	for (i = 1; i < 50; i++)
		if (fates[i] == FATE_REPACK)
			assert_int_equal(fates[i - 1], FATE_REPACK);
	/* One less would not have done. */
	assert_true(20 * (stats.bytes.unused - stats.bytes.repack_remove) <
	    stats.bytes.used + stats.bytes.unused -
	    stats.bytes.repack_remove);
	i = count(FATE_REPACK) - 1;
	assert_true(20 * (stats.bytes.unused - stats.bytes.repack_remove +
	    packs[i].unused) >= stats.bytes.used + stats.bytes.unused -
	    stats.bytes.repack_remove + packs[i].unused);
}

static void
test_max_unused(void **state)
{

	(void)state;
	begin();
	add_many(20, 16, 90);
	opts.unused = UNUSED_ANY;
	decide();
	assert_int_equal(count(FATE_KEEP), 20);
	begin();
	add_many(20, 16, 99);
	opts.unused_share = 0;
	decide();
	assert_int_equal(count(FATE_REPACK), 20);
	begin();
	add_many(20, 16, 99);
	decide();
	assert_int_equal(count(FATE_KEEP), 20);
	begin();
	add_many(20, 10, 90);
	opts.unused = UNUSED_BYTES;
	opts.unused_bytes = 5 * MIB + 5000;	/* they are rounded */
	decide();
	assert_int_equal(count(FATE_REPACK), 15);
}

static void
test_max_repack(void **state)
{

	(void)state;
	begin();
	add_many(20, 16, 50);
	(void)add(16, 0);
	opts.max_repack = 0;
	decide();
	assert_int_equal(count(FATE_REPACK), 0);
	assert_int_equal(count(FATE_REMOVE), 1);
	begin();
	add_many(20, 16, 50);
	opts.max_repack = 5 * 16 * MIB;
	decide();
	assert_int_equal(count(FATE_REPACK), 4);
	/* Not even what must be. */
	begin();
	add(16, 100)->tree = true;
	opts.max_repack = 16 * MIB;
	decide();
	assert_int_equal(count(FATE_REPACK), 0);
}

/* Trees, and packs of both kinds, whatever is unused elsewhere. */
static void
test_trees(void **state)
{
	struct pack_use *u;

	(void)state;
	begin();
	add_many(100, 16, 100);
	u = add(16, 99);
	u->data = false;
	u->tree = true;
	u = add(16, 100);
	u->data = false;
	u->tree = true;
	add(16, 100)->tree = true;
	(void)add(16, 99);
	decide();
	assert_int_equal(fates[100], FATE_REPACK);
	assert_int_equal(fates[101], FATE_KEEP);
	assert_int_equal(fates[102], FATE_REPACK);
	assert_int_equal(fates[103], FATE_KEEP);
}

static void
test_compression(void **state)
{
	struct pack_use *u;
	int pass;

	(void)state;
	for (pass = 0; pass < 3; pass++) {
		begin();
		opts.compress = pass == 1;
		opts.v2 = pass != 2;
		u = add(16, 100);	/* trees that are not compressed */
		u->data = false;
		u->tree = u->raw_tree = true;
		add(16, 100)->raw_data = true;
		add(16, 0)->raw_data = true;
		decide();
		assert_int_equal(fates[0], pass == 2 ? FATE_KEEP :
		    FATE_REPACK);
		assert_int_equal(fates[1], pass == 1 ? FATE_REPACK :
		    FATE_KEEP);
		assert_int_equal(fates[2], FATE_REMOVE);
		assert_int_equal(stats.bytes.uncompressed, pass == 0 ?
		    2 * 16 * MIB : pass == 1 ? 16 * MIB : 0);
	}
}

static void
test_cacheable(void **state)
{
	struct pack_use *u;

	(void)state;
	begin();
	opts.cacheable_only = true;
	(void)add(16, 10);
	(void)add(16, 0);
	u = add(16, 90);
	u->data = false;
	u->tree = true;
	add(16, 90)->tree = true;
	decide();
	assert_int_equal(fates[0], FATE_KEEP);
	assert_int_equal(fates[1], FATE_REMOVE);
	assert_int_equal(fates[2], FATE_REPACK);
	assert_int_equal(fates[3], FATE_REPACK);
}

/* Ten small packs are worth it, nine are not. */
static void
test_small(void **state)
{

	(void)state;
	begin();
	add_many(1000, 16, 100);
	add_many(9, 1, 100);
	decide();
	assert_int_equal(count(FATE_REPACK), 0);
	begin();
	add_many(1000, 16, 100);
	add_many(10, 1, 100);
	decide();
	assert_int_equal(count(FATE_REPACK), 10);
	/* Small is what is smaller than most: */
	begin();
	add_many(1000, 100, 100);
	add_many(20, 60, 100);
	decide();
	assert_int_equal(count(FATE_REPACK), 20);
	/* not if many are like that; */
	begin();
	add_many(1000, 100, 100);
	add_many(40, 60, 100);
	decide();
	assert_int_equal(count(FATE_REPACK), 0);
	/* or what the user says. */
	begin();
	add_many(1000, 100, 100);
	add_many(40, 60, 100);
	opts.small = 61 * MIB;
	decide();
	assert_int_equal(count(FATE_REPACK), 40);
	/* Never more than may be repacked; trees count as packs. */
	begin();
	add_many(1000, 16, 100);
	add_many(20, 1, 100);
	packs[1000].tree = true;
	packs[1000].data = false;
	opts.max_repack = 8 * MIB;
	decide();
	assert_int_equal(count(FATE_REPACK), 7);
	assert_int_equal(fates[1000], FATE_REPACK);
}

/* A small pack that is partly used goes although enough is free of unused. */
static void
test_small_partly(void **state)
{

	(void)state;
	begin();
	add_many(1000, 16, 100);
	(void)add(1, 99);
	(void)add(16, 99);
	decide();
	assert_int_equal(fates[1000], FATE_REPACK);
	assert_int_equal(fates[1001], FATE_KEEP);
}

/* Large numbers do not overflow; more packs than fit the sorter. */
static void
test_large(void **state)
{
	uint64_t seed = 5;
	unsigned i;

	(void)state;
	begin();
	for (i = 0; i < MOST; i++)
		(void)add(4096 + rng_below(&seed, 4096),
		    (unsigned)rng_below(&seed, 101));
	opts.unused_share = 0;
	decide();
	for (i = 0; i < n; i++)
		assert_int_equal(fates[i], packs[i].used_n == 0 ?
		    FATE_REMOVE : packs[i].unused_n == 0 ? FATE_KEEP :
		    FATE_REPACK);
	assert_int_equal(stats.bytes.repack_remove + stats.bytes.remove,
	    stats.bytes.unused);
}

/* ---- --max-unused ---- */

static void
test_words(void **state)
{
	static const char *const bad[] = { "", "%", "x", "5%%", "100%", "-1%",
	    "5 %x", "nan%", "1Q", "-5", "unlimit" };
	struct err e = ERR_INIT;
	struct plan_opts o;
	size_t i;

	(void)state;
	memset(&o, 0, sizeof(o));
	assert_ok(prune_unused("unlimited", &o, &e), &e);
	assert_int_equal(o.unused, UNUSED_ANY);
	assert_ok(prune_unused("7.5%", &o, &e), &e);
	assert_int_equal(o.unused, UNUSED_SHARE);
	assert_true(o.unused_share > 0.0749 && o.unused_share < 0.0751);
	assert_ok(prune_unused("0%", &o, &e), &e);
	assert_ok(prune_unused("10M", &o, &e), &e);
	assert_int_equal(o.unused, UNUSED_BYTES);
	assert_int_equal(o.unused_bytes, 10 * MIB);
	assert_ok(prune_unused("0", &o, &e), &e);
	assert_int_equal(o.unused_bytes, 0);
	for (i = 0; i < COUNT(bad); i++) {
		if (prune_unused(bad[i], &o, &e) != ERR_USAGE)
			fail_msg("'%s' is a limit", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_worst_first),
		cmocka_unit_test(test_max_unused),
		cmocka_unit_test(test_max_repack),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_compression),
		cmocka_unit_test(test_cacheable),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_small_partly),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_words),
	};

	return (cmocka_run_group_tests(tests, set_up, tear_down));
}
