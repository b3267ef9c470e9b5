#include "run/usage.h"

#include <string.h>

#include "run/repack.h"

enum {
	TABLE_MEM = 256 * 1024,
	PLACES_WINDOW = 16384,
	SAME_MAX = 8,        /* places that are compared with a new one */
	PLACE_LEN = 16,      /* u32 pack, offset, length, plain length */
	GROUP_HEAD = 4,      /* u32 places */
};

/* A pack's entry in the table; a power of two, so that none is split. */
struct usage_pack {
	uint64_t size;
	uint64_t used, unused, doubled; /* bytes: needed, not needed, needed and
					in several places */
	uint64_t chosen;     /* of doubled: that count as used */
	uint32_t used_n, unused_n, doubled_n, chosen_n;
	uint32_t first;      /* number of the pack's first description, and 1 */
	uint8_t kinds, fate;
	uint8_t rest[2];
};
_Static_assert(sizeof(struct usage_pack) == 64, "64 go on a page");

enum {
	HAS_DATA = 1, HAS_TREE = 2, RAW_DATA = 4, RAW_TREE = 8,
	MISSING = 16,
	DOUBTFUL = 32,       /* is not what the index says, or missing */
};

int
usage_open(struct usage *u, struct repo *r, struct marks *needed,
    struct plan_stats *stats, struct err *e)
{
	int rc;

	memset(u, 0, sizeof(*u));
	u->r = r;
	u->needed = needed;
	u->stats = stats;
	rc = table_new(&u->packs, r->state->scratch,
	    sizeof(struct usage_pack), TABLE_MEM, e);
	if (rc != 0)
		return (rc);
	return (spill_open(&u->places, r->state->scratch, PLACES_WINDOW, e));
}

void
usage_close(struct usage *u)
{

	table_free(u->packs);
	u->packs = NULL;
	spill_close(&u->places);
}

/* ---- packs ---- */

static int
entry(struct usage *u, uint32_t no, struct usage_pack **ret, struct err *e)
{
	void *p;
	int rc;

	if ((rc = table_put(u->packs, no, &p, e)) == 0)
		*ret = p;
	return (rc);
}

int
usage_first(struct usage *u, uint32_t no, uint32_t *ret, struct err *e)
{
	const struct usage_pack *p;
	const void *any;
	int rc;

	if ((rc = table_get(u->packs, no, &any, e)) != 0)
		return (rc);
	p = any;
	if (p->first == 0)
		return (err_set(e, ERR_FAIL, "a blob of no known pack"));
	*ret = p->first - 1;
	return (0);
}

int
usage_pack(struct usage *u, const struct pack_known *k, struct err *e)
{
	struct usage_pack *p;
	int rc;

	if ((rc = entry(u, k->no, &p, e)) != 0)
		return (rc);
	p->size = k->info.size;
	p->first = k->no + 1;
	if (!k->stored)
		p->kinds |= MISSING;
	if (!k->stored || k->size != k->info.size || k->differ)
		p->kinds |= DOUBTFUL;
	return (0);
}

int
usage_again(void *usage, uint32_t no, uint32_t first, struct err *e)
{
	struct usage_pack *p;
	int rc;

	if ((rc = entry(usage, no, &p, e)) == 0)
		p->first = first + 1;
	return (rc);
}

int
usage_get(struct usage *u, uint32_t no, struct pack_use *ret, struct err *e)
{
	const struct usage_pack *p;
	const void *any;
	int rc;

	if ((rc = table_get(u->packs, no, &any, e)) != 0)
		return (rc);
	p = any;
	if (p->first != no + 1)
		return (0);
	memset(ret, 0, sizeof(*ret));
	ret->size = p->size;
	ret->used = p->used + p->chosen;
	ret->unused = p->unused + p->doubled - p->chosen;
	ret->used_n = p->used_n + p->chosen_n;
	ret->unused_n = p->unused_n + p->doubled_n - p->chosen_n;
	ret->data = (p->kinds & HAS_DATA) != 0;
	ret->tree = (p->kinds & HAS_TREE) != 0;
	ret->raw_data = (p->kinds & RAW_DATA) != 0;
	ret->raw_tree = (p->kinds & RAW_TREE) != 0;
	ret->missing = (p->kinds & MISSING) != 0;
	ret->doubtful = (p->kinds & DOUBTFUL) != 0;
	return (1);
}

int
usage_decide(struct usage *u, uint32_t no, enum fate fate, struct err *e)
{
	struct usage_pack *p;
	int rc;

	if ((rc = entry(u, no, &p, e)) == 0)
		p->fate = (uint8_t)fate;
	return (rc);
}

int
usage_fate(struct usage *u, uint32_t no, enum fate *ret, struct err *e)
{
	const void *any;
	uint32_t first = 0;
	int rc;

	if ((rc = usage_first(u, no, &first, e)) != 0 ||
	    (rc = table_get(u->packs, first, &any, e)) != 0)
		return (rc);
	*ret = (enum fate)((const struct usage_pack *)any)->fate;
	return (0);
}

/* ---- blobs, with all their places ---- */

/* The places of one blob, as they come out of the map. */
struct group {
	struct usage *u;
	int (*done)(struct group *g, struct err *e);
	bool any, needed;
	struct id id;
	enum blob_type type;
	uint32_t n;          /* different places */
	uint64_t start;      /* of them on the spill stack */
	struct sorter *into; /* usage_blobs */
	uint64_t copied;
};

/* Is this place among the first few? The same pack may be described twice. */
static int
known_place(struct group *g, const struct where *w, struct err *e)
{
	uint8_t p[PLACE_LEN];
	uint64_t at = g->start + GROUP_HEAD;
	uint32_t i;
	int rc;

	for (i = 0; i < g->n && i < SAME_MAX; i++, at += PLACE_LEN) {
		rc = spill_read(&g->u->places, at, p, PLACE_LEN, e);
		if (rc != 0)
			return (rc);
		if (load_le32(p) == w->pack && load_le32(p + 4) == w->offset)
			return (1);
	}
	return (0);
}

static int
add_place(struct group *g, const struct where *w, struct err *e)
{
	uint8_t p[PLACE_LEN];
	int rc;

	if ((rc = known_place(g, w, e)) != 0)
		return (rc < 0 ? rc : 0);
	store_le32(p, w->pack);
	store_le32(p + 4, w->offset);
	store_le32(p + 8, w->length);
	store_le32(p + 12, w->plain);
	g->n++;
	return (spill_push(&g->u->places, p, PLACE_LEN, e));
}

static int
end_group(struct group *g, struct err *e)
{
	int rc = 0;

	if (g->any)
		rc = g->done(g, e);
	g->any = false;
	return (rc != 0 ? rc : repo_stopped(g->u->r, e));
}

static int
each_record(void *cookie, uint64_t pos, const struct record *r, struct err *e)
{
	static const uint8_t head[GROUP_HEAD];
	struct group *g = cookie;
	struct where at = r->where;
	int rc;

	if (g->any && (at.type != g->type || !id_eq(&g->id, &r->id)) &&
	    (rc = end_group(g, e)) != 0)
		return (rc);
	if ((rc = usage_first(g->u, at.pack, &at.pack, e)) != 0)
		return (rc);
	if (!g->any) {
		g->any = true;
		g->needed = false;
		g->id = r->id;
		g->type = at.type;
		g->n = 0;
		g->start = spill_top(&g->u->places);
		rc = spill_push(&g->u->places, head, GROUP_HEAD, e);
		if (rc != 0)
			return (rc);
	}
	if ((rc = marks_test(g->u->needed, pos, e)) < 0)
		return (rc);
	if (rc > 0)
		g->needed = true;
	return (add_place(g, &at, e));
}

static int
each_group(struct usage *u, struct group *g, struct err *e)
{
	int rc;

	g->u = u;
	rc = blobmap_merge(u->r->map, each_record, g, e);
	return (rc != 0 ? rc : end_group(g, e));
}

/* Place ${i} of the group. */
static int
place(struct usage *u, uint64_t start, uint32_t i, struct where *ret,
    struct err *e)
{
	uint8_t p[PLACE_LEN];
	int rc;

	rc = spill_read(&u->places, start + GROUP_HEAD +
	    (uint64_t)i * PLACE_LEN, p, PLACE_LEN, e);
	ret->pack = load_le32(p);
	ret->offset = load_le32(p + 4);
	ret->length = load_le32(p + 8);
	ret->plain = load_le32(p + 12);
	return (rc);
}

/* ---- counting ---- */

static void
note_kind(struct usage_pack *p, enum blob_type type, bool raw)
{

	if (type == BLOB_TREE)
		p->kinds |= raw ? HAS_TREE | RAW_TREE : HAS_TREE;
	else
		p->kinds |= raw ? HAS_DATA | RAW_DATA : HAS_DATA;
}

static void
count_place(struct group *g, struct usage_pack *p, uint32_t length)
{
	struct plan_stats *s = g->u->stats;

	if (!g->needed) {
		p->unused += length;
		p->unused_n++;
		s->bytes.unused += length;
		s->blobs.unused++;
	} else if (g->n == 1) {
		p->used += length;
		p->used_n++;
		s->bytes.used += length;
		s->blobs.used++;
	} else {	/* one of them moves to the used ones later */
		p->doubled += length;
		p->doubled_n++;
		s->bytes.duplicate += length;
		s->blobs.duplicate++;
	}
}

static int
count_group(struct group *g, struct err *e)
{
	struct usage *u = g->u;
	struct usage_pack *p;
	uint8_t n[GROUP_HEAD];
	struct where w;
	uint32_t i;
	int rc;

	for (i = 0; i < g->n; i++) {
		if ((rc = place(u, g->start, i, &w, e)) != 0 ||
		    (rc = entry(u, w.pack, &p, e)) != 0)
			return (rc);
		count_place(g, p, w.length);
		note_kind(p, g->type, w.plain == 0);
	}
	if (g->n == 1 || !g->needed) {
		spill_cut(&u->places, g->start);
		return (0);
	}
	store_le32(n, g->n);
	return (spill_patch(&u->places, g->start, n, GROUP_HEAD, e));
}

/* Will pack ${x} rather stay than ${y}? The one with less that nobody needs, the
 * larger one, the first one. */
static bool
stays_rather(const struct usage_pack *x, const struct usage_pack *y)
{
	uint64_t a = (x->unused >> 8) * (y->size >> 8);
	uint64_t b = (y->unused >> 8) * (x->size >> 8);

	if ((x->kinds ^ y->kinds) & DOUBTFUL)
		return ((y->kinds & DOUBTFUL) != 0);
	if ((x->unused == 0) != (y->unused == 0))
		return (x->unused == 0);
	if (a != b)
		return (a < b);
	if (x->size != y->size)
		return (x->size > y->size);
	return (x->first < y->first);
}

/* Choose one place of the group at ${start} of ${n}. */
static int
choose_place(struct usage *u, uint64_t start, uint32_t n, struct err *e)
{
	struct usage_pack *p, best = { .first = 0 };
	struct where w, at = { 0, 0, 0, 0, BLOB_DATA };
	uint32_t i;
	int rc;

	for (i = 0; i < n; i++) {
		if ((rc = place(u, start, i, &w, e)) != 0 ||
		    (rc = entry(u, w.pack, &p, e)) != 0)
			return (rc);
		if (i == 0 || stays_rather(p, &best)) {
			best = *p;
			at = w;
		}
	}
	if ((rc = entry(u, at.pack, &p, e)) != 0)
		return (rc);
	p->chosen += at.length;
	p->chosen_n++;
	u->stats->bytes.duplicate -= at.length;
	u->stats->blobs.duplicate--;
	u->stats->bytes.used += at.length;
	u->stats->blobs.used++;
	return (0);
}

int
usage_count(struct usage *u, struct err *e)
{
	struct group g = { .done = count_group };
	uint8_t n[GROUP_HEAD];
	uint64_t at, end;
	int rc;

	if ((rc = each_group(u, &g, e)) != 0)
		return (rc);
	end = spill_top(&u->places);
	for (at = 0; at < end;
	    at += GROUP_HEAD + (uint64_t)load_le32(n) * PLACE_LEN)
		if ((rc = spill_read(&u->places, at, n, GROUP_HEAD,
		    e)) != 0 ||
		    (rc = choose_place(u, at, load_le32(n), e)) != 0)
			return (rc);
	spill_cut(&u->places, 0);
	return (0);
}

/* ---- what is to be copied ---- */

static int
lost(const struct group *g, struct err *e)
{
	char hex[ID_HEX + 1];

	return (err_set(e, ERR_FAIL, "blob %s is needed and would be lost: "
	    "nothing was changed", id_hex(&g->id, hex)));
}

static int
copy_group(struct group *g, struct err *e)
{
	struct pack_entry x = { .id = g->id, .type = g->type };
	struct where w, from = { 0, 0, 0, 0, BLOB_DATA };
	bool copy = false;
	enum fate fate;
	uint32_t i;
	int rc;

	for (i = 0; i < g->n && g->needed; i++) {
		if ((rc = place(g->u, g->start, i, &w, e)) != 0 ||
		    (rc = usage_fate(g->u, w.pack, &fate, e)) != 0)
			return (rc);
		if (fate == FATE_KEEP) {
			spill_cut(&g->u->places, g->start);
			return (0);
		}
		if (fate == FATE_REPACK && !copy) {
			copy = true;
			from = w;
		}
	}
	spill_cut(&g->u->places, g->start);
	if (!g->needed)
		return (0);
	if (!copy)
		return (lost(g, e));
	x.length = from.length;
	x.plain = from.plain;
	g->copied++;
	return (repack_add(g->into, from.pack, &x, from.offset, e));
}

int
usage_blobs(struct usage *u, struct sorter *into, uint64_t *ret,
    struct err *e)
{
	struct group g = { .done = copy_group, .into = into };
	int rc;

	rc = each_group(u, &g, e);
	*ret = g.copied;
	return (rc);
}
