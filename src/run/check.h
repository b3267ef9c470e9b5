#ifndef RUN_CHECK_H
#define RUN_CHECK_H

/*
 * Is the repository whole? The index against the packs that are stored, every
 * snapshot's trees against the index, and, if asked, every byte of every pack.
 */

#include "repo/repo.h"
#include "stream/meter.h"

/* Which packs are read. */
enum check_read {
	CHECK_READ_NONE,
	CHECK_READ_ALL,
	CHECK_READ_GROUP,    /* group n of t: those whose id says so */
	CHECK_READ_SHARE,    /* a random share */
};

struct check_opts {
	enum check_read read;
	unsigned group, groups; /* 1..groups */
	double share;        /* 0..1 */
	uint64_t share_bytes; /* or, when not 0, about so many bytes */
	unsigned workers;
	struct meter *meter; /* packs as files, their bytes */

	/* From any thread: something is wrong; something is worth a word; the
	 * next part of the work begins. */
	void (*error)(void *cookie, const char *text);
	void (*hint)(void *cookie, const char *text);
	void (*phase)(void *cookie, const char *text);
	void *cookie;
};

struct check_stats {
	uint64_t packs, snapshots, trees, orphans;
	uint64_t packs_read, blobs_read, bytes_read;
};

/**
 * check_run(r, opts, stats, e):
 * Check it all; defects are told as they are met. Return 0 when it came to the
 * end, however much was wrong, or ERR_*.
 */
int check_run(struct repo *r, const struct check_opts *opts,
    struct check_stats *stats, struct err *e);

#endif /* RUN_CHECK_H */
