#include "run/repack.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "repo/blob.h"
#include "repo/publisher.h"

enum {
	WORKERS_TOP = 16,
	LIST_WINDOW = 16384,
	/* Bytes between two wanted blobs that are read rather than leapt: a new
	 * request costs more than they do. */
	GAP = 32768,
	/* A pack of which so many blobs cannot be read is not asked for more. */
	UNREAD_MAX = 8,
	TREE_WINDOW_LOG = 15, /* as the saver's */
	TREE_LEVEL = 1,      /* when compression is off */

	/* A record: pack and offset as they sort, the header's entry. */
	REC_PACK = 0,
	REC_OFFSET = 4,
	REC_TYPE = 8,
	REC_LENGTH = 9,
	REC_PLAIN = 13,
	REC_ID = 17,
	REC_LEN = 49,
};

struct repack {
	struct repo *r;
	struct repo *to;     /* where new packs go: mostly r */
	const struct repack_opts *o;
	struct repack_stats *stats;
	struct publisher publisher;
	pthread_mutex_t lock; /* of what follows */
	struct sorter *blobs;
	uint8_t next[REC_LEN]; /* read ahead */
	bool any;            /* there is one */
	int rc;              /* the first failure */
	struct err why;
	atomic_bool failed;
	/* Into another repository: one compressor of each kind for all workers,
	 * since few blobs need it, and the second map its room. */
	pthread_mutex_t squeezing;
	struct zstd_pack *data_z, *trees_z;
};

struct worker {
	struct repack *rp;
	pthread_t thread;
	struct blob_reader br;
	struct packer data, trees;
	struct zstd_pack *data_z, *trees_z; /* NULL until they are needed */
	struct zstd_pack *z; /* in use */
	struct spill list;   /* records of the pack at hand */
	char name[STORE_NAME_MAX]; /* of it */

	/* the blob whose bytes come in */
	uint64_t at;         /* its record */
	uint64_t end;        /* behind the last record of this request */
	bool have;
	struct pack_entry x;
	uint32_t offset;
	uint64_t pos;        /* of the next byte in the pack */
	struct chunk chunk;
	struct chunk_walk walk;
	uint8_t *room;
	size_t room_len;
	bool ours;           /* what failed is not the reading */
	bool sent;           /* some of the blob's plain bytes went on */
	bool begun;          /* put_into: the blob was begun in a pack */
	uint64_t alone;      /* records before this are read one by one */
	unsigned unread;     /* which the store did not give, of this pack */
};

/* ---- the list ---- */

int
repack_sorter(struct sorter **ret, const char *dir, struct err *e)
{

	return (sorter_new(ret, dir, (size_t)CONFIG_SORT_KIB * 1024,
	    sort_bytes, e));
}

static void
store_be32(uint8_t *p, uint32_t v)
{

	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t
load_be32(const uint8_t *p)
{

	return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3]);
}

int
repack_add(struct sorter *s, uint32_t no, const struct pack_entry *x,
    uint32_t offset, struct err *e)
{
	uint8_t rec[REC_LEN];

	store_be32(rec + REC_PACK, no);
	store_be32(rec + REC_OFFSET, offset);
	rec[REC_TYPE] = (uint8_t)x->type;
	store_le32(rec + REC_LENGTH, x->length);
	store_le32(rec + REC_PLAIN, x->plain);
	memcpy(rec + REC_ID, x->id.b, ID_LEN);
	return (sorter_add(s, rec, REC_LEN, e));
}

/* The record at ${at} of the worker's list. */
static int
record_at(struct worker *w, uint64_t at, struct pack_entry *ret,
    uint32_t *ret_offset, struct err *e)
{
	uint8_t rec[REC_LEN];
	int rc;

	if ((rc = spill_read(&w->list, at, rec, REC_LEN, e)) != 0)
		return (rc);
	ret->type = rec[REC_TYPE] == BLOB_TREE ? BLOB_TREE : BLOB_DATA;
	ret->length = load_le32(rec + REC_LENGTH);
	ret->plain = load_le32(rec + REC_PLAIN);
	memcpy(ret->id.b, rec + REC_ID, ID_LEN);
	*ret_offset = load_be32(rec + REC_OFFSET);
	return (0);
}

/* What comes next; the same said twice is said once. */
static int
read_ahead(struct repack *rp, struct err *e)
{
	const void *p;
	size_t len;
	int rc;

	do {
		if ((rc = sorter_next(rp->blobs, &p, &len, e)) < 0)
			return (rc);
	} while (rc > 0 && rp->any && memcmp(rp->next, p, REC_LEN) == 0);
	rp->any = rc > 0;
	if (rp->any)
		memcpy(rp->next, p, REC_LEN);
	return (0);
}

/* Fill the worker's list with all of the next pack: 1, 0 at the end, ERR_*. */
static int
next_pack(struct worker *w, struct err *e)
{
	struct repack *rp = w->rp;
	struct id id;
	uint32_t no;
	int rc = 0;

	spill_cut(&w->list, 0);
	pthread_mutex_lock(&rp->lock);
	if (!rp->any || rp->rc != 0)
		goto out;
	no = load_be32(rp->next + REC_PACK);
	do {
		if ((rc = spill_push(&w->list, rp->next, REC_LEN, e)) != 0 ||
		    (rc = read_ahead(rp, e)) != 0)
			goto out;
	} while (rp->any && load_be32(rp->next + REC_PACK) == no);
	if ((rc = rp->o->pack_id(rp->o->cookie, no, &id, e)) != 0)
		goto out;
	repo_name(REPO_PACK, &id, w->name);
	rp->stats->packs++;
	rc = 1;

out:
	pthread_mutex_unlock(&rp->lock);
	return (rc);
}

/* ---- one blob into a pack ---- */

static struct packer *
packer_of(struct worker *w)
{

	return (w->x.type == BLOB_TREE ? &w->trees : &w->data);
}

static int
hand_over(struct worker *w, struct packer *pk, struct err *e)
{
	struct pack_done d;
	int rc;

	if ((rc = packer_finish(pk, &d, e)) != 0)
		return (rc);
	return (publisher_add(&w->rp->publisher, &d, e));
}

static bool
to_compress(const struct worker *w)
{

	return (w->x.plain == 0 && w->x.length > SEAL_OVERHEAD &&
	    w->rp->r->version > 1 &&
	    (w->x.type == BLOB_TREE || w->rp->o->compress));
}

static int
drop_bytes(void *cookie, const void *p, size_t len, struct err *e)
{

	(void)cookie;
	(void)p;
	(void)len;
	(void)e;
	return (0);
}

static int
copy_bytes(void *cookie, const void *p, size_t len, struct err *e)
{
	struct worker *w = cookie;

	return (packer_copy(packer_of(w), p, len, e));
}

static int
squeeze_bytes(void *cookie, const void *p, size_t len, struct err *e)
{
	struct worker *w = cookie;
	int rc;

	w->sent = true;
	rc = packer_squeeze(packer_of(w), w->z, p, len, false, e);
	w->ours = rc != 0;
	return (rc);
}

/* Send the plain bytes of the blob, proven; it lies in slabs, or is too large. */
static int
plain_bytes(struct worker *w, store_sink *fn, struct err *e)
{

	if (w->x.length <= slab_pool_max(&w->rp->r->pool))
		return (blob_open(&w->br, &w->chunk, &w->x, w->name,
		    w->offset, fn, w, e));
	return (blob_read_from(&w->br, w->name, w->offset, &w->x, fn, w, e));
}

/* Begin a frame of ${plain} bytes; the compressor is made for the first one. */
static int
begin_frame(struct worker *w, uint32_t plain, struct err *e)
{
	struct repack *rp = w->rp;
	bool tree = w->x.type == BLOB_TREE;
	struct zstd_pack **z = tree ? &w->trees_z : &w->data_z;
	int level = rp->o->level, rc;

	if (rp->o->into != NULL)
		z = tree ? &rp->trees_z : &rp->data_z;
	if (*z == NULL && (rc = zstd_pack_new(z, level != 0 ? level :
	    TREE_LEVEL, tree ? TREE_WINDOW_LOG : ZSTD_WINDOW_LOG, e)) != 0)
		return (rc);
	w->z = *z;
	zstd_pack_begin(w->z, plain);
	return (0);
}

/* Compress it into the pack: its hash is known when all went through. */
static int
put_compressed(struct worker *w, struct err *e)
{
	struct packer *pk = packer_of(w);
	struct pack_entry y = w->x;
	int rc;

	y.plain = w->x.length - SEAL_OVERHEAD;
	if ((rc = begin_frame(w, y.plain, e)) != 0 ||
	    (rc = packer_begin(pk, w->rp->o->salvage, e)) != 0 ||
	    (rc = plain_bytes(w, squeeze_bytes, e)) != 0 ||
	    (rc = packer_squeeze(pk, w->z, NULL, 0, true, e)) != 0)
		return (rc);
	return (packer_end(pk, &y, e));
}

/* The sealed bytes as they are, and after them the proof. */
static int
put_copy(struct worker *w, struct err *e)
{
	struct repo *r = w->rp->r;
	struct packer *pk = packer_of(w);
	struct chunk_walk walk;
	uint8_t *p;
	size_t n;
	int rc;

	if ((rc = packer_copy_begin(pk, w->rp->o->salvage, e)) != 0)
		return (rc);
	if (w->x.length > slab_pool_max(&r->pool)) {
		rc = store_get(r->store, w->name, w->offset, w->x.length,
		    copy_bytes, w, e);
	} else {
		walk = chunk_walk(&r->pool, &w->chunk);
		while (rc == 0 && chunk_next(&walk, &p, &n))
			rc = packer_copy(pk, p, n, e);
	}
	if (rc != 0 || (rc = plain_bytes(w, drop_bytes, e)) != 0)
		return (rc);
	return (packer_copy_end(pk, &w->x, e));
}

static void
count(struct worker *w, bool copied)
{
	struct repack *rp = w->rp;

	pthread_mutex_lock(&rp->lock);
	if (copied)
		rp->stats->blobs++;
	else
		rp->stats->left_out++;
	pthread_mutex_unlock(&rp->lock);
}

/* The blob is of no use: say so, and go on. */
static void
leave_out(struct worker *w, const struct err *why)
{

	w->rp->o->damaged(w->rp->o->cookie, why);
	count(w, false);
}

/* ---- one blob into another repository ---- */

static int
seal_bytes(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct worker *w = cookie;
	int rc;

	w->sent = true;
	rc = packer_plain(packer_of(w), bytes, len, e);
	w->ours = rc != 0;
	return (rc);
}

/* Is it to be compressed there, as what is plain here or is being unpacked? */
static bool
squeezed_there(const struct worker *w)
{
	const struct repack *rp = w->rp;

	if (rp->to->version == 1)
		return (false);
	return (w->x.plain != 0 || (w->x.length > SEAL_OVERHEAD &&
	    (w->x.type == BLOB_TREE || rp->o->level != 0)));
}

/* Does it have to be unpacked or compressed, or is it too large to be held? */
static bool
to_recode(const struct worker *w)
{

	return ((w->x.plain != 0) != squeezed_there(w) ||
	    w->x.length > slab_pool_max(&w->rp->r->pool));
}

/* The blob's plain bytes. What the source does not give is as good as damaged. */
static int
plain_of_source(struct worker *w, store_sink *fn, struct err *e)
{
	char hex[ID_HEX + 1];
	int rc;

	w->ours = w->sent = false;
	rc = plain_bytes(w, fn, e);
	if (rc == ERR_FAIL && !w->sent)	/* it may have been a moment's fault */
		rc = plain_bytes(w, fn, e);
	if (rc == 0 || rc == ERR_CORRUPT || w->ours || err_ends_all(rc))
		return (rc);
	(void)err_note(e, "blob %.16s", id_hex(&w->x.id, hex));
	return (e->code = ERR_CORRUPT);
}

/* Through its plain bytes: it is proven when all went through. */
static int
recode(struct worker *w, bool squeeze, struct err *e)
{
	struct packer *pk = packer_of(w);
	uint32_t plain = w->x.plain != 0 ? w->x.plain :
	    w->x.length - SEAL_OVERHEAD;
	struct pack_entry y = w->x;
	int rc;

	y.plain = squeeze ? plain : 0;
	if ((squeeze && (rc = begin_frame(w, plain, e)) != 0) ||
	    (rc = packer_begin(pk, true, e)) != 0)
		return (rc);
	w->begun = true;
	if ((rc = plain_of_source(w, squeeze ? squeeze_bytes : seal_bytes,
	    e)) != 0 || (squeeze &&
	    (rc = packer_squeeze(pk, w->z, NULL, 0, true, e)) != 0))
		return (rc);
	if ((rc = blobmap_claim(w->rp->to->map, y.type, &y.id, e)) <= 0)
		return (rc != 0 ? rc : packer_revoke(pk, e));
	return (packer_end(pk, &y, e));
}

static int
put_recoded(struct worker *w, struct err *e)
{
	int rc;

	if (!squeezed_there(w))
		return (recode(w, false, e));
	pthread_mutex_lock(&w->rp->squeezing);
	rc = recode(w, true, e);
	pthread_mutex_unlock(&w->rp->squeezing);
	return (rc);
}

/* As it is in its envelope, which blob_open left open in the slabs. */
static int
put_resealed(struct worker *w, struct err *e)
{
	struct packer *pk = packer_of(w);
	struct chunk body = w->chunk;
	struct chunk_walk walk;
	struct pack_entry y = w->x;
	uint8_t *p;
	size_t n;
	int rc;

	rc = blob_open(&w->br, &w->chunk, &w->x, w->name, w->offset,
	    drop_bytes, w, e);
	if (rc != 0 || (rc = blobmap_claim(w->rp->to->map, y.type, &y.id,
	    e)) <= 0 || (rc = packer_begin(pk, false, e)) != 0)
		return (rc);
	body.off += SEAL_IV;	/* slabs are filled from 0: no overflow */
	body.len -= SEAL_OVERHEAD;
	for (walk = chunk_walk(&w->rp->r->pool, &body);
	    chunk_next(&walk, &p, &n);)
		if ((rc = packer_plain(pk, p, n, e)) != 0)
			return (rc);
	return (packer_end(pk, &y, e));
}

/* ---- one blob ---- */

static bool
tolerant(const struct worker *w)
{

	return (w->rp->o->salvage || w->rp->o->into != NULL);
}

/* All its bytes are here, or it is too large for that. */
static int
put_blob(struct worker *w, struct err *e)
{
	struct packer *pk = packer_of(w);
	struct err why = ERR_INIT;
	int rc;

	w->begun = false;
	if (w->rp->o->into != NULL) {
		rc = to_recode(w) ? put_recoded(w, &why) :
		    put_resealed(w, &why);
	} else {
		w->begun = true;
		rc = to_compress(w) ? put_compressed(w, &why) :
		    put_copy(w, &why);
	}
	if (rc == ERR_CORRUPT && tolerant(w)) {
		leave_out(w, &why);
		return (w->begun ? packer_revoke(pk, e) : 0);
	}
	if (rc != 0) {
		*e = why;
		return (rc);
	}
	count(w, true);
	meter_add(&w->rp->o->meter->bytes, w->x.length);
	if (packer_size(pk) >= w->rp->o->pack_size ||
	    pk->list.n >= PACK_BLOBS_MAX)
		return (hand_over(w, pk, e));
	return (0);
}

/* ---- reading a pack ---- */

/* The next blob of this request becomes the one whose bytes are awaited. */
static int
next_blob(struct worker *w, struct err *e)
{
	int rc;

	w->have = w->at < w->end;
	if (!w->have)
		return (0);
	if ((rc = record_at(w, w->at, &w->x, &w->offset, e)) != 0)
		return (rc);
	w->at += REC_LEN;
	w->room_len = 0;
	rc = slab_get_chunk(&w->rp->r->pool, w->x.length, &w->chunk, e);
	if (rc != 0) {
		w->have = false;
		return (rc);
	}
	w->walk = chunk_walk(&w->rp->r->pool, &w->chunk);
	return (0);
}

static void
drop_blob(struct worker *w)
{

	if (w->have)
		chunk_free(&w->rp->r->pool, &w->chunk);
	w->have = false;
}

/* The same bytes for as long as they last: leap, or fill slabs. */
static size_t
use_bytes(struct worker *w, const uint8_t *p, size_t len)
{
	size_t n;

	if (w->pos < w->offset) {	/* of a blob that stays behind */
		n = w->offset - w->pos;
		return (n < len ? n : len);
	}
	if (w->room_len == 0)
		(void)chunk_next(&w->walk, &w->room, &w->room_len);
	n = w->room_len < len ? w->room_len : len;
	memcpy(w->room, p, n);
	w->room += n;
	w->room_len -= n;
	return (n);
}

static int
take_bytes(struct worker *w, const uint8_t *p, size_t len, struct err *e)
{
	size_t n;
	int rc;

	for (; len > 0 && w->have; p += n, len -= n) {
		n = use_bytes(w, p, len);
		w->pos += n;
		if (w->pos != (uint64_t)w->offset + w->x.length)
			continue;
		rc = put_blob(w, e);
		drop_blob(w);
		if (rc != 0 || (rc = next_blob(w, e)) != 0)
			return (rc);
	}
	if (w->rp->failed)
		return (err_set(e, ERR_CANCEL, "stopped"));
	return (repo_stopped(w->rp->r, e));
}

/* Bytes of the pack, in order. */
static int
take(void *cookie, const void *p, size_t len, struct err *e)
{
	struct worker *w = cookie;
	int rc = take_bytes(w, p, len, e);

	w->ours = rc != 0;
	return (rc);
}

/*
 * From the record at w->at on, how far does one request reach? Over blobs that lie
 * close together; w->end is set behind the last of them, ${*ret} is where in the
 * pack that ends. Salvage reads each by itself, as any may be the last one there is.
 */
static int
plan_request(struct worker *w, uint64_t *ret, struct err *e)
{
	uint64_t top = spill_top(&w->list), to, at;
	struct pack_entry x;
	uint32_t offset;
	int rc;

	if ((rc = record_at(w, w->at, &x, &offset, e)) != 0)
		return (rc);
	to = (uint64_t)offset + x.length;
	for (at = w->at + REC_LEN; at < top; at += REC_LEN) {
		if ((rc = record_at(w, at, &x, &offset, e)) != 0)
			return (rc);
		if (offset < to || offset - to > GAP || w->rp->o->salvage ||
		    w->at < w->alone ||
		    x.length > slab_pool_max(&w->rp->r->pool))
			break;
		to = (uint64_t)offset + x.length;
	}
	w->end = at;
	*ret = to;
	return (0);
}

/* Nothing more comes out of the pack: one word for all that were to. */
static void
leave_pack(struct worker *w, const char *how)
{
	uint64_t n = (spill_top(&w->list) - w->at) / REC_LEN;
	struct err why = ERR_INIT;

	(void)err_set(&why, ERR_CORRUPT, "%s %s, with %llu of the blobs to be "
	    "copied", w->name, how, (unsigned long long)n);
	w->rp->o->damaged(w->rp->o->cookie, &why);
	pthread_mutex_lock(&w->rp->lock);
	w->rp->stats->left_out += n;
	pthread_mutex_unlock(&w->rp->lock);
	w->at = spill_top(&w->list);
}

/*
 * A request failed where the next record's bytes would have come. One of several
 * is done again, blob by blob; a blob by itself is left out.
 */
static void
not_read(struct worker *w, uint64_t first, struct err *why)
{
	char hex[ID_HEX + 1];

	if (w->rp->o->into != NULL && why->code == ERR_ABSENT) {
		leave_pack(w, "is missing");
	} else if (w->end - first > REC_LEN) {
		w->alone = w->end;
	} else {
		(void)err_note(why, "blob %.16s", id_hex(&w->x.id, hex));
		leave_out(w, why);
		w->at += REC_LEN;
		if (w->rp->o->into != NULL && ++w->unread == UNREAD_MAX &&
		    w->at < spill_top(&w->list))
			leave_pack(w, "is given up");
	}
}

/* A blob that the pool cannot hold is asked for by who opens it. */
static int
read_large(struct worker *w, struct err *e)
{
	uint64_t size;

	if (w->rp->o->into != NULL && store_stat(w->rp->r->store, w->name,
	    &size, NULL) == ERR_ABSENT) {
		leave_pack(w, "is missing");
		return (0);
	}
	w->at += REC_LEN;
	return (put_blob(w, e));
}

/* One request, from the record at w->at on. */
static int
read_some(struct worker *w, struct err *e)
{
	struct err why = ERR_INIT;
	uint64_t first = w->at, to;
	bool waiting;
	int rc;

	if ((rc = record_at(w, w->at, &w->x, &w->offset, e)) != 0)
		return (rc);
	if (w->x.length > slab_pool_max(&w->rp->r->pool))
		return (read_large(w, e));
	if ((rc = plan_request(w, &to, e)) != 0 ||
	    (rc = next_blob(w, e)) != 0)
		return (rc);
	w->pos = w->offset;
	w->ours = false;
	rc = store_get(w->rp->r->store, w->name, w->pos, to - w->pos, take, w,
	    &why);
	waiting = w->have;
	drop_blob(w);
	if (rc != 0 && tolerant(w) && !w->ours && !err_ends_all(rc)) {
		if (waiting) {	/* else all of it came */
			w->at -= REC_LEN;
			not_read(w, first, &why);
		}
		return (0);
	}
	if (rc != 0)
		*e = why;
	return (rc);
}

static int
read_pack(struct worker *w, struct err *e)
{
	uint64_t top = spill_top(&w->list);
	int rc;

	if ((rc = repo_lock_lost(w->rp->o->lock, e)) != 0)
		return (rc);
	w->alone = 0;
	w->unread = 0;
	for (w->at = 0; w->at < top;)
		if ((rc = read_some(w, e)) != 0)
			return (rc);
	meter_add(&w->rp->o->meter->files, 1);
	return (0);
}

/* ---- workers ---- */

static void
fail(struct repack *rp, int rc, const struct err *why)
{

	pthread_mutex_lock(&rp->lock);
	if (rp->rc == 0) {
		rp->rc = rc;
		rp->why = *why;
	}
	rp->failed = true;
	pthread_mutex_unlock(&rp->lock);
}

static void
publisher_failed(void *cookie, const struct err *why)
{

	fail(cookie, why->code, why);
}

/* Packs that are open, too: what is whole counts for the next run. */
static int
finish(struct worker *w, struct err *e)
{
	int rc = 0;

	if (packer_size(&w->data) > 0 && w->data.list.n > 0)
		rc = hand_over(w, &w->data, e);
	if (rc == 0 && packer_size(&w->trees) > 0 && w->trees.list.n > 0)
		rc = hand_over(w, &w->trees, e);
	return (rc);
}

static void *
worker(void *cookie)
{
	struct worker *w = cookie;
	struct err e = ERR_INIT;
	int rc;

	while ((rc = next_pack(w, &e)) > 0)
		if ((rc = read_pack(w, &e)) != 0)
			break;
	if (rc != 0)
		fail(w->rp, rc, &e);
	/* Who is asked to stop stands between two blobs. */
	if ((rc == 0 || rc == ERR_CANCEL) && (rc = finish(w, &e)) != 0)
		fail(w->rp, rc, &e);
	return (NULL);
}

static int
worker_open(struct worker *w, struct repack *rp, struct err *e)
{
	int rc;

	w->rp = rp;
	if ((rc = blob_reader_open(&w->br, rp->r, e)) != 0 ||
	    (rc = spill_open(&w->list, rp->r->state->scratch, LIST_WINDOW,
	    e)) != 0 || (rc = packer_open(&w->data, rp->to, false, e)) != 0 ||
	    (rc = packer_open(&w->trees, rp->to, false, e)) != 0)
		return (rc);
	return (thread_start(&w->thread, worker, w, e));
}

static void
worker_close(struct worker *w)
{

	packer_close(&w->data);
	packer_close(&w->trees);
	zstd_pack_free(w->data_z);
	zstd_pack_free(w->trees_z);
	spill_close(&w->list);
	blob_reader_close(&w->br);
}

/* Start them, and wait until all have ended. */
static int
run_workers(struct repack *rp, struct err *e)
{
	unsigned want = rp->o->workers, n = 0, i;
	struct worker *w;
	int rc = 0;

	if (want < 1)
		want = 1;
	if (want > WORKERS_TOP)
		want = WORKERS_TOP;
	if ((w = calloc(want, sizeof(*w))) == NULL)
		return (err_nomem(e));
	for (; n < want; n++)
		if ((rc = worker_open(&w[n], rp, e)) != 0)
			break;
	if (rc != 0) {
		fail(rp, rc, e);
		worker_close(&w[n]);
	}
	for (i = 0; i < n; i++) {
		pthread_join(w[i].thread, NULL);
		worker_close(&w[i]);
	}
	free(w);
	return (rc);
}

int
repack_run(struct repo *r, struct sorter *blobs,
    const struct repack_opts *opts, struct repack_stats *stats,
    struct err *e)
{
	struct err why = ERR_INIT;
	struct repack *rp;
	int rc, rc2;

	if ((rp = calloc(1, sizeof(*rp))) == NULL)
		return (err_nomem(e));
	rp->r = r;
	rp->to = opts->into != NULL ? opts->into : r;
	rp->o = opts;
	rp->stats = stats;
	rp->blobs = blobs;
	pthread_mutex_init(&rp->lock, NULL);
	pthread_mutex_init(&rp->squeezing, NULL);
	if ((rc = publisher_open(&rp->publisher, rp->to, publisher_failed, rp,
	    e)) == 0 && (rc = read_ahead(rp, e)) == 0 &&
	    (rc = run_workers(rp, e)) == 0 && (rc = rp->rc) != 0)
		*e = rp->why;
	/* What was published is indexed also after a failure. */
	if (rp->publisher.running) {
		rc2 = publisher_end(&rp->publisher, &why);
		if (rc == 0 && rc2 != 0) {
			rc = rc2;
			*e = why;
		}
	}
	stats->new_packs = rp->publisher.packs;
	stats->new_bytes = rp->publisher.bytes;
	publisher_close(&rp->publisher);
	zstd_pack_free(rp->data_z);
	zstd_pack_free(rp->trees_z);
	pthread_mutex_destroy(&rp->squeezing);
	pthread_mutex_destroy(&rp->lock);
	free(rp);
	return (rc);
}
