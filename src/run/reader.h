#ifndef RUN_READER_H
#define RUN_READER_H

/*
 * Fills slabs with a file's bytes, cuts them into chunks, hands these to the
 * saver, and tells the planter in which order they come. Files that follow one
 * another share slabs.
 */

#include "repo/saver.h"
#include "run/strip.h"
#include "source/source.h"
#include "stream/chunker.h"
#include "stream/meter.h"
#include "stream/slab.h"

struct reader {
	struct repo *r;
	struct saver *saver;
	struct strip *strip;
	struct meter *meter;
	uint32_t part_max;   /* hand over unfinished chunks of this length */
	uint16_t slab;       /* being filled, or SLAB_NONE */
	uint32_t fill;       /* bytes in it */
	struct chunker ck;
	struct chunk chunk;  /* being collected */
	bool begun;          /* a part of this chunk was handed over */
	bool zeros_stored;   /* a chunk of zeros was handed over before */
	uint64_t size;       /* of the file so far */
};

void reader_begin(struct reader *rd, struct repo *r, struct saver *saver,
    struct strip *strip, struct meter *meter);
void reader_end(struct reader *rd);

/**
 * reader_file(rd, src, expect, ret_size, ret_fatal, e):
 * Read the file that ${src} has open, of about ${expect} bytes. Return 0, its
 * true length in ${ret_size}; or ERR_*: with ${*ret_fatal} the run cannot go on,
 * else only this file could not be read, and its chunks count for nothing.
 */
int reader_file(struct reader *rd, struct source *src, uint64_t expect,
    uint64_t *ret_size, bool *ret_fatal, struct err *e);

#endif /* RUN_READER_H */
