#include "cli/pruning.h"

struct flags {
	struct pruning_flags prune;
	bool dry;
	const char *recover;
};

static const struct opt opts[] = {
	OPT(struct flags, dry, "dry-run", 'n', OPT_FLAG, NULL,
	    "say what would be done, change nothing"),
	PRUNING_FLAGS(struct flags, prune),
	OPT(struct flags, recover, "unsafe-recover-no-free-space", 0, OPT_TEXT,
	    "ID", NULL),
	OPT_END
};

static int
check_usage(const struct cli *c, const struct flags *f, int argc, char **argv,
    struct err *e)
{

	if (argc > 0)
		return (err_set(e, ERR_USAGE, "prune takes no '%s'", argv[0]));
	if (f->recover != NULL) {
		(void)err_set(e, ERR_USAGE, "garner does not remove an index "
		    "before there is another: a cut would lose everything");
		return (err_hint(e, "'garner prune --max-repack-size 0' frees "
		    "space and needs a few MiB for new index files"));
	}
	if (c->g.no_lock && !f->dry)
		return (err_set(e, ERR_USAGE, "--no-lock goes with --dry-run "
		    "only: a prune removes what others may need"));
	return (0);
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	const struct flags *f = flags;
	struct prune_opts o;
	int rc;

	if ((rc = check_usage(c, f, argc, argv, e)) != 0 ||
	    (rc = pruning_opts(c, &f->prune, &o, e)) != 0 ||
	    (rc = cli_open(c, ACCESS_EXCLUSIVE, e)) != 0)
		return (rc);
	o.dry = f->dry;
	o.lock = c->lock;
	return (pruning_run(c, &o, e));
}

const struct cmd cmd_prune = {
	.name = "prune",
	.summary = "remove what no snapshot needs any more",
	.help = "Packs that nobody needs are removed; of others the worst are "
	    "written anew without\nwhat is not needed, until no more than "
	    "--max-unused of it is left. It can be cut\nat any time: the "
	    "repository stays whole, and the next prune goes on.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
