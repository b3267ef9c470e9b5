#ifndef REPO_NODE_EDIT_H
#define REPO_NODE_EDIT_H

/*
 * A node with something else in it. Its text is copied member by member, and only
 * what must change is written anew: so members that nobody here knows, and the
 * spelling of another program, are kept.
 */

#include "repo/tree.h"

/* What is to be different. */
struct node_change {
	const struct id *subtree; /* NULL: as it is */
	/* Not NULL: only the blobs that it answers 1 for stay, and ${size} is
	 * what the file then has. An ERR_* ends it. */
	int (*keep)(void *cookie, const struct id *blob, struct err *e);
	void *cookie;
	uint64_t size;
};

/**
 * node_edit(ts, t, c, fn, cookie, e):
 * Send the text of the node that was read last of ${t}, changed. Return 0,
 * ERR_CORRUPT, or what ${fn} returned.
 */
int node_edit(struct tree_stack *ts, const struct tree *t,
    const struct node_change *c, store_sink *fn, void *cookie,
    struct err *e);

#endif /* REPO_NODE_EDIT_H */
