/* 'repair snapshots' */

#include "cli/repair_snapshots.h"

#include <string.h>

#include "cli/rewriting.h"
#include "cli/snapshot_out.h"
#include "run/repair_snapshots.h"

/* Remove the snapshot's file, which cannot be read; or say that it would be. */
static int
remove_unreadable(struct rewriting *w, const struct id *id, struct err *e)
{
	char hex[ID_HEX + 1];
	int rc;

	if (w->o.dry) {
		cli_say(w->c, "would remove unreadable snapshot %s",
		    id_hex(id, hex));
		return (0);
	}
	if ((rc = repo_remove(w->c->repo, REPO_SNAPSHOT, id, e)) == 0)
		cli_say(w->c, "removed unreadable snapshot %s",
		    id_hex(id, hex));
	return (rc);
}

/*
 * Is the snapshot ${name} damaged? Then it is dealt with here: 1; 0: it is left
 * to the others; or ERR_*.
 */
static int
unreadable(struct rewriting *w, const char *name, uint64_t *changed,
    struct err *e)
{
	struct err why = ERR_INIT;
	struct snapshot s;
	struct id id;
	int rc;

	if (strcmp(name, "latest") == 0 || repo_find_id(w->c->repo,
	    REPO_SNAPSHOT, name, &id, NULL) != 0)
		return (0);
	snapshot_init(&s);
	rc = snapshot_load(w->c->repo, &id, &s, &why);
	snapshot_free(&s);
	if (rc != ERR_CORRUPT || !w->o.forget)
		return (0);
	++*changed;
	return ((rc = remove_unreadable(w, &id, e)) != 0 ? rc : 1);
}

/* Take the damaged ones that were named out of ${argv}. */
static int
take_unreadable(struct rewriting *w, int *argc, char **argv,
    uint64_t *changed, struct err *e)
{
	int i, n = 0, rc;

	for (i = 0; i < *argc; i++) {
		if ((rc = unreadable(w, argv[i], changed, e)) < 0)
			return (rc);
		if (rc == 0)
			argv[n++] = argv[i];
	}
	*argc = n;
	return (0);
}

int
cli_repair_snapshots(struct cli *c, const struct repair_snapshots_flags *f,
    int argc, char **argv, struct err *e)
{
	struct rewriting w = { .c = c, .report = { c, "repair", 0 } };
	struct repair_rules x = { .item = rewriting_item, .cookie = &w };
	struct rewriter_rules rules = repair_snapshot_rules(&x);
	struct snapshot_filter sf = cli_filter(&f->filter);
	struct chosen_opts co = { .filter = &sf };
	bool named = argc > 0;
	uint64_t changed = 0;
	int rc;

	w.o.rules = &rules;
	w.o.tag = "repaired";
	w.o.forget = f->forget;
	w.o.dry = f->dry;
	if ((rc = rewriting_open(&w, true, e)) != 0 ||
	    (rc = take_unreadable(&w, &argc, argv, &changed, e)) != 0)
		return (rc);
	x.r = c->repo;
	co.names = (const char *const *)argv;
	co.n_names = (size_t)argc;
	if (named && argc == 0) {	/* not: all there are */
		cli_say_changed(c, changed, f->dry);
		return (0);
	}
	return (rewriting_run(&w, &co, changed, e));
}
