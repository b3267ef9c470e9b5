/* The way to the repository: location, password, state folder, lock. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "crypto/wipe.h"

enum { PASSWORD_MAX = 65536 };

const char *
cli_environment(const char *name)
{
	char full[64];
	const char *v;

	(void)snprintf(full, sizeof(full), "GARNER_%s", name);
	if ((v = getenv(full)) != NULL && *v != '\0')
		return (v);
	(void)snprintf(full, sizeof(full), "RESTIC_%s", name);
	v = getenv(full);
	return (v != NULL && *v != '\0' ? v : NULL);
}

/* The words that name a repository and open it. */
struct place {
	const char *repo, *repo_file, *password_file, *password_command;
	const char *key_hint;
	bool insecure_no_password;
	const char *prefix;  /* of what they are called in the environment */
	const char *prompt;
};

static struct place
own_place(const struct cli *c)
{

	return ((struct place){ .repo = c->g.repo,
	    .password_file = c->g.password_file,
	    .password_command = c->g.password_command,
	    .key_hint = c->g.key_hint,
	    .insecure_no_password = c->g.insecure_no_password,
	    .prefix = "", .prompt = "password of the repository: " });
}

static const char *
place_environment(const struct place *p, const char *name)
{
	char full[64];

	(void)snprintf(full, sizeof(full), "%s%s", p->prefix, name);
	return (cli_environment(full));
}

enum { LOCATION_MAX = 4096 };

/* Where is it? ${room} is for what is read from a file. ERR_ABSENT: not said. */
static int
place_location(const struct place *p, char room[LOCATION_MAX],
    const char **ret, struct err *e)
{
	const char *file = p->repo_file;
	char *text;
	size_t len;
	int rc;

	*ret = p->repo;
	if (*ret == NULL && file == NULL)
		*ret = place_environment(p, "REPOSITORY");
	if (*ret != NULL && **ret != '\0')
		return (0);
	if (file == NULL)
		file = place_environment(p, "REPOSITORY_FILE");
	if (file == NULL)
		return (ERR_ABSENT);
	rc = file_load(AT_FDCWD, file, LOCATION_MAX - 1, &text, &len, e);
	if (rc != 0)
		return (rc);
	(void)snprintf(room, LOCATION_MAX, "%s", text);
	free(text);
	room[strcspn(room, "\r\n")] = '\0';
	*ret = room;
	return (0);
}

int
cli_location(struct cli *c, const char **ret, struct err *e)
{
	static char from_file[LOCATION_MAX];
	struct place p = own_place(c);
	int rc;

	if ((rc = place_location(&p, from_file, ret, e)) != ERR_ABSENT)
		return (rc);
	(void)err_set(e, ERR_USAGE, "which repository?");
	return (err_hint(e, "name it with -r PLACE or in GARNER_REPOSITORY"));
}

int
cli_state(struct cli *c, struct err *e)
{
	int rc;

	if (c->state_open)
		return (0);
	if ((rc = state_open(&c->state, c->g.state_dir, e)) == 0)
		c->state_open = true;
	return (rc);
}

/* ---- passwords ---- */

/* White space at both ends is no part of a password, as for restic. */
static void
trim(struct secret *s)
{
	size_t skip = 0;

	if (s->len >= 3 && memcmp(s->text, "\xef\xbb\xbf", 3) == 0)
		skip = 3;	/* a byte order mark */
	while (skip < s->len && strchr(" \t\r\n\v\f", s->text[skip]) != NULL)
		skip++;
	memmove(s->text, s->text + skip, s->len - skip + 1);
	s->len -= skip;
	while (s->len > 0 && strchr(" \t\r\n\v\f", s->text[s->len - 1]) != NULL)
		s->text[--s->len] = '\0';
}

int
cli_password_file(const char *file, struct secret *ret, struct err *e)
{
	int rc;

	rc = file_load(AT_FDCWD, strcmp(file, "-") == 0 ? "/dev/stdin" : file,
	    PASSWORD_MAX, &ret->text, &ret->len, e);
	if (rc != 0)
		return (err_note(e, "the password file"));
	trim(ret);
	if (ret->len == 0)
		return (err_set(e, ERR_PASSWORD,
		    "the password file '%s' is empty", file));
	return (0);
}

static int
from_command(const char *command, struct secret *ret, struct err *e)
{
	FILE *f;
	int status;

	if ((ret->text = calloc(1, PASSWORD_MAX + 1)) == NULL)
		return (err_nomem(e));
	if ((f = popen(command, "re")) == NULL)
		return (err_sys(e, "cannot run the password command"));
	ret->len = fread(ret->text, 1, PASSWORD_MAX, f);
	ret->text[ret->len] = '\0';
	status = pclose(f);
	if (status != 0)
		return (err_set(e, ERR_PASSWORD, "the password command failed "
		    "with exit code %d", WIFEXITED(status) ?
		    WEXITSTATUS(status) : -1));
	trim(ret);
	return (0);
}

/* One line from the terminal, without showing it. */
static int
ask(int tty, const char *prompt, struct secret *ret, struct err *e)
{
	struct termios old, quiet;
	ssize_t n;
	char c;
	int rc = 0;

	if ((ret->text = calloc(1, 1024)) == NULL)
		return (err_nomem(e));
	ret->len = 0;
	if (tcgetattr(tty, &old) == -1)
		return (err_sys(e, "cannot ask for the password"));
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(tty, TCSAFLUSH, &quiet);
	(void)!write(tty, prompt, strlen(prompt));
	for (;;) {
		n = read(tty, &c, 1);
		if (n != 1 || c == '\n')
			break;
		if (ret->len < 1022)
			ret->text[ret->len++] = c;
	}
	if (n == -1)	/* interrupted: the user wants to leave */
		rc = err_set(e, ERR_CANCEL, "stopped");
	(void)tcsetattr(tty, TCSAFLUSH, &old);
	(void)!write(tty, "\n", 1);
	return (rc);
}

/* 1 asked; 0 there is no terminal; or ERR_*. */
static int
ask_terminal(const char *prompt, bool confirm, struct secret *ret,
    struct err *e)
{
	struct secret again = { NULL, 0 };
	int tty, rc;

	tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty == -1)
		return (0);
	rc = ask(tty, prompt, ret, e);
	if (rc == 0 && confirm) {
		rc = ask(tty, "the same again: ", &again, e);
		if (rc == 0 && (again.len != ret->len ||
		    memcmp(again.text, ret->text, ret->len) != 0))
			rc = err_set(e, ERR_PASSWORD,
			    "the two passwords are not the same");
		secret_free(&again);
	}
	(void)close(tty);
	return (rc != 0 ? rc : 1);
}

static int
place_password(const struct place *p, bool confirm, struct secret *ret,
    struct err *e)
{
	const char *v;
	int rc;

	ret->text = NULL;
	ret->len = 0;
	if (p->insecure_no_password) {
		ret->text = strdup("");
		return (ret->text != NULL ? 1 : err_nomem(e));
	}
	if ((v = p->password_file) != NULL || (p->password_command == NULL &&
	    (v = place_environment(p, "PASSWORD_FILE")) != NULL)) {
		rc = cli_password_file(v, ret, e);
		return (rc != 0 ? rc : 1);
	}
	if ((v = p->password_command) != NULL ||
	    (v = place_environment(p, "PASSWORD_COMMAND")) != NULL) {
		rc = from_command(v, ret, e);
		return (rc != 0 ? rc : 1);
	}
	if ((v = place_environment(p, "PASSWORD")) != NULL) {
		if ((ret->text = strdup(v)) == NULL)
			return (err_nomem(e));
		ret->len = strlen(v);
		return (1);
	}
	/* Standard input may be the data of a backup: only a terminal. */
	if (!isatty(STDIN_FILENO) && !isatty(STDERR_FILENO))
		return (0);
	return (ask_terminal(p->prompt, confirm, ret, e));
}

int
cli_password(struct cli *c, bool confirm, struct secret *ret, struct err *e)
{
	struct place p = own_place(c);

	return (place_password(&p, confirm, ret, e));
}

int
cli_new_password(const char *file, struct secret *ret, struct err *e)
{
	int rc;

	if (file != NULL)
		return (cli_password_file(file, ret, e));
	rc = ask_terminal("new password: ", true, ret, e);
	if (rc == 0) {
		(void)err_set(e, ERR_USAGE, "no terminal to ask for the new "
		    "password");
		return (err_hint(e, "give it with --new-password-file FILE"));
	}
	if (rc > 0 && ret->len == 0)
		return (err_set(e, ERR_USAGE, "an empty password protects "
		    "nothing"));
	return (rc > 0 ? 0 : rc);
}

/* ---- opening ---- */

/*
 * First the secrets that the box keeps for its own key slots, if nobody gave a
 * password; a terminal is asked last.
 */
static int
open_repo(struct cli *c, const struct place *p, struct store *st,
    struct repo **ret, struct err *e)
{
	struct secret s = { NULL, 0 };
	const char *hint = p->key_hint != NULL ? p->key_hint :
	    place_environment(p, "KEY_HINT");
	bool given = p->insecure_no_password || p->password_file != NULL ||
	    p->password_command != NULL ||
	    place_environment(p, "PASSWORD_FILE") != NULL ||
	    place_environment(p, "PASSWORD_COMMAND") != NULL ||
	    place_environment(p, "PASSWORD") != NULL;
	int rc;

	if (!given) {
		rc = repo_open(ret, st, &c->state, NULL, hint, e);
		if (rc != ERR_PASSWORD)
			return (rc);
	}
	if ((rc = place_password(p, false, &s, e)) <= 0)
		return (rc < 0 ? rc : ERR_PASSWORD);
	rc = repo_open(ret, st, &c->state, &s, hint, e);
	secret_free(&s);
	return (rc);
}

/* Open what lies at ${location}, and lock it unless ${access} says otherwise. */
static int
open_place(struct cli *c, const struct place *p, const char *location,
    enum cli_access access, struct repo **ret, struct repo_lock **ret_lock,
    struct err *e)
{
	struct store *st;
	int rc;

	if ((rc = cli_state(c, e)) != 0 ||
	    (rc = store_open(&st, location, e)) != 0)
		return (rc);
	if ((rc = open_repo(c, p, st, ret, e)) != 0) {
		store_close(st);
		return (rc);
	}
	(*ret)->stop = &c->stop;
	if (access == ACCESS_NO_LOCK || c->g.no_lock)
		return (0);
	return (repo_lock(*ret, access == ACCESS_EXCLUSIVE, c->g.retry_lock,
	    ret_lock, e));
}

int
cli_open(struct cli *c, enum cli_access access, struct err *e)
{
	struct place p = own_place(c);
	const char *location;
	int rc;

	if ((rc = cli_location(c, &location, e)) != 0)
		return (rc);
	return (open_place(c, &p, location, access, &c->repo, &c->lock, e));
}

int
cli_open_from(struct cli *c, const struct cli_from *f, struct err *e)
{
	struct place p = { .repo = f->repo, .repo_file = f->repo_file,
	    .password_file = f->password_file,
	    .password_command = f->password_command, .key_hint = f->key_hint,
	    .insecure_no_password = f->insecure_no_password,
	    .prefix = "FROM_", .prompt = "password of the source: " };
	char room[LOCATION_MAX];
	const char *location;
	int rc;

	if ((rc = place_location(&p, room, &location, e)) == ERR_ABSENT) {
		(void)err_set(e, ERR_USAGE, "from which repository?");
		return (err_hint(e, "name it with --from-repo PLACE or in "
		    "GARNER_FROM_REPOSITORY"));
	}
	if (rc != 0)
		return (rc);
	rc = open_place(c, &p, location, ACCESS_SHARED, &c->from,
	    &c->from_lock, e);
	if (rc == ERR_PASSWORD) {
		e->hint[0] = '\0';
		(void)err_hint(e, "give it with --from-password-file FILE or "
		    "in GARNER_FROM_PASSWORD");
	}
	return (rc != 0 ? err_note(e, "the source") : 0);
}

int
cli_open_writing(struct cli *c, enum cli_access access, bool dry,
    struct err *e)
{

	c->g.no_lock = dry;
	return (cli_open(c, access, e));
}

void
cli_close(struct cli *c)
{

	repo_unlock(c->from_lock);
	c->from_lock = NULL;
	repo_close(c->from);
	c->from = NULL;
	repo_unlock(c->lock);
	c->lock = NULL;
	repo_close(c->repo);
	c->repo = NULL;
	if (c->state_open)
		state_close(&c->state);
	c->state_open = false;
}

int
cli_level(struct cli *c, int *ret, struct err *e)
{
	const char *mode = c->g.compression != NULL ? c->g.compression :
	    cli_environment("COMPRESSION");

	if (mode == NULL || strcmp(mode, "auto") == 0)
		*ret = 3;
	else if (strcmp(mode, "off") == 0)
		*ret = 0;
	else if (strcmp(mode, "max") == 0)
		*ret = 11;
	else
		return (err_set(e, ERR_USAGE, "--compression: '%s' is not "
		    "auto, off or max", mode));
	return (0);
}

int
cli_pack_size(struct cli *c, uint64_t *ret, struct err *e)
{
	const char *v = cli_environment("PACK_SIZE");
	uint64_t mib = c->g.pack_mib;

	if (mib == 0 && v != NULL && (!opt_size(v, &mib) || mib == 0))
		return (err_set(e, ERR_USAGE, "the pack size '%s' in the "
		    "environment is not a number of MiB", v));
	if (mib == 0)
		mib = CONFIG_PACK_MIB;
	if (mib < 4 || mib > 128)
		return (err_set(e, ERR_USAGE, "a pack size of %llu MiB is not "
		    "between 4 and 128", (unsigned long long)mib));
	*ret = mib << 20;
	return (0);
}

/* ---- which snapshots ---- */

struct snapshot_filter
cli_filter(const struct cli_filter *f)
{
	struct snapshot_filter r = {
		.hosts = f->hosts.v, .n_hosts = f->hosts.n,
		.tags = f->tags.v, .n_tags = f->tags.n,
		.paths = f->paths.v, .n_paths = f->paths.n,
	};
	static const char *host;

	if (r.n_hosts == 0 && (host = cli_environment("HOST")) != NULL) {
		r.hosts = &host;
		r.n_hosts = 1;
	} else if (r.n_hosts == 1 && *r.hosts[0] == '\0') {
		r.n_hosts = 0;
	}
	return (r);
}

int
cli_snapshot(struct cli *c, const char *what, const struct cli_filter *f,
    struct snapshot *ret, char **ret_path, struct err *e)
{
	struct snapshot_filter sf = cli_filter(f);
	const char *colon = ret_path != NULL ? strchr(what, ':') : NULL;
	char id[ID_HEX + 1];
	size_t len;

	if (ret_path != NULL)
		*ret_path = NULL;
	if (colon == NULL)
		return (snapshot_find(c->repo, what, &sf, ret, e));
	len = (size_t)(colon - what);
	if (len > ID_HEX)
		len = ID_HEX;
	memcpy(id, what, len);
	id[len] = '\0';
	if ((*ret_path = strdup(colon + 1)) == NULL)
		return (err_nomem(e));
	return (snapshot_find(c->repo, id, &sf, ret, e));
}

/* ---- what several commands take ---- */

int
cli_patterns(struct filter **ret, bool fold_case,
    const struct opt_list *patterns, const struct opt_list *files,
    struct err *e)
{
	size_t i;
	int rc;

	*ret = NULL;
	if (patterns->n + files->n == 0)
		return (0);
	if ((rc = filter_new(ret, fold_case, e)) != 0)
		return (rc);
	for (i = 0; i < patterns->n; i++)
		if ((rc = filter_add(*ret, patterns->v[i], e)) != 0)
			return (rc);
	for (i = 0; i < files->n; i++)
		if ((rc = filter_add_file(*ret, files->v[i], e)) != 0)
			return (rc);
	return (0);
}

unsigned
cli_workers(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (n < 1)
		n = 1;
	return (n < CONFIG_WORKERS_MAX ? (unsigned)n : CONFIG_WORKERS_MAX);
}
