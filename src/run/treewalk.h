#ifndef RUN_TREEWALK_H
#define RUN_TREEWALK_H

/*
 * Walks a snapshot's trees in order, without recursion and whatever their depth:
 * a folder's node, then what is in it, then its end. The caller says for each
 * folder whether to go in.
 */

#include "base/spill.h"
#include "repo/tree.h"

struct treewalk {
	struct tree_stack ts;
	struct spill levels; /* trees of the folders above, with their notes */
	struct tree at;
	bool open;           /* a tree is at hand */
	unsigned depth;      /* folders entered */
	struct buf path;     /* of the node given last: "/a/b"; NUL-terminated */
	struct node node;
	size_t note_len;     /* bytes that the caller keeps for each folder */
	uint8_t note[256];   /* of the folder that we are in */
};

enum walk_event {
	WALK_END,            /* all was walked */
	WALK_NODE,           /* w->node, at w->path */
	WALK_LEAVE,          /* the folder at w->path ends; its note is back */
	WALK_BROKEN,         /* what lies at w->path, an entry or the rest of a
				folder, cannot be read and is passed over: e
				says why */
};

/* Begin with the tree ${root}; ${note_len} at most 256. */
int treewalk_open(struct treewalk *w, struct repo *r, const struct id *root,
    size_t note_len, struct err *e);
void treewalk_close(struct treewalk *w);

/* The next event; or ERR_* when the walk itself cannot go on. */
int treewalk_next(struct treewalk *w, struct err *e);

/**
 * treewalk_enter(w, note, e):
 * Go into the folder whose node was given last; ${note} comes back in w->note
 * with its LEAVE. A failure is the tree's (missing, damaged): the walk can go on
 * behind the folder.
 */
int treewalk_enter(struct treewalk *w, const void *note, struct err *e);

/**
 * treewalk_find(r, root, path, ret, e):
 * Look up one path in a snapshot: 1 with the node, 0 when it is not there. "/" or
 * "" is a folder with the root tree. The node's lists are not kept.
 */
int treewalk_find(struct repo *r, const struct id *root, const char *path,
    struct node *ret, struct err *e);

#endif /* RUN_TREEWALK_H */
