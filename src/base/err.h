#ifndef BASE_ERR_H
#define BASE_ERR_H

/*
 * Errors travel in the last argument. The function that first sees a failure
 * fills the caller's struct err with a sentence that names the thing and the
 * reason; each layer that knows more puts a note in front; main prints it once.
 * There is no global last error.
 *
 * A text is a lower-case clause without a full stop; a hint is what the reader
 * can do about it. Neither ever holds a secret.
 */

#include <stdarg.h>
#include <stdbool.h>

/* Few, and only those that a caller tells apart. */
enum {
	ERR_FAIL = -1,       /* anything without a better name */
	ERR_USAGE = -2,      /* the caller's words make no sense */
	ERR_ABSENT = -3,     /* the named thing does not exist */
	ERR_EXISTS = -4,     /* it exists and must not */
	ERR_LOCKED = -5,     /* another process holds it */
	ERR_PASSWORD = -6,   /* no key opens with this password */
	ERR_CORRUPT = -7,    /* stored bytes are not what they claim to be */
	ERR_LIMIT = -8,      /* would exceed a budget of this build */
	ERR_SPACE = -9,      /* the medium or the quota is full */
	ERR_DENIED = -10,    /* permission, or a read-only medium */
	ERR_CANCEL = -11,    /* the user or a signal asked to stop */
	ERR_NOREPO = -12,    /* no repository (or store) at that place */
	ERR_NOMEM = -13,     /* malloc said no; or no descriptors are left */
};

struct err {
	int code;            /* 0, or one of the above */
	int sys;             /* errno behind it, or 0 */
	char text[640];
	char hint[320];      /* "" when there is none */
};

/**
 * err_ends_all(code):
 * Is it about this process and not about the thing at hand? Who goes on with the
 * next file after other failures must not after these.
 */
static inline bool
err_ends_all(int code)
{

	return (code == ERR_CANCEL || code == ERR_NOMEM || code == ERR_SPACE ||
	    code == ERR_LOCKED);
}

#define ERR_INIT { 0, 0, "", "" }

/**
 * err_set(e, code, fmt, ...):
 * Start an error afresh: keep ${code}, format the text, drop any hint.
 * ${e} may be NULL (the caller wants the code only). Return ${code}.
 */
int err_set(struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * err_sys(e, fmt, ...):
 * As err_set, with the reason of errno appended (": No such file or
 * directory") and the code that fits it (ENOENT is ERR_ABSENT, ENOSPC and
 * EDQUOT are ERR_SPACE, EACCES, EPERM and EROFS are ERR_DENIED, ...). Where
 * both do not fit, the text is cut. errno is read at the call and kept. Return
 * the code.
 */
int err_sys(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * err_nomem(e):
 * The one text for a failed allocation. Return ERR_NOMEM.
 */
int err_nomem(struct err *e);

/**
 * err_note(e, fmt, ...):
 * Put "note: " in front of the text. Return e's code, so that a layer can write
 * return (err_note(e, "pack %s", hex)).
 */
int err_note(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * err_hint(e, fmt, ...):
 * Say what the reader can do next; the first hint given wins. Return e's code.
 */
int err_hint(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * err_clear(e):
 * Forget; ${e} is as after ERR_INIT.
 */
void err_clear(struct err *e);

#endif /* BASE_ERR_H */
