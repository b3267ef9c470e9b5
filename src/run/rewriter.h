#ifndef RUN_REWRITER_H
#define RUN_REWRITER_H

/*
 * Makes trees out of trees: rules say of each node whether it stays, changes or
 * goes. A tree in which all stays keeps its id, and nothing is written; in others
 * only what changed is written anew (repo/node_edit.h), so that nothing is lost
 * that another program put there. Trees are read and written nested, on spill
 * stacks, whatever their size and depth; and what became of a tree is remembered,
 * so that what snapshots share is looked at once.
 */

#include "repo/node_edit.h"
#include "repo/saver.h"

/* What becomes of a node. */
enum {
	REWRITE_KEEP,
	REWRITE_CHANGE,      /* a file: as the node_change says */
	REWRITE_DROP,
};

struct rewriter_rules {
	/* The node ${n} at ${path}, its tree on top of ${ts}: a REWRITE_*, or an
	 * ERR_* which ends it all. */
	int (*node)(void *cookie, struct tree_stack *ts, const struct node *n,
	    const char *path, struct node_change *ret, struct err *e);
	/* Does a folder stay that has nothing (any more)? NULL: all do. */
	bool (*keep_empty)(void *cookie, const char *path);
	/* The list of the folder at ${path} ("/" is the root) cannot be read: 1
	 * it becomes empty, 0 it goes, or an ERR_*. */
	int (*broken)(void *cookie, const char *path, const struct err *why,
	    struct err *e);
	/* The node at ${path} (or one of that folder) makes no sense, to us: 0 it
	 * stays as it is written, or an ERR_*. */
	int (*odd)(void *cookie, const char *path, const struct err *why,
	    struct err *e);
	bool by_path;        /* what becomes of a tree depends on its place */
	void *cookie;
};

/* What became of a tree. */
struct rewritten {
	struct id tree;
	bool gone;           /* nothing is left, not even the folder */
	uint64_t files, bytes; /* regular files in it and below, and their
				 sizes */
};

struct rewriter;

/* ${saver} takes the new trees. Needs the index. */
int rewriter_new(struct rewriter **ret, struct repo *r, struct saver *saver,
    const struct rewriter_rules *rules, struct err *e);

/* NULL is fine. */
void rewriter_free(struct rewriter *rw);

/* One snapshot's root tree. Return 0 or ERR_*. */
int rewriter_run(struct rewriter *rw, const struct id *root,
    struct rewritten *ret, struct err *e);

#endif /* RUN_REWRITER_H */
