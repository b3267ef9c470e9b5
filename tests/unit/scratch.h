#ifndef SCRATCH_H
#define SCRATCH_H

/*
 * What most unit tests need: a folder of their own, a small disk that can be
 * full, and an assertion that prints an error's text. To be included behind
 * cmocka.h.
 */

#include <ftw.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

#define SCRATCH_PATH 256

/* ${call} must return ${want}; if not, say what the error was. */
#define assert_rc(call, want, e) do {                                        \
	int rc_ = (call);                                                    \
	if (rc_ != (want))                                                   \
		fail_msg("%s returned %d: %s", #call, rc_,                   \
		    rc_ < 0 ? (e)->text : "no error");                       \
} while (0)
#define assert_ok(call, e) assert_rc(call, 0, e)

/* A fresh folder; scratch_remove it. */
static inline void
scratch_make(char ret[SCRATCH_PATH])
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(ret, SCRATCH_PATH, "%s/garner-test-XXXXXX",
	    tmp != NULL && strlen(tmp) < 200 ? tmp : "/tmp");
	assert_non_null(mkdtemp(ret));
}

static inline int
scratch_remove_one(const char *path, const struct stat *st, int flag,
    struct FTW *ftw)
{

	(void)st;
	(void)flag;
	(void)ftw;
	return (remove(path));
}

static inline void
scratch_remove(const char *path)
{

	(void)nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/*
 * Mount a RAM disk of ${kib} KiB on the folder ${path}, seen by this process
 * alone; umount it before the folder is removed. False where that is not
 * permitted.
 */
static inline bool
scratch_small_disk(const char *path, unsigned kib)
{
	static bool own;
	char size[32];

	if (!own && (unshare(CLONE_NEWNS) == -1 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1))
		return (false);
	own = true;
	(void)snprintf(size, sizeof(size), "size=%uk", kib);
	return (mount("none", path, "tmpfs", 0, size) == 0);
}

#endif /* SCRATCH_H */
