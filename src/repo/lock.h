#ifndef REPO_LOCK_H
#define REPO_LOCK_H

/*
 * Locks as restic keeps them (restic-format 10), so that both tools respect each
 * other. A thread of its own refreshes the lock every five minutes, and when the
 * clock was set (boxes without a battery get the time while they run), and looks
 * every ten seconds whether somebody removed it: that is an order to stop. From
 * before it is stored until it is removed SIGHUP is ignored, because restic probes
 * for dead owners with it.
 *
 * Each own lock is noted in the state folder before it is stored, and the note
 * is held with flock as long as its owner lives. A note that nobody holds is of
 * a process that died or a boot that ended: its lock is removed by whoever meets
 * it on this box. Never by host name: every router is called OpenWrt. A note
 * whose lock is gone is removed when the next one is made.
 */

#include "repo/repo.h"

struct repo_lock;

/**
 * repo_lock(r, exclusive, retry_s, ret, e):
 * Take a lock, trying for ${retry_s} seconds. Return 0, or ERR_LOCKED with the
 * holder, its age and the way out in ${e}. It is the repository's (r->lock) until
 * repo_unlock; from when it is lost on, repo_stopped says so.
 */
int repo_lock(struct repo *r, bool exclusive, uint64_t retry_s,
    struct repo_lock **ret, struct err *e);

/**
 * repo_lock_lost(l, e):
 * Was it removed by somebody else or not refreshed in time? Looks at the store,
 * so ask before publishing what names older objects (an index file, a snapshot)
 * or removing any. ERR_LOCKED: the holder must not write any more. Another ERR_*:
 * nobody can tell. Else 0. NULL is never lost.
 */
int repo_lock_lost(struct repo_lock *l, struct err *e);

/* Remove it and forget the note. NULL is fine. */
void repo_unlock(struct repo_lock *l);

/* What a lock says. */
struct lock_info {
	int64_t time;        /* seconds since 1970 */
	bool exclusive;
	char host[256], user[64];
	uint64_t pid;
};

/**
 * lock_load(r, id, ret, e):
 * Read a lock. Return 0, ERR_ABSENT (gone since it was listed, or an empty file,
 * which everybody ignores), ERR_CORRUPT.
 */
int lock_load(struct repo *r, const struct id *id, struct lock_info *ret,
    struct err *e);

/**
 * lock_remove_stale(r, all, ret, e):
 * What `unlock` does: remove locks that are older than 30 minutes, whose owner
 * on this very host is gone, or that this box noted and nobody holds; with
 * ${all} every lock. ${*ret} counts them.
 */
int lock_remove_stale(struct repo *r, bool all, unsigned *ret, struct err *e);

#endif /* REPO_LOCK_H */
