#ifndef BASE_TABLE_H
#define BASE_TABLE_H

/*
 * Numbered entries of one length in an unlinked file, some pages of it in memory:
 * an array that may be larger than memory. Entries that were never written are
 * all zeros and cost nothing.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TABLE_PAGE 4096

struct table;

/**
 * table_new(ret, dir, len, mem, e):
 * An empty table of entries of ${len} bytes, at most TABLE_PAGE. ${dir} is for its
 * file; ${mem} bytes of it, at least one page, stay in memory. Return 0,
 * ERR_NOMEM or what the file system says.
 */
int table_new(struct table **ret, const char *dir, size_t len, size_t mem,
    struct err *e);
void table_free(struct table *t);

/**
 * table_get(t, no, ret, e), table_put(t, no, ret, e):
 * Point ${*ret} at entry ${no}, aligned as its length allows, valid until the next
 * call: to be read; or to be changed in place. Return 0 or ERR_*.
 */
int table_get(struct table *t, uint64_t no, const void **ret, struct err *e);
int table_put(struct table *t, uint64_t no, void **ret, struct err *e);

#endif /* BASE_TABLE_H */
