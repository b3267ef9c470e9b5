#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "repo/index.h"
#include "run/find.h"

struct flags {
	struct cli_filter filter;
	struct opt_list snapshots;
	const char *oldest, *newest;
	bool fold, lng, human, reverse;
	bool blob, tree, pack, show_pack;
};

static const struct opt opts[] = {
	OPT(struct flags, fold, "ignore-case", 'i', OPT_FLAG, NULL,
	    "letters of both cases are the same"),
	OPT(struct flags, lng, "long", 'l', OPT_FLAG, NULL,
	    "with mode, owner, size and time"),
	OPT(struct flags, human, "human-readable", 0, OPT_FLAG, NULL,
	    "sizes with units"),
	OPT(struct flags, newest, "newest", 'N', OPT_TEXT, "TIME",
	    "only what was modified then or before"),
	OPT(struct flags, oldest, "oldest", 'O', OPT_TEXT, "TIME",
	    "only what was modified then or after"),
	OPT(struct flags, snapshots, "snapshot", 's', OPT_LIST, "ID",
	    "only in this snapshot (may be given often)"),
	OPT(struct flags, reverse, "reverse", 'R', OPT_FLAG, NULL,
	    "the oldest snapshot first"),
	OPT(struct flags, blob, "blob", 0, OPT_FLAG, NULL,
	    "the words are ids of blobs: which files have them?"),
	OPT(struct flags, tree, "tree", 0, OPT_FLAG, NULL,
	    "they are ids of trees: which folders are they?"),
	OPT(struct flags, pack, "pack", 0, OPT_FLAG, NULL,
	    "they are ids of packs: what is in them?"),
	OPT(struct flags, show_pack, "show-pack-id", 0, OPT_FLAG, NULL,
	    "say in which packs the blobs or trees lie"),
	CLI_FILTER(struct flags, filter),
	OPT_END
};

struct search {
	struct cli *c;
	const struct flags *f;
	struct report report;
	struct id snap;      /* of the match printed last */
	bool begun;          /* something was printed */
	uint64_t hits;       /* in that snapshot; of all objects */
};

/* ---- points in time ---- */

/* ${min} to ${max} digits; false when there are fewer. */
static bool
get_number(const char **s, int min, int max, int *ret)
{
	int n;

	for (*ret = 0, n = 0; n < max && isdigit((unsigned char)**s); n++)
		*ret = 10 * *ret + *(*s)++ - '0';
	return (n >= min);
}

static bool
get_char(const char **s, char c)
{

	return (**s == c ? (++*s, true) : false);
}

/* 2026-01-31 or 31.01.2026 */
static bool
get_date(const char **s, struct tm *tm)
{
	const char *at = *s;

	if (get_number(s, 4, 4, &tm->tm_year) && get_char(s, '-'))
		return (get_number(s, 2, 2, &tm->tm_mon) && get_char(s, '-') &&
		    get_number(s, 2, 2, &tm->tm_mday));
	*s = at;
	return (get_number(s, 2, 2, &tm->tm_mday) && get_char(s, '.') &&
	    get_number(s, 2, 2, &tm->tm_mon) && get_char(s, '.') &&
	    get_number(s, 4, 4, &tm->tm_year));
}

/* 15:04 or 15:04:05.678 */
static bool
get_clock(const char **s, struct tm *tm, int32_t *nsec)
{
	int32_t unit;

	if (!get_number(s, 1, 2, &tm->tm_hour) || !get_char(s, ':') ||
	    !get_number(s, 2, 2, &tm->tm_min))
		return (false);
	if (!get_char(s, ':'))
		return (true);
	if (!get_number(s, 2, 2, &tm->tm_sec))
		return (false);
	if (get_char(s, '.'))
		for (unit = 100000000; isdigit((unsigned char)**s); unit /= 10)
			*nsec += (*(*s)++ - '0') * unit;
	return (true);
}

/* +0200; or a name, which must be UTC or one of the local zone's. */
static bool
get_zone(const char **s, struct tm *tm, bool *ret_fixed, int32_t *ret_offset)
{
	size_t n = strspn(*s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	int hh, mm, sign = **s == '-' ? -1 : 1, i;

	if (**s == '+' || **s == '-') {
		++*s;
		*ret_fixed = true;
		if (!get_number(s, 2, 2, &hh) || !get_number(s, 2, 2, &mm))
			return (false);
		*ret_offset = sign * (hh * 3600 + mm * 60);
		return (true);
	}
	if (n == 3 && (memcmp(*s, "UTC", 3) == 0 ||
	    memcmp(*s, "GMT", 3) == 0)) {
		*s += n;
		*ret_fixed = true;
		return (true);
	}
	tzset();
	for (i = 0; i < 2; i++) {
		if (n < 3 || n != strlen(tzname[i]) ||
		    memcmp(*s, tzname[i], n) != 0)
			continue;
		*s += n;
		tm->tm_isdst = i;
		return (true);
	}
	return (false);
}

/* Mon Jan 2 15:04:05 -0700 MST 2006 */
static bool
get_long(const char **s, struct tm *tm, int32_t *nsec, int32_t *offset)
{
	static const char days[] = "MonTueWedThuFriSatSun";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char name[4] = "";
	const char *at;
	bool fixed;
	size_t n;

	if (strlen(*s) < 8)
		return (false);
	memcpy(name, *s, 3);
	if ((at = strstr(days, name)) == NULL || (at - days) % 3 != 0)
		return (false);
	memcpy(name, *s + 4, 3);
	if ((at = strstr(months, name)) == NULL || (at - months) % 3 != 0)
		return (false);
	tm->tm_mon = (int)(at - months) / 3 + 1;
	*s += 3;
	if (!get_char(s, ' '))
		return (false);
	*s += 3;
	if (!get_char(s, ' ') || !get_number(s, 1, 2, &tm->tm_mday) ||
	    !get_char(s, ' ') || !get_clock(s, tm, nsec) ||
	    !get_char(s, ' ') || (**s != '+' && **s != '-') ||
	    !get_zone(s, tm, &fixed, offset) || !get_char(s, ' '))
		return (false);
	n = strspn(*s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ+-0123456789");
	*s += n;	/* the zone's name says nothing more */
	return (n > 0 && get_char(s, ' ') && get_number(s, 4, 4,
	    &tm->tm_year));
}

static bool
in_range(const struct tm *tm)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31,
	    30, 31 };
	bool leap = tm->tm_year % 4 == 0 && (tm->tm_year % 100 != 0 ||
	    tm->tm_year % 400 == 0);

	return (tm->tm_mon >= 1 && tm->tm_mon <= 12 && tm->tm_mday >= 1 &&
	    tm->tm_mday <= days[tm->tm_mon - 1] && (tm->tm_mon != 2 ||
	    tm->tm_mday < 29 || leap) && tm->tm_hour < 24 &&
	    tm->tm_min < 60 && tm->tm_sec < 60);
}

/* From the calendar (month from 1, whole year) to the point in time. */
static struct when
make_when(struct tm *tm, bool fixed, int32_t offset, int32_t nsec)
{
	struct when w = { 0, nsec, 0 };

	if (fixed) {
		w.sec = when_seconds(tm->tm_year, tm->tm_mon, tm->tm_mday,
		    tm->tm_hour, tm->tm_min, tm->tm_sec) - offset;
		return (w);
	}
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	w.sec = (int64_t)mktime(tm);
	return (w);
}

static int
parse_time(const char *option, const char *text, struct when *ret,
    struct err *e)
{
	struct tm tm = { .tm_isdst = -1 };
	int32_t nsec = 0, offset = 0;
	const char *s = text;
	bool ok, fixed = false;

	if (isalpha((unsigned char)*s)) {
		ok = get_long(&s, &tm, &nsec, &offset);
		fixed = true;
	} else {
		ok = get_date(&s, &tm);
		if (ok && get_char(&s, ' '))
			ok = get_clock(&s, &tm, &nsec);
		if (ok && get_char(&s, ' '))
			ok = get_zone(&s, &tm, &fixed, &offset);
	}
	if (ok && *s == '\0' && in_range(&tm)) {
		*ret = make_when(&tm, fixed, offset, nsec);
		return (0);
	}
	(void)err_set(e, ERR_USAGE, "--%s: unable to parse the time '%s'",
	    option, text);
	return (err_hint(e, "2026-01-31, '2026-01-31 15:04:05' or, with an "
	    "offset, '2026-01-31 15:04:05 +0200'"));
}

/* ---- names ---- */

/* As Go prints a FileMode: "drwxr-xr-x", "Lrwxrwxrwx", "urwxr-xr-x". */
static char *
mode_text(uint64_t mode, char ret[32])
{
	static const char type[] = "dalTLDpSugct?", bits[] = "rwxrwxrwx";
	size_t n = 0;
	int i;

	for (i = 0; type[i] != '\0'; i++)
		if (mode & 1u << (31 - i))
			ret[n++] = type[i];
	if (n == 0)
		ret[n++] = '-';
	for (i = 0; bits[i] != '\0'; i++)
		ret[n++] = mode & 1u << (8 - i) ? bits[i] : '-';
	ret[n] = '\0';
	return (ret);
}

static void
json_text_member(const char *key, const char *s)
{

	if (*s == '\0')
		return;
	printf(",\"%s\":", key);
	cli_json_text(stdout, s);
}

static void
json_number_member(const char *key, uint64_t v)
{

	if (v != 0)
		printf(",\"%s\":%llu", key, (unsigned long long)v);
}

static void
print_node_json(const char *path, const struct node *n)
{
	char m[WHEN_TEXT], a[WHEN_TEXT], c[WHEN_TEXT], mode[32];

	printf("{\"path\":");
	cli_json_text(stdout, path);
	printf(",\"permissions\":\"%s\",\"type\":\"%s\"",
	    mode_text(n->mode, mode), node_type_name(n->type));
	json_number_member("mode", n->mode);
	printf(",\"mtime\":\"%s\",\"atime\":\"%s\",\"ctime\":\"%s\","
	    "\"uid\":%u,\"gid\":%u", when_format(&n->mtime, m),
	    when_format(&n->atime, a), when_format(&n->ctime, c), n->uid,
	    n->gid);
	json_text_member("user", n->user);
	json_text_member("group", n->group);
	json_number_member("inode", n->inode);
	json_number_member("device_id", n->device_id);
	json_number_member("size", n->size);
	json_number_member("links", n->links);
	json_text_member("linktarget", n->target);
	printf("}");
}

static void
print_node(const struct search *s, const char *path, const struct node *n)
{
	char mode[32], t[32], size[32];

	if (s->f->lng) {
		if (s->f->human)
			(void)cli_bytes(n->size, size);
		else
			(void)snprintf(size, sizeof(size), "%6llu",
			    (unsigned long long)n->size);
		printf("%s %5u %5u %s %s ", mode_text(n->mode, mode), n->uid,
		    n->gid, size, cli_time(&n->mtime, t));
	}
	cli_name(stdout, path, strlen(path));
	if (s->f->lng && n->type == NODE_SYMLINK) {
		printf(" -> ");
		cli_name(stdout, n->target, n->target_len);
	}
	putchar('\n');
}

static void
close_matches(const struct search *s)
{
	char hex[ID_HEX + 1];

	printf("],\"hits\":%llu,\"snapshot\":\"%s\"}",
	    (unsigned long long)s->hits, id_hex(&s->snap, hex));
}

/* The first match in a snapshot: end the last one's list, begin its own. */
static void
begin_matches(struct search *s, const struct snapshot *snap)
{
	char hex[ID_HEX + 1], t[32];

	if (s->c->g.json) {
		if (s->begun)
			close_matches(s);
		printf("%s{\"matches\":[", s->begun ? "," : "[");
	} else if (cli_talks(s->c)) {
		printf("%sFound matching entries in snapshot %.8s from %s\n",
		    s->begun ? "\n" : "", id_hex(&snap->id, hex),
		    cli_time(&snap->time, t));
	}
	s->snap = snap->id;
	s->begun = true;
	s->hits = 0;
}

static void
on_problem(void *cookie, const struct id *snap, const char *path,
    const struct err *why)
{
	struct search *s = cookie;

	report_problem(&s->report, snap, path, why);
}

/* Is anybody still reading? */
static int
still_read(struct err *e)
{

	return (ferror(stdout) ? err_sys(e, "cannot write to standard output") :
	    0);
}

static int
on_match(void *cookie, const struct snapshot *snap, const char *path,
    const struct node *n, struct err *e)
{
	struct search *s = cookie;

	if (!s->begun || !id_eq(&s->snap, &snap->id))
		begin_matches(s, snap);
	if (s->c->g.json) {
		if (s->hits > 0)
			putchar(',');
		print_node_json(path, n);
	} else {
		print_node(s, path, n);
	}
	s->hits++;
	return (still_read(e));
}

/* ---- objects ---- */

static void
print_object_json(const struct search *s, const struct snapshot *snap,
    const char *kind, const struct id *id, const char *path,
    const struct id *in)
{
	char hex[ID_HEX + 1], t[WHEN_TEXT];

	printf("%s{\"object_type\":\"%s\",\"id\":\"%s\",\"path\":",
	    s->hits > 0 ? "," : "[", kind, id_hex(id, hex));
	cli_json_text(stdout, path);
	if (in != NULL)
		printf(",\"parent_tree\":\"%s\"", id_hex(in, hex));
	printf(",\"snapshot\":\"%s\",\"time\":\"%s\"}",
	    id_hex(&snap->id, hex), when_format(&snap->time, t));
}

static void
print_object(const struct snapshot *snap, const char *kind,
    const struct id *id, const char *path, const struct id *in)
{
	char hex[ID_HEX + 1], t[32];

	printf("Found %s %s\n ... %s ", kind, id_hex(id, hex),
	    in != NULL ? "in file" : "path");
	cli_name(stdout, path, strlen(path));
	if (in != NULL)
		printf("\n     (tree %s)", id_hex(in, hex));
	printf("\n ... in snapshot %.8s (%s)\n", id_hex(&snap->id, hex),
	    cli_time(&snap->time, t));
}

static const char *
kind_name(enum blob_type type)
{

	return (type == BLOB_TREE ? "tree" : "blob");
}

static int
on_object(void *cookie, const struct snapshot *snap, enum blob_type type,
    const struct id *id, const char *path, const struct id *in,
    struct err *e)
{
	struct search *s = cookie;

	if (s->c->g.json)
		print_object_json(s, snap, kind_name(type), id, path, in);
	else
		print_object(snap, kind_name(type), id, path, in);
	s->begun = true;
	s->hits++;
	return (still_read(e));
}

/* ---- places ---- */

static int
on_place(void *cookie, enum blob_type type, const struct id *id,
    const struct pack_info *pack, const struct where *at, struct err *e)
{
	const char *kind = type == BLOB_TREE ? "tree" : "data";
	char hex[ID_HEX + 1], in[ID_HEX + 1];

	(void)cookie;
	id_hex(id, hex);
	if (at == NULL) {
		printf("Object %.8s with type %s not found in the index\n",
		    hex, kind);
		return (still_read(e));
	}
	id_hex(&pack->id, in);
	printf("Object belongs to pack %s\n ... Pack %.8s: <Blob (%s) %.8s, "
	    "offset %u, length %u, uncompressed length %u>\n", in, in, kind,
	    hex, at->offset, at->length, at->plain);
	return (still_read(e));
}

static int
on_unknown(void *cookie, const char *text, struct err *e)
{

	(void)cookie;
	printf("Note: cannot find pack for object '%s': nothing was found, and "
	    "it is not a whole ID\n", text);
	return (still_read(e));
}

/* ---- the whole ---- */

/* "!" has no meaning here, and the empty pattern matches all, as in restic. */
static int
make_filter(struct filter **ret, bool fold, int argc, char **argv,
    struct err *e)
{
	const char *p;
	int i, rc;

	if ((rc = filter_new(ret, fold, e)) != 0)
		return (rc);
	for (i = 0; i < argc && rc == 0; i++) {
		p = *argv[i] == '!' ? argv[i] + 1 : argv[i];
		rc = filter_add(*ret, *p != '\0' ? p : "*", e);
	}
	return (rc);
}

static int
parse_times(const struct flags *f, struct find_opts *o, struct when ret[2],
    struct err *e)
{
	int rc = 0;

	if (f->oldest != NULL) {
		rc = parse_time("oldest", f->oldest, &ret[0], e);
		o->oldest = &ret[0];
	}
	if (rc == 0 && f->newest != NULL) {
		rc = parse_time("newest", f->newest, &ret[1], e);
		o->newest = &ret[1];
	}
	if (rc == 0 && o->oldest != NULL && o->newest != NULL &&
	    when_cmp(o->oldest, o->newest) > 0)
		rc = err_set(e, ERR_USAGE, "--oldest must be before --newest");
	return (rc);
}

static void
finish_json(const struct search *s, bool names)
{

	if (names && s->begun)
		close_matches(s);
	printf("%s]\n", s->begun ? "" : "[");
}

static int
find(struct search *s, const struct find_opts *o, const struct chosen_opts *co,
    struct err *e)
{
	struct finder *finder = NULL;
	struct chosen chosen;
	int rc;

	if ((rc = find_open(&finder, s->c->repo, o, e)) != 0)
		return (rc);
	if ((rc = chosen_open(&chosen, s->c->repo, co, e)) == 0)
		rc = find_run(finder, &chosen, e);
	chosen_close(&chosen);
	if (rc == 0 && s->c->g.json)
		finish_json(s, o->kind == FIND_NAMES);
	if (rc == 0 && s->f->show_pack && o->kind != FIND_NAMES)
		rc = find_places(finder, e);
	find_close(finder);
	return (rc);
}

static int
fill_opts(const struct flags *f, int argc, char **argv, struct find_opts *o,
    struct err *e)
{
	char *p;
	int i;

	if (argc == 0)
		return (err_set(e, ERR_USAGE, "find what? a pattern, or ids"));
	if (f->blob + f->tree + f->pack > 1)
		return (err_set(e, ERR_USAGE, "--blob, --tree and --pack: only "
		    "one kind of ids at a time"));
	o->kind = f->blob ? FIND_BLOBS : f->tree ? FIND_TREES : f->pack ?
	    FIND_PACKS : FIND_NAMES;
	if (o->kind == FIND_NAMES)
		return (0);
	for (i = 0; i < argc && f->fold; i++)
		for (p = argv[i]; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
	o->ids = (const char *const *)argv;
	o->n_ids = (size_t)argc;
	return (0);
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	struct flags *f = flags;
	struct search s = { .c = c, .f = f, .report = { c, "find", 0 } };
	struct find_opts o = { .match = on_match, .object = on_object,
	    .place = on_place, .unknown = on_unknown,
	    .problem = on_problem, .cookie = &s };
	struct snapshot_filter sf = cli_filter(&f->filter);
	struct chosen_opts co = { .names = f->snapshots.v,
	    .n_names = f->snapshots.n, .filter = &sf,
	    .newest_first = !f->reverse, .problem = on_problem,
	    .cookie = &s };
	struct filter *names = NULL;
	struct when times[2];
	int rc;

	if ((rc = fill_opts(f, argc, argv, &o, e)) == 0 &&
	    (rc = parse_times(f, &o, times, e)) == 0 &&
	    (rc = make_filter(&names, f->fold, argc, argv, e)) == 0 &&
	    (rc = cli_open(c, ACCESS_SHARED, e)) == 0 &&
	    (rc = repo_load_index(c->repo, false, e)) == 0) {
		o.names = names;
		rc = find(&s, &o, &co, e);
	}
	filter_free(names);
	return (rc != 0 ? rc : report_code(&s.report));
}

const struct cmd cmd_find = {
	.name = "find",
	.args = "PATTERN...",
	.summary = "find files in the snapshots, or what an id belongs to",
	.help = "Patterns are those of 'backup --exclude': * ? [a-z] within a "
	    "name, ** for any\nfolders between, /a/b from the root. The newest "
	    "snapshot comes first.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
