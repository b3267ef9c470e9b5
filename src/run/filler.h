#ifndef RUN_FILLER_H
#define RUN_FILLER_H

/*
 * Fills files with blobs, several at a time. A file is begun as a temporary one;
 * its blobs are fetched, proven and written at their places by whichever worker
 * is free; the last one gives it its metadata and its name. A file that misses a
 * blob never appears.
 */

#include "repo/blob.h"
#include "run/meta.h"
#include "stream/meter.h"

struct filler;
struct filler_file;

/* A file could not be restored; called from any thread. */
typedef void filler_problem(void *cookie, const char *path,
    const struct err *why);

struct filler_opts {
	unsigned workers;
	struct meter *meter;
	struct meta_losses *loss;
	filler_problem *problem;
	void *cookie;
};

int filler_open(struct filler **ret, struct repo *r,
    const struct filler_opts *opts, struct err *e);

/* What is to become of a file. */
struct filler_want {
	int dir;             /* its folder; a copy is taken */
	uint64_t dir_stamp;  /* of place_stamp */
	const char *name;
	const char *path;    /* for messages; a copy is taken, of PATH_MAX */
	uint64_t size;
	struct meta meta;
	const struct buf *xattrs; /* a copy is taken */
};

/**
 * filler_begin(f, want, ret, e):
 * Begin a file; waits while too many are unfinished. Give it its blobs, then end
 * it. Failures of the file itself come as problems.
 */
int filler_begin(struct filler *f, const struct filler_want *want,
    struct filler_file **ret, struct err *e);

/* The inode that a file which was begun will have, by which one knows it again: it
 * is made now. 0: nobody knows. */
uint64_t filler_inode(struct filler_file *file);

/* The blob that stands at ${offset} of the file; waits for room in the queue. */
void filler_blob(struct filler *f, struct filler_file *file,
    const struct id *id, const struct where *at, uint64_t offset);

/* What stands there in the file is a hole: nobody will write it. */
void filler_hole(struct filler_file *file);

/* A blob cannot be had: the file will not be made, for the reason given. */
void filler_spoil(struct filler_file *file, const struct err *why);

/* All its blobs were named. ${file} is the filler's from here on. */
void filler_end(struct filler_file *file);

/**
 * filler_failed(f, e):
 * Did something happen that no file will survive (err_ends_all), such as a full
 * disk? Then that, with the path of the first file; it was not told as a problem,
 * and nothing that is unfinished will be made. Else 0.
 */
int filler_failed(struct filler *f, struct err *e);

/* Wait until no file is unfinished. */
void filler_drain(struct filler *f);

/* End the threads. Unfinished files leave no trace. NULL is fine. */
void filler_close(struct filler *f);

#endif /* RUN_FILLER_H */
