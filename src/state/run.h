#ifndef STATE_RUN_H
#define STATE_RUN_H

/*
 * An immutable sorted run of blob records in a file: the leaf of the blob map.
 *
 *     page 0        header
 *     pages 1..P    85 records of 48 bytes, sorted by (id, type), and a trailer
 *                   with their number and a checksum: flash forgets
 *     Bloom blocks  64 bytes each, four of them a checksum; a block covers a
 *                   stretch of ids, so that it is written in order and asked
 *                   with one read
 *     fence         the first eight bytes of each page's first id
 *
 * An id is uniform, so the fence (as much of it as the budget allows, every
 * n-th page) leads to the right page with one or two reads.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"

enum blob_type { BLOB_DATA, BLOB_TREE };

/* A pack of this very session, which nobody needs to find by number. */
#define PACK_NEW 0x7fffffffu

/* Where a blob lies. */
struct where {
	uint32_t pack;       /* its number in the map's pack table */
	uint32_t offset;     /* in the pack */
	uint32_t length;     /* as stored: sealed, maybe compressed */
	uint32_t plain;      /* length of the plain bytes if compressed, else 0 */
	enum blob_type type;
};

struct record {
	struct id id;
	struct where where;
};

#define RECORD_LEN 48

void record_encode(const struct record *r, uint8_t p[RECORD_LEN]);
void record_decode(const uint8_t p[RECORD_LEN], struct record *ret);

/* The order of runs, over encoded records (a sort_cmp). */
int record_cmp(const void *x, size_t x_len, const void *y, size_t y_len);

/* ---- writing ---- */

struct run_writer;

/**
 * run_writer_new(ret, fd, n, e):
 * Write a run of exactly ${n} records to the empty file ${fd}, which stays the
 * caller's. Return 0 or ERR_NOMEM.
 */
int run_writer_new(struct run_writer **ret, int fd, uint64_t n,
    struct err *e);

/* The next record, encoded; in the order of record_cmp. */
int run_writer_add(struct run_writer *w, const uint8_t rec[RECORD_LEN],
    struct err *e);

/* The last was added: write what waits and the header. */
int run_writer_end(struct run_writer *w, struct err *e);

void run_writer_free(struct run_writer *w);

/* ---- reading ---- */

struct run {
	int fd;
	uint64_t n;          /* records */
	uint64_t pages;
	uint64_t blooms;     /* blocks */
	uint64_t *fence;     /* first key of every step-th page */
	uint64_t n_fence;
	unsigned step;
};

/**
 * run_open(ret, fd, fence_max, e):
 * Read the header and at most ${fence_max} bytes of fence. ${fd} is the run's
 * from then on, also after a failure. ERR_CORRUPT when it is not a whole run.
 */
int run_open(struct run *ret, int fd, size_t fence_max, struct err *e);
void run_close(struct run *r);

/**
 * run_find(r, type, id, likely, ret, ret_pos, e):
 * Look it up; with ${likely} the Bloom filter is not asked first. Threads may do
 * so at the same time. Return 1, 0 when it is not there, or ERR_*.
 */
int run_find(const struct run *r, enum blob_type type, const struct id *id,
    bool likely, struct where *ret, uint64_t *ret_pos, struct err *e);

/* The record at a position, 0..n - 1. */
int run_at(const struct run *r, uint64_t pos, struct record *ret,
    struct err *e);

/* Reads a run's records in order. */
struct run_cursor {
	const struct run *run;
	uint64_t next;       /* position of the record to come */
	uint8_t page[4096];
};

void run_begin(struct run_cursor *c, const struct run *r);

/* The next encoded record, valid until the next call: 1, 0, or ERR_*. */
int run_next(struct run_cursor *c, const uint8_t **ret, struct err *e);

#endif /* STATE_RUN_H */
