#include "run/stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/pagemap.h"
#include "crypto/sha256.h"
#include "state/marks.h"

enum {
	MARKS_MEM = 128 * 1024,
	TOTALS_WINDOW = 16384,
	REF_LEN = PAGEMAP_KEY + ID_LEN + 8, /* path, blob, its size */
};

/* What is remembered of a folder while the walk is in it (restore-size). */
struct note {
	struct id tree;
	uint64_t files, size; /* counted before it */
	uint64_t links, problems;
};

_Static_assert(sizeof(struct note) <= 256, "treewalk keeps 256 bytes");

/* What a whole tree adds up to. */
struct total {
	uint64_t files, size;
};

struct count {
	struct repo *r;
	const struct stats_opts *o;
	struct stats *s;
	struct treewalk walk;
	const struct snapshot *snap;
	uint64_t problems;

	/* restore-size */
	struct pagemap *linked; /* (inode, device) seen in this snapshot */
	uint64_t links;      /* nodes that were looked up there */
	struct pagemap *known; /* tree -> place of its total */
	struct spill totals;

	/* the others: blobs by their position in the map; for all but raw-data
	 * only trees are marked */
	struct marks *seen;
	struct pagemap *contents; /* hashes of lists of blobs */
	struct sorter *refs; /* blobs-per-file: path, blob, size */
};

/* ---- telling ---- */

static void
problem(struct count *c, const struct err *why)
{

	c->problems++;
	c->o->problem(c->o->cookie, &c->snap->id, problem_node(&c->walk), why);
}

/* A failure that is not the run's own is told; what is left is 0. */
static int
forgive(struct count *c, int rc, const struct err *why, struct err *e)
{

	if (rc == 0)
		return (0);
	if (problem_ends_run(rc)) {
		*e = *why;
		return (rc);
	}
	problem(c, why);
	return (0);
}

static void
missing(struct count *c, const struct id *blob)
{
	struct err why = ERR_INIT;
	char hex[ID_HEX + 1];

	(void)err_set(&why, ERR_CORRUPT, "the repository lacks its blob %s",
	    id_hex(blob, hex));
	problem(c, &why);
}

/* ---- restore-size ---- */

/* The total of a tree that was walked before: 1, 0, or ERR_*. */
static int
recall(struct count *c, const struct id *tree, struct err *e)
{
	struct total t;
	uint64_t at;
	int rc;

	if ((rc = pagemap_find(c->known, tree->b, &at, e)) <= 0 ||
	    (rc = spill_read(&c->totals, at, &t, sizeof(t), e)) != 0)
		return (rc);
	c->s->files += t.files;
	c->s->size += t.size;
	meter_add(&c->o->meter->files, t.files);
	meter_add(&c->o->meter->bytes, t.size);
	return (1);
}

static struct note
begin_note(const struct count *c, const struct id *tree)
{
	struct note n = { *tree, c->s->files, c->s->size, c->links,
	    c->problems };

	return (n);
}

/*
 * The tree of ${n} was walked. Where hard links made a difference, another
 * snapshot may count it otherwise; where something was wrong, it is told again.
 */
static int
remember(struct count *c, const struct note *n, struct err *e)
{
	struct total t = { c->s->files - n->files, c->s->size - n->size };
	uint64_t at = spill_top(&c->totals);
	int rc;

	if (c->links != n->links || c->problems != n->problems)
		return (0);
	if ((rc = spill_push(&c->totals, &t, sizeof(t), e)) != 0)
		return (rc);
	return (pagemap_put(c->known, n->tree.b, at, e));
}

/* Was a file with several names counted in this snapshot? Else note it. */
static int
linked_before(struct count *c, const struct node *n, struct err *e)
{
	uint8_t key[PAGEMAP_KEY];
	uint64_t value;
	int rc;

	c->links++;
	if (n->inode == 0)
		return (0);
	store_le64(key, n->inode);
	store_le64(key + 8, n->device_id);
	if (c->linked == NULL && (rc = pagemap_new(&c->linked,
	    c->r->state->scratch, e)) != 0)
		return (rc);
	if ((rc = pagemap_find(c->linked, key, &value, e)) != 0)
		return (rc);
	return (pagemap_put(c->linked, key, 0, e));
}

static int
count_restore(struct count *c, struct err *e)
{
	const struct node *n = &c->walk.node;
	struct err why = ERR_INIT;
	struct note note;
	int rc = 0;

	c->s->files++;
	if (n->links != 1 && n->type != NODE_DIR && n->size > 0 &&
	    (rc = linked_before(c, n, e)) < 0)
		return (rc);
	if (rc == 0)
		c->s->size += n->size;
	if (n->type != NODE_DIR)
		return (0);
	if (n->has_subtree && (rc = recall(c, &n->subtree, e)) != 0)
		return (rc < 0 ? rc : 0);
	note = begin_note(c, &n->subtree);
	rc = treewalk_enter(&c->walk, &note, &why);
	return (forgive(c, rc, &why, e));
}

/* ---- contents ---- */

/* The hash of the file's list of blobs: 0 or ERR_*. */
static int
hash_content(struct count *c, struct id *ret, struct err *e)
{
	struct content_reader r;
	struct sha256 sha;
	struct id id;
	int rc;

	sha256_begin(&sha);
	content_begin(&r, &c->walk.ts, &c->walk.node);
	while ((rc = content_next(&r, &id, e)) > 0)
		sha256_update(&sha, id.b, ID_LEN);
	sha256_end(&sha, ret);
	return (rc);
}

/* Note each blob of the file under its path. */
static int
note_refs(struct count *c, struct err *e)
{
	uint8_t rec[REF_LEN];
	struct content_reader r;
	struct sha256 sha;
	struct where at;
	struct id id;
	int rc, found;

	sha256_begin(&sha);
	sha256_update(&sha, c->walk.path.p, c->walk.path.len);
	sha256_end(&sha, &id);
	memcpy(rec, id.b, PAGEMAP_KEY);
	content_begin(&r, &c->walk.ts, &c->walk.node);
	while ((rc = content_next(&r, &id, e)) > 0) {
		found = blobmap_find(c->r->map, BLOB_DATA, &id, true, &at,
		    NULL, e);
		if (found < 0)
			return (found);
		if (found == 0) {
			missing(c, &id);
			continue;
		}
		memcpy(rec + PAGEMAP_KEY, id.b, ID_LEN);
		store_le64(rec + PAGEMAP_KEY + ID_LEN, where_plain(&at));
		if ((rc = sorter_add(c->refs, rec, sizeof(rec), e)) != 0)
			return (rc);
	}
	return (rc);
}

/* All was noted: count each path, and each blob of a path, once. */
static int
count_refs(struct count *c, struct err *e)
{
	uint8_t last[REF_LEN] = { 0 };
	bool any = false;
	const void *p;
	size_t len;
	int rc;

	while ((rc = sorter_next(c->refs, &p, &len, e)) > 0) {
		if (!any || memcmp(last, p, PAGEMAP_KEY) != 0)
			c->s->files++;
		if (!any || memcmp(last, p, PAGEMAP_KEY + ID_LEN) != 0) {
			c->s->blobs++;
			c->s->size += load_le64((const uint8_t *)p +
			    PAGEMAP_KEY + ID_LEN);
		}
		memcpy(last, p, REF_LEN);
		any = true;
	}
	return (rc);
}

/* Entries without blobs (folders too) are one empty file, as for restic. */
static int
count_contents(struct count *c, struct err *e)
{
	uint64_t value;
	struct id hash;
	int rc;

	if ((rc = hash_content(c, &hash, e)) != 0 ||
	    (rc = pagemap_find(c->contents, hash.b, &value, e)) != 0)
		return (rc < 0 ? rc : 0);
	if ((rc = pagemap_put(c->contents, hash.b, 0, e)) != 0)
		return (rc);
	if (c->o->mode == STATS_BLOBS_PER_FILE)
		return (note_refs(c, e));
	c->s->files++;
	c->s->size += c->walk.node.size;
	return (0);
}

/* ---- raw-data ---- */

static void
add_blob(struct count *c, const struct where *at)
{
	uint64_t whole = (uint64_t)where_plain(at) + SEAL_OVERHEAD;

	c->s->blobs++;
	c->s->size += at->length;
	if (c->r->version < 2)
		return;
	c->s->plain += whole;
	if (at->plain != 0) {
		c->s->packed += at->length;
		c->s->packed_plain += whole;
	}
}

static int
count_blobs(struct count *c, struct err *e)
{
	struct content_reader r;
	struct where at;
	uint64_t pos;
	struct id id;
	int rc, n;

	content_begin(&r, &c->walk.ts, &c->walk.node);
	while ((rc = content_next(&r, &id, e)) > 0) {
		n = blobmap_find(c->r->map, BLOB_DATA, &id, true, &at, &pos,
		    e);
		if (n == 0)
			missing(c, &id);
		if (n > 0 && (n = marks_set(c->seen, pos, e)) > 0)
			add_blob(c, &at);
		if (n < 0)
			return (n);
	}
	return (rc);
}

/* ---- walking ---- */

/* Is this the first time? 1; 0 when not; or ERR_*. Raw data counts trees too. */
static int
first_visit(struct count *c, const struct id *tree, struct err *e)
{
	struct where at;
	uint64_t pos;
	int rc;

	rc = blobmap_find(c->r->map, BLOB_TREE, tree, true, &at, &pos, e);
	if (rc == 0)
		return (1);	/* loading it will say what is wrong */
	if (rc > 0 && (rc = marks_set(c->seen, pos, e)) > 0 &&
	    c->o->mode == STATS_RAW_DATA)
		add_blob(c, &at);
	return (rc);
}

static int
enter_once(struct count *c, struct err *e)
{
	const struct node *n = &c->walk.node;
	struct err why = ERR_INIT;
	struct note note;
	int rc;

	if (n->has_subtree && (rc = first_visit(c, &n->subtree, e)) <= 0)
		return (rc);
	note = begin_note(c, &n->subtree);
	rc = treewalk_enter(&c->walk, &note, &why);
	return (forgive(c, rc, &why, e));
}

static int
on_node(struct count *c, struct err *e)
{
	const struct node *n = &c->walk.node;
	int rc = 0;

	meter_add(&c->o->meter->files, 1);
	meter_add(&c->o->meter->bytes, n->size);
	if (c->o->mode == STATS_RESTORE_SIZE)
		return (count_restore(c, e));
	if (c->o->mode != STATS_RAW_DATA)
		rc = count_contents(c, e);
	else if (n->type == NODE_FILE)
		rc = count_blobs(c, e);
	return (rc != 0 || n->type != NODE_DIR ? rc : enter_once(c, e));
}

static int
on_leave(struct count *c, struct err *e)
{
	struct note note;

	if (c->o->mode != STATS_RESTORE_SIZE)
		return (0);
	memcpy(&note, c->walk.note, sizeof(note));
	return (remember(c, &note, e));
}

static int
walk(struct count *c, struct err *e)
{
	struct err why = ERR_INIT;
	int ev, rc;

	while ((ev = treewalk_next(&c->walk, &why)) != WALK_END) {
		if (ev < 0) {
			*e = why;
			return (ev);
		}
		rc = ev == WALK_NODE ? on_node(c, &why) :
		    ev == WALK_LEAVE ? on_leave(c, &why) : ERR_CORRUPT;
		if ((rc = forgive(c, rc, &why, e)) != 0 ||
		    (rc = repo_stopped(c->r, e)) != 0)
			return (rc);
	}
	return (0);
}

/* 1: this root is to be walked; 0: all of it is known; or ERR_*. */
static int
begin_root(struct count *c, const struct id *tree, struct err *e)
{
	int rc;

	if (c->o->mode != STATS_RESTORE_SIZE)
		return (first_visit(c, tree, e));
	pagemap_free(c->linked);
	c->linked = NULL;
	rc = recall(c, tree, e);
	return (rc < 0 ? rc : !rc);
}

static int
count_snapshot(struct count *c, const struct snapshot *s, struct err *e)
{
	struct note note = begin_note(c, &s->tree);
	struct err why = ERR_INIT;
	int rc;

	c->snap = s;
	c->s->snapshots++;
	c->walk.path.len = 0;
	if ((rc = begin_root(c, &s->tree, e)) <= 0)
		return (rc);
	rc = treewalk_open(&c->walk, c->r, &s->tree, sizeof(note), &why);
	if (rc == 0)
		rc = walk(c, e);
	else
		rc = forgive(c, rc, &why, e);
	treewalk_close(&c->walk);
	if (rc == 0 && c->o->mode == STATS_RESTORE_SIZE)
		rc = remember(c, &note, e);
	return (rc);
}

/* ---- the whole ---- */

static int
open_sets(struct count *c, struct err *e)
{
	const char *dir = c->r->state->scratch;
	int rc;

	if (c->o->mode == STATS_RESTORE_SIZE) {
		rc = pagemap_new(&c->known, dir, e);
		return (rc != 0 ? rc : spill_open(&c->totals, dir,
		    TOTALS_WINDOW, e));
	}
	rc = marks_new(&c->seen, dir, blobmap_records(c->r->map), MARKS_MEM,
	    e);
	if (rc == 0 && c->o->mode != STATS_RAW_DATA)
		rc = pagemap_new(&c->contents, dir, e);
	if (rc == 0 && c->o->mode == STATS_BLOBS_PER_FILE)
		rc = sorter_new(&c->refs, dir, (size_t)CONFIG_SORT_KIB * 1024,
		    sort_bytes, e);
	return (rc);
}

static void
close_sets(struct count *c)
{

	pagemap_free(c->linked);
	pagemap_free(c->known);
	pagemap_free(c->contents);
	spill_close(&c->totals);
	marks_free(c->seen);
	sorter_free(c->refs);
}

/* One more: 1; 0 when all were counted; or ERR_*. */
static int
next_snapshot(struct count *c, struct chosen *chosen, struct err *e)
{
	struct snapshot s;
	int rc, n;

	snapshot_init(&s);
	rc = chosen_next(chosen, &s, e);
	if (rc > 0 && (n = count_snapshot(c, &s, e)) != 0)
		rc = n;
	snapshot_free(&s);
	return (rc);
}

int
stats_run(struct repo *r, struct chosen *chosen,
    const struct stats_opts *opts, struct stats *ret, struct err *e)
{
	struct count *c;
	int rc;

	memset(ret, 0, sizeof(*ret));
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (err_nomem(e));
	c->r = r;
	c->o = opts;
	c->s = ret;
	c->totals.fd = -1;
	if ((rc = open_sets(c, e)) == 0)
		while ((rc = next_snapshot(c, chosen, e)) > 0)
			;
	if (rc == 0 && opts->mode == STATS_BLOBS_PER_FILE)
		rc = count_refs(c, e);
	close_sets(c);
	free(c);
	return (rc);
}
