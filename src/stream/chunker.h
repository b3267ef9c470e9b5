#ifndef STREAM_CHUNKER_H
#define STREAM_CHUNKER_H

/*
 * restic's content-defined chunking: cut after byte c of a chunk when c is at
 * least 512 KiB and the Rabin hash of the last 64 bytes ends in 20 zero bits, or
 * when c is 8 MiB (restic-format 9). On average a chunk is 1.5 MiB.
 *
 * A cut depends on nothing but c and the last 64 bytes. So there is no state but
 * c, the first 512 KiB - 64 bytes are not looked at, and several stretches of a
 * buffer are scanned at once, each after a run-up of 64 bytes.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

#define CHUNK_WINDOW 64
#define CHUNK_MIN (512u << 10)
#define CHUNK_MAX (8u << 20)
#define CHUNK_MASK ((1u << 20) - 1)

/* The id of CHUNK_MIN zeros, which is what holes are cut into: a hash that is all
 * zeros says "cut" as soon as a chunk may end. */
extern const struct id chunk_zeros;

/* Read-only after the init; one for each polynomial. */
struct chunk_tables {
	uint64_t out[256];   /* b * x^(8 * 63) mod P: the byte that leaves */
	uint64_t mod[256];   /* reduces the eight bits above the degree */
};

struct chunker {
	const struct chunk_tables *tables;
	uint32_t pos;        /* bytes of the present chunk so far */
};

void chunk_tables_init(struct chunk_tables *t, uint64_t polynomial);

/* At the start of a file. */
static inline void
chunker_begin(struct chunker *c, const struct chunk_tables *t)
{

	c->tables = t;
	c->pos = 0;
}

/**
 * chunker_scan(c, p, len):
 * Look at the next ${len} bytes of the stream. The CHUNK_WINDOW bytes in front
 * of ${p} must be readable and, as far as the stream has them, be the bytes
 * before. Return the length of the head of ${p} that ends the present chunk
 * (1..len; the next call continues behind it), or 0 when all of it belongs to
 * the chunk and that is not over yet.
 */
size_t chunker_scan(struct chunker *c, const uint8_t *p, size_t len);

#endif /* STREAM_CHUNKER_H */
