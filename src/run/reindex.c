#include "run/reindex.h"

#include <string.h>

#include "base/log.h"
#include "base/sort.h"

enum {
	OLD_LEN = ID_LEN + 1,
	IDS_WINDOW = 16384,
	STAYS = 0,
	REPLACED = 1,

	/* Values of the table of packs. */
	PACK_GONE = 1,
	PACK_STAYS = 2,
	PACK_ONCE = 3,
	PACK_NAMED = 4,      /* once, and that was done */
};

static int
note_old(void *cookie, const struct id *id, uint64_t size, struct err *e)
{
	struct reindex *x = cookie;
	uint8_t rec[OLD_LEN];

	(void)size;
	memcpy(rec, id->b, ID_LEN);
	rec[ID_LEN] = STAYS;
	x->files++;
	return (spill_push(&x->old, rec, OLD_LEN, e));
}

static int
note_fresh(void *cookie, const struct id *id, struct err *e)
{
	struct reindex *x = cookie;

	return (spill_push(&x->fresh, id->b, ID_LEN, e));
}

int
reindex_open(struct reindex *x, struct repo *r, struct err *e)
{
	const char *dir = r->state->scratch;
	int rc;

	memset(x, 0, sizeof(*x));
	x->r = r;
	if ((rc = spill_open(&x->old, dir, IDS_WINDOW, e)) != 0 ||
	    (rc = spill_open(&x->fresh, dir, IDS_WINDOW, e)) != 0 ||
	    (rc = pagemap_new(&x->packs, dir, e)) != 0 ||
	    (rc = index_writer_open(&x->w, r, e)) != 0)
		return (rc);
	x->w.wrote = note_fresh;
	x->w.cookie = x;
	return (repo_list(r, REPO_INDEX, note_old, x, e));
}

void
reindex_close(struct reindex *x)
{

	spill_close(&x->old);
	spill_close(&x->fresh);
	pagemap_free(x->packs);
	x->packs = NULL;
	index_writer_close(&x->w);
}

int
reindex_gone(struct reindex *x, const struct id *pack, struct err *e)
{

	x->n_gone++;
	return (pagemap_put(x->packs, pack->b, PACK_GONE, e));
}

int
reindex_once(struct reindex *x, const struct id *pack, struct err *e)
{

	return (pagemap_put(x->packs, pack->b, PACK_ONCE, e));
}

int
reindex_stays(struct reindex *x, const struct id *pack, struct err *e)
{

	x->n_stay++;
	return (pagemap_put(x->packs, pack->b, PACK_STAYS, e));
}

/* ---- one old file, read into the writer ---- */

static int
on_pack_begin(void *cookie, struct err *e)
{
	struct reindex *x = cookie;

	return (index_writer_begin(&x->w, e));
}

static int
on_blob(void *cookie, const struct pack_entry *b, uint32_t offset,
    struct err *e)
{
	struct reindex *x = cookie;

	x->blobs++;
	return (index_writer_blob(&x->w, b, offset, e));
}

/* Is the pack that was read kept? 1, 0, or ERR_*. */
static int
keeps(struct reindex *x, const struct id *id, struct err *e)
{
	uint64_t known = 0;
	int rc;

	if ((rc = pagemap_find(x->packs, id->b, &known, e)) < 0)
		return (rc);
	if (x->what == REINDEX_ALL)
		return (known == PACK_STAYS);
	if (known == PACK_ONCE && (rc = pagemap_put(x->packs, id->b,
	    PACK_NAMED, e)) != 0)
		return (rc);
	return (known != PACK_GONE && known != PACK_NAMED);
}

static int
on_pack_end(void *cookie, const struct id *id, struct err *e)
{
	struct reindex *x = cookie;
	int rc;

	if ((rc = keeps(x, id, e)) < 0)
		return (rc);
	if (rc == 0) {
		x->touched = true;
		index_writer_drop(&x->w);
	} else if ((rc = index_writer_end(&x->w, id, e)) != 0) {
		return (rc);
	}
	return (repo_stopped(x->r, e));
}

static const struct index_events events = {
	.pack_begin = on_pack_begin,
	.blob = on_blob,
	.pack_end = on_pack_end,
};

/* What it says goes to the writer, or not. 1 it is replaced, 0 it stays. */
static int
take_file(struct reindex *x, const struct id *id, bool mend, struct err *e)
{
	struct index_mark mark = index_writer_mark(&x->w);
	int rc;

	if (x->what == REINDEX_ALL && x->n_stay == 0)
		return (1);
	x->touched = false;
	x->blobs = 0;
	rc = index_parse(x->r, id, &events, x, e);
	if (rc == ERR_CORRUPT && mend) {
		log_warn("%s: it is replaced", e->text);
		index_writer_back(&x->w, &mark);
		return (1);
	}
	if (rc != 0)
		return (rc);
	if (x->what == REINDEX_ALL || x->touched ||
	    x->blobs < INDEX_BLOBS_MAX)
		return (1);
	index_writer_back(&x->w, &mark);
	return (0);
}

int
reindex_write(struct reindex *x, enum reindex_what what, bool mend,
    struct err *e)
{
	uint64_t at, end = spill_top(&x->old);
	uint8_t rec[OLD_LEN];
	struct id id;
	int rc;

	x->what = what;
	for (at = 0; at < end; at += OLD_LEN) {
		if ((rc = spill_read(&x->old, at, rec, OLD_LEN, e)) != 0)
			return (rc);
		memcpy(id.b, rec, ID_LEN);
		if ((rc = take_file(x, &id, mend, e)) < 0)
			return (rc);
		if (rc == 0)
			continue;
		rec[ID_LEN] = REPLACED;
		x->replaced++;
		if ((rc = spill_patch(&x->old, at, rec, OLD_LEN, e)) != 0 ||
		    (rc = index_writer_full(&x->w, e)) != 0)
			return (rc);
	}
	return (index_writer_flush(&x->w, e));
}

/* ---- the old ones ---- */

int
reindex_retire(struct reindex *x, struct err *e)
{
	uint64_t at, end = spill_top(&x->old);
	uint8_t rec[OLD_LEN];
	struct id id;
	int rc;

	for (at = 0; at < end; at += OLD_LEN) {
		if ((rc = spill_read(&x->old, at, rec, OLD_LEN, e)) != 0)
			return (rc);
		if (rec[ID_LEN] != REPLACED)
			continue;
		memcpy(id.b, rec, ID_LEN);
		if ((rc = repo_remove(x->r, REPO_INDEX, &id, e)) != 0)
			return (rc);
	}
	return (store_settle(x->r->store, repo_folder(REPO_INDEX), e));
}

/* ---- the cache ---- */

/* Add the ids of the index files that the blob map holds now. */
static int
add_held(struct reindex *x, struct sorter *held, struct err *e)
{
	uint64_t at, end = spill_top(&x->old);
	uint8_t rec[OLD_LEN];
	int rc;

	for (at = 0; at < end; at += OLD_LEN)
		if ((rc = spill_read(&x->old, at, rec, OLD_LEN, e)) != 0 ||
		    (rec[ID_LEN] == STAYS &&
		    (rc = sorter_add(held, rec, ID_LEN, e)) != 0))
			return (rc);
	end = spill_top(&x->fresh);
	for (at = 0; at < end; at += ID_LEN)
		if ((rc = spill_read(&x->fresh, at, rec, ID_LEN, e)) != 0 ||
		    (rc = sorter_add(held, rec, ID_LEN, e)) != 0)
			return (rc);
	return (0);
}

int
reindex_renew(struct reindex *x, struct marks *gone, struct err *e)
{
	struct sorter *held;
	int rc;

	rc = sorter_new(&held, x->r->state->scratch,
	    (size_t)CONFIG_SORT_KIB * 1024, sort_bytes, e);
	if (rc != 0)
		return (rc);
	if ((rc = add_held(x, held, e)) == 0)
		rc = blobmap_renew(x->r->map, gone, held, e);
	sorter_free(held);
	return (rc);
}
