/*
 * treecmp [OPTION...] A B: are these two trees the same? All of it: names, types,
 * modes, owners, times to the nanosecond, sizes, contents, link targets, device
 * numbers, extended attributes, which names are one file, and holes. Every path
 * is walked with openat, so that it may be longer than PATH_MAX. Says what
 * differs; exits 0, 1 (they differ) or 2.
 *
 *	-o  owners may differ          -x  extended attributes may differ
 *	-y  those of symlinks may, and *.on.link anywhere (an old restic follows)
 *	-l  links may be files of their own
 *	-h  B's files may not be less sparse than A's (by blocks)
 *	-t  times may differ           -T  the top folders' own metadata too
 *	-m N  at most N lines          -s  sockets of A are expected in B
 *	-q  symlink targets that are not ASCII may differ
 *	-r  what restic's restore does not do: linked names of other things than
 *	    files, times beyond the year 2262
 *
 * Linked fifos may be fifos of their own: restic's format cannot tell.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static bool no_owner, no_xattr, no_link_xattr, no_links, holes, no_time;
static bool top_too, sockets, lax_targets, as_restic;
static unsigned long max_lines = 20, differences, entries;

/* ---- telling ---- */

static char *path;	/* of the present entry */
static size_t path_len, path_room;

static size_t
path_add(const char *name)
{
	size_t was = path_len, n = strlen(name);

	if (path_len + n + 2 > path_room) {
		path_room = (path_len + n + 2) * 2;
		if ((path = realloc(path, path_room)) == NULL)
			err(2, "memory");
	}
	path[path_len++] = '/';
	memcpy(path + path_len, name, n + 1);
	path_len += n;
	return (was);
}

static void
path_cut(size_t len)
{

	path_len = len;
	path[len] = '\0';
}

static void __attribute__((format(printf, 1, 2)))
differ(const char *fmt, ...)
{
	const char *s = path;
	va_list ap;

	if (differences++ >= max_lines)
		return;
	if (path_len > 300)
		printf("..."), s = path + path_len - 300;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
			printf("\\x%02x", (unsigned char)*s);
		else
			putchar(*s);
	printf(": ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* ---- which names are one file ---- */

struct pair {
	struct pair *next;
	dev_t dev[2];
	ino_t ino[2];
};
#define BUCKETS 65536
static struct pair *bucket[2][BUCKETS];

static struct pair *
find_pair(int side, const struct stat *st)
{
	struct pair *p = bucket[side][(st->st_ino * 31 + st->st_dev) % BUCKETS];

	for (; p != NULL; p = p->next)
		if (p->dev[side] == st->st_dev && p->ino[side] == st->st_ino)
			return (p);
	return (NULL);
}

static void
same_links(const struct stat *a, const struct stat *b)
{
	struct pair *p, *q;
	int i;

	if (a->st_nlink != b->st_nlink)
		differ("%lu names, and %lu", (unsigned long)a->st_nlink,
		    (unsigned long)b->st_nlink);
	if (a->st_nlink < 2 && b->st_nlink < 2)
		return;
	p = find_pair(0, a);
	q = find_pair(1, b);
	if (p == NULL && q == NULL) {
		for (i = 0; i < 2; i++) {
			struct pair **at;
			const struct stat *st = i == 0 ? a : b;

			if ((p = calloc(1, sizeof(*p))) == NULL)
				err(2, "memory");
			p->dev[0] = a->st_dev;
			p->ino[0] = a->st_ino;
			p->dev[1] = b->st_dev;
			p->ino[1] = b->st_ino;
			at = &bucket[i][(st->st_ino * 31 + st->st_dev) %
			    BUCKETS];
			p->next = *at;
			*at = p;
		}
		return;
	}
	if (p == NULL || q == NULL || p->ino[1] != b->st_ino ||
	    p->dev[1] != b->st_dev || q->ino[0] != a->st_ino ||
	    q->dev[0] != a->st_dev)
		differ("is linked with other names");
}

/* ---- extended attributes ---- */

struct attrs {
	char list[65536];
	ssize_t len;
	const char *name[4096];
	size_t n;
};

static int
by_name(const void *x, const void *y)
{

	return (strcmp(*(char *const *)x, *(char *const *)y));
}

static bool
passed_over(const char *key)
{
	size_t n = strlen(key);

	return (no_link_xattr && n > 8 && strcmp(key + n - 8, ".on.link") == 0);
}

static void
list_attrs(struct attrs *a, const char *proc)
{
	const char *s;

	a->n = 0;
	a->len = llistxattr(proc, a->list, sizeof(a->list));
	if (a->len == -1 && errno != ENOTSUP)
		differ("its attributes cannot be listed: %s", strerror(errno));
	for (s = a->list; a->len > 0 && s < a->list + a->len;
	    s += strlen(s) + 1)
		if (a->n < 4096 && !passed_over(s))
			a->name[a->n++] = s;
	qsort(a->name, a->n, sizeof(a->name[0]), by_name);
}

static void
same_attrs(int da, int db, const char *name)
{
	static struct attrs a, b;
	static char va[65536], vb[65536];
	char pa[320], pb[320];
	size_t i, k;
	ssize_t na, nb;
	int c;

	(void)snprintf(pa, sizeof(pa), "/proc/self/fd/%d/%s", da, name);
	(void)snprintf(pb, sizeof(pb), "/proc/self/fd/%d/%s", db, name);
	list_attrs(&a, pa);
	list_attrs(&b, pb);
	for (i = k = 0; i < a.n || k < b.n; ) {
		c = i == a.n ? 1 : k == b.n ? -1 : strcmp(a.name[i], b.name[k]);
		if (c < 0) {
			differ("lacks the attribute %s", a.name[i++]);
		} else if (c > 0) {
			differ("has the attribute %s more", b.name[k++]);
		} else {
			na = lgetxattr(pa, a.name[i], va, sizeof(va));
			nb = lgetxattr(pb, b.name[k], vb, sizeof(vb));
			if (na != nb || (na > 0 && memcmp(va, vb, na) != 0))
				differ("another value of %s", a.name[i]);
			i++;
			k++;
		}
	}
}

/* ---- contents ---- */

/* The next place at or behind ${at} where ${fd} has data. */
static off_t
next_data(int fd, off_t at, off_t size)
{
	off_t n = lseek(fd, at, SEEK_DATA);

	return (n == -1 ? (errno == ENXIO ? size : at) : n);
}

static void
same_bytes(int da, int db, const char *name, off_t size)
{
	static char ba[1 << 20], bb[1 << 20];
	int fa, fb;
	off_t at, x, y;
	ssize_t na, nb;

	fa = openat(da, name, O_RDONLY | O_NOFOLLOW | O_NOATIME);
	if (fa == -1)
		fa = openat(da, name, O_RDONLY | O_NOFOLLOW);
	fb = openat(db, name, O_RDONLY | O_NOFOLLOW);
	if (fa == -1 || fb == -1) {
		differ("cannot be opened: %s", strerror(errno));
		goto out;
	}
	for (at = 0; at < size; at += na) {
		x = next_data(fa, at, size);
		y = next_data(fb, at, size);
		at = x < y ? x : y;
		if (at >= size)
			break;
		na = pread(fa, ba, sizeof(ba), at);
		nb = pread(fb, bb, sizeof(bb), at);
		if (na != nb || na <= 0 || memcmp(ba, bb, na) != 0) {
			differ("other bytes at or behind %lld", (long long)at);
			break;
		}
	}

out:
	if (fa != -1)
		(void)close(fa);
	if (fb != -1)
		(void)close(fb);
}

/* ---- an entry ---- */

static const char *
kind(mode_t m)
{

	return (S_ISREG(m) ? "file" : S_ISDIR(m) ? "folder" :
	    S_ISLNK(m) ? "symlink" : S_ISCHR(m) ? "character device" :
	    S_ISBLK(m) ? "block device" : S_ISFIFO(m) ? "fifo" :
	    S_ISSOCK(m) ? "socket" : "thing");
}

static void
same_target(int da, int db, const char *name)
{
	char ta[8192], tb[8192];
	ssize_t na = readlinkat(da, name, ta, sizeof(ta));
	ssize_t nb = readlinkat(db, name, tb, sizeof(tb)), i;

	for (i = 0; lax_targets && i < na; i++)
		if (ta[i] & 0x80)
			return;
	if (na != nb || memcmp(ta, tb, na) != 0)
		differ("points to '%.*s', not '%.*s'", (int)nb, tb, (int)na, ta);
}

static void
same_meta(int da, int db, const char *name, const struct stat *a,
    const struct stat *b)
{
	bool link = S_ISLNK(a->st_mode);

	if ((a->st_mode & 07777) != (b->st_mode & 07777))
		differ("mode %04o, not %04o", b->st_mode & 07777,
		    a->st_mode & 07777);
	if (!no_owner && (a->st_uid != b->st_uid || a->st_gid != b->st_gid))
		differ("owner %u:%u, not %u:%u", b->st_uid, b->st_gid,
		    a->st_uid, a->st_gid);
	if (as_restic && a->st_mtim.tv_sec > 9223372036)
		;
	else if (!no_time && (a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	    a->st_mtim.tv_nsec != b->st_mtim.tv_nsec))
		differ("time %lld.%09ld, not %lld.%09ld",
		    (long long)b->st_mtim.tv_sec, b->st_mtim.tv_nsec,
		    (long long)a->st_mtim.tv_sec, a->st_mtim.tv_nsec);
	if (!no_xattr && !(link && no_link_xattr))
		same_attrs(da, db, name);
}

static void
same_entry(int da, int db, const char *name, const struct stat *a,
    const struct stat *b)
{

	if ((a->st_mode & S_IFMT) != (b->st_mode & S_IFMT)) {
		differ("a %s, not a %s", kind(b->st_mode), kind(a->st_mode));
		return;
	}
	same_meta(da, db, name, a, b);
	if (S_ISDIR(a->st_mode))
		return;
	if (!no_links && !S_ISFIFO(a->st_mode) &&
	    (S_ISREG(a->st_mode) || !as_restic))
		same_links(a, b);
	if (S_ISLNK(a->st_mode))
		same_target(da, db, name);
	if ((S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) &&
	    a->st_rdev != b->st_rdev)
		differ("another device");
	if (!S_ISREG(a->st_mode))
		return;
	if (a->st_size != b->st_size)
		differ("%lld bytes, not %lld", (long long)b->st_size,
		    (long long)a->st_size);
	else
		same_bytes(da, db, name, a->st_size);
	/* An odd block of a border is no matter. */
	if (holes && b->st_blocks > a->st_blocks + 16)
		differ("takes %lld blocks, not %lld", (long long)b->st_blocks,
		    (long long)a->st_blocks);
}

/* ---- folders ---- */

struct names {
	char **v;
	size_t n, room;
};

static void
read_names(int dir, struct names *ret)
{
	struct dirent *d;
	DIR *dp;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY);

	memset(ret, 0, sizeof(*ret));
	if (fd == -1 || (dp = fdopendir(fd)) == NULL) {
		differ("cannot be listed: %s", strerror(errno));
		return;
	}
	while ((d = readdir(dp)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (ret->n == ret->room) {
			ret->room = ret->room * 2 + 64;
			ret->v = realloc(ret->v, ret->room * sizeof(char *));
		}
		if (ret->v == NULL ||
		    (ret->v[ret->n++] = strdup(d->d_name)) == NULL)
			err(2, "memory");
	}
	(void)closedir(dp);
	qsort(ret->v, ret->n, sizeof(char *), by_name);
}

static void
free_names(struct names *l)
{

	while (l->n > 0)
		free(l->v[--l->n]);
	free(l->v);
}

static void same_folders(int da, int db);

static void
same_name(int da, int db, const char *name)
{
	struct stat a, b;
	int xa, xb;

	entries++;
	if (fstatat(da, name, &a, AT_SYMLINK_NOFOLLOW) == -1 ||
	    fstatat(db, name, &b, AT_SYMLINK_NOFOLLOW) == -1) {
		differ("cannot be looked at: %s", strerror(errno));
		return;
	}
	same_entry(da, db, name, &a, &b);
	if (!S_ISDIR(a.st_mode) || !S_ISDIR(b.st_mode))
		return;
	xa = openat(da, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	xb = openat(db, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (xa == -1 || xb == -1)
		differ("cannot be opened: %s", strerror(errno));
	else
		same_folders(xa, xb);
	if (xa != -1)
		(void)close(xa);
	if (xb != -1)
		(void)close(xb);
}

static void
same_folders(int da, int db)
{
	struct names a, b;
	struct stat st;
	size_t i, k, was;
	int c;

	read_names(da, &a);
	read_names(db, &b);
	for (i = k = 0; i < a.n || k < b.n; ) {
		c = i == a.n ? 1 : k == b.n ? -1 : strcmp(a.v[i], b.v[k]);
		was = path_add(c <= 0 ? a.v[i] : b.v[k]);
		if (c == 0) {
			same_name(da, db, a.v[i]);
		} else if (c > 0) {
			differ("is too much");
		} else if (sockets || fstatat(da, a.v[i], &st,
		    AT_SYMLINK_NOFOLLOW) == -1 || !S_ISSOCK(st.st_mode)) {
			differ("is missing");
		}
		path_cut(was);
		i += c <= 0;
		k += c >= 0;
	}
	free_names(&a);
	free_names(&b);
}

int
main(int argc, char **argv)
{
	struct rlimit files = { 65536, 65536 };
	struct stat a, b;
	int c, da, db;

	while ((c = getopt(argc, argv, "oxylhtTm:sqr")) != -1) {
		switch (c) {
		case 'o': no_owner = true; break;
		case 'x': no_xattr = true; break;
		case 'y': no_link_xattr = true; break;
		case 'l': no_links = true; break;
		case 'h': holes = true; break;
		case 't': no_time = true; break;
		case 'T': top_too = true; break;
		case 's': sockets = true; break;
		case 'q': lax_targets = true; break;
		case 'r': as_restic = true; break;
		case 'm': max_lines = strtoul(optarg, NULL, 10); break;
		default: return (2);
		}
	}
	if (argc - optind != 2)
		errx(2, "usage: treecmp [-oxylhtTsqr] [-m N] A B");
	(void)setrlimit(RLIMIT_NOFILE, &files);
	path_add("");
	da = open(argv[optind], O_RDONLY | O_DIRECTORY);
	db = open(argv[optind + 1], O_RDONLY | O_DIRECTORY);
	if (da == -1 || db == -1)
		err(2, "%s", da == -1 ? argv[optind] : argv[optind + 1]);
	path_cut(0);
	if (top_too && fstat(da, &a) == 0 && fstat(db, &b) == 0)
		same_meta(da, db, ".", &a, &b);
	same_folders(da, db);
	if (differences > max_lines)
		printf("... and %lu more\n", differences - max_lines);
	printf("%lu entries, %lu differences\n", entries, differences);
	return (differences > 0);
}
