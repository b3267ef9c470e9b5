#include "run/treewalk.h"

#include <stdlib.h>
#include <string.h>

enum {
	LEVELS_WINDOW = 16384,
	PATH_CEILING = 1 << 20,
};

/* What lies on the stack of levels for each folder above. */
struct level {
	struct tree tree;
	uint32_t path_len;   /* of the folder below it, to come back to */
};

int
treewalk_open(struct treewalk *w, struct repo *r, const struct id *root,
    size_t note_len, struct err *e)
{
	int rc;

	memset(&w->levels, 0, sizeof(w->levels));
	w->levels.fd = -1;
	w->path = (struct buf)BUF_INIT(PATH_CEILING);
	w->depth = 0;
	w->note_len = note_len;
	w->open = false;
	w->ts.text.win = NULL;
	if ((rc = tree_stack_open(&w->ts, r, e)) != 0 ||
	    (rc = spill_open(&w->levels, r->state->scratch, LEVELS_WINDOW,
	    e)) != 0 || (rc = buf_nul(&w->path, e)) != 0 ||
	    (rc = tree_push(&w->ts, root, &w->at, e)) != 0)
		return (rc);
	w->open = true;
	return (0);
}

void
treewalk_close(struct treewalk *w)
{

	tree_stack_close(&w->ts);
	spill_close(&w->levels);
	buf_free(&w->path);
}

static int
set_path(struct treewalk *w, size_t keep, struct err *e)
{
	int rc;

	w->path.len = keep;
	if ((rc = buf_add(&w->path, "/", 1, e)) != 0 ||
	    (rc = buf_add(&w->path, w->node.name, w->node.name_len, e)) != 0)
		return (rc);
	return (buf_nul(&w->path, e));
}

/* Come back to the folder above. */
static int
leave(struct treewalk *w, struct err *e)
{
	uint64_t top = spill_top(&w->levels), at;
	struct level l;
	int rc;

	tree_pop(&w->ts, &w->at);
	if (w->depth == 0) {
		w->open = false;
		return (WALK_END);
	}
	at = top - sizeof(l) - w->note_len;
	if ((rc = spill_read(&w->levels, at, &l, sizeof(l), e)) != 0 ||
	    (rc = spill_read(&w->levels, at + sizeof(l), w->note, w->note_len,
	    e)) != 0)
		return (rc);
	spill_cut(&w->levels, at);
	w->at = l.tree;
	w->path.len = l.path_len;
	w->path.p[l.path_len] = '\0';
	w->depth--;
	return (WALK_LEAVE);
}

/* The path is that of the folder whose tree is at hand. */
static void
to_folder(struct treewalk *w)
{

	w->path.len = w->at.path_len;
	w->path.p[w->path.len] = '\0';
}

/* Say in ${e} what cannot be read, and where. */
static int
broken(struct treewalk *w, struct err *e)
{

	if (!w->at.done && w->node.name_len > 0 &&
	    set_path(w, w->at.path_len, NULL) == 0) {
		(void)err_note(e, "its entry makes no sense");
		return (WALK_BROKEN);
	}
	to_folder(w);
	(void)err_note(e, w->at.done ? "the rest of its list cannot be read" :
	    "an entry of it makes no sense");
	return (WALK_BROKEN);
}

int
treewalk_next(struct treewalk *w, struct err *e)
{
	int rc;

	if (!w->open)
		return (WALK_END);
	rc = tree_next(&w->ts, &w->at, &w->node, e);
	if (rc == 0)
		return (leave(w, e));
	if (rc < 0)
		return (err_ends_all(rc) ? rc : broken(w, e));
	rc = set_path(w, w->at.path_len, e);
	if (rc != ERR_LIMIT)
		return (rc != 0 ? rc : WALK_NODE);
	to_folder(w);
	(void)err_set(e, rc, "the path of an entry of it is too long");
	return (WALK_BROKEN);
}

int
treewalk_enter(struct treewalk *w, const void *note, struct err *e)
{
	struct level l = { w->at, (uint32_t)w->path.len };
	struct tree child;
	int rc;

	if (!w->node.has_subtree)
		return (err_set(e, ERR_CORRUPT, "its list is missing in the "
		    "snapshot"));
	if ((rc = tree_push(&w->ts, &w->node.subtree, &child, e)) != 0)
		return (rc);
	if ((rc = spill_push(&w->levels, &l, sizeof(l), e)) != 0 ||
	    (rc = spill_push(&w->levels, note, w->note_len, e)) != 0) {
		tree_pop(&w->ts, &child);
		return (rc);
	}
	child.path_len = (uint32_t)w->path.len;
	w->at = child;
	w->depth++;
	return (0);
}

/* ---- one path ---- */

/* Find ${name} in the tree ${id}: 1, 0, or ERR_*. */
static int
find_in(struct tree_stack *ts, const struct id *id, const char *name,
    size_t len, struct node *ret, struct err *e)
{
	struct tree t;
	int rc;

	if ((rc = tree_push(ts, id, &t, e)) != 0)
		return (rc);
	rc = tree_find(ts, &t, name, len, ret, e);
	tree_pop(ts, &t);
	return (rc);
}

int
treewalk_find(struct repo *r, const struct id *root, const char *path,
    struct node *ret, struct err *e)
{
	struct tree_stack *ts;
	struct id at = *root;
	size_t len;
	int rc;

	if ((ts = calloc(1, sizeof(*ts))) == NULL)
		return (err_nomem(e));
	memset(ret, 0, sizeof(*ret));
	ret->type = NODE_DIR;
	ret->has_subtree = true;
	ret->subtree = *root;
	rc = tree_stack_open(ts, r, e);
	if (rc == 0)
		rc = 1;
	for (; rc > 0; path += len) {
		path += strspn(path, "/");
		if ((len = strcspn(path, "/")) == 0)
			break;
		if (len == 1 && *path == '.')
			continue;
		if (ret->type != NODE_DIR || !ret->has_subtree) {
			rc = 0;
			break;
		}
		at = ret->subtree;
		rc = find_in(ts, &at, path, len, ret, e);
	}
	tree_stack_close(ts);
	free(ts);
	return (rc);
}
