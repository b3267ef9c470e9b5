#include "run/reach.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/treewalk.h"

enum {
	MARKS_MEM = 256 * 1024,
	SEEN_KEY = 16,
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

/* Look up a data blob and mark it: 1 with its size, 0 it is missing, or ERR_*. */
static int
reach_data(struct reach *x, const struct id *id, uint32_t *ret_plain,
    struct err *e)
{
	struct seen *s = seen_slot(x, id);
	struct where at;
	uint64_t pos;
	int rc;

	if (memcmp(s->key, id->b, SEEN_KEY) == 0) {
		*ret_plain = s->plain;
		return (1);
	}
	rc = blobmap_find(x->r->map, BLOB_DATA, id, true, &at, &pos, e);
	if (rc <= 0)
		return (rc);
	if (x->o->data && (rc = marks_set(x->marks, pos, e)) < 0)
		return (rc);
	memcpy(s->key, id->b, SEEN_KEY);
	s->plain = *ret_plain = where_plain(&at);
	return (1);
}

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
reach_content(struct reach *x, struct err *e)
{
	const struct node *n = &x->walk.node;
	struct content_reader r;
	char hex[ID_HEX + 1];
	uint64_t size = 0, i = 0;
	uint32_t plain;
	struct id id;
	int rc;

	if (!n->has_content) {
		tell_node(x, wrong, "%s", "a file without a list of blobs");
		return (0);
	}
	content_begin(&r, &x->walk.ts, n);
	for (; (rc = content_next(&r, &id, e)) > 0; i++) {
		if ((rc = reach_data(x, &id, &plain, e)) < 0)
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

struct marks *
reach_take(struct reach *x)
{
	struct marks *m = x->marks;

	x->marks = NULL;
	return (m);
}
