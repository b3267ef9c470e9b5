#ifndef RUN_RESTORE_H
#define RUN_RESTORE_H

/*
 * A snapshot's trees back to disk. Three walks over the trees: folders and files;
 * then the folders' metadata, which making files would have changed again; then,
 * if asked, a look at every file.
 */

#include "repo/repo.h"
#include "run/filler.h"
#include "source/filter.h"
#include "stream/meter.h"

enum overwrite {
	OVERWRITE_ALWAYS,
	OVERWRITE_IF_CHANGED, /* size or mtime differ */
	OVERWRITE_IF_NEWER,  /* what is in the snapshot is newer */
	OVERWRITE_NEVER,
};

struct restore_opts {
	const struct filter *include, *iinclude; /* either these, */
	const struct filter *exclude, *iexclude; /* or those; or NULL */
	enum overwrite overwrite;
	bool dry, verify;
	unsigned workers;
	struct meter *meter;
	filler_problem *problem; /* an entry could not be restored */
	void (*item)(void *cookie, const char *path, const char *fate,
	    uint64_t size); /* or NULL */
	void *cookie;
};

struct restore_stats {
	uint64_t files, dirs, others; /* restored */
	uint64_t skipped;    /* there already, left as --overwrite says */
	uint64_t links;      /* hard links made */
	uint64_t links_lost; /* copies in their place: not possible here */
	uint64_t sockets;    /* of other tools' snapshots: not made */
	uint64_t verified;
	uint64_t xattrs_lost, owners_lost; /* not possible here */
};

/**
 * restore_run(r, root, target, opts, stats, e):
 * Restore the tree ${root} into the folder ${target}. Entries that fail are told
 * to opts->problem, everything else is restored. Return 0, or ERR_* when it could
 * not go on.
 */
int restore_run(struct repo *r, const struct id *root, const char *target,
    const struct restore_opts *opts, struct restore_stats *stats,
    struct err *e);

#endif /* RUN_RESTORE_H */
