#ifndef BASE_SORT_H
#define BASE_SORT_H

/*
 * An external sorter: any number of records through a fixed amount of memory.
 * What fits is sorted there; when it is full it becomes a sorted run in an
 * unlinked file; runs are merged level by level, so that n records cost
 * n log n and never more memory. Equal records keep the order of their coming.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SORT_RECORD_MAX 4096

/* <0, 0, >0 as memcmp. */
typedef int sort_cmp(const void *x, size_t x_len, const void *y,
    size_t y_len);

struct sorter;

/**
 * sorter_new(ret, dir, mem, cmp, e):
 * ${mem} bytes (at least 64 KiB) are all it will use. ${dir} is borrowed and
 * touched only when memory does not do. Return 0 or ERR_NOMEM.
 */
int sorter_new(struct sorter **ret, const char *dir, size_t mem,
    sort_cmp *cmp, struct err *e);

/**
 * sorter_add(s, rec, len, e):
 * Add a record of at most SORT_RECORD_MAX bytes. Return 0, ERR_LIMIT when it is
 * longer, or what the file system says; after that only reset and free are left.
 */
int sorter_add(struct sorter *s, const void *rec, size_t len, struct err *e);

/**
 * sorter_next(s, ret, ret_len, e):
 * The next record in order; the first call ends the adding. It is valid until
 * the next call. Return 1, 0 at the end, or ERR_*.
 */
int sorter_next(struct sorter *s, const void **ret, size_t *ret_len,
    struct err *e);

/* Start again, empty, with the same memory. */
void sorter_reset(struct sorter *s);

void sorter_free(struct sorter *s);

/* Orders: bytes as memcmp, the shorter first where one is the other's head. */
int sort_bytes(const void *x, size_t x_len, const void *y, size_t y_len);

#endif /* BASE_SORT_H */
