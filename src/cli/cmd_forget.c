#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/thread.h"
#include "cli/cli.h"
#include "cli/pruning.h"
#include "cli/report.h"
#include "cli/snapshot_out.h"
#include "run/forget.h"

struct flags {
	const char *count[RETAIN_RULES], *age[RETAIN_RULES];
	struct opt_list keep_tags;
	struct cli_filter filter;
	const char *group_by;
	bool remove_all, compact, dry, prune;
	struct pruning_flags pruning;
};

#define COUNT(rule, letter, name, text) \
	OPT(struct flags, count[RETAIN_ ## rule], name, letter, OPT_TEXT, \
	    "N", text)
#define AGE(rule, name, text) \
	OPT(struct flags, age[RETAIN_ ## rule], name, 0, OPT_TEXT, "AGE", \
	    text)

static const struct opt opts[] = {
	COUNT(LAST, 'l', "keep-last",
	    "keep the last N snapshots (or 'unlimited')"),
	COUNT(HOURLY, 'H', "keep-hourly",
	    "the last one of each of the last N hours that have any"),
	COUNT(DAILY, 'd', "keep-daily", "the same by days"),
	COUNT(WEEKLY, 'w', "keep-weekly", "by weeks, from Monday on"),
	COUNT(MONTHLY, 'm', "keep-monthly", "by months"),
	COUNT(YEARLY, 'y', "keep-yearly", "by years"),
	AGE(WITHIN, "keep-within",
	    "keep all that are younger (1y5m7d2h), seen from the newest"),
	AGE(WITHIN_HOURLY, "keep-within-hourly",
	    "of those, one for each hour"),
	AGE(WITHIN_DAILY, "keep-within-daily", "one for each day"),
	AGE(WITHIN_WEEKLY, "keep-within-weekly", "one for each week"),
	AGE(WITHIN_MONTHLY, "keep-within-monthly", "one for each month"),
	AGE(WITHIN_YEARLY, "keep-within-yearly", "one for each year"),
	OPT(struct flags, keep_tags, "keep-tag", 0, OPT_LIST, "TAG[,TAG...]",
	    "keep those with all these tags (may be given often)"),
	OPT(struct flags, remove_all, "unsafe-allow-remove-all", 0, OPT_FLAG,
	    NULL, "with a filter and without a policy: remove all it means"),
	OPT(struct flags, filter.hosts, "host", 0, OPT_LIST, "HOST",
	    "only snapshots of this host (may be given often)"),
	OPT(struct flags, filter.hosts, "hostname", 0, OPT_LIST, "HOST", NULL),
	OPT(struct flags, filter.tags, "tag", 0, OPT_LIST, "TAG[,TAG...]",
	    "only snapshots with all these tags (may be given often)"),
	OPT(struct flags, filter.paths, "path", 0, OPT_LIST, "PATH",
	    "only snapshots of this absolute path (may be given often)"),
	OPT(struct flags, compact, "compact", 'c', OPT_FLAG, NULL,
	    "shorter tables"),
	OPT(struct flags, group_by, "group-by", 'g', OPT_TEXT, "WORDS",
	    "a policy holds for each group: by host, paths, tags; '' for one "
	    "group (host,paths)"),
	OPT(struct flags, dry, "dry-run", 'n', OPT_FLAG, NULL,
	    "decide and tell, remove nothing"),
	OPT(struct flags, prune, "prune", 0, OPT_FLAG, NULL,
	    "when some were removed, run 'prune', with these:"),
	PRUNING_FLAGS(struct flags, pruning),
	OPT_END
};

struct job {
	struct cli *c;
	const struct flags *f;
	struct report report;
	struct retention_policy policy;
	struct forget_opts o;
	struct prune_opts prune;
	struct forget *forget;
	struct snapshot_table table;
	const char *sep;     /* before the next element of a JSON list */
	uint64_t removed, failed;
};

/* ---- words ---- */

static int
parse_policy(struct job *j, struct err *e)
{
	const struct flags *f = j->f;
	const struct opt *o;
	int i;

	for (i = 0, o = opts; i < RETAIN_RULES; i++) {
		if (f->count[i] != NULL && !retention_parse_count(f->count[i],
		    &j->policy.count[i]))
			break;
		if (f->age[i] != NULL && !retention_parse_age(f->age[i],
		    &j->policy.age[i]))
			break;
	}
	j->policy.tags = f->keep_tags.v;
	j->policy.n_tags = f->keep_tags.n;
	if (i == RETAIN_RULES)
		return (0);
	while (o->offset != offsetof(struct flags, count[i]) &&
	    o->offset != offsetof(struct flags, age[i]))
		o++;
	if (f->count[i] != NULL)
		return (err_set(e, ERR_USAGE, "--%s: '%s' is not a number, "
		    "and not 'unlimited'", o->name, f->count[i]));
	(void)err_set(e, ERR_USAGE, "--%s: '%s' is not an age", o->name,
	    f->age[i]);
	return (err_hint(e, "an age is made of years, months, days and hours: "
	    "1y5m7d2h"));
}

static int
parse_groups(const char *s, unsigned *ret, struct err *e)
{
	static const struct {
		const char *name;
		unsigned bit;
	} word[] = {
		{ "host", GROUP_HOST }, { "hosts", GROUP_HOST },
		{ "path", GROUP_PATHS }, { "paths", GROUP_PATHS },
		{ "tag", GROUP_TAGS }, { "tags", GROUP_TAGS }, { "", 0 },
	};
	const char *w;
	size_t n, i;

	*ret = GROUP_HOST | GROUP_PATHS;
	if (s == NULL)
		return (0);
	for (*ret = 0; (w = tag_list_next(&s, &n)) != NULL;) {
		for (i = 0; i < sizeof(word) / sizeof(word[0]); i++)
			if (strlen(word[i].name) == n &&
			    memcmp(word[i].name, w, n) == 0)
				break;
		if (i == sizeof(word) / sizeof(word[0]))
			return (err_set(e, ERR_USAGE, "--group-by: '%.*s' is "
			    "none of host, paths and tags", (int)n, w));
		*ret |= word[i].bit;
	}
	return (0);
}

/* Without a policy nothing goes, but what is named. */
static int
must_make_sense(const struct job *j, int argc,
    const struct snapshot_filter *sf, struct err *e)
{

	if (j->c->g.no_lock && !j->f->dry)
		return (err_set(e, ERR_USAGE, "--no-lock is only for "
		    "--dry-run: what removes must be alone"));
	if (argc > 0 || !retention_empty(&j->policy))
		return (0);
	if (!j->f->remove_all) {
		(void)err_set(e, ERR_USAGE, "no policy was specified, no "
		    "snapshots will be removed");
		return (err_hint(e, "say what to keep, with --keep-daily 7 "
		    "for example, or name the snapshots that are to go"));
	}
	if (sf->n_hosts + sf->n_tags + sf->n_paths == 0)
		return (err_set(e, ERR_USAGE, "--unsafe-allow-remove-all is "
		    "not allowed unless a snapshot filter is given (--host, "
		    "--tag, --path)"));
	return (0);
}

/* ---- for people ---- */

static int
measure(void *cookie, const struct snapshot *s, const struct forget_why *w,
    struct err *e)
{
	struct job *j = cookie;

	return (snapshot_table_measure(&j->table, s, w, e));
}

static int
row(void *cookie, const struct snapshot *s, const struct forget_why *w,
    struct err *e)
{
	struct job *j = cookie;

	return (snapshot_table_row(&j->table, s, w, e));
}

static int
print_table(struct job *j, const struct forget_group *g, bool kept,
    struct err *e)
{
	int rc;

	snapshot_table_begin(&j->table, j->f->compact, kept);
	rc = forget_each(j->forget, g, kept, false, measure, j, e);
	if (rc == 0) {
		printf("%s %llu snapshots:\n", kept ? "keep" : "remove",
		    (unsigned long long)j->table.rows);
		snapshot_table_head(&j->table);
		rc = forget_each(j->forget, g, kept, false, row, j, e);
	}
	if (rc == 0) {
		snapshot_table_foot(&j->table);
		putchar('\n');
	}
	snapshot_table_end(&j->table);
	return (rc);
}

static void
print_names(const char *what, const struct text_list *l)
{
	const char *s = NULL;

	printf("%s [", what);
	while ((s = text_list_next(l, s)) != NULL) {
		if (s != (const char *)l->text.p)
			printf(", ");
		cli_name(stdout, s, strlen(s));
	}
	putchar(']');
}

/* Which group is it? Said with --verbose. */
static void
print_group_name(const struct job *j, const struct snapshot *s)
{
	unsigned by = j->o.group_by;
	const char *sep = "";

	if ((by & GROUP_PATHS) != 0 && s->paths.n == 0)
		by &= ~(unsigned)GROUP_PATHS;
	if ((by & GROUP_TAGS) != 0 && s->tags.n == 0)
		by &= ~(unsigned)GROUP_TAGS;
	if ((by & GROUP_HOST) != 0 && s->host[0] == '\0')
		by &= ~(unsigned)GROUP_HOST;
	if (by == 0)
		return;
	printf("snapshots for (");
	if (by & GROUP_HOST) {
		printf("host [");
		cli_name(stdout, s->host, strlen(s->host));
		putchar(']');
		sep = ", ";
	}
	if (by & GROUP_TAGS) {
		printf("%s", sep);
		print_names("tags", &s->tags);
		sep = ", ";
	}
	if (by & GROUP_PATHS) {
		printf("%s", sep);
		print_names("paths", &s->paths);
	}
	printf("):\n");
}

static int
print_group(void *cookie, const struct forget_group *g, struct err *e)
{
	struct job *j = cookie;
	int rc = 0;

	if (j->c->g.verbose > 0)
		print_group_name(j, g->newest);
	if (g->keep > 0)
		rc = print_table(j, g, true, e);
	if (rc == 0 && g->remove > 0)
		rc = print_table(j, g, false, e);
	return (rc);
}

static int
print_policy(struct job *j, struct err *e)
{
	struct buf b = BUF_INIT(1 << 20);
	int rc;

	if ((rc = retention_describe(&j->policy, &b, e)) == 0) {
		printf("Applying Policy: ");
		cli_name(stdout, (char *)b.p, b.len);
		putchar('\n');
	}
	buf_free(&b);
	return (rc);
}

static int
print_name(void *cookie, const struct id *id, struct err *e)
{
	struct job *j = cookie;
	char hex[ID_HEX + 1];

	(void)e;
	printf("%s%.8s", j->sep, id_hex(id, hex));
	j->sep = " ";
	return (0);
}

static int
say_would(struct job *j, struct err *e)
{
	int rc;

	if (forget_count(j->forget) == 0 || !cli_talks(j->c))
		return (0);
	printf("Would have removed the following snapshots:\n{");
	j->sep = "";
	rc = forget_names(j->forget, print_name, j, e);
	printf("}\n\n");
	return (rc);
}

/* ---- for programs ---- */

static void
json_list(bool given, const struct text_list *l)
{
	const char *s = NULL;

	if (!given || l->n == 0) {
		printf("null");
		return;
	}
	while ((s = text_list_next(l, s)) != NULL) {
		putchar(s == (const char *)l->text.p ? '[' : ',');
		cli_json_text(stdout, s);
	}
	putchar(']');
}

static int
json_one(void *cookie, const struct snapshot *s, const struct forget_why *w,
    struct err *e)
{
	struct job *j = cookie;

	(void)w;
	printf("%s", j->sep);
	j->sep = ",";
	return (cli_snapshot_json(s, e));
}

static int
json_reason(void *cookie, const struct snapshot *s,
    const struct forget_why *w, struct err *e)
{
	struct job *j = cookie;
	struct buf text = BUF_INIT(1 << 20);
	const char *sep = "[";
	size_t at = 0;
	int rc;

	printf("%s{\"snapshot\":", j->sep);
	j->sep = ",";
	if ((rc = cli_snapshot_json(s, e)) != 0)
		return (rc);
	printf(",\"matches\":");
	while ((rc = forget_reason(w, &at, &text, e)) > 0) {
		printf("%s", sep);
		cli_json_text(stdout, (char *)text.p);
		sep = ",";
	}
	printf("]}");
	buf_free(&text);
	return (rc);
}

/* A list of snapshots that is null when there are none, as restic's are. */
static int
json_snapshots(struct job *j, const struct forget_group *g, const char *key,
    bool kept, forget_fn *fn, struct err *e)
{
	int rc;

	printf(",\"%s\":", key);
	if ((kept ? g->keep : g->remove) == 0) {
		printf("null");
		return (0);
	}
	putchar('[');
	j->sep = "";
	rc = forget_each(j->forget, g, kept, true, fn, j, e);
	putchar(']');
	return (rc);
}

struct json_groups {
	struct job *j;
	const char *sep;
};

static int
json_group(void *cookie, const struct forget_group *g, struct err *e)
{
	struct json_groups *x = cookie;
	struct job *j = x->j;
	unsigned by = j->o.group_by;
	const struct snapshot *s = g->newest;
	int rc;

	printf("%s{\"tags\":", x->sep);
	x->sep = ",";
	json_list((by & GROUP_TAGS) != 0, &s->tags);
	printf(",\"host\":");
	cli_json_text(stdout, by & GROUP_HOST ? s->host : "");
	printf(",\"paths\":");
	json_list((by & GROUP_PATHS) != 0, &s->paths);
	if ((rc = json_snapshots(j, g, "keep", true, json_one, e)) != 0 ||
	    (rc = json_snapshots(j, g, "remove", false, json_one, e)) != 0 ||
	    (rc = json_snapshots(j, g, "reasons", true, json_reason,
	    e)) != 0)
		return (rc);
	putchar('}');
	return (0);
}

static int
print_json(struct job *j, struct err *e)
{
	struct json_groups x = { j, "[" };
	int rc;

	rc = forget_groups(j->forget, json_group, &x, e);
	if (rc == 0 && *x.sep == ',')	/* nothing at all where no group is */
		printf("]\n");
	return (rc);
}

/* ---- removing ---- */

static void
on_removed(void *cookie, const struct id *id, const struct err *why)
{
	struct job *j = cookie;
	char hex[ID_HEX + 1];

	id_hex(id, hex);
	if (why != NULL) {
		j->failed++;
		log_error("unable to remove snapshot/%s from the repository: "
		    "%s", hex, why->text);
		return;
	}
	j->removed++;
	if (j->c->g.verbose > 1)
		cli_say(j->c, "removed snapshot/%s", hex);
}

static int
remove_all(struct job *j, struct err *e)
{
	uint64_t n = forget_count(j->forget);
	int64_t since = monotonic_s();
	char t[32];
	int rc;

	if (j->f->dry)
		return (say_would(j, e));
	if (n == 0)
		return (0);
	rc = forget_remove(j->forget, on_removed, j, e);
	if (rc == 0)
		cli_say(j->c, "[%s] %.2f%%  %llu / %llu files deleted",
		    cli_duration((uint64_t)(monotonic_s() - since), t),
		    100.0 * (double)j->removed / (double)n,
		    (unsigned long long)j->removed, (unsigned long long)n);
	return (rc);
}

static int
forget(struct job *j, struct err *e)
{
	int rc;

	if ((rc = forget_open(&j->forget, j->c->repo, &j->o, e)) != 0)
		return (rc);
	if (cli_talks(j->c) && j->o.n_names == 0 &&
	    ((rc = print_policy(j, e)) != 0 ||
	    (rc = forget_groups(j->forget, print_group, j, e)) != 0))
		return (rc);
	if ((rc = remove_all(j, e)) != 0)
		return (rc);
	return (j->c->g.json ? print_json(j, e) : 0);
}

/* ---- and pruning ---- */

static int
goes(void *cookie, const struct id *id, struct err *e)
{

	return (forget_goes(cookie, id, e));
}

static int
prune(struct job *j, struct err *e)
{
	uint64_t n = forget_count(j->forget);

	if (!j->f->prune || n == 0 || j->failed > 0)
		return (0);
	cli_say(j->c, "%llu snapshots %s, running prune%s",
	    (unsigned long long)n, j->f->dry ? "would be removed" :
	    "have been removed", j->f->dry ? " dry run" : "");
	(void)fflush(stdout);
	j->prune.dry = j->f->dry;
	j->prune.lock = j->c->lock;
	if (j->f->dry) {
		j->prune.gone = goes;
		j->prune.gone_cookie = j->forget;
	}
	return (pruning_run(j->c, &j->prune, e));
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	struct job j = { .c = c, .f = flags, .report = { c, "forget", 0 } };
	struct snapshot_filter sf = cli_filter(&j.f->filter);
	int rc;

	if ((rc = parse_policy(&j, e)) != 0 ||
	    (rc = parse_groups(j.f->group_by, &j.o.group_by, e)) != 0 ||
	    (rc = must_make_sense(&j, argc, &sf, e)) != 0 ||
	    (rc = pruning_opts(c, &j.f->pruning, &j.prune, e)) != 0 ||
	    (rc = cli_open(c, ACCESS_EXCLUSIVE, e)) != 0)
		return (rc);
	j.o.policy = &j.policy;
	j.o.names = (const char *const *)argv;
	j.o.n_names = (size_t)argc;
	j.o.filter = &sf;
	j.o.now = when_now(true);
	j.o.lock = c->lock;
	j.o.problem = report_problem;
	j.o.cookie = &j.report;
	if ((rc = forget(&j, e)) == 0)
		rc = prune(&j, e);
	forget_close(j.forget);
	if (rc != 0)
		return (rc);
	return (j.failed > 0 ? EXIT_INCOMPLETE : report_code(&j.report));
}

const struct cmd cmd_forget = {
	.name = "forget",
	.args = "[SNAPSHOT...]",
	.summary = "remove snapshots, by a policy or by name",
	.help = "A policy is made of --keep-* options and holds for each "
	    "group of snapshots by\nitself; a snapshot stays when one of them "
	    "says so. Counts of hours, days, ...\nare of those that have a "
	    "snapshot; while a count is not used up, the oldest\nsnapshot "
	    "stays too. Ages are reckoned from the group's newest snapshot.\n\n"
	    "Their data stays until 'garner prune' (or --prune) removes what "
	    "nothing needs any\nmore. Exit code 3: some could not be "
	    "removed.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
