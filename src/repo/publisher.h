#ifndef REPO_PUBLISHER_H
#define REPO_PUBLISHER_H

/*
 * A thread that makes finished packs durable (fsync, rename) while those who fill
 * them go on, and writes the index behind them.
 */

#include <pthread.h>

#include "repo/index.h"
#include "repo/pack.h"

enum { PUBLISHER_PACKS = 2 }; /* that wait; more make their writers wait */

struct publisher {
	struct repo *r;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t more, room;
	struct pack_done done[PUBLISHER_PACKS];
	unsigned first, n;
	bool closed;         /* no more packs will come */
	bool stopped;        /* give up what waits */
	struct index_writer index;
	uint64_t packs, bytes; /* published */
	int rc;              /* the first failure */
	struct err why;
	/* Told of it, from the thread. */
	void (*failed)(void *cookie, const struct err *why);
	void *cookie;
};

/**
 * publisher_open(p, r, failed, cookie, e):
 * Start it. ${failed} may be NULL. Return 0 or ERR_*; close it also then.
 */
int publisher_open(struct publisher *p, struct repo *r,
    void (*failed)(void *cookie, const struct err *why), void *cookie,
    struct err *e);

/**
 * publisher_add(p, d, e):
 * Hand over a finished pack, which is the publisher's from then on, also after a
 * failure; waits while others are in line. From any thread. Return 0, or the
 * publisher's own failure.
 */
int publisher_add(struct publisher *p, struct pack_done *d, struct err *e);

/* Give up: wake who waits and drop what is in line. From any thread. */
void publisher_stop(struct publisher *p);

/**
 * publisher_end(p, e):
 * No more packs come: publish what is in line and write the index. After 0 all
 * that was added is durable and can be found, unless it was stopped: then that
 * holds for what was published until then.
 */
int publisher_end(struct publisher *p, struct err *e);

/* What waits is dropped; what is published already gets its index all the same. */
void publisher_close(struct publisher *p);

#endif /* REPO_PUBLISHER_H */
