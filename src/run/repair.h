#ifndef RUN_REPAIR_H
#define RUN_REPAIR_H

/*
 * Makes the index true again, and saves what is whole of damaged packs. The
 * repository is locked exclusively.
 */

#include "repo/lock.h"
#include "repo/repo.h"
#include "stream/meter.h"

struct repair_opts {
	unsigned workers;
	uint64_t pack_size;  /* new packs are closed from this size on */
	/* The next part of the work begins; something was found. */
	void (*phase)(void *cookie, const char *text);
	void (*found)(void *cookie, const char *text);
	void *cookie;
	struct meter *meter;
	struct repo_lock *lock; /* checked before anything goes; or NULL */
};

struct repair_index_stats {
	uint64_t added;      /* packs whose headers were read into the index */
	uint64_t forgotten;  /* packs that are missing and are no longer named */
	uint64_t unreadable; /* packs that no index names and without a header */
	uint64_t damaged;    /* packs of the index whose headers are damaged: what
				the index says of them stays */
	uint64_t bad_indexes; /* files that could not be read */
	uint64_t removed, written; /* index files */
};

/**
 * repair_index(r, all, opts, stats, e):
 * Compare the index with the packs that are stored: missing ones are forgotten,
 * others, and those of another size, are read from their headers; with ${all}
 * every one is. Return 0 or ERR_*; in any case the repository is as whole as
 * before.
 */
int repair_index(struct repo *r, bool all, const struct repair_opts *opts,
    struct repair_index_stats *stats, struct err *e);

struct repair_packs_stats {
	uint64_t packs;      /* that are gone now */
	uint64_t saved, lost; /* blobs */
};

/**
 * repair_packs(r, ids, n, dir, opts, stats, e):
 * Copy what is whole of these packs into new ones, and remove them. Before that,
 * each that is stored is copied as it is to "pack-ID" in the folder ${dir} (a
 * descriptor). Return 0 or ERR_*; until the end the packs stay.
 */
int repair_packs(struct repo *r, const struct id *ids, size_t n, int dir,
    const struct repair_opts *opts, struct repair_packs_stats *stats,
    struct err *e);

#endif /* RUN_REPAIR_H */
