#include "base/spill.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static const char what[] = "the scratch file";

int
spill_open(struct spill *s, const char *dir, size_t cap, struct err *e)
{

	memset(s, 0, sizeof(*s));
	s->fd = -1;
	s->dir = dir;
	s->cap = cap;
	if ((s->win = malloc(cap)) == NULL)
		return (err_nomem(e));
	return (0);
}

void
spill_close(struct spill *s)
{

	if (s->win == NULL)
		return;
	free(s->win);
	if (s->fd != -1)
		(void)close(s->fd);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

/* Write the first ${n} bytes of the window to the file and drop them from it. */
static int
spill_evict(struct spill *s, size_t n, struct err *e)
{
	int rc;

	if (s->fd == -1 && (rc = file_scratch(s->dir, &s->fd, e)) != 0)
		return (rc);
	if ((rc = file_pwrite(s->fd, s->win, n, s->base, what, e)) != 0)
		return (rc);
	memmove(s->win, s->win + n, s->len - n);
	s->len -= n;
	s->base += n;
	return (0);
}

int
spill_push(struct spill *s, const void *p, size_t len, struct err *e)
{
	size_t half = s->cap / 2;
	int rc;

	if (len == 0)	/* ${p} may be NULL then */
		return (0);
	if (len > s->cap - s->len) {
		/* Keep the newer half warm where that makes enough room. */
		size_t n = len <= s->cap - half && s->len > half ? half : s->len;

		if (n > 0 && (rc = spill_evict(s, n, e)) != 0)
			return (rc);
		if (len > s->cap - s->len && s->len > 0 &&
		    (rc = spill_evict(s, s->len, e)) != 0)
			return (rc);
	}
	if (len > s->cap) {	/* the window is empty now: go around it */
		if (s->fd == -1 && (rc = file_scratch(s->dir, &s->fd, e)) != 0)
			return (rc);
		if ((rc = file_pwrite(s->fd, p, len, s->base, what, e)) != 0)
			return (rc);
		s->base += len;
		return (0);
	}
	if (len > 0)	/* ${p} may be NULL otherwise */
		memcpy(s->win + s->len, p, len);
	s->len += len;
	return (0);
}

/* How many of ${len} bytes at ${off} lie in the file? */
static size_t
cold_part(const struct spill *s, uint64_t off, size_t len)
{

	if (off >= s->base)
		return (0);
	return (s->base - off < len ? (size_t)(s->base - off) : len);
}

int
spill_read(struct spill *s, uint64_t off, void *p, size_t len, struct err *e)
{
	size_t cold = cold_part(s, off, len), got;
	int rc;

	if (len > spill_top(s) || off > spill_top(s) - len)
		return (err_set(e, ERR_FAIL, "read beyond the spill stack"));
	if (cold > 0) {
		if ((rc = file_pread(s->fd, p, cold, off, &got, what, e)) != 0)
			return (rc);
		if (got != cold)
			return (err_set(e, ERR_FAIL, "%s is cut short", what));
	}
	if (cold < len)
		memcpy((uint8_t *)p + cold, s->win + (off + cold - s->base),
		    len - cold);
	return (0);
}

int
spill_patch(struct spill *s, uint64_t off, const void *p, size_t len,
    struct err *e)
{
	size_t cold = cold_part(s, off, len);
	int rc;

	if (len > spill_top(s) || off > spill_top(s) - len)
		return (err_set(e, ERR_FAIL, "write beyond the spill stack"));
	if (cold > 0 &&
	    (rc = file_pwrite(s->fd, p, cold, off, what, e)) != 0)
		return (rc);
	if (cold < len)
		memcpy(s->win + (off + cold - s->base),
		    (const uint8_t *)p + cold, len - cold);
	return (0);
}

void
spill_cut(struct spill *s, uint64_t off)
{

	if (off >= s->base) {
		if (off < spill_top(s))
			s->len = (size_t)(off - s->base);
		return;
	}
	s->base = off;
	s->len = 0;
}
