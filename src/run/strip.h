#ifndef RUN_STRIP_H
#define RUN_STRIP_H

/*
 * A strip of bytes from one thread to one other, like a pipe without a kernel:
 * the walker's messages to the thread that builds the trees. The reader may sleep
 * a few milliseconds although bytes are there: so they come in batches, and a
 * small file does not cost a switch of threads.
 */

#include <stddef.h>

#include "base/err.h"

struct strip;

/* A strip of ${len} bytes, a power of two. Return 0 or ERR_NOMEM. */
int strip_new(struct strip **ret, size_t len, struct err *e);
void strip_free(struct strip *s);

/* Put all bytes in, waiting for room. ERR_CANCEL after strip_stop. */
int strip_write(struct strip *s, const void *p, size_t len, struct err *e);

/* Take exactly ${len} bytes, waiting for them. ERR_CANCEL after strip_stop. */
int strip_read(struct strip *s, void *p, size_t len, struct err *e);

/* The reader should look now. */
void strip_kick(struct strip *s);

/* Wake both ends and refuse from now on. */
void strip_stop(struct strip *s);

#endif /* RUN_STRIP_H */
