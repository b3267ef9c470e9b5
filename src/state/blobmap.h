#ifndef STATE_BLOBMAP_H
#define STATE_BLOBMAP_H

/*
 * The blob map: which blobs a repository has, and where. It lies on disk in
 * sorted runs (state/run.h); memory holds their fences and the ids that this
 * session stored last. It is a cache: the repository's index files are the
 * truth, and the map remembers which of them it holds.
 *
 * Life: open (locks the folder), offer every index file's id, settle, load each
 * that blobmap_missing names, commit (unlocks). Then find and claim, from any
 * thread.
 */

#include "base/err.h"
#include "base/id.h"
#include "state/dir.h"
#include "state/run.h"

struct blobmap;

struct blobmap_budget {
	size_t sort;         /* bytes for sorting while loading */
	size_t fences;       /* bytes of fences kept */
	unsigned claims;     /* ids of this session kept in memory */
};

/* What the map knows of a pack: the sum over its blobs in the index. */
struct pack_info {
	struct id id;
	uint64_t size;       /* sealed blobs, header and its length field */
	uint64_t sum;        /* over its records: pack_sum of each, added up */
	uint32_t blobs;
	bool data, tree;     /* which kinds it holds */
};

/* A blob's share in the sum of its pack: two descriptions of a pack that have the
 * same sum name the same blobs at the same places. */
uint64_t pack_sum(const struct record *r);

/**
 * blobmap_open(ret, state, repo, budget, e):
 * Open the map of the repository with id ${repo}; an absent or damaged one is
 * empty. Waits while another process loads it. ${state} must outlive the map.
 */
int blobmap_open(struct blobmap **ret, const struct state_dir *state,
    const struct id *repo, const struct blobmap_budget *budget,
    struct err *e);

void blobmap_close(struct blobmap *m);

/* ---- loading ---- */

/* Before it is settled: forget all that it holds. */
void blobmap_forget(struct blobmap *m);

/* An index file that the repository has now. */
int blobmap_offer(struct blobmap *m, const struct id *index, struct err *e);

/**
 * blobmap_settle(m, ret, e):
 * All were offered. When the map holds an index file that is gone, it starts
 * anew. ${*ret} is how many must be loaded.
 */
int blobmap_settle(struct blobmap *m, uint64_t *ret, struct err *e);

/* The next index file to load: 1, 0 when all are, or ERR_*. */
int blobmap_missing(struct blobmap *m, struct id *ret, struct err *e);

/* The one named last could not be loaded: the map will not claim to hold it. */
int blobmap_skip(struct blobmap *m, struct err *e);

/**
 * Inside one index file: pack_begin, its blobs and its id in any order,
 * pack_end. ${r}'s pack number is filled in here.
 */
int blobmap_pack_begin(struct blobmap *m, struct err *e);
void blobmap_pack_id(struct blobmap *m, const struct id *id);
int blobmap_blob(struct blobmap *m, struct record *r, struct err *e);
int blobmap_pack_end(struct blobmap *m, struct err *e);

/**
 * blobmap_loaded_packs(m, into, e):
 * While loading: add the id of every pack that the map has by now to the sorter,
 * as 33 bytes, the last one 0.
 */
struct sorter;
int blobmap_loaded_packs(struct blobmap *m, struct sorter *into,
    struct err *e);

/**
 * blobmap_commit(m, e):
 * Sort what came, merge small runs, publish, unlock. From here on the map
 * answers. After skips nothing is published: the map then lives as long as this
 * process.
 */
int blobmap_commit(struct blobmap *m, struct err *e);

/* ---- asking ---- */

/**
 * blobmap_find(m, type, id, likely, ret, ret_pos, e):
 * Where is it? ${likely} says that the caller expects it to be there. ${ret_pos}
 * may be NULL; it is the record's position, 0..blobmap_records - 1. Blobs
 * claimed in this session are not found. Return 1, 0, or ERR_*.
 */
int blobmap_find(struct blobmap *m, enum blob_type type, const struct id *id,
    bool likely, struct where *ret, uint64_t *ret_pos, struct err *e);

/**
 * blobmap_places(m, type, id, fn, cookie, e):
 * Name the places of a blob, which may lie in several packs or be said to, until
 * ${fn} returns something else than 0, or sixteen were named. Return that, 0, or
 * ERR_*.
 */
typedef int blobmap_place(void *cookie, const struct where *at,
    struct err *e);
int blobmap_places(struct blobmap *m, enum blob_type type,
    const struct id *id, blobmap_place *fn, void *cookie, struct err *e);

/**
 * blobmap_claim(m, type, id, e):
 * The caller would store this blob. Return 1 when nobody has: it is the caller's
 * to store now; 0 when it is in the repository or claimed before; or ERR_*.
 */
int blobmap_claim(struct blobmap *m, enum blob_type type, const struct id *id,
    struct err *e);

/* Is it in the repository, or claimed in this session? 1, 0, or ERR_*. */
int blobmap_has(struct blobmap *m, enum blob_type type, const struct id *id,
    struct err *e);

/* Records of the committed map; blobs that lie in two packs have two. */
uint64_t blobmap_records(const struct blobmap *m);

/* Packs of the committed map are 0..blobmap_packs - 1. */
uint32_t blobmap_packs(const struct blobmap *m);
int blobmap_pack(struct blobmap *m, uint32_t no, struct pack_info *ret,
    struct err *e);

/**
 * blobmap_scan(m, fn, cookie, e):
 * Every record with its position, in the order of positions, which is not that
 * of ids. An ERR_* of ${fn} ends it.
 */
typedef int blobmap_each(void *cookie, uint64_t pos, const struct record *r,
    struct err *e);
int blobmap_scan(struct blobmap *m, blobmap_each *fn, void *cookie,
    struct err *e);

/* The same in the order of ids and types: a blob's places follow each other. */
int blobmap_merge(struct blobmap *m, blobmap_each *fn, void *cookie,
    struct err *e);

/* ---- after packs were removed ---- */

/**
 * blobmap_renew(m, gone, held, e):
 * Publish the map without the packs whose numbers are marked in ${gone}, as one
 * that holds the index files whose ids are in the sorter ${held}: what they name
 * must be what is left. Other index files that there are by now are loaded when it
 * is opened next. Nothing happens when another process published a map meanwhile.
 * Nothing but blobmap_close may follow. Return 0 or ERR_*, and then the map is made
 * anew by who opens it next.
 */
struct marks;
int blobmap_renew(struct blobmap *m, struct marks *gone, struct sorter *held,
    struct err *e);

#endif /* STATE_BLOBMAP_H */
