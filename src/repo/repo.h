#ifndef REPO_REPO_H
#define REPO_REPO_H

/*
 * A restic repository, opened: its store, its keys, its map of blobs. The format
 * is described in SPEC.md beside this file.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "crypto/seal.h"
#include "state/blobmap.h"
#include "state/dir.h"
#include "store/store.h"
#include "stream/chunker.h"
#include "stream/slab.h"

/* The folders of a repository. */
enum repo_kind {
	REPO_KEY,
	REPO_SNAPSHOT,
	REPO_INDEX,
	REPO_LOCK,
	REPO_PACK,
};

struct repo {
	struct store *store;
	struct state_dir *state; /* borrowed */
	struct seal_key key; /* the master key, expanded */
	struct id key_id;    /* of the slot that opened it */
	struct id id;        /* of the repository */
	unsigned version;    /* 1 or 2 */
	uint64_t polynomial;
	struct chunk_tables tables;
	struct slab_pool pool; /* not touched before it is used */
	struct blobmap *map; /* NULL before repo_load_index */
	unsigned bad_indexes; /* which could not be read then */
	atomic_bool *stop;   /* the user asked to end; borrowed, may be NULL */
	struct repo_lock *lock; /* held on it, or NULL (lock.h) */
	atomic_bool lock_lost; /* and it is not ours any more */

	/* Told of each damaged file that is passed over; NULL: a warning. */
	void (*damaged)(void *cookie, const struct err *why);
	void *damaged_cookie;
};

/* A password, wiped when it is done with. */
struct secret {
	char *text;          /* NUL-terminated; NULL: there is none */
	size_t len;
};

void secret_free(struct secret *s);

/**
 * repo_open(ret, store, state, password, hint, e):
 * Open the repository in ${store}: without a password with the secrets that the
 * state folder keeps for its key slots, else with the slots in turn, the one
 * whose id begins with ${hint} (or NULL) first. A slot that is damaged is
 * reported and passed over. The store becomes the repository's; it stays the
 * caller's after a failure. Return 0, ERR_NOREPO, ERR_PASSWORD, ERR_CORRUPT, or
 * another ERR_*.
 */
int repo_open(struct repo **ret, struct store *store, struct state_dir *state,
    const struct secret *password, const char *hint, struct err *e);

void repo_close(struct repo *r);

struct repo_init {
	unsigned version;    /* 1 or 2 */
	uint64_t polynomial; /* 0: a new random one */
	const struct secret *password;
	const struct kdf *kdf; /* key.h; NULL: the default, calibrated */
};

/**
 * repo_init(store, state, init, ret_id, e):
 * Make a repository: folders, a key, and last the config. Return 0 with its id
 * in ${ret_id}, or ERR_EXISTS when there is one already, which is not touched.
 */
int repo_init(struct store *store, struct state_dir *state,
    const struct repo_init *init, struct id *ret_id, struct err *e);

/**
 * repo_upgrade(r, e):
 * Make a repository of version 1 one of version 2: a new config takes the place of
 * the old one at once. What is stored stays as it is. After a failure it is of
 * version 1 as before.
 */
int repo_upgrade(struct repo *r, struct err *e);

/**
 * repo_name(kind, id, ret):
 * The object's name in the store: "data/ab/abcd...", "keys/...". Return ${ret}.
 */
char *repo_name(enum repo_kind kind, const struct id *id,
    char ret[STORE_NAME_MAX]);

/* The folder of a kind, "data"; and its word in the singular, "pack". */
const char *repo_folder(enum repo_kind kind);
const char *repo_word(enum repo_kind kind);

/**
 * repo_list(r, kind, fn, cookie, e):
 * Each stored file of a kind, in any order; names that are not ids are passed
 * over. An ERR_* of ${fn} ends it.
 */
typedef int repo_each(void *cookie, const struct id *id, uint64_t size,
    struct err *e);
int repo_list(struct repo *r, enum repo_kind kind, repo_each *fn,
    void *cookie, struct err *e);

/**
 * repo_find_id(r, kind, prefix, ret, e):
 * The one file whose id begins with ${prefix} (hex). ERR_ABSENT when there is
 * none, ERR_USAGE when there are several.
 */
int repo_find_id(struct repo *r, enum repo_kind kind, const char *prefix,
    struct id *ret, struct err *e);

int repo_remove(struct repo *r, enum repo_kind kind, const struct id *id,
    struct err *e);

/* A damaged file was met and is passed over: ${then} says what is done instead. */
void repo_damaged(struct repo *r, const struct err *why, const char *then);

/* Has the user asked to stop? Then ERR_CANCEL. Was the lock lost? Then ERR_LOCKED.
 * Else 0. */
int repo_stopped(const struct repo *r, struct err *e);

#endif /* REPO_REPO_H */
