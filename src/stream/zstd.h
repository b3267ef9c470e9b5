#ifndef STREAM_ZSTD_H
#define STREAM_ZSTD_H

/*
 * zstd, streaming only: any piece in, any piece out, in memory that the window
 * bounds; the library takes it with the first frame and keeps it. This is the
 * one file that knows the library.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* restic's own frames never have a larger window (restic-format 4). */
#define ZSTD_WINDOW_LOG 19

/* A span being consumed or filled: [at, len) is still to be used. */
struct span {
	uint8_t *p;
	size_t len;
	size_t at;
};

struct zstd_pack;

/**
 * zstd_pack_new(ret, level, window_log, e):
 * A compressor; frames have a window of at most 2^window_log. Return 0 or
 * ERR_NOMEM.
 */
int zstd_pack_new(struct zstd_pack **ret, int level, int window_log,
    struct err *e);
void zstd_pack_free(struct zstd_pack *z);

/**
 * zstd_pack_begin(z, len):
 * A new frame for ${len} bytes, or UINT64_MAX when the length is not known.
 */
void zstd_pack_begin(struct zstd_pack *z, uint64_t len);

/**
 * zstd_pack_run(z, in, out, end, e):
 * Consume from ${in}, produce into ${out}; with ${end}, no more input follows
 * and the frame is finished. Return 1 when all of ${in} is used and, with
 * ${end}, all of the frame is out; 0 when ${out} is full: empty it and call
 * again; ERR_FAIL when the library objects.
 */
int zstd_pack_run(struct zstd_pack *z, struct span *in, struct span *out,
    bool end, struct err *e);

/* An upper bound of the compressed size of ${len} bytes. */
size_t zstd_pack_bound(size_t len);

struct zstd_unpack;

/**
 * zstd_unpack_new(ret, window_max, e):
 * A decompressor that refuses frames with a window above ${window_max} bytes (a
 * power of two). Return 0 or ERR_NOMEM.
 */
int zstd_unpack_new(struct zstd_unpack **ret, size_t window_max,
    struct err *e);
void zstd_unpack_free(struct zstd_unpack *z);

/* Forget what came before: the next byte begins a frame. */
void zstd_unpack_begin(struct zstd_unpack *z);

/**
 * zstd_unpack_run(z, in, out, e):
 * Consume from ${in}, produce into ${out}; several frames back to back and
 * skippable ones are one text. Return 1 when all of ${in} is used and nothing
 * waits inside; 0 when ${out} is full: empty it and call again; ERR_CORRUPT for
 * bytes that are not zstd; ERR_LIMIT for a window above the limit.
 */
int zstd_unpack_run(struct zstd_unpack *z, struct span *in, struct span *out,
    struct err *e);

/* After the last input: was it nothing but whole frames? */
bool zstd_unpack_whole(const struct zstd_unpack *z);

/**
 * zstd_unpack_once(out, out_len, in, in_len, ret_len, e):
 * One text that lies whole in (mapped) memory, into room that is large enough:
 * for frames whose window is above what is kept in memory. Return 0 or
 * ERR_CORRUPT.
 */
int zstd_unpack_once(void *out, size_t out_len, const void *in, size_t in_len,
    size_t *ret_len, struct err *e);

/**
 * zstd_unpack_most(in, in_len, ret, e):
 * More than ${*ret} bytes cannot come out of it: known from the frames' headers,
 * nothing is unpacked. Return 0, or ERR_CORRUPT when they are not whole frames.
 */
int zstd_unpack_most(const void *in, size_t in_len, uint64_t *ret,
    struct err *e);

#endif /* STREAM_ZSTD_H */
