#include "run/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "repo/index.h"
#include "run/packs.h"
#include "run/reindex.h"
#include "run/repack.h"

enum { MARKS_MEM = 64 * 1024 };

static void __attribute__((format(printf, 2, 3)))
found(const struct repair_opts *o, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o->found(o->cookie, text);
}

/* Write new index files, then remove the old ones. */
static int
replace_index(struct reindex *x, enum reindex_what what,
    const struct repair_opts *o, struct err *e)
{
	int rc;

	o->phase(o->cookie, "writing index files");
	if ((rc = reindex_write(x, what, true, e)) != 0 ||
	    (rc = repo_lock_lost(o->lock, e)) != 0)
		return (rc);
	o->phase(o->cookie, "removing old index files");
	return (reindex_retire(x, e));
}

/* ---- the index ---- */

struct mending {
	struct repo *r;
	const struct repair_opts *o;
	struct repair_index_stats *s;
	struct reindex reindex;
	bool all;            /* read every header */
};

static int
index_blob(void *cookie, const struct pack_entry *b, uint32_t offset,
    struct err *e)
{
	struct mending *m = cookie;

	return (index_writer_blob(&m->reindex.w, b, offset, e));
}

/* Put what the pack's header says into the index: 1, 0 it is damaged, ERR_*. */
static int
add_header(struct mending *m, const struct pack_known *p, struct err *e)
{
	struct index_writer *w = &m->reindex.w;
	struct err why = ERR_INIT;
	int rc;

	if ((rc = index_writer_begin(w, e)) != 0)
		return (rc);
	rc = pack_header(m->r, &p->id, p->size, index_blob, m, &why);
	meter_add(&m->o->meter->files, 1);
	if (err_ends_all(rc)) {
		*e = why;
		return (rc);
	}
	if (rc != 0) {
		index_writer_drop(w);
		found(m->o, "%s", why.text);
		return (0);
	}
	m->s->added++;
	if ((rc = index_writer_end(w, &p->id, e)) != 0 ||
	    (rc = index_writer_full(w, e)) != 0)
		return (rc);
	return (1);
}

/* A stored pack whose header is to be read. */
static int
read_header(struct mending *m, const struct pack_known *p, struct err *e)
{
	char hex[ID_HEX + 1];
	int rc;

	if ((rc = add_header(m, p, e)) < 0)
		return (rc);
	if (rc > 0)
		return (p->indexed > 0 && !m->all ?
		    reindex_gone(&m->reindex, &p->id, e) : 0);
	if (p->indexed == 0) {
		m->s->unreadable++;
		return (0);
	}
	/* What the index says of it is all that is left to save it by. */
	m->s->damaged++;
	found(m->o, "pack %s stays in the index as it was: 'garner repair "
	    "packs' can save what is whole of it", id_hex(&p->id, hex));
	return (m->all ? reindex_stays(&m->reindex, &p->id, e) : 0);
}

static int
mend_pack(void *cookie, const struct pack_known *p, struct err *e)
{
	struct mending *m = cookie;
	char hex[ID_HEX + 1];

	id_hex(&p->id, hex);
	if (!p->stored) {
		m->s->forgotten++;
		found(m->o, "pack %s is missing", hex);
		return (reindex_gone(&m->reindex, &p->id, e));
	}
	if (p->indexed == 0)
		found(m->o, "pack %s is named by no index file", hex);
	else if (p->differ)
		found(m->o, "pack %s is described differently by two index "
		    "files", hex);
	else if (p->indexed > 1)
		found(m->o, "pack %s is described by %u index files", hex,
		    p->indexed);
	else if (p->size != p->info.size)
		found(m->o, "pack %s has %llu bytes, the index says %llu", hex,
		    (unsigned long long)p->size,
		    (unsigned long long)p->info.size);
	else if (!m->all)
		return (0);
	return (read_header(m, p, e));
}

static int
mend(struct mending *m, struct err *e)
{
	int rc;

	m->o->phase(m->o->cookie, "reading the index");
	if ((rc = reindex_open(&m->reindex, m->r, e)) != 0 ||
	    (rc = repo_load_index_files(m->r, e)) != 0)
		return (rc);
	m->s->bad_indexes = m->r->bad_indexes;
	m->o->phase(m->o->cookie, "looking at the packs");
	rc = packs_join(m->r, mend_pack, NULL, m, e);
	if (rc != 0)
		return (rc);
	if (!m->all && m->s->added + m->s->forgotten + m->s->bad_indexes == 0)
		return (0);
	rc = replace_index(&m->reindex, m->all ? REINDEX_ALL :
	    REINDEX_NEEDED, m->o, e);
	m->s->written = m->reindex.w.files;
	m->s->removed = m->reindex.replaced;
	return (rc);
}

int
repair_index(struct repo *r, bool all, const struct repair_opts *opts,
    struct repair_index_stats *stats, struct err *e)
{
	struct mending *m;
	int rc;

	memset(stats, 0, sizeof(*stats));
	if ((m = calloc(1, sizeof(*m))) == NULL)
		return (err_nomem(e));
	m->r = r;
	m->o = opts;
	m->s = stats;
	m->all = all;
	rc = mend(m, e);
	reindex_close(&m->reindex);
	free(m);
	return (rc);
}

/* ---- packs ---- */

struct salvage {
	struct repo *r;
	const struct repair_opts *o;
	struct repair_packs_stats *s;
	const struct id *ids;
	size_t n;
	bool *stored;        /* of each */
	struct pagemap *number; /* half of an id to its place in ids */
	struct marks *chosen; /* packs, by number in the map */
	struct sorter *blobs;
	struct reindex reindex;
	size_t at;           /* whose header is read */
};

struct copying {
	int fd;
	char name[8 + ID_HEX];
	uint64_t len;
};

static int
copy_piece(void *cookie, const void *p, size_t len, struct err *e)
{
	struct copying *c = cookie;

	c->len += len;
	return (file_write(c->fd, p, len, c->name, e));
}

/* Keep the file as it is: nobody knows yet what can be made of it some day. */
static int
keep_copy(struct salvage *v, size_t i, int dir, struct err *e)
{
	char hex[ID_HEX + 1], name[STORE_NAME_MAX];
	struct err why = ERR_INIT;
	struct copying c = { .len = 0 };
	int rc;

	(void)snprintf(c.name, sizeof(c.name), "pack-%s",
	    id_hex(&v->ids[i], hex));
	c.fd = openat(dir, c.name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);
	if (c.fd == -1) {
		rc = err_sys(e, "cannot keep a copy as '%s'", c.name);
		return (rc == ERR_EXISTS ? err_hint(e, "it is there already: "
		    "move it away, or run in another folder") : rc);
	}
	rc = store_get(v->r->store, repo_name(REPO_PACK, &v->ids[i], name), 0,
	    UINT64_MAX, copy_piece, &c, &why);
	if (rc == 0 && fsync(c.fd) == -1)
		rc = err_sys(&why, "cannot sync '%s'", c.name);
	(void)close(c.fd);
	if (rc != 0) {
		*e = why;
		return (err_note(e, "keeping a copy of the pack"));
	}
	found(v->o, "%s: a copy of the pack as it was, %llu bytes", c.name,
	    (unsigned long long)c.len);
	return (0);
}

static int
keep_copies(struct salvage *v, int dir, struct err *e)
{
	size_t i;
	int rc;

	v->o->phase(v->o->cookie, "keeping copies of the packs");
	for (i = 0; i < v->n; i++)
		if (v->stored[i] && (rc = keep_copy(v, i, dir, e)) != 0)
			return (rc);
	return (file_sync_dir(dir, "the folder of the copies", e));
}

/* Which of them are stored? */
static int
find_stored(struct salvage *v, struct err *e)
{
	char name[STORE_NAME_MAX];
	struct err why = ERR_INIT;
	uint64_t size;
	size_t i;
	int rc;

	for (i = 0; i < v->n; i++) {
		rc = store_stat(v->r->store, repo_name(REPO_PACK, &v->ids[i],
		    name), &size, &why);
		if (rc != 0 && rc != ERR_ABSENT) {
			*e = why;
			return (rc);
		}
		v->stored[i] = rc == 0;
	}
	return (0);
}

/* Mark the chosen packs' numbers; one that is nowhere is a mistake. */
static int
choose(struct salvage *v, struct err *e)
{
	uint32_t no, n = blobmap_packs(v->r->map);
	bool *known = calloc(v->n, sizeof(*known));
	struct pack_info info;
	char hex[ID_HEX + 1];
	uint64_t i;
	int rc = 0;

	if (known == NULL)
		return (err_nomem(e));
	for (i = 0; rc == 0 && i < v->n; i++)
		rc = pagemap_put(v->number, v->ids[i].b, i, e);
	if (rc == 0)
		rc = marks_new(&v->chosen, v->r->state->scratch, n, MARKS_MEM,
		    e);
	for (no = 0; rc == 0 && no < n; no++) {
		if ((rc = blobmap_pack(v->r->map, no, &info, e)) != 0 ||
		    (rc = pagemap_find(v->number, info.id.b, &i, e)) <= 0)
			continue;
		known[i] = true;
		rc = marks_set(v->chosen, no, e) < 0 ? e->code : 0;
	}
	for (i = 0; rc == 0 && i < v->n; i++)
		if (!known[i] && !v->stored[i])
			rc = err_set(e, ERR_ABSENT, "there is no pack %s",
			    id_hex(&v->ids[i], hex));
	free(known);
	return (rc);
}

/* A blob as the index knows it. */
static int
add_indexed(void *cookie, uint64_t pos, const struct record *rec,
    struct err *e)
{
	struct pack_entry x = { rec->id, rec->where.type, rec->where.length,
	    rec->where.plain };
	struct salvage *v = cookie;
	struct pack_info info;
	uint64_t i = 0;
	int rc;

	(void)pos;
	if ((rc = marks_test(v->chosen, rec->where.pack, e)) <= 0)
		return (rc);
	if ((rc = blobmap_pack(v->r->map, rec->where.pack, &info, e)) != 0 ||
	    (rc = pagemap_find(v->number, info.id.b, &i, e)) < 0)
		return (rc);
	if (v->stored[i])
		return (repack_add(v->blobs, (uint32_t)i, &x,
		    rec->where.offset, e));
	v->s->lost++;
	return (0);
}

/* A blob as the pack's own header knows it. */
static int
add_headed(void *cookie, const struct pack_entry *x, uint32_t offset,
    struct err *e)
{
	struct salvage *v = cookie;

	return (repack_add(v->blobs, (uint32_t)v->at, x, offset, e));
}

static int
add_header_of(struct salvage *v, size_t i, struct err *e)
{
	char name[STORE_NAME_MAX];
	struct err why = ERR_INIT;
	uint64_t size;
	int rc;

	rc = store_stat(v->r->store, repo_name(REPO_PACK, &v->ids[i], name),
	    &size, e);
	if (rc != 0)
		return (rc);
	v->at = i;
	rc = pack_header(v->r, &v->ids[i], size, add_headed, v, &why);
	if (rc == 0)
		return (0);
	if (err_ends_all(rc)) {
		*e = why;
		return (rc);
	}
	found(v->o, "%s", why.text);	/* the index may know more */
	return (0);
}

static int
list_blobs(struct salvage *v, struct err *e)
{
	size_t i;
	int rc;

	rc = blobmap_scan(v->r->map, add_indexed, v, e);
	for (i = 0; rc == 0 && i < v->n; i++)
		if (v->stored[i])
			rc = add_header_of(v, i, e);
	return (rc);
}

static int
pack_id(void *cookie, uint32_t no, struct id *ret, struct err *e)
{
	struct salvage *v = cookie;

	(void)e;
	*ret = v->ids[no];
	return (0);
}

static void
on_damaged(void *cookie, const struct err *why)
{
	struct salvage *v = cookie;

	found(v->o, "%s", why->text);
}

static int
copy_blobs(struct salvage *v, struct err *e)
{
	struct repack_opts o = { .workers = v->o->workers,
	    .pack_size = v->o->pack_size, .salvage = true,
	    .pack_id = pack_id, .damaged = on_damaged, .cookie = v,
	    .meter = v->o->meter, .lock = v->o->lock };
	struct repack_stats s = { 0 };
	int rc;

	v->o->phase(v->o->cookie, "saving what is whole");
	rc = repack_run(v->r, v->blobs, &o, &s, e);
	v->s->saved = s.blobs;
	v->s->lost += s.left_out;
	return (rc);
}

static int
remove_packs(struct salvage *v, struct err *e)
{
	size_t i;
	int rc;

	v->o->phase(v->o->cookie, "removing the packs");
	if ((rc = repo_lock_lost(v->o->lock, e)) != 0)
		return (rc);
	for (i = 0; i < v->n; i++)
		if ((rc = repo_remove(v->r, REPO_PACK, &v->ids[i], e)) != 0)
			return (rc);
	v->s->packs = v->n;
	return (0);
}

static int
salvage(struct salvage *v, int dir, struct err *e)
{
	size_t i;
	int rc;

	v->o->phase(v->o->cookie, "reading the index");
	if ((rc = repo_load_index(v->r, true, e)) != 0 ||
	    (rc = pagemap_new(&v->number, v->r->state->scratch, e)) != 0 ||
	    (rc = find_stored(v, e)) != 0 || (rc = choose(v, e)) != 0 ||
	    (rc = keep_copies(v, dir, e)) != 0 ||
	    (rc = repack_sorter(&v->blobs, v->r->state->scratch, e)) != 0 ||
	    (rc = list_blobs(v, e)) != 0 ||
	    (rc = reindex_open(&v->reindex, v->r, e)) != 0)
		return (rc);
	for (i = 0; i < v->n; i++)
		if ((rc = reindex_gone(&v->reindex, &v->ids[i], e)) != 0)
			return (rc);
	if ((rc = copy_blobs(v, e)) != 0 ||
	    (rc = replace_index(&v->reindex, REINDEX_NEEDED, v->o, e)) != 0)
		return (rc);
	return (remove_packs(v, e));
}

int
repair_packs(struct repo *r, const struct id *ids, size_t n, int dir,
    const struct repair_opts *opts, struct repair_packs_stats *stats,
    struct err *e)
{
	struct salvage *v;
	int rc;

	memset(stats, 0, sizeof(*stats));
	if ((v = calloc(1, sizeof(*v))) == NULL)
		return (err_nomem(e));
	v->r = r;
	v->o = opts;
	v->s = stats;
	v->ids = ids;
	v->n = n;
	if ((v->stored = calloc(n, sizeof(*v->stored))) == NULL)
		rc = err_nomem(e);
	else
		rc = salvage(v, dir, e);
	marks_free(v->chosen);
	pagemap_free(v->number);
	sorter_free(v->blobs);
	reindex_close(&v->reindex);
	free(v->stored);
	free(v);
	return (rc);
}
