#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "base/err.h"

/**
 * thread_start(ret, fn, cookie, e):
 * Start a thread with a small stack (256 KiB; musl's own default is less, and
 * others' is 8 MiB) and all signals blocked: those are the main thread's. Join it
 * with pthread_join. Return 0 or ERR_*.
 */
int thread_start(pthread_t *ret, void *(*fn)(void *), void *cookie,
    struct err *e);

/* Seconds of a clock that nobody sets. */
int64_t monotonic_s(void);

/**
 * wait_init(cond):
 * Make a condition variable for wait_ms, on that clock: with any other, a wait
 * grows by what the time of day is set back meanwhile.
 */
void wait_init(pthread_cond_t *cond);

/**
 * wait_ms(cond, lock, ms):
 * Wait for a signal, but not longer; the lock is held before and after.
 */
void wait_ms(pthread_cond_t *cond, pthread_mutex_t *lock, unsigned ms);

#endif /* BASE_THREAD_H */
