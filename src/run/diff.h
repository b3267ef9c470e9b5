#ifndef RUN_DIFF_H
#define RUN_DIFF_H

/*
 * Two trees side by side: what was added, removed and changed from the first to
 * the second, and which blobs only one of them has. Both are read in the order
 * of their names, so that a node of each is all there is in memory.
 */

#include "run/problem.h"

enum diff_change {
	DIFF_ADDED = 1,      /* + */
	DIFF_REMOVED = 2,    /* - */
	DIFF_TYPE = 4,       /* T: a file became a link, ... */
	DIFF_CONTENT = 8,    /* M */
	DIFF_BITROT = 16,    /* ?: with M: and all metadata is the same */
	DIFF_METADATA = 32,  /* U */
};

struct diff_opts {
	bool metadata;       /* tell DIFF_METADATA */
	/* A change (or several, or'ed); folders' paths end with a slash. An
	 * ERR_* ends it all. */
	int (*change)(void *cookie, unsigned change, const char *path,
	    struct err *e);
	run_problem *problem;
	void *cookie;
};

/* One side's own. */
struct diff_side {
	uint64_t files, dirs, others;
	uint64_t data_blobs, tree_blobs, bytes; /* the blobs' plain bytes */
};

struct diff_stats {
	uint64_t changed;    /* files */
	struct diff_side added, removed;
};

/**
 * diff_run(r, trees, snaps, opts, ret, e):
 * Compare two trees; ${snaps} are the snapshots they are of, for problems. What
 * cannot be read is a problem and taken for empty. Return 0, or ERR_* when it
 * could not go on. Needs the index.
 */
int diff_run(struct repo *r, const struct id trees[2],
    const struct id snaps[2], const struct diff_opts *opts,
    struct diff_stats *ret, struct err *e);

#endif /* RUN_DIFF_H */
