#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/repair_snapshots.h"
#include "run/repair.h"

struct flags {
	bool all;            /* index */
	struct repair_snapshots_flags snapshots;
};

static const struct opt opts[] = {
	OPT(struct flags, all, "read-all-packs", 0, OPT_FLAG, NULL,
	    "index: make it from the packs' headers alone"),
	REPAIR_SNAPSHOTS_FLAGS(struct flags, snapshots),
	OPT_END
};

/* ---- talking ---- */

static void
on_phase(void *cookie, const char *text)
{

	cli_say(cookie, "%s", text);
	(void)fflush(stdout);
}

static void
on_found(void *cookie, const char *text)
{
	const struct cli *c = cookie;

	if (!c->g.json) {
		log_warn("%s", text);
		return;
	}
	flockfile(stderr);
	fprintf(stderr, "{\"message_type\":\"hint\",\"message\":");
	cli_json_text(stderr, text);
	fprintf(stderr, "}\n");
	funlockfile(stderr);
}

static int
repair_opts(struct cli *c, struct repair_opts *ret, struct err *e)
{

	memset(ret, 0, sizeof(*ret));
	ret->workers = cli_workers();
	ret->phase = on_phase;
	ret->found = on_found;
	ret->cookie = c;
	ret->meter = &c->meter;
	return (cli_pack_size(c, &ret->pack_size, e));
}

/* ---- index ---- */

static void
say_index(const struct cli *c, const struct repair_index_stats *s)
{

	if (c->g.json)
		printf("{\"message_type\":\"summary\",\"packs_added\":%llu,"
		    "\"packs_forgotten\":%llu,\"packs_unreadable\":%llu,"
		    "\"packs_damaged\":%llu,\"index_files_damaged\":%llu,"
		    "\"index_files_removed\":%llu,"
		    "\"index_files_written\":%llu}\n",
		    (unsigned long long)s->added,
		    (unsigned long long)s->forgotten,
		    (unsigned long long)s->unreadable,
		    (unsigned long long)s->damaged,
		    (unsigned long long)s->bad_indexes,
		    (unsigned long long)s->removed,
		    (unsigned long long)s->written);
	else if (s->removed + s->written == 0)
		cli_say(c, "the index is as it should be");
	else
		cli_say(c, "read %llu packs into the index, forgot %llu; %llu "
		    "index files replace %llu", (unsigned long long)s->added,
		    (unsigned long long)s->forgotten,
		    (unsigned long long)s->written,
		    (unsigned long long)s->removed);
}

static int
run_index(struct cli *c, const void *flags, int argc, char **argv,
    struct err *e)
{
	static const struct progress_view view = { "repair", false };
	const struct flags *f = flags;
	struct repair_index_stats s;
	struct repair_opts o;
	struct progress *p;
	int rc;

	if (argc > 0)
		return (err_set(e, ERR_USAGE, "repair index takes no '%s'",
		    argv[0]));
	if ((rc = repair_opts(c, &o, e)) != 0 ||
	    (rc = cli_open(c, ACCESS_EXCLUSIVE, e)) != 0)
		return (rc);
	o.lock = c->lock;
	p = progress_start(c, &view);
	rc = repair_index(c->repo, f->all, &o, &s, e);
	progress_stop(p);
	if (rc != 0)
		return (rc);
	say_index(c, &s);
	if (s.damaged == 0)
		return (0);
	(void)err_set(e, ERR_FAIL, "%llu pack%s damaged",
	    (unsigned long long)s.damaged, s.damaged == 1 ? " is" : "s are");
	return (err_hint(e, "'garner repair packs ID' saves what is whole of "
	    "each of those named above"));
}

/* ---- packs ---- */

/* Ids, or beginnings of ids of stored packs; each once. */
static int
find_packs(struct cli *c, char **argv, size_t n, struct id *ids,
    size_t *ret_n, struct err *e)
{
	size_t i, k;
	int rc;

	*ret_n = 0;
	for (i = 0; i < n; i++) {
		rc = repo_find_id(c->repo, REPO_PACK, argv[i], &ids[*ret_n],
		    e);
		if (rc != 0)
			return (rc);
		for (k = 0; k < *ret_n; k++)
			if (id_eq(&ids[k], &ids[*ret_n]))
				break;
		if (k == *ret_n)
			++*ret_n;
	}
	return (0);
}

static void
say_packs(const struct cli *c, const struct repair_packs_stats *s)
{

	if (c->g.json)
		printf("{\"message_type\":\"summary\",\"packs_removed\":%llu,"
		    "\"blobs_saved\":%llu,\"blobs_lost\":%llu}\n",
		    (unsigned long long)s->packs,
		    (unsigned long long)s->saved, (unsigned long long)s->lost);
	cli_say(c, "removed %llu packs; %llu blobs of them were saved, %llu "
	    "are lost", (unsigned long long)s->packs,
	    (unsigned long long)s->saved, (unsigned long long)s->lost);
	if (s->lost > 0)
		cli_say(c, "'garner repair snapshots --forget' takes what is "
		    "lost out of the snapshots");
}

static int
mend_packs(struct cli *c, struct repair_opts *o, const struct id *ids,
    size_t n, struct err *e)
{
	static const struct progress_view view = { "repair", false };
	struct repair_packs_stats s;
	struct progress *p;
	int dir, rc;

	dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return (err_sys(e, "cannot open this folder, for copies of the "
		    "packs"));
	p = progress_start(c, &view);
	rc = repair_packs(c->repo, ids, n, dir, o, &s, e);
	progress_stop(p);
	(void)close(dir);
	if (rc == 0)
		say_packs(c, &s);
	return (rc);
}

static int
run_packs(struct cli *c, const void *flags, int argc, char **argv,
    struct err *e)
{
	struct repair_opts o;
	struct id *ids;
	size_t n;
	int rc;

	(void)flags;
	if (argc == 0) {
		(void)err_set(e, ERR_USAGE, "repair which packs?");
		return (err_hint(e, "'garner check --read-data' names those "
		    "that are damaged"));
	}
	if ((rc = repair_opts(c, &o, e)) != 0 ||
	    (rc = cli_open(c, ACCESS_EXCLUSIVE, e)) != 0)
		return (rc);
	o.lock = c->lock;
	if ((ids = calloc((size_t)argc, sizeof(*ids))) == NULL)
		return (err_nomem(e));
	if ((rc = find_packs(c, argv, (size_t)argc, ids, &n, e)) == 0)
		rc = mend_packs(c, &o, ids, n, e);
	free(ids);
	return (rc);
}

/* ---- snapshots ---- */

static int
run_snapshots(struct cli *c, const void *flags, int argc, char **argv,
    struct err *e)
{
	const struct flags *f = flags;

	return (cli_repair_snapshots(c, &f->snapshots, argc, argv, e));
}

/* ---- which? ---- */

static const struct {
	const char *word;
	int (*run)(struct cli *c, const void *flags, int argc, char **argv,
	    struct err *e);
} words[] = {
	{ "index", run_index },
	{ "packs", run_packs },
	{ "snapshots", run_snapshots },
};

static int
run(struct cli *c, void *flags, int argc, char **argv, struct err *e)
{
	size_t i;

	for (i = 0; argc > 0 && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(argv[0], words[i].word) == 0)
			return (words[i].run(c, flags, argc - 1, argv + 1,
			    e));
	(void)err_set(e, ERR_USAGE, argc == 0 ? "repair what?" :
	    "repair does not know '%s'", argc == 0 ? "" : argv[0]);
	return (err_hint(e, "repair index, repair packs ID..., or repair "
	    "snapshots"));
}

const struct cmd cmd_repair = {
	.name = "repair",
	.args = "index|packs ID...|snapshots [ID...]",
	.summary = "mend the index, packs and snapshots",
	.help = "index: compares the index with the packs that are stored, "
	    "forgets missing ones, reads\nothers from their headers.\n"
	    "packs: copies what is whole of these packs into new ones and "
	    "removes them. Before\nthat each is kept as pack-ID in this folder.\n"
	    "snapshots: makes new ones without what is lost. Files lose the "
	    "blobs that no index\nnames, folders whose lists cannot be read "
	    "become empty, a snapshot without a\nreadable root goes. They get "
	    "the tag 'repaired', unless --forget removes the old\nones; with "
	    "it, a damaged file of a snapshot that is named goes, too. It "
	    "believes\nthe index: repair that first. And where the lost files "
	    "are still there, 'garner\nbackup --force' of them heals more.",
	.opts = opts,
	.opts_size = sizeof(struct flags),
	.run = run,
};
