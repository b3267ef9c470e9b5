#ifndef BASE_FILE_H
#define BASE_FILE_H

/* Descriptors and files: whole reads and writes, and durability. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/**
 * file_read(fd, p, len, ret, what, e):
 * Read until ${len} bytes are there or the file ends; ${*ret} says how many.
 * ${what} names the file in an error, which also says in which folder it is, where
 * the kernel knows. Return 0, ERR_CANCEL when a signal ended
 * the wait for the other end of a pipe, or another ERR_*.
 */
int file_read(int fd, void *p, size_t len, size_t *ret, const char *what,
    struct err *e);

/* The same at an offset; a short file is reported in ${*ret}, not an error. */
int file_pread(int fd, void *p, size_t len, uint64_t off, size_t *ret,
    const char *what, struct err *e);

/* Write all of it, or fail. */
int file_write(int fd, const void *p, size_t len, const char *what,
    struct err *e);
int file_pwrite(int fd, const void *p, size_t len, uint64_t off,
    const char *what, struct err *e);

/**
 * file_scratch(dir, ret, e):
 * Open a file in ${dir} for reading and writing that has no name and is gone
 * when its descriptor ${*ret} is closed. Return 0 or ERR_*.
 */
int file_scratch(const char *dir, int *ret, struct err *e);

/**
 * file_reserve(fd, len, what, e):
 * Give an empty file ${len} bytes of zeros that take their place on the medium
 * now: writing through a map of it cannot fail later, which would be a signal and
 * no error. Return 0 or ERR_* (ERR_SPACE).
 */
int file_reserve(int fd, uint64_t len, const char *what, struct err *e);

/**
 * file_load(dirfd, name, max, ret, ret_len, e):
 * Read a whole small file into fresh memory with a NUL behind it, which does
 * not count; free(*ret). ERR_LIMIT when it is larger than ${max}.
 */
int file_load(int dirfd, const char *name, size_t max, char **ret,
    size_t *ret_len, struct err *e);

/**
 * file_save(dirfd, name, p, len, mode, e):
 * Publish a small file: temporary name, write, fsync, rename over ${name},
 * fsync of the folder. On failure ${name} is as it was. Return 0 or ERR_*.
 */
int file_save(int dirfd, const char *name, const void *p, size_t len,
    mode_t mode, struct err *e);

/**
 * file_mkdirs(path, mode, e):
 * Make the folder and the missing ones above it, durably. One that exists is
 * fine; what exists and is no folder is ERR_EXISTS.
 */
int file_mkdirs(const char *path, mode_t mode, struct err *e);

/**
 * file_sync_dir(fd, what, e):
 * fsync a folder. File systems that cannot (EINVAL, ENOTSUP) are forgiven: they
 * give no better.
 */
int file_sync_dir(int fd, const char *what, struct err *e);

/* A fresh temporary name, "PREFIX-" and 16 random hex digits. */
#define FILE_TEMP_NAME 48
int file_temp_name(const char *prefix, char ret[FILE_TEMP_NAME],
    struct err *e);

#endif /* BASE_FILE_H */
