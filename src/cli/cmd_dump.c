#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "cli/below.h"
#include "cli/cli.h"
#include "cli/report.h"
#include "repo/index.h"
#include "run/dump.h"

enum { GATHERED = 65536 };

struct flags {
	struct cli_filter filter;
	const char *archive, *target;
};

static const struct opt opts[] = {
	OPT(struct flags, archive, "archive", 'a', OPT_TEXT, "FORMAT",
	    "of a folder: tar (default) or zip"),
	OPT(struct flags, target, "target", 't', OPT_TEXT, "FILE",
	    "write to this file"),
	CLI_FILTER(struct flags, filter),
	OPT_END
};

/* Gathers what is written: archives come in many small pieces. */
struct outlet {
	int fd;
	const char *what;
	size_t len;
	uint8_t bytes[GATHERED];
};

static int
flush(struct outlet *o, struct err *e)
{
	size_t len = o->len;

	o->len = 0;
	return (len > 0 ? file_write(o->fd, o->bytes, len, o->what, e) : 0);
}

static int
gather(void *cookie, const void *p, size_t len, struct err *e)
{
	struct outlet *o = cookie;
	int rc;

	if (len > sizeof(o->bytes) - o->len && (rc = flush(o, e)) != 0)
		return (rc);
	if (len > sizeof(o->bytes))
		return (file_write(o->fd, p, len, o->what, e));
	memcpy(o->bytes + o->len, p, len);
	o->len += len;
	return (0);
}

static int
parse_format(const char *s, enum dump_format *ret, struct err *e)
{

	*ret = DUMP_TAR;
	if (s == NULL || strcmp(s, "tar") == 0)
		return (0);
	*ret = DUMP_ZIP;
	if (strcmp(s, "zip") == 0)
		return (0);
	return (err_set(e, ERR_USAGE, "--archive: '%s' is not tar or zip",
	    s));
}

static int
open_target(const struct flags *f, const struct dump *d, struct outlet *o,
    struct err *e)
{

	o->fd = STDOUT_FILENO;
	o->what = "standard output";
	if (f->target != NULL) {
		o->what = f->target;
		o->fd = open(f->target, O_WRONLY | O_CREAT | O_TRUNC |
		    O_CLOEXEC, 0666);
		return (o->fd != -1 ? 0 : err_sys(e, "cannot write to '%s'",
		    f->target));
	}
	if (!dump_is_folder(d) || !isatty(o->fd))
		return (0);
	(void)err_set(e, ERR_USAGE, "an archive is not for a terminal");
	return (err_hint(e, "redirect the output, or give --target FILE"));
}

static int
close_target(const struct flags *f, struct outlet *o, int rc, struct err *e)
{

	if (rc == 0)
		rc = flush(o, e);
	if (f->target != NULL && o->fd != -1 && close(o->fd) == -1 && rc == 0)
		rc = err_sys(e, "cannot write to '%s'", f->target);
	return (rc);
}

static void
say_left_out(const struct dump_stats *s)
{

	if (s->sockets > 0)
		log_info("%llu sockets are left out",
		    (unsigned long long)s->sockets);
	if (s->specials > 0)
		log_warn("%llu devices and fifos are left out: a ZIP cannot "
		    "hold them", (unsigned long long)s->specials);
}

static int
dump(struct cli *c, const struct flags *f, enum dump_format format,
    const struct snapshot *s, const char *path, struct err *e)
{
	struct report report = { c, "dump", 0 };
	struct dump_opts o = { .format = format, .out = gather,
	    .problem = report_problem, .cookie = &report };
	struct dump_stats stats;
	struct outlet *outlet;
	struct dump *d = NULL;
	int rc;

	if ((outlet = malloc(sizeof(*outlet))) == NULL)
		return (err_nomem(e));
	outlet->len = 0;
	o.out_cookie = outlet;
	if ((rc = dump_open(&d, c->repo, s, path, &o, e)) == 0 &&
	    (rc = open_target(f, d, outlet, e)) == 0) {
		rc = dump_run(d, &stats, e);
		rc = close_target(f, outlet, rc, e);
	}
	if (rc == 0)
		say_left_out(&stats);
	dump_close(d);
	free(outlet);
	return (rc != 0 ? rc : report_code(&report));
}

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	const struct flags *f = flags;
	enum dump_format format;
	struct snapshot s;
	char *below = NULL;
	int rc;

	if ((rc = parse_format(f->archive, &format, e)) != 0)
		return (rc);
	if (argc != 2)
		return (err_set(e, ERR_USAGE, "dump what? a snapshot and a "
		    "file or folder of it"));
	snapshot_init(&s);
	if ((rc = cli_open(c, ACCESS_SHARED, e)) == 0 &&
	    (rc = cli_snapshot(c, argv[0], &f->filter, &s, &below, e)) == 0 &&
	    (rc = repo_load_index(c->repo, false, e)) == 0 &&
	    (rc = cli_below(c, &s, below, e)) == 0)
		rc = dump(c, f, format, &s, argv[1], e);
	snapshot_free(&s);
	free(below);
	return (rc);
}

const struct cmd cmd_dump = {
	.name = "dump",
	.args = "SNAPSHOT[:FOLDER] FILE|FOLDER",
	.summary = "a file's bytes, or a folder as an archive, to standard "
	    "output",
	.help = "\"/\" is the whole snapshot. With SNAPSHOT:FOLDER, names in "
	    "the archive begin below\nthat folder. A ZIP is not compressed and "
	    "holds no hard links, devices or fifos.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
