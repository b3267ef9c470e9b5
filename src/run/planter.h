#ifndef RUN_PLANTER_H
#define RUN_PLANTER_H

/*
 * Builds a snapshot's trees from a strip of messages, in a thread of its own.
 * Folders are nested, so their texts lie on one spill stack; a folder is stored
 * when its end comes, and its id becomes a line in its parent.
 */

#include "repo/saver.h"
#include "run/strip.h"

/* Messages: one byte of kind, u32 length of what follows, that. */
enum planter_msg {
	PLANT_NODE = 'N',    /* a node begins: a comma, if need be; and bytes */
	PLANT_BYTES = 'B',   /* bytes of the present node */
	PLANT_TICKET = 'T',  /* u64: a blob of the present file, to be waited for */
	PLANT_IDS = 'I',     /* ids of blobs that are stored already */
	PLANT_REPEAT = 'R',  /* an id, u64: so many times */
	PLANT_CONTENT = 'C', /* write the ids gathered as a list */
	PLANT_DROP = 'X',    /* forget them: the file could not be read */
	PLANT_ENTER = 'D',   /* a folder begins; maybe the id it had before */
	PLANT_LEAVE = 'U',   /* it ends: store it, finish its node */
	PLANT_END = 'E',     /* the root ended */
};

struct planter_stats {
	uint64_t dirs_new, dirs_changed, dirs_unmodified;
};

struct planter;

/* Start the thread. */
int planter_open(struct planter **ret, struct repo *r, struct saver *saver,
    struct strip *strip, struct err *e);

/**
 * planter_end(p, ret, stats, e):
 * Wait for the thread after PLANT_END (or strip_stop). Return 0 with the root
 * tree's id, or what went wrong there.
 */
int planter_end(struct planter *p, struct id *ret, struct planter_stats *stats,
    struct err *e);

void planter_free(struct planter *p);

/* Send a message. */
int plant(struct strip *s, enum planter_msg kind, const void *p, size_t len,
    struct err *e);

#endif /* RUN_PLANTER_H */
