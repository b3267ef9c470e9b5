/*
 * The blob map beside a repository that is only a few arrays: what is loaded is
 * found, in as many sessions, threads and processes as there are, through
 * damage of every file of it, full disks and deaths at each step of a commit.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/sort.h"
#include "state/blobmap.h"
#include "state/marks.h"
#include "unit/rng.h"
#include "unit/scratch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
	KIB = 1024,
	INDEXES = 64,
	PACKS = 4 * INDEXES,
	BLOBS = 240 * PACKS,
	FOREIGN = 1000000,   /* an index file that is nobody's */
};

static char dir[SCRATCH_PATH];
static bool mounted;
static struct state_dir sd;
static const struct id repo = { { 1, 2, 3 } };
static const struct blobmap_budget budget = { 128 * KIB, 4 * KIB, 64 };

/* ---- the repository ---- */

static struct blob {
	struct record r;     /* but for the pack's number */
	unsigned pack;
} blobs[BLOBS];

static struct pack {
	struct pack_info info;
	unsigned index, first, n;
	bool gone;           /* although its index file is there */
} packs[PACKS];

static struct index {
	struct id id;
	unsigned first, n;
	bool there;
} indexes[INDEXES];

static unsigned n_blobs, n_packs, n_indexes;

/* The last four bytes of a pack's id say which it is. */
static void
make_pack(uint64_t *seed, unsigned index, unsigned most)
{
	struct pack *p = &packs[n_packs];
	struct blob *b;

	rng_fill(seed, p->info.id.b, ID_LEN);
	store_le32(p->info.id.b + 28, n_packs);
	p->info.size = 36;
	p->info.data = p->info.tree = p->gone = false;
	p->index = index;
	p->first = n_blobs;
	p->n = p->info.blobs = 1 + (unsigned)rng_below(seed, most);
	for (; n_blobs < p->first + p->n; n_blobs++) {
		b = &blobs[n_blobs];
		memset(b, 0, sizeof(*b));
		rng_fill(seed, b->r.id.b, ID_LEN);
		b->r.where.type = rng_below(seed, 5) == 0 ? BLOB_TREE :
		    BLOB_DATA;
		/* Some blobs lie in two packs, some are both types. */
		if (n_blobs > 0 && rng_below(seed, 12) == 0)
			b->r.id = blobs[rng_below(seed, n_blobs)].r.id;
		b->r.where.offset = (uint32_t)rng_next(seed);
		b->r.where.length = (uint32_t)rng_next(seed);
		b->r.where.plain = rng_below(seed, 3) == 0 ? 0 :
		    (uint32_t)rng_next(seed);
		b->pack = n_packs;
		p->info.size += b->r.where.length +
		    (b->r.where.plain != 0 ? 41u : 37u);
		if (b->r.where.type == BLOB_TREE)
			p->info.tree = true;
		else
			p->info.data = true;
	}
	n_packs++;
}

/* Add ${n} index files of up to four packs of up to ${most} blobs. */
static void
grow(uint64_t *seed, unsigned n, unsigned most)
{
	struct index *x;
	unsigned k;

	for (; n > 0; n--) {
		assert_true(n_indexes < INDEXES);
		x = &indexes[n_indexes];
		rng_fill(seed, x->id.b, ID_LEN);
		x->first = n_packs;
		x->n = (unsigned)rng_below(seed, 4) + 1;
		x->there = true;
		for (k = 0; k < x->n; k++)
			make_pack(seed, n_indexes, most);
		n_indexes++;
	}
}

static void
forget_all(void)
{

	n_blobs = n_packs = n_indexes = 0;
}

static bool
pack_there(unsigned no)
{

	return (indexes[packs[no].index].there && !packs[no].gone);
}

static unsigned
count_there(unsigned *ret_packs, unsigned *ret_blobs)
{
	unsigned i, n = 0;

	*ret_packs = *ret_blobs = 0;
	for (i = 0; i < n_indexes; i++)
		n += indexes[i].there;
	for (i = 0; i < n_packs; i++) {
		if (pack_there(i)) {
			++*ret_packs;
			*ret_blobs += packs[i].n;
		}
	}
	return (n);
}

/* ---- loading ---- */

/* Feed one index file. Return 0 or what the map says. */
static int
feed(struct blobmap *m, const struct index *x, struct err *e)
{
	struct record r;
	unsigned p, b;
	int rc;

	for (p = x->first; p < x->first + x->n; p++) {
		if (packs[p].gone)
			continue;
		if ((rc = blobmap_pack_begin(m, e)) != 0)
			return (rc);
		/* The id comes first, in the middle or last. */
		for (b = 0; b < packs[p].n; b++) {
			if (b == p % 7)
				blobmap_pack_id(m, &packs[p].info.id);
			r = blobs[packs[p].first + b].r;
			if ((rc = blobmap_blob(m, &r, e)) != 0)
				return (rc);
		}
		blobmap_pack_id(m, &packs[p].info.id);
		if ((rc = blobmap_pack_end(m, e)) != 0)
			return (rc);
	}
	return (0);
}

static unsigned
index_of(const struct id *id)
{
	unsigned i;

	for (i = 0; i < n_indexes; i++)
		if (id_eq(&indexes[i].id, id))
			return (i);
	return (FOREIGN);
}

/* Open, offer what there is, settle; ${*ret_missing} as settle says. */
static int
begin(struct blobmap **ret, const struct blobmap_budget *b,
    uint64_t *ret_missing, struct err *e)
{
	unsigned i;
	int rc;

	if ((rc = blobmap_open(ret, &sd, &repo, b, e)) != 0)
		return (rc);

	for (i = 0; i < n_indexes && rc == 0; i++)
		if (indexes[i].there)
			rc = blobmap_offer(*ret,
			    &indexes[i].id, e);
	if (rc == 0)
		rc = blobmap_settle(*ret, ret_missing, e);
	if (rc != 0) {
		blobmap_close(*ret);
		*ret = NULL;
	}
	return (rc);
}

/* The whole life up to the commit. */
static int
load(struct blobmap **ret, uint64_t *ret_missing, struct err *e)
{
	struct id id;
	unsigned n = 0, x;
	int rc;

	if ((rc = begin(ret, &budget, ret_missing, e)) != 0)
		return (rc);
	while ((rc = blobmap_missing(*ret, &id, e)) > 0) {
		if ((x = index_of(&id)) == FOREIGN || !indexes[x].there)
			rc = err_set(e, ERR_FAIL, "not an index of ours");
		else
			rc = feed(*ret, &indexes[x], e);
		if (rc != 0)
			break;
		n++;
	}
	if (rc == 0 && n != *ret_missing)
		rc = err_set(e, ERR_FAIL, "%u files named, %u promised", n,
		    (unsigned)*ret_missing);
	if (rc == 0)
		rc = blobmap_commit(*ret, e);
	if (rc != 0) {
		blobmap_close(*ret);
		*ret = NULL;
	}
	return (rc);
}

/* ---- what must be found ---- */

/*
 * Is it a place of the blob that is right? 1, 0, or what blobmap_pack says when
 * it cannot tell.
 */
static int
place_ok(struct blobmap *m, const struct blob *b, const struct where *w,
    struct err *e)
{
	struct pack_info info;
	struct blob *c;
	unsigned no;
	int rc;

	if ((rc = blobmap_pack(m, w->pack, &info, e)) != 0)
		return (rc);
	no = load_le32(info.id.b + 28);
	if (no >= n_packs || !id_eq(&info.id, &packs[no].info.id) ||
	    info.size != packs[no].info.size ||
	    info.blobs != packs[no].info.blobs ||
	    info.data != packs[no].info.data ||
	    info.tree != packs[no].info.tree)
		return (0);
	for (c = blobs + packs[no].first;
	    c < blobs + packs[no].first + packs[no].n; c++)
		if (id_eq(&c->r.id, &b->r.id) &&
		    c->r.where.type == w->type &&
		    c->r.where.type == b->r.where.type &&
		    c->r.where.offset == w->offset &&
		    c->r.where.length == w->length &&
		    c->r.where.plain == w->plain)
			return (1);
	return (0);
}

static bool
blob_there(const struct blob *b)
{
	const struct blob *c;

	if (pack_there(b->pack))
		return (true);
	for (c = blobs; c < blobs + n_blobs; c++)
		if (id_eq(&c->r.id, &b->r.id) &&
		    c->r.where.type == b->r.where.type && pack_there(c->pack))
			return (true);
	return (false);
}

/* How many places has it? */
static unsigned
places_of(const struct blob *b)
{
	const struct blob *c;
	unsigned n = 0;

	for (c = blobs; c < blobs + n_blobs; c++)
		n += id_eq(&c->r.id, &b->r.id) &&
		    c->r.where.type == b->r.where.type && pack_there(c->pack);
	return (n);
}

struct places {
	struct blobmap *m;
	const struct blob *b;
	struct where at[16];
	unsigned n;
	bool wrong;
};

/* Each is one of the blob's, and none is named twice. */
static int
note_place(void *cookie, const struct where *at, struct err *e)
{
	struct places *p = cookie;
	unsigned i;
	int rc;

	if (p->n == COUNT(p->at))
		return (err_set(e, ERR_FAIL, "too many places"));
	for (i = 0; i < p->n; i++)
		if (p->at[i].pack == at->pack && p->at[i].offset == at->offset)
			p->wrong = true;
	p->at[p->n++] = *at;
	if ((rc = place_ok(p->m, p->b, at, e)) < 0)
		return (rc);
	if (rc == 0)
		p->wrong = true;
	return (0);
}

/* Are all its places named? 1, 0, or what the map says. */
static int
places_ok(struct blobmap *m, const struct blob *b, struct err *e)
{
	struct places p = { .m = m, .b = b };
	unsigned want = places_of(b);
	int rc;

	rc = blobmap_places(m, b->r.where.type, &b->r.id, note_place, &p, e);
	if (rc != 0)
		return (rc);
	return (!p.wrong && p.n == (want < COUNT(p.at) ? want : COUNT(p.at)));
}

struct scan {
	struct blobmap *m;
	uint64_t n;
	bool wrong;
};

static int
scan_one(void *cookie, uint64_t pos, const struct record *r, struct err *e)
{
	struct scan *s = cookie;
	struct blob b = { .r = *r };
	int rc;

	if (pos != s->n++)
		s->wrong = true;
	if ((rc = place_ok(s->m, &b, &r->where, e)) < 0)
		return (rc);
	if (rc == 0)
		s->wrong = true;
	return (0);
}

/* The same in the order of ids: each position once. */
struct merged {
	struct scan scan;
	struct id last;
	enum blob_type type;
	bool seen[BLOBS];
};

static int
merge_one(void *cookie, uint64_t pos, const struct record *r, struct err *e)
{
	struct merged *g = cookie;
	struct blob b = { .r = *r };
	int rc, c = g->scan.n > 0 ? id_cmp(&g->last, &r->id) : -1;

	if (c > 0 || (c == 0 && g->type > r->where.type) || pos >= BLOBS ||
	    g->seen[pos])
		g->scan.wrong = true;
	else
		g->seen[pos] = true;
	g->scan.n++;
	g->last = r->id;
	g->type = r->where.type;
	if ((rc = place_ok(g->scan.m, &b, &r->where, e)) < 0)
		return (rc);
	if (rc == 0)
		g->scan.wrong = true;
	return (0);
}

/*
 * Ask for each ${every}-th blob, and for one that nobody has. 0 when all that is
 * said is true and complete, 1 when it is true but the map said ERR_CORRUPT in
 * places, -1 (with a word to stderr) when it is wrong.
 */
static int
verify(struct blobmap *m, unsigned every)
{
	unsigned i, n_p, n_b;
	struct err e = ERR_INIT;
	struct scan s = { m, 0, false };
	static struct merged g;
	struct where w;
	struct id id;
	uint64_t pos, seed = ~(uint64_t)every;
	int rc, corrupt = 0;

	(void)count_there(&n_p, &n_b);
	for (i = every / 2; i < n_blobs; i += every) {
		bool want = blob_there(&blobs[i]);

		rc = blobmap_find(m, blobs[i].r.where.type, &blobs[i].r.id,
		    i % 3 == 0, &w, &pos, &e);
		if (rc > 0 && pos >= blobmap_records(m))
			rc = 7;
		if (rc == 1 && want && (rc = place_ok(m, &blobs[i], &w,
		    &e)) == 0)
			rc = 8;
		if (rc == want && (rc = places_ok(m, &blobs[i], &e)) == 0)
			rc = 9;
		else if (rc == 1)
			rc = want;
		if (rc == ERR_CORRUPT) {
			corrupt = 1;
		} else if (rc != want) {
			(void)fprintf(stderr, "blob %u: %d\n", i, rc);
			return (-1);
		}
	}
	for (i = 0; i < 50; i++) {
		rng_fill(&seed, id.b, ID_LEN);
		rc = blobmap_find(m, i % 2, &id, i % 3 == 0, &w, NULL, &e);
		if (rc == ERR_CORRUPT) {
			corrupt = 1;
		} else if (rc != 0) {
			(void)fprintf(stderr, "nobody's blob: %d\n", rc);
			return (-1);
		}
	}
	if (blobmap_records(m) != n_b || blobmap_packs(m) != n_p) {
		(void)fprintf(stderr, "%u records, %u packs\n",
		    (unsigned)blobmap_records(m), blobmap_packs(m));
		return (-1);
	}
	rc = blobmap_scan(m, scan_one, &s, &e);
	if (rc == ERR_CORRUPT)
		corrupt = 1;
	else if (rc != 0 || s.n != n_b || s.wrong)
		return (-1);
	memset(&g, 0, sizeof(g));
	g.scan.m = m;
	rc = blobmap_merge(m, merge_one, &g, &e);
	if (rc == ERR_CORRUPT)
		corrupt = 1;
	else if (rc != 0 || g.scan.n != n_b || g.scan.wrong)
		return (-1);
	return (corrupt);
}

/* Load; it must miss ${missing} files, and answer rightly then. */
static void
load_and_verify(uint64_t missing, unsigned every)
{
	struct err e = ERR_INIT;
	struct blobmap *m;
	uint64_t n;

	assert_ok(load(&m, &n, &e), &e);
	assert_int_equal(n, missing);
	assert_int_equal(verify(m, every), 0);
	blobmap_close(m);
}

/* ---- the folder ---- */

static char *
map_path(const char *name)
{
	static char path[4 * SCRATCH_PATH];
	char hex[ID_HEX + 1];

	(void)snprintf(path, sizeof(path), "%s/cache/%s/%s", sd.path,
	    id_hex(&repo, hex), name);
	return (path);
}

/* Names in the map's folder that begin with ${head}; the ${nth} in ${ret}. */
static unsigned
names(const char *head, unsigned nth, char ret[64])
{
	struct dirent *d;
	unsigned n = 0;
	DIR *dp;

	if ((dp = opendir(map_path(""))) == NULL)
		return (0);
	while ((d = readdir(dp)) != NULL) {
		if (d->d_name[0] == '.' ||
		    strncmp(d->d_name, head, strlen(head)) != 0)
			continue;
		if (n++ == nth && ret != NULL)
			(void)snprintf(ret, 64, "%.63s", d->d_name);
	}
	(void)closedir(dp);
	return (n);
}

static void
hush(void *cookie, enum log_level level, const char *line)
{

	(void)cookie;
	(void)level;
	(void)line;
}

static int
set_up(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	log_to(hush, NULL);
	scratch_make(dir);
	/* In memory, if possible: hundreds of maps are published here. */
	mounted = scratch_small_disk(dir, 64 * KIB);
	forget_all();
	return (state_open(&sd, dir, &e));
}

static int
tear_down(void **state)
{

	(void)state;
	state_close(&sd);
	if (mounted)
		(void)umount(dir);
	scratch_remove(dir);
	return (0);
}

/* ---- tests: a life ---- */

static void
test_empty(void **state)
{
	static const struct id id = { { 9 } };
	struct err e = ERR_INIT;
	struct blobmap *m;
	uint64_t n;
	int i;

	(void)state;
	blobmap_close(NULL);
	for (i = 0; i < 3; i++) {
		assert_ok(load(&m, &n, &e), &e);
		assert_int_equal(n, 0);
		assert_int_equal(verify(m, 1), 0);
		assert_rc(blobmap_claim(m, BLOB_DATA, &id, &e), 1, &e);
		assert_rc(blobmap_claim(m, BLOB_DATA, &id, &e), 0, &e);
		assert_rc(blobmap_claim(m, BLOB_TREE, &id, &e), 1, &e);
		blobmap_close(m);
	}
	/* Given up before the commit: nothing is held, nothing is kept. */
	assert_ok(blobmap_open(&m, &sd, &repo, &budget, &e), &e);
	blobmap_close(m);
	assert_ok(begin(&m, &budget, &n, &e), &e);
	blobmap_close(m);
	load_and_verify(0, 1);
}

static void
test_loads(void **state)
{
	uint64_t seed = 1;
	unsigned i, n;

	(void)state;
	grow(&seed, 3, 60);
	load_and_verify(3, 1);
	load_and_verify(0, 1);
	for (i = 0; i < 25; i++) {
		n = 1 + (unsigned)rng_below(&seed, 3);
		if (n_indexes + n > INDEXES)
			break;
		grow(&seed, n, i % 5 == 4 ? 60 : 6);
		load_and_verify(n, 7);
		assert_true(names("run-", 0, NULL) <= 8);
		assert_int_equal(names("packs-", 0, NULL), 1);
		assert_true(names("", 0, NULL) <= 8 + 3);
	}
	load_and_verify(0, 1);
}

/* Index files that hold nothing are held all the same. */
static void
test_empty_index(void **state)
{
	uint64_t seed = 2;

	(void)state;
	grow(&seed, 2, 20);
	indexes[n_indexes].id.b[0] = 77;
	indexes[n_indexes].first = indexes[n_indexes].n = 0;
	indexes[n_indexes++].there = true;
	load_and_verify(3, 1);
	load_and_verify(0, 1);
	indexes[n_indexes].id.b[0] = 78;
	indexes[n_indexes].first = indexes[n_indexes].n = 0;
	indexes[n_indexes++].there = true;
	load_and_verify(1, 1);
	load_and_verify(0, 1);
	assert_true(names("", 0, NULL) <= 5);
}

static void
test_vanished(void **state)
{
	uint64_t seed = 3;
	unsigned n_p, n_b, n;

	(void)state;
	grow(&seed, 8, 60);
	load_and_verify(8, 1);
	indexes[3].there = false;
	n = count_there(&n_p, &n_b);
	load_and_verify(n, 1);
	load_and_verify(0, 1);
	/* One goes, two come. */
	indexes[5].there = false;
	grow(&seed, 2, 60);
	n = count_there(&n_p, &n_b);
	load_and_verify(n, 1);
	/* All go. */
	for (n = 0; n < n_indexes; n++)
		indexes[n].there = false;
	load_and_verify(0, 1);
	load_and_verify(0, 1);
	assert_int_equal(names("run-", 0, NULL), 0);
	assert_int_equal(names("packs-", 0, NULL), 1);
}

/* Who checks a repository trusts no map. */
static void
test_forget(void **state)
{
	struct err e = ERR_INIT;
	struct blobmap *m;
	uint64_t seed = 21, missing;
	unsigned i;

	(void)state;
	grow(&seed, 4, 60);
	load_and_verify(4, 1);
	assert_ok(blobmap_open(&m, &sd, &repo, &budget, &e), &e);
	blobmap_forget(m);
	for (i = 0; i < n_indexes; i++)
		assert_ok(blobmap_offer(m, &indexes[i].id, &e), &e);
	assert_ok(blobmap_settle(m, &missing, &e), &e);
	assert_int_equal(missing, 4);
	blobmap_close(m);
	load_and_verify(4, 1);
	load_and_verify(0, 1);
}

/* A store may name a file twice; it is one. */
static void
test_named_twice(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 4, n;
	struct blobmap *m;
	struct id id;
	int round, i;

	(void)state;
	grow(&seed, 4, 60);
	for (round = 0; round < 3; round++) {
		assert_ok(blobmap_open(&m, &sd, &repo, &budget, &e), &e);
		for (i = 0; i < 12; i++)
			assert_ok(blobmap_offer(m, &indexes[i % 4].id, &e),
			    &e);
		assert_ok(blobmap_settle(m, &n, &e), &e);
		assert_int_equal(n, round == 0 ? 4 : 0);
		while (blobmap_missing(m, &id, &e) > 0)
			assert_ok(feed(m, &indexes[index_of(&id)], &e), &e);
		assert_ok(blobmap_commit(m, &e), &e);
		assert_int_equal(verify(m, 1), 0);
		blobmap_close(m);
	}
}

/* Another repository's map in our place is none. */
static void
test_other_repo(void **state)
{
	static const struct id other = { { 4, 5, 6 } };
	char from[4 * SCRATCH_PATH], to[4 * SCRATCH_PATH], hex[ID_HEX + 1];
	struct err e = ERR_INIT;
	uint64_t seed = 5, n;
	struct blobmap *m;
	unsigned i;

	(void)state;
	grow(&seed, 2, 60);
	load_and_verify(2, 1);
	(void)snprintf(from, sizeof(from), "%s", map_path(""));
	(void)snprintf(to, sizeof(to), "%s/cache/%s", sd.path,
	    id_hex(&other, hex));
	assert_int_equal(rename(from, to), 0);
	assert_ok(blobmap_open(&m, &sd, &other, &budget, &e), &e);
	for (i = 0; i < 2; i++)
		assert_ok(blobmap_offer(m, &indexes[i].id, &e), &e);
	assert_ok(blobmap_settle(m, &n, &e), &e);
	assert_int_equal(n, 2);
	blobmap_close(m);
}

/* ---- tests: what cannot be loaded ---- */

static void
test_skip(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 6, n;
	struct blobmap *m;
	struct record r;
	struct id id;
	int step = 0;

	(void)state;
	grow(&seed, 2, 60);
	load_and_verify(2, 1);
	grow(&seed, 3, 60);
	assert_ok(begin(&m, &budget, &n, &e), &e);
	assert_int_equal(n, 3);
	while (blobmap_missing(m, &id, &e) > 0) {
		struct index *x = &indexes[index_of(&id)];

		switch (step++) {
		case 0:	/* nothing of it could be read */
			x->there = false;
			assert_ok(blobmap_skip(m, &e), &e);
			break;
		case 1:	/* it broke off inside a pack behind the last one */
			assert_ok(feed(m, x, &e), &e);
			make_pack(&seed, 0, 60);
			n_packs--;	/* which is nobody's */
			assert_ok(blobmap_pack_begin(m, &e), &e);
			for (n = packs[n_packs].first; n < n_blobs; n++) {
				/* Some of what is known, too. */
				if (n % 4 == 0)
					blobs[n].r = blobs[n % 8].r;
				r = blobs[n].r;
				assert_ok(blobmap_blob(m, &r, &e), &e);
			}
			n_blobs = packs[n_packs].first;
			assert_ok(blobmap_skip(m, &e), &e);
			break;
		case 2:
			assert_ok(feed(m, x, &e), &e);
		}
	}
	assert_int_equal(step, 3);
	assert_ok(blobmap_commit(m, &e), &e);
	/* All whole packs are there, and of the last one nothing but doubles. */
	assert_int_equal(verify(m, 1), 0);
	for (n = 0; n < packs[n_packs].n; n++) {
		struct blob *b = &blobs[n_blobs + n];
		struct where w;
		int rc;

		rc = blobmap_find(m, b->r.where.type, &b->r.id, true, &w,
		    NULL, &e);
		if (rc != 0)
			assert_rc(place_ok(m, b, &w, &e), 1, &e);
	}
	blobmap_close(m);

	/* And nothing was published of it. */
	for (n = 0; n < n_indexes; n++)
		indexes[n].there = true;
	load_and_verify(3, 1);
	load_and_verify(0, 1);
	assert_true(names("", 0, NULL) <= 8 + 3);
}

/* What is found of unnamed packs comes in the same way, behind a skip. */
static void
test_adopt(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 7, n;
	struct sorter *s;
	struct blobmap *m;
	const void *p;
	struct id id;
	unsigned seen[PACKS] = { 0 }, i;
	size_t len;

	(void)state;
	grow(&seed, 3, 60);
	load_and_verify(3, 1);
	grow(&seed, 2, 60);
	indexes[4].there = false;
	assert_ok(begin(&m, &budget, &n, &e), &e);
	assert_int_equal(n, 1);
	indexes[4].there = true;
	assert_rc(blobmap_missing(m, &id, &e), 1, &e);
	assert_ok(blobmap_skip(m, &e), &e);
	assert_rc(blobmap_missing(m, &id, &e), 0, &e);
	assert_ok(feed(m, &indexes[4], &e), &e);
	assert_ok(sorter_new(&s, sd.scratch, 128 * KIB, sort_bytes, &e), &e);
	assert_ok(blobmap_loaded_packs(m, s, &e), &e);
	assert_ok(feed(m, &indexes[3], &e), &e);
	while (sorter_next(s, &p, &len, &e) > 0) {
		assert_int_equal(len, ID_LEN + 1);
		assert_int_equal(((const uint8_t *)p)[ID_LEN], 0);
		i = load_le32((const uint8_t *)p + 28);
		assert_true(i < n_packs);
		assert_memory_equal(p, packs[i].info.id.b, ID_LEN);
		seen[i]++;
	}
	for (i = 0; i < n_packs; i++)
		assert_int_equal(seen[i], packs[i].index != 3);
	sorter_free(s);
	assert_ok(blobmap_commit(m, &e), &e);
	assert_int_equal(verify(m, 1), 0);
	blobmap_close(m);
	load_and_verify(2, 1);
}

/* ---- tests: damage ---- */

static void
flip(const char *path, off_t at)
{
	uint8_t b;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd != -1);
	assert_int_equal(pread(fd, &b, 1, at), 1);
	b ^= (uint8_t)(1 << at % 8);
	assert_int_equal(pwrite(fd, &b, 1, at), 1);
	(void)close(fd);
}

static off_t
size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (st.st_size);
}

/*
 * With something broken, a load and all answers of it: true, or ERR_CORRUPT.
 * After that word the next load must make the map anew, and be complete.
 */
static void
survive(unsigned every, bool *ret_anew)
{
	struct err e = ERR_INIT;
	struct blobmap *m;
	uint64_t n = 0;
	int rc;

	rc = load(&m, &n, &e);
	*ret_anew = n == n_indexes;
	if (rc == 0) {
		assert_true(n == 0 || n == n_indexes);
		rc = verify(m, every);
		assert_true(rc == 0 || (rc == 1 && n == 0));
		blobmap_close(m);
	} else {
		assert_rc(rc, ERR_CORRUPT, &e);
	}
	if (rc != 0) {
		*ret_anew = true;
		load_and_verify(n_indexes, every);
	}
}

static void
survive_flips(const char *head, off_t step, unsigned every)
{
	char name[64];
	unsigned rounds = 0, rebuilt = 0, n, i;
	bool anew;
	off_t at;

	for (at = 0;; at += step) {
		/* Rebuilt files have new names. */
		n = names(head, 0, name);
		assert_true(n > 0);
		for (i = 0; i < n; i++) {
			(void)names(head, i, name);
			if (at < size_of(map_path(name)))
				break;
		}
		if (i == n)
			break;
		flip(map_path(name), at);
		survive(every, &anew);
		if (!anew)
			flip(map_path(name), at);
		rebuilt += anew;
		rounds++;
	}
	assert_true(rebuilt > rounds / 2);
}

static void
test_damaged_manifest(void **state)
{
	uint64_t seed = 8;
	off_t len;
	bool anew;

	(void)state;
	grow(&seed, 5, 30);
	load_and_verify(5, 1);
	survive_flips("map", 7, 5);
	for (len = size_of(map_path("map")) - 1; len >= 0;
	    len -= len > 16 ? 13 : 1) {
		assert_int_equal(truncate(map_path("map"), len), 0);
		survive(5, &anew);
		assert_true(anew);
	}
	assert_int_equal(unlink(map_path("map")), 0);
	survive(1, &anew);
	assert_true(anew);
}

static void
test_damaged_runs(void **state)
{
	uint64_t seed = 9;
	char name[64];
	off_t len;
	bool anew;

	(void)state;
	grow(&seed, 6, 60);
	load_and_verify(6, 1);
	survive_flips("run-", 1033, 2);
	/* Two runs. */
	grow(&seed, 1, 4);
	load_and_verify(1, 1);
	assert_int_equal(names("run-", 0, name), 2);
	survive_flips("run-", 2027, 2);
	for (len = 0; len < 30000; len += 4001) {
		(void)names("run-", 0, name);
		if (len >= size_of(map_path(name)))
			break;
		assert_int_equal(truncate(map_path(name), len), 0);
		survive(3, &anew);
		assert_true(anew);
	}
	(void)names("run-", 0, name);
	assert_int_equal(unlink(map_path(name)), 0);
	survive(1, &anew);
	assert_true(anew);
}

static void
test_damaged_packs(void **state)
{
	uint64_t seed = 10;
	char name[64];
	off_t len;
	bool anew;

	(void)state;
	grow(&seed, 5, 30);
	load_and_verify(5, 1);
	survive_flips("packs-", 11, 1);
	for (len = 0; len < 10000; len += 37) {
		(void)names("packs-", 0, name);
		if (len >= size_of(map_path(name)))
			break;
		assert_int_equal(truncate(map_path(name), len), 0);
		survive(3, &anew);
		assert_true(anew);
	}
	(void)names("packs-", 0, name);
	assert_int_equal(unlink(map_path(name)), 0);
	survive(1, &anew);
	assert_true(anew);
}

/* Damage that only a merge meets ends that load; the one behind it is good. */
static void
test_damaged_merge(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 11, n;
	struct blobmap *m;
	char name[64];
	int rc;

	(void)state;
	grow(&seed, 2, 60);
	load_and_verify(2, 1);
	(void)names("run-", 0, name);
	flip(map_path(name), 4096 + 100);
	grow(&seed, 4, 60);
	rc = load(&m, &n, &e);
	assert_rc(rc, ERR_CORRUPT, &e);
	assert_true(e.hint[0] != '\0');
	load_and_verify(6, 1);
	load_and_verify(0, 1);
}

/* ---- tests: claims ---- */

enum { CLAIMS = 3000, CLAIMERS = 4 };

struct claimer {
	pthread_t thread;
	struct blobmap *m;
	unsigned no;
	unsigned got[CLAIMS];
	int rc;
};

/* What they fight for: a third is in the repository. */
static struct id prize[CLAIMS];

static void *
claim_all(void *arg)
{
	struct claimer *c = arg;
	struct err e = ERR_INIT;
	unsigned i, k;
	int rc;

	for (i = 0; i < CLAIMS; i++) {
		k = c->no % 2 != 0 ? i : (i * 7 + c->no) % CLAIMS;
		rc = blobmap_claim(c->m, k % 5 == 0 ? BLOB_TREE : BLOB_DATA,
		    &prize[k], &e);
		if (rc < 0) {
			c->rc = rc;
			break;
		}
		c->got[k] += (unsigned)rc;
	}
	return (NULL);
}

static void
test_claims(void **state)
{
	static struct claimer c[CLAIMERS];
	struct err e = ERR_INIT;
	uint64_t seed = 12, n;
	struct blobmap *m;
	struct where w;
	unsigned i, k, sum;
	bool known;

	(void)state;
	grow(&seed, 6, 60);
	for (i = 0; i < CLAIMS; i++) {
		if (i % 3 == 0 && i / 3 < n_blobs)
			prize[i] = blobs[i / 3].r.id;
		else
			rng_fill(&seed, prize[i].b, ID_LEN);
	}
	assert_ok(load(&m, &n, &e), &e);
	memset(c, 0, sizeof(c));
	for (k = 0; k < CLAIMERS; k++) {
		c[k].m = m;
		c[k].no = k;
		assert_int_equal(pthread_create(&c[k].thread, NULL, claim_all,
		    &c[k]), 0);
	}
	for (k = 0; k < CLAIMERS; k++) {
		assert_int_equal(pthread_join(c[k].thread, NULL), 0);
		assert_int_equal(c[k].rc, 0);
	}
	for (i = 0; i < CLAIMS; i++) {
		for (sum = k = 0; k < CLAIMERS; k++)
			sum += c[k].got[i];
		n = blobmap_find(m, i % 5 == 0 ? BLOB_TREE : BLOB_DATA,
		    &prize[i], false, &w, NULL, &e);
		assert_true(n <= 1);
		known = n == 1;
		/* A blob that lies in two packs is two prizes, and one. */
		if (i % 3 != 0 || known)
			assert_int_equal(sum, known ? 0 : 1);
		assert_rc(blobmap_claim(m, i % 5 == 0 ? BLOB_TREE : BLOB_DATA,
		    &prize[i], &e), 0, &e);
		/* Found or claimed: it is had; under another type it is not. */
		assert_rc(blobmap_has(m, i % 5 == 0 ? BLOB_TREE : BLOB_DATA,
		    &prize[i], &e), 1, &e);
		if (i % 3 != 0)
			assert_rc(blobmap_has(m, i % 5 == 0 ? BLOB_DATA :
			    BLOB_TREE, &prize[i], &e), 0, &e);
	}
	blobmap_close(m);
	/* Of this session, nothing was kept. */
	load_and_verify(0, 7);
}

/* Without a place to put them, claims fail, again and again; none is lost. */
static void
test_claims_stuck(void **state)
{
	static uint8_t got[1000];
	struct err e = ERR_INIT;
	uint64_t seed = 13, n;
	struct blobmap *m;
	unsigned i, failed = 0;
	int rc;

	(void)state;
	for (i = 0; i < 1000; i++)
		rng_fill(&seed, prize[i].b, ID_LEN);
	assert_ok(load(&m, &n, &e), &e);
	assert_int_equal(rmdir(sd.scratch), 0);
	for (i = 0; i < 1000; i++) {
		rc = blobmap_claim(m, BLOB_DATA, &prize[i], &e);
		got[i] = rc == 1;
		if (rc != 1)
			assert_rc(rc, ERR_ABSENT, &e);
		failed += rc < 0;
	}
	assert_true(failed > 900);
	assert_int_equal(mkdir(sd.scratch, 0700), 0);
	for (i = 0; i < 1000; i++)
		assert_rc(blobmap_claim(m, BLOB_DATA, &prize[i], &e),
		    !got[i], &e);
	for (i = 0; i < 1000; i++)
		assert_rc(blobmap_claim(m, BLOB_DATA, &prize[i], &e), 0, &e);
	blobmap_close(m);
}

/* ---- tests: processes ---- */

static void
test_processes(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 14, n;
	struct blobmap *m;
	pid_t pid[4];
	unsigned i, k;
	int status;

	(void)state;
	grow(&seed, 30, 20);
	for (k = 0; k < 4; k++) {
		assert_true((pid[k] = fork()) != -1);
		if (pid[k] != 0)
			continue;
		/* Each sees more and more of the same repository. */
		for (i = 0; i < 8; i++) {
			n_indexes = 2 + i * 4;
			n_packs = indexes[n_indexes - 1].first +
			    indexes[n_indexes - 1].n;
			n_blobs = packs[n_packs - 1].first +
			    packs[n_packs - 1].n;
			if (load(&m, &n, &e) != 0) {
				(void)fprintf(stderr, "%s\n", e.text);
				_exit(1);
			}
			if (verify(m, 23) != 0)
				_exit(2);
			blobmap_close(m);
		}
		_exit(0);
	}
	for (k = 0; k < 4; k++) {
		assert_int_equal(waitpid(pid[k], &status, 0), pid[k]);
		assert_int_equal(status, 0);
	}
	assert_true(names("", 0, NULL) <= 8 + 3);
}

/* A map that is open answers, whatever others make of its files meanwhile. */
static void
test_reader_stays(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 15, n;
	struct blobmap *m;
	unsigned i, b, p, x;
	int status;
	pid_t pid;

	(void)state;
	grow(&seed, 5, 60);
	assert_ok(load(&m, &n, &e), &e);
	for (i = 0; i < 6; i++) {
		b = n_blobs;
		p = n_packs;
		x = n_indexes;
		grow(&seed, 3, 60);
		indexes[0].there = i % 2 != 0;
		assert_true((pid = fork()) != -1);
		if (pid == 0) {
			struct blobmap *own;

			_exit(load(&own, &n, &e) == 0 &&
			    verify(own, 11) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		n_blobs = b;
		n_packs = p;
		n_indexes = x;
		indexes[0].there = true;
		assert_int_equal(verify(m, 1), 0);
	}
	blobmap_close(m);
}

/* ---- tests: packs are removed ---- */

/*
 * Remove some packs and replace the index files that name them, or merge two of
 * them; ${*ret_held} is what a renewed map holds then.
 */
static void
remove_some(uint64_t *seed, unsigned one_in, struct sorter **ret_held)
{
	struct err e = ERR_INIT;
	bool touched[INDEXES] = { false };
	unsigned i;

	for (i = 0; i < n_packs; i++) {
		if (pack_there(i) && rng_below(seed, one_in) == 0) {
			packs[i].gone = true;
			touched[packs[i].index] = true;
		}
	}
	assert_ok(sorter_new(ret_held, dir, 128 * KIB, sort_bytes, &e), &e);
	for (i = 0; i < n_indexes; i++) {
		if (touched[i])
			rng_fill(seed, indexes[i].id.b, ID_LEN);
		if (indexes[i].there)
			assert_ok(sorter_add(*ret_held, indexes[i].id.b,
			    ID_LEN, &e), &e);
	}
}

/* The numbers of the packs that are gone. */
static struct marks *
gone_marks(struct blobmap *m)
{
	struct err e = ERR_INIT;
	struct pack_info info;
	struct marks *gone;
	uint32_t no;

	assert_ok(marks_new(&gone, dir, blobmap_packs(m) + 1, 4096, &e), &e);
	for (no = 0; no < blobmap_packs(m); no++) {
		assert_ok(blobmap_pack(m, no, &info, &e), &e);
		if (packs[load_le32(info.id.b + 28)].gone)
			assert_rc(marks_set(gone, no, &e), 1, &e);
	}
	return (gone);
}

static void
test_renew(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 20, n;
	struct sorter *held;
	struct blobmap *m;
	struct marks *gone;
	unsigned round;

	(void)state;
	grow(&seed, 8, 60);
	load_and_verify(8, 1);
	for (round = 0; round < 12; round++) {
		/* Several runs, of different sizes. */
		grow(&seed, 1 + round % 3, round % 2 == 0 ? 60 : 3);
		load_and_verify(1 + round % 3, 1);
		assert_ok(load(&m, &n, &e), &e);
		assert_int_equal(n, 0);
		remove_some(&seed, round == 7 ? 1 : 4, &held);
		gone = gone_marks(m);
		assert_ok(blobmap_renew(m, gone, held, &e), &e);
		marks_free(gone);
		sorter_free(held);
		blobmap_close(m);
		/* Nothing is missing, and it is one run. */
		load_and_verify(0, 1);
		assert_int_equal(names("run-", 0, NULL), 1);
		assert_int_equal(names("packs-", 0, NULL), 1);
	}
}

/* Another process was quicker: its map stays. */
static void
test_renew_late(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 21, n;
	struct sorter *held;
	struct blobmap *m, *other;
	struct marks *gone;

	(void)state;
	grow(&seed, 8, 60);
	load_and_verify(8, 1);
	assert_ok(load(&m, &n, &e), &e);
	remove_some(&seed, 3, &held);
	gone = gone_marks(m);
	assert_ok(load(&other, &n, &e), &e);
	assert_int_equal(n, 8);
	blobmap_close(other);
	assert_ok(blobmap_renew(m, gone, held, &e), &e);
	marks_free(gone);
	sorter_free(held);
	blobmap_close(m);
	load_and_verify(0, 1);
}

/* ---- tests: death and full disks ---- */

/* Each of these, from the moment that it counts, may be the last. */
static long steps_left = -1;

static void
step(void)
{

	if (steps_left > 0 && --steps_left == 0)
		(void)kill(getpid(), SIGKILL);
}

ssize_t
pwrite(int fd, const void *p, size_t len, off_t off)
{

	step();
	return ((ssize_t)syscall(SYS_pwrite64, fd, p, len, off));
}

/* The disk is not asked: a process dies here, not the box. */
int
fsync(int fd)
{

	step();
	return (fcntl(fd, F_GETFD) == -1 ? -1 : 0);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{

	step();
	return ((int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0));
}

int
unlinkat(int at, const char *name, int flags)
{

	step();
	return ((int)syscall(SYS_unlinkat, at, name, flags));
}

/* Load in a child that dies at the n-th step of it; false when it survives. */
static bool
load_and_die(long n)
{
	struct err e = ERR_INIT;
	struct blobmap *m;
	uint64_t missing;
	int status;
	pid_t pid;

	assert_true((pid = fork()) != -1);
	if (pid == 0) {
		steps_left = n;
		_exit(load(&m, &missing, &e) == 0 && verify(m, 7) == 0 ? 0 :
		    1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return (true);
	}
	assert_int_equal(status, 0);
	return (false);
}

static void
test_death(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 16, n;
	struct blobmap *m;
	bool dies = true;
	long at;

	(void)state;
	grow(&seed, 3, 60);
	load_and_verify(3, 1);
	for (at = 1; dies; at++) {
		if (n_indexes + 1 < INDEXES)
			grow(&seed, 1, at % 3 == 0 ? 60 : 5);
		else
			indexes[at % 50].there = !indexes[at % 50].there;
		dies = load_and_die(at);
		/* The new files are in it or they are not. */
		assert_ok(load(&m, &n, &e), &e);
		assert_int_equal(verify(m, 7), 0);
		blobmap_close(m);
		assert_true(names("", 0, NULL) <= 8 + 3);
	}
	assert_true(at > 8);
	load_and_verify(0, 1);
}

/* A renewal that is cut leaves the map of before, or its own; both serve. */
static void
test_renew_death(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 22, n;
	struct sorter *held;
	struct blobmap *m;
	struct marks *gone;
	bool dies = true;
	int status;
	pid_t pid;
	long at;

	(void)state;
	grow(&seed, 20, 60);
	for (at = 1; dies; at++) {
		assert_ok(load(&m, &n, &e), &e);
		remove_some(&seed, 20, &held);
		gone = gone_marks(m);
		assert_true((pid = fork()) != -1);
		if (pid == 0) {
			steps_left = at;
			_exit(blobmap_renew(m, gone, held, &e) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		dies = WIFSIGNALED(status);
		assert_true(dies || status == 0);
		marks_free(gone);
		sorter_free(held);
		blobmap_close(m);
		assert_ok(load(&m, &n, &e), &e);
		assert_int_equal(verify(m, 1), 0);
		blobmap_close(m);
	}
	assert_true(at > 8);
}

static void
test_full_disk(void **state)
{
	struct err e = ERR_INIT;
	uint64_t seed = 17, n;
	struct blobmap *m;
	unsigned old = n_indexes;
	int rc = 0;

	(void)state;
	grow(&seed, 2, 60);
	state_close(&sd);
	if (!scratch_small_disk(dir, 256)) {
		assert_ok(state_open(&sd, dir, &e), &e);
		skip();
	}
	assert_ok(state_open(&sd, dir, &e), &e);
	load_and_verify(2, 1);
	while (rc == 0 && n_indexes + 3 <= INDEXES) {
		old = n_indexes;
		grow(&seed, 3, 60);
		rc = load(&m, &n, &e);
		if (rc == 0)
			blobmap_close(m);
	}
	assert_rc(rc, ERR_SPACE, &e);
	/* What was published is as it was. */
	n_indexes = old;
	n_packs = indexes[old - 1].first + indexes[old - 1].n;
	n_blobs = packs[n_packs - 1].first + packs[n_packs - 1].n;
	load_and_verify(0, 7);
	state_close(&sd);
	(void)umount(dir);
	assert_ok(state_open(&sd, dir, &e), &e);
}

/* ---- tests: memory ---- */

/* Bytes that are allocated; known to the address sanitizer alone. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));
#define allocated __sanitizer_get_current_allocated_bytes

/* An answering map holds its fences, its claims and a few KiB. */
static void
test_memory(void **state)
{
	static const unsigned more[] = { 0, 45, 10, 1, 1, 1 };
	static const struct blobmap_budget small = { 128 * KIB, 256, 64 };
	struct err e = ERR_INIT;
	uint64_t seed = 18, n;
	struct blobmap *m;
	size_t before, bare = 0;
	struct id id;
	unsigned i;

	(void)state;
	if (allocated == NULL)
		skip();
	before = allocated();
	/* One run of 150 pages, and one of 40, which it does not swallow. */
	for (i = 0; i < COUNT(more); i++) {
		grow(&seed, more[i], 240);
		assert_ok(begin(&m, &small, &n, &e), &e);
		while (blobmap_missing(m, &id, &e) > 0)
			assert_ok(feed(m, &indexes[index_of(&id)], &e), &e);
		assert_ok(blobmap_commit(m, &e), &e);
		if (i == 0)
			bare = allocated() - before;
		/* One key of each run comes on top. */
		assert_true(allocated() - before <= bare + 256 + 8 * 8);
		assert_true(names("run-", 0, NULL) <= i);
		blobmap_close(m);
		assert_int_equal(allocated(), before);
	}
	assert_true(bare < 16 * KIB);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_empty),
		TEST(test_loads),
		TEST(test_empty_index),
		TEST(test_vanished),
		TEST(test_forget),
		TEST(test_named_twice),
		TEST(test_other_repo),
		TEST(test_skip),
		TEST(test_adopt),
		TEST(test_damaged_manifest),
		TEST(test_damaged_runs),
		TEST(test_damaged_packs),
		TEST(test_damaged_merge),
		TEST(test_renew),
		TEST(test_renew_late),
		TEST(test_claims),
		TEST(test_claims_stuck),
		TEST(test_processes),
		TEST(test_reader_stays),
		TEST(test_death),
		TEST(test_renew_death),
		TEST(test_full_disk),
		TEST(test_memory),
	};

	return (cmocka_run_group_tests_name("state/blobmap", tests, NULL,
	    NULL));
}
