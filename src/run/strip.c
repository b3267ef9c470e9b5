#include "run/strip.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

enum { NAP_MS = 4 };    /* how long bytes may wait for company */

struct strip {
	atomic_size_t written, taken; /* bytes ever; their difference is there */
	atomic_bool stopped, reader_sleeps, writer_sleeps;
	pthread_mutex_t lock;
	pthread_cond_t more, room;
	size_t len;
	uint8_t p[];
};

int
strip_new(struct strip **ret, size_t len, struct err *e)
{
	struct strip *s;

	if ((s = calloc(1, sizeof(*s) + len)) == NULL)
		return (err_nomem(e));
	s->len = len;
	pthread_mutex_init(&s->lock, NULL);
	wait_init(&s->more);
	wait_init(&s->room);
	*ret = s;
	return (0);
}

void
strip_free(struct strip *s)
{

	if (s == NULL)
		return;
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->more);
	pthread_cond_destroy(&s->room);
	free(s);
}

static size_t
there(struct strip *s)
{

	return (atomic_load(&s->written) - atomic_load(&s->taken));
}

/* Sleep for a nap, or until the other end signals. */
static void
nap(struct strip *s, pthread_cond_t *cond, atomic_bool *sleeping,
    bool (*ready)(struct strip *))
{

	pthread_mutex_lock(&s->lock);
	atomic_store(sleeping, true);
	if (!ready(s) && !atomic_load(&s->stopped))
		wait_ms(cond, &s->lock, NAP_MS);
	atomic_store(sleeping, false);
	pthread_mutex_unlock(&s->lock);
}

static void
wake(struct strip *s, pthread_cond_t *cond)
{

	pthread_mutex_lock(&s->lock);
	pthread_cond_signal(cond);
	pthread_mutex_unlock(&s->lock);
}

/* A batch is worth a switch of threads. */
static bool
batch_there(struct strip *s)
{

	return (there(s) >= s->len / 4);
}

static bool
room_there(struct strip *s)
{

	return (there(s) <= s->len / 2);
}

int
strip_write(struct strip *s, const void *bytes, size_t len, struct err *e)
{
	const uint8_t *p = bytes;
	size_t at, n;

	while (len > 0) {
		if (atomic_load_explicit(&s->stopped, memory_order_relaxed))
			return (err_set(e, ERR_CANCEL, "stopped"));
		n = s->len - there(s);
		if (n == 0) {
			nap(s, &s->room, &s->writer_sleeps, room_there);
			continue;
		}
		at = atomic_load(&s->written) % s->len;
		if (n > len)
			n = len;
		if (n > s->len - at)
			n = s->len - at;
		memcpy(s->p + at, p, n);
		atomic_fetch_add(&s->written, n);
		p += n;
		len -= n;
		if (atomic_load(&s->reader_sleeps) && batch_there(s))
			wake(s, &s->more);
	}
	return (0);
}

int
strip_read(struct strip *s, void *bytes, size_t len, struct err *e)
{
	uint8_t *p = bytes;
	size_t at, n;

	while (len > 0) {
		n = there(s);
		if (n == 0) {
			if (atomic_load(&s->stopped))
				return (err_set(e, ERR_CANCEL, "stopped"));
			nap(s, &s->more, &s->reader_sleeps, batch_there);
			continue;
		}
		at = atomic_load(&s->taken) % s->len;
		if (n > len)
			n = len;
		if (n > s->len - at)
			n = s->len - at;
		memcpy(p, s->p + at, n);
		atomic_fetch_add(&s->taken, n);
		p += n;
		len -= n;
		if (atomic_load(&s->writer_sleeps) && room_there(s))
			wake(s, &s->room);
	}
	return (0);
}

void
strip_kick(struct strip *s)
{

	wake(s, &s->more);
}

void
strip_stop(struct strip *s)
{

	pthread_mutex_lock(&s->lock);
	atomic_store(&s->stopped, true);
	pthread_cond_broadcast(&s->more);
	pthread_cond_broadcast(&s->room);
	pthread_mutex_unlock(&s->lock);
}
