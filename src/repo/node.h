#ifndef REPO_NODE_H
#define REPO_NODE_H

/*
 * A node: one entry of a folder, as a tree holds it (restic-format 8). Written
 * byte for byte as restic writes it, so that the same folder is the same blob
 * for both.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/when.h"

enum node_type {
	NODE_FILE,
	NODE_DIR,
	NODE_SYMLINK,
	NODE_DEV,            /* block device */
	NODE_CHARDEV,
	NODE_FIFO,
	NODE_SOCKET,
	NODE_OTHER,          /* a word that we do not know */
};

enum {
	NODE_NAME_MAX = 1024, /* raw bytes; other systems allow more than 255 */
	NODE_TARGET_MAX = 8192,
	NODE_OWNER_MAX = 256,
	NODE_INLINE = 16,    /* ids kept in the node itself: files to 8 MiB at
				least */
};

struct node {
	enum node_type type;
	bool irregular;      /* NODE_OTHER: restic's own word for what it could
				not tell, or none at all */
	char name[NODE_NAME_MAX + 1]; /* raw bytes and a NUL */
	size_t name_len;
	uint64_t mode;       /* Go's FileMode */
	struct when mtime, atime, ctime;
	uint32_t uid, gid;
	char user[NODE_OWNER_MAX], group[NODE_OWNER_MAX]; /* "" if unknown */
	uint64_t inode, device_id;
	uint64_t size, links;
	uint64_t device;     /* st_rdev */
	char target[NODE_TARGET_MAX + 1]; /* of a symlink: raw bytes, a NUL */
	size_t target_len;
	bool has_subtree;
	struct id subtree;

	/* When read from a tree: its lists, which have no upper size. */
	bool has_content;    /* an array, maybe empty; not null */
	uint64_t n_content;
	struct id content[NODE_INLINE]; /* the first of them */
	uint64_t content_at; /* where the array stands in the tree's text */
	uint64_t n_xattrs;
	uint64_t xattrs_at;
};

/* "file", "dir", ... */
const char *node_type_name(enum node_type t);

/* Go's FileMode of a st_mode, and the st_mode bits 07777 of a FileMode. */
uint64_t node_mode(mode_t st_mode);
mode_t node_st_mode(uint64_t mode);

/* May it be made on disk: not empty, ".", "..", no slash, no NUL? */
bool node_name_ok(const struct node *n);

/**
 * Writing, in the order of the keys. node_put_head ends behind "linktarget";
 * then, if there are any, the extended attributes; node_put_tail ends before the
 * value of "content", which is the caller's to write: null, or [, ids, ]; then
 * for a folder node_put_subtree; then }.
 */
int node_put_head(struct buf *b, const struct node *n, struct err *e);
int node_put_xattr(struct buf *b, bool first, const char *name,
    const void *value, size_t len, struct err *e);
int node_put_xattrs_end(struct buf *b, struct err *e);
int node_put_tail(struct buf *b, const struct node *n, struct err *e);

#endif /* REPO_NODE_H */
