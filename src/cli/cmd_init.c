#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "repo/key.h"

struct init_opts {
	const char *version, *from_repo, *from_password_file;
	bool copy_params;
	uint64_t n, r, p, kdf_ms;
};

static const struct opt opts[] = {
	OPT(struct init_opts, version, "repository-version", 0, OPT_TEXT,
	    "VERSION", "format version: 1, 2 or stable (2)"),
	OPT(struct init_opts, from_repo, "from-repo", 0, OPT_TEXT, "PLACE",
	    "another repository, for --copy-chunker-params"),
	OPT(struct init_opts, from_password_file, "from-password-file", 0,
	    OPT_TEXT, "FILE", "file with the other one's password"),
	OPT(struct init_opts, copy_params, "copy-chunker-params", 0, OPT_FLAG,
	    NULL, "cut files as the other one does, so that copies share "
	    "blobs"),
	OPT(struct init_opts, n, "kdf-n", 0, OPT_UINT, "N",
	    "scrypt's N: memory to open is 128 r N (8192)"),
	OPT(struct init_opts, r, "kdf-r", 0, OPT_UINT, "R", "scrypt's r (8)"),
	OPT(struct init_opts, p, "kdf-p", 0, OPT_UINT, "P",
	    "scrypt's p: rounds (as many as take half a second here)"),
	OPT(struct init_opts, kdf_ms, "kdf-time", 0, OPT_UINT, "MS",
	    "choose p for this many milliseconds"),
	OPT_END
};

static int
choose_version(const struct init_opts *o, unsigned *ret, struct err *e)
{

	if (o->version == NULL || strcmp(o->version, "stable") == 0 ||
	    strcmp(o->version, "latest") == 0 || strcmp(o->version, "2") == 0)
		*ret = 2;
	else if (strcmp(o->version, "1") == 0)
		*ret = 1;
	else
		return (err_set(e, ERR_USAGE, "--repository-version: '%s' is "
		    "not 1, 2 or stable", o->version));
	return (0);
}

/* The polynomial of --from-repo, which is opened for it. */
static int
borrow_polynomial(struct cli *c, const struct init_opts *o, uint64_t *ret,
    struct err *e)
{
	struct secret s = { NULL, 0 };
	struct repo *r;
	struct store *st;
	const char *env;
	int rc;

	if (o->from_repo == NULL)
		return (err_set(e, ERR_USAGE,
		    "--copy-chunker-params needs --from-repo"));
	if (o->from_password_file != NULL) {
		rc = cli_password_file(o->from_password_file, &s, e);
	} else if ((env = getenv("GARNER_FROM_PASSWORD")) != NULL ||
	    (env = getenv("RESTIC_FROM_PASSWORD")) != NULL) {
		rc = (s.text = strdup(env)) != NULL ? 0 : err_nomem(e);
		s.len = strlen(env);
	} else {	/* often both have the same */
		rc = cli_password(c, false, &s, e);
		rc = rc < 0 ? rc : 0;
	}
	if (rc != 0)
		return (rc);
	if ((rc = store_open(&st, o->from_repo, e)) != 0)
		goto out;
	if ((rc = repo_open(&r, st, &c->state, &s, NULL, e)) != 0) {
		(void)err_note(e, "--from-repo");
		store_close(st);
		goto out;
	}
	*ret = r->polynomial;
	repo_close(r);

out:
	secret_free(&s);
	return (rc);
}

static int
choose_kdf(const struct init_opts *o, struct kdf *ret, struct err *e)
{

	if (o->n > UINT32_MAX || o->r > UINT32_MAX || o->p > UINT32_MAX)
		return (err_set(e, ERR_USAGE, "a scrypt parameter is too "
		    "large"));
	ret->n = o->n != 0 ? (uint32_t)o->n : KDF_N;
	ret->r = o->r != 0 ? (uint32_t)o->r : KDF_R;
	ret->p = (uint32_t)o->p;
	if (o->p != 0)
		return (0);
	return (key_calibrate(ret, o->kdf_ms != 0 ? (unsigned)o->kdf_ms :
	    KDF_MS, e));
}

static int
create(struct cli *c, const struct init_opts *o, const char *location,
    struct store *st, struct err *e)
{
	struct repo_init init = { 0 };
	struct secret s = { NULL, 0 };
	char hex[ID_HEX + 1];
	struct kdf kdf;
	struct id id;
	int rc;

	if ((rc = choose_version(o, &init.version, e)) != 0 ||
	    (rc = choose_kdf(o, &kdf, e)) != 0)
		return (rc);
	if ((o->copy_params || o->from_repo != NULL) &&
	    (rc = borrow_polynomial(c, o, &init.polynomial, e)) != 0)
		return (rc);
	if ((rc = cli_password(c, true, &s, e)) < 0)
		return (rc);
	if (rc == 0) {
		(void)err_set(e, ERR_USAGE, "a new repository needs a "
		    "password");
		return (err_hint(e, "give it with --password-file FILE or in "
		    "GARNER_PASSWORD"));
	}
	init.password = &s;
	init.kdf = &kdf;
	rc = repo_init(st, &c->state, &init, &id, e);
	secret_free(&s);
	if (rc != 0)
		return (rc);
	id_hex(&id, hex);
	if (c->g.json) {
		printf("{\"message_type\":\"initialized\",\"id\":\"%s\","
		    "\"repository\":", hex);
		cli_json_text(stdout, location);
		printf("}\n");
	}
	cli_say(c, "created repository %.10s at %s\n\n"
	    "Keep its password safe: without it nobody, not even we, can read "
	    "what is stored.", hex, location);
	return (0);
}

static int
run(struct cli *c, void *p, int argc, char **argv, struct err *e)
{
	const char *location;
	struct store *st;
	int rc;

	if (argc > 0)
		return (err_set(e, ERR_USAGE, "init takes no '%s'", argv[0]));
	if ((rc = cli_location(c, &location, e)) != 0 ||
	    (rc = cli_state(c, e)) != 0 ||
	    (rc = store_open(&st, location, e)) != 0)
		return (rc);
	rc = create(c, p, location, st, e);
	store_close(st);
	return (rc);
}

const struct cmd cmd_init = {
	.name = "init",
	.summary = "make a new repository",
	.opts = opts,
	.opts_size = sizeof(struct init_opts),
	.run = run,
};
