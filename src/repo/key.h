#ifndef REPO_KEY_H
#define REPO_KEY_H

/*
 * Key slots: files in keys/ that hold the master key, sealed with a key derived
 * from a password by scrypt (restic-format 3).
 */

#include "base/buf.h"
#include "repo/repo.h"

/* Cost of a slot. Memory to open it is 128 r N, less with a stride. */
struct kdf {
	uint32_t n, r, p;
};

/* A person's password: 8 MiB, p raised to about half a second. */
#define KDF_N 8192
#define KDF_R 8
#define KDF_MS 500

/* A long random secret kept on the box needs no stretching. */
#define KDF_APPLIANCE { 512, 8, 1 }

/* What a slot says of itself. */
struct key_info {
	struct id id;
	char user[64], host[256], created[64];
	struct kdf kdf;
	uint8_t salt[64];
	struct buf data;     /* the sealed master key */
};

/**
 * key_load(store, id, ret, e):
 * Read and check a slot's file: its hash, its JSON, its parameters. Give it back
 * with key_release, also after a failure. ERR_CORRUPT names the defect.
 */
int key_load(struct store *store, const struct id *id, struct key_info *ret,
    struct err *e);
void key_release(struct key_info *k);

/**
 * key_unlock(k, password, ret, e):
 * Derive and open. Return 0 with the raw master key in ${ret}, which the caller
 * wipes; ERR_PASSWORD when the password does not open it; ERR_CORRUPT, ERR_LIMIT
 * (its scrypt does not fit CONFIG_KDF_KIB).
 */
int key_unlock(const struct key_info *k, const struct secret *password,
    uint8_t ret[SEAL_KEY_LEN], struct err *e);

/**
 * key_calibrate(k, ms, e):
 * Raise k->p so that opening takes about ${ms} milliseconds here.
 */
int key_calibrate(struct kdf *k, unsigned ms, struct err *e);

struct key_new {
	const uint8_t *master; /* SEAL_KEY_LEN raw bytes */
	const struct secret *password;
	struct kdf kdf;
	const char *user, *host; /* NULL: who and where we are */
};

/**
 * key_add(store, want, ret, e):
 * Write a new slot, then read it back and open it: a slot that cannot be opened
 * would lock everybody out (restic-format 3), so it is removed again. Return 0
 * with its id.
 */
int key_add(struct store *store, const struct key_new *want, struct id *ret,
    struct err *e);

/* ---- secrets that the box keeps ---- */

/**
 * appliance_secret(state, id, ret, e):
 * The secret kept for slot ${id}: 1 with ${ret} to be freed, 0 when none is
 * kept, or ERR_DENIED when others can read it.
 */
int appliance_secret(const struct state_dir *state, const struct id *id,
    struct secret *ret, struct err *e);

/* Make a new random secret (64 hex digits). */
int appliance_make(struct secret *ret, struct err *e);

/* Keep it for slot ${id}; and forget it again. */
int appliance_keep(const struct state_dir *state, const struct id *id,
    const struct secret *s, struct err *e);
void appliance_forget(const struct state_dir *state, const struct id *id);

#endif /* REPO_KEY_H */
