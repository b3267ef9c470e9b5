#include "base/pagecache.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Newer than the headers of some libcs; the kernel's numbers do not change. */
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif
#ifndef SYS_cachestat
#define SYS_cachestat (SYS_read > 4000 ? 4451 : 451) /* MIPS counts from 4000 */
#endif

/*
 * Dropped at a time. The kernel drops only folios that lie in the range as a
 * whole, and they may be as large as its largest readahead: so each step begins
 * again some way before the last one's end.
 */
enum { STEP = 4 << 20, AGAIN = 8 << 20 };

static void
drop(struct guest *g, uint64_t to)
{
	uint64_t from = g->dropped > AGAIN ? g->dropped - AGAIN : 0;

	(void)posix_fadvise(g->fd, (off_t)from,
	    (off_t)(to == UINT64_MAX ? 0 : to - from), POSIX_FADV_DONTNEED);
	g->dropped = to;
}

/* cachestat(2), Linux 6.5: 1 some pages are cached, 0 none, -1 cannot tell. */
static int
counted(int fd, uint64_t size)
{
	struct { uint64_t off, len; } range = { 0, size };
	struct { uint64_t cache, dirty, writeback, evicted, recently; } st;

	if (syscall(SYS_cachestat, fd, &range, &st, 0) == 0)
		return (st.cache > 0);
	return (-1);
}

/* Linux 4.14: can a byte be read without waiting for the disk? */
static bool
at_hand(int fd, uint64_t off)
{
	char byte;
	struct iovec v = { &byte, 1 };

	/* The offset goes in two halves, of which 64 bits need the first only. */
	return (syscall(SYS_preadv2, fd, &v, 1, (long)off, (long)(off >> 32),
	    RWF_NOWAIT) != -1 || errno != EAGAIN);
}

void
guest_begin(struct guest *g, int fd, uint64_t size)
{
	int cached = counted(fd, size);

	if (cached == -1)
		cached = at_hand(fd, 0) || at_hand(fd, size / 2) ||
		    at_hand(fd, size > 0 ? size - 1 : 0);
	g->fd = fd;
	g->leaves = cached == 0;
	g->dropped = 0;
}

void
guest_passed(struct guest *g, uint64_t off)
{

	if (!g->leaves || off < g->dropped + STEP)
		return;
	drop(g, off);
}

void
guest_end(struct guest *g)
{

	if (g->leaves)	/* to the end of the file: readahead went beyond us */
		drop(g, UINT64_MAX);
	g->leaves = false;
}
