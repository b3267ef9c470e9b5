#ifndef RUN_REWRITE_H
#define RUN_REWRITE_H

/*
 * New snapshots in place of old ones: their trees go through rules, or they get
 * other words. First all new trees are made durable, then each new snapshot is
 * written and, if asked, its old one removed. What does not change is left alone.
 */

#include "repo/lock.h"
#include "run/chosen.h"
#include "run/rewriter.h"
#include "source/filter.h"

/* What happens to a snapshot; ${id} is the new or removed one's, if any. */
enum rewrite_event {
	REWRITE_LOOK,        /* it is looked at now */
	REWRITE_WOULD_SAVE,  /* a dry run: it would change */
	REWRITE_WOULD_EMPTY, /* nothing would be left of it: it would go */
	REWRITE_SAVED,       /* as ${id} */
	REWRITE_REMOVED,     /* the old one */
	REWRITE_EMPTY,       /* nothing is left of it: it was removed */
};

/* What happens to something in it. */
enum rewrite_item {
	ITEM_EXCLUDED,
	ITEM_INCLUDED,
	ITEM_INCLUDED_DIR,
	ITEM_BAD_TYPE,       /* neither file nor folder nor ...: removed */
	ITEM_CONTENT,        /* blobs are missing: the file is now shorter */
	ITEM_SIZE,           /* was not that of its blobs */
	ITEM_EMPTIED,        /* a folder whose list cannot be read */
	ITEM_ODD,            /* an entry that makes no sense to us: it stays */
	ITEM_ROOT,           /* as ITEM_EMPTIED, of the root */
};

struct rewrite_opts {
	const struct rewriter_rules *rules; /* NULL: trees stay as they are */
	const char *tag;     /* of new ones that stand beside the old */
	bool keep_empty;     /* of which nothing would be left: untouched */
	bool count;          /* changed trees get new numbers in the summary */
	bool summary;        /* and snapshots without one get one */
	const char *host;    /* a new one, or NULL */
	const struct when *time; /* the same */
	bool forget;         /* remove the old ones */
	bool dry;
	struct saver_opts saver;
	struct repo_lock *lock; /* or NULL */
	void (*event)(void *cookie, enum rewrite_event ev,
	    const struct snapshot *s, const struct id *id);
	run_problem *problem;
	void *cookie;
};

/**
 * rewrite_run(r, chosen, opts, ret, e):
 * Rewrite; ${*ret} counts the snapshots that were changed, or would be. What
 * cannot be read or saved is a problem and stays. Return 0, or ERR_* when it
 * could not go on. Needs the index.
 */
int rewrite_run(struct repo *r, struct chosen *chosen,
    const struct rewrite_opts *opts, uint64_t *ret, struct err *e);

/* ---- by patterns ---- */

struct rewrite_filter {
	const struct filter *exclude, *iexclude; /* either these, */
	const struct filter *include, *iinclude; /* or those; or NULL */
	void (*item)(void *cookie, enum rewrite_item what, const char *path);
	void *cookie;
};

/* Rules that leave out, or take, what the patterns say; ${f} is borrowed. */
struct rewriter_rules rewrite_filter_rules(struct rewrite_filter *f);

#endif /* RUN_REWRITE_H */
