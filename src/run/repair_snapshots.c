#include "run/repair_snapshots.h"

/* Is the blob there? 1 with its plain length; 0; or ERR_*. */
static int
look_up(struct repo *r, const struct id *id, uint64_t *ret, struct err *e)
{
	struct where at;
	int rc;

	rc = blobmap_find(r->map, BLOB_DATA, id, true, &at, NULL, e);
	if (rc > 0)
		*ret = where_plain(&at);
	return (rc);
}

static int
keep_blob(void *cookie, const struct id *id, struct err *e)
{
	struct repair_rules *x = cookie;
	uint64_t len;

	return (look_up(x->r, id, &len, e));
}

/* What is left of a file: its size, and whether all of it is. */
static int
measure(struct repair_rules *x, struct tree_stack *ts, const struct node *n,
    uint64_t *ret_size, bool *ret_whole, struct err *e)
{
	struct content_reader c;
	uint64_t len = 0;
	struct id id;
	int rc, known;

	*ret_size = 0;
	*ret_whole = true;
	content_begin(&c, ts, n);
	while ((rc = content_next(&c, &id, e)) > 0) {
		if ((known = look_up(x->r, &id, &len, e)) < 0)
			return (known);
		if (known > 0)
			*ret_size += len;
		else
			*ret_whole = false;
	}
	return (rc);
}

static int
repair_node(void *cookie, struct tree_stack *ts, const struct node *n,
    const char *path, struct node_change *ret, struct err *e)
{
	struct repair_rules *x = cookie;
	bool whole;
	int rc;

	if (n->irregular) {
		x->item(x->cookie, ITEM_BAD_TYPE, path);
		return (REWRITE_DROP);
	}
	if (n->type != NODE_FILE)
		return (REWRITE_KEEP);
	if ((rc = measure(x, ts, n, &ret->size, &whole, e)) != 0)
		return (rc);
	if (!whole)
		x->item(x->cookie, ITEM_CONTENT, path);
	else if (ret->size != n->size)
		x->item(x->cookie, ITEM_SIZE, path);
	else if (n->has_content)
		return (REWRITE_KEEP);
	ret->keep = keep_blob;
	ret->cookie = x;
	return (REWRITE_CHANGE);
}

static int
repair_broken(void *cookie, const char *path, const struct err *why,
    struct err *e)
{
	struct repair_rules *x = cookie;
	bool is_root = path[0] == '/' && path[1] == '\0';

	/* A disk that does not answer may answer tomorrow. */
	if (why->code != ERR_CORRUPT && why->code != ERR_ABSENT) {
		*e = *why;
		return (why->code);
	}
	x->item(x->cookie, is_root ? ITEM_ROOT : ITEM_EMPTIED, path);
	return (!is_root);
}

/* What we cannot read another program may: it is no loss. */
static int
repair_odd(void *cookie, const char *path, const struct err *why,
    struct err *e)
{
	struct repair_rules *x = cookie;

	(void)why;
	(void)e;
	x->item(x->cookie, ITEM_ODD, path);
	return (0);
}

struct rewriter_rules
repair_snapshot_rules(struct repair_rules *x)
{

	return ((struct rewriter_rules){ .node = repair_node,
	    .broken = repair_broken, .odd = repair_odd, .cookie = x });
}
