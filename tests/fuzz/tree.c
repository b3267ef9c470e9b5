/*
 * Trees: whatever the bytes are, reading ends, and what is read keeps to its
 * bounds. Going on behind another tree, as a walk does, must give the same nodes
 * as reading straight through.
 */

#include "world.h"

#include "repo/tree.h"

/* Everything of a node that a second reading must give again. */
static uint64_t
digest(struct tree_stack *ts, const struct node *n)
{
	struct content_reader c;
	struct err e = ERR_INIT;
	uint64_t h = n->name_len * 31 + n->type + n->size * 7 + n->inode;
	struct id id;
	int rc;

	MUST(n->name_len <= NODE_NAME_MAX && n->name[n->name_len] == '\0');
	MUST(n->target_len <= NODE_TARGET_MAX);
	for (size_t i = 0; i < n->name_len; i++)
		h = h * 131 + (uint8_t)n->name[i];
	content_begin(&c, ts, n);
	while ((rc = content_next(&c, &id, &e)) > 0)
		h = h * 131 + id.b[0] + id.b[31];
	MUST(rc == 0);	/* it was read once already */
	return (h);
}

static int
count_xattr(void *cookie, const char *name, const void *value, size_t len,
    struct err *e)
{

	(void)value;
	(void)e;
	*(uint64_t *)cookie += strlen(name) + len;
	return (0);
}

/* Read it all; ${other}: push and pop another tree between two nodes. */
static uint64_t
read_tree(struct tree_stack *ts, const uint8_t *p, size_t len, bool other)
{
	static const uint8_t small[] = "{\"nodes\":[]}\n";
	struct err e = ERR_INIT, ignored = ERR_INIT;
	struct tree t = { .end = len }, t2;
	static struct node n;
	uint64_t h = 0, sum = 0;
	int rc;

	MUST(spill_push(&ts->text, p, len, &e) == 0);
	while ((rc = tree_next(ts, &t, &n, &e)) > 0) {
		h = h * 31 + digest(ts, &n);
		(void)tree_xattrs(ts, &n, count_xattr, &sum, &ignored);
		if (!other)
			continue;
		t2 = (struct tree){ .start = len,
		    .end = len + sizeof(small) - 1 };
		MUST(spill_push(&ts->text, small, sizeof(small) - 1, &e) == 0);
		MUST(tree_next(ts, &t2, &n, &e) == 0);
		tree_pop(ts, &t2);
	}
	tree_pop(ts, &t);
	return (rc == 0 ? h : h ^ 0x5555555555555555);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static struct tree_stack ts;
	struct err e = ERR_INIT;
	uint64_t h;

	if (ts.text.win == NULL)
		MUST(tree_stack_open(&ts, &world()->repo, &e) == 0);
	h = read_tree(&ts, p, len, false);
	MUST(h == read_tree(&ts, p, len, true));
	return (0);
}
