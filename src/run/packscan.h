#ifndef RUN_PACKSCAN_H
#define RUN_PACKSCAN_H

/*
 * Reads a whole pack, once, from front to back, and proves all of it: the hash
 * of the file, the header, every blob, and that the index says the same.
 */

#include "repo/blob.h"
#include "repo/pack.h"

struct packscan_stats {
	uint64_t blobs, bytes;
};

/**
 * packscan(br, id, size, expect, fn, cookie, stats, e):
 * Prove the stored pack ${id} of ${size} bytes. ${expect} is what the index knows
 * of it, or NULL for a pack that no index names. Every defect is told to ${fn},
 * one by one. Return 0, or ERR_* when reading could not go on for a reason that is
 * not the pack's.
 */
typedef void packscan_defect(void *cookie, const struct err *why);
int packscan(struct blob_reader *br, const struct id *id, uint64_t size,
    const struct pack_info *expect, packscan_defect *fn, void *cookie,
    struct packscan_stats *stats, struct err *e);

#endif /* RUN_PACKSCAN_H */
