#include "faces/store_suite.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/rng.h"
#include "unit/scratch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { KIB = 1024, MOST = 300 * KIB };

static const char *const folders[] = { "data", "index", "keys", "locks",
    "snapshots", NULL };

/* ---- helpers ---- */

struct store *
suite_open(struct store_place *place)
{
	struct err e = ERR_INIT;
	struct store *st;

	place->fresh(place);
	assert_ok(place->open(place, &st, &e), &e);
	assert_ok(store_prepare(st, folders, &e), &e);
	return (st);
}

static struct store *
again(struct store_place *place)
{
	struct err e = ERR_INIT;
	struct store *st;

	assert_ok(place->open(place, &st, &e), &e);
	return (st);
}

/* Write ${len} bytes of the stream of ${seed}, in pieces. */
static int
write_some(struct put *p, uint64_t seed, size_t len, struct err *e)
{
	uint8_t *bytes = malloc(len + 1);
	uint64_t cut = seed + 1;
	size_t at, n;
	int rc = 0;

	assert_non_null(bytes);
	rng_fill(&seed, bytes, len);
	for (at = 0; rc == 0 && at < len; at += n) {
		n = rng_below(&cut, 2 * (len / 3) + 2);
		if (n > len - at)
			n = len - at;
		rc = put_write(p, bytes + at, n, e);
	}
	free(bytes);
	return (rc);
}

int
suite_put(struct store *st, const char *dir, const char *name, uint64_t seed,
    size_t len, unsigned flags, struct err *e)
{
	struct put *p;
	int rc;

	if ((rc = store_create(st, dir, &p, e)) != 0)
		return (rc);
	if ((rc = write_some(p, seed, len, e)) == 0)
		rc = put_publish(p, name, flags, e);
	put_free(p);
	return (rc);
}

/* A sink that keeps what comes, up to its size. */
struct basin {
	uint8_t *p;
	size_t len, cap;
	unsigned calls, fail_at; /* the call that is refused; 0: none */
};

static int
pour(void *cookie, const void *p, size_t len, struct err *e)
{
	struct basin *b = cookie;

	if (++b->calls == b->fail_at)
		return (err_set(e, ERR_CANCEL, "enough"));
	if (len > b->cap - b->len)
		return (err_set(e, ERR_LIMIT, "more than was asked for"));
	memcpy(b->p + b->len, p, len);
	b->len += len;
	return (0);
}

static int
get(struct store *st, const char *name, uint64_t off, uint64_t len,
    struct basin *b, struct err *e)
{

	b->len = b->calls = 0;
	return (store_get(st, name, off, len, pour, b, e));
}

void
suite_expect(struct store *st, const char *name, uint64_t seed, size_t len)
{
	uint8_t *want = malloc(len + 1);
	struct basin b = { malloc(len + 1), 0, len + 1, 0, 0 };
	struct err e = ERR_INIT;
	uint64_t size;

	assert_non_null(want);
	assert_non_null(b.p);
	rng_fill(&seed, want, len);
	assert_ok(get(st, name, 0, UINT64_MAX, &b, &e), &e);
	assert_int_equal(b.len, len);
	assert_memory_equal(b.p, want, len);
	assert_ok(store_stat(st, name, &size, &e), &e);
	assert_int_equal(size, len);
	free(want);
	free(b.p);
}

/* What a listing said. */
struct listing {
	char name[64][STORE_NAME_MAX];
	uint64_t size[64];
	unsigned n, stop_at;
};

static int
note(void *cookie, const char *name, uint64_t size, struct err *e)
{
	struct listing *l = cookie;

	if (l->n < COUNT(l->name)) {
		(void)snprintf(l->name[l->n], STORE_NAME_MAX, "%s", name);
		l->size[l->n] = size;
	}
	return (++l->n == l->stop_at ? err_set(e, ERR_CANCEL, "enough") : 0);
}

static struct listing *
list(struct store *st, const char *dir)
{
	static struct listing l;
	struct err e = ERR_INIT;

	memset(&l, 0, sizeof(l));
	assert_ok(store_list(st, dir, note, &l, &e), &e);
	return (&l);
}

unsigned
suite_count(struct store *st, const char *dir)
{

	return (list(st, dir)->n);
}

static bool
listed(const struct listing *l, const char *name, uint64_t size)
{
	unsigned i, n = 0;

	for (i = 0; i < l->n && i < COUNT(l->name); i++)
		n += strcmp(l->name[i], name) == 0 && l->size[i] == size;
	return (n == 1);
}

/* ---- the tests ---- */

static void
test_names(void **state)
{
	static const char *const good[] = { "config", "data/ab/abcd", "a", "...",
	    "..a", "a..", ".a", "a b", "a/b/c/d" };
	static const char *const bad[] = { "", "/", "/a", "a/", "a//b", ".",
	    "..", "./a", "a/.", "a/./b", "../a", "a/..", "a/../b",
	    "data/../../etc" };
	char longest[STORE_NAME_MAX + 1];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		assert_true(store_name_ok(good[i]));
	for (i = 0; i < COUNT(bad); i++)
		assert_false(store_name_ok(bad[i]));
	memset(longest, 'a', sizeof(longest));
	longest[STORE_NAME_MAX - 1] = '\0';
	assert_true(store_name_ok(longest));
	longest[STORE_NAME_MAX - 1] = 'a';
	longest[STORE_NAME_MAX] = '\0';
	assert_false(store_name_ok(longest));
}

/* Such a name gets no further than the face. */
static void
test_names_refused(void **state)
{
	static const char *const bad[] = { "", "../x", "data/../../x", "/x",
	    "data//x", "data/." };
	struct basin b = { NULL, 0, 0, 0, 0 };
	struct store *st = suite_open(*state);
	struct err e = ERR_INIT;
	struct listing l = { .n = 0 };
	struct put *p;
	uint64_t size;
	size_t i;

	for (i = 0; i < COUNT(bad); i++) {
		assert_rc(get(st, bad[i], 0, 1, &b, &e), ERR_USAGE, &e);
		assert_rc(store_stat(st, bad[i], &size, &e), ERR_USAGE, &e);
		assert_rc(store_remove(st, bad[i], &e), ERR_USAGE, &e);
		assert_rc(store_list(st, bad[i], note, &l, &e), ERR_USAGE,
		    &e);
		if (bad[i][0] != '\0')
			assert_rc(store_create(st, bad[i], &p, &e), ERR_USAGE,
			    &e);
	}
	/* An object is not lost by a name that is refused. */
	assert_ok(store_create(st, "data", &p, &e), &e);
	assert_ok(write_some(p, 1, 10, &e), &e);
	for (i = 0; i < COUNT(bad); i++)
		assert_rc(put_publish(p, bad[i], 0, &e), ERR_USAGE, &e);
	assert_ok(put_publish(p, "data/ab/good", 0, &e), &e);
	put_free(p);
	put_free(NULL);
	suite_expect(st, "data/ab/good", 1, 10);
	store_close(st);
	store_close(NULL);
}

/* Opening fails for no absence; and a place that is there may be prepared. */
static void
test_prepare(void **state)
{
	struct store_place *place = *state;
	struct err e = ERR_INIT;
	struct store *st;

	place->fresh(place);
	st = again(place);
	store_close(st);
	st = suite_open(place);
	assert_ok(suite_put(st, "keys", "keys/one", 1, 100, 0, &e), &e);
	assert_ok(store_prepare(st, folders, &e), &e);
	suite_expect(st, "keys/one", 1, 100);
	assert_int_equal(suite_count(st, "data"), 0);
	assert_int_equal(suite_count(st, "keys"), 1);
	store_close(st);
}

static void
test_sizes(void **state)
{
	static const size_t len[] = { 0, 1, 2, 4095, 4096, 32767, 32768, 32769,
	    65536, MOST };
	struct store *st = suite_open(*state), *other;
	struct err e = ERR_INIT;
	char name[40];
	size_t i;

	for (i = 0; i < COUNT(len); i++) {
		(void)snprintf(name, sizeof(name), "data/%02zx/%zu", i,
		    len[i]);
		assert_ok(suite_put(st, "data", name, i, len[i], 0, &e), &e);
		suite_expect(st, name, i, len[i]);
	}
	other = again(*state);
	for (i = 0; i < COUNT(len); i++) {
		(void)snprintf(name, sizeof(name), "data/%02zx/%zu", i,
		    len[i]);
		suite_expect(other, name, i, len[i]);
	}
	store_close(st);
	store_close(other);
}

/* In the place's own folder, too. */
static void
test_top(void **state)
{
	struct store *st = suite_open(*state);
	struct err e = ERR_INIT;

	assert_ok(suite_put(st, "", "config", 5, 155, PUT_NEW, &e), &e);
	suite_expect(st, "config", 5, 155);
	assert_rc(suite_put(st, "", "config", 6, 10, PUT_NEW, &e), ERR_EXISTS,
	    &e);
	suite_expect(st, "config", 5, 155);
	store_close(st);
}

static void
test_ranges(void **state)
{
	enum { LEN = 100000 };
	uint8_t *want = malloc(LEN);
	struct basin b = { malloc(LEN), 0, LEN, 0, 0 };
	struct store *st = suite_open(*state);
	struct err e = ERR_INIT;
	uint64_t seed = 9, off, len;
	int i;

	assert_non_null(want);
	assert_non_null(b.p);
	assert_ok(suite_put(st, "data", "data/ab/x", 9, LEN, 0, &e), &e);
	rng_fill(&seed, want, LEN);
	for (i = 0; i < 300; i++) {
		off = rng_below(&seed, LEN + 1);
		len = rng_below(&seed, LEN - off + 1);
		if (i % 4 == 0 && len > 50)
			len = rng_below(&seed, 50);
		assert_ok(get(st, "data/ab/x", off, len, &b, &e), &e);
		assert_int_equal(b.len, len);
		assert_memory_equal(b.p, want + off, len);
		assert_ok(get(st, "data/ab/x", off, UINT64_MAX, &b, &e), &e);
		assert_int_equal(b.len, LEN - off);
		assert_memory_equal(b.p, want + off, LEN - off);
	}
	/* Nothing of nothing, and what the object does not have. */
	assert_ok(get(st, "data/ab/x", LEN, 0, &b, &e), &e);
	assert_int_equal(b.len, 0);
	assert_rc(get(st, "data/ab/x", LEN, 1, &b, &e), ERR_CORRUPT, &e);
	assert_rc(get(st, "data/ab/x", 0, LEN + 1, &b, &e), ERR_CORRUPT, &e);
	assert_rc(get(st, "data/ab/x", LEN + 1, 1, &b, &e), ERR_CORRUPT, &e);
	assert_true(get(st, "data/ab/x", UINT64_MAX / 2, 1, &b, &e) < 0);
	assert_true(get(st, "data/ab/x", UINT64_MAX - 1, 1, &b, &e) < 0);
	free(want);
	free(b.p);
	store_close(st);
}

static void
test_absent(void **state)
{
	static const char *const name[] = { "config", "data/ab/x", "data/x",
	    "other/x", "keys/a/b" };
	struct store *st = suite_open(*state);
	struct basin b = { NULL, 0, 0, 0, 0 };
	struct err e = ERR_INIT;
	uint64_t size;
	size_t i;

	for (i = 0; i < COUNT(name); i++) {
		assert_rc(get(st, name[i], 0, UINT64_MAX, &b, &e), ERR_ABSENT,
		    &e);
		assert_rc(get(st, name[i], 0, 1, &b, &e), ERR_ABSENT, &e);
		assert_rc(store_stat(st, name[i], &size, &e), ERR_ABSENT, &e);
		assert_ok(store_remove(st, name[i], &e), &e);
	}
	assert_int_equal(suite_count(st, "nowhere"), 0);
	assert_int_equal(suite_count(st, "data/ab"), 0);
	/* A folder is no object. */
	assert_rc(store_stat(st, "data", &size, &e), ERR_ABSENT, &e);
	assert_true(get(st, "data", 0, UINT64_MAX, &b, &e) < 0);
	store_close(st);
}

/* The receiver has the last word. */
static void
test_sink(void **state)
{
	struct store *st = suite_open(*state);
	struct basin b = { malloc(MOST), 0, MOST, 0, 1 };
	struct err e = ERR_INIT;

	assert_non_null(b.p);
	assert_ok(suite_put(st, "data", "data/ab/x", 1, MOST, 0, &e), &e);
	assert_rc(get(st, "data/ab/x", 0, UINT64_MAX, &b, &e), ERR_CANCEL,
	    &e);
	assert_string_equal(e.text, "enough");
	assert_int_equal(b.calls, 1);
	b.fail_at = 0;
	assert_ok(get(st, "data/ab/x", 0, MOST, &b, &e), &e);
	assert_int_equal(b.len, MOST);
	free(b.p);
	store_close(st);
}

/* Until it is published it is nowhere; then it is everywhere, and whole. */
static void
test_unseen(void **state)
{
	struct store *st = suite_open(*state), *other = again(*state);
	struct err e = ERR_INIT;
	struct put *p;
	uint64_t size;
	size_t i;

	for (i = 0; folders[i] != NULL; i++) {
		assert_ok(store_create(st, folders[i], &p, &e), &e);
		assert_int_equal(suite_count(st, folders[i]), 0);
		assert_int_equal(suite_count(other, folders[i]), 0);
		assert_ok(write_some(p, 1, 5000, &e), &e);
		assert_int_equal(suite_count(other, folders[i]), 0);
		put_free(p);
		assert_int_equal(suite_count(st, folders[i]), 0);
	}
	assert_ok(store_create(st, "data", &p, &e), &e);
	assert_ok(write_some(p, 2, 5000, &e), &e);
	assert_rc(store_stat(other, "data/ab/x", &size, &e), ERR_ABSENT, &e);
	assert_ok(put_publish(p, "data/ab/x", 0, &e), &e);
	suite_expect(other, "data/ab/x", 2, 5000);
	put_free(p);
	suite_expect(other, "data/ab/x", 2, 5000);
	assert_int_equal(suite_count(other, "data"), 1);
	store_close(st);
	store_close(other);
}

static void
test_cut(void **state)
{
	struct store *st = suite_open(*state);
	struct basin b = { malloc(MOST), 0, MOST, 0, 0 };
	struct err e = ERR_INIT;
	struct put *p;

	assert_non_null(b.p);
	assert_ok(store_create(st, "data", &p, &e), &e);
	assert_ok(put_cut(p, 0, &e), &e);
	assert_ok(put_write(p, "0123456789", 10, &e), &e);
	assert_ok(put_cut(p, 10, &e), &e);
	assert_ok(put_cut(p, 4, &e), &e);
	assert_ok(put_write(p, "abc", 3, &e), &e);
	assert_ok(put_write(p, "", 0, &e), &e);
	assert_ok(write_some(p, 1, 200000, &e), &e);
	assert_ok(put_cut(p, 7, &e), &e);
	assert_ok(put_write(p, "def", 3, &e), &e);
	assert_ok(put_publish(p, "data/ab/x", 0, &e), &e);
	put_free(p);
	assert_ok(get(st, "data/ab/x", 0, UINT64_MAX, &b, &e), &e);
	assert_int_equal(b.len, 10);
	assert_memory_equal(b.p, "0123abcdef", 10);

	assert_ok(store_create(st, "data", &p, &e), &e);
	assert_ok(write_some(p, 1, 200000, &e), &e);
	assert_ok(put_cut(p, 0, &e), &e);
	assert_ok(put_publish(p, "data/ab/empty", 0, &e), &e);
	put_free(p);
	suite_expect(st, "data/ab/empty", 1, 0);
	free(b.p);
	store_close(st);
}

/* A name that is published again is the new object, to whoever read the old. */
static void
test_replace(void **state)
{
	struct store *st = suite_open(*state), *other = again(*state);
	struct err e = ERR_INIT;
	uint64_t i;

	for (i = 1; i < 5; i++) {
		assert_ok(suite_put(i % 2 != 0 ? st : other, "data",
		    "data/ab/x", i, 1000 * (5 - i), 0, &e), &e);
		suite_expect(st, "data/ab/x", i, 1000 * (5 - i));
		suite_expect(other, "data/ab/x", i, 1000 * (5 - i));
		assert_int_equal(suite_count(st, "data"), 1);
	}
	for (i = 1; i < 5; i++) {
		assert_ok(suite_put(st, "data", "data/ab/x", i, 1000, 0, &e),
		    &e);
		suite_expect(st, "data/ab/x", i, 1000);
	}
	store_close(st);
	store_close(other);
}

static void
test_new(void **state)
{
	struct store *st = suite_open(*state), *other = again(*state);
	struct err e = ERR_INIT;
	struct put *p;

	assert_ok(suite_put(st, "keys", "keys/a", 1, 100, PUT_NEW, &e), &e);
	assert_rc(suite_put(st, "keys", "keys/a", 2, 50, PUT_NEW, &e),
	    ERR_EXISTS, &e);
	assert_rc(suite_put(other, "keys", "keys/a", 2, 50, PUT_NEW, &e),
	    ERR_EXISTS, &e);
	suite_expect(st, "keys/a", 1, 100);
	suite_expect(other, "keys/a", 1, 100);
	/* Refused, it can take another name. */
	assert_ok(store_create(st, "keys", &p, &e), &e);
	assert_ok(write_some(p, 3, 70, &e), &e);
	assert_rc(put_publish(p, "keys/a", PUT_NEW, &e), ERR_EXISTS, &e);
	assert_ok(put_publish(p, "keys/b", PUT_NEW, &e), &e);
	put_free(p);
	suite_expect(st, "keys/b", 3, 70);
	assert_int_equal(suite_count(st, "keys"), 2);
	/* What was removed is not taken. */
	assert_ok(store_remove(st, "keys/a", &e), &e);
	assert_ok(suite_put(other, "keys", "keys/a", 4, 20, PUT_NEW, &e), &e);
	suite_expect(st, "keys/a", 4, 20);
	store_close(st);
	store_close(other);
}

static void
test_list(void **state)
{
	struct store *st = suite_open(*state);
	struct err e = ERR_INIT;
	struct listing *l, stop;
	char name[80];
	unsigned i;

	assert_ok(suite_put(st, "keys", "keys/k", 1, 7, 0, &e), &e);
	assert_ok(suite_put(st, "", "config", 1, 8, 0, &e), &e);
	for (i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "data/%02x/%064x", i % 7,
		    i);
		assert_ok(suite_put(st, "data", name, i, i * 10, 0, &e), &e);
	}
	l = list(st, "data");
	assert_int_equal(l->n, 40);
	for (i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "data/%02x/%064x", i % 7,
		    i);
		assert_true(listed(l, name, i * 10));
	}
	l = list(st, "keys");
	assert_int_equal(l->n, 1);
	assert_true(listed(l, "keys/k", 7));
	l = list(st, "data/03");
	assert_int_equal(l->n, 6);
	assert_true(listed(l, "data/03/000000000000000000000000000000000000000"
	    "0000000000000000000000003", 30));
	assert_int_equal(suite_count(st, "index"), 0);

	memset(&stop, 0, sizeof(stop));
	stop.stop_at = 5;
	assert_rc(store_list(st, "data", note, &stop, &e), ERR_CANCEL, &e);
	assert_string_equal(e.text, "enough");
	assert_int_equal(stop.n, 5);
	store_close(st);
}

static void
test_remove(void **state)
{
	struct store *st = suite_open(*state), *other = again(*state);
	struct basin b = { NULL, 0, 0, 0, 0 };
	struct err e = ERR_INIT;
	uint64_t size;

	assert_ok(suite_put(st, "locks", "locks/a", 1, 100, 0, &e), &e);
	assert_ok(suite_put(st, "locks", "locks/b", 2, 100, 0, &e), &e);
	suite_expect(st, "locks/a", 1, 100);
	suite_expect(other, "locks/a", 1, 100);
	assert_ok(store_remove(st, "locks/a", &e), &e);
	assert_rc(get(st, "locks/a", 0, 1, &b, &e), ERR_ABSENT, &e);
	assert_rc(get(other, "locks/a", 0, 1, &b, &e), ERR_ABSENT, &e);
	assert_rc(store_stat(st, "locks/a", &size, &e), ERR_ABSENT, &e);
	assert_int_equal(suite_count(st, "locks"), 1);
	assert_ok(store_remove(st, "locks/a", &e), &e);
	assert_ok(store_remove(other, "locks/a", &e), &e);
	assert_ok(store_remove(other, "locks/b", &e), &e);
	assert_ok(store_settle(st, "locks", &e), &e);
	assert_ok(store_settle(st, "nothing", &e), &e);
	assert_rc(store_settle(st, "../locks", &e), ERR_USAGE, &e);
	assert_int_equal(suite_count(st, "locks"), 0);
	assert_ok(suite_put(st, "locks", "locks/a", 3, 50, 0, &e), &e);
	suite_expect(st, "locks/a", 3, 50);
	suite_expect(other, "locks/a", 3, 50);
	store_close(st);
	store_close(other);
}

/* A sink that reads the next object, so that many are being read at once. */
struct nested {
	struct store *st;
	unsigned depth, most;
};

static int
read_next(void *cookie, const void *p, size_t len, struct err *e)
{
	struct nested *n = cookie;
	char name[40];
	int rc;

	(void)p;
	if (len != 10)
		return (err_set(e, ERR_FAIL, "%zu bytes of 10", len));
	if (n->depth == n->most)
		return (0);
	(void)snprintf(name, sizeof(name), "data/ab/%u", ++n->depth);
	rc = store_get(n->st, name, 0, 10, read_next, n, e);
	return (rc);
}

static void
test_nested(void **state)
{
	enum { DEPTH = 20 };
	struct store *st = suite_open(*state);
	struct nested n = { st, 0, DEPTH };
	struct err e = ERR_INIT;
	char name[40];
	unsigned i;

	for (i = 0; i <= DEPTH; i++) {
		(void)snprintf(name, sizeof(name), "data/ab/%u", i);
		assert_ok(suite_put(st, "data", name, i, 10, 0, &e), &e);
	}
	assert_ok(store_get(st, "data/ab/0", 0, 10, read_next, &n, &e), &e);
	assert_int_equal(n.depth, DEPTH);
	/* And in turns, more than any store keeps open. */
	for (i = 0; i < 5 * DEPTH; i++) {
		(void)snprintf(name, sizeof(name), "data/ab/%u",
		    i * 7 % (DEPTH + 1));
		suite_expect(st, name, i * 7 % (DEPTH + 1), 10);
	}
	store_close(st);
}

/* ---- many at once ---- */

enum { WORKERS = 6, ROUNDS = 25 };

struct worker {
	pthread_t thread;
	struct store *st;
	unsigned no;
	const char *failed;  /* the step that did, or NULL */
	struct err e;
};

static int
count_one(void *cookie, const char *name, uint64_t size, struct err *e)
{

	(void)cookie;
	(void)name;
	(void)size;
	(void)e;
	return (0);
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	uint8_t want[3000], got[3000];
	struct basin b = { got, 0, sizeof(got), 0, 0 };
	uint64_t seed;
	char name[60];
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		(void)snprintf(name, sizeof(name), "data/%02x/%u-%u", i % 5,
		    w->no, i);
		w->failed = "put";
		if (suite_put(w->st, "data", name, w->no * 100 + i,
		    sizeof(want), i % 2 != 0 ? PUT_NEW : 0, &w->e) != 0)
			return (NULL);
		seed = w->no * 100 + i;
		rng_fill(&seed, want, sizeof(want));
		w->failed = "get";
		if (get(w->st, name, 0, UINT64_MAX, &b, &w->e) != 0)
			return (NULL);
		w->failed = "compare";
		if (b.len != sizeof(want) ||
		    memcmp(got, want, sizeof(want)) != 0)
			return (NULL);
		w->failed = "list";
		if (store_list(w->st, "data", count_one, NULL, &w->e) != 0)
			return (NULL);
		w->failed = "remove";
		if (i % 3 == 0 && store_remove(w->st, name, &w->e) != 0)
			return (NULL);
	}
	w->failed = NULL;
	return (NULL);
}

static void
test_threads(void **state)
{
	static struct worker w[WORKERS];
	struct store *st = suite_open(*state), *other = again(*state);
	struct err e = ERR_INIT;
	unsigned i;

	assert_ok(suite_put(st, "data", "data/00/start", 0, 10, 0, &e), &e);
	memset(w, 0, sizeof(w));
	for (i = 0; i < WORKERS; i++) {
		w[i].st = i % 3 != 0 ? st : other;
		w[i].no = i;
		assert_int_equal(pthread_create(&w[i].thread, NULL, work,
		    &w[i]), 0);
	}
	for (i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
	for (i = 0; i < WORKERS; i++)
		if (w[i].failed != NULL)
			fail_msg("%s: %s", w[i].failed, w[i].e.text);
	/* Of 25 rounds, 9 were removed again. */
	assert_int_equal(suite_count(st, "data"), 1 + WORKERS * 16);
	store_close(st);
	store_close(other);
}

/* Of many who publish one name as new, one does. */
static void *
race(void *arg)
{
	struct worker *w = arg;
	unsigned i, won = 0;
	char name[40];
	int rc;

	w->failed = NULL;
	for (i = 0; i < ROUNDS; i++) {
		(void)snprintf(name, sizeof(name), "keys/%u", i);
		rc = suite_put(w->st, "keys", name, w->no, 100, PUT_NEW,
		    &w->e);
		if (rc != 0 && rc != ERR_EXISTS)
			w->failed = "put";
		won += rc == 0;
	}
	w->no = won;
	return (NULL);
}

static void
test_race(void **state)
{
	static struct worker w[WORKERS];
	struct store *st = suite_open(*state), *other = again(*state);
	unsigned i, won = 0;

	memset(w, 0, sizeof(w));
	for (i = 0; i < WORKERS; i++) {
		w[i].st = i % 2 != 0 ? st : other;
		assert_int_equal(pthread_create(&w[i].thread, NULL, race,
		    &w[i]), 0);
	}
	for (i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
	for (i = 0; i < WORKERS; i++) {
		if (w[i].failed != NULL)
			fail_msg("%s", w[i].e.text);
		won += w[i].no;
	}
	assert_int_equal(won, ROUNDS);
	assert_int_equal(suite_count(st, "keys"), ROUNDS);
	store_close(st);
	store_close(other);
}

/* ---- all of them ---- */

static struct store_place *the_place;

static int
bring_place(void **state)
{

	*state = the_place;
	return (0);
}

int
store_suite(const char *name, struct store_place *place)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_refused),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_sink),
		cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_race),
	};

	the_place = place;
	return (cmocka_run_group_tests_name(name, tests, bring_place, NULL));
}
