#ifndef RUN_FIND_H
#define RUN_FIND_H

/*
 * Looks through snapshots: for names that match patterns, or for the blobs,
 * trees and packs that ids name.
 */

#include "run/chosen.h"
#include "source/filter.h"

enum find_kind {
	FIND_NAMES,          /* o->names, o->oldest, o->newest */
	FIND_BLOBS,          /* o->ids: blobs of files */
	FIND_TREES,
	FIND_PACKS,          /* all blobs and trees that lie in these packs */
};

struct find_opts {
	enum find_kind kind;
	const struct filter *names;
	const struct when *oldest, *newest; /* mtime; or NULL */
	const char *const *ids; /* their beginnings */
	size_t n_ids;

	/* Each may end it all with an ERR_*. */

	/* A name matches; ${n} is at ${path} of ${s}. */
	int (*match)(void *cookie, const struct snapshot *s, const char *path,
	    const struct node *n, struct err *e);
	/* An object was met: at ${path}, in the tree ${in} (NULL for trees). */
	int (*object)(void *cookie, const struct snapshot *s,
	    enum blob_type type, const struct id *id, const char *path,
	    const struct id *in, struct err *e);
	/* Where an object lies; ${at} is NULL when the index has it nowhere. */
	int (*place)(void *cookie, enum blob_type type, const struct id *id,
	    const struct pack_info *pack, const struct where *at,
	    struct err *e);
	/* What was looked for by the id ${text} was never met. */
	int (*unknown)(void *cookie, const char *text, struct err *e);
	run_problem *problem;
	void *cookie;
};

struct finder;

/**
 * find_open(ret, r, o, e):
 * Resolve o->ids. Return 0, ERR_USAGE for what cannot be an id, ERR_ABSENT for a
 * pack that nobody knows. Needs the index.
 */
int find_open(struct finder **ret, struct repo *r, const struct find_opts *o,
    struct err *e);

/**
 * find_run(f, chosen, e):
 * Go through the snapshots and call o->match or o->object. A tree is named at
 * its first place in each snapshot, and a snapshot is left when all trees were
 * named.
 */
int find_run(struct finder *f, struct chosen *chosen, struct err *e);

/* After that: call o->place for each object that is looked for. */
int find_places(struct finder *f, struct err *e);

/* NULL is fine. */
void find_close(struct finder *f);

#endif /* RUN_FIND_H */
