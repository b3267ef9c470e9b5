#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
store_name_ok(const char *name)
{
	const char *s = name, *end;
	size_t len;

	if (strlen(name) >= STORE_NAME_MAX)
		return (false);
	for (;;) {
		end = strchr(s, '/');
		len = end != NULL ? (size_t)(end - s) : strlen(s);
		if (len == 0 || (len == 1 && s[0] == '.') ||
		    (len == 2 && s[0] == '.' && s[1] == '.'))
			return (false);
		if (end == NULL)
			return (true);
		s = end + 1;
	}
}

static int
bad_name(const char *name, struct err *e)
{

	return (err_set(e, ERR_USAGE, "'%s' cannot be the name of an object",
	    name));
}

/* "kind" of "kind:rest"; a path has a slash before any colon, or no colon. */
static size_t
scheme_len(const char *location)
{
	size_t n = strcspn(location, ":/");

	return (location[n] == ':' && n > 0 ? n : 0);
}

int
store_open(struct store **ret, const char *location, struct err *e)
{
	const struct store_kind *const *k;
	const char *const *a, *scheme = location, *rest = location;
	size_t len = scheme_len(location);
	int rc;

	if (len == 0) {
		scheme = "local";
		len = strlen(scheme);
	} else {
		rest = location + len + 1;
	}
	for (k = store_kinds; *k != NULL; k++) {
		if (strlen((*k)->name) != len ||
		    memcmp((*k)->name, scheme, len) != 0)
			continue;
		if ((rc = (*k)->open(ret, rest, e)) != 0)
			return (rc);
		if (((*ret)->location = strdup(location)) == NULL) {
			store_close(*ret);
			return (err_nomem(e));
		}
		return (0);
	}
	for (a = store_absent; *a != NULL; a++)
		if (strlen(*a) == len && memcmp(*a, scheme, len) == 0)
			return (err_set(e, ERR_USAGE,
			    "stores of kind '%s' are not in this image", *a));
	(void)err_set(e, ERR_USAGE, "no store of kind '%.*s' is known",
	    (int)len, scheme);
	return (err_hint(e, "a folder whose name has a colon is written as "
	    "./%s", location));
}

void
store_close(struct store *st)
{
	char *location;

	if (st == NULL)
		return;
	location = st->location;
	st->ops->close(st);
	free(location);
}

int
store_create(struct store *st, const char *dir, struct put **ret,
    struct err *e)
{
	int rc;

	if (*dir != '\0' && !store_name_ok(dir))
		return (bad_name(dir, e));
	if ((rc = st->ops->create(st, dir, ret, e)) != 0)
		return (rc);
	(*ret)->store = st;
	return (0);
}

int
put_write(struct put *p, const void *bytes, size_t len, struct err *e)
{

	return (p->ops->write(p, bytes, len, e));
}

int
put_cut(struct put *p, uint64_t len, struct err *e)
{

	return (p->ops->cut(p, len, e));
}

int
put_publish(struct put *p, const char *name, unsigned flags, struct err *e)
{

	if (!store_name_ok(name))
		return (bad_name(name, e));
	return (p->ops->publish(p, name, flags, e));
}

void
put_free(struct put *p)
{

	if (p != NULL)
		p->ops->free(p);
}

int
store_get(struct store *st, const char *name, uint64_t off, uint64_t len,
    store_sink *fn, void *cookie, struct err *e)
{

	if (!store_name_ok(name))
		return (bad_name(name, e));
	return (st->ops->get(st, name, off, len, fn, cookie, e));
}

int
store_list(struct store *st, const char *dir, store_each *fn, void *cookie,
    struct err *e)
{

	if (!store_name_ok(dir))
		return (bad_name(dir, e));
	return (st->ops->list(st, dir, fn, cookie, e));
}

int
store_stat(struct store *st, const char *name, uint64_t *ret_size,
    struct err *e)
{

	if (!store_name_ok(name))
		return (bad_name(name, e));
	return (st->ops->stat(st, name, ret_size, e));
}

int
store_remove(struct store *st, const char *name, struct err *e)
{

	if (!store_name_ok(name))
		return (bad_name(name, e));
	return (st->ops->remove(st, name, e));
}

int
store_settle(struct store *st, const char *dir, struct err *e)
{

	if (!store_name_ok(dir))
		return (bad_name(dir, e));
	return (st->ops->settle != NULL ? st->ops->settle(st, dir, e) : 0);
}

int
store_prepare(struct store *st, const char *const *dirs, struct err *e)
{

	return (st->ops->prepare(st, dirs, e));
}
