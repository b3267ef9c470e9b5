#ifndef RUN_PACKS_H
#define RUN_PACKS_H

/* The packs that index files name beside those that are stored. */

#include "repo/repo.h"

/* A pack, by its id. */
struct pack_known {
	struct id id;
	unsigned indexed;    /* how many descriptions the index has */
	uint32_t no;         /* number of the first of them in the blob map */
	struct pack_info info; /* it */
	bool differ;         /* the others say something else */
	bool stored;
	uint64_t size;       /* as stored */
};

/**
 * packs_join(r, fn, again, cookie, e):
 * Every pack that is stored or in r->map, in the order of ids. Before it, and if
 * not NULL, ${again} is told of the numbers of further descriptions of it. An ERR_*
 * of either ends it.
 */
typedef int packs_each(void *cookie, const struct pack_known *p,
    struct err *e);
typedef int packs_again(void *cookie, uint32_t no, uint32_t first,
    struct err *e);
int packs_join(struct repo *r, packs_each *fn, packs_again *again,
    void *cookie, struct err *e);

#endif /* RUN_PACKS_H */
