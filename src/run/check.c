#include "run/check.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/thread.h"
#include "repo/index.h"
#include "repo/key.h"
#include "repo/snapshot.h"
#include "run/packs.h"
#include "run/packscan.h"
#include "run/reach.h"

enum {
	QUEUE = 16,
	WORKERS_TOP = 16,
};

struct check {
	struct repo *r;
	const struct check_opts *o;
	struct check_stats *stats;
	struct reach *reach;
	bool lacks;          /* blobs that no index file names */
};

/* ---- telling ---- */

static void __attribute__((format(printf, 2, 3)))
error(struct check *c, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	meter_add(&c->o->meter->errors, 1);
	c->o->error(c->o->cookie, text);
}

static void __attribute__((format(printf, 2, 3)))
hint(struct check *c, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->o->hint(c->o->cookie, text);
}

/* A file that somebody else meets and passes over. */
static void
on_damaged(void *cookie, const struct err *why)
{

	error(cookie, "%s", why->text);
}

/* ---- keys ---- */

/* restic looks at no other key once it met a bad one: who has it is locked out. */
static int
check_key(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	struct check *c = cookie;
	struct err why = ERR_INIT;
	struct key_info k;
	char hex[ID_HEX + 1];
	int rc;

	(void)size;
	rc = key_load(c->r->store, id, &k, &why);
	key_release(&k);
	if (err_ends_all(rc)) {
		*e = why;
		return (rc);
	}
	if (rc != 0 && rc != ERR_ABSENT)
		error(c, "%s: 'garner key remove %.8s' removes it", why.text,
		    id_hex(id, hex));
	return (0);
}

/* ---- packs: what the index names against what is stored ---- */

static int
judge_pack(void *cookie, const struct pack_known *p, struct err *e)
{
	struct check *c = cookie;
	char hex[ID_HEX + 1];

	(void)e;
	if (p->indexed == 0) {
		c->stats->orphans++;
		return (0);
	}
	c->stats->packs++;
	id_hex(&p->id, hex);
	if (p->differ)
		error(c, "pack %s is described differently by two index files",
		    hex);
	else if (p->indexed > 1)
		hint(c, "pack %.16s is named by several index files", hex);
	if (!p->stored)
		error(c, "pack %s is missing", hex);
	else if (p->size != p->info.size)
		error(c, "pack %s has %llu bytes, the index says %llu", hex,
		    (unsigned long long)p->size,
		    (unsigned long long)p->info.size);
	if (p->info.data && p->info.tree)
		hint(c, "pack %.16s holds data and trees", hex);
	return (0);
}

static int
check_packs(struct check *c, struct err *e)
{

	c->o->phase(c->o->cookie, "checking the packs");
	return (packs_join(c->r, judge_pack, NULL, c, e));
}

/* When all snapshots were walked it is known what else there should be. */
static void
judge_orphans(struct check *c)
{
	unsigned long long n = c->stats->orphans;

	if (c->lacks && n > 0)
		hint(c, "%llu packs are named by no index file and may hold "
		    "what is missing: 'garner repair index' looks into them",
		    n);
	else if (c->lacks)
		hint(c, "'garner repair index' looks for what is missing");
	else if (n > 0)
		hint(c, "%llu packs are named by no index file: rests of a "
		    "backup that was cut, which prune removes", n);
}

/* ---- trees ---- */

static void
on_wrong(void *cookie, const char *text)
{

	error(cookie, "%s", text);
}

static void
on_odd(void *cookie, const char *text)
{

	hint(cookie, "%s", text);
}

static int
check_snapshot(void *cookie, const struct snapshot *s, struct err *e)
{
	struct check *c = cookie;

	c->stats->snapshots++;
	return (reach_snapshot(c->reach, &s->id, &s->tree, e));
}

static int
check_snapshots(struct check *c, struct err *e)
{
	struct reach_opts o = { .missing = on_wrong, .wrong = on_wrong,
	    .odd = on_odd, .cookie = c };
	int rc;

	c->o->phase(c->o->cookie, "checking snapshots, trees and blobs");
	if ((rc = reach_open(&c->reach, c->r, &o, e)) != 0)
		return (rc);
	rc = snapshot_each(c->r, NULL, check_snapshot, c, NULL, e);
	c->lacks = reach_lacks(c->reach);
	c->stats->trees = reach_trees(c->reach);
	reach_close(c->reach);
	return (rc);
}

/* ---- reading ---- */

struct item {
	struct id id;
	uint64_t size;
	struct pack_info info;
};

struct reading {
	struct check *c;
	pthread_mutex_t lock;
	pthread_cond_t more, room;
	struct item item[QUEUE];
	unsigned first, n;
	bool closed;
	int rc;              /* the first failure that ends it all */
	struct err why;
	struct packscan_stats stats;
	uint64_t packs;
	uint64_t left;       /* bytes of a share that are still to be chosen */
	uint64_t total;      /* bytes of the packs not seen yet */
	unsigned running;
	pthread_t thread[WORKERS_TOP];
};

static void
tell_defect(void *cookie, const struct err *why)
{
	struct reading *rd = cookie;

	error(rd->c, "%s", why->text);
}

static bool
next_item(struct reading *rd, struct item *ret)
{
	bool any;

	pthread_mutex_lock(&rd->lock);
	while (rd->n == 0 && !rd->closed && rd->rc == 0)
		pthread_cond_wait(&rd->more, &rd->lock);
	any = rd->n > 0 && rd->rc == 0;
	if (any) {
		*ret = rd->item[rd->first];
		rd->first = (rd->first + 1) % QUEUE;
		rd->n--;
		pthread_cond_signal(&rd->room);
	}
	pthread_mutex_unlock(&rd->lock);
	return (any);
}

static void
end_reading(struct reading *rd, int rc, const struct err *why,
    const struct packscan_stats *stats)
{

	pthread_mutex_lock(&rd->lock);
	if (rc != 0 && rd->rc == 0) {
		rd->rc = rc;
		rd->why = *why;
		pthread_cond_broadcast(&rd->more);
		pthread_cond_broadcast(&rd->room);
	}
	rd->stats.blobs += stats->blobs;
	rd->stats.bytes += stats->bytes;
	pthread_mutex_unlock(&rd->lock);
}

static void *
reader(void *cookie)
{
	struct packscan_stats stats = { 0, 0 }, before;
	struct reading *rd = cookie;
	struct check *c = rd->c;
	struct blob_reader br;
	struct err e = ERR_INIT;
	struct item it;
	int rc;

	if ((rc = blob_reader_open(&br, c->r, &e)) != 0) {
		end_reading(rd, rc, &e, &stats);
		return (NULL);
	}
	while (rc == 0 && next_item(rd, &it)) {
		before = stats;
		rc = packscan(&br, &it.id, it.size, &it.info, tell_defect, rd,
		    &stats, &e);
		meter_add(&c->o->meter->files, 1);
		meter_add(&c->o->meter->bytes, stats.bytes - before.bytes);
	}
	end_reading(rd, rc, &e, &stats);
	blob_reader_close(&br);
	return (NULL);
}

/* Is this pack among those to be read? */
static int
chosen(struct reading *rd, const struct id *id, uint64_t size, bool *ret,
    struct err *e)
{
	const struct check_opts *o = rd->c->o;
	uint32_t dice;
	int rc;

	*ret = true;
	if (o->read == CHECK_READ_GROUP)
		*ret = id->b[0] % o->groups == o->group - 1;
	if (o->read != CHECK_READ_SHARE)
		return (0);
	/* Each pack with the chance that meets the share in the end. */
	if ((rc = rand_bytes(&dice, sizeof(dice), e)) != 0)
		return (rc);
	*ret = rd->total > 0 && (double)dice / 4294967296.0 <
	    (double)rd->left / (double)rd->total;
	rd->total -= size < rd->total ? size : rd->total;
	if (*ret)
		rd->left -= size < rd->left ? size : rd->left;
	return (0);
}

/* Is there anything to read and to prove it by? Nothing refers to others. */
static bool
readable(const struct pack_known *p)
{

	return (p->stored && p->indexed > 0);
}

static int
enqueue(void *cookie, const struct pack_known *p, struct err *e)
{
	struct reading *rd = cookie;
	struct item *it;
	bool take;
	int rc;

	if (!readable(p))
		return (0);
	if ((rc = chosen(rd, &p->id, p->size, &take, e)) != 0 || !take)
		return (rc);
	pthread_mutex_lock(&rd->lock);
	while (rd->n == QUEUE && rd->rc == 0)
		pthread_cond_wait(&rd->room, &rd->lock);
	if (rd->rc != 0) {
		rc = rd->rc;
		*e = rd->why;
	} else {
		it = &rd->item[(rd->first + rd->n++) % QUEUE];
		it->id = p->id;
		it->size = p->size;
		it->info = p->info;
		rd->packs++;
		pthread_cond_signal(&rd->more);
	}
	pthread_mutex_unlock(&rd->lock);
	return (rc);
}

static int
add_size(void *cookie, const struct pack_known *p, struct err *e)
{
	struct reading *rd = cookie;

	(void)e;
	if (readable(p)) {
		rd->total += p->size;
		rd->packs++;
	}
	return (0);
}

static int
start_readers(struct reading *rd, struct err *e)
{
	unsigned want = rd->c->o->workers;
	int rc = 0;

	if (want < 1)
		want = 1;
	if (want > WORKERS_TOP)
		want = WORKERS_TOP;
	for (; rd->running < want; rd->running++)
		if ((rc = thread_start(&rd->thread[rd->running], reader, rd,
		    e)) != 0)
			break;
	return (rd->running > 0 ? 0 : rc);
}

/* How much is there, and how much of it is to be read? */
static int
measure(struct reading *rd, struct err *e)
{
	const struct check_opts *o = rd->c->o;
	int rc;

	rc = packs_join(rd->c->r, add_size, NULL, rd, e);
	rd->left = o->share_bytes != 0 ? o->share_bytes :
	    (uint64_t)(o->share * (double)rd->total);
	if (o->read == CHECK_READ_ALL) {
		atomic_store(&o->meter->files_total, rd->packs);
		atomic_store(&o->meter->bytes_total, rd->total);
	} else if (o->read == CHECK_READ_SHARE) {
		atomic_store(&o->meter->bytes_total, rd->left);
	} else {
		atomic_store(&o->meter->bytes_total, rd->total / o->groups);
	}
	rd->packs = 0;
	return (rc);
}

static int
read_packs(struct check *c, struct err *e)
{
	struct reading *rd;
	unsigned i;
	int rc;

	c->o->phase(c->o->cookie, "reading the packs");
	if ((rd = calloc(1, sizeof(*rd))) == NULL)
		return (err_nomem(e));
	rd->c = c;
	pthread_mutex_init(&rd->lock, NULL);
	pthread_cond_init(&rd->more, NULL);
	pthread_cond_init(&rd->room, NULL);
	if ((rc = measure(rd, e)) == 0 && (rc = start_readers(rd, e)) == 0)
		rc = packs_join(c->r, enqueue, NULL, rd, e);
	pthread_mutex_lock(&rd->lock);
	rd->closed = true;
	pthread_cond_broadcast(&rd->more);
	pthread_mutex_unlock(&rd->lock);
	for (i = 0; i < rd->running; i++)
		pthread_join(rd->thread[i], NULL);
	if (rc == 0 && rd->rc != 0) {
		rc = rd->rc;
		*e = rd->why;
	}
	c->stats->packs_read = rd->packs;
	c->stats->blobs_read = rd->stats.blobs;
	c->stats->bytes_read = rd->stats.bytes;
	pthread_mutex_destroy(&rd->lock);
	pthread_cond_destroy(&rd->more);
	pthread_cond_destroy(&rd->room);
	free(rd);
	return (rc);
}

int
check_run(struct repo *r, const struct check_opts *opts,
    struct check_stats *stats, struct err *e)
{
	struct check *c;
	int rc;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (err_nomem(e));
	c->r = r;
	c->o = opts;
	c->stats = stats;
	r->damaged = on_damaged;
	r->damaged_cookie = c;
	opts->phase(opts->cookie, "loading the index");
	if ((rc = repo_list(r, REPO_KEY, check_key, c, e)) == 0)
		rc = repo_reload_index(r, e);
	if (rc == 0 && r->bad_indexes > 0)
		hint(c, "'garner repair index' makes the index again from the "
		    "packs");
	if (rc == 0 && (rc = check_packs(c, e)) == 0 &&
	    (rc = check_snapshots(c, e)) == 0)
		judge_orphans(c);
	if (rc == 0 && opts->read != CHECK_READ_NONE)
		rc = read_packs(c, e);
	r->damaged = NULL;
	free(c);
	return (rc);
}
