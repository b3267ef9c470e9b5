#include "source/targets.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/log.h"

enum {
	WINDOW = 16384,
	SORT_MEM = 256 * 1024,
	RECORD_HEAD = 4,     /* u16 length of the place, u16 of the base */
};

/* By parts: a folder comes before its entries, and these together. */
static int
place_cmp(const void *x, size_t x_len, const void *y, size_t y_len)
{
	const uint8_t *a = x, *b = y;
	size_t i;
	int c, d;

	for (i = 0; i < x_len && i < y_len; i++) {
		if (a[i] == b[i])
			continue;
		/* NUL ends the place, a slash its part: they come first. */
		c = a[i] == '\0' ? -2 : a[i] == '/' ? -1 : a[i];
		d = b[i] == '\0' ? -2 : b[i] == '/' ? -1 : b[i];
		return (c < d ? -1 : 1);
	}
	return (x_len < y_len ? -1 : x_len > y_len);
}

/*
 * The lexical absolute path: "." and ".." parts resolved by the words, as Go's
 * filepath.Abs does. ${ret} has room for the lengths of both and a slash.
 */
static void
make_absolute(const char *cwd, const char *path, char *ret)
{
	const char *s, *end;
	size_t len = 0, n;

	if (*path != '/') {
		len = strcmp(cwd, "/") == 0 ? 0 : strlen(cwd);
		memcpy(ret, cwd, len);
	}
	for (s = path; ; s = end + 1) {
		end = s + strcspn(s, "/");
		n = (size_t)(end - s);
		if (n == 2 && s[0] == '.' && s[1] == '.') {
			while (len > 0 && ret[--len] != '/')
				;
		} else if (n > 0 && !(n == 1 && s[0] == '.')) {
			ret[len++] = '/';
			memcpy(ret + len, s, n);
			len += n;
		}
		if (*end == '\0')
			break;
	}
	if (len == 0)
		ret[len++] = '/';
	ret[len] = '\0';
}

/* How many of the parts of a cleaned relative path lead upwards? */
static unsigned
ups(const char *path)
{
	const char *s, *end;
	int depth = 0, least = 0;
	size_t n;

	for (s = path; ; s = end + 1) {
		end = s + strcspn(s, "/");
		n = (size_t)(end - s);
		if (n == 2 && s[0] == '.' && s[1] == '.')
			depth--;
		else if (n > 0 && !(n == 1 && s[0] == '.'))
			depth++;
		if (depth < least)
			least = depth;
		if (*end == '\0')
			return ((unsigned)-least);
	}
}

/* Cut ${n} parts off the end of an absolute path. */
static void
cut_parts(char *abs, unsigned n)
{
	char *slash;

	while (n-- > 0) {
		slash = strrchr(abs, '/');
		slash[slash == abs] = '\0';
	}
}

static int
add_record(struct targets *t, const char *place, const char *base,
    bool found, struct err *e)
{
	size_t n = strlen(place), m = strlen(base);
	char rec[TARGET_MAX + 3];

	if (n + m > TARGET_MAX)
		return (err_set(e, ERR_LIMIT, "the path '%.60s...' is too long "
		    "to be named: name a folder above it", place));
	memcpy(rec, place, n + 1);
	memcpy(rec + n + 1, base, m + 1);
	rec[n + m + 2] = found;	/* what was named, too, comes first */
	t->n++;
	return (sorter_add(t->sorter, rec, n + m + 3, e));
}

static int
problem(struct targets *t, const char *path, const struct err *why,
    struct err *e)
{

	t->missing++;
	return (source_tell(t->spec->problem, t->spec->cookie, path, why, e));
}

/* "." and "/" have no place of their own: their entries stand at the top. */
static int
add_entries(struct targets *t, const char *dir, struct err *e)
{
	struct err why = ERR_INIT;
	struct dirent *d;
	DIR *dp;
	int rc = 0;

	if ((dp = opendir(dir)) == NULL) {
		(void)err_sys(&why, "cannot read the folder");
		return (problem(t, dir, &why, e));
	}
	for (errno = 0; rc == 0 && (d = readdir(dp)) != NULL; errno = 0)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			rc = add_record(t, d->d_name, dir, true, e);
	if (rc == 0 && errno != 0) {
		(void)err_sys(&why, "cannot read all of the folder");
		rc = problem(t, dir, &why, e);
	}
	(void)closedir(dp);
	t->n++;		/* an empty folder is a target, too */
	return (rc);
}

static int
add_path(struct targets *t, const char *path, struct err *e)
{
	struct err why = ERR_INIT;
	struct stat st;
	char *abs, *base;
	size_t len;
	int rc;

	if (*path == '\0')
		return (0);
	if (lstat(path, &st) == -1) {
		(void)err_sys(&why, "cannot be saved");
		return (problem(t, path, &why, e));
	}
	len = strlen(t->cwd) + strlen(path) + 2;
	abs = malloc(len);
	base = malloc(len);
	if (abs == NULL || base == NULL) {
		rc = err_nomem(e);
		goto out;
	}
	make_absolute(t->cwd, path, abs);
	rc = spill_push(&t->given, abs, strlen(abs) + 1, e);
	if (rc != 0)
		goto out;
	strcpy(base, "/");
	if (*path != '/') {
		strcpy(base, t->cwd);
		cut_parts(base, ups(path));
	}
	/* The place is what stands behind the base. */
	len = strcmp(base, "/") == 0 ? 0 : strlen(base);
	if (abs[len] == '\0' || abs[len + 1] == '\0')
		rc = add_entries(t, abs, e);
	else
		rc = add_record(t, abs + len + 1, base, false, e);

out:
	free(abs);
	free(base);
	return (rc);
}

/* ---- lists ---- */

static int
add_pattern(struct targets *t, char *line, struct err *e)
{
	size_t len, i;
	glob_t g;
	int rc = 0, n;

	while (isspace((unsigned char)*line))
		line++;
	for (len = strlen(line); len > 0 &&
	    isspace((unsigned char)line[len - 1]); len--)
		line[len - 1] = '\0';
	if (*line == '\0' || *line == '#')
		return (0);
	n = glob(line, GLOB_NOSORT, NULL, &g);
	if (n == GLOB_NOMATCH) {
		log_warn("pattern '%s' matches no file", line);
		return (0);
	}
	if (n != 0)
		return (err_set(e, ERR_FAIL, "cannot expand the pattern '%s'",
		    line));
	for (i = 0; i < g.gl_pathc && rc == 0; i++)
		rc = add_path(t, g.gl_pathv[i], e);
	globfree(&g);
	return (rc);
}

static int
add_list(struct targets *t, const struct source_list *l, struct err *e)
{
	int delim = l->lines == LINES_RAW ? '\0' : '\n';
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	FILE *f;
	int rc = 0;

	f = strcmp(l->file, "-") == 0 ? stdin : fopen(l->file, "re");
	if (f == NULL)
		return (err_sys(e, "cannot open the list '%s'", l->file));
	while (rc == 0 && (len = getdelim(&line, &cap, delim, f)) > 0) {
		if (line[len - 1] == delim)
			line[--len] = '\0';
		else if (l->lines == LINES_RAW) {	/* cut: so may be its name */
			rc = err_set(e, ERR_FAIL, "the list '%s' does not end "
			    "with a NUL", l->file);
			break;
		}
		if (l->lines != LINES_RAW && len > 0 && line[len - 1] == '\r')
			line[--len] = '\0';
		rc = l->lines == LINES_PATTERNS ? add_pattern(t, line, e) :
		    add_path(t, line, e);
	}
	if (rc == 0 && ferror(f))
		rc = err_sys(e, "cannot read the list '%s'", l->file);
	free(line);
	if (f != stdin)
		(void)fclose(f);
	return (rc);
}

/* ---- the sorted list ---- */

static int
write_list(struct targets *t, struct err *e)
{
	uint8_t head[RECORD_HEAD];
	const char *rec;
	const void *p;
	size_t len, place;
	int rc;

	while ((rc = sorter_next(t->sorter, &p, &len, e)) > 0) {
		rec = p;
		place = strlen(rec);
		head[0] = (uint8_t)place;
		head[1] = (uint8_t)(place >> 8);
		head[2] = (uint8_t)(len - place - 3);
		head[3] = (uint8_t)((len - place - 3) >> 8);
		if ((rc = spill_push(&t->list, head, RECORD_HEAD, e)) != 0 ||
		    (rc = spill_push(&t->list, rec, len, e)) != 0)
			return (rc);
	}
	return (rc);
}

int
targets_open(struct targets *t, const struct source_spec *spec, struct err *e)
{
	size_t i;
	int rc;

	memset(t, 0, sizeof(*t));
	t->list.fd = t->given.fd = -1;
	t->spec = spec;
	if ((t->cwd = getcwd(NULL, 0)) == NULL)
		return (err_sys(e, "cannot tell the working folder"));
	if ((rc = spill_open(&t->list, spec->scratch, WINDOW, e)) != 0 ||
	    (rc = spill_open(&t->given, spec->scratch, WINDOW, e)) != 0 ||
	    (rc = sorter_new(&t->sorter, spec->scratch, SORT_MEM, place_cmp,
	    e)) != 0)
		goto err;
	for (i = 0; i < spec->n_paths; i++)
		if ((rc = add_path(t, spec->paths[i], e)) != 0)
			goto err;
	for (i = 0; i < spec->n_lists; i++)
		if ((rc = add_list(t, &spec->lists[i], e)) != 0)
			goto err;
	if (t->n == 0) {
		rc = err_set(e, ERR_ABSENT, t->missing > 0 ?
		    "none of the sources exists" : "there is nothing to save");
		(void)err_hint(e, "name at least one path that is there");
		goto err;
	}
	if ((rc = write_list(t, e)) != 0)
		goto err;
	sorter_free(t->sorter);
	t->sorter = NULL;
	return (0);

err:
	targets_close(t);
	return (rc);
}

void
targets_close(struct targets *t)
{

	sorter_free(t->sorter);
	t->sorter = NULL;
	spill_close(&t->list);
	spill_close(&t->given);
	free(t->cwd);
	t->cwd = NULL;
}

int
targets_read(struct targets *t, uint64_t pos, struct target *ret,
    struct err *e)
{
	uint8_t head[RECORD_HEAD];
	size_t n, m;
	int rc;

	if (pos == spill_top(&t->list))
		return (0);
	if ((rc = spill_read(&t->list, pos, head, RECORD_HEAD, e)) != 0)
		return (rc);
	n = head[0] | (size_t)head[1] << 8;
	m = head[2] | (size_t)head[3] << 8;
	rc = spill_read(&t->list, pos + RECORD_HEAD, ret->text, n + m + 3, e);
	if (rc != 0)
		return (rc);
	ret->place_len = n;
	ret->base = ret->text + n + 1;
	ret->found = ret->text[n + m + 2] != 0;
	ret->next = pos + RECORD_HEAD + n + m + 3;
	return (1);
}

const char *
target_part(const struct target *t, unsigned k, size_t *ret_len)
{
	const char *s = t->text, *slash;

	for (; k > 0; k--) {
		if ((slash = strchr(s, '/')) == NULL)
			return (NULL);
		s = slash + 1;
	}
	*ret_len = strcspn(s, "/");
	return (s);
}
