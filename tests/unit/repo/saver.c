/*
 * Storing blobs in pieces: wherever they are cut, and whatever the length of the
 * last piece, the same bytes come back.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/sha256.h"
#include "repo/blob.h"
#include "repo/index.h"
#include "repo/saver.h"
#include "unit/rng.h"
#include "unit/scratch.h"

static const char *const folders[] = { "data", "index", NULL };
static char dir[SCRATCH_PATH];
static struct state_dir sd;
static struct repo r;

/* Nothing here must outlive the power. */
int
fsync(int fd)
{

	(void)fd;
	return (0);
}

static int
set_up(void **state)
{
	char path[2 * SCRATCH_PATH];
	uint8_t raw[SEAL_KEY_LEN];
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	scratch_make(dir);
	for (i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(0x20 + i);
	seal_key_init(&r.key, raw);
	r.version = 2;
	r.state = &sd;
	(void)snprintf(path, sizeof(path), "%s/state", dir);
	if (state_open(&sd, path, &e) != 0 ||
	    slab_pool_open(&r.pool, CONFIG_SLAB_COUNT, &e) != 0)
		return (1);
	(void)snprintf(path, sizeof(path), "%s/repo", dir);
	return (store_open(&r.store, path, &e) != 0 ||
	    store_prepare(r.store, folders, &e) != 0 ||
	    repo_load_index(&r, true, &e) != 0);
}

static int
tear_down(void **state)
{

	(void)state;
	blobmap_close(r.map);
	slab_pool_close(&r.pool);
	store_close(r.store);
	state_close(&sd);
	scratch_remove(dir);
	return (0);
}

/* ---- pieces ---- */

/* Hand over ${len} bytes as one piece; 0 is a piece, too. */
static uint64_t
give(struct saver *s, const uint8_t *p, size_t len, unsigned part)
{
	struct chunk c = { .slab = SLAB_NONE };
	struct err e = ERR_INIT;
	struct chunk_walk walk;
	uint64_t ticket = 0;
	uint8_t *to;
	size_t n;

	if (len > 0) {
		assert_ok(slab_get_chunk(&r.pool, (uint32_t)len, &c, &e), &e);
		for (walk = chunk_walk(&r.pool, &c); chunk_next(&walk, &to,
		    &n); p += n)
			memcpy(to, p, n);
	}
	assert_ok(saver_data(s, &c, part, &ticket, &e), &e);
	return (ticket);
}

static int
drop(void *cookie, const void *p, size_t len, struct err *e)
{

	(void)p;
	(void)e;
	*(size_t *)cookie += len;
	return (0);
}

/* What was stored under this id is whole: its hash is compared on the way. */
static void
check_blob(const struct id *id, size_t want)
{
	struct err e = ERR_INIT;
	struct blob_reader br;
	size_t len = 0;

	assert_ok(blob_reader_open(&br, &r, &e), &e);
	assert_ok(blob_read(&br, BLOB_DATA, id, drop, &len, &e), &e);
	assert_int_equal(len, want);
	blob_reader_close(&br);
}

enum { TOTAL = 200000, CUTS = 5 };

/* The same bytes, but for a number in front, in two pieces each. */
static void
in_two(int level, unsigned workers)
{
	static const size_t cut[CUTS] = { 1, 65536, 100000, TOTAL - 1, TOTAL };
	struct saver_opts o = { .level = level, .pack_size = 16 << 20,
	    .workers = workers };
	static uint8_t bytes[TOTAL];
	uint64_t seed = 5 + (uint64_t)level + workers, ticket;
	struct err e = ERR_INIT;
	struct id id[CUTS], got;
	struct saver *s;
	size_t i;

	rng_fill(&seed, bytes, sizeof(bytes) / 2);
	assert_ok(saver_open(&s, &r, &o, &e), &e);
	for (i = 0; i < CUTS; i++) {
		bytes[0] = (uint8_t)i;
		sha256(bytes, TOTAL, &id[i]);
		(void)give(s, bytes, cut[i], SAVE_FIRST);
		ticket = give(s, bytes + cut[i], TOTAL - cut[i], SAVE_LAST);
		assert_ok(saver_wait(s, ticket, &got, &e), &e);
		assert_memory_equal(got.b, id[i].b, ID_LEN);
	}
	assert_ok(saver_finish(s, &e), &e);
	saver_free(s);
	blobmap_close(r.map);
	r.map = NULL;
	assert_ok(repo_load_index(&r, true, &e), &e);
	for (i = 0; i < CUTS; i++)
		check_blob(&id[i], TOTAL);
}

static void
test_pieces(void **state)
{

	(void)state;
	in_two(3, 1);
	in_two(0, 1);
	in_two(3, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
	};

	return (cmocka_run_group_tests(tests, set_up, tear_down));
}
