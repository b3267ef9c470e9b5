#ifndef STORE_SUITE_H
#define STORE_SUITE_H

/*
 * What every kind of store must do, whatever is behind it: the sentences of
 * store/store.h as tests. A kind's own program brings a place and runs them, and
 * has tests of its own beside them.
 */

#include "store/store.h"

struct store_place {
	/* fresh(place): make it a place where nothing is, not even a folder. */
	void (*fresh)(struct store_place *place);
	/* open(place, ret, e): one more store at it. */
	int (*open)(struct store_place *place, struct store **ret,
	    struct err *e);
};

/* Run all of it as the cmocka group ${name}; return how many failed. */
int store_suite(const char *name, struct store_place *place);

/* ---- for a kind's own tests ---- */

/* A fresh place with a repository's folders, opened; store_close it. */
struct store *suite_open(struct store_place *place);

/* Publish ${len} bytes that follow from ${seed}. */
int suite_put(struct store *st, const char *dir, const char *name,
    uint64_t seed, size_t len, unsigned flags, struct err *e);

/* Get all of it and hold it against that; fails the test that calls it. */
void suite_expect(struct store *st, const char *name, uint64_t seed,
    size_t len);

/* How many objects ${dir} has, and below it. */
unsigned suite_count(struct store *st, const char *dir);

#endif /* STORE_SUITE_H */
