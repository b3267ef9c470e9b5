#ifndef BASE_PAGECACHE_H
#define BASE_PAGECACHE_H

/*
 * Reading as a guest: what a file had in the page cache before stays there, what
 * only our reading brought in leaves again. So a backup of a terabyte neither
 * evicts what the box works with nor fills its memory.
 */

#include <stdbool.h>
#include <stdint.h>

struct guest {
	int fd;
	bool leaves;         /* nothing of it was cached before */
	uint64_t dropped;    /* up to here */
};

/**
 * guest_begin(g, fd, size):
 * Before the first byte of a file of about ${size} bytes is read: is any of it
 * cached? Where the kernel cannot tell, it is taken to be.
 */
void guest_begin(struct guest *g, int fd, uint64_t size);

/* All before ${off} was read and will not be needed again. */
void guest_passed(struct guest *g, uint64_t off);

/* Reading is over; before the descriptor is closed. */
void guest_end(struct guest *g);

#endif /* BASE_PAGECACHE_H */
