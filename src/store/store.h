#ifndef STORE_STORE_H
#define STORE_STORE_H

/*
 * A store keeps whole objects under names like "data/ab/abcd...". It knows
 * nothing of what is in them. An object appears under its name at once and
 * whole, or not at all; a name that is published is on the medium.
 *
 * A kind is one file that exports one struct store_kind. Users call the
 * store_... functions; a kind embeds struct store as its first member.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define STORE_NAME_MAX 256

struct store;
struct put;

/* Receives an object's bytes in order; an ERR_* ends the transfer. */
typedef int store_sink(void *cookie, const void *p, size_t len,
    struct err *e);

/* Receives one name of a listing, with its size in bytes. */
typedef int store_each(void *cookie, const char *name, uint64_t size,
    struct err *e);

enum {
	PUT_NEW = 1,         /* ERR_EXISTS when the name is taken */
};

/* One object in the making. */
struct put_ops {
	int (*write)(struct put *, const void *p, size_t len, struct err *);
	int (*cut)(struct put *, uint64_t len, struct err *);
	int (*publish)(struct put *, const char *name, unsigned flags,
	    struct err *);
	void (*free)(struct put *);
};

struct put {
	const struct put_ops *ops;
	struct store *store;
};

struct store_ops {
	int (*create)(struct store *, const char *dir, struct put **ret,
	    struct err *);
	int (*get)(struct store *, const char *name, uint64_t off,
	    uint64_t len, store_sink *fn, void *cookie, struct err *);
	int (*list)(struct store *, const char *dir, store_each *fn,
	    void *cookie, struct err *);
	int (*stat)(struct store *, const char *name, uint64_t *ret_size,
	    struct err *);
	int (*remove)(struct store *, const char *name, struct err *);
	int (*prepare)(struct store *, const char *const *dirs, struct err *);
	int (*settle)(struct store *, const char *dir, struct err *);
	void (*close)(struct store *);
};

struct store {
	const struct store_ops *ops;
	char *location;      /* as the user wrote it, for messages; no secrets */
};

struct store_kind {
	const char *name;    /* the scheme of its locations: "local" */
	const char *summary; /* one line for help */
	/**
	 * open(ret, rest, e): ${rest} is the location behind "name:". Does not
	 * fail because nothing is there yet.
	 */
	int (*open)(struct store **ret, const char *rest, struct err *e);
};

/* Generated from src/store/Makefile: what this image contains. */
extern const struct store_kind *const store_kinds[];
extern const char *const store_absent[];

/**
 * store_open(ret, location, e):
 * Open the store at ${location}: "kind:rest", or a path, which is "local".
 * Return 0, or ERR_USAGE for a kind that nobody knows or this image lacks (the
 * error says which), or what the kind returns.
 */
int store_open(struct store **ret, const char *location, struct err *e);

/* Close it; NULL is fine. */
void store_close(struct store *st);

/**
 * store_create(st, dir, ret, e):
 * Begin an object that will be published in folder ${dir} ("keys") or below it.
 * Nothing of it can be seen by others. End it with put_free in any case.
 */
int store_create(struct store *st, const char *dir, struct put **ret,
    struct err *e);

/* Append bytes. */
int put_write(struct put *p, const void *bytes, size_t len, struct err *e);

/* Drop all but the first ${len} bytes. */
int put_cut(struct put *p, uint64_t len, struct err *e);

/**
 * put_publish(p, name, flags, e):
 * Make it durable, then visible under ${name}, then the name durable. After 0
 * nothing but the medium's death can lose it. After a failure the name is as it
 * was before, or (when the name could not be made durable) has the whole object.
 */
int put_publish(struct put *p, const char *name, unsigned flags,
    struct err *e);

/* Release it; what was not published leaves no trace. NULL is fine. */
void put_free(struct put *p);

/**
 * store_get(st, name, off, len, fn, cookie, e):
 * Send ${len} bytes from ${off} on (UINT64_MAX: to the end) to ${fn}. Return 0,
 * ERR_ABSENT, ERR_CORRUPT when the object is shorter than asked for, what
 * ${fn} returned, or another ERR_*.
 */
int store_get(struct store *st, const char *name, uint64_t off, uint64_t len,
    store_sink *fn, void *cookie, struct err *e);

/**
 * store_list(st, dir, fn, cookie, e):
 * Name every object in ${dir} and below, in any order, with its whole name.
 * Temporary objects are not named. A folder that does not exist is empty.
 */
int store_list(struct store *st, const char *dir, store_each *fn,
    void *cookie, struct err *e);

/* Size of an object; ERR_ABSENT when there is none. */
int store_stat(struct store *st, const char *name, uint64_t *ret_size,
    struct err *e);

/* Remove an object; what is absent counts as removed. */
int store_remove(struct store *st, const char *name, struct err *e);

/**
 * store_settle(st, dir, e):
 * What was removed from the folder ${dir} itself so far stays removed whatever
 * happens: removing by itself does not promise that. A kind whose removals are
 * final at once has no such operation.
 */
int store_settle(struct store *st, const char *dir, struct err *e);

/**
 * store_prepare(st, dirs, e):
 * Make the place itself and the folders named (ended by NULL).
 */
int store_prepare(struct store *st, const char *const *dirs, struct err *e);

/**
 * store_name_ok(name):
 * Is it a relative name without empty, "." or ".." parts and short enough? What
 * the functions above refuse, so that no listing of a hostile store leads
 * outside.
 */
bool store_name_ok(const char *name);

#endif /* STORE_STORE_H */
