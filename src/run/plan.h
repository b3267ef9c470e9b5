#ifndef RUN_PLAN_H
#define RUN_PLAN_H

/*
 * What a prune does with each pack, decided as restic does (restic-format 11):
 * packs that nobody needs go, some of the others are repacked, the worst first,
 * until little enough unused data is left.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* What is known of a pack. */
struct pack_use {
	uint64_t size;       /* of the file, by the index */
	uint64_t used, unused; /* bytes of blobs; of a blob with several places
				only one counts as used */
	uint32_t used_n, unused_n; /* and these blobs' number */
	bool data, tree;     /* which kinds it holds */
	bool raw_data, raw_tree; /* some of them not compressed */
	bool missing;        /* not stored */
	bool doubtful;       /* or not as the index says: nothing of it must be
				needed */
};

enum fate {
	FATE_KEEP,
	FATE_REMOVE,
	FATE_FORGET,         /* missing and not needed: the index lets go */
	FATE_REPACK,
	FATE_LATER,          /* not decided yet */
};

/* How much unused data may stay. */
enum plan_unused {
	UNUSED_SHARE,        /* of all that stays */
	UNUSED_BYTES,
	UNUSED_ANY,
};

struct plan_opts {
	enum plan_unused unused;
	double unused_share; /* 0..1, below 1 */
	uint64_t unused_bytes;
	uint64_t max_repack; /* bytes of packs; UINT64_MAX: any */
	uint64_t small;      /* packs below are small; 0: by the packs' sizes */
	bool cacheable_only; /* packs of data alone are not repacked */
	bool compress;       /* packs with uncompressed data are */
	bool v2;             /* the repository knows compression */
};

/* What there is and what becomes of it; the names are restic's. */
struct plan_stats {
	struct {
		uint64_t used, duplicate, unused;
		uint64_t repack, repack_remove, remove;
	} blobs;
	struct {
		uint64_t used, duplicate, unused, unreferenced, uncompressed;
		uint64_t repack, repack_remove, remove;
	} bytes;
	struct {
		uint64_t used, unused, partly_used, unreferenced;
		uint64_t keep, repack, remove;
	} packs;
};

struct plan;

/**
 * plan_new(ret, dir, opts, stats, e):
 * Nothing is decided yet. ${dir} is for scratch files. In ${stats} blobs and bytes
 * that are used, duplicate and unused are known; the rest is filled in.
 */
int plan_new(struct plan **ret, const char *dir, const struct plan_opts *opts,
    struct plan_stats *stats, struct err *e);
void plan_free(struct plan *p);

/* First, the size of each pack. */
int plan_size(struct plan *p, uint64_t size, struct err *e);

/**
 * plan_add(p, no, use, ret, e):
 * Then each pack ${no}: its fate, or FATE_LATER.
 */
int plan_add(struct plan *p, uint32_t no, const struct pack_use *use,
    enum fate *ret, struct err *e);

/**
 * plan_decide(p, fn, cookie, e):
 * Then tell the fate of those that waited. Return 0 or ERR_*, also of ${fn}.
 */
typedef int plan_each(void *cookie, uint32_t no, enum fate fate,
    struct err *e);
int plan_decide(struct plan *p, plan_each *fn, void *cookie, struct err *e);

/* Packs below this many bytes are small; valid from plan_add on. */
uint64_t plan_small(const struct plan *p);

#endif /* RUN_PLAN_H */
