#include "run/find.h"

#include <stdlib.h>
#include <string.h>

#include "base/pagemap.h"
#include "repo/index.h"

/* An id that is looked for. */
struct want {
	const char *text;    /* its beginning, in hex */
	size_t len;
	bool resolved;       /* id is the whole of it */
	struct id id;
	uint64_t seen;       /* number of the snapshot that it was met in last */
};

struct finder {
	struct repo *r;
	const struct find_opts *o;
	struct treewalk walk;
	const struct snapshot *snap;
	struct id tree;      /* that the walk is in */
	struct want *want;   /* of blobs or trees: o->n_ids */
	uint64_t n_snaps;
	size_t n_seen;       /* wants met in this snapshot */
	bool ended;          /* by a callback */
	struct pagemap *blobs, *trees; /* what lies in the packs */
};

/* What a callback returned: not to be taken for a failure to read. */
static int
told(struct finder *f, int rc)
{

	f->ended = rc != 0;
	return (rc);
}

/* ---- packs ---- */

/* Called for each blob of a pack. */
typedef int each_blob(struct finder *f, enum blob_type type,
    const struct id *id, struct err *e);

struct pack_walk {
	struct finder *f;
	each_blob *fn;
	const char *text;    /* the pack's id, as far as it is given */
	uint32_t pack;       /* number of the one in the index that fits */
	bool known;
};

static int
from_header(void *cookie, const struct pack_entry *x, uint32_t offset,
    struct err *e)
{
	const struct pack_walk *w = cookie;

	(void)offset;
	return (w->fn(w->f, x->type, &x->id, e));
}

static int
from_index(void *cookie, uint64_t pos, const struct record *rec, struct err *e)
{
	const struct pack_walk *w = cookie;

	(void)pos;
	if (rec->where.pack != w->pack)
		return (0);
	return (w->fn(w->f, rec->where.type, &rec->id, e));
}

/* The pack in the index whose id begins so: sets w->pack. */
static int
find_indexed(struct pack_walk *w, struct err *e)
{
	struct blobmap *m = w->f->r->map;
	uint32_t i, n = blobmap_packs(m);
	char hex[ID_HEX + 1];
	struct pack_info p;
	int rc;

	for (i = 0; i < n; i++) {
		if ((rc = blobmap_pack(m, i, &p, e)) != 0)
			return (rc);
		if (strncmp(id_hex(&p.id, hex), w->text,
		    strlen(w->text)) == 0) {
			w->pack = i;
			w->known = true;
			return (0);
		}
	}
	return (0);
}

/* Its blobs by its own header; if there is none to be had, by the index. */
static int
walk_pack(struct finder *f, const char *text, each_blob *fn, struct err *e)
{
	struct pack_walk w = { .f = f, .fn = fn, .text = text };
	char name[STORE_NAME_MAX];
	struct err why = ERR_INIT;
	uint64_t size;
	struct id id;
	int rc;

	rc = repo_find_id(f->r, REPO_PACK, text, &id, &why);
	if (rc == 0 && (rc = store_stat(f->r->store, repo_name(REPO_PACK, &id,
	    name), &size, &why)) == 0)
		rc = pack_header(f->r, &id, size, from_header, &w, &why);
	if (rc == 0)
		return (0);
	if (rc == ERR_USAGE || problem_ends_run(rc)) {
		*e = why;
		return (rc);
	}
	if ((rc = find_indexed(&w, e)) != 0)
		return (rc);
	if (w.known)
		return (blobmap_scan(f->r->map, from_index, &w, e));
	(void)err_set(e, ERR_ABSENT, "unable to find the pack %s", text);
	return (err_hint(e, "'garner list packs' names those there are"));
}

static int
note_blob(struct finder *f, enum blob_type type, const struct id *id,
    struct err *e)
{

	return (pagemap_put(type == BLOB_TREE ? f->trees : f->blobs, id->b, 0,
	    e));
}

static int
note_packs(struct finder *f, struct err *e)
{
	const char *dir = f->r->state->scratch;
	size_t i;
	int rc;

	if ((rc = pagemap_new(&f->blobs, dir, e)) != 0 ||
	    (rc = pagemap_new(&f->trees, dir, e)) != 0)
		return (rc);
	for (i = 0; i < f->o->n_ids && rc == 0; i++)
		rc = walk_pack(f, f->o->ids[i], note_blob, e);
	return (rc);
}

/* ---- wants ---- */

static int
note_want(struct want *w, const char *text, struct err *e)
{

	w->text = text;
	w->len = strlen(text);
	if (w->len == 0 || w->len > ID_HEX ||
	    strspn(text, "0123456789abcdef") != w->len)
		return (err_set(e, ERR_USAGE, "'%s' is not the beginning of an "
		    "id", text));
	w->resolved = w->len == ID_HEX && id_parse(&w->id, text, w->len);
	return (0);
}

/* Does an id in hex, or the id itself, begin as is wanted? */
static bool
fits(const struct want *w, const struct id *id, const char *hex)
{

	return (w->resolved ? id_eq(&w->id, id) :
	    memcmp(w->text, hex, w->len) == 0);
}

/* The want that ${id} fulfils, or NULL; its first find completes a short id. */
static struct want *
wanted(struct finder *f, const struct id *id)
{
	char hex[ID_HEX + 1];
	size_t i;

	id_hex(id, hex);
	for (i = 0; i < f->o->n_ids; i++) {
		if (!fits(&f->want[i], id, hex))
			continue;
		f->want[i].resolved = true;
		f->want[i].id = *id;
		return (&f->want[i]);
	}
	return (NULL);
}

/* ---- opening ---- */

int
find_open(struct finder **ret, struct repo *r, const struct find_opts *o,
    struct err *e)
{
	struct finder *f;
	size_t i;
	int rc = 0;

	if ((f = calloc(1, sizeof(*f))) == NULL)
		return (err_nomem(e));
	f->r = r;
	f->o = o;
	if (o->kind == FIND_PACKS)
		rc = note_packs(f, e);
	else if (o->n_ids > 0 && (f->want = calloc(o->n_ids,
	    sizeof(*f->want))) == NULL)
		rc = err_nomem(e);
	for (i = 0; f->want != NULL && i < o->n_ids && rc == 0; i++)
		rc = note_want(&f->want[i], o->ids[i], e);
	if (rc != 0) {
		find_close(f);
		return (rc);
	}
	*ret = f;
	return (0);
}

void
find_close(struct finder *f)
{

	if (f == NULL)
		return;
	pagemap_free(f->blobs);
	pagemap_free(f->trees);
	free(f->want);
	free(f);
}

/* ---- one entry ---- */

static bool
in_time(const struct finder *f, const struct when *mtime)
{

	return ((f->o->oldest == NULL || when_cmp(mtime, f->o->oldest) >= 0) &&
	    (f->o->newest == NULL || when_cmp(mtime, f->o->newest) <= 0));
}

/* Names: 1 when the node, a folder, may hold something; 0; or ERR_*. */
static int
match_name(struct finder *f, struct err *e)
{
	const char *path = (const char *)f->walk.path.p;
	const struct node *n = &f->walk.node;
	bool below;
	int rc;

	if (!filter_match(f->o->names, path, &below) ||
	    !in_time(f, &n->mtime))
		return (below);
	rc = told(f, f->o->match(f->o->cookie, f->snap, path, n, e));
	return (rc != 0 ? rc : 1);
}

/* Is this tree looked for, and does it count? 1, 0, or ERR_*. */
static int
counts(struct finder *f, const struct id *tree, struct err *e)
{
	struct want *w;
	uint64_t value;

	if (f->trees != NULL)
		return (pagemap_find(f->trees, tree->b, &value, e));
	if (f->o->kind != FIND_TREES || (w = wanted(f, tree)) == NULL ||
	    w->seen == f->n_snaps)
		return (0);
	w->seen = f->n_snaps;
	f->n_seen++;
	return (1);
}

static int
match_tree(struct finder *f, const struct id *tree, const char *path,
    struct err *e)
{
	int rc;

	if ((rc = counts(f, tree, e)) <= 0)
		return (rc);
	return (told(f, f->o->object(f->o->cookie, f->snap, BLOB_TREE, tree,
	    path, NULL, e)));
}

/* Were all trees met in this snapshot? Then the rest of it holds nothing. */
static bool
all_met(const struct finder *f)
{

	return (f->o->kind == FIND_TREES && f->n_seen == f->o->n_ids);
}

static int
match_content(struct finder *f, struct err *e)
{
	struct content_reader r;
	uint64_t value;
	struct id id;
	int rc, hit;

	content_begin(&r, &f->walk.ts, &f->walk.node);
	while ((rc = content_next(&r, &id, e)) > 0) {
		hit = f->blobs != NULL ? pagemap_find(f->blobs, id.b, &value,
		    e) : wanted(f, &id) != NULL;
		if (hit > 0)
			hit = told(f, f->o->object(f->o->cookie, f->snap,
			    BLOB_DATA, &id, (const char *)f->walk.path.p,
			    &f->tree, e));
		if (hit < 0)
			return (hit);
	}
	return (rc);
}

static int
match_ids(struct finder *f, struct err *e)
{
	const struct node *n = &f->walk.node;
	int rc;

	if (n->type == NODE_DIR && n->has_subtree)
		rc = match_tree(f, &n->subtree, (char *)f->walk.path.p, e);
	else if (n->type == NODE_FILE && f->o->kind != FIND_TREES)
		rc = match_content(f, e);
	else
		rc = 0;
	return (rc < 0 ? rc : 1);
}

static int
on_node(struct finder *f, struct err *e)
{
	struct id outer = f->tree;
	int rc;

	rc = f->o->kind == FIND_NAMES ? match_name(f, e) : match_ids(f, e);
	if (rc <= 0 || f->walk.node.type != NODE_DIR || all_met(f))
		return (rc < 0 ? rc : 0);
	if ((rc = treewalk_enter(&f->walk, &outer, e)) == 0)
		f->tree = f->walk.node.subtree;
	return (rc);
}

/* ---- snapshots ---- */

/* A failure to read is told, and the rest goes on; another one ends the run. */
static int
forgive(struct finder *f, int rc, const char *path, const struct err *why,
    struct err *e)
{

	if (rc == 0)
		return (0);
	if (f->ended || problem_ends_run(rc)) {
		*e = *why;
		return (rc);
	}
	f->o->problem(f->o->cookie, &f->snap->id, path, why);
	return (0);
}

static int
walk(struct finder *f, struct err *e)
{
	struct err why = ERR_INIT;
	int ev, rc;

	while (!all_met(f) &&
	    (ev = treewalk_next(&f->walk, &why)) != WALK_END) {
		if (ev < 0) {
			*e = why;
			return (ev);
		}
		if (ev == WALK_LEAVE)
			memcpy(f->tree.b, f->walk.note, ID_LEN);
		rc = ev == WALK_NODE ? on_node(f, &why) :
		    ev == WALK_BROKEN ? ERR_CORRUPT : 0;
		if ((rc = forgive(f, rc, problem_node(&f->walk), &why,
		    e)) != 0 ||
		    (rc = repo_stopped(f->r, e)) != 0)
			return (rc);
	}
	return (0);
}

static int
search(struct finder *f, const struct snapshot *s, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	f->snap = s;
	f->tree = s->tree;
	f->n_snaps++;
	f->n_seen = 0;
	if (f->o->kind != FIND_NAMES &&
	    (rc = match_tree(f, &s->tree, "/", e)) < 0)
		return (rc);
	rc = treewalk_open(&f->walk, f->r, &s->tree, ID_LEN, &why);
	rc = rc == 0 ? walk(f, e) : forgive(f, rc, "/", &why, e);
	treewalk_close(&f->walk);
	return (rc);
}

int
find_run(struct finder *f, struct chosen *chosen, struct err *e)
{
	struct snapshot s;
	int rc, n;

	do {
		snapshot_init(&s);
		rc = chosen_next(chosen, &s, e);
		if (rc > 0 && (n = search(f, &s, e)) != 0)
			rc = n;
		snapshot_free(&s);
	} while (rc > 0);
	return (rc);
}

/* ---- where they lie ---- */

static int
place(struct finder *f, enum blob_type type, const struct id *id,
    struct err *e)
{
	struct pack_info pack;
	struct where at;
	int rc;

	rc = blobmap_find(f->r->map, type, id, true, &at, NULL, e);
	if (rc > 0 && (rc = blobmap_pack(f->r->map, at.pack, &pack, e)) == 0)
		return (f->o->place(f->o->cookie, type, id, &pack, &at, e));
	return (rc < 0 ? rc : f->o->place(f->o->cookie, type, id, NULL, NULL,
	    e));
}

int
find_places(struct finder *f, struct err *e)
{
	enum blob_type type = f->o->kind == FIND_TREES ? BLOB_TREE : BLOB_DATA;
	size_t i;
	int rc = 0;

	for (i = 0; i < f->o->n_ids && rc == 0; i++) {
		if (f->o->kind == FIND_PACKS)
			rc = walk_pack(f, f->o->ids[i], place, e);
		else if (f->want[i].resolved)
			rc = place(f, type, &f->want[i].id, e);
		else
			rc = f->o->unknown(f->o->cookie, f->want[i].text, e);
	}
	return (rc);
}
