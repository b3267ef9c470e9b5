#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "run/check.h"

struct flags {
	bool force;
};

static const struct opt opts[] = {
	OPT(struct flags, force, "force", 'f', OPT_FLAG, NULL,
	    "apply it although it seems to be done"),
	OPT_END
};

/* ---- the repository must be whole ---- */

static void
on_error(void *cookie, const char *text)
{

	(void)cookie;
	log_error("%s", text);
}

static void
on_hint(void *cookie, const char *text)
{

	(void)cookie;
	log_info("%s", text);
}

static void
on_phase(void *cookie, const char *text)
{

	cli_say(cookie, "%s", text);
	(void)fflush(stdout);
}

static int
must_be_whole(struct cli *c, struct err *e)
{
	struct check_opts o = { .meter = &c->meter, .error = on_error,
	    .hint = on_hint, .phase = on_phase, .cookie = c, .workers = 1 };
	struct check_stats s = { 0 };
	uint64_t n;
	int rc;

	if ((rc = check_run(c->repo, &o, &s, e)) != 0)
		return (rc);
	if ((n = meter_read(&c->meter.errors)) == 0)
		return (0);
	(void)err_set(e, ERR_FAIL, "the repository has %llu error%s: nothing "
	    "was changed", (unsigned long long)n, n == 1 ? "" : "s");
	return (err_hint(e, "'garner check' names them"));
}

/* ---- migrations ---- */

static bool
v1(const struct repo *r)
{

	return (r->version == 1);
}

static const struct migration {
	const char *name, *what, *done;
	bool (*possible)(const struct repo *r);
	int (*apply)(struct repo *r, struct err *e);
} migrations[] = {
	{ "upgrade_repo_v2", "upgrade a repository to version 2",
	    "the repository is of version 2 already", v1, repo_upgrade },
};

enum { N_MIGRATIONS = sizeof(migrations) / sizeof(migrations[0]) };

static int
list(struct cli *c)
{
	bool any = false;
	int i;

	cli_say(c, "available migrations:");
	for (i = 0; i < N_MIGRATIONS; i++) {
		if (!migrations[i].possible(c->repo))
			continue;
		cli_say(c, "  %s\t%s", migrations[i].name,
		    migrations[i].what);
		any = true;
	}
	if (!any)
		cli_say(c, "no migrations found");
	return (0);
}

static int
apply(struct cli *c, const struct migration *m, bool force, struct err *e)
{
	int rc;

	if (!m->possible(c->repo)) {
		log_warn("%s: %s%s", m->name, m->done, force ? "; going on" :
		    " (--force applies it again)");
		if (!force)
			return (0);
	}
	if ((rc = must_be_whole(c, e)) != 0 ||
	    (rc = repo_lock_lost(c->lock, e)) != 0 ||
	    (rc = m->apply(c->repo, e)) != 0)
		return (rc);
	cli_say(c, "%s: done", m->name);
	return (0);
}

static const struct migration *
find(const char *name)
{
	int i;

	for (i = 0; i < N_MIGRATIONS; i++)
		if (strcmp(migrations[i].name, name) == 0)
			return (&migrations[i]);
	return (NULL);
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	const struct flags *f = flags;
	int i, rc;

	for (i = 0; i < argc; i++) {
		if (find(argv[i]) != NULL)
			continue;
		(void)err_set(e, ERR_USAGE, "there is no migration '%s'",
		    argv[i]);
		return (err_hint(e, "'garner migrate' lists them"));
	}
	if ((rc = cli_open(c, ACCESS_EXCLUSIVE, e)) != 0)
		return (rc);
	if (argc == 0)
		return (list(c));
	for (i = 0; i < argc; i++)
		if ((rc = apply(c, find(argv[i]), f->force, e)) != 0)
			return (rc);
	return (0);
}

const struct cmd cmd_migrate = {
	.name = "migrate",
	.args = "[NAME...]",
	.summary = "bring a repository to a newer version",
	.help = "Without a name: which migrations can be applied. The "
	    "repository is checked before\nanything is changed.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
