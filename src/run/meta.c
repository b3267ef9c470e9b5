#include "run/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/id.h"

enum { LIST_MAX = 65536, ENTRY_HEAD = 8 };

struct meta
meta_of(const struct node *n)
{
	struct meta m = { n->type, n->mode, n->uid, n->gid, n->mtime,
	    n->atime };

	return (m);
}

/* ---- extended attributes ---- */

/* An entry: u32 length of the name with its NUL, u32 of the value, both. */
static int
copy_one(void *cookie, const char *name, const void *value, size_t len,
    struct err *e)
{
	uint8_t head[ENTRY_HEAD];
	struct buf *b = cookie;
	size_t n = strlen(name) + 1, was = b->len;
	int rc;

	store_le32(head, (uint32_t)n);
	store_le32(head + 4, (uint32_t)len);
	if ((rc = buf_add(b, head, sizeof(head), e)) != 0 ||
	    (rc = buf_add(b, name, n, e)) != 0 ||
	    (rc = buf_add(b, value, len, e)) != 0)
		b->len = was;	/* whole entries only */
	return (rc);
}

int
meta_copy_xattrs(struct tree_stack *ts, const struct node *n, struct buf *ret,
    struct err *e)
{

	buf_reset(ret);
	return (tree_xattrs(ts, n, copy_one, ret, e));
}

/* The next entry of the copy: false at the end. */
static bool
next_entry(const struct buf *b, size_t *at, const char **name,
    const uint8_t **value, size_t *len)
{
	size_t n;

	if (*at == b->len)
		return (false);
	n = load_le32(b->p + *at);
	*len = load_le32(b->p + *at + 4);
	*name = (const char *)b->p + *at + ENTRY_HEAD;
	*value = b->p + *at + ENTRY_HEAD + n;
	*at += ENTRY_HEAD + n + *len;
	return (true);
}

static bool
wanted(const struct buf *b, const char *name)
{
	const uint8_t *value;
	const char *have;
	size_t at = 0, len;

	while (next_entry(b, &at, &have, &value, &len))
		if (strcmp(have, name) == 0)
			return (true);
	return (false);
}

/* Remove what came by inheritance; what may not be removed stays. */
static void
remove_others(int fd, const char *path, const struct buf *want)
{
	char list[4096];
	const char *name;
	ssize_t n;

	n = fd != -1 ? flistxattr(fd, list, sizeof(list)) :
	    llistxattr(path, list, sizeof(list));
	for (name = list; n > 0 && name < list + n; name += strlen(name) + 1)
		if (!wanted(want, name))
			(void)!(fd != -1 ? fremovexattr(fd, name) :
			    lremovexattr(path, name));
}

int
meta_xattrs(int fd, const char *path, const struct buf *xattrs,
    struct meta_losses *loss, struct err *e)
{
	const uint8_t *value;
	const char *name;
	size_t at = 0, len;
	int rc = 0, n;

	remove_others(fd, path, xattrs);
	while (next_entry(xattrs, &at, &name, &value, &len)) {
		n = fd != -1 ? fsetxattr(fd, name, value, len, 0) :
		    lsetxattr(path, name, value, len, 0);
		if (n == 0)
			continue;
		/* trusted.* and security.* are root's alone. */
		if (errno == ENOTSUP || (errno == EPERM && geteuid() != 0))
			atomic_fetch_add(&loss->xattrs, 1);
		else if (rc == 0)
			rc = err_sys(e, "cannot set its extended attribute %s",
			    name);
	}
	return (rc);
}

/* ---- the rest ---- */

static void
times_of(const struct meta *m, struct timespec ret[2])
{

	ret[0].tv_sec = (time_t)m->atime.sec;
	ret[0].tv_nsec = m->atime.nsec;
	ret[1].tv_sec = (time_t)m->mtime.sec;
	ret[1].tv_nsec = m->mtime.nsec;
}

static int
owner_failed(struct meta_losses *loss, struct err *e)
{

	if (geteuid() != 0 && (errno == EPERM || errno == EINVAL)) {
		atomic_fetch_add(&loss->owners, 1);
		return (0);
	}
	return (err_sys(e, "cannot set its owner"));
}

int
meta_owner_fd(int fd, const struct meta *m, struct meta_losses *loss,
    struct err *e)
{
	struct stat st;

	/* Looking is a tenth of a change that the journal must write. */
	if (fstat(fd, &st) == 0 && st.st_uid == m->uid && st.st_gid == m->gid)
		return (0);
	return (fchown(fd, m->uid, m->gid) == 0 ? 0 : owner_failed(loss, e));
}

int
meta_owner_at(int dirfd, const char *name, const struct meta *m,
    struct meta_losses *loss, struct err *e)
{

	return (fchownat(dirfd, name, m->uid, m->gid,
	    AT_SYMLINK_NOFOLLOW) == 0 ? 0 : owner_failed(loss, e));
}

/* A program must not get the rights of another owner than it was given to. */
static mode_t
safe_mode(const struct meta *m, const struct stat *st)
{
	mode_t mode = node_st_mode(m->mode);

	if (m->type != NODE_DIR && st->st_uid != m->uid)
		mode &= ~(mode_t)S_ISUID;
	if (m->type != NODE_DIR && st->st_gid != m->gid)
		mode &= ~(mode_t)S_ISGID;
	return (mode);
}

int
meta_finish_fd(int fd, const struct meta *m, struct err *e)
{
	struct timespec ts[2];
	struct stat st;
	int rc = 0;

	times_of(m, ts);
	if (futimens(fd, ts) == -1)
		rc = err_sys(e, "cannot set its times");
	if ((fstat(fd, &st) == -1 || fchmod(fd, safe_mode(m, &st)) == -1) &&
	    rc == 0)
		rc = err_sys(e, "cannot set its mode");
	return (rc);
}

int
meta_finish_at(int dirfd, const char *name, const struct meta *m,
    struct err *e)
{
	struct timespec ts[2];
	struct stat st;
	int rc = 0;

	times_of(m, ts);
	if (utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW) == -1)
		rc = err_sys(e, "cannot set its times");
	/* A link has no mode of its own; what else it is was just made. */
	if (m->type != NODE_SYMLINK &&
	    (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    fchmodat(dirfd, name, safe_mode(m, &st), 0) == -1) && rc == 0)
		rc = err_sys(e, "cannot set its mode");
	return (rc);
}
