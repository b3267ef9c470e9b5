#ifndef BASE_SELFTEST_H
#define BASE_SELFTEST_H

/*
 * What `garner selftest` runs: published vectors of every primitive on the very
 * processor and binary that will do the work. Each floor has one table; the
 * unit tests run the same tables.
 */

#include <stddef.h>

#include "base/err.h"

struct selftest {
	const char *name;    /* "sha-256 (sha-ni)" is made of name and variant */
	/**
	 * run(ret_detail, len, e): 0 when every vector holds, with the variant
	 * that was chosen, or "", in ${ret_detail}; else an ERR_* and the
	 * vector that failed in ${e}.
	 */
	int (*run)(char *ret_detail, size_t len, struct err *e);
};

/* Tables, each ended by a NULL name. */
extern const struct selftest base_selftests[];
extern const struct selftest crypto_selftests[];
extern const struct selftest stream_selftests[];

#endif /* BASE_SELFTEST_H */
