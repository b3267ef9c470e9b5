#ifndef BASE_SPILL_H
#define BASE_SPILL_H

/*
 * A last-in-first-out stack of bytes without an upper size. Its warm end lies in
 * a window of fixed size in memory, what does not fit in an unlinked file. Trees
 * in the making, trees being read and the names of folders being walked are all
 * nested, so each is a stretch of such a stack: the child on top of the parent,
 * cut off when it is done.
 *
 * One thread at a time.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct spill {
	const char *dir;     /* where the file goes; borrowed */
	uint8_t *win;
	size_t cap;          /* size of the window */
	size_t len;          /* bytes in it */
	uint64_t base;       /* position of win[0]; all below is in the file */
	int fd;              /* -1 until the first byte spills */
};

/**
 * spill_open(s, dir, cap, e):
 * An empty stack with a window of ${cap} bytes. ${dir} must outlive it. Return 0
 * or ERR_NOMEM.
 */
int spill_open(struct spill *s, const char *dir, size_t cap, struct err *e);

/* Release it. A zeroed or closed stack is fine. */
void spill_close(struct spill *s);

/* The position behind the last byte. */
static inline uint64_t
spill_top(const struct spill *s)
{

	return (s->base + s->len);
}

/* Put bytes on top. On failure the stack is as it was. */
int spill_push(struct spill *s, const void *p, size_t len, struct err *e);

/**
 * spill_read(s, off, p, len, e):
 * Copy ${len} bytes from position ${off}; all of them must lie below the top.
 */
int spill_read(struct spill *s, uint64_t off, void *p, size_t len,
    struct err *e);

/* Overwrite ${len} bytes at position ${off}; all must lie below the top. */
int spill_patch(struct spill *s, uint64_t off, const void *p, size_t len,
    struct err *e);

/* Drop everything from position ${off} on. */
void spill_cut(struct spill *s, uint64_t off);

#endif /* BASE_SPILL_H */
