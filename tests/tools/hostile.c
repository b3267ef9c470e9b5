/*
 * hostile FOLDER [all|plain] [MANY]: make a tree with everything in it that a
 * backup stumbles over. "plain" leaves out what restic cannot do either: a path
 * beyond PATH_MAX and a sparse file of a terabyte. MANY is the number of entries
 * of one large folder. What the system does not permit (devices, attributes, owners
 * when not root) is left out and named on standard output. The bytes are the same
 * in every run.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#define KIB 1024ULL
#define MIB (1024 * KIB)

static uint64_t seed = 88172645463325252ULL;

static void
noise(unsigned char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (i % 8 == 0) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
		}
		p[i] = (unsigned char)(seed >> (i % 8 * 8));
	}
}

/* Make the folder and stand in it. */
static void
enter(const char *name)
{

	if ((mkdir(name, 0755) == -1 && errno != EEXIST) || chdir(name) == -1)
		err(1, "folder %s", name);
}

static void
leave(void)
{

	if (chdir("..") == -1)
		err(1, "..");
}

static void
left_out(const char *what)
{

	printf("left out: %s (%s)\n", what, strerror(errno));
}

static int
create(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd == -1)
		err(1, "file %s", name);
	return (fd);
}

static void
pour(int fd, uint64_t at, uint64_t len, bool random)
{
	static unsigned char part[64 * KIB];
	size_t n;

	for (; len > 0; len -= n, at += n) {
		n = len < sizeof(part) ? len : sizeof(part);
		if (random)
			noise(part, n);
		else
			memset(part, (int)(at / sizeof(part)) % 7 == 3 ? 0 : 'x', n);
		if (pwrite(fd, part, n, at) != (ssize_t)n)
			err(1, "write");
	}
}

static void
file(const char *name, uint64_t len)
{
	int fd = create(name);

	pour(fd, 0, len, true);
	(void)close(fd);
}

static void
text(const char *name, const char *s)
{
	int fd = create(name);

	if (write(fd, s, strlen(s)) != (ssize_t)strlen(s))
		err(1, "write");
	(void)close(fd);
}

/* ---- sizes ---- */

static void
sizes(void)
{
	static const uint64_t around[] = { 1, 64, 512, 4 * KIB, 64 * KIB,
	    128 * KIB, 512 * KIB, MIB, 8 * MIB };
	char name[64];
	size_t i;
	int k, fd;

	enter("sizes");
	for (i = 0; i < sizeof(around) / sizeof(around[0]); i++)
		for (k = -1; k <= 1; k++) {
			(void)snprintf(name, sizeof(name), "%llu",
			    (unsigned long long)(around[i] + k));
			file(name, around[i] + k);
		}
	file("20M", 20 * MIB);
	fd = create("8M of text");
	pour(fd, 0, 8 * MIB + 1, false);
	(void)close(fd);
	fd = create("zeros, written");
	if (posix_fallocate(fd, 0, 3 * MIB) != 0)
		warn("fallocate");
	pour(fd, 2 * MIB + 1000, 10, true);
	(void)close(fd);
	text("twin 1", "the same bytes\n");
	text("twin 2", "the same bytes\n");
	leave();
}

/* ---- holes ---- */

struct run { uint64_t at, len; };

static void
sparse(const char *name, uint64_t size, const struct run *r, size_t n)
{
	int fd = create(name);

	for (; n > 0; n--, r++)
		pour(fd, r->at, r->len, true);
	if (ftruncate(fd, size) == -1)
		left_out(name);
	(void)close(fd);
}

static void
holes(bool all)
{
	const struct run first[] = { { 0, 5000 } };
	const struct run last[] = { { 4 * MIB - 5000, 5000 } };
	const struct run middle[] = { { 3 * MIB + 123, 7 * KIB },
	    { 9 * MIB, 600 * KIB } };
	const struct run odd[] = { { 511 * KIB, KIB }, { 1023 * KIB, 2 },
	    { 2 * MIB - 1, 1 } };
	const struct run far[] = { { 0, 4096 }, { 512 * KIB * MIB, 4096 } };

	enter("holes");
	sparse("all hole", 5 * MIB + 77, NULL, 0);
	sparse("a hole at the end", 4 * MIB, first, 1);
	sparse("a hole at the start", 4 * MIB, last, 1);
	sparse("holes between", 16 * MIB, middle, 2);
	sparse("holes at odd places", 2 * MIB, odd, 3);
	sparse("a chunk less a byte", 512 * KIB - 1, NULL, 0);
	sparse("a chunk", 512 * KIB, NULL, 0);
	sparse("a chunk and a byte", 512 * KIB + 1, NULL, 0);
	sparse("large", (all ? 4096 : 100) * MIB, middle, 2);
	if (all)
		sparse("1 TiB", MIB * MIB, far, 2);
	leave();
}

/* ---- names ---- */

static void
names(void)
{
	static const char *const odd[] = {
		"plain", " leading and trailing ", "-rf", "--help", "~", "$HOME",
		"new\nline", "\n", "tab\there", "cr\rhere", "bell\a", "esc\033[31mred",
		"nul-ish\\0", "back\\slash", "trailing\\", "\\x41", "\\u0041", "\\",
		"quote\"double", "quote'single", "\"", "`touch x`", "a;b|c&d", "*?[x]",
		"{a,b}", "!hist", "#hash", "%s%n%d", "c:colon", "...", ".hidden", "..x",
		"\xc3\xa9 composed", "e\xcc\x81 combining", "\xe4\xb8\xad\xe6\x96\x87",
		"\xf0\x9f\x98\x80 above the first plane", "\xc2\xa0 no-break",
		"\xc2\xad soft hyphen", "\xe2\x80\xa8 line separator",
		"\xe2\x80\xae right to left", "\xef\xbb\xbf bom",
		"\xef\xbf\xbd replacement",
		"\xe2\x80\x8b zero width", "\xee\x80\x80 private", "\xf3\xa0\x80\x81 tag",
		"\x7f del", "\x01\x02\x1f control", "<script>&amp;", "\xff not utf-8",
		"caf\xe9 latin-1", "\xc3 cut", "\xe2\x82 cut too",
		"\xed\xa0\x80 surrogate", "\xc0\xaf overlong",
		"\xf4\x90\x80\x80 beyond", "\x80\x81\x82", "CON", "nul.",
		"con.txt", "trailing dot.", ".garner-tmp-not-ours",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	};
	char name[256];
	size_t i;
	int c;

	enter("names");
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		text(odd[i], odd[i]);
	for (c = 1; c < 256; c++) {
		if (c == '/')
			continue;
		(void)snprintf(name, sizeof(name), "byte %c", c);
		text(name, "x");
	}
	memset(name, 'n', 255);
	name[255] = '\0';
	file(name, 100);
	memset(name, 0xff, 255);
	file(name, 100);
	memset(name, '\n', 254);
	name[254] = 'd';
	enter(name);
	text("inside", "x");
	leave();
	enter("folder\nwith \xff and \\");
	text("inside", "x");
	leave();
	enter("empty folder");
	leave();
	leave();
}

/* ---- links ---- */

static void
soft(const char *target, const char *name)
{

	if (symlink(target, name) == -1)
		left_out(name);
}

static void
links(void)
{
	char target[4096];

	enter("links");
	text("target", "target");
	soft("target", "good");
	soft("/nowhere/at/all", "dangling");
	soft("self", "self");
	soft("..", "up");
	soft("/", "root");
	soft("\xff\xfe not utf-8 \xc3", "bad target");
	soft("new\nline \"quoted\" \\ <&> \xe2\x80\xa8", "odd target");
	memset(target, 'l', 4095);
	target[4095] = '\0';
	soft(target, "long target");
	memset(target, '/', 100);
	target[100] = '\0';
	soft(target, "slashes");
	file("h1", 1234);
	if (link("h1", "h2") == -1 || link("h1", "h3") == -1)
		left_out("hard links");
	enter("other");
	(void)!link("../h1", "h4");
	file("i1", 70000);
	leave();
	(void)!link("other/i1", "a first name");
	enter("zz last");
	(void)!link("../other/i1", "i2");
	text("empty 1", "");
	(void)!link("empty 1", "empty 2");
	(void)!linkat(AT_FDCWD, "../good", AT_FDCWD, "a link twice", 0);
	leave();
	leave();
}

/* ---- devices and the like ---- */

static void
node(const char *name, mode_t mode, dev_t dev)
{

	if (mknod(name, mode, dev) == -1)
		left_out(name);
}

static void
specials(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int s;

	enter("specials");
	node("null", S_IFCHR | 0666, makedev(1, 3));
	node("loop", S_IFBLK | 0660, makedev(7, 0));
	node("high numbers", S_IFCHR | 0600, makedev(4095, 1048575));
	node("zero device", S_IFCHR | 0000, makedev(0, 0));
	node("fifo", S_IFIFO | 0644, 0);
	node("fifo set", S_IFIFO | 06711, 0);
	if (link("fifo", "fifo again") == -1)
		left_out("a linked fifo");
	(void)!link("null", "null again");
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	if (s == -1 || bind(s, (struct sockaddr *)&a, sizeof(a)) == -1)
		left_out("socket");
	if (s != -1)
		(void)close(s);
	leave();
}

/* ---- modes, owners, attributes, times ---- */

static void
modes(void)
{
	static const mode_t m[] = { 0000, 0001, 0100, 0200, 0400, 0444, 0600,
	    0644, 0666, 0755, 0777, 01644, 02755, 04755, 06755, 07777, 07000 };
	char name[64];
	size_t i;

	enter("modes");
	for (i = 0; i < sizeof(m) / sizeof(m[0]); i++) {
		(void)snprintf(name, sizeof(name), "f%04o", m[i]);
		text(name, name);
		(void)chmod(name, m[i]);
		(void)snprintf(name, sizeof(name), "d%04o", m[i]);
		if (geteuid() != 0 && (m[i] & 0700) != 0700)
			continue;	/* nobody could enter it */
		enter(name);
		text("inside", name);
		leave();
		(void)chmod(name, m[i]);
	}
	text("mine", "x");
	if (chown("mine", 12345, 54321) == -1)
		left_out("other owners");
	text("no user", "x");
	(void)!chown("no user", 4294967294U, 4000000000U);
	text("kept set", "x");
	(void)!chown("kept set", 12, 34);
	(void)chmod("kept set", 06755);
	enter("their folder");
	leave();
	(void)!chown("their folder", 1234, 1234);
	(void)chmod("their folder", 02770);
	soft("mine", "their link");
	(void)!lchown("their link", 77, 88);
	leave();
}

static void
attr(const char *name, const char *key, const void *value, size_t len)
{

	if (lsetxattr(name, key, value, len, 0) == -1) {
		fputs(name, stdout);
		fputc(' ', stdout);
		left_out(key);
	}
}

static void
attrs(void)
{
	static unsigned char big[3000];
	char key[256];
	int i;

	enter("attrs");
	text("one", "x");
	attr("one", "user.test", "value", 5);
	text("empty value", "x");
	attr("empty value", "user.empty", "", 0);
	text("binary", "x");
	attr("binary", "user.bin", "\0\1\xff\n\"\\", 6);
	text("big", "x");
	noise(big, sizeof(big));
	attr("big", "user.big", big, sizeof(big));
	text("many", "x");
	for (i = 0; i < 40; i++) {
		(void)snprintf(key, sizeof(key), "user.key%d", i);
		attr("many", key, key, strlen(key));
	}
	text("odd key", "x");
	attr("odd key", "user.with space \"and\" \\ <&>", "v", 1);
	attr("odd key", "user.\xc3\xa9", "v", 1);
	text("long key", "x");
	memset(key, 'k', 255);
	memcpy(key, "user.", 5);
	key[255] = '\0';
	attr("long key", key, "v", 1);
	enter("folder");
	leave();
	attr("folder", "user.on.folder", "v", 1);
	soft("one", "link");
	if (geteuid() == 0) {
		attr("link", "trusted.on.link", "v", 1);
		attr("one", "trusted.test", "v", 1);
		attr("one", "security.test", "v", 1);
		/* cap_net_raw+ep: lost when owners are set last. */
		attr("binary", "security.capability",
		    "\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
		mknod("fifo", S_IFIFO | 0600, 0);
		attr("fifo", "trusted.on.fifo", "v", 1);
	}
	text("acl", "x");
	enter("acl folder");
	text("inherits", "x");
	leave();
	(void)chmod("one", 0444);
	leave();
}

static void
when(const char *name, int64_t sec, long nsec)
{
	struct timespec t[2] = { { sec, nsec }, { sec, nsec } };

	if (utimensat(AT_FDCWD, name, t, AT_SYMLINK_NOFOLLOW) == -1)
		left_out(name);
}

static void
times(void)
{
	static const struct { const char *name; int64_t sec; long nsec; } t[] = {
		{ "epoch", 0, 0 }, { "a nanosecond", 0, 1 },
		{ "just before the epoch", -1, 999999999 }, { "1969", -86400 * 30, 5 },
		{ "1901", -2147483648LL, 0 }, { "2038", 2147483648LL, 1 },
		{ "2106", 4294967296LL, 999999999 }, { "2400", 13569465600LL, 120000000 },
		{ "ordinary", 1700000000, 123456789 },
		{ "tenths", 1700000000, 100000000 },
		{ "micros", 1700000000, 1000 }, { "leap day", 1709164800, 0 },
	};
	size_t i;
	char dir[64];

	enter("times");
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		text(t[i].name, "x");
		when(t[i].name, t[i].sec, t[i].nsec);
		(void)snprintf(dir, sizeof(dir), "folder %zu", i);
		enter(dir);
		text("inside", "x");
		leave();
		when(dir, t[i].sec, t[i].nsec);
	}
	soft("epoch", "link");
	when("link", 1234567890, 987654321);
	leave();
}

/* ---- many, and deep ---- */

static void
many(unsigned long n)
{
	char name[64];
	unsigned long i;
	int fd;

	enter("many");
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "entry-%07lu",
		    (i * 7919) % n);
		fd = create(name);
		if (i % 50 == 0 && write(fd, name, 14) != 14)
			err(1, "write");
		(void)close(fd);
	}
	leave();
}

static void
deep(const char *top, unsigned levels, size_t len)
{
	char name[256];
	unsigned i;
	int here = open(".", O_RDONLY | O_DIRECTORY);

	memset(name, 'p', len);
	name[len] = '\0';
	enter(top);
	for (i = 0; i < levels; i++)
		enter(name);
	text("bottom", "the end of a long path\n");
	soft("bottom", "link at the bottom");
	if (here == -1 || fchdir(here) == -1)
		err(1, "back");
	(void)close(here);
}

int
main(int argc, char **argv)
{
	bool all;

	if (argc < 2)
		errx(2, "usage: hostile FOLDER [all|plain] [MANY]");
	umask(022);
	all = argc < 3 || strcmp(argv[2], "all") == 0;
	enter(argv[1]);
	sizes();
	holes(all);
	names();
	links();
	specials();
	attrs();
	many(argc > 3 ? strtoul(argv[3], NULL, 10) : 2000);
	deep("deep", 60, 3);
	if (all)
		deep("beyond", 40, 240);
	modes();
	times();	/* nothing below may change behind it */
	when(".", 1600000000, 42);
	return (0);
}
