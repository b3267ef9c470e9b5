#include "repo/saver.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "repo/budget.h"
#include "repo/publisher.h"
#include "stream/zstd.h"

enum {
	QUEUE = 128,         /* chunks waiting for a worker */
	PARTS = 8,           /* pieces waiting for the worker that has the first */
	TICKETS = 2048,      /* ids not yet asked for */
	WORKERS_TOP = 16,
	TREE_WINDOW_LOG = 15, /* in 32 KiB folders repeat themselves enough */
	TREE_PART = 16384,
};

struct job {
	struct chunk chunk;
	unsigned part;
	uint64_t ticket;     /* all pieces of a blob have the same */
};

struct queue {
	struct job *job;
	unsigned size, first, n;
};

struct ticket {
	struct id id;
	bool done;
};

struct worker {
	struct saver *s;
	pthread_t thread;
	bool running;
	struct packer packer;
	struct zstd_pack *z;
	/* of a blob that comes in pieces */
	bool begun;
	uint64_t ticket;
	struct sha256 sha;
	uint64_t len;        /* of it so far */
};

struct saver {
	struct repo *r;
	struct saver_opts opts;

	pthread_mutex_t lock;
	pthread_cond_t work;     /* fresh has a job, or no more will come */
	pthread_cond_t piece;    /* the same for parts */
	pthread_cond_t room;     /* a queue or the tickets have room */
	pthread_cond_t answered; /* the ticket that is waited for is done */
	struct queue fresh;      /* chunks, and first pieces of chunks */
	struct queue parts;      /* the other pieces, chunk after chunk */
	struct job fresh_job[QUEUE], parts_job[PARTS];
	bool closed;             /* no more jobs will come */
	struct ticket ticket[TICKETS];
	uint64_t next_ticket;    /* to be given out */
	uint64_t next_wait;      /* to be asked for */
	bool waiting;
	struct saver_stats stats;
	atomic_bool failed;
	struct err why;          /* the first failure */

	struct worker worker[WORKERS_TOP];
	struct packer trees;     /* of the thread that calls saver_tree */
	struct zstd_pack *tree_z;

	struct publisher publisher;
	bool finished;
};

/* ---- failing ---- */

/* Keep the first failure and wake everybody. */
static void
fail(struct saver *s, const struct err *why)
{

	pthread_mutex_lock(&s->lock);
	if (!s->failed) {
		s->failed = true;
		s->why = *why;
	}
	pthread_cond_broadcast(&s->work);
	pthread_cond_broadcast(&s->piece);
	pthread_cond_broadcast(&s->room);
	pthread_cond_broadcast(&s->answered);
	pthread_mutex_unlock(&s->lock);
	publisher_stop(&s->publisher);
	slab_pool_stop(&s->r->pool);
}

static void
publisher_failed(void *cookie, const struct err *why)
{

	fail(cookie, why);
}

/* The lock is held; return the failure as the caller's own. */
static int
failure(struct saver *s, struct err *e)
{

	if (e != NULL)
		*e = s->why;
	return (s->why.code);
}

/* ---- packs ---- */

/* Finish the packer's pack and give it to the publisher. */
static int
hand_over(struct saver *s, struct packer *pk, struct err *e)
{
	struct pack_done d;
	int rc;

	if ((rc = packer_finish(pk, &d, e)) != 0)
		return (rc);
	if (s->opts.dry) {
		pack_done_free(&d);
		return (0);
	}
	return (publisher_add(&s->publisher, &d, e));
}

static bool
pack_full(const struct saver *s, const struct packer *pk)
{

	return (packer_size(pk) >= s->opts.pack_size ||
	    pk->list.n >= PACK_BLOBS_MAX);
}

/* ---- one blob into a pack ---- */

/* Seal ${p} as it is into the packer. */
static int
copy_piece(struct packer *pk, const uint8_t *p, size_t len, struct err *e)
{
	uint8_t *room;
	size_t n;
	int rc;

	for (; len > 0; p += n, len -= n) {
		if ((rc = packer_room(pk, &room, &n, e)) != 0)
			return (rc);
		if (n > len)
			n = len;
		memcpy(room, p, n);
		packer_commit(pk, n);
	}
	return (0);
}

/* The blob in ${pk} is complete: list it, count it, close a full pack. */
static int
end_blob(struct saver *s, struct packer *pk, struct pack_entry *x,
    uint64_t len, struct err *e)
{
	int rc;

	if ((rc = packer_end(pk, x, e)) != 0)
		return (rc);
	pthread_mutex_lock(&s->lock);
	if (x->type == BLOB_TREE)
		s->stats.tree_blobs++;
	else
		s->stats.data_blobs++;
	s->stats.added += len;
	s->stats.packed += x->length;
	pthread_mutex_unlock(&s->lock);
	return (pack_full(s, pk) ? hand_over(s, pk, e) : 0);
}

/* Does this worker compress? */
static bool
compressing(const struct worker *w)
{

	return (w->z != NULL);
}

static int
put_piece(struct worker *w, const uint8_t *p, size_t len, bool end,
    struct err *e)
{

	if (compressing(w))
		return (packer_squeeze(&w->packer, w->z, p, len, end, e));
	return (copy_piece(&w->packer, p, len, e));
}

/*
 * Put all pieces of the chunk; ${end}: the blob ends with it. It may be empty then:
 * a file can end where a piece did.
 */
static int
put_chunk(struct worker *w, const struct chunk *c, bool end, struct err *e)
{
	struct chunk_walk walk = chunk_walk(&w->s->r->pool, c);
	uint8_t *p;
	size_t n;
	int rc;

	if (end && c->len == 0)
		return (put_piece(w, NULL, 0, true, e));
	while (chunk_next(&walk, &p, &n))
		if ((rc = put_piece(w, p, n, end && walk.left == 0, e)) != 0)
			return (rc);
	return (0);
}

static void
hash_chunk(const struct worker *w, const struct chunk *c, struct sha256 *sha)
{
	struct chunk_walk walk = chunk_walk(&w->s->r->pool, c);
	uint8_t *p;
	size_t n;

	while (chunk_next(&walk, &p, &n))
		sha256_update(sha, p, n);
}

/* A blob that is there as a whole: nothing is compressed that is known. */
static int
save_whole(struct worker *w, const struct chunk *c, struct id *ret,
    struct err *e)
{
	struct pack_entry x = { .type = BLOB_DATA };
	struct sha256 sha;
	int rc;

	sha256_begin(&sha);
	hash_chunk(w, c, &sha);
	sha256_end(&sha, ret);
	if ((rc = blobmap_claim(w->s->r->map, BLOB_DATA, ret, e)) <= 0)
		return (rc);
	x.id = *ret;
	if (compressing(w)) {
		x.plain = c->len;
		zstd_pack_begin(w->z, c->len);
	}
	if ((rc = packer_begin(&w->packer, false, e)) != 0 ||
	    (rc = put_chunk(w, c, true, e)) != 0)
		return (rc);
	return (end_blob(w->s, &w->packer, &x, c->len, e));
}

/*
 * A blob that comes in pieces, since memory cannot hold it: it is written before
 * its id is known, and taken back when it turns out to be known.
 */
static int
save_part(struct worker *w, const struct job *j, struct id *ret,
    struct err *e)
{
	struct pack_entry x = { .type = BLOB_DATA };
	int rc;

	if (j->part & SAVE_FIRST) {
		w->begun = true;
		w->ticket = j->ticket;
		sha256_begin(&w->sha);
		w->len = 0;
		if (compressing(w))
			zstd_pack_begin(w->z, UINT64_MAX);
		if ((rc = packer_begin(&w->packer, true, e)) != 0)
			return (rc);
	}
	hash_chunk(w, &j->chunk, &w->sha);
	w->len += j->chunk.len;
	rc = put_chunk(w, &j->chunk, (j->part & SAVE_LAST) != 0, e);
	if (rc != 0 || (j->part & SAVE_LAST) == 0)
		return (rc);
	w->begun = false;
	sha256_end(&w->sha, ret);
	if ((rc = blobmap_claim(w->s->r->map, BLOB_DATA, ret, e)) < 0)
		return (rc);
	if (rc == 0)
		return (packer_revoke(&w->packer, e));
	x.id = *ret;
	x.plain = compressing(w) ? (uint32_t)w->len : 0;
	return (end_blob(w->s, &w->packer, &x, w->len, e));
}

/* ---- workers ---- */

static void
queue_add(struct queue *q, const struct job *j)
{

	q->job[(q->first + q->n++) % q->size] = *j;
}

static struct job
queue_take(struct queue *q)
{
	struct job j = q->job[q->first];

	q->first = (q->first + 1) % q->size;
	q->n--;
	return (j);
}

/*
 * Where this worker's next job is, or NULL: who has begun a blob goes on with
 * it. Pieces come blob after blob, so the first one in line is somebody's.
 */
static struct queue *
work_for(struct saver *s, const struct worker *w)
{

	if (!w->begun)
		return (s->fresh.n > 0 ? &s->fresh : NULL);
	return (s->parts.n > 0 && s->parts.job[s->parts.first].ticket ==
	    w->ticket ? &s->parts : NULL);
}

/* The next job: false when there will be none. */
static bool
next_job(struct worker *w, struct job *ret)
{
	struct saver *s = w->s;
	struct queue *q;
	bool any;

	pthread_mutex_lock(&s->lock);
	while ((q = work_for(s, w)) == NULL && !s->closed && !s->failed)
		pthread_cond_wait(w->begun ? &s->piece : &s->work, &s->lock);
	any = q != NULL && !s->failed;
	if (any) {
		*ret = queue_take(q);
		pthread_cond_signal(&s->room);
		/* The first piece in line may have become another worker's. */
		if (q == &s->parts && q->n > 0)
			pthread_cond_broadcast(&s->piece);
	}
	pthread_mutex_unlock(&s->lock);
	return (any);
}

static void
answer(struct saver *s, uint64_t ticket, const struct id *id)
{
	struct ticket *t = &s->ticket[ticket % TICKETS];

	pthread_mutex_lock(&s->lock);
	t->id = *id;
	t->done = true;
	if (s->waiting && ticket == s->next_wait)
		pthread_cond_signal(&s->answered);
	pthread_mutex_unlock(&s->lock);
}

static void *
worker(void *cookie)
{
	struct worker *w = cookie;
	struct err e = ERR_INIT;
	struct job j;
	struct id id;
	int rc = 0;

	while (rc == 0 && next_job(w, &j)) {
		rc = j.part == SAVE_WHOLE ? save_whole(w, &j.chunk, &id, &e) :
		    save_part(w, &j, &id, &e);
		chunk_free(&w->s->r->pool, &j.chunk);
		if (rc == 0 && (j.part & SAVE_LAST) != 0)
			answer(w->s, j.ticket, &id);
	}
	if (rc == 0 && w->begun)	/* stopped in the middle of a blob */
		rc = packer_revoke(&w->packer, &e);
	if (rc == 0 && packer_size(&w->packer) > 0 && !w->s->failed)
		rc = hand_over(w->s, &w->packer, &e);
	if (rc != 0)
		fail(w->s, &e);
	return (NULL);
}

/* ---- the face ---- */

static int
start_workers(struct saver *s, struct err *e)
{
	bool pack = s->opts.level != 0 && s->r->version > 1;
	struct worker *w;
	unsigned i;
	int rc;

	for (i = 0; i < s->opts.workers; i++) {
		w = &s->worker[i];
		w->s = s;
		if ((rc = packer_open(&w->packer, s->r, s->opts.dry, e)) != 0)
			return (rc);
		if (pack && (rc = zstd_pack_new(&w->z, s->opts.level,
		    ZSTD_WINDOW_LOG, e)) != 0)
			return (rc);
		if ((rc = thread_start(&w->thread, worker, w, e)) != 0)
			return (rc);
		w->running = true;
	}
	return (0);
}

int
saver_open(struct saver **ret, struct repo *r, const struct saver_opts *opts,
    struct err *e)
{
	struct saver *s;
	int rc;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (err_nomem(e));
	s->r = r;
	s->opts = *opts;
	s->fresh = (struct queue){ s->fresh_job, QUEUE, 0, 0 };
	s->parts = (struct queue){ s->parts_job, PARTS, 0, 0 };
	if (s->opts.workers < 1)
		s->opts.workers = 1;
	if (s->opts.workers > WORKERS_TOP)
		s->opts.workers = WORKERS_TOP;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	pthread_cond_init(&s->piece, NULL);
	pthread_cond_init(&s->room, NULL);
	pthread_cond_init(&s->answered, NULL);
	if ((rc = publisher_open(&s->publisher, r, publisher_failed, s,
	    e)) != 0 || (rc = packer_open(&s->trees, r, opts->dry, e)) != 0)
		goto err;
	/* Trees are compressed always, as restic does: only version 1 cannot. */
	if (r->version > 1 && (rc = zstd_pack_new(&s->tree_z,
	    opts->level != 0 ? opts->level : 1, TREE_WINDOW_LOG, e)) != 0)
		goto err;
	if ((rc = start_workers(s, e)) != 0)
		goto err;
	*ret = s;
	return (0);

err:
	saver_free(s);
	return (rc);
}

int
saver_data(struct saver *s, const struct chunk *c, unsigned part,
    uint64_t *ret_ticket, struct err *e)
{
	struct queue *q = part & SAVE_FIRST ? &s->fresh : &s->parts;
	struct job j = { .chunk = *c, .part = part };
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	while (!s->failed && (q->n == q->size ||
	    s->next_ticket - s->next_wait == TICKETS))
		pthread_cond_wait(&s->room, &s->lock);
	if (s->failed) {
		rc = failure(s, e);
	} else {
		j.ticket = s->next_ticket;
		queue_add(q, &j);
		if (part & SAVE_LAST) {
			s->ticket[s->next_ticket % TICKETS].done = false;
			*ret_ticket = s->next_ticket++;
		}
		if (q == &s->fresh)
			pthread_cond_signal(&s->work);
		else	/* only one of them can take it */
			pthread_cond_broadcast(&s->piece);
	}
	pthread_mutex_unlock(&s->lock);
	if (rc != 0)
		chunk_free(&s->r->pool, c);
	return (rc);
}

int
saver_wait(struct saver *s, uint64_t ticket, struct id *ret, struct err *e)
{
	struct ticket *t = &s->ticket[ticket % TICKETS];
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	s->next_wait = ticket;
	s->waiting = true;
	while (!s->failed && !t->done)
		pthread_cond_wait(&s->answered, &s->lock);
	s->waiting = false;
	if (t->done) {
		*ret = t->id;
		s->next_wait = ticket + 1;
		pthread_cond_signal(&s->room);
	} else {
		rc = failure(s, e);
	}
	pthread_mutex_unlock(&s->lock);
	return (rc);
}

/* Send [from, to) of the spill stack piece by piece. */
static int
each_part(struct spill *text, uint64_t from, uint64_t to, store_sink *fn,
    void *cookie, struct err *e)
{
	uint8_t part[TREE_PART];
	uint64_t n;
	int rc;

	for (; from < to; from += n) {
		n = to - from < sizeof(part) ? to - from : sizeof(part);
		if ((rc = spill_read(text, from, part, (size_t)n, e)) != 0 ||
		    (rc = fn(cookie, part, (size_t)n, e)) != 0)
			return (rc);
	}
	return (0);
}

static int
hash_part(void *cookie, const void *p, size_t len, struct err *e)
{

	(void)e;
	sha256_update(cookie, p, len);
	return (0);
}

static int
pack_part(void *cookie, const void *p, size_t len, struct err *e)
{
	struct saver *s = cookie;

	if (s->tree_z == NULL)
		return (copy_piece(&s->trees, p, len, e));
	return (packer_squeeze(&s->trees, s->tree_z, p, len, false, e));
}

int
saver_tree(struct saver *s, struct spill *text, uint64_t from, uint64_t to,
    struct id *ret, bool *ret_new, struct err *e)
{
	struct pack_entry x = { .type = BLOB_TREE };
	struct sha256 sha;
	int rc;

	*ret_new = false;
	if (to - from > UINT32_MAX / 2)
		return (err_set(e, ERR_LIMIT, "a folder with a list of more "
		    "than 2 GiB does not fit the repository's format"));
	sha256_begin(&sha);
	if ((rc = each_part(text, from, to, hash_part, &sha, e)) != 0)
		return (rc);
	sha256_end(&sha, ret);
	if ((rc = blobmap_claim(s->r->map, BLOB_TREE, ret, e)) <= 0)
		return (rc);
	*ret_new = true;
	x.id = *ret;
	if (s->tree_z != NULL) {
		x.plain = (uint32_t)(to - from);
		zstd_pack_begin(s->tree_z, to - from);
	}
	if ((rc = packer_begin(&s->trees, false, e)) != 0 ||
	    (rc = each_part(text, from, to, pack_part, s, e)) != 0)
		return (rc);
	if (s->tree_z != NULL && (rc = packer_squeeze(&s->trees, s->tree_z, NULL,
	    0, true, e)) != 0)
		return (rc);
	return (end_blob(s, &s->trees, &x, to - from, e));
}

/* No more jobs: wait for the workers to end. */
static void
join_workers(struct saver *s)
{
	unsigned i;

	pthread_mutex_lock(&s->lock);
	s->closed = true;
	pthread_cond_broadcast(&s->work);
	pthread_cond_broadcast(&s->piece);
	pthread_mutex_unlock(&s->lock);
	for (i = 0; i < s->opts.workers; i++) {
		if (s->worker[i].running)
			pthread_join(s->worker[i].thread, NULL);
		s->worker[i].running = false;
	}
}

int
saver_finish(struct saver *s, struct err *e)
{
	int rc = 0;

	join_workers(s);
	s->finished = true;
	if (!s->failed && packer_size(&s->trees) > 0)
		rc = hand_over(s, &s->trees, e);
	if (s->failed)
		return (failure(s, e));
	return (rc != 0 ? rc : publisher_end(&s->publisher, e));
}

void
saver_stats(struct saver *s, struct saver_stats *ret)
{

	pthread_mutex_lock(&s->lock);
	*ret = s->stats;
	pthread_mutex_unlock(&s->lock);
}

static void
drop_jobs(struct saver *s, struct queue *q)
{
	struct job j;

	while (q->n > 0) {
		j = queue_take(q);
		chunk_free(&s->r->pool, &j.chunk);
	}
}

/* The packs that nobody will finish. */
static void
drop_packs(struct saver *s)
{
	unsigned i;

	for (i = 0; i < s->opts.workers; i++)
		packer_close(&s->worker[i].packer);
	packer_close(&s->trees);
}

void
saver_free(struct saver *s)
{
	struct err stop = ERR_INIT;
	unsigned i;

	if (s == NULL)
		return;
	if (!s->finished) {	/* what waits is dropped */
		(void)err_set(&stop, ERR_CANCEL, "stopped");
		fail(s, &stop);
		join_workers(s);
	}
	drop_packs(s);	/* on a full disk there is room for an index again */
	publisher_close(&s->publisher);
	drop_jobs(s, &s->fresh);
	drop_jobs(s, &s->parts);
	for (i = 0; i < s->opts.workers; i++)
		zstd_pack_free(s->worker[i].z);
	zstd_pack_free(s->tree_z);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->piece);
	pthread_cond_destroy(&s->room);
	pthread_cond_destroy(&s->answered);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
