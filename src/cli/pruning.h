#ifndef CLI_PRUNING_H
#define CLI_PRUNING_H

/* What prune and forget --prune take and say alike. */

#include "cli/cli.h"
#include "run/prune.h"

struct pruning_flags {
	const char *max_unused, *max_repack, *smaller_than;
	bool cacheable_only, small, uncompressed;
};

/* The options, as lines of a command's table. */
#define PRUNING_FLAGS(type, field) \
	OPT(type, field.max_unused, "max-unused", 0, OPT_TEXT, "LIMIT", \
	    "unused data that may stay: a share (5%), a size, unlimited"), \
	OPT(type, field.max_repack, "max-repack-size", 0, OPT_TEXT, "SIZE", \
	    "repack no more than so much; 0 needs no room"), \
	OPT(type, field.cacheable_only, "repack-cacheable-only", 0, OPT_FLAG, \
	    NULL, "repack no packs of file data"), \
	OPT(type, field.small, "repack-small", 0, OPT_FLAG, NULL, \
	    "repack packs below 80% of the pack size"), \
	OPT(type, field.smaller_than, "repack-smaller-than", 0, OPT_TEXT, \
	    "SIZE", "repack packs below this size"), \
	OPT(type, field.uncompressed, "repack-uncompressed", 0, OPT_FLAG, \
	    NULL, "compress what is not compressed yet")

/**
 * pruning_opts(c, f, ret, e):
 * What the options and the global ones mean, with the functions that talk: all but
 * dry, gone and lock. The cookie is ${c}. 0 or ERR_USAGE.
 */
int pruning_opts(struct cli *c, const struct pruning_flags *f,
    struct prune_opts *ret, struct err *e);

/**
 * pruning_run(c, opts, e):
 * Run it with progress, and say what it did. Return an exit code or ERR_*.
 */
int pruning_run(struct cli *c, struct prune_opts *opts, struct err *e);

#endif /* CLI_PRUNING_H */
