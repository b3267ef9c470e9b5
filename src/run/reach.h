#ifndef RUN_REACH_H
#define RUN_REACH_H

/*
 * What snapshots need: walks their trees, each tree once however many snapshots
 * name it, looks up every blob and marks it by its position in the blob map.
 */

#include "repo/repo.h"
#include "state/marks.h"

struct reach_opts {
	/* Mark data blobs, too; trees are always. They are looked up many at a
	 * time, in the order of ids, so that the map on disk is read from front
	 * to back; what is missing is told without a path then. */
	bool data;
	/* Each names snapshot and path, and may be NULL: something needed is
	 * missing or cannot be read; an entry is not what it should be; it is
	 * odd, and does no harm. */
	void (*missing)(void *cookie, const char *text);
	void (*wrong)(void *cookie, const char *text);
	void (*odd)(void *cookie, const char *text);
	void *cookie;
};

struct reach;

/* Nothing is reached yet; r->map is loaded. */
int reach_open(struct reach **ret, struct repo *r,
    const struct reach_opts *opts, struct err *e);
void reach_close(struct reach *x);

/**
 * reach_snapshot(x, snap, tree, e):
 * Walk the snapshot ${snap} with the root ${tree}. What is wrong is told, the rest
 * is walked all the same. Return 0 or ERR_*: the walk cannot go on.
 */
int reach_snapshot(struct reach *x, const struct id *snap,
    const struct id *tree, struct err *e);

/* Trees that were walked. */
uint64_t reach_trees(const struct reach *x);

/* Was there a blob or a tree that no index file names? */
bool reach_lacks(const struct reach *x);

/**
 * reach_take(x, ret, e):
 * All were walked: the marks, which are the caller's from then on. Return 0 or
 * ERR_*; only reach_close may follow.
 */
int reach_take(struct reach *x, struct marks **ret, struct err *e);

#endif /* RUN_REACH_H */
