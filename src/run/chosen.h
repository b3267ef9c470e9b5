#ifndef RUN_CHOSEN_H
#define RUN_CHOSEN_H

/*
 * Which snapshots a command works on: those that its words name, or all that a
 * filter means; one after the other by their time, each once.
 */

#include "base/sort.h"
#include "run/problem.h"

struct chosen_opts {
	const char *const *names; /* "latest", or beginnings of ids */
	size_t n_names;      /* 0: all that the filter means */
	const struct snapshot_filter *filter; /* or NULL; for "latest" too */
	bool newest_first;
	run_problem *problem;
	void *cookie;
};

struct chosen {
	struct repo *r;
	const struct chosen_opts *o;
	struct sorter *order; /* time, id */
	uint64_t n;          /* entries in it */
	struct id last;      /* given last */
	bool any;
};

/**
 * chosen_open(c, r, o, e):
 * Look them up. Names that mean none and snapshots that are damaged are
 * problems. Close it also after a failure.
 */
int chosen_open(struct chosen *c, struct repo *r, const struct chosen_opts *o,
    struct err *e);

/* The next one, into an initialised struct: 1, 0 at the end, or ERR_*. */
int chosen_next(struct chosen *c, struct snapshot *ret, struct err *e);

void chosen_close(struct chosen *c);

#endif /* RUN_CHOSEN_H */
