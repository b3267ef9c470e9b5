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
 * Within a part * ? [a-z] [^a-z] and \ as Go's filepath.Match has them. The last
 * pattern that has an opinion wins. Paths are absolute; their parts are raw
 * bytes, and where they are UTF-8, ? and [] see runes.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct filter;

/**
 * filter_new(ret, fold_case, e):
 * An empty list, which matches nothing. With ${fold_case} letters of both cases
 * are the same (--iexclude): patterns and paths are compared in lower case.
 */
int filter_new(struct filter **ret, bool fold_case, struct err *e);
void filter_free(struct filter *f);

/**
 * filter_add(f, pattern, e):
 * Add a pattern behind those there are. Return 0, or ERR_USAGE that names a
 * pattern which is malformed ("[a-", an empty one) as restic would refuse it.
 */
int filter_add(struct filter *f, const char *pattern, struct err *e);

/**
 * filter_add_file(f, path, e):
 * Add the patterns of a file, as restic's --exclude-file: a line each, white
 * space around it cut off, empty lines and lines that begin with # left out,
 * $VAR and ${VAR} replaced from the environment ($$ is a dollar). "-" is standard
 * input. Errors name file and line.
 */
int filter_add_file(struct filter *f, const char *path, struct err *e);

bool filter_empty(const struct filter *f);

/**
 * filter_match(f, path, ret_below):
 * Does the list match the absolute ${path}? ${ret_below} (may be NULL): could it
 * match something below it? As restic's filter.ListWithChild.
 */
bool filter_match(const struct filter *f, const char *path, bool *ret_below);

#endif /* SOURCE_FILTER_H */
