#include "run/prune.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/opt.h"
#include "repo/index.h"
#include "repo/snapshot.h"
#include "run/reach.h"
#include "run/reindex.h"
#include "run/usage.h"

enum {
	ROOTS_WINDOW = 16384,
	ROOT_LEN = 2 * ID_LEN, /* a snapshot and its tree */
	ORPHANS_WINDOW = 16384,
	SAID_MOST = 20,      /* of what is missing, each by itself */
	GONE_MEM = 64 * 1024,
};

struct prune {
	struct repo *r;
	const struct prune_opts *o;
	struct plan_opts plan_opts;
	struct prune_stats *s;
	struct spill roots;  /* of the snapshots, and these */
	struct spill orphans; /* ids of packs that no index names */
	struct marks *needed; /* blobs, by position in the map */
	uint64_t missing;    /* things needed that are not there */
	struct usage usage;
	struct plan *plan;
	uint64_t forgotten;  /* packs that are missing and not needed */
	uint64_t again;      /* further descriptions of packs */
	struct sorter *blobs; /* to be copied */
	uint64_t n_blobs;
	struct reindex reindex;
	struct marks *gone;  /* packs, by number in the map */
};

static void
phase(struct prune *p, const char *text)
{

	if (p->o->phase != NULL)
		p->o->phase(p->o->cookie, text);
}

static void
say_pack(struct prune *p, const struct id *id, const char *fate)
{

	if (p->o->pack != NULL)
		p->o->pack(p->o->cookie, id, fate);
}

/* ---- what is needed ---- */

static int
add_root(void *cookie, const struct snapshot *s, struct err *e)
{
	struct prune *p = cookie;
	uint8_t rec[ROOT_LEN];
	int rc;

	rc = p->o->gone != NULL ? p->o->gone(p->o->gone_cookie, &s->id,
	    e) : 0;
	if (rc != 0)
		return (rc < 0 ? rc : 0);
	p->s->snapshots++;
	memcpy(rec, s->id.b, ID_LEN);
	memcpy(rec + ID_LEN, s->tree.b, ID_LEN);
	return (spill_push(&p->roots, rec, ROOT_LEN, e));
}

/* The snapshots come first: what is added to the index later is no harm. */
static int
list_roots(struct prune *p, struct err *e)
{
	unsigned bad = 0;
	int rc;

	rc = snapshot_each(p->r, NULL, add_root, p, &bad, e);
	if (rc != 0 || bad == 0)
		return (rc);
	(void)err_set(e, ERR_CORRUPT, "%u snapshot%s cannot be read, and what "
	    "%s is not known: nothing was changed", bad, bad == 1 ? "" : "s",
	    bad == 1 ? "it needs" : "they need");
	return (err_hint(e, "put the files named above back from a copy of the "
	    "repository; or remove them, and what only they need with them"));
}

static void
on_missing(void *cookie, const char *text)
{
	struct prune *p = cookie;

	if (++p->missing <= SAID_MOST)
		log_error("%s", text);
}

static int
mark(struct prune *p, struct err *e)
{
	struct reach_opts o = { .data = true, .missing = on_missing,
	    .cookie = p };
	uint64_t at, top = spill_top(&p->roots);
	uint8_t rec[ROOT_LEN];
	struct id snap, tree;
	struct reach *x;
	int rc;

	if ((rc = reach_open(&x, p->r, &o, e)) != 0)
		return (rc);
	for (at = 0; rc == 0 && at < top; at += ROOT_LEN) {
		if ((rc = spill_read(&p->roots, at, rec, ROOT_LEN, e)) != 0)
			break;
		memcpy(snap.b, rec, ID_LEN);
		memcpy(tree.b, rec + ID_LEN, ID_LEN);
		rc = reach_snapshot(x, &snap, &tree, e);
	}
	p->s->trees = reach_trees(x);
	if (rc == 0)
		rc = reach_take(x, &p->needed, e);
	reach_close(x);
	if (rc != 0 || p->missing == 0)
		return (rc);
	(void)err_set(e, ERR_CORRUPT, "%llu thing%s that snapshots need %s "
	    "missing or damaged: nothing was changed",
	    (unsigned long long)p->missing, p->missing == 1 ? "" : "s",
	    p->missing == 1 ? "is" : "are");
	return (err_hint(e, "'garner check' names them all; 'garner repair "
	    "index' finds what is there after all, and then 'garner repair "
	    "snapshots' lets go of the rest"));
}

/* ---- packs ---- */

static int
on_pack(void *cookie, const struct pack_known *k, struct err *e)
{
	struct prune *p = cookie;

	if (k->indexed > 0)
		return (usage_pack(&p->usage, k, e));
	p->s->plan.packs.unreferenced++;
	p->s->plan.bytes.unreferenced += k->size;
	say_pack(p, &k->id, "is named by no index file and removed");
	return (spill_push(&p->orphans, k->id.b, ID_LEN, e));
}

static int
on_again(void *cookie, uint32_t no, uint32_t first, struct err *e)
{
	struct prune *p = cookie;

	p->again++;
	return (usage_again(&p->usage, no, first, e));
}

static int
count(struct prune *p, struct err *e)
{
	int rc;

	rc = usage_open(&p->usage, p->r, p->needed, &p->s->plan, e);
	if (rc != 0 ||
	    (rc = packs_join(p->r, on_pack, on_again, p, e)) != 0)
		return (rc);
	return (usage_count(&p->usage, e));
}

static const char *
fate_words(enum fate fate)
{

	switch (fate) {
	case FATE_REMOVE: return ("is not needed and removed");
	case FATE_REPACK: return ("is repacked");
	case FATE_FORGET: return ("is missing and not needed: forgotten");
	default: return ("stays");
	}
}

static int
settle_fate(void *cookie, uint32_t no, enum fate fate, struct err *e)
{
	struct prune *p = cookie;
	struct pack_info info;
	int rc;

	if (fate == FATE_FORGET)
		p->forgotten++;
	if (fate != FATE_KEEP && p->o->pack != NULL) {
		if ((rc = blobmap_pack(p->r->map, no, &info, e)) != 0)
			return (rc);
		say_pack(p, &info.id, fate_words(fate));
	}
	return (usage_decide(&p->usage, no, fate, e));
}

/* Something of the pack is needed, and it is not what the index says. */
static int
doubt(struct prune *p, uint32_t no, const struct pack_use *u, struct err *e)
{
	struct pack_info info;
	char hex[ID_HEX + 1];
	int rc;

	if ((rc = blobmap_pack(p->r->map, no, &info, e)) != 0)
		return (rc);
	if (++p->missing <= SAID_MOST)
		log_error("pack %s is needed, and %s", id_hex(&info.id, hex),
		    u->missing ? "missing" : "not what the index says of it");
	return (0);
}

static int
add_packs(struct prune *p, struct err *e)
{
	uint32_t no, n = blobmap_packs(p->r->map);
	struct pack_use u;
	enum fate fate;
	int rc;

	for (no = 0; no < n; no++)
		if ((rc = usage_get(&p->usage, no, &u, e)) < 0 ||
		    (rc > 0 && (rc = plan_size(p->plan, u.size, e)) != 0))
			return (rc);
	for (no = 0; no < n; no++) {
		if ((rc = usage_get(&p->usage, no, &u, e)) < 0)
			return (rc);
		if (rc == 0)
			continue;
		if (u.doubtful && u.used_n > 0 &&
		    (rc = doubt(p, no, &u, e)) != 0)
			return (rc);
		if ((rc = plan_add(p->plan, no, &u, &fate, e)) != 0)
			return (rc);
		if (fate != FATE_LATER &&
		    (rc = settle_fate(p, no, fate, e)) != 0)
			return (rc);
	}
	return (0);
}

static int
decide(struct prune *p, struct err *e)
{
	int rc;

	rc = plan_new(&p->plan, p->r->state->scratch, &p->plan_opts,
	    &p->s->plan, e);
	if (rc != 0 || (rc = add_packs(p, e)) != 0)
		return (rc);
	if (p->missing > 0) {
		(void)err_set(e, ERR_CORRUPT, "%llu needed pack%s missing or "
		    "not as indexed: nothing was changed",
		    (unsigned long long)p->missing,
		    p->missing == 1 ? " is" : "s are");
		return (err_hint(e, "'garner repair packs ID' saves what is "
		    "whole of a damaged pack; 'garner repair index' then makes "
		    "the index true again"));
	}
	rc = plan_decide(p->plan, settle_fate, p, e);
	plan_free(p->plan);
	p->plan = NULL;
	return (rc);
}

/* ---- doing it ---- */

static bool
index_changes(const struct prune *p)
{
	const struct plan_stats *s = &p->s->plan;

	return (s->packs.remove + s->packs.repack + p->forgotten + p->again >
	    0);
}

/* Remove a pack; that it stays does no harm, and is said. */
static int
remove_pack(struct prune *p, const struct id *id, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	if ((rc = repo_stopped(p->r, e)) != 0 ||
	    (rc = repo_lock_lost(p->o->lock, e)) != 0)
		return (rc);
	if (repo_remove(p->r, REPO_PACK, id, &why) != 0 &&
	    ++p->s->not_removed <= SAID_MOST)
		log_warn("%s", why.text);
	return (0);
}

static int
remove_orphans(struct prune *p, struct err *e)
{
	uint64_t at, top = spill_top(&p->orphans);
	struct id id;
	int rc;

	if (top == 0)
		return (0);
	phase(p, "removing packs that no index file names");
	for (at = 0; at < top; at += ID_LEN)
		if ((rc = spill_read(&p->orphans, at, id.b, ID_LEN, e)) != 0 ||
		    (rc = remove_pack(p, &id, e)) != 0)
			return (rc);
	return (0);
}

/* Take note of what goes, by number and by id: packs, and their descriptions but
 * one. */
static int
note_pack(struct prune *p, uint32_t no, struct err *e)
{
	struct pack_info info;
	enum fate fate;
	uint32_t first;
	int rc;

	if ((rc = usage_fate(&p->usage, no, &fate, e)) != 0 ||
	    (rc = usage_first(&p->usage, no, &first, e)) != 0)
		return (rc);
	if (fate == FATE_KEEP && first == no)
		return (0);
	if ((rc = marks_set(p->gone, no, e)) < 0 ||
	    (rc = blobmap_pack(p->r->map, no, &info, e)) != 0)
		return (rc);
	return (fate == FATE_KEEP ?
	    reindex_once(&p->reindex, &info.id, e) :
	    reindex_gone(&p->reindex, &info.id, e));
}

static int
note_gone(struct prune *p, struct err *e)
{
	uint32_t no, n = blobmap_packs(p->r->map);
	int rc;

	rc = marks_new(&p->gone, p->r->state->scratch, n, GONE_MEM, e);
	for (no = 0; rc == 0 && no < n; no++)
		rc = note_pack(p, no, e);
	return (rc);
}

static int
pack_id(void *cookie, uint32_t no, struct id *ret, struct err *e)
{
	struct prune *p = cookie;
	struct pack_info info;
	int rc;

	if ((rc = blobmap_pack(p->r->map, no, &info, e)) == 0)
		*ret = info.id;
	return (rc);
}

static int
repack(struct prune *p, struct err *e)
{
	struct repack_opts o = { .workers = p->o->workers,
	    .pack_size = p->o->pack_size, .level = p->o->level,
	    .compress = p->plan_opts.compress, .pack_id = pack_id,
	    .cookie = p, .meter = p->o->meter, .lock = p->o->lock };
	const struct plan_stats *s = &p->s->plan;
	int rc;

	if (p->n_blobs == 0)
		return (0);
	phase(p, "repacking packs");
	atomic_store(&o.meter->files_total, s->packs.repack);
	atomic_store(&o.meter->bytes_total, s->bytes.repack -
	    s->bytes.repack_remove);
	/* Each thread ends with packs that are not full. */
	if (s->bytes.repack < 4 * p->o->pack_size)
		o.workers = 1;
	rc = repack_run(p->r, p->blobs, &o, &p->s->repacked, e);
	if (rc == ERR_CORRUPT)
		(void)err_hint(e, "nothing was removed; 'garner repair packs "
		    "ID' saves what is whole of that pack");
	if (rc == ERR_SPACE && e != NULL) {
		e->hint[0] = '\0';	/* the store knows less of a way out */
		(void)err_hint(e, "nothing was removed; 'garner prune "
		    "--max-repack-size 0' frees what needs no room");
	}
	if (rc == 0 && p->s->repacked.blobs != p->n_blobs)
		rc = err_set(e, ERR_FAIL, "%llu of %llu blobs were copied: "
		    "nothing was removed",
		    (unsigned long long)p->s->repacked.blobs,
		    (unsigned long long)p->n_blobs);
	return (rc);
}

static int
replace_index(struct prune *p, struct err *e)
{
	int rc;

	phase(p, "replacing index files");
	if ((rc = reindex_write(&p->reindex, REINDEX_NEEDED, false, e)) != 0)
		return (rc);
	p->s->index_written = p->reindex.w.files;
	p->s->index_removed = p->reindex.replaced;
	if ((rc = repo_lock_lost(p->o->lock, e)) != 0)
		return (rc);
	return (reindex_retire(&p->reindex, e));
}

static int
remove_packs(struct prune *p, struct err *e)
{
	uint32_t no, n = blobmap_packs(p->r->map);
	struct pack_info info;
	struct pack_use u;
	enum fate fate;
	int rc;

	phase(p, "removing packs");
	if ((rc = repo_lock_lost(p->o->lock, e)) != 0)
		return (rc);
	for (no = 0; no < n; no++) {
		if ((rc = usage_get(&p->usage, no, &u, e)) < 0)
			return (rc);
		if (rc == 0)
			continue;
		if ((rc = usage_fate(&p->usage, no, &fate, e)) != 0)
			return (rc);
		if (fate != FATE_REMOVE && fate != FATE_REPACK)
			continue;
		if ((rc = blobmap_pack(p->r->map, no, &info, e)) != 0 ||
		    (rc = remove_pack(p, &info.id, e)) != 0)
			return (rc);
	}
	return (0);
}

/* The cache follows; when it does not, the next backup makes it anew. */
static void
renew_map(struct prune *p)
{
	struct err why = ERR_INIT;

	if (reindex_renew(&p->reindex, p->gone, &why) != 0)
		log_info("%s; it is made anew next time", why.text);
}

static int
change_index(struct prune *p, struct err *e)
{
	int rc;

	if ((rc = reindex_open(&p->reindex, p->r, e)) != 0 ||
	    (rc = note_gone(p, e)) != 0 || (rc = repack(p, e)) != 0 ||
	    (rc = replace_index(p, e)) != 0 || (rc = remove_packs(p, e)) != 0)
		return (rc);
	renew_map(p);
	return (0);
}

static int
execute(struct prune *p, struct err *e)
{
	int rc;

	if (!index_changes(p) && spill_top(&p->orphans) == 0)
		return (0);
	/* What is removed below may be what a snapshot needed that is gone only
	 * since a moment ago. */
	if ((rc = repo_lock_lost(p->o->lock, e)) != 0 ||
	    (rc = store_settle(p->r->store, repo_folder(REPO_SNAPSHOT),
	    e)) != 0 || (rc = remove_orphans(p, e)) != 0)
		return (rc);
	if (index_changes(p) && (rc = change_index(p, e)) != 0)
		return (rc);
	if (p->s->not_removed == 0)
		return (0);
	(void)err_set(e, ERR_FAIL, "%llu pack%s could not be removed",
	    (unsigned long long)p->s->not_removed,
	    p->s->not_removed == 1 ? "" : "s");
	return (err_hint(e, "they do no harm, and the next prune tries again"));
}

/* ---- the face ---- */

static int
find_out(struct prune *p, struct err *e)
{
	const char *dir = p->r->state->scratch;
	int rc;

	if ((rc = spill_open(&p->roots, dir, ROOTS_WINDOW, e)) != 0 ||
	    (rc = spill_open(&p->orphans, dir, ORPHANS_WINDOW, e)) != 0)
		return (rc);
	phase(p, "reading snapshots and the index");
	if ((rc = list_roots(p, e)) != 0 ||
	    (rc = repo_load_index(p->r, true, e)) != 0)
		return (rc);
	if (p->r->bad_indexes > 0) {
		(void)err_set(e, ERR_CORRUPT, "%u index files cannot be read: "
		    "nothing was changed", p->r->bad_indexes);
		return (err_hint(e, "'garner repair index' makes them again"));
	}
	phase(p, "finding what the snapshots need");
	if ((rc = mark(p, e)) != 0)
		return (rc);
	phase(p, "deciding on the packs");
	if ((rc = count(p, e)) != 0 || (rc = decide(p, e)) != 0)
		return (rc);
	if (!index_changes(p) || p->o->dry)
		return (0);
	if ((rc = repack_sorter(&p->blobs, dir, e)) != 0 ||
	    (rc = usage_blobs(&p->usage, p->blobs, &p->n_blobs, e)) != 0)
		return (rc);
	marks_free(p->needed);
	p->needed = NULL;
	return (0);
}

int
prune_run(struct repo *r, const struct prune_opts *opts,
    struct prune_stats *stats, struct err *e)
{
	struct prune *p;
	int rc;

	memset(stats, 0, sizeof(*stats));
	if (opts->plan.compress && r->version < 2)
		return (err_set(e, ERR_USAGE, "a repository of version 1 knows "
		    "no compression: 'garner migrate upgrade_repo_v2' first"));
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (err_nomem(e));
	p->r = r;
	p->o = opts;
	p->s = stats;
	p->plan_opts = opts->plan;
	p->plan_opts.v2 = r->version > 1;
	if ((rc = find_out(p, e)) == 0) {
		if (opts->planned != NULL)
			opts->planned(opts->cookie, stats);
		if (!opts->dry)
			rc = execute(p, e);
	}
	spill_close(&p->roots);
	spill_close(&p->orphans);
	marks_free(p->needed);
	marks_free(p->gone);
	plan_free(p->plan);
	sorter_free(p->blobs);
	usage_close(&p->usage);
	reindex_close(&p->reindex);
	free(p);
	return (rc);
}

int
prune_unused(const char *s, struct plan_opts *ret, struct err *e)
{
	char *end;
	double share;

	if (strcmp(s, "unlimited") == 0) {
		ret->unused = UNUSED_ANY;
		return (0);
	}
	if (strchr(s, '%') != NULL) {
		share = strtod(s, &end);
		if (end == s || strcmp(end, "%") != 0 ||
		    !(share >= 0 && share < 100))
			goto bad;
		ret->unused = UNUSED_SHARE;
		ret->unused_share = share / 100;
		return (0);
	}
	if (!opt_size(s, &ret->unused_bytes))
		goto bad;
	ret->unused = UNUSED_BYTES;
	return (0);

bad:
	(void)err_set(e, ERR_USAGE, "--max-unused: '%s' is no limit", s);
	return (err_hint(e, "10%% (below 100), a size as 500M, or unlimited"));
}
