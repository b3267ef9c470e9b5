#ifndef BASE_OPT_H
#define BASE_OPT_H

/*
 * Options as tables: the parser, --help and later the API's schema read the same
 * lines. A table describes fields of a struct by their offset, so that a command
 * sees typed values and never a string it would have to look up.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum opt_kind {
	OPT_FLAG,            /* bool; --no-NAME is not invented */
	OPT_COUNT,           /* unsigned; each mention adds one, =N sets it */
	OPT_TEXT,            /* const char * */
	OPT_LIST,            /* struct opt_list: may be given often */
	OPT_UINT,            /* uint64_t, a whole number */
	OPT_SIZE,            /* uint64_t bytes: 12, 4K, 16M, 1G, 2T */
	OPT_SPAN,            /* uint64_t seconds: 90s, 15m, 26h, 7d, 1h30m */
};

struct opt_list {
	const char **v;      /* in the order they were given */
	size_t n;
};

struct opt {
	const char *name;    /* without the dashes */
	char letter;         /* of the short form, or 0 */
	enum opt_kind kind;
	size_t offset;       /* of the field in the struct to fill */
	const char *arg;     /* what --help calls the value: "FILE"; NULL for
				flags */
	const char *help;    /* a lower-case clause; NULL hides the option */
};

#define OPT(type, field, long_name, short_letter, what, value_name, text) \
	{ long_name, short_letter, what, offsetof(type, field), value_name, \
	    text }
#define OPT_END { NULL, 0, OPT_FLAG, 0, NULL, NULL }

/* Tables that are valid at the same time, each with the struct it fills. */
struct opt_set {
	const struct opt *opts;
	void *into;
};

/**
 * opt_parse(sets, n_sets, argc, argv, ret_argc, e):
 * Fill the structs from ${argv} and move what is not an option to its front;
 * ${*ret_argc} says how many. Options may stand anywhere up to "--"; --name=v,
 * --name v, -xv, -x v and joined flags (-qv) are understood. Values are kept by
 * reference. Return 0, or ERR_USAGE that names the word, with the nearest known
 * option as a hint, or ERR_NOMEM.
 */
int opt_parse(const struct opt_set *sets, size_t n_sets, int argc, char **argv,
    int *ret_argc, struct err *e);

/* Give back what the OPT_LIST fields of the structs hold. */
void opt_release(const struct opt_set *sets, size_t n_sets);

/* Print the table for --help to standard output. */
void opt_print(const struct opt *opts);

/**
 * opt_size(s, ret), opt_span(s, ret):
 * The two number formats by themselves; false when ${s} is not one.
 */
bool opt_size(const char *s, uint64_t *ret);
bool opt_span(const char *s, uint64_t *ret);

/**
 * opt_nearest(word, ...):
 * The edit distance of two words, for "did you mean": small is near.
 */
unsigned opt_distance(const char *x, const char *y);

#endif /* BASE_OPT_H */
