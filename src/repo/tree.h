#ifndef REPO_TREE_H
#define REPO_TREE_H

/*
 * Reading trees. A tree blob has no upper size, and neither has the depth of
 * trees below it; but they are always read nested. So their texts lie on one
 * spill stack, the child's on its parent's, and each is parsed node by node.
 * Only one JSON reader exists: going on with a parent after its child sets it
 * back to where the parent was left.
 */

#include "base/json.h"
#include "base/spill.h"
#include "repo/blob.h"
#include "repo/node.h"

/* One tree on the stack; its owner keeps it, or parks it elsewhere. */
struct tree {
	uint64_t start, end; /* its text on the stack */
	uint64_t at;         /* behind the node read last; 0: none was */
	uint64_t list;       /* behind the bracket that opens the list, once a
				node was asked for; 0: there is no list */
	uint64_t node;       /* where the node read last begins; when all were
				read, the bracket that closes the list */
	uint32_t path_len;   /* for whoever walks: of its folder's path */
	bool done;
};

enum {
	TREE_WINDOW = 16384,
	TREE_STRING = 16384, /* the longest name or target, escaped */
};

struct tree_stack {
	struct blob_reader br;
	struct spill text;
	struct json_reader json;
	uint64_t base;       /* stack position where the reader began */
	uint64_t fill_at;    /* where it reads next */
	uint64_t fill_end;
	const struct tree *owner; /* whose text the reader stands in, or NULL */
	uint8_t window[TREE_WINDOW];
	char string[TREE_STRING];
};

int tree_stack_open(struct tree_stack *ts, struct repo *r, struct err *e);
void tree_stack_close(struct tree_stack *ts);

/**
 * tree_push(ts, id, ret, e):
 * Load the tree ${id} on top of the stack; its hash is checked before this
 * returns. Return 0, ERR_ABSENT, ERR_CORRUPT, ... and then the stack is as it
 * was. Every tree that was pushed is popped in reverse order.
 */
int tree_push(struct tree_stack *ts, const struct id *id, struct tree *ret,
    struct err *e);
void tree_pop(struct tree_stack *ts, struct tree *t);

/**
 * tree_next(ts, t, ret, e):
 * The next node of ${t}. Return 1, 0 at the end, or ERR_CORRUPT (the reason says
 * line and column): this node makes no sense, ret->name is what was read of its
 * name; the next call goes on behind it, or returns 0 when t->done says that the
 * text is broken there. After other failures t->done is set, too.
 */
int tree_next(struct tree_stack *ts, struct tree *t, struct node *ret,
    struct err *e);

/**
 * tree_find(ts, t, name, len, ret, e):
 * Read on to the node ${name}. Return 1; 0 when there is none; or ERR_*, also when
 * it may be among those that cannot be read.
 */
int tree_find(struct tree_stack *ts, struct tree *t, const char *name,
    size_t len, struct node *ret, struct err *e);

/* ---- a node's lists, as long as its tree is on the stack ---- */

struct content_reader {
	struct tree_stack *ts;
	const struct node *node;
	uint64_t n;          /* ids given so far */
	struct json_reader json;
	uint64_t fill_at;
	uint8_t window[4096];
	char string[128];
};

/* All ids of a file, in order: 1, 0 at the end, or ERR_*. */
void content_begin(struct content_reader *c, struct tree_stack *ts,
    const struct node *n);
int content_next(struct content_reader *c, struct id *ret, struct err *e);

/**
 * tree_xattrs(ts, n, fn, cookie, e):
 * Name each extended attribute of ${n} with its value.
 */
typedef int tree_xattr(void *cookie, const char *name, const void *value,
    size_t len, struct err *e);
int tree_xattrs(struct tree_stack *ts, const struct node *n, tree_xattr *fn,
    void *cookie, struct err *e);

/**
 * tree_copy(ts, from, to, fn, cookie, e):
 * Copy a stretch of a tree's raw text to a sink. tree_text: all of it.
 */
int tree_copy(struct tree_stack *ts, uint64_t from, uint64_t to,
    store_sink *fn, void *cookie, struct err *e);
int tree_text(struct tree_stack *ts, const struct tree *t, store_sink *fn,
    void *cookie, struct err *e);

#endif /* REPO_TREE_H */
