/*
 * Slabs: walks against a plain array, references to shared edges, lengths that
 * are lies, and a reader with workers that wait for each other. Meant to run
 * with the thread sanitizer too.
 */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "stream/slab.h"
#include "unit/rng.h"
#include "unit/scratch.h"

enum { SLABS = 12 };

static void
assert_free(struct slab_pool *pool, unsigned n)
{
	unsigned found = 0;
	uint16_t s;

	assert_int_equal(pool->n_free, n);
	for (s = pool->free; s != SLAB_NONE; s = pool->slab[s].next) {
		assert_int_equal(pool->slab[s].refs, 0);
		found++;
	}
	assert_int_equal(found, n);
}

static void
test_take(void **state)
{
	struct err e = ERR_INIT;
	struct slab_pool pool;
	bool seen[SLABS] = { false };
	uint16_t slab[SLABS];
	int i;

	(void)state;
	assert_ok(slab_pool_open(&pool, SLABS, &e), &e);
	assert_int_equal(slab_pool_max(&pool), SLABS * SLAB_LEN);
	for (i = 0; i < SLABS; i++) {
		assert_ok(slab_get(&pool, &slab[i], &e), &e);
		assert_true(slab[i] < SLABS && !seen[slab[i]]);
		seen[slab[i]] = true;
		assert_int_equal(pool.slab[slab[i]].refs, 1);
		/* All of it is ours, its head too. */
		memset(slab_data(&pool, slab[i]) - SLAB_HEAD, i,
		    SLAB_HEAD + SLAB_LEN);
	}
	for (i = 0; i < SLABS; i++) {
		assert_int_equal(slab_data(&pool, slab[i])[-SLAB_HEAD], i);
		assert_int_equal(slab_data(&pool, slab[i])[SLAB_LEN - 1], i);
	}
	assert_free(&pool, 0);
	slab_ref(&pool, slab[3]);
	for (i = 0; i < SLABS; i++)
		slab_unref(&pool, slab[i]);
	assert_free(&pool, SLABS - 1);
	slab_unref(&pool, slab[3]);
	assert_free(&pool, SLABS);
	slab_pool_close(&pool);
	slab_pool_close(&pool);
}

static void
test_get_chunk(void **state)
{
	static const struct {
		uint32_t len;
		unsigned slabs;
	} cases[] = {
		{ 0, 0 }, { 1, 1 }, { SLAB_LEN - 1, 1 }, { SLAB_LEN, 1 },
		{ SLAB_LEN + 1, 2 }, { SLABS * SLAB_LEN, SLABS },
	};
	static const uint32_t too_long[] = {
		SLABS * SLAB_LEN + 1, 1u << 31, UINT32_MAX - SLAB_LEN,
		UINT32_MAX - SLAB_LEN + 1, UINT32_MAX - SLAB_LEN + 2,
		UINT32_MAX - 1, UINT32_MAX,
	};
	struct err e = ERR_INIT;
	struct slab_pool pool;
	struct chunk_walk w;
	struct chunk c;
	uint8_t *p;
	size_t i, n, sum;

	(void)state;
	assert_ok(slab_pool_open(&pool, SLABS, &e), &e);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(slab_get_chunk(&pool, cases[i].len, &c, &e), &e);
		assert_free(&pool, SLABS - cases[i].slabs);
		w = chunk_walk(&pool, &c);
		for (sum = 0; chunk_next(&w, &p, &n); sum += n)
			memset(p, 1, n);
		assert_int_equal(sum, cases[i].len);
		chunk_free(&pool, &c);
		assert_free(&pool, SLABS);
	}
	/* Lengths come out of files: none may wrap around to a small one. */
	for (i = 0; i < sizeof(too_long) / sizeof(too_long[0]); i++) {
		assert_rc(slab_get_chunk(&pool, too_long[i], &c, &e),
		    ERR_LIMIT, &e);
		chunk_free(&pool, &c);
		assert_free(&pool, SLABS);
	}
	slab_pool_close(&pool);
}

/* Nothing was opened, so there is nothing to close. */
static void
test_no_memory(void **state)
{
	struct err e = ERR_INIT;
	struct slab_pool pool;
	int rc;

	(void)state;
	/* A TiB is refused, unless the kernel was told to believe anything. */
	memset(&pool, 0xff, sizeof(pool));
	rc = slab_pool_open(&pool, 1u << 24, &e);
	if (rc == 0) {
		slab_pool_close(&pool);
		skip();
	}
	assert_int_equal(rc, ERR_NOMEM);
	slab_pool_close(&pool);
}

/*
 * A stream of 8 slabs, cut at random: each chunk names its stretch, and the
 * walk goes over exactly those bytes, which can be changed in place.
 */
static void
test_walk(void **state)
{
	enum { LEN = 8 * SLAB_LEN };
	uint8_t *model = malloc(LEN), *p;
	struct err e = ERR_INIT;
	struct slab_pool pool;
	struct chunk_walk w;
	struct chunk all, c;
	uint64_t seed = 1;
	uint32_t at;
	size_t n, i;
	int round;

	(void)state;
	assert_non_null(model);
	assert_ok(slab_pool_open(&pool, SLABS, &e), &e);
	assert_ok(slab_get_chunk(&pool, LEN, &all, &e), &e);
	rng_fill(&seed, model, LEN);
	w = chunk_walk(&pool, &all);
	for (at = 0; chunk_next(&w, &p, &n); at += (uint32_t)n)
		memcpy(p, model + at, n);
	for (round = 0; round < 500; round++) {
		at = (uint32_t)rng_below(&seed, LEN + 1);
		if (round % 4 == 0)	/* borders */
			at = at / SLAB_LEN * SLAB_LEN;
		c.len = (uint32_t)rng_below(&seed, LEN - at + 1);
		if (round % 5 == 0)
			c.len = c.len / SLAB_LEN * SLAB_LEN;
		c.off = at % SLAB_LEN;
		for (c.slab = all.slab, i = 0; i < at / SLAB_LEN; i++)
			c.slab = pool.slab[c.slab].next;
		w = chunk_walk(&pool, &c);
		for (i = 0; chunk_next(&w, &p, &n); i += n) {
			assert_true(n > 0 && n <= c.len - i);
			assert_memory_equal(p, model + at + i, n);
			p[0] ^= 0x55;
			model[at + i] ^= 0x55;
		}
		assert_int_equal(i, c.len);
		assert_false(chunk_next(&w, &p, &n));
	}
	chunk_free(&pool, &all);
	assert_free(&pool, SLABS);
	slab_pool_close(&pool);
	free(model);
}

/* ---- a reader and workers ---- */

/* The queue between them, as large as all chunks. */
struct pipeline {
	struct slab_pool pool;
	pthread_mutex_t lock;
	pthread_cond_t grew;
	struct chunk chunk[4096];
	uint64_t at[4096];   /* where each begins in the stream */
	unsigned head, tail;
	bool over;
	uint64_t length;     /* of the stream */
	uint64_t seen;       /* bytes that workers walked over */
	unsigned wrong;      /* bytes that were not what they must be */
};

/* The byte at a position of the stream: what it is tells where it was. */
static uint8_t
byte_at(uint64_t pos)
{

	return ((uint8_t)(pos ^ pos >> 8 ^ pos >> 16));
}

static void
hand_over(struct pipeline *l, const struct chunk *c, uint64_t end)
{

	pthread_mutex_lock(&l->lock);
	l->at[l->tail] = end - c->len;
	l->chunk[l->tail++] = *c;
	pthread_cond_signal(&l->grew);
	pthread_mutex_unlock(&l->lock);
}

/* Reads as the saver does: each chunk holds a reference to what it touches. */
static void *
reader(void *arg)
{
	struct pipeline *l = arg;
	struct chunk c = { SLAB_NONE, 0, 0 };
	uint16_t slab = SLAB_NONE, fresh;
	uint32_t fill = SLAB_LEN;
	uint64_t pos, seed = 2;
	size_t cut = 1 + rng_below(&seed, 4 * SLAB_LEN);

	for (pos = 0; pos < l->length; pos++) {
		if (fill == SLAB_LEN) {
			if (slab_get(&l->pool, &fresh, NULL) != 0)
				return (NULL);
			if (slab != SLAB_NONE) {
				memcpy(slab_data(&l->pool, fresh) - SLAB_HEAD,
				    slab_data(&l->pool, slab) + SLAB_LEN -
				    SLAB_HEAD, SLAB_HEAD);
				l->pool.slab[slab].next = fresh;
				slab_unref(&l->pool, slab);
			}
			if (c.len > 0)
				slab_ref(&l->pool, fresh);
			slab = fresh;
			fill = 0;
		}
		if (c.len == 0) {
			c.slab = slab;
			c.off = fill;
			slab_ref(&l->pool, slab);
		}
		slab_data(&l->pool, slab)[fill++] = byte_at(pos);
		if (++c.len < cut && pos + 1 < l->length)
			continue;
		hand_over(l, &c, pos + 1);
		c.len = 0;
		cut = 1 + rng_below(&seed, 4 * SLAB_LEN);
	}
	if (slab != SLAB_NONE)
		slab_unref(&l->pool, slab);
	pthread_mutex_lock(&l->lock);
	l->over = true;
	pthread_cond_broadcast(&l->grew);
	pthread_mutex_unlock(&l->lock);
	return (NULL);
}

/* Walks over chunks and looks at each byte. */
static void *
worker(void *arg)
{
	struct pipeline *l = arg;
	struct chunk_walk w;
	struct chunk c;
	uint64_t seen = 0, at;
	unsigned wrong = 0;
	uint8_t *p;
	size_t n, i;

	for (;;) {
		pthread_mutex_lock(&l->lock);
		while (l->head == l->tail && !l->over)
			pthread_cond_wait(&l->grew, &l->lock);
		if (l->head == l->tail)
			break;
		at = l->at[l->head];
		c = l->chunk[l->head++];
		pthread_mutex_unlock(&l->lock);
		w = chunk_walk(&l->pool, &c);
		for (; chunk_next(&w, &p, &n); seen += n, at += n)
			for (i = 0; i < n; i++)
				wrong += p[i] != byte_at(at + i);
		chunk_free(&l->pool, &c);
	}
	l->seen += seen;
	l->wrong += wrong;
	pthread_mutex_unlock(&l->lock);
	return (NULL);
}

static void
pipeline_open(struct pipeline *l, uint64_t length)
{
	struct err e = ERR_INIT;

	memset(l, 0, sizeof(*l));
	l->length = length;
	assert_ok(slab_pool_open(&l->pool, SLABS, &e), &e);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->grew, NULL);
}

static void
pipeline_close(struct pipeline *l)
{

	slab_pool_close(&l->pool);
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->grew);
}

static void
test_back_pressure(void **state)
{
	static struct pipeline l;
	pthread_t r, w[3];
	int i;

	(void)state;
	pipeline_open(&l, 24 << 20);
	assert_int_equal(pthread_create(&r, NULL, reader, &l), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&w[i], NULL, worker, &l), 0);
	assert_int_equal(pthread_join(r, NULL), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_join(w[i], NULL), 0);
	assert_int_equal(l.seen, l.length);
	assert_int_equal(l.wrong, 0);
	assert_free(&l.pool, SLABS);
	pipeline_close(&l);
}

/* Many take many at once, of all sizes, and all get theirs in the end. */
static void *
taker(void *arg)
{
	static _Atomic uint64_t takers;
	struct slab_pool *pool = arg;
	uint64_t seed = ++takers;
	struct chunk_walk w;
	struct chunk c;
	uint8_t *p, mark;
	size_t n;
	int i;

	for (i = 0; i < 300; i++) {
		if (slab_get_chunk(pool, (uint32_t)rng_below(&seed, SLABS *
		    SLAB_LEN + 1), &c, NULL) != 0)
			return (arg);
		mark = (uint8_t)rng_next(&seed);
		w = chunk_walk(pool, &c);
		while (chunk_next(&w, &p, &n))
			p[0] = p[n - 1] = mark;
		w = chunk_walk(pool, &c);
		while (chunk_next(&w, &p, &n))
			if (p[0] != mark || p[n - 1] != mark)
				return (arg);
		chunk_free(pool, &c);
	}
	return (NULL);
}

static void
test_many_takers(void **state)
{
	struct err e = ERR_INIT;
	struct slab_pool pool;
	pthread_t t[6];
	void *ret;
	int i;

	(void)state;
	assert_ok(slab_pool_open(&pool, SLABS, &e), &e);
	for (i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&t[i], NULL, taker, &pool), 0);
	for (i = 0; i < 6; i++) {
		assert_int_equal(pthread_join(t[i], &ret), 0);
		assert_null(ret);
	}
	assert_free(&pool, SLABS);
	slab_pool_close(&pool);
}

static void *
waiter(void *arg)
{
	struct err e = ERR_INIT;
	struct chunk c;
	int rc;

	rc = slab_get_chunk(arg, 2 * SLAB_LEN, &c, &e);
	chunk_free(arg, &c);
	return (rc == ERR_CANCEL ? NULL : arg);
}

static void
test_stop(void **state)
{
	const struct timespec moment = { 0, 20 * 1000 * 1000 };
	struct err e = ERR_INIT;
	struct slab_pool pool;
	struct chunk most, c;
	pthread_t t[4];
	uint16_t slab;
	void *ret;
	int i;

	(void)state;
	assert_ok(slab_pool_open(&pool, SLABS, &e), &e);
	assert_ok(slab_get_chunk(&pool, (SLABS - 1) * SLAB_LEN, &most, &e),
	    &e);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, waiter, &pool),
		    0);
	(void)nanosleep(&moment, NULL);
	slab_pool_stop(&pool);
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(t[i], &ret), 0);
		assert_null(ret);
	}
	assert_rc(slab_get(&pool, &slab, &e), ERR_CANCEL, &e);
	assert_rc(slab_get_chunk(&pool, 1, &c, &e), ERR_CANCEL, &e);
	chunk_free(&pool, &c);
	chunk_free(&pool, &most);
	assert_free(&pool, SLABS);
	slab_pool_close(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_get_chunk),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_many_takers),
		cmocka_unit_test(test_stop),
	};

	return (cmocka_run_group_tests_name("stream/slab", tests, NULL,
	    NULL));
}
