#ifndef RUN_BACKUP_H
#define RUN_BACKUP_H

/*
 * A backup: a source into a repository, as a snapshot.
 *
 *     this thread   walks the source, compares with the parent's trees, reads
 *                   and cuts what changed, hands chunks to the saver
 *     the strip     carries nodes and tickets, in order
 *     the planter   a thread of its own: waits for the ids, writes the trees'
 *                   text onto a spill stack, stores each tree when it is whole
 */

#include "repo/repo.h"
#include "repo/lock.h"
#include "repo/saver.h"
#include "repo/snapshot.h"
#include "source/source.h"
#include "stream/meter.h"

struct backup_opts {
	struct source *source;
	const struct snapshot *parent; /* or NULL: everything is read */
	struct saver_opts saver;
	bool ignore_inode, ignore_ctime; /* when looking for changes */
	bool no_device_id;   /* write it only where hard links need it */
	bool with_atime;     /* restic writes the mtime there unless asked */
	bool skip_if_unchanged; /* no snapshot when the tree is the parent's */
	struct meter *meter;
	struct repo_lock *lock; /* to be checked before the snapshot; or NULL */

	/* An entry could not be read: the source's function, and ours. */
	source_problem *problem;
	void *problem_cookie;

	/* Called for each file with its fate, when not NULL (--verbose). */
	void (*item)(void *cookie, const char *path, const char *fate,
	    uint64_t size);
	void *cookie;
};

/**
 * backup_run(r, opts, snap, ret_saved, e):
 * Run it. ${snap} brings host, user, tags, excludes and time; tree, parent,
 * paths and summary are filled in, and its id when it was saved. In a dry run
 * nothing is written. Entries that could not be read were told to the source's
 * problem function; all else was saved. Return 0, or ERR_*: no snapshot was
 * written then, but what was stored stays for the next run.
 */
int backup_run(struct repo *r, const struct backup_opts *opts,
    struct snapshot *snap, bool *ret_saved, struct err *e);

#endif /* RUN_BACKUP_H */
