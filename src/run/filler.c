#include "run/filler.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/thread.h"
#include "run/place.h"

enum {
	FILES = 64,          /* unfinished at the same time */
	JOBS = 128,
	WORKERS_TOP = 16,
	XATTRS_SMALL = 4096, /* only one file at a time may have more */
	BLOCK = 4096,        /* zeros of this size and alignment become holes */
};

/* A folder that unfinished files are in. */
struct folder {
	int fd;
	uint64_t stamp;
	unsigned refs;       /* files, and one of the filler for the last */
};

struct filler_file {
	struct filler *f;
	bool used;
	struct folder *dir;
	pthread_mutex_t opening;
	int fd;              /* -1 before the first blob comes */
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
	struct filler_file *laden; /* has many xattrs */
	struct folder folder[FILES + 1];
	struct folder *last; /* which most files that come will be in */
	struct job job[JOBS];
	unsigned first, n;
	atomic_bool closing, failed;
	struct err why;      /* the first failure that ends all */
	struct worker worker[WORKERS_TOP];
};

/* ---- folders ---- */

/* The lock is held. */
static void
folder_let_go(struct folder *d)
{

	if (--d->refs == 0)
		(void)close(d->fd);
}

/* The wanted folder with a reference more; NULL when it cannot be kept open. */
static struct folder *
folder_hold(struct filler *f, const struct filler_want *w)
{
	struct folder *d = f->folder;
	int fd;

	pthread_mutex_lock(&f->lock);
	if (f->last != NULL && f->last->stamp == w->dir_stamp) {
		f->last->refs++;
		goto done;
	}
	if (f->last != NULL)
		folder_let_go(f->last);
	f->last = NULL;
	if ((fd = fcntl(w->dir, F_DUPFD_CLOEXEC, 0)) == -1)
		goto done;
	place_hold(fd);
	while (d->refs > 0)
		d++;
	*d = (struct folder){ fd, w->dir_stamp, 2 };
	f->last = d;

done:
	d = f->last;
	pthread_mutex_unlock(&f->lock);
	return (d);
}

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
	bool first, all = err_ends_all(why->code);
	struct filler *f = file->f;

	pthread_mutex_lock(&f->lock);
	first = !file->spoiled;
	file->spoiled = true;
	if (all && !f->failed && why->code != ERR_CANCEL) {
		f->why = *why;
		(void)err_note(&f->why, "%s", file->path);
		f->failed = true;
	}
	pthread_mutex_unlock(&f->lock);
	if (first && !all)
		report(f, file, why);
}

/* Make its temporary file, if that is not there yet. */
static int
open_file(struct filler_file *file, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&file->opening);
	if (file->fd == -1 && (rc = place_temp(file->temp, e)) == 0) {
		file->fd = openat(file->dir->fd, file->temp, O_RDWR | O_CREAT |
		    O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (file->fd == -1)
			rc = err_sys(e, "cannot make the file");
	}
	pthread_mutex_unlock(&file->opening);
	return (rc);
}

static int
publish(struct filler_file *file, struct err *e)
{
	struct err also = ERR_INIT;
	int rc;

	if ((rc = open_file(file, e)) != 0)	/* it is empty */
		return (rc);
	if (atomic_load(&file->holes) &&
	    ftruncate(file->fd, (off_t)file->size) == -1)
		return (err_sys(e, "cannot make a file of that size"));
	/* FAT keeps no owner, NFS no attribute: told, but the file is made. */
	if (meta_owner_fd(file->fd, &file->meta, file->f->o.loss, &also) != 0)
		report(file->f, file, &also);
	if (meta_xattrs(file->fd, NULL, &file->xattrs, file->f->o.loss,
	    &also) != 0)
		report(file->f, file, &also);
	if (meta_finish_fd(file->fd, &file->meta, &also) != 0)
		report(file->f, file, &also);
	if (renameat(file->dir->fd, file->temp, file->dir->fd,
	    file->name) == -1)
		return (err_sys(e, "cannot give the file its name"));
	return (0);
}

/* Who waits is woken when there is work for a while, not for each file. */
static void
give_place(struct filler *f, struct filler_file *file)
{
	bool laden;

	free(file->path);
	file->path = NULL;
	pthread_mutex_lock(&f->lock);
	if (file->dir != NULL)
		folder_let_go(file->dir);
	file->dir = NULL;
	if ((laden = f->laden == file)) {
		buf_free(&file->xattrs);
		f->laden = NULL;
	}
	file->used = false;
	if (--f->unfinished <= FILES / 2 || laden)
		pthread_cond_signal(&f->idle);
	pthread_mutex_unlock(&f->lock);
}

/* Nobody works on it any more: give it its name, or remove it. */
static void
finish(struct filler_file *file)
{
	struct filler *f = file->f;
	struct err e = ERR_INIT;
	bool whole = !file->spoiled && !f->closing && !f->failed;

	if (whole && publish(file, &e) != 0) {
		spoil(file, &e);
		whole = false;
	}
	if (whole)
		meter_add(&f->o.meter->files, 1);
	else if (file->fd != -1)
		(void)unlinkat(file->dir->fd, file->temp, 0);
	if (file->fd != -1)
		(void)close(file->fd);
	give_place(f, file);
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
	/* A blob that is left out here leaves its file without a name, too. */
	if (!j->file->spoiled && !w->f->closing && !w->f->failed &&
	    (open_file(j->file, &e) != 0 || blob_read_at(&w->br, &j->id,
	    &j->at, write_piece, w, &e) != 0))
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
		if (--f->n <= JOBS / 2)
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
	for (i = 0; i < FILES; i++)
		pthread_mutex_init(&f->file[i].opening, NULL);
	for (i = 0; i < f->o.workers; i++) {
		if ((rc = start_worker(f, &f->worker[i], e)) != 0) {
			filler_close(f);
			return (rc);
		}
	}
	*ret = f;
	return (0);
}

/* A free place for a file with so many bytes of xattrs; waits for one. */
static struct filler_file *
take_place(struct filler *f, size_t xattrs)
{
	struct filler_file *file = f->file;

	pthread_mutex_lock(&f->lock);
	if (f->unfinished == FILES)
		while (f->unfinished > FILES / 2)
			pthread_cond_wait(&f->idle, &f->lock);
	while (xattrs > XATTRS_SMALL && f->laden != NULL)
		pthread_cond_wait(&f->idle, &f->lock);
	while (file->used)
		file++;
	file->used = true;
	if (xattrs > XATTRS_SMALL)
		f->laden = file;
	f->unfinished++;
	pthread_mutex_unlock(&f->lock);
	return (file);
}

/* For messages; of a path that is longer than any system's, the end. */
static char *
copy_path(const char *path)
{
	size_t len = strlen(path);

	return (strdup(len > PATH_MAX ? path + len - PATH_MAX : path));
}

int
filler_begin(struct filler *f, const struct filler_want *w,
    struct filler_file **ret, struct err *e)
{
	struct filler_file *file = take_place(f, w->xattrs->len);
	int rc;

	file->f = f;
	file->fd = -1;
	file->size = w->size;
	file->meta = w->meta;
	file->pending = 1;
	file->spoiled = false;
	file->holes = false;
	file->xattrs.max = w->xattrs->max;
	buf_reset(&file->xattrs);
	(void)snprintf(file->name, sizeof(file->name), "%s", w->name);
	if ((file->path = copy_path(w->path)) == NULL)
		rc = err_nomem(e);
	else if (strlen(w->name) > NAME_MAX)
		rc = err_set(e, ERR_FAIL,
		    "its name is too long for this system");
	else if ((rc = buf_add(&file->xattrs, w->xattrs->p, w->xattrs->len,
	    e)) == 0 && (file->dir = folder_hold(f, w)) == NULL)
		rc = err_sys(e, "cannot keep its folder open");
	if (rc != 0) {
		give_place(f, file);
		return (rc);
	}
	*ret = file;
	return (0);
}

uint64_t
filler_inode(struct filler_file *file)
{
	struct stat st;

	if (open_file(file, NULL) != 0 || fstat(file->fd, &st) == -1)
		return (0);	/* who writes the first blob says why */
	return (st.st_ino);
}

void
filler_blob(struct filler *f, struct filler_file *file, const struct id *id,
    const struct where *at, uint64_t offset)
{
	struct job *j;

	pthread_mutex_lock(&f->lock);
	if (f->n == JOBS)
		while (f->n > JOBS / 2)
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

int
filler_failed(struct filler *f, struct err *e)
{
	int rc;

	if (!atomic_load_explicit(&f->failed, memory_order_relaxed))
		return (0);
	pthread_mutex_lock(&f->lock);
	*e = f->why;
	rc = e->code;
	pthread_mutex_unlock(&f->lock);
	return (rc);
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
	for (i = 0; i < FILES; i++) {
		buf_free(&f->file[i].xattrs);
		pthread_mutex_destroy(&f->file[i].opening);
	}
	if (f->last != NULL)
		folder_let_go(f->last);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->work);
	pthread_cond_destroy(&f->room);
	pthread_cond_destroy(&f->idle);
	free(f);
}
