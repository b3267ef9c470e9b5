#ifndef ARCHIVE_ZIP_H
#define ARCHIVE_ZIP_H

/*
 * Writes a ZIP archive (APPNOTE 6.3) as a stream, with Zip64 where numbers need
 * it; what the central directory will say waits on a spill stack.
 *
 * A file's CRC is known only behind its bytes, so it follows them in a data
 * descriptor; a reader that cannot seek must see by itself where they end. Bytes
 * that are merely stored do not tell, so they are wrapped as deflate's own
 * stored blocks, 5 bytes for each 65535: nothing is compressed, and everything
 * that reads ZIP from a pipe reads this.
 *
 * Names that are UTF-8 are marked as such, others are raw. Modes, and links as
 * files that hold their target, are as Info-ZIP writes them on Unix; extra
 * fields give mtime in UTC (5455) and the owner (7875). There are no hard links,
 * devices or fifos in a ZIP.
 */

#include <stdbool.h>
#include <stdint.h>

#include "archive/out.h"
#include "base/spill.h"
#include "base/when.h"

enum zip_kind {
	ZIP_FILE,
	ZIP_DIR,
	ZIP_SYMLINK,
};

struct zip_entry {
	enum zip_kind kind;
	const char *name;    /* raw bytes; a folder's slash is not needed */
	size_t name_len;
	const char *target;  /* of a link */
	size_t target_len;
	uint32_t mode;       /* the bits 07777 */
	uint32_t uid, gid;
	uint64_t size;       /* of a file */
	struct when mtime;
};

/* What both of an entry's headers say. */
struct zip_head {
	bool dir;
	bool described;      /* sizes and CRC follow the bytes */
	bool wide;           /* as 64-bit numbers */
	uint16_t flags, method, date, time;
	uint32_t crc, mode;
	uint64_t packed, size, at;
	bool has_mtime;
	int32_t mtime;
	uint32_t uid, gid;
};

struct zip {
	archive_out *out;
	void *cookie;
	struct spill central;
	uint64_t entries;
	uint64_t at;         /* bytes written */
	struct zip_head head; /* of the present entry */
	uint64_t central_at; /* and its place in central */
	uint64_t left;       /* bytes of it that are to come */
	uint32_t block_left; /* and of its deflate block */
	uint32_t crc_table[8][256];
};

/**
 * zip_open(z, out, cookie, dir, e):
 * Begin an archive. ${dir} is for the scratch file and must outlive it. Return 0
 * or ERR_NOMEM.
 */
int zip_open(struct zip *z, archive_out *out, void *cookie, const char *dir,
    struct err *e);

/* Release it, finished or not. A zeroed struct is fine. */
void zip_close(struct zip *z);

/**
 * zip_begin(z, x, e):
 * Write an entry's header, and all of a folder or link. The one before must have
 * ended. Return 0; ERR_LIMIT (a name beyond 65535 bytes) with nothing written,
 * so that the archive goes on without it; or what ${z->out} or the spill stack
 * returned.
 */
int zip_begin(struct zip *z, const struct zip_entry *x, struct err *e);

/* The next bytes of the file; more than its size is ERR_FAIL. */
int zip_write(struct zip *z, const void *p, size_t len, struct err *e);

/* The entry is complete. ERR_FAIL when bytes are missing. */
int zip_end(struct zip *z, struct err *e);

/* The archive is complete: write the central directory. */
int zip_finish(struct zip *z, struct err *e);

#endif /* ARCHIVE_ZIP_H */
