#ifndef REPO_BUDGET_H
#define REPO_BUDGET_H

/*
 * What a backup holds in memory at its peak, part by part, in KiB. None of it
 * depends on the tree or the repository; the sum is held against the board's
 * ceiling here, so that an option that is set too high does not build.
 *
 * A prune and a copy are counted below; other commands hold less: the same slabs,
 * no compressors.
 */

/* Bytes in flight: 64 KiB and the 64 bytes in front. */
#define BUDGET_SLABS (CONFIG_SLAB_COUNT * 65)

/* Each worker: zstd at a window of 512 KiB (tables 768, input 640, the rest its
 * sequences and output), the pack's buffer, its list of blobs, a stack. */
#define BUDGET_WORKERS (CONFIG_WORKERS_MAX * (2045 + 128 + 16 + 32))

/* The planter: zstd at a window of 32 KiB, pack buffer and list, the trees'
 * text, the ids of a file, the strip. */
#define BUDGET_TREES (370 + 128 + 16 + CONFIG_SPILL_KIB + 32 + 64)

/* Index files: the packs since the last one, and a compressor of 32 KiB. */
#define BUDGET_INDEX (64 + 305 + 16)

/* The parent's trees: text, unpacker with its window, JSON windows. */
#define BUDGET_PARENT (CONFIG_SPILL_KIB + 93 + 512 + 128 * 3 + 64 + 64)

/* The blob map: fences, the session's claims (33 bytes in a table of at most
 * twice as many slots) and, when they become a run, their records. */
#define BUDGET_MAP (CONFIG_INDEX_CACHE_KIB + \
    CONFIG_PENDING_BLOBS * (66 + 48) / 1024)

/* The walk: names, their sorter, folder entries, paths; twice, when a scan
 * counts beside it for the time left. */
#define BUDGET_WALK (2 * (128 + CONFIG_SORT_KIB / 4 + 32 + 64))

/* The program itself, libc, locks, progress, stacks of the other threads. */
#define BUDGET_REST 1024

#define BUDGET_KIB (BUDGET_SLABS + BUDGET_WORKERS + BUDGET_TREES + \
    BUDGET_INDEX + BUDGET_PARENT + BUDGET_MAP + BUDGET_WALK + BUDGET_REST)

_Static_assert(BUDGET_KIB <= CONFIG_MEMORY_MIB * 1024,
    "the parts are larger than MEMORY_MIB: fewer slabs, workers or blobs");

/* A prune that repacks and compresses: each worker has an unpacker, two packs and
 * two compressors; the list of blobs is in a sorter, the packs are in a table. The
 * walk over the snapshots, with what it remembers, comes before that. */
#define BUDGET_PRUNE (BUDGET_SLABS + CONFIG_WORKERS_MAX * (512 + 93 + 64 + \
    2 * (128 + 16) + 2045 + 370 + 16 + 32) + BUDGET_INDEX + \
    CONFIG_INDEX_CACHE_KIB + CONFIG_SORT_KIB + 256 + 64 + BUDGET_REST)
#define BUDGET_REACH (BUDGET_PARENT + CONFIG_SEEN_KIB + CONFIG_SORT_KIB + \
    256 + 64 + CONFIG_INDEX_CACHE_KIB + BUDGET_REST)

_Static_assert(BUDGET_PRUNE <= CONFIG_MEMORY_MIB * 1024 &&
    BUDGET_REACH <= CONFIG_MEMORY_MIB * 1024,
    "a prune needs more than MEMORY_MIB: fewer slabs or workers");

/* A copy into another repository: the workers share the compressors, and there are
 * two maps. What snapshots need is looked for before that, by a walk over trees
 * with the list in its sorter. */
#define BUDGET_COPY (BUDGET_SLABS + CONFIG_WORKERS_MAX * (512 + 93 + 64 + \
    2 * (128 + 16) + 16 + 32) + 2045 + 370 + BUDGET_INDEX + BUDGET_MAP + \
    CONFIG_INDEX_CACHE_KIB + CONFIG_SORT_KIB + 128 + BUDGET_REST)
#define BUDGET_LOOK (BUDGET_PARENT + BUDGET_MAP + CONFIG_INDEX_CACHE_KIB + \
    CONFIG_SORT_KIB + 128 + BUDGET_REST)

_Static_assert(BUDGET_COPY <= CONFIG_MEMORY_MIB * 1024 &&
    BUDGET_LOOK <= CONFIG_MEMORY_MIB * 1024,
    "a copy needs more than MEMORY_MIB: fewer slabs or workers");

/* Opening a key comes before all that, and gives its memory back. */
_Static_assert(CONFIG_KDF_KIB <= CONFIG_MEMORY_MIB * 1024,
    "KDF_KIB is larger than MEMORY_MIB");

#endif /* REPO_BUDGET_H */
