#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/report.h"
#include "repo/index.h"
#include "run/stats.h"

struct flags {
	struct cli_filter filter;
	const char *mode;
};

static const struct opt opts[] = {
	OPT(struct flags, mode, "mode", 0, OPT_TEXT, "MODE",
	    "restore-size (default), files-by-contents, blobs-per-file, "
	    "raw-data"),
	CLI_FILTER(struct flags, filter),
	OPT_END
};

static const char *const mode_name[] = {
	[STATS_RESTORE_SIZE] = "restore-size",
	[STATS_FILES_BY_CONTENTS] = "files-by-contents",
	[STATS_BLOBS_PER_FILE] = "blobs-per-file",
	[STATS_RAW_DATA] = "raw-data",
};

static int
parse_mode(const char *s, enum stats_mode *ret, struct err *e)
{
	int i;

	*ret = STATS_RESTORE_SIZE;
	if (s == NULL)
		return (0);
	for (i = STATS_RESTORE_SIZE; i <= STATS_RAW_DATA; i++)
		if (strcmp(s, mode_name[i]) == 0) {
			*ret = (enum stats_mode)i;
			return (0);
		}
	(void)err_set(e, ERR_USAGE, "--mode: there is no way to count '%s'",
	    s);
	return (err_hint(e, "restore-size, files-by-contents, blobs-per-file "
	    "or raw-data"));
}

/* What compression did. */
struct gain {
	double ratio;        /* of what is compressed; 0: nothing is */
	double progress, saving; /* percent of all */
};

static struct gain
gain_of(const struct stats *s)
{
	struct gain g = { 0, 0, 0 };

	if (s->packed > 0)
		g.ratio = (double)s->packed_plain / (double)s->packed;
	if (s->plain > 0) {
		g.progress = (double)s->packed_plain / (double)s->plain * 100;
		g.saving = (1 - (double)s->size / (double)s->plain) * 100;
	}
	return (g);
}

/* A member with the fewest decimals that give the same number; 0 is left out. */
static void
json_double(const char *key, double v)
{
	char text[64];
	const char *exp;
	int n, decimals;

	if (v == 0)
		return;
	for (n = 0; n < 17; n++) {
		(void)snprintf(text, sizeof(text), "%.*e", n, v);
		if (strtod(text, NULL) == v)
			break;
	}
	exp = strchr(text, 'e');
	decimals = exp != NULL ? n - atoi(exp + 1) : n;
	printf(",\"%s\":%.*f", key, decimals > 0 ? decimals : 0, v);
}

static void
json_count(const char *key, uint64_t v)
{

	if (v > 0)
		printf(",\"%s\":%llu", key, (unsigned long long)v);
}

static void
print_json(const struct stats *s)
{
	struct gain g = gain_of(s);

	printf("{\"total_size\":%llu", (unsigned long long)s->size);
	json_count("total_uncompressed_size", s->plain);
	json_double("compression_ratio", g.ratio);
	json_double("compression_progress", g.progress);
	json_double("compression_space_saving", g.saving);
	json_count("total_file_count", s->files);
	json_count("total_blob_count", s->blobs);
	printf(",\"snapshots_count\":%llu}\n",
	    (unsigned long long)s->snapshots);
}

static void
print_text(const struct stats *s, enum stats_mode mode)
{
	struct gain g = gain_of(s);
	char size[32];

	printf("Stats in %s mode:\n", mode_name[mode]);
	printf("     Snapshots processed:  %llu\n",
	    (unsigned long long)s->snapshots);
	if (s->blobs > 0)
		printf("        Total Blob Count:  %llu\n",
		    (unsigned long long)s->blobs);
	if (s->files > 0)
		printf("        Total File Count:  %llu\n",
		    (unsigned long long)s->files);
	if (s->plain > 0)
		printf(" Total Uncompressed Size:  %-5s\n",
		    cli_bytes(s->plain, size));
	printf("              Total Size:  %-5s\n", cli_bytes(s->size, size));
	if (g.progress > 0)
		printf("    Compression Progress:  %.2f%%\n", g.progress);
	if (g.ratio > 0)
		printf("       Compression Ratio:  %.2fx\n", g.ratio);
	if (g.saving > 0)
		printf("Compression Space Saving:  %.2f%%\n", g.saving);
}

static int
count(struct cli *c, struct chosen *chosen, const struct stats_opts *o,
    struct err *e)
{
	static const struct progress_view view = { "stats", false };
	struct progress *p = NULL;
	struct stats s;
	int rc;

	cli_say(c, "scanning...");
	if (!c->g.json)	/* whose one object is the result */
		p = progress_start(c, &view);
	rc = stats_run(c->repo, chosen, o, &s, e);
	progress_stop(p);
	if (rc != 0)
		return (rc);
	if (c->g.json)
		print_json(&s);
	else
		print_text(&s, o->mode);
	return (0);
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	struct report report = { c, "stats", 0 };
	struct stats_opts o = { .meter = &c->meter, .problem = report_problem,
	    .cookie = &report };
	struct flags *f = flags;
	struct snapshot_filter sf = cli_filter(&f->filter);
	struct chosen_opts co = { .names = (const char *const *)argv,
	    .n_names = (size_t)argc, .filter = &sf, .problem = report_problem,
	    .cookie = &report };
	struct chosen chosen;
	int rc;

	if ((rc = parse_mode(f->mode, &o.mode, e)) != 0 ||
	    (rc = cli_open(c, ACCESS_SHARED, e)) != 0 ||
	    (rc = repo_load_index(c->repo, false, e)) != 0)
		return (rc);
	if ((rc = chosen_open(&chosen, c->repo, &co, e)) == 0)
		rc = count(c, &chosen, &o, e);
	chosen_close(&chosen);
	return (rc != 0 ? rc : report_code(&report));
}

const struct cmd cmd_stats = {
	.name = "stats",
	.args = "[SNAPSHOT...]",
	.summary = "count files, blobs and bytes",
	.help = "Of all snapshots, of those that the filters mean, or of those "
	    "named. The ways\nto count:\n\n"
	    "  restore-size       what a restore of each snapshot would write "
	    "(default)\n"
	    "  files-by-contents  files that differ in content, whatever their "
	    "names\n"
	    "  blobs-per-file     the same, each file's different blobs\n"
	    "  raw-data           blobs as they are stored, and what "
	    "compression saves",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
