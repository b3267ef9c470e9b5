#ifndef CLI_BELOW_H
#define CLI_BELOW_H

#include "cli/cli.h"

/**
 * cli_below(c, s, path, e):
 * SNAPSHOT:PATH: make the folder ${path} the tree of ${s}; NULL is fine. Needs
 * the index. ERR_ABSENT when there is no such folder.
 */
int cli_below(struct cli *c, struct snapshot *s, const char *path,
    struct err *e);

#endif /* CLI_BELOW_H */
