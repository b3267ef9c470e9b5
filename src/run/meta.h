#ifndef RUN_META_H
#define RUN_META_H

/*
 * Owner, attributes, times and mode of what was restored, in the order in which
 * the kernel does not undo them: chown clears setuid bits and capabilities, so
 * it comes first and the mode last.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "repo/tree.h"

/* What of a node outlives its tree. */
struct meta {
	enum node_type type;
	uint64_t mode;
	uint32_t uid, gid;
	struct when mtime, atime;
};

/* What could not be set for reasons that concern every file alike. */
struct meta_losses {
	_Atomic uint64_t xattrs; /* the file system has none */
	_Atomic uint64_t owners; /* we are not root */
};

struct meta meta_of(const struct node *n);

/* Extended attributes, copied out of a tree: names and values in one buffer. After
 * a failure it holds those before the one that failed. */
int meta_copy_xattrs(struct tree_stack *ts, const struct node *n,
    struct buf *ret, struct err *e);

/**
 * meta_xattrs(fd, path, xattrs, loss, e):
 * Give what ${fd} is open on, or with -1 the link or device at ${path}, exactly
 * the attributes of ${xattrs}: others (an access list inherited from the folder)
 * are removed. Return 0 or the first failure, after trying all.
 */
int meta_xattrs(int fd, const char *path, const struct buf *xattrs,
    struct meta_losses *loss, struct err *e);

/* The rest, for an open file or folder; and for something at dirfd/name. Where one
 * thing cannot be set, the other is. Without its owner or group a file is not
 * setuid or setgid either. */
int meta_owner_fd(int fd, const struct meta *m, struct meta_losses *loss,
    struct err *e);
int meta_finish_fd(int fd, const struct meta *m, struct err *e);
int meta_owner_at(int dirfd, const char *name, const struct meta *m,
    struct meta_losses *loss, struct err *e);
int meta_finish_at(int dirfd, const char *name, const struct meta *m,
    struct err *e);

#endif /* RUN_META_H */
