#include "stream/slab.h"

#include <stdlib.h>
#include <sys/mman.h>

int
slab_pool_open(struct slab_pool *pool, unsigned n, struct err *e)
{
	size_t len = (size_t)n * (SLAB_LEN + SLAB_HEAD);
	unsigned i;

	if ((pool->slab = calloc(n, sizeof(*pool->slab))) == NULL)
		return (err_nomem(e));
	/* Straight from the kernel: what a small run never touches costs 0. */
	pool->mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pool->mem == MAP_FAILED) {
		free(pool->slab);
		pool->slab = NULL;
		return (err_nomem(e));
	}
	pool->n = pool->n_free = n;
	for (i = 0; i < n; i++)
		pool->slab[i].next = (uint16_t)(i + 1 < n ? i + 1 : SLAB_NONE);
	pool->free = 0;
	pool->stopped = false;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->freed, NULL);
	return (0);
}

void
slab_pool_close(struct slab_pool *pool)
{

	if (pool->slab == NULL)
		return;
	(void)munmap(pool->mem, (size_t)pool->n * (SLAB_LEN + SLAB_HEAD));
	free(pool->slab);
	pool->slab = NULL;
	pthread_mutex_destroy(&pool->lock);
	pthread_cond_destroy(&pool->freed);
}

void
slab_pool_stop(struct slab_pool *pool)
{

	pthread_mutex_lock(&pool->lock);
	pool->stopped = true;
	pthread_cond_broadcast(&pool->freed);
	pthread_mutex_unlock(&pool->lock);
}

/* Wait for ${n} free slabs and unlink them, as a chain. */
static int
take(struct slab_pool *pool, unsigned n, uint16_t *ret, struct err *e)
{
	uint16_t first, last;
	unsigned i;

	pthread_mutex_lock(&pool->lock);
	while (pool->n_free < n && !pool->stopped)
		pthread_cond_wait(&pool->freed, &pool->lock);
	if (pool->stopped) {
		pthread_mutex_unlock(&pool->lock);
		return (err_set(e, ERR_CANCEL, "stopped"));
	}
	first = last = pool->free;
	for (i = 1;; i++) {
		atomic_store_explicit(&pool->slab[last].refs, 1,
		    memory_order_relaxed);
		if (i == n)
			break;
		last = pool->slab[last].next;
	}
	pool->free = pool->slab[last].next;
	pool->slab[last].next = SLAB_NONE;
	pool->n_free -= n;
	pthread_mutex_unlock(&pool->lock);
	*ret = first;
	return (0);
}

int
slab_get(struct slab_pool *pool, uint16_t *ret, struct err *e)
{

	return (take(pool, 1, ret, e));
}

int
slab_get_chunk(struct slab_pool *pool, uint32_t len, struct chunk *ret,
    struct err *e)
{
	unsigned n = len / SLAB_LEN + (len % SLAB_LEN != 0);
	int rc;

	ret->slab = SLAB_NONE;
	ret->off = 0;
	ret->len = 0;
	if (n > pool->n)
		return (err_set(e, ERR_LIMIT,
		    "%u bytes do not fit the pool of %u slabs", len, pool->n));
	if (n > 0 && (rc = take(pool, n, &ret->slab, e)) != 0)
		return (rc);
	ret->len = len;
	return (0);
}

void
slab_ref(struct slab_pool *pool, uint16_t slab)
{

	atomic_fetch_add_explicit(&pool->slab[slab].refs, 1,
	    memory_order_relaxed);
}

void
slab_unref(struct slab_pool *pool, uint16_t slab)
{

	if (atomic_fetch_sub_explicit(&pool->slab[slab].refs, 1,
	    memory_order_acq_rel) != 1)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->slab[slab].next = pool->free;
	pool->free = slab;
	pool->n_free++;
	/* Those who wait want different amounts: let each look. */
	pthread_cond_broadcast(&pool->freed);
	pthread_mutex_unlock(&pool->lock);
}

void
chunk_free(struct slab_pool *pool, const struct chunk *c)
{
	uint32_t left = c->len, off = c->off, n;
	uint16_t slab = c->slab, next;

	while (left > 0) {
		n = SLAB_LEN - off;
		next = left > n ? pool->slab[slab].next : SLAB_NONE;
		slab_unref(pool, slab);
		if (left <= n)
			break;
		left -= n;
		off = 0;
		slab = next;
	}
}
