#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/snapshot_out.h"
#include "crypto/sha256.h"

struct flags {
	struct cli_filter filter;
	uint64_t latest;
	bool compact;
	const char *group_by;
};

static const struct opt opts[] = {
	CLI_FILTER(struct flags, filter),
	OPT(struct flags, latest, "latest", 0, OPT_UINT, "N",
	    "only the last N of each host and set of paths"),
	OPT(struct flags, compact, "compact", 'c', OPT_FLAG, NULL,
	    "a shorter table"),
	OPT_END
};

struct listing {
	struct cli *c;
	const struct flags *f;
	uint64_t n;
	bool first;
};

/* Tags and paths stand one below the other, as restic's table has them. */
static void
print_row(struct listing *l, const struct snapshot *s)
{
	const char *tag = text_list_next(&s->tags, NULL);
	const char *path = text_list_next(&s->paths, NULL);
	char hex[ID_HEX + 1], t[32], size[32] = "", shown[1024];

	if (s->has_summary)
		(void)cli_bytes(s->summary.bytes, size);
	printf("%.8s  %s  ", id_hex(&s->id, hex), cli_time(&s->time, t));
	cli_name(stdout, s->host, strlen(s->host));
	printf("%*s", (int)(strlen(s->host) < 12 ? 12 - strlen(s->host) : 0),
	    "");
	if (l->f->compact) {
		for (; tag != NULL; tag = text_list_next(&s->tags, tag))
			printf("  %s", utf8_show(shown, sizeof(shown), tag));
		putchar('\n');
		return;
	}
	for (;;) {
		printf("  %-10s  ", utf8_show(shown, sizeof(shown),
		    tag != NULL ? tag : ""));
		if (path != NULL)
			cli_name(stdout, path, strlen(path));
		if (size[0] != '\0')
			printf("  %s", size);
		putchar('\n');
		size[0] = '\0';
		tag = tag != NULL ? text_list_next(&s->tags, tag) : NULL;
		path = path != NULL ? text_list_next(&s->paths, path) : NULL;
		if (tag == NULL && path == NULL)
			break;
		printf("%-8s  %-19s  %-12s", "", "", "");
	}
}

static int
print_one(void *cookie, const struct snapshot *s, struct err *e)
{
	struct listing *l = cookie;
	int rc = 0;

	if (!l->c->g.json) {
		print_row(l, s);
	} else {
		if (!l->first)
			putchar(',');
		rc = cli_snapshot_json(s, e);
	}
	l->first = false;
	l->n++;
	return (rc);
}

/* ---- --latest N ---- */

/* Newest first within a host and set of paths: keep N, in a set of ids. */
struct latest {
	struct listing *l;
	struct sorter *groups; /* group key, time descending, id */
	struct sorter *keep;   /* ids to print */
};

static int
note_group(void *cookie, const struct snapshot *s, struct err *e)
{
	struct latest *x = cookie;
	uint8_t rec[ID_LEN + 12 + ID_LEN];
	struct sorter *paths;
	struct sha256 sha;
	struct id key;
	const char *p = NULL;
	const void *q;
	size_t len;
	int rc;

	/* The group is the host and the sorted paths. */
	rc = sorter_new(&paths, x->l->c->state.scratch, 256 * 1024, sort_bytes,
	    e);
	if (rc != 0)
		return (rc);
	while ((p = text_list_next(&s->paths, p)) != NULL &&
	    strlen(p) < SORT_RECORD_MAX)
		if ((rc = sorter_add(paths, p, strlen(p) + 1, e)) != 0)
			goto out;
	sha256_begin(&sha);
	sha256_update(&sha, s->host, strlen(s->host) + 1);
	while ((rc = sorter_next(paths, &q, &len, e)) > 0)
		sha256_update(&sha, q, len);
	if (rc < 0)
		goto out;
	sha256_end(&sha, &key);
	memcpy(rec, key.b, ID_LEN);
	store_be64(rec + ID_LEN, ~((uint64_t)s->time.sec ^ 1ull << 63));
	store_le32(rec + ID_LEN + 8,
	    ~__builtin_bswap32((uint32_t)s->time.nsec));
	memcpy(rec + ID_LEN + 12, s->id.b, ID_LEN);
	rc = sorter_add(x->groups, rec, sizeof(rec), e);

out:
	sorter_free(paths);
	return (rc);
}

/* Prints the snapshots whose id comes next in x->keep... by time again. */
static int
print_latest(struct latest *x, struct err *e)
{
	struct id group = { { 0 } }, id;
	const uint8_t *rec;
	const void *p;
	uint64_t n = 0;
	struct snapshot s;
	size_t len;
	uint8_t out[12 + ID_LEN];
	int rc;

	while ((rc = sorter_next(x->groups, &p, &len, e)) > 0) {
		rec = p;
		if (memcmp(group.b, rec, ID_LEN) != 0) {
			memcpy(group.b, rec, ID_LEN);
			n = 0;
		}
		if (n++ >= x->l->f->latest)
			continue;
		store_be64(out, ~load_be64(rec + ID_LEN));
		memcpy(out + 8, rec + ID_LEN + 8, 4);
		memcpy(out + 12, rec + ID_LEN + 12, ID_LEN);
		if ((rc = sorter_add(x->keep, out, sizeof(out), e)) != 0)
			return (rc);
	}
	while (rc == 0 && (rc = sorter_next(x->keep, &p, &len, e)) > 0) {
		memcpy(id.b, (const uint8_t *)p + 12, ID_LEN);
		snapshot_init(&s);
		if ((rc = snapshot_load(x->l->c->repo, &id, &s, e)) == 0)
			rc = print_one(x->l, &s, e);
		snapshot_free(&s);
	}
	return (rc);
}

static int
list_latest(struct listing *l, const struct snapshot_filter *sf,
    struct err *e)
{
	struct latest x = { l, NULL, NULL };
	const char *dir = l->c->state.scratch;
	int rc;

	rc = sorter_new(&x.groups, dir, 256 * 1024, sort_bytes, e);
	if (rc == 0)
		rc = sorter_new(&x.keep, dir, 256 * 1024, sort_bytes, e);
	if (rc == 0)
		rc = snapshot_each(l->c->repo, sf, note_group, &x, NULL, e);
	if (rc == 0)
		rc = print_latest(&x, e);
	sorter_free(x.groups);
	sorter_free(x.keep);
	return (rc);
}

/* One by name: "snapshots latest", "snapshots 1a2b". */
static int
list_named(struct listing *l, int argc, char **argv, struct err *e)
{
	struct snapshot s;
	int i, rc = 0;

	for (i = 0; i < argc && rc == 0; i++) {
		snapshot_init(&s);
		rc = cli_snapshot(l->c, argv[i], &l->f->filter, &s, NULL, e);
		if (rc == 0)
			rc = print_one(l, &s, e);
		snapshot_free(&s);
	}
	return (rc);
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	struct listing l = { c, flags, 0, true };
	struct snapshot_filter sf;
	unsigned bad = 0;
	int rc;

	if ((rc = cli_open(c, ACCESS_SHARED, e)) != 0)
		return (rc);
	sf = cli_filter(&l.f->filter);
	if (c->g.json)
		putchar('[');
	else if (cli_talks(c))
		printf("%-8s  %-19s  %-12s  %-10s  %s\n%s\n", "ID", "Time",
		    "Host", "Tags", "Paths, size", "----------------------------"
		    "----------------------------------------------------");
	if (argc > 0)
		rc = list_named(&l, argc, argv, e);
	else if (l.f->latest > 0)
		rc = list_latest(&l, &sf, e);
	else
		rc = snapshot_each(c->repo, &sf, print_one, &l, &bad, e);
	if (c->g.json)
		printf("]\n");
	else if (rc == 0)
		cli_say(c, "%llu snapshot%s", (unsigned long long)l.n,
		    l.n == 1 ? "" : "s");
	return (rc != 0 ? rc : bad > 0 ? 1 : 0);
}

const struct cmd cmd_snapshots = {
	.name = "snapshots",
	.args = "[ID...]",
	.summary = "list the snapshots",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
