/*
 * Index files: what is written is read back, in whatever order and however many
 * files it takes.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "repo/index.h"
#include "unit/rng.h"
#include "unit/scratch.h"

enum { MOST = 2000 };

static const char *const folders[] = { "data", "index", NULL };
static char dir[SCRATCH_PATH];
static struct state_dir sd;
static struct repo r;

static int
set_up(void **state)
{
	char path[2 * SCRATCH_PATH];
	uint8_t raw[SEAL_KEY_LEN] = { 1, 2, 3 };
	struct err e = ERR_INIT;

	(void)state;
	scratch_make(dir);
	seal_key_init(&r.key, raw);
	r.version = 2;
	r.state = &sd;
	(void)snprintf(path, sizeof(path), "%s/state", dir);
	if (state_open(&sd, path, &e) != 0)
		return (1);
	(void)snprintf(path, sizeof(path), "%s/repo", dir);
	return (store_open(&r.store, path, &e) != 0 ||
	    store_prepare(r.store, folders, &e) != 0);
}

static int
tear_down(void **state)
{

	(void)state;
	store_close(r.store);
	state_close(&sd);
	scratch_remove(dir);
	return (0);
}

/* ---- packs that are only numbers ---- */

/* Pack ${no} has 1 + no % 300 blobs, which all follow from the number. */
static uint32_t
blobs_of(unsigned no)
{

	return (1 + no % 300);
}

static void
pack_name(unsigned no, struct id *ret)
{

	memset(ret, 0, sizeof(*ret));
	store_le32(ret->b, no);
}

static uint32_t
blob_of(unsigned no, uint32_t i, struct pack_entry *ret)
{
	uint64_t seed = (uint64_t)no << 32 | i;

	memset(ret, 0, sizeof(*ret));
	rng_fill(&seed, ret->id.b, ID_LEN);
	ret->type = i % 5 == 0 ? BLOB_TREE : BLOB_DATA;
	ret->length = 32 + (uint32_t)rng_below(&seed, 100000);
	ret->plain = i % 3 == 0 ? 0 : 1 + (uint32_t)rng_below(&seed, 1 << 30);
	return ((uint32_t)rng_below(&seed, 1u << 31));
}

/* ---- reading ---- */

struct reading {
	unsigned files, packs[MOST]; /* how often each was named */
	uint64_t blobs, in_file, least, most;
	struct pack_entry x[300];
	uint32_t offset[300], n;
};

static int
on_begin(void *cookie, struct err *e)
{
	struct reading *rd = cookie;

	(void)e;
	rd->n = 0;
	return (0);
}

static int
on_blob(void *cookie, const struct pack_entry *x, uint32_t offset,
    struct err *e)
{
	struct reading *rd = cookie;

	(void)e;
	assert_true(rd->n < 300);
	rd->x[rd->n] = *x;
	rd->offset[rd->n++] = offset;
	return (0);
}

static int
on_end(void *cookie, const struct id *id, struct err *e)
{
	struct reading *rd = cookie;
	unsigned no = load_le32(id->b);
	struct pack_entry x;
	uint32_t i, offset;

	(void)e;
	assert_true(no < MOST);
	assert_int_equal(rd->n, blobs_of(no));
	for (i = 0; i < rd->n; i++) {
		offset = blob_of(no, i, &x);
		assert_int_equal(rd->offset[i], offset);
		assert_true(id_eq(&rd->x[i].id, &x.id));
		assert_int_equal(rd->x[i].type, x.type);
		assert_int_equal(rd->x[i].length, x.length);
		assert_int_equal(rd->x[i].plain, x.plain);
	}
	rd->packs[no]++;
	rd->blobs += rd->n;
	rd->in_file += rd->n;
	return (0);
}

static const struct index_events events = { on_begin, on_blob, on_end };

static int
read_file(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	struct reading *rd = cookie;

	(void)size;
	rd->in_file = 0;
	assert_ok(index_parse(&r, id, &events, rd, e), e);
	rd->files++;
	if (rd->files == 1 || rd->in_file < rd->least)
		rd->least = rd->in_file;
	if (rd->in_file > rd->most)
		rd->most = rd->in_file;
	return (repo_remove(&r, REPO_INDEX, id, e));
}

/* Read all there is, and remove it. */
static void
read_all(struct reading *rd)
{
	struct err e = ERR_INIT;

	memset(rd, 0, sizeof(*rd));
	assert_ok(repo_list(&r, REPO_INDEX, read_file, rd, &e), &e);
}

/* ---- writing ---- */

static void
write_pack(struct index_writer *w, unsigned no)
{
	struct pack_entry x;
	struct err e = ERR_INIT;
	uint32_t i, offset;
	struct id id;

	assert_ok(index_writer_begin(w, &e), &e);
	for (i = 0; i < blobs_of(no); i++) {
		offset = blob_of(no, i, &x);
		assert_ok(index_writer_blob(w, &x, offset, &e), &e);
	}
	pack_name(no, &id);
	assert_ok(index_writer_end(w, &id, &e), &e);
}

static int
on_wrote(void *cookie, const struct id *id, struct err *e)
{

	(void)id;
	(void)e;
	++*(unsigned *)cookie;
	return (0);
}

static void
test_writer(void **state)
{
	struct index_writer w;
	struct index_mark mark;
	struct err e = ERR_INIT;
	struct reading rd;
	struct id id = { { 0 } };
	unsigned no, told = 0;

	(void)state;
	assert_ok(index_writer_open(&w, &r, &e), &e);
	w.wrote = on_wrote;
	w.cookie = &told;
	/* Nothing is written of nothing, of packs without blobs, of what was
	 * taken back. */
	assert_ok(index_writer_begin(&w, &e), &e);
	assert_ok(index_writer_end(&w, &id, &e), &e);
	mark = index_writer_mark(&w);
	for (no = 0; no < 500; no++)
		write_pack(&w, no);
	index_writer_back(&w, &mark);
	assert_ok(index_writer_full(&w, &e), &e);
	assert_ok(index_writer_flush(&w, &e), &e);
	read_all(&rd);
	assert_int_equal(rd.files, 0);
	assert_int_equal(told, 0);
	/* Full files, and the rest when it is asked for. */
	for (no = 0; no < MOST; no++) {
		mark = index_writer_mark(&w);
		write_pack(&w, no);
		if (no % 7 == 0) {
			index_writer_back(&w, &mark);
			assert_ok(index_writer_begin(&w, &e), &e);
			index_writer_drop(&w);
			write_pack(&w, no);
		}
		if (no % 100 == 99)
			assert_ok(index_writer_full(&w, &e), &e);
	}
	read_all(&rd);
	assert_in_range(rd.files, 5, 6);
	assert_int_equal(rd.files, told);
	assert_int_equal(rd.files, w.files);
	assert_in_range(rd.least, INDEX_BLOBS_MAX, INDEX_BLOBS_MAX + 299);
	assert_in_range(rd.most, INDEX_BLOBS_MAX, INDEX_BLOBS_MAX + 299);
	for (no = 0; no < MOST && rd.packs[no] == 1; no++)
		;
	assert_ok(index_writer_flush(&w, &e), &e);
	read_all(&rd);
	assert_int_equal(rd.files, 1);
	for (; no < MOST; no++)
		assert_int_equal(rd.packs[no], 1);
	index_writer_close(&w);
}

/* All at once, without asking for full files in between. */
static void
test_flush(void **state)
{
	struct index_writer w;
	struct err e = ERR_INIT;
	struct reading rd;
	unsigned no;

	(void)state;
	assert_ok(index_writer_open(&w, &r, &e), &e);
	for (no = 0; no < MOST; no++)
		write_pack(&w, no);
	assert_ok(index_writer_flush(&w, &e), &e);
	assert_int_equal(w.blobs, 0);
	read_all(&rd);
	assert_in_range(rd.files, 6, 7);
	assert_in_range(rd.most, INDEX_BLOBS_MAX, INDEX_BLOBS_MAX + 299);
	for (no = 0; no < MOST; no++)
		assert_int_equal(rd.packs[no], 1);
	write_pack(&w, 5);
	assert_ok(index_writer_flush(&w, &e), &e);
	read_all(&rd);
	assert_int_equal(rd.files, 1);
	assert_int_equal(rd.packs[5], 1);
	index_writer_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writer),
		cmocka_unit_test(test_flush),
	};

	return (cmocka_run_group_tests_name("repo/index", tests, set_up,
	    tear_down));
}
