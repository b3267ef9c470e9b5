/*
 * The state folder: which of the places is taken, and which never. Each case is
 * a process of its own, because it has its own environment and, where we are
 * root, its own user.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/log.h"
#include "state/dir.h"
#include "unit/scratch.h"

enum { NOBODY = 65534, OTHER = 65533 };

static char dir[SCRATCH_PATH], text[2 * SCRATCH_PATH];
static char said[2000];

/* In a child: one that does not hold ends it. */
#define must(condition) do {                                                 \
	if (!(condition)) {                                                  \
		(void)fprintf(stderr, "line %d: %s\n", __LINE__,             \
		    #condition);                                             \
		_exit(1);                                                    \
	}                                                                    \
} while (0)

static int
set_up(void **state)
{

	(void)state;
	scratch_make(dir);
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
in_dir(const char *name)
{

	(void)snprintf(text, sizeof(text), "%s/%s", dir, name);
	return (text);
}

static void
hear(void *cookie, enum log_level level, const char *line)
{

	(void)cookie;
	(void)level;
	(void)snprintf(said, sizeof(said), "%s", line);
}

/* Run ${fn} in a child, as ${uid} if we can choose. */
static void
as(uid_t uid, void (*fn)(void))
{
	int status;
	pid_t pid;

	assert_true((pid = fork()) != -1);
	if (pid == 0) {
		if (geteuid() == 0 && uid != 0)
			must(setgid(uid) == 0 && setuid(uid) == 0);
		(void)unsetenv("GARNER_STATE_DIR");
		(void)unsetenv("XDG_CACHE_HOME");
		(void)unsetenv("HOME");
		(void)unsetenv("TMPDIR");
		(void)umask(022);
		log_to(hear, NULL);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A folder in ours that belongs to ${uid}. */
static void
own_dir(const char *name, uid_t uid, mode_t mode)
{

	assert_int_equal(mkdir(in_dir(name), 0700), 0);
	assert_int_equal(chmod(in_dir(name), mode), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(in_dir(name), uid, uid), 0);
}

/* Open with the environment as it is; it must be ${name} below our folder. */
static void
opens(const char *path, const char *name)
{
	struct err e = ERR_INIT;
	struct state_dir d;
	struct stat st;
	int rc;

	rc = state_open(&d, path, &e);
	if (rc != 0)
		(void)fprintf(stderr, "%s: %s\n", name, e.text);
	must(rc == 0);
	if (strcmp(d.path, in_dir(name)) != 0)
		(void)fprintf(stderr, "%s is %s\n", name, d.path);
	must(strcmp(d.path, in_dir(name)) == 0);
	must(fstat(d.fd, &st) == 0 && (st.st_mode & 07777) == 0700);
	must(strncmp(d.scratch, d.path, strlen(d.path)) == 0);
	must(strcmp(d.scratch + strlen(d.path), "/scratch") == 0);
	must(stat(d.scratch, &st) == 0 && S_ISDIR(st.st_mode));
	must((fcntl(d.fd, F_GETFD) & FD_CLOEXEC) != 0);
	state_close(&d);
	must(d.fd == -1 && d.path == NULL);
	state_close(&d);
}

static void
refuses(const char *path, int code)
{
	struct err e = ERR_INIT;
	struct state_dir d;
	int rc;

	memset(&d, 0x55, sizeof(d));
	rc = state_open(&d, path, &e);
	if (rc != code)
		(void)fprintf(stderr, "%d: %s\n", rc, rc != 0 ? e.text :
		    d.path);
	must(rc == code && e.code == code);
	must(strstr(e.hint, "GARNER_STATE_DIR") != NULL);
	state_close(&d);
}

/* ---- the order of the places ---- */

static void
order(void)
{
	char path[2 * SCRATCH_PATH];

	(void)snprintf(path, sizeof(path), "%s", in_dir("mine/home"));
	must(setenv("HOME", path, 1) == 0);
	opens(NULL, "mine/home/.cache/garner");
	/* A relative one is to be ignored, says its specification. */
	must(setenv("XDG_CACHE_HOME", "mine/relative", 1) == 0);
	opens(NULL, "mine/home/.cache/garner");
	(void)snprintf(path, sizeof(path), "%s", in_dir("mine/xdg"));
	must(setenv("XDG_CACHE_HOME", path, 1) == 0);
	opens(NULL, "mine/xdg/garner");
	must(setenv("GARNER_STATE_DIR", "", 1) == 0);
	opens(NULL, "mine/xdg/garner");
	(void)snprintf(path, sizeof(path), "%s", in_dir("mine/env"));
	must(setenv("GARNER_STATE_DIR", path, 1) == 0);
	opens(NULL, "mine/env");
	(void)snprintf(path, sizeof(path), "%s", in_dir("mine/asked/for"));
	opens(path, "mine/asked/for");
	opens(path, "mine/asked/for");
	must(chdir(in_dir("mine")) == 0);
	opens("from/here", "mine/from/here");
	must(said[0] == '\0');
}

static void
test_order(void **state)
{

	(void)state;
	own_dir("mine", NOBODY, 0700);
	as(NOBODY, order);
}

static void
as_root(void)
{
	struct err e = ERR_INIT;
	struct state_dir d;
	int rc;

	must(setenv("HOME", in_dir("roots"), 1) == 0);
	must((rc = state_open(&d, NULL, &e)) == 0);
	must(strcmp(d.path, "/var/lib/garner") == 0);
	must(state_in_ram(&d));
	state_close(&d);
}

static void
test_root(void **state)
{

	(void)state;
	/* Not on the machine's own disk. */
	if (geteuid() != 0 || !scratch_small_disk("/var/lib", 256))
		skip();
	as(0, as_root);
	(void)umount("/var/lib");
}

/* ---- places that were asked for, and cannot be ---- */

static void
asked(void)
{
	int fd;

	refuses("/proc/garner", ERR_ABSENT);
	refuses("", ERR_ABSENT);
	refuses(in_dir("shut/new"), ERR_DENIED);
	must((fd = open(in_dir("asked/file"), O_CREAT | O_WRONLY, 0600)) != -1);
	(void)close(fd);
	refuses(in_dir("asked/file"), ERR_EXISTS);
	/* By its environment name: no quiet way around either. */
	must(setenv("HOME", in_dir("asked"), 1) == 0);
	must(setenv("GARNER_STATE_DIR", in_dir("shut"), 1) == 0);
	refuses(NULL, ERR_DENIED);
}

static void
test_asked(void **state)
{

	(void)state;
	own_dir("shut", OTHER, 0555);
	own_dir("asked", NOBODY, 0700);
	as(NOBODY, asked);
}

/* ---- the last resort ---- */

static void
falls_back(void)
{
	char name[40];

	must(setenv("HOME", in_dir("read-only"), 1) == 0);
	must(setenv("TMPDIR", in_dir("tmp"), 1) == 0);
	(void)snprintf(name, sizeof(name), "tmp/garner-%u",
	    (unsigned)geteuid());
	opens(NULL, name);
	must(strstr(said, "caches go to") != NULL);
	must(strstr(said, "ermission denied") != NULL);
	/* Once more, now that it is there; and without any home. */
	said[0] = '\0';
	opens(NULL, name);
	must(said[0] != '\0');
	must(unsetenv("HOME") == 0);
	opens(NULL, name);
	must(strstr(said, "no home folder") != NULL);
}

static void
test_fallback(void **state)
{

	(void)state;
	own_dir("read-only", NOBODY, 0555);
	own_dir("tmp", NOBODY, 0700);
	as(NOBODY, falls_back);
}

/* Everybody can make a folder of that name in /tmp, and choose its mode. */
static void
trap(void)
{

	must(setenv("HOME", in_dir("read-only"), 1) == 0);
	must(setenv("TMPDIR", in_dir("trap"), 1) == 0);
	refuses(NULL, ERR_DENIED);
	must(unsetenv("HOME") == 0);
	refuses(NULL, ERR_DENIED);
}

/* Nothing was put there. */
static void
assert_empty(const char *name)
{
	struct dirent *d;
	DIR *dp;

	assert_non_null(dp = opendir(in_dir(name)));
	while ((d = readdir(dp)) != NULL)
		assert_int_equal(d->d_name[0], '.');
	(void)closedir(dp);
}

static void
test_traps(void **state)
{
	char name[64], target[2 * SCRATCH_PATH];
	uid_t me = geteuid() == 0 ? NOBODY : geteuid();

	(void)state;
	own_dir("trap", me, 0700);
	(void)snprintf(name, sizeof(name), "trap/garner-%u", (unsigned)me);

	/* Ours, but open. */
	own_dir(name, me, 0777);
	as(NOBODY, trap);
	assert_empty(name);
	assert_int_equal(rmdir(in_dir(name)), 0);

	/* A link to another folder of ours, as a neighbour would set it. */
	own_dir("precious", me, 0700);
	(void)snprintf(target, sizeof(target), "%s", in_dir("precious"));
	assert_int_equal(symlink(target, in_dir(name)), 0);
	as(NOBODY, trap);
	assert_empty("precious");
	assert_int_equal(unlink(in_dir(name)), 0);
	assert_int_equal(symlink("nowhere", in_dir(name)), 0);
	as(NOBODY, trap);
	assert_int_equal(unlink(in_dir(name)), 0);

	if (geteuid() != 0)
		skip();
	/* Another's, open or not. */
	own_dir(name, OTHER, 0777);
	as(NOBODY, trap);
	assert_empty(name);
	assert_int_equal(chmod(in_dir(name), 0700), 0);
	as(NOBODY, trap);
	assert_empty(name);
}

/* ---- inside ---- */

static void
test_subdir(void **state)
{
	struct err e = ERR_INIT;
	struct state_dir d;
	struct stat st;
	int fd;

	(void)state;
	assert_ok(state_open(&d, in_dir("sub"), &e), &e);
	assert_ok(state_subdir(&d, "cache/ab12", &fd, &e), &e);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISDIR(st.st_mode) && (st.st_mode & 077) == 0);
	(void)close(fd);
	assert_int_equal(stat(in_dir("sub/cache/ab12"), &st), 0);
	assert_ok(state_subdir(&d, "cache/ab12", &fd, &e), &e);
	(void)close(fd);
	assert_int_equal(close(open(in_dir("sub/file"), O_CREAT | O_WRONLY,
	    0600)), 0);
	assert_rc(state_subdir(&d, "file", &fd, &e), ERR_EXISTS, &e);
	state_close(&d);
}

static void
test_ram(void **state)
{
	struct err e = ERR_INIT;
	struct state_dir d;

	(void)state;
	assert_int_equal(mkdir(in_dir("ram"), 0700), 0);
	if (!scratch_small_disk(in_dir("ram"), 256))
		skip();
	assert_ok(state_open(&d, in_dir("ram/state"), &e), &e);
	assert_true(state_in_ram(&d));
	state_close(&d);
	(void)umount(in_dir("ram"));
	assert_int_equal(state_open(&d, "/dev/null/x", &e) < 0, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_fallback),
		cmocka_unit_test(test_traps),
		cmocka_unit_test(test_subdir),
		cmocka_unit_test(test_ram),
	};

	return (cmocka_run_group_tests_name("state/dir", tests, set_up,
	    tear_down));
}
