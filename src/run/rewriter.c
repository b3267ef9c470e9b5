#include "run/rewriter.h"

#include <stdlib.h>
#include <string.h>

#include "base/pagemap.h"
#include "crypto/sha256.h"

enum {
	LEVELS_WINDOW = 16384,
	MEMO_WINDOW = 16384,
	PATH_CEILING = 1 << 20,
};

/* A folder whose tree is being read. */
struct folder {
	struct tree tree;    /* the old one */
	struct id id;        /* its id */
	uint32_t path_len;
	bool changed;        /* its new text was begun on the stack; else all
				nodes so far stay */
	bool any;            /* some stayed */
	uint64_t kept_to;    /* while nothing changed: behind the last node */
	uint64_t out;        /* where the new text begins */
	uint64_t files, bytes; /* counted before it */
};

/* What is remembered. */
struct memo {
	struct id key;
	struct rewritten what;
};

struct rewriter {
	struct repo *r;
	struct saver *saver;
	const struct rewriter_rules *rules;
	struct tree_stack ts;
	struct spill out;    /* new trees in the making, nested */
	struct spill levels; /* the folders above */
	struct spill memos;
	struct pagemap *memo; /* key -> place of its memo */
	struct folder at;
	unsigned depth;
	struct buf path;     /* of the present node: "/a/b", with a NUL */
	struct node node;
	uint64_t files, bytes; /* counted so far */
};

/* ---- what was seen before ---- */

static struct id
memo_key(const struct rewriter *rw, const struct id *tree)
{
	struct sha256 sha;
	struct id key;

	if (!rw->rules->by_path)
		return (*tree);
	sha256_begin(&sha);
	sha256_update(&sha, tree->b, ID_LEN);
	sha256_update(&sha, rw->path.p, rw->path.len);
	sha256_end(&sha, &key);
	return (key);
}

/* The tree at the present path: 1 it was rewritten before, 0, or ERR_*. */
static int
recall(struct rewriter *rw, const struct id *tree, struct rewritten *ret,
    struct err *e)
{
	struct id key = memo_key(rw, tree);
	struct memo m;
	uint64_t at;
	int rc;

	if ((rc = pagemap_find(rw->memo, key.b, &at, e)) <= 0 ||
	    (rc = spill_read(&rw->memos, at, &m, sizeof(m), e)) != 0)
		return (rc);
	if (!id_eq(&m.key, &key))	/* tables look at half of it */
		return (0);
	*ret = m.what;
	rw->files += ret->files;
	rw->bytes += ret->bytes;
	return (1);
}

static int
remember(struct rewriter *rw, const struct id *tree,
    const struct rewritten *what, struct err *e)
{
	uint64_t at = spill_top(&rw->memos);
	struct memo m;
	int rc;

	memset(&m, 0, sizeof(m));
	m.key = memo_key(rw, tree);
	m.what = *what;
	if ((rc = spill_push(&rw->memos, &m, sizeof(m), e)) != 0)
		return (rc);
	return (pagemap_put(rw->memo, m.key.b, at, e));
}

/* ---- the new text ---- */

static int
onto_out(void *cookie, const void *p, size_t len, struct err *e)
{
	struct rewriter *rw = cookie;

	return (spill_push(&rw->out, p, len, e));
}

static int
put(struct rewriter *rw, const char *s, struct err *e)
{

	return (spill_push(&rw->out, s, strlen(s), e));
}

/* Something of the present folder changes: begin its new text. */
static int
begin_text(struct rewriter *rw, struct err *e)
{
	struct folder *f = &rw->at;

	if (f->changed)
		return (0);
	f->changed = true;
	return (tree_copy(&rw->ts, f->tree.start, f->kept_to, onto_out, rw,
	    e));
}

/* The node that was read last stays, with ${c} or, if NULL, as it is. */
static int
keep_node(struct rewriter *rw, const struct node_change *c, struct err *e)
{
	struct folder *f = &rw->at;
	bool first = !f->any;
	int rc;

	f->any = true;
	if (c == NULL && !f->changed) {
		f->kept_to = f->tree.at;
		return (0);
	}
	if ((rc = begin_text(rw, e)) != 0 ||
	    (!first && (rc = put(rw, ",", e)) != 0))
		return (rc);
	if (c == NULL)
		return (tree_copy(&rw->ts, f->tree.node, f->tree.at, onto_out,
		    rw, e));
	return (node_edit(&rw->ts, &f->tree, c, onto_out, rw, e));
}

/* An empty folder's tree. */
static int
save_empty(struct rewriter *rw, struct id *ret, struct err *e)
{
	uint64_t from = spill_top(&rw->out);
	bool is_new;
	int rc;

	if ((rc = put(rw, "{\"nodes\":[]}\n", e)) == 0)
		rc = saver_tree(rw->saver, &rw->out, from,
		    spill_top(&rw->out), ret, &is_new, e);
	spill_cut(&rw->out, from);
	return (rc);
}

/* ---- folders ---- */

static const char *
folder_path(const struct rewriter *rw)
{

	return (rw->path.len > 0 ? (const char *)rw->path.p : "/");
}

static int
set_path(struct rewriter *rw, size_t keep, const char *name, size_t len,
    struct err *e)
{
	int rc;

	rw->path.len = keep;
	if ((rc = buf_add(&rw->path, "/", 1, e)) != 0 ||
	    (rc = buf_add(&rw->path, name, len, e)) != 0)
		return (rc);
	return (buf_nul(&rw->path, e));
}

/* The folder at the present path cannot be read, or not to its end. */
static int
give_up(struct rewriter *rw, const struct err *why, struct rewritten *ret,
    struct err *e)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (err_ends_all(why->code)) {
		*e = *why;
		return (why->code);
	}
	rc = rw->rules->broken(rw->rules->cookie, folder_path(rw), why, e);
	if (rc < 0)
		return (rc);
	ret->gone = rc == 0;
	return (rc == 0 ? 0 : save_empty(rw, &ret->tree, e));
}

/* Can the map say where the tree is? Its own decay is not the repository's. */
static int
map_is_sound(const struct rewriter *rw, const struct id *id, struct err *e)
{
	struct pack_info pack;
	struct where at;
	int rc;

	rc = blobmap_find(rw->r->map, BLOB_TREE, id, true, &at, NULL, e);
	return (rc > 0 ? blobmap_pack(rw->r->map, at.pack, &pack, e) : rc);
}

/*
 * Go into the tree ${id} at the present path. 1: it is to be read now; 0: what
 * became of it is known; or ERR_*.
 */
static int
enter(struct rewriter *rw, const struct id *id, bool have,
    struct rewritten *ret, struct err *e)
{
	struct err why = ERR_INIT;
	struct tree child;
	int rc;

	if (have && (rc = recall(rw, id, ret, e)) != 0)
		return (rc < 0 ? rc : 0);
	if (!have)
		rc = err_set(&why, ERR_CORRUPT, "its list is missing in the "
		    "snapshot");
	else if ((rc = tree_push(&rw->ts, id, &child, &why)) == ERR_CORRUPT &&
	    map_is_sound(rw, id, e) < 0)
		return (e->code);
	if (rc != 0)
		return (give_up(rw, &why, ret, e));
	if (rw->depth++ > 0 && (rc = spill_push(&rw->levels, &rw->at,
	    sizeof(rw->at), e)) != 0)
		return (rc);
	memset(&rw->at, 0, sizeof(rw->at));
	rw->at.tree = child;
	rw->at.id = *id;
	rw->at.path_len = (uint32_t)rw->path.len;
	rw->at.out = spill_top(&rw->out);
	rw->at.files = rw->files;
	rw->at.bytes = rw->bytes;
	return (1);
}

/* The present folder is done with: back to the one above, if there is one. */
static int
leave(struct rewriter *rw, struct err *e)
{
	uint64_t at;
	int rc;

	spill_cut(&rw->out, rw->at.out);
	tree_pop(&rw->ts, &rw->at.tree);
	if (--rw->depth == 0)
		return (0);
	at = spill_top(&rw->levels) - sizeof(rw->at);
	if ((rc = spill_read(&rw->levels, at, &rw->at, sizeof(rw->at),
	    e)) == 0)
		spill_cut(&rw->levels, at);
	return (rc);
}

/* All of its nodes were read: what became of it? */
static int
finish(struct rewriter *rw, struct rewritten *ret, struct err *e)
{
	struct folder *f = &rw->at;
	bool is_new;
	int rc = 0;

	rw->path.len = f->path_len;
	rw->path.p[rw->path.len] = '\0';
	memset(ret, 0, sizeof(*ret));
	ret->tree = f->id;
	ret->files = rw->files - f->files;
	ret->bytes = rw->bytes - f->bytes;
	ret->gone = !f->any && rw->rules->keep_empty != NULL &&
	    !rw->rules->keep_empty(rw->rules->cookie, folder_path(rw));
	if (f->changed && !ret->gone &&
	    (rc = tree_copy(&rw->ts, f->tree.node, f->tree.end, onto_out, rw,
	    e)) == 0)
		rc = saver_tree(rw->saver, &rw->out, f->out,
		    spill_top(&rw->out), &ret->tree, &is_new, e);
	return (rc != 0 ? rc : remember(rw, &f->id, ret, e));
}

/* Its text is broken behind the last node: nothing of it counts. */
static int
break_off(struct rewriter *rw, const struct err *why, struct rewritten *ret,
    struct err *e)
{
	int rc;

	rw->path.len = rw->at.path_len;
	rw->path.p[rw->path.len] = '\0';
	rw->files = rw->at.files;
	rw->bytes = rw->at.bytes;
	if ((rc = give_up(rw, why, ret, e)) != 0)
		return (rc);
	return (remember(rw, &rw->at.id, ret, e));
}

/* ---- nodes ---- */

/* The folder that was read last has become ${w}. */
static int
keep_folder(struct rewriter *rw, const struct rewritten *w,
    const struct id *was, bool had, struct err *e)
{
	struct node_change c = { .subtree = &w->tree };

	if (w->gone)
		return (begin_text(rw, e));
	return (keep_node(rw, had && id_eq(was, &w->tree) ? NULL : &c, e));
}

/* 1: a folder was entered; 0; or ERR_*. */
static int
on_node(struct rewriter *rw, struct err *e)
{
	struct node_change c = { .subtree = NULL };
	const struct node *n = &rw->node;
	struct rewritten w;
	int rc, fate;

	if ((rc = set_path(rw, rw->at.path_len, n->name, n->name_len, e)) != 0)
		return (rc);
	fate = rw->rules->node(rw->rules->cookie, &rw->ts, n,
	    (const char *)rw->path.p, &c, e);
	if (fate < 0)
		return (fate);
	if (fate == REWRITE_DROP)
		return (begin_text(rw, e));
	if (n->type == NODE_FILE) {
		rw->files++;
		rw->bytes += fate == REWRITE_CHANGE ? c.size : n->size;
	}
	if (n->type != NODE_DIR)
		return (keep_node(rw, fate == REWRITE_CHANGE ? &c : NULL, e));
	if ((rc = enter(rw, &n->subtree, n->has_subtree, &w, e)) != 0)
		return (rc);
	return (keep_folder(rw, &w, &n->subtree, n->has_subtree, e));
}

/* The node that was to be read makes no sense, but the next one can be found. */
static int
on_odd(struct rewriter *rw, const struct err *why, struct err *e)
{
	const struct node *n = &rw->node;
	int rc;

	rw->path.len = rw->at.path_len;
	rw->path.p[rw->path.len] = '\0';
	if (n->name_len > 0 && (rc = set_path(rw, rw->at.path_len, n->name,
	    n->name_len, e)) != 0)
		return (rc);
	if ((rc = rw->rules->odd(rw->rules->cookie, folder_path(rw), why,
	    e)) != 0)
		return (rc);
	return (keep_node(rw, NULL, e));
}

/* One step in the present folder: 1 go on; 0 the root is done; or ERR_*. */
static int
step(struct rewriter *rw, struct rewritten *ret, struct err *e)
{
	struct err why = ERR_INIT;
	struct id was;
	int rc;

	if ((rc = repo_stopped(rw->r, e)) != 0)
		return (rc);
	rc = tree_next(&rw->ts, &rw->at.tree, &rw->node, &why);
	if (rw->at.kept_to == 0)
		rw->at.kept_to = rw->at.tree.list;
	if (rc > 0)
		return ((rc = on_node(rw, e)) < 0 ? rc : 1);
	if (rc < 0 && !rw->at.tree.done)
		return ((rc = on_odd(rw, &why, e)) != 0 ? rc : 1);
	rc = rc == 0 ? finish(rw, ret, e) : break_off(rw, &why, ret, e);
	was = rw->at.id;
	if (rc != 0 || (rc = leave(rw, e)) != 0)
		return (rc);
	if (rw->depth == 0)
		return (0);
	return ((rc = keep_folder(rw, ret, &was, true, e)) != 0 ? rc : 1);
}

/* ---- the face ---- */

int
rewriter_new(struct rewriter **ret, struct repo *r, struct saver *saver,
    const struct rewriter_rules *rules, struct err *e)
{
	const char *dir = r->state->scratch;
	struct rewriter *rw;
	int rc;

	if ((rw = calloc(1, sizeof(*rw))) == NULL)
		return (err_nomem(e));
	rw->r = r;
	rw->saver = saver;
	rw->rules = rules;
	rw->path.max = PATH_CEILING;
	rw->out.fd = rw->levels.fd = rw->memos.fd = -1;
	if ((rc = tree_stack_open(&rw->ts, r, e)) != 0 ||
	    (rc = spill_open(&rw->out, dir, (size_t)CONFIG_SPILL_KIB * 1024,
	    e)) != 0 ||
	    (rc = spill_open(&rw->levels, dir, LEVELS_WINDOW, e)) != 0 ||
	    (rc = spill_open(&rw->memos, dir, MEMO_WINDOW, e)) != 0 ||
	    (rc = pagemap_new(&rw->memo, dir, e)) != 0 ||
	    (rc = buf_nul(&rw->path, e)) != 0)
		goto err;
	*ret = rw;
	return (0);

err:
	rewriter_free(rw);
	return (rc);
}

void
rewriter_free(struct rewriter *rw)
{

	if (rw == NULL)
		return;
	tree_stack_close(&rw->ts);
	spill_close(&rw->out);
	spill_close(&rw->levels);
	spill_close(&rw->memos);
	pagemap_free(rw->memo);
	buf_free(&rw->path);
	free(rw);
}

int
rewriter_run(struct rewriter *rw, const struct id *root,
    struct rewritten *ret, struct err *e)
{
	int rc;

	rw->path.len = 0;
	rw->path.p[0] = '\0';
	rw->files = rw->bytes = 0;
	/* One that failed left its folders open. */
	rw->depth = 0;
	rw->ts.owner = NULL;
	spill_cut(&rw->ts.text, 0);
	spill_cut(&rw->out, 0);
	spill_cut(&rw->levels, 0);
	if ((rc = enter(rw, root, true, ret, e)) <= 0)
		return (rc);
	while ((rc = step(rw, ret, e)) > 0)
		;
	return (rc);
}
