#ifndef RUN_REINDEX_H
#define RUN_REINDEX_H

/*
 * Replaces index files by others that no longer name some packs. First the new ones
 * are written, then, in a step of its own, the old ones are removed: whatever
 * happens in between, each pack that stays is named by one of them.
 */

#include "base/pagemap.h"
#include "base/spill.h"
#include "repo/index.h"
#include "repo/repo.h"
#include "state/marks.h"

enum reindex_what {
	REINDEX_NEEDED,      /* files that name packs that are gone, and those
				that are not full */
	REINDEX_ALL,         /* all, and only what reindex_stays named is kept */
};

struct reindex {
	struct repo *r;
	struct spill old;    /* ids of the files there were, each with a flag */
	struct spill fresh;  /* ids of those that were written */
	struct pagemap *packs; /* half of their ids, and what is known of them */
	uint64_t n_gone, n_stay;
	enum reindex_what what;
	struct index_writer w; /* packs may be added to it before the writing */
	unsigned files, replaced; /* there were; have been replaced */

	/* the old file that is being read */
	bool touched;        /* it names one of these packs */
	uint64_t blobs;      /* in it */
};

/**
 * reindex_open(x, r, e):
 * Take note of the index files that there are now. Close it also after a failure.
 */
int reindex_open(struct reindex *x, struct repo *r, struct err *e);
void reindex_close(struct reindex *x);

/**
 * reindex_gone(x, pack, e), reindex_once(x, pack, e), reindex_stays(x, pack, e):
 * The index files that are written will not name this pack; or will name it once,
 * though the old ones do so several times, in the same words (not with ${mend}); or,
 * with REINDEX_ALL, will say of it what the old ones say.
 */
int reindex_gone(struct reindex *x, const struct id *pack, struct err *e);
int reindex_once(struct reindex *x, const struct id *pack, struct err *e);
int reindex_stays(struct reindex *x, const struct id *pack, struct err *e);

/**
 * reindex_write(x, what, mend, e):
 * Write the new files. One that is damaged is replaced too, with what else is known
 * of its packs, if ${mend}; otherwise it is an error. Afterwards the repository is
 * as whole as before.
 */
int reindex_write(struct reindex *x, enum reindex_what what, bool mend,
    struct err *e);

/**
 * reindex_retire(x, e):
 * Remove the files that were replaced, for good. Only then may packs go.
 */
int reindex_retire(struct reindex *x, struct err *e);

/**
 * reindex_renew(x, gone, e):
 * Let the cached blob map follow: without the packs that ${gone} marks by their
 * numbers. What it does not hold yet it loads next time. Nothing may be asked of
 * r->map any more.
 */
int reindex_renew(struct reindex *x, struct marks *gone, struct err *e);

#endif /* RUN_REINDEX_H */
