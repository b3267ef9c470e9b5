/*
 * Blobs into another repository: of all sizes (larger than the pool, too),
 * compressed and not, between versions; once each; and whatever is damaged is left
 * out and told, nothing else.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <cmocka.h>

#include "repo/blob.h"
#include "repo/index.h"
#include "repo/saver.h"
#include "run/repack.h"
#include "unit/rng.h"
#include "unit/scratch.h"

static const char *const folders[] = { "data", "index", NULL };
static char dir[SCRATCH_PATH];
static struct state_dir sd;
static struct meter meter;

/* Nothing here must outlive the power. */
int
fsync(int fd)
{

	(void)fd;
	return (0);
}

static void
open_repo(struct repo *r, const char *name, unsigned version)
{
	char path[2 * SCRATCH_PATH];
	uint8_t raw[SEAL_KEY_LEN];
	struct err e = ERR_INIT;
	uint64_t seed = version + (uint64_t)name[0];

	memset(r, 0, sizeof(*r));
	rng_fill(&seed, raw, sizeof(raw));
	seal_key_init(&r->key, raw);
	rng_fill(&seed, r->id.b, ID_LEN);
	r->id.b[0] = (uint8_t)name[0];
	r->version = version;
	r->state = &sd;
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_ok(slab_pool_open(&r->pool, CONFIG_SLAB_COUNT, &e), &e);
	assert_ok(store_open(&r->store, path, &e), &e);
	assert_ok(store_prepare(r->store, folders, &e), &e);
	assert_ok(repo_load_index(r, true, &e), &e);
}

static void
close_repo(struct repo *r)
{

	blobmap_close(r->map);
	slab_pool_close(&r->pool);
	store_close(r->store);
}

static void
reload(struct repo *r)
{
	struct err e = ERR_INIT;

	blobmap_close(r->map);
	r->map = NULL;
	assert_ok(repo_load_index(r, true, &e), &e);
}

static int
set_up(void **state)
{
	char path[2 * SCRATCH_PATH];
	struct err e = ERR_INIT;

	(void)state;
	scratch_make(dir);
	meter_init(&meter);
	(void)snprintf(path, sizeof(path), "%s/state", dir);
	return (state_open(&sd, path, &e) != 0);
}

static int
tear_down(void **state)
{

	(void)state;
	meter_destroy(&meter);
	state_close(&sd);
	scratch_remove(dir);
	return (0);
}

/* ---- a source ---- */

enum { LARGE = CONFIG_SLAB_COUNT * SLAB_LEN + 700000 };

static const struct {
	size_t len;
	bool words;          /* compress well */
	bool tree;
} blobs[] = {
	{ 1, false, false }, { 1000, false, false }, { 70000, true, false },
	{ 3000000, true, false }, { 3000000, false, false },
	{ LARGE, false, false }, { LARGE + 5, true, false },
	{ 900, true, true }, { 400000, true, true }, { 65536, false, false },
};

enum { N_BLOBS = sizeof(blobs) / sizeof(blobs[0]) };

static uint8_t *
make_bytes(size_t i)
{
	uint64_t seed = 100 + i;
	uint8_t *p = malloc(blobs[i].len);
	size_t k;

	assert_non_null(p);
	rng_fill(&seed, p, blobs[i].len);
	for (k = 0; k < blobs[i].len && blobs[i].words; k++)
		p[k] = (uint8_t)("abc"[k / 50 % 3] + (k % 997 == 0));
	return (p);
}

/* One blob by one worker's hands, in pieces that the pool can hold. */
static void
save(struct saver *s, struct repo *r, size_t i)
{
	uint8_t *p = make_bytes(i);
	size_t at, n, max = 4 * SLAB_LEN, k;
	struct err e = ERR_INIT;
	struct spill text;
	struct chunk_walk walk;
	uint64_t ticket;
	struct chunk c;
	struct id id;
	uint8_t *to;
	bool is_new;

	if (blobs[i].tree) {
		assert_ok(spill_open(&text, dir, 4096, &e), &e);
		assert_ok(spill_push(&text, p, blobs[i].len, &e), &e);
		assert_ok(saver_tree(s, &text, 0, blobs[i].len, &id, &is_new,
		    &e), &e);
		spill_close(&text);
	}
	for (at = 0; !blobs[i].tree && at < blobs[i].len; at += n) {
		n = blobs[i].len - at < max ? blobs[i].len - at : max;
		assert_ok(slab_get_chunk(&r->pool, (uint32_t)n, &c, &e), &e);
		walk = chunk_walk(&r->pool, &c);
		for (k = at; chunk_next(&walk, &to, &n); k += n)
			memcpy(to, p + k, n);
		n = c.len;
		assert_ok(saver_data(s, &c, (at == 0 ? SAVE_FIRST : 0) |
		    (at + n == blobs[i].len ? SAVE_LAST : 0), &ticket, &e),
		    &e);
	}
	if (!blobs[i].tree)
		assert_ok(saver_wait(s, ticket, &id, &e), &e);
	free(p);
}

static void
fill(struct repo *r, int level)
{
	struct saver_opts so = { .level = level, .pack_size = 16 << 20,
	    .workers = 1 };
	struct err e = ERR_INIT;
	struct saver *s;
	size_t i;

	assert_ok(saver_open(&s, r, &so, &e), &e);
	for (i = 0; i < N_BLOBS; i++)
		save(s, r, i);
	assert_ok(saver_finish(s, &e), &e);
	saver_free(s);
	reload(r);
}

/* ---- copying it ---- */

static int
add(void *cookie, uint64_t pos, const struct record *r, struct err *e)
{
	struct pack_entry x = { r->id, r->where.type, r->where.length,
	    r->where.plain };

	(void)pos;
	return (repack_add(cookie, r->where.pack, &x, r->where.offset, e));
}

static int
pack_id(void *cookie, uint32_t no, struct id *ret, struct err *e)
{
	struct repo *r = cookie;
	struct pack_info info;
	int rc;

	if ((rc = blobmap_pack(r->map, no, &info, e)) == 0)
		*ret = info.id;
	return (rc);
}

static unsigned n_damaged;

static void
on_damaged(void *cookie, const struct err *why)
{

	(void)cookie;
	assert_int_equal(why->code, ERR_CORRUPT);
	n_damaged++;
}

static struct repack_stats
copy(struct repo *from, struct repo *to, unsigned workers, int level)
{
	struct repack_opts o = { .workers = workers, .pack_size = 4 << 20,
	    .level = level, .into = to, .pack_id = pack_id,
	    .damaged = on_damaged, .cookie = from, .meter = &meter };
	struct repack_stats s = { 0 };
	struct err e = ERR_INIT;
	struct sorter *list;

	n_damaged = 0;
	assert_ok(repack_sorter(&list, dir, &e), &e);
	assert_ok(blobmap_scan(from->map, add, list, &e), &e);
	assert_ok(repack_run(from, list, &o, &s, &e), &e);
	sorter_free(list);
	return (s);
}

struct comparing {
	const uint8_t *p;
	size_t at;
};

static int
compare(void *cookie, const void *p, size_t len, struct err *e)
{
	struct comparing *c = cookie;

	(void)e;
	assert_memory_equal(c->p + c->at, p, len);
	c->at += len;
	return (0);
}

/* Is the blob there, in one place, proven, and compressed as it should be? */
static void
check_blob(struct repo *r, size_t i, int level)
{
	struct comparing c = { make_bytes(i), 0 };
	enum blob_type type = blobs[i].tree ? BLOB_TREE : BLOB_DATA;
	struct err e = ERR_INIT;
	struct blob_reader br;
	struct pack_info info;
	struct where at;
	struct id id;

	sha256(c.p, blobs[i].len, &id);
	assert_rc(blobmap_find(r->map, type, &id, true, &at, NULL, &e), 1,
	    &e);
	if (r->version == 1)
		assert_int_equal(at.plain, 0);
	else if (level != 0 || blobs[i].tree)
		assert_int_equal(at.plain, blobs[i].len);
	assert_ok(blobmap_pack(r->map, at.pack, &info, &e), &e);
	assert_int_not_equal(info.data, info.tree);
	assert_ok(blob_reader_open(&br, r, &e), &e);
	assert_ok(blob_read(&br, type, &id, compare, &c, &e), &e);
	assert_int_equal(c.at, blobs[i].len);
	blob_reader_close(&br);
	free((void *)(uintptr_t)c.p);
}

static void
check_all(struct repo *r, int level)
{
	size_t i;

	reload(r);
	assert_int_equal(blobmap_records(r->map), N_BLOBS);
	for (i = 0; i < N_BLOBS; i++)
		check_blob(r, i, level);
}

static void
test_versions(void **state)
{
	static const struct {
		unsigned from, to, workers;
		int first, level;
	} way[] = {
		{ 2, 2, 1, 3, 3 }, { 2, 1, 2, 3, 3 }, { 1, 2, 1, 3, 3 },
		{ 1, 2, 2, 3, 0 }, { 1, 1, 1, 3, 3 }, { 2, 2, 2, 0, 3 },
		{ 2, 2, 1, 0, 0 }, { 2, 2, 3, 3, 0 },
	};
	struct repack_stats s;
	struct repo from, to;
	char name[8];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
		(void)snprintf(name, sizeof(name), "%cfrom", (char)('a' + i));
		open_repo(&from, name, way[i].from);
		(void)snprintf(name, sizeof(name), "%cto", (char)('A' + i));
		open_repo(&to, name, way[i].to);
		fill(&from, way[i].first);
		s = copy(&from, &to, way[i].workers, way[i].level);
		assert_int_equal(s.blobs, N_BLOBS);
		assert_int_equal(s.left_out, 0);
		/* In the same session it is known, and once more in the next. */
		s = copy(&from, &to, way[i].workers, way[i].level);
		assert_int_equal(s.new_packs, 0);
		check_all(&to, way[i].from == 2 && way[i].first != 0 ? 1 :
		    way[i].level);
		s = copy(&from, &to, 1, way[i].level);
		assert_int_equal(s.new_packs, 0);
		close_repo(&from);
		close_repo(&to);
	}
}

/* Spoil a byte of blob ${i}, where it lies. */
static void
spoil(struct repo *r, size_t i)
{
	char name[STORE_NAME_MAX], path[2 * SCRATCH_PATH];
	uint8_t *p = make_bytes(i), byte;
	struct err e = ERR_INIT;
	struct pack_info info;
	struct where at;
	struct id id;
	off_t off;
	int fd;

	sha256(p, blobs[i].len, &id);
	free(p);
	assert_rc(blobmap_find(r->map, blobs[i].tree ? BLOB_TREE : BLOB_DATA,
	    &id, true, &at, NULL, &e), 1, &e);
	assert_ok(blobmap_pack(r->map, at.pack, &info, &e), &e);
	(void)snprintf(path, sizeof(path), "%s/%s", r->store->location,
	    repo_name(REPO_PACK, &info.id, name));
	assert_return_code(chmod(path, 0600), 0);
	fd = open(path, O_RDWR);
	assert_return_code(fd, 0);
	off = (off_t)at.offset + (off_t)at.length / 2;
	assert_int_equal(pread(fd, &byte, 1, off), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, off), 1);
	(void)close(fd);
}

/* Blobs of each way, one at a time. */
static void
test_damage(void **state)
{
	static const unsigned versions[] = { 2, 1 };
	static const size_t which[] = { 0, 4, 5, 6, 8 };
	struct repack_stats s;
	struct repo from, to;
	char name[8];
	size_t i, k, v;

	(void)state;
	for (v = 0; v < 2; v++) {
		(void)snprintf(name, sizeof(name), "%cbad", (char)('p' + v));
		open_repo(&from, name, 2);
		fill(&from, 3);
		for (k = 0; k < sizeof(which) / sizeof(which[0]); k++) {
			i = which[k];
			(void)snprintf(name, sizeof(name), "%c%zu",
			    (char)('P' + v), i);
			open_repo(&to, name, versions[v]);
			to.id.b[1] = (uint8_t)i;
			spoil(&from, i);
			s = copy(&from, &to, 2, 3);
			spoil(&from, i);
			assert_int_equal(s.left_out, 1);
			assert_int_equal(n_damaged, 1);
			assert_int_equal(s.blobs, N_BLOBS - 1);
			/* And the rest of it, when it is whole again. */
			s = copy(&from, &to, 1, 3);
			assert_int_equal(s.left_out, 0);
			check_all(&to, 3);
			close_repo(&to);
		}
		close_repo(&from);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_damage),
	};

	return (cmocka_run_group_tests(tests, set_up, tear_down));
}
