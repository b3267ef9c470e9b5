#include "cli/cli.h"
#include "cli/report.h"
#include "cli/snapshot_out.h"
#include "repo/index.h"
#include "run/copy.h"

struct flags {
	struct cli_from from;
	struct cli_filter filter;
};

static const struct opt opts[] = {
	CLI_FROM(struct flags, from),
	CLI_FILTER(struct flags, filter),
	OPT_END
};

struct job {
	struct cli *c;
	struct report report;
	struct copy_opts o;
	struct copy_stats stats;
	bool advised;
};

static void
json_copied(const struct snapshot *s, const struct id *id)
{
	char a[ID_HEX + 1], b[ID_HEX + 1];

	printf("{\"message_type\":\"copied\",\"source_snapshot_id\":\"%s\","
	    "\"snapshot_id\":\"%s\"}\n", id_hex(&s->id, a), id_hex(id, b));
	(void)fflush(stdout);
}

static void
say_batch(const struct job *j)
{
	char size[32];

	if (j->c->g.verbose > 0)
		cli_say(j->c, "  copy %llu blobs with disk size %s",
		    (unsigned long long)j->stats.blobs,
		    cli_bytes(j->stats.bytes, size));
}

/* Files that both save on their own are cut at other places, so that nothing of
 * them is shared: who knows it in time can help it. */
static void
say_chunkers(struct job *j)
{
	struct cli *c = j->c;

	if (j->advised || c->from->polynomial == c->repo->polynomial)
		return;
	j->advised = true;
	cli_say(c, "note: the two repositories cut files differently, so what "
	    "both save on their\n  own takes its space twice; 'garner init "
	    "--copy-chunker-params --from-repo ...'\n  makes a target that "
	    "cuts alike");
}

static void
on_event(void *cookie, enum copy_event ev, const struct snapshot *s,
    const struct id *id)
{
	char a[ID_HEX + 1], b[ID_HEX + 1];
	struct job *j = cookie;
	struct cli *c = j->c;

	switch (ev) {
	case COPY_SKIPPED:
		cli_say_snapshot(c, s);
		cli_say(c, "skipping source snapshot %.8s, was already copied "
		    "to snapshot %.8s", id_hex(&s->id, a), id_hex(id, b));
		break;
	case COPY_STARTED:
		say_chunkers(j);
		cli_say_snapshot(c, s);
		cli_say(c, "  copy started, this may take a while...");
		break;
	case COPY_BATCH:
		say_batch(j);
		break;
	case COPY_SAVED:
		if (c->g.json)
			json_copied(s, id);
		cli_say(c, "snapshot %.8s saved, copied from source snapshot "
		    "%.8s", id_hex(id, b), id_hex(&s->id, a));
		break;
	}
	if (cli_talks(c))
		(void)fflush(stdout);
}

static void
on_problem(void *cookie, const struct id *snap, const char *path,
    const struct err *why)
{
	struct job *j = cookie;

	report_problem(&j->report, snap, path, why);
}

static void
say_summary(const struct job *j)
{
	const struct copy_stats *s = &j->stats;

	if (!j->c->g.json)
		return;
	printf("{\"message_type\":\"summary\",\"snapshots_copied\":%llu,"
	    "\"snapshots_skipped\":%llu,\"snapshots_failed\":%llu,"
	    "\"blobs\":%llu,\"bytes\":%llu,\"packs_read\":%llu,"
	    "\"data_added_packed\":%llu}\n", (unsigned long long)s->copied,
	    (unsigned long long)s->skipped, (unsigned long long)s->failed,
	    (unsigned long long)s->blobs, (unsigned long long)s->bytes,
	    (unsigned long long)s->packs, (unsigned long long)s->added);
}

static int
open_both(struct job *j, const struct cli_from *from, struct err *e)
{
	struct cli *c = j->c;
	bool no_lock = c->g.no_lock;
	int rc;

	if ((rc = cli_level(c, &j->o.level, e)) != 0 ||
	    (rc = cli_pack_size(c, &j->o.pack_size, e)) != 0 ||
	    (rc = cli_open_writing(c, ACCESS_SHARED, false, e)) != 0)
		return (rc);
	c->g.no_lock = no_lock;	/* which is for a source that is read-only */
	if ((rc = cli_open_from(c, from, e)) != 0)
		return (rc);
	j->o.workers = cli_workers();
	j->o.lock = c->lock;
	j->o.from_lock = c->from_lock;
	j->o.meter = &c->meter;
	j->o.tell_skipped = c->g.verbose > 0;
	j->o.event = on_event;
	j->o.problem = on_problem;
	j->o.cookie = j;
	return (0);
}

static int
copy(struct job *j, struct sorter *selected, struct err *e)
{
	static const struct progress_view view = { "copy", false };
	struct cli *c = j->c;
	struct progress *p;
	int rc;

	p = progress_start(c, &view);
	rc = copy_run(c->from, c->repo, selected, &j->o, &j->stats, e);
	progress_stop(p);
	return (rc);
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	struct job j = { .c = c, .report = { c, "copy", 0 } };
	const struct flags *f = flags;
	struct snapshot_filter sf = cli_filter(&f->filter);
	struct chosen_opts co = { .names = (const char *const *)argv,
	    .n_names = (size_t)argc, .filter = &sf, .problem = on_problem,
	    .cookie = &j };
	struct sorter *selected = NULL;
	struct chosen chosen;
	int rc;

	if ((rc = open_both(&j, &f->from, e)) != 0)
		return (rc);
	/* Snapshots before the indexes: what they name is then surely there. */
	if ((rc = chosen_open(&chosen, c->from, &co, e)) == 0)
		rc = copy_select(&selected, c->from, c->repo, &chosen, &j.o,
		    &j.stats, e);
	chosen_close(&chosen);
	if (rc == 0 && (rc = repo_load_index(c->from, false, e)) == 0 &&
	    (rc = repo_load_index(c->repo, true, e)) == 0)
		rc = copy(&j, selected, e);
	sorter_free(selected);
	if (rc != 0)
		return (rc);
	say_summary(&j);
	return (report_code(&j.report));
}

const struct cmd cmd_copy = {
	.name = "copy",
	.args = "[SNAPSHOT...]",
	.summary = "copy snapshots from another repository into this one",
	.help = "Those that are named, or all that the filters mean, and that "
	    "were not copied\nbefore. Data that this repository has is not "
	    "read; all else is read, proven, and\nsealed anew with its key. "
	    "A snapshot that needs something damaged is not copied,\nthe "
	    "others are; the exit code is 1 then.\n\n"
	    "Files are not cut anew: what both repositories saved on their own "
	    "takes its space\ntwice, unless both cut alike. 'garner init "
	    "--copy-chunker-params --from-repo ...'\nmakes a target that does.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
