/*
 * Walks file trees, in the order of the names' bytes.
 *
 * A folder is read as a whole, its names are sorted and lie as a list on a spill
 * stack; entering a subfolder puts the present frame and then the new list on
 * top of it, leaving cuts them off. So a folder of a million names and a path of
 * thousands of levels cost the same memory, and no path is ever joined for the
 * kernel: everything is opened relative to its folder.
 *
 * The folders nearest to the present one are kept open. One further up is found
 * again through "..", and trusted only when device and inode are still its own.
 *
 * Above the targets lie folders of which only the way to the targets is wanted:
 * "partial" frames, whose names come from the sorted list of targets.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/pagecache.h"
#include "base/sort.h"
#include "base/spill.h"
#include "source/source.h"
#include "source/targets.h"

enum {
	KEEP = 32,           /* folders kept open */
	DENTS = 32768,       /* bytes of one getdents64 */
	WINDOW = 128 * 1024, /* of names in memory */
	SORT_MEM = CONFIG_SORT_KIB * 1024 / 4,
	PATH_CEILING = 1 << 20, /* the longest path: 4,000 levels of 255 */
	TARGET_LEN = 4096,   /* a symlink's target: PATH_MAX */
	XATTR_MAX = 65536,   /* XATTR_SIZE_MAX and XATTR_LIST_MAX */
	TAGS_MAX = 32,
};

/* A folder being walked. The present one is in struct files, its parents lie on
 * the spill stack. */
struct frame {
	uint64_t next, end;  /* of its list: names, or targets when partial */
	uint64_t list;       /* where the list begins; its frame lies below */
	uint64_t dev, ino;
	uint64_t fs;         /* the device --one-file-system holds on to */
	uint32_t path_len;   /* of its own path, without a slash behind */
	uint32_t depth;      /* 0 is the root above all targets */
	uint32_t tags;       /* one bit for each tag file it has */
	bool partial;
	bool named;          /* and its present name was asked for as it is */
};

struct files {
	struct source base;
	const struct source_spec *spec;
	struct targets targets;
	uint64_t nested, nested_end; /* its records that lie in the present one */
	size_t nested_base;  /* bytes of the path in front of their places */
	struct spill stack;
	struct sorter *sorter;
	struct frame at;
	bool done;
	struct {
		int fd;
		uint32_t depth;
	} open[KEEP];        /* slot of depth d is d % KEEP */
	struct buf path;
	char name[NAME_MAX + 1];
	char link[TARGET_LEN + 1];
	struct stat st;      /* of the entry given last */
	enum entry_kind kind;
	int file;            /* the open file, or -1 */
	struct guest guest;  /* of that */
	bool sparse;
	uint64_t pos, data_end; /* where it is read; up to where is data */
	uint8_t *xattr;      /* room for a list and a value, when needed */
	_Alignas(8) char dents[DENTS];
};

static struct files *
files_of(struct source *s)
{

	return ((struct files *)(void *)s);
}

static int
problem(struct files *f, const struct err *why, struct err *e)
{

	return (source_tell(f->spec->problem, f->spec->cookie,
	    (const char *)f->path.p, why, e));
}

/* ---- the path, for people and patterns ---- */

static int
path_set(struct files *f, size_t keep, const char *name, size_t len,
    struct err *e)
{
	int rc;

	f->path.len = keep;
	if (keep == 0 || f->path.p[keep - 1] != '/')
		if ((rc = buf_add(&f->path, "/", 1, e)) != 0)
			return (rc);	/* a NUL stands behind it still */
	if ((rc = buf_add(&f->path, name, len, e)) == 0 &&
	    (rc = buf_nul(&f->path, e)) == 0)
		return (0);
	f->path.len = keep;	/* the folder's, for the message */
	f->path.p[keep] = '\0';
	return (rc);
}

/* ---- open folders ---- */

static int *
slot_of(struct files *f, uint32_t depth)
{
	uint32_t i = depth % KEEP;

	return (f->open[i].fd != -1 && f->open[i].depth == depth ?
	    &f->open[i].fd : NULL);
}

static void
keep_open(struct files *f, uint32_t depth, int fd)
{
	uint32_t i = depth % KEEP;

	if (f->open[i].fd != -1)
		(void)close(f->open[i].fd);
	f->open[i].fd = fd;
	f->open[i].depth = depth;
}

static bool
same_folder(int fd, const struct frame *fr)
{
	struct stat st;

	return (fstat(fd, &st) == 0 && st.st_dev == fr->dev &&
	    st.st_ino == fr->ino);
}

/* Walk down the present path again, part by part, without following links. */
static int
reopen_by_path(struct files *f)
{
	char part[NAME_MAX + 1];
	const char *s = (const char *)f->path.p, *end;
	int fd, next;

	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (; fd != -1 && *s != '\0'; s = end) {
		while (*s == '/')
			s++;
		end = s + strcspn(s, "/");
		if (end == s || (size_t)(end - s) > NAME_MAX)
			continue;
		memcpy(part, s, (size_t)(end - s));
		part[end - s] = '\0';
		next = openat(fd, part, O_PATH | O_DIRECTORY | O_CLOEXEC);
		(void)close(fd);
		fd = next;
	}
	return (fd);
}

/* The present folder's descriptor; -1 with errno when it is lost. */
static int
folder_fd(struct files *f)
{
	int *slot = slot_of(f, f->at.depth), fd;

	if (slot != NULL)
		return (*slot);
	f->path.p[f->at.path_len] = '\0';
	fd = reopen_by_path(f);
	if (fd == -1 || !same_folder(fd, &f->at)) {
		if (fd != -1)
			(void)close(fd);
		errno = ESTALE;
		return (-1);
	}
	keep_open(f, f->at.depth, fd);
	return (fd);
}

/* Back in the parent ${f->at}: is it still open, or found through ".."? */
static void
find_parent(struct files *f, int child)
{
	int fd;

	if (f->at.depth == 0 || slot_of(f, f->at.depth) != NULL || child == -1)
		return;
	fd = openat(child, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1 && same_folder(fd, &f->at))
		keep_open(f, f->at.depth, fd);
	else if (fd != -1)
		(void)close(fd);
}

static int
open_folder(int parent, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, fd;

	/* Reading leaves no trace where we may ask for that. */
	fd = openat(parent, name, flags | O_NOATIME);
	return (fd == -1 && errno == EPERM ? openat(parent, name, flags) : fd);
}

/* ---- reading a folder ---- */

/* The kernel's record; libc's readdir reads 2 KiB at a time. */
struct dent {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

static int
sort_names(struct files *f, int fd, struct err *e)
{
	const struct dent *d;
	long n, at;
	int rc;

	sorter_reset(f->sorter);
	while ((n = syscall(SYS_getdents64, fd, f->dents, DENTS)) > 0) {
		for (at = 0; at < n; at += d->len) {
			d = (const void *)(f->dents + at);
			if (strcmp(d->name, ".") == 0 ||
			    strcmp(d->name, "..") == 0)
				continue;
			rc = sorter_add(f->sorter, d->name, strlen(d->name),
			    e);
			if (rc != 0)
				return (rc);
		}
	}
	return (n == 0 ? 0 : err_sys(e, "cannot read the folder"));
}

/* Put the sorted names on the stack: a length byte pair and the bytes. */
static int
push_names(struct files *f, struct err *e)
{
	uint8_t rec[2 + NAME_MAX];
	const void *p;
	size_t len;
	int rc;

	while ((rc = sorter_next(f->sorter, &p, &len, e)) > 0) {
		if (len > NAME_MAX)
			continue;	/* no kernel gives one */
		rec[0] = (uint8_t)len;
		rec[1] = (uint8_t)(len >> 8);
		memcpy(rec + 2, p, len);
		if ((rc = spill_push(&f->stack, rec, 2 + len, e)) != 0)
			return (rc);
	}
	return (rc);
}

static bool
has_tag(int fd, const struct source_tag *t)
{
	char text[256];
	size_t want = t->header != NULL ? strlen(t->header) : 0;
	ssize_t n;
	int tag;

	if (want == 0)
		return (faccessat(fd, t->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	if (want > sizeof(text))
		return (false);
	tag = openat(fd, t->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (tag == -1)
		return (false);
	n = read(tag, text, want);
	(void)close(tag);
	return (n == (ssize_t)want && memcmp(text, t->header, want) == 0);
}

static uint32_t
tags_of(const struct files *f, int fd)
{
	uint32_t tags = 0;
	size_t i;

	for (i = 0; i < f->spec->n_tags && i < TAGS_MAX; i++)
		if (has_tag(fd, &f->spec->tags[i]))
			tags |= 1u << i;
	return (tags);
}

/* Does a tag file keep this entry out? The tag file itself stays. */
static bool
tagged_out(const struct files *f)
{
	size_t i;

	for (i = 0; i < f->spec->n_tags && i < TAGS_MAX; i++)
		if ((f->at.tags & 1u << i) != 0 &&
		    strcmp(f->name, f->spec->tags[i].name) != 0)
			return (true);
	return (false);
}

/* ---- what was asked for ---- */

struct relation {
	bool is, leads;
};

/*
 * Was the present path asked for by itself, or something below it, though it
 * lies in a folder that was, too? Such a path is saved whatever leaves it out.
 */
static struct relation
relation(struct files *f)
{
	struct relation r = { false, false };
	const char *path = (const char *)f->path.p + f->nested_base;
	size_t n = strlen(path);
	uint64_t at = f->nested;
	struct target t;

	while (at < f->nested_end &&
	    targets_read(&f->targets, at, &t, NULL) > 0) {
		if (strncmp(t.text, path, n) == 0) {
			r.is = r.is || t.text[n] == '\0';
			r.leads = r.leads || t.text[n] == '/';
		}
		at = t.next;
	}
	return (r);
}

static bool
asked_for(struct files *f)
{
	struct relation r = relation(f);

	return (r.is || r.leads);
}

/* ---- frames ---- */

static int
push_frame(struct files *f, struct err *e)
{

	return (spill_push(&f->stack, &f->at, sizeof(f->at), e));
}

/* Give up the present frame for its parent's. */
static int
pop_frame(struct files *f, struct err *e)
{
	uint64_t below = f->at.list - sizeof(f->at);
	int *slot = slot_of(f, f->at.depth), child, rc;

	child = slot != NULL ? *slot : -1;
	rc = spill_read(&f->stack, below, &f->at, sizeof(f->at), e);
	if (rc != 0)
		return (rc);
	spill_cut(&f->stack, below);
	find_parent(f, child);
	if (child != -1) {
		*slot = -1;
		(void)close(child);
	}
	return (0);
}

/*
 * Enter the folder ${fd}, of which f->st tells, with all it contains. The list is
 * read first: a folder that cannot be read is not entered.
 */
static int
enter_folder(struct files *f, int fd, struct err *e)
{
	uint64_t back = spill_top(&f->stack);
	struct frame child = {
		.dev = f->st.st_dev, .ino = f->st.st_ino,
		.path_len = (uint32_t)f->path.len, .depth = f->at.depth + 1,
		.fs = f->at.named ? f->st.st_dev : f->at.fs,
	};
	int rc;

	if (f->spec->one_file_system && child.fs != child.dev &&
	    relation(f).is)
		child.fs = child.dev;
	if ((rc = sort_names(f, fd, e)) != 0 ||
	    (rc = push_frame(f, e)) != 0 || (rc = push_names(f, e)) != 0) {
		spill_cut(&f->stack, back);
		return (rc);
	}
	child.list = child.next = back + sizeof(f->at);
	child.end = spill_top(&f->stack);
	child.tags = tags_of(f, fd);
	f->at = child;
	keep_open(f, child.depth, fd);
	return (0);
}

/* Enter a folder above targets: its entries are records [next, end) of them. */
static int
enter_partial(struct files *f, int fd, uint64_t next, uint64_t end,
    struct err *e)
{
	struct frame child = {
		.dev = f->st.st_dev, .ino = f->st.st_ino,
		.path_len = (uint32_t)f->path.len, .depth = f->at.depth + 1,
		.next = next, .end = end, .partial = true, .named = true,
	};
	int rc;

	if ((rc = push_frame(f, e)) != 0)
		return (rc);
	child.list = spill_top(&f->stack);
	f->at = child;
	keep_open(f, child.depth, fd);
	return (0);
}

/* ---- one entry ---- */

static bool
left_out_by_name(const struct files *f)
{
	const char *path = (const char *)f->path.p;

	return ((f->spec->exclude != NULL &&
	    filter_match(f->spec->exclude, path, NULL)) ||
	    (f->spec->iexclude != NULL &&
	    filter_match(f->spec->iexclude, path, NULL)));
}

/* The repository that is written. */
static bool
is_own(const struct files *f)
{
	const struct stat *own = f->spec->own;

	return (own != NULL && f->st.st_dev == own->st_dev &&
	    f->st.st_ino == own->st_ino && S_ISDIR(f->st.st_mode));
}

static bool
left_out_by_stat(const struct files *f)
{
	const struct source_spec *s = f->spec;
	const struct stat *st = &f->st;

	if (s->one_file_system && st->st_dev != f->at.fs) {
		/* A mount point stays, as an empty folder. */
		if (!S_ISDIR(st->st_mode) || f->at.dev != f->at.fs)
			return (true);
	}
	if (!S_ISREG(st->st_mode))
		return (false);
	return ((s->larger_than != 0 &&
	    (uint64_t)st->st_size > s->larger_than) ||
	    st->st_mtim.tv_sec < s->newer_than);
}

static void
fill_entry(struct files *f, struct entry *ret, enum entry_kind kind)
{

	f->kind = kind;
	ret->kind = kind;
	ret->name = f->name;
	ret->name_len = strlen(f->name);
	ret->path = (const char *)f->path.p;
	ret->st = f->st;
	ret->target = f->link;
	ret->target_len = 0;
}

/* 1: given; 0: left out or a problem that was told; or ERR_*. */
static int
give_folder(struct files *f, int parent, struct entry *ret, struct err *e)
{
	struct err why = ERR_INIT;
	int fd, rc;

	fd = open_folder(parent, f->name);
	if (fd == -1) {
		(void)err_sys(&why, "cannot open the folder");
		return (problem(f, &why, e));
	}
	/* From here on it is the folder that was opened, whatever its name. */
	if (fstat(fd, &f->st) == -1) {
		(void)err_sys(&why, "cannot stat the folder");
		(void)close(fd);
		return (problem(f, &why, e));
	}
	fill_entry(f, ret, ENTRY_ENTER);
	if ((rc = enter_folder(f, fd, &why)) != 0) {
		(void)close(fd);
		if (why.sys != 0)
			return (problem(f, &why, e));
		*e = why;
		return (rc);
	}
	return (1);
}

static int
give_link(struct files *f, int parent, struct entry *ret, struct err *e)
{
	struct err why = ERR_INIT;
	ssize_t n;

	n = readlinkat(parent, f->name, f->link, TARGET_LEN);
	if (n == -1) {
		(void)err_sys(&why, "cannot read the link");
		return (problem(f, &why, e));
	}
	f->link[n] = '\0';
	fill_entry(f, ret, ENTRY_SYMLINK);
	ret->target_len = (size_t)n;
	return (1);
}

/* The entry f->name of the folder ${parent}, with the path set. */
static int
give(struct files *f, int parent, struct entry *ret, struct err *e)
{
	struct err why = ERR_INIT;

	if (!f->at.named && (tagged_out(f) || left_out_by_name(f)) &&
	    !asked_for(f)) {
		f->base.excluded++;
		return (0);
	}
	if (fstatat(parent, f->name, &f->st, AT_SYMLINK_NOFOLLOW) == -1) {
		(void)err_sys(&why, errno == ENOENT ?
		    "vanished while its folder was read" : "cannot stat");
		return (problem(f, &why, e));
	}
	if (is_own(f) ||
	    (!f->at.named && left_out_by_stat(f) && !asked_for(f))) {
		f->base.excluded++;
		return (0);
	}
	switch (f->st.st_mode & S_IFMT) {
	case S_IFDIR:
		return (give_folder(f, parent, ret, e));
	case S_IFLNK:
		return (give_link(f, parent, ret, e));
	case S_IFREG:
		fill_entry(f, ret, ENTRY_FILE);
		return (1);
	case S_IFBLK:
		fill_entry(f, ret, ENTRY_BLOCK);
		return (1);
	case S_IFCHR:
		fill_entry(f, ret, ENTRY_CHAR);
		return (1);
	case S_IFIFO:
		fill_entry(f, ret, ENTRY_FIFO);
		return (1);
	default:	/* a socket is its program's, there is nothing to save */
		f->base.sockets++;
		return (0);
	}
}

/* The next name of a whole folder. */
static int
next_name(struct files *f, struct entry *ret, struct err *e)
{
	struct err why = ERR_INIT;
	uint8_t len[2];
	size_t n;
	int fd, rc;

	if ((rc = spill_read(&f->stack, f->at.next, len, 2, e)) != 0)
		return (rc);
	n = len[0] | (size_t)len[1] << 8;
	rc = spill_read(&f->stack, f->at.next + 2, f->name, n, e);
	if (rc != 0)
		return (rc);
	f->name[n] = '\0';
	f->at.next += 2 + n;
	if ((rc = path_set(f, f->at.path_len, f->name, n, &why)) != 0) {
		(void)err_set(&why, rc, "its path is too long");
		return (problem(f, &why, e));
	}
	if ((fd = folder_fd(f)) == -1) {
		(void)err_sys(&why, "its folder was moved while it was read");
		return (problem(f, &why, e));
	}
	return (give(f, fd, ret, e));
}

/* ---- the folders above the targets ---- */

/* The records from f->at.next on that share part ${depth} with the first. */
static int
partial_range(struct files *f, struct target *first, uint64_t *ret_end,
    bool *ret_leaf, struct err *e)
{
	unsigned depth = f->at.depth;
	struct target t;
	const char *x, *y;
	size_t n, m;
	int rc;

	if ((rc = targets_read(&f->targets, f->at.next, first, e)) < 0)
		return (rc);
	x = target_part(first, depth, &n);
	*ret_leaf = x[n] == '\0';
	*ret_end = first->next;
	while (*ret_end < f->at.end &&
	    (rc = targets_read(&f->targets, *ret_end, &t, e)) > 0) {
		y = target_part(&t, depth, &m);
		if (n != m || memcmp(x, y, n) != 0)
			break;
		if (strcmp(first->base, t.base) != 0) {
			(void)err_set(e, ERR_USAGE, "two sources would share "
			    "the name '%.*s' in the snapshot", (int)n, x);
			return (err_hint(e, "name them by absolute paths"));
		}
		*ret_end = t.next;
	}
	return (rc < 0 ? rc : 0);
}

/* A folder above targets: followed through links, as its path was given. */
static int
give_partial(struct files *f, int parent, uint64_t end, struct entry *ret,
    struct err *e)
{
	uint64_t next = f->at.next;
	struct err why = ERR_INIT;
	int fd, rc;

	f->at.next = end;
	fd = openat(parent, f->name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &f->st) == -1) {
		(void)err_sys(&why, "cannot open the folder");
		if (fd != -1)
			(void)close(fd);
		return (problem(f, &why, e));
	}
	fill_entry(f, ret, ENTRY_ENTER);
	if ((rc = enter_partial(f, fd, next, end, e)) != 0)
		return (rc);
	return (1);
}

/* What was found in the folder ${fd} is treated as a folder's entries are. */
static void
begin_found(struct files *f, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		f->at.dev = f->at.fs = st.st_dev;
	f->at.tags = tags_of(f, fd);
}

static int
next_target(struct files *f, struct entry *ret, struct err *e)
{
	struct err why = ERR_INIT;
	struct target first;
	const char *part;
	uint64_t end;
	bool leaf;
	size_t n;
	int parent, rc;

	if ((rc = partial_range(f, &first, &end, &leaf, e)) != 0)
		return (rc);
	part = target_part(&first, f->at.depth, &n);
	if (n > NAME_MAX)
		n = NAME_MAX;
	memcpy(f->name, part, n);
	f->name[n] = '\0';
	if (f->at.depth == 0) {
		buf_reset(&f->path);
		if ((rc = buf_str(&f->path, first.base, e)) != 0)
			return (rc);
		f->at.path_len = (uint32_t)f->path.len;
		parent = open(first.base, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (parent != -1)
			keep_open(f, 0, parent);
		f->at.named = !first.found;
		if (first.found && parent != -1)
			begin_found(f, parent);
	} else {
		parent = folder_fd(f);
	}
	if ((rc = path_set(f, f->at.path_len, f->name, n, e)) != 0)
		return (rc);
	if (parent == -1) {
		(void)err_sys(&why, "cannot open the folder above");
		f->at.next = end;
		return (problem(f, &why, e));
	}
	if (leaf) {
		f->at.next = end;	/* what lies below it comes with it */
		f->nested = first.next;
		f->nested_end = end;
		f->nested_base = strcmp(first.base, "/") == 0 ? 1 :
		    strlen(first.base) + 1;
		return (give(f, parent, ret, e));
	}
	return (give_partial(f, parent, end, ret, e));
}

static void
close_file(struct files *f)
{

	if (f->file == -1)
		return;
	guest_end(&f->guest);
	(void)close(f->file);
	f->file = -1;
}

static int
files_next(struct source *s, struct entry *ret, struct err *e)
{
	struct files *f = files_of(s);
	int rc;

	close_file(f);
	while (!f->done) {
		if (f->at.next < f->at.end) {
			rc = f->at.partial ? next_target(f, ret, e) :
			    next_name(f, ret, e);
			if (rc != 0)
				return (rc);
		} else if (f->at.depth == 0) {
			f->done = true;
		} else {
			if ((rc = pop_frame(f, e)) != 0)
				return (rc);
			ret->kind = f->kind = ENTRY_LEAVE;
			return (1);
		}
	}
	return (0);
}

/* ---- bytes of a file ---- */

static int
files_open(struct source *s, struct entry *entry, struct err *e)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct files *f = files_of(s);
	int parent, fd;

	if ((parent = folder_fd(f)) == -1)
		return (err_sys(e, "its folder was moved while it was read"));
	fd = openat(parent, f->name, flags | O_NOATIME);
	if (fd == -1 && errno == EPERM)
		fd = openat(parent, f->name, flags);
	if (fd == -1)
		return (err_sys(e, errno == ENOENT ?
		    "vanished before it was read" : "cannot open"));
	if (fstat(fd, &f->st) == -1 || !S_ISREG(f->st.st_mode)) {
		(void)close(fd);
		return (err_set(e, ERR_FAIL,
		    "turned into something that is not a file"));
	}
	entry->st = f->st;
	f->file = fd;
	f->pos = f->data_end = 0;
	guest_begin(&f->guest, fd, (uint64_t)f->st.st_size);
	/* Fewer blocks than bytes: it has holes, or a file system that packs. */
	f->sparse = (uint64_t)f->st.st_blocks * 512 <
	    (uint64_t)f->st.st_size;
	return (0);
}

/* At f->pos: is it data (up to f->data_end) or a hole of ${*ret_hole}? */
static int
next_extent(struct files *f, uint64_t *ret_hole, struct err *e)
{
	off_t data, hole;
	struct stat st;

	data = lseek(f->file, (off_t)f->pos, SEEK_DATA);
	if (data == -1 && errno == ENXIO) {	/* a hole up to the end */
		if (fstat(f->file, &st) == -1)
			return (err_sys(e, "cannot stat"));
		if ((uint64_t)st.st_size > f->pos)
			*ret_hole = (uint64_t)st.st_size - f->pos;
		return (0);
	}
	if (data == -1) {	/* no such thing here: read it all */
		f->sparse = false;
		return (0);
	}
	if ((uint64_t)data > f->pos) {
		*ret_hole = (uint64_t)data - f->pos;
		return (0);
	}
	hole = lseek(f->file, data, SEEK_HOLE);
	if (hole == -1)
		return (err_sys(e, "cannot look for holes"));
	f->data_end = (uint64_t)hole;
	return (0);
}

static int
files_read(struct source *s, void *p, size_t cap, size_t *ret,
    uint64_t *ret_hole, struct err *e)
{
	struct files *f = files_of(s);
	ssize_t n;
	int rc;

	*ret = 0;
	*ret_hole = 0;
	if (f->sparse && f->pos >= f->data_end) {
		if ((rc = next_extent(f, ret_hole, e)) != 0)
			return (rc);
		if (*ret_hole > 0) {
			f->pos += *ret_hole;
			return (0);
		}
	}
	if (f->sparse && f->data_end > f->pos && cap > f->data_end - f->pos)
		cap = (size_t)(f->data_end - f->pos);
	while ((n = pread(f->file, p, cap, (off_t)f->pos)) == -1 &&
	    errno == EINTR)
		;
	if (n == -1)
		return (err_sys(e, "cannot read"));
	f->pos += (uint64_t)n;
	guest_passed(&f->guest, f->pos);
	*ret = (size_t)n;
	return (0);
}

/* ---- extended attributes ---- */

/* How to reach the entry given last: a descriptor, or a path through /proc. */
struct reach {
	int fd;              /* -1: by path */
	char path[64 + NAME_MAX];
};

static bool
reach_entry(struct files *f, struct reach *r)
{
	int fd;

	r->fd = f->file;
	if (r->fd != -1)
		return (true);
	fd = folder_fd(f);
	if (f->kind == ENTRY_ENTER) {	/* the present folder is the entry */
		(void)snprintf(r->path, sizeof(r->path), "/proc/self/fd/%d/.",
		    fd);
	} else {
		(void)snprintf(r->path, sizeof(r->path), "/proc/self/fd/%d/%s",
		    fd, f->name);
	}
	return (fd != -1);
}

static ssize_t
list_xattrs(const struct reach *r, char *p, size_t len)
{

	return (r->fd != -1 ? flistxattr(r->fd, p, len) :
	    llistxattr(r->path, p, len));
}

static ssize_t
get_xattr(const struct reach *r, const char *name, void *p, size_t len)
{

	return (r->fd != -1 ? fgetxattr(r->fd, name, p, len) :
	    lgetxattr(r->path, name, p, len));
}

static int
files_xattrs(struct source *s, source_xattr *fn, void *cookie, struct err *e)
{
	struct files *f = files_of(s);
	const char *name;
	struct reach r;
	ssize_t n, len;
	int rc;

	if (f->xattr == NULL && (f->xattr = malloc(2 * XATTR_MAX)) == NULL)
		return (err_nomem(e));
	if (!reach_entry(f, &r))
		return (0);
	n = list_xattrs(&r, (char *)f->xattr, XATTR_MAX);
	if (n == -1) {
		/* File systems without any, and boxes without /proc. */
		if (errno == ENOTSUP || errno == ENOSYS || errno == ENOENT)
			return (0);
		return (err_sys(e, "cannot list its extended attributes"));
	}
	for (name = (const char *)f->xattr; name < (char *)f->xattr + n;
	    name += strlen(name) + 1) {
		len = get_xattr(&r, name, f->xattr + XATTR_MAX, XATTR_MAX);
		if (len == -1 && errno == ENODATA)
			continue;	/* removed meanwhile */
		if (len == -1)
			return (err_sys(e, "cannot read its extended "
			    "attribute %s", name));
		rc = fn(cookie, name, f->xattr + XATTR_MAX, (size_t)len, e);
		if (rc != 0)
			return (rc);
	}
	return (0);
}

/* ---- life ---- */

static int
files_target_paths(struct source *s, int (*fn)(void *cookie,
    const char *path, struct err *), void *cookie, struct err *e)
{
	struct files *f = files_of(s);
	struct spill *given = &f->targets.given;
	uint64_t at = 0, top = spill_top(given);
	struct buf path = BUF_INIT(PATH_CEILING);
	char part[256];
	size_t n, len;
	int rc = 0;

	while (at < top && rc == 0) {
		n = top - at < sizeof(part) ? (size_t)(top - at) : sizeof(part);
		if ((rc = spill_read(given, at, part, n, e)) != 0)
			break;
		len = strnlen(part, n);
		if ((rc = buf_add(&path, part, len, e)) != 0)
			break;
		at += len;
		if (len < n) {
			if ((rc = buf_nul(&path, e)) == 0)
				rc = fn(cookie, (char *)path.p, e);
			buf_reset(&path);
			at++;
		}
	}
	buf_free(&path);
	return (rc);
}

static void
files_close(struct source *s)
{
	struct files *f = files_of(s);
	int i;

	for (i = 0; i < KEEP; i++)
		if (f->open[i].fd != -1)
			(void)close(f->open[i].fd);
	close_file(f);
	targets_close(&f->targets);
	spill_close(&f->stack);
	sorter_free(f->sorter);
	buf_free(&f->path);
	free(f->xattr);
	free(f);
}

static const struct source_ops files_ops = {
	.next = files_next,
	.open = files_open,
	.read = files_read,
	.xattrs = files_xattrs,
	.target_paths = files_target_paths,
	.close = files_close,
};

static int
files_new(struct source **ret, const struct source_spec *spec, struct err *e)
{
	struct files *f;
	int i, rc;

	if ((f = calloc(1, sizeof(*f))) == NULL)
		return (err_nomem(e));
	f->base.ops = &files_ops;
	f->spec = spec;
	f->file = -1;
	f->path.max = PATH_CEILING;
	f->stack.fd = f->targets.list.fd = f->targets.given.fd = -1;
	for (i = 0; i < KEEP; i++)
		f->open[i].fd = -1;
	if ((rc = spill_open(&f->stack, spec->scratch, WINDOW, e)) != 0 ||
	    (rc = sorter_new(&f->sorter, spec->scratch, SORT_MEM, sort_bytes,
	    e)) != 0 ||
	    (rc = targets_open(&f->targets, spec, e)) != 0) {
		files_close(&f->base);
		return (rc);
	}
	f->at.partial = true;
	f->at.end = spill_top(&f->targets.list);
	*ret = &f->base;
	return (0);
}

const struct source_kind source_files = {
	.name = "files",
	.summary = "folders and files of this box",
	.open = files_new,
};
