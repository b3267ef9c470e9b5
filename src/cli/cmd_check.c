#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "run/check.h"

struct flags {
	bool read_data, with_cache;
	const char *subset;
};

static const struct opt opts[] = {
	OPT(struct flags, read_data, "read-data", 0, OPT_FLAG, NULL,
	    "read and prove every byte of every pack"),
	OPT(struct flags, subset, "read-data-subset", 0, OPT_TEXT, "PART",
	    "only group n/t of the packs, a random share p%, or a SIZE"),
	OPT(struct flags, with_cache, "with-cache", 0, OPT_FLAG, NULL, NULL),
	OPT_END
};

static int
bad_subset(const char *s, struct err *e)
{

	(void)err_set(e, ERR_USAGE, "--read-data-subset: '%s' is not a part",
	    s);
	return (err_hint(e, "3/7 (group 3 of 7), 2.5%% or 500M"));
}

static int
parse_subset(const char *s, struct check_opts *o, struct err *e)
{
	unsigned long n, t;
	char *end;
	double p;

	if (strchr(s, '/') != NULL) {
		n = strtoul(s, &end, 10);
		if (*end != '/' || n == 0)
			return (bad_subset(s, e));
		t = strtoul(end + 1, &end, 10);
		if (*end != '\0' || t < n || t > 256)
			return (bad_subset(s, e));
		o->read = CHECK_READ_GROUP;
		o->group = (unsigned)n;
		o->groups = (unsigned)t;
		return (0);
	}
	o->read = CHECK_READ_SHARE;
	if (strchr(s, '%') != NULL) {
		p = strtod(s, &end);
		if (end == s || strcmp(end, "%") != 0 || !(p > 0 && p <= 100))
			return (bad_subset(s, e));
		o->share = p / 100;
		return (0);
	}
	if (!opt_size(s, &o->share_bytes) || o->share_bytes == 0)
		return (bad_subset(s, e));
	return (0);
}

static void
say(const struct cli *c, const char *kind, const char *text)
{

	if (c->g.json) {
		flockfile(stderr);
		fprintf(stderr, "{\"message_type\":\"%s\",\"message\":", kind);
		cli_json_text(stderr, text);
		fprintf(stderr, "}\n");
		funlockfile(stderr);
	} else if (strcmp(kind, "error") == 0) {
		log_error("%s", text);
	} else {
		log_warn("%s", text);
	}
}

static void
on_error(void *cookie, const char *text)
{

	say(cookie, "error", text);
}

static void
on_hint(void *cookie, const char *text)
{

	say(cookie, "hint", text);
}

static void
on_phase(void *cookie, const char *text)
{

	cli_say(cookie, "%s", text);
	(void)fflush(stdout);
}

static void
say_summary(const struct cli *c, const struct check_stats *s, uint64_t errors)
{
	char n[32];

	if (c->g.json) {
		printf("{\"message_type\":\"summary\",\"num_errors\":%llu,"
		    "\"packs\":%llu,\"snapshots\":%llu,\"trees\":%llu,"
		    "\"orphan_packs\":%llu,\"packs_read\":%llu,"
		    "\"blobs_read\":%llu,\"bytes_read\":%llu}\n",
		    (unsigned long long)errors, (unsigned long long)s->packs,
		    (unsigned long long)s->snapshots,
		    (unsigned long long)s->trees,
		    (unsigned long long)s->orphans,
		    (unsigned long long)s->packs_read,
		    (unsigned long long)s->blobs_read,
		    (unsigned long long)s->bytes_read);
		return;
	}
	cli_say(c, "checked %llu snapshots, %llu trees, %llu packs",
	    (unsigned long long)s->snapshots, (unsigned long long)s->trees,
	    (unsigned long long)s->packs);
	if (s->packs_read > 0)
		cli_say(c, "read %llu packs, %s: %llu blobs",
		    (unsigned long long)s->packs_read,
		    cli_bytes(s->bytes_read, n),
		    (unsigned long long)s->blobs_read);
	if (errors == 0)
		cli_say(c, "no errors were found");
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	static const struct progress_view view = { "check", false };
	struct check_opts o = { .meter = &c->meter, .error = on_error,
	    .hint = on_hint, .phase = on_phase, .cookie = c };
	struct check_stats stats = { 0 };
	const struct flags *f = flags;
	struct progress *p;
	uint64_t errors;
	int rc;

	if (argc > 0)
		return (err_set(e, ERR_USAGE, "check takes no '%s'", argv[0]));
	if (f->read_data && f->subset != NULL)
		return (err_set(e, ERR_USAGE, "--read-data and "
		    "--read-data-subset are two ways to say it"));
	if (f->read_data)
		o.read = CHECK_READ_ALL;
	if (f->subset != NULL && (rc = parse_subset(f->subset, &o, e)) != 0)
		return (rc);
	o.workers = cli_workers();
	if ((rc = cli_open(c, ACCESS_EXCLUSIVE, e)) != 0)
		return (rc);
	p = progress_start(c, &view);
	rc = check_run(c->repo, &o, &stats, e);
	progress_stop(p);
	if (rc != 0)
		return (rc);
	errors = meter_read(&c->meter.errors);
	say_summary(c, &stats, errors);
	if (errors == 0)
		return (0);
	(void)err_set(e, ERR_FAIL, "the repository has %llu error%s",
	    (unsigned long long)errors, errors == 1 ? "" : "s");
	return (err_hint(e, "a copy of the damaged files from another copy of "
	    "the repository mends it; or 'garner repair' salvages the rest"));
}

const struct cmd cmd_check = {
	.name = "check",
	.summary = "prove that the repository is whole",
	.help = "Without options: the index, the packs' presence and size, "
	    "every tree. With\n--read-data also every byte, as it would be read "
	    "by a restore.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
