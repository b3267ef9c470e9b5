#include "state/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

/* Linux magic numbers, statfs(2). */
#define MAGIC_TMPFS 0x01021994
#define MAGIC_RAMFS 0x858458f6

static char *
join(const char *x, const char *y)
{
	size_t len = strlen(x) + 1 + strlen(y) + 1;
	char *s;

	if ((s = malloc(len)) != NULL)
		(void)snprintf(s, len, "%s/%s", x, y);
	return (s);
}

/* Use ${path} as the state folder: make it, and prove that it can be written. */
static int
try_path(struct state_dir *d, const char *path, struct err *e)
{
	int rc, fd;

	if ((rc = file_mkdirs(path, 0700, e)) != 0)
		return (rc);
	/* Messages and children need a path that outlives a chdir. */
	if ((d->path = realpath(path, NULL)) == NULL ||
	    (d->scratch = join(d->path, "scratch")) == NULL) {
		rc = err_sys(e, "cannot use the state folder '%s'", path);
		goto err;
	}
	if ((rc = file_mkdirs(d->scratch, 0700, e)) != 0)
		goto err;
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd == -1) {
		rc = err_sys(e, "cannot open the state folder '%s'", path);
		goto err;
	}
	if ((rc = file_scratch(d->scratch, &fd, e)) != 0)
		goto err;
	(void)close(fd);
	return (0);

err:
	state_close(d);
	return (rc);
}

static char *
default_path(void)
{
	const char *home;

	if (geteuid() == 0)
		return (strdup("/var/lib/garner"));
	if ((home = getenv("XDG_CACHE_HOME")) != NULL && *home == '/')
		return (join(home, "garner"));
	if ((home = getenv("HOME")) != NULL && *home != '\0')
		return (join(home, ".cache/garner"));
	return (NULL);
}

/* Make ${path} where anybody may make things: it must be ours alone. */
static int
own_folder(const char *path, struct err *e)
{
	struct stat st;

	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return (err_sys(e, "cannot make the folder '%s'", path));
	/* Of a link we look at the link, which another may have set. */
	if (lstat(path, &st) == -1)
		return (err_sys(e, "cannot stat '%s'", path));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077) != 0)
		return (err_set(e, ERR_DENIED, "'%s' is not a folder of this "
		    "user alone", path));
	return (0);
}

/* A folder of our own in the place for temporary files. */
static int
fallback(struct state_dir *d, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char name[64], *path;
	int rc;

	(void)snprintf(name, sizeof(name), "garner-%lu",
	    (unsigned long)geteuid());
	if ((path = join(tmp != NULL && *tmp != '\0' ? tmp : "/tmp",
	    name)) == NULL)
		return (err_nomem(e));
	if ((rc = own_folder(path, e)) == 0)
		rc = try_path(d, path, e);
	free(path);
	return (rc);
}

int
state_open(struct state_dir *ret, const char *path, struct err *e)
{
	struct err why = ERR_INIT;
	char *dflt;
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->fd = -1;
	if (path == NULL && (path = getenv("GARNER_STATE_DIR")) != NULL &&
	    *path == '\0')
		path = NULL;
	if (path != NULL) {
		rc = try_path(ret, path, e);
		if (rc != 0)
			(void)err_hint(e, "--state-dir or GARNER_STATE_DIR "
			    "names the folder for caches and scratch files");
		return (rc);
	}
	if ((dflt = default_path()) != NULL) {
		rc = try_path(ret, dflt, &why);
		free(dflt);
		if (rc == 0)
			return (0);
	}
	if ((rc = fallback(ret, e)) != 0)
		return (err_hint(e, "name a writable folder with --state-dir "
		    "or GARNER_STATE_DIR"));
	log_warn("%s; caches go to '%s' for now", why.text[0] != '\0' ?
	    why.text : "no home folder", ret->path);
	return (0);
}

void
state_close(struct state_dir *d)
{

	if (d->fd != -1)
		(void)close(d->fd);
	d->fd = -1;
	free(d->path);
	free(d->scratch);
	d->path = d->scratch = NULL;
}

int
state_subdir(const struct state_dir *d, const char *name, int *ret,
    struct err *e)
{
	char *path;
	int rc;

	if ((path = join(d->path, name)) == NULL)
		return (err_nomem(e));
	if ((rc = file_mkdirs(path, 0700, e)) == 0 &&
	    (*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		rc = err_sys(e, "cannot open '%s'", path);
	free(path);
	return (rc);
}

bool
state_in_ram(const struct state_dir *d)
{
	struct statfs fs;

	return (fstatfs(d->fd, &fs) == 0 &&
	    ((unsigned long)fs.f_type == MAGIC_TMPFS ||
	    (unsigned long)fs.f_type == MAGIC_RAMFS));
}
