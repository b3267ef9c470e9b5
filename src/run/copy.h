#ifndef RUN_COPY_H
#define RUN_COPY_H

/*
 * Snapshots of one repository into another: blobs that the other one lacks are
 * read pack by pack, proven, sealed with its key; then the index, then the
 * snapshots. Several are copied in one go, so that a pack of the source is read
 * once for all of them. What cannot be read of the source is told, and snapshots
 * that need it are not written.
 */

#include "repo/lock.h"
#include "run/chosen.h"
#include "stream/meter.h"

/* What happens to a snapshot; ${id} is its copy's, if there is one. */
enum copy_event {
	COPY_SKIPPED,        /* it was copied before, to ${id}; told if asked */
	COPY_STARTED,        /* what it needs is looked for */
	COPY_SAVED,
	COPY_BATCH,          /* NULL: all of these were looked through, now their
				blobs are copied; meter says how many */
};

struct copy_opts {
	unsigned workers;
	uint64_t pack_size;
	int level;           /* of zstd, for what is not compressed yet */
	struct repo_lock *lock; /* of the target; or NULL */
	struct repo_lock *from_lock; /* of the source; or NULL */
	struct meter *meter; /* packs read as files, stored bytes of blobs */
	bool tell_skipped;
	void (*event)(void *cookie, enum copy_event ev,
	    const struct snapshot *s, const struct id *id);
	run_problem *problem;
	void *cookie;
};

struct copy_stats {
	uint64_t copied, skipped, failed; /* snapshots */
	uint64_t blobs, bytes; /* to be copied: stored bytes in the source */
	uint64_t packs;      /* of the source that were read */
	uint64_t added;      /* bytes of new packs */
};

/**
 * copy_select(ret, from, to, chosen, opts, stats, e):
 * Which of the chosen snapshots of ${from} has ${to} not yet? A copy has the
 * same words but for parent and id, and the same original (restic's rule). Free
 * the selection with sorter_free. Done before the indexes are loaded, so that what
 * snapshots name is surely in them.
 */
int copy_select(struct sorter **ret, struct repo *from, struct repo *to,
    struct chosen *chosen, const struct copy_opts *opts,
    struct copy_stats *stats, struct err *e);

/**
 * copy_run(from, to, selected, opts, stats, e):
 * Copy them, oldest first; both indexes are loaded. Return 0 when it came to the
 * end, whatever failed of the source, or ERR_*.
 */
int copy_run(struct repo *from, struct repo *to, struct sorter *selected,
    const struct copy_opts *opts, struct copy_stats *stats, struct err *e);

#endif /* RUN_COPY_H */
