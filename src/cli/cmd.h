#ifndef CLI_CMD_H
#define CLI_CMD_H

/* A command is one file cmd_NAME.c that exports one struct cmd cmd_NAME. */

#include "base/err.h"
#include "base/opt.h"

struct cli;

struct cmd {
	const char *name;
	const char *args;    /* "[paths...]", for the usage line */
	const char *summary; /* one line, for the list of commands */
	const char *help;    /* paragraphs for --help, or NULL */
	const struct opt *opts; /* its own flags, ended by a NULL name, or NULL */
	size_t opts_size;    /* of the struct that the flags fill */
	/**
	 * run(cli, opts, argc, argv, e): do it. ${opts} is the zeroed struct
	 * after parsing, ${argv} what is left. Return an exit code (0, 3, ...)
	 * or an ERR_*.
	 */
	int (*run)(struct cli *, void *opts, int argc, char **argv,
	    struct err *);
};

/* Generated from src/cli/Makefile: what this image contains. */
extern const struct cmd *const cmd_kinds[];
extern const char *const cmd_absent[];

#endif /* CLI_CMD_H */
