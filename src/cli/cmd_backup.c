#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "repo/index.h"
#include "run/backup.h"
#include "run/scan.h"

struct backup_flags {
	struct opt_list exclude, iexclude, exclude_file, iexclude_file;
	struct opt_list if_present, from, from_verbatim, from_raw, tags;
	const char *host, *parent, *stdin_filename, *time;
	uint64_t larger_than, newer_than, read_concurrency;
	bool caches, one_fs, dry, force, ignore_inode, ignore_ctime;
	bool no_device_id, with_atime, from_stdin, no_scan, skip_unchanged;
};

static const struct opt opts[] = {
	OPT(struct backup_flags, exclude, "exclude", 'e', OPT_LIST, "PATTERN",
	    "leave out what matches (may be given often)"),
	OPT(struct backup_flags, iexclude, "iexclude", 0, OPT_LIST, "PATTERN",
	    "the same, whatever the case of letters"),
	OPT(struct backup_flags, exclude_file, "exclude-file", 0, OPT_LIST,
	    "FILE", "patterns from a file, a line each"),
	OPT(struct backup_flags, iexclude_file, "iexclude-file", 0, OPT_LIST,
	    "FILE", "the same, whatever the case of letters"),
	OPT(struct backup_flags, if_present, "exclude-if-present", 0, OPT_LIST,
	    "FILE[:HEADER]", "leave out folders with this file (that begins "
	    "so), but for the file"),
	OPT(struct backup_flags, caches, "exclude-caches", 0, OPT_FLAG, NULL,
	    "leave out folders marked with a CACHEDIR.TAG"),
	OPT(struct backup_flags, larger_than, "exclude-larger-than", 0,
	    OPT_SIZE, "SIZE", "leave out files above this size"),
	OPT(struct backup_flags, newer_than, "newer-than", 0, OPT_SPAN, "TIME",
	    "only files modified within this time, like 24h"),
	OPT(struct backup_flags, one_fs, "one-file-system", 'x', OPT_FLAG,
	    NULL, "do not cross mount points"),
	OPT(struct backup_flags, from, "files-from", 0, OPT_LIST, "FILE",
	    "paths from a file, patterns allowed"),
	OPT(struct backup_flags, from_verbatim, "files-from-verbatim", 0,
	    OPT_LIST, "FILE", "paths from a file, as they are"),
	OPT(struct backup_flags, from_raw, "files-from-raw", 0, OPT_LIST,
	    "FILE", "paths from a file, each ended by a NUL"),
	OPT(struct backup_flags, from_stdin, "stdin", 0, OPT_FLAG, NULL,
	    "read standard input as one file"),
	OPT(struct backup_flags, stdin_filename, "stdin-filename", 0, OPT_TEXT,
	    "PATH", "its path in the snapshot (stdin)"),
	OPT(struct backup_flags, tags, "tag", 0, OPT_LIST, "TAG[,TAG...]",
	    "tags of the snapshot (may be given often)"),
	OPT(struct backup_flags, host, "host", 'H', OPT_TEXT, "HOST",
	    "host name of the snapshot"),
	OPT(struct backup_flags, time, "time", 0, OPT_TEXT, "TIME",
	    "time of the snapshot, like \"2026-11-21 12:00:00\" (now)"),
	OPT(struct backup_flags, parent, "parent", 0, OPT_TEXT, "SNAPSHOT",
	    "compare with this one (the latest of this host and paths)"),
	OPT(struct backup_flags, force, "force", 'f', OPT_FLAG, NULL,
	    "read all files anew"),
	OPT(struct backup_flags, ignore_inode, "ignore-inode", 0, OPT_FLAG,
	    NULL, "a new inode number does not make a file changed"),
	OPT(struct backup_flags, ignore_ctime, "ignore-ctime", 0, OPT_FLAG,
	    NULL, "nor does a new ctime"),
	OPT(struct backup_flags, no_device_id, "ignore-device-id", 0, OPT_FLAG,
	    NULL, "keep device numbers only where hard links need them: "
	    "trees then do not change when a disk is mounted elsewhere"),
	OPT(struct backup_flags, with_atime, "with-atime", 0, OPT_FLAG, NULL,
	    "keep access times"),
	OPT(struct backup_flags, skip_unchanged, "skip-if-unchanged", 0,
	    OPT_FLAG, NULL, "no snapshot when nothing changed"),
	OPT(struct backup_flags, dry, "dry-run", 'n', OPT_FLAG, NULL,
	    "do everything but write"),
	OPT(struct backup_flags, no_scan, "no-scan", 0, OPT_FLAG, NULL,
	    "do not count files beforehand for the time left"),
	OPT(struct backup_flags, read_concurrency, "read-concurrency", 0,
	    OPT_UINT, "N", NULL),
	OPT_END
};

#define CACHE_TAG "CACHEDIR.TAG"
#define CACHE_HEADER "Signature: 8a477f597d28d172789f06886806bc55"

/* All that a backup needs, in the order in which it is made. */
struct job {
	struct cli *c;
	const struct backup_flags *f;
	struct filter *exclude, *iexclude;
	struct source_tag *tags;
	struct source_list *lists;
	struct source_spec spec;
	struct stat own;
	struct source *src;
	struct snapshot snap, parent;
	bool has_parent;
	struct backup_opts o;
	struct scan *scan;
};

/* ---- what to leave out ---- */

static int
make_tags(struct job *j, struct err *e)
{
	const struct opt_list *l = &j->f->if_present;
	struct source_tag *t;
	char *colon;
	size_t i;

	j->tags = calloc(l->n + 1, sizeof(*j->tags));
	if (j->tags == NULL)
		return (err_nomem(e));
	for (i = 0; i < l->n; i++) {
		t = &j->tags[j->spec.n_tags++];
		t->name = l->v[i];
		/* The words of the command line are ours to cut. */
		if ((colon = strchr((char *)(uintptr_t)l->v[i], ':')) != NULL) {
			*colon = '\0';
			t->header = colon + 1;
		}
		if (*t->name == '\0' || strchr(t->name, '/') != NULL)
			return (err_set(e, ERR_USAGE, "--exclude-if-present: "
			    "'%s' is not the name of a file", t->name));
	}
	if (j->f->caches) {
		t = &j->tags[j->spec.n_tags++];
		t->name = CACHE_TAG;
		t->header = CACHE_HEADER;
	}
	j->spec.tags = j->tags;
	return (0);
}

static int
make_lists(struct job *j, struct err *e)
{
	const struct {
		const struct opt_list *l;
		enum source_lines lines;
	} kind[] = {
		{ &j->f->from, LINES_PATTERNS },
		{ &j->f->from_verbatim, LINES_VERBATIM },
		{ &j->f->from_raw, LINES_RAW },
	};
	size_t i, k, n = 0;

	j->lists = calloc(j->f->from.n + j->f->from_verbatim.n +
	    j->f->from_raw.n + 1, sizeof(*j->lists));
	if (j->lists == NULL)
		return (err_nomem(e));
	for (k = 0; k < 3; k++)
		for (i = 0; i < kind[k].l->n; i++, n++) {
			j->lists[n].file = kind[k].l->v[i];
			j->lists[n].lines = kind[k].lines;
		}
	j->spec.lists = j->lists;
	j->spec.n_lists = n;
	return (0);
}

static int
problem(void *cookie, const char *path, const struct err *why)
{
	struct job *j = cookie;

	if (j->f->from_stdin)
		return (why->code);	/* there is nothing else to save */
	meter_add(&j->c->meter.errors, 1);
	if (j->c->g.json) {
		fprintf(stderr, "{\"message_type\":\"error\",\"error\":"
		    "{\"message\":");
		cli_json_text(stderr, why->text);
		fprintf(stderr, "},\"during\":\"archival\",\"item\":");
		cli_json_text(stderr, path);
		fprintf(stderr, "}\n");
		return (0);
	}
	log_error("%s: %s", path, why->text);
	return (0);
}

static int
stopped(void *cookie, struct err *e)
{
	struct job *j = cookie;

	return (repo_stopped(j->c->repo, e));
}

/* The repository must not swallow itself while it grows. */
static void
leave_out_own(struct job *j, const char *location)
{

	if (strncmp(location, "local:", 6) == 0)
		location += 6;
	if (stat(location, &j->own) == 0)
		j->spec.own = &j->own;
}

static int
make_source(struct job *j, int argc, char **argv, struct err *e)
{
	const struct backup_flags *f = j->f;
	int rc;

	j->spec.scratch = j->c->state.scratch;
	j->spec.problem = problem;
	j->spec.stopped = stopped;
	j->spec.cookie = j;
	if (f->from_stdin) {
		if (argc > 0)
			return (err_set(e, ERR_USAGE,
			    "--stdin reads no '%s'", argv[0]));
		j->spec.name = f->stdin_filename != NULL ? f->stdin_filename :
		    "stdin";
		return (source_open_kind(&j->src, "stdin", &j->spec, e));
	}
	j->spec.paths = (const char *const *)argv;
	j->spec.n_paths = (size_t)argc;
	j->spec.one_file_system = f->one_fs;
	j->spec.larger_than = f->larger_than;
	j->spec.newer_than = f->newer_than != 0 ?
	    (int64_t)time(NULL) - (int64_t)f->newer_than : INT64_MIN;
	if ((rc = make_lists(j, e)) != 0 || (rc = make_tags(j, e)) != 0 ||
	    (rc = cli_patterns(&j->exclude, false, &f->exclude,
	    &f->exclude_file, e)) != 0 ||
	    (rc = cli_patterns(&j->iexclude, true, &f->iexclude,
	    &f->iexclude_file, e)) != 0)
		return (rc);
	j->spec.exclude = j->exclude;
	j->spec.iexclude = j->iexclude;
	leave_out_own(j, j->c->repo->store->location);
	if (argc == 0 && j->spec.n_lists == 0) {
		(void)err_set(e, ERR_USAGE, "what should be saved?");
		return (err_hint(e, "name folders or files, or use "
		    "--files-from or --stdin"));
	}
	return (source_open_kind(&j->src, "files", &j->spec, e));
}

/* ---- the snapshot ---- */

static int
add_tags(struct job *j, struct err *e)
{
	const char *s, *end;
	size_t i;
	int rc;

	for (i = 0; i < j->f->tags.n; i++) {
		for (s = j->f->tags.v[i]; ; s = end + 1) {
			end = s + strcspn(s, ",");
			if (end > s && (rc = text_list_add(&j->snap.tags, s,
			    (size_t)(end - s), e)) != 0)
				return (rc);
			if (*end == '\0')
				break;
		}
	}
	return (0);
}

static int
add_excludes(struct job *j, struct err *e)
{
	const struct opt_list *l[] = { &j->f->exclude, &j->f->iexclude };
	size_t i, k;
	int rc;

	for (k = 0; k < 2; k++)
		for (i = 0; i < l[k]->n; i++)
			if ((rc = text_list_add(&j->snap.excludes, l[k]->v[i],
			    strlen(l[k]->v[i]), e)) != 0)
				return (rc);
	return (0);
}

static int
parse_time(const char *s, struct when *ret, struct err *e)
{
	struct tm tm = { .tm_isdst = -1 };
	time_t t;

	if (strptime(s, "%Y-%m-%d %H:%M:%S", &tm) == NULL ||
	    (t = mktime(&tm)) == -1)
		return (err_set(e, ERR_USAGE, "--time: '%s' is not like "
		    "2026-11-21 12:00:00", s));
	ret->sec = t;
	ret->nsec = 0;
	ret->offset_s = (int32_t)tm.tm_gmtoff;
	return (0);
}

static int
make_snapshot(struct job *j, struct err *e)
{
	const char *host = j->f->host != NULL ? j->f->host :
	    cli_environment("HOST");
	struct snapshot *s = &j->snap;
	struct passwd *pw = getpwuid(getuid());
	int rc;

	s->time = when_now(true);
	if (j->f->time != NULL &&
	    (rc = parse_time(j->f->time, &s->time, e)) != 0)
		return (rc);
	if (host != NULL)
		(void)snprintf(s->host, sizeof(s->host), "%s", host);
	else
		(void)gethostname(s->host, sizeof(s->host) - 1);
	if (pw != NULL)
		(void)snprintf(s->user, sizeof(s->user), "%s", pw->pw_name);
	s->uid = getuid();
	s->gid = getgid();
	(void)snprintf(s->program, sizeof(s->program), "garner %s",
	    GARNER_VERSION);
	if ((rc = add_tags(j, e)) != 0)
		return (rc);
	return (add_excludes(j, e));
}

/* ---- the parent ---- */

struct wanted {
	struct job *j;
	size_t n, hits;      /* paths asked for; those this snapshot has */
	const struct snapshot *s;
	struct id best;
	bool found;
};

static int
count_hit(void *cookie, const char *path, struct err *e)
{
	struct wanted *w = cookie;

	(void)e;
	w->n++;
	if (text_list_has(&w->s->paths, path))
		w->hits++;
	return (0);
}

static int
consider(void *cookie, const struct snapshot *s, struct err *e)
{
	struct wanted *w = cookie;
	int rc;

	if (strcmp(s->host, w->j->snap.host) != 0 ||
	    when_cmp(&s->time, &w->j->snap.time) > 0)
		return (0);
	w->n = w->hits = 0;
	w->s = s;
	rc = source_target_paths(w->j->src, count_hit, w, e);
	if (rc == 0 && w->hits == w->n) {
		w->best = s->id;
		w->found = true;
	}
	return (rc);
}

/* The newest snapshot of this host that has all the paths. */
static int
find_parent(struct job *j, struct err *e)
{
	struct wanted w = { .j = j };
	struct snapshot_filter any = { 0 };
	int rc;

	if (j->f->force || j->f->from_stdin)
		return (0);
	if (j->f->parent != NULL) {
		rc = snapshot_find(j->c->repo, j->f->parent, &any, &j->parent,
		    e);
		j->has_parent = rc == 0;
		return (rc);
	}
	rc = snapshot_each(j->c->repo, NULL, consider, &w, NULL, e);
	if (rc == 0 && w.found) {
		rc = snapshot_load(j->c->repo, &w.best, &j->parent, e);
		j->has_parent = rc == 0;
	}
	return (rc);
}

/* ---- running ---- */

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
		printf(",\"data_size\":%llu}\n", (unsigned long long)size);
	} else {
		printf("%-9s ", fate);
		cli_name(stdout, path, strlen(path));
		printf(" (%s)\n", cli_bytes(size, n));
	}
	funlockfile(stdout);
}

/* The time left needs a total: the parent knows one, else a scan counts. */
static void
estimate(struct job *j, struct err *e)
{
	struct meter *m = &j->c->meter;

	if (j->has_parent && j->parent.has_summary) {
		atomic_store(&m->files_total, j->parent.summary.files);
		atomic_store(&m->bytes_total, j->parent.summary.bytes);
		return;
	}
	if (j->f->no_scan || j->f->from_stdin || j->c->g.quiet ||
	    (!j->c->g.json && !isatty(STDOUT_FILENO)) || j->f->from.n +
	    j->f->from_verbatim.n + j->f->from_raw.n > 0)
		return;
	if (scan_start(&j->scan, &j->spec, m, &j->c->stop, e) != 0)
		log_info("no estimate of the time left: %s", e->text);
}

static void
say_summary(const struct job *j, bool saved, double seconds)
{
	const struct summary *s = &j->snap.summary;
	char a[32], b[32], t[32], hex[ID_HEX + 1];
	const char *would = j->f->dry ? "Would add to" : "Added to";

	cli_say(j->c, "Files:       %5llu new, %5llu changed, "
	    "%5llu unmodified", (unsigned long long)s->files_new,
	    (unsigned long long)s->files_changed,
	    (unsigned long long)s->files_unmodified);
	cli_say(j->c, "Dirs:        %5llu new, %5llu changed, "
	    "%5llu unmodified", (unsigned long long)s->dirs_new,
	    (unsigned long long)s->dirs_changed,
	    (unsigned long long)s->dirs_unmodified);
	cli_say(j->c, "%s the repository: %s (%s stored)\n", would,
	    cli_bytes(s->data_added, a), cli_bytes(s->data_added_packed, b));
	cli_say(j->c, "processed %llu files, %s in %s",
	    (unsigned long long)s->files, cli_bytes(s->bytes, a),
	    cli_duration((uint64_t)(seconds + 0.5), t));
	if (j->src->sockets > 0)
		cli_say(j->c, "skipped %llu sockets: nothing of them can be "
		    "kept", (unsigned long long)j->src->sockets);
	if (j->spec.own != NULL && j->src->excluded > 0 && j->c->g.verbose > 0)
		cli_say(j->c, "left out %llu entries as asked",
		    (unsigned long long)j->src->excluded);
	if (saved)
		cli_say(j->c, "snapshot %.8s saved",
		    id_hex(&j->snap.id, hex));
	else if (!j->f->dry)
		cli_say(j->c, "nothing changed: no snapshot was made");
}

static void
json_summary(const struct job *j, bool saved, double seconds)
{
	const struct summary *s = &j->snap.summary;
	char hex[ID_HEX + 1], t0[WHEN_TEXT], t1[WHEN_TEXT];

	if (!j->c->g.json)
		return;
	printf("{\"message_type\":\"summary\",%s"
	    "\"files_new\":%llu,\"files_changed\":%llu,"
	    "\"files_unmodified\":%llu,\"dirs_new\":%llu,"
	    "\"dirs_changed\":%llu,\"dirs_unmodified\":%llu,"
	    "\"data_blobs\":%llu,\"tree_blobs\":%llu,\"data_added\":%llu,"
	    "\"data_added_packed\":%llu,\"total_files_processed\":%llu,"
	    "\"total_bytes_processed\":%llu,\"total_duration\":%.3f,"
	    "\"backup_start\":\"%s\",\"backup_end\":\"%s\"",
	    j->f->dry ? "\"dry_run\":true," : "",
	    (unsigned long long)s->files_new,
	    (unsigned long long)s->files_changed,
	    (unsigned long long)s->files_unmodified,
	    (unsigned long long)s->dirs_new,
	    (unsigned long long)s->dirs_changed,
	    (unsigned long long)s->dirs_unmodified,
	    (unsigned long long)s->data_blobs,
	    (unsigned long long)s->tree_blobs,
	    (unsigned long long)s->data_added,
	    (unsigned long long)s->data_added_packed,
	    (unsigned long long)s->files, (unsigned long long)s->bytes,
	    seconds, when_format(&s->start, t0), when_format(&s->end, t1));
	printf(",\"error_count\":%llu,\"sockets_skipped\":%llu",
	    (unsigned long long)meter_read(&j->c->meter.errors),
	    (unsigned long long)j->src->sockets);
	if (saved)
		printf(",\"snapshot_id\":\"%s\"", id_hex(&j->snap.id, hex));
	printf("}\n");
}

static int
prepare(struct job *j, int argc, char **argv, struct err *e)
{
	struct backup_opts *o = &j->o;
	int rc;

	if ((rc = cli_level(j->c, &o->saver.level, e)) != 0 ||
	    (rc = cli_pack_size(j->c, &o->saver.pack_size, e)) != 0 ||
	    (rc = cli_open(j->c, j->f->dry ? ACCESS_NO_LOCK : ACCESS_SHARED,
	    e)) != 0)
		return (rc);
	/* Snapshots before the index: what they name is then surely in it. */
	if ((rc = make_snapshot(j, e)) != 0 ||
	    (rc = make_source(j, argc, argv, e)) != 0 ||
	    (rc = find_parent(j, e)) != 0 ||
	    (rc = repo_load_index(j->c->repo, true, e)) != 0)
		return (rc);
	o->source = j->src;
	o->parent = j->has_parent ? &j->parent : NULL;
	o->saver.workers = cli_workers();
	o->saver.dry = j->f->dry;
	o->ignore_inode = j->f->ignore_inode;
	o->ignore_ctime = j->f->ignore_ctime;
	o->no_device_id = j->f->no_device_id;
	o->with_atime = j->f->with_atime;
	o->skip_if_unchanged = j->f->skip_unchanged;
	o->meter = &j->c->meter;
	o->lock = j->c->lock;
	o->problem = problem;
	o->problem_cookie = j;
	if (j->c->g.verbose > 1) {
		o->item = say_item;
		o->cookie = j;
	}
	return (0);
}

static int
backup(struct job *j, struct err *e)
{
	static const struct progress_view view = { "backup", false };
	struct err ignored = ERR_INIT;
	char hex[ID_HEX + 1];
	struct progress *p;
	bool saved = false;
	double seconds;
	int rc;

	if (j->has_parent)
		cli_say(j->c, "using parent snapshot %.8s",
		    id_hex(&j->parent.id, hex));
	else
		cli_say(j->c, "no parent snapshot, all files will be read");
	estimate(j, &ignored);
	p = progress_start(j->c, &view);
	rc = backup_run(j->c->repo, &j->o, &j->snap, &saved, e);
	seconds = p != NULL ? progress_seconds(p) : 0;
	progress_stop(p);
	scan_stop(j->scan);
	if (rc != 0)
		return (rc);
	say_summary(j, saved, seconds);
	json_summary(j, saved, seconds);
	if (meter_read(&j->c->meter.errors) == 0)
		return (EXIT_DONE);
	cli_say(j->c, "warning: %llu entries could not be read, all else is "
	    "saved", (unsigned long long)meter_read(&j->c->meter.errors));
	return (EXIT_INCOMPLETE);
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
	snapshot_init(&j->snap);
	snapshot_init(&j->parent);
	if ((rc = prepare(j, argc, argv, e)) == 0)
		rc = backup(j, e);
	source_close(j->src);
	snapshot_free(&j->snap);
	snapshot_free(&j->parent);
	filter_free(j->exclude);
	filter_free(j->iexclude);
	free(j->tags);
	free(j->lists);
	free(j);
	return (rc);
}

const struct cmd cmd_backup = {
	.name = "backup",
	.args = "PATH...",
	.summary = "save files and folders as a snapshot",
	.help = "Files that did not change since the parent snapshot (size, "
	    "times, inode) are not\nread again. What cannot be read is named, "
	    "all else is saved, and the exit code is 3.",
	.opts = opts,
	.opts_size = sizeof(struct backup_flags),
	.run = run,
};
