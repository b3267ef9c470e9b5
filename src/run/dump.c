#include "run/dump.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "archive/tar.h"
#include "archive/zip.h"
#include "base/pagemap.h"
#include "crypto/sha256.h"

enum {
	PATH_CEILING = 1 << 20,
	PATHS_WINDOW = 32768,
};

struct dump {
	struct repo *r;
	const struct snapshot *snap;
	struct dump_opts o;
	struct dump_stats *s;
	struct buf path;     /* what is dumped, tidied: "/a/b", or "" */

	/* the way there; its folder's tree stays at hand for a file's blobs */
	struct tree_stack ts;
	struct tree at;
	bool pushed;
	struct node node;

	/* an archive */
	struct treewalk walk;
	struct tar tar;
	struct zip zip;
	struct buf name;     /* of the present entry: "/a/b/c" */
	struct pagemap *linked; /* files with several names -> their first one */
	struct spill paths;  /* these names, each with a NUL */
	struct buf other;    /* one of them */

	/* the blob being copied */
	bool cut;            /* the output cannot go on: the run ends */
	uint64_t sent;       /* bytes of it */
	struct where at_inline[NODE_INLINE]; /* of the file's first blobs */
};

/* ---- telling ---- */

static void
problem(struct dump *d, const struct err *why)
{

	d->o.problem(d->o.cookie, &d->snap->id, d->name.len > 0 ?
	    (const char *)d->name.p : "/", why);
}

/* A failure that is not the run's own is told; what is left is 0. */
static int
forgive(struct dump *d, int rc, const struct err *why, struct err *e)
{

	if (rc == 0)
		return (0);
	if (d->cut || problem_ends_run(rc)) {
		*e = *why;
		return (rc);
	}
	problem(d, why);
	return (0);
}

/* All that is written goes through here: nothing follows what failed. */
static int
out(void *cookie, const void *p, size_t len, struct err *e)
{
	struct dump *d = cookie;
	int rc;

	if ((rc = d->o.out(d->o.out_cookie, p, len, e)) != 0)
		d->cut = true;
	return (rc);
}

/* ---- the way to what is dumped ---- */

/* "/a/./b//../c/" is "/a/c", and "/" is ""; as Go's path.Clean. */
static int
tidy(struct buf *ret, const char *path, struct err *e)
{
	size_t n;
	int rc;

	for (; *path != '\0'; path += n) {
		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0 || (n == 1 && *path == '.'))
			continue;
		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (ret->len > 0 && ret->p[--ret->len] != '/')
				;
			continue;
		}
		if ((rc = buf_add(ret, "/", 1, e)) != 0 ||
		    (rc = buf_add(ret, path, n, e)) != 0)
			return (rc);
	}
	return (buf_nul(ret, e));
}

/* Find a name in the tree ${id}, which stays pushed: 1, 0, or ERR_*. */
static int
find_in(struct dump *d, const struct id *id, const char *name, size_t len,
    struct err *e)
{
	int rc;

	if (d->pushed)
		tree_pop(&d->ts, &d->at);
	d->pushed = false;
	if ((rc = tree_push(&d->ts, id, &d->at, e)) != 0)
		return (rc);
	d->pushed = true;
	return (tree_find(&d->ts, &d->at, name, len, &d->node, e));
}

static int
not_there(const char *path, size_t len, struct err *e)
{

	(void)err_set(e, ERR_ABSENT, "path '%.*s' not found in the snapshot",
	    (int)(len < 4096 ? len : 4096), path);
	return (err_hint(e, "'garner ls' shows what is in it"));
}

static int
wrong_type(const char *path, size_t len, const char *want,
    const struct node *n, struct err *e)
{

	return (err_set(e, ERR_FAIL, "'%.*s' should be a %s, but is a %s",
	    (int)(len < 4096 ? len : 4096), path, want,
	    node_type_name(n->type)));
}

/* Leaves the node in d->node and, for a file, its tree on the stack. */
static int
find(struct dump *d, struct err *e)
{
	const char *path = (const char *)d->path.p, *at = path;
	struct id id = d->snap->tree;
	size_t n;
	int rc;

	d->node.type = NODE_DIR;
	d->node.has_subtree = true;
	d->node.subtree = id;
	while (*at != '\0') {
		if (d->node.type != NODE_DIR || !d->node.has_subtree)
			return (wrong_type(path, (size_t)(at - path),
			    "folder", &d->node, e));
		n = strcspn(++at, "/");
		id = d->node.subtree;
		if ((rc = find_in(d, &id, at, n, e)) < 0)
			return (rc);
		at += n;
		if (rc == 0)
			return (not_there(path, (size_t)(at - path), e));
	}
	if (d->node.type != NODE_FILE && (d->node.type != NODE_DIR ||
	    !d->node.has_subtree))
		return (wrong_type(path, d->path.len, "file or folder",
		    &d->node, e));
	return (0);
}

int
dump_open(struct dump **ret, struct repo *r, const struct snapshot *snap,
    const char *path, const struct dump_opts *opts, struct err *e)
{
	struct dump *d;
	int rc;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return (err_nomem(e));
	d->r = r;
	d->snap = snap;
	d->o = *opts;
	d->path.max = d->name.max = d->other.max = PATH_CEILING;
	d->paths.fd = -1;
	if ((rc = tidy(&d->path, path, e)) != 0 ||
	    (rc = tree_stack_open(&d->ts, r, e)) != 0 ||
	    (rc = find(d, e)) != 0) {
		dump_close(d);
		return (rc);
	}
	*ret = d;
	return (0);
}

bool
dump_is_folder(const struct dump *d)
{

	return (d->node.type == NODE_DIR);
}

void
dump_close(struct dump *d)
{

	if (d == NULL)
		return;
	tree_stack_close(&d->ts);
	tar_close(&d->tar);
	zip_close(&d->zip);
	pagemap_free(d->linked);
	spill_close(&d->paths);
	buf_free(&d->path);
	buf_free(&d->name);
	buf_free(&d->other);
	free(d);
}

/* ---- a file's blobs ---- */

static int
missing(const struct id *id, struct err *e)
{
	char hex[ID_HEX + 1];

	return (err_set(e, ERR_CORRUPT, "the repository lacks its blob %s",
	    id_hex(id, hex)));
}

/*
 * Are all blobs known, and as long as the file is said to be? So much must be
 * sure before its header is written. Hashes the list of them into ${ret}.
 */
static int
prove(struct dump *d, struct tree_stack *ts, const struct node *n,
    struct id *ret, struct err *e)
{
	struct content_reader c;
	struct sha256 sha;
	struct where at;
	uint64_t size = 0, i = 0;
	struct id id;
	int rc, found;

	sha256_begin(&sha);
	content_begin(&c, ts, n);
	for (; (rc = content_next(&c, &id, e)) > 0; i++) {
		found = blobmap_find(d->r->map, BLOB_DATA, &id, true, &at,
		    NULL, e);
		if (found <= 0)
			return (found < 0 ? found : missing(&id, e));
		if (i < NODE_INLINE)
			d->at_inline[i] = at;
		size += where_plain(&at);
		sha256_update(&sha, id.b, ID_LEN);
	}
	sha256_end(&sha, ret);
	if (rc == 0 && size != n->size)
		rc = err_set(e, ERR_CORRUPT, "the snapshot says it has %llu "
		    "bytes, its blobs have %llu", (unsigned long long)n->size,
		    (unsigned long long)size);
	return (rc);
}

/* The next bytes of the entry, or of the single file. */
static int
put(void *cookie, const void *p, size_t len, struct err *e)
{
	struct dump *d = cookie;

	d->sent += len;
	if (!dump_is_folder(d))
		return (out(d, p, len, e));
	return (d->o.format == DUMP_TAR ? tar_write(&d->tar, p, len, e) :
	    zip_write(&d->zip, p, len, e));
}

/* A blob failed behind d->sent of its bytes: the offsets must stay right. */
static int
put_zeros(struct dump *d, uint64_t len, struct err *e)
{
	static const uint8_t zeros[4096];
	int rc;

	while (d->sent < len) {
		rc = put(d, zeros, len - d->sent < sizeof(zeros) ?
		    (size_t)(len - d->sent) : sizeof(zeros), e);
		if (rc != 0)
			return (rc);
	}
	return (0);
}

static int
copy_blob(struct dump *d, struct blob_reader *br, const struct id *id,
    const struct where *at, uint64_t offset, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	d->sent = 0;
	rc = blob_read_at(br, id, at, put, d, &why);
	if (rc != 0 && dump_is_folder(d) && !d->cut &&
	    !problem_ends_run(rc)) {
		(void)err_note(&why, "bytes from %llu on are not all right",
		    (unsigned long long)offset);
		problem(d, &why);
		return (put_zeros(d, where_plain(at), e));
	}
	if (rc != 0)
		*e = why;
	return (rc);
}

/* All blobs, after prove(). */
static int
copy_blobs(struct dump *d, struct tree_stack *ts, const struct node *n,
    struct err *e)
{
	struct content_reader c;
	uint64_t offset = 0, i = 0;
	struct where at;
	struct id id;
	int rc, found;

	content_begin(&c, ts, n);
	for (; (rc = content_next(&c, &id, e)) > 0; i++) {
		found = 1;
		if (i < NODE_INLINE)
			at = d->at_inline[i];
		else
			found = blobmap_find(d->r->map, BLOB_DATA, &id, true,
			    &at, NULL, e);
		if (found <= 0)
			return (found < 0 ? found : missing(&id, e));
		if ((rc = copy_blob(d, &ts->br, &id, &at, offset, e)) != 0 ||
		    (rc = repo_stopped(d->r, e)) != 0)
			return (rc);
		offset += where_plain(&at);
	}
	return (rc);
}

static int
dump_file(struct dump *d, struct err *e)
{
	struct id list;
	int rc;

	if ((rc = prove(d, &d->ts, &d->node, &list, e)) == 0)
		rc = copy_blobs(d, &d->ts, &d->node, e);
	if (rc < 0 && !d->cut && rc != ERR_CANCEL)
		(void)err_note(e, "%s", (const char *)d->path.p);
	return (rc);
}

/* ---- hard links ---- */

/*
 * Of one inode and device, and the same in all else that a link says: the first
 * two are only as good as the program that saved them.
 */
static void
link_key(const struct node *n, const struct id *list, uint8_t key[PAGEMAP_KEY])
{
	struct sha256 sha;
	struct id hash;
	uint8_t number[32];

	store_le64(number, n->inode);
	store_le64(number + 8, n->device_id);
	store_le64(number + 16, n->type);
	store_le64(number + 24, n->device);
	sha256_begin(&sha);
	sha256_update(&sha, number, sizeof(number));
	sha256_update(&sha, n->target, n->target_len);
	sha256_update(&sha, list->b, ID_LEN);
	sha256_end(&sha, &hash);
	memcpy(key, hash.b, PAGEMAP_KEY);
}

/* The name at ${at} of d->paths, into d->other. */
static int
recall_name(struct dump *d, uint64_t at, struct err *e)
{
	uint64_t top = spill_top(&d->paths);
	char part[256];
	size_t n, len;
	int rc;

	buf_reset(&d->other);
	for (; at < top; at += n) {
		n = top - at < sizeof(part) ? (size_t)(top - at) : sizeof(part);
		if ((rc = spill_read(&d->paths, at, part, n, e)) != 0)
			return (rc);
		len = strnlen(part, n);
		if ((rc = buf_add(&d->other, part, len, e)) != 0)
			return (rc);
		if (len < n)
			break;
	}
	return (0);
}

static int
remember_name(struct dump *d, const uint8_t *key, struct err *e)
{
	uint64_t at = spill_top(&d->paths);
	int rc;

	rc = spill_push(&d->paths, d->name.p, d->name.len + 1, e);
	return (rc != 0 ? rc : pagemap_put(d->linked, key, at, e));
}

/* Can the node be a link to one before it, or one after it to this? */
static bool
linkable(const struct dump *d, const struct node *n)
{

	return (d->o.format == DUMP_TAR && n->links > 1 && n->inode != 0);
}

/* 1: the file is in the archive, under the name in d->other; 0; or ERR_*. */
static int
find_link(struct dump *d, const uint8_t *key, struct err *e)
{
	uint64_t at;
	int rc;

	if ((rc = pagemap_find(d->linked, key, &at, e)) <= 0)
		return (rc);
	return ((rc = recall_name(d, at, e)) != 0 ? rc : 1);
}

/* ---- entries ---- */

static int
xattr_record(void *cookie, const char *name, const void *value, size_t len,
    struct err *e)
{
	struct dump *d = cookie;
	struct err why = ERR_INIT;

	if (tar_xattr(&d->tar, name, value, len, &why) != 0) {
		(void)err_note(&why, "its attribute %s is left out", name);
		return (forgive(d, why.code, &why, e));
	}
	return (0);
}

static int
begin_tar(struct dump *d, enum tar_kind kind, struct err *e)
{
	const struct node *n = &d->walk.node;
	struct tar_entry x = {
		.kind = kind, .name = (const char *)d->name.p + 1,
		.name_len = d->name.len - 1, .target = n->target,
		.target_len = n->target_len, .mode = node_st_mode(n->mode),
		.uid = n->uid, .gid = n->gid, .user = n->user,
		.group = n->group, .size = n->size, .mtime = n->mtime,
		.atime = &n->atime, .ctime = &n->ctime,
		.dev_major = major((dev_t)n->device),
		.dev_minor = minor((dev_t)n->device),
	};
	struct err why = ERR_INIT;
	int rc = 0;

	if (kind == TAR_LINK) {
		x.target = (const char *)d->other.p + 1;
		x.target_len = d->other.len - 1;
	} else {
		rc = tree_xattrs(&d->walk.ts, n, xattr_record, d, &why);
		rc = forgive(d, rc, &why, e);
	}
	return (rc != 0 ? rc : tar_begin(&d->tar, &x, e));
}

static int
begin_zip(struct dump *d, enum zip_kind kind, struct err *e)
{
	const struct node *n = &d->walk.node;
	const struct zip_entry x = {
		.kind = kind, .name = (const char *)d->name.p + 1,
		.name_len = d->name.len - 1, .target = n->target,
		.target_len = n->target_len, .mode = node_st_mode(n->mode),
		.uid = n->uid, .gid = n->gid, .size = n->size,
		.mtime = n->mtime,
	};

	return (zip_begin(&d->zip, &x, e));
}

/* Header, bytes, end. */
static int
pour_file(struct dump *d, struct err *e)
{
	bool tar = d->o.format == DUMP_TAR;
	int rc;

	rc = tar ? begin_tar(d, TAR_FILE, e) : begin_zip(d, ZIP_FILE, e);
	if (rc != 0)
		return (rc);
	if ((rc = copy_blobs(d, &d->walk.ts, &d->walk.node, e)) == 0)
		rc = tar ? tar_end(&d->tar, e) : zip_end(&d->zip, e);
	if (rc != 0)	/* nothing can follow half an entry */
		d->cut = true;
	return (rc);
}

/* Header, and bytes if it has some. */
static int
pour(struct dump *d, struct err *e)
{

	switch (d->walk.node.type) {
	case NODE_FILE:
		return (pour_file(d, e));
	case NODE_SYMLINK:
		return (d->o.format == DUMP_TAR ? begin_tar(d, TAR_SYMLINK,
		    e) : begin_zip(d, ZIP_SYMLINK, e));
	case NODE_FIFO:
		return (begin_tar(d, TAR_FIFO, e));
	case NODE_DEV:
		return (begin_tar(d, TAR_BLOCKDEV, e));
	case NODE_CHARDEV:
		return (begin_tar(d, TAR_CHARDEV, e));
	default:
		return (err_set(e, ERR_CORRUPT, "it is of a type that this "
		    "garner does not know"));
	}
}

/* What may have several names. */
static int
put_linkable(struct dump *d, struct err *e)
{
	const struct node *n = &d->walk.node;
	uint8_t key[PAGEMAP_KEY];
	struct id list = { { 0 } };
	int rc;

	if (n->type == NODE_FILE && (rc = prove(d, &d->walk.ts, n, &list,
	    e)) != 0)
		return (rc);
	if (!linkable(d, n))
		return (pour(d, e));
	link_key(n, &list, key);
	if ((rc = find_link(d, key, e)) > 0)
		return (begin_tar(d, TAR_LINK, e));
	if (rc != 0 || (rc = pour(d, e)) != 0)
		return (rc);
	return (remember_name(d, key, e));
}

/* The folder itself; what is in it follows. */
static int
put_folder(struct dump *d, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	rc = d->o.format == DUMP_TAR ? begin_tar(d, TAR_DIR, &why) :
	    begin_zip(d, ZIP_DIR, &why);
	if ((rc = forgive(d, rc, &why, e)) != 0)
		return (rc);
	return (treewalk_enter(&d->walk, "", e));
}

/* The entry's place in the snapshot: what is dumped, and the way from there. */
static int
set_name(struct dump *d, struct err *e)
{
	int rc;

	buf_reset(&d->name);
	if ((rc = buf_add(&d->name, d->path.p, d->path.len, e)) != 0 ||
	    (rc = buf_add(&d->name, d->walk.path.p, d->walk.path.len, e)) != 0)
		return (rc);
	return (buf_nul(&d->name, e));
}

static int
on_node(struct dump *d, struct err *e)
{
	const struct node *n = &d->walk.node;
	int rc;

	if ((rc = set_name(d, e)) != 0)
		return (rc);
	if (!node_name_ok(n))
		return (err_set(e, ERR_CORRUPT, "a name that no file may "
		    "have: it is left out"));
	if (n->type == NODE_DIR)
		return (put_folder(d, e));
	if (n->type == NODE_SOCKET) {
		d->s->sockets++;
		return (0);
	}
	if (d->o.format == DUMP_ZIP && n->type != NODE_FILE &&
	    n->type != NODE_SYMLINK && n->type != NODE_OTHER) {
		d->s->specials++;
		return (0);
	}
	return (put_linkable(d, e));
}

static int
walk(struct dump *d, struct err *e)
{
	struct err why = ERR_INIT;
	int ev, rc;

	while ((ev = treewalk_next(&d->walk, &why)) != WALK_END) {
		if (ev < 0) {
			*e = why;
			return (ev);
		}
		if (ev == WALK_BROKEN)
			(void)set_name(d, NULL);
		rc = ev == WALK_NODE ? on_node(d, &why) :
		    ev == WALK_BROKEN ? ERR_CORRUPT : 0;
		if ((rc = forgive(d, rc, &why, e)) != 0 ||
		    (rc = repo_stopped(d->r, e)) != 0)
			return (rc);
	}
	return (0);
}

/* ---- an archive ---- */

static int
begin_archive(struct dump *d, struct err *e)
{
	const char *dir = d->r->state->scratch;
	int rc;

	if (d->o.format == DUMP_ZIP)
		return (zip_open(&d->zip, out, d, dir, e));
	tar_open(&d->tar, out, d);
	rc = spill_open(&d->paths, dir, PATHS_WINDOW, e);
	return (rc != 0 ? rc : pagemap_new(&d->linked, dir, e));
}

static int
dump_folder(struct dump *d, struct err *e)
{
	int rc;

	if (d->pushed)
		tree_pop(&d->ts, &d->at);
	d->pushed = false;
	tree_stack_close(&d->ts);	/* the walk has its own */
	if ((rc = begin_archive(d, e)) != 0)
		return (rc);
	rc = treewalk_open(&d->walk, d->r, &d->node.subtree, 0, e);
	if (rc == 0)
		rc = walk(d, e);
	treewalk_close(&d->walk);
	if (rc != 0)
		return (rc);
	return (d->o.format == DUMP_TAR ? tar_finish(&d->tar, e) :
	    zip_finish(&d->zip, e));
}

int
dump_run(struct dump *d, struct dump_stats *ret, struct err *e)
{

	memset(ret, 0, sizeof(*ret));
	d->s = ret;
	return (dump_is_folder(d) ? dump_folder(d, e) : dump_file(d, e));
}
