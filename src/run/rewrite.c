#include "run/rewrite.h"

#include <stdio.h>
#include <string.h>

#include "base/spill.h"

enum {
	SPOOL_WINDOW = 16384,
	SPOOL_HEAD = 4 + 1 + ID_LEN, /* u32 length of the text, kind, old id */
};

/* What waits in the spool until the trees are durable. */
enum { WAITS_SAVE, WAITS_EMPTY };

struct rewriting {
	struct repo *r;
	const struct rewrite_opts *o;
	struct saver *saver;
	struct rewriter *rw;
	struct spill spool;
	struct buf text;
	uint64_t *changed;
};

static void
tell(const struct rewriting *w, enum rewrite_event ev,
    const struct snapshot *s, const struct id *id)
{

	w->o->event(w->o->cookie, ev, s, id);
}

/* A failure that is not the run's own is told, and the snapshot stays. */
static int
forgive(const struct rewriting *w, const struct id *snap, int rc,
    const struct err *why, struct err *e)
{

	if (rc == 0)
		return (0);
	if (problem_ends_run(rc)) {
		*e = *why;
		return (rc);
	}
	w->o->problem(w->o->cookie, snap, NULL, why);
	return (0);
}

/* ---- deciding ---- */

static int
spool(struct rewriting *w, const struct id *old, int kind, struct err *e)
{
	uint8_t head[SPOOL_HEAD];
	int rc;

	store_le32(head, (uint32_t)w->text.len);
	head[4] = (uint8_t)kind;
	memcpy(head + 5, old->b, ID_LEN);
	if ((rc = spill_push(&w->spool, head, sizeof(head), e)) != 0)
		return (rc);
	return (spill_push(&w->spool, w->text.p, w->text.len, e));
}

/* The numbers of a summary that a walk knows; a new one has no others. */
static void
count_anew(struct snapshot *s, const struct rewritten *x)
{
	static const char never[] = "0001-01-01T00:00:00Z";

	if (!s->has_summary) {
		memset(&s->summary, 0, sizeof(s->summary));
		(void)when_parse(&s->summary.start, never, sizeof(never) - 1);
		s->summary.end = s->summary.start;
		s->has_summary = true;
	}
	s->summary.files = x->files;
	s->summary.bytes = x->bytes;
}

static int
edit(struct rewriting *w, struct snapshot *s, const struct rewritten *x,
    struct err *e)
{
	const struct rewrite_opts *o = w->o;
	bool new_tree = !id_eq(&s->tree, &x->tree);
	int rc;

	if ((o->count && new_tree) || (o->summary && !s->has_summary))
		count_anew(s, x);
	s->tree = x->tree;
	s->original = s->id;
	s->has_original = true;
	if (o->time != NULL)
		s->time = *o->time;
	if (o->host != NULL)
		(void)snprintf(s->host, sizeof(s->host), "%s", o->host);
	if (!o->forget && !text_list_has(&s->tags, o->tag) &&
	    (rc = text_list_add(&s->tags, o->tag, strlen(o->tag), e)) != 0)
		return (rc);
	buf_reset(&w->text);
	return (snapshot_text(s, &w->text, e));
}

/* Its tree became ${x}. */
static int
decide(struct rewriting *w, struct snapshot *s, const struct rewritten *x,
    struct err *e)
{
	const struct rewrite_opts *o = w->o;
	struct id old = s->id;
	int rc;

	if (x->gone ? o->keep_empty : id_eq(&x->tree, &s->tree) &&
	    o->time == NULL && o->host == NULL &&
	    !(o->summary && !s->has_summary))
		return (0);
	++*w->changed;
	if (o->dry) {
		tell(w, x->gone ? REWRITE_WOULD_EMPTY : REWRITE_WOULD_SAVE, s,
		    NULL);
		return (0);
	}
	buf_reset(&w->text);
	if (x->gone)
		return (spool(w, &old, WAITS_EMPTY, e));
	if ((rc = snapshot_storable(s, e)) != 0 ||
	    (rc = edit(w, s, x, e)) != 0) {
		--*w->changed;
		return (rc);
	}
	return (spool(w, &old, WAITS_SAVE, e));
}

static int
rewrite_one(struct rewriting *w, struct snapshot *s, struct err *e)
{
	struct rewritten x = { .tree = s->tree };
	struct err why = ERR_INIT;
	struct id id = s->id;
	int rc = 0;

	tell(w, REWRITE_LOOK, s, NULL);
	if (w->rw != NULL)
		rc = rewriter_run(w->rw, &s->tree, &x, &why);
	if (rc == 0)
		rc = decide(w, s, &x, &why);
	return (forgive(w, &id, rc, &why, e));
}

static int
rewrite_all(struct rewriting *w, struct chosen *chosen, struct err *e)
{
	struct snapshot s;
	int rc, rc2;

	do {
		snapshot_init(&s);
		rc = chosen_next(chosen, &s, e);
		if (rc > 0 && (rc2 = rewrite_one(w, &s, e)) != 0)
			rc = rc2;
		snapshot_free(&s);
	} while (rc > 0);
	return (rc);
}

/* ---- writing ---- */

/* The snapshot whose text is in w->text takes the place of ${old}, or goes. */
static int
replace(struct rewriting *w, const struct id *old, int kind, struct err *e)
{
	struct snapshot s;
	int rc;

	snapshot_init(&s);
	if ((rc = repo_lock_lost(w->o->lock, e)) != 0)
		goto out;
	if (kind == WAITS_SAVE &&
	    ((rc = snapshot_parse(old, w->text.p, w->text.len, &s, e)) != 0 ||
	    (rc = snapshot_save(w->r, &s, e)) != 0))
		goto out;
	s.id = kind == WAITS_SAVE ? s.id : *old;
	if (kind == WAITS_SAVE)
		tell(w, REWRITE_SAVED, &s, &s.id);
	if (kind == WAITS_EMPTY || w->o->forget) {
		rc = repo_remove(w->r, REPO_SNAPSHOT, old, e);
		if (rc == 0)
			tell(w, kind == WAITS_EMPTY ? REWRITE_EMPTY :
			    REWRITE_REMOVED, &s, old);
	}

out:
	snapshot_free(&s);
	return (rc);
}

static int
replace_all(struct rewriting *w, struct err *e)
{
	uint64_t at = 0, end = spill_top(&w->spool);
	uint8_t head[SPOOL_HEAD], *to;
	struct err why;
	struct id old;
	size_t len;
	int rc;

	while (at < end) {
		if ((rc = repo_stopped(w->r, e)) != 0 ||
		    (rc = spill_read(&w->spool, at, head, sizeof(head),
		    e)) != 0)
			return (rc);
		len = load_le32(head);
		memcpy(old.b, head + 5, ID_LEN);
		buf_reset(&w->text);
		if ((rc = buf_room(&w->text, len, &to, e)) != 0 ||
		    (rc = spill_read(&w->spool, at + sizeof(head), to, len,
		    e)) != 0)
			return (rc);
		w->text.len = len;
		at += sizeof(head) + len;
		err_clear(&why);
		rc = replace(w, &old, head[4], &why);
		if (rc == ERR_LOCKED) {
			*e = why;
			return (rc);
		}
		if ((rc = forgive(w, &old, rc, &why, e)) != 0)
			return (rc);
	}
	return (0);
}

static int
start(struct rewriting *w, struct err *e)
{
	int rc;

	w->text.max = (size_t)CONFIG_DOC_KIB * 1024 * 4;
	rc = spill_open(&w->spool, w->r->state->scratch, SPOOL_WINDOW, e);
	if (rc != 0 || w->o->rules == NULL)
		return (rc);
	if ((rc = saver_open(&w->saver, w->r, &w->o->saver, e)) != 0)
		return (rc);
	return (rewriter_new(&w->rw, w->r, w->saver, w->o->rules, e));
}

int
rewrite_run(struct repo *r, struct chosen *chosen,
    const struct rewrite_opts *opts, uint64_t *ret, struct err *e)
{
	struct rewriting w = { .r = r, .o = opts, .changed = ret };
	int rc;

	*ret = 0;
	w.spool.fd = -1;
	if ((rc = start(&w, e)) == 0 &&
	    (rc = rewrite_all(&w, chosen, e)) == 0 &&
	    (w.saver == NULL || (rc = saver_finish(w.saver, e)) == 0))
		rc = replace_all(&w, e);
	rewriter_free(w.rw);
	saver_free(w.saver);
	spill_close(&w.spool);
	buf_free(&w.text);
	return (rc);
}

/* ---- by patterns ---- */

static void
tell_item(const struct rewrite_filter *f, enum rewrite_item what,
    const char *path)
{

	if (f->item != NULL)
		f->item(f->cookie, what, path);
}

static bool
matches(const struct filter *f, const char *path, bool *below)
{

	*below = false;
	return (f != NULL && filter_match(f, path, below));
}

static int
by_exclude(const struct rewrite_filter *f, const char *path)
{
	bool below;

	if (!matches(f->exclude, path, &below) &&
	    !matches(f->iexclude, path, &below))
		return (REWRITE_KEEP);
	tell_item(f, ITEM_EXCLUDED, path);
	return (REWRITE_DROP);
}

/* Folders are kept for what may be in them. */
static int
by_include(const struct rewrite_filter *f, const struct node *n,
    const char *path)
{
	bool below, ibelow, hit;

	hit = matches(f->include, path, &below);
	hit |= matches(f->iinclude, path, &ibelow);
	if (n->type == NODE_DIR)
		return (hit || below || ibelow ? REWRITE_KEEP : REWRITE_DROP);
	if (!hit)
		return (REWRITE_DROP);
	tell_item(f, ITEM_INCLUDED, path);
	return (REWRITE_KEEP);
}

static int
filter_node(void *cookie, struct tree_stack *ts, const struct node *n,
    const char *path, struct node_change *ret, struct err *e)
{
	const struct rewrite_filter *f = cookie;

	(void)ts;
	(void)ret;
	(void)e;
	return (f->include != NULL || f->iinclude != NULL ?
	    by_include(f, n, path) : by_exclude(f, path));
}

static bool
keep_included(void *cookie, const char *path)
{
	const struct rewrite_filter *f = cookie;
	bool below;

	if (!matches(f->include, path, &below) &&
	    !matches(f->iinclude, path, &below))
		return (false);
	tell_item(f, ITEM_INCLUDED_DIR, path);
	return (true);
}

/* What cannot be read cannot be rewritten: 'repair snapshots' is for that. */
static int
filter_broken(void *cookie, const char *path, const struct err *why,
    struct err *e)
{

	(void)cookie;
	return (err_set(e, why->code, "%s: %s", path, why->text));
}

struct rewriter_rules
rewrite_filter_rules(struct rewrite_filter *f)
{
	struct rewriter_rules rules = { .node = filter_node,
	    .broken = filter_broken, .odd = filter_broken, .by_path = true,
	    .cookie = f };

	if (f->include != NULL || f->iinclude != NULL)
		rules.keep_empty = keep_included;
	return (rules);
}
