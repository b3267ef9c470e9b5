#ifndef CLI_REWRITING_H
#define CLI_REWRITING_H

/* What 'rewrite' and 'repair snapshots' have in common: the way, and the words. */

#include "cli/report.h"
#include "run/rewrite.h"

struct rewriting {
	struct cli *c;
	struct report report;
	struct rewrite_opts o; /* rules, what is new, forget and dry are set */
	const char *new_time, *new_host; /* for the words of a dry run */
};

/* A struct rewriter_rules' and filter's item; the cookie is a struct rewriting. */
void rewriting_item(void *cookie, enum rewrite_item what, const char *path);

/* Open the repository for it; in a dry run without a lock. */
int rewriting_open(struct rewriting *w, bool exclusive, struct err *e);

/**
 * rewriting_run(w, co, changed, e):
 * Do it with the snapshots that ${co} means, behind ${changed} that were dealt
 * with before, and say the sum. Return an exit code or ERR_*.
 */
int rewriting_run(struct rewriting *w, struct chosen_opts *co,
    uint64_t changed, struct err *e);

#endif /* CLI_REWRITING_H */
