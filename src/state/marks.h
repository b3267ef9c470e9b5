#ifndef STATE_MARKS_H
#define STATE_MARKS_H

/*
 * A set of positions in the blob map: one bit each, in an unlinked file, a few
 * pages of it in memory.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct marks;

/**
 * marks_new(ret, dir, n, mem, e):
 * An empty set over 0..n-1. ${dir} is for its file; ${mem} bytes of it, at least
 * one page, stay in memory. Return 0, ERR_NOMEM or what the file system says.
 */
int marks_new(struct marks **ret, const char *dir, uint64_t n, size_t mem,
    struct err *e);
void marks_free(struct marks *m);

/* Mark ${pos}: 1 when it was not marked, 0 when it was, or ERR_*. */
int marks_set(struct marks *m, uint64_t pos, struct err *e);

/* Is ${pos} marked? 1, 0, or ERR_*. */
int marks_test(struct marks *m, uint64_t pos, struct err *e);

#endif /* STATE_MARKS_H */
