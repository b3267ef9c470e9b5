#ifndef RUN_PLACE_H
#define RUN_PLACE_H

/*
 * The folder that a restore writes to. Everything below it is reached one part
 * at a time from a descriptor, never through a symbolic link, so that no tree,
 * however crafted, leads outside; and no path is too long.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

enum { PLACE_KEEP = 32 };

struct place {
	int root;            /* the target itself */
	struct buf path;     /* of the present folder, below it: "/a/b"; NUL */
	unsigned depth;      /* parts in it */
	struct {
		int fd;
		unsigned depth;
		uint64_t stamp;
	} open[PLACE_KEEP];
	uint64_t stamps;     /* given out so far */
};

/* Open (and make) the target folder; it may be reached through links. */
int place_open(struct place *p, const char *target, struct err *e);
void place_close(struct place *p);

/**
 * place_down(p, name, e), place_up(p):
 * Move the present folder; nothing is touched on disk. ERR_LIMIT: too deep.
 */
int place_down(struct place *p, const char *name, struct err *e);
void place_up(struct place *p);

/**
 * place_fd(p, make, ret, e):
 * The present folder's descriptor, which stays the place's. With ${make},
 * missing folders on the way are made (0700), and what is in the way and not a
 * folder is removed. ERR_ABSENT without.
 */
int place_fd(struct place *p, bool make, int *ret, struct err *e);

/**
 * place_stamp(p):
 * A number for what place_fd gave last: the same one means the same folder.
 */
uint64_t place_stamp(const struct place *p);

/**
 * place_find(p, path, ret, ret_name, e):
 * Open the folder of ${path} ("/a/b/c", below the target) for reading; close
 * (*ret). ${*ret_name} points at its last part.
 */
int place_find(struct place *p, const char *path, int *ret,
    const char **ret_name, struct err *e);

/* A fresh temporary name in the style that place_sweep knows. */
#define PLACE_TEMP 40
int place_temp(char ret[PLACE_TEMP], struct err *e);

/**
 * place_hold(fd):
 * Somebody begins to make temporary files in this folder; it holds until the
 * open file of ${fd} is closed for good. Where a file system has no locks there
 * is no protection.
 */
void place_hold(int fd);

/* Remove temporary files that a restore which was killed left in a folder, unless
 * somebody is at work there. */
void place_sweep(int fd);

#endif /* RUN_PLACE_H */
