#ifndef RUN_PARENT_H
#define RUN_PARENT_H

/*
 * The parent snapshot's trees, read beside the walk of a source: both are in the
 * order of names, so one step forward in each is all it takes to find out what
 * an entry was like last time. No local state, and memory for one node.
 */

#include "base/spill.h"
#include "repo/tree.h"

struct parent_walk {
	struct tree_stack ts;
	struct spill levels; /* trees of the folders above */
	struct tree at;      /* the present folder's tree */
	bool have;           /* there is one */
	unsigned blank;      /* folders entered that it does not have */
	struct node node;    /* the node read last */
	bool ahead;          /* it is beyond the names asked for so far */
	bool warned;
};

/* Begin; ${root} may be NULL: then everything is new. */
int parent_open(struct parent_walk *p, struct repo *r, const struct id *root,
    struct err *e);
void parent_close(struct parent_walk *p);

/**
 * parent_find(p, name, len, ret, e):
 * The node of that name in the present folder, or NULL. Names come in ascending
 * order. The node is valid until the next call of any function here. A parent
 * that cannot be read is as good as none, and is reported once. Return 0, or
 * ERR_* for what is not the parent's fault.
 */
int parent_find(struct parent_walk *p, const char *name, size_t len,
    const struct node **ret, struct err *e);

/**
 * parent_enter(p, node, e):
 * Go into the folder whose node was found, or NULL. parent_leave comes back.
 */
int parent_enter(struct parent_walk *p, const struct node *node,
    struct err *e);
int parent_leave(struct parent_walk *p, struct err *e);

#endif /* RUN_PARENT_H */
