#include "run/reach.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "run/treewalk.h"

enum {
	MARKS_MEM = 256 * 1024,
	SEEN_KEY = 16,
	WANTED_LEAST = 1 << 20, /* ids that are looked up at once, or more */
};

/*
 * Trees name the same blobs again and again, as most files stay what they are:
 * those that were looked up last are remembered, so that the map on disk is asked
 * for news only. An id can stand in one place alone.
 */
struct seen {
	uint8_t key[SEEN_KEY]; /* of the id */
	uint32_t plain;      /* bytes of the blob */
};

struct reach {
	struct repo *r;
	const struct reach_opts *o;
	struct marks *marks; /* by position in the map */
	struct treewalk walk;
	char snap[ID_HEX + 1]; /* whose trees are walked */
	uint64_t trees;
	bool lacks;          /* what no index file names */
	uint32_t n_seen;     /* slots */
	struct seen *seen;
	struct sorter *wanted; /* ids of data blobs that are to be marked */
	uint64_t n_wanted;
};

/* ---- telling ---- */

static void __attribute__((format(printf, 3, 4)))
tell(struct reach *x, void (*fn)(void *cookie, const char *text),
    const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (fn == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fn(x->o->cookie, text);
}

static const char *
where(const struct reach *x)
{

	return (x->walk.path.len > 0 ? (const char *)x->walk.path.p : "/");
}

/* At the present node. */
#define tell_node(x, fn, fmt, ...) tell(x, (x)->o->fn, \
    "snapshot %.8s: %s: " fmt, (x)->snap, where(x), __VA_ARGS__)

/* ---- blobs ---- */

static struct seen *
seen_slot(const struct reach *x, const struct id *id)
{

	return (&x->seen[(uint64_t)load_le32(id->b) * x->n_seen >> 32]);
}

/* Look up a data blob: 1 with its size, 0 it is missing, or ERR_*. */
static int
look_up(struct reach *x, const struct id *id, uint32_t *ret_plain,
    struct err *e)
{
	struct seen *s = seen_slot(x, id);
	struct where at;
	int rc;

	if (memcmp(s->key, id->b, SEEN_KEY) != 0) {
		rc = blobmap_find(x->r->map, BLOB_DATA, id, true, &at, NULL,
		    e);
		if (rc <= 0)
			return (rc);
		memcpy(s->key, id->b, SEEN_KEY);
		s->plain = where_plain(&at);
	}
	*ret_plain = s->plain;
	return (1);
}

/* ---- data blobs, many at a time ---- */

/* The sorted ids beside the map. */
struct marking {
	struct reach *x;
	struct id want;
	bool any;            /* there is one */
	bool found;
};

/* Go on to the next id, and say when the present one was not found. */
static int
next_wanted(struct marking *m, struct err *e)
{
	char hex[ID_HEX + 1];
	const void *p;
	size_t len;
	int rc;

	if (m->any && !m->found)
		tell(m->x, m->x->o->missing, "blob %s is missing",
		    id_hex(&m->want, hex));
	do {
		if ((rc = sorter_next(m->x->wanted, &p, &len, e)) < 0)
			return (rc);
	} while (rc > 0 && m->any && memcmp(m->want.b, p, ID_LEN) == 0);
	m->any = rc > 0;
	m->found = false;
	if (m->any)
		memcpy(m->want.b, p, ID_LEN);
	return (0);
}

static int
mark_record(void *cookie, uint64_t pos, const struct record *r, struct err *e)
{
	struct marking *m = cookie;
	int rc;

	if (r->where.type != BLOB_DATA)
		return (0);
	while (m->any && id_cmp(&m->want, &r->id) < 0)
		if ((rc = next_wanted(m, e)) != 0)
			return (rc);
	if (!m->any || !id_eq(&m->want, &r->id))
		return (0);
	m->found = true;
	if ((rc = marks_set(m->x->marks, pos, e)) < 0)
		return (rc);
	return (repo_stopped(m->x->r, e));
}

/* Mark all that is wanted by now. */
static int
mark_wanted(struct reach *x, struct err *e)
{
	struct marking m = { .x = x };
	int rc;

	if (x->n_wanted == 0)
		return (0);
	if ((rc = next_wanted(&m, e)) != 0 ||
	    (rc = blobmap_merge(x->r->map, mark_record, &m, e)) != 0)
		return (rc);
	while (m.any)
		if ((rc = next_wanted(&m, e)) != 0)
			return (rc);
	sorter_reset(x->wanted);
	x->n_wanted = 0;
	return (0);
}

static int
want(struct reach *x, const struct id *id, struct err *e)
{
	struct seen *s = seen_slot(x, id);
	uint64_t most = blobmap_records(x->r->map);
	int rc;

	if (memcmp(s->key, id->b, SEEN_KEY) == 0)
		return (0);
	if ((rc = sorter_add(x->wanted, id->b, ID_LEN, e)) != 0)
		return (rc);
	memcpy(s->key, id->b, SEEN_KEY);
	x->n_wanted++;
	/* The scratch file never is much larger than the map. */
	return (x->n_wanted < WANTED_LEAST || x->n_wanted < most ? 0 :
	    mark_wanted(x, e));
}

/* ---- trees ---- */

/* A tree: 1 not walked before, or not in the index; 0 walked; or ERR_*. */
static int
first_visit(struct reach *x, const struct id *id, struct err *e)
{
	struct where at;
	uint64_t pos;
	int rc;

	rc = blobmap_find(x->r->map, BLOB_TREE, id, true, &at, &pos, e);
	if (rc == 0)
		return (1);	/* loading it will say what is wrong */
	return (rc < 0 ? rc : marks_set(x->marks, pos, e));
}

/* ---- nodes ---- */

static int
want_content(struct reach *x, struct err *e)
{
	struct content_reader r;
	struct id id;
	int rc;

	content_begin(&r, &x->walk.ts, &x->walk.node);
	while ((rc = content_next(&r, &id, e)) > 0)
		if ((rc = want(x, &id, e)) != 0)
			return (rc);
	return (rc);
}

static int
look_up_content(struct reach *x, struct err *e)
{
	const struct node *n = &x->walk.node;
	struct content_reader r;
	char hex[ID_HEX + 1];
	uint64_t size = 0, i = 0;
	uint32_t plain;
	struct id id;
	int rc;

	content_begin(&r, &x->walk.ts, n);
	for (; (rc = content_next(&r, &id, e)) > 0; i++) {
		if ((rc = look_up(x, &id, &plain, e)) < 0)
			return (rc);
		x->lacks = x->lacks || rc == 0;
		if (rc == 0)
			tell_node(x, missing, "blob %s is missing",
			    id_hex(&id, hex));
		else
			size += plain;
	}
	if (rc == 0 && size != n->size && i == n->n_content)
		tell_node(x, odd, "%s", "its size and its blobs' do not "
		    "agree");
	return (rc);
}

static int
reach_content(struct reach *x, struct err *e)
{

	if (!x->walk.node.has_content) {
		tell_node(x, wrong, "%s", "a file without a list of blobs");
		return (0);
	}
	return (x->o->data ? want_content(x, e) : look_up_content(x, e));
}

static int
reach_folder(struct reach *x, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	if (!x->walk.node.has_subtree) {
		tell_node(x, missing, "%s", "a folder without a list");
		return (0);
	}
	if ((rc = first_visit(x, &x->walk.node.subtree, e)) <= 0)
		return (rc);
	if ((rc = treewalk_enter(&x->walk, NULL, &why)) == 0) {
		x->trees++;
	} else if (err_ends_all(rc)) {
		*e = why;
		return (rc);
	} else {
		x->lacks = x->lacks || rc == ERR_ABSENT;
		tell_node(x, missing, "%s", why.text);
	}
	return (0);
}

static int
reach_node(struct reach *x, struct err *e)
{
	const struct node *n = &x->walk.node;

	if (!node_name_ok(n))
		tell_node(x, wrong, "%s", "a name that no file may have");
	switch (n->type) {
	case NODE_FILE:
		return (reach_content(x, e));
	case NODE_DIR:
		return (reach_folder(x, e));
	case NODE_OTHER:
		tell_node(x, wrong, "%s", "an entry of an unknown type");
		return (0);
	default:
		return (0);
	}
}

static int
walk_trees(struct reach *x, struct err *e)
{
	struct err why = ERR_INIT;
	int ev, rc = 0;

	while ((ev = treewalk_next(&x->walk, &why)) != WALK_END) {
		if (ev < 0) {
			*e = why;
			return (ev);
		}
		if (ev == WALK_BROKEN)
			tell(x, x->o->missing, "snapshot %.8s: the list of %s: "
			    "%s", x->snap, where(x), why.text);
		else if (ev == WALK_NODE)
			rc = reach_node(x, e);
		if (rc != 0 || (rc = repo_stopped(x->r, e)) != 0)
			return (rc);
	}
	return (0);
}

/* ---- the face ---- */

int
reach_open(struct reach **ret, struct repo *r, const struct reach_opts *opts,
    struct err *e)
{
	struct reach *x;
	int rc;

	if ((x = calloc(1, sizeof(*x))) == NULL)
		return (err_nomem(e));
	x->r = r;
	x->o = opts;
	x->n_seen = (uint32_t)CONFIG_SEEN_KIB * 1024 / sizeof(*x->seen);
	if ((x->seen = calloc(x->n_seen, sizeof(*x->seen))) == NULL) {
		rc = err_nomem(e);
		goto err;
	}
	/* Empty ones are of an id that belongs elsewhere. */
	x->seen[0].key[3] = 0xff;
	rc = marks_new(&x->marks, r->state->scratch,
	    blobmap_records(r->map), MARKS_MEM, e);
	if (rc != 0)
		goto err;
	if (opts->data && (rc = sorter_new(&x->wanted, r->state->scratch,
	    (size_t)CONFIG_SORT_KIB * 1024, sort_bytes, e)) != 0)
		goto err;
	*ret = x;
	return (0);

err:
	reach_close(x);
	return (rc);
}

void
reach_close(struct reach *x)
{

	if (x == NULL)
		return;
	marks_free(x->marks);
	sorter_free(x->wanted);
	free(x->seen);
	free(x);
}

int
reach_snapshot(struct reach *x, const struct id *snap, const struct id *tree,
    struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	id_hex(snap, x->snap);
	if ((rc = first_visit(x, tree, e)) <= 0)
		return (rc);
	rc = treewalk_open(&x->walk, x->r, tree, 0, &why);
	if (rc == 0) {
		x->trees++;
		rc = walk_trees(x, e);
	} else if (err_ends_all(rc)) {
		*e = why;
	} else {
		x->lacks = x->lacks || rc == ERR_ABSENT;
		tell(x, x->o->missing, "snapshot %.8s: %s", x->snap, why.text);
		rc = 0;
	}
	treewalk_close(&x->walk);
	return (rc);
}

uint64_t
reach_trees(const struct reach *x)
{

	return (x->trees);
}

bool
reach_lacks(const struct reach *x)
{

	return (x->lacks);
}

int
reach_take(struct reach *x, struct marks **ret, struct err *e)
{
	int rc;

	if ((rc = mark_wanted(x, e)) != 0)
		return (rc);
	*ret = x->marks;
	x->marks = NULL;
	return (0);
}
