#ifndef REPO_SEALED_H
#define REPO_SEALED_H

/*
 * One envelope of any size, read in two passes: first all of it is fetched onto
 * a spill stack and its tag is checked, then it is opened piece by piece. So no
 * byte is looked at that was not authenticated, in a fixed amount of memory.
 */

#include "base/spill.h"
#include "repo/repo.h"

struct sealed {
	struct spill bytes;  /* the ciphertext */
	uint64_t at;         /* next of it to open */
	struct seal seal;
};

/**
 * sealed_fetch(s, r, name, off, len, window, ret_sha, e):
 * Fetch the envelope of ${len} bytes (UINT64_MAX: to the end) at ${off} of the
 * object ${name} and check its tag; ${window} bytes of it stay in memory.
 * ${ret_sha}, if not NULL, gets the SHA-256 of the stored bytes, also when the
 * tag does not hold. Return 0, ERR_CORRUPT ("... is damaged: its seal does not
 * hold"), or another ERR_*. Close it in any case.
 */
int sealed_fetch(struct sealed *s, struct repo *r, const char *name,
    uint64_t off, uint64_t len, size_t window, struct id *ret_sha,
    struct err *e);

/* Bytes of plaintext in all. */
static inline uint64_t
sealed_len(const struct sealed *s)
{

	return (spill_top(&s->bytes));
}

/* Open the next ${cap} bytes or what is left; 0 in ${*ret} is the end. */
int sealed_next(struct sealed *s, void *p, size_t cap, size_t *ret,
    struct err *e);

void sealed_close(struct sealed *s);

#endif /* REPO_SEALED_H */
