#ifndef RUN_TAG_H
#define RUN_TAG_H

/* Other tags for snapshots: each is written anew, then the old one removed. */

#include "repo/lock.h"
#include "run/chosen.h"

/* Lists "a,b" each. */
struct tag_lists {
	const char *const *v;
	size_t n;
};

struct tag_opts {
	struct tag_lists set; /* if any: these and no others; "" is none */
	struct tag_lists add, remove;
	struct repo_lock *lock; /* or NULL */
	void (*changed)(void *cookie, const struct id *old,
	    const struct id *new_id);
	run_problem *problem;
	void *cookie;
};

/**
 * tag_run(r, chosen, opts, ret, e):
 * Change them; ${*ret} counts those that changed. One that cannot be saved is a
 * problem. Return 0, or ERR_* when it could not go on.
 */
int tag_run(struct repo *r, struct chosen *chosen,
    const struct tag_opts *opts, uint64_t *ret, struct err *e);

#endif /* RUN_TAG_H */
