#include "run/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/pagemap.h"
#include "crypto/sha256.h"
#include "run/place.h"
#include "run/problem.h"
#include "run/treewalk.h"
#include "stream/chunker.h"

enum {
	XATTRS_MAX = 4 << 20, /* of one entry, while they are set */
	PATHS_WINDOW = 32768,
	VERIFY_PART = 32768,
};

/* What is remembered for each folder while the walk is in it. */
struct note {
	struct meta meta;
	uint64_t n_xattrs, xattrs_at; /* in its parent's tree */
	bool selected;
};

_Static_assert(sizeof(struct note) <= 256, "treewalk keeps 256 bytes");

struct restore {
	struct repo *r;
	const struct restore_opts *o;
	struct restore_stats *stats;
	struct place place;
	struct treewalk walk;
	struct filler *filler;
	struct meta_losses loss;
	struct buf xattrs;
	struct pagemap *linked; /* what makes a file one -> its place in paths */
	struct spill paths;  /* inodes and paths of files that were made */
	struct buf other;    /* one of these paths */
};

/* ---- telling ---- */

static void
problem(struct restore *x, const struct err *why)
{

	meter_add(&x->o->meter->errors, 1);
	x->o->problem(x->o->cookie, problem_node(&x->walk), why);
}

static void
tell(struct restore *x, const char *fate, uint64_t size)
{

	if (x->o->item != NULL)
		x->o->item(x->o->cookie, (const char *)x->walk.path.p, fate,
		    size);
}

/* ---- choosing ---- */

/* Is the node asked for; could something below it be? */
static bool
selected(const struct restore *x, bool *ret_below)
{
	const char *path = (const char *)x->walk.path.p;
	const struct restore_opts *o = x->o;
	bool hit = false, below = false, b;

	if (o->include != NULL || o->iinclude != NULL) {
		if (o->include != NULL) {
			hit = filter_match(o->include, path, &b);
			below = b;
		}
		if (o->iinclude != NULL) {
			hit = filter_match(o->iinclude, path, &b) || hit;
			below = below || b;
		}
		*ret_below = below || hit;
		return (hit);
	}
	if ((o->exclude != NULL && filter_match(o->exclude, path, NULL)) ||
	    (o->iexclude != NULL && filter_match(o->iexclude, path, NULL))) {
		*ret_below = false;
		return (false);
	}
	*ret_below = true;
	return (true);
}

/*
 * What lies at the node's name already? May it be replaced? 1 yes, 0 leave it,
 * and ${*ret_same}: it needs no new content.
 */
static int
may_write(struct restore *x, int dir, bool *ret_same)
{
	const struct node *n = &x->walk.node;
	struct when there;
	struct stat st;
	bool same;

	*ret_same = false;
	if (x->o->overwrite == OVERWRITE_ALWAYS ||
	    fstatat(dir, n->name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return (1);
	if (x->o->overwrite == OVERWRITE_NEVER)
		return (0);
	there = when_of(&st.st_mtim);
	if (x->o->overwrite == OVERWRITE_IF_NEWER)
		return (when_cmp(&n->mtime, &there) > 0);
	same = n->type == NODE_FILE && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == n->size && when_cmp(&n->mtime, &there) == 0;
	*ret_same = same;
	return (1);
}

/*
 * The attributes of a node, for later. Those that make no sense are told and left
 * out: nobody is to lose the bytes of a file for them.
 */
static int
copy_xattrs(struct restore *x, const struct node *n, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	rc = meta_copy_xattrs(&x->walk.ts, n, &x->xattrs, &why);
	if (err_ends_all(rc)) {
		*e = why;
		return (rc);
	}
	if (rc != 0) {
		(void)err_note(&why, "its extended attributes");
		problem(x, &why);
	}
	return (0);
}

/*
 * Owner, attributes, times and mode of what ${fd} is open on. What cannot be set
 * is told, and the others are.
 */
static int
set_meta(struct restore *x, int fd, const struct meta *m,
    const struct node *n, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	if ((rc = copy_xattrs(x, n, e)) != 0)
		return (rc);
	if (meta_owner_fd(fd, m, &x->loss, &why) != 0)
		problem(x, &why);
	if (meta_xattrs(fd, NULL, &x->xattrs, &x->loss, &why) != 0)
		problem(x, &why);
	if (meta_finish_fd(fd, m, &why) != 0)
		problem(x, &why);
	return (0);
}

/* ---- files ---- */

/* Name every blob of the file to the filler. */
static int
name_blobs(struct restore *x, struct filler_file *file, struct err *e)
{
	const struct node *n = &x->walk.node;
	struct err why = ERR_INIT;
	struct content_reader c;
	char hex[ID_HEX + 1];
	uint64_t offset = 0;
	struct where at;
	struct id id;
	int rc;

	content_begin(&c, &x->walk.ts, n);
	while ((rc = content_next(&c, &id, e)) > 0) {
		if (id_eq(&id, &chunk_zeros)) {	/* a hole is there already */
			meter_add(&x->o->meter->bytes, CHUNK_MIN);
			filler_hole(file);
			offset += CHUNK_MIN;
			continue;
		}
		rc = blobmap_find(x->r->map, BLOB_DATA, &id, true, &at, NULL,
		    e);
		if (rc < 0)
			return (rc);
		if (rc == 0) {
			(void)err_set(&why, ERR_CORRUPT, "the repository lacks "
			    "its blob %s", id_hex(&id, hex));
			filler_spoil(file, &why);
			return (0);
		}
		filler_blob(x->filler, file, &id, &at, offset);
		offset += where_plain(&at);
		if ((rc = repo_stopped(x->r, e)) != 0 ||
		    (rc = filler_failed(x->filler, e)) != 0)
			return (rc);
	}
	if (rc == 0 && offset != n->size) {
		(void)err_set(&why, ERR_CORRUPT, "the snapshot says it has "
		    "%llu bytes, its blobs have %llu",
		    (unsigned long long)n->size, (unsigned long long)offset);
		filler_spoil(file, &why);
	}
	return (rc);
}

/* May other names of it come? */
static bool
linkable(const struct node *n)
{

	return (n->links > 1 && n->inode != 0);
}

/* ${*ret_inode} is set when they may, and the file was begun. */
static int
pour_file(struct restore *x, int dir, uint64_t *ret_inode, struct err *e)
{
	const struct node *n = &x->walk.node;
	struct filler_want want = {
		.dir = dir, .dir_stamp = place_stamp(&x->place),
		.name = n->name,
		.path = (const char *)x->walk.path.p, .size = n->size,
		.meta = meta_of(n), .xattrs = &x->xattrs,
	};
	struct err why = ERR_INIT;
	struct filler_file *file;
	int rc;

	if ((rc = copy_xattrs(x, n, e)) != 0)
		return (rc);
	if ((rc = filler_begin(x->filler, &want, &file, &why)) != 0) {
		if (err_ends_all(rc)) {
			*e = why;
			return (rc);
		}
		problem(x, &why);
		return (0);
	}
	if (linkable(n))
		*ret_inode = filler_inode(file);
	rc = name_blobs(x, file, e);
	if (rc != 0)
		filler_spoil(file, e);
	filler_end(file);
	x->stats->files++;
	return (err_ends_all(rc) ? rc : 0);
}

/* ---- hard links ---- */

/*
 * Names of one file have more in common than a pair of numbers, which writers
 * have been known to give to any: what is hashed here makes the inode.
 */
static int
link_key(struct restore *x, uint8_t key[PAGEMAP_KEY], struct err *e)
{
	const struct node *n = &x->walk.node;
	struct content_reader c;
	struct sha256 sha;
	uint8_t number[40];
	struct id id;
	int rc;

	store_le64(number, n->inode);
	store_le64(number + 8, n->device_id);
	store_le64(number + 16, n->type);
	store_le64(number + 24, n->device);
	store_le64(number + 32, n->size);
	sha256_begin(&sha);
	sha256_update(&sha, number, sizeof(number));
	sha256_update(&sha, n->target, n->target_len);
	content_begin(&c, &x->walk.ts, n);
	while ((rc = content_next(&c, &id, e)) > 0)
		sha256_update(&sha, id.b, ID_LEN);
	sha256_end(&sha, &id);
	memcpy(key, id.b, PAGEMAP_KEY);
	return (rc);
}

/* What is on the spill stack for each: the inode here, its path and a NUL. */
static int
remember_path(struct restore *x, const uint8_t *key, uint64_t inode,
    struct err *e)
{
	uint64_t at = spill_top(&x->paths);
	uint8_t number[8];
	int rc;

	store_le64(number, inode);
	if ((rc = spill_push(&x->paths, number, sizeof(number), e)) != 0 ||
	    (rc = spill_push(&x->paths, x->walk.path.p, x->walk.path.len + 1,
	    e)) != 0)
		return (rc);
	return (pagemap_put(x->linked, key, at, e));
}

/* What stands at ${at} of x->paths: the path goes into x->other. */
static int
recall_path(struct restore *x, uint64_t at, uint64_t *ret_inode,
    struct err *e)
{
	uint64_t top = spill_top(&x->paths);
	uint8_t number[8];
	char part[256];
	size_t n, len;
	int rc;

	rc = spill_read(&x->paths, at, number, sizeof(number), e);
	if (rc != 0)
		return (rc);
	*ret_inode = load_le64(number);
	buf_reset(&x->other);
	for (at += sizeof(number); at < top; at += n) {
		n = top - at < sizeof(part) ? (size_t)(top - at) : sizeof(part);
		if ((rc = spill_read(&x->paths, at, part, n, e)) != 0)
			return (rc);
		len = strnlen(part, n);
		if ((rc = buf_add(&x->other, part, len, e)) != 0)
			return (rc);
		if (len < n)
			break;
	}
	return (buf_nul(&x->other, e));
}

/*
 * linkat refused: 0 when a copy will do instead, which is counted where the file
 * system has no links (or not as many). The other may have failed, too.
 */
static int
no_link(struct restore *x, struct err *e)
{

	switch (errno) {
	case EPERM:
	case EOPNOTSUPP:
	case EMLINK:
	case EXDEV:
	case ENOSYS:
		x->stats->links_lost++;
		return (0);
	case ENOENT:
		return (0);
	default:
		return (err_sys(e, "cannot make the hard link"));
	}
}

/*
 * Make the present node a link to x->other: 1; 0 when that does not work, or when
 * what lies there is not what this restore made but, say, what was there before.
 */
static int
link_to_other(struct restore *x, int dir, uint64_t inode, struct err *e)
{
	char temp[PLACE_TEMP];
	const char *name;
	struct stat st;
	int from, rc;

	filler_drain(x->filler);	/* the other must be whole */
	if (place_find(&x->place, (char *)x->other.p, &from, &name,
	    NULL) != 0)
		return (0);
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    st.st_ino != inode) {
		rc = 0;
	} else if ((rc = place_temp(temp, e)) == 0) {
		rc = linkat(from, name, dir, temp, 0) == 0 ? 1 :
		    no_link(x, e);
		if (rc == 1 && renameat(dir, temp, dir,
		    x->walk.node.name) == -1)
			rc = 0;
		/* Two names of one file: rename leaves both. */
		(void)unlinkat(dir, temp, 0);
	}
	(void)close(from);
	return (rc);
}

/* 1: it was made as a link; 0: it is to be made with its content; or ERR_*. */
static int
try_link(struct restore *x, const uint8_t *key, int dir, struct err *e)
{
	uint64_t at, inode;
	int rc;

	if ((rc = pagemap_find(x->linked, key, &at, e)) <= 0 ||
	    (rc = recall_path(x, at, &inode, e)) != 0 ||
	    (rc = link_to_other(x, dir, inode, e)) <= 0)
		return (rc);
	x->stats->links++;
	meter_add(&x->o->meter->files, 1);
	return (1);
}

/* ---- links, devices, fifos ---- */

static int
make_special(int dir, const char *name, const struct node *n)
{
	mode_t mode = 0600;

	switch (n->type) {
	case NODE_SYMLINK:
		return (symlinkat(n->target, dir, name));
	case NODE_FIFO:
		return (mkfifoat(dir, name, mode));
	case NODE_DEV:
		return (mknodat(dir, name, S_IFBLK | mode, (dev_t)n->device));
	default:
		return (mknodat(dir, name, S_IFCHR | mode, (dev_t)n->device));
	}
}

static int
restore_special(struct restore *x, int dir, uint64_t *ret_inode,
    struct err *e)
{
	const struct node *n = &x->walk.node;
	char temp[PLACE_TEMP], proc[64 + PLACE_TEMP];
	struct stat st;
	struct meta m = meta_of(n);
	struct err also = ERR_INIT;
	int rc;

	if (strlen(n->target) != n->target_len)
		return (err_set(e, ERR_CORRUPT, "its target holds a NUL"));
	if ((rc = place_temp(temp, e)) != 0)
		return (rc);
	if (make_special(dir, temp, n) == -1)
		return (err_sys(e, "cannot make the %s",
		    node_type_name(n->type)));
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", dir, temp);
	if ((rc = copy_xattrs(x, n, e)) != 0) {
		(void)unlinkat(dir, temp, 0);
		return (rc);
	}
	if (meta_owner_at(dir, temp, &m, &x->loss, &also) != 0)
		problem(x, &also);
	if (meta_xattrs(-1, proc, &x->xattrs, &x->loss, &also) != 0)
		problem(x, &also);
	if (meta_finish_at(dir, temp, &m, &also) != 0)
		problem(x, &also);
	if (renameat(dir, temp, dir, n->name) == -1) {
		rc = err_sys(e, "cannot give the %s its name",
		    node_type_name(n->type));
		(void)unlinkat(dir, temp, 0);
		return (rc);
	}
	x->stats->others++;
	if (fstatat(dir, n->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*ret_inode = st.st_ino;
	return (0);
}

/* ---- the first walk ---- */

/* A file that needs no new content gets its metadata. */
static int
touch_up(struct restore *x, int dir, struct err *e)
{
	const struct node *n = &x->walk.node;
	struct meta m = meta_of(n);
	int fd, rc;

	fd = openat(dir, n->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (fd == -1)
		return (err_sys(e, "cannot open the file that is there"));
	rc = set_meta(x, fd, &m, n, e);
	(void)close(fd);
	x->stats->skipped++;
	meter_add(&x->o->meter->files, 1);
	meter_add(&x->o->meter->bytes, n->size);
	return (rc);
}

/* Make it anew, or as a link to its other name. */
static int
make_entry(struct restore *x, int dir, struct err *e)
{
	const struct node *n = &x->walk.node;
	uint8_t key[PAGEMAP_KEY];
	uint64_t inode = 0;
	int rc;

	if (linkable(n)) {
		if ((rc = link_key(x, key, e)) != 0)
			return (rc);
		if ((rc = try_link(x, key, dir, e)) != 0)
			return (rc < 0 ? rc : 0);
	}
	rc = n->type == NODE_FILE ? pour_file(x, dir, &inode, e) :
	    restore_special(x, dir, &inode, e);
	return (rc != 0 || inode == 0 || !linkable(n) ? rc :
	    remember_path(x, key, inode, e));
}

/* A regular file or anything else but a folder. */
static int
restore_entry(struct restore *x, struct err *e)
{
	const struct node *n = &x->walk.node;
	bool same;
	int dir, rc;

	if (n->type == NODE_SOCKET) {
		x->stats->sockets++;
		return (0);
	}
	if (n->type == NODE_OTHER)
		return (err_set(e, ERR_CORRUPT, "it is of a type that this "
		    "garner does not know"));
	if ((rc = place_fd(&x->place, true, &dir, e)) != 0)
		return (rc);
	if (may_write(x, dir, &same) == 0) {
		x->stats->skipped++;
		tell(x, "skipped", n->size);
		return (0);
	}
	if (same) {
		tell(x, "unchanged", n->size);
		return (touch_up(x, dir, e));
	}
	tell(x, "restored", n->size);
	return (make_entry(x, dir, e));
}

/* In a dry run: what would be done? */
static int
count_entry(struct restore *x)
{
	const struct node *n = &x->walk.node;

	tell(x, "restored", n->size);
	if (n->type == NODE_FILE)
		x->stats->files++;
	else
		x->stats->others++;
	meter_add(&x->o->meter->files, 1);
	meter_add(&x->o->meter->bytes, n->size);
	return (0);
}

/* Make a folder that is asked for; one below may make it otherwise. */
static int
restore_folder(struct restore *x, bool hit, struct err *e)
{
	int fd;

	if (hit)
		x->stats->dirs++;
	if (x->o->dry)
		return (0);
	/* In one that was there before, a killed restore may have left files. */
	if (place_fd(&x->place, false, &fd, NULL) == 0) {
		place_sweep(fd);
		return (0);
	}
	return (hit ? place_fd(&x->place, true, &fd, e) : 0);
}

/* Does something lie in the folder's place that must not be overwritten? */
static int
taken(struct restore *x, struct err *e)
{
	struct stat st;
	bool same;
	int dir;

	if (x->o->dry || x->o->overwrite == OVERWRITE_ALWAYS ||
	    place_fd(&x->place, false, &dir, NULL) != 0 ||
	    fstatat(dir, x->walk.node.name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    S_ISDIR(st.st_mode) || may_write(x, dir, &same) != 0)
		return (0);
	return (err_set(e, ERR_EXISTS, "what is in its place is no folder, and "
	    "must not be overwritten: all below it is left out"));
}

static int
on_folder(struct restore *x, bool hit, bool below, struct err *e)
{
	const struct node *n = &x->walk.node;
	struct note note;
	int rc;

	memset(&note, 0, sizeof(note));
	note.meta = meta_of(n);
	note.n_xattrs = n->n_xattrs;
	note.xattrs_at = n->xattrs_at;
	note.selected = hit;
	if (!hit && !below)
		return (0);
	if ((rc = taken(x, e)) != 0 ||
	    (rc = place_down(&x->place, n->name, e)) != 0)
		return (rc);
	if ((rc = restore_folder(x, hit, e)) != 0) {
		place_up(&x->place);
		return (rc);
	}
	if ((rc = treewalk_enter(&x->walk, &note, e)) != 0)
		place_up(&x->place);
	return (rc);
}

static int
on_node(struct restore *x, struct err *e)
{
	const struct node *n = &x->walk.node;
	bool hit, below;

	if (!node_name_ok(n))
		return (err_set(e, ERR_CORRUPT, "a name that no file may "
		    "have: it is left out"));
	hit = selected(x, &below);
	if (n->type == NODE_DIR)
		return (on_folder(x, hit, below, e));
	if (!hit)
		return (0);
	meter_path(x->o->meter, (const char *)x->walk.path.p);
	return (x->o->dry ? count_entry(x) : restore_entry(x, e));
}

/* ---- the second walk: folders' metadata, from the inside out ---- */

static int
finish_folder(struct restore *x, const struct note *note, struct err *e)
{
	struct node n = { .n_xattrs = note->n_xattrs,
	    .xattrs_at = note->xattrs_at };
	int fd, rc;

	rc = place_fd(&x->place, false, &fd, e);
	return (rc != 0 ? rc : set_meta(x, fd, &note->meta, &n, e));
}

/* ---- the third walk: what is on disk now ---- */

/* Is there nothing but a hole? Where nobody can tell it is read. */
static bool
is_hole(int fd, uint64_t offset, uint64_t len)
{
	off_t data = lseek(fd, (off_t)offset, SEEK_DATA);

	if (data == -1)
		return (errno == ENXIO);
	return ((uint64_t)data >= offset + len);
}

static int
verify_bytes(struct restore *x, int fd, struct err *e)
{
	const struct node *n = &x->walk.node;
	uint8_t part[VERIFY_PART];
	struct content_reader c;
	struct sha256 sha;
	struct where at;
	struct id id, got_id;
	uint64_t offset = 0;
	uint32_t left;
	size_t k, got;
	int rc;

	content_begin(&c, &x->walk.ts, n);
	while ((rc = content_next(&c, &id, e)) > 0) {
		if (id_eq(&id, &chunk_zeros) &&
		    is_hole(fd, offset, CHUNK_MIN)) {
			offset += CHUNK_MIN;
			continue;
		}
		rc = blobmap_find(x->r->map, BLOB_DATA, &id, true, &at, NULL,
		    e);
		if (rc <= 0)
			return (rc < 0 ? rc : err_set(e, ERR_CORRUPT,
			    "the repository lacks one of its blobs"));
		sha256_begin(&sha);
		for (left = where_plain(&at); left > 0; left -= (uint32_t)k) {
			k = left < sizeof(part) ? left : sizeof(part);
			rc = file_pread(fd, part, k, offset, &got, "the file",
			    e);
			if (rc != 0)
				return (rc);
			if (got != k)
				return (err_set(e, ERR_CORRUPT,
				    "the restored file is too short"));
			sha256_update(&sha, part, k);
			offset += k;
		}
		sha256_end(&sha, &got_id);
		if (!id_eq(&got_id, &id))
			return (err_set(e, ERR_CORRUPT, "the restored file is "
			    "not what was saved, before byte %llu",
			    (unsigned long long)offset));
		if ((rc = repo_stopped(x->r, e)) != 0)
			return (rc);
	}
	return (rc);
}

static int
verify_file(struct restore *x, struct err *e)
{
	int dir, fd, rc;

	if ((rc = place_fd(&x->place, false, &dir, e)) != 0)
		return (rc);
	fd = openat(dir, x->walk.node.name, O_RDONLY | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return (err_sys(e, "cannot open the restored file"));
	rc = verify_bytes(x, fd, e);
	(void)close(fd);
	if (rc == 0)
		x->stats->verified++;
	return (rc);
}

/* ---- walks ---- */

enum pass { PASS_MAKE, PASS_FOLDERS, PASS_VERIFY };

static int
visit(struct restore *x, enum pass pass, struct err *e)
{
	const struct node *n = &x->walk.node;
	struct note note;
	bool hit, below;
	int rc;

	if (pass == PASS_MAKE)
		return (on_node(x, e));
	if (!node_name_ok(n))
		return (0);	/* was told */
	hit = selected(x, &below);
	if (n->type != NODE_DIR)
		return (pass == PASS_VERIFY && hit && n->type == NODE_FILE ?
		    verify_file(x, e) : 0);
	if ((!hit && !below) || taken(x, e) != 0)
		return (0);
	memset(&note, 0, sizeof(note));
	note.meta = meta_of(n);
	note.n_xattrs = n->n_xattrs;
	note.xattrs_at = n->xattrs_at;
	note.selected = hit;
	if (place_down(&x->place, n->name, e) != 0)
		return (0);
	if ((rc = treewalk_enter(&x->walk, &note, e)) == 0)
		return (0);
	if (!err_ends_all(rc))	/* its list is lost, which was told */
		rc = pass == PASS_FOLDERS && hit ? finish_folder(x, &note, e) :
		    0;
	place_up(&x->place);
	return (rc);
}

static int
on_leave(struct restore *x, enum pass pass, struct err *e)
{
	struct note note;
	int rc = 0;

	memcpy(&note, x->walk.note, sizeof(note));
	if (pass == PASS_FOLDERS && note.selected)
		rc = finish_folder(x, &note, e);
	place_up(&x->place);
	return (rc);
}

/* ${why} ends the walk: it, or what the filler saw before. */
static void
end_of_all(struct restore *x, const struct err *why, struct err *e)
{

	if (x->filler != NULL && filler_failed(x->filler, e) != 0)
		return;
	*e = *why;
	if (why->sys != 0)
		(void)err_note(e, "%s", (const char *)x->walk.path.p);
}

static int
walk(struct restore *x, const struct id *root, enum pass pass, struct err *e)
{
	struct err why = ERR_INIT;
	int ev, rc = 0;

	if ((rc = treewalk_open(&x->walk, x->r, root, sizeof(struct note),
	    e)) != 0)
		goto out;
	while ((ev = treewalk_next(&x->walk, &why)) != WALK_END) {
		if (ev < 0) {
			rc = ev;
			*e = why;
			break;
		}
		rc = ev == WALK_NODE ? visit(x, pass, &why) :
		    ev == WALK_LEAVE ? on_leave(x, pass, &why) : ERR_CORRUPT;
		if (err_ends_all(rc)) {
			end_of_all(x, &why, e);
			break;
		}
		if (rc != 0 && !(ev == WALK_BROKEN && pass != PASS_MAKE))
			problem(x, &why);
		if ((rc = repo_stopped(x->r, e)) != 0 || (x->filler != NULL &&
		    (rc = filler_failed(x->filler, e)) != 0))
			break;
	}

out:
	/* Files are filled from the map alone: the walk may end before them. */
	if (pass == PASS_MAKE && x->filler != NULL && rc == 0) {
		filler_drain(x->filler);
		rc = filler_failed(x->filler, e);
	}
	while (x->place.depth > 0)
		place_up(&x->place);
	treewalk_close(&x->walk);
	return (rc);
}

static int
start(struct restore *x, const char *target, struct err *e)
{
	struct filler_opts fo = {
		.workers = x->o->workers, .meter = x->o->meter,
		.loss = &x->loss, .problem = x->o->problem,
		.cookie = x->o->cookie,
	};
	int rc;

	if (x->o->dry)
		return (buf_nul(&x->place.path, e));
	if ((rc = place_open(&x->place, target, e)) != 0 ||
	    (rc = pagemap_new(&x->linked, x->r->state->scratch, e)) != 0 ||
	    (rc = spill_open(&x->paths, x->r->state->scratch, PATHS_WINDOW,
	    e)) != 0)
		return (rc);
	place_sweep(x->place.root);
	return (filler_open(&x->filler, x->r, &fo, e));
}

/* Put all of it on the medium; what is written late can fail late. */
static int
settle(struct restore *x, struct err *e)
{

	if (syncfs(x->place.root) == -1 && errno != ENOSYS)
		return (err_sys(e, "cannot sync the restored files"));
	return (0);
}

/* Say what is full. Scratch files lie elsewhere, and say so themselves. */
static void
hint_target(const struct restore *x, const char *target, struct err *e)
{

	if (e->code != ERR_SPACE ||
	    strstr(e->text, x->r->state->path) != NULL)
		return;
	(void)err_note(e, "target '%s'", target);
	(void)err_hint(e, "free space there and restore again with "
	    "--overwrite if-changed: what is whole there stays as it is");
}

int
restore_run(struct repo *r, const struct id *root, const char *target,
    const struct restore_opts *opts, struct restore_stats *stats,
    struct err *e)
{
	struct restore *x;
	int rc;

	if ((x = calloc(1, sizeof(*x))) == NULL)
		return (err_nomem(e));
	x->r = r;
	x->o = opts;
	x->stats = stats;
	x->paths.fd = -1;
	x->xattrs.max = XATTRS_MAX;
	x->other.max = 1 << 20;
	x->place.path.max = 1 << 20;
	if ((rc = start(x, target, e)) != 0)
		goto out;
	rc = walk(x, root, PASS_MAKE, e);
	filler_close(x->filler);
	x->filler = NULL;
	if (rc == 0 && !opts->dry)
		rc = walk(x, root, PASS_FOLDERS, e);
	if (rc == 0 && !opts->dry)
		rc = settle(x, e);
	if (rc == 0 && !opts->dry && opts->verify)
		rc = walk(x, root, PASS_VERIFY, e);
	stats->xattrs_lost = atomic_load(&x->loss.xattrs);
	stats->owners_lost = atomic_load(&x->loss.owners);

out:
	if (rc != 0)
		hint_target(x, target, e);
	filler_close(x->filler);
	pagemap_free(x->linked);
	spill_close(&x->paths);
	place_close(&x->place);
	buf_free(&x->place.path);
	buf_free(&x->xattrs);
	buf_free(&x->other);
	free(x);
	return (rc);
}
