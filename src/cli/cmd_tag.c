#include "cli/cli.h"
#include "cli/report.h"
#include "cli/snapshot_out.h"
#include "run/tag.h"

struct flags {
	struct opt_list set, add, remove;
	struct cli_filter filter;
};

static const struct opt opts[] = {
	OPT(struct flags, set, "set", 0, OPT_LIST, "TAG[,TAG...]",
	    "these tags and no others; '' for none (may be given often)"),
	OPT(struct flags, add, "add", 0, OPT_LIST, "TAG[,TAG...]",
	    "add these (may be given often)"),
	OPT(struct flags, remove, "remove", 0, OPT_LIST, "TAG[,TAG...]",
	    "remove these (may be given often)"),
	CLI_FILTER(struct flags, filter),
	OPT_END
};

static void
on_changed(void *cookie, const struct id *old, const struct id *new_id)
{
	struct report *r = cookie;
	char a[ID_HEX + 1], b[ID_HEX + 1];

	id_hex(old, a);
	id_hex(new_id, b);
	if (r->c->g.json)
		cli_json_changed(old, new_id);
	else if (r->c->g.verbose > 0)
		cli_say(r->c, "old snapshot ID: %s -> new snapshot ID: %s", a,
		    b);
}

static void
on_problem(void *cookie, const struct id *snap, const char *path,
    const struct err *why)
{

	report_problem(cookie, snap, path, why);
}

static struct tag_lists
lists(const struct opt_list *l)
{

	return ((struct tag_lists){ l->v, l->n });
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	struct report report = { c, "tag", 0 };
	const struct flags *f = flags;
	struct tag_opts o = { .set = lists(&f->set), .add = lists(&f->add),
	    .remove = lists(&f->remove), .changed = on_changed,
	    .problem = on_problem, .cookie = &report };
	struct snapshot_filter sf = cli_filter(&f->filter);
	struct chosen_opts co = { .names = (const char *const *)argv,
	    .n_names = (size_t)argc, .filter = &sf, .problem = on_problem,
	    .cookie = &report };
	struct chosen chosen;
	uint64_t n;
	int rc;

	if (f->set.n + f->add.n + f->remove.n == 0)
		return (err_set(e, ERR_USAGE, "nothing to do: give --set, "
		    "--add or --remove"));
	if (f->set.n > 0 && f->add.n + f->remove.n > 0)
		return (err_set(e, ERR_USAGE, "--set and --add/--remove "
		    "cannot be given at the same time"));
	cli_say(c, "create exclusive lock for repository");
	if ((rc = cli_open_writing(c, ACCESS_EXCLUSIVE, false, e)) != 0)
		return (rc);
	o.lock = c->lock;
	if ((rc = chosen_open(&chosen, c->repo, &co, e)) == 0)
		rc = tag_run(c->repo, &chosen, &o, &n, e);
	chosen_close(&chosen);
	if (rc != 0)
		return (rc);
	cli_say_changed(c, n, false);
	return (report_code(&report));
}

const struct cmd cmd_tag = {
	.name = "tag",
	.args = "[SNAPSHOT...]",
	.summary = "change the tags of snapshots",
	.help = "Of those that are named, or of all that the filters mean. A "
	    "snapshot gets a new\nid with its new tags; 'original' in it "
	    "keeps the first one.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
