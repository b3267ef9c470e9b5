#ifndef RUN_REPACK_H
#define RUN_REPACK_H

/*
 * Copies blobs out of packs into new ones. Their sealed bytes are taken as they
 * are, and proven on the way: MAC, compression, hash. Each pack is read once, from
 * front to back, by one of several threads.
 *
 * Or into another repository: then they are opened and proven first, and sealed
 * anew with its key; what is compressed stays so, unless its version forbids it.
 */

#include "base/sort.h"
#include "repo/lock.h"
#include "repo/pack.h"
#include "stream/meter.h"

struct repack_opts {
	unsigned workers;
	uint64_t pack_size;  /* new packs are closed from this size on */
	int level;           /* of zstd; 0: a low one where it must be */
	bool compress;       /* data blobs that are not compressed yet, too;
				trees always are where the version allows */
	bool salvage;        /* a blob that is damaged is told and left out,
				otherwise it ends the run */
	struct repo *into;   /* another repository, or NULL. Blobs that it has
				are passed over, damaged ones told and left
				out; its map is loaded, its pool not used */
	/* The id of the pack that the caller calls ${no}. */
	int (*pack_id)(void *cookie, uint32_t no, struct id *ret,
	    struct err *e);
	void (*damaged)(void *cookie, const struct err *why);
	void *cookie;
	struct meter *meter; /* packs as files, bytes of blobs as bytes */
	struct repo_lock *lock; /* checked before each pack; or NULL */
};

struct repack_stats {
	uint64_t packs;      /* that were read */
	uint64_t blobs;      /* copied, or there by now */
	uint64_t left_out;   /* damaged */
	uint64_t new_packs, new_bytes; /* written */
};

/**
 * repack_sorter(ret, dir, e), repack_add(s, no, x, offset, e):
 * The list of what is to be copied: blobs of the pack ${no}, in any order.
 */
int repack_sorter(struct sorter **ret, const char *dir, struct err *e);
int repack_add(struct sorter *s, uint32_t no, const struct pack_entry *x,
    uint32_t offset, struct err *e);

/**
 * repack_run(r, blobs, opts, stats, e):
 * Copy them. After 0 every one is in a new pack that is durable and indexed. After
 * a failure, or when the user stopped it, that holds for some of them; the packs
 * they were in are whole in any case.
 */
int repack_run(struct repo *r, struct sorter *blobs,
    const struct repack_opts *opts, struct repack_stats *stats,
    struct err *e);

#endif /* RUN_REPACK_H */
