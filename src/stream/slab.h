#ifndef STREAM_SLAB_H
#define STREAM_SLAB_H

/*
 * Bytes in flight live in a fixed pool of slabs of 64 KiB. A stream fills slab
 * after slab, each linked to the next; a chunk is a stretch of that chain and
 * may begin and end in the middle of a slab. Each chunk, and the writer of the
 * stream, holds a reference to every slab it touches; the last one to let go
 * returns it. When the pool is empty, slab_get waits: that is the back-pressure
 * of the whole pipeline.
 *
 * Deadlock: only one unfinished chunk may hold slabs while waiting for more (the
 * reader's), or a holder takes all it needs in one slab_get_chunk.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SLAB_LEN 65536
#define SLAB_HEAD 64    /* bytes in front of each slab: the tail of the one
			   before, so that a rolling hash can run up to it */
#define SLAB_NONE UINT16_MAX

struct slab {
	_Atomic uint16_t refs;
	uint16_t next;       /* the slab that continues this one's stream */
};

struct slab_pool {
	uint8_t *mem;        /* one block, not touched before it is used */
	struct slab *slab;
	unsigned n;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	uint16_t free;       /* a list through next */
	unsigned n_free;
	bool stopped;        /* waiters give up */
};

/* A stretch of linked slabs. */
struct chunk {
	uint16_t slab;       /* the first; SLAB_NONE when len is 0 */
	uint32_t off;        /* where it begins in that slab */
	uint32_t len;        /* bytes in all */
};

/**
 * slab_pool_open(pool, n, e):
 * A pool of ${n} slabs, less than SLAB_NONE. Return 0, or ERR_NOMEM, after which
 * slab_pool_close is fine.
 */
int slab_pool_open(struct slab_pool *pool, unsigned n, struct err *e);
void slab_pool_close(struct slab_pool *pool);

/* Wake all who wait for a slab and refuse from now on. */
void slab_pool_stop(struct slab_pool *pool);

/**
 * slab_get(pool, ret, e):
 * Take a slab with one reference; waits for one. Return 0, or ERR_CANCEL after
 * slab_pool_stop.
 */
int slab_get(struct slab_pool *pool, uint16_t *ret, struct err *e);

/**
 * slab_get_chunk(pool, len, ret, e):
 * Take a linked chain for ${len} bytes at once, or wait until that many are
 * free. Return 0, ERR_CANCEL, or ERR_LIMIT when the pool is too small ever to
 * hold it; the chunk is empty then. Release it with chunk_free.
 */
int slab_get_chunk(struct slab_pool *pool, uint32_t len, struct chunk *ret,
    struct err *e);

/* The most bytes that slab_get_chunk can ever give. */
static inline size_t
slab_pool_max(const struct slab_pool *pool)
{

	return ((size_t)pool->n * SLAB_LEN);
}

void slab_ref(struct slab_pool *pool, uint16_t slab);
void slab_unref(struct slab_pool *pool, uint16_t slab);

static inline uint8_t *
slab_data(const struct slab_pool *pool, uint16_t slab)
{

	return (pool->mem + (size_t)slab * (SLAB_LEN + SLAB_HEAD) + SLAB_HEAD);
}

/* ---- chunks ---- */

/* Let go of every slab that the chunk touches. */
void chunk_free(struct slab_pool *pool, const struct chunk *c);

/* Walks a chunk's bytes, piece by piece in order. */
struct chunk_walk {
	const struct slab_pool *pool;
	uint16_t slab;
	uint32_t off;
	uint32_t left;
};

static inline struct chunk_walk
chunk_walk(const struct slab_pool *pool, const struct chunk *c)
{
	struct chunk_walk w = { pool, c->slab, c->off, c->len };

	return (w);
}

/* The next piece: false at the end. The bytes may be changed in place. */
static inline bool
chunk_next(struct chunk_walk *w, uint8_t **ret, size_t *ret_len)
{
	uint32_t n = SLAB_LEN - w->off;

	if (w->left == 0)
		return (false);
	if (n > w->left)
		n = w->left;
	*ret = slab_data(w->pool, w->slab) + w->off;
	*ret_len = n;
	w->left -= n;
	w->off = 0;
	if (w->left > 0)
		w->slab = w->pool->slab[w->slab].next;
	return (true);
}

#endif /* STREAM_SLAB_H */
