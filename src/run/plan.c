#include "run/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/sort.h"

#define PACK_LEAST ((uint64_t)4 << 20) /* restic's smallest size of packs */

enum {
	SMALL_MANY = 10,     /* fewer small packs are not worth the trouble */
	SMALL_PERCENTILE = 3,
	SORT_MEM = 256 * 1024,

	/* A candidate, sorted by its class, then its unused share and number
	 * in one big-endian word. */
	CAND_CLASS = 0,
	CAND_ORDER = 1,
	CAND_FLAGS = 9,
	CAND_SIZE = 10,
	CAND_UNUSED = 18,
	CAND_BLOBS = 26,     /* all, then the unused */
	CAND_LEN = 34,

	/* Classes, in the order in which they are repacked: packs that are not
	 * of data alone, then others; of both the small ones first. */
	CLASS_DATA = 2,
	CLASS_LARGE = 1,

	FLAG_MUST = 1,       /* whatever share is unused */
	FLAG_WHOLE = 2,      /* all used: a candidate for its size alone */
	FLAG_RAW = 4,        /* repacking compresses all that is not */
};

struct plan {
	const struct plan_opts *o;
	struct plan_stats *s;
	struct sorter *sizes; /* NULL when they are known */
	uint64_t n_sizes;
	uint64_t small;
	struct sorter *candidates;
	uint64_t n_small;    /* that are candidates for their size alone */
};

int
plan_new(struct plan **ret, const char *dir, const struct plan_opts *opts,
    struct plan_stats *stats, struct err *e)
{
	struct plan *p;
	int rc;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (err_nomem(e));
	p->o = opts;
	p->s = stats;
	if ((rc = sorter_new(&p->sizes, dir, SORT_MEM, sort_bytes, e)) != 0 ||
	    (rc = sorter_new(&p->candidates, dir, SORT_MEM, sort_bytes,
	    e)) != 0) {
		plan_free(p);
		return (rc);
	}
	*ret = p;
	return (0);
}

void
plan_free(struct plan *p)
{

	if (p == NULL)
		return;
	sorter_free(p->sizes);
	sorter_free(p->candidates);
	free(p);
}

/* ---- which packs are small? ---- */

int
plan_size(struct plan *p, uint64_t size, struct err *e)
{
	uint8_t rec[8];

	store_be64(rec, size);
	p->n_sizes++;
	return (sorter_add(p->sizes, rec, sizeof(rec), e));
}

/*
 * Four fifths of what nearly all packs have: a repository whose packs are all
 * alike is left alone, whatever their size.
 */
static int
learn_small(struct plan *p, struct err *e)
{
	uint64_t i, nth = p->n_sizes * SMALL_PERCENTILE / 100, size = 0;
	const void *rec;
	size_t len;
	int rc = 0;

	for (i = 0; i <= nth; i++) {
		if ((rc = sorter_next(p->sizes, &rec, &len, e)) <= 0)
			break;
		size = load_be64(rec);
	}
	sorter_free(p->sizes);
	p->sizes = NULL;
	p->small = p->o->small != 0 ? p->o->small :
	    (size > PACK_LEAST ? size : PACK_LEAST) * 4 / 5;
	return (rc < 0 ? rc : 0);
}

uint64_t
plan_small(const struct plan *p)
{

	return (p->small);
}

/* ---- one pack ---- */

static void
count_pack(struct plan *p, const struct pack_use *u)
{

	if (u->missing)
		return;
	if (u->used_n == 0)
		p->s->packs.unused++;
	else if (u->unused_n == 0)
		p->s->packs.used++;
	else
		p->s->packs.partly_used++;
	if (p->o->v2 && (u->raw_data || u->raw_tree))
		p->s->bytes.uncompressed += u->size;
}

/* Must it be compressed? Trees always are. */
static bool
must_compress(const struct plan *p, const struct pack_use *u)
{

	return (p->o->v2 && (u->raw_tree || (u->raw_data && p->o->compress)));
}

/* All used, of one kind, compressed as it should be. */
static bool
in_order(const struct plan *p, const struct pack_use *u)
{

	return (u->unused_n == 0 && !(u->data && u->tree) &&
	    !must_compress(p, u));
}

/* The unused share as a number that sorts the larger first. */
static uint32_t
share_key(const struct pack_use *u)
{
	uint64_t unused = u->unused, size = u->size;

	while (size > UINT32_MAX) {
		unused >>= 1;
		size >>= 1;
	}
	return (size == 0 || unused >= size ? 0 :
	    UINT32_MAX - (uint32_t)((unused << 32) / size));
}

static int
add_candidate(struct plan *p, uint32_t no, const struct pack_use *u,
    struct err *e)
{
	uint8_t rec[CAND_LEN];
	uint8_t flags = 0;

	if (u->tree || must_compress(p, u))
		flags |= FLAG_MUST;
	if (must_compress(p, u) && (p->o->compress || !u->raw_data))
		flags |= FLAG_RAW;
	if (in_order(p, u)) {
		flags |= FLAG_WHOLE;
		p->n_small++;
	}
	rec[CAND_CLASS] = (u->tree ? 0 : CLASS_DATA) +
	    (u->size < p->small ? 0 : CLASS_LARGE);
	store_be64(rec + CAND_ORDER, (uint64_t)share_key(u) << 32 | no);
	rec[CAND_FLAGS] = flags;
	store_le64(rec + CAND_SIZE, u->size);
	store_le64(rec + CAND_UNUSED, u->unused);
	store_le32(rec + CAND_BLOBS, u->used_n + u->unused_n);
	store_le32(rec + CAND_BLOBS + 4, u->unused_n);
	return (sorter_add(p->candidates, rec, sizeof(rec), e));
}

int
plan_add(struct plan *p, uint32_t no, const struct pack_use *u,
    enum fate *ret, struct err *e)
{
	int rc;

	if (p->sizes != NULL && (rc = learn_small(p, e)) != 0)
		return (rc);
	count_pack(p, u);
	if (u->used_n == 0) {
		*ret = u->missing ? FATE_FORGET : FATE_REMOVE;
		p->s->blobs.remove += u->unused_n;
		p->s->bytes.remove += u->unused;
		if (!u->missing)
			p->s->packs.remove++;
		return (0);
	}
	*ret = FATE_KEEP;
	if ((p->o->cacheable_only && !u->tree) ||
	    (in_order(p, u) && u->size >= p->small)) {
		p->s->packs.keep++;
		return (0);
	}
	*ret = FATE_LATER;
	return (add_candidate(p, no, u, e));
}

/* ---- the candidates ---- */

static uint64_t
max_unused(const struct plan *p)
{
	double share = p->o->unused_share;

	switch (p->o->unused) {
	case UNUSED_BYTES:
		return (p->o->unused_bytes);
	case UNUSED_SHARE:
		return ((uint64_t)(share / (1 - share) *
		    (double)p->s->bytes.used));
	default:
		return (UINT64_MAX);
	}
}

/* Is this one repacked, after what was decided before it? */
static bool
choose(const struct plan *p, const uint8_t *rec, uint64_t limit)
{
	const struct plan_stats *s = p->s;
	uint64_t size = load_le64(rec + CAND_SIZE);
	uint64_t left = s->bytes.duplicate + s->bytes.unused -
	    s->bytes.remove - s->bytes.repack_remove;

	if ((rec[CAND_FLAGS] & FLAG_WHOLE) && p->n_small < SMALL_MANY)
		return (false);
	if (p->o->max_repack != UINT64_MAX &&
	    s->bytes.repack + size >= p->o->max_repack)
		return (false);
	if (rec[CAND_FLAGS] & FLAG_MUST)
		return (true);
	return (left >= limit || size < p->small);
}

int
plan_decide(struct plan *p, plan_each *fn, void *cookie, struct err *e)
{
	uint64_t limit = max_unused(p);
	const uint8_t *rec;
	const void *any;
	size_t len;
	bool repack;
	int rc;

	while ((rc = sorter_next(p->candidates, &any, &len, e)) > 0) {
		rec = any;
		repack = choose(p, rec, limit);
		if (repack) {
			p->s->packs.repack++;
			p->s->blobs.repack += load_le32(rec + CAND_BLOBS);
			p->s->blobs.repack_remove +=
			    load_le32(rec + CAND_BLOBS + 4);
			p->s->bytes.repack += load_le64(rec + CAND_SIZE);
			p->s->bytes.repack_remove +=
			    load_le64(rec + CAND_UNUSED);
			if (p->o->v2 && (rec[CAND_FLAGS] & FLAG_RAW))
				p->s->bytes.uncompressed -=
				    load_le64(rec + CAND_SIZE);
		} else {
			p->s->packs.keep++;
		}
		rc = fn(cookie, (uint32_t)load_be64(rec + CAND_ORDER),
		    repack ? FATE_REPACK : FATE_KEEP, e);
		if (rc != 0)
			return (rc);
	}
	return (rc);
}
