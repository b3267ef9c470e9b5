#include "cli/main.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "cli/cli.h"

enum { FILES_WANTED = 256 };

const struct opt cli_globals[] = {
	OPT(struct globals, repo, "repo", 'r', OPT_TEXT, "PLACE",
	    "the repository: a folder, or KIND:... ($GARNER_REPOSITORY)"),
	OPT(struct globals, password_file, "password-file", 'p', OPT_TEXT,
	    "FILE", "file with its password ($GARNER_PASSWORD_FILE)"),
	OPT(struct globals, password_command, "password-command", 0, OPT_TEXT,
	    "COMMAND", "shell command that prints it "
	    "($GARNER_PASSWORD_COMMAND)"),
	OPT(struct globals, insecure_no_password, "insecure-no-password", 0,
	    OPT_FLAG, NULL, "the password is empty"),
	OPT(struct globals, key_hint, "key-hint", 0, OPT_TEXT, "KEY",
	    "try this key first ($GARNER_KEY_HINT)"),
	OPT(struct globals, state_dir, "state-dir", 0, OPT_TEXT, "FOLDER",
	    "caches, scratch files, own keys ($GARNER_STATE_DIR)"),
	OPT(struct globals, state_dir, "cache-dir", 0, OPT_TEXT, "FOLDER",
	    NULL),
	OPT(struct globals, compression, "compression", 0, OPT_TEXT, "MODE",
	    "auto, off or max ($GARNER_COMPRESSION)"),
	OPT(struct globals, pack_mib, "pack-size", 0, OPT_UINT, "MIB",
	    "size at which packs are closed, 4 to 128 MiB"),
	OPT(struct globals, no_lock, "no-lock", 0, OPT_FLAG, NULL,
	    "do not lock the repository (reading a read-only one)"),
	OPT(struct globals, retry_lock, "retry-lock", 0, OPT_SPAN, "TIME",
	    "wait this long for a locked repository"),
	OPT(struct globals, json, "json", 0, OPT_FLAG, NULL,
	    "one JSON object a line, for programs"),
	OPT(struct globals, quiet, "quiet", 'q', OPT_FLAG, NULL,
	    "say nothing but errors"),
	OPT(struct globals, verbose, "verbose", 'v', OPT_COUNT, NULL,
	    "say more; twice: each file"),
	OPT(struct globals, help, "help", 'h', OPT_FLAG, NULL, "this text"),
	OPT(struct globals, version, "version", 0, OPT_FLAG, NULL, NULL),
	OPT_END
};

/* ---- signals ---- */

static struct cli *g_cli; /* for the handler, which can be told nothing else */

/* First a clean end; who asks twice does not want to wait. */
static void
on_stop(int sig)
{

	(void)sig;
	if (atomic_exchange(&g_cli->stop, true))
		_exit(130);
}

static void
on_nothing(int sig)
{

	(void)sig;
}

/*
 * Functions that do nothing, where ignoring would do for us: commands that we run
 * (for a password) begin with the defaults then.
 */
static void
catch_signals(struct cli *c)
{
	struct sigaction stop = { .sa_handler = on_stop };
	struct sigaction nothing = { .sa_handler = on_nothing,
	    .sa_flags = SA_RESTART };

	g_cli = c;
	(void)sigaction(SIGINT, &stop, NULL);
	(void)sigaction(SIGTERM, &stop, NULL);
	(void)sigaction(SIGPIPE, &nothing, NULL);
	(void)sigaction(SIGXFSZ, &nothing, NULL); /* the write fails, too */
	(void)sigaction(SIGUSR1, &nothing, NULL); /* until there is progress */
}

/* ---- finding the command ---- */

static const struct cmd *
find_command(const char *name)
{
	const struct cmd *const *k;

	for (k = cmd_kinds; *k != NULL; k++)
		if (strcmp((*k)->name, name) == 0)
			return (*k);
	return (NULL);
}

/* Does the global option ${word} take the next word as its value? */
static bool
takes_next(const char *word)
{
	const struct opt *o;
	const char *s;

	for (o = cli_globals; o->name != NULL; o++) {
		if (o->kind == OPT_FLAG || o->kind == OPT_COUNT)
			continue;
		if (word[1] == '-' && strcmp(word + 2, o->name) == 0)
			return (true);
		if (word[1] == '-' || o->letter == 0)
			continue;
		/* -p VALUE, also behind flags: -qp VALUE; but not -pVALUE. */
		if ((s = strchr(word + 1, o->letter)) != NULL && s[1] == '\0')
			return (true);
	}
	return (false);
}

/* Take the first word that is no option out of ${argv}; NULL: there is none. */
static const char *
take_command(int *argc, char **argv)
{
	const char *name;
	int i;

	for (i = 1; i < *argc; i++) {
		if (argv[i][0] == '-' && argv[i][1] != '\0') {
			if (takes_next(argv[i]))
				i++;
			continue;
		}
		name = argv[i];
		memmove(argv + i, argv + i + 1,
		    (size_t)(*argc - i) * sizeof(*argv));
		--*argc;
		return (name);
	}
	return (NULL);
}

static void
list_commands(void)
{
	const struct cmd *const *k;

	printf("garner %s: a backup agent that fits in the box it protects\n\n"
	    "usage: garner COMMAND [options]\n\n", GARNER_VERSION);
	for (k = cmd_kinds; *k != NULL; k++)
		if ((*k)->summary != NULL)
			printf("  %-10s %s\n", (*k)->name, (*k)->summary);
	printf("\nglobal options:\n");
	opt_print(cli_globals);
	printf("\n'garner COMMAND --help' tells more. Repositories are "
	    "restic's: both tools read\nand write the same ones.\n");
}

static void
help_command(const struct cmd *k)
{

	printf("usage: garner %s [options]%s%s\n\n%s\n", k->name,
	    k->args != NULL ? " " : "", k->args != NULL ? k->args : "",
	    k->summary != NULL ? k->summary : "");
	if (k->help != NULL)
		printf("\n%s\n", k->help);
	if (k->opts != NULL) {
		printf("\noptions:\n");
		opt_print(k->opts);
	}
	printf("\nglobal options:\n");
	opt_print(cli_globals);
}

static int
unknown_command(const char *name, struct err *e)
{
	const struct cmd *const *k;
	const char *best = NULL;
	const char *const *a;
	unsigned d, least = 3;

	for (a = cmd_absent; *a != NULL; a++)
		if (strcmp(*a, name) == 0)
			return (err_set(e, ERR_USAGE,
			    "the command '%s' is not in this image", name));
	for (k = cmd_kinds; *k != NULL; k++)
		if ((d = opt_distance(name, (*k)->name)) < least) {
			least = d;
			best = (*k)->name;
		}
	(void)err_set(e, ERR_USAGE, "there is no command '%s'", name);
	if (best != NULL)
		return (err_hint(e, "did you mean '%s'?", best));
	return (err_hint(e, "'garner help' lists the commands"));
}

/* ---- running it ---- */

/* The contract's exit codes. */
static int
exit_code(int rc)
{

	if (rc >= 0)
		return (rc);
	switch (rc) {
	case ERR_USAGE: return (2);
	case ERR_NOREPO: return (10);
	case ERR_LOCKED: return (11);
	case ERR_PASSWORD: return (12);
	case ERR_CANCEL: return (130);
	default: return (1);
	}
}

/* Whatever it was for: the state folder is full, and that can be helped. */
static void
hint_state(const struct cli *c, struct err *e)
{

	if (e->code == ERR_SPACE && c->state_open &&
	    strstr(e->text, c->state.path) != NULL)
		(void)err_hint(e, "free space there, or name another folder "
		    "for caches and scratch files with --state-dir");
}

static void
say_error(const struct cli *c, const struct err *e, int code)
{
	char shown[2 * sizeof(e->text)];

	if (c->g.json) {
		fprintf(stderr, "{\"message_type\":\"exit_error\",\"code\":%d,"
		    "\"message\":", code);
		cli_json_text(stderr, e->text);
		if (e->hint[0] != '\0') {
			fprintf(stderr, ",\"hint\":");
			cli_json_text(stderr, e->hint);
		}
		fprintf(stderr, "}\n");
		return;
	}
	fprintf(stderr, "garner: %s\n", utf8_show(shown, sizeof(shown),
	    e->text));
	if (e->hint[0] != '\0')
		fprintf(stderr, "  %s\n", utf8_show(shown, sizeof(shown),
		    e->hint));
}

static int
run_command(struct cli *c, int argc, char **argv, struct err *e)
{
	struct opt_set sets[2] = { { cli_globals, &c->g }, { NULL, NULL } };
	size_t n = 1;
	void *own = NULL;
	int rc;

	if (c->cmd->opts != NULL) {
		if ((own = calloc(1, c->cmd->opts_size)) == NULL)
			return (err_nomem(e));
		sets[n++] = (struct opt_set){ c->cmd->opts, own };
	}
	if ((rc = opt_parse(sets, n, argc, argv, &argc, e)) != 0) {
		if (rc == ERR_USAGE)
			(void)err_hint(e, "'garner %s --help' tells more",
			    c->cmd->name);
	} else if (c->g.help) {
		help_command(c->cmd);
	} else {
		log_threshold(c->g.quiet ? LOG_ERROR : c->g.verbose > 1 ?
		    LOG_DEBUG : c->g.verbose > 0 ? LOG_INFO : LOG_WARN);
		rc = c->cmd->run(c, own, argc, argv, e);
	}
	opt_release(sets, n);
	free(own);
	return (rc);
}

/* Globals alone: --help, --version, or a command that was forgotten. */
static int
run_bare(struct cli *c, int argc, char **argv, struct err *e)
{
	struct opt_set set = { cli_globals, &c->g };
	int rc;

	if ((rc = opt_parse(&set, 1, argc, argv, &argc, e)) != 0)
		return (rc);
	if (c->g.version) {
		printf("garner %s\n", GARNER_VERSION);
		return (0);
	}
	list_commands();
	return (c->g.help ? 0 : 2);
}

static bool
wants_help(const char *name)
{

	return (strcmp(name, "help") == 0);
}

/* Before a command is known its options cannot be parsed, but errors be said. */
static bool
wants_json(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "--json") == 0)
			return (true);
	return (false);
}

static int
dispatch(struct cli *c, int argc, char **argv, struct err *e)
{
	const char *name = take_command(&argc, argv);

	if (name != NULL && wants_help(name)) {
		if ((name = take_command(&argc, argv)) == NULL) {
			list_commands();
			return (0);
		}
		if ((c->cmd = find_command(name)) == NULL)
			return (unknown_command(name, e));
		help_command(c->cmd);
		return (0);
	}
	if (name == NULL)
		return (run_bare(c, argc - 1, argv + 1, e));
	if ((c->cmd = find_command(name)) == NULL) {
		c->g.json = wants_json(argc, argv);
		return (unknown_command(name, e));
	}
	return (run_command(c, argc - 1, argv + 1, e));
}

/*
 * What is closed would be a file of ours soon, and get what is said. Reading fails
 * as it did: nothing must not be taken for the whole of a standard input.
 */
static void
fill_std(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 &&
		    open("/dev/null", O_WRONLY) == -1)
			(void)open("/", O_RDONLY); /* a box without devices */
}

/* Folders kept open, packs, scratch files: with a few threads about a hundred. */
static void
raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur < FILES_WANTED) {
		files.rlim_cur = files.rlim_max < FILES_WANTED ?
		    files.rlim_max : FILES_WANTED;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

int
cli_main(int argc, char **argv)
{
	struct cli *c;
	struct err e = ERR_INIT;
	int rc, code;

	/* Core files would hold keys. */
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	fill_std();
	raise_limits();
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		fputs("garner: out of memory\n", stderr);
		return (1);
	}
	c->state.fd = -1;
	meter_init(&c->meter);
	catch_signals(c);
	rc = dispatch(c, argc, argv, &e);
	hint_state(c, &e);
	cli_close(c);
	/* A full disk behind standard output is a failure; a reader that has
	 * seen enough (head) needs no message. */
	if (rc == 0 && (fflush(stdout) == EOF || ferror(stdout)))
		rc = err_sys(&e, "cannot write to standard output");
	code = exit_code(rc);
	if (rc < 0 && e.sys != EPIPE)
		say_error(c, &e, code);
	meter_destroy(&c->meter);
	free(c);
	return (code);
}
