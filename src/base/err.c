#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int
code_of_errno(int n)
{

	switch (n) {
	case ENOENT:
	case ENOTDIR:
		return (ERR_ABSENT);
	case EEXIST:
		return (ERR_EXISTS);
	case ENOSPC:
	case EDQUOT:
		return (ERR_SPACE);
	case EACCES:
	case EPERM:
	case EROFS:
		return (ERR_DENIED);
	case EINTR:	/* only signals that ask to stop interrupt a call */
		return (ERR_CANCEL);
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return (ERR_NOMEM);
	default:
		return (ERR_FAIL);
	}
}

int
err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return (code);
	e->code = code;
	e->sys = 0;
	e->hint[0] = '\0';
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return (code);
}

int
err_sys(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	int code = code_of_errno(saved);
	const char *why = strerror(saved);
	size_t len, most;
	va_list ap;

	if (e == NULL)
		return (code);
	e->code = code;
	e->sys = saved;
	e->hint[0] = '\0';
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	/* A path can fill the text, and the reason matters more. */
	len = strlen(e->text);
	most = sizeof(e->text) - sizeof(": ") - strlen(why);
	if (len > most)
		len = most;
	(void)snprintf(e->text + len, sizeof(e->text) - len, ": %s", why);
	errno = saved;
	return (code);
}

int
err_nomem(struct err *e)
{

	return (err_set(e, ERR_NOMEM, "out of memory"));
}

int
err_note(struct err *e, const char *fmt, ...)
{
	char note[sizeof(e->text)];
	size_t len, keep;
	va_list ap;

	if (e == NULL)
		return (ERR_FAIL);
	va_start(ap, fmt);
	(void)vsnprintf(note, sizeof(note), fmt, ap);
	va_end(ap);
	len = strlen(note);
	if (len > sizeof(note) / 2)	/* the reason matters more */
		len = sizeof(note) / 2;
	note[len++] = ':';
	note[len++] = ' ';
	keep = strlen(e->text);
	if (keep > sizeof(e->text) - 1 - len)
		keep = sizeof(e->text) - 1 - len;
	memmove(e->text + len, e->text, keep);
	memcpy(e->text, note, len);
	e->text[len + keep] = '\0';
	return (e->code);
}

int
err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return (ERR_FAIL);
	if (e->hint[0] != '\0')
		return (e->code);
	va_start(ap, fmt);
	(void)vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	return (e->code);
}

void
err_clear(struct err *e)
{

	if (e == NULL)
		return;
	e->code = 0;
	e->sys = 0;
	e->text[0] = '\0';
	e->hint[0] = '\0';
}
