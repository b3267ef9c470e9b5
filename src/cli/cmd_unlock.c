#include "cli/cli.h"

struct flags {
	bool all;
};

static const struct opt opts[] = {
	OPT(struct flags, all, "remove-all", 0, OPT_FLAG, NULL,
	    "also locks that are not stale: only when nobody is at work"),
	OPT_END
};

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	const struct flags *f = flags;
	unsigned n;
	int rc;

	(void)argc;
	(void)argv;
	if ((rc = cli_open(c, ACCESS_NO_LOCK, e)) != 0 ||
	    (rc = lock_remove_stale(c->repo, f->all, &n, e)) != 0)
		return (rc);
	if (n > 0 || c->g.verbose > 0)
		cli_say(c, "removed %u lock%s", n, n == 1 ? "" : "s");
	return (0);
}

const struct cmd cmd_unlock = {
	.name = "unlock",
	.summary = "remove locks that dead processes left",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
