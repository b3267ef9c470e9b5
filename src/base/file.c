#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/rand.h"

/* Say which folder it is in, too: that of a file without a name matters most. */
static int
failed(int fd, const char *verb, const char *what, struct err *e)
{
	char link[32], path[512], *slash;
	int why = errno;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	errno = why;
	/* Pipes have none; with a path that was cut it would be another. */
	if (path[0] != '/' || n == (ssize_t)sizeof(path) - 1)
		return (err_sys(e, "cannot %s %s", verb, what));
	slash = strrchr(path, '/');
	slash[slash == path ? 1 : 0] = '\0';
	return (err_sys(e, "cannot %s %s in '%s'", verb, what, path));
}

int
file_read(int fd, void *p, size_t len, size_t *ret, const char *what,
    struct err *e)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		n = read(fd, (uint8_t *)p + got, len - got);
		if (n == -1)
			return (failed(fd, "read", what, e));
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*ret = got;
	return (0);
}

int
file_pread(int fd, void *p, size_t len, uint64_t off, size_t *ret,
    const char *what, struct err *e)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		n = pread(fd, (uint8_t *)p + got, len - got,
		    (off_t)(off + got));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (failed(fd, "read", what, e));
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*ret = got;
	return (0);
}

int
file_write(int fd, const void *p, size_t len, const char *what, struct err *e)
{
	const uint8_t *from = p;
	ssize_t n;

	while (len > 0) {
		n = write(fd, from, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)	/* or it would be asked for ever */
			errno = EIO;
		if (n <= 0)
			return (failed(fd, "write", what, e));
		from += n;
		len -= (size_t)n;
	}
	return (0);
}

int
file_pwrite(int fd, const void *p, size_t len, uint64_t off, const char *what,
    struct err *e)
{
	const uint8_t *from = p;
	ssize_t n;

	while (len > 0) {
		n = pwrite(fd, from, len, (off_t)off);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return (failed(fd, "write", what, e));
		from += n;
		off += (size_t)n;
		len -= (size_t)n;
	}
	return (0);
}

int
file_temp_name(const char *prefix, char ret[FILE_TEMP_NAME], struct err *e)
{
	/* Drawn once and counted on, since a restore makes a million of them; a
	 * child draws anew. */
	static _Thread_local uint64_t next;
	static _Thread_local pid_t whose;
	int rc;

	if (whose != getpid()) {
		if ((rc = rand_bytes(&next, sizeof(next), e)) != 0)
			return (rc);
		whose = getpid();
	}
	(void)snprintf(ret, FILE_TEMP_NAME, "%s-%016llx", prefix,
	    (unsigned long long)next++);
	return (0);
}

int
file_scratch(const char *dir, int *ret, struct err *e)
{
	char name[FILE_TEMP_NAME];
	int dfd, fd, rc;

	/* O_TMPFILE where the file system has it: nothing to clean up, ever. */
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd != -1) {
		*ret = fd;
		return (0);
	}
	if ((dfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return (err_sys(e, "cannot open the scratch folder '%s'", dir));
	if ((rc = file_temp_name("garner-scratch", name, e)) != 0)
		goto err;
	fd = openat(dfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1) {
		rc = err_sys(e, "cannot make a scratch file in '%s'", dir);
		goto err;
	}
	(void)unlinkat(dfd, name, 0);
	(void)close(dfd);
	*ret = fd;
	return (0);

err:
	(void)close(dfd);
	return (rc);
}

int
file_reserve(int fd, uint64_t len, const char *what, struct err *e)
{
	static const uint8_t zeros[16384];
	uint64_t at;
	size_t n;
	int rc;

	rc = posix_fallocate(fd, 0, (off_t)len);
	if (rc != EOPNOTSUPP && rc != ENOSYS && rc != EINVAL) {
		errno = rc;
		return (rc == 0 ? 0 : err_sys(e, "cannot write %s", what));
	}
	for (at = 0; at < len; at += n) {	/* as on NFS */
		n = len - at < sizeof(zeros) ? (size_t)(len - at) :
		    sizeof(zeros);
		if ((rc = file_pwrite(fd, zeros, n, at, what, e)) != 0)
			return (rc);
	}
	return (0);
}

int
file_load(int dirfd, const char *name, size_t max, char **ret, size_t *ret_len,
    struct err *e)
{
	struct stat st;
	char *p = NULL;
	int fd, rc;

	if ((fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC)) == -1)
		return (err_sys(e, "cannot open '%s'", name));
	if (fstat(fd, &st) == -1) {
		rc = err_sys(e, "cannot stat '%s'", name);
		goto err;
	}
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		rc = err_sys(e, "cannot read '%s'", name);
		goto err;
	}
	/* Pipes and /proc have no size: read up to the limit and one more. */
	if ((p = malloc(max + 1)) == NULL) {
		rc = err_nomem(e);
		goto err;
	}
	if ((rc = file_read(fd, p, max + 1, ret_len, name, e)) != 0)
		goto err;
	if (*ret_len > max) {
		rc = err_set(e, ERR_LIMIT, "'%s' is larger than %zu bytes",
		    name, max);
		goto err;
	}
	p[*ret_len] = '\0';
	(void)close(fd);
	*ret = p;
	return (0);

err:
	free(p);
	(void)close(fd);
	return (rc);
}

int
file_sync_dir(int fd, const char *what, struct err *e)
{

	if (fsync(fd) == -1 && errno != EINVAL && errno != ENOTSUP)
		return (err_sys(e, "cannot sync the folder %s", what));
	return (0);
}

int
file_save(int dirfd, const char *name, const void *p, size_t len, mode_t mode,
    struct err *e)
{
	char tmp[FILE_TEMP_NAME];
	int fd, rc;

	if ((rc = file_temp_name(".garner-tmp", tmp, e)) != 0)
		return (rc);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd == -1)
		return (err_sys(e, "cannot create '%s'", name));
	if ((rc = file_write(fd, p, len, name, e)) != 0)
		goto err1;
	if (fsync(fd) == -1) {
		rc = err_sys(e, "cannot sync '%s'", name);
		goto err1;
	}
	if (close(fd) == -1) {
		rc = err_sys(e, "cannot write '%s'", name);
		goto err0;
	}
	if (renameat(dirfd, tmp, dirfd, name) == -1) {
		rc = err_sys(e, "cannot rename a temporary file to '%s'", name);
		goto err0;
	}
	return (file_sync_dir(dirfd, "of it", e));

err1:
	(void)close(fd);
err0:
	(void)unlinkat(dirfd, tmp, 0);
	return (rc);
}

/* A folder is there, made now or before; errno says why not. */
static bool
have_dir(const char *path, mode_t mode, bool *ret_new)
{
	struct stat st;
	int why;

	*ret_new = mkdir(path, mode) == 0;
	if (*ret_new)
		return (true);
	why = errno;
	if (stat(path, &st) == 0) {
		errno = why;
		return (S_ISDIR(st.st_mode));
	}
	/* Something is there that cannot be looked at: only stat knows why. */
	if (why != EEXIST || errno == ENOENT)
		errno = why;
	return (false);
}

/* Make the name of the new folder ${path} durable, in the one above it. */
static int
sync_above(const char *path, struct err *e)
{
	int fd, above, rc = 0;

	if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return (err_sys(e, "cannot open the folder '%s'", path));
	/* One that may not be read cannot be synced either. */
	above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above != -1) {
		rc = file_sync_dir(above, "above a new one", e);
		(void)close(above);
	}
	(void)close(fd);
	return (rc);
}

int
file_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char *copy, *s;
	bool new;
	int rc = 0;

	if ((copy = strdup(path)) == NULL)
		return (err_nomem(e));
	for (s = copy + (*copy == '/'); ; s++) {
		if (*s != '/' && *s != '\0')
			continue;
		char c = *s;
		*s = '\0';
		if (!have_dir(copy, mode, &new))
			rc = err_sys(e, "cannot make the folder '%s'", copy);
		else if (new)
			rc = sync_above(copy, e);
		if (rc != 0)
			break;
		if ((*s = c) == '\0')
			break;
	}
	free(copy);
	return (rc);
}
