#include "repo/publisher.h"

#include <string.h>

#include "base/thread.h"

static int
publish(struct publisher *p, struct pack_done *d, struct err *e)
{
	char name[STORE_NAME_MAX];
	int rc;

	rc = put_publish(d->put, repo_name(REPO_PACK, &d->id, name), 0, e);
	if (rc != 0)
		return (rc);
	p->packs++;
	p->bytes += d->size;
	return (index_writer_add(&p->index, &d->id, &d->list, e));
}

/* Keep the first failure and wake everybody. */
static void
fail(struct publisher *p, int rc, const struct err *why)
{

	pthread_mutex_lock(&p->lock);
	if (p->rc == 0) {
		p->rc = rc;
		p->why = *why;
	}
	pthread_cond_broadcast(&p->room);
	pthread_mutex_unlock(&p->lock);
	if (p->failed != NULL)
		p->failed(p->cookie, why);
}

static void *
publisher(void *cookie)
{
	struct publisher *p = cookie;
	struct err e = ERR_INIT;
	struct pack_done d;
	int rc = 0;

	while (rc == 0) {
		pthread_mutex_lock(&p->lock);
		while (p->n == 0 && !p->closed && !p->stopped)
			pthread_cond_wait(&p->more, &p->lock);
		if (p->n == 0 || p->stopped) {
			pthread_mutex_unlock(&p->lock);
			return (NULL);
		}
		d = p->done[p->first];
		p->first = (p->first + 1) % PUBLISHER_PACKS;
		p->n--;
		pthread_cond_signal(&p->room);
		pthread_mutex_unlock(&p->lock);
		rc = publish(p, &d, &e);
		pack_done_free(&d);
	}
	fail(p, rc, &e);
	return (NULL);
}

int
publisher_open(struct publisher *p, struct repo *r,
    void (*failed)(void *cookie, const struct err *why), void *cookie,
    struct err *e)
{
	int rc;

	memset(p, 0, sizeof(*p));
	p->r = r;
	p->failed = failed;
	p->cookie = cookie;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	pthread_cond_init(&p->room, NULL);
	if ((rc = index_writer_open(&p->index, r, e)) != 0 ||
	    (rc = thread_start(&p->thread, publisher, p, e)) != 0)
		return (rc);
	p->running = true;
	return (0);
}

int
publisher_add(struct publisher *p, struct pack_done *d, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	while (p->n == PUBLISHER_PACKS && p->rc == 0 && !p->stopped)
		pthread_cond_wait(&p->room, &p->lock);
	if (p->rc != 0) {
		rc = p->rc;
		if (e != NULL)
			*e = p->why;
	} else if (p->stopped) {
		rc = err_set(e, ERR_CANCEL, "stopped");
	} else {
		p->done[(p->first + p->n++) % PUBLISHER_PACKS] = *d;
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
	if (rc != 0)
		pack_done_free(d);
	return (rc);
}

void
publisher_stop(struct publisher *p)
{

	pthread_mutex_lock(&p->lock);
	p->stopped = true;
	pthread_cond_broadcast(&p->more);
	pthread_cond_broadcast(&p->room);
	pthread_mutex_unlock(&p->lock);
}

static void
join(struct publisher *p)
{

	pthread_mutex_lock(&p->lock);
	p->closed = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	if (p->running)
		pthread_join(p->thread, NULL);
	p->running = false;
}

int
publisher_end(struct publisher *p, struct err *e)
{

	join(p);
	if (p->rc != 0) {
		if (e != NULL)
			*e = p->why;
		return (p->rc);
	}
	return (index_writer_flush(&p->index, e));
}

void
publisher_close(struct publisher *p)
{

	if (p->running) {	/* not ended: what waits is dropped */
		publisher_stop(p);
		join(p);
	}
	for (; p->n > 0; p->n--, p->first = (p->first + 1) % PUBLISHER_PACKS)
		pack_done_free(&p->done[p->first]);
	/* What is published counts for the next run also when this one failed. */
	(void)index_writer_flush(&p->index, NULL);
	index_writer_close(&p->index);
	pthread_cond_destroy(&p->room);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
}
