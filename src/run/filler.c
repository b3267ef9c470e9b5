#include "run/filler.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/thread.h"
#include "run/place.h"

enum {
	FILES = 32,          /* unfinished at the same time */
	JOBS = 128,
	WORKERS_TOP = 16,
	BLOCK = 4096,        /* zeros of this size and alignment become holes */
};

struct filler_file {
	struct filler *f;
	bool used;
	int dir, fd;
	char name[NAME_MAX + 1];
	char temp[PLACE_TEMP];
	char *path;
	uint64_t size;
	struct meta meta;
	struct buf xattrs;
	unsigned pending;    /* blobs not written, and one while it grows */
	atomic_bool spoiled;
	atomic_bool holes;   /* blocks were left out: the end may be one */
};

struct job {
	struct filler_file *file;
	struct id id;
	struct where at;
	uint64_t offset;
};

struct worker {
	struct filler *f;
	pthread_t thread;
	bool running;
	struct blob_reader br;
	bool reading;        /* br is open */
	/* the blob being written */
	struct filler_file *file;
	uint64_t offset;
};

struct filler {
	struct repo *r;
	struct filler_opts o;
	pthread_mutex_t lock;
	pthread_cond_t work, room, idle;
	struct filler_file file[FILES];
	unsigned unfinished;
	struct job job[JOBS];
	unsigned first, n;
	atomic_bool closing;
	struct worker worker[WORKERS_TOP];
};

/* ---- one file ---- */

static void
report(struct filler *f, const struct filler_file *file,
    const struct err *why)
{

	meter_add(&f->o.meter->errors, 1);
	f->o.problem(f->o.cookie, file->path, why);
}

/* Only the first reason is told: the others follow from it. */
static void
spoil(struct filler_file *file, const struct err *why)
{
	struct filler *f = file->f;
	bool first;

	pthread_mutex_lock(&f->lock);
	first = !file->spoiled;
	file->spoiled = true;
	pthread_mutex_unlock(&f->lock);
	if (first)
		report(f, file, why);
}

static int
publish(struct filler_file *file, struct err *e)
{
	struct err also = ERR_INIT;
	int rc;

	if (atomic_load(&file->holes) &&
	    ftruncate(file->fd, (off_t)file->size) == -1)
		return (err_sys(e, "cannot make a file of that size"));
	/* What concerns only attributes is told, but the file is made. */
	if (meta_owner_fd(file->fd, &file->meta, file->f->o.loss, &also) != 0)
		report(file->f, file, &also);
	if (meta_xattrs(file->fd, NULL, &file->xattrs, file->f->o.loss,
	    &also) != 0)
		report(file->f, file, &also);
	if ((rc = meta_finish_fd(file->fd, &file->meta, e)) != 0)
		return (rc);
	if (renameat(file->dir, file->temp, file->dir, file->name) == -1)
		return (err_sys(e, "cannot give the file its name"));
	return (0);
}

/* Nobody works on it any more: give it its name, or remove it. */
static void
finish(struct filler_file *file)
{
	struct filler *f = file->f;
	struct err e = ERR_INIT;
	bool whole = !file->spoiled && !f->closing;

	if (whole && publish(file, &e) != 0) {
		spoil(file, &e);
		whole = false;
	}
	if (!whole)
		(void)unlinkat(file->dir, file->temp, 0);
	else
		meter_add(&f->o.meter->files, 1);
	(void)close(file->fd);
	(void)close(file->dir);
	free(file->path);
	file->path = NULL;
	pthread_mutex_lock(&f->lock);
	file->used = false;
	f->unfinished--;
	pthread_cond_broadcast(&f->idle);
	pthread_mutex_unlock(&f->lock);
}

static void
drop_pending(struct filler_file *file)
{
	bool last;

	pthread_mutex_lock(&file->f->lock);
	last = --file->pending == 0;
	pthread_mutex_unlock(&file->f->lock);
	if (last)
		finish(file);
}

/* ---- workers ---- */

static bool
all_zeros(const uint8_t *p, size_t len)
{
	uint64_t w;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		if (w != 0)
			return (false);
	}
	while (len-- > 0)
		if (*p++ != 0)
			return (false);
	return (true);
}

/* Bytes up to the next block border of the file. */
static size_t
to_border(uint64_t offset, size_t len)
{
	size_t n = BLOCK - (size_t)(offset % BLOCK);

	return (n < len ? n : len);
}

/* Write, but leave out blocks of zeros: the file is a hole to begin with. */
static int
write_piece(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct worker *w = cookie;
	const uint8_t *p = bytes;
	size_t n, data;
	int rc;

	meter_add(&w->f->o.meter->bytes, len);
	while (len > 0) {
		n = to_border(w->offset, len);
		if (all_zeros(p, n)) {
			atomic_store_explicit(&w->file->holes, true,
			    memory_order_relaxed);
		} else {
			for (data = n; data < len; data += n) {
				n = to_border(w->offset + data, len - data);
				if (all_zeros(p + data, n))
					break;
			}
			rc = file_pwrite(w->file->fd, p, data, w->offset,
			    "the file", e);
			if (rc != 0)
				return (rc);
			n = data;
		}
		p += n;
		w->offset += n;
		len -= n;
	}
	return (0);
}

static void
do_job(struct worker *w, const struct job *j)
{
	struct err e = ERR_INIT;

	w->file = j->file;
	w->offset = j->offset;
	if (!j->file->spoiled && !w->f->closing && blob_read_at(&w->br, &j->id,
	    &j->at, write_piece, w, &e) != 0)
		spoil(j->file, &e);
	drop_pending(j->file);
}

static void *
worker(void *cookie)
{
	struct worker *w = cookie;
	struct filler *f = w->f;
	struct job j;

	for (;;) {
		pthread_mutex_lock(&f->lock);
		while (f->n == 0 && !f->closing)
			pthread_cond_wait(&f->work, &f->lock);
		if (f->n == 0) {
			pthread_mutex_unlock(&f->lock);
			return (NULL);
		}
		j = f->job[f->first];
		f->first = (f->first + 1) % JOBS;
		f->n--;
		pthread_cond_signal(&f->room);
		pthread_mutex_unlock(&f->lock);
		do_job(w, &j);
	}
}

static int
start_worker(struct filler *f, struct worker *w, struct err *e)
{
	int rc;

	w->f = f;
	if ((rc = blob_reader_open(&w->br, f->r, e)) != 0)
		return (rc);
	w->reading = true;
	if ((rc = thread_start(&w->thread, worker, w, e)) != 0)
		return (rc);
	w->running = true;
	return (0);
}

/* ---- the face ---- */

int
filler_open(struct filler **ret, struct repo *r,
    const struct filler_opts *opts, struct err *e)
{
	struct filler *f;
	unsigned i;
	int rc;

	if ((f = calloc(1, sizeof(*f))) == NULL)
		return (err_nomem(e));
	f->r = r;
	f->o = *opts;
	if (f->o.workers < 1)
		f->o.workers = 1;
	if (f->o.workers > WORKERS_TOP)
		f->o.workers = WORKERS_TOP;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->work, NULL);
	pthread_cond_init(&f->room, NULL);
	pthread_cond_init(&f->idle, NULL);
	for (i = 0; i < f->o.workers; i++) {
		if ((rc = start_worker(f, &f->worker[i], e)) != 0) {
			filler_close(f);
			return (rc);
		}
	}
	*ret = f;
	return (0);
}

/* A free place for a file; waits for one. */
static struct filler_file *
take_place(struct filler *f)
{
	struct filler_file *file = f->file;

	pthread_mutex_lock(&f->lock);
	while (f->unfinished == FILES)
		pthread_cond_wait(&f->idle, &f->lock);
	while (file->used)
		file++;
	file->used = true;
	f->unfinished++;
	pthread_mutex_unlock(&f->lock);
	return (file);
}

static void
give_place(struct filler *f, struct filler_file *file)
{

	free(file->path);
	file->path = NULL;
	pthread_mutex_lock(&f->lock);
	file->used = false;
	f->unfinished--;
	pthread_mutex_unlock(&f->lock);
}

static int
make_temp(struct filler_file *file, const struct filler_want *w,
    struct err *e)
{
	int rc;

	if ((rc = place_temp(file->temp, e)) != 0)
		return (rc);
	file->fd = openat(w->dir, file->temp, O_RDWR | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file->fd == -1)
		return (err_sys(e, "cannot make the file"));
	(void)flock(file->fd, LOCK_EX | LOCK_NB);
	if ((file->dir = fcntl(w->dir, F_DUPFD_CLOEXEC, 0)) != -1)
		return (0);
	rc = err_sys(e, "cannot keep its folder open");
	(void)unlinkat(w->dir, file->temp, 0);
	(void)close(file->fd);
	return (rc);
}

int
filler_begin(struct filler *f, const struct filler_want *w,
    struct filler_file **ret, struct err *e)
{
	struct filler_file *file = take_place(f);
	int rc;

	file->f = f;
	file->size = w->size;
	file->meta = w->meta;
	file->pending = 1;
	file->spoiled = false;
	file->holes = false;
	file->xattrs.max = w->xattrs->max;
	buf_reset(&file->xattrs);
	(void)snprintf(file->name, sizeof(file->name), "%s", w->name);
	if ((file->path = strdup(w->path)) == NULL)
		rc = err_nomem(e);
	else if (strlen(w->name) > NAME_MAX)
		rc = err_set(e, ERR_FAIL,
		    "its name is too long for this system");
	else if ((rc = buf_add(&file->xattrs, w->xattrs->p, w->xattrs->len,
	    e)) == 0)
		rc = make_temp(file, w, e);
	if (rc != 0) {
		give_place(f, file);
		return (rc);
	}
	*ret = file;
	return (0);
}

void
filler_blob(struct filler *f, struct filler_file *file, const struct id *id,
    const struct where *at, uint64_t offset)
{
	struct job *j;

	pthread_mutex_lock(&f->lock);
	while (f->n == JOBS)
		pthread_cond_wait(&f->room, &f->lock);
	file->pending++;
	j = &f->job[(f->first + f->n++) % JOBS];
	j->file = file;
	j->id = *id;
	j->at = *at;
	j->offset = offset;
	pthread_cond_signal(&f->work);
	pthread_mutex_unlock(&f->lock);
}

void
filler_hole(struct filler_file *file)
{

	atomic_store_explicit(&file->holes, true, memory_order_relaxed);
}

void
filler_spoil(struct filler_file *file, const struct err *why)
{

	spoil(file, why);
}

void
filler_end(struct filler_file *file)
{

	drop_pending(file);
}

void
filler_drain(struct filler *f)
{

	pthread_mutex_lock(&f->lock);
	while (f->unfinished > 0)
		pthread_cond_wait(&f->idle, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

void
filler_close(struct filler *f)
{
	unsigned i;

	if (f == NULL)
		return;
	pthread_mutex_lock(&f->lock);
	f->closing = true;
	pthread_cond_broadcast(&f->work);
	pthread_mutex_unlock(&f->lock);
	for (i = 0; i < f->o.workers; i++) {
		if (f->worker[i].running)
			pthread_join(f->worker[i].thread, NULL);
		if (f->worker[i].reading)
			blob_reader_close(&f->worker[i].br);
	}
	for (i = 0; i < FILES; i++)
		buf_free(&f->file[i].xattrs);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->work);
	pthread_cond_destroy(&f->room);
	pthread_cond_destroy(&f->idle);
	free(f);
}
