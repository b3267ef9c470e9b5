#ifndef RUN_DUMP_H
#define RUN_DUMP_H

/*
 * A file of a snapshot as a stream of its bytes, or a folder as an archive.
 * Blobs come in order, one at a time.
 */

#include "archive/out.h"
#include "run/problem.h"

enum dump_format {
	DUMP_TAR,
	DUMP_ZIP,
};

struct dump_opts {
	enum dump_format format;
	archive_out *out;
	void *out_cookie;
	run_problem *problem;
	void *cookie;
};

struct dump_stats {
	uint64_t sockets;    /* which no archive holds */
	uint64_t specials;   /* devices and fifos, which a ZIP cannot hold */
};

struct dump;

/**
 * dump_open(ret, r, snap, path, opts, e):
 * Look up ${path} in the snapshot's tree; "/" is all of it. Return 0; ERR_ABSENT
 * when it is not there, ERR_FAIL when it is neither file nor folder. ${snap}
 * must outlive it. Needs the index.
 */
int dump_open(struct dump **ret, struct repo *r, const struct snapshot *snap,
    const char *path, const struct dump_opts *opts, struct err *e);

/* Is it a folder, so that dump_run will write an archive? */
bool dump_is_folder(const struct dump *d);

/**
 * dump_run(d, ret, e):
 * Write it out. A single file that cannot be read to its end is an error. In an
 * archive it is a problem: missing stretches are zeros there, files whose blobs
 * are not known at all are left out, and the rest follows. An ERR_* of opts->out
 * ends it.
 */
int dump_run(struct dump *d, struct dump_stats *ret, struct err *e);

/* NULL is fine. */
void dump_close(struct dump *d);

#endif /* RUN_DUMP_H */
