#include "run/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define TEMP_PREFIX ".garner-tmp"

enum { PATH_CEILING = 1 << 20 };

int
place_open(struct place *p, const char *target, struct err *e)
{
	int i, rc;

	memset(p, 0, sizeof(*p));
	p->path.max = PATH_CEILING;
	for (i = 0; i < PLACE_KEEP; i++)
		p->open[i].fd = -1;
	p->root = -1;
	if ((rc = file_mkdirs(target, 0700, e)) != 0 ||
	    (rc = buf_nul(&p->path, e)) != 0)
		return (rc);
	p->root = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->root == -1)
		return (err_sys(e, "cannot open the target '%s'", target));
	return (0);
}

void
place_close(struct place *p)
{
	int i;

	for (i = 0; i < PLACE_KEEP; i++)
		if (p->open[i].fd > 0)
			(void)close(p->open[i].fd);
	if (p->root > 0)
		(void)close(p->root);
	buf_free(&p->path);
	memset(p, 0, sizeof(*p));
}

static int *
slot_of(struct place *p, unsigned depth)
{
	unsigned i = depth % PLACE_KEEP;

	return (p->open[i].fd != -1 && p->open[i].depth == depth ?
	    &p->open[i].fd : NULL);
}

int
place_down(struct place *p, const char *name, struct err *e)
{
	size_t was = p->path.len;
	int rc;

	if ((rc = buf_add(&p->path, "/", 1, e)) != 0 ||
	    (rc = buf_str(&p->path, name, e)) != 0 ||
	    (rc = buf_nul(&p->path, e)) != 0) {
		p->path.len = was;
		p->path.p[was] = '\0';
		return (err_set(e, rc, "its path is too long"));
	}
	p->depth++;
	return (0);
}

void
place_up(struct place *p)
{
	int *slot = slot_of(p, p->depth);

	if (slot != NULL) {
		(void)close(*slot);
		*slot = -1;
	}
	while (p->path.len > 0 && p->path.p[p->path.len - 1] != '/')
		p->path.len--;
	p->path.len--;
	p->path.p[p->path.len] = '\0';
	p->depth--;
}

/* Open the folder ${name}; make it, or make way for it, if asked. */
static int
step(int parent, const char *name, bool make)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, fd;

	fd = openat(parent, name, flags);
	if (fd != -1 || !make)
		return (fd);
	if ((errno == ENOTDIR || errno == ELOOP) &&
	    unlinkat(parent, name, 0) == -1)
		return (-1);
	if (mkdirat(parent, name, 0700) == -1 && errno != EEXIST)
		return (-1);
	return (openat(parent, name, flags));
}

static void
keep_open(struct place *p, unsigned depth, int fd)
{
	unsigned i = depth % PLACE_KEEP;

	if (p->open[i].fd != -1)
		(void)close(p->open[i].fd);
	p->open[i].fd = fd;
	p->open[i].depth = depth;
	p->open[i].stamp = ++p->stamps;
}

/* Where part ${k} of the present path begins, from its nearer end. */
static const char *
part_at(const struct place *p, unsigned k)
{
	const char *s = (const char *)p->path.p + 1;
	unsigned back = p->depth - k;

	if (k < back) {
		while (k-- > 0)
			s += strcspn(s, "/") + 1;
		return (s);
	}
	for (s = (const char *)p->path.p + p->path.len; back > 0; back--)
		while (*--s != '/')
			;
	return (s + 1);
}

/* The part at ${*s}, which is moved behind it; false: too long for any folder. */
static bool
take_part(const char **s, char ret[NAME_MAX + 1])
{
	size_t len = strcspn(*s, "/");

	if (len > NAME_MAX)
		return (false);
	memcpy(ret, *s, len);
	ret[len] = '\0';
	*s += len + 1;
	return (true);
}

int
place_fd(struct place *p, bool make, int *ret, struct err *e)
{
	unsigned d = p->depth;
	char part[NAME_MAX + 1];
	const char *s;
	int fd;

	/* From the nearest folder above that is open, or from the root. */
	while (d > 0 && slot_of(p, d) == NULL)
		d--;
	fd = d > 0 ? *slot_of(p, d) : p->root;
	for (s = d < p->depth ? part_at(p, d) : NULL; d < p->depth; d++) {
		if (!take_part(&s, part))
			return (err_set(e, ERR_FAIL, "a name in its path is "
			    "too long for this system"));
		if ((fd = step(fd, part, make)) == -1)
			return (err_sys(e, make ? "cannot make the folder" :
			    "cannot open the folder"));
		keep_open(p, d + 1, fd);
	}
	*ret = fd;
	return (0);
}

uint64_t
place_stamp(const struct place *p)
{

	return (p->depth > 0 ? p->open[p->depth % PLACE_KEEP].stamp : 0);
}

int
place_find(struct place *p, const char *path, int *ret, const char **ret_name,
    struct err *e)
{
	char part[NAME_MAX + 1];
	const char *end;
	int fd, next;

	if ((fd = fcntl(p->root, F_DUPFD_CLOEXEC, 0)) == -1)
		return (err_sys(e, "cannot keep the target open"));
	for (path++; (end = strchr(path, '/')) != NULL; path = end + 1) {
		if ((size_t)(end - path) > NAME_MAX) {
			(void)close(fd);
			return (err_set(e, ERR_FAIL, "a name is too long"));
		}
		memcpy(part, path, (size_t)(end - path));
		part[end - path] = '\0';
		next = step(fd, part, false);
		(void)close(fd);
		if (next == -1)
			return (err_sys(e, "cannot open the folder '%s'",
			    part));
		fd = next;
	}
	*ret = fd;
	*ret_name = path;
	return (0);
}

int
place_temp(char ret[PLACE_TEMP], struct err *e)
{
	char name[FILE_TEMP_NAME];
	int rc;

	if ((rc = file_temp_name(TEMP_PREFIX, name, e)) == 0)
		(void)snprintf(ret, PLACE_TEMP, "%.39s", name);
	return (rc);
}

void
place_hold(int fd)
{

	while (flock(fd, LOCK_SH) == -1 && errno == EINTR)
		;
}

void
place_sweep(int fd)
{
	struct dirent *d;
	DIR *dp;
	int dir;

	dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return;
	if (flock(dir, LOCK_EX | LOCK_NB) == -1 ||
	    (dp = fdopendir(dir)) == NULL) {
		(void)close(dir);
		return;
	}
	while ((d = readdir(dp)) != NULL)
		if (strncmp(d->d_name, TEMP_PREFIX "-",
		    sizeof(TEMP_PREFIX)) == 0)
			(void)unlinkat(dir, d->d_name, 0);
	(void)closedir(dp);
}
