/*
 * On disk, below cache/<repository id>:
 *
 *     lock           held (flock) while the map is opened and loaded
 *     map            the manifest: which runs, how many packs, which index files
 *     packs-N        the pack table: 56 bytes each, appended to
 *     run-N          sorted runs
 *
 * The manifest is replaced by a rename, everything it names is complete by then;
 * what it does not name is rubbish of a cut and is swept by the next load.
 *
 * Runs are merged by size: a new run swallows its elders as long as they are not
 * four times larger, so a record is written about log4(n) times in its life and
 * there are never more than MAX_RUNS.
 */

#include "state/blobmap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/sort.h"
#include "base/spill.h"
#include "base/sum.h"
#include "base/table.h"
#include "state/marks.h"

enum {
	MAX_RUNS = 8,
	GROWTH = 4,
	PACK_LEN = 56,       /* id, u64 size, u64 sum, u32 blobs, u8 kinds, and
				a checksum in the three bytes that are left */
	PACK_CHECK = 53,     /* where that is */
	HEAD_LEN = 80,       /* of the manifest, before the runs */
	RUN_ENTRY = 16,      /* u64 number, u64 records */
	OFFER_LEN = ID_LEN + 1,
	SPOOL_WINDOW = 16384,
	SMALL_FENCE = 4096,
	PLACES_MAX = 16,
	NUMBERS_MEM = 128 * 1024, /* old numbers of packs to new ones */
};

static const uint8_t magic[16] = "garner map 2\n";
static const char what[] = "the blob map";

/* A set of claimed ids: open addressing, emptied into a run when full. */
struct claims {
	uint8_t *key;        /* slots of ID_LEN + 1 bytes; the last is in use */
	unsigned slots, n, max;
};

struct blobmap {
	const struct state_dir *state;
	struct blobmap_budget budget;
	struct id repo;
	int dir;             /* the map's folder */
	int lock;            /* its lock while loading, else -1 */

	/* the committed map */
	struct run run[MAX_RUNS];
	uint64_t number[MAX_RUNS]; /* in the names of their files */
	char made[2][40];    /* files that no manifest names (yet), or "" */
	unsigned n_runs;
	uint64_t next_number;
	int packs;           /* the pack table, -1 when there is none */
	uint64_t packs_number;
	uint32_t n_packs;    /* committed */

	/* loading */
	struct sorter *offers; /* ids of the index files there are */
	struct spill spool;  /* the same sorted, each with a flag; above them
				the blobs of the pack that is being loaded */
	uint64_t spool_at;   /* offers that were looked at */
	uint64_t offers_end;
	uint64_t n_offers;   /* different ones */
	bool anew, skipped;
	struct sorter *records;
	uint64_t n_records;
	uint32_t loaded_packs; /* n_packs and those being loaded */
	struct pack_info pack;
	uint8_t pack_out[PACK_LEN * 64];
	unsigned pack_out_n;

	/* this session's blobs */
	pthread_rwlock_t session;
	struct claims claims;
	struct run fresh[MAX_RUNS];
	unsigned n_fresh;
	unsigned spills;     /* how often the claims became a run */
};

/* flags of an offer in the spool */
enum { OFFER_HELD = 0, OFFER_MISSING = 1, OFFER_SKIPPED = 2 };

/* ---- files ---- */

/* ${verb} did not work, says errno. */
static int
failed(const struct blobmap *m, const char *verb, struct err *e)
{

	return (err_sys(e, "cannot %s %s in '%s'", verb, what,
	    m->state->path));
}

static void
file_name(char ret[40], const char *kind, uint64_t number)
{

	(void)snprintf(ret, 40, "%s-%llu", kind, (unsigned long long)number);
}

static int
lock_folder(struct blobmap *m, struct err *e)
{

	m->lock = openat(m->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (m->lock == -1)
		return (failed(m, "lock", e));
	if (flock(m->lock, LOCK_EX | LOCK_NB) == 0)
		return (0);
	log_info("another garner is loading this repository's index, waiting");
	while (flock(m->lock, LOCK_EX) == -1)
		if (errno != EINTR)
			return (failed(m, "lock", e));
	return (0);
}

static void
unlock_folder(struct blobmap *m)
{

	if (m->lock != -1)
		(void)close(m->lock);
	m->lock = -1;
}

static void
drop_runs(struct blobmap *m)
{

	while (m->n_runs > 0)
		run_close(&m->run[--m->n_runs]);
}

/* Forget everything: the map is a cache. */
static void
start_anew(struct blobmap *m)
{

	drop_runs(m);
	if (m->packs != -1)
		(void)close(m->packs);
	m->packs = -1;
	m->n_packs = m->loaded_packs = 0;
	m->anew = true;
}

/*
 * ${rc} is what reading the map's files said. When they are damaged the manifest
 * goes, so that the next load makes them anew; this one cannot do without them.
 */
static int
distrust(struct blobmap *m, int rc, struct err *e)
{

	if (rc != ERR_CORRUPT)
		return (rc);
	(void)unlinkat(m->dir, "map", 0);
	(void)err_hint(e, "it is but a cache: run again, and it is made anew");
	return (rc);
}

/* ---- the manifest ---- */

/*
 * Head: magic, repository id, u64 next number, u64 pack table's number, u64
 * index files, u32 packs, u32 runs. Then the runs, the ids in order, and the
 * checksum of it all.
 */

struct manifest {
	int fd;
	uint64_t n_index;
	uint64_t ids_off;    /* where the ids begin */
	uint64_t at;         /* ids read so far */
};

/* Check the sum over the whole manifest. */
static bool
manifest_whole(int fd)
{
	uint8_t part[4096];
	struct err e = ERR_INIT;
	uint64_t off = 0, sum = 0;
	size_t got, hold = 0;

	for (;;) {
		if (file_pread(fd, part + hold, sizeof(part) - hold, off + hold,
		    &got, what, &e) != 0)
			return (false);
		got += hold;
		if (got < sizeof(part))
			break;
		/* Keep eight bytes back: they may be the sum. */
		sum = sum64(part, sizeof(part) - 8, sum);
		off += sizeof(part) - 8;
		memmove(part, part + sizeof(part) - 8, 8);
		hold = 8;
	}
	return (got >= 8 && sum64(part, got - 8, sum) ==
	    load_le64(part + got - 8));
}

/* Begin a pack table. */
static int
new_table(struct blobmap *m, struct err *e)
{
	char name[40];

	m->packs_number = m->next_number++;
	file_name(name, "packs", m->packs_number);
	m->packs = openat(m->dir, name, O_RDWR | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0600);
	if (m->packs == -1)
		return (failed(m, "make the pack table of", e));
	strcpy(m->made[0], name);
	return (0);
}

/* Open the pack table that the manifest names. */
static int
open_table(struct blobmap *m, struct err *e)
{
	struct stat st;
	char name[40];

	file_name(name, "packs", m->packs_number);
	m->packs = openat(m->dir, name, O_RDWR | O_CLOEXEC);
	if (m->packs == -1 || fstat(m->packs, &st) == -1)
		return (failed(m, "open the pack table of", e));
	if ((uint64_t)st.st_size < (uint64_t)m->n_packs * PACK_LEN)
		return (err_set(e, ERR_CORRUPT, "%s is cut short", name));
	return (0);
}

/* Open what the manifest names. ERR_CORRUPT and ERR_ABSENT mean: start anew. */
static int
manifest_runs(struct blobmap *m, int fd, unsigned n, struct err *e)
{
	uint8_t entry[RUN_ENTRY];
	char name[40];
	uint64_t total = 0, share;
	unsigned i, pass;
	size_t got;
	int run_fd, rc;

	/* Twice: the fences are shared out by size. */
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < n; i++) {
			rc = file_pread(fd, entry, RUN_ENTRY, HEAD_LEN +
			    (uint64_t)i * RUN_ENTRY, &got, what, e);
			if (rc != 0)
				return (rc);
			if (pass == 0) {
				total += load_le64(entry + 8);
				continue;
			}
			m->number[i] = load_le64(entry);
			file_name(name, "run", m->number[i]);
			run_fd = openat(m->dir, name, O_RDONLY | O_CLOEXEC);
			if (run_fd == -1)
				return (err_sys(e, "cannot open %s", name));
			share = (uint64_t)m->budget.fences *
			    (load_le64(entry + 8) >> 8) / (total / 256 + 1);
			rc = run_open(&m->run[i], run_fd, (size_t)share, e);
			if (rc != 0)
				return (rc);
			m->n_runs = i + 1;
			if (m->run[i].n != load_le64(entry + 8))
				return (err_set(e, ERR_CORRUPT,
				    "%s is of another map", name));
		}
	}
	return (0);
}

static int
manifest_open(struct blobmap *m, struct manifest *mf, struct err *e)
{
	uint8_t head[HEAD_LEN];
	unsigned n_runs;
	size_t got;
	int rc;

	mf->fd = openat(m->dir, "map", O_RDONLY | O_CLOEXEC);
	if (mf->fd == -1)
		return (failed(m, "open", e));
	rc = file_pread(mf->fd, head, HEAD_LEN, 0, &got, what, e);
	if (rc != 0)
		goto err;
	if (got != HEAD_LEN || memcmp(head, magic, sizeof(magic)) != 0 ||
	    memcmp(head + 16, m->repo.b, ID_LEN) != 0 ||
	    load_le32(head + 76) > MAX_RUNS || !manifest_whole(mf->fd)) {
		rc = err_set(e, ERR_CORRUPT, "%s is damaged", what);
		goto err;
	}
	m->next_number = load_le64(head + 48);
	m->packs_number = load_le64(head + 56);
	mf->n_index = load_le64(head + 64);
	m->n_packs = m->loaded_packs = load_le32(head + 72);
	n_runs = load_le32(head + 76);
	mf->ids_off = HEAD_LEN + (uint64_t)n_runs * RUN_ENTRY;
	mf->at = 0;
	if ((rc = manifest_runs(m, mf->fd, n_runs, e)) != 0 ||
	    (rc = open_table(m, e)) != 0)
		goto err;
	return (0);

err:
	(void)close(mf->fd);
	mf->fd = -1;
	return (rc);
}

static int
manifest_next(struct manifest *mf, struct id *ret, struct err *e)
{
	size_t got;
	int rc;

	if (mf->fd == -1 || mf->at == mf->n_index)
		return (0);
	rc = file_pread(mf->fd, ret->b, ID_LEN, mf->ids_off + mf->at * ID_LEN,
	    &got, what, e);
	if (rc != 0)
		return (rc);
	mf->at++;
	return (got == ID_LEN ? 1 : err_set(e, ERR_CORRUPT, "%s is damaged",
	    what));
}

/* Appends to the new manifest, summing in the same steps as manifest_whole. */
struct manifest_out {
	int fd;
	uint64_t off, sum;
	uint8_t part[4096 - 8];
	size_t len, first;
};

static int
out_add(struct manifest_out *o, const void *bytes, size_t len, struct err *e)
{
	const uint8_t *p = bytes;
	size_t n;
	int rc;

	while (len > 0) {
		n = sizeof(o->part) - o->len;
		if (n > len)
			n = len;
		memcpy(o->part + o->len, p, n);
		o->len += n;
		p += n;
		len -= n;
		if (o->len < sizeof(o->part))
			continue;
		o->sum = sum64(o->part, o->len, o->sum);
		rc = file_pwrite(o->fd, o->part, o->len, o->off, what, e);
		if (rc != 0)
			return (rc);
		o->off += o->len;
		o->len = 0;
	}
	return (0);
}

static int
out_end(struct manifest_out *o, struct err *e)
{
	uint8_t sum[8];
	int rc;

	store_le64(sum, sum64(o->part, o->len, o->sum));
	if ((rc = file_pwrite(o->fd, o->part, o->len, o->off, what, e)) != 0 ||
	    (rc = file_pwrite(o->fd, sum, 8, o->off + o->len, what, e)) != 0)
		return (rc);
	return (0);
}

static int
manifest_body(struct blobmap *m, struct manifest_out *o, struct err *e)
{
	uint8_t head[HEAD_LEN], entry[RUN_ENTRY], offer[OFFER_LEN];
	uint64_t at;
	unsigned i;
	int rc;

	memcpy(head, magic, sizeof(magic));
	memcpy(head + 16, m->repo.b, ID_LEN);
	store_le64(head + 48, m->next_number);
	store_le64(head + 56, m->packs_number);
	store_le64(head + 64, m->n_offers);
	store_le32(head + 72, m->loaded_packs);
	store_le32(head + 76, m->n_runs);
	if ((rc = out_add(o, head, HEAD_LEN, e)) != 0)
		return (rc);
	for (i = 0; i < m->n_runs; i++) {
		store_le64(entry, m->number[i]);
		store_le64(entry + 8, m->run[i].n);
		if ((rc = out_add(o, entry, RUN_ENTRY, e)) != 0)
			return (rc);
	}
	for (at = 0; at < m->offers_end; at += OFFER_LEN)
		if ((rc = spill_read(&m->spool, at, offer, OFFER_LEN,
		    e)) != 0 || (rc = out_add(o, offer, ID_LEN, e)) != 0)
			return (rc);
	return (out_end(o, e));
}

static int
manifest_write(struct blobmap *m, struct err *e)
{
	struct manifest_out o = { 0 };
	int rc;

	o.fd = openat(m->dir, "map.new",
	    O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (o.fd == -1)
		return (failed(m, "write", e));
	if ((rc = manifest_body(m, &o, e)) == 0 && fsync(o.fd) == -1)
		rc = failed(m, "sync", e);
	(void)close(o.fd);
	if (rc == 0 && renameat(m->dir, "map.new", m->dir, "map") == -1)
		rc = failed(m, "publish", e);
	if (rc != 0) {
		(void)unlinkat(m->dir, "map.new", 0);
		return (rc);
	}
	m->made[0][0] = m->made[1][0] = '\0';
	return (file_sync_dir(m->dir, what, e));
}

/* ---- opening ---- */

int
blobmap_open(struct blobmap **ret, const struct state_dir *state,
    const struct id *repo, const struct blobmap_budget *budget, struct err *e)
{
	char name[8 + ID_HEX], hex[ID_HEX + 1];
	struct blobmap *m;
	int rc;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return (err_nomem(e));
	m->state = state;
	m->budget = *budget;
	m->repo = *repo;
	m->dir = m->lock = m->packs = -1;
	m->spool.fd = -1;
	/* Numbers that no file of a lost map has. */
	m->next_number = (uint64_t)time(NULL) << 16;
	pthread_rwlock_init(&m->session, NULL);
	(void)snprintf(name, sizeof(name), "cache/%s", id_hex(repo, hex));
	if ((rc = state_subdir(state, name, &m->dir, e)) != 0 ||
	    (rc = lock_folder(m, e)) != 0 ||
	    (rc = sorter_new(&m->offers, state->scratch, budget->sort,
	    sort_bytes, e)) != 0)
		goto err;
	*ret = m;
	return (0);

err:
	blobmap_close(m);
	return (rc);
}

void
blobmap_close(struct blobmap *m)
{

	int i;

	if (m == NULL)
		return;
	drop_runs(m);
	for (i = 0; i < 2; i++)	/* on a full disk they would be in the way */
		if (m->made[i][0] != '\0')
			(void)unlinkat(m->dir, m->made[i], 0);
	while (m->n_fresh > 0)
		run_close(&m->fresh[--m->n_fresh]);
	sorter_free(m->offers);
	sorter_free(m->records);
	spill_close(&m->spool);
	free(m->claims.key);
	pthread_rwlock_destroy(&m->session);
	unlock_folder(m);
	if (m->packs != -1)
		(void)close(m->packs);
	if (m->dir != -1)
		(void)close(m->dir);
	free(m);
}

/* ---- loading ---- */

void
blobmap_forget(struct blobmap *m)
{

	(void)unlinkat(m->dir, "map", 0);
}

int
blobmap_offer(struct blobmap *m, const struct id *index, struct err *e)
{

	return (sorter_add(m->offers, index->b, ID_LEN, e));
}

/* Put the sorted offers into the spool, each marked as held or missing. */
static int
compare_offers(struct blobmap *m, struct manifest *mf, uint64_t *ret_missing,
    bool *ret_vanished, struct err *e)
{
	uint8_t offer[OFFER_LEN];
	struct id held;
	const void *p;
	size_t len;
	int have, rc, c;

	*ret_missing = 0;
	*ret_vanished = false;
	if ((have = manifest_next(mf, &held, e)) < 0)
		return (have);
	while ((rc = sorter_next(m->offers, &p, &len, e)) > 0) {
		/* A listing may name a file twice. */
		if (m->n_offers > 0 && memcmp(offer, p, ID_LEN) == 0)
			continue;
		m->n_offers++;
		memcpy(offer, p, ID_LEN);
		c = 1;
		while (have > 0 && (c = memcmp(held.b, offer, ID_LEN)) < 0) {
			*ret_vanished = true;
			if ((have = manifest_next(mf, &held, e)) < 0)
				return (have);
		}
		offer[ID_LEN] = have > 0 && c == 0 ? OFFER_HELD :
		    OFFER_MISSING;
		if (offer[ID_LEN] == OFFER_MISSING)
			++*ret_missing;
		else if ((have = manifest_next(mf, &held, e)) < 0)
			return (have);
		if ((rc = spill_push(&m->spool, offer, OFFER_LEN, e)) != 0)
			return (rc);
	}
	if (have > 0)
		*ret_vanished = true;
	return (rc);
}

int
blobmap_settle(struct blobmap *m, uint64_t *ret, struct err *e)
{
	struct manifest mf = { -1, 0, 0, 0 };
	struct err why = ERR_INIT;
	bool vanished;
	int rc;

	if ((rc = spill_open(&m->spool, m->state->scratch, SPOOL_WINDOW,
	    e)) != 0)
		return (rc);
	if ((rc = manifest_open(m, &mf, &why)) != 0) {
		if (rc != ERR_ABSENT)
			log_info("%s, making it anew", why.text);
		start_anew(m);
	}
	rc = compare_offers(m, &mf, ret, &vanished, e);
	if (mf.fd != -1)
		(void)close(mf.fd);
	if (rc != 0)
		return (rc);
	if (vanished) {
		start_anew(m);
		*ret = m->n_offers;
	}
	sorter_free(m->offers);
	m->offers = NULL;
	if (*ret > 0)
		rc = sorter_new(&m->records, m->state->scratch,
		    m->budget.sort, record_cmp, e);
	if (rc == 0 && *ret > 0 && m->packs == -1)
		rc = new_table(m, e);
	m->offers_end = spill_top(&m->spool);
	return (rc);
}

int
blobmap_missing(struct blobmap *m, struct id *ret, struct err *e)
{
	uint8_t offer[OFFER_LEN];
	int rc;

	while (m->spool_at < m->offers_end) {
		rc = spill_read(&m->spool, m->spool_at, offer, OFFER_LEN, e);
		if (rc != 0)
			return (rc);
		m->spool_at += OFFER_LEN;
		if (m->anew || offer[ID_LEN] == OFFER_MISSING) {
			memcpy(ret->b, offer, ID_LEN);
			return (1);
		}
	}
	return (0);
}

int
blobmap_skip(struct blobmap *m, struct err *e)
{
	uint8_t flag = OFFER_SKIPPED;

	m->skipped = true;
	/* Blobs of a pack that was cut in the middle have none. */
	spill_cut(&m->spool, m->offers_end);
	return (spill_patch(&m->spool, m->spool_at - 1, &flag, 1, e));
}

int
blobmap_pack_begin(struct blobmap *m, struct err *e)
{

	if (m->loaded_packs >= PACK_NEW - 1)
		return (err_set(e, ERR_LIMIT, "too many packs"));
	memset(&m->pack, 0, sizeof(m->pack));
	m->pack.size = 36;	/* the header's envelope and its length field */
	return (0);
}

void
blobmap_pack_id(struct blobmap *m, const struct id *id)
{

	m->pack.id = *id;
}

uint64_t
pack_sum(const struct record *r)
{
	struct record x = *r;
	uint8_t rec[RECORD_LEN];

	x.where.pack = 0;	/* its number differs from map to map */
	record_encode(&x, rec);
	return (sum64(rec, RECORD_LEN, 0));
}

int
blobmap_blob(struct blobmap *m, struct record *r, struct err *e)
{
	uint8_t rec[RECORD_LEN];

	r->where.pack = m->loaded_packs;
	m->pack.size += r->where.length + (r->where.plain != 0 ? 41u : 37u);
	m->pack.sum += pack_sum(r);
	m->pack.blobs++;
	if (r->where.type == BLOB_TREE)
		m->pack.tree = true;
	else
		m->pack.data = true;
	record_encode(r, rec);
	return (spill_push(&m->spool, rec, RECORD_LEN, e));
}

static int
table_flush(struct blobmap *m, struct err *e)
{
	size_t len = (size_t)m->pack_out_n * PACK_LEN;
	uint64_t off = (uint64_t)(m->loaded_packs - m->pack_out_n) * PACK_LEN;

	m->pack_out_n = 0;
	return (file_pwrite(m->packs, m->pack_out, len, off, what, e));
}

/* The checksum of entry ${no} of the pack table. */
static void
pack_check(const uint8_t entry[PACK_LEN], uint32_t no, uint8_t ret[3])
{
	uint8_t sum[8];

	store_le64(sum, sum64(entry, PACK_CHECK, no));
	memcpy(ret, sum, PACK_LEN - PACK_CHECK);
}

/* Read an entry of the pack table and prove it. */
static int
pack_read(struct blobmap *m, uint32_t no, uint8_t entry[PACK_LEN],
    struct err *e)
{
	uint8_t check[PACK_LEN - PACK_CHECK];
	size_t got;
	int rc;

	rc = file_pread(m->packs, entry, PACK_LEN, (uint64_t)no * PACK_LEN,
	    &got, what, e);
	if (rc != 0)
		return (rc);
	pack_check(entry, no, check);
	if (got != PACK_LEN ||
	    memcmp(check, entry + PACK_CHECK, sizeof(check)) != 0)
		return (distrust(m, err_set(e, ERR_CORRUPT,
		    "the pack table of %s is damaged", what), e));
	return (0);
}

/* The pack is whole: its blobs go from the spool to the sorter. */
static int
take_blobs(struct blobmap *m, struct err *e)
{
	uint64_t at, end = spill_top(&m->spool);
	uint8_t rec[RECORD_LEN];
	int rc;

	for (at = m->offers_end; at < end; at += RECORD_LEN)
		if ((rc = spill_read(&m->spool, at, rec, RECORD_LEN,
		    e)) != 0 ||
		    (rc = sorter_add(m->records, rec, RECORD_LEN, e)) != 0)
			return (rc);
	m->n_records += (end - m->offers_end) / RECORD_LEN;
	spill_cut(&m->spool, m->offers_end);
	return (0);
}

int
blobmap_pack_end(struct blobmap *m, struct err *e)
{
	uint8_t *p = m->pack_out + (size_t)m->pack_out_n * PACK_LEN;
	int rc;

	if ((rc = take_blobs(m, e)) != 0)
		return (rc);
	memcpy(p, m->pack.id.b, ID_LEN);
	store_le64(p + 32, m->pack.size);
	store_le64(p + 40, m->pack.sum);
	store_le32(p + 48, m->pack.blobs);
	p[52] = (uint8_t)((m->pack.data ? 1 : 0) | (m->pack.tree ? 2 : 0));
	pack_check(p, m->loaded_packs, p + PACK_CHECK);
	m->pack_out_n++;
	m->loaded_packs++;
	if (m->pack_out_n < sizeof(m->pack_out) / PACK_LEN)
		return (0);
	return (table_flush(m, e));
}

int
blobmap_loaded_packs(struct blobmap *m, struct sorter *into, struct err *e)
{
	uint8_t entry[PACK_LEN];
	uint32_t i;
	int rc;

	if ((rc = table_flush(m, e)) != 0)
		return (rc);
	for (i = 0; i < m->loaded_packs; i++) {
		if ((rc = pack_read(m, i, entry, e)) != 0)
			return (rc);
		entry[ID_LEN] = 0;
		if ((rc = sorter_add(into, entry, ID_LEN + 1, e)) != 0)
			return (rc);
	}
	return (0);
}

/* ---- merging ---- */

/* One of several sorted inputs: a run, the sorter, or a sorted array. */
struct input {
	struct run_cursor *cursor;
	struct sorter *sorter;
	const uint8_t *array;
	size_t left;         /* records of the array */
	const uint8_t *rec;  /* the present one, NULL at the end */
};

static int
input_step(struct input *in, struct err *e)
{
	const void *p;
	size_t len;
	int rc;

	if (in->cursor != NULL) {
		if ((rc = run_next(in->cursor, &in->rec, e)) <= 0)
			in->rec = NULL;
		return (rc < 0 ? rc : 0);
	}
	if (in->sorter != NULL) {
		rc = sorter_next(in->sorter, &p, &len, e);
		in->rec = rc > 0 ? p : NULL;
		return (rc < 0 ? rc : 0);
	}
	in->rec = in->left > 0 ? in->array : NULL;
	if (in->left > 0) {
		in->array += RECORD_LEN;
		in->left--;
	}
	return (0);
}

/* Merge ${n} inputs of ${total} records in all into a run in ${fd}. */
static int
merge_inputs(struct input *in, unsigned n, uint64_t total, int fd,
    struct err *e)
{
	struct run_writer *w;
	unsigned i, least;
	int rc;

	if ((rc = run_writer_new(&w, fd, total, e)) != 0)
		return (rc);
	for (i = 0; i < n; i++)
		if ((rc = input_step(&in[i], e)) != 0)
			goto done;
	for (;;) {
		least = n;
		for (i = 0; i < n; i++)
			if (in[i].rec != NULL && (least == n ||
			    record_cmp(in[i].rec, RECORD_LEN, in[least].rec,
			    RECORD_LEN) < 0))
				least = i;
		if (least == n)
			break;
		if ((rc = run_writer_add(w, in[least].rec, e)) != 0 ||
		    (rc = input_step(&in[least], e)) != 0)
			goto done;
	}
	rc = run_writer_end(w, e);

done:
	run_writer_free(w);
	return (rc);
}

/*
 * Merge ${extra} (of ${n_extra} records) with those of ${runs} that are not much
 * larger, into the file ${fd}; ${*ret_keep} is how many runs stay as they are.
 */
static int
merge_runs(struct run *runs, unsigned n_runs, struct input *extra,
    uint64_t n_extra, int fd, unsigned *ret_keep, struct err *e)
{
	struct input in[MAX_RUNS + 1];
	unsigned keep = n_runs, n = 0, i;
	uint64_t total = n_extra;
	int rc = 0;

	while (keep > 0 && (keep >= MAX_RUNS ||
	    runs[keep - 1].n <= GROWTH * total))
		total += runs[--keep].n;
	memset(in, 0, sizeof(in));
	in[n++] = *extra;
	for (i = keep; i < n_runs; i++, n++) {
		in[n].cursor = malloc(sizeof(*in[n].cursor));
		if (in[n].cursor == NULL) {
			rc = err_nomem(e);
			goto done;
		}
		run_begin(in[n].cursor, &runs[i]);
	}
	rc = merge_inputs(in, n, total, fd, e);
	*ret_keep = keep;

done:
	for (i = 0; i < n; i++)
		free(in[i].cursor);
	return (rc);
}

/* Remove files that the manifest does not name. */
static void
sweep(struct blobmap *m)
{
	char known[MAX_RUNS + 1][40];
	struct dirent *d;
	unsigned i, n = 0;
	DIR *dp;
	int fd;

	for (i = 0; i < m->n_runs; i++)
		file_name(known[n++], "run", m->number[i]);
	file_name(known[n++], "packs", m->packs_number);
	if ((fd = openat(m->dir, ".", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC)) == -1)
		return;
	if ((dp = fdopendir(fd)) == NULL) {
		(void)close(fd);
		return;
	}
	while ((d = readdir(dp)) != NULL) {
		if (strncmp(d->d_name, "run-", 4) != 0 &&
		    strncmp(d->d_name, "packs-", 6) != 0)
			continue;
		for (i = 0; i < n; i++)
			if (strcmp(d->d_name, known[i]) == 0)
				break;
		if (i == n)
			(void)unlinkat(m->dir, d->d_name, 0);
	}
	(void)closedir(dp);
}

/* Bytes of the budget of fences that no run has taken. */
static size_t
fences_left(const struct blobmap *m)
{
	size_t taken = 0;
	unsigned i;

	for (i = 0; i < m->n_runs; i++)
		taken += (size_t)m->run[i].n_fence * sizeof(*m->run[i].fence);
	return (m->budget.fences > taken ? m->budget.fences - taken : 0);
}

/* Make the new run and take its place in the table of runs. */
static int
commit_run(struct blobmap *m, struct err *e)
{
	struct input extra = { .sorter = m->records };
	unsigned keep;
	char name[40];
	int fd, rc;

	file_name(name, "run", m->next_number);
	if (m->skipped) {
		if ((rc = file_scratch(m->state->scratch, &fd, e)) != 0)
			return (rc);
	} else {
		fd = openat(m->dir, name, O_RDWR | O_CREAT | O_TRUNC |
		    O_CLOEXEC, 0600);
		if (fd == -1)
			return (failed(m, "write", e));
		strcpy(m->made[1], name);
	}
	rc = distrust(m, merge_runs(m->run, m->n_runs, &extra, m->n_records,
	    fd, &keep, e), e);
	if (rc == 0 && !m->skipped && fsync(fd) == -1)
		rc = failed(m, "sync", e);
	if (rc != 0) {
		(void)close(fd);
		return (rc);
	}
	while (m->n_runs > keep)
		run_close(&m->run[--m->n_runs]);
	if ((rc = run_open(&m->run[keep], fd, fences_left(m), e)) != 0)
		return (rc);
	m->number[keep] = m->next_number++;
	m->n_runs++;
	return (0);
}

static int
claims_open(struct blobmap *m, struct err *e)
{
	struct claims *c = &m->claims;

	c->max = m->budget.claims;
	for (c->slots = 64; c->slots < c->max + c->max / 3; c->slots *= 2)
		;
	if ((c->key = calloc(c->slots, ID_LEN + 1)) == NULL)
		return (err_nomem(e));
	return (0);
}

int
blobmap_commit(struct blobmap *m, struct err *e)
{
	bool changed = m->anew || m->records != NULL;
	int rc;

	if (m->records != NULL) {
		if ((rc = table_flush(m, e)) != 0 ||
		    (rc = commit_run(m, e)) != 0)
			return (rc);
		sorter_free(m->records);
		m->records = NULL;
	}
	if (!m->skipped && changed) {
		if (m->packs == -1 && (rc = new_table(m, e)) != 0)
			return (rc);
		if (fsync(m->packs) == -1)
			return (failed(m, "sync", e));
		if ((rc = manifest_write(m, e)) != 0)
			return (rc);
		sweep(m);
	}
	m->n_packs = m->loaded_packs;
	spill_close(&m->spool);
	/* What was not published stands behind the end of the pack table. */
	if (!m->skipped)
		unlock_folder(m);
	return (claims_open(m, e));
}

/* ---- asking ---- */

int
blobmap_find(struct blobmap *m, enum blob_type type, const struct id *id,
    bool likely, struct where *ret, uint64_t *ret_pos, struct err *e)
{
	uint64_t base = 0;
	unsigned i;
	int rc;

	for (i = 0; i < m->n_runs; i++) {
		rc = run_find(&m->run[i], type, id, likely && m->n_runs == 1,
		    ret, ret_pos, e);
		if (rc != 0) {
			if (rc > 0 && ret_pos != NULL)
				*ret_pos += base;
			return (distrust(m, rc, e));
		}
		base += m->run[i].n;
	}
	return (0);
}

/* The places in one run; ${*left} is how many may still be named. */
static int
run_places(const struct run *r, enum blob_type type, const struct id *id,
    unsigned *left, blobmap_place *fn, void *cookie, struct err *e)
{
	struct record rec;
	struct where at;
	uint64_t pos;
	int rc;

	if ((rc = run_find(r, type, id, false, &at, &pos, e)) <= 0)
		return (rc);
	for (; pos > 0; pos--) {	/* any of them was found */
		if ((rc = run_at(r, pos - 1, &rec, e)) != 0)
			return (rc);
		if (!id_eq(&rec.id, id) || rec.where.type != type)
			break;
	}
	for (; pos < r->n && *left > 0; pos++, --*left) {
		if ((rc = run_at(r, pos, &rec, e)) != 0)
			return (rc);
		if (!id_eq(&rec.id, id) || rec.where.type != type)
			break;
		if ((rc = fn(cookie, &rec.where, e)) != 0)
			return (rc);
	}
	return (0);
}

int
blobmap_places(struct blobmap *m, enum blob_type type, const struct id *id,
    blobmap_place *fn, void *cookie, struct err *e)
{
	unsigned i, left = PLACES_MAX;
	int rc = 0;

	for (i = 0; i < m->n_runs && rc == 0; i++)
		rc = run_places(&m->run[i], type, id, &left, fn, cookie, e);
	return (rc);
}

static unsigned
claim_slot(const struct claims *c, const uint8_t *key)
{
	unsigned i = load_le32(key + 16) & (c->slots - 1);

	while (c->key[i * (ID_LEN + 1u) + ID_LEN] != 0 &&
	    memcmp(c->key + i * (ID_LEN + 1u), key, ID_LEN + 1) != 0)
		i = (i + 1) & (c->slots - 1);
	return (i);
}

static int
claim_cmp(const void *x, const void *y)
{

	return (record_cmp(x, RECORD_LEN, y, RECORD_LEN));
}

/* The claims as sorted records of packs yet to come. */
static uint8_t *
claims_sorted(const struct claims *c)
{
	struct record r = { { { 0 } }, { PACK_NEW, 0, 0, 0, BLOB_DATA } };
	const uint8_t *key;
	uint8_t *rec;
	unsigned i, n = 0;

	if ((rec = malloc((size_t)c->n * RECORD_LEN)) == NULL)
		return (NULL);
	for (i = 0; i < c->slots; i++) {
		key = c->key + i * (ID_LEN + 1u);
		if (key[ID_LEN] == 0)
			continue;
		memcpy(r.id.b, key, ID_LEN);
		r.where.type = key[ID_LEN] == 2 ? BLOB_TREE : BLOB_DATA;
		record_encode(&r, rec + (size_t)n++ * RECORD_LEN);
	}
	qsort(rec, n, RECORD_LEN, claim_cmp);
	return (rec);
}

/* The set is full: it becomes a run of this session. The lock is held. */
static int
claims_spill(struct blobmap *m, struct err *e)
{
	struct input extra = { .left = m->claims.n };
	unsigned keep;
	uint8_t *rec;
	int fd, rc;

	if ((rec = claims_sorted(&m->claims)) == NULL)
		return (err_nomem(e));
	extra.array = rec;
	if ((rc = file_scratch(m->state->scratch, &fd, e)) != 0)
		goto done;
	rc = merge_runs(m->fresh, m->n_fresh, &extra, m->claims.n, fd, &keep,
	    e);
	if (rc != 0) {
		(void)close(fd);
		goto done;
	}
	while (m->n_fresh > keep)
		run_close(&m->fresh[--m->n_fresh]);
	if ((rc = run_open(&m->fresh[keep], fd, SMALL_FENCE, e)) != 0)
		goto done;
	m->n_fresh++;
	m->spills++;
	memset(m->claims.key, 0, (size_t)m->claims.slots * (ID_LEN + 1));
	m->claims.n = 0;

done:
	free(rec);
	return (rc);
}

static int
find_fresh(struct blobmap *m, enum blob_type type, const struct id *id,
    struct err *e)
{
	struct where w;
	unsigned i;
	int rc;

	for (i = 0; i < m->n_fresh; i++)
		if ((rc = run_find(&m->fresh[i], type, id, false, &w, NULL,
		    e)) != 0)
			return (rc);
	return (0);
}

int
blobmap_claim(struct blobmap *m, enum blob_type type, const struct id *id,
    struct err *e)
{
	struct claims *c = &m->claims;
	uint8_t key[ID_LEN + 1];
	struct where w;
	unsigned slot, spills;
	int rc;

	memcpy(key, id->b, ID_LEN);
	key[ID_LEN] = type == BLOB_TREE ? 2 : 1;
	if ((rc = blobmap_find(m, type, id, false, &w, NULL, e)) != 0)
		return (rc > 0 ? 0 : rc);

	/* Fresh runs are large and slow to ask: under the shared lock. */
	pthread_rwlock_rdlock(&m->session);
	rc = find_fresh(m, type, id, e);
	spills = m->spills;
	pthread_rwlock_unlock(&m->session);
	if (rc != 0)
		return (rc > 0 ? 0 : rc);

	pthread_rwlock_wrlock(&m->session);
	/* Another thread may have claimed it and made the set a run since. */
	if (m->spills != spills && (rc = find_fresh(m, type, id, e)) != 0) {
		rc = rc > 0 ? 0 : rc;
		goto done;
	}
	slot = claim_slot(c, key);
	if (c->key[slot * (ID_LEN + 1u) + ID_LEN] != 0)
		goto done;	/* claimed before */
	if (c->n == c->max) {
		if ((rc = claims_spill(m, e)) != 0)
			goto done;	/* the set is as it was */
		slot = claim_slot(c, key);
	}
	memcpy(c->key + slot * (ID_LEN + 1u), key, sizeof(key));
	c->n++;
	rc = 1;

done:
	pthread_rwlock_unlock(&m->session);
	return (rc);
}

int
blobmap_has(struct blobmap *m, enum blob_type type, const struct id *id,
    struct err *e)
{
	const struct claims *c = &m->claims;
	uint8_t key[ID_LEN + 1];
	struct where w;
	int rc;

	memcpy(key, id->b, ID_LEN);
	key[ID_LEN] = type == BLOB_TREE ? 2 : 1;
	if ((rc = blobmap_find(m, type, id, true, &w, NULL, e)) != 0)
		return (rc);
	pthread_rwlock_rdlock(&m->session);
	if ((rc = find_fresh(m, type, id, e)) == 0 &&
	    c->key[claim_slot(c, key) * (ID_LEN + 1u) + ID_LEN] != 0)
		rc = 1;
	pthread_rwlock_unlock(&m->session);
	return (rc);
}

uint64_t
blobmap_records(const struct blobmap *m)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < m->n_runs; i++)
		n += m->run[i].n;
	return (n);
}

uint32_t
blobmap_packs(const struct blobmap *m)
{

	return (m->n_packs);
}

int
blobmap_pack(struct blobmap *m, uint32_t no, struct pack_info *ret,
    struct err *e)
{
	uint8_t p[PACK_LEN];
	int rc;

	if (no >= m->n_packs)
		return (err_set(e, ERR_FAIL, "no pack %u in %s", no, what));
	if ((rc = pack_read(m, no, p, e)) != 0)
		return (rc);
	memcpy(ret->id.b, p, ID_LEN);
	ret->size = load_le64(p + 32);
	ret->sum = load_le64(p + 40);
	ret->blobs = load_le32(p + 48);
	ret->data = p[52] & 1;
	ret->tree = p[52] & 2;
	return (0);
}

int
blobmap_scan(struct blobmap *m, blobmap_each *fn, void *cookie, struct err *e)
{
	struct run_cursor *c;
	const uint8_t *p;
	struct record r;
	uint64_t pos = 0;
	unsigned i;
	int rc = 0;

	if ((c = malloc(sizeof(*c))) == NULL)
		return (err_nomem(e));
	for (i = 0; i < m->n_runs && rc == 0; i++) {
		run_begin(c, &m->run[i]);
		while ((rc = distrust(m, run_next(c, &p, e), e)) > 0) {
			record_decode(p, &r);
			if ((rc = fn(cookie, pos++, &r, e)) != 0)
				break;
		}
	}
	free(c);
	return (rc);
}

/* ---- in the order of ids ---- */

/* All runs side by side, the one with the least record first. */
struct merger {
	struct run_cursor *cursor[MAX_RUNS];
	const uint8_t *rec[MAX_RUNS]; /* the present one, NULL at the end */
	uint64_t base[MAX_RUNS]; /* position of the run's first */
	unsigned n;
};

static int
merger_step(struct merger *g, unsigned i, struct err *e)
{
	int rc;

	if ((rc = run_next(g->cursor[i], &g->rec[i], e)) <= 0)
		g->rec[i] = NULL;
	return (rc < 0 ? rc : 0);
}

/* Close it also after a failure. */
static int
merger_open(struct merger *g, struct blobmap *m, struct err *e)
{
	uint64_t base = 0;
	unsigned i;
	int rc;

	memset(g, 0, sizeof(*g));
	for (i = 0; i < m->n_runs; i++, g->n++) {
		if ((g->cursor[i] = malloc(sizeof(*g->cursor[i]))) == NULL)
			return (err_nomem(e));
		g->base[i] = base;
		base += m->run[i].n;
		run_begin(g->cursor[i], &m->run[i]);
		if ((rc = merger_step(g, i, e)) != 0)
			return (rc);
	}
	return (0);
}

static void
merger_close(struct merger *g)
{
	unsigned i;

	for (i = 0; i < MAX_RUNS; i++)
		free(g->cursor[i]);
}

/* The run that is next, MAX_RUNS at the end. */
static unsigned
merger_least(const struct merger *g)
{
	unsigned i, least = MAX_RUNS;

	for (i = 0; i < g->n; i++)
		if (g->rec[i] != NULL && (least == MAX_RUNS ||
		    record_cmp(g->rec[i], RECORD_LEN, g->rec[least],
		    RECORD_LEN) < 0))
			least = i;
	return (least);
}

int
blobmap_merge(struct blobmap *m, blobmap_each *fn, void *cookie, struct err *e)
{
	struct merger g;
	struct record r;
	unsigned i;
	int rc;

	rc = distrust(m, merger_open(&g, m, e), e);
	while (rc == 0 && (i = merger_least(&g)) != MAX_RUNS) {
		record_decode(g.rec[i], &r);
		rc = fn(cookie, g.base[i] + g.cursor[i]->next - 1, &r, e);
		if (rc == 0)
			rc = distrust(m, merger_step(&g, i, e), e);
	}
	merger_close(&g);
	return (rc);
}

/* ---- renewing ---- */

struct renewal {
	struct table *number; /* of each old pack, its new one and 1; 0: gone */
	struct run_writer *w;
	uint64_t records;    /* that are left */
	int packs;           /* the new pack table, or -1 */
	uint64_t packs_number;
	uint32_t n_packs;
};

/* Is the manifest on disk the one that was opened? */
static bool
manifest_ours(struct blobmap *m)
{
	uint8_t head[HEAD_LEN + MAX_RUNS * RUN_ENTRY];
	struct err e = ERR_INIT;
	size_t got = 0;
	unsigned i;
	int fd;

	if ((fd = openat(m->dir, "map", O_RDONLY | O_CLOEXEC)) == -1)
		return (false);
	(void)file_pread(fd, head, sizeof(head), 0, &got, what, &e);
	(void)close(fd);
	if (got < HEAD_LEN + (size_t)m->n_runs * RUN_ENTRY ||
	    memcmp(head, magic, sizeof(magic)) != 0 ||
	    load_le64(head + 56) != m->packs_number ||
	    load_le32(head + 72) != m->n_packs ||
	    load_le32(head + 76) != m->n_runs)
		return (false);
	for (i = 0; i < m->n_runs; i++)
		if (load_le64(head + HEAD_LEN + i * RUN_ENTRY) !=
		    m->number[i])
			return (false);
	return (true);
}

/* Give the packs that are left new numbers, and a table of their own. */
static int
renumber(struct blobmap *m, struct renewal *x, struct marks *gone,
    struct err *e)
{
	uint8_t entry[PACK_LEN];
	uint32_t no;
	void *p;
	int rc;

	for (no = 0; no < m->n_packs; no++) {
		if ((rc = marks_test(gone, no, e)) < 0)
			return (rc);
		if (rc > 0)
			continue;
		if ((rc = pack_read(m, no, entry, e)) != 0)
			return (rc);
		pack_check(entry, x->n_packs, entry + PACK_CHECK);
		rc = file_pwrite(x->packs, entry, PACK_LEN,
		    (uint64_t)x->n_packs * PACK_LEN, what, e);
		if (rc != 0 || (rc = table_put(x->number, no, &p, e)) != 0)
			return (rc);
		x->records += load_le32(entry + 48);
		store_le32(p, ++x->n_packs);
	}
	return (0);
}

static int
renew_record(void *cookie, uint64_t pos, const struct record *r,
    struct err *e)
{
	struct renewal *x = cookie;
	uint8_t rec[RECORD_LEN];
	struct record out = *r;
	const void *p;
	int rc;

	(void)pos;
	if ((rc = table_get(x->number, r->where.pack, &p, e)) != 0 ||
	    load_le32(p) == 0)
		return (rc);
	out.where.pack = load_le32(p) - 1;
	record_encode(&out, rec);
	return (run_writer_add(x->w, rec, e));
}

/* One run of what is left; it takes the place of all others. */
static int
renew_run(struct blobmap *m, struct renewal *x, struct err *e)
{
	uint64_t number = m->next_number++;
	char name[40];
	int fd, rc;

	file_name(name, "run", number);
	fd = openat(m->dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return (err_sys(e, "cannot write %s", what));
	if ((rc = run_writer_new(&x->w, fd, x->records, e)) == 0 &&
	    (rc = blobmap_merge(m, renew_record, x, e)) == 0 &&
	    (rc = run_writer_end(x->w, e)) == 0 && fsync(fd) == -1)
		rc = err_sys(e, "cannot sync %s", what);
	run_writer_free(x->w);
	if (rc != 0) {
		(void)close(fd);
		return (rc);
	}
	drop_runs(m);
	rc = run_open(&m->run[0], fd, m->budget.fences, e);
	if (rc == 0) {
		m->number[0] = number;
		m->n_runs = 1;
	}
	return (rc);
}

/* The list of index files for the manifest. */
static int
renew_offers(struct blobmap *m, struct sorter *held, struct err *e)
{
	uint8_t offer[OFFER_LEN] = { 0 };
	const void *p;
	size_t len;
	int rc;

	rc = spill_open(&m->spool, m->state->scratch, SPOOL_WINDOW, e);
	if (rc != 0)
		return (rc);
	m->n_offers = 0;
	while ((rc = sorter_next(held, &p, &len, e)) > 0) {
		if (m->n_offers > 0 && memcmp(offer, p, ID_LEN) == 0)
			continue;
		memcpy(offer, p, ID_LEN);
		if ((rc = spill_push(&m->spool, offer, OFFER_LEN, e)) != 0)
			return (rc);
		m->n_offers++;
	}
	m->offers_end = spill_top(&m->spool);
	return (rc);
}

static int
renew_table(struct blobmap *m, struct renewal *x, struct err *e)
{
	char name[40];

	x->packs_number = m->next_number++;
	file_name(name, "packs", x->packs_number);
	x->packs = openat(m->dir, name, O_RDWR | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0600);
	if (x->packs == -1)
		return (err_sys(e, "cannot make the pack table of %s", what));
	return (table_new(&x->number, m->state->scratch, 4, NUMBERS_MEM, e));
}

int
blobmap_renew(struct blobmap *m, struct marks *gone, struct sorter *held,
    struct err *e)
{
	struct renewal x = { .packs = -1 };
	int rc;

	if (m->skipped)
		return (0);
	if ((rc = lock_folder(m, e)) != 0)
		return (rc);
	if (!manifest_ours(m))
		goto out;
	if ((rc = renew_table(m, &x, e)) != 0 ||
	    (rc = renumber(m, &x, gone, e)) != 0 ||
	    (rc = renew_run(m, &x, e)) != 0 ||
	    (rc = renew_offers(m, held, e)) != 0)
		goto out;
	if (fsync(x.packs) == -1) {
		rc = err_sys(e, "cannot sync %s", what);
		goto out;
	}
	(void)close(m->packs);
	m->packs = x.packs;
	x.packs = -1;
	m->packs_number = x.packs_number;
	m->loaded_packs = m->n_packs = x.n_packs;
	if ((rc = manifest_write(m, e)) == 0)
		sweep(m);

out:
	if (x.packs != -1)
		(void)close(x.packs);
	table_free(x.number);
	spill_close(&m->spool);
	unlock_folder(m);
	return (rc);
}
