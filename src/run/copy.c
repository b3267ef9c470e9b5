#include "run/copy.h"

#include <stdlib.h>
#include <string.h>

#include "base/spill.h"
#include "crypto/sha256.h"
#include "run/repack.h"
#include "run/treewalk.h"
#include "state/marks.h"

enum {
	SELECT_MEM = 256 * 1024,
	MARKS_MEM = 128 * 1024,
	BATCH_WINDOW = 4096,
	BATCH_PACKS = 100,   /* a batch ends when it has so many packs' worth */

	/* Records of the search for copies: the original's id, a hash of all that
	 * a copy has in common with it, then the target's snapshots before the
	 * source's, each with its id; the source's with their time in between. */
	JOIN_WORDS = ID_LEN,
	JOIN_SIDE = 2 * ID_LEN,
	JOIN_THEIRS = JOIN_SIDE + 1,
	JOIN_TIME = JOIN_SIDE + 1,
	JOIN_OURS = JOIN_TIME + 12,
	JOIN_THEIRS_LEN = JOIN_THEIRS + ID_LEN,
	JOIN_OURS_LEN = JOIN_OURS + ID_LEN,
	/* A selected one: time and id. */
	SELECTED_LEN = 12 + ID_LEN,
};

/* ---- what was copied before ---- */

static void
hash_text(struct sha256 *sha, const char *s)
{

	sha256_update(sha, s, strlen(s) + 1);
}

static void
hash_list(struct sha256 *sha, const struct text_list *l)
{
	const char *s = NULL;
	uint8_t n[4];

	store_le32(n, l->n);
	sha256_update(sha, n, sizeof(n));
	while ((s = text_list_next(l, s)) != NULL)
		hash_text(sha, s);
}

/* All that a snapshot and its copy have in common; its lists get sorted. */
static int
hash_words(struct snapshot *s, struct id *ret, struct err *e)
{
	struct sha256 sha;
	uint8_t n[20];
	int rc;

	if ((rc = text_list_sort(&s->paths, e)) != 0 ||
	    (rc = text_list_sort(&s->tags, e)) != 0)
		return (rc);
	store_le64(n, (uint64_t)s->time.sec);
	store_le32(n + 8, (uint32_t)s->time.nsec);
	store_le32(n + 12, s->uid);
	store_le32(n + 16, s->gid);
	sha256_begin(&sha);
	sha256_update(&sha, n, sizeof(n));
	sha256_update(&sha, s->tree.b, ID_LEN);
	hash_text(&sha, s->host);
	hash_text(&sha, s->user);
	hash_list(&sha, &s->paths);
	hash_list(&sha, &s->tags);
	hash_list(&sha, &s->excludes);
	sha256_end(&sha, ret);
	return (0);
}

static void
join_key(uint8_t *rec, const struct id *original, const struct id *words,
    int side)
{

	memcpy(rec, original->b, ID_LEN);
	memcpy(rec + JOIN_WORDS, words->b, ID_LEN);
	rec[JOIN_SIDE] = (uint8_t)side;
}

/* A snapshot of the target: the copy of its original, and of one of its name. */
static int
add_theirs(void *cookie, struct snapshot *s, struct err *e)
{
	uint8_t rec[JOIN_THEIRS_LEN];
	struct id words;
	int rc;

	if ((rc = hash_words(s, &words, e)) != 0)
		return (rc);
	memcpy(rec + JOIN_THEIRS, s->id.b, ID_LEN);
	join_key(rec, &s->id, &words, 0);
	if ((rc = sorter_add(cookie, rec, sizeof(rec), e)) != 0 ||
	    !s->has_original)
		return (rc);
	join_key(rec, &s->original, &words, 0);
	return (sorter_add(cookie, rec, sizeof(rec), e));
}

static int
add_ours(struct sorter *join, struct snapshot *s, struct err *e)
{
	uint8_t rec[JOIN_OURS_LEN];
	struct id words;
	int rc;

	if ((rc = hash_words(s, &words, e)) != 0)
		return (rc);
	join_key(rec, s->has_original ? &s->original : &s->id, &words, 1);
	store_be64(rec + JOIN_TIME, (uint64_t)s->time.sec ^ 1ull << 63);
	store_le32(rec + JOIN_TIME + 8,
	    __builtin_bswap32((uint32_t)s->time.nsec));
	memcpy(rec + JOIN_OURS, s->id.b, ID_LEN);
	return (sorter_add(join, rec, sizeof(rec), e));
}

static int
add_all(struct sorter *join, struct repo *to, struct chosen *chosen,
    struct err *e)
{
	struct snapshot s;
	int rc, rc2;

	if ((rc = snapshot_list(to, NULL, add_theirs, join, NULL, e)) != 0)
		return (rc);
	do {
		snapshot_init(&s);
		rc = chosen_next(chosen, &s, e);
		if (rc > 0 && (rc2 = add_ours(join, &s, e)) != 0)
			rc = rc2;
		snapshot_free(&s);
	} while (rc > 0);
	return (rc);
}

/* The source's snapshot ${id} is there already, as ${copy}. */
static int
skip(struct repo *from, const struct id *id, const struct id *copy,
    const struct copy_opts *o, struct copy_stats *stats, struct err *e)
{
	struct snapshot s;
	int rc;

	stats->skipped++;
	if (!o->tell_skipped)
		return (0);
	snapshot_init(&s);
	if ((rc = snapshot_load(from, id, &s, e)) == 0)
		o->event(o->cookie, COPY_SKIPPED, &s, copy);
	snapshot_free(&s);
	return (rc);
}

int
copy_select(struct sorter **ret, struct repo *from, struct repo *to,
    struct chosen *chosen, const struct copy_opts *opts,
    struct copy_stats *stats, struct err *e)
{
	const char *dir = to->state->scratch;
	uint8_t theirs[JOIN_THEIRS_LEN];
	struct sorter *join = NULL;
	bool any = false;
	const uint8_t *rec;
	const void *p;
	struct id id, copy;
	size_t len;
	int rc;

	*ret = NULL;
	memset(stats, 0, sizeof(*stats));
	if ((rc = sorter_new(&join, dir, SELECT_MEM, sort_bytes, e)) != 0 ||
	    (rc = sorter_new(ret, dir, SELECT_MEM, sort_bytes, e)) != 0 ||
	    (rc = add_all(join, to, chosen, e)) != 0)
		goto out;
	while ((rc = sorter_next(join, &p, &len, e)) > 0) {
		rec = p;
		if (rec[JOIN_SIDE] == 0) {
			memcpy(theirs, rec, sizeof(theirs));
			any = true;
			continue;
		}
		if (any && memcmp(theirs, rec, JOIN_SIDE) == 0) {
			memcpy(id.b, rec + JOIN_OURS, ID_LEN);
			memcpy(copy.b, theirs + JOIN_THEIRS, ID_LEN);
			rc = skip(from, &id, &copy, opts, stats, e);
		} else {
			rc = sorter_add(*ret, rec + JOIN_TIME, SELECTED_LEN,
			    e);
		}
		if (rc != 0)
			break;
	}

out:
	sorter_free(join);
	return (rc);
}

/* ---- what a snapshot needs ---- */

struct copying {
	struct repo *from, *to;
	const struct copy_opts *o;
	struct copy_stats *stats;
	struct sorter *selected;
	struct marks *seen;  /* blobs of the source that were looked at, by their
				positions in its map */
	struct sorter *list; /* of those, what is to be copied */
	uint64_t blobs, bytes; /* in it */
	struct spill batch;  /* ids of its snapshots */
	bool lossy;          /* something of the source could not be read: what
				was seen need not have been copied */

	/* the snapshot at hand */
	struct treewalk walk;
	const struct snapshot *snap;
	struct marks *proven; /* trees, when it is proven */
	struct err why;      /* why it cannot be copied */
	bool failed;
};

/* It cannot be copied, for this reason; what else is wrong with it is not told. */
static int
give_up(struct copying *c, const char *path, const struct err *why,
    struct err *e)
{

	if (problem_ends_run(why->code)) {
		*e = *why;
		return (why->code);
	}
	if (!c->failed)
		c->o->problem(c->o->cookie, &c->snap->id, path, why);
	c->failed = true;
	c->lossy = true;
	return (0);
}

/* The blob is needed: 1 it was not seen before, 0 it was (or is lost: told). */
static int
need(struct copying *c, enum blob_type type, const struct id *id,
    struct err *e)
{
	struct pack_entry x = { .id = *id, .type = type };
	struct err why = ERR_INIT;
	char hex[ID_HEX + 1];
	struct where at;
	uint64_t pos;
	int rc;

	rc = blobmap_find(c->from->map, type, id, true, &at, &pos, e);
	if (rc == 0) {
		(void)err_set(&why, ERR_CORRUPT, "the source lacks its blob "
		    "%s", id_hex(id, hex));
		return (give_up(c, problem_node(&c->walk), &why, e));
	}
	if (rc < 0 || (rc = marks_set(c->seen, pos, e)) <= 0)
		return (rc);
	if ((rc = blobmap_has(c->to->map, type, id, e)) != 0)
		return (rc < 0 ? rc : 1);
	x.length = at.length;
	x.plain = at.plain;
	c->blobs++;
	c->bytes += at.length;
	rc = repack_add(c->list, at.pack, &x, at.offset, e);
	return (rc != 0 ? rc : 1);
}

/*
 * Is the blob in the target? 1 and not proven before, 0 and it was (or it is not
 * there: told).
 */
static int
prove(struct copying *c, enum blob_type type, const struct id *id,
    struct err *e)
{
	struct err why = ERR_INIT;
	char hex[ID_HEX + 1];
	struct where at;
	uint64_t pos;
	int rc;

	if ((rc = blobmap_has(c->to->map, type, id, e)) < 0)
		return (rc);
	if (rc == 0) {
		(void)err_set(&why, ERR_CORRUPT, "its blob %s could not be "
		    "copied", id_hex(id, hex));
		return (give_up(c, problem_node(&c->walk), &why, e));
	}
	if (type == BLOB_DATA)
		return (1);
	rc = blobmap_find(c->from->map, type, id, true, &at, &pos, e);
	return (rc <= 0 ? rc : marks_set(c->proven, pos, e));
}

static int
visit(struct copying *c, enum blob_type type, const struct id *id,
    struct err *e)
{

	return (c->proven != NULL ? prove(c, type, id, e) :
	    need(c, type, id, e));
}

static int
visit_content(struct copying *c, struct err *e)
{
	struct content_reader r;
	struct id id, last;
	bool any = false;
	int rc, rc2;

	content_begin(&r, &c->walk.ts, &c->walk.node);
	while ((rc = content_next(&r, &id, e)) > 0 && !c->failed) {
		if (any && id_eq(&id, &last))	/* a hole is one, many times */
			continue;
		last = id;
		any = true;
		if ((rc2 = visit(c, BLOB_DATA, &id, e)) < 0)
			return (rc2);
	}
	return (rc < 0 ? rc : 0);
}

static int
visit_node(struct copying *c, struct err *e)
{
	const struct node *n = &c->walk.node;
	struct err why = ERR_INIT;
	int rc;

	if (n->type != NODE_DIR)
		return (visit_content(c, e));
	if (n->has_subtree && (rc = visit(c, BLOB_TREE, &n->subtree, e)) <= 0)
		return (rc);
	if (treewalk_enter(&c->walk, NULL, &why) == 0)
		return (0);
	return (give_up(c, problem_node(&c->walk), &why, e));
}

static int
walk_tree(struct copying *c, struct err *e)
{
	struct err why = ERR_INIT;
	int ev, rc;

	while (!c->failed && (ev = treewalk_next(&c->walk, &why)) != WALK_END) {
		if (ev < 0) {
			*e = why;
			return (ev);
		}
		if (ev == WALK_BROKEN)
			rc = give_up(c, problem_node(&c->walk), &why, e);
		else
			rc = ev == WALK_NODE ? visit_node(c, e) : 0;
		if (rc != 0 || (rc = repo_stopped(c->from, e)) != 0)
			return (rc);
	}
	return (0);
}

/* Look at all that the snapshot is made of, and was not looked at before. */
static int
walk_snapshot(struct copying *c, const struct snapshot *s, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	c->snap = s;
	c->failed = false;
	c->walk.path.len = 0;
	if ((rc = visit(c, BLOB_TREE, &s->tree, e)) <= 0)
		return (rc);
	if (treewalk_open(&c->walk, c->from, &s->tree, 0, &why) == 0)
		rc = walk_tree(c, e);
	else
		rc = give_up(c, NULL, &why, e);
	treewalk_close(&c->walk);
	return (rc);
}

/* ---- a batch ---- */

/* The next selected snapshot, into an initialised struct: 1, 0, or ERR_*. */
static int
next_selected(struct copying *c, struct snapshot *ret, struct err *e)
{
	const void *p;
	struct id id;
	size_t len;
	int rc;

	if ((rc = sorter_next(c->selected, &p, &len, e)) <= 0)
		return (rc);
	memcpy(id.b, (const uint8_t *)p + 12, ID_LEN);
	rc = snapshot_load(c->from, &id, ret, e);
	return (rc != 0 ? rc : 1);
}

/* Look through one more: 1, 0 when there is none, or ERR_*. */
static int
add_snapshot(struct copying *c, struct err *e)
{
	struct snapshot s;
	int rc, rc2;

	snapshot_init(&s);
	if ((rc = next_selected(c, &s, e)) > 0) {
		c->o->event(c->o->cookie, COPY_STARTED, &s, NULL);
		if ((rc2 = walk_snapshot(c, &s, e)) != 0)
			rc = rc2;
		else if (c->failed)
			c->stats->failed++;
		else if ((rc2 = spill_push(&c->batch, s.id.b, ID_LEN, e)) != 0)
			rc = rc2;
	}
	snapshot_free(&s);
	return (rc);
}

static int
pack_id(void *cookie, uint32_t no, struct id *ret, struct err *e)
{
	struct copying *c = cookie;
	struct pack_info info;
	int rc;

	if ((rc = blobmap_pack(c->from->map, no, &info, e)) == 0)
		*ret = info.id;
	return (rc);
}

static void
on_damaged(void *cookie, const struct err *why)
{
	struct copying *c = cookie;

	c->o->problem(c->o->cookie, NULL, NULL, why);
}

static int
copy_blobs(struct copying *c, struct err *e)
{
	struct repack_opts ro = { .workers = c->o->workers,
	    .pack_size = c->o->pack_size, .level = c->o->level,
	    .into = c->to, .pack_id = pack_id, .damaged = on_damaged,
	    .cookie = c, .meter = c->o->meter, .lock = c->o->lock };
	struct repack_stats rs = { 0 };
	int rc;

	c->stats->blobs += c->blobs;
	c->stats->bytes += c->bytes;
	atomic_store(&c->o->meter->bytes_total, c->stats->bytes);
	c->o->event(c->o->cookie, COPY_BATCH, NULL, NULL);
	rc = repack_run(c->from, c->list, &ro, &rs, e);
	c->stats->packs += rs.packs;
	c->stats->added += rs.new_bytes;
	if (rs.left_out > 0)
		c->lossy = true;
	sorter_reset(c->list);
	c->blobs = c->bytes = 0;
	return (rc);
}

/* Is all of it in the target? It is walked again, since something got lost. */
static int
prove_snapshot(struct copying *c, const struct snapshot *s, struct err *e)
{
	int rc;

	rc = marks_new(&c->proven, c->to->state->scratch,
	    blobmap_records(c->from->map), MARKS_MEM, e);
	if (rc == 0)
		rc = walk_snapshot(c, s, e);
	marks_free(c->proven);
	c->proven = NULL;
	return (rc);
}

/* The parent means nothing there; the original's id is what copies share. */
static int
save_snapshot(struct copying *c, struct snapshot *s, struct err *e)
{
	struct err why = ERR_INIT;
	struct snapshot old = *s; /* a view */
	int rc;

	if ((rc = repo_lock_lost(c->o->lock, e)) != 0 ||
	    (rc = repo_lock_lost(c->o->from_lock, e)) != 0)
		return (rc);
	if (!s->has_original) {
		s->original = s->id;
		s->has_original = true;
	}
	s->has_parent = false;
	if ((rc = snapshot_storable(s, &why)) != 0) {
		c->snap = &old;
		c->failed = false;
		c->stats->failed++;
		return (give_up(c, NULL, &why, e));
	}
	if ((rc = snapshot_save(c->to, s, e)) != 0)
		return (rc);
	c->stats->copied++;
	c->o->event(c->o->cookie, COPY_SAVED, &old, &s->id);
	return (0);
}

static int
finish_snapshot(struct copying *c, const struct id *id, struct err *e)
{
	struct snapshot s;
	int rc;

	snapshot_init(&s);
	if ((rc = snapshot_load(c->from, id, &s, e)) != 0)
		goto out;
	c->failed = false;
	if (c->lossy && (rc = prove_snapshot(c, &s, e)) != 0)
		goto out;
	if (c->failed)
		c->stats->failed++;
	else
		rc = save_snapshot(c, &s, e);

out:
	snapshot_free(&s);
	return (rc);
}

static int
finish_batch(struct copying *c, struct err *e)
{
	uint64_t at, end = spill_top(&c->batch);
	struct id id;
	int rc;

	for (at = 0; at < end; at += ID_LEN)
		if ((rc = repo_stopped(c->to, e)) != 0 ||
		    (rc = spill_read(&c->batch, at, id.b, ID_LEN, e)) != 0 ||
		    (rc = finish_snapshot(c, &id, e)) != 0)
			return (rc);
	spill_cut(&c->batch, 0);
	return (0);
}

/* 1: there may be more; 0: all were copied; or ERR_*. */
static int
copy_batch(struct copying *c, struct err *e)
{
	int more, rc;

	do {
		if ((more = add_snapshot(c, e)) < 0)
			return (more);
	} while (more > 0 && c->bytes < BATCH_PACKS * c->o->pack_size);
	if (c->blobs > 0 && (rc = copy_blobs(c, e)) != 0)
		return (rc);
	return ((rc = finish_batch(c, e)) != 0 ? rc : more);
}

int
copy_run(struct repo *from, struct repo *to, struct sorter *selected,
    const struct copy_opts *opts, struct copy_stats *stats, struct err *e)
{
	const char *dir = to->state->scratch;
	struct copying *c;
	int rc;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (err_nomem(e));
	c->from = from;
	c->to = to;
	c->o = opts;
	c->stats = stats;
	c->selected = selected;
	c->batch.fd = -1;
	if ((rc = marks_new(&c->seen, dir, blobmap_records(from->map),
	    MARKS_MEM, e)) == 0 && (rc = repack_sorter(&c->list, dir, e)) == 0 &&
	    (rc = spill_open(&c->batch, dir, BATCH_WINDOW, e)) == 0)
		while ((rc = copy_batch(c, e)) > 0)
			;
	spill_close(&c->batch);
	sorter_free(c->list);
	marks_free(c->seen);
	free(c);
	return (rc);
}
