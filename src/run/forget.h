#ifndef RUN_FORGET_H
#define RUN_FORGET_H

/*
 * Forgetting: snapshots are put into groups, a policy says of each group what
 * stays, and the files of the others are removed. All is decided, on disk, before
 * the first file goes; and each snapshot is read from the store but once.
 */

#include "repo/lock.h"
#include "run/problem.h"
#include "run/retention.h"

/* What the snapshots of a group have in common. */
enum {
	GROUP_HOST = 1,
	GROUP_PATHS = 2,     /* whatever their order */
	GROUP_TAGS = 4,
};

struct forget_opts {
	const struct retention_policy *policy;
	unsigned group_by;   /* GROUP_*, or'ed; 0: all are one group */
	const char *const *names; /* or these go, whatever the policy says */
	size_t n_names;
	const struct snapshot_filter *filter; /* or NULL */
	struct when now;
	struct repo_lock *lock; /* to be checked while removing; or NULL */
	run_problem *problem; /* names that mean none, damaged snapshots */
	void *cookie;
};

struct forget;

/**
 * forget_open(ret, r, opts, e):
 * Read the snapshots and decide. Return 0; ERR_FAIL when the policy would keep
 * nothing of a group; or another ERR_*.
 */
int forget_open(struct forget **ret, struct repo *r,
    const struct forget_opts *opts, struct err *e);

/* NULL is fine. */
void forget_close(struct forget *f);

/* How many will go? */
uint64_t forget_count(const struct forget *f);

/* One group; valid in the call that names it. */
struct forget_group {
	const struct snapshot *newest; /* its lists are sorted */
	uint64_t keep, remove; /* how many */
	uint64_t from, to;   /* for forget_each */
};

/**
 * forget_groups(f, fn, cookie, e):
 * Each group, in the order of hosts and paths, more or less. None when names were
 * given. An ERR_* of ${fn} ends it.
 */
typedef int forget_group_fn(void *cookie, const struct forget_group *g,
    struct err *e);
int forget_groups(struct forget *f, forget_group_fn *fn, void *cookie,
    struct err *e);

/* Why one is kept. */
struct forget_why {
	struct retention_answer answer;
	const uint8_t *tags; /* a bit for each list of the policy */
	const struct retention_policy *policy;
};

/**
 * forget_each(f, g, kept, newest_first, fn, cookie, e):
 * The snapshots of the group that stay, or those that go.
 */
typedef int forget_fn(void *cookie, const struct snapshot *s,
    const struct forget_why *why, struct err *e);
int forget_each(struct forget *f, const struct forget_group *g, bool kept,
    bool newest_first, forget_fn *fn, void *cookie, struct err *e);

/**
 * forget_reason(w, at, ret, e):
 * The next reason, in words, into the emptied ${ret}, with a NUL that does not
 * count; begin with ${*at} = 0. Return 1, 0 when there are no more, or ERR_*.
 */
int forget_reason(const struct forget_why *w, size_t *at, struct buf *ret,
    struct err *e);

/**
 * forget_names(f, fn, cookie, e):
 * The ids of all that will go, in their order.
 */
typedef int forget_id(void *cookie, const struct id *id, struct err *e);
int forget_names(struct forget *f, forget_id *fn, void *cookie,
    struct err *e);

/* Will this one go? 1, 0 or ERR_*. */
int forget_goes(struct forget *f, const struct id *id, struct err *e);

/**
 * forget_remove(f, fn, cookie, e):
 * Remove them. ${fn} is called for each, with the reason when it could not be
 * removed, which does not keep the others. Return 0 or ERR_*.
 */
typedef void forget_done(void *cookie, const struct id *id,
    const struct err *why);
int forget_remove(struct forget *f, forget_done *fn, void *cookie,
    struct err *e);

#endif /* RUN_FORGET_H */
