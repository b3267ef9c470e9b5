#ifndef ARCHIVE_OUT_H
#define ARCHIVE_OUT_H

#include <stddef.h>

#include "base/err.h"

/*
 * Where an archive goes: it receives the bytes in order, headers in pieces as
 * small as they are, so it had better gather them. An ERR_* ends the archive.
 */
typedef int archive_out(void *cookie, const void *p, size_t len,
    struct err *e);

#endif /* ARCHIVE_OUT_H */
