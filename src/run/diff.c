#include "run/diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "crypto/sha256.h"

enum {
	LEVELS_WINDOW = 16384,
	PATH_CEILING = 1 << 20,
	REC_LEN = ID_LEN + 2, /* id, type, which sets it is in */
	BEFORE = 1,
	AFTER = 2,
	COMMON = 4,          /* below a folder that is the same in both */
};

/* What is being read. */
enum mode {
	BOTH,
	ONLY_OLD,            /* a removed folder, from side 0 */
	ONLY_NEW,            /* an added one, from side 1 */
	SAME,                /* one that did not change, from side 0 */
};

struct side {
	struct tree_stack ts;
	struct tree at;
	struct node node;
	bool ahead;          /* node was read and not dealt with yet */
	bool done;           /* no more nodes in the present tree */
};

/* What lies on the stack of levels for each folder above. */
struct level {
	enum mode mode;
	struct tree at[2];
	bool ahead[2], done[2];
	size_t path_len;
};

struct diff {
	struct repo *r;
	const struct diff_opts *o;
	struct diff_stats *s;
	const struct id *snaps;
	struct side side[2];
	enum mode mode;
	struct spill levels;
	unsigned depth;
	struct buf path;     /* of the node in hand */
	size_t path_len;     /* and of its folder */
	struct sorter *blobs;
	struct content_reader content[2];
};

/* ---- telling ---- */

static void
problem(struct diff *d, int side, const struct err *why)
{

	d->o->problem(d->o->cookie, &d->snaps[side], d->path.len > 0 ?
	    (const char *)d->path.p : "/", why);
}

/* The path of a node in the present folder; folders' get a slash behind it. */
static int
set_path(struct diff *d, const struct node *n, bool slash, struct err *e)
{
	int rc;

	d->path.len = d->path_len;
	if ((rc = buf_add(&d->path, "/", 1, e)) != 0 ||
	    (rc = buf_add(&d->path, n->name, n->name_len, e)) != 0 ||
	    (slash && (rc = buf_add(&d->path, "/", 1, e)) != 0))
		return (rc);
	return (buf_nul(&d->path, e));
}

static int
tell(struct diff *d, unsigned change, struct err *e)
{

	if (change == 0)
		return (0);
	return (d->o->change(d->o->cookie, change, (const char *)d->path.p,
	    e));
}

/* ---- blobs ---- */

static int
add_blob(struct diff *d, const struct id *id, enum blob_type type,
    unsigned set, struct err *e)
{
	uint8_t rec[REC_LEN];

	memcpy(rec, id->b, ID_LEN);
	rec[ID_LEN] = (uint8_t)type;
	rec[ID_LEN + 1] = (uint8_t)set;
	return (sorter_add(d->blobs, rec, sizeof(rec), e));
}

/* All that the node of a side names. */
static int
add_blobs(struct diff *d, int side, unsigned set, struct err *e)
{
	struct content_reader *c = &d->content[side];
	struct side *s = &d->side[side];
	struct err why = ERR_INIT;
	struct id id;
	int rc, n;

	if (s->node.type == NODE_DIR && s->node.has_subtree)
		return (add_blob(d, &s->node.subtree, BLOB_TREE, set, e));
	if (s->node.type != NODE_FILE)
		return (0);
	content_begin(c, &s->ts, &s->node);
	while ((rc = content_next(c, &id, &why)) > 0)
		if ((n = add_blob(d, &id, BLOB_DATA, set, e)) != 0)
			return (n);
	if (rc != 0 && problem_ends_run(rc))
		*e = why;
	else if (rc != 0)
		problem(d, side, &why);
	return (problem_ends_run(rc) ? rc : 0);
}

/* One blob, with all sets it is in, goes to the side that alone has it. */
static int
count_blob(struct diff *d, const struct id *id, enum blob_type type,
    unsigned sets, struct err *e)
{
	struct diff_side *to = sets == BEFORE ? &d->s->removed :
	    sets == AFTER ? &d->s->added : NULL;
	struct err why = ERR_INIT;
	char hex[ID_HEX + 1];
	struct where at;
	int rc;

	if (to == NULL)
		return (0);
	if (type == BLOB_TREE)
		to->tree_blobs++;
	else
		to->data_blobs++;
	rc = blobmap_find(d->r->map, type, id, true, &at, NULL, e);
	if (rc > 0)
		to->bytes += where_plain(&at);
	if (rc == 0) {
		(void)err_set(&why, ERR_CORRUPT, "the repository lacks the "
		    "%s blob %s", type == BLOB_TREE ? "tree" : "data",
		    id_hex(id, hex));
		d->o->problem(d->o->cookie, &d->snaps[sets == AFTER], NULL,
		    &why);
	}
	return (rc < 0 ? rc : 0);
}

static int
count_blobs(struct diff *d, struct err *e)
{
	const uint8_t *rec;
	const void *p;
	struct id id;
	uint8_t type = 0;
	unsigned sets = 0;
	size_t len;
	int rc, n;

	while ((rc = sorter_next(d->blobs, &p, &len, e)) > 0) {
		rec = p;
		if (sets != 0 && (memcmp(id.b, rec, ID_LEN) != 0 ||
		    type != rec[ID_LEN])) {
			n = count_blob(d, &id, (enum blob_type)type, sets, e);
			if (n != 0)
				return (n);
			sets = 0;
		}
		memcpy(id.b, rec, ID_LEN);
		type = rec[ID_LEN];
		sets |= rec[ID_LEN + 1];
	}
	if (rc == 0 && sets != 0)
		rc = count_blob(d, &id, (enum blob_type)type, sets, e);
	return (rc);
}

/* ---- two nodes of one name ---- */

/* Are the files' lists of blobs the same? 1, 0, or ERR_*. */
static int
same_content(struct diff *d, struct err *e)
{
	const struct node *x = &d->side[0].node, *y = &d->side[1].node;
	struct id a, b;
	int rx, ry;

	if (x->has_content != y->has_content || x->n_content != y->n_content)
		return (0);
	content_begin(&d->content[0], &d->side[0].ts, x);
	content_begin(&d->content[1], &d->side[1].ts, y);
	for (;;) {
		rx = content_next(&d->content[0], &a, e);
		ry = rx < 0 ? rx : content_next(&d->content[1], &b, e);
		if (rx < 0 || ry < 0)
			return (rx < 0 ? rx : ry);
		if (rx == 0 || ry == 0)
			return (rx == ry);
		if (!id_eq(&a, &b))
			return (0);
	}
}

/* Attributes in any order: the sum of the hashes of each. */
static int
add_xattr(void *cookie, const char *name, const void *value, size_t len,
    struct err *e)
{
	uint64_t *sum = cookie;
	struct sha256 sha;
	struct id hash;
	int i;

	(void)e;
	sha256_begin(&sha);
	sha256_update(&sha, name, strlen(name) + 1);
	sha256_update(&sha, value, len);
	sha256_end(&sha, &hash);
	for (i = 0; i < 4; i++)
		sum[i] += load_le64(hash.b + 8 * i);
	return (0);
}

static int
same_xattrs(struct diff *d, struct err *e)
{
	uint64_t sum[2][4] = { { 0 } };
	int i, rc;

	if (d->side[0].node.n_xattrs != d->side[1].node.n_xattrs)
		return (0);
	for (i = 0; i < 2; i++) {
		rc = tree_xattrs(&d->side[i].ts, &d->side[i].node, add_xattr,
		    sum[i], e);
		if (rc != 0)
			return (rc);
	}
	return (memcmp(sum[0], sum[1], sizeof(sum[0])) == 0);
}

/* All but content and names of attributes; names of nodes are the same. */
static bool
same_fields(const struct node *x, const struct node *y)
{

	return (x->type == y->type && x->mode == y->mode &&
	    when_cmp(&x->mtime, &y->mtime) == 0 &&
	    when_cmp(&x->atime, &y->atime) == 0 &&
	    when_cmp(&x->ctime, &y->ctime) == 0 && x->uid == y->uid &&
	    x->gid == y->gid && strcmp(x->user, y->user) == 0 &&
	    strcmp(x->group, y->group) == 0 && x->inode == y->inode &&
	    x->device_id == y->device_id && x->size == y->size &&
	    x->links == y->links && x->device == y->device &&
	    x->target_len == y->target_len &&
	    memcmp(x->target, y->target, x->target_len) == 0 &&
	    x->has_subtree == y->has_subtree && (!x->has_subtree ||
	    id_eq(&x->subtree, &y->subtree)));
}

/* All but content, of nodes of one name: 1, 0, or ERR_*. */
static int
same_metadata(struct diff *d, struct err *e)
{

	return (same_fields(&d->side[0].node, &d->side[1].node) ?
	    same_xattrs(d, e) : 0);
}

/* What has changed; 0: nothing; or ERR_*. */
static int
compare(struct diff *d, struct err *e)
{
	const struct node *x = &d->side[0].node, *y = &d->side[1].node;
	int change = x->type != y->type ? DIFF_TYPE : 0, content, meta;
	bool modified;

	if ((content = same_content(d, e)) < 0)
		return (content);
	modified = x->type == NODE_FILE && y->type == NODE_FILE && !content;
	if (!modified && !d->o->metadata)
		return (change);
	if ((meta = same_metadata(d, e)) < 0)
		return (meta);
	if (modified) {
		d->s->changed++;
		return (change | DIFF_CONTENT | (meta ? DIFF_BITROT : 0));
	}
	return (change | (content && meta ? 0 : DIFF_METADATA));
}

/* ---- levels ---- */

static bool
reads(enum mode mode, int side)
{

	return (mode == BOTH || (side == 1) == (mode == ONLY_NEW));
}

/* Load the trees of a level; what cannot be loaded is told: then 0, else 1. */
static int
push_trees(struct diff *d, enum mode mode, struct tree ret[2], struct err *e)
{
	struct err why = ERR_INIT;
	int i, rc = 0;

	for (i = 0; i < 2; i++) {
		struct side *s = &d->side[i];

		if (!reads(mode, i))
			continue;
		rc = s->node.has_subtree ? tree_push(&s->ts, &s->node.subtree,
		    &ret[i], &why) : err_set(&why, ERR_CORRUPT,
		    "its list is missing in the snapshot");
		if (rc != 0)
			break;
	}
	if (rc == 0)
		return (1);
	if (i == 1 && reads(mode, 0))
		tree_pop(&d->side[0].ts, &ret[0]);
	if (problem_ends_run(rc)) {
		*e = why;
		return (rc);
	}
	problem(d, i, &why);
	return (0);
}

/* Go into the folder (or both) that was dealt with last. */
static int
enter(struct diff *d, enum mode mode, struct err *e)
{
	struct level l;
	struct tree child[2];
	int i, rc;

	if ((rc = push_trees(d, mode, child, e)) <= 0)
		return (rc);
	memset(&l, 0, sizeof(l));
	l.mode = d->mode;
	l.path_len = d->path_len;
	for (i = 0; i < 2; i++) {
		l.at[i] = d->side[i].at;
		l.ahead[i] = d->side[i].ahead;
		l.done[i] = d->side[i].done;
	}
	if ((rc = spill_push(&d->levels, &l, sizeof(l), e)) != 0)
		return (rc);
	for (i = 0; i < 2; i++) {
		if (!reads(mode, i))
			continue;
		d->side[i].at = child[i];
		d->side[i].ahead = d->side[i].done = false;
	}
	d->mode = mode;
	d->depth++;
	d->path_len = d->path.len;
	if (d->path_len > 0 && d->path.p[d->path_len - 1] == '/')
		d->path_len--;
	return (0);
}

/* Back to the folder above: 1; 0 when there is none; or ERR_*. */
static int
leave(struct diff *d, struct err *e)
{
	uint64_t at = spill_top(&d->levels) - sizeof(struct level);
	struct level l;
	int i, rc;

	for (i = 0; i < 2; i++)
		if (reads(d->mode, i))
			tree_pop(&d->side[i].ts, &d->side[i].at);
	if (d->depth == 0)
		return (0);
	if ((rc = spill_read(&d->levels, at, &l, sizeof(l), e)) != 0)
		return (rc);
	spill_cut(&d->levels, at);
	for (i = 0; i < 2; i++) {
		d->side[i].at = l.at[i];
		d->side[i].ahead = l.ahead[i];
		d->side[i].done = l.done[i];
	}
	d->mode = l.mode;
	d->path_len = l.path_len;
	d->depth--;
	return (1);
}

/* ---- nodes ---- */

static void
count_node(struct diff_side *s, const struct node *n)
{

	if (n->type == NODE_FILE)
		s->files++;
	else if (n->type == NODE_DIR)
		s->dirs++;
	else
		s->others++;
}

/* Of one side only: in a folder of both, or below one that is of one side. */
static int
one_node(struct diff *d, int side, struct err *e)
{
	struct side *s = &d->side[side];
	bool dir = s->node.type == NODE_DIR;
	int rc;

	s->ahead = false;
	if ((rc = set_path(d, &s->node, dir, e)) != 0 ||
	    (rc = add_blobs(d, side, d->mode == SAME ? COMMON : side == 0 ?
	    BEFORE : AFTER, e)) != 0)
		return (rc);
	if (d->mode != SAME) {
		count_node(side == 0 ? &d->s->removed : &d->s->added,
		    &s->node);
		rc = tell(d, side == 0 ? DIFF_REMOVED : DIFF_ADDED, e);
	}
	if (rc != 0 || !dir)
		return (rc);
	return (enter(d, d->mode == SAME ? SAME : side == 0 ? ONLY_OLD :
	    ONLY_NEW, e));
}

static int
two_nodes(struct diff *d, struct err *e)
{
	const struct node *x = &d->side[0].node, *y = &d->side[1].node;
	struct err why = ERR_INIT;
	int rc, change;

	d->side[0].ahead = d->side[1].ahead = false;
	if ((rc = set_path(d, y, y->type == NODE_DIR, e)) != 0 ||
	    (rc = add_blobs(d, 0, BEFORE, e)) != 0 ||
	    (rc = add_blobs(d, 1, AFTER, e)) != 0)
		return (rc);
	if ((change = compare(d, &why)) < 0) {
		if (problem_ends_run(change)) {
			*e = why;
			return (change);
		}
		problem(d, 1, &why);
		return (0);
	}
	if ((rc = tell(d, (unsigned)change, e)) != 0 || x->type != NODE_DIR ||
	    y->type != NODE_DIR)
		return (rc);
	return (enter(d, x->has_subtree && y->has_subtree &&
	    id_eq(&x->subtree, &y->subtree) ? SAME : BOTH, e));
}

/* Read a node ahead, if it is this side's turn. */
static int
advance(struct diff *d, int side, struct err *e)
{
	struct side *s = &d->side[side];
	struct err why = ERR_INIT;
	int rc;

	if (!reads(d->mode, side) || s->ahead || s->done)
		return (0);
	rc = tree_next(&s->ts, &s->at, &s->node, &why);
	s->ahead = rc > 0;
	s->done = rc <= 0;
	if (rc >= 0)
		return (0);
	if (problem_ends_run(rc)) {
		*e = why;
		return (rc);
	}
	/* What the other side has beyond this cannot be compared. */
	d->path.len = d->path_len;
	if (d->path.p != NULL)
		d->path.p[d->path.len] = '\0';
	problem(d, side, &why);
	for (side = 0; d->mode == BOTH && side < 2; side++) {
		d->side[side].ahead = false;
		d->side[side].done = true;
	}
	return (0);
}

/* <0: the first side's name is next; 0: both have it; >0: the second's is. */
static int
order(const struct diff *d)
{
	const struct node *x = &d->side[0].node, *y = &d->side[1].node;
	size_t n = x->name_len < y->name_len ? x->name_len : y->name_len;
	int c;

	if (d->mode != BOTH)
		return (d->mode == ONLY_NEW ? 1 : -1);
	if (!d->side[0].ahead || !d->side[1].ahead)
		return (d->side[0].ahead ? -1 : 1);
	if ((c = memcmp(x->name, y->name, n)) != 0)
		return (c);
	return (x->name_len < y->name_len ? -1 : x->name_len > y->name_len);
}

static int
walk(struct diff *d, struct err *e)
{
	int rc, c;

	for (;;) {
		if ((rc = advance(d, 0, e)) != 0 ||
		    (rc = advance(d, 1, e)) != 0 ||
		    (rc = repo_stopped(d->r, e)) != 0)
			return (rc);
		if (!(reads(d->mode, 0) && d->side[0].ahead) &&
		    !(reads(d->mode, 1) && d->side[1].ahead)) {
			if ((rc = leave(d, e)) <= 0)
				return (rc);
			continue;
		}
		c = order(d);
		rc = c == 0 ? two_nodes(d, e) : one_node(d, c > 0, e);
		if (rc != 0)
			return (rc);
	}
}

/* ---- the whole ---- */

static int
open_sides(struct diff *d, const struct id trees[2], struct err *e)
{
	const char *dir = d->r->state->scratch;
	int i, rc;

	d->levels.fd = -1;
	d->path.max = PATH_CEILING;
	if ((rc = spill_open(&d->levels, dir, LEVELS_WINDOW, e)) != 0 ||
	    (rc = sorter_new(&d->blobs, dir, (size_t)CONFIG_SORT_KIB * 1024,
	    sort_bytes, e)) != 0)
		return (rc);
	for (i = 0; i < 2; i++) {
		if ((rc = tree_stack_open(&d->side[i].ts, d->r, e)) != 0)
			return (rc);
		rc = tree_push(&d->side[i].ts, &trees[i], &d->side[i].at, e);
		if (rc != 0)
			return (rc);
	}
	if ((rc = add_blob(d, &trees[0], BLOB_TREE, BEFORE, e)) != 0)
		return (rc);
	return (add_blob(d, &trees[1], BLOB_TREE, AFTER, e));
}

static void
close_sides(struct diff *d)
{

	tree_stack_close(&d->side[0].ts);
	tree_stack_close(&d->side[1].ts);
	sorter_free(d->blobs);
	spill_close(&d->levels);
	buf_free(&d->path);
}

int
diff_run(struct repo *r, const struct id trees[2], const struct id snaps[2],
    const struct diff_opts *opts, struct diff_stats *ret, struct err *e)
{
	struct diff *d;
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (id_eq(&trees[0], &trees[1]))
		return (0);
	if ((d = calloc(1, sizeof(*d))) == NULL)
		return (err_nomem(e));
	d->r = r;
	d->o = opts;
	d->s = ret;
	d->snaps = snaps;
	d->mode = BOTH;
	if ((rc = open_sides(d, trees, e)) == 0 && (rc = walk(d, e)) == 0)
		rc = count_blobs(d, e);
	close_sides(d);
	free(d);
	return (rc);
}
