/*
 * Counting what is needed of packs, and choosing what is copied, on repositories
 * that are only numbers: blobs that lie in several packs, twice in one, packs that
 * are described twice, missing and damaged ones.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "run/repack.h"
#include "run/usage.h"
#include "unit/rng.h"
#include "unit/scratch.h"

enum { PACKS = 60, BLOBS = 900, PLACES = 3000 };

static char dir[SCRATCH_PATH];
static struct state_dir sd;

/* Blobs may be needed; each place of one is in a pack. */
static struct blob {
	struct id id;
	enum blob_type type;
	bool needed;
} blobs[BLOBS];

static struct place {
	unsigned blob, pack;
	uint32_t offset, length, plain;
} places[PLACES];
static unsigned n_places;

static struct pack {
	struct id id;
	uint64_t size;       /* by the index */
	unsigned descriptions;
	uint32_t first;      /* number of the first of them in the map */
	bool stored, damaged;
} packs[PACKS];

static int
set_up(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	scratch_make(dir);
	return (state_open(&sd, dir, &e));
}

static int
tear_down(void **state)
{

	(void)state;
	state_close(&sd);
	scratch_remove(dir);
	return (0);
}

/* ---- making them up ---- */

static void
add_place(uint64_t *seed, unsigned blob, unsigned pack)
{
	struct place *p = &places[n_places++];

	assert_true(n_places <= PLACES);
	p->blob = blob;
	p->pack = pack;
	p->length = 33 + (uint32_t)rng_below(seed, 5000);
	p->plain = rng_below(seed, 3) == 0 ? 0 : 2 * p->length;
	p->offset = (uint32_t)packs[pack].size;
	packs[pack].size += p->length + 41;
}

static void
make_up(uint64_t *seed, unsigned copies)
{
	unsigned i, k;

	n_places = 0;
	memset(packs, 0, sizeof(packs));
	for (i = 0; i < PACKS; i++) {
		rng_fill(seed, packs[i].id.b, ID_LEN);
		packs[i].descriptions = rng_below(seed, 5) == 0 ? 2 : 1;
		packs[i].stored = packs[i].damaged = false;
	}
	for (i = 0; i < BLOBS; i++) {
		rng_fill(seed, blobs[i].id.b, ID_LEN);
		if (i % 2 != 0 && rng_below(seed, 10) == 0)	/* both types */
			blobs[i].id = blobs[i - 1].id;
		blobs[i].type = i % 2 != 0 ? BLOB_TREE : BLOB_DATA;
		blobs[i].needed = rng_below(seed, 3) != 0;
		add_place(seed, i, (unsigned)rng_below(seed, PACKS));
		for (k = 1; k < copies && rng_below(seed, 3) == 0; k++)
			add_place(seed, i, rng_below(seed, 4) == 0 ?
			    places[n_places - 1].pack :
			    (unsigned)rng_below(seed, PACKS));
	}
	for (i = 0; i < PACKS; i++)
		packs[i].stored = true;
}

/* ---- the blob map of them ---- */

static void
feed_pack(struct blobmap *m, unsigned pack)
{
	struct err e = ERR_INIT;
	struct record r;
	unsigned i;

	assert_ok(blobmap_pack_begin(m, &e), &e);
	for (i = 0; i < n_places; i++) {
		if (places[i].pack != pack)
			continue;
		r.id = blobs[places[i].blob].id;
		r.where = (struct where){ 0, places[i].offset,
		    places[i].length, places[i].plain,
		    blobs[places[i].blob].type };
		assert_ok(blobmap_blob(m, &r, &e), &e);
	}
	blobmap_pack_id(m, &packs[pack].id);
	assert_ok(blobmap_pack_end(m, &e), &e);
}

/* One index file with all, or three: the map then has several runs. */
static struct blobmap *
load(uint64_t *seed, unsigned files)
{
	static const struct blobmap_budget budget = { 65536, 4096, 64 };
	struct err e = ERR_INIT;
	struct blobmap *m = NULL;
	struct id repo, index, id;
	unsigned f, i, k;
	uint64_t n;

	rng_fill(seed, repo.b, ID_LEN);
	for (f = 1; f <= files; f++) {
		blobmap_close(m);
		assert_ok(blobmap_open(&m, &sd, &repo, &budget, &e), &e);
		memset(&index, 0, sizeof(index));
		for (i = 1; i <= f; i++) {
			index.b[0] = (uint8_t)i;
			assert_ok(blobmap_offer(m, &index, &e), &e);
		}
		assert_ok(blobmap_settle(m, &n, &e), &e);
		assert_int_equal(n, 1);
		assert_rc(blobmap_missing(m, &id, &e), 1, &e);
		for (i = 0; i < PACKS; i++)
			for (k = 0; k < packs[i].descriptions; k++)
				if ((i + k) % files == f - 1)
					feed_pack(m, i);
		assert_rc(blobmap_missing(m, &id, &e), 0, &e);
		assert_ok(blobmap_commit(m, &e), &e);
	}
	return (m);
}

/* ---- counting ---- */

static unsigned
pack_of(const struct id *id)
{
	unsigned i;

	for (i = 0; !id_eq(&packs[i].id, id); i++)
		assert_true(i < PACKS);
	return (i);
}

/* Say what packs_join would. */
static void
join(struct usage *u, struct blobmap *m)
{
	struct pack_known k;
	struct pack_info info;
	struct err e = ERR_INIT;
	bool known[PACKS] = { false };
	uint32_t no;
	unsigned i;

	for (no = 0; no < blobmap_packs(m); no++) {
		assert_ok(blobmap_pack(m, no, &info, &e), &e);
		i = pack_of(&info.id);
		if (known[i]) {
			assert_ok(usage_again(u, no, packs[i].first, &e), &e);
			continue;
		}
		known[i] = true;
		packs[i].first = no;
		packs[i].size = info.size;
		memset(&k, 0, sizeof(k));
		k.id = info.id;
		k.no = no;
		k.indexed = packs[i].descriptions;
		k.info = info;
		k.stored = packs[i].stored;
		k.size = info.size + packs[i].damaged;
		assert_ok(usage_pack(u, &k, &e), &e);
	}
}

struct marking {
	struct marks *marks;
	bool done[BLOBS];
};

/* One place of each needed blob is marked, whichever comes first. */
static int
mark_one(void *cookie, uint64_t pos, const struct record *r, struct err *e)
{
	struct marking *g = cookie;
	unsigned i;

	for (i = 0; i < BLOBS; i++) {
		if (!id_eq(&blobs[i].id, &r->id) ||
		    blobs[i].type != r->where.type)
			continue;
		if (!blobs[i].needed || g->done[i])
			return (0);
		g->done[i] = true;
		return (marks_set(g->marks, pos, e) < 0 ? e->code : 0);
	}
	fail_msg("nobody's blob");
	return (0);
}

/* What is counted of each pack adds up to what was put into it. */
static void
check_counts(struct usage *u, const struct plan_stats *s)
{
	uint64_t all[PACKS] = { 0 }, used = 0, unused = 0, n_used = 0;
	uint64_t need = 0;
	struct err e = ERR_INIT;
	struct pack_use p;
	unsigned i;

	for (i = 0; i < n_places; i++)
		all[places[i].pack] += places[i].length;
	for (i = 0; i < PACKS; i++) {
		if (all[i] == 0)
			continue;
		assert_rc(usage_get(u, packs[i].first, &p, &e), 1, &e);
		assert_int_equal(p.used + p.unused, all[i]);
		assert_int_equal(p.size, packs[i].size);
		assert_int_equal(p.missing, !packs[i].stored);
		assert_int_equal(p.doubtful, !packs[i].stored ||
		    packs[i].damaged);
		used += p.used;
		unused += p.unused;
		n_used += p.used_n;
	}
	for (i = 0; i < BLOBS; i++)
		need += blobs[i].needed;
	assert_int_equal(n_used, need);
	assert_int_equal(s->blobs.used, need);
	assert_int_equal(s->bytes.used, used);
	assert_int_equal(s->bytes.unused + s->bytes.duplicate, unused);
}

/* A blob that has a place that can be relied on counts there. */
static void
check_doubts(struct usage *u)
{
	uint64_t doubtful = 0, alone = 0;
	bool good[BLOBS] = { false };
	struct err e = ERR_INIT;
	struct pack_use p;
	unsigned i;

	for (i = 0; i < n_places; i++)
		if (packs[places[i].pack].stored &&
		    !packs[places[i].pack].damaged)
			good[places[i].blob] = true;
	for (i = 0; i < BLOBS; i++)
		alone += blobs[i].needed && !good[i];
	for (i = 0; i < PACKS; i++)
		if (usage_get(u, packs[i].first, &p, &e) > 0 && p.doubtful)
			doubtful += p.used_n;
	assert_int_equal(doubtful, alone);
}

/* ---- copying ---- */

static enum fate
fate_of(const struct pack_use *p, uint64_t *seed)
{

	if (p->used_n == 0)
		return (p->missing ? FATE_FORGET : FATE_REMOVE);
	return (rng_below(seed, 2) != 0 ? FATE_REPACK : FATE_KEEP);
}

/*
 * What is copied: each blob once, from a place that there is, in a pack that goes;
 * and none that stays elsewhere. Nothing needed is forgotten.
 */
static void
check_list(struct usage *u, struct blobmap *m, const enum fate *fate)
{
	unsigned copied[BLOBS] = { 0 }, n = 0, i;
	bool stays[BLOBS] = { false };
	struct err e = ERR_INIT;
	struct pack_info info;
	struct sorter *s;
	const uint8_t *rec;
	const void *any;
	uint64_t count;
	size_t len;

	assert_ok(repack_sorter(&s, sd.scratch, &e), &e);
	assert_ok(usage_blobs(u, s, &count, &e), &e);
	while (sorter_next(s, &any, &len, &e) > 0) {
		rec = any;
		assert_ok(blobmap_pack(m, (uint32_t)(load_be64(rec) >> 32),
		    &info, &e), &e);
		for (i = 0; i < n_places; i++)
			if (places[i].pack == pack_of(&info.id) &&
			    places[i].offset == (uint32_t)load_be64(rec))
				break;
		assert_true(i < n_places);
		assert_int_equal(places[i].length, load_le32(rec + 9));
		assert_int_equal(places[i].plain, load_le32(rec + 13));
		assert_memory_equal(blobs[places[i].blob].id.b, rec + 17,
		    ID_LEN);
		assert_int_equal(fate[places[i].pack], FATE_REPACK);
		copied[places[i].blob]++;
		n++;
	}
	sorter_free(s);
	assert_int_equal(n, count);
	for (i = 0; i < n_places; i++)
		if (fate[places[i].pack] == FATE_KEEP)
			stays[places[i].blob] = true;
	for (i = 0; i < BLOBS; i++)
		assert_int_equal(copied[i], blobs[i].needed && !stays[i]);
}

static void
run(uint64_t *seed, unsigned copies, unsigned files, unsigned bad)
{
	struct plan_stats stats = { { 0 }, { 0 }, { 0 } };
	struct marking g = { NULL, { false } };
	struct repo r = { .state = &sd };
	enum fate fate[PACKS] = { FATE_KEEP };
	struct err e = ERR_INIT;
	struct pack_use p;
	struct usage u;
	unsigned i;

	make_up(seed, copies);
	for (; bad > 0; bad--) {
		i = (unsigned)rng_below(seed, PACKS);
		packs[i].stored = bad % 2 == 0;
		packs[i].damaged = true;
	}
	r.map = load(seed, files);
	assert_ok(marks_new(&g.marks, sd.scratch, blobmap_records(r.map),
	    4096, &e), &e);
	assert_ok(blobmap_scan(r.map, mark_one, &g, &e), &e);
	assert_ok(usage_open(&u, &r, g.marks, &stats, &e), &e);
	join(&u, r.map);
	assert_ok(usage_count(&u, &e), &e);
	check_counts(&u, &stats);
	check_doubts(&u);
	for (i = 0; i < PACKS; i++) {
		if (usage_get(&u, packs[i].first, &p, &e) <= 0)
			continue;
		fate[i] = fate_of(&p, seed);
		assert_ok(usage_decide(&u, packs[i].first, fate[i], &e), &e);
	}
	check_list(&u, r.map, fate);
	usage_close(&u);
	marks_free(g.marks);
	blobmap_close(r.map);
}

static void
test_random(void **state)
{
	uint64_t seed = 1;
	unsigned round;

	(void)state;
	for (round = 0; round < 40; round++)
		run(&seed, 1 + round % 5, 1 + round % 3, round % 4 * 3);
}

/* Should all packs of a needed blob go, nothing may be removed. */
static void
test_lost(void **state)
{
	struct plan_stats stats = { { 0 }, { 0 }, { 0 } };
	struct marking g = { NULL, { false } };
	struct repo r = { .state = &sd };
	struct err e = ERR_INIT;
	uint64_t seed = 2, n;
	struct sorter *s;
	struct usage u;
	unsigned i;

	(void)state;
	make_up(&seed, 3);
	r.map = load(&seed, 1);
	assert_ok(marks_new(&g.marks, sd.scratch, blobmap_records(r.map),
	    4096, &e), &e);
	assert_ok(blobmap_scan(r.map, mark_one, &g, &e), &e);
	assert_ok(usage_open(&u, &r, g.marks, &stats, &e), &e);
	join(&u, r.map);
	assert_ok(usage_count(&u, &e), &e);
	for (i = 0; i < PACKS; i++)
		assert_ok(usage_decide(&u, packs[i].first, i == 7 ?
		    FATE_REMOVE : FATE_KEEP, &e), &e);
	assert_ok(repack_sorter(&s, sd.scratch, &e), &e);
	assert_rc(usage_blobs(&u, s, &n, &e), ERR_FAIL, &e);
	assert_non_null(strstr(e.text, "would be lost"));
	sorter_free(s);
	usage_close(&u);
	marks_free(g.marks);
	blobmap_close(r.map);
}

/*
 * A prune that was cut: what it copied lies in a new pack, all of it needed, and
 * still in the old ones. The new pack is the one that counts.
 */
static void
test_cut(void **state)
{
	struct plan_stats stats = { { 0 }, { 0 }, { 0 } };
	struct marking g = { NULL, { false } };
	struct repo r = { .state = &sd };
	struct err e = ERR_INIT;
	struct pack_use p;
	struct usage u;
	uint64_t seed = 3;
	unsigned i, needed = 0, n;

	(void)state;
	make_up(&seed, 1);
	n = n_places;
	for (i = 0; i < n; i++) {	/* the last pack is the new one */
		if (places[i].pack == PACKS - 1)
			places[i].pack = 0;
		if (blobs[places[i].blob].needed)
			needed++;
	}
	packs[PACKS - 1].size = 0;
	for (i = 0; i < n; i++)
		if (blobs[places[i].blob].needed)
			add_place(&seed, places[i].blob, PACKS - 1);
	/* Offsets in pack 0 are no longer all different: make them so. */
	for (i = 0; i < n; i++)
		places[i].offset = i * 10000;
	r.map = load(&seed, 1);
	assert_ok(marks_new(&g.marks, sd.scratch, blobmap_records(r.map),
	    4096, &e), &e);
	assert_ok(blobmap_scan(r.map, mark_one, &g, &e), &e);
	assert_ok(usage_open(&u, &r, g.marks, &stats, &e), &e);
	join(&u, r.map);
	assert_ok(usage_count(&u, &e), &e);
	assert_rc(usage_get(&u, packs[PACKS - 1].first, &p, &e), 1, &e);
	assert_int_equal(p.used_n, needed);
	assert_int_equal(p.unused_n, 0);
	assert_int_equal(stats.blobs.duplicate, needed);
	for (i = 0; i < PACKS - 1; i++)
		if (usage_get(&u, packs[i].first, &p, &e) > 0)
			assert_int_equal(p.used_n, 0);
	usage_close(&u);
	marks_free(g.marks);
	blobmap_close(r.map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_cut),
	};

	return (cmocka_run_group_tests_name("run/usage", tests, set_up,
	    tear_down));
}
