#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "repo/index.h"
#include "run/treewalk.h"

struct flags {
	struct cli_filter filter;
	bool lng, human, recursive;
};

static const struct opt opts[] = {
	OPT(struct flags, lng, "long", 'l', OPT_FLAG, NULL,
	    "with mode, owner, size and time"),
	OPT(struct flags, human, "human-readable", 0, OPT_FLAG, NULL,
	    "sizes with units"),
	OPT(struct flags, recursive, "recursive", 0, OPT_FLAG, NULL,
	    "with folders named: all that is below them"),
	CLI_FILTER(struct flags, filter),
	OPT_END
};

struct listing {
	struct cli *c;
	const struct flags *f;
	char **want;         /* folders asked for */
	int n_want;
	struct report report;
};

static char *
mode_text(const struct node *n, char ret[11])
{
	static const char type[] = "-dlbcps?";
	static const char bits[] = "rwxrwxrwx";
	mode_t m = node_st_mode(n->mode);
	int i;

	ret[0] = type[n->type];
	for (i = 0; i < 9; i++)
		ret[1 + i] = m & (0400u >> i) ? bits[i] : '-';
	if (m & 04000)
		ret[3] = ret[3] == 'x' ? 's' : 'S';
	if (m & 02000)
		ret[6] = ret[6] == 'x' ? 's' : 'S';
	if (m & 01000)
		ret[9] = ret[9] == 'x' ? 't' : 'T';
	ret[10] = '\0';
	return (ret);
}

static void
print_row(const struct listing *l, const struct treewalk *w)
{
	const struct node *n = &w->node;
	char mode[11], t[32], size[32];

	if (l->f->lng) {
		if (l->f->human)
			(void)cli_bytes(n->size, size);
		else
			(void)snprintf(size, sizeof(size), "%llu",
			    (unsigned long long)n->size);
		printf("%s %5u %5u %*s %s ", mode_text(n, mode), n->uid,
		    n->gid, l->f->human ? 11 : 10, size,
		    cli_time(&n->mtime, t));
	}
	cli_name(stdout, (const char *)w->path.p, w->path.len);
	if (l->f->lng && n->type == NODE_SYMLINK) {
		printf(" -> ");
		cli_name(stdout, n->target, n->target_len);
	}
	putchar('\n');
}

static void
print_json(const struct treewalk *w)
{
	const struct node *n = &w->node;
	char m[WHEN_TEXT], a[WHEN_TEXT], c[WHEN_TEXT], perm[11];

	printf("{\"name\":");
	cli_json_text(stdout, n->name);
	printf(",\"type\":\"%s\",\"path\":", node_type_name(n->type));
	cli_json_text(stdout, (const char *)w->path.p);
	printf(",\"uid\":%u,\"gid\":%u", n->uid, n->gid);
	if (n->type == NODE_FILE)
		printf(",\"size\":%llu", (unsigned long long)n->size);
	printf(",\"mode\":%llu,\"permissions\":\"%s\",\"mtime\":\"%s\","
	    "\"atime\":\"%s\",\"ctime\":\"%s\",\"inode\":%llu,"
	    "\"message_type\":\"node\",\"struct_type\":\"node\"}\n",
	    (unsigned long long)n->mode, mode_text(n, perm),
	    when_format(&n->mtime, m), when_format(&n->atime, a),
	    when_format(&n->ctime, c), (unsigned long long)n->inode);
}

static void
print_head(const struct listing *l, const struct snapshot *s)
{
	char hex[ID_HEX + 1], t[WHEN_TEXT], tree[ID_HEX + 1];
	const char *p = NULL, *sep = "";

	if (!l->c->g.json) {
		if (cli_talks(l->c) && l->c->g.verbose > 0)
			printf("snapshot %.8s of %s\n", id_hex(&s->id, hex),
			    cli_time(&s->time, t));
		return;
	}
	id_hex(&s->id, hex);
	printf("{\"time\":\"%s\",\"tree\":\"%s\",\"paths\":[",
	    when_format(&s->time, t), id_hex(&s->tree, tree));
	while ((p = text_list_next(&s->paths, p)) != NULL) {
		printf("%s", sep);
		cli_json_text(stdout, p);
		sep = ",";
	}
	printf("],\"hostname\":");
	cli_json_text(stdout, s->host);
	printf(",\"id\":\"%s\",\"short_id\":\"%.8s\",\"message_type\":"
	    "\"snapshot\",\"struct_type\":\"snapshot\"}\n", hex, hex);
}

/* Is ${path} the folder ${dir} or below it; how many parts below? */
static bool
below(const char *dir, const char *path, unsigned *ret_parts)
{
	size_t n = strlen(dir);

	while (n > 0 && dir[n - 1] == '/')
		n--;
	if (strncmp(path, dir, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return (false);
	*ret_parts = 0;
	for (path += n; *path != '\0'; path++)
		*ret_parts += *path == '/';
	return (true);
}

/* Could the folder ${path} lead to, or lie in, one that is asked for? */
static void
judge(const struct listing *l, const char *path, bool *ret_show,
    bool *ret_enter)
{
	unsigned parts;
	int i;

	*ret_show = *ret_enter = l->n_want == 0;
	for (i = 0; i < l->n_want; i++) {
		if (below(l->want[i], path, &parts)) {
			*ret_show = *ret_show || l->f->recursive || parts <= 1;
			*ret_enter = *ret_enter || l->f->recursive ||
			    parts == 0;
		} else if (below(path, l->want[i], &parts)) {
			*ret_enter = true;
		}
	}
}

static int
on_node(const struct listing *l, struct treewalk *w, struct err *e)
{
	bool show, enter;

	judge(l, (const char *)w->path.p, &show, &enter);
	if (show && l->c->g.json)
		print_json(w);
	else if (show)
		print_row(l, w);
	return (w->node.type == NODE_DIR && enter ?
	    treewalk_enter(w, NULL, e) : 0);
}

/* What cannot be read is told, and the rest is listed. */
static int
list(struct listing *l, struct treewalk *w, struct err *e)
{
	struct err why = ERR_INIT;
	int ev, rc;

	while ((ev = treewalk_next(w, &why)) != WALK_END) {
		rc = ev < 0 ? ev : ev == WALK_BROKEN ? ERR_CORRUPT :
		    ev == WALK_NODE ? on_node(l, w, &why) : 0;
		if (ev < 0 || problem_ends_run(rc)) {
			*e = why;
			return (rc);
		}
		if (rc != 0)
			report_problem(&l->report, NULL, problem_node(w),
			    &why);
		if ((rc = repo_stopped(l->c->repo, e)) != 0)
			return (rc);
	}
	return (report_code(&l->report));
}

/* A listing of nothing must not look like an empty folder. */
static int
all_there(const struct listing *l, const struct snapshot *s, struct err *e)
{
	struct node *n;
	int i, rc = 0;

	if ((n = malloc(sizeof(*n))) == NULL)
		return (err_nomem(e));
	for (i = 0; i < l->n_want && rc == 0; i++) {
		rc = treewalk_find(l->c->repo, &s->tree, l->want[i], n, e);
		if (rc == 0)
			rc = err_set(e, ERR_ABSENT, "there is no '%s' in that "
			    "snapshot", l->want[i]);
		else if (rc > 0)
			rc = 0;
	}
	free(n);
	return (rc);
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	struct listing l = { c, flags, argv + 1, argc - 1, { c, "ls", 0 } };
	struct treewalk *w;
	struct snapshot s;
	int rc;

	if (argc == 0)
		return (err_set(e, ERR_USAGE, "which snapshot? 'latest' or an "
		    "id"));
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return (err_nomem(e));
	snapshot_init(&s);
	if ((rc = cli_open(c, ACCESS_SHARED, e)) == 0 &&
	    (rc = cli_snapshot(c, argv[0], &l.f->filter, &s, NULL, e)) == 0 &&
	    (rc = repo_load_index(c->repo, false, e)) == 0 &&
	    (rc = all_there(&l, &s, e)) == 0) {
		print_head(&l, &s);
		if ((rc = treewalk_open(w, c->repo, &s.tree, 0, e)) == 0)
			rc = list(&l, w, e);
		treewalk_close(w);
	}
	snapshot_free(&s);
	free(w);
	return (rc);
}

const struct cmd cmd_ls = {
	.name = "ls",
	.args = "SNAPSHOT [FOLDER...]",
	.summary = "list the files of a snapshot",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
