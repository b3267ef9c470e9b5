/*
 * Standard input as one file: what another program writes, under a path of the
 * caller's choice.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "source/source.h"

enum { LOOK_MS = 200 }; /* how soon a stop is seen while nothing comes */

struct stdin_source {
	struct source base;
	const struct source_spec *spec;
	char *path;          /* "/a/b", cleaned */
	char *part;          /* the present part of it */
	char name[256];
	unsigned above;      /* folders entered and not left */
	bool poured;
};

static struct stdin_source *
stdin_of(struct source *s)
{

	return ((struct stdin_source *)(void *)s);
}

static void
fill_stat(struct stat *st, mode_t mode)
{

	memset(st, 0, sizeof(*st));
	st->st_mode = mode;
	st->st_nlink = 1;
	(void)clock_gettime(CLOCK_REALTIME, &st->st_mtim);
	st->st_ctim = st->st_mtim;
	st->st_uid = getuid();
	st->st_gid = getgid();
}

static int
stdin_next(struct source *s, struct entry *ret, struct err *e)
{
	struct stdin_source *in = stdin_of(s);
	size_t len;
	bool last;

	(void)e;
	memset(ret, 0, sizeof(*ret));
	if (in->poured) {
		if (in->above == 0)
			return (0);
		in->above--;
		ret->kind = ENTRY_LEAVE;
		return (1);
	}
	len = strcspn(in->part, "/");
	last = in->part[len] == '\0';
	memcpy(in->name, in->part, len);
	in->name[len] = '\0';
	fill_stat(&ret->st, last ? S_IFREG | 0644 : S_IFDIR | 0755);
	ret->kind = last ? ENTRY_FILE : ENTRY_ENTER;
	ret->name = in->name;
	ret->name_len = len;
	ret->path = in->path;
	if (last) {
		in->poured = true;
	} else {
		in->above++;
		in->part += len + 1;
	}
	return (1);
}

static int
stdin_open(struct source *s, struct entry *entry, struct err *e)
{

	(void)s;
	(void)entry;
	(void)e;
	return (0);
}

/* Wait until there is something to read; the other end may take its time. */
static int
wait_for_bytes(const struct source_spec *spec, struct err *e)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int rc;

	do {
		if (spec->stopped != NULL &&
		    (rc = spec->stopped(spec->cookie, e)) != 0)
			return (rc);
		rc = poll(&in, 1, LOOK_MS);
	} while (rc == 0 || (rc == -1 && errno == EINTR));
	return (0);	/* what poll cannot do, read will tell */
}

static int
stdin_read(struct source *s, void *p, size_t cap, size_t *ret,
    uint64_t *ret_hole, struct err *e)
{
	size_t got = 0;
	ssize_t n;
	int rc;

	*ret_hole = 0;
	for (; got < cap; got += (size_t)n) {
		if ((rc = wait_for_bytes(stdin_of(s)->spec, e)) != 0)
			return (rc);
		n = read(STDIN_FILENO, (uint8_t *)p + got, cap - got);
		if (n == 0)
			break;
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			n = 0;
		if (n == -1)
			return (err_sys(e, "cannot read standard input"));
	}
	*ret = got;
	return (0);
}

static int
stdin_xattrs(struct source *s, source_xattr *fn, void *cookie, struct err *e)
{

	(void)s;
	(void)fn;
	(void)cookie;
	(void)e;
	return (0);
}

static int
stdin_target_paths(struct source *s, int (*fn)(void *cookie,
    const char *path, struct err *), void *cookie, struct err *e)
{

	return (fn(cookie, stdin_of(s)->path, e));
}

static void
stdin_close(struct source *s)
{
	struct stdin_source *in = stdin_of(s);

	free(in->path);
	free(in);
}

static const struct source_ops stdin_ops = {
	.next = stdin_next,
	.open = stdin_open,
	.read = stdin_read,
	.xattrs = stdin_xattrs,
	.target_paths = stdin_target_paths,
	.close = stdin_close,
};

/* Clean ${name} into "/a/b": false when nothing is left of it. */
static bool
clean_path(const char *name, char *ret)
{
	const char *end;
	size_t len = 0, n;

	for (; ; name = end + 1) {
		end = name + strcspn(name, "/");
		n = (size_t)(end - name);
		if (n > 255 || (n == 2 && name[0] == '.' && name[1] == '.'))
			return (false);
		if (n > 0 && !(n == 1 && name[0] == '.')) {
			ret[len++] = '/';
			memcpy(ret + len, name, n);
			len += n;
		}
		if (*end == '\0')
			break;
	}
	ret[len] = '\0';
	return (len > 0);
}

static int
stdin_new(struct source **ret, const struct source_spec *spec, struct err *e)
{
	struct stdin_source *in;

	if ((in = calloc(1, sizeof(*in))) == NULL)
		return (err_nomem(e));
	if ((in->path = malloc(strlen(spec->name) + 2)) == NULL) {
		free(in);
		return (err_nomem(e));
	}
	if (!clean_path(spec->name, in->path)) {
		stdin_close(&in->base);
		return (err_set(e, ERR_USAGE, "'%s' cannot be the path of a "
		    "file in a snapshot", spec->name));
	}
	in->base.ops = &stdin_ops;
	in->spec = spec;
	in->part = in->path + 1;
	*ret = &in->base;
	return (0);
}

const struct source_kind source_stdin = {
	.name = "stdin",
	.summary = "standard input as one file",
	.open = stdin_new,
};
