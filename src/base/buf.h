#ifndef BASE_BUF_H
#define BASE_BUF_H

/*
 * A growing byte buffer that is born with a ceiling: what has no ceiling lives
 * on the spill stack instead.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
	uint8_t *p;          /* NULL until the first byte */
	size_t len;
	size_t cap;
	size_t max;          /* the ceiling, in bytes */
};

#define BUF_INIT(ceiling) { NULL, 0, 0, (ceiling) }

/**
 * buf_room(b, n, ret, e):
 * Make room for ${n} more bytes and point ${*ret} at it; the caller writes
 * there and then adds to b->len itself. Return 0, ERR_LIMIT (the ceiling) or
 * ERR_NOMEM; on failure the buffer is unchanged.
 */
int buf_room(struct buf *b, size_t n, uint8_t **ret, struct err *e);

/* Append ${len} bytes; returns as buf_room. */
int buf_add(struct buf *b, const void *p, size_t len, struct err *e);

/* Append the characters of ${s}, without its NUL; returns as buf_room. */
int buf_str(struct buf *b, const char *s, struct err *e);

/* Append a decimal number; returns as buf_room. */
int buf_u64(struct buf *b, uint64_t v, struct err *e);

/* Append formatted text; a NUL must fit behind it. Returns as buf_room. */
int buf_printf(struct buf *b, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Make b->p[b->len] a NUL that does not count; returns as buf_room. */
int buf_nul(struct buf *b, struct err *e);

/* Keep the memory, drop the contents. */
static inline void
buf_reset(struct buf *b)
{

	b->len = 0;
}

/* Give the memory back; the buffer can be used again. */
void buf_free(struct buf *b);

#endif /* BASE_BUF_H */
