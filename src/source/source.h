#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

/*
 * A source yields a tree of entries in the order in which a repository keeps
 * them: within a folder by the bytes of their names, a folder's entries between
 * its ENTER and its LEAVE. It pours the bytes of a file on demand.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "source/filter.h"

struct source;

enum entry_kind {
	ENTRY_ENTER,         /* a folder; what is in it follows */
	ENTRY_LEAVE,         /* the end of the folder entered last */
	ENTRY_FILE,
	ENTRY_SYMLINK,
	ENTRY_BLOCK,
	ENTRY_CHAR,
	ENTRY_FIFO,
};

/* Valid until the next call of source_next. A LEAVE has only its kind. */
struct entry {
	enum entry_kind kind;
	const char *name;    /* raw bytes and a NUL */
	size_t name_len;
	const char *path;    /* absolute, for people and patterns */
	struct stat st;      /* source_open may bring it up to date */
	const char *target;  /* of a symlink; raw bytes and a NUL */
	size_t target_len;
};

/**
 * source_problem: an entry cannot be read; all else goes on.
 * Return 0, or an ERR_* to end the walk.
 */
typedef int source_problem(void *cookie, const char *path,
    const struct err *why);

/* An extended attribute. */
typedef int source_xattr(void *cookie, const char *name, const void *value,
    size_t len, struct err *e);

enum source_lines {
	LINES_PATTERNS,      /* shell patterns, # comments, blanks cut off */
	LINES_VERBATIM,      /* a path each line */
	LINES_RAW,           /* paths, each ended by a NUL */
};

struct source_list {
	const char *file;    /* "-" is standard input */
	enum source_lines lines;
};

struct source_tag {
	const char *name;    /* a folder with this file is left out, but for it */
	const char *header;  /* and only if the file begins so; NULL: always */
};

/* What to read; each kind takes the fields it knows. */
struct source_spec {
	const char *scratch; /* folder for scratch files */
	source_problem *problem;
	/* Shall the walk end? ERR_CANCEL or another ERR_*; asked by what can wait
	 * for its bytes. Or NULL. */
	int (*stopped)(void *cookie, struct err *);
	void *cookie;

	/* files */
	const char *const *paths;
	size_t n_paths;
	const struct source_list *lists;
	size_t n_lists;
	const struct filter *exclude, *iexclude; /* or NULL */
	const struct source_tag *tags;
	size_t n_tags;
	bool one_file_system;
	uint64_t larger_than; /* leave out files above this size; 0: none */
	int64_t newer_than;   /* and those not modified since; INT64_MIN */
	const struct stat *own; /* a folder that is never entered: the store's */

	/* stdin */
	const char *name;    /* the path it gets in the snapshot */
};

struct source_ops {
	int (*next)(struct source *, struct entry *ret, struct err *);
	int (*open)(struct source *, struct entry *, struct err *);
	int (*read)(struct source *, void *p, size_t cap, size_t *ret,
	    uint64_t *ret_hole, struct err *);
	int (*xattrs)(struct source *, source_xattr *fn, void *cookie,
	    struct err *);
	int (*target_paths)(struct source *, int (*fn)(void *cookie,
	    const char *path, struct err *), void *cookie, struct err *);
	void (*close)(struct source *);
};

struct source {
	const struct source_ops *ops;
	uint64_t sockets;    /* skipped: nothing of them can be kept */
	uint64_t excluded;   /* entries left out by patterns and limits */
};

struct source_kind {
	const char *name, *summary;
	int (*open)(struct source **ret, const struct source_spec *spec,
	    struct err *e);
};

/* Generated from src/source/Makefile: what this image contains. */
extern const struct source_kind *const source_kinds[];
extern const char *const source_absent[];

/**
 * source_open_kind(ret, kind, spec, e):
 * Open a source of the kind with that name. ${spec} and all it points at must
 * outlive it. ERR_USAGE for a kind that nobody knows or this image lacks.
 */
int source_open_kind(struct source **ret, const char *kind,
    const struct source_spec *spec, struct err *e);

void source_close(struct source *s);

/* The next entry: 1, 0 at the end, or ERR_*. */
int source_next(struct source *s, struct entry *ret, struct err *e);

/**
 * source_open(s, entry, e):
 * Be ready to read the FILE that source_next gave last; entry->st is read again,
 * from the open file. A failure concerns this entry only, except ERR_CANCEL.
 */
int source_open(struct source *s, struct entry *entry, struct err *e);

/**
 * source_read(s, p, cap, ret, ret_hole, e):
 * The next bytes of the open file: ${*ret} of them in ${p}, or ${*ret} = 0 and
 * ${*ret_hole} zeros that nobody has to look at, or both 0 at the end. The file
 * is closed by the next source_next. A failure concerns this file only, unless
 * err_ends_all says otherwise.
 */
int source_read(struct source *s, void *p, size_t cap, size_t *ret,
    uint64_t *ret_hole, struct err *e);

/**
 * source_tell(fn, cookie, path, why, e):
 * Tell ${fn} of an entry that cannot be read. What err_ends_all, or what ${fn}
 * takes for the end, becomes ${e}, with the path in front. Return 0, or that.
 */
int source_tell(source_problem *fn, void *cookie, const char *path,
    const struct err *why, struct err *e);

/* Name the extended attributes of the entry given last, in the kernel's order. */
int source_xattrs(struct source *s, source_xattr *fn, void *cookie,
    struct err *e);

/* Name what was asked for, as absolute paths: a snapshot's "paths". */
int source_target_paths(struct source *s, int (*fn)(void *cookie,
    const char *path, struct err *), void *cookie, struct err *e);

#endif /* SOURCE_SOURCE_H */
