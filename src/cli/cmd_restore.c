#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/report.h"
#include "repo/index.h"
#include "run/restore.h"
#include "run/treewalk.h"

struct flags {
	struct cli_filter filter;
	const char *target, *overwrite;
	struct opt_list include, iinclude, include_file, iinclude_file;
	struct opt_list exclude, iexclude, exclude_file, iexclude_file;
	bool verify, dry, sparse;
};

static const struct opt opts[] = {
	OPT(struct flags, target, "target", 't', OPT_TEXT, "FOLDER",
	    "where to restore to"),
	OPT(struct flags, include, "include", 'i', OPT_LIST, "PATTERN",
	    "restore only what matches (may be given often)"),
	OPT(struct flags, iinclude, "iinclude", 0, OPT_LIST, "PATTERN",
	    "the same, whatever the case of letters"),
	OPT(struct flags, include_file, "include-file", 0, OPT_LIST, "FILE",
	    "patterns from a file, a line each"),
	OPT(struct flags, iinclude_file, "iinclude-file", 0, OPT_LIST, "FILE",
	    "the same, whatever the case of letters"),
	OPT(struct flags, exclude, "exclude", 'e', OPT_LIST, "PATTERN",
	    "leave out what matches (may be given often)"),
	OPT(struct flags, iexclude, "iexclude", 0, OPT_LIST, "PATTERN",
	    "the same, whatever the case of letters"),
	OPT(struct flags, exclude_file, "exclude-file", 0, OPT_LIST, "FILE",
	    "patterns from a file, a line each"),
	OPT(struct flags, iexclude_file, "iexclude-file", 0, OPT_LIST, "FILE",
	    "the same, whatever the case of letters"),
	OPT(struct flags, overwrite, "overwrite", 0, OPT_TEXT, "WHEN",
	    "what is there: always, if-changed, if-newer, never (always)"),
	OPT(struct flags, verify, "verify", 0, OPT_FLAG, NULL,
	    "read every restored file again and compare"),
	OPT(struct flags, dry, "dry-run", 'n', OPT_FLAG, NULL,
	    "say what would be restored"),
	CLI_FILTER(struct flags, filter),
	/* Holes always come back. */
	OPT(struct flags, sparse, "sparse", 0, OPT_FLAG, NULL, NULL),
	OPT_END
};

struct job {
	struct cli *c;
	const struct flags *f;
	struct filter *include, *iinclude, *exclude, *iexclude;
	struct snapshot snap;
	struct restore_opts o;
	struct restore_stats stats;
	struct report report;
};

static int
make_filters(struct job *j, struct err *e)
{
	const struct flags *f = j->f;
	int rc;

	if ((rc = cli_patterns(&j->include, false, &f->include,
	    &f->include_file, e)) != 0 ||
	    (rc = cli_patterns(&j->iinclude, true, &f->iinclude,
	    &f->iinclude_file, e)) != 0 ||
	    (rc = cli_patterns(&j->exclude, false, &f->exclude,
	    &f->exclude_file, e)) != 0 ||
	    (rc = cli_patterns(&j->iexclude, true, &f->iexclude,
	    &f->iexclude_file, e)) != 0)
		return (rc);
	if ((j->include != NULL || j->iinclude != NULL) &&
	    (j->exclude != NULL || j->iexclude != NULL))
		return (err_set(e, ERR_USAGE, "patterns to include and to "
		    "exclude cannot be given together"));
	j->o.include = j->include;
	j->o.iinclude = j->iinclude;
	j->o.exclude = j->exclude;
	j->o.iexclude = j->iexclude;
	return (0);
}

static int
parse_overwrite(const char *s, enum overwrite *ret, struct err *e)
{
	static const char *const word[] = {
		[OVERWRITE_ALWAYS] = "always",
		[OVERWRITE_IF_CHANGED] = "if-changed",
		[OVERWRITE_IF_NEWER] = "if-newer",
		[OVERWRITE_NEVER] = "never",
	};
	int i;

	*ret = OVERWRITE_ALWAYS;
	if (s == NULL)
		return (0);
	for (i = 0; i < 4; i++)
		if (strcmp(s, word[i]) == 0) {
			*ret = (enum overwrite)i;
			return (0);
		}
	return (err_set(e, ERR_USAGE, "--overwrite: '%s' is not always, "
	    "if-changed, if-newer or never", s));
}

static void
problem(void *cookie, const char *path, const struct err *why)
{
	struct job *j = cookie;

	report_problem(&j->report, NULL, path, why);
}

static void
say_item(void *cookie, const char *path, const char *fate, uint64_t size)
{
	struct job *j = cookie;
	char n[32];

	flockfile(stdout);
	if (j->c->g.json) {
		printf("{\"message_type\":\"verbose_status\",\"action\":\"%s\","
		    "\"item\":", fate);
		cli_json_text(stdout, path);
		printf(",\"size\":%llu}\n", (unsigned long long)size);
	} else {
		printf("%-9s ", fate);
		cli_name(stdout, path, strlen(path));
		printf(" (%s)\n", cli_bytes(size, n));
	}
	funlockfile(stdout);
}

/* The tree to restore: the snapshot's, or of a folder in it. */
static int
find_root(struct job *j, const char *what, struct id *ret, struct err *e)
{
	struct node *n;
	char *path;
	int rc;

	rc = cli_snapshot(j->c, what, &j->f->filter, &j->snap, &path, e);
	if (rc != 0)
		return (rc);
	*ret = j->snap.tree;
	if ((rc = repo_load_index(j->c->repo, false, e)) != 0 || path == NULL)
		goto out;
	if ((n = malloc(sizeof(*n))) == NULL) {
		rc = err_nomem(e);
		goto out;
	}
	rc = treewalk_find(j->c->repo, ret, path, n, e);
	if (rc == 0)
		rc = err_set(e, ERR_ABSENT, "there is no '%s' in that "
		    "snapshot", path);
	else if (rc > 0 && (n->type != NODE_DIR || !n->has_subtree))
		rc = err_set(e, ERR_USAGE, "'%s' is not a folder: restore the "
		    "one it is in with --include", path);
	else if (rc > 0)
		rc = 0;
	*ret = n->subtree;
	free(n);

out:
	free(path);
	return (rc);
}

static void
say_losses(const struct job *j)
{
	const struct restore_stats *s = &j->stats;

	if (s->sockets > 0)
		log_warn("%llu sockets were left out: their programs make "
		    "them", (unsigned long long)s->sockets);
	if (s->links_lost > 0)
		log_warn("%llu hard links became copies: the file system has "
		    "none, or not as many", (unsigned long long)s->links_lost);
	if (s->xattrs_lost > 0)
		log_warn("%llu extended attributes could not be set: the file "
		    "system or the user may not", (unsigned long long)
		    s->xattrs_lost);
	if (s->owners_lost > 0)
		log_warn("%llu owners could not be set: only root may",
		    (unsigned long long)s->owners_lost);
}

static void
say_summary(const struct job *j, double seconds)
{
	const struct restore_stats *s = &j->stats;
	struct meter *m = &j->c->meter;
	char a[32], t[32];

	if (j->c->g.json) {
		printf("{\"message_type\":\"summary\",\"seconds_elapsed\":%.0f,"
		    "\"total_files\":%llu,\"files_restored\":%llu,"
		    "\"files_skipped\":%llu,\"bytes_restored\":%llu,"
		    "\"dirs_restored\":%llu,\"hard_links\":%llu,"
		    "\"files_verified\":%llu,\"error_count\":%llu}\n", seconds,
		    (unsigned long long)(s->files + s->others + s->links),
		    (unsigned long long)meter_read(&m->files),
		    (unsigned long long)s->skipped,
		    (unsigned long long)meter_read(&m->bytes),
		    (unsigned long long)s->dirs, (unsigned long long)s->links,
		    (unsigned long long)s->verified,
		    (unsigned long long)meter_read(&m->errors));
		return;
	}
	cli_say(j->c, "%s %llu files and folders, %s in %s",
	    j->f->dry ? "would restore" : "restored",
	    (unsigned long long)(s->files + s->others + s->links + s->dirs),
	    cli_bytes(meter_read(&m->bytes), a),
	    cli_duration((uint64_t)(seconds + 0.5), t));
	if (s->skipped > 0)
		cli_say(j->c, "left %llu files as they were",
		    (unsigned long long)s->skipped);
	if (j->f->verify && !j->f->dry)
		cli_say(j->c, "verified %llu files",
		    (unsigned long long)s->verified);
}

static int
restore(struct job *j, const char *what, struct err *e)
{
	static const struct progress_view view = { "restore", true };
	struct meter *m = &j->c->meter;
	char hex[ID_HEX + 1];
	struct progress *p;
	double seconds;
	struct id root;
	int rc;

	if ((rc = find_root(j, what, &root, e)) != 0)
		return (rc);
	if (j->snap.has_summary && j->include == NULL && j->iinclude == NULL) {
		atomic_store(&m->files_total, j->snap.summary.files);
		atomic_store(&m->bytes_total, j->snap.summary.bytes);
	}
	cli_say(j->c, "restoring snapshot %.8s to %s",
	    id_hex(&j->snap.id, hex), j->f->target);
	j->o.workers = cli_workers();
	p = progress_start(j->c, &view);
	rc = restore_run(j->c->repo, &root, j->f->target, &j->o, &j->stats, e);
	seconds = p != NULL ? progress_seconds(p) : 0;
	progress_stop(p);
	if (rc != 0)
		return (rc);
	say_losses(j);
	say_summary(j, seconds);
	if (meter_read(&m->errors) == 0)
		return (0);
	(void)err_set(e, ERR_FAIL, "%llu problem%s: what they name is not "
	    "restored, or not in full; all else is",
	    (unsigned long long)meter_read(&m->errors),
	    meter_read(&m->errors) == 1 ? "" : "s");
	return (err_hint(e, "where the repository is damaged, 'garner check "
	    "--read-data' says more"));
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	struct job *j;
	int rc;

	if ((j = calloc(1, sizeof(*j))) == NULL)
		return (err_nomem(e));
	j->c = c;
	j->f = flags;
	j->report = (struct report){ c, "restore", 0 };
	snapshot_init(&j->snap);
	if (argc != 1) {
		rc = err_set(e, ERR_USAGE, argc == 0 ? "which snapshot?" :
		    "one snapshot at a time");
		(void)err_hint(e, "'latest' or an id, ID:/path for a folder "
		    "of it; 'garner snapshots' lists them");
	} else if (j->f->target == NULL) {
		rc = err_set(e, ERR_USAGE, "restore to where?");
		(void)err_hint(e, "name a folder with --target");
	} else if ((rc = make_filters(j, e)) == 0 &&
	    (rc = parse_overwrite(j->f->overwrite, &j->o.overwrite,
	    e)) == 0 && (rc = cli_open(c, ACCESS_SHARED, e)) == 0) {
		j->o.dry = j->f->dry;
		j->o.verify = j->f->verify;
		j->o.meter = &c->meter;
		j->o.problem = problem;
		j->o.cookie = j;
		if (c->g.verbose > 1 || (j->f->dry && c->g.verbose > 0))
			j->o.item = say_item;
		rc = restore(j, argv[0], e);
	}
	snapshot_free(&j->snap);
	filter_free(j->include);
	filter_free(j->iinclude);
	filter_free(j->exclude);
	filter_free(j->iexclude);
	free(j);
	return (rc);
}

const struct cmd cmd_restore = {
	.name = "restore",
	.args = "SNAPSHOT[:PATH]",
	.summary = "bring a snapshot back to disk",
	.help = "A file appears under its name only when all of it was read "
	    "and proven. Nothing is\nwritten outside the target, whatever the "
	    "snapshot says.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
