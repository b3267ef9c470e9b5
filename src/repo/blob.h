#ifndef REPO_BLOB_H
#define REPO_BLOB_H

/*
 * Reading blobs: fetch the sealed bytes, check the tag, decrypt, unpack, compare
 * the hash with the id. A blob that fits the slab pool is held there; a larger
 * one, which only other programs write, goes through a scratch file.
 */

#include "repo/pack.h"
#include "repo/repo.h"
#include "stream/zstd.h"

/* One for each thread that reads. */
struct blob_reader {
	struct repo *r;
	struct zstd_unpack *z;
	uint8_t *out;        /* unpacked bytes on their way to the sink */
};

int blob_reader_open(struct blob_reader *br, struct repo *r, struct err *e);
void blob_reader_close(struct blob_reader *br);

/**
 * blob_read(br, type, id, fn, cookie, e):
 * Send the blob's plain bytes to ${fn}, in pieces. What was sent counts only
 * after the return of 0: the hash is known at the end. ERR_ABSENT: the index
 * does not name it. ERR_CORRUPT names the blob, the pack and the defect.
 */
int blob_read(struct blob_reader *br, enum blob_type type,
    const struct id *id, store_sink *fn, void *cookie, struct err *e);

/* The error for one that no index file names; ${what}: "tree blob". */
int blob_unknown(const char *what, const struct id *id, struct err *e);

/* The same for one whose place is known. When it is damaged there, it is read from
 * another place that an index file names, and a warning says so. */
int blob_read_at(struct blob_reader *br, const struct id *id,
    const struct where *at, store_sink *fn, void *cookie, struct err *e);

/* The same for one that lies at ${offset} of the object ${name}. */
int blob_read_from(struct blob_reader *br, const char *name, uint32_t offset,
    const struct pack_entry *x, store_sink *fn, void *cookie, struct err *e);

/**
 * blob_open(br, c, x, name, offset, fn, cookie, e):
 * The same for one whose stored bytes lie in the slabs of ${c}, which are
 * decrypted in place and stay the caller's. ${name} and ${offset} are for errors.
 */
int blob_open(struct blob_reader *br, const struct chunk *c,
    const struct pack_entry *x, const char *name, uint32_t offset,
    store_sink *fn, void *cookie, struct err *e);

/* Length of a blob's plain bytes. */
static inline uint32_t
where_plain(const struct where *w)
{

	return (w->plain != 0 ? w->plain : w->length - SEAL_OVERHEAD);
}

#endif /* REPO_BLOB_H */
