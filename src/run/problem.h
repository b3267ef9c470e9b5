#ifndef RUN_PROBLEM_H
#define RUN_PROBLEM_H

/*
 * Problems: what a run over snapshots cannot read, tells, and leaves out. The
 * rest goes on.
 */

#include "repo/snapshot.h"
#include "run/treewalk.h"

/* Met in the snapshot ${snap}, at ${path} of it; either may be NULL. */
typedef void run_problem(void *cookie, const struct id *snap,
    const char *path, const struct err *why);

/* Failures of the box, not of one snapshot or file: the run ends. */
static inline bool
problem_ends_run(int rc)
{

	return (rc == ERR_CANCEL || rc == ERR_NOMEM || rc == ERR_SPACE);
}

/* The path of the node given last, or of what is broken. */
static inline const char *
problem_node(const struct treewalk *w)
{

	return (w->path.len > 0 ? (const char *)w->path.p : "/");
}

#endif /* RUN_PROBLEM_H */
