#ifndef RUN_USAGE_H
#define RUN_USAGE_H

/*
 * How much of each pack is needed: the marks of run/reach, counted pack by pack. A
 * pack goes by the number of its first description in the blob map.
 */

#include "base/sort.h"
#include "base/spill.h"
#include "base/table.h"
#include "run/packs.h"
#include "run/plan.h"
#include "state/marks.h"

struct usage {
	struct repo *r;
	struct marks *needed; /* by position in the map; borrowed */
	struct table *packs; /* by number: struct usage_pack */
	struct plan_stats *stats;
	struct spill places; /* of needed blobs that have several */
};

/**
 * usage_open(u, r, needed, stats, e):
 * Nothing is counted yet. Close it also after a failure.
 */
int usage_open(struct usage *u, struct repo *r, struct marks *needed,
    struct plan_stats *stats, struct err *e);
void usage_close(struct usage *u);

/* For packs_join: a pack that the index names; a further description of it. */
int usage_pack(struct usage *u, const struct pack_known *p, struct err *e);
int usage_again(void *usage, uint32_t no, uint32_t first, struct err *e);

/**
 * usage_count(u, e):
 * Count all blobs. Of a needed blob that lies in several packs one place counts as
 * used: the one in the pack that is likeliest to stay, so that what a prune copied
 * before it was cut is not copied again.
 */
int usage_count(struct usage *u, struct err *e);

/**
 * usage_get(u, no, ret, e):
 * What is known of the pack: 1; 0 when ${no} is a further description.
 */
int usage_get(struct usage *u, uint32_t no, struct pack_use *ret,
    struct err *e);

/* The number of its first description. */
int usage_first(struct usage *u, uint32_t no, uint32_t *ret, struct err *e);

/* Set and read its fate, which is also that of its further descriptions. */
int usage_decide(struct usage *u, uint32_t no, enum fate fate, struct err *e);
int usage_fate(struct usage *u, uint32_t no, enum fate *ret, struct err *e);

/**
 * usage_blobs(u, into, ret, e):
 * When all fates are known: add the blobs that must be copied to the list of
 * run/repack, ${*ret} counts them. Every needed blob has a place in a pack that
 * stays or is copied; should one not, it is ERR_FAIL, and nothing may be removed.
 */
int usage_blobs(struct usage *u, struct sorter *into, uint64_t *ret,
    struct err *e);

#endif /* RUN_USAGE_H */
