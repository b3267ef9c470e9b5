#include "run/backup.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "repo/node.h"
#include "run/owners.h"
#include "run/parent.h"
#include "run/planter.h"
#include "run/reader.h"

enum {
	STRIP_LEN = 65536,   /* a power of two */
	NODE_BUF_MAX = 256 * 1024, /* one attribute of 64 KiB in Base64, and all
					else of a node */
	SEND_AT = 4096,      /* bytes of a node that are sent on */
	IDS_AT_ONCE = 64,
};

struct backup {
	struct repo *r;
	const struct backup_opts *o;
	struct source *src;
	struct saver *saver;
	struct strip *strip;
	struct planter *planter;
	struct parent_walk *parent;
	struct reader reader;
	struct owners owners;
	struct summary *sum;
	struct node node;    /* the entry, as it will be written */
	struct buf text;     /* of the node, not sent yet */
	bool node_begun;     /* its first bytes were sent */
	bool first_xattr;
	uint64_t n_xattrs;
};

/* ---- sending a node ---- */

static int
send_text(struct backup *b, struct err *e)
{
	int rc;

	rc = plant(b->strip, b->node_begun ? PLANT_BYTES : PLANT_NODE,
	    b->text.p, b->text.len, e);
	b->node_begun = true;
	buf_reset(&b->text);
	return (rc);
}

static int
xattr_to_node(void *cookie, const char *name, const void *value, size_t len,
    struct err *e)
{
	struct backup *b = cookie;
	int rc;

	rc = node_put_xattr(&b->text, b->n_xattrs++ == 0, name, value, len, e);
	if (rc == 0 && b->text.len >= SEND_AT)
		rc = send_text(b, e);
	return (rc);
}

static int
problem(struct backup *b, const struct entry *x, const struct err *why,
    struct err *e)
{

	return (source_tell(b->o->problem, b->o->problem_cookie, x->path, why,
	    e));
}

/*
 * Send b->node up to the value of its "content". ${old}, if not NULL, is the
 * same entry in the parent, unchanged: its attributes are taken from there.
 * Attributes that cannot be read are told of, the node is saved without them.
 */
static int
send_node(struct backup *b, const struct entry *x, const struct node *old,
    struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	buf_reset(&b->text);
	b->node_begun = false;
	b->n_xattrs = 0;
	if ((rc = node_put_head(&b->text, &b->node, e)) != 0)
		return (rc);
	if (old != NULL)
		rc = tree_xattrs(&b->parent->ts, old, xattr_to_node, b, &why);
	else
		rc = source_xattrs(b->src, xattr_to_node, b, &why);
	if (rc != 0)
		rc = problem(b, x, &why, e);
	if (rc != 0 || (b->n_xattrs > 0 &&
	    (rc = node_put_xattrs_end(&b->text, e)) != 0) ||
	    (rc = node_put_tail(&b->text, &b->node, e)) != 0)
		return (rc);
	return (send_text(b, e));
}

static int
send_end(struct backup *b, const char *s, struct err *e)
{

	return (plant(b->strip, PLANT_BYTES, s, strlen(s), e));
}

/* ---- from an entry to a node ---- */

static enum node_type
type_of(enum entry_kind k)
{

	switch (k) {
	case ENTRY_ENTER: return (NODE_DIR);
	case ENTRY_SYMLINK: return (NODE_SYMLINK);
	case ENTRY_BLOCK: return (NODE_DEV);
	case ENTRY_CHAR: return (NODE_CHARDEV);
	case ENTRY_FIFO: return (NODE_FIFO);
	default: return (NODE_FILE);
	}
}

/* Which kinds have "links" in restic's nodes? */
static bool
has_links(enum node_type t)
{

	return (t == NODE_FILE || t == NODE_SYMLINK || t == NODE_DEV ||
	    t == NODE_CHARDEV);
}

static void
fill_node(struct backup *b, const struct entry *x)
{
	struct node *n = &b->node;
	const struct stat *st = &x->st;

	n->type = type_of(x->kind);
	n->name_len = x->name_len < NODE_NAME_MAX ? x->name_len :
	    NODE_NAME_MAX;
	memcpy(n->name, x->name, n->name_len);
	n->name[n->name_len] = '\0';
	n->mode = node_mode(st->st_mode);
	n->mtime = when_of(&st->st_mtim);
	n->ctime = when_of(&st->st_ctim);
	n->atime = b->o->with_atime ? when_of(&st->st_atim) : n->mtime;
	n->uid = st->st_uid;
	n->gid = st->st_gid;
	strcpy(n->user, owners_user(&b->owners, st->st_uid));
	strcpy(n->group, owners_group(&b->owners, st->st_gid));
	n->inode = st->st_ino;
	n->links = has_links(n->type) ? st->st_nlink : 0;
	n->device_id = b->o->no_device_id && n->links <= 1 ? 0 : st->st_dev;
	n->device = n->type == NODE_DEV || n->type == NODE_CHARDEV ?
	    st->st_rdev : 0;
	n->size = 0;
	n->target_len = x->target_len < NODE_TARGET_MAX ? x->target_len : 0;
	if (n->target_len > 0)
		memcpy(n->target, x->target, n->target_len);
	n->target[n->target_len] = '\0';
}

/* ---- files ---- */

static void
tell(struct backup *b, const struct entry *x, const char *fate, uint64_t size)
{

	if (b->o->item != NULL)
		b->o->item(b->o->cookie, x->path, fate, size);
}

static bool
same_time(const struct when *x, const struct timespec *y)
{

	return (x->sec == y->tv_sec && x->nsec == y->tv_nsec);
}

/* Does the file look as it did in the parent? */
static bool
looks_unchanged(const struct backup *b, const struct entry *x,
    const struct node *old)
{
	const struct stat *st = &x->st;

	return (old->type == NODE_FILE && old->has_content &&
	    old->size == (uint64_t)st->st_size &&
	    same_time(&old->mtime, &st->st_mtim) &&
	    (b->o->ignore_ctime || same_time(&old->ctime, &st->st_ctim)) &&
	    (b->o->ignore_inode || old->inode == st->st_ino));
}

/*
 * Are all its blobs still in the repository, and are they as long as the file?
 * 1, 0, or ERR_*.
 */
static int
all_stored(struct backup *b, const struct node *old, struct err *e)
{
	struct content_reader c;
	struct id id, last = { { 0 } };
	uint64_t size = 0, i = 0;
	struct where w;
	int rc, known;

	content_begin(&c, &b->parent->ts, old);
	for (; (rc = content_next(&c, &id, e)) > 0; i++) {
		/* A hole is one blob, many times. */
		known = i > 0 && id_eq(&id, &last) ? 1 : blobmap_find(
		    b->r->map, BLOB_DATA, &id, true, &w, NULL, e);
		if (known <= 0)
			return (known);
		last = id;
		size += where_plain(&w);
	}
	return (rc < 0 ? rc : size == old->size);
}

static int
send_old_ids(struct backup *b, const struct node *old, struct err *e)
{
	struct id id[IDS_AT_ONCE];
	struct content_reader c;
	size_t n = 0;
	int rc;

	content_begin(&c, &b->parent->ts, old);
	for (;;) {
		if ((rc = content_next(&c, &id[n], e)) < 0)
			return (rc);
		n += (size_t)rc;
		if (n == IDS_AT_ONCE || (rc == 0 && n > 0)) {
			int rc2 = plant(b->strip, PLANT_IDS, id,
			    n * sizeof(id[0]), e);

			if (rc2 != 0)
				return (rc2);
			n = 0;
		}
		if (rc == 0)
			return (0);
	}
}

static int
keep_file(struct backup *b, const struct entry *x, const struct node *old,
    struct err *e)
{
	int rc;

	b->node.size = old->size;
	if ((rc = send_old_ids(b, old, e)) != 0 ||
	    (rc = send_node(b, x, b->o->ignore_ctime ? NULL : old, e)) != 0 ||
	    (rc = plant(b->strip, PLANT_CONTENT, NULL, 0, e)) != 0)
		return (rc);
	b->sum->files_unmodified++;
	meter_add(&b->o->meter->bytes, old->size);
	tell(b, x, "unchanged", old->size);
	return (send_end(b, "}", e));
}

/* Read it anew. ${*ret_size} is UINT64_MAX when it cannot be read: told. */
static int
pour_file(struct backup *b, struct entry *x, uint64_t *ret_size,
    struct err *e)
{
	struct err why = ERR_INIT;
	bool fatal = false;
	int rc;

	if ((rc = source_open(b->src, x, &why)) == 0)
		rc = reader_file(&b->reader, b->src, (uint64_t)x->st.st_size,
		    ret_size, &fatal, &why);
	if (rc == 0)
		return (0);
	*ret_size = UINT64_MAX;
	if (fatal) {
		*e = why;
		return (rc);
	}
	return (problem(b, x, &why, e));
}

static int
read_file(struct backup *b, struct entry *x, bool was_there, struct err *e)
{
	uint64_t size;
	int rc;

	rc = pour_file(b, x, &size, e);
	if (rc != 0 || size == UINT64_MAX)
		return (rc);
	fill_node(b, x);	/* with what the open file says */
	b->node.size = size;
	if ((rc = send_node(b, x, NULL, e)) != 0 ||
	    (rc = plant(b->strip, PLANT_CONTENT, NULL, 0, e)) != 0)
		return (rc);
	if (was_there)
		b->sum->files_changed++;
	else
		b->sum->files_new++;
	b->sum->bytes += size;
	meter_add(&b->o->meter->files, 1);
	tell(b, x, was_there ? "modified" : "new", size);
	return (send_end(b, "}", e));
}

static int
on_file(struct backup *b, struct entry *x, struct err *e)
{
	const struct node *old;
	bool was_there;
	int rc;

	rc = parent_find(b->parent, x->name, x->name_len, &old, e);
	if (rc != 0)
		return (rc);
	was_there = old != NULL && old->type == NODE_FILE;
	if (old == NULL || !looks_unchanged(b, x, old))
		return (read_file(b, x, was_there, e));
	if ((rc = all_stored(b, old, e)) < 0)
		return (rc);
	if (rc == 0)	/* blobs were lost: this is the way to get them back */
		return (read_file(b, x, was_there, e));
	fill_node(b, x);
	b->sum->bytes += old->size;
	meter_add(&b->o->meter->files, 1);
	return (keep_file(b, x, old, e));
}

/* ---- everything else ---- */

static int
on_folder(struct backup *b, const struct entry *x, struct err *e)
{
	const struct node *old;
	bool had;
	int rc;

	rc = parent_find(b->parent, x->name, x->name_len, &old, e);
	if (rc != 0)
		return (rc);
	had = old != NULL && old->type == NODE_DIR && old->has_subtree;
	fill_node(b, x);
	if ((rc = send_node(b, x, NULL, e)) != 0 ||
	    (rc = send_end(b, "null", e)) != 0 ||
	    (rc = plant(b->strip, PLANT_ENTER, had ? old->subtree.b : NULL,
	    had ? ID_LEN : 0, e)) != 0)
		return (rc);
	meter_add(&b->o->meter->folders, 1);
	return (parent_enter(b->parent, old, e));
}

static int
on_special(struct backup *b, const struct entry *x, struct err *e)
{
	const struct node *old;
	int rc;

	/* Keeps the parent's cursor in step. */
	rc = parent_find(b->parent, x->name, x->name_len, &old, e);
	if (rc != 0)
		return (rc);
	fill_node(b, x);
	if ((rc = send_node(b, x, NULL, e)) != 0)
		return (rc);
	return (send_end(b, "null}", e));
}

static int
on_entry(struct backup *b, struct entry *x, struct err *e)
{
	int rc;

	if (x->kind == ENTRY_LEAVE) {
		if ((rc = plant(b->strip, PLANT_LEAVE, NULL, 0, e)) != 0)
			return (rc);
		return (parent_leave(b->parent, e));
	}
	meter_path(b->o->meter, x->path);
	if (x->kind == ENTRY_ENTER)
		return (on_folder(b, x, e));
	if (x->kind == ENTRY_FILE)
		return (on_file(b, x, e));
	return (on_special(b, x, e));
}

/* Walk it all, between the root's beginning and its end. */
static int
walk(struct backup *b, struct err *e)
{
	struct entry x;
	bool any = false;
	int rc;

	rc = plant(b->strip, PLANT_ENTER, NULL, 0, e);
	if (rc != 0)
		return (rc);
	for (; (rc = source_next(b->src, &x, e)) > 0; any = true) {
		if ((rc = on_entry(b, &x, e)) != 0 ||
		    (rc = repo_stopped(b->r, e)) != 0)
			return (rc);
	}
	if (rc == 0 && !any) {	/* which nobody wants to find on a bad day */
		rc = err_set(e, ERR_ABSENT, "nothing is left to save, no "
		    "snapshot was made");
		(void)err_hint(e, "the sources are empty, or the patterns "
		    "leave out all of them");
	}
	if (rc != 0 || (rc = plant(b->strip, PLANT_LEAVE, NULL, 0, e)) != 0)
		return (rc);
	return (plant(b->strip, PLANT_END, NULL, 0, e));
}

/* ---- the snapshot ---- */

static int
add_path(void *cookie, const char *path, struct err *e)
{
	struct snapshot *s = cookie;
	int rc;

	rc = text_list_add(&s->paths, path, strlen(path), e);
	if (rc == ERR_LIMIT)
		(void)err_hint(e, "a snapshot cannot name that many sources: "
		    "name folders above them");
	return (rc);
}

static void
finish_summary(struct backup *b, const struct planter_stats *p,
    struct snapshot *snap)
{
	struct saver_stats st;
	struct summary *s = b->sum;

	saver_stats(b->saver, &st);
	s->end = when_now(true);
	s->dirs_new = p->dirs_new;
	s->dirs_changed = p->dirs_changed;
	s->dirs_unmodified = p->dirs_unmodified;
	s->data_blobs = st.data_blobs;
	s->tree_blobs = st.tree_blobs;
	s->data_added = st.added;
	s->data_added_packed = st.packed;
	s->files = s->files_new + s->files_changed + s->files_unmodified;
	snap->has_summary = true;
}

static int
save_snapshot(struct backup *b, struct snapshot *snap, bool *ret_saved,
    struct err *e)
{
	const struct backup_opts *o = b->o;
	int rc;

	if (o->parent != NULL) {
		snap->has_parent = true;
		snap->parent = o->parent->id;
	}
	if (o->saver.dry || (o->skip_if_unchanged && o->parent != NULL &&
	    id_eq(&snap->tree, &o->parent->tree)))
		return (0);
	/* Without its lock a prune may have taken what this snapshot names. */
	if ((rc = repo_lock_lost(o->lock, e)) != 0 ||
	    (rc = snapshot_save(b->r, snap, e)) != 0)
		return (rc);
	*ret_saved = true;
	return (0);
}

/*
 * End the threads in their order. The error that counts is the first one: the
 * walker only sees "stopped" when another thread failed.
 */
static int
wind_up(struct backup *b, int rc, struct snapshot *snap, struct err *e)
{
	struct planter_stats stats;
	struct err why = ERR_INIT;
	bool asked = rc == ERR_CANCEL && repo_stopped(b->r, NULL) != 0;
	int rc2;

	if (rc != 0)
		strip_stop(b->strip);
	rc2 = planter_end(b->planter, &snap->tree, &stats, &why);
	if (rc2 != 0 && (rc == 0 || (rc == ERR_CANCEL && !asked))) {
		rc = rc2;
		*e = why;
	}
	reader_end(&b->reader);
	/* Also when the user stopped it: what is whole counts for next time. */
	if (rc == 0 || rc == ERR_CANCEL) {
		rc2 = saver_finish(b->saver, &why);
		if (rc2 != 0 && (rc == 0 || !asked)) {
			rc = rc2;
			*e = why;
		}
	}
	finish_summary(b, &stats, snap);
	return (rc);
}

static int
start(struct backup *b, struct err *e)
{
	int rc;

	if ((b->parent = calloc(1, sizeof(*b->parent))) == NULL)
		return (err_nomem(e));
	if ((rc = parent_open(b->parent, b->r, b->o->parent != NULL ?
	    &b->o->parent->tree : NULL, e)) != 0 ||
	    (rc = strip_new(&b->strip, STRIP_LEN, e)) != 0 ||
	    (rc = saver_open(&b->saver, b->r, &b->o->saver, e)) != 0 ||
	    (rc = planter_open(&b->planter, b->r, b->saver, b->strip, e)) != 0)
		return (rc);
	reader_begin(&b->reader, b->r, b->saver, b->strip, b->o->meter);
	return (0);
}

int
backup_run(struct repo *r, const struct backup_opts *opts,
    struct snapshot *snap, bool *ret_saved, struct err *e)
{
	struct backup *b;
	int rc;

	*ret_saved = false;
	if ((b = calloc(1, sizeof(*b))) == NULL)
		return (err_nomem(e));
	b->r = r;
	b->o = opts;
	b->src = opts->source;
	b->sum = &snap->summary;
	b->text.max = NODE_BUF_MAX;
	b->sum->start = when_now(true);
	if ((rc = source_target_paths(b->src, add_path, snap, e)) != 0 ||
	    (rc = start(b, e)) != 0)
		goto out;
	rc = walk(b, e);
	if ((rc = wind_up(b, rc, snap, e)) == 0)
		rc = save_snapshot(b, snap, ret_saved, e);

out:
	planter_free(b->planter);
	saver_free(b->saver);
	strip_free(b->strip);
	if (b->parent != NULL)
		parent_close(b->parent);
	free(b->parent);
	buf_free(&b->text);
	free(b);
	return (rc);
}
