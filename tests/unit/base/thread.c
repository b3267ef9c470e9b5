#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool set_back; /* since somebody asked for the time of day */

/* The program's own: the time of day is an hour ahead of what it will be. */
int
clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ret);

	if (clock == CLOCK_REALTIME && set_back)
		ret->tv_sec += 3600;
	return (rc);
}

/* A box without a battery gets its time from the network, while we wait. */
static void
waits_whatever_the_clock(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct timespec begin, end;
	pthread_cond_t cond;
	int64_t ms;

	(void)state;
	wait_init(&cond);
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	set_back = true;
	(void)alarm(20);	/* an hour is too long for a test */
	(void)pthread_mutex_lock(&lock);
	wait_ms(&cond, &lock, 100);
	(void)pthread_mutex_unlock(&lock);
	(void)alarm(0);
	set_back = false;
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	(void)pthread_cond_destroy(&cond);
	ms = (end.tv_sec - begin.tv_sec) * 1000 +
	    (end.tv_nsec - begin.tv_nsec) / 1000000;
	assert_in_range(ms, 95, 15000);
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool woken;
};

static void *
wake(void *cookie)
{
	struct waiter *w = cookie;

	(void)pthread_mutex_lock(&w->lock);
	w->woken = true;
	(void)pthread_cond_signal(&w->cond);
	(void)pthread_mutex_unlock(&w->lock);
	return (NULL);
}

static void
a_signal_ends_the_wait(void **state)
{
	struct waiter w = { .lock = PTHREAD_MUTEX_INITIALIZER };
	int64_t began = monotonic_s();
	struct err e = ERR_INIT;
	pthread_t thread;

	(void)state;
	wait_init(&w.cond);
	(void)pthread_mutex_lock(&w.lock);
	assert_int_equal(thread_start(&thread, wake, &w, &e), 0);
	while (!w.woken && monotonic_s() - began < 20)
		wait_ms(&w.cond, &w.lock, 20000);
	(void)pthread_mutex_unlock(&w.lock);
	(void)pthread_join(thread, NULL);
	(void)pthread_cond_destroy(&w.cond);
	assert_true(w.woken);
	assert_in_range(monotonic_s() - began, 0, 15);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_whatever_the_clock),
		cmocka_unit_test(a_signal_ends_the_wait),
	};

	return (cmocka_run_group_tests_name("threads", tests, NULL, NULL));
}
