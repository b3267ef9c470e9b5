#ifndef RUN_PRUNE_H
#define RUN_PRUNE_H

/*
 * Removes what no snapshot needs. The order is the safety: nothing goes before all
 * that is needed was found; blobs are copied before the index files that name the
 * copies take the places of old ones; packs go last. Whenever it is cut, the
 * repository is whole, what was copied counts, and the next prune goes on.
 */

#include "repo/lock.h"
#include "repo/repo.h"
#include "run/plan.h"
#include "run/repack.h"
#include "stream/meter.h"

struct prune_stats {
	struct plan_stats plan;
	uint64_t snapshots, trees;
	struct repack_stats repacked;
	uint64_t index_removed, index_written; /* files */
	uint64_t not_removed; /* packs that the store would not let go */
};

struct prune_opts {
	struct plan_opts plan; /* but for v2, which is known */
	bool dry;            /* plan only */
	unsigned workers;
	uint64_t pack_size;  /* new packs are closed from this size on */
	int level;           /* of zstd */

	/* Does this snapshot count as gone? 1, 0 or ERR_*; NULL: none does. What
	 * a forget would remove, in a dry run. */
	int (*gone)(void *gone_cookie, const struct id *snap, struct err *e);
	void *gone_cookie;
	/* The next part of the work begins. */
	void (*phase)(void *cookie, const char *text);
	/* All is decided, nothing has been done yet. */
	void (*planned)(void *cookie, const struct prune_stats *s);
	/* A pack and what happens to it, before ${planned}; or NULL. */
	void (*pack)(void *cookie, const struct id *id, const char *fate);
	void *cookie;
	struct meter *meter; /* of the packs that are repacked */
	struct repo_lock *lock; /* checked before anything goes; or NULL */
};

/**
 * prune_run(r, opts, stats, e):
 * Run it; the repository is locked exclusively. Afterwards r->map must not be asked
 * any more. Return 0, or ERR_*: what is needed was not found (nothing was changed
 * then), or it could not be completed; in any case the repository is whole.
 */
int prune_run(struct repo *r, const struct prune_opts *opts,
    struct prune_stats *stats, struct err *e);

/**
 * prune_unused(s, ret, e):
 * Read --max-unused: "10%", a size, or "unlimited", into ${ret}. 0 or ERR_USAGE.
 */
int prune_unused(const char *s, struct plan_opts *ret, struct err *e);

#endif /* RUN_PRUNE_H */
