#include "run/parent.h"

#include <string.h>

#include "base/log.h"

enum { LEVELS_WINDOW = 8192 };

/* Not the parent's fault: this run cannot go on. */
static bool
is_ours(int rc)
{

	return (rc == ERR_CANCEL || rc == ERR_NOMEM || rc == ERR_SPACE ||
	    rc == ERR_DENIED);
}

static int
give_up(struct parent_walk *p, int rc, const struct err *why, struct err *e)
{

	if (is_ours(rc)) {
		*e = *why;
		return (rc);
	}
	if (!p->warned)
		log_warn("the parent snapshot cannot be read there, files are "
		    "read anew: %s", why->text);
	p->warned = true;
	return (0);
}

int
parent_open(struct parent_walk *p, struct repo *r, const struct id *root,
    struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	memset(&p->levels, 0, sizeof(p->levels));
	p->levels.fd = -1;
	p->have = p->ahead = p->warned = false;
	p->blank = 0;
	p->ts.text.win = NULL;
	if (root == NULL)
		return (0);
	if ((rc = tree_stack_open(&p->ts, r, e)) != 0 ||
	    (rc = spill_open(&p->levels, r->state->scratch, LEVELS_WINDOW,
	    e)) != 0)
		return (rc);
	if ((rc = tree_push(&p->ts, root, &p->at, &why)) != 0)
		return (give_up(p, rc, &why, e));
	p->have = true;
	return (0);
}

void
parent_close(struct parent_walk *p)
{

	tree_stack_close(&p->ts);
	spill_close(&p->levels);
}

static int
name_cmp(const struct node *n, const char *name, size_t len)
{
	int c = memcmp(n->name, name, n->name_len < len ? n->name_len : len);

	if (c != 0)
		return (c);
	return (n->name_len < len ? -1 : n->name_len > len);
}

int
parent_find(struct parent_walk *p, const char *name, size_t len,
    const struct node **ret, struct err *e)
{
	struct err why = ERR_INIT;
	int c, rc;

	*ret = NULL;
	if (!p->have || p->blank > 0)
		return (0);
	for (;;) {
		if (!p->ahead) {
			rc = tree_next(&p->ts, &p->at, &p->node, &why);
			if (rc == 0)
				return (0);
			if (rc < 0) {
				p->at.done = true;
				return (give_up(p, rc, &why, e));
			}
		}
		p->ahead = true;
		if ((c = name_cmp(&p->node, name, len)) > 0)
			return (0);
		p->ahead = false;
		if (c == 0) {
			*ret = &p->node;
			return (0);
		}
	}
}

int
parent_enter(struct parent_walk *p, const struct node *node, struct err *e)
{
	struct err why = ERR_INIT;
	struct tree child;
	int rc;

	if (!p->have)
		return (0);
	if (p->blank > 0 || node == NULL || node->type != NODE_DIR ||
	    !node->has_subtree) {
		p->blank++;
		return (0);
	}
	if ((rc = tree_push(&p->ts, &node->subtree, &child, &why)) != 0) {
		p->blank++;
		return (give_up(p, rc, &why, e));
	}
	if ((rc = spill_push(&p->levels, &p->at, sizeof(p->at), e)) != 0)
		return (rc);
	p->at = child;
	p->ahead = false;
	return (0);
}

int
parent_leave(struct parent_walk *p, struct err *e)
{
	uint64_t below;
	int rc;

	if (!p->have)
		return (0);
	if (p->blank > 0) {
		p->blank--;
		return (0);
	}
	tree_pop(&p->ts, &p->at);
	below = spill_top(&p->levels);
	if (below == 0) {	/* the root itself was left */
		p->have = false;
		return (0);
	}
	below -= sizeof(p->at);
	rc = spill_read(&p->levels, below, &p->at, sizeof(p->at), e);
	spill_cut(&p->levels, below);
	p->ahead = false;
	return (rc);
}
