#include "cli/rewriting.h"

#include <stdlib.h>
#include <string.h>

#include "base/goname.h"
#include "cli/snapshot_out.h"
#include "repo/index.h"

/* A path in quotes, as Go has them. */
static void
say_path(const char *before, const char *path, const char *behind)
{
	size_t len = strlen(path);
	char *quoted = malloc(GONAME_MAX(len) + 1);

	if (quoted == NULL)
		return;
	len = goname_quote(quoted, (const uint8_t *)path, len);
	printf("%s\"%.*s\"%s\n", before, (int)len, quoted, behind);
	free(quoted);
}

void
rewriting_item(void *cookie, enum rewrite_item what, const char *path)
{
	static const struct {
		const char *before, *behind;
		unsigned verbose;
	} words[] = {
		[ITEM_EXCLUDED] = { "excluding ", "", 2 },
		[ITEM_INCLUDED] = { "including ", "", 2 },
		[ITEM_INCLUDED_DIR] = { "including directory ", "", 2 },
		[ITEM_BAD_TYPE] = { "  file ",
		    ": removed node with invalid type", 0 },
		[ITEM_CONTENT] = { "  file ", ": removed missing content", 0 },
		[ITEM_SIZE] = { "  file ", ": fixed incorrect size", 0 },
		[ITEM_EMPTIED] = { "  dir ",
		    ": replaced with empty directory", 0 },
		[ITEM_ODD] = { "  node ",
		    ": makes no sense, kept as it is", 0 },
		[ITEM_ROOT] = { "  dir ", ": not readable", 0 },
	};
	const struct rewriting *w = cookie;

	if (cli_talks(w->c) && w->c->g.verbose >= words[what].verbose)
		say_path(words[what].before, path, words[what].behind);
}

static void
say_would(const struct rewriting *w)
{

	cli_say(w->c, "would save new snapshot");
	if (w->o.forget)
		cli_say(w->c, "would remove old snapshot");
	if (w->new_time != NULL)
		cli_say(w->c, "would set time to %s", w->new_time);
	if (w->new_host != NULL)
		cli_say(w->c, "would set hostname to %s", w->new_host);
}

static void
on_event(void *cookie, enum rewrite_event ev, const struct snapshot *s,
    const struct id *id)
{
	struct rewriting *w = cookie;
	char hex[ID_HEX + 1];

	if (w->c->g.json) {
		if (ev == REWRITE_SAVED)
			cli_json_changed(&s->original, id);
		return;
	}
	switch (ev) {
	case REWRITE_LOOK:
		cli_say_snapshot(w->c, s);
		break;
	case REWRITE_WOULD_SAVE:
		say_would(w);
		break;
	case REWRITE_WOULD_EMPTY:
		cli_say(w->c, "would delete empty snapshot");
		break;
	case REWRITE_SAVED:
		cli_say(w->c, "saved new snapshot %.8s", id_hex(id, hex));
		break;
	case REWRITE_REMOVED:
		cli_say(w->c, "removed old snapshot %.8s", id_hex(id, hex));
		break;
	case REWRITE_EMPTY:
		cli_say(w->c, "removed empty snapshot %.8s", id_hex(id, hex));
		break;
	}
}

static void
on_problem(void *cookie, const struct id *snap, const char *path,
    const struct err *why)
{
	struct rewriting *w = cookie;

	report_problem(&w->report, snap, path, why);
}

int
rewriting_open(struct rewriting *w, bool exclusive, struct err *e)
{
	struct cli *c = w->c;
	int rc;

	if ((rc = cli_level(c, &w->o.saver.level, e)) != 0 ||
	    (rc = cli_pack_size(c, &w->o.saver.pack_size, e)) != 0)
		return (rc);
	w->o.saver.workers = 1;
	w->o.saver.dry = w->o.dry;
	return (cli_open_writing(c, exclusive ? ACCESS_EXCLUSIVE :
	    ACCESS_SHARED, w->o.dry, e));
}

int
rewriting_run(struct rewriting *w, struct chosen_opts *co, uint64_t changed,
    struct err *e)
{
	struct cli *c = w->c;
	struct chosen chosen;
	uint64_t n = 0;
	int rc;

	co->problem = report_problem;
	co->cookie = &w->report;
	w->o.event = on_event;
	w->o.problem = on_problem;
	w->o.cookie = w;
	w->o.lock = c->lock;
	/* Snapshots before the index: what they name is then surely in it. */
	if ((rc = chosen_open(&chosen, c->repo, co, e)) == 0 &&
	    (rc = repo_load_index(c->repo, true, e)) == 0)
		rc = rewrite_run(c->repo, &chosen, &w->o, &n, e);
	chosen_close(&chosen);
	if (rc != 0)
		return (rc);
	cli_say(c, "%s", "");
	cli_say_changed(c, changed + n, w->o.dry);
	return (report_code(&w->report));
}
