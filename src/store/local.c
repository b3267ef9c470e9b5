/*
 * A folder of the box: a disk, a USB disk, a mounted share.
 *
 * The root is opened at the first use and every name is resolved below that
 * descriptor, so a disk that is unmounted and replaced in the middle of a run is
 * an error and not a silent write to the folder underneath.
 *
 * Temporary objects are named "garner-tmp-..." (readers of the format ignore
 * names that are not 64 hex digits) and carry a flock as long as their writer
 * lives: what has the name and no lock is the rest of a power cut, and is swept
 * when a store creates its first object in that folder.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store.h"

#define TEMP_PREFIX "garner-tmp"

enum {
	PIECE = 32768,       /* bytes of one read; lies on the stack */
	OPEN_MAX_KEPT = 8,   /* objects kept open between gets */
	SWEPT_MAX = 8,       /* folders that were swept and need not be again */
	SWEPT_NAME = 16,
	TEMP_TRIES = 4,
};

struct kept {
	char name[STORE_NAME_MAX];
	int fd;              /* -1: the place is free */
	unsigned users;
	unsigned age;
};

struct store_local {
	struct store base;
	char *path;
	int root;            /* -1 until the first use */
	mode_t dir_mode, file_mode;
	pthread_mutex_t lock; /* guards what follows */
	struct kept kept[OPEN_MAX_KEPT];
	unsigned clock;
	char swept[SWEPT_MAX][SWEPT_NAME];
	unsigned n_swept;
};

struct put_local {
	struct put base;
	int dir;             /* the folder where it lies for now */
	int fd;
	char temp[FILE_TEMP_NAME];
	bool published;
};

static struct store_local *
local_of(struct store *st)
{

	return ((struct store_local *)(void *)st);
}

/* ---- the root ---- */

/* ${rc} is what writing came to: is there a way out? */
static int
with_hint(int rc, struct err *e)
{

	if (rc == ERR_SPACE)
		(void)err_hint(e, "free space on that disk and run again: what "
		    "is stored so far is kept");
	if (rc == ERR_DENIED)
		(void)err_hint(e, "is the disk mounted read-only, or the "
		    "folder another user's?");
	return (rc);
}

static int
root_error(struct store_local *l, struct err *e)
{
	int rc = err_sys(e, "cannot open the folder '%s'", l->path);

	if (rc == ERR_ABSENT)
		rc = e != NULL ? (e->code = ERR_NOREPO) : ERR_NOREPO;
	return (rc);
}

/* Modes follow the repository's config: shared with the group or private. */
static void
learn_modes(struct store_local *l)
{
	struct stat st;

	l->dir_mode = 0700;
	l->file_mode = 0400;
	if (fstatat(l->root, "config", &st, 0) == 0 && (st.st_mode & 040)) {
		l->dir_mode = 0770;
		l->file_mode = 0440;
	}
}

static int
root_open(struct store_local *l, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&l->lock);
	if (l->root == -1) {
		l->root = open(l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (l->root == -1)
			rc = root_error(l, e);
		else
			learn_modes(l);
	}
	pthread_mutex_unlock(&l->lock);
	return (rc);
}

static int dir_open(struct store_local *l, const char *dir, bool make, int *ret,
    struct err *e);

/* Split a name: its folder, "." for the root, into ${ret}; return its last part. */
static const char *
split(const char *name, char ret[STORE_NAME_MAX])
{
	const char *slash = strrchr(name, '/');

	if (slash == NULL)
		(void)snprintf(ret, STORE_NAME_MAX, ".");
	else
		(void)snprintf(ret, STORE_NAME_MAX, "%.*s",
		    (int)(slash - name), name);
	return (slash == NULL ? name : slash + 1);
}

/* Make a folder and what is missing above it, durably. */
static int
dir_make(struct store_local *l, const char *dir, struct err *e)
{
	char above[STORE_NAME_MAX];
	const char *base = split(dir, above);
	int fd, rc;

	if ((rc = dir_open(l, above, true, &fd, e)) != 0)
		return (rc);
	if (mkdirat(fd, base, l->dir_mode) == -1 && errno != EEXIST)
		rc = with_hint(err_sys(e, "cannot make the folder '%s/%s'",
		    l->path, dir), e);
	else
		rc = file_sync_dir(fd, above, e);
	(void)close(fd);
	return (rc);
}

/* Open the folder ${dir} below the root. */
static int
dir_open(struct store_local *l, const char *dir, bool make, int *ret,
    struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd, rc;

	fd = openat(l->root, dir, flags);
	if (fd == -1 && errno == ENOENT && make) {
		if ((rc = dir_make(l, dir, e)) != 0)
			return (rc);
		fd = openat(l->root, dir, flags);
	}
	if (fd == -1)
		return (err_sys(e, "cannot open the folder '%s/%s'", l->path,
		    dir));
	*ret = fd;
	return (0);
}

/* Open the folder of ${name} below the root; ${*ret_base} is its last part. */
static int
parent_open(struct store_local *l, const char *name, bool make,
    const char **ret_base, int *ret, struct err *e)
{
	char dir[STORE_NAME_MAX];

	*ret_base = split(name, dir);
	return (dir_open(l, dir, make, ret, e));
}

/* An object that is gone must not live on in a kept descriptor. */
static void
kept_forget(struct kept *k)
{

	k->name[0] = '\0';
	if (k->users == 0) {
		(void)close(k->fd);
		k->fd = -1;
	}
}

static void
kept_drop(struct store_local *l, const char *name)
{
	int i;

	pthread_mutex_lock(&l->lock);
	for (i = 0; i < OPEN_MAX_KEPT; i++)
		if (l->kept[i].fd != -1 && strcmp(l->kept[i].name, name) == 0)
			kept_forget(&l->kept[i]);
	pthread_mutex_unlock(&l->lock);
}

/* ---- making objects ---- */

static int
put_local_write(struct put *p, const void *bytes, size_t len, struct err *e)
{
	struct put_local *pl = (struct put_local *)(void *)p;
	struct store_local *l = local_of(p->store);
	int rc;

	rc = file_write(pl->fd, bytes, len, "a temporary object", e);
	if (rc != 0)
		(void)err_note(e, "store '%s'", l->path);
	return (with_hint(rc, e));
}

static int
put_local_cut(struct put *p, uint64_t len, struct err *e)
{
	struct put_local *pl = (struct put_local *)(void *)p;

	if (ftruncate(pl->fd, (off_t)len) == -1 ||
	    lseek(pl->fd, (off_t)len, SEEK_SET) == -1)
		return (err_sys(e, "cannot shorten a temporary object"));
	return (0);
}

/* The temporary name becomes ${base}; without replacing when ${flags} say so. */
static int
rename_into(struct put_local *pl, int dir, const char *base, unsigned flags)
{
	struct stat st;

	if ((flags & PUT_NEW) == 0)
		return (renameat(pl->dir, pl->temp, dir, base));
	/* link(2) fails on an existing name everywhere that has links. */
	if (linkat(pl->dir, pl->temp, dir, base, 0) == 0) {
		(void)unlinkat(pl->dir, pl->temp, 0);
		return (0);
	}
	if (errno == EEXIST)
		return (-1);
	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return (-1);
	}
	return (renameat(pl->dir, pl->temp, dir, base));
}

static int
put_local_publish(struct put *p, const char *name, unsigned flags,
    struct err *e)
{
	struct put_local *pl = (struct put_local *)(void *)p;
	struct store_local *l = local_of(p->store);
	const char *base;
	int dir, rc;

	if (fsync(pl->fd) == -1)
		return (with_hint(err_sys(e, "cannot sync '%s/%s'", l->path,
		    name), e));
	if ((rc = parent_open(l, name, true, &base, &dir, e)) != 0)
		return (rc);
	/* FAT and some shares have no modes: they give no better. */
	(void)fchmod(pl->fd, l->file_mode);
	if (rename_into(pl, dir, base, flags) == -1) {
		rc = with_hint(err_sys(e, "cannot publish '%s/%s'", l->path,
		    name), e);
		goto done;
	}
	pl->published = true;
	kept_drop(l, name);
	if ((rc = file_sync_dir(dir, name, e)) != 0)
		(void)err_note(e, "store '%s'", l->path);
	rc = with_hint(rc, e);

done:
	(void)close(dir);
	return (rc);
}

static void
put_local_free(struct put *p)
{
	struct put_local *pl = (struct put_local *)(void *)p;

	if (!pl->published)
		(void)unlinkat(pl->dir, pl->temp, 0);
	(void)close(pl->fd);
	(void)close(pl->dir);
	free(pl);
}

static const struct put_ops put_local_ops = {
	.write = put_local_write,
	.cut = put_local_cut,
	.publish = put_local_publish,
	.free = put_local_free,
};

/* Remove temporary objects that no living process holds. */
static void
sweep(int dir)
{
	struct dirent *d;
	DIR *dp;
	int fd;

	if ((fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return;
	if ((dp = fdopendir(fd)) == NULL) {
		(void)close(fd);
		return;
	}
	while ((d = readdir(dp)) != NULL) {
		if (strncmp(d->d_name, TEMP_PREFIX "-",
		    sizeof(TEMP_PREFIX)) != 0)
			continue;
		fd = openat(dir, d->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
		    O_CLOEXEC);
		if (fd == -1)
			continue;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)unlinkat(dir, d->d_name, 0);
		(void)close(fd);
	}
	(void)closedir(dp);
}

static void
sweep_once(struct store_local *l, const char *dir, int fd)
{
	bool done = false;
	unsigned i;

	pthread_mutex_lock(&l->lock);
	for (i = 0; i < l->n_swept && !done; i++)
		done = strcmp(l->swept[i], dir) == 0;
	if (!done && l->n_swept < SWEPT_MAX && strlen(dir) < SWEPT_NAME)
		(void)snprintf(l->swept[l->n_swept++], SWEPT_NAME, "%s", dir);
	pthread_mutex_unlock(&l->lock);
	if (!done)
		sweep(fd);
}

/*
 * Make a temporary object and lock it. In between another process may sweep it:
 * then it has no name any more, or will have none in a moment.
 */
static int
temp_make(struct store_local *l, struct put_local *pl, const char *dir,
    struct err *e)
{
	struct stat st;
	int rc, tries;

	for (tries = 0; tries < TEMP_TRIES; tries++) {
		if ((rc = file_temp_name(TEMP_PREFIX, pl->temp, e)) != 0)
			return (rc);
		pl->fd = openat(pl->dir, pl->temp,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (pl->fd == -1)
			return (with_hint(err_sys(e, "cannot write to '%s/%s'",
			    l->path, dir), e));
		/* Where there are no locks nobody sweeps. */
		if ((flock(pl->fd, LOCK_EX | LOCK_NB) == 0 ||
		    errno != EWOULDBLOCK) && fstatat(pl->dir, pl->temp, &st,
		    AT_SYMLINK_NOFOLLOW) == 0)
			return (0);
		(void)unlinkat(pl->dir, pl->temp, 0);
		(void)close(pl->fd);
	}
	return (err_set(e, ERR_FAIL, "temporary objects in '%s/%s' vanish",
	    l->path, dir));
}

static int
local_create(struct store *st, const char *dir, struct put **ret,
    struct err *e)
{
	struct store_local *l = local_of(st);
	struct put_local *pl;
	int rc;

	if ((rc = root_open(l, e)) != 0)
		return (rc);
	if ((pl = calloc(1, sizeof(*pl))) == NULL)
		return (err_nomem(e));
	rc = dir_open(l, *dir != '\0' ? dir : ".", true, &pl->dir, e);
	if (rc != 0)
		goto err1;
	sweep_once(l, dir, pl->dir);
	if ((rc = temp_make(l, pl, dir, e)) != 0)
		goto err0;
	pl->base.ops = &put_local_ops;
	*ret = &pl->base;
	return (0);

err0:
	(void)close(pl->dir);
err1:
	free(pl);
	return (rc);
}

/* ---- reading ---- */

/* A kept descriptor of ${name}, or a fresh one; give it back with kept_put. */
static int
kept_get(struct store_local *l, const char *name, struct kept **ret,
    struct err *e)
{
	struct kept *k, *oldest = NULL;
	struct stat st;
	int fd, i;

	pthread_mutex_lock(&l->lock);
	for (i = 0; i < OPEN_MAX_KEPT; i++) {
		k = &l->kept[i];
		if (k->fd != -1 && strcmp(k->name, name) == 0) {
			if (fstat(k->fd, &st) == 0 && st.st_nlink > 0)
				goto found;
			kept_forget(k);	/* another process took the name */
		}
		if (k->users == 0 && (oldest == NULL || k->fd == -1 ||
		    (oldest->fd != -1 && k->age < oldest->age)))
			oldest = k;
	}
	/* What is no file of ours must not make us wait. */
	fd = openat(l->root, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1 || oldest == NULL) {
		pthread_mutex_unlock(&l->lock);
		if (fd == -1)
			return (err_sys(e, "cannot open '%s/%s'", l->path,
			    name));
		/* All places are in use: a place of its own, freed by put. */
		if ((k = calloc(1, sizeof(*k))) == NULL) {
			(void)close(fd);
			return (err_nomem(e));
		}
		k->fd = fd;
		*ret = k;
		return (0);
	}
	k = oldest;
	if (k->fd != -1)
		(void)close(k->fd);
	k->fd = fd;
	(void)snprintf(k->name, sizeof(k->name), "%s", name);
found:
	k->users++;
	k->age = ++l->clock;
	pthread_mutex_unlock(&l->lock);
	*ret = k;
	return (0);
}

static void
kept_put(struct store_local *l, struct kept *k)
{

	if (k < l->kept || k >= l->kept + OPEN_MAX_KEPT) {
		(void)close(k->fd);
		free(k);
		return;
	}
	pthread_mutex_lock(&l->lock);
	k->users--;
	pthread_mutex_unlock(&l->lock);
}

static int
local_get(struct store *st, const char *name, uint64_t off, uint64_t len,
    store_sink *fn, void *cookie, struct err *e)
{
	struct store_local *l = local_of(st);
	struct kept *k = NULL;
	uint8_t piece[PIECE];
	size_t n, got;
	int rc;

	if ((rc = root_open(l, e)) != 0)
		return (rc);
	if ((rc = kept_get(l, name, &k, e)) != 0)
		return (rc);
	while (len > 0) {
		n = len < PIECE ? (size_t)len : PIECE;
		rc = file_pread(k->fd, piece, n, off, &got, name, e);
		if (rc != 0)
			break;
		if (got < n && len != UINT64_MAX) {
			rc = err_set(e, ERR_CORRUPT,
			    "'%s/%s' ends before byte %llu", l->path, name,
			    (unsigned long long)(off + len));
			break;
		}
		if (got == 0 || (rc = fn(cookie, piece, got, e)) != 0)
			break;
		off += got;
		if (len != UINT64_MAX)
			len -= got;
	}
	kept_put(l, k);
	return (rc);
}

/* List the folder ${fd}, whose name is ${dir}, and those below it. */
static int
list_dir(struct store_local *l, int fd, const char *dir, int depth,
    store_each *fn, void *cookie, struct err *e)
{
	char name[STORE_NAME_MAX];
	struct dirent *d;
	struct stat st;
	DIR *dp;
	int sub, rc = 0;

	if ((dp = fdopendir(fd)) == NULL) {
		(void)close(fd);
		return (err_sys(e, "cannot list '%s/%s'", l->path, dir));
	}
	while (rc == 0) {
		errno = 0;
		if ((d = readdir(dp)) == NULL) {
			if (errno != 0)
				rc = err_sys(e, "cannot list '%s/%s'", l->path,
				    dir);
			break;
		}
		if (d->d_name[0] == '.' || strncmp(d->d_name, TEMP_PREFIX "-",
		    sizeof(TEMP_PREFIX)) == 0)
			continue;
		if ((size_t)snprintf(name, sizeof(name), "%s/%s", dir,
		    d->d_name) >= sizeof(name))
			continue;	/* too long for any object of ours */
		if (fstatat(dirfd(dp), d->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == -1) {
			if (errno == ENOENT)	/* removed meanwhile */
				continue;
			rc = err_sys(e, "cannot stat '%s/%s'", l->path, name);
			break;
		}
		if (S_ISREG(st.st_mode)) {
			rc = fn(cookie, name, (uint64_t)st.st_size, e);
		} else if (S_ISDIR(st.st_mode) && depth < 4) {
			sub = openat(dirfd(dp), d->d_name, O_RDONLY |
			    O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (sub == -1 && errno == ENOENT)
				continue;
			rc = sub == -1 ? err_sys(e, "cannot open '%s/%s'",
			    l->path, name) : list_dir(l, sub, name, depth + 1,
			    fn, cookie, e);
		}
	}
	(void)closedir(dp);
	return (rc);
}

static int
local_list(struct store *st, const char *dir, store_each *fn, void *cookie,
    struct err *e)
{
	struct store_local *l = local_of(st);
	int fd, rc;

	if ((rc = root_open(l, e)) != 0)
		return (rc);
	fd = openat(l->root, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		return (0);
	if (fd == -1)
		return (err_sys(e, "cannot list '%s/%s'", l->path, dir));
	return (list_dir(l, fd, dir, 0, fn, cookie, e));
}

static int
local_stat(struct store *st, const char *name, uint64_t *ret_size,
    struct err *e)
{
	struct store_local *l = local_of(st);
	struct stat sb;
	int rc;

	if ((rc = root_open(l, e)) != 0)
		return (rc);
	if (fstatat(l->root, name, &sb, 0) == -1)
		return (err_sys(e, "cannot stat '%s/%s'", l->path, name));
	if (!S_ISREG(sb.st_mode))
		return (err_set(e, ERR_ABSENT, "'%s/%s' is not a file",
		    l->path, name));
	*ret_size = (uint64_t)sb.st_size;
	return (0);
}

static int
local_remove(struct store *st, const char *name, struct err *e)
{
	struct store_local *l = local_of(st);
	const char *base;
	int dir, rc;

	if ((rc = root_open(l, e)) != 0)
		return (rc);
	kept_drop(l, name);
	if ((rc = parent_open(l, name, false, &base, &dir, e)) != 0)
		return (rc == ERR_ABSENT ? 0 : rc);
	if (unlinkat(dir, base, 0) == -1 && errno != ENOENT)
		rc = err_sys(e, "cannot remove '%s/%s'", l->path, name);
	(void)close(dir);
	return (rc);
}

static int
local_settle(struct store *st, const char *dir, struct err *e)
{
	struct store_local *l = local_of(st);
	int fd, rc;

	if ((rc = root_open(l, e)) != 0)
		return (rc);
	if ((rc = dir_open(l, dir, false, &fd, e)) != 0)
		return (rc == ERR_ABSENT ? 0 : rc);
	rc = file_sync_dir(fd, dir, e);
	(void)close(fd);
	return (rc);
}

static int
local_prepare(struct store *st, const char *const *dirs, struct err *e)
{
	struct store_local *l = local_of(st);
	int rc;

	if ((rc = file_mkdirs(l->path, 0700, e)) != 0 ||
	    (rc = root_open(l, e)) != 0)
		return (rc);
	for (; *dirs != NULL; dirs++)
		if (mkdirat(l->root, *dirs, l->dir_mode) == -1 &&
		    errno != EEXIST)
			return (with_hint(err_sys(e, "cannot make the folder "
			    "'%s/%s'", l->path, *dirs), e));
	return (file_sync_dir(l->root, l->path, e));
}

static void
local_close(struct store *st)
{
	struct store_local *l = local_of(st);
	int i;

	for (i = 0; i < OPEN_MAX_KEPT; i++)
		if (l->kept[i].fd != -1)
			(void)close(l->kept[i].fd);
	if (l->root != -1)
		(void)close(l->root);
	pthread_mutex_destroy(&l->lock);
	free(l->path);
	free(l);
}

static const struct store_ops local_ops = {
	.create = local_create,
	.get = local_get,
	.list = local_list,
	.stat = local_stat,
	.remove = local_remove,
	.settle = local_settle,
	.prepare = local_prepare,
	.close = local_close,
};

static int
local_open(struct store **ret, const char *rest, struct err *e)
{
	struct store_local *l;
	int i;

	if (*rest == '\0')
		return (err_set(e, ERR_USAGE, "a local store needs a path"));
	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (err_nomem(e));
	if ((l->path = strdup(rest)) == NULL) {
		free(l);
		return (err_nomem(e));
	}
	l->base.ops = &local_ops;
	l->root = -1;
	l->dir_mode = 0700;
	l->file_mode = 0400;
	pthread_mutex_init(&l->lock, NULL);
	for (i = 0; i < OPEN_MAX_KEPT; i++)
		l->kept[i].fd = -1;
	*ret = &l->base;
	return (0);
}

const struct store_kind store_local = {
	.name = "local",
	.summary = "a folder on a disk of this box",
	.open = local_open,
};
