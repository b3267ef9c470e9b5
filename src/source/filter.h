#ifndef SOURCE_FILTER_H
#define SOURCE_FILTER_H

/*
 * restic's patterns: lists of shell patterns over the parts of a path, used to
 * leave things out of a backup and to choose what a restore takes.
 *
 *     foo        the part "foo" anywhere:  /a/foo, /a/foo/b
 *     a/b        two parts in a row, anywhere
 *     /a/b       from the root
 *     a/ ** /b   any number of parts between (written without the spaces)
 *     !foo       takes back what patterns before it matched
 *
 * Within a part * ? [a-z] [^a-z] and \ as Go's filepath.Match has them. The
 * last pattern that has an opinion wins. A pattern is tidied first, as by Go's
 * filepath.Clean: a//b/../c/ is a/c; and / by itself is / ** (all there is).
 *
 * Paths are absolute and tidy; their parts are raw bytes, and where they are
 * UTF-8, ? and [] see runes. A byte that is not counts as U+FFFD to them.
 *
 * One oddity is kept, so that both programs leave out the same: when restic
 * tries how much a ** takes, it reckons with a part for each ** behind it. With
 * three of them in a pattern (two, if it is from the root) a path can thus be
 * too short: a/ ** /b/ ** /c/ ** /d is not /a/b/c/d, nor /a/1/2/b/c/d.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
	FILTER_PATTERN_MAX = 64 * 1024, /* bytes of one pattern */
	FILTER_TOTAL_MAX = 1024 * 1024, /* of a list, a NUL each: at worst 28
					   times as many in memory */
};

struct filter;

/**
 * filter_new(ret, fold_case, e):
 * An empty list, which matches nothing. With ${fold_case} letters of both cases
 * are the same (--iexclude): patterns and paths are compared in lower case,
 * Unicode 15.0's, a rune for a rune. As in restic, bytes that are not UTF-8 are
 * U+FFFD then and thus all alike. Return 0 or ERR_NOMEM.
 */
int filter_new(struct filter **ret, bool fold_case, struct err *e);
void filter_free(struct filter *f);

/**
 * filter_add(f, pattern, e):
 * Add a pattern behind those there are; an empty one says nothing and is left
 * out. Return 0; ERR_USAGE that names a pattern which is malformed ("[a-"),
 * also where restic finds out only when it compares names; ERR_LIMIT beyond
 * the ceilings above; or ERR_NOMEM. After a failure the list is as it was.
 */
int filter_add(struct filter *f, const char *pattern, struct err *e);

/**
 * filter_add_file(f, path, e):
 * Add the patterns of a file, as restic's --exclude-file: a line each, white
 * space around it cut off, empty lines and lines that begin with # left out,
 * $VAR and ${VAR} replaced from the environment ($$ is a dollar). The text is
 * UTF-8, or UTF-16 when it begins with that byte order mark. "-" is standard
 * input. Errors name file and line (a line with a NUL is ERR_USAGE); the lines
 * before it have been added.
 *
 * restic takes all --exclude first and then all --exclude-file, whatever their
 * order on the command line.
 */
int filter_add_file(struct filter *f, const char *path, struct err *e);

/* Is there no pattern at all? Empty ones do not count. */
bool filter_empty(const struct filter *f);

/**
 * filter_match(f, path, ret_below):
 * Does the list match the absolute ${path}? ${ret_below} (may be NULL): could
 * it match something below it? As restic's filter.ListWithChild, but that below
 * "/" there may be what a pattern from the root matches. An empty path matches
 * nothing.
 *
 * Nothing is allocated, and threads may share ${f}. The time is bounded by the
 * product of the path's and the patterns' lengths and of the number of ** in a
 * pattern.
 */
bool filter_match(const struct filter *f, const char *path, bool *ret_below);

#endif /* SOURCE_FILTER_H */
