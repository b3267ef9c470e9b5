#include <time.h>

#include "cli/cli.h"
#include "cli/rewriting.h"
#include "cli/snapshot_out.h"

struct flags {
	struct opt_list exclude, exclude_file, iexclude, iexclude_file;
	struct opt_list include, include_file, iinclude, iinclude_file;
	struct cli_filter filter;
	const char *host, *time;
	bool forget, dry, summary;
};

static const struct opt opts[] = {
	OPT(struct flags, exclude, "exclude", 'e', OPT_LIST, "PATTERN",
	    "leave out what matches (may be given often)"),
	OPT(struct flags, exclude_file, "exclude-file", 0, OPT_LIST, "FILE",
	    "patterns from a file, a line each"),
	OPT(struct flags, iexclude, "iexclude", 0, OPT_LIST, "PATTERN",
	    "the same, letters of both cases alike"),
	OPT(struct flags, iexclude_file, "iexclude-file", 0, OPT_LIST, "FILE",
	    "the same, from a file"),
	OPT(struct flags, include, "include", 'i', OPT_LIST, "PATTERN",
	    "take only what matches (may be given often)"),
	OPT(struct flags, include_file, "include-file", 0, OPT_LIST, "FILE",
	    "patterns from a file, a line each"),
	OPT(struct flags, iinclude, "iinclude", 0, OPT_LIST, "PATTERN",
	    "the same, letters of both cases alike"),
	OPT(struct flags, iinclude_file, "iinclude-file", 0, OPT_LIST, "FILE",
	    "the same, from a file"),
	OPT(struct flags, host, "new-host", 0, OPT_TEXT, "HOST",
	    "another host for the snapshots"),
	OPT(struct flags, time, "new-time", 0, OPT_TEXT, "TIME",
	    "another time, '2026-01-31 15:04:05'"),
	OPT(struct flags, summary, "snapshot-summary", 's', OPT_FLAG, NULL,
	    "count files and bytes of snapshots that do not say them"),
	OPT(struct flags, forget, "forget", 0, OPT_FLAG, NULL,
	    "remove the old snapshots"),
	OPT(struct flags, dry, "dry-run", 'n', OPT_FLAG, NULL,
	    "tell what would be done, write nothing"),
	CLI_FILTER(struct flags, filter),
	OPT_END
};

struct job {
	struct rewriting w;
	const struct flags *f;
	struct filter *own[4]; /* to be freed */
	struct rewrite_filter filter;
	struct rewriter_rules rules;
	struct when when;
	char when_text[64];
};

static int
parse_time(const char *s, struct when *ret, struct err *e)
{
	struct tm tm = { .tm_isdst = -1 };
	const char *end = strptime(s, "%Y-%m-%d %H:%M:%S", &tm);
	time_t t;

	if (end == NULL || *end != '\0' || (t = mktime(&tm)) == -1)
		return (err_set(e, ERR_USAGE, "--new-time: '%s' is not like "
		    "2026-01-31 15:04:05", s));
	*ret = (struct when){ .sec = t, .offset_s = (int32_t)tm.tm_gmtoff };
	return (0);
}

static int
parse_patterns(struct job *j, struct err *e)
{
	const struct flags *f = j->f;
	int rc;

	if ((rc = cli_patterns(&j->own[0], false, &f->exclude,
	    &f->exclude_file, e)) != 0 ||
	    (rc = cli_patterns(&j->own[1], true, &f->iexclude,
	    &f->iexclude_file, e)) != 0 ||
	    (rc = cli_patterns(&j->own[2], false, &f->include,
	    &f->include_file, e)) != 0 ||
	    (rc = cli_patterns(&j->own[3], true, &f->iinclude,
	    &f->iinclude_file, e)) != 0)
		return (rc);
	j->filter = (struct rewrite_filter){ j->own[0], j->own[1], j->own[2],
	    j->own[3], NULL, &j->w };
	if (j->w.c->g.verbose > 1)
		j->filter.item = rewriting_item;
	return (0);
}

static int
parse_flags(struct job *j, struct err *e)
{
	struct rewrite_opts *o = &j->w.o;
	const struct flags *f = j->f;
	bool excludes, includes;
	int rc;

	if ((rc = parse_patterns(j, e)) != 0 || (f->time != NULL &&
	    (rc = parse_time(f->time, &j->when, e)) != 0))
		return (rc);
	excludes = j->own[0] != NULL || j->own[1] != NULL;
	includes = j->own[2] != NULL || j->own[3] != NULL;
	if (excludes && includes)
		return (err_set(e, ERR_USAGE, "exclude and include patterns "
		    "are mutually exclusive"));
	if (!excludes && !includes && !f->summary && f->host == NULL &&
	    f->time == NULL)
		return (err_set(e, ERR_USAGE, "nothing to do: no "
		    "excludes/includes provided and no new metadata "
		    "provided"));
	if (excludes || includes || f->summary) {
		j->rules = rewrite_filter_rules(&j->filter);
		o->rules = &j->rules;
	}
	o->tag = "rewrite";
	o->keep_empty = includes;
	o->count = true;
	o->summary = f->summary;
	o->forget = f->forget;
	o->dry = f->dry;
	o->host = f->host;
	o->time = f->time != NULL ? &j->when : NULL;
	j->w.new_host = f->host;
	j->w.new_time = f->time != NULL ? cli_go_time(&j->when, j->when_text) :
	    NULL;
	return (0);
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	struct job j = { .w = { .c = c, .report = { c, "rewrite", 0 } },
	    .f = flags };
	struct snapshot_filter sf = cli_filter(&j.f->filter);
	struct chosen_opts co = { .names = (const char *const *)argv,
	    .n_names = (size_t)argc, .filter = &sf };
	int rc, i;

	if ((rc = parse_flags(&j, e)) == 0) {
		if (j.f->forget)
			cli_say(c, "create exclusive lock for repository");
		if ((rc = rewriting_open(&j.w, j.f->forget, e)) == 0)
			rc = rewriting_run(&j.w, &co, 0, e);
	}
	for (i = 0; i < 4; i++)
		filter_free(j.own[i]);
	return (rc);
}

const struct cmd cmd_rewrite = {
	.name = "rewrite",
	.args = "[SNAPSHOT...]",
	.summary = "make snapshots without some files, or with other words",
	.help = "Of those that are named, or of all that the filters mean. The "
	    "new ones get the\ntag 'rewrite', unless --forget removes the old "
	    "ones; their data goes with the\nnext 'garner prune'. A snapshot "
	    "in which nothing changes is left alone.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
