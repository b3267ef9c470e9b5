#ifndef RUN_STATS_H
#define RUN_STATS_H

/*
 * How much is there? Four ways to count, as restic has them:
 *
 *   restore-size       every entry of every snapshot, and the bytes that a
 *                      restore of each would write; a file with several names
 *                      once
 *   files-by-contents  files that differ in content, whatever their names
 *   blobs-per-file     of these, each file's (path's) different blobs
 *   raw-data           the blobs themselves, as they are stored
 *
 * Sets lie on disk. A folder that was counted is not walked again where it
 * occurs in another snapshot.
 */

#include "run/chosen.h"
#include "stream/meter.h"

enum stats_mode {
	STATS_RESTORE_SIZE,
	STATS_FILES_BY_CONTENTS,
	STATS_BLOBS_PER_FILE,
	STATS_RAW_DATA,
};

struct stats_opts {
	enum stats_mode mode;
	struct meter *meter;
	run_problem *problem;
	void *cookie;
};

struct stats {
	uint64_t snapshots;
	uint64_t files;      /* entries of all types, in restore-size */
	uint64_t blobs;
	uint64_t size;
	/* Of blobs; with their seals, as they are and as they would be: */
	uint64_t plain;      /* all of them, uncompressed; 0: format 1 */
	uint64_t packed;     /* those that are compressed */
	uint64_t packed_plain;
};

/**
 * stats_run(r, chosen, opts, ret, e):
 * Count. What cannot be read is a problem and left out. Return 0, or ERR_* when
 * it could not go on. Needs the index.
 */
int stats_run(struct repo *r, struct chosen *chosen,
    const struct stats_opts *opts, struct stats *ret, struct err *e);

#endif /* RUN_STATS_H */
