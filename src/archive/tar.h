#ifndef ARCHIVE_TAR_H
#define ARCHIVE_TAR_H

/*
 * Writes a tar archive as a stream: POSIX pax, in the memory of one entry's
 * header.
 *
 * An entry is a ustar header of 512 bytes and, for a file, its bytes, filled up
 * to a multiple of 512. What the header's fields cannot hold stands in an
 * extended header before it (typeflag x, lines of "LENGTH KEY=VALUE\n"):
 *
 *     path, linkpath     names that are too long or not ASCII
 *     uname, gname       likewise
 *     size, uid, gid     numbers beyond the octal fields
 *     mtime              fractions of a second, times before 1970
 *     atime, ctime       if the caller gives them
 *     SCHILY.xattr.NAME  extended attributes; a = or % in the name is %3D, %25
 *     SCHILY.acl.access, SCHILY.acl.default   POSIX access lists, as text
 *     hdrcharset=BINARY  when such a name is not UTF-8
 *
 * For readers that know nothing of that (BusyBox), names up to 4094 bytes come
 * as entries of the types L and K too, and such numbers stand in their fields in
 * base 256. Names that are not UTF-8, or that a reader might normalize, stand
 * there alone: raw. The end is two blocks of zeros.
 */

#include <stdint.h>

#include "archive/out.h"
#include "base/buf.h"
#include "base/when.h"

enum {
	TAR_BLOCK_LEN = 512,
	TAR_HEADER_MAX = 3 << 20, /* bytes of an extended header; few readers
				     take more than one MiB of it */
};

enum tar_kind {
	TAR_FILE = '0',
	TAR_LINK = '1',      /* another name of an entry that came before */
	TAR_SYMLINK = '2',
	TAR_CHARDEV = '3',
	TAR_BLOCKDEV = '4',
	TAR_DIR = '5',
	TAR_FIFO = '6',
};

struct tar_entry {
	enum tar_kind kind;
	const char *name;    /* raw bytes, no NUL among them; relative */
	size_t name_len;     /* a folder's slash at the end is not needed */
	const char *target;  /* of both kinds of links: raw bytes */
	size_t target_len;
	uint32_t mode;       /* the bits 07777 */
	uint64_t uid, gid;
	const char *user, *group; /* names, or NULL */
	uint64_t size;       /* of a file; others have no bytes */
	struct when mtime;
	const struct when *atime, *ctime; /* or NULL */
	uint32_t dev_major, dev_minor; /* of devices */
};

struct tar {
	archive_out *out;
	void *cookie;
	struct buf pax;      /* extended header of the entry to come */
	struct buf acl;      /* an access list as text */
	uint64_t left;       /* bytes of the present entry that are to come */
	unsigned pad;        /* and zeros behind them */
};

/* Begin an archive; nothing is allocated or written yet. */
void tar_open(struct tar *t, archive_out *out, void *cookie);

/* Release it, finished or not. A zeroed struct is fine. */
void tar_close(struct tar *t);

/**
 * tar_xattr(t, name, value, len, e):
 * An extended attribute of the entry that begins next. Return 0, or ERR_LIMIT
 * when the header would grow too long: then it is left out.
 */
int tar_xattr(struct tar *t, const char *name, const void *value, size_t len,
    struct err *e);

/**
 * tar_begin(t, x, e):
 * Write an entry's header; the one before must have ended. Return 0; ERR_LIMIT
 * (its names are too long), ERR_NOMEM, with nothing written and its attributes
 * forgotten: the archive goes on without it; or what ${t->out} returned.
 */
int tar_begin(struct tar *t, const struct tar_entry *x, struct err *e);

/* The next bytes of the file; more than its size is ERR_FAIL. */
int tar_write(struct tar *t, const void *p, size_t len, struct err *e);

/* The entry is complete. ERR_FAIL when bytes are missing. */
int tar_end(struct tar *t, struct err *e);

/* The archive is complete. */
int tar_finish(struct tar *t, struct err *e);

#endif /* ARCHIVE_TAR_H */
