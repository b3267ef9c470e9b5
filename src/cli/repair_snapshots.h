#ifndef CLI_REPAIR_SNAPSHOTS_H
#define CLI_REPAIR_SNAPSHOTS_H

/* A word of the command repair, which has a table of them. */

#include "cli/cli.h"

struct repair_snapshots_flags {
	struct cli_filter filter;
	bool forget, dry;
};

/* Its options, as lines of the command's table. */
#define REPAIR_SNAPSHOTS_FLAGS(type, field) \
	OPT(type, field.forget, "forget", 0, OPT_FLAG, NULL, \
	    "snapshots: remove the damaged ones"), \
	OPT(type, field.dry, "dry-run", 'n', OPT_FLAG, NULL, \
	    "snapshots: tell what would be done, write nothing"), \
	CLI_FILTER(type, field.filter)

/* Return an exit code or ERR_*. */
int cli_repair_snapshots(struct cli *c,
    const struct repair_snapshots_flags *f, int argc, char **argv,
    struct err *e);

#endif /* CLI_REPAIR_SNAPSHOTS_H */
