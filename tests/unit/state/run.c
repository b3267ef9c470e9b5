/*
 * Sorted runs against a plain array: every record is found, nothing else is,
 * with any amount of fence; and no flipped byte makes a wrong answer.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "state/run.h"
#include "unit/rng.h"
#include "unit/scratch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char dir[SCRATCH_PATH];

/* Encoded records in order, and the file of their run. */
struct set {
	uint8_t *rec;
	size_t n;
	int fd;
};

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

static int
cmp(const void *x, const void *y)
{

	return (record_cmp(x, RECORD_LEN, y, RECORD_LEN));
}

static int
new_file(void)
{
	char path[2 * SCRATCH_PATH];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/run", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd != -1);
	assert_int_equal(unlink(path), 0);
	return (fd);
}

static struct where
some_place(uint64_t *seed)
{
	struct where w = { (uint32_t)rng_next(seed) & 0x7fffffff,
	    (uint32_t)rng_next(seed), (uint32_t)rng_next(seed),
	    (uint32_t)rng_next(seed), BLOB_DATA };

	return (w);
}

static void
set_add(struct set *s, const struct id *id, enum blob_type type,
    uint64_t *seed)
{
	struct record r = { *id, some_place(seed) };

	r.where.type = type;
	record_encode(&r, s->rec + s->n++ * RECORD_LEN);
}

static void
set_open(struct set *s, size_t cap)
{

	s->n = 0;
	s->rec = malloc(cap * RECORD_LEN + 1);
	assert_non_null(s->rec);
}

/* All are added: sort them and write the run. */
static void
set_write(struct set *s)
{
	struct run_writer *w;
	struct err e = ERR_INIT;
	size_t i;

	qsort(s->rec, s->n, RECORD_LEN, cmp);
	s->fd = new_file();
	assert_ok(run_writer_new(&w, s->fd, s->n, &e), &e);
	for (i = 0; i < s->n; i++)
		assert_ok(run_writer_add(w, s->rec + i * RECORD_LEN, &e), &e);
	assert_ok(run_writer_end(w, &e), &e);
	run_writer_free(w);
	run_writer_free(NULL);
}

static void
set_close(struct set *s)
{

	(void)close(s->fd);
	free(s->rec);
}

/* ${n} records: lone ids, pairs of both types, the same blob several times. */
static void
set_random(struct set *s, size_t n, uint64_t seed)
{
	struct id id;

	set_open(s, n);
	while (s->n < n) {
		rng_fill(&seed, id.b, ID_LEN);
		set_add(s, &id, rng_below(&seed, 2) != 0 ? BLOB_TREE :
		    BLOB_DATA, &seed);
		while (s->n < n && rng_below(&seed, 20) == 0)
			set_add(s, &id, rng_below(&seed, 2) != 0 ? BLOB_TREE :
			    BLOB_DATA, &seed);
	}
	set_write(s);
}

static enum blob_type
type_of(const uint8_t *rec)
{

	return (rec[35] >> 7 ? BLOB_TREE : BLOB_DATA);
}

/* Is it in the array? */
static bool
set_has(const struct set *s, const struct id *id, enum blob_type type)
{
	struct record r = { *id, { 0, 0, 0, 0, type } };
	uint8_t key[RECORD_LEN];

	record_encode(&r, key);
	return (s->n > 0 && bsearch(key, s->rec, s->n, RECORD_LEN, cmp) !=
	    NULL);
}

/*
 * Look it up and hold the answer against the array. Return run_find's answer;
 * where that is 0 or 1, it is right.
 */
static int
ask(const struct set *s, const struct run *r, const struct id *id,
    enum blob_type type, bool likely)
{
	struct err e = ERR_INIT;
	struct record found = { *id, { 0, 0, 0, 0, type } };
	uint8_t rec[RECORD_LEN];
	uint64_t pos;
	int rc;

	rc = run_find(r, type, id, likely, &found.where, &pos, &e);
	if (rc < 0)
		return (rc);
	if (rc != set_has(s, id, type))
		fail_msg("of %zu records, one is %s", s->n, rc != 0 ?
		    "invented" : "missed");
	if (rc > 0) {
		record_encode(&found, rec);
		assert_true(pos < s->n);
		assert_memory_equal(rec, s->rec + pos * RECORD_LEN,
		    RECORD_LEN);
	}
	return (rc);
}

/* Ids beside one that is there: the next, the one before, the other type. */
static void
ask_beside(const struct set *s, const struct run *r, const struct id *id,
    enum blob_type type)
{
	struct id next = *id;
	int i;

	assert_true(ask(s, r, id, !type, false) >= 0);
	assert_true(ask(s, r, id, !type, true) >= 0);
	for (i = ID_LEN - 1; i >= 0 && ++next.b[i] == 0; i--)
		;
	assert_true(ask(s, r, &next, type, true) >= 0);
	next = *id;
	for (i = ID_LEN - 1; i >= 0 && next.b[i]-- == 0; i--)
		;
	assert_true(ask(s, r, &next, type, true) >= 0);
	next = *id;
	next.b[31] ^= 1;
	assert_true(ask(s, r, &next, type, false) >= 0);
}

/* Everything there, and things beside: each ${every}-th. */
static void
ask_all(const struct set *s, size_t fence, size_t every)
{
	struct err e = ERR_INIT;
	uint64_t seed = ~(s->n + fence);
	struct run r;
	struct id id;
	size_t i;

	assert_ok(run_open(&r, dup(s->fd), fence, &e), &e);
	assert_int_equal(r.n, s->n);
	assert_true(r.n_fence <= 1 || r.n_fence * 8 <= fence);
	for (i = rng_below(&seed, every); i < s->n; i += every) {
		memcpy(id.b, s->rec + i * RECORD_LEN, ID_LEN);
		assert_int_equal(ask(s, &r, &id, type_of(s->rec + i *
		    RECORD_LEN), i % 2), 1);
		ask_beside(s, &r, &id, type_of(s->rec + i * RECORD_LEN));
	}
	for (i = 0; i < 200; i++) {
		rng_fill(&seed, id.b, ID_LEN);
		assert_int_equal(ask(s, &r, &id, i % 2, i / 2 % 2), 0);
	}
	memset(id.b, 0, ID_LEN);
	assert_true(ask(s, &r, &id, BLOB_DATA, true) >= 0);
	memset(id.b, 0xff, ID_LEN);
	assert_true(ask(s, &r, &id, BLOB_TREE, true) >= 0);
	run_close(&r);
	run_close(&r);
}

static void
scan_all(const struct set *s)
{
	struct err e = ERR_INIT;
	struct run_cursor c;
	const uint8_t *p;
	struct run r;
	size_t i;

	assert_ok(run_open(&r, dup(s->fd), 64, &e), &e);
	run_begin(&c, &r);
	for (i = 0; i < s->n; i++) {
		assert_rc(run_next(&c, &p, &e), 1, &e);
		assert_memory_equal(p, s->rec + i * RECORD_LEN, RECORD_LEN);
	}
	assert_rc(run_next(&c, &p, &e), 0, &e);
	assert_rc(run_next(&c, &p, &e), 0, &e);
	run_close(&r);
}

/* ---- tests ---- */

static void
test_records(void **state)
{
	uint64_t seed = 1;
	uint8_t p[RECORD_LEN], again[RECORD_LEN];
	struct record r;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		rng_fill(&seed, p, sizeof(p));
		record_decode(p, &r);
		assert_true(r.where.pack <= 0x7fffffff);
		record_encode(&r, again);
		assert_memory_equal(p, again, sizeof(p));
	}
	memset(p, 0, sizeof(p));
	memset(again, 0, sizeof(again));
	again[35] = 0x80;
	assert_true(cmp(p, again) < 0 && cmp(again, p) > 0);
	again[32] = 5;
	p[35] = 0x80;
	assert_int_equal(cmp(p, again), 0);
	p[0] = 0x80;
	assert_true(cmp(p, again) > 0);
}

static void
test_sizes(void **state)
{
	static const size_t n[] = { 0, 1, 2, 84, 85, 86, 169, 170, 171, 511,
	    512, 2000 };
	static const size_t fence[] = { 0, 8, 50, 4096 };
	struct set s;
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(n); i++) {
		set_random(&s, n[i], i);
		for (k = 0; k < COUNT(fence); k++)
			ask_all(&s, fence[k], 1 + n[i] / 80);
		scan_all(&s);
		set_close(&s);
	}
}

static void
test_large(void **state)
{
	static const size_t fence[] = { 8, 100, 1000, 5000, 1 << 20 };
	struct set s;
	size_t k;

	(void)state;
	set_random(&s, 100000, 77);
	for (k = 0; k < COUNT(fence); k++)
		ask_all(&s, fence[k], k == 0 ? 1501 : 301);
	scan_all(&s);
	set_close(&s);
}

/* One blob in hundreds of packs, as both types, over several pages. */
static void
test_same_blob(void **state)
{
	static const struct {
		unsigned data, tree;
	} many[] = { { 1, 500 }, { 500, 1 }, { 85, 85 }, { 84, 86 },
	    { 300, 300 }, { 0, 400 }, { 86, 900 } };
	static const size_t fence[] = { 8, 16, 40, 4096 };
	uint64_t seed = 5;
	struct id id, same;
	struct set s;
	size_t i, k, before;

	(void)state;
	for (i = 0; i < COUNT(many); i++) {
		set_open(&s, 5000);
		rng_fill(&seed, same.b, ID_LEN);
		/* The first of them anywhere on its page. */
		for (before = 500 + rng_below(&seed, 200); before > 0;
		    before--) {
			rng_fill(&seed, id.b, ID_LEN);
			set_add(&s, &id, before % 2, &seed);
		}
		for (k = 0; k < many[i].data; k++)
			set_add(&s, &same, BLOB_DATA, &seed);
		for (k = 0; k < many[i].tree; k++)
			set_add(&s, &same, BLOB_TREE, &seed);
		set_write(&s);
		for (k = 0; k < COUNT(fence); k++)
			ask_all(&s, fence[k], k == 3 ? 1 : 7);
		scan_all(&s);
		set_close(&s);
	}
}

/* Ids that somebody chose: alike in front, or all in one corner. */
static void
test_chosen(void **state)
{
	static const size_t fence[] = { 8, 100, 4096 };
	uint64_t seed = 6;
	struct id id;
	struct set s;
	size_t k, n;
	int kind;

	(void)state;
	for (kind = 0; kind < 4; kind++) {
		set_open(&s, 4000);
		for (n = 0; n < 4000; n++) {
			rng_fill(&seed, id.b, ID_LEN);
			switch (kind) {
			case 0:	/* one key, told apart by the last bytes */
				memset(id.b, 0x5a, 30);
				break;
			case 1:	/* two keys */
				memset(id.b, n % 2 ? 0xff : 0, 8);
				break;
			case 2:	/* low, but for one */
				memset(id.b, n == 0 ? 0xff : 0, 6);
				break;
			case 3:	/* few keys, many ids of each */
				memset(id.b, 0, 8);
				id.b[7] = (uint8_t)(n % 7);
				break;
			}
			set_add(&s, &id, n % 3 == 0, &seed);
		}
		set_write(&s);
		for (k = 0; k < COUNT(fence); k++)
			ask_all(&s, fence[k], 13);
		set_close(&s);
	}
}

/* However the ids lie, an answer costs a handful of reads. */
static unsigned long reads;

ssize_t
pread(int fd, void *p, size_t len, off_t off)
{

	reads++;
	return ((ssize_t)syscall(SYS_pread64, fd, p, len, off));
}

static void
test_reads(void **state)
{
	struct err e = ERR_INIT;
	unsigned long most = 0, all = 0, n;
	uint64_t seed = 8;
	struct set s;
	struct run r;
	struct id id;
	int hostile;
	size_t i;

	(void)state;
	for (hostile = 0; hostile < 2; hostile++) {
		set_open(&s, 20000);
		for (i = 0; i < 20000; i++) {
			rng_fill(&seed, id.b, ID_LEN);
			/* The more, the smaller: a guess is always far off. */
			if (hostile)
				memset(id.b, 0, i % 16);
			set_add(&s, &id, BLOB_DATA, &seed);
		}
		set_write(&s);
		assert_ok(run_open(&r, dup(s.fd), 64, &e), &e);
		for (i = all = most = 0; i < s.n; i += 37) {
			memcpy(id.b, s.rec + i * RECORD_LEN, ID_LEN);
			reads = 0;
			assert_int_equal(ask(&s, &r, &id, BLOB_DATA, true),
			    1);
			n = reads;
			all += n;
			if (n > most)
				most = n;
		}
		assert_true(most <= 16);
		if (!hostile)
			assert_true(all <= 3 * (s.n / 37 + 1));
		run_close(&r);
		set_close(&s);
	}
}

/* ---- damage ---- */

static void
flip(int fd, off_t at)
{
	uint8_t b;

	assert_int_equal(pread(fd, &b, 1, at), 1);
	b ^= (uint8_t)(1 << at % 8);
	assert_int_equal(pwrite(fd, &b, 1, at), 1);
}

/* With a byte flipped: each answer is right or ERR_CORRUPT. */
static void
test_flips(void **state)
{
	struct err e = ERR_INIT;
	unsigned refused = 0, noticed = 0, rounds = 0;
	struct run_cursor c;
	const uint8_t *p;
	struct stat st;
	struct set s;
	struct run r;
	struct id id;
	size_t i, n;
	off_t at;
	int rc;

	(void)state;
	set_random(&s, 600, 9);
	assert_int_equal(fstat(s.fd, &st), 0);
	for (at = 0; at < st.st_size; at += 97, rounds++) {
		flip(s.fd, at);
		rc = run_open(&r, dup(s.fd), at % 2 != 0 ? 24 : 4096, &e);
		if (rc != 0) {
			assert_int_equal(rc, ERR_CORRUPT);
			refused++;
			flip(s.fd, at);
			continue;
		}
		for (i = at % 9, n = 0; i < s.n; i += 9) {
			memcpy(id.b, s.rec + i * RECORD_LEN, ID_LEN);
			rc = ask(&s, &r, &id, type_of(s.rec + i * RECORD_LEN),
			    i % 2);
			assert_true(rc == 1 || rc == ERR_CORRUPT);
			n += rc < 0;
			id.b[20] ^= 1;
			rc = ask(&s, &r, &id, i % 2, false);
			assert_true(rc == 0 || rc == ERR_CORRUPT);
			n += rc < 0;
		}
		noticed += n > 0;
		run_begin(&c, &r);
		for (i = 0; (rc = run_next(&c, &p, &e)) > 0; i++)
			assert_memory_equal(p, s.rec + i * RECORD_LEN,
			    RECORD_LEN);
		assert_true(rc == ERR_CORRUPT || (rc == 0 && i == s.n));
		run_close(&r);
		flip(s.fd, at);
	}
	/* All but what lies in the rest of the header's page. */
	assert_true(refused > 0 && noticed > rounds / 2);
	ask_all(&s, 4096, 1);
	set_close(&s);
}

static void
test_cut(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	struct set s;
	struct run r;
	off_t at;

	(void)state;
	set_random(&s, 300, 10);
	assert_int_equal(fstat(s.fd, &st), 0);
	for (at = st.st_size - 1; at >= 0; at -= at > 32 ? 31 : 1) {
		assert_int_equal(ftruncate(s.fd, at), 0);
		assert_rc(run_open(&r, dup(s.fd), 4096, &e), ERR_CORRUPT, &e);
	}
	set_close(&s);
}

/* Pages that were written elsewhere, and a header that promises the sky. */
static void
test_strange(void **state)
{
	struct err e = ERR_INIT;
	uint8_t page[2][4096];
	struct set s;
	struct run r;
	struct id id;
	int fd;

	(void)state;
	set_random(&s, 300, 11);
	assert_int_equal(pread(s.fd, page[0], 4096, 4096), 4096);
	assert_int_equal(pread(s.fd, page[1], 4096, 8192), 4096);
	assert_int_equal(pwrite(s.fd, page[1], 4096, 4096), 4096);
	assert_int_equal(pwrite(s.fd, page[0], 4096, 8192), 4096);
	assert_ok(run_open(&r, dup(s.fd), 4096, &e), &e);
	memcpy(id.b, s.rec, ID_LEN);
	assert_int_equal(ask(&s, &r, &id, type_of(s.rec), true), ERR_CORRUPT);
	run_close(&r);
	set_close(&s);

	fd = new_file();
	rng_fill(&(uint64_t){ 1 }, page, sizeof(page));
	assert_int_equal(pwrite(fd, page, sizeof(page), 0), sizeof(page));
	assert_rc(run_open(&r, fd, 4096, &e), ERR_CORRUPT, &e);
	assert_int_equal(r.fd, -1);
	assert_rc(run_open(&r, -1, 4096, &e), ERR_FAIL, &e);
}

static void
test_writer(void **state)
{
	struct err e = ERR_INIT;
	uint8_t rec[RECORD_LEN] = { 0 };
	struct run_writer *w;
	int fd = new_file(), rc = 0, i;

	(void)state;
	assert_ok(run_writer_new(&w, fd, 2, &e), &e);
	assert_ok(run_writer_add(w, rec, &e), &e);
	assert_rc(run_writer_end(w, &e), ERR_FAIL, &e);
	run_writer_free(w);
	assert_ok(run_writer_new(&w, fd, 0, &e), &e);
	assert_ok(run_writer_add(w, rec, &e), &e);
	assert_rc(run_writer_end(w, &e), ERR_FAIL, &e);
	run_writer_free(w);
	(void)close(fd);

	if (!scratch_small_disk(dir, 64))
		skip();
	fd = new_file();
	assert_ok(run_writer_new(&w, fd, 10000, &e), &e);
	for (i = 0; i < 10000 && rc == 0; i++) {
		rec[0] = (uint8_t)(i >> 8);
		rec[1] = (uint8_t)i;
		rc = run_writer_add(w, rec, &e);
	}
	assert_int_equal(rc, ERR_SPACE);
	run_writer_free(w);
	(void)close(fd);
	(void)umount(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_same_blob),
		cmocka_unit_test(test_chosen),
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_strange),
		cmocka_unit_test(test_writer),
	};

	return (cmocka_run_group_tests_name("state/run", tests, set_up,
	    tear_down));
}
