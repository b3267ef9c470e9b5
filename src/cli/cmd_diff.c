#include <stdlib.h>
#include <string.h>

#include "cli/below.h"
#include "cli/cli.h"
#include "cli/report.h"
#include "repo/index.h"
#include "run/diff.h"

struct flags {
	bool metadata;
};

static const struct opt opts[] = {
	OPT(struct flags, metadata, "metadata", 0, OPT_FLAG, NULL,
	    "also what changed in nothing but its metadata (U)"),
	OPT_END
};

struct printer {
	struct cli *c;
	struct report report;
};

static const char *
letters(unsigned change, char ret[8])
{
	static const struct {
		unsigned change;
		char letter;
	} table[] = {
		{ DIFF_ADDED, '+' }, { DIFF_REMOVED, '-' },
		{ DIFF_TYPE, 'T' }, { DIFF_CONTENT, 'M' },
		{ DIFF_BITROT, '?' }, { DIFF_METADATA, 'U' },
	};
	size_t i, n = 0;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (change & table[i].change)
			ret[n++] = table[i].letter;
	ret[n] = '\0';
	return (ret);
}

static int
on_change(void *cookie, unsigned change, const char *path, struct err *e)
{
	struct printer *p = cookie;
	char text[8];

	if (p->c->g.quiet)
		return (0);
	letters(change, text);
	if (p->c->g.json) {
		printf("{\"message_type\":\"change\",\"path\":");
		cli_json_text(stdout, path);
		printf(",\"modifier\":\"%s\"}\n", text);
	} else {
		printf("%-5s", text);
		cli_name(stdout, path, strlen(path));
		putchar('\n');
	}
	return (ferror(stdout) ? err_sys(e, "cannot write to standard output") :
	    0);
}

static void
on_problem(void *cookie, const struct id *snap, const char *path,
    const struct err *why)
{
	struct printer *p = cookie;

	report_problem(&p->report, snap, path, why);
}

static void
print_side_json(const char *key, const struct diff_side *s)
{

	printf(",\"%s\":{\"files\":%llu,\"dirs\":%llu,\"others\":%llu,"
	    "\"data_blobs\":%llu,\"tree_blobs\":%llu,\"bytes\":%llu}", key,
	    (unsigned long long)s->files, (unsigned long long)s->dirs,
	    (unsigned long long)s->others, (unsigned long long)s->data_blobs,
	    (unsigned long long)s->tree_blobs, (unsigned long long)s->bytes);
}

static void
print_json(const struct diff_stats *s, char **argv)
{

	printf("{\"message_type\":\"statistics\",\"source_snapshot\":");
	cli_json_text(stdout, argv[0]);
	printf(",\"target_snapshot\":");
	cli_json_text(stdout, argv[1]);
	printf(",\"changed_files\":%llu", (unsigned long long)s->changed);
	print_side_json("added", &s->added);
	print_side_json("removed", &s->removed);
	printf("}\n");
}

static void
print_text(const struct diff_stats *s)
{
	const struct diff_side *a = &s->added, *r = &s->removed;
	char size[32];

	printf("\nFiles:       %5llu new, %5llu removed, %5llu changed\n",
	    (unsigned long long)a->files, (unsigned long long)r->files,
	    (unsigned long long)s->changed);
	printf("Dirs:        %5llu new, %5llu removed\n",
	    (unsigned long long)a->dirs, (unsigned long long)r->dirs);
	printf("Others:      %5llu new, %5llu removed\n",
	    (unsigned long long)a->others, (unsigned long long)r->others);
	printf("Data Blobs:  %5llu new, %5llu removed\n",
	    (unsigned long long)a->data_blobs,
	    (unsigned long long)r->data_blobs);
	printf("Tree Blobs:  %5llu new, %5llu removed\n",
	    (unsigned long long)a->tree_blobs,
	    (unsigned long long)r->tree_blobs);
	printf("  Added:   %-5s\n", cli_bytes(a->bytes, size));
	printf("  Removed: %-5s\n", cli_bytes(r->bytes, size));
}

/* The snapshot that ${what} names, and its tree, or one below it. */
static int
find_tree(struct cli *c, const char *what, struct snapshot *s, char **path,
    struct err *e)
{
	const struct cli_filter any = { { NULL, 0 }, { NULL, 0 },
	    { NULL, 0 } };

	return (cli_snapshot(c, what, &any, s, path, e));
}

static int
compare(struct cli *c, const struct flags *f, const struct snapshot s[2],
    char **argv, struct err *e)
{
	struct printer p = { c, { c, "diff", 0 } };
	struct diff_opts o = { .metadata = f->metadata, .change = on_change,
	    .problem = on_problem, .cookie = &p };
	struct id trees[2] = { s[0].tree, s[1].tree };
	struct id snaps[2] = { s[0].id, s[1].id };
	struct diff_stats stats;
	int rc;

	if ((rc = diff_run(c->repo, trees, snaps, &o, &stats, e)) != 0)
		return (rc);
	if (c->g.json)
		print_json(&stats, argv);
	else
		print_text(&stats);
	return (report_code(&p.report));
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	char *path[2] = { NULL, NULL }, hex[2][ID_HEX + 1];
	struct snapshot s[2];
	int rc;

	if (argc != 2) {
		(void)err_set(e, ERR_USAGE, "diff of which two snapshots?");
		return (err_hint(e, "'garner snapshots' lists their ids"));
	}
	snapshot_init(&s[0]);
	snapshot_init(&s[1]);
	if ((rc = cli_open(c, ACCESS_SHARED, e)) != 0 ||
	    (rc = find_tree(c, argv[0], &s[0], &path[0], e)) != 0 ||
	    (rc = find_tree(c, argv[1], &s[1], &path[1], e)) != 0)
		goto out;
	cli_say(c, "comparing snapshot %.8s to %.8s:\n", id_hex(&s[0].id,
	    hex[0]), id_hex(&s[1].id, hex[1]));
	if ((rc = repo_load_index(c->repo, false, e)) == 0 &&
	    (rc = cli_below(c, &s[0], path[0], e)) == 0 &&
	    (rc = cli_below(c, &s[1], path[1], e)) == 0)
		rc = compare(c, flags, s, argv, e);

out:
	snapshot_free(&s[0]);
	snapshot_free(&s[1]);
	free(path[0]);
	free(path[1]);
	return (rc);
}

const struct cmd cmd_diff = {
	.name = "diff",
	.args = "SNAPSHOT[:FOLDER] SNAPSHOT[:FOLDER]",
	.summary = "what changed from one snapshot to another",
	.help = "A line each:\n\n"
	    "  +  added\n"
	    "  -  removed\n"
	    "  M  its content changed\n"
	    "  ?  its content changed, and nothing else did: has the disk "
	    "decayed?\n"
	    "  T  its type changed: a file became a link, ...\n"
	    "  U  its metadata changed (with --metadata)",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
