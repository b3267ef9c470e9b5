#ifndef CLI_CLI_H
#define CLI_CLI_H

/*
 * What all commands share: the global options, the way to the repository, what
 * is said to people and to programs.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/opt.h"
#include "cli/cmd.h"
#include "repo/lock.h"
#include "repo/repo.h"
#include "repo/snapshot.h"
#include "source/filter.h"
#include "state/dir.h"
#include "stream/meter.h"

/* Exit codes that are not ERR_* (those are mapped in one place, main.c). */
enum {
	EXIT_DONE = 0,
	EXIT_INCOMPLETE = 3, /* done, but some sources could not be read */
};

struct globals {
	const char *repo, *password_file, *password_command, *key_hint;
	const char *state_dir, *compression;
	uint64_t retry_lock, pack_mib;
	unsigned verbose;
	bool json, quiet, no_lock, insecure_no_password, help, version;
};

struct cli {
	struct globals g;
	const struct cmd *cmd;
	atomic_bool stop;    /* the user asked to end */
	struct meter meter;
	struct state_dir state;
	bool state_open;
	struct repo *repo;
	struct repo_lock *lock;
	struct repo *from;   /* of a copy: its source */
	struct repo_lock *from_lock;
};

extern const struct opt cli_globals[];

/* ---- the repository ---- */

enum cli_access {
	ACCESS_NO_LOCK,      /* look only, whatever others do */
	ACCESS_SHARED,
	ACCESS_EXCLUSIVE,
};

/**
 * cli_open(c, access, e):
 * Open the repository that the options and the environment name, and lock it
 * (not with --no-lock). c->repo and c->state are there after 0; cli_close gives
 * them back, also after a failure.
 */
int cli_open(struct cli *c, enum cli_access access, struct err *e);
void cli_close(struct cli *c);

/**
 * cli_open_writing(c, access, dry, e):
 * The same for a command that writes: it takes its lock whatever --no-lock says,
 * but for a dry run, which writes nothing and needs none.
 */
int cli_open_writing(struct cli *c, enum cli_access access, bool dry,
    struct err *e);

/* The options that name and open a second repository, from which is taken. */
struct cli_from {
	const char *repo, *repo_file, *password_file, *password_command;
	const char *key_hint;
	bool insecure_no_password;
};

#define CLI_FROM(type, field) \
	OPT(type, field.repo, "from-repo", 0, OPT_TEXT, "PLACE", \
	    "the source ($GARNER_FROM_REPOSITORY)"), \
	OPT(type, field.repo_file, "from-repository-file", 0, OPT_TEXT, \
	    "FILE", "file that names it ($GARNER_FROM_REPOSITORY_FILE)"), \
	OPT(type, field.password_file, "from-password-file", 0, OPT_TEXT, \
	    "FILE", "file with its password ($GARNER_FROM_PASSWORD_FILE)"), \
	OPT(type, field.password_command, "from-password-command", 0, \
	    OPT_TEXT, "COMMAND", "shell command that prints it " \
	    "($GARNER_FROM_PASSWORD_COMMAND)"), \
	OPT(type, field.key_hint, "from-key-hint", 0, OPT_TEXT, "KEY", \
	    "try this key of it first ($GARNER_FROM_KEY_HINT)"), \
	OPT(type, field.insecure_no_password, "from-insecure-no-password", \
	    0, OPT_FLAG, NULL, "its password is empty")

/* Open it, for reading: c->from is there after 0. */
int cli_open_from(struct cli *c, const struct cli_from *f, struct err *e);

/* The state folder alone. */
int cli_state(struct cli *c, struct err *e);

/* Our variable GARNER_${name}, else restic's. An empty one counts as not set. */
const char *cli_environment(const char *name);

/* The location of the repository, or ERR_USAGE that says how to give it. */
int cli_location(struct cli *c, const char **ret, struct err *e);

/**
 * cli_password(c, confirm, ret, e):
 * The password: from --password-file, --password-command, the environment, or
 * asked for on the terminal (twice with ${confirm}). 1; 0 when there is none; or
 * ERR_*. Wipe it with secret_free.
 */
int cli_password(struct cli *c, bool confirm, struct secret *ret,
    struct err *e);

/* A new password for key add and passwd: from ${file}, or asked for twice. */
int cli_new_password(const char *file, struct secret *ret, struct err *e);

/* The first line or the whole of a password file, trimmed as restic does. */
int cli_password_file(const char *file, struct secret *ret, struct err *e);

/* zstd's level for --compression; 0 is off. */
int cli_level(struct cli *c, int *ret, struct err *e);

/* --pack-size, or the default of this build, in bytes. */
int cli_pack_size(struct cli *c, uint64_t *ret, struct err *e);

/* ---- which snapshots ---- */

struct cli_filter {
	struct opt_list hosts, tags, paths;
};

/* The three options, as lines of a command's table. */
#define CLI_FILTER(type, field) \
	OPT(type, field.hosts, "host", 'H', OPT_LIST, "HOST", \
	    "only snapshots of this host (may be given often)"), \
	OPT(type, field.tags, "tag", 0, OPT_LIST, "TAG[,TAG...]", \
	    "only snapshots with all these tags (may be given often)"), \
	OPT(type, field.paths, "path", 0, OPT_LIST, "PATH", \
	    "only snapshots of this absolute path (may be given often)")

/* As a filter; without a host the environment's, which an empty one takes back. */
struct snapshot_filter cli_filter(const struct cli_filter *f);

/**
 * cli_snapshot(c, what, f, ret, ret_path, e):
 * The snapshot "latest" or "ID", or "ID:path" with the path in ${ret_path} (to
 * be freed; NULL when there is none; pass NULL where paths make no sense).
 */
int cli_snapshot(struct cli *c, const char *what, const struct cli_filter *f,
    struct snapshot *ret, char **ret_path, struct err *e);

/* ---- what several commands take ---- */

/**
 * cli_patterns(ret, fold_case, patterns, files, e):
 * A filter of the patterns and of the files of patterns, or NULL in ${*ret} when
 * there are none. Free it with filter_free, also after a failure.
 */
int cli_patterns(struct filter **ret, bool fold_case,
    const struct opt_list *patterns, const struct opt_list *files,
    struct err *e);

/* As many threads as there are processors, up to what this build allows. */
unsigned cli_workers(void);

/* ---- talking ---- */

/* May people be told things? Not with --quiet or --json. */
bool cli_talks(const struct cli *c);

/* A line for people on standard output, unless --quiet or --json. */
void cli_say(const struct cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "1.234 MiB", "0:07", "2026-11-21 12:00:00". */
char *cli_bytes(uint64_t n, char ret[32]);
char *cli_duration(uint64_t s, char ret[32]);
char *cli_time(const struct when *w, char ret[32]);

/* Print raw bytes of a file name so that a terminal survives them. */
void cli_name(FILE *f, const char *s, size_t len);

/* A JSON string on standard output. */
void cli_json_text(FILE *f, const char *s);

/* ---- progress ---- */

struct progress;

/* How a running command shows itself; all strings are literals. */
struct progress_view {
	const char *what;    /* "status" messages: which numbers they hold */
	bool restore;        /* files_restored instead of files_done ... */
};

/**
 * progress_start(c, view): show c->meter until progress_stop: a line on a
 * terminal, one JSON object a line with --json, on SIGUSR1 a line in any case.
 * It may return NULL (nothing is to be shown), which progress_stop accepts.
 */
struct progress *progress_start(struct cli *c,
    const struct progress_view *view);
void progress_stop(struct progress *p);

/* Seconds since progress_start. */
double progress_seconds(const struct progress *p);

#endif /* CLI_CLI_H */
