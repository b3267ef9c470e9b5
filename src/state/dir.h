#ifndef STATE_DIR_H
#define STATE_DIR_H

/*
 * The state folder: what this box remembers. All of it can be lost: caches are
 * made again, notes of own locks only save a person an `unlock`, the secrets of
 * appliance keys have a password slot beside them.
 *
 *     appliance/<key id>       secrets of own key slots
 *     cache/<repository id>/   the blob map of a repository
 *     locks/<lock id>          own locks, and the boot they belong to
 *     scratch/                 nameless files of running commands
 */

#include <stdbool.h>

#include "base/err.h"

struct state_dir {
	char *path;          /* absolute */
	char *scratch;       /* path of the scratch folder */
	int fd;
};

/**
 * state_open(ret, path, e):
 * Open or make the state folder: ${path} when not NULL, else
 * $GARNER_STATE_DIR, else /var/lib/garner for root, else
 * $XDG_CACHE_HOME/garner, else $HOME/.cache/garner. When none of the defaults
 * can be written (a read-only root) a folder under $TMPDIR or /tmp is used, with
 * a warning; it must be a folder of this user alone. Return 0, or ERR_*, after
 * which state_close is fine, when the place that was asked for by name cannot be
 * used.
 */
int state_open(struct state_dir *ret, const char *path, struct err *e);

void state_close(struct state_dir *d);

/**
 * state_subdir(d, name, ret, e):
 * Open (and make) a folder below it, "cache/ab12"; close(*ret).
 */
int state_subdir(const struct state_dir *d, const char *name, int *ret,
    struct err *e);

/* Is it on a RAM disk? Then what is put there is memory in disguise. */
bool state_in_ram(const struct state_dir *d);

#endif /* STATE_DIR_H */
