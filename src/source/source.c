#include "source/source.h"

#include <string.h>

int
source_open_kind(struct source **ret, const char *kind,
    const struct source_spec *spec, struct err *e)
{
	const struct source_kind *const *k;
	const char *const *a;

	for (k = source_kinds; *k != NULL; k++)
		if (strcmp((*k)->name, kind) == 0)
			return ((*k)->open(ret, spec, e));
	for (a = source_absent; *a != NULL; a++)
		if (strcmp(*a, kind) == 0)
			return (err_set(e, ERR_USAGE,
			    "sources of kind '%s' are not in this image", kind));
	return (err_set(e, ERR_USAGE, "no source of kind '%s' is known",
	    kind));
}

int
source_tell(source_problem *fn, void *cookie, const char *path,
    const struct err *why, struct err *e)
{
	int rc = why->code;

	if (!err_ends_all(rc) && (rc = fn(cookie, path, why)) == 0)
		return (0);
	*e = *why;
	if (why->sys != 0)
		(void)err_note(e, "%s", path);
	return (rc);
}

void
source_close(struct source *s)
{

	if (s != NULL)
		s->ops->close(s);
}

int
source_next(struct source *s, struct entry *ret, struct err *e)
{

	return (s->ops->next(s, ret, e));
}

int
source_open(struct source *s, struct entry *entry, struct err *e)
{

	return (s->ops->open(s, entry, e));
}

int
source_read(struct source *s, void *p, size_t cap, size_t *ret,
    uint64_t *ret_hole, struct err *e)
{

	return (s->ops->read(s, p, cap, ret, ret_hole, e));
}

int
source_xattrs(struct source *s, source_xattr *fn, void *cookie, struct err *e)
{

	return (s->ops->xattrs(s, fn, cookie, e));
}

int
source_target_paths(struct source *s, int (*fn)(void *cookie,
    const char *path, struct err *), void *cookie, struct err *e)
{

	return (s->ops->target_paths(s, fn, cookie, e));
}
