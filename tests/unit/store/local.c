/*
 * The local store: what every store must do, and what only a folder can do
 * wrong: modes, links, leftovers of the dead, full and foreign disks, and the
 * order in which things reach the medium.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "faces/store_suite.h"
#include "unit/rng.h"
#include "unit/scratch.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { NOBODY = 65534, PATH = 3 * SCRATCH_PATH };

static char dir[SCRATCH_PATH], root[PATH];

/* ---- the place ---- */

static void
fresh(struct store_place *place)
{

	(void)place;
	scratch_remove(root);
}

static int
open_it(struct store_place *place, struct store **ret, struct err *e)
{

	(void)place;
	return (store_open(ret, root, e));
}

static struct store_place place = { fresh, open_it };

static int
set_up(void **state)
{

	(void)state;
	scratch_make(dir);
	(void)snprintf(root, sizeof(root), "%s/repo", dir);
	return (chmod(dir, 0755));
}

static int
tear_down(void **state)
{

	(void)state;
	scratch_remove(dir);
	return (0);
}

static char *
in_root(const char *name)
{
	static char path[PATH + 300];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	return (path);
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(in_root(name), &st), 0);
	return (st.st_mode & 07777);
}

/* Names of any kind in a folder, the listing's view not asked. */
static unsigned
names(const char *folder)
{
	struct dirent *d;
	unsigned n = 0;
	DIR *dp;

	assert_non_null(dp = opendir(in_root(folder)));
	while ((d = readdir(dp)) != NULL)
		n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
	(void)closedir(dp);
	return (n);
}

static void
touch(const char *name)
{
	int fd = open(in_root(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd != -1);
	(void)close(fd);
}

static struct store *
open_local(void)
{
	struct err e = ERR_INIT;
	struct store *st;

	assert_ok(store_open(&st, root, &e), &e);
	return (st);
}

/* ---- what the kernel is asked, and made to say ---- */

/* The last calls that change folders or make them durable, in their order. */
static struct call {
	char what;           /* f: file synced, d: folder synced, l: linked,
				r: renamed, m: made */
	char name[PATH];     /* the file or folder, as it is called then */
} call[64];
static unsigned calls;
static bool remembering;
static bool no_links;        /* as FAT has it */
static void (*before_flock)(void);

static void
remember(char what, int fd, const char *base)
{
	char link[40];
	struct call *c = &call[calls % COUNT(call)];
	ssize_t n;

	if (!remembering)
		return;
	c->what = what;
	if (base != NULL && base[0] == '/') {
		(void)snprintf(c->name, sizeof(c->name), "%s", base);
	} else {
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, c->name, sizeof(c->name) - 300);
		if (n < 0)
			n = 0;
		(void)snprintf(c->name + n, sizeof(c->name) - (size_t)n,
		    "%s%s", base != NULL ? "/" : "", base != NULL ? base : "");
	}
	calls++;
}

int
fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		remember(S_ISDIR(st.st_mode) ? 'd' : 'f', fd, NULL);
	return ((int)syscall(SYS_fsync, fd));
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{

	remember('r', to_dir, to);
	return ((int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0));
}

int
linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{

	if (no_links) {
		errno = EPERM;
		return (-1);
	}
	remember('l', to_dir, to);
	return ((int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags));
}

int
mkdirat(int at, const char *name, mode_t mode)
{
	int rc = (int)syscall(SYS_mkdirat, at, name, mode);

	if (rc == 0)
		remember('m', at, name);
	return (rc);
}

int
mkdir(const char *name, mode_t mode)
{

	return (mkdirat(AT_FDCWD, name, mode));
}

int
flock(int fd, int how)
{
	void (*fn)(void) = before_flock;

	if (fn != NULL) {
		before_flock = NULL;
		fn();
	}
	return ((int)syscall(SYS_flock, fd, how));
}

/* Where in the calls is it? -1: nowhere. From the last one back. */
static int
when(char what, const char *name)
{
	unsigned i;

	assert_true(calls <= COUNT(call));
	for (i = calls; i-- > 0;)
		if (call[i].what == what && strcmp(call[i].name, name) == 0)
			return ((int)i);
	return (-1);
}

/* ---- tests ---- */

static void
test_locations(void **state)
{
	static const struct {
		const char *location, *text;
	} bad[] = {
		{ "", "a local store needs a path" },
		{ "local:", "a local store needs a path" },
		{ "floppy:x", "no store of kind 'floppy' is known" },
		{ "a b:x", "no store of kind 'a b' is known" },
	};
	char location[PATH + 20];
	struct err e = ERR_INIT;
	struct store *st;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		assert_rc(store_open(&st, bad[i].location, &e), ERR_USAGE, &e);
		assert_string_equal(e.text, bad[i].text);
	}
	assert_rc(store_open(&st, "backup:1", &e), ERR_USAGE, &e);
	assert_string_equal(e.hint,
	    "a folder whose name has a colon is written as ./backup:1");

	store_close(suite_open(&place));
	assert_ok(suite_put(st = open_local(), "keys", "keys/a", 1, 10, 0,
	    &e), &e);
	store_close(st);
	(void)snprintf(location, sizeof(location), "local:%s", root);
	assert_ok(store_open(&st, location, &e), &e);
	assert_string_equal(st->location, location);
	suite_expect(st, "keys/a", 1, 10);
	store_close(st);
	/* A slash before the colon makes it a path. */
	assert_int_equal(rename(root, strcat(strcpy(location, root), ":1")),
	    0);
	assert_ok(store_open(&st, location, &e), &e);
	suite_expect(st, "keys/a", 1, 10);
	store_close(st);
	scratch_remove(location);
}

static int
no_sink(void *cookie, const void *p, size_t len, struct err *e)
{

	(void)cookie;
	(void)p;
	(void)len;
	return (err_set(e, ERR_FAIL, "nothing was expected"));
}

static int
no_name(void *cookie, const char *name, uint64_t size, struct err *e)
{

	(void)cookie;
	(void)size;
	return (err_set(e, ERR_FAIL, "'%s' was not expected", name));
}

static void
test_no_folder(void **state)
{
	struct store *st;
	struct err e = ERR_INIT;
	struct put *p;
	uint64_t size;
	int round;

	(void)state;
	fresh(&place);
	for (round = 0; round < 2; round++) {
		st = open_local();
		assert_rc(store_create(st, "data", &p, &e), ERR_NOREPO, &e);
		assert_rc(store_stat(st, "config", &size, &e), ERR_NOREPO, &e);
		assert_rc(store_get(st, "config", 0, 1, no_sink, NULL, &e),
		    ERR_NOREPO, &e);
		assert_rc(store_list(st, "data", no_name, NULL, &e),
		    ERR_NOREPO, &e);
		assert_rc(store_remove(st, "keys/a", &e), ERR_NOREPO, &e);
		assert_int_equal(e.code, ERR_NOREPO);
		/* Once it is there the same store takes it. */
		assert_ok(store_prepare(st, (const char *const[]){ "data",
		    NULL }, &e), &e);
		assert_ok(suite_put(st, "data", "data/ab/x", 1, 10, 0, &e),
		    &e);
		store_close(st);
		fresh(&place);
	}
	/* A file is no folder. */
	assert_int_equal(close(open(root, O_CREAT | O_WRONLY, 0600)), 0);
	st = open_local();
	assert_rc(store_stat(st, "config", &size, &e), ERR_NOREPO, &e);
	assert_true(store_prepare(st, (const char *const[]){ NULL }, &e) < 0);
	store_close(st);
	assert_int_equal(unlink(root), 0);
}

static void
test_modes(void **state)
{
	struct err e = ERR_INIT;
	struct store *st;
	mode_t mask = umask(0);

	(void)state;
	st = suite_open(&place);
	assert_int_equal(mode_of(""), 0700);
	assert_ok(suite_put(st, "", "config", 1, 10, 0, &e), &e);
	assert_ok(suite_put(st, "data", "data/ab/x", 1, 10, 0, &e), &e);
	assert_int_equal(mode_of("config"), 0400);
	assert_int_equal(mode_of("data"), 0700);
	assert_int_equal(mode_of("data/ab"), 0700);
	assert_int_equal(mode_of("data/ab/x"), 0400);
	store_close(st);

	assert_int_equal(chmod(in_root("config"), 0440), 0);
	st = open_local();
	assert_ok(suite_put(st, "data", "data/cd/x", 1, 10, 0, &e), &e);
	assert_ok(suite_put(st, "keys", "keys/x", 1, 10, PUT_NEW, &e), &e);
	assert_ok(store_prepare(st, (const char *const[]){ "more", NULL },
	    &e), &e);
	assert_int_equal(mode_of("data/cd"), 0770);
	assert_int_equal(mode_of("data/cd/x"), 0440);
	assert_int_equal(mode_of("keys/x"), 0440);
	assert_int_equal(mode_of("more"), 0770);
	/* What is not published is nobody else's business. */
	{
		struct put *p;
		struct stat sb;
		struct dirent *d;
		DIR *dp;

		assert_ok(store_create(st, "locks", &p, &e), &e);
		assert_non_null(dp = opendir(in_root("locks")));
		while ((d = readdir(dp)) != NULL)
			if (d->d_name[0] != '.') {
				assert_int_equal(fstatat(dirfd(dp), d->d_name,
				    &sb, 0), 0);
				assert_int_equal(sb.st_mode & 07777, 0600);
			}
		(void)closedir(dp);
		put_free(p);
	}
	store_close(st);
	(void)umask(mask);
}

static void
test_links(void **state)
{
	char target[PATH];
	struct err e = ERR_INIT;
	struct store *st;

	(void)state;
	store_close(suite_open(&place));
	/* The root, and a folder in it, may be elsewhere. */
	(void)snprintf(target, sizeof(target), "%s/real", dir);
	assert_int_equal(rename(root, target), 0);
	assert_int_equal(symlink("real", root), 0);
	assert_int_equal(rename(in_root("data"), strcat(target, "-data")), 0);
	assert_int_equal(symlink(target, in_root("data")), 0);
	st = open_local();
	assert_ok(suite_put(st, "data", "data/ab/x", 1, 10, 0, &e), &e);
	assert_ok(suite_put(st, "keys", "keys/x", 1, 10, PUT_NEW, &e), &e);
	suite_expect(st, "data/ab/x", 1, 10);
	assert_int_equal(suite_count(st, "data"), 1);
	assert_int_equal(suite_count(st, "keys"), 1);
	/* An object that is a link is not listed: it is none of ours. */
	assert_int_equal(symlink("x", in_root("data/ab/y")), 0);
	assert_int_equal(suite_count(st, "data"), 1);
	store_close(st);
	scratch_remove(target);
	assert_int_equal(unlink(root), 0);
	(void)snprintf(target, sizeof(target), "%s/real", dir);
	scratch_remove(target);
}

/* What lies in the folders and is not ours, or not yet. */
static void
test_strangers(void **state)
{
	struct err e = ERR_INIT;
	struct store *st;
	uint64_t size;

	(void)state;
	st = suite_open(&place);
	assert_ok(suite_put(st, "keys", "keys/a", 1, 10, 0, &e), &e);
	touch("keys/.hidden");
	touch("keys/garner-tmp-0123456789abcdef");
	touch("keys/garner-tmp");
	assert_int_equal(mkdir(in_root("keys/.Trash"), 0700), 0);
	touch("keys/.Trash/b");
	assert_int_equal(mkfifo(in_root("keys/pipe"), 0600), 0);
	/* A name of its own right that only begins like a temporary one. */
	assert_int_equal(suite_count(st, "keys"), 2);
	/* Nobody waits for the other end of a pipe. */
	(void)alarm(10);
	assert_rc(store_stat(st, "keys/pipe", &size, &e), ERR_ABSENT, &e);
	assert_true(store_get(st, "keys/pipe", 0, 10, no_sink, NULL, &e) < 0);
	assert_int_equal(mkfifo(in_root("keys/garner-tmp-pipe"), 0600), 0);
	assert_ok(suite_put(st, "keys", "keys/b", 1, 10, 0, &e), &e);
	(void)alarm(0);
	store_close(st);
}

/* ---- leftovers ---- */

/* A child that writes an object and waits to be killed. */
static pid_t
writer(const char *folder)
{
	struct err e = ERR_INIT;
	struct store *st;
	struct put *p;
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	assert_true((pid = fork()) != -1);
	if (pid == 0) {
		(void)alarm(30);
		if (store_open(&st, root, &e) != 0 ||
		    store_create(st, folder, &p, &e) != 0 ||
		    put_write(p, "half", 4, &e) != 0)
			_exit(1);
		(void)!write(ready[1], "x", 1);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	return (pid);
}

static void
test_sweep(void **state)
{
	static const char *const folders[] = { "locks", "data", "index", "keys",
	    "snapshots", "" };
	struct err e = ERR_INIT;
	struct store *st;
	pid_t pid[COUNT(folders)];
	char name[80];
	unsigned before[COUNT(folders)];
	size_t i;
	int round, status;

	(void)state;
	store_close(suite_open(&place));
	for (i = 0; i < COUNT(folders); i++) {
		before[i] = names(folders[i]);
		pid[i] = writer(folders[i]);
		assert_int_equal(names(folders[i]), before[i] + 1);
	}
	/* The living keep theirs, the dead do not, in whatever folder. */
	for (round = 0; round < 2; round++) {
		st = open_local();
		for (i = 0; i < COUNT(folders); i++) {
			(void)snprintf(name, sizeof(name), "%s%sobject-%d",
			    folders[i], *folders[i] != '\0' ? "/" : "", round);
			assert_ok(suite_put(st, folders[i], name, 1, 10, 0,
			    &e), &e);
			if (names(folders[i]) != before[i] + 2)
				fail_msg("round %d, '%s': %u names instead "
				    "of %u", round, folders[i],
				    names(folders[i]), before[i] + 2);
		}
		store_close(st);
		for (i = 0; round == 0 && i < COUNT(folders); i++) {
			assert_int_equal(kill(pid[i], SIGKILL), 0);
			assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
			assert_true(WIFSIGNALED(status));
			assert_int_equal(names(folders[i]), before[i] + 2);
		}
	}
}

/* Somebody sweeps between the making of a temporary file and its lock. */
static void
sweeper(void)
{
	struct err e = ERR_INIT;
	struct store *st = open_local();
	struct put *p;

	assert_ok(store_create(st, "data", &p, &e), &e);
	put_free(p);
	store_close(st);
}

static void
test_sweep_race(void **state)
{
	struct err e = ERR_INIT;
	struct store *st;

	(void)state;
	st = suite_open(&place);
	before_flock = sweeper;
	assert_ok(suite_put(st, "data", "data/ab/x", 1, 1000, 0, &e), &e);
	assert_null(before_flock);
	suite_expect(st, "data/ab/x", 1, 1000);
	before_flock = sweeper;
	assert_ok(suite_put(st, "data", "data/ab/y", 2, 1000, PUT_NEW, &e),
	    &e);
	suite_expect(st, "data/ab/y", 2, 1000);
	assert_int_equal(suite_count(st, "data"), 2);
	store_close(st);
}

/* ---- disks ---- */

static void
test_no_links(void **state)
{
	struct err e = ERR_INIT;
	struct store *st;

	(void)state;
	st = suite_open(&place);
	no_links = true;
	assert_ok(suite_put(st, "keys", "keys/a", 1, 100, PUT_NEW, &e), &e);
	assert_rc(suite_put(st, "keys", "keys/a", 2, 50, PUT_NEW, &e),
	    ERR_EXISTS, &e);
	suite_expect(st, "keys/a", 1, 100);
	/* Even what points nowhere is taken. */
	assert_int_equal(symlink("nowhere", in_root("keys/link")), 0);
	assert_rc(suite_put(st, "keys", "keys/link", 2, 50, PUT_NEW, &e),
	    ERR_EXISTS, &e);
	no_links = false;
	assert_int_equal(names("keys"), 2);
	store_close(st);
}

static void
test_full(void **state)
{
	struct err e = ERR_INIT;
	struct store *st;
	struct put *p;
	uint8_t kib[1024] = { 0 };
	int rc, n;

	(void)state;
	fresh(&place);
	assert_int_equal(mkdir(root, 0700), 0);
	if (!scratch_small_disk(root, 256))
		skip();
	st = open_local();
	assert_ok(store_prepare(st, (const char *const[]){ "data", NULL },
	    &e), &e);
	assert_ok(suite_put(st, "data", "data/ab/old", 1, 100000, 0, &e), &e);
	assert_ok(store_create(st, "data", &p, &e), &e);
	for (n = rc = 0; rc == 0 && n < 1000; n++)
		rc = put_write(p, kib, sizeof(kib), &e);
	assert_int_equal(rc, ERR_SPACE);
	assert_non_null(strstr(e.text, root));
	assert_true(e.hint[0] != '\0');
	/* Cut, it is an object still. */
	assert_ok(put_cut(p, 1000, &e), &e);
	assert_ok(put_publish(p, "data/ab/new", 0, &e), &e);
	put_free(p);
	assert_rc(suite_put(st, "data", "data/ab/big", 3, 200000, 0, &e),
	    ERR_SPACE, &e);
	assert_int_equal(suite_count(st, "data"), 2);
	assert_int_equal(names("data"), 1);
	suite_expect(st, "data/ab/old", 1, 100000);
	store_close(st);
	(void)umount(root);
}

/* A disk that goes away is no way into the folder underneath. */
static void
test_unplugged(void **state)
{
	struct err e = ERR_INIT;
	struct store *st;

	(void)state;
	fresh(&place);
	assert_int_equal(mkdir(root, 0700), 0);
	if (!scratch_small_disk(root, 256))
		skip();
	st = open_local();
	assert_ok(store_prepare(st, (const char *const[]){ "data", NULL },
	    &e), &e);
	assert_int_equal(umount2(root, MNT_DETACH), 0);
	(void)suite_put(st, "data", "data/ab/x", 1, 1000, 0, &e);
	assert_int_equal(names(""), 0);
	store_close(st);
}

static void
denied(void)
{
	struct err e = ERR_INIT;
	struct store *st;
	struct put *p;
	int rc;

	if (store_open(&st, root, &e) != 0)
		_exit(1);
	rc = store_create(st, "data", &p, &e);
	if (rc != ERR_DENIED || e.hint[0] == '\0')
		_exit(2);
	/* Into one that is ours, from there into one that is not. */
	if (store_create(st, "keys", &p, &e) != 0 ||
	    put_write(p, "x", 1, &e) != 0)
		_exit(3);
	rc = put_publish(p, "data/x", 0, &e);
	if (rc != ERR_DENIED)
		_exit(4);
	rc = put_publish(p, "data/ab/x", PUT_NEW, &e);
	if (rc != ERR_DENIED)
		_exit(5);
	put_free(p);
	if (store_remove(st, "data/there", &e) != ERR_DENIED)
		_exit(6);
	store_close(st);
	_exit(names("keys") == 0 && names("data") == 1 ? 0 : 7);
}

static void
test_denied(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	store_close(suite_open(&place));
	touch("data/there");
	assert_int_equal(chmod(in_root("data"), 0555), 0);
	assert_int_equal(chmod(in_root("keys"), 0777), 0);
	assert_int_equal(chmod(root, 0755), 0);
	assert_true((pid = fork()) != -1);
	if (pid == 0) {
		if (geteuid() == 0 && setuid(NOBODY) == -1)
			_exit(10);
		denied();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(chmod(in_root("data"), 0700), 0);
}

/*
 * What reaches the medium, and in which order: the bytes before the name, a new
 * folder's own name, and the name before the answer.
 */
static void
test_order(void **state)
{
	char data[PATH + 10], sub[PATH + 30], file[PATH + 40];
	struct err e = ERR_INIT;
	struct store *st;
	struct put *p;
	unsigned flags;
	int i;

	(void)state;
	fresh(&place);
	st = open_local();
	remembering = true;
	calls = 0;
	assert_ok(store_prepare(st, (const char *const[]){ "data", "keys",
	    NULL }, &e), &e);
	(void)snprintf(data, sizeof(data), "%s/data", root);
	/* Each folder that was made: the one that holds it is synced then. */
	assert_true(when('m', root) >= 0);
	assert_true(when('d', dir) > when('m', root));
	assert_true(when('m', data) >= 0);
	assert_true(when('d', root) > when('m', data));
	for (i = 0; i < 3; i++) {
		flags = i % 2 != 0 ? PUT_NEW : 0;
		(void)snprintf(sub, sizeof(sub), "%s/a%d", data, i);
		(void)snprintf(file, sizeof(file), "%s/x", sub);
		assert_ok(store_create(st, "data", &p, &e), &e);
		assert_ok(put_write(p, "bytes", 5, &e), &e);
		calls = 0;
		assert_ok(put_publish(p, file + strlen(root) + 1, flags, &e),
		    &e);
		assert_int_equal(call[0].what, 'f');
		assert_true(when('m', sub) > 0);
		assert_true(when('d', data) > when('m', sub));
		assert_true(when(flags != 0 ? 'l' : 'r', file) > 0);
		assert_true(when('d', sub) > when(flags != 0 ? 'l' : 'r',
		    file));
		put_free(p);
	}
	remembering = false;
	store_close(st);
}

/* Names as long as they may be, folders of folders. */
static void
test_long(void **state)
{
	char folder[STORE_NAME_MAX], name[STORE_NAME_MAX];
	struct err e = ERR_INIT;
	struct store *st;
	struct put *p;
	size_t len;

	(void)state;
	st = suite_open(&place);
	for (len = 240; len < STORE_NAME_MAX; len++) {
		memset(folder, 'f', len);
		memcpy(folder, "data/", 5);
		folder[len] = '\0';
		folder[100] = '/';
		assert_true(store_name_ok(folder));
		assert_ok(store_create(st, folder, &p, &e), &e);
		assert_int_equal(names(""), 5);
		assert_int_equal(names(folder), 1);
		memcpy(name, folder, len + 1);
		name[len - 1] = 'o';
		name[len - 2] = '/';
		assert_ok(put_publish(p, name, PUT_NEW, &e), &e);
		put_free(p);
	}
	store_close(st);
}

/* Nothing stays open behind a store. */
static void
test_descriptors(void **state)
{
	struct err e = ERR_INIT;
	struct store *st;
	char name[40];
	unsigned before, i;
	int fd;

	(void)state;
	for (before = 0, fd = 0; fd < 256; fd++)
		before += fcntl(fd, F_GETFD) != -1;
	st = suite_open(&place);
	for (i = 0; i < 30; i++) {
		(void)snprintf(name, sizeof(name), "data/ab/%u", i);
		assert_ok(suite_put(st, "data", name, i, 100, 0, &e), &e);
		suite_expect(st, name, i, 100);
		if (i % 3 == 0)
			assert_ok(store_remove(st, name, &e), &e);
	}
	(void)suite_count(st, "data");
	/* Few while it is open, none when it is closed. */
	for (i = 0, fd = 0; fd < 256; fd++)
		i += fcntl(fd, F_GETFD) != -1;
	assert_true(i <= before + 9);
	store_close(st);
	for (i = 0, fd = 0; fd < 256; fd++)
		i += fcntl(fd, F_GETFD) != -1;
	assert_int_equal(i, before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locations),
		cmocka_unit_test(test_no_folder),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_sweep_race),
		cmocka_unit_test(test_no_links),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_unplugged),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_descriptors),
	};
	int failed;

	if (set_up(NULL) != 0)
		return (1);
	failed = store_suite("store/local: as any store", &place);
	failed += cmocka_run_group_tests_name("store/local", tests, NULL,
	    NULL);
	(void)tear_down(NULL);
	return (failed);
}
