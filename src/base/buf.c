#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
buf_room(struct buf *b, size_t n, uint8_t **ret, struct err *e)
{
	size_t cap = b->cap;
	uint8_t *p;

	if (n > b->max || b->len > b->max - n)
		return (err_set(e, ERR_LIMIT,
		    "more than the %zu bytes allowed here", b->max));
	if (b->len + n > cap) {
		while (cap < b->len + n)
			cap = cap < 64 ? 64 :
			    cap <= SIZE_MAX / 2 ? cap * 2 : SIZE_MAX;
		if (cap > b->max)
			cap = b->max;
		if ((p = realloc(b->p, cap)) == NULL)
			return (err_nomem(e));
		b->p = p;
		b->cap = cap;
	}
	*ret = b->p != NULL ? b->p + b->len : NULL;	/* no room at all */
	return (0);
}

int
buf_add(struct buf *b, const void *p, size_t len, struct err *e)
{
	uint8_t *to;
	int rc;

	if (len == 0)
		return (0);
	if ((rc = buf_room(b, len, &to, e)) != 0)
		return (rc);
	memcpy(to, p, len);
	b->len += len;
	return (0);
}

int
buf_str(struct buf *b, const char *s, struct err *e)
{

	return (buf_add(b, s, strlen(s), e));
}

int
buf_u64(struct buf *b, uint64_t v, struct err *e)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + v % 10);
	} while ((v /= 10) != 0);
	return (buf_add(b, digits + n, sizeof(digits) - n, e));
}

int
buf_printf(struct buf *b, struct err *e, const char *fmt, ...)
{
	va_list ap;
	uint8_t *to;
	int n, rc;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return (err_set(e, ERR_FAIL, "cannot format a text"));
	if ((rc = buf_room(b, (size_t)n + 1, &to, e)) != 0)
		return (rc);
	va_start(ap, fmt);
	(void)vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return (0);
}

int
buf_nul(struct buf *b, struct err *e)
{
	uint8_t *to = NULL;
	int rc;

	if ((rc = buf_room(b, 1, &to, e)) != 0)
		return (rc);
	*to = '\0';
	return (0);
}

void
buf_free(struct buf *b)
{

	free(b->p);
	b->p = NULL;
	b->len = b->cap = 0;
}
