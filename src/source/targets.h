#ifndef SOURCE_TARGETS_H
#define SOURCE_TARGETS_H

/*
 * What a backup was asked to save, as a list that is sorted and lies on disk when
 * it is long: --files-from may name a million paths.
 *
 * Each target is the place it gets in the snapshot's tree ("srv/photos"), below
 * the folder where that place begins on disk ("/", or for relative paths the
 * working folder or one above it).
 */

#include "base/err.h"
#include "base/sort.h"
#include "base/spill.h"
#include "source/source.h"

enum { TARGET_MAX = 4000 }; /* bytes of place and base together */

struct targets {
	const struct source_spec *spec;
	struct sorter *sorter; /* while adding */
	struct spill list;   /* sorted records */
	struct spill given;  /* absolute paths as asked for, each with a NUL */
	char *cwd;
	size_t n, missing;
};

/* One target, copied out of the list. */
struct target {
	char text[TARGET_MAX + 3]; /* the place, NUL, the base, NUL, found */
	size_t place_len;
	const char *base;
	bool found;          /* not named, but found in "." or "/", which was */
	uint64_t next;       /* position of the record behind it */
};

/**
 * targets_open(t, spec, e):
 * Take the paths and lists of ${spec}. What does not exist is a problem and is
 * left out; ERR_ABSENT when nothing is left.
 */
int targets_open(struct targets *t, const struct source_spec *spec,
    struct err *e);
void targets_close(struct targets *t);

/* The record at ${pos} (0 is the first): 1, 0 at the end, or ERR_*. */
int targets_read(struct targets *t, uint64_t pos, struct target *ret,
    struct err *e);

/**
 * target_part(t, k, ret_len):
 * Part ${k} of the place; NULL when it has fewer. ${*ret_len} is its length.
 */
const char *target_part(const struct target *t, unsigned k, size_t *ret_len);

#endif /* SOURCE_TARGETS_H */
