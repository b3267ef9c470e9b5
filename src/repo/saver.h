#ifndef REPO_SAVER_H
#define REPO_SAVER_H

/*
 * Storing blobs: threads that hash, ask the blob map, compress, seal and write
 * packs. Chunks go in, ids come back in the order of going in.
 *
 *     the reader --queue--> workers (one pack each) --> publisher --> index
 *                              `--tickets--> who waits for the ids
 *
 * A worker writes its pack alone, so there is no lock on the way of the bytes.
 * The publisher makes finished packs durable (fsync, rename) while the workers
 * go on, and writes the index behind them.
 */

#include "base/spill.h"
#include "repo/repo.h"

struct saver;

struct saver_opts {
	int level;           /* of zstd; 0: data blobs are stored as they are */
	uint64_t pack_size;  /* packs are closed from this size on */
	unsigned workers;
	bool dry;            /* do everything but write */
};

struct saver_stats {
	uint64_t data_blobs, tree_blobs; /* new ones */
	uint64_t added;      /* plain bytes of these */
	uint64_t packed;     /* as stored */
};

/* Start the threads. r->map is loaded. */
int saver_open(struct saver **ret, struct repo *r,
    const struct saver_opts *opts, struct err *e);

enum {
	SAVE_FIRST = 1,      /* this piece begins a blob */
	SAVE_LAST = 2,       /* and this one ends it */
	SAVE_WHOLE = SAVE_FIRST | SAVE_LAST,
};

/**
 * saver_data(s, c, part, ret_ticket, e):
 * Hand over a chunk; its slabs are the saver's from then on, also after a
 * failure. A blob may come in several pieces, one behind the other, when it
 * would take too much of the pool; such a one is compressed before it can be
 * known whether the repository has it. With SAVE_LAST, ${ret_ticket} is what to
 * wait for. Return 0, or the first error of any thread.
 */
int saver_data(struct saver *s, const struct chunk *c, unsigned part,
    uint64_t *ret_ticket, struct err *e);

/**
 * saver_wait(s, ticket, ret, e):
 * Wait for a blob to be known or stored. Tickets are waited for once each and in
 * their order.
 */
int saver_wait(struct saver *s, uint64_t ticket, struct id *ret,
    struct err *e);

/**
 * saver_tree(s, text, from, to, ret, ret_new, e):
 * Store the bytes [from, to) of a spill stack as a tree blob; for one thread.
 * ${*ret_new}: the repository did not have it.
 */
int saver_tree(struct saver *s, struct spill *text, uint64_t from,
    uint64_t to, struct id *ret, bool *ret_new, struct err *e);

/**
 * saver_finish(s, e):
 * All was handed over: write what is open, publish every pack, write the index.
 * After 0 every blob is durable. Also the way to end early: what is complete
 * counts for the next run.
 */
int saver_finish(struct saver *s, struct err *e);

/* What was stored so far; from any thread. */
void saver_stats(struct saver *s, struct saver_stats *ret);

/* End the threads; packs that are not published are dropped, those that are get
 * their index also after a failure. NULL is fine. */
void saver_free(struct saver *s);

#endif /* REPO_SAVER_H */
