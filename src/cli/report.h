#ifndef CLI_REPORT_H
#define CLI_REPORT_H

/* Problems of a run, said and counted: a line each on standard error. */

#include "cli/cli.h"
#include "run/problem.h"

struct report {
	struct cli *c;
	const char *during;  /* the command's word */
	_Atomic uint64_t n;  /* so far */
};

/* A run_problem; the cookie is a struct report. */
void report_problem(void *cookie, const struct id *snap, const char *path,
    const struct err *why);

/* The exit code of a command that came to its end. */
int report_code(const struct report *r);

#endif /* CLI_REPORT_H */
