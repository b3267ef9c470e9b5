#ifndef STREAM_METER_H
#define STREAM_METER_H

/*
 * Progress, as the running command counts it and somebody else shows it. Counters
 * are written by worker threads and read at any time; the path is for show.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct meter {
	_Atomic uint64_t files, folders, bytes; /* done */
	_Atomic uint64_t errors;
	_Atomic uint64_t files_total, bytes_total; /* 0: not known (yet) */
	_Atomic int totals_final; /* they will not grow any more */
	pthread_mutex_t lock;
	char path[512];      /* what is being worked on, cut in front */
};

void meter_init(struct meter *m);
void meter_destroy(struct meter *m);

/* Say what is being worked on. */
void meter_path(struct meter *m, const char *path);

/* Copy it out. */
void meter_get_path(struct meter *m, char *ret, size_t len);

static inline void
meter_add(_Atomic uint64_t *counter, uint64_t n)
{

	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline uint64_t
meter_read(_Atomic uint64_t *counter)
{

	return (atomic_load_explicit(counter, memory_order_relaxed));
}

#endif /* STREAM_METER_H */
