#ifndef BASE_PAGEMAP_H
#define BASE_PAGEMAP_H

/*
 * A hash table in an unlinked file, for any number of entries in the memory of
 * one page: 16-byte keys, 8-byte values. A key's page is given by the top bits of
 * its hash, so the table grows by one sequential copy.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PAGEMAP_KEY 16

struct pagemap;

/* An empty table; its file goes to ${dir}. */
int pagemap_new(struct pagemap **ret, const char *dir, struct err *e);
void pagemap_free(struct pagemap *m);

/* 1 with the value, 0 when the key is not there, or ERR_*. */
int pagemap_find(struct pagemap *m, const uint8_t key[PAGEMAP_KEY],
    uint64_t *ret, struct err *e);

/* Set the key's value, new or not. */
int pagemap_put(struct pagemap *m, const uint8_t key[PAGEMAP_KEY],
    uint64_t value, struct err *e);

#endif /* BASE_PAGEMAP_H */
